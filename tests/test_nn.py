"""The networks' mathematics against independent oracles."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

from aetool import plugins, training
from aetool.columns import layout
from aetool.columns.schema import infer
from aetool.data import scaling
from aetool.data.table import Table
from aetool.errors import ParamError
from aetool.model import make_params
from aetool.nn import Likelihood, backbone, kl_to_standard_normal, starting
from aetool.testing import pictures, table_rows


@pytest.fixture(scope="module")
def data():
    rows = table_rows(300)
    schema = infer(rows)
    spec = layout.table_spec(schema)
    return spec, torch.from_numpy(layout.table_features(schema, schema.encode(rows, "t")))


def make(name, spec, **given):
    model = plugins.get_model(name)
    return training.make(plugins.resolve(model.net), spec, make_params(model, given), 0).eval()


def test_kl_is_that_of_torch():
    mean, log_var = torch.randn(50, 4), torch.randn(50, 4)
    there, prior = Normal(mean, (0.5 * log_var).exp()), Normal(0.0, 1.0)
    expected = kl_divergence(there, prior)
    torch.testing.assert_close(kl_to_standard_normal(mean, log_var), expected)
    assert not kl_to_standard_normal(torch.zeros(1, 3), torch.zeros(1, 3)).any()


def test_likelihood_of_flags_and_categories_is_that_of_torch(data):
    spec, x = data
    likelihood = Likelihood(spec)
    parameters = torch.randn_like(x)
    parts = likelihood(x, parameters)
    for column, start, width in spec.categories:
        target = x[:, start : start + width].argmax(dim=1)
        expected = nn.functional.cross_entropy(
            parameters[:, start : start + width], target, reduction="none"
        )
        torch.testing.assert_close(parts[:, column], expected)
    ((feature, column),) = spec.flags
    bernoulli = nn.functional.binary_cross_entropy_with_logits(
        parameters[:, feature], x[:, feature], reduction="none"
    )
    missing = x[:, feature] == 1
    torch.testing.assert_close(parts[missing, column], bernoulli[missing])
    assert (parts[~missing, column] >= bernoulli[~missing]).all(), "a present value costs more"
    assert (parts[:, -1] == 0).all() and (parts >= 0).all()


def test_context_costs_nothing(data):
    spec, x = data
    time = spec.columns.index("time")
    assert (Likelihood(spec)(x, torch.randn_like(x))[:, time] == 0).all()
    assert (spec.owners() == -1).sum() == 2, "sine and cosine of the hour of the day"


# thousands of draws of a network against its sixteen
@pytest.mark.long
def test_sixteen_draws_are_close_to_many(data):
    spec, x = data
    net = training.train(
        plugins.resolve("aetool_vae.net:VAE"), spec, make_params(plugins.get_model("vae"), {}),
        x.numpy(), training.Settings(epochs=150),
    ).net  # fmt: skip
    with torch.no_grad():
        few = net.parts(x).sum(dim=1)
        mean, log_var = net.posterior(x)
        rng = torch.Generator().manual_seed(0)
        total = torch.zeros(len(x))
        for _ in range(4096 // 64):
            noise = torch.randn((64, *mean.shape), generator=rng)
            z = (mean + (0.5 * log_var).exp() * noise).flatten(0, 1)
            cost = net.likelihood(x.repeat(64, 1), net.decode(z)).sum(dim=1)
            total += cost.reshape(64, -1).sum(dim=0)
        divergence = kl_to_standard_normal(mean, log_var).sum(dim=1)
        many = total / 4096 + divergence
    assert float(((few - many).abs() / many).mean()) < 0.02
    assert np.corrcoef(few, many)[0, 1] > 0.99
    assert float(divergence.mean()) > 0.1, "the code carries something"


def test_beta_weighs_the_divergence(data):
    spec, x = data
    one, none = make("vae", spec, beta=1.0), make("vae", spec, beta=0.0)
    draws = [net.loss(x, torch.Generator().manual_seed(0)) for net in (one, none)]
    divergence = kl_to_standard_normal(*one.posterior(x)).sum(dim=1)
    torch.testing.assert_close(draws[0] - draws[1], divergence)


def test_k_is_at_most_the_code(data):
    with pytest.raises(ParamError, match="k of sparse"):
        make("sparse", data[0], latent=4, k=5)


def test_l1_is_added_to_the_loss(data):
    spec, x = data
    with_l1, without = make("sparse", spec, l1=0.5), make("sparse", spec, l1=0.0)
    rng = torch.Generator()
    gap = (with_l1.loss(x, rng) - without.loss(x, rng)).mean()
    torch.testing.assert_close(
        gap, 0.5 * with_l1.encode(x).abs().sum(dim=1).mean(), rtol=1e-4, atol=1e-4
    )


# a training against its mathematics, which no code but its own changes
@pytest.mark.long
def test_l1_makes_codes_sparser(data):
    spec, x = data
    sizes = []
    for l1 in (0.0, 3.0):
        model = plugins.get_model("sparse")
        net = training.train(plugins.resolve(model.net), spec, make_params(model, {"l1": l1}),
                             x.numpy(), training.Settings(epochs=150)).net  # fmt: skip
        sizes.append(float(net.encode(x).detach().abs().mean()))
    assert sizes[1] < 0.5 * sizes[0]


def test_corruption_is_as_declared(data):
    spec, x = data
    net = make("denoising", spec, noise=0.5, mask=0.3)
    seen = net.corrupt(x, torch.Generator().manual_seed(0))
    context = torch.from_numpy(spec.owners() == -1)
    assert torch.equal(seen[:, context], x[:, context]), "context is never corrupted"
    _, start, width = spec.categories[0]
    blank = (seen[:, start : start + width].sum(dim=1) == 0).float().mean()
    assert abs(float(blank) - 0.3) < 0.1
    numbers = torch.from_numpy(spec.numeric)
    kept = seen[:, numbers] != 0
    noise = (seen - x)[:, numbers][kept]
    assert abs(float(noise.std()) - 0.5) < 0.1
    still = make("denoising", spec, noise=0.0, mask=0.0)
    assert torch.equal(still.corrupt(x, torch.Generator()), x)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 7, 9), (1, 28, 28), (1, 3, 5)])
def test_convolutions_give_back_any_size(shape):
    encoder, decoder = backbone(scaling.image_spec(shape), 5, width=32, depth=3)
    z = encoder(torch.zeros(2, *shape))
    assert z.shape == (2, 5) and decoder(z).shape == (2, *shape)


def test_pictures_have_a_cost_for_every_pixel():
    spec = scaling.image_spec((1, 8, 8))
    x = torch.from_numpy(scaling.image_features(pictures(5)))
    parts = make("vae", spec).parts(x)
    assert parts.shape == (5, 65) and torch.isfinite(parts).all()


def principal_error(x, k):
    """Mean squared error a number of PCA with k components of x itself, by SVD."""
    left = x - x.mean(axis=0)
    deviations = np.linalg.svd(left, compute_uv=False)
    return float((deviations[k:] ** 2).sum() / x.size)


@pytest.fixture(scope="module")
def cloud():
    """600 rows of eight related numbers: (spec, features)."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(600, 3)) @ rng.normal(size=(3, 8)) + 0.3 * rng.normal(size=(600, 8))
    schema = infer(Table(tuple("abcdefgh"), tuple(x.T)), {}, {}, ".")
    features = layout.table_features(
        schema, schema.encode(Table(tuple("abcdefgh"), tuple(x.T)), "x")
    )
    return layout.table_spec(schema), features


