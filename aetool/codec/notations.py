"""Numbers as their column writes them, and the plain decimals that they are.

    1.234,50     "1,234.50"     ($12.00)     -,5
    1234.50      1234.50        -12.00       -0.5

Plain decimals are what all other code of columns of numbers works on. What `spelled` would not
write again just as it stands is no number of its column.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aetool.codec import spans
from aetool.codec.limits import check_text
from aetool.codec.metas import Notation
from aetool.codec.spans import (
    LF,
    MINUS,
    NINE,
    POINT,
    ZERO,
    Spans,
    begins,
    behind_another,
)
from aetool.codec.text_cells import Affixes, TextCells, bytes_of_texts
from aetool.data.table import Bytes, Mask
from aetool.model import Array, Int

LONGEST = 64  # bytes of a cell that is read
CELLS_AT_ONCE = 1 << 16  # that are read or written: some arrays have a number for each byte
LAST_GROUP = 3  # digits of the group before the decimal mark
DIGITS_A_MARK = 2  # that stand between marks, at least
QUOTE = b'"'
BLANK = 32


@dataclass(frozen=True)
class Around:
    """What stands around the digits of a column's numbers: (text before, text behind) those that
    are not below 0, and those that are."""

    usual: Affixes
    negative: Affixes

    @classmethod
    def of(
        cls,
        affixes: Affixes,
        notation: Notation,
    ) -> Around:
        """What stands around the numbers of a column: the affixes themselves around those not below
        0; around those below 0 what notation.negative says, and where that is None the affixes with
        a hyphen right in front of the number. affixes: the texts (before, behind)."""
        before, behind = affixes
        negative_before = before + b"-"
        negative_behind = behind
        if notation.negative is not None:
            negative_before, negative_behind = bytes_of_texts(notation.negative)
        negative = (negative_before, negative_behind)
        return cls(affixes, negative)

    @property
    def longest(self) -> int:
        """How many bytes stand around a number at most, before and behind it together."""
        usual = b"".join(self.usual)
        negative = b"".join(self.negative)
        return max(len(usual), len(negative))


# ---- plain decimals to cells


def spelled(
    plain: Spans,
    affixes: Affixes,
    notation: Notation,
) -> Spans:
    """Write plain decimals, which may have a minus in front and a point, as the cells of a column,
    in a pool of their own. affixes: the texts (before, behind) around numbers not below 0; an empty
    decimal becomes these alone. notation: how the column writes numbers otherwise. ArchiveError,
    before anything is written, for more text than a block may have."""
    around = Around.of(affixes, notation)
    digits = int(plain.length.sum(dtype=np.int64))
    # before anything is written: a damaged block may ask for more text than there is memory
    marks = digits // DIGITS_A_MARK * len(notation.group)
    most_around = around.longest + 2 * len(QUOTE) + notation.width
    check_text(digits + marks + len(plain) * most_around)
    pieces = [behind_another([])]
    for rows in _runs_of_rows(len(plain)):
        some = plain.take(rows)
        piece = _spelled_few(some, around, notation)
        pieces.append(piece)
    return spans.chained(*pieces)


def _runs_of_rows(count: int) -> list[Int]:
    """The numbers from 0 below `count`, in order, CELLS_AT_ONCE at most in each array; [] for a
    count of 0."""
    runs = []
    for first in range(0, count, CELLS_AT_ONCE):
        stop = min(first + CELLS_AT_ONCE, count)
        runs.append(np.arange(first, stop))
    return runs


def _spelled_few(
    plain: Spans,
    around: Around,
    notation: Notation,
) -> Spans:
    """Write a few plain decimals, at least one, as the cells of a column, in a new pool. around:
    the texts in front of and behind them; notation: how the column writes numbers otherwise."""
    is_negative = _which_begin_with(plain, MINUS)
    # the minus is written with what stands around the number
    unsigned = _shortened(plain, is_negative, is_negative)
    if notation.is_bare:
        unsigned = _without_lone_zeros(unsigned)
    pool = unsigned.pool.copy()
    pool[pool == POINT] = ord(notation.decimal)
    number = Spans(pool, unsigned.start, unsigned.length)
    if notation.group:
        number = _in_groups(number, notation)
    is_quoted = np.zeros(len(number), np.bool_)
    if notation.quoted:
        calls_for_quotes = number.pool == ord(notation.quoted)
        is_quoted = _which_have_any(number, calls_for_quotes)
    framed = _framed(number, around, is_negative, is_quoted)
    return _filled_up(framed, notation.width)


def _in_own_pool(cells: Spans) -> Spans:
    """The same cells in a new pool, which has their bytes alone, one cell behind the other."""
    pool = spans.weave(cells.pool, cells.start, cells.length)
    start = begins(cells.length)
    return Spans(pool, start, cells.length)


def _shortened(
    cells: Spans,
    begin: Array,
    less: Array,
) -> Spans:
    """Cells without some of their bytes, in a pool of their own, one behind the other. begin: (n,),
    how many bytes later each cell begins; less: (n,), how many bytes it has less."""
    start = cells.start + begin
    length = cells.length - less
    narrower = Spans(cells.pool, start, length.astype(np.int32))
    return _in_own_pool(narrower)


def _which_begin_with(
    cells: Spans,
    byte: int,
) -> Mask:
    """(n,): whether a cell begins with this byte; False of an empty one."""
    begins_so = np.zeros(len(cells), np.bool_)
    filled = np.flatnonzero(cells.length > 0)
    first = cells.start[filled]
    begins_so[filled] = cells.pool[first] == byte
    return begins_so


def _which_have_any(
    cells: Spans,
    is_sought: Mask,
) -> Mask:
    """(n,): whether each cell has one of the bytes that are sought. is_sought: (bytes,) bool, for
    each byte of the pool. cells: one behind the other in their pool, without gaps."""
    has = np.zeros(len(cells), np.bool_)
    filled = np.flatnonzero(cells.length > 0)
    # of no places there is nothing to reduce
    if len(filled):
        first = cells.start[filled]
        has[filled] = np.logical_or.reduceat(is_sought, first)
    return has


def _without_lone_zeros(number: Spans) -> Spans:
    """The same numbers, without a sign, of which those like 0.5 begin with the point: in a pool of
    their own."""
    is_lone = np.zeros(len(number), np.bool_)
    rows = np.flatnonzero(number.length > 1)
    first = number.start[rows]
    is_zero = number.pool[first] == ZERO
    before_point = number.pool[first + 1] == POINT
    is_lone[rows] = is_zero & before_point
    return _shortened(number, is_lone, is_lone)


def _in_groups(
    number: Spans,
    notation: Notation,
) -> Spans:
    """The same numbers with notation.group between groups of the digits before their decimal mark;
    those of fewer such digits than notation.least stay as they are. number: one behind the other in
    their pool, without a sign."""
    row = np.repeat(np.arange(len(number)), number.length)
    behind = _digits_behind(number, row)
    # the first digit of a number has all others behind it
    whole = np.zeros(len(number), np.int64)
    filled = np.flatnonzero(number.length > 0)
    first = number.start[filled]
    whole[filled] = behind[first] + 1
    # a mark stands behind a digit that the last group follows, and before it whole further ones
    beyond = behind - LAST_GROUP
    has_mark = beyond % notation.later == 0
    # what is in no group, and short numbers
    has_mark &= beyond >= 0
    has_mark &= whole[row] >= notation.least
    return _with_marks(number, row, has_mark, notation.group)


def _digits_behind(
    number: Spans,
    row: Int,
) -> Int:
    """For each byte of numbers, one behind the other, how many of the digits that its number begins
    with stand behind it, (bytes,); below 0 for a byte that is none of these. row: (bytes,), the
    number that a byte is of."""
    size = len(number.pool)
    place = np.arange(size)
    is_digit = number.pool >= ZERO
    is_digit &= number.pool <= NINE
    # the digits end at the first other byte, or with the number
    others = np.where(is_digit, size, place)
    end = number.start + number.length
    filled = np.flatnonzero(number.length > 0)
    # of no places there is nothing to reduce
    if len(filled):
        first = number.start[filled]
        first_other = np.minimum.reduceat(others, first)
        end[filled] = np.minimum(end[filled], first_other)
    last = end[row] - 1
    return np.asarray(last - place)


def _with_marks(
    number: Spans,
    row: Int,
    has_mark: Mask,
    group: str,
) -> Spans:
    """The same numbers with the mark `group` put in behind each byte where has_mark, (bytes,), is
    True, in a new pool. number: one behind the other in their pool; row: (bytes,), the number that
    each byte is of."""
    mark = group.encode("latin-1")
    marks_before = np.zeros(len(row), np.int64)
    np.cumsum(has_mark[:-1], out=marks_before[1:])
    # every mark before it moves a byte on
    place = np.arange(len(row))
    place += len(mark) * marks_before
    count = int(has_mark.sum())
    size = len(row) + len(mark) * count
    pool = np.empty(size, np.uint8)
    pool[place] = number.pool
    marked = place[has_mark]
    for offset, byte in enumerate(mark, 1):
        pool[marked + offset] = byte
    rows_of_marks = row[has_mark]
    marks = np.bincount(rows_of_marks, minlength=len(number))
    length = number.length + len(mark) * marks
    length = length.astype(np.int32)
    return Spans(pool, begins(length), length)


def _framed(
    number: Spans,
    around: Around,
    is_negative: Mask,
    is_quoted: Mask,
) -> Spans:
    """Put numbers without a sign between the texts that stand around them, and these between quotes
    where cells are quoted: the cells, one behind the other in a new pool. is_negative: (n,), which
    of the numbers have the texts of negative ones; is_quoted: (n,), which cells are quoted."""
    # four texts each: around usual numbers, bare and quoted, then around negative ones
    before = []
    behind = []
    for first, last in (around.usual, around.negative):
        before += [first, QUOTE + first]
        behind += [last, last + QUOTE]
    fixed = behind_another([*before, *behind])
    place_of_before = 2 * is_negative.astype(np.int64) + is_quoted
    place_of_behind = place_of_before + len(before)
    parts = spans.chained(fixed, number)
    place_of_number = np.arange(len(fixed), len(parts))
    return _joined_cells(
        parts.take(place_of_before),
        parts.take(place_of_number),
        parts.take(place_of_behind),
    )


def _filled_up(
    cells: Spans,
    width: int,
) -> Spans:
    """The same cells with blanks in front of those that have fewer bytes than the width, in a new
    pool; for a width of 0 the cells that were given. Longer ones stay as they are."""
    if not width:
        return cells
    parts = spans.chained(behind_another([b" " * width]), cells)
    missing = np.maximum(width - cells.length, 0)
    blanks = Spans(parts.pool, np.zeros_like(cells.start), missing)
    places = np.arange(1, len(parts))
    return _joined_cells(blanks, parts.take(places))


def _joined_cells(*pieces: Spans) -> Spans:
    """Join cells piece by piece: cell i is piece i of the first Spans, then piece i of the second,
    and so on; the result is in a new pool, one cell behind the other. pieces: at least one, all
    with n pieces and of the same pool."""
    starts = [piece.start for piece in pieces]
    lengths = [piece.length for piece in pieces]
    # piece by piece of a cell, and then cell by cell
    start = np.stack(starts, axis=1)
    length = np.stack(lengths, axis=1).astype(np.int32)
    pool = spans.weave(
        pieces[0].pool,
        start.ravel(),
        length.ravel(),
    )
    length_of_cells = length.sum(axis=1, dtype=np.int32)
    return Spans(pool, begins(length_of_cells), length_of_cells)


# ---- cells to plain decimals


def plain(
    text: TextCells,
    affixes: Affixes,
    notation: Notation,
) -> TextCells:
    """Read a column's cells, which are written in a notation, as plain decimals such as -1234.5, in
    a buffer of their own. An empty text for a cell that `spelled` would not write again from its
    plain decimal, or of more than LONGEST (64) bytes. Of a cell that is no number at all any text
    may come, as of a word: readers of plain decimals pass it over. affixes: the texts (before,
    behind) around numbers not below 0."""
    around = Around.of(affixes, notation)
    pieces = [behind_another([])]
    for rows in _runs_of_rows(len(text)):
        some = text.only(rows)
        cells = Spans(
            some.buffer,
            some.start.astype(np.int64),
            some.stop - some.start,
        )
        piece = _plain_of_few(cells, around, notation)
        rewritten = _spelled_few(piece, around, notation)
        # what is written in another way would not come back
        is_same = _are_same(cells, rewritten)
        length = np.where(is_same, piece.length, 0)
        pieces.append(Spans(piece.pool, piece.start, length))
    of_column = spans.chained(*pieces)
    return TextCells(*of_column.places())


def _plain_of_few(
    cells: Spans,
    around: Around,
    notation: Notation,
) -> Spans:
    """For each of a few cells, at least one, what it would be as a plain decimal if it were a
    number of this notation, n of them in a new pool. Whether it is one is not looked at, so that it
    may be any text: `plain` writes it again and compares. Empty for a cell that does not have what
    stands around numbers, has a line feed in its number, or is of more than LONGEST (64) bytes."""
    inner = _Inner.of(cells)
    if notation.width:
        inner.skip_blanks()
    if notation.quoted:
        quotes = (QUOTE, QUOTE)
        inner.skip(quotes, inner.have(quotes))
    is_negative = inner.have(around.negative)
    is_usual = inner.have(around.usual) & ~is_negative
    inner.skip(around.negative, is_negative)
    inner.skip(around.usual, is_usual)
    is_number = is_negative | is_usual
    # a number has few digits, and other cells may have any text
    is_number &= cells.length <= LONGEST
    number = inner.only(is_number)
    return _with_points(number, is_negative, notation)


@dataclass(eq=False)
class _Inner:
    """What is left of cells, buffer[start[i]:stop[i]], while what stands around their numbers is
    taken off. start, stop: (n,), changed in place."""

    buffer: Bytes
    start: Int
    stop: Int

    @classmethod
    def of(cls, cells: Spans) -> _Inner:
        """Cells of which nothing is taken off so far. Their places are copied, as they will change;
        their bytes are not."""
        stop = cells.start + cells.length
        return cls(cells.pool, cells.start.copy(), stop)

    def skip_blanks(self) -> None:
        """Take off the blanks in front of each cell, in place; a cell of blanks alone becomes
        empty."""
        rows = np.flatnonzero(self.start < self.stop)
        # once for each blank of the cell that has most of them
        while len(rows):
            first = self.buffer[self.start[rows]]
            rows = rows[first == BLANK]
            self.start[rows] += 1
            is_left = self.start[rows] < self.stop[rows]
            rows = rows[is_left]

    def have(
        self,
        affixes: Affixes,
    ) -> Mask:
        """(n,): which cells begin and end with these texts, and are long enough for both side by
        side; True of all for empty texts."""
        before, behind = affixes
        size = len(before) + len(behind)
        stands = self.stop - self.start >= size
        # of nothing but empty cells there is nothing to read
        if not len(self.buffer):
            return stands
        last = len(self.buffer) - 1
        # a cell too short is passed over, but nothing must be read beyond the buffer
        for offset, byte in enumerate(before):
            place = np.minimum(self.start + offset, last)
            stands &= self.buffer[place] == byte
        for offset, byte in enumerate(reversed(behind), 1):
            place = np.maximum(self.stop - offset, 0)
            stands &= self.buffer[place] == byte
        return np.asarray(stands)

    def skip(
        self,
        affixes: Affixes,
        rows: Mask,
    ) -> None:
        """Take these texts, as many bytes as they have, off the begin and the end of the cells of
        the mask `rows`, (n,), in place. Whether they stand there is not looked at, see `have`."""
        before, behind = affixes
        self.start[rows] += len(before)
        self.stop[rows] -= len(behind)

    def only(
        self,
        rows: Mask,
    ) -> Spans:
        """What is left of the cells of the mask `rows`, (n,), and nothing of the others: n cells,
        one behind the other in a new pool."""
        length = np.where(rows, self.stop - self.start, 0)
        left = Spans(self.buffer, self.start, length.astype(np.int32))
        return _in_own_pool(left)


def _with_points(
    number: Spans,
    is_negative: Mask,
    notation: Notation,
) -> Spans:
    """Numbers of a notation, without anything around them, as plain decimals in a new pool: without
    marks between groups, with a point as decimal mark, and a minus in front where is_negative,
    (n,), is True. Of a notation that leaves out the 0 before the mark, numbers that begin with the
    mark get it. A number with a line feed becomes empty. number: one behind the other in their
    pool, at least one."""
    has_feed = _which_have_any(number, number.pool == LF)
    length = np.where(has_feed, 0, number.length)
    number = _in_own_pool(Spans(number.pool, number.start, length))
    lacks_zero = np.zeros(len(number), np.bool_)
    if notation.is_bare:
        lacks_zero = _which_begin_with(number, ord(notation.decimal))
    fixed = behind_another([b"", b"-", b"0", b"\n"])
    empty, minus, zero, feed = range(len(fixed))
    parts = spans.chained(fixed, number)
    is_signed = is_negative & (number.length > 0)
    place_of_sign = np.where(is_signed, minus, empty)
    place_of_zero = np.where(lacks_zero, zero, empty)
    place_of_feed = np.full(len(number), feed)
    place_of_number = np.arange(len(fixed), len(parts))
    # a line for each number: its sign, the 0 that a bare one lacks, the number itself, a line feed
    lines = _joined_cells(
        parts.take(place_of_sign),
        parts.take(place_of_zero),
        parts.take(place_of_number),
        parts.take(place_of_feed),
    )
    # of one text bytes are replaced in no time
    joined = lines.pool.tobytes()
    if notation.group:
        mark = notation.group.encode("latin-1")
        joined = joined.replace(mark, b"")
    decimal = notation.decimal.encode("latin-1")
    joined = joined.replace(decimal, b".")
    pool = np.frombuffer(joined, np.uint8)
    ends = np.flatnonzero(pool == LF)
    start = np.append(0, ends[:-1] + 1)
    length = ends - start
    return Spans(pool, start, length.astype(np.int32))


def _are_same(
    cells: Spans,
    others: Spans,
) -> Mask:
    """(n,): whether a cell has the same bytes as the other at its place."""
    is_same = cells.length == others.length
    rows = np.flatnonzero(is_same & (cells.length > 0))
    here = _in_own_pool(cells.take(rows))
    there = _in_own_pool(others.take(rows))
    # a byte that differs is enough
    differs = here.pool != there.pool
    is_same[rows] = ~_which_have_any(here, differs)
    return np.asarray(is_same)
