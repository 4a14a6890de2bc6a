"""Measures, which map the features of records to coordinates that records are compared by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import ClassVar, Protocol, Self

import numpy as np

from aetool.closed_form import DENSE, Builder, Value, leading
from aetool.model import Float, Int, Spec

PIECES = 16  # straight pieces of a column's distribution
CLOSEST = 1e-3  # deviations between the ends of a piece
NORMAL_PIECES = 32  # the same, where ranks become normal scores
UNIFORM = math.sqrt(12.0)  # numbers spread evenly over 0 .. 1, times this, have a deviation of 1
AXES = 64  # most principal axes
MOST_BENT = 20.0  # argument of sinh that is bent back: 240 million robust deviations
FARTHEST = 100.0  # deviations, beyond which all numbers lie equally far out
LEAST_VARIANCE = 1e-3  # of an axis, beside the largest
DRAWS = 10  # of halves, for each that is wanted: of few columns many draws are alike


class Measure(Protocol):
    """Turns the features of records into coordinates, by whose differences records are compared.

    root: the degree, a power of 2, of the root that is taken of distances: one that makes those of
    ordinary records fall off about as an exponential does; the heavier the tails of the
    coordinates, the higher.
    """

    root: ClassVar[int]

    @property
    def width(self) -> int:
        """The number of coordinates."""

    def lay(self, x: Float) -> Float:
        """The coordinates of rows x, (rows, features), by which they are compared: (rows,
        coordinates)."""

    def write(self, g: Builder, x: Value) -> Value:
        """Add the computation of `lay` to a graph: (batch, coordinates) of features x, (batch,
        features)."""

    def squares(self, g: Builder, difference: Value, apart: Value) -> Value:
        """How much each feature adds to the squared distance of two records: (batch, features).
        difference: of their features, (batch, features); apart: of their coordinates, (batch,
        coordinates)."""


@dataclass(frozen=True, eq=False)
class Plain:
    """The measure whose coordinates are the features themselves. width: how many there are."""

    width: int
    root: ClassVar[int] = 2

    @property
    def place_of_feature(self) -> Int:
        """(features,): which coordinate is of each feature."""
        return np.arange(self.width)

    def lay(self, x: Float) -> Float:
        """Rows x, (rows, features), as they are."""
        return x

    def write(self, g: Builder, x: Value) -> Value:
        """Features x, (batch, features), as they are."""
        return x

    def squares(self, g: Builder, difference: Value, apart: Value) -> Value:
        """The square of each feature's difference, (batch, features), from `apart`; `difference`,
        which is the same here, is not read."""
        return apart * apart


@dataclass(frozen=True, eq=False)
class Ranked:
    """The measure that replaces each number by its rank among the values that were fitted: small
    differences count where values lie close together, and not far out; scales and tails do not
    matter.

    The map of a number is straight between `knots`, (k, numbers); at each its slope
    changes by `turns`, of the same shape; both are 0 where a column has fewer knots. lowest:
    (numbers,), what is below all knots is mapped to. order: (features,), the index of the feature
    that each coordinate is of: those that stay as they are, then the numbers.
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
    def place_of_feature(self) -> Int:
        """(features,): which coordinate is of each feature."""
        return np.argsort(self.order)

    @property
    def others(self) -> Int:
        """(n,): the indices of the features that stay as they are, rising."""
        first_number = self.width - len(self.lowest)
        return self.order[:first_number]

    @property
    def numeric(self) -> Int:
        """(n,): the indices of the features that are replaced by ranks."""
        first_number = self.width - len(self.lowest)
        return self.order[first_number:]

    @classmethod
    def of(cls, x: Float, numeric: Int) -> Ranked:
        """The measure by the ranks among rows x, (rows, features), of the features `numeric`,
        (numbers,), their indices. There must be a row."""
        lines = [_ranks_of_knots(x[:, feature]) for feature in numeric]
        return cls._of_lines(lines, numeric, x.shape[1])

    @classmethod
    def _of_lines(
        cls,
        lines: Sequence[tuple[Float, Float]],
        numeric: Int,
        features: int,
    ) -> Self:
        """The measure by lines of straight pieces, one for each of the features `numeric`,
        (numbers,), their indices: (knots, coordinates), (k,) both, rising. features: how many there
        are in all, those that stay as they are included."""
        most = max((len(values) for values, _ in lines), default=0)
        shape = (most, len(numeric))
        knots = np.zeros(shape)
        turns = np.zeros(shape)
        lowest = np.zeros(len(numeric))
        for number, (values, ranks) in enumerate(lines):
            slopes = np.diff(ranks) / np.diff(values)
            # the map is level below the first knot and above the last; of fewer knots than there
            # is room for, the others are 0 and turn nothing
            beyond_both_ends = np.concatenate([[0.0], slopes, [0.0]])
            count = len(values)
            knots[:count, number] = values
            turns[:count, number] = np.diff(beyond_both_ends)
            lowest[number] = ranks[0]
        every_feature = np.arange(features)
        others = np.setdiff1d(every_feature, numeric)
        order = np.concatenate([others, numeric])
        return cls(knots, turns, lowest, order)

    def lay(self, x: Float) -> Float:
        """The coordinates of rows x, (rows, features), in the same shape: in the order of `order`,
        ranks in place of numbers."""
        numbers = x[:, self.numeric]
        # from the lowest rank on, every knot below a number bends its line
        ranks = np.broadcast_to(self.lowest, numbers.shape)
        bends = zip(self.knots, self.turns, strict=True)
        for knot, turn in bends:
            beyond = np.maximum(numbers - knot, 0.0)
            ranks = ranks + beyond * turn
        unchanged = x[:, self.others]
        return np.concatenate([unchanged, ranks], axis=1)

    def write(self, g: Builder, x: Value) -> Value:
        """Add to a graph what `lay` computes of features x, (batch, features): in the same shape,
        first all other features as they are, then the ranks of numbers."""
        if not len(self.numeric):
            return g.columns_of(x, self.others)
        numbers = g.columns_of(x, self.numeric)
        # as in `lay`; the product gives as many rows as the batch has
        ranks = numbers * 0.0 + self.lowest
        bends = zip(self.knots, self.turns, strict=True)
        for knot, turn in bends:
            beyond = g.relu(numbers - knot)
            ranks = ranks + beyond * turn
        if not len(self.others):
            return ranks
        unchanged = g.columns_of(x, self.others)
        return g.side_by_side(unchanged, ranks)

    def squares(self, g: Builder, difference: Value, apart: Value) -> Value:
        """The squared difference of each feature, (batch, features), from that of coordinates,
        `apart`, of the same shape."""
        # back from the order of the coordinates to that of the features
        return g.columns_of(apart * apart, self.place_of_feature)


