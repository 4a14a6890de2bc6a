"""Anomalies that hide each other: the gap below them in the tail of scores."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from aetool import operations, trimming
from aetool.detection import gaps
from aetool.detection.calibration import Expected, Tail
from aetool.operations import FitOptions
from aetool.rarity import Rarity
from tests.sweeps import one_in
from tests.test_builder import plain_spec

DOUBT = 1000.0


def below_gap(scores):
    """What gaps.highest_below_gap gives for scores, (n,) in any order, as a tail asks it."""
    scores = np.sort(scores)
    median, start = np.quantile(scores, [0.5, 0.9])
    body = (start - median) / math.log(5)
    return gaps.highest_below_gap(scores, float(start), float(body), DOUBT, zero=0.0)


def exponential(rows):
    """Scores as exponential ones lie on average, (rows,), with scale 1."""
    return -np.log(1 - (np.arange(rows) + 0.5) / rows)


@pytest.mark.parametrize("shape", [0.0, 0.1, 0.25])
def test_ordinary_tails_have_no_gap(shape):
    """One file in 1,000 may have one: of 300, tails as heavy as is assumed hardly ever, and those of
    a shape of a quarter seldom."""
    rng = np.random.default_rng(0)
    draws = (stats.genpareto.rvs(shape, size=1000, random_state=rng) for _ in range(300))
    cut = sum(below_gap(draw) < math.inf for draw in draws)
    assert cut <= (1 if shape <= gaps.SHAPE else 3)


def test_scores_that_are_equal_or_few_have_no_gap():
    assert below_gap(np.ones(100)) == math.inf
    assert below_gap(np.array([1.0])) == math.inf
    assert below_gap(np.arange(2.0)) == math.inf


@pytest.mark.parametrize("count", [3, 12, 40])
def test_the_gap_below_far_scores_is_found_however_many_they_are(count):
    """The highest of the ordinary scores may be taken for one of them."""
    ordinary = exponential(800)
    far = 16 + np.linspace(0, 4, count)
    assert below_gap(np.concatenate([ordinary, far])) in ordinary[-2:]


def test_one_far_score_is_no_gap_but_a_height():
    ordinary = exponential(800)
    assert below_gap(np.append(ordinary, 16)) == math.inf
    assert Tail.of(np.append(ordinary, 16)) == Tail.of(np.append(ordinary, 100))


def test_a_score_inside_a_gap_does_not_hide_it():
    ordinary = exponential(800)
    inside = [9.5]
    far = 12 + np.linspace(0, 4, 12)
    assert below_gap(np.concatenate([ordinary, inside, far])) == ordinary.max()


def test_a_rare_kind_that_scores_as_rare_as_it_is_lies_beyond_no_gap():
    """Sixty rows of a kind among 1,000 are 1 in 17: as far out as the 60 highest of a tail are."""
    ordinary = exponential(940)
    ordinary = ordinary[ordinary < 2.6]
    kind = 3.0 + np.linspace(0, 0.5, 60)
    assert below_gap(np.concatenate([ordinary, kind])) == math.inf
    assert below_gap(np.concatenate([ordinary, kind + 3])) == ordinary.max()


# a fit of the default each
@pytest.mark.parametrize("share", one_in(3, [0.01, 0.03, 0.05, 0.08]))
@pytest.mark.parametrize("rows", [200, pytest.param(600, marks=pytest.mark.long)])
def test_a_rare_level_is_no_anomaly(rows, share):
    """Of few kinds of rows each has a score of its own, and gaps between them say nothing."""
    rng = np.random.default_rng(rows)
    draw = rng.random(rows)
    colour = np.where(draw < share, "c", np.where(draw < 0.4, "b", "a"))
    table = pd.DataFrame({"colour": colour, "made": (rng.random(rows) < 0.5).astype(int)})
    assert operations.detect(table).flagged <= 1


def test_scores_as_rare_as_their_number_lie_beyond_no_gap():
    """Thirty of 600 are rare by 4.3 bits, and no score of 4 bits makes them rarer than that."""
    kinds = np.repeat([0.2, 0.5, 1.2], [300, 200, 70])
    rare = np.full(30, 4.0)
    assert below_gap(np.concatenate([kinds, rare])) == math.inf
    assert below_gap(np.concatenate([kinds, rare + 2])) == 1.2


def test_chances_of_gaps_are_those_of_the_gamma_distribution():
    """A gap of `width` steps of an exponential tail exceeds a size as often as a gamma variable of
    that shape does: told apart by drawing none, from the survival function itself."""
    ordinary = exponential(400)
    for width in gaps.WIDTHS:
        limit = stats.gamma.isf(1 / (len(gaps.WIDTHS) * 41 * DOUBT), width)
        assert limit > width, "what is looked for is wider than usual"
    # one score alone beyond a gap of one step: where it begins to count
    start, median = np.quantile(ordinary, [0.9, 0.5])
    heights = np.linspace(5, 60, 2000)
    counted = [h for h in heights if below_gap(np.append(ordinary, h)) < math.inf]
    least = min(counted)
    assert counted == list(heights[heights >= least]), "from there on every height counts"
    scale = (start - median) / math.log(5)
    steps = math.log(len(gaps.WIDTHS) * 41 * DOUBT)
    # k = 1: the logarithm of its height is `steps` above that of the highest ordinary one
    lower = math.log1p(gaps.SHAPE * (ordinary.max() - start) / scale) / gaps.SHAPE
    expected = start + scale * (math.exp(gaps.SHAPE * (lower + steps)) - 1) / gaps.SHAPE
    assert least == pytest.approx(expected, rel=0.1)


def test_a_tail_is_that_of_the_ordinary_scores():
    """Forty far scores among 840 leave the threshold nearly where it is without them."""
    ordinary = exponential(800)
    expected = Expected(shape=0.0, weight=1000.0)
    without = Tail.of(ordinary, expected).score_at(1 / 1000)
    both = np.sort(np.concatenate([ordinary, 16 + np.linspace(0, 4, 40)]))
    assert Tail.of(both, expected).score_at(1 / 1000) == pytest.approx(without, rel=0.08)


@pytest.fixture(scope="module")
def table_with_far_rows():
    """800 rows of three related numbers, of which 12 were drawn far away: (table, their places)."""
    rng = np.random.default_rng(0)
    hidden = rng.standard_normal((800, 2))
    numbers = hidden @ [[1.0, 0.5, -0.5], [0.3, 1.0, 0.8]] + 0.2 * rng.standard_normal((800, 3))
    places = np.sort(rng.choice(800, 12, replace=False))
    numbers[places] += rng.normal(0, 30, (12, 3))
    return pd.DataFrame(numbers.round(3), columns=list("abc")), places


@pytest.mark.parametrize(
    "options",
    [
        None,
        FitOptions("pca"),
        # with and without a model it is the same join
        pytest.param(FitOptions(), marks=pytest.mark.long),
        FitOptions(robust=True),
    ],
)
def test_a_dozen_far_rows_are_flagged_by_a_model_that_was_fitted_with_them(
    table_with_far_rows, options
):
    """One row in 67: of 12 none or two were flagged by tails that they themselves made heavy."""
    table, places = table_with_far_rows
    model = None if options is None else operations.fit(table, options)
    detection = operations.detect(table, model)
    flagged = detection.row[detection.anomaly]
    assert set(places) <= set(flagged)
    assert len(flagged) <= 14


def test_scores_far_apart_do_not_tell_how_rare_others_are():
    """A twentieth of the rows are so far from all others that no tail reaches there."""
    rng = np.random.default_rng(0)
    ordinary = np.sort(rng.exponential(1.0, 950))
    far = 30 + 5 * rng.random(50)
    both = rng.permutation(np.concatenate([far, ordinary]))
    assert np.array_equal(gaps.without_apart(both), ordinary)
    rarity = Rarity.of(both)
    assert rarity.of_scores(far).min() > 20
    # the bend is that of all rows
    assert rarity.bend == Rarity.of(ordinary).bend + math.log2(1001 / 951)


def test_what_may_be_a_kind_of_ordinary_rows_is_not_left_out():
    rng = np.random.default_rng(0)
    ordinary = rng.exponential(1.0, 900)
    kinds = {
        "more than one in sixteen": np.append(ordinary, 30 + rng.random(70)),
        "hardly farther than so many are": np.append(ordinary, 6.5 + 0.1 * rng.random(50)),
        "rows of few contents": np.repeat(np.append(np.arange(9.0), 300.0), [*[105] * 9, 50]),
        "equal ones": np.append(np.zeros(950), 30 + rng.random(50)),
        "none": np.zeros(0),
    }
    for kind, scores in kinds.items():
        assert np.array_equal(gaps.without_apart(scores), np.sort(scores)), kind


@pytest.mark.parametrize("options", [None, FitOptions(), FitOptions(robust=True)])
def test_a_twentieth_of_far_rows_is_flagged_by_every_default(options):
    """Each number of these rows is as many as fifteen deviations off, one way or the other."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.standard_normal((600, 5)).cumsum(axis=1), columns=list("abcde"))
    places = np.sort(rng.choice(len(table), 30, replace=False))
    table.loc[places] = rng.normal(0, 30, (30, 5))
    model = options and operations.fit(table, options)
    found = operations.detect(table, model)
    flagged = set(found.row[found.anomaly])
    assert len(flagged & set(places)) >= 28
    assert len(flagged - set(places)) <= 4


