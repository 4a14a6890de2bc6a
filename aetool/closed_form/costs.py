"""Costs of records: nats of numbers, flags and levels, summed by column and turned into bits."""

from __future__ import annotations

import math

import numpy as np

from aetool import graphs
from aetool.closed_form.builder import Builder, Value
from aetool.model import Float, Spec
from aetool.rarity import knee, write_cap

NATS = math.log(2 * math.pi)  # twice what a number at the mean of N(0, 1) costs by its density
IN_BITS = 1 / math.log(2)
RARER = 0.1  # of how often a level occurs, or would if once: the least that it is taken for
UNSEEN = 0.001  # the same, of a level that never occurred
NEVER = 1e-6  # how often what occurs once does, where the number of rows is not known
LEAST_DEVIATION = 1e-3
PRIOR_ROWS = 10  # of one deviation each, for what few rows hold


def deviations(spec: Spec, x: Float, expected: Float) -> Float:
    """The root mean square difference of numbers from the expected ones, (numbers,); x, expected:
    (rows, features). All numbers share one value, at least 0.001, so that what counts is how far a
    record's numbers are off together.

    A number that is missing from some rows gets at least its own, over the rows where it is present
    and PRIOR_ROWS (10) more of deviation 1: what is rarely there is hardly learned, which makes it
    no anomaly. All are 1 where no number is present.
    """
    numbers = spec.numeric
    difference = (x - expected)[:, numbers]
    square = difference**2
    present = np.ones(square.shape, dtype=bool)
    # numbers that a flag says to be missing; all others always count
    gated = spec.gate >= 0
    flags = x[:, spec.gate[gated]]
    present[:, gated] = flags == 0
    if not present.any():
        return np.ones(len(numbers))
    mean_square = square[present].mean()
    # what is restored exactly would cost nothing at any distance
    shared = max(math.sqrt(mean_square), LEAST_DEVIATION)
    # each number's own, held back from extremes by rows of deviation 1
    total = (square * present).sum(axis=0) + PRIOR_ROWS
    count = present.sum(axis=0) + PRIOR_ROWS
    own = np.sqrt(total / count)
    at_least_shared = np.maximum(own, shared)
    return np.where(gated, at_least_shared, shared)


def about(
    g: Builder,
    x: Value,
    expected: Value,
    deviation: Float,
    prior: Float,
    shared: float = 0.0,
) -> Value:
    """What features x cost, given the expected ones: (batch, columns + 1), in nats; x, expected:
    (batch, features).

    A number costs minus the logarithm of its bucket's mass under a Gaussian about the expected
    number; deviation: (numbers,), of these. Costs of numbers are never below 0, as a bucket counts
    as no wider than the deviation; a missing number costs 0. Flags and levels cost what `of_flags`
    and `of_levels` say; prior: (features,), how often each flag or level occurs. shared: a cost of
    the record that belongs to no column, the same for all records; it is the last column, which is
    else 0.
    """
    spec = g.spec
    numbers = None
    if len(spec.numeric):
        numbers = _cost_under_gaussian(g, x, expected, deviation)
    flags = of_flags(g, x, expected, prior)
    levels = of_levels(g, x, expected, prior)
    parts = by_column(g, x, numbers, flags, levels)
    if not shared:
        return parts
    of_record = np.zeros(len(spec.columns) + 1)
    of_record[-1] = shared
    return parts + of_record


def _cost_under_gaussian(
    g: Builder,
    x: Value,
    expected: Value,
    deviation: Float,
) -> Value:
    """(batch, numbers), in nats: minus the logarithm of the mass of each number's bucket under a
    Gaussian about the expected number, which is taken to be the density at the number times the
    width of its bucket, or times the deviation where that is less; 0 where the number is missing.
    x, expected: (batch, features); deviation: (numbers,), of the Gaussians."""
    difference = g.numbers(x) - g.numbers(expected)
    square = difference * difference
    # a bucket wider than the deviation would have a density above 1, and a cost below 0
    bucket = np.minimum(2 * g.spec.half, deviation)
    at_mean = 0.5 * NATS + np.log(deviation / bucket)
    precision = 0.5 / deviation**2
    cost = square * precision + at_mean
    return where_present(g, x, cost)


def of_mixture(
    g: Builder,
    x: Value,
    expected: Value,
    scale: Float,
    weight: Float,
) -> Value:
    """(batch, numbers), in nats: minus the logarithm of the mass of each number's bucket under a
    mixture of Gaussians about the expected number; 0 where it is missing. x, expected: (batch,
    features); scale, weight: (components, numbers), the standard deviation and the share of each
    Gaussian."""
    number = g.numbers(x).name
    mean = g.numbers(expected).name
    cost = graphs.mixture_nats(g.graph, g.spec, number, mean, scale, weight)
    return where_present(g, x, Value(g, cost))


def where_present(g: Builder, x: Value, cost: Value) -> Value:
    """`cost`, the costs of numbers, (batch, numbers), with 0 in place of those that features x,
    (batch, features), call missing: (batch, numbers)."""
    spec = g.spec
    gated = spec.gate >= 0
    if not gated.any():
        return cost
    # the flags of numbers that have none are read, too, and not looked at
    index = np.where(gated, spec.gate, spec.flags[0][0])
    missing = g.columns_of(x, index) * gated
    return cost * (1.0 - missing)


