"""Rows that were fitted are judged as if they had not been, and no part of a score drowns the rest."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aetool import folds, operations, plugins, rarity
from aetool.data.sources import open_source
from aetool.detection import reasons
from aetool.detection.calibration import Calibration, Tail
from aetool.fits import preparing, single_fit
from aetool.graphs import Graph
from aetool.model import make_params
from aetool.operations import FitOptions
from aetool.rarity import Rarity

FAIR = ["pca", "elm", "neighbours", "histogram", "dependence", "trees", "auto"]


def normal(rows=1000, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(rng.normal(size=(rows, 4)).round(3), columns=list("abcd"))


def prepared_of(frame):
    return preparing.prepare(open_source(frame), FitOptions())


@pytest.mark.parametrize("plugin", ["pca", "neighbours", "auto"])
def test_an_outlier_that_was_fitted_is_found_by_the_model(plugin):
    dirty = normal()
    dirty.loc[[3, 500, 998], "a"] = [7.0, -8.0, 9.0]
    made = operations.fit(dirty, FitOptions(plugin))
    scores = operations.score(dirty, made, "cpu")
    assert set(np.argsort(-scores)[:3]) == {3, 500, 998}
    flagged = set(np.flatnonzero(scores > made.calibration.threshold()))
    assert {3, 500, 998} <= flagged and len(flagged) < 15


# `auto` joins the others, which take less together
@pytest.mark.parametrize(
    "plugin", [pytest.param(n, marks=pytest.mark.long if n == "auto" else ()) for n in FAIR]
)
def test_fitted_rows_cost_what_new_ones_do(plugin):
    """Ordinary rows that were fitted have the scores, and so the p-values, of rows that were not."""
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(6000, 3)) @ rng.normal(size=(3, 8)) + 0.3 * rng.normal(size=(6000, 8))
    frame = pd.DataFrame(rows.round(3), columns=list("abcdefgh"))
    made = operations.fit(frame[:3000], FitOptions(plugin))
    seen, new = (operations.score(part, made, "cpu") for part in (frame[:3000], frame[3000:]))
    for rank in (0.5, 0.9):
        share = (new > np.quantile(seen, rank)).mean()
        assert abs(share - (1 - rank)) < 0.04, "the same part of new rows scores as high"
    p = made.calibration.p_values(seen)
    assert 0.42 < np.median(p) < 0.58


def test_no_row_is_scored_by_a_fold_that_saw_it():
    """Each fold's model is fitted on rows none of which it scores, at any number of rows."""
    frame = normal(30_000)
    prepared = prepared_of(frame)
    fold = folds.content_folds(prepared.features, prepared.spec, 4)
    assert np.bincount(fold).min() > 7_000, "the folds are about equal"
    laid = []

    class Spy(plugins.resolve(plugins.get_model("pca").net)):
        def fit(self, batches):
            laid.append(np.concatenate(list(batches)))
            return super().fit(batches)

    params = make_params(plugins.get_model("pca"), {})
    graph = single_fit.fair_score(Spy, params, prepared)
    assert graph is not None
    count = 0
    for k, rows in enumerate(laid):
        scored = prepared.features[
            folds.content_folds(prepared.features, prepared.spec, len(laid)) == k
        ]
        known = {row.tobytes() for row in rows}
        count += sum(row.tobytes() in known for row in scored)
    assert count == 0


def test_equal_rows_are_left_out_together_but_the_usual_stay():
    frame = normal(400)
    frame.loc[100:119] = frame.loc[100].to_numpy()  # a twentieth
    frame.loc[200:299] = frame.loc[200].to_numpy()  # a quarter
    prepared = prepared_of(frame)
    fold = folds.content_folds(prepared.features, prepared.spec, 4)
    assert len(set(fold[100:120])) == 1
    kept = np.ones(400, dtype=bool)
    stays = folds.staying(prepared.features, kept)
    assert np.flatnonzero(stays).tolist() == list(range(200, 300))
    kept[210:] = False
    assert not folds.staying(prepared.features, kept)[210:].any()


