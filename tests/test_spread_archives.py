"""Archives that an engine writes and reads: the bytes are those of one thread."""

import hashlib
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import aetool
from aetool import operations
from aetool.codec.contents.arrow import ArrowContent
from aetool.codec.contents.content import ByteContent
from aetool.codec.planning import Effort
from aetool.data import notices
from aetool.data.located import BatchAt, BytesAt
from aetool.errors import ParamError
from tests.sweeps import one_in, product
from tests.test_engine import Scattered

ROWS = 6000
SMALL = Effort(block=1 << 15)  # so that there are many blocks of text


@pytest.fixture(scope="module")
def processes():
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """One table in several kinds of file, each of several blocks."""
    folder = tmp_path_factory.mktemp("archives")
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "walk": np.cumsum(rng.normal(size=ROWS)).round(2),
            "count": rng.integers(0, 90, ROWS),
            "kind": rng.choice(["a", "b, c", 'd"e'], ROWS),
            "noise": rng.normal(size=ROWS).round(4),
        }
    )
    frame.to_csv(folder / "t.csv", index=False)
    frame.to_json(folder / "t.jsonl", orient="records", lines=True)
    frame.assign(kind=frame["kind"].astype("category")).to_parquet(folder / "t.parquet")
    np.save(folder / "t.npy", frame[["walk", "noise"]].to_numpy())
    return folder


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr("aetool.data.arrow_files.ROWS", 1500)
    monkeypatch.setattr("aetool.codec.contents.lines.PIECE", 1 << 16)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("executor", [None, "threads:1", "threads:3"])
