"""The nearest of rows remembered: by which measures, which row is the record itself, who is blamed."""

from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from aetool import operations
from aetool.closed_form import evaluated
from aetool.data.sources import open_source
from aetool.detection.ranking import auroc
from aetool.fits import preparing
from aetool.operations import FitOptions
from aetool.rarity import SHARPNESS
from aetool_neighbours.measures import (
    NormalScores,
    Plain,
    Ranked,
    Straight,
    Whitened,
    pairs_of_halves,
)
from aetool_neighbours.net import Nearest
from aetool_neighbours.search import FEW_ROWS, table_of, two_nearest, with_one

ROWS = 3000


class Params(NamedTuple):
    """What the plugin takes, of the same defaults."""

    size: int = 0
    own_units: bool = False
    halves: bool = False
    error: str = "bits"


@pytest.fixture(scope="module")
def ring():
    """Rows that lie close together on a thin ring, and others inside it."""
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 2 * ROWS)
    x, y = np.cos(angle), np.sin(angle)
    noise = 1e-3 * rng.standard_normal((2, 2 * ROWS))
    frame = pd.DataFrame({"x": x + noise[0], "y": y + noise[1]})
    inside = pd.DataFrame({"x": 0.97 * x[:50], "y": 0.97 * y[:50]})
    return frame[:ROWS], frame[ROWS:], inside


@pytest.fixture(scope="module")
def model(ring):
    return operations.fit(ring[0], FitOptions("neighbours"))


def test_rows_that_lie_ever_so_close_are_not_taken_for_one_another(ring, model):
    """Neighbours here are a thousandth apart; what lies thirty times as far inside stands out."""
    _, fresh, inside = ring
    scores = operations.score(pd.concat([fresh, inside], ignore_index=True), model, "cpu")
    truth = np.arange(len(scores)) >= len(fresh)
    assert auroc(scores, truth) > 0.99


def test_a_fitted_row_is_scored_as_a_new_one_would_be(ring, model):
    fitted, fresh, _ = ring
    old = operations.score(fitted, model, "cpu")
    new = operations.score(fresh, model, "cpu")
    assert np.quantile(old, [0.5, 0.9]) == pytest.approx(np.quantile(new, [0.5, 0.9]), rel=0.15)


def test_a_row_that_was_there_more_than_once_may_vouch(ring):
    frame = pd.concat([ring[0], ring[0][:3]], ignore_index=True)
    model = operations.fit(frame, FitOptions("neighbours"))
    scores = operations.score(frame, model, "cpu")
    assert scores[:3].max() < np.quantile(scores, 0.05)


@pytest.mark.parametrize(
    ("params", "measures"),
    [
        (Params(), [Plain, Ranked, Whitened]),
        (Params(own_units=True), [Plain, Ranked, Whitened, Straight]),
    ],
)
def test_the_score_is_the_mean_rarity_of_the_distances(params, measures):
    """By brute force, for records that were not fitted."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rng.normal(size=(400, 3)), columns=list("abc"))
    prepared = preparing.prepare(open_source(frame), FitOptions("neighbours"))
    solution = Nearest(prepared.spec, params).fit([prepared.features[:350]])
    assert [type(measure) for measure in solution.measures] == measures
    x = prepared.features[350:]
    total = np.zeros(len(x))
    for measure, rarity in zip(solution.measures, solution.rarities, strict=True):
        apart = measure.lay(x.astype(float))[:, None] - measure.lay(solution.rows)[None]
        distance = np.sqrt((apart**2).sum(axis=2)).min(axis=1)
        degree = 8 if isinstance(measure, Straight) else 2
        total += rarity.of_scores(distance ** (1 / degree))
    bits = evaluated(solution.bits, prepared.spec, x)
    assert bits.shape == (50, 4)
    np.testing.assert_allclose(bits.sum(axis=1), total / len(measures), rtol=1e-3, atol=1e-3)
    assert (bits >= 0).all()


@pytest.mark.parametrize("rows", [1, 2, FEW_ROWS, FEW_ROWS + 1, 320, 1000])
def test_the_two_nearest_rows_are_those_of_brute_force(rows):
    """Of few rows, and of many, which are searched in blocks, the last of which may be short."""
    rng = np.random.default_rng(rows)
    remembered = rng.normal(size=(rows, 3))
    frame = pd.DataFrame(rng.normal(size=(60, 3)), columns=list("abc"))
    spec = preparing.prepare(open_source(frame), FitOptions("neighbours")).spec
    x = rng.normal(size=(60, 3))
    # at the place of the last row, and far from all of them
    x[0], x[1] = remembered[-1], 1000.0

    def written(g, value):
        table = table_of(g, g.const(remembered), 3, rows)
        squares = with_one(g, value) @ table
        return g.as_number(two_nearest(g, squares, rows))

    found = evaluated(written, spec, x)
    squares = ((x[:, None] - remembered[None]) ** 2).sum(axis=2)
    np.testing.assert_array_equal(found, np.argsort(squares, axis=1)[:, :2])


def nearest_bits(measure, rarity, rows, x):
    """(rows of x,): how rare their distance from the nearest of rows is, by brute force."""
    apart = measure.lay(x)[:, None] - measure.lay(rows)[None]
    distance = np.sqrt((apart**2).sum(axis=2)).min(axis=1)
    return rarity.of_scores(distance ** (1 / measure.root))


def test_halves_of_a_measure_count_together_as_one_more():
    """By brute force, for records that were not fitted; their bits are joined as models' are."""
    rng = np.random.default_rng(6)
    frame = pd.DataFrame(rng.normal(size=(400, 5)), columns=list("abcde"))
    prepared = preparing.prepare(open_source(frame), FitOptions("neighbours"))
    solution = Nearest(prepared.spec, Params(halves=True)).fit([prepared.features[:350]])
    x = prepared.features[350:].astype(float)
    pairs = zip(solution.measures, solution.rarities, strict=True)
    total = sum(nearest_bits(measure, rarity, solution.rows, x) for measure, rarity in pairs)
    assert [len(halves.measures) for halves in solution.halves] == [4, 4]
    for halves in solution.halves:
        pairs = zip(halves.measures, halves.rarities, strict=True)
        bits = [nearest_bits(half, rarity, solution.rows, x) for half, rarity in pairs]
        total = total + np.log2(np.exp2(SHARPNESS * np.array(bits)).mean(axis=0)) / SHARPNESS
    mean = total / (len(solution.measures) + len(solution.halves))
    found = evaluated(solution.bits, prepared.spec, x.astype(np.float32))
    np.testing.assert_allclose(found.sum(axis=1), mean, rtol=1e-3, atol=1e-3)
    assert (found >= 0).all()
    assert not found[:, -1].any()


