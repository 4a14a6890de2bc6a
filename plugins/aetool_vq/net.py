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

CODES_OF_PICTURES = 16  # by default
DECAY = 0.99  # of the moving averages behind the code books
DEAD = 0.02  # of the use that each entry would have if all were used alike
HOTTEST = 1.0  # temperature of the Gumbel-softmax at first
COOLEST = 0.3  # at last
COOLING = 0.998  # times in every step


class VQ(AutoEncoder):
    """A vector-quantised autoencoder: the encoder gives `latent` vectors of `dim` numbers; each is
    replaced by the nearest entry of a code book of its own, whose number, 0 .. size - 1, is the
    code.

    Gradients pass straight through; entries are moving averages of what chose them (van den Oord et
    al. 2017, appendix A.1), and one that is hardly chosen takes the place of a vector of the batch.
    With relax=gumbel the encoder gives logits, and training sees mixtures of entries (Jang, Gu &
    Poole 2017, arXiv:1611.01144).

    With levels=2 the first third of the codes, the top, are of what a further layer makes of the
    encoder's output; the others are of that output and the top's entries together. The decoder has
    the entries of both. top: how many codes that is, 0 for levels=1.

    Score: -log p(x | codes), and as what all columns share -log p(codes) under a masked network
    that predicts each code from those before it, in nats. Together they are -log p(x, codes).

    book: (codes, size, dim), the code books. count, (codes, size), and total, (codes, size, dim):
    moving averages of how many vectors chose an entry, and of their sum. offset: (codes,), where
    each book begins once all are one behind the other. heat: the temperature of the Gumbel-softmax.
    """

    book: Tensor
    count: Tensor
    total: Tensor
    offset: Tensor
    heat: Tensor
    prior = "graph"

    def latent_size(self) -> int:
        """How many codes a record has: the parameter `latent`; if that is 0, 16 for pictures, for
        tables half the number of columns, rounded down, from 2 to 8."""
        if self.params.latent:
            return int(self.params.latent)
        if self.spec.shape:
            return CODES_OF_PICTURES
        half_of_columns = len(self.spec.columns) // 2
        return max(2, min(8, half_of_columns))

    def build(self) -> None:
        """Make encoder, decoder, code books and the prior of codes. ParamError for levels=2 with a
        single code, or with relax=gumbel."""
        params = self.params
        codes = self.latent
        self.top = 0
        if params.levels == 2:
            self.top = max(1, codes // 3)
        self.gumbel = params.relax == "gumbel"
        if self.top and (codes < 2 or self.gumbel):
            raise ParamError("levels=2 takes latent of 2 or more, and relax=nearest")
        usual_size = 256 if self.spec.shape else 64
        self.size = params.size or usual_size
        self.code = Discrete(self.size, (codes,))
        # layers draw their first weights in this order, which decides what a seed gives
        self._build_backbone()
        self._build_books()
        self._build_prior()
        self.batch: tuple[Tensor, Tensor] | None = None

    def _build_backbone(self) -> None:
        """Make the encoder and the decoder, and for two levels the layers between these."""
        dim = self.params.dim
        vectors = self.latent * dim
        # with two levels the encoder gives the lower vectors, and the top is computed from these
        below = (self.latent - self.top) * dim
        encoded = below
        if self.gumbel:
            encoded = self.latent * self.size
        width = self.width()
        self.encoder, self.decoder = backbone(
            self.spec,
            vectors,
            out=encoded,
            width=width,
            depth=self.params.depth,
            straight=False,
        )
        if not self.top:
            return
        into = nn.Linear(below, width)
        out_of = nn.Linear(width, self.top * dim)
        self.up = nn.Sequential(into, nn.SiLU(), out_of)
        self.down = nn.Linear(vectors, below)

    def _build_books(self) -> None:
        """Make the code books, and what they are computed from: moving averages of how many vectors
        chose an entry, and of the sum of these vectors. With relax=gumbel the books are weights
        that training changes."""
        codes = self.latent
        shape = (codes, self.size, self.params.dim)
        book = torch.randn(*shape)
        if self.gumbel:
            self.book = nn.Parameter(book)
        else:
            self.register_buffer("book", book)
        # what only training needs is not stored
        averages = {
            "count": torch.zeros(codes, self.size),
            "total": torch.zeros(*shape),
            "offset": self.size * torch.arange(codes),
            "heat": torch.tensor(HOTTEST),
        }
        for name, start in averages.items():
            self.register_buffer(name, start, persistent=False)

    def _build_prior(self) -> None:
        """Make the masked network that predicts each code from those before it."""
        degree = torch.arange(1, self.latent + 1)
        width = self.width()
        # every number of a code's entry has the degree of the code
        inputs = degree.repeat_interleave(self.params.dim)
        hidden = spread(width, self.latent)
        outputs = degree.repeat_interleave(self.size)
        self.hidden = MaskedLinear(inputs, hidden, True)
        self.out = MaskedLinear(hidden, outputs, False)

    def vectors(self, x: Tensor) -> Tensor:
        """(batch, latent x dim): what the encoder makes of rows x, to be replaced by entries of the
        code books; with relax=gumbel, (batch, latent x size), the logits of the entries."""
        h = self.encoder(x)
        if not self.top:
            return h
        top = self.up(h)
        top_codes = self.chosen(top)
        entries = self.entries(top_codes)
        quantised = _straight_through(top, entries)
        top_and_below = torch.cat([quantised, h], dim=1)
        below = self.down(top_and_below)
        return torch.cat([top, below], dim=1)

    def chosen(self, h: Tensor) -> Tensor:
        """Choose the nearest entry of each code book: its number for each vector, (batch, codes)
        int64. h: (batch, codes x dim), the vectors, of the first code books. With relax=gumbel the
        entry of the largest logit; h: the logits of all, (batch, codes x size)."""
        if self.gumbel:
            logits = self._by_code(h)
            return logits.argmax(dim=2)
        dim = self.params.dim
        codes = h.shape[1] // dim
        vectors = h.reshape(-1, codes, dim)
        vectors = vectors.transpose(0, 1)
        book = self.book[:codes]
        square = book.square()
        length = square.sum(dim=2)[:, None]
        products = 2 * vectors @ book.transpose(1, 2)
        # less the squared length of the vector, which is the same for all entries
        distances = length - products
        nearest = distances.argmin(dim=2)
        return nearest.transpose(0, 1)

    def _by_code(self, logits: Tensor) -> Tensor:
        """(batch, latent, size): logits of the entries, (batch, latent x size), code by code."""
        return logits.reshape(-1, self.latent, self.size)

    def entries(self, codes: Tensor) -> Tensor:
        """The entries of the first code books, (batch, codes x dim), that codes, (batch, codes) of
        an integer type, are the numbers of, one for each book: 0 .. size - 1, unchecked."""
        count = codes.shape[1]
        places = codes + self.offset[:count]
        # all books one behind the other
        shelf = self.book.flatten(0, 1)
        entries = shelf.index_select(0, places.flatten())
        return entries.reshape(-1, count * self.params.dim)

    def _entries_of_numbers(self, z: Tensor) -> Tensor:
        """The entries, as `entries` returns them, of codes z, (batch, codes), which are float32 and
        are rounded and moved into the range of numbers that a book has."""
        last = self.size - 1
        codes = z.round().clamp(0, last)
        return self.entries(codes.long())

    def encode(self, x: Tensor) -> Tensor:
        """The codes of rows x, (batch, latent), numbers of entries as float32."""
        vectors = self.vectors(x)
        codes = self.chosen(vectors)
        return codes.float()

    def decode(self, z: Tensor) -> Tensor:
        """What codes z, (batch, latent), are decoded to, laid out as x; codes are rounded, and
        moved into 0 .. size - 1."""
        entries = self._entries_of_numbers(z)
        return self.decoder(entries)

    def prior_logits(self, z: Tensor) -> Tensor:
        """The logits of each code given those before it, (batch, latent, size), for codes z,
        (batch, latent) float32. Code books get no gradient by them."""
        # the prior learns what the codes are, and does not change them
        entries = self._entries_of_numbers(z).detach()
        hidden = F.silu(self.hidden(entries))
        logits = self.out(hidden)
        return self._by_code(logits)

    def nats_of_codes(self, codes: Tensor) -> Tensor:
        """The cost of each code, given the codes before it, -log p in nats: (batch, latent). codes:
        (batch, latent) int64, each 0 .. size - 1."""
        logits = self.prior_logits(codes.float())
        log_p = F.log_softmax(logits, dim=2)
        index = codes[:, :, None]
        log_p_of_codes = torch.gather(log_p, 2, index)
        return -log_p_of_codes[:, :, 0]

    def parts(self, x: Tensor) -> Tensor:
        """(batch, columns + 1), in nats: the cost of each column of rows x given their codes, and
        last that of the codes."""
        vectors = self.vectors(x)
        codes = self.chosen(vectors)
        entries = self.entries(codes)
        expected = self.decoder(entries)
        # the likelihood says nothing of what all columns share
        columns = self.likelihood(x, expected)[:, :-1]
        nats = self.nats_of_codes(codes)
        shared = nats.sum(dim=1, keepdim=True)
        return torch.cat([columns, shared], dim=1)

    def loss(
        self,
        x: Tensor,
        rng: torch.Generator,
        seen: Tensor | None = None,
    ) -> Tensor:
        """The loss of each row x, (batch,), in nats: what it costs given its codes, or those of
        `seen` if that is given; the pull of vectors to entries; and the cost of the codes. In
        training the vectors are kept for `after_step`. rng: of relax=gumbel, which draws its
        noise."""
        h = self.vectors(x if seen is None else seen)
        codes = self.chosen(h)
        nats_of_codes = self.nats_of_codes(codes)
        prior = nats_of_codes.sum(dim=1)
        if self.gumbel:
            return self._relaxed_loss(x, h, rng) + prior
        entries = self.entries(codes)
        if self.training:
            # `after_step` reads them
            self.batch = h.detach(), codes
        quantised = _straight_through(h, entries)
        expected = self.decoder(quantised)
        costs = self.likelihood(x, expected)
        cost = costs.sum(dim=1)
        squares = (h - entries).square()
        distance = squares.sum(dim=1)
        return cost + self.params.commitment * distance + prior

    def _relaxed_loss(self, x: Tensor, h: Tensor, rng: torch.Generator) -> Tensor:
        """The loss of rows x without the cost of codes, (batch,), in nats, for codes that are
        mixtures of entries (relax=gumbel): of what they are decoded to, and of how far from uniform
        they are chosen. h: (batch, latent x size), the logits of the entries; rng: draws noise."""
        logits = self._by_code(h)
        uniform = torch.rand(logits.shape, generator=rng, device=x.device)
        # of 0 and 1 there would be no logarithm
        uniform = uniform.clamp(1e-6, 1 - 1e-6)
        # Gumbel noise is -log(-log u)
        minus_noise = (-uniform.log()).log()
        heated = (logits - minus_noise) / self.heat
        share = torch.softmax(heated, dim=2)
        mixed = torch.einsum("bmk,mkd->bmd", share, self.book)
        expected = self.decoder(mixed.flatten(1))
        log_p = F.log_softmax(logits, dim=2)
        # KL from the uniform distribution over the entries
        beyond_uniform = log_p + math.log(self.size)
        nats = log_p.exp() * beyond_uniform
        costs = self.likelihood(x, expected)
        cost = costs.sum(dim=1)
        return cost + nats.sum(dim=(1, 2))

    @torch.no_grad()
    def after_step(self, rng: torch.Generator) -> None:
        """Move the code books, and the moving averages `count` and `total`, in place, towards the
        vectors of the last training batch, and give an entry that is hardly chosen the place of one
        of these, which rng draws; with relax=gumbel lower the temperature instead. Nothing before
        the first batch."""
        if self.gumbel:
            self.heat.mul_(COOLING)
            self.heat.clamp_(min=COOLEST)
            return
        if self.batch is None:
            return
        h, codes = self.batch
        rows = len(h)
        vectors = h.reshape(-1, self.latent, self.params.dim)
        vectors = vectors.transpose(0, 1)
        choice = F.one_hot(codes.T, self.size)
        choice = choice.float()
        # how many vectors chose each entry, and what they add up to
        count = choice.sum(dim=1)
        total = choice.transpose(1, 2) @ vectors
        self.count.lerp_(count, 1 - DECAY)
        self.total.lerp_(total, 1 - DECAY)
        # how many rows choose an entry if all are used alike
        alike = rows / self.size
        dead = self.count < DEAD * rows / self.size
        # drawn for all entries, so that the draws do not depend on which are dead
        row = torch.randint(rows, dead.shape, generator=rng, device=h.device)
        row_of_numbers = row[:, :, None].expand(-1, -1, self.params.dim)
        fresh = torch.gather(vectors, 1, row_of_numbers)
        self.count[dead] = alike
        self.total[dead] = fresh[dead] * rows / self.size
        # an entry is the mean of the vectors that chose it
        means = self.total / self.count[:, :, None]
        self.book.copy_(means)

    def report(self, x: Tensor) -> dict[str, float]:
        """Figures of held-out rows x: code_levels, how many entries a code book has;
        codebook_perplexity, how many entries, if all were used alike, would be used as evenly as
        they are, on average over the codes; code_bits, what the codes of a record take by the
        prior, on average."""
        codes = self.encode(x).long()
        use = F.one_hot(codes, self.size).float()
        use = use.mean(dim=0)
        # an entry that is never used adds nothing
        log_use = use.clamp(min=1e-12).log()
        nats_of_use = use * log_use
        entropy = -nats_of_use.sum(dim=1)
        perplexity = float(entropy.exp().mean())
        nats_of_codes = self.nats_of_codes(codes)
        nats = nats_of_codes.sum(dim=1)
        bits = float(nats.mean()) / math.log(2)
        return {
            "code_levels": self.size,
            "codebook_perplexity": round(perplexity, 2),
            "code_bits": round(bits, 3),
        }


def _straight_through(vectors: Tensor, entries: Tensor) -> Tensor:
    """The values of the entries, with gradients that pass to the vectors, of the same shape, as if
    the vectors had not been replaced by them (the straight-through estimator)."""
    difference = entries - vectors
    return vectors + difference.detach()