@pytest.mark.parametrize(("name", "given"), [
    ("ae", {}), ("ae", {"tied": True}), ("ae", {"depth": 0}), ("denoising", {}), ("vae", {}),
    ("vae", {"posterior": "full"}),
])  # fmt: skip
def test_networks_start_at_pca(cloud, name, given):
    spec, features = cloud
    net, x = make(name, spec, latent=3, **given), torch.from_numpy(features)
    training.start(net, x)
    with torch.no_grad():
        error = float((net.decode(net.encode(x)) - x).square().mean())
    assert error == pytest.approx(principal_error(features.astype(float), 3), rel=1e-3)


def test_pictures_start_at_pca():
    spec = scaling.image_spec((1, 8, 8))
    features = scaling.image_features(pictures(80))
    net, x = make("ae", spec, latent=4), torch.from_numpy(features)
    training.start(net, x)
    with torch.no_grad():
        error = float((net.decode(net.encode(x)) - x).square().mean())
    flat = features.reshape(80, -1).astype(float)
    assert error == pytest.approx(principal_error(flat, 4), rel=1e-3)


def test_axes_of_many_features_are_those_of_few(monkeypatch):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 40)) * np.r_[9.0, 7.0, 5.0, np.full(37, 0.5)]
    exact = starting.principal(x, 3)
    monkeypatch.setattr(starting, "EXACT", 10)
    found = starting.principal(x, 3)
    assert np.allclose(np.abs(exact[1].T @ found[1]), np.eye(3), atol=1e-3)
    assert np.allclose(exact[2], found[2], rtol=1e-3)


