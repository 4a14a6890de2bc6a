"""Prototypes by k-means (Lloyd 1982), the vector quantiser that needs no gradient."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from aetool.closed_form import Batches, Builder, ClosedForm, Solution, Value, costs
from aetool.errors import DataError
from aetool.model import Float, Int

MOST, NUMBERS = 1024, 1 << 16  # prototypes, and numbers in all of them, by default
ROWS, ROUNDS, ASIDE = 20_000, 12, 10
AT_ONCE = 4096  # rows whose distances are computed together


@dataclass(frozen=True, eq=False)
class Prototypes(Solution):
    """Prototypes with which records are compared; a record's code is the number of the nearest one.

    centres: (k, features), context features 0.

    Score: -log of the mass 1/k of the prototype times N(x; prototype, deviation^2 I), by column;
    what all share is log k. Under a mixture of these that is an upper bound of -log p(x).
    """

    centres: Float
    deviation: Float
    prior: Float
    report: Mapping[str, int] = field(default_factory=dict)

    def encode(self, g: Builder, x: Value) -> Value:
        return g.as_number(g.number_of_least(g.squared_distances(x, self.centres)))

    def decode(self, g: Builder, z: Value) -> Value:
        whole = g.maximum(g.op("Round", z), 0.0)
        whole = g.minimum(whole, len(self.centres) - 1.0)
        return g.rows_of(self.centres, g.as_index(whole))

    def expected(self, g: Builder, x: Value) -> Value:
        nearest = g.number_of_least(g.squared_distances(x, self.centres))
        return g.rows_of(self.centres, nearest)

    def parts(self, g: Builder, x: Value) -> Value:
        shared = math.log(len(self.centres))
        return costs.about(g, x, self.expected(g, x), self.deviation, self.prior, shared)


class KMeans(ClosedForm):
    """Finds prototypes by k-means: Lloyd's rounds from rows drawn by chance. A prototype of one row
    alone is let go, for an outlier must not make itself at home. One row of ten is kept aside for
    the deviation."""

    def fit(self, batches: Batches) -> Prototypes:
        """Find the prototypes of rows in batches by rounds of k-means. DataError without rows."""
        rows = sum(len(batch) for batch in batches)
        if not rows:
            raise DataError("no rows to fit")
        step = -(-rows // ROWS)
        scored = self.spec.owners() >= 0
        x = np.concatenate([batch[::step] for batch in batches]).astype(np.float64) * scored
        x = x[np.random.default_rng(0).permutation(len(x))]
        held_out = x
        fitted = x
        if len(x) > 2 * ASIDE:
            held_out = x[::ASIDE]
            fitted = np.delete(x, slice(None, None, ASIDE), axis=0)
        most = max(16, min(MOST, NUMBERS // max(1, int(scored.sum()))))
        size = self.params.size or most
        centres = np.unique(fitted[: min(size, len(fitted))], axis=0)
        # where there are few rows for each prototype, one row is as good as several
        fewest = 2 if len(fitted) > 4 * size else 1
        for _ in range(ROUNDS):
            centres = _moved(centres, fitted, fewest)
        deviation = costs.deviations(self.spec, held_out, centres[_nearest(centres, held_out)])
        prior = x.mean(axis=0).clip(0, 1)
        return Prototypes(centres, deviation, prior, {"code_levels": len(centres)})


def _moved(centres: Float, rows: Float, fewest: int) -> Float:
    """New centres: the mean of the rows nearest to each old one; centres with too few rows are
    dropped."""
    number = _nearest(centres, rows)
    count = np.bincount(number, minlength=len(centres))
    order = np.argsort(number, kind="stable")
    first = np.cumsum(count) - count
    total = np.add.reduceat(rows[order], first[count > 0])
    count = count[count > 0]
    return np.asarray((total / count[:, None])[count >= fewest])


def _nearest(centres: Float, rows: Float) -> Int:
    """(rows,): for each of rows, (rows, features), the index of the nearest of centres, (k,
    features)."""
    nearest = []
    square = (centres**2).sum(axis=1)
    for first in range(0, len(rows), AT_ONCE):
        part = rows[first : first + AT_ONCE]
        nearest.append((square - 2 * part @ centres.T).argmin(axis=1))
    return np.concatenate(nearest)
