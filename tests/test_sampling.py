"""Samples follow the model they are drawn from, and are valid records."""

import dataclasses
import io
import itertools
import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import aetool
from aetool import operations
from aetool.bundle import SAMPLING
from aetool.codec.packing import packed, unpacked
from aetool.columns.date import Date
from aetool.columns.schema import Schema
from aetool.errors import BundleError, ParamError
from aetool.operations.sampling import SampleOptions, Sampler, write_samples
from aetool.testing import pictures
from aetool.writing import drawing


@pytest.fixture(scope="module")
def normal():
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(2, 4))
    x = rng.normal(size=(6000, 2)) @ mix + 0.3 * rng.normal(size=(6000, 4)) + [1, 2, 3, 4]
    return pd.DataFrame(x, columns=list("abcd")).round(3)


def test_probabilistic_pca_draws_its_gaussian(normal):
    made = aetool.fit(normal, "pca", probabilistic=True, latent=2)
    drawn = made.sample(6000)
    np.testing.assert_allclose(drawn.mean(), normal.mean(), atol=0.08)
    np.testing.assert_allclose(drawn.cov(), normal.cov(), rtol=0.1, atol=0.08)


def test_codes_and_what_they_leave_are_drawn_as_they_were():
    rng = np.random.default_rng(2)
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0][:2]  # components that are independent
    x = rng.exponential([3.0, 1.0], size=(6000, 2)) @ turn + 0.1 * rng.laplace(size=(6000, 4))
    skewed = pd.DataFrame(x, columns=list("abcd")).round(3)
    drawn = aetool.fit(skewed, "pca", latent=2).sample(6000)
    levels, noise = [0.05, 0.25, 0.5, 0.75, 0.95], np.array([0.25, 0.1, 0.1, 0.1, 0.25])
    for name in skewed:  # a tail's 5 % quantile of 4,096 rows is known to 0.07 deviations
        off = drawn[name].quantile(levels) - skewed[name].quantile(levels)
        assert (np.abs(off / skewed[name].std()) < noise).all(), name
    off = drawn.corr("spearman") - skewed.corr("spearman")
    assert np.abs(off).max(axis=None) < 0.06


def opened(path):
    with Image.open(path) as image:
        image.load()
        return image


# 2,505 steps of a network; a prior that is asked for is drawn from in test_options.py
@pytest.mark.long
def test_a_variational_model_draws_from_its_prior_or_as_its_codes_are():
    rng = np.random.default_rng(0)
    side = rng.choice([-4.0, 4.0], (4000, 1)) * [1, -1, 1]
    data = pd.DataFrame(side + rng.normal(size=(4000, 3)), columns=list("abc")).round(3)
    made = aetool.fit(data, "vae", latent=2, beta=0.2, epochs=167)  # 2,505 steps
    between = [
        float((drawn["a"].abs() < 2).mean())
        for drawn in (data, made.sample(4000), made.sample(4000, prior=True))
    ]
    assert between[0] < 0.03 and between[1] < 0.1 and between[2] > 1.5 * between[1], between
    with pytest.raises(ParamError, match="no prior"):
        aetool.fit(data, "pca").sample(5, prior=True)


def tiny(rows):
    rng = np.random.default_rng(1)
    a = rng.choice(["x", "y", "z"], rows, p=[0.5, 0.3, 0.2])
    b = np.where(rng.random(rows) < 0.8, a == "x", rng.random(rows) < 0.5).astype(int)
    c = np.where(b == 1, "p", rng.choice(["p", "q"], rows))
    return pd.DataFrame({"a": a, "b": b.astype(str), "c": c})


# a training against its mathematics, which no code but its own changes
@pytest.mark.long
def test_autoregressive_samples_have_the_probabilities_of_the_model():
    data = tiny(3000)
    made = aetool.fit(data, "masked", epochs=40, types={"b": "category"})
    every = pd.DataFrame(itertools.product("xyz", "01", "pq"), columns=list("abc"))
    wanted = 2.0 ** -made.score(every)
    drawn = made.sample(8000).astype(str).value_counts(normalize=True)
    found = np.array([drawn.get(tuple(row), 0.0) for row in every.itertuples(index=False)])
    assert wanted.sum() == pytest.approx(1, abs=0.05)  # what is left is for levels never seen
    assert np.abs(found - wanted).max() < 0.02


