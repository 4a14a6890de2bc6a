"""encode and decode: records to codes and back, by the command line."""

import json

import numpy as np
import pandas as pd
import pytest

import aetool
from aetool import bundle as bundles
from aetool import operations
from aetool.errors import DataError
from aetool.testing import pictures


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_codes_of_a_table_and_back(air, air_pca, suffix, tmp_path, run):
    codes, back = tmp_path / f"z.{suffix}", tmp_path / "back.csv"
    done = run("encode", air, "-m", air_pca, "-o", codes, "--id", "time")
    assert done.status == 0 and "codes of 1,200 records" in done.err, done.err
    found = pd.read_csv(codes) if suffix == "csv" else pd.read_parquet(codes)
    assert list(found.columns) == ["row", "time", *(f"z{u}" for u in range(11))]
    bundle = aetool.load(air_pca)
    wanted = bundle.encode(air)
    assert np.allclose(found.filter(like="z"), wanted, rtol=1e-6, atol=1e-6)
    assert run("decode", codes, "-m", air_pca, "-o", back).status == 0
    frame, direct = pd.read_csv(back), bundle.decode(wanted)
    assert (frame["time"] == pd.read_csv(air)["time"]).all()
    assert np.allclose(frame["TEMP"], direct["TEMP"], atol=0.06)
    assert set(frame["wd"].dropna()) <= set(pd.read_csv(air)["wd"].dropna()), "valid levels"


def test_codes_of_pictures_and_back(tmp_path, run):
    np.save(tmp_path / "p.npy", pictures(40)[:, 0])
    aetool.fit(tmp_path / "p.npy", "pca", latent=6).save(tmp_path / "m.aem")
    assert run("encode", tmp_path / "p.npy", "-m", tmp_path / "m.aem", "-o", tmp_path / "z.csv").status == 0  # fmt: skip
    for target in ("o.npy", "folder"):
        done = run("decode", tmp_path / "z.csv", "-m", tmp_path / "m.aem", "-o", tmp_path / target)
        assert done.status == 0, done.err
    back = np.load(tmp_path / "o.npy")
    assert np.abs(back.astype(float) - pictures(40)[:, 0]).mean() < 12
    assert len(list((tmp_path / "folder").glob("*.png"))) == 40


def test_codes_that_are_none_are_refused(air, air_pca, tmp_path, run):
    (tmp_path / "z.csv").write_text("z0,z1\n1,2\n")
    few = run("decode", tmp_path / "z.csv", "-m", air_pca, "-o", tmp_path / "o.csv")
    assert few.status == 2 and "no column z2" in few.err
    header = ",".join(f"z{u}" for u in range(11))
    (tmp_path / "z.csv").write_text(f"{header}\n{',' * 10}\n")
    gap = run("decode", tmp_path / "z.csv", "-m", air_pca, "-o", tmp_path / "o.csv")
    assert gap.status == 2 and "z0" in gap.err and not (tmp_path / "o.csv").exists()
    unknown = run("encode", air, "-m", air_pca, "-o", tmp_path / "z2.csv", "--id", "nothing")
    assert unknown.status == 2 and "no such column" in unknown.err
    near = run("encode", air, "-m", air_pca, "-o", tmp_path / "z2.csv", "--id", "TEMPP")
    assert near.status == 2 and near.err.endswith("; did you mean 'TEMP'?\n")
    assert "nothing to write" in run("encode", air).err
    assert run("encode", air, "-m", air_pca, "-p", "pca", "-o", tmp_path / "z2.csv").status == 2


