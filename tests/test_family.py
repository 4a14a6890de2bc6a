"""Each model against an independent oracle of its mathematics."""

import dataclasses
import json

import numpy as np
import onnx
import pandas as pd
import pytest
import scipy.stats
import sklearn.decomposition
import torch

import aetool
from aetool import operations, plugins, training
from aetool.columns import layout
from aetool.columns.schema import infer
from aetool.data import scaling
from aetool.data.sources import open_source
from aetool.data.table import Cells, Table
from aetool.errors import ParamError
from aetool.fits import preparing, single_fit
from aetool.model import make_params
from aetool.operations import FitOptions
from aetool.testing import _Bench
from aetool_ae.net import Plain
from aetool_masked.net import MADE
from aetool_sparse.net import Sparse, bernoulli_kl
from aetool_vae.net import VAE
from aetool_vae.posteriors import KINDS


def prepared(x):
    """(spec, features) of a table of these numbers."""
    table = Table(tuple(f"c{i}" for i in range(x.shape[1])), tuple(x.T.astype(np.float64)))
    schema = infer(table, {}, {}, ".")
    return layout.table_spec(schema), layout.table_features(schema, schema.encode(table, "x"))


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


# 300 epochs each
@pytest.mark.parametrize("tied", [pytest.param(False, marks=pytest.mark.long), True])
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
    ready = preparing.prepare(open_source(frame), options)
    made = operations.fit(frame, options)
    # one model of all rows, not the folds of it that a bundle scores by
    model = plugins.get_model("pca")
    params = make_params(model, options.params)
    graphs, _ = single_fit.solve(plugins.resolve(model.net), params, ready, ready.kept)
    return ready, dataclasses.replace(made, graphs={**made.graphs, **graphs}, _sessions={})


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
    # sixty epochs each
    ("ae", {"latent": 2}, False),
    pytest.param("denoising", {"latent": 40, "noise": 1.0, "mask": 0.5}, False,
                 marks=pytest.mark.long),
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


# a training against its mathematics, which no code but its own changes
@pytest.mark.long
def test_kl_sparsity_reaches_its_target(plane):
    spec, features = prepared(plane)
    params = make_params(plugins.get_model("sparse"), {"l1": 0.0, "kl": 20.0, "rho": 0.1, "latent": 12})  # fmt: skip
    trained = training.train(Sparse, spec, params, features, training.Settings(epochs=60, device="cpu"))  # fmt: skip
    assert trained.facts["mean_activation"] == pytest.approx(0.1, abs=0.03)


@pytest.fixture(scope="module")
def brief():
    """A function: the bench of a plugin and its short fit with these parameters, fitted once."""
    found = {}

    def fit(plugin, params, kind):
        key = (plugin, kind, repr(params))
        if key not in found:
            bench = _Bench(plugins.get_model(plugin), kind)
            options = FitOptions(plugin, params, epochs=4, device="cpu")
            found[key] = bench, operations.fit(bench.path, options)
        return found[key]

    return fit


def on_both_kinds(options):
    """Each case of options on tables and on pictures, of which the fast set tries the kinds that are
    named with it, and the long set the others: a fit of a network takes seconds."""
    return [
        pytest.param(
            plugin, params, kind, marks=() if kind in fast else pytest.mark.long,
            id=f"{plugin}-{'-'.join(params)}-{kind}",
        )
        for plugin, params, fast in options
        for kind in ("table", "image")
    ]  # fmt: skip


@pytest.mark.parametrize(("plugin", "params", "kind"), on_both_kinds([
    # weights that are tied are maps of two kinds, of convolutions and, in a test above, of layers
    ("ae", {"tied": True}, ("image",)),
    ("ae", {"stacked": True}, ()),
    ("ae", {"depth": 0}, ("table",)),
    ("sparse", {"k": 2}, ("image",)),
    ("sparse", {"kl": 1.0, "l2": 0.1}, ()),
    ("pca", {"probabilistic": True}, ("table", "image")),
    ("vae", {"posterior": "full", "latent": 4}, ("image",)),
    ("vae", {"posterior": "flow", "latent": 4}, ()),
    ("vae", {"posterior": "fixed", "score": "iwae", "draws": 2, "free_bits": 0.1}, ()),
    # likelihoods of pixels are of the fast set in test_vae_pixels.py, codebooks in test_searching.py,
    # layers one by one with `denoising`, and what others add to a loss in tests of that loss
    ("vae", {"pixels": "bernoulli", "latent": 4}, ()),
    ("vae", {"pixels": "logistic", "latent": 4}, ()),
    ("vq", {"relax": "gumbel", "latent": 3, "size": 16}, ()),
    ("vq", {"levels": 2, "latent": 6, "size": 16}, ()),
    ("denoising", {"block": 0.2, "salt": 0.1, "swap": 0.1, "shift": 0.1, "stacked": True},
     ("image",)),
]))  # fmt: skip
def test_options_work_on_tables_and_pictures(plugin, params, kind, brief):
    bench, made = brief(plugin, params, kind)
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
    # in place of the facts, as its help says
    assert "threshold" not in refused.out and "In place of these facts" in run("info", "--help").out


