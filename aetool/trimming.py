"""Finds the rows that lie farthest out, which a robust fit leaves out as possible anomalies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aetool.closed_form.blocks import few_rows
from aetool.closed_form.covariance import moments, mostly_one
from aetool.closed_form.leading import DENSE, leading
from aetool.closed_form.solution import Batches
from aetool.detection.gaps import without_apart
from aetool.model import Float, Spec

CONCENTRATIONS = 5  # rounds
FEWEST = 20  # rows: of fewer all are kept
AXES = 32  # by which the covariance of many numbers is told
ROWS_OF_AN_AXIS = 4  # rows that each of them is told by, at least
NEAR_AT_FIRST = 0.75  # part of rows of many numbers that the first covariance is of
CUT = 6.0  # deviations
FEWEST_OTHERS = 5  # rows that differ from what most rows have


@dataclass(frozen=True, eq=False)
class Nearest:
    """Which rows lie nearest to the centre, and which of the others only follow them.

    is_near: (rows,) bool. is_edge: (rows,) bool, of the others those that no wide gap of distance
    parts from the near ones (detection.gaps): each share that is cut off leaves such rows, also
    where there is no anomaly.
    """

    is_near: npt.NDArray[np.bool_]
    is_edge: npt.NDArray[np.bool_]


def nearest(batches: Batches, spec: Spec, part: float) -> Nearest:
    """Find the share `part` (0 to 1) of rows of batches, (rows, features) float32, that lies
    nearest to the centre of the numbers; rows as far as the last of them are near, too. spec: the
    layout of the features. All rows are near of fewer than FEWEST (20), and where there is no
    number.

    The distance is by the covariance of those rows: the concentration steps of Rousseeuw & Van
    Driessen 1999, which begin with all rows. Each number is scaled robustly and cut at 6
    deviations, so that no single one decides. Where most rows have one value (no rain), the others
    are measured among themselves: rare values are not far ones, and a column keeps the rows that
    give it its spread.
    """
    rows = sum(len(batch) for batch in batches)
    if not len(spec.numeric) or rows < FEWEST:
        return Nearest(np.ones(rows, dtype=bool), np.zeros(rows, dtype=bool))
    numbers = _Winsorised(batches, spec)
    is_wide = len(spec.numeric) > DENSE
    is_near = np.ones(rows, dtype=bool)
    if is_wide:
        # a cluster of rows is an axis of its own among a few: what lies far at first sight, each
        # number by itself, waits outside until the others say that it is near
        lengths = numbers.squared_lengths()
        is_near = _nearest_of(lengths, NEAR_AT_FIRST)
    for _ in range(CONCENTRATIONS):
        weights = is_near.astype(np.float64)
        if is_wide:
            distances = _distances_by_axes(numbers, weights)
        else:
            distances = _distances_by_covariance(numbers, weights)
        is_near = _nearest_of(distances, part)
    # a share is cut off whatever the distances, and often where rows are dense
    farthest_without_gap = without_apart(distances).max()
    is_edge = ~is_near & (distances <= farthest_without_gap)
    return Nearest(is_near, is_edge)


def _nearest_of(distances: Float, part: float) -> npt.NDArray[np.bool_]:
    """Mark the share `part` (0 to 1) of rows whose distances, (rows,), are smallest: (rows,) bool;
    rows of equal distance are all marked, so that there may be more."""
    # rows of equal distance all count, so that there may be more of them
    farthest = np.quantile(distances, part)
    return np.asarray(distances <= farthest)


def _distances_by_axes(numbers: _Winsorised, weights: Float) -> Float:
    """Return the squared Mahalanobis distance of each row from the weighed mean, (rows,), where a
    covariance of all numbers would be too large: by the variances along at most 32 leading axes,
    and along all other axes by one variance, their mean. weights: (rows,), 0 or more."""
    axes = max(1, min(AXES, len(weights) // ROWS_OF_AN_AXIS))
    principal = leading(numbers, axes, weights)
    return principal.squares(numbers)


def _distances_by_covariance(numbers: _Winsorised, weights: Float) -> Float:
    """Return the squared Mahalanobis distance of each row from the weighed mean, (rows,), by the
    weighed covariance. The variance of a number that is one value in more than half of the rows
    counts as at least 1, and 0.001 is added to each variance. DataError if there is no weight.
    weights: (rows,), 0 or more."""
    weighed = moments(numbers, weights)
    # where most rows are 0 the variance is that of the others, not of how rare they are
    variance = np.diag(weighed.cov)
    lacking_to_one = np.maximum(1 - variance, 0)
    added_variance = np.where(numbers.is_mostly_one, lacking_to_one, 0)
    return weighed.squares(numbers, added_variance)


class _Winsorised:
    """The numbers of batches, each in robust deviations from its middle, cut at CUT (6) of them.

    It yields them batch by batch, (rows, numbers) float32, as often as it is gone through. Missing
    numbers are 0. Where more than half of all rows hold one value of a number, those rows are 0,
    too, and middle and deviation are of the others; a number of which fewer than FEWEST_OTHERS (5)
    values are left is 0 everywhere.
    """

    def __init__(self, batches: Batches, spec: Spec) -> None:
        """Measure middle and scale of each number on some of the rows. batches: (rows, features)
        each, which can be gone through again and again, one row at least; spec: their layout. The
        scale of a number that is not measured stays infinite, so that it is 0 everywhere."""
        self.batches = batches
        self.spec = spec
        few = few_rows(batches)
        size = len(spec.numeric)
        self.middle = np.zeros(size)
        self.scale = np.full(size, np.inf)
        self.usual = np.full(size, np.nan)  # the value that most rows have, if there is one
        self.is_mostly_one = mostly_one(spec, few)
        for number, feature in enumerate(spec.numeric):
            values = few[:, feature]
            gate = spec.gate[number]
            if gate >= 0:
                is_present = few[:, gate] == 0
                values = values[is_present]
            self._measure(number, values, len(few))

    def squared_lengths(self) -> Float:
        """Return the sum of the squares of each row's numbers, (rows,)."""
        lengths = [(numbers**2).sum(axis=1) for numbers in self]
        return np.concatenate(lengths)

    def _measure(self, number: int, values: Float, rows: int) -> None:
        """Set `middle` and `scale` of one number from its values, unless these are fewer than
        FEWEST_OTHERS (5). Where more than half of all rows have one value, that is its `usual`, and
        the others are measured. The scale is a robust deviation, and never below a sixth of the
        standard one, nor below spec.half.

        number: its index; values: (n,), those that are not missing; rows: how many rows there are.
        """
        different, counts = np.unique(values, return_counts=True)
        if len(different) and counts.max() > 0.5 * rows:
            usual = different[counts.argmax()]
            self.usual[number] = usual
            values = values[values != usual]
        if len(values) < FEWEST_OTHERS:
            return
        middle = np.median(values)
        self.middle[number] = middle
        distances = np.abs(values - middle)
        # of a normal distribution this times the median distance is the deviation
        spread = 1.4826 * float(np.median(distances))
        # where most values lie at the middle, none of the others must be infinitely far
        least = float(values.std()) / CUT
        resolution = float(self.spec.half[number])
        self.scale[number] = max(spread, least, resolution)

    def __iter__(self) -> Iterator[npt.NDArray[np.float32]]:
        """Yield the numbers of each batch, (rows, numbers) float32, in robust deviations from the
        middle, cut at CUT (6); 0 where one is missing, or is the value that most rows have."""
        gated = self.spec.gate >= 0
        usual = self.usual.astype(np.float32)
        for batch in self.batches:
            flat = batch.reshape(len(batch), -1)
            numbers = flat[:, self.spec.numeric]
            standard = (numbers - self.middle) / self.scale
            standard = np.clip(standard, -CUT, CUT)
            is_usual = numbers == usual
            standard[is_usual] = 0
            if gated.any():
                flags = flat[:, self.spec.gate[gated]]
                standard[:, gated] *= flags == 0
            yield standard.astype(np.float32)
