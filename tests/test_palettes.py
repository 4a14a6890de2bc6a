"""Pictures of few colours are stored by their places in the palette, and come back with all of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aetool import operations
from aetool.codec import blocks, folders, planning
from aetool.codec.archive import Archive
from aetool.codec.folders import Picture
from aetool.data import images
from aetool.data.pictures.palettes import Palette
from aetool.errors import ArchiveError
from aetool.operations import CompressOptions
from tests import format_reader

COLOURS = bytes([10, 20, 30, 200, 0, 0, 0, 200, 0, 0, 0, 200, 255, 255, 255, 7, 7, 7])
GOLDEN = Path(__file__).parent / "golden" / "3.5"


def field(number, side=160):
    """Places 0 .. 4 of a map: stripes that wander, as areas of a label map do."""
    down, right = np.mgrid[:side, :side]
    wave = 9 * np.sin(right / 11 + number) + 5 * np.cos(down / 23)
    return ((down + wave + 100) // 13 % 5).astype(np.uint8)


def save(path, places, colours=COLOURS, opacity=None):
    picture = Image.frombytes("P", places.shape[::-1], places.tobytes())
    picture.putpalette(colours)
    picture.save(path, **({} if opacity is None else {"transparency": opacity}))


def read(path):
    with Image.open(path) as picture:
        told = picture.info.get("transparency")
        return picture.mode, np.asarray(picture), bytes(picture.palette.palette), told


@pytest.mark.parametrize("opacity", [None, 2, 0, bytes([255, 128, 0])])
def test_places_colours_and_opacity_come_back(tmp_path, opacity):
    folder = tmp_path / "maps"
    folder.mkdir()
    for number in range(4):
        save(folder / f"{number}.png", field(number), opacity=opacity)
    figures = operations.compress(folder, tmp_path / "m.aez")
    assert figures["fidelity"] == "pixels"
    assert figures["archive_bytes"] < sum(p.stat().st_size for p in folder.iterdir()) / 2
    back = operations.decompress(tmp_path / "m.aez", tmp_path / "back")
    for number in range(4):
        before, after = (read(at / f"{number}.png") for at in (folder, back))
        assert (after[0], after[2], after[3]) == ("P", *before[2:])
        np.testing.assert_array_equal(after[1], field(number))


def test_pictures_of_other_palettes_are_other_blocks(tmp_path):
    folder = tmp_path / "maps"
    folder.mkdir()
    other = COLOURS[::-1]
    for number, colours in enumerate((COLOURS, other, COLOURS)):
        save(folder / f"{number}.png", field(number), colours)
    operations.compress(folder, tmp_path / "m.aez")
    back = operations.decompress(tmp_path / "m.aez", tmp_path / "back")
    assert [read(back / f"{n}.png")[2] for n in range(3)] == [COLOURS, other, COLOURS]


def test_icons_are_as_small_as_their_files(tmp_path):
    folder = tmp_path / "icons"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(12):
        colours = rng.integers(0, 256, 3 * 256, np.uint8).tobytes()
        save(folder / f"{number:02}.png", field(number, 8), colours)
    assert all(images.plain_picture(path).palette for path in folder.iterdir())
    by_default = operations.compress(folder, tmp_path / "d.aez")["archive_bytes"]
    options = CompressOptions(keep_files=True)
    as_files = operations.compress(folder, tmp_path / "f.aez", None, options)["archive_bytes"]
    assert by_default <= as_files
    back = operations.decompress(tmp_path / "d.aez", tmp_path / "back")
    for path in folder.iterdir():
        assert (back / path.name).read_bytes() == path.read_bytes()


def test_a_dot_is_kept_as_the_file_it_is(tmp_path):
    """The palette as it would be told takes more than all of the file."""
    folder = tmp_path / "dots"
    folder.mkdir()
    colours = np.random.default_rng(1).integers(0, 256, 768, np.uint8).tobytes()
    save(folder / "a.png", np.zeros((1, 1), np.uint8), colours)
    operations.compress(folder, tmp_path / "d.aez")
    back = operations.decompress(tmp_path / "d.aez", tmp_path / "back")
    assert (back / "a.png").read_bytes() == (folder / "a.png").read_bytes()


def test_all_of_a_large_file_is_compared_with_its_pixels(tmp_path, monkeypatch):
    """Its first piece takes fewer bytes than its pixels do."""
    monkeypatch.setattr(folders, "PIECE", 300)
    folder = tmp_path / "large"
    folder.mkdir()
    places = np.random.default_rng(2).integers(0, 256, (128, 128), np.uint8)
    colours = np.random.default_rng(1).integers(0, 256, 768, np.uint8).tobytes()
    save(folder / "a.png", places, colours)
    operations.compress(folder, tmp_path / "l.aez")
    back = operations.decompress(tmp_path / "l.aez", tmp_path / "back")
    restored = Image.open(back / "a.png")
    np.testing.assert_array_equal(np.asarray(restored), places)
    assert bytes(restored.palette.palette) == colours


def test_an_archive_shows_colours_not_places(tmp_path):
    folder = tmp_path / "maps"
    folder.mkdir()
    save(folder / "a.png", field(0))
    save(folder / "b.png", field(1), opacity=bytes([9, 255, 200]))
    operations.compress(folder, tmp_path / "m.aez")
    with Archive(tmp_path / "m.aez") as archive:
        first, second = archive.content.frame(archive, 0, 2)
    shown = np.asarray(Image.open(folder / "a.png").convert("RGB"))
    np.testing.assert_array_equal(first, shown.transpose(2, 0, 1))
    clear = np.asarray(Image.open(folder / "b.png").convert("RGBA"))
    np.testing.assert_array_equal(second, clear.transpose(2, 0, 1))


def test_a_place_without_a_colour_and_another_format_are_kept_as_files(tmp_path):
    Image.fromarray(field(0)).convert("P").save(tmp_path / "a.gif")
    assert images.plain_picture(tmp_path / "a.gif") is None
    save(tmp_path / "b.png", field(0))
    said = (tmp_path / "b.png").read_bytes()
    profiled = Image.open(tmp_path / "b.png")
    profiled.save(tmp_path / "c.png", icc_profile=b"profile")
    assert images.plain_picture(tmp_path / "c.png") is None, "how its colours are to be seen"
    assert images.plain_picture(tmp_path / "b.png").palette == Palette(COLOURS)
    assert (tmp_path / "b.png").read_bytes() == said


@pytest.mark.parametrize(
    ("colours", "opacity"), [(b"", b""), (b"ab", b""), (bytes(3 * 257), b""), (b"abc", b"ab")]
)
def test_no_palette_has_such_colours(colours, opacity):
    with pytest.raises(ValueError, match="the colours of a palette"):
        Palette(colours, opacity)


@pytest.mark.parametrize(
    "words", [{"palette": "0a0"}, {"palette": None}, {"palette": "0a0b0c", "opacity": "ff" * 9}, {}]
)
def test_a_damaged_palette_is_damage(words):
    one = Picture("a.png", "P", field(0)[None], format="PNG", palette=Palette(COLOURS))
    encoded = folders.encode([one], planning.DEFAULT)
    block = blocks.decode(encoded.payload, 1, None)
    assert folders.decode(block, 1)[0].same(replace(one, permissions=folders.USUAL))
    told = {k: v for k, v in block.words.items() if k not in ("palette", "opacity")}
    with pytest.raises(ArchiveError, match="damaged"):
        folders.decode(replace(block, words={**told, **words}), 1)


def test_palettes_of_earlier_archives_are_restored(tmp_path):
    """As the first version with palettes wrote them."""
    back = operations.decompress(GOLDEN / "maps.aez", tmp_path / "back")
    for number in range(2):
        mode, places, colours, opacity = read(back / f"{number}.png")
        assert (mode, colours, opacity) == ("P", COLOURS, bytes([255, 128, 0]))
        np.testing.assert_array_equal(places, field(number))


def test_the_format_says_what_small_palettes_are(tmp_path):
    folder = tmp_path / "maps"
    folder.mkdir()
    for number in range(2):
        save(folder / f"{number}.png", field(number, 24), opacity=bytes([255, 128, 0]))
    operations.compress(folder, tmp_path / "m.aez")
    files = format_reader.restore((tmp_path / "m.aez").read_bytes())
    for number in range(2):
        mode, pixels = files[f"{number}.png"]
        assert mode == ("P", COLOURS, bytes([255, 128, 0]))
        np.testing.assert_array_equal(pixels[0], field(number, 24))


# the other reader takes seconds for two pictures of 160 x 160
@pytest.mark.long
def test_the_format_says_what_palettes_are():
    """The reader that knows FORMAT.md alone restores the same."""
    files = format_reader.restore((GOLDEN / "maps.aez").read_bytes())
    assert sorted(files) == ["0.png", "1.png"]
    for number in range(2):
        mode, pixels = files[f"{number}.png"]
        assert mode == ("P", COLOURS, bytes([255, 128, 0]))
        np.testing.assert_array_equal(pixels[0], field(number))
