"""How far moments reach, and how surprising those are that lie far outside of all others."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from aetool.model import Float

FEWEST = 12  # moments that tell what is usual
OUTER, SHOULDER = 0.01, 0.1  # parts of the moments at either end: of few at least one, and two
LEAST_TAIL = 0.02  # of the range that nearly all moments lie in
POWER = 6.0  # of the tails: the part of moments that lie more than d tails out falls as d^-6


@dataclass(frozen=True)
class Reach:
    """Nearly all moments lie between `first` and `last`, and none is unusual that is less than a
    tail away: `before` or `after`, in seconds. Farther out it is the more, the more tails it is
    away. beyond: how many were that far out in training."""

    first: float
    last: float
    before: float
    after: float
    beyond: int = 0

    @classmethod
    def of(cls, moments: Float, grace: float, least: float) -> Self | None:
        """The reach of moments, (n,), finite; None where they are too few.

        The outermost hundredth does not count, for anything may be among it; a tail is how far
        moments spread from the outer tenth to there. grace: seconds that later data may lie before
        or after these, or the range of these if that is longer; least: seconds of a tail.
        """
        if len(moments) < FEWEST:
            return None
        rising = np.sort(moments)
        outer = max(1, round(OUTER * len(rising)))
        shoulder = max(outer + 1, round(SHOULDER * len(rising)))
        first = float(rising[outer])
        last = float(rising[-1 - outer])
        whole_range = last - first
        shortest = max(least, LEAST_TAIL * whole_range)
        before = max(shortest, float(rising[shoulder]) - first)
        after = max(shortest, last - float(rising[-1 - shoulder]))
        if grace:
            grace = max(grace, whole_range)
        reach = cls(first - grace, last + grace, before, after)
        return cls(first - grace, last + grace, before, after, int((reach.away(moments) > 1).sum()))

    def away(self, moments: Float) -> Float:
        """(n,): how far moments lie outside of the usual ones, in lengths of the tail; 0 inside and
        for gaps.
        """
        before_first = (self.first - moments) / self.before
        after_last = (moments - self.last) / self.after
        return np.nan_to_num(np.maximum(np.maximum(before_first, after_last), 0.0))

    def bits(self, moments: Float) -> Float:
        """(n,): the surprise of moments that lie outside of the usual ones, by their distance."""
        return np.asarray(POWER * np.log2(np.maximum(self.away(moments), 1.0)))

    def inside(self, moments: Float) -> Float:
        """(n,): the moments, each outside of the usual ones replaced by the nearest usual one."""
        return np.clip(moments, self.first, self.last)

    def check(self) -> None:
        """ValueError for what could not have come from `of`."""
        stored = (self.first, self.last, self.before, self.after)
        finite = all(type(v) in (int, float) and math.isfinite(v) for v in stored)
        if not finite or self.first > self.last or min(self.before, self.after) <= 0:
            raise ValueError("a reach that is not finite")
        if type(self.beyond) is not int or self.beyond < 0:
            raise ValueError("a reach beyond which there is no count of moments")
