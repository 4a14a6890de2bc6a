"""Graphs for other runtimes: what they give, by which threshold, and the same in float32 alone."""

import json
import math
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pandas as pd
import pytest
from onnx import TensorProto

from aetool import operations, pairs, plugins
from aetool.columns.column import ODD
from aetool.data.sources import open_source
from aetool.errors import BundleError, ParamError
from aetool.graphs import Graph
from aetool.operations import exporting
from aetool.testing import pictures
from tests.conftest import built_ins

ROWS = 300
CLOSE = 1e-4
QUICK = {
    "pca", "prototypes", "neighbours", "tails", "elm", "histogram", "dependence", "trees", "auto",
    "vae",
}  # fmt: skip
ALL = [pytest.param(n, marks=() if n in QUICK else pytest.mark.long) for n in built_ins()]


def mixed():
    """Dates, numbers behind a large constant, a heavy tail, categories, gaps."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=ROWS)
    frame = pd.DataFrame(
        {
            "plain": a.round(3),
            "behind": (1e6 + 3 * a).round(2),
            "heavy": np.exp(3 * a),
            "kind": np.where(a > 0, "x", "y"),
            "moment": pd.date_range("2024-01-01", periods=ROWS, freq="97min"),
        }
    )
    frame.loc[3, "behind"], frame.loc[5, "kind"] = np.nan, None
    return frame


def hostile(model):
    """What the graphs take of records with cells of no kind, infinities, and moments far out."""
    records = exporting.random_inputs(model)[:8].copy()
    records[:4, 0] = [ODD, np.inf, -np.inf, 1e300]
    records[4:7, -1] = [ODD, 1e11, -1e11]
    records[7] = np.nan
    return records


def encoded(model):
    """The records that were fitted, as the graphs take them."""
    (table,) = open_source(mixed()).batches()
    return model.schema.encode(table, "t")


def fit(data, plugin, **options):
    """A quick fit."""
    brief = {} if plugin in QUICK - {"vae"} else {"epochs": 1}
    return operations.fit(data, operations.FitOptions(plugin=plugin, **brief, **options))


def session(path):
    quiet = ort.SessionOptions()
    quiet.log_severity_level = 3
    return ort.InferenceSession(str(path), quiet, providers=["CPUExecutionProvider"])


def farthest(ours, theirs):
    return float((np.abs(ours - theirs) / np.maximum(1, np.abs(ours))).max())


def scores_of(model, records):
    return model.session("score.onnx", "cpu")(records)["parts"].sum(axis=1, dtype=np.float64)


def has_float64(path):
    graph = onnx.shape_inference.infer_shapes(onnx.load(path)).graph
    values = [*graph.value_info, *graph.input, *graph.output]
    kinds = {value.type.tensor_type.elem_type for value in values}
    kinds |= {constant.data_type for constant in graph.initializer}
    return TensorProto.DOUBLE in kinds


@pytest.fixture(scope="module")
def model():
    return fit(mixed(), "pca")


@pytest.fixture(scope="module", params=[False, True], ids=["float64", "float32"])
def exported(request, model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("graphs")
    operations.export(model, folder, float32=request.param)
    return folder


def test_the_score_comes_first_and_is_judged_by_the_threshold(model, exported):
    graph = session(exported / "score.onnx")
    names = [output.name for output in graph.get_outputs()]
    assert names[:5] == ["score", "anomaly", "parts", "surprise", "expected"]
    assert [o.name for o in graph.get_overridable_initializers()] == ["threshold"]
    records = np.concatenate([encoded(model), exporting.random_inputs(model)])
    inputs = exporting.inputs_of(exported / "score.onnx", records)
    score, anomaly, parts = graph.run(["score", "anomaly", "parts"], inputs)
    ours = scores_of(model, records)
    assert score.shape == anomaly.shape == (len(records),)
    assert farthest(ours, score) < 1e-6 and farthest(ours, parts.sum(axis=1)) < 1e-6
    assert np.array_equal(anomaly, ours > model.threshold) and 0 < anomaly.mean() < 1
    middle = np.array(np.median(score), score.dtype)
    (fewer,) = graph.run(["anomaly"], {**inputs, "threshold": middle})
    assert np.array_equal(fewer, score > middle)


@pytest.mark.parametrize("float32", [False, True], ids=["float64", "float32"])
@pytest.mark.parametrize("options", [{}, {"condition": ["kind"]}, {"context": 1}], ids=str)
def test_an_index_below_the_levels_is_a_gap_as_pandas_codes_it(tmp_path, options, float32):
    made = fit(mixed(), "pca", **options)
    operations.export(made, tmp_path, float32=float32)
    records = encoded(made)[:20]
    places = [n for n, column in enumerate(made.schema.modelled) if column.name == "kind"]
    if options.get("context"):
        width = records.shape[1]
        records = np.hstack([records, np.roll(records, 1, axis=0)])
        places += [place + width for place in places]
    # with context there is no encoder
    paths = [tmp_path / "score.onnx", *tmp_path.glob("encoder.onnx")]
    graphs = {path: session(path) for path in paths}

    def told(kind):
        """What the graphs give of the records with this index in the column of categories."""
        records[:, places] = kind
        given = []
        for path, graph in graphs.items():
            given += graph.run(None, exporting.inputs_of(path, records))
        return given

    gap, of_level = told(np.nan), told(0)
    for below in (-1, -2, -1e9):
        for one, other in zip(told(below), gap, strict=True):
            np.testing.assert_array_equal(one, other)
    assert not np.array_equal(gap[0], of_level[0])
    # other columns may be below 0, and a cell of no kind stays one
    assert not np.array_equal(told(ODD)[0], gap[0])
    beyond = told(2)
    for one, other in zip(told(7), beyond, strict=True):
        np.testing.assert_array_equal(one, other)
    assert (
        "below 0, as the codes of pandas: missing"
        in json.loads((tmp_path / "model.json").read_text())["input"]
    )


def test_a_folder_is_not_written_to_standard_output(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParamError, match="a folder cannot be written to standard output"):
        exporting.export(model, "-")
    assert not list(tmp_path.iterdir())


def test_the_graphs_say_what_they_are(model, exported):
    told = json.loads((exported / "model.json").read_text())
    for name in ("score", "encoder", "decoder"):
        props = {p.key: p.value for p in onnx.load(exported / f"{name}.onnx").metadata_props}
        assert props["aetool.sha256"] == told["sha256"] == model.sha256
        assert json.loads(props["aetool.columns"]) == told["columns"]
        assert props["aetool.unit"] == told["unit"] == "bits"
        assert float(props["aetool.threshold"]) == told["threshold"] == model.threshold
    assert [c["name"] for c in told["columns"]] == list(mixed())


def test_units_of_columns_are_told(tmp_path):
    rng = np.random.default_rng(0)
    power = rng.normal(5, 1, 300).round(1)
    frame = pd.DataFrame({"power": [f"{v} kWh" for v in power], "other": power})
    operations.export(fit(frame, "pca", types={"power": "number"}), tmp_path)
    told = json.loads((tmp_path / "model.json").read_text())
    assert told["columns"][0]["unit"] == "kWh"


# What `auto` joins of a table is exported with it: by themselves its members are of the long set.
WITH_AUTO = {"trees", "neighbours", "tails", "histogram", "dependence", "elm", "prototypes"}
OF_TABLES = [
    pytest.param(n, marks=() if n in QUICK - WITH_AUTO - {"vae"} else pytest.mark.long)
    for n in built_ins()
]


@pytest.mark.parametrize("plugin", OF_TABLES)
def test_tables_in_float32(plugin, tmp_path):
    if "table" not in plugins.get_model(plugin).data:
        pytest.skip(f"{plugin} is of pictures")
    made = fit(mixed(), plugin)
    operations.export(made, tmp_path, float32=True)
    assert not any(has_float64(path) for path in tmp_path.glob("*.onnx"))
    path = tmp_path / "score.onnx"
    graph = session(path)
    for records in (encoded(made), exporting.random_inputs(made), hostile(made)):
        (score,) = graph.run(["score"], exporting.inputs_of(path, records))
        assert farthest(scores_of(made, records), score) < CLOSE
    assert exporting.difference(made, tmp_path) < CLOSE


# of pictures `auto` joins what is exported by itself
@pytest.mark.parametrize(
    "plugin",
    [pytest.param(n, marks=() if n in QUICK - {"auto"} else pytest.mark.long) for n in built_ins()],
)
def test_pictures_in_float32(plugin, tmp_path):
    np.save(tmp_path / "p.npy", pictures(60)[:, 0])
    if "image" not in plugins.get_model(plugin).data:
        pytest.skip(f"{plugin} is of tables")
    made = fit(tmp_path / "p.npy", plugin)
    operations.export(made, tmp_path / "g", float32=True)
    assert not any(has_float64(path) for path in (tmp_path / "g").glob("*.onnx"))
    path = tmp_path / "g" / "score.onnx"
    (score,) = session(path).run(["score"], {"pixels": pictures(60)})
    assert farthest(scores_of(made, pictures(60)), score) < CLOSE
    assert exporting.difference(made, tmp_path / "g") < CLOSE


def test_codes_and_what_they_decode_to_in_float32(model, tmp_path):
    operations.export(model, tmp_path, float32=True)
    records = exporting.random_inputs(model)
    codes = model.session("encoder.onnx", "cpu")(records)["z"]
    encoder = session(tmp_path / "encoder.onnx")
    inputs = exporting.inputs_of(tmp_path / "encoder.onnx", records)
    np.testing.assert_allclose(encoder.run(["z"], inputs)[0], codes, atol=1e-4)
    wanted = model.session("decoder.onnx", "cpu")(codes)["x_hat"]
    high, low = session(tmp_path / "decoder.onnx").run(["x_hat", "x_hat_low"], {"z": codes})
    found = high.astype(np.float64) + low
    behind = list(mixed()).index("behind")
    np.testing.assert_allclose(found[:, behind], wanted[:, behind], atol=1e-4)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    assert np.abs(low[:, behind]).max() > 1e-3, "a float32 has no room for it"


def test_what_a_float32_has_room_for_is_one_input(tmp_path):
    rng = np.random.default_rng(0)
    rows = 600  # of fewer, every model is one of folds
    a = rng.normal(size=rows)
    plain = pd.DataFrame({"a": a, "b": (a + rng.normal(size=rows)).round(2)})
    made = fit(plain, "tails")
    assert not exporting.takes_low_part(made)
    assert exporting.takes_low_part(fit(plain.assign(b=1e5 + a), "tails"))
    assert exporting.takes_low_part(fit(plain, "pca")), "its folds are of the whole content"
    operations.export(made, tmp_path, float32=True)
    names = [value.name for value in session(tmp_path / "score.onnx").get_inputs()]
    assert names == ["x"] and exporting.difference(made, tmp_path) < CLOSE


def on_cuts(seed):
    """Decimals, of which many lie at the edges of cells, and a value a hair beside another."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=600)
    b = a + 0.3 * rng.normal(size=600)
    return pd.DataFrame(
        {
            "hundredths": (100 + a).round(2),
            "tenths": (300 + b).round(1),
            "few": rng.choice([0.1, 0.2, 0.30000001, 7.7], 600),
            "others": rng.choice([100.1, 100.2, 100.7], 600),
        }
    )


