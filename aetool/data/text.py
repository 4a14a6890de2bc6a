"""Tables in text as columns of cells, batch by batch, cut by the rule of aetool.csv."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np

from aetool.csv import cells, cutting, encodings
from aetool.csv.dialect import BLANK, BOX, RECORD_TAIL, Dialect
from aetool.csv.encodings import NoTableError
from aetool.csv.fields import BARE, CR, LF, Fields, count_of, fields, strip_blanks
from aetool.csv.sniffing import MOST_FOOTER
from aetool.data.table import Cells, Mask, Table
from aetool.errors import DataError
from aetool.model import Int
from aetool.spelling import option

CHUNK = 4 << 20
END_MARK = b"\x1a"
SHOWN = 40  # characters of a line that is quoted

Tell = Callable[[str], None]


@dataclass(eq=False)
class LeftOut:
    """Which lines of a text, or of a part of it, are no records, and what else is unusual.

    comments: how many are comments. footer: lines at the end, no records unless records follow, and
    footer_error, the error if they do. odd_bytes: a line on the first bytes that are not UTF-8, or
    "". has_records: whether there is any record.
    """

    comments: int = 0
    footer: list[str] = field(default_factory=list)
    footer_error: DataError | None = None
    odd_bytes: str = ""
    has_records: bool = False

    def add(self, following: LeftOut) -> None:
        """Join what the following part of the text left out to this, in place. DataError if that
        shows that lines taken for a footer stand between records."""
        # what looked like a footer has records behind it
        if self.footer_error is not None and following.has_records:
            raise self.footer_error
        self.comments += following.comments
        self.footer += following.footer
        self.footer_error = self.footer_error or following.footer_error
        if len(self.footer) > MOST_FOOTER:
            assert self.footer_error is not None
            raise self.footer_error
        # said once, of the first line
        self.odd_bytes = self.odd_bytes or following.odd_bytes
        self.has_records |= following.has_records

    def say(self, tell: Tell, marker: str) -> None:
        """Pass lines on what was left out of a whole text to `tell`. marker: what comments begin
        with."""
        if self.footer:
            lines = "the last line is" if len(self.footer) == 1 else "the last lines are"
            tell(f"{lines} not of the table: {', '.join(self.footer[:3])}")
        if self.comments:
            lines = "line is" if self.comments == 1 else "lines are"
            tell(f"{self.comments} {lines} left out as beginning with {marker}")


@dataclass(frozen=True)
class Before:
    """The part of a text before a piece of it. names: of the columns; rows: how many records,
    comments counted; lines: how many lines; is_last: whether the text ends with the piece."""

    names: tuple[str, ...]
    rows: int
    lines: int
    is_last: bool


def tables_of_part(
    pieces: Iterator[bytes],
    name: str,
    dialect: Dialect,
    before: Before,
    left: LeftOut,
) -> Iterator[Table]:
    """Yield the records of a part of a text, batch by batch. pieces: of whole records, in UTF-8;
    left: collects which lines are no records. DataError names the row that is not right."""
    # a worker says nothing: its remarks travel back in left
    reader = _Reader(name, dialect, lambda line: None)
    reader.left = left
    try:
        yield from reader.tables_behind(pieces, before)
    except NoTableError as error:
        raise DataError(f"{name}: row {reader.rows + 1}: {error}") from None


def tables(
    stream: BinaryIO,
    name: str,
    dialect: Dialect,
    tell: Tell = lambda line: None,
) -> Iterator[Table]:
    """Yield the records of a text table, batch by batch; DataError names the row that is not right.

    stream: UTF-8, see `encodings.utf8`; bytes that are not UTF-8 are read as Windows-1252, unless
    an encoding was asked for. tell: is passed a line on each thing that is unusual.
    """
    reader = _Reader(name, dialect, tell)
    try:
        yield from reader.tables(stream)
    except NoTableError as error:
        raise DataError(f"{name}: row {reader.rows + 1}: {error}") from None


class _Reader:
    """Reads a text once, piece by piece. rows, lines: how many records, comments between them
    counted, and lines came before the piece at hand. numbers: of the piece's records, where
    comments are between them; else None."""

    def __init__(self, name: str, dialect: Dialect, tell: Tell) -> None:
        self.name = name
        self.dialect = dialect
        self.tell = tell
        self.rows = self.lines = 0
        self.numbers: Int | None = None
        self.names: tuple[str, ...] = ()
        self.left = LeftOut()

    def tables(self, stream: BinaryIO) -> Iterator[Table]:
        pieces = _without_end_mark(cutting.pieces(stream, self.dialect, CHUNK))
        # the first piece is all that stands before the records
        head = self._checked(next(pieces))
        self.names = self._header(head)
        self.lines += lines_in(head)
        yield from self._records(pieces)
        self.left.say(self.tell, self.dialect.comment)
        # a header alone is a table of no records
        if self.names and not self.left.has_records:
            yield Table(self.names, tuple(Cells.of([]) for _ in self.names))

    def tables_behind(self, pieces: Iterator[bytes], before: Before) -> Iterator[Table]:
        """Yield the records of a part of a text. before: what comes before it."""
        self.names = before.names
        self.rows = before.rows
        self.lines = before.lines
        yield from self._records(_without_end_mark(pieces) if before.is_last else pieces)

    def _records(self, pieces: Iterator[bytes]) -> Iterator[Table]:
        for piece in pieces:
            text = self._checked(piece)
            # cut before comments are taken out: their lines are counted, too
            every = fields(text, self.dialect.rule)
            found = self._without_comments(every)
            if self.dialect.padded:
                found = self._without_drawing(found)
            if len(found):
                # without a header the first record tells how many columns there are
                self.names = self.names or self._numbered(found)
                found = self._regular(found)
            if len(found):
                self.left.has_records = True
                yield self._table(found)
            self.rows += len(every)
            self.lines += lines_in(text)

    def _table(self, found: Fields) -> Table:
        data, start, stop = found.values()
        if self.dialect.padded:
            strip_blanks(data, start, stop)
        null = np.zeros(len(start), np.bool_)
        # fields lie record by record: every so-manieth is of one column
        columns = [slice(i, None, len(self.names)) for i in range(len(self.names))]
        values = tuple(Cells(data, start[c], stop[c], null[c]) for c in columns)
        numbers = None if self.numbers is None else self.numbers[: len(found)]
        return Table(self.names, values, self.rows, numbers=numbers)

    # ---- names

    def _header(self, head: bytes) -> tuple[str, ...]:
        """The names of the columns, no two equal, from `head`, the first bytes of the text; says in
        notices which lines above and below the header are no records."""
        names = cutting.header_names(head, self.dialect)
        table = head[cutting.begin_of_table(head, self.dialect) :]
        if self.dialect.preamble:
            lines = f"the first {self.dialect.preamble} lines are"
            if self.dialect.preamble == 1:
                lines = "the first line is"
            self.tell(f"{lines} not of the table")
        if self.dialect.below and names:
            units = fields(table, self.dialect.rule).records()[1:]
            written = self.dialect.delimiter.join(cell.decode() for cell in units[-1])
            self.tell(f"under the header, no record: {_quoted(written)}")
        if self.dialect.delimiter == BLANK and names:
            # blanks at the end of the header
            last = cutting.names_of_record(table, self.dialect.rule)[-1]
            names = names[:-1] if last == "" and len(names) > 1 else names
        if self.dialect.edge == BOX:
            names = names[1:-1]
        return apart(names, self.tell)

    def _numbered(self, found: Fields) -> tuple[str, ...]:
        """Names for the columns of a table without header: c1, c2 ..., as many as the first record
        has fields."""
        width = int(found.width[0])
        if self.dialect.delimiter == BLANK and width > 1 and _last_is_empty(found)[0]:
            width -= 1
        self.tell(f"no header: the columns are called c1 to c{width}")
        return tuple(f"c{i + 1}" for i in range(width))

    # ---- text

    def _checked(self, piece: bytes) -> bytes:
        """The piece as UTF-8, odd bytes replaced; DataError for a NUL byte."""
        # zeros are in no text, and in nearly every other file
        if b"\0" in piece:
            row, line = self._place(piece, piece.index(0))
            raise DataError(
                f"{self.name}: NUL byte near row {row} (line {line}); this is not a table in text"
            )
        # most text is, and then nothing has to be decoded
        if piece.isascii():
            return piece
        try:
            piece.decode("utf-8")
        except UnicodeDecodeError as error:
            if self.dialect.encoding in encodings.WIDE or self.dialect.read_as:
                return self._of_wide(piece, error)
            # said once, however many there are
            if not self.left.odd_bytes:
                _, line = self._place(piece, error.start)
                self.left.odd_bytes = (
                    f"byte 0x{piece[error.start]:02x} in line {line} is not UTF-8: such bytes are "
                    f"read as Windows-1252; if that is wrong, say {option('--encoding')} NAME"
                )
                self.tell(self.left.odd_bytes)
            return encodings.mended(piece)
        return piece

    def _of_wide(self, piece: bytes, error: UnicodeDecodeError) -> bytes:
        """Re-encode a piece of text whose file was in UTF-16 or UTF-32 so that it is valid UTF-8,
        half characters replaced; DataError if UTF-8 was asked for. error: the one that decoding
        raised."""
        if self.dialect.read_as == encodings.UTF8:
            row, line = self._place(piece, error.start)
            raise DataError(
                f"{self.name}: byte 0x{piece[error.start]:02x} near row {row} (line {line}) is not "
                f"UTF-8; leave {option('--encoding')} out, or say another, such as cp1252"
            ) from None
        return piece.decode("utf-8", encodings.LONE).encode("utf-8", "replace")

    def _place(self, piece: bytes, byte: int) -> tuple[int, int]:
        """Where in the text a byte of this piece stands, for messages: (about which row, which
        line), counted from 1. byte: its offset in the piece."""
        before = piece[:byte]
        records = 0
        if self.names:
            # counting again is slow, and only an error takes it
            records = len(fields(before, self.dialect.rule)) if before else 1
        return self.rows + max(records, int(bool(self.names))), self.lines + lines_in(before) + 1

    # ---- records

    def _without_comments(self, found: Fields) -> Fields:
        """The records without comments. A record that begins with the marker and is as wide as the
        table is a comment only if a blank, or the marker again, follows."""
        self.numbers = None
        marker = self.dialect.comment.encode()
        # cheap, and true of most pieces
        if not marker or marker not in found.text:
            return found
        is_comment = np.zeros(len(found), np.bool_)
        spaced = (marker + b" ", marker + b"\t", marker + marker)
        for record, begin in enumerate(found.begin.tolist()):
            if not found.text.startswith(marker, begin):
                continue
            # a comment seldom has just as many fields as the table
            ragged = bool(self.names) and found.width[record] != len(self.names)
            is_comment[record] = ragged or found.text.startswith(spaced, begin)
        self.left.comments += int(is_comment.sum())
        return self._only(found, ~is_comment)

    def _without_drawing(self, found: Fields) -> Fields:
        """The records without drawn lines between them, and without the empty fields at the edges
        of a box."""
        drawn = np.zeros(len(found), np.bool_)
        ends = [*found.begin[1:].tolist(), len(found.text)]
        # as wide as the table it may be a record of gaps
        for record in np.flatnonzero(found.width < found.width.max(initial=0)):
            line = found.text[found.begin[record] : ends[record]]
            drawn[record] = cells.is_ruler([line.decode(errors="replace").strip()])
        found = self._only(found, ~drawn)
        if self.dialect.edge == BOX:
            found = found.inner(found.width > 2)
        return found

    def _only(self, found: Fields, chosen: Mask) -> Fields:
        """Keep only the records where the mask `chosen` is True, with their numbers kept in
        `numbers`."""
        if chosen.all():
            return found
        numbers = self.rows + np.arange(len(found)) if self.numbers is None else self.numbers
        self.numbers = numbers[chosen]
        return found.only(chosen)

    def _regular(self, found: Fields) -> Fields:
        """The records with as many fields as there are names; DataError if another is among them.

        Empty fields at the end of lines are left out where blanks part fields, or where all records
        have one; the last lines of a text may be no records, and are kept as its footer.
        """
        columns = len(self.names)
        if found.columns == columns and not self.left.footer:
            return found
        if self.dialect.delimiter == BLANK or self.dialect.edge == RECORD_TAIL:
            surplus = (found.width == columns + 1) & _last_is_empty(found)
            if surplus.any():
                found = found.without_last(surplus)
        bad = np.flatnonzero(found.width != columns)
        regular = np.flatnonzero(found.width == columns)
        if self.left.footer_error is not None and len(regular):
            raise self.left.footer_error
        end = int(regular[-1]) + 1 if len(regular) else 0
        # a regular record follows: it is no footer
        if len(bad) and bad[0] < end:
            raise self._ragged(found, int(bad[0]))
        for record in range(end, len(found)):
            self._keep_for_footer(found, record)
        if end < len(found):
            found = found.only(np.arange(len(found)) < end)
        return found

    def _keep_for_footer(self, found: Fields, record: int) -> None:
        """Add a record to the footer, which is no record if no other follows; DataError if it
        cannot be of a footer."""
        error = self._ragged(found, record)
        values = found.only(np.arange(len(found)) == record).records()[0]
        first = values[0].decode()
        too_early = self.rows == 0 and record == 0
        # such as "Total" or "source: ..."
        short = len(values) < len(self.names) and not cells.is_figure(first)
        if too_early or not (short or cells.is_ruler([cell.decode() for cell in values])):
            raise error
        self.left.footer.append(
            _quoted(self.dialect.delimiter.join(cell.decode() for cell in values))
        )
        self.left.footer_error = self.left.footer_error or error
        if len(self.left.footer) > MOST_FOOTER:
            raise self.left.footer_error

    def _ragged(self, found: Fields, record: int) -> DataError:
        """The error for record number `record`, from 0, of these fields, which has another number
        of fields than the table has columns: it says the row and the line, from 1."""
        row = 1 + (self.rows + record if self.numbers is None else int(self.numbers[record]))
        line = self.lines + lines_in(found.text[: found.begin[record]]) + 1
        width = int(found.width[record])
        columns = len(self.names)
        where = f"{self.name}: row {row} (line {line}) has {width} field{'s' * (width != 1)}"
        expected = f"{columns} {'is' if columns == 1 else 'are'} expected"
        if row == 1:
            return DataError(
                f"{where} where the header has {columns}; if the table begins further down, say "
                f"{option('--skip-rows')} N; if something else parts fields, "
                f"{option('--delimiter')} CHAR"
            )
        return DataError(
            f"{where} where {expected}; mend that line, or quote cells that hold the delimiter"
        )


def _without_end_mark(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the pieces of a text without the bytes 0x1A at its very end, by which CP/M and DOS
    marked the end of a text."""
    piece = next(pieces)
    for following in pieces:
        yield piece
        piece = following
    yield piece.rstrip(END_MARK)