@pytest.mark.usefixtures("fits_once")
def test_rows_of_few_contents_are_not_flagged_for_being_left_out():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.choice(list("abc"), 300), "b": rng.choice(list("xyzw"), 300)})
    for model in (None, operations.fit(frame)):
        assert operations.detect(frame, model).flagged == 0
    found = operations.detect(frame, all_rows=True)
    assert found.score.max() < 10 and 0.3 < np.median(found.p) < 0.7


def test_the_graph_takes_each_record_to_its_fold():
    frame = normal(200)
    prepared = prepared_of(frame)
    model = plugins.get_model("pca")
    net, params = plugins.resolve(model.net), make_params(model, {})
    fold = folds.content_folds(prepared.features, prepared.spec, 3)
    scores = [single_fit.solve(net, params, prepared, fold != k)[0]["score.onnx"] for k in range(3)]
    made = operations.fit(frame, FitOptions("pca"))

    def outputs(graph):
        bundle = dataclasses.replace(made, graphs={"score.onnx": graph}, _sessions={})
        return bundle.session("score.onnx", "cpu")(prepared.inputs)

    chosen = outputs(folds.fair(scores, prepared.spec, prepared.schema))
    for k, graph in enumerate(scores):
        alone = outputs(graph)
        for name in ("parts", "surprise", "expected"):
            np.testing.assert_allclose(chosen[name][fold == k], alone[name][fold == k], rtol=1e-6)


def test_what_a_fold_s_model_does_not_tell_is_left_out():
    """Without a joint density a model does not tell how surprising columns are."""
    frame = normal(200)
    prepared = prepared_of(frame)
    model = plugins.get_model("pca")
    net = plugins.resolve(model.net)
    fold = folds.content_folds(prepared.features, prepared.spec, 3)
    made = operations.fit(frame, FitOptions("pca"))
    for without in range(3):
        scores = []
        for k in range(3):
            params = make_params(model, {"joint": 0.0 if k == without else 1.0})
            scores.append(single_fit.solve(net, params, prepared, fold != k)[0]["score.onnx"])
        graphs = [folds.fair(scores, prepared.spec, prepared.schema), *scores]
        by_graph = []
        for graph in graphs:
            bundle = dataclasses.replace(made, graphs={"score.onnx": graph}, _sessions={})
            by_graph.append(bundle.session("score.onnx", "cpu")(prepared.inputs))
        chosen, *alone = by_graph
        assert set(chosen) == {"parts", "expected"}
        expected = np.choose(fold[:, None], [outputs["parts"] for outputs in alone])
        np.testing.assert_allclose(chosen["parts"], expected, rtol=1e-6)


def test_a_fraction_that_rounds_to_1_is_of_the_first_fold_in_fit_and_graph():
    """A value ever so little below 0 lies behind a whole number by less than a float64 can say."""
    rng = np.random.default_rng(0)
    half = rng.integers(1, 2**40, 100) / 2**38
    frame = pd.DataFrame({"a": [*half, *-half, -1e-20, 0.0]})
    prepared = prepared_of(frame)
    below = prepared.features[-2:-1]
    assert -1e-19 < below[0, 0] < 0
    for count in (2, 3, 5):
        assert folds.content_folds(below, prepared.spec, count).tolist() == [0]
    # and so it goes where 0 does
    assert folds.content_folds(0 * below, prepared.spec, 3).tolist() == [0]
    fold = folds.content_folds(prepared.features, prepared.spec, 3)
    assert set(fold.tolist()) == {0, 1, 2}
    model = plugins.get_model("pca")
    net, params = plugins.resolve(model.net), make_params(model, {})
    scores = [single_fit.solve(net, params, prepared, fold != k)[0]["score.onnx"] for k in range(3)]
    made = operations.fit(frame, FitOptions("pca"))
    by_graph = []
    for graph in (folds.fair(scores, prepared.spec, prepared.schema), *scores):
        bundle = dataclasses.replace(made, graphs={"score.onnx": graph}, _sessions={})
        parts = bundle.session("score.onnx", "cpu")(prepared.inputs)["parts"]
        by_graph.append(parts.sum(axis=1))
    chosen, *alone = by_graph
    expected = np.choose(fold, alone)
    np.testing.assert_allclose(chosen, expected, rtol=1e-6)
    assert abs(alone[0][-2] - alone[2][-2]) > 1e-4, "else this says nothing"


