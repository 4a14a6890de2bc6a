"""The two tails of each column, against the distribution they are read off."""

import numpy as np
import pandas as pd
import pytest

from aetool import operations, plugins, rarity
from aetool.operations import FitOptions
from aetool.rarity import Rarity


def fitted(frame):
    return operations.fit(frame, FitOptions("tails"))


def scores(model, frame):
    return operations.score(frame, model, "cpu")


def two_columns(rows=20_000):
    rng = np.random.default_rng(0)
    return pd.DataFrame({"a": rng.normal(size=rows), "b": rng.exponential(size=rows)})


def test_a_score_is_how_rare_a_value_as_far_out_is():
    frame = two_columns()
    model = fitted(frame)
    for far in (3.5, 4.0, 5.0, 7.0):
        score = scores(model, pd.DataFrame({"a": [0.0], "b": [far + 4.0]}))[0]
        # exp(-b) of an exponential column; four tails, of which one is the rarest by chance
        exact = (far + 4.0) / np.log(2) - 2 - 3
        assert score == pytest.approx(exact, rel=0.2), f"b = {far + 4}"


def test_few_ordinary_records_have_any_bits():
    """Of n records each with one of 2 d tails about n / 8 in 2^bits reach so many bits."""
    model = fitted(two_columns())
    fresh = two_columns(40_000)[20_000:]
    found = scores(model, fresh)
    for bits in (1, 3, 5):
        assert (found >= bits).mean() <= 2.0**-bits / 8 * 1.5


def test_the_farther_out_the_higher_and_on_both_sides():
    frame = two_columns()
    model = fitted(frame)
    for sign in (1, -1):
        out = pd.DataFrame({"a": sign * np.array([0.0, 4.0, 5.0, 6.0, 9.0, 30.0]), "b": 1.0})
        found = scores(model, out)
        assert found[0] == 0 and (np.diff(found[1:]) >= 0).all() and found[3] > 10


def test_columns_that_say_the_same_share_the_bits_of_one():
    frame = two_columns()
    frame["c"] = frame["a"]
    model = fitted(frame)
    odd = pd.DataFrame({"a": [6.0], "b": [1.0], "c": [6.0]})
    alone = pd.DataFrame({"a": [6.0], "b": [1.0], "c": [0.0]})
    assert scores(model, odd)[0] == pytest.approx(scores(model, alone)[0], rel=1e-5)


def test_gaps_and_levels_have_no_tails():
    rng = np.random.default_rng(0)
    frame = two_columns(2000)
    frame.loc[rng.random(2000) < 0.3, "a"] = np.nan
    frame["level"] = rng.choice(["x", "y"], 2000)
    frame["few"] = rng.integers(0, 3, 2000)
    model = fitted(frame)
    usual = {"a": np.nan, "b": 1.0, "level": "x", "few": 1}
    for change in ({}, {"few": 2}, {"level": "new"}, {"b": np.nan}):
        assert scores(model, pd.DataFrame([usual | change]))[0] == pytest.approx(0, abs=20)
    assert scores(model, pd.DataFrame([usual]))[0] == 0
    assert scores(model, pd.DataFrame([usual | {"a": 8.0}]))[0] > 10


@pytest.mark.parametrize("levels", [2, 3, 9])
def test_a_number_beyond_all_levels_of_a_column_is_far_out(levels):
    """Of a column of so few numbers no tail can be read: only what is well beyond them is odd."""
    rng = np.random.default_rng(levels)
    frame = two_columns(2000)
    frame["few"] = rng.integers(0, levels, 2000)
    model = fitted(frame)
    usual = {"a": 0.0, "b": 1.0}
    span = levels - 1
    of_number = {}
    for number in (*range(levels), span * 1.2, span * 2, -span, span * 10):
        odd = pd.DataFrame([usual | {"few": float(number)}])
        of_number[number] = scores(model, odd)[0]
    assert max(of_number[number] for number in range(levels)) == 0
    assert of_number[span * 1.2] == 0
    assert min(of_number[span * 2], of_number[-span], of_number[span * 10]) > 10


def test_what_is_far_in_a_column_takes_nothing_from_the_tails_that_were_read():
    frame = two_columns(2000)
    without = fitted(frame)
    frame["few"] = np.arange(2000) % 3
    with_levels = fitted(frame)
    odd = pd.DataFrame({"a": [6.0], "b": [1.0], "few": [1.0]})
    expected = scores(without, odd.drop(columns="few"))[0]
    assert scores(with_levels, odd)[0] == pytest.approx(expected, rel=1e-5)


def test_one_value_at_the_end_of_a_column_that_many_have():
    """Nothing is known beyond a value that more than a twentieth of the rows have."""
    frame = two_columns(1000)
    frame["a"] = frame["a"].clip(upper=1.0)
    model = fitted(frame)
    at_end, beyond = (scores(model, pd.DataFrame({"a": [a], "b": [1.0]}))[0] for a in (1.0, 2.0))
    assert at_end == 0 and beyond > 5


def test_a_few_planted_values_do_not_hide_themselves():
    frame = two_columns(1000)
    frame.loc[[5, 500, 700], "a"] = [6.0, 6.0, -6.0]
    found = scores(fitted(frame), frame)
    assert set(np.argsort(-found)[:3]) == {5, 500, 700}


def test_scores_in_bits_join_as_they_are():
    told = Rarity.told(1000)
    bits = np.array([-1.0, 0.0, 3.0, 20.0, 500.0])
    expected = np.maximum(bits, 0)
    assert told.of_scores(bits)[:4] == pytest.approx(expected[:4])
    assert told.of_scores(bits)[4] < rarity.knee(1000) + rarity.ROOM
    members = plugins.get_model("auto").members
    of_tables = [m for m in members if "table" in m.data]
    for fits, models in (("plain", {"neighbours", "tails", "ranks"}), ("robust", {"tails"})):
        assert {m.model for m in of_tables if fits in m.fits and m.in_bits} == models
