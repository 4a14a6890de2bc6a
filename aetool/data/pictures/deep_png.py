"""PNG files of 16 bits a channel with several channels, of which Pillow reads the upper 8 alone.

As PNG (Portable Network Graphics, Third Edition), W3C 2025, has it: chunks, DEFLATE, and a filter
for each row. Interlaced ones are left to Pillow.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER = 33  # bytes of the signature and of the first chunk, IHDR
CHANNELS = {2: 3, 4: 2, 6: 4}  # of a colour type
SUB, UP, AVERAGE, PAETH = 1, 2, 3, 4  # how a row is filtered

Bytes = npt.NDArray[np.uint8]
Wide = npt.NDArray[np.int32]


def is_deep(path: Path) -> bool:
    """Whether a file is a PNG of 16 bits and several channels, not interlaced, which `read` can
    read."""
    with path.open("rb") as file:
        head = file.read(HEADER)
    if len(head) < HEADER or not head.startswith(SIGNATURE):
        return False
    depth, colour, _, _, interlaced = head[24:29]
    return depth == 16 and colour in CHANNELS and not interlaced


def depth_of(head: bytes) -> int:
    """How many bits a value of a PNG has. head: its first HEADER bytes; 0 if they are fewer."""
    return head[24] if len(head) == HEADER else 0


def read(path: Path) -> npt.NDArray[np.uint16]:
    """(height, width, channels) uint16: the pixels of a PNG that `is_deep` is true of. ValueError
    or zlib.error if it is damaged."""
    raw = path.read_bytes()
    width, height = struct.unpack(">II", raw[16:24])
    channels = CHANNELS[raw[25]]
    row = 2 * channels * width
    wanted = height * (row + 1)
    packed = b"".join(_data_of(raw))
    unpacking = zlib.decompressobj()
    # no more than the picture has, whatever the stream would give
    stream = unpacking.decompress(packed, wanted)
    if len(stream) < wanted:
        raise ValueError("the picture is cut short")
    filtered = np.frombuffer(stream, np.uint8).reshape(height, row + 1)
    kinds = filtered[:, 0]
    if (kinds > PAETH).any():
        raise ValueError("a row has an unknown filter")
    rows = filtered[:, 1:].reshape(height, width, 2 * channels)
    values = _unfiltered(rows, kinds)
    return values.view(">u2").astype(np.uint16)


def _data_of(raw: bytes) -> list[bytes]:
    """The contents of the file's IDAT chunks, in order; ValueError if a checksum is wrong."""
    parts = []
    place = len(SIGNATURE)
    while place + 8 <= len(raw):
        (size,) = struct.unpack(">I", raw[place : place + 4])
        kind = raw[place + 4 : place + 8]
        content = raw[place + 8 : place + 8 + size]
        place += 12 + size
        if kind != b"IDAT":
            continue
        (told,) = struct.unpack(">I", raw[place - 4 : place].rjust(4, b"\0"))
        if len(content) < size or zlib.crc32(kind + content) != told:
            raise ValueError("the picture is cut short, or its checksum is wrong")
        parts.append(content)
    return parts


def _unfiltered(rows: Bytes, kinds: Bytes) -> Bytes:
    """(height, width, bytes of a pixel): the rows with their filters undone. kinds: (height,), the
    filter of each row.

    A pixel needs the one to its left and two above: those on one slant, of which each row is a
    pixel behind the row above it, do not need each other, and are restored together.
    """
    height, width, size = rows.shape
    # a row and a column of nothing around them stand for what is outside
    whole: Wide = np.zeros((height + 1, width + 1, size), np.int32)
    every = np.arange(height)
    for slant in range(height + width - 1):
        first = max(0, slant - width + 1)
        y = every[first : min(height, slant + 1)]
        x = slant - y
        left = whole[y + 1, x]
        above = whole[y, x + 1]
        corner = whole[y, x]
        kind = kinds[y][:, None]
        guess = np.select(
            [kind == SUB, kind == UP, kind == AVERAGE, kind == PAETH],
            [left, above, (left + above) >> 1, _paeth(left, above, corner)],
            0,
        )
        whole[y + 1, x + 1] = (rows[y, x] + guess) & 255
    return np.ascontiguousarray(whole[1:, 1:].astype(np.uint8))


def _paeth(left: Wide, above: Wide, corner: Wide) -> Wide:
    """The Paeth predictor of PNG, element by element: whichever of left, above and corner is
    nearest to left + above - corner; of equals the first in this order."""
    # how far each is from that sum
    by_left = np.abs(above - corner)
    by_above = np.abs(left - corner)
    by_corner = np.abs(left + above - 2 * corner)
    is_left = (by_left <= by_above) & (by_left <= by_corner)
    return np.where(is_left, left, np.where(by_above <= by_corner, above, corner))
