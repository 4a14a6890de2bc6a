"""Tables in text as columns of cells, batch by batch, cut by the rule of aetool.csv."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np

from aetool.csv import cutting
from aetool.csv.dialect import Dialect
from aetool.csv.encodings import NoTableError
from aetool.csv.fields import Fields, fields
from aetool.data.table import Cells, Table
from aetool.errors import DataError

CHUNK = 4 << 20


def tables(stream: BinaryIO, name: str, dialect: Dialect) -> Iterator[Table]:
    """The records of a text table, batch by batch; DataError names the row that is not right.

    stream: UTF-8, see `encodings.utf8`.
    """
    rows = 0
    try:
        pieces = cutting.pieces(stream, dialect, CHUNK)
        head = next(pieces)
        _check(head, name, 0)
        names: Sequence[str] = cutting.header_names(head, dialect)
        names = unique_names(names, name)
        for piece in pieces:
            _check(piece, name, rows + 1)
            found = fields(piece, dialect.rule)
            names = names or tuple(f"c{i + 1}" for i in range(int(found.width[0])))
            _check_widths(found, len(names), name, rows)
            yield _table(found, tuple(names), rows)
            rows += len(found)
        if names and not rows:
            yield Table(tuple(names), tuple(Cells.of([]) for _ in names))
    except NoTableError as error:
        raise DataError(f"{name}: row {rows + 1}: {error}") from None


def _table(found: Fields, names: tuple[str, ...], first_row: int) -> Table:
    data, start, stop = found.values()
    null = np.zeros(len(start), np.bool_)
    columns = [slice(i, None, len(names)) for i in range(len(names))]
    values = tuple(Cells(data, start[c], stop[c], null[c]) for c in columns)
    return Table(names, values, first_row)


def unique_names(names: Sequence[str], name: str) -> tuple[str, ...]:
    """The names of columns; DataError for one that is there twice. name: of the source."""
    seen: dict[str, int] = {}
    for i, column in enumerate(names):
        if column in seen:
            raise DataError(
                f"{name}: column '{column}' appears twice "
                f"(columns {seen[column] + 1} and {i + 1}); rename one of them"
            )
        seen[column] = i
    return tuple(names)


def header_names(cells: Sequence[str], name: str) -> tuple[str, ...]:
    """Names of columns from those of a file; an empty one becomes column<i>."""
    return unique_names([c.strip() or f"column{i + 1}" for i, c in enumerate(cells)], name)


def _check(piece: bytes, name: str, row: int) -> None:
    """DataError for what text in UTF-8 does not hold. row: the first in the piece."""
    if b"\0" in piece:
        line = row + piece[: piece.index(0)].count(b"\n")
        raise DataError(f"{name}: NUL byte near row {line}; this is not a table in text")
    if piece.isascii():
        return
    try:
        piece.decode("utf-8")
    except UnicodeDecodeError as error:
        line = row + piece[: error.start].count(b"\n")
        raise DataError(
            f"{name}: byte 0x{piece[error.start]:02x} near row {line} is not UTF-8; "
            "convert the file: iconv -f latin1 -t utf-8"
        ) from None


def _check_widths(found: Fields, columns: int, name: str, rows: int) -> None:
    if found.columns == columns:
        return
    bad = int(np.flatnonzero(found.width != columns)[0])
    raise DataError(
        f"{name}: row {rows + bad + 1} has {found.width[bad]} fields where {columns} are expected; "
        "mend that line, or quote cells that hold the delimiter"
    )
