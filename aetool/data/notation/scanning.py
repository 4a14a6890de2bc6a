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
    """Cells, read as plain numbers.

    value: (n,), NaN where a cell was not read. decimals: (n,) int16, digits behind the mark, -1
    where there is an exponent, 0 where not read. form: (n,) uint8, a sum of the constants from
    MARKED to SEVERAL; EMPTY or LEFT where a cell is blank or was not read.
    """

    value: Float
    decimals: npt.NDArray[np.int16]
    form: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Style:
    """How plain numbers are written. decimal: the decimal mark; group: the mark between groups of
    three digits, "" for none; before, after: the text around numbers, blanks up to the digits
    included."""

    decimal: str = POINT
    group: str = ""
    before: str = ""
    after: str = ""


def scan(cells: Cells, style: Style) -> Scan:
    """Read the cells that are plain numbers of this style, as `numerals` would; all others are
    LEFT.

    The kernel and the arrays may differ in which cells they leave.
    """
    if kernel.C:
        return by_kernel(cells, style)
    return by_arrays(cells, style)


def by_kernel(cells: Cells, style: Style) -> Scan:
    """Read as `scan` says; also groups of three digits, `before` and `after`, parentheses and
    exponents."""
    n = len(cells)
    scanned = Scan(np.empty(n), np.empty(n, np.int16), np.empty(n, np.uint8))
    affixes = [text.encode() for text in (style.group, style.before, style.after)]
    targets = scanned.value, scanned.decimals, scanned.form
    mark = ord(style.decimal)
    start, stop, wide = spans(cells)
    kernel.C.scan(cells.buffer, start, stop, wide, mark, *affixes, powers_of_ten(), *targets)
    if cells.null.any():
        null = cells.null
        scanned.value[null] = np.nan
        scanned.decimals[null] = 0
        scanned.form[null] = EMPTY
    return scanned


def spans(cells: Cells) -> tuple[Offsets, Offsets, bool]:
    """(start, stop, whether these are int64) of the cells, as contiguous arrays for the kernel."""
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
    words = []
    for power in range(-LARGEST_POWER, LARGEST_POWER + 1):
        five = 5 ** abs(power)
        if power < 0:
            five = (1 << (2 * five.bit_length() + 128)) // five
        excess = five.bit_length() - 128
        bits = five >> excess if excess > 0 else five << -excess
        bits += -27 <= power < 0
        words += [bits >> 64, bits & WORD]
    return np.array(words, np.uint64).tobytes()


def by_arrays(cells: Cells, style: Style) -> Scan:
    """Read as `scan` says, without the kernel: only digits with one mark or none, perhaps a sign,
    and blanks around them."""
    n = len(cells)
    length = np.asarray(cells.stop - cells.start)
    scan_result = Scan(np.full(n, np.nan), np.zeros(n, np.int16), np.full(n, LEFT, np.uint8))
    scan_result.form[cells.null | (length == 0)] = EMPTY
    rows = np.flatnonzero((scan_result.form == LEFT) & (length <= LONGEST))
    if not len(rows):
        return scan_result
    chosen = cells.take(rows)
    width = chosen.width()
    fixed = chosen.fixed(width)
    has_zero_byte = chosen.buffer == 0
    if bool((chosen.buffer == BLANK).any()):
        fixed = np.char.strip(fixed, b" ")
    matrix = fixed.view(np.uint8).reshape(len(rows), width)
    form, decimals, good = _forms(matrix, ord(style.decimal))
    if has_zero_byte.any():  # a fixed width cannot tell zeros at the end from padding
        good &= np.add.reduceat(has_zero_byte, chosen.start.astype(np.int64)) == 0
    empty = ~(matrix != 0).any(axis=1)
    if style.decimal != POINT:
        matrix = np.where(matrix == ord(style.decimal), ord(POINT), matrix).astype(np.uint8)
    text = np.ascontiguousarray(matrix[good]).view(f"S{width}").reshape(-1)
    scan_result.form[rows[empty & ~good]] = EMPTY
    scan_result.form[rows[good]] = form[good]
    scan_result.decimals[rows[good]] = decimals[good]
    scan_result.value[rows[good]] = text.astype(np.float64)
    return scan_result


def _forms(matrix: Matrix, mark: int) -> tuple[Bytes, npt.NDArray[np.int16], Mask]:
    """((n,) form, (n,) decimals, (n,) bool: whether it is a plain number) of cells. matrix: (n,
    width), their bytes, zeros behind each; mark: the decimal mark's byte."""
    digit = (matrix >= ZERO) & (matrix <= NINE)
    is_mark = matrix == mark
    signed = (matrix[:, 0] == MINUS) | (matrix[:, 0] == PLUS)
    marks = is_mark.sum(axis=1)
    length = (matrix != 0).sum(axis=1)
    digits = digit.sum(axis=1)
    good = signed + marks + digits == length
    good &= digits > 0
    good &= marks <= 1
    marked = marks == 1
    at_mark = np.where(marked, is_mark.argmax(axis=1), length)
    decimals = np.where(marked, length - at_mark - 1, 0)
    whole = at_mark - signed
    behind_sign = np.minimum(signed, matrix.shape[1] - 1)
    first = matrix[np.arange(len(matrix)), behind_sign]
    leading_zero = first == ZERO
    either = marked & (decimals == 3) & (whole >= 1) & (whole <= 3) & ~leading_zero
    padded = leading_zero & (whole > 1)
    form = MARKED * marked
    form += EITHER * either
    form += PADDED * padded
    return form.astype(np.uint8), decimals.astype(np.int16), good
