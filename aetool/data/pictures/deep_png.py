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
# how a row is filtered, as its first byte says
SUB = 1
UP = 2
AVERAGE = 3
PAETH = 4

Bytes = npt.NDArray[np.uint8]
Wide = npt.NDArray[np.int32]


def is_deep(path: Path) -> bool:
    """Whether a file is a PNG of 16 bits and several channels, not interlaced, which `read` can
    read, by its header. OSError if it cannot be opened."""
    with path.open("rb") as file:
        head = file.read(HEADER)
    if len(head) < HEADER or not head.startswith(SIGNATURE):
        return False
    depth, colour, _, _, interlaced = head[24:29]
    return depth == 16 and colour in CHANNELS and not interlaced


def depth_of(head: bytes) -> int:
    """How many bits a value of a PNG has. head: its first HEADER (33) bytes; 0 if they are
    fewer."""
    if len(head) != HEADER:
        return 0
    return head[24]


def read(path: Path) -> npt.NDArray[np.uint16]:
    """Decode a PNG that `is_deep` is true of: its pixels, (height, width, channels) uint16,
    opacity, if it has any, as the last channel. ValueError or zlib.error if it is damaged."""
    raw = path.read_bytes()
    width, height = struct.unpack(">II", raw[16:24])
    channels = CHANNELS[raw[25]]
    pixel_bytes = 2 * channels
    # a byte for the row's filter, then its pixels
    row_bytes = 1 + pixel_bytes * width
    size = height * row_bytes
    compressed = b"".join(_compressed_parts(raw))
    decompressor = zlib.decompressobj()
    # no more than the picture has, whatever the stream would give
    stream = decompressor.decompress(compressed, size)
    if len(stream) < size:
        raise ValueError("the picture is cut short")
    content = np.frombuffer(stream, np.uint8)
    filtered = content.reshape(height, row_bytes)
    filter_of_row = filtered[:, 0]
    if (filter_of_row > PAETH).any():
        raise ValueError("a row has an unknown filter")
    rows = filtered[:, 1:].reshape(height, width, pixel_bytes)
    values = _unfiltered(rows, filter_of_row)
    return values.view(">u2").astype(np.uint16)


def _compressed_parts(raw: bytes) -> list[bytes]:
    """The contents of the IDAT chunks, the compressed picture, of a PNG file's bytes, in order;
    ValueError if one of these is cut short, or its checksum is wrong."""
    parts = []
    place = len(SIGNATURE)
    # of a chunk: its size, its kind, its content and its checksum
    while place + 8 <= len(raw):
        (size,) = struct.unpack(">I", raw[place : place + 4])
        begin = place + 8
        end = begin + size
        kind = raw[place + 4 : begin]
        content = raw[begin:end]
        place = end + 4
        if kind != b"IDAT":
            continue
        # filled up to four bytes where the file is cut off
        checksum = raw[end:place].rjust(4, b"\0")
        (stored_checksum,) = struct.unpack(">I", checksum)
        if len(content) < size or zlib.crc32(kind + content) != stored_checksum:
            raise ValueError("the picture is cut short, or its checksum is wrong")
        parts.append(content)
    return parts


def _unfiltered(rows: Bytes, kinds: Bytes) -> Bytes:
    """Undo the filters of rows of pixels, (height, width, bytes of a pixel) uint8; returns their
    bytes in the same shape. kinds: (height,), the filter of each row, 0 for none to PAETH.

    A pixel is restored from the one to its left, the one above, and the one to the left of that.
    Pixels on one slant, where row + column is the same, do not need each other, and are restored
    together.
    """
    height, width, size = rows.shape
    # a row and a column of nothing around them stand for what is outside
    whole: Wide = np.zeros((height + 1, width + 1, size), np.int32)
    all_rows = np.arange(height)
    for slant in range(height + width - 1):
        first_row = max(0, slant - width + 1)
        end_row = min(height, slant + 1)
        y = all_rows[first_row:end_row]
        x = slant - y
        left = whole[y + 1, x]
        above = whole[y, x + 1]
        corner = whole[y, x]
        kind = kinds[y][:, None]
        guesses = {
            SUB: left,
            UP: above,
            AVERAGE: (left + above) >> 1,
            PAETH: _paeth(left, above, corner),
        }
        is_filter = [kind == number for number in guesses]
        guess = np.select(is_filter, list(guesses.values()), 0)
        restored = rows[y, x] + guess
        # modulo 256, as PNG adds bytes
        whole[y + 1, x + 1] = restored & 255
    inner = whole[1:, 1:]
    return np.ascontiguousarray(inner.astype(np.uint8))


def _paeth(left: Wide, above: Wide, corner: Wide) -> Wide:
    """The Paeth predictor of PNG, element by element: whichever of left, above and corner is
    nearest to left + above - corner; of equals the first in this order."""
    # how far each is from that sum
    by_left = np.abs(above - corner)
    by_above = np.abs(left - corner)
    by_corner = np.abs(left + above - 2 * corner)
    is_left = (by_left <= by_above) & (by_left <= by_corner)
    nearer_of_others = np.where(by_above <= by_corner, above, corner)
    return np.where(is_left, left, nearer_of_others)
