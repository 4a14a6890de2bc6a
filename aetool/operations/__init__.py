"""What aetool does, as plain functions; the CLI and the Python API call these and nothing else."""

from aetool.operations.detecting import Detection, detect, evaluate, score
from aetool.operations.fitting import fit

__all__ = ["Detection", "detect", "evaluate", "fit", "score"]
