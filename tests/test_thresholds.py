"""False-discovery rates, calibration by clean records, and robust fits."""

import dataclasses
import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from aetool import bundle as bundles
from aetool import operations, plugins, rarity
from aetool.data.sources import open_source
from aetool.detection.calibration import Calibration, Expected, Tail, discoveries
from aetool.errors import BundleError, DataError, ParamError
from aetool.fits import preparing, single_fit
from aetool.model import make_params
from aetool.operations import FitOptions

pytestmark = pytest.mark.usefixtures("fits_once")


# what the default joins of any table
OF_ROWS = ["pca", "neighbours", "elm", "tails", "histogram"]


def plain(rows, seed, odd=0):
    """Three related numbers; the last `odd` rows lie elsewhere."""
    rng = np.random.default_rng(seed)
    hidden = rng.standard_normal((rows, 2))
    X = hidden @ [[1.0, 0.5, -0.5], [0.3, 1.0, 0.8]] + 0.2 * rng.standard_normal((rows, 3))
    X[rows - odd :] += rng.choice([-1, 1], (odd, 3)) * rng.uniform(1.5, 4, (odd, 3))
    return pd.DataFrame(X.round(3), columns=list("abc"))


@pytest.fixture(scope="module")
def model():
    return operations.fit(plain(2000, 0), FitOptions("pca"))


@pytest.mark.parametrize("seed", range(5))
def test_discoveries_are_those_of_benjamini_and_hochberg(seed):
    p = np.random.default_rng(seed).beta(0.4, 1.0, 40).round(2)  # with ties
    best = 0
    for k in range(1, 41):
        if np.sort(p)[k - 1] <= 0.2 * k / 40:
            best = k
    found = discoveries(p, 0.2)
    assert found.sum() == best
    assert not found.any() or p[found].max() < p[~found].min(initial=2.0)
    assert discoveries(np.zeros(0), 0.1).shape == (0,)


def test_clean_records_make_p_values_exact(model):
    clean = plain(999, 1)
    scores = np.sort(operations.score(clean, model, "cpu"))
    found = operations.detect(plain(50, 2), model, calibration=clean, all_rows=True)
    at_least = (scores[None, :] >= found.score[:, None]).sum(axis=1)
    np.testing.assert_allclose(found.p, (1 + at_least) / 1000, atol=1e-12)


def test_false_discoveries_are_as_few_as_asked_for(model):
    false, hits = [], []
    for seed in range(20):
        data = plain(600, 100 + seed, odd=120)
        found = operations.detect(data, model, fdr=0.1, calibration=plain(1500, 200 + seed))
        wrong = int((found.row < 480).sum())
        false.append(wrong / max(found.flagged, 1))
        hits.append((found.flagged - wrong) / 120)
    assert np.mean(false) <= 0.1 and np.mean(hits) > 0.5


def test_a_false_positive_rate_holds_on_fresh_rows(model):
    for rate in (0.1, 0.01):
        found = operations.detect(plain(20_000, 7), model, fpr=rate)
        assert 0.5 * rate < found.flagged / 20_000 < 1.6 * rate


def test_a_rate_that_these_records_miss_is_told(tmp_path, run):
    """Of rows that drift, those that were held out score otherwise than those that are judged."""
    target, data, later = (tmp_path / name for name in ("m.aem", "t.csv", "later.csv"))
    plain(1200, 0).to_csv(data, index=False)
    moved = plain(1200, 1).assign(a=lambda frame: frame.a + 0.5)
    moved.to_csv(later, index=False)
    assert run("fit", data, "-p", "pca", "-o", target).status == 0
    done = run("detect", later, "-m", target, "--fpr", "2%")
    count = int(done.err.split(" of ")[0])
    assert count > 5 * 24
    said = (
        f"note: --fpr 2% is about 24 of 1,200 records, and {count:,} are flagged: the threshold is "
        "the score exceeded by 2 % of the rows held out of the fit, in stretches, and these "
        "records score higher, as records that have drifted since the fit do; --contamination 2% "
        "flags that part of these very records, --calibration CLEAN takes the threshold from "
        "ordinary records that were not fitted\n"
    )
    assert said in done.err and done.err.count("note: ") == 1
    assert said in run("report", target, later, "--fpr", "2%").err
    # by these, the others are all ordinary
    done = run("detect", data, "-m", target, "--fpr", "2%", "--calibration", later)
    assert "and 1 is flagged" in done.err and "the highest score is" not in done.err
    assert (
        "2 % of the records that it was calibrated by, and these records score lower;" in done.err
    )
    for words in (["--fpr", "2%"], ["--contamination", "2%"], ["--calibration", later]):
        assert "held out of the fit" not in run("detect", data, "-m", target, *words).err
    # a model may have been given its rate before
    assert run("fit", data, "-p", "pca", "-o", target, "-f", "--fpr", "2%").status == 0
    assert said in run("detect", later, "-m", target).err


