"""denoise: what is restored, what is left alone, and what is measured."""

import json

import numpy as np
import pandas as pd
import pytest

import aetool
from aetool import operations
from aetool.errors import DataError, ParamError
from aetool.operations import DenoiseOptions, FitOptions
from aetool.testing import pictures


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """(folder, denoising model) of a table whose columns tell one another."""
    folder = tmp_path_factory.mktemp("denoise")
    rng = np.random.default_rng(0)
    x = rng.normal(size=1500)
    frame = pd.DataFrame({"id": [f"r{i}" for i in range(1500)]})
    for i, name in enumerate("abcd"):
        frame[name] = ((i + 1) * x + 0.05 * rng.normal(size=1500)).round(2)
    frame["side"] = np.where(x > 0, "up", "down")
    frame.to_csv(folder / "clean.csv", index=False)
    gaps = frame.copy()
    for name in ("a", "c", "side"):
        gaps.loc[rng.random(1500) < 0.2, name] = None
    gaps.to_csv(folder / "gaps.csv", index=False)
    noisy = frame.copy()
    noisy["b"] = (noisy["b"] + rng.normal(0, 1.0, 1500)).round(2)
    noisy.to_csv(folder / "noisy.csv", index=False)
    made = operations.fit(
        folder / "clean.csv", FitOptions("denoising", {"noise": 0.4, "mask": 0.3, "latent": 8}, epochs=60, device="cpu")
    )  # fmt: skip
    made.save(folder / "m.aem")
    return folder, made


def test_gaps_are_filled_and_nothing_else_changes(table, run):
    folder, _ = table
    done = run("denoise", folder / "gaps.csv", "-m", folder / "m.aem", "--fill-missing",
               "--clean", folder / "clean.csv")  # fmt: skip
    assert done.status == 0 and "values filled" in done.err and "PSNR +" in done.err, done.err
    gaps, back, clean = (
        pd.read_csv(folder / n, dtype=str, keep_default_na=False)
        for n in ("gaps.csv", "gaps.denoised.csv", "clean.csv")
    )
    assert (back == gaps)[gaps != ""].where(gaps != "", True).all().all(), "cells that were there"
    assert not (back == "").any().any()
    missing = gaps["side"] == ""
    assert (back["side"] == clean["side"])[missing].mean() > 0.85
    off = (back["c"].astype(float) - clean["c"].astype(float))[gaps["c"] == ""]
    assert off.abs().mean() < 0.5 * clean["c"].astype(float).abs().mean()


def test_noise_is_taken_off_and_the_gain_is_measured(table, tmp_path):
    folder, made = table
    options = DenoiseOptions(clean=folder / "clean.csv")
    found = operations.denoise(folder / "noisy.csv", tmp_path / "o.csv", made, options)
    back, noisy, clean = (pd.read_csv(p) for p in (tmp_path / "o.csv", folder / "noisy.csv", folder / "clean.csv"))  # fmt: skip
    assert ((back["b"] - clean["b"]) ** 2).mean() < 0.5 * ((noisy["b"] - clean["b"]) ** 2).mean()
    gain = 10 * np.log10(found["mse_before"] / found["mse_after"])
    assert found["psnr_gain_db"] == pytest.approx(gain) and list(back.columns) == list(
        clean.columns
    )
    assert (back["id"] == clean["id"]).all(), "columns that are not modelled stay"
    with pytest.raises(DataError, match="same records"):
        clean[:50].to_csv(tmp_path / "few.csv", index=False)
        operations.denoise(folder / "noisy.csv", tmp_path / "p.csv", made, DenoiseOptions(clean=tmp_path / "few.csv"))  # fmt: skip
    assert not (tmp_path / "p.csv").exists()


