"""Tables in JSON: an object on each line, or one document in any of the usual forms."""

from __future__ import annotations

import functools
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from aetool.canonical import Json
from aetool.csv import encodings
from aetool.data import notices
from aetool.data.json_objects import (
    BOOL,
    HALF,
    NO_JSON,
    STRING,
    TYPES,
    VALUES,
    RepeatedKeyError,
    fault_of,
    is_number,
    is_value,
    parsed,
    whole_text,
)
from aetool.data.streams import open_stream
from aetool.data.table import Cells, Table, Values
from aetool.data.table_source import ROWS, TableSource
from aetool.data.text import apart
from aetool.errors import DataError

MOST_JSON = 1 << 30  # bytes of a document that is read at once
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")  # half a pair, as JSON writes it
SHOWN = 20  # characters of a line that tell where in it something stands

Record = dict[str, Json]


class JsonLinesSource(TableSource):
    """A table of JSON lines: each line is one object, a record; its columns are the keys of the
    first ROWS (65,536) records, and a key that is new behind these is a DataError, as is a line
    that is no object. path: of the file, compressed or not, in UTF-8; name: for messages. All
    values are cells of text; `dtypes` is filled while batches are read, of all columns but those of
    numbers alone: see `_type_of`."""

    is_in_text = True

    def __init__(self, path: Path, name: str) -> None:
        super().__init__(name, {"format": "jsonl", "suffix": ".jsonl"})
        self.path = path

    def batches(self) -> Iterator[Table]:
        """Yield the records, ROWS (65,536) at a time, numbered by their lines; nothing without any.
        DataError for a key that is new behind the first batch, and errors of `_records`."""
        # the first batch tells the columns: a key that comes later is an error
        names: tuple[str, ...] = ()
        records: list[Record] = []
        numbers: list[int] = []  # blank lines are counted, as they are in archives
        for number, record in self._records():
            records.append(record)
            numbers.append(number)
            if len(records) == ROWS:
                names = names or _keys(records)
                yield self._table(names, records, numbers)
                records = []
                numbers = []
        if records:
            yield self._table(names or _keys(records), records, numbers)

    def _records(self) -> Iterator[tuple[int, Record]]:
        """Yield (number of its line, from 0, record) of each record; blank lines are counted, and
        are no records. Halves of surrogate pairs are U+FFFD. DataError for a line that is no JSON,
        no object, has a key twice, or is not UTF-8."""
        stream = open_stream(self.path)
        # bytes that are not UTF-8 become halves of surrogate pairs, so that their line is known: a
        # strict decoder would fail on a stretch of many lines
        with io.TextIOWrapper(stream, "utf-8-sig", "surrogateescape") as lines:
            for number, line in enumerate(lines):
                if not number:
                    _refuse_utf_16_and_32(line.encode("utf-8", "surrogateescape"), self.name)
                if not line.isascii() and HALF.search(line):
                    # its bytes again, which raises DataError with the place of the wrong one
                    raw = line.encode("utf-8", "surrogateescape")
                    _text_of_utf8(raw, self.name, number + 1)
                if not line.strip():
                    continue
                record = self._record(line, number + 1)
                # halves of pairs as escapes; they are rare, and a search costs less than replacing
                if SURROGATE.search(line):
                    record = _in_whole_characters(record)
                yield number, record

    def _record(self, line: str, number: int) -> Record:
        """The record on a line; DataError if the line is no JSON, no object, or has a key twice.
        number: of the line, from 1, for messages."""
        try:
            record = parsed(line)
        except (ValueError, RecursionError) as error:
            fault = fault_of(error)
            advice = "mend that line"
            if fault.startswith(NO_JSON):
                advice = (
                    "write an object {...} on each line, or a list [{...}, ...] in a .json file"
                )
            raise DataError(f"{self.name}: line {number} {fault}; {advice}") from None
        except RepeatedKeyError as fault:
            raise DataError(f"{self.name}: line {number} {fault}") from None
        if not isinstance(record, dict):
            raise DataError(f"{self.name}: line {number} is not an object {{...}}")
        return record

    def _table(
        self,
        names: tuple[str, ...],
        records: list[Record],
        numbers: Sequence[int],
    ) -> Table:
        """Records, at least one, as a table of the columns `names`. Columns that have texts, truths
        or nested values are `typed`, and get a type in `dtypes`. numbers: of the records in the
        source, from 0, ascending. DataError if a record has a key that is none of `names`."""
        self._refuse_new_keys(names, records, numbers)
        values: list[Values] = []
        typed = set()
        for name in names:
            # a key that is missing is a gap
            column = [record.get(name) for record in records]
            kind = _type_of(column)
            if kind is not None:
                typed.add(name)
                before = self.dtypes.get(name, kind)
                # TYPES is in such an order that the later of two holds the values of both
                self.dtypes[name] = max(before, kind, key=TYPES.index)
            cells = [_json_cell(value) for value in column]
            values.append(Cells.of(cells))
        first = numbers[0]
        last = numbers[-1]
        # without blank lines between records, they are numbered from the first on
        follow_one_another = last - first + 1 == len(numbers)
        numbers_of_records = None if follow_one_another else np.array(numbers)
        return Table(names, tuple(values), first, frozenset(typed), numbers_of_records)

    def _refuse_new_keys(
        self,
        names: tuple[str, ...],
        records: list[Record],
        numbers: Sequence[int],
    ) -> None:
        """Raise DataError where a record has a key that is none of the columns `names`. numbers: of
        the records in the source, from 0, for the message."""
        known_names = set(names)
        for number, record in zip(numbers, records, strict=True):
            if record.keys() <= known_names:
                continue
            extra = next(key for key in record if key not in known_names)
            raise DataError(f"{self.name}: record {number + 1} brings a new key '{extra}'")