def test_a_rate_is_missed_by_five_times_of_twenty_or_more(model):
    found = operations.detect(plain(1000, 3), model, fpr=0.02)

    def told(flagged, total=1000):
        return "\n".join(dataclasses.replace(found, flagged=flagged, total=total).notes())

    assert "fpr 2% is about 20 of 1,000 records, and 3 are flagged" in told(3)
    assert "score lower, as rows that were fitted do, and rows that lie between such" in told(3)
    assert told(4) == told(100) == ""
    assert "and 101 are flagged" in told(101) and "have drifted since the fit" in told(101)
    assert told(101, 999) == ""
    by_default = operations.detect(plain(1000, 3), model)
    assert dataclasses.replace(by_default, flagged=900).notes() == []


def test_thresholds_are_stored_and_exported(tmp_path, run):
    data, clean, target = tmp_path / "t.csv", tmp_path / "clean.csv", tmp_path / "m.aem"
    plain(500, 0).to_csv(data, index=False)
    plain(400, 1).to_csv(clean, index=False)
    args = ("fit", data, "-p", "pca", "-o", target)
    assert run(*args, "--fpr", "2%", "--calibration", clean).status == 0
    made = bundles.load(target)
    assert made.calibration.rows == 400 and made.calibration.fpr == 0.02
    assert made.facts["calibrated_apart"]
    scores = np.sort(operations.score(clean, made, "cpu"))
    rank = int(np.ceil(0.98 * 401))
    assert made.calibration.threshold() == pytest.approx(scores[rank - 1], rel=1e-5)
    assert run("export", target, "-o", tmp_path / "onnx").status == 0
    about = json.loads((tmp_path / "onnx" / "model.json").read_text())
    assert about["threshold"] == pytest.approx(made.calibration.threshold())
    assert Calibration.from_json(about["calibration"]).threshold() == about["threshold"]
    with pytest.raises(BundleError, match="no rate"):
        Calibration.from_json({**about["calibration"], "fpr": float("nan")})
    quiet = run("detect", data, "-m", target, "--fdr", "10%")
    assert quiet.status == 0 and "approximate" not in quiet.err


def test_a_rate_that_is_not_exact_says_so(tmp_path, run):
    data, target = tmp_path / "t.csv", tmp_path / "m.aem"
    plain(300, 0, odd=5).to_csv(data, index=False)
    assert "these very records" in run("detect", data, "-p", "pca", "--fdr", "10%").err
    assert run("fit", data, "-p", "pca", "--robust", "-o", target).status == 0
    assert "may hold anomalies" in run("detect", data, "-m", target, "--fdr", "10%").err
    assert run("fit", data, "-p", "pca", "-o", target, "-f").status == 0
    assert "the data that were fitted" in run("detect", data, "-m", target, "--fdr", "0.1").err


def test_thresholds_that_cannot_be(model, tmp_path):
    data = plain(50, 0)
    with pytest.raises(ParamError, match="^fdr must lie"):
        operations.detect(data, model, fdr=1.0)
    with pytest.raises(ParamError, match="^threshold nan"):
        operations.detect(data, model, threshold=float("nan"))
    with pytest.raises(ParamError, match="exclude"):
        operations.detect(data, model, fdr=0.1, top=3)
    with pytest.raises(ParamError, match="needs a model"):
        operations.detect(data, calibration=data)
    with pytest.raises(DataError, match="no records"):
        operations.detect(data, model, calibration=data.head(0))
    with pytest.raises(DataError, match="'c' is missing"):
        operations.detect(data, model, calibration=data[["a", "b"]])


