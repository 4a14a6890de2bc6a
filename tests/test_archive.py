"""Archives restore what they say, in every format, by embedded or referenced models."""

import gzip
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import aetool
from aetool import operations
from aetool.codec.archive import Archive
from aetool.data.sources import open_source
from aetool.errors import ArchiveError, BundleError, DataError, ParamError
from aetool.operations import CompressOptions, FitOptions

LOSSY = CompressOptions(lossy_only=True, force=True)


def back(path, out, **options):
    return operations.decompress(path, out, force=True, **options)


@pytest.mark.parametrize(
    "raw",
    [b"a,b\n1,2\n", b"a,b\r\n1,2\r\n3,\"x\ny\"", b"a;b\n", b"\xef\xbb\xbfa\tb\n1\t2\n", b"x\n\n\n1\n",
     "é,ü\n1,2\n".encode(), b'a,b\n1,5" pipe\n2,x\n'],
)  # fmt: skip
def test_text_is_restored_byte_for_byte(tmp_path, raw):
    source = tmp_path / "t.csv"
    source.write_bytes(raw)
    facts = operations.compress(source, tmp_path / "t.aez")
    assert facts["fidelity"] == "lossless"
    assert back(tmp_path / "t.aez", tmp_path / "o").read_bytes() == raw


def test_other_files_are_restored_byte_for_byte(tmp_path):
    pd.DataFrame({"a": [1, 2]}).to_parquet(tmp_path / "t.parquet")
    kept = CompressOptions(keep_files=True)
    assert (
        operations.compress(tmp_path / "t.parquet", tmp_path / "t.aez", options=kept)["fidelity"]
        == "bytes (kept file)"
    )
    out = back(tmp_path / "t.aez", tmp_path / "o")
    assert out.read_bytes() == (tmp_path / "t.parquet").read_bytes()


def test_compressed_text_is_restored_as_what_is_inside(tmp_path, air):
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(air.read_bytes()))
    operations.compress(tmp_path / "t.csv.gz", tmp_path / "t.csv.gz.aez")
    out = operations.decompress(tmp_path / "t.csv.gz.aez")
    assert out == tmp_path / "t.csv" and out.read_bytes() == air.read_bytes()


def test_rows_of_a_lossless_archive(tmp_path, air):
    operations.compress(air, tmp_path / "t.aez")
    lines = air.read_bytes().splitlines(keepends=True)
    out = back(tmp_path / "t.aez", tmp_path / "o", rows=(100, 103))
    assert out.read_bytes() == b"".join([lines[0], *lines[101:104]])
    # as in slices of Python, those beyond the last are left out, and that is told
    notes = []
    beyond = back(tmp_path / "t.aez", tmp_path / "o2", rows=(1190, 6000), notes=notes)
    assert beyond.read_bytes() == b"".join([lines[0], *lines[1191:]])
    assert notes == ["rows 1191:6000: the last row is 1,200, so there are 10 of them"]
    for nothing in ((1200, 6000), (1200, None), (1201, 1201), (5, 4), (-1, 3)):
        with pytest.raises(ParamError, match="has rows 1:1200"):
            back(tmp_path / "t.aez", tmp_path / "o3", rows=nothing)
    assert back(tmp_path / "t.aez", tmp_path / "o4", rows=(5, 5)).read_bytes() == lines[0]


@pytest.fixture(scope="module")
def lossy(tmp_path_factory, air):
    folder = tmp_path_factory.mktemp("lossy")
    facts = operations.compress(air, folder / "t.aez", options=LOSSY)
    return folder / "t.aez", facts


def test_a_lossy_table_is_valid_and_its_errors_are_as_stated(lossy, air, tmp_path):
    path, facts = lossy
    out = back(path, tmp_path / "o.csv")
    one, two = pd.read_csv(air), pd.read_csv(out)
    assert list(one.columns) == list(two.columns) and len(one) == len(two)
    assert (one["time"] == two["time"]).all(), "dates are kept exactly"
    assert one["wd"].fillna("NA").tolist() == two["wd"].fillna("NA").tolist(), "stored as it is"
    for name, stated in facts["errors"].items():
        assert (one[name].isna() == two[name].isna()).all(), "gaps are kept exactly"
        d = (one[name] - two[name]).dropna()
        assert float(np.sqrt((d**2).mean())) == pytest.approx(stated["rmse"], rel=0.02, abs=0.02)
        assert two[name].min() >= one[name].min() and two[name].max() <= one[name].max()
    assert two["PM2.5"].dropna().eq(two["PM2.5"].dropna().round()).all(), "whole stays whole"
    assert facts["archive_bytes"] == path.stat().st_size < 0.25 * air.stat().st_size


