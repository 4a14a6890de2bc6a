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

START_SCALE = (1.0, 4.0)  # of a sharp bulk and a wide rest, in the unit of standardised numbers
START_WEIGHT = (0.95, 0.05)  # of these two in the mixture
LEAST_INTENSITY = 1e-3  # that a Bernoulli pixel may be given
MEMORY = 0.99  # of the moving means of squared residuals
LEAST_RESIDUAL = 1e-4  # of their mean over all columns
NUMBERS_FIRST = 100.0  # weight of plain squares: levels, in nats, do not take the code of numbers
LEAST_PART = 1e-3  # of that mean that a column counts with at least
EM_STEPS = 30
LEAST_WEIGHT = 1e-3  # of a component of the mixture, so that its logarithm is finite
LEAST_VARIANCE = 1e-8  # of standardised numbers: a column of one value has none
NORMAL_MEDIAN = 0.455  # the median of a squared standard normal
FARTHEST = 40.0  # deviations from the mean; squares of much more would overflow
# of one tail, when the other is taken from it: the difference has a logarithm still
LEAST_REST = 1e-12
LEAST_BEND = 0.1  # of the correction of a density: what lies far out has a logarithm still
PIXEL_LEVELS = 255
PIXEL_FLOOR = 4.0  # least scale of a pixel, in bucket half-widths: its bucket is always thin


