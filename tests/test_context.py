"""The rows before a row: laid beside it, over batches and groups, and of use."""

import json

import numpy as np
import pandas as pd
import pytest

from aetool import bundle as bundles
from aetool import operations, plugins
from aetool.closed_form import ClosedForm
from aetool.columns import layout
from aetool.columns.history import History
from aetool.data.sources import open_source
from aetool.fits import preparing
from aetool.operations import FitOptions
from tests.conftest import built_ins
from tests.sweeps import one_in


def waves(rows=600, seed=0):
    """A wave that each row continues, in two groups that take turns, and a number that follows it."""
    rng = np.random.default_rng(seed)
    half = rows // 2
    wave = np.stack([np.sin(np.arange(half) / 7), np.cos(np.arange(half) / 11)], axis=1).ravel()
    a = wave + 0.01 * rng.standard_normal(rows)
    return pd.DataFrame(
        {
            "when": np.arange(rows) // 2,
            "unit": ["u", "v"] * half,
            "a": a.round(4),
            "b": (2 * a + 0.3 * rng.standard_normal(rows)).round(3),
            "c": rng.standard_normal(rows).round(2),
        }
    )


OPTIONS = {"context": 2, "group": "unit"}
NETS = {
    name: plugins.resolve(plugins.get_model(name).net)
    for name in built_ins()
    if plugins.get_model(name).net
}
CLOSED_FORMS = [
    n
    for n, net in NETS.items()
    if isinstance(net, type)
    and issubclass(net, ClosedForm)
    and "table" in plugins.get_model(n).data
]


@pytest.fixture(scope="module")
def table():
    return waves()


@pytest.fixture(scope="module")
def fitted(table):
    return operations.fit(table, FitOptions("pca", **OPTIONS))


def test_the_rows_before_are_those_of_the_group_whatever_the_batches(table, fitted):
    schema = fitted.schema
    source = open_source(table)
    whole = next(iter(source.batches()))
    X = schema.encode(whole, "t")
    columns = X.shape[1]
    expected = np.empty((len(X), 3 * columns))
    for i in range(len(X)):
        for k in range(3):
            # groups take turns, and the first row of each stands in for those before it
            before = i - 2 * k if i >= 2 * k else i % 2
            expected[i, k * columns : (k + 1) * columns] = X[before]
    for sizes in ([len(X)], [1] * len(X), [3, 1, 250, 2, len(X) - 256]):
        history, found, first = History(schema), [], 0
        for size in sizes:
            rows = slice(first, first + size)
            found.append(history.wide(X[rows], whole.take(rows)))
            first += size
        np.testing.assert_array_equal(np.concatenate(found), expected)


@pytest.mark.parametrize("plugin", one_in(2, CLOSED_FORMS))
def test_graphs_lay_context_as_features_are(plugin, table):
    frame = table.assign(b=table["b"].where(table.index % 9 > 0), d=["x", "y", "x"] * 200)
    made = operations.fit(frame, FitOptions(plugin, **OPTIONS))
    prepared = preparing.prepare(open_source(frame), FitOptions(plugin, **OPTIONS))
    spec = made.spec
    assert prepared.features.shape[1] == spec.features and spec.given > 0
    assert (spec.owners()[-spec.given :] == -1).all(), "the rows before are seen, not scored"
    laid = layout.table_features(made.schema, prepared.inputs)
    np.testing.assert_array_equal(laid, prepared.features)
    alone = operations.fit(frame, FitOptions(plugin))
    own = layout.table_features(alone.schema, prepared.inputs[:, : len(spec.columns)])
    np.testing.assert_array_equal(laid[:, : own.shape[1]], own)
    assert np.isfinite(operations.score(frame, made, "cpu")).all()


def test_what_the_rows_before_tell_makes_a_jump_surprising(table, fitted):
    odd = waves(seed=1)
    odd.loc[300, ["a", "b"]] = [-odd.loc[300, "a"], -odd.loc[300, "b"]]  # it agrees with itself
    assert abs(odd.loc[300, "a"]) > 0.5
    scores = operations.score(odd, fitted, "cpu")
    assert 300 in np.argsort(-scores)[:2]
    without = operations.score(odd, operations.fit(table, FitOptions("pca")), "cpu")
    assert (without > without[300]).mean() > 0.1, "alone it is quite usual"
    found = operations.detect(odd, fitted, top=1)
    assert found.named[0][0][0] in ("a", "b")


def test_scores_land_on_their_rows_whatever_the_order(table):
    made = operations.fit(table, FitOptions("pca", **OPTIONS, order="when"))
    shuffled = table.sample(frac=1.0, random_state=0)
    again = operations.fit(shuffled, FitOptions("pca", **OPTIONS, order="when"))
    assert again.graphs.keys() == made.graphs.keys()
    scores = operations.score(table, made, "cpu")
    np.testing.assert_array_equal(
        operations.score(shuffled, made, "cpu"), scores[shuffled.index.to_numpy()]
    )


