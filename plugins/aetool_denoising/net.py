"""The denoising autoencoder (Vincent, Larochelle, Bengio & Manzagol 2008; stacked: 2010)."""

from __future__ import annotations

import torch
from torch import Tensor

from aetool.nn import Stacked

EXTREMES = {"table": (-3.0, 3.0), "image": (-1.0, 159 / 96)}  # standard deviations; black, white


class Denoising(Stacked):
    """An autoencoder that is trained to restore records from damaged copies.

    Numbers get N(shift, noise^2) and, some, an extreme value; columns are swapped with another
    record's, or blanked: some by chance, and one run of neighbours (of pictures, a rectangle). A
    blanked number is 0, its mean; a blanked category has no level at all. Context is not damaged.
    Swap noise keeps each column's own distribution (as in tabular Kaggle practice, Jahrer 2017).
    """

    owner: Tensor
    context: Tensor
    number: Tensor

    def build(self) -> None:
        super().build()
        owner = torch.from_numpy(self.spec.owners())
        scored = owner >= 0
        self.register_buffer("owner", torch.where(scored, owner, 0), persistent=False)
        self.register_buffer("context", ~scored, persistent=False)
        number = torch.zeros(self.spec.features, dtype=torch.bool)
        number[torch.from_numpy(self.spec.numeric)] = True
        self.register_buffer("number", number, persistent=False)

    def corrupt(self, x: Tensor, rng: torch.Generator) -> Tensor:
        damage = self.params
        flat = x.flatten(1)
        # drawn in any case, so that what is drawn after it does not depend on it
        normal = torch.randn(flat.shape, generator=rng, device=x.device)
        damaged = flat
        if damage.noise or damage.shift:
            noise = damage.shift + damage.noise * normal
            damaged = flat + noise * self.number
        if damage.salt:
            extreme = self._extremes(flat, rng)
            is_salted = self._columns_by_chance(flat, damage.salt, rng) & self.number
            damaged = torch.where(is_salted, extreme, damaged)
        if damage.swap:
            other = torch.randperm(len(flat), generator=rng, device=x.device)
            is_swapped = self._columns_by_chance(flat, damage.swap, rng)
            damaged = torch.where(is_swapped, flat[other], damaged)
        blank = self._columns_by_chance(flat, damage.mask, rng)
        if damage.block:
            block = self._block(len(x), rng, x.device)
            blank |= block & ~self.context
        return torch.where(blank, 0.0, damaged).reshape(x.shape)

    def _columns_by_chance(self, flat: Tensor, part: float, rng: torch.Generator) -> Tensor:
        """(rows, features) bool: in each of the rows every column is drawn with the probability
        `part`, and all of its features are True; those of the context never are."""
        shape = (len(flat), len(self.spec.columns))
        uniform = torch.rand(shape, generator=rng, device=flat.device)
        drawn = uniform < part
        return drawn[:, self.owner] & ~self.context

    def _extremes(self, flat: Tensor, rng: torch.Generator) -> Tensor:
        """The lowest or the highest value for every feature, by chance: (rows, features)."""
        kind = "image" if self.spec.shape else "table"
        low, high = EXTREMES[kind]
        uniform = torch.rand(flat.shape, generator=rng, device=flat.device)
        return torch.where(uniform < 0.5, low, high)

    def _block(self, rows: int, rng: torch.Generator, device: torch.device) -> Tensor:
        """Choose one run of neighbouring columns, or one rectangle of pixels, in each row: (rows,
        features) bool, of about the part `block` of all. rng: draws it."""
        part = float(self.params.block)
        shape = self.spec.shape
        if shape is None:
            columns = _run(rows, len(self.spec.columns), part, rng, device)
            return columns[:, self.owner]
        channels, height, width = shape
        # of a rectangle both sides are as long a part
        side = part**0.5
        down = _run(rows, height, side, rng, device)
        right = _run(rows, width, side, rng, device)
        hole = down[:, :, None] & right[:, None, :]
        every_channel = hole[:, None].expand(-1, channels, -1, -1)
        return every_channel.flatten(1)


def _run(
    rows: int,
    size: int,
    part: float,
    rng: torch.Generator,
    device: torch.device,
) -> Tensor:
    """(rows, size) bool: in each row one run of neighbours, of this part of all, at a place that
    rng draws."""
    length = max(1, round(part * size))
    places = size - length + 1
    uniform = torch.rand((rows, 1), generator=rng, device=device)
    first = (uniform * places).floor()
    place = torch.arange(size, device=device)
    return (place >= first) & (place < first + length)
