"""What a file says beside its values comes back, or the file is kept byte for byte, with the reason."""

import decimal
import stat

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import aetool
from aetool import operations
from aetool.cli import status
from aetool.writing.pictures import write_folder

NUMBERS = pa.table({"i": [3, 1, 2], "u": pa.array([1, 2, 3], pa.uint32())})
MONEY = pa.table({"m": pa.array([decimal.Decimal("1.25"), None], pa.decimal128(9, 2))})


def restored(path):
    """(figures, what the archive of a file restores)."""
    figures = operations.compress(path, path.with_suffix(".aez"))
    return figures, operations.decompress(path.with_suffix(".aez"), path.with_suffix(".again"))


@pytest.mark.parametrize(("table", "options"), [
    (NUMBERS, {"sorting_columns": [pq.SortingColumn(0), pq.SortingColumn(1, True, True)]}),
    (NUMBERS, {"version": "1.0"}), (NUMBERS, {"version": "2.4"}), (NUMBERS, {"compression": "gzip"}),
    (MONEY, {"store_decimal_as_integer": True}), (MONEY, {}),
    (pa.table({"t": pa.array([1, 2], pa.timestamp("us"))}), {"version": "1.0"}),
])  # fmt: skip
def test_types_and_order_of_parquet(tmp_path, table, options):
    path = tmp_path / "t.parquet"
    pq.write_table(table, path, **options)
    figures, again = restored(path)
    assert figures["fidelity"] == "values"
    before, after = pq.ParquetFile(path), pq.ParquetFile(again)
    assert after.schema.equals(before.schema)
    assert after.read().equals(before.read())
    ours, theirs = (file.metadata.row_group(0) for file in (after, before))
    assert ours.sorting_columns == theirs.sorting_columns
    assert ours.column(0).compression == theirs.column(0).compression
    assert ours.column(0).physical_type == theirs.column(0).physical_type


def test_some_of_the_columns_are_not_said_to_be_sorted_by_another(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(NUMBERS, path, sorting_columns=[pq.SortingColumn(0)])
    operations.compress(path, tmp_path / "t.aez")
    part = tmp_path / "p.parquet"
    names = NUMBERS.column_names[1:]
    operations.decompress(tmp_path / "t.aez", part, columns=names)
    assert pq.read_table(part).equals(NUMBERS.select(names))
    assert not pq.ParquetFile(part).metadata.row_group(0).sorting_columns


def test_groups_sorted_by_different_columns_are_kept(tmp_path):
    path = tmp_path / "t.parquet"
    parts = []
    for column in (0, 1):
        sink = tmp_path / f"{column}.parquet"
        pq.write_table(NUMBERS, sink, sorting_columns=[pq.SortingColumn(column)])
        parts.append(pq.ParquetFile(sink).metadata)
    parts[0].append_row_groups(parts[1])
    # only what is read is needed here: the footer of both, in front of which stands the first file
    body = (tmp_path / "0.parquet").read_bytes()
    parts[0].write_metadata_file(tmp_path / "footer")
    footer = (tmp_path / "footer").read_bytes()[4:]
    path.write_bytes(body[:-8] + footer)
    figures, again = restored(path)
    assert figures["kept"] and again.read_bytes() == path.read_bytes()


def twice(path):
    """A file whose schema has one key of its metadata twice."""
    metadata = pa.KeyValueMetadata([("k", "1"), ("k", "2")])
    table = NUMBERS.replace_schema_metadata(metadata)
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)


def test_a_key_that_stands_twice_in_metadata_is_kept(tmp_path, capsys):
    path = tmp_path / "t.arrow"
    twice(path)
    assert b"k" in path.read_bytes()
    assert status(["compress", str(path)]) == 0
    assert "a key twice" in capsys.readouterr().err
    again = operations.decompress(tmp_path / "t.arrow.aez", tmp_path / "again.arrow")
    assert again.read_bytes() == path.read_bytes()


def test_text_and_bytes_in_one_column_are_refused(tmp_path):
    for values in ([b"x", "y"], ["y", None, b"x"]):
        with pytest.raises(aetool.AetoolError, match="column 'a' mixes text and bytes"):
            aetool.compress(pd.DataFrame({"a": values}), tmp_path / "a.aez")
    assert not list(tmp_path.iterdir())


def test_bounds_of_columns_of_one_name_are_told_by_place(tmp_path):
    path = tmp_path / "t.csv"
    # in no order, so that a bound saves bytes
    places = np.random.default_rng(0).permutation(300).tolist()
    both = zip(places, reversed(places), strict=True)
    path.write_text("a,a\n" + "".join(f"{i * 0.37:.2f},{j * 1000}\n" for i, j in both))
    operations.compress(
        path, tmp_path / "t.aez", None, operations.CompressOptions(max_error={"": "1%"})
    )
    again = operations.decompress(tmp_path / "t.aez", tmp_path / "again.csv")
    before = [line.split(",") for line in path.read_text().splitlines()[1:]]
    after = [line.split(",") for line in again.read_text().splitlines()[1:]]
    for place in (0, 1):
        ours = [decimal.Decimal(row[place]) for row in after]
        theirs = [decimal.Decimal(row[place]) for row in before]
        bound = (max(theirs) - min(theirs)) / 100
        largest = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
        assert 0 < largest <= bound


@pytest.fixture
def tools(tmp_path):
    """(archive of a folder with files and folders of unusual modes, those modes by name)."""
    folder = tmp_path / "f"
    (folder / "shared").mkdir(parents=True)
    names = ("x.bin", "tool", "grouped", "both", "kept")
    for number, name in enumerate(names):
        (folder / name).write_bytes(bytes([number]) * 99)
    Image.new("L", (8, 8), 7).save(folder / "a.png")
    modes = {
        "x.bin": 0o640, "tool": 0o4750, "grouped": 0o2755, "both": 0o6711, "kept": 0o1644,
        "a.png": 0o4644, "shared": 0o3770, ".": 0o755,
    }  # fmt: skip
    for name, mode in modes.items():
        (folder / name).chmod(mode)
    operations.compress(folder, tmp_path / "f.aez")
    return tmp_path / "f.aez", modes


