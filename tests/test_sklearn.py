"""aetool's models as estimators of scikit-learn: its own checks, pipelines, searches."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import aetool
from aetool.sklearn import AnomalyDetector, EstimatorError
from tests.conftest import fresh
from tests.sweeps import one_in

CHECKED = parametrize_with_checks([AnomalyDetector("pca")])
SLOW = [
    AnomalyDetector("prototypes"),
    AnomalyDetector(),
    AnomalyDetector("ae", params={"depth": 0}, epochs=1),
]


# what cannot be checked here says so: some checks need an environment of their own
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize(CHECKED.args[0], one_in(3, CHECKED.args[1]), ids=CHECKED.kwargs["ids"])
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


# what is checked is the same for each model
@pytest.mark.long
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(SLOW)
def test_checks_of_scikit_learn_of_slow_models(estimator, check):
    check(estimator)


def mixed(rows=400):
    rng = np.random.default_rng(0)
    a = rng.normal(size=rows)
    frame = pd.DataFrame(
        {
            "a": a.round(3),
            "b": (2 * a + 0.1 * rng.normal(size=rows)).round(3),
            "kind": np.where(a > 0, "x", "y"),
            "day": pd.date_range("2024-01-01", periods=rows, freq="h"),
        },
        index=[f"r{i}" for i in range(rows)],
    )
    frame.loc["r3", "b"] = np.nan
    return frame


@pytest.fixture(scope="module")
def frame():
    return mixed()


@pytest.fixture(scope="module")
def labelled():
    """(X, y): a hundredth of the rows is no plane; 1 is an ordinary record, as in predict."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(600, 3))
    X[:, 2] = X[:, 0] + X[:, 1] + 0.05 * rng.normal(size=600)
    y = np.ones(600, dtype=int)
    y[::50] = -1
    X[::50, 2] *= -1
    return X, y


def test_scores_are_those_of_the_model(frame):
    detector = AnomalyDetector("pca", contamination="auto", params={"latent": 2}).fit(frame)
    model = aetool.fit(frame, "pca", latent=2)
    assert detector.model_.to_bytes() == model.to_bytes()
    assert np.array_equal(detector.score_samples(frame), -model.score(frame))
    assert detector.offset_ == -model.threshold
    odd = frame.assign(b=frame["b"].where(frame.index != "r7", 99.0))
    assert detector.predict(odd)[7] == -1
    assert np.array_equal(detector.predict(odd) < 0, model.score(odd) > model.threshold)
    assert np.array_equal(detector.transform(frame), model.encode(frame))


def test_a_table_is_read_and_an_array_is_numbers(frame):
    kinds = {c.name: c.kind for c in AnomalyDetector("pca").fit(frame).model_.schema.columns}
    assert kinds == {"a": "number", "b": "number", "kind": "category", "day": "date"}
    told = AnomalyDetector("pca", types={"a": "category"}).fit(frame)
    assert told.model_.schema["a"].kind == "category"
    counted = np.column_stack([np.arange(50), np.arange(50) % 7, np.ones(50)])
    detector = AnomalyDetector("pca").fit(counted)
    assert [c.kind for c in detector.model_.schema.columns] == ["number"] * 3
    assert list(detector.model_.feature_names_in_) == ["x0", "x1", "x2"]
    counted[3, 1], counted[4, 1] = np.nan, np.inf
    assert np.isfinite(detector.score_samples(counted)).all()


def test_tables_of_others(frame):
    detector = AnomalyDetector("pca").fit(frame)
    table = pa.table(frame.reset_index(drop=True))
    assert np.array_equal(detector.score_samples(table), detector.score_samples(frame))
    other = AnomalyDetector("pca").fit(table)
    assert np.array_equal(other.score_samples(table), detector.score_samples(frame))
    with pytest.raises(ValueError, match="feature names"):
        detector.predict(frame.rename(columns={"a": "c"}))
    with pytest.raises(EstimatorError, match="0 sample"):
        detector.predict(frame[:0])


def test_contamination(labelled):
    X, _ = labelled
    for part in (0.01, 0.1, 0.5):
        found = AnomalyDetector("pca", contamination=part).fit(X)
        assert (found.predict(X) == -1).mean() == part
    for wrong in (0, 0.6, -1.0, "much", np.nan, None, [0.1]):
        with pytest.raises(ValueError, match=r"contamination must be 'auto', or in \(0, 0.5\]"):
            AnomalyDetector("pca", contamination=wrong).fit(X)