def test_a_decoder_that_is_bent_has_no_loadings(ppca, run, tmp_path):
    _, made = ppca
    decoder = onnx.ModelProto.FromString(made.graphs["decoder.onnx"])
    (product,) = [node for node in decoder.graph.node if node.op_type == "Gemm"]
    straight = product.output[0]
    product.output[0] = "straight"
    place = list(decoder.graph.node).index(product)
    decoder.graph.node.insert(place + 1, onnx.helper.make_node("Tanh", ["straight"], [straight]))
    graphs = {**made.graphs, "decoder.onnx": decoder.SerializeToString(deterministic=True)}
    dataclasses.replace(made, graphs=graphs).save(tmp_path / "m.aem")
    done = run("info", tmp_path / "m.aem", "--loadings")
    assert done.status == 2 and "whose decoder is linear" in done.err, done


# ---- denoising


def spiral(rows, noise, seed=0):
    rng = np.random.default_rng(seed)
    t = 1.5 * np.pi * (1 + 2 * np.sort(rng.uniform(0, 1, rows)))
    clean = np.column_stack([t * np.cos(t), t * np.sin(t)]) / 10
    return clean, clean + noise * rng.normal(size=clean.shape)


# a network of 75 epochs against the mathematics, which no plugin changes
@pytest.mark.long
def test_a_denoiser_steps_towards_the_manifold():
    """The reconstruction of a noisy point minus the point is the score of the density of noisy
    points, times the noise's variance (Alain & Bengio 2014): it points to the curve."""
    clean, _ = spiral(4000, 0.0)
    spec, features = prepared(clean)
    given = {"noise": 0.12, "mask": 0.0, "latent": 32, "width": 64, "depth": 3, "error": "mse"}
    model = plugins.get_model("denoising")
    settings = training.Settings(epochs=75, device="cpu")
    net = training.train(plugins.resolve(model.net), spec, make_params(model, given), features, settings).net  # fmt: skip
    rng = np.random.default_rng(1)
    noisy = features + 0.12 * rng.normal(size=features.shape).astype(np.float32)
    with torch.no_grad():
        step = net.decode(net.encode(torch.from_numpy(noisy))).numpy() - noisy
    nearest = features[((noisy[:, None] - features[None, ::4]) ** 2).sum(axis=2).argmin(axis=1) * 4]
    wanted = nearest - noisy
    far = np.linalg.norm(wanted, axis=1) > 0.05
    cosine = (step * wanted).sum(axis=1) / np.linalg.norm(step, axis=1) / np.linalg.norm(wanted, axis=1)  # fmt: skip
    assert np.median(cosine[far]) > 0.9, np.median(cosine[far])


@pytest.mark.parametrize(
    ("name", "part"), [("mask", 0.3), ("block", 0.4), ("salt", 0.3), ("swap", 0.3)]
)
@pytest.mark.parametrize("kind", ["table", "image"])
def test_damage_is_as_much_as_asked(plane, blobs, name, part, kind):
    spec, features = prepared(plane) if kind == "table" else blobs
    none = {"noise": 0.0, "mask": 0.0}
    net = network("denoising", spec, **{**none, name: part})
    x = torch.from_numpy(features)
    seen = net.corrupt(x, torch.Generator().manual_seed(0))
    changed = (seen != x).float().mean()
    slack = 0.12 if kind == "image" or name == "block" else 0.03  # equal pixels; whole columns
    assert abs(float(changed) - part) < slack + 0.15 * (kind == "image"), float(changed)
    if name in ("mask", "block"):
        assert set(seen[seen != x].tolist()) == {0.0}
    if name == "salt":
        assert len(set(np.round(seen[seen != x].tolist(), 4))) == 2
    if name == "swap" and kind == "table":
        for own, mixed in zip(x.T, seen.T, strict=True):
            assert set(mixed.tolist()) <= set(own.tolist()), "a column keeps its own values"
    again = net.corrupt(x, torch.Generator().manual_seed(0))
    assert torch.equal(seen, again)


