"""Work on an engine: whatever computes it, in whatever order, the results are those of one thread."""

import contextlib
import dataclasses
import os
import random
import subprocess
import sys
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import aetool
from aetool import engine, operations, system
from aetool.data import pieces, sources, text
from aetool.errors import DataError, EngineError, ParamError
from aetool.scoring import threads
from tests.sweeps import one_in

ROWS = 3000
SMALL = 1 << 12  # bytes of a piece of text, so that there are many
# of one that fills a batch of a graph, which is always run whole: a tenth of the table
TENTH = 1 << 14


class Scattered(Executor):
    """Computes what it was given when an answer is asked for, in an order of its own, and some of
    it twice: the answers must not tell."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = random.Random(seed)
        self.waiting: list = []

    def submit(self, function, /, *args, **keywords):
        future = Asked(self)
        self.waiting.append((future, lambda: function(*args, **keywords)))
        return future

    def compute(self) -> None:
        self.rng.shuffle(self.waiting)
        while self.waiting:
            future, computed = self.waiting.pop()
            if self.rng.random() < 0.2:
                computed()
            future.set_result(computed())


class Asked(Future):
    """An answer that is computed when it is asked for."""

    def __init__(self, executor: Scattered) -> None:
        super().__init__()
        self.executor = executor

    def result(self, timeout=None):
        self.executor.compute()
        return super().result(timeout)


@pytest.fixture(scope="module")
def processes():
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rng.normal(size=(ROWS, 4)).round(3), columns=list("abcd"))
    frame["kind"] = rng.choice(["plain", "with, comma", 'with "quote"', "two\nlines"], ROWS)
    frame["when"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(ROWS), "min")
    frame.iloc[::500, 0] = 60.0
    return frame


@pytest.fixture(scope="module")
def files(table, tmp_path_factory):
    """The same table as one file, and in parts, as text and as Parquet."""
    folder = tmp_path_factory.mktemp("engine")
    table.to_csv(folder / "whole.csv", index=False)
    table.to_parquet(folder / "whole.parquet", row_group_size=400)
    for kind in ("csv", "parquet"):
        (folder / kind).mkdir()
        for number, first in enumerate(range(0, ROWS, 1000)):
            part = table.iloc[first : first + 1000]
            path = folder / kind / f"{number}.{kind}"
            if kind == "csv":
                part.to_csv(path, index=False)
            else:
                part.to_parquet(path, row_group_size=300)
    return folder


@pytest.fixture(scope="module")
def model(table):
    return aetool.fit(table, plugin="pca")


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(pieces, "TEXT_BYTES", SMALL)
    monkeypatch.setattr(pieces, "MOST_CELLS", 1)
    monkeypatch.setattr(pieces, "ROWS", 1)


SOURCES = ("whole.csv", "whole.parquet", "csv", "parquet")


@pytest.fixture
def in_tenths(files, small_pieces, monkeypatch):
    """Tables of text are cut into few pieces: each costs as much as a batch of them does."""
    monkeypatch.setattr(pieces, "TEXT_BYTES", TENTH)
    for name in ("whole.csv", "csv"):
        assert len(list(pieces.pieces_of(sources.open_source(files / name)))) >= 9, "still many"


@pytest.mark.parametrize(
    "name",
    # the whole table in one file is cut as the files of a folder are, and as Parquet is
    [pytest.param(n, marks=pytest.mark.long if n == "whole.csv" else ()) for n in SOURCES],
)
def test_scores_and_reasons_are_those_of_one_thread(files, model, processes, name, in_tenths):
    serial = model.detect(files / name, append=[])
    spread = model.detect(files / name, append=[], executor=processes)
    pd.testing.assert_frame_equal(serial, spread, check_exact=True)


# each scores the table twice: one that asks for a number, one for a rate
@pytest.mark.parametrize("asked", [{"top": 7}, pytest.param({"contamination": 0.01}, marks=pytest.mark.long),
                                   {"fdr": 0.2}, pytest.param({"fpr": 0.1}, marks=pytest.mark.long)])  # fmt: skip
def test_what_is_flagged_by_rank_is_the_same(files, model, asked, in_tenths):
    with Scattered() as scattered:
        serial = model.detect(files / "csv", all_rows=False, **asked)
        spread = model.detect(files / "csv", all_rows=False, executor=scattered, **asked)
    pd.testing.assert_frame_equal(serial, spread, check_exact=True)


def test_codes_scores_and_figures_are_the_same(files, table, model):
    labelled = table.assign(label=np.where(table["a"] == 60, "odd", "good"))
    kept = {"executor": "threads:2"}
    path = files / "whole.csv"
    assert np.array_equal(model.score(path), model.score(path, **kept))
    assert np.array_equal(model.encode(path), model.encode(path, **kept))
    assert model.evaluate(labelled, "label", "good") == model.evaluate(
        labelled, "label", "good", **kept
    )


# what one file and several are cut into is told above of both kinds of each
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name == "whole.parquet" else pytest.mark.long)
        for name in SOURCES
    ],
)
def test_a_large_table_is_scored_by_threads_though_no_engine_was_asked_for(
    files, table, model, monkeypatch, name, in_tenths
):
    path = files / name
    serial = model.detect(path, append=[])
    by_fit = aetool.detect(path, plugin="pca")
    scores = model.score(path)
    codes = model.encode(path)
    labelled = files / "labelled.csv"
    table.assign(label=np.where(table["a"] == 60, "odd", "good")).to_csv(labelled, index=False)
    figures = model.evaluate(labelled, "label", "good")
    opened = []
    engine_of = engine.opened
    monkeypatch.setattr(threads, "LARGE", 0)
    monkeypatch.setattr(system, "usable_cores", lambda: 3)
    monkeypatch.setattr(engine, "opened", lambda chosen: opened.append(chosen) or engine_of(chosen))
    pd.testing.assert_frame_equal(serial, model.detect(path, append=[]), check_exact=True)
    pd.testing.assert_frame_equal(by_fit, aetool.detect(path, plugin="pca"), check_exact=True)
    assert np.array_equal(scores, model.score(path))
    assert np.array_equal(codes, model.encode(path))
    assert figures == model.evaluate(labelled, "label", "good")
    assert opened.count("threads:3") >= 5


def test_small_tables_and_tables_in_memory_are_scored_by_one_thread(
    files, table, model, monkeypatch
):
    monkeypatch.setattr(system, "usable_cores", lambda: 3)
    graph = model.session("score.onnx")
    small = sources.open_source(files / "whole.csv")
    with threads.engine_for(None, small, model, graph) as chosen:
        assert chosen is None
    monkeypatch.setattr(threads, "LARGE", 0)
    with threads.engine_for(None, small, model, graph) as chosen:
        assert chosen.called == "threads:3"
    in_memory = sources.open_source(table)
    with threads.engine_for(None, in_memory, model, graph) as chosen:
        assert chosen is None
    monkeypatch.setattr(system, "usable_cores", lambda: 1)
    with threads.engine_for(None, small, model, graph) as chosen:
        assert chosen is None


def test_pictures_are_scored_the_same(folder, pca_pictures):
    model = aetool.load(pca_pictures)
    serial = model.detect(folder)
    pd.testing.assert_frame_equal(serial, model.detect(folder, executor="threads:2"))


# each fits a model and scores two sources twice; rows of groups are of the next test
@pytest.mark.parametrize("options", [pytest.param({"context": 2}, marks=pytest.mark.long),
                                     pytest.param({"context": 2, "group": "kind"}, marks=pytest.mark.long),
                                     {"context": 1, "order": "when"}])  # fmt: skip
def test_rows_before_a_cut_are_given_to_those_behind_it(files, table, options):
    model = aetool.fit(table, plugin="pca", **options)
    for name in ("whole.csv", "parquet"):
        serial = model.score(files / name)
        assert np.array_equal(serial, model.score(files / name, executor="threads:3"))


def test_rows_of_groups_are_read_by_workers_alone(files, table, monkeypatch):
    """Also of groups that are rarer than cuts; the reasons of flagged rows are the same, too."""
    rare = table.assign(
        kind=[f"k{number % 7}" if number % 50 else "rare" for number in range(ROWS)]
    )
    path = files / "rare.csv"
    rare.to_csv(path, index=False)
    # a piece costs as much as a batch does
    monkeypatch.setattr(pieces, "TEXT_BYTES", path.stat().st_size // 22)
    model = aetool.fit(rare, plugin="pca", context=3, group="kind")
    serial = model.detect(path, top=20)
    monkeypatch.setattr("aetool.scoring.spread.inputs_of", None)
    with Scattered() as scattered:
        pd.testing.assert_frame_equal(serial, model.detect(path, top=20, executor=scattered))
        source = sources.open_source(path)
        assert len(list(pieces.pieces_of(source))) > 20


def test_a_large_group_of_rows_is_read_in_slices(table, tmp_path, monkeypatch):
    """Also where a group is read in several batches; small groups beside it are joined."""
    monkeypatch.setattr("aetool.data.arrow_source.ROWS", 64)
    monkeypatch.setattr(pieces, "MOST_CELLS", 4800)
    path = tmp_path / "t.parquet"
    arrow = pa.Table.from_pandas(table)
    with pq.ParquetWriter(path, arrow.schema) as writer:
        for first, rows in ((0, 20), (20, 30), (50, 1000), (1050, 10), (1060, 390)):
            writer.write_table(arrow.slice(first, rows), row_group_size=rows)
    source = sources.open_source(path)
    assert [(piece.first, piece.rows) for piece in pieces.pieces_of(source)] == [
        (0, 50), (50, 1000), (1050, 400),
    ]  # fmt: skip
    cut = list(pieces.pieces_of(source, finer=4))
    assert [(piece.first, piece.rows, piece.before) for piece in cut] == [
        (0, 50, 0), (50, 250, 0), (300, 250, 250), (550, 250, 500), (800, 250, 750),
        (1050, 10, 0), (1060, 195, 0), (1255, 195, 195),
    ]  # fmt: skip
    read = [part for piece in cut for part in piece.tables(text.LeftOut())]
    firsts = np.cumsum([0, *map(len, read)])
    assert [part.first_row for part in read] == firsts[:-1].tolist() and firsts[-1] == 1450
    numbers = np.concatenate([part["a"] for part in read])
    assert np.array_equal(numbers, table["a"][:1450])


def test_pieces_of_a_text_are_its_records(files):
    source = sources.open_source(files / "whole.csv")
    cut = list(pieces.pieces_of(source))
    assert len(cut) > 20 and sum(piece.rows for piece in cut) == ROWS
    raw = (files / "whole.csv").read_bytes()
    assert all(raw[piece.start - 1 : piece.start] == b"\n" for piece in cut)
    assert cut[-1].stop == len(raw) and cut[-1].is_last
    again = [len(table) for piece in cut for table in piece.tables(text.LeftOut())]
    assert sum(again) == ROWS


ODD_TEXTS = {
    "comments": b"# made\na,b\n" + b"# x\n1.5,2\n2.5,3\n" * 900,
    "footer": b"a,b\n" + b"1.5,2\n2.5,3\n" * 900 + b"total\n",
    "bytes": b"a,b\n" + b"1.5,2\n2.5,3\n" * 900 + b"2,\xe9\n",
    "end": b"a,b\n" + b"1.5,2\n2.5,3\n" * 900 + b"\x1a",
    "ragged": b"a,b\n" + b"1.5,2\n2.5,3\n" * 900 + b"1,2,3\n1,2\n",
    "footer inside": b"a,b\n" + b"1.5,2\n" * 900 + b"total\n" + b"1.5,2\n" * 900,
}


@pytest.mark.parametrize("kind", one_in(2, ODD_TEXTS))
def test_odd_lines_are_told_as_one_thread_tells_them(run, tmp_path, kind):
    """The same rows, the same remarks, the same errors with the same row and line."""
    path = tmp_path / "odd.csv"
    path.write_bytes(ODD_TEXTS[kind])
    frame = pd.DataFrame({"a": [1.5, 2.5] * 300, "b": [2.0, 3.0] * 300})
    aetool.fit(frame, plugin="pca").save(tmp_path / "m.aem")
    command = ("detect", path, "-m", tmp_path / "m.aem", "--all")
    serial = run(*command)
    spread = run(*command, "--engine", "threads:3")
    assert (serial.status, serial.out) == (spread.status, spread.out)
    assert sorted(serial.err.splitlines()) == sorted(spread.err.splitlines())


def test_rows_of_several_texts_with_comments_are_those_without_an_engine(run, tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    rows = b"1.5,2\n# a remark\n2.5,3\n" * 50
    for name in ("one.csv", "two.csv"):
        (folder / name).write_bytes(b"# written by hand\na,b\n" + rows + b"9,-9\n")
    frame = pd.DataFrame({"a": [1.5, 2.5] * 300, "b": [2.0, 3.0] * 300})
    aetool.fit(frame, plugin="pca").save(tmp_path / "m.aem")
    command = ("detect", folder, "-m", tmp_path / "m.aem", "--top", "2", "--format", "csv")
    serial = run(*command)
    spread = run(*command, "--engine", "threads:2")
    assert serial.out == spread.out
    # records are counted through both texts: 101 in each, the odd one last
    numbers = [line.partition(",")[0] for line in serial.out.splitlines()[1:]]
    assert sorted(numbers) == ["101", "202"]


@pytest.mark.parametrize("kind", ["a file", "a folder"])
def test_blank_lines_alone_are_told_as_without_an_engine(run, model, tmp_path, kind):
    folder = tmp_path / "blank"
    folder.mkdir()
    for name in ("one.csv", "two.csv"):
        (folder / name).write_bytes(b"\n\n\n")
    path = folder if kind == "a folder" else folder / "one.csv"
    source = sources.open_source(path)
    assert list(pieces.pieces_of(source)) == [], "no record, and so no piece"
    model.save(tmp_path / "m.aem")
    by_model = ["-m", tmp_path / "m.aem"]
    # without a model there is nothing to learn from, with one no record to judge
    for further, status, said in (([], 2, "no records in it"), (by_model, 0, "holds no records")):
        serial = run("detect", path, *further)
        spread = run("detect", path, *further, "--engine", "processes:2")
        assert serial.status == status
        assert said in serial.err and serial.err.count("\n") == 1
        assert (spread.status, spread.out, spread.err) == (serial.status, serial.out, serial.err)


# figures of an engine are those of one thread in Python, in the fast set
@pytest.mark.long
def test_figures_of_an_engine_in_the_shell(run, files, table, model, tmp_path):
    model.save(tmp_path / "m.aem")
    labelled = tmp_path / "labelled.csv"
    table.assign(label=np.where(table["a"] == 60, "odd", "good")).to_csv(labelled, index=False)
    command = ("evaluate", labelled, "-m", tmp_path / "m.aem", "--label", "label",
               "--normal", "good")  # fmt: skip
    assert run(*command).out == run(*command, "--engine", "threads:2").out


# ---- engines


def test_a_misspelt_engine_is_told_before_anything_is_read(run, tmp_path):
    # a file that is not there would be told when it is opened
    absent = tmp_path / "absent.csv"
    for command in (
        ["detect", absent],
        ["fit", absent],
        ["encode", absent, "-o", tmp_path / "z.csv"],
    ):
        ran = run(*command, "--engine", "process:2")
        assert ran.status == 2
        assert ran.err.startswith("aetool: error: --engine process:2: write threads:N, processes:N")
    for call in (aetool.detect, aetool.fit):
        with pytest.raises(ParamError, match="executor process:2: write threads:N"):
            call(absent, executor="process:2")


def test_a_misspelt_engine_is_told_before_a_model_to_evaluate_is_learned(monkeypatch, tmp_path):
    from aetool.fits import fitting

    learned = []
    monkeypatch.setattr(fitting, "fit_source", lambda *given, **named: learned.append(given))
    path = tmp_path / "t.csv"
    path.write_text("a,kind\n" + "1,x\n" * 30 + "9,y\n", encoding="utf-8")
    with pytest.raises(ParamError, match="executor process:2: write threads:N"):
        operations.evaluate(path, None, "kind", ["x"], executor="process:2")
    assert not learned


def test_a_column_that_is_not_there_is_told_before_a_model_is_learned(run, files, monkeypatch):
    from aetool.fits import fitting

    learned = []
    monkeypatch.setattr(fitting, "fit_source", lambda *given, **named: learned.append(given))
    ran = run("detect", files / "whole.csv", "--id", "nam")
    assert ran.status == 2 and "no column 'nam'; there are" in ran.err
    assert not learned


@pytest.mark.parametrize("chosen", ["", "threads", "threads:0", "threads:-1", "threads:x", "dask",
                                    "processes:99999", "ray:2"])  # fmt: skip
def test_a_name_of_no_engine_is_refused_in_one_line(run, files, model, tmp_path, chosen):
    model.save(tmp_path / "m.aem")
    ran = run("detect", files / "whole.csv", "-m", tmp_path / "m.aem", "--engine", chosen)
    assert ran.status == 2 and len(ran.err.splitlines()) == 1
    assert "--engine" in ran.err
    with pytest.raises(ParamError, match="executor"):
        model.score(files / "whole.csv", executor=chosen)


def test_a_scheduler_that_is_not_there_is_one_line(monkeypatch, files, model):
    pytest.importorskip("distributed")
    monkeypatch.setattr(engine, "PATIENCE", 1)
    with pytest.raises(EngineError, match="no scheduler can be reached"):
        model.score(files / "whole.csv", executor="dask:tcp://127.0.0.1:9")


def twice(number: int) -> int:
    return 2 * number


def test_few_pieces_are_under_way_at_once():
    class Counting(Executor):
        waiting = most = 0

        def submit(self, function, /, *args, **keywords):
            future: Future = Future()
            Counting.waiting += 1
            Counting.most = max(Counting.most, Counting.waiting)
            future.set_result(function(*args, **keywords))
            return future

    with engine.opened(Counting()) as counting:
        for number, doubled in enumerate(counting.map(twice, range(500))):
            Counting.waiting -= 1
            assert doubled == 2 * number
    # what was under way first is sent once more, with the job
    assert Counting.most <= 2 * engine.SUBMITTED * counting.workers


class Late(Future):
    """An answer that comes just as the wait for it has ended."""

    def result(self, timeout=None):
        if timeout is None:
            return super().result()
        self.set_result(self.late)
        raise TimeoutError


def test_an_answer_that_comes_as_the_wait_ends_is_taken():
    class Tardy(Executor):
        def submit(self, function, /, *args, **keywords):
            future = Late()
            future.late = function(*args, **keywords)
            return future

    with engine.opened(Tardy()) as tardy:
        assert list(tardy.map(twice, range(9))) == [2 * number for number in range(9)]


def timed_out(number: int) -> int:
    raise TimeoutError(110, "no answer", "/far/away")


def test_a_task_that_waited_in_vain_says_for_what():
    with engine.opened("threads:2") as threads, pytest.raises(DataError, match="/far/away"):
        list(threads.map(timed_out, range(3)))


@dataclasses.dataclass(frozen=True)
class DiesOnce:
    """Ends the process that computes with it, once for each file that is there."""

    marks: Path

    def __call__(self, number: int) -> int:
        mark = self.marks / str(number)
        if mark.exists():
            mark.unlink()
            os._exit(9)
        return 2 * number


def test_pieces_of_a_worker_that_died_are_computed_again(tmp_path):
    for number in (3, 11):
        (tmp_path / str(number)).touch()
    with engine.opened("processes:2") as pool:
        assert list(pool.map(DiesOnce(tmp_path), range(20))) == [2 * n for n in range(20)]


@dataclasses.dataclass(frozen=True)
class AlwaysDies:
    def __call__(self, number: int) -> int:
        os._exit(9)
        return number


def test_a_piece_that_ends_every_worker_is_given_up(monkeypatch):
    monkeypatch.setattr(engine, "MOST_LOST", 1)
    with (
        engine.opened("processes:1") as pool,
        pytest.raises(EngineError, match="workers are lost"),
    ):
        list(pool.map(AlwaysDies(), range(3)))


def test_a_file_that_vanishes_is_one_line(tmp_path, table, model):
    table.to_parquet(tmp_path / "a.parquet", row_group_size=200)
    source = sources.open_source(tmp_path / "a.parquet")
    cut = list(pieces.pieces_of(source))
    (tmp_path / "a.parquet").unlink()
    with pytest.raises(DataError, match="while it was read"):
        list(cut[1].tables(text.LeftOut()))


def test_a_damaged_group_of_rows_is_one_line(tmp_path, table, model):
    path = tmp_path / "a.parquet"
    table.to_parquet(path, row_group_size=200)
    raw = bytearray(path.read_bytes())
    raw[20_000:20_200] = bytes(200)
    path.write_bytes(raw)
    with pytest.raises(DataError, match="damaged behind row"):
        model.score(path, executor="threads:2")


@pytest.fixture(scope="module")
def dask_client():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


# a cluster of its own takes fifteen seconds; the fast set kills a worker once in test_killed.py
@pytest.mark.long
@pytest.mark.filterwarnings("default")
def test_dask_scores_the_same_though_a_worker_is_killed(files, model, dask_client, tmp_path):
    serial = model.score(files / "parquet")
    by_address = "dask:" + dask_client.scheduler.address
    assert np.array_equal(serial, model.score(files / "parquet", executor=by_address))
    executor = dask_client.get_executor(pure=False)
    (tmp_path / "5").touch()
    with engine.opened(executor) as dask:
        assert list(dask.map(DiesOnce(tmp_path), range(12))) == [2 * n for n in range(12)]
    assert np.array_equal(serial, model.score(files / "csv", executor=executor))
    assert operations.detect(files / "csv", model, executor=executor).total == ROWS


# two processes of Dask; ones that never begin, and ones that die, are of the fast set
@pytest.mark.long
@pytest.mark.filterwarnings("default")
def test_workers_of_dask_that_are_begun_here(files, model, monkeypatch):
    """Pieces that are sent before the workers have begun wait for them. Freed memory is kept: the
    variables are there when a worker begins, since the C library reads them once."""
    pytest.importorskip("distributed")
    for name in engine.ALLOCATION:
        # what the user has set himself counts more; Dask leaves its own there, too
        monkeypatch.delenv(name, raising=False)
    with engine.opened("dask:local:2") as dask:
        assert dask.workers == 2
        assert list(dask.map(abs, range(-5, 0))) == [5, 4, 3, 2, 1]
        assert np.array_equal(model.score(files / "csv"), model.score(files / "csv", executor=dask))
        values = list(dask.map(os.getenv, engine.ALLOCATION))
    assert values == [str(value) for value in engine.ALLOCATION.values()]


@pytest.mark.filterwarnings("default")
def test_workers_of_dask_that_never_begin_are_one_line(monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(distributed.LocalCluster, "scale", lambda self, n: None)
    monkeypatch.setattr(engine, "BEGINNING", 0.0)
    monkeypatch.setattr(engine, "PATIENCE", 0.2)
    with (
        pytest.raises(EngineError, match="dask:local:1: .*has no workers; nothing was written"),
        engine.opened("dask:local:1") as dask,
    ):
        list(dask.map(abs, range(3)))


@pytest.fixture
def cluster(tmp_path):
    """The address of a scheduler, its process, and those of two workers, started as one does by
    hand."""
    pytest.importorskip("distributed")
    told = tmp_path / "scheduler.json"
    scheduler_options = ["--port", "0", "--no-dashboard", "--scheduler-file", str(told)]
    with contextlib.ExitStack() as stack:

        def started(command: list[str]) -> subprocess.Popen:
            process = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        scheduler = started([sys.executable, "-m", "dask", "scheduler", *scheduler_options])
        workers = [
            started([sys.executable, "-m", "dask", "worker", "--scheduler-file", str(told),
                     "--nthreads", "1", "--no-nanny", "--no-dashboard"])
            for _ in range(2)
        ]  # fmt: skip
        from distributed import Client

        with Client(scheduler_file=str(told), timeout=120) as client:
            client.wait_for_workers(2, timeout=120)
            address = client.scheduler.address
        yield address, scheduler, workers


@pytest.mark.long
@pytest.mark.filterwarnings("default")
def test_a_scheduler_and_workers_begun_by_hand(run, files, table, model, tmp_path, cluster):
    """The same lines as without; then without a worker; then without a scheduler, in one line."""
    address, scheduler, workers = cluster
    model.save(tmp_path / "m.aem")
    command = ("detect", files / "parquet", "-m", tmp_path / "m.aem", "--all")
    serial = run(*command)
    assert run(*command, "--engine", f"dask:{address}").out == serial.out
    workers[0].kill()
    assert run(*command, "--engine", f"dask:{address}").out == serial.out
    out = tmp_path / "never.csv"
    with engine.opened(f"dask:{address}") as dask:
        scheduler.kill()
        with pytest.raises(EngineError, match="nothing was written"):
            operations.detect(files / "parquet", model, executor=dask)
    gone = run(*command, "-o", out, "--engine", f"dask:{address}")
    assert gone.status == 2 and len(gone.err.splitlines()) == 1
    assert not out.exists()
