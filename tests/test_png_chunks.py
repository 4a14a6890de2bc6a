"""What a PNG file has beside its picture is in the archive, or a note that the archive leaves out."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from aetool import operations
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