def test_each_column_is_in_one_half_of_each_pair():
    frame = pd.DataFrame(np.random.default_rng(7).normal(size=(50, 6)), columns=list("abcdef"))
    frame["word"] = ["x", "y"] * 25
    spec = preparing.prepare(open_source(frame), FitOptions("neighbours")).spec
    pairs = pairs_of_halves(spec, 4)
    assert len(pairs) == 4
    for first, second in pairs:
        columns = [set(spec.owners()[half]) for half in (first, second)]
        # both levels of the word are in the same half
        assert columns[0] | columns[1] == set(range(7))
        assert not columns[0] & columns[1]
        assert {len(columns[0]), len(columns[1])} == {3, 4}


@pytest.mark.parametrize(("columns", "pairs"), [(1, 0), (2, 1), (3, 3), (4, 3)])
def test_few_columns_have_few_pairs_of_halves(columns, pairs):
    frame = pd.DataFrame(np.random.default_rng(8).normal(size=(50, columns)))
    frame.columns = list("abcd")[:columns]
    prepared = preparing.prepare(open_source(frame), FitOptions("neighbours"))
    assert len(pairs_of_halves(prepared.spec, 4)) == pairs
    model = operations.fit(frame, FitOptions("neighbours", {"halves": True}))
    assert np.isfinite(operations.score(frame, model, "cpu")).all()


def test_very_many_columns_are_not_halved():
    rng = np.random.default_rng(10)
    columns = 513
    frame = pd.DataFrame(rng.normal(size=(30, columns))).add_prefix("c")
    prepared = preparing.prepare(open_source(frame), FitOptions("neighbours"))
    solution = Nearest(prepared.spec, Params(halves=True)).fit([prepared.features])
    assert not solution.halves


def test_halves_find_what_is_odd_in_few_of_many_columns():
    """Two columns on a circle, and rows inside it, which ten columns of chance hide."""
    rng = np.random.default_rng(9)
    frame = pd.DataFrame(rng.normal(size=(1200, 12))).add_prefix("c")
    angle = rng.uniform(0, 2 * np.pi, 1200)
    truth = np.arange(1200) >= 1150
    radius = np.where(truth, 0.2, 1.4)
    frame["c0"], frame["c1"] = radius * np.cos(angle), radius * np.sin(angle)
    fresh = frame[1000:].reset_index(drop=True)
    found = {}
    for halves in (False, True):
        model = operations.fit(frame[:1000], FitOptions("neighbours", {"halves": halves}))
        scores = operations.score(fresh, model, "cpu")
        found[halves] = auroc(scores, truth[1000:])
    assert found[True] > found[False] + 0.05


def test_a_fitted_row_vouches_for_itself_in_no_half(ring):
    frame, fresh, _ = ring
    model = operations.fit(frame, FitOptions("neighbours", {"halves": True}))
    old = operations.score(frame, model, "cpu")
    new = operations.score(fresh, model, "cpu")
    assert np.quantile(old, [0.5, 0.9]) == pytest.approx(np.quantile(new, [0.5, 0.9]), rel=0.15)


