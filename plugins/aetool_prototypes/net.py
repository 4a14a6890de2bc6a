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
    """Prototypes with which records are compared; a record's code is the index of the nearest one,
    0 .. k - 1.

    centres: (k, features), laid out as records are, with 0 for context features (those seen, but
    not scored). deviation: (numbers,), for each feature that is a number its usual distance from
    that of the prototype, see `costs.deviations`. prior: (features,), how often a flag or level
    occurs, 0 .. 1. report: figures for `aetool info`.

    Score: -log of the mass 1/k of the prototype times N(x; prototype, deviation^2 I), by column, in
    nats; what all share is log k. Under a mixture of these that is an upper bound of -log p(x).
    """

    centres: Float
    deviation: Float
    prior: Float
    report: Mapping[str, int] = field(default_factory=dict)

    def encode(self, g: Builder, x: Value) -> Value:
        """The index of the nearest prototype as a code, (batch, 1) float32. x: (batch,
        features)."""
        return g.as_number(self._index_of_nearest(g, x))

    def decode(self, g: Builder, z: Value) -> Value:
        """The prototypes, (batch, features), that codes z, (batch, 1), are the indices of; codes
        are rounded, and moved into 0 .. k - 1."""
        last = len(self.centres) - 1.0
        number = g.op("Round", z)
        # a code that was quantised, or made up, may lie outside the table
        number = g.maximum(number, 0.0)
        number = g.minimum(number, last)
        index = g.as_index(number)
        return g.rows_of(self.centres, index)

    def expected(self, g: Builder, x: Value) -> Value:
        """(batch, features): the prototype nearest to each record x, (batch, features)."""
        nearest = self._index_of_nearest(g, x)
        return g.rows_of(self.centres, nearest)

    def parts(self, g: Builder, x: Value) -> Value:
        """(batch, columns + 1), in nats: the cost of each column about the nearest prototype, and
        last log k. x: (batch, features)."""
        shared = math.log(len(self.centres))
        expected = self.expected(g, x)
        return costs.about(g, x, expected, self.deviation, self.prior, shared)

    def _index_of_nearest(self, g: Builder, x: Value) -> Value:
        """(batch, 1) int64: the index of the prototype nearest to features x, (batch, features),
        context left out; of equally near ones the first."""
        distances = g.squared_distances(x, self.centres)
        return g.number_of_least(distances)


class KMeans(ClosedForm):
    """Finds prototypes by k-means: Lloyd's rounds from rows drawn by chance. There are at most
    params.size, or if that is 0 as many as hold NUMBERS (65,536) numbers, from 16 to 1,024. A
    prototype of one row alone is dropped, for an outlier must not make itself at home, unless there
    are at most four rows for each prototype. One row of ten is kept aside for the deviation, of
    more than 20 rows."""

    def fit(self, batches: Batches) -> Prototypes:
        """Find the prototypes of rows in batches, of which about 20,000 are used at most, and how
        far rows lie from them. DataError without rows."""
        scored = self.spec.owners() >= 0
        x = _sample(batches) * scored
        rng = np.random.default_rng(0)
        # by chance: the first rows are the first prototypes, and every tenth row is kept aside
        order = rng.permutation(len(x))
        x = x[order]
        # of few rows all serve both, to fit and to measure the deviation
        held_out = x
        fitted = x
        if len(x) > 2 * ASIDE:
            held_out = x[::ASIDE]
            fitted = np.delete(x, slice(None, None, ASIDE), axis=0)
        numbers = int(scored.sum())
        centres = self._centres(fitted, numbers)
        index = _index_of_nearest(centres, held_out)
        expected = centres[index]
        deviation = costs.deviations(self.spec, held_out, expected)
        # how often a flag or level occurs; of numbers it says nothing, and is not read
        prior = x.mean(axis=0)
        prior = prior.clip(0, 1)
        report = {"code_levels": len(centres)}
        return Prototypes(centres, deviation, prior, report)

    def _centres(self, rows: Float, numbers: int) -> Float:
        """The prototypes of rows, (n, features), by k-means: (k, features), params.size of them at
        most, or as many as suit `numbers`; fewer where rows are equal, or few lie near one. The
        rows are in random order, as the rounds begin at the first of them. numbers: how many
        features are scored."""
        rows_of_numbers = NUMBERS // max(1, numbers)
        usual_size = max(FEWEST, min(MOST, rows_of_numbers))
        size = self.params.size or usual_size
        # equal rows make one prototype
        centres = np.unique(rows[:size], axis=0)
        # where there are few rows for each prototype, one row is as good as several
        fewest = 2 if len(rows) > 4 * size else 1
        for _ in range(ROUNDS):
            centres = _means_of_nearest(centres, rows, fewest)
        return centres


def _sample(batches: Batches) -> Float:
    """(n, features) float64: a sample of the rows in batches: of each batch every n-th row, with an
    n for which about ROWS (20,000) are taken at most. DataError without rows."""
    rows = sum(len(batch) for batch in batches)
    if not rows:
        raise DataError("no rows to fit")
    step = math.ceil(rows / ROWS)
    sample = [batch[::step] for batch in batches]
    return np.concatenate(sample).astype(np.float64)


def _means_of_nearest(centres: Float, rows: Float, fewest: int) -> Float:
    """New centres, (at most k, features): the means of the rows, (n, features), that are nearest to
    each of the old centres, (k, features); those of no row, or of fewer than `fewest`, are
    dropped."""
    number = _index_of_nearest(centres, rows)
    count = np.bincount(number, minlength=len(centres))
    order = np.argsort(number, kind="stable")
    first = np.cumsum(count) - count
    has_rows = count > 0
    # reduceat takes a single row for a centre without rows
    first = first[has_rows]
    count = count[has_rows]
    total = np.add.reduceat(rows[order], first)
    means = total / count[:, None]
    is_kept = count >= fewest
    return np.asarray(means[is_kept])


def _index_of_nearest(centres: Float, rows: Float) -> Int:
    """(rows,): for each of rows, (rows, features), one at least, the index of the nearest of
    centres, (k, features); of equally near ones the first."""
    nearest = []
    square = (centres**2).sum(axis=1)
    for first in range(0, len(rows), AT_ONCE):
        part = rows[first : first + AT_ONCE]
        # less the squared length of the row, which is the same for all centres
        distances = square - 2 * part @ centres.T
        nearest.append(distances.argmin(axis=1))
    return np.concatenate(nearest)
