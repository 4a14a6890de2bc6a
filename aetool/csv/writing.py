"""Writes values as fields and records of text, which csv.reader reads as the same values."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence

from aetool.csv.fields import Fields, Rule, is_open

ANY_END = "\r\n"
SPECIAL = '"' + ANY_END


def record(fields_as_written: Sequence[bytes], rule: Rule) -> bytes:
    """Join fields to a record, without its line end. fields_as_written: the bytes of each as they
    stand in a file, of which an empty one that could not be seen is quoted, and a quote left open
    closed."""
    columns = len(fields_as_written)
    visible = [field(raw, rule, columns) for raw in fields_as_written]
    delimiter = rule.delimiter.encode()
    return delimiter.join(visible)


def field(raw: bytes, rule: Rule, columns: int) -> bytes:
    """The bytes of a field as they must stand in a record of so many columns.

    An empty one by itself would be a blank line, and one between blanks that part fields would not
    be seen: both are quoted. A quote left open is closed. raw: as it stands in a file.
    """
    if is_open(raw, rule):
        return raw + b'"'
    # blanks alone are a value where the rule does not skip them
    visible_part = raw.strip(b" ") if rule.space else raw
    if visible_part or not _hidden_when_empty(rule, columns):
        return raw
    return b'""'


def _hidden_when_empty(rule: Rule, columns: int) -> bool:
    """Whether an empty field cannot be seen in a record of so many columns, as the record would be
    a blank line, or the field lie between blanks that part fields."""
    return columns == 1 or rule.delimiter == " "


def selected(
    records: Fields,
    places: Sequence[int],
    line_end: bytes,
) -> bytes:
    """Write records with only the fields at these places, from 0, in the order of `places`; fields
    that a record has not are empty. line_end: written behind each record, the last among them."""
    starts = records.start.tolist()
    stops = records.stop.tolist()
    lines = []
    first_field = 0
    for width in records.width.tolist():
        selected_fields = []
        for place in places:
            raw = b""
            # a short record ends before
            if place < width:
                number = first_field + place
                raw = records.text[starts[number] : stops[number]]
            selected_fields.append(raw)
        line = record(selected_fields, records.rule)
        lines.append(line + line_end)
        first_field += width
    return b"".join(lines)


def table(
    rows: Iterable[Sequence[str]],
    rule: Rule,
    line_end: str,
) -> str:
    """Write rows of values as records, each with line_end, quoted where needed; if the rule skips
    blanks, with a blank behind each delimiter."""
    write = _spaced_lines if rule.space else _plain_lines
    lines = write(rows, rule)
    return "".join(line + line_end for line in lines)


class _LineCollector:
    """A file for csv.writer that keeps the records it writes, without their line ends."""

    def __init__(self) -> None:
        """Begin with no records."""
        self.lines: list[str] = []

    def write(self, line: str) -> None:
        """Keep a record that csv.writer writes, without the line end behind it."""
        self.lines.append(line.removesuffix(ANY_END))


def _plain_lines(rows: Iterable[Sequence[str]], rule: Rule) -> list[str]:
    """The records of rows of values, without line ends, as csv.writer writes them: quoted where
    needed, with the rule's delimiter between fields."""
    collector = _LineCollector()
    # with this end both of its characters are quoted, whatever a record ends with
    writer = csv.writer(
        collector,
        delimiter=rule.delimiter,
        lineterminator=ANY_END,
    )
    writer.writerows(rows)
    return collector.lines


def _spaced_lines(rows: Iterable[Sequence[str]], rule: Rule) -> list[str]:
    """The records of rows of values, without line ends, quoted where needed, with a blank behind
    each delimiter; blanks as delimiter are one blank."""
    # a delimiter that is a blank is not written twice
    separator = rule.delimiter.rstrip(" ") + " "
    lines = []
    for row in rows:
        cells = [quoted(value, rule) for value in row]
        if _hidden_when_empty(rule, len(row)):
            cells = [cell or '""' for cell in cells]
        lines.append(separator.join(cells))
    return lines


def quoted(value: str, rule: Rule) -> str:
    """The value as a field of text: in quotes, its own quotes doubled, if it has a quote, a
    delimiter or a line end in it, or begins with a blank that the rule would skip; else as it
    is."""
    special = (*SPECIAL, rule.delimiter)
    is_special = any(character in value for character in special)
    # a blank at its begin would be skipped
    is_cut = rule.space and value.startswith(" ")
    if not is_special and not is_cut:
        return value
    # a quote within quotes is written twice
    escaped = value.replace('"', '""')
    return f'"{escaped}"'
