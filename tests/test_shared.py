"""Archives under a shared model: bounds are of the file's range, and columns are stored in the ways
that the model has for them."""

import numpy as np
import pandas as pd
import pytest

from aetool import operations
from aetool.archives.exact_job import job_of
from aetool.codec.shared import shared_of
from aetool.data.sources import open_source
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


def table_of_kinds(rows, seed):
    """Columns that other ways suit better than the first one that fits."""
    rng = np.random.default_rng(seed)
    levels = np.sort(np.random.default_rng(0).normal(size=300)) / 3
    frame = pd.DataFrame()
    frame["again"] = levels[np.clip(rng.normal(150, 40, rows).astype(int), 0, 299)]
    frame["ratio"] = rng.integers(0, 100_000, rows) * 3 / 1e6 / 3
    frame["code"] = [f"{number:08x}" for number in rng.integers(0, 1 << 32, rows)]
    # of one file in cents, of another in hundredths of them
    digits = 2 if seed % 2 else 4
    frame["price"] = np.abs(10 + np.cumsum(rng.normal(size=rows))).round(digits)
    return frame


@pytest.fixture(scope="module")
def model_of_kinds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds")
    table_of_kinds(4000, seed=0).to_csv(folder / "many.csv", index=False)
    return operations.fit(folder / "many.csv", FitOptions("pca", codec=True))


def test_a_model_foresees_the_way_that_suits_what_it_has_not_seen(model_of_kinds):
    shared = shared_of(model_of_kinds)
    kinds = dict(zip(shared.names, (meta.kind for meta in shared.metas), strict=True))
    assert kinds == {"again": "level", "ratio": "float", "code": "digits", "price": "number"}
    levels = [float(level) for level in shared.metas[0].levels]
    # near numbers have near ranks
    assert levels == sorted(levels)


@pytest.mark.parametrize("rows", [1, 120, 1000, 5000])
def test_ways_that_are_foreseen_restore_every_byte(model_of_kinds, tmp_path, rows):
    bundle = model_of_kinds.to_bytes()
    for seed in (1, 2):
        frame = table_of_kinds(rows, seed)
        # cells that the model's ways do not hold, and ones that its dictionary lacks
        frame = frame.astype({"again": object, "ratio": object, "code": object})
        frame.loc[0, ["again", "ratio", "code"]] = ["none", "0x1", "00FF00ff"]
        source, archive = tmp_path / f"{seed}.csv", tmp_path / f"{seed}.aez"
        frame.to_csv(source, index=False)
        # without choosing: what is under the model must come back, even where it is not smaller
        job = job_of(
            open_source(source), CompressOptions(), model_of_kinds, shared_of(model_of_kinds)
        )
        with archive.open("w+b") as file:
            job.write(file)
        restored = tmp_path / f"{seed}.restored"
        operations.decompress(archive, restored, model=model_of_kinds)
        assert restored.read_bytes() == source.read_bytes()
        assert restore(archive.read_bytes(), bundle) == source.read_bytes()


def test_files_under_a_model_of_such_ways_are_smaller(model_of_kinds, tmp_path):
    source = tmp_path / "s.csv"
    table_of_kinds(400, seed=5).to_csv(source, index=False)
    under = operations.compress(source, tmp_path / "under.aez", model_of_kinds)
    alone = operations.compress(source, tmp_path / "alone.aez")
    assert under["archive_bytes"] < 0.9 * alone["archive_bytes"]


def test_codes_like_numbers_beyond_all_size_are_levels_as_they_stand(tmp_path):
    """Of 1e999999999 no number is computed: it is a code of digits and letters as well."""
    rng = np.random.default_rng(2)
    codes = np.array(["7e999999999", "1e88888888", "12", "3e5"])
    frame = pd.DataFrame({"code": rng.choice(codes, 600), "v": rng.normal(size=600).round(3)})
    source = tmp_path / "codes.csv"
    frame.to_csv(source, index=False)
    model = operations.fit(source, FitOptions("pca", codec=True))
    assert set(shared_of(model).metas[0].levels) == set(codes)
    operations.compress(source, tmp_path / "c.aez", model)
    operations.decompress(tmp_path / "c.aez", tmp_path / "back.csv", model=model)
    assert (tmp_path / "back.csv").read_bytes() == source.read_bytes()
