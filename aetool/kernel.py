"""Chooses between the C kernel and the numpy references for hot loops; the references are the
norm."""

from __future__ import annotations

import importlib
import os
from typing import Any

REFERENCE = "AETOOL_REFERENCE"  # set: the references are used although the kernel is there
KERNEL = "aetool.codec._kernel"  # lies beside the codec; rooms below it may use its loops, too


def load() -> Any:
    """The C kernel as a module; None where it was not built, or where the environment variable
    AETOOL_REFERENCE is set to any text but an empty one."""
    if os.environ.get(REFERENCE):
        return None
    try:
        return importlib.import_module(KERNEL)
    except ImportError:
        return None


C: Any = load()