class Likelihood(nn.Module):
    """-log p(x | parameters) of the heterogeneous data a Spec describes.

    Numbers: the mass of the value's bucket under a mixture of two Gaussians of one mean, whose
    scales and weights are learned for each: a sharp bulk and a wide, thin rest (pixels: one).
    Flags: Bernoulli. Categories: softmax. Parameters have the layout of x itself. shared: all
    numbers have one scale, so that what counts is how far they are off in standard deviations, and
    no value costs too much; in training means follow the squared error, and the scale what that
    leaves. error: "bits" for this, or "mse" or "mae" for squared or absolute errors, of numbers,
    and of probabilities for flags and categories. means: what means follow in training: "squares",
    "weighed squares" or "likelihood". With pixels="bernoulli", and not "gaussian", a pixel is an
    intensity p within 0 .. 1, and costs -p log q - (1 - p) log (1 - q).
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
        """Add the scales of numbers, as parameters, and the layout of the spec, as buffers. error:
        "bits", "mse" or "mae"; pixels: "gaussian" or "bernoulli", without effect on tables; shared:
        one scale for all numbers, whose means follow the squared error in training, whatever
        `means` says; for pictures only means follow it, and scales stay apart. means: what means
        follow in training: "squares", "weighed squares" or "likelihood"."""
        super().__init__()
        self.spec = spec
        self.error = error
        self.register_buffer("residual", torch.ones(len(spec.numeric)), persistent=False)
        self.bernoulli = pixels == "bernoulli" and spec.shape is not None
        self.shared = shared and spec.shape is None
        self.squares = means != "likelihood" or shared
        self.weighed = means == "weighed squares" and not self.shared
        self.weight_of_squares = 1.0
        # so that levels, whose costs are in nats, do not take the code of numbers
        if means == "squares" and not self.shared:
            self.weight_of_squares = NUMBERS_FIRST
        self._add_mixture()
        self._store_layout()

    def _add_mixture(self) -> None:
        """Add the parameters of the mixtures of Gaussians, at their first values: log_scale,
        (components, numbers), or (1, 1) where all numbers share one, and weight_logit of that shape
        where there are two components; of pictures there is one."""
        numbers = len(self.spec.numeric)
        # of pictures, and of one scale for all numbers, a single Gaussian
        components = 2
        if self.shared:
            numbers = 1
        if self.spec.shape or self.shared:
            components = 1
        shape = (components, numbers)
        scale = torch.tensor(START_SCALE[:components])
        log_scale = scale.log()[:, None].expand(shape)
        self.log_scale = nn.Parameter(log_scale.clone())
        if components > 1:
            weight = torch.tensor(START_WEIGHT)
            log_weight = weight.log()[:, None].expand(shape)
            self.weight_logit = nn.Parameter(log_weight.clone())

    def _store_layout(self) -> None:
        """Store what the spec says of features, as buffers that move with the module: numeric,
        half_width, deviation, mean, curved, gate and gated, (numbers,) each, and flag, (flags,)."""
        spec = self.spec
        self._register("numeric", spec.numeric, torch.int64)
        self._register("half_width", spec.half, torch.float32)
        self._register("deviation", spec.deviation, torch.float32)
        self._register("mean", spec.mean, torch.float32)
        self._register("curved", spec.curved, torch.float32)
        flags = [feature for feature, _ in spec.flags]
        # a number without a flag is given any, which `gated` takes out again
        any_flag = flags[0] if flags else 0
        is_gated = spec.gate >= 0
        gate = np.where(is_gated, spec.gate, any_flag)
        self._register("gate", gate, torch.int64)
        self._register("gated", is_gated, torch.float32)
        self._register("flag", flags, torch.int64)
        self._store_owners()

    def _store_owners(self) -> None:
        """Store which column each cost belongs to, in the order of `forward`: numbers, flags,
        categories. The buffer `owner`, (costs, columns + 1), adds up the costs of a column; of
        pictures, and where each column has just one cost in their order, there is none, and
        `direct` is True."""
        spec = self.spec
        columns = len(spec.columns)
        owner = spec.owner.tolist()
        owner += [column for _, column in spec.flags]
        owner += [column for column, _, _ in spec.categories]
        one_each = owner == list(range(columns))
        self.direct = spec.shape is not None or one_each
        if self.direct:
            return
        # (costs, columns + 1): the last column is of what belongs to none
        costs = len(owner)
        matrix = np.zeros((costs, columns + 1))
        matrix[np.arange(costs), owner] = 1
        self._register("owner", matrix, torch.float32)

    def _register(self, name: str, value: object, dtype: torch.dtype) -> None:
        """Store values as a buffer of this name and dtype, which state_dict leaves out."""
        tensor = torch.tensor(np.asarray(value), dtype=dtype)
        self.register_buffer(name, tensor, persistent=False)

    def forward(self, x: Tensor, parameters: Tensor) -> Tensor:
        """The cost of each column of records x under these parameters, in nats; for "mse" and "mae"
        in their squared or absolute units.

        x, parameters: (batch, features) or pictures. Returns (batch, columns + 1); last is 0.

        Of pictures a column is a pixel, whose channels are added up.
        """
        x = x.flatten(1)
        parameters = parameters.flatten(1)
        costs = self._costs(x, parameters)
        if self.spec.shape is not None:
            channels = self.spec.shape[0]
            costs = _over_channels(costs, channels)
        if not self.direct:
            return costs @ self.owner
        # a product, and no new tensor: a graph that is exported must not ask for the batch's size
        nothing = costs[:, :1] * 0.0
        return torch.cat([costs, nothing], dim=1)

    def _costs(self, x: Tensor, parameters: Tensor) -> Tensor:
        """(batch, numbers + flags + categories): the cost of each number, flag and category of x,
        in this order, under parameters, both (batch, features): in nats, or for mse and mae as
        squared or absolute errors."""
        costs = []
        if len(self.spec.numeric):
            costs.append(self._cost_of_numbers(x, parameters))
        if self.spec.flags:
            flags = x.index_select(1, self.flag)
            logits = parameters.index_select(1, self.flag)
            costs.append(self._cost_of_flags(flags, logits))
        for _, start, width in self.spec.categories:
            block = slice(start, start + width)
            one_hot = x[:, block]
            logits = parameters[:, block]
            costs.append(self._cost_of_category(one_hot, logits))
        # one kind alone has nothing to be joined with
        if len(costs) == 1:
            return costs[0]
        return torch.cat(costs, dim=1)

    @torch.no_grad()
    def start(self, x: Tensor, parameters: Tensor) -> None:
        """Set the scales and weights of numbers, in place, to the likeliest for the differences of
        x and parameters, both (rows, features) or pictures, by expectation maximisation (Dempster,
        Laird & Rubin 1977); and `residual`, by which the squared errors of training are divided, to
        the mean squares of these."""
        x = x.flatten(1)
        parameters = parameters.flatten(1)
        difference = x - parameters
        of_numbers = difference.index_select(1, self.numeric)
        squares = of_numbers.square()
        present = torch.ones_like(squares)
        if self.spec.flags:
            present = self._presence_of_numbers(x)
        # a number that is missing everywhere has no rows to divide by
        rows = present.sum(dim=0).clamp(min=1.0)
        total = (squares * present).sum(dim=0)
        mean = total / rows
        self.residual.copy_(mean)
        if len(self.log_scale) > 1:
            variance, weight = _likeliest_mixture(squares, present, mean)
            self.log_scale.copy_(0.5 * variance.log())
            self.weight_logit.copy_(weight.log())
            return
        variance = mean
        if self.shared:
            # one scale for all numbers
            variance = mean.mean()[None]
        variance = variance.clamp(min=LEAST_VARIANCE)
        log_variance = variance.log()
        self.log_scale.copy_(0.5 * log_variance[None])

    def mixture(self) -> tuple[Tensor, Tensor]:
        """(scales, weights), (components, numbers) both: the Gaussians that the likelihood of each
        number about its mean is a mixture of; scales are in the unit of standardised numbers;
        shared ones are one for all, (1, numbers), and weights 1 where there is one component."""
        half_widths = PIXEL_FLOOR if self.spec.shape else LEAST_SIGMA
        least = half_widths * self.half_width
        scale = torch.maximum(self.log_scale.exp(), least)
        if self.spec.shape or self.shared:
            return scale, torch.ones_like(scale)
        weight = torch.softmax(self.weight_logit, dim=0)
        return scale, weight

    def _presence_of_numbers(self, x: Tensor) -> Tensor:
        """Which numbers are present in x, (batch, features): (batch, numbers) float32, 0 for one
        that its flag calls missing, else 1."""
        flags = x.index_select(1, self.gate)
        missing = flags * self.gated
        return 1 - missing

    def _cost_of_numbers(self, x: Tensor, parameters: Tensor) -> Tensor:
        """The cost of each number of x, (batch, numbers), 0 where it is missing, under x's
        parameters, both (batch, features): in nats, or the squared or absolute error for mse and
        mae."""
        z = x.index_select(1, self.numeric)
        mean = parameters.index_select(1, self.numeric)
        if self.error == "mse":
            cost = (z - mean).square()
        elif self.error == "mae":
            cost = (z - mean).abs()
        else:
            cost = self._nats_of_numbers(z, mean)
        if self.spec.flags:
            cost = cost * self._presence_of_numbers(x)
        return cost

    def _nats_of_numbers(self, z: Tensor, mean: Tensor) -> Tensor:
        """(batch, numbers), in nats: the surprise at numbers z whose expected values are mean; both
        (batch, numbers), standardised. In training with squared errors only its value is that: its
        gradient in mean is of `_squared_loss`. Of pixels as intensities (bernoulli) it is their
        cross-entropy."""
        half = self.half_width
        if self.spec.curved.any():
            half = self._half_of_curved(z, half)
        if self.bernoulli:
            return _bernoulli_nats(z, mean)
        if not (self.training and self.squares):
            return self._surprise(z, mean, half)
        # the value is the surprise, but its gradient in the means is that of the squared error
        surprise = self._surprise(z, mean.detach(), half)
        loss = self._squared_loss(z, mean)
        return surprise + loss - loss.detach()

    def _squared_loss(self, z: Tensor, mean: Tensor) -> Tensor:
        """(batch, numbers): half the squared error of numbers z, divided by a variance (see below),
        times weight_of_squares; `residual`, the moving means of columns' squared errors, is updated
        in place first. z, mean: (batch, numbers).

        The error is divided by s^2, the variance that is left of a column on average, at least
        LEAST_RESIDUAL (0.0001), or if `weighed` by s s_c with s_c^2 that of the column, at least
        LEAST_PART (0.001) of s^2: a compromise, since over s^2 thin columns are not restored
        closely, and over s_c^2 wide ones hardly at all.
        """
        half_square = 0.5 * (z - mean).square()
        mean_half_square = half_square.detach().mean(dim=0)
        self.residual.lerp_(2 * mean_half_square, 1 - MEMORY)
        common = self.residual.mean().clamp(min=LEAST_RESIDUAL)
        variance = common
        if self.weighed:
            # a column that is restored exactly would be divided by 0
            least = LEAST_PART * common
            variance = self.residual.clamp(min=least)
        product = common * variance
        scale = product.sqrt()
        return self.weight_of_squares * half_square / scale

    def _half_of_curved(self, z: Tensor, half: Tensor) -> Tensor:
        """The half-widths of buckets for numbers z that asinh has curved: half / cosh(asinh(u)),
        (batch, numbers). half: those where nothing is curved, (numbers,), which numbers that are
        not curved keep."""
        asinh = (z * self.deviation + self.mean) * self.curved
        # no cosh: few runtimes have it on a GPU
        cosh = 0.5 * (asinh.exp() + (-asinh).exp())
        return half / cosh

    def _surprise(self, z: Tensor, mean: Tensor, half: Tensor) -> Tensor:
        """The surprise at numbers z under the Gaussians about mean, (batch, numbers), in nats. z,
        mean: (batch, numbers); half: the half-widths of the numbers' buckets, (numbers,) or (batch,
        numbers). A scale counts as LEAST_SIGMA (0.35) half-widths at least, that of pixels as
        PIXEL_FLOOR (4)."""
        if self.shared:
            return self._shared_surprise(z, mean, half)
        if self.spec.shape:
            scale = self.log_scale[0].exp()
            sigma = torch.maximum(scale, PIXEL_FLOOR * half)
            return thin_bucket_nats(z, mean, sigma, half)
        # components come first: (2, 1, numbers) beside (batch, numbers)
        scales = self.log_scale.exp()[:, None]
        sigma = torch.maximum(scales, LEAST_SIGMA * half)
        log_weight = F.log_softmax(self.weight_logit, dim=0)[:, None]
        nats = bucket_nats(z, mean, sigma, half)
        log_mass = log_weight - nats
        return -torch.logsumexp(log_mass, dim=0)

    def _shared_surprise(self, z: Tensor, mean: Tensor, half: Tensor) -> Tensor:
        """The surprise at numbers z under Gaussians about mean that all have one scale, (batch,
        numbers), in nats, never negative. z, mean: (batch, numbers); half: the half-widths of the
        numbers' buckets."""
        sigma = self.log_scale[0].exp()
        # a Gaussian's density at its mean is 1 / width
        width = math.sqrt(2 * math.pi) * sigma
        buckets = width / (2 * half)
        # a bucket wider than that costs nothing, and never less than nothing
        at_mean = buckets.clamp(min=1.0).log()
        difference = (z - mean) / sigma
        return at_mean + 0.5 * difference.square()

    def _cost_of_flags(self, flag: Tensor, logit: Tensor) -> Tensor:
        """(batch, flags): the cost of flags, 0 or 1, under the logits of a 1: in nats, or, for mse
        and mae, the squared or absolute error of the probability."""
        if self.error == "bits":
            return F.softplus(logit) - flag * logit
        difference = torch.sigmoid(logit) - flag
        return self._plain_error(difference)

    def _cost_of_category(self, one_hot: Tensor, logits: Tensor) -> Tensor:
        """(batch, 1): the cost of the level that a one-hot block, (batch, levels), says, under the
        logits of all levels: its surprise, in nats, or, for mse and mae, the summed squared or
        absolute error of all levels' probabilities."""
        if self.error == "bits":
            log_probability = F.log_softmax(logits, dim=1)
            # only that of the record's own level is left
            of_level = log_probability * one_hot
            return -of_level.sum(dim=1, keepdim=True)
        difference = torch.softmax(logits, dim=1) - one_hot
        error = self._plain_error(difference)
        return error.sum(dim=1, keepdim=True)

    def _plain_error(self, difference: Tensor) -> Tensor:
        """The error of differences, element by element: their squares for "mse", their absolute
        values for any other error."""
        if self.error == "mse":
            return difference.square()
        return difference.abs()


