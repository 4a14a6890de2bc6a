"""A folder comes back with every file in it, under its name, with its permissions; what does not fit
is said, and what the archive does not hold stays where it is."""

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from aetool import operations
from aetool.codec import folders
from aetool.codec.archive import Archive
from aetool.data import images
from aetool.data.pictures.choosing import Asked, chosen
from aetool.data.pictures.framed import framed
from aetool.data.sources import open_source
from aetool.errors import AetoolError, ArchiveError, DataError
from aetool.operations import CompressOptions, FitOptions
from aetool.writing.pictures import write_folder


def pixels(seed, *shape):
    return np.random.default_rng(seed).integers(0, 255, shape).astype(np.uint8)


@pytest.fixture
def mixed(tmp_path):
    """A folder as people have them: pictures of several kinds, notes, what systems leave."""
    folder = tmp_path / "mixed"
    (folder / "sub" / "empty").mkdir(parents=True)
    for number, name in enumerate(("x.png", "x.bmp", "x.ppm", "Y.PNG", "sub/x.png")):
        Image.fromarray(pixels(number, 8, 8, 3)).save(folder / name)
    Image.fromarray(pixels(9, 7, 5)).save(folder / "photo.jpg")
    (folder / "._x.png").write_bytes(bytes([0, 5, 22, 7]) + bytes(100))
    (folder / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (folder / "readme.txt").write_text("of the line, March\n")
    (folder / "sub" / "nothing.txt").write_bytes(b"")
    (folder / "readme.txt").chmod(0o600)
    (folder / "x.bmp").chmod(0o640)
    (folder / "sub" / "empty").chmod(0o700)
    return folder


def held(folder):
    """What a folder holds: pixels of PNG, BMP and PPM, bytes of other files, and permissions."""
    found = {}
    for path in sorted(folder.rglob("*")):
        what = "folder" if path.is_dir() else path.read_bytes()
        if path.is_file() and (plain := images.plain_picture(path)) is not None:
            what = (plain.format, plain.mode, plain.pixels.tobytes())
        found[path.relative_to(folder).as_posix()] = (what, oct(path.stat().st_mode))
    return found


@pytest.mark.parametrize("keep", [False, True])
def test_every_file_of_a_folder_comes_back(mixed, tmp_path, keep):
    figures = operations.compress(mixed, tmp_path / "m.aez", None, CompressOptions(keep_files=keep))
    assert figures["left_out"] == [] and figures["rows"] == 11
    assert figures["fidelity"] == ("lossless" if keep else "pixels")
    back = operations.decompress(tmp_path / "m.aez", tmp_path / "back")
    assert held(back) == held(mixed)


def test_a_folder_without_pictures_and_one_with_nothing(tmp_path):
    folder = tmp_path / "notes"
    folder.mkdir()
    with pytest.raises(DataError, match="without pictures, tables or any other file"):
        operations.compress(folder, tmp_path / "n.aez")
    (folder / "a.csv").write_text("a\n1\n")
    operations.compress(folder, tmp_path / "n.aez")
    assert held(operations.decompress(tmp_path / "n.aez", tmp_path / "back")) == held(folder)
    assert operations.detect(folder).total == 1, "tables in a folder are one table"
    (folder / "a.csv").rename(folder / "a.doc")
    with pytest.raises(DataError, match=r"no pictures in it, but a\.doc"):
        operations.detect(folder)


def test_a_folder_of_tables_is_said_to_be_one(tmp_path, run):
    folder = tmp_path / "days"
    folder.mkdir()
    for name in ("mo", "tu"):
        lines = "".join(f"{n},{n * n % 97}\n" for n in range(2000))
        (folder / f"{name}.csv").write_text(f"a,b\n{lines}", encoding="utf-8")
    first, second = run("compress", folder, "-o", tmp_path / "d.aez").err.splitlines()
    size = sum(path.stat().st_size for path in folder.iterdir())
    assert first.endswith(f" times smaller than {size:,}")
    assert second.startswith("note: 2 tables are stored as files, byte for byte; --parts ")
    stored = run("compress", folder, "--parts", "-o", tmp_path / "p.aez").err
    assert "2 parts, 4,000 rows, lossless, " in stored
    assert f" times smaller than {size:,}" in stored


def one_of(mode):
    """A picture of 13 x 9 of this mode."""
    if mode == "I;16":
        deep = pixels(2, 9, 13).astype(np.uint16) << 8 | pixels(3, 9, 13)
        return Image.fromarray(deep)
    channels = {"RGB": (3,), "RGBA": (4,), "CMYK": (4,), "LA": (2,)}.get(mode, ())
    flat = pixels(1, 9, 13, *channels)
    if mode == "CMYK":
        return Image.frombytes(mode, (13, 9), flat.tobytes())
    picture = Image.fromarray(flat)
    if mode == "P":
        picture = Image.frombytes("P", (13, 9), (flat % 2).tobytes())
        picture.putpalette([0, 10, 20, 200, 100, 0])
        return picture
    return picture.convert("1") if mode == "1" else picture


@pytest.mark.parametrize("mode", ["CMYK", "I;16"])
def test_bytes_of_plain_tiff_files_come_back_from_their_pixels(tmp_path, mode):
    folder = tmp_path / "scans"
    folder.mkdir()
    slope = np.add.outer(np.arange(90), np.arange(120))
    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 4, slope.shape)
        if mode == "I;16":
            picture = Image.fromarray((100 * slope + noise).astype(np.uint16))
        else:
            four = (slope + noise)[:, :, None] + np.array([0, 20, 9, 3])
            picture = Image.frombytes(mode, (120, 90), four.astype(np.uint8).tobytes())
        picture.save(folder / f"{number}.tif")
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    figures = operations.compress(folder, tmp_path / "s.aez")
    assert figures["archive_bytes"] < sum(map(len, files.values())) / 3
    back = operations.decompress(tmp_path / "s.aez", tmp_path / "back")
    assert {path.name: path.read_bytes() for path in back.iterdir()} == files