def test_rows_of_a_lossy_archive(lossy, tmp_path):
    whole = back(lossy[0], tmp_path / "a").read_text().splitlines()
    part = back(lossy[0], tmp_path / "b", rows=(1000, 1010)).read_text().splitlines()
    assert part == [whole[0], *whole[1001:1011]]
    with Archive(lossy[0]) as archive:
        frame = archive[1000:1010]
        assert (
            len(archive) == 1200
            and frame["PM10"].tolist() == pd.read_csv(tmp_path / "b")["PM10"].tolist()
        )


def test_target_error_is_met_or_refused(whole_air, tmp_path):
    fit = FitOptions(params={"latent": 30})
    sizes = []
    for target in (0.05, 0.02):
        options = CompressOptions(lossy_only=True, force=True, target=target, fit=fit)
        facts = operations.compress(whole_air, tmp_path / "t.aez", options=options)
        assert facts["error"] <= target
        sizes.append(facts["bytes"]["code"])
    assert sizes[0] < sizes[1]
    # what two units do not reach, corrections do
    small = CompressOptions(lossy_only=True, target=0.001, fit=FitOptions(params={"latent": 2}))
    facts = operations.compress(whole_air, tmp_path / "u.aez", options=small)
    assert 0.0005 < facts["error"] <= 0.001
    # pictures have no columns to correct
    pixels = np.random.default_rng(0).integers(0, 255, (60, 8, 8)).astype(np.uint8)
    np.save(tmp_path / "p.npy", pixels)
    with pytest.raises(ParamError, match="reaches .* at best"):
        operations.compress(tmp_path / "p.npy", tmp_path / "v.aez", options=small)
    assert not (tmp_path / "v.aez").exists()


def test_fewer_code_units_are_smaller(whole_air, tmp_path):
    model = operations.fit(whole_air, FitOptions("pca", {"latent": 8}))
    sizes = []
    for latent in (2, 8):
        chosen = CompressOptions(lossy_only=True, force=True, latent=latent)
        sizes.append(
            operations.compress(whole_air, tmp_path / "t.aez", model, chosen)["bytes"]["code"]
        )
    assert sizes[0] < 0.7 * sizes[1]
    with pytest.raises(ParamError, match="has 8 units"):
        operations.compress(
            whole_air,
            tmp_path / "t.aez",
            model,
            CompressOptions(lossy_only=True, force=True, latent=9),
        )


def test_a_model_referred_to_by_hash(rows_csv, pca, loaded, tmp_path, monkeypatch):
    path = tmp_path / "t.aez"
    options = CompressOptions(lossy_only=True, embed=False)
    operations.compress(rows_csv, path, loaded, options)
    with pytest.raises(
        BundleError, match=f"needs the model whose sha256 begins {loaded.sha256[:16]}"
    ):
        back(path, tmp_path / "o")
    assert not (tmp_path / "o").exists()
    one = back(path, tmp_path / "o", model=loaded).read_bytes()
    monkeypatch.setenv("AETOOL_MODEL_PATH", str(pca.parent))
    assert back(path, tmp_path / "o2").read_bytes() == one


def test_a_model_with_codes_of_another_size_is_refused_each_time(rows_csv, loaded, tmp_path):
    options = CompressOptions(lossy_only=True, embed=False)
    operations.compress(rows_csv, tmp_path / "t.aez", loaded, options)
    with Archive(tmp_path / "t.aez", loaded) as archive:
        centre = [0.0] * (loaded.latent + 1)
        archive.content.quantiser = SimpleNamespace(centre=centre)
        for _ in range(2):
            with pytest.raises(ArchiveError, match="the model's code is of another size"):
                _ = archive.model


def stacked(source):
    """The pictures of a source of one size, (n, height, width)."""
    return np.stack([picture.pixels for picture in source.pictures()])


def test_pictures(folder, tmp_path):
    facts = operations.compress(folder, tmp_path / "p.aez", options=LOSSY)
    out = operations.decompress(tmp_path / "p.aez", tmp_path / "restored")
    one, two = open_source(folder), open_source(out)
    assert one.names == two.names
    d = stacked(one).astype(float) - stacked(two)
    assert np.sqrt((d**2).mean()) == pytest.approx(facts["rmse"], rel=1e-6)
    with Archive(tmp_path / "p.aez") as archive:
        np.testing.assert_array_equal(archive[3:5], stacked(two)[3:5, None])
    with pytest.raises(DataError, match="exists already"):
        operations.decompress(tmp_path / "p.aez", tmp_path / "restored")


