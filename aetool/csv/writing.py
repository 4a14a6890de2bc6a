"""Writes values as fields and records of text, which csv.reader reads as the same values."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence

from aetool.csv.fields import Fields, Rule, is_open

ANY_END = "\r\n"
SPECIAL = '"' + ANY_END


def record(fields_as_written: Sequence[bytes], rule: Rule) -> bytes:
    """Join fields to a record, without its line end. fields_as_written: the bytes of each as they
    stand in a file."""
    columns = len(fields_as_written)
    visible = [field(raw, rule, columns) for raw in fields_as_written]
    return rule.delimiter.encode().join(visible)


def field(raw: bytes, rule: Rule, columns: int) -> bytes:
    """The bytes of a field as they must stand in a record of so many columns.

    An empty one by itself would be a blank line, and one between blanks that part fields would not
    be seen: both are quoted. A quote left open is closed.
    """
    if is_open(raw, rule):
        return raw + b'"'
    # blanks alone are a value where the rule does not skip them
    visible_part = raw.strip(b" ") if rule.space else raw
    if not visible_part and _hidden_when_empty(rule, columns):
        return b'""'
    return raw


def _hidden_when_empty(rule: Rule, columns: int) -> bool:
    return columns == 1 or rule.delimiter == " "


def selected(records: Fields, places: Sequence[int], line_end: bytes) -> bytes:
    """Write records with only the fields at these places, in their order; fields that a record has
    not are empty."""
    starts = records.start.tolist()
    stops = records.stop.tolist()
    lines = []
    first_field = 0
    for width in records.width.tolist():
        chosen = []
        for place in places:
            raw = b""
            if place < width:
                number = first_field + place
                raw = records.text[starts[number] : stops[number]]
            chosen.append(raw)
        lines.append(record(chosen, records.rule) + line_end)
        first_field += width
    return b"".join(lines)


def table(rows: Iterable[Sequence[str]], rule: Rule, line_end: str) -> str:
    """Write rows of values as records, each with line_end, quoted where needed; if the rule skips
    blanks, with a blank behind each delimiter."""
    lines = _spaced_lines(rows, rule) if rule.space else _plain_lines(rows, rule)
    return "".join(line + line_end for line in lines)


class _LineCollector:
    """A file for csv.writer that keeps the records it writes, without their line ends."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, line: str) -> None:
        self.lines.append(line.removesuffix(ANY_END))


def _plain_lines(rows: Iterable[Sequence[str]], rule: Rule) -> list[str]:
    collector = _LineCollector()
    # with this end both of its characters are quoted, whatever a record ends with
    writer = csv.writer(collector, delimiter=rule.delimiter, lineterminator=ANY_END)
    writer.writerows(rows)
    return collector.lines


def _spaced_lines(rows: Iterable[Sequence[str]], rule: Rule) -> list[str]:
    separator = rule.delimiter.rstrip(" ") + " "
    lines = []
    for row in rows:
        hidden = _hidden_when_empty(rule, len(row))
        cells = [quoted(value, rule) for value in row]
        lines.append(separator.join(cell or '""' if hidden else cell for cell in cells))
    return lines


def quoted(value: str, rule: Rule) -> str:
    """The value as a field, in quotes if it has a quote, a delimiter or a line end in it."""
    special = any(character in value for character in (*SPECIAL, rule.delimiter))
    if not special and not (rule.space and value.startswith(" ")):
        return value
    return '"' + value.replace('"', '""') + '"'
