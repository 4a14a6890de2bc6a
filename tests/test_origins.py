"""Text of 32-bit floats, printed in several ways, and of decimals among them, is stored as the
numbers that it comes from."""

import dataclasses
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aetool import kernel, operations
from aetool.codec import (
    blocks,
    floats,
    limits,
    origin_search,
    origins,
    planning,
    records,
    text_decoding,
    textual,
)
from aetool.codec.archive import Archive
from aetool.codec.columns import Decoded
from aetool.codec.metas import FloatMeta, NumberMeta, from_json
from aetool.codec.origins import Origin
from aetool.codec.records import Layout
from aetool.csv.fields import Rule
from aetool.errors import AetoolError, ArchiveError
from aetool.operations import CompressOptions
from tests import format_reader
from tests.format_reader.text import float_text

GOLDEN = Path(__file__).parent / "golden" / "3.16" / "coordinates.aez"
RNG = np.random.default_rng(5)
DEGREES = [whole / 10**4 for whole in RNG.integers(-1800000, 1800000, 300).tolist()]
LOGARITHMS = np.log(RNG.gamma(3, 9, 300)).astype(np.float32).astype(float).tolist()


def as_single(number):
    return float(np.float32(number))


def printed(number, digits):
    """A 32-bit float as a program prints it in so many digits, in Python's notation."""
    return repr(float(f"{as_single(number):.{digits}g}"))


def encoded(cells, **options):
    ends = np.cumsum([len(cell) for cell in cells], dtype=np.int32)
    start = np.append(0, ends[:-1]).astype(np.int32)
    return textual.encode(np.frombuffer("".join(cells).encode(), np.uint8), start, ends, **options)


def ways_of(cells):
    """The column's encodings by origins; the cells come back from each, here and in the other
    reader."""
    ways = [way for way in encoded(cells).others if isinstance(way.meta, FloatMeta)]
    ways = [way for way in ways if way.meta.digits]
    for way in ways:
        (column,) = blocks.as_decoded([way], len(cells), {}).columns
        assert text_decoding.decode(column).bytes() == [cell.encode() for cell in cells]
        written = column.kinds < way.meta.valued
        again = [
            float_text(value, kind, way.meta.to_json()).decode()
            for value, kind in zip(
                column.values.tolist(), column.kinds[written].tolist(), strict=True
            )
        ]
        assert again == [cell for cell, is_number in zip(cells, written, strict=True) if is_number]
    return ways


# ---- right values


@pytest.mark.parametrize(
    ("number", "origin", "expected"),
    [
        (400708, Origin(17, 0, 4), 40.07080078125),
        (-749336, Origin(17, 0, 4), -74.93360137939453),
        (-151696, Origin(12, 0, 3), -151.695999146),
        (599492, Origin(10, 0, 4), 59.94919968),
        (353505, Origin(12, -1, 4), 35.350498199499995),
        (305, Origin(15, 0, 2), 3.04999995231628),
        (109, Origin(17, -1, 1), 10.899999618530272),
        (401, Origin(0, 0, 1), 40.1),
        (0, Origin(17, -1, 1), -0.0),
        (1, Origin(17, 0, None), 1.401298464324817e-45),
        (-2, Origin(17, 0, None), -1.401298464324817e-45),
        (-1, Origin(17, 0, None), -0.0),
        (0x7F7FFFFF, Origin(9, 0, None), 3.40282347e38),
    ],
)
def test_a_number_follows_from_its_origin(number, origin, expected):
    nearest = origin.nearest(np.array([number]))
    meta = FloatMeta(places=origin.places, offsets=(origin.offset,), digits=(origin.digits,))
    texts = origins.restored(meta, np.array([number]), np.zeros(1, np.int64))
    assert texts == [repr(expected)]
    assert float_text(number, 0, meta.to_json()) == texts[0].encode()
    stored, fits = origin.stored(np.array([expected]))
    assert stored.tolist() == [number] and fits.all() and np.isfinite(nearest).all()


def test_coordinates_of_several_programs_are_decimals_of_four_places():
    spelled = [17, 17, 17, 17, 12, 10]
    cells = [printed(number, spelled[row % 6]) for row, number in enumerate(DEGREES)]
    cells[::10] = [repr(number) for number in DEGREES[::10]]
    best = ways_of(cells)[0]
    assert best.meta.digits[0] == 17 and sorted(best.meta.digits) == [0, 10, 12, 17]
    assert best.meta.places == 4 and not any(best.meta.offsets) and not best.meta.zeros
    assert best.streams[-1].values.tolist() == [round(number * 10**4) for number in DEGREES]