def _likeliest_mixture(
    squares: Tensor,
    present: Tensor,
    mean: Tensor,
) -> tuple[Tensor, Tensor]:
    """(variances, weights), (2, numbers) both: of a mixture of two Gaussians, those that fit best,
    by expectation maximisation; no variance is below 1e-8, and no weight below 0.001, so that two
    may add up to a little more than 1.

    squares: (rows, numbers), squared distances from the Gaussians' common mean; present: the same,
    0 where a number is missing, else 1; mean: (numbers,), the mean of the squares of those present.
    """
    numbers = squares.shape[1]
    # the bulk begins with the variance that the median tells, which far values do not stretch
    bulk = squares.median(dim=0).values / NORMAL_MEDIAN
    bulk = torch.minimum(bulk, mean)
    bulk = bulk.clamp(min=LEAST_VARIANCE)
    wide = 4 * mean.clamp(min=LEAST_VARIANCE)
    variance = torch.stack([bulk, wide])
    start_weight = torch.tensor(START_WEIGHT).to(squares)
    weight = start_weight[:, None].expand(2, numbers)
    for _ in range(EM_STEPS):
        # expectation: the share that each component has in a number, (2, rows, numbers)
        log_weight = weight.log()[:, None]
        # of a Gaussian's density, without what both have in common
        nats = variance.log()[:, None] + squares / variance[:, None]
        log_mass = log_weight - 0.5 * nats
        share = torch.softmax(log_mass, dim=0)
        share = share * present
        # maximisation: the moments of the numbers, each counted by its shares
        rows = share.sum(dim=1).clamp(min=1e-6)
        total = (share * squares).sum(dim=1)
        variance = total / rows
        variance = variance.clamp(min=LEAST_VARIANCE)
        weight = rows / rows.sum(dim=0)
        weight = weight.clamp(min=LEAST_WEIGHT)
    return variance, weight