@pytest.mark.parametrize("kind", ["idx", "npy", "npz"])
def test_picture_files(folder, tmp_path, kind):
    pixels = stacked(open_source(folder))
    path = tmp_path / f"p.{kind}"
    if kind == "idx":
        sizes = b"".join(n.to_bytes(4, "big") for n in pixels.shape)
        path.write_bytes(bytes([0, 0, 8, 3]) + sizes + pixels.tobytes())
    elif kind == "npy":
        np.save(path, pixels)
    else:
        np.savez(path, pictures=pixels)
    operations.compress(path, tmp_path / "p.aez", options=LOSSY)
    out = back(tmp_path / "p.aez", tmp_path / f"o.{kind}")
    two = open_source(out)
    assert two.count == 40 and two.shape == (1, 8, 8)


@pytest.mark.parametrize("kind", ["tsv", "jsonl", "parquet", "npz", "npy"])
def test_every_kind_of_table_comes_back_as_it_was(tmp_path, kind):
    rng = np.random.default_rng(0)
    a = rng.normal(size=200).round(2)
    frame = pd.DataFrame({"a": a, "b": (a * 3).round(1), "n": (a * 10).round().astype(int)})
    if kind not in ("npz", "npy"):
        frame["c"] = np.where(a > 0, "up", "down")
        frame.loc[5, "b"] = np.nan
    path = tmp_path / f"t.{kind}"
    if kind == "tsv":
        frame.to_csv(path, sep="\t", index=False)
    elif kind == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    elif kind == "parquet":
        frame.to_parquet(path)
    elif kind == "npz":
        np.savez(path, X=frame.to_numpy(), y=frame["n"].to_numpy())
    else:
        np.save(path, frame.to_numpy())
    operations.compress(path, tmp_path / "t.aez", options=LOSSY)
    out = back(tmp_path / "t.aez", tmp_path / f"o.{kind}")
    one, two = open_source(path).head(), open_source(out).head()
    assert one.names == two.names and len(one) == len(two)
    if kind == "parquet":
        assert pd.read_parquet(out).dtypes.tolist() == frame.dtypes.tolist()
        assert np.isnan(pd.read_parquet(out)["b"][5])
    if kind == "npz":
        assert np.load(out)["y"].dtype == frame["n"].dtype


def test_frames_come_back_with_their_types(tmp_path):
    rng = np.random.default_rng(0)
    a = rng.normal(size=100)
    frame = pd.DataFrame(
        {
            "n": pd.array(np.where(a > 1, None, (a * 10).round()), dtype="Int64"),
            "f": a,
            "c": pd.Categorical(np.where(a > 0, "x", "y")),
            "t": pd.date_range("2024-01-01", periods=100, freq="h"),
            "s": [f"id-{i}" for i in range(100)],
            "b": a > 0,
        }
    )
    model = aetool.fit(frame, plugin="pca")
    model.compress(frame, tmp_path / "t.aez", embed=True, lossy=True)
    with aetool.open(tmp_path / "t.aez") as archive:
        got = archive.to_pandas()
    assert got.dtypes.astype(str).tolist() == frame.dtypes.astype(str).tolist()
    assert (got["t"] == frame["t"]).all() and (got["s"] == frame["s"]).all()
    assert (got["n"].isna() == frame["n"].isna()).all()


