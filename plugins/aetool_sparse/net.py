"""Sparse autoencoders: l1 (Ng 2011, CS294A notes) and k-sparse (Makhzani & Frey 2013)."""

from __future__ import annotations

import torch
from torch import Tensor

from aetool.errors import ParamError
from aetool.nn import AutoEncoder


class Sparse(AutoEncoder):
    """l1: l1 * sum |z| is added to the loss. k > 0: all but the k largest |z| become 0."""

    def latent_size(self) -> int:
        size = super().latent_size() if self.params.latent else 2 * super().latent_size()
        if self.params.k > size:
            raise ParamError(f"k of sparse must be at most latent ({size}), got {self.params.k}")
        return size

    def encode(self, x: Tensor, given: Tensor | None = None) -> Tensor:
        z = self.encoder(x)
        if not 0 < self.params.k < self.latent:
            return z
        # the mask is a constant of the gradient (Makhzani & Frey 2013, section 2.1)
        least = torch.topk(z.abs(), self.params.k, dim=1).values[:, -1:]
        return z * (z.abs() >= least)

    def penalty(self, z: Tensor) -> Tensor:
        return self.params.l1 * z.abs().sum(dim=1).mean()
