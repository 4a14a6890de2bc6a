"""The likelihood: how surprising each column of a record is under a decoder's output, in nats."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from aetool.data.scaling import PIXEL_MEAN, PIXEL_SPREAD
from aetool.graphs import ERFC, LEAST_SIGMA, SMALLEST_MASS, THIN
from aetool.model import Spec

START_SCALE, START_WEIGHT = (1.0, 4.0), (0.95, 0.05)
LEAST_INTENSITY = 1e-3  # that a Bernoulli pixel may be given
MEMORY, LEAST_RESIDUAL = 0.99, 1e-4  # of the moving means of squared residuals; their least mean
NUMBERS_FIRST = 100.0  # weight of plain squares: levels, in nats, do not take the code of numbers
LEAST_PART = 1e-3  # of that mean that a column counts with at least
EM_STEPS, LEAST_WEIGHT, LEAST_VARIANCE = 30, 1e-3, 1e-8
PIXEL_FLOOR = 4.0  # least scale of a pixel, in bucket half-widths: its bucket is always thin


class Likelihood(nn.Module):
    """-log p(x | parameters) of the heterogeneous data a Spec describes.

    Numbers: the mass of the value's bucket under a mixture of two Gaussians of one mean, whose
    scales and weights are learned for each: a sharp bulk and a wide, thin rest (pixels: one).
    Flags: Bernoulli. Categories: softmax. Parameters have the layout of x itself.
    shared: all numbers have one scale, so that what counts is how far they are off in standard
    deviations, and no value costs too much; in training means follow the squared error, and the
    scale what that leaves.
    With pixels="bernoulli" a pixel is an intensity p within 0 .. 1, and costs
    -p log q - (1 - p) log (1 - q).
    """

    numeric: Tensor
    half_width: Tensor
    deviation: Tensor
    mean: Tensor
    curved: Tensor
    gate: Tensor
    gated: Tensor
    flag: Tensor
    owner: Tensor
    residual: Tensor

    def __init__(
        self,
        spec: Spec,
        error: str = "bits",
        pixels: str = "gaussian",
        shared: bool = False,
        means: str = "likelihood",
    ) -> None:
        super().__init__()
        self.spec = spec
        self.error = error
        self.register_buffer("residual", torch.ones(len(spec.numeric)), persistent=False)
        self.bernoulli = pixels == "bernoulli" and spec.shape is not None
        self.shared = shared and spec.shape is None
        self.squares = means != "likelihood" or shared
        self.weighed = means == "weighed squares" and not self.shared
        self.times = NUMBERS_FIRST if means == "squares" and not self.shared else 1.0
        n = 1 if self.shared else len(spec.numeric)
        parts = 1 if spec.shape or self.shared else 2
        start = torch.tensor(START_SCALE[:parts]).log()[:, None].expand(parts, n)
        self.log_scale = nn.Parameter(start.clone())
        if parts > 1:
            weight = torch.tensor(START_WEIGHT).log()[:, None].expand(parts, n)
            self.weight_logit = nn.Parameter(weight.clone())

        def keep(name: str, value: object, dtype: torch.dtype) -> None:
            self.register_buffer(name, torch.tensor(np.asarray(value), dtype=dtype), False)

        keep("numeric", spec.numeric, torch.int64)
        keep("half_width", spec.half, torch.float32)
        keep("deviation", spec.deviation, torch.float32)
        keep("mean", spec.mean, torch.float32)
        keep("curved", spec.curved, torch.float32)
        gate = np.where(spec.gate >= 0, spec.gate, spec.flags[0][0] if spec.flags else 0)
        keep("gate", gate, torch.int64)
        keep("gated", spec.gate >= 0, torch.float32)
        keep("flag", [f for f, _ in spec.flags], torch.int64)
        owner = [
            *spec.owner.tolist(),
            *(c for _, c in spec.flags),
            *(c for c, _, _ in spec.categories),
        ]
        self.direct = spec.shape is not None or owner == list(range(len(spec.columns)))
        if not self.direct:
            matrix = np.zeros((len(owner), len(spec.columns) + 1))
            matrix[np.arange(len(owner)), owner] = 1
            keep("owner", matrix, torch.float32)

    def forward(self, x: Tensor, parameters: Tensor) -> Tensor:
        """The cost of each column of records x under these parameters, in nats.

        x, parameters: (batch, features) or pictures. Returns (batch, columns + 1); last is 0.

        Of pictures a column is a pixel, whose channels are added up.
        """
        x = x.flatten(1)
        parameters = parameters.flatten(1)
        costs = []
        if len(self.spec.numeric):
            costs.append(self._numbers(x, parameters))
        if self.spec.flags:
            flags = x.index_select(1, self.flag)
            logits = parameters.index_select(1, self.flag)
            costs.append(self._flags(flags, logits))
        for _, start, width in self.spec.categories:
            block = slice(start, start + width)
            costs.append(self._category(x[:, block], parameters[:, block]))
        joined = torch.cat(costs, dim=1) if len(costs) > 1 else costs[0]
        if self.spec.shape is not None:
            joined = _over_channels(joined, self.spec.shape[0])
        if self.direct:
            return torch.cat([joined, joined[:, :1] * 0.0], dim=1)
        return joined @ self.owner

    @torch.no_grad()
    def start(self, x: Tensor, parameters: Tensor) -> None:
        """Set the scales and weights of numbers, in place, to the likeliest for the differences of
        x and parameters, both as in forward, by expectation maximisation (Dempster, Laird & Rubin
        1977)."""
        x = x.flatten(1)
        parameters = parameters.flatten(1)
        off = (x - parameters).index_select(1, self.numeric).square()
        there = torch.ones_like(off)
        if self.spec.flags:
            there = 1 - x.index_select(1, self.gate) * self.gated
        rows = there.sum(dim=0).clamp(min=1.0)
        mean = (off * there).sum(dim=0) / rows
        self.residual.copy_(mean)
        if len(self.log_scale) == 1:
            wanted = mean.mean()[None] if self.shared else mean
            self.log_scale.copy_(0.5 * wanted.clamp(min=LEAST_VARIANCE).log()[None])
            return
        bulk = off.median(dim=0).values / 0.455  # the median of a squared standard normal
        bulk = torch.minimum(bulk, mean).clamp(min=LEAST_VARIANCE)
        variance = torch.stack([bulk, 4 * mean.clamp(min=LEAST_VARIANCE)])
        weight = torch.tensor(START_WEIGHT).to(off)[:, None].expand(2, off.shape[1])
        for _ in range(EM_STEPS):
            log = weight.log()[:, None] - 0.5 * (variance.log()[:, None] + off / variance[:, None])
            share = torch.softmax(log, dim=0) * there
            held = share.sum(dim=1).clamp(min=1e-6)
            variance = ((share * off).sum(dim=1) / held).clamp(min=LEAST_VARIANCE)
            weight = (held / held.sum(dim=0)).clamp(min=LEAST_WEIGHT)
        self.log_scale.copy_(0.5 * variance.log())
        self.weight_logit.copy_(weight.log())

    def mixture(self) -> tuple[Tensor, Tensor]:
        """(scales, weights), (components, numbers) both: the Gaussians that the likelihood of each
        number about its mean is a mixture of."""
        if self.spec.shape:
            scale = torch.maximum(self.log_scale.exp(), PIXEL_FLOOR * self.half_width)
            return scale, torch.ones_like(scale)
        scale = torch.maximum(self.log_scale.exp(), LEAST_SIGMA * self.half_width)
        if self.shared:
            return scale, torch.ones_like(scale)
        return scale, torch.softmax(self.weight_logit, dim=0)

    def _numbers(self, x: Tensor, parameters: Tensor) -> Tensor:
        z = x.index_select(1, self.numeric)
        mean = parameters.index_select(1, self.numeric)
        if self.error == "mse":
            cost = (z - mean).square()
        elif self.error == "mae":
            cost = (z - mean).abs()
        else:
            cost = self._bits(z, mean)
        if self.spec.flags:
            cost = cost * (1 - x.index_select(1, self.gate) * self.gated)
        return cost

    def _bits(self, z: Tensor, mean: Tensor) -> Tensor:
        half = self.half_width
        if self.spec.curved.any():
            t = (z * self.deviation + self.mean) * self.curved
            half = half / (0.5 * (t.exp() + (-t).exp()))  # no cosh: few runtimes have it on a GPU
        if self.bernoulli:
            p, q = ((PIXEL_MEAN + PIXEL_SPREAD * v) / 255 for v in (z, mean))
            q = q.clamp(LEAST_INTENSITY, 1 - LEAST_INTENSITY)
            return -(p * q.log() + (1 - p) * (1 - q).log())
        if not (self.training and self.squares):
            return self._surprise(z, mean, half)
        # the value is the surprise; its gradient in the means is that of the squared error over
        # s^2, the variance that is left of a column on average, or if it is weighed over s s_c with
        # s_c^2 that of the column: a compromise, since over s^2 thin columns are not restored
        # closely, and over s_c^2 wide ones hardly at all
        off = 0.5 * (z - mean).square()
        self.residual.lerp_(2 * off.detach().mean(dim=0), 1 - MEMORY)
        common = self.residual.mean().clamp(min=LEAST_RESIDUAL)
        own = self.residual.clamp(min=LEAST_PART * common) if self.weighed else common
        off = self.times * off / (common * own).sqrt()
        return self._surprise(z, mean.detach(), half) + off - off.detach()

    def _surprise(self, z: Tensor, mean: Tensor, half: Tensor) -> Tensor:
        if self.shared:
            sigma = self.log_scale[0].exp()
            usual = (math.sqrt(2 * math.pi) * sigma / (2 * half)).clamp(min=1.0).log()
            return usual + 0.5 * ((z - mean) / sigma).square()
        if self.spec.shape:
            sigma = torch.maximum(self.log_scale[0].exp(), PIXEL_FLOOR * half)
            return thin_bucket_nats(z, mean, sigma, half)
        sigma = torch.maximum(self.log_scale.exp()[:, None], LEAST_SIGMA * half)
        weight = F.log_softmax(self.weight_logit, dim=0)[:, None]
        return -torch.logsumexp(weight - bucket_nats(z, mean, sigma, half), dim=0)

    def _flags(self, flag: Tensor, logit: Tensor) -> Tensor:
        if self.error == "bits":
            return F.softplus(logit) - flag * logit
        off = torch.sigmoid(logit) - flag
        return off.square() if self.error == "mse" else off.abs()

    def _category(self, one_hot: Tensor, logits: Tensor) -> Tensor:
        if self.error == "bits":
            return -(F.log_softmax(logits, dim=1) * one_hot).sum(dim=1, keepdim=True)
        off = torch.softmax(logits, dim=1) - one_hot
        off = off.square() if self.error == "mse" else off.abs()
        return off.sum(dim=1, keepdim=True)


def _over_channels(costs: Tensor, channels: int) -> Tensor:
    """(batch, pixels): the sum over the channels of each pixel of costs, (batch, channels *
    pixels)."""
    pixels = costs.shape[1] // channels
    total = costs[:, :pixels]
    # a sum over an axis would round by where a record stands in its batch
    for first in range(pixels, channels * pixels, pixels):
        total = total + costs[:, first : first + pixels]
    return total


def bucket_nats(z: Tensor, mean: Tensor, sigma: Tensor, half: Tensor) -> Tensor:
    """-log P(z - half < N(mean, sigma^2) < z + half), at most 32 bits; all broadcast together.

    Where the bucket is thinner than 0.03 sigma the difference of tails would cancel in float32,
    and the density with its second-order correction stands in.
    """
    d = ((z - mean).abs() / sigma).clamp(max=40.0)
    t = half / sigma
    near, far = _log_tail(torch.stack([d - t, d + t]))
    wide = near + (1 - (far - near).exp()).clamp(min=1e-12).log()
    mass = torch.where(t < THIN, -thin_bucket_nats(z, mean, sigma, half), wide)
    return -mass.clamp(min=-SMALLEST_MASS)


def thin_bucket_nats(z: Tensor, mean: Tensor, sigma: Tensor, half: Tensor) -> Tensor:
    """bucket_nats for half < sigma / 4, by the density, with a relative error below t^2 / 20, where
    t = half / sigma."""
    d = ((z - mean).abs() / sigma).clamp(max=40.0)
    t = half / sigma
    y = (d * t).clamp(max=1.0).square()
    bend = (1 + y / 6 + y.square() / 120 - t.square() / 6).clamp(min=0.1).log()
    mass = -0.5 * d.square() + t.log() + bend + math.log(2 / math.sqrt(2 * math.pi))
    return -mass.clamp(min=-SMALLEST_MASS)


def _log_tail(v: Tensor) -> Tensor:
    """log P(N(0,1) > v), element by element; while a graph is exported by a polynomial, as ONNX has
    no operator for it."""
    if not torch.compiler.is_exporting():
        return torch.special.log_ndtr(-v)
    x = v.abs() * math.sqrt(0.5)
    t = 1 / (1 + 0.5 * x)
    p = ERFC[-1] * t + ERFC[-2]
    for c in ERFC[-3::-1]:
        p = p * t + c
    upper = p - x * x + t.log() - math.log(2)
    lower = (1 - upper.exp().clamp(max=0.5)).log()
    return torch.where(v < 0, lower, upper)


def kl_to_standard_normal(mean: Tensor, log_var: Tensor) -> Tensor:
    """KL(N(mean, exp(log_var)) || N(0, I)), in nats per unit; their sum is that of the sample.

    mean, log_var: (batch, latent). Returns (batch, latent), never negative.
    Source: Kingma & Welling 2013 (arXiv:1312.6114), appendix B.
    """
    return 0.5 * (mean.square() + log_var.exp() - 1 - log_var)
