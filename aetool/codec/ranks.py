"""Columns stored as ranks in a sorted dictionary of their different cells, which is coded once.

A few thousand long numbers that come again and again cost their digits once, and their ranks little
more than the numbers' order tells. The dictionary is a column of a block of its own, sorted, so
that numbers in it are coded by small differences. Columns with many cells in common share one.
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Self, TypeVar

import numpy as np

from aetool.codec import (
    blocks,
    composed,
    notations,
    planning,
    skeletons,
    spans,
    text_decoding,
    textual,
)
from aetool.codec.blobs import read_varint, varint
from aetool.codec.columns import Book, Coded, Decoded, errors_as_damage
from aetool.codec.limits import check_cells
from aetool.codec.metas import (
    CellsMeta,
    Lender,
    LevelMeta,
    NumberMeta,
    PartsMeta,
    RankMeta,
    gap_in,
    lenders_in,
)
from aetool.codec.spans import I32, Spans
from aetool.codec.streams import Stream
from aetool.codec.text_cells import TextCells, affixes_in
from aetool.errors import ArchiveError
from aetool.model import Int

FEWEST = 32  # different cells of a column that is tried
MOST = 1 << 16
LEAST_REPEATED = 1.5  # rows for each different cell
LEAST_GAPS = 2.0  # of whole numbers in a range, for each that occurs: a dense range needs no ranks
IN_COMMON = 0.3  # of the cells of the smaller of two dictionaries that are one

Member = TypeVar("Member")


class Group(ABC, Generic[Member]):
    """Columns that are to share one dictionary: what the two sorts of dictionaries, of cells and of
    numbers, have in common. A subclass is made without arguments, empty, and says which columns
    fit. Member: a candidate's type."""

    @abstractmethod
    def fits(self, candidate: Member) -> bool:
        """Whether the group's dictionary has enough in common with that of a further column. Asked
        only of groups with a member."""

    @abstractmethod
    def add(self, candidate: Member) -> None:
        """Take in one more column, in place."""

    @classmethod
    def all_of(cls, candidates: Iterable[Member | None]) -> list[Self]:
        """The groups of some columns, in the order of their first members: each column goes into
        the first group that it fits into, or else into a new one; None among the candidates is
        passed over. [] without any."""
        groups: list[Self] = []
        for candidate in candidates:
            if candidate is None:
                continue
            fitting = (group for group in groups if group.fits(candidate))
            group = next(fitting, None)
            if group is None:
                group = cls()
                groups.append(group)
            group.add(candidate)
        return groups


@dataclass(eq=False)
class _Candidate:
    """A column that may be stored as ranks, places of its cells in a sorted dictionary. cells: its
    different cells, in the order in which they first come; index: (rows,), for each row the place
    of its cell among them."""

    column: Coded
    cells: list[bytes]
    index: I32


@dataclass(eq=False)
class _Group(Group[_Candidate]):
    """Columns that are to share one dictionary of cells. members: the columns; cells: the different
    cells of all of them."""

    members: list[_Candidate] = field(default_factory=list)
    cells: set[bytes] = field(default_factory=set)

    def fits(self, candidate: _Candidate) -> bool:
        """Whether the group and a column have cells in common, as many as a part IN_COMMON (0.3) of
        the different cells of the one with fewer."""
        common = self.cells.intersection(candidate.cells)
        smaller = min(len(self.cells), len(candidate.cells))
        return len(common) >= IN_COMMON * smaller

    def add(self, candidate: _Candidate) -> None:
        """Add one more column to those that share the dictionary, and its cells to that."""
        self.members.append(candidate)
        self.cells.update(candidate.cells)

    def in_order(self) -> list[bytes]:
        """The different cells, sorted: those that are no numbers first, by their bytes, then
        numbers by value, as the first column writes numbers."""
        meta = self.members[0].column.meta
        cells = list(self.cells)
        if not isinstance(meta, NumberMeta) or meta.notation is None:
            return sorted(cells, key=_sort_key)
        text = TextCells(*spans.behind_another(cells).places())
        plain = notations.plain(text, affixes_in(meta), meta.notation).cells()
        # what is no number has its own place among those that are none
        numbers = {cell: number or cell for cell, number in zip(cells, plain, strict=True)}
        return sorted(cells, key=lambda cell: (*_sort_key(numbers[cell]), cell))


