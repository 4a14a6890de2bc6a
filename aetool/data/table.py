"""A batch of records as columns: text cells, float64 numbers, or datetimes."""

from __future__ import annotations

import dataclasses
import math
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

SHORT = 64  # bytes of the longest cell, up to which cells are sorted as rows of one width


@dataclass(frozen=True, eq=False)
class Cells:
    """n cells of text in one buffer of UTF-8: cell i is buffer[start[i]:stop[i]].

    buffer: (bytes,), which other columns may share. start, stop: (n,), offsets in it. null: (n,)
    bool, which cells a source with types of its own has as missing; such a cell is empty.
    """

    buffer: Bytes
    start: Offsets
    stop: Offsets
    null: Mask

    def __len__(self) -> int:
        """How many cells."""
        return len(self.start)

    @classmethod
    def of(cls, values: Sequence[str | None]) -> Cells:
        """Put n strings into a new buffer as cells; None becomes a missing cell. UnicodeEncodeError
        for half a surrogate pair."""
        encoded = [b"" if value is None else value.encode() for value in values]
        lengths = np.array([len(cell) for cell in encoded], np.int64)
        # cells lie behind one another: where one ends the next begins
        stop = np.cumsum(lengths)
        start = stop - lengths
        # an empty text is none: it is told apart here
        is_missing = [value is None for value in values]
        raw = b"".join(encoded)
        return cls(
            buffer=np.frombuffer(raw, np.uint8),
            start=start,
            stop=stop,
            null=np.array(is_missing, np.bool_),
        )

    def take(self, rows: Int | slice) -> Cells:
        """The cells of these rows, in this order, in a new buffer that has only their bytes. rows:
        positions from 0, which are not checked: one below 0 counts from the end, IndexError for one
        beyond it; or a slice of them."""
        old_start = self.start[rows]
        length = self.stop[rows] - old_start
        # in the new buffer cells lie behind one another
        stop = np.cumsum(length, dtype=np.int64)
        start = stop - length
        size = int(stop[-1]) if len(stop) else 0
        # for each byte of the result its place in the old buffer, without a loop over cells
        shift = np.repeat(old_start - start, length)
        old_place = shift + np.arange(size)
        offset = _offset_type(size)
        return Cells(
            buffer=self.buffer[old_place],
            start=start.astype(offset),
            stop=stop.astype(offset),
            null=self.null[rows],
        )

    def fixed(self, width: int) -> npt.NDArray[np.bytes_]:
        """The cells as bytes of one width, (n,), dtype 'S<width>': longer ones cut, shorter ones
        filled up with zero bytes, which numpy does not show. width: in bytes; 0 is taken for 1."""
        width = max(width, 1)
        if not len(self.buffer):
            return np.zeros(len(self), dtype=f"S{width}")
        offset = np.arange(width)
        first = self.start.astype(np.int64)
        # (n, width): the place in the buffer of each byte
        place = first[:, None] + offset
        # places behind the buffer's end are read as its last byte, and blanked below
        last_byte = len(self.buffer) - 1
        np.minimum(place, last_byte, out=place)
        matrix = self.buffer[place]
        # what belongs to the next cell is not of this one
        length = self.stop - self.start
        is_behind = offset >= length[:, None]
        matrix[is_behind] = 0
        rows = matrix.view(f"S{width}")
        return np.asarray(rows.reshape(-1))

    def width(self) -> int:
        """Bytes of the longest cell; 0 without cells."""
        if not len(self):
            return 0
        lengths = self.stop - self.start
        return int(lengths.max())

    def strings(self) -> list[str]:
        """The cells as str; "" for missing ones."""
        raw = self.buffer.tobytes()
        # slices of bytes are far faster than of an array
        begins = self.start.tolist()
        ends = self.stop.tolist()
        spans = zip(begins, ends, strict=True)
        return [raw[begin:end].decode() for begin, end in spans]

    def distinct(self) -> tuple[list[str], Int]:
        """Find the different strings among the cells: (these, sorted by their bytes; (n,) int64,
        for each cell the place of its string among them, from 0). A missing cell counts as ""."""
        width = self.width()
        if width <= SHORT:
            # sorting rows of one width is fast, but takes the longest cell's room for each
            rows = self.fixed(width)
            # in such rows "a" and "a\0" are one, and of two words one would be lost
            if np.array_equal(np.char.str_len(rows), self.stop - self.start):
                levels, index = np.unique(rows, return_inverse=True)
                different = [level.decode() for level in levels.tolist()]
                return different, index.astype(np.int64)
        # long cells: by a dictionary, in which each different one stands once
        strings = self.strings()
        different = sorted(set(strings), key=str.encode)
        number_of = {string: number for number, string in enumerate(different)}
        numbers = [number_of[string] for string in strings]
        return different, np.array(numbers, np.int64)


def _offset_type(size: int) -> type[np.int32 | np.int64]:
    """The smaller type, int32 or int64, that holds all offsets in a buffer of `size` bytes."""
    # offsets of four bytes halve what cells take beside their text
    if size < 2**31:
        return np.int32
    return np.int64


Values = Cells | npt.NDArray[np.float64] | npt.NDArray[np.datetime64]