# a training against its mathematics, which no code but its own changes
@pytest.mark.long
def test_a_linear_autoencoder_has_the_error_of_pca(cloud):
    spec, features = cloud
    model = plugins.get_model("ae")
    params = make_params(model, {"depth": 0, "latent": 3})
    code = training.train(plugins.resolve(model.net), spec, params, features,
                          training.Settings(epochs=400, device="cpu")).facts["code"]  # fmt: skip
    assert 1 - code["explained"] <= 1.01 * (1 - code["pca_explained"])


def test_scales_are_the_likeliest():
    """Residuals drawn from a mixture: its scales and weights come back."""
    rng = np.random.default_rng(0)
    x = np.where(rng.random((20_000, 2)) < 0.9, 0.1, 1.5) * rng.normal(size=(20_000, 2))
    spec = layout.table_spec(infer(Table(("a", "b"), tuple(x.T)), {}, {}, "."))
    likelihood = Likelihood(spec)
    likelihood.start(torch.from_numpy(x).float(), torch.zeros(20_000, 2))
    scale, weight = likelihood.mixture()
    assert np.allclose(scale.detach().numpy(), [[0.1, 0.1], [1.5, 1.5]], rtol=0.05)
    assert np.allclose(weight.detach().numpy(), [[0.9, 0.9], [0.1, 0.1]], atol=0.02)


def test_means_follow_squares_and_scales_follow_means(cloud):
    spec, features = cloud
    x = torch.from_numpy(features[:50])
    mean = torch.zeros_like(x, requires_grad=True)
    likelihood = Likelihood(spec, means="squares").train()
    likelihood(x, mean).sum().backward()
    weight = -mean.grad / x  # of each number in the squared error
    assert torch.allclose(weight, weight[:1].expand_as(weight), rtol=1e-3), "far values count fully"
    plain = Likelihood(spec).train()
    plain(x, torch.zeros_like(x)).sum().backward()
    assert torch.allclose(plain.log_scale.grad, likelihood.log_scale.grad), "scales: by likelihood"
    with torch.no_grad():
        assert torch.allclose(likelihood(x, mean), plain(x, mean), atol=1e-5), "the same value"


# 200 epochs each
@pytest.mark.parametrize(
    "given", [{}, pytest.param({"k": 3, "latent": 24}, marks=pytest.mark.long)]
)
def test_sparse_codes_are_exact_zeros_of_a_dictionary_of_unit_columns(cloud, given):
    spec, features = cloud
    model = plugins.get_model("sparse")
    trained = training.train(plugins.resolve(model.net), spec, make_params(model, given), features,
                             training.Settings(epochs=200, device="cpu"))  # fmt: skip
    net, facts = trained.net, trained.facts
    norms = net.decoder.linear.weight.detach().norm(dim=0)
    assert torch.allclose(norms, torch.ones_like(norms), atol=1e-5)
    z = net.encode(torch.from_numpy(features)).detach()
    part = float((z != 0).float().mean())
    assert part == 3 / 24 if given else part <= 0.25
    assert (z == 0).all(dim=0).sum() <= 4 and facts["code"]["units"] == z.shape[1]
    assert facts["code"]["explained"] > 0.9


def test_units_that_are_hardly_taken_are_let_in(cloud):
    spec, features = cloud
    net = make("sparse", spec, latent=8, k=2).train()
    x, rng = torch.from_numpy(features), torch.Generator().manual_seed(0)
    training.start(net, x)
    with torch.no_grad():
        net.encoder.linear.weight[5] *= 1e-3
        net.encoder.linear.bias[5] *= 1e-3
    net.train()
    assert not (net.encode(x)[:, 5] != 0).any()
    for _ in range(400):
        net.loss(x, rng)
        net.after_step(rng)
    assert (net.encode(x)[:, 5] != 0).any()
    assert ((net.encode(x) != 0).sum(dim=1) == 2).all()
