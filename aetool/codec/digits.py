"""Cells of a fixed number of digits: hexadecimal, or decimal with zeros in front.

    9f86d081    0000417    id-00093

Each is a whole number in a base, of just so many digits, between the same text.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aetool.codec.metas import DigitsMeta
from aetool.codec.spans import I32
from aetool.data.table import Bytes
from aetool.errors import ArchiveError
from aetool.model import Int

SMALL_LETTERS = b"0123456789abcdef"
CAPITALS = b"0123456789ABCDEF"
NO_DIGIT = 255
Cells = tuple[Bytes, I32, I32]  # a buffer, where cells begin in it, and where they end
Mask = npt.NDArray[np.bool_]


def _letters(meta: DigitsMeta) -> bytes:
    """The 16 characters, as ASCII, of the digits 0 to 15, whatever the base; capitals A to F if the
    column of `meta` has capitals."""
    return CAPITALS if meta.is_upper else SMALL_LETTERS


def _affixes(meta: DigitsMeta) -> tuple[bytes, bytes]:
    """The text around the digits of every cell of a column of `meta`, as bytes: (what stands
    before, what behind)."""
    before, behind = meta.affixes
    return before.encode("latin-1"), behind.encode("latin-1")


def read(meta: DigitsMeta, cells: Cells) -> tuple[Int, Mask]:
    """Read cells of digits as numbers: (values, mask), (n,) each: values int64, with the bits of a
    number without a sign; mask True where a cell is exactly meta.width digits of meta.base between
    the affixes. Elsewhere the value means nothing. cells: (bytes, (n,) where each begins, (n,)
    where it ends)."""
    buffer, start, stop = cells
    before, behind = _affixes(meta)
    size = len(before) + meta.width + len(behind)
    values = np.zeros(len(start), np.uint64)
    is_read = stop - start == size
    # only cells of the right length are looked into
    rows = np.flatnonzero(is_read)
    begin = start[rows].astype(np.int64)
    fits = np.ones(len(rows), np.bool_)
    # each character of the affixes with its offset in the cell
    begin_of_behind = size - len(behind)
    around = [*enumerate(before), *enumerate(behind, begin_of_behind)]
    for offset, letter in around:
        fits &= buffer[begin + offset] == letter

    digit_of_letter = np.full(256, NO_DIGIT, np.uint8)
    letters = _letters(meta)
    letters = letters[: meta.base]
    digit_of_letter[list(letters)] = np.arange(meta.base)
    base = np.uint64(meta.base)
    first_digit = begin + len(before)
    for offset in range(meta.width):
        cell_letters = buffer[first_digit + offset]
        digit = digit_of_letter[cell_letters]
        fits &= digit != NO_DIGIT
        # the value of a cell with a character that is no digit means nothing
        values[rows] = values[rows] * base + digit
    is_read[rows] = fits
    return values.view(np.int64), is_read


def cells_of_digits(meta: DigitsMeta, values: Int) -> tuple[Bytes, I32]:
    """Write `values`, (n,) int64, whose bits count as a number without a sign, as cells of digits
    with zeros in front: (the bytes of all cells, one behind the other; (n,), the length of each
    cell in bytes). meta: the width of the cells, the base and the text around the digits.
    ArchiveError for a number of too many digits."""
    before, behind = _affixes(meta)
    template = before + bytes(meta.width) + behind
    shape = (len(values), len(template))
    cells = np.empty(shape, np.uint8)
    cells[:] = np.frombuffer(template, np.uint8)
    letters = np.frombuffer(_letters(meta), np.uint8)
    base = np.uint64(meta.base)
    # the digits that are still to be written, as one number of 64 bits without a sign
    rest = np.ascontiguousarray(values).view(np.uint64)
    last = len(before) + meta.width - 1
    # from the last digit to the first
    for offset in range(meta.width):
        digit = rest % base
        cells[:, last - offset] = letters[digit]
        rest = rest // base
    if rest.any():
        raise ArchiveError("damaged: a number has more digits than its column")
    lengths = np.full(len(values), len(template), np.int32)
    return cells.reshape(-1), lengths
