"""Deep SVDD (Ruff et al. 2018) beside reconstruction, as DASVDD (Hojjati & Armanfar 2021)."""

import torch

from aetool.nn import AutoEncoder


class Sphere(AutoEncoder):
    """Loss and score: -log p(x | z) + pull |z - centre|^2, the centre being the mean first code."""

    learning_rate = 1e-3  # faster, and the sphere shrinks before its codes are any good

    def build(self):
        super().build()
        self.register_buffer("centre", torch.zeros(self.latent))

    def begin(self, batches):
        codes = torch.cat([self.encode(x) for x in batches])
        self.centre.copy_(codes.mean(dim=0))

    def distance(self, z):
        """(batch, 1)."""
        return self.params.pull * (z - self.centre).square().sum(dim=1, keepdim=True)

    def parts(self, x):
        z = self.encode(x)
        cost = self.likelihood(x, self.decode(z))
        return torch.cat([cost[:, :-1], self.distance(z)], dim=1)

    def loss(self, x, rng, seen=None):
        return super().loss(x, rng, seen) + self.distance(self.encode(x))[:, 0]
