"""On a machine with a GPU: everything runs there, and finds and restores what the CPU does. `make gpu`.

Results are not the same in every bit: a GPU adds up float32 in another order. So a record whose score
hangs on a choice, as which column is odder of two that are equally odd, may be scored otherwise: at most
one in a thousand.
"""

import hashlib
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from PIL import Image

from aetool import operations, plugins
from aetool.bundle import Bundle
from aetool.errors import ParamError
from aetool.operations import CompressOptions, FitOptions
from tests.conftest import built_ins

DEVICES = ("cpu", "cuda")
OTHERWISE = 1e-3  # the share of records that may be scored otherwise
SECONDS = 20  # how long each network is trained

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        "CUDAExecutionProvider" not in ort.get_available_providers(),
        reason="no CUDA device or no onnxruntime-gpu on this machine",
    ),
]

# each plugin with each kind of data that it takes
CASES = [
    (plugin, kind)
    for plugin in built_ins()
    for kind in ("table", "image")
    if kind in plugins.get_model(plugin).data
]


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def fitted(request: pytest.FixtureRequest, whole_air: Path, folder: Path) -> tuple[Bundle, Path]:
    """A model that was fitted on the GPU, and the data it was fitted on."""
    plugin, kind = request.param
    data = whole_air if kind == "table" else folder
    options = FitOptions(plugin=plugin, max_time=SECONDS, device="cuda")
    return operations.fit(data, options), data


def needs_code(model: Bundle) -> None:
    """Skips models without a code, or with one of hundreds of units, which takes minutes to store."""
    if not 0 < model.latent <= 256:
        pytest.skip(f"{model.name} has no code, or one of more than 256 units")


def test_a_network_says_where_it_was_trained(fitted):
    model, _ = fitted
    assert model.facts.get("device", "cuda") == "cuda"


def test_scores_are_those_of_the_cpu(fitted):
    model, data = fitted
    here, there = (operations.score(data, model, device) for device in DEVICES)
    # neighbours of pictures take differences of large sums
    tolerance = 1e-4 if model.shape is None else 1e-3
    near = np.isclose(there, here, rtol=tolerance, atol=tolerance)
    assert near.mean() >= 1 - OTHERWISE
    np.testing.assert_allclose(there, here, rtol=0.1, atol=0.1)


def test_codes_are_those_of_the_cpu(fitted):
    model, data = fitted
    needs_code(model)
    here, there = (operations.encode(data, model, device) for device in DEVICES)
    np.testing.assert_allclose(there, here, rtol=1e-3, atol=1e-3)


def test_codes_are_restored_as_on_the_cpu(fitted):
    model, data = fitted
    needs_code(model)
    codes = operations.encode(data, model, "cpu")
    here, there = (operations.decode(codes, model, device) for device in DEVICES)
    if model.schema is None:
        assert np.mean(here == there) > 0.9999
        assert np.abs(here.astype(int) - there.astype(int)).max() <= 1
        return
    for column in here:
        if here[column].dtype.kind == "f":
            spread = float(here[column].std()) or 1.0
            off = np.abs(there[column] - here[column]) > 1e-2 * spread  # the next step of a grid
            assert off.mean() <= OTHERWISE, column


def test_an_archive_of_either_device_is_restored_on_both(fitted, tmp_path):
    model, data = fitted
    needs_code(model)
    sizes = {}
    for device in DEVICES:
        options = CompressOptions(lossy_only=True, device=device, embed=True, force=True)
        facts = operations.compress(data, tmp_path / f"{device}.aez", model, options)
        sizes[device] = facts["archive_bytes"]
        for other in DEVICES:
            out = tmp_path / f"{device}_on_{other}"
            operations.decompress(tmp_path / f"{device}.aez", out, device=other)
    assert sizes["cuda"] == pytest.approx(sizes["cpu"], rel=1e-3, abs=8)
    for device in DEVICES:
        here, there = (tmp_path / f"{device}_on_{other}" for other in DEVICES)
        assert share_alike(here, there) >= 1 - OTHERWISE


def share_alike(here: Path, there: Path) -> float:
    """The share of lines of two tables, or of pixels of two folders of pictures, that are equal."""
    if here.is_file():
        lines = [path.read_text(encoding="utf-8").splitlines() for path in (here, there)]
        assert len(lines[0]) == len(lines[1])
        return float(np.mean([one == other for one, other in zip(*lines, strict=True)]))
    pictures = [
        [np.asarray(Image.open(p)) for p in sorted(f.rglob("*.png"))] for f in (here, there)
    ]
    assert pictures[0]
    return float(np.mean([np.mean(a == b) for a, b in zip(*pictures, strict=True)]))


@pytest.mark.parametrize("kind", ["table", "image"])
def test_an_exact_archive_is_the_same_bytes(kind, whole_air, folder, tmp_path):
    data = whole_air if kind == "table" else folder
    model = operations.fit(data, FitOptions(plugin="pca", codec=True, device="cuda"))
    for device in DEVICES:
        operations.compress(data, tmp_path / f"{device}.aez", model, CompressOptions(device=device))
    assert (
        len({hashlib.sha256((tmp_path / f"{d}.aez").read_bytes()).digest() for d in DEVICES}) == 1
    )


def test_a_device_that_is_not_there_is_said(whole_air, tmp_path):
    model = operations.fit(whole_air, FitOptions(plugin="pca"))
    with pytest.raises(ParamError, match="device cuda:99: CUDA could not be started"):
        operations.score(whole_air, model, "cuda:99")
