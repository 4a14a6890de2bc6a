"""A process whose processor rounds sums in another way codes no fields of floats."""

import ctypes
import platform
import sys

import numpy as np
import pytest

from aetool import kernel
from aetool.codec.natives import extrapolation
from aetool.errors import ArchiveError

FIELD = np.sin(np.arange(4096.0)).astype(np.float32).reshape(16, 16, 16)


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64", reason="how x86 on Linux rounds"
)
@pytest.mark.parametrize("loops", ["kernel", "reference"])
@pytest.mark.parametrize("upward", [0x400, 0x800, 0xC00])
def test_a_process_that_rounds_otherwise_is_refused(loops, upward, monkeypatch):
    if loops == "reference":
        monkeypatch.setattr(kernel, "C", None)
    told = extrapolation.residuals(FIELD, (1, 1, 1))
    libm = ctypes.CDLL("libm.so.6")
    try:
        assert libm.fesetround(upward) == 0
        for call in (
            lambda: extrapolation.residuals(FIELD, (1, 1, 1)),
            lambda: extrapolation.restore(told, (1, 1, 1)),
        ):
            with pytest.raises(ArchiveError, match="does not add as IEEE 754 says"):
                call()
    finally:
        libm.fesetround(0)
    assert extrapolation.restore(told, (1, 1, 1)).tobytes() == FIELD.tobytes()
