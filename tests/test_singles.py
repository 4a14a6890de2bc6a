"""Numbers that were 32-bit floats once are stored as the few digits that they stand for."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aetool.codec import blocks, floats, planning, records, singles, text_decoding, textual, ways
from aetool.codec.archive import Archive
from aetool.codec.metas import Bits, Decimals, FloatMeta, NumberMeta
from aetool.codec.natives import numbers as natives
from aetool.codec.records import Layout
from aetool.csv.fields import Rule
from aetool.errors import ArchiveError
from tests import format_reader

GOLDEN = Path(__file__).parent / "golden" / "3.6" / "singles.aez"
TYPED_GOLDEN = GOLDEN.with_name("doubles.aez")
RNG = np.random.default_rng(7)
PRICES = (np.cumsum(RNG.integers(-40, 41, 400)) + 220754) / 100


def as_single(number):
    return float(np.float32(number))


def six_digits(number):
    """As most tables of prices write it."""
    return f"{as_single(number):.6f}".rstrip("0").rstrip(".")


def column_of(cells):
    ends = np.cumsum([len(cell) for cell in cells], dtype=np.int32)
    start = np.append(0, ends[:-1]).astype(np.int32)
    return textual.encode(np.frombuffer("".join(cells).encode(), np.uint8), start, ends)


def way_of(cells):
    """The column's encoding as 32-bit floats, None if none was offered; its cells come back."""
    column = column_of(cells)
    before = len(column.others)
    singles.offer([column])
    if len(column.others) == before:
        return None
    way = column.others[0]
    block = blocks.as_decoded([way], len(cells), {})
    assert text_decoding.decode(block.columns[0]).bytes() == [cell.encode() for cell in cells]
    return way


def test_a_number_is_printed_as_the_nearest_float_is():
    values = np.array([220754, 225177, -220754, 220775, 0])
    expected = [2207540039, 2251770020, -2207540039, 2207750000, 0]
    assert singles.printed(values, 2, 6).tolist() == expected


def test_prices_printed_with_six_digits_are_stored_with_two():
    way = way_of([six_digits(price) for price in PRICES])
    assert way.meta.single == 2 and way.meta.forms == (64,)
    assert way.streams[-1].values.tolist() == np.rint(PRICES * 100).astype(int).tolist()


@pytest.mark.parametrize("odd", [["NA"], ["", "NA", "2207.123457", "-0", "1e9", "007"]])
def test_other_numbers_among_them_are_of_a_kind_of_their_own(odd):
    way = way_of([*odd, *(six_digits(price) for price in PRICES), "0.123457", *odd])
    assert way.meta.single == 2 and way.meta.forms == (64, 64)
    assert 123457 in way.streams[-1].values


@pytest.mark.parametrize("largest", [2**62, 2**63 - 1, -(2**62), -(2**63) + 1])
def test_numbers_that_floats_would_print_beyond_64_bits_are_left_as_they_are(largest):
    cells = [str(number) for number in PRICES.astype(int)]
    text = f"{largest // 100}.{abs(largest) % 100:02d}"
    assert way_of([*cells, text]) is None
    assert way_of([f"{cell}.00" for cell in cells] + [text] * 40) is None


def test_numbers_of_six_digits_always_are_printed_so():
    cells = [f"{as_single(price):.6f}" for price in PRICES]
    assert way_of(cells).meta.forms == (6,)


@pytest.mark.parametrize(
    "cells",
    [
        [f"{price:.2f}" for price in PRICES],
        [f"{price:.6f}".rstrip("0") for price in PRICES + RNG.normal(size=400)],
        [str(place) for place in range(400)],
        [six_digits(price) for price in PRICES[:20]],
        [f"{price:.6f}" for price in PRICES],
    ],
    ids=["two digits", "noise", "whole", "few", "zeros"],
)
def test_other_columns_are_left_as_they_are(cells):
    assert way_of(cells) is None


@given(
    st.lists(st.integers(-(10**9), 10**9), min_size=32, max_size=80),
    st.integers(0, 5),
    st.integers(2, 9),
    st.lists(st.text("0123456789.-", max_size=6), max_size=3),
)
def test_any_such_numbers_come_back(wholes, places, decimals, odd):
    cells = [f"{as_single(whole / 10**places):.{decimals}f}" for whole in wholes]
    way_of([*cells, *odd])


def test_all_digits_of_a_double_are_stored_as_two():
    doubles = PRICES.astype(np.float32).astype(np.float64)
    meta, stored, kinds, fits = floats.taken_apart(doubles, bare=False)
    assert (meta.places, meta.single, meta.offsets) == (2, True, (0,)) and fits.all()
    assert stored.tolist() == np.rint(PRICES * 100).astype(int).tolist() and not kinds.any()
    assert floats.restored(meta, stored, kinds) == [repr(number) for number in doubles.tolist()]


@pytest.mark.parametrize(
    "numbers", [PRICES, PRICES + 0.1 + 0.2, RNG.normal(size=400), np.round(PRICES * 4) / 4]
)
def test_doubles_are_none(numbers):
    meta, *_ = floats.taken_apart(numbers, bare=False)
    assert not meta.single


def test_a_book_of_typed_floats_has_none():
    numbers = np.sort(PRICES.astype(np.float32).astype(np.float64))
    assert floats.near_decimals(numbers.view(np.int64)) is None


