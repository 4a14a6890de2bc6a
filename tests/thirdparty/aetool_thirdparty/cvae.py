"""Conditional variational autoencoder (Sohn, Lee & Yan 2015): records given what is known of them."""

import torch
from torch import Tensor

from aetool.nn import AutoEncoder, Backbone, backbone, kl_to_standard_normal, start_at_pca

MOST_LOG_VAR = 8.0  # of a posterior, either way


class Conditional(AutoEncoder):
    """z ~ N(0, I) whatever the condition c, and x ~ p(x | z, c).

    Loss and score: -log p(x | z, c) + KL(q(z | x, c) || N(0, I)). What the condition explains need
    not be in the code, so that the same code with another condition is a like record of its kind.
    """

    encoder: Backbone
    prior = "normal"

    def build(self) -> None:
        self.encoder, self.decoder = backbone(
            self.spec,
            self.latent + self.spec.conditions,
            out=2 * self.latent,
            width=self.width(),
            depth=self.params.depth,
        )

    @torch.no_grad()
    def start(self, x: Tensor) -> None:
        """At PCA of what the condition leaves, with the deviations that go with it."""
        noise = start_at_pca(self.encoder, self.decoder, self.spec, self.latent, x)
        if noise is not None:
            self.encoder.linear.bias[self.latent :] = noise.log()

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(z | x, c), (batch, latent); c is among the features of x."""
        h = self.encoder(x)
        return h[:, : self.latent], h[:, self.latent :].clamp(-MOST_LOG_VAR, MOST_LOG_VAR)

    def encode(self, x: Tensor) -> Tensor:
        return self.posterior(x)[0]

    def draw(self, x: Tensor, rng: torch.Generator) -> Tensor:
        mean, log_var = self.posterior(x)
        noise = torch.randn(mean.shape, generator=rng, device=x.device)
        return mean + (0.5 * log_var).exp() * noise

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        told = [z] if condition is None else [z, condition]
        return self.decoder(torch.cat(told, dim=1))

    def cost(self, x: Tensor, z: Tensor) -> Tensor:
        """(batch, columns + 1) nats: of each column given z and c, and last the divergence."""
        divergence = kl_to_standard_normal(*self.posterior(x)).sum(dim=1, keepdim=True)
        columns = self.likelihood(x, self.decode(z, self.condition(x)))
        return torch.cat([columns[:, :-1], divergence], dim=1)

    def parts(self, x: Tensor) -> Tensor:
        return self.cost(x, self.encode(x))

    def loss(self, x: Tensor, rng: torch.Generator, seen: Tensor | None = None) -> Tensor:
        return self.cost(x, self.draw(x, rng)).sum(dim=1)