def _bernoulli_nats(z: Tensor, mean: Tensor) -> Tensor:
    """The cross-entropy, in nats, between the intensities (0 .. 1) of pixels z and those expected,
    mean; both standardised, of one shape. Those expected are cut off at LEAST_INTENSITY (0.001)
    from 0 and 1."""
    intensity = _intensity(z)
    expected = _intensity(mean)
    # the logarithm of 0 would be infinite
    expected = expected.clamp(LEAST_INTENSITY, 1 - LEAST_INTENSITY)
    white = intensity * expected.log()
    black = (1 - intensity) * (1 - expected).log()
    return -(white + black)


def _intensity(standardised: Tensor) -> Tensor:
    """The intensities of standardised pixels, 0 (black) to 1 (white)."""
    level = PIXEL_MEAN + PIXEL_SPREAD * standardised
    return level / PIXEL_LEVELS


def _over_channels(costs: Tensor, channels: int) -> Tensor:
    """(batch, pixels): the sum over the channels of each pixel of costs, (batch, channels *
    pixels)."""
    pixels = costs.shape[1] // channels
    total = costs[:, :pixels]
    # a sum over an axis would round by where a record stands in its batch
    for first in range(pixels, channels * pixels, pixels):
        channel = slice(first, first + pixels)
        total = total + costs[:, channel]
    return total


