"""The denoising autoencoder (Vincent, Larochelle, Bengio & Manzagol 2008)."""

from __future__ import annotations

import torch
from torch import Tensor

from aetool.nn import AutoEncoder


class Denoising(AutoEncoder):
    """Each number gets Gaussian noise, each column is blanked with probability `mask`.

    A blanked number is 0, its mean; a blanked category has no level at all.
    """

    owner: Tensor
    context: Tensor
    noisy: Tensor

    def build(self) -> None:
        super().build()
        owner = torch.from_numpy(self.spec.owners())
        scored = owner >= 0
        self.register_buffer("owner", torch.where(scored, owner, 0), persistent=False)
        self.register_buffer("context", (~scored).float(), persistent=False)
        noisy = torch.zeros(self.spec.features)
        noisy[torch.from_numpy(self.spec.numeric)] = self.params.noise
        self.register_buffer("noisy", noisy, persistent=False)

    def latent_size(self) -> int:
        return super().latent_size() if self.params.latent or self.spec.shape else 64

    def corrupt(self, x: Tensor, rng: torch.Generator) -> Tensor:
        flat = x.flatten(1)
        draw = torch.rand((len(x), len(self.spec.columns)), generator=rng, device=x.device)
        kept = (draw >= self.params.mask).float()[:, self.owner]
        noise = torch.randn(flat.shape, generator=rng, device=x.device) * self.noisy
        return ((flat + noise) * torch.maximum(kept, self.context)).reshape(x.shape)
