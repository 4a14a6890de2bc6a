"""A sample that workers draw, and the models that are fitted on it: those of one thread."""

import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import aetool
from aetool import engine as engines
from aetool import plugins
from aetool.closed_form import ClosedForm
from aetool.codec.planning import Effort
from aetool.data import drawn, pieces, sources
from aetool.errors import DataError
from tests.test_engine import Scattered

ROWS = 1500
CLOSED_FORMS = sorted(
    model.name
    for model in plugins.models_installed()
    if not isinstance(model, Exception)
    and "table" in model.data
    and model.net
    and isinstance(net := plugins.resolve(model.net), type)
    and issubclass(net, ClosedForm)
)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(pieces, "TEXT_BYTES", 1 << 12)
    monkeypatch.setattr(pieces, "MOST_CELLS", 1)
    monkeypatch.setattr(pieces, "ROWS", 1)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(11)
    frame = pd.DataFrame(rng.normal(size=(ROWS, 3)).round(3), columns=list("abc"))
    frame["kind"] = rng.choice(["plain", "with, comma", 'with "quote"', "two\nlines"], ROWS)
    frame.loc[::40, "b"] = np.nan
    return frame


def test_the_key_of_a_record_hangs_on_its_place_alone():
    every = np.random.default_rng(5).random(1000)
    for first, rows in ((0, 1000), (0, 1), (1, 10), (17, 400), (999, 1), (500, 0)):
        assert np.array_equal(drawn.keys_of(5, first, rows), every[first : first + rows])
    assert not np.array_equal(drawn.keys_of(6, 0, 1000), every)


def values_of(table) -> list:
    return [
        column.strings() if hasattr(column, "strings") else np.asarray(column).tobytes()
        for column in table.values
    ]


@pytest.mark.parametrize("most", [1, 40, 500, ROWS - 1, ROWS, 10**12])
@pytest.mark.parametrize("kind", ["csv", "parquet", "folder"])
def test_a_sample_is_the_same_whoever_draws_it(table, tmp_path, kind, most):
    path = written(table, tmp_path, kind)
    source = sources.open_source(path)
    serial, total = source.sample(most, seed=3)
    for executor in (Scattered(), "threads:3"):
        with engines.opened(executor) as engine:
            spread, count = drawn.sampled(source, most, 3, engine)
        assert total == count == ROWS and len(serial) == len(spread) == min(most, ROWS)
        assert serial.names == spread.names and values_of(serial) == values_of(spread)


def written(table, folder: Path, kind: str) -> Path:
    """The table as one file, or in parts."""
    if kind == "csv":
        table.to_csv(folder / "t.csv", index=False)
    elif kind == "parquet":
        table.to_parquet(folder / "t.parquet", row_group_size=97)
    else:
        for number, first in enumerate(range(0, ROWS, 400)):
            part = table.iloc[first : first + 400]
            part.to_parquet(folder / f"{number}.parquet", row_group_size=150)
        return folder
    return folder / f"t.{kind}"


def test_what_can_no_longer_be_in_the_sample_does_not_travel(table, tmp_path):
    """Once enough records are there, a worker is told the key that all others must be below."""
    path = written(table, tmp_path, "parquet")
    source = sources.open_source(path)
    drawer, sample = drawn.Drawer(20, 3), drawn.Sample(20)
    sent = []
    for piece in pieces.pieces_of(source):
        part, _ = drawer(drawn.Asked(piece, sample.bound))
        sample.add(part.table, part.keys)
        sample.close()
        sent.append(len(part.keys))
    assert len(sent) == 16 and max(sent[:2]) == 20
    # of the last half of the records each is in the sample by one chance in seventy
    assert sum(sent[8:]) < 40


def test_texts_in_which_places_are_not_told_are_read_here(tmp_path):
    """A comment among the records has a number of its own."""
    path = tmp_path / "t.csv"
    path.write_bytes(b"# made\na,b\n" + b"# remark\n1.5,2\n2.5,3\n" * 700)
    source = sources.open_source(path)
    serial, total = source.sample(50, seed=1)
    with engines.opened("threads:2") as engine:
        spread, count = drawn.sampled(source, 50, 1, engine)
    assert total == count == 1400 and values_of(serial) == values_of(spread)


