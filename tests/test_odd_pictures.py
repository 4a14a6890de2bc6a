"""Picture files and folders as people have them: each is read, or is one line that says why not."""

import gzip
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from aetool import operations
from aetool.data.images import FolderSource
from aetool.data.pictures import decoding
from aetool.errors import DataError
from aetool.operations import FitOptions, coding

SIDE = 16


def surface(seed, width=SIDE, height=SIDE):
    """A soft picture in colour, (height, width, 3)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(height, width)
    wave = 0.5 + 0.2 * np.sin(7 * x) * np.cos(5 * y) + rng.normal(0, 0.02, (height, width))
    tinted = wave[:, :, None] * np.array([1.0, 0.9, 0.7])
    return (255 * tinted.clip(0, 1)).astype(np.uint8)


def usual(seed=1, **sizes):
    return Image.fromarray(surface(seed, **sizes))


def a_bomb(path):
    """A PNG of a few bytes that says it has 60,000 x 60,000 pixels."""
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\0IEND\xaeB`\x82")


def saved(path, name):
    usual().save(path.with_name(name))
    return path.with_name(name).read_bytes()


def cut(name, part):
    """Writes the first part of a whole file."""

    def write(path):
        whole = saved(path, name)
        path.with_name(name).unlink()
        path.write_bytes(whole[: int(part * len(whole))])

    return write


def turned(path):
    picture = usual(width=12, height=SIDE)
    told = picture.getexif()
    told[decoding.ORIENTATION] = 6
    picture.save(path, exif=told)


def moving(path):
    frames = [usual(seed) for seed in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def pages(path):
    """A TIFF of two pages of different sizes."""
    usual().save(path, save_all=True, append_images=[usual(width=4, height=8)])


def with_palette(path):
    picture = usual().convert("P", palette=Image.Palette.ADAPTIVE)
    picture.info["transparency"] = 3
    picture.save(path, transparency=3)


def transparent(path):
    alpha = Image.fromarray(np.tile(np.arange(0, 256, 16, dtype=np.uint8), (SIDE, 1)))
    picture = usual()
    picture.putalpha(alpha)
    picture.save(path)


def of_16_bits(path):
    Image.fromarray(surface(1)[:, :, 0].astype(np.uint16) * 200).save(path)


def as_mode(mode, **options):
    return lambda path: usual().convert(mode).save(path, **options)


def of_size(width, height):
    return lambda path: usual(width=width, height=height).save(path)


def as_format(format):
    return lambda path: usual().save(path, format=format)


def of_bytes(content):
    return lambda path: path.write_bytes(content)


def of_floats(path):
    Image.fromarray(surface(1)[:, :, 0].astype(np.float32) / 255).save(path)


# name -> (how it is written, how many pictures it is, or words of the reason why it is none)
READ = {
    "one-pixel.png": (of_size(1, 1), 1),
    "strip.png": (of_size(1, 10_000), 1),
    "wide.png": (of_size(3000, 2), 1),
    "cmyk.jpg": (as_mode("CMYK"), 1),
    "ycbcr.tif": (as_mode("YCbCr"), 1),
    "lab.tif": (as_mode("LAB"), 1),
    "bits.png": (as_mode("1"), 1),
    "bits.tif": (as_mode("1"), 1),
    "gray-alpha.png": (as_mode("LA"), 1),
    "deep.png": (of_16_bits, 1),
    "deep.tif": (of_16_bits, 1),
    "floats.tif": (of_floats, 1),
    "whole-numbers.tif": (lambda path: usual().convert("I").save(path), 1),
    "moving.gif": (moving, 3),
    "moving.webp": (moving, 3),
    "moving.png": (moving, 3),
    "pages.tif": (pages, 2),
    "palette.png": (with_palette, 1),
    "palette.gif": (with_palette, 1),
    "transparent.png": (transparent, 1),
    "transparent.webp": (transparent, 1),
    "turned.jpg": (turned, 1),
    "jpeg-called.png": (as_format("JPEG"), 1),
    "png-called.jpg": (as_format("PNG"), 1),
    "progressive.jpg": (as_mode("RGB", progressive=True), 1),
    "UPPER.JPEG": (as_format("JPEG"), 1),
    "with blanks, and (brackets).png": (of_size(SIDE, SIDE), 1),
    "Ünïcode-图片.png": (of_size(SIDE, SIDE), 1),
    "a#b.png": (of_size(SIDE, SIDE), 1),
    "nothing.png": (of_bytes(b""), "the file is empty"),
    "text.png": (of_bytes(b"no picture at all\n"), "not a picture that can be read"),
    "zeros.jpg": (of_bytes(bytes(4096)), "not a picture that can be read"),
    "page.png": (of_bytes(b"<!doctype html><html></html>"), "not a picture that can be read"),
    "script.png": (of_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"), "not a picture"),
    "packed.png": (of_bytes(gzip.compress(b"x" * 99, mtime=0)), "not a picture that can be read"),
    "cut.png": (cut("whole.png", 0.5), "damaged"),
    "cut.jpg": (cut("whole.jpg", 0.5), "damaged"),
    "cut.gif": (cut("whole.gif", 0.3), "not a picture|damaged"),
    "cut.tif": (cut("whole.tif", 0.5), "damaged"),
    "head.png": (cut("whole.png", 0.1), "not a picture|damaged"),
    "bomb.png": (a_bomb, "60000 x 60000 is too large|too large: more than"),
}  # fmt: skip
LEFT_ASIDE = ("Thumbs.db", ".DS_Store", "._photo.png", "__MACOSX/._photo.png", ".git/x.png",
              "notes.txt", "labels.csv")  # fmt: skip


@pytest.fixture(scope="module")
def model():
    """Fitted on pictures of 16 x 16, and of any size."""
    ordinary = np.stack([surface(seed) for seed in range(24)])
    return operations.fit(ordinary, FitOptions("pca", resize=(SIDE, SIDE)))


@pytest.mark.parametrize("name", READ)
def test_an_odd_file_is_read_or_is_one_line(name, model, tmp_path):
    write, wanted = READ[name]
    write(tmp_path / name)
    usual(2).save(tmp_path / "zz-usual.png")
    found = operations.detect(tmp_path, model, all_rows=True)
    columns = found.columns(everything=True)
    if isinstance(wanted, int):
        assert not found.unread and found.total == wanted + 1
        files = [file for file in columns["file"] if file != "zz-usual.png"]
        assert files == ([name] if wanted == 1 else [f"{name}#{n + 1}" for n in range(wanted)])
        assert np.isfinite(found.score).all()
    else:
        assert found.total == 1
        ((record, title, reason),) = found.unread
        assert (record, title) == (0, name) and "\n" not in reason
        assert any(words in reason for words in wanted.split("|")), reason


def test_a_folder_of_all_of_them(model, tmp_path, run):
    folder = tmp_path / "all"
    for name in LEFT_ASIDE:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"whatever")
    deep = folder / "a" / "b" / "c"
    deep.mkdir(parents=True)
    usual(3).save(deep / "nested.png")
    for name, (write, _) in READ.items():
        write(folder / name)
    (folder / "link.png").symlink_to(deep / "nested.png")
    (folder / "broken-link.png").symlink_to(folder / "nowhere.png")
    (folder / "loop").symlink_to(folder)
    counts = [wanted for _, wanted in READ.values()]
    pictures = sum(count for count in counts if isinstance(count, int)) + 2
    broken = sum(not isinstance(count, int) for count in counts)
    found = operations.detect(folder, model, all_rows=True)
    assert (found.total, len(found.unread)) == (pictures, broken)
    done = run("fit", folder, "-p", "pca", "--resize", "8", "-o", tmp_path / "m.aem")
    assert done.status == 0
    assert f"{broken} of {pictures + broken} pictures left out: " in done.err
    notes = [line for line in done.err.splitlines() if line.startswith("note: ")]
    assert len(notes) == 2, "one line on what is done, one on what is left out"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(model, tmp_path):
    usual().save(tmp_path / "a.png")
    usual().save(tmp_path / "b.png")
    (tmp_path / "a.png").chmod(0)
    found = operations.detect(tmp_path, model)
    assert found.unread == [(0, "a.png", "cannot be read: Permission denied")]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "a folder without pictures"),
        (["a.txt"], "no pictures in it, but a.txt"),
        (["nothing.png", "text.png"], "no picture in it can be read: nothing.png: the file is"),
        (["cut.png"], "no picture in it can be read: cut.png: damaged"),
    ],
)
def test_a_folder_of_which_nothing_can_be_fitted(files, words, tmp_path, run):
    folder = tmp_path / "p"
    folder.mkdir()
    for name in files:
        READ[name][0](folder / name) if name in READ else (folder / name).write_bytes(b"hm")
    done = run("fit", folder, "-o", tmp_path / "m.aem")
    assert done.status == 2 and words in done.err and not (tmp_path / "m.aem").exists()
    assert sum(line.startswith("aetool: error") for line in done.err.splitlines()) == 1


def test_a_folder_of_which_nothing_can_be_encoded_is_one_line(model, tmp_path, run):
    whole = tmp_path / "whole"
    broken = tmp_path / "broken" / "good"
    for folder in (whole, broken):
        folder.mkdir(parents=True)
        for number in range(3):
            usual(number).save(folder / f"{number}.png")
    for path in broken.iterdir():
        path.write_bytes(b"hm")
    codes = tmp_path / "z.csv"
    calls = (
        lambda: operations.encode(broken, model),
        lambda: coding.write_codes(broken, codes, model),
        lambda: operations.similar(broken, whole, model),
        lambda: operations.similar(whole, broken, model),
        lambda: operations.evaluate(broken.parent, model),
    )
    for call in calls:
        with pytest.raises(DataError, match="no picture in it can be read: .*0.png: ") as told:
            call()
        assert "\n" not in str(told.value)
    # no file without even the names of columns
    assert not codes.exists()
    # of a folder in which some can be read those are encoded
    usual(9).save(broken / "9.png")
    assert len(operations.encode(broken, model)) == 1
    assert coding.write_codes(broken, codes, model) == 1


def test_a_thousand_damaged_ones_are_lines_too(model, tmp_path, run):
    whole = saved(tmp_path / "x", "whole.jpg")
    for number in range(200):
        (tmp_path / f"{number:03}.jpg").write_bytes(whole[: 30 + 3 * number])
    found = operations.detect(tmp_path, model, all_rows=True)
    assert found.total + len(found.unread) == 201 and len(found.unread) > 100


def test_names_that_are_not_utf8_are_printed_with_their_bytes(tmp_path, run):
    folder = tmp_path / "p"
    folder.mkdir()
    for number in range(8):
        usual(number).save(folder / f"{number}.png")
    try:
        usual(9).save(os.fsdecode(os.fsencode(folder) + b"/nine\xff.png"))
    except OSError:
        pytest.skip("this file system takes names in UTF-8 alone")
    (folder / os.fsdecode(b"cut\xfe.png")).write_bytes(b"hm")
    done = run("detect", folder, "-p", "pca", "--all", "--heatmap", tmp_path / "maps")
    assert done.status == 0, done.err
    assert r"nine\xff.png" in done.out and r"cut\xfe.png" in done.out
    done = run("fit", folder, "-p", "pca", "-o", tmp_path / "m.aem")
    assert done.status == 0, done.err
    model = ("-m", tmp_path / "m.aem")
    done = run("similar", folder, "--in", folder, *model, "--row", 9)
    assert done.status == 2 and r"has cut\xfe.png there, not a picture" in done.err
    done = run("similar", folder, "--in", folder, *model, "--row", 10)
    assert done.status == 0 and r"nine\xff.png" in done.out, done.err
    assert run("encode", folder, *model, "-o", tmp_path / "codes.csv").status == 0
    assert r"nine\xff.png" in (tmp_path / "codes.csv").read_text()
    done = run("report", tmp_path / "m.aem", folder, "-o", tmp_path / "page.html")
    assert done.status == 0, done.err


def test_with_all_asked_for_no_threshold_is_told(model, tmp_path):
    usual().save(tmp_path / "a.png")
    found = operations.detect(tmp_path, model, top=1)
    assert found.verdict() == "1 of 1 records listed (100 %): whatever their score"


def test_an_archive_larger_than_its_file_is_not_called_smaller(tmp_path, run):
    noise = np.random.default_rng(0).integers(0, 256, 4000, dtype=np.uint8).tobytes()
    (tmp_path / "noise.bin").write_bytes(noise)
    done = run("compress", tmp_path / "noise.bin")
    more = (tmp_path / "noise.bin.aez").stat().st_size - len(noise)
    assert more > 0 and f"{more} more than the file has" in done.err
    assert "smaller" not in done.err


def test_lossy_of_pictures_that_a_model_resizes_says_what_to_do(tmp_path, run):
    folder = tmp_path / "p"
    folder.mkdir()
    for number in range(6):
        usual(number, width=SIDE + 4 * (number % 2)).save(folder / f"{number}.png")
    asked = ("--lossy", "-p", "pca", "-o", tmp_path / "p.aez")
    done = run("compress", folder, *asked)
    assert done.status == 2 and "leave --lossy out, or store pictures of " in done.err
    assert not (tmp_path / "p.aez").exists()


def deep_tiff(path, pixels):
    """A TIFF of 16 bits a value of colours (height, width, 3), which Pillow reads and never writes."""
    height, width, _ = pixels.shape
    data = pixels.astype("<u2").tobytes()
    bits = struct.pack("<3H", 16, 16, 16)
    tags = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, 8), (259, 3, 1, 1), (262, 3, 1, 2),
        (273, 4, 1, 14), (277, 3, 1, 3), (278, 4, 1, height), (279, 4, 1, len(data)),
    ]  # fmt: skip
    body = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
    place = 14 + len(data)
    path.write_bytes(struct.pack("<2sHI", b"II", 42, place) + bits + data + body + bytes(4))


def test_bits_that_are_not_read_are_said(tmp_path):
    colours = np.random.default_rng(0).integers(0, 1 << 16, (6, 5, 3))
    deep_tiff(tmp_path / "deep.tif", colours)
    Image.fromarray((colours >> 8).astype(np.uint8)).save(tmp_path / "usual.tif")
    (sight,) = decoding.sights(tmp_path / "deep.tif")
    assert sight.cut and not sight.deep
    np.testing.assert_array_equal(decoding.decoded(tmp_path / "deep.tif").pixels, colours >> 8)
    source = FolderSource(tmp_path, "parts")
    assert source.remarks == [
        "1 of 2 pictures have more than 8 bits a value, of which the upper 8 are read"
    ]
