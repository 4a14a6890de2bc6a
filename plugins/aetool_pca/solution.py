"""The solution of pca: affine maps, the tails of their residuals, and how records are scored."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from aetool.closed_form import Builder, Solution, Value, costs
from aetool.model import Float, Int
from aetool.rarity import write_cap

FARTHEST = 1e4  # squared deviations, above which it is no farther
PLAIN = 1000.0  # bits of surprise up to which they are compared as they are
IN_BITS = 1 / math.log(2)


@dataclass(frozen=True, eq=False)
class Joint:
    """A density of several numbers together: independent along axes, heavy-tailed along each.

    numbers: (numbers,), the indices of the features that it is of. mean: (numbers,). axes:
    (numbers, k), of numbers less their mean; along each the mixture of zero-mean Gaussians of scale
    and weight, (components, k). share: (k, columns), how much of an axis is each column's, which
    adds up to 1. amount: its bits are multiplied by it. lean: (features, numbers), what the rows
    before tell of the numbers, which is subtracted first; None where no rows before are given.
    """

    numbers: Int
    mean: Float
    axes: Float
    scale: Float
    weight: Float
    share: Float
    amount: float
    lean: Float | None = None

    def bits(self, g: Builder, x: Value) -> Value:
        """(batch, columns + 1), in bits: how much less dense the numbers together are than at their
        mean, spread over the columns, times `amount`; last 0. The bits of each axis are bent by
        `costs.capped` so that they stay below log2(rows + 1) + 32. x: (batch, features)."""
        numbers = g.columns_of(x, self.numbers)
        if self.lean is not None:
            numbers = numbers - x @ self.lean
        # (numbers - mean) axes, as one product
        offset = -self.mean @ self.axes
        along = g.affine(numbers, self.axes, offset)
        square = g.minimum(along * along, FARTHEST)
        nats = rarer_nats(g, square, self.scale, self.weight)
        cost = costs.capped(g, nats * IN_BITS)
        columns = len(g.spec.columns)
        axes = len(self.share)
        share = np.zeros((axes, columns + 1))
        share[:, :columns] = self.share * self.amount
        return cost @ share


class Prediction(Protocol):
    """A linear prediction of every feature of a record from the other columns, in numpy
    (`residual`) and in a graph (`write`)."""

    def residual(self, x: Float) -> Float:
        """The part of rows x, (rows, features), that is not predicted: x less its prediction,
        (rows, features)."""

    def write(self, g: Builder, x: Value) -> Value:
        """Add to a graph the prediction of each feature of records x, (batch, features), from their
        other features; returns it, in the same shape."""


@dataclass(frozen=True, eq=False)
class Whole(Prediction):
    """Predicts each feature from all others: mean + (x - mean) weights, with weights (features,
    features) and mean (features,)."""

    mean: Float
    weights: Float

    def residual(self, x: Float) -> Float:
        """Rows x, (rows, features), less what is predicted of them, in the same shape."""
        centred = x - self.mean
        predicted = centred @ self.weights
        return np.asarray(centred - predicted)

    def write(self, g: Builder, x: Value) -> Value:
        """Add to a graph the prediction of each feature of records x, (batch, features), from all
        others; returns it, in the same shape."""
        offset = self.mean - self.mean @ self.weights
        return g.affine(x, self.weights, offset)


@dataclass(frozen=True, eq=False)
class LowRank(Prediction):
    """Predicts each of many features by a few directions: with the inverse of the covariance P =
    precision I - left left^T, left (features, q), and its diagonal, (features,), the residual of x,
    what is not predicted, is P (x - mean) / diagonal. mean: (features,)."""

    mean: Float
    left: Float
    precision: float
    diagonal: Float

    def residual(self, x: Float) -> Float:
        """Rows x, (rows, features), less what is predicted of them, in the same shape."""
        centred = x - self.mean
        along = centred @ self.left
        pull = self.precision * centred - along @ self.left.T
        return np.asarray(pull / self.diagonal)

    def write(self, g: Builder, x: Value) -> Value:
        """Add to a graph the prediction, by a few directions, of each feature of records x, (batch,
        features); returns it, in the same shape."""
        centred = x - self.mean
        straight = centred * self.precision
        along = centred @ self.left
        pull = straight - along @ self.left.T
        residual = pull * (1 / self.diagonal)
        return x - residual


@dataclass(frozen=True, eq=False)
class WithCompanions(Prediction):
    """A prediction improved by companions: the errors that `base` makes in some features help to
    predict its errors in others. index: (features, companions), for each feature the indices of its
    companions; weights: in the same shape, by which a companion's error is multiplied to predict
    that of the feature."""

    base: LowRank
    index: Int
    weights: Float

    def residual(self, x: Float) -> Float:
        """Rows x, (rows, features), less what is predicted of them, in the same shape."""
        residual = self.base.residual(x)
        explained = np.zeros(residual.shape)
        companions = zip(self.index.T, self.weights.T, strict=True)
        for companion, weight in companions:
            error = residual[:, companion]
            explained += error * weight
        return residual - explained

    def write(self, g: Builder, x: Value) -> Value:
        """Add to a graph the improved prediction of each feature of records x, (batch, features);
        returns it, in the same shape."""
        predicted = self.base.write(g, x)
        residual = x - predicted
        companions = zip(self.index.T, self.weights.T, strict=True)
        for companion, weight in companions:
            error = g.columns_of(residual, companion)
            predicted = predicted + error * weight
        return predicted


@dataclass(frozen=True, eq=False)
class Components(Solution):
    """A fitted PCA: affine maps over x - mean, (features,), to the code and back, and a prediction
    of each column.

    encoder: (features, k), decoder: (k, features): the code. prediction: of every feature from the
    other columns; None where only the code restores it. What the prediction leaves is a mixture of
    zero-mean Gaussians with wide tails: scale and weight are (components, features). prior:
    (features,), how often a flag or level occurs. report, drawn, scatter: see Solution.

    shared: None, or the code has a density, N(0, I), and is part of the score: numbers are
    surprising beside what the code says of them, and half the square of the code plus `shared` nats
    is what all columns share. For probabilistic PCA that adds up to -log N(x; mean, covariance).
    joint: the density of all numbers together, whose bits are added to what each column is given
    the others. restores: what is expected is what the code restores, rather than the prediction.
    """

    mean: Float
    encoder: Float
    decoder: Float
    scale: Float
    weight: Float
    prior: Float
    prediction: Prediction | None = None
    shared: float | None = None
    joint: Joint | None = None
    restores: bool = False
    report: Mapping[str, list[float]] = field(default_factory=dict)
    drawn: str = "codes"
    scatter: tuple[Float, Float] | None = None

    def encode(self, g: Builder, x: Value) -> Value:
        """The codes of features x, (batch, features): (batch, k)."""
        offset = -self.mean @ self.encoder
        return g.affine(x, self.encoder, offset)

    def decode(self, g: Builder, z: Value) -> Value:
        """(batch, features): what the codes z, (batch, k), restore; flags and levels are not cut to
        0 .. 1."""
        return g.affine(z, self.decoder, self.mean)

    def expected(self, g: Builder, x: Value) -> Value:
        """(batch, features): what the other columns predict of each feature of x, (batch,
        features), or, with `restores` or without a prediction, what the code restores."""
        if self.restores or self.prediction is None:
            code = self.encode(g, x)
            return self.decode(g, code)
        return self.prediction.write(g, x)

    def parts(self, g: Builder, x: Value) -> Value:
        """(batch, columns + 1), in nats: the cost of each column of x, (batch, features), about
        what is `expected`; the last is 0, or unless `shared` is None the nats of the code. So with
        `restores` a column is given the code, and else all other columns."""
        expected = self.expected(g, x)
        numbers = None
        index = g.spec.numeric
        if len(index):
            scale = self.scale[:, index]
            weight = self.weight[:, index]
            numbers = costs.of_mixture(g, x, expected, scale, weight)
        flags = costs.of_flags(g, x, expected, self.prior)
        levels = costs.of_levels(g, x, expected, self.prior)
        parts = costs.by_column(g, x, numbers, flags, levels)
        if self.shared is None:
            return parts
        # the code is as surprising as a standard normal one
        z = self.encode(g, x)
        units = self.encoder.shape[1]
        half = np.full((units, 1), 0.5)
        square = z * z
        nats_of_code = square @ half + self.shared
        columns = range(len(g.spec.columns))
        parts_of_columns = g.columns_of(parts, list(columns))
        return g.side_by_side(parts_of_columns, nats_of_code)

    def bits(self, g: Builder, x: Value) -> Value:
        """(batch, columns + 1), in bits: the parts, with what cells cost that features do not show,
        plus the bits of the joint density; the sum of each column is bent so that it stays below
        log2(rows + 1) + 32, rows being those that were fitted. x: (batch, features)."""
        parts = self.parts(g, x)
        bits = costs.in_bits(g, parts)
        if self.joint is not None:
            # what is ordinary column by column may be rare as a whole
            joint_bits = self.joint.bits(g, x)
            bits = bits + joint_bits
        return costs.capped(g, bits)

    def surprise(self, g: Builder, x: Value) -> Value | None:
        """How surprising each column is given the others, (batch, columns), in bits, to rank
        reasons; None without a joint density.

        Of numbers it rises with how far off they are, more slowly beyond 1,000 bits, and no more
        beyond 100 standardised units; other columns have the bits of their parts. Where one value
        is wrong, those that it predicts look wrong too, and only how far off they are tells which
        it is. x: (batch, features).
        """
        if self.joint is None:
            return None
        spec = g.spec
        columns = list(range(len(spec.columns)))
        parts = self.parts(g, x)
        bits = costs.in_bits(g, parts)
        bits_of_columns = g.columns_of(bits, columns)
        numbers = g.numbers(x)
        expected = self.expected(g, x)
        difference = numbers - g.numbers(expected)
        square = g.minimum(difference * difference, FARTHEST)
        scale = self.scale[:, spec.numeric]
        weight = self.weight[:, spec.numeric]
        nats = rarer_nats(g, square, scale, weight)
        nats = costs.where_present(g, x, nats)
        column_of_each = spec.owner.tolist()
        nats = costs.summed(g, nats, column_of_each)
        surprise = g.columns_of(nats, columns) * IN_BITS
        larger = g.maximum(surprise, bits_of_columns)
        # beyond this what is far off is compared by how far, but more by what is odd on its own
        bent = write_cap(g.graph, larger.name, PLAIN, PLAIN)
        compared = Value(g, bent)
        # flags and levels have no distance: they are ranked by their bits
        is_number = np.isin(columns, spec.owner)
        bits_of_numbers = compared * is_number
        bits_of_others = bits_of_columns * ~is_number
        return bits_of_numbers + bits_of_others


def rarer_nats(g: Builder, square: Value, scale: Float, weight: Float) -> Value:
    """By how many nats the density of a zero-mean mixture of Gaussians is lower at values than at
    0: (batch, k), 0 or more. square: (batch, k), the values' squares, finite; scale, weight:
    (components, k), the standard deviation and the weight of each Gaussian."""
    costs = []
    components = zip(scale, weight, strict=True)
    for component_scale, component_weight in components:
        half_precision = 0.5 / component_scale**2
        cost_at_zero = np.log(component_scale / component_weight)
        cost = square * half_precision + cost_at_zero
        costs.append(cost)
    # the largest term is taken out, so that no exponential is beyond float32
    least = g.op("Min", *costs)
    terms = [g.exp(least - cost) for cost in costs]
    total = g.op("Sum", *terms)
    density_at_zero = (weight / scale).sum(axis=0)
    at_zero: Float = np.log(density_at_zero)
    return least - g.log(total) + at_zero
