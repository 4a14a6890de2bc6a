"""FORMAT.md is enough: a reader that was written from it restores every golden archive."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from aetool.codec import words
from aetool.codec.archive import Archive
from tests import format_reader

HOME = Path(__file__).parent / "golden" / "3.0"
PAGE = Path(words.__file__).parent / "FORMAT.md"


@pytest.fixture(scope="module")
def model():
    return (HOME / "model.aem").read_bytes()


def restored(name, model):
    return format_reader.restore((HOME / f"{name}.aez").read_bytes(), model)


@pytest.mark.parametrize(
    "name,expected",
    [
        ("text", "table.csv"), ("tiny", "tiny.csv"), ("ragged", "ragged.csv"), ("blocks", "table.csv"),
        ("long", "long.csv"), ("bounded", "bounded.csv"), ("shared", "table.csv"),
        ("bytes", "table.parquet"), ("lines", "lines.jsonl"), ("ends", "ends.csv"), ("wide", "wide.csv"),
        ("file", "arrays.npz"),
    ],
)  # fmt: skip
def test_text_and_files(name, expected, model):
    assert restored(name, model) == (HOME / expected).read_bytes()


def test_pictures(model):
    pixels = np.load(HOME / "pictures.npy")
    np.testing.assert_array_equal(restored("pictures", model)[:, 0], pixels)


def test_folders(model):
    files = restored("folder", model)
    assert sorted(files) == ["a.png", "b.png", "c.png", "d.jpg"]
    assert files.pop("d.jpg") == (HOME / "folder" / "d.jpg").read_bytes()
    for name, (mode, pixels) in files.items():
        picture = Image.open(HOME / "folder" / name)
        assert picture.mode == mode
        flat = pixels[0] if mode == "L" else pixels.transpose(1, 2, 0)
        np.testing.assert_array_equal(flat, np.asarray(picture))


def test_typed_tables(model):
    frame = pd.read_parquet(HOME / "table.parquet")
    columns = restored("typed", model)
    assert list(columns) == list(frame)
    for name, values in columns.items():
        expected = frame[name].to_numpy()
        if expected.dtype.kind in "if":
            np.testing.assert_array_equal(np.array(values, expected.dtype), expected)
        else:
            assert values == frame[name].tolist()


def test_tables_in_types_of_their_own(model):
    table = pq.read_table(HOME / "columns.parquet")
    columns = restored("columns", model)
    assert list(columns) == table.column_names
    for name, values in columns.items():
        expected = table[name].combine_chunks()
        if name == "t":
            expected = expected.view(pa.int64())
        if name == "d":
            expected = [int(v.scaleb(2)) for v in expected.to_pylist()]
        assert repr(values) == repr(expected if name == "d" else expected.to_pylist()), name


def test_arrays(model):
    parts = restored("arrays", model)
    with np.load(HOME / "arrays.npz") as arrays:
        for name in arrays.files:
            whole = arrays[name]
            restored_rows = np.array(parts.get(name, np.zeros(whole.shape)))
            again = restored_rows.astype(whole.dtype).reshape(whole.shape)
            assert again.tobytes() == whole.tobytes(), name


def test_lossy_tables(model):
    columns = restored("lossy", model)
    with Archive(HOME / "lossy.aez", format_reader_model(model)) as archive:
        frame = archive.to_pandas()
    assert list(columns) == list(frame)
    for name, values in columns.items():
        ours = [None if v != v else v for v in frame[name].tolist()]
        assert len(ours) == len(values)
        for a, b in zip(ours, values, strict=True):
            same = a == b or (isinstance(a, float) and abs(a - b) < 0.11)
            assert same or (a is None and b is None), name


def format_reader_model(data):
    from aetool import bundle

    return bundle.from_bytes(data, "model")


def test_every_golden_archive_is_read():
    read = {"text", "tiny", "ragged", "blocks", "long", "bounded", "shared", "bytes", "pictures",
            "folder", "typed", "lossy", "ends", "wide", "columns", "arrays", "lines", "file"}  # fmt: skip
    assert {path.stem for path in HOME.glob("*.aez")} == read


def test_the_reader_imports_nothing_of_the_program():
    for path in Path(format_reader.__file__).parent.glob("*.py"):
        imported = re.findall(r"^\s*(?:from|import) (aetool|tests)\b(\S*)", path.read_text(), re.M)
        assert all(
            name == ("tests", ".format_reader") or name[1].startswith(".format_reader.")
            for name in imported
        )


def test_the_page_has_the_dictionary_of_the_program():
    assert format_reader.WORDS == words.WORDS


@pytest.mark.parametrize("name", ["tiny", "blocks", "long"])
def test_the_reader_notices_what_is_wrong(name, model):
    data = (HOME / f"{name}.aez").read_bytes()
    for at in range(0, len(data), max(1, len(data) // 60)):
        bad = bytearray(data)
        bad[at] ^= 1 << at % 8
        try:
            format_reader.restore(bytes(bad), model)
        except Exception:
            continue
        raise AssertionError(f"byte {at} is read as if it were whole")
