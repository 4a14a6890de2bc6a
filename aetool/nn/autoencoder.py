"""The base of every deep model: an author overrides what differs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from aetool.model import Code, Continuous, Spec
from aetool.nn.backbones import backbone
from aetool.nn.calls import call
from aetool.nn.likelihood import Likelihood
from aetool.nn.starting import start_at_pca

# Added to the seed of the weights: what build draws from its generator must not repeat what layers
# draw from the global one.
BUILD_SEED = 7919


class AutoEncoder(nn.Module):
    """An autoencoder z = encode(x), parameters = decode(z).

    x: (batch, features) float32 laid out by the Spec, or pictures (batch, C, H, W). The parameters
    of the likelihood have the same layout: means, and logits for flags and one-hot blocks.
    Where a model is given the rows before a row, theirs are the last spec.given features of x: seen
    like cycles of dates, and not scored; so are those of columns that records are judged by,
    condition(x). Every random draw comes from the generator passed in.
    self.spec, params, latent, code and likelihood are there before build is called.

    Some members may have one argument more, which is passed by its name: build(rng) and
    penalty(z, rng) a generator, decode(z, condition) what condition(x) says of the rows, and
    loss(x, rng, labels), with or without seen, which of them are known.
    """

    encoder: nn.Module
    decoder: nn.Module
    # What `sample` draws: "codes", distributed as those of held-out rows; "normal": the same, or if
    # asked N(0, I), which is what the model is trained to have; "graph", discrete codes by the
    # logits of prior_logits, each of which depends on the codes before it alone; "features": there
    # is no code, and the likelihood of each feature depends on those before it, in some order.
    prior: str = "codes"
    # What the means of numbers follow in training: "squares", the squared error, as PCA; "weighed
    # squares", in which columns that are restored closely count somewhat more (a linear network,
    # depth 0, follows plain squares); or "likelihood", in which far values hardly count.
    means: str = "weighed squares"

    # Rows of a training step, and the rate at which weights move, where the user says no other.
    # None: what suits most models.
    batch_size: int | None = None
    learning_rate: float | None = None
    # The part of a stage of training that is done, 0 .. 1, for losses that change on the way; 1
    # where the loss is only looked at, so that what is compared is always the loss that is meant.
    progress: float = 1.0

    def __init__(self, spec: Spec, params: Any) -> None:
        super().__init__()
        self.spec = spec
        self.params = params
        self.latent = self.latent_size()
        self.code: Code = Continuous(self.latent)
        shared = getattr(params, "scale", "column") == "shared"
        if self.means == "weighed squares" and getattr(params, "depth", 1) == 0:
            self.means = "squares"
        self.likelihood = Likelihood(spec, params.error, shared=shared, means=self.means)
        seed = torch.initial_seed() + BUILD_SEED
        call(self.build, rng=torch.Generator().manual_seed(seed % 2**63))

    def latent_size(self) -> int:
        """The size of the code: the parameter `latent`; if that is 0, for pictures 32, for tables
        half the number of columns, from 1 to 16."""
        if self.params.latent:
            return int(self.params.latent)
        if self.spec.shape:
            return 32
        return max(1, min(16, len(self.spec.columns) // 2))

    def width(self) -> int:
        """The number of units of a hidden layer: the parameter `width`, or if that is 0 a number
        that keeps the model small."""
        return int(self.params.width) or (64 if self.spec.shape else 48)

    def build(self) -> None:
        """Make encoder and decoder, and what else has weights or buffers.

        Layers draw their first weights from torch's global generator here, which the host seeds.
        With an argument rng, a generator on the CPU, it can draw more: random features.
        """
        self.encoder, self.decoder = backbone(
            self.spec, self.latent, width=self.width(), depth=self.params.depth
        )

    def start(self, x: Tensor) -> None:
        """Called once before training, with training rows x, to set better first weights than
        random ones: by default those of PCA, where encoder and decoder are a backbone."""
        start_at_pca(self.encoder, self.decoder, self.spec, self.latent, x)

    def begin(self, batches: Iterable[Tensor]) -> None:
        """Called before each stage of training, to learn what must be known of all training rows,
        such as statistics; by default nothing.

        batches: those rows, (batch, ...) each, which can be iterated again and again. The network
        is in eval mode, and takes no gradients. What is learned belongs in buffers.
        """

    def finish(self, batches: Iterable[Tensor]) -> None:
        """Called once after training, with the best weights; all else is as in begin."""

    def encode(self, x: Tensor) -> Tensor:
        """The codes of rows x: (batch, latent) float32. x: (batch, features), or pictures (batch,
        C, H, W)."""
        return self.encoder(x)

    def draw(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """The codes that training decodes for rows x, (batch, latent), drawn by rng where a model's
        codes are random; `sample` learns from them how codes are distributed."""
        return self.encode(x)

    def decode(self, z: Tensor) -> Tensor:
        """The parameters of the likelihood for codes z, (batch, latent), laid out as x: means, and
        logits for flags and one-hot blocks.

        With an argument condition, (batch, spec.conditions), the model is one of records given
        their condition: it is what condition(x) gives, and is there whenever a code is decoded.
        """
        return self.decoder(z)

    def condition(self, x: Tensor) -> Tensor:
        """(batch, spec.conditions): the features of the columns that records are judged by, which
        the user names with --condition. None of pictures, and where the user names none."""
        end = self.spec.features - self.spec.given
        first = end - self.spec.conditions
        return x.flatten(1)[:, first:end]

    def decoded(self, z: Tensor, x: Tensor) -> Tensor:
        """Decode codes z, with the condition of the rows x, if decode takes a condition."""
        return call(self.decode, z, condition=self.condition(x))

    def expected(self, x: Tensor) -> Tensor:
        """The parameters of the likelihood that the model expects for rows x, laid out as x: by
        default those that the code of x is decoded to."""
        return self.decoded(self.encode(x), x)

    def corrupt(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """A damaged copy of rows x, of the same shape, which the encoder sees in training instead
        of x; x itself for a model that damages nothing. rng: draws the damage."""
        return x

    def parts(self, x: Tensor) -> Tensor:
        """The cost of each column of rows x, and last what belongs to no column: (batch, columns +
        1), in nats."""
        return self.likelihood(x, self.expected(x))

    def loss(self, x: Tensor, rng: torch.Generator, seen: Tensor | None = None) -> Tensor:
        """The loss of each row, (batch,), whose mean training lowers. x: (batch, ...); rng: of
        every draw; seen: damaged copies of the rows from the user, or None for those of `corrupt`.

        With an argument labels, (batch,), the model learns from known anomalies, too: 1 where the
        user says that a record is ordinary (--label, --normal), -1 where it is none, 0 where the
        label is a gap, or none is given. Anomalies come to the loss alone, and to nothing else.
        """
        z = self.encode(self.corrupt(x, rng) if seen is None else seen)
        return self.likelihood(x, self.decoded(z, x)).sum(dim=1) + call(self.penalty, z, rng=rng)

    def prior_logits(self, z: Tensor) -> Tensor:
        """The logits of each discrete code, predicted from those before it alone: (batch,
        *code.shape, code.size). z: codes; asked for only where `prior` is "graph"."""
        raise NotImplementedError

    def penalty(self, z: Tensor) -> Tensor:
        """A scalar that is added to every row's loss, computed from the codes of the whole batch.

        With an argument rng, the generator of the loss, it can draw: samples to compare codes with.
        """
        return z.new_zeros(())

    def after_step(self, rng: torch.Generator) -> None:
        """Called after every optimiser step."""

    def stages(self) -> Iterable[list[nn.Parameter]]:
        """Groups of parameters that are trained one group after the other, each from the best
        weights of the stage before; the loss may change between stages."""
        return [list(self.parameters())]

    def report(self, x: Tensor) -> dict[str, float]:
        """Figures of the trained model on held-out rows x, by name, for `aetool info`."""
        return {}


class Stacked(AutoEncoder):
    """An autoencoder whose levels are trained one after the other before all of them together, if
    params.stacked.

    Greedy layer-wise pre-training (Bengio, Lamblin, Popovici & Larochelle 2007): level i learns to
    restore what the levels below make of x, from a damaged copy of it if the model damages x.
    """

    level: int | None = None

    def start(self, x: Tensor) -> None:
        """Set first weights as AutoEncoder.start does, but only where levels are not trained one by
        one."""
        if not self.params.stacked:
            super().start(x)

    def stages(self) -> Iterator[list[nn.Parameter]]:
        """The parameters of one level after the other, and at last those of all levels."""
        downs, ups = list(self.encoder), list(reversed(list(self.decoder)))  # type: ignore[call-overload]
        for i in range(len(downs) if self.params.stacked else 0):
            self.level = i
            yield [*downs[i].parameters(), *ups[i].parameters()]
        self.level = None
        yield list(self.parameters())

    def loss(self, x: Tensor, rng: torch.Generator, seen: Tensor | None = None) -> Tensor:
        """The loss of each row, (batch,): as AutoEncoder.loss; but while one level above the first
        is trained, the squared distance between what that level restores and what the levels below
        it make of x."""
        if self.level is None:
            return super().loss(x, rng, seen)
        i = self.level
        wanted = x
        seen = self.corrupt(x, rng) if seen is None else seen
        for below in list(self.encoder)[:i]:  # type: ignore[call-overload]
            wanted = below(wanted)
            seen = below(seen)
        back = self.decoder[-1 - i](self.encoder[i](seen))  # type: ignore[index]
        if i == 0:
            return self.likelihood(x, back).sum(dim=1)
        return (back - wanted.detach()).square().flatten(1).sum(dim=1)
