"""Sparse autoencoders: a dictionary of which each record takes few columns."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from aetool.errors import ParamError
from aetool.nn import AutoEncoder, Backbone, backbone

TABLE_UNITS = 8  # times the code of a dense autoencoder, of tables
IMAGE_UNITS = 4  # the same, of pictures
MEMORY = 0.98  # of the moving means behind the threshold and the use of each unit
LEAST_USE = 0.1  # of the mean use of a unit: one with less is let in at smaller values
LEAST_RATE = 1e-3  # at which a unit counts as active, at least
FEW = 1000  # rows that the first threshold is read off
EASE = 0.05  # how fast, in nats a step


def bernoulli_kl(rho: float, mean: Tensor) -> Tensor:
    """KL(Bernoulli(rho) || Bernoulli(mean)) of each unit, in nats, in the shape of `mean`. rho: how
    often a unit is to be active, above 0 and below 1; mean: how often it is, 0 .. 1, the ends
    counting as a millionth beside them."""
    # of 0 and 1 there would be no logarithm
    mean = mean.clamp(1e-6, 1 - 1e-6)
    silent_rho = 1 - rho
    silent_mean = 1 - mean
    active_nats = (rho / mean).log()
    silent_nats = (silent_rho / silent_mean).log()
    return rho * active_nats + silent_rho * silent_nats


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

    threshold: a scalar. For each unit of the code, (latent,): ease, nats by which its outputs count
    as larger than they are; use, the moving mean of how often it is active, 0 .. 1, and taken, how
    often it was in the last batch; order, factors near 1 by which the first of equal units is
    taken.
    """

    encoder: Backbone
    decoder: Backbone
    threshold: Tensor
    ease: Tensor
    use: Tensor
    taken: Tensor
    order: Tensor

    def latent_size(self) -> int:
        """The size of the code: the parameter `latent`; if that is 0, the size of other
        autoencoders times 4 for pictures, times 8 for tables. ParamError if the parameter `k` is
        larger."""
        size = super().latent_size()
        if not self.params.latent:
            times = IMAGE_UNITS if self.spec.shape else TABLE_UNITS
            size *= times
        if self.params.k > size:
            raise ParamError(f"k of sparse must be at most latent ({size}), got {self.params.k}")
        return size

    def build(self) -> None:
        """Make the encoder, the dictionary, which is a linear decoder, and what is known of the use
        of units."""
        params = self.params
        units = self.latent
        width = self.width()
        depth = params.depth
        self.encoder, _ = backbone(self.spec, units, width=width, depth=depth)
        # the dictionary: one linear layer
        _, self.decoder = backbone(self.spec, units, depth=0)
        self.register_buffer("threshold", torch.zeros(()))
        # of units that are equal, as two drawn from one row are, the first is taken everywhere
        order = 1 - 1e-3 * torch.arange(units) / units
        self.register_buffer("order", order, persistent=False)
        self.register_buffer("ease", torch.zeros(units))
        self.share = params.active
        if params.k:
            self.share = min(1.0, params.k / units)
        use = torch.full((units,), self.share)
        self.register_buffer("use", use)
        self.register_buffer("taken", use.clone(), persistent=False)

    @torch.no_grad()
    def start(self, x: Tensor) -> None:
        """Set the dictionary's columns, in place, to directions from the mean of training rows x to
        random ones of them, and the encoder to products with these, scaled so that they restore the
        rows best; and the threshold to that of `cut`, scaled likewise. x: (rows, features) or
        pictures."""
        flat = x.flatten(1)
        mean = flat.mean(dim=0)
        axes = self._random_axes(x, mean)
        encoder = self.encoder.linear
        encoder.weight.copy_(axes)
        encoder.bias.copy_(-(axes @ mean))
        self.encoder.silence()
        self._start_decoder(axes, mean)
        # the threshold, and how much the dictionary restores at it, by a few rows
        u = self.encoder(x[:FEW])
        cut = self.cut(u)
        code = self.sparse(u, cut)
        centred_rows = flat[:FEW] - mean
        gain = self._best_factor(centred_rows, code)
        encoder.weight.mul_(gain)
        encoder.bias.mul_(gain)
        self.threshold.copy_(gain * cut)

    def _random_axes(self, x: Tensor, mean: Tensor) -> Tensor:
        """(latent, features): directions from the mean, (features,), to random rows of x, of length
        1; 0 along features of the context."""
        flat = x.flatten(1)
        device = x.device
        rng = torch.Generator(device=device)
        rng.manual_seed(0)
        shape = (self.latent,)
        drawn = torch.randint(len(flat), shape, generator=rng, device=device)
        rows = flat[drawn]
        is_scored = torch.from_numpy(self.spec.owners() >= 0)
        normal = torch.randn(rows.shape, generator=rng, device=device)
        # a row that is drawn twice, or is the mean itself, has a direction of its own by it
        noise = 1e-3 * normal
        direction = rows - mean + noise
        # context has no part in the dictionary
        direction = direction * is_scored.to(flat)
        return F.normalize(direction, dim=1)

    def _start_decoder(self, axes: Tensor, mean: Tensor) -> None:
        """Set the decoder, in place, to the dictionary of these axes, (latent, features), about a
        mean, (features,): the mean of numbers as it is, the shares of flags as logits, those of
        levels as logarithms. To be called under no_grad."""
        decoder = self.decoder.linear
        decoder.weight.copy_(axes.T)
        decoder.bias.copy_(mean)
        for feature, _ in self.spec.flags:
            # a logit of 0 or 1 would be infinite
            share = mean[feature].clamp(1e-3, 0.999)
            decoder.bias[feature] = torch.logit(share)
        for _, first, width in self.spec.categories:
            block = slice(first, first + width)
            shares = mean[block].clamp(min=1e-3)
            decoder.bias[block] = shares.log()

    def _best_factor(self, target: Tensor, code: Tensor) -> Tensor:
        """Find the factor by which codes, (rows, latent), must be multiplied to restore the numbers
        among the features of `target`, (rows, features), best: a scalar, 0.001 to 1."""
        # columns are alike, so that what they measure adds up to too much: by one factor less
        numbers = torch.from_numpy(self.spec.numeric)
        numbers = numbers.to(code.device)
        target = target.index_select(1, numbers)
        dictionary = self.decoder.linear.weight.T
        restored = code @ dictionary
        restored = restored.index_select(1, numbers)
        square = restored.square().sum()
        product = (target * restored).sum()
        # nothing restored leaves the factor at its least
        gain = product / square.clamp(min=1e-9)
        return gain.clamp(1e-3, 1.0)

    def cut(self, u: Tensor) -> Tensor:
        """The threshold, a scalar, above which the part self.share (params.active, or with k the
        part k / latent) of |u|, (batch, latent), lies, once each unit is multiplied by e to the
        power of its ease."""
        # the threshold is read off, not learned: no gradient passes
        size = u.detach().abs() * self.ease.exp()
        size = size.flatten()
        silent_share = 1 - self.share
        below = round(len(size) * silent_share)
        rank = max(1, below)
        return size.kthvalue(rank).values

    def sparse(self, u: Tensor, threshold: Tensor) -> Tensor:
        """A code with only its large entries, (batch, latent), 0 elsewhere: the k largest of each
        record, or those above the threshold; all where every unit may be active. With kl > 0 it is
        the sigmoid of u, of which only k leaves any out. u: (batch, latent), the encoder's output;
        threshold: a scalar, for u times e to the power of its ease."""
        k = self.params.k
        if self.params.kl:
            u = torch.sigmoid(u)
        size = u.abs() * self.ease.exp()
        if 0 < k < self.latent:
            # indices, not a threshold, so that ties cannot keep more than k
            ranked = size * self.order
            largest = torch.topk(ranked, k, dim=1).indices
            values = torch.gather(u, 1, largest)
            zeros = u * 0
            return zeros.scatter(1, largest, values)
        if self.share == 1 or self.params.kl:
            return u
        is_active = size > threshold
        return u * is_active

    def encode(self, x: Tensor) -> Tensor:
        """The codes of rows x, (batch, latent): the encoder's output, of which only the k largest
        entries of a record, or those above the trained threshold, are kept. Most are 0, but where
        every unit may be active, or kl is above 0 without k."""
        u = self.encoder(x)
        return self.sparse(u, self.threshold)

    def parts(self, x: Tensor) -> Tensor:
        """(batch, columns + 1), in nats: the cost of each column of rows x given their codes, and
        last what it costs to tell which units are active, beyond that of none, never below 0."""
        z = self.encode(x)
        use = self.use.clamp(LEAST_RATE, 0.5)
        # by how much more an active unit costs than a silent one
        odds = (1 - use) / use
        nats = odds.log()
        is_active = (z != 0).to(z)
        nats_of_active = is_active * nats
        shared = nats_of_active.sum(dim=1, keepdim=True)
        restored = self.decode(z)
        costs = self.likelihood(x, restored)
        return torch.cat([costs[:, :-1], shared], dim=1)

    def loss(
        self,
        x: Tensor,
        rng: torch.Generator,
        seen: Tensor | None = None,
    ) -> Tensor:
        """The loss of each row x, (batch,), in nats: what it costs given its code, or that of
        `seen` if that is given, and the penalty. `taken` becomes that of this batch; in training
        the threshold is read off the batch, and its moving mean changes. rng is not read."""
        u = self.encoder(x if seen is None else seen)
        threshold = self.threshold
        if self.training:
            threshold = self.cut(u)
            self.threshold.lerp_(threshold, 1 - MEMORY)
        z = self.sparse(u, threshold)
        is_active = z.detach() != 0
        # `after_step` reads it
        self.taken = is_active.float().mean(dim=0)
        restored = self.decode(z)
        costs = self.likelihood(x, restored)
        nats = costs.sum(dim=1)
        return nats + self.penalty(z)

    def penalty(self, z: Tensor) -> Tensor:
        """What a batch of codes z, (batch, latent), adds to the loss, a scalar: l1 times the sum of
        |z| over units and l2 times that of z^2, both averaged over the batch; and kl times the
        divergence, in nats and summed over units, of each unit's mean over the batch from the rate
        rho."""
        params = self.params
        size = z.abs().sum(dim=1)
        cost = params.l1 * size.mean()
        square = z.square().sum(dim=1)
        cost = cost + params.l2 * square.mean()
        if params.kl:
            activation = z.mean(dim=0)
            divergence = bernoulli_kl(params.rho, activation)
            cost = cost + params.kl * divergence.sum()
        return cost

    @torch.no_grad()
    def after_step(self, rng: torch.Generator) -> None:
        """Bring the columns of the dictionary back to norm 1, and let units that hardly any record
        takes in more easily. rng is not read."""
        dictionary = self.decoder.linear.weight
        of_norm_one = F.normalize(dictionary, dim=0)
        dictionary.copy_(of_norm_one)
        self.use.lerp_(self.taken, 1 - MEMORY)
        wanted_use = LEAST_USE * self.share
        # 1 for a unit that no record takes, below 0 for one that is used enough
        lack = 1 - self.use / wanted_use
        step = EASE * lack.clamp(min=-1)
        # sizes are multiplied by e to the power of it before units are chosen
        self.ease.add_(step)
        self.ease.clamp_(min=0)

    def report(self, x: Tensor) -> dict[str, float]:
        """Figures of held-out rows x: active_units, the units of a code that are not 0, on average;
        mean_activation, the mean of their absolute values, zeros included; units_never_active, of
        these rows."""
        z = self.encode(x)
        is_active = z != 0
        count = is_active.float().sum(dim=1)
        mean_count = float(count.mean())
        mean_size = float(z.abs().mean())
        never_active = (z == 0).all(dim=0)
        return {
            "active_units": round(mean_count, 3),
            "mean_activation": round(mean_size, 4),
            "units_never_active": int(never_active.sum()),
        }
