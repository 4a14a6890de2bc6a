"""A model travels: pickled, copied, to other processes, through open files; and shows itself."""

import concurrent.futures
import copy
import inspect
import io
import json
import multiprocessing
import os
import pickle
import pickletools

import numpy as np
import pandas as pd
import pytest

import aetool
from aetool import operations
from aetool.csv.dialect import OPTIONS
from aetool.errors import BundleError, DataError, ParamError
from aetool.testing import pictures
from tests.conftest import fresh

ROWS = 300


def correlated(rows=ROWS):
    rng = np.random.default_rng(0)
    a = rng.normal(size=rows)
    frame = pd.DataFrame({"a": a, "b": 2 * a + 0.1 * rng.normal(size=rows)})
    frame["kind"] = np.where(a > 0, "x", "y")
    return frame.round(3)


@pytest.fixture(scope="module")
def frame():
    return correlated()


@pytest.fixture(scope="module")
def model(frame):
    """One that has been used: its sessions run."""
    used = aetool.fit(frame, "pca")
    used.score(frame)
    return used


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickled(model, frame, protocol):
    there = pickle.loads(pickle.dumps(model, protocol))
    assert type(there) is aetool.Bundle and there.name == model.name
    assert there.to_bytes() == model.to_bytes()
    assert np.array_equal(there.score(frame), model.score(frame))


def test_a_pickle_holds_the_bytes_of_the_file_and_no_more(model):
    content = pickle.dumps(model)
    named = {
        argument
        for code, argument, _ in pickletools.genops(content)
        if code.name in ("SHORT_BINUNICODE", "BINUNICODE", "GLOBAL")
    }
    assert named == {"aetool.bundle", "_arrived", "aetool.api", "Bundle", model.name}
    assert len(content) < len(model.to_bytes()) + 200
    place = content.index(b'"threshold"') if b'"threshold"' in content else len(content) // 2
    damaged = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
    with pytest.raises(BundleError):
        pickle.loads(damaged)


def test_copied(model, frame):
    for twin in (copy.deepcopy(model), copy.copy(model)):
        assert twin is not model and twin.to_bytes() == model.to_bytes()
        assert np.array_equal(twin.score(frame), model.score(frame))


def test_dumped_by_joblib(model, frame, tmp_path):
    joblib = pytest.importorskip("joblib")
    joblib.dump(model, tmp_path / "m.joblib")
    there = joblib.load(tmp_path / "m.joblib")
    assert np.array_equal(there.score(frame), model.score(frame))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
# a server of forks begins with an interpreter anew, as `spawn` does
@pytest.mark.parametrize(
    "way",
    [
        pytest.param(way, marks=pytest.mark.long if way == "forkserver" else ())
        for way in multiprocessing.get_all_start_methods()
    ],
)
def test_a_pool_of_two_processes(model, frame, way):
    context = multiprocessing.get_context(way)
    parts = [frame[:100], frame[100:200], frame[200:]]
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        scores = np.concatenate(list(pool.map(model.score, parts)))
    assert np.array_equal(scores, model.score(frame))