# a training against its mathematics, which no code but its own changes
@pytest.mark.long
def test_pairs_teach_what_no_noise_is_like(tmp_path, run):
    """Damage that is not random: every value doubled and moved."""
    rng = np.random.default_rng(0)
    clean = pd.DataFrame(rng.normal(size=(1200, 2)) @ rng.normal(size=(2, 4)), columns=list("abcd")).round(3)  # fmt: skip
    noisy = (0.5 * clean + 1 + 0.05 * rng.normal(size=clean.shape)).round(3)
    noisy.to_csv(tmp_path / "noisy.csv", index=False)
    clean.to_csv(tmp_path / "clean.csv", index=False)
    fit = ["fit", tmp_path / "noisy.csv", "-p", "denoising", "--epochs", 60, "-O", "error=mse"]
    assert run(*fit, "--target", tmp_path / "clean.csv", "-o", tmp_path / "m.aem").status == 0
    made = aetool.load(tmp_path / "m.aem")
    back = made.decode(made.encode(tmp_path / "noisy.csv"))
    before, after = (float(((f - clean) ** 2).mean().mean()) for f in (noisy, back))
    assert after < 0.1 * before
    refused = run(*fit[:3], "pca", "--target", tmp_path / "clean.csv", "-o", tmp_path / "p.aem")
    assert refused.status == 2 and "does not learn from pairs" in refused.err
    clean[:100].to_csv(tmp_path / "few.csv", index=False)
    refused = run(*fit, "--target", tmp_path / "few.csv", "-o", tmp_path / "p.aem")
    assert refused.status == 2 and "row by row" in refused.err


# ---- variational autoencoders


def gaussians():
    rng = torch.Generator().manual_seed(0)
    return torch.randn((40, 64), generator=rng)


class Given:
    sigma, flow = 0.7, 3


@pytest.mark.parametrize("kind", ["diagonal", "full", "fixed"])
def test_divergences_are_those_of_torch(kind):
    q = KINDS[kind](4, Given())
    h = gaussians()[:, : q.size]
    mean, log_sigma = q.moments(h)
    factor = torch.diag_embed(log_sigma.exp()) + (q.factor(h) if kind == "full" else 0)
    there = torch.distributions.MultivariateNormal(mean, scale_tril=factor)
    prior = torch.distributions.MultivariateNormal(torch.zeros(4), torch.eye(4))
    wanted = torch.distributions.kl_divergence(there, prior)
    assert torch.allclose(q.kl(h).sum(dim=1), wanted, rtol=1e-4, atol=1e-4)
    eps = torch.randn((40, 5, 4), generator=torch.Generator().manual_seed(1))
    z, log_q = q.sample(h, eps)
    densities = torch.stack([there.log_prob(z[:, i]) for i in range(5)], dim=1)
    assert torch.allclose(log_q.sum(dim=2), densities, rtol=1e-3, atol=2e-3)


def test_a_flow_changes_volume_by_its_triangular_jacobian():
    q = KINDS["flow"](4, Given()).double()
    with torch.no_grad():
        for step in q.before:
            step.linear.weight.normal_(0, 0.5, generator=torch.Generator().manual_seed(0))
    h = gaussians()[:1, : q.size].double()
    eps = torch.randn((1, 1, 4), generator=torch.Generator().manual_seed(1)).double()
    jacobian = torch.autograd.functional.jacobian(lambda e: q.sample(h, e)[0].flatten(), eps)
    _, log_q = q.sample(h, eps)
    wanted = torch.distributions.Normal(0.0, 1.0).log_prob(eps).sum()
    wanted = wanted - jacobian.reshape(4, 4).det().abs().log()
    assert log_q.sum().item() == pytest.approx(wanted.item(), abs=1e-8)
    step = KINDS["flow"](4, type("One", (), {"flow": 1})).double()
    one = torch.autograd.functional.jacobian(lambda e: step.sample(h, e)[0].flatten(), eps)
    ordered = one.reshape(4, 4).flip(0)  # the order is reversed once
    assert torch.equal(ordered, torch.tril(ordered)), "triangular"


