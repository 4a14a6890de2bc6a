"""Wasserstein autoencoder (Tolstikhin, Bousquet, Gelly & Schoelkopf 2018) with the MMD penalty."""

import torch
from torch import Tensor

from aetool.nn import AutoEncoder

SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # of kernels, times the usual distance of two codes


def kernel(a: Tensor, b: Tensor) -> Tensor:
    """(rows of a, rows of b): inverse multiquadrics c / (c + |a - b|^2), summed over the scales."""
    off = a.square().sum(dim=1)[:, None] + b.square().sum(dim=1) - 2 * a @ b.T
    usual = 2.0 * a.shape[1]  # the mean square distance of two draws of N(0, I)
    off = off.clamp(min=0)
    return torch.stack([scale * usual / (scale * usual + off) for scale in SCALES]).sum(dim=0)


def discrepancy(a: Tensor, b: Tensor) -> Tensor:
    """Scalar: the unbiased estimate of MMD^2 of two samples of as many rows (their algorithm 2)."""
    rows = len(a)
    if rows < 2:  # a pair is the least that this can be told of
        return a.sum() * 0
    within = kernel(a, a) + kernel(b, b)
    among = within.sum() - within.diagonal().sum()
    return among / (rows * (rows - 1)) - 2 * kernel(a, b).mean()


class Wasserstein(AutoEncoder):
    """Loss: -log p(x | decode(encode(x))) + weight MMD^2(encode(x), N(0, I)).

    Its codes as a whole, and not each as in a VAE, are to be those of N(0, I).
    """

    prior = "normal"

    def penalty(self, z: Tensor, rng: torch.Generator | None = None) -> Tensor:
        ideal = torch.randn(z.shape, generator=rng, device=z.device)
        return self.params.weight * discrepancy(z, ideal)