def test_an_odd_picture_of_few_is_found_by_the_model_that_was_fitted_on_it(tmp_path):
    """Twenty-one discs and a bar, and a hundred further discs: the bar's own held-out score is the
    highest tenth of 22, and set the threshold above itself."""
    rng = np.random.default_rng(3)
    down, across = np.mgrid[:20, :20]

    def noisy(is_bright):
        return np.where(is_bright, 200, 40) + rng.normal(0, 8, (20, 20))

    def disc():
        radius = rng.uniform(5, 7)
        x, y = rng.uniform(9, 11, 2)
        return noisy((across - x) ** 2 + (down - y) ** 2 < radius**2)

    pictures = np.stack([disc() for _ in range(122)])
    pictures[7] = noisy(abs(across - 10) < 3)
    pictures = pictures.clip(0, 255).astype(np.uint8)
    few, new = tmp_path / "few.npy", tmp_path / "new.npy"
    np.save(few, pictures[:22])
    np.save(new, pictures[22:])
    model = operations.fit(few, FitOptions())
    assert operations.detect(few, model).row.tolist() == [7]
    assert operations.detect(new, model).flagged == 0


def visits(subjects):
    """A table without an anomaly: three visits of each subject, in the order of their numbers."""
    rng = np.random.default_rng(0)
    first_age = rng.integers(3, 9, subjects) * 2
    visit = np.tile([1, 2, 3], subjects)
    return pd.DataFrame(
        {
            "subject": np.repeat(np.arange(subjects), 3),
            "first_age": np.repeat(first_age, 3),
            "visit": visit,
            "age": np.repeat(first_age, 3) + 2 * (visit - 1),
            "sex": np.repeat(rng.choice(["M", "F"], subjects), 3),
        }
    )


