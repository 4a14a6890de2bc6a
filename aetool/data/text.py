"""The CSV tokenizer: bytes to cells, with the same rules at every size.

The rules are those of RFC 4180 as Python's csv module reads them: a quote opens a cell only at its
start, a doubled quote inside is one quote. Quote parity finds separators with array operations;
text that parity cannot decide (a quote in the middle of a bare cell) goes through csv.reader.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import numpy as np

from aetool.data.table import Bytes, Cells, Mask, Table
from aetool.errors import DataError
from aetool.model import Int

CHUNK = 4 << 20
MAX_RECORD = 256 << 20
QUOTE, LF, CR = 34, 10, 13
_BOMS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@dataclass(frozen=True)
class Dialect:
    """How a table is written: delimiter, record end, header or not, blank after delimiters."""

    delimiter: str = ","
    newline: str = "\n"
    header: bool = True
    space: bool = False
    decimal: str = "."
    final_newline: bool = True
    bom: bool = False


def sniff(head: bytes, name: str, delimiter: str | None = None) -> Dialect:
    """The dialect of a table from its first bytes (whole records, or all there is)."""
    bom = head.startswith(b"\xef\xbb\xbf")
    body = head[3:] if bom else head
    if b"\0" in body:
        raise DataError(f"{name}: this is a binary file, not a table in text; see `aetool --help`")
    newline = "\r\n" if b"\r\n" in body else "\n" if b"\n" in body or b"\r" not in body else "\r"
    text = body.decode("utf-8", errors="replace")
    if delimiter is None:
        counts = {d: _regular(text, d) for d in ",\t;|"}
        delimiter = max(counts, key=lambda d: counts[d])
    rows = _records(text, delimiter)[:100]
    space = (
        len(rows) > 1
        and len(rows[1]) > 1
        and all(c.startswith(" ") for r in rows[1:] for c in r[1:])
    )
    decimal = "," if delimiter != "," and _decimal_comma(rows[1:]) else "."
    header = not rows or not all(_is_number(c, decimal) for c in rows[0])
    return Dialect(delimiter, newline, header, space, decimal, body.endswith((b"\n", b"\r")), bom)


def _records(text: str, delimiter: str) -> list[list[str]]:
    try:
        rows = csv.reader(io.StringIO(text[:65536], newline=""), delimiter=delimiter)
        return [row for row, _ in zip(rows, range(200), strict=False) if row]
    except csv.Error:
        return []


def _regular(text: str, delimiter: str) -> int:
    """Columns this delimiter would give, if the same in nearly all records; else 0."""
    rows = _records(text, delimiter)
    if len(text) > 65536:
        rows = rows[:-1]
    if not rows or len(rows[0]) < 2:
        return 0
    same = sum(len(r) == len(rows[0]) for r in rows)
    return len(rows[0]) if same >= 0.9 * len(rows) else 0


def _decimal_comma(rows: list[list[str]]) -> bool:
    cells = [c.strip() for r in rows for c in r]
    comma = [c for c in cells if c.count(",") == 1 and _is_number(c, ",")]
    point = [c for c in cells if "." in c and _is_number(c, ".")]
    return bool(comma) and not point


def _is_number(cell: str, decimal: str) -> bool:
    try:
        float(cell.replace(decimal, "."))
    except ValueError:
        return False
    return "_" not in cell and any(c.isdigit() for c in cell)


def utf8(stream: BinaryIO) -> BinaryIO:
    """The stream as UTF-8: UTF-16 with a byte-order mark is converted, anything else untouched."""
    head = stream.read(2)
    rest = _Rejoined(head, stream)
    if head not in _BOMS:
        return _buffered(rest)
    return _buffered(_Encoded(io.TextIOWrapper(_buffered(rest), _BOMS[head], newline="")))


def _buffered(raw: io.RawIOBase) -> io.BufferedReader:
    return io.BufferedReader(cast(Any, raw))


class _Rejoined(io.RawIOBase):
    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self.head, self.rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, target: bytearray) -> int:  # type: ignore[override]
        if self.head:
            data, self.head = self.head[: len(target)], self.head[len(target) :]
        else:
            data = self.rest.read(len(target))
        target[: len(data)] = data
        return len(data)


class _Encoded(io.RawIOBase):
    def __init__(self, text: io.TextIOWrapper) -> None:
        self.text, self.left = text, b""

    def readable(self) -> bool:
        return True

    def readinto(self, target: bytearray) -> int:  # type: ignore[override]
        if not self.left:
            self.left = self.text.read(65536).encode()
        data, self.left = self.left[: len(target)], self.left[len(target) :]
        target[: len(data)] = data
        return len(data)


def tables(stream: BinaryIO, name: str, dialect: Dialect) -> Iterator[Table]:
    """The records of a text table, batch by batch; DataError names the row that is not right."""
    names: tuple[str, ...] = ()
    row = 0
    for matrix in _chunks(stream, name, dialect):
        cells, columns = matrix
        if not names:
            if dialect.header:
                names = header_names(cells.take(slice(0, columns)).strings(), name)
                cells = _rest(cells, columns)
            else:
                names = tuple(f"c{i + 1}" for i in range(columns))
        if columns != len(names):
            raise DataError(
                f"{name}: row {row + 1} has {columns} fields, the header has {len(names)}"
            )
        rows = len(cells) // columns
        values = tuple(_column(cells, i, columns) for i in range(columns))
        yield Table(names, values, row)
        row += rows


def header_names(cells: list[str], name: str) -> tuple[str, ...]:
    """Column names from a header; an empty one becomes column<i>. Duplicates are an error."""
    names = [c.strip() or f"column{i + 1}" for i, c in enumerate(cells)]
    seen: dict[str, int] = {}
    for i, n in enumerate(names):
        if n in seen:
            raise DataError(
                f"{name}: column '{n}' appears twice (columns {seen[n] + 1} and {i + 1}); "
                "rename one of them"
            )
        seen[n] = i
    return tuple(names)


def _rest(cells: Cells, skip: int) -> Cells:
    return Cells(cells.buffer, cells.start[skip:], cells.stop[skip:], cells.null[skip:])


def _column(cells: Cells, i: int, columns: int) -> Cells:
    return Cells(
        cells.buffer, cells.start[i::columns], cells.stop[i::columns], cells.null[i::columns]
    )


def _chunks(stream: BinaryIO, name: str, dialect: Dialect) -> Iterator[tuple[Cells, int]]:
    """Row-major cells of whole records and the number of columns, chunk by chunk."""
    left = b""
    row = 0
    columns: int | None = None
    first = True
    while True:
        data = stream.read(CHUNK)
        if first and data.startswith(b"\xef\xbb\xbf"):
            data = data[3:]
        first = False
        text = left + data
        cut = last_end(text, dialect) if data else len(text)
        if data and cut == 0:
            if len(text) > MAX_RECORD:
                raise DataError(
                    f"{name}: row {row + 1} is longer than {MAX_RECORD >> 20} MiB; "
                    "is a quote left open?"
                )
            left = text
            continue
        piece, left = text[:cut], text[cut:]
        if piece:
            _check(piece, name, row)
            found = _tokenize(piece, dialect, name, row, columns)
            if found is None:
                yield from _slowly(piece + left, stream, name, dialect, row, columns)
                return
            cells, width = found
            if len(cells):
                columns = width
                yield cells, columns
                row += len(cells) // columns - (row == 0 and dialect.header)
        if not data:
            return


def _check(piece: bytes, name: str, row: int) -> None:
    if b"\0" in piece:
        raise DataError(f"{name}: NUL byte after row {row}; this is not a table in text")
    try:
        piece.decode("utf-8")
    except UnicodeDecodeError as error:
        line = row + piece[: error.start].count(b"\n")
        raise DataError(
            f"{name}: byte 0x{piece[error.start]:02x} near row {line} is not UTF-8; "
            "convert the file: iconv -f latin1 -t utf-8"
        ) from None


def last_end(text: bytes, dialect: Dialect) -> int:
    """Where the last whole record ends; 0 if none does."""
    end = b"\r" if dialect.newline == "\r" else b"\n"
    cut = text.rfind(end) + 1
    if text.count(b'"', 0, cut) % 2 == 0:
        return cut
    data = np.frombuffer(text, dtype=np.uint8)
    inside = np.cumsum(data == QUOTE) & 1
    ends = np.flatnonzero((data == end[0]) & (inside == 0))
    return int(ends[-1]) + 1 if len(ends) else 0


def _tokenize(
    piece: bytes, dialect: Dialect, name: str, row: int, columns: int | None
) -> tuple[Cells, int] | None:
    """Cells of whole records; None where a quote stands inside a bare cell."""
    end = CR if dialect.newline == "\r" else LF
    if piece[-1] != end:
        piece += bytes([end])
    data = np.frombuffer(piece, dtype=np.uint8)
    separator = (data == ord(dialect.delimiter)) | (data == end)
    quote = data == QUOTE
    if quote.any():
        count = np.cumsum(quote)
        if not _quotes_decide(data, quote, count, dialect):
            return None
        separator &= (count & 1) == 0
    stop = np.flatnonzero(separator)
    start = np.concatenate([np.zeros(1, np.int64), stop[:-1] + 1])
    last = data[stop] == end
    if end == LF:
        carriage = last & (stop > start) & (data[np.maximum(stop - 1, 0)] == CR)
        stop = stop - carriage
    blank = last & (stop == start) & np.concatenate([[True], last[:-1]])
    if columns != 1 and blank.any():  # blank lines are nothing, but gaps of a single column
        keep = ~blank
        if columns is None and bool((last | blank)[keep].all()) and keep.any():
            keep |= np.arange(len(blank)) > int(keep.argmax())
        start, stop, last = start[keep], stop[keep], last[keep]
    if not len(start):
        return Cells.of([]), columns or 0
    counts = np.diff(np.concatenate([[-1], np.flatnonzero(last)]))
    columns = columns or int(counts[0])
    if (counts != columns).any():
        bad = int(np.flatnonzero(counts != columns)[0])
        where = row + bad + (0 if dialect.header and row == 0 else 1)
        raise DataError(
            f"{name}: row {where} has {counts[bad]} fields where {columns} are expected; "
            "mend that line, or quote cells that hold the delimiter"
        )
    if dialect.space:
        while True:
            pad = (data[start] == 32) & (stop > start)
            if not pad.any():
                break
            start = start + pad
    return _unquote(data, start, stop), columns


def _quotes_decide(data: Bytes, quote: Mask, count: Int, dialect: Dialect) -> bool:
    """Whether every opening quote follows, and every closing one precedes, a separator."""
    where = np.flatnonzero(quote)
    opening = where[(count[where] & 1) == 1]
    closing = where[(count[where] & 1) == 0]
    if len(opening) != len(closing):
        return False
    edge = np.zeros(256, dtype=np.bool_)
    edge[[ord(dialect.delimiter), CR if dialect.newline == "\r" else LF, QUOTE]] = True
    before = np.where(opening > 0, data[np.maximum(opening - 1, 0)], LF)
    after = data[np.minimum(closing + 1, len(data) - 1)]
    second = data[np.minimum(closing + 2, len(data) - 1)]
    ended = edge[after] | ((after == CR) & (second == LF))
    return bool(edge[before].all() and ended.all())


def _unquote(data: Bytes, start: Int, stop: Int) -> Cells:
    quoted = (stop - start >= 2) & (data[np.minimum(start, len(data) - 1)] == QUOTE)
    start = start + quoted
    stop = stop - quoted
    null = np.zeros(len(start), dtype=np.bool_)
    if not quoted.any():
        return Cells(data, start, stop, null)
    seen = np.concatenate([[0], np.cumsum(data == QUOTE)])
    doubled = np.flatnonzero(quoted & (seen[stop] > seen[start]))
    if len(doubled):
        raw = data.tobytes()
        plain = [raw[start[i] : stop[i]].replace(b'""', b'"') for i in doubled]
        base = len(data) + np.cumsum([0] + [len(p) for p in plain])
        start[doubled], stop[doubled] = base[:-1], base[1:]
        data = np.concatenate([data, np.frombuffer(b"".join(plain), dtype=np.uint8)])
    return Cells(data, start, stop, null)


def _slowly(
    text: bytes, stream: BinaryIO, name: str, dialect: Dialect, row: int, columns: int | None
) -> Iterator[tuple[Cells, int]]:
    """The rest of the stream through csv.reader, with the same rules and errors."""
    joined = io.TextIOWrapper(_buffered(_Rejoined(text, stream)), "utf-8", newline="")
    old_limit = csv.field_size_limit(MAX_RECORD)
    batch: list[str] = []
    seen = 0
    try:
        reader = csv.reader(joined, delimiter=dialect.delimiter, skipinitialspace=dialect.space)
        for record in reader:
            if not record and columns != 1:
                continue
            record = record or [""]
            columns = columns or len(record)
            if len(record) != columns:
                where = row + seen + (0 if dialect.header and row == 0 else 1)
                raise DataError(
                    f"{name}: row {where} has {len(record)} fields where {columns} are "
                    "expected; mend that line, or quote cells that hold the delimiter"
                )
            batch += record
            seen += 1
            if len(batch) >= 1 << 18:
                yield Cells.of(batch), columns
                batch = []
        if batch and columns:
            yield Cells.of(batch), columns
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{name}: near row {row + seen + 1}: {error}") from None
    finally:
        csv.field_size_limit(old_limit)
