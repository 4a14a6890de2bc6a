"""Non-negative matrix factorisation (Lee & Seung 2001): records as sums of parts, without torch."""

from dataclasses import dataclass

import numpy as np

from aetool.closed_form import Batches, Builder, ClosedForm, Solution, Value, costs
from aetool.errors import DataError
from aetool.model import Float

ROWS = 10_000  # that parts are solved from
LEAST = 1e-9  # keeps what is divided by from 0


@dataclass(frozen=True, eq=False)
class SumsOfParts(Solution):
    """x - zero ~ z basis, z = max(0, (x - zero) inverse); inverse: (features, latent)."""

    inverse: Float
    basis: Float
    zero: Float
    deviation: Float
    prior: Float

    def encode(self, g: Builder, x: Value) -> Value:
        return g.relu(g.affine(x, self.inverse, -self.zero @ self.inverse))

    def decode(self, g: Builder, z: Value) -> Value:
        return g.affine(z, self.basis, self.zero)


class Factorisation(ClosedForm):
    """x - zero ~ z parts, both factors >= 0.

    zero is the user's own, and the least value of a column that goes below it. Flags and levels
    count from 0 as they are; context takes no part.
    """

    def fit(self, batches: Batches) -> SumsOfParts:
        rows = sum(len(b) for b in batches)
        if not rows:
            raise DataError("no rows to fit")
        x = np.concatenate([b[:: -(-rows // ROWS)] for b in batches]).astype(np.float64)
        scored = self.spec.owners() >= 0
        zero = np.zeros(self.spec.features)
        zero[self.spec.numeric] = self.spec.zero
        zero = np.minimum(zero, x.min(axis=0))
        parts = self.factorised((x - zero) * scored)
        inverse = np.asarray(np.linalg.pinv(parts, rcond=1e-6), dtype=np.float64)
        expected = np.maximum((x - zero) @ inverse, 0) @ parts + zero
        deviation = costs.deviations(self.spec, x, expected)
        return SumsOfParts(inverse, parts, zero, deviation, x.mean(axis=0).clip(0, 1))

    def factorised(self, v: Float) -> Float:
        """(latent, features) parts of v, (rows, features) >= 0, by multiplicative updates."""
        rng = np.random.default_rng(0)
        usual = np.sqrt(v.mean() / self.params.latent) + LEAST
        z = usual * rng.uniform(0.5, 1.5, (len(v), self.params.latent))
        parts = usual * rng.uniform(0.5, 1.5, (self.params.latent, v.shape[1]))
        for _ in range(self.params.steps):
            z *= (v @ parts.T) / (z @ (parts @ parts.T) + LEAST)
            parts *= (z.T @ v) / ((z.T @ z) @ parts + LEAST)
        return parts