# two hundred thousand draws of each: the fast set has the two of the most terms
@pytest.mark.parametrize(
    "posterior",
    [
        pytest.param("diagonal", marks=pytest.mark.long),
        pytest.param("full", marks=pytest.mark.long),
        "flow",
        pytest.param("fixed", marks=pytest.mark.long),
    ],
)
def test_the_elbo_is_what_many_draws_say(plane, posterior):
    spec, features = prepared(plane)
    net = network("vae", spec, posterior=posterior, latent=3, samples=256).eval()
    x = torch.from_numpy(features[:30])
    with torch.no_grad():
        eps = torch.randn((30, 20000, 3), generator=torch.Generator().manual_seed(0))
        cost, ratio = net.bound(x, net.encoder(x), eps)
        wanted = cost.sum(dim=2).mean(dim=1) + ratio.sum(dim=2).mean(dim=1)
        found = net.parts(x).sum(dim=1)
    assert torch.allclose(found, wanted, atol=0.05 * float(wanted.std()) + 0.05)


def test_reparameterised_gradients_are_unbiased():
    """d/d mean of E[z^3] under N(mean, sigma^2) is 3 mean^2 + 3 sigma^2."""
    q = KINDS["diagonal"](1, Given())
    h = torch.tensor([[0.8, -0.3]], requires_grad=True)
    eps = torch.randn((1, 400_000, 1), generator=torch.Generator().manual_seed(0))
    q.sample(h, eps)[0].pow(3).mean().backward()
    sigma = np.exp(-0.3)
    assert float(h.grad[0, 0]) == pytest.approx(3 * 0.8**2 + 3 * sigma**2, rel=0.02)
    # d/d log sigma of E[z^3] = E[3 z^2 sigma eps] = 6 mean sigma^2
    assert float(h.grad[0, 1]) == pytest.approx(6 * 0.8 * sigma**2, rel=0.03)


def test_bounds_are_ordered_and_tight_for_a_linear_gaussian(ppca):
    """With probabilistic PCA's weights the posterior is exact, and ELBO = IWAE = log p(x)."""
    ready, made = ppca
    x = torch.from_numpy(ready.features[:50])
    net = network("vae", ready.spec, posterior="full", latent=2, depth=0, samples=256).eval()
    cov = np.cov(ready.features.T.astype(float), bias=True)
    values, vectors = np.linalg.eigh(cov)
    values, vectors = values[::-1].copy(), vectors[:, ::-1].copy()
    noise = values[2:].mean()
    w = vectors[:, :2] * np.sqrt(values[:2] - noise)
    mean = ready.features.mean(axis=0)
    with torch.no_grad():
        down, up = net.encoder[0][0], net.decoder[0][0]
        down.weight.zero_(), down.bias.zero_()
        down.weight[:2] = torch.from_numpy((w / values[:2]).T.copy())
        down.bias[:2] = torch.from_numpy(-(mean @ (w / values[:2])))
        down.bias[2:4] = torch.from_numpy(0.5 * np.log(noise / values[:2]))
        up.weight.copy_(torch.from_numpy(w)), up.bias.copy_(torch.from_numpy(mean))
        net.likelihood.log_scale.fill_(0.5 * np.log(noise))
        net.likelihood.weight_logit.zero_()  # both parts alike: one Gaussian
        exact = made.session("score.onnx", "cpu")(ready.inputs[:50])["parts"].sum(axis=1)
        elbo = net.parts(x).sum(dim=1).numpy() / np.log(2)
        assert np.allclose(elbo, exact, atol=0.05)

        def iwae(draws):
            eps = torch.randn((50, draws, 2), generator=torch.Generator().manual_seed(2))
            cost, ratio = net.bound(x, net.encoder(x), eps)
            log_w = -cost.sum(dim=2) - ratio.sum(dim=2)
            return (np.log(draws) - torch.logsumexp(log_w, dim=1)).numpy() / np.log(2)

        assert np.allclose(iwae(50), exact, atol=0.01), "exact posterior: every weight is p(x)"
        down.bias[:2] += 1.5  # a posterior beside the true one: bounds, and each tighter
        elbo = net.parts(x).sum(dim=1).numpy() / np.log(2)
        bounds = [elbo.mean(), iwae(50).mean(), iwae(5000).mean(), exact.mean()]
        assert bounds[0] > bounds[1] + 0.1 and bounds[1] > bounds[2] > bounds[3] - 0.01, bounds


