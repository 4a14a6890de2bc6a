"""Pictures of any size, mode and depth become what a model sees, by one rule that is stored."""

import json
import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

import aetool
from aetool import operations
from aetool.bundle import from_bytes, load
from aetool.cli import texts
from aetool.codec.archive import Archive
from aetool.data import images, notices
from aetool.data.pictures import choosing, decoding, deep_png
from aetool.data.pictures.choosing import Asked, chosen
from aetool.data.pictures.decoding import Decoded, UnreadableError
from aetool.data.pictures.framed import FramedSource, framed
from aetool.data.pictures.framing import Framing, resized
from aetool.data.sources import open_source
from aetool.errors import BundleError, DataError, ParamError
from aetool.operations import FitOptions, coding
from aetool.scoring import batches


def noise(seed, *shape, dtype=np.uint8, most=255):
    return np.random.default_rng(seed).integers(0, most + 1, shape).astype(dtype)


def scene(seed, width, height):
    """A soft scene whose parts are at the same places whatever its size, (height, width, 3)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / np.array([height, width])[:, None, None]
    base = 0.5 + 0.3 * np.sin(6 * x + 0.1 * rng.normal()) * np.cos(5 * y)
    tint = np.array([1.0, 0.8, 0.6]) * rng.uniform(0.9, 1.1)
    whole = base[:, :, None] * tint + rng.normal(0, 0.02, (height, width, 3))
    return (255 * whole.clip(0, 1)).astype(np.uint8)


def scenes(folder, sizes, odd=()):
    """A folder of scenes; in those of these numbers a quarter of the sides is dark."""
    folder.mkdir()
    for number, (width, height) in enumerate(sizes):
        pixels = scene(number, width, height)
        if number in odd:
            pixels[height // 4 : height // 2, width // 4 : width // 2] //= 4
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return folder


def one(path):
    return decoding.decoded(path)


# ---- reading


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_exif_says(tmp_path, orientation):
    picture = Image.fromarray(noise(0, 8, 12, 3))
    told = picture.getexif()
    told[decoding.ORIENTATION] = orientation
    picture.save(tmp_path / "a.png", exif=told)
    with Image.open(tmp_path / "a.png") as again:
        wanted = np.asarray(ImageOps.exif_transpose(again))
    np.testing.assert_array_equal(one(tmp_path / "a.png").pixels, wanted)
    (sight,) = decoding.sights(tmp_path / "a.png")
    assert (sight.height, sight.width) == wanted.shape[:2]


def test_pixels_of_every_mode(tmp_path):
    gray, colour = noise(1, 6, 5), noise(2, 6, 5, 3)
    saved = {
        "L": Image.fromarray(gray),
        "RGB": Image.fromarray(colour),
        "1": Image.fromarray(gray).convert("1"),
        "P": Image.fromarray(colour).convert("P", palette=Image.Palette.ADAPTIVE),
    }
    for mode, picture in saved.items():
        picture.save(tmp_path / f"{mode}.png")
        wanted = np.asarray(picture.convert("RGB" if mode in ("RGB", "P") else "L"))
        np.testing.assert_array_equal(one(tmp_path / f"{mode}.png").pixels, wanted)
    grays = Image.fromarray(gray).convert("P")
    grays.save(tmp_path / "g.gif")
    assert one(tmp_path / "g.gif").pixels.ndim == 2, "a palette of grays is gray"
    deep = noise(3, 6, 5, dtype=np.uint16, most=65535)
    Image.fromarray(deep).save(tmp_path / "d.png")
    Image.fromarray(deep).save(tmp_path / "d.tif")
    for name in ("d.png", "d.tif"):
        np.testing.assert_array_equal(one(tmp_path / name).pixels, deep)
        assert decoding.sights(tmp_path / name)[0].deep
    Image.fromarray(colour).convert("CMYK").save(tmp_path / "c.jpg", quality=100)
    found = one(tmp_path / "c.jpg").pixels
    assert found.shape == (6, 5, 3)
    with Image.open(tmp_path / "c.jpg") as again:
        np.testing.assert_array_equal(found, np.asarray(again.convert("RGB")))


def png_of(values, filters):
    """A PNG of 16 bits, (height, width, channels), whose rows are filtered as said."""
    height, width, channels = values.shape
    size = 2 * channels
    rows = values.astype(">u2").view(np.uint8).reshape(height, width * size).astype(np.int64)
    above, packed = np.zeros(width * size, np.int64), b""
    for row, kind in zip(rows, filters, strict=True):
        left = np.concatenate([np.zeros(size, np.int64), row[:-size]])
        corner = np.concatenate([np.zeros(size, np.int64), above[:-size]])
        sums = left + above - corner
        near = np.argmin(np.abs(np.stack([left, above, corner]) - sums), axis=0)
        paeth = np.choose(near, [left, above, corner])
        guess = [0 * left, left, above, (left + above) // 2, paeth][kind]
        packed += bytes([kind]) + ((row - guess) % 256).astype(np.uint8).tobytes()
        above = row
    colour = {2: 4, 3: 2, 4: 6}[channels]

    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    data = zlib.compress(packed)
    parts = [chunk(b"IHDR", head), chunk(b"IDAT", data[:9]), chunk(b"IDAT", data[9:])]
    return deep_png.SIGNATURE + b"".join([*parts, chunk(b"IEND", b"")])


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_all_16_bits_of_a_png_in_colour(tmp_path, channels):
    values = noise(4, 10, 7, channels, dtype=np.uint16, most=65535)
    values[3] = values[2]
    path = tmp_path / "deep.png"
    path.write_bytes(png_of(values, [0, 1, 2, 3, 4, 4, 3, 2, 1, 0]))
    assert deep_png.is_deep(path)
    np.testing.assert_array_equal(deep_png.read(path), values)
    with Image.open(path) as again:
        upper = np.asarray(again.convert("LA") if channels == 2 else again)
    np.testing.assert_array_equal(upper, values >> 8, err_msg="as Pillow reads the upper half")
    picture = one(path)
    colours = values[:, :, 0] if channels == 2 else values[:, :, :3]
    np.testing.assert_array_equal(picture.pixels, colours)
    assert (picture.alpha is None) == (channels == 3)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UnreadableError, match="damaged"):
        one(path)


def test_each_frame_is_a_picture(tmp_path):
    frames = [Image.fromarray(noise(seed, 9, 8, 3)) for seed in range(3)]
    for suffix in ("gif", "webp", "png", "tif"):
        (tmp_path / suffix).mkdir()
        options = {"lossless": True} if suffix == "webp" else {}
        path = tmp_path / suffix / f"a.{suffix}"
        frames[0].save(path, save_all=True, append_images=frames[1:], **options)
        frames[0].save(tmp_path / suffix / "b.png")
        source = open_source(tmp_path / suffix)
        assert source.titles == [f"a.{suffix}#1", f"a.{suffix}#2", f"a.{suffix}#3", "b.png"]
        assert source.remarks == ["1 file has several frames: 3, each a picture"]
        pictures = list(source.pictures())
        for frame, picture in zip(frames, pictures, strict=False):
            if suffix == "gif":
                # of a palette, and no exact copy
                assert picture.pixels.shape == (9, 8, 3)
            else:
                np.testing.assert_array_equal(picture.pixels, np.asarray(frame))


# ---- framing


def test_values_of_any_depth_as_bytes():
    plain = Framing(1, 2, 1)
    deep = Framing(1, 2, 1, low=100, high=355)
    values = np.array([[100, 300]], np.uint16)
    assert deep.seen(Decoded(values)).tolist() == [[[0, 200]]]
    assert deep.seen(Decoded(np.array([[0, 60000]], np.uint16))).tolist() == [[[0, 255]]]
    assert deep.seen(Decoded(np.array([[0, 200]], np.uint8))).tolist() == [[[0, 200]]]
    assert plain.seen(Decoded(np.array([[0, 65535]], np.uint16))).tolist() == [[[0, 255]]]
    assert plain.seen(Decoded(np.array([[0.0, 0.5]]))).tolist() == [[[0, 128]]]
    assert plain.seen(Decoded(np.array([[0.0, 200.0]]))).tolist() == [[[0, 200]]]
    assert plain.seen(Decoded(np.array([[False, True]]))).tolist() == [[[0, 255]]]


def test_transparent_pixels_are_seen_before_the_background():
    pixels, alpha = np.array([[0, 100]], np.uint8), np.array([[0, 128]], np.uint8)
    for ground, wanted in ((255, [[255, 177]]), (0, [[0, 50]])):
        framing = Framing(1, 2, 1, background=ground)
        assert framing.seen(Decoded(pixels, alpha))[0].tolist() == wanted


def test_gray_and_colour():
    colour = noise(5, 4, 6, 3)
    gray = Framing(1, 6, 4).seen(Decoded(colour))
    np.testing.assert_array_equal(gray[0], np.asarray(Image.fromarray(colour).convert("L")))
    three = Framing(3, 6, 4).seen(Decoded(colour[:, :, 0]))
    np.testing.assert_array_equal(three, np.stack([colour[:, :, 0]] * 3))


def test_cropped_and_resized():
    pixels = np.arange(8 * 12, dtype=np.uint8).reshape(8, 12)
    middle = Framing(1, 4, 2, crop=(4, 2)).seen(Decoded(pixels))
    np.testing.assert_array_equal(middle[0], pixels[3:5, 4:8])
    corner = Framing(1, 3, 2, crop=(1, 5, 3, 2)).seen(Decoded(pixels))
    np.testing.assert_array_equal(corner[0], pixels[5:7, 1:4])
    half = Framing(1, 6, 4, resize=(6, 4)).seen(Decoded(pixels))
    # a half, in Pillow, is rounded up
    np.testing.assert_allclose(half[0], pixels.reshape(4, 2, 6, 2).mean(axis=(1, 3)), atol=0.5)
    with pytest.raises(UnreadableError, match="12 x 8 does not hold"):
        Framing(1, 20, 2, crop=(20, 2)).seen(Decoded(pixels))
    with pytest.raises(UnreadableError, match="12 x 8, and the model takes 5 x 5"):
        Framing(1, 5, 5).seen(Decoded(pixels))
    assert resized(pixels, (12, 8)) is pixels


def test_tiles_and_the_map_that_is_stitched_of_theirs():
    framing = Framing(1, 4, 3, stride=(3, 3))
    assert framing.corners(11, 6) == [
        (0, 0),
        (3, 0),
        (6, 0),
        (7, 0),
        (0, 3),
        (3, 3),
        (6, 3),
        (7, 3),
    ]
    picture = noise(6, 1, 6, 11)
    tiles = framing.tiles(picture)
    assert tiles.shape == (8, 1, 3, 4)
    np.testing.assert_array_equal(tiles[5], picture[:, 3:6, 3:7])
    again = framing.stitched(tiles[:, 0].astype(float), 11, 6)
    np.testing.assert_array_equal(again, picture[0], err_msg="the mean of what overlaps")
    ones = np.zeros((8, 3, 4))
    ones[1] = 1.0
    # tiles 0 and 1 share the column 3
    assert framing.stitched(ones, 11, 6)[0, :8].tolist() == [0, 0, 0, 0.5, 1, 1, 0.5, 0]


def test_a_picture_of_too_many_tiles_is_left_out_with_the_reason(tmp_path):
    folder = scenes(tmp_path / "p", [(20, 16)] * 6)
    options = FitOptions("pca", tile=(4, 4), stride=(1, 1))
    made = operations.fit(folder, options)
    Image.fromarray(scene(9, 300, 260)).save(folder / "02x.png")
    reason = "300 x 260 gives 76,329 tiles, and at most 65,536 are taken: fit with a larger stride"
    found = operations.detect(folder, made, all_rows=True)
    assert found.total == 6 and found.unread == [(3, "02x.png", reason)]
    assert np.isnan(operations.score(folder, made)).tolist() == [False] * 3 + [True] + [False] * 3
    tiles = 17 * 13
    assert len(operations.encode(folder, made)) == 6 * tiles
    codes = tmp_path / "z.csv"
    assert coding.write_codes(folder, codes, made) == 6 * tiles
    # a tile has the name of its own picture, whichever were left out before it
    assert ',"05.png[16,12]",' in codes.read_text().splitlines()[-1]
    assert operations.fit(folder, options).shape == made.shape
    alone = tmp_path / "alone"
    alone.mkdir()
    (folder / "02x.png").rename(alone / "x.png")
    for call in (operations.encode, lambda data, _: operations.fit(data, options)):
        with pytest.raises(DataError, match=f"no picture in it can be framed: x.png: {reason}"):
            call(alone, made)
    assert operations.detect(alone, made).unread == [(0, "x.png", reason)]


def test_a_framing_is_stored_and_read_again():
    shape = (3, 20, 30)
    full = Framing(3, 30, 20, (1, 2, 90, 80), (60, 40), (15, 10), 1.5, 4095.0, 0)
    assert Framing.from_json(json.loads(json.dumps(full.to_json())), shape) == full
    assert Framing(3, 30, 20).to_json() == {} and Framing(3, 30, 20).is_plain
    for wrong in (
        {"crop": [1]}, {"resize": [1, 2, 3]}, {"stride": [0, 1]}, {"low": float("nan")},
        {"background": 300}, {"crop": "12"}, {"more": 1}, {"resize": [-1, 2]},
    ):  # fmt: skip
        with pytest.raises((ValueError, TypeError)):
            Framing.from_json(wrong, shape)


# ---- what is chosen


def framing_of(source, **options):
    """(the framing, what is said of it)."""
    said = []
    with notices.heard_by(lambda name, line: said.append(line)):
        found = chosen(open_source(source), FitOptions(**options).of_pictures)
    return found, said


def test_pictures_of_one_size_are_seen_as_they_are(tmp_path):
    scenes(tmp_path / "p", [(20, 16)] * 5)
    found, said = framing_of(tmp_path / "p")
    assert found == Framing(3, 20, 16) and found.is_plain and said == []


def test_pictures_of_many_sizes_are_brought_to_one_and_it_is_said(tmp_path):
    scenes(tmp_path / "p", [(40, 32), (80, 64), (60, 48), (100, 80)])
    found, said = framing_of(tmp_path / "p")
    assert found.resize == (64, 56), "the median shape, and sides of whole eights"
    assert said == ["4 pictures of 4 sizes (from 40 x 32 to 100 x 80): resized to 64 x 56"]


def test_what_is_too_large_is_scaled_down_and_it_is_said(monkeypatch):
    found, said = framing_of(np.zeros((600, 256, 256, 3), np.uint8))
    assert (found.width, found.height) == (64, 64)
    assert said == [
        "600 pictures of 256 x 256: resized to 64 x 64, for larger ones take long; resize 256 "
        "keeps all"
    ]
    found, _ = framing_of(np.zeros((10, 256, 256, 3), np.uint8))
    assert (found.width, found.height) == (128, 128), "of few pictures more is affordable"
    found, said = framing_of(np.zeros((600, 64, 64, 3), np.uint8))
    assert found.is_plain and not said
    found, _ = framing_of(np.zeros((10, 1, 50_000), np.uint8)[:, :, :4000])
    assert found.is_plain
    monkeypatch.setattr(choosing, "EACH", 1000)
    monkeypatch.setattr(choosing, "MODEST", 1000)
    found, _ = framing_of(np.zeros((10, 1, 4000), np.uint8))
    assert (found.width, found.height) == (1000, 1), "a strip is a strip still"


def test_what_is_asked_for(tmp_path):
    folder = scenes(tmp_path / "p", [(40, 32), (80, 64), (60, 48)])
    found, said = framing_of(folder, resize="24x16", grey=True)
    assert found == Framing(1, 24, 16, resize=(24, 16))
    assert said == [
        "3 pictures of 3 sizes (from 40 x 32 to 80 x 64): resized to 24 x 16; 3 of 3 pictures are "
        "in colour: all are seen in gray"
    ]
    assert framing_of(folder, resize=20)[0].resize == (20, 16), "the height follows"
    assert framing_of(folder, crop=(16, 8))[0] == Framing(3, 16, 8, crop=(16, 8))
    assert framing_of(folder, crop="1,2,16,8")[0].crop == (1, 2, 16, 8)
    found, _ = framing_of(folder, tile=16)
    assert found == Framing(3, 16, 16, stride=(16, 16))
    found, _ = framing_of(folder, resize=[64, 48], tile="16x8", stride=8)
    assert found == Framing(3, 16, 8, resize=(64, 48), stride=(8, 8))
    assert found.told() == "resized to 64 x 48, in tiles of 16 x 8, 8 x 8 apart"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"stride": 4}, "--stride says how far tiles lie apart: give --tile, too"),
        ({"tile": 8, "stride": 9}, "--stride 9 x 9 is more than --tile 8 x 8"),
        ({"tile": 50}, "--tile 50 x 50 is larger than the pictures"),
        ({"resize": 10, "tile": 12}, "--tile 12 x 12 is larger than the pictures"),
        ({"resize": "big"}, "--resize big: write pixels as WIDTH or WIDTHxHEIGHT"),
        ({"resize": "0x4"}, "--resize 0x4: write pixels"),
        ({"resize": (1, 2, 3)}, "--resize"),
        ({"crop": "1,2,3"}, "or LEFT,TOP,WIDTH,HEIGHT"),
        ({"crop": 99}, "no picture in it can be framed: 00.png: 40 x 32 does not hold"),
    ],
)
def test_what_cannot_be_asked_for(tmp_path, options, words):
    folder = scenes(tmp_path / "p", [(40, 32), (40, 32)])
    with pytest.raises((ParamError, DataError)) as caught:
        operations.fit(folder, FitOptions("pca", **options))
    assert words.replace("--", "") in str(caught.value).replace("--", "")


def test_pictures_options_are_not_of_tables_nor_of_a_model_that_is_there(tmp_path, run, rows_csv):
    done = run("fit", rows_csv, "--resize", "8", "-o", tmp_path / "m.aem")
    assert done.status == 2 and "--resize is of pictures" in done.err
    folder = scenes(tmp_path / "p", [(12, 8)] * 30)
    operations.fit(folder, FitOptions("pca")).save(tmp_path / "m.aem")
    done = run("detect", folder, "-m", tmp_path / "m.aem", "--grey")
    assert done.status == 2 and "--grey is of the model: fit it with --grey" in done.err


def test_16_bits_are_seen_in_the_range_that_was_fitted(tmp_path):
    ramp = np.linspace(2000, 2990, 120).reshape(12, 10)
    values = (ramp + noise(7, 30, 12, 10, most=10)).astype(np.uint16)
    np.save(tmp_path / "deep.npy", values)
    found, said = framing_of(tmp_path / "deep.npy")
    # an eighth of the range is left beyond each end
    assert (found.low, found.high) == pytest.approx((1875, 3125), abs=3)
    assert said[0].startswith("30 pictures of 10 x 12: values 187")
    made = operations.fit(tmp_path / "deep.npy", FitOptions("pca"))
    assert from_bytes(made.to_bytes(), "m").view == found
    odd = values[:5].copy()
    odd[2, 4:8, 3:7] = 60_000
    np.save(tmp_path / "odd.npy", odd)
    assert operations.detect(tmp_path / "odd.npy", made, top=1).row.tolist() == [2]


def test_floats_are_told_by_their_range(tmp_path):
    for name, scale in (("one", 1.0), ("bytes", 255.0)):
        array = noise(8, 30, 8, 9) / 255 * scale
        found, _ = framing_of(array)
        assert (found.low, found.high) == (0.0, scale), name
        first = next(framed(open_source(array), found).batches())
        np.testing.assert_array_equal(first[:, 0], noise(8, 30, 8, 9))
    array = np.random.default_rng(0).normal(size=(30, 8, 9))
    found, _ = framing_of(array)
    assert -5 < found.low < -3 and 3 < found.high < 5
    array[3, 2, 2] = np.nan
    with notices.heard_by(lambda name, line: None):
        table = aetool.detect(array, plugin="pca")
    assert table["error"].tolist()[3] == "holds values that are not finite"
    assert table["error"].tolist().count("") == 29


def test_the_background_is_what_differs_from_the_things_before_it(tmp_path):
    for name, level, ground in (("dark", 30, 255), ("bright", 220, 0)):
        folder = tmp_path / name
        folder.mkdir()
        for number in range(3):
            pixels = np.full((8, 8, 4), level, np.uint8)
            pixels[:, :, 3] = 0
            pixels[2:6, 2:6, 3] = 255
            Image.fromarray(pixels).save(folder / f"{number}.png")
        found, said = framing_of(folder)
        assert found.background == ground
        assert "3 of 3 pictures may be transparent" in said[0]
        seen = next(framed(open_source(folder), found).batches())
        assert seen[0, 0, 0, 0] == ground and seen[0, 0, 3, 3] == level


# ---- from fit to what is found


def test_one_rule_from_fit_to_detect(tmp_path, run):
    sizes = [(30 + n, 24 + n) for n in range(30)]
    folder = scenes(tmp_path / "p", sizes, odd=[17])
    done = run("fit", folder, "-p", "pca", "--robust", "-o", tmp_path / "m.aem")
    assert "30 pictures of 30 sizes (from 30 x 24 to 59 x 53): resized to 40 x 32" in done.err
    model = load(tmp_path / "m.aem")
    assert model.view == Framing(3, 40, 32, resize=(40, 32)) and model.shape == (3, 32, 40)
    assert "resized to 40 x 32" in run("info", tmp_path / "m.aem").out
    new = scenes(tmp_path / "new", [(120, 96), (30, 24), (40, 32)], odd=[1])
    (new / "empty.png").write_bytes(b"")
    done = run("detect", new, "-m", tmp_path / "m.aem", "--top", 1, "--format", "csv")
    lines = done.out.splitlines()
    assert lines[0] == "row,score,p,why,left,top,width,height,share,file,error"
    assert lines[1].startswith("2,") and lines[1].endswith(",01.png,")
    assert lines[2:] == ["4,,,,,,,,,empty.png,the file is empty"]
    assert "1 more could not be read" in done.err and done.status == 0


def test_what_cannot_be_read_is_a_line_of_the_result(tmp_path, run):
    folder = scenes(tmp_path / "p", [(16, 12)] * 30)
    whole = (folder / "05.png").read_bytes()
    (folder / "05.png").write_bytes(whole[: len(whole) // 2])
    (folder / "09.png").write_bytes(b"hello")
    done = run("fit", folder, "-p", "pca", "-o", tmp_path / "m.aem")
    assert done.status == 0
    assert (
        "2 of 30 pictures left out: 05.png: damaged: " in done.err and "; 09.png: not a" in done.err
    )
    assert load(tmp_path / "m.aem").facts["rows"] == 28
    done = run("detect", folder, "-m", tmp_path / "m.aem", "--all", "--json")
    told = json.loads(done.out)
    assert told["total"] == 28 and told["unread"] == 2
    assert [record["row"] for record in told["records"]] == list(range(1, 31))
    for place, name in ((5, "05.png"), (9, "09.png")):
        record = told["records"][place - 0]
        assert record["file"] == name and record["score"] is None and record["error"]
    done = run("detect", folder, "-m", tmp_path / "m.aem", "--threshold", "1e9", "--exit-code")
    assert done.status == 1, "what nobody could look at is not in order"
    model = aetool.load(tmp_path / "m.aem")
    table = model.detect(folder)
    assert len(table) == 30 and table["score"].isna().tolist() == table["error"].ne("").tolist()
    assert np.isnan(model.score(folder)).nonzero()[0].tolist() == [5, 9]
    assert len(model.encode(folder)) == 28
    near = model.similar(folder, folder, k=1)
    assert set(near["row"]) == set(range(1, 31)) - {6, 10}
    assert near["picture"].tolist()[5] == "06.png"
    with pytest.raises(DataError, match=r"05\.png: damaged"):
        model.denoise(folder, tmp_path / "out")


@pytest.mark.parametrize("chosen", [("--top", 2), ("--threshold", "1e9"), ()])
def test_a_page_names_what_cannot_be_read(tmp_path, run, chosen):
    folder = scenes(tmp_path / "p", [(16, 12)] * 30)
    assert run("fit", folder, "-p", "pca", "-o", tmp_path / "m.aem").status == 0
    (folder / "05.png").write_bytes(b"")
    (folder / "<b>9.png").write_bytes(b"hello")
    command = ("detect", folder, "-m", tmp_path / "m.aem", *chosen)
    assert run(*command, "--report", tmp_path / "r.html").status == 0
    (line,) = re.findall("<p>2 more pictures.*?</p>", (tmp_path / "r.html").read_text("utf-8"))
    told = re.sub("</?bdi>", "", line)
    assert "could not be read: 05.png (the file is empty), &lt;b&gt;9.png (not a picture" in told
    assert run("report", tmp_path / "m.aem", folder, "-o", tmp_path / "s.html").status == 0
    assert line in (tmp_path / "s.html").read_text("utf-8")


def test_a_page_names_some_of_many_that_cannot_be_read(tmp_path, run):
    folder = scenes(tmp_path / "p", [(16, 12)] * 30)
    assert run("fit", folder, "-p", "pca", "-o", tmp_path / "m.aem").status == 0
    for number in range(100, 200):
        (folder / f"{number}.png").write_bytes(b"")
    command = ("detect", folder, "-m", tmp_path / "m.aem", "--report", tmp_path / "r.html")
    assert run(*command).status == 0
    page = (tmp_path / "r.html").read_text("utf-8")
    assert "<p>100 more pictures could not be read: " in page and ", and 50 others.</p>" in page
    assert page.count("the file is empty") == 50


def test_a_picture_of_another_size_than_the_model_takes(tmp_path):
    folder = scenes(tmp_path / "p", [(16, 12)] * 30)
    model = operations.fit(folder, FitOptions("pca"))
    one_other = scenes(tmp_path / "q", [(16, 12), (16, 12), (20, 12)])
    found = operations.detect(one_other, model, all_rows=True)
    assert found.unread == [(2, "02.png", "20 x 12, and the model takes 16 x 12")]
    said = "1 of these is whole, and of another size than the model, which was fitted on one size"
    (note,) = [note for note in found.notes() if note.startswith(said)]
    assert note.endswith("fit with resize 16x12, and it is brought to that")
    resizing = operations.fit(folder, FitOptions("pca", resize=(16, 12)))
    assert not operations.detect(one_other, resizing).unread
    others = scenes(tmp_path / "r", [(20, 12)] * 3)
    with pytest.raises(DataError, match=r"pictures of 20 x 12 x 3, .* takes 16 x 12 x 3; fit with"):
        operations.detect(others, model)


def test_files_patterns_lists_and_pictures_of_pillow(tmp_path):
    folder = scenes(tmp_path / "p", [(16, 12)] * 24)
    model = aetool.fit(folder, "pca")
    scores = model.score(folder)
    assert model.score(folder / "03.png").tolist() == scores[3:4].tolist()
    assert model.score(str(folder / "0*.png")).tolist() == scores[:10].tolist()
    assert model.score([folder / "03.png", folder / "07.png"]).tolist() == scores[[3, 7]].tolist()
    both = model.detect([folder, folder / "07.png"])
    assert len(both) == 25 and both["file"].tolist()[-1] == "07.png"
    arrays = [np.asarray(Image.open(folder / f"{n:02}.png")) for n in range(4)]
    assert model.score(arrays).tolist() == scores[:4].tolist()
    opened = [Image.fromarray(array) for array in arrays]
    assert model.score(opened).tolist() == scores[:4].tolist()
    assert model.score(opened[2]).tolist() == scores[2:3].tolist()
    again = aetool.fit(arrays * 6, "pca")
    assert again.shape == (3, 12, 16)


def test_a_damaged_framing_is_refused(tmp_path):
    folder = scenes(tmp_path / "p", [(16 + n % 2, 12) for n in range(24)])
    content = operations.fit(folder, FitOptions("pca")).to_bytes()
    assert b'"resize":[16,12]' in content or b'"resize":[' in content
    with pytest.raises(BundleError):
        from_bytes(content.replace(b'"resize"', b'"resizf"'), "m")


def test_lossy_archives_are_of_pictures_that_are_seen_as_they_are(tmp_path):
    folder = scenes(tmp_path / "p", [(8 + n % 2, 6) for n in range(22)])
    model = operations.fit(folder, FitOptions("pca"))
    with pytest.raises(ParamError, match="stores what the model sees"):
        operations.compress(
            folder, tmp_path / "a.aez", model, operations.CompressOptions(lossy_only=True)
        )
    operations.compress(folder, tmp_path / "a.aez")
    back = operations.decompress(tmp_path / "a.aez", tmp_path / "back")
    for path in sorted(folder.iterdir()):
        with Image.open(path) as own, Image.open(back / path.name) as other:
            assert own.tobytes() == other.tobytes()


def without_block(path, number):
    """A copy of an archive in which one block, by its number, is damaged."""
    with Archive(path) as archive:
        place = archive.places[number]
    content = bytearray(path.read_bytes())
    content[place.end - 1] ^= 255
    damaged = path.with_name("damaged.aez")
    damaged.write_bytes(content)
    return damaged


def test_an_idx_file_of_what_is_left_says_how_many_pictures_it_has(tmp_path, monkeypatch):
    monkeypatch.setattr("aetool.codec.contents.pixels.BLOCK_BYTES", 4 * 12)
    body = noise(5, 10, 3, 4).tobytes()
    head = bytes([0, 0, 8, 3]) + struct.pack(">III", 10, 3, 4)
    (tmp_path / "p.idx").write_bytes(head + body)
    operations.compress(tmp_path / "p.idx", tmp_path / "a.aez")
    lost = []
    damaged = without_block(tmp_path / "a.aez", 1)
    back = operations.decompress(damaged, tmp_path / "back.idx", lost=lost)
    assert lost == ["records 5 to 8"]
    left = struct.pack(">III", 6, 3, 4) + body[: 4 * 12] + body[8 * 12 :]
    assert back.read_bytes() == head[:4] + left


def test_pictures_that_are_left_of_a_code_keep_their_names(tmp_path, monkeypatch):
    monkeypatch.setattr("aetool.data.pictures.framed.BATCH", 4)
    monkeypatch.setattr("aetool.archives.lossy_job.BLOCK_BYTES", 1)
    folder = scenes(tmp_path / "p", [(8, 6)] * 22)
    model = operations.fit(folder, FitOptions("pca"))
    options = operations.CompressOptions(lossy_only=True, embed=True)
    operations.compress(folder, tmp_path / "a.aez", model, options)
    whole = operations.decompress(tmp_path / "a.aez", tmp_path / "whole")
    damaged = without_block(tmp_path / "a.aez", 1)
    back = operations.decompress(damaged, tmp_path / "back", rows=(9, 14), lost=[])
    names = sorted(path.name for path in back.iterdir())
    assert names == [f"{number:02}.png" for number in range(9, 14)]
    for name in names:
        assert (back / name).read_bytes() == (whole / name).read_bytes()


def test_asked_has_a_name_for_each_option():
    assert Asked().named == ""
    assert Asked(crop=(1, 2)).named.endswith("crop")


def test_progress_is_shown_on_a_terminal_after_a_second(monkeypatch):
    shown = []
    clock = iter([0.0, 0.5, 1.5, 1.55, 1.7])
    monkeypatch.setattr(texts.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(texts.terminal, "progress", shown.append)
    monkeypatch.setattr(texts, "may_show_progress", lambda: True)
    reading = texts.Reading()
    for done in range(5):
        reading(done == 0, f"{done} of 1,200 pictures read")
    assert shown == ["2 of 1,200 pictures read ", "4 of 1,200 pictures read "]


def test_whoever_watches_is_told_how_many_pictures_are_read(tmp_path):
    folder = scenes(tmp_path / "p", [(16, 12)] * 4)
    told = []
    with notices.watched_by(lambda *state: told.append(state)):
        list(framed(open_source(folder), Framing(3, 16, 12)).batches())
    assert told == [(place == 0, f"{place} of 4 pictures read") for place in range(4)]


def test_a_tile_without_a_finite_score_is_named_by_its_picture_and_place(tmp_path):
    pixels = np.arange(3 * 9 * 12, dtype=np.uint8).reshape(3, 9, 12)
    source = FramedSource(
        images.ArraySource(pixels, "t.npy", ".npy", ""), Framing(1, 3, 4, stride=(3, 4))
    )
    # nine tiles a picture: the fifth of the second is broken
    framing = source.framing
    corner = framing.corners(12, 9)[4]
    broken = framing.tiles(pixels[1:2])[4]

    def graph(tiles):
        parts = np.zeros((len(tiles), 13), np.float32)
        parts[(tiles == broken).all(axis=(1, 2, 3))] = np.nan
        return {"parts": parts}

    left, top = corner
    said = (
        f"t.npy: picture 2 has no finite score in its tile {left} pixels from the left and {top} "
        "from the top; the model is broken"
    )
    with pytest.raises(DataError, match=re.escape(said)):
        list(batches.scored(source, None, graph))
