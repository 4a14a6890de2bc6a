"""Quick looks at a column of whole numbers: which rows to try plans on, how many bits it may take,
how alike two columns are.

Nothing here is needed to decode, so floating point is welcome.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aetool.codec.context_search import Rows
from aetool.codec.kept import Kept, are_few, digest_of
from aetool.model import Array, Int

Float32 = npt.NDArray[np.float32]

STRETCHES = 4  # of rows that a sample consists of
MOST_LOOKED_AT = 4096  # values that a quick look takes in
OUTLINE = 256  # values that stand for a column where columns are compared
# added to magnitudes, with their signs, so that none that is counted is below 0
LEAST_MAGNITUDE = 1100
KEPT_BITS: Kept[float] = Kept(1 << 15)
TINY = 1e-9  # keeps a column of equal values from dividing by 0


def sample_rows(count: int, size: int) -> Rows:
    """The positions, from 0, of at most `size` of `count` rows: a slice of all, if they are no more
    than that, or an array, (places,), ascending, of four stretches spread evenly, `size` rounded
    down to a multiple of four."""
    if count <= size:
        return slice(0, count)
    length = size // STRETCHES
    last = count - length
    starts = np.linspace(0, last, STRETCHES).astype(np.int64)
    within = np.arange(length)
    rows = np.add.outer(starts, within)
    return rows.ravel()


def outline(values: Int) -> Float32:
    """A short vector by which columns are compared, (OUTLINE,) float32, 256 numbers: the inner
    product of two such vectors says how their columns correlate, -1 to 1, large values weighing
    less than in Pearson's correlation. It has some of the values, in order, less their median and
    over their mean distance from it, of each the inverse hyperbolic sine, all shifted to mean 0 and
    scaled to length 1; 0 behind those of a shorter column, and all 0 for a column of equal values.
    values: (n,), at least one."""
    sample = _some_of(values, OUTLINE)[:OUTLINE]
    sample -= _median(sample)
    # of long tails the order of magnitude counts
    scale = np.abs(sample).mean() + TINY
    sample = np.arcsinh(sample / scale)
    sample -= sample.mean()
    squares = sample**2
    length = np.sqrt(squares.sum()) + TINY
    vector = np.zeros(OUTLINE, np.float32)
    vector[: len(sample)] = sample / length
    return vector


def bits_a_value(residuals: Int) -> float:
    """Estimate how many bits a residual (what a prediction leaves of a value) takes on average, by
    a sample; results for at most SMALL_BLOCK (4,096) residuals are kept within kept.keeping.
    residuals: (n,) int64, the residuals, at least one."""
    if not are_few(residuals):
        return _estimated_bits(residuals)
    # searches look at the same residuals again and again
    key = digest_of(residuals)
    bits = KEPT_BITS.get(key)
    return KEPT_BITS.keep(key, _estimated_bits(residuals)) if bits is None else bits


def _estimated_bits(residuals: Int) -> float:
    """Estimate the mean bits of a residual, counted from the median: those that say its sign and
    how many bits it has (its magnitude), by their entropy, and one for each bit below the highest;
    on a sample of MOST_LOOKED_AT (4,096). residuals: (n,) int64, the residuals (what a prediction
    leaves of values), at least one."""
    rows = sample_rows(len(residuals), MOST_LOOKED_AT)
    sample = residuals[rows].astype(np.float64)
    off = sample - _median(sample)
    # the magnitude m of a number x: 2^(m - 1) <= |x| < 2^m
    _, magnitude = np.frexp(off)
    signed = magnitude * np.sign(off)
    classes = signed.astype(np.int64) + LEAST_MAGNITUDE
    counts = np.bincount(classes)
    share = counts[counts > 0] / len(sample)
    # the highest bit of a number follows from its magnitude
    bits_below_highest = np.maximum(magnitude - 1, 0)
    negative_entropy = share * np.log2(share)
    return float(bits_below_highest.mean() - negative_entropy.sum())


def spread(values: Int) -> float:
    """The mean distance of values, (n,) int64, at least one, from their median, in their unit, on
    every k-th of them if they are 8,192 or more."""
    sample = _some_of(values, MOST_LOOKED_AT)
    distance = np.abs(sample - _median(sample))
    return float(distance.mean())


def _median(values: Array) -> float:
    """The median of values, (n,) float64, at least one, none of them NaN: the same as np.median,
    which takes longer where values are few."""
    count = len(values)
    lower = (count - 1) // 2
    upper = count // 2
    # of an even number the two in the middle, of an odd one the same twice
    partly_sorted = np.partition(values, (lower, upper))
    return float((partly_sorted[lower] + partly_sorted[upper]) / 2)


def _some_of(values: Int, fewest: int) -> Array:
    """Every k-th of the values, as float64: k is such that there are at least `fewest` of them, but
    fewer than twice as many; all of fewer values. values: (n,)."""
    step = max(1, len(values) // fewest)
    part = values[::step]
    return part.astype(np.float64)
