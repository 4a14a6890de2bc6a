"""What records cost: nats of numbers, flags and levels, added up by column, and made bits of."""

from __future__ import annotations

import math

import numpy as np

from aetool import graphs
from aetool.closed_form.builder import Builder, Value
from aetool.model import Float, Spec
from aetool.rarity import knee, write_cap

NATS = math.log(2 * math.pi)
IN_BITS = 1 / math.log(2)
RARER = 0.1  # of how often a level occurs, or would if once: the least that it is taken for
UNSEEN = 0.001  # the same, of a level that never occurred
NEVER = 1e-6  # how often what occurs once does, where the number of rows is not known
LEAST_DEVIATION = 1e-3
PRIOR_ROWS = 10  # of one deviation each, for what few rows hold


def deviations(spec: Spec, x: Float, expected: Float) -> Float:
    """(numbers,): how far the numbers of rows x lie from what is expected of them, both
    (rows, features): one deviation for all, so that what counts is how far they are off together.

    A number that is missing from some rows has at least its own where it is present: what is rarely
    there is hardly learned, and no anomaly for that.
    """
    numbers = spec.numeric
    square = (x - expected)[:, numbers] ** 2
    present = np.ones(square.shape, dtype=bool)
    gated = spec.gate >= 0
    present[:, gated] = x[:, spec.gate[gated]] == 0
    if not present.any():
        return np.ones(len(numbers))
    shared = math.sqrt(square[present].mean())
    shared = max(shared, LEAST_DEVIATION)
    total = (square * present).sum(axis=0) + PRIOR_ROWS
    count = present.sum(axis=0) + PRIOR_ROWS
    scale = np.sqrt(total / count)
    return np.where(gated, np.maximum(scale, shared), shared)


def about(
    g: Builder,
    x: Value,
    expected: Value,
    deviation: Float,
    prior: Float,
    shared: float = 0.0,
) -> Value:
    """(batch, columns + 1) nats of features x about what is expected of them, both (batch,
    features).

    A number costs the mass of its bucket under a Gaussian of its deviation, (numbers,); flags and
    levels what `of_flags` and `of_levels` say. shared: what all columns share, in the last place.
    """
    spec = g.spec
    numbers = None
    if len(spec.numeric):
        off = g.numbers(x) - g.numbers(expected)
        bucket = np.minimum(2 * spec.half, deviation)
        usual = 0.5 * NATS + np.log(deviation / bucket)
        cost = off * off * (0.5 / deviation**2) + usual
        numbers = where_present(g, x, cost)
    flags = of_flags(g, x, expected, prior)
    levels = of_levels(g, x, expected, prior)
    parts = by_column(g, x, numbers, flags, levels)
    if not shared:
        return parts
    last = np.zeros(len(spec.columns) + 1)
    last[-1] = shared
    return parts + last


def of_mixture(
    g: Builder,
    x: Value,
    expected: Value,
    scale: Float,
    weight: Float,
) -> Value:
    """(batch, numbers) nats: the mass of each number's bucket under a mixture of Gaussians about
    what is expected of it; 0 where it is missing. scale, weight: (components, numbers)."""
    number = g.numbers(x).name
    mean = g.numbers(expected).name
    cost = graphs.mixture_nats(g.graph, g.spec, number, mean, scale, weight)
    return where_present(g, x, Value(g, cost))


def where_present(g: Builder, x: Value, cost: Value) -> Value:
    """Costs of numbers, (batch, numbers), 0 where the number is missing."""
    spec = g.spec
    gated = spec.gate >= 0
    if not gated.any():
        return cost
    # the flags of numbers that have none are read, too, and not looked at
    index = np.where(gated, spec.gate, spec.flags[0][0])
    missing = g.columns_of(x, index) * gated
    return cost * (1.0 - missing)


def of_flags(g: Builder, x: Value, expected: Value, prior: Float) -> Value | None:
    """(batch, flags) nats, of the features that are expected of flags as their probabilities; None
    where no column has a flag. prior: (features,), how often each occurs.

    A flag extrapolates from far values of other columns, and linear probabilities leave (0, 1): it
    is never taken for less likely than half of how often it occurs, or would if once.
    """
    if not g.spec.flags:
        return None
    index = [feature for feature, _ in g.spec.flags]
    missing = _at_least_once(g, prior)[index]
    present = np.maximum(1 - missing, 1 / (g.rows + 2))
    least = 0.5 * np.minimum(missing, present)
    p = g.maximum(g.columns_of(expected, index), least)
    p = g.minimum(p, 1 - least)
    flag = g.columns_of(x, index)
    if_missing = flag * g.log(p)
    if_present = (1.0 - flag) * g.log(1.0 - p)
    return -(if_missing + if_present)


def of_levels(g: Builder, x: Value, expected: Value, prior: Float) -> Value | None:
    """(batch, categories) nats, of the features that are expected of levels as their probabilities;
    None where no column has levels. prior: (features,), how often each occurs.

    A level is never taken for less likely than a tenth of how often it occurs, or would if once:
    what is rare costs what its rarity is worth. One that never occurred is taken for a thousandth
    of one that did once.
    """
    if not g.spec.categories:
        return None
    index, block = levels_of(g.spec)
    part = np.where(prior > 0, RARER, UNSEEN)
    least = part * _at_least_once(g, prior)
    p = g.maximum(g.columns_of(expected, index), least[index])
    total = g.log(p @ block)
    chosen = g.columns_of(x, index) * g.log(p)
    return total - chosen @ block


def levels_of(spec: Spec) -> tuple[list[int], Float]:
    """(features of all levels, (levels, categories): 1 where a level is of a category)."""
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
    """(batch, columns + 1): costs added up by the columns that they are of; the last, which all
    share, is 0. numbers: (batch, numbers), flags: (batch, flags), levels: (batch, categories)."""
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
    """(batch, columns + 1): costs, (batch, n), added up by their columns; the last is 0."""
    columns = len(g.spec.columns)
    name = graphs.sum_by_column(g.graph, cost.name, owner, columns)
    return Value(g, name)


def in_bits(g: Builder, parts: Value) -> Value:
    """Parts in nats, (batch, columns + 1), with what cells cost that models do not see, in bits."""
    unseen = g.unseen_nats()
    if unseen is not None:
        # nothing is added to what all columns share
        last = g.columns_of(parts, [len(g.spec.columns)])
        parts = parts + g.side_by_side(unseen, last * 0.0)
    return parts * IN_BITS


def capped(g: Builder, bits: Value) -> Value:
    """Bits, (batch, n), none above log2(rows + 1) + 32: a column is evidence of rarity, and no
    record among rows is rarer than one in rows + 1; what is beyond that is told in 32 bits more."""
    name = write_cap(g.graph, bits.name, knee(g.rows))
    return Value(g, name)


def plain_error(g: Builder, x: Value, expected: Value, error: str) -> Value:
    """(batch, columns + 1): squared ("mse") or absolute ("mae") differences of all features from
    what is expected, in standardised units, added up by column."""
    owners = g.spec.owners()
    index = np.flatnonzero(owners >= 0)
    off = g.columns_of(x - expected, index)
    cost = g.op("Abs", off) if error == "mae" else off * off
    return summed(g, cost, owners[index].tolist())


def _at_least_once(g: Builder, prior: Float) -> Float:
    """(features,): how often a flag or level occurs, or would if it had occurred once."""
    once = 1 / (g.rows + 1) if g.rows else NEVER
    return np.maximum(prior, once)
