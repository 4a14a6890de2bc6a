"""The leading axes of wide rows, without a matrix of features by features."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from aetool.closed_form.blocks import BLOCK_NUMBERS, in_blocks
from aetool.closed_form.covariance import AXIS_NOISE, Moments
from aetool.closed_form.solution import Batches, Features
from aetool.errors import DataError
from aetool.model import Float

DENSE = 512  # features up to which a covariance is formed; of more the leading axes are found
GRAM = 512  # rows up to which those are found by the products of rows with each other
STRIP = 4096  # features whose products are summed together
PASSES = 3  # over the rows, before the last one, in which axes are turned towards the leading ones
NO_AXIS = 1e-12  # of all variance: along what has less there is nothing but rounding
SPARE_AXES = 16  # found beside those wanted, so that the last of them is right, too


@dataclass(frozen=True)
class Leading:
    """The mean of rows, and their covariance as leading principal axes and a rest.

    rows: how many. mean: (features,). variances: (axes,), along the axes, the largest first.
    vectors: the axes, (features, axes).
    total: the sum of the variances of all features.
    """

    rows: int
    mean: Float
    variances: Float
    vectors: Float
    total: float

    @classmethod
    def of(cls, whole: Moments) -> Leading:
        """Make a Leading from rows whose covariance matrix is known in full, keeping all principal
        axes. whole: the moments of these rows."""
        variances, axes = np.linalg.eigh(whole.cov)
        variances = np.maximum(variances[::-1], 0)
        return cls(whole.rows, whole.mean, variances, axes[:, ::-1], float(variances.sum()))

    def first(self, most: int) -> Leading:
        """A copy that keeps the `most` leading axes."""
        variances = self.variances[:most]
        vectors = self.vectors[:, :most]
        return Leading(self.rows, self.mean, variances, vectors, self.total)

    @property
    def noise(self) -> float:
        """The mean variance along the other axes, which by maximum likelihood is that of the noise
        (Tipping & Bishop 1999, equation 8)."""
        others = len(self.mean) - len(self.variances)
        rest = self.total - float(self.variances.sum())
        return max(rest, 0.0) / max(1, others)

    def axes(self, rounding: Float | None = None) -> tuple[Float, Float]:
        """(variances (axes,) along the leading axes, plus AXIS_NOISE; axes (features, axes)).
        rounding: (features,), whose mean is added to each variance; None for none."""
        return self.variances + _least(rounding), self.vectors

    def squares(self, batches: Batches, rounding: Float | None = None) -> Float:
        """(rows,): the squared Mahalanobis distance from the mean of each row in batches, all other
        axes having the variance `noise`. rounding: as of `axes`."""
        noise = self.noise + _least(rounding)
        variances, _ = self.axes(rounding)
        whitened = self.vectors / np.sqrt(variances)
        squares = []
        for block in in_blocks(batches, BLOCK_NUMBERS):
            off = block - self.mean
            # what lies beyond the axes is what is left of the length
            length = (off**2).sum(axis=1)
            inside = (off @ self.vectors) ** 2
            rest = np.maximum(length - inside.sum(axis=1), 0.0)
            along = (off @ whitened) ** 2
            squares.append(along.sum(axis=1) + rest / noise)
        return np.concatenate(squares)


def _least(rounding: Float | None) -> float:
    """The variance that is added along each axis: AXIS_NOISE plus the mean of `rounding`,
    (features,), or AXIS_NOISE alone for None."""
    return AXIS_NOISE + (0.0 if rounding is None else float(rounding.mean()))


def leading(batches: Batches, most: int, weights: Float | None = None) -> Leading:
    """The at most `most` leading principal axes of rows in batches. weights: (rows,), or None for 1
    each. DataError if there are no rows, or no weight.

    No matrix of features by features is formed. Of up to GRAM rows the axes are those of their
    covariance, found by the products of rows with each other, which have the same eigenvalues (the
    dual). Of more rows they are found by a randomised range finder with power iterations (Halko,
    Martinsson & Tropp 2011, algorithms 4.4 and 5.3), which draws from a seed of its own.
    """
    rows = sum(len(batch) for batch in batches)
    row_weights = np.ones(rows) if weights is None else weights
    mass = float(row_weights.sum())
    if mass <= 0:
        raise DataError("no rows to fit")
    row_weights = row_weights / mass
    if rows <= GRAM:
        return _by_products_of_rows(np.concatenate(list(in_blocks(batches))), row_weights, most)
    return _by_random_axes(_Centred(batches, row_weights), most)


def _by_products_of_rows(x: Features, weights: Float, most: int) -> Leading:
    """The at most `most` leading axes, found by the products of rows with each other, where rows
    are few.

    x: (rows, features); weights: (rows,), whose sum is 1.
    """
    root = np.sqrt(weights)[:, None]
    features = x.shape[1]
    mean = np.zeros(features)
    products = np.zeros((len(x), len(x)))
    strips = [slice(first, first + STRIP) for first in range(0, features, STRIP)]
    for strip in strips:
        part = x[:, strip].astype(np.float64)
        mean[strip] = weights @ part
        part = (part - mean[strip]) * root
        products += part @ part.T
    variances, turns = np.linalg.eigh(products)
    total = float(np.maximum(variances, 0).sum())
    # the mean has taken one axis; what is as small as rounding is none, either
    is_axis = variances > NO_AXIS * max(total, 1e-300)
    count = min(most, len(x) - 1, int(is_axis.sum()))
    variances = variances[::-1][:count]
    turns = turns[:, ::-1][:, :count] / np.sqrt(variances)
    axes = np.zeros((features, count))
    for strip in strips:
        part = (x[:, strip].astype(np.float64) - mean[strip]) * root
        axes[strip] = part.T @ turns
    return Leading(len(x), mean, variances, axes, total)


class _Centred:
    """Iterates over blocks of (rows less their mean, (n, features) float32; their weights, (n,)).
    The sum of all weights is 1; total: the sum of the variances of all features."""

    def __init__(self, batches: Batches, weights: Float) -> None:
        self.batches = batches
        self.weights = weights
        sums = [row_weights @ block for block, row_weights in self._blocks()]
        self.mean = np.sum(sums, axis=0)
        self.total = 0.0
        for off, block_weights in self:
            length = (off.astype(np.float64) ** 2).sum(axis=1)
            self.total += float(block_weights @ length)

    def __iter__(self) -> Iterator[tuple[Features, Float]]:
        mean = self.mean.astype(np.float32)
        for block, block_weights in self._blocks():
            yield block - mean, block_weights

    def _blocks(self) -> Iterator[tuple[Features, Float]]:
        first = 0
        for block in in_blocks(self.batches, BLOCK_NUMBERS):
            yield block, self.weights[first : first + len(block)]
            first += len(block)

    def covariance_times(self, axes: Float) -> Float:
        """(features, k): the covariance matrix of the rows times axes, (features, k), without
        forming that matrix."""
        turned = axes.astype(np.float32)
        product = np.zeros(axes.shape)
        for off, block_weights in self:
            along = (off @ turned) * block_weights.astype(np.float32)[:, None]
            product += off.T @ along
        return product


def _by_random_axes(rows: _Centred, most: int) -> Leading:
    """The `most` leading axes of centred rows, approximated: random axes are multiplied by the
    covariance again and again, and the leading axes of what that spans are taken (Halko, Martinsson
    & Tropp 2011)."""
    features = len(rows.mean)
    count = min(most + SPARE_AXES, features)
    axes = np.random.default_rng(0).standard_normal((features, count))
    for _ in range(PASSES):
        axes, _ = np.linalg.qr(rows.covariance_times(axes))
    small = axes.T @ rows.covariance_times(axes)
    variances, turns = np.linalg.eigh((small + small.T) / 2)
    variances = np.maximum(variances[::-1][:most], 0)
    axes = axes @ turns[:, ::-1][:, :most]
    return Leading(len(rows.weights), rows.mean, variances, axes, rows.total)
