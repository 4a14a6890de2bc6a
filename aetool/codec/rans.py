"""Range asymmetric numeral systems over static integer tables, many lanes at once, in numpy.

Duda 2013 (arXiv:1311.2540), the range variant; lanes interleaved as in Giesen 2014
(arXiv:1402.3392). Frequencies sum to 2^14, states are 32 bits, words 16 bits.

`encode_table` turns (rows, k) integers into one byte string that carries its own tables:

    u32 rows | u16 k | u32 lanes | u32 table bytes | u32 escape bytes | u32 words
    tables, zlib: for each column i32 lowest, u16 count, count x u16 frequency (the last: escape)
    escapes, zlib: i64 each, in order, for values outside their column's table
    lanes x u32 final states | words x u16

all little-endian. Symbol i of the sequence (row by row) belongs to lane i % lanes.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt

from aetool.errors import ArchiveError
from aetool.model import Int

PRECISION = 14
TOTAL = 1 << PRECISION
LOW = 1 << 16  # states stay in [2^16, 2^32)
WIDEST = 2048  # symbols in one column's table; what lies outside is escaped
MAX_COLUMNS, MAX_VALUES = 4096, 1 << 31
_HEAD = struct.Struct("<IHIIII")

U64 = npt.NDArray[np.uint64]


def normalise(counts: Int) -> Int:
    """Frequencies that sum to 2^14, at least 1 wherever counts are, nearest to proportional."""
    used = counts > 0
    if not used.any():
        used = np.arange(len(counts)) == 0
    free = TOTAL - int(used.sum())  # one each is set apart, so that taking back never reaches 0
    scaled = used + np.where(used, counts * free // max(int(counts.sum()), 1), 0)
    scaled[int(scaled.argmax())] += TOTAL - int(scaled.sum())
    return np.asarray(scaled, dtype=np.int64)


def encode_table(values: Int) -> bytes:
    """(rows, k) int64 to bytes; decode_table gives them back."""
    rows, k = values.shape
    tables, escapes, symbols = [], [], np.empty((rows, k), dtype=np.int64)
    freqs: list[Int] = []
    base = 0
    for j in range(k):
        column = values[:, j]
        low, count = _window(column)
        inside = (column >= low) & (column < low + count)
        symbol = np.where(inside, column - low, count)
        frequency = normalise(np.bincount(symbol, minlength=count + 1))
        tables.append(struct.pack("<iH", low, count + 1) + frequency.astype("<u2").tobytes())
        freqs.append(frequency)
        symbols[:, j] = symbol + base
        base += count + 1
    flat = values.reshape(-1)
    starts = np.concatenate([[0], np.cumsum([len(f) for f in freqs])]).astype(np.int64)
    lost = symbols == (starts[1:] - 1)
    escapes = flat[lost.reshape(-1)].astype("<i8").tobytes()
    frequency = np.concatenate(freqs) if freqs else np.zeros(0, np.int64)
    cumulative = _cumulative(frequency, starts)
    lanes, states, words = _encode(symbols.reshape(-1), frequency, cumulative)
    head = [zlib.compress(b"".join(tables), 9), zlib.compress(escapes, 9) if escapes else b""]
    return (
        _HEAD.pack(rows, k, lanes, len(head[0]), len(head[1]), len(words))
        + head[0]
        + head[1]
        + states.astype("<u4").tobytes()
        + words.astype("<u2").tobytes()
    )


def _window(column: Int) -> tuple[int, int]:
    """The lowest value and the width of the table: all values, or where most of them are."""
    if not len(column):
        return 0, 1
    low, high = int(column.min()), int(column.max())
    if high - low >= WIDEST:
        middle = int(np.partition(column, len(column) // 2)[len(column) // 2])
        low, high = middle - WIDEST // 2, middle + WIDEST // 2 - 1
        inside = column[(column >= low) & (column <= high)]
        low, high = int(inside.min()), int(inside.max())
    low = max(-(2**31), min(low, 2**31 - 1))
    return low, max(1, min(high - low + 1, WIDEST))


def _cumulative(frequency: Int, starts: Int) -> Int:
    total = np.cumsum(frequency) - frequency
    return np.asarray(total - np.repeat(total[starts[:-1]], np.diff(starts)))


def _encode(symbols: Int, frequency: Int, cumulative: Int) -> tuple[int, U64, U64]:
    n = len(symbols)
    lanes = 1
    while lanes < 256 and lanes * 1024 < n:
        lanes *= 2
    f, c = frequency.astype(np.uint64), cumulative.astype(np.uint64)
    state = np.full(lanes, LOW, dtype=np.uint64)
    out: list[U64] = []
    shift, word = np.uint64(PRECISION), np.uint64(16)
    for first in range((n - 1) // lanes * lanes if n else -1, -1, -lanes):
        part = symbols[first : first + lanes]
        x, fs, cs = state[: len(part)], f[part], c[part]
        full = x >= fs << np.uint64(32 - PRECISION)
        out.append(x[full] & np.uint64(0xFFFF))
        x = np.where(full, x >> word, x)
        state[: len(part)] = (x // fs << shift) + x % fs + cs
    words = np.concatenate(out[::-1]) if out else np.zeros(0, np.uint64)
    return lanes, state, words


def decode_table(data: bytes, rows: int, k: int) -> Int:
    """The (rows, k) integers of encode_table; ArchiveError unless every check holds."""
    if len(data) < _HEAD.size:
        raise ArchiveError("damaged: a coded stream is cut short")
    got_rows, got_k, lanes, table_size, escape_size, words = _HEAD.unpack_from(data)
    need = _HEAD.size + table_size + escape_size + 4 * lanes + 2 * words
    sane = got_rows == rows and got_k == k and k <= MAX_COLUMNS and rows * k <= MAX_VALUES
    if not sane or need != len(data) or not 1 <= lanes <= 256:
        raise ArchiveError("damaged: a coded stream does not have the size it claims")
    at = _HEAD.size
    limit = k * (6 + 2 * (WIDEST + 1))
    frequency, lows, starts = _read_tables(_inflate(data[at : at + table_size], limit), k)
    at += table_size
    raw = _inflate(data[at : at + escape_size], 8 * rows * k) if escape_size else b""
    escapes = np.frombuffer(raw, dtype="<i8") if len(raw) % 8 == 0 else np.zeros(0)
    at += escape_size
    state = np.frombuffer(data, "<u4", lanes, at).astype(np.uint64)
    stream = np.frombuffer(data, "<u2", words, at + 4 * lanes).astype(np.uint64)
    symbols = _decode(rows * k, k, state, stream, frequency, starts).reshape(rows, k)
    local = symbols - starts[:-1]
    values = local + lows
    lost = local == np.diff(starts) - 1
    if int(lost.sum()) != len(escapes):
        raise ArchiveError("damaged: the escapes of a coded stream do not add up")
    values[lost] = escapes
    return values


def _inflate(data: bytes, limit: int) -> bytes:
    inflater = zlib.decompressobj()
    try:
        out = inflater.decompress(data, limit + 1)
    except zlib.error as error:
        raise ArchiveError(f"damaged: {error}") from None
    if len(out) > limit or not inflater.eof or inflater.unused_data:
        raise ArchiveError("damaged: a stream has not the length it should have")
    return out


def _read_tables(raw: bytes, k: int) -> tuple[Int, Int, Int]:
    lows, freqs, at = [], [], 0
    for _ in range(k):
        if at + 6 > len(raw):
            raise ArchiveError("damaged: frequency tables are cut short")
        low, count = struct.unpack_from("<iH", raw, at)
        at += 6
        if not 1 <= count <= WIDEST + 1 or at + 2 * count > len(raw):
            raise ArchiveError("damaged: a frequency table is out of range")
        frequency = np.frombuffer(raw, "<u2", count, at).astype(np.int64)
        if frequency.sum() != TOTAL:
            raise ArchiveError("damaged: a frequency table does not sum to 2^14")
        at += 2 * count
        lows.append(low)
        freqs.append(frequency)
    if at != len(raw):
        raise ArchiveError("damaged: bytes after the frequency tables")
    starts = np.concatenate([[0], np.cumsum([len(f) for f in freqs])]).astype(np.int64)
    joined = np.concatenate(freqs) if freqs else np.zeros(0, np.int64)
    return joined, np.array(lows, dtype=np.int64), starts


def _decode(n: int, k: int, state: U64, words: U64, frequency: Int, starts: Int) -> Int:
    out = np.empty(n, dtype=np.int64)
    if not n:
        return out
    cumulative = _cumulative(frequency, starts)
    slots = np.repeat(np.arange(len(frequency), dtype=np.int32), frequency)  # (k * 2^14,)
    f, c = frequency.astype(np.uint64), cumulative.astype(np.uint64)
    lanes, at = len(state), 0
    low, shift, word, mask = (
        np.uint64(LOW),
        np.uint64(PRECISION),
        np.uint64(16),
        np.uint64(TOTAL - 1),
    )
    for first in range(0, n, lanes):
        size = min(lanes, n - first)
        x = state[:size]
        slot = x & mask
        column = np.arange(first, first + size) % k
        symbol = slots[column * TOTAL + slot.astype(np.int64)]
        x = f[symbol] * (x >> shift) + slot - c[symbol]
        empty = x < low
        need = int(empty.sum())
        if at + need > len(words):
            raise ArchiveError("damaged: a coded stream ends too early")
        x[empty] = x[empty] << word | words[at : at + need]
        at += need
        state[:size] = x
        out[first : first + size] = symbol
    if at != len(words) or (state != low).any():
        raise ArchiveError("damaged: a coded stream does not end where it should")
    return out
