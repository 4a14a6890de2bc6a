"""Every type, through files: native or kept, and equal; the table in TYPES.md says which."""

import dataclasses
import datetime
import io
import re
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import aetool
from aetool import operations
from aetool.codec import limits, planning
from aetool.codec.archive import Archive
from aetool.codec.container import Writer
from aetool.data import cuts, memory
from aetool.errors import AetoolError, ArchiveError, DataError, ParamError
from aetool.operations import CompressOptions
from tests import typed
from tests.sweeps import checkered, one_in, product

PAGE = Path(aetool.__file__).parent / "codec" / "TYPES.md"
NESTED = {
    "list": pa.array([[1, 2], None, []] * 20),
    "struct": pa.array([{"x": 1}, None, {"x": None}] * 20),
    "map": pa.array([[("a", 1)], [], None] * 20, pa.map_(pa.string(), pa.int8())),
    "uuid": pa.array([b"0123456789abcdef"] * 60, pa.uuid()),
    "run_end_encoded": pa.RunEndEncodedArray.from_arrays([2, 60], pa.array([7, None])),
    "month_day_nano_interval": pa.array([(1, 2, 3)] * 60, pa.month_day_nano_interval()),
}
NUMPY_KEPT = {
    "longdouble": np.linspace(0, 1, 60).astype(np.longdouble),
    "structured": np.zeros(60, [("a", "i4"), ("b", "f8")]),
    "void": np.zeros(60, "V8"),
    "object": np.array([1, "a", None] * 20, dtype=object),
}


# not squeezed whole, which tells nothing of types
IN_TYPES = dataclasses.replace(planning.DEFAULT, whole_files=False)


def through(path, folder, **options):
    """(the restored file, fidelity) of a source."""
    out = folder / f"restored{path.suffix}"
    options = CompressOptions(force=True, effort=IN_TYPES, **options)
    figures = operations.compress(path, folder / "t.aez", options=options)
    operations.decompress(folder / "t.aez", out, force=True)
    return out, figures["fidelity"]


def fidelity_of_table(array, folder):
    """native or kept, of a column in an Arrow file; it must come back equal."""
    chunked = array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])
    field = pa.field("a", chunked.type, metadata={"unit": "m"})
    table = pa.Table.from_arrays([chunked], schema=pa.schema([field], {"k": "v"}))
    path = folder / "t.arrow"
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)
    out, fidelity = through(path, folder)
    before = pa.ipc.open_file(path).read_all()
    after = pa.ipc.open_file(out).read_all()
    assert before.schema.equals(after.schema, check_metadata=True)
    assert table_bytes(before) == table_bytes(after)
    return {"values": "native", "bytes (kept file)": "kept"}[fidelity]


def table_bytes(table):
    """What a table says, every bit of floats included, nothing of what lies under gaps."""
    return [repr(_bits(column)) for column in table.columns]


def _bits(column):
    if isinstance(column, pa.ChunkedArray):
        if not column.num_chunks:
            return []
        column = pa.concat_arrays(column.chunks)
    if pa.types.is_dictionary(column.type):
        return column.indices.to_pylist(), _bits(column.dictionary)
    if pa.types.is_floating(column.type):
        whole = {16: pa.int16(), 32: pa.int32(), 64: pa.int64()}[column.type.bit_width]
        return column.view(whole).to_pylist()
    if pa.types.is_temporal(column.type) and not pa.types.is_interval(column.type):
        return column.view(pa.int32() if column.type.bit_width == 32 else pa.int64()).to_pylist()
    return column.to_pylist()


def fidelity_of_array(array, folder):
    """native or kept, of an .npy file; it must come back with all that belongs to it."""
    path = folder / "t.npy"
    np.save(path, array, allow_pickle=array.dtype.hasobject)
    out, fidelity = through(path, folder)
    if array.dtype.hasobject:
        assert out.read_bytes() == path.read_bytes()
        return "kept"
    before, after = np.load(path), np.load(out)
    assert (before.dtype.str, before.shape) == (after.dtype.str, after.shape)
    assert before.flags.f_contiguous == after.flags.f_contiguous
    assert before.tobytes() == after.tobytes()
    return {"values": "native", "bytes (kept file)": "kept"}[fidelity]