# a network and its prior take six seconds; what others draw is in the fast set
@pytest.mark.long
def test_discrete_codes_are_drawn_by_the_learned_prior(normal):
    made = aetool.fit(normal, "vq", latent=2, size=4, epochs=12)
    sampler = Sampler(made, "cpu", 0)
    codes = sampler._drawn_discrete_codes(np.zeros((20_000, 2)), None)
    session = made.session("prior.onnx", "cpu")
    every = np.array(list(itertools.product(range(4), range(4))), dtype=np.float32)
    logits = session(every)["logits"].astype(float)
    p = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    rows = np.arange(len(every))
    wanted = p[rows, 0, every[:, 0].astype(int)] * p[rows, 1, every[:, 1].astype(int)]
    assert wanted.sum() == pytest.approx(1, abs=1e-5), "codes depend on those before them alone"
    found = [(codes == one).all(axis=1).mean() for one in every]
    assert np.abs(np.array(found) - wanted).max() < 0.015


def test_near_is_as_near_as_asked(normal):
    made = aetool.fit(normal, "pca", latent=2)
    given = normal[:500]
    z = made.encode(given)

    def off(spread):
        sampler = Sampler(made, "cpu", 0)
        sampler.recipe = dataclasses.replace(sampler.recipe, noise=sampler.recipe.noise * 0)
        x = sampler.near(given.to_numpy(), spread)
        again = made.encode(pd.DataFrame(x, columns=list("abcd")))
        return np.abs(again - z).mean()

    steps = [off(s) for s in (0.0, 0.2, 0.6, 1.0)]
    assert steps[0] < 0.01 and steps == sorted(steps) and steps[-1] > 0.5
    whole = Sampler(made, "cpu", 0).near(given.to_numpy(), 1.0)
    assert np.abs(whole.mean(axis=0) - normal.mean()).max() < 0.3, "the whole distribution"


def test_files_of_samples(air, air_pca, tmp_path, run):
    out = tmp_path / "s.csv"
    assert run("sample", "-m", air_pca, "-n", 300, "-o", out).status == 0
    real, drawn = pd.read_csv(air), pd.read_csv(out)
    assert list(drawn) == list(real) and len(drawn) == 300
    assert set(drawn["wd"].dropna()) <= set(real["wd"].dropna())
    assert real["time"].min() <= drawn["time"].min() < drawn["time"].max() <= real["time"].max()
    for name in ("PM10", "TEMP", "RAIN"):
        assert real[name].min() <= drawn[name].min() <= drawn[name].max() <= real[name].max()
    assert (drawn["PM10"].dropna() % 1 == 0).all()
    again = tmp_path / "again.parquet"
    assert run("sample", "-m", air_pca, "-n", 300, "-o", again).status == 0
    assert pd.read_parquet(again)["wd"].equals(drawn["wd"].astype("str"))
    piped = run("sample", "-m", air_pca, "-n", 2, "-o", "-")
    lines = piped.out.splitlines()
    assert piped.status == 0 and len(lines) == 3 and lines[0] == out.read_text().splitlines()[0]
    near = tmp_path / "near.csv"
    lines = air.read_text().splitlines()[:11]
    (tmp_path / "few.csv").write_text(
        "\n".join(f"{v},{'note' if i == 0 else f'n{i}'}" for i, v in enumerate(lines))
    )
    done = run("sample", "-m", air_pca, "--like", tmp_path / "few.csv", "-n", 3, "-o", near)
    assert done.status == 0, done.err
    found = pd.read_csv(near)
    assert found["time"].tolist() == real["time"][:10].repeat(3).tolist(), "what is not modelled"
    plane = tmp_path / "plane.csv"
    assert run("sample", "-m", air_pca, "--grid", "-n", 49, "-o", plane).status == 0
    assert len(pd.read_csv(plane)) == 49
    assert run("sample", "-m", air_pca, "--grid", "-n", 49, "-o", tmp_path / "p.png").status == 0
    assert opened(tmp_path / "p.png").size[0] > 400
    for wrong, words in (
        (["-o", tmp_path / "x.png"], "takes --grid"),
        (["-o", out], "exists already"),
        (["--grid", "--like", air, "-o", tmp_path / "x.csv"], "exclude"),
    ):
        bad = run("sample", "-m", air_pca, *wrong)
        assert bad.status == 2 and words in bad.err
    assert not (tmp_path / "x.png").exists() and not (tmp_path / "x.csv").exists()