def bucket_nats(
    z: Tensor,
    mean: Tensor,
    sigma: Tensor,
    half: Tensor,
) -> Tensor:
    """-log P(z - half < N(mean, sigma^2) < z + half), in nats, at most as many as 32 bits are; all
    broadcast together. sigma, half: above 0.

    Where the bucket is thinner than 0.03 sigma the difference of tails would cancel in float32,
    and the density with its second-order correction stands in.
    """
    distance = (z - mean).abs() / sigma
    distance = distance.clamp(max=FARTHEST)
    t = half / sigma
    ends = torch.stack([distance - t, distance + t])
    near_tail, far_tail = _log_tail(ends)
    # log(a - b) = log a + log(1 - b / a): the tails themselves would underflow
    rest = 1 - (far_tail - near_tail).exp()
    wide = near_tail + rest.clamp(min=LEAST_REST).log()
    is_thin = t < THIN
    thin = -thin_bucket_nats(z, mean, sigma, half)
    log_mass = torch.where(is_thin, thin, wide)
    return -log_mass.clamp(min=-SMALLEST_MASS)


def thin_bucket_nats(
    z: Tensor,
    mean: Tensor,
    sigma: Tensor,
    half: Tensor,
) -> Tensor:
    """-log P(z - half < N(mean, sigma^2) < z + half), in nats, for half < sigma / 4, by the
    density, at most as many as 32 bits are, with a relative error below t^2 / 20, where t = half /
    sigma; all broadcast together."""
    distance = (z - mean).abs() / sigma
    distance = distance.clamp(max=FARTHEST)
    t = half / sigma
    product = (distance * t).clamp(max=1.0)
    square = product.square()
    # the series is explained in graphs._thin_log_mass; its terms are added in this order, as
    # another one rounds otherwise
    bend = 1 + square / 6 + square.square() / 120 - t.square() / 6
    bend = bend.clamp(min=LEAST_BEND)
    log_bend = bend.log()
    # a bucket is 2 t wide, and the density is divided by sqrt(2 pi)
    constant = math.log(2 / math.sqrt(2 * math.pi))
    log_mass = -0.5 * distance.square() + t.log() + log_bend + constant
    return -log_mass.clamp(min=-SMALLEST_MASS)


