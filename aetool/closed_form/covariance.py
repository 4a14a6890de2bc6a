"""Means and covariances of rows that come in batches, and distances under them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aetool.closed_form.blocks import in_blocks
from aetool.closed_form.solution import Batches
from aetool.errors import DataError
from aetool.model import Float, Spec

AXIS_NOISE = 1e-3  # variance along an axis, beside variances of 1


@dataclass(frozen=True)
class Moments:
    """The moments of rows. rows: how many, whatever their weights; mean: (features,); cov: their
    covariance, (features, features), the mean of products of differences from the mean."""

    rows: int
    mean: Float
    cov: Float

    def axes(self, rounding: Float | None = None) -> tuple[Float, Float]:
        """(variances (features,) along the principal axes, rising, plus AXIS_NOISE (0.001); axes
        (features, features), one a column). rounding: (features,), a variance added to each
        feature's; None for none."""
        cov = self.cov
        if rounding is not None:
            cov = cov + np.diag(rounding)
        values, vectors = np.linalg.eigh(cov)
        # by rounding the variance along an axis where rows do not vary can be below 0
        variances = np.maximum(values, 0) + AXIS_NOISE
        return variances, vectors

    def squares(self, batches: Batches, rounding: Float | None = None) -> Float:
        """(rows,): the squared Mahalanobis distance from the mean of each row in batches, of which
        there must be one. rounding: (features,), a variance added to each feature's; None for none.
        AXIS_NOISE (0.001) is added to each variance in any case."""
        noise = np.full(len(self.mean), AXIS_NOISE)
        if rounding is not None:
            noise += rounding
        # a factor of the covariance whitens as its axes do, in a tenth of the time
        cov = self.cov + np.diag(noise)
        lower = np.linalg.cholesky(cov)
        to_whitened = np.linalg.inv(lower).T
        squares = []
        for block in in_blocks(batches):
            whitened = (block - self.mean) @ to_whitened
            square = (whitened**2).sum(axis=1)
            squares.append(square)
        return np.concatenate(squares)


@dataclass(frozen=True)
class _Sums:
    """Sums over some rows. rows: how many; mass: the sum of their weights; mean: (features,), their
    weighted mean; products: (features, features), the weighted sum of the outer products of their
    differences from the mean."""

    rows: int
    mass: float
    mean: Float
    products: Float

    @classmethod
    def of(cls, x: Float, weights: Float) -> _Sums:
        """The sums over rows x, (rows, features), each counted by its weight, (rows,), 0 or more;
        of no weight at all they are 0."""
        rows, features = x.shape
        mass = float(weights.sum())
        if mass <= 0:
            # without weight there is no mean
            no_mean = np.zeros(features)
            no_products = np.zeros((features, features))
            return cls(rows, 0.0, no_mean, no_products)
        mean = weights @ x / mass
        centred = x - mean
        weighed = centred * weights[:, None]
        return cls(rows, mass, mean, weighed.T @ centred)

    def with_those_of(self, other: _Sums) -> _Sums:
        """The sums over these rows and those of `other`, as one set of rows (Chan, Golub & LeVeque
        1979, equation 2.1)."""
        rows = self.rows + other.rows
        mass = self.mass + other.mass
        if not mass:
            return _Sums(rows, mass, self.mean, self.products)
        difference = other.mean - self.mean
        mean = self.mean + difference * (other.mass / mass)
        # what both lie off their common mean; without a difference of two large sums of squares,
        # which would lose the digits of a small variance
        between = np.outer(difference, difference) * (self.mass * other.mass / mass)
        products = self.products + other.products + between
        return _Sums(rows, mass, mean, products)


def moments(batches: Batches, weights: Float | None = None) -> Moments:
    """The mean and covariance of rows in batches, in one pass and in float64. weights: (rows,), 0
    or more, or None for 1 each. DataError if there are no rows, or no weight.

    The rows are summed in blocks of BLOCK (8,192), and the sums of blocks put together two by two,
    those two by two, and so on: what comes out is the same bit for bit, whatever batches the rows
    came in, and errors of rounding grow by the logarithm of their number.
    """
    # the sums of 1, 2, 4, 8, ... blocks, each where it waits for as many more
    waiting: list[_Sums | None] = []
    first = 0
    for block in in_blocks(batches):
        x = block.astype(np.float64)
        end = first + len(x)
        block_weights = np.ones(len(x))
        if weights is not None:
            block_weights = weights[first:end]
        first = end
        _merge_sums(waiting, _Sums.of(x, block_weights))
    # from the few last blocks to the many before them
    total = None
    for sums in waiting:
        if sums is None:
            continue
        total = sums if total is None else sums.with_those_of(total)
    if total is None or total.mass <= 0:
        raise DataError("no rows to fit")
    covariance = total.products / total.mass
    return Moments(total.rows, total.mean, covariance)


def _merge_sums(waiting: list[_Sums | None], sums: _Sums) -> None:
    """Add the sums of one more block to the list `waiting`, in place, as a binary counter is
    increased: sums of equally many blocks are merged."""
    for place, other in enumerate(waiting):
        if other is None:
            waiting[place] = sums
            return
        sums = other.with_those_of(sums)
        waiting[place] = None
    waiting.append(sums)


def mostly_one(spec: Spec, few: Float) -> npt.NDArray[np.bool_]:
    """Which numbers have one value in more than half of the rows, (numbers,) bool. few: (rows,
    features), a sample of at least one row, with 0 for a missing number."""
    # of each number, in how many rows its commonest value is
    commonest_count = np.zeros(len(spec.numeric), dtype=np.int64)
    for number, feature in enumerate(spec.numeric):
        values = few[:, feature]
        _, counts = np.unique(values, return_counts=True)
        commonest_count[number] = counts.max()
    return commonest_count > 0.5 * len(few)
