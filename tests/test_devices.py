"""Where graphs run: what is chosen, what is said of a GPU that cannot be used, and what is loaded for it."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto

from aetool import runtime
from aetool.errors import ParamError
from aetool.graphs import Graph


@pytest.fixture
def claimed(monkeypatch):
    """ONNX Runtime says that it could use CUDA, as it does on a machine without a GPU as well."""
    both = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: both)
    runtime._load_cuda.cache_clear()
    yield
    runtime._load_cuda.cache_clear()


@pytest.fixture
def doubled():
    """The bytes of a graph that doubles rows of three numbers."""
    graph = Graph()
    x = graph.input("x", TensorProto.DOUBLE, [3])
    graph.output("y", graph.op("Add", x, x), TensorProto.DOUBLE, [3])
    return graph.build("doubled")


def test_libraries_that_are_python_packages_are_loaded_once_and_quietly(
    claimed, monkeypatch, capfd
):
    calls = []

    def load():
        calls.append("loaded")
        print("Failed to load libcudnn.so.9")

    monkeypatch.setattr(onnxruntime, "preload_dlls", load, raising=False)
    chosen, device = runtime.providers("cuda:1")
    runtime.providers("auto")
    assert chosen == [("CUDAExecutionProvider", {"device_id": "1", "use_tf32": "0"})]
    assert device == "cuda:1"
    assert calls == ["loaded"]
    assert capfd.readouterr().out == ""


def test_a_loader_that_fails_or_is_not_there_changes_nothing(claimed, monkeypatch):
    def load():
        raise RuntimeError("no such folder")

    monkeypatch.setattr(onnxruntime, "preload_dlls", load, raising=False)
    assert runtime.providers("cuda")[1] == "cuda:0"
    runtime._load_cuda.cache_clear()
    monkeypatch.delattr(onnxruntime, "preload_dlls")
    assert runtime.providers("cuda")[1] == "cuda:0"


def test_a_gpu_that_cannot_be_started_is_named(claimed, doubled):
    with pytest.raises(
        ParamError, match="device cuda:7: CUDA could not be started, or there is no"
    ):
        runtime.Session(doubled, "score.onnx", "cuda:7", runtime.TABLE_BATCH)


def test_auto_runs_on_the_cpu_where_the_gpu_cannot_be_started(claimed, doubled):
    session = runtime.Session(doubled, "score.onnx", "auto", runtime.TABLE_BATCH)
    assert session.device == "cpu"
    assert session.batch == runtime.TABLE_BATCH
    assert session(np.ones((2, 3)))["y"].tolist() == [[2.0] * 3] * 2
