"""What a picture costs by column is a map of its pixels, whatever its channels."""

import numpy as np
import pytest
import torch
from onnx import TensorProto

from aetool import graphs, operations, runtime
from aetool.data.scaling import image_spec
from aetool.detection import maps
from aetool.graphs import Graph
from aetool.nn import Likelihood
from aetool.operations import FitOptions
from tests.sweeps import one_in


def tinted(count=150, side=8, seed=0):
    """Soft blobs of a tint each, (count, side, side, 3) uint8."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    centre = rng.uniform(2, side - 2, (count, 2, 1, 1))
    blob = np.exp(-((y - centre[:, 0]) ** 2 + (x - centre[:, 1]) ** 2) / 4)
    return (255 * blob[..., None] * rng.uniform(0.5, 1, (count, 1, 1, 3))).astype(np.uint8)


# a closed form and a network; others map in the same way
@pytest.mark.parametrize("plugin", one_in(2, ["pca", "elm", "ae", "masked"]))
def test_what_a_picture_costs_by_column_is_a_map_of_its_pixels(plugin, tmp_path):
    path, odd = tmp_path / "usual.npy", tinted(3, seed=1)
    np.save(path, tinted())
    odd[1, 5, 2] = (0, 255, 0)
    np.save(tmp_path / "odd.npy", odd)
    epochs = 40 if plugin in ("ae", "masked") else None
    made = operations.fit(path, FitOptions(plugin, epochs=epochs, device="cpu"))
    session = made.session("score.onnx", "cpu")
    pixels = odd.transpose(0, 3, 1, 2)
    parts = session(pixels)["parts"]
    assert parts.shape == (3, 65) and made.calibration.typical.shape == (65,)
    alone = np.concatenate([session(pixels[i : i + 1])["parts"] for i in range(3)])
    np.testing.assert_array_equal(parts, alone)
    excess = parts[1, :-1] - made.calibration.typical[:-1]
    assert excess.argmax() == 5 * 8 + 2
    (amounts,) = operations.maps_of(odd[1:2], made, "cpu")
    # elm's parts stray most where blobs lie, so that other places are as far beyond the usual
    assert amounts[5, 2] > np.quantile(amounts, 0.7 if plugin == "elm" else 0.9)
    found = operations.detect(tmp_path / "odd.npy", made, top=1, device="cpu")
    assert found.row[0] == 1


def test_the_channels_of_a_pixel_are_added_up_alike_in_torch_and_in_graphs():
    spec = image_spec((3, 2, 4))
    rng = np.random.default_rng(0)
    cost = rng.exponential(size=(5, 24)).astype(np.float32)
    wanted = cost.reshape(5, 3, 8).sum(axis=1)
    g = Graph()
    x = g.input("x", TensorProto.FLOAT, [24])
    g.output("sum", graphs.sum_by_column(g, x, spec.owner.tolist(), 8), TensorProto.FLOAT, [9])
    written = runtime.Session(g.build("sum"), "sum", "cpu", 8)(cost)["sum"]
    np.testing.assert_allclose(written, np.column_stack([wanted, np.zeros(5)]), rtol=1e-6)
    likelihood = Likelihood(spec, "mae")
    x = torch.from_numpy(rng.normal(size=(5, 3, 2, 4)).astype(np.float32))
    parts = likelihood(x, torch.zeros_like(x))
    assert torch.allclose(parts[:, :-1], x.abs().sum(dim=1).flatten(1)) and not parts[:, -1].any()


def test_a_map_of_an_older_model_adds_up_channels():
    parts = np.arange(25.0)
    by_pixel = maps.pixel_parts(parts[None], 2, 4)
    np.testing.assert_array_equal(by_pixel[0], parts[:24].reshape(3, 2, 4).sum(axis=0))