def offer(columns: Sequence[Coded], effort: planning.Effort) -> None:
    """Add to `others` of each column, in place, its encoding as ranks in a sorted dictionary of its
    different cells, if its cells repeat enough: 32 to 2^16 different ones, each in 1.5 rows or more
    on average. Columns with many cells in common share a dictionary. Left as they are: columns of
    anything but numbers or levels, those whose cells are not there (Coded.cells), and numbers that
    fill more than half of their range. effort: how far to search for ways to store the
    dictionary."""
    candidates = [_candidate(column) for column in columns]
    for group in _Group.all_of(candidates):
        _offer_book(group, effort)


def _offer_book(group: _Group, effort: planning.Effort) -> None:
    """Add to `others` of each column of a group, in place, its encoding as ranks in one dictionary,
    which is encoded here. effort: how far to search for ways to store it."""
    cells = group.in_order()
    blob = packed(cells, effort)
    # one object for all members: where several of them are stored, it is so once
    book = Book(blob)
    rank_of_cell = {cell: rank for rank, cell in enumerate(cells)}
    for member in group.members:
        ranks_of_cells = [rank_of_cell[cell] for cell in member.cells]
        ranks = np.array(ranks_of_cells, np.int64)
        stream = Stream(ranks[member.index])
        # of columns with few of the cells none need take the others' part in the dictionary
        share = len(ranks) / len(cells)
        share = max(share, 1 / len(group.members))
        meta = RankMeta(gap_in(member.column.meta))
        way = Coded(meta, [stream], book=book, share=share)
        member.column.others.append(way)


def _candidate(column: Coded) -> _Candidate | None:
    """The column as a candidate for ranks, places of its cells in a sorted dictionary; None if it
    is no column of numbers or levels (different texts), it has no numbers at all, its cells are not
    there (Coded.cells), fewer than FEWEST (32) or more than MOST (2^16) of them differ, or more
    than two thirds as many as it has rows, or if its numbers fill more than half of their range."""
    if not isinstance(column.meta, NumberMeta | LevelMeta):
        return None
    # without cells it is not to be stored in another way
    if column.cells is None:
        return None
    if isinstance(column.meta, NumberMeta):
        values = column.streams[-1].values
        # of gaps alone, or of numbers whose ranks would tell no less than they do
        if not len(values) or _is_dense(values):
            return None
    text, start, stop = column.cells.places()
    most = min(MOST, int(len(start) / LEAST_REPEATED))
    levels = spans.levels(text, start, stop, most)
    # more different cells than that come too seldom each
    if levels is None:
        return None
    first, index = levels
    if len(first) < FEWEST:
        return None
    cells = spans.cells_of(text, start[first], stop[first])
    return _Candidate(column, cells, index)


def _is_dense(values: Int) -> bool:
    """Whether values, (n,), n > 0, fill more than half of their range, in units of the greatest
    common divisor of their distances; true of equal values."""
    different = np.unique(values)
    steps = np.diff(different)
    unit = int(np.gcd.reduce(steps))
    # a single value has no step, and so no unit
    unit = max(1, unit)
    # as floats: the difference of two numbers of 64 bits may need one more
    low = float(different[0])
    high = float(different[-1])
    units = (high - low) / unit + 1
    return units < LEAST_GAPS * len(different)


