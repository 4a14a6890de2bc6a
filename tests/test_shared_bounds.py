"""Bounded archives under a shared model: the bound is of the file's range, not of the model's."""

import numpy as np
import pandas as pd
import pytest

from aetool import operations
from aetool.operations import CompressOptions, FitOptions
from tests.format_reader import restore

BOUNDS = {"": "1%"}
NUMBERS = ("wide", "cents", "long", "still", "exponent")


def table(rows, seed, narrow=1.0):
    """Numbers of several kinds, in a part `narrow` of the range that they have at 1."""
    rng = np.random.default_rng(seed)
    steps = np.cumsum(rng.normal(size=(rows, 3)), axis=0)
    frame = pd.DataFrame()
    frame["wide"] = (narrow * rng.integers(0, 1_000_000, rows)).astype(np.int64)
    frame["cents"] = (500 + narrow * 20 * steps[:, 0]).round(2)
    frame["long"] = narrow * steps[:, 1] / 3
    frame["kind"] = rng.choice(["plain", "odd", "n/a"], rows)
    frame["still"] = 17.25 if narrow < 1 else rng.integers(0, 4000, rows) / 4
    frame["exponent"] = narrow * 1e-12 * rng.normal(size=rows)
    return frame


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    table(3000, seed=1).to_csv(folder / "many.csv", index=False)
    return operations.fit(folder / "many.csv", FitOptions("pca", codec=True, max_error=BOUNDS))


def check_bound(source, restored):
    before, after = pd.read_csv(source), pd.read_csv(restored)
    assert list(before.columns) == list(after.columns)
    assert before["kind"].equals(after["kind"])
    for name in NUMBERS:
        allowed = 0.01 * np.ptp(before[name])
        # both are printed, and read, as floats
        error = np.abs(before[name] - after[name]).max()
        assert error <= allowed * (1 + 1e-9), name


@pytest.mark.parametrize("narrow", [1.0, 0.3, 0.01])
@pytest.mark.parametrize("rows", [2, 60, 900, 6000])
def test_the_bound_is_of_the_files_own_range(model, tmp_path, rows, narrow):
    source, archive, restored = (tmp_path / name for name in ("s.csv", "s.aez", "r.csv"))
    table(rows, seed=rows, narrow=narrow).to_csv(source, index=False)
    options = CompressOptions(max_error=BOUNDS)
    under = operations.compress(source, archive, model, options)
    operations.decompress(archive, restored, model=model)
    check_bound(source, restored)
    alone = operations.compress(source, tmp_path / "alone.aez", None, options)
    assert under["archive_bytes"] <= alone["archive_bytes"]


def test_many_narrow_files_gain_by_the_model_and_are_read_from_the_format_page(model, tmp_path):
    options = CompressOptions(max_error=BOUNDS)
    bundle = model.to_bytes()
    sizes = {"under": 0, "alone": 0}
    for seed in range(5):
        source, archive = tmp_path / f"{seed}.csv", tmp_path / f"{seed}.aez"
        table(100, seed=seed, narrow=0.4).to_csv(source, index=False)
        sizes["under"] += operations.compress(source, archive, model, options)["archive_bytes"]
        alone = operations.compress(source, tmp_path / f"{seed}.alone", None, options)
        sizes["alone"] += alone["archive_bytes"]
        restored = tmp_path / f"{seed}.restored"
        operations.decompress(archive, restored, model=model)
        assert restore(archive.read_bytes(), bundle) == restored.read_bytes()
    assert sizes["under"] < sizes["alone"]
