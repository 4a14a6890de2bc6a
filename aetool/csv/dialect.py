"""How a table in text is written, told from its first bytes."""

from __future__ import annotations

import csv
import dataclasses
import io
from dataclasses import dataclass

from aetool.csv import encodings
from aetool.csv.encodings import BOM, NoTableError
from aetool.csv.fields import Rule, begins, fields

SAMPLE = 65536  # characters by which delimiters are judged
SAMPLE_RECORDS = 200
DELIMITERS = ",\t;|"
FEW_STRANGE = 4  # characters, which the shortest text may have
MOST_STRANGE = 0.05  # of the characters, before a file with zeros in it is binary
LEAST_BY_BLANKS = 3  # fields of a record, before blanks are what parts them
LEAST_REGULAR = 0.9  # of the records have as many fields as the first


@dataclass(frozen=True)
class Dialect:
    """How a table is written. space: blanks follow delimiters, and are no part of the values."""

    delimiter: str = ","
    newline: str = "\n"
    header: bool = True
    space: bool = False
    decimal: str = "."
    final_newline: bool = True
    bom: bool = False
    encoding: str = encodings.UTF8

    def to_json(self) -> dict[str, str | bool]:
        """Its facts; the encoding only where it is not the usual one."""
        facts = dataclasses.asdict(self)
        if self.encoding == encodings.UTF8:
            del facts["encoding"]
        return facts

    @property
    def rule(self) -> Rule:
        """How its records are cut."""
        return Rule(self.delimiter, self.space)


def sniff(head: bytes, name: str, delimiter: str | None = None) -> Dialect:
    """The dialect of a table from its first bytes (whole records, or all there is).

    NoTableError if they are no text: bytes of zero among other strange ones, and no fields that
    come in equal numbers.
    """
    encoding = encodings.encoding_of(head)
    if encoding in encodings.WIDE:
        head = head.decode(encoding, errors="ignore").encode(errors="replace")
    bom = head.startswith(BOM)
    body = head.removeprefix(BOM)
    text = body.decode("utf-8", errors="replace")[: SAMPLE + 1]
    regular = {d: _regular(text, d, False) or _regular(text, d, True) for d in DELIMITERS}
    if not any(regular.values()) and _regular(text, " ", True) >= LEAST_BY_BLANKS:
        delimiter = delimiter or " "
    if "\0" in text and not any(regular.values()) and _binary(text):
        raise NoTableError(
            f"{name}: this is a binary file, not a table in text; see `aetool --help`"
        )
    delimiter = delimiter or max(regular, key=lambda d: regular[d])
    space = delimiter == " " or _blanks_follow(_records(text, delimiter, False)[:100])
    rows = _records(text, delimiter, space)[:100]
    decimal = "," if delimiter != "," and _decimal_comma(rows[1:]) else "."
    first = rows[0] if rows else []
    if delimiter == " " and first[-1:] == [""]:  # blanks at the end of the line
        first = first[:-1]
    header = not first or not all(_is_number(c, decimal) for c in first)
    newline = _first_end(body, Rule(delimiter, space))
    final = body.endswith((b"\n", b"\r"))
    return Dialect(delimiter, newline, header, space, decimal, final, bom, encoding)


def _binary(text: str) -> bool:
    """Whether more of this is control characters than a few stray ones."""
    strange = sum(c < " " and c not in "\t\r\n\f\v" for c in text)
    return strange > max(FEW_STRANGE, MOST_STRANGE * len(text))


def _records(text: str, delimiter: str, space: bool) -> list[list[str]]:
    sample = io.StringIO(text[:SAMPLE], newline="")
    try:
        rows = csv.reader(sample, delimiter=delimiter, skipinitialspace=space)
        return [row for row, _ in zip(rows, range(SAMPLE_RECORDS), strict=False) if row]
    except csv.Error:
        return []


def _regular(text: str, delimiter: str, space: bool) -> int:
    """Columns this delimiter would give, if the same in nearly all records; else 0."""
    rows = _records(text, delimiter, space)
    if len(text) > SAMPLE:
        rows = rows[:-1]
    if not rows or len(rows[0]) < 2:
        return 0
    same = sum(len(r) == len(rows[0]) for r in rows)
    return len(rows[0]) if same >= LEAST_REGULAR * len(rows) else 0


def _blanks_follow(rows: list[list[str]]) -> bool:
    """Whether a blank follows every delimiter, the header's perhaps apart."""
    if len(rows) < 2 or len(rows[1]) < 2:
        return False
    return all(cell.startswith(" ") for row in rows[1:] for cell in row[1:])


def _first_end(body: bytes, rule: Rule) -> str:
    """What the first record ends with; LF if it has no end."""
    places = begins(body, rule, 2).tolist()
    first_record = body[: places[1] if len(places) > 1 else len(body)]
    return fields(first_record, rule).usual_end("\n")


def _decimal_comma(rows: list[list[str]]) -> bool:
    cells = [c.strip() for r in rows for c in r]
    comma = [c for c in cells if c.count(",") == 1 and _is_number(c, ",")]
    point = [c for c in cells if "." in c and _is_number(c, ".")]
    return bool(comma) and not point


def _is_number(cell: str, decimal: str) -> bool:
    try:
        float(cell.replace(decimal, "."))
    except ValueError:
        return False
    return "_" not in cell and any(c.isdigit() for c in cell)
