"""Models that learn from known anomalies, too: what labels tell the loss, and nothing else."""

import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

import aetool
from aetool import operations, plugins
from aetool.data.sources import open_source
from aetool.fits import preparing
from aetool.model import Model, NetParams
from aetool.nn import AutoEncoder
from aetool.operations import FitOptions

sys.path.insert(0, str(Path(__file__).parent / "thirdparty"))
from aetool_thirdparty import aetool_models

STRANGERS = {model.name: model for model in aetool_models()}
DRY_RUN = 32  # rows at most, made up, that a network is tried on before its training
LABELLED = {"label": "state", "normal": ["good"]}


class Noting(AutoEncoder):
    """Notes what it is told of rows, and which rows it is shown beside its training."""

    told: ClassVar[list] = []
    shown: ClassVar[list] = []

    def loss(self, x, rng, labels):
        self.told.append((x.detach().clone(), labels.clone()))
        return super().loss(x, rng)

    def start(self, x):
        self.shown.append(x.clone())
        super().start(x)

    def begin(self, batches):
        self.shown += [x.clone() for x in batches]

    def finish(self, batches):
        self.shown += [x.clone() for x in batches]


NOTING = Model("noting", "notes", f"{__name__}:Noting", NetParams)


def sensors(rows=900, seed=0, bad=0.06):
    """Four numbers on a plane; what is bad lies on it too, but where little else does."""
    rng = np.random.default_rng(seed)
    state = np.where(rng.random(rows) < bad, "bad", "good")
    z = rng.normal(size=(rows, 2))
    z[state == "bad"] = [1.6, -1.6] + 0.1 * z[state == "bad"]
    x = z @ np.array([[1.0, 0.5, -0.5, 0.2], [0.3, -1.0, 0.4, 0.8]])
    x += 0.05 * rng.normal(size=x.shape)
    return pd.DataFrame(x.round(4), columns=list("abcd")).assign(state=state)


@pytest.fixture(autouse=True)
def cleared():
    Noting.told.clear()
    Noting.shown.clear()


def test_labels_are_of_their_rows_and_anomalies_come_to_the_loss_alone():
    table = sensors()
    table.loc[table.index % 10 == 0, "state"] = None
    options = FitOptions(NOTING, epochs=3, **LABELLED, device="cpu")
    made = operations.fit(table, options)
    wanted = table["state"].map({"good": 1.0, "bad": -1.0}).fillna(0.0).to_numpy()
    features = preparing.prepare(open_source(table), options, True).features
    known = {row.tobytes(): label for row, label in zip(features, wanted, strict=True)}
    seen = set()
    for x, labels in Noting.told:
        if len(x) > DRY_RUN:
            assert [known[row.numpy().tobytes()] for row in x] == labels.tolist()
            seen |= {*labels.tolist()}
    assert seen == {-1.0, 0.0, 1.0}
    shown = [known[row.numpy().tobytes()] for x in Noting.shown if len(x) > DRY_RUN for row in x]
    assert len(shown) > 3 * 700 and {*shown} == {0.0, 1.0}
    assert made.facts["labelled"] == {
        "ordinary": int((wanted > 0).sum()),
        "anomalies": int((wanted < 0).sum()),
        "unknown": int((wanted == 0).sum()),
    }


def test_anomalies_move_neither_scales_nor_thresholds():
    """A bad row of 1e6 is not among those that columns, and scores, are calibrated by."""
    table = sensors()
    table.loc[table["state"] == "bad", "a"] = 1e6
    good = table[table["state"] == "good"]
    options = FitOptions(NOTING, epochs=2, **LABELLED, device="cpu")
    made = operations.fit(table, options)
    assert made.schema["a"].high == good["a"].max()
    assert made.calibration.rows == pytest.approx(0.1 * len(good), abs=15)
    assert made.calibration.scores.max() < 1000


def test_a_model_without_labels_is_fitted_on_the_ordinary_rows_alone():
    table = sensors()
    good = table[table["state"] == "good"].drop(columns="state")
    made = operations.fit(table, FitOptions("pca", **LABELLED, device="cpu"))
    assert made.graphs == operations.fit(good, FitOptions("pca", device="cpu")).graphs
    assert not preparing.learns_from_labels(plugins.get_model("ae"))
    assert not preparing.learns_from_labels(plugins.get_model("auto"))


# two networks of 250 epochs; what labels do to a fit is in the other tests, too
@pytest.mark.long
def test_known_anomalies_teach_a_sphere_what_is_none_of_its():
    """Ones like them are found that are usual to a model that is not told."""
    table, fresh = sensors(seed=1), sensors(seed=2)
    options = {"epochs": 250, "seed": 1, "device": "cpu", "params": {"latent": 2, "push": 50.0}}
    told = operations.fit(table, FitOptions(STRANGERS["sad"], **LABELLED, **options))
    blind = operations.fit(table.drop(columns="state"), FitOptions(STRANGERS["sad"], **options))
    areas = []
    for made in (told, blind):
        areas.append(operations.evaluate(fresh, made, "state", ["good"], "cpu")["auroc"])
    assert areas[0] > 0.92 and areas[1] < 0.8, areas


