"""Tables in text as their bytes: header record, pieces of whole records, names, bounds."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterator, Mapping
from fractions import Fraction

from aetool.codec import records
from aetool.codec.blocks import NO_HINTS
from aetool.codec.planning import Hints
from aetool.codec.records import Layout
from aetool.data import sources, text
from aetool.errors import ParamError


def pieces_of(source: sources.CsvSource, size: int) -> Iterator[bytes]:
    """The bytes of the header record (and BOM; nothing without one), then pieces of whole
    records, of about this size."""
    dialect = source.dialect
    with sources.open_stream(source.path) as stream:
        left = stream.read(size)
        if dialect.header and left:
            ends = records.record_ends(left)
            while len(ends) < 2 and len(left) <= text.MAX_RECORD and (more := stream.read(size)):
                left += more
                ends = records.record_ends(left)
            yield left[: int(ends[0])]
            left = left[int(ends[0]) :]
        else:
            yield b""
        while True:
            cut = text.last_end(left, dialect)
            if not cut and len(left) > text.MAX_RECORD:  # one endless record: a quote left open
                cut = len(left)
            if cut:
                yield left[:cut]
                left = left[cut:]
            more = stream.read(size)
            if not more:
                break
            left += more
        if left:
            yield left


def column_names(head: bytes, delimiter: str) -> list[str] | None:
    """The names in a header record, blanks around them apart; None if there is none."""
    if not head:
        return None
    line = head.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace")
    row = next(csv.reader(io.StringIO(line, newline=""), delimiter=delimiter), [])
    return [c.strip() or f"column{i + 1}" for i, c in enumerate(row)] or None


def allowed(
    wanted: Mapping[str, str], names: list[str], seen: dict[str, tuple[Fraction, Fraction]]
) -> dict[str, Fraction]:
    """The largest error of each column of numbers, in its units. wanted: "E" or "E%" (of the
    column's range in this file) by column; "" is for all that are not named."""
    for name in wanted:
        if name and name not in names:
            raise ParamError(
                f"--max-error {name}=...: no column '{name}'; there are {', '.join(names)}"
            )
        if name and name not in seen:
            raise ParamError(f"--max-error {name}=...: column '{name}' does not hold numbers")
    out = {}
    for name, (low, high) in seen.items():
        given = wanted.get(name, wanted.get(""))
        if given is None:
            continue
        try:
            value = Fraction(given.removesuffix("%"))
        except (ValueError, ZeroDivisionError):
            raise ParamError(f"--max-error {given}: write a number such as 0.5 or 1%") from None
        if value < 0:
            raise ParamError(f"--max-error {given}: an error is 0 or more")
        out[name] = value * (high - low) / 100 if given.endswith("%") else value
    return out


def header_of(source: sources.CsvSource) -> tuple[bytes, list[str]]:
    """The bytes of the header record (nothing without one), and the columns' names."""
    pieces = pieces_of(source, 1 << 20)
    head = next(pieces)
    names = column_names(head, source.dialect.delimiter)
    if names is None:
        piece = next(pieces, b"")
        first = piece[: int(records.record_ends(piece)[0])] if piece else b""
        width = len(column_names(first, source.dialect.delimiter) or ["c1"])
        names = [f"c{i + 1}" for i in range(width)]
    return head, names


def ended(piece: bytes, dialect: text.Dialect) -> tuple[bytes, int]:
    """The piece with a line end, and how many bytes of it are not the source's."""
    if piece.endswith(b"\n"):
        return piece, 0
    end = b"\r\n" if dialect.newline == "\r\n" else b"\n"
    return piece + end, len(end)


def bounds_of(
    source: sources.CsvSource, layout: Layout, wanted: Mapping[str, str]
) -> dict[str, Fraction]:
    """The largest error of each column of numbers, by a look at the whole file."""
    seen: dict[str, tuple[Fraction, Fraction]] = {}
    pieces = pieces_of(source, layout.effort.block)
    next(pieces)
    for piece in pieces:
        records.ranges(ended(piece, source.dialect)[0], layout, seen)
    return allowed(wanted, list(layout.names), seen)


def taught(source: sources.CsvSource, layout: Layout) -> tuple[Layout, Hints]:
    """The layout with students learned from the file's first records, where they pay, and plans for
    its blocks."""
    pieces = pieces_of(source, layout.effort.block)
    next(pieces)
    piece = ended(next(pieces, b""), source.dialect)[0]
    found = records.taught(piece, layout, max(1.0, source.path.stat().st_size / len(piece)))
    if found is None:
        return layout, NO_HINTS
    return dataclasses.replace(layout, students=found[0]), found[1]
