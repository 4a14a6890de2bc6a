"""What is asked of sources that hold nothing a goal could change, and commands that are told."""

import shlex

import numpy as np
import pytest

from aetool import api
from aetool.errors import ParamError


@pytest.fixture
def tables(tmp_path):
    """A folder of two equal tables."""
    folder = tmp_path / "parts"
    folder.mkdir()
    rows = "".join(f"{1.37 * i:.2f},{i * i}\n" for i in range(150))
    for name in ("1.csv", "2.csv"):
        (folder / name).write_text("a,b\n" + rows, encoding="utf-8")
    return folder


def test_a_folder_of_tables_is_stored_exactly_whatever_may_be_lost(run, tables, tmp_path):
    archive = tmp_path / "z.aez"
    done = run("compress", tables, "--rmse", "5%", "-o", archive)
    assert done.status == 0
    assert "chosen: exact" in done.err + done.out
    assert run("decompress", archive, "-o", tmp_path / "back").status == 0
    for name in ("1.csv", "2.csv"):
        assert (tmp_path / "back" / name).read_bytes() == (tables / name).read_bytes()


def test_a_folder_of_tables_that_is_too_large_is_one_line_and_no_file(run, tables, tmp_path):
    done = run("compress", tables, "--budget", "100", "-o", tmp_path / "z.aez")
    assert done.status == 2
    assert "the smallest archive found takes" in done.err
    assert not (tmp_path / "z.aez").exists()


def test_a_bound_for_a_folder_of_tables_names_the_folder(run, tables, tmp_path):
    done = run("compress", tables, "--max-error", "1%", "-o", tmp_path / "z.aez")
    assert done.status == 2
    assert "is a folder, whose files are stored as they are" in done.err
    assert "pictures" not in done.err


def test_a_folder_of_tables_has_one_point(run, tables, tmp_path):
    done = run("tradeoff", tables, "-o", tmp_path / "t.svg", "-q")
    assert done.status == 0
    lines = done.out.splitlines()
    assert [line.split()[0] for line in lines] == ["way", "exact"]


def test_the_command_that_is_told_writes_the_archive_that_was_picked(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    numbers = np.random.default_rng(0).normal(size=(600, 3))
    rows = "".join(",".join(f"{number:.4f}" for number in row) + "\n" for row in numbers)
    # a name that begins with a dash is no option
    (tmp_path / "-x.csv").write_text("a,b,c\n" + rows, encoding="utf-8")
    asked = ["--drop", "a", "--rmse", "10%", "--no-others"]
    done = run("tradeoff", *asked, "-o", "t.svg", "--", "-x.csv")
    assert done.status == 0
    command = done.err[done.err.index("aetool compress") :].splitlines()[0]
    words = shlex.split(command)[1:]
    assert words[1] == "./-x.csv"
    assert words[words.index("--drop") + 1] == "a"
    picked = next(line for line in done.out.splitlines() if line.endswith("<- pick"))
    size = next(word for word in picked.split() if word.replace(",", "").isdigit())
    assert run(*words, "-o", "x.aez").status == 0
    assert (tmp_path / "x.aez").stat().st_size == int(size.replace(",", ""))


@pytest.mark.parametrize("verb", ["fit", "detect"])
def test_a_seed_below_zero_is_refused(run, rows_csv, verb):
    done = run(verb, rows_csv, "--seed", "-1")
    assert done.status == 2
    assert "-1 is not in the range x>=0" in done.err
    with pytest.raises(ParamError, match="seed must be 0 or more; got -1"):
        getattr(api, verb)(rows_csv, seed=-1)


def test_a_plugin_beside_a_model_is_refused(run, rows_csv, pca, tmp_path):
    done = run("compress", rows_csv, "-m", pca, "-p", "vae", "--lossy", "-o", tmp_path / "z.aez")
    assert done.status == 2
    assert "-p vae: the model" in done.err and "leave out -p, or -m" in done.err
    assert not (tmp_path / "z.aez").exists()


@pytest.mark.parametrize("verb", ["fit", "compress", "tradeoff"])
@pytest.mark.parametrize("seconds", ["0", "-1", "nan"])
def test_max_time_is_above_zero(run, rows_csv, verb, seconds):
    done = run(verb, rows_csv, "--max-time", seconds)
    assert done.status == 2
    assert "--max-time" in done.err
