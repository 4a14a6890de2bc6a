"""Numbers of a text column that plain decimals do not hold, rounded within a bound.

They have exponents, more digits than 64 bits hold, or decimals far finer than the bound. What is
rounded, and how far off it then is, is computed in fractions, so that the bound holds exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from aetool.codec import spans
from aetool.codec.columns import Coded
from aetool.codec.metas import NumberMeta
from aetool.codec.spans import SHORT, digits_behind
from aetool.codec.text_cells import (
    LONGEST_NUMBER,
    LOOKED_AT,
    NUMBER,
    Affixes,
    TextCells,
    specials_of,
    texts_of_affixes,
    with_odd_cells,
)
from aetool.codec.text_decimals import (
    LARGEST_ALLOWED,
    ParsedCells,
    are_few,
)
from aetool.data.table import Mask
from aetool.model import Int

FINE_ENOUGH = 64  # units of the last decimal in a bound: rounding loses at most 1 in so many of it
HALF = Fraction(1, 2)
# a number below it can be multiplied, or have half a divisor added, within 64 bits
SAFE = 1 << 61


@dataclass(frozen=True)
class Grid:
    """The numbers that others are rounded to: multiples of step / 10^decimals. decimals: 0 .. 18;
    step: 1 .. 2^62, even as UnevenNumbers.grid chooses it."""

    decimals: int
    step: int

    def of_decimals(self, value: Int, behind: int) -> _Rounded:
        """Round the numbers value / 10^behind, value being (n,) of at most 18 digits each, to the
        nearest multiples of the grid, halves up; those that would not fit 64 bits are left out, see
        _Rounded."""
        fits = np.ones(len(value), np.bool_)
        divisor = self.step
        if behind < self.decimals:
            scale = 10 ** (self.decimals - behind)
            # what would not fit into 64 bits is not rounded
            fits = np.abs(value) <= SAFE // scale
            value = value[fits] * scale
        else:
            divisor *= 10 ** (behind - self.decimals)
        unit = 10 ** max(behind, self.decimals)
        if divisor >= 2 * SAFE:
            # all numbers have at most 18 digits: they are nearest to 0
            nothing = np.zeros_like(value)
            return _Rounded(fits, nothing, np.abs(value), unit)
        # half a divisor more, and then down to a multiple: that is the nearest one
        multiples = (value + divisor // 2) // divisor
        off = np.abs(value - multiples * divisor)
        return _Rounded(fits, multiples, off, unit)

    def of_fraction(self, number: Fraction) -> int | None:
        """The multiple of the grid nearest to a number, as how many steps it is, halves away from
        0; None if its value, in units of 10^-decimals, would not fit into 64 bits."""
        scaled = number * 10**self.decimals / self.step
        # int cuts towards 0, so that halves go away from it on both sides
        nearest = int(abs(scaled) + HALF)
        multiple = nearest if scaled >= 0 else -nearest
        if abs(multiple * self.step) >= 1 << 63:
            return None
        return multiple

    def number(self, multiple: int) -> Fraction:
        """The number that a multiple of the grid stands for, exactly: multiple * step /
        10^decimals."""
        return Fraction(multiple * self.step, 10**self.decimals)


@dataclass(frozen=True, eq=False)
class _Rounded:
    """The result of rounding numbers to a grid. fits: (n,) bool, which of them could be rounded;
    multiples: (m,), for each of these how many steps of the grid it is; off: (m,), its error, 0 or
    more, in 1 / unit."""

    fits: Mask
    multiples: Int
    off: Int
    unit: int


@dataclass(eq=False)
class UnevenNumbers:
    """A column of numbers of any length. parsed: its cells, with the plain decimals among them;
    long_numbers: the other ones, exactly, by row from 0. Other cells are no numbers."""

    parsed: ParsedCells
    long_numbers: dict[int, Fraction]

    @classmethod
    def of(cls, cells: ParsedCells) -> UnevenNumbers:
        """Read the numbers of a column, also those that are no plain decimals: with exponents or
        more than 18 digits. Such numbers are not found where a sample of the cells has none."""
        others = np.flatnonzero(cells.form < 0)
        long_numbers = _long_numbers(cells.plain, others, cells.around)
        return cls(cells, long_numbers)

    def are_few(self) -> bool:
        """Whether the part of the cells that are numbers, plain or long, is below LEAST_NUMBERS
        (0.3), gaps left out."""
        plain = int((self.parsed.form >= 0).sum())
        return are_few(plain + len(self.long_numbers), self.parsed.text)

    def plain_scales(self) -> Iterator[tuple[int, Int]]:
        """Group the plain decimals by their digits behind the point: yields (how many digits, (n,)
        the rows, from 0, of the numbers with so many), fewer digits first."""
        plain = self.parsed.form >= 0
        behind = digits_behind(self.parsed.form)
        for places in np.unique(behind[plain]).tolist():
            rows = np.flatnonzero(plain & (behind == places))
            yield places, rows

    def grid(self, bound: Fraction) -> Grid | None:
        """Choose the grid to which an error bound, above 0, in the column's unit, lets the numbers
        be rounded; None if less than LEAST_NUMBERS (0.3) of its cells, gaps left out, are numbers,
        if all are plain decimals and the bound is below 2^61 units of their last digit, which
        text_decimals rounds, or if no step is fine enough."""
        if self.are_few():
            return None
        plain = self.parsed.form >= 0
        behind = digits_behind(self.parsed.form[plain])
        most = int(behind.max(initial=0))
        if not self.long_numbers and bound * 10**most < LARGEST_ALLOWED:
            return None
        decimals = self._decimals_for(bound)
        allowed = int(bound * 10**decimals)
        allowed = min(allowed, LARGEST_ALLOWED - 1)
        if not allowed:
            return None
        # a number between two multiples is at most half a step from one: the step is even
        return Grid(decimals, 2 * allowed)

    def _decimals_for(self, bound: Fraction) -> int:
        """Choose the number of decimals for a grid, 0 .. 18: as few as make at least FINE_ENOUGH
        (64) units of the last one of the error bound; fewer if the largest of the long numbers
        would else not fit into 64 bits."""
        decimals = 0
        while decimals < spans.DIGITS and bound * 10**decimals < FINE_ENOUGH:
            decimals += 1
        sizes = [abs(number) for number in self.long_numbers.values()]
        largest = max(sizes, default=Fraction(0))
        while decimals and largest * 10**decimals >= LARGEST_ALLOWED:
            decimals -= 1
        return decimals

    def coded(self, grid: Grid) -> Coded | None:
        """The column as multiples of the grid, each number rounded to the nearest one, with its
        errors; None if the cells that are no numbers, or none that fit 64 bits, are more than a
        twentieth of all, and more than 62 different ones."""
        column = self._rounded(grid)
        specials = specials_of(self.parsed.text, column.good)
        if specials is None:
            return None
        meta = NumberMeta(
            specials=specials,
            decimals=grid.decimals,
            forms=(SHORT,),
            step=grid.step,
            affixes=texts_of_affixes(self.parsed.affixes),
            notation=self.parsed.notation,
        )
        return column.coded(self.parsed.text, meta)

    def coded_by(self, meta: NumberMeta) -> tuple[Coded, Fraction]:
        """Encode the column by a meta's grid: (the column, with its errors, each number as the
        nearest multiple of the grid's step; the largest error, exactly, in the column's unit).
        Cells that are no numbers are stored as specials of the meta or as their text. meta: of one
        form, of a step above 1, and of the affixes that the cells were read between."""
        column = self._rounded(Grid(meta.decimals, meta.step))
        return column.coded(self.parsed.text, meta), column.error

    def _rounded(self, grid: Grid) -> _Column:
        """The column with each number, plain or long, rounded to the nearest multiple of the grid;
        a number whose multiple would not fit 64 bits is left out, as cells that are none."""
        column = _Column.empty(len(self.parsed.text))
        for places, rows in self.plain_scales():
            value = self.parsed.value[rows]
            rounded = grid.of_decimals(value, places)
            column.put(rows, rounded)
        for row, number in self.long_numbers.items():
            column.put_exactly(row, number, grid)
        return column


@dataclass(eq=False)
class _Column:
    """A column while its numbers are rounded. multiples: (n,) int64, how many steps of the grid
    each row's number is; good: (n,) bool, which rows have one so far; error: the largest error,
    exact, square: the sum of squared errors, both of the numbers so far, in the column's unit."""

    multiples: Int
    good: Mask
    error: Fraction = Fraction(0)
    square: float = 0.0

    @classmethod
    def empty(cls, count: int) -> _Column:
        """A column of `count` cells, before any number is entered: none of its rows is good."""
        multiples = np.zeros(count, np.int64)
        good = np.zeros(count, np.bool_)
        return cls(multiples, good)

    def put(self, rows: Int, rounded: _Rounded) -> None:
        """Enter the rounded numbers of these rows, (n,), into the column, in place, as far as they
        could be rounded, and add their errors to its."""
        rows = rows[rounded.fits]
        self.multiples[rows] = rounded.multiples
        self.good[rows] = True
        # exactly: a float may be a little below the error, and the bound would seem to hold
        largest = int(rounded.off.max(initial=0))
        error = Fraction(largest, rounded.unit)
        self.error = max(self.error, error)
        errors = rounded.off / float(rounded.unit)
        self.square += float(np.square(errors).sum())

    def put_exactly(self, row: int, number: Fraction, grid: Grid) -> None:
        """Round one number to the grid, enter it in its row, from 0, in place, and add its error to
        the column's; nothing is changed where its multiple would not fit 64 bits."""
        multiple = grid.of_fraction(number)
        if multiple is None:
            return
        self.multiples[row] = multiple
        self.good[row] = True
        error = abs(grid.number(multiple) - number)
        self.error = max(self.error, error)
        self.square += float(error) ** 2

    def coded(self, text: TextCells, meta: NumberMeta) -> Coded:
        """The column ready to be encoded, once all its numbers are in, with its errors. meta: of
        one form, with the decimals and the step of the grid that they were rounded to. text: the
        cells, of which those that are not rounded become specials of the meta or are stored as they
        are."""
        # numbers have one form, of kind 0; other cells get their kind below
        kinds = np.zeros(len(self.good), np.int64)
        value = self.multiples[self.good]
        coded = with_odd_cells(text, meta, value, self.good, kinds)
        coded.error = float(self.error)
        coded.square = self.square
        return coded