def test_limits_of_beta_and_of_a_fixed_deviation(plane):
    spec, features = prepared(plane)
    x = torch.from_numpy(features[:100])
    rng = lambda: torch.Generator().manual_seed(3)  # noqa: E731
    net = network("vae", spec, latent=2, beta=0.0)
    plain = net.likelihood(x, net.decode(net.q.sample(net.encoder(x), torch.randn((100, 1, 2), generator=rng()))[0][:, 0])).sum(dim=1)  # fmt: skip
    assert torch.allclose(net.loss(x, rng()), plain, atol=1e-4), "beta = 0: expected cost alone"
    sharp = network("vae", spec, latent=2, posterior="fixed", sigma=1e-3, beta=0.0)
    z = sharp.encode(x)
    reconstruction = sharp.likelihood(x, sharp.decode(z)).sum(dim=1)
    assert torch.allclose(sharp.loss(x, rng()), reconstruction, atol=0.2), "a plain autoencoder"
    kl = network("vae", spec, latent=2, posterior="fixed", sigma=1.0).q.kl(z).sum(dim=1)
    assert torch.allclose(kl, 0.5 * z.square().sum(dim=1), atol=1e-5), (
        "sigma = 1: weight decay of the code"
    )


def test_iwae_scores_are_tighter_and_still_add_up(plane):
    spec, features = prepared(plane)
    x = torch.from_numpy(features[:200])
    elbo, iwae = (network("vae", spec, latent=2, score=s, samples=64) for s in ("elbo", "iwae"))
    with torch.no_grad():
        a, b = elbo.parts(x), iwae.parts(x)
    assert b.shape == a.shape and float((a.sum(dim=1) - b.sum(dim=1)).min()) > -0.2
    assert float(a.sum(dim=1).mean()) > float(b.sum(dim=1).mean())


# a training against its mathematics, which no code but its own changes
@pytest.mark.long
def test_free_bits_keep_units_alive(plane):
    rng = np.random.default_rng(1)
    spec, features = prepared(rng.normal(size=(800, 3)))  # nothing to learn: KL would vanish
    settings = training.Settings(epochs=80, device="cpu")
    kept = []
    for free in (0.0, 0.5):
        params = make_params(plugins.get_model("vae"), {"latent": 2, "free_bits": free, "beta": 4.0})  # fmt: skip
        kept.append(training.train(VAE, spec, params, features, settings).facts["kl_nats"])
    assert kept[0] < 0.1 and kept[1] > 0.4, kept


def test_the_mismatch_with_the_prior_is_that_of_gaussians(plane):
    spec, _ = prepared(plane)
    net = network("vae", spec, latent=2, depth=0)
    with torch.no_grad():
        net.encoder[0][0].weight.zero_()
        net.encoder[0][0].bias.copy_(torch.tensor([3.0, 0.0, 0.0, 0.0]))
        found = net.report(torch.zeros(4000, spec.features))
    assert found["prior_mismatch_nats"] == pytest.approx(4.5, abs=0.2), "KL(N(3, 1) || N(0, 1))"
    assert found["active_units"] == 1


# ---- masked autoencoder


@pytest.mark.parametrize("order", ["given", "random"])
@pytest.mark.parametrize("depth", [0, 2])
def test_made_is_autoregressive(order, depth):
    rng = np.random.default_rng(0)
    frame = {f"c{i}": Cells.of([f"{v:.2f}" for v in rng.normal(size=200)]) for i in range(4)}
    frame["k"] = Cells.of(rng.choice(["x", "y", "z"], 200).tolist())
    table = Table(tuple(frame), tuple(frame.values()))
    schema = infer(table)
    spec = layout.table_spec(schema)
    x = torch.from_numpy(layout.table_features(schema, schema.encode(table, "t"))[:1])
    net = network("masked", spec, order=order, depth=depth)
    jacobian = torch.autograd.functional.jacobian(lambda v: net.expected(v)[0], x)[:, 0].abs()
    place = np.arange(5) if order == "given" else np.random.default_rng(0).permutation(5)
    owners = spec.owners()
    for out, source in np.ndindex(*jacobian.shape):
        before = place[owners[source]] < place[owners[out]]
        assert (float(jacobian[out, source]) > 0) == before, (out, source)


