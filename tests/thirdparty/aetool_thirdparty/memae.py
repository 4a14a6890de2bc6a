"""Memory-augmented autoencoder (Gong et al. 2019): what is decoded is made of what is remembered."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from aetool.nn import AutoEncoder

LEAST = 1e-6  # of a length or a sum that is divided by
LEAST_WEIGHT = 1e-4  # above the threshold, which bounds the slope there; of a logarithm


def units(rows: Tensor) -> Tensor:
    """Rows of length 1."""
    return rows / rows.square().sum(dim=1, keepdim=True).add(LEAST).sqrt()


class Memory(AutoEncoder):
    """Code: the mean of a few memories, the more alike the encoder's output the more each counts.

    Loss: -log p(x | decode(encode(x))) + weight H, H being the entropy of how much each counts.
    """

    def build(self, rng: torch.Generator | None = None) -> None:
        super().build()
        slots = torch.randn((self.params.slots, self.latent), generator=rng)
        self.memory = nn.Parameter(slots)

    def begin(self, batches: Iterable[Tensor]) -> None:
        """The first memories are codes of rows, evenly spaced."""
        codes = torch.cat([self.encoder(x) for x in batches])
        rows = torch.linspace(0, len(codes) - 1, len(self.memory)).long()
        self.memory.copy_(codes[rows.to(codes.device)])

    def address(self, x: Tensor) -> Tensor:
        """(batch, slots), sums 1: softmax of the cosines, the small ones shrunk to 0."""
        alike = units(self.encoder(x)) @ units(self.memory).T
        weight = torch.softmax(self.params.sharpness * alike, dim=1)
        above = torch.relu(weight - self.params.shrink / self.params.slots)
        # their equation 7: w where it is above the threshold and else 0, with a slope
        weight = above * weight / (above + LEAST_WEIGHT)
        return weight / weight.sum(dim=1, keepdim=True).clamp(min=LEAST_WEIGHT)

    def encode(self, x: Tensor) -> Tensor:
        return self.address(x) @ self.memory

    def loss(self, x: Tensor, rng: torch.Generator, seen: Tensor | None = None) -> Tensor:
        weight = self.address(x)
        entropy = -(weight * weight.clamp(min=LEAST_WEIGHT).log()).sum(dim=1)
        return super().loss(x, rng, seen) + self.params.weight * entropy
