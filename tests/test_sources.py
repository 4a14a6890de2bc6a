"""Every kind of file opens by itself; what cannot be read is one clear error."""

import contextlib
import gzip
import io
import json
import lzma
import sqlite3
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aetool.columns.schema import infer
from aetool.data import json_sources, sources
from aetool.data.pictures.choosing import Asked, chosen
from aetool.data.pictures.framed import framed
from aetool.data.table import as_cells
from aetool.errors import DataError


def cells(source, name):
    column = source.head()[name]
    return column.strings() if hasattr(column, "strings") else column.tolist()


CSV = b"a,b\n1,x\n2,y\n"


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("t.csv", CSV),
        ("t.csv.gz", gzip.compress(CSV, mtime=0)),
        ("t.csv.xz", lzma.compress(CSV)),
        ("t.csv.zst", pa.compress(CSV, "zstd", asbytes=True)),
        ("t.tsv", CSV.replace(b",", b"\t")),
        ("t.jsonl", b'{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}\n'),
        ("noname", CSV),
    ],
)
def test_text_and_its_compressions(tmp_path, name, raw):
    path = tmp_path / name
    path.write_bytes(raw)
    source = sources.open_source(path)
    assert cells(source, "a") == ["1", "2"] and cells(source, "b") == ["x", "y"]
    assert len(source.head()) == 2, "a source is read again at will"


def test_stdin(monkeypatch):
    monkeypatch.setattr(sys, "stdin", type("S", (), {"buffer": io.BytesIO(CSV)}))
    assert cells(sources.open_source("-"), "a") == ["1", "2"]


def test_parquet_and_frames_are_the_same(tmp_path):
    frame = pd.DataFrame(
        {
            "n": pd.array([1, None, 3], dtype="Int64"),
            "f": [0.5, np.nan, 2.5],
            "c": pd.Categorical(["x", None, "y"]),
            "t": pd.to_datetime(["2024-01-01", None, "2024-01-03"]),
            "b": [True, False, True],
        }
    )
    path = tmp_path / "t.parquet"
    frame.to_parquet(path)
    for source in (sources.open_source(path), sources.open_source(frame)):
        table = source.head()
        np.testing.assert_array_equal(table["n"], [1, np.nan, 3])
        np.testing.assert_array_equal(table["f"], [0.5, np.nan, 2.5])
        assert table["c"].strings() == ["x", "", "y"] and table["c"].null.tolist() == [
            False,
            True,
            False,
        ]
        assert str(table["t"][0]) == "2024-01-01T00:00:00.000000" and np.isnat(table["t"][1])
        kinds = {c.name: c.kind for c in infer(table, dtypes=source.dtypes).columns}
        assert kinds == {
            "n": "number",
            "f": "number",
            "c": "category",
            "t": "date",
            "b": "category",
        }


def test_arrays(tmp_path):
    np.savez(tmp_path / "t.npz", X=np.arange(6.0).reshape(3, 2), y=np.array([0, 0, 1]))
    table = sources.open_source(tmp_path / "t.npz").head()
    assert table.names == ("c1", "c2", "y") and table["c2"].tolist() == [1, 3, 5]
    np.save(tmp_path / "t.npy", np.arange(6).reshape(3, 2))
    assert sources.open_source(tmp_path / "t.npy").head()["c1"].tolist() == [0, 2, 4]


def as_seen(source):
    """Pictures by the framing that a fit would choose."""
    return framed(source, chosen(source, Asked()))


def test_pictures(tmp_path, folder):
    source = as_seen(sources.open_source(folder))
    assert (source.shape, source.count, source.names[0]) == ((1, 8, 8), 40, "good/01.png")
    whole = np.concatenate(list(source.batches()))
    idx = tmp_path / "p-idx3-ubyte.gz"
    idx.write_bytes(
        gzip.compress(bytes([0, 0, 8, 3]) + struct.pack(">III", 40, 8, 8) + whole.tobytes())
    )
    np.testing.assert_array_equal(np.concatenate(list(sources.open_source(idx).batches())), whole)
    np.save(tmp_path / "p.npy", whole[:, 0])
    array = as_seen(sources.open_source(tmp_path / "p.npy"))
    np.testing.assert_array_equal(array.sample(99, 0), whole)
    assert len(source.sample(7, 0)) == 7


