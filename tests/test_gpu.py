"""On a machine with a GPU: fit, score and compress there, and agree with the CPU. `make gpu`."""

import time

import numpy as np
import onnxruntime as ort
import pytest

from aetool import operations
from aetool.operations import CompressOptions, FitOptions
from tests.conftest import built_ins

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        "CUDAExecutionProvider" not in ort.get_available_providers(),
        reason="no CUDA device or no onnxruntime-gpu on this machine",
    ),
]


@pytest.mark.parametrize("plugin", built_ins())
@pytest.mark.parametrize("kind", ["table", "pictures"])
def test_fit_score_and_compress(plugin, kind, air, folder, tmp_path):
    data = air if kind == "table" else folder
    model = operations.fit(data, FitOptions(plugin=plugin, epochs=3, device="cuda"))
    here, there = (operations.score(data, model, d) for d in ("cpu", "cuda"))
    np.testing.assert_allclose(there, here, rtol=1e-4)
    if 0 < model.latent <= 256:  # some have no code; one of hundreds of units takes minutes
        options = CompressOptions(lossy_only=True, device="cuda", embed=True)
        facts = operations.compress(data, tmp_path / "t.aez", model, options)
        assert 0 <= facts["error"] < 1
        operations.decompress(tmp_path / "t.aez", tmp_path / "out", device="cuda")
    rates = {}
    for device in ("cpu", "cuda"):
        session = model.session("score.onnx", device)
        shape = model.shape or (len(model.spec.columns),)
        x = np.zeros(
            (20_000 // (1 if kind == "table" else 20), *shape), np.uint8 if model.shape else float
        )
        session(x)
        started = time.perf_counter()
        session(x)
        rates[device] = len(x) / (time.perf_counter() - started)
    print(f"{plugin} {kind}: {rates['cpu']:.0f} rows/s on the CPU, {rates['cuda']:.0f} on the GPU")
