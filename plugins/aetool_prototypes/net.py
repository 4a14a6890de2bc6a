"""Prototypes by k-means (Lloyd 1982), the vector quantiser that needs no gradient."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from aetool.closed_form import Batches, Builder, ClosedForm, Solution, Value, costs
from aetool.errors import DataError
from aetool.model import Float, Int

MOST = 1024  # prototypes, by default
NUMBERS = 1 << 16  # in all prototypes, by default
FEWEST = 16  # prototypes, of however many numbers
ROWS = 20_000  # that prototypes are found among
ROUNDS = 12  # of Lloyd's algorithm
ASIDE = 10  # one row of so many is kept aside for the deviation
AT_ONCE = 4096  # rows whose distances are computed together


@dataclass(frozen=True, eq=False)
class Prototypes(Solution):
    """Prototypes with which records are compared; a record's code is the number of the nearest one.

    centres: (k, features), context features 0. deviation: (numbers,), of numbers from those of the
    prototype. prior: (features,), how often a flag or level occurs.

    Score: -log of the mass 1/k of the prototype times N(x; prototype, deviation^2 I), by column;
    what all share is log k. Under a mixture of these that is an upper bound of -log p(x).
    """

    centres: Float
    deviation: Float
    prior: Float
    report: Mapping[str, int] = field(default_factory=dict)

    def encode(self, g: Builder, x: Value) -> Value:
        return g.as_number(self._nearest(g, x))

    def decode(self, g: Builder, z: Value) -> Value:
        last = len(self.centres) - 1.0
        number = g.op("Round", z)
        # a code that was quantised, or made up, may lie outside the table
        number = g.maximum(number, 0.0)
        number = g.minimum(number, last)
        index = g.as_index(number)
        return g.rows_of(self.centres, index)

    def expected(self, g: Builder, x: Value) -> Value:
        nearest = self._nearest(g, x)
        return g.rows_of(self.centres, nearest)

    def parts(self, g: Builder, x: Value) -> Value:
        shared = math.log(len(self.centres))
        expected = self.expected(g, x)
        return costs.about(g, x, expected, self.deviation, self.prior, shared)

    def _nearest(self, g: Builder, x: Value) -> Value:
        """(batch, 1) int64: the number of the prototype nearest to features x."""
        distances = g.squared_distances(x, self.centres)
        return g.number_of_least(distances)


class KMeans(ClosedForm):
    """Finds prototypes by k-means: Lloyd's rounds from rows drawn by chance. A prototype of one row
    alone is dropped, for an outlier must not make itself at home, unless there are few rows for
    each prototype. One row of ten is kept aside for the deviation, of more than 20 rows."""

    def fit(self, batches: Batches) -> Prototypes:
        """Find the prototypes of rows in batches by rounds of k-means. DataError without rows."""
        scored = self.spec.owners() >= 0
        x = _sample(batches) * scored
        rng = np.random.default_rng(0)
        order = rng.permutation(len(x))
        x = x[order]
        # of few rows all serve both ends
        held_out = x
        fitted = x
        if len(x) > 2 * ASIDE:
            held_out = x[::ASIDE]
            fitted = np.delete(x, slice(None, None, ASIDE), axis=0)
        numbers = int(scored.sum())
        centres = self._centres(fitted, numbers)
        index = _nearest(centres, held_out)
        expected = centres[index]
        deviation = costs.deviations(self.spec, held_out, expected)
        # of numbers it says nothing, and is not read
        prior = x.mean(axis=0)
        prior = prior.clip(0, 1)
        report = {"code_levels": len(centres)}
        return Prototypes(centres, deviation, prior, report)

    def _centres(self, rows: Float, numbers: int) -> Float:
        """(k, features): the prototypes of rows, (n, features), of which so many features count."""
        rows_of_numbers = NUMBERS // max(1, numbers)
        usual_size = max(FEWEST, min(MOST, rows_of_numbers))
        size = self.params.size or usual_size
        # equal rows make one prototype
        centres = np.unique(rows[:size], axis=0)
        # where there are few rows for each prototype, one row is as good as several
        fewest = 2 if len(rows) > 4 * size else 1
        for _ in range(ROUNDS):
            centres = _moved(centres, rows, fewest)
        return centres


def _sample(batches: Batches) -> Float:
    """(rows, features): at most ROWS of the rows in batches, spread evenly. DataError without
    rows."""
    rows = sum(len(batch) for batch in batches)
    if not rows:
        raise DataError("no rows to fit")
    step = math.ceil(rows / ROWS)
    sample = [batch[::step] for batch in batches]
    return np.concatenate(sample).astype(np.float64)


def _moved(centres: Float, rows: Float, fewest: int) -> Float:
    """New centres, (at most k, features): the means of the rows, (n, features), that are nearest to
    each of the old centres, (k, features); those of fewer rows than `fewest` are dropped."""
    number = _nearest(centres, rows)
    count = np.bincount(number, minlength=len(centres))
    order = np.argsort(number, kind="stable")
    first = np.cumsum(count) - count
    has_rows = count > 0
    # a sum over no rows would be that of one
    first = first[has_rows]
    count = count[has_rows]
    total = np.add.reduceat(rows[order], first)
    means = total / count[:, None]
    is_kept = count >= fewest
    return np.asarray(means[is_kept])


def _nearest(centres: Float, rows: Float) -> Int:
    """(rows,): for each of rows, (rows, features), the index of the nearest of centres, (k,
    features)."""
    nearest = []
    square = (centres**2).sum(axis=1)
    for first in range(0, len(rows), AT_ONCE):
        part = rows[first : first + AT_ONCE]
        # less the squared length of the row, which is the same for all centres
        distances = square - 2 * part @ centres.T
        nearest.append(distances.argmin(axis=1))
    return np.concatenate(nearest)
