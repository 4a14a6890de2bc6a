"""What numbers cost under Gaussians, as nodes of a graph: minus the logarithm of the mass of the
bucket that a number stands for.

The same arithmetic as aetool.nn.likelihood, to which tests hold it.
"""

from __future__ import annotations

import math

import numpy as np

from aetool.graphs.graph import Graph
from aetool.graphs.term import Term
from aetool.model import Float, Spec

SMALLEST_MASS = 32 * math.log(2)  # no number costs more than 32 bits under one Gaussian
LEAST_SIGMA = 0.35  # deviation of a number, in half-widths of its bucket
# The same for pixels: of half a bucket, so that the next value to one that all rows have costs some
# nine bits.
LEAST_PIXEL_SIGMA = 4.0
THIN = 0.03  # buckets thinner than this many sigma use the density: a difference would cancel
FARTHEST = 40.0  # sigmas: squares of much more would overflow, and all of it costs the most anyway
LEAST_REST = 1e-12  # of the mass of a tail, in a bucket
LEAST_BEND = 0.1  # what lies far outside of the series' range has a logarithm still
# a bucket is 2 t wide, and the density is divided by sqrt(2 pi)
LOG_DENSITY = math.log(2 / math.sqrt(2 * math.pi))
LOG_HALF = -math.log(2)
# erfc by Chebyshev fitting, relative error below 1.2e-7 everywhere (Numerical Recipes, 2nd ed.,
# section 6.2, erfcc); powers of t = 1 / (1 + x / 2), constant first
ERFC = (
    -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806,
    0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277,
)  # fmt: skip


def bucket_nats(g: Graph, spec: Spec, z: str, mean: str, scale: Float) -> str:
    """-log mass of each number's bucket (the values that are written as that number) under N(mean,
    scale^2), in nats, (B, numbers), at most SMALLEST_MASS (32 bits); returns the name of the
    result, float32. numbers: how many numeric features the spec has. z, mean: names of values of
    the graph, (B, numbers), standardised; scale: (numbers,), above 0.

    The same arithmetic as aetool.nn.likelihood.bucket_nats, or, for pictures, whose buckets are
    always thin, thin_bucket_nats there; with a sigma of at least LEAST_SIGMA (0.35) half-widths of
    a bucket (of pictures LEAST_PIXEL_SIGMA, 4), and narrower buckets where numbers are curved.
    """
    numbers = g.term(z)
    half = numbers.constant(spec.half)
    if spec.curved.any():
        half = _half_of_curved(spec, numbers, half)
    means = g.term(mean)
    nats = _bucket_nats(spec, numbers, means, half, scale)
    return nats.name


def _bucket_nats(spec: Spec, numbers: Term, mean: Term, half: Term, scale: Float) -> Term:
    """-log mass of each number's bucket under N(mean, scale^2), in nats, (B, k), at most
    SMALLEST_MASS (32 bits). numbers, mean: (B, k), standardised; half: (k,) or (B, k), half the
    width of a bucket; scale: (k,), above 0; spec: tells whether these are numbers of pictures. A
    sigma counts as LEAST_SIGMA (0.35) half-widths at least, LEAST_PIXEL_SIGMA (4) of pictures."""
    least = LEAST_PIXEL_SIGMA if spec.shape else LEAST_SIGMA
    scales = numbers.constant(scale)
    narrowest = half * least
    sigma = scales.at_least(narrowest)
    distance = abs(numbers - mean)
    # d: how far the value lies from its mean, t: half its bucket, both in sigmas
    d = distance / sigma
    d = d.at_most(FARTHEST)
    t = half / sigma
    log_mass = _thin_log_mass(d, t)
    if not spec.shape:
        wide = _wide_log_mass(d, t, len(scale))
        is_thin = t < THIN
        log_mass = is_thin.choose(log_mass, wide)
    bounded = log_mass.at_least(-SMALLEST_MASS)
    return -bounded


def _half_of_curved(spec: Spec, numbers: Term, half: Term) -> Term:
    """The half-widths of buckets, (B, numbers), for numbers that asinh has curved: half /
    cosh(asinh(u)), asinh(u) being the number unstandardised.

    numbers: (B, numbers), standardised; half: the half-widths, (numbers,), where nothing is curved;
    spec: which numbers are curved, and by what they are standardised. Of numbers that are not
    curved the result is `half`.
    """
    scaled = numbers * spec.deviation
    unstandardised = scaled + spec.mean
    # 0 for numbers that are not curved, so that they are divided by cosh(0) = 1
    unstandardised = unstandardised * spec.curved
    rising = unstandardised.exp()
    falling = (-unstandardised).exp()
    twice_cosh = rising + falling
    cosh = twice_cosh * 0.5
    return half / cosh