def modes_of(folder, names):
    return {name: stat.S_IMODE((folder / name).stat().st_mode) for name in names}


def test_no_file_of_an_archive_runs_with_the_rights_of_who_restores_it(tools, tmp_path, capsys):
    archive, modes = tools
    lent = {"tool", "grouped", "both", "a.png"}
    safe = {name: mode & 0o1777 if name in lent else mode for name, mode in modes.items()}
    assert status(["decompress", str(archive), "-o", str(tmp_path / "again")]) == 0
    assert modes_of(tmp_path / "again", modes) == safe
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note:")]
    assert len(told) == 1 and "setuid and setgid bits were left out" in told[0]
    assert " and 3 more)" in told[0]
    for name in lent:  # a file that is replaced does not lend its bits either
        (tmp_path / "again" / name).chmod(0o6755)
    notes = []
    operations.decompress(archive, tmp_path / "again", force=True, notes=notes)
    assert modes_of(tmp_path / "again", modes) == safe and len(notes) == 1


def test_modes_without_those_bits_come_back_without_a_word(tmp_path):
    folder = tmp_path / "f"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "x").write_bytes(b"x")
    modes = {"sub/x": 0o1640, "sub": 0o3750}
    for name, mode in modes.items():
        (folder / name).chmod(mode)
    operations.compress(folder, tmp_path / "f.aez")
    notes = []
    operations.decompress(tmp_path / "f.aez", tmp_path / "again", notes=notes)
    assert modes_of(tmp_path / "again", modes) == modes and not notes


def test_setuid_of_a_folder_is_left_out_too(tmp_path):
    unlent = []
    write_folder(
        tmp_path / "f", [], force=False, permissions={"sub": 0o6755, "": 0o755}, unlent=unlent
    )
    assert modes_of(tmp_path / "f", ["sub"]) == {"sub": 0o2755} and unlent == ["sub"]


def test_what_pictures_lose_by_pixel_is_said(tmp_path, capsys):
    (tmp_path / "f").mkdir()
    notes = PngInfo()
    notes.add_text("Author", "ann")
    Image.new("L", (8, 8), 7).save(tmp_path / "f" / "a.png", pnginfo=notes, dpi=(300, 300))
    assert status(["compress", str(tmp_path / "f")]) == 0
    assert (
        "without notes in their files such as text, times and resolution" in capsys.readouterr().err
    )
    assert status(["info", str(tmp_path / "f.aez")]) == 0
    assert "without notes in their files" in capsys.readouterr().out


def test_a_name_of_another_kind_of_table_makes_a_copy_of_that_kind(tmp_path, capsys):
    pq.write_table(NUMBERS, tmp_path / "t.parquet")
    operations.compress(tmp_path / "t.parquet", tmp_path / "t.aez")
    assert status(["decompress", str(tmp_path / "t.aez"), "-o", str(tmp_path / "r.csv")]) == 0
    copied = pd.read_csv(tmp_path / "r.csv")
    pd.testing.assert_frame_equal(copied, NUMBERS.to_pandas(), check_dtype=False)
    assert "note:" in capsys.readouterr().err
    # an array is no table
    assert status(["decompress", str(tmp_path / "t.aez"), "-o", str(tmp_path / "r.npy")]) == 2
    assert "npy" in capsys.readouterr().err and not (tmp_path / "r.npy").exists()


@pytest.mark.parametrize(("name", "said"), [
    ("g.bz2", "is not compressed, whatever its name says"), ("r.parquet", ""), ("r.dat", ""),
    ("r", "holds Parquet, which its name does not say"),
])  # fmt: skip
def test_a_name_that_promises_another_kind_of_file_is_said(tmp_path, capsys, name, said):
    pq.write_table(NUMBERS, tmp_path / "t.parquet")
    operations.compress(tmp_path / "t.parquet", tmp_path / "t.aez")
    assert status(["decompress", str(tmp_path / "t.aez"), "-o", str(tmp_path / name)]) == 0
    assert pq.read_table(tmp_path / name).equals(NUMBERS)
    told = capsys.readouterr().err
    assert said in told and ("note:" in told) == bool(said)


def test_a_folder_is_called_one_and_has_no_columns(tmp_path, capsys):
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "a.csv").write_text("a,b\n1,2\n")
    operations.compress(tmp_path / "f", tmp_path / "f.aez")
    assert status(["info", str(tmp_path / "f.aez")]) == 0
    assert "kind             folder" in capsys.readouterr().out
    assert (
        status(["decompress", str(tmp_path / "f.aez"), "-o", str(tmp_path / "g"), "--columns", "a"])
        == 2
    )
    assert "--columns is for tables, and this holds a folder" in capsys.readouterr().err
    assert not (tmp_path / "g").exists()


def test_a_model_that_is_not_there_is_no_damage(tmp_path, capsys):
    table = tmp_path / "t.csv"
    table.write_text("a,b\n" + "".join(f"{i},{i * 2}\n" for i in range(200)))
    model = operations.fit(table, operations.FitOptions("pca"))
    options = operations.CompressOptions(lossy_only=True, embed=False)
    operations.compress(table, tmp_path / "t.aez", model, options)
    assert status(["decompress", str(tmp_path / "t.aez"), "-o", str(tmp_path / "again")]) == 2
    assert "needs the model whose sha256 begins" in capsys.readouterr().err
    assert not (tmp_path / "again").exists()