def test_one_shot_and_fit_agree_about_the_worst_rows():
    dirty = normal()
    dirty.loc[[3, 500, 998], "b"] = [7.0, -8.0, 9.0]
    one_shot = operations.detect(dirty, top=3)
    fitted = operations.detect(dirty, operations.fit(dirty), top=3)
    robust = operations.detect(dirty, operations.fit(dirty, FitOptions(robust=True)), top=3)
    assert sorted(one_shot.row.tolist()) == sorted(fitted.row.tolist()) == [3, 500, 998]
    np.testing.assert_array_equal(one_shot.score, robust.score)


def test_robust_fits_keep_what_makes_a_column_spread():
    """Four rows in a hundred are wet: they are rare, not far."""
    rng = np.random.default_rng(0)
    frame = normal(3000)
    wet = rng.random(3000) < 0.04
    frame["rain"] = np.where(wet, rng.exponential(3, 3000).round(1) + 0.1, 0.0)
    kept = preparing.trimmed(prepared_of(frame)).kept
    assert kept[wet].mean() > 0.75 and 0.93 < kept.mean() < 0.97
    made = operations.fit(frame, FitOptions(robust=True))
    scores = operations.score(frame, made, "cpu")
    assert scores.max() < 32 + np.log2(3001) + 1
    assert (scores > made.calibration.threshold()).mean() < 0.01


# a network takes as long as all of the closed forms
@pytest.mark.parametrize(
    "plugin",
    ["pca", "elm", "neighbours", "prototypes", pytest.param("vae", marks=pytest.mark.long)],
)
def test_no_column_costs_more_than_its_rarity_and_32_bits(plugin):
    frame = normal(500).assign(k=1, level=["x", "y"] * 250)
    made = operations.fit(frame, FitOptions(plugin, epochs=20))
    odd = frame[:3].assign(a=[1e9, np.inf, np.nan], k=[2, 50, 10**9], level=["z", "x", "new"])
    session = made.session("score.onnx", "cpu")
    x = made.schema.encode(next(iter(open_source(odd).batches())), "odd")
    parts = session(x)["parts"]
    # a column of numbers may cost its own part and that of the density of all numbers together
    assert parts.max() <= 32 + np.log2(501) and parts.min() >= 0


@given(st.lists(st.floats(-1e3, 1e3), min_size=20, max_size=300))
def test_rarity_rises_with_the_score_and_is_bounded(held_out):
    rare = Rarity.of(np.array(held_out))
    scores = np.linspace(-2e3, 1e6, 400)
    bits = rare.of_scores(scores)
    assert (np.diff(bits) >= -1e-9).all() and bits.min() >= 0
    assert bits.max() <= np.log2(len(held_out) + 1) + 32


def test_rarity_is_the_part_of_ordinary_scores_as_high():
    rng = np.random.default_rng(0)
    rare = Rarity.of(rng.exponential(3.0, 50_000))
    for part in (0.5, 0.1, 0.01, 0.001):
        score = -3.0 * np.log(part)
        assert rare.of_scores(np.array([score]))[0] == pytest.approx(-np.log2(part), abs=0.15)