def test_a_robust_fit_is_of_the_bulk():
    """A twentieth of the rows, all in one far place, pull a plain fit to themselves."""
    dirty = plain(1000, 0)
    dirty.loc[950:, :] = [6.0, -6.0, 6.0]
    dirty += 0.05 * np.random.default_rng(1).standard_normal(dirty.shape)
    made = operations.fit(dirty.round(3), FitOptions("auto", robust=True))
    assert made.facts["robust"] and made.facts["fitted_rows"] == 950
    assert set(made.facts["left_out"]) == {"elm", "ranks", "dependence", "denoising"}
    scores = operations.score(dirty.round(3), made, "cpu")
    # a twentieth is no rarer than one in twenty: an ordinary row or two may be as rare
    assert len(set(np.argsort(-scores)[:50]) & set(range(950, 1000))) >= 47
    plainly = operations.fit(dirty.round(3), FitOptions("auto"))
    worst = operations.score(dirty.round(3), plainly, "cpu")
    assert worst[950:].min() / np.median(worst) < scores[950:].min() / np.median(scores)


def test_a_robust_network_is_not_taught_the_farthest(rows_csv):
    made = operations.fit(rows_csv, FitOptions("ae", robust=True, epochs=3, device="cpu"))
    assert made.facts["fitted_rows"] == 285 and made.calibration.rows == 30


def test_what_is_rare_as_a_whole_costs_beside_what_columns_are_given_the_others():
    rng = np.random.default_rng(0)
    hidden = rng.standard_normal(3000)
    X = hidden[:, None] + 0.1 * rng.standard_normal((3000, 6))
    far = pd.DataFrame(np.vstack([X, np.full(6, 9.0)]).round(3), columns=list("abcdef"))
    rank = {}
    for joint in (0.0, 1.0):
        made = operations.fit(far.iloc[:-1], FitOptions("pca", {"joint": joint}))
        scores = operations.score(far, made, "cpu")
        rank[joint] = int((scores > scores[-1]).sum())
        session = made.session("score.onnx", "cpu")
        assert ("surprise" in session.outputs) == (joint > 0)
    assert rank[1.0] == 0 < rank[0.0], "every column agrees with the others, and all are far"


def test_the_wrong_value_is_named_and_not_those_it_predicts():
    rng = np.random.default_rng(0)
    load = rng.uniform(10, 100, 4000)
    table = {
        f"s{i}": (k * load + rng.standard_normal(4000)).round(2) for i, k in enumerate((1, 2, 5, 9))
    }
    frame = pd.DataFrame(table)
    made = operations.fit(frame, FitOptions("pca"))
    for column in table:
        odd = frame.iloc[:50].copy()
        odd.loc[20, column] += 150.0
        found = operations.detect(odd, made, top=1)
        assert found.row[0] == 20 and found.named[0][0][0] == column


# many fits of the default; what mending tells is in test_mending.py
@pytest.mark.long
def test_a_chain_of_columns_is_told_by_mending_each():
    """The first column is told without the others: only mending it shows that it was the wrong one."""
    rng = np.random.default_rng(0)
    a = rng.uniform(0, 10, 3000)
    frame = pd.DataFrame({"a": a, "b": 2 * a, "c": 3 * a, "d": 5 * a}).round(1)
    frame += 0.1 * rng.standard_normal(frame.shape)
    frame["e"] = np.where(a > 5, "hot", "cold")
    frame = frame.round(2)
    made = operations.fit(frame, FitOptions("masked", epochs=60, device="cpu"))
    for column, wrong in (("a", 9.0), ("c", 28.0), ("e", "hot")):
        odd = frame[(a > 1) & (a < 2)].head(30).reset_index(drop=True)
        odd.loc[11, column] = wrong
        found = operations.detect(odd, made, top=1)
        assert found.row[0] == 11 and found.named[0][0][0] == column
    assert found.named[0][0][1:] == ("hot", "cold"), "found and, given the others, expected"


def test_values_go_to_standard_units_and_back(rows_csv):
    schema = operations.fit(rows_csv, FitOptions("pca")).schema
    for column in schema.modelled:
        if column.measured:
            x = np.linspace(column.low, column.high, 50)
            np.testing.assert_allclose(
                column.scale.restored(column.scale.standardised(x)), x, atol=1e-9
            )


