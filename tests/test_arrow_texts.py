"""Columns of Arrow's types come back in their type from what a model's code, or a text, says."""

import datetime as dt
import decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from pyarrow import feather

import aetool
from aetool import operations
from aetool.cli import main
from aetool.data import arrow_texts, writers
from aetool.errors import DataError

RNG = np.random.default_rng(0)
HIDDEN = RNG.normal(size=200)
MILLISECONDS = ((600 + 100 * HIDDEN) * 1000).astype("int64")
COLUMNS = {
    "duration": pa.array(MILLISECONDS).cast(pa.duration("ms")),
    "gaps": pa.array([None if i % 7 == 0 else v for i, v in enumerate(MILLISECONDS.tolist())])
    .cast(pa.duration("ms")),
    "time": pa.array(MILLISECONDS.astype("int32")).cast(pa.time32("ms")),
    "money": pa.array([decimal.Decimal(f"{v:.2f}") for v in HIDDEN], pa.decimal128(10, 2)),
    "bytes": pa.array([b"x" if v > 0 else b"y\x00'" for v in HIDDEN], pa.binary()),
    "fixed": pa.array([b"ab" if v > 0 else b"cd" for v in HIDDEN], pa.binary(2)),
}  # fmt: skip


@pytest.mark.parametrize("name", COLUMNS)
def test_a_code_restores_a_column_in_its_own_type(name, tmp_path):
    beside = {"a": HIDDEN, "b": 2 * HIDDEN + RNG.normal(size=200) / 10}
    pq.write_table(pa.table({**beside, name: COLUMNS[name]}), tmp_path / "t.parquet")
    operations.fit(tmp_path / "t.parquet", operations.FitOptions("pca")).save(tmp_path / "t.aem")
    for arguments in (
        ("compress", "t.parquet", "--lossy-only", "-m", "t.aem", "-o", "t.aez"),
        ("decompress", "t.aez", "-m", "t.aem", "-o", "back.parquet"),
    ):
        placed = [str(tmp_path / word) if "." in word else word for word in arguments]
        ran = CliRunner().invoke(main, placed, catch_exceptions=False)
        assert ran.exit_code == 0, ran.output
    wanted = pq.read_table(tmp_path / "t.parquet")[name]
    found = pq.read_table(tmp_path / "back.parquet")[name]
    assert found.type == wanted.type and found.null_count == wanted.null_count
    if pa.types.is_decimal(found.type):
        pairs = zip(found.to_pylist(), wanted.to_pylist(), strict=True)
        assert max(abs(one - other) for one, other in pairs) < decimal.Decimal("0.5")
    else:
        assert found.equals(wanted)


@pytest.mark.parametrize(("text", "microseconds"), [
    ("0:01:05", 65_000_000), ("00:00:00.25", 250_000), ("-1 day, 23:59:55", -5_000_000),
    ("2 days, 1:00:00", 176_400_000_000), ("-1 days +23:59:55.500000000", -4_500_000),
    ("0 days 00:01:01.257302210", 61_257_302), ("-00:00:05", -5_000_000), ("12:30", 45_000_000_000),
])  # fmt: skip
def test_texts_of_durations(text, microseconds):
    found = arrow_texts.array_of([text, None], pa.duration("us"))
    assert found.cast(pa.int64()).to_pylist() == [microseconds, None]


def test_texts_that_python_writes_are_read_again():
    span = [dt.timedelta(days=-3, microseconds=17), dt.timedelta(hours=30), None]
    texts = [None if one is None else str(one) for one in span]
    assert arrow_texts.array_of(texts, pa.duration("us")).to_pylist() == span
    hours = [dt.time(23, 59, 59, 999_999), dt.time(0), None]
    texts = [None if one is None else str(one) for one in hours]
    assert arrow_texts.array_of(texts, pa.time64("us")).to_pylist() == hours
    # of a time that is restored beyond its day the nearest one
    late = arrow_texts.array_of(["24:00:05", "-00:00:05"], pa.time32("s"))
    assert late.to_pylist() == [dt.time(23, 59, 59), dt.time(0)]
    data = [b"\x00'\"", b"", None]
    texts = [None if one is None else str(one) for one in data]
    assert arrow_texts.array_of(texts, pa.large_binary()).to_pylist() == data


@pytest.mark.parametrize(("text", "kind"), [
    ("soon", "duration[s]"), ("1:2:3", "time64[us]"), ("b'", "binary"), ("'a'", "binary"),
    ("x", "int64"),
])  # fmt: skip
def test_a_text_that_is_no_such_value_is_one_line(text, kind):
    with pytest.raises(DataError, match=r"column 'c': .*csv"):
        writers.arrow_table({"c": [text]}, {"c": kind})


