"""The Python face: the verbs of the command line, and bundles with methods."""

from __future__ import annotations

from aetool.api.archiving import compress, decompress, merge, open_archive, tradeoff
from aetool.api.bundle import Bundle
from aetool.api.conversion import Data, Figures, Frame, Model, Option, Part, Path, Texts
from aetool.api.detecting import detect, drift
from aetool.api.fitting import Told, fit, load

__all__ = [
    "Bundle",
    "Data",
    "Figures",
    "Frame",
    "Model",
    "Option",
    "Part",
    "Path",
    "Texts",
    "Told",
    "compress",
    "decompress",
    "detect",
    "drift",
    "fit",
    "load",
    "merge",
    "open_archive",
    "tradeoff",
]