def table_of(names, columns):
    """A Markdown table; columns: name -> cells."""
    head = ["| type | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    rows = [
        f"| {name} | " + " | ".join(cells[i] for cells in columns.values()) + " |"
        for i, name in enumerate(names)
    ]
    return "\n".join([*head, *rows])


def part_of_page(title):
    found = re.search(rf"## {title}\n(?:.*?\n)??(\| type .*?)(?:\n\n|\Z)", PAGE.read_text(), re.S)
    return found[1].strip()


def arrow_matrix(tmp_path):
    names = [*map(str, typed.TYPES), *NESTED]
    columns = {}
    for case in typed.CASES:
        rng = np.random.default_rng(0)
        cells = [
            fidelity_of_table(typed.array_of(kind, case, rng, 12), tmp_path)
            if case != "NaN" or typed.floats(kind) else "-"
            for kind in typed.TYPES
        ]  # fmt: skip
        columns[case] = cells + [
            fidelity_of_table(array, tmp_path) if case == "gaps" else "-"
            for name, array in NESTED.items()
        ]
    return table_of(names, columns)


def numpy_matrix(tmp_path):
    columns = {}
    for layout in typed.LAYOUTS:
        rng = np.random.default_rng(0)
        cells = [
            fidelity_of_array(typed.numpy_array(dtype, layout, rng), tmp_path)
            for dtype in typed.DTYPES
        ]
        columns[layout] = cells + [
            fidelity_of_array(array, tmp_path) if layout == "1-d" else "-"
            for array in NUMPY_KEPT.values()
        ]
    names = [np.dtype(dtype).name if dtype[0] not in "MmSU" else dtype for dtype in typed.DTYPES]
    return table_of([*names, *NUMPY_KEPT], columns)


def first_columns(table, count):
    """A table of the page, but only so many of its columns behind the types."""
    cut = ("|".join(line.split("|")[: count + 2]) for line in table.splitlines())
    return "\n".join(f"{line}|" for line in cut)


def test_the_first_column_of_the_table_of_arrays(tmp_path, monkeypatch):
    monkeypatch.setattr(typed, "LAYOUTS", typed.LAYOUTS[:1])
    assert numpy_matrix(tmp_path) == first_columns(part_of_page("numpy"), 1)


# each type is stored in every way, which takes nine seconds a table
@pytest.mark.long
@pytest.mark.parametrize("title", ["Arrow", "numpy"])
def test_the_tables_of_types(title, tmp_path):
    made = {"Arrow": arrow_matrix, "numpy": numpy_matrix}[title](tmp_path)
    assert made == part_of_page(title), made


# ---- Parquet, and tables in memory


def parquet(table, folder, **options):
    path = folder / "t.parquet"
    pq.write_table(table, path, **options)
    return path


def assert_same_table(one, other):
    assert one.schema.equals(other.schema, check_metadata=True)
    assert [column.to_pylist() for column in one.columns] == [
        column.to_pylist() for column in other.columns
    ]


def test_parquet_comes_back_with_all_it_says(tmp_path):
    moments = pa.array([1, 1_000_000_001, None], pa.timestamp("ns", "Europe/Berlin"))
    fields = [
        pa.field("id", pa.int64(), nullable=False, metadata={"unit": "none"}),
        pa.field("when", moments.type),
        pa.field("price", pa.decimal128(30, 4)),
        pa.field("f", pa.float64()),
        pa.field("half", pa.float16()),
        pa.field("raw", pa.binary()),
        pa.field("took", pa.duration("us")),
        pa.field("at", pa.time64("us")),
        pa.field("none", pa.null()),
    ]
    arrays = [
        pa.array([2**63 - 1, -(2**63), 2**53 + 1]),
        moments,
        pa.array(["1.1000", None, "-99999999999999999999999999.9999"]).cast(pa.decimal128(30, 4)),
        pa.array([float("nan"), None, -0.0]),
        pa.array(np.array([1.5, np.nan, 65504], np.float16)),
        pa.array([b"a\xff", None, b""]),
        pa.array([1, None, -5], pa.duration("us")),
        pa.array([datetime.time(1, 2, 3, 4), None, None], pa.time64("us")),
        pa.nulls(3),
    ]
    table = pa.Table.from_arrays(
        arrays, schema=pa.schema(fields, {"made by": "hand", "b": b"\xff"})
    )
    path = parquet(table, tmp_path, row_group_size=2, compression="snappy")
    out, fidelity = through(path, tmp_path)
    assert fidelity == "values"
    before, after = pq.read_table(path), pq.read_table(out)
    assert before.schema.equals(after.schema, check_metadata=True)
    assert table_bytes(before) == table_bytes(after)
    one, two = pq.ParquetFile(path).metadata, pq.ParquetFile(out).metadata
    assert [one.row_group(i).num_rows for i in range(2)] == [2, 1]
    assert [two.row_group(i).num_rows for i in range(2)] == [2, 1]
    assert two.row_group(0).column(0).compression == "SNAPPY"


