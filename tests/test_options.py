"""Every option of the command line is typed by some test; those that no other test types, here."""

import ast
import json
import math
from pathlib import Path

import click
import numpy as np
import pandas as pd
import pytest

import aetool
from aetool import bundle as bundles
from aetool.cli import main, options
from aetool.errors import ParamError
from aetool.fits import preparing
from aetool.operations import CompressOptions, FitOptions
from aetool.testing import pictures
from tests.trees import tree_of

ROOT = Path(__file__).parent.parent


def options_of(command, name=""):
    """(verb, the ways to type it) of every option of a command and of those below it."""
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            yield name, {*parameter.opts, *parameter.secondary_opts}
    if isinstance(command, click.Group):
        context = click.Context(command)
        for verb in command.list_commands(context):
            yield from options_of(command.get_command(context, verb), f"{name} {verb}".strip())


def words_typed():
    """Every word of a string in a test, and of a command in README, which a test runs."""
    words = set()
    for path in Path(__file__).parent.glob("*.py"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                words.update(word.partition("=")[0] for word in node.value.split())
    for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("$ aetool"):
            words.update(line.split())
    return words


def test_every_option_is_typed_by_a_test():
    typed = words_typed()
    untyped = sorted({f"{verb} {min(ways)}" for verb, ways in options_of(main) if not ways & typed})
    assert not untyped, f"no test types {', '.join(untyped)}"


def test_every_option_says_what_it_does():
    def parameters(command):
        yield from (p for p in command.params if isinstance(p, click.Option))
        if isinstance(command, click.Group):
            context = click.Context(command)
            for verb in command.list_commands(context):
                yield from parameters(command.get_command(context, verb))

    for parameter in parameters(main):
        assert parameter.help and len(parameter.help.split()) > 1, parameter.opts


@pytest.fixture
def readings(tmp_path):
    """A table with lines that are no records, and a word of its own for gaps."""
    rng = np.random.default_rng(0)
    lines = [f"{value:.2f},{value * 2 + noise:.2f}" for value, noise in rng.normal(0, 1, (200, 2))]
    lines[10] = "nix,1.00"
    path = tmp_path / "readings.csv"
    path.write_text(
        "\n".join(["# made by a logger", "a,b", *lines, "# end"]) + "\n", encoding="utf-8"
    )
    return path


def test_words_for_gaps_and_lines_that_are_no_records(run, readings, tmp_path):
    asked = run("detect", readings, "--comment", "#", "--na", "nix", "--explain-columns")
    assert asked.status == 0 and "1 missing" in asked.out.splitlines()[0]
    model = tmp_path / "m.aem"
    assert (
        run("fit", readings, "--comment", "#", "--na", "nix", "-p", "pca", "-o", model).status == 0
    )
    fitted = bundles.load(model)
    assert fitted.facts["rows"] == 200 and [c.kind for c in fitted.schema.columns] == ["number"] * 2


def test_half_of_ordinary_records_is_written_with_a_percent_sign(run, readings):
    """0.5 may mean half a percent, as a number above 1 is a percentage elsewhere."""
    given = ["detect", readings, "--comment", "#", "-p", "pca", "--count"]
    refused = run(*given, "--fpr", "0.5")
    assert refused.status == 2 and "0.5 is 50 %" in refused.err and "0.5%" in refused.err
    many = run(*given, "--fpr", "50%")
    few = run(*given, "--fpr", "0.01")
    assert many.status == few.status == 0 and int(many.out) > 10 * max(int(few.out), 1)


def test_the_version_is_that_of_the_package(run):
    assert run("--version").out == f"aetool, version {aetool.__version__}\n"


def test_all_rows_are_fitted_where_a_sample_would_be(run, readings, tmp_path, monkeypatch):
    monkeypatch.setattr(preparing, "RESERVOIR", 50)
    common = ("fit", readings, "--comment", "#", "-p", "neighbours", "-f", "-o", tmp_path / "m.aem")
    run(*common)
    few = bundles.load(tmp_path / "m.aem").facts
    assert few.get("fitted_rows", few["rows"]) == 50
    run(*common, "--all-rows")
    all_of_them = bundles.load(tmp_path / "m.aem").facts
    assert all_of_them.get("fitted_rows", all_of_them["rows"]) == 200


# two networks, for their number of steps
@pytest.mark.long
def test_a_training_step_has_as_many_rows_as_asked(run, rows_csv, tmp_path):
    steps = {}
    for size in (32, 128):
        path = tmp_path / f"{size}.aem"
        done = run("fit", rows_csv, "-p", "ae", "--epochs", 2, "--batch-size", size, "-o", path)
        assert done.status == 0
        steps[size] = bundles.load(path).facts["steps"]
    assert steps[32] > 2 * steps[128]


def test_no_progress_line_is_printed_where_none_is_wanted(run, rows_csv, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    common = ("fit", rows_csv, "-p", "ae", "--epochs", 2, "-f", "-o", tmp_path / "m.aem")
    assert "\r" in run(*common).err
    assert "\r" not in run(*common, "--no-progress").err


def test_students_imply_a_codec(run, rows_csv, tmp_path):
    model = tmp_path / "m.aem"
    assert run("fit", rows_csv, "-p", "pca", "--students", "-q", "-o", model).status == 0
    archive = tmp_path / "a.aez"
    assert run("compress", rows_csv, "-m", model, "-o", archive, "-q").status == 0
    back = tmp_path / "back.csv"
    assert run("decompress", archive, "-m", model, "-o", back, "-q").status == 0
    assert back.read_bytes() == rows_csv.read_bytes()
    assert "codec" in run("info", model).out


def test_a_report_lists_as_many_records_as_asked(run, rows_csv, pca, tmp_path):
    sizes = []
    for shown in (0, 5):
        page = tmp_path / f"{shown}.html"
        done = run("report", pca, rows_csv, "-o", page, "--contamination", "10%", "--show", shown)
        assert done.status == 0
        sizes.append(len(page.read_text(encoding="utf-8")))
    assert sizes[0] < sizes[1]


# two fits of the default; levels are of test_drift.py, too
@pytest.mark.long
def test_drift_is_as_sure_as_asked(run, tmp_path):
    rng = np.random.default_rng(5)
    old, new = (pd.DataFrame({"a": rng.normal(mean, 1, 400)}) for mean in (0, 0.25))
    for name, frame in (("old", old), ("new", new)):
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    words = {}
    for alpha in ("0.0001%", "20%"):
        done = run("drift", tmp_path / "old.csv", tmp_path / "new.csv", "--alpha", alpha)
        assert done.status == 0
        words[alpha] = done.out.splitlines()[0]
    assert words == {"0.0001%": "same", "20%": "shifted"}
    assert run("drift", tmp_path / "old.csv", tmp_path / "new.csv", "--alpha", "0").status == 2


def test_the_prior_is_drawn_from_where_asked(run, vae, pca, tmp_path):
    for words in ((), ("--prior",)):
        out = tmp_path / f"drawn{len(words)}.csv"
        assert run("sample", "-m", vae, "-n", 50, "-o", out, *words).status == 0
        assert len(pd.read_csv(out)) == 50
    assert (tmp_path / "drawn0.csv").read_bytes() != (tmp_path / "drawn1.csv").read_bytes()
    done = run("sample", "-m", pca, "-n", 5, "-o", tmp_path / "no.csv", "--prior")
    assert done.status == 2 and "no --prior" in done.err


def test_a_region_is_typed_as_four_numbers(run, tmp_path):
    pixels = pictures(40)[:, 0]
    np.save(tmp_path / "p.npy", pixels)
    model = tmp_path / "m.aem"
    assert (
        run("fit", tmp_path / "p.npy", "-p", "denoising", "--epochs", 1, "-o", model, "-q").status
        == 0
    )
    out = tmp_path / "o.npy"
    region = ("denoise", tmp_path / "p.npy", "-m", model, "--fill-missing", "-o", out, "--region")
    assert run(*region, "3,2,2,4").status == 0
    same = np.load(out) == pixels
    outside = np.ones(pixels.shape[1:], bool)
    outside[2:6, 3:5] = False  # top 2, height 4; left 3, width 2
    assert same[:, outside].all() and not same[:, ~outside].all()
    assert run(*region, "3,2,2", "-f").status == 2


def test_of_pictures_the_middle_is_seen_where_asked(run, folder, tmp_path):
    model = tmp_path / "m.aem"
    done = run("fit", folder, "-p", "pca", "--crop", "6x4", "-o", model, "-q")
    assert done.status == 0, done.err
    assert tuple(bundles.load(model).shape) == (1, 4, 6), "channels, height, width"
    refused = run("fit", folder, "-p", "pca", "--crop", "6x4x2", "-o", tmp_path / "n.aem")
    assert refused.status == 2 and "--crop 6x4x2" in refused.err


def test_what_is_typed_is_what_json_says(run, rows_csv, pca):
    """An option may stand before or behind what it is about."""
    lines = [
        run("detect", *words).out
        for words in (
            (rows_csv, "-m", pca, "--top", 3, "--format", "jsonl"),
            ("--format", "jsonl", "--top", 3, "-m", pca, rows_csv),
        )
    ]
    assert lines[0] == lines[1] and len([json.loads(line) for line in lines[0].splitlines()]) == 3


INFINITE = ["1e400", "-1e400", "inf", "-inf", "nan"]


@pytest.mark.parametrize("number", INFINITE)
def test_no_option_takes_a_number_that_is_not_finite(number):
    def parameters(command):
        yield from command.params
        if isinstance(command, click.Group):
            context = click.Context(command)
            for verb in command.list_commands(context):
                yield from parameters(command.get_command(context, verb))

    refused = set()
    for parameter in parameters(main):
        # a share and a bound are texts, which the next test types
        if isinstance(parameter.type, click.types.FloatParamType):
            with pytest.raises(click.BadParameter):
                parameter.type.convert(number, parameter, None)
            refused.add(parameter.name)
    assert {"threshold", "max_time", "target_psnr", "bytes_per_picture", "spread"} <= refused


@pytest.mark.parametrize("number", ["1e400", "1e400%", "inf", "nan%"])
@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        ("compress DATA -o OUT --max-error NUMBER", "a number such as 0.5 or 1%"),
        ("compress DATA -o OUT --max-error b=NUMBER", "a number such as 0.5 or 1%"),
        ("compress DATA -o OUT --rmse NUMBER", "a number such as 0.01 or 1%"),
        ("detect DATA --max-flagged NUMBER", "such as 0.01 or 1%|or a part such as 1%"),
        ("detect DATA --contamination NUMBER", "a number such as 0.01 or 1%"),
    ],
)
def test_texts_of_infinite_numbers_are_refused_with_what_is_allowed(
    run, tmp_path, number, words, allowed
):
    frame = pd.DataFrame({"a": range(40), "b": np.linspace(0, 1, 40).round(3)})
    frame.to_csv(tmp_path / "data.csv", index=False)
    places = {"DATA": tmp_path / "data.csv", "OUT": tmp_path / "out.aez", "NUMBER": number}
    for word, place in places.items():
        words = words.replace(word, str(place))
    result = run(*words.split())
    assert result.status == 2
    assert any(text in result.err for text in allowed.split("|"))
    assert number in result.err and not (tmp_path / "out.aez").exists()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda: FitOptions(**{"max_time": math.inf}),
            "fit: max_time must be a finite number or None",
        ),
        (
            lambda: FitOptions(**{"max_time": math.nan}),
            "fit: max_time must be a finite number or None",
        ),
        (lambda: FitOptions(**{"max_time": -1}), "max_time must be above 0, got -1"),
        (lambda: CompressOptions(rmse=math.nan), "compress: rmse must be a finite number or None"),
        (lambda: CompressOptions(target=10**400), "target must be a finite number or None"),
        (lambda: aetool.detect([[1.5]], threshold=math.inf), "threshold must be a finite number"),
        (lambda: aetool.detect([[1.5]], fpr="inf%"), "fpr must be a number such as 0.01"),
    ],
)
def test_numbers_of_python_that_are_not_finite_are_refused(call, said):
    with pytest.raises(ParamError, match=said):
        call()


def test_any_max_time_is_enough():
    frame = pd.DataFrame({"a": np.arange(40) % 7, "b": np.linspace(0, 1, 40)})
    assert aetool.fit(frame, "pca", max_time=1e308).facts["fitted_rows"] == 40


@pytest.mark.parametrize(("given", "bounds"), [
    (("1%",), {"": "1%"}), (("a=0.5", "2"), {"a": "0.5", "": "2"}),
    (("a=0.5,b=2",), {"a": "0.5", "b": "2"}), (("a=b=0.5",), {"a=b": "0.5"}),
    # commas in a name, and in a number
    (("a,b=0.5",), {"a,b": "0.5"}), (("a=0,5",), {"a": "0,5"}), (("a,b",), {"": "a,b"}),
])  # fmt: skip
def test_bounds_of_several_columns(given, bounds):
    assert options.bounds(given) == bounds
