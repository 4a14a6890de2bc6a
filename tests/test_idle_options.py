"""No option of a fit is taken without a word where it has no effect: beside a model that is fitted
already, or where nothing is fitted."""

import click
import numpy as np
import pandas as pd
import pytest
from PIL import Image

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


@pytest.fixture
def squares(tmp_path):
    """A folder of 12 small pictures."""
    folder = tmp_path / "squares"
    folder.mkdir()
    for number in range(12):
        pixels = np.random.default_rng(number).integers(0, 256, (16, 16), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--delimiter", ";"], "--delimiter: of text, and SQUARES holds pictures: leave it out"),
        (["--no-header", "--decimal", ","], "--no-header, --decimal: of text, and SQUARES"),
        (["--encoding", "utf-8", "--skip-rows", "1"], "--encoding, --skip-rows: of text"),
        (["--comment", "#"], "--comment: of text, and SQUARES holds pictures: leave it out"),
    ],
)
def test_pictures_take_no_option_about_text(run, squares, words, said):
    said = said.replace("SQUARES", str(squares))
    for verb in (["detect", squares], ["fit", squares, "-o", squares.with_name("m.aem")]):
        # in the order in which they are declared
        done = run(*map(str, verb), *words)
        assert done.status == 2 and said in done.err, done.err


def test_in_python_pictures_take_no_option_about_text_either(squares):
    with pytest.raises(ParamError, match="header=False, decimal: of text, and .* holds pictures"):
        aetool.fit(squares, "pca", header=False, decimal=",")


def test_options_about_text_are_told_of_where_a_table_is_none(run, rows_csv, tmp_path):
    """No error: the ordinary records beside a table in text may be of another kind."""
    pd.read_csv(rows_csv).to_parquet(tmp_path / "rows.parquet")
    done = run("detect", tmp_path / "rows.parquet", "-p", "pca", "--decimal", ".", "--count")
    assert done.status == 0
    assert "no table in text, so --decimal had no effect" in done.err
    done = run("detect", rows_csv, "-p", "pca", "--decimal", ".", "--count")
    assert done.status == 0 and "no effect" not in done.err


@pytest.mark.parametrize(
    "words",
    [["--json"], ["--format", "csv"], ["-o", "out.csv"], ["--append"], ["--id", "v0"], ["--all"]],
)
def test_a_count_is_one_number_and_no_records(run, rows_csv, pca, words):
    done = run("detect", rows_csv, "-m", pca, "--count", *words)
    assert done.status == 2 and not done.out
    assert f"{words[0]} and --count exclude each other: leave one of them out" in done.err


def test_how_far_from_records_needs_records(run, rows_csv, pca, tmp_path):
    target = tmp_path / "new.csv"
    done = run("sample", "-m", pca, "-o", target, "--spread", "0.25")
    assert done.status == 2 and "give --like, too, or leave --spread out" in done.err
    model = aetool.load(pca)
    with pytest.raises(ParamError, match="spread says how far from the records of like is drawn"):
        model.sample(3, spread=0.25)
    # the same as where it is not said
    near = model.sample(like=str(rows_csv), spread=0.25)
    assert near.equals(model.sample(like=str(rows_csv)))


def test_no_model_lies_in_an_archive_without_its_codes(run, rows_csv, pca, tmp_path):
    target = tmp_path / "rows.aez"
    for words in (["--embed"], ["--embed", "-m", pca], ["--embed", "--max-error", "1%"]):
        done = run("compress", rows_csv, "-o", target, *words)
        assert done.status == 2 and "--embed goes with --lossy" in done.err
        assert not target.exists()
    # what an archive turns out to be is not known before
    done = run("compress", rows_csv, "-o", target, "--rmse", "0.1%", "--embed")
    assert done.status == 0 and "note: --embed had no effect" in done.err
    done = run("compress", rows_csv, "-o", target, "-f", "--no-embed")
    assert "note: --no-embed had no effect: the archive needs no model" in done.err
    done = run("compress", rows_csv, "-o", target, "-f", "--lossy-only", "--embed", "-m", pca)
    assert done.status == 0 and "no effect" not in done.err


def test_a_model_that_an_archive_does_not_need_is_told_of(
    run, rows_csv, pca, tmp_path, monkeypatch
):
    plain, coded = tmp_path / "rows.aez", tmp_path / "codes.aez"
    run("compress", rows_csv, "-o", plain)
    run("compress", rows_csv, "-o", coded, "--lossy-only", "--no-embed", "-m", pca)
    said = "the model was not used: the archive is restored without it"
    for verb in (["verify"], ["decompress", "-f", "-o", tmp_path / "back.csv"]):
        needless = run(*verb, plain, "-m", pca)
        assert needless.status == 0 and needless.err.count(said) == 1
        needed = run(*verb, coded, "-m", pca)
        assert needed.status == 0 and said not in needed.err
        assert said not in run(*verb, plain, "-m", pca, "-q").err
        # of all commands, and typed in none
        monkeypatch.setenv("AETOOL_MODEL", str(pca))
        assert said not in run(*verb, plain).err
        monkeypatch.delenv("AETOOL_MODEL")


@pytest.mark.parametrize(("leaving", "said"), [
    (["--drop", "id"], "the archive holds id all the same: --drop leaves columns out of what"),
    (["--keep", "x"], "the archive holds the other columns all the same: --keep is of what"),
])  # fmt: skip
def test_a_column_that_a_model_does_not_learn_is_said_to_be_in_the_archive(
    tmp_path, run, leaving, said
):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"id": rng.permutation(60), "x": rng.normal(size=60).round(2)})
    path = tmp_path / "t.csv"
    table.to_csv(path, index=False)
    done = run("compress", path, "--lossy", "-p", "pca", *leaving, "-o", tmp_path / "t.aez")
    assert done.status == 0 and f"note: {said}" in done.err
    aetool.decompress(tmp_path / "t.aez", tmp_path / "back.csv")
    assert pd.read_csv(tmp_path / "back.csv")["id"].equals(table["id"])
    done = run("compress", path, "--lossy", "-p", "pca", "-o", tmp_path / "t.aez", "-f")
    assert done.status == 0 and "all the same" not in done.err


def test_amounts_of_which_some_are_credits_are_exact_and_said(run, tmp_path):
    """They are no words of which rounding would save nothing."""
    rng = np.random.default_rng(0)
    amounts = [f"{abs(rng.normal(100, 20)):.2f}" for _ in range(2000)]
    few = [f"{row},{text}{' CR' if row % 10 == 0 else ''}" for row, text in enumerate(amounts)]
    both = [f"{row},{text} {'CR' if row % 5 else 'DR'}" for row, text in enumerate(amounts)]
    (tmp_path / "few.csv").write_text("\n".join(["id,amt", *few]) + "\n")
    (tmp_path / "both.csv").write_text("\n".join(["id,amt", *both]) + "\n")
    done = run("compress", tmp_path / "few.csv", "--max-error", "amt=5")
    said = "amt: stored exactly, as it writes some of its numbers with other texts behind them"
    assert done.status == 0 and said in done.err and "saves nothing" not in done.err
    done = run("compress", tmp_path / "both.csv", "--max-error", "amt=5")
    assert done.status == 2 and "column 'amt' holds labels or numbers of several units" in done.err
