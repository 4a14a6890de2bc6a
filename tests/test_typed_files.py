"""Small files of Parquet, Arrow and numpy are never larger than a general compressor makes them,
and whichever way they are stored, rows and columns are the same."""

import bz2
import dataclasses
import lzma
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

import aetool
from aetool import operations
from aetool.archives import exact_job
from aetool.cli import status
from aetool.codec import planning
from aetool.codec.archive import Archive
from aetool.errors import AetoolError, ArchiveError, DataError, ParamError
from aetool.operations import CompressOptions
from tests.sweeps import one_in

AROUND = 40  # bytes
IN_TYPES = CompressOptions(effort=dataclasses.replace(planning.DEFAULT, whole_files=False))


def by_others(raw):
    """The fewest bytes that a general compressor makes of these."""
    # a dictionary of 64 MiB, as of level 9, makes no small file smaller, and takes its time
    strongest = {"preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 20}
    by_xz = lzma.compress(raw, filters=[{"id": lzma.FILTER_LZMA2, **strongest}])
    squeezed = [by_xz, bz2.compress(raw, 9)]
    squeezed.append(pa.Codec("zstd", compression_level=19).compress(raw, asbytes=True))
    return min(map(len, squeezed))


def frames():
    """Small tables of every sort of numbers and words; some repeat what columns cannot tell."""
    rng = np.random.default_rng(0)
    for rows in (5, 20, 100, 500):
        noise = rng.normal(size=(rows, 3))
        yield pd.DataFrame({"a": noise[:, 0], "b": noise[:, 1].round(2), "c": rng.poisson(3, rows)})
        yield pd.DataFrame(np.tile(noise[: max(1, rows // 5)], (5, 1)), columns=list("xyz"))
        times = pd.date_range("2020-01-01", periods=rows, freq="7min")
        yield pd.DataFrame({"t": times, "s": [f"w{i % 7}" for i in range(rows)]})
        yield pd.DataFrame(rng.integers(0, 2**60, (rows, 2)), columns=["p", "q"])


def written(frame, folder):
    """Files of one table."""
    frame.to_parquet(folder / "t.parquet")
    frame.to_parquet(folder / "u.parquet", compression="zstd")
    feather.write_feather(pa.Table.from_pandas(frame), folder / "t.feather", compression="lz4")
    numbers = frame.select_dtypes("number").to_numpy()
    if not numbers.size:
        numbers = frame.iloc[:, 0].to_numpy("M8[ns]")
    np.save(folder / "t.npy", numbers)
    np.savez(folder / "t.npz", X=numbers, y=numbers[:, -1] if numbers.ndim > 1 else numbers)
    return [
        folder / f"{name}" for name in ("t.parquet", "u.parquet", "t.feather", "t.npy", "t.npz")
    ]


# eighty files take six seconds by default
@pytest.mark.parametrize(
    "effort", [planning.FAST, pytest.param(planning.DEFAULT, marks=pytest.mark.long)]
)
def test_small_typed_files_are_never_larger_than_general_compressors_make_them(effort, tmp_path):
    files = kept = 0
    options = CompressOptions(force=True, effort=effort)
    for frame in frames():
        for path in written(frame, tmp_path):
            figures = operations.compress(path, tmp_path / "t.aez", options=options)
            assert figures["archive_bytes"] == (tmp_path / "t.aez").stat().st_size
            assert figures["archive_bytes"] <= by_others(path.read_bytes()) + AROUND, path
            files += 1
            kept += figures["fidelity"] == "bytes (kept file)"
            assert "kept" not in figures, "nobody has to be told why"
    assert files == 80 and 0 < kept < 40, "each way was the smaller one for some"


def tiled():
    rows = np.random.default_rng(1).normal(size=(8, 3))
    return pd.DataFrame(np.tile(rows, (25, 1)), columns=["a", "b", "c"])


@pytest.fixture(params=["t.parquet", "u.parquet", "t.feather", "t.npy", "t.npz"])
def both(request, tmp_path, monkeypatch):
    """(the file, its archive as bytes, whatever they take, its archive in its own types)."""
    monkeypatch.setattr(exact_job, "LEAST_GAIN", -(1 << 20))
    path = next(path for path in written(tiled(), tmp_path) if path.name == request.param)
    whole, typed = tmp_path / "whole.aez", tmp_path / "typed.aez"
    figures = operations.compress(path, whole)
    assert figures["fidelity"] == "bytes (kept file)" and figures["rows"] == 200
    assert operations.compress(path, typed, options=IN_TYPES)["fidelity"] == "values"
    return path, whole, typed


def test_a_file_that_was_squeezed_whole_comes_back_byte_for_byte(both, tmp_path):
    path, whole, _ = both
    out = operations.decompress(whole, tmp_path / "o")
    assert out.read_bytes() == path.read_bytes()
    assert operations.verify(whole)["rows"] == 200
    said = operations.info(whole)
    assert said["fidelity"] == "bytes (kept file)" and said["rows"] == 200
    assert sum(said["coders"]["the whole file"].values()) < whole.stat().st_size


@pytest.mark.parametrize("rows", [(0, 1), (7, 60), (199, 200), (50, 50)])
def test_rows_are_the_same_whichever_way_they_are_stored(both, rows, tmp_path):
    path, whole, typed = both
    one, other = (
        operations.decompress(archive, tmp_path / f"{place}{path.suffix}", rows=rows)
        for place, archive in enumerate((whole, typed))
    )
    assert one.read_bytes() == other.read_bytes()
    with Archive(whole) as a, Archive(typed) as b:
        pd.testing.assert_frame_equal(a[slice(*rows)], b[slice(*rows)])
        pd.testing.assert_frame_equal(a.to_pandas(), b.to_pandas())
        assert len(a) == len(b) == 200 and a.kind == b.kind


def test_columns_are_the_same_whichever_way_they_are_stored(both, tmp_path):
    path, whole, typed = both
    options = {"rows": (3, 9), "columns": ["c", "a"]}
    for archive in (whole, typed):
        if path.suffix in (".npy", ".npz"):
            with pytest.raises(ParamError, match="columns is for tables, and this holds arrays"):
                operations.decompress(archive, tmp_path / "o", **options)
            continue
        out = operations.decompress(archive, tmp_path / "o", force=True, **options)
        read = feather.read_feather(out) if path.suffix == ".feather" else pq.read_table(out)
        table = read if isinstance(read, pd.DataFrame) else read.to_pandas()
        assert list(table) == ["c", "a"]
        assert (table.to_numpy() == tiled()[["c", "a"]].to_numpy()[3:9]).all()
        with pytest.raises(ParamError, match="no column 'z'"):
            operations.decompress(archive, tmp_path / "p", columns=["z"])
        with aetool.open(archive, columns=["c", "a"]) as opened:
            assert opened[3:9].equals(tiled()[["c", "a"]][3:9].reset_index(drop=True))


def test_arrays_of_other_lengths_have_no_rows_of_their_own(tmp_path):
    noise = tiled().to_numpy()
    np.savez(tmp_path / "t.npz", X=noise, y=noise[:50], z=noise.T)
    whole, typed = tmp_path / "whole.aez", tmp_path / "typed.aez"
    assert operations.compress(tmp_path / "t.npz", whole)["fidelity"] == "bytes (kept file)"
    operations.compress(tmp_path / "t.npz", typed, options=IN_TYPES)
    for archive in (whole, typed):
        with pytest.raises(DataError, match="arrays of different lengths"):
            operations.decompress(archive, tmp_path / "o.npz", rows=(0, 3))
        with Archive(archive) as opened:
            arrays = opened[:]
            assert list(arrays) == ["X", "y", "z"] and (arrays["z"] == noise.T).all()


@pytest.mark.parametrize(
    ("shape", "fidelity"), [((30, 9, 7), "values"), ((30, 9, 7, 3), "bytes (kept file)")]
)
def test_pictures_are_the_same_whichever_way_they_are_stored(shape, fidelity, tmp_path):
    """Values that come again every 101 bytes, across pixels and channels: a file of colours is
    smaller as it is, since its channels are coded apart."""
    period = np.random.default_rng(2).integers(0, 256, 101)
    pictures = np.resize(period, shape).astype(np.uint8)
    np.save(tmp_path / "t.npy", pictures)
    whole, typed = tmp_path / "whole.aez", tmp_path / "typed.aez"
    assert operations.compress(tmp_path / "t.npy", whole)["fidelity"] == fidelity
    assert operations.compress(tmp_path / "t.npy", typed, options=IN_TYPES)["rows"] == 30
    smaller = whole.stat().st_size < typed.stat().st_size
    assert smaller == (fidelity != "values")
    for archive in (whole, typed):
        out = operations.decompress(archive, tmp_path / "o.npy", rows=(4, 17), force=True)
        assert (np.load(out) == pictures[4:17]).all()
        with Archive(archive) as opened:
            assert (opened[2:5].transpose(0, 2, 3, 1).reshape(3, *shape[1:]) == pictures[2:5]).all()


def test_a_bound_is_never_given_up_for_the_whole_file(tmp_path):
    tiled().to_parquet(tmp_path / "t.parquet")
    options = CompressOptions(max_error={"": "10%"})
    figures = operations.compress(tmp_path / "t.parquet", tmp_path / "t.aez", options=options)
    assert figures["fidelity"] == "bounded" and "file" not in figures


def test_a_compressed_file_is_squeezed_as_what_is_inside(tmp_path):
    np.save(tmp_path / "t.npy", tiled().to_numpy())
    raw = (tmp_path / "t.npy").read_bytes()
    (tmp_path / "t.npy.xz").write_bytes(lzma.compress(raw))
    figures = operations.compress(tmp_path / "t.npy.xz", tmp_path / "t.npy.xz.aez")
    assert figures["fidelity"] == "bytes (kept file)"
    (tmp_path / "t.npy").unlink()
    assert status(["decompress", "-q", str(tmp_path / "t.npy.xz.aez")]) == 0
    assert (tmp_path / "t.npy").read_bytes() == raw


def test_every_flipped_bit_of_a_whole_file_is_found(both, tmp_path):
    _, whole, _ = both
    data = whole.read_bytes()
    for place in range(0, len(data), 7):
        damaged = bytearray(data)
        damaged[place] ^= 1 << place % 8
        (tmp_path / "d.aez").write_bytes(damaged)
        with pytest.raises(AetoolError):
            operations.decompress(tmp_path / "d.aez", tmp_path / "o", rows=(0, 3), force=True)


def test_a_file_that_changed_while_it_was_read_is_refused(tmp_path, monkeypatch):
    from aetool.codec.contents.file import TypedFile

    np.save(tmp_path / "t.npy", tiled().to_numpy())
    encode = TypedFile.encode

    def changed(self, item, hints):
        (tmp_path / "t.npy").write_bytes((tmp_path / "t.npy").read_bytes()[:-8] + b"changed!")
        return encode(self, item, hints)

    monkeypatch.setattr(TypedFile, "encode", changed)
    with pytest.raises((DataError, ArchiveError), match="was changed while it was read"):
        operations.compress(tmp_path / "t.npy", tmp_path / "t.aez")
    assert not (tmp_path / "t.aez").exists()


def table_of_groups(path):
    """Write a Parquet file of two groups of rows, 1,500 each, without statistics."""
    rng = np.random.default_rng(0)
    columns = {"a": rng.normal(size=3000).round(2), "n": rng.integers(0, 9, 3000)}
    pq.write_table(pa.table(columns), path, row_group_size=1500, write_statistics=False)


def damaged(path, at):
    """Turn all bits of the file's byte at an offset, and return all of its bytes."""
    content = bytearray(path.read_bytes())
    content[at] ^= 0xFF
    path.write_bytes(content)
    return bytes(content)


def is_readable(path):
    try:
        pq.read_table(path)
    except (OSError, pa.ArrowException):
        return False
    return True


@pytest.mark.parametrize("group", [0, 1])
def test_a_damaged_parquet_file_is_kept_byte_for_byte(group, tmp_path, capsys):
    path, archive, back = tmp_path / "t.parquet", tmp_path / "t.aez", tmp_path / "back"
    table_of_groups(path)
    first = pq.read_metadata(path).row_group(group).column(0).dictionary_page_offset
    unread = 0
    for at in range(first, first + 37):
        table_of_groups(path)
        content = damaged(path, at)
        if is_readable(path):
            continue
        unread += 1
        assert status(["compress", str(path), "-o", str(archive), "-f"]) == 0
        said = capsys.readouterr().err
        why = "it cannot be read (" if group == 0 else "damaged behind row 1500: "
        assert f"note: the file is kept byte for byte: {why}" in said
        operations.decompress(archive, back, force=True)
        assert back.read_bytes() == content
        assert status(["detect", str(path), "--top", "1"]) == 2
        assert f"aetool: error: {path}: " in capsys.readouterr().err
    assert unread >= 10


def test_a_damaged_parquet_file_is_no_fault_of_the_bounded_archive(tmp_path, capsys):
    path = tmp_path / "t.parquet"
    table_of_groups(path)
    damaged(path, pq.read_metadata(path).row_group(1).column(0).dictionary_page_offset)
    command = ["compress", str(path), "-o", str(tmp_path / "t.aez"), "--max-error", "0.1"]
    assert status(command) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"aetool: error: {path}: damaged behind row 1500: ")
    assert not (tmp_path / "t.aez").exists()


# each place is a compression or two of the rows: the fast set has twenty places of fewer
@pytest.mark.parametrize(
    ("rows", "step"), [(2500, 500), pytest.param(9000, 97, marks=pytest.mark.long)]
)
def test_a_damaged_feather_file_is_kept_byte_for_byte(rows, step, tmp_path, capsys):
    path = tmp_path / "t.feather"
    frame = pd.DataFrame({"a": np.arange(rows) % 70, "w": ["word"] * rows})
    feather.write_feather(frame, path, compression="lz4")
    whole = path.read_bytes()
    unread = 0
    for at in range(500, len(whole) - 500, step):
        path.write_bytes(whole)
        content = damaged(path, at)
        assert status(["compress", str(path), "-o", str(tmp_path / "t.aez"), "-f"]) == 0
        if "kept byte for byte: it cannot be read (" not in capsys.readouterr().err:
            continue
        unread += 1
        operations.decompress(tmp_path / "t.aez", tmp_path / "back", force=True)
        assert (tmp_path / "back").read_bytes() == content
    assert unread


# of the first column's part in the group: its type, an integer of 64 bits, and its codec, Snappy
@pytest.mark.parametrize("before", one_in(2, [b"\x1c\x15\x04", b"\x01a\x15\x02"]))
@pytest.mark.parametrize("group", [0, 1])
def test_a_footer_that_makes_no_sense_ends_no_process(before, group, tmp_path):
    path = tmp_path / "t.parquet"
    table = pa.table({"a": np.arange(3000) % 7, "b": np.arange(3000) / 8})
    pq.write_table(table, path, row_group_size=1500)
    whole = path.read_bytes()
    at = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for _ in range(group + 1):
        at = whole.index(before, at) + len(before)
    at -= 1
    # a number below 0, which no type and no codec has
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    program = "import sys; from aetool.cli import status; sys.exit(status(sys.argv[1:]))"
    for command in (
        ["detect", path, "-p", "pca", "--top", "1"],
        ["compress", path, "-o", tmp_path / "t.aez"],
    ):
        called = [sys.executable, "-c", program, *map(str, command)]
        done = subprocess.run(called, capture_output=True, text=True, check=False)
        # where all groups are read as one, pyarrow minds the type of the first alone
        is_read = group and before.startswith(b"\x1c")
        assert done.returncode == (2 if command[0] == "detect" and not is_read else 0), done.stderr
        said = "damaged behind row" if group else "read"
        assert "Traceback" not in done.stderr
        assert is_read or said in done.stderr
