"""Calibration, thresholds, p-values, figures and reasons obey their laws."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from aetool import operations
from aetool.detection import picture_reasons, reasons
from aetool.detection.calibration import Calibration
from aetool.detection.ranking import auroc, average_precision
from aetool.errors import ParamError
from aetool.operations import FitOptions
from aetool.operations.exporting import difference

SCORES = st.lists(st.floats(0.01, 1000), min_size=5, max_size=60)


def of(scores):
    return Calibration.of(np.stack([scores, np.zeros(len(scores))], axis=1))


@given(SCORES, st.floats(0.1, 10))
def test_threshold_scales_with_the_scores(scores, factor):
    one, two = of(np.array(scores)), of(np.array(scores) * factor)
    assert two.threshold() == pytest.approx(one.threshold() * factor, rel=1e-4)


@given(SCORES)
def test_p_values_fall_with_the_score(scores):
    calibration = of(np.array(scores))
    p = calibration.p_values(np.linspace(0, 1100, 200))
    assert (np.diff(p) <= 1e-12).all() and p.max() <= 1 and p.min() >= 1 / (len(scores) + 1) - 1e-12


def test_p_values_are_conformal():
    calibration = of(np.arange(1.0, 10.0))
    np.testing.assert_allclose(
        calibration.p_values(np.array([0.5, 1.0, 9.0, 9.5])), [1.0, 1.0, 0.2, 0.1]
    )


def test_fpr_is_held_on_fresh_scores():
    rng = np.random.default_rng(0)
    rates = []
    for _ in range(30):
        calibration = of(rng.lognormal(0, 1, 2000))
        rates.append((rng.lognormal(0, 1, 5000) > calibration.threshold(0.01)).mean())
    assert 0.008 < np.mean(rates) < 0.012
    assert of(np.arange(5.0)).threshold(0.01) == np.inf, "five scores cannot promise 1 %"


def test_default_threshold_is_robust():
    rng = np.random.default_rng(0)
    clean = rng.lognormal(3, 0.2, 5000)
    dirty = np.concatenate([clean, np.full(400, 1000.0)])
    assert of(dirty).threshold() == pytest.approx(of(clean).threshold(), rel=0.2)
    assert (clean > of(clean).threshold()).mean() < 0.001 and of(dirty).threshold() < 1000


def test_calibration_survives_storage():
    calibration = of(np.random.default_rng(0).lognormal(size=5000))
    again = Calibration.from_json(calibration.to_json())
    assert again.threshold() == calibration.threshold() and len(again.scores) <= 513
    x = np.linspace(0, 20, 50)
    np.testing.assert_array_equal(again.p_values(x), calibration.p_values(x))


def test_figures_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    truth = rng.random(500) < 0.1
    scores = np.round(rng.normal(size=500) + truth, 1)  # with ties
    assert auroc(scores, truth) == pytest.approx(roc_auc_score(truth, scores))
    assert average_precision(scores, truth) == pytest.approx(average_precision_score(truth, scores))


def test_the_column_that_costs_more_than_usual_is_named_first():
    parts = np.array([[9.0, 1.0, 5.0], [9.0, 6.0, 1.0], [1.0, 1.0, 1.0]])
    assert reasons.columns(parts, np.array([9.0, 1.0, 1.0])) == [[2], [1], []]


def test_among_many_columns_the_one_without_which_a_record_is_ordinary_is_named():
    """None has a tenth of the excess, but one value alone makes the record rare."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(200, 40)))
    schema = operations.fit(frame.rename(columns=str), FitOptions("tails")).schema
    parts = rng.uniform(1, 2, (2, 40))
    costliest = reasons.columns(parts, np.zeros(40), least_share=0.0)
    assert reasons.columns(parts, np.zeros(40)) == [[], []]
    X = np.zeros((2, 40))
    culprit = costliest[0][1]
    X[0, culprit] = 9.0
    X[1] = 1.0

    def scores(records):
        """Nine bits for the culprit's value, and of the second record a little for each value."""
        return records.sum(axis=1)

    def p_values(bits):
        return 2.0**-bits

    expected = np.zeros((2, 40))
    named = reasons.by_rarity(schema, X, expected, costliest, scores, p_values)
    assert named == [[culprit], []], "of the second record all values together make it rare"


