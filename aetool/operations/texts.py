"""Tables in text as their bytes: header record, pieces of whole records, names, bounds."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from fractions import Fraction

from aetool.codec import records
from aetool.codec.blocks import NO_HINTS
from aetool.codec.planning import Hints
from aetool.codec.records import Layout
from aetool.csv import cutting
from aetool.csv.fields import fields
from aetool.data import sources
from aetool.errors import ParamError


def pieces_of(source: sources.CsvSource, size: int) -> Iterator[bytes]:
    """What stands before the first record (a byte-order mark, blank lines, the header record), then
    pieces of whole records, of about this size."""
    with source.open_text() as stream:
        yield from cutting.pieces(stream, source.dialect, size)


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
    """What stands before the first record, and the columns' names."""
    pieces = pieces_of(source, 1 << 20)
    head = next(pieces)
    # without a header the first record tells how many columns there are
    names = cutting.header_names(head, source.dialect)
    if not names:
        first_records = fields(next(pieces, b""), source.dialect.rule)
        width = int(first_records.width[0]) if len(first_records) else 1
        names = [f"c{i + 1}" for i in range(width)]
    return head, names


def bounds_of(
    source: sources.CsvSource, layout: Layout, wanted: Mapping[str, str]
) -> dict[str, Fraction]:
    """The largest error of each column of numbers, by a look at the whole file."""
    seen: dict[str, tuple[Fraction, Fraction]] = {}
    pieces = pieces_of(source, layout.effort.block)
    next(pieces)
    for piece in pieces:
        records.ranges(piece, layout, seen)
    return allowed(wanted, list(layout.names), seen)


def taught(source: sources.CsvSource, layout: Layout) -> tuple[Layout, Hints]:
    """The layout with students learned from the file's first records, where they pay, and plans for
    its blocks."""
    pieces = pieces_of(source, layout.effort.block)
    next(pieces)
    piece = next(pieces, b"")
    if not piece:
        return layout, NO_HINTS
    found = records.taught(piece, layout, max(1.0, source.path.stat().st_size / len(piece)))
    if found is None:
        return layout, NO_HINTS
    return dataclasses.replace(layout, students=found[0]), found[1]
