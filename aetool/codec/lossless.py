"""Records of text as they are, byte for byte: column by column where that is smaller.

A block is one stream (its bytes), or for a table whose records all have the same number of fields
and the same line end, a stream of lengths (u32, byte planes) and one of bytes for each column.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aetool.codec import streams
from aetool.codec.container import Stream, digest
from aetool.data.table import Bytes
from aetool.errors import ArchiveError
from aetool.model import Int

LF, CR, QUOTE = 10, 13, 34


def stream_of(raw: bytes) -> Stream:
    """Raw bytes as a stream."""
    coder, data = streams.pack(raw)
    return Stream(coder, data, len(raw), digest(raw))


def encode_block(piece: bytes, delimiter: str) -> tuple[int, list[Stream]]:
    """(records, streams) of whole records of text, whichever way is smaller."""
    data = np.frombuffer(piece, dtype=np.uint8)
    ends = _record_ends(data)
    whole = [stream_of(piece)]
    cells = _cells(data, ord(delimiter), ends)
    if cells is None:
        return len(ends), whole
    start, stop, columns, end = cells
    apart = [stream_of(bytes([ord(delimiter), *end]))]
    for j in range(columns):
        a, b = start[j::columns], stop[j::columns]
        lengths = (b - a).astype("<u4")
        planes = np.ascontiguousarray(lengths.view(np.uint8).reshape(-1, 4).T)
        apart += [stream_of(planes.tobytes()), stream_of(_gather(data, a, b).tobytes())]
    if sum(len(s.data) + 33 for s in apart) < len(whole[0].data):
        return len(ends), apart
    return len(ends), whole


def _record_ends(data: Bytes) -> Int:
    """Positions after each record's last byte; a quote counts wherever it stands."""
    inside = np.cumsum(data == QUOTE) & 1
    ends = np.flatnonzero((data == LF) & (inside == 0)) + 1
    if not len(ends) or ends[-1] != len(data):
        ends = np.append(ends, len(data))
    return ends


def _cells(data: Bytes, delimiter: int, ends: Int) -> tuple[Int, Int, int, bytes] | None:
    """Start and stop of each field, fields a record, and the line end; None if not regular."""
    if not len(data) or data[-1] != LF:
        return None
    inside = np.cumsum(data == QUOTE) & 1
    stop = np.flatnonzero(((data == delimiter) | (data == LF)) & (inside == 0))
    if not len(stop) or stop[-1] != len(data) - 1:
        return None
    last = data[stop] == LF
    columns, rest = divmod(len(stop), len(ends))
    if rest or not columns or not last[columns - 1 :: columns].all():
        return None
    start = np.concatenate([[0], stop[:-1] + 1])
    before = data[np.maximum(stop[last] - 1, 0)] == CR
    if before.all():
        return start, stop - last, columns, b"\r\n"
    return None if before.any() else (start, stop, columns, b"\n")


def _gather(data: Bytes, start: Int, stop: Int) -> Bytes:
    length = stop - start
    begin = np.cumsum(length) - length
    return data[np.repeat(start - begin, length) + np.arange(int(length.sum()))]


def decode_block(parts: Sequence[tuple[Stream, bytes]], rows: int, inside: slice) -> bytes:
    """The bytes of records `inside` of a block; parts: its streams and their raw bytes."""
    raw = [r for _, r in parts]
    if len(raw) == 1:
        if inside == slice(0, rows):
            return raw[0]
        ends = _record_ends(np.frombuffer(raw[0], dtype=np.uint8))
        if len(ends) != rows:
            raise ArchiveError("damaged: a block has not the records it claims")
        edges = [0, *ends.tolist()]
        return raw[0][edges[inside.start] : edges[inside.stop]]
    return _join(raw, rows, inside)


def _join(raw: Sequence[bytes], rows: int, inside: slice) -> bytes:
    columns, rest = divmod(len(raw) - 1, 2)
    if rest or raw[0][1:] not in (b"\n", b"\r\n"):
        raise ArchiveError("damaged: a block has not the columns it claims")
    delimiter, end = raw[0][:1], raw[0][1:]
    lengths, starts, bodies, shift = [], [], [], 0
    for j in range(columns):
        planes, body = raw[1 + 2 * j], raw[2 + 2 * j]
        if len(planes) != 4 * rows:
            raise ArchiveError("damaged: a column has not the records it claims")
        wide = np.frombuffer(planes, np.uint8).reshape(4, rows)
        length = np.ascontiguousarray(wide.T).view("<u4").reshape(rows).astype(np.int64)
        if int(length.sum()) != len(body):
            raise ArchiveError("damaged: the lengths of a column do not add up")
        tail = delimiter if j < columns - 1 else end
        lengths.append(length[inside])
        starts.append((np.cumsum(length) - length)[inside] + shift)
        bodies += [body, tail]
        shift += len(body) + len(tail)
    pool = np.frombuffer(b"".join(bodies), np.uint8)
    n = len(lengths[0])
    size, start = np.empty((n, columns, 2), np.int64), np.empty((n, columns, 2), np.int64)
    at = 0
    for j in range(columns):
        body, tail = bodies[2 * j], bodies[2 * j + 1]
        size[:, j, 0], start[:, j, 0] = lengths[j], starts[j]
        size[:, j, 1], start[:, j, 1] = len(tail), at + len(body)
        at += len(body) + len(tail)
    flat, begin = size.reshape(-1), start.reshape(-1)
    return _gather(pool, begin, begin + flat).tobytes()
