"""Numbers of a text column that plain decimals do not hold, rounded within a bound.

They have exponents, more digits than 64 bits hold, or decimals far finer than the bound. What is
rounded, and how far off it then is, is computed in fractions, so that the bound holds exactly.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from aetool.codec import spans
from aetool.codec.columns import Coded
from aetool.codec.metas import NumberMeta
from aetool.codec.spans import I32, SHORT, digits_behind
from aetool.codec.text_cells import LOOKED_AT, TextCells, specials_of, with_odd_cells
from aetool.codec.text_decimals import LARGEST_ALLOWED, LEAST_NUMBERS, ParsedCells
from aetool.data.table import Bytes
from aetool.model import Array, Int

LONGEST_NUMBER = 400  # bytes of one that is read digit by digit
NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
FINE_ENOUGH = 64  # units of the last decimal in a bound: rounding loses at most 1 in so many of it
HALF = Fraction(1, 2)


@dataclass(frozen=True)
class Grid:
    """The numbers that others are rounded to: multiples of step / 10^decimals."""

    decimals: int
    step: int

    def of_decimals(self, value: Int, behind: int) -> _Rounded:
        """Round the numbers value / 10^behind, (n,)."""
        fits = np.ones(len(value), np.bool_)
        divisor = self.step
        if behind < self.decimals:
            scale = 10 ** (self.decimals - behind)
            # what would not fit into 64 bits is not rounded
            fits = np.abs(value) <= (1 << 61) // scale
            value = value[fits] * scale
        else:
            divisor *= 10 ** (behind - self.decimals)
        unit = 10 ** max(behind, self.decimals)
        if divisor >= 1 << 62:
            # all numbers have at most 18 digits: they are nearest to 0
            multiples = np.zeros(len(value), np.int64)
            return _Rounded(fits, multiples, np.abs(value), unit)
        multiples = (value + divisor // 2) // divisor
        off = np.abs(value - multiples * divisor)
        return _Rounded(fits, multiples, off, unit)

    def of_fraction(self, number: Fraction) -> int | None:
        """The multiple nearest to a number; None if its value would not fit into 64 bits."""
        scaled = number * 10**self.decimals / self.step
        multiple = int(scaled + HALF) if scaled >= 0 else -int(HALF - scaled)
        if abs(multiple * self.step) >= 1 << 63:
            return None
        return multiple

    def number(self, multiple: int) -> Fraction:
        """The number that a multiple stands for."""
        return Fraction(multiple * self.step, 10**self.decimals)


@dataclass(frozen=True, eq=False)
class _Rounded:
    """Numbers that were rounded. fits: which of those given could be; multiples: of each of these;
    off: how far each is off, in 1 / unit."""

    fits: Array
    multiples: Int
    off: Int
    unit: int


@dataclass(eq=False)
class UnevenNumbers:
    """A column of numbers of any length. parsed: its plain decimals; long_numbers: by row, the
    other ones."""

    parsed: ParsedCells
    long_numbers: dict[int, Fraction]

    @classmethod
    def of(cls, cells: ParsedCells) -> UnevenNumbers:
        """Read also what is no plain decimal."""
        others = np.flatnonzero(cells.form < 0)
        return cls(cells, _long_numbers(cells.text, others, cells.affixes))

    def grid(self, bound: Fraction) -> Grid | None:
        """The decimals and the step that the bound allows; None if the column has too few numbers,
        if plain decimals can keep the bound, or if no step can."""
        form = self.parsed.form
        plain = form >= 0
        numbers = int(plain.sum()) + len(self.long_numbers)
        if numbers < LEAST_NUMBERS * len(form):
            return None
        most = int(digits_behind(form[plain]).max(initial=0))
        if not self.long_numbers and bound * 10**most < LARGEST_ALLOWED:
            return None
        # with so many decimals hardly anything of the bound is lost
        decimals = 0
        while decimals < spans.DIGITS and bound * 10**decimals < FINE_ENOUGH:
            decimals += 1
        largest = max(map(abs, self.long_numbers.values()), default=Fraction(0))
        while decimals and largest * 10**decimals >= LARGEST_ALLOWED:
            decimals -= 1
        allowed = min(int(bound * 10**decimals), LARGEST_ALLOWED - 1)
        if not allowed:
            return None
        # a number between two multiples is at most half a step from one: the step is even
        return Grid(decimals, 2 * allowed)

    def coded(self, grid: Grid) -> Coded | None:
        """The column as multiples of the grid, each number rounded to the nearest one; None if the
        cells that are no numbers are too many, and too different."""
        text = self.parsed.text
        multiples = np.zeros(len(text), np.int64)
        good = np.zeros(len(text), np.bool_)
        errors = [Fraction(0)]
        square = 0.0
        plain = self.parsed.form >= 0
        behind = digits_behind(self.parsed.form)
        for places in np.unique(behind[plain]).tolist():
            rows = np.flatnonzero(plain & (behind == places))
            rounded = grid.of_decimals(self.parsed.value[rows], places)
            rows = rows[rounded.fits]
            multiples[rows] = rounded.multiples
            good[rows] = True
            largest = int(rounded.off.max(initial=0))
            errors.append(Fraction(largest, rounded.unit))
            square += float(np.square(rounded.off / float(rounded.unit)).sum())
        for row, number in self.long_numbers.items():
            multiple = grid.of_fraction(number)
            if multiple is None:
                continue
            multiples[row] = multiple
            good[row] = True
            error = abs(grid.number(multiple) - number)
            errors.append(error)
            square += float(error) ** 2
        specials = specials_of(text, good)
        if specials is None:
            return None
        prefix, suffix = self.parsed.affixes
        meta = NumberMeta(
            specials=specials,
            decimals=grid.decimals,
            forms=(SHORT,),
            step=grid.step,
            affixes=(prefix.decode("latin-1"), suffix.decode("latin-1")),
        )
        kinds = np.zeros(len(good), np.int64)
        coded = with_odd_cells(text, meta, multiples[good], good, kinds)
        coded.error = float(max(errors))
        coded.square = square
        return coded


def _long_numbers(text: TextCells, rows: Int, affixes: tuple[bytes, bytes]) -> dict[int, Fraction]:
    """By row the exact number of those cells that have an exponent, or too many digits for 64 bits;
    {} if a sample of the cells has none."""
    numbers: dict[int, Fraction] = {}
    # columns of words are the rule here, and are not worth reading cell by cell
    sample = rows[:: max(1, len(rows) // LOOKED_AT)]
    if all(exact_number(cell, *affixes) is None for cell in text.cells(sample)):
        return numbers
    for row, cell in zip(rows.tolist(), text.cells(rows), strict=True):
        number = exact_number(cell, *affixes)
        if number is not None:
            numbers[row] = number
    return numbers


def exact_number(cell: bytes, prefix: bytes = b"", suffix: bytes = b"") -> Fraction | None:
    """The number between the affixes of a cell, if it has an exponent or too many digits for
    spans.numbers; None for any other cell, also for leading zeros, which a number would not
    restore."""
    if not cell.startswith(prefix) or not cell.endswith(suffix):
        return None
    inner = cell[len(prefix) : len(cell) - len(suffix)]
    if len(inner) > LONGEST_NUMBER:
        return None
    match = NUMBER.fullmatch(inner)
    if match is None:
        return None
    exponent = match[1]
    if exponent is None and len(inner) <= spans.DIGITS:
        return None
    return Fraction(inner.decode())


def ends(buffer: Bytes, start: I32, stop: I32) -> tuple[Fraction, Fraction] | None:
    """(smallest, largest number) of a column; None if less than LEAST_NUMBERS of its cells are
    numbers."""
    text = TextCells(buffer, start, stop)
    cells = ParsedCells.of(text)
    plain = cells.form >= 0
    extremes = list(UnevenNumbers.of(cells).long_numbers.values())
    numbers = int(plain.sum()) + len(extremes)
    if numbers < LEAST_NUMBERS * len(text):
        return None
    behind = digits_behind(cells.form[plain])
    value = cells.value[plain]
    for places in np.unique(behind).tolist():
        same_scale = value[behind == places]
        for end in (same_scale.min(), same_scale.max()):
            extremes.append(Fraction(int(end), 10**places))
    return min(extremes), max(extremes)