def test_pictures_of_16_bits_lose_none(tmp_path):
    """Of several channels Pillow reads the upper 8 bits alone: such files are kept."""
    folder = tmp_path / "deep"
    folder.mkdir()
    gray = np.add.outer(300 * np.arange(60), 7 * np.arange(70)).astype(np.uint16)
    Image.fromarray(gray).save(folder / "gray.png")
    rows = np.random.default_rng(0).integers(0, 256, (6, 1 + 5 * 6)).astype(np.uint8)
    rows[:, 0] = 0
    (folder / "colours.png").write_bytes(png(5, 6, 16, 2, rows.tobytes()))
    assert images.plain_picture(folder / "gray.png").pixels.dtype == np.uint16
    assert images.plain_picture(folder / "colours.png") is None
    operations.compress(folder, tmp_path / "d.aez")
    back = operations.decompress(tmp_path / "d.aez", tmp_path / "back")
    assert (back / "colours.png").read_bytes() == (folder / "colours.png").read_bytes()
    np.testing.assert_array_equal(np.asarray(Image.open(back / "gray.png")), gray)


def png(width, height, depth, colour, rows):
    """A PNG of rows with their filters, as it is specified."""

    def chunk(kind, content):
        told = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + told

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


@pytest.mark.parametrize("format", images.PLAIN)
def test_what_counts_as_plain_is_written_as_it_is_read(tmp_path, format):
    for mode in images.PLAIN[format]:
        one_of(mode).save(tmp_path / "one", format=format)
        one = next(folders.read(tmp_path / "one", "one", keep=False))
        assert (one.format, one.mode) == (format, mode)
        write_folder(tmp_path / "out", [one], force=True)
        assert next(folders.read(tmp_path / "out" / "one", "one", keep=False)).same(one)


def test_large_files_are_stored_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "PIECE", 1000)
    folder = tmp_path / "large"
    folder.mkdir()
    (folder / "log").write_bytes(bytes(range(256)) * 12)
    (folder / "log").chmod(0o400)
    (folder / "exact").write_bytes(bytes(2000))
    operations.compress(folder, tmp_path / "l.aez")
    assert held(operations.decompress(tmp_path / "l.aez", tmp_path / "back")) == held(folder)


