"""Writes a table file as another kind of file: CSV, TSV, lines of JSON, Parquet or Arrow.

Every value stays what it is: numbers and texts are exact, and what a text file writes as `007` or
`None` stays text.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from aetool.canonical import Json
from aetool.csv import encodings, writing
from aetool.csv.dialect import Reading
from aetool.csv.encodings import NoTableError
from aetool.csv.fields import Rule
from aetool.data.arrow_files import Format, one_line
from aetool.data.arrow_source import ArrowFileSource
from aetool.data.sources import CsvSource
from aetool.data.table import Cells
from aetool.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

# Kinds of files that are written, by the suffixes that promise them.
KINDS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}
DELIMITERS = {"csv": ",", "tsv": "\t"}
LEAST_AT_ONCE = 1 << 16  # records of lines of JSON that become one batch
# Numbers in a text file that are nothing but numbers; a code such as 007 is none.
WHOLE = r"^-?(0|[1-9][0-9]{0,17})$"
DECIMAL = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?$"


def write(
    file: BinaryIO,
    kind: str,
    path: Path,
    name: str,
    format: Format,
    marks: Mapping[str, str],
) -> None:
    """Write the table in the file at a path to `file`, which is not closed, as another kind of
    file, one of KINDS' values. name: of the table, for messages; format: how the file at the path
    is written, with "format" one of csv, jsonl, parquet and arrow. marks: of a part of a table in
    text the decimal marks, by name, of columns that other parts tell. DataError for one that cannot
    be read as a table, and for columns that the kind cannot hold."""
    import pyarrow as pa

    try:
        schema, batches = _batches_of(path, name, format, kind in DELIMITERS, marks)
        _write_batches(file, kind, schema, batches)
    except (pa.ArrowException, NoTableError) as error:
        raise DataError(f"{name}: cannot be written as {kind}: {one_line(error)}") from None


def _batches_of(
    path: Path,
    name: str,
    format: Format,
    as_text: bool,
    marks: Mapping[str, str],
) -> tuple[pa.Schema, Iterable[pa.RecordBatch]]:
    """Open the table in a file: (its schema, its batches). as_text: leave the cells of a text file
    as they are written, for another text file; marks: as of `write`."""
    kind = format["format"]
    if kind == "csv":
        # its archive says how it is written: looking at a part of it might mislead
        source = CsvSource(path, name, _reading_of(format))
        # where a point parts thousands, 1.234 is no plain number
        others = {column for column, mark in marks.items() if mark != source.decimal}
        names, types = _types_of_text(source, as_text, others)
        return _typed(source, names, types)
    if kind == "jsonl":
        return _of_json_lines(path, name)
    table = ArrowFileSource(name, path)
    return table.schema, table.record_batches()


# ---- from text


def _reading_of(format: Format) -> Reading:
    """How a text file of this format is to be read: as its archive says, not as it looks."""
    return Reading(
        header=None if format.get("header", True) else False,
        delimiter=format.get("delimiter"),
    )


def _text_array(cells: Cells) -> pa.Array:
    """A column of cells as Arrow's strings; empty ones, which are gaps, as nulls."""
    import pyarrow as pa

    texts = [text or None for text in cells.strings()]
    return pa.array(texts, pa.large_string())


def _types_of_text(
    source: CsvSource,
    as_text: bool,
    others: Collection[str],
) -> tuple[tuple[str, ...], list[pa.DataType]]:
    """The names and the types of the columns of a text: int64 or float64 where every cell that is
    no gap is a plain number, else text. as_text: text for all of them; others: the names of columns
    that are text in any case."""
    import pyarrow as pa
    from pyarrow import compute

    names: tuple[str, ...] = ()
    # of each column the patterns that all cells so far match, the most special first
    patterns: list[list[str]] = []
    has_values: list[bool] = []
    for table in source.batches():
        if not names:
            names = table.names
            are_texts = [as_text or name in others for name in names]
            patterns = [[] if is_text else [WHOLE, DECIMAL] for is_text in are_texts]
            has_values = [False] * len(names)
        for place, column in enumerate(table.values):
            # a column that has had another cell is text, whatever follows
            if not patterns[place] or not isinstance(column, Cells):
                continue
            array = _with_points(_text_array(column), source.decimal)
            has_values[place] = has_values[place] or array.null_count < len(array)
            patterns[place] = [
                pattern
                for pattern in patterns[place]
                if compute.all(compute.match_substring_regex(array, pattern)).as_py() is not False
            ]
    types = {WHOLE: pa.int64(), DECIMAL: pa.float64()}
    chosen = []
    for fitting, has_value in zip(patterns, has_values, strict=True):
        chosen.append(types[fitting[0]] if fitting and has_value else pa.string())
    return names, chosen


