"""One column of a block to bytes and back: packed bytes, exact text, whole numbers, moments.

A coder is a number in the archive; its name is for people. LZMA2 (raw, 8 MiB dictionary) is the
general compressor underneath; where it does not pay, bytes are stored.
"""

from __future__ import annotations

import lzma

import numpy as np

from aetool.data.table import Cells
from aetool.errors import ArchiveError
from aetool.model import Int

STORED, LZMA, RANS = 0, 1, 2
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 8 << 20}]
MAX_RAW = 1 << 31


def pack(raw: bytes) -> tuple[int, bytes]:
    """(coder, bytes): compressed if that is smaller."""
    small = lzma.compress(raw, lzma.FORMAT_RAW, filters=_FILTERS) if len(raw) > 16 else raw
    return (LZMA, small) if len(small) < len(raw) else (STORED, raw)


def unpack(coder: int, data: bytes, raw_length: int) -> bytes:
    """The raw bytes, exactly raw_length of them; ArchiveError otherwise."""
    if raw_length > MAX_RAW or coder not in (STORED, LZMA):
        raise ArchiveError("damaged: a stream is larger than allowed, or of an unknown coder")
    raw = data
    if coder == LZMA:
        try:
            inflater = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_FILTERS)
            raw = inflater.decompress(data, raw_length + 1)
        except (lzma.LZMAError, EOFError) as error:
            raise ArchiveError(f"damaged: {error}") from None
    if len(raw) != raw_length:
        raise ArchiveError("damaged: a stream has not the length it should have")
    return raw


def encode_integers(values: Int) -> bytes:
    """Whole numbers as differences: i64 each, byte planes apart (regular steps pack to nothing)."""
    steps = np.diff(values, prepend=np.int64(0))
    return np.ascontiguousarray(steps.astype("<i8").view(np.uint8).reshape(-1, 8).T).tobytes()


def decode_integers(raw: bytes, rows: int) -> Int:
    """What encode_integers was given."""
    if len(raw) != 8 * rows:
        raise ArchiveError("damaged: a column of whole numbers has not the length of the block")
    planes = np.frombuffer(raw, np.uint8).reshape(8, rows)
    steps = np.ascontiguousarray(planes.T).view("<i8").reshape(rows)
    return np.asarray(np.cumsum(steps, dtype=np.int64))


def encode_text(cells: Cells) -> bytes:
    """Exact text, a kind u8 and then: 1, whole numbers; 2, up to 255 different texts as kind 0
    behind their count u8, and a u8 index each; 0, u32 lengths (2^32 - 1: missing) and the bytes."""
    whole = _as_integers(cells)
    if whole is not None:
        return b"\1" + encode_integers(whole)
    if not cells.null.any() and cells.width() <= 64:
        levels, index = cells.distinct()
        if len(levels) < min(256, 1 + len(cells) // 4):
            table = _plain_text(Cells.of(levels))
            return b"\2" + bytes([len(levels)]) + table + index.astype(np.uint8).tobytes()
    return _plain_text(cells)


def _plain_text(cells: Cells) -> bytes:
    own = cells.take(slice(None))
    lengths = (own.stop - own.start).astype("<u4")
    lengths[own.null] = 0xFFFFFFFF
    planes = np.ascontiguousarray(lengths.view(np.uint8).reshape(-1, 4).T).tobytes()
    return b"\0" + planes + own.buffer.tobytes()


def decode_text(raw: bytes, rows: int) -> list[str | None]:
    """What encode_text was given, as strings; None where missing."""
    if raw[:1] == b"\1":
        return [str(v) for v in decode_integers(raw[1:], rows).tolist()]
    if raw[:1] == b"\2" and len(raw) >= 2 + rows:
        levels = decode_text(raw[2 : len(raw) - rows], raw[1])
        index = np.frombuffer(raw, np.uint8, rows, len(raw) - rows)
        if len(levels) != raw[1] or (rows and int(index.max()) >= len(levels)):
            raise ArchiveError("damaged: a column of text points beyond its levels")
        return [levels[i] for i in index.tolist()]
    if raw[:1] != b"\0" or len(raw) < 1 + 4 * rows:
        raise ArchiveError("damaged: a column of text is cut short")
    planes = np.frombuffer(raw, np.uint8, 4 * rows, 1).reshape(4, rows)
    lengths = np.ascontiguousarray(planes.T).view("<u4").reshape(rows).astype(np.int64)
    null = lengths == 0xFFFFFFFF
    stop = np.cumsum(np.where(null, 0, lengths))
    body = raw[1 + 4 * rows :]
    if len(body) != (int(stop[-1]) if rows else 0):
        raise ArchiveError("damaged: the lengths of a text column do not add up")
    start = stop - np.where(null, 0, lengths)
    try:
        return [
            None if n else body[a:b].decode()
            for a, b, n in zip(start.tolist(), stop.tolist(), null.tolist(), strict=True)
        ]
    except UnicodeDecodeError:
        raise ArchiveError("damaged: a text column is not UTF-8") from None


def _as_integers(cells: Cells) -> Int | None:
    """The cells as int64 if that writes every one of them back exactly."""
    if not len(cells) or cells.null.any() or cells.width() > 18:
        return None
    text = cells.fixed(cells.width())
    try:
        values = text.astype(np.int64)
    except ValueError:
        return None
    return values if bool((values.astype(text.dtype) == text).all()) else None