def test_what_no_archive_holds_is_said(mixed, tmp_path, run):
    os.mkfifo(mixed / "pipe")
    (mixed / "loop").symlink_to(mixed / "sub")
    (mixed / "gone").symlink_to("nowhere")
    (mixed / "alias.txt").symlink_to("readme.txt")
    done = run("compress", mixed, "-o", tmp_path / "m.aez")
    assert done.status == 0 and "will not bring back: gone, loop, pipe\n" in done.err
    back = operations.decompress(tmp_path / "m.aez", tmp_path / "back")
    assert (back / "alias.txt").read_text() == (mixed / "readme.txt").read_text()
    for name in ("pipe", "loop", "gone", "alias.txt"):
        (mixed / name).unlink()
    (back / "alias.txt").unlink()
    assert held(back) == held(mixed)


def test_a_lossy_archive_says_what_it_leaves_out(folder, tmp_path, run):
    (tmp_path / "p").mkdir()
    for number, name in enumerate(sorted(folder.rglob("*.png"))):
        Image.open(name).save(tmp_path / "p" / f"{number // 2:02}.{'bmp' if number % 2 else 'png'}")
    (tmp_path / "p" / "labels.csv").write_text("a\n1\n")
    done = run("compress", tmp_path / "p", "--lossy-only", "-p", "pca", "-o", tmp_path / "p.aez")
    assert done.status == 0 and "will not bring back: labels.csv\n" in done.err
    back = operations.decompress(tmp_path / "p.aez", tmp_path / "back")
    names = sorted(path.name for path in back.iterdir())
    assert names == sorted(
        [f"{n:02}.png" for n in range(20)] + [f"{n:02}.bmp.png" for n in range(20)]
    )


def test_a_lossy_folder_without_names_is_damage(tmp_path):
    folder = tmp_path / "p"
    folder.mkdir()
    for number in range(9):
        Image.fromarray(pixels(number, 8, 8)).save(folder / f"{number}.png")
    path = tmp_path / "p.aez"
    options = CompressOptions(lossy=True, lossy_only=True, embed=True)
    operations.compress(folder, path, operations.fit(folder, FitOptions("pca")), options)
    with Archive(path) as archive:
        assert [one.name for one in archive.content.pictures(archive, 0, 2)] == ["0.png", "1.png"]
        archive.content.named = False
        with pytest.raises(ArchiveError, match="stored without their names"):
            list(archive.content.pictures(archive, 0, 2))


def test_most_pictures_decide_and_not_the_first(tmp_path, run):
    for number in range(9):
        Image.fromarray(pixels(number, 8, 8)).save(tmp_path / f"b{number}.png")
    Image.fromarray(pixels(0, 8, 8, 3)).save(tmp_path / "a-in-colour.png")
    (tmp_path / "._b0.png").write_bytes(b"no picture")
    source = open_source(tmp_path)
    seen = framed(source, chosen(source, Asked()))
    assert seen.shape == (1, 8, 8) and seen.count == 10
    assert next(seen.batches()).shape == (10, 1, 8, 8)
    assert run("detect", tmp_path, "-p", "pca", "--top", 1).status == 0
    Image.fromarray(pixels(0, 16, 8)).save(tmp_path / "a-large.png")
    done = run("detect", tmp_path, "-p", "pca", "--top", 1)
    assert done.status == 0
    words = "11 pictures of 2 sizes (from 8 x 8 to 8 x 16): resized to 8 x 8"
    assert f"{words}; 1 of 11 pictures are in colour: all are seen in gray\n" in done.err


def test_files_that_the_archive_does_not_hold_stay(mixed, tmp_path):
    before = held(mixed)
    operations.compress(mixed, tmp_path / "m.aez")
    home = tmp_path / "home"
    (home / "sub" / "deep").mkdir(parents=True)
    (home / "sub").chmod(0o750)
    for name in ("thesis.txt", "sub/x.txt", "sub/deep/y", "readme.txt"):
        (home / name).write_text(f"{name}, as it was")
    (home / "thesis.txt").chmod(0o600)
    (home / "link").symlink_to("thesis.txt")
    kept = {name: entry for name, entry in held(home).items() if name not in before}
    inode = (home / "thesis.txt").stat().st_ino
    with pytest.raises(DataError, match="exists already"):
        operations.decompress(tmp_path / "m.aez", home)
    operations.decompress(tmp_path / "m.aez", home, force=True)
    assert held(home) == before | kept | {"sub": before["sub"]}
    assert (home / "link").is_symlink() and (home / "thesis.txt").stat().st_ino == inode
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "m.aez", "mixed"]


