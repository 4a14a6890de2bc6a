"""MADE (Germain, Gregor, Murray & Larochelle 2015, arXiv:1502.03509)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from aetool.nn import AutoEncoder


class Masked(nn.Module):
    """A linear map whose output of degree d sees inputs of degree below d (hidden: up to d)."""

    mask: Tensor

    def __init__(self, before: Tensor, after: Tensor, hidden: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(len(before), len(after))
        seen = after[:, None] >= before if hidden else after[:, None] > before
        self.register_buffer("mask", seen.float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.linear.weight * self.mask, self.linear.bias)


class MADE(AutoEncoder):
    """-log p(x) = sum over columns of -log p(x_c | columns before it), exactly.

    Features of the column told as the c-th have degree c, context has degree 0 and is seen by all;
    a hidden unit of degree d sees columns up to the d-th, and is seen by those behind it. There is
    no code. A straight masked map beside the hidden layers carries what is linear.
    """

    def latent_size(self) -> int:
        return 0

    def build(self) -> None:
        self.code = None
        columns = len(self.spec.columns)
        place = np.arange(columns)
        if self.params.order == "random":
            place = np.random.default_rng(self.params.seed).permutation(columns)
        owners = self.spec.owners()
        degree = torch.from_numpy(np.where(owners < 0, 0, place[np.maximum(owners, 0)] + 1))
        width = self.params.width or (256 if self.spec.shape else 96)
        # degrees 0 .. columns - 1, spread evenly: no unit is blind, none sees the last column
        inner = torch.arange(width) * columns // width
        sizes = [degree, *[inner] * self.params.depth]
        layers = [Masked(a, b, True) for a, b in pairwise(sizes)]
        self.hidden = nn.ModuleList(layers)
        self.out = Masked(sizes[-1], degree, False) if layers else None
        self.straight = Masked(degree, degree, False)

    def expected(self, x: Tensor, given: Tensor | None = None) -> Tensor:
        """Parameters of each column given those before it, laid out as x."""
        flat = x.flatten(1)
        found, h = self.straight(flat), flat
        for layer in self.hidden:
            h = F.silu(layer(h))
        if self.out is not None:
            found = found + self.out(h)
        return found.reshape(-1, *self.spec.shape) if self.spec.shape else found

    def parts(self, x: Tensor, given: Tensor | None = None) -> Tensor:
        return self.likelihood(x, self.expected(x))

    def loss(self, x: Tensor, rng: torch.Generator, seen: Tensor | None = None) -> Tensor:
        return self.parts(x).sum(dim=1)