def test_a_table_without_records_is_refused_as_without_an_engine(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n")
    with pytest.raises(DataError, match="no records in it"):
        aetool.fit(path, plugin="pca", executor="threads:2")


def test_the_shell_fits_and_encodes_by_an_engine(run, table, tmp_path):
    path = written(table, tmp_path, "csv")
    command = ("fit", path, "-p", "pca", "-O", "latent=2")
    assert run(*command, "-o", tmp_path / "serial.aem").status == 0
    ran = run(*command, "-o", tmp_path / "spread.aem", "--engine", "threads:2")
    assert ran.status == 0, ran.err
    assert (tmp_path / "serial.aem").read_bytes() == (tmp_path / "spread.aem").read_bytes()
    for kind in ("csv", "parquet"):
        command = ("encode", path, "-m", tmp_path / "serial.aem", "--id", "kind,a")
        serial, spread = tmp_path / f"serial.{kind}", tmp_path / f"spread.{kind}"
        assert run(*command, "-o", serial).status == 0
        assert run(*command, "-o", spread, "--engine", "threads:2").status == 0
        if kind == "csv":
            assert serial.read_bytes() == spread.read_bytes()
        else:  # whose groups of rows are the pieces that were read
            pd.testing.assert_frame_equal(pd.read_parquet(serial), pd.read_parquet(spread))
    ran = run("encode", path, "-m", tmp_path / "serial.aem", "--id", "none", "-o",
              tmp_path / "c.csv", "--engine", "threads:2")  # fmt: skip
    assert ran.status == 2 and "--id none" in ran.err and len(ran.err.splitlines()) == 1


def test_what_is_no_executor_is_refused_in_one_line(table):
    with pytest.raises(aetool.errors.ParamError, match="int is no executor"):
        aetool.fit(table, plugin="pca", executor=5)


# ---- any partition of a table


def partitioned(table, folder: Path, chance: random.Random) -> Path:
    """The table in files of a few rows each, of which some are empty; their names tell the order,
    in which they are not written."""
    folder.mkdir()
    cuts = sorted(chance.randint(0, ROWS) for _ in range(chance.randint(1, 6)))
    edges = [0, *cuts, ROWS]
    numbers = list(range(len(edges) - 1))
    chance.shuffle(numbers)
    for number in numbers:
        part = table.iloc[edges[number] : edges[number + 1]]
        group = chance.choice([50, 400, ROWS])
        part.to_parquet(folder / f"{number:03d}.parquet", row_group_size=group, index=False)
    return folder


def engine_by_chance(chance: random.Random):
    return chance.choice([None, "threads:1", "threads:3", Scattered(chance.random())])


def check_partition(table, folder: Path, seed: int, names: list[str], expected: dict) -> None:
    """Models of these names, fitted on a partition of the table, and the archive of all of it,
    written in a number of shards, have the expected bytes."""
    chance = random.Random(seed)
    parts = partitioned(table, folder / f"{seed}", chance)
    for name in names:
        model = aetool.fit(parts, plugin=name, executor=engine_by_chance(chance))
        assert model.sha256 == expected.setdefault(name, model.sha256), (seed, name)
    count = chance.randint(1, 5)
    shards = [folder / f"{seed}.{number}.aez" for number in range(1, count + 1)]
    for number, shard in enumerate(shards, 1):
        executor = engine_by_chance(chance)
        aetool.compress(
            folder / "whole.csv", shard, shard=f"{number}/{count}", executor=executor,
            effort=Effort(block=1 << 13),
        )  # fmt: skip
    chance.shuffle(shards)
    merged = folder / f"{seed}.aez"
    aetool.merge(shards, merged, executor=engine_by_chance(chance))
    assert merged.read_bytes() == expected.setdefault("archive", merged.read_bytes()), seed


def whole_of(table, folder: Path, names: list[str]) -> dict:
    """What one thread makes of the table in one file."""
    table.to_csv(folder / "whole.csv", index=False)
    table.to_parquet(folder / "whole.parquet", index=False)
    expected: dict = {
        name: aetool.fit(folder / "whole.parquet", plugin=name).sha256 for name in names
    }
    archive = folder / "whole.aez"
    aetool.compress(folder / "whole.csv", archive, effort=Effort(block=1 << 13))
    return {**expected, "archive": archive.read_bytes()}


def test_any_partition_gives_the_same_bytes(table, tmp_path, monkeypatch):
    """A sample is drawn, since there are more records than are fitted."""
    monkeypatch.setattr("aetool.fits.preparing.RESERVOIR", 300)
    names = ["pca", "histogram"] if "histogram" in CLOSED_FORMS else ["pca"]
    expected = whole_of(table, tmp_path, names)
    # two are enough to differ; a hundred are of the long set
    for seed in range(2):
        check_partition(table, tmp_path, seed, names, expected)


@pytest.mark.long
def test_a_hundred_partitions_give_the_same_bytes_for_every_closed_form(
    table, tmp_path, monkeypatch
):
    monkeypatch.setattr("aetool.fits.preparing.RESERVOIR", 300)
    expected = whole_of(table, tmp_path, CLOSED_FORMS)
    for seed in range(100):
        check_partition(table, tmp_path, 1000 + seed, CLOSED_FORMS, expected)
