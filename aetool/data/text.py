"""Tables in text as columns of cells, batch by batch, cut by the rule of aetool.csv."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np

from aetool.csv import cells, cutting, encodings
from aetool.csv.dialect import BLANK, BOX, RECORD_TAIL, SKIP, Dialect
from aetool.csv.encodings import NoTableError
from aetool.csv.fields import BARE, CR, LF, Fields, count_of, fields, strip_blanks
from aetool.csv.sniffing import MOST_FOOTER
from aetool.data.table import Cells, Mask, Table
from aetool.errors import DataError
from aetool.model import Int
from aetool.spelling import option

CHUNK = 4 << 20  # bytes of a piece
END_MARK = b"\x1a"
SHOWN = 40  # characters of a line that is quoted
FIRST_BAD = 5  # lines with a wrong number of fields that a message names

Tell = Callable[[str], None]


@dataclass(frozen=True)
class BadLine:
    """A record with another number of fields than its table has. row, line: where it is, from 1;
    width: how many fields it has."""

    row: int
    line: int
    width: int


@dataclass(eq=False)
class LeftOut:
    """Which lines of a text, or of a part of it, are no records, and what else is unusual.

    comments: how many records are comments. footer: lines at the end, each quoted and cut for a
    message, no records unless records follow, and footer_error, the error if they do; None without
    such lines. odd_bytes: a line for the user on the first bytes that are not UTF-8, or "".
    has_records: whether there is any record. bad, first_bad: how many records have another number
    of fields than the table, and the first FIRST_BAD (5) of them; passed over only if skips_bad.
    bad_in_footer: of the lines of the footer, which are such if records follow.
    """

    comments: int = 0
    footer: list[str] = field(default_factory=list)
    footer_error: DataError | None = None
    odd_bytes: str = ""
    has_records: bool = False
    bad: int = 0
    first_bad: list[BadLine] = field(default_factory=list)
    bad_in_footer: list[BadLine] = field(default_factory=list)
    skips_bad: bool = False

    def note_bad(self, lines: Sequence[BadLine]) -> None:
        """Note records with a wrong number of fields, in place: counted, the first ones kept."""
        self.bad += len(lines)
        room = FIRST_BAD - len(self.first_bad)
        self.first_bad += lines[: max(room, 0)]

    def footer_is_bad(self) -> None:
        """Note, in place, that the lines that looked like a footer are records with a wrong number
        of fields, as records follow them."""
        self.note_bad(self.bad_in_footer)
        self.bad_in_footer = []
        self.footer = []
        self.footer_error = None

    def add(self, following: LeftOut) -> None:
        """Join what the following part of the text left out to this, in place. DataError if that
        shows that lines taken for a footer stand between records, or are more than MOST_FOOTER
        (10)."""
        self.skips_bad |= following.skips_bad
        # what looked like a footer has records behind it
        if self.footer_error is not None and following.has_records:
            if not self.skips_bad:
                raise self.footer_error
            self.footer_is_bad()
        self.note_bad(following.first_bad)
        # of the others only their number is known
        self.bad += following.bad - len(following.first_bad)
        self.bad_in_footer += following.bad_in_footer
        self.comments += following.comments
        self.footer += following.footer
        self.footer_error = self.footer_error or following.footer_error
        if len(self.footer) > MOST_FOOTER:
            assert self.footer_error is not None
            if not self.skips_bad:
                raise self.footer_error
            self.footer_is_bad()
        # only the first such bytes of a text are named
        self.odd_bytes = self.odd_bytes or following.odd_bytes
        self.has_records |= following.has_records

    def say(self, tell: Tell, marker: str) -> None:
        """Pass lines on the footer and the comments, one on each if there are such, to `tell`; to
        be called at the end of a text. odd_bytes is not said here. marker: what comments begin
        with."""
        if self.footer:
            lines = "the last lines are"
            if len(self.footer) == 1:
                lines = "the last line is"
            few = ", ".join(self.footer[:3])
            tell(f"{lines} not of the table: {few}")
        if self.comments:
            lines = "line is" if self.comments == 1 else "lines are"
            tell(f"{self.comments} {lines} left out as beginning with {marker}")
        if self.bad:
            lines = "line is" if self.bad == 1 else "lines are"
            tell(
                f"{self.bad:,} {lines} passed over for too few or too many fields: "
                f"{self.bad_in_words()}"
            )

    def bad_in_words(self) -> str:
        """Words for a message on the records with a wrong number of fields, at least one: the line
        of each of the first, and how many fields it has."""
        words = []
        for bad in self.first_bad:
            words.append(f"line {bad.line} ({_count_of_fields(bad.width)})")
        if self.bad > len(self.first_bad):
            words.append(f"and {self.bad - len(self.first_bad):,} more")
        return ", ".join(words)


@dataclass(frozen=True)
class Before:
    """The part of a text before a piece of it. names: of the columns; rows: how many records,
    comments counted; lines: how many lines, header and preamble counted; is_last: whether the text
    ends with the piece."""

    names: tuple[str, ...]
    rows: int
    lines: int
    is_last: bool


def tables_of_part(
    pieces: Iterator[bytes],
    name: str,
    dialect: Dialect,
    before: Before,
    left_out: LeftOut,
) -> Iterator[Table]:
    """Yield the records of a part of a text, a batch for each piece with records. pieces: bytes of
    whole records, in UTF-8; name: of the text, for messages; dialect: how it is written; before:
    what comes before the first piece; left_out: collects, in place, which lines are no records.
    DataError names the row that is not right."""
    # in a worker process nobody hears lines: what is unusual is returned in left_out
    reader = _Reader(name, dialect, tell=_say_nothing)
    reader.left_out = left_out
    left_out.skips_bad = dialect.skips_bad
    reader.is_part = True
    try:
        yield from reader.tables_behind(pieces, before)
    except NoTableError as error:
        raise DataError(f"{name}: row {reader.rows + 1}: {error}") from None


def _say_nothing(line: str) -> None:
    """Does nothing: takes the place of a Tell, a function that is passed lines for the user, where
    nobody wants to hear them."""


def tables(
    stream: BinaryIO,
    name: str,
    dialect: Dialect,
    tell: Tell = _say_nothing,
) -> Iterator[Table]:
    """Yield the records of a text table in order, a batch for each piece of about CHUNK (2^22)
    bytes; of a header alone one batch without records. DataError names the row that is not right.

    stream: UTF-8, see `encodings.utf8`, at its begin; bytes that are not UTF-8 are read as
    Windows-1252, unless an encoding was asked for. name: for messages. dialect: how it is written.
    tell: is passed a line on each thing that is unusual.
    """
    reader = _Reader(name, dialect, tell)
    try:
        yield from reader.tables(stream)
    except NoTableError as error:
        raise DataError(f"{name}: row {reader.rows + 1}: {error}") from None


class _Reader:
    """Reads a text, or a part of one, once, piece by piece. name: for messages; dialect: how it is
    written. tell: is passed a line on each thing that is unusual. rows, lines: how many records,
    comments between them counted, and lines came before the piece at hand. numbers: (records,),
    from 0 in the text, of the piece's records, where comments are between them; else None. names:
    of the columns, () until they are known. left_out: which lines are no records. is_part: whether
    it reads only a part of a text."""

    def __init__(self, name: str, dialect: Dialect, tell: Tell) -> None:
        self.name = name
        self.dialect = dialect
        self.tell = tell
        self.rows = 0
        self.lines = 0
        self.numbers: Int | None = None
        self.names: tuple[str, ...] = ()
        self.left_out = LeftOut(skips_bad=dialect.skips_bad)
        self.is_part = False
        # of the first record with a wrong number of fields, where these are not passed over
        self.width_error: _WidthError | None = None

    def tables(self, stream: BinaryIO) -> Iterator[Table]:
        """Yield the records of a text from its begin, batch by batch; at least one batch if it has
        a header. Sets `names`, and counts `rows` and `lines`. DataError for a record that is not
        right, NoTableError for one that is too long or bytes that cannot be decoded."""
        every_piece = cutting.pieces(stream, self.dialect, CHUNK)
        pieces = _without_end_mark(every_piece)
        # the first piece is all that stands before the records
        head = self._in_valid_utf8(next(pieces))
        self.names = self._names_in_header(head)
        self.lines += lines_in(head)
        yield from self._read_records(pieces)
        self.left_out.say(self.tell, self.dialect.comment)
        # a header alone is a table of no records
        if self.names and not self.left_out.has_records:
            no_cells = Cells.of([])
            yield Table(self.names, (no_cells,) * len(self.names))

    def tables_behind(self, pieces: Iterator[bytes], before: Before) -> Iterator[Table]:
        """Yield the records of a part of a text, batch by batch, without the text's header and, if
        it is the last part, without the end mark 0x1A of CP/M and DOS. pieces: bytes of whole
        records, in UTF-8; before: what comes before them, by which `names`, `rows` and `lines` are
        set. DataError for a record that is not right, NoTableError for one that is too long."""
        self.names = before.names
        self.rows = before.rows
        self.lines = before.lines
        # the mark 0x1A stands at the end of the whole text, not of each part
        if before.is_last:
            pieces = _without_end_mark(pieces)
        yield from self._read_records(pieces)

    def _read_records(self, pieces: Iterator[bytes]) -> Iterator[Table]:
        """Yield the records of pieces, each bytes of whole records, as one batch a piece; none of a
        piece without records. Counts them, and their lines, in `rows` and `lines`; notes in
        `left_out` what is no record. DataError for a piece that is not right: for records with a
        wrong number of fields when all pieces are read, so that it says how many there are."""
        for piece in pieces:
            text = self._in_valid_utf8(piece)
            # cut before comments are taken out: their lines are counted, too
            every = fields(text, self.dialect.rule)
            records = self._without_comments(every)
            if self.dialect.padded:
                records = self._without_drawing(records)
            if len(records):
                # without a header the first record tells how many columns there are
                if not self.names:
                    self.names = self._numbered_names(records)
                records = self._with_regular_width(records)
            # behind such a record nothing is yielded, and the others are only counted
            if len(records) and self.width_error is None:
                self.left_out.has_records = True
                yield self._table(records)
            self.rows += len(every)
            self.lines += lines_in(text)
        if self.width_error is not None:
            raise DataError(self.width_error.in_words(self.left_out, self.rows, self.is_part))

    def _table(self, records: Fields) -> Table:
        """Records, at least one, each with as many fields as there are names, as columns of cells
        that share one buffer; numbered by `rows` and `numbers`."""
        text, start, stop = records.values()
        if self.dialect.padded:
            strip_blanks(text, start, stop)
        null = np.zeros(len(start), np.bool_)
        count = len(self.names)
        columns = []
        for place in range(count):
            # fields lie record by record: every count-th is of one column
            of_column = slice(place, None, count)
            cells_of_column = Cells(
                text,
                start[of_column],
                stop[of_column],
                null[of_column],
            )
            columns.append(cells_of_column)
        numbers = self.numbers
        if numbers is not None:
            # lines at the end that are kept for a footer have numbers, and are no records
            numbers = numbers[: len(records)]
        return Table(
            self.names,
            tuple(columns),
            self.rows,
            numbers=numbers,
        )

    # ---- names

    def _names_in_header(self, head: bytes) -> tuple[str, ...]:
        """The names of the columns, no two equal, from `head`, all that stands before the first
        record; () without a header. Passes lines on what stands above and below the header, and on
        names that repeat, to `tell`."""
        dialect = self.dialect
        names = cutting.header_names(head, dialect)
        begin = cutting.begin_of_table(head, dialect)
        table = head[begin:]
        if dialect.preamble:
            lines = f"the first {dialect.preamble} lines are"
            if dialect.preamble == 1:
                lines = "the first line is"
            self.tell(f"{lines} not of the table")
        if dialect.below and names:
            records = fields(table, dialect.rule).records()
            # under the names, such as a line of units
            last_record = records[-1]
            line_below = _joined_by_delimiter(last_record, dialect)
            self.tell(f"under the header, no record: {_quoted_for_message(line_below)}")
        if dialect.named_again and names:
            line = lines_in(head) + 1
            self.tell(
                f"line {line} has words over columns of numbers and is read as a record: if it "
                f"names the columns, {option('--skip-rows')} {line - 1} begins there"
            )
        if dialect.delimiter == BLANK and len(names) > 1:
            # blanks at the end of the header make no further name
            last_name = cutting.names_of_record(table, dialect.rule)[-1]
            if not last_name:
                names = names[:-1]
        # a box has an empty field at each edge
        if dialect.edge == BOX:
            names = names[1:-1]
        return apart(names, self.tell)

    def _numbered_names(self, records: Fields) -> tuple[str, ...]:
        """Names for the columns of a table without header: c1, c2 ..., as many as the first of the
        records, at least one, has fields; passes a line on that to `tell`."""
        width = int(records.width[0])
        # blanks at the end of a line, between which fields stand, make no further field
        if self.dialect.delimiter == BLANK and width > 1:
            width -= int(_last_is_empty(records)[0])
        self.tell(f"no header: the columns are called c1 to c{width}")
        return tuple(f"c{number}" for number in range(1, width + 1))

    # ---- text

    def _in_valid_utf8(self, piece: bytes) -> bytes:
        """Return the piece as valid UTF-8. Bytes that are none are read as Windows-1252, and the
        first of a text is noted in `left_out` and passed to `tell` in a line. Where the file is in
        UTF-16, UTF-32 or an encoding that was asked for, halves of a surrogate pair become "?"
        instead, without such a line. DataError for a NUL byte, and for bytes that are no UTF-8 if
        the user asked for UTF-8."""
        # zeros are in no text, and in nearly every other file
        if b"\0" in piece:
            offset = piece.index(0)
            row, line = self._row_and_line_of(piece, offset)
            raise DataError(
                f"{self.name}: NUL byte near row {row} (line {line}); this is not a table in text"
            )
        # most text is, and then nothing has to be decoded
        if piece.isascii():
            return piece
        try:
            piece.decode("utf-8")
        except UnicodeDecodeError as error:
            was_wide = self.dialect.encoding in encodings.WIDE
            if was_wide or self.dialect.read_as:
                return self._without_surrogates(piece, error)
            # said once, however many there are
            if not self.left_out.odd_bytes:
                _, line = self._row_and_line_of(piece, error.start)
                self.left_out.odd_bytes = (
                    f"byte 0x{piece[error.start]:02x} in line {line} is not UTF-8: such bytes are "
                    f"read as Windows-1252; if that is wrong, say {option('--encoding')} NAME"
                )
                self.tell(self.left_out.odd_bytes)
            return encodings.mended(piece)
        return piece

    def _without_surrogates(self, piece: bytes, error: UnicodeDecodeError) -> bytes:
        """Re-encode a piece of text whose file is in UTF-16, UTF-32 or an encoding that was asked
        for so that it is valid UTF-8: halves of a surrogate pair become "?". DataError if UTF-8 was
        asked for. error: the one that decoding raised."""
        if self.dialect.read_as == encodings.UTF8:
            row, line = self._row_and_line_of(piece, error.start)
            raise DataError(
                f"{self.name}: byte 0x{piece[error.start]:02x} near row {row} (line {line}) is not "
                f"UTF-8; leave {option('--encoding')} out, or say another, such as cp1252"
            ) from None
        text = piece.decode("utf-8", encodings.LONE)
        return text.encode("utf-8", "replace")

    def _row_and_line_of(self, piece: bytes, offset: int) -> tuple[int, int]:
        """Where in the text a byte of this piece stands, for messages: (about which row, which
        line), counted from 1; row 0 before the names are known. offset: of the byte in the
        piece."""
        before = piece[:offset]
        line = self.lines + lines_in(before) + 1
        # before the names are known there is no record
        if not self.names:
            return self.rows, line
        # cutting the piece again is slow, and needed only for a message
        records = len(fields(before, self.dialect.rule)) if before else 1
        return self.rows + max(records, 1), line

    # ---- records

    def _without_comments(self, records: Fields) -> Fields:
        """The records without comments, which are counted in `left_out`; sets `numbers`, None if
        there are no comments. A record that begins with the dialect's marker and has as many fields
        as the table is a comment only if a blank, or the marker again, follows."""
        self.numbers = None
        text = records.text
        marker = self.dialect.comment.encode()
        # cheap, and true of most pieces
        if not marker or marker not in text:
            return records
        is_comment = np.zeros(len(records), np.bool_)
        # how a comment begins, however many fields it has
        sure_begins = (marker + b" ", marker + b"\t", marker + marker)
        columns = len(self.names)
        for record, begin in enumerate(records.begin.tolist()):
            if not text.startswith(marker, begin):
                continue
            # a comment seldom has just as many fields as the table
            has_other_width = columns > 0 and records.width[record] != columns
            is_comment[record] = has_other_width or text.startswith(sure_begins, begin)
        self.left_out.comments += int(is_comment.sum())
        return self._only_chosen(records, ~is_comment)

    def _without_drawing(self, records: Fields) -> Fields:
        """The records of a padded table without drawn lines such as ---+--- between them, and
        without the empty fields at the edges of a box; keeps their `numbers`. A line as wide as the
        widest record is kept."""
        is_drawn = np.zeros(len(records), np.bool_)
        begins = records.begin.tolist()
        # a record ends where the next begins
        ends = [*begins[1:], len(records.text)]
        # a line of as many fields as the table has may be a record of gaps
        widest = records.width.max(initial=0)
        for record in np.flatnonzero(records.width < widest):
            raw = records.text[begins[record] : ends[record]]
            line = raw.decode(errors="replace")
            is_drawn[record] = cells.is_ruler([line.strip()])
        records = self._only_chosen(records, ~is_drawn)
        if self.dialect.edge == BOX:
            records = records.inner(records.width > 2)
        return records

    def _only_chosen(self, records: Fields, chosen: Mask) -> Fields:
        """Return only the records where the mask `chosen`, (records,) bool, is True, and set
        `numbers` to those of them; where all are chosen, nothing is changed."""
        if chosen.all():
            return records
        numbers = self.numbers
        if numbers is None:
            numbers = self.rows + np.arange(len(records))
        self.numbers = numbers[chosen]
        return records.only(chosen)

    def _with_regular_width(self, records: Fields) -> Fields:
        """Return the records if all have as many fields as there are names; DataError if another is
        among them.

        Empty fields at the end of lines are left out where blanks part fields, or where all records
        have one; lines at the end with other numbers of fields may be no records, and are kept in
        `left_out` as the text's footer; DataError for those that cannot be such.
        """
        columns = len(self.names)
        # nearly always: all are as wide as the table, and no footer has begun
        if records.columns == columns and not self.left_out.footer:
            return records
        has_empty_ends = self.dialect.delimiter == BLANK or self.dialect.edge == RECORD_TAIL
        if has_empty_ends:
            records = _without_empty_ends(records, columns)
        is_regular = records.width == columns
        regular = np.flatnonzero(is_regular)
        irregular = np.flatnonzero(~is_regular)
        # an earlier piece ended with lines that looked like a footer, and records follow
        if self.left_out.footer_error is not None and len(regular):
            self._pass_over(self.left_out.bad_in_footer)
            self.left_out.footer_is_bad()
        end = int(regular[-1]) + 1 if len(regular) else 0
        # irregular lines before a regular record are no footer
        bad_lines = [self._bad_line(records, record) for record in irregular[irregular < end]]
        self.left_out.note_bad(bad_lines)
        self._pass_over(bad_lines)
        for record in range(end, len(records)):
            self._keep_for_footer(records, record)
        return self._only_chosen(records, is_regular)

    def _pass_over(self, bad_lines: Sequence[BadLine]) -> None:
        """Take note of records with a wrong number of fields: unless these are to be passed over,
        the first of a text is kept in `width_error`, which ends the reading."""
        if bad_lines and not self.dialect.skips_bad and self.width_error is None:
            self.width_error = self._error_of(bad_lines[0])

    def _keep_for_footer(self, records: Fields, record: int) -> None:
        """Add record number `record`, from 0, of these records to the footer in `left_out`, which
        is no record if no other follows. It is a bad line, and no footer, if it is the text's
        first, or neither a drawn line nor shorter than the table with no figure in its first cell,
        or if the footer has more than MOST_FOOTER (10) lines."""
        bad_line = self._bad_line(records, record)
        is_this = np.arange(len(records)) == record
        (values,) = records.only(is_this).records()
        texts = [value.decode() for value in values]
        is_first = self.rows == 0 and record == 0
        # such as "Total" or "source: ..."
        is_short = len(texts) < len(self.names) and not cells.is_figure(texts[0])
        left_out = self.left_out
        if is_first or not (is_short or cells.is_ruler(texts)):
            # what looked like a footer before it stands among such lines
            self._pass_over([*left_out.bad_in_footer, bad_line])
            left_out.footer_is_bad()
            left_out.note_bad([bad_line])
            return
        line = _joined_by_delimiter(values, self.dialect)
        left_out.footer.append(_quoted_for_message(line))
        left_out.bad_in_footer.append(bad_line)
        # the error of its first line, if records follow
        if left_out.footer_error is None:
            error = self._error_of(bad_line)
            alone = LeftOut(bad=1, first_bad=[bad_line])
            left_out.footer_error = DataError(error.in_words(alone, self.rows, is_part=True))
        if len(left_out.footer) > MOST_FOOTER:
            self._pass_over(left_out.bad_in_footer)
            left_out.footer_is_bad()

    def _bad_line(self, records: Fields, record: int) -> BadLine:
        """Where record number `record`, from 0, of these fields is, which has another number of
        fields than the table has columns."""
        row = 1 + self.rows + record
        # where comments were left out between records
        if self.numbers is not None:
            row = 1 + int(self.numbers[record])
        before = records.text[: records.begin[record]]
        line = self.lines + lines_in(before) + 1
        return BadLine(row, line, int(records.width[record]))

    def _error_of(self, bad_line: BadLine) -> _WidthError:
        """The error for a text of which this record is the first with a wrong number of fields."""
        return _WidthError(self.name, len(self.names), bad_line)


@dataclass(frozen=True)
class _WidthError:
    """What is wrong where records have another number of fields than their table. name: of the
    text; columns: of the table; first: the first such record."""

    name: str
    columns: int
    first: BadLine

    def in_words(self, left_out: LeftOut, rows: int, is_part: bool) -> str:
        """The message: where the first such record is, how many there are and where the next ones
        are, and what to do. left_out: counts them; rows: how many records the text has; is_part:
        whether only a part of the text was read, so that the numbers say nothing of the whole."""
        first = self.first
        fields = _count_of_fields(first.width)
        where = f"{self.name}: row {first.row} (line {first.line}) has {fields}"
        if first.row == 1:
            return (
                f"{where} where the header has {self.columns}; if the table begins further down, "
                f"say {option('--skip-rows')} N; if something else parts fields, "
                f"{option('--delimiter')} CHAR"
            )
        expected = f"{self.columns} {'is' if self.columns == 1 else 'are'} expected"
        skip = f"{option('--on-bad-lines')} {SKIP}"
        if left_out.bad <= 1:
            return (
                f"{where} where {expected}; mend that line, or quote cells that hold the "
                f"delimiter; {skip} passes over it"
            )
        of_all = "" if is_part else f" of {rows:,}"
        return (
            f"{where} where {expected}, and {left_out.bad:,} lines{of_all} are so: "
            f"{left_out.bad_in_words()}; mend these lines, or quote cells that hold the delimiter; "
            f"{skip} passes over them"
        )


def _count_of_fields(width: int) -> str:
    """How many fields a record has, in words."""
    return "1 field" if width == 1 else f"{width:,} fields"


def _joined_by_delimiter(values: Sequence[bytes], dialect: Dialect) -> str:
    """The values of a record, each in valid UTF-8, as a text with the delimiter between them, for a
    message: nothing is quoted."""
    return dialect.delimiter.join(value.decode() for value in values)


def _without_empty_ends(records: Fields, columns: int) -> Fields:
    """The records, but those with one field more than there are columns without their last field,
    if it is empty and not quoted."""
    is_wider = records.width == columns + 1
    has_surplus = is_wider & _last_is_empty(records)
    if not has_surplus.any():
        return records
    return records.without_last(has_surplus)


def _without_end_mark(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the pieces of a text, at least one, without the bytes 0x1A at its very end, by which
    CP/M and DOS marked the end of a text."""
    piece = next(pieces)
    for following in pieces:
        yield piece
        piece = following
    yield piece.rstrip(END_MARK)


