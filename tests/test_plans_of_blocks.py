"""Laws of plans that one block of a table takes over from the block before it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from aetool.codec import blocks, planning, records
from aetool.codec.archive import Archive
from aetool.codec.columns import Coded
from aetool.codec.metas import FloatMeta, LevelMeta, NumberMeta, RankMeta
from aetool.codec.records import Layout
from aetool.csv.fields import Rule
from aetool.operations import CompressOptions, compress, decompress

LAYOUT = Layout(Rule(","), ["count", "walk", "price"])


@pytest.fixture
def searched(monkeypatch):
    """How many plans were searched."""
    numbers = []
    search = planning.Planner._search

    def noted(planner, stream):
        numbers.append(len(planner.known.values))
        return search(planner, stream)

    monkeypatch.setattr(planning.Planner, "_search", noted)
    return numbers


def table(seed, gaps, rows=6000):
    """A count, a walk and a price of few values, of which some are gaps or not."""
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.integers(-3, 4, rows))
    price = rng.choice([1.25, 3.5, 10.0, 99.75], rows)
    is_gap = rng.random(rows) < gaps
    lines = []
    for row in range(rows):
        cell = "" if is_gap[row] else f"{price[row]:.2f}"
        lines.append(f"{seed * rows + row},{walk[row]},{cell}\n")
    return "".join(lines).encode()


def test_of_a_column_with_other_streams_alone_is_the_plan_searched(searched):
    (first,) = records.encode(table(0, gaps=0.2), LAYOUT)
    assert len(searched) >= 3
    searched.clear()
    (like,) = records.encode(table(1, gaps=0.2), LAYOUT, first.hints)
    assert searched == []
    (other,) = records.encode(table(1, gaps=0), LAYOUT, first.hints)
    # the price has one stream where nothing is missing
    assert set(searched) == {2}
    alone = records.encode(table(1, gaps=0), LAYOUT)
    assert len(other.payload) <= 1.02 * len(alone[0].payload)
    assert blocks.decode(other.payload, other.rows, other.content).rows == other.rows
    assert len(like.payload) > len(other.payload)


def test_a_column_stored_as_it_came_is_not_offered_other_ways_again(monkeypatch):
    offered = []
    units = records.ways.units.offer
    monkeypatch.setattr(
        records.ways.units, "offer", lambda columns: (offered.append(len(columns)), units(columns))
    )
    (first,) = records.encode(table(0, gaps=0), LAYOUT)
    assert offered == [3]
    kept = sum(way > 0 for way in first.hints.ways)
    records.encode(table(1, gaps=0), LAYOUT, first.hints)
    assert offered == [3, kept]


def test_a_way_is_found_again_where_other_ways_are_offered_beside_it():
    """The numbers of ways differ: the bits of 32-bit floats are offered for some blocks alone."""
    celsius = (np.random.default_rng(0).integers(-300, 400, 6000) / 10).astype(np.float32)
    warmth = celsius * np.float32(1.8) + np.float32(32)
    lines = [f"{number:.15g}\n" for number in warmth.tolist()]
    layout = Layout(Rule(","), ["warmth"])
    ways = set()
    hints = blocks.NO_HINTS
    for begin in range(0, 6000, 2000):
        text = "".join(lines[begin : begin + 2000]).encode()
        (block,) = records.encode(text, layout, hints)
        (alone,) = records.encode(text, layout)
        assert len(block.payload) <= 1.01 * len(alone.payload)
        hints = block.hints
        ways |= set(hints.ways)
    assert len(ways) > 1


@pytest.mark.parametrize(
    ("way", "before", "expected"),
    [
        (0, FloatMeta(places=3), 0),
        (1, FloatMeta(places=9), 1),
        (1, FloatMeta(), 2),
        (3, FloatMeta(digits=(9,)), 2),
        (9, FloatMeta(places=3, digits=(17, 17), offsets=(0, 0), zeros=(0, 1)), 1),
        (1, RankMeta(), 3),
        (2, LevelMeta(), 2),
        (9, LevelMeta(), 0),
    ],
)
def test_a_way_is_known_by_its_family(way, before, expected):
    """By its family, else its kind, else its number, else it is the first."""
    others = [
        Coded(FloatMeta(places=3, single=True)),
        Coded(FloatMeta(digits=(17,))),
        Coded(RankMeta()),
    ]
    column = Coded(NumberMeta(), others=others)
    assert blocks._in_way(column, way, before) is [column, *others][expected]


def test_a_table_of_many_blocks_comes_back(tmp_path):
    small_blocks = dataclasses.replace(planning.DEFAULT, block=1 << 16)
    parts = [table(number, gaps=0.3 * (number % 2), rows=3000) for number in range(4)]
    source = tmp_path / "t.csv"
    source.write_bytes(b"count,walk,price\n" + b"".join(parts))
    compress(source, tmp_path / "t.aez", None, CompressOptions(effort=small_blocks))
    with Archive(tmp_path / "t.aez") as archive:
        assert len(archive.reader.blocks) > 2
    again = decompress(tmp_path / "t.aez", tmp_path / "again.csv")
    assert again.read_bytes() == source.read_bytes()


def test_a_column_that_begins_to_change_is_searched(searched):
    """Of a column that is constant nothing is left: its plan tells nothing of what comes then."""
    rng = np.random.default_rng(7)
    walk = np.cumsum(rng.integers(-3, 4, 12_000))
    late = 5 * walk + rng.integers(0, 3, len(walk))
    late[:6000] = 0
    lines = [f"{row},{x},{y}\n" for row, (x, y) in enumerate(zip(walk, late, strict=True))]
    first_part = "".join(lines[:6000]).encode()
    second_part = "".join(lines[6000:]).encode()
    (first,) = records.encode(first_part, LAYOUT)
    searched.clear()
    (second,) = records.encode(second_part, LAYOUT, first.hints)
    assert set(searched) == {2}
    (alone,) = records.encode(second_part, LAYOUT)
    assert len(second.payload) <= 1.02 * len(alone.payload)


def test_a_plan_that_leaves_more_than_none_is_not_taken_over(searched):
    """What was the other column in one block has nothing to do with it in the next."""
    rng = np.random.default_rng(7)
    walk = np.cumsum(rng.integers(-300, 301, 6000))
    near = 3 * walk + rng.integers(0, 3, 6000)
    other = rng.integers(0, 4, 6000)
    (first,) = records.encode(text_of(walk, near), LAYOUT)
    assert first.hints.plans[-1].asks_others
    searched.clear()
    (second,) = records.encode(text_of(walk, other), LAYOUT, first.hints)
    assert 2 in searched
    (alone,) = records.encode(text_of(walk, other), LAYOUT)
    assert len(second.payload) <= 1.02 * len(alone.payload)


def text_of(first, second):
    """A count and two columns as text."""
    pairs = zip(first, second, strict=True)
    return "".join(f"{row},{x},{y}\n" for row, (x, y) in enumerate(pairs)).encode()
