"""Sparse autoencoders: l1, l2 and KL (Ng 2011, CS294A notes), k-sparse (Makhzani & Frey 2013)."""

from __future__ import annotations

import torch
from torch import Tensor

from aetool.errors import ParamError
from aetool.nn import AutoEncoder

ACTIVE = 1e-2  # of a unit's largest value: below, it counts as silent


def bernoulli_kl(rho: float, mean: Tensor) -> Tensor:
    """KL(Bernoulli(rho) || Bernoulli(mean)) of each unit, in nats; mean within 0 .. 1."""
    mean = mean.clamp(1e-6, 1 - 1e-6)
    return rho * (rho / mean).log() + (1 - rho) * ((1 - rho) / (1 - mean)).log()


class Sparse(AutoEncoder):
    """The loss gets l1 sum |z| + l2 sum z^2 + kl sum_u KL(rho || mean activation of u).

    With kl > 0 the code is a logistic sigmoid, and its mean is taken over the batch. With k > 0 all
    but the k largest |z| become 0.
    """

    def latent_size(self) -> int:
        size = super().latent_size() if self.params.latent else 2 * super().latent_size()
        if self.params.k > size:
            raise ParamError(f"k of sparse must be at most latent ({size}), got {self.params.k}")
        return size

    def encode(self, x: Tensor) -> Tensor:
        z = self.encoder(x)
        if self.params.kl:
            z = torch.sigmoid(z)
        if not 0 < self.params.k < self.latent:
            return z
        # the mask is a constant of the gradient (Makhzani & Frey 2013, section 2.1); indices, not a
        # threshold, so that ties cannot keep more than k
        largest = torch.topk(z.abs(), self.params.k, dim=1).indices
        return (z * 0).scatter(1, largest, torch.gather(z, 1, largest))

    def penalty(self, z: Tensor) -> Tensor:
        cost = self.params.l1 * z.abs().sum(dim=1).mean()
        cost = cost + self.params.l2 * z.square().sum(dim=1).mean()
        if self.params.kl:
            cost = cost + self.params.kl * bernoulli_kl(self.params.rho, z.mean(dim=0)).sum()
        return cost

    def report(self, x: Tensor) -> dict[str, float]:
        z = self.encode(x).abs()
        active = z > ACTIVE * z.amax(dim=0).clamp(min=1e-12)
        return {
            "active_units": round(float(active.float().sum(dim=1).mean()), 3),
            "mean_activation": round(float(z.mean()), 4),
            "units_never_active": int((~active.any(dim=0)).sum()),
        }