def test_decimals_of_other_lengths_are_of_kinds_without_their_zeros():
    longer = [f"{round(number, 4)}{row:05d}7" for row, number in enumerate(DEGREES)]
    cells = [
        repr(as_single(number)) if row % 3 else longer[row] for row, number in enumerate(DEGREES)
    ]
    best = ways_of(cells)[-1]
    assert best.meta.places == 10 and set(best.meta.zeros) == {0, 6}
    values = best.streams[-1].values
    assert values[1] == round(DEGREES[1] * 10**4) and values[0] == round(float(cells[0]) * 10**10)


@pytest.mark.parametrize("digits", [9, 10, 12, 15, 16, 17])
def test_floats_that_are_no_short_decimals_are_their_bits(digits):
    cells = [printed(number, digits) for number in LOGARITHMS]
    ways = [way for way in ways_of(cells) if way.meta.places is None]
    (way,) = ways
    bits = np.array(LOGARITHMS, np.float32).view(np.int32)
    assert set(way.meta.digits) == {digits} or digits >= 15
    assert way.streams[-1].values.tolist() == np.where(bits < 0, bits ^ 0x7FFFFFFF, bits).tolist()


@pytest.mark.parametrize(
    "cells",
    [
        [f"{number:.4f}" for number in DEGREES],
        [repr(number) for number in RNG.normal(size=300).tolist()],
        [f"{number:.9f}" for number in RNG.normal(size=300).tolist()],
        [f"{number:.10g}" for number in RNG.normal(size=300).tolist()],
        [f"key {number}" for number in LOGARITHMS],
        [str(row) for row in range(300)],
    ],
    ids=["decimals", "doubles", "nine digits", "ten digits", "texts", "whole"],
)
def test_other_columns_have_no_origins(cells):
    assert not ways_of(cells)


def size_of(cells):
    text = "".join(f"{cell}\n" for cell in cells).encode()
    (block,) = records.encode(text, Layout(Rule(","), ["number"], effort=planning.DEFAULT))
    restored = blocks.decode(block.payload, block.rows, block.content)
    assert records.decode(restored, Rule(","), block.rows, slice(0, block.rows)) == text
    return len(block.payload), restored.columns[0].meta


def test_what_follows_takes_no_bytes():
    """Degrees of four places take what these do, and what tells three programs apart."""
    wholes = np.random.default_rng(6).integers(-1800000, 1800000, 3000)
    degrees = (wholes / 10**4).tolist()
    spelled = [printed(number, 12 if row % 7 == 3 else 17) for row, number in enumerate(degrees)]
    spelled[::5] = [repr(number) for number in degrees[::5]]
    size, meta = size_of(spelled)
    plain, _ = size_of([f"{number:.4f}" for number in degrees])
    assert isinstance(meta, FloatMeta) and set(meta.digits) == {0, 12, 17}
    # a kind is 1.3 bits
    assert 8 * (size - plain) < 1.5 * len(degrees)


def test_floats_printed_with_ten_digits_take_their_bits():
    noise = np.exp(np.random.default_rng(8).normal(size=3000)).astype(np.float32)
    size, meta = size_of([printed(number, 10) for number in noise.tolist()])
    assert isinstance(meta, FloatMeta) and meta.digits == (10,) and meta.places is None
    assert 8 * size < 26 * len(noise)


def test_floats_of_one_origin_are_tried_beside_those_of_several():
    """A program that cuts 32-bit floats behind 16 decimals: most are as if rounded to 16 digits,
    and all are within a float of the whole one."""
    rates = np.random.default_rng(4).choice([-4, -2, -1, 0, 1, 2, 3], 200, p=[0.1] * 6 + [0.4]) / 10
    cut = [float(repr(as_single(rate))[: 18 + (rate < 0)]) for rate in rates.tolist()]
    ways = encoded([repr(rate) for rate in cut]).others
    plain, by_origins = [way.meta for way in ways if isinstance(way.meta, FloatMeta)]
    assert plain.single and plain.places == 1 and set(plain.offsets) <= {-1, 0, 1}
    assert by_origins.digits[0] == 16 and by_origins.places == 1


def test_where_some_numbers_have_no_origin_floats_that_leave_out_none_are_tried():
    singles = [printed(number, 17) for number in DEGREES]
    others = [repr(number) for number in RNG.normal(size=12).tolist()]
    metas = [way.meta for way in encoded([*singles, *others]).others]
    assert any(meta.digits or meta.single for meta in metas)
    plain = [meta for meta in metas if not meta.digits and not meta.specials and not meta.has_rest]
    assert len(plain) == 1 and len(set(metas)) == len(metas)


# ---- laws

SINGLES = st.floats(width=32, allow_nan=False, allow_infinity=False)
ODD = [
    "inf",
    "-inf",
    "nan",
    "NaN",
    "-0.0",
    "-0",
    "1e-05",
    "1e-7",
    "1e+20",
    "1e20",
    "0.10",
    "",
    "NA",
]