def _log_tail(v: Tensor) -> Tensor:
    """log P(N(0,1) > v), element by element; while a graph is exported by a polynomial, as ONNX has
    no operator for it."""
    if not torch.compiler.is_exporting():
        return torch.special.log_ndtr(-v)
    # erfc(x) = t exp(-x^2 + polynomial(t)), and the tail of |v| is erfc(|v| / sqrt 2) / 2
    size = v.abs()
    x = size * math.sqrt(0.5)
    t = 1 / (1 + 0.5 * x)
    polynomial = ERFC[-1] * t + ERFC[-2]
    for coefficient in ERFC[-3::-1]:
        polynomial = polynomial * t + coefficient
    upper = polynomial - x * x + t.log() - math.log(2)
    # below 0 it is the rest: 1 - P(N > |v|), of at most a half
    above = upper.exp().clamp(max=0.5)
    lower = (1 - above).log()
    return torch.where(v < 0, lower, upper)


def kl_to_standard_normal(mean: Tensor, log_var: Tensor) -> Tensor:
    """KL(N(mean, exp(log_var)) || N(0, I)), in nats per unit; their sum is that of the sample.

    mean, log_var: (batch, latent). Returns (batch, latent), never negative.
    Source: Kingma & Welling 2013 (arXiv:1312.6114), appendix B.
    """
    return 0.5 * (mean.square() + log_var.exp() - 1 - log_var)
