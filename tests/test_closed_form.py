"""pca against the mathematics it claims."""

import numpy as np
import onnxruntime as ort
import pytest

from aetool import plugins
from aetool.closed_form import moments, writing
from aetool.columns import layout
from aetool.columns.schema import infer
from aetool.data import scaling
from aetool.data.table import Cells, Table
from aetool.model import make_params
from aetool.testing import pictures
from aetool_pca.net import PCA


def params(**given):
    return make_params(plugins.get_model("pca"), given)


def numbers(X):
    names = tuple(f"c{i}" for i in range(X.shape[1]))
    table = Table(names, tuple(Cells.of([f"{v:.6f}" for v in c]) for c in X.T))
    schema = infer(table)
    X = schema.encode(table, "t")
    return schema, layout.table_spec(schema), layout.table_features(schema, X), X


@pytest.fixture(scope="module")
def related():
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(5, 5))
    return numbers(rng.normal(size=(3000, 5)) @ mix + 10)


def test_moments_stream(related):
    _, _, features, _ = related
    parts = [features[:7], features[7:1000], features[1000:]]
    found = moments(parts, None)
    np.testing.assert_allclose(found.mean, features.mean(0, dtype=float), atol=1e-9)
    np.testing.assert_allclose(found.cov, np.cov(features.T.astype(float), bias=True), atol=1e-9)


def test_code_spans_the_leading_singular_vectors(related):
    _, spec, features, _ = related
    maps = PCA(spec, params(latent=2, trim=0)).fit([features])
    centred = features - features.mean(0)
    _, _, vt = np.linalg.svd(centred.astype(float), full_matrices=False)
    # all principal angles are zero when the product of the two bases has singular values 1
    np.testing.assert_allclose(np.linalg.svd(vt[:2] @ maps.encoder)[1], 1, atol=1e-6)


def test_each_column_is_predicted_as_by_regression_on_the_others(related):
    _, spec, features, _ = related
    maps = PCA(spec, params(trim=0)).fit([features])
    x = features.astype(float)
    predicted = x - maps.prediction.residual(x)
    for j in range(5):
        A = np.column_stack([np.ones(len(x)), np.delete(x, j, axis=1)])
        fitted = A @ np.linalg.lstsq(A, x[:, j], rcond=None)[0]
        np.testing.assert_allclose(predicted[:, j], fitted, atol=2e-3)


def test_a_categorys_own_levels_do_not_predict_it():
    rng = np.random.default_rng(0)
    a = rng.normal(size=500)
    level = np.array(["x", "y", "z"])[rng.integers(0, 3, 500)]
    table = Table(("a", "l"), (Cells.of([f"{v:.3f}" for v in a]), Cells.of(level.tolist())))
    schema = infer(table)
    spec = layout.table_spec(schema)
    features = layout.table_features(schema, schema.encode(table, "t"))
    maps = PCA(spec, params(trim=0)).fit([features])
    _, start, width = spec.categories[0]
    inside = maps.prediction.weights[start : start + width, start : start + width]
    np.testing.assert_allclose(inside, 0, atol=1e-8)


def test_low_rank_prediction_is_that_of_ppca():
    """Pictures keep q components: the same conditionals as the full inverse of that covariance."""
    pixels = pictures(300)
    spec = scaling.image_spec(pixels.shape[1:])
    features = scaling.image_features(pixels)
    flat = [features.reshape(len(features), -1)]
    maps = PCA(spec, params(latent=4, trim=0)).fit(flat)
    found = maps.prediction
    P = found.precision * np.eye(spec.features) - found.left @ found.left.T
    np.testing.assert_allclose(np.diag(P), found.diagonal, rtol=1e-9)
    assert np.linalg.eigvalsh(P).min() > 0
    x = flat[0].astype(float) - maps.mean
    expected = x - (x @ P) / np.diag(P)
    session = ort.InferenceSession(
        writing.write(maps, spec, None, "bits")["score.onnx"],
        providers=["CPUExecutionProvider"],
    )
    got = session.run(["expected"], {"pixels": pixels})[0].reshape(len(pixels), -1)
    wanted = np.clip((expected + maps.mean) * 96 + 96, 0, 255)
    np.testing.assert_allclose(got, wanted, atol=0.05)


def test_tails_are_a_mixture_that_sums_to_one(related):
    _, spec, features, _ = related
    maps = PCA(spec, params()).fit([features])
    np.testing.assert_allclose(maps.weight.sum(axis=0), 1)
    assert (maps.scale > 0).all()


def test_outliers_do_not_move_the_fit():
    """Robust: 3 % of rows far away change the scale of residuals little."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(2000, 3))
    X[:, 2] = X[:, 0] + X[:, 1] + 0.1 * rng.normal(size=2000)
    dirty = X.copy()
    dirty[:60] = rng.uniform(-4, 4, (60, 3))
    clean_maps, dirty_maps = (
        PCA(spec, params()).fit([features]) for _, spec, features, _ in (numbers(X), numbers(dirty))
    )
    bulk = [m.scale[m.weight.argmax(axis=0), np.arange(3)] for m in (clean_maps, dirty_maps)]
    np.testing.assert_allclose(bulk[1], bulk[0], rtol=0.3)


@pytest.mark.parametrize("error", ["mse", "mae"])
def test_plain_error_is_that_of_the_reconstruction(related, error):
    schema, spec, features, X = related
    maps = PCA(spec, params(latent=2, error=error)).fit([features])
    graph = writing.write(maps, spec, schema, error)["score.onnx"]
    parts = ort.InferenceSession(graph, providers=["CPUExecutionProvider"]).run(
        ["parts"], {"x": X}
    )[0]
    off = features - (maps.mean + (features - maps.mean) @ maps.encoder @ maps.decoder)
    expected = off**2 if error == "mse" else np.abs(off)
    np.testing.assert_allclose(parts[:, :-1], expected, rtol=1e-3, atol=1e-4)


def test_a_table_of_constants():
    schema, spec, features, X = numbers(np.ones((30, 2)))
    maps = PCA(spec, params()).fit([features])
    graph = writing.write(maps, spec, schema, "bits")["score.onnx"]
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    usual = session.run(["parts"], {"x": X})[0].sum(axis=1)
    other = session.run(["parts"], {"x": X + 1})[0].sum(axis=1)
    assert np.isfinite(usual).all() and (other > usual + 20).all()
