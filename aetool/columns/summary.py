"""What is seen of a column in a piece of data; summaries are added up before a kind is decided."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from aetool.data import numbers
from aetool.data.table import Cells, Mask, Values, as_cells, joined, taken
from aetool.model import Int

MOST_VALUES = 1_000_000  # that a summary keeps
EARLY = 200  # present cells that tell a format of dates


@dataclass(eq=False)
class Summary:
    """A column in a piece of data, or in several.

    values: its values, or if there are more than MOST_VALUES as many of them, evenly spread.
    rows: of how many rows. decimal: the decimal mark of numbers in text. typed: the source says
    that the column is text. dtype: the source's own name of its type.
    """

    name: str
    values: Values
    rows: int
    typed: bool = False
    dtype: str | None = None
    decimal: str = "."

    @classmethod
    def of(
        cls, name: str, values: Values, typed: bool, dtype: str | None, decimal: str = "."
    ) -> Summary:
        """The summary of one piece."""
        return cls(name, _thinned(values), len(values), typed, dtype, decimal)

    def __add__(self, other: Summary) -> Summary:
        """The summary of both pieces, this one first."""
        values = _thinned(joined([self.values, other.values]))
        typed = self.typed or other.typed
        return Summary(
            self.name,
            values,
            self.rows + other.rows,
            typed,
            self.dtype or other.dtype,
            self.decimal,
        )

    @cached_property
    def text(self) -> Cells:
        """The values as text."""
        return as_cells(self.values)

    @cached_property
    def missing(self) -> Mask:
        """(n,): where the text says that there is no value."""
        return numbers.is_missing(self.text)

    @cached_property
    def present(self) -> Cells:
        """The text of the values that are there."""
        return self.text.take(np.flatnonzero(~self.missing))

    @cached_property
    def token(self) -> str:
        """How the first gap is written; empty where none is."""
        rows = np.flatnonzero(self.missing & ~self.text.null)
        return self.text.take(rows[:1]).strings()[0] if len(rows) else ""

    @cached_property
    def counted(self) -> tuple[list[str], Int]:
        """The different texts of present values, the most frequent first, and how often each is
        there."""
        different, index = self.present.distinct()
        counts = np.bincount(index, minlength=len(different))
        # of equally frequent ones the first by its bytes, whatever the order of the rows
        frequent_first = np.argsort(-counts, kind="stable")
        return [different[i] for i in frequent_first], counts[frequent_first]


def _thinned(values: Values) -> Values:
    if len(values) <= MOST_VALUES:
        return values
    kept = np.arange(MOST_VALUES, dtype=np.int64) * len(values) // MOST_VALUES
    return taken(values, kept)