def _last_is_empty(found: Fields) -> Mask:
    """(records,) bool: whether the last field of a record is empty, and without quotes."""
    last = np.cumsum(found.width, dtype=np.int64) - 1
    _, start, stop = found.values()
    return np.asarray((start[last] == stop[last]) & (found.kind[last] == BARE))


def lines_in(text: bytes) -> int:
    """How many line ends a text has; CR LF counts as one."""
    ends = count_of(text, LF)
    if b"\r" in text:
        ends += count_of(text, CR) - text.count(b"\r\n")
    return ends


def _quoted(text: str) -> str:
    return repr(text if len(text) <= SHOWN else text[: SHOWN - 3] + "...")


def apart(names: Sequence[str], tell: Tell = lambda line: None) -> tuple[str, ...]:
    """Make column names different from each other: the second and later of equal ones get a number,
    a, a.2, a.3. tell: is passed a line on each name that repeats."""
    taken = set(names)
    seen: dict[str, int] = {}
    different = []
    for column in names:
        seen[column] = seen.get(column, 0) + 1
        name = column
        if seen[column] > 1:
            number = seen[column]
            while f"{column}.{number}" in taken:
                number += 1
            name = f"{column}.{number}"
            taken.add(name)
        different.append(name)
    again = {column: count for column, count in seen.items() if count > 1}
    for column, count in again.items():
        last = [name for name, own in zip(different, names, strict=True) if own == column][-1]
        tell(f"column '{column}' is there {count} times: the last is called '{last}'")
    return tuple(different)


def header_names(cells: Sequence[str], tell: Tell = lambda line: None) -> tuple[str, ...]:
    """The names of columns by the cells of a header, trimmed and each different; an empty one
    becomes column<i>."""
    return apart([c.strip() or f"column{i + 1}" for i, c in enumerate(cells)], tell)