def test_no_map_is_drawn_where_nothing_is_predicted(tmp_path):
    """Dates are context, which no code carries."""
    schema = Schema((Date("when"),))
    grid = np.zeros((9, 1))
    with pytest.raises(ParamError, match=r"of its columns \(when\) it predicts none"):
        drawing.maps(io.BytesIO(), schema, grid, np.zeros((9, 2)), 3)


@pytest.fixture(scope="module")
def typed(tmp_path_factory):
    """A Parquet file of many types, and a model of it."""
    rng = np.random.default_rng(0)
    rows = 600
    cents = rng.integers(0, 999, rows).tolist()
    columns = {
        "id": pa.array(np.arange(rows) * 7),
        "took": pa.array(rng.integers(1, 10**9, rows), pa.duration("us")),
        "day": pa.array(rng.integers(0, 10**9, rows), pa.timestamp("ms")),
        "clock": pa.array(rng.integers(0, 86399, rows).astype(np.int32), pa.time32("ms")),
        "x": rng.normal(size=rows),
        "few": pa.array(rng.integers(0, 50, rows), pa.int16()),
        "word": pa.array(rng.choice(["a", "b"], rows)).dictionary_encode(),
        "is": pa.array(rng.random(rows) > 0.5),
        "price": pa.array([Decimal(cent).scaleb(-2) for cent in cents], pa.decimal128(8, 2)),
    }
    path = tmp_path_factory.mktemp("typed") / "typed.parquet"
    pq.write_table(pa.table(columns), path)
    return path, aetool.fit(path, "pca")


def test_records_are_written_in_the_types_of_the_source(typed, tmp_path):
    path, model = typed
    table = pq.read_table(path)
    write_samples(model, tmp_path / "s.parquet", SampleOptions(count=5))
    drawn = pq.read_table(tmp_path / "s.parquet")
    # what models do not see is not drawn
    assert drawn.schema.equals(table.drop_columns(["id"]).schema)
    options = SampleOptions(count=1, like=path)
    write_samples(model, tmp_path / "near.parquet", options)
    near = pq.read_table(tmp_path / "near.parquet")
    assert near.schema.equals(table.schema)
    for kept in ("id", "took", "day", "clock"):
        assert near[kept].equals(table[kept]), kept
    assert model.sample(5)["took"].dtype.kind == "m"


def test_codes_and_what_is_decoded_have_the_types_of_the_source(typed, tmp_path, run):
    path, model = typed
    model.save(tmp_path / "m.aem")
    table = pq.read_table(path)
    codes, back = tmp_path / "codes.parquet", tmp_path / "back.parquet"
    command = ("encode", path, "-m", tmp_path / "m.aem", "--id", "took,id", "-o", codes)
    assert run(*command).status == 0
    beside = pq.read_table(codes)
    assert beside["took"].equals(table["took"]) and beside["id"].equals(table["id"])
    assert run("decode", codes, "-m", tmp_path / "m.aem", "-o", back).status == 0
    decoded = pq.read_table(back)
    assert decoded["took"].equals(table["took"])
    for name in ("x", "few", "word", "is", "price"):
        assert decoded.schema.field(name).type == table.schema.field(name).type