def test_blame_falls_on_the_column_that_is_off():
    rng = np.random.default_rng(2)
    level = rng.normal(size=2000)
    columns = [level + 0.1 * rng.normal(size=2000) for _ in range(4)]
    frame = pd.DataFrame(np.column_stack(columns), columns=list("abcd"))
    model = operations.fit(frame[:1000], FitOptions("neighbours"))
    odd = frame[1000:1100].reset_index(drop=True)
    odd["c"] += 2.0
    found = operations.detect(odd, model, all_rows=True)
    first = [why.partition("=")[0] for why in found.why]
    assert first.count("c") > 90


def test_ranks_are_of_the_rows():
    values = np.array([0.0, 0, 0, 0, 1, 2, 3, 50.0])[:, None]
    laid = Ranked.of(values, np.array([0])).lay(values)[:, 0]
    # half of those at a value, and all below it, of 8; less a half; on the scale of a deviation
    below = np.array([2, 2, 2, 2, 4.5, 5.5, 6.5, 7.5]) / 8 - 0.5
    np.testing.assert_allclose(laid, below * np.sqrt(12), atol=1e-12)
    beyond = Ranked.of(values, np.array([0])).lay(np.array([[-9.0], [1000.0]]))[:, 0]
    np.testing.assert_allclose(beyond, [laid[0], laid[-1]], atol=1e-12)


def test_normal_scores_are_of_the_ranks():
    """And beyond all values they rise by one for each deviation, to 100."""
    values = np.array([0.0, 0, 0, 0, 1, 2, 3, 50.0])[:, None]
    asked = np.array([-9.0, 0, 0.5, 1, 2, 3, 50, 51, 1000])[:, None]
    laid = NormalScores.of(values, np.array([0])).lay(asked)[:, 0]
    normal = NormalDist().inv_cdf
    zero, one, two, three, fifty = (normal(part / 8) for part in (2, 4.5, 5.5, 6.5, 7.5))
    middle = (zero + one) / 2
    known = [zero - 9, zero, middle, one, two, three, fifty, fifty + 1, fifty + 100]
    np.testing.assert_allclose(laid, known, atol=1e-9)
    skewed = np.random.default_rng(0).lognormal(0, 2, (5000, 1))
    spread = NormalScores.of(skewed, np.array([0])).lay(skewed)[:, 0]
    np.testing.assert_allclose([spread.mean(), spread.std()], [0, 1], atol=0.02)
    for part in (0.01, 0.1, 0.5, 0.9, 0.99):
        assert np.quantile(spread, part) == pytest.approx(normal(part), abs=0.02)


def test_ranks_see_what_lies_apart_among_values_of_any_scale():
    """Two clusters within a heavy tail: between them is nobody, though it is near to both."""
    rng = np.random.default_rng(0)
    low = np.exp(rng.normal(0, 0.1, 700))
    high = np.exp(rng.normal(6, 0.1, 300))
    frame = pd.DataFrame({"a": np.concatenate([low, high]), "b": rng.normal(size=1000)})
    frame = frame.sample(frac=1, random_state=0, ignore_index=True)
    model = operations.fit(frame, FitOptions("ranks"))
    usual, between = operations.score(pd.DataFrame({"a": [1.0, 20], "b": [0.0, 0]}), model, "cpu")
    assert between > usual + 1
    found = operations.detect(pd.DataFrame({"a": [1.0], "b": [9.0]}), model, all_rows=True)
    assert found.why[0].startswith("b=9")


def test_whitened_coordinates_have_unit_covariance():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(5000, 3)) @ np.array([[1.0, 0.5, 0], [0, 1, 0.3], [0, 0, 0.5]])
    laid = Whitened.of(x).lay(x)
    np.testing.assert_allclose(np.cov(laid, rowvar=False), np.eye(3), atol=1e-9)


def heavy_tailed():
    """A column that passes through asinh: most values near 0, a few of thousands."""
    rng = np.random.default_rng(4)
    wild = np.sinh(3 * rng.standard_normal(800))
    frame = pd.DataFrame({"wild": wild, "calm": rng.normal(size=800)})
    prepared = preparing.prepare(open_source(frame), FitOptions("neighbours"))
    assert prepared.spec.curved.tolist() == [True, False]
    return frame, prepared


def test_straight_coordinates_are_the_users_own_units():
    frame, prepared = heavy_tailed()
    x = prepared.features.astype(float)
    laid = Straight.of(x, prepared.spec).lay(x)
    numeric = prepared.spec.numeric
    wild = frame["wild"].to_numpy()
    np.testing.assert_allclose(
        laid[:, numeric[0]], (wild - wild.mean()) / wild.std(), rtol=1e-3, atol=1e-4
    )
    np.testing.assert_array_equal(laid[:, numeric[1]], x[:, numeric[1]])


def test_straight_coordinates_in_a_graph_are_those_of_numpy():
    _, prepared = heavy_tailed()
    measure = Straight.of(prepared.features.astype(float), prepared.spec)
    x = prepared.features[:5].copy()
    # as far out as features go, where sinh leaves float32
    x[0] = 12.0
    x[1] = -12.0
    laid = evaluated(measure.write, prepared.spec, x)
    np.testing.assert_allclose(laid, measure.lay(x.astype(float)), rtol=1e-4, atol=1e-4)
    assert np.abs(laid).max() <= 100.0