def of_all_rows(made, frame, params):
    """Scores by one model of all rows, not by the folds of it that a bundle scores by."""
    model = plugins.get_model(made.plugin)
    prepared = preparing.prepare(open_source(frame), FitOptions())
    net = plugins.resolve(model.net)
    graphs, _ = single_fit.solve(net, make_params(model, params), prepared, prepared.kept)
    whole = dataclasses.replace(made, graphs=graphs, _sessions={})
    return operations.score(frame, whole, "cpu")


def test_a_blurred_density_is_of_the_data_with_noise():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((4000, 3)) @ np.array([[2.0, 1, 0], [0, 1, 1], [0, 0, 0.3]])
    frame = pd.DataFrame(X.round(4), columns=list("abc"))
    params = {"probabilistic": True, "blur": 1.5, "latent": 2}
    made = operations.fit(frame, FitOptions("pca", params))
    z = np.stack([made.schema[c].scale.standardised(frame[c].to_numpy()) for c in "abc"], axis=1)
    values, vectors = np.linalg.eigh(np.cov(z.T, bias=True) + 1.5**2 * np.eye(3))
    density = ((((z - z.mean(axis=0)) @ vectors) ** 2) / values).sum(axis=1) / 2
    density += 0.5 * np.log(2 * np.pi * values).sum()
    scores = of_all_rows(made, frame, params)
    off = scores - density / np.log(2)
    assert off.std() < 0.01, "but for the width of buckets, which is the same for all"


# fits of the default; what it joins is in test_joining.py
@pytest.mark.long
def test_a_robust_default_joins_what_anomalies_sway_little():
    made = operations.fit(plain(400, 0), FitOptions(robust=True))
    assert made.facts["members"] == ["pca", "neighbours", "tails", "histogram", "trees"]
    also = operations.fit(plain(400, 0), FitOptions(robust=True, context=1))
    assert also.facts["members"] == ["pca"]
    assert set(also.facts["left_out"]) == {*OF_ROWS[1:], "ranks", "dependence", "denoising"}


def test_a_few_rows_can_be_fitted():
    made = operations.fit(plain(3, 0))
    assert made.facts["members"] == [*OF_ROWS, "ranks", "dependence"]
    assert np.isfinite(operations.score(plain(3, 0), made, "cpu")).all()
    with pytest.raises(ParamError, match="neither"):
        operations.fit(plain(60, 0), FitOptions("denoising", robust=True, target=plain(60, 0)))


def test_the_threshold_is_one_statement_wherever_it_is_said(run, tmp_path):
    data = plain(800, 0)
    data.to_csv(tmp_path / "d.csv", index=False)
    run("fit", tmp_path / "d.csv", "-p", "pca", "-o", tmp_path / "m.aem")
    said = "about 1 in 1,000 ordinary records"
    assert f"which {said} exceed" in run("detect", tmp_path / "d.csv", "-m", tmp_path / "m.aem").err
    assert f"which {said} exceed" in run("detect", tmp_path / "d.csv", "-p", "pca").err
    assert f"exceeded by      {said}" in run("info", tmp_path / "m.aem").out
    asked = run("detect", tmp_path / "d.csv", "-m", tmp_path / "m.aem", "--fpr", "2%")
    assert "which about 1 in 50 ordinary records exceed" in asked.err
    for chosen in (["--top", "3"], ["--threshold", "5"], ["--contamination", "1%"]):
        told = run("detect", tmp_path / "d.csv", "-m", tmp_path / "m.aem", *chosen)
        assert "ordinary records exceed" not in told.err, "it was not chosen by a rate"


def test_the_scale_of_a_tail_is_told_by_the_body_where_excesses_are_few():
    """Of 60 exponential scores six are in the tail; drawn close together they would set the
    threshold hardly above them, and with the body it is near that of the distribution."""
    scores = -np.log(1 - (np.arange(60) + 0.5) / 60)
    scores[54:] = scores[53] + 0.01 * np.arange(1, 7)
    own = Expected(shape=0.0, weight=1000.0)
    with_body = dataclasses.replace(own, body=10.0)
    truth = -np.log(1 / 1000)
    assert Tail.of(scores, own).score_at(1 / 1000) < 0.5 * truth
    assert Tail.of(scores, with_body).score_at(1 / 1000) == pytest.approx(truth, rel=0.3)
    many = np.sort(np.random.default_rng(0).exponential(size=100_000))
    close = Tail.of(many, with_body).score_at(1 / 1000)
    assert close == pytest.approx(Tail.of(many, own).score_at(1 / 1000), rel=0.01)