# values at a cut are hundreds in each table
@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=pytest.mark.long if seed else ()) for seed in range(3)]
)
@pytest.mark.parametrize("plugin", ["histogram", "dependence", "trees", "neighbours"])
def test_numbers_at_a_cut_lie_on_the_same_side_in_float32(plugin, seed, tmp_path):
    frame = on_cuts(seed)
    made = fit(frame, plugin)
    operations.export(made, tmp_path, float32=True)
    assert exporting.takes_low_part(made)
    (table,) = open_source(frame).batches()
    records = made.schema.encode(table, "t")
    path = tmp_path / "score.onnx"
    (score,) = session(path).run(["score"], exporting.inputs_of(path, records))
    assert farthest(scores_of(made, records), score) < CLOSE


def test_numbers_beyond_float32_are_refused_by_name(tmp_path, run):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=50) * 1e200, "b": rng.normal(size=50)})
    fit(frame, "pca").save(tmp_path / "m.aem")
    done = run("export", tmp_path / "m.aem", "-o", tmp_path / "g", "--float32")
    assert done.status == 2 and "has no room in float32" in done.err
    assert not list((tmp_path / "g").iterdir())


def test_verify_on_the_command_line(model, tmp_path, run):
    model.save(tmp_path / "m.aem")
    done = run("export", tmp_path / "m.aem", "-o", tmp_path / "g", "--float32", "--verify", "-q")
    assert done.status == 0, done.err
    assert float(done.out.splitlines()[0].split()[-1]) < CLOSE


