"""Decoders whose weights are whole numbers of 8 bits."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import aetool
from aetool import operations
from aetool.archives import small_weights
from aetool.archives.small_weights import rounded, with_small_decoder
from aetool.codec.archive import Archive
from aetool.operations import FitOptions
from aetool.testing import pictures


def graph_of(weights, bias):
    """y = x @ weights + bias, as an ONNX file."""
    rows, columns = weights.shape
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"])],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", rows])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", columns])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(bias, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    return model.SerializeToString()


def run(data, x):
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


@pytest.mark.parametrize("axis", [0, 1])
def test_each_row_or_column_has_its_own_scale(axis):
    """Rows, or columns, of sizes from 1 to 10,000: none is rounded by the scale of another."""
    rng = np.random.default_rng(0)
    sizes = 10.0 ** np.linspace(0, 4, 32)
    weights = rng.normal(size=(32, 32)) * np.expand_dims(sizes, 1 - axis)
    weights = weights.astype(np.float32)
    bias = np.zeros(32, np.float32)
    data = graph_of(weights, bias)
    back = run(rounded(data), np.eye(32, dtype=np.float32))
    peak = np.abs(weights).max(axis=1 - axis, keepdims=True)
    assert (np.abs(back - weights) <= peak / 254 * (1 + 1e-5)).all()


def test_biases_keep_16_bits_and_small_tensors_all():
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(2, 400)).astype(np.float32)
    bias = rng.normal(size=400).astype(np.float32)
    data = graph_of(weights, bias)
    off = run(rounded(data), np.zeros((1, 2), np.float32))[0] - bias
    assert 0 < np.abs(off).max() <= np.abs(bias).max() / 65534 * (1 + 1e-4)
    few = graph_of(weights[:, :100], bias[:100])
    assert rounded(few) == onnx.ModelProto.FromString(few).SerializeToString(deterministic=True)


def test_rows_of_zeros_stay_zeros():
    weights = np.zeros((20, 40), np.float32)
    weights[3] = 2.5
    back = run(rounded(graph_of(weights, np.zeros(40, np.float32))), np.eye(20, dtype=np.float32))
    np.testing.assert_allclose(back, weights, rtol=1e-6)


def test_a_quarter_of_the_bytes():
    data = graph_of(np.ones((100, 400), np.float32), np.ones(400, np.float32))
    assert len(rounded(data)) < 0.27 * len(data)


def test_an_archive_carries_the_small_decoder_and_needs_no_model(tmp_path):
    path = tmp_path / "p.npy"
    np.save(path, pictures(200)[:, 0])
    model = operations.fit(path, FitOptions("pca", {"latent": 12}))
    small = with_small_decoder(model)
    assert len(small.graphs["decoder.onnx"]) < len(model.graphs["decoder.onnx"])
    facts = aetool.compress(path, tmp_path / "a.aez", model, target_psnr=15)
    with Archive(tmp_path / "a.aez") as archive:
        is_code = facts["taken"] == "code"
        assert not is_code or archive.model.graphs["decoder.onnx"] == small.graphs["decoder.onnx"]
    aetool.decompress(tmp_path / "a.aez", tmp_path / "back.npy")
    off = np.load(path).astype(float) - np.load(tmp_path / "back.npy")
    assert 10 * np.log10(255**2 / np.square(off).mean()) >= 15


def test_where_8_bits_do_not_suffice_the_weights_stay(tmp_path, monkeypatch):
    path = tmp_path / "p.npy"
    np.save(path, pictures(200)[:, 0])
    model = operations.fit(path, FitOptions("pca", {"latent": 12}))
    monkeypatch.setattr(small_weights, "LARGEST_BYTE", 1)
    facts = aetool.compress(path, tmp_path / "a.aez", model, target_psnr=17.5)
    assert facts["psnr_db"] >= 17.5 or facts["taken"] == "exact"
    assert "code" in facts["prices"]
