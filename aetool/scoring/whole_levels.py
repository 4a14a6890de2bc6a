"""Tells where the flagged records of a table are whole kinds: all that have one word of a column.

Records that are odd lie among others of their kind. Where all records of a city are flagged, it is
the city that is unlike the others, and beside one another its records may be as usual as any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from aetool.columns.schema import Schema
from aetool.data.table import Mask
from aetool.model import Float, Int

WHOLE = 0.8  # part of the records of a word, from which nearly all of them are flagged
FEWEST = 5  # records of a word, of which fewer are no kind
MOST_OF_FLAGGED = 0.5  # part of all flagged records that are of whole kinds, to be told
MOST_TOLD = 3  # words


@dataclass(eq=False)
class LevelCounts:
    """How many records have each word of each column of words, by the column's place among those
    that models see: records and flagged, arrays (words,), all of them and those flagged."""

    records: dict[int, Int] = field(default_factory=dict)
    flagged: dict[int, Int] = field(default_factory=dict)

    @classmethod
    def of(cls, schema: Schema, inputs: Float, is_flagged: Mask) -> LevelCounts:
        """The counts of a batch. inputs: (rows, columns), as graphs take them; is_flagged: (rows,),
        True for flagged records."""
        counts = cls()
        for place, column in enumerate(schema.modelled):
            words = len(column.listed)
            if not words:
                continue
            values = inputs[:, place]
            # gaps, odd cells and words that are not listed are of no kind
            is_listed = (values >= 0) & (values < words)
            is_both = is_listed & is_flagged
            counts.records[place] = _counts_of_places(values[is_listed], words)
            counts.flagged[place] = _counts_of_places(values[is_both], words)
        return counts

    def add(self, other: LevelCounts) -> None:
        """Add the counts of another batch, in place."""
        for own_counts, other_counts in (
            (self.records, other.records),
            (self.flagged, other.flagged),
        ):
            for place, counts in other_counts.items():
                own_counts[place] = own_counts.get(place, 0) + counts

    def in_words(self, schema: Schema, flagged: int) -> tuple[str, str]:
        """(the name of a column, words that say how many records of which of its words are
        flagged), such as ("city", "187 of 187 Houston"), where at least half of all flagged records
        have words nearly all of whose records are flagged; ("", "") where they have not. Of several
        columns the one with the most such records. flagged: how many records are flagged in all."""
        column_and_words = ("", "")
        most = max(MOST_OF_FLAGGED * flagged, 1.0)
        for place, records in self.records.items():
            column = schema.modelled[place]
            # what is a condition already is no advice
            if column.condition:
                continue
            of_word = self.flagged[place]
            is_whole = of_word >= WHOLE * records
            is_whole &= records >= FEWEST
            together = float(of_word[is_whole].sum())
            if together < most:
                continue
            # another column must have more, not as many
            most = together + 1
            whole = np.flatnonzero(is_whole)
            words = _with_counts(column.listed, whole, of_word, records)
            column_and_words = (column.name, words)
        return column_and_words


def _counts_of_places(places: Float, words: int) -> Int:
    """(words,): how often each index, 0 .. words - 1, occurs among places, (n,), whole numbers in
    floats."""
    return np.bincount(places.astype(np.int64), minlength=words)


def _with_counts(words: Sequence[str], whole: Int, flagged: Int, records: Int) -> str:
    """Text that lists words of a column with how many of their records are flagged, such as "187 of
    187 Houston, 12 of 14 Rome": the three with the most flagged records, and how many more there
    are. words: all of the column; whole: the indices of those to list; flagged, records: (words,),
    counts of each."""
    order = np.argsort(-flagged[whole], kind="stable")
    words_with_counts = []
    for place in whole[order].tolist():
        words_with_counts.append(f"{flagged[place]:,} of {records[place]:,} {words[place]}")
    more = len(words_with_counts) - MOST_TOLD
    listed = ", ".join(words_with_counts[:MOST_TOLD])
    return f"{listed} and {more:,} more" if more > 0 else listed
