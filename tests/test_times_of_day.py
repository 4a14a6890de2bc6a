"""Times of day in exported graphs: what they are fed as is said, and done by the script that scores
by hand."""

import datetime
import importlib.util
import json
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest

from aetool import operations
from aetool.columns.column import ODD
from aetool.columns.truth import SPELLINGS
from aetool.operations import FitOptions

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "score_by_hand.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("score_by_hand", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(folder of the graphs, the table, its model) of times of day and days."""
    folder = tmp_path_factory.mktemp("times")
    rng = np.random.default_rng(4)
    seconds = rng.normal(43_000, 4000, 400).astype(int)
    days = pd.date_range("2024-03-01", periods=400, freq="D").strftime("%Y-%m-%d")
    frame = pd.DataFrame({"at": [str(datetime.timedelta(seconds=int(s))) for s in seconds]})
    frame["day"] = days
    frame["load"] = (seconds / 1000 + rng.normal(0, 0.1, 400)).round(2)
    frame.loc[5, "at"] = "23:59:30"
    frame.loc[6, "at"] = "noon"
    table = folder / "t.csv"
    frame.to_csv(table, index=False)
    model = operations.fit(table, FitOptions("pca"))
    operations.export(model, folder / "graphs")
    return folder / "graphs", table, model


def test_each_column_of_dates_says_what_it_is_taken_as(made):
    told = json.loads((made[0] / "model.json").read_text())
    units = {column["name"]: column.get("unit") for column in told["columns"]}
    assert units == {
        "at": "seconds since midnight",
        "day": "seconds since 1970-01-01T00:00 UTC",
        "load": None,
    }
    assert "times of day as seconds since midnight" in told["input"]


def test_the_script_scores_them_as_detect_does(script, made):
    graphs, table, model = made
    scores, flagged = script.scores_of(str(graphs), str(table))
    found = operations.detect(table, model, all_rows=True)
    np.testing.assert_allclose(scores, found.score, rtol=1e-5)
    np.testing.assert_array_equal(flagged, found.anomaly)
    assert flagged[5] and flagged[6]


def test_the_script_knows_which_words_are_gaps(script, tmp_path):
    """A word of the user's, one that is a gap everywhere, and one that is a level beside gaps of
    another kind."""
    rng = np.random.default_rng(6)
    degree = rng.choice(["none", "school", "college", "N/A", "nobody knows"], 600)
    basement = np.where(rng.random(600) < 0.9, rng.choice(["full", "half", "none"], 600), "")
    frame = pd.DataFrame({"degree": degree, "basement": basement})
    frame["income"] = rng.lognormal(3, 0.3, 600).round(2).astype(str)
    frame.loc[::50, "income"] = " NULL "
    frame.to_csv(tmp_path / "t.csv", index=False)
    model = operations.fit(tmp_path / "t.csv", FitOptions("pca", na=("Nobody knows",)))
    assert model.schema["income"].missing == 12 and model.schema["degree"].missing > 100
    operations.export(model, tmp_path / "graphs")
    scores, _ = script.scores_of(str(tmp_path / "graphs"), str(tmp_path / "t.csv"))
    found = operations.detect(tmp_path / "t.csv", model, all_rows=True)
    np.testing.assert_allclose(scores, found.score, rtol=1e-5)


ROWS = 600
DIRECTIONS = ["NE", "N", "NNE"]


def with_words():
    """Columns whose words are written in several ways: truths, codes that are numbers, countries."""
    rng = np.random.default_rng(12)
    frame = pd.DataFrame({"paid": rng.choice(["no", "yes"], ROWS, p=[0.8, 0.2])})
    frame["wind"] = rng.choice(DIRECTIONS, ROWS)
    # the word as it is met first has a blank behind it
    frame["phase"] = rng.choice(["Solid ", "Liquid "], ROWS)
    frame["size"] = rng.choice(["12", "12.50", "L", "XL"], ROWS)
    frame["country"] = rng.choice(
        ["DE", "FR", "NA", "US", "none"], ROWS, p=[0.3, 0.3, 0.2, 0.19, 0.01]
    )
    frame["flag"] = rng.choice(["0", "1"], ROWS)
    frame["load"] = (rng.normal(5, 1, ROWS) + 3 * (frame["paid"] == "yes")).round(2)
    return frame


def otherwise_written(frame):
    """The same table with other spellings in it, row by row, and some words that have no meaning."""
    frame = frame.astype(str)
    truths = [word for words in SPELLINGS.values() for word in words]
    truths += [word.upper() for word in truths] + [word.title() for word in truths]
    truths += [f"  {word} " for word in truths] + ["maybe", "NULL", " ", "yes!"]
    frame.loc[: len(truths) - 1, "paid"] = truths
    frame.loc[: len(truths) - 1, "flag"] = [t for t in truths if t not in ("maybe", "yes!")] + [
        "0"
    ] * 2
    for column, cells in {
        "wind": [" NE ", "ne", "NE\t", "\u00a0NNE", "", "S", " n/a"],
        "phase": ["Solid", " Solid", "solid", "Liquid  "],
        "size": ["12.0", "1.2e1", " 12 ", "012", "12.5", "1250E-2", "12.000000000000000", "l", "-"],
        "country": [" NA", "na", "none", "None", " NONE ", "Namibia", "N/A", "missing", "de"],
        "load": [" 5.5 ", "5e0", "?"],
    }.items():
        frame.loc[: len(cells) - 1, column] = cells
    return frame