def _sort_key(cell: bytes) -> tuple[bool, float, bytes]:
    """The sort key of a cell: cells that Python's float does not read first, by their bytes, then
    numbers by value, NaN as 0, equal ones by their bytes."""
    try:
        number = float(cell)
    except ValueError:
        return False, 0.0, cell
    # NaN is neither above nor below any number, and would leave the order open
    if math.isnan(number):
        number = 0.0
    return True, number, cell


def packed(cells: list[bytes], effort: planning.Effort) -> bytes:
    """Encode a dictionary of cells, sorted and different, as a blob: varint how many, and a payload
    of one column of them. effort: how far to search for a small encoding. `_unpacked` reads it."""
    text, start, stop = spans.behind_another(cells).places()
    column = textual.encode(text, start, stop)
    skeletons.offer([column], effort)
    count = len(cells)
    _, payload, _ = blocks.encode([column], count, {}, effort)
    return varint(count) + payload


@errors_as_damage()
def _unpacked(blob: bytes) -> Spans:
    """Decode the cells of a dictionary that `packed` wrote, in order; ArchiveError if it is
    damaged, is stored as ranks itself, or claims more cells than a block may have."""
    count, at = read_varint(blob, 0)
    check_cells(count, 1)
    payload = blob[at:]
    columns = blocks.decode(payload, count, None).columns
    # a dictionary in a dictionary could go on for ever
    if len(columns) != 1 or isinstance(columns[0].meta, RankMeta):
        raise ArchiveError("damaged: a dictionary is not one column of cells")
    return cells_of(columns[0])


def cells_of(column: Decoded) -> Spans:
    """The text of each row of a decoded column of text, however it is stored. A dictionary that it
    uses is decoded once, and kept in column.book; the text of a column that cells of others stand
    in is kept in column.text, and returned from there. ArchiveError where the column is damaged, or
    not of text."""
    # a lender is read by each column that its cells stand in, and such a column once alone
    if column.text is not None:
        return column.text
    lenders = lenders_in(column.meta)
    if lenders:
        column.text = _made_of_others(column, lenders)
        return column.text
    if isinstance(column.meta, PartsMeta):
        return skeletons.decode(column)
    if not isinstance(column.meta, RankMeta):
        return text_decoding.decode(column)
    book = column.book
    if book is None:
        raise ArchiveError("damaged: a column's dictionary is not there")
    if book.cells is None:
        book.cells = _unpacked(book.blob)
    return _cells_at_ranks(book.cells, column)


def _made_of_others(column: Decoded, lenders: Sequence[Lender]) -> Spans:
    """The text of each row of a decoded column that cells of others stand in. lenders: these others
    as its meta names them; their text is kept in each one's `text`, and the bytes of the result are
    counted in column.text_of_others, if there is one. ArchiveError where they are not there, or are
    made of others themselves, or for more such text than a block may have."""
    if len(column.lenders) != len(lenders):
        raise ArchiveError("damaged: a column is made of others that are not there")
    # of columns that are made of one another none could be read first
    if any(lenders_in(lender.meta) for lender in column.lenders):
        raise ArchiveError("damaged: a column is made of one that is made of others itself")
    assert isinstance(column.meta, CellsMeta)
    alone = dataclasses.replace(column.meta, lenders=())
    own_cells = cells_of(dataclasses.replace(column, meta=alone, lenders=()))
    for lender in column.lenders:
        lender.text = cells_of(lender)
    cells = [cells_of(lender) for lender in column.lenders]
    together = composed.put_together(own_cells, cells, lenders)
    if column.text_of_others is not None:
        column.text_of_others.add(together)
    return together


def _cells_at_ranks(book: Spans, column: Decoded) -> Spans:
    """The cell of each row of a column: that of the dictionary, book, at the row's rank, from 0,
    which is the column's value. ArchiveError for a rank below 0 or beyond its end."""
    ranks = column.values
    if len(ranks):
        low = int(ranks.min())
        high = int(ranks.max())
        if low < 0 or high >= len(book):
            raise ArchiveError("damaged: a column points beyond its dictionary")
    return book.take(ranks)