def test_a_dictionary_for_each_group_of_rows(tmp_path):
    parts = [
        pa.DictionaryArray.from_arrays(pa.array([0, 1, None], pa.int8()), pa.array(levels), ordered=True)
        for levels in (["lo", "hi", "unused"], ["other", "lo"])
    ]  # fmt: skip
    path = parquet(pa.table({"c": pa.chunked_array(parts)}), tmp_path, row_group_size=3)
    out, fidelity = through(path, tmp_path)
    assert fidelity == "values" and pq.read_table(path).equals(pq.read_table(out))
    levels = [chunk.dictionary.to_pylist() for chunk in pq.read_table(out)["c"].chunks]
    assert levels == [["lo", "hi", "unused"], ["other", "lo"]]


def test_an_index_and_an_ordered_category_of_pandas(tmp_path):
    index = pd.date_range("2020-01-01", periods=50, freq="h", name="when")
    c = pd.Categorical(["l", "h"] * 25, categories=["l", "m", "h"], ordered=True)
    frame = pd.DataFrame({"v": np.linspace(0, 1, 50), "c": c, 3: range(50)}, index=index)
    frame.columns = ["v", "c", "3"]
    frame.to_parquet(tmp_path / "t.parquet")
    out, _ = through(tmp_path / "t.parquet", tmp_path)
    pd.testing.assert_frame_equal(pd.read_parquet(out), frame, check_freq=False)
    operations.compress(frame, tmp_path / "m.aez")
    with Archive(tmp_path / "m.aez") as archive:
        pd.testing.assert_frame_equal(archive.to_pandas(), frame, check_freq=False)
        pd.testing.assert_frame_equal(archive[10:20], frame[10:20], check_freq=False)


def test_two_columns_of_one_name(tmp_path, run):
    table = pa.Table.from_arrays([pa.array([1, 2]), pa.array(["x", None])], names=["a", "a"])
    path = parquet(table, tmp_path)
    out, fidelity = through(path, tmp_path)
    assert fidelity == "values"
    assert_same_table(pq.ParquetFile(path).read(), pq.ParquetFile(out).read())
    said = run("info", tmp_path / "t.aez").out
    assert "a (column 1)" in said or "streams of small blocks" in said


def test_a_frame_with_two_columns_of_one_name(tmp_path):
    frame = pd.DataFrame([[1, "x", 0.5], [2, None, 1.5]], columns=["a", "a", "b"])
    operations.compress(frame, tmp_path / "t.aez")
    with Archive(tmp_path / "t.aez") as archive:
        pd.testing.assert_frame_equal(archive.to_pandas(), frame)
    with pytest.raises(DataError, match="two columns have one name"):
        operations.compress(frame.set_axis(["u", "v"]), tmp_path / "u.aez")


def test_a_frame_whose_types_need_an_arrow_file(tmp_path):
    frame = pd.DataFrame({"a": [[1, 2], None], "b": [{"x": 1}, {"x": 2}], "n": [1, 2]})
    facts = operations.compress(frame, tmp_path / "t.aez")
    assert facts["fidelity"] == "bytes (kept file)" and "list<" in facts["kept"]
    with Archive(tmp_path / "t.aez") as archive:
        back = archive.to_pandas()
    table = pa.Table.from_pandas(frame)
    assert pa.Table.from_pandas(back).equals(table)
    operations.decompress(tmp_path / "t.aez", tmp_path / "o.arrow")
    assert pa.ipc.open_file(tmp_path / "o.arrow").read_all().equals(table)
    nested = pa.table({"u": pa.array([1, 1, 2]).dictionary_encode(), "l": [[1], [], None]})
    assert operations.compress(nested, tmp_path / "n.aez")["fidelity"] == "bytes (kept file)"