def test_reservoir_is_seeded_and_in_order(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a\n" + "\n".join(map(str, range(1000))) + "\n")
    source = sources.open_source(path)
    (one, total), (two, _) = source.sample(50, 3), source.sample(50, 3)
    values = [int(v) for v in one["a"].strings()]
    assert total == 1000 and len(values) == 50 and values == sorted(values)
    assert values == [int(v) for v in two["a"].strings()]


def bad_npy() -> bytes:
    head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 100), }"
    head = head.ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head


def bad_npz() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as z:
        z.writestr("X.npy", bad_npy())
    return buffer.getvalue()


def cut_npy() -> bytes:
    """An .npy whose header opens a bracket that is never closed."""
    head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (3, ".ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head


def parquet_of_odd_name() -> bytes:
    """A Parquet file with a column whose name is no UTF-8."""
    buffer = io.BytesIO()
    pq.write_table(pa.table({"plainly": [1, 2, 3]}), buffer)
    return buffer.getvalue().replace(b"plainly", b"plain\xff\xfe")


def odd_database(folder: Path) -> bytes:
    """An SQLite database whose only table is declared in bytes that are no UTF-8."""
    path = folder / "whole.db"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE t (a, b)")
        database.commit()
    return path.read_bytes().replace(b"CREATE TABLE", b"CREATE TAB\xccE")


def test_a_database_in_bytes_that_are_no_text_is_refused(tmp_path):
    path = tmp_path / "t.db"
    path.write_bytes(odd_database(tmp_path))
    with pytest.raises(DataError, match=r"t\.db: 'utf-8' codec can't decode"):
        sources.open_source(path)


def odd_npz(place: int, size: int, value: int) -> bytes:
    """An .npz of one array with these bytes of its directory, or of its first values, changed."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, X=np.arange(500.0))
    raw = bytearray(buffer.getvalue())
    begin = raw.index(b"PK\x01\x02") if place >= 0 else raw.index(b"X.npy") + 60
    raw[begin + max(place, 0) : begin + max(place, 0) + size] = bytes([value]) * size
    if place == ENCRYPTED:
        # it is told in front of the array, too
        raw[6] |= 1
    return bytes(raw)


# places in the directory of a zip; below 0 where values are
VERSION, ENCRYPTED, VALUES = 6, 8, -1
BROKEN = bytearray(gzip.compress(CSV * 100, mtime=0))
BROKEN[10:16] = b"\xff" * 6


LATIN = b'\n{"a": 1}\n{"a": "\xc3\xa9 caf\xe9"}\n{"a": "\xff"}\n'
LATIN_LINE = (
    'line 3 is not UTF-8, as JSON is: byte 0xe9 behind \'{"a": "é caf\'; mend that line, or save the '
    "whole file as UTF-8"
)


@pytest.mark.parametrize(
    ("name", "raw", "words"),
    [
        ("t.csv", b"", "empty"),
        ("t.csv", b"a,b\n", "no records"),
        ("t.bin", bytes(range(256)) * 4, "binary file"),
        ("t.csv.gz", gzip.compress(CSV * 100, mtime=0)[:-20], "damaged"),
        ("t.npy", bad_npy(), "promises"),
        ("t.npy", cut_npy(), "not an array file that can be read"),
        ("t.npz", bad_npz(), "promises"),
        ("t.npz", odd_npz(VERSION, 1, 99), "zip file version 9.9"),
        ("t.npz", odd_npz(ENCRYPTED, 1, 1), "is encrypted"),
        ("t.npz", odd_npz(VALUES, 20, 255), "not an array file that can be read"),
        ("t.xlsx", odd_npz(VALUES, 20, 255)[:-30], "not an Excel workbook that can be read: File"),
        ("t.docx", b"PK\3\4 and no more", "not a Word document that can be read: File"),
        ("t.zip", b"PK\3\4 and no more", "not a zip file that can be read: File"),
        ("t.csv.gz", bytes(BROKEN), "compressed stream is damaged: Error -3"),
        ("t.jsonl", b'{"a": 1}\nnope\n', "line 2 is not JSON"),
        ("t.jsonl", b"[1]\n", "line 1 is not an object"),
        ("t.jsonl", LATIN, LATIN_LINE),
        ("t.jsonl.gz", gzip.compress(LATIN, mtime=0), LATIN_LINE),
        # of a file that is called a document, and has objects on its lines
        ("t.json", LATIN, LATIN_LINE),
        ("t.json", b'[\n  {"a": "caf\xe9"}\n]\n', "line 2 is not UTF-8, as JSON is: byte 0xe9"),
        ("t.json", '[{"a": 1}]'.encode("utf-16"), "is UTF-16, and JSON is UTF-8; save the whole"),
        ("t.jsonl", '{"a": 1}\n'.encode("utf-16"), "is UTF-16, and JSON is UTF-8; save the whole"),
        # a character that the end of the file cuts, far behind what a decoder reads at once
        ("t.jsonl", b'{"a": 1}\n' * 9000 + b'{"a": "\xc3', "line 9001 is not UTF-8, as JSON is"),
        ("t.json", b'{"columns": [], "data": []}', "no records"),
        ("t.parquet", b"PAR1 not really", "Parquet"),
        ("t.parquet", parquet_of_odd_name(), "can't decode byte 0xff"),
        (
            "p-idx3-ubyte",
            bytes([0, 0, 8, 3]) + struct.pack(">III", 9, 8, 8) + b"x" * 70,
            "cut short",
        ),
        ("t.png", b"\x89PNG", "no picture in it can be read: t.png: not a picture"),
        ("m.aem", b"x", "own files"),
    ],
)
def test_what_cannot_be_read(tmp_path, name, raw, words):
    path = tmp_path / name
    path.write_bytes(raw)
    with pytest.raises(DataError) as caught:
        source = sources.open_source(path)
        source = as_seen(source) if source.kind == "image" else source
        source.sample(10, 0)
    assert words in str(caught.value) and str(path) in str(caught.value)


def test_no_such_file_and_empty_folder(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        sources.open_source(tmp_path / "x.csv")
    with pytest.raises(DataError, match="without pictures"):
        sources.open_source(tmp_path)


def test_json_keys_that_come_late(tmp_path, monkeypatch):
    monkeypatch.setattr(json_sources, "ROWS", 2)
    path = tmp_path / "t.jsonl"
    path.write_text(
        "\n".join(json.dumps({"a": i, **({"z": 1} if i == 3 else {})}) for i in range(5))
    )
    with pytest.raises(DataError, match="record 4 brings a new key 'z'"):
        sources.open_source(path).head()


@pytest.mark.parametrize(
    ("written", "names", "record"),
    [
        ('{"columns": 5, "data": [[1]]}', ("columns", "data"), (5, "[[1]]")),
        ('{"columns": "ab", "data": [[1, 2]]}', ("columns", "data"), ("ab", "[[1, 2]]")),
        ('{"columns": null, "data": []}', ("columns", "data"), (None, "[]")),
        ('{"schema": 1, "data": [1, 2]}', ("schema", "data"), (1, "[1, 2]")),
        ('{"schema": {}, "data": ["ab"]}', ("schema", "data"), ("{}", '["ab"]')),
        ('{"columns": ["a", "b"], "data": [[1, 2]]}', ("a", "b"), (1, 2)),
        ('{"schema": {}, "data": [{"a": 1, "b": 2}]}', ("a", "b"), (1, 2)),
    ],
)
def test_a_json_object_with_the_keys_of_pandas_alone_is_one_record(
    tmp_path, written, names, record
):
    """Names beside rows, or a schema beside records, where they are lists of these; else a record
    whose nested values are text."""
    path = tmp_path / "t.json"
    path.write_text(written, encoding="utf-8")
    table = sources.open_source(path).head()
    assert table.names == names and len(table) == 1
    cells = [table[name].strings()[0] for name in names]
    # a gap is an empty cell
    assert cells == ["" if value is None else str(value) for value in record]


def test_json_keys_with_half_a_surrogate_pair(tmp_path):
    """A half is U+FFFD in the name of a column; two keys that differ by it alone are one column."""
    path = tmp_path / "t.json"
    path.write_text('[{"\\ud800": 1, "b": 2}, {"\\udc00": 3, "b": 4}]', encoding="utf-8")
    table = sources.open_source(path).head()
    assert table.names == ("\ufffd", "b")
    assert [table[name].strings() for name in table.names] == [["1", "3"], ["2", "4"]]


def test_columns_of_one_name_in_a_json_document_are_told_apart(tmp_path, caplog):
    path = tmp_path / "d.json"
    path.write_text('{"columns": ["a", "a", "b"], "data": [[1, 2, 3], [4, 5, 6]]}', "utf-8")
    with caplog.at_level("INFO", "aetool.data"):
        (table,) = sources.open_source(path).batches()
    assert table.names == ("a", "a.2", "b")
    assert [as_cells(values).strings() for values in table.values] == [
        ["1", "4"],
        ["2", "5"],
        ["3", "6"],
    ]
    assert "column 'a' is there 2 times" in caplog.text