def test_openvino_is_right_with_its_hint_alone(model, tmp_path):
    pytest.importorskip("openvino")
    operations.export(model, tmp_path, float32=True)
    found = exporting.openvino_differences(model, tmp_path)
    assert found[exporting.OPENVINO_HINT] < CLOSE


@pytest.mark.long
@pytest.mark.parametrize("float32", [False, True])
@pytest.mark.parametrize("plugin", ["pca", "auto", "vae"])
def test_onnxruntime_web(plugin, float32, tmp_path):
    """Under node, where the package is installed: NODE_PATH says where."""
    node = shutil.which("node")
    look = ["node", "-e", "require.resolve('onnxruntime-web')"]
    if node is None or subprocess.run(look, capture_output=True, check=False).returncode:
        pytest.skip("onnxruntime-web is not installed")
    made = fit(mixed(), plugin)
    operations.export(made, tmp_path, float32=float32)
    records = exporting.random_inputs(made)
    inputs = {}
    for name, values in exporting.inputs_of(tmp_path / "score.onnx", records).items():
        plain = [None if math.isnan(value) else value for value in values.ravel().tolist()]
        inputs[name] = {"type": str(values.dtype), "sizes": values.shape, "values": plain}
    (tmp_path / "inputs.json").write_text(json.dumps(inputs))
    script = Path(__file__).parent / "web.cjs"
    done = subprocess.run(
        [node, script, tmp_path / "score.onnx", tmp_path / "inputs.json"],
        capture_output=True, text=True, check=False, env=os.environ,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    ours = scores_of(made, records)
    assert farthest(ours, np.array(results["score"])) < CLOSE
    assert np.array_equal(np.array(results["anomaly"], bool), ours > made.threshold)


def in_pairs(build, *arrays):
    """(what a graph of float64 gives, what that in pairs gives) for arrays that pairs hold."""
    g = Graph()
    names = [g.input(f"x{i}", TensorProto.DOUBLE, [x.shape[1]]) for i, x in enumerate(arrays)]
    result = build(g, *names)
    g.output("y", result, TensorProto.DOUBLE, [g.shape_of(result)[1]])
    wide = g.build("wide")
    (wanted,) = ort.InferenceSession(wide).run(["y"], dict(zip(names, arrays, strict=True)))
    feeds = {}
    for name, values in zip(names, arrays, strict=True):
        feeds[name], feeds[name + pairs.LOW] = pairs.parts_of(values)
    quiet = ort.SessionOptions()
    quiet.log_severity_level = 3
    narrow = ort.InferenceSession(pairs.narrowed(wide, "wide", True), quiet)
    high, low = narrow.run(["y", "y_low"], feeds)
    return wanted, high.astype(np.float64) + low


def numbers(seed, rows=200, width=5):
    """Of many sizes and both signs, with 48 bits."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, width)) * 10.0 ** rng.integers(-3, 8, (rows, width))
    high, low = pairs.parts_of(values)
    return high.astype(np.float64) + low


SPECIAL = np.array([[np.nan], [np.inf], [-np.inf], [0.0], [1.5], [-2.0]])


@pytest.mark.parametrize("kind", ["Add", "Sub", "Mul", "Div", "Max", "Min"])
def test_two_numbers_in_pairs(kind):
    wanted, found = in_pairs(lambda g, a, b: g.op(kind, a, b), numbers(0), numbers(1))
    np.testing.assert_allclose(found, wanted, rtol=1e-13)
    wanted, found = in_pairs(lambda g, a: g.op(kind, a, g.exact(2.5)), SPECIAL)
    np.testing.assert_allclose(found, wanted, rtol=1e-13)


@pytest.mark.parametrize(("kind", "bound"), [
    ("Sqrt", 1e-13), ("Log", 1e-9), ("Floor", 0), ("Neg", 0), ("Abs", 0), ("Sign", 0),
])  # fmt: skip
def test_one_number_in_pairs(kind, bound):
    values = np.abs(numbers(0)) if kind in ("Sqrt", "Log") else numbers(0)
    wanted, found = in_pairs(lambda g, a: g.op(kind, a), values)
    np.testing.assert_allclose(found, wanted, rtol=bound, atol=1e-11 if bound else 0)
    special = SPECIAL if kind not in ("Sqrt", "Log") else np.abs(SPECIAL)
    wanted, found = in_pairs(lambda g, a: g.op(kind, a), special)
    np.testing.assert_allclose(found, wanted, rtol=bound, atol=1e-11 if bound else 0)


@pytest.mark.parametrize("width", [1, 2, 5, 64])
def test_a_sum_over_a_row_keeps_its_fraction(width):
    """As folds take it: of what is counted in thousands the fraction decides."""
    weight = 1009 * (1 + np.random.default_rng(2).random((width, 4)))
    values = np.random.default_rng(3).normal(size=(100, width)).astype(np.float32)

    def fraction(g, x):
        turns = g.op("MatMul", x, g.exact(weight))
        return g.op("Sub", turns, g.op("Floor", turns))

    wanted, found = in_pairs(fraction, values.astype(np.float64))
    np.testing.assert_allclose(found, wanted, atol=1e-8)


def test_what_is_compared_in_pairs():
    a = np.array([[1.7e9 + 0.25], [1.7e9 + 0.5], [np.nan], [ODD], [5.0]])
    for kind in ("Less", "Greater", "LessOrEqual", "GreaterOrEqual", "Equal"):
        for limit in (1.7e9 + 0.25, ODD, 5.0):
            wanted, found = in_pairs(
                lambda g, x: g.op(
                    "Where", g.op(kind, x, g.exact(limit)), g.exact(1.0), g.exact(0.0)
                ),
                a,
            )
            assert np.array_equal(wanted, found), (kind, limit)


def test_operators_that_are_not_known_are_refused():
    with pytest.raises(BundleError, match="wide: Tanh of float64 is not known in float32"):
        in_pairs(lambda g, a: g.op("Tanh", a), numbers(0))


@pytest.mark.parametrize("bounds", [[0.5], ["", 0.5]])
def test_a_clip_without_both_bounds_is_refused(bounds):
    def clipped(g, a):
        return g.op("Clip", a, *(bound and g.exact(bound) for bound in bounds))

    with pytest.raises(BundleError, match="wide: Clip of float64 without both bounds"):
        in_pairs(clipped, numbers(0))
