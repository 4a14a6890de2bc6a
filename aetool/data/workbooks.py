"""Sheets of Excel workbooks (.xlsx), by openpyxl: book.xlsx::sheet, or book.xlsx, the first one.

The first row that is not empty has the names of the columns. What is read are values, not formulas.
"""

from __future__ import annotations

import datetime
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from aetool import files
from aetool.data import arrow_source, notices
from aetool.data.arrow_source import CopiedTable
from aetool.data.table import shortest
from aetool.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa
    from openpyxl.worksheet._read_only import ReadOnlyWorksheet

AT_ONCE = 4096  # rows that are put together to a batch
Row = tuple[object, ...]


def is_workbook(path: Path) -> bool:
    """Whether a file is an Excel workbook: a zip with a folder xl/. False for one that cannot be
    read."""
    try:
        with zipfile.ZipFile(path) as parts:
            return any(name.startswith("xl/") for name in parts.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


def open_sheet(path: Path, name: str, wanted: str) -> CopiedTable:
    """Read a sheet of a workbook into a temporary copy. name: the workbook's, for messages; wanted:
    the sheet's name; "": the first, and a notice names the others.

    DataError where there is no such sheet, it is empty or has cells beside its columns, the file is
    no workbook, or openpyxl is not installed.
    """
    try:
        import openpyxl  # noqa: F401
    except ImportError:
        raise DataError(
            f"{name}: this is an Excel workbook; to read it: pip install 'aetool[xlsx]'; or save "
            f"its sheet as CSV, or in Python: aetool.detect(pandas.read_excel({name!r}))"
        ) from None
    # as an open file: openpyxl refuses paths whose names do not end as Excel's do
    with path.open("rb") as stream:
        return _open_sheet(stream, files.Place(path, name), wanted)


def _open_sheet(stream: BinaryIO, place: files.Place, wanted: str) -> CopiedTable:
    """Copy a sheet of an Excel workbook to a table, once openpyxl is known to be there. stream: the
    opened file; place: where it lies; wanted: the sheet's name, "" for the first, of which a notice
    is said if there are others. DataError for what is no workbook, has no such sheet, or a sheet
    that is empty or has cells beside its columns."""
    import openpyxl

    name = place.name
    try:
        # values as they were when the workbook was last calculated
        book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
    except Exception as error:
        # openpyxl raises what its parsers raise
        raise DataError(
            f"{name}: not an Excel workbook that can be read: {_reason(error)}"
        ) from None
    try:
        sheets = [sheet.title for sheet in book.worksheets]
        # of charts alone, or damaged
        if not sheets:
            raise DataError(f"{name}: there is no sheet of cells in it")
        if wanted and wanted not in sheets:
            raise DataError(f"{name}: no sheet '{wanted}' in it; there are {', '.join(sheets)}")
        sheet = book[wanted or sheets[0]]
        if not wanted and len(sheets) > 1:
            others = ", ".join(f"{name}::{title}" for title in sheets[1:])
            notices.say(name, f"its first sheet, '{sheets[0]}', is read; others: {others}")
        name_in_messages = f"{name}::{wanted}" if wanted else name
        batches = _batches(sheet, name_in_messages)
        return arrow_source.copied(name_in_messages, batches, place, strings_are_cells=True)
    finally:
        book.close()


def _batches(sheet: ReadOnlyWorksheet, name: str) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a sheet as batches of texts, at most AT_ONCE (4,096) rows each, at least
    one batch; the first row that is not empty has the names, "" for an empty cell. name: of the
    sheet, for messages. DataError for an empty sheet, or a row with cells beside the columns of the
    header."""
    import pyarrow as pa

    rows = _without_empty_ends(_read(sheet, name))
    header = next(rows, None)
    if header is None:
        raise DataError(f"{name}: the sheet is empty")
    # empty columns behind the table are of no use
    width = max(place for place, cell in enumerate(header) if cell is not None) + 1
    names = [_as_cell(cell) or "" for cell in header[:width]]
    schema = pa.schema([pa.field(column, pa.string()) for column in names])
    # the cells of the next batch, column by column
    columns: list[list[str | None]] = [[] for _ in names]
    count = 0
    for row in rows:
        if any(cell is not None for cell in row[width:]):
            at = f"row {count + 1} below the header"
            raise DataError(f"{name}: {at} has cells beside the {width} columns of the header")
        # a row may be shorter than the header: what is missing is a gap
        for column, place in zip(columns, range(width), strict=True):
            column.append(_as_cell(row[place]) if place < len(row) else None)
        count += 1
        if count % AT_ONCE == 0:
            yield _batch(columns, schema)
            columns = [[] for _ in names]
    # a last batch that is not full, or, of a header alone, one without rows
    if count % AT_ONCE or not count:
        yield _batch(columns, schema)


def _read(sheet: ReadOnlyWorksheet, name: str) -> Iterator[Row]:
    """Yield the rows of a sheet, each as the values of its cells; DataError, with the number of
    rows before it, where the sheet is damaged. name: of the sheet, for messages."""
    count = 0
    rows = sheet.iter_rows(values_only=True)
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except Exception as error:
            # openpyxl reads the sheet only now, and raises what its parsers raise
            raise DataError(f"{name}: damaged behind row {count}: {_reason(error)}") from None
        count += 1
        yield row


def _reason(error: Exception) -> str:
    """What an error says, on one line, or its kind, if it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__


def _batch(columns: list[list[str | None]], schema: pa.Schema) -> pa.RecordBatch:
    """The columns, each a list of as many cells, None for gaps, as a batch of this schema, all of
    whose types are strings."""
    import pyarrow as pa

    arrays = [pa.array(column, pa.string()) for column in columns]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _without_empty_ends(rows: Iterator[Row]) -> Iterator[Row]:
    """Yield the rows from the first to the last that is not empty, empty ones between included:
    they are records of gaps. A row is empty if all its cells are None."""
    # empty rows that are yielded only if another row follows
    waiting: list[Row] = []
    has_begun = False
    for row in rows:
        if all(cell is None for cell in row):
            waiting.append(row)
            continue
        # empty rows within the table are records of gaps
        if has_begun:
            yield from waiting
        waiting = []
        has_begun = True
        yield row


def _as_cell(value: object) -> str | None:
    """A cell's value as a text, as CSV would have it: true and false, moments as ISO 8601, other
    values as Python's `str` writes them, whole floats without ".0"; None if it is empty."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return shortest(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    return str(value)
