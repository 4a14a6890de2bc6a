"""Tables and pictures of more columns than rows: no matrix of features by features, and as good."""

import importlib
import itertools
import math
import os
import subprocess
import sys
import types

import numpy as np
import onnx
import pandas as pd
import pytest

from aetool import operations
from aetool.closed_form import DENSE, few_rows, leading, moments
from aetool.detection.ranking import auroc
from aetool.fits import fitting, single_fit
from aetool.operations import FitOptions

by_axes = importlib.import_module("aetool.closed_form.leading")
WALL = 4096  # features that pca and elm once took at most


def frame_of(x):
    return pd.DataFrame(x, columns=[f"c{column}" for column in range(x.shape[1])])


def of_factors(rows, columns, factors=8, seed=0):
    """Columns that a few hidden factors drive, and some noise of their own."""
    rng = np.random.default_rng(seed)
    hidden = rng.standard_normal((rows, factors))
    loads = rng.standard_normal((factors, columns)) / math.sqrt(factors)
    return hidden @ loads + 0.3 * rng.standard_normal((rows, columns))


def of_pairs(rows, columns, seed=0):
    """Sensors in pairs that measure one thing each: no axis tells more than two of them."""
    rng = np.random.default_rng(seed)
    hidden = np.repeat(rng.standard_normal((rows, columns // 2)), 2, axis=1)
    return hidden + 0.3 * rng.standard_normal((rows, columns))


def with_broken_rows(x, part, seed=1):
    """(rows some of whose values are those of other rows, which is one of them by row): each value
    is ordinary, and only what belongs together tells."""
    rng = np.random.default_rng(seed)
    broken = x.copy()
    is_broken = np.zeros(len(x), dtype=bool)
    is_broken[rng.choice(len(x), max(3, len(x) // 100), replace=False)] = True
    for row in np.flatnonzero(is_broken):
        columns = rng.choice(x.shape[1], int(part * x.shape[1]), replace=False)
        broken[row, columns] = x[rng.choice(len(x), len(columns)), columns]
    return broken, is_broken


def assert_same_axes(found, x, weights=None):
    """The variances and axes are those of the whole covariance."""
    whole = moments([x], weights)
    variances, axes = np.linalg.eigh(whole.cov)
    count = len(found.variances)
    np.testing.assert_allclose(found.mean, whole.mean, atol=1e-6)
    np.testing.assert_allclose(found.variances, variances[::-1][:count], rtol=1e-3)
    np.testing.assert_allclose(found.total, variances.sum(), rtol=1e-6)
    spanned = axes[:, ::-1][:, :count].T @ found.vectors
    np.testing.assert_allclose(np.linalg.svd(spanned, compute_uv=False), 1, atol=1e-3)


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("gram", [by_axes.GRAM, 1])
def test_leading_axes_are_those_of_the_covariance(monkeypatch, gram, weighed):
    """By products of rows, and by random axes; with and without weights."""
    monkeypatch.setattr(by_axes, "GRAM", gram)
    monkeypatch.setattr(by_axes, "STRIP", 64)
    monkeypatch.setattr(by_axes, "BLOCK_NUMBERS", 1 << 14)
    x = of_factors(300, 200).astype(np.float32)
    weights = np.random.default_rng(1).random(300) if weighed else None
    found = leading([x[:7], x[7:]], 8, weights)
    assert found.vectors.shape == (200, 8)
    assert_same_axes(found, x, weights)
    np.testing.assert_allclose(found.vectors.T @ found.vectors, np.eye(8), atol=1e-6)
    again = leading(np.split(x, [100, 101, 250]), 8, weights)
    assert np.array_equal(found.vectors, again.vectors) and found.total == again.total


def test_all_axes_of_few_rows_make_the_same_distances_as_a_covariance():
    x = of_factors(40, 90).astype(np.float32)
    found = leading([x], 1000)
    assert found.vectors.shape == (90, 39)
    exact = moments([x]).squares([x])
    np.testing.assert_allclose(found.squares([x]), exact, rtol=1e-4)


def test_of_wide_rows_few_are_read_at_once():
    x = np.zeros((500, 1 << 14), np.float32)
    assert len(few_rows([x])) <= 128
    assert len(few_rows([x[:, :4]])) == 500


def sizes_of_constants(model):
    """How many numbers each stored array of the score graph holds."""
    graph = onnx.ModelProto.FromString(model.graphs["score.onnx"]).graph
    return [math.prod(tensor.dims) for tensor in graph.initializer]


# each takes seconds; axes of many features are of the fast set in the tests above and below
SLOW_BY_WIDTH = [
    pytest.param(n, marks=pytest.mark.long) for n in ("pca", "elm", "neighbours", "prototypes")
]


@pytest.mark.parametrize("plugin", ["tails", *SLOW_BY_WIDTH])
def test_more_features_than_the_old_wall(plugin):
    columns = WALL + 4
    x = of_factors(50, columns)
    model = operations.fit(frame_of(x[:30]), FitOptions(plugin))
    # no matrix of columns by columns
    assert max(sizes_of_constants(model)) <= 256 * columns
    odd = x[30:].copy()
    odd[:5, ::2] += 8
    scores = operations.score(frame_of(odd), model, "cpu")
    assert scores[:5].min() > scores[5:].max()


# random axes of 900 rows take six seconds, and are compared with the covariance above
@pytest.mark.parametrize("rows", [200, pytest.param(900, marks=pytest.mark.long)])
def test_pairs_among_many_columns_that_contradict_each_other(rows):
    """By products of rows and by random axes: 1 % of the rows, each value of which is ordinary."""
    columns = DENSE + 100
    x = of_pairs(rows + 300, columns)
    model = operations.fit(frame_of(x[:rows]), FitOptions("pca"))
    test, is_broken = with_broken_rows(x[rows:], 0.3)
    assert auroc(operations.score(frame_of(test), model, "cpu"), is_broken) > 0.95


# the default of 5,000 columns; one member of as many is in the fast set
@pytest.mark.long
def test_factors_of_many_columns_that_are_broken_and_cells_far_out():
    columns = DENSE + 100
    x = of_factors(500, columns)
    model = operations.fit(frame_of(x[:200]))
    test, is_broken = with_broken_rows(x[200:], 0.1)
    assert auroc(operations.score(frame_of(test), model, "cpu"), is_broken) > 0.95
    far = x[200:].copy()
    is_far = np.arange(len(far)) % 60 == 7
    far[is_far, 5] += 12
    found = operations.detect(frame_of(far), model)
    scores = operations.score(frame_of(far), model, "cpu")
    assert auroc(scores, is_far) > 0.95
    assert [named[0][0] for named in found.named if named].count("c5") >= is_far.sum() - 1


# three fits of 5,000 columns; robust fits of fewer are in test_thresholds.py
@pytest.mark.long
def test_a_robust_fit_of_many_columns_leaves_out_what_lies_far():
    x = of_factors(300, DENSE + 100)
    x[::20] += 3 * np.random.default_rng(3).standard_normal(x.shape[1])
    scores = operations.score(frame_of(x), operations.fit(frame_of(x), FitOptions(robust=True)))
    assert auroc(scores, np.arange(300) % 20 == 0) > 0.99


FIT_BYTES = """
import hashlib, sys
from aetool import operations
from aetool.operations import FitOptions

for plugin in sys.argv[2:]:
    fitted = operations.fit(sys.argv[1], FitOptions(plugin))
    print(hashlib.sha256(fitted.to_bytes()).hexdigest())
"""


# the other model shares its products by the same functions
@pytest.mark.parametrize("plugins", [["pca"], pytest.param(["elm"], marks=pytest.mark.long)])
def test_the_number_of_threads_changes_no_bit(plugins, tmp_path):
    """Products and factorisations of wide rows are large enough to be shared among threads."""
    x = of_factors(240, DENSE + 8)
    data = tmp_path / "wide.npy"
    np.save(data, x)
    told = []
    for threads in ("1", "2"):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        env = os.environ | dict.fromkeys(names, threads)
        command = [sys.executable, "-c", FIT_BYTES, str(data), *plugins]
        run = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        told.append(run.stdout.split())
    assert len(told[0]) == 1 and told[0] == told[1]


# three members of large pictures; what is left out for its time is told in test_joining.py
@pytest.mark.long
def test_a_network_takes_the_longer_the_wider_the_records():
    """Sixty pictures of 64 x 64 must not wait for minutes until one member of many is trained."""
    pixels = np.random.default_rng(0).integers(0, 255, (12, 64, 64, 3)).astype(np.uint8)
    model = operations.fit(pixels)
    assert model.facts["left_out"]["pca"] == "takes 78 s"
    assert set(model.facts["members"]) == {"views", "patches", "surface"}


def test_where_time_is_short_members_are_left_out_and_folds_are_few(monkeypatch):
    frame = frame_of(of_factors(300, DENSE + 8))
    calls = []
    real = single_fit.solve
    monkeypatch.setattr(single_fit, "solve", lambda *a: calls.append(1) or real(*a))
    # a clock that advances a second at each look, so that no machine is quick enough for more
    seconds = itertools.count(0.0)
    clock = types.SimpleNamespace(monotonic=lambda: next(seconds))
    monkeypatch.setattr(fitting, "time", clock)
    monkeypatch.setattr(single_fit, "time", clock)
    no_time = 0.01
    model = operations.fit(frame, FitOptions(max_time=no_time))
    # one fit of all rows, and two that each judge half of them
    assert len(calls) == 3
    assert model.facts["members"] == ["pca"] and model.facts["short_of_time"] is True
    assert model.facts["left_out"]["elm"] == "no time left of 0.01 s"