def test_a_region_of_pictures_is_filled(tmp_path):
    pixels = pictures(300)[:, 0]
    np.save(tmp_path / "clean.npy", pixels)
    holed = pixels.copy()
    holed[:, 2:5, 3:6] = 255
    np.save(tmp_path / "holed.npy", holed)
    made = aetool.fit(tmp_path / "clean.npy", "denoising", block=0.2, epochs=60, device="cpu")
    options = DenoiseOptions(True, (3, 2, 3, 3), tmp_path / "clean.npy", device="cpu")
    found = operations.denoise(tmp_path / "holed.npy", tmp_path / "o.npy", made, options)
    back = np.load(tmp_path / "o.npy")
    outside = np.ones((8, 8), bool)
    outside[2:5, 3:6] = False
    assert (back[:, outside] == pixels[:, outside]).all() and found["filled"] == 9 * 300
    assert found["mse_after"] < 0.5 * found["mse_before"]
    with pytest.raises(ParamError, match="must lie within"):
        options = DenoiseOptions(True, (3, 2, 9, 3), device="cpu")
        operations.denoise(tmp_path / "holed.npy", tmp_path / "p.npy", made, options)
    with pytest.raises(ParamError, match="give both"):
        operations.denoise(tmp_path / "holed.npy", tmp_path / "p.npy", made, DenoiseOptions(True))


def records_of_json():
    """300 records whose values are of every kind that JSON has, some missing."""
    rng = np.random.default_rng(0)
    records = []
    for number in range(300):
        x = float(rng.normal())
        record = {
            "a": round(x, 3),
            "b": None if number % 10 == 1 else round(2 * x + 0.1 * float(rng.normal()), 3),
            "level": number % 3,
            "digits": str(number % 4),
            "word": f"w{number % 3}",
            "truth": number % 2 == 0,
            "large": 10**17 + number,
            "list": [1, number % 2],
            "of two kinds": number if number % 2 else "none",
            "alike": number if number % 2 else str(number),
        }
        if number % 10 == 2:
            del record["b"]
        records.append(record)
    return records


@pytest.fixture(scope="module")
def json_lines(tmp_path_factory):
    """(path of a file of JSON lines, a model of it, its records)."""
    path = tmp_path_factory.mktemp("json") / "t.jsonl"
    records = records_of_json()
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path, aetool.fit(path, "pca", drop=["alike", "large"]), records


def kinds(record):
    """The kind of each value of a record, by key; those of one kind for JSON are one."""
    return {
        key: float if type(value) in (int, float) else type(value) for key, value in record.items()
    }


@pytest.mark.parametrize("fill", [True, False])
def test_values_of_json_keep_their_kinds(json_lines, tmp_path, fill):
    path, model, records = json_lines
    operations.denoise(path, tmp_path / "o.jsonl", model, DenoiseOptions(fill))
    lines = (tmp_path / "o.jsonl").read_text().splitlines()
    assert len(lines) == len(records)
    errors = [0.0]
    for number, (line, record) in enumerate(zip(lines, records, strict=True)):
        restored = json.loads(line)
        # of 1 and "1" in one column nothing tells which is which
        assert restored.pop("alike") == str(number)
        expected = {key: value for key, value in record.items() if key != "alike"}
        if fill:
            if expected.get("b") is None:
                # a gap is filled, and with a number
                expected["b"] = restored["b"]
                assert type(restored["b"]) is float
            assert restored == expected
        else:
            # what a word or a number beside words becomes may be of the other kind
            del restored["of two kinds"], expected["of two kinds"]
            if expected.get("b") is None:
                expected["b"] = restored["b"]
            assert kinds(restored) == kinds(expected)
            errors.append(abs(restored["a"] - record["a"]))
    assert np.median(errors) < 0.3


def test_values_of_json_keep_their_kinds_in_a_lossy_archive(json_lines, tmp_path):
    path, model, records = json_lines
    options = operations.CompressOptions(lossy_only=True)
    operations.compress(path, tmp_path / "t.aez", model, options)
    operations.decompress(tmp_path / "t.aez", tmp_path / "o.jsonl", model=model)
    lines = (tmp_path / "o.jsonl").read_text().splitlines()
    for line, record in zip(lines, records, strict=True):
        restored = json.loads(line)
        for exact in ("large", "list", "truth", "word", "digits"):
            assert restored[exact] == record[exact]
        assert type(restored["a"]) is float


def test_a_kind_of_values_that_comes_late_is_told_all_the_same(tmp_path):
    # the first batch of records holds truths alone, the second also a word
    late = [{"x": number / 7, "t": True} for number in range(65_536)]
    late += [{"x": 0.5, "t": "no answer"}, {"x": 0.25, "t": False}]
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in late))
    model = aetool.fit([{"x": number / 7} for number in range(100)], "pca", latent=1)
    operations.denoise(path, tmp_path / "o.jsonl", model, DenoiseOptions(True))
    restored = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert [record["t"] for record in restored] == [record["t"] for record in late]
