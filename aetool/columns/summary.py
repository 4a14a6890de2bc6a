"""Summary of a column in a piece of data; those of all pieces are added up before the column's kind
is decided."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from aetool.csv.cells import folded
from aetool.data.notation.dates import DateEvidence, DateNotation
from aetool.data.notation.gaps import DOUBTFUL, GapEvidence, are_words, is_gap
from aetool.data.notation.numbers import NumberEvidence, NumberNotation
from aetool.data.table import Cells, Mask, Values, as_cells, joined, taken
from aetool.model import Int

MOST_VALUES = 1_000_000  # that a summary keeps
EARLY = 200  # present cells that tell whether it is worth looking at all of them


@dataclass(eq=False)
class Summary:
    """Statistics and sample values of one column in a piece of data; summaries of several pieces
    can be added up.

    values: the column's values, or if there are more than MOST_VALUES (1,000,000) as many of them,
    evenly spaced. rows: how many rows the piece has. decimal: the decimal mark that is usual in the
    file. gap_words: further words that mean a gap, by the user. typed: whether the source says that
    the column is text. dtype: the source's own name of its type, or None. closed: whether no other
    records are to come. date_order: the order of day, month and year that the user says, such as
    "dmy"; None: it is told from the cells. values_here: words, in lower case, that mean a gap in
    other columns but are values in this one.
    """

    name: str
    values: Values
    rows: int
    typed: bool = False
    dtype: str | None = None
    decimal: str = "."
    gap_words: tuple[str, ...] = ()
    closed: bool = False
    date_order: str | None = None
    values_here: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Keep at most MOST_VALUES (1,000,000) of the values, evenly spaced."""
        if len(self.values) > MOST_VALUES:
            places = np.arange(MOST_VALUES, dtype=np.int64) * len(self.values) // MOST_VALUES
            self.values = taken(self.values, places)

    def __add__(self, other: Summary) -> Summary:
        """The summary of two pieces of data together, this one's before the other's, with this
        one's name, words and settings; typed if either is, and with the other's dtype where this
        one has none. What was computed of either is computed anew."""
        return dataclasses.replace(
            self,
            values=joined([self.values, other.values]),
            rows=self.rows + other.rows,
            typed=self.typed or other.typed,
            dtype=self.dtype or other.dtype,
        )

    @cached_property
    def text(self) -> Cells:
        """The values of the column as cells of text, whatever type the source has."""
        return as_cells(self.values)

    @cached_property
    def country_codes(self) -> bool:
        """Whether the column holds country codes, among which NA is Namibia and no gap."""
        length = self.text.stop - self.text.start
        # most columns have no code at all, and are not taken apart for that
        return bool((length == 2).any()) and GapEvidence.of(self.text).country_codes

    @cached_property
    def missing(self) -> Mask:
        """Which of the values that are kept are gaps, by their text: (n,) bool."""
        missing = is_gap(self.text, self.gap_words, self.country_codes)
        if self.values_here:
            rows = np.flatnonzero(missing)
            missing[rows] = ~are_words(self.text.take(rows), self.values_here)
        return missing

    @cached_property
    def present(self) -> Cells:
        """The cells of the column, as text, that are no gaps, in their order."""
        if not self.missing.any():
            return self.text
        return self.text.take(np.flatnonzero(~self.missing))

    @cached_property
    def token(self) -> str:
        """How the column's first gap that is a text is written; "" if it has none."""
        rows = np.flatnonzero(self.missing & ~self.text.null)
        if len(rows):
            return self.text.take(rows[:1]).strings()[0]
        return ""

    @cached_property
    def written_gaps(self) -> frozenset[str]:
        """The different texts of gaps, trimmed and in lower case; "" is an empty cell."""
        different, _ = self.text.take(np.flatnonzero(self.missing)).distinct()
        return folded(different)

    @property
    def doubtful_gaps(self) -> frozenset[str]:
        """Words, in lower case, that were read as gaps and may be values instead, such as none,
        unless the user said that they are gaps."""
        return (self.written_gaps & DOUBTFUL) - folded(self.gap_words)

    @cached_property
    def counted(self) -> tuple[list[str], Int]:
        """The different texts of present values, the most frequent first, of equally frequent ones
        the first by its bytes; and how often each is there, (n,)."""
        different, index = self.present.distinct()
        counts = np.bincount(index, minlength=len(different))
        # of equally frequent ones the first by its bytes, whatever the order of the rows
        frequent_first = np.argsort(-counts, kind="stable")
        return [different[i] for i in frequent_first], counts[frequent_first]

    @cached_property
    def numbers(self) -> NumberNotation | None:
        """The notation of the column's numbers, how text writes them, if nearly all of its cells
        are numbers; else None, and None if they are codes or labels, as of
        NumberEvidence.decide."""
        if not self._may_be_numbers:
            return None
        return self._evidence.decide(None, self.gap_words, usual=self.decimal)

    @property
    def sure_marks(self) -> frozenset[str]:
        """The decimal marks, of point and comma, that some cells of the column's text can only
        have; empty if it is no column of numbers in text."""
        if not isinstance(self.values, Cells) or self.numbers is None:
            return frozenset()
        return frozenset(mark for mark, count in self._evidence.sure_marks.items() if count)

    @cached_property
    def dates(self) -> DateNotation | None:
        """How text writes the column's dates, if nearly all of its cells that are no gaps are dates
        (first tried on 200 of them, evenly spaced, so that other columns cost little); else
        None."""
        if DateEvidence.of(self._early_cells).decide(self.gap_words) is None:
            return None
        return DateEvidence.of(self.text).decide(self.gap_words)

    def asked_numbers(self) -> NumberNotation | None:
        """The notation of the column's numbers, for a column of which the user says that it holds
        numbers; other cells are odd then. Never None, even if no cell is a number."""
        evidence = NumberEvidence.of(self.text)
        return evidence.decide(None, self.gap_words, usual=self.decimal, asked=True)

    def asked_dates(self) -> DateNotation | None:
        """The notation of the column's dates, for a column of which the user says that it holds
        dates; other cells are odd then. Never None, even if no cell is a date."""
        evidence = DateEvidence.of(self.text)
        return evidence.decide(self.gap_words, usual=self.date_order, asked=True)

    @cached_property
    def _early_cells(self) -> Cells:
        """At most 200 present cells, evenly spaced, on which notations are tried before all cells
        are parsed."""
        count = len(self.present)
        if count <= EARLY:
            return self.present
        return self.present.take(np.arange(EARLY, dtype=np.int64) * count // EARLY)

    @cached_property
    def _evidence(self) -> NumberEvidence:
        """How all cells are written, as evidence for or against numbers."""
        return (
            self._early_evidence if self._early_cells is self.text else NumberEvidence.of(self.text)
        )

    @cached_property
    def _early_evidence(self) -> NumberEvidence:
        """How the cells in `_early_cells` are written, as evidence for or against numbers."""
        return NumberEvidence.of(self._early_cells)

    @cached_property
    def _may_be_numbers(self) -> bool:
        """Whether at least half of the cells in `_early_cells` look like numbers, infinite ones
        among them; False if there are none.

        If not, the other cells are never parsed as numbers, which would be slow.
        """
        evidence = self._early_evidence
        amount = sum(evidence.manners.values()) + evidence.infinite
        return 2 * amount >= len(self._early_cells) > 0
