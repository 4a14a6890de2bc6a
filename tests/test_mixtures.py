"""Scale mixtures: fitted from groups of values, they are those of the values."""

from __future__ import annotations

import numpy as np
import pytest

from aetool_pca import gaussians


def mixture_of(rows: int, monkeypatch: pytest.MonkeyPatch, groups: int) -> tuple:
    rng = np.random.default_rng(rows)
    square = rng.standard_t(3, size=(rows, 4)) ** 2
    present = rng.random(square.shape) > 0.1
    monkeypatch.setattr(gaussians, "MOST_GROUPS", groups)
    return gaussians._mixture(square, np.full(4, 1e-3), present)


@pytest.mark.parametrize("rows", [600, 3000, 20_000])
def test_groups_of_values_stand_for_the_values(rows, monkeypatch):
    scale, weight = mixture_of(rows, monkeypatch, 512)
    every_scale, every_weight = mixture_of(rows, monkeypatch, rows)
    np.testing.assert_allclose(scale, every_scale, rtol=0.005)
    np.testing.assert_allclose(weight, every_weight, atol=0.002)


@pytest.mark.parametrize("rows", [1, 2, 3, 40, 401, 700])
def test_quantiles_and_medians_are_those_of_numpy_bit_for_bit(rows):
    values = np.random.default_rng(rows).standard_t(2, size=(rows, 9)) ** 2
    values[np.random.default_rng(0).random(values.shape) < 0.2] = np.nan
    # of a column of gaps there is neither
    values[0] = 1.5
    ordered = np.sort(values, axis=0)
    count = (~np.isnan(values)).sum(axis=0)
    for part in (0.0, 0.3, 0.5, 0.9975, 1.0):
        expected = np.nanquantile(values, part, axis=0)
        np.testing.assert_array_equal(gaussians.quantiles_of(ordered, count, part), expected)
    expected = np.nanmedian(values, axis=0)
    np.testing.assert_array_equal(gaussians.medians_of(ordered, count), expected)


def test_groups_add_up_to_what_is_finite():
    square = np.array([[4.0, np.inf], [1.0, 2.0], [9.0, np.inf], [16.0, np.inf]])
    means, counts = gaussians._averaged_in_groups(np.sort(square, axis=0))
    assert counts.sum(axis=0).tolist() == [4, 1]
    assert (means * counts).sum(axis=0).tolist() == [30, 2]
    assert sorted(means[:, 0]) == [1, 4, 9, 16], "of few values each is a group"