class JsonDocumentSource(JsonLinesSource):
    """A table that is one JSON document of at most MOST_JSON (2^30) bytes, read at once: a list of
    objects or of rows, or an object in any form of `_records_of_object`. Its columns are the keys
    of all records."""

    def batches(self) -> Iterator[Table]:
        """Yield the records, ROWS (65,536) at a time; nothing without any. DataError for a document
        that is too large, no JSON or no table."""
        records = _records_of(self._document(), self.name)
        # as `_in_whole_characters` changes the keys below; two may become one
        mended = [whole_text(key) for key in _keys(records)]
        names = tuple(dict.fromkeys(mended))
        for row in range(0, len(records), ROWS):
            # a piece at a time: the document is in memory twice otherwise
            batch = records[row : row + ROWS]
            part = [_in_whole_characters(record) for record in batch]
            numbers = range(row, row + len(part))
            yield self._table(names, part, numbers)

    def _document(self) -> object:
        """The parsed document, read at once; DataError if it has more than MOST_JSON (2^30) bytes,
        is no JSON in UTF-8, or an object in it has a key twice."""
        with open_stream(self.path) as stream:
            # one byte more, to tell a document of just that size from a larger one
            raw = stream.read(MOST_JSON + 1)
        if len(raw) > MOST_JSON:
            raise DataError(
                f"{self.name}: a JSON document of more than {MOST_JSON >> 20} MiB is not read at "
                "once; write an object on each line, as .jsonl"
            )
        _refuse_utf_16_and_32(raw, self.name)
        text = _text_of_utf8(raw.removeprefix(encodings.BOM), self.name)
        try:
            return parsed(text)
        except (ValueError, RecursionError) as error:
            fault = fault_of(error)
            if fault.startswith(NO_JSON):
                fault = f"not JSON: {error}"
            raise DataError(f"{self.name}: {fault}") from None
        except RepeatedKeyError as repeated:
            raise DataError(f"{self.name}: {repeated}") from None


