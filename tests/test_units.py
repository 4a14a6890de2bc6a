"""Numbers of few digits behind the point, among others of many, count in units of their own."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aetool.codec import blocks, planning, records, spans, text_decoding, textual, units, ways
from aetool.codec.metas import NumberMeta
from aetool.codec.records import Layout
from aetool.csv.fields import Rule
from tests import format_reader

GOLDEN = Path(__file__).parent / "golden" / "3.5" / "ratios.aez"


def column_of(cells):
    ends = np.cumsum([len(cell) for cell in cells], dtype=np.int32)
    start = np.append(0, ends[:-1]).astype(np.int32)
    return textual.encode(np.frombuffer(b"".join(cells), np.uint8), start, ends)


def counted(cells):
    """The column's meta in units of its own, None if that was not offered; its cells come back."""
    column = column_of(cells)
    before = len(column.others)
    units.offer([column])
    if len(column.others) == before:
        return None
    (way,) = column.others[before:]
    block = blocks.as_decoded([way], len(cells), {})
    assert text_decoding.decode(block.columns[0]).bytes() == cells
    return way.meta


def ratios(short, count=100):
    rng = np.random.default_rng(3)
    long = [f"{number:.9f}".rstrip("0").encode() for number in rng.random(count) * 3]
    return [short % place if place % 2 else cell for place, cell in enumerate(long)]


@pytest.mark.parametrize("odd", [[], [b"NA"], [b"", b"NA", b"1e9", b"-0", b"007"]])
def test_whole_numbers_among_ratios_are_of_a_kind_of_their_own(odd):
    meta = counted([*odd, *ratios(b"%d"), *odd])
    assert meta.forms == (spans.SHORT, 0) and meta.units == [1, 10**9]


def test_of_numbers_that_all_have_a_point_one_digit_is_the_fewest():
    meta = counted(ratios(b"%d.0"))
    assert meta.forms == (spans.SHORT_ONE, 1) and meta.units == [1, 10**8]


def test_numbers_with_zeros_at_their_end_each_count_in_their_last_digit():
    cells = ratios(b"%d.50")
    meta = counted([*cells, b"0.123400000"])
    assert meta.own_units and set(meta.forms) > {2, 9}
    assert [unit == 10 ** (9 - form) for unit, form in zip(meta.units, meta.forms, strict=True)]


@pytest.mark.parametrize(
    "cells",
    [
        [b"%d" % place for place in range(100)],
        ratios(b"0.1234%05d"),
        [b"1.25", b"3"] * 100,
        [*ratios(b"%d", 60)[::2], *[b"7"] * 20],
    ],
    ids=["whole", "long", "two digits", "few"],
)
def test_other_columns_are_left_as_they_are(cells):
    assert counted(cells) is None


@given(
    st.lists(st.decimals(-(10**8), 10**8, places=4).map(str), min_size=40, max_size=60),
    st.lists(st.integers(-(10**12), 10**12).map(str), min_size=40, max_size=60),
    st.lists(st.text("0123456789.-", max_size=6), max_size=3),
    st.booleans(),
)
def test_any_such_numbers_come_back(long, short, odd, pointed):
    cells = [*long, *odd, *(f"{cell}.0" if pointed else cell for cell in short)]
    counted([cell.encode() for cell in cells])


def size_of(text, effort=planning.DEFAULT):
    (encoded,) = records.encode(text, Layout(Rule(","), ["ratio"], effort=effort))
    block = blocks.decode(encoded.payload, encoded.rows, encoded.content)
    restored = records.decode(block, Rule(","), encoded.rows, slice(0, encoded.rows))
    assert restored == text
    return len(encoded.payload), block.columns[0].meta


def test_digits_that_are_all_zero_take_no_bits(monkeypatch):
    rng = np.random.default_rng(5)
    rows = 4000
    whole, parts = rng.integers(0, 4096, rows), rng.integers(1, 10**9, rows)
    is_whole = rng.random(rows) < 0.5
    lines = [
        f"{a}\n" if one else f"0.{b:09d}\n"
        for a, b, one in zip(whole, parts, is_whole, strict=True)
    ]
    text = "".join(lines).encode()
    size, meta = size_of(text)
    assert isinstance(meta, NumberMeta) and meta.own_units
    ideal = rows + (is_whole * 12 + ~is_whole * np.log2(10**9)).sum()
    assert size < 1.02 * ideal / 8
    monkeypatch.setattr(ways.units, "offer", lambda columns: None)
    before, _ = size_of(text)
    assert size < 0.9 * before


@pytest.mark.parametrize("effort", [planning.FAST, planning.DEFAULT, planning.BEST])
def test_the_quick_effort_does_not_look(effort):
    column = column_of(ratios(b"%d"))
    ways.offer([column], effort)
    is_offered = any(getattr(way.meta, "own_units", False) for way in column.others)
    assert is_offered == (effort is not planning.FAST)


def test_a_step_multiplies_units():
    meta = NumberMeta(None, (), False, 3, (spans.SHORT, 0), 5, ("", ""), True)
    assert meta.units == [5, 5000]
    assert dataclasses.replace(meta, own_units=False).units == [5, 5]


def test_the_other_reader_knows_units():
    text = format_reader.restore(GOLDEN.read_bytes())
    assert text == GOLDEN.with_suffix(".csv").read_bytes()
