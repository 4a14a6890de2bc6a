"""The variational autoencoder (Kingma & Welling 2013; Rezende, Mohamed & Wierstra 2014)."""

from __future__ import annotations

import torch
from torch import Tensor

from aetool.nn import AutoEncoder, backbone, kl_to_standard_normal

LOWEST, HIGHEST = -12.0, 4.0  # log variance of the posterior


class VAE(AutoEncoder):
    """q(z|x) = N(mean, diag(var)), p(z) = N(0, I). What is stored is the mean.

    parts is the negative ELBO: the expected cost of each column, over fixed quasi-random draws so
    that the score is deterministic, and the KL as what all columns share.
    """

    draws: Tensor

    def build(self) -> None:
        self.encoder, self.decoder = backbone(
            self.spec, self.latent, out=2 * self.latent,
            width=self.width(), depth=self.params.depth,
        )  # fmt: skip
        sobol = torch.quasirandom.SobolEngine(self.latent, scramble=True, seed=0)  # type: ignore[no-untyped-call]
        uniform = sobol.draw(self.params.samples).clamp(1e-6, 1 - 1e-6)
        self.register_buffer("draws", torch.special.ndtri(uniform), persistent=False)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(z|x), each (batch, latent)."""
        mean, log_var = self.encoder(x).chunk(2, dim=1)
        return mean, log_var.clamp(LOWEST, HIGHEST)

    def encode(self, x: Tensor, given: Tensor | None = None) -> Tensor:
        return self.posterior(x)[0]

    def parts(self, x: Tensor, given: Tensor | None = None) -> Tensor:
        mean, log_var = self.posterior(x)
        spread = (0.5 * log_var).exp()
        z = mean[:, None] + spread[:, None] * self.draws
        many = x[:, None] * torch.ones(len(self.draws), *(1 for _ in x.shape[1:]), device=x.device)
        cost = self.likelihood(many.flatten(0, 1), self.decode(z.flatten(0, 1)))
        total = cost.reshape(-1, len(self.draws), cost.shape[1]).mean(dim=1)
        kl = kl_to_standard_normal(mean, log_var)[:, None]
        return torch.cat([total[:, :-1], kl], dim=1)

    def loss(self, x: Tensor, rng: torch.Generator, seen: Tensor | None = None) -> Tensor:
        mean, log_var = self.posterior(x if seen is None else seen)
        noise = torch.randn(mean.shape, generator=rng, device=x.device)
        cost = self.likelihood(x, self.decode(mean + (0.5 * log_var).exp() * noise)).sum(dim=1)
        return cost + self.params.beta * kl_to_standard_normal(mean, log_var)
