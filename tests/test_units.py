"""Numbers of few digits behind the point, among others of many, and numbers that people round:
each sort counts in units of its own."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aetool import operations
from aetool.codec import (
    blocks,
    planning,
    records,
    spans,
    text_decimals,
    text_decoding,
    textual,
    units,
    ways,
)
from aetool.codec.metas import NumberMeta
from aetool.codec.records import Layout
from aetool.csv.fields import Rule
from aetool.errors import ArchiveError
from tests import format_reader

GOLDEN_FOLDER = Path(__file__).parent / "golden"
GOLDEN = GOLDEN_FOLDER / "3.5" / "ratios.aez"
ROUNDED = GOLDEN_FOLDER / "3.12" / "rounded.csv"


def column_of(cells):
    ends = np.cumsum([len(cell) for cell in cells], dtype=np.int32)
    start = np.append(0, ends[:-1]).astype(np.int32)
    return textual.encode(np.frombuffer(b"".join(cells), np.uint8), start, ends)


def counted(cells):
    """The column's meta in units of its own, None if that was not offered; its cells come back."""
    column = column_of(cells)
    offered = ways_of(column, cells)
    metas = [way.meta for way in offered if way.meta.own_units]
    assert len(metas) < 2
    return metas[0] if metas else None


def ways_of(column, cells):
    """What is offered for the column; its cells come back from each."""
    before = len(column.others)
    units.offer([column])
    offered = column.others[before:]
    for way in offered:
        block = blocks.as_decoded([way], len(cells), {})
        assert text_decoding.decode(block.columns[0]).bytes() == cells
    return offered


def without_zeros(cells):
    """The column's encoding without the zeros at the end of numbers, None if none was offered."""
    offered = ways_of(column_of(cells), cells)
    ways = [way for way in offered if way.meta.zeros]
    assert len(ways) < 2
    return ways[0] if ways else None


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


# ---- numbers that people round


def rounded(count=400):
    """Sums of which people name the first digits: one to four of them."""
    rng = np.random.default_rng(4)
    sums = np.exp(rng.normal(11, 1.2, count)) + 100
    digits = rng.choice([1, 2, 3, 4], count, p=[0.1, 0.3, 0.3, 0.3])
    last_places = 10.0 ** np.maximum(np.floor(np.log10(sums)) + 1 - digits, 0)
    return (np.round(sums / last_places) * last_places).astype(int)


@pytest.mark.parametrize(
    ("form", "decimals"),
    [("%d", 0), ("%d.0", 1), ("%d.00", 2)],
)
@pytest.mark.parametrize("odd", [[], [b"NA", b""]])
def test_rounded_numbers_are_stored_without_their_zeros(form, decimals, odd):
    sums = rounded()
    way = without_zeros([*odd, *((form % number).encode() for number in sums)])
    meta, (kinds, values) = way.meta, way.streams
    assert meta.decimals == decimals and meta.zeros[0] == decimals
    assert meta.units == [10**count for count in meta.zeros]
    numbers = kinds.values[len(odd) :]
    assert (values.values * 10 ** np.array(meta.zeros)[numbers] == sums * 10**decimals).all()
    # no number of another kind could be shorter
    last_digits = values.values[numbers < max(numbers)] % 10
    assert (last_digits != 0).mean() > 0.98


def test_numbers_below_zero_and_zero_itself_come_back():
    sums = rounded()
    cells = [b"%d" % (-number if place % 3 else number) for place, number in enumerate(sums)]
    way = without_zeros([*cells, *[b"0"] * 40])
    # 0 ends in any number of zeros, and is of the kind that lacks fewest
    assert way.meta.zeros[0] == 0 and (way.streams[0].values[-40:] == 0).all()


