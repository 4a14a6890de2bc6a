"""Maps of places told in bits: how rare what a map shows is, on which pixels that falls, and how
several maps of one picture are joined."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from aetool.closed_form import Builder, Value
from aetool.rarity import SHARPNESS, Rarity
from aetool_patches.texture import EQUAL_COLUMNS, Frame
from aetool_patches.usual import LITTLE, SHARP


def rare(
    g: Builder,
    far: Value,
    places: int,
    rarity: Rarity,
) -> Value:
    """(batch, 1), in bits: how rare the power mean (power SHARP, 16) of a map over its places is.
    far: (batch, places), the map: 1 + by how many deviations each place lies beyond the usual.
    rarity: of such means."""
    power = g.op("Pow", far, SHARP)
    mean_weights = np.full(places, 1 / places)
    mean = g.sum_of(power, mean_weights)
    power_mean = g.op("Pow", mean, 1 / SHARP)
    name = rarity.write(g.graph, power_mean.name)
    return Value(g, name)


def share(
    g: Builder,
    far: Value,
    frame: Frame,
) -> Value:
    """(batch, pixels), whose sum is 1: how much of what a map, (batch, places), finds is each
    pixel's, by the fourth power of `far`, (batch, places), the map: 1 + by how many deviations each
    place lies beyond the usual. frame: how places lie over the pixels."""
    # two products, of which runtimes make the same bits, which they do not of a power
    square = far * far
    fourth_power = square * square
    spread = frame.enlarged(g, fourth_power + LITTLE)
    pixels = len(g.spec.columns)
    every_pixel = np.ones(pixels)
    total = g.sum_of(spread, every_pixel)
    return spread / total


def joined(
    g: Builder,
    bits: Sequence[Value],
) -> tuple[Value, list[Value]]:
    """Join the bits of several maps, (batch, 1) each, as aetool.rarity.joined does with models: the
    bits b become log2(mean(2^(s b))) / s, s being SHARPNESS (0.7). Returns (the joined bits,
    (batch, 1); how much of them is each map's, (batch, 1) each, which add up to 1, or all are 0
    where no map has any bits)."""
    # powers of 2 as powers of e
    base = SHARPNESS * math.log(2)
    # the largest is taken out before powers, which could not hold hundreds of bits
    most_bits = g.op("Max", *bits)
    powers = []
    parts = []
    for bits_of_map in bits:
        below_top = bits_of_map - most_bits
        power = g.exp(below_top * base)
        powers.append(power)
        # a map that finds nothing has no part in what others find
        parts.append(power * bits_of_map)
    mean = g.op("Sum", *powers)
    mean = mean * (1 / len(bits))
    # several equal columns: the logarithm of a single one rounds by where a record stands
    equal_columns = np.ones((1, EQUAL_COLUMNS))
    logarithms = g.log(mean * equal_columns)
    mean_below_most = g.columns_of(logarithms, [0])
    joined_bits = most_bits + mean_below_most * (1 / base)
    # of a record that no map finds rare no map has a part
    every_part = g.op("Sum", *parts)
    every_part = g.maximum(every_part, LITTLE)
    shares = [part / every_part for part in parts]
    return joined_bits, shares
