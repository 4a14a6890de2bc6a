"""Numbers that are quotients of whole numbers are stored as these."""

import dataclasses
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aetool import operations
from aetool.codec import blocks, float_quotients, quotients, text_decoding, textual
from aetool.codec.archive import Archive
from aetool.codec.metas import (
    FloatMeta,
    NumberMeta,
    Quotient,
    Quotients,
    RealMeta,
    Rounding,
    from_json,
)
from aetool.codec.natives import numbers as natives
from aetool.codec.origins import Origin
from aetool.errors import ArchiveError
from aetool.operations import CompressOptions
from tests import format_reader

GOLDEN = Path(__file__).parent / "golden" / "3.20"
RNG = np.random.default_rng(11)
MINUTES = RNG.integers(90, 320, 400).tolist()
DAYS = RNG.integers(9000, 29000, 400).tolist()


def column_of(cells):
    ends = np.cumsum([len(cell) for cell in cells], dtype=np.int32)
    start = np.append(0, ends[:-1]).astype(np.int32)
    return textual.encode(np.frombuffer("".join(cells).encode(), np.uint8), start, ends)


def ways_of(cells):
    """The column's encodings as quotients; its cells come back from each."""
    column = column_of(cells)
    quotients.offer([column])
    ways = [way for way in column.others if getattr(way.meta, "quotients", ())]
    for way in ways:
        block = blocks.as_decoded([way], len(cells), {})
        assert text_decoding.decode(block.columns[0]).bytes() == [cell.encode() for cell in cells]
        assert from_json(way.meta.to_json()) == way.meta
    return ways


# ---- rounding


def test_rounding_is_told_by_hand():
    # 1/16 = 0.0625, 1/8 = 0.125, 3/8 = 0.375, 5/8 = 0.625
    sixteenths = np.array([1, 2, 6, 10, -2, -6, 16])
    even = quotients.rounded(sixteenths, Quotient(16), 2)
    assert even.tolist() == [6, 12, 38, 62, -12, -38, 100]
    up = quotients.rounded(sixteenths, Quotient(16, 1, Rounding.HALF_UP), 2)
    assert up.tolist() == [6, 13, 38, 63, -13, -38, 100]
    cut = quotients.rounded(sixteenths, Quotient(16, 1, Rounding.CUT_OFF), 2)
    assert cut.tolist() == [6, 12, 37, 62, -12, -37, 100]


@given(
    st.integers(-(10**9), 10**9),
    st.integers(2, 10**6),
    st.integers(1, 1000),
    st.integers(0, 9),
)
def test_rounding_is_that_of_exact_fractions(whole, over, times, decimals):
    exact = Fraction(whole * times * 10**decimals, over)
    rounded = quotients.rounded(np.array([whole]), Quotient(over, times), decimals)
    assert rounded[0] == round(exact)
    cut = quotients.rounded(np.array([whole]), Quotient(over, times, Rounding.CUT_OFF), decimals)
    assert cut[0] == int(exact)


@pytest.mark.parametrize("whole", [2**62, -(2**62), 2**63 - 1, -(2**63), 2**58])
def test_a_quotient_beyond_64_bits_is_damage(whole):
    with pytest.raises(ArchiveError, match="too large"):
        quotients.rounded(np.array([whole]), Quotient(60, 60), 5)
    with pytest.raises(ArchiveError, match="too large"):
        Origin(17, 0, None, Quotient(60)).nearest(np.array([whole]))


@pytest.mark.parametrize("digits", [17, 16, 15, -2])
def test_a_float_whose_next_multiple_would_be_too_large_is_no_quotient(digits):
    # 3 times it is 9007199254740990, and the multiple of 7 below -9007199254740990 beyond 2^53
    numbers = np.array([-3002399751580330.0, 7 * 5 / 3, 3002399751580330.0])
    _, fits = Origin(digits, 0, None, Quotient(3, 7)).stored(numbers)
    assert not fits[0] and not fits[2]


