"""What compress says of an archive: the model that it needs, what its bytes are, and how much is
lost."""

import hashlib
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import aetool
from aetool.operations import inspecting
from tests.conftest import fitted


@pytest.fixture
def model(air, air_pca):
    """A model of a table whose code is larger than an archive within bounds."""
    return air_pca


def digits_of(path):
    """The first digits of a model's SHA-256, as they are printed."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


@pytest.mark.parametrize("words", [("--lossy-only",), ("--lossy-only", "--flag", "0")])
def test_an_archive_that_needs_a_model_says_which(air, model, tmp_path, run, words):
    archive = tmp_path / "a.aez"
    done = run("compress", air, *words, "--no-embed", "-m", model, "-o", archive)
    said = (
        f"note: needs {model} (sha256 {digits_of(model)}...) to be restored: keep it, or put it "
        "inside with --embed"
    )
    assert done.status == 0 and said in done.err.splitlines()
    # as reading it says, too
    failed = run("decompress", archive, "-o", tmp_path / "o.csv")
    assert failed.status != 0 and f"whose sha256 begins {digits_of(model)}" in failed.err


def test_a_goal_that_takes_a_code_says_so_too(tmp_path, run):
    rng = np.random.default_rng(3)
    few = rng.normal(size=(300, 3))
    wide = pd.DataFrame((few @ rng.normal(size=(3, 24))).round(3)).add_prefix("x")
    table, archive = tmp_path / "t.csv", tmp_path / "a.aez"
    wide.to_csv(table, index=False)
    model = fitted(table, "pca", tmp_path / "m.aem", params={"latent": 3})
    words = ("--rmse", "5%", "--no-embed", "-m", model)
    done = run("compress", table, *words, "-o", archive)
    assert done.status == 0 and "chosen: the model's code" in done.err
    assert f"note: needs {model} (sha256 {digits_of(model)}...) to be restored: keep it" in done.err


def test_one_with_its_model_inside_needs_none(air, model, tmp_path, run):
    done = run("compress", air, "--lossy-only", "--embed", "-m", model, "-o", tmp_path / "a.aez")
    assert done.status == 0 and "needs" not in done.err
    inside = aetool.load(model).compress(air, tmp_path / "b.aez", lossy_only=True, embed=True)
    assert "needs" not in inside and "needs_model" not in inside


def test_a_lossless_archive_by_a_model_says_that_it_needs_it(tmp_path, run):
    rng = np.random.default_rng(0)
    words = np.array(["red", "green", "blue"])
    frame = pd.DataFrame(
        {"colour": words[rng.integers(3, size=400)], "n": rng.integers(90, size=400)}
    )
    frame.to_csv(tmp_path / "all.csv", index=False)
    frame.head(20).to_csv(tmp_path / "few.csv", index=False)
    model = tmp_path / "m.aem"
    assert run("fit", tmp_path / "all.csv", "--codec", "-o", model, "-q").status == 0
    done = run("compress", tmp_path / "few.csv", "-m", model, "-o", tmp_path / "a.aez")
    said = f"note: needs {model} (sha256 {digits_of(model)}...) to be restored: keep it"
    assert done.status == 0 and said in done.err.splitlines(), "and no word of --embed"


def test_python_is_told_in_its_words(air, model, tmp_path):
    loaded = aetool.load(model)
    figures = loaded.compress(air, tmp_path / "a.aez", lossy_only=True, embed=False)
    assert figures["needs_model"] == hashlib.sha256(model.read_bytes()).hexdigest()
    assert figures["needs"] == (
        f"needs {model} (sha256 {digits_of(model)}...) to be restored: keep it, or put it inside "
        "with embed=True"
    )


def test_bytes_beside_the_code_of_pictures_are_file_names(folder, pca_pictures, tmp_path, run):
    archive = tmp_path / "a.aez"
    done = run("compress", folder, "--lossy-only", "-m", pca_pictures, "-o", archive)
    with aetool.open(archive) as opened:
        sizes = opened.facts["bytes"]
    # of few pictures both are coded as one
    assert done.status == 0 and sizes["streams"] == sum(sizes.values())
    assert f"\ncode and file names {sizes['streams']:,} bytes; mean error" in done.err


def test_bytes_of_many_names_are_told_apart_from_those_of_the_code(tmp_path, run):
    rng = np.random.default_rng(5)
    many = tmp_path / "many"
    many.mkdir()
    for place in range(900):
        pixels = np.linspace(0, 250, 64).reshape(8, 8) * rng.uniform(size=2)[0]
        Image.fromarray(pixels.astype(np.uint8)).save(
            many / f"{rng.integers(1 << 40):x}{place}.png"
        )
    archive, model = tmp_path / "a.aez", fitted(many, "pca", tmp_path / "m.aem")
    done = run("compress", many, "--lossy-only", "-m", model, "-o", archive)
    with aetool.open(archive) as opened:
        sizes = opened.facts["bytes"]
    assert done.status == 0 and sizes["names"] > 900
    assert f"file names {sizes['names']:,}; mean error" in done.err
    assert "exact columns" not in done.err


def told_of_error(err):
    """(mean error in %, column, RMSE, largest error, range) that compress has printed."""
    number = r"([\d.e+-]+)"
    found = re.search(
        rf"mean error {number} % of the columns' ranges; most in (.+): RMSE {number}, "
        rf"largest error {number}, of a range of {number}$",
        err,
        re.MULTILINE,
    )
    mean, column, *others = found.groups()
    return float(mean), column, *map(float, others)


@pytest.mark.parametrize("word", ["--lossy", "--lossy-only"])
def test_what_is_lost_is_told_as_it_is(air, model, tmp_path, run, word):
    archive, back = tmp_path / "a.aez", tmp_path / "back.csv"
    done = run("compress", air, word, "-m", model, "--embed", "-o", archive)
    assert done.status == 0
    assert ("is smaller" in done.err) == (word == "--lossy"), "the bounded one is taken"
    aetool.decompress(archive, back)
    ours, theirs = pd.read_csv(air), pd.read_csv(back)
    numbers = ours.select_dtypes("number").columns
    off = (ours[numbers] - theirs[numbers]).abs()
    ranges = ours[numbers].max() - ours[numbers].min()
    rmse = np.sqrt(np.square(off).mean())
    mean, column, told_rmse, largest, extent = told_of_error(done.err)
    assert column == (rmse / ranges).idxmax()
    assert told_rmse == pytest.approx(rmse[column], rel=0.01)
    assert largest == pytest.approx(off[column].max(), rel=0.01)
    assert extent == pytest.approx(ranges[column], rel=0.001)
    # over what the code carries: all of the numbers
    assert 100 * (rmse / ranges).mean() == pytest.approx(mean, rel=0.01)


def test_an_exact_archive_in_place_of_a_code_tells_of_no_error(folder, pca_pictures, tmp_path):
    model = aetool.load(pca_pictures)
    figures = model.compress(folder, tmp_path / "a.aez", lossy=True, embed=True)
    assert figures["taken"] == "exact" and figures["error"] == 0 and "worst" not in figures


def test_info_says_wrong_of_words_alone(tmp_path, run):
    rng = np.random.default_rng(0)
    # numbers of two values, which a narrow code does not bring back as they were
    flags = pd.DataFrame(rng.integers(2, size=(500, 6))).add_prefix("f")
    flags["word"] = np.where(flags["f0"] + flags["f1"] > 1, "both", "not both")
    table, archive = tmp_path / "t.csv", tmp_path / "a.aez"
    flags.to_csv(table, index=False)
    model = fitted(table, "pca", tmp_path / "m.aem", params={"latent": 3}, types={"f0": "number"})
    assert run("compress", table, "--lossy-only", "-m", model, "-o", archive).status == 0
    errors = inspecting.info(archive)["errors"]
    printed = run("info", archive).out
    with aetool.open(archive) as opened:
        stored = opened.facts["errors"]
    assert errors.keys() == stored.keys()
    numbers = [name for name in errors if "rmse" in stored[name]]
    words = [name for name in errors if "rmse" not in stored[name]]
    assert "f0" in numbers and all(errors[name].keys() == {"rmse", "largest"} for name in numbers)
    assert all(errors[name] == stored[name] and "wrong" in errors[name] for name in words)
    for line in printed.splitlines():
        if line.split()[:1] == ["f0"]:
            assert "rmse" in line and "wrong" not in line
