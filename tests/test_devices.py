"""Where graphs run: what is chosen, what is said of a GPU that cannot be used, and what is loaded for it."""

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto

from aetool import runtime
from aetool.errors import ParamError
from aetool.graphs import Graph
from aetool.training import torch_device


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


@pytest.mark.parametrize(
    "device", ["auto:1", "auto:", "cpu:0", "cuda:", "cuda:-1", "cuda:1.0", "cuda:\u00b2", "gpu", ""]
)
def test_what_is_no_device_is_one_line(claimed, device):
    for chosen in (runtime.providers, torch_device):
        with pytest.raises(ParamError) as told:
            chosen(device)
        assert str(told.value) == f"device {device}: must be auto, cpu, cuda or cuda:<n>"


@pytest.mark.parametrize(
    ("count", "device", "told"),
    [
        (0, "cuda", "device cuda: this torch sees no CUDA device; use device cpu"),
        (0, "cuda:7", "device cuda:7: this torch sees no CUDA device; use device cpu"),
        (1, "cuda:7", "device cuda:7: there is no such device; this torch sees cuda:0 .. cuda:0"),
        (4, "cuda:4", "device cuda:4: there is no such device; this torch sees cuda:0 .. cuda:3"),
    ],
)
def test_a_gpu_that_torch_does_not_see_is_one_line(monkeypatch, count, device, told):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    with pytest.raises(ParamError) as caught:
        torch_device(device)
    assert str(caught.value) == told
    assert torch_device("cpu") == torch.device("cpu")
    assert torch_device("auto").type == ("cuda" if count else "cpu")
    if count:
        assert torch_device("cuda:0") == torch.device("cuda:0")


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
