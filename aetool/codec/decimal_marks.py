"""Which decimal mark the numbers of a text's columns have: as their own cells show it, or else
those of the other columns.

    Last;Temp       17,5 has a decimal comma, so the point of 3.801 parts thousands
    3.801;17,5
    5730;22,4
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from aetool.codec import spans
from aetool.codec.number_cells import as_table_has_them, gaps_of, trimmed
from aetool.codec.spans import Spans
from aetool.data.notation.numbers import EITHER_WAY, NumberEvidence
from aetool.data.notation.numerals import COMMA, POINT
from aetool.model import Int

LOOKED_AT = 200  # cells that show whether a column may have numbers at all
LEAST_NUMBERS = 0.5  # of these are numbers, in a column whose other cells are looked at
LONG = 4  # digits of a whole number whose thousands could be parted
MARKS = (POINT + COMMA).encode()
DIGITS = b"0123456789"


@dataclass(frozen=True)
class MarkEvidence:
    """What the cells of a column, or of a part of one, show of its decimal mark, a point or a
    comma; `+` adds that of two parts. numbers: how its numbers are written; unparted: how many
    cells have LONG (4) digits or more, and no point or comma, which are whole numbers whose
    thousands are not parted."""

    numbers: NumberEvidence = field(default_factory=NumberEvidence)
    unparted: int = 0

    @classmethod
    def of(
        cls,
        cells: Spans,
    ) -> MarkEvidence:
        """Collect what the cells of a column show: of one without any point or comma only how many
        cells are unparted; nothing, not even that, of one with points or commas in which fewer than
        LEAST_NUMBERS (half) of a sample of cells, gaps left out, are numbers."""
        column = _in_own_pool(trimmed(cells))
        marks = _counts_of_letters(column, MARKS)
        digits = _counts_of_letters(column, DIGITS)
        is_unparted = marks == 0
        is_unparted &= digits >= LONG
        unparted = int(is_unparted.sum())
        # without marks there is nothing to be decided here
        if not marks.any():
            return cls(unparted=unparted)
        # words would be tried one by one
        if not _may_be_numbers(column):
            return cls()
        of_table = as_table_has_them(column)
        numbers = NumberEvidence.of(of_table)
        return cls(numbers, unparted)

    def __add__(
        self,
        other: MarkEvidence,
    ) -> MarkEvidence:
        """The evidence of this part of a column and of `other`, another part of it, together:
        counts are added. A new object."""
        numbers = self.numbers + other.numbers
        unparted = self.unparted + other.unparted
        return MarkEvidence(numbers, unparted)

    @property
    def either(self) -> frozenset[str]:
        """The marks, of point and comma, in numbers such as 1.234 and 1,234, where they may be
        decimal marks or part thousands."""
        marks = set()
        for manner in self.numbers.manners:
            if manner.marks == EITHER_WAY:
                mark = COMMA if manner.either_comma else POINT
                marks.add(mark)
        return frozenset(marks)

    @property
    def sure(self) -> frozenset[str]:
        """The decimal marks that are the only reading of some cell, "." as in 1.25 or "," as in
        1,25; empty where no cell shows its mark, or the column is not one of numbers."""
        shown = set()
        for mark, count in self.numbers.sure_marks.items():
            if count:
                shown.add(mark)
        # `decide` returns None where most cells are words: a few numbers among these say nothing
        if not shown or self.numbers.decide() is None:
            return frozenset()
        return frozenset(shown)


@dataclass(frozen=True)
class DecimalMarks:
    """The decimal marks of a table's columns. known: "." or "," by the column's name, of those
    columns alone in which cells such as 1.234 can be read with either; unclear: by name the mark
    that stands in such cells, of columns of which nothing tells whether it is decimal or parts
    thousands."""

    known: Mapping[str, str] = field(default_factory=dict)
    unclear: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        columns: Mapping[str, MarkEvidence],
        mark_of_user: str | None = None,
    ) -> DecimalMarks:
        """Decide the decimal marks of a table's columns. columns: by a column's name what its cells
        show; mark_of_user: the mark that the user says the table has, None: none.

        A column has the mark that its own sure cells vote for, else the user's, else the only one
        that sure cells of the other columns have. Where these have none, or both, numbers are read
        as decimals or thousands by the column alone; but it is unclear if it also has long whole
        numbers without a mark, as 1.234 beside 5678.
        """
        table_mark = mark_of_user or _only_mark(columns)
        known: dict[str, str] = {}
        unclear: dict[str, str] = {}
        for name, evidence in columns.items():
            either = evidence.either
            if not either:
                continue
            # its own cells count more than others
            if evidence.sure:
                known[name] = evidence.numbers.decimal_mark()
            elif table_mark is not None:
                known[name] = table_mark
            elif evidence.unparted:
                unclear[name] = min(either)
        return cls(known, unclear)


def _only_mark(columns: Mapping[str, MarkEvidence]) -> str | None:
    """The decimal mark that sure cells of a table's columns have: "." or ","; None where they have
    none, or both."""
    shown: set[str] = set()
    for evidence in columns.values():
        shown |= evidence.sure
    return shown.pop() if len(shown) == 1 else None


def _may_be_numbers(column: Spans) -> bool:
    """Whether at least LEAST_NUMBERS (half) of a sample of the column's cells look like numbers.
    The sample has cells that are no gaps alone, at least one: all of fewer than LOOKED_AT (200),
    else every k-th, 100 to 200. True of gaps alone."""
    present = np.flatnonzero(~gaps_of(column))
    step = 1 + len(present) // LOOKED_AT
    sample = as_table_has_them(column.take(present[::step]))
    evidence = NumberEvidence.of(sample)
    amount = sum(evidence.manners.values())
    return amount >= LEAST_NUMBERS * len(sample)


def _in_own_pool(cells: Spans) -> Spans:
    """Copy cells, so that they lie one behind the other in a pool of their own, and nothing else of
    their text is looked at."""
    pool = spans.weave(cells.pool, cells.start, cells.length)
    start = spans.begins(cells.length)
    return Spans(pool, start, cells.length)


def _counts_of_letters(
    cells: Spans,
    letters: bytes,
) -> Int:
    """Count in each of the cells the bytes that are one of `letters`: (n,) int64."""
    alphabet = np.frombuffer(letters, np.uint8)
    is_letter = np.isin(cells.pool, alphabet)
    # of each place in the pool, how many stand before it
    before = np.zeros(len(is_letter) + 1, np.int64)
    np.cumsum(is_letter, out=before[1:])
    stop = cells.start + cells.length
    count = before[stop] - before[cells.start]
    return np.asarray(count)
