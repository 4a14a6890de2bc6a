"""From Python: DataFrames in and out, on their own index."""

import io

import numpy as np
import pandas as pd
import pytest

import aetool
from aetool.errors import AetoolError, DataError

pytestmark = pytest.mark.usefixtures("fits_once")


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    a = rng.normal(size=200)
    made = pd.DataFrame(
        {
            "n": pd.array(np.where(a > 1.5, None, (a * 10).round()), dtype="Int64"),
            "f": np.where(a < -2, np.nan, a * 2 + 0.1 * rng.normal(size=200)),
            "c": pd.Categorical(np.where(a > 0, "x", "y")),
            "t": pd.date_range("2024-01-01", periods=200, freq="h"),
        },
        index=[f"r{i}" for i in range(200)],
    )
    made.loc["r3", "c"] = None
    made.loc["r5", "t"] = pd.NaT
    return made


def test_a_frame_goes_in_and_comes_back_on_its_own_index(frame):
    model = aetool.fit(frame)
    assert {c.name: c.kind for c in model.schema.columns} == {
        "n": "number", "f": "number", "c": "category", "t": "date",
    }  # fmt: skip
    found = model.detect(frame)
    assert found.index.equals(frame.index)
    assert list(found.columns) == ["row", "score", "p", "why", "anomaly"]
    odd = frame.copy()
    odd.loc["r7", "f"] = 99.0
    few = model.detect(odd, all_rows=False)
    assert "r7" in few.index and "f=99 (expected " in few.loc["r7", "why"]
    np.testing.assert_allclose(model.score(frame), found["score"], rtol=1e-5)
    assert frame.columns.tolist() == ["n", "f", "c", "t"], "the caller's frame is left alone"


def test_encode_and_decode(frame):
    model = aetool.fit(frame, "pca", latent=3)
    codes = model.encode(frame)
    assert codes.shape == (200, 3) and codes.dtype == np.float32
    back = model.decode(codes)
    assert len(back) == 200 and set(back["c"].dropna()) <= {"x", "y"}
    close = np.abs(back["f"].astype(float).to_numpy() - frame["f"].to_numpy())
    assert np.nanmedian(close) < 1


def test_save_and_load(frame, tmp_path):
    model = aetool.fit(frame, plugin="pca", seed=3)
    model.save(tmp_path / "m.aem")
    again = aetool.load(tmp_path / "m.aem")
    np.testing.assert_array_equal(again.score(frame), model.score(frame))


def test_errors_are_ours(frame):
    model = aetool.fit(frame)
    with pytest.raises(DataError, match="column 'f' is missing"):
        model.detect(frame.drop(columns="f"))
    with pytest.raises(AetoolError, match="has no parameter 'laten'"):
        aetool.fit(frame, laten=3)
    with pytest.raises(DataError, match="nothing that the model could read as a number"):
        model.detect(frame.assign(f="text"))


def test_pictures_in_arrays(tmp_path):
    from aetool.testing import pictures

    np.save(tmp_path / "p.npy", pictures(60)[:, 0])
    model = aetool.fit(tmp_path / "p.npy", "pca", latent=6)
    codes = model.encode(tmp_path / "p.npy")
    back = model.decode(codes)
    assert back.shape == (60, 1, 8, 8) and back.dtype == np.uint8
    assert np.abs(back.astype(float) - pictures(60)).mean() < 20


def test_a_model_that_is_not_a_name_anymore():
    with pytest.raises(AttributeError):
        _ = aetool.nothing


def test_a_frame_is_drawn_looked_up_and_restored_with_its_own_types(frame, tmp_path):
    model = aetool.fit(frame)
    drawn, near = model.sample(60), model.sample(like=frame[:20], spread=0.1)
    for made, rows in ((drawn, 60), (near, 20)):
        assert len(made) == rows and list(made) == list(frame)
        assert made["c"].dtype == "category" and made["t"].dtype.kind == "M"
        assert (made["n"].dropna() % 1 == 0).all()
    assert np.array_equal(near["t"].to_numpy(), frame["t"][:20].to_numpy(), equal_nan=True)
    found = model.similar(frame[:5], frame, k=2, columns=["t"])
    assert found["row"][::2].tolist() == [1, 2, 3, 4, 5] and found["t"][0] == frame["t"].iloc[0]
    figures = model.denoise(frame, tmp_path / "filled.parquet", fill_missing=True)
    back = pd.read_parquet(tmp_path / "filled.parquet")
    assert figures["filled"] == int(frame[["n", "f", "c"]].isna().sum().sum())
    assert not back[["n", "f", "c"]].isna().any(axis=None)


