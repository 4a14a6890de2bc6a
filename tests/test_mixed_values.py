"""Values as bytes that a mixture of contexts foretells: tried by the thorough effort alone."""

import dataclasses
import math

import numpy as np
import pytest

from aetool.codec import blobs, blocks, planning, stages
from aetool.codec.columns import whole_column

ROWS = 24_000  # bytes: fewer are mixed at any effort, in a blink
LEVELS = 40
CHOICES = 3
# a mixture of the symbols themselves would be taken instead of one of bytes
OF_BYTES = dataclasses.replace(planning.BEST, mixes_symbols=False)


def encoded(values, effort):
    coded = [whole_column(values)]
    content, payload, after = blocks.encode(coded, len(values), {}, effort)
    restored = blocks.decode(payload, len(values), content).columns[0]
    assert (restored.values == values).all()
    return len(payload), after.plans[0]


def of_two_before(lowest):
    """What follows is told by two values before, up to one of a few: more than the symbol before
    tells, and never a long repeat."""
    rng = np.random.default_rng(4)
    choices = rng.integers(0, CHOICES, ROWS)
    values = np.zeros(ROWS, np.int64)
    for row in range(2, ROWS):
        told = 7 * values[row - 1] + 3 * values[row - 2]
        values[row] = (told + choices[row] ** 2) % LEVELS
    return values + lowest


@pytest.mark.parametrize("lowest", [0, -(1 << 40)])
def test_what_values_further_back_tell_is_mixed(lowest):
    values = of_two_before(lowest)
    usual, _ = encoded(values, planning.DEFAULT)
    mixed, plan = encoded(values, OF_BYTES)
    assert plan.packed is not None and plan.packed.low == lowest
    # which three of the levels may follow is learned of each pair
    learning = LEVELS**2 * np.log2(math.comb(LEVELS, CHOICES))
    ideal = (ROWS * np.log2(CHOICES) + learning) / 8
    assert mixed < 0.75 * usual
    assert mixed < 1.1 * ideal
    either, plan = encoded(values, planning.BEST)
    assert plan.packed is not None or plan.mixture is not None
    assert either <= mixed


def test_noise_is_not_mixed():
    noise = np.random.default_rng(4).integers(0, 1 << 14, ROWS)
    usual, _ = encoded(noise, planning.DEFAULT)
    mixed, plan = encoded(noise, planning.BEST)
    assert plan.packed is None and mixed <= usual


def test_values_of_many_bytes_are_not_mixed(monkeypatch):
    asked = []
    pack = blobs.pack
    monkeypatch.setattr(
        "aetool.codec.integers.pack",
        lambda raw, quick, wanted: asked.append(tuple(wanted)) or pack(raw, quick, wanted),
    )
    values = of_two_before(0)
    values[1] = 1 << 20
    encoded(values, planning.BEST)
    assert asked and not any(stages.MIXED in wanted for wanted in asked)
    encoded(of_two_before(0), planning.DEFAULT)
    assert not any(stages.MIXED in wanted for wanted in asked)
    encoded(of_two_before(0), planning.BEST)
    assert any(stages.MIXED in wanted for wanted in asked)