def test_a_model_of_context_is_stored_exported_and_streams(table, tmp_path, run):
    path, model = tmp_path / "t.csv", tmp_path / "m.aem"
    table.to_csv(path, index=False)
    done = run("fit", path, "-p", "auto", "--context", 3, "--group", "unit", "-o", model)
    assert done.status == 0, done.err
    loaded = bundles.load(model)
    assert loaded.schema.context == 3 and loaded.schema.group == "unit"
    assert run("export", model, "-o", tmp_path / "onnx", "--verify").status == 0
    assert run("verify", model).status == 0
    alone = run("detect", path, "-m", model, "--all").out
    assert run("detect", path, "-m", model, "--all").out == alone
    one_shot = run("detect", path, "-p", "pca", "--context", 2, "--group", "unit", "--top", 3)
    assert one_shot.status == 0 and one_shot.out.count("\n") == 4
    refused = run("compress", path, "-m", model, "--lossy", "-o", tmp_path / "x.aez")
    assert refused.status == 2 and "has no code" in refused.err
    for args in (["encode", path, "-o", tmp_path / "z.csv"], ["denoise", path, "-o", tmp_path / "d.csv"],
                 ["sample", "-o", tmp_path / "s.csv"], ["similar", path, "--row", 1, "--in", path]):  # fmt: skip
        none = run(*args, "-m", model)
        assert none.status == 2 and none.err.count("\n") == 1, none.err
    about = json.loads((tmp_path / "onnx" / "model.json").read_text())
    assert about["context"]["rows"] == 3 and about["context"]["group"] == "unit"
    assert "context" in run("info", model).out


def test_context_that_cannot_be(table, tmp_path, run):
    path = tmp_path / "t.csv"
    table.to_csv(path, index=False)
    model = tmp_path / "m.aem"
    for args, words in (
        (["--group", "unit"], "give --context N"),
        (["--context", 2, "--group", "zz"], "no such column"),
        (["--context", 2, "--order", "unit"], "no such date or number"),
        (["--context", 999], "is not in the range"),
    ):
        done = run("fit", path, *args, "-o", model)
        assert done.status == 2 and words in done.err, done.err
        assert not model.exists()
    assert run("fit", path, "-p", "pca", "--context", 1, "--group", "unit", "-o", model).status == 0
    assert run("detect", path, "-m", model, "--context", 1).status == 2
    table.drop(columns="unit").to_csv(path, index=False)
    gone = run("detect", path, "-m", model)
    assert gone.status == 2 and "'unit'" in gone.err


def test_an_order_by_a_counter_says_how_it_is_one(tmp_path, run):
    """Whole numbers that rise in each group are taken for names of rows unless a type is given."""
    path, model = tmp_path / "t.csv", tmp_path / "m.aem"
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"t": np.tile(np.arange(700), 3), "unit": np.repeat(["a", "b", "c"], 700)})
    frame["v"] = rng.normal(size=len(frame)).round(3)
    frame.to_csv(path, index=False)
    asked = ("-p", "pca", "--context", 2, "--group", "unit", "--order", "t", "-o", model)
    refused = run("fit", path, *asked)
    assert refused.status == 2 and refused.err.count("\n") == 1
    assert "it is taken for identifier" in refused.err and "add --type t=number" in refused.err
    assert run("fit", path, *asked, "--type", "t=number").status == 0


def test_an_order_by_no_column_is_refused(fitted):
    told = {**fitted.schema.to_json(), "order": "zz"}
    with pytest.raises(ValueError, match="ordered by"):
        type(fitted.schema).from_json(told)


def test_fewer_rows_than_are_given_before_each():
    frame = pd.DataFrame({"v": [1.0, 2.0, 4.0]})
    made = operations.fit(frame, FitOptions("pca", context=5))
    X = made.schema.encode(open_source(frame).head(3), "frame")
    wide = History(made.schema).wide(X, open_source(frame).head(3))
    assert np.array_equal(wide, [[1, 1, 1, 1, 1, 1], [2, 1, 1, 1, 1, 1], [4, 2, 1, 1, 1, 1]])
    assert np.isfinite(operations.score(frame, made, "cpu")).all()


def climbing(seed: int) -> pd.DataFrame:
    """A number that goes up by small steps, far from its mean at either end."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(1, 0.5, 500)
    return pd.DataFrame({"level": (800 + steps.cumsum()).round(2)})


def test_the_first_rows_are_not_odd_for_having_none_before_them():
    frame = climbing(0)
    made = operations.fit(frame, FitOptions("pca", context=3))
    assert (operations.score(frame, made, "cpu")[:5] < made.threshold).all()
    # what differs from the row before is odd among the first, too
    frame.loc[2, "level"] += 200
    scores = operations.score(frame, made, "cpu")
    assert scores[2] > made.threshold > scores[1]
