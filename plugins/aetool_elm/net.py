"""Random hidden units and a decoder by ridge regression (Huang, Zhu & Siew 2006; as autoencoders:
Kasun et al. 2013), trained to undo noise (Vincent et al. 2008)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aetool.closed_form import Batches, Builder, ClosedForm, Solution, Value, costs
from aetool.errors import DataError
from aetool.model import Float

MOST = 4096  # features
ROWS = 10_000  # damaged rows that the decoder is solved from
RIDGE = 1e-3  # beside the mean square of a hidden unit
ASIDE = 10  # one row of so many is kept aside for the deviation


@dataclass(frozen=True, eq=False)
class Hidden(Solution):
    """z = max(0, x weight + bias), and what is expected: z decoder + offset.

    weight: (features, units). bias: (units,). decoder: (units, features). offset: (features,).
    """

    weight: Float
    bias: Float
    decoder: Float
    offset: Float
    deviation: Float
    prior: Float

    def encode(self, g: Builder, x: Value) -> Value:
        return g.relu(g.affine(x, self.weight, self.bias))

    def decode(self, g: Builder, z: Value) -> Value:
        return g.affine(z, self.decoder, self.offset)


class ELM(ClosedForm):
    """Each unit looks along a random direction N(0, I / features) from a random threshold N(0, 1);
    the decoder is the least-squares one that restores rows from damaged copies of them."""

    def fit(self, batches: Batches) -> Hidden:
        """The decoder of damaged copies, and the deviation of rows kept aside."""
        scored = self.spec.owners() >= 0
        if self.spec.features > MOST:
            raise DataError(f"{self.spec.features} features are more than the {MOST} elm takes")
        rows = sum(len(batch) for batch in batches)
        if not rows:
            raise DataError("no rows to fit")
        step, rng = -(-rows // (ROWS + ROWS // ASIDE)), np.random.default_rng(0)
        x = np.concatenate([batch[::step] for batch in batches]).astype(np.float64)
        x = x[rng.permutation(len(x))]
        aside, seen = x, x
        if len(x) > 2 * ASIDE:
            aside, seen = x[::ASIDE], np.delete(x, slice(None, None, ASIDE), axis=0)
        units, features = self.params.latent, self.spec.features
        weight = rng.standard_normal((features, units)) / np.sqrt(features)
        bias = rng.standard_normal(units)
        # few rows are damaged several times, each time otherwise
        wanted = np.repeat(seen, max(1, ROWS // len(seen)), axis=0)
        damaged = wanted + self.params.noise * rng.standard_normal(wanted.shape) * scored
        z = np.maximum(damaged @ weight + bias, 0.0)
        decoder, offset = _ridge(z, wanted)
        expected = np.maximum(aside @ weight + bias, 0.0) @ decoder + offset
        deviation = costs.deviations(self.spec, aside, expected)
        prior = x.mean(axis=0).clip(0, 1)
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
