"""The law of lossy archives: what is written is never larger than an exact archive, nor than one within
bounds that a simple search finds and that restores no column worse."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from aetool import operations
from aetool.archives import neighbouring
from aetool.operations import CompressOptions, FitOptions

ROUNDS = 5  # of the simple search, which widens bounds in the first WIDENING of them
WIDENING = 2
EQUAL = 1 + 1e-9  # errors are printed, and read again


def narrow(rng):
    """Numbers that follow one another, whole ones among them, and words; with gaps."""
    a = rng.normal(size=150).cumsum()
    frame = pd.DataFrame({"a": a.round(2), "b": (20 * a + 5 * rng.normal(size=150)).round(1)})
    frame["c"] = (rng.gamma(2, 30, 150) + 3 * a).round().astype(int)
    frame["d"] = rng.choice(["x", "y", "z"], 150)
    frame.loc[rng.random(150) < 0.1, "b"] = np.nan
    return frame


def of_one_number(rng):
    """Columns that all follow from one number, nearly: what a model's code is for."""
    hidden = rng.normal(size=(300, 1)).cumsum(axis=0)
    seen = hidden @ rng.normal(size=(1, 12)) + 0.3 * rng.normal(size=(300, 12))
    return pd.DataFrame(seen, columns=[f"c{place}" for place in range(12)]).round(2)


TABLES = {"bounded": narrow, "code": of_one_number}


def errors_of(frame, archive, model=None):
    """By column of numbers the root mean squared error of what an archive restores, by pandas."""
    back = operations.decompress(archive, archive.with_suffix(".back"), model=model, force=True)
    off = frame.select_dtypes("number") - pd.read_csv(back).select_dtypes("number")
    return np.sqrt((off**2).mean()).to_dict()


def simple_search(path, frame, limits, folder):
    """Bytes of the smallest archive whose errors are within the limits, of those by bounds that
    somebody would choose by them, made wider and narrower a few times; None without one."""
    bounds = {name: 3**0.5 * limit for name, limit in limits.items() if limit > 0}
    found = []
    for turn in range(ROUNDS if bounds else 0):
        words = {name: repr(bound) for name, bound in bounds.items()}
        options = CompressOptions(max_error=words, force=True)
        figures = operations.compress(path, folder / "bounded.aez", None, options)
        errors = errors_of(frame, folder / "bounded.aez")
        if all(errors[name] <= limits[name] * EQUAL for name in limits):
            found.append(figures["archive_bytes"])
            if turn >= WIDENING:
                break
        for name in list(bounds):
            ratio = limits[name] / errors[name] if errors[name] else 1.25
            if ratio * EQUAL >= 1:
                bounds[name] *= min(ratio, 1.25) if turn < WIDENING else 1
            elif turn < ROUNDS - 2:
                bounds[name] *= 0.98 * max(ratio, 0.5)
            else:
                del bounds[name]
    return min(found, default=None)


@pytest.mark.parametrize(
    ("taken", "seed", "is_small", "levels"),
    [
        ("bounded", 0, True, (1.6,)),
        # as a larger table is searched, whose prices are not found first
        ("bounded", 0, False, (1.1,)),
        ("bounded", 5, False, (1.1, 2.5)),
        ("code", 0, False, (1.1,)),
    ],
)
def test_no_archive_of_no_more_error_is_smaller(
    taken, seed, is_small, levels, tmp_path, monkeypatch
):
    if not is_small:
        monkeypatch.setattr(neighbouring, "SMALL", 0)
    frame = TABLES[taken](np.random.default_rng(seed))
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False)
    exact = operations.compress(path, tmp_path / "exact.aez")["archive_bytes"]
    model = operations.fit(path, FitOptions("pca", {"latent": 2 if taken == "bounded" else 1}))
    only = CompressOptions(lossy=True, lossy_only=True, embed=False, force=True)
    best = operations.compress(path, tmp_path / "best.aez", model, only)["error"]
    for level in levels:
        options = CompressOptions(lossy=True, target=level * best, embed=False, force=True)
        figures = operations.compress(path, tmp_path / "lossy.aez", model, options)
        assert figures["taken"] == taken
        errors = errors_of(frame, tmp_path / "lossy.aez", model)
        # what the code alone loses is what was promised
        code = dataclasses.replace(options, lossy_only=True)
        operations.compress(path, tmp_path / "code.aez", model, code)
        promised = errors_of(frame, tmp_path / "code.aez", model)
        assert all(errors[name] <= promised[name] * EQUAL for name in promised)
        bounded = simple_search(path, frame, errors, tmp_path)
        assert figures["archive_bytes"] <= min(exact, bounded or exact)
