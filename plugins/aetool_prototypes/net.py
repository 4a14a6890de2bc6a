"""Prototypes by k-means (Lloyd 1982), the vector quantiser that needs no gradient."""

from __future__ import annotations

import numpy as np

from aetool.closed_form import Batches, ClosedForm
from aetool.errors import DataError
from aetool.prototypes import Prototypes

MOST, NUMBERS = 1024, 1 << 16  # prototypes, and numbers in all of them, by default
ROWS, ROUNDS, HELD = 20_000, 12, 10
LEAST = 1e-3  # deviation


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
        found = Prototypes(np.unique(seen[: min(k, len(seen))], axis=0), 1.0)
        for _ in range(ROUNDS):
            number = found.encode(seen, scored)[:, 0].astype(np.int64)
            count = np.bincount(number, minlength=len(found.centres))
            order = np.argsort(number, kind="stable")
            first = np.cumsum(count) - count
            total = np.add.reduceat(seen[order], first[count > 0])
            kept = count[count > 0] > (1 if len(seen) > 4 * k else 0)
            found = Prototypes((total / count[count > 0, None])[kept], 1.0)
        off = ((held - found.decode(found.encode(held, scored)))[:, scored] ** 2).mean()
        report = {"code_levels": len(found.centres)}
        return Prototypes(found.centres, max(float(np.sqrt(off)), LEAST), report)
