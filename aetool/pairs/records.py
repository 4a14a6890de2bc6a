"""Records in float64 as the pairs of float32 that a rewritten graph takes."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from aetool.columns.column import ODD
from aetool.model import Float
from aetool.pairs.arithmetic import MOST, ODD_SINGLE

Single = npt.NDArray[np.float32]
BITS_TOLD = 10  # of a number, at least, by which numbers must differ for float32 to tell them well


def parts_of(values: Float) -> tuple[Single, ...]:
    """Split float64 inputs, of any shape, into two float32 arrays of that shape, (high, low), as a
    graph of pairs takes them: high is the nearest float32, low what is left, so that their sum is
    the number to 48 bits. Numbers are first cut off at -MOST and MOST (1e30). Infinities and NaN
    stay in high, and ODD becomes ODD_SINGLE there, all with a low part of 0."""
    odd = values == ODD
    bounded = np.clip(values, -MOST, MOST)
    wide = np.where(odd, ODD_SINGLE, bounded)
    # infinities stay what they are
    wide = np.where(np.isinf(values), values, wide)
    high = wide.astype(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        low = (bounded - high).astype(np.float32)
    has_no_low = odd | ~np.isfinite(low)
    low = np.where(has_no_low, np.float32(0), low)
    return high, low


def spread_is_narrow(spread: float, size: float) -> bool:
    """Whether numbers of this size (the largest without its sign) differ by less than a float32
    tells well: spread is below size / 2^BITS_TOLD (1,024). spread: how far they lie apart, in the
    same unit."""
    return spread < math.ldexp(size, -BITS_TOLD)
