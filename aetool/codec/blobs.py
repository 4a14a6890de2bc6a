"""Bytes of any kind, squeezed where that helps, and lengths."""

from __future__ import annotations

import lzma

from aetool.errors import ArchiveError

MAX_RAW = 1 << 31
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 8 << 20}]
_QUICK = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 8 << 20}]


def varint(value: int) -> bytes:
    """Seven bits a byte, lowest first; the last byte is below 128."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """(value, where the next byte is)."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 56:
            raise ArchiveError("damaged: a length is cut short")
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def pack(raw: bytes, quick: bool = False) -> bytes:
    """Bytes, smaller if they can be: varint length * 2 (+ 1 if LZMA2), then the data. quick: looks
    less for what repeats."""
    filters = _QUICK if quick else _FILTERS
    small = lzma.compress(raw, lzma.FORMAT_RAW, filters=filters) if len(raw) > 16 else raw
    if len(small) < len(raw):
        return varint(2 * len(raw) + 1) + small
    return varint(2 * len(raw)) + raw


def unpack(data: bytes, limit: int = MAX_RAW) -> bytes:
    """What pack was given; ArchiveError if it is not that, or larger than the limit."""
    size, at = read_varint(data, 0)
    size, squeezed = divmod(size, 2)
    if size > min(limit, MAX_RAW):
        raise ArchiveError(f"damaged: a column claims {size} bytes of text")
    raw = data[at:]
    if squeezed:
        try:
            inflater = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_FILTERS)
            raw = inflater.decompress(raw, size + 1)
        except (lzma.LZMAError, EOFError) as error:
            raise ArchiveError(f"damaged: {error}") from None
    if len(raw) != size:
        raise ArchiveError("damaged: a text has not the length it should have")
    return raw