def test_made_probabilities_sum_to_one():
    rng = np.random.default_rng(0)
    a = rng.choice(["x", "y"], 3000)
    b = np.where(rng.random(3000) < 0.8, a, "w")
    names, values = ("a", "b", "c"), (a, b, rng.choice(["p", "q", "r"], 3000))
    table = Table(names, tuple(Cells.of(v.tolist()) for v in values))
    schema = infer(table)
    spec, features = layout.table_spec(schema), layout.table_features(schema, schema.encode(table, "t"))  # fmt: skip
    params = make_params(plugins.get_model("masked"), {})
    net = training.train(MADE, spec, params, features, training.Settings(epochs=40, device="cpu")).net  # fmt: skip
    widths = [w for _, _, w in spec.categories]
    every = np.zeros((int(np.prod(widths)), spec.features), np.float32)
    for i, levels in enumerate(np.ndindex(*widths)):
        for (_, start, _), level in zip(spec.categories, levels, strict=True):
            every[i, start + level] = 1
    with torch.no_grad():
        nats = net.parts(torch.from_numpy(every)).sum(dim=1).double()
    assert float((-nats).exp().sum()) == pytest.approx(1, abs=1e-5)
    seen = {tuple(f) for f in features.tolist()}
    there = np.array([tuple(f) in seen for f in every.tolist()])
    assert float((-nats).exp()[there].sum()) > 0.95, "and lie where the data are"


# a training against its mathematics, which no code but its own changes
@pytest.mark.long
def test_made_beats_independent_columns(plane):
    spec, features = prepared(plane)
    params = make_params(plugins.get_model("masked"), {})
    trained = training.train(MADE, spec, params, features, training.Settings(epochs=60, device="cpu"))  # fmt: skip
    alone = training.make(MADE, spec, params, 0)
    with torch.no_grad():
        for p in alone.parameters():
            p.zero_()
        x = torch.from_numpy(features[trained.held_out])
        assert trained.net.parts(x).sum(dim=1).mean() < alone.parts(x).sum(dim=1).mean() - 3


# ---- vector quantisation


def test_codes_are_nearest_neighbours(plane):
    spec, features = prepared(plane)
    net = network("vq", spec, latent=3, size=20, dim=4)
    x = torch.from_numpy(features[:100])
    v = net.encoder(x).detach().reshape(100, 3, 1, 4)
    wanted = ((v - net.book) ** 2).sum(dim=3).argmin(dim=2)
    assert torch.equal(net.encode(x).long(), wanted)
    entries = net.entries(wanted).reshape(100, 3, 4)
    assert torch.equal(entries, torch.stack([net.book[i][wanted[:, i]] for i in range(3)], dim=1))


def test_gradients_pass_straight_through(plane):
    spec, features = prepared(plane)
    net = network("vq", spec, latent=2, size=8, commitment=0.0).train()
    x = torch.from_numpy(features[:20])
    seen = {}
    net.encoder.register_forward_hook(lambda *a: (a[2].retain_grad(), seen.update(h=a[2]))[1])
    net.decoder.register_forward_pre_hook(lambda m, a: (a[0].retain_grad(), seen.update(e=a[0]))[1])
    net.loss(x, torch.Generator()).sum().backward()
    assert torch.equal(seen["h"].grad, seen["e"].grad) and seen["h"].grad.abs().sum() > 0
    assert torch.allclose(seen["e"], net.entries(net.chosen(seen["h"])), atol=1e-6)


# a training against its mathematics, which no code but its own changes
@pytest.mark.long
def test_entries_are_moving_averages_and_dead_ones_revive(plane):
    spec, features = prepared(plane)
    net = network("vq", spec, latent=1, size=4, dim=2).train()
    x, rng = torch.from_numpy(features[:256]), torch.Generator().manual_seed(0)
    with torch.no_grad():
        net.book[0, 3] = 1e6  # no vector is near
    for _ in range(800):
        net.loss(x, rng)
        net.after_step(rng)
    v = net.encoder(x).detach()
    codes = net.chosen(v)[:, 0]
    for k in range(4):
        assert (codes == k).any(), "revived"
        assert torch.allclose(net.book[0, k], v[codes == k].mean(dim=0), atol=0.05), k


def test_the_prior_over_codes_sums_to_one(plane):
    spec, _ = prepared(plane)
    net = network("vq", spec, latent=3, size=5)
    every = torch.cartesian_prod(*[torch.arange(5)] * 3)
    with torch.no_grad():
        assert float((-net.nats_of_codes(every).sum(dim=1)).exp().sum()) == pytest.approx(
            1, abs=1e-5
        )
        other = every.clone()
        other[:, 2] = 0
        assert torch.equal(net.nats_of_codes(other)[:, :2], net.nats_of_codes(every)[:, :2]), (
            "only codes before"
        )


