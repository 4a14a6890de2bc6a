"""Codes of pictures that are trained for the bytes they take, by a decoder of few weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import aetool
from aetool import operations, plugins, training
from aetool.archives.candidates import Candidates
from aetool.data.scaling import image_features, image_spec
from aetool.errors import ParamError
from aetool.model import make_params
from aetool.operations import FitOptions
from aetool.testing import conformance
from aetool_vae.code_prior import LOGISTIC_DEVIATION, CodePrior
from aetool_vae.small_pictures import PictureDecoder, PictureEncoder, Sizes

LATENT = 3


def blobs(count: int, seed: int) -> np.ndarray:
    """Pictures (count, 16, 16) of one round spot each, anywhere, of any width and brightness."""
    rng = np.random.default_rng(seed)
    across, down, wide = rng.uniform([4, 4, 1.5], [12, 12, 4], (count, 3)).T[:, :, None, None]
    rows, columns = np.mgrid[:16, :16]
    off = (rows - down) ** 2 + (columns - across) ** 2
    light = rng.uniform(90, 250, count)[:, None, None]
    return np.rint(light * np.exp(-off / (2 * wide**2))).astype(np.uint8)


def prior() -> CodePrior:
    """One with random weights."""
    torch.manual_seed(5)
    made = CodePrior(LATENT)
    with torch.no_grad():
        made.tells.linear.weight.normal_(0, 0.4)
        made.tells.linear.bias.normal_(0, 1)
    return made.eval()


@torch.no_grad()
def test_the_masses_of_all_whole_codes_sum_to_one():
    whole = torch.arange(-120.0, 121.0)
    made = prior()
    made.tells.linear.bias[LATENT:].clamp_(max=1.0)
    # the first unit, and the second beside a first that is -2
    for unit, before in ((0, 0.0), (1, -2.0)):
        codes = torch.zeros(len(whole), LATENT)
        codes[:, 0] = before
        codes[:, unit] = whole
        mass = made.nats(codes)[:, unit].double().neg().exp().sum()
        assert float(mass) == pytest.approx(1, abs=1e-4)


@torch.no_grad()
def test_a_unit_is_told_by_those_before_it_alone():
    made = prior()
    codes = torch.randn(40, LATENT) * 3
    nats = made.nats(codes)
    for unit in range(LATENT):
        moved = codes.clone()
        moved[:, unit] += 2
        changed = (made.nats(moved) - nats).abs().amax(dim=0)
        assert (changed[:unit] == 0).all()
        assert (changed[unit:] > 0).all()


@torch.no_grad()
def test_a_prior_starts_as_independent_units_of_these_deviations():
    made = prior()
    deviations = torch.tensor([0.5, 4.0, 30.0])
    made.start(deviations)
    scales = deviations / LOGISTIC_DEVIATION
    found = made.nats(torch.zeros(1, LATENT))[0]
    # F(1 / 2s) - F(-1 / 2s) of a logistic of scale s is tanh(1 / 4s)
    wanted = -torch.tanh(1 / (4 * scales)).log()
    assert torch.allclose(found, wanted, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 17, 30), (1, 5, 3), (3, 64, 40), (1, 1, 1)])
@pytest.mark.parametrize("depth", [0, 1, 2, 4])
def test_pictures_of_any_sides_come_back_in_their_shape(shape, depth):
    sizes = Sizes(shape, latent=LATENT, width=16, depth=depth)
    codes = PictureEncoder(sizes)(torch.randn(2, *shape))
    assert codes.shape == (2, LATENT)
    told = PictureDecoder(sizes)(codes)
    assert told.shape == (2, *shape)
    # black and white are where pixels end
    far = PictureDecoder(sizes)(1e6 * torch.randn(2, LATENT))
    assert float(far.detach().min()) >= -1 - 1e-5
    assert float(far.detach().max()) <= (255 - 96) / 96 + 1e-5


def test_the_decoder_of_small_pictures_has_few_weights():
    sizes = Sizes((1, 28, 28), latent=24, width=64, depth=2)
    weights = sum(values.numel() for values in PictureDecoder(sizes).parameters())
    # 24 units and a bias to 12 channels of 7 x 7, 12 to 32 by 3 x 3, 32 to 4 x 4 pixels by 3 x 3
    wanted = 25 * 12 * 49 + 32 * (12 * 9 + 1) + 32 * 144 + 1
    assert weights == wanted
    assert weights < 40_000


@torch.no_grad()
def test_it_starts_at_pca_in_steps():
    pictures = image_features(blobs(400, 0)[:, None])
    params = make_params(plugins.get_model("compressive"), {"rmse": 0.2, "latent": 4})
    net = training.make(
        plugins.resolve("aetool_vae.compressive:Compressive"),
        image_spec(pictures.shape[1:]),
        params,
        0,
    )
    x = torch.from_numpy(pictures)
    net.start(x)
    codes = net.eval().encode(x).double().numpy()
    flat = pictures.reshape(400, -1).astype(np.float64)
    noise = 0.2 * flat.std()
    assert float(net.noise) == pytest.approx(noise**2, rel=1e-4)
    values = np.linalg.eigvalsh(np.cov(flat.T, bias=True))[::-1][:4]
    assert codes.var(axis=0) == pytest.approx(values / (12 * noise**2), rel=1e-3)
    assert np.abs(codes.mean(axis=0)).max() < 1e-2


def test_the_loss_is_the_distortion_and_the_rate_of_rounded_codes():
    pictures = torch.from_numpy(image_features(blobs(30, 1)[:, None]))
    params = make_params(plugins.get_model("compressive"), {"rmse": 0.3, "latent": 4})
    spec = image_spec((1, 16, 16))
    net = training.make(plugins.resolve("aetool_vae.compressive:Compressive"), spec, params, 0)
    net.start(pictures)
    net.eval()
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        found = net.loss(pictures, rng)
        codes = net.encode(pictures).round()
        off = (pictures - net.decode(codes)).square().flatten(1).sum(dim=1)
        wanted = off / (2 * net.noise) + net.code_prior.nats(codes).sum(dim=1)
        assert torch.allclose(found, wanted)
        # in training codes are moved by at most half a step, and no two alike
        moved = net.train().rounded(codes, rng) - codes
    assert float(moved.abs().max()) <= 0.5
    assert float(moved.var()) == pytest.approx(1 / 12, rel=0.3)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A model of 1,000 pictures, and a file of 400 others."""
    folder = tmp_path_factory.mktemp("spots")
    np.save(folder / "new.npy", blobs(400, 8))
    options = {"rmse": 0.15, "latent": 6, "width": 16}
    model = operations.fit(blobs(1000, 7), FitOptions("compressive", options, epochs=120))
    return folder / "new.npy", model