def test_among_few_records_odd_ones_do_not_set_the_threshold_above_themselves():
    """Of 22 exponential scores and one or two far ones, these are most of the highest tenth."""
    scores = -np.log(1 - (np.arange(22) + 0.5) / 22)
    for far in ([12.0], [20.0, 25.0]):
        among = np.append(scores, far)
        few = rarity.among_few(rarity.JOINED_TAIL, len(among))
        if len(far) == 1:  # below two there is a gap that tells
            assert Tail.of(among, rarity.JOINED_TAIL).score_at(1 / 1000) > far[0]
        assert scores[-1] < 6 < Tail.of(among, few).score_at(1 / 1000) < far[0]
    # one in 1,000 of an exponential exceeds 6.9
    alone = rarity.among_few(rarity.JOINED_TAIL, 22)
    assert 5.5 < Tail.of(scores, alone).score_at(1 / 1000) < 8
    for usual in (rarity.JOINED_TAIL, rarity.PICTURES_TAIL, Expected()):
        assert rarity.among_few(usual, 500) == usual == rarity.among_few(usual, 10**6)


def test_an_odd_one_of_few_held_out_scores_sets_no_threshold_above_itself():
    scores = -np.log(1 - (np.arange(22) + 0.5) / 22)
    among = np.append(scores, 20.0)
    assert Tail.of(among, rarity.JOINED_TAIL).score_at(1 / 1000) > 20
    for usual in (rarity.JOINED_TAIL, rarity.PICTURES_TAIL):
        few = rarity.among_few_held_out(usual, 23)
        threshold = Tail.of(among, few).score_at(1 / 1000)
        # one in 1,000 of an exponential exceeds 6.9, and of a heavier tail more
        assert 6.5 < threshold < 12
        assert threshold < 0.9 * Tail.of(among, usual).score_at(1 / 1000)
        assert rarity.among_few_held_out(usual, 500) == usual


def test_the_body_widens_a_tail_and_never_narrows_it():
    """The excesses of 20 scores that end early, and of 20 that do not."""
    own = Expected(shape=0.0)
    widened = Expected(shape=0.0, body_if_wider=20.0)
    scores = np.linspace(0.0, 5.0, 20)
    # they fall off from 2.5 to 4.5 within log(5) scales; two excesses have a mean of 0.3
    early = Tail.of(scores, widened)
    assert early.scale > 3 * Tail.of(scores, own).scale
    assert early.scale < 2 / math.log(5) + 0.01
    late = np.append(scores[:-2], [7.0, 9.0])
    assert Tail.of(late, widened) == Tail.of(late, own)


def test_records_that_judge_themselves_are_flagged_though_few():
    table = plain(60, 3)
    assert operations.detect(table).flagged == 0
    table.loc[30] = [9.0, -9.0, 9.0]
    assert operations.detect(table).row.tolist() == [30]


@pytest.mark.parametrize("rows", [20, 60, 200])
def test_of_few_ordinary_scores_nearly_none_lies_above_the_threshold(rows):
    rng = np.random.default_rng(rows)
    expected = rarity.among_few(rarity.JOINED_TAIL, rows)
    above = 0
    for _ in range(300):
        scores = np.sort(rng.exponential(size=rows))
        above += int((scores > Tail.of(scores, expected).score_at(1 / 1000)).sum())
    assert above / (300 * rows) < 0.003


def test_what_is_expected_of_a_tail_is_stored_where_it_is_not_the_usual():
    usual = Calibration.of(np.ones((30, 1)))
    assert "expected" not in usual.to_json()
    other = Expected(shape=0.0, body=10.0)
    data = Calibration.of(np.ones((30, 1)), expected=other).to_json()
    assert data["expected"] == {"shape": 0.0, "body": 10.0}
    assert Calibration.from_json(data).expected == other
    with pytest.raises(BundleError, match="expects no tail"):
        Calibration.from_json({**data, "expected": {"body": -1.0}})


