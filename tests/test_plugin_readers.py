"""Files and folders that a plugin's readers read and write, and what is said of readers that fail."""

import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import aetool
from aetool import operations, plugins
from aetool.data import readers, sources
from aetool.data.table import Cells
from aetool.errors import DataError, PluginError
from aetool.writing import records

sys.path.insert(0, str(Path(__file__).parent / "thirdparty"))
import aetool_thirdparty
from aetool_thirdparty.reader import LoggerFolder


@pytest.fixture
def strangers(monkeypatch):
    """The third-party distribution, as if it were installed beside the built-ins."""
    own = metadata.entry_points

    def with_strangers(group):
        entry = metadata.EntryPoint("bounded", "aetool_thirdparty", group)
        return [*own(group=group), entry] if group.startswith("aetool") else own(group=group)

    monkeypatch.setattr(plugins, "entry_points", with_strangers)


def values(source, name):
    column = np.concatenate([batch[name] for batch in cells_as_numbers(source)])
    return column


def cells_as_numbers(source):
    for batch in source.batches():
        yield {
            name: np.array(v.strings(), float) if isinstance(v, Cells) else v
            for name, v in zip(batch.names, batch.values, strict=True)
        }


def fixed_width(frame, path):
    cells = frame.astype(str)
    lines = ["".join(f"{name:<10}" for name in frame)]
    lines += ["".join(f"{cell:<10}" for cell in row) for row in cells.itertuples(index=False)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    made = pd.DataFrame(rng.normal(size=(300, 3)).round(2), columns=["a", "b", "c"])
    return made.assign(c=(made.a + made.b).round(2))


def test_a_table_of_fixed_width_has_the_scores_of_its_csv(strangers, frame, tmp_path):
    wide = fixed_width(frame, tmp_path / "t.fwf")
    frame.to_csv(tmp_path / "t.csv", index=False)
    model = aetool.fit(tmp_path / "t.csv", plugin="pca")
    np.testing.assert_allclose(model.score(wide), model.score(tmp_path / "t.csv"), rtol=1e-9)
    again = aetool.fit(wide, plugin="pca")
    np.testing.assert_allclose(again.score(wide), model.score(wide), rtol=1e-9)


def test_what_is_detected_goes_back_into_the_format(strangers, frame, tmp_path, run):
    wide = fixed_width(frame, tmp_path / "t.fwf")
    done = run("detect", wide, "-p", "pca", "--top", 3, "--append", "-o", tmp_path / "odd.fwf")
    assert done.status == 0, done.err
    back = pd.read_fwf(tmp_path / "odd.fwf", infer_nrows=10)
    assert list(back)[:3] == ["row", "score", "p"] and len(back) == 3
    assert run("detect", wide, "-o", tmp_path / "odd.fwf").status == 2, "it exists already"
    chosen = frame.iloc[back["row"] - 1]
    assert back["a"].tolist() == chosen["a"].tolist()


def test_archives_keep_the_file_and_restore_others_into_the_format(strangers, frame, tmp_path, run):
    wide = fixed_width(frame, tmp_path / "t.fwf")
    done = run("compress", wide, "-o", tmp_path / "t.aez")
    assert done.status == 0 and "read by way of its records, and kept as the file" in done.err
    run("decompress", tmp_path / "t.aez", "-o", tmp_path / "back.fwf")
    assert (tmp_path / "back.fwf").read_bytes() == wide.read_bytes()
    refused = run("compress", wide, "--max-error", "1", "-o", tmp_path / "u.aez")
    assert refused.status == 2 and "--max-error is for CSV" in refused.err
    # a table in another format comes back in this one where its name says so
    frame.to_csv(tmp_path / "t.csv", index=False)
    run("compress", tmp_path / "t.csv", "-o", tmp_path / "c.aez")
    assert run("decompress", tmp_path / "c.aez", "-o", tmp_path / "c.fwf").status == 0
    pd.testing.assert_frame_equal(pd.read_fwf(tmp_path / "c.fwf", infer_nrows=300), frame)
    run(
        "decompress",
        tmp_path / "c.aez",
        "--rows",
        "2:3",
        "--columns",
        "b",
        "-o",
        tmp_path / "d.fwf",
    )
    assert (tmp_path / "d.fwf").read_text().split() == ["b", *map(str, frame["b"][1:3])]


def test_records_restored_in_pieces_have_one_schema(strangers, tmp_path, monkeypatch):
    monkeypatch.setattr(records, "AT_ONCE", 2)
    (tmp_path / "t.csv").write_text("a,b\n1,x\n2,y\n3.5,4\n5,6\n")
    operations.compress(tmp_path / "t.csv", tmp_path / "t.aez")
    operations.decompress(tmp_path / "t.aez", tmp_path / "t.fwf")
    assert (tmp_path / "t.fwf").read_text().split() == (
        ["a", "b", "1.0", "x", "2.0", "y", "3.5", "4", "5.0", "6"]
    )


@pytest.fixture
def logged(tmp_path, frame):
    folder = tmp_path / "run7"
    folder.mkdir()
    batches = [
        pa.RecordBatch.from_pandas(part, preserve_index=False)
        for part in (frame[:200], frame[200:])
    ]
    LoggerFolder().write(folder, iter(batches))
    return folder


def test_a_folder_is_read_and_written(strangers, logged, frame, tmp_path, run):
    source = sources.open_source(logged)
    np.testing.assert_array_equal(values(source, "b"), frame["b"].to_numpy(np.float32))
    np.testing.assert_array_equal(values(source, "b"), frame["b"].to_numpy(np.float32))
    assert run("detect", logged, "-p", "pca", "--top", 2).out.count("\n") == 3
    run("compress", logged, "-o", tmp_path / "l.aez")
    run("decompress", tmp_path / "l.aez", "-o", tmp_path / "back")
    for file in logged.iterdir():
        assert (tmp_path / "back" / file.name).read_bytes() == file.read_bytes()
    frame.to_parquet(tmp_path / "t.parquet")
    run("compress", tmp_path / "t.parquet", "-o", tmp_path / "t.aez")
    done = run("decompress", tmp_path / "t.aez", "-o", tmp_path / "t.logger")
    assert done.status == 0, done.err
    np.testing.assert_array_equal(
        values(sources.open_source(tmp_path / "t.logger"), "c"), frame["c"].to_numpy(np.float32)
    )


def test_pictures_are_read_and_written(strangers, folder, tmp_path, run):
    pixels = np.stack([picture.pixels for picture in sources.open_source(folder).pictures()])
    camera = tmp_path / "p.frames"
    camera.write_bytes(np.array(pixels.shape[1:], "<u2").tobytes() + pixels.tobytes())
    np.save(tmp_path / "p.npy", pixels)
    model = aetool.fit(tmp_path / "p.npy", plugin="pca")
    np.testing.assert_array_equal(model.score(camera), model.score(tmp_path / "p.npy"))
    run("compress", tmp_path / "p.npy", "-o", tmp_path / "p.aez")
    assert run("decompress", tmp_path / "p.aez", "-o", tmp_path / "q.frames").status == 0
    assert (tmp_path / "q.frames").read_bytes() == camera.read_bytes()


class Own(aetool.Reader):
    """Takes CSV itself."""

    name = "own"

    def matches(self, path):
        return path.suffix in (".csv", "")

    def batches(self, path):
        yield pa.record_batch({"read": ["by the plugin"]})


class ReadBy:
    """Readers as a plugin called p would bring them."""

    def __init__(self, monkeypatch):
        self.monkeypatch = monkeypatch

    def __call__(self, *given):
        owned = [
            reader if isinstance(reader, PluginError) else plugins.OwnedReader("p", reader)
            for reader in given
        ]
        self.monkeypatch.setattr(readers.plugins, "readers_installed", lambda: iter(owned))


@pytest.fixture
def read_by(monkeypatch):
    return ReadBy(monkeypatch)


def test_plugins_are_asked_before_our_own_kinds(read_by, tmp_path, rows_csv, folder):
    read_by(Own())
    assert sources.open_source(rows_csv).head().names == ("read",)
    assert sources.open_source(folder).head().names == ("read",)


def test_a_plugin_that_cannot_be_used_is_said_and_passed_over(read_by, rows_csv, run):
    read_by(PluginError("plugin 'x' cannot be used: ImportError"))
    done = run("detect", rows_csv, "-p", "pca", "--top", 1)
    assert done.status == 0 and "plugin 'x' cannot be used: ImportError" in done.err


class Failing(aetool.Reader):
    """Does what its test tells it."""

    name = "failing"

    def __init__(self, does):
        self.does = does

    def matches(self, path):
        if self.does == "matches":
            raise KeyError("magic")
        return 1 if self.does == "truth" else path.suffix == ".x"

    def batches(self, path):
        good = pa.record_batch({"a": [1.0]})
        wrong = {
            "frame": pd.DataFrame({"a": [1.0]}),
            "floats": np.zeros((2, 3, 3)),
            "schema": pa.record_batch({"a": ["x"]}),
            "kind": np.zeros((1, 2, 2), np.uint8),
            "channels": np.zeros((2, 4, 4, 5), np.uint8),
        }
        if self.does == "nothing":
            return
        if self.does in ("schema", "kind", "late", "said"):
            yield good
        if self.does == "late":
            raise ValueError("line 7 ends\nwithin a record")
        if self.does == "said":
            raise DataError("line 7 has two fields")
        yield wrong.get(self.does, good)

    def write(self, path, batches):
        if self.does == "write":
            list(batches)
            raise RuntimeError("no pen")


FAILURES = {
    "matches": "matches raised KeyError: 'magic'",
    "truth": "matches returned 1; wanted is True or False",
    "nothing": "batches yielded nothing",
    "frame": "batch 1 of batches is a DataFrame; wanted are batches of a table",
    "floats": "batch 1 of batches is float64 of shape (2, 3, 3); wanted",
    "channels": "batch 1 of batches is uint8 of shape (2, 4, 4, 5); wanted are batches of a table "
    "(pyarrow.RecordBatch) or of pictures (numpy, uint8) of (n, height, width[, 1 to 4])",
    "schema": "batch 2 of batches is of another schema than the first one (a)",
    "kind": "batch 2 of batches is of pictures, and the first one of a table",
    "late": "ValueError: line 7 ends within a record",
    "said": "line 7 has two fields",
}


@pytest.mark.parametrize("does", FAILURES)
def test_a_failure_names_plugin_file_and_what_was_wrong(read_by, tmp_path, run, does):
    read_by(Failing(does))
    (tmp_path / "t.x").write_text("?")
    done = run("detect", tmp_path / "t.x")
    (line,) = done.err.splitlines()
    assert done.status == 2
    said = f"{tmp_path}/t.x: reader 'failing' of plugin 'p': {FAILURES[does]}"
    assert line.startswith(f"aetool: error: {said}")


@pytest.mark.parametrize(
    ("does", "said"),
    [("write", "write raised RuntimeError: no pen"), ("", "write returned, and there is no file")],
)
def test_a_failed_way_back_leaves_nothing(read_by, tmp_path, run, rows_csv, does, said):
    read_by(Failing(does))
    done = run("detect", rows_csv, "-p", "pca", "--top", 1, "-o", tmp_path / "t.x")
    assert done.status == 2 and not list(tmp_path.iterdir())
    assert f"{tmp_path}/t.x: reader 'failing' of plugin 'p': {said}" in done.err


def test_a_reader_that_no_metadata_tell_of_is_an_error(monkeypatch):
    entry = metadata.EntryPoint("bounded", "aetool_thirdparty", plugins.GROUP)
    monkeypatch.setattr(
        plugins, "entry_points", lambda group: [entry] if group == plugins.GROUP else []
    )
    with pytest.raises(PluginError, match=r'entry-points."aetool.readers"\] with bounded ='):
        plugins.load("bounded")
    assert aetool_thirdparty.aetool_readers


def test_no_plugin_is_imported_for_a_file_unless_it_brings_readers(rows_csv, pca):
    from tests.conftest import fresh

    code = (
        "import sys\nfrom aetool.cli import status\n"
        "assert status(['detect', sys.argv[1], '-m', sys.argv[2]]) == 0\n"
        "own = [name for name in sys.modules if name.startswith('aetool_')]\nassert not own, own"
    )
    done = fresh(code, str(rows_csv), str(pca))
    assert done.returncode == 0, done.stderr
