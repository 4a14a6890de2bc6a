"""What aetool does, as plain functions; the CLI and the Python API call these and nothing else."""

from aetool.operations.archiving import CompressOptions, compress, decode, decompress
from aetool.operations.detecting import Detection, detect, encode, evaluate, score
from aetool.operations.fitting import FitOptions, fit
from aetool.operations.inspecting import export, info, verify

__all__ = [
    "CompressOptions",
    "Detection",
    "FitOptions",
    "compress",
    "decode",
    "decompress",
    "detect",
    "encode",
    "evaluate",
    "export",
    "fit",
    "info",
    "score",
    "verify",
]