@dataclass(frozen=True, eq=False)
class Table:
    """A batch of records, by column. names, values: of the columns, in the same order; names may
    repeat. first_row: the number of the first record in the source, from 0. typed: the names of
    columns that are text by the source's types, and read as numbers or dates only if a user asks.

    numbers: (rows,), the numbers of the records in the source, from 0, where they do not follow one
    another: comments between records of a text are counted, in archives, too. None where they do.
    """

    names: tuple[str, ...]
    values: tuple[Values, ...]
    first_row: int = 0
    typed: frozenset[str] = field(default_factory=frozenset)
    numbers: Int | None = None

    def __len__(self) -> int:
        """How many records; 0 without columns."""
        if not self.values:
            return 0
        return len(self.values[0])

    @cached_property
    def places(self) -> dict[str, int]:
        """The place, from 0, of each column by its name; of columns with the same name the
        first."""
        places: dict[str, int] = {}
        for place, name in enumerate(self.names):
            # a source may repeat a name
            places.setdefault(name, place)
        return places

    def __getitem__(self, name: str) -> Values:
        """The values of the column of this name, of several the first; KeyError if there is
        none."""
        return self.values[self.places[name]]

    @property
    def records(self) -> Int:
        """The numbers of the records in the source, from 0: (rows,) int64."""
        if self.numbers is not None:
            return self.numbers
        first = self.first_row
        behind = first + len(self)
        return np.arange(first, behind)

    def take(self, rows: Int | slice) -> Table:
        """A batch of some of the records alone, in the order of `rows`: their positions within this
        batch, from 0, or a slice of them. first_row stays as it is: of a batch without `numbers` it
        is that of this batch, whichever rows are taken. IndexError for a position that there is
        not."""
        values = tuple(taken(column, rows) for column in self.values)
        numbers = None
        if self.numbers is not None:
            numbers = self.numbers[rows]
        return dataclasses.replace(self, values=values, numbers=numbers)

    def only(self, names: Sequence[str]) -> Table:
        """The batch with only the columns of these names, in its own order; names that it lacks are
        passed over."""
        others = [name for name in self.names if name not in names]
        return self.without(others)

    def without(self, names: Sequence[str]) -> Table:
        """The batch without the columns of these names; names that it lacks are passed over."""
        kept_names = []
        kept_values = []
        # by place: of columns with the same name each has its own values
        columns = zip(self.names, self.values, strict=True)
        for name, values in columns:
            if name in names:
                continue
            kept_names.append(name)
            kept_values.append(values)
        return dataclasses.replace(
            self,
            names=tuple(kept_names),
            values=tuple(kept_values),
        )


def concat(tables: Sequence[Table]) -> Table:
    """Join batches, at least one, one below the other; the result begins where the first does, and
    the batches follow one another in the source, or have `numbers`. DataError unless their columns
    have the same names in the same order, each `Cells` in all or in none."""
    if len(tables) == 1:
        return tables[0]
    first = tables[0]
    if any(table.names != first.names for table in tables):
        raise DataError("the inputs have different columns; give tables with the same header")
    values = []
    for place in range(len(first.names)):
        parts = [table.values[place] for table in tables]
        values.append(joined(parts))
    typed: frozenset[str] = frozenset()
    for table in tables:
        typed |= table.typed
    numbers = None
    if any(table.numbers is not None for table in tables):
        # where one batch has numbers of its own, all need them
        numbers = np.concatenate([table.records for table in tables])
    return Table(
        first.names,
        tuple(values),
        first_row=first.first_row,
        typed=typed,
        numbers=numbers,
    )


def taken(values: Values, rows: Int | slice) -> Values:
    """Pick some rows of a column, cells, numbers or moments, in the order of `rows`: positions from
    0, or a slice of them. IndexError for a position that there is not."""
    if isinstance(values, Cells):
        return values.take(rows)
    return values[rows]


def as_cells(values: Values) -> Cells:
    """A column as text cells; cells are returned as they are. Numbers are written in the shortest
    text that reads as the same float, moments as ISO 8601; NaN and NaT are missing cells."""
    if isinstance(values, Cells):
        return values
    if values.dtype.kind == "M":
        moments = [None if np.isnat(moment) else str(moment) for moment in values]
        return Cells.of(moments)
    # floats of Python, not of numpy: their repr has the digits alone
    texts = [None if math.isnan(number) else shortest(number) for number in values.tolist()]
    return Cells.of(texts)


def shortest(number: float) -> str:
    """The shortest text that reads as this float64, whole numbers without ".0"; large and small
    ones as 1e+16, and inf, nan."""
    return repr(number).removesuffix(".0")


def joined(parts: Sequence[Values]) -> Values:
    """Join parts of a column, at least one, one below the other; cells get a new buffer of only
    their own bytes. DataError if some are cells and others are not, or some numbers and others
    moments."""
    cells = [part for part in parts if isinstance(part, Cells)]
    if not cells:
        kinds = {part.dtype.kind for part in parts if not isinstance(part, Cells)}
        if len(kinds) > 1:
            raise DataError("a column has numbers in one input and moments in another")
        return np.concatenate([part for part in parts if not isinstance(part, Cells)])
    if len(cells) != len(parts):
        raise DataError("a column is text in one input and typed in another")
    # of a buffer that columns share only this column's bytes
    compact = [part.take(slice(None)) for part in cells]
    # the parts' buffers come behind one another, and so do their offsets
    lengths = np.concatenate([part.stop - part.start for part in compact])
    stop = np.cumsum(lengths, dtype=np.int64)
    start = stop - lengths
    buffer = np.concatenate([part.buffer for part in compact])
    null = np.concatenate([part.null for part in compact])
    offset = _offset_type(len(buffer))
    return Cells(
        buffer,
        start=start.astype(offset),
        stop=stop.astype(offset),
        null=null,
    )