def test_what_cannot_be_in_one_place_is_refused_and_nothing_lost(mixed, tmp_path, monkeypatch):
    operations.compress(mixed, tmp_path / "m.aez")
    for name, words in (("sub", "is a file, and the archive"), ("x.png", "is a folder, and the")):
        home = tmp_path / f"home-{name}"
        home.mkdir()
        (home / name).write_text("own") if name == "sub" else (home / name).mkdir()
        before = held(home)
        with pytest.raises(DataError, match=words):
            operations.decompress(tmp_path / "m.aez", home, force=True)
        assert held(home) == before
    (tmp_path / "file").write_text("own")
    with pytest.raises(DataError, match="is a file, and a folder is to be written"):
        operations.decompress(tmp_path / "m.aez", tmp_path / "file", force=True)
    monkeypatch.chdir(mixed / "sub")
    with pytest.raises(DataError, match="in which this command runs"):
        operations.decompress(tmp_path / "m.aez", mixed, force=True)
    assert not list(tmp_path.glob(".*")), "no stray files"


def test_a_link_to_a_folder_is_followed(mixed, tmp_path):
    operations.compress(mixed, tmp_path / "m.aez")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    operations.decompress(tmp_path / "m.aez", tmp_path / "link", force=True)
    assert (tmp_path / "link").is_symlink() and held(tmp_path / "real") == held(mixed)


@pytest.mark.parametrize("name", ["../out.txt", "/tmp/out.txt", "a/../../out.txt", "", "a\0b"])
def test_no_name_leads_out_of_the_folder(tmp_path, name):
    with pytest.raises(ArchiveError, match="leaves the folder"):
        write_folder(tmp_path / "f", [folders.Picture(name, raw=b"x")], force=False)
    with pytest.raises(AetoolError, match="leaves the folder"):
        permissions = {name or ".": 0o777}
        write_folder(tmp_path / "f", [], force=False, permissions=permissions)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_tiff_is_kept_as_the_bytes_it_is(tmp_path):
    """Every byte of a small file is set to others in turn: what Pillow makes of it differs in kind."""
    whole = tmp_path / "whole.tif"
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(whole)
    intact = whole.read_bytes()
    path = tmp_path / "damaged.tif"
    for place in range(8, len(intact)):
        for value in (0, 2, 5, 7, 12, 255):
            path.write_bytes(intact[:place] + bytes([value]) + intact[place + 1 :])
            picture = images.plain_picture(path)
            assert picture is None or picture.format == "TIFF"
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "damaged.tif").write_bytes(intact[:72] + bytes([5]) + intact[73:])
    operations.compress(folder, tmp_path / "in.aez")
    operations.decompress(tmp_path / "in.aez", tmp_path / "out")
    assert (tmp_path / "out" / "damaged.tif").read_bytes() == (folder / "damaged.tif").read_bytes()


def test_a_folder_is_compared_with_the_size_of_its_files(mixed, tmp_path, run):
    size = sum(path.stat().st_size for path in mixed.rglob("*") if path.is_file())
    done = run("compress", mixed, "-o", tmp_path / "m.aez")
    taken = (tmp_path / "m.aez").stat().st_size
    summary, note, *_ = done.err.splitlines()
    more = f"{taken - size:,} more than the files have"
    assert summary == f"{tmp_path / 'm.aez'}: {taken:,} bytes, lossless by pixel, {more}"
    assert note.startswith("note: pictures come back by pixel, without notes in their files")
    figures = operations.compress(mixed, tmp_path / "n.aez")
    assert (figures["source_bytes"], figures["archive_bytes"]) == (size, taken)
