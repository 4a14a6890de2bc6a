"""Rounding of numbers within an error bound, in their own dtype; a number whose error cannot be
proved to keep it stays as it is."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from aetool.model import Int

LARGEST_STEP = (1 << 62) - 1
LARGEST_FLOAT = float(np.finfo(np.float64).max)

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.floating[Any]]
# int64 or uint64: arithmetic of either is exact modulo 2^64
Integers = npt.NDArray[np.integer[Any]]


def float_below(bound: Fraction) -> float:
    """The largest finite float64 that is at most the bound, which is 0 or more."""
    if bound >= Fraction(LARGEST_FLOAT):
        return LARGEST_FLOAT
    nearest = float(bound)
    if Fraction(nearest) > bound:
        return float(np.nextafter(nearest, -np.inf))
    return nearest


def within(values: Floats, replacements: Floats, bound: Fraction) -> Mask:
    """Tell where floats differ from their replacements by no more than the bound, in exact
    arithmetic: (n,) bool, True only where that is certain; False where either is not finite, or
    their difference overflows.

    values, replacements: (n,) of the same floating dtype.

    A difference of two floats is rounded; Knuth's two-sum gives what was rounded off, so that
    |difference| + rest is exact. Below the largest float under the bound the rest cannot matter; on
    it, it must not be positive.
    """
    with np.errstate(all="ignore"):
        value = values.astype(np.float64)
        replacement = replacements.astype(np.float64)
        difference = value - replacement
        # two-sum: difference + rest is value - replacement, without any rounding
        virtual = difference - value
        rest = (value - (difference - virtual)) - (replacement + virtual)
        distance = np.abs(difference)
        # by how much the exact distance is above the rounded one
        rounded_off = np.where(difference < 0, -rest, rest)
        limit = float_below(bound)
        return np.asarray((distance < limit) | ((distance == limit) & (rounded_off <= 0)))


@dataclass(frozen=True)
class Grid:
    """Rounds whole numbers to multiples of a step, so that none is off by more than `allowed`.

    allowed: above 0. low, high: the range of the values, both included; a multiple beyond it is
    restored as its end.
    """

    allowed: int
    low: int
    high: int

    @classmethod
    def of(cls, bound: Fraction | None, low: int, high: int) -> Grid | None:
        """The coarsest grid that keeps an error bound, of a step of at most LARGEST_STEP (2^62 -
        1); None if the bound, which is in units of the whole numbers, is None or below 1, which
        they keep only unchanged. low, high: the range of the values, both included."""
        if bound is None or bound < 1:
            return None
        return cls(min(int(bound), LARGEST_STEP // 2), low, high)

    @property
    def step(self) -> int:
        """The distance between neighbouring multiples: 2 * allowed + 1."""
        return 2 * self.allowed + 1

    def quantise(self, values: Integers) -> Int:
        """Round each value to the nearest multiple of the step, and return the number k of that
        multiple, k * step: (n,) int64. values: (n,) int64 or uint64.

        There are at most (2^64 - 1) / 3 + 1 multiples: their numbers fit int64 for uint64, too.
        """
        step = values.dtype.type(self.step)
        numbers = values // step
        rest = values - numbers * step
        # the step is odd: there is always one nearest multiple, this one or the next
        is_nearer_to_next = rest > values.dtype.type(self.allowed)
        return (numbers + is_nearer_to_next).astype(np.int64)

    def restore(self, numbers: Int, unsigned: bool) -> Integers:
        """The multiples of these numbers k, (n,) int64, as `quantise` returned them: (n,) uint64 if
        unsigned, else int64; those beyond low .. high become low or high, so that nothing wraps,
        and no error grows."""
        dtype = np.dtype(np.uint64 if unsigned else np.int64).type
        # of the multiples within low .. high: the number of the first, rounded up, and of the last
        first = -(-self.low // self.step)
        last = self.high // self.step
        # what is beyond is set afterwards: its product might not fit
        inside = np.clip(numbers, first, last)
        restored = inside.astype(dtype) * dtype(self.step)
        restored[numbers > last] = self.high
        restored[numbers < first] = self.low
        return np.asarray(restored)


def distances(values: Integers, restored: Integers) -> npt.NDArray[np.uint64]:
    """How far whole numbers lie from the restored ones, exactly: |value - restored|, (n,) uint64.
    values, restored: (n,), both of int64 or both of uint64."""
    is_larger = values > restored
    # read as uint64, numbers with a sign have the right difference, too, modulo 2^64
    difference = values.view(np.uint64) - restored.view(np.uint64)
    return np.asarray(np.where(is_larger, difference, np.uint64(0) - difference))
