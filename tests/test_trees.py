"""The isolation forest, against one record that is led through it by hand."""

import numpy as np
import pandas as pd
import pytest

from aetool import operations, plugins
from aetool.closed_form import evaluated
from aetool.data.sources import open_source
from aetool.errors import ParamError
from aetool.fits import preparing
from aetool.model import make_params
from aetool.operations import FitOptions
from aetool_trees import net


def prepared_of(frame):
    return preparing.prepare(open_source(frame), FitOptions("trees"))


def grown(prepared, **params):
    form = net.Trees(prepared.spec, make_params(plugins.get_model("trees"), params))
    return form.fit([prepared.features])


@pytest.fixture(scope="module")
def mixed():
    rng = np.random.default_rng(0)
    a = rng.normal(size=600)
    frame = pd.DataFrame({"a": a, "b": 2 * a + 0.1 * rng.normal(size=600)}).round(3)
    frame["count"] = rng.poisson(2, 600)
    frame["level"] = rng.choice(["x", "y", "z"], 600)
    frame.loc[rng.random(600) < 0.1, "b"] = np.nan
    return frame


def by_hand(forest, record, tree):
    """How many cuts it takes until a record is alone, on the average over where they fall."""
    node, alive, cuts = 0, 1.0, 0.0
    for depth, level in enumerate(forest.levels):
        place = tree * 2**depth + node
        value = record[level.features[tree]]
        low, high, cut = (float(t[place]) for t in (level.low, level.high, level.cut))
        gap = max(low - value, value - high, 0.0)
        width = max(high - low, level.least[tree])
        alone = gap / (width + gap)
        cuts += alive if np.isfinite(cut) else alive * alone
        alive *= 1 - alone
        node = 2 * node + (value > cut)
    return cuts + alive * float(forest.leaves[tree * 2 ** len(forest.levels) + node])


def test_a_score_is_by_how_many_cuts_earlier_a_record_is_alone(mixed):
    prepared = prepared_of(mixed)
    forest = grown(prepared, trees=7, depth=5)
    rows = prepared.features[:20].copy()
    rows[3, 0] = 9.0
    rows[4, 1] = -12.0
    usual = forest.levels[0].left.astype(float)
    hand = [np.mean([usual[t] - by_hand(forest, row, t) for t in range(7)]) for row in rows]
    bits = evaluated(forest.parts, prepared.spec, rows).sum(axis=1) / np.log(2)
    np.testing.assert_allclose(bits, hand, atol=2e-3)
    assert bits[3] > bits[:3].max() and bits[4] > bits[:3].max()


def test_rows_that_trees_are_grown_from_take_what_is_usual(mixed):
    """0 on the average, as all of so few rows are in every sample."""
    prepared = prepared_of(mixed)
    forest = grown(prepared)
    bits = evaluated(forest.parts, prepared.spec, prepared.features).sum(axis=1) / np.log(2)
    assert abs(bits.mean()) < 0.02


def test_the_average_number_of_cuts_is_that_of_search_trees():
    """2 (H(n) - 1) for n keys, by the recursion over which key comes first."""
    exact = [0.0, 0.0]
    for n in range(2, 60):
        exact.append(1 + 2 * sum(k * exact[k] for k in range(1, n)) / (n * (n - 1)))
    found = net._mean_cuts(np.arange(60))
    np.testing.assert_allclose(found, exact, rtol=1e-12)


def test_the_column_that_sets_a_record_apart_has_the_largest_part(mixed):
    made = operations.fit(mixed, FitOptions("trees"))
    odd = mixed[:40].copy()
    for place in range(0, 40, 2):
        odd.loc[place, "a"] = 8.0 if place % 4 else -8.0
    for place in range(1, 40, 2):
        odd.loc[place, "count"] = 25
    found = operations.detect(odd, made, all_rows=True)
    named = [why.partition("=")[0] for why in found.why]
    assert np.mean([name == ("count" if i % 2 else "a") for i, name in enumerate(named)]) > 0.9


def test_a_record_unlike_equal_rows_is_alone_at_once():
    frame = pd.DataFrame({"a": [1] * 100, "b": ["z"] * 100, "c": [2.5] * 100})
    made = operations.fit(frame, FitOptions("trees"))
    asked = pd.DataFrame({"a": [1, 2, 1], "b": ["z", "z", "z"], "c": [2.5, 2.5, 9.0]})
    scores = operations.score(asked, made, "cpu")
    assert scores[0] == pytest.approx(0, abs=0.02) and (scores[1:] > 4).all()


def test_samples_go_through_all_rows():
    rng = np.random.default_rng(0)
    samples = net._random_samples(rng, 1000, 7, 300)
    assert samples.shape == (7, 300)
    assert all(len(set(sample)) == 300 for sample in samples.tolist())
    assert len(set(samples[:3].ravel().tolist())) == 900
    assert net._random_samples(rng, 5, 3, 300).shape == (3, 5)


def test_too_many_nodes_are_told_before_anything_is_grown(mixed):
    with pytest.raises(
        ParamError, match="trees=1000 with depth=12 have 4096000 leaves, and at most"
    ):
        operations.fit(mixed, FitOptions("trees", {"trees": 1000, "depth": 12}))
