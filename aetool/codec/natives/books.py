"""Columns of numbers as ranks in books of their different values, as ranks does for text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from aetool.codec import blocks, planning
from aetool.codec.columns import Book, Coded
from aetool.codec.integers import Stream
from aetool.codec.metas import Bits, NumberedMeta, RealMeta
from aetool.codec.ranks import FEWEST, IN_COMMON, LEAST_GAPS, LEAST_REPEATED, MOST
from aetool.model import Int


@dataclass(eq=False)
class _Candidate:
    """A column that may be stored as ranks. different: its different values, ascending; ranks: for
    each value its place among them."""

    column: Coded
    different: Int
    ranks: Int

    @property
    def are_floats(self) -> bool:
        """Whether the values are the bits of 64-bit floats."""
        meta = self.column.meta
        return isinstance(meta, RealMeta) and meta.numerals == Bits(64)


@dataclass(eq=False)
class _Group:
    """Columns that are to share one dictionary. book: the different values of all members,
    ascending."""

    members: list[_Candidate] = field(default_factory=list)
    book: Int = field(default_factory=lambda: np.zeros(0, np.int64))

    def fits(self, candidate: _Candidate) -> bool:
        """Whether the group and a column hold the same sort of numbers, and share at least
        IN_COMMON of the values of the smaller of both."""
        if self.members[0].are_floats != candidate.are_floats:
            return False
        common = len(np.intersect1d(self.book, candidate.different, assume_unique=True))
        return common >= IN_COMMON * min(len(self.book), len(candidate.different))


def offer(columns: Sequence[Coded], effort: planning.Effort) -> None:
    """Add to `others` of each column of numbers, in place, its encoding as ranks, if it has values
    that repeat enough. Columns with many values in common share a dictionary."""
    if not effort.ranks:
        return
    groups: list[_Group] = []
    for column in columns:
        candidate = _candidate(column)
        if candidate is None:
            continue
        group = next((group for group in groups if group.fits(candidate)), _Group())
        if not group.members:
            groups.append(group)
        group.members.append(candidate)
        group.book = np.union1d(group.book, candidate.different)
    for group in groups:
        are_floats = group.members[0].are_floats
        book = Book(blocks.book_to_bytes(group.book, effort, are_floats))
        for member in group.members:
            place_in_book = np.searchsorted(group.book, member.different)
            # of columns with few of the values none need take the others' part in the book
            share = max(len(member.different) / len(group.book), 1 / len(group.members))
            way = _ranked(member, place_in_book)
            way.book = book
            way.share = share
            member.column.others.append(way)


def _place(column: Coded) -> int:
    """The place of the stream of values among the column's streams."""
    return int(column.meta.kinds > 1)


def _candidate(column: Coded) -> _Candidate | None:
    """The column as a candidate; None if it is not of numbers, was rounded within a bound, has too
    few or too many different values, or values that fill at least half of their range."""
    if not isinstance(column.meta, NumberedMeta) or column.error:
        return None
    values = column.streams[_place(column)].values
    most = min(MOST, len(values) // LEAST_REPEATED)
    # of a column of noise a few values tell that they are all different
    some = values[:: max(1, len(values) // (8 * FEWEST))]
    if len(values) < LEAST_REPEATED * FEWEST or len(np.unique(some)) < FEWEST // 4:
        return None
    # sorted, which is what a book is
    different, ranks = np.unique(values, return_inverse=True)
    if not FEWEST <= len(different) <= most:
        return None
    divisor = max(1, int(np.gcd.reduce(np.diff(different))))
    span = (float(different[-1]) - float(different[0])) / divisor + 1
    if span < LEAST_GAPS * len(different):
        return None
    return _Candidate(column, different, ranks.reshape(-1).astype(np.int64))


def _ranked(member: _Candidate, place_in_book: Int) -> Coded:
    """The column with ranks in place of its values. place_in_book: for each different value its
    place in the dictionary."""
    column = member.column
    streams = [*column.streams]
    place = _place(column)
    streams[place] = Stream(place_in_book[member.ranks], streams[place].present)
    return Coded(column.meta, streams, [])
