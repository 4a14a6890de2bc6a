"""The map from a column's numbers in user units to standardised ones, and back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from aetool.model import Float

CLIP = 12.0  # standardised values beyond this say nothing more
HEAVY = 10.0  # robust deviations that one value in a thousand may reach before asinh is used
LARGEST = 1e300  # of numbers that are told apart: beyond, they are taken for this
MOST_BENT = 680.0  # asinh of the largest value that is restored
FINENESS = 2.0**-10  # resolution of true floats, as a part of the robust range


@dataclass(frozen=True)
class Scale:
    """The map of a column's numbers x to z = (t - mean) / deviation.

    t is u = (x - center) / unit, or asinh(u) where the column is `curved`: heavy-tailed. center and
    unit are the median and a robust standard deviation, in user units; mean and deviation are those
    of t. resolution: in user units; values that differ by less are taken for equal.
    """

    center: float = 0.0
    unit: float = 1.0
    curved: bool = False
    mean: float = 0.0
    deviation: float = 1.0
    resolution: float = 1.0

    @classmethod
    def of(cls, values: Float, quantum: float) -> Scale:
        """The scale of finite numbers, (n,), n > 0. quantum: the least difference of two numbers
        that their decimals can write, such as 0.01; 0 for true floats. The scale is `curved` if one
        number in a thousand lies more than HEAVY (10) robust deviations from the median."""
        # the difference of two of the largest floats would be infinite
        values = np.clip(values, -LARGEST, LARGEST)
        quantiles = np.quantile(values, (0, 0.01, 0.25, 0.5, 0.75, 0.99, 1)).tolist()
        lowest, low_hundredth, lower, center, upper, high_hundredth, highest = quantiles
        # nearly all values may be one
        span = (high_hundredth - low_hundredth) or (highest - lowest)
        resolution = max(quantum, span * FINENESS)
        if not resolution:
            # of a column of one value
            size = max(abs(center), 1.0)
            resolution = size * FINENESS
        # of a normal distribution the quartiles lie 1.349 deviations apart
        unit = max((upper - lower) / 1.349, resolution)
        units = (values - center) / unit
        farthest_of_thousand = float(np.quantile(np.abs(units), 0.999))
        is_curved = farthest_of_thousand > HEAVY
        if is_curved:
            units = np.arcsinh(units)
        mean = float(units.mean())
        # a column of one value has no deviation: half a bucket is the least
        half_bucket = 0.5 * resolution / unit
        deviation = max(float(units.std()), half_bucket)
        return cls(center, unit, is_curved, mean, deviation, resolution)

    @property
    def half(self) -> float:
        """Half of `resolution` in standardised units: half the difference of two z, near the
        median, below which numbers are taken for equal."""
        return 0.5 * self.resolution / (self.unit * self.deviation)

    @cached_property
    def zero(self) -> float:
        """The standardised value of the number 0."""
        (standard,) = self.standardised(np.zeros(1))
        return float(standard)

    def standardised(self, numbers: Float) -> Float:
        """Standardise numbers, (n,) in user units: z of each, (n,), clipped to -CLIP .. CLIP (12);
        infinities count as the largest numbers, and NaN stays NaN."""
        bounded = np.clip(numbers, -LARGEST, LARGEST)
        units = (bounded - self.center) / self.unit
        if self.curved:
            units = np.arcsinh(units)
        standard = (units - self.mean) / self.deviation
        return np.clip(standard, -CLIP, CLIP)

    def restored(self, standard: Float) -> Float:
        """The inverse of `standardised`: numbers in user units, (n,), from z, (n,); none lies
        beyond -1e300 and 1e300."""
        units = standard * self.deviation + self.mean
        if self.curved:
            # sinh of more would be infinite
            bounded = np.clip(units, -MOST_BENT, MOST_BENT)
            units = np.sinh(bounded)
        numbers = self.center + self.unit * units
        return np.clip(numbers, -LARGEST, LARGEST)

    def check(self) -> None:
        """Raise ValueError for fields that `of` could not have computed: of a wrong type, not
        finite, or unit, deviation or resolution not above 0."""
        stored = (self.center, self.unit, self.mean, self.deviation, self.resolution)
        # by the type itself, as True is an int, too
        are_numbers = all(type(value) in (int, float) for value in stored)
        are_finite = are_numbers and all(np.isfinite(value) for value in stored)
        if not are_finite or min(self.unit, self.deviation, self.resolution) <= 0:
            raise ValueError("a scale that is not finite")
        if not isinstance(self.curved, bool):
            raise ValueError("a scale that is neither curved nor straight")


def decimals_of(values: Float, most: int = 6) -> int | None:
    """How many decimals suffice for numbers: the fewest, at most `most`, that write all finite ones
    of `values`, (n,), but for 1e-9 of their last digit's unit, or of the number where that is more;
    None where none suffice, or a number is 2^52 or larger in size. 0 if none is finite."""
    finite = values[np.isfinite(values)]
    if len(finite) and float(np.abs(finite).max()) >= 2.0**52:
        return None
    for decimals in range(most + 1):
        scaled = finite * 10.0**decimals
        error = np.abs(scaled - np.rint(scaled))
        # what ten to that power adds to a number's own rounding grows with its size
        allowed = 1e-9 * np.maximum(1.0, np.abs(scaled))
        if np.all(error <= allowed):
            return decimals
    return None
