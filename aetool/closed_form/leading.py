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
    total: the sum of the variances of all features, those beyond the axes included.
    """

    rows: int
    mean: Float
    variances: Float
    vectors: Float
    total: float

    @classmethod
    def of(cls, moments: Moments) -> Leading:
        """Make a Leading from rows whose covariance matrix is known in full, keeping all principal
        axes. moments: of these rows."""
        # the smallest come first
        variances, axes = np.linalg.eigh(moments.cov)
        # below 0 by rounding, where rows do not vary
        variances = np.maximum(variances[::-1], 0)
        total = float(variances.sum())
        return cls(moments.rows, moments.mean, variances, axes[:, ::-1], total)

    def first(self, most: int) -> Leading:
        """A copy that keeps the `most` leading axes, or all if there are fewer."""
        variances = self.variances[:most]
        vectors = self.vectors[:, :most]
        return Leading(self.rows, self.mean, variances, vectors, self.total)

    @property
    def noise(self) -> float:
        """The mean variance along the other axes, which by maximum likelihood is that of the noise
        (Tipping & Bishop 1999, equation 8)."""
        other_axes = len(self.mean) - len(self.variances)
        beyond_axes = self.total - float(self.variances.sum())
        # below 0 by rounding, where all of the variance lies along the axes
        return max(beyond_axes, 0.0) / max(1, other_axes)

    def axes(self, rounding: Float | None = None) -> tuple[Float, Float]:
        """(variances (axes,) along the leading axes, plus AXIS_NOISE (0.001); axes (features,
        axes)). rounding: (features,), whose mean is added to each variance; None for none."""
        variances = self.variances + _least_variance(rounding)
        return variances, self.vectors

    def squares(self, batches: Batches, rounding: Float | None = None) -> Float:
        """(rows,): the squared Mahalanobis distance from the mean of each row in batches, all other
        axes having the variance `noise`. rounding: (features,), whose mean is added to each
        variance; None for none. AXIS_NOISE (0.001) is added to each in any case."""
        noise = self.noise + _least_variance(rounding)
        variances, _ = self.axes(rounding)
        whitened = self.vectors / np.sqrt(variances)
        squares = []
        for block in in_blocks(batches, BLOCK_NUMBERS):
            centred = block - self.mean
            length = (centred**2).sum(axis=1)
            inside = (centred @ self.vectors) ** 2
            # what lies beyond the axes is the rest of the length, below 0 by rounding where it is 0
            beyond_axes = np.maximum(length - inside.sum(axis=1), 0.0)
            along_axes = (centred @ whitened) ** 2
            squares.append(along_axes.sum(axis=1) + beyond_axes / noise)
        return np.concatenate(squares)


def _least_variance(rounding: Float | None) -> float:
    """The variance that is added along each axis: AXIS_NOISE (0.001) plus the mean of `rounding`,
    (features,), or AXIS_NOISE alone for None."""
    if rounding is None:
        return AXIS_NOISE
    return AXIS_NOISE + float(rounding.mean())


def leading(batches: Batches, most: int, weights: Float | None = None) -> Leading:
    """The at most `most` leading principal axes of rows in batches. weights: (rows,), 0 or more, or
    None for 1 each. DataError if there are no rows, or no weight.

    No matrix of features by features is formed. Of up to GRAM (512) rows the axes are those of
    their covariance, found by the products of rows with each other, which have the same eigenvalues
    (the dual). Of more rows they are found by a randomised range finder with power iterations
    (Halko, Martinsson & Tropp 2011, algorithms 4.4 and 5.3), which draws from a seed of its own.
    """
    rows = sum(len(batch) for batch in batches)
    if weights is None:
        weights = np.ones(rows)
    total_weight = float(weights.sum())
    if total_weight <= 0:
        raise DataError("no rows to fit")
    row_weights = weights / total_weight
    if rows <= GRAM:
        blocks = list(in_blocks(batches))
        x = np.concatenate(blocks)
        return _by_products_of_rows(x, row_weights, most)
    centred = _Centred(batches, row_weights)
    return _by_random_axes(centred, most)


def _by_products_of_rows(x: Features, weights: Float, most: int) -> Leading:
    """The at most `most` leading axes, found by the products of rows with each other, where rows
    are few.

    x: (rows, features); weights: (rows,), whose sum is 1.

    Features are taken in strips, so that no copy in float64 is made of all rows.
    """
    root_weights = np.sqrt(weights)[:, None]
    rows, features = x.shape
    mean = np.zeros(features)
    products = np.zeros((rows, rows))
    strips = [slice(first, first + STRIP) for first in range(0, features, STRIP)]
    for strip in strips:
        numbers = x[:, strip].astype(np.float64)
        mean[strip] = weights @ numbers
        weighed = (numbers - mean[strip]) * root_weights
        products += weighed @ weighed.T
    # the smallest come first
    variances, vectors = np.linalg.eigh(products)
    total = float(np.maximum(variances, 0).sum())
    # the mean has taken one axis; what is as small as rounding is none, either
    least = NO_AXIS * max(total, 1e-300)
    is_axis = variances > least
    count = min(most, rows - 1, int(is_axis.sum()))
    variances = variances[::-1][:count]
    leading_vectors = vectors[:, ::-1][:, :count]
    # an axis is the sum of rows by these: of length 1 once divided by its deviation
    row_shares = leading_vectors / np.sqrt(variances)
    axes = np.zeros((features, count))
    for strip in strips:
        numbers = x[:, strip].astype(np.float64)
        weighed = (numbers - mean[strip]) * root_weights
        axes[strip] = weighed.T @ row_shares
    return Leading(rows, mean, variances, axes, total)


class _Centred:
    """Iterates, as often as asked, over blocks of (rows less their mean, (n, features) float32;
    their weights, (n,)). weights: (rows,), whose sum is 1; mean: (features,), weighted by them;
    total: the sum of the variances of all features."""

    def __init__(self, batches: Batches, weights: Float) -> None:
        """Compute the mean and the total variance, for which all rows are read twice. batches: of
        the rows; weights: (rows,), whose sum is 1."""
        self.batches = batches
        self.weights = weights
        sums = [row_weights @ block for block, row_weights in self._blocks()]
        self.mean = np.sum(sums, axis=0)
        self.total = 0.0
        for centred, block_weights in self:
            squares = centred.astype(np.float64) ** 2
            length = squares.sum(axis=1)
            self.total += float(block_weights @ length)

    def __iter__(self) -> Iterator[tuple[Features, Float]]:
        """Yield, block by block, (rows less their mean, (n, features) float32; their weights,
        (n,))."""
        mean = self.mean.astype(np.float32)
        for block, block_weights in self._blocks():
            yield block - mean, block_weights

    def _blocks(self) -> Iterator[tuple[Features, Float]]:
        """Yield (rows as they are, (n, features); their weights, (n,))."""
        first = 0
        for block in in_blocks(self.batches, BLOCK_NUMBERS):
            end = first + len(block)
            yield block, self.weights[first:end]
            first = end

    def covariance_times(self, axes: Float) -> Float:
        """(features, k): the covariance matrix of the rows times axes, (features, k), without
        forming that matrix."""
        # blocks are multiplied in float32, which takes half the time, and summed in float64
        axes_single = axes.astype(np.float32)
        product = np.zeros(axes.shape)
        for centred, block_weights in self:
            weights_single = block_weights.astype(np.float32)[:, None]
            along_axes = (centred @ axes_single) * weights_single
            product += centred.T @ along_axes
        return product


def _by_random_axes(rows: _Centred, most: int) -> Leading:
    """The `most` leading axes of centred rows, or as many as there are features, approximated:
    random axes are multiplied by the covariance again and again, and the leading axes of what that
    spans are taken, the largest first (Halko, Martinsson & Tropp 2011)."""
    features = len(rows.mean)
    count = min(most + SPARE_AXES, features)
    rng = np.random.default_rng(0)
    axes = rng.standard_normal((features, count))
    for _ in range(PASSES):
        product = rows.covariance_times(axes)
        # orthonormal again: without that all would turn into the first axis
        axes, _ = np.linalg.qr(product)
    # the covariance within the space of these axes, which rounding has left a little asymmetric
    covariance = axes.T @ rows.covariance_times(axes)
    covariance = (covariance + covariance.T) / 2
    # the smallest come first
    variances, rotation = np.linalg.eigh(covariance)
    variances = np.maximum(variances[::-1][:most], 0)
    axes = axes @ rotation[:, ::-1][:, :most]
    return Leading(len(rows.weights), rows.mean, variances, axes, rows.total)