def test_of_ordinary_records_one_in_1000_lies_above_the_default_threshold():
    """Five of 4,999 lie far beyond the tail: anomalies perhaps, but not where all are ordinary."""
    scores = np.append(np.random.default_rng(0).exponential(size=4994), [30, 31, 32, 33, 34])
    usual = Calibration.of(scores[:, None])
    assert 5 < usual.threshold() < 12, "by the tail, without what may be anomalies"
    known = dataclasses.replace(usual, ordinary=True)
    # 5,000 (1 - 1 / 1,000) is 4,995: the fifth from above
    assert known.threshold() == pytest.approx(30) and (scores > 30).sum() == 4
    assert known.threshold(0.01) == usual.threshold(0.01), "a rate that is asked for is by ranks"
    # of fewer than 999 the highest: one in 301 is the least that they can tell
    few = dataclasses.replace(Calibration.of(scores[-300:, None]), ordinary=True)
    assert few.threshold() == 34
    # a tail that reaches farther than these ranks is kept
    calm = Calibration.of(np.linspace(0, 1, 200)[:, None])
    assert dataclasses.replace(calm, ordinary=True).threshold() == calm.threshold() > 1


@pytest.mark.parametrize("count", [5_000, 64_000, 200_000, 2_000_000])
def test_ranks_near_the_top_of_very_many_scores_are_known(count):
    """Scores of an exponential tail: what lies above the score of a rank is as much as said."""
    scores = stats.expon.ppf((np.arange(count) + 0.5) / count)
    calibration = dataclasses.replace(Calibration.of(scores[:, None]), ordinary=True)
    for part in (0.1, 0.01, 0.001, 0.0005):
        above = (scores > calibration.threshold(part)).mean()
        assert above == pytest.approx(part, rel=0.01, abs=2 / count)
    # the tail alone says as much of such scores, and the higher of both is taken
    above = (scores > calibration.threshold()).mean()
    assert above == pytest.approx(0.001, rel=0.03, abs=2 / count)
    assert len(calibration.scores) < 640


@pytest.mark.parametrize("rows", [300, 3000])
def test_a_rare_kind_of_ordinary_records_is_flagged_as_seldom_as_said(rows):
    """One record in 100 is of a kind with scores of its own, far beyond those of the others."""
    rng = np.random.default_rng(rows)
    rates = []
    for _ in range(60):
        scores = rng.exponential(size=rows + 20_000)
        rare = rng.random(len(scores)) < 0.01
        scores[rare] = rng.uniform(20, 40, rare.sum())
        usual = Calibration.of(scores[:rows, None])
        known = dataclasses.replace(usual, ordinary=True)
        new = scores[rows:]
        rates.append([(new > one.threshold()).mean() for one in (usual, known)])
    by_tail, by_rank = np.mean(rates, axis=0)
    least = max(1 / 1000, 1 / (rows + 1))
    assert 0.5 * least < by_rank < 1.2 * least
    assert by_tail > 3 * least, "the tail leaves the rare kind out"


def test_rows_said_to_be_ordinary_are_taken_for_that(tmp_path):
    table = plain(400, 0).assign(state=["good", "bad"] * 200)

    def known(**chosen):
        made = operations.fit(table, FitOptions("pca", label="state", **chosen))
        made.save(tmp_path / "m.aem", force=True)
        assert bundles.load(tmp_path / "m.aem").calibration.ordinary == made.calibration.ordinary
        return made.calibration.ordinary

    assert known(normal=("good",))
    assert not known(), "the label is left out, and nothing said of any row"
    assert not known(normal=("good",), robust=True), "anomalies are among them"
    clean = operations.fit(plain(300, 0), FitOptions("pca"))
    assert not clean.calibration.ordinary
    assert operations.calibrated(clean, plain(200, 1)).calibration.ordinary