def test_tables_in_memory_with_dictionaries_of_their_own(tmp_path):
    parts = [pa.array(part).dictionary_encode() for part in (["a", "b"], ["b", None], ["c"])]
    table = pa.table({"c": pa.chunked_array(parts), "t": pa.array([1, 2, 3, 4, 5], pa.time32("s"))})
    assert operations.compress(table, tmp_path / "t.aez")["fidelity"] == "values"
    with Archive(tmp_path / "t.aez") as archive:
        assert archive.to_pandas()["c"].astype(object).where(lambda c: c.notna(), None).tolist() == [
            "a", "b", "b", None, "c",
        ]  # fmt: skip
        assert archive.format["format"] == "arrow", "Parquet has no time32[s]"


def test_rows_and_columns_of_a_table(tmp_path):
    table = pa.table({"a": range(1000), "b": [str(i % 7) for i in range(1000)], "c": [0.5] * 1000})
    parquet(table, tmp_path, row_group_size=300)
    operations.compress(tmp_path / "t.parquet", tmp_path / "t.aez")
    out = operations.decompress(
        tmp_path / "t.aez", tmp_path / "o.parquet", rows=(290, 310), columns=["b", "a"]
    )
    assert pq.read_table(out).equals(table.select(["b", "a"]).slice(290, 20))
    with pytest.raises(ParamError, match="no column 'z'"):
        operations.decompress(tmp_path / "t.aez", tmp_path / "p", columns=["z"])


# ---- arrays


def test_all_arrays_of_an_npz(tmp_path):
    arrays = {
        "x_train": np.arange(60 * 64, dtype=np.uint8).reshape(60, 8, 8),
        "y": np.array([2**63 - 1, -(2**63)]),
        "labels": np.array([b"red", b"b\0c"]),
        "F": np.asfortranarray(np.random.default_rng(0).normal(size=(7, 5)).astype(">f4")),
        "n": np.float64(3.5),
        "none": np.zeros((3, 0), np.int16),
        "when": np.array(["2020-01-01", "NaT"], "M8[ns]"),
    }
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "t.npz", **arrays)
        out, fidelity = through(tmp_path / "t.npz", tmp_path)
        assert fidelity == "values"
        with np.load(out) as restored:
            assert restored.files == list(arrays)
            for name, array in arrays.items():
                again = restored[name]
                assert (again.dtype.str, again.shape) == (np.asarray(array).dtype.str, array.shape)
                assert again.tobytes() == array.tobytes()
            assert restored["F"].flags.f_contiguous
        kinds = [
            {info.compress_type for info in zipfile.ZipFile(path).infolist()}
            for path in (tmp_path / "t.npz", out)
        ]
        assert kinds[0] == kinds[1]


def test_rows_of_arrays(tmp_path):
    wide = np.arange(3000, dtype=np.int16).reshape(500, 3, 2)
    np.save(tmp_path / "t.npy", wide)
    operations.compress(tmp_path / "t.npy", tmp_path / "t.aez")
    out = operations.decompress(tmp_path / "t.aez", tmp_path / "o.npy", rows=(100, 103))
    assert np.load(out).tolist() == wide[100:103].tolist()
    with Archive(tmp_path / "t.aez") as archive:
        assert len(archive) == 500 and archive[7:9].tolist() == wide[7:9].tolist()
    with pytest.raises(ParamError, match="columns is for tables"):
        operations.decompress(tmp_path / "t.aez", tmp_path / "p.npy", columns=["c1"])
    np.savez(tmp_path / "t.npz", X=np.arange(20.0).reshape(10, 2), y=np.arange(10))
    operations.compress(tmp_path / "t.npz", tmp_path / "j.aez")
    with Archive(tmp_path / "j.aez") as archive:
        assert archive[2:4].to_dict("list") == {"c1": [4.0, 6.0], "c2": [5.0, 7.0], "y": [2, 3]}
    np.savez(tmp_path / "t.npz", X=np.zeros((10, 2)), y=np.arange(7))
    operations.compress(tmp_path / "t.npz", tmp_path / "d.aez")
    with pytest.raises(DataError, match="different lengths: rows"):
        operations.decompress(tmp_path / "d.aez", tmp_path / "p.npz", rows=(1, 2))


