"""No option of a fit is taken without a word where it has no effect: beside a model that is fitted
already, or where nothing is fitted."""

import click
import numpy as np
import pandas as pd
import pytest

import aetool
from aetool.cli import main, options
from aetool.errors import ParamError
from aetool.operations import FitOptions

# a value of each option of a fit, by its name among those of a command, none of them the default
TYPED = {
    "plugin": ["-p", "pca"],
    "params": ["-O", "latent=1"],
    "types": ["--type", "v0=text"],
    "na": ["--na", "gone"],
    "drop": ["--drop", "nonsense"],
    "keep": ["--keep", "nonsense"],
    "condition": ["--condition", "v0"],
    "seed": ["--seed", "3"],
    "max_time": ["--max-time", "5"],
    "context": ["--context", "2"],
    "group": ["--group", "v0"],
    "order": ["--order", "v0"],
    "resize": ["--resize", "8"],
    "tile": ["--tile", "8"],
    "stride": ["--tile", "8", "--stride", "4"],
    "crop": ["--crop", "8"],
    "grey": ["--grey"],
}
# names that are of a fit, and of these commands themselves
OF_THE_VERB = {
    "detect": {"all_rows", "device"},
    "drift": {"device"},
    "evaluate": {"device", "label", "normal"},
    "encode": {"device"},
    "compress": {"device", "max_error"},
}
WITH_MODEL = {
    "detect": ["detect", "DATA", "-m", "MODEL"],
    "drift": ["drift", "MODEL", "DATA"],
    "evaluate": ["evaluate", "DATA", "-m", "MODEL", "--label", "kind", "--normal", "a"],
    "encode": ["encode", "DATA", "-m", "MODEL", "-o", "OUT"],
    "compress": ["compress", "DATA", "-m", "MODEL", "-o", "OUT"],
}


def of_fit(verb):
    """The options of a fit that a command has, by the names that click gives them."""
    command = main.get_command(click.Context(main), verb)
    names = {parameter.name for parameter in command.params if isinstance(parameter, click.Option)}
    known = set(options.FitGiven.__annotations__)
    return sorted((names & known) - OF_THE_VERB.get(verb, set()))


def test_every_verb_that_fits_is_looked_at():
    fitting = {
        verb
        for verb in main.list_commands(click.Context(main))
        if {"params", "drop"} <= set(of_fit(verb))
    }
    # fit has no model beside it, and of tradeoff a model leaves the columns to be read
    assert fitting == {*WITH_MODEL, "fit", "tradeoff"}


@pytest.mark.parametrize("verb", WITH_MODEL)
def test_beside_a_model_each_option_of_a_fit_is_refused(run, rows_csv, pca, tmp_path, verb):
    stand_ins = {"DATA": str(rows_csv), "MODEL": str(pca), "OUT": str(tmp_path / "out.csv")}
    words = [stand_ins.get(word, word) for word in WITH_MODEL[verb]]
    for name in of_fit(verb):
        done = run(*words, *TYPED[name])
        assert done.status == 2, (name, done.out)
        assert f"of the model: fit it with {TYPED[name][0]}" in done.err, done.err


def test_without_a_fit_compress_takes_no_option_of_one(run, rows_csv, tmp_path):
    target = tmp_path / "rows.aez"
    for name in of_fit("compress"):
        done = run("compress", str(rows_csv), "-o", str(target), *TYPED[name])
        assert done.status == 2 and TYPED[name][0] in done.err, (name, done.err)
        assert not target.exists()
    # whoever leaves out a column must not hand it on
    done = run("compress", str(rows_csv), "-o", str(target), "--drop", "v0")
    assert "not out of an archive, which holds every column" in done.err
    assert "--columns" in done.err


def test_tradeoff_without_a_plugin_reads_columns_and_fits_nothing(run, rows_csv, tmp_path):
    for words in (["-O", "latent=1"], ["-O", "scale=false"]):
        done = run("tradeoff", str(rows_csv), "-o", str(tmp_path / "t.svg"), *words)
        assert done.status == 2 and "none is fitted here: give -p" in done.err


def test_a_closed_form_takes_no_epochs(run, rows_csv, tmp_path):
    for words in (["-p", "pca", "--epochs", "3"], ["-p", "pca", "--batch-size", "5"]):
        done = run("fit", str(rows_csv), "-o", str(tmp_path / "m.aem"), *words)
        assert done.status == 2 and f"{words[2]} is of a network" in done.err
    # which members there is time for is told by the data
    done = run("fit", str(rows_csv), "-o", str(tmp_path / "m.aem"), "--epochs", "3")
    assert done.status == 0


def test_in_python_the_same_is_refused_by_its_name_there(rows_csv, pca, tmp_path):
    with pytest.raises(ParamError, match="drop is of the model: fit it with drop, not detect"):
        aetool.detect(str(rows_csv), str(pca), drop=["v0"])
    chosen = FitOptions(drop=["v0"])
    with pytest.raises(ParamError, match="not out of an archive") as refused:
        aetool.compress(str(rows_csv), tmp_path / "rows.aez", fit=chosen)
    assert "frame.drop" in str(refused.value)


@pytest.mark.parametrize("name", ["--fpr", "--fdr", "--contamination"])
def test_half_of_the_records_is_refused_without_a_percent_sign(run, rows_csv, pca, name):
    done = run("detect", str(rows_csv), "-m", str(pca), "--count", name, "0.5")
    assert done.status == 2 and f"{name} 0.5 is 50 %: write 0.5%" in done.err
    assert run("detect", str(rows_csv), "-m", str(pca), "--count", name, "50%").status == 0


def test_a_table_as_an_option_is_refused_by_name():
    """It has no truth, and is compared cell by cell."""
    frame = pd.DataFrame({"a": np.arange(60.0), "b": np.arange(60.0) % 7})
    model = aetool.fit(frame, "pca")
    with pytest.raises(aetool.AetoolError, match="target"):
        aetool.detect(frame, model, target=frame)
