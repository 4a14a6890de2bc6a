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
        p = self.params
        flat = x.flatten(1)
        columns = (len(x), len(self.spec.columns))

        def chosen(part: float) -> Tensor:
            """(rows, features) bool: in each row every column is drawn with the probability `part`,
            and all of its features are True; those of the context never are."""
            draw = torch.rand(columns, generator=rng, device=x.device)
            return (draw < part)[:, self.owner] & ~self.context

        # drawn in any case, so that what is drawn after it does not depend on it
        normal = torch.randn(flat.shape, generator=rng, device=x.device)
        corrupted = flat
        if p.noise or p.shift:
            noise = p.shift + p.noise * normal
            corrupted = flat + noise * self.number
        if p.salt:
            low, high = EXTREMES["image" if self.spec.shape else "table"]
            is_low = torch.rand(flat.shape, generator=rng, device=x.device) < 0.5
            extreme = torch.where(is_low, low, high)
            salted = chosen(p.salt) & self.number
            corrupted = torch.where(salted, extreme, corrupted)
        if p.swap:
            other = torch.randperm(len(x), generator=rng, device=x.device)
            corrupted = torch.where(chosen(p.swap), flat[other], corrupted)
        blank = chosen(p.mask)
        if p.block:
            blank |= self._block(len(x), rng, x.device) & ~self.context
        return torch.where(blank, 0.0, corrupted).reshape(x.shape)

    def _block(self, rows: int, rng: torch.Generator, device: torch.device) -> Tensor:
        """Choose one run of neighbouring columns, or one rectangle of pixels, in each row: (rows,
        features) bool, of about the part `block` of all. rng: draws it."""

        def inside(size: int, part: float) -> Tensor:
            length = max(1, round(part * size))
            draw = torch.rand((rows, 1), generator=rng, device=device)
            first = (draw * (size - length + 1)).floor()
            place = torch.arange(size, device=device)
            return (place >= first) & (place < first + length)

        if self.spec.shape is None:
            return inside(len(self.spec.columns), self.params.block)[:, self.owner]
        channels, height, width = self.spec.shape
        side = float(self.params.block) ** 0.5
        hole = inside(height, side)[:, :, None] & inside(width, side)[:, None, :]
        return hole[:, None].expand(-1, channels, -1, -1).flatten(1)
