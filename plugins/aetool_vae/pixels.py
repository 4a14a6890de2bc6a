"""Pixels of 8 bits as a mixture of discretised logistics, which a decoder tells for each of them.

Level v of 0 .. 255 is the interval of half-width 1/255 about v / 127.5 - 1, and costs what a
mixture of logistic distributions gives to it; black and white have the whole tail beyond them, so
that a component that lies outside of the range is mass at an end. The component is one for all
channels of a pixel, and the mean of a later channel is moved by the values of those before it
(Salimans, Karpathy, Chen & Kingma 2017, PixelCNN++, arXiv:1701.05517, sections 2.1 and 2.2).

    log P(v) = log [F((x + h - m) / s) - F((x - h - m) / s)],  F(t) = 1 / (1 + exp(-t)),  h = 1/255

A 2^-24 part of the mass is the same for every level: none takes more than 32 bits, and the sum over
all levels is still 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from aetool.data.scaling import PIXEL_MEAN, PIXEL_SPREAD

HALF = 1 / 255  # half-width of a level, where 0 .. 255 is -1 .. 1
LEAST_LOG_SCALE, MOST_LOG_SCALE = -7.0, 2.0  # of a component: some thousandths of a level; flat
START_LOG_SCALE = -1.5
EVEN = 2.0**-24  # part of the mass that all levels share
LEVELS = 256
THIN = 0.02  # of a level in scales: below it 1 - exp(-t) would lose digits in float32
SMALLEST = 4  # a side that is halved no more
MOST_DRAWN = 1 << 18  # pixels of all draws of a picture, in a score


def levels_of(x: Tensor) -> Tensor:
    """Rescale standardised pixels x, as the network sees them, of any shape: -1 (black) .. 1
    (white)."""
    pixels = x * PIXEL_SPREAD + PIXEL_MEAN
    return pixels / 127.5 - 1


def standardised(levels: Tensor) -> Tensor:
    """The inverse of `levels_of`: standardised pixels of levels, -1 (black) .. 1 (white), of any
    shape."""
    pixels = (levels + 1) * 127.5
    return (pixels - PIXEL_MEAN) / PIXEL_SPREAD


class LogisticPixels(nn.Module):
    """A decoder whose output is a mixture of logistic distributions for every pixel, by which the
    cost of pixels is computed.

    latent: units of a code; shape: (channels, height, width) of pictures; width: channels of the
    layer of full size; depth: how often sides are halved below it, and 0 makes the parameters
    linear in the code; components: logistics in a mixture.
    """

    def __init__(
        self,
        latent: int,
        shape: tuple[int, int, int],
        width: int,
        depth: int,
        components: int,
    ) -> None:
        """Make the layers, with components spread evenly at first. latent: units of a code; shape:
        of pictures; width: channels of the layer of full size; depth: how often sides are halved
        below it; components: logistics in a mixture."""
        super().__init__()
        self.shape = shape
        self.components = components
        self.sides = sides_of(shape, depth)
        # from the smallest to full size
        widths = [width << halvings for halvings in range(len(self.sides))]
        widths.reverse()
        self.wide = widths[0]
        smallest = math.prod(self.sides[0])
        self.first = nn.Linear(latent, self.wide * smallest)
        self.mix = None
        if depth:
            self.mix = nn.Conv2d(self.wide, self.wide, 3, padding=1)
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(
                before,
                after,
                kernel_size=4,
                stride=2,
                padding=1,
            )
            for before, after in pairwise(widths)
        )
        # what is usual at a place, whatever the code
        self.place = nn.Parameter(torch.zeros(width, *self.sides[-1]))
        channels = shape[0]
        pairs = pairs_before(channels)
        # logits; means and scales of each channel; how earlier channels move later ones
        blocks = (1, channels, channels, pairs)
        self.sizes = [components * count for count in blocks]
        parameters = sum(self.sizes)
        self.head = nn.Conv2d(width, parameters, 1)
        self._spread_components()

    @torch.no_grad()
    def _spread_components(self) -> None:
        """Set the biases of the head, in place, so that the components of every channel are spread
        evenly from black to white, equally likely and of one scale."""
        assert self.head.bias is not None
        self.head.bias.zero_()
        spread = torch.linspace(-1, 1, self.components)
        _, means, scales, _ = torch.split(self.head.bias, self.sizes)
        means.copy_(spread.repeat(self.shape[0]))
        scales.fill_(START_LOG_SCALE)

    def forward(self, z: Tensor) -> Tensor:
        """Decode codes, (batch, latent), to the parameters of each pixel's distribution: (batch,
        parameters, height, width), which `nats` and `mean` take."""
        h = self.first(z)
        h = h.reshape(-1, self.wide, *self.sides[0])
        if self.mix is None:
            return self.head(h + self.place)
        h = F.silu(h)
        h = h + F.silu(self.mix(h))
        larger_sides = self.sides[1:]
        for up, (height, width) in zip(self.ups, larger_sides, strict=True):
            # the first has been through one just now
            if up is not self.ups[0]:
                h = F.silu(h)
            doubled = up(h)
            # of an odd side twice the half is one too many
            h = doubled[:, :, :height, :width]
        h = F.silu(h + self.place)
        return self.head(h)

    def nats(self, x: Tensor, parameters: Tensor) -> Tensor:
        """The cost of each pixel, all its channels together, -log P in nats: (batch, pixels).

        x: standardised pictures, (batch, channels, height, width); parameters: what forward
        returned for their codes. The pixels go row by row.
        """
        mixtures = self._mixtures(parameters)
        channels = torch.split(levels_of(x), 1, dim=1)
        log_p_of_components = F.log_softmax(mixtures.logits, dim=1)
        for channel, log_scale in enumerate(mixtures.log_scales):
            mean = mixtures.mean_of(channel, channels)
            log_mass = _log_mass(channels[channel], mean, log_scale)
            log_p_of_components = log_p_of_components + log_mass
        log_p = torch.logsumexp(log_p_of_components, dim=1)
        log_p = log_p + math.log1p(-EVEN)
        # in place of a constant tensor, which a graph would have to know the rows for
        even = log_p * 0 + math.log(EVEN)
        even = even - self.shape[0] * math.log(LEVELS)
        return -torch.logaddexp(log_p, even).flatten(1)

    def mean(self, parameters: Tensor) -> Tensor:
        """Standardised pictures, (batch, channels, height, width): the mean of each mixture, where
        components beyond black or white count as lying at these. parameters: what forward
        returned."""
        mixtures = self._mixtures(parameters)
        shares = torch.softmax(mixtures.logits, dim=1)
        likely: list[Tensor] = []
        for channel in range(self.shape[0]):
            mean = mixtures.mean_of(channel, likely)
            likely.append(mean.clamp(-1, 1))
        joined = []
        for means in likely:
            weighed = shares * means
            total = weighed[:, 0]
            # a sum over an axis would round by where a record stands in its batch
            for component in range(1, self.components):
                total = total + weighed[:, component]
            joined.append(total)
        return standardised(torch.stack(joined, dim=1))

    def _mixtures(self, parameters: Tensor) -> Mixtures:
        """Take apart parameters, (batch, parameters, height, width), as forward returned them: the
        mixtures of all pixels, log scales cut to -7 .. 2, and moves bent into -1 .. 1."""
        logits, means, log_scales, moves = torch.split(parameters, self.sizes, dim=1)
        log_scales = log_scales.clamp(LEAST_LOG_SCALE, MOST_LOG_SCALE)
        moves = torch.tanh(moves)
        return Mixtures(
            logits,
            self._split_by_channel(means),
            self._split_by_channel(log_scales),
            self._split_by_channel(moves),
        )

    def _split_by_channel(self, part: Tensor) -> Sequence[Tensor]:
        """Cut parameters, (batch, n * components, height, width), into n parts, (batch, components,
        height, width), one for each channel, or pair of channels; an empty tuple where n is 0, as
        for the pairs of grey pictures."""
        if not part.shape[1]:
            return ()
        return torch.split(part, self.components, dim=1)


@dataclass(frozen=True, eq=False)
class Mixtures:
    """The parameters of every pixel's mixture, taken apart: logits of components, (batch,
    components, height, width), and of the same shape for each channel means and log scales, and for
    each pair of channels by how much of its value, -1 .. 1, the earlier one moves the mean of the
    later. Means are in levels, -1 (black) .. 1 (white), and so are scales. Pairs are in the order
    of the later channel, then of the earlier."""

    logits: Tensor
    means: Sequence[Tensor]
    log_scales: Sequence[Tensor]
    moves: Sequence[Tensor]

    def mean_of(self, channel: int, levels: Sequence[Tensor]) -> Tensor:
        """The means of a channel's components, -1 (black) .. 1 (white), moved by the channels
        before it: (batch, components, height, width). channel: its index, from 0. levels: the
        values of the channels, those before it at least, in the same units, each of this shape or
        (batch, 1, height, width)."""
        mean = self.means[channel]
        first = pairs_before(channel)
        for before in range(channel):
            move = self.moves[first + before]
            mean = mean + move * levels[before]
        return mean


def pairs_before(channel: int) -> int:
    """How many pairs of different channels there are among the first `channel` ones."""
    return channel * (channel - 1) // 2


def sides_of(shape: tuple[int, int, int], depth: int) -> list[tuple[int, int]]:
    """(height, width) of each layer, the smallest first, and last that of pictures (channels,
    height, width): sides are halved, and rounded up, `depth` times, or until the shorter is below
    4."""
    _, height, width = shape
    sides = [(height, width)]
    while len(sides) <= depth and min(height, width) >= SMALLEST:
        height = (height + 1) // 2
        width = (width + 1) // 2
        sides.append((height, width))
    sides.reverse()
    return sides


def _log_mass(level: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """The natural logarithm of the mass that a logistic of this mean and log scale has in the
    interval of 1/255 to each side of a level, -1 (black) .. 1 (white); for these two ends with all
    that lies beyond. The arguments are broadcast together."""
    per_scale = (-log_scale).exp()
    distance = level - mean
    above = (distance + HALF) * per_scale
    below = (distance - HALF) * per_scale
    # F(above) - F(below) = F(above) F(-below) (1 - exp(below - above)): nothing cancels
    t = 2 * HALF * per_scale
    # log(1 - exp(-t)); of a small t by its series, log(t) - t / 2 + t^2 / 24
    complement = 1 - (-t).exp()
    thick = complement.clamp(min=1e-9).log()
    thin = t.log() - t / 2
    thin = thin + t.square() / 24
    width = torch.where(t < THIN, thin, thick)
    to_above = -F.softplus(-above)
    to_below = -F.softplus(below)
    inside = to_above + to_below + width
    # half a level is the margin by which black and white are told from their neighbours
    is_white = level > 1 - HALF
    is_black = level < HALF - 1
    outer = torch.where(is_white, to_below, inside)
    return torch.where(is_black, to_above, outer)
