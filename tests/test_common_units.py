"""Columns of dates and numbers that are all multiples of one unit count in that."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aetool import operations
from aetool.codec import blocks, common_units, plain, records, text_decoding, textual
from aetool.codec.columns import Decoded
from aetool.codec.metas import DateMeta, from_json
from aetool.codec.records import Layout
from aetool.csv.fields import Rule
from aetool.errors import ArchiveError
from tests import format_reader

GOLDEN = Path(__file__).parent / "golden" / "3.15" / "dated.aez"
TABLE = GOLDEN.with_suffix(".csv")
# with its texts mixed as one
JOINED = GOLDEN.parents[1] / "3.18" / "dated.aez"
RNG = np.random.default_rng(3)
COUNTS = RNG.integers(0, 5000, 300)
LONG = RNG.integers(10**9, 10**12, 300)


def columns_of(*lists):
    """Columns in their first encoding, taken in common units; their cells come back."""
    columns = []
    for cells in lists:
        texts = [cell.encode() for cell in cells]
        ends = np.cumsum([len(text) for text in texts], dtype=np.int32)
        start = np.append(0, ends[:-1]).astype(np.int32)
        columns.append(textual.encode(np.frombuffer(b"".join(texts), np.uint8), start, ends))
    common_units.count_in_units(columns)
    for column, cells in zip(columns, lists, strict=True):
        column.others.clear()
        block = blocks.as_decoded([column], len(cells), {})
        assert text_decoding.decode(block.columns[0]).bytes() == [c.encode() for c in cells]
    return columns


def unit_of(cells):
    (column,) = columns_of(cells)
    meta = column.meta
    return meta.unit if isinstance(meta, DateMeta) else meta.step


def moments(step, tail=slice(None), behind=""):
    """Moments at random, all multiples of a step, as ISO 8601 has them."""
    at = np.datetime64("1950-01-01") + RNG.integers(0, 25000, 300) * np.timedelta64(1, "D")
    at = at.astype("datetime64[ns]") + RNG.integers(0, 23, 300) * step
    return [str(moment)[tail] + behind for moment in at]


SECOND = np.timedelta64(1, "s")
MILLISECONDS = slice(0, 23)


@pytest.mark.parametrize(
    ("cells", "unit"),
    [
        (moments(0 * SECOND, slice(0, 10)), 86400),
        (moments(0 * SECOND, slice(0, 19), "Z"), 86400),
        (moments(3600 * SECOND, slice(0, 19)), 3600),
        (moments(0 * SECOND, slice(0, 16), "+05:30"), 60),
        (moments(900 * SECOND, slice(0, 16)), 60),
        (moments(7 * SECOND, slice(0, 19)), 1),
        (moments(7 * SECOND, MILLISECONDS), 1000),
        (moments(np.timedelta64(120, "ms"), MILLISECONDS), 10),
        (moments(0 * SECOND, slice(0, 10)) + [""] * 9, 86400),
    ],
    ids=["days", "midnights", "hours", "zone", "quarters", "seconds", "whole", "10 ms", "gaps"],
)
def test_dates_count_in_the_largest_unit_of_the_clock(cells, unit):
    assert unit_of(cells) == unit


@pytest.mark.parametrize(
    ("cells", "unit"),
    [
        ([f"{count}.0" for count in COUNTS], 10),
        ([f"{count * 25}" for count in COUNTS], 25),
        ([f"${count}.50" for count in COUNTS], 50),
        ([*(f"{count}.0" for count in COUNTS), "NA", "", "NA"], 10),
        ([*(f"{count}.0" for count in COUNTS), "0.1"], 1),
        ([f"{count % 9}.0" for count in COUNTS], 1),
        (["0.0"] * 300, 1),
    ],
    ids=["floats", "25", "halves", "gaps", "one other", "few", "zeros"],
)
def test_numbers_count_in_their_greatest_common_divisor(cells, unit):
    assert unit_of(cells) == unit


@pytest.mark.parametrize(("long", "step"), [(LONG, 10), (COUNTS, 250)], ids=["long", "short"])
def test_beside_long_numbers_units_are_powers_of_ten(long, step):
    """Long numbers may be computed of others, times powers of ten alone."""
    others = [str(number) for number in long]
    assert columns_of([str(count * 250) for count in COUNTS], others)[0].meta.step == step


def test_numbers_that_have_a_unit_keep_it():
    columns = columns_of([f"{count * 10}" for count in COUNTS], moments(0 * SECOND, slice(0, 19)))
    before = [column.streams[-1].values.tolist() for column in columns]
    common_units.count_in_units(columns)
    assert columns[0].meta.step == 10 and columns[1].meta.unit == 86400
    assert [column.streams[-1].values.tolist() for column in columns] == before


def test_days_at_random_take_what_their_number_tells(monkeypatch):
    """One of twenty-five thousand days is 14.6 bits; its seconds took more than its text."""
    cells = [cell for _ in range(5) for cell in moments(0 * SECOND, slice(0, 10))]
    text = "".join(f"{cell}\n" for cell in cells).encode()
    layout = Layout(Rule(","), ["day"])
    (encoded,) = records.encode(text, layout)
    monkeypatch.setattr(common_units, "count_in_units", lambda _: None)
    # beside its text as it was mixed then, without words
    monkeypatch.setattr(plain, "OF_SMALL", ("lzma2", "bzip2", "mixed"))
    monkeypatch.setattr(plain, "mixtures", lambda _: ("mixed",))
    (without,) = records.encode(text, layout)
    assert 8 * len(encoded.payload) < 15 * len(cells) + 8 * 64
    assert len(encoded.payload) < 0.95 * len(without.payload)


@given(
    st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=60),
    st.integers(1, 10**6),
    st.integers(0, 4),
    st.lists(st.text("0123456789.-", max_size=6), max_size=3),
)
def test_any_numbers_come_back(wholes, step, places, odd):
    columns_of([*(f"{whole * step / 10**places:.{places}f}" for whole in wholes), *odd])


@pytest.mark.parametrize("golden", [GOLDEN, JOINED], ids=["apart", "joined"])
def test_the_golden_archives_are_restored_for_ever(golden, tmp_path):
    back = operations.decompress(golden, tmp_path / "t.csv")
    assert back.read_bytes() == TABLE.read_bytes()
    assert format_reader.restore(golden.read_bytes()) == TABLE.read_bytes()


def test_it_is_written_so_still(tmp_path):
    operations.compress(TABLE, tmp_path / "t.aez")
    assert (tmp_path / "t.aez").read_bytes() == JOINED.read_bytes()
    assert JOINED.stat().st_size < GOLDEN.stat().st_size


@pytest.mark.parametrize("unit", [0, -1, 86400 * 10**9 + 1, 1.5, True, "1"])
def test_units_out_of_range_are_refused(unit):
    stored = DateMeta(format="ymd|-|||0||0").to_json() | {"q": unit}
    with pytest.raises(ArchiveError, match="the unit of dates"):
        from_json(stored)


@pytest.mark.parametrize("value", [2**62, -(2**62), 2**63 - 1, -(2**63)])
def test_dates_beyond_64_bits_are_damage(value):
    meta = DateMeta(format="ymd|-|||0||0", unit=86400)
    values = np.array([value])
    column = Decoded(meta, np.zeros(1, np.int64), values, np.zeros(0, np.int64), [])
    with pytest.raises(ArchiveError, match="damaged"):
        text_decoding.decode(column)


def test_a_model_s_unit_keeps_other_dates_as_their_text():
    cells = [b"2020-01-02 00:00:00", b"2020-01-02 00:00:01"]
    text = np.frombuffer(b"".join(cells), np.uint8)
    start, stop = np.array([0, 19], np.int32), np.array([19, 38], np.int32)
    meta = DateMeta(format="ymd|-| |hms|0||0", unit=86400)
    coded = textual.encode(text, start, stop, meta)
    # what is no such date comes often enough to be named as it is
    assert coded.streams[-1].values.tolist() == [18263]
    assert coded.meta.specials == ("2020-01-02 00:00:01",) or coded.meta.has_rest
