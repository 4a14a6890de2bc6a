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
# What a model is made of where its parameters `latent` and `width` are 0.
LATENT_OF_PICTURES = 32
MOST_LATENT_OF_TABLES = 16
WIDTH_FOR_PICTURES = 64
WIDTH_FOR_TABLES = 48


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
        """Set spec, params, latent, code and likelihood, then build the layers. params: the values
        of the model's parameters, with at least error, and latent, width and depth where no method
        is overridden that reads them."""
        super().__init__()
        self.spec = spec
        self.params = params
        self.latent = self.latent_size()
        self.code: Code = Continuous(self.latent)
        # not every model declares the parameters `scale` and `depth`
        scale = getattr(params, "scale", "column")
        depth = getattr(params, "depth", 1)
        is_linear = depth == 0
        if self.means == "weighed squares" and is_linear:
            self.means = "squares"
        self.likelihood = Likelihood(
            spec,
            params.error,
            shared=scale == "shared",
            means=self.means,
        )
        # a sum beyond 64 bits is no seed
        seed = (torch.initial_seed() + BUILD_SEED) % 2**63
        rng = torch.Generator()
        rng.manual_seed(seed)
        call(self.build, rng=rng)

    def latent_size(self) -> int:
        """The size of the code: the parameter `latent`; if that is 0, for pictures 32, for tables
        half the number of columns, rounded down, from 1 to 16."""
        if self.params.latent:
            return int(self.params.latent)
        if self.spec.shape:
            return LATENT_OF_PICTURES
        half_of_columns = len(self.spec.columns) // 2
        at_most = min(half_of_columns, MOST_LATENT_OF_TABLES)
        return max(1, at_most)

    def width(self) -> int:
        """The number of units of a hidden layer: the parameter `width`, or if that is 0, for
        pictures 64, for tables 48."""
        if self.params.width:
            return int(self.params.width)
        if self.spec.shape:
            return WIDTH_FOR_PICTURES
        return WIDTH_FOR_TABLES

    def build(self) -> None:
        """Make encoder and decoder, and what else has weights or buffers.

        Layers draw their first weights from torch's global generator here, which the host seeds.
        With an argument rng, a generator on the CPU, it can draw more: random features.
        """
        self.encoder, self.decoder = backbone(
            self.spec,
            self.latent,
            width=self.width(),
            depth=self.params.depth,
        )

    def start(self, x: Tensor) -> None:
        """Called once before training, with training rows x, (rows, features) or pictures, to set
        better first weights than random ones, in place: by default those of PCA, where encoder and
        decoder are a backbone."""
        start_at_pca(self.encoder, self.decoder, self.spec, self.latent, x)

    def begin(self, batches: Iterable[Tensor]) -> None:
        """Called before each stage of training, to learn what must be known of all training rows,
        such as statistics; by default nothing.

        batches: those rows, (batch, ...) each, which can be iterated again and again. The network
        is in eval mode, and takes no gradients. What is learned belongs in buffers.
        """

    def finish(self, batches: Iterable[Tensor]) -> None:
        """Called once after training, with the best weights, to learn what must be known of all
        training rows; by default nothing. batches: those rows, (batch, ...) each, which can be
        iterated again and again. The network is in eval mode, and takes no gradients."""

    def encode(self, x: Tensor) -> Tensor:
        """The codes of rows x: (batch, latent) float32. x: (batch, features), or pictures (batch,
        C, H, W)."""
        return self.encoder(x)

    def draw(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """The codes that training decodes for rows x, (batch, latent), drawn by rng where a model's
        codes are random; by default those of `encode`. `sample` learns from them how codes are
        distributed."""
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
        the user names with --condition. (batch, 0) of pictures, and where the user names no
        column."""
        # the rows before a row come last, and the condition just before them
        end = self.spec.features - self.spec.given
        first = end - self.spec.conditions
        features = x.flatten(1)
        return features[:, first:end]

    def decoded(self, z: Tensor, x: Tensor) -> Tensor:
        """Decode codes z, (batch, latent), with the condition of the rows x, if decode takes a
        condition: parameters laid out as x."""
        condition = self.condition(x)
        return call(self.decode, z, condition=condition)

    def expected(self, x: Tensor) -> Tensor:
        """The parameters of the likelihood that the model expects for rows x, laid out as x: by
        default those that the code of x is decoded to."""
        z = self.encode(x)
        return self.decoded(z, x)

    def corrupt(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """A damaged copy of rows x, of the same shape, which the encoder sees in training instead
        of x; by default x itself: nothing is damaged. rng: draws the damage."""
        return x

    def parts(self, x: Tensor) -> Tensor:
        """The cost of each column of rows x, and last what belongs to no column: (batch, columns +
        1), in nats; of pictures a column is a pixel."""
        parameters = self.expected(x)
        return self.likelihood(x, parameters)

    def loss(self, x: Tensor, rng: torch.Generator, seen: Tensor | None = None) -> Tensor:
        """The loss of each row, (batch,), whose mean training lowers. x: (batch, ...); rng: of
        every draw; seen: damaged copies of the rows from the user, or None for those of `corrupt`.

        A model that declares a further argument labels, (batch,), here learns from known anomalies,
        too: 1 where the user says that a record is ordinary (--label, --normal), -1 where it is
        none, 0 where the label is a gap, or none is given. Anomalies come to the loss alone, and to
        nothing else.
        """
        if seen is None:
            seen = self.corrupt(x, rng)
        z = self.encode(seen)
        parameters = self.decoded(z, x)
        # the damage is judged by the clean rows
        cost = self.likelihood(x, parameters).sum(dim=1)
        return cost + call(self.penalty, z, rng=rng)

    def prior_logits(self, z: Tensor) -> Tensor:
        """The logits of each discrete code, predicted from those before it alone: (batch,
        *code.shape, code.size). z: codes; asked for only where `prior` is "graph".
        NotImplementedError unless the author wrote it."""
        raise NotImplementedError

    def penalty(self, z: Tensor) -> Tensor:
        """A scalar, (), that is added to every row's loss, computed from the codes z of the batch,
        (batch, latent); by default 0.

        With an argument rng, the generator of the loss, it can draw: samples to compare codes with.
        """
        return z.new_zeros(())

    def after_step(self, rng: torch.Generator) -> None:
        """Called after every optimiser step, to change weights or buffers in place; by default
        nothing. rng: for what it draws."""

    def stages(self) -> Iterable[list[nn.Parameter]]:
        """Groups of parameters that are trained one group after the other, each from the best
        weights of the stage before; the loss may change between stages. By default one group of all
        parameters."""
        return [list(self.parameters())]

    def report(self, x: Tensor) -> dict[str, float]:
        """Figures of the trained model on held-out rows x, by name, for `aetool info`; by default
        none."""
        return {}


class Stacked(AutoEncoder):
    """An autoencoder whose levels are trained one after the other before all of them together, if
    params.stacked.

    Greedy layer-wise pre-training (Bengio, Lamblin, Popovici & Larochelle 2007): level i learns to
    restore what the levels below make of x, from a damaged copy of it if the model damages x.
    """

    level: int | None = None

    def start(self, x: Tensor) -> None:
        """Set first weights by PCA of training rows x, as AutoEncoder.start does, but only where
        levels are not trained one by one."""
        if self.params.stacked:
            return
        super().start(x)

    def stages(self) -> Iterator[list[nn.Parameter]]:
        """Yield the parameters of one level after the other, if params.stacked, and at last those
        of all levels; sets `level` to the one that is trained, None for all."""
        if self.params.stacked:
            encoder_levels, decoder_levels = self._levels()
            for level, encoder_level in enumerate(encoder_levels):
                # what is trained from now on; the loss looks at it
                self.level = level
                decoder_level = decoder_levels[level]
                yield [*encoder_level.parameters(), *decoder_level.parameters()]
        self.level = None
        yield list(self.parameters())

    def _levels(self) -> tuple[list[nn.Module], list[nn.Module]]:
        """(the levels of the encoder, a Backbone, from the record inwards; those of the decoder in
        the same order, so that the first ones restore the record)."""
        encoder_levels = list(self.encoder)  # type: ignore[call-overload]
        decoder_levels = list(self.decoder)  # type: ignore[call-overload]
        decoder_levels.reverse()
        return encoder_levels, decoder_levels

    def loss(self, x: Tensor, rng: torch.Generator, seen: Tensor | None = None) -> Tensor:
        """The loss of each row, (batch,): what the row costs as restored from a damaged copy, plus
        the penalty (AutoEncoder.loss); but while the first level is trained, without the penalty,
        and while one above it is, the squared distance between what that level restores and what
        the levels below it make of x."""
        if self.level is None:
            return super().loss(x, rng, seen)
        encoder_levels, decoder_levels = self._levels()
        if seen is None:
            seen = self.corrupt(x, rng)
        # what the level is to restore is what those below it make of the clean rows
        clean_units = x
        for below in encoder_levels[: self.level]:
            clean_units = below(clean_units)
            seen = below(seen)
        units = encoder_levels[self.level](seen)
        restored = decoder_levels[self.level](units)
        if self.level == 0:
            return self.likelihood(x, restored).sum(dim=1)
        # the levels below are trained already: nothing is to pull at them
        difference = restored - clean_units.detach()
        return difference.square().flatten(1).sum(dim=1)
