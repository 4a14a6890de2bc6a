"""The variational autoencoder (Kingma & Welling 2013; Rezende, Mohamed & Wierstra 2014)."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from aetool.data.scaling import PIXEL_MEAN, PIXEL_SPREAD
from aetool.errors import ParamError
from aetool.nn import AutoEncoder, Backbone, Likelihood, backbone, start_at_pca
from aetool_vae.pixels import MOST_DRAWN, LogisticPixels
from aetool_vae.posteriors import KINDS, log_normal

ACTIVE = 0.01  # nats of KL, on average: a unit with less says nothing
MOST_FULL = 64  # code units of a full covariance


class VAE(AutoEncoder):
    """A variational autoencoder: q(z|x) as params.posterior says, p(z) = N(0, I). What is stored is
    q's mean.

    parts is the negative ELBO, E_q[-log p(x|z)] + KL(q || p): the expected cost of each column,
    over fixed quasi-random draws so that the score is deterministic, and the KL as what all columns
    share. With score=iwae it is the bound of Burda, Grosse & Salakhutdinov 2015 (arXiv:1509.00519),
    -log mean_s w_s with w_s = p(x|z_s) p(z_s) / q(z_s|x), each column's cost being weighed by w_s.

    With pixels=logistic the decoder tells a mixture of discretised logistics for each pixel
    (aetool_vae.pixels), by z alone: parts in bits are a bound of the mass of 8-bit pictures. Scores
    of pictures beyond 128 x 128 average fewer draws: 2^18 pixels at most.
    """

    encoder: Backbone
    draws: Tensor

    def build(self) -> None:
        if self.params.posterior == "full" and self.latent > MOST_FULL:
            raise ParamError(
                f"posterior=full takes latent up to {MOST_FULL}, got {self.latent}; use flow"
            )
        shared = self.params.scale == "shared"
        self.likelihood = Likelihood(
            self.spec, self.params.error, self.params.pixels, shared, self.means
        )
        self.prior = "normal" if self.params.beta else "codes"
        self.q = KINDS[self.params.posterior](self.latent, self.params)
        width = self.width()
        depth = self.params.depth
        shape = self.spec.shape
        self.encoder, self.decoder = backbone(
            self.spec, self.latent, out=self.q.size, width=width, depth=depth
        )
        samples = self.params.samples
        # plain errors are of means alone
        if shape and self.params.pixels == "logistic" and self.params.error == "bits":
            self.decoder = LogisticPixels(
                self.latent, shape, max(4, width // 4), depth, self.params.components
            )
            samples = max(1, min(samples, MOST_DRAWN // (shape[1] * shape[2])))
        sobol = torch.quasirandom.SobolEngine(self.latent, scramble=True, seed=0)  # type: ignore[no-untyped-call]
        uniform = sobol.draw(samples).clamp(1e-6, 1 - 1e-6)
        self.register_buffer("draws", torch.special.ndtri(uniform), persistent=False)

    def start(self, x: Tensor) -> None:
        """Set the maps, in place, to probabilistic PCA of x: means to PCA's code, deviations to its
        posterior's. Nothing where the decoder gives no means."""
        if self.likelihood.bernoulli or self.logistic is not None:  # the decoder gives no means
            return
        noise = start_at_pca(self.encoder, self.decoder, self.spec, self.latent, x)
        if noise is not None and self.q.size >= 2 * self.latent:
            with torch.no_grad():
                self.encoder.linear.bias[self.latent : 2 * self.latent] = 0.5 * noise.log()

    @property
    def logistic(self) -> LogisticPixels | None:
        """The decoder, if it gives mixtures of logistics; else None."""
        if isinstance(self.decoder, LogisticPixels):
            return self.decoder
        return None

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of a Gaussian q(z|x) (of a flow: before it), (batch, latent)."""
        mean, log_sigma = self.q.moments(self.encoder(x))
        return mean, 2 * log_sigma

    def encode(self, x: Tensor) -> Tensor:
        return self.q.mean(self.encoder(x))

    def decode(self, z: Tensor) -> Tensor:
        out = self.decoder(z)
        if self.logistic is not None:
            return self.logistic.mean(out)
        if self.likelihood.bernoulli:
            out = (255 * torch.sigmoid(out) - PIXEL_MEAN) / PIXEL_SPREAD
        return out

    def bound(self, x: Tensor, h: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        """For noise eps (batch, draws, latent): -log p(x|z) by column (batch, draws, columns + 1),
        and log q(z|x) - log p(z) by unit (batch, draws, latent). h: encoder(x), or of damaged x."""
        z, log_q = self.q.sample(h, eps)
        ones = torch.ones(eps.shape[1], *(1 for _ in x.shape[1:]), device=x.device)
        cost = self.cost((x[:, None] * ones).flatten(0, 1), z.flatten(0, 1))
        return cost.reshape(-1, eps.shape[1], cost.shape[1]), log_q - log_normal(z)

    def cost(self, x: Tensor, z: Tensor) -> Tensor:
        """-log p(x|z) by column, (batch, columns + 1), of as many rows as codes; last is 0."""
        if self.logistic is None:
            return self.likelihood(x, self.decode(z))
        pixels = self.logistic.nats(x, self.logistic(z))
        return torch.cat([pixels, pixels[:, :1] * 0.0], dim=1)

    def finish(self, batches: Iterable[Tensor]) -> None:
        """For a decoder of mixtures, set the likelihood's scales, by which `sample` adds noise, to
        the differences of pixels from the mixtures' means, on the first batch."""
        if self.logistic is not None:
            x = next(iter(batches))
            self.likelihood.start(x, self.decode(self.encode(x)))

    def draw(self, x: Tensor, rng: torch.Generator) -> Tensor:
        eps = torch.randn((len(x), 1, self.latent), generator=rng, device=x.device)
        return self.q.sample(self.encoder(x), eps)[0].flatten(1)

    def parts(self, x: Tensor) -> Tensor:
        h = self.encoder(x)
        cost, ratio = self.bound(x, h, h[:, None, : self.latent] * 0 + self.draws)
        kl = self.q.kl(h)
        if self.params.score == "iwae":
            log_w = -cost.sum(dim=2) - ratio.sum(dim=2)
            share = torch.softmax(log_w, dim=1)[:, :, None]
            columns = (share * cost).sum(dim=1)[:, :-1]
            total = math.log(len(self.draws)) - torch.logsumexp(log_w, dim=1, keepdim=True)
            return torch.cat([columns, total - columns.sum(dim=1, keepdim=True)], dim=1)
        spent = ratio.mean(dim=1) if kl is None else kl
        return torch.cat([cost.mean(dim=1)[:, :-1], spent.sum(dim=1, keepdim=True)], dim=1)

    def loss(self, x: Tensor, rng: torch.Generator, seen: Tensor | None = None) -> Tensor:
        h = self.encoder(x if seen is None else seen)
        shape = (len(x), self.params.draws, self.latent)
        eps = torch.randn(shape, generator=rng, device=x.device)
        cost, ratio = self.bound(x, h, eps)
        kl = self.q.kl(h)
        spent = ratio.mean(dim=1) if kl is None else kl
        if self.params.free_bits:  # Kingma et al. 2016, appendix C.8: of the batch's mean, by unit
            free = self.params.free_bits * math.log(2)
            spent = spent.mean(dim=0, keepdim=True).clamp(min=free)
        beta = self.params.beta
        if self.params.warmup:  # Bowman et al. 2016 (arXiv:1511.06349), section 3.1
            beta *= min(1.0, self.progress / self.params.warmup)
        return cost.sum(dim=2).mean(dim=1) + beta * spent.sum(dim=1)

    def report(self, x: Tensor) -> dict[str, float]:
        """Figures of training: KL, units in use, and how far all codes together are from the prior:
        KL(N(m, S) || N(0, I)) with the mean m and covariance S of the posteriors' mixture."""
        h = self.encoder(x)
        eps = torch.randn((len(x), 8, self.latent), generator=torch.Generator().manual_seed(0))
        z, log_q = self.q.sample(h, eps)
        kl = self.q.kl(h)
        kl = (log_q - log_normal(z)).mean(dim=1) if kl is None else kl
        z = z.flatten(0, 1).double()
        cov = torch.cov(z.T).reshape(self.latent, self.latent) + 1e-9 * torch.eye(self.latent)
        off = cov.trace() + z.mean(dim=0).square().sum() - self.latent - torch.logdet(cov)
        return {
            "kl_nats": round(float(kl.sum(dim=1).mean()), 4),
            "active_units": int((kl.mean(dim=0) > ACTIVE).sum()),
            "prior_mismatch_nats": round(0.5 * float(off), 4),
        }
