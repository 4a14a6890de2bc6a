"""Prototypes by k-means (Lloyd 1982), the vector quantiser that needs no gradient."""

from __future__ import annotations

import numpy as np

from aetool.closed_form import Batches, ClosedForm, deviations
from aetool.errors import DataError
from aetool.prototypes import Prototypes

MOST, NUMBERS = 1024, 1 << 16  # prototypes, and numbers in all of them, by default
ROWS, ROUNDS, HELD = 20_000, 12, 10


class KMeans(ClosedForm):
    """Lloyd's rounds from rows drawn by chance; a prototype of one row alone is let go, for an
    outlier must not make itself at home. One row of ten is kept aside for the deviation."""

    def fit(self, batches: Batches) -> Prototypes:
        rows = sum(len(b) for b in batches)
        if not rows:
            raise DataError("no rows to fit")
        step, scored = -(-rows // ROWS), self.spec.owners() >= 0
        x = np.concatenate([b[::step] for b in batches]).astype(np.float64) * scored
        x = x[np.random.default_rng(0).permutation(len(x))]
        held, seen = x, x
        if len(x) > 2 * HELD:
            held, seen = x[::HELD], np.delete(x, slice(None, None, HELD), axis=0)
        k = self.params.size or max(16, min(MOST, NUMBERS // max(1, int(scored.sum()))))
        prior = x.mean(axis=0).clip(0, 1)
        found = Prototypes(np.unique(seen[: min(k, len(seen))], axis=0), np.ones(0), prior)
        for _ in range(ROUNDS):
            number = found.encode(seen, scored)[:, 0].astype(np.int64)
            count = np.bincount(number, minlength=len(found.centres))
            order = np.argsort(number, kind="stable")
            first = np.cumsum(count) - count
            total = np.add.reduceat(seen[order], first[count > 0])
            kept = count[count > 0] > (1 if len(seen) > 4 * k else 0)
            found = Prototypes((total / count[count > 0, None])[kept], np.ones(0), prior)
        deviation = deviations(self.spec, held, found.decode(found.encode(held, scored)))
        report = {"code_levels": len(found.centres)}
        return Prototypes(found.centres, deviation, prior, report=report)