@settings(deadline=None)
@given(
    st.lists(st.tuples(SINGLES, st.sampled_from([9, 10, 12, 15, 16, 17])), min_size=8, max_size=60),
    st.lists(st.floats(allow_nan=False).map(repr) | st.sampled_from(ODD), max_size=4),
    st.booleans(),
)
@example([(1e-45, 17), (-1e-45, 17), (3.4028234e38, 9), (-0.0, 17), (0.0, 9)] * 4, ODD, False)
@example([(1.2e20, 17), (1e16, 17), (1.5e-5, 17), (9.999999974752427e-07, 17)] * 4, ODD, True)
def test_any_floats_and_whatever_stands_among_them_come_back(numbers, odd, bare):
    cells = [printed(number, digits) for number, digits in numbers]
    if bare:
        cells = [cell.removesuffix(".0") for cell in cells]
    ways_of([*odd, *cells])


@given(SINGLES, st.integers(9, 17), st.integers(-8, 8))
def test_the_bits_of_any_float_and_its_printed_digits_tell_it(number, digits, offset):
    nearest = float(f"{number:.{digits}g}")
    moved = nearest
    for _ in range(abs(offset)):
        moved = float(np.nextafter(moved, np.inf if offset > 0 else -np.inf))
    meta = FloatMeta(offsets=(offset,), digits=(digits,))
    stored, kinds, fits = origins.taken_apart(meta, np.array([moved]))
    # far smaller numbers than 64-bit floats tell apart by 17 digits are odd
    assert fits.all() or abs(number) < 1e-30 or moved == 0 or number == 0
    if fits.all():
        assert origins.restored(meta, stored, kinds) == [repr(moved)]


def test_a_column_of_another_file_is_stored_by_the_same_meta():
    cells = [printed(number, (17, 12)[row % 2]) for row, number in enumerate(DEGREES)]
    meta = dataclasses.replace(ways_of(cells)[0].meta, has_rest=True)
    others = [*cells[::-1], "40.1", "1e-05", "word", "0.1234567"]
    coded = encoded(others, foreseen=meta)
    (column,) = blocks.as_decoded([coded], len(others), {}).columns
    assert coded.meta == meta and (column.kinds < meta.valued).sum() >= len(cells)
    assert text_decoding.decode(column).bytes() == [cell.encode() for cell in others]


@pytest.mark.parametrize("bound", ["0.001", "0.5", "3"])
def test_a_bound_holds_for_such_columns(bound, tmp_path):
    cells = [printed(number, (17, 12, 10)[row % 3]) for row, number in enumerate(DEGREES)]
    table = tmp_path / "t.csv"
    table.write_text("degrees\n" + "".join(f"{cell}\n" for cell in cells))
    options = CompressOptions(max_error={"degrees": bound})
    operations.compress(table, tmp_path / "t.aez", None, options)
    operations.compress(table, tmp_path / "exact.aez")
    back = operations.decompress(tmp_path / "t.aez", tmp_path / "back.csv").read_text().split()[1:]
    off = [abs(Fraction(a) - Fraction(b)) for a, b in zip(back, cells, strict=True)]
    assert 0 < max(off) <= Fraction(bound)
    assert (tmp_path / "t.aez").stat().st_size < (tmp_path / "exact.aez").stat().st_size


def test_a_bound_below_all_digits_leaves_them(tmp_path):
    cells = [repr(as_single(number)) for number in DEGREES]
    (column,) = [encoded(cells, bound=Fraction(1, 10**30))]
    assert not column.error
    assert not isinstance(column.meta, NumberMeta) or column.meta.step == 1


# ---- damage


@pytest.mark.parametrize(
    ("meta", "value"),
    [
        (FloatMeta(digits=(17,)), 1 << 31),
        (FloatMeta(digits=(17,)), -(1 << 31) - 1),
        (FloatMeta(digits=(12,)), 0x7F800000),
        (FloatMeta(digits=(17,)), -0x7F800002),
        (FloatMeta(places=0, digits=(17,)), 10**39 >> 66),
        (FloatMeta(digits=(0,)), 0x7FF8 << 48),
    ],
)
def test_a_number_that_no_float_is_is_damage(meta, value):
    values = np.array([value])
    column = Decoded(meta, np.zeros(1, np.int64), values, np.zeros(0, np.int64), [])
    if meta.places is None:
        with pytest.raises(ArchiveError, match="damaged: a column of 32-bit floats has one"):
            text_decoding.decode(column)
        return
    # no whole number of 64 bits is beyond all 32-bit floats
    assert text_decoding.decode(column).bytes() == [repr(as_single(value)).encode()]