def test_truths_of_json_lines_are_written_without_quotes(tmp_path):
    rng = np.random.default_rng(0)
    pairs = zip((rng.random(200) > 0.5).tolist(), rng.normal(size=200).tolist(), strict=True)
    lines = "".join(json.dumps({"is": is_so, "x": x}) + "\n" for is_so, x in pairs)
    path = tmp_path / "t.jsonl"
    path.write_text(lines, encoding="utf-8")
    aetool.fit(path, "pca").denoise(path, tmp_path / "d.jsonl", fill_missing=True)
    first = json.loads((tmp_path / "d.jsonl").read_text("utf-8").splitlines()[0])
    assert first["is"] is json.loads(lines.splitlines()[0])["is"]


def test_sheets_of_pictures(tmp_path, run):
    np.save(tmp_path / "p.npy", pictures(60)[:, 0])
    aetool.fit(tmp_path / "p.npy", "pca", latent=2).save(tmp_path / "m.aem")
    m = ("-m", tmp_path / "m.aem")
    for name, more, across, down in (
        ("drawn", ["-n", 9], 3, 3),
        ("plane", ["-n", 16, "--grid"], 4, 4),
        ("near", ["--like", tmp_path / "p.npy", "-n", 2], 3, 60),
    ):
        out = tmp_path / f"{name}.png"
        assert run("sample", *m, *more, "-o", out).status == 0
        scale = 64 // 8
        assert opened(out).size == (scale * (across * 10 + 2), scale * (down * 10 + 2))
    sheet = np.array(opened(tmp_path / "near.png"))[::8, ::8]
    assert np.array_equal(sheet[2:10, 2:10], pictures(60)[0, 0]), "the given one comes first"
    assert run("sample", *m, "-n", 5, "-o", tmp_path / "s.npy").status == 0
    assert np.load(tmp_path / "s.npy").shape == (5, 8, 8)


@pytest.mark.parametrize("options", [{}, {"grid": True}, {"like": True}], ids=str)
def test_more_records_than_memory_holds_are_refused_at_once(
    normal, options, tmp_path, run, monkeypatch
):
    made = aetool.fit(normal[:100], "pca", latent=2)
    if "like" in options:
        options = {"like": normal[:3]}
    with pytest.raises(ParamError, match="count must be at least 1, got -5"):
        made.sample(-5, **options)
    for count in (10**30, 10**5000):
        with pytest.raises(ParamError, match="count .*: so many records do not fit into memory"):
            made.sample(count, **options)
    # 100 records of 4 columns, of 8 bytes each
    monkeypatch.setattr("aetool.system.memory", lambda: 3200)
    with pytest.raises(ParamError, match="has room for 100 of them at most: ask for fewer at once"):
        made.sample(101, **options)
    assert len(made.sample(100)) == 100
    # a file is written piece by piece
    made.save(tmp_path / "m.aem")
    done = run("sample", "-m", tmp_path / "m.aem", "-n", 101, "-o", tmp_path / "s.csv")
    assert done.status == 0 and "s.csv: 101 records" in done.err


def test_a_recipe_that_makes_no_sense_is_refused(normal):
    made = aetool.fit(normal, "pca", latent=2)
    arrays, words = unpacked(made.graphs[SAMPLING])
    bad = {
        "short": ({**arrays, "codes": arrays["codes"][:-1]}, words),
        "nan": ({**arrays, "factor": arrays["factor"] * np.nan}, words),
        "wide": ({**arrays, "noise": np.zeros((29, 7), np.float32)}, words),
        "prior": (arrays, {**words, "prior": "other"}),
    }
    for given in bad.values():
        graphs = {**made.graphs, SAMPLING: packed(*given)}
        with pytest.raises(BundleError, match="sampling"):
            operations.sample(dataclasses.replace(made, graphs=graphs), SampleOptions(3))
    graphs = {k: v for k, v in made.graphs.items() if k != SAMPLING}
    with pytest.raises(BundleError, match="fit it again"):
        operations.sample(dataclasses.replace(made, graphs=graphs), SampleOptions(3))


def test_a_table_is_printed_where_no_file_is_named(run, air_pca, tmp_path):
    printed = run("sample", "-m", air_pca, "-n", 3)
    assert printed.status == 0 and not printed.err
    assert run("sample", "-m", air_pca, "-n", 3, "-o", tmp_path / "s.csv").status == 0
    assert printed.out == (tmp_path / "s.csv").read_text()