def _wide_log_mass(d: Term, t: Term, width: int) -> Term:
    """log of the mass between d - t and d + t of N(0, 1), as a difference of two tails, element by
    element, (B, width); d: (B, width), 0 or more; t: THIN (0.03) or more, as the difference loses
    its digits in a thinner bucket."""
    # both tails by one run of the series: nodes of a graph cost time whenever it is opened
    ends = d.op("Concat", d - t, d + t, axis=1)
    tails = _log_tail(ends)
    near = tails.columns_between(0, width)
    far = tails.columns_between(width, 2 * width)
    # log(a - b) = log a + log(1 - b / a): the tails themselves would underflow
    ratio = (far - near).exp()
    rest = 1.0 - ratio
    rest = rest.at_least(LEAST_REST)
    return near + rest.log()


def _thin_log_mass(d: Term, t: Term) -> Term:
    """log of the mass within t of d under N(0, 1), by the density at d and how it bends there,
    element by element; for t below THIN (0.03), or, of pictures, at most 1 / LEAST_PIXEL_SIGMA
    (0.25). d: 0 or more."""
    # sinh(y) / y = 1 + y^2 / 6 + y^4 / 120 + ..., with y = d t, is the mean over the bucket of what
    # the density's slope brings; -t^2 / 6 is what its curvature takes
    y = (d * t).at_most(1.0)
    square = y * y
    fourth = square * (1 / 120)
    series = fourth + 1 / 6
    slope = square * series
    curvature = (t * t) * (1 / 6)
    bend = slope - curvature
    bend = bend + 1.0
    bend = bend.at_least(LEAST_BEND)
    log_bend = bend.log()
    log_density = (d * d) * -0.5
    log_density = log_density + t.log()
    log_mass_without_constant = log_density + log_bend
    return log_mass_without_constant + LOG_DENSITY


def mixture_nats(g: Graph, spec: Spec, z: str, mean: str, scales: Float, weights: Float) -> str:
    """-log mass of each number's bucket (the values that are written as that number) under a
    mixture of Gaussians of one mean, (B, numbers) nats; returns the name of the result. z, mean:
    names of values of the graph, (B, numbers), standardised. scales, weights: (components,
    numbers), one component at least, weights above 0 that add up to 1. spec: tells the bucket of
    each number. What each Gaussian gives is what `bucket_nats` computes."""
    components, count = scales.shape
    numbers = g.term(z)
    # the components side by side, as if they were further numbers: a third of the nodes
    every_number = np.arange(count)
    index = np.tile(every_number, components)
    if spec.curved.any():
        # of each record, by its own numbers
        half = numbers.constant(spec.half)
        half = _half_of_curved(spec, numbers, half)
        half = half.columns(index)
    else:
        half = numbers.constant(spec.half[index])
    values = numbers.columns(index)
    means = g.term(mean).columns(index)
    scale = scales.ravel()
    nats = _bucket_nats(spec, values, means, half, scale)
    share = weights.ravel()
    cost = nats - np.log(share)
    if components == 1:
        return cost.name
    costs = []
    for component in range(components):
        first_column = component * count
        end = first_column + count
        costs.append(cost.columns_between(first_column, end))
    # -log sum exp(-cost), with the least cost taken out so that no exponential underflows
    first = costs[0]
    least = first.op("Min", *costs)
    shares = [(least - cost).exp() for cost in costs]
    total = first.op("Sum", *shares)
    mixed_nats = least - total.log()
    return mixed_nats.name


def log_tail(g: Graph, v: str) -> str:
    """Add log P(N(0,1) > v), element by element, to the graph; returns the name of the result. v:
    the name of a float32 tensor in the graph."""
    return _log_tail(g.term(v)).name


def _log_tail(v: Term) -> Term:
    """log P(N(0,1) > v), element by element, with a relative error of the tail below 1.2e-7."""
    # erfc(x) = t exp(-x^2 + polynomial(t)), and the tail of |v| is erfc(|v| / sqrt 2) / 2
    size = abs(v)
    x = size * math.sqrt(0.5)
    one = v.constant(1.0)
    half_x = x * 0.5
    t = one / (half_x + one)
    polynomial = _horner(ERFC, t)
    square = x * x
    exponent = polynomial - square
    upper = exponent + t.log()
    upper = upper + LOG_HALF
    # below 0 it is the rest: 1 - P(N > |v|), of at most a half
    small = upper.exp()
    small = small.at_most(0.5)
    lower = (one - small).log()
    is_below = v < 0.0
    return is_below.choose(lower, upper)


def _horner(coefficients: tuple[float, ...], t: Term) -> Term:
    """The polynomial of t with these coefficients, two at least, constant first, by Horner's
    scheme: from the highest power down."""
    highest = coefficients[-1]
    polynomial = t.constant(highest)
    for coefficient in coefficients[-2::-1]:
        raised = polynomial * t
        polynomial = raised + coefficient
    return polynomial
