"""Archives that are read as one by an index, which copies nothing of them."""

import hashlib
import json
import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

import aetool
from aetool.codec.archive import Archive
from aetool.codec.container import Writer
from aetool.codec.contents.parts import Part, Parts, is_inside, joined
from aetool.codec.planning import Effort
from aetool.errors import ArchiveError
from tests import format_reader
from tests.sweeps import checkered, one_in
from tests.test_files import fed

SMALL = Effort(block=1 << 13)  # so that a part has several blocks
DAYS = ("mo", "tu", "we")
ROWS = 700  # of a day


def day(number: int) -> pd.DataFrame:
    rng = np.random.default_rng(number)
    return pd.DataFrame(
        {
            "walk": np.cumsum(rng.normal(size=ROWS)).round(2),
            "count": rng.integers(0, 90, ROWS),
            "kind": rng.choice(["a", "b, c", 'd"e'], ROWS),
        }
    )


def write(frame: pd.DataFrame, path: Path) -> None:
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    elif path.suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True)
    elif path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        feather.write_feather(pa.table(frame), str(path))


def read(path: Path) -> pd.DataFrame:
    if path.suffix == ".csv":
        return pd.read_csv(path)
    if path.suffix == ".jsonl":
        return pd.read_json(path, lines=True)
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_feather(path)


@pytest.fixture(params=[".csv", ".jsonl", ".parquet", ".arrow"])
def suffix(request):
    return request.param


@pytest.fixture
def days(tmp_path, suffix):
    """A folder of three tables, one of them in a folder of its own."""
    folder = tmp_path / "days"
    (folder / "late").mkdir(parents=True)
    for number, name in enumerate(DAYS):
        home = folder / "late" if name == "we" else folder
        write(day(number), home / f"{name}{suffix}")
    return folder


@pytest.fixture
def text_days(tmp_path):
    folder = tmp_path / "days"
    folder.mkdir()
    for number, name in enumerate(DAYS):
        write(day(number), folder / f"{name}.csv")
    return folder


def whole(suffix: str) -> pd.DataFrame:
    # late/we comes before mo and tu
    return pd.concat([day(2), day(0), day(1)], ignore_index=True)


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_folder_becomes_many_archives_under_one_index(run, days, suffix, tmp_path):
    stored = run("compress", days, "--parts")
    assert stored.status == 0, stored.err
    assert "days.aez: " in stored.err and "3 parts, 2,100 rows" in stored.err
    home = tmp_path / "days.aez.parts"
    assert sorted(files_of(home)) == [f"late/we{suffix}.aez", f"mo{suffix}.aez", f"tu{suffix}.aez"]
    index = tmp_path / "days.aez"
    assert run("verify", index).out == f"{index}: intact (archive lossless, rows 2,100)\n"
    info = json.loads(run("info", index, "--json").out)
    assert info["parts"] == 3 and info["rows"] == 3 * ROWS
    assert info["file_bytes"] == sum(path.stat().st_size for path in [index, *home.rglob("*.aez")])
    back = tmp_path / "back"
    assert run("decompress", index, "-o", back).status == 0
    assert sorted(files_of(back)) == sorted(files_of(days))
    for name, content in files_of(days).items():
        if suffix in (".csv", ".jsonl"):
            assert (back / name).read_bytes() == content
        else:
            pd.testing.assert_frame_equal(read(back / name), read(days / name))


def test_what_may_be_restored_counts_all_parts_together(days, suffix, tmp_path):
    index = tmp_path / "days.aez"
    aetool.compress(days, parts=True)
    most = 0
    for number in range(len(DAYS)):
        with aetool.open(index) as archive, archive.part(number) as part:
            pieces = part.pieces(0, part.rows)
            most = max(most, sum(map(part.content.bytes_of, pieces)))
    # any part may be restored with this limit, and not all of them
    most += 1000
    with Archive(index, max_output=most) as archive:
        for asked in (archive.check, archive.to_pandas, lambda: archive[:]):
            with pytest.raises(ArchiveError, match="days.aez: restores more than"):
                asked()
        assert len(archive[: ROWS - 1]) == ROWS - 1
    with Archive(index, max_output=4 * most) as archive:
        archive.check()
        assert len(archive[:]) == 3 * ROWS