def test_what_a_robust_fit_leaves_out_is_not_odd_for_that_alone():
    """The twentieth that is left out are the first and the last subjects, which then have no
    neighbours: nothing else parts them from the others."""
    found = operations.detect(visits(1000))
    assert found.anomaly.sum() <= 3


def test_odd_rows_are_found_beside_the_edge_of_what_a_robust_fit_keeps():
    table = visits(1000)
    odd = np.random.default_rng(1).choice(len(table), 60, replace=False)
    table.loc[odd, "age"] = 90
    found = operations.detect(table)
    flagged = set(found.row[found.anomaly])
    assert set(odd) <= flagged and len(flagged) <= 66


def test_a_gap_in_scores_counts_unless_most_beyond_it_are_at_the_edge():
    ordinary = np.random.default_rng(0).exponential(size=1000)
    scores = np.concatenate([ordinary, np.full(50, 60.0)])
    beyond = np.arange(len(scores)) >= 1000
    apart = Rarity.of(scores).of_scores(scores[beyond])
    assert apart.min() > 15
    assert np.array_equal(Rarity.of(scores, edge=~beyond).of_scores(scores[beyond]), apart)
    # 50 of 1,050 that score as high together are no rarer than that, and the tail they make
    at_edge = Rarity.of(scores, edge=beyond).of_scores(scores[beyond])
    assert at_edge.max() < 8


def test_rows_that_only_follow_those_that_are_kept_are_at_the_edge():
    spec = plain_spec(2)
    rows = np.random.default_rng(0).uniform(-1, 1, (2000, 2)).astype(np.float32)
    nearest = trimming.nearest([rows], spec, 0.95)
    assert (~nearest.is_near).sum() == 100 and np.array_equal(nearest.is_edge, ~nearest.is_near)
    rows[:40] = 30
    nearest = trimming.nearest([rows], spec, 0.95)
    assert not nearest.is_near[:40].any() and not nearest.is_edge[:40].any()
    assert nearest.is_edge.sum() == 60
