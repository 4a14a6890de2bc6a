"""Results whose names end in .gz, .zst or .xz are compressed so, and hold the same bytes."""

import gzip
import io
import lzma
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aetool import operations
from aetool.data.compressing import output_by_name
from aetool.errors import DataError

ROWS = 300


@pytest.fixture
def table(tmp_path):
    """A table in text of three columns, as its path."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "load": rng.normal(size=ROWS).round(3),
            "count": rng.integers(0, 9, ROWS),
            "place": rng.choice(["north", "south"], ROWS),
        }
    )
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False)
    return path


def archived(source: Path) -> Path:
    """Compress a file to an archive beside it, and return the archive's path."""
    target = source.with_name(f"{source.name}.aez")
    operations.compress(source, target)
    return target


def plain_bytes(path: Path) -> bytes:
    """The decompressed bytes of a file, by the library of its suffix."""
    packed = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(packed)
    if path.suffix == ".xz":
        return lzma.decompress(packed)
    with pa.input_stream(io.BytesIO(packed), compression="zstd") as stream:
        return stream.read()


@pytest.mark.parametrize("suffix", [".gz", ".zst", ".xz", ".GZ"])
def test_a_restored_file_is_compressed_as_its_name_says(table, tmp_path, suffix):
    archive = archived(table)
    notes: list[str] = []
    target = tmp_path / f"back.csv{suffix}"
    restored = operations.decompress(archive, target, notes=notes)
    assert notes == []
    if suffix == ".GZ":
        restored = restored.rename(tmp_path / "back.csv.gz")
    assert plain_bytes(restored) == table.read_bytes()
    # and is read again as the table that it is
    again = archived(restored)
    assert operations.decompress(again, tmp_path / "u.csv").read_bytes() == table.read_bytes()


def test_equal_bytes_make_equal_compressed_files(table, tmp_path):
    for name in ("a.csv.gz", "b.csv.gz"):
        with output_by_name(tmp_path / name) as file:
            file.write(table.read_bytes())
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()


def test_a_part_is_converted_and_compressed(table, tmp_path):
    archive = archived(table)
    target = tmp_path / "part.jsonl.xz"
    operations.decompress(archive, target, rows=(10, 20), columns=["count", "place"])
    back = pd.read_json(io.BytesIO(plain_bytes(target)), lines=True)
    pd.testing.assert_frame_equal(
        back, pd.read_csv(table)[["count", "place"]].iloc[10:20].reset_index(drop=True)
    )


def test_a_kept_file_that_was_compressed_is_compressed_again(tmp_path):
    content = np.random.default_rng(5).bytes(5000)
    source = tmp_path / "r.bin.gz"
    source.write_bytes(gzip.compress(content))
    archive = archived(source)
    assert plain_bytes(operations.decompress(archive, tmp_path / "back.bin.gz")) == content
    assert operations.decompress(archive, tmp_path / "back.bin").read_bytes() == content


def test_flags_are_compressed_in_the_format_that_the_name_says(table, tmp_path, run):
    plain = tmp_path / "flags.csv"
    for target in (
        plain,
        tmp_path / "flags.csv.gz",
        tmp_path / "flags.jsonl.zst",
        tmp_path / "flags.parquet.gz",
    ):
        assert run("detect", table, "--top", "5", "-o", target).status == 0
    assert plain_bytes(tmp_path / "flags.csv.gz") == plain.read_bytes()
    flags = pd.read_csv(plain)
    lines = pd.read_json(io.BytesIO(plain_bytes(tmp_path / "flags.jsonl.zst")), lines=True)
    assert lines["row"].tolist() == flags["row"].tolist() and len(flags) == 5
    of_parquet = pq.read_table(io.BytesIO(plain_bytes(tmp_path / "flags.parquet.gz")))
    assert of_parquet["row"].to_pylist() == flags["row"].tolist()


def test_a_compression_that_is_not_written_is_told(table, tmp_path):
    archive = archived(table)
    notes: list[str] = []
    operations.decompress(archive, tmp_path / "back.csv.bz2", notes=notes)
    assert len(notes) == 1 and "is not compressed" in notes[0] and ".gz, .zst or .xz" in notes[0]


def test_nothing_is_left_where_writing_fails(tmp_path):
    with pytest.raises(DataError, match="no more"), output_by_name(tmp_path / "x.csv.gz") as file:
        file.write(b"a,b\n")
        raise DataError("no more")
    assert list(tmp_path.iterdir()) == []