def test_rarity_of_few_scores_is_not_told_by_four_of_them():
    """Of 40 scores four lie in the tail; where they happen to lie close together the body says how
    fast scores fall off, and of many it says next to nothing."""
    body = -np.log(np.linspace(1.0, 0.11, 36))
    held_out = np.concatenate([body, body.max() + np.arange(1, 5) * 0.001])
    beyond = held_out.max() + 2.0
    sure = Rarity.of(held_out).of_scores(np.array([beyond]))[0]
    few = Rarity.of_few(held_out).of_scores(np.array([beyond]))[0]
    assert sure > 25 and 5 < few < 9, "exponential: 3.3 bits, and 2 / log(2) beyond"
    many = np.random.default_rng(0).exponential(1.0, 50_000)
    assert Rarity.of_few(many).slope == pytest.approx(Rarity.of(many).slope, rel=0.01)


def test_rarity_in_a_graph_is_that_of_numpy():
    rng = np.random.default_rng(0)
    rare = Rarity.of(rng.lognormal(3, 1, 500))
    scores = np.concatenate([rng.lognormal(3, 1, 500), [0.0, 1e4, 1e6]])
    g = Graph()
    x = g.input("x", 1, [1])
    g.output("bits", rare.write(g, x), 1, [1])
    import onnxruntime

    session = onnxruntime.InferenceSession(g.build("rarity"))
    (bits,) = session.run(None, {"x": scores.astype(np.float32)[:, None]})
    np.testing.assert_allclose(bits[:, 0], rare.of_scores(scores), rtol=2e-4, atol=2e-4)


def test_one_model_that_is_sure_is_enough():
    usual = [np.zeros(3), np.zeros(3)]
    rng = np.random.default_rng(0)
    held_out = rng.exponential(1.0, (1000, 3))
    rarities = [Rarity.of(held_out.sum(axis=1))] * 2
    sure, silent = np.array([[20.0, 0.0, 0.0]]), np.array([[0.0, 1.0, 0.0]])
    parts = rarity.joined([sure, silent], usual, rarities, [1.0, 1.0])
    alone = rarities[0].of_scores(np.array([20.0]))[0]
    most = 1 / rarity.SHARPNESS
    assert alone - most <= parts.sum() <= alone, "at most two bits less for a member of two"
    assert parts[0, 0] > 0.99 * parts.sum(), "and the column that it names is named"


def test_a_model_of_twice_the_weight_is_two_models():
    rng = np.random.default_rng(1)
    one, other = rng.exponential(1.0, (2, 500, 3))
    usual, own = [np.zeros(3)] * 3, [Rarity.of(v.sum(axis=1)) for v in (one, other)]
    twice = rarity.joined([one, other], usual[:2], own, [2.0, 1.0])
    both = rarity.joined([one, one, other], usual, [own[0], *own], [1.0, 1.0, 1.0])
    np.testing.assert_allclose(twice, both, rtol=1e-12)


def test_the_tail_is_a_pareto_distribution():
    rng = np.random.default_rng(0)
    for shape in (0.0, 0.2):
        u = rng.random(200_000)
        scores = -np.log(u) if shape == 0 else (u**-shape - 1) / shape
        tail = Tail.of(np.sort(scores))
        for part in (0.01, 0.001):
            exact = -np.log(part) if shape == 0 else (part**-shape - 1) / shape
            assert tail.score_at(part) == pytest.approx(exact, rel=0.06)


def test_about_one_ordinary_record_in_a_thousand_is_flagged():
    rng = np.random.default_rng(0)
    rates = []
    for _ in range(40):
        threshold = Calibration.of(rng.gamma(4, 2, (2000, 1))).threshold()
        rates.append((rng.gamma(4, 2, 20_000) > threshold).mean())
    assert 0.0007 < np.mean(rates) < 0.0015


def test_the_column_whose_mending_helps_is_named_first():
    frame = pd.DataFrame({"a": np.arange(50.0) % 11, "b": np.arange(50.0) % 7})
    schema = operations.fit(frame, FitOptions("pca")).schema
    X, expected = np.array([[1.0, 9.0]]), np.array([[5.0, 2.0]])
    scores = lambda x: np.abs(x[:, 0] - 1) + 10 * np.abs(x[:, 1] - 2)  # noqa: E731
    assert reasons.by_mending(schema, X, expected, [[0, 1]], scores) == [[1, 0]]


