"""Deep SVDD (Ruff et al. 2018) beside reconstruction, as DASVDD (Hojjati & Armanfar 2021)."""

from collections.abc import Iterable

import torch
from torch import Tensor

from aetool.nn import AutoEncoder


class Sphere(AutoEncoder):
    """Loss and score: -log p(x | z) + pull |z - centre|^2, the centre being the mean first code."""

    centre: Tensor
    learning_rate = 1e-3  # faster, and the sphere shrinks before its codes are any good

    def build(self) -> None:
        super().build()
        self.register_buffer("centre", torch.zeros(self.latent))

    def begin(self, batches: Iterable[Tensor]) -> None:
        codes = torch.cat([self.encode(x) for x in batches])
        self.centre.copy_(codes.mean(dim=0))

    def distance(self, z: Tensor) -> Tensor:
        """(batch, 1)."""
        return self.params.pull * (z - self.centre).square().sum(dim=1, keepdim=True)

    def parts(self, x: Tensor) -> Tensor:
        z = self.encode(x)
        cost = self.likelihood(x, self.decode(z))
        return torch.cat([cost[:, :-1], self.distance(z)], dim=1)

    def loss(self, x: Tensor, rng: torch.Generator, seen: Tensor | None = None) -> Tensor:
        return super().loss(x, rng, seen) + self.distance(self.encode(x))[:, 0]