def of_flags(
    g: Builder,
    x: Value,
    expected: Value,
    prior: Float,
) -> Value | None:
    """What the flags among features x cost, (batch, flags), in nats: minus the logarithm of the
    probability that the expected features give to what is there; None where no column has a flag.
    x, expected: (batch, features); prior: (features,), how often each flag occurs.

    Expected values may leave (0, 1), as linear models extrapolate: no flag is taken for less likely
    than half of how often it occurs, or would if it had occurred once.
    """
    if not g.spec.flags:
        return None
    index = [feature for feature, _ in g.spec.flags]
    missing = _shares_at_least_once(g, prior)[index]
    present = np.maximum(1 - missing, 1 / (g.rows + 2))
    least = 0.5 * np.minimum(missing, present)
    # the probability that the flag is set, within least .. 1 - least
    probability = g.columns_of(expected, index)
    probability = g.maximum(probability, least)
    probability = g.minimum(probability, 1 - least)
    flag = g.columns_of(x, index)
    if_missing = flag * g.log(probability)
    if_present = (1.0 - flag) * g.log(1.0 - probability)
    return -(if_missing + if_present)


def of_levels(
    g: Builder,
    x: Value,
    expected: Value,
    prior: Float,
) -> Value | None:
    """What the levels of categories among features x cost, (batch, categories), in nats: minus the
    logarithm of the probability that the expected features give to the record's level; None where
    no column has levels. x, expected: (batch, features); prior: (features,), how often each level
    occurs.

    No level is taken for less likely than a tenth of how often it occurs, or would if it had
    occurred once: what is rare costs what its rarity is worth. One that never occurred is taken for
    a thousandth of one that did once.
    """
    if not g.spec.categories:
        return None
    index, block = levels_of(g.spec)
    part = np.where(prior > 0, RARER, UNSEEN)
    least = part * _shares_at_least_once(g, prior)
    weight = g.columns_of(expected, index)
    weight = g.maximum(weight, least[index])
    # a probability is a level's weight over the sum of its category's: as they were raised, that
    # is no longer 1
    log_total = g.log(weight @ block)
    one_hot = g.columns_of(x, index)
    log_chosen = one_hot * g.log(weight)
    return log_total - log_chosen @ block


def levels_of(spec: Spec) -> tuple[list[int], Float]:
    """Which features are levels of categories: (their indices; a matrix (levels, categories), 1
    where a level belongs to a category, else 0)."""
    index: list[int] = []
    block = np.zeros((spec.features, len(spec.categories)))
    for category, (_, first, width) in enumerate(spec.categories):
        index += range(first, first + width)
        block[first : first + width, category] = 1
    return index, block[index]


def by_column(
    g: Builder,
    x: Value,
    numbers: Value | None = None,
    flags: Value | None = None,
    levels: Value | None = None,
) -> Value:
    """Sum costs by column: (batch, columns + 1); the last, of no column, is 0. numbers: (batch,
    numbers), flags: (batch, flags), levels: (batch, categories), each None if there are none. x:
    the features, (batch, features), which tell how many records there are."""
    spec = g.spec
    costs: list[Value] = []
    owner: list[int] = []
    if numbers is not None:
        costs.append(numbers)
        owner += spec.owner.tolist()
    if flags is not None:
        costs.append(flags)
        owner += [column for _, column in spec.flags]
    if levels is not None:
        costs.append(levels)
        owner += [column for column, _, _ in spec.categories]
    if not costs:
        return summed(g, g.nothing(x), [0])
    return summed(g, g.side_by_side(*costs), owner)


def summed(g: Builder, cost: Value, owner: list[int]) -> Value:
    """Sum costs, (batch, n), by the columns that they belong to: (batch, columns + 1); the last is
    0. owner: n indices, the column of each cost."""
    columns = len(g.spec.columns)
    name = graphs.sum_by_column(g.graph, cost.name, owner, columns)
    return Value(g, name)


def in_bits(g: Builder, parts: Value) -> Value:
    """(batch, columns + 1), in bits: parts in nats, (batch, columns + 1), plus what cells cost that
    features do not show, see Builder.unseen_nats."""
    unseen = g.unseen_nats()
    if unseen is not None:
        # nothing is added to what all columns share
        last = g.columns_of(parts, [len(g.spec.columns)])
        parts = parts + g.side_by_side(unseen, last * 0.0)
    return parts * IN_BITS


def capped(g: Builder, bits: Value) -> Value:
    """(batch, n): bits, (batch, n), unchanged up to log2(rows + 1) + 24, and beyond that bent so
    that none is above log2(rows + 1) + 32: no record among the fitted rows is rarer than one in
    rows + 1, and what is beyond that gets at most 32 bits more."""
    name = write_cap(g.graph, bits.name, knee(g.rows))
    return Value(g, name)


def plain_error(
    g: Builder,
    x: Value,
    expected: Value,
    error: str,
) -> Value:
    """The absolute differences, if error is "mae", else the squared ones ("mse"), of features x
    from the expected ones, summed by column, context left out: (batch, columns + 1), in
    standardised units, the last 0. x, expected: (batch, features)."""
    owners = g.spec.owners()
    index = np.flatnonzero(owners >= 0)
    difference = g.columns_of(x - expected, index)
    owner = owners[index].tolist()
    if error == "mae":
        return summed(g, g.op("Abs", difference), owner)
    return summed(g, difference * difference, owner)


def _shares_at_least_once(g: Builder, prior: Float) -> Float:
    """How often each flag or level occurs, (features,), raised where it never did to what it would
    be had it occurred once, 1e-6 where it is not known how many rows were fitted. prior:
    (features,), the shares of rows."""
    once = NEVER
    if g.rows:
        once = 1 / (g.rows + 1)
    return np.maximum(prior, once)
