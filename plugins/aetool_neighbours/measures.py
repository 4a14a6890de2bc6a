"""Measures, which map the features of records to coordinates that records are compared by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from aetool.closed_form import DENSE, Builder, Value, leading
from aetool.model import Float, Int, Spec

PIECES = 16  # straight pieces of a column's distribution
CLOSEST = 1e-3  # deviations between the ends of a piece
UNIFORM = math.sqrt(12.0)  # numbers spread evenly over 0 .. 1, times this, have a deviation of 1
AXES = 64  # most principal axes
MOST_BENT = 20.0  # argument of sinh that is bent back: 240 million robust deviations
FARTHEST = 100.0  # deviations, beyond which all numbers lie equally far out
LEAST_VARIANCE = 1e-3  # of an axis, beside the largest


class Measure(Protocol):
    """Turns the features of records into coordinates, by whose differences records are compared.

    root: the degree of the root, a power of 2, whose tail is about that of an exponential, taken of
    distances of ordinary records; the heavier the tails of the coordinates, the higher.
    """

    root: ClassVar[int]

    @property
    def width(self) -> int:
        """The number of coordinates."""

    def lay(self, x: Float) -> Float:
        """The coordinates of rows x, (rows, features), by which they are compared: (rows,
        coordinates)."""

    def write(self, g: Builder, x: Value) -> Value:
        """Add the same computation as `lay` to a graph; returns (batch, coordinates)."""

    def squares(self, g: Builder, difference: Value, apart: Value) -> Value:
        """How much each feature adds to the squared distance of two records: (batch, features).
        difference: of their features; apart: of their coordinates."""


@dataclass(frozen=True, eq=False)
class Plain:
    """The measure whose coordinates are the features themselves."""

    width: int
    root: ClassVar[int] = 2

    def lay(self, x: Float) -> Float:
        return x

    def write(self, g: Builder, x: Value) -> Value:
        return x

    def squares(self, g: Builder, difference: Value, apart: Value) -> Value:
        return apart * apart


@dataclass(frozen=True, eq=False)
class Ranked:
    """The measure that replaces each number by its rank among the values that were fitted: small
    differences count where values lie close together, and not far out; scales and tails do not
    matter.

    The map of a number is straight between `knots`, (PIECES + 1, numbers); at each its slope
    changes by `turns`, of the same shape. lowest: (numbers,), what is below all knots is mapped to.
    order: (features,), which feature each coordinate is: those that stay as they are, then the
    numbers.
    """

    knots: Float
    turns: Float
    lowest: Float
    order: Int
    root: ClassVar[int] = 2

    @property
    def width(self) -> int:
        """The number of coordinates: one for each feature."""
        return len(self.order)

    @property
    def others(self) -> Int:
        """(n,): the indices of the features that stay as they are."""
        return self.order[: self.width - len(self.lowest)]

    @property
    def numeric(self) -> Int:
        """(n,): the indices of the features that are replaced by ranks."""
        return self.order[self.width - len(self.lowest) :]

    @classmethod
    def of(cls, x: Float, numeric: Int) -> Ranked:
        """The measure by the ranks among rows x, (rows, features), of the features `numeric`."""
        knots = np.zeros((PIECES + 1, len(numeric)))
        turns = np.zeros_like(knots)
        lowest = np.zeros(len(numeric))
        for number, feature in enumerate(numeric):
            values, ranks = _distribution(x[:, feature])
            slopes = np.diff(ranks) / np.diff(values)
            beyond_both_ends = np.concatenate([[0.0], slopes, [0.0]])
            knots[: len(values), number] = values
            turns[: len(values), number] = np.diff(beyond_both_ends)
            lowest[number] = ranks[0]
        others = np.setdiff1d(np.arange(x.shape[1]), numeric)
        return cls(knots, turns, lowest, np.concatenate([others, numeric]))

    def lay(self, x: Float) -> Float:
        numbers = x[:, self.numeric]
        laid = np.broadcast_to(self.lowest, numbers.shape)
        for knot, turn in zip(self.knots, self.turns, strict=True):
            laid = laid + np.maximum(numbers - knot, 0.0) * turn
        return np.concatenate([x[:, self.others], laid], axis=1)

    def write(self, g: Builder, x: Value) -> Value:
        if not len(self.numeric):
            return g.columns_of(x, self.others)
        numbers = g.columns_of(x, self.numeric)
        laid = numbers * 0.0 + self.lowest
        for knot, turn in zip(self.knots, self.turns, strict=True):
            laid = laid + g.relu(numbers - knot) * turn
        if not len(self.others):
            return laid
        return g.side_by_side(g.columns_of(x, self.others), laid)

    def squares(self, g: Builder, difference: Value, apart: Value) -> Value:
        # back from the order of the coordinates to that of the features
        return g.columns_of(apart * apart, np.argsort(self.order))


@dataclass(frozen=True, eq=False)
class Straight:
    """The measure by the user's own units: numbers with heavy tails, which the host lays out
    through asinh, are bent back and standardised. What lies far out on such a column lies far from
    all others, and the many small values count as one place.

    slope, offset: (features,), by which a feature becomes the argument of sinh, where `curved`,
    (features,), is 1; mean, deviation: (features,), of the result. What is not curved stays as it
    is.
    """

    slope: Float
    offset: Float
    curved: Float
    mean: Float
    deviation: Float
    # what asinh had bent has tails that square roots leave heavy: a day of rain would be as rare as
    # a fault
    root: ClassVar[int] = 8

    @property
    def width(self) -> int:
        """The number of coordinates: one for each feature."""
        return len(self.curved)

    @classmethod
    def of(cls, x: Float, spec: Spec) -> Straight:
        """The measure that bends back the heavy-tailed numbers of rows x, (rows, features)."""
        curved = np.zeros(spec.features)
        curved[spec.numeric] = spec.curved
        slope = np.zeros(spec.features)
        slope[spec.numeric] = spec.deviation * spec.curved
        offset = np.zeros(spec.features)
        offset[spec.numeric] = spec.mean * spec.curved
        bent_back = _sinh(x * slope + offset)
        spread = bent_back.std(axis=0)
        deviation = np.where((curved > 0) & (spread > 0), spread, 1.0)
        return cls(slope, offset, curved, bent_back.mean(axis=0) * curved, deviation)

    def lay(self, x: Float) -> Float:
        standard = (_sinh(x * self.slope + self.offset) - self.mean) / self.deviation
        within = np.clip(standard, -FARTHEST, FARTHEST)
        return np.asarray(np.where(self.curved > 0, within, x))

    def write(self, g: Builder, x: Value) -> Value:
        argument = x * self.slope + self.offset
        argument = g.minimum(g.maximum(argument, -MOST_BENT), MOST_BENT)
        rising = g.op("Exp", argument)
        falling = g.op("Exp", argument * -1.0)
        bent_back = (rising - falling) * 0.5
        standard = (bent_back - self.mean) * (1 / self.deviation)
        within = g.minimum(g.maximum(standard, -FARTHEST), FARTHEST)
        return within * self.curved + x * (1 - self.curved)

    def squares(self, g: Builder, difference: Value, apart: Value) -> Value:
        return apart * apart


def _sinh(argument: Float) -> Float:
    """sinh, of arguments within MOST_BENT: beyond, float32 would hold too few of the digits."""
    return np.asarray(np.sinh(np.clip(argument, -MOST_BENT, MOST_BENT)))


@dataclass(frozen=True, eq=False)
class Whitened:
    """The measure whose coordinates lie along principal axes, each scaled to deviation 1
    (Mahalanobis 1936), so that columns that vary together count once. axes: (features,
    coordinates)."""

    axes: Float
    root: ClassVar[int] = 2

    @property
    def width(self) -> int:
        """The number of coordinates: one for each axis."""
        return int(self.axes.shape[1])

    @classmethod
    def of(cls, x: Float) -> Whitened:
        """The measure by the at most 64 axes along which rows x, (rows, features), vary most."""
        if x.shape[1] > DENSE:
            leading_axes = leading([x.astype(np.float32)], AXES)
            variance = leading_axes.variances
            axes = leading_axes.vectors
        else:
            covariance = np.cov(x, rowvar=False).reshape(x.shape[1], x.shape[1])
            variance, axes = np.linalg.eigh(covariance)
            variance = variance[::-1][:AXES]
            axes = axes[:, ::-1][:, :AXES]
        least = max(LEAST_VARIANCE * float(variance.max(initial=0.0)), 1e-9)
        return cls(axes / np.sqrt(np.maximum(variance, least)))

    def lay(self, x: Float) -> Float:
        return np.asarray(x @ self.axes)

    def write(self, g: Builder, x: Value) -> Value:
        return x @ self.axes

    def squares(self, g: Builder, difference: Value, apart: Value) -> Value:
        # apart^T apart = difference^T (axes axes^T difference), feature by feature; what makes the
        # distance smaller has no share in it
        return g.relu(difference * (apart @ self.axes.T))


def _distribution(values: Float) -> tuple[Float, Float]:
    """(knots, ranks), (at most PIECES + 1,) both, rising: quantiles of values, (n,), and the rank
    of each: the part of the values below it, plus half of those at it, less 0.5, times UNIFORM."""
    knots = np.unique(values)
    if len(knots) > PIECES + 1:
        knots = np.unique(np.quantile(values, np.linspace(0, 1, PIECES + 1)))
    too_close = np.diff(knots) < CLOSEST
    knots = knots[np.append(~too_close, True)]
    ordered = np.sort(values)
    below = np.searchsorted(ordered, knots, side="left")
    not_above = np.searchsorted(ordered, knots, side="right")
    part = (below + not_above) / (2 * len(values))
    return knots, (part - 0.5) * UNIFORM
