"""The nearest neighbour (Ramaswamy, Rastogi & Shim 2000, with k = 1), of a sample of the rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from aetool.closed_form import Batches, Builder, ClosedForm, Solution, Value, costs
from aetool.errors import DataError
from aetool.model import Float, Int

MOST, NUMBERS = 4096, 1 << 16  # rows remembered, and numbers in all of them, by default
USUAL = 0.5  # part of the rows: where more than this part repeat others, to repeat is usual
SAME = 1e-5  # of a record's squared length: closer than this it is the same record
FAR = 1e30  # squared distance


@dataclass(frozen=True, eq=False)
class Neighbours(Solution):
    """Rows that are remembered; the code of a record is the number of the nearest.

    rows: (k, features), each different from the others, context features 0. usual: (k,) bool: a
    record at the very place of a row is compared with the next nearest, for it may be that row
    itself, unless the row is usual, which many others equal.

    Score: -log of the mass 1/k of the neighbour times N(x; neighbour, deviation^2 I), by column;
    what all share is log k.
    """

    rows: Float
    usual: npt.NDArray[np.bool_]
    deviation: Float
    prior: Float
    report: Mapping[str, int] = field(default_factory=dict)
    fair: bool = True

    def encode(self, g: Builder, x: Value) -> Value:
        return g.as_number(g.number_of_least(g.squared_distances(x, self.rows)))

    def decode(self, g: Builder, z: Value) -> Value:
        whole = g.maximum(g.op("Round", z), 0.0)
        whole = g.minimum(whole, len(self.rows) - 1.0)
        return g.rows_of(self.rows, g.as_index(whole))

    def expected(self, g: Builder, x: Value) -> Value:
        """The nearest row that is not the record itself."""
        far = g.squared_distances(x, self.rows)
        scored = g.scored(x)
        size = g.sum_of(scored * scored, np.ones(g.spec.features))
        # |x|^2 + |c|^2 - 2 x.c of equal records is no exact zero in float32
        same = far < size * SAME - size
        last_choice = np.where(self.usual, -FAR, FAR)
        far = g.where(same, last_choice, far)
        return g.rows_of(self.rows, g.number_of_least(far))

    def parts(self, g: Builder, x: Value) -> Value:
        shared = math.log(len(self.rows))
        return costs.about(g, x, self.expected(g, x), self.deviation, self.prior, shared)


class Nearest(ClosedForm):
    """Rows are remembered once each, drawn by chance where there are more than fit.

    A record at the place of a row is compared with the next nearest, so that no row vouches for
    itself, unless several rows were there; and where most rows repeat others, any row may vouch.
    """

    def fit(self, batches: Batches) -> Neighbours:
        """The rows remembered."""
        scored = self.spec.owners() >= 0
        no_rows = np.zeros((0, self.spec.features), np.float32)
        x = np.concatenate([no_rows, *batches]).astype(np.float64) * scored
        if not len(x):
            raise DataError("no rows to fit")
        most = self.params.size or max(16, min(MOST, NUMBERS // max(1, int(scored.sum()))))
        if len(x) > most:
            x = x[np.random.default_rng(0).choice(len(x), most, replace=False)]
        rows, count = np.unique(x, axis=0, return_counts=True)
        repeated = count > 1
        usual = repeated | bool(count[repeated].sum() > USUAL * len(x))
        deviation = costs.deviations(self.spec, rows, rows[_others(rows)])
        prior = x.mean(axis=0).clip(0, 1)
        return Neighbours(rows, usual, deviation, prior, {"code_levels": len(rows)})


def _others(rows: Float) -> Int:
    """(rows,): for each row the number of the nearest other one."""
    square, nearest = (rows**2).sum(axis=1), []
    for first in range(0, len(rows), 1024):
        part = rows[first : first + 1024]
        far = square - 2 * part @ rows.T
        far[np.arange(len(part)), first + np.arange(len(part))] = np.inf
        nearest.append(far.argmin(axis=1))
    return np.concatenate(nearest)