def _with_points(array: pa.Array, decimal: str) -> pa.Array:
    """Texts of numbers with a decimal point in place of the decimal mark."""
    from pyarrow import compute

    if decimal == ".":
        return array
    # a point in such a text parts thousands, and is no plain number
    swapped = compute.replace_substring(array, ".", "'")
    return compute.replace_substring(swapped, decimal, ".")


def _typed(
    source: CsvSource,
    names: tuple[str, ...],
    types: list[pa.DataType],
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """The records of a text in columns of these types: (their schema, batches)."""
    import pyarrow as pa

    schema = pa.schema(list(zip(names, types, strict=True)))

    def batches() -> Iterator[pa.RecordBatch]:
        """Yield the records, a batch for each that the source gives."""
        for table in source.batches():
            columns = []
            for column, kind in zip(table.values, types, strict=True):
                assert isinstance(column, Cells)
                array = _text_array(column)
                if kind != pa.string():
                    array = _with_points(array, source.decimal)
                columns.append(array.cast(kind))
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    return schema, batches()


def _of_json_lines(path: Path, name: str) -> tuple[pa.Schema, list[pa.RecordBatch]]:
    """The records of lines of JSON, all in memory: (their schema, batches), with every key of any
    record as a column. DataError for a line that is no object, and for a key whose values are of
    several kinds."""
    import pyarrow as pa

    columns: dict[str, list[object]] = {}
    rows = 0
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError as error:
                raise DataError(f"{name}: line {number} is no JSON: {error}") from None
            if not isinstance(record, dict):
                raise DataError(f"{name}: line {number} is no object of JSON")
            # a key that records before this one do not have is a gap in them
            for key in record:
                if key not in columns:
                    columns[key] = [None] * rows
            for key, values in columns.items():
                values.append(record.get(key))
            rows += 1
    arrays = {}
    for key, values in columns.items():
        try:
            arrays[key] = pa.array(values)
        except (pa.ArrowException, OverflowError):
            raise DataError(
                f"{name}: '{key}' has values of several kinds, which are no column"
            ) from None
    table = pa.table(arrays)
    return table.schema, table.to_batches(max_chunksize=LEAST_AT_ONCE)


# ---- to files


def _write_batches(
    file: BinaryIO,
    kind: str,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
) -> None:
    """Write batches of this schema to a file of this kind. Errors of Arrow for columns that it
    cannot hold."""
    from pyarrow import ipc

    if kind == "jsonl":
        for batch in batches:
            for record in batch.to_pylist():
                file.write(_json_line(record))
        return
    if kind in DELIMITERS:
        rule = Rule(DELIMITERS[kind], False)
        # the header
        file.write(_text_of([schema.names], rule))
        for batch in batches:
            columns = [_cells_of(column) for column in batch.columns]
            file.write(_text_of(zip(*columns, strict=True), rule))
        return
    open_writer = _parquet_writer if kind == "parquet" else ipc.new_file
    with closing(open_writer(file, schema)) as writer:
        for batch in batches:
            writer.write_batch(batch)


def _parquet_writer(file: BinaryIO, schema: pa.Schema) -> pq.ParquetWriter:
    """A writer of batches of this schema to a Parquet file, compressed by ZSTD."""
    import pyarrow.parquet as pq

    return pq.ParquetWriter(file, schema, compression="zstd")


def _text_of(records: Iterable[Sequence[str]], rule: Rule) -> bytes:
    """Records of cells as lines of a text file, in UTF-8, with quotes where they are needed."""
    return writing.table(records, rule, "\n").encode("utf-8", encodings.LONE)


def _cells_of(column: pa.Array) -> list[str]:
    """The values of a column of Arrow as cells of a text file, gaps as empty ones: numbers by the
    shortest text that reads as the same number, moments as ISO 8601, bytes as hexadecimal
    digits."""
    import pyarrow as pa
    from pyarrow import types

    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    if types.is_floating(kind) or types.is_integer(kind) or types.is_decimal(kind):
        # 12.0 is written as 12, as everywhere else in text
        texts = column.cast(kind).cast(pa.string()).to_pylist()
        return ["" if text is None else text.removesuffix(".0") for text in texts]
    cells = []
    for value in column.to_pylist():
        # texts stand as they are, and lists and the like as JSON
        as_json = _as_json(value)
        is_text = isinstance(as_json, str)
        cells.append("" if as_json is None else as_json if is_text else json.dumps(as_json))
    return cells


def _json_line(record: dict[str, object]) -> bytes:
    """A record as a line of JSON in UTF-8."""
    values = {name: _as_json(value) for name, value in record.items()}
    line = json.dumps(values, ensure_ascii=False) + "\n"
    return line.encode("utf-8", "backslashreplace")


def _as_json(value: object) -> Json:
    """A value of Arrow as JSON has it: numbers that are not finite as null, moments as ISO 8601,
    and bytes as hexadecimal digits."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, list):
        return [_as_json(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _as_json(item) for key, item in value.items()}
    return str(value)
