"""Lines with too few or too many fields: all are counted, the first are named, and they can be passed
over, each record keeping its own number."""

import os

import numpy as np
import pytest

import aetool
from aetool.data import sources
from aetool.errors import DataError, ParamError

SKIP = ("--on-bad-lines", "skip")
ROWS = 300
WIDE, NARROW = (10, 20, 30, 40), (50, 299)  # rows, from 1


def lines_of(wide=WIDE, narrow=NARROW, rows=ROWS):
    """A table of three columns, with a field more in some rows and one less in others."""
    rng = np.random.default_rng(0)
    lines = ["id,x,c"]
    for row in range(1, rows + 1):
        cells = [str(row), f"{rng.normal():.3f}", "abc"[row % 3]]
        if row in wide:
            cells.append("9")
        lines.append(",".join(cells[:2] if row in narrow else cells))
    return lines


@pytest.fixture
def bad(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("\n".join(lines_of()) + "\n")
    return path


NAMED = (
    "bad.csv: row 10 (line 11) has 4 fields where 3 are expected, and 6 lines of 300 are so: "
    "line 11 (4 fields), line 21 (4 fields), line 31 (4 fields), line 41 (4 fields), "
    "line 51 (2 fields), and 1 more; mend these lines, or quote cells that hold the delimiter; "
    "--on-bad-lines skip passes over them"
)


@pytest.mark.parametrize("verb", ["detect", "fit", "encode"])
def test_all_such_lines_are_counted_and_the_first_named(run, bad, tmp_path, verb):
    out = [] if verb == "detect" else ["-o", tmp_path / "out"]
    done = run(verb, bad, *out)
    assert done.status == 2 and done.err.count("\n") == 1
    assert NAMED in done.err


def test_one_line_is_said_as_one(run, tmp_path):
    path = tmp_path / "one.csv"
    path.write_text("\n".join(lines_of((), (7,))) + "\n")
    said = run("detect", path).err
    assert "row 7 (line 8) has 2 fields where 3 are expected; mend that line" in said
    assert "skip passes over it" in said


def test_they_are_passed_over_and_others_keep_their_numbers(run, bad, tmp_path):
    model = tmp_path / "m.aem"
    done = run("fit", bad, *SKIP, "-p", "pca", "-o", model)
    told = "6 lines are passed over for too few or too many fields: line 11 (4 fields), "
    assert done.status == 0 and told in done.err
    # the model asks for whole lines again: what is passed over is said for each file
    assert NAMED in run("detect", bad, "-m", model).err
    for engine in ([], ["--engine", "processes:2"]):
        out = tmp_path / "all.csv"
        asked = (bad, "-m", model, *SKIP, "--all", "--append", "-o", out, "-f", *engine)
        done = run("detect", *asked)
        assert done.status == 0 and told in done.err and "of 294 records" in done.err
        found = sources.open_source(out).head()
        rows = found["row"].strings()
        assert rows == found["id"].strings() and len(rows) == ROWS - len(WIDE + NARROW)
    done = run("evaluate", bad, "-m", model, "--label", "c", "--normal", "a", *SKIP)
    assert done.status == 0 and told in done.err


def test_what_looked_like_a_footer_is_such_a_line_where_records_follow(tmp_path, monkeypatch):
    monkeypatch.setattr("aetool.data.text.CHUNK", 64)
    lines = lines_of((), ())
    for place in (50, 120, 121):
        lines.insert(place, "Total,9")
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines) + "\nTotal,9\n")
    with pytest.raises(DataError, match=r"row 50 \(line 51\) has 2 fields .* 3 lines of 304"):
        sources.open_source(path).head()
    source = sources.open_source(sources.TextPath(path, sources.Reading(on_bad_lines="skip")))
    table = source.head()
    assert len(table) == ROWS
    # the fourth is a footer still
    assert set(range(1, ROWS + 4)) - {50, 120, 121} == set((table.records + 1).tolist())


def test_files_of_a_folder_are_read_so(tmp_path, run):
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("\n".join(lines_of()) + "\n")
    done = run("detect", os.fspath(tmp_path / "*.csv"), *SKIP, "--count")
    assert done.status == 0 and done.err.count("6 lines are passed over") == 2


def test_in_python_it_is_called_as_in_pandas(bad):
    with pytest.raises(DataError, match="on_bad_lines skip passes over them"):
        aetool.fit(bad, plugin="pca")
    model = aetool.fit(bad, plugin="pca", on_bad_lines="skip")
    assert len(model.score(bad, on_bad_lines="skip")) == ROWS - len(WIDE + NARROW)
    with pytest.raises(ParamError, match="on_bad_lines warn: write error, or skip"):
        aetool.detect(bad, on_bad_lines="warn")


def test_an_archive_keeps_every_line(run, bad, tmp_path):
    assert run("compress", bad).status == 0
    assert run("decompress", f"{bad}.aez", "-o", tmp_path / "same.csv").status == 0
    assert (tmp_path / "same.csv").read_bytes() == bad.read_bytes()
    assert run("compress", bad, "-f", *SKIP).status == 2
    # as another kind of table they cannot be written
    done = run("decompress", f"{bad}.aez", "-o", tmp_path / "other.parquet")
    assert done.status == 2 and "row 10 (line 11) has 4 fields" in done.err
    assert not (tmp_path / "other.parquet").exists()


def test_a_line_ends_at_a_lone_carriage_return(run, tmp_path):
    text = "\n".join(lines_of((), ())) + "\n"
    plain, old = tmp_path / "t.csv", tmp_path / "old.csv"
    plain.write_text(text)
    old.write_bytes(text.replace("\n", "\r").encode())
    asked = ("--top", 3, "--format", "csv")
    assert run("detect", old, *asked).out == run("detect", plain, *asked).out
    assert run("compress", old).status == 0
    part = run("decompress", f"{old}.aez", "-c", "--rows", "2:3").out
    assert part.replace("\r\n", "\n").split() == [text.split()[place] for place in (0, 2, 3)]
    assert run("decompress", f"{old}.aez", "-o", tmp_path / "same.csv").status == 0
    assert (tmp_path / "same.csv").read_bytes() == old.read_bytes()
