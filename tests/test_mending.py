"""Reasons in turn: a column is named only if the record is odd although those before it are mended."""

import numpy as np
import pandas as pd
import pytest

from aetool import operations
from aetool.detection.mending import Judged, Mender
from aetool.operations import FitOptions

SIZES = {"front": 0.5, "rear": 0.4, "length": 1.0, "width": 1.1, "depth": 0.45}


def crabs(rows=300, seed=0):
    """Five measures of one size, with a kind by which they differ, and the place in a list that is
    sorted by size."""
    rng = np.random.default_rng(seed)
    size = np.sort(rng.normal(32, 7, rows))
    kind = rng.choice(["blue", "orange"], rows)
    frame = pd.DataFrame({"kind": kind, "place": np.arange(rows) // 6})
    for name, factor in SIZES.items():
        shift = np.where(kind == "blue", 0.0, 1.5 * factor)
        frame[name] = (factor * size + shift + rng.normal(0, 0.3, rows)).round(1)
    return frame


@pytest.fixture(scope="module")
def model():
    return operations.fit(crabs(), FitOptions())


def reasons_of(frame, row, model):
    """(column, found, expected) for each reason of a row, which must be flagged."""
    found = operations.detect(frame, model, all_rows=True)
    assert found.anomaly[row]
    return found.named[row]


def test_of_cells_that_are_hardly_ever_missing_the_gaps_are_the_reason(model):
    """All that is foretold from what is missing is a guess, and no reason."""
    for lacking in (["rear", "length", "depth"], ["kind", "width", "front"], ["length"]):
        frame = crabs(seed=1)
        frame.loc[150, lacking] = None
        named = reasons_of(frame, 150, model)
        assert {column for column, *_ in named} == set(lacking)
        assert {found for _, found, _ in named} == {"missing"}


def test_what_is_still_odd_beside_the_gaps_is_told_with_them(model):
    frame = crabs(seed=1)
    frame.loc[150, "rear"] = None
    frame.loc[150, "depth"] *= 10
    assert {column for column, *_ in reasons_of(frame, 150, model)} == {"rear", "depth"}


def test_a_gap_where_many_are_is_no_reason():
    frame = crabs()
    frame.loc[::4, "rear"] = None
    # in no order: of sizes in order the stretches that are held out are unlike all others
    made = operations.fit(frame.sample(frac=1, random_state=0), FitOptions())
    odd = crabs(seed=1)
    odd.loc[150, "rear"] = None
    odd.loc[150, "depth"] *= 10
    ((column, *_),) = reasons_of(odd, 150, made)
    assert column == "depth"


@pytest.mark.parametrize("column", SIZES)
def test_what_only_follows_from_the_first_reason_is_none(model, column):
    frame = crabs(seed=1)
    frame.loc[150, column] *= 10
    (reason,) = reasons_of(frame, 150, model)
    assert reason[0] == column


def test_of_a_record_that_is_not_flagged_what_costs_most_is_named(model):
    """One wrong number is the only reason of the flagged record; where no threshold flags it, what
    follows from the number is named as well, as it costs more than usual, too."""
    frame = crabs(seed=1)
    frame.loc[150, "depth"] *= 10
    ((column, *_),) = reasons_of(frame, 150, model)
    unflagged = operations.detect(frame, model, all_rows=True, threshold=1e9)
    assert column == "depth" and unflagged.flagged == 0
    named = [reason[0] for reason in unflagged.named[150]]
    assert named[0] == "depth" and len(named) > 1


def test_two_values_that_are_wrong_by_themselves_are_both_named(model):
    frame = crabs(seed=1)
    frame.loc[150, ["front", "width"]] *= 10
    named = {column for column, *_ in reasons_of(frame, 150, model)}
    assert named == {"front", "width"}


def test_an_explanation_names_what_detect_names(model):
    record = crabs(seed=1).iloc[[150]].copy()
    record[["rear", "length"]] = np.nan
    told = operations.explain(record, model)
    named = [column for column, is_named in zip(told.columns, told.named, strict=True) if is_named]
    assert set(named) == {"rear", "length"} and set(told.columns[:2]) == set(named)
    assert told.found[:2] == ["missing", "missing"]


@pytest.fixture
def mender():
    """Asks a model that expects 0 everywhere, to which a gap costs 8, any number its size, and of a
    gap in column a the number in b ten times that."""
    frame = pd.DataFrame({name: np.arange(100.0) % 11 for name in "abcd"})
    schema = operations.fit(frame, FitOptions("tails")).schema

    def judge(X):
        costs = np.where(np.isnan(X), 8.0, np.abs(X))
        surprise = costs.copy()
        surprise[np.isnan(X[:, 0]), 1] *= 10
        return Judged(X, costs.sum(axis=1), surprise, np.zeros(X.shape))

    # no score above 2 is ordinary
    return Mender(schema, judge, np.zeros(4), lambda bits: 2.0**-bits, threshold=2.0)


@pytest.mark.parametrize(
    ("record", "named"),
    [
        ([0.0, 9.0, 0.0, 0.0], [1]),
        # put right as soon as what is left is no anomaly, and half as rare
        ([0.0, 9.0, 1.5, 0.0], [1]),
        ([0.0, 9.0, 4.0, 0.0], [1, 2]),
        ([7.0, 9.0, 8.0, 6.0], [1, 2, 0]),
        # a gap costs 8, whatever the surprise at what is beside it
        ([np.nan, 1.0, 0.0, 0.0], [0]),
        ([np.nan, 5.0, 0.0, 0.0], [0, 1]),
        ([np.nan, 9.0, 0.0, 0.0], [1, 0]),
        # gaps are filled at once: neither is what the other follows from
        ([np.nan, 9.0, np.nan, 0.0], [0, 2, 1]),
        ([0.0, 0.0, 0.0, 0.0], []),
    ],
)
def test_what_lowers_the_score_most_is_named_until_the_record_is_put_right(mender, record, named):
    records = np.array([record, [0.0, 3.0, 0.0, 0.0]])
    before = records.copy()
    told = mender.told(records)
    assert told.named == [named, [1]], "each record by itself"
    np.testing.assert_array_equal(records, before)


def test_a_wrong_value_is_named_though_others_cost_more_beside_it():
    """As one distance in the wrong unit, from which a linear model foretells five other values."""
    frame = pd.DataFrame({name: np.arange(100.0) % 11 for name in "abcdef"})
    schema = operations.fit(frame, FitOptions("tails")).schema

    def judge(X):
        wrong = X[:, -1] > 20
        surprise = np.zeros(X.shape)
        surprise[wrong] = [1900, 1600, 1200, 900, 850, 800]
        return Judged(X, np.where(wrong, 38.0, 1.0), surprise, np.zeros(X.shape))

    asked = Mender(schema, judge, np.zeros(6), lambda bits: 2.0**-bits, threshold=2.0)
    assert asked.told(np.array([[1.0, 2.0, 3.0, 4.0, 5.0, 9000.0]])).named == [[5]]


def parcels(rows=2000, seed=0):
    """Length, width and height of parcels, their weight by these, and what does not depend on it."""
    rng = np.random.default_rng(seed)
    size = rng.lognormal(3.2, 0.3, rows)
    sides = size[:, None] * rng.normal([1.0, 0.7, 0.5], 0.03, (rows, 3))
    frame = pd.DataFrame(sides.round(1), columns=["length", "width", "height"])
    frame["weight"] = (0.02 * size + rng.normal(0, 0.02, rows)).round(2)
    frame["hour"] = rng.integers(6, 22, rows)
    return frame


def test_values_that_are_impossible_by_themselves_are_named_together():
    """Each of them is what the others, as wrong, let expect; and what does go with the rest is not
    blamed for that."""
    frame = parcels(seed=1)[:300]
    sides = ["length", "width", "height"]
    rows = [20, 140, 260]
    frame.loc[rows, sides] = -90.0
    model = operations.fit(parcels(), FitOptions())
    found = operations.detect(frame, model, all_rows=True)
    for row in rows:
        assert {column for column, *_ in found.named[row]} == set(sides)
        expected = [float(wanted) for _, _, wanted in found.named[row]]
        assert all(0 < value < 60 for value in expected), "without what is wrong beside it"
