"""Linear maps that see only what comes before, for autoregressive models."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class MaskedLinear(nn.Module):
    """A linear map between units that have degrees: an output of degree d sees inputs of degree
    below d, or if `hidden` of degree up to d (Germain, Gregor, Murray & Larochelle 2015,
    arXiv:1502.03509, eq. 13).

    before, after: the degrees of inputs and outputs, whole numbers, (inputs,) and (outputs,).
    """

    mask: Tensor

    def __init__(self, before: Tensor, after: Tensor, hidden: bool) -> None:
        """Add the linear map, with random weights, and its mask. before, after: the degrees of
        inputs and outputs, whole numbers; an output sees the inputs of lower degrees; hidden: those
        of its own degree, too."""
        super().__init__()
        self.linear = nn.Linear(len(before), len(after))
        output_degree = after[:, None]
        # (outputs, inputs), as the weight is
        is_seen = output_degree > before
        if hidden:
            is_seen = output_degree >= before
        self.register_buffer("mask", is_seen.float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, outputs) from x, (batch, inputs)."""
        weight = self.linear.weight * self.mask
        return F.linear(x, weight, self.linear.bias)


def spread(units: int, degrees: int) -> Tensor:
    """(units,), rising: a degree for each hidden unit, 0 to degrees - 1, spread evenly, so that
    every unit sees something, and none the input of degree `degrees`. int64; degrees: 1 at
    least."""
    return torch.arange(units) * degrees // units
