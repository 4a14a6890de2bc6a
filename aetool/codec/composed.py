"""Cells that are made of cells of other columns of the same row, put together.

    id,year,label                label    \\1 - \\2
    17,2004,P17 - 2004

What is stored of such a column has marks, bytes 1, 2 .., for cells of its first, second .. lender;
`composing` finds it out. A cell stands without quotes around it, and perhaps in other letters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from aetool.codec import spans
from aetool.codec.limits import check_text
from aetool.codec.metas import MOST_LENDERS, Lender, LetterCase
from aetool.codec.spans import I32, Spans, begins
from aetool.data.table import Bytes
from aetool.errors import ArchiveError
from aetool.model import Int

FIRST_MARK = 1  # the byte that stands for cells of the first lender
LAST_MARK = MOST_LENDERS
QUOTE = ord('"')
LETTERS = 26
OTHER_CASE = 32  # the bit that small letters have, and capitals have not
# the first of the letters that a case changes
FIRST_CHANGED = {
    LetterCase.LOWER: ord("A"),
    LetterCase.UPPER: ord("a"),
}


def as_lent(cells: Spans, case: LetterCase) -> Spans:
    """Cells of a lender as they stand in cells of another column: without the quotes around them,
    if there are some, and with their letters in this case; one behind the other in a pool of their
    own (cells whose pool is empty are returned themselves). ArchiveError if they are more text than
    a block may have."""
    size = len(cells.pool)
    if not size:
        return cells
    # an empty cell may lie at either end of the pool, where it has no first or last byte
    first_byte = np.minimum(cells.start, size - 1)
    stop = cells.start + cells.length
    last_byte = np.maximum(stop - 1, 0)
    begins_quoted = cells.pool[first_byte] == QUOTE
    ends_quoted = cells.pool[last_byte] == QUOTE
    # a single quote would else be taken for both
    is_long = cells.length >= 2
    quotes = begins_quoted & ends_quoted & is_long
    start = cells.start + quotes
    length = cells.length - 2 * quotes.astype(np.int32)
    bare = compact(Spans(cells.pool, start, length))
    pool = _in_case(bare.pool, case)
    return Spans(pool, bare.start, bare.length)


def _in_case(pool: Bytes, case: LetterCase) -> Bytes:
    """Change the letters of ASCII in `pool`, (n,) bytes, to this case; returns as many bytes, all
    others as they were."""
    if case == LetterCase.AS_IT_IS:
        return pool
    first = FIRST_CHANGED[case]
    last = first + LETTERS - 1
    is_changed = (pool >= first) & (pool <= last)
    changed = pool ^ OTHER_CASE
    return np.where(is_changed, changed, pool)


def compact(cells: Spans) -> Spans:
    """Copy cells, so that they lie one behind the other in a pool of their own. ArchiveError if
    they are more text than a block may have, as cells that share their bytes may be."""
    size = cells.length.sum(dtype=np.int64)
    check_text(int(size))
    return _copied(cells, cells.length)


def _copied(pieces: Spans, length: I32) -> Spans:
    """Copy the bytes of all pieces, one behind the other, and cut them anew into cells. length:
    (cells,), the bytes of each cell, whose sum must be that of the pieces' (not checked)."""
    pool = spans.weave(pieces.pool, pieces.start, pieces.length)
    start = begins(length)
    return Spans(pool, start, length)


def put_together(
    rest: Spans,
    cells: Sequence[Spans],
    lenders: Sequence[Lender],
) -> Spans:
    """Restore the cells of a column that cells of others stand in: those of `rest`, what is stored
    of it, with the cell of a lender in the same row in the place of each mark. cells: those of each
    lender, whole; lenders: which columns these are, and the case of their letters. ArchiveError for
    a mark without a lender, columns of different lengths, or more text than a block may have."""
    for of_lender in cells:
        if len(of_lender) != len(rest):
            raise ArchiveError("damaged: a column is made of one of other rows")

    def part(number: int, rows: Int) -> Spans:
        """The cells of a lender, by its number from 0, in these rows, (m,), as they stand in cells
        of other columns."""
        chosen = cells[number].take(rows)
        return as_lent(chosen, lenders[number].case)

    return woven(rest, part, len(lenders))