# ---- what is kept


def kept_files():
    """Files that are no table or array of ours, and a part of the reason."""
    whole = io.BytesIO()
    np.save(whole, np.arange(9.0))
    return {
        "word.docx": (b"PK\x03\x04 not really", "no array file"),
        "cut.npy": (whole.getvalue()[:-8], "should take"),
        "cut.parquet": (b"PAR1 not really", "cannot be read"),
        "picture.png": (b"\x89PNG", "one picture"),
        "empty.csv": (b"", "empty"),
        "cut.csv.gz": (b"\x1f\x8b\x08\0\0\0\0\0", "damaged"),
    }  # fmt: skip


@pytest.mark.parametrize("name", kept_files())
def test_what_cannot_be_read_is_kept_and_said(name, tmp_path, run):
    raw, reason = kept_files()[name]
    path = tmp_path / name
    path.write_bytes(raw)
    done = run("compress", path)
    assert done.status == 0, done.err
    assert "kept byte for byte: " in done.err and reason in done.err
    out = operations.decompress(f"{path}.aez", tmp_path / "out")
    assert out.read_bytes() == raw
    assert run("compress", path, "-f", "--keep-files", "-q").status == 0
    assert operations.decompress(f"{path}.aez", tmp_path / "out2").read_bytes() == raw


def test_a_picture_by_itself_is_told_where_pictures_are_stored_by_pixel(tmp_path, run):
    from PIL import Image

    Image.fromarray(np.arange(400, dtype=np.uint8).reshape(20, 20)).save(tmp_path / "one.png")
    refused = run("compress", tmp_path / "one.png", "--max-error", "2")
    assert refused.status == 2 and "folders of pictures (one picture: " in refused.err
    assert "put it into one" in run("compress", tmp_path / "one.png").err
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "one.png").rename(folder / "one.png")
    assert run("compress", folder, "--max-error", "2").status == 0


def test_int96_and_what_stands_behind_an_array_are_kept(tmp_path):
    moments = pa.table({"t": pa.array([1], pa.timestamp("ns"))})
    path = parquet(moments, tmp_path, use_deprecated_int96_timestamps=True)
    out, fidelity = through(path, tmp_path)
    assert fidelity == "bytes (kept file)" and out.read_bytes() == path.read_bytes()
    with (tmp_path / "two.npy").open("wb") as file:
        np.save(file, np.arange(3))
        np.save(file, np.arange(4))
    out, fidelity = through(tmp_path / "two.npy", tmp_path)
    assert fidelity == "bytes (kept file)"
    assert out.read_bytes() == (tmp_path / "two.npy").read_bytes()


def test_our_own_files_are_no_data(tmp_path, run):
    np.save(tmp_path / "t.npy", np.arange(5))
    assert run("compress", tmp_path / "t.npy").status == 0
    done = run("compress", tmp_path / "t.npy.aez")
    assert done.status == 2 and "own files" in done.err


# ---- bounds


def off_of(before, after):
    """The largest error, exactly."""
    return max(abs(Fraction(a) - Fraction(b)) for a, b in zip(before, after, strict=True))


def test_bounds_are_those_of_a_place_not_of_a_name(tmp_path, run):
    # in no order, so that a bound saves bytes
    order = np.random.default_rng(0).permutation(100).tolist()
    small, large = [i / 100 for i in order], [i * 100.0 for i in reversed(order)]
    table = pa.Table.from_arrays([pa.array(small), pa.array(large)], names=["a", "a"])
    path = parquet(table, tmp_path)
    out, fidelity = through(path, tmp_path, max_error={"": "5%"})
    restored = pq.ParquetFile(out).read()
    for before, after in ((small, restored.column(0)), (large, restored.column(1))):
        bound = 5 * (Fraction(max(before)) - Fraction(min(before))) / 100
        assert fidelity == "bounded" and 0 < off_of(before, after.to_pylist()) <= bound
    said = run("info", tmp_path / "t.aez").out
    assert "a (column 1)" in said and "a (column 2)" in said


