"""Neighbours by code are those that comparing every pair would find."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import aetool
from aetool import bundle as bundles
from aetool import operations
from aetool.errors import DataError
from aetool.operations import searching
from aetool.testing import pictures
from aetool.writing import drawing
from tests.test_sampling import opened


def by_hand(far, k):
    order = np.argsort(far, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(far, order, axis=1)


def test_neighbours_are_the_nearest():
    rng = np.random.default_rng(0)
    held = rng.normal(size=(3000, 5)).astype(np.float32)
    held[100:200] = held[:100]  # equals: the earlier comes first
    wanted = np.concatenate([held[:150], rng.normal(size=(50, 5)).astype(np.float32)])
    far = np.sqrt(((wanted[:, None].astype(float) - held[None]) ** 2).sum(axis=2))
    rows, distances = by_hand(far, 7)
    found = searching.by_distance(wanted, held, False, 7)
    assert np.array_equal([r for r, _ in found], rows)
    np.testing.assert_allclose([d for _, d in found], distances, atol=1e-9)
    codes = rng.integers(0, 4, (2000, 6)).astype(np.float32)
    rows, distances = by_hand((codes[:40, None] != codes[None]).sum(axis=2), 9)
    found = searching.by_distance(codes[:40], codes, True, 9)
    assert np.array_equal([r for r, _ in found], rows)
    assert np.array_equal([d for _, d in found], distances)


@pytest.mark.parametrize(("bits", "rows"), [(12, 5000), (40, 3000), (64, 200)])
def test_flipping_bits_finds_what_a_scan_finds(bits, rows, monkeypatch):
    rng = np.random.default_rng(bits)
    keys = searching.packed(rng.random((rows, bits)) < 0.3)
    index = searching.Index(keys, bits)
    scans = []
    scan = index.scanned
    monkeypatch.setattr(index, "scanned", lambda *a: scans.append(1) or scan(*a))
    for key in [*keys[:20], *searching.packed(rng.random((20, bits)) < 0.5)]:
        far = np.array([bin(int(v ^ key)).count("1") for v in keys])
        found, distances = index.nearest(key, 10)
        limit = np.sort(far)[9]
        assert set(found) >= set(np.flatnonzero(far <= limit)) and np.array_equal(
            far[found], distances
        )
    assert (len(scans) == 0) == (bits == 12), "both ways are tried"


def test_the_rotation_lies_nearer_to_its_signs_than_the_axes():
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(4000, 8)) @ np.diag([5, 4, 3, 2, 1, 1, 1, 1])
    rotation, centre = searching.rotation(codes.astype(np.float32))
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(8), atol=1e-6)

    def loss(turn):
        v = (codes - centre) @ turn
        return ((np.sign(v) - v / v.std()) ** 2).mean()

    plain = np.linalg.svd(codes - centre, full_matrices=False)[2].T
    assert loss(rotation) < 0.9 * loss(plain)


@pytest.fixture(scope="module")
def blobs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blobs")
    np.save(folder / "p.npy", pictures(90)[:, 0])
    np.save(folder / "q.npy", pictures(90)[7:10, 0])
    aetool.fit(folder / "p.npy", "pca", latent=8).save(folder / "m.aem")
    return folder


def table(text):
    return pd.read_csv(io.StringIO(text))


def test_pictures_by_file_and_by_archive(blobs, run, monkeypatch):
    m = ("-m", blobs / "m.aem")
    done = run("similar", blobs / "q.npy", "--in", blobs / "p.npy", *m, "-k", 4, "--sheet", blobs / "s.png", "-f")  # fmt: skip
    assert done.status == 0, done.err
    found = table(done.out)
    assert found["query"].tolist() == [1] * 4 + [2] * 4 + [3] * 4
    assert found["row"][::4].tolist() == [8, 9, 10] and (found["distance"][::4] == 0).all()
    assert opened(blobs / "s.png").size == (8 * 52, 8 * 32)
    assert (
        run("compress", blobs / "p.npy", "--lossy-only", *m, "-o", blobs / "p.aez", "-f").status
        == 0
    )
    session = bundles.Bundle.session

    def no_decoder(self, graph, device="auto"):
        assert graph != "decoder.onnx", "no record may be decoded"
        return session(self, graph, device)

    monkeypatch.setattr(bundles.Bundle, "session", no_decoder)
    done = run("similar", blobs / "q.npy", "--in", blobs / "p.aez", *m, "-k", 4)
    assert done.status == 0, done.err
    stored = table(done.out)
    assert stored["row"][::4].tolist() == [8, 9, 10]
    kept = [len(set(a) & set(b)) for a, b in zip(
        found["row"].to_numpy().reshape(3, 4), stored["row"].to_numpy().reshape(3, 4), strict=True)]  # fmt: skip
    assert sum(kept) >= 10, "rounding of codes moves few neighbours"
    monkeypatch.undo()
    assert run("compress", blobs / "p.npy", "--lossy-only", *m, "--embed", "-o", blobs / "e.aez", "-f").status == 0  # fmt: skip
    bare = run("similar", blobs / "q.npy", "--in", blobs / "e.aez", "-k", 4)
    assert bare.status == 2 and "decoder alone" in bare.err
    inside = run("similar", blobs / "q.npy", "--in", blobs / "e.aez", *m, "-k", 4)
    assert table(inside.out).equals(stored)
    aetool.fit(blobs / "p.npy", "pca", latent=7).save(blobs / "other.aem", force=True)
    other = run("similar", blobs / "q.npy", "--in", blobs / "e.aez", "-m", blobs / "other.aem")
    assert other.status == 2 and "another model" in other.err
    bits = table(
        run("similar", blobs / "q.npy", "--in", blobs / "p.aez", *m, "-k", 4, "--binary").out
    )
    assert (bits["distance"] % 1 == 0).all() and (bits["distance"] <= 8).all()


def test_tables_rows_and_columns(air, air_pca, tmp_path, run):
    out = tmp_path / "n.json"
    done = run("similar", air, "--in", air, "-m", air_pca, "--row", 5, "--row", 9, "-k", 2, "--id", "time,TEMP", "-o", out)  # fmt: skip
    assert done.status == 0, done.err
    found = pd.read_json(out)
    assert found["query"].tolist() == [5, 5, 9, 9] and found["row"].tolist()[::2] == [5, 9]
    real = pd.read_csv(air)
    assert found["TEMP"].tolist() == real["TEMP"][found["row"] - 1].tolist()
    frame = aetool.load(air_pca).similar(air, air, rows=[5], k=2)
    assert frame["row"].tolist() == found["row"][:2].tolist()
    for wrong, words in (
        (["--row", 99999], "has records 1 .. 1200"),
        (["--id", "nothing"], "no such column"),
        (["--sheet", tmp_path / "x.png", "--row", 1], "for pictures"),
    ):
        bad = run("similar", air, "--in", air, "-m", air_pca, *wrong)
        assert bad.status == 2 and words in bad.err and not bad.out
    assert run("compress", air, "-o", tmp_path / "a.aez").status == 0
    bad = run("similar", air, "--in", tmp_path / "a.aez", "-m", air_pca)
    assert bad.status == 2 and "holds no codes" in bad.err
    assert "a model is needed" in run("similar", air, "--in", air).err


@pytest.mark.parametrize("binary", [False, True])
def test_a_query_without_rows_has_no_neighbours(air, air_pca, tmp_path, run, binary):
    frame = pd.read_csv(air, nrows=50)
    model = bundles.load(air_pca)
    lossy = operations.CompressOptions(lossy=True, lossy_only=True)
    assert operations.compress(frame, tmp_path / "t.aez", model, lossy)["rows"] == 50
    for data in (frame, tmp_path / "t.aez"):
        options = searching.SearchOptions(k=3, binary=binary)
        found = searching.similar(frame[:0], data, model, options)
        columns = found.columns()
        assert list(columns) == ["query", "rank", "row", "distance"]
        assert not any(columns.values())
    path = tmp_path / "none.csv"
    path.write_text(air.read_text().splitlines(keepends=True)[0])
    done = run("similar", path, "--in", air, "-m", air_pca, "-k", 2)
    assert (done.status, done.out) == (0, "query,rank,row,distance\n"), done.err


def test_an_archive_without_records_has_none_to_search(air, air_pca, tmp_path):
    frame = pd.read_csv(air, nrows=50)
    model = bundles.load(air_pca)
    lossy = operations.CompressOptions(lossy=True, lossy_only=True)
    operations.compress(frame[:0], tmp_path / "t.aez", model, lossy)
    with pytest.raises(DataError, match="t.aez: no records to search"):
        searching.similar(frame, tmp_path / "t.aez", model)


def test_no_query_is_drawn_as_one_line(blobs, tmp_path):
    model = bundles.load(blobs / "m.aem")
    none = np.zeros(0, np.int64)
    found = searching.Neighbours(none, none, none, np.zeros(0), {})
    given = (tmp_path / "s.png", blobs / "q.npy", blobs / "p.npy", model, found)
    with pytest.raises(DataError, match="q.npy: no records to draw"):
        searching.write_sheet(*given)


def test_codes_of_two_levels_are_their_own_bits():
    rng = np.random.default_rng(0)
    data = pd.DataFrame(rng.normal(size=(600, 6)) @ rng.normal(size=(6, 6)), columns=list("abcdef"))
    made = aetool.fit(data, "vq", size=2, latent=6, epochs=3, device="cpu")
    found = made.similar(data[:30], data, k=200, binary=True)
    z = made.encode(data)
    far = [(z[q - 1] != z[r - 1]).sum() for q, r in zip(found["query"], found["row"], strict=True)]
    assert far == found["distance"].tolist() and max(far) > 0, "of 64 codes at most"


# another network, for one line
@pytest.mark.long
def test_codes_of_more_levels_are_not_compared_by_bits():
    data = pd.DataFrame(np.random.default_rng(0).normal(size=(600, 6)), columns=list("abcdef"))
    many = aetool.fit(data, "vq", size=8, latent=3, epochs=1, device="cpu")
    with pytest.raises(aetool.errors.ParamError, match="size=2"):
        many.similar(data[:3], data, binary=True)


def test_maps_of_codes(air, air_pca, blobs, tmp_path, run):
    for more in (["--color", "TEMP"], ["--color", "wd"], []):
        out = tmp_path / f"{len(more)}{''.join(more[1:])}.png"
        assert run("encode", air, "-m", air_pca, "--plot", out, *more).status == 0
        assert len(opened(out).convert("RGB").getcolors(1 << 20)) > 50
    learned = run("encode", air, "-O", "latent=2", "--plot", tmp_path / "own.png", "-o", tmp_path / "own.csv")  # fmt: skip
    assert learned.status == 0 and list(pd.read_csv(tmp_path / "own.csv")) == ["row", "z0", "z1"]
    for wrong, words in (
        (["-m", air_pca, "--plot", tmp_path / "x.png", "--color", "none"], "no such column"),
        (["-m", air_pca, "-o", tmp_path / "x.csv", "--color", "wd"], "needs --plot"),
    ):
        bad = run("encode", air, *wrong)
        assert bad.status == 2 and words in bad.err and not (tmp_path / "x.png").exists()
    bad = run("encode", blobs / "p.npy", "-m", blobs / "m.aem", "--plot", tmp_path / "x.png", "--color", "wd")  # fmt: skip
    assert bad.status == 2 and "folder" in bad.err


def test_the_sheet_of_a_folder_shows_what_the_model_sees(tmp_path, run, monkeypatch):
    folder = tmp_path / "p"
    folder.mkdir()
    for number, picture in enumerate(pictures(8)[:, 0]):
        side = 8 + 4 * (number % 2)
        shown = np.asarray(picture)[:8, :8]
        Image.fromarray(np.resize(shown, (side, side))).save(folder / f"{number}.png")
    (folder / "2a.png").write_bytes(b"broken")
    fitted = run("fit", folder, "-p", "pca", "--resize", "8", "-o", tmp_path / "m.aem")
    assert fitted.status == 0, fitted.err
    sheets = []
    monkeypatch.setattr(drawing, "write_sheet", lambda *given: sheets.append(given))
    wanted = ("--row", 6, "-k", 3, "--sheet", tmp_path / "s.png")
    done = run("similar", folder, "--in", folder, "-m", tmp_path / "m.aem", *wanted)
    assert done.status == 0, done.err
    # the broken one is the fourth, and counts
    assert table(done.out)["picture"][0] == "4.png"
    ((_, drawn, across, _, _),) = sheets
    assert drawn.shape == (4, 1, 8, 8) and across == 4
    np.testing.assert_array_equal(drawn[0, 0], np.asarray(Image.open(folder / "4.png")))
    # a picture's nearest neighbour is itself
    np.testing.assert_array_equal(drawn[0], drawn[1])
