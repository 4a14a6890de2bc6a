"""MADE (Germain, Gregor, Murray & Larochelle 2015, arXiv:1502.03509)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from aetool.model import Int
from aetool.nn import AutoEncoder, MaskedLinear, spread


class MADE(AutoEncoder):
    """A masked autoencoder that computes an exact density, column by column: -log p(x) = sum over
    columns of -log p(x_c | columns before it); of pictures, over the channels of pixels. In nats.

    Features of the c-th column in order have degree c; context has degree 0, and all see it. A
    hidden unit of degree d sees columns up to the d-th, and columns after the d-th see it. There is
    no code. A straight masked map beside the hidden layers carries what is linear.
    """

    prior = "features"
    means = "likelihood"

    def latent_size(self) -> int:
        """How many numbers a code has: 0, as there is no code."""
        return 0

    def build(self) -> None:
        """Make the masked layers by the degrees of features; there is neither encoder nor decoder,
        and `code` becomes None."""
        self.code = None
        owners = self.spec.owners()
        columns = len(self.spec.columns)
        if self.spec.shape is not None:
            # each channel of a pixel is told by itself
            columns = self.spec.features
            owners = np.arange(columns)
        degree = torch.from_numpy(self._degrees(owners, columns))
        usual_width = 256 if self.spec.shape else 96
        width = self.params.width or usual_width
        hidden = [spread(width, columns)] * self.params.depth
        degrees = [degree, *hidden]
        layers = [MaskedLinear(before, after, True) for before, after in pairwise(degrees)]
        self.hidden = nn.ModuleList(layers)
        self.out = MaskedLinear(degrees[-1], degree, False) if layers else None
        self.straight = MaskedLinear(degree, degree, False)

    def _degrees(self, owners: Int, columns: int) -> Int:
        """(features,): the degree of each feature: the place of its column in the order in which
        columns are predicted, from 1; 0 for those of the context. owners: (features,), the column
        of each, below 0 for the context; columns: how many there are."""
        place_in_order = np.arange(columns)
        if self.params.order == "random":
            rng = np.random.default_rng(self.params.seed)
            place_in_order = rng.permutation(columns)
        is_context = owners < 0
        place_of_feature = place_in_order[np.maximum(owners, 0)]
        return np.where(is_context, 0, place_of_feature + 1)

    def start(self, x: Tensor) -> None:
        """Keep the random first weights, instead of those of PCA; x is not read."""

    def expected(self, x: Tensor) -> Tensor:
        """The likelihood's parameters of each column of rows x given those before it, laid out as
        x: means, and logits for flags and one-hot blocks."""
        flat = x.flatten(1)
        parameters = self.straight(flat)
        h = flat
        for layer in self.hidden:
            h = F.silu(layer(h))
        if self.out is not None:
            parameters = parameters + self.out(h)
        if self.spec.shape:
            return parameters.reshape(-1, *self.spec.shape)
        return parameters

    def parts(self, x: Tensor) -> Tensor:
        """(batch, columns + 1), in nats: -log p of each column of rows x given those before it;
        last 0."""
        return self.likelihood(x, self.expected(x))

    def loss(self, x: Tensor, rng: torch.Generator, seen: Tensor | None = None) -> Tensor:
        """-log p(x) of each row, (batch,), in nats. rng and seen are not read: nothing is drawn or
        damaged."""
        return self.parts(x).sum(dim=1)