def test_two_levels_are_each_quantised_and_the_top_steers_the_rest(plane):
    spec, features = prepared(plane)
    net = network("vq", spec, latent=6, size=20, dim=4, levels=2)
    x = torch.from_numpy(features[:100])
    v = net.vectors(x).detach()
    assert v.shape == (100, 24) and net.top == 2
    far = (v.reshape(100, 6, 1, 4) - net.book).square().sum(dim=3)
    codes = far.argmin(dim=2)
    assert torch.equal(net.encode(x).long(), codes)
    with torch.no_grad():
        h = net.encoder(x)
        other = net.entries((codes[:, :2] + 1) % 20)
        below = net.down(torch.cat([other, h], dim=1))
    assert float((below - v[:, 8:]).abs().mean()) > 0.01, "other codes above, others below"
    net.loss(x, torch.Generator()).sum().backward()
    for part in (net.up, net.down, net.encoder):
        assert all(p.grad.abs().sum() > 0 for p in part.parameters())
    for wrong in ({"latent": 1}, {"latent": 6, "relax": "gumbel"}):
        with pytest.raises(ParamError, match="levels=2"):
            network("vq", spec, levels=2, **wrong)


# a codebook that tells codes apart takes seconds to be learned; conformance stores codes of a short fit
@pytest.mark.long
@pytest.mark.parametrize("relax", ["nearest", "gumbel"])
def test_discrete_codes_are_what_compression_stores(plane, relax, tmp_path):
    frame = pd.DataFrame(plane.round(2), columns=list("abcdef"))
    frame.to_csv(tmp_path / "t.csv", index=False)
    options = FitOptions("vq", {"latent": 3, "size": 32, "relax": relax}, epochs=60, device="cpu")
    made = operations.fit(tmp_path / "t.csv", options)
    assert made.facts["code_levels"] == 32 and made.facts["codebook_perplexity"] > 4
    lossy = operations.CompressOptions(lossy_only=True, device="cpu")
    facts = operations.compress(tmp_path / "t.csv", tmp_path / "t.aez", made, lossy)
    made.save(tmp_path / "m.aem")
    operations.decompress(tmp_path / "t.aez", tmp_path / "o.csv", model=made, device="cpu")
    back = pd.read_csv(tmp_path / "o.csv")
    direct = aetool.load(tmp_path / "m.aem")
    codes = direct.encode(tmp_path / "t.csv")
    assert set(np.unique(codes)) <= set(range(32)), "whole numbers"
    assert np.allclose(back, direct.decode(codes), atol=0.011)
    assert facts["archive_bytes"] - facts.get("model_bytes", 0) < 1500 * 3 * 6 / 8 + 2000
    spread = float(((frame - frame.mean()) ** 2).mean().mean())
    assert float(((back - frame) ** 2).mean().mean()) < 0.4 * spread


@pytest.mark.parametrize(("plugin", "params", "kind"), on_both_kinds([
    ("vae", {}, ("table",)),
    ("vae", {"posterior": "flow", "latent": 4}, ()),
    ("ae", {"tied": True}, ("image",)),
    ("vq", {}, ()),
    ("denoising", {}, ("table",)),
    ("sparse", {}, ("image",)),
]))  # fmt: skip
def test_a_bundle_is_torch_again(plugin, params, kind, brief, tmp_path):
    from aetool.nn import load

    bench, made = brief(plugin, params, kind)
    made.save(tmp_path / "m.aem")
    net = load(tmp_path / "m.aem")
    with torch.no_grad():
        z = net.encode(torch.from_numpy(bench.prepared.features[:50])).numpy()
    wanted = made.session("encoder.onnx", "cpu")(bench.prepared.inputs[:50])["z"]
    # a vector between two entries may go to either
    assert np.isclose(z, wanted, atol=1e-4).mean() > (0.97 if plugin == "vq" else 0.9999)
    net.loss(torch.from_numpy(bench.prepared.features[:8]), torch.Generator()).mean().backward()


def test_what_cannot_be_torch_again_is_refused(ppca):
    from aetool.errors import BundleError
    from aetool.nn import load

    with pytest.raises(BundleError, match="closed form"):
        load(ppca[1])
