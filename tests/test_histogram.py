"""The histogram of each column, against counts."""

import numpy as np
import pandas as pd
import pytest

from aetool import operations
from aetool.data.sources import open_source
from aetool.operations import FitOptions


def fitted(frame, **params):
    return operations.fit(frame, FitOptions("histogram", params))


def bits(model, frame):
    """(rows, columns): what each column costs."""
    schema = model.schema
    x = schema.encode(next(iter(open_source(frame).batches())), "t")
    return model.session("score.onnx", "cpu")(x)["parts"][:, :-1]


def surprise(counts, place, cells):
    """-log2 of the part of the others that are in a cell, one row being spread over all cells."""
    others = max(counts[place] - 1, 0) if place is not None else 0
    return -np.log2((others + 1 / cells) / (sum(counts.values()) - 1 + 1))


def test_few_values_are_counted_value_by_value():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.choice([0, 1, 2, 1000], 500, p=[0.6, 0.3, 0.098, 0.002])})
    frame.loc[7, "a"] = 1000
    frame["level"] = rng.choice(["x", "y", "z"], 500, p=[0.7, 0.29, 0.01])
    model = fitted(frame)
    counts = frame["a"].value_counts().to_dict()
    asked = pd.DataFrame({"a": [0, 1, 2, 3, 500], "level": ["x"] * 5})
    known = [surprise(counts, v, len(counts) + 1) for v in (0, 1, 2, None, None)]
    np.testing.assert_allclose(bits(model, asked)[:, 0], known, rtol=1e-4)
    levels = frame["level"].value_counts().to_dict()
    asked = pd.DataFrame({"a": [0] * 3, "level": ["x", "y", "z"]})
    # "another" is a cell as well
    known = [surprise(levels, v, len(levels) + 1) for v in ("x", "y", "z")]
    np.testing.assert_allclose(bits(model, asked)[:, 1], known, rtol=1e-4)


def test_a_value_that_is_there_once_costs_what_one_costs_that_never_was():
    """It does not count itself; of fewer rows, every model is one of folds."""
    frame = pd.DataFrame({"a": [1] * 250 + [2] * 250 + [7]})
    model = fitted(frame)
    once, never = bits(model, pd.DataFrame({"a": [7, 6]}))[:, 0]
    assert once == pytest.approx(never) and once > np.log2(500)


def test_many_values_are_counted_in_bins():
    frame = pd.DataFrame({"a": np.random.default_rng(0).normal(size=5000).round(3)})
    model = fitted(frame, bins=16)
    counts, edges = np.histogram(frame["a"], 16)
    middles = (edges[:-1] + edges[1:]) / 2
    found = bits(model, pd.DataFrame({"a": middles}))[:, 0]
    expected = -np.log2((np.maximum(counts - 1, 0) + 1 / 18) / 5000)
    # what lies on an edge may come to the other side of it in float32
    np.testing.assert_allclose(found, expected, rtol=5e-3)


def test_beyond_the_ends_it_rises_with_the_distance():
    frame = pd.DataFrame({"a": np.random.default_rng(0).normal(size=2000).round(2)})
    model = fitted(frame)
    for sign in (1, -1):
        found = bits(model, pd.DataFrame({"a": sign * np.array([0.0, 4.5, 6.0, 10.0, 20.0])}))[:, 0]
        assert (np.diff(found) > 0).all() and found[-1] < 32 + np.log2(2001)


def test_gaps_cost_what_their_rarity_is_worth():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=1000).round(2), "b": rng.integers(0, 3, 1000)})
    frame.loc[:39, "a"] = np.nan
    model = fitted(frame)
    missing, there = bits(model, pd.DataFrame({"a": [np.nan, 0.0], "b": [1, 1]}))[:, 0]
    assert missing == pytest.approx(-np.log2((39 + 0.5) / 1000), rel=1e-4)
    counts, edges = np.histogram(frame["a"].dropna(), 20)
    at_zero = counts[np.searchsorted(edges, 0.0, side="right") - 1]
    own = -np.log2((at_zero - 1 + 1 / 22) / 960) - np.log2((959 + 0.5) / 1000)
    assert there == pytest.approx(own, rel=1e-3)


def test_reasons_name_the_column_that_is_odd():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(500, 4)).round(2), columns=list("abcd"))
    frame["level"] = rng.choice(["x", "y"], 500)
    odd = frame[:3].copy()
    odd.loc[1, "c"] = 11.0
    odd["level"] = ["x", "x", "new"]
    found = operations.detect(odd, fitted(frame), all_rows=True)
    assert found.why[1].startswith("c=11.0 (expected ") or found.why[1].startswith("c=11 (expected")
    assert found.why[2].startswith("level=new")
    assert found.score[1] > found.score[0] and found.score[2] > found.score[0]


def test_samples_have_the_histograms_of_the_rows():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.exponential(size=2000).round(2)})
    frame["level"] = rng.choice(["x", "y"], 2000, p=[0.8, 0.2])
    drawn = operations.sample(fitted(frame), operations.SampleOptions(2000, device="cpu"))
    assert drawn["a"].quantile(0.9) == pytest.approx(frame["a"].quantile(0.9), rel=0.15)
    assert 0.74 < (drawn["level"] == "x").mean() < 0.86


def test_a_column_whose_values_all_lie_in_one_fold_is_learned(tmp_path):
    """Fitted without that fold it has no cells, and nothing is beyond their ends."""
    rng = np.random.default_rng(0)
    rare = np.full(400, np.nan)
    rare[:12] = rng.normal(size=12)
    frame = pd.DataFrame({"a": rng.normal(size=400), "b": rare})
    model = operations.fit(frame, FitOptions("histogram"))
    frame.loc[0, "a"] = 40.0
    scores = operations.score(frame, model, "cpu")
    assert np.isfinite(scores).all() and scores.argmax() == 0
