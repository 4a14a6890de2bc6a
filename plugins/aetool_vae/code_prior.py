"""A prior of codes of whole numbers: how likely each code is, and so how many bits it takes."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from aetool.nn import MaskedLinear, spread

HIDDEN = 64  # units that tell what the units of a code before one say of it
# of a logistic, in steps
LEAST_LOG_SCALE = -3.0
MOST_LOG_SCALE = 6.0
# a logistic of scale 1 has this deviation
LOGISTIC_DEVIATION = math.pi / math.sqrt(3)


class CodePrior(nn.Module):
    """A learned distribution of codes, (batch, latent), counted in the steps that an archive rounds
    them to: each unit is logistic, with a mean and a scale that are predicted from the units before
    it; a step about a value has the mass of an interval of length 1 (Balle, Laparra & Simoncelli
    2017, arXiv:1611.01704; masks as Germain, Gregor, Murray & Larochelle 2015,
    arXiv:1502.03509)."""

    def __init__(self, latent: int) -> None:
        """Make the masked layers that predict each unit from those before it, with random weights.
        latent: how many units a code has."""
        super().__init__()
        self.latent = latent
        order = torch.arange(latent)
        degrees = spread(HIDDEN, latent)
        # a mean and a scale of each unit
        order_of_moments = order.repeat(2)
        self.reads = MaskedLinear(order, degrees, hidden=True)
        self.tells = MaskedLinear(degrees, order_of_moments, hidden=False)

    def nats(self, codes: Tensor) -> Tensor:
        """The cost of each unit of codes, -log P in nats, (batch, latent), P being the mass of an
        interval of length 1 about it. codes: (batch, latent), in steps, whole numbers or not."""
        hidden = torch.tanh(self.reads(codes))
        moments = self.tells(hidden)
        centred = codes - moments[:, : self.latent]
        log_scale = moments[:, self.latent :]
        log_scale = log_scale.clamp(LEAST_LOG_SCALE, MOST_LOG_SCALE)
        per_scale = torch.exp(-log_scale)
        upper = (centred + 0.5) * per_scale
        lower = (centred - 0.5) * per_scale
        # F(upper) - F(lower) = F(upper) F(-lower) (1 - exp(lower - upper)): nothing cancels
        inside = torch.log(1 - torch.exp(-per_scale))
        return F.softplus(-upper) + F.softplus(lower) - inside

    @torch.no_grad()
    def start(self, deviations: Tensor) -> None:
        """Set the prior, in place, to independent units with mean 0 and these deviations,
        (latent,), above 0, in steps."""
        reading = self.reads.linear
        telling = self.tells.linear
        deviations = deviations.to(reading.weight)
        # hidden units see units of deviation 1
        reading.weight.div_(deviations)
        nn.init.zeros_(telling.weight)
        # with weights of 0 no unit depends on another: a bias is the unit itself
        scales = deviations / LOGISTIC_DEVIATION
        log_scales = scales.log().clamp(LEAST_LOG_SCALE, MOST_LOG_SCALE)
        telling.bias[: self.latent] = 0.0
        telling.bias[self.latent :] = log_scales
