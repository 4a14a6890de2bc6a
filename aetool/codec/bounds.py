"""Checks that restored text keeps its error bounds: numbers are compared in exact arithmetic, all
other bytes must be equal."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from aetool.codec import spans
from aetool.codec.records import Layout
from aetool.codec.spans import I8, I32
from aetool.codec.text_cells import NUMBER, TextCells
from aetool.codec.text_decimals import ParsedCells
from aetool.csv.fields import fields
from aetool.data.table import Bytes
from aetool.model import Int

Rows = npt.NDArray[np.bool_]
SAFE = 1 << 62  # whole numbers below it can be subtracted in 64 bits


def holds(source: bytes, restored: bytes, layout: Layout) -> bool:
    """Whether restored text keeps every bound: numbers of a column with a bound differ from the
    source's by at most that, and all other bytes are the source's. False of different texts whose
    records have not all the layout's number of fields. layout: how both are cut into records, and
    by column's name the bounds, in the column's unit."""
    if source == restored:
        return True
    before = _columns(source, layout)
    after = _columns(restored, layout)
    # none where records differ in their number of fields
    if len(before) != len(after) or not before:
        return False
    # line ends, the last column, are never moved
    for name, column, other in zip([*layout.names, None], before, after, strict=True):
        # many columns are not moved: that is seen before their numbers are read
        if column.same(other):
            continue
        bound = None if name is None else layout.bounds.get(name)
        if name is None or bound is None:
            return False
        if not column.near(other, bound, layout.marks.get(name)):
            return False
    return True


def _columns(text: bytes, layout: Layout) -> list[Column]:
    """The columns of a text's cells, in their order, and one more of the line end behind each
    record; [] if not every record has the layout's columns."""
    records = fields(text, layout.rule)
    width = records.columns
    if width != len(layout.names):
        return []
    cells = np.frombuffer(text, np.uint8)
    columns = []
    # fields are in the order of the text: those of a column lie a record apart
    for place in range(width):
        start = records.start[place::width].copy()
        stop = records.stop[place::width].copy()
        columns.append(Column(cells, start, stop))
    line_ends = Column(cells, *records.tails())
    return [*columns, line_ends]


class Column:
    """The cells of one column: cell i is text[start[i]:stop[i]]. text: (bytes,) uint8; start, stop:
    (n,) int32."""

    def __init__(self, text: Bytes, start: I32, stop: I32) -> None:
        self.text = text
        self.start = start
        self.stop = stop

    def only(self, rows: Rows) -> Column:
        """The column of those of its cells where the mask `rows`, (n,) bool, is True. The text is
        not copied."""
        start = self.start[rows]
        stop = self.stop[rows]
        return Column(self.text, start, stop)

    def cells(self) -> list[bytes]:
        """The bytes of each cell, n of them, in order."""
        return spans.cells_of(self.text, self.start, self.stop)

    def same(self, other: Column) -> bool:
        """Whether every cell has the same bytes as the other column's in its row. False if it has
        not as many."""
        return spans.same(
            self.text,
            self.start,
            self.stop,
            other.text,
            other.start,
            other.stop,
        )

    def _text_cells(self) -> TextCells:
        """The cells as TextCells, which the functions of text_decimals take; nothing is copied."""
        return TextCells(self.text, self.start, self.stop)

    def near(self, other: Column, bound: Fraction, mark: str | None = None) -> bool:
        """Whether every number differs by at most the bound, in the column's unit, from the other
        column's in its row, and every cell that is no number has the same bytes. False if the other
        has not as many cells. mark: the decimal mark of the numbers; None: it is found from the
        cells."""
        if len(self.start) != len(other.start):
            return False
        cells = ParsedCells.beside_gaps(self._text_cells(), mark)
        # both are read by the affixes and the notation that the source's cells show
        other_cells = ParsedCells.between(other._text_cells(), cells.affixes, cells.notation)
        # the form is -1 where a cell is no plain decimal
        is_number = (cells.form >= 0) & (other_cells.form >= 0)
        # what is not short enough to be compared as a column is compared number by number
        not_plain = self.only(~is_number)
        other_not_plain = other.only(~is_number)
        if not not_plain.same(other_not_plain):
            plain = cells.plain.only(~is_number).cells()
            other_plain = other_cells.plain.only(~is_number).cells()
            texts = zip(not_plain.cells(), other_not_plain.cells(), strict=True)
            for place, (cell, again) in enumerate(texts):
                if cell == again:
                    continue
                if not _near(plain[place], other_plain[place], cells.around, bound):
                    return False
        before = Decimals(cells.value[is_number], cells.form[is_number])
        after = Decimals(other_cells.value[is_number], other_cells.form[is_number])
        return before.near(after, bound)


def _near(
    cell: bytes,
    other: bytes,
    affixes: tuple[bytes, bytes],
    bound: Fraction,
) -> bool:
    """Whether `cell` and `other`, two cells as bytes, are numbers of any length that differ by at
    most the bound, in exact arithmetic; False if one of them is no number. affixes: (prefix,
    suffix), the text around a number."""
    number = _exactly(cell, affixes)
    number_again = _exactly(other, affixes)
    if number is None or number_again is None:
        return False
    return abs(number - number_again) <= bound


def _exactly(cell: bytes, affixes: tuple[bytes, bytes]) -> Fraction | None:
    """The number that a cell holds between a prefix and a suffix, as an exact fraction; None if it
    holds none. affixes: (prefix, suffix), either of which may be b""."""
    prefix, suffix = affixes
    begin = len(prefix)
    end = len(cell) - len(suffix)
    inner = cell[begin:end]
    # a cell may be too short for both affixes
    if prefix + inner + suffix != cell:
        return None
    if NUMBER.fullmatch(inner) is None:
        return None
    return Fraction(inner.decode())


class Decimals:
    """Decimal numbers, (n,): number i is digits[i] / 10^places[i]. digits: int64; form: int8, not
    below 0, whose lowest five bits are the number of decimals, places[i]."""

    def __init__(self, digits: Int, form: I8) -> None:
        self.digits = digits
        places = spans.digits_behind(form)
        # powers of ten of them are beyond 8 bits
        self.places = places.astype(np.int64)

    def near(self, other: Decimals, bound: Fraction) -> bool:
        """Whether each number differs from the other's at its place by at most the bound, exactly.
        other: of as many numbers."""
        most_here = self.places.max(initial=0)
        most_there = other.places.max(initial=0)
        most = int(max(most_here, most_there))
        # both at the scale of the most decimals, where that fits into 64 bits
        factor = 10 ** (most - self.places)
        factor_again = 10 ** (most - other.places)
        fits = np.abs(self.digits) <= SAFE // factor
        fits &= np.abs(other.digits) <= SAFE // factor_again
        # where it does not fit this overflows, and is not looked at
        scaled = self.digits * factor
        scaled_again = other.digits * factor_again
        off = np.abs(scaled - scaled_again)
        largest = int(off[fits].max(initial=0))
        # whole numbers: what is above the bound is above its whole part
        allowed = int(bound * 10**most)
        if largest > allowed:
            return False
        # rare, and Python's own integers have no end
        for row in np.flatnonzero(~fits).tolist():
            off_here = self.fraction(row) - other.fraction(row)
            if abs(off_here) > bound:
                return False
        return True

    def fraction(self, row: int) -> Fraction:
        """Number `row`, from 0, of the decimals, as an exact fraction."""
        digits = int(self.digits[row])
        places = int(self.places[row])
        return Fraction(digits, 10**places)
