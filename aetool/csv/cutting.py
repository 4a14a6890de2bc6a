"""Streams of text cut between records, so that memory is bounded by the size of a piece."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from aetool.csv.dialect import Dialect
from aetool.csv.encodings import BOM, NoTableError
from aetool.csv.fields import begins, fields, last_begin

MAX_RECORD = 256 << 20  # bytes


def pieces(stream: BinaryIO, dialect: Dialect, size: int) -> Iterator[bytes]:
    """What stands before the first record, then pieces of whole records, of about `size` bytes.

    The first part is the byte-order mark, blank lines and the header record, whichever there are;
    each piece begins at a record. stream: UTF-8, or what is cut like it. NoTableError where a
    record has more than MAX_RECORD bytes.
    """
    text, first = _with_first_record(stream, dialect, size)
    yield text[:first]
    text = text[first:]
    step = size
    following = stream.read(step)
    while following:
        # a byte more tells whether a record begins at the end of the text; blank lines, and the LF
        # of a CR LF that was cut in two, belong to the record before them
        cut = last_begin(text + following[:1], dialect.rule)
        if cut > 0:
            yield text[:cut]
            text = text[cut:]
            step = size
        elif len(text) > MAX_RECORD:
            raise too_long()
        else:  # a long record were looked through again and again
            step *= 2
        text += following
        following = stream.read(step)
    if text:
        yield text


def too_long() -> NoTableError:
    """The error for a record that does not end."""
    return NoTableError(f"a record of more than {MAX_RECORD >> 20} MiB; is a quote left open?")


def _with_first_record(stream: BinaryIO, dialect: Dialect, size: int) -> tuple[bytes, int]:
    """(the first bytes of a text, where its first record behind the header begins in them)."""
    text = stream.read(max(size, len(BOM)))
    skipped = int(dialect.header)
    while True:
        mark = len(BOM) if text.startswith(BOM) else 0
        places = begins(text[mark:], dialect.rule, skipped + 1)
        if len(places) > skipped:
            return text, mark + int(places[skipped])
        more = stream.read(max(size, len(text)))
        if not more:
            return text, len(text)
        if len(text) > MAX_RECORD:
            raise too_long()
        text += more


def header_names(head: bytes, dialect: Dialect) -> list[str]:
    """The names in what stands before the first record, blanks around them apart; an empty one is
    column<i>. No names without a header."""
    if not dialect.header:
        return []
    record = fields(head.removeprefix(BOM), dialect.rule).records()[:1]
    cells = [_text(cell).strip() for row in record for cell in row]
    return [cell or f"column{i + 1}" for i, cell in enumerate(cells)]


def _text(cell: bytes) -> str:
    """A name as text; what is not UTF-8 as Latin-1."""
    try:
        return cell.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return cell.decode("latin-1")
