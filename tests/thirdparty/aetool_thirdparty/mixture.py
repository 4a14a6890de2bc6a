"""Deep autoencoding Gaussian mixture model (Zong et al. 2018)."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from aetool.nn import AutoEncoder

LEAST_VARIANCE = 1e-2  # along any axis of a component


class Mixture(AutoEncoder):
    """Energy: -log of a mixture of Gaussians of (code, log error), whose memberships a network
    estimates. Training takes the mixture from the batch, the score from all rows that were fitted.
    """

    log_share: Tensor
    mean: Tensor
    precision: Tensor
    batch_size = 512  # rows that a mixture is estimated from in a step

    def build(self) -> None:
        super().build()
        k, d = self.params.components, self.latent + 1
        self.member = nn.Sequential(nn.Linear(d, 10), nn.Tanh(), nn.Linear(10, k))
        self.register_buffer("log_share", torch.zeros(k))
        self.register_buffer("mean", torch.zeros(k, d))
        self.register_buffer("precision", torch.eye(d).repeat(k, 1, 1))

    def features(self, x: Tensor) -> Tensor:
        """(batch, latent + 1): what the mixture is of."""
        z = self.encode(x)
        off = (x - self.decode(z)).flatten(1).square().mean(dim=1, keepdim=True)
        return torch.cat([z, (off + LEAST_VARIANCE).log()], dim=1)

    def estimate(self, f: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """log share less half the log determinant (k,), mean (k, d) and precision (k, d, d)."""
        gamma = torch.softmax(self.member(f), dim=1)
        total = gamma.sum(dim=0).clamp(min=1e-6)
        mean = (gamma.T @ f) / total[:, None]
        off = f[:, None] - mean
        cov = torch.einsum("bk,bki,bkj->kij", gamma, off, off) / total[:, None, None]
        cov = cov + LEAST_VARIANCE * torch.eye(f.shape[1], device=f.device)
        log_share = (total / total.sum()).log() - 0.5 * torch.logdet(2 * math.pi * cov)
        return log_share, mean, torch.linalg.inv(cov)

    def energy(self, f: Tensor, log_share: Tensor, mean: Tensor, precision: Tensor) -> Tensor:
        """(batch,) nats."""
        off = f[:, None] - mean
        far = ((off[:, :, None] @ precision)[:, :, 0] * off).sum(dim=2)
        return -torch.logsumexp(log_share - 0.5 * far, dim=1)

    def finish(self, batches: Iterable[Tensor]) -> None:
        found = self.estimate(torch.cat([self.features(x) for x in batches]))
        for buffer, value in zip((self.log_share, self.mean, self.precision), found, strict=True):
            buffer.copy_(value)

    def parts(self, x: Tensor) -> Tensor:
        known = self.log_share, self.mean, self.precision
        shared = self.params.weight * self.energy(self.features(x), *known)
        cost = self.likelihood(x, self.expected(x))
        return torch.cat([cost[:, :-1], shared[:, None]], dim=1)

    def loss(self, x: Tensor, rng: torch.Generator, seen: Tensor | None = None) -> Tensor:
        f = self.features(x)
        energy = self.energy(f, *self.estimate(f))
        return super().loss(x, rng, seen) + self.params.weight * energy