@pytest.mark.parametrize(
    "options", [{}, {"condition": ("paid", "wind", "country")}], ids=["plain", "condition"]
)
def test_the_script_reads_words_in_every_spelling_as_detect_does(script, tmp_path, options):
    with_words().to_csv(tmp_path / "t.csv", index=False)
    otherwise_written(with_words()).to_csv(tmp_path / "other.csv", index=False)
    kinds = {"flag": "number", "size": "category", "country": "category"}
    model = operations.fit(tmp_path / "t.csv", FitOptions("pca", types=kinds, **options))
    operations.export(model, tmp_path / "graphs")
    scores, flagged = script.scores_of(str(tmp_path / "graphs"), str(tmp_path / "other.csv"))
    found = operations.detect(tmp_path / "other.csv", model, all_rows=True)
    np.testing.assert_allclose(scores, found.score, rtol=0, atol=1e-4)
    np.testing.assert_array_equal(flagged, found.anomaly)
    told = json.loads((tmp_path / "graphs" / "model.json").read_text())
    paid, wind, phase, size, country, flag, load = told["columns"]
    assert set(paid["spellings"]) == {word for words in SPELLINGS.values() for word in words}
    assert paid["spellings"]["y"] == "yes" and paid["spellings"]["0"] == "no"
    assert flag["levels"] == [] and flag["spellings"]["true"] == "1" and "other" not in flag
    assert (
        size["numbers"] and not {"numbers", "spellings", "not_gaps"} & set(wind) and phase["levels"]
    )
    assert "na" in country["not_gaps"] and set(load) == {"name", "kind", "levels"}
    others = [ODD] * 2 if options else [2, 3]
    assert [paid["other"], wind["other"]] == others
    assert "blanks around a cell and around a level do not count" in told["words"]


def test_the_mark_of_other_words_is_exact_in_float32(tmp_path):
    model = operations.fit(with_words(), FitOptions("pca", condition=("wind",)))
    operations.export(model, tmp_path, float32=True)
    told = json.loads((tmp_path / "model.json").read_text())
    wind = told["columns"][1]["other"]
    assert wind == np.float32(wind) < -1e38 and repr(wind) in told["input"]


def test_the_script_names_a_column_that_is_missing(script, made, tmp_path):
    graphs, table, _ = made
    pd.read_csv(table).drop(columns="day").to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(SystemExit) as caught:
        script.main([str(graphs), str(tmp_path / "t.csv")])
    assert str(caught.value) == f"{tmp_path / 't.csv'}: column 'day' is missing; there are at, load"


def test_the_script_prints_every_score_if_asked(script, made, capsys):
    graphs, table, _ = made
    scores, flagged = script.scores_of(str(graphs), str(table))
    script.main([str(graphs), str(table), "--all"])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [int(row) for row, _, _ in lines] == list(range(1, 401))
    np.testing.assert_allclose([float(score) for _, score, _ in lines], scores, atol=1e-4)
    assert [word == "anomaly" for _, _, word in lines] == flagged.tolist()
    script.main([str(graphs), str(table)])
    rows = [int(line.split()[0]) for line in capsys.readouterr().out.splitlines()]
    assert rows == (np.flatnonzero(flagged) + 1).tolist() and 7 in rows


def test_the_script_refuses_a_model_of_rows_beside_others(script, made, tmp_path):
    _, table, _ = made
    operations.export(operations.fit(table, FitOptions("pca", context=1)), tmp_path)
    with pytest.raises(ValueError, match="beside those before it"):
        script.scores_of(str(tmp_path), str(table))


@pytest.mark.parametrize(
    ("column", "cell"),
    [("at", "11.30 Uhr"), ("at", "25:00"), ("day", "8/29"), ("load", "$5"), ("load", "1,234")],
)
def test_the_script_refuses_what_it_cannot_read(script, made, tmp_path, column, cell):
    graphs, table, _ = made
    frame = pd.read_csv(table, dtype=str)
    frame.loc[3, column] = cell
    frame.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(ValueError, match="is not written plainly") as caught:
        script.scores_of(str(graphs), str(tmp_path / "t.csv"))
    assert f"{column}: {cell!r}" in str(caught.value)


def test_every_output_is_told_with_its_shape(made):
    told = json.loads((made[0] / "model.json").read_text())["outputs"]
    for name in ("encoder.onnx", "decoder.onnx", "score.onnx"):
        outputs = onnx.load(made[0] / name).graph.output
        assert list(told[name]) == [output.name for output in outputs]
        assert all(": " in line for line in told[name].values()), "each has a meaning"
    assert told["score.onnx"]["score"].startswith("(batch,) float64: how unusual")
    assert told["score.onnx"]["parts"].startswith("(batch, 4) float32: what each column adds")
    assert told["score.onnx"]["anomaly"].startswith("(batch,) bool: ")
    assert told["score.onnx"]["expected"].startswith("(batch, 3) float64: ")
