"""Temporal convolutional network (Bai, Kolter & Koltun 2018): a row given those before it."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from aetool.nn import AutoEncoder

RIDGE = 1e-2  # of the first weights


class Forecast(AutoEncoder):
    """-log p(row | rows before it, what is known of it: its condition, and where in time it is).

    There is no code. Causal convolutions, each twice as far back as the one before, and a straight
    linear map beside them, which is where it starts. Without rows before, it knows no more than
    how often values occur.
    """

    before: Tensor
    known: Tensor
    prior = "features"

    def latent_size(self) -> int:
        return 0

    def build(self) -> None:
        self.code = None
        steps = self.spec.steps()
        rows, told = len(steps) - 1, steps.shape[1]
        own = self.spec.owners()[: self.spec.features - self.spec.given]
        self.register_buffer("before", torch.from_numpy(steps[:-1].flatten()), persistent=False)
        self.register_buffer("known", torch.from_numpy(np.flatnonzero(own < 0)), persistent=False)
        self.shape, width = (rows, told), self.width()
        self.layers, self.out = nn.ModuleList(), None
        while 2 ** len(self.layers) <= rows:
            far = 2 ** len(self.layers)
            self.layers.append(nn.Conv1d(width if far > 1 else told, width, 2, 1, far, far))
            self.out = nn.Linear(width, self.spec.features)
        self.weight = nn.Parameter(torch.zeros(self.spec.features, rows * told + len(self.known)))
        self.bias = nn.Parameter(torch.zeros(self.spec.features))

    def inputs(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The rows before, (batch, rows * told), and beside them what is known of the row itself."""
        before = x.index_select(1, self.before)
        return before, torch.cat([before, x.index_select(1, self.known)], dim=1)

    @torch.no_grad()
    def start(self, x: Tensor) -> None:
        """At the linear forecast of least squares."""
        told = self.inputs(x)[1]
        off = told - told.mean(dim=0)
        inner = off.T @ off / len(x) + RIDGE * torch.eye(off.shape[1], device=x.device)
        self.weight.copy_(torch.linalg.solve(inner, off.T @ x / len(x)).T)
        self.bias.copy_(x.mean(dim=0) - self.weight @ told.mean(dim=0))
        if self.out is not None:
            nn.init.zeros_(self.out.weight)
            nn.init.zeros_(self.out.bias)

    def expected(self, x: Tensor) -> Tensor:
        before, told = self.inputs(x)
        likely = F.linear(told, self.weight, self.bias)
        if self.out is None:
            return likely
        h = before.reshape(-1, *self.shape).transpose(1, 2)
        for layer in self.layers:
            h = F.silu(layer(h)[:, :, : self.shape[0]])
        return likely + self.out(h[:, :, -1])

    def loss(self, x: Tensor, rng: torch.Generator, seen: Tensor | None = None) -> Tensor:
        return self.parts(x).sum(dim=1)
