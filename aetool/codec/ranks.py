"""Columns as ranks among their different cells, which are coded once: a sorted dictionary.

A few thousand long numbers that come again and again cost their digits once, and their ranks little
more than the numbers' order tells. The dictionary is a column of a block of its own, sorted, so
that numbers in it are coded by small differences. Columns with many cells in common share one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from aetool.codec import blocks, planning, skeletons, spans, text_decoding, textual
from aetool.codec.blobs import read_varint, varint
from aetool.codec.columns import Book, Coded, Decoded, sensible
from aetool.codec.integers import Stream
from aetool.codec.limits import check_cells
from aetool.codec.metas import LevelMeta, NumberMeta, PartsMeta, RankMeta, gap_in
from aetool.codec.spans import I32, Spans
from aetool.errors import ArchiveError

FEWEST, MOST = 32, 1 << 16  # different cells of a column that is tried
LEAST_REPEATED = 2  # rows for each different cell
LEAST_GAPS = 2.0  # of whole numbers in a range, for each that occurs: a dense range needs no ranks
IN_COMMON = 0.3  # of the cells of the smaller of two dictionaries that are one


@dataclass(eq=False)
class _Candidate:
    """A column that may be stored as ranks. cells: its different cells; index: for each row the
    place of its cell among them."""

    column: Coded
    cells: list[bytes]
    index: I32


@dataclass(eq=False)
class _Group:
    """Columns that are to share one dictionary. cells: those of all members."""

    members: list[_Candidate] = field(default_factory=list)
    cells: set[bytes] = field(default_factory=set)

    def fits(self, candidate: _Candidate) -> bool:
        """Whether the group and a column share at least IN_COMMON of the cells of the smaller of
        both."""
        common = sum(cell in self.cells for cell in candidate.cells)
        return common >= IN_COMMON * min(len(self.cells), len(candidate.cells))


def offer(columns: Sequence[Coded], effort: planning.Effort) -> None:
    """Add to `others` of each column, in place, its encoding as ranks, if it has cells that repeat
    enough. Columns with many cells in common share a dictionary."""
    groups: list[_Group] = []
    for column in columns:
        candidate = _candidate(column)
        if candidate is None:
            continue
        group = next((group for group in groups if group.fits(candidate)), _Group())
        if not group.members:
            groups.append(group)
        group.members.append(candidate)
        group.cells.update(candidate.cells)
    for group in groups:
        cells = sorted(group.cells, key=_order)
        book = Book(_packed(cells, effort))
        rank = {cell: place for place, cell in enumerate(cells)}
        for member in group.members:
            ranks = np.array([rank[cell] for cell in member.cells], np.int64)
            # of columns with few of the cells none need take the others' part in the dictionary
            share = max(len(ranks) / len(cells), 1 / len(group.members))
            meta = RankMeta(gap_in(member.column.meta))
            way = Coded(meta, [Stream(ranks[member.index])], book=book, share=share)
            member.column.others.append(way)


def _candidate(column: Coded) -> _Candidate | None:
    """The column as a candidate; None if it is no column of numbers or levels, has too few or too
    many different cells, or numbers that fill their range."""
    if not isinstance(column.meta, NumberMeta | LevelMeta) or column.cells is None:
        return None
    text, start, stop = column.cells.places()
    rows = len(start)
    if isinstance(column.meta, NumberMeta):
        values = column.streams[-1].values
        if not len(values) or _is_dense(column):
            return None
    most = min(MOST, rows // LEAST_REPEATED)
    levels = spans.levels(text, start, stop, most)
    if levels is None or len(levels[0]) < FEWEST:
        return None
    first, index = levels
    return _Candidate(column, spans.cells_of(text, start[first], stop[first]), index)


def _is_dense(column: Coded) -> bool:
    """Whether the values of a column, in units of their greatest common divisor, fill at least half
    of their range."""
    values = column.streams[-1].values
    some = np.unique(values)
    span = (float(some[-1]) - float(some[0])) / max(1, int(np.gcd.reduce(np.diff(some)))) + 1
    return span < LEAST_GAPS * len(some)


def _order(cell: bytes) -> tuple[bool, float, bytes]:
    """The sort key of a cell: cells that are no number first, then numbers by value."""
    try:
        number = float(cell)
    except ValueError:
        return False, 0.0, cell
    return True, number if number == number else 0.0, cell


def _packed(cells: list[bytes], effort: planning.Effort) -> bytes:
    """Encode a dictionary of cells as a blob: varint how many, and a payload of one column of
    them."""
    ends = np.cumsum([len(cell) for cell in cells], dtype=np.int32)
    start = np.append(0, ends[:-1]).astype(np.int32)
    column = textual.encode(np.frombuffer(b"".join(cells), np.uint8), start, ends)
    skeletons.offer([column], effort)
    _, payload, _ = blocks.encode([column], len(cells), {}, effort)
    return varint(len(cells)) + payload


@sensible()
def _unpacked(blob: bytes) -> Spans:
    """Decode the cells of a dictionary that `_packed` wrote; ArchiveError if it is damaged."""
    count, at = read_varint(blob, 0)
    check_cells(count, 1)
    block = blocks.decode(blob[at:], count, None)
    if len(block.columns) != 1 or isinstance(block.columns[0].meta, RankMeta):
        raise ArchiveError("damaged: a dictionary is not one column of cells")
    return cells_of(block.columns[0])


def cells_of(column: Decoded) -> Spans:
    """The text of each row of a decoded column of text, however it is stored."""
    if isinstance(column.meta, PartsMeta):
        return skeletons.decode(column)
    if not isinstance(column.meta, RankMeta):
        return text_decoding.decode(column)
    book = column.book
    if book is None:
        raise ArchiveError("damaged: a column's dictionary is not there")
    if book.cells is None:
        book.cells = _unpacked(book.blob)
    return _chosen(book.cells, column)


def _chosen(book: Spans, column: Decoded) -> Spans:
    """The cells of a dictionary at the ranks of a column; ArchiveError for a rank beyond its
    end."""
    ranks = column.values
    if len(ranks) and not 0 <= int(ranks.min()) <= int(ranks.max()) < len(book.start):
        raise ArchiveError("damaged: a column points beyond its dictionary")
    return Spans(book.pool, book.start[ranks], book.length[ranks])
