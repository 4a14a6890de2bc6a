"""Finds the rows that lie farthest out, which a robust fit leaves out as possible anomalies."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from aetool.closed_form.blocks import few_rows
from aetool.closed_form.covariance import moments, mostly_one
from aetool.closed_form.leading import DENSE, leading
from aetool.closed_form.solution import Batches
from aetool.model import Float, Spec

CONCENTRATIONS = 5  # rounds
FEWEST = 20  # rows: of fewer all are kept
AXES = 32  # by which the covariance of many numbers is told
ROWS_OF_AN_AXIS = 4  # rows that each of them is told by, at least
NEAR_AT_FIRST = 0.75  # part of rows of many numbers that the first covariance is of
CUT = 6.0  # deviations
FEWEST_OTHERS = 5  # rows that differ from what most rows have


def nearest(batches: Batches, spec: Spec, part: float) -> npt.NDArray[np.bool_]:
    """Mark the share `part` of rows that lies nearest to the centre of the numbers: (rows,) bool.

    The distance is by the covariance of those rows: the concentration steps of Rousseeuw & Van
    Driessen 1999, which begin with all rows. Each number is scaled robustly and cut at 6
    deviations, so that no single one decides. Where most rows have one value (no rain), the others
    are measured among themselves: rare values are not far ones, and a column keeps the rows that
    give it its spread.
    """
    rows = sum(len(batch) for batch in batches)
    keep = np.ones(rows, dtype=bool)
    if not len(spec.numeric) or rows < FEWEST:
        return keep
    chunks = _Winsorised(batches, spec)
    wide = len(spec.numeric) > DENSE
    axes = max(1, min(AXES, rows // ROWS_OF_AN_AXIS))
    if wide:
        # a cluster of rows is an axis of its own among a few: what lies far at first sight, each
        # number by itself, waits outside until the others say that it is near
        lengths = [(chunk**2).sum(axis=1) for chunk in chunks]
        length = np.concatenate(lengths)
        keep = length <= np.quantile(length, NEAR_AT_FIRST)
    for _ in range(CONCENTRATIONS):
        weights = keep.astype(np.float64)
        if wide:
            middle = leading(chunks, axes, weights)
            far = middle.squares(chunks)
        else:
            whole = moments(chunks, weights)
            # where most rows are 0 the variance is that of the others, not of how rare they are
            missing = np.maximum(1 - np.diag(whole.cov), 0)
            far = whole.squares(chunks, np.where(chunks.rare, missing, 0))
        keep = far <= np.quantile(far, part)
    return keep


class _Winsorised:
    """The numbers of batches, each in robust deviations from its middle, cut at CUT of them.

    Where more than half of a number's rows hold one value or none, those rows are 0, and middle and
    deviation are of the others.
    """

    def __init__(self, batches: Batches, spec: Spec) -> None:
        self.batches = batches
        self.spec = spec
        few = few_rows(batches)
        size = len(spec.numeric)
        self.middle = np.zeros(size)
        self.scale = np.full(size, np.inf)
        self.usual = np.full(size, np.nan)  # the value that most rows have, if there is one
        self.rare = mostly_one(spec, few)
        for number, feature in enumerate(spec.numeric):
            values = few[:, feature]
            gate = spec.gate[number]
            if gate >= 0:
                values = values[few[:, gate] == 0]
            self._measure(number, values, len(few))

    def _measure(self, number: int, values: Float, rows: int) -> None:
        """Set the centre and the deviation of one number from its values. number: its index;
        values: (n,), those that count; rows: how many rows there are."""
        different, counts = np.unique(values, return_counts=True)
        if len(different) and counts.max() > 0.5 * rows:
            usual = different[counts.argmax()]
            self.usual[number] = usual
            values = values[values != usual]
        if len(values) < FEWEST_OTHERS:
            return
        middle = np.median(values)
        self.middle[number] = middle
        # of a normal distribution
        spread = 1.4826 * float(np.median(np.abs(values - middle)))
        self.scale[number] = max(spread, float(values.std()) / CUT, float(self.spec.half[number]))

    def __iter__(self) -> Iterator[npt.NDArray[np.float32]]:
        gated = self.spec.gate >= 0
        usual = self.usual.astype(np.float32)
        for batch in self.batches:
            flat = batch.reshape(len(batch), -1)
            numbers = flat[:, self.spec.numeric]
            standard = (numbers - self.middle) / self.scale
            standard = np.clip(standard, -CUT, CUT)
            standard[numbers == usual] = 0
            if gated.any():
                flags = flat[:, self.spec.gate[gated]]
                standard[:, gated] *= flags == 0
            yield standard.astype(np.float32)