@pytest.mark.parametrize("meta", [FloatMeta(), FloatMeta(digits=(12, 9), offsets=(0, 0))])
@pytest.mark.parametrize("at_once", [1, 7, 20, 1 << 16])
def test_texts_are_made_piece_by_piece(meta, at_once, monkeypatch):
    """So that a damaged block of millions of numbers takes little memory."""
    monkeypatch.setattr(text_decoding, "WRITTEN_AT_ONCE", at_once)
    values = RNG.integers(0, 1 << 30, 20)
    kinds = np.arange(20) % meta.valued
    column = Decoded(meta, kinds, values, np.zeros(0, np.int64), [])
    restored = origins.restored if meta.digits else floats.restored
    expected = [text.encode() for text in restored(meta, values, kinds)]
    assert text_decoding.decode(column).bytes() == expected


@pytest.mark.parametrize("meta", [FloatMeta(), FloatMeta(digits=(17,))])
def test_more_text_than_a_block_may_have_is_refused_before_all_is_made(meta, monkeypatch):
    module = origins if meta.digits else floats
    made = []
    restored = module.restored
    monkeypatch.setattr(module, "restored", lambda *column: made.append(1) or restored(*column))
    monkeypatch.setattr(text_decoding, "WRITTEN_AT_ONCE", 10)
    monkeypatch.setattr(limits, "MAX_TEXT", 60)
    # each is 0.0
    values = np.zeros(1000, np.int64)
    column = Decoded(meta, values, values, np.zeros(0, np.int64), [])
    with pytest.raises(ArchiveError, match="a block claims 90 bytes; at most 60 are allowed"):
        text_decoding.decode(column)
    assert len(made) == 3


FLOAT = {"k": "float", "s": [], "d": 4, "f": [0, 0], "p": [17, 0]}


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ({**FLOAT, "p": [17]}, "the digits of floats are not one number for each kind"),
        ({**FLOAT, "p": 17}, "the digits of floats are not one number for each kind"),
        ({**FLOAT, "p": [17, 18]}, "the digits of floats must be a whole number of -24 to 17"),
        ({**FLOAT, "p": [17, -25]}, "the digits of floats must be a whole number of -24 to 17"),
        ({**FLOAT, "p": [17, 1.5]}, "the digits of floats must be a whole number of -24 to 17"),
        ({**FLOAT, "o": 1}, "32-bit floats are told in two ways"),
        ({**FLOAT, "e": [0]}, "the zeros of floats are not one number for each kind"),
        ({**FLOAT, "e": [5, 0]}, "the zeros of floats must be a whole number of 0 to 4"),
        ({"k": "float", "s": [], "e": [0]}, "floats of one origin have zeros"),
        ({**FLOAT, "f": [0] * 65, "p": [0] * 65}, "too many offsets"),
    ],
)
def test_metas_out_of_range_are_refused(stored, message):
    with pytest.raises(ArchiveError, match=message):
        from_json(stored)


# ---- golden


@pytest.mark.parametrize("loops", ["kernel", "reference"])
def test_the_golden_archive_is_restored_for_ever(loops, tmp_path, monkeypatch):
    if loops == "reference":
        monkeypatch.setattr(kernel, "C", None)
    table = GOLDEN.with_suffix(".csv").read_bytes()
    assert operations.decompress(GOLDEN, tmp_path / "t.csv").read_bytes() == table


def test_the_golden_archive_is_read_by_the_other_reader_and_written_so_still(tmp_path):
    table = GOLDEN.with_suffix(".csv")
    assert format_reader.restore(GOLDEN.read_bytes()) == table.read_bytes()
    operations.compress(table, tmp_path / "t.aez")
    assert (tmp_path / "t.aez").read_bytes() == GOLDEN.read_bytes()
    with Archive(GOLDEN) as archive:
        ((block, _),) = archive.blocks(0, archive.rows)
    metas = [column.meta for column in block.columns]
    assert all(set(meta.digits) - {0} for meta in metas[:3])


def test_every_flipped_byte_is_found(tmp_path):
    whole = GOLDEN.read_bytes()
    table = GOLDEN.with_suffix(".csv").read_bytes()
    for at in range(0, len(whole), 61):
        bad = bytearray(whole)
        bad[at] ^= 1 << at % 8
        (tmp_path / "bad.aez").write_bytes(bad)
        out = tmp_path / f"{at}.csv"
        try:
            operations.decompress(tmp_path / "bad.aez", out)
        except AetoolError:
            assert not out.exists()
            continue
        assert out.read_bytes() == table


def test_the_search_looks_at_no_more_than_a_sample_of_other_columns(monkeypatch):
    monkeypatch.setattr(origin_search, "metas", None)
    assert not ways_of([repr(number) for number in RNG.normal(size=300).tolist()])
