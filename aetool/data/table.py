"""A batch of records as columns: text cells, float64 numbers, or datetimes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from aetool.errors import DataError
from aetool.model import Int

Bytes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Offsets = npt.NDArray[np.signedinteger[Any]]


@dataclass(frozen=True, eq=False)
class Cells:
    """n cells of text: cell i is buffer[start[i]:stop[i]], in UTF-8. null: (n,) bool, which cells a
    typed source has as missing."""

    buffer: Bytes
    start: Offsets
    stop: Offsets
    null: Mask

    def __len__(self) -> int:
        return len(self.start)

    @classmethod
    def of(cls, values: Sequence[str | None]) -> Cells:
        """The cells of these strings; None is a missing one."""
        raw = [b"" if v is None else v.encode() for v in values]
        # cells lie behind one another: where one ends the next begins
        stop = np.cumsum([len(r) for r in raw], dtype=np.int64) if raw else np.zeros(0, np.int64)
        start = np.concatenate([np.zeros(1, np.int64), stop[:-1]]) if raw else stop
        null = np.fromiter((v is None for v in values), dtype=np.bool_, count=len(raw))
        return cls(np.frombuffer(b"".join(raw), dtype=np.uint8), start, stop, null)

    def take(self, rows: Int | slice) -> Cells:
        """The cells of these rows, in a buffer that has only their bytes."""
        start = self.start[rows]
        stop = self.stop[rows]
        null = self.null[rows]
        length = stop - start
        end = np.cumsum(length, dtype=np.int64)
        begin = end - length
        # for each byte of the result its place in the old buffer, without a loop over cells
        where = np.repeat(start - begin, length) + np.arange(int(end[-1]) if len(end) else 0)
        # offsets of four bytes halve what cells take beside their text
        small = np.int32 if len(where) < 2**31 else np.int64
        return Cells(self.buffer[where], begin.astype(small), end.astype(small), null)

    def fixed(self, width: int) -> npt.NDArray[np.bytes_]:
        """(n,) 'S<width>': the cells as bytes of one width, longer ones cut."""
        width = max(width, 1)
        if not len(self.buffer):
            return np.zeros(len(self), dtype=f"S{width}")
        offset = np.arange(width)
        where = self.start[:, None].astype(np.int64) + offset
        # places behind the buffer's end are read as its last byte, and blanked below
        np.minimum(where, len(self.buffer) - 1, out=where)
        matrix = self.buffer[where]
        # what belongs to the next cell is not of this one
        matrix[offset >= (self.stop - self.start)[:, None]] = 0
        return np.asarray(matrix.view(f"S{width}").reshape(-1))

    def width(self) -> int:
        """Bytes of the longest cell; 0 without cells."""
        if len(self):
            return int((self.stop - self.start).max())
        return 0

    def strings(self) -> list[str]:
        """The cells as str; "" for missing ones."""
        raw = self.buffer.tobytes()
        pairs = zip(self.start.tolist(), self.stop.tolist(), strict=True)
        return [raw[a:b].decode() for a, b in pairs]

    def distinct(self) -> tuple[list[str], Int]:
        """(the different strings, sorted by their bytes; (n,) the index of each cell's string among
        them)."""
        width = self.width()
        if width <= 64:
            # sorting rows of one width is fast, but takes the longest cell's room for each
            levels, index = np.unique(self.fixed(width), return_inverse=True)
            return [v.decode() for v in levels.tolist()], index.astype(np.int64)
        # long cells: by a dictionary, in which each different one stands once
        strings = self.strings()
        order = {v: i for i, v in enumerate(sorted(set(strings), key=str.encode))}
        return list(order), np.fromiter((order[s] for s in strings), np.int64, len(strings))


Values = Cells | npt.NDArray[np.float64] | npt.NDArray[np.datetime64]


@dataclass(frozen=True, eq=False)
class Table:
    """A batch of records, by column. names, values: of the columns, in the same order. first_row:
    the number of the first record in the source, from 0. typed: the names of columns known to be
    text.

    numbers: (rows,), the numbers of the records in the source, where they do not follow one
    another: comments between records of a text are counted, in archives, too. None where they do.
    """

    names: tuple[str, ...]
    values: tuple[Values, ...]
    first_row: int = 0
    typed: frozenset[str] = field(default_factory=frozenset)
    numbers: Int | None = None

    def __len__(self) -> int:
        return len(self.values[0]) if self.values else 0

    @cached_property
    def places(self) -> dict[str, int]:
        """The place of each column by its name; of columns with the same name the first."""
        # reversed, so that of equal names the first is what stays
        return dict(zip(reversed(self.names), range(len(self.names) - 1, -1, -1), strict=True))

    def __getitem__(self, name: str) -> Values:
        return self.values[self.places[name]]

    @property
    def records(self) -> Int:
        """(rows,): the numbers of the records in the source, from 0."""
        if self.numbers is not None:
            return self.numbers
        return np.arange(self.first_row, self.first_row + len(self))

    def take(self, rows: Int | slice) -> Table:
        """The batch with only these rows, counted within it."""
        values = tuple(taken(v, rows) for v in self.values)
        numbers = None if self.numbers is None else self.numbers[rows]
        return Table(self.names, values, self.first_row, self.typed, numbers)

    def only(self, names: Sequence[str]) -> Table:
        """The batch with only the columns of these names, in its own order."""
        return self.without([n for n in self.names if n not in names])

    def without(self, names: Sequence[str]) -> Table:
        """The batch without the columns of these names."""
        places = [i for i, n in enumerate(self.names) if n not in names]
        return Table(
            tuple(self.names[i] for i in places),
            tuple(self.values[i] for i in places),
            self.first_row,
            self.typed,
            self.numbers,
        )


def concat(tables: Sequence[Table]) -> Table:
    """Join batches, one below the other; DataError unless their columns have the same names in the
    same order."""
    if len(tables) == 1:
        return tables[0]
    names = tables[0].names
    if any(t.names != names for t in tables):
        raise DataError("the inputs have different columns; give tables with the same header")
    values = tuple(joined([t.values[i] for t in tables]) for i in range(len(names)))
    typed = frozenset[str]().union(*(t.typed for t in tables))
    numbers = None
    if any(t.numbers is not None for t in tables):
        # where one batch has numbers of its own, all need them
        numbers = np.concatenate([t.records for t in tables])
    return Table(names, values, tables[0].first_row, typed, numbers)


def taken(values: Values, rows: Int | slice) -> Values:
    """The values of a column in these rows."""
    if isinstance(values, Cells):
        return values.take(rows)
    return values[rows]


def as_cells(values: Values) -> Cells:
    """A column as text cells: numbers in the fewest digits, whole ones without a point; NaN and NaT
    are missing."""
    if isinstance(values, Cells):
        return values
    if values.dtype.kind == "M":
        return Cells.of([None if np.isnat(v) else str(v) for v in values])
    # v != v is NaN, and NaN is missing
    return Cells.of([None if v != v else shortest(v) for v in values.tolist()])


def shortest(number: float) -> str:
    """The shortest text that reads as this float64, whole numbers without ".0"."""
    return repr(number).removesuffix(".0")


def joined(parts: Sequence[Values]) -> Values:
    """Join parts of a column, one below the other; DataError if some are text and others are
    not."""
    cells = [p for p in parts if isinstance(p, Cells)]
    if not cells:
        return np.concatenate([p for p in parts if not isinstance(p, Cells)])
    if len(cells) != len(parts):
        raise DataError("a column is text in one input and typed in another")
    cells = [c.take(slice(None)) for c in cells]  # of a shared buffer only this column's bytes
    # the pieces' buffers come behind one another, and so do their offsets
    lengths = np.concatenate([c.stop - c.start for c in cells])
    stop = np.cumsum(lengths, dtype=np.int64)
    small = np.int32 if not len(stop) or stop[-1] < 2**31 else np.int64
    start = (stop - lengths).astype(small)
    buffer = np.concatenate([c.buffer for c in cells])
    return Cells(buffer, start, stop.astype(small), np.concatenate([c.null for c in cells]))