def _refuse_utf_16_and_32(begin: bytes, name: str) -> None:
    """Raise DataError for JSON in UTF-16 or UTF-32, with a mark or without one, by its first bytes,
    of which four are looked at. name: of the source."""
    # the first two characters of JSON are ASCII: zero bytes beside them show a wide encoding
    encoding = json.detect_encoding(begin[:4])
    if not encoding.startswith("utf-8"):
        raise DataError(
            f"{name}: is {encoding.upper()}, and JSON is UTF-8; save the whole file as UTF-8"
        )


def _text_of_utf8(raw: bytes, name: str, line: int = 1) -> str:
    """The text of bytes in UTF-8; DataError names the first byte that is not, its line and what
    stands before it there. name: of the source; line: the number, from 1, of the first line."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode()
        line += before.count("\n")
        beginning = before.rpartition("\n")[2]
        where = f"behind {beginning[-SHOWN:]!r}" if beginning else "at its begin"
        raise DataError(
            f"{name}: line {line} is not UTF-8, as JSON is: byte 0x{raw[error.start]:02x} "
            f"{where}; mend that line, or save the whole file as UTF-8"
        ) from None


def _records_of(document: object, name: str) -> list[Record]:
    """The records of a parsed JSON document, an object each: those in a list of objects, the rows
    of a list of lists, or those of an object that holds columns, records or rows by name (see
    `_records_of_object`); [] of an empty list. DataError for anything else. name: for messages."""
    if isinstance(document, dict):
        return _records_of_object(document, name)
    if not isinstance(document, list):
        raise DataError(f"{name}: a single value, where a list [{{...}}, ...] is wanted")
    # a list of lists is rows without names
    if document and _are_all(document, list):
        return _records_of_rows(document, name)
    for number, record in enumerate(document, 1):
        if not isinstance(record, dict):
            raise DataError(f"{name}: item {number} of the list is not an object {{...}}")
    return document


def _are_all(values: Sequence[object], kind: type) -> bool:
    """Whether every one of the values is of a type; True without values."""
    return all(isinstance(value, kind) for value in values)


def _records_of_object(document: Record, name: str) -> list[Record]:
    """The records of a JSON object in one of the forms in which pandas writes tables: columns by
    name, records by number, names beside rows ("columns", "data", and "index", which is left out),
    or with a schema ("schema", "data"). Any other object is one record. name: for messages and
    notices. DataError for rows of different lengths."""
    # as pandas writes it with orient="split"
    if document.keys() - {"index"} == {"columns", "data"}:
        rows = document["data"]
        columns = document["columns"]
        if isinstance(columns, list) and isinstance(rows, list) and _are_all(rows, list):
            tell = functools.partial(notices.say, name)
            # a name that is there twice would hide one of its columns
            names = apart([str(column) for column in columns], tell)
            return _records_of_rows(rows, name, names)
    # as pandas writes it with orient="table"
    if document.keys() == {"schema", "data"}:
        records = document["data"]
        if isinstance(records, list) and _are_all(records, dict):
            return records
    parts = list(document.values())
    # an object without members, or with empty ones, is no form of a table
    if not parts or not all(parts):
        return [document]
    if _are_all(parts, list):
        return _records_of_columns(document)
    if _are_all(parts, dict):
        return _records_of_objects(document)
    return [document]


def _records_of_columns(document: dict[str, list[Json]]) -> list[Record]:
    """The records of an object of lists by name: one a row if all lists are of one length, as
    columns are; else the object itself as the one record."""
    columns = document.values()
    lengths = {len(column) for column in columns}
    if len(lengths) > 1:
        return [document]
    rows = zip(*columns, strict=True)
    return [dict(zip(document, row, strict=True)) for row in rows]


def _records_of_objects(document: dict[str, Record]) -> list[Record]:
    """The records of an object of objects, at least one. Where the inner objects have different
    keys, the object itself is the one record. Else, if the outer keys are all numbers and the inner
    ones are not, as in {"0": {"a": 1, "b": 2}}, the inner objects are the records; if not, as in
    {"a": {"0": 1}, "b": {"0": 2}}, each inner key gives a record, whose columns are the outer
    keys."""
    parts = list(document.values())
    inner_keys = parts[0].keys()
    if any(part.keys() != inner_keys for part in parts):
        return [document]
    # records by their numbers
    if _are_numbers(document) and not _are_numbers(inner_keys):
        return parts
    # columns by their names, each with its values by row
    records = []
    for row in inner_keys:
        records.append({column: document[column][row] for column in document})
    return records


def _are_numbers(keys: Iterable[str]) -> bool:
    """Whether every key is a whole number in digits, as pandas writes the numbers of rows as
    keys."""
    return all(key.isdigit() for key in keys)


def _records_of_rows(
    rows: list[list[Json]],
    name: str,
    columns: Sequence[str] | None = None,
) -> list[Record]:
    """Rows, lists of values, as records by column. columns: their names; None or empty: c1, c2 ...
    name: of the source, for messages. DataError if a row has not as many values as there are names,
    or, without names, as the first row. [] without rows."""
    # without a row nothing tells how many columns there are
    if not rows:
        return []
    names: Sequence[str] | None = columns
    if not names:
        names = [f"c{place + 1}" for place in range(len(rows[0]))]
    records = []
    for number, row in enumerate(rows, 1):
        if len(row) != len(names):
            raise DataError(f"{name}: row {number} has {len(row)} values, others {len(names)}")
        records.append(dict(zip(names, row, strict=True)))
    return records


def _keys(records: list[Record]) -> tuple[str, ...]:
    """The keys of all records, in the order in which they first appear."""
    names: dict[str, None] = {}
    for record in records:
        names.update(dict.fromkeys(record))
    return tuple(names)


def _type_of(column: Sequence[Json]) -> str | None:
    """The type of a column by its values, by which its cells are written as JSON again: None if all
    are numbers; "bool" if all are true or false; "string" if all are texts, or if a text among
    other values looks like JSON itself, such as "1" beside 1; else "values", of which each cell
    that is JSON is written as such. None among the values is a gap."""
    no_numbers = [value for value in column if value is not None and not is_number(value)]
    if not no_numbers:
        return None
    count = len(column) - column.count(None)
    if len(no_numbers) == count and _are_all(no_numbers, bool):
        return BOOL
    texts = [value for value in no_numbers if isinstance(value, str)]
    # "1" beside 1, as cells, would be one and the same
    if len(texts) == count or any(map(is_value, texts)):
        return STRING
    return VALUES


def _json_cell(value: object) -> str | None:
    """A value of a record as the text of a cell: a text as it is, all else as JSON writes it; None
    for a gap."""
    if value is None or isinstance(value, str):
        return value
    # numbers, truths and nested values as JSON writes them: they are read as cells of a CSV are
    return json.dumps(value)


def _in_whole_characters(record: Record) -> Record:
    """A copy of the record in which each half of a surrogate pair, which is no character, is
    U+FFFD, in keys and in values that are texts, but not inside of nested values.

    Programs that cut a text by UTF-16 units, in the middle of an emoji, write such halves.
    """
    copy: Record = {}
    for key, value in record.items():
        if isinstance(value, str):
            value = whole_text(value)
        copy[whole_text(key)] = value
    return copy


def is_in_lines(path: Path) -> bool:
    """Whether the first line of a file that is not blank is JSON by itself, and another line that
    is not blank follows. False for a file that is not UTF-8; DataError if it cannot be opened."""
    with io.TextIOWrapper(open_stream(path), "utf-8-sig") as text:
        lines = (line for line in text if line.strip())
        try:
            json.loads(next(lines, ""))
            return next(lines, None) is not None
        except (ValueError, RecursionError):
            return False