def _long_numbers(text: TextCells, rows: Int, affixes: Affixes) -> dict[int, Fraction]:
    """Read numbers that plain decimals do not hold, exactly: by row the number between the affixes
    of each cell, of these rows, that has an exponent or more than 18 characters. {} if a sample of
    about LOOKED_AT (256) of the cells has none. rows: (n,), numbers from 0."""
    # columns of words are the rule here, and are not worth reading cell by cell
    every = max(1, len(rows) // LOOKED_AT)
    if not _exact_numbers(text, rows[::every], affixes):
        return {}
    return _exact_numbers(text, rows, affixes)


def _exact_numbers(text: TextCells, rows: Int, affixes: Affixes) -> dict[int, Fraction]:
    """The numbers of these rows' cells, between the affixes, as exact fractions, by row; cells that
    exact_number does not read are left out. rows: (n,), numbers from 0."""
    numbers: dict[int, Fraction] = {}
    cells = text.only(rows).cells()
    for row, cell in zip(rows.tolist(), cells, strict=True):
        number = exact_number(cell, affixes)
        if number is not None:
            numbers[row] = number
    return numbers


def exact_number(cell: bytes, affixes: Affixes) -> Fraction | None:
    """The number between the affixes of a cell, (text before, text behind), if it has an exponent
    or more than 18 characters; None for any other cell, also for leading zeros, which a number
    would not restore, for an exponent of more than three digits, and for more than LONGEST_NUMBER
    (400) bytes."""
    prefix, suffix = affixes
    if not cell.startswith(prefix) or not cell.endswith(suffix):
        return None
    end = len(cell) - len(suffix)
    inner = cell[len(prefix) : end]
    # a fraction of a long number is slow, and its length may be anything
    if len(inner) > LONGEST_NUMBER:
        return None
    match = NUMBER.fullmatch(inner)
    if match is None:
        return None
    exponent = match[1]
    if exponent is None and len(inner) <= spans.DIGITS:
        return None
    return Fraction(inner.decode())
