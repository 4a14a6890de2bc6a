"""The usual range of a column of dates or numbers, and how surprising a value far outside of it
is."""

from __future__ import annotations

import dataclasses
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
    """The usual range of moments in epoch seconds, or of numbers in user units: `first` to `last`.

    A value outside of it is a surprise only if it is farther away than one tail, which is `before`
    or `after` long, and then the more, the more tails it is away. beyond: how many training values
    were that far out.
    """

    first: float
    last: float
    before: float
    after: float
    beyond: int = 0

    @classmethod
    def of(cls, moments: Float, grace: float, least: float) -> Self | None:
        """The reach of moments, (n,), finite epoch seconds; None where they are fewer than 12.

        The outermost hundredth at either end is left out, for anything may be among it; a tail is
        the distance from there to the outermost tenth. grace: seconds by which the range is widened
        at both ends for later data, or its own length if that is longer; 0 for not at all. least: a
        tail has at least so many seconds, and at least a part LEAST_TAIL (0.02) of the range.
        """
        if len(moments) < FEWEST:
            return None
        rising = np.sort(moments)
        count = len(rising)
        # of few moments the hundredth is one, and the tenth reaches one further
        outer = max(1, round(OUTER * count))
        shoulder = max(outer + 1, round(SHOULDER * count))
        first = float(rising[outer])
        last = float(rising[-1 - outer])
        first_shoulder = float(rising[shoulder])
        last_shoulder = float(rising[-1 - shoulder])
        length = last - first
        shortest_tail = max(least, LEAST_TAIL * length)
        before = max(shortest_tail, first_shoulder - first)
        after = max(shortest_tail, last - last_shoulder)
        # later data may go on for as long again
        if grace:
            grace = max(grace, length)
        reach = cls(first - grace, last + grace, before, after)
        is_beyond = reach.away(moments) > 1
        return dataclasses.replace(reach, beyond=int(is_beyond.sum()))

    def away(self, values: Float) -> Float:
        """(n,): the distance of each value from the range `first` to `last`, in tails of its side;
        0 inside the range and for NaN. values: (n,), epoch seconds of moments, or numbers in user
        units."""
        before_first = (self.first - values) / self.before
        after_last = (values - self.last) / self.after
        # inside the range both are negative
        outside = np.maximum(before_first, after_last)
        away = np.maximum(outside, 0.0)
        return np.nan_to_num(away)

    def bits(self, values: Float) -> Float:
        """How surprising each value is by its distance from the usual range, (n,), in bits: 6 log2
        of the distance in tails; 0 for those less than one tail away, and for NaN. values: (n,),
        epoch seconds of moments, or numbers in user units."""
        # a value less than one tail away is no surprise
        tails_away = np.maximum(self.away(values), 1.0)
        return np.asarray(POWER * np.log2(tails_away))

    def inside(self, values: Float) -> Float:
        """Move values, (n,), epoch seconds or numbers in user units, into the usual range, (n,):
        `first` in place of those below it, `last` in place of those above it; NaN stays NaN."""
        return np.clip(values, self.first, self.last)

    def check(self) -> None:
        """Raise ValueError for fields that `of` could not have computed: of a wrong type, not
        finite, last before first, a tail not above 0, or `beyond` below 0."""
        stored = (self.first, self.last, self.before, self.after)
        # by the type itself, as True is an int, too
        are_numbers = all(type(value) in (int, float) for value in stored)
        are_finite = are_numbers and all(math.isfinite(value) for value in stored)
        if not are_finite or self.first > self.last or min(self.before, self.after) <= 0:
            raise ValueError("a reach that is not finite")
        if type(self.beyond) is not int or self.beyond < 0:
            raise ValueError("a reach beyond which there is no count of moments")