def _last_is_empty(records: Fields) -> Mask:
    """Whether the last field of each record is empty, and without quotes: (records,) bool."""
    # fields are numbered through all records
    ends = np.cumsum(records.width, dtype=np.int64)
    last = ends - 1
    _, start, stop = records.values()
    is_empty = start[last] == stop[last]
    is_bare = records.kind[last] == BARE
    return np.asarray(is_empty & is_bare)


def lines_in(text: bytes) -> int:
    """How many line ends (LF, CR, or CR LF, which counts as one) a text has, in quotes, too."""
    ends = count_of(text, LF)
    if b"\r" in text:
        returns = count_of(text, CR)
        # those before a line feed are counted with it
        ends += returns - text.count(b"\r\n")
    return ends


def _quoted_for_message(text: str) -> str:
    """A text in quotes, as Python's repr writes it, for a message; one of more than SHOWN (40)
    characters is cut to as many, the last three "..."."""
    if len(text) > SHOWN:
        text = text[: SHOWN - 3] + "..."
    return repr(text)


def apart(names: Sequence[str], tell: Tell = _say_nothing) -> tuple[str, ...]:
    """Make column names different from each other, in order: the second and later of equal ones get
    a number, a, a.2, a.3, or a higher one where that name is taken. tell: is passed a line on each
    name that repeats."""
    used_names = set(names)
    times: Counter[str] = Counter()
    # what the last column of each name is called
    last_name_of: dict[str, str] = {}
    different = []
    for column in names:
        times[column] += 1
        name = column
        if times[column] > 1:
            number = times[column]
            # a column may be called a.2 already
            while f"{column}.{number}" in used_names:
                number += 1
            name = f"{column}.{number}"
            used_names.add(name)
        different.append(name)
        last_name_of[column] = name
    for column, count in times.items():
        if count > 1:
            last_name = last_name_of[column]
            tell(f"column '{column}' is there {count} times: the last is called '{last_name}'")
    return tuple(different)


def header_names(cells: Sequence[str], tell: Tell = _say_nothing) -> tuple[str, ...]:
    """The names of columns by the cells of a header, trimmed and each different; an empty one
    becomes column<i>, counted from 1. tell: is passed a line on each name that repeats."""
    names = []
    for number, cell in enumerate(cells, 1):
        names.append(cell.strip() or f"column{number}")
    return apart(names, tell)


def name_beside(name: str, taken: Container[str]) -> str:
    """What a column of the data is called in a table that has other columns already, such as "row":
    its own name, or, where one of those has it, "input.NAME", with as many "input." in front as it
    takes to be new. taken: the names that the table has already."""
    while name in taken:
        name = f"input.{name}"
    return name
