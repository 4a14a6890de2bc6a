"""The nearest neighbour (Ramaswamy, Rastogi & Shim 2000, with k = 1), of a sample of the rows."""

from __future__ import annotations

import numpy as np

from aetool.closed_form import Batches, ClosedForm, deviations
from aetool.errors import DataError
from aetool.model import Float, Int
from aetool.prototypes import Prototypes

MOST, NUMBERS = 4096, 1 << 16  # rows remembered, and numbers in all of them, by default
USUAL = 0.5  # part of the rows: where more than this part repeat others, to repeat is usual


class Nearest(ClosedForm):
    """Rows are remembered once each, drawn by chance where there are more than fit.

    A record at the place of a row is compared with the next nearest, so that no row vouches for
    itself, unless several rows were there; and where most rows repeat others, any row may vouch.
    """

    def fit(self, batches: Batches) -> Prototypes:
        """The rows remembered."""
        scored = self.spec.owners() >= 0
        rows = np.concatenate([np.zeros((0, self.spec.features), np.float32), *batches])
        if not len(rows):
            raise DataError("no rows to fit")
        x = rows.astype(np.float64) * scored
        most = self.params.size or max(16, min(MOST, NUMBERS // max(1, int(scored.sum()))))
        if len(x) > most:
            x = x[np.random.default_rng(0).choice(len(x), most, replace=False)]
        centres, count = np.unique(x, axis=0, return_counts=True)
        prior, repeated = x.mean(axis=0).clip(0, 1), count > 1
        usual = repeated | bool(count[repeated].sum() > USUAL * len(x))
        other = centres[_others(centres)]
        deviation = deviations(self.spec, centres, other)
        return Prototypes(centres, deviation, prior, usual, {"code_levels": len(centres)})


def _others(centres: Float) -> Int:
    """(rows,): for each row the number of the nearest other one."""
    square, nearest = (centres**2).sum(axis=1), []
    for first in range(0, len(centres), 1024):
        part = centres[first : first + 1024]
        far = square - 2 * part @ centres.T
        far[np.arange(len(part)), first + np.arange(len(part))] = np.inf
        nearest.append(far.argmin(axis=1))
    return np.concatenate(nearest)
