"""Tables of SQLite databases: file.db::table, or file.db::SELECT ...; file.db alone, if it has one.

The records are read once, in batches, into an Arrow file without a name. A column is of integers or
of floats where all its values are; what SQLite calls text may hold numbers, as cells of CSV may.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from aetool import files
from aetool.data import arrow_source
from aetool.data.arrow_source import CopiedTable
from aetool.data.table_source import ROWS
from aetool.errors import DataError

if TYPE_CHECKING:
    import sqlite3

    import pyarrow as pa

MAGIC = b"SQLite format 3\0"
QUERIES = ("select", "with", "values")  # how a query begins, and the name of a table does not
Row = tuple[object, ...]


def open_table(path: Path, name: str, wanted: str) -> CopiedTable:
    """Read a table, view or query of an SQLite database into a temporary copy. name: for messages;
    wanted: the table's name, or a query, which begins with SELECT, WITH or VALUES; "": the only
    table. It is read twice, the first time for the types of its columns.

    DataError where there is no such table, or several and none is named, or the query cannot be
    answered; NoRoomError where the copy cannot be written.
    """
    import sqlite3

    try:
        # nothing is written, not even by a query that would
        database = _opened_read_only(path)
    except sqlite3.Error as error:
        raise DataError(f"{name}: {error}") from None
    try:
        # the records are read twice, first for the types of columns: within a transaction both
        # readings see the same ones, whoever writes meanwhile
        database.execute("BEGIN")
        query = _query(database, name, wanted)
        cursor = database.execute(query)
        if cursor.description is None:
            raise DataError(f"{name}: the query gives no records: {query}")
        columns = [described[0] for described in cursor.description]
        schema = _schema(columns, cursor)
        original = None if wanted else files.Place(path, name)
        name_in_messages = f"{name}::{wanted}" if wanted else name
        batches = _batches(schema, database.execute(query))
        return arrow_source.copied(name_in_messages, batches, original, strings_are_cells=True)
    # UnicodeDecodeError of a column's name that is no UTF-8
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise DataError(f"{name}: {error}") from None
    finally:
        database.close()


def _opened_read_only(path: Path) -> sqlite3.Connection:
    """Open an SQLite database for reading only; one that is a file without a name is copied into
    memory. The caller closes it. sqlite3.Error if it cannot be opened."""
    import sqlite3

    # a copy of bytes or of an open file can be opened by its path, but has no name in any folder,
    # and SQLite opens files by their names
    if path.exists() and not path.resolve().exists():
        database = sqlite3.connect(":memory:")
        database.deserialize(path.read_bytes())
        database.execute("PRAGMA query_only = ON")
        return database
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def _query(database: sqlite3.Connection, name: str, wanted: str) -> str:
    """The SQL query for `wanted`: itself, if it begins with SELECT, WITH or VALUES as one does,
    whatever tables are called, else all records of the table or view of that name; of "" those of
    the only one there is. name: the database's, for messages. DataError if there is no such table,
    or "" could mean several."""
    # a table called "select" or the like can only be read by a query
    first_words = wanted.split(None, 1)[:1]
    if first_words and first_words[0].lower() in QUERIES:
        return wanted
    of_names = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name"
    tables = [str(row[0]) for row in database.execute(of_names)]
    # SQLite's tables of its own
    tables = [table for table in tables if not table.startswith("sqlite_")]
    tables_in_words = ", ".join(tables) or "none"
    if not wanted and len(tables) == 1:
        wanted = tables[0]
    if not wanted:
        first = tables[0] if tables else "table"
        raise DataError(
            f"{name}: an SQLite database; say which of its tables, such as {name}::{first}, or "
            f"{name}::SELECT ...; there are {tables_in_words}"
        )
    if wanted not in tables:
        raise DataError(f"{name}: no table '{wanted}' in it; there are {tables_in_words}")
    quoted = wanted.replace('"', '""')
    return f'SELECT * FROM "{quoted}"'


def _lists_of_rows(cursor: sqlite3.Cursor) -> Iterator[list[Row]]:
    """Yield the records of a query from where the cursor is to its end, in lists of at most ROWS
    (65,536), never empty. sqlite3.Error where it cannot be read."""
    while rows := cursor.fetchmany(ROWS):
        yield rows


def _schema(columns: list[str], cursor: sqlite3.Cursor) -> pa.Schema:
    """Find the Arrow type of each column by all its values, since SQLite lets a column hold values
    of any type: int64 if all are integers, float64 if all are integers or floats, else strings,
    also where all are NULL. NULL fits any type. columns: their names. The cursor is read to its
    end."""
    import pyarrow as pa

    # of each column the Python types of its values
    types_of_columns: list[set[type]] = [set() for _ in columns]
    for rows in _lists_of_rows(cursor):
        for types, values in zip(types_of_columns, zip(*rows, strict=True), strict=True):
            types |= set(map(type, values))
    fields = []
    for column, types in zip(columns, types_of_columns, strict=True):
        # NULL fits into a column of any type
        present = types - {type(None)}
        if present == {int}:
            arrow_type = pa.int64()
        elif present and present <= {int, float}:
            arrow_type = pa.float64()
        else:
            arrow_type = pa.string()
        fields.append(pa.field(column, arrow_type))
    return pa.schema(fields)


def _batches(schema: pa.Schema, cursor: sqlite3.Cursor) -> Iterator[pa.RecordBatch]:
    """Yield the records of a query as batches of this schema, that of `_schema`, at most ROWS
    (65,536) each; one batch without any if there are none. The cursor is read to its end."""
    import pyarrow as pa

    count = 0
    for rows in _lists_of_rows(cursor):
        arrays = []
        for kind, values in zip(schema.types, zip(*rows, strict=True), strict=True):
            if pa.types.is_string(kind):
                arrays.append(pa.array([_as_cell(value) for value in values], kind))
            elif pa.types.is_floating(kind):
                # integers among the floats become such
                floats = [None if value is None else float(str(value)) for value in values]
                arrays.append(pa.array(floats, kind))
            else:
                arrays.append(pa.array(values, kind))
        count += len(rows)
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)
    if not count:
        # without records there is one empty batch, from which the columns are known
        nothing = [pa.nulls(0, kind) for kind in schema.types]
        yield pa.RecordBatch.from_arrays(nothing, schema=schema)


def _as_cell(value: object) -> str | None:
    """A value of a database as the text of a cell: texts as they are, numbers as Python writes
    them, bytes in hexadecimal digits; None for NULL."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
