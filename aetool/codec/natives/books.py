"""Columns of numbers stored as ranks in a dictionary of their different values, which several
columns may share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from aetool.codec import blocks, planning
from aetool.codec.columns import Book, Coded
from aetool.codec.metas import Bits, NumberedMeta, RealMeta
from aetool.codec.ranks import FEWEST, IN_COMMON, LEAST_GAPS, LEAST_REPEATED, MOST, Group
from aetool.codec.streams import Stream
from aetool.model import Int


@dataclass(eq=False)
class _Candidate:
    """A column that may be stored as ranks. different: its different values, (k,) int64, ascending;
    ranks: for each of its values its place among them, from 0, (n,) int64."""

    column: Coded
    different: Int
    ranks: Int

    @property
    def are_floats(self) -> bool:
        """Whether the values are floats, stored as the bits of 64-bit ones."""
        meta = self.column.meta
        return isinstance(meta, RealMeta) and meta.numerals == Bits(64)


def _no_values() -> Int:
    """An empty array, (0,) int64."""
    return np.zeros(0, np.int64)


@dataclass(eq=False)
class _Group(Group[_Candidate]):
    """Columns that are to share one dictionary. book: the different values of all members, (k,)
    int64, ascending; it is the dictionary."""

    members: list[_Candidate] = field(default_factory=list)
    book: Int = field(default_factory=_no_values)

    def fits(self, candidate: _Candidate) -> bool:
        """Whether the group, which has a member, and a column hold the same sort of numbers, the
        bits of 64-bit floats or any others, and have in common at least IN_COMMON (0.3, a part) of
        the values of the smaller of both."""
        if self.members[0].are_floats != candidate.are_floats:
            return False
        different = candidate.different
        common = np.intersect1d(self.book, different, assume_unique=True)
        smaller = min(len(self.book), len(different))
        return len(common) >= IN_COMMON * smaller

    def add(self, candidate: _Candidate) -> None:
        """Add one more column to those that share the dictionary, and its values to that, which
        stays ascending."""
        self.members.append(candidate)
        self.book = np.union1d(self.book, candidate.different)


def offer(columns: Sequence[Coded], effort: planning.Effort) -> None:
    """Add to `others` of each column of numbers, in place, its encoding as ranks in a dictionary,
    if its values repeat enough: 32 to 2^16 different ones, each 1.5 times on average or more, with
    gaps between them; nothing is added if effort.ranks is off. Columns with many values in common
    share a dictionary."""
    if not effort.ranks:
        return
    candidates = [_as_candidate(column) for column in columns]
    for group in _Group.all_of(candidates):
        _offer_book(group, effort)


def _offer_book(group: _Group, effort: planning.Effort) -> None:
    """Add to `others` of each column of a group, in place, its encoding as ranks in one dictionary,
    which is encoded here, with its share of the dictionary's bits, 0 to 1. effort: how far to
    search for ways to store it."""
    are_floats = group.members[0].are_floats
    blob = blocks.book_to_bytes(group.book, effort, are_floats)
    book = Book(blob)
    for member in group.members:
        # every value is in it, so that this is its place
        place_in_book = np.searchsorted(group.book, member.different)
        way = _with_ranks(member, place_in_book)
        way.book = book
        # the part of the book that its values fill, but no less than an equal part
        share = len(member.different) / len(group.book)
        way.share = max(share, 1 / len(group.members))
        member.column.others.append(way)


def _stream_of_values(column: Coded) -> int:
    """The number, from 0, of the stream that holds a column's values among its streams: 1 if a
    stream of kinds (which rows are gaps and the like) is the first, else 0."""
    return int(column.meta.kinds > 1)


def _as_candidate(column: Coded) -> _Candidate | None:
    """The column as a candidate to be stored as ranks in a dictionary; None if that would hardly
    pay.

    None is returned if the column is not of numbers, has errors of a bound, has fewer than 48
    values, fewer different ones than FEWEST (32), more than MOST (2^16) or than two thirds of the
    values, or different ones that fill more than 1 / LEAST_GAPS (half) of their range, counted in
    steps of the common divisor of their differences. To save time also if some 256 values, evenly
    spaced over the column, have fewer than FEWEST / 4 (8) different ones, as those of a column of
    one common value and rare others may have.
    """
    if not isinstance(column.meta, NumberedMeta) or column.error:
        return None
    values = column.streams[_stream_of_values(column)].values
    count = len(values)
    if count < LEAST_REPEATED * FEWEST:
        return None
    # a sample first: most columns have too few different values
    step = max(1, count // (8 * FEWEST))
    different_of_sample = np.unique(values[::step])
    if len(different_of_sample) < FEWEST // 4:
        return None
    most = min(MOST, count // LEAST_REPEATED)
    # sorted, which is what a book is
    different, ranks = np.unique(values, return_inverse=True)
    if not FEWEST <= len(different) <= most:
        return None
    # values that fill their range take no more bits than ranks
    unit = int(np.gcd.reduce(np.diff(different)))
    low = float(different[0])
    high = float(different[-1])
    possible_values = (high - low) / max(1, unit) + 1
    if possible_values < LEAST_GAPS * len(different):
        return None
    ranks = ranks.reshape(-1).astype(np.int64)
    return _Candidate(column, different, ranks)


def _with_ranks(member: _Candidate, place_in_book: Int) -> Coded:
    """A further encoding of the column, with ranks in place of its values, and no dictionary yet.
    place_in_book: (k,), for each different value its place in the dictionary."""
    column = member.column
    number = _stream_of_values(column)
    streams = list(column.streams)
    present = streams[number].present
    streams[number] = Stream(place_in_book[member.ranks], present)
    return Coded(column.meta, streams, [])
