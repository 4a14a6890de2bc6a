"""The numbers that cells of text stand for, however their column writes them."""

from __future__ import annotations

import numpy as np

from aetool.codec.spans import Spans, digits_behind, numbers
from aetool.data.notation.gaps import is_gap
from aetool.data.notation.numbers import NumberEvidence, NumberNotation
from aetool.data.notation.numerals import POINT
from aetool.data.table import Cells, Mask
from aetool.model import Float

AROUND = b'" '  # what may stand before and behind a number
LOOKED_AT = 4096  # cells that tell how a column writes its numbers, and whether there are any
PLAIN = NumberNotation()


def floats(cells: Spans, usual: str = POINT) -> Float:
    """(n,) float64: the numbers that cells of text are, NaN for what is none, or not finite.

    Quotes and blanks around a number are left out. A decimal comma, groups of thousands, units and
    exponents are read as in the table that the cells are of: by what a sample of the column says.
    Where that tells nothing, and a sample of the cells that are no plain decimals has no number,
    either, all of these are NaN, unread.
    usual: the decimal mark, "." or ",", of columns whose own cells do not tell it.
    """
    # 1.234 is a thousand and more then, and would be read as a plain decimal
    if usual != POINT:
        inner = trimmed(cells)
        notation = NumberEvidence.of(_sample(inner)).decide(usual=usual)
        if notation is not None and notation.decimal == usual:
            return _written(inner, notation)
    read = _plain_floats(cells)
    unread_rows = np.flatnonzero(np.isnan(read))
    if not len(unread_rows):
        return read
    # files that have a blank behind each comma have one before each number
    inner = trimmed(cells)
    read[unread_rows] = _plain_floats(inner.take(unread_rows))
    unread_rows = np.flatnonzero(np.isnan(read))
    if not len(unread_rows):
        return read
    sample = _sample(inner)
    notation = NumberEvidence.of(sample).decide()
    if notation is not None and notation.decimal != POINT:
        # 1.234 is a thousand and more here
        return _written(inner, notation)
    unread = inner.take(unread_rows)
    if notation is None:
        notation = PLAIN
        sample_of_rest = _sample(unread)
        numbers_of_sample = _finite(notation, sample_of_rest)
        # a column of words would be tried word by word
        if np.isnan(numbers_of_sample).all():
            return read
    read[unread_rows] = _written(unread, notation)
    return read


def _plain_floats(cells: Spans) -> Float:
    """Read cells that are plain decimals, as `spans.numbers` reads them: (n,) float64, NaN for all
    other cells."""
    digits, form = numbers(*cells.places(), 0, 0)
    behind = digits_behind(form).astype(np.float64)
    value = digits / 10.0**behind
    # a form below 0 is that of no number
    return np.where(form < 0, np.nan, value)


def trimmed(cells: Spans) -> Spans:
    """The cells without the first and the last byte where these are blanks or quotes: one byte at
    either end at most. In the same pool; a cell may have nothing left."""
    start = cells.start.copy()
    length = cells.length.copy()
    around = np.frombuffer(AROUND, np.uint8)
    for behind in (False, True):
        filled = np.flatnonzero(length > 0)
        place = start[filled]
        if behind:
            place = place + length[filled] - 1
        byte = cells.pool[place]
        rows_to_trim = filled[np.isin(byte, around)]
        length[rows_to_trim] -= 1
        if not behind:
            start[rows_to_trim] += 1
    return Spans(cells.pool, start, length)


def _sample(cells: Spans) -> Cells:
    """At most LOOKED_AT (4,096) of the cells, evenly spread, in the form that notations read."""
    cell_count = len(cells)
    every = 1 + cell_count // LOOKED_AT
    rows = np.arange(0, cell_count, every)
    chosen = cells.take(rows)
    return as_table_has_them(chosen)


def _written(cells: Spans, notation: NumberNotation) -> Float:
    """Read cells as numbers in a notation, such as one with decimal commas: (n,) float64, NaN for a
    cell that is no finite number in it."""
    of_table = as_table_has_them(cells)
    return _finite(notation, of_table)


def _finite(notation: NumberNotation, cells: Cells) -> Float:
    """Read cells of a table as numbers in a notation: (n,) float64, NaN for a cell that is no
    number in it, or an infinite one."""
    value = notation.read(cells).value
    is_finite = np.isfinite(value)
    # "inf" and 1e999 lie nowhere
    return np.where(is_finite, value, np.nan)


def gaps_of(cells: Spans) -> Mask:
    """Which of the cells hold no value in the table that they are of, (n,) bool: those that are
    empty or blank, or a word such as NA, in quotes, too."""
    inner = trimmed(cells)
    return is_gap(as_table_has_them(inner))


def as_table_has_them(cells: Spans) -> Cells:
    """Convert Spans to Cells, the form in which tables are read and notations take them; no cell
    counts as missing."""
    start = np.asarray(cells.start, np.int64)
    stop = start + cells.length
    missing = np.zeros(len(cells), np.bool_)
    return Cells(cells.pool, start, stop, missing)