def test_bounds_of_text_are_those_of_a_place(tmp_path):
    # in no order, so that a bound saves bytes
    order = np.random.default_rng(0).permutation(100).tolist()
    rows = [f"{i / 100:.2f},{j * 100}" for i, j in zip(order, reversed(order), strict=True)]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["a,a", *rows]) + "\n")
    out, _ = through(path, tmp_path, max_error={"": "3%"})
    back = [line.split(",") for line in out.read_text().split()[1:]]
    assert off_of([row.split(",")[0] for row in rows], [row[0] for row in back]) <= Fraction(
        "0.0297"
    )
    assert 0 < off_of([row.split(",")[1] for row in rows], [row[1] for row in back]) <= 297


@pytest.mark.parametrize(
    ("form", "bound"),
    one_in(2, product(["{:.18f}", "{:.20f}", "{!r}", "{:.17e}"], ["1e-9", "0.001", "5"])),
)
def test_bounds_of_numbers_with_many_digits(tmp_path, form, bound):
    values = np.random.default_rng(0).normal(0, 1, 400)
    values[::7] *= 1e-6
    cells = [form.format(float(value)) for value in values]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["v,i", *(f"{cell},{i}" for i, cell in enumerate(cells))]) + "\n")
    out, _ = through(path, tmp_path, max_error={"v": bound})
    back = [line.split(",")[0] for line in out.read_text().split()[1:]]
    assert 0 < off_of(cells, back) <= Fraction(bound)
    exact, _ = through(path, tmp_path)
    assert exact.read_text() == path.read_text()


def test_columns_that_are_exact_within_a_bound_are_named(tmp_path, run):
    table = pa.table(
        {"i": [n * 37 % 101 for n in range(100)], "f": np.linspace(0, 1, 100), "s": ["x"] * 100}
    )
    path = parquet(table, tmp_path)
    through(path, tmp_path, max_error={"": "0.01"})
    said = run("info", tmp_path / "t.aez").out
    assert re.search(r"^numbers exact +i$", said, re.M) and re.search(
        r"^  f +largest 0.00", said, re.M
    )


def test_a_bound_that_nothing_can_keep_is_refused(tmp_path, run):
    path = parquet(pa.table({"l": [[1], [2]]}), tmp_path)
    done = run("compress", path, "--max-error", "1")
    assert done.status == 2 and done.err.count("\n") == 1 and "list<" in done.err
    with pytest.raises(ParamError, match="does not hold numbers"):
        parquet(pa.table({"s": ["x"]}), tmp_path)
        operations.compress(path, tmp_path / "b.aez", options=CompressOptions(max_error={"s": "1"}))


def test_what_may_be_counted_is_written_down():
    """The same limits on both sides of a batch."""
    assert cuts.MOST_CELLS <= limits.MAX_RECORD_CELLS
    assert 4 * limits.MAX_RECORD_CELLS <= limits.MAX_CELLS, "a decimal of 256 bits is four columns"


# ---- damage


