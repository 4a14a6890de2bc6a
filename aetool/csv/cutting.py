"""Streams of text cut between records, so that memory is bounded by the size of a piece."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from aetool.csv.dialect import BLANK, HEADER_TAIL, ROW_NAMES, SHARED_NAME, Dialect
from aetool.csv.encodings import BOM, NoTableError, mended
from aetool.csv.fields import Rule, begins, fields, last_begin

MAX_RECORD = 256 << 20  # bytes
LINE_END = re.compile(rb"\r\n|\r|\n")
NO_NAME = "row.names"  # what R calls the column that its header leaves out


def pieces(stream: BinaryIO, dialect: Dialect, size: int) -> Iterator[bytes]:
    """Yield a stream of text in pieces of whole records: each time that `size` bytes more are read,
    the records that end in what was read, or later where a record is longer. The first piece is
    everything above the first record: byte-order mark, preamble, blank lines, header record and
    what stands below it, whichever there are; b"" if none is.

    stream: UTF-8, or an encoding with ASCII in its lower half. NoTableError where a record has more
    than MAX_RECORD bytes (256 MiB).
    """
    text, first = _with_first_record(stream, dialect, size)
    yield text[:first]
    yield from records(stream, dialect, size, text[first:])


def records(stream: BinaryIO, dialect: Dialect, size: int, text: bytes = b"") -> Iterator[bytes]:
    """Yield pieces of whole records of a stream that begins at a record: each time that `size`
    bytes more are read, the records that end in what was read, or later where a record is longer.
    text: those bytes of the stream that were read already. NoTableError where a record has more
    than MAX_RECORD bytes (256 MiB)."""
    bytes_to_read = size
    following = stream.read(bytes_to_read)
    while following:
        # a byte more tells whether a record begins at the end of the text; blank lines, and the LF
        # of a CR LF that was cut in two, belong to the record before them
        cut = last_begin(text, dialect.rule, following[:1])
        if cut > 0:
            yield text[:cut]
            text = text[cut:]
            bytes_to_read = size
        elif len(text) > MAX_RECORD:
            raise too_long()
        else:  # no record ends in the text: longer steps, as all of it is looked through each time
            bytes_to_read *= 2
        text += following
        following = stream.read(bytes_to_read)
    if text:
        yield text


def too_long() -> NoTableError:
    """Return, not raise, the NoTableError for a record of more than MAX_RECORD (2^28) bytes."""
    return NoTableError(f"a record of more than {MAX_RECORD >> 20} MiB; is a quote left open?")


def _with_first_record(stream: BinaryIO, dialect: Dialect, size: int) -> tuple[bytes, int]:
    """Read the beginning of a text from a stream: (its first bytes, at least `size` if there are so
    many; the offset in them at which the first record behind the header begins, or their length if
    there is no record). NoTableError once more than MAX_RECORD (2^28) bytes were read, and that
    record does not begin in them, though there is more."""
    text = stream.read(max(size, len(BOM)))
    skipped = int(dialect.header) + dialect.below
    while True:
        table = begin_of_table(text, dialect)
        # the offsets of the header, of what stands below it, and of the first record
        places = begins(text[table:], dialect.rule, skipped + 1)
        if len(places) > skipped:
            return text, table + int(places[skipped])
        more = stream.read(max(size, len(text)))
        if not more:
            return text, len(text)
        if len(text) > MAX_RECORD:
            raise too_long()
        text += more


def begin_of_table(text: bytes, dialect: Dialect) -> int:
    """The offset in bytes at which the table begins, behind the byte-order mark and the preamble:
    that of its header, first record, or a blank line before these."""
    mark = len(BOM) if text.startswith(BOM) else 0
    if dialect.preamble:
        return mark + behind_lines(text[mark:], dialect.preamble)
    return mark


def behind_lines(text: bytes, count: int) -> int:
    """The offset in bytes just after the first `count` lines, whatever their line ends; the text's
    length if there are fewer."""
    if not count:
        return 0
    for number, end in enumerate(LINE_END.finditer(text), 1):
        if number == count:
            return end.end()
    return len(text)


def header_names(head: bytes, dialect: Dialect) -> list[str]:
    """The column names of the header record in `head`, the text before the first record, trimmed;
    an empty one becomes column<i>, counted from 1. [] without a header. head: UTF-8, or read as
    Windows-1252 where it is not.

    Of a header in a comment the marker is no name. By dialect.edge: ROW_NAMES puts `row.names`
    before the others, SHARED_NAME writes the name of two fields twice, HEADER_TAIL leaves the last
    out.
    """
    if not dialect.header:
        return []
    table = head[begin_of_table(head, dialect) :]
    names = names_of_record(table, dialect.rule)
    # a header may stand in a comment, as in `# a b c`
    if dialect.comment and names and names[0].startswith(dialect.comment):
        names = _names_behind_marker(names, dialect)
    if dialect.edge == ROW_NAMES:
        names = [NO_NAME, *names]
    if dialect.edge == SHARED_NAME:
        names.insert(dialect.shared, names[dialect.shared])
    if dialect.edge == HEADER_TAIL:
        names = names[:-1]
    return [name or f"column{i + 1}" for i, name in enumerate(names)]


def _names_behind_marker(names: list[str], dialect: Dialect) -> list[str]:
    """The names of a header that stands in a comment, without the comment's marker. Where the
    marker by itself is the first name, it is left out if blanks are the delimiter, and stays as a
    name if not."""
    first = names[0].lstrip(dialect.comment).strip()
    if first:
        return [first, *names[1:]]
    # `# a b`: the marker is a field of its own; `#,a,b`: it is the name of one
    return names[1:] if dialect.delimiter == BLANK else names


def names_of_record(text: bytes, rule: Rule) -> list[str]:
    """The values of the fields of a text's first record, without blanks around them; [] if it has
    no record. The bytes are read as UTF-8, or as Windows-1252 where they are none."""
    record = fields(text, rule).records()[:1]
    return [_decoded_cell(cell).strip() for row in record for cell in row]


def _decoded_cell(cell: bytes) -> str:
    """Decode the bytes of a cell: UTF-8; bytes that are none are read one by one as Windows-1252,
    so that a name is the one that detection gives."""
    try:
        return cell.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return mended(cell).decode()
