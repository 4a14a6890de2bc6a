"""Reads plain numbers of many cells at once; other cells are left for `numerals`, which reads one
at a time."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from aetool import kernel
from aetool.data.notation.numerals import POINT
from aetool.data.table import Bytes, Cells, Mask, Offsets
from aetool.model import Float

LONGEST = 40  # bytes; longer cells are left by the arrays
LARGEST_POWER = 64  # of ten, that the kernel takes; others are left
WORD = (1 << 64) - 1
BLANK, PLUS, MINUS, ZERO, NINE = 32, 43, 45, 48, 57

# The form of a cell, a sum of those that hold; or one of the two others.
MARKED = 1  # the decimal mark is there
EITHER = 2  # under the other decimal mark it is a number, too, and another: 1.234
PADDED = 4  # a zero stands before further digits: 007
ATTACHED = 8  # what `before` and `after` say stands there, too
GROUPED = 16  # the mark between groups is there
SEVERAL = 32  # it is there more than once: 1,234,567
BARE = MARKED | EITHER | PADDED | GROUPED | SEVERAL  # no more than these: nothing is attached
EMPTY, LEFT = 254, 255  # nothing but blanks; not read here

Matrix = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Scan:
    """Cells, read as plain numbers: digits with marks, a sign and what a Style says.

    value: (n,), NaN where a cell was not read. decimals: (n,) int16, digits behind the mark, -1
    where there is an exponent, 0 where not read. form: (n,) uint8, a sum of the constants from
    MARKED to SEVERAL; EMPTY where a cell is null, empty or blank, LEFT where it was not read.
    """

    value: Float
    decimals: npt.NDArray[np.int16]
    form: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Style:
    """How plain numbers are written. decimal: the decimal mark, "." or ","; group: the mark between
    groups of three digits, "" for none; before, after: the text around numbers, such as a currency
    or unit, blanks up to the digits included; a number may lack it."""

    decimal: str = POINT
    group: str = ""
    before: str = ""
    after: str = ""


def scan(cells: Cells, style: Style) -> Scan:
    """Read the cells that are plain numbers of this style, with the values that `numerals` would
    read; blank ones are EMPTY, all others LEFT, to be read one by one.

    The compiled kernel, if it is there, and the arrays may differ in which cells they leave.
    """
    if kernel.C:
        return by_kernel(cells, style)
    # the arrays read fewer forms, and leave the other cells to be read one by one
    return by_arrays(cells, style)


def by_kernel(cells: Cells, style: Style) -> Scan:
    """Read the cells that are plain numbers of this style by the compiled kernel, which must be
    there, also those with groups of three digits, `before` and `after`, parentheses (for negative
    numbers) and exponents; blank cells are EMPTY, all others LEFT."""
    count = len(cells)
    # The kernel writes into these arrays, an entry for every cell: they need no first values.
    value = np.empty(count)
    decimals = np.empty(count, np.int16)
    form = np.empty(count, np.uint8)
    start, stop, wide = spans(cells)
    kernel.C.scan(
        cells.buffer,
        start,
        stop,
        wide,
        ord(style.decimal),
        style.group.encode(),
        style.before.encode(),
        style.after.encode(),
        powers_of_ten(),
        value,
        decimals,
        form,
    )
    # The kernel knows no null cells: it read the bytes that happen to be at their places.
    null = cells.null
    if null.any():
        value[null] = np.nan
        decimals[null] = 0
        form[null] = EMPTY
    if style.after:
        # `2. White` numbers an item of a list, and `2. %` is a number: numerals tell them apart
        is_attached = (form < EMPTY) & (form & ATTACHED > 0) & (form & MARKED > 0)
        ends_in_mark = is_attached & (decimals == 0)
        value[ends_in_mark] = np.nan
        form[ends_in_mark] = LEFT
    return Scan(value, decimals, form)


def spans(cells: Cells) -> tuple[Offsets, Offsets, bool]:
    """The offsets of cells in their buffer, as contiguous arrays for the kernel: (start, (n,);
    stop, (n,); whether both are int64, else int32)."""
    narrow = cells.start.dtype == np.int32 and cells.stop.dtype == np.int32
    kind: type[np.signedinteger[Any]] = np.int32 if narrow else np.int64
    start = np.ascontiguousarray(cells.start, dtype=kind)
    stop = np.ascontiguousarray(cells.stop, dtype=kind)
    return start, stop, not narrow


@functools.cache
def powers_of_ten() -> bytes:
    """The table of powers of ten from which the kernel computes floats: the leading 128 bits of
    10^q for q from -64 to 64, the high word first, as bytes.

    Cut off; those of 10^-27 .. 10^-1 rounded up (Lemire 2021, arXiv:2101.11408, section 5). They
    are the bits of 5^q, which has the same.
    """
    words: list[int] = []
    for power in range(-LARGEST_POWER, LARGEST_POWER + 1):
        bits = _leading_bits(power)
        high_word = bits >> 64
        low_word = bits & WORD
        words += [high_word, low_word]
    return np.array(words, np.uint64).tobytes()


def _leading_bits(power: int) -> int:
    """The leading 128 bits of 10^power (of 5^power, which are the same), as a whole number from
    2^127 to 2^128 - 1: rounded up for powers from -27 to -1, else cut off."""
    five: int = 5 ** abs(power)
    if power < 0:
        # A reciprocal in whole numbers, scaled so far up that it has more than 128 bits.
        scale = 1 << (2 * five.bit_length() + 128)
        five = scale // five
    excess = five.bit_length() - 128
    bits = five >> excess if excess > 0 else five << -excess
    # The kernel's proof of correct rounding needs these rounded up: cut off, a number half-way
    # between two floats might be rounded the wrong way.
    if -27 <= power < 0:
        bits += 1
    return bits


def by_arrays(cells: Cells, style: Style) -> Scan:
    """Read the cells that are plain numbers without the kernel: only digits with one decimal mark
    or none, perhaps a sign in front, and blanks around them, in cells of at most LONGEST (40)
    bytes; blank cells are EMPTY, all others LEFT. Of the style only the decimal mark is used."""
    count = len(cells)
    length = np.asarray(cells.stop - cells.start)
    value = np.full(count, np.nan)
    decimals = np.zeros(count, np.int16)
    form = np.full(count, LEFT, np.uint8)
    scanned = Scan(value, decimals, form)

    empty = cells.null | (length == 0)
    form[empty] = EMPTY
    # one long cell would make the matrix of all as wide
    rows = np.flatnonzero(~empty & (length <= LONGEST))
    if not len(rows):
        return scanned
    chosen = cells.take(rows)
    matrix = _byte_matrix(chosen)
    chosen_form, chosen_decimals, is_number = _forms_of_cells(matrix, ord(style.decimal))
    is_blank = ~matrix.any(axis=1)
    has_zero_byte = chosen.buffer == 0
    if has_zero_byte.any():  # a fixed width cannot tell zeros at the end from padding
        first_bytes = chosen.start.astype(np.int64)
        zero_bytes = np.add.reduceat(has_zero_byte, first_bytes)
        is_number &= zero_bytes == 0
        is_blank &= zero_bytes == 0

    blank_rows = rows[is_blank & ~is_number]
    number_rows = rows[is_number]
    form[blank_rows] = EMPTY
    form[number_rows] = chosen_form[is_number]
    decimals[number_rows] = chosen_decimals[is_number]
    value[number_rows] = _floats_of_cells(matrix[is_number], style.decimal)
    return scanned


def _byte_matrix(cells: Cells) -> Matrix:
    """The bytes of cells, none of which is empty, without the blanks around them: (n, width) uint8,
    a row a cell, zeros behind each."""
    width = cells.width()
    fixed = cells.fixed(width)
    # Stripping copies every cell, and most columns have no blanks.
    has_blanks = bool((cells.buffer == BLANK).any())
    if has_blanks:
        fixed = np.char.strip(fixed, b" ")
    return fixed.view(np.uint8).reshape(len(cells), width)


def _floats_of_cells(matrix: Matrix, decimal: str) -> Float:
    """The values, (n,), of plain numbers. matrix: (n, width) uint8, their bytes, zeros behind each;
    decimal: their decimal mark, "." or ",". ValueError for what is no number."""
    if decimal != POINT:
        # numpy reads no other mark than the point
        is_mark = matrix == ord(decimal)
        matrix = np.where(is_mark, ord(POINT), matrix).astype(np.uint8)
    width = matrix.shape[1]
    text = np.ascontiguousarray(matrix).view(f"S{width}")
    return text.reshape(-1).astype(np.float64)


def _forms_of_cells(matrix: Matrix, mark: int) -> tuple[Bytes, npt.NDArray[np.int16], Mask]:
    """Tell which cells are plain numbers, and in what form: ((n,) form, a sum of MARKED, EITHER and
    PADDED; (n,) decimals, digits behind the mark; (n,) bool: whether it is a plain number, else
    both mean nothing). matrix: (n, width) uint8, at least one byte wide, the cells' bytes, zeros
    behind each; mark: the decimal mark's byte."""
    cell_count, width = matrix.shape
    is_digit = (matrix >= ZERO) & (matrix <= NINE)
    is_mark = matrix == mark
    first_byte = matrix[:, 0]
    signed = (first_byte == MINUS) | (first_byte == PLUS)
    # how many of each a cell has: decimal marks, bytes, digits
    marks = is_mark.sum(axis=1)
    length = (matrix != 0).sum(axis=1)
    digits = is_digit.sum(axis=1)
    # Any other byte, or a sign elsewhere than in front, counts in the length alone.
    is_number = signed + marks + digits == length
    is_number &= digits > 0
    is_number &= marks <= 1

    marked = marks == 1
    # where the decimal mark stands, or would stand
    mark_offset = np.where(marked, is_mark.argmax(axis=1), length)
    decimals = np.where(marked, length - mark_offset - 1, 0)
    integer_digits = mark_offset - signed
    # A cell of one byte may be a sign alone: the byte behind it would be beyond the matrix.
    behind_sign = np.minimum(signed, width - 1)
    leading = matrix[np.arange(cell_count), behind_sign]
    leading_zero = leading == ZERO

    # 1.234: three digits behind the mark and one to three before it may be groups of thousands.
    either = marked & (decimals == 3)
    either &= (integer_digits >= 1) & (integer_digits <= 3)
    either &= ~leading_zero
    padded = leading_zero & (integer_digits > 1)
    form = MARKED * marked
    form += EITHER * either
    form += PADDED * padded
    return form.astype(np.uint8), decimals.astype(np.int16), is_number