def test_what_a_folder_of_parts_may_become_counts_all_of_them(run, text_days, tmp_path):
    index = tmp_path / "days.aez"
    aetool.compress(text_days, parts=True)
    sizes = [path.stat().st_size for path in text_days.iterdir()]
    back = tmp_path / "back"
    said = run("decompress", index, "-o", back, "--max-output", sum(sizes) - 1)
    assert said.status == 1 and "days.aez: restores more than" in said.err
    assert not back.exists()
    assert run("decompress", index, "-o", back, "--max-output", sum(sizes)).status == 0
    assert files_of(back) == files_of(text_days)


def test_rows_and_columns_go_across_parts(run, days, suffix, tmp_path):
    index = tmp_path / "days.aez"
    aetool.compress(days, parts=True)
    expected = whole(suffix)
    out = tmp_path / f"part{suffix}"
    asked = ("--rows", f"{ROWS - 1}:{2 * ROWS + 2}", "--columns", "kind,walk")
    assert run("decompress", index, "-o", out, *asked).status == 0
    part = read(out)[["kind", "walk"]]
    chosen = expected.iloc[ROWS - 2 : 2 * ROWS + 2][["kind", "walk"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(part, chosen, check_dtype=False)
    with aetool.open(index) as archive:
        assert len(archive) == 3 * ROWS
        frame = archive[ROWS - 1 : ROWS + 1]
        pd.testing.assert_frame_equal(
            frame.reset_index(drop=True)[["walk"]],
            expected.iloc[ROWS - 1 : ROWS + 1][["walk"]].reset_index(drop=True),
        )
        assert len(archive[0:0]) == 0
        everything = archive.to_pandas().reset_index(drop=True)
    pd.testing.assert_frame_equal(everything, expected, check_dtype=False)


def test_detect_judges_the_records_of_all_parts(run, days, suffix, tmp_path):
    index = tmp_path / "days.aez"
    aetool.compress(days, parts=True, effort=SMALL)
    every = aetool.detect(index, all_rows=True)
    assert list(every["row"]) == list(range(1, 3 * ROWS + 1))
    # each record costs what it costs in its own archive
    alone = [
        aetool.detect(tmp_path / "days.aez.parts" / f"{name}{suffix}.aez", all_rows=True)
        for name in ("late/we", "mo", "tu")
    ]
    scores = np.concatenate([one["score"] for one in alone])
    np.testing.assert_array_equal(every["score"].to_numpy(), scores)
    top = run("detect", index, "--top", "5", "--json")
    assert top.status == 0 and '"flagged": 5,' in top.out


# two processes are begun for each
@pytest.mark.parametrize(
    "suffix", one_in(3, [".csv", ".jsonl", ".arrow", ".parquet"]), indirect=True
)
def test_an_engine_writes_and_reads_the_same_parts(days, tmp_path):
    serial = tmp_path / "serial.aez"
    aetool.compress(days, serial, parts=True)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        spread = tmp_path / "spread.aez"
        figures = aetool.compress(days, spread, parts=True, executor=pool)
        assert figures["parts"] == 3 and not figures["left_out"]
        assert files_of(tmp_path / "serial.aez.parts") == files_of(tmp_path / "spread.aez.parts")
        back = aetool.decompress(spread, tmp_path / "back", executor=pool)
    assert sorted(files_of(back)) == sorted(files_of(days))
    assert not list(tmp_path.glob(".aetool*"))


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("count", [1, 4])
def test_shards_are_read_as_the_table_without_merging_them(
    run, tmp_path, monkeypatch, suffix, count
):
    monkeypatch.setattr("aetool.data.arrow_files.ROWS", 300)
    monkeypatch.setattr("aetool.codec.contents.lines.PIECE", 1 << 12)
    table = tmp_path / f"t{suffix}"
    write(whole(suffix), table)
    (tmp_path / "shards").mkdir()
    shards = [tmp_path / "shards" / f"{number}.aez" for number in range(1, count + 1)]
    for number, shard in enumerate(shards, 1):
        aetool.compress(table, shard, shard=f"{number}/{count}", effort=SMALL)
    index = tmp_path / "t.aez"
    made = run("merge", *reversed(shards), "-o", index, "--index")
    assert made.status == 0 and f"{count} parts, 2,100 rows" in made.err
    assert index.stat().st_size < 4000
    back = tmp_path / f"back{suffix}"
    assert run("decompress", index, "-o", back).status == 0
    if suffix == ".parquet":
        pd.testing.assert_frame_equal(read(back), read(table))
    else:
        assert back.read_bytes() == table.read_bytes()
    merged = tmp_path / "merged.aez"
    aetool.merge(shards, merged)
    for path in (index, merged):
        aetool.decompress(path, tmp_path / f"{path.stem}.part{suffix}", rows=slice(650, 900))
    part = tmp_path / f"t.part{suffix}", tmp_path / f"merged.part{suffix}"
    assert part[0].read_bytes() == part[1].read_bytes()


def test_archives_written_anywhere_come_under_one_index(run, text_days, tmp_path):
    """By themselves, without --parts: each day's when it is there."""
    for name in DAYS:
        assert run("compress", text_days / f"{name}.csv").status == 0
    archives = [text_days / f"{name}.csv.aez" for name in DAYS]
    index = tmp_path / "all.aez"
    before = [path.read_bytes() for path in archives]
    assert run("merge", *archives[:2], "-o", index, "--index").status == 0
    assert run("merge", *archives, "-o", index, "--index").status == 2
    assert run("merge", *archives, "-o", index, "--index", "-f").status == 0
    assert [path.read_bytes() for path in archives] == before
    with aetool.open(index) as archive:
        expected = pd.concat([day(number) for number in range(3)], ignore_index=True)
        pd.testing.assert_frame_equal(archive.to_pandas(), expected, check_dtype=False)
    out = aetool.decompress(index, tmp_path / "all")
    assert sorted(files_of(out)) == [f"days/{name}.csv" for name in sorted(DAYS)]
    # all lie together elsewhere as well
    shutil.move(tmp_path / "days", tmp_path / "there" / "days")
    shutil.move(index, tmp_path / "there" / "all.aez")
    assert run("verify", tmp_path / "there" / "all.aez").status == 0


def test_texts_are_joined_where_a_last_record_does_not_end(tmp_path):
    folder = tmp_path / "t"
    folder.mkdir()
    (folder / "a.csv").write_bytes(b"n,k\r\n1,x\r\n2,y")
    (folder / "b.csv").write_bytes(b"n,k\r\n")
    (folder / "c.csv").write_bytes(b"n,k\r\n3,z\r\n")
    aetool.compress(folder, parts=True)
    index = tmp_path / "t.aez"
    out = aetool.decompress(index, tmp_path / "rows.csv", rows=slice(1, 3))
    assert out.read_bytes() == b"n,k\r\n2,y\n3,z\r\n"
    with aetool.open(index) as archive:
        assert archive.to_pandas()["n"].tolist() == [1, 2, 3]
    back = aetool.decompress(index, tmp_path / "back")
    assert files_of(back) == files_of(folder)


def test_line_ends_between_texts():
    def texts(*each):
        return [iter(pieces) for pieces in each]

    assert b"".join(joined(texts([b"a"], [b""], [b"", b"b", b"\n"], [b"c"]), "utf-8")) == b"a\nb\nc"
    wide = "a".encode("utf-16-le")
    assert b"".join(joined(texts([wide], [wide]), "utf-16-le")) == "a\na".encode("utf-16-le")
    ended = "a\n".encode("utf-16-le")
    assert b"".join(joined(texts([ended], [wide]), "utf-16-le")) == ended + wide


def test_a_part_that_is_gone_or_another_is_told_in_one_line(run, text_days, tmp_path):
    aetool.compress(text_days, parts=True)
    index = tmp_path / "days.aez"
    part = tmp_path / "days.aez.parts" / "tu.csv.aez"
    kept = part.read_bytes()
    part.unlink()
    for verb in (("verify", index), ("decompress", index, "-o", tmp_path / "x")):
        ran = run(*verb)
        assert ran.status in (1, 2) and len(ran.err.splitlines()) == 1
        assert "tu.csv.aez" in ran.err and not (tmp_path / "x").exists()
    # the others can still be read
    out = tmp_path / "first.csv"
    assert run("decompress", index, "-o", out, "--rows", f"1:{ROWS}").status == 0
    assert out.read_bytes() == (text_days / "mo.csv").read_bytes()
    rest = tmp_path / "rest.csv"
    saved = run("decompress", index, "-o", rest, "--columns", "walk,count,kind", "--recover")
    assert saved.status == 1 and f"records {ROWS + 1} to {2 * ROWS}" in saved.err
    assert len(pd.read_csv(rest)) == 2 * ROWS
    aetool.compress(text_days / "mo.csv", part)
    ran = run("verify", index)
    assert ran.status == 1 and "is not the part that" in ran.err
    part.write_bytes(kept[:300] + bytes([kept[300] ^ 1]) + kept[301:])
    ran = run("verify", index)
    assert ran.status == 1 and "tu.csv.aez: damaged" in ran.err
    part.write_bytes(kept)
    assert run("verify", index).status == 0


def test_what_cannot_be_under_one_index_is_refused_in_one_line(run, text_days, tmp_path, folder):
    other = tmp_path / "other.csv"
    other.write_text("x,y\n1,2\n2,3\n", encoding="ascii", newline="")
    archives = {}
    for name, path in (("mo", text_days / "mo.csv"), ("other", other)):
        archives[name] = tmp_path / f"{name}.aez"
        aetool.compress(path, archives[name])
    shard = tmp_path / "shard.aez"
    aetool.compress(text_days / "mo.csv", shard, shard="1/1")
    bounded = tmp_path / "bounded.aez"
    aetool.compress(text_days / "mo.csv", bounded, max_error="1%")
    pictures = tmp_path / "pictures.aez"
    aetool.compress(folder, pictures)
    index = tmp_path / "index.aez"
    aetool.merge([archives["mo"]], index, index=True)
    outside = tmp_path / "below"
    outside.mkdir()
    for given, out, told in (
        ([archives["mo"], archives["other"]], "i.aez", "not tables of one kind"),
        ([archives["mo"], archives["mo"]], "i.aez", "is there twice"),
        ([archives["mo"], shard], "i.aez", "shard"),
        ([bounded], "i.aez", "lossless archives without a model"),
        ([pictures], "i.aez", "tables in CSV, JSON lines, Parquet and Arrow"),
        ([index], "i.aez", "is an index itself"),
        ([archives["mo"]], "below/i.aez", "does not lie in the folder of the index"),
        ([archives["mo"]], "-", "name a file"),
    ):
        out = out if out == "-" else tmp_path / out
        ran = run("merge", *given, "-o", out, "--index")
        assert ran.status == 2 and len(ran.err.splitlines()) == 1, ran.err
        assert told in ran.err, ran.err
    assert not (tmp_path / "i.aez").exists()


def test_what_cannot_be_stored_in_parts_is_refused_in_one_line(
    run, text_days, tmp_path, folder, pca
):
    command = ("compress", "-o", tmp_path / "a.aez", "--parts")
    for more, told in (
        ((text_days, "--max-error", "1%"), "--parts"),
        ((text_days, "-m", pca), "--parts"),
        ((text_days, "--shard", "1/2"), "--shard"),
        ((text_days, "--budget", "9kB"), "--parts"),
        ((folder,), "stores tables"),
        ((text_days / "mo.csv",), "a folder of tables"),
    ):
        ran = run(*command, *more)
        assert ran.status == 2 and len(ran.err.splitlines()) == 1, ran.err
        assert told in ran.err
    (text_days / "odd.csv").write_text("x,y\n1,2\n2,3\n", encoding="ascii", newline="")
    ran = run(*command, text_days)
    assert ran.status == 2 and "mo.csv and odd.csv: are not tables of one kind" in ran.err
    (text_days / "odd.csv").unlink()
    # what an archive keeps byte for byte has no columns
    pq.write_table(pa.table({"n": [[1, 2], [3]]}), text_days / "odd.parquet")
    ran = run(*command, text_days)
    assert ran.status == 2 and "odd.parquet: cannot be a part" in ran.err
    assert len(ran.err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["days"], "nothing is left half-written"


def test_files_that_are_no_tables_are_said_to_be_left_out(run, text_days, tmp_path):
    (text_days / "_SUCCESS").touch()
    ran = run("compress", text_days, "--parts")
    assert ran.status == 0 and "not in the archive" in ran.err and "_SUCCESS" in ran.err
    assert run("compress", text_days, "--parts").status == 2
    assert run("compress", text_days, "--parts", "-f").status == 0
    assert run("verify", tmp_path / "days.aez").status == 0


def test_an_index_through_a_pipe_has_no_parts(run, text_days, tmp_path):
    aetool.compress(text_days, parts=True)
    pipe = tmp_path / "pipe"
    fed(pipe, (tmp_path / "days.aez").read_bytes())
    ran = run("verify", pipe)
    assert ran.status == 2 and "give its path" in ran.err and len(ran.err.splitlines()) == 1


def test_a_golden_index_is_read_for_ever(tmp_path):
    """With its parts, as version 3.5 wrote them."""
    home = Path(__file__).parent / "golden" / "3.5"
    back = aetool.decompress(home / "days.aez", tmp_path / "days")
    assert files_of(back) == files_of(home / "days")
    rows = aetool.decompress(home / "days.aez", tmp_path / "rows.csv", rows=slice(19, 21))
    assert rows.read_bytes() == b"n,word\n19,b\n100,x\n"


def test_the_page_of_the_format_is_enough_to_read_an_index():
    """As it says: words, names, rows, sizes, and the digest of the end of each part."""
    home = Path(__file__).parent / "golden" / "3.5"
    header = format_reader.container.opened((home / "days.aez").read_bytes()).header
    assert header["content"] == ["parts", 1] and header["whole"] == "folder"
    for file, name, rows, size, ending in header["parts"]:
        part = (home / file).read_bytes()
        assert len(part) == size
        assert hashlib.blake2b(part[-104:], digest_size=16).hexdigest() == ending
        text = format_reader.restore(part, None)
        assert text == (home / "days" / name).read_bytes()
        assert text.count(b"\n") - 1 == rows


@pytest.mark.parametrize("path", ["../a.aez", "/a.aez", "a/../../b.aez", "", "c:\\a.aez", "a\\b"])
def test_a_part_never_leaves_the_folder_of_its_index(tmp_path, path):
    assert not is_inside(path)
    part = Part(path, "a.csv", 1, 100, bytes(16))
    good = Part("a.csv.aez", "a.csv", 1, 100, bytes(16))
    content = Parts({"format": "csv", "name": "t"}, "folder", [good])
    index = tmp_path / "index.aez"
    for wrong in ([part.to_json()], [[*good.to_json()[:1], path, *good.to_json()[2:]]]):
        header = content.header() | {"parts": wrong}
        with index.open("wb") as file:
            Writer(file, header, {}).finish({}, hashlib.sha256().digest())
        with pytest.raises(ArchiveError, match="damaged"):
            aetool.open(index)


def cut_part(index: Path, name: str, kept: float) -> None:
    """Leave of the archive of a part its first bytes alone; kept: how much of it, from 0 to 1."""
    part = index.with_name(index.name + ".parts") / f"{name}.aez"
    content = part.read_bytes()
    part.write_bytes(content[: int(kept * len(content))])


@pytest.mark.parametrize(("cut", "kept"), checkered(["late/we", "tu"], [0, 0.01, 0.5]))
def test_a_part_cut_short_is_told_as_lost_and_the_others_come_back(
    run, days, suffix, tmp_path, cut, kept
):
    index = tmp_path / "days.aez"
    aetool.compress(days, parts=True)
    cut_part(index, f"{cut}{suffix}", kept)
    back = tmp_path / "back"
    told = run("decompress", index, "--recover", "-o", back)
    first = 1 if cut == "late/we" else 2 * ROWS + 1
    assert told.status == 1 and f"lost: records {first} to {first + ROWS - 1}" in told.err
    assert len([line for line in told.err.splitlines() if "lost: " in line]) == 1
    assert f"{back}: restored in part" in told.err
    rest = [name for name in files_of(days) if name != f"{cut}{suffix}"]
    assert sorted(files_of(back)) == rest
    for name in rest:
        pd.testing.assert_frame_equal(read(back / name), read(days / name))


@pytest.mark.parametrize(("cut", "kept"), checkered(["late/we", "tu"], [0, 0.5]))
def test_all_rows_are_one_table_without_the_part_that_is_lost(
    run, days, suffix, tmp_path, cut, kept
):
    index = tmp_path / "days.aez"
    aetool.compress(days, parts=True)
    rows = tmp_path / f"rows{suffix}"
    assert run("decompress", index, "--rows", "1:", "-o", rows).status == 0
    pd.testing.assert_frame_equal(read(rows), whole(suffix), check_dtype=False)
    cut_part(index, f"{cut}{suffix}", kept)
    rest = tmp_path / f"rest{suffix}"
    told = run("decompress", index, "--rows", "1:", "--recover", "-o", rest)
    assert told.status == 1 and "lost: records " in told.err
    left = [0, 1] if cut == "late/we" else [2, 0]
    expected = pd.concat([day(number) for number in left], ignore_index=True)
    pd.testing.assert_frame_equal(read(rest), expected, check_dtype=False)


def test_a_folder_called_like_a_table_is_told_with_the_way_to_one_table(run, text_days, tmp_path):
    aetool.compress(text_days, parts=True)
    told = run("decompress", tmp_path / "days.aez", "-o", tmp_path / "all.csv")
    assert told.status == 0 and "all.csv: is a folder of the 3 files" in told.err
    assert "--rows 1:" in told.err
    plain = run("decompress", tmp_path / "days.aez", "-o", tmp_path / "all")
    assert plain.status == 0 and "note" not in plain.err


def test_of_a_part_in_blocks_those_that_are_whole_come_back(run, text_days, tmp_path):
    index = tmp_path / "days.aez"
    rng = np.random.default_rng(9)
    walk = np.cumsum(rng.normal(size=30_000)).round(6)
    pd.DataFrame({"walk": walk, "count": 1, "kind": "a"}).to_csv(text_days / "tu.csv", index=False)
    aetool.compress(text_days, parts=True, effort=SMALL)
    cut_part(index, "tu.csv", 0.5)
    back = tmp_path / "back"
    told = run("decompress", index, "--recover", "-o", back)
    assert told.status == 1 and "lost: days.aez.parts/tu.csv.aez: " in told.err
    for name in ("mo", "we"):
        assert (back / f"{name}.csv").read_bytes() == (text_days / f"{name}.csv").read_bytes()
    some = pd.read_csv(back / "tu.csv")
    assert 10_000 < len(some) < 20_000
    np.testing.assert_array_equal(some["walk"], walk[: len(some)])


def test_another_archive_in_the_place_of_a_part_is_not_taken_for_what_is_left_of_it(
    text_days, tmp_path, run
):
    index, back = tmp_path / "t.aez", tmp_path / "back"
    aetool.compress(text_days, index, parts=True)
    first, second, *_ = sorted(Path(f"{index}.parts").iterdir())
    shutil.copy(first, second)
    told = run("decompress", index, "--recover", "-o", back)
    assert told.status == 1 and "is not the part that" in told.err
    lost = second.name.removesuffix(".aez")
    there = sorted(path.name for path in text_days.iterdir())
    assert sorted(path.name for path in back.iterdir()) == [n for n in there if n != lost]
    for path in back.iterdir():
        assert path.read_bytes() == (text_days / path.name).read_bytes()


# ---- indexes that somebody else wrote, or that have lost a part


PARTS_OF_ONE = Parts(
    {"format": "csv", "name": "t"}, "folder", [Part("a.aez", "a.csv", 2, 300, bytes(16))]
).header()
PART = ["a.aez", "a.csv", 2, 300, "00" * 16]


@pytest.mark.parametrize(
    ("whole", "second", "said"),
    [
        ("folder", ["b.aez", "a.csv", 2, 300, "00" * 16], "'a.csv' is there twice"),
        ("folder", ["a.aez", "b.csv", 2, 300, "00" * 16], "'a.aez' is there twice"),
        ("table", PART, "'a.aez' is there twice"),
    ],
)
def test_an_index_that_lists_a_part_twice_is_refused(tmp_path, run, whole, second, said):
    header = {**PARTS_OF_ONE, "whole": whole, "parts": [PART, second]}
    path = tmp_path / "crafted.aez"
    with path.open("wb") as file:
        Writer(file, header, {}).finish({}, hashlib.sha256().digest())
    done = run("decompress", path, "-o", tmp_path / "back")
    assert done.status == 1 and len(done.err.splitlines()) == 1
    assert "crafted.aez" in done.err and said in done.err
    assert not (tmp_path / "back").exists()


def test_shards_of_one_table_may_restore_one_name():
    other = ["b.aez", "a.csv", 2, 300, "00" * 16]
    content = Parts.from_header({**PARTS_OF_ONE, "whole": "table", "parts": [PART, other]})
    assert [part.file for part in content.parts] == ["a.aez", "b.aez"]


@pytest.mark.parametrize("verb", ["verify", "decompress"])
def test_a_part_that_is_missing_is_damage(tmp_path, run, verb):
    folder = tmp_path / "days"
    folder.mkdir()
    for number, name in enumerate(DAYS):
        write(day(number), folder / f"{name}.csv")
    index = tmp_path / "days.aez"
    assert run("compress", folder, "--parts", "-o", index).status == 0
    part = tmp_path / "days.aez.parts" / "mo.csv.aez"
    part.rename(tmp_path / "kept")
    words = [verb, index, *(["-o", tmp_path / "back"] if verb == "decompress" else [])]
    done = run(*words)
    assert done.status == 1 and len(done.err.splitlines()) == 1
    assert "mo.csv.aez: no such file, and " in done.err and "lists it as a part" in done.err
    # an index that is missing itself is a name that was mistyped
    assert run("verify", tmp_path / "daze.aez").status == 2
    (tmp_path / "kept").rename(part)
    assert run(*words).status == 0