def cells(frame):
    return [tuple(None if pd.isna(v) else v for v in row) for row in frame.itertuples(index=False)]


def test_compress_is_lossless_unless_asked_and_open_gives_the_frame_back(frame, tmp_path):
    numbers = pd.DataFrame(np.random.default_rng(0).normal(size=(300, 3)), columns=list("abc"))
    model = aetool.fit(numbers, plugin="pca", latent=1)
    for name, figures in (
        ("top.aez", aetool.compress(numbers, tmp_path / "top.aez")),
        ("model.aez", model.compress(numbers, tmp_path / "model.aez")),
    ):
        assert figures["fidelity"] == "values"
        with aetool.open(tmp_path / name) as archive:
            assert cells(archive.to_pandas()) == cells(numbers)
            assert cells(archive[100:200]) == cells(numbers[100:200])
    lossy = model.compress(numbers, tmp_path / "code.aez", lossy_only=True)
    assert lossy["fidelity"] == "lossy"
    with pytest.raises(AetoolError, match="a DataFrame has no name"):
        aetool.compress(numbers)


# of the whole table each way takes a second
@pytest.mark.parametrize("ways", [slice(2), pytest.param(slice(2, 4), marks=pytest.mark.long)])
def test_the_same_bytes_as_the_shell(ways, rows_csv, pca, tmp_path, run):
    for shell, python in (
        (("--max-error", "5%"), {"max_error": "5%"}), (("--fast",), {"effort": "fast"}), ((), {}),
        (("--keep-files",), {"keep_files": True}),
    )[ways]:  # fmt: skip
        assert run("compress", rows_csv, "-o", tmp_path / "s.aez", "-f", *shell).status == 0
        aetool.compress(rows_csv, tmp_path / "p.aez", force=True, **python)
        assert (tmp_path / "s.aez").read_bytes() == (tmp_path / "p.aez").read_bytes()
    lossy = ("compress", rows_csv, "--lossy", "-m", pca, "-o", tmp_path / "s.aez", "-f")
    assert run(*lossy).status == 0
    aetool.compress(rows_csv, tmp_path / "p.aez", pca, lossy=True, force=True)
    assert (tmp_path / "s.aez").read_bytes() == (tmp_path / "p.aez").read_bytes()
    with pytest.raises(AetoolError, match="effort must be fast, default, best; got 'least'"):
        aetool.compress(rows_csv, tmp_path / "p.aez", effort="least")


def test_decompress_by_slices_from_0(rows_csv, tmp_path):
    (tmp_path / "t.csv").write_bytes(rows_csv.read_bytes())
    lines = rows_csv.read_bytes().splitlines(keepends=True)
    figures = aetool.compress(tmp_path / "t.csv")
    assert figures["rows"] == 300 and (tmp_path / "t.csv.aez").exists()
    with pytest.raises(DataError, match="exists already"):
        aetool.decompress(tmp_path / "t.csv.aez")
    assert aetool.decompress(tmp_path / "t.csv.aez", force=True) == tmp_path / "t.csv"
    assert (tmp_path / "t.csv").read_bytes() == rows_csv.read_bytes()
    for rows in (slice(3, 7), slice(-2, None), slice(5, 5), slice(None), slice(298, 999)):
        out = aetool.decompress(tmp_path / "t.csv.aez", tmp_path / "part", rows=rows, force=True)
        assert out.read_bytes() == b"".join([lines[0], *lines[1:][rows]])
    with pytest.raises(AetoolError, match="one after the other"):
        aetool.decompress(tmp_path / "t.csv.aez", tmp_path / "part", rows=slice(0, 9, 2))


def test_detect_at_the_top_is_what_the_shell_prints(rows_csv, pca, run):
    for shell, python in (
        ((), {}), (("-p", "pca"), {"plugin": "pca"}), (("-m", pca), {"model": pca}),
        (("-p", "pca", "-O", "latent=2"), {"plugin": "pca", "latent": 2}),
        (("-m", pca, "--fpr", "5%"), {"model": pca, "fpr": 0.05}),
    ):  # fmt: skip
        printed = pd.read_csv(io.StringIO(run("detect", rows_csv, *shell).out))
        found = aetool.detect(rows_csv, all_rows=False, **python)
        assert found["row"].tolist() == printed["row"].tolist()
        assert found["score"].tolist() == printed["score"].tolist()
        everything = aetool.detect(rows_csv, **python)
        assert len(everything) == 300 and everything["anomaly"].sum() == len(found)
    with pytest.raises(AetoolError, match="latent is of the model: fit it with latent"):
        aetool.detect(rows_csv, pca, latent=2)
    with pytest.raises(aetool.AetoolError, match="no such file"):
        aetool.detect("none.csv")
