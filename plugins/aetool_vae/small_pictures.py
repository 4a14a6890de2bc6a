"""Encoder and decoder of pictures with few weights in the decoder, since an archive pays for each
of them.

What belongs to a place is told by one linear map to a coarse grid; how that becomes pixels is the
same at every place, so that convolutions learn it with few weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from aetool.data.scaling import PIXEL_MEAN, PIXEL_SPREAD
from aetool.nn.starting import principal

WHITE = 255.0
ENCODED = 4  # hidden units of the encoder for each of the width: no archive pays for them
SHARED = 0.5  # channels of shared convolutions for each of the width
PLACED = 0.1875  # channels of the coarse grid for each of the width: most weights lead there
MOST_AT_ONCE = 2  # halvings that the last layer undoes in one step
SMALLEST = 4  # a side that is halved no more
LEAST_SPREAD = 1e-3  # of a unit of the code, in steps


@dataclass(frozen=True)
class Sizes:
    """The sizes that determine how many weights encoder and decoder have.

    shape: (channels, height, width) of pictures. latent: units of a code. width: the unit of the
    widths of hidden layers, which are parts or multiples of it. depth: how often sides are halved
    down to the coarse grid; 0 makes both maps linear, but for black and white.
    """

    shape: tuple[int, int, int]
    latent: int
    width: int
    depth: int

    @property
    def pixels(self) -> int:
        """How many values a picture has, over all channels."""
        return math.prod(self.shape)

    @property
    def halvings(self) -> int:
        """How often sides are halved: `depth` times, or until the shorter side, rounded up each
        time, is below 4."""
        _, height, width = self.shape
        side = min(height, width)
        halvings = 0
        while halvings < self.depth and side >= SMALLEST:
            side = -(-side // 2)
            halvings += 1
        return halvings

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of the coarse grid: the sides divided by 2^halvings, rounded up, so that
        it may reach beyond the picture."""
        _, height, width = self.shape
        side = 1 << self.halvings
        return -(-height // side), -(-width // side)

    def channels(self, part: float) -> int:
        """The number of channels that this part, 0 to 1, of the width is: at least one."""
        return max(1, round(part * self.width))


class PictureEncoder(nn.Module):
    """An encoder of pictures, (batch, channels, height, width), to codes, (batch, latent): a linear
    map, which starts at PCA, and layers that learn what it leaves."""

    def __init__(self, sizes: Sizes) -> None:
        """Make the linear map and, unless sizes.depth is 0, the layers beside it."""
        super().__init__()
        self.straight = nn.Linear(sizes.pixels, sizes.latent)
        self.bent: nn.Sequential | None = None
        if sizes.depth:
            hidden = ENCODED * sizes.width
            # black and white are told apart best where each layer is bent
            self.bent = nn.Sequential(
                nn.Linear(sizes.pixels, hidden),
                nn.SiLU(),
                nn.Linear(hidden, hidden),
                nn.SiLU(),
                nn.Linear(hidden, sizes.latent),
            )

    def forward(self, pictures: Tensor) -> Tensor:
        """The codes, (batch, latent), of standardised pictures, (batch, channels, height,
        width)."""
        flat = pictures.flatten(1)
        codes = self.straight(flat)
        if self.bent is None:
            return codes
        return codes + self.bent(flat)

    @torch.no_grad()
    def start(self, pictures: Tensor, step: float) -> Tensor:
        """Set the encoder, in place, to the principal components of pictures, (batch, channels,
        height, width), in steps of this length, in standardised pixels, and its other layers to add
        0. Returns the deviation of each unit, (latent,), in steps, 0.001 at least, which is what
        units beyond the number of components get."""
        flat = pictures.flatten(1).cpu().numpy()
        weight = self.straight.weight
        bias = self.straight.bias
        mean, axes, variances = principal(flat, len(bias))
        # of small pictures there may be fewer components than units
        components = axes.shape[1]
        weight.zero_()
        weight[:components] = torch.from_numpy(axes.T / step).to(weight)
        center = torch.from_numpy(mean).to(weight)
        bias.copy_(-(weight @ center))
        if self.bent is not None:
            # the last layer gives 0 at first, so that the linear map alone is seen
            for values in self.bent[-1].parameters():
                nn.init.zeros_(values)
        deviations = torch.zeros(len(bias))
        deviations[:components] = torch.from_numpy(variances).sqrt().float()
        return (deviations / step).clamp(min=LEAST_SPREAD)


class PictureDecoder(nn.Module):
    """A decoder of codes, (batch, latent), to standardised pictures, (batch, channels, height,
    width)."""

    def __init__(self, sizes: Sizes) -> None:
        """Make the linear map to the coarse grid and, unless that is the picture itself, the layers
        from there to pixels."""
        super().__init__()
        self.sizes = sizes
        colours = sizes.shape[0]
        cells = math.prod(sizes.grid)
        layers: list[nn.Module] = []
        # without a halving the cells of the grid are the pixels
        self.placed = colours
        if sizes.halvings:
            self.placed = sizes.channels(PLACED)
            layers = _shared_layers(sizes, self.placed)
        self.first = nn.Linear(sizes.latent, self.placed * cells)
        self.shared = nn.Sequential(*layers)

    def forward(self, codes: Tensor) -> Tensor:
        """The standardised pictures, (batch, channels, height, width), that codes, (batch, latent),
        are decoded to; every pixel lies between black and white."""
        _, height, width = self.sizes.shape
        cells = self.first(codes)
        cells = cells.reshape(-1, self.placed, *self.sizes.grid)
        # of an odd side the grid covers more than there is
        logits = self.shared(cells)[:, :, :height, :width]
        pixels = WHITE * torch.sigmoid(logits)
        return (pixels - PIXEL_MEAN) / PIXEL_SPREAD

    @torch.no_grad()
    def start(self, deviations: Tensor) -> None:
        """Scale the first layer, in place, so that codes whose units have these deviations,
        (latent,), above 0, do what codes of deviation 1 did before."""
        weight = self.first.weight
        weight.div_(deviations.to(weight))


def _shared_layers(sizes: Sizes, placed: int) -> list[nn.Module]:
    """The layers from the cells of the coarse grid, of `placed` channels, to logits of pixels.
    sizes.halvings must be 1 or more. A side that 2^halvings does not divide comes out longer than
    the picture."""
    shared = sizes.channels(SHARED)
    at_once = min(sizes.halvings, MOST_AT_ONCE)
    layers: list[nn.Module] = [
        nn.SiLU(),
        nn.Conv2d(placed, shared, kernel_size=3, padding=1),
        nn.SiLU(),
    ]
    for _ in range(sizes.halvings - at_once):
        doubling = nn.ConvTranspose2d(
            shared,
            shared,
            kernel_size=4,
            stride=2,
            padding=1,
        )
        layers += [doubling, nn.SiLU()]
    # a pixel is told by the cell that it lies in, and by those around
    side = 1 << at_once
    last = nn.ConvTranspose2d(
        shared,
        sizes.shape[0],
        kernel_size=3 * side,
        stride=side,
        padding=side,
    )
    return [*layers, last]