@pytest.mark.parametrize(
    ("codes", "found"),
    [
        (np.zeros((2, 99)), "of shape (2, 99)"),
        (np.zeros((0, 99)), "of shape (0, 99)"),
        (np.zeros(11), "of shape (11,)"),
        (np.zeros((2, 1, 11)), "of shape (2, 1, 11)"),
        (0.5, "of shape ()"),
        ([["word"] * 11], "could not convert string to float: 'word'"),
        ([[1.0, 2.0], [3.0]], "inhomogeneous"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_codes_of_another_shape_are_one_line(air_pca, codes, found):
    bundle = bundles.load(air_pca)
    with pytest.raises(DataError) as told:
        operations.decode(codes, bundle)
    line = str(told.value)
    assert found in line and "\n" not in line
    assert line.endswith(f"{bundle.name} decodes an array of numbers of shape (n, 11)")


def test_no_codes_are_decoded_to_no_records(air_pca):
    assert len(aetool.load(air_pca).decode(np.zeros((0, 11)))) == 0


def named_as_ours():
    """A table of 60 rows with columns that are called as those of tables of codes are."""
    rng = np.random.default_rng(3)
    a = rng.normal(size=60).round(3)
    return pd.DataFrame(
        {
            "a": a,
            "b": (2 * a + rng.normal(0, 0.1, 60)).round(3),
            "row": [f"r{number}" for number in range(60)],
            "picture": [f"p{number}.png" for number in range(60)],
            "z0": [f"zone {number % 4}" for number in range(60)],
            "z7": [f"unit {number % 3}" for number in range(60)],
            "input.z0": np.arange(60) + 0.5,
        }
    )


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_columns_that_are_called_as_ours_stand_beside_them(suffix, tmp_path, run):
    frame = named_as_ours()
    frame.to_csv(tmp_path / "t.csv", index=False)
    model = aetool.fit(frame[["a", "b"]], "pca", latent=1)
    model.save(tmp_path / "m.aem")
    codes = tmp_path / f"codes.{suffix}"
    ids = "row,picture,z0,z7,input.z0"
    done = run("encode", tmp_path / "t.csv", "-m", tmp_path / "m.aem", "-o", codes, "--id", ids)
    assert done.status == 0, done.err
    found = pd.read_csv(codes) if suffix == "csv" else pd.read_parquet(codes)
    beside = ["input.row", "picture", "input.z0", "z7", "input.input.z0"]
    assert list(found.columns) == ["row", *beside, "z0"]
    assert found["row"].tolist() == list(range(1, 61))
    assert np.allclose(found["z0"], model.encode(frame)[:, 0], rtol=1e-6, atol=1e-6)
    for name, label in zip(ids.split(","), beside, strict=True):
        assert found[label].astype(frame[name].dtype).tolist() == frame[name].tolist()
    back = tmp_path / "back.csv"
    assert run("decode", codes, "-m", tmp_path / "m.aem", "-o", back).status == 0
    assert np.allclose(pd.read_csv(back)["a"], frame["a"], atol=0.3)


def test_columns_of_the_data_beside_neighbours_and_scores_keep_their_values(tmp_path):
    frame = named_as_ours().rename(columns={"picture": "rank", "z7": "input.row", "z0": "score"})
    # a result of a table has no bits of its own
    frame["bits"] = frame["rank"]
    model = aetool.fit(frame[["a", "b"]], "pca", latent=1)
    near = model.similar(frame, frame, k=1, columns=["row", "rank", "input.row"])
    assert near["row"].tolist() == near["query"].tolist() == list(range(1, 61))
    assert (near["rank"] == 1).all()
    assert near["input.row"].tolist() == frame["row"].tolist()
    assert near["input.rank"].tolist() == frame["rank"].tolist()
    assert near["input.input.row"].tolist() == frame["input.row"].tolist()
    judged = model.detect(frame, all_rows=True, append=[])
    assert judged["row"].tolist() == list(range(1, 61))
    assert judged["input.row"].tolist() == frame["row"].tolist()
    assert judged["input.input.row"].tolist() == frame["input.row"].tolist()
    assert judged["input.score"].tolist() == frame["score"].tolist()
    assert judged["bits"].tolist() == frame["bits"].tolist()


def test_a_name_that_promises_another_kind_of_file_than_csv_is_told(tmp_path, run):
    data, target = tmp_path / "t.csv", tmp_path / "m.aem"
    rng = np.random.default_rng(0)
    pd.DataFrame(rng.normal(size=(60, 3)).round(2), columns=list("abc")).to_csv(data, index=False)
    assert run("fit", data, "-p", "pca", "-o", target).status == 0
    verbs = {
        "detect": (
            ["detect", data, "-m", target, "--top", 2],
            ".csv, .parquet, .json, .jsonl; --format asks for one",
        ),
        "encode": (["encode", data, "-m", target], ".csv, .parquet"),
        "sample": (["sample", "-m", target, "-n", 3], ".csv, .parquet"),
    }
    for verb, (words, known) in verbs.items():
        for suffix in ("xyz", "xlsx"):
            path = tmp_path / f"{verb}.{suffix}"
            done = run(*words, "-o", path)
            said = f"is CSV, whatever its name says; the suffixes that are known are {known}\n"
            assert done.status == 0 and f"note: {path}: {said}" in done.err
            assert len(pd.read_csv(path)) in (2, 3, 60)
        for suffix in (".csv", ".txt", ".parquet", ""):
            done = run(*words, "-o", tmp_path / f"{verb}{suffix}")
            assert done.status == 0 and "whatever its name" not in done.err
    asked = run(
        "detect", data, "-m", target, "--top", 2, "--format", "csv", "-o", tmp_path / "t.dat"
    )
    assert asked.status == 0 and "whatever its name" not in asked.err
    assert run("detect", data, "-m", target, "--top", 2, "-o", tmp_path / "u.JSON").status == 0
    assert json.loads((tmp_path / "u.JSON").read_text())["flagged"] == 2