def test_means_beside_a_float_that_large_are_still_quotients():
    numbers = np.array([float(f"{7 * minute / 6:.15g}") for minute in MINUTES])
    numbers[5] = -1501199875790165.0
    ways = ways_of([repr(number) for number in numbers.tolist()])
    (way,) = [way for way in ways if isinstance(way.meta, FloatMeta)]
    assert way.meta.quotients == (Quotient(6, 7), None)
    (typed,) = natives.encode_floats(numbers).others
    assert typed.meta.numerals == Quotients(6, 7, 15)


# ---- decimals


def test_minutes_as_hours_are_stored_as_minutes():
    (way,) = ways_of([f"{minute / 60:.3f}" for minute in MINUTES])
    assert way.meta.quotients == (Quotient(60),)
    assert way.streams[-1].values.tolist() == MINUTES


def test_numbers_that_are_none_become_a_kind_of_their_own():
    cells = [f"{minute / 60:.3f}" for minute in MINUTES]
    cells[7], cells[50], cells[51] = "2.001", "NA", "0.1234567"
    (way,) = ways_of(cells)
    assert way.meta.quotients == (Quotient(60), None)
    assert 2001 in way.streams[-1].values


@pytest.mark.parametrize(
    ("written", "rounding"),
    [
        (lambda whole: f"{whole / 16:.2f}", Rounding.HALF_EVEN),
        (lambda whole: f"{np.floor(whole / 16 * 100 + 0.5) / 100:.2f}", Rounding.HALF_UP),
        (lambda whole: f"{whole * 100 // 16 / 100:.2f}", Rounding.CUT_OFF),
    ],
)
def test_ounces_as_pounds_are_told_however_they_were_rounded(written, rounding):
    ways = ways_of([written(whole) for whole in MINUTES])
    assert ways[0].meta.quotients == (Quotient(16, 1, rounding),)
    assert ways[0].streams[-1].values.tolist() == MINUTES


def test_whole_minutes_among_seconds_of_an_angle_are_a_kind_of_their_own():
    seconds = RNG.integers(-300_000, 300_000, 900)
    seconds[::2] = seconds[::2] // 60 * 60
    cells = [f"{second / 3600:.5f}" for second in seconds]
    in_two_kinds, in_one_kind = ways_of(cells)
    assert in_two_kinds.meta.quotients == (Quotient(60), Quotient(3600))
    assert in_one_kind.meta.quotients == (Quotient(3600),)


def test_days_as_years_have_a_factor():
    (way,) = ways_of([f"{day / 365.25:.6f}" for day in DAYS])
    assert way.meta.quotients == (Quotient(1461, 4),)
    assert way.streams[-1].values.tolist() == DAYS


@pytest.mark.parametrize("largest", [2**62, 2**63 - 3, 5 * 10**16, 10**15])
def test_a_number_near_the_end_of_64_bits_among_them_comes_back(largest):
    cells = [f"{minute / 60:.3f}" for minute in MINUTES]
    cells[9] = f"{largest // 1000}.{largest % 1000:03d}"
    cells[11] = f"-{cells[9]}"
    ways_of(cells)


@pytest.mark.parametrize("decimals", [1, 2, 4, 9])
def test_numbers_by_chance_are_no_quotients(decimals):
    drawn = RNG.normal(size=2000) * 30
    assert ways_of([f"{number:.{decimals}f}" for number in drawn]) == []


def test_decimals_that_end_in_a_few_digits_are_no_quotients():
    cells = [f"{quarter / 4:.2f}" for quarter in MINUTES]
    assert ways_of(cells) == []
    assert ways_of([f"{number:.3f}".rstrip("0") for number in RNG.integers(0, 900, 300) / 40]) == []


# ---- floats


def test_means_with_all_digits_are_stored_as_sums():
    ways = ways_of([repr(minute / 7) for minute in MINUTES])
    (way,) = [way for way in ways if isinstance(way.meta, FloatMeta)]
    assert way.meta.quotients == (Quotient(7),) and way.meta.digits == (17,)
    assert way.streams[-1].values.tolist() == MINUTES


