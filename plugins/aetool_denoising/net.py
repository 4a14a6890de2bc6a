"""The denoising autoencoder (Vincent, Larochelle, Bengio & Manzagol 2008; stacked: 2010)."""

from __future__ import annotations

import torch
from torch import Tensor

from aetool.nn import Stacked

# of numbers in standard deviations; of pixels black and white, as the host lays them out
LOWEST_NUMBER, HIGHEST_NUMBER = -3.0, 3.0
BLACK, WHITE = -1.0, 159 / 96


class Denoising(Stacked):
    """An autoencoder that is trained to restore records from damaged copies.

    Numbers get N(shift, noise^2) and, some, an extreme value; columns are swapped with another
    record's, or blanked: some by chance, and one run of neighbours (of pictures, a rectangle). A
    blanked number is 0, its mean; a blanked category has no level at all. How much is damaged is up
    to self.params. Context (features seen, but not scored) is not damaged. Swap noise keeps each
    column's own distribution (as in tabular Kaggle practice, Jahrer 2017).

    owner: (features,) int64, the column of each feature, of context any. context, number:
    (features,) bool, which features are context, and which are numbers.
    """

    owner: Tensor
    context: Tensor
    number: Tensor

    def build(self) -> None:
        """Build the layers of a stacked autoencoder, and the tables of features that `corrupt`
        reads."""
        super().build()
        spec = self.spec
        owner = torch.from_numpy(spec.owners())
        scored = owner >= 0
        # a context feature has no column: any will do, as it is not damaged
        column = torch.where(scored, owner, 0)
        numeric = torch.from_numpy(spec.numeric)
        number = torch.zeros(spec.features, dtype=torch.bool)
        number[numeric] = True
        # what only training needs is not stored
        self.register_buffer("owner", column, persistent=False)
        self.register_buffer("context", ~scored, persistent=False)
        self.register_buffer("number", number, persistent=False)

    def corrupt(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """A damaged copy of rows x, (batch, ...), in their shape: noise and extremes first, then
        swaps, then blanks over all. rng: draws the damage, on the device of x."""
        damage = self.params
        flat = x.flatten(1)
        device = x.device
        # drawn also where no noise is asked for, so that later draws do not depend on it
        normal = torch.randn(flat.shape, generator=rng, device=device)
        damaged = flat
        if damage.noise or damage.shift:
            noise = damage.shift + damage.noise * normal
            damaged = flat + noise * self.number
        if damage.salt:
            extreme = self._random_extremes(flat, rng)
            in_salted_column = self._columns_by_chance(flat, damage.salt, rng)
            is_salted = in_salted_column & self.number
            damaged = torch.where(is_salted, extreme, damaged)
        if damage.swap:
            order = torch.randperm(len(flat), generator=rng, device=device)
            other_rows = flat[order]
            is_swapped = self._columns_by_chance(flat, damage.swap, rng)
            damaged = torch.where(is_swapped, other_rows, damaged)
        blank = self._columns_by_chance(flat, damage.mask, rng)
        if damage.block:
            block = self._random_block(len(x), rng, device)
            blank |= block & ~self.context
        damaged = torch.where(blank, 0.0, damaged)
        return damaged.reshape(x.shape)

    def _columns_by_chance(self, flat: Tensor, part: float, rng: torch.Generator) -> Tensor:
        """(rows, features) bool: in each of the rows every column is drawn with the probability
        `part`, and all of its features are True; those of the context never are. flat: (rows,
        features), of which only shape and device are read."""
        columns = len(self.spec.columns)
        shape = (len(flat), columns)
        uniform = torch.rand(shape, generator=rng, device=flat.device)
        drawn = uniform < part
        return drawn[:, self.owner] & ~self.context

    def _random_extremes(self, flat: Tensor, rng: torch.Generator) -> Tensor:
        """For every feature an extreme value, (rows, features): -3 or 3 standard deviations, of
        pictures black or white, each with probability 1/2. flat: (rows, features), of which only
        shape and device are read."""
        lowest = LOWEST_NUMBER
        highest = HIGHEST_NUMBER
        if self.spec.shape:
            lowest = BLACK
            highest = WHITE
        uniform = torch.rand(flat.shape, generator=rng, device=flat.device)
        is_low = uniform < 0.5
        return torch.where(is_low, lowest, highest)

    def _random_block(self, rows: int, rng: torch.Generator, device: torch.device) -> Tensor:
        """Choose one run of neighbouring columns, or one rectangle of pixels, in each row: (rows,
        features) bool, True for about the part `block` of all, one column or pixel at least.
        Context features come out as the first column does: the caller takes them out. rng: draws
        the places, on `device`."""
        part = float(self.params.block)
        shape = self.spec.shape
        if shape is None:
            columns = len(self.spec.columns)
            run = _random_run(rows, columns, part, rng, device)
            return run[:, self.owner]
        channels, height, width = shape
        # of a rectangle both sides are as long a part
        side = part**0.5
        down = _random_run(rows, height, side, rng, device)
        right = _random_run(rows, width, side, rng, device)
        rows_of_pixels = down[:, :, None]
        columns_of_pixels = right[:, None, :]
        hole = rows_of_pixels & columns_of_pixels
        one_channel = hole[:, None]
        every_channel = one_channel.expand(-1, channels, -1, -1)
        return every_channel.flatten(1)


def _random_run(
    rows: int,
    size: int,
    part: float,
    rng: torch.Generator,
    device: torch.device,
) -> Tensor:
    """(rows, size) bool: in each row one run of neighbours is True, of this part (0 .. 1) of all,
    rounded, but one at least, at a place that rng draws. device: of rng, and of the result."""
    length = max(1, round(part * size))
    places = size - length + 1
    shape = (rows, 1)
    uniform = torch.rand(shape, generator=rng, device=device)
    first = (uniform * places).floor()
    end = first + length
    place = torch.arange(size, device=device)
    return (place >= first) & (place < end)