def test_what_is_said_of_a_threshold_counts_the_records_that_were_held_out(run, tmp_path):
    """Six of 800 fitted rows are of a rare kind. The threshold takes them for anomalies, so that one
    row in 133 of the same source is above it, and it must not be called one in 1,000."""
    data = plain(800, 0)
    rng = np.random.default_rng(0)
    rare = rng.choice(800, 6, replace=False)
    data.iloc[rare] += rng.normal(0, 1000, (6, data.shape[1]))
    data.to_csv(tmp_path / "d.csv", index=False)
    run("fit", tmp_path / "d.csv", "-p", "pca", "-o", tmp_path / "m.aem")
    calibration = bundles.load(tmp_path / "m.aem").calibration
    above = calibration.count_above(calibration.threshold())
    assert above == 6
    said = f"{above} of {calibration.rows} records held out of the fit"
    assert f"which {said} exceed" in run("detect", tmp_path / "d.csv", "-m", tmp_path / "m.aem").err
    assert f"exceeded by      {said}" in run("info", tmp_path / "m.aem").out
    # and what that means
    for verb in (["detect", tmp_path / "d.csv", "-m"], ["info"]):
        told = run(*verb, tmp_path / "m.aem")
        assert "each judged by a model that had not seen it" in told.err + told.out
    # of the file itself nothing was held out
    assert "held out" not in run("detect", tmp_path / "d.csv", "-p", "pca").err


def test_records_above_a_score_are_counted():
    calibration = Calibration.of(np.arange(100.0)[:, None])
    assert calibration.count_above(96.5) == 3
    assert calibration.count_above(97.0) == 2
    assert calibration.count_above(200.0) == 0
    assert calibration.count_above(-1.0) == 100


# the records are judged anew for each rate; that few are flagged by themselves is in the fast set
@pytest.mark.long
def test_a_looser_rate_never_flags_fewer_where_records_judge_themselves(run, tmp_path):
    """Of 333 rows seven are far out. By ranks the seventh-highest score is exceeded by 1.8 % and
    no score by less than 0.3 %, so that asking for more than the default gave fewer."""
    data = plain(333, 0, odd=0)
    rng = np.random.default_rng(1)
    rows = rng.choice(333, 7, replace=False)
    data.iloc[rows] += rng.choice([-30, 30], (7, 3))
    counts = [operations.detect(data).flagged]
    counts += [operations.detect(data, fpr=rate).flagged for rate in (0.001, 0.005, 0.02, 0.1, 0.3)]
    assert counts[0] == counts[1] == 7
    assert counts == sorted(counts)
    # a rate by ranks: of the rows some are ordinary
    assert 0.2 * 333 < counts[-1] <= 0.35 * 333
    data.to_csv(tmp_path / "d.csv", index=False)
    assert run("detect", tmp_path / "d.csv", "--fpr", "0.1%", "--count").out.strip() == "7"
    refused = run("detect", tmp_path / "d.csv", "--fpr", "0.01%")
    assert (
        "333 records cannot tell 1 in 10,000; the smallest --fpr they allow is 0.1 %" in refused.err
    )


def test_discoveries_without_a_model_are_told_by_how_scores_fall_off():
    """A file's own ranks are 1 to n, whatever it holds: by them nothing could be discovered."""
    clean = plain(1000, 3)
    assert operations.detect(clean, fdr=0.1).flagged <= 1
    data = plain(1000, 3, odd=6)
    found = operations.detect(data, fdr=0.1)
    # two of the six lie among the ordinary rows
    odd = int((found.row >= 994).sum())
    assert odd >= 4
    assert found.flagged <= odd + 1
    # the wider the bound, the more is flagged
    assert operations.detect(data, fdr=0.5).flagged >= found.flagged


def test_a_few_among_many_records_are_discovered_by_a_model():
    """Their ranks among 2,000 held-out rows, 1/2,001, are no discoveries among 4,000 records."""
    model = operations.fit(plain(2000, 0), FitOptions("auto"))
    found = operations.detect(plain(4000, 8, odd=3), model, fdr=0.1)
    assert set(found.row.tolist()) >= {3997, 3998, 3999}
    assert found.flagged <= 6


def test_the_tail_tells_the_part_above_a_score_that_has_it():
    for shape in (-0.2, 0.0, 1e-9, 0.3):
        tail = Tail(start=4.0, scale=1.5, shape=shape)
        parts = np.array([0.1, 0.03, 1e-3, 1e-6])
        scores = np.array([tail.score_at(part) for part in parts])
        np.testing.assert_allclose(tail.part_above(scores), parts, rtol=1e-6)
    # of a tail that ends nothing lies beyond
    assert Tail(4.0, 1.0, -0.2).part_above(np.array([9.5]))[0] == 0
