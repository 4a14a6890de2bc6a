"""What training tells a network on the way, and what it takes from it."""

import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

from aetool import training
from aetool.model import make_params
from aetool.nn import AutoEncoder
from aetool.rehearsal import examples
from aetool.testing import conformance

sys.path.insert(0, str(Path(__file__).parent / "thirdparty"))
from aetool_thirdparty import aetool_models
from aetool_thirdparty.mixture import Mixture
from aetool_thirdparty.sphere import Sphere

from aetool import plugins
from aetool_vae.net import VAE

ROWS = 200
STRANGERS = {model.name: model for model in aetool_models()}


@pytest.fixture(scope="module")
def spec():
    return next(c.bench for c in conformance("pca") if c.kind == "table").prepared.spec


def trained(net, name, spec, epochs=2, **params):
    rows = examples.records(spec, ROWS, 0)
    model = STRANGERS.get(name) or plugins.get_model(name)
    settings = training.Settings(epochs=epochs, device="cpu")
    return training.train(net, spec, make_params(model, params), rows, settings), rows


def test_begin_sees_the_rows_that_are_trained_on(spec):
    """The centre of a sphere is the mean code of these rows under the first weights."""
    found, rows = trained(Sphere, "sphere", spec)
    fitted = np.setdiff1d(np.arange(ROWS), found.held_out)
    started = training.make(Sphere, spec, make_params(STRANGERS["sphere"], {}), 0)
    x = torch.from_numpy(rows[fitted])
    training.start(started, x)
    with torch.no_grad():
        wanted = started.encode(x).mean(dim=0)
    assert torch.allclose(found.net.centre, wanted, atol=1e-5) and not (wanted == 0).all()


def test_finish_sees_them_with_the_best_weights(spec):
    """A mixture is estimated from all of them, once training is over."""
    found, rows = trained(Mixture, "mixture", spec)
    fitted = np.setdiff1d(np.arange(ROWS), found.held_out)
    with torch.no_grad():
        share, mean, precision = found.net.estimate(
            found.net.features(torch.from_numpy(rows[fitted]))
        )
    assert torch.allclose(found.net.log_share, share, atol=1e-4)
    assert torch.allclose(found.net.mean, mean, atol=1e-4)
    assert torch.allclose(found.net.precision, precision, rtol=1e-3, atol=1e-3)


class Watching(AutoEncoder):
    """Notes the steps it is trained by."""

    batch_size, learning_rate = 50, 1e-9
    steps: ClassVar[list] = []
    looks: ClassVar[list] = []

    def loss(self, x, rng, seen=None):
        if self.training:
            self.steps.append((len(x), self.progress))
        else:
            self.looks.append(self.progress)
        return super().loss(x, rng, seen)


def test_a_network_says_how_it_is_trained_and_is_told_how_far(spec):
    found, _ = trained(Watching, "ae", spec, epochs=3)
    sizes, progress = zip(*Watching.steps, strict=True)
    assert set(sizes) == {50} and len(sizes) == 3 * 4, "180 rows are four steps of 50 an epoch"
    assert np.allclose(progress, np.arange(1, 13) / 12)
    assert set(Watching.looks) == {1.0}, "what is looked at is the loss that is meant"
    fresh = training.make(Watching, spec, found.net.params, 0)
    training.start(fresh, torch.from_numpy(examples.records(spec, ROWS, 0)))
    weight = found.net.encoder.levels[0][0].weight
    assert torch.allclose(weight, fresh.encoder.levels[0][0].weight, atol=1e-6), "its own rate"


class Features(AutoEncoder):
    """Random features, and a penalty that draws."""

    def build(self, rng):
        super().build()
        self.register_buffer("draws", torch.randn(5, generator=rng))

    def penalty(self, z, rng):
        return torch.rand((), generator=rng)


def test_what_build_draws_follows_the_seed_and_is_no_layers_weights(spec):
    params = make_params(plugins.get_model("ae"), {})
    first, again, other = (training.make(Features, spec, params, seed) for seed in (3, 3, 4))
    assert torch.equal(first.draws, again.draws) and not torch.equal(first.draws, other.draws)
    plain = training.make(AutoEncoder, spec, params, 3)
    weight = first.encoder.levels[0][0].weight
    assert torch.equal(weight, plain.encoder.levels[0][0].weight), "layers draw as ever"
    with torch.random.fork_rng():
        torch.manual_seed(3)
        assert not torch.equal(first.draws, torch.randn(5)), "the generators are two"


def test_a_penalty_draws_from_the_generator_of_the_loss(spec):
    net = training.make(Features, spec, make_params(plugins.get_model("ae"), {}), 0).eval()
    plain = training.make(AutoEncoder, spec, net.params, 0).eval()
    x = torch.from_numpy(examples.records(spec, 9, 1))
    with torch.no_grad():
        told = net.loss(x, torch.Generator().manual_seed(8))
        drawn = torch.rand((), generator=torch.Generator().manual_seed(8))
        assert torch.allclose(told, plain.loss(x, torch.Generator()) + drawn, atol=1e-5)


def test_the_divergence_of_a_vae_warms_up(spec):
    """With warmup the KL counts in proportion to progress; without, and where it is looked at, in
    full."""
    x, rng = torch.from_numpy(examples.records(spec, 9, 1)), torch.Generator()
    warm = training.make(VAE, spec, make_params(plugins.get_model("vae"), {"warmup": 0.5}), 0)
    plain = training.make(VAE, spec, make_params(plugins.get_model("vae"), {"beta": 0.4}), 0)
    warm.eval(), plain.eval()
    with torch.no_grad():
        full = warm.loss(x, rng.manual_seed(0))
        warm.progress = 0.2
        assert torch.allclose(warm.loss(x, rng.manual_seed(0)), plain.loss(x, rng.manual_seed(0)))
        warm.progress = 0.7
        assert torch.equal(warm.loss(x, rng.manual_seed(0)), full)


@pytest.mark.parametrize("name", ["sphere", "mixture"])
def test_a_dry_run_of_them_goes_through(name):
    case = next(c for c in conformance(STRANGERS[name]) if "dry-run" in c.name)
    case.run()
