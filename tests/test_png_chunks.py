"""What a PNG file has beside its picture is in the archive, or a note that the archive leaves out."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

import aetool
from aetool import operations
from aetool.codec import folders
from aetool.data import images
from aetool.data.pictures import png_chunks

PIXELS = np.random.default_rng(5).integers(0, 255, (9, 7)).astype(np.uint8)
END = 12  # bytes of the last chunk


def chunk(kind, content):
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


@pytest.fixture
def plain(tmp_path):
    """The bytes of a PNG of Pillow's."""
    Image.fromarray(PIXELS).save(tmp_path / "plain.png")
    return (tmp_path / "plain.png").read_bytes()


def with_chunk(plain, kind, content=b"abc"):
    return plain[:-END] + chunk(kind, content) + plain[-END:]


def more_than_a_picture(plain):
    return {
        "bytes behind the end": plain + b"and more",
        "one byte behind the end": plain + b"\0",
        "a second picture": plain + plain,
        "a private chunk": with_chunk(plain, b"prVt"),
        "an animation's chunk": with_chunk(plain, b"acTL", bytes(8)),
        "an end with content": plain[:-END] + chunk(b"IEND", b"x"),
    }


@pytest.mark.parametrize("name", more_than_a_picture(b"\0" * END))
def test_what_is_more_than_a_picture_comes_back_byte_for_byte(plain, name, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "plain.png").write_bytes(plain)
    odd = more_than_a_picture(plain)[name]
    (folder / "odd.png").write_bytes(odd)
    assert png_chunks.has_more(folder / "odd.png")
    operations.compress(folder, tmp_path / "p.aez")
    back = operations.decompress(tmp_path / "p.aez", tmp_path / "back")
    assert (back / "odd.png").read_bytes() == odd
    assert (np.asarray(Image.open(back / "plain.png")) == PIXELS).all()


def test_notes_are_left_out_of_a_picture_that_is_stored_by_pixel(tmp_path):
    notes = PngImagePlugin.PngInfo()
    notes.add_text("title", "a field")
    Image.fromarray(PIXELS).save(tmp_path / "noted.png", pnginfo=notes, dpi=(72, 72))
    assert not png_chunks.has_more(tmp_path / "noted.png")
    assert images.plain_picture(tmp_path / "noted.png").format == "PNG"


@pytest.mark.parametrize("length", [0, 7, 8, 20, 40, -5, -1])
def test_a_file_that_is_cut_short_has_no_end(plain, length, tmp_path):
    (tmp_path / "cut.png").write_bytes(plain[:length])
    assert png_chunks.has_more(tmp_path / "cut.png")


def with_empty_opacity(plain):
    """A PNG with a tRNS chunk without content before its pixels."""
    pixels = plain.index(b"IDAT") - 4
    return plain[:pixels] + chunk(b"tRNS", b"") + plain[pixels:]


def test_an_empty_list_of_opacities_comes_back(tmp_path):
    """Pillow reads it as none, and would write none."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    many = np.random.default_rng(1).integers(0, 9, (60, 60)).astype(np.uint8)
    palette = Image.fromarray(many).convert("P")
    palette.save(folder / "plain.png")
    odd = with_empty_opacity((folder / "plain.png").read_bytes())
    (folder / "odd.png").write_bytes(odd)
    assert png_chunks.has_more(folder / "odd.png", of_palette=True)
    assert not png_chunks.has_more(folder / "plain.png", of_palette=True)
    operations.compress(folder, tmp_path / "p.aez")
    back = operations.decompress(tmp_path / "p.aez", tmp_path / "back")
    assert (back / "odd.png").read_bytes() == odd


# ---- pictures of an archive in Python


def test_pictures_that_are_kept_as_files_are_pictures_in_python(tmp_path, caplog):
    folder = tmp_path / "pictures"
    folder.mkdir()
    colour = np.stack([PIXELS, PIXELS[::-1], PIXELS[:, ::-1]])
    image = Image.fromarray(colour.transpose(1, 2, 0))
    image.save(folder / "a.png")
    image.save(folder / "profile.png", icc_profile=b"a profile of colours")
    image.save(folder / "lossy.jpg", quality=95)
    alpha = Image.fromarray(PIXELS)
    image.putalpha(alpha)
    image.save(folder / "clear.tif", compression="tiff_lzw")
    (folder / "notes.txt").write_text("none", encoding="utf-8")
    (folder / "broken.png").write_bytes(b"none")
    operations.compress(folder, tmp_path / "p.aez")
    with aetool.open(tmp_path / "p.aez") as archive:
        found = archive[:]
    by_name = {"a": found[0], "clear": found[1], "lossy": found[2], "profile": found[3]}
    assert len(found) == 4
    assert (by_name["a"] == colour).all() and (by_name["profile"] == colour).all()
    assert (by_name["clear"] == np.concatenate([colour, PIXELS[None]])).all()
    jpeg = np.asarray(Image.open(folder / "lossy.jpg")).transpose(2, 0, 1)
    assert (by_name["lossy"] == jpeg).all()
    assert "1 unread: broken.png: not a picture that can be read" in caplog.text


def test_pieces_of_a_large_file_are_joined():
    pieces = [
        folders.Picture("a", raw=b"end", offset=9),  # whose begin is not wanted
        folders.Picture("b", raw=b"one"),
        folders.Picture("b", raw=b"two", offset=3),
        folders.Picture("c", pixels=PIXELS[None]),
        folders.Picture("d", raw=b""),
    ]
    joined = list(folders.joined(pieces))
    assert [picture.name for picture in joined] == ["b", "c", "d"]
    assert [picture.raw for picture in joined] == [b"onetwo", b"", b""]