@dataclass(frozen=True, eq=False)
class NormalScores(Ranked):
    """The measure that replaces each number by the normal score of its rank (van der Waerden 1952):
    the number that as large a part of a standard normal distribution lies below. Ranks close to
    either end lie farther apart than those in the middle, and what lies beyond all values is
    farther out by as many deviations as it is beyond them, to 100.
    """

    @classmethod
    def of(cls, x: Float, numeric: Int) -> NormalScores:
        """The measure by the normal scores among rows x, (rows, features), of the features
        `numeric`, (numbers,), their indices. There must be a row."""
        lines = [_normal_scores(x[:, feature]) for feature in numeric]
        return cls._of_lines(lines, numeric, x.shape[1])


@dataclass(frozen=True, eq=False)
class Straight:
    """The measure by the user's own units: numbers with heavy tails, which the host lays out
    through asinh, are bent back and standardised. What lies far out on such a column lies far from
    all others, and the many small values count as one place.

    slope, offset: (features,), by which a feature becomes the argument of sinh, where `curved`,
    (features,), is 1; mean, deviation: (features,), of the result. What is not curved (0) stays as
    it is. No coordinate of a curved number lies beyond -100 and 100.
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
        """The measure that bends back the heavy-tailed numbers of rows x, (rows, features), one at
        least, as spec.curved says."""
        curved = np.zeros(spec.features)
        curved[spec.numeric] = spec.curved
        slope = np.zeros(spec.features)
        slope[spec.numeric] = spec.deviation * spec.curved
        offset = np.zeros(spec.features)
        offset[spec.numeric] = spec.mean * spec.curved
        argument = x * slope + offset
        bent_back = _sinh(argument)
        mean = bent_back.mean(axis=0) * curved
        spread = bent_back.std(axis=0)
        # a column of one value is not divided by 0
        has_spread = (curved > 0) & (spread > 0)
        deviation = np.where(has_spread, spread, 1.0)
        return cls(slope, offset, curved, mean, deviation)

    def lay(self, x: Float) -> Float:
        """The coordinates of rows x, (rows, features), in the same shape and order."""
        argument = x * self.slope + self.offset
        centred = _sinh(argument) - self.mean
        standard = centred / self.deviation
        within = np.clip(standard, -FARTHEST, FARTHEST)
        coordinates = np.where(self.curved > 0, within, x)
        return np.asarray(coordinates)

    def write(self, g: Builder, x: Value) -> Value:
        """Add to a graph what `lay` computes of features x, (batch, features): in the same shape
        and order, heavy-tailed numbers bent back, all others as they are."""
        argument = x * self.slope + self.offset
        argument = g.maximum(argument, -MOST_BENT)
        argument = g.minimum(argument, MOST_BENT)
        # sinh: few runtimes have the operator on a GPU
        rising = g.op("Exp", argument)
        falling = g.op("Exp", argument * -1.0)
        bent_back = (rising - falling) * 0.5
        centred = bent_back - self.mean
        standard = centred * (1 / self.deviation)
        within = g.maximum(standard, -FARTHEST)
        within = g.minimum(within, FARTHEST)
        straight = 1 - self.curved
        return within * self.curved + x * straight

    def squares(self, g: Builder, difference: Value, apart: Value) -> Value:
        """The square of each feature's difference in coordinates, (batch, features), from `apart`,
        those differences; `difference`, that of the features themselves, is not read."""
        return apart * apart


def _sinh(argument: Float) -> Float:
    """sinh, element by element; arguments beyond -20 and 20 count as these, for float32 would hold
    too few of the digits."""
    within = np.clip(argument, -MOST_BENT, MOST_BENT)
    return np.asarray(np.sinh(within))


@dataclass(frozen=True, eq=False)
class Whitened:
    """The measure whose coordinates lie along principal axes, each scaled to deviation 1
    (Mahalanobis 1936), so that columns that vary together count once. axes: (features,
    coordinates); no mean is subtracted, as only differences count."""

    axes: Float
    root: ClassVar[int] = 2

    @property
    def width(self) -> int:
        """The number of coordinates: one for each axis."""
        return int(self.axes.shape[1])

    @classmethod
    def of(cls, x: Float) -> Whitened:
        """The measure by the at most 64 axes along which rows x, (rows, features), two at least,
        vary most; the largest variance first. An axis of less than a thousandth of the largest
        variance is scaled as if it had that much, or 1e-9 if that is more."""
        features = x.shape[1]
        if features > DENSE:
            batch = x.astype(np.float32)
            leading_axes = leading([batch], AXES)
            variance = leading_axes.variances
            axes = leading_axes.vectors
        else:
            covariance = np.cov(x, rowvar=False)
            # of one feature numpy gives a number, not a matrix
            covariance = covariance.reshape(features, features)
            variance, axes = np.linalg.eigh(covariance)
            # eigh puts the largest variance last
            variance = variance[::-1][:AXES]
            axes = axes[:, ::-1][:, :AXES]
        largest = float(variance.max(initial=0.0))
        least = max(LEAST_VARIANCE * largest, 1e-9)
        variance = np.maximum(variance, least)
        return cls(axes / np.sqrt(variance))

    def lay(self, x: Float) -> Float:
        """The coordinates of rows x, (rows, features), along the axes: (rows, coordinates)."""
        return np.asarray(x @ self.axes)

    def write(self, g: Builder, x: Value) -> Value:
        """Add the computation of `lay` to a graph: (batch, coordinates) of features x, (batch,
        features)."""
        return x @ self.axes

    def squares(self, g: Builder, difference: Value, apart: Value) -> Value:
        """The part of each feature in the squared distance, (batch, features), 0 where it would be
        negative. difference: of features, (batch, features); apart: of coordinates, (batch,
        coordinates)."""
        # apart^T apart = difference^T (axes axes^T difference), feature by feature; what makes the
        # distance smaller has no share in it
        turned_back = apart @ self.axes.T
        return g.relu(difference * turned_back)


@dataclass(frozen=True, eq=False)
class Half:
    """The measure by some of the columns alone: what is odd in a few columns is lost among what
    chance adds in all the others (feature bagging: Lazarevic & Kumar 2005, KDD).

    whole: the measure by all columns, of which each coordinate is that of one feature. seen: (n,),
    the indices of the features that are compared, rising.
    """

    whole: Plain | Ranked
    seen: Int

    @property
    def root(self) -> int:
        """The degree of the root that is taken of distances: that of the whole measure."""
        return self.whole.root

    @property
    def places(self) -> Int:
        """(n,): the coordinates of the whole measure that are compared, in the order of `seen`."""
        return self.whole.place_of_feature[self.seen]

    def lay(self, x: Float) -> Float:
        """The coordinates of rows x, (rows, features), that are compared: (rows, n)."""
        coordinates = self.whole.lay(x)
        return coordinates[:, self.places]


def pairs_of_halves(spec: Spec, most: int) -> list[tuple[Int, Int]]:
    """Part the scored columns of spec into two halves at random, up to `most` times: the indices of
    the features of both halves, rising. So each column is in as many halves as any other.

    Few columns allow few pairs that differ, and one column none.
    """
    owners = spec.owners()
    columns = np.unique(owners[owners >= 0])
    middle = len(columns) // 2
    rng = np.random.default_rng(0)
    pairs: dict[frozenset[bytes], tuple[Int, Int]] = {}
    draws = DRAWS * most if middle else 0
    for _ in range(draws):
        shuffled = rng.permutation(columns)
        is_in_first = np.isin(owners, shuffled[:middle])
        is_in_second = np.isin(owners, shuffled[middle:])
        first = np.flatnonzero(is_in_first)
        second = np.flatnonzero(is_in_second)
        # of an even number of columns the same pair may come the other way round
        pair = frozenset([first.tobytes(), second.tobytes()])
        pairs.setdefault(pair, (first, second))
        if len(pairs) == most:
            break
    return list(pairs.values())


def _normal_scores(values: Float) -> tuple[Float, Float]:
    """(knots, scores), both rising: at most NORMAL_PIECES + 1 (33) quantiles of values, (n,) with n
    at least 1, or all values where so few are different, but none closer to the next than 0.001,
    and the normal score of each; beyond these, 100 deviations away, a knot on either side."""
    highest = NormalDist().inv_cdf(1 - 0.5 / len(values))
    # as far from each other in the scores, so that the ends have as many as the middle
    scores_of_parts = np.linspace(-highest, highest, NORMAL_PIECES + 1)
    parts = [NormalDist().cdf(score) for score in scores_of_parts.tolist()]
    # beyond the last knots nothing is left of the values
    parts[0] = 0.0
    parts[-1] = 1.0
    knots, part = _parts_below(values, parts)
    scores = [NormalDist().inv_cdf(below) for below in part.tolist()]
    below_all = knots[0] - FARTHEST
    above_all = knots[-1] + FARTHEST
    lowest = scores[0] - FARTHEST
    highest = scores[-1] + FARTHEST
    with_ends = np.array([below_all, *knots, above_all])
    return with_ends, np.array([lowest, *scores, highest])


def _ranks_of_knots(values: Float) -> tuple[Float, Float]:
    """(knots, ranks), (at most PIECES + 1 = 17,) both, rising: quantiles of values, (n,) with n at
    least 1, or all values if at most 17 are different, but none closer to the next than 0.001; and
    the rank of each: the part of the values below it, plus half of those at it, less 0.5, times
    UNIFORM (the root of 12), by which ranks have about deviation 1."""
    knots, part = _parts_below(values, np.linspace(0, 1, PIECES + 1))
    ranks = (part - 0.5) * UNIFORM
    return knots, ranks


def _parts_below(values: Float, parts: Sequence[float] | Float) -> tuple[Float, Float]:
    """(knots, the part of the values below each, plus half of those at it), (k,) both, rising: the
    quantiles of values, (n,), at these parts, (m,), from 0 to 1, or all values if at most m are
    different, but none closer to the next than 0.001."""
    knots = np.unique(values)
    # few values are all knots
    if len(knots) > len(parts):
        quantiles = np.quantile(values, parts)
        knots = np.unique(quantiles)
    # between knots that lie closer the map would be nearly upright
    too_close = np.diff(knots) < CLOSEST
    is_kept = np.append(~too_close, True)
    knots = knots[is_kept]
    ordered = np.sort(values)
    # the rank of equal values is the middle of theirs
    below = np.searchsorted(ordered, knots, side="left")
    not_above = np.searchsorted(ordered, knots, side="right")
    # of the lowest and the highest half a value is below, and above
    part = (below + not_above) / (2 * len(values))
    return knots, part