@pytest.mark.parametrize(
    "cells",
    [
        [b"%d" % (place * 7919 % 1000) for place in range(400)],
        [b"%d" % (1000 * (place * 7919 % 997)) for place in range(400)],
        [b"%d" % number for number in rounded(31)],
        [b"%d" % (100 * (place % 8)) for place in range(400)],
        [b"%.1f" % (place / 2) for place in range(400)],
    ],
    ids=["any digits", "all in thousands", "few", "few different", "halves"],
)
def test_numbers_that_are_not_rounded_keep_their_zeros(cells):
    assert without_zeros(cells) is None


def test_numbers_within_a_bound_keep_their_zeros():
    column = column_of([b"%d" % number for number in rounded()])
    column.meta = dataclasses.replace(column.meta, step=5)
    units.offer([column])
    assert not column.others


def test_rounded_numbers_take_fewer_bits(monkeypatch):
    text = b"".join(b"%d\n" % number for number in rounded(4000))
    size, meta = size_of(text)
    assert isinstance(meta, NumberMeta) and meta.zeros
    monkeypatch.setattr(ways.units, "offer", lambda columns: None)
    before, _ = size_of(text)
    assert size < 0.96 * before


def test_cells_are_written_by_a_meta_without_zeros():
    """As those of another block would be: what ends in too few zeros is kept as text."""
    cells = [b"4500", b"45", b"120000", b"0", b"-700", b"NA"]
    ends = np.cumsum([len(cell) for cell in cells], dtype=np.int32)
    start = np.append(0, ends[:-1]).astype(np.int32)
    buffer = np.frombuffer(b"".join(cells), np.uint8)
    meta = NumberMeta(None, (), False, 0, (0, 0), zeros=(2, 4))
    coded = textual.encode(buffer, start, ends, meta)
    assert coded.streams[-1].values.tolist() == [45, 12, 0, -7]
    block = blocks.as_decoded([coded], len(cells), {})
    assert text_decoding.decode(block.columns[0]).bytes() == cells


@given(
    st.lists(st.integers(-(10**17), 10**17), min_size=1, max_size=20),
    st.lists(st.integers(0, 17), min_size=1, max_size=4, unique=True),
)
def test_the_kind_is_the_one_without_most_zeros(numbers, zeros):
    kinds = text_decimals.kinds_by_zeros(np.array(numbers), tuple(zeros))
    for number, kind in zip(numbers, kinds.tolist(), strict=True):
        fits = [count for count in zeros if number % 10**count == 0]
        expected = min(zeros) if number == 0 else max(fits, default=None)
        assert (zeros[kind] if kind >= 0 else None) == expected


@pytest.mark.parametrize(
    "change",
    [
        {"e": [0]},
        {"e": [0, 19]},
        {"e": [0, -1]},
        {"e": 3},
        {"e": [0, 2], "q": 5},
        {"e": [0, 2], "u": 1},
    ],
    ids=["too few", "too many", "below 0", "no list", "a step", "own units"],
)
def test_damaged_zeros_are_refused(change):
    stored = NumberMeta(None, (), False, 3, (0, 0), zeros=(0, 2)).to_json()
    assert stored["e"] == [0, 2] and NumberMeta.parsed(stored).zeros == (0, 2)
    with pytest.raises(ArchiveError, match="zeros"):
        NumberMeta.parsed({**stored, **change})


@pytest.mark.parametrize("version", ["3.12", "3.13"], ids=["deflated", "mixed"])
def test_golden_archives_of_rounded_numbers_are_restored_for_ever(version, tmp_path):
    archive = GOLDEN_FOLDER / version / "rounded.aez"
    table = ROUNDED.read_bytes()
    back = operations.decompress(archive, tmp_path / "t.csv")
    assert back.read_bytes() == table
    assert format_reader.restore(archive.read_bytes()) == table


def test_rounded_numbers_are_written_so_still(tmp_path):
    operations.compress(ROUNDED, tmp_path / "t.aez")
    golden = GOLDEN_FOLDER / "3.13" / "rounded.aez"
    assert (tmp_path / "t.aez").read_bytes() == golden.read_bytes()