def test_every_record_has_a_reason():
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(300, 3)), columns=list("abc"))
    model = operations.fit(table, FitOptions("pca"))
    found = operations.detect(table, model, all_rows=True)
    assert all(found.why)
    usual = [i for i, named in enumerate(found.named) if not named]
    assert usual, "records each value of which costs less than half of its column do"
    assert {found.why[i] for i in usual} == {reasons.NOTHING}
    assert not found.anomaly[usual].any()
    assert reasons.line([], is_anomaly=True) == reasons.TOGETHER


def test_a_picture_without_excess_has_a_reason():
    nothing, picture = np.zeros((2, 2)), np.zeros((1, 2, 2))
    line = picture_reasons.line
    assert line(None, nothing, picture, None, False) == reasons.NOTHING
    assert line(None, nothing, picture, None, True) == reasons.TOGETHER


def test_one_shot_finds_the_planted_cell_and_says_why(rows_csv, tmp_path):
    lines = rows_csv.read_text().splitlines()
    fields = lines[101].split(",")
    fields[2] = "9.00"  # b is twice a, and a is about one
    path = tmp_path / "t.csv"
    path.write_text("\n".join([*lines[:101], ",".join(fields), *lines[102:]]) + "\n")
    found = operations.detect(path, top=1)
    assert found.row.tolist() == [100] and found.why[0].startswith("b=9.00 (expected ")
    assert found.p[0] == pytest.approx(2 / 301)


def test_the_row_joins_back_to_the_input(rows_csv, loaded):
    found = operations.detect(rows_csv, loaded, top=5, append=["time"])
    lines = rows_csv.read_text().splitlines()
    for row, time in zip(found.columns()["row"], found.columns()["time"], strict=True):
        assert lines[row].startswith(time), "row counts records from 1, the header is line 0"


@pytest.mark.parametrize("plugin", ["pca", "auto"])
def test_scores_do_not_depend_on_company(plugin, rows_csv, tmp_path):
    loaded = operations.fit(rows_csv, FitOptions(plugin))
    whole = operations.score(rows_csv, loaded)
    lines = rows_csv.read_text().splitlines()
    order = np.random.default_rng(0).permutation(len(whole))
    path = tmp_path / "t.csv"
    path.write_text("\n".join([lines[0], *(lines[1 + i] for i in order)]) + "\n")
    np.testing.assert_array_equal(operations.score(path, loaded), whole[order])
    path.write_text("\n".join([lines[0], lines[8]]) + "\n")
    assert operations.score(path, loaded)[0] == whole[7]
    operations.export(loaded, tmp_path / "onnx")
    assert difference(loaded, tmp_path / "onnx") < 1e-5, "by the runtime alone, a row at a time"


def test_thresholds_exclude_each_other(rows_csv, loaded):
    with pytest.raises(ParamError, match="exclude"):
        operations.detect(rows_csv, loaded, top=1, fpr=0.1)
    with pytest.raises(ParamError, match="between 0 and 1"):
        operations.detect(rows_csv, loaded, contamination=2.0)
    assert operations.detect(rows_csv, loaded, contamination=0.05).flagged == 15
    assert operations.detect(rows_csv, loaded, threshold=-1.0).flagged == 300


def test_pictures_say_where(folder, pca_pictures):
    from aetool import bundle

    found = operations.detect(folder, bundle.load(pca_pictures), top=2, append=[])
    told = "spread over the whole picture" if found.boxes[0].spread else "% of the excess"
    assert told in found.why[0] and found.columns()["file"][0].endswith(".png")


def test_a_record_alone_is_not_its_own_anomaly(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n")
    assert operations.detect(path).flagged == 0
    assert of(np.full(9, 5.0)).threshold() > 5


def test_a_record_counts_itself_among_those_as_high():
    scores = np.random.default_rng(0).lognormal(4, 1, 300) * np.pi
    calibration = of(scores)
    order = np.argsort(-scores)
    expected = (1 + np.arange(1, 301)) / 301
    np.testing.assert_allclose(calibration.p_values(scores[order]), expected)
    negative = Calibration.of(-scores[:, None])
    assert (negative.scores >= np.sort(-scores)).all()
    assert np.allclose(negative.scores, np.sort(-scores), rtol=1e-6)
