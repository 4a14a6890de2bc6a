"""Which hot loops are in use: the C kernel, or the numpy references, which are the norm."""

from __future__ import annotations

import os
from typing import Any

REFERENCE = "AETOOL_REFERENCE"  # set: the references are used although the kernel is there


def load() -> Any:
    """The C kernel; None where it was not built, or the references are asked for."""
    if os.environ.get(REFERENCE):
        return None
    try:
        from aetool.codec import _kernel  # type: ignore[attr-defined,unused-ignore]
    except ImportError:
        return None
    return _kernel


C: Any = load()