@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        (2000, {0: False, 1000: False}),
        (4000, {0: False, 1000: True, 2000: True, 3000: True}),
    ],
)
def test_of_two_items_both_are_searched_and_of_more_the_others_take_over(
    files, tmp_path, monkeypatch, executor, rows, wanted
):
    """Whether an item is encoded with the plans of another, by the place of its first record."""
    encode = ArrowContent.encode
    with_plans = {}

    def noted(self, item, hints):
        first_step = item.column("step")[0].as_py()
        with_plans[first_step] = bool(hints.plans)
        return encode(self, item, hints)

    frame = pd.read_csv(files / "t.csv")[["walk", "noise"]].head(rows)
    frame.insert(0, "step", np.arange(len(frame)))
    frame.to_parquet(tmp_path / "t.parquet", row_group_size=1000)
    monkeypatch.setattr("aetool.data.arrow_files.ROWS", 1000)
    monkeypatch.setattr(ArrowContent, "encode", noted)
    aetool.compress(tmp_path / "t.parquet", tmp_path / "t.aez", executor=executor)
    assert with_plans == wanted
    restored = aetool.decompress(tmp_path / "t.aez", tmp_path / "again.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(restored), frame)


@pytest.mark.parametrize("executor", [None, "threads:1", "threads:2"])
def test_the_second_item_does_not_wait_for_the_first(files, tmp_path, monkeypatch, executor):
    """With one thread they come one after the other; else the second is begun before the first has
    ended."""
    encode = ArrowContent.encode
    under_way = []
    most = []
    both = threading.Barrier(2, timeout=60)

    def meeting(self, item, hints):
        under_way.append(id(item))
        if executor != "threads:1" and not hints.plans:
            both.wait()
        most.append(len(under_way))
        encoded = encode(self, item, hints)
        under_way.remove(id(item))
        return encoded

    frame = pd.read_csv(files / "t.csv")[["walk"]].head(2000)
    frame.to_parquet(tmp_path / "t.parquet", row_group_size=1000)
    monkeypatch.setattr("aetool.data.arrow_files.ROWS", 1000)
    monkeypatch.setattr(ArrowContent, "encode", meeting)
    figures = aetool.compress(tmp_path / "t.parquet", tmp_path / "t.aez", executor=executor)
    assert "kept" not in figures
    assert max(most) == (1 if executor == "threads:1" else 2)


# lines of JSON are cut as lines of CSV are, in four times the time
@pytest.mark.parametrize(
    "name", ["t.csv", pytest.param("t.jsonl", marks=pytest.mark.long), "t.parquet", "t.npy"]
)
def test_an_archive_has_the_same_bytes_whoever_encodes_it(files, tmp_path, processes, name):
    hashes, sizes = set(), set()
    with Scattered() as scattered:
        for number, executor in enumerate((None, "threads:1", scattered, processes)):
            path = tmp_path / f"{number}.aez"
            figures = aetool.compress(files / name, path, effort=SMALL, executor=executor)
            hashes.add(sha256(path))
            sizes.add(figures["archive_bytes"])
    assert len(hashes) == 1 and len(sizes) == 1
    with aetool.open(path) as archive:
        blocks = len(archive.reader.blocks)
    assert blocks > 2 or name == "t.npy"  # whose blocks are of millions of values
    for executor in ("threads:2", processes):
        restored = aetool.decompress(path, tmp_path / name, force=True, executor=executor)
        if name != "t.parquet":
            assert restored.read_bytes() == (files / name).read_bytes()
        else:
            pd.testing.assert_frame_equal(
                pd.read_parquet(restored), pd.read_parquet(files / name), check_exact=True
            )


def test_bounded_archives_and_pictures_have_the_same_bytes(files, folder, tmp_path, processes):
    for source, options in ((files / "t.csv", {"max_error": "1%"}), (folder, {})):
        serial, spread = tmp_path / "serial.aez", tmp_path / "spread.aez"
        aetool.compress(source, serial, effort=SMALL, force=True, **options)
        aetool.compress(source, spread, effort=SMALL, force=True, executor=processes, **options)
        assert sha256(serial) == sha256(spread)


def test_the_shell_writes_and_reads_by_an_engine(run, files, tmp_path):
    serial, spread = tmp_path / "serial.aez", tmp_path / "spread.aez"
    assert run("compress", files / "t.csv", "-o", serial).status == 0
    assert run("compress", files / "t.csv", "-o", spread, "--engine", "threads:2").status == 0
    assert sha256(serial) == sha256(spread)
    out = tmp_path / "part.csv"
    rows = ("--rows", "10:20", "--columns", "walk,kind")
    assert run("decompress", spread, "-o", out, *rows, "--engine", "threads:2").status == 0
    assert len(pd.read_csv(out)) == 11


def test_damage_is_told_as_without_an_engine(run, files, tmp_path):
    path = tmp_path / "t.aez"
    aetool.compress(files / "t.csv", path, effort=SMALL)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    told = [
        run("decompress", path, "-o", tmp_path / f"{number}.csv", *engine)
        for number, engine in enumerate([(), ("--engine", "threads:2")])
    ]
    assert [one.status for one in told] == [1, 1]
    assert told[0].err == told[1].err
    assert not list(tmp_path.glob("*.csv"))


# ---- shards


def sharded(source: Path, folder: Path, count: int, **options) -> list[Path]:
    """The archives of all shards of a table."""
    paths = []
    for number in range(1, count + 1):
        paths.append(folder / f"{source.name}.{number}.of.{count}.aez")
        aetool.compress(
            source, paths[-1], shard=f"{number}/{count}", effort=SMALL, force=True, **options
        )
    return paths


@pytest.mark.parametrize(
    ("name", "count"), one_in(2, product(["t.csv", "t.jsonl", "t.parquet"], [1, 3, 9]), first=1)
)
def test_merged_shards_are_the_archive_of_the_whole(files, tmp_path, name, count):
    """Also where there are more shards than blocks, so that some are empty."""
    whole = tmp_path / "whole.aez"
    aetool.compress(files / name, whole, effort=SMALL)
    shards = sharded(files / name, tmp_path, count)
    merged = aetool.merge(list(reversed(shards)), tmp_path / "merged.aez")
    assert sha256(tmp_path / "merged.aez") == sha256(whole)
    with aetool.open(whole) as archive:
        assert merged["rows"] == archive.rows
        assert merged["archive_bytes"] == whole.stat().st_size


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_a_shard_alone_restores_its_records(run, files, tmp_path, name):
    shards = sharded(files / name, tmp_path, 2)
    read = pd.read_csv if name == "t.csv" else pd.read_parquet
    parts = []
    for number, shard in enumerate(shards):
        assert run("verify", shard).status == 0
        parts.append(read(aetool.decompress(shard, tmp_path / f"{number}-{name}")))
    assert 0 < len(parts[0]) < ROWS
    together = pd.concat(parts, ignore_index=True)
    assert together.astype(str).equals(read(files / name).astype(str))


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet"])
def test_a_shard_reads_all_once_and_then_its_own_part(files, tmp_path, monkeypatch, name):
    source = files / name
    if name == "t.parquet":  # without dictionaries, which are collected first
        source = tmp_path / name
        pd.read_parquet(files / name).astype({"kind": str}).to_parquet(source)
    passes, parts = [], []
    for content in (ArrowContent, ByteContent):
        located = content.located_items
        monkeypatch.setattr(
            content, "located_items", lambda self, old=located: passes.append(1) or old(self)
        )
    for place in (BatchAt, BytesAt):
        read = place.read
        monkeypatch.setattr(place, "read", lambda self, old=read: parts.append(self) or old(self))
    aetool.compress(source, tmp_path / "2.aez", shard="2/3", effort=SMALL)
    aetool.compress(source, tmp_path / "whole.aez", effort=SMALL)
    with aetool.open(tmp_path / "2.aez") as archive:
        own = len(archive.reader.blocks)
    # to encode them, and to compare them
    assert own >= 1 and len(parts) == 2 * own and len(set(parts)) == own
    assert len(passes) == 2, "one of the shard, one of the whole"


def test_a_shard_is_compared_with_what_it_holds(run, tmp_path):
    """A table of one block is in the last of its shards, whose bytes are not those of two."""
    source = tmp_path / "t.csv"
    source.write_bytes(b"n\n" + b"".join(b"%d\n" % number for number in range(3000)))
    empty, full = (
        run("compress", source, "--shard", f"{n}/2", "-o", tmp_path / f"{n}.aez") for n in (1, 2)
    )
    assert ", 0 rows, lossless" in empty.err and "times smaller" not in empty.err
    assert ", 3,000 rows, lossless" in full.err and "times smaller" in full.err


def test_shards_of_a_table_with_odd_ends(tmp_path):
    """Quoted line ends, a last record that does not end, a mark before the first."""
    lines = "".join(f'{n},"a\nb",x{n % 7}\r\n' for n in range(4000))
    source = tmp_path / "odd.csv"
    source.write_bytes(
        b"\xef\xbb\xbfn,t,k\r\n" + lines.encode() + b'9,"',
    )
    aetool.compress(source, tmp_path / "whole.aez", effort=SMALL)
    aetool.merge(sharded(source, tmp_path, 3), tmp_path / "merged.aez")
    assert sha256(tmp_path / "merged.aez") == sha256(tmp_path / "whole.aez")


def test_what_does_not_fit_together_is_refused_in_one_line(run, files, tmp_path):
    one, two, three = sharded(files / "t.csv", tmp_path, 3)
    other = sharded(files / "t.jsonl", tmp_path, 3)[1]
    changed = tmp_path / "t.csv"
    changed.write_bytes((files / "t.csv").read_bytes().replace(b"1", b"2"))
    another_table = sharded(changed, tmp_path, 3)[2]
    assert sharded(files / "t.csv", tmp_path, 3)[2] == three == another_table
    (tmp_path / "else").mkdir()
    another_table = sharded(changed, tmp_path / "else", 3)[2]
    of_two = sharded(files / "t.csv", tmp_path, 2)[1]
    whole = tmp_path / "whole.aez"
    aetool.compress(files / "t.csv", whole)
    out = tmp_path / "merged.aez"
    for given, told in (
        ([one, two], "shard 3 of 3 is missing"),
        ([one], "shard 2 of 3 and 1 more is missing"),
        ([one, two, two], "both are shard 2 of 3"),
        ([one, other, three], "not of the same table"),
        ([one, two, another_table], "not of the same table"),
        ([one, of_two, three], "of 3 and of 2 shards"),
        ([one, two, whole], "is no shard"),
    ):
        ran = run("merge", *given, "-o", out)
        assert ran.status == 2 and len(ran.err.splitlines()) == 1
        assert told in ran.err, ran.err
        assert not out.exists()
    assert run("merge", one, two, three, "-o", out).status == 0
    assert run("merge", one, two, three, "-o", out).status == 2
    assert run("merge", one, two, three, "-o", out, "-f", "--engine", "threads:2").status == 0


@pytest.mark.parametrize("index", [False, True])
def test_nothing_to_merge_is_one_line(tmp_path, index):
    with pytest.raises(ParamError, match="^no archives to merge: name one at least$"):
        operations.merge([], tmp_path / "merged.aez", index=index)
    assert not (tmp_path / "merged.aez").exists()


@pytest.mark.parametrize("asked", ["0/2", "3/2", "1", "a/b", "1/", "-1/2"])
def test_a_shard_that_cannot_be_is_refused(run, files, tmp_path, asked):
    ran = run("compress", files / "t.csv", "--shard", asked, "-o", tmp_path / "a.aez")
    assert ran.status == 2 and "--shard" in ran.err and len(ran.err.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_shards_are_lossless_tables(run, files, folder, tmp_path, pca):
    command = ("compress", "-o", tmp_path / "a.aez", "--shard", "1/2")
    for more in ((files / "t.csv", "--max-error", "1%"), (files / "t.csv", "-m", pca), (folder,)):
        ran = run(*command, *more)
        assert ran.status == 2 and "--shard" in ran.err and len(ran.err.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_how_far_compression_is_can_be_watched(files, tmp_path):
    """By columns while the first item is searched, then by records, of which all are told last."""
    lines = []
    with notices.watched_by(lambda begins, line: lines.append((begins, line))):
        aetool.compress(files / "t.csv", tmp_path / "t.aez", effort=SMALL)
    columns = len(pd.read_csv(files / "t.csv").columns)
    of_columns = [state for state in lines if "columns" in state[1]]
    assert of_columns[0] == lines[0] == (True, f"0 of {columns} columns of a block stored")
    assert all(line.split()[2] == str(columns) for _, line in of_columns), "of no dictionary"
    of_records = [line for _, line in lines if "records stored" in line]
    stored = [int(line.split(", ")[1].split()[0].replace(",", "")) for line in of_records]
    assert len(stored) > 2 and stored == sorted(stored) and stored[-1] == ROWS
