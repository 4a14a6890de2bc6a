"""Pieces of tables that another process can read where they lie: an address, a place, a first
record.

A piece travels to whoever computes with it, and reads its own part of a file there. Cuts are such
that the records of all pieces, one after the other, are those of the whole.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, TypeAlias, cast

from aetool.csv import cutting, encodings
from aetool.csv.dialect import Dialect
from aetool.csv.fields import begins
from aetool.data import arrow_files, notices, text
from aetool.data.arrow_source import ArrowFileSource, CopiedTable
from aetool.data.chains import ChainSource
from aetool.data.located import FileAt
from aetool.data.sources import CsvSource
from aetool.data.streams import is_uncompressed
from aetool.data.table import Table
from aetool.data.table_source import ROWS, TableSource
from aetool.errors import DataError

TEXT_BYTES = 16 << 20  # of a piece of text
MOST_CELLS = 1 << 23  # of a piece of a Parquet file, unless one group of rows has more
# what is done with records may take many times as long as reading them; then small pieces keep all
# workers busy to the end
FINER = 16
MOST_SLICES = 4  # of one group of rows, since it is read as a whole for each of them


@dataclass(frozen=True)
class ParquetPiece:
    """Records of row groups of a Parquet file, to be read by whoever sees the file.

    path: of the file; name: for messages; groups: the numbers, from 0, of its row groups. first:
    the number of the first record in the file, from 0; rows: how many records; stamp: how many
    bytes the file had when it was cut, to notice a change; before: how many records of the groups
    are left out before the first.
    """

    path: Path
    name: str
    groups: tuple[int, ...]
    first: int
    rows: int
    stamp: int
    before: int = 0

    def tables(self, left_out: text.LeftOut) -> Iterator[Table]:
        """Yield the records in order, batch by batch; DataError if the file is gone, changed or
        damaged. left_out: not used, as a Parquet file has no lines that are no records."""
        import pyarrow as pa

        FileAt(self.path, self.name, self.stamp).check()
        row = self.first
        end = self.first + self.rows
        # a group can only be read from its begin: records before the first are passed over
        to_skip = self.before
        try:
            source = ArrowFileSource(self.name, self.path)
            for batch in source.record_batches(self.groups):
                skipped = min(to_skip, batch.num_rows)
                to_skip -= skipped
                part = batch.slice(skipped, end - row)
                if part.num_rows:
                    yield source.as_table(part, row)
                row += part.num_rows
                if row == end:
                    break
        except (pa.ArrowException, OSError) as error:
            reason = arrow_files.one_line(error)
            raise DataError(f"{self.name}: damaged behind row {row}: {reason}") from None


@dataclass(frozen=True)
class TextPiece:
    """Bytes start:stop of a text file in UTF-8, which begin at a record, to be read by whoever sees
    the file. path: of it; name: for messages; dialect: how it is written; names: of the columns;
    first, lines: how many records, comments counted, and lines, those of the header too, come
    before; rows: how many records it has, comments counted; stamp: how many bytes the file had
    when it was cut, to notice a change; is_last: whether the text ends with it."""

    path: Path
    name: str
    dialect: Dialect
    names: tuple[str, ...]
    start: int
    stop: int
    first: int
    lines: int
    rows: int
    stamp: int
    is_last: bool = False

    def tables(self, left_out: text.LeftOut) -> Iterator[Table]:
        """Yield the records in order, batch by batch. left_out: collects, in place, which lines are
        no records, complete when all are read. DataError if the file is gone or changed, or a
        record is not right."""
        FileAt(self.path, self.name, self.stamp).check()
        before = text.Before(self.names, self.first, self.lines, self.is_last)
        with self.path.open("rb") as file:
            file.seek(self.start)
            part = cast(BinaryIO, _Part(file, self.stop - self.start))
            whole_records = cutting.records(part, self.dialect, text.CHUNK)
            yield from text.tables_of_part(whole_records, self.name, self.dialect, before, left_out)


@dataclass(frozen=True)
class ChainedPiece:
    """A piece of one of several tables that are read as one. piece: the same as a piece of that
    table alone; chain: these, as ChainSource.without_tables returns them; own: the values, by
    column, that the path of the piece's file adds; names: of all columns, in order; first: the
    number, from 0, of its first record among those of all tables."""

    piece: ParquetPiece | TextPiece
    chain: ChainSource
    own: Mapping[str, str | None]
    names: tuple[str, ...]
    first: int

    @property
    def rows(self) -> int:
        """How many records the piece has, of a text comments counted."""
        return self.piece.rows

    def tables(self, left_out: text.LeftOut) -> Iterator[Table]:
        """Yield the records as those of all tables together, batch by batch. left_out: collects, in
        place, which lines are no records. DataError if the file is gone or changed, a record is not
        right, or the columns are not those in `names`."""
        row = self.first
        for batch in self.piece.tables(left_out):
            yield self.chain.one_of_all(batch, self.own, self.names, row, self.piece.name)
            row += len(batch)


Piece: TypeAlias = ParquetPiece | TextPiece | ChainedPiece


def pieces_of(source: TableSource, finer: int = 1) -> Iterator[Piece] | None:
    """Yield the pieces of a Parquet file, of a plain CSV file in UTF-8, or of a chain of such, in
    order. None for any other source, which other processes cannot read by pieces: a table in
    memory, from a pipe or a compressed file, JSON lines, text in another encoding, and a chain with
    a table that is such, a chain itself, or a text with comments.

    finer: how many times smaller the pieces are to be than suits records that are only read, which
    is 1; at least 1. DataError, while they are yielded, for a record that is too long; OSError if
    the file cannot be opened.
    """
    if isinstance(source, ChainSource):
        return _pieces_of_chain(source, finer)
    if isinstance(source, CopiedTable):
        return None
    # a spool, a temporary copy, is on this machine alone, and goes when its source goes
    if source.place is not None and source.place.spool is not None:
        return None
    if isinstance(source, ArrowFileSource) and source.is_parquet:
        return _pieces_of_parquet(source, finer)
    if isinstance(source, CsvSource) and _is_plain_utf8(source):
        return _pieces_of_text(source, finer)
    return None


def _pieces_of_parquet(source: ArrowFileSource, finer: int) -> Iterator[ParquetPiece]:
    """Yield the records of a Parquet file as pieces, in order: small groups of rows are joined, up
    to MOST_CELLS (2^23) cells or ROWS (65,536) records, whichever is more, divided by `finer`;
    larger ones are sliced, if that is above 1, into at most MOST_SLICES (4). finer: how many times
    smaller pieces are to be than usual, at least 1."""
    stamp = source.path.stat().st_size
    most_rows = max(ROWS, MOST_CELLS // max(1, len(source.schema)))
    most_rows = max(1, most_rows // finer)
    # groups that go into the next piece, and the number of its first record
    joined: list[int] = []
    first = row = 0

    def piece(groups: Sequence[int], begin: int, end: int, before: int = 0) -> ParquetPiece:
        """The records begin .. end - 1 of the file, which lie in these groups, of which `before`
        records stand before them."""
        return ParquetPiece(
            source.path, source.name, tuple(groups), begin, end - begin, stamp, before
        )

    for group, rows in enumerate(source.rows_of_groups()):
        is_sliced = finer > 1 and rows > most_rows
        # the groups before are a piece, if this one is sliced or would make it too large
        if joined and (is_sliced or row - first + rows > most_rows):
            yield piece(joined, first, row)
            joined = []
            first = row
        if is_sliced:
            # rounded up, so that no slice is too large, unless there would be too many
            slices = min(MOST_SLICES, -(-rows // most_rows))
            edges = [rows * number // slices for number in range(slices + 1)]
            for begin, end in itertools.pairwise(edges):
                yield piece([group], row + begin, row + end, before=begin)
            first = row + rows
        else:
            joined.append(group)
        row += rows
    if joined:
        yield piece(joined, first, row)


def _is_plain_utf8(source: CsvSource) -> bool:
    """Whether the file is uncompressed UTF-8, by what the user says, else by what was detected, so
    that its bytes are those of the text. OSError if it cannot be opened."""
    encoding = source.dialect.read_as or source.dialect.encoding
    return encoding == encodings.UTF8 and is_uncompressed(source.path)


def _pieces_of_text(source: CsvSource, finer: int) -> Iterator[TextPiece]:
    """Yield the pieces of a text file for which `_is_plain_utf8` is true, in order, each beginning
    at a record, of about TEXT_BYTES (2^24) / finer bytes; the text is read once for that. Nothing
    of a text without records. DataError for a record that is too long."""
    stamp = source.path.stat().st_size
    dialect = source.dialect
    # for the names of its columns
    first_batch = next(iter(source.batches()), None)
    # of blank lines alone there is none
    if first_batch is None:
        return
    names = first_batch.names
    with source.path.open("rb") as stream:
        pieces = cutting.pieces(stream, dialect, max(1, TEXT_BYTES // finer))
        try:
            # the first is all that stands before the records
            head = next(pieces)
            start = len(head)
            row = 0
            lines = text.lines_in(head)
            # a piece is yielded once the next is known: then it is not the last
            waiting: TextPiece | None = None
            for part in pieces:
                if waiting is not None:
                    yield waiting
                rows = len(begins(part, dialect.rule))
                stop = start + len(part)
                waiting = TextPiece(
                    source.path, source.name, dialect, names, start, stop, row, lines, rows, stamp
                )
                start = stop
                row = row + rows
                lines = lines + text.lines_in(part)
        except encodings.NoTableError as error:
            raise DataError(f"{source.name}: row {row + 1}: {error}") from None
    if waiting is not None:
        yield replace(waiting, is_last=True)


def _pieces_of_chain(chain: ChainSource, finer: int) -> Iterator[ChainedPiece] | None:
    """The pieces of all tables of a chain, in order; None if one of them cannot be cut, is a chain
    itself, or a text with comments. finer: how many times smaller pieces are to be than usual, at
    least 1. DataError, while pieces are yielded, for a record that is too long; OSError if a file
    cannot be opened."""
    first = pieces_of(chain.sources[0])
    if first is None:
        return None
    # one that cannot be cut makes the whole such
    for source in chain.sources:
        is_cut = isinstance(source, ArrowFileSource | CsvSource) and pieces_of(source) is not None
        # pieces count comments and lines that are passed over among their records, and a chain
        # numbers records alone
        has_others = isinstance(source, CsvSource) and (
            bool(source.dialect.comment) or source.dialect.skips_bad
        )
        if not is_cut or has_others:
            return None
    return _pieces_of_each_table(chain, finer)


def _pieces_of_each_table(chain: ChainSource, finer: int) -> Iterator[ChainedPiece]:
    """Yield the pieces of all tables of a chain, none of which is itself a chain and all of which
    can be cut, each with the values that its path adds and the number, from 0, of its first record
    among all. finer: how many times smaller pieces are to be than usual, at least 1. Nothing where
    no table has records; DataError for a record that is too long."""
    first_batch = next(iter(chain.batches()), None)
    # all of its tables may be blank lines alone
    if first_batch is None:
        return
    names = first_batch.names
    alone = chain.without_tables()
    row = 0
    for source, own in chain.with_paths():
        pieces = pieces_of(source, finer)
        assert pieces is not None
        for piece in pieces:
            assert not isinstance(piece, ChainedPiece)
            yield ChainedPiece(piece, alone, own, names, row)
            row += piece.rows


class _Part:
    """A stream of the next `size` bytes of an open file, from where it is, and no more; it has only
    `read`. remaining: how many are still to be read."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file = file
        self.remaining = size

    def read(self, size: int) -> bytes:
        """At most `size` of the bytes that are left; b"" at the end."""
        data = self.file.read(min(size, self.remaining))
        self.remaining -= len(data)
        return data


class Remarks:
    """Collects, piece by piece in order, which lines of texts are no records, and says it as
    notices, once at the end of each text."""

    def __init__(self) -> None:
        # of the text whose pieces are being added
        self._pieces_of_text = text.LeftOut()

    def add(self, piece: Piece, left_out: text.LeftOut) -> None:
        """Note which lines of the next piece are no records; at the last piece of a text those of
        all its pieces are said as notices. Pieces of Parquet files are passed over. left_out: what
        the piece's `tables` collected. DataError if a line that is no record turns out to stand
        between records, or if more than MOST_FOOTER (10) such lines end the text."""
        part = piece.piece if isinstance(piece, ChainedPiece) else piece
        if not isinstance(part, TextPiece):
            return
        self._pieces_of_text.add(left_out)
        if not part.is_last:
            return
        tell = functools.partial(notices.say, part.name)
        if self._pieces_of_text.odd_bytes:
            tell(self._pieces_of_text.odd_bytes)
        self._pieces_of_text.say(tell, part.dialect.comment)
        self._pieces_of_text = text.LeftOut()