def damaged(path, folder, **options):
    """An archive of several blocks of which one is damaged."""
    operations.compress(path, folder / "t.aez", options=CompressOptions(force=True, **options))
    with Archive(folder / "t.aez") as archive:
        assert len(archive.reader.blocks) > 2
        info = archive.reader.blocks[1]
    data = bytearray((folder / "t.aez").read_bytes())
    data[info.offset + info.length // 2] ^= 1
    (folder / "bad.aez").write_bytes(data)
    return folder / "bad.aez", info


def test_what_is_left_of_damaged_arrays(tmp_path):
    whole = np.arange(200_000, dtype=np.int32)
    np.save(tmp_path / "t.npy", whole)
    bad, info = damaged(tmp_path / "t.npy", tmp_path)
    with pytest.raises(ArchiveError):
        operations.decompress(bad, tmp_path / "o.npy")
    lost: list[str] = []
    operations.decompress(bad, tmp_path / "o.npy", lost=lost)
    left = np.delete(whole, slice(info.first, info.first + info.rows))
    assert np.load(tmp_path / "o.npy").tolist() == left.tolist() and len(lost) == 1


def test_what_is_left_of_a_damaged_table(tmp_path):
    table = pa.table({"a": range(200_000), "s": [str(i % 9) for i in range(200_000)]})
    bad, info = damaged(parquet(table, tmp_path, row_group_size=80_000), tmp_path)
    lost: list[str] = []
    operations.decompress(bad, tmp_path / "o.parquet", lost=lost)
    left = pa.concat_tables([table[: info.first], table[info.first + info.rows :]])
    assert pq.read_table(tmp_path / "o.parquet").equals(left) and len(lost) == 1


@pytest.mark.parametrize("kind", ["columns.parquet", "arrays.npz", "lines.jsonl"])
def test_damaged_archives_are_refused_in_words(kind, tmp_path):
    """Bytes of a payload changed under a seal that is right: an error of ours, at the latest where
    the whole is compared with its digest."""
    home = Path(__file__).parent / "golden" / "3.0"
    operations.compress(home / kind, tmp_path / "t.aez")
    with Archive(tmp_path / "t.aez") as archive:
        header, block = archive.reader.header, archive.reader.block(0)
        sections = archive.reader.sections
    rng = np.random.default_rng(0)
    for _ in range(60):
        payload = bytearray(block.payload)
        payload[rng.integers(len(payload))] ^= 1 << rng.integers(8)
        with (tmp_path / "bad.aez").open("w+b") as file:
            writer = Writer(file, header, sections)
            writer.add(block.rows, b"", bytes(payload))
            writer.finish({}, bytes(32))
        for call in (
            operations.verify,
            lambda path: operations.decompress(path, tmp_path / "o", force=True),
        ):
            with pytest.raises(AetoolError):
                call(tmp_path / "bad.aez")


@pytest.mark.parametrize("change", [
    {"dtype": "|S1000000000"}, {"shape": [1 << 40]}, {"shape": [5, 1 << 30]}, {"axes": [1]},
])  # fmt: skip
def test_a_header_of_arrays_that_claims_too_much_is_refused(change, tmp_path):
    np.save(tmp_path / "t.npy", np.array([b"a", b"b"]))
    operations.compress(tmp_path / "t.npy", tmp_path / "t.aez")
    with Archive(tmp_path / "t.aez") as archive:
        header, block = archive.reader.header, archive.reader.block(0)
    header = {**header, "arrays": [{**header["arrays"][0], **change}]}
    with (tmp_path / "bad.aez").open("w+b") as file:
        writer = Writer(file, header, {})
        writer.add(block.rows, block.content, block.payload)
        writer.finish({}, bytes(32))
    with pytest.raises(ArchiveError):
        operations.decompress(tmp_path / "bad.aez", tmp_path / "o.npy")


@pytest.mark.parametrize("dtype", [object, float])
def test_an_array_without_values_is_a_table_without_rows(dtype):
    for shape, columns in (((0,), 1), ((0, 3), 3)):
        held = memory.held(np.zeros(shape, dtype))
        assert held.shape in (shape, (0, columns))
        with pytest.raises(DataError, match="no rows|no records|empty|nothing"):
            aetool.fit(np.zeros(shape, dtype), plugin="pca")


@pytest.mark.parametrize(
    ("kind", "is_long"), checkered(["one", "fortran", "joint", "apart"], [False, True])
)
def test_arrays_of_other_rows_than_told_are_damage(tmp_path, kind, is_long):
    # several rows a block, of each of which something is to be coded
    values = np.cumsum(np.random.default_rng(0).integers(-9, 9, (70_000, 3)), axis=0)
    arrays = {
        "one": [values],
        "fortran": [np.asfortranarray(values)],
        "joint": [values, values[:, 0]],
        "apart": [values, values[::-7].reshape(100, 100, 3) ** 2],
    }[kind]
    if len(arrays) == 1:
        np.save(tmp_path / "t.npy", arrays[0])
    else:
        np.savez(tmp_path / "t.npz", *arrays)
    (path,) = tmp_path.iterdir()
    operations.compress(path, tmp_path / "t.aez")
    with Archive(tmp_path / "t.aez") as archive:
        content = archive.content
        pieces = list(content.pieces(archive, 0, archive.rows))
        meddled = [*pieces, pieces[-1]] if is_long else pieces[:-1]
        out = io.BytesIO()
        with pytest.raises(ArchiveError, match="cut short|more rows than its arrays"):
            content._write(out, content._restored(iter(meddled), archive.rows))
        with pytest.raises(ArchiveError, match="cut short|more rows than its arrays"):
            content._as_one_object(content._restored(iter(meddled), archive.rows))
        content._write(out := io.BytesIO(), content._restored(iter(pieces), archive.rows))
        assert np.load(io.BytesIO(out.getvalue())) is not None
