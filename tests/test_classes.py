"""How finely columns are told apart in the contexts of others."""

import dataclasses

import numpy as np

from aetool.codec import blocks, planning
from aetool.codec.columns import whole_column

ROWS = 20_000
LEVELS = 26  # of one column; each has three numbers of its own in the other
CHOICES = 3


def bytes_of(effort):
    rng = np.random.default_rng(9)
    levels = rng.integers(0, LEVELS, ROWS)
    numbers_of_level = rng.permutation(LEVELS * CHOICES).reshape(LEVELS, CHOICES)
    numbers = numbers_of_level[levels, rng.integers(0, CHOICES, ROWS)]
    coded = [whole_column(levels), whole_column(numbers)]
    content, payload, _ = blocks.encode(coded, ROWS, {}, effort)
    restored = blocks.decode(payload, ROWS, content).columns
    assert (restored[1].values == numbers).all()
    return len(payload)


def test_a_column_of_many_levels_is_told_apart_level_by_level():
    ideal = ROWS * (np.log2(LEVELS) + np.log2(CHOICES)) / 8
    learning = LEVELS * LEVELS * CHOICES / 2  # bytes: which numbers each level has
    assert bytes_of(planning.DEFAULT) <= 1.05 * ideal + learning


def test_coarser_classes_tell_less():
    coarse = dataclasses.replace(planning.DEFAULT, classes=(10,))
    assert bytes_of(planning.DEFAULT) < 0.9 * bytes_of(coarse)


def test_levels_have_bins_of_their_own_only_where_that_pays():
    noise = np.random.default_rng(9).integers(0, 100, ROWS)
    planner = planning.Planner(blocks.Known(ROWS), planning.DEFAULT)
    assert planner.plan(blocks.Stream(noise), 0).bins < 50
