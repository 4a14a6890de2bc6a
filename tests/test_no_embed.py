"""No archive is written whose model is neither in it nor anywhere else."""

import json
import shlex

import numpy as np
import pandas as pd
import pytest

import aetool
from aetool.archives.candidates import Candidates
from aetool.errors import ParamError
from aetool.fits import fitting
from aetool.operations import FitOptions, surveying
from aetool.testing import pictures

SAID = (
    "--no-embed: the model that is learned here would be saved nowhere; fit one and give it with "
    "-m, or leave --no-embed away"
)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "t.csv"
    rng = np.random.default_rng(3)
    base = rng.normal(size=(300, 2)).cumsum(axis=0)
    frame = pd.DataFrame((base @ rng.normal(size=(2, 4))).round(3)).add_prefix("x")
    frame.to_csv(path, index=False)
    return path


@pytest.fixture
def no_fit(monkeypatch):
    """A fit is an error: what is refused is so before any work."""

    def refused(*_):
        raise AssertionError

    monkeypatch.setattr(fitting, "on_the_spot", refused)


@pytest.mark.parametrize(
    "words",
    [
        ("--lossy",),
        ("--lossy-only",),
        ("--budget", "2kB", "-p", "pca"),
        ("--rmse", "5%", "-p", "pca"),
    ],
)
def test_a_model_that_would_be_lost_is_refused(table, no_fit, run, words):
    done = run("compress", table, *words, "--no-embed", "-o", table.with_name("a.aez"))
    assert done.status == 2 and done.err == f"aetool: error: {SAID}\n"
    assert [path.name for path in table.parent.iterdir()] == ["t.csv"]


@pytest.mark.parametrize(
    "asked",
    [{"lossy": True}, {"lossy_only": True}, {"rmse": 0.1, "fit": FitOptions("pca")}],
)
def test_it_is_refused_in_python(table, no_fit, asked):
    said = (
        "embed=False: the model that is learned here would be saved nowhere; fit one and give it "
        "with model, or leave embed=False away"
    )
    with pytest.raises(ParamError, match=said):
        aetool.compress(table, table.with_name("a.aez"), embed=False, **asked)


@pytest.mark.parametrize("words", [(), ("--max-error", "1%"), ("--rmse", "5%")])
def test_archives_without_a_code_need_no_model(table, run, words):
    archive, back = table.with_name("a.aez"), table.with_name("back.csv")
    done = run("compress", table, *words, "--no-embed", "-o", archive)
    assert done.status == 0, done.err
    aetool.decompress(archive, back)
    assert len(back.read_bytes().splitlines()) == len(table.read_bytes().splitlines())


def test_a_model_that_is_embedded_may_be_learned(table, run):
    archive, back = table.with_name("a.aez"), table.with_name("back.csv")
    done = run("compress", table, "--lossy-only", "-p", "pca", "--embed", "-o", archive)
    assert done.status == 0, done.err
    aetool.decompress(archive, back)
    assert len(back.read_bytes().splitlines()) == 301


def test_tradeoff_says_how_to_keep_the_model_of_its_pick(tmp_path, run, monkeypatch):
    monkeypatch.setattr(surveying, "RATIOS", ())
    # few pictures within levels take fewer bytes than a code, where levels can be bounded
    monkeypatch.setattr(Candidates, "can_be_bounded", False)
    shapes, model = tmp_path / "s.npy", tmp_path / "s.aem"
    pixels = pictures(150)[:, 0]
    np.save(shapes, pixels)
    words = ("-p", "pca", "--seed", "3", "-O", "latent=20")
    asked = ("--target-psnr", "22", "--no-embed", "--no-others", "--json", "-q")
    done = run("tradeoff", shapes, *words, *asked)
    assert done.status == 0, done.err
    told = json.loads(done.out)
    assert told["pick"]["way"] == "code of pca"
    fit, compress = told["command"].split(" && ")
    assert fit == f"aetool fit {shapes} -p pca -o {model} -O latent=20 --seed 3"
    assert compress == f"aetool compress {shapes} --target-psnr 22 --no-embed -m {model}"
    for command in (fit, compress):
        done = run(*shlex.split(command)[1:])
        assert done.status == 0, done.err
    archive, back = tmp_path / "s.npy.aez", tmp_path / "back.npy"
    assert archive.stat().st_size == told["pick"]["size"]
    done = run("decompress", archive, "-m", model, "-o", back)
    assert done.status == 0, done.err
    noise = np.sqrt(np.square(np.load(back).astype(float) - pixels).mean())
    assert 20 * np.log10(255 / noise) == pytest.approx(told["pick"]["psnr"], abs=1e-6)
