"""Prototypes, and models joined: what is added up is what the members say."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

import aetool
from aetool import operations, plugins, rarity
from aetool.closed_form import evaluated
from aetool.data.sources import open_source
from aetool.errors import BundleError, ParamError, PluginError
from aetool.fits import fitting, preparing, single_fit
from aetool.model import make_params
from aetool.nn import Likelihood
from aetool.operations import FitOptions
from aetool.rarity import Rarity

# Seconds, as which members are tried depends on the budget alone: so many that none is left out,
# and so many that no clock can matter to the training.
EVERY_MEMBER = 1e9


@pytest.fixture(scope="module")
def clusters():
    rng = np.random.default_rng(0)
    place = rng.uniform(-10, 10, (8, 3))
    x = place[rng.integers(0, 8, 1500)] + 0.2 * rng.normal(size=(1500, 3))
    return pd.DataFrame(x, columns=list("abc")).round(3)


@pytest.fixture(scope="module")
def remembered(clusters):
    return operations.fit(clusters, FitOptions("prototypes", {"size": 32}))


def ready(data):
    return preparing.prepare(open_source(data), FitOptions("prototypes"))


def test_the_code_is_the_nearest_prototype(clusters, remembered):
    p = ready(clusters)
    z = remembered.session("encoder.onnx", "cpu")(p.inputs)["z"]
    every = np.arange(remembered.facts["code_levels"], dtype=np.float32)[:, None]
    centres = remembered.session("decoder.onnx", "cpu")(every)["likely"]
    far = ((p.features[:, None].astype(float) - centres[None]) ** 2).sum(axis=2)
    assert np.array_equal(z[:, 0], far.argmin(axis=1))
    assert far.min(axis=1).mean() < 0.01, "each cluster has its prototypes"


def test_its_score_is_a_mixture_of_gaussians_bounded_by_the_nearest(clusters):
    p = ready(clusters)
    model = plugins.get_model("prototypes")
    net = plugins.resolve(model.net)
    graphs, memory = single_fit.solve(net, make_params(model, {"size": 32}), p, p.kept)
    made = dataclasses.replace(operations.fit(clusters, FitOptions("pca")), graphs=graphs)
    score = operations.score(clusters, made, "cpu")
    square = ((p.features[:, None] - memory.centres[None]) ** 2).sum(axis=2)
    variance = float(memory.deviation[0]) ** 2
    log_p = -square / (2 * variance) - 1.5 * np.log(2 * np.pi * variance)
    log_p = np.log(np.exp(log_p - log_p.max(axis=1, keepdims=True)).sum(axis=1)) + log_p.max(axis=1)
    log_p += np.log(2 * p.spec.half).sum() - np.log(len(memory.centres))
    off = score - -log_p / np.log(2)
    assert (off > -0.05).all() and np.median(off) < 1.5, "an upper bound, and near"


def test_an_outlier_does_not_make_itself_at_home(clusters):
    dirty = pd.concat([clusters, pd.DataFrame([[60.0, -60.0, 60.0]], columns=list("abc"))])
    found = operations.detect(dirty, fit=FitOptions("prototypes", {"size": 64}), top=1)
    assert found.row[0] == len(dirty) - 1
    made = operations.fit(dirty, FitOptions("prototypes", {"size": 64}))
    assert operations.score(dirty, made, "cpu").argmax() == len(dirty) - 1


def test_parts_of_a_join_are_the_members_joined(rows_csv):
    chosen = FitOptions("auto", epochs=5, device="cpu", max_time=EVERY_MEMBER)
    made = operations.fit(rows_csv, chosen)
    model = plugins.get_model("auto")
    p = preparing.prepare(open_source(rows_csv), FitOptions("auto"))
    members, parts = [], []
    tried = [
        member
        for member in model.members
        if "plain" in member.fits
        and "table" in member.data
        and member.suits(p.spec.features, bool(p.spec.categories))
    ]
    for member in tried:
        params = make_params(plugins.get_model(member.model), member.params)
        options = FitOptions(member.model, member.params, epochs=5, device="cpu")
        own = fitting.fitted(plugins.get_model(member.model), params, p, options, None)
        joins = {"in_bits": member.in_bits, "adds_bits": member.adds_bits, "weight": member.weight}
        weighed = dataclasses.replace(own, **joins)
        members.append(weighed)
        parts.append(own.bundle.session("score.onnx", "cpu")(p.inputs)["parts"].astype(float))
    rarities = [
        Rarity.told(len(m.parts))
        if m.in_bits
        else Rarity.of(
            m.parts.sum(axis=1, dtype=np.float64), least=1 / np.log(2) if m.adds_bits else 0.05
        )
        for m in members
    ]
    usual = [np.median(m.parts, axis=0) for m in members]
    weights = [m.weight for m in members]
    expected = rarity.joined(parts, usual, rarities, weights)
    got = made.session("score.onnx", "cpu")(p.inputs)["parts"]
    assert np.allclose(got, expected, rtol=1e-3, atol=1e-3)
    assert made.facts["members"] == [member.model for member in tried]
    assert "left_out" not in made.facts
    assert made.calibration.rows == 30, "rows that no member has seen"
    score = expected.sum(axis=1)
    bits = np.stack([r.of_scores(v.sum(axis=1)) for r, v in zip(rarities, parts, strict=True)])
    mean = np.average(2 ** (rarity.SHARPNESS * bits), axis=0, weights=weights)
    assert np.allclose(score, np.log2(mean) / rarity.SHARPNESS)
    with pytest.raises(BundleError, match="several models"):
        from aetool.nn import load

        load(made)


def test_without_torch_a_join_is_of_what_there_is(rows_csv, monkeypatch):
    resolve = plugins.resolve

    def without(path):
        if "denoising" in path:
            raise PluginError(f"{path} needs torch")
        return resolve(path)

    monkeypatch.setattr(plugins, "resolve", without)
    made = operations.fit(rows_csv, FitOptions("auto", max_time=EVERY_MEMBER))
    assert made.facts["members"] == ["pca", "neighbours", "elm", "tails", "histogram", "dependence"]
    assert "needs torch" in made.facts["left_out"]["denoising"]
    quick = operations.fit(rows_csv, FitOptions("auto"))
    assert quick.facts["members"] == made.facts["members"]
    assert quick.facts["left_out"]["denoising"] == "takes 30 s"
    assert quick.facts["seconds_needed"] == {"denoising": 30.0}
    assert np.isfinite(operations.score(rows_csv, made, "cpu")).all()


# it fits four members to large pictures; what is left out for its time is told in the fast set
@pytest.mark.long
def test_large_pictures_leave_out_what_takes_too_long(tmp_path, run):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "p.npy", rng.integers(0, 255, (30, 80, 60), dtype=np.uint8))
    done = run("fit", tmp_path / "p.npy", "-p", "auto", "--epochs", 1, "-o", tmp_path / "m.aem")
    assert done.status == 0, done.err
    assert "joins pca, views, patches, surface: " in done.err
    assert "tails" not in done.err, "which is of tables"
    assert "code of" in done.err
    assert run("detect", tmp_path / "p.npy", "-m", tmp_path / "m.aem").status == 0


def test_what_is_left_out_for_its_time_names_the_option_that_brings_it_in(rows_csv, tmp_path, run):
    done = run("fit", rows_csv, "-o", tmp_path / "m.aem")
    assert "without denoising, which takes 30 s: --max-time 30 brings it in" in done.err


def test_what_is_left_out_for_its_width_is_told_with_the_reason(tmp_path, run):
    rng = np.random.default_rng(0)
    table = tmp_path / "wide.csv"
    pd.DataFrame(rng.normal(size=(30, 257)).round(2)).add_prefix("x").to_csv(table, index=False)
    done = run("fit", table, "-o", tmp_path / "m.aem")
    said = "dependence, which is for at most 256 features, and the columns here make 257"
    assert f"without {said}" in done.err
    assert aetool.load(tmp_path / "m.aem").facts["left_out"]["dependence"] in said


def test_a_short_max_time_begins_no_more_models_and_cuts_none(rows_csv, tmp_path, run):
    told = " ".join(run("fit", "--help").out.split())
    assert "auto begins no more models; what was begun is ended. Without it nothing is cut" in told
    done = run("fit", rows_csv, "-o", tmp_path / "m.aem", "--max-time", "0.000001")
    assert done.status == 0, done.err
    assert operations.info(tmp_path / "m.aem")["fit_members"] == ["pca"]
    assert "\nwithout neighbours: no time left of 1e-06 s\n" in done.err


def test_a_network_that_torch_is_missing_for_is_not_brought_in_by_time(
    rows_csv, tmp_path, run, monkeypatch
):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = run("fit", rows_csv, "-o", tmp_path / "m.aem")
    assert (
        "without denoising, which takes 30 s and torch, which is not installed: "
        "pip install 'aetool[train]' and then --max-time 30 bring it in"
    ) in done.err


def test_a_model_without_a_code_says_nothing_of_one(tmp_path, run):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "p.npy", rng.integers(0, 255, (12, 16, 16), dtype=np.uint8))
    done = run("fit", tmp_path / "p.npy", "-p", "views", "-o", tmp_path / "m.aem")
    assert done.status == 0 and "pictures (1, 16, 16), " in done.err and "code of" not in done.err


@pytest.mark.usefixtures("fits_once")
def test_a_join_takes_no_parameters_and_must_be_fitted(rows_csv, run):
    with pytest.raises(ParamError, match="has no parameter"):
        aetool.fit(rows_csv, "auto", latent=3)
    refused = run("detect", rows_csv, "-p", "vae")
    assert refused.status == 2 and "takes a closed form" in refused.err
    assert run("detect", rows_csv, "-p", "auto").out == run("detect", rows_csv).out
    assert (
        "joins pca + views + patches + surface + neighbours + elm + tails + histogram + trees"
        " + ranks + dependence + denoising" in run("plugins", "show", "auto").out
    )


def test_one_scale_for_all_is_taught_by_squared_errors(clusters):
    spec = ready(clusters).spec
    net = Likelihood(spec, shared=True)
    x = torch.randn(4000, 3, generator=torch.Generator().manual_seed(0))
    mean = torch.zeros(4000, 3, requires_grad=True)
    net.train()(x, mean).sum().backward()
    assert torch.allclose(mean.grad, mean.detach() - x, rtol=1e-3), (
        "the gradient of half the squared error"
    )
    for _ in range(400):
        net.zero_grad()
        net(x, mean.detach()).sum(dim=1).mean().backward()
        with torch.no_grad():
            net.log_scale -= 0.1 * net.log_scale.grad
    assert float(net.log_scale.detach().exp()) == pytest.approx(1.0, abs=0.03)
    parts = net.eval()(x, mean.detach())
    half = torch.from_numpy(spec.half).float()
    normal = torch.distributions.Normal(0.0, net.log_scale.detach().exp())
    assert torch.allclose(parts[:, :3], -normal.log_prob(x) - (2 * half).log(), atol=1e-4)


@pytest.fixture(scope="module")
def wide(clusters):
    return operations.fit(clusters, FitOptions("elm", {"latent": 64}))


def test_the_decoder_of_random_units_is_the_least_squares_one(clusters):
    spec = ready(clusters).spec
    params = make_params(plugins.get_model("elm"), {"latent": 40, "noise": 0.0})
    net = plugins.resolve(plugins.get_model("elm").net)(spec, params)
    x = ready(clusters).features
    found = net.fit([x])
    z = evaluated(found.encode, spec, x)
    assert (z >= 0).all() and (z == 0).mean() > 0.2
    best = np.column_stack([z, np.ones(len(z))])
    theirs = best @ np.linalg.lstsq(best, x, rcond=None)[0]
    ours = ((evaluated(found.decode, spec, z) - x) ** 2).mean()
    least = ((theirs - x) ** 2).mean()
    assert least <= ours < least + 0.02, "but for the ridge, and the rows kept aside"


def test_it_pulls_noise_back_to_where_records_lie(clusters, wide):
    x = ready(clusters).features.astype(float)
    prepared = ready(clusters)
    encoder = wide.session("encoder.onnx", "cpu")(prepared.inputs)["z"]
    likely = wide.session("decoder.onnx", "cpu")(encoder)["likely"]
    moved = x + 0.5 * np.random.default_rng(0).standard_normal(x.shape)
    spread = (x.std(axis=0), x.mean(axis=0))
    assert likely.shape == x.shape and np.abs(likely - x).mean() < 0.3 * spread[0].mean()
    net = plugins.resolve(plugins.get_model("elm").net)
    params = make_params(plugins.get_model("elm"), {"latent": 256, "noise": 0.5})
    found = net(prepared.spec, params).fit([prepared.features])
    back = evaluated(found.expected, prepared.spec, moved)
    assert ((back - x) ** 2).mean() < 0.8 * ((moved - x) ** 2).mean()


def test_what_contradicts_itself_counts_more_where_there_are_words(clusters):
    """Of rows without words the linear model counts as one member, of rows with words as two; of
    every other member the weight is the same."""
    rng = np.random.default_rng(1)
    with_words = clusters.assign(kind=rng.choice(["x", "y"], len(clusters)))
    members = plugins.get_model("auto").members
    plain = [m for m in members if "table" in m.data and "plain" in m.fits]
    for frame, weight in ((clusters, 1.0), (with_words, 2.0)):
        has_words = "kind" in frame
        weights = {m.model: m.weight for m in plain if m.suits(4, has_words)}
        assert weights["pca"] == weight
        model = operations.fit(frame, FitOptions("auto"))
        assert model.facts["members"].count("pca") == 1
    same = {m.model: m.weight for m in plain if m.words is None}
    assert "pca" not in same and len(same) > 3


def test_a_member_suits_by_features_and_words():
    bounded = aetool.Member("pca", least=3, most=5)
    assert [bounded.suits(n) for n in (2, 3, 5, 6)] == [False, True, True, False]
    assert bounded.suits(3, has_words=True)
    of_words = aetool.Member("pca", words=True)
    assert of_words.suits(3, has_words=True) and not of_words.suits(3)
    without = aetool.Member("pca", words=False)
    assert without.suits(3) and not without.suits(3, has_words=True)
