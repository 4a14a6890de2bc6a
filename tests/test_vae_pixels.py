"""Mixtures of discretised logistics for pixels: masses, means, bounds, and their graphs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from aetool import operations, plugins, training
from aetool.data.scaling import image_features, image_spec
from aetool.model import make_params
from aetool.operations import FitOptions
from aetool.tracing import traced
from aetool_vae.pixels import LEVELS, LogisticPixels, levels_of, standardised

COMPONENTS = 3
LATENT = 2


def decoder(shape: tuple[int, int, int], depth: int = 1) -> LogisticPixels:
    """One with random weights, far from where training starts."""
    torch.manual_seed(3)
    net = LogisticPixels(LATENT, shape, width=4, depth=depth, components=COMPONENTS)
    with torch.no_grad():
        net.head.weight.normal_(0, 2)
        net.head.bias.normal_(0, 3)
    return net.eval()


def every_level(channels: int, before: tuple[int, ...] = ()) -> torch.Tensor:
    """Pictures of 4 x 4 with every level in the channel behind `before`, whose levels those are:
    (256, channels, 4, 4), standardised."""
    pixels = np.zeros((LEVELS, channels, 4, 4), np.uint8)
    for place, level in enumerate(before):
        pixels[:, place] = level
    pixels[:, len(before)] = np.arange(LEVELS)[:, None, None]
    return torch.from_numpy(image_features(pixels))


@pytest.mark.parametrize("depth", [0, 1])
@pytest.mark.parametrize("shift", [0.0, 40.0, -300.0])
def test_the_masses_of_all_levels_sum_to_one(depth, shift):
    net = decoder((1, 4, 4), depth)
    with torch.no_grad():
        net.head.bias[COMPONENTS : 2 * COMPONENTS] += shift  # means beyond the ends, too
        told = net(torch.randn(1, LATENT)).expand(LEVELS, -1, -1, -1)
        nats = net.nats(every_level(1), told)
    assert nats.shape == (LEVELS, 16)
    assert float(nats.max()) <= 32 * math.log(2) + 1e-4, "no level takes more than 32 bits"
    assert torch.allclose(nats.double().neg().exp().sum(dim=0), torch.ones(16).double(), atol=2e-5)


@pytest.mark.parametrize("log_scale", [-9.0, -7.0, -4.0, -1.0, 0.5, 2.0, 5.0])
def test_scales_of_any_size_keep_the_mass(log_scale):
    net = decoder((1, 4, 4))
    with torch.no_grad():
        net.head.weight.zero_()
        net.head.bias[2 * COMPONENTS :] = log_scale
        told = net(torch.zeros(1, LATENT)).expand(LEVELS, -1, -1, -1)
        nats = net.nats(every_level(1), told)
    assert torch.allclose(nats.double().neg().exp().sum(dim=0), torch.ones(16).double(), atol=1e-4)


def test_graphs_give_the_same_masses():
    import onnxruntime

    class Nats(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = decoder((1, 4, 4))

        def forward(self, x: torch.Tensor, z: torch.Tensor) -> tuple[torch.Tensor]:
            return (self.net.nats(x, self.net(z)),)

    module = Nats()
    x, z = every_level(1), torch.randn(1, LATENT).expand(LEVELS, -1).contiguous()
    graph = traced(module, {"x": x, "z": z}, ["nats"]).SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    found = session.run(None, {"x": x.numpy(), "z": z.numpy()})[0]
    with torch.no_grad():
        wanted = module(x, z)[0].numpy()
    assert np.allclose(found, wanted, rtol=1e-4, atol=1e-4)
    assert np.allclose(np.exp(-found.astype(np.float64)).sum(axis=0), 1, atol=2e-5)


def test_a_later_channel_depends_on_earlier_ones_and_sums_to_one():
    """The sum over green of P(red, green) is P(red): what the first channel alone would cost."""
    net = decoder((3, 4, 4))
    net.shape = (2, 4, 4)  # red and green of the same parameters
    net.sizes = [COMPONENTS, 2 * COMPONENTS, 2 * COMPONENTS, COMPONENTS]
    alone = decoder((1, 4, 4))
    told = torch.randn(1, 6 * COMPONENTS, 4, 4)
    logits, means, scales, _ = torch.split(told, net.sizes, dim=1)
    of_red = torch.cat([logits, means[:, :COMPONENTS], scales[:, :COMPONENTS]], dim=1)
    for red in (0, 100, 255):
        with torch.no_grad():
            both = net.nats(every_level(2, (red,)), told.expand(LEVELS, -1, -1, -1))
            one = alone.nats(every_level(1)[red : red + 1], of_red)
        total = both.double().neg().exp().sum(dim=0)
        assert torch.allclose(total, one.double().neg().exp()[0], atol=2e-6)


def test_the_mean_is_that_of_the_masses():
    net = decoder((1, 4, 4))
    with torch.no_grad():
        net.head.bias[:COMPONENTS] = 0
        net.head.bias[COMPONENTS : 2 * COMPONENTS] = torch.tensor([-3.0, -0.2, 0.4])
        net.head.bias[2 * COMPONENTS :] = -5.0  # thin ones
        net.head.weight.mul_(0.02)
        told = net(torch.randn(1, LATENT))
        nats = net.nats(every_level(1), told.expand(LEVELS, -1, -1, -1))
        likely = levels_of(net.mean(told)).flatten()
    levels = levels_of(every_level(1)[:, 0, 0, 0])
    wanted = (nats.double().neg().exp() * levels[:, None]).sum(dim=0)
    assert torch.allclose(likely.double(), wanted, atol=0.01)
    x = torch.randn(5)
    assert torch.allclose(standardised(levels_of(x)), x, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 7, 10), (3, 5, 4)])
def test_sides_that_are_odd_come_back(shape):
    net = decoder(shape, depth=2)
    told = net(torch.randn(2, LATENT))
    assert net.nats(torch.randn(2, *shape), told).shape == (2, shape[1] * shape[2])
    assert net.mean(told).shape == (2, *shape)


def trained(pictures: np.ndarray, epochs: int, **params: Any) -> Any:
    return training.train(
        plugins.resolve("aetool_vae.net:VAE"), image_spec(pictures.shape[1:]),
        make_params(plugins.get_model("vae"), params), image_features(pictures),
        training.Settings(epochs=epochs, device="cpu"),
    )  # fmt: skip


# two networks of many epochs; the score of one is in the fast set
@pytest.mark.long
def test_black_and_white_cost_less_than_a_gaussian_makes_them():
    """Half of the pixels are black or white by a coin, the rest noise of 64 levels: 1 + 3 bits."""
    rng = np.random.default_rng(0)
    ends = rng.random((600, 1, 8, 8)) < 0.5
    pixels = np.where(ends, 255 * rng.integers(0, 2, ends.shape), rng.integers(96, 160, ends.shape))
    pixels = pixels.astype(np.uint8)
    entropy = 1 + 0.5 * 1 + 0.5 * 6
    bits = {}
    for kind in ("logistic", "gaussian"):
        facts = trained(pixels, 100, pixels=kind, latent=2).facts
        bits[kind] = facts["held_out_loss_nats"] / math.log(2) / 64
    assert entropy - 0.05 < bits["logistic"] < entropy + 0.35
    assert bits["gaussian"] > entropy + 2


def test_the_score_is_in_bits_by_pixel_and_sees_a_grey_pixel_in_black_ones(tmp_path):
    rng = np.random.default_rng(1)
    pixels = np.zeros((300, 8, 8), np.uint8)
    pixels[:, 2:6, 2:6] = rng.integers(100, 140, (300, 4, 4))
    np.save(tmp_path / "train.npy", pixels)
    odd = pixels[:40].copy()
    odd[:, 0, 7] = 30
    np.save(tmp_path / "odd.npy", odd)
    np.save(tmp_path / "same.npy", pixels[:40])
    fitted = operations.fit(tmp_path / "train.npy", FitOptions("vae", {"latent": 2, "pixels": "logistic"}, epochs=20, device="cpu"))  # fmt: skip
    assert fitted.unit == "bits"
    score = fitted.session("score.onnx", "cpu")
    parts = score(odd[:, None])["parts"]
    assert parts.shape == (40, 65) and (parts >= 0).all()
    assert (parts[:, :-1].argmax(axis=1) == 7).all(), "the map shows where"
    before, after = (operations.score(tmp_path / f"{n}.npy", fitted, "cpu") for n in ("same", "odd"))  # fmt: skip
    assert (after - before > 5).all()