def test_decimals_beyond_their_digits_are_the_largest():
    column = np.array([1e9, -1e9, 1.005, np.nan])
    found = writers.arrow_table({"c": column}, {"c": "decimal128(5, 2)"})["c"].to_pylist()
    assert found[0] == -found[1] == decimal.Decimal("999.99") and found[3] is None
    assert abs(found[2] - decimal.Decimal("1.005")) <= decimal.Decimal("0.005")


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin", "+02:00"])
def test_moments_finer_than_their_unit_are_cut_with_a_zone_as_without(unit, zone):
    moments = np.array(["2024-06-01T12:34:56.123456", "NaT"], "datetime64[us]")
    kind = pa.timestamp(unit, zone)
    levels = pa.dictionary(pa.int32(), kind)
    table = writers.arrow_table({"t": moments, "d": moments}, {"t": str(kind), "d": str(levels)})
    assert table.schema.types == [kind, levels]
    # as it is inside, in UTC: a zone moves nothing
    (count, gap) = table["t"].combine_chunks().cast(pa.int64()).to_pylist()
    size = {"s": 10**6, "ms": 10**3, "us": 1, "ns": 1}[unit]
    whole = int(moments[0].astype(np.int64)) // size * (1000 if unit == "ns" else 1)
    assert (count, gap) == (whole, None)
    assert table["d"].to_pylist() == table["t"].to_pylist()


@pytest.mark.parametrize("indices", ["int8", "int32"])
def test_levels_that_are_numbers_are_rounded_as_numbers_are(indices):
    values = np.array([1.0, 2.0000001, 2.9999, np.nan])
    for kind, expected in (("int64", [1, 2, 3, None]), ("uint8", [1, 2, 3, None])):
        name = f"dictionary<values={kind}, indices={indices}, ordered=0>"
        column = writers.arrow_table({"c": values}, {"c": name})["c"]
        assert str(column.type) == name and column.to_pylist() == expected
    name = f"dictionary<values=decimal128(5, 2), indices={indices}, ordered=0>"
    column = writers.arrow_table({"c": values}, {"c": name})["c"]
    assert str(column.type) == name
    assert [value and float(value) for value in column.to_pylist()] == [1, 2, 3, None]


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "uint32", "int64", "uint64"])
def test_numbers_beyond_a_type_become_its_ends(kind):
    values = np.array([-1e30, -0.6, 1e30, np.inf, -np.inf])
    limits = np.iinfo(kind)
    # the largest number of 64 bits is no float
    largest = limits.max if limits.bits < 64 else int(np.nextafter(float(limits.max), 0))
    smallest = int(limits.min)
    expected = [smallest, max(-1, smallest), largest, largest, smallest]
    assert writers.arrow_table({"c": values}, {"c": kind})["c"].to_pylist() == expected
    assert writers.of_dtype(values, np.dtype(kind)).tolist() == expected


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_levels_of_moments_and_numbers_come_back_from_a_code(zone, tmp_path):
    rows = 200
    numbers = np.arange(rows) % 5
    seconds = pa.array(1_700_000_000 + 3600 * numbers).cast(pa.timestamp("s", zone))
    columns = {
        "moment": seconds.dictionary_encode(),
        "level": pa.array(numbers * 10).dictionary_encode(),
        "x": pa.array(np.sin(np.arange(rows))),
    }
    source = pa.table(columns)
    feather.write_feather(source, tmp_path / "t.arrow")
    model = operations.fit(tmp_path / "t.arrow", operations.FitOptions("pca"))
    only = operations.CompressOptions(lossy=True, lossy_only=True)
    operations.compress(tmp_path / "t.arrow", tmp_path / "t.aez", model, only)
    operations.decompress(tmp_path / "t.aez", tmp_path / "back.arrow", model=model)
    back = feather.read_table(tmp_path / "back.arrow")
    assert back.schema.types == source.schema.types
    assert back["moment"].to_pylist() == source["moment"].to_pylist()


@pytest.mark.parametrize(
    "text", ["b'a', b'b'", "b'a' 'b'", "b'a'.upper", "b'\u00e4'", "b'a", "b'a' + 5"]
)
def test_what_only_begins_as_bytes_do_is_no_bytes(text):
    with pytest.raises(ValueError, match="is no bytes"):
        arrow_texts.bytes_of([text])


def test_a_column_of_nothing_comes_back_from_a_code_and_is_sampled(tmp_path):
    rng = np.random.default_rng(0)
    shared = rng.normal(size=300)
    frame = pd.DataFrame({"a": shared, "b": shared + rng.normal(0, 0.1, 300), "n": [None] * 300})
    model = aetool.fit(frame, "pca")
    assert model.schema.dtypes["n"] == "null"
    model.compress(frame, tmp_path / "t.aez", lossy_only=True)
    back = aetool.decompress(tmp_path / "t.aez", tmp_path / "t.parquet", model)
    assert pq.read_schema(back).field("n").type == pa.null()
    assert model.sample(5)["n"].isna().all()
    model.denoise(frame, tmp_path / "d.parquet")
    assert pq.read_table(tmp_path / "d.parquet")["n"].null_count == 300
    # texts, too, are of no use to a type that holds nothing
    assert writers.arrow_table({"c": ["x", None]}, {"c": "null"})["c"].to_pylist() == [None, None]