def test_no_rows(rows_csv, loaded, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(rows_csv.read_text().splitlines()[0] + "\n")
    facts = operations.compress(path, tmp_path / "t.aez", loaded, LOSSY)
    assert facts["rows"] == 0
    assert back(tmp_path / "t.aez", tmp_path / "o", model=loaded).read_text() == path.read_text()


def test_existing_files_are_kept(rows_csv, tmp_path):
    target = tmp_path / "t.aez"
    target.write_text("mine")
    with pytest.raises(DataError, match="exists already"):
        operations.compress(rows_csv, target)
    assert target.read_text() == "mine" and len(list(tmp_path.iterdir())) == 1


def test_an_archive_says_what_it_is(tmp_path):
    source = tmp_path / "t.csv"
    source.write_bytes(b"n\n" + b"".join(b"%d\n" % number for number in range(1500)))
    aetool.compress(source, tmp_path / "t.aez")
    with aetool.open(tmp_path / "t.aez") as archive:
        assert repr(archive) == f"<Archive {tmp_path / 't.aez'}: 1,500 rows, table, lossless>"


# ---- columns that are chosen


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl", "frame"])
def test_chosen_columns_of_an_archive(tmp_path, kind):
    frame = pd.DataFrame(
        {"a": np.arange(50), "b": [f"w{i % 5}" for i in range(50)], "c": np.arange(50) / 4}
    )
    path = tmp_path / f"t.{kind}"
    if kind == "csv":
        frame.to_csv(path, index=False)
    elif kind == "parquet":
        frame.to_parquet(path)
    elif kind == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    aetool.compress(frame if kind == "frame" else path, tmp_path / "t.aez")
    with aetool.open(tmp_path / "t.aez", columns=["c", "a"]) as archive:
        some, every = archive[3:7], archive.to_pandas()
    assert list(every.columns) == ["c", "a"]
    pd.testing.assert_frame_equal(every, frame[["c", "a"]])
    pd.testing.assert_frame_equal(
        some.reset_index(drop=True), frame[["c", "a"]][3:7].reset_index(drop=True)
    )
    with aetool.open(tmp_path / "t.aez", columns="b") as archive:
        assert list(archive.to_pandas().columns) == ["b"]
    with pytest.raises(ParamError, match="columns: no column 'd'"):
        aetool.open(tmp_path / "t.aez", columns=["d"])


def test_columns_of_what_has_none(tmp_path):
    np.save(tmp_path / "p.npy", np.zeros((3, 4, 5), np.uint8))
    aetool.compress(tmp_path / "p.npy", tmp_path / "p.aez")
    with pytest.raises(ParamError, match="columns is for tables"):
        aetool.open(tmp_path / "p.aez", columns=["a"])


@pytest.mark.parametrize("rows", ["1:3", [1, 3], 5])
def test_rows_of_another_form_are_told(tmp_path, rows):
    pd.DataFrame({"a": range(9)}).to_csv(tmp_path / "t.csv", index=False)
    aetool.compress(tmp_path / "t.csv", tmp_path / "t.aez")
    with pytest.raises(ParamError, match=r"rows must be slice\(a, b\) or \(a, b\); got "):
        aetool.decompress(tmp_path / "t.aez", tmp_path / "b.csv", rows=rows)


def test_which_columns_a_bound_changes_is_told(tmp_path, run):
    path = tmp_path / "t.csv"
    rng = np.random.default_rng(0)
    values = rng.normal(50, 9, (300, 2)).round(3)
    rows = [f"{i % 90},{x},w{i % 4},{y}" for i, (x, y) in enumerate(values.tolist())]
    path.write_text("user_id,x,word,y\n" + "\n".join(rows) + "\n", encoding="utf-8")
    facts = aetool.compress(path, tmp_path / "t.aez", max_error="1%")
    assert facts["changed"] == ["x", "y"] and facts["unchanged"] == ["user_id", "word"]
    done = run("compress", path, "--max-error", "x=0.5", "-o", tmp_path / "u.aez")
    assert (
        "note: within the bound, with the largest error: x 0.494; exact: user_id, word, y"
        in done.err.splitlines()
    )
    assert "changed" not in aetool.compress(path, tmp_path / "v.aez")


def test_no_column_at_all_is_no_choice_of_columns(tmp_path):
    frame = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
    aetool.compress(frame, tmp_path / "t.aez")
    with aetool.open(tmp_path / "t.aez") as archive:
        with pytest.raises(ParamError, match="name one at least"):
            archive.choose([])
        assert list(archive.to_pandas()) == ["a", "b"]
    with pytest.raises(ParamError, match="name one at least"):
        aetool.open(tmp_path / "t.aez", columns=[])


def test_names_of_windows_1252_are_those_that_detection_gives(tmp_path, run):
    path = tmp_path / "sales.csv"
    numbers = np.random.default_rng(4).integers(0, 4000, 400)
    lines = [f"{number};{place % 7}" for place, number in enumerate(numbers.tolist())]
    text = "\n".join(["Umsatz €;Größe", *lines, ""])
    path.write_bytes(text.encode("cp1252"))
    archive = tmp_path / "a.aez"
    assert open_source(path).head(0).names == ("Umsatz €", "Größe")
    aetool.compress(path, archive)
    aetool.decompress(archive, tmp_path / "back.csv")
    assert (tmp_path / "back.csv").read_bytes() == path.read_bytes()
    done = run("decompress", archive, "--columns", "Umsatz €", "-o", tmp_path / "one.csv")
    assert done.status == 0
    one = [line.split(";")[0] for line in text.splitlines()]
    assert (tmp_path / "one.csv").read_bytes() == ("\n".join(one) + "\n").encode("cp1252")
    figures = aetool.compress(path, archive, max_error={"Umsatz €": "10"}, force=True)
    assert figures["changed"] == ["Umsatz €"]
    assert 9 < figures["errors"]["Umsatz €"]["largest"] <= 10


def test_names_of_windows_1252_above_units_are_written_again(tmp_path, run):
    path = tmp_path / "sales.csv"
    lines = [f"{place * 37 % 400 / 10};{place % 7 / 2}" for place in range(400)]
    text = "\n".join(["# made by hand", "Umsatz €;Größe", "[kg];[m]", *lines, ""])
    path.write_bytes(text.encode("cp1252"))
    archive = tmp_path / "a.aez"
    aetool.compress(path, archive)
    done = run("decompress", archive, "--columns", "Umsatz €", "-o", tmp_path / "one.csv")
    assert done.status == 0
    assert (tmp_path / "one.csv").read_bytes().splitlines()[0] == "Umsatz €".encode("cp1252")