def size_of(cells, effort=planning.DEFAULT):
    text = "".join(f"{cell}\n" for cell in cells).encode()
    (encoded,) = records.encode(text, Layout(Rule(","), ["price"], effort=effort))
    block = blocks.decode(encoded.payload, encoded.rows, encoded.content)
    assert records.decode(block, Rule(","), encoded.rows, slice(0, encoded.rows)) == text
    return len(encoded.payload), block.columns[0].meta


@pytest.mark.parametrize("write", [six_digits, lambda price: repr(as_single(price))])
def test_digits_that_follow_take_no_bytes(write):
    walk = (np.cumsum(np.random.default_rng(3).integers(-40, 41, 5000)) + 900000) / 100
    size, meta = size_of([write(price) for price in walk])
    plain, _ = size_of([f"{price:.2f}" for price in walk])
    assert isinstance(meta, NumberMeta | FloatMeta) and meta.single
    assert size < 1.02 * plain


@pytest.mark.parametrize("effort", [planning.FAST, planning.DEFAULT, planning.BEST])
def test_the_quick_effort_does_not_look(effort):
    column = column_of([six_digits(price) for price in PRICES])
    ways.offer([column], effort)
    is_offered = any(getattr(way.meta, "single", None) == 2 for way in column.others)
    assert is_offered == (effort is not planning.FAST)


@pytest.mark.parametrize("value", [2**62, -(2**62)])
def test_a_number_too_large_is_damage(value):
    with pytest.raises(ArchiveError, match="damaged: a column of 32-bit floats"):
        singles.printed(np.array([value]), 0, 6)


def test_the_other_reader_knows_them():
    with Archive(GOLDEN) as archive:
        (piece,) = archive.blocks(0, archive.rows)
    metas = [column.meta for column in piece[0].columns]
    assert [meta.single for meta in metas] == [2, True, None]
    text = format_reader.restore(GOLDEN.read_bytes())
    assert text == GOLDEN.with_suffix(".csv").read_bytes()


# ---- columns of doubles


def typed(values, gaps=None, bound=None):
    """The meta of a column of doubles, which comes back bit for bit, and its streams."""
    coded = natives.encode_floats(values, gaps, bound)
    block = blocks.as_decoded([coded], len(values), {})
    again, missing = natives.decode_floats(block.columns[0], 64)
    if bound is None:
        here = np.ones(len(values), bool) if gaps is None else ~gaps
        assert again[here].tobytes() == values[here].tobytes()
        assert gaps is None or (missing == gaps).all()
    else:
        assert np.abs(again - values).max() <= bound
    return coded.meta, coded.streams


def test_doubles_that_were_floats_are_stored_as_their_decimals():
    values = PRICES.astype(np.float32).astype(np.float64)
    meta, (stream,) = typed(values)
    assert meta.numerals == Decimals(2, single=True)
    assert stream.values.tolist() == np.rint(PRICES * 100).astype(int).tolist()


def test_gaps_and_odd_numbers_among_them_come_back():
    values = PRICES.astype(np.float32).astype(np.float64)
    gaps = np.arange(len(values)) % 9 == 2
    values[5], values[6], values[7], values[8] = np.nan, -0.0, np.inf, 1e300
    meta, streams = typed(values, gaps)
    assert meta.numerals.single and len(streams) == 3 and len(streams[-1].values) == 3


@pytest.mark.parametrize(
    "values",
    [PRICES, np.round(PRICES * 4) / 4, np.arange(400.0), RNG.normal(size=400), np.zeros(0)],
    ids=["decimals", "quarters", "whole", "noise", "none"],
)
def test_other_doubles_are_stored_as_before(values):
    meta, _ = typed(values)
    assert not getattr(meta.numerals, "single", False)


def test_noise_of_32_bits_is_stored_as_its_bits():
    meta, _ = typed(RNG.normal(size=400).astype(np.float32).astype(np.float64))
    assert meta.numerals == Bits(32)


def test_a_bound_rounds_them_as_before():
    values = PRICES.astype(np.float32).astype(np.float64)
    meta, _ = typed(values, bound=Fraction(1, 2))
    assert not getattr(meta.numerals, "single", False)


@given(st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=60), st.integers(0, 7))
def test_any_such_doubles_come_back(wholes, places):
    typed((np.array(wholes) / 10**places).astype(np.float32).astype(np.float64))


def test_the_other_reader_knows_doubles():
    source = pq.read_table(TYPED_GOLDEN.with_suffix(".parquet"))
    with Archive(TYPED_GOLDEN) as archive:
        (piece,) = archive.blocks(0, archive.rows)
        assert all(column.meta.numerals.single for column in piece[0].columns)
    frame = format_reader.restore(TYPED_GOLDEN.read_bytes())
    for name in source.column_names:
        expected = source[name].to_pylist()
        np.testing.assert_equal(list(frame[name]), expected)


def four_digits(number):
    return f"{as_single(number):.4f}".rstrip("0").rstrip(".")


def test_the_few_numbers_whose_floats_show_tell_what_all_of_them_are():
    """Of 680 prices of an index 600 are so low that four digits do not show the float's error."""
    rng = np.random.default_rng(0)
    low = rng.integers(2_000, 40_000, 600) / 100
    high = rng.integers(210_000, 400_000, 80) / 100
    cells = [four_digits(price) for price in (*low, *high)]
    shown = [cell for cell in cells if len(cell.partition(".")[2]) > 2]
    assert 32 <= len(shown) < 68
    way = way_of(cells)
    assert way is not None and way.meta.single == 2
    # cells of many digits that are no such floats tell otherwise
    assert way_of([cell + "1" if cell in shown else cell for cell in cells]) is None