# two networks with more options; labels alone are of the fast set
@pytest.mark.long
def test_labels_go_with_rows_before_and_with_a_robust_fit():
    table = sensors(300)
    for more in ({"context": 2}, {"robust": True}):
        Noting.told.clear()
        options = FitOptions(NOTING, epochs=1, **LABELLED, **more, device="cpu")
        operations.fit(table, options)
        assert any((labels < 0).any() for x, labels in Noting.told if len(x) > DRY_RUN)


@pytest.mark.parametrize("kind", ["int64", "float64"])
def test_numbers_as_labels_keep_all_their_digits(kind):
    table = pd.DataFrame({"x": np.arange(40.0) ** 2, "batch": [1234567, 1234568] * 20})
    table["batch"] = table["batch"].astype(kind)
    source = open_source(table)
    texts = preparing.labels(source.head(), "batch", "the table")
    assert texts[:2].tolist() == ["1234567", "1234568"]
    options = FitOptions("pca", label="batch", normal=["1234567"])
    assert operations.fit(table, options).facts["fitted_rows"] == 20


def test_fractions_as_labels_are_as_they_are_typed():
    table = pd.DataFrame({"dose": [0.5, 2.0, 1e-7, 0.1 + 0.2]})
    texts = preparing.labels(open_source(table).head(), "dose", "the table")
    assert texts.tolist() == ["0.5", "2", "1e-07", "0.30000000000000004"]


def test_labels_that_the_model_judges_by_are_told(tmp_path, run, caplog):
    data, target = tmp_path / "t.csv", tmp_path / "m.aem"
    sensors().to_csv(data, index=False)
    of_labels = "--label", "state", "--normal", "good"
    said = (
        f"{data}: the labels, column 'state', are among what the model was fitted on and judges "
        "by, so these figures say nothing of how well it finds records without labels; fit again "
        "with --label state, or --drop state, and judge that model\n"
    )
    assert run("fit", data, "-p", "pca", "-o", target).status == 0
    assert run("evaluate", data, "-m", target, *of_labels).err == f"note: {said}"
    assert f"note: {said}" in run("report", target, data, *of_labels).err
    assert "judges by" not in run("report", target, data, "-f").err
    # in Python it is a warning
    caplog.clear()
    aetool.load(target).evaluate(data, "state", "good")
    (record,) = caplog.records
    assert record.levelname == "WARNING" and "label state, or drop state" in record.getMessage()
    for ways in (["--label", "state"], ["--drop", "state"]):
        assert run("fit", data, "-p", "pca", *ways, "-o", target, "-f").status == 0
        assert "judges by" not in run("evaluate", data, "-m", target, *of_labels).err
    assert "judges by" not in run("evaluate", data, "-p", "pca", *of_labels).err


def test_the_rows_that_were_fitted_are_told_everywhere(tmp_path, run):
    data, target = tmp_path / "t.csv", tmp_path / "m.aem"
    frame = sensors()
    frame.to_csv(data, index=False)
    good = int((frame.state == "good").sum())
    of_labels = "--label", "state", "--normal", "good"
    done = run("fit", data, "-p", "pca", *of_labels, "-o", target)
    assert f"900 rows ({good} of them fitted)" in done.err
    assert run("info", target).out.count(f"fitted on        {good} of 900 records\n") == 1
    assert f"fitted on {good} of 900 records" in repr(aetool.load(target))
    assert run("report", target, data, "-o", tmp_path / "r.html").status == 0
    assert f"scored by m.aem (pca), fitted on {good} of 900" in (tmp_path / "r.html").read_text()
    assert run("fit", data, "-p", "pca", "-o", target, "-f").status == 0
    assert "fitted on        900 records\n" in run("info", target).out
    assert run("report", target, data, "-o", tmp_path / "r.html", "-f").status == 0
    assert "scored by m.aem (pca), fitted on 900" in (tmp_path / "r.html").read_text()


def test_a_label_without_what_is_normal_is_told_of(tmp_path, run):
    data, target = tmp_path / "t.csv", tmp_path / "m.aem"
    sensors().to_csv(data, index=False)
    said = (
        "note: the rows were fitted whatever their state, which the model does not see; "
        "--normal VALUE[,VALUE] fits those rows alone that have such a label\n"
    )
    fit = "fit", data, "-p", "pca", "-o", target, "-f"
    assert said in run(*fit, "--label", "state").err
    for options in ([], ["--label", "state", "--normal", "good"], ["--label", "state", "-q"]):
        assert "whatever their" not in run(*fit, *options).err
    done = run(*fit, "--label", "stat")
    assert done.status == 2 and done.err.endswith(
        f"no label column 'stat' in {data}; it has a, b, c, d, state; did you mean 'state'?\n"
    )
