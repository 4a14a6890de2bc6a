"""Moments of rows, and closed forms fitted to them, whatever batches and files the rows came in."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aetool import operations
from aetool.closed_form import blocks, in_blocks, moments
from aetool.data import arrow_source, sources, text
from aetool.errors import DataError
from aetool.operations import FitOptions

CLOSED_FORMS = {
    "pca": {},
    "elm": {"latent": 16},
    "prototypes": {"size": 32},
    "neighbours": {"size": 64},
    "tails": {},
    "histogram": {},
    "dependence": {},
    "trees": {"trees": 20},
}
ROWS = 9_000  # two blocks


def rows_of(count, features=5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(3, 2, (count, features)).astype(np.float32)


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 16 rows, so that few rows are many blocks."""
    monkeypatch.setattr(blocks, "BLOCK", 16)


@pytest.mark.usefixtures("small_blocks")
def test_batches_do_not_change_a_bit_of_moments():
    @given(st.integers(1, 150), st.lists(st.integers(0, 150), max_size=9), st.booleans())
    def law(count, places, weighed):
        x = rows_of(count)
        weights = np.random.default_rng(1).random(count) if weighed else None
        whole = moments([x], weights)
        pieces = moments(np.split(x, sorted(places)), weights)
        assert whole.rows == pieces.rows == count
        assert np.array_equal(whole.mean, pieces.mean)
        assert np.array_equal(whole.cov, pieces.cov)
        blocks = [len(block) for block in in_blocks(np.split(x, sorted(places)))]
        assert sum(blocks) == count and set(blocks[:-1]) <= {16}

    law()


@pytest.mark.usefixtures("small_blocks")
def test_moments_are_those_of_numpy():
    for count in (1, 15, 16, 17, 160, 1000):
        x = rows_of(count).astype(float)
        weights = np.random.default_rng(1).random(count)
        found = moments([x], weights)
        np.testing.assert_allclose(found.mean, np.average(x, axis=0, weights=weights), rtol=1e-12)
        exact = np.cov(x.T, aweights=weights, bias=True) if count > 1 else np.zeros((5, 5))
        np.testing.assert_allclose(found.cov, exact, rtol=1e-11, atol=1e-12)


@pytest.mark.usefixtures("small_blocks")
def test_a_mean_far_from_zero_costs_no_digits():
    """The sum of squares about 0 of such numbers has no digit left for a variance of 1."""
    x = 1e9 + np.random.default_rng(0).normal(size=(500, 2))
    np.testing.assert_allclose(moments([x]).cov, np.cov((x - 1e9).T, bias=True), rtol=1e-6)


@pytest.mark.usefixtures("small_blocks")
def test_rows_without_weight_do_not_count():
    x = rows_of(100)
    weights = np.zeros(100)
    weights[40:70] = 1
    np.testing.assert_allclose(moments([x], weights).mean, x[40:70].mean(0, dtype=float))
    for batches, none in (([], None), ([x], np.zeros(100))):
        with pytest.raises(DataError, match="no rows to fit"):
            moments(batches, none)


@pytest.fixture(scope="module")
def whole_and_in_pieces(tmp_path_factory):
    """A table as one file, and as three that are fitted together."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=ROWS)
    frame = pd.DataFrame({"a": a, "b": 2 * a + 0.1 * rng.normal(size=ROWS)}).round(3)
    frame["count"] = rng.poisson(3, ROWS)
    frame["level"] = np.array(["red", "green", "blue"])[(a > 0.3).astype(int) + (a > 1)]
    frame.loc[rng.random(ROWS) < 0.1, "b"] = np.nan
    folder = tmp_path_factory.mktemp("pieces")
    frame.to_csv(folder / "whole.csv", index=False)
    pieces = []
    for number, part in enumerate(np.split(np.arange(ROWS), [1234, 8191])):
        pieces.append(folder / f"part{number}.csv")
        frame.iloc[part].to_csv(pieces[-1], index=False)
    return folder / "whole.csv", pieces


# five fits each: those that draw rows, or group them, do so from the same batches
@pytest.mark.parametrize(
    "plugin",
    [
        pytest.param(
            n, marks=pytest.mark.long if n in ("prototypes", "neighbours", "trees") else ()
        )
        for n in CLOSED_FORMS
    ],
)
def test_neither_files_nor_batches_change_a_bit_of_a_bundle(
    plugin, whole_and_in_pieces, monkeypatch
):
    whole, pieces = whole_and_in_pieces
    options = FitOptions(plugin, CLOSED_FORMS[plugin])
    expected = operations.fit(whole, options).to_bytes()
    assert operations.fit(pieces, options).to_bytes() == expected
    monkeypatch.setattr(text, "CHUNK", 5_000)  # bytes
    monkeypatch.setattr(arrow_source, "ROWS", 700)
    assert sum(1 for _ in sources.open_source(whole).batches()) > 5
    assert operations.fit(whole, options).to_bytes() == expected
    frame = pd.read_csv(whole)
    assert operations.fit(frame, options).graphs == operations.fit(whole, options).graphs
