"""Means and covariances of batches, and distances under them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aetool.closed_form.solution import Batches
from aetool.errors import DataError
from aetool.model import Float, Spec

FEW_ROWS = 8_000  # rows that quantiles and the like are read off
AXIS_NOISE = 1e-3  # variance along an axis, beside variances of 1


@dataclass(frozen=True)
class Moments:
    """Rows counted, their mean (features,) and covariance (features, features)."""

    rows: int
    mean: Float
    cov: Float

    def axes(self, rounding: Float | None = None) -> tuple[Float, Float]:
        """(variances along the principal axes, axes (features, features)); rounding: (features,),
        the variance that each feature has at least, however few values were seen of it."""
        cov = self.cov
        if rounding is not None:
            cov = cov + np.diag(rounding)
        values, vectors = np.linalg.eigh(cov)
        return np.maximum(values, 0) + AXIS_NOISE, vectors

    def squares(self, batches: Batches, rounding: Float | None = None) -> Float:
        """(rows,): squared Mahalanobis distances of rows."""
        values, vectors = self.axes(rounding)
        whitened = vectors / np.sqrt(values)
        squares = []
        for batch in batches:
            along = (batch - self.mean) @ whitened
            squares.append((along**2).sum(axis=1))
        return np.concatenate(squares)


def moments(batches: Batches, weights: Float | None = None) -> Moments:
    """Exact in one pass: weighted sums about the first batch's mean, in float64."""
    mass, origin, first = 0.0, None, 0
    for batch in batches:
        x = batch.reshape(len(batch), -1).astype(np.float64)
        w = np.ones(len(x))
        if weights is not None:
            w = weights[first : first + len(x)]
        first += len(x)
        if origin is None:
            features = x.shape[1]
            origin = x.mean(axis=0) if len(x) else np.zeros(features)
            total = np.zeros(features)
            square = np.zeros((features, features))
        x -= origin
        total += w @ x
        square += (x * w[:, None]).T @ x
        mass += float(w.sum())
    if origin is None or mass <= 0:
        raise DataError("no rows to fit")
    offset = total / mass
    cov = square / mass - np.outer(offset, offset)
    return Moments(first, origin + offset, cov)


def few_rows(batches: Batches) -> Float:
    """At most 8,000 rows, evenly spaced."""
    rows = sum(len(batch) for batch in batches)
    step = -(-rows // FEW_ROWS)
    few = [batch[::step] for batch in batches]
    return np.concatenate(few).astype(np.float64)


def mostly_one(spec: Spec, few: Float) -> npt.NDArray[np.bool_]:
    """(numbers,): of which numbers more than half of these rows hold the same value; where a value
    is missing they all hold 0."""
    most = np.zeros(len(spec.numeric), dtype=np.int64)
    for number, feature in enumerate(spec.numeric):
        _, counts = np.unique(few[:, feature], return_counts=True)
        most[number] = counts.max()
    return most > 0.5 * len(few)
