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
