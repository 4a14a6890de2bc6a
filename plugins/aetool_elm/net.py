"""Random hidden units and a decoder by ridge regression (Huang, Zhu & Siew 2006; as autoencoders:
Kasun et al. 2013), trained to undo noise (Vincent et al. 2008)."""

from __future__ import annotations

import numpy as np

from aetool.closed_form import Batches, ClosedForm, deviations
from aetool.errors import DataError
from aetool.hidden import Hidden
from aetool.model import Float

MOST = 4096  # features
ROWS = 10_000  # damaged rows that the decoder is solved from
RIDGE = 1e-3  # beside the mean square of a hidden unit
HELD = 10  # one row of so many is kept aside for the deviation


class ELM(ClosedForm):
    """Each unit looks along a random direction N(0, I / features) from a random threshold N(0, 1);
    the decoder is the least-squares one that restores rows from damaged copies of them."""

    def fit(self, batches: Batches) -> Hidden:
        scored = self.spec.owners() >= 0
        if self.spec.features > MOST:
            raise DataError(f"{self.spec.features} features are more than the {MOST} elm takes")
        rows = sum(len(b) for b in batches)
        if not rows:
            raise DataError("no rows to fit")
        step, rng = -(-rows // (ROWS + ROWS // HELD)), np.random.default_rng(0)
        x = np.concatenate([b[::step] for b in batches]).astype(np.float64)
        x = x[rng.permutation(len(x))]
        held, seen = (x[::HELD], np.delete(x, slice(None, None, HELD), axis=0))
        if len(x) <= 2 * HELD:
            held, seen = x, x
        units, d = self.params.latent, self.spec.features
        weight = rng.standard_normal((d, units)) / np.sqrt(d)
        prior, bias = x.mean(axis=0).clip(0, 1), rng.standard_normal(units)
        blank = Hidden(weight, bias, np.zeros((units, d)), np.zeros(d), np.ones(0), prior)
        wanted = np.repeat(seen, max(1, ROWS // len(seen)), axis=0)
        damaged = wanted + self.params.noise * rng.standard_normal(wanted.shape) * scored
        z = blank.encode(damaged, scored)
        decoder, offset = _ridge(z, wanted)
        expected = blank.encode(held, scored) @ decoder + offset
        deviation = deviations(self.spec, held, expected)
        return Hidden(weight, bias, decoder, offset, deviation, prior)


def _ridge(z: Float, wanted: Float) -> tuple[Float, Float]:
    """(weights, intercept) of wanted on z."""
    mean, centre = z.mean(axis=0), wanted.mean(axis=0)
    z = (z - mean).astype(np.float32)
    gram = (z.T @ z).astype(np.float64)
    penalty = RIDGE * float(np.trace(gram)) / len(gram) + 1e-9
    cross = (z.T @ (wanted - centre).astype(np.float32)).astype(np.float64)
    weights = np.linalg.solve(gram + penalty * np.eye(len(gram)), cross)
    return weights, centre - mean @ weights
