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

    numbers: the features it is of. mean: (numbers,). axes: (numbers, k), of numbers less their
    mean; along each the mixture of zero-mean Gaussians of scale and weight, (components, k).
    share: (k, columns), how much of an axis is each column's. amount: how much it counts.
    lean: (features, numbers), what the rows before tell of the numbers, which is taken off first.
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
        """(batch, columns + 1), in bits: how much less dense the numbers are together than the
        likeliest, spread over the columns; last 0."""
        numbers = g.columns_of(x, self.numbers)
        if self.lean is not None:
            numbers = numbers - x @ self.lean
        along = g.affine(numbers, self.axes, -self.mean @ self.axes)
        square = g.minimum(along * along, FARTHEST)
        nats = rarer_nats(g, square, self.scale, self.weight)
        cost = costs.capped(g, nats * IN_BITS)
        columns = len(g.spec.columns)
        share = np.zeros((len(self.share), columns + 1))
        share[:, :columns] = self.share * self.amount
        return cost @ share


class Prediction(Protocol):
    """A linear prediction of every feature of a record from the other columns."""

    def residual(self, x: Float) -> Float:
        """The part of rows x, (rows, features), that is not predicted: x less its prediction,
        (rows, features)."""

    def write(self, g: Builder, x: Value) -> Value:
        """(batch, features): the prediction of each feature of x, (batch, features)."""


@dataclass(frozen=True, eq=False)
class Whole(Prediction):
    """Predicts each feature from all others: mean + (x - mean) weights, with weights (features,
    features)."""

    mean: Float
    weights: Float

    def residual(self, x: Float) -> Float:
        r = x - self.mean
        return np.asarray(r - r @ self.weights)

    def write(self, g: Builder, x: Value) -> Value:
        return g.affine(x, self.weights, self.mean - self.mean @ self.weights)


@dataclass(frozen=True, eq=False)
class LowRank(Prediction):
    """Predicts each of many features by a few directions: with the inverse of the covariance
    P = precision I - left left^T, left (features, q), and its diagonal, (features,), what is left
    of x is P (x - mean) / diagonal."""

    mean: Float
    left: Float
    precision: float
    diagonal: Float

    def residual(self, x: Float) -> Float:
        r = x - self.mean
        pull = self.precision * r - (r @ self.left) @ self.left.T
        return np.asarray(pull / self.diagonal)

    def write(self, g: Builder, x: Value) -> Value:
        centred = x - self.mean
        pull = centred * self.precision - centred @ self.left @ self.left.T
        return x - pull * (1 / self.diagonal)


@dataclass(frozen=True, eq=False)
class WithCompanions(Prediction):
    """A prediction improved by companions: the errors that `base` makes in some features help to
    predict its errors in others. index: (features, companions), for each feature the indices of its
    companions; weights: in the same shape, times which a companion's error counts as its own."""

    base: LowRank
    index: Int
    weights: Float

    def residual(self, x: Float) -> Float:
        residual = self.base.residual(x)
        explained = np.zeros(residual.shape)
        for companion, weight in zip(self.index.T, self.weights.T, strict=True):
            explained += residual[:, companion] * weight
        return residual - explained

    def write(self, g: Builder, x: Value) -> Value:
        predicted = self.base.write(g, x)
        residual = x - predicted
        for companion, weight in zip(self.index.T, self.weights.T, strict=True):
            predicted = predicted + g.columns_of(residual, companion) * weight
        return predicted


@dataclass(frozen=True, eq=False)
class Components(Solution):
    """A fitted PCA: affine maps over x - mean, (features,), to the code and back, and a prediction
    of each column.

    encoder: (features, k), decoder: (k, features): the code. prediction: of every feature from the
    other columns; None where only the code restores it. What the prediction leaves is a mixture of
    zero-mean Gaussians, tails and all: scale and weight are (components, features). prior:
    (features,), how often a flag or level occurs.

    shared: the code has a density of its own, and is part of the score: numbers are surprising
    beside what the code says of them, and half the square of the code plus `shared` nats is what
    all columns share. For probabilistic PCA that adds up to -log N(x; mean, covariance). joint:
    what records are rare as a whole by is added to what each column is given the others. restores:
    what is expected is what the code restores, rather than the prediction.
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
        return g.affine(x, self.encoder, -self.mean @ self.encoder)

    def decode(self, g: Builder, z: Value) -> Value:
        return g.affine(z, self.decoder, self.mean)

    def expected(self, g: Builder, x: Value) -> Value:
        """(batch, features): what the other columns predict of each, or what the code restores."""
        if self.restores or self.prediction is None:
            return self.decode(g, self.encode(g, x))
        return self.prediction.write(g, x)

    def parts(self, g: Builder, x: Value) -> Value:
        """The cost of each column given all others, (batch, columns + 1), in nats, the last 0; or,
        with `shared`, given the code, the last being the nats of the code."""
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
        half = np.full((self.encoder.shape[1], 1), 0.5)
        code = (z * z) @ half + self.shared
        columns = list(range(len(g.spec.columns)))
        return g.side_by_side(g.columns_of(parts, columns), code)

    def bits(self, g: Builder, x: Value) -> Value:
        """(batch, columns + 1), in bits: the parts, plus the bits of the joint density, each column
        no more than its rarity and 32 bits."""
        bits = costs.in_bits(g, self.parts(g, x))
        if self.joint is not None:
            bits = bits + self.joint.bits(g, x)
        return costs.capped(g, bits)

    def surprise(self, g: Builder, x: Value) -> Value | None:
        """How surprising each column is given the others, (batch, columns), in bits: by the parts,
        but numbers are not capped; None without a joint density. Where one value is wrong, those
        that it predicts look wrong too, and only how far off they are tells which it is."""
        if self.joint is None:
            return None
        spec = g.spec
        columns = list(range(len(spec.columns)))
        bits = costs.in_bits(g, self.parts(g, x))
        bits_of_columns = g.columns_of(bits, columns)
        off = g.numbers(x) - g.numbers(self.expected(g, x))
        square = g.minimum(off * off, FARTHEST)
        scale = self.scale[:, spec.numeric]
        weight = self.weight[:, spec.numeric]
        nats = rarer_nats(g, square, scale, weight)
        nats = costs.where_present(g, x, nats)
        nats = costs.summed(g, nats, spec.owner.tolist())
        surprise = g.columns_of(nats, columns) * IN_BITS
        # beyond this what is far off is compared by how far, but more by what is odd on its own
        most = g.maximum(surprise, bits_of_columns).name
        compared = Value(g, write_cap(g.graph, most, PLAIN, PLAIN))
        is_number = np.isin(columns, spec.owner)
        return compared * is_number + bits_of_columns * ~is_number


def rarer_nats(g: Builder, square: Value, scale: Float, weight: Float) -> Value:
    """By how many nats the density of a zero-mean mixture of Gaussians is lower at values than at
    0: (batch, k). square: (batch, k), the values' squares; scale, weight: (components, k)."""
    costs = []
    for s, w in zip(scale, weight, strict=True):
        costs.append(square * (0.5 / s**2) + np.log(s / w))
    # the largest term is taken out, so that no exponential is beyond float32
    least = g.op("Min", *costs)
    total = g.op("Sum", *(g.exp(least - cost) for cost in costs))
    at_zero: Float = np.log((weight / scale).sum(axis=0))
    return least - g.log(total) + at_zero