FORKED = """
import os, sys, warnings
import onnxruntime
warnings.simplefilter("ignore", DeprecationWarning)
options = onnxruntime.SessionOptions
def with_threads():
    chosen = options()
    chosen.intra_op_num_threads = 4
    return chosen
onnxruntime.SessionOptions = with_threads
import aetool
model = aetool.load(sys.argv[1])
scores = model.score(sys.argv[2])
for use in (True, False):
    child = os.fork()
    if not child:
        if use and not (model.score(sys.argv[2]) == scores).all():
            sys.exit(1)
        sys.exit(0)  # everything is freed on this way out
    print(os.waitpid(child, 0)[1])
print((model.score(sys.argv[2]) == scores).all())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_uses_the_model_and_ends(pca, rows_csv):
    """Threads do not come along: a session of the parent must be neither run nor freed."""
    code = "import aetool\n" + FORKED  # first, as it switches off a thread of ONNX Runtime's own
    done = fresh(code, str(pca), str(rows_csv))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["0", "0", "True"]


def test_onnx_runtime_tells_its_makers_nothing():
    code = "import aetool, os\nprint(os.environ['ORT_DISABLE_TELEMETRY'])"
    assert fresh(code).stdout == "1\n"


def test_through_open_files_and_bytes(model, tmp_path):
    with (tmp_path / "m.aem").open("wb") as file:
        assert model.save(file) is None
    assert (tmp_path / "m.aem").read_bytes() == model.to_bytes()
    memory = io.BytesIO()
    model.save(memory)
    memory.seek(0)
    with (tmp_path / "m.aem").open("rb") as file:
        for there in (aetool.load(file), aetool.load(memory), aetool.load(memory.getvalue())):
            assert there.to_bytes() == model.to_bytes()
    assert aetool.load(tmp_path / "m.aem").name == str(tmp_path / "m.aem")


def test_open_files_of_text_and_damaged_bytes_are_refused(model, tmp_path):
    with pytest.raises(ParamError, match="save: the file takes text; open it for bytes"):
        model.save(io.StringIO())
    with pytest.raises(ParamError, match="load: the file gives text; open it for bytes"):
        aetool.load(io.StringIO("PK"))
    with pytest.raises(BundleError, match="model: damaged, or no model"):
        aetool.load(b"a,b\n1,2\n")
    with pytest.raises(BundleError, match="damaged"):
        aetool.load(io.BytesIO(model.to_bytes()[:-1]))
    with pytest.raises(ParamError, match="load: path must be a path"):
        aetool.load(5)


def test_what_a_model_says_of_itself(model):
    assert repr(model) == (
        f"<aetool model: plugin pca; of a table of 3 columns; fitted on 300 records; "
        f"code of {model.latent}; threshold {model.threshold:.4g} bits>"
    )
    page = model._repr_html_()
    assert "<td>kind</td><td>2 levels: " in page and len(page) < 2000
    assert model.threshold == model.calibration.threshold()
    assert list(model.feature_names_in_) == ["a", "b", "kind"]


def test_what_a_model_of_pictures_says(tmp_path):
    np.save(tmp_path / "p.npy", pictures(60)[:, 0])
    model = aetool.fit(tmp_path / "p.npy", "pca", latent=3)
    assert "of pictures of 8 x 8, 1 channel;" in repr(model) and "8 x 8" in model._repr_html_()
    with pytest.raises(AttributeError, match="pictures"):
        _ = model.feature_names_in_
    with pytest.raises(DataError, match="pictures have no columns to explain"):
        model.explain(tmp_path / "p.npy")


def test_cells_of_a_notebook_are_text():
    hostile = "<script>alert(1)</script>"
    rng = np.random.default_rng(0)
    many = {f"{hostile}{i}": rng.normal(size=50).round(3) for i in range(30)}
    model = aetool.fit(pd.DataFrame(many), "pca")
    page = model._repr_html_()
    assert "<script>" not in page and "&lt;script&gt;alert(1)" in page
    assert "and 10 more" in page and len(repr(model)) < 200


def test_a_detection_shows_its_anomalies(model, frame):
    odd = frame.copy()
    odd.loc[7, "b"] = 99.0
    found = operations.detect(odd, model, all_rows=True)
    assert repr(found).startswith(f"<aetool detection: {found.flagged} of 300 records flagged (")
    page = found._repr_html_()
    assert "<td>8</td>" in page and "b=99" in page
    assert page.count("<tr>") == 1 + found.flagged


def test_explain_one_record(model, frame):
    row = frame.iloc[7].to_dict()
    row["b"] = 99.0
    told = model.explain(row)
    assert list(told) == ["column", "found", "expected", "surprise", "named"]
    assert sorted(told["column"]) == ["a", "b", "kind"] and told["column"][0] == "b"
    assert told["found"][0] == "99" and told["named"][0]
    assert float(told["expected"][0]) == pytest.approx(frame["b"][7], abs=0.5)
    rest = told["surprise"][~told["named"]]
    assert (rest.diff().dropna() <= 0).all()
    one = frame.iloc[[7]].assign(b=99.0)
    assert told.attrs["score"] == model.score(one)[0] > told.attrs["threshold"] == model.threshold
    assert told.attrs["anomaly"] and 0 < told.attrs["p"] < 0.01
    for same in (pd.Series(row), one):
        pd.testing.assert_frame_equal(model.explain(same), told)
    assert not model.explain(frame.iloc[7]).attrs["anomaly"]


def test_explain_takes_one_record(model, frame):
    with pytest.raises(DataError, match="explain takes one record; there are 300"):
        model.explain(frame)
    with pytest.raises(DataError, match="column 'b' is missing"):
        model.explain({"a": 1.0, "kind": "x"})
    with pytest.raises(DataError, match="explain: data must be"):
        model.explain(5)


def test_explain_with_the_rows_before():
    moving = pd.DataFrame({"level": np.sin(np.arange(400) / 20).round(3)})
    model = aetool.fit(moving, "pca", context=3)
    told = model.explain(moving[100:120])
    jumped = moving[100:120].copy()
    jumped.iloc[-1] += 0.5
    assert model.explain(jumped).attrs["score"] > 20 + told.attrs["score"]


def test_evaluate(frame, model):
    odd = pd.concat([frame, frame.assign(b=-frame["b"])]).reset_index(drop=True)
    odd["label"] = np.repeat(["ok", "bad"], ROWS)
    figures = model.evaluate(odd, "label", "ok")
    assert figures == model.evaluate(odd, "label", ["ok"])
    assert figures["anomalies"] == ROWS and figures["auroc"] > 0.9
    truth = (odd["label"] == "bad").to_numpy()
    flagged = model.score(odd) > model.threshold
    assert figures["recall"] == pytest.approx(flagged[truth].mean())
    with pytest.raises(ParamError, match="evaluate: label must be a text"):
        model.evaluate(odd, 5, "ok")
    with pytest.raises(ParamError, match="evaluate: normal must be a list of texts"):
        model.evaluate(odd, "label", [1])


def test_fit_names_all_that_it_takes():
    taken = inspect.signature(aetool.fit).parameters
    named = {n for n, one in taken.items() if one.kind is inspect.Parameter.KEYWORD_ONLY}
    fields = inspect.signature(operations.FitOptions).parameters
    of_the_call = {"progress", "checkpoint", "executor"}
    assert named == set(fields) - {"plugin", "params"} | set(OPTIONS) | of_the_call
    # a bound is taken as compress takes it, and handed on by column
    wider = {
        "max_error": str(inspect.signature(aetool.compress).parameters["max_error"].annotation)
    }
    for name in named & set(fields):
        ours, theirs = taken[name].default, fields[name].default
        assert ours is None or ours == theirs, name
        assert str(taken[name].annotation).removesuffix(" | None") in (
            wider.get(name, str(fields[name].annotation)).removesuffix(" | None"), "Data",
        )  # fmt: skip
        assert name in aetool.fit.__doc__


def test_what_fit_is_told_is_what_it_does(frame, tmp_path):
    frame.assign(label="ok").to_csv(tmp_path / "t.csv", index=False, sep=";")
    model = aetool.fit(
        tmp_path / "t.csv", "pca", delimiter=";", drop=["kind"], label="label", normal=["ok"],
        types={"a": "category"}, seed=3, latent=1,
    )  # fmt: skip
    kinds = {c.name: c.kind for c in model.schema.columns}
    assert kinds == {"a": "category", "b": "number", "kind": "skip"}
    assert model.facts["seed"] == 3 and model.params["latent"] == 1


@pytest.mark.parametrize(("plugin", "options"), [
    ("pca", {}), ("auto", {}),
    # a network and its export
    pytest.param("ae", {"epochs": 3, "depth": 0}, marks=pytest.mark.long),
    pytest.param("auto", {"max_time": 99.0, "epochs": 2}, marks=pytest.mark.long),
])  # fmt: skip
def test_progress_is_told_step_by_step(frame, plugin, options):
    told = []
    model = aetool.fit(frame, plugin, progress=lambda *state: told.append(state), **options)
    steps, totals, words = zip(*told, strict=True)
    assert len(set(totals)) == 1 and list(steps) == sorted(steps) and steps[-1] <= totals[0]
    assert all(isinstance(one, str) and one for one in words)
    members = json.loads(json.dumps(model.facts)).get("members", [])
    assert all(any(word.startswith(name) for word in words) for name in members)
