"""A bundle is exactly what was saved, and carries nothing that could harm."""

import copy
import io
import zipfile

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper

from aetool import bundle as bundles
from aetool import operations, runtime
from aetool.canonical import canonical, parse_canonical
from aetool.errors import AetoolError, BundleError, DataError


def score(bundle):
    x = np.zeros((3, len(bundle.spec.columns)))
    return bundle.session("score.onnx", "cpu")(x)["parts"]


def test_save_and_load(loaded, tmp_path):
    path = loaded.save(tmp_path / "m.aem")
    again = bundles.load(path)
    assert again.sha256 == loaded.sha256 and again.schema == loaded.schema
    np.testing.assert_array_equal(score(again), score(loaded))
    with pytest.raises(DataError, match="exists already"):
        loaded.save(path)


def test_a_graph_for_few_rows_gives_what_it_gives_otherwise(pca, monkeypatch):
    """It is started as it stands, and so in half the time; one for many, or for nobody knows how
    many, is simplified first."""
    rows = 5
    started = []
    real = onnxruntime.InferenceSession
    monkeypatch.setattr(
        onnxruntime,
        "InferenceSession",
        lambda graph, options, **more: (
            started.append(options.graph_optimization_level) or real(graph, options, **more)
        ),
    )
    x = np.zeros((rows, len(bundles.load(pca).spec.columns)))
    results = []
    for asked in (rows, 1 << 20, None):
        session = bundles.load(pca).session("score.onnx", "cpu", asked)
        results.append(session(x)["parts"])
    levels = onnxruntime.GraphOptimizationLevel
    simplified = levels.ORT_ENABLE_BASIC
    assert started == [levels.ORT_DISABLE_ALL, simplified, simplified]
    for parts in results[:2]:
        np.testing.assert_allclose(parts, results[2], rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The bytes of the smallest bundle."""
    path = tmp_path_factory.mktemp("tiny") / "t.csv"
    path.write_text("a\n1\n2\n2\n")
    return operations.fit(path).to_bytes()


# each byte is a reading: the fast set has one in five, of each section
@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.long)])
def test_every_flipped_byte_and_every_cut_is_detected(tiny, every):
    for i in range(0, len(tiny), every):
        bad = bytearray(tiny)
        bad[i] ^= 1 << (i % 8)
        with pytest.raises(BundleError):
            bundles.from_bytes(bytes(bad), "bad.aem")
    for cut in range(0, len(tiny), every):
        with pytest.raises(BundleError):
            bundles.from_bytes(tiny[:cut], "bad.aem")
    with pytest.raises(BundleError):
        bundles.from_bytes(tiny + b"\0", "bad.aem")


def repack(data, edit):
    """The zip with its members changed by edit(dict)."""
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        members = {i.filename: z.read(i) for i in z.infolist()}
    edit(members)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, content in members.items():
            z.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
    return out.getvalue()


@pytest.mark.parametrize("name", ["evil.py", "../../x", "members/0/extra.onnx", "/etc/passwd"])
def test_unknown_members_are_refused(tiny, name):
    with pytest.raises(BundleError, match="unknown member"):
        bundles.from_bytes(repack(tiny, lambda m: m.update({name: b"x"})), "bad.aem")


def graph(nodes, constants=(), shape=("batch", 2), opset=20, **extra):
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    made = helper.make_graph(nodes, "g", [x], [y], list(constants))
    model = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", opset)], ir_version=9, **extra
    )
    return model


def external():
    constant = numpy_helper.from_array(np.zeros(2, np.float32), "c")
    constant.ClearField("raw_data")
    constant.data_location = TensorProto.EXTERNAL
    entry = constant.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"
    return graph([helper.make_node("Add", ["x", "c"], ["y"])], [constant])


def branch():
    body = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["z"])], "b", [],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)],
    )  # fmt: skip
    yes = numpy_helper.from_array(np.array(True), "yes")
    return graph(
        [helper.make_node("If", ["yes"], ["y"], then_branch=body, else_branch=body)], [yes]
    )


def hidden_subgraph():
    model = graph([helper.make_node("Relu", ["x"], ["y"])])
    inner = helper.make_graph([], "b", [], [])
    model.graph.node[0].attribute.append(helper.make_attribute("body", inner))
    return model


def huge_by_broadcast():
    one = numpy_helper.from_array(np.zeros((40_000, 1), np.float32), "a")
    two = numpy_helper.from_array(np.zeros((1, 40_000), np.float32), "b")
    return graph(
        [helper.make_node("Add", ["a", "b"], ["c"]), helper.make_node("Identity", ["c"], ["y"])],
        [one, two],
    )


def huge_constant():
    constant = onnx.TensorProto(name="c", data_type=TensorProto.FLOAT, dims=[1 << 40])
    return graph([helper.make_node("Add", ["x", "c"], ["y"])], [constant])


def huge_expand():
    shape = numpy_helper.from_array(np.array([1 << 20, 1 << 14, 2]), "s")
    return graph([helper.make_node("Expand", ["x", "s"], ["y"])], [shape])


def loop():
    return graph([helper.make_node("Loop", ["", "", "x"], ["y"])])


def other_domain():
    model = graph([helper.make_node("Relu", ["x"], ["y"], domain="com.microsoft")])
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return model


def function():
    f = helper.make_function("f", "F", ["a"], ["b"], [helper.make_node("Relu", ["a"], ["b"])],
                             [helper.make_opsetid("", 20)])  # fmt: skip
    return graph([helper.make_node("Relu", ["x"], ["y"])], functions=[f])


def sparse():
    model = graph([helper.make_node("Relu", ["x"], ["y"])])
    model.graph.sparse_initializer.add()
    return model


@pytest.mark.parametrize(
    "make",
    [external, branch, hidden_subgraph, huge_by_broadcast, huge_constant, huge_expand, loop,
     other_domain, function, sparse],
)  # fmt: skip
def test_graphs_that_could_harm_are_refused(make):
    with pytest.raises(BundleError, match="refused"):
        runtime.vet(make().SerializeToString(), "bad", 512)


@pytest.mark.parametrize("kind", ["Tile", "Range", "ConstantOfShape", "Resize", "Scan", "NonZero", "RandomNormal",
                                  "Unique", "Shape", "StringConcat", "SequenceConstruct", "ImageDecoder"])  # fmt: skip
def test_operators_whose_cost_or_shape_is_not_plain_are_refused(kind):
    with pytest.raises(BundleError, match=f"operator {kind}"):
        runtime.vet(graph([helper.make_node(kind, ["x"], ["y"])]).SerializeToString(), "bad", 512)


def test_a_bundle_with_such_a_graph_is_refused(loaded, tmp_path):
    import dataclasses

    bad = dataclasses.replace(
        loaded, graphs={**loaded.graphs, "score.onnx": external().SerializeToString()}
    )
    path = bad.save(tmp_path / "bad.aem")
    with pytest.raises(BundleError, match="external data"):
        bundles.load(path)


@pytest.mark.parametrize("raw", [b"", b"PK", b"not a zip at all", b"\0" * 100])
def test_other_files_are_refused(raw):
    with pytest.raises(BundleError):
        bundles.from_bytes(raw, "x")


def test_a_model_cut_in_half_is_told_with_what_to_do(tiny):
    half = len(tiny) // 2
    with pytest.raises(BundleError) as refused:
        bundles.from_bytes(tiny[:half], "m.aem")
    assert str(refused.value) == (
        f"m.aem: damaged: no whole model file, some of its {half:,} bytes were changed, or more are "
        "missing at its end; copy it again from where it came, or fit it again"
    )


def test_missing_and_unwritable(loaded, tmp_path):
    with pytest.raises(DataError, match="No such file"):
        bundles.load(tmp_path / "x.aem")
    with pytest.raises(AetoolError, match="cannot write here"):
        loaded.save(tmp_path / "no" / "such" / "m.aem")
    assert list(tmp_path.iterdir()) == []


def test_json_is_canonical():
    assert parse_canonical(canonical({"b": [1.5], "a": "é"})) == {
        "a": "é",
        "b": [1.5],
    }
    for raw in (b'{"a":1,"a":2}', b'{ "a":1}', b"[NaN]", b'{"b":1,"a":2}', b"[" * 100_000):
        with pytest.raises(ValueError):
            parse_canonical(raw)


SEALED_ANEW = [
    (("schema", "columns", 0, "low"), "x"),
    (("schema", "columns", 0, "low"), []),
    (("schema", "columns", 0, "low"), 1e300),
    (("schema", "columns", 0, "decimals"), -1),
    (("schema", "columns", 0, "decimals"), 0.5),
    (("schema", "columns", 0, "curved"), 7),
    (("schema", "columns", 0, "kind"), "matrix"),
    (("schema", "columns", 1, "levels"), {"a": 1}),
    (("schema", "columns", 1, "levels"), [1, 2]),
    (("schema", "columns", 2, "format"), "NaN"),
    (("schema", "columns", 2, "format"), "ymd|-|T|hms|x||0"),
    (("schema", "columns", 2, "high"), "late"),
    (("schema", "columns", 2, "cycles"), True),
    (("schema", "columns", 2, "cycles"), [0]),
    (("schema",), [1]),
    (("calibration", "scores"), "none"),
    (("calibration", "tail"), [0, -1, 0]),
    (("latent",), "many"),
    (("params",), 3),
]


@pytest.fixture(scope="module")
def three_kinds():
    """A bundle of a number, a category and a date."""
    rng = np.random.default_rng(0)
    days = pd.date_range("2020-01-01", periods=200).strftime("%Y-%m-%d")
    frame = pd.DataFrame({"a": rng.normal(size=200).round(2), "b": ["x", "y"] * 100, "t": days})
    return operations.fit(frame, operations.FitOptions("pca"))


@pytest.mark.parametrize("place, value", SEALED_ANEW)
def test_what_was_changed_and_sealed_anew_is_refused_in_one_line(
    three_kinds, tmp_path, run, place, value
):
    """Every hash and the canonical form are right; what the manifest says makes no sense."""
    manifest = copy.deepcopy(three_kinds._manifest())
    inner = manifest
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    path = tmp_path / "m.aem"
    path.write_bytes(bundles._pack(manifest, three_kinds.graphs))
    done = run("verify", path)
    assert done.status in (1, 2) and "Traceback" not in done.err
    assert done.err.count("\n") == 1 and "m.aem" in done.err
