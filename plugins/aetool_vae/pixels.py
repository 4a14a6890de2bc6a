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
    """Standardised pixels as -1 (black) .. 1 (white)."""
    return (x * PIXEL_SPREAD + PIXEL_MEAN) / 127.5 - 1


def standardised(levels: Tensor) -> Tensor:
    """What levels_of was given."""
    return ((levels + 1) * 127.5 - PIXEL_MEAN) / PIXEL_SPREAD


class LogisticPixels(nn.Module):
    """Codes to mixtures for every pixel, and what pixels cost under them.

    latent: units of a code; shape: (channels, height, width) of pictures; width: channels of the
    layer of full size; depth: how often sides are halved below it, and 0 makes what is told linear
    in the code; components: of a mixture.
    """

    def __init__(
        self, latent: int, shape: tuple[int, int, int], width: int, depth: int, components: int
    ) -> None:
        super().__init__()
        self.shape, self.components = shape, components
        channels, height, width_of_picture = shape
        sides = [(height, width_of_picture)]
        while len(sides) <= depth and min(sides[-1]) >= SMALLEST:
            sides.append((-(-sides[-1][0] // 2), -(-sides[-1][1] // 2)))
        self.sides = sides[::-1]
        widths = [width << place for place in range(len(sides))][::-1]
        self.first = nn.Linear(latent, widths[0] * math.prod(self.sides[0]))
        self.wide = widths[0]
        self.mix = nn.Conv2d(widths[0], widths[0], 3, padding=1) if depth else None
        self.ups = nn.ModuleList(nn.ConvTranspose2d(a, b, 4, 2, 1) for a, b in pairwise(widths))
        self.place = nn.Parameter(torch.zeros(width, *sides[0]))
        # logits; means and scales of each channel; how earlier channels move later ones
        self.sizes = [components, components * channels, components * channels]
        self.sizes.append(components * (channels * (channels - 1) // 2))
        self.head = nn.Conv2d(width, sum(self.sizes), 1)
        with torch.no_grad():
            means = torch.linspace(-1, 1, components).repeat(channels)
            logits, scales, moves = (torch.zeros(self.sizes[place]) for place in (0, 2, 3))
            start = torch.cat([logits, means, scales + START_LOG_SCALE, moves])
            self.head.bias.copy_(start)  # type: ignore[union-attr]

    def forward(self, z: Tensor) -> Tensor:
        """(batch, parameters, height, width) of codes (batch, latent)."""
        h = self.first(z).reshape(-1, self.wide, *self.sides[0])
        if self.mix is None:
            return self.head(h + self.place)
        h = F.silu(h)
        h = h + F.silu(self.mix(h))
        for place, (up, (height, width)) in enumerate(zip(self.ups, self.sides[1:], strict=True)):
            # of an odd side twice the half is one too many
            h = up(F.silu(h) if place else h)[:, :, :height, :width]
        return self.head(F.silu(h + self.place))

    def nats(self, x: Tensor, told: Tensor) -> Tensor:
        """-log P of each pixel, all its channels together, (batch, pixels): of standardised
        pictures x, (batch, channels, height, width), under what forward told."""
        logits, means, log_scales, moves = self._parted(told)
        levels = levels_of(x)[:, :, None]  # (batch, channels, 1, height, width)
        cost = F.log_softmax(logits, dim=1)
        for channel in range(self.shape[0]):
            mean = means[:, channel]
            for before in range(channel):
                mean = mean + moves[:, _place(channel, before)] * levels[:, before]
            cost = cost + _log_mass(levels[:, channel], mean, log_scales[:, channel])
        log_p = torch.logsumexp(cost, dim=1)
        even = math.log(EVEN) - self.shape[0] * math.log(LEVELS)
        log_p = torch.logaddexp(log_p + math.log1p(-EVEN), log_p * 0 + even)  # without a shape
        return -log_p.flatten(1)

    def mean(self, told: Tensor) -> Tensor:
        """Standardised pictures, (batch, channels, height, width): the mean of each mixture, with
        components beyond black or white at these."""
        logits, means, _, moves = self._parted(told)
        share = torch.softmax(logits, dim=1)
        likely: list[Tensor] = []
        for channel in range(self.shape[0]):
            mean = means[:, channel]
            for before in range(channel):
                mean = mean + moves[:, _place(channel, before)] * likely[before]
            likely.append(mean.clamp(-1, 1))
        # one by one, for a sum over an axis would round by where a record stands in its batch
        joined = [_weighed(share, one, self.components) for one in likely]
        return standardised(torch.stack(joined, dim=1))

    def _parted(self, told: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """logits (batch, components, height, width); means, log scales and moves (batch, channels
        or pairs of them, components, height, width)."""
        channels, height, width = self.shape
        logits, means, log_scales, moves = torch.split(told, self.sizes, dim=1)
        each = (-1, channels, self.components, height, width)
        pairs = (-1, channels * (channels - 1) // 2, self.components, height, width)
        log_scales = log_scales.reshape(each).clamp(LEAST_LOG_SCALE, MOST_LOG_SCALE)
        # gray pictures have no pairs
        moves = torch.tanh(moves).reshape(pairs) if pairs[1] else moves[:, :, None]
        return logits, means.reshape(each), log_scales, moves


def _place(channel: int, before: int) -> int:
    """Where the pair of a channel and one before it stands among all pairs."""
    return channel * (channel - 1) // 2 + before


def _weighed(share: Tensor, values: Tensor, components: int) -> Tensor:
    total = share[:, 0] * values[:, 0]
    for place in range(1, components):
        total = total + share[:, place] * values[:, place]
    return total


def _log_mass(level: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """The logarithm of what logistics give to levels; all broadcast together."""
    per_scale = (-log_scale).exp()
    above = (level + HALF - mean) * per_scale
    below = (level - HALF - mean) * per_scale
    # F(above) - F(below) = F(above) F(-below) (1 - exp(below - above)): nothing cancels
    t = 2 * HALF * per_scale
    thick = (1 - (-t).exp()).clamp(min=1e-9).log()
    thin = t.log() - t / 2 + t.square() / 24
    to_above, to_below = -F.softplus(-above), -F.softplus(below)
    inside = to_above + to_below + torch.where(t < THIN, thin, thick)
    # the ends are told from the levels beside them
    outer = torch.where(level > 1 - HALF, to_below, inside)
    return torch.where(level < HALF - 1, to_above, outer)
