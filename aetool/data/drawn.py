"""A sample of a table's records, drawn in pieces wherever these are read.

Each record has a key, a random number that its place alone decides, and the records of the smallest
keys are the sample. So whoever reads a piece knows the keys of its records, and it does not matter
into which pieces a table is cut, who reads them, in which order, and how often.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from aetool.data import pieces
from aetool.data.table import Table, concat
from aetool.data.table_source import TableSource
from aetool.data.text import LeftOut
from aetool.engine import Engine

Keys = npt.NDArray[np.float64]


def keys_of(seed: int, first_row: int, rows: int) -> Keys:
    """Random keys of consecutive records, (rows,), each at least 0 and below 1, which depend on the
    seed and the record's number alone. first_row: the number of the first record, from 0."""
    # each key takes one step of the generator, which can skip those of the records before
    generator = np.random.PCG64(seed).advance(first_row)
    return np.random.Generator(generator).random(rows)


@dataclass(eq=False)
class Sample:
    """A random sample of the records of a stream: those with the smallest keys, random numbers.
    most: how many records it keeps, up to twice as many until `close`; total: how many the stream
    had, which the caller counts. tables: the records, in the order in which they were added; keys:
    (n,), theirs. bound: records with keys above it cannot be in the sample."""

    most: int
    total: int = 0
    tables: list[Table] = field(default_factory=list)
    keys: Keys = field(default_factory=lambda: np.zeros(0))
    bound: float = float("inf")  # records of keys above it are not in the sample

    def add(self, table: Table, keys: Keys) -> None:
        """Offer records to the sample. table: of n records; keys: (n,), their random keys. Records
        with a key above `bound` need not be offered: they are not drawn. Once more than twice
        `most` are held, `close` leaves `most` of them."""
        self.tables.append(table)
        self.keys = np.concatenate([self.keys, keys])
        if len(self.keys) > 2 * self.most:
            self.close()

    def close(self) -> None:
        """Drop all but the `most` records with the smallest keys, in the order they had, and lower
        the bound to the largest of these; nothing if there are no more. To be called at the end."""
        if len(self.keys) <= self.most:
            return
        smallest = np.sort(np.argpartition(self.keys, self.most)[: self.most])
        self.tables = [concat(self.tables).take(smallest)]
        self.keys = self.keys[smallest]
        self.bound = float(self.keys.max(initial=0.0))


@dataclass(frozen=True)
class Asked:
    """A task of a Drawer: a piece of a table to draw records from, and the bound that their keys,
    random numbers from 0 to 1, must not exceed; infinity for none."""

    piece: pieces.Piece
    bound: float


@dataclass(frozen=True, eq=False)
class Part:
    """The records drawn from one piece, in order, with their keys, (records,), random numbers from
    0 to 1; table: without records if none of the piece's is drawn, None only if the piece has no
    records; total: how many records the piece has."""

    table: Table | None
    keys: Keys
    total: int


@dataclass(frozen=True)
class Drawer:
    """Draws records from pieces, those with the smallest keys, in this process or in another. most:
    at most so many from each piece; seed: of the random keys."""

    most: int
    seed: int

    def __call__(self, asked: Asked) -> tuple[Part, LeftOut]:
        """Draw from one piece; returns the records drawn, and which of its lines are no records.
        asked: the piece, and the largest key, a random number, with which a record of it may still
        be drawn. DataError where the piece cannot be read."""
        left_out = LeftOut()
        sample = Sample(self.most)
        for table in asked.piece.tables(left_out):
            first_row = asked.piece.first + sample.total
            keys = keys_of(self.seed, first_row, len(table))
            possible = np.flatnonzero(keys <= asked.bound)
            sample.total += len(table)
            # a copy even where all records are possible: it has only their cells' own bytes, which
            # are sent to another process
            sample.add(table.take(possible), keys[possible])
        sample.close()
        whole = concat(sample.tables) if sample.tables else None
        return Part(whole, sample.keys, sample.total), left_out


def sampled(source: TableSource, most: int, seed: int, engine: Engine | None) -> tuple[Table, int]:
    """Draw a random sample of a source: (`most` records, all of a smaller source, in the source's
    order; how many records the source has). The same seed gives the same sample, that of
    `source.sample`, whether an engine's workers read the source or this process. engine: runs tasks
    in workers; None to read it here. DataError if there are no records, or the source cannot be
    read."""
    cut_pieces = None if engine is None else pieces.pieces_of(source)
    if engine is not None and cut_pieces is not None:
        gathered = _sampled_on_engine(engine, cut_pieces, Drawer(most, seed))
        if gathered is not None:
            return gathered
    return source.sample(most, seed)


def _sampled_on_engine(
    engine: Engine,
    cut_pieces: Iterator[pieces.Piece],
    drawer: Drawer,
) -> tuple[Table, int] | None:
    """Draw a sample on an engine and put it together from all pieces, as `sampled` returns it. None
    if there are no records, or if a piece has another number of them than was counted when it was
    cut, as in a text with comments: then the source is to be read in this process. What is unusual
    in a text is said as notices. drawer: how many to draw, and the seed. DataError where a piece
    cannot be read."""
    sample = Sample(drawer.most)
    # pieces that were handed out and whose results are still to come, in the same order
    under_way: deque[pieces.Piece] = deque()
    remarks_in_order: list[tuple[pieces.Piece, LeftOut]] = []

    def asked() -> Iterator[Asked]:
        """Yield a task for each piece, with the bound so far, and note the piece as under way."""
        for piece in cut_pieces:
            under_way.append(piece)
            yield Asked(piece, sample.bound)

    for part, remarks_of_piece in engine.map(drawer, asked()):
        piece = under_way.popleft()
        if part.total != piece.rows:
            # keys are drawn by the number of a record: those of later pieces would be wrong
            return None
        remarks_in_order.append((piece, remarks_of_piece))
        sample.total += part.total
        if part.table is not None and len(part.table):
            sample.add(part.table, part.keys)
    sample.close()
    if not sample.total:
        return None
    # only now: of a reading that is given up nothing is said twice
    remarks = pieces.Remarks()
    for piece, remarks_of_piece in remarks_in_order:
        remarks.add(piece, remarks_of_piece)
    return concat(sample.tables), sample.total