def test_errors_are_of_both_kinds(frame):
    for made, said in [
        (AnomalyDetector("nothing"), "nothing"),
        (AnomalyDetector("pca", params={"laten": 3}), "no argument 'laten'; did you mean latent"),
        (AnomalyDetector("pca", device="abacus"), "must be auto, cpu"),
    ]:
        with pytest.raises(EstimatorError, match=said) as raised:
            made.fit(frame)
        assert isinstance(raised.value, ValueError) and isinstance(raised.value, aetool.AetoolError)


def test_a_model_without_a_code_transforms_nothing(labelled):
    X, _ = labelled
    detector = AnomalyDetector("tails").fit(X)
    assert len(detector.predict(X)) == 600
    with pytest.raises(EstimatorError, match="tails has no code"):
        detector.transform(X)


def test_codes_as_a_frame(frame):
    detector = AnomalyDetector("pca", params={"latent": 2}).set_output(transform="pandas")
    codes = detector.fit_transform(frame)
    assert list(codes) == ["anomalydetector0", "anomalydetector1"]
    assert codes.index.equals(frame.index) and (codes.dtypes == "float32").all()


def test_the_random_state_decides(labelled):
    X, _ = labelled
    made = [AnomalyDetector("elm", random_state=seed).fit(X).model_.facts["seed"] for seed in
            (3, np.random.RandomState(5), np.random.RandomState(5))]  # fmt: skip
    assert made[0] == 3 and made[1] == made[2] != 3


def test_in_a_pipeline(labelled):
    X, y = labelled
    last = make_pipeline(StandardScaler(), AnomalyDetector("pca")).fit(X)
    assert roc_auc_score(y, last.decision_function(X)) > 0.99
    first = make_pipeline(AnomalyDetector("pca", params={"latent": 3}), LogisticRegression())
    direction = (X[:, 0] > 0).astype(int)
    assert first.fit(X, direction).score(X, direction) > 0.95


# nine fits by two processes; parameters are set and cloned in the checks of scikit-learn
@pytest.mark.long
def test_a_search_over_two_plugins(labelled):
    X, y = labelled
    grid = [
        {"plugin": ["pca"], "params": [{"latent": 1}, {"latent": 2}]},
        {"plugin": ["prototypes"], "params": [None]},
    ]
    search = GridSearchCV(AnomalyDetector(), grid, scoring="roc_auc", cv=3, n_jobs=2).fit(X, y)
    assert len(search.cv_results_["params"]) == 3 and search.best_score_ > 0.99
    assert search.best_estimator_.model_.plugin == search.best_params_["plugin"] == "pca"
    assert clone(search.best_estimator_).get_params()["params"] == search.best_params_["params"]


def test_nothing_of_scikit_learn_is_imported_unless_asked_for():
    code = (
        "import sys, pandas, numpy, aetool\n"
        "frame = pandas.DataFrame(numpy.random.default_rng(0).normal(size=(50, 3)))\n"
        "frame.columns = list('abc')\n"
        "aetool.fit(frame).detect(frame)\n"
        "assert 'sklearn' not in sys.modules\n"
        "import aetool.sklearn\n"
        "assert 'sklearn' in sys.modules and 'torch' not in sys.modules"
    )
    done = fresh(code)
    assert done.returncode == 0, done.stderr


def test_a_table_of_polars_is_read_as_that_of_pandas():
    polars = pytest.importorskip("polars")
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"a": rng.normal(size=90), "k": rng.choice(["x", "y"], 90)})
    table = polars.DataFrame(frame.to_dict("list"))
    got = AnomalyDetector("pca").fit(table)
    wanted = AnomalyDetector("pca").fit(frame)
    assert list(got.feature_names_in_) == ["a", "k"]
    np.testing.assert_array_equal(got.score_samples(table), wanted.score_samples(frame))


def test_two_columns_of_one_name_and_parameters_that_are_none():
    frame = pd.DataFrame(np.eye(4), columns=["a", "b", "a", "c"])
    with pytest.raises(EstimatorError, match="two columns have the name 'a'"):
        AnomalyDetector("pca").fit(frame)
    with pytest.raises(EstimatorError, match="params must be a dictionary or None; got 3"):
        AnomalyDetector("pca", params=3).fit(np.eye(4))


def test_where_scikit_learn_is_not_installed():
    code = "import sys\nsys.modules['sklearn'] = None\nimport aetool.sklearn"
    done = fresh(code)
    assert "ImportError: aetool.sklearn needs scikit-learn: pip install 'aetool[sklearn]'" in (
        done.stderr
    )
