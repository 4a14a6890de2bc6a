"""Sparse autoencoders: a dictionary of which each record takes few columns."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from aetool.errors import ParamError
from aetool.nn import AutoEncoder, Backbone, backbone

TABLE_UNITS, IMAGE_UNITS = 8, 4  # times the code of a dense autoencoder
MEMORY = 0.98  # of the moving means behind the threshold and the use of each unit
LEAST_USE = 0.1  # of the mean use of a unit: one with less is let in at smaller values
LEAST_RATE = 1e-3  # at which a unit counts as active, at least
EASE = 0.05  # how fast, in nats a step


def bernoulli_kl(rho: float, mean: Tensor) -> Tensor:
    """KL(Bernoulli(rho) || Bernoulli(mean)) of each unit, in nats; mean within 0 .. 1."""
    mean = mean.clamp(1e-6, 1 - 1e-6)
    return rho * (rho / mean).log() + (1 - rho) * ((1 - rho) / (1 - mean)).log()


class Sparse(AutoEncoder):
    """A sparse autoencoder: x_hat = D z + b with a dictionary D of columns of norm 1, and z mostly
    exact zeros.

    z keeps of the encoder's output u what lies beyond a threshold. In training that is the part
    `active` of a whole batch, and the threshold in use is its moving mean (BatchTopK: Bussmann,
    Leask & Nanda 2024, arXiv:2412.06410); with k > 0 each record keeps its k largest (Makhzani &
    Frey 2013, arXiv:1312.5663; Gao et al. 2024, arXiv:2406.04093). Units that hardly any record
    takes are let in more easily, until some do: a conscience (DeSieno 1988). With kl > 0 the code
    is a logistic sigmoid whose mean over the batch is pulled to rho (Ng 2011, CS294A notes).

    Score: -log p(x | z), and as what all columns share the nats that tell which units are active,
    each by itself as often as in training, beyond those of none: a record that takes many, or rare,
    columns of the dictionary is odd even if they restore it.
    """

    encoder: Backbone
    decoder: Backbone
    threshold: Tensor
    ease: Tensor
    use: Tensor
    taken: Tensor
    order: Tensor

    def latent_size(self) -> int:
        size = super().latent_size()
        if not self.params.latent:
            size *= IMAGE_UNITS if self.spec.shape else TABLE_UNITS
        if self.params.k > size:
            raise ParamError(f"k of sparse must be at most latent ({size}), got {self.params.k}")
        return size

    def build(self) -> None:
        self.encoder, _ = backbone(
            self.spec, self.latent, width=self.width(), depth=self.params.depth
        )
        _, self.decoder = backbone(self.spec, self.latent, depth=0)
        self.register_buffer("threshold", torch.zeros(()))
        # of units that are equal, as two drawn from one row are, the first is taken everywhere
        order = 1 - 1e-3 * torch.arange(self.latent) / self.latent
        self.register_buffer("order", order, persistent=False)
        self.register_buffer("ease", torch.zeros(self.latent))
        k = self.params.k
        self.share = min(1.0, k / self.latent) if k else self.params.active
        self.register_buffer("use", torch.full((self.latent,), self.share))
        self.register_buffer("taken", self.use.clone(), persistent=False)

    @torch.no_grad()
    def start(self, x: Tensor) -> None:
        """Set the dictionary's columns, in place, to directions of random rows of x, and the
        encoder to products with these."""
        flat = x.flatten(1)
        mean = flat.mean(dim=0)
        rng = torch.Generator(device=x.device).manual_seed(0)
        rows = flat[torch.randint(len(flat), (self.latent,), generator=rng, device=x.device)]
        scored = torch.from_numpy(self.spec.owners() >= 0).to(flat)
        noise = 1e-3 * torch.randn(rows.shape, generator=rng, device=x.device)
        axes = F.normalize((rows - mean + noise) * scored, dim=1)
        there = self.encoder.linear
        back = self.decoder.linear
        there.weight.copy_(axes)
        there.bias.copy_(-(axes @ mean))
        self.encoder.silence()
        back.weight.copy_(axes.T)
        back.bias.copy_(mean)
        for feature, _ in self.spec.flags:
            back.bias[feature] = torch.logit(mean[feature].clamp(1e-3, 1 - 1e-3))
        for _, first, width in self.spec.categories:
            back.bias[first : first + width] = mean[first : first + width].clamp(min=1e-3).log()
        few = x[:1000]
        u = self.encoder(few)
        cut = self.cut(u)
        # columns are alike, so that what they measure adds up to too much: by one factor less
        numbers = torch.from_numpy(self.spec.numeric).to(x.device)
        wanted = (few.flatten(1) - mean).index_select(1, numbers)
        got = (self.sparse(u, cut) @ back.weight.T).index_select(1, numbers)
        gain = ((wanted * got).sum() / got.square().sum().clamp(min=1e-9)).clamp(1e-3, 1.0)
        there.weight.mul_(gain)
        there.bias.mul_(gain)
        self.threshold.copy_(gain * cut)

    def cut(self, u: Tensor) -> Tensor:
        """The threshold, a scalar, above which the part `active` of |u|, (batch, latent), lies,
        after the ease of each unit is added."""
        size = (u.detach().abs() * self.ease.exp()).flatten()
        return size.kthvalue(max(1, round(len(size) * (1 - self.share)))).values

    def sparse(self, u: Tensor, threshold: Tensor) -> Tensor:
        """A code with only its large entries, (batch, latent), 0 elsewhere: the k largest of each
        record, or those above the threshold. u: (batch, latent), the encoder's output."""
        if self.params.kl:
            u = torch.sigmoid(u)
        size = u.abs() * self.ease.exp()
        if 0 < self.params.k < self.latent:
            # indices, not a threshold, so that ties cannot keep more than k
            largest = torch.topk(size * self.order, self.params.k, dim=1).indices
            return (u * 0).scatter(1, largest, torch.gather(u, 1, largest))
        if self.share == 1 or self.params.kl:
            return u
        return u * (size > threshold)

    def encode(self, x: Tensor) -> Tensor:
        return self.sparse(self.encoder(x), self.threshold)

    def parts(self, x: Tensor) -> Tensor:
        z = self.encode(x)
        use = self.use.clamp(LEAST_RATE, 0.5)
        told = ((z != 0).to(z) * ((1 - use) / use).log()).sum(dim=1, keepdim=True)
        return torch.cat([self.likelihood(x, self.decode(z))[:, :-1], told], dim=1)

    def loss(self, x: Tensor, rng: torch.Generator, seen: Tensor | None = None) -> Tensor:
        u = self.encoder(x if seen is None else seen)
        threshold = self.threshold
        if self.training:
            threshold = self.cut(u)
            self.threshold.lerp_(threshold, 1 - MEMORY)
        z = self.sparse(u, threshold)
        self.taken = (z.detach() != 0).float().mean(dim=0)
        return self.likelihood(x, self.decode(z)).sum(dim=1) + self.penalty(z)

    def penalty(self, z: Tensor) -> Tensor:
        cost = self.params.l1 * z.abs().sum(dim=1).mean()
        cost = cost + self.params.l2 * z.square().sum(dim=1).mean()
        if self.params.kl:
            cost = cost + self.params.kl * bernoulli_kl(self.params.rho, z.mean(dim=0)).sum()
        return cost

    @torch.no_grad()
    def after_step(self, rng: torch.Generator) -> None:
        weight = self.decoder.linear.weight
        weight.copy_(F.normalize(weight, dim=0))
        self.use.lerp_(self.taken, 1 - MEMORY)
        wanted = 1 - self.use / (LEAST_USE * self.share)
        self.ease.add_(EASE * wanted.clamp(min=-1)).clamp_(min=0)

    def report(self, x: Tensor) -> dict[str, float]:
        z = self.encode(x)
        return {
            "active_units": round(float((z != 0).float().sum(dim=1).mean()), 3),
            "mean_activation": round(float(z.abs().mean()), 4),
            "units_never_active": int((z == 0).all(dim=0).sum()),
        }