# `auto` joins the others
@pytest.mark.usefixtures("fits_once")
@pytest.mark.parametrize(
    "plugin", [pytest.param(n, marks=pytest.mark.long if n == "elm" else ()) for n in FAIR]
)
def test_rows_that_are_all_equal_are_no_anomalies(plugin, tmp_path):
    frame = pd.DataFrame({"a": [1] * 100, "b": ["z"] * 100, "c": [2.5] * 100})
    pictures = tmp_path / "pictures.npz"
    np.savez(pictures, x=np.full((60, 8, 8), 7, np.uint8))
    kinds = plugins.get_model(plugin).data
    for data in (frame, pictures) if "image" in kinds else (frame,):
        made = operations.fit(data, FitOptions(plugin))
        assert operations.detect(data, made).flagged == 0
    other = frame.assign(a=[1] * 99 + [2])
    assert operations.detect(other, operations.fit(frame, FitOptions(plugin))).row.tolist() == [99]


def test_a_calibration_of_an_earlier_version_gets_a_tail_by_its_scores():
    rng = np.random.default_rng(0)
    calibration = Calibration.of(rng.exponential(size=(3000, 1)))
    data = calibration.to_json()
    del data["tail"]
    again = Calibration.from_json(data)
    assert again.threshold() == pytest.approx(calibration.threshold(), rel=0.15)


@pytest.mark.parametrize("plugin", ["tails", "neighbours", "histogram"])
def test_one_of_few_rows_scores_as_if_it_had_not_been_fitted(plugin):
    """A row far out is a large part of the tail that it is in, of the distances that it is compared
    with, and of its bin; a model that has seen it finds nothing odd about it."""
    frame = normal(40, 5)
    frame.loc[7, "b"] = 9.0
    seen = operations.fit(frame, FitOptions(plugin))
    others = operations.fit(frame.drop(index=7), FitOptions(plugin))
    as_fitted = operations.score(frame, seen, "cpu")[7]
    as_new = operations.score(frame.loc[[7]], others, "cpu")[0]
    assert as_new > 5
    assert as_fitted > 0.6 * as_new


def test_scores_of_few_rows_of_numbers_do_not_depend_on_their_places():
    """Many models in one graph leave room for fewer rows in a batch: for no whole number of the
    processor's blocks of rows the last ones were summed otherwise."""
    values = np.random.default_rng(5).normal(size=(300, 14)).round(3)
    frame = pd.DataFrame(values, columns=[f"c{place}" for place in range(14)])
    model = operations.fit(frame)
    assert model.session("score.onnx", "cpu").batch % 12 == 0
    order = np.random.default_rng(0).permutation(len(frame))
    scores = operations.score(frame, model, "cpu")
    moved = operations.score(frame.iloc[order].reset_index(drop=True), model, "cpu")
    np.testing.assert_array_equal(moved, scores[order])


# fits of the default, twice each
@pytest.mark.parametrize("robust", [False, pytest.param(True, marks=pytest.mark.long)])
def test_an_odd_one_of_few_rows_is_found_by_the_model_that_was_fitted_on_it(robust):
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(400, 2))
    rows = hidden @ [[1.0, 0.5, -0.5], [0.3, 1.0, 0.8]] + 0.2 * rng.normal(size=(400, 3))
    frame = pd.DataFrame(rows.round(3), columns=list("abc"))
    few = frame[:40].copy()
    few.loc[7, "b"] = 9.0
    fitted = operations.fit(few, FitOptions(robust=robust))
    assert operations.detect(few, fitted).row.tolist() == [7]
    assert operations.detect(few).row.tolist() == [7]
    assert operations.detect(frame[40:], fitted).flagged <= 1, "of 360 ordinary ones"