@pytest.mark.parametrize("digits", [15, 16])
def test_means_of_fewer_digits_are_stored_as_sums(digits):
    ways = ways_of([f"{minute / 7:.{digits}g}" for minute in MINUTES])
    (way,) = [way for way in ways if isinstance(way.meta, FloatMeta)]
    assert way.meta.quotients == (Quotient(7),) and way.meta.digits == (digits,)


def test_decimals_beside_quotients_are_a_kind_of_their_own():
    cells = [repr(day / 365.25) for day in DAYS]
    cells[5:20] = [repr(number / 100) for number in range(1501, 1516)]
    cells[3] = "NA"
    ways = ways_of(cells)
    (way,) = [way for way in ways if isinstance(way.meta, FloatMeta)]
    assert way.meta.quotients == (Quotient(1461, 4), None) and way.meta.places == 2


def test_a_float_beside_its_quotient_is_told_by_its_place():
    numbers = np.array(MINUTES) / 7
    numbers[::9] = np.nextafter(numbers[::9], np.inf)
    ways = ways_of([repr(number) for number in numbers.tolist()])
    (way,) = [way for way in ways if isinstance(way.meta, FloatMeta)]
    assert way.meta.quotients == (Quotient(7), Quotient(7)) and way.meta.offsets == (0, 1)


def test_floats_by_chance_are_no_quotients():
    assert ways_of([repr(number) for number in RNG.normal(size=500).tolist()]) == []
    assert float_quotients.meta_of(RNG.normal(size=500), bare=False) is None


# ---- columns in types of their own


@pytest.mark.parametrize(
    ("values", "numerals"),
    [
        (np.array(DAYS) / 365.25, Quotients(1461, 4)),
        (np.array(MINUTES) / 7, Quotients(7)),
        (np.round(np.array(MINUTES) / 60, 3), Quotients(60, 1, -3)),
        (np.array([float(f"{minute / 7:.15g}") for minute in MINUTES]), Quotients(7, 1, 15)),
    ],
)
def test_doubles_that_are_quotients_come_back_bit_for_bit(values, numerals):
    values = values.copy()
    values[2], values[4], values[6], values[8] = np.nan, -0.0, np.inf, 0.123456
    gaps = np.arange(len(values)) % 50 == 10
    coded = natives.encode_floats(values, gaps)
    (way,) = coded.others
    assert isinstance(way.meta, RealMeta) and way.meta.numerals == numerals
    assert from_json(way.meta.to_json()) == way.meta
    block = blocks.as_decoded([way], len(values), {})
    restored, gaps_restored = natives.decode_floats(block.columns[0], 64)
    assert np.array_equal(gaps, gaps_restored)
    assert np.array_equal(restored[~gaps].view(np.int64), values[~gaps].view(np.int64))


def test_other_doubles_and_narrow_floats_have_no_such_way():
    assert natives.encode_floats(RNG.normal(size=400)).others == []
    assert natives.encode_floats(np.round(RNG.normal(size=400), 3)).others == []
    assert natives.encode_floats((np.array(MINUTES) / 7).astype(np.float32)).others == []


# ---- what an archive says


def number_meta(**parts):
    return {"k": "number", "d": 3, "f": [64], "s": []} | parts


@pytest.mark.parametrize(
    "parts",
    [
        {"h": []},
        {"h": 60},
        {"h": [[60, 1]]},
        {"h": [[60, 1, 3]]},
        {"h": [[0, 1, 0]]},
        {"h": [[60, 0, 0]]},
        {"h": [[10**7 + 1, 1, 0]]},
        {"h": [[10**7, 1, 0]], "d": 18},
        {"h": [[60, 1, 0]], "q": 2},
        {"h": [[60, 1, 0]], "u": 1},
        {"h": [[60, 1, 0]], "o": 2},
        {"h": [[60, 1, 0]], "e": [1]},
        {"h": [[60.0, 1, 0]]},
    ],
)
def test_quotients_out_of_range_are_refused(parts):
    with pytest.raises(ArchiveError):
        from_json(number_meta(**parts))