def marks_in(cells: Spans) -> Int:
    """Find the marks in cells that lie one behind the other: their positions in the pool, (marks,),
    ascending."""
    is_mark = (cells.pool >= FIRST_MARK) & (cells.pool <= LAST_MARK)
    return np.flatnonzero(is_mark)


def woven(
    rest: Spans,
    part: Callable[[int, Int], Spans],
    lenders: int,
) -> Spans:
    """Put cells of lenders in the place of marks: returns the cells of `rest`, each mark in them
    replaced by the lender's cell in the same row; the byte 1 stands for the first lender, 2 for the
    second and so on. part(number, rows): a function that returns the cells of a lender, by its
    number from 0, in these rows, (m,), as they stand in cells of others, one behind the other in a
    pool of their own, as `as_lent` does; it is called once for each lender that has marks, with the
    row of each mark; lenders: how many there are. ArchiveError for a mark without a lender, or more
    text than a block may have."""
    rest = compact(rest)
    places = marks_in(rest)
    if not len(places):
        return rest
    # of each mark the lender that it stands for, and its row
    marks = rest.pool[places]
    numbers = marks.astype(np.int64) - FIRST_MARK
    if numbers.max() >= lenders:
        raise ArchiveError("damaged: a column is made of more columns than it names")
    ends = rest.start + rest.length
    rows = np.searchsorted(ends, places, side="right")
    parts = []
    orders = []
    text = 0
    for number in np.unique(numbers).tolist():
        is_of_lender = np.flatnonzero(numbers == number)
        cells_of_lender = part(number, rows[is_of_lender])
        # of all lenders together, before the next ones are copied
        text += len(cells_of_lender.pool)
        check_text(text)
        parts.append(cells_of_lender)
        orders.append(is_of_lender)
    # back into the order of the marks
    order = np.argsort(np.concatenate(orders))
    cells = spans.chained(*parts).take(order)
    length = rest.length.astype(np.int64)
    # a mark goes, and a cell comes
    growth = cells.length.astype(np.int64) - 1
    np.add.at(length, rows, growth)
    # before anything is written: a damaged block may ask for more text than there is memory
    check_text(int(length.sum()))
    pieces = _between_marks(rest, places)
    in_order = _interleaved(pieces, cells, rows)
    return _copied(in_order, length.astype(np.int32))


def _between_marks(cells: Spans, places: Int) -> Spans:
    """The pieces that cells, which lie one behind the other, are cut into at marks: of a cell with
    m of them m + 1, which may be empty. places: (marks,), where marks stand in the pool,
    ascending."""
    # pieces are in the order of the text, and so are their begins and their ends
    start = np.append(cells.start, places + 1)
    ends = cells.start + cells.length
    stop = np.append(ends, places)
    start.sort()
    stop.sort()
    length = stop - start
    return Spans(cells.pool, start, length.astype(np.int32))


def _interleaved(pieces: Spans, cells: Spans, rows: Int) -> Spans:
    """Merge the pieces of a text and the cells that come between them, in the order of the text:
    piece, cell, piece ... of each row. rows: (cells,), the row that each cell comes in, ascending;
    a row of m cells has m + 1 pieces."""
    every = spans.chained(pieces, cells)
    count = len(cells)
    # before a cell are all cells before it, as many pieces, and one more for each row and its own
    places = 2 * np.arange(count) + rows + 1
    is_cell = np.zeros(len(every), np.bool_)
    is_cell[places] = True
    # in `every` all pieces come first
    order = np.cumsum(~is_cell) - 1
    order[places] = len(pieces) + np.arange(count)
    return every.take(order)
