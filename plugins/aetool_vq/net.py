"""Vector quantisation (van den Oord, Vinyals & Kavukcuoglu 2017, arXiv:1711.00937), on one level
or two (Razavi, van den Oord & Vinyals 2019, arXiv:1906.00446)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from aetool.errors import ParamError
from aetool.model import Discrete
from aetool.nn import AutoEncoder, MaskedLinear, backbone, spread

DECAY = 0.99  # of the moving averages behind the code books
DEAD = 0.02  # of the use that each entry would have if all were used alike
HOTTEST, COOLEST, COOLING = 1.0, 0.3, 0.998  # temperature of the Gumbel-softmax, and its fall


class VQ(AutoEncoder):
    """A vector-quantised autoencoder: the encoder gives `latent` vectors of `dim` numbers; each is
    replaced by the nearest entry of a code book of its own, whose number is the code.

    Gradients pass straight through; entries are moving averages of what chose them (appendix A.1),
    and one that is hardly chosen takes the place of a vector of the batch. With relax=gumbel the
    encoder gives logits, and training sees mixtures of entries (Jang, Gu & Poole 2017,
    arXiv:1611.01144).

    With levels=2 the first third of the codes, the top, are of what a further layer makes of the
    encoder's output; the others are of that output and the top's entries together. The decoder has
    the entries of both.

    Score: -log p(x | codes), and as what all columns share -log p(codes) under a masked network
    that tells each code from those before it. Together they are -log p(x, codes).
    """

    book: Tensor
    count: Tensor
    total: Tensor
    offset: Tensor
    heat: Tensor
    prior = "graph"

    def latent_size(self) -> int:
        if self.params.latent:
            return int(self.params.latent)
        if self.spec.shape:
            return 16
        return max(2, min(8, len(self.spec.columns) // 2))

    def build(self) -> None:
        m = self.latent
        d = self.params.dim
        self.top = max(1, m // 3) if self.params.levels == 2 else 0
        if self.top and (m < 2 or self.params.relax == "gumbel"):
            raise ParamError("levels=2 takes latent of 2 or more, and relax=nearest")
        k = self.params.size or (256 if self.spec.shape else 64)
        self.size = k
        self.gumbel = self.params.relax == "gumbel"
        self.code = Discrete(k, (m,))
        self.encoder, self.decoder = backbone(
            self.spec, m * d, out=m * k if self.gumbel else (m - self.top) * d,
            width=self.width(), depth=self.params.depth, straight=False,
        )  # fmt: skip
        if self.top:
            below = (m - self.top) * d
            wide = self.width()
            up = nn.Linear(below, wide), nn.SiLU(), nn.Linear(wide, self.top * d)
            self.up = nn.Sequential(*up)
            self.down = nn.Linear(m * d, below)
        book = torch.randn(m, k, d)
        if self.gumbel:
            self.book = nn.Parameter(book)
        else:
            self.register_buffer("book", book)
        self.register_buffer("count", torch.zeros(m, k), persistent=False)
        self.register_buffer("total", torch.zeros(m, k, d), persistent=False)
        self.register_buffer("offset", k * torch.arange(m), persistent=False)
        self.register_buffer("heat", torch.tensor(HOTTEST), persistent=False)
        degree = torch.arange(1, m + 1)
        inner = spread(self.width(), m)
        outer = degree.repeat_interleave(k)
        self.hidden = MaskedLinear(degree.repeat_interleave(d), inner, True)
        self.out = MaskedLinear(inner, outer, False)
        self.batch: tuple[Tensor, Tensor] | None = None

    def vectors(self, x: Tensor) -> Tensor:
        """(batch, latent x dim): what the encoder makes of x, to be replaced by entries of the
        codebook; with relax=gumbel, logits.
        """
        h = self.encoder(x)
        if not self.top:
            return h
        top = self.up(h)
        e = self.entries(self.chosen(top))
        return torch.cat([top, self.down(torch.cat([top + (e - top).detach(), h], dim=1))], dim=1)

    def chosen(self, h: Tensor) -> Tensor:
        """Choose the nearest entry of each code book: its number for each vector, (batch, codes).
        h: (batch, codes x dim), the vectors, of the first code books."""
        if self.gumbel:
            return h.reshape(-1, self.latent, self.size).argmax(dim=2)
        v = h.reshape(-1, h.shape[1] // self.params.dim, self.params.dim).transpose(0, 1)
        book = self.book[: len(v)]
        far = book.square().sum(dim=2)[:, None] - 2 * v @ book.transpose(1, 2)
        return far.argmin(dim=2).transpose(0, 1)

    def entries(self, codes: Tensor) -> Tensor:
        """The entries of the code books that codes, (batch, codes), are the numbers of: (batch,
        codes x dim)."""
        places = codes + self.offset[: codes.shape[1]]
        flat = self.book.flatten(0, 1).index_select(0, places.flatten())
        return flat.reshape(-1, codes.shape[1] * self.params.dim)

    def encode(self, x: Tensor) -> Tensor:
        return self.chosen(self.vectors(x)).float()

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(self.entries(z.round().clamp(0, self.size - 1).long()))

    def prior_logits(self, z: Tensor) -> Tensor:
        entries = self.entries(z.round().clamp(0, self.size - 1).long()).detach()
        return self.out(F.silu(self.hidden(entries))).reshape(-1, self.latent, self.size)

    def told(self, codes: Tensor) -> Tensor:
        """The cost of each code, given the codes before it, -log p in nats: (batch, latent)."""
        logits = F.log_softmax(self.prior_logits(codes.float()), dim=2)
        return -torch.gather(logits, 2, codes[:, :, None])[:, :, 0]

    def parts(self, x: Tensor) -> Tensor:
        codes = self.chosen(self.vectors(x))
        cost = self.likelihood(x, self.decoder(self.entries(codes)))
        return torch.cat([cost[:, :-1], self.told(codes).sum(dim=1, keepdim=True)], dim=1)

    def loss(self, x: Tensor, rng: torch.Generator, seen: Tensor | None = None) -> Tensor:
        h = self.vectors(x if seen is None else seen)
        codes = self.chosen(h)
        nats_told = self.told(codes).sum(dim=1)
        if self.gumbel:
            logits = h.reshape(-1, self.latent, self.size)
            draw = torch.rand(logits.shape, generator=rng, device=x.device).clamp(1e-6, 1 - 1e-6)
            share = torch.softmax((logits - (-draw.log()).log()) / self.heat, dim=2)
            mixed = torch.einsum("bmk,mkd->bmd", share, self.book).flatten(1)
            log_p = F.log_softmax(logits, dim=2)
            nats_spent = (log_p.exp() * (log_p + math.log(self.size))).sum(dim=(1, 2))
            return self.likelihood(x, self.decoder(mixed)).sum(dim=1) + nats_spent + nats_told
        e = self.entries(codes)
        if self.training:
            self.batch = h.detach(), codes
        cost = self.likelihood(x, self.decoder(h + (e - h).detach())).sum(dim=1)
        return cost + self.params.commitment * (h - e).square().sum(dim=1) + nats_told

    @torch.no_grad()
    def after_step(self, rng: torch.Generator) -> None:
        if self.gumbel:
            self.heat.mul_(COOLING).clamp_(min=COOLEST)
            return
        if self.batch is None:
            return
        h, codes = self.batch
        v = h.reshape(-1, self.latent, self.params.dim).transpose(0, 1)
        chose = F.one_hot(codes.T, self.size).float()
        self.count.lerp_(chose.sum(dim=1), 1 - DECAY)
        self.total.lerp_(chose.transpose(1, 2) @ v, 1 - DECAY)
        dead = self.count < DEAD * len(h) / self.size
        other = torch.randint(len(h), dead.shape, generator=rng, device=h.device)
        fresh = torch.gather(v, 1, other[:, :, None].expand(-1, -1, self.params.dim))
        self.count[dead] = len(h) / self.size
        self.total[dead] = fresh[dead] * len(h) / self.size
        self.book.copy_(self.total / self.count[:, :, None])

    def report(self, x: Tensor) -> dict[str, float]:
        codes = self.encode(x).long()
        used = F.one_hot(codes, self.size).float().mean(dim=0)
        entropy = -(used * used.clamp(min=1e-12).log()).sum(dim=1)
        return {
            "code_levels": self.size,
            "codebook_perplexity": round(float(entropy.exp().mean()), 2),
            "code_bits": round(float(self.told(codes).sum(dim=1).mean()) / math.log(2), 3),
        }