@pytest.mark.parametrize("stored", [[60, 1], [0, 1, 17], [60, 1, 18], [60, 1, -25], 60])
def test_quotients_of_doubles_out_of_range_are_refused(stored):
    with pytest.raises(ArchiveError):
        from_json({"k": "real", "h": stored})
    with pytest.raises(ArchiveError):
        from_json({"k": "real", "h": [60, 1, 17], "d": 3})


def test_a_float_of_one_origin_has_no_quotients():
    with pytest.raises(ArchiveError, match="quotients"):
        from_json({"k": "float", "s": [], "h": [[60, 1, 0]]})


def test_blocks_of_other_quotients_are_of_another_family():
    minutes = NumberMeta(decimals=3, forms=(64,), quotients=(Quotient(60),))
    assert minutes.family != dataclasses.replace(minutes, quotients=(Quotient(12),)).family
    assert minutes.family != dataclasses.replace(minutes, quotients=()).family


# ---- archives


@pytest.mark.parametrize("name", ["quotients.csv", "typed_quotients.parquet"])
def test_the_golden_archive_is_restored(name, tmp_path):
    source = GOLDEN / name
    archive = source.with_suffix(".aez")
    operations.decompress(archive, tmp_path / name)
    assert (tmp_path / name).read_bytes() == source.read_bytes()
    restored = format_reader.restore(archive.read_bytes())
    if name.endswith(".csv"):
        assert restored == source.read_bytes()
        return
    table = pq.read_table(source)
    for column in table.column_names:
        np.testing.assert_equal(list(restored[column]), table[column].to_pylist())


def test_the_golden_archive_has_quotients_of_each_kind():
    metas = {}
    with Archive(GOLDEN / "quotients.aez") as archive:
        for block, _ in archive.blocks(0, archive.rows):
            for column in block.columns:
                metas.setdefault(type(column.meta), []).append(column.meta)
    overs = {
        quotient.over
        for meta in metas[NumberMeta] + metas[FloatMeta]
        for quotient in meta.quotients
        if quotient is not None
    }
    assert overs >= {60, 3600, 12, 16, 7, 1461}


def test_a_table_of_quotients_takes_no_more_than_one_of_whole_numbers(tmp_path):
    sizes = {}
    whole = RNG.integers(0, 60_000, 20_000).tolist()
    writings = {
        "whole": str,
        "means": lambda number: repr(number / 7),
        "hours": lambda number: f"{number / 60:.3f}",
    }
    for name, written in writings.items():
        table = tmp_path / f"{name}.csv"
        table.write_text("x\n" + "\n".join(map(written, whole)) + "\n")
        operations.compress(table, tmp_path / name, None, CompressOptions())
        operations.decompress(tmp_path / name, tmp_path / f"{name}.back")
        assert (tmp_path / f"{name}.back").read_bytes() == table.read_bytes()
        sizes[name] = (tmp_path / name).stat().st_size
    assert sizes["means"] <= 1.005 * sizes["whole"]
    assert sizes["hours"] <= 1.005 * sizes["whole"]


def test_a_parquet_file_of_quotients_is_about_as_small_as_its_text(tmp_path):
    table = pq.read_table(GOLDEN / "typed_quotients.parquet").select(["age"])
    pq.write_table(table, tmp_path / "age.parquet")
    operations.compress(tmp_path / "age.parquet", tmp_path / "a.aez", None, CompressOptions())
    table.to_pandas().to_csv(tmp_path / "age.csv", index=False)
    operations.compress(tmp_path / "age.csv", tmp_path / "b.aez", None, CompressOptions())
    assert (tmp_path / "a.aez").stat().st_size <= 1.1 * (tmp_path / "b.aez").stat().st_size
