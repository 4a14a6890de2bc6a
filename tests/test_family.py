"""Each model against an independent oracle of its mathematics."""

import json

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import sklearn.decomposition
import torch

from aetool import operations, plugins, training
from aetool.data import scaling
from aetool.data.schema import infer
from aetool.data.sources import open_source
from aetool.data.table import Table
from aetool.model import make_params
from aetool.operations import FitOptions
from aetool_ae.net import Plain
from aetool_sparse.net import Sparse, bernoulli_kl


def prepared(x):
    """(spec, features) of a table of these numbers."""
    table = Table(tuple(f"c{i}" for i in range(x.shape[1])), tuple(x.T.astype(np.float64)))
    schema = infer(table, {}, {}, ".")
    return scaling.table_spec(schema), scaling.table_features(schema, schema.encode(table, "x"))


def network(plugin, spec, seed=0, **params):
    model = plugins.get_model(plugin)
    return training.make(plugins.resolve(model.net), spec, make_params(model, params), seed)


@pytest.fixture(scope="module")
def plane():
    """1,500 points near a plane in six dimensions."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(1500, 2)) @ rng.normal(size=(2, 6)) + 0.1 * rng.normal(size=(1500, 6))


@pytest.fixture(scope="module")
def blobs():
    from aetool.testing import pictures

    return scaling.image_spec((1, 8, 8)), scaling.image_features(pictures(64))


@pytest.mark.parametrize("tied", [False, True])
def test_a_linear_autoencoder_finds_the_principal_subspace(plane, tied):
    spec, features = prepared(plane)
    model = plugins.get_model("ae")
    given = {"latent": 2, "depth": 0, "error": "mse", "tied": tied}
    settings = training.Settings(epochs=300, device="cpu")
    trained = training.train(Plain, spec, make_params(model, given), features, settings)
    decoder = trained.net.decoder[0][0]
    axes = trained.net.encoder[0][0].weight.T if tied else decoder.weight
    centred = features - features.mean(axis=0)
    wanted = np.linalg.svd(centred, full_matrices=False)[2][:2]
    found = np.linalg.qr(axes.detach().numpy())[0]
    cosines = np.linalg.svd(wanted @ found, compute_uv=False)
    assert cosines.min() > np.cos(np.radians(1)), "principal angles below a degree"


def test_pca_by_deflation_is_the_singular_value_decomposition(plane):
    centred = plane - plane.mean(axis=0)
    left, axes = centred.copy(), []
    for _ in range(3):
        axis = np.ones(6)
        for _ in range(500):  # power iteration on what the axes before leave
            axis = left.T @ (left @ axis)
            axis /= np.linalg.norm(axis)
        left = left - np.outer(left @ axis, axis)
        axes.append(axis)
    net = plugins.resolve(plugins.get_model("pca").net)
    spec, _ = prepared(plane)
    params = make_params(plugins.get_model("pca"), {"latent": 3, "trim": 0.0})
    maps = net(spec, params).fit([centred[:700], centred[700:]])
    overlap = np.abs(np.array(axes) @ maps.encoder)
    assert np.allclose(overlap, np.eye(3), atol=1e-6)


@pytest.fixture(scope="module")
def ppca(plane):
    """(spec, features, inputs, bundle) of probabilistic PCA on the plane, at three decimals."""
    frame = pd.DataFrame(np.round(5 * plane, 3), columns=list("abcdef"))
    options = FitOptions("pca", {"probabilistic": True, "latent": 2})
    ready = operations.fitting.prepare(open_source(frame), options)
    return ready, operations.fit(frame, options)


def test_probabilistic_pca_is_the_gaussian_it_says(ppca):
    ready, made = ppca
    x = ready.features.astype(float)
    mean, cov = x.mean(axis=0), np.cov(x.T, bias=True)
    values, vectors = np.linalg.eigh(cov)
    noise = values[:-2].mean()
    w = vectors[:, -2:] * np.sqrt(values[-2:] - noise)
    c = w @ w.T + noise * np.eye(6)
    parts = made.session("score.onnx", "cpu")(ready.inputs)["parts"].astype(float)
    found = parts.sum(axis=1) * np.log(2) + np.log(2 * ready.spec.half).sum()
    wanted = -scipy.stats.multivariate_normal(mean, c).logpdf(x)
    assert np.allclose(found, wanted, atol=2e-3)
    peer = sklearn.decomposition.PCA(2).fit(x)
    assert -found.mean() == pytest.approx(peer.score(x), abs=2e-3)
    inverse = np.eye(6) / noise - w @ np.linalg.inv(w.T @ w + noise * np.eye(2)) @ w.T / noise
    assert np.allclose(inverse @ c, np.eye(6), atol=1e-9), "Woodbury's identity as documented"


def test_probabilistic_pca_encodes_the_posterior_mean(ppca):
    ready, made = ppca
    x = ready.features.astype(float)
    z = made.session("encoder.onnx", "cpu")(ready.inputs)["z"].astype(float)
    assert np.allclose(z.mean(axis=0), 0, atol=1e-4)
    values = np.linalg.eigvalsh(np.cov(x.T, bias=True))[::-1]
    noise = values[2:].mean()
    # the posterior mean shrinks: its variance is 1 - sigma^2 / lambda, the rest is in its spread
    assert np.allclose(z.var(axis=0), 1 - noise / values[:2], atol=1e-4)


def test_transposed_convolution_is_the_adjoint_of_convolution(blobs):
    spec, _ = blobs
    net = network("ae", spec, tied=True, latent=4).double()
    for down, up in zip(net.encoder, reversed(list(net.decoder)), strict=True):
        maps = [next(m for m in level if hasattr(m, "weight") or hasattr(m, "down")) for level in (down, up)]  # fmt: skip
        rng = torch.Generator().manual_seed(0)
        shape = {1: (3, 64), 2: (3, 1, 8, 8)}
        linear = isinstance(maps[0], torch.nn.Linear)
        wide = maps[0].weight.shape[1]
        x = torch.randn((3, wide) if linear else (3, wide, 8, 8), generator=rng).double()
        with torch.no_grad():
            maps[0].bias.zero_(), maps[1].bias.zero_()
            forward = maps[0](x)
            y = torch.randn(forward.shape, generator=rng).double()
            inner = float((forward * y).sum()), float((x * maps[1](y)).sum())
        assert inner[0] == pytest.approx(inner[1], rel=1e-9), shape


def test_levels_are_trained_one_after_the_other(plane):
    spec, features = prepared(plane)
    net = network("ae", spec, stacked=True, latent=2)
    x, rng = torch.from_numpy(features[:256]), torch.Generator().manual_seed(0)
    weights = lambda: [p.detach().clone() for level in net.encoder for p in level.parameters()]  # noqa: E731
    levels, first = [], net.loss(x, rng).mean().item()
    for stage in net.stages():
        levels.append(net.level)
        before, optimiser = weights(), torch.optim.Adam(stage, lr=3e-3)
        costs = []
        for _ in range(100):
            cost = net.loss(x, rng).mean()
            optimiser.zero_grad()
            cost.backward()
            optimiser.step()
            costs.append(cost.item())
        moved = [not torch.equal(a, b) for a, b in zip(before, weights(), strict=True)]
        wanted = range(3) if net.level is None else [net.level]
        assert moved == [i // 2 in wanted for i in range(6)] and costs[-1] < costs[0]
    assert levels == [0, 1, 2, None] and costs[-1] < 0.95 * first


@pytest.mark.parametrize(("plugin", "params", "copies"), [
    ("ae", {"latent": 40, "width": 64, "depth": 0, "error": "mse"}, True),
    ("ae", {"latent": 2}, False),
    ("denoising", {"latent": 40, "noise": 1.0, "mask": 0.5}, False),
])  # fmt: skip
def test_a_code_that_merely_copies_is_flagged(plane, plugin, params, copies):
    spec, features = prepared(plane)
    model = plugins.get_model(plugin)
    settings = training.Settings(epochs=300 if copies else 60, device="cpu")
    net = plugins.resolve(model.net)
    facts = training.train(net, spec, make_params(model, params), features, settings).facts
    assert facts.get("copies", False) is copies, facts


def test_k_sparse_keeps_exactly_k(plane):
    spec, features = prepared(np.round(plane))
    net = network("sparse", spec, latent=30, k=7)
    assert ((net.encode(torch.from_numpy(features)) != 0).sum(dim=1) == 7).all()


def test_kl_sparsity_is_a_divergence_with_the_right_gradient():
    mean = torch.linspace(0.02, 0.98, 25, dtype=torch.float64, requires_grad=True)
    cost = bernoulli_kl(0.05, mean)
    there, wanted = (torch.distributions.Bernoulli(p) for p in (torch.tensor(0.05).double(), mean))
    assert torch.allclose(cost, torch.distributions.kl_divergence(there, wanted))
    cost.sum().backward()
    h = 1e-6
    with torch.no_grad():
        slope = (bernoulli_kl(0.05, mean + h) - bernoulli_kl(0.05, mean - h)) / (2 * h)
    assert torch.allclose(mean.grad, slope, rtol=1e-5)
    assert float(bernoulli_kl(0.05, torch.tensor(0.05))) == pytest.approx(0, abs=1e-7)


def test_kl_sparsity_reaches_its_target(plane):
    spec, features = prepared(plane)
    params = make_params(plugins.get_model("sparse"), {"l1": 0.0, "kl": 20.0, "rho": 0.1, "latent": 12})  # fmt: skip
    trained = training.train(Sparse, spec, params, features, training.Settings(epochs=60, device="cpu"))  # fmt: skip
    assert trained.facts["mean_activation"] == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize(("plugin", "params"), [
    ("ae", {"tied": True}), ("ae", {"stacked": True}), ("ae", {"depth": 0}), ("sparse", {"k": 2}),
    ("sparse", {"kl": 1.0, "l2": 0.1}),
])  # fmt: skip
@pytest.mark.parametrize("kind", ["table", "image"])
def test_options_work_on_tables_and_pictures(plugin, params, kind, tmp_path):
    from aetool.testing import _Bench

    bench = _Bench(plugins.get_model(plugin), kind)
    made = operations.fit(bench.path, FitOptions(plugin, params, epochs=4, device="cpu"))
    assert np.isfinite(operations.score(bench.path, made, "cpu")).all()


def test_loadings_say_what_a_code_unit_moves(ppca, run, tmp_path):
    ready, made = ppca
    made.save(tmp_path / "m.aem")
    found = json.loads(run("info", tmp_path / "m.aem", "--loadings", "--json").out)["loadings"]
    assert [e["name"] for e in found] == ["z0", "z1"]
    assert found[0]["explained"] > found[1]["explained"] > 0.01
    decode = made.session("decoder.onnx", "cpu")
    moved = np.diff(decode(np.array([[0, 0], [1, 0]], np.float32))["x_hat"], axis=0)[0]
    spread = ready.inputs.std(axis=0) / ready.features.std(axis=0)
    assert np.allclose([found[0][c] for c in "abcdef"], moved / spread, atol=2e-3)
    refused = run("info", tmp_path / "m.aem", "--loadings")
    assert refused.status == 0 and "explained" in refused.out