# a network of 120 epochs on a thousand pictures
@pytest.mark.long
def test_codes_take_fewer_bytes_than_those_of_pca_at_the_same_noise(fitted, tmp_path, monkeypatch):
    # codes are compared with codes: of so few pictures levels take fewer bytes than either
    monkeypatch.setattr(Candidates, "can_be_bounded", False)
    path, model = fitted
    pca = operations.fit(blobs(1000, 7), FitOptions("pca", {"latent": 24}))
    sizes = {}
    for name, bundle in (("compressive", model), ("pca", pca)):
        archive = tmp_path / f"{name}.aez"
        facts = aetool.compress(path, archive, bundle, target_psnr=26, embed=True)
        assert facts["taken"] == "code"
        operations.decompress(archive, tmp_path / f"{name}.npy")
        back = np.load(tmp_path / f"{name}.npy")
        square = ((back.astype(float) - np.load(path)) ** 2).mean()
        assert facts["psnr_db"] == pytest.approx(10 * math.log10(255**2 / square), abs=1e-3)
        assert facts["psnr_db"] >= 26
        # of few pictures the streams of a code are joined
        sizes[name] = archive.stat().st_size, sum(facts["bytes"].values())
    whole, codes = zip(sizes["compressive"], sizes["pca"], strict=True)
    assert codes[0] < 0.8 * codes[1]
    assert whole[0] < 0.8 * whole[1]


# a network of 120 epochs on a thousand pictures
@pytest.mark.long
def test_a_fit_tells_bits_and_error_of_held_out_pictures(fitted):
    _, model = fitted
    assert 0 < model.facts["code_rmse"] < 0.25
    assert 0 < model.facts["code_bits"] < 60


# a network of 120 epochs on a thousand pictures
@pytest.mark.long
def test_odd_pictures_cost_more(fitted):
    path, model = fitted
    noise = np.random.default_rng(3).integers(0, 255, (40, 16, 16), dtype=np.uint8)
    both = np.concatenate([np.load(path), noise])
    found = aetool.detect(both, model, top=40)
    assert set(found["row"]) == set(range(401, 441))


def test_tables_are_refused(tmp_path):
    rows = "".join(f"{i},{i * i}\n" for i in range(60))
    (tmp_path / "t.csv").write_text("a,b\n" + rows, encoding="utf-8")
    with pytest.raises(ParamError, match="compressive"):
        operations.fit(tmp_path / "t.csv", FitOptions("compressive"))


# archives of a code as wide as by default take long, and are written above
CASES = [case for case in conformance("compressive") if "archives" not in case.name]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_conformance(case):
    case.run()
