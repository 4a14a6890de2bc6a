"""Accepts whatever Python users hold their data in, and turns it into data that can be read again
and again.

A stream, an open file or a one-way protocol is read once, to a file without a name: little of it is
in memory at any time. What is in memory already stays where it is.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, TypeGuard, cast

import numpy as np
import numpy.typing as npt

from aetool import files
from aetool.arguments import shown
from aetool.data import arrow_files, arrow_source
from aetool.data.arrow_source import CopiedTable
from aetool.data.pictures import decoding
from aetool.errors import DataError
from aetool.files.spools import kept

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

TAKEN = (
    "a path (also of a folder, a pattern with *, an address such as s3://, or a list of these), a "
    "DataFrame or a Series of pandas or polars, an Arrow table or whatever has __arrow_c_stream__, "
    "a numpy array, a dictionary of columns, a list of dictionaries or of rows, an iterator of "
    "dictionaries, of rows, of tables, of paths or of pictures, bytes or an open file"
)
_CSV_READER = type(csv.reader([]))  # which has no name of its own there
LARGE = 1 << 26  # bytes of a stream: larger ones are not kept in memory
AT_ONCE = 100_000  # records of an iterator that are made a table
NOTHING = object()  # what no iterator gives: None may be among its items

# What Arrow raises, beside its own errors, for a stream that is none of tables.
NO_STREAM = (ValueError, TypeError, NotImplementedError)

Array: TypeAlias = npt.NDArray[np.generic]
Masked: TypeAlias = "np.ma.MaskedArray[tuple[int, ...], np.dtype[np.generic]]"
InMemory: TypeAlias = "pd.DataFrame | pa.Table | Array"
Held: TypeAlias = "str | os.PathLike[str] | files.Place | CopiedTable | InMemory"


def held(data: object) -> Held:
    """Turn data of any kind that Python users have into data that can be read again and again: a
    path, the place of a copy, a copied table, a DataFrame, an Arrow table or an array; an iterator
    of paths or pictures into a list. What can be read once is read to its end. A list is one of
    records: lists of paths, pictures or tables the caller takes apart first (see `is_several`).
    DataError, which lists what is accepted, for anything else, and for data of these kinds that are
    no table; NoRoomError where a copy cannot be written. Errors that an iterator raises go
    through."""
    if isinstance(data, files.Place | CopiedTable):
        return data
    # not paths of bytes, which no system needs any more
    if isinstance(data, str | os.PathLike) and isinstance(os.fspath(data), str):
        return data
    if isinstance(data, bytes | bytearray | memoryview):
        stream = io.BytesIO(data)
        return files.copied(stream, type(data).__name__)
    if isinstance(data, np.ndarray):
        return _of_array(data)
    if isinstance(data, Mapping):
        return _of_columns(data)
    if isinstance(data, list | tuple):
        return _of_list(data)
    if arrow_files.is_frame(data) or _is_instance_of("pandas", "Series", data):
        return _of_pandas(data)
    if _is_instance_of("polars", "LazyFrame", data):
        return held(data.collect())  # type: ignore[attr-defined]
    if _is_instance_of("polars", "Series", data):
        return held(data.to_frame())  # type: ignore[attr-defined]
    return _read_once(data)


def _read_once(data: object) -> Held:
    """Turn data that may be readable only once into data that can be read again, as `held` returns
    them: an iterator, an open file, or an object that offers Arrow's protocol, each read to its end
    here. DataError for anything else."""
    if is_iterator(data):
        return cast(Held, begun(data))
    if not isinstance(data, type) and hasattr(data, "read"):
        return _read_to_the_end(data)
    if offers_arrow(data):
        return _of_arrow_protocol(data)
    raise not_taken(data)


def is_iterator(data: object) -> bool:
    """Whether data are an iterator, such as a generator; nothing is taken from it. Open files do
    not count, nor what offers Arrow's protocol; what pandas reads a file with, chunk by chunk,
    does."""
    if isinstance(data, type) or not isinstance(data, Iterator):
        return False
    # readers of pandas, which give a file chunk by chunk, have a method `read`, and are no files
    package, _, _ = type(data).__module__.partition(".")
    if package == "pandas":
        return True
    return not hasattr(data, "read") and not offers_arrow(data)


def is_several(data: object) -> TypeGuard[list[object] | tuple[object, ...]]:
    """Whether data are a list or tuple of data, such as paths, and not of records: it is not empty,
    and its first item is neither a dictionary nor a list or tuple. Other items are not looked
    at."""
    if not isinstance(data, list | tuple) or not data:
        return False
    return not _is_record(data[0])


def begun(data: object) -> object:
    """Turn an iterator, which can be read only once, into a list, if its first item is a path or a
    picture, else into a table as `held` returns it; of a reader of Python's csv module into the
    place of a copied text. All other data are returned as they are. DataError if nothing comes from
    it, or its items are no records or tables; NoRoomError where a copy cannot be written. Errors
    that the iterator raises go through."""
    if not is_iterator(data):
        return data
    if isinstance(data, csv.DictReader | _CSV_READER):
        return _of_csv(data)
    items = cast("Iterator[object]", data)
    first = next(items, NOTHING)
    if first is not NOTHING:
        # looked at, and put back before the others
        items = itertools.chain([first], items)
    is_path = isinstance(first, str | os.PathLike)
    if is_path or decoding.is_picture(first):
        return list(items)
    return _of_iterator(items, type(data).__name__)


def is_polars(data: object) -> bool:
    """Whether data are a DataFrame, LazyFrame or Series of polars, which is not imported for
    that."""
    kinds = ("DataFrame", "LazyFrame", "Series")
    return any(_is_instance_of("polars", kind, data) for kind in kinds)


def not_taken(data: object) -> DataError:
    """Return, not raise, the DataError, which lists what is accepted, for an object that holds no
    data aetool can read."""
    return DataError(f"data must be {TAKEN}; got {shown(data)}")


def offers_arrow(data: object) -> bool:
    """Whether data have __arrow_c_stream__ or __arrow_c_array__, by which Arrow takes them over, as
    those of pyarrow, polars, DuckDB and others do, each a package that need not be there. Classes
    do not count."""
    if isinstance(data, type):
        return False
    return hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__")


def _is_instance_of(package: str, name: str, data: object) -> bool:
    """Whether data are an instance of the class `name` of a package, which is not imported for
    that: False if nobody has imported it."""
    module = sys.modules.get(package)
    kind = getattr(module, name, None)
    return isinstance(kind, type) and isinstance(data, kind)


def _is_record(item: object) -> bool:
    """Whether an item of a list is a record: a dictionary by column, or a row of values, a list or
    a tuple."""
    return isinstance(item, Mapping | list | tuple)


def _of_columns(data: Mapping[object, object]) -> pd.DataFrame:
    """A dictionary of columns by name as a DataFrame; single values beside lists stand in every
    row. DataError if no column is a list of values, or if they are not of one length."""
    name = type(data).__name__
    are_columns = any(isinstance(column, Iterable | Mapping) for column in data.values())
    if data and not are_columns:
        column = next(iter(data))
        value = shown(data[column])
        raise DataError(
            f"{name}: column {column!r} is one value, {value}; write a list of values for each "
            "column, {'a': [1, 2]}, or a list of records, [{'a': 1}, {'a': 2}]"
        )
    return _frame(data, name)


def _of_list(data: Sequence[object]) -> pd.DataFrame:
    """A list of dictionaries by column, or of rows of one length, as a DataFrame; a column that a
    dictionary lacks is a gap in it. Every row is a record, the first one, too; columns of rows are
    called by the fields of a named tuple, else c1, c2 ... DataError for an empty list, for one of
    other things or of both, and for rows of different lengths."""
    if not data:
        raise DataError(f"the {type(data).__name__} is empty: there is nothing to read")
    if not _is_record(data[0]):
        raise not_taken(data)
    are_mappings = isinstance(data[0], Mapping)
    kind = Mapping if are_mappings else (list, tuple)
    # all must be what the first is: dictionaries, or rows
    for number, record in enumerate(data, 1):
        if not isinstance(record, kind):
            raise DataError(f"record {number} of the list is another thing: {shown(record)}")
    if are_mappings:
        return _frame(data, "list")
    return _of_rows(cast("Sequence[Sequence[object]]", data))


def _of_rows(rows: Sequence[Sequence[object]]) -> pd.DataFrame:
    """Rows of values, at least one, as a DataFrame, its columns called by the fields of the first
    row, if that is a named tuple, else c1, c2 ...; DataError if they are not of one length."""
    width = len(rows[0])
    # a named tuple has names for its values
    names = getattr(rows[0], "_fields", None) or _numbered_names(width)
    for number, row in enumerate(rows, 1):
        if len(row) != width:
            raise DataError(f"list: row {number} has {len(row)} values, the first {width}")
    records = [list(row) for row in rows]
    return _frame(records, "list", list(names))


def _numbered_names(count: int) -> list[str]:
    """Names for so many columns that have none: c1, c2 ..."""
    return [f"c{number}" for number in range(1, count + 1)]


def _of_csv(reader: object) -> files.Place:
    """The rows that a csv.reader or csv.DictReader has not read yet, written as a table in text to
    a temporary file; returns its place. The header of a DictReader is written above them, and cells
    that a row has beyond it are left out. DataError or NoRoomError where it cannot be written;
    errors of the reader go through."""

    def write(file: BinaryIO) -> None:
        """Write the header, if there is one, and the rows to a file, as CSV in UTF-8."""
        in_utf8 = codecs.getwriter("utf-8")
        # bytes that were no UTF-8 when the file was opened come back as they were
        text = in_utf8(file, "surrogateescape")
        if isinstance(reader, csv.DictReader):
            names = list(reader.fieldnames or ())
            writer = csv.DictWriter(text, names, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(reader)
        else:
            rows = cast("Iterator[list[str]]", reader)
            csv.writer(text).writerows(rows)

    return kept(write, "csv.reader")


def _of_iterator(items: Iterator[object], name: str = "") -> Held:
    """The records of an iterator, of dictionaries, rows of values, or tables: a DataFrame of fewer
    than AT_ONCE (100,000) dictionaries or rows, else an Arrow table, or a copy in a file if it
    takes more than LARGE (2^26) bytes. name: for messages; "": that of the iterator's class.
    DataError if nothing comes from it, or its items cannot be joined to a table."""
    called = name or type(items).__name__
    first = next(items, NOTHING)
    if first is NOTHING:
        raise DataError(f"{called}: nothing comes from it; an iterator can be read once")
    # put back before the others; all must be what the first is: tables or records
    items = itertools.chain([first], items)
    if not _is_record(first):
        tables = (_table_of(item, called) for item in items)
        return _of_tables(tables, called)
    parts = _in_parts(items)
    first_part = next(parts)
    # these are all: of one DataFrame pandas tells the types of columns by all values
    if len(first_part) < AT_ONCE:
        return _of_list(first_part)
    frames = (_of_list(part) for part in itertools.chain([first_part], parts))
    tables = (_table_of(frame, called) for frame in frames)
    return _of_tables(tables, called)


def _in_parts(items: Iterator[object]) -> Iterator[list[object]]:
    """Yield lists of AT_ONCE (100,000) items, the last of as many as are left; none without
    items."""
    while part := list(itertools.islice(items, AT_ONCE)):
        yield part


def _table_of(data: object, name: str) -> pa.Table:
    """An item of an iterator, of any kind that `held` takes, as an Arrow table; DataError if it is
    no table in memory, but a path, pictures or a copy. name: of the iterator, for messages."""
    content = held(data)
    if isinstance(content, np.ndarray) and content.ndim <= 2:
        content = _frame_of_array(content)
    # paths and copies are in files; an array of more axes is one of pictures
    is_elsewhere = isinstance(content, str | os.PathLike | files.Place | CopiedTable)
    if is_elsewhere or isinstance(content, np.ndarray):
        raise DataError(f"{name}: it gives {shown(data)}, which is no table in memory")
    source = arrow_source.ArrowMemorySource(name, content)
    return source.table


def _of_tables(tables: Iterator[pa.Table], name: str) -> Held:
    """Join tables, at least one, one below the other: an Arrow table in memory, or a copy in a file
    once they take more than LARGE (2^26) bytes. It has all their columns, by name, with gaps where
    a table lacks one. DataError if their columns cannot be joined; name: for messages."""
    in_memory: list[pa.Table] = []
    # each of about LARGE bytes, in a file of its own
    copies: list[CopiedTable] = []
    for table in tables:
        in_memory.append(table)
        size = sum(part.nbytes for part in in_memory)
        if size > LARGE:
            copies.append(_copied(in_memory, name))
            in_memory = []
    # all of them fit into memory
    if not copies:
        return _joined(in_memory, name)
    if in_memory:
        copies.append(_copied(in_memory, name))
    schema = _common_schema([copy.schema for copy in copies], name)
    return arrow_source.copied(name, _batches_in(schema, copies))


def _copied(tables: Sequence[pa.Table], name: str) -> CopiedTable:
    """Tables, at least one, one below the other, as a copy in a temporary file; name: for messages.
    DataError if a column has no type in common, or the file cannot be written."""
    joined = _joined(tables, name)
    return arrow_source.copied(name, iter(joined.to_batches()))


def _batches_in(
    schema: pa.Schema,
    copies: Sequence[CopiedTable],
) -> Iterator[pa.RecordBatch]:
    """Yield the batches of copies, one after the other, each with the columns, in order, and types
    of a schema; columns that a copy lacks are all gaps."""
    # by a schema of all parts, as the type of a column may only be known from a later one
    for copy in copies:
        table = _as_in_schema(copy.table(), schema)
        yield from table.to_batches()


def _joined(tables: Sequence[pa.Table], name: str) -> pa.Table:
    """Tables, at least one, one below the other, as one table in memory, with all their columns, by
    name, in the order in which they first appear, each in one piece. name: for messages. DataError
    if a column has no type in common."""
    import pyarrow as pa

    schema = _common_schema([table.schema for table in tables], name)
    parts = [_as_in_schema(table, schema) for table in tables]
    return pa.concat_tables(parts).combine_chunks()


def _common_schema(schemas: Sequence[pa.Schema], name: str) -> pa.Schema:
    """A schema with all columns of these schemas, by name, in the order in which they first appear,
    of types that hold the values of each. name: for messages. DataError if there is none."""
    import pyarrow as pa

    # without metadata: what pandas notes of a part, such as its index, is not true of the whole
    without_metadata = [schema.remove_metadata() for schema in schemas]
    try:
        return pa.unify_schemas(without_metadata, promote_options="permissive")
    except pa.ArrowException as error:
        message = arrow_files.one_line(error)
        raise DataError(f"{name}: its parts are no one table: {message}") from None


def _as_in_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A table with the columns, in order, and types of a schema that `_common_schema` made; columns
    that the table lacks are all gaps. Columns that the schema lacks are left out."""
    import pyarrow as pa

    names = set(table.column_names)
    columns = []
    for field in schema:
        if field.name in names:
            column = table[field.name].cast(field.type)
        else:
            column = pa.nulls(len(table), field.type)
        columns.append(column)
    return pa.table(columns, schema=schema)


def _frame(data: object, name: str, columns: list[str] | None = None) -> pd.DataFrame:
    """A dictionary of columns by name, a list of dictionaries or of rows, or an array, as a
    DataFrame; DataError if pandas makes none of them, as of columns of different lengths, or of
    texts that are none. name: for messages; columns: names of the columns, None: the data's
    own."""
    import pandas as pd

    try:
        return pd.DataFrame(data, columns=columns)  # type: ignore[call-overload, no-any-return]
    except UnicodeEncodeError as error:
        raise arrow_files.half_a_pair(name, error) from None
    except (ValueError, TypeError) as error:
        message = arrow_files.one_line(error)
        raise DataError(f"{name}: these are no columns of one length: {message}") from None


def _of_pandas(data: object) -> pd.DataFrame:
    """A DataFrame of what pandas holds: a DataFrame as it is, a Series as one column, called c1 if
    it has no name."""
    if arrow_files.is_frame(data):
        return cast("pd.DataFrame", data)
    series = cast("pd.Series", data)
    name = "c1" if series.name is None else str(series.name)
    return series.to_frame(name)


def _of_array(array: Array) -> Held:
    """An array of numbers, truth values, texts or moments, of one to four axes, as it is, as a
    plain ndarray; one of objects, of one or two axes, with fields or with masked values as a
    DataFrame, in which masked values are gaps. DataError for any other."""
    if array.dtype.names is not None:
        return _frame_of_fields(array, array.dtype.names)
    if isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        return _frame_of_masked(array)
    # a matrix of numpy has rows of two dimensions, which nothing expects
    array = np.asarray(array)
    kind = array.dtype.kind
    if kind == "O" and array.ndim in (1, 2):
        # columns whose objects are all numbers become columns of numbers
        return _frame_of_array(array).infer_objects()
    if kind not in "biufUSM" or not 1 <= array.ndim <= 4:
        raise DataError(
            f"numpy array: {array.dtype} of shape {array.shape}; wanted are numbers, texts or "
            "moments of shape (records,) or (records, columns), or pictures, uint8 of shape "
            "(n, height, width) or (n, height, width, 1 to 4)"
        )
    return array


def _frame_of_array(array: Array) -> pd.DataFrame:
    """An array without fields, (rows,) or (rows, columns), as a DataFrame with columns c1, c2 ...;
    masked values become gaps; DataError for texts that are none, with half a surrogate pair."""
    if array.ndim == 1:
        # not reshape(n, -1): of no rows there would be any number of columns
        array = array[:, np.newaxis]
    _, width = array.shape
    return _frame(array, "numpy array", _numbered_names(width))


def _frame_of_masked(array: Masked) -> pd.DataFrame:
    """An array some of whose values are masked, (rows,) or (rows, columns), as a DataFrame in which
    these are gaps; DataError for any other number of axes."""
    if array.ndim not in (1, 2):
        raise DataError(
            f"numpy array: a mask in an array of shape {array.shape}; values can be gaps in "
            "columns, not in pictures: fill them with filled()"
        )
    return _frame_of_array(array)


def _frame_of_fields(array: Array, names: tuple[str, ...]) -> pd.DataFrame:
    """A structured array, (rows,), as a DataFrame, a column for each field. names: of the fields.
    DataError for more axes, and for a field of several values."""
    fields = cast("npt.NDArray[np.void]", array)
    columns = {}
    for name in names:
        column = fields[name]
        if column.ndim != 1 or column.dtype.names is not None:
            raise DataError(
                f"numpy array: field '{name}' is of type {fields.dtype[name]} in an array of shape "
                f"{array.shape}; a column is of single values: give each a field of its own"
            )
        columns[name] = column
    return _frame(columns, "numpy array")


def _read_to_the_end(stream: object) -> files.Place:
    """Copy what is left of an open file, of bytes or text (as UTF-8), to a temporary one; returns
    the copy's place, called as the file. The file stays open, at its end. DataError if nothing is
    left, if it cannot be read, or gives neither bytes nor text."""
    name = getattr(stream, "name", None)
    # the name of a file that was opened by number is that number
    if not isinstance(name, str):
        name = type(stream).__name__
    in_bytes = cast(BinaryIO, _Bytes(stream))
    try:
        place = files.copied(in_bytes, name)
    except (OSError, ValueError) as error:
        raise DataError(f"{name}: cannot be read: {error}") from None
    if not place.path.stat().st_size:
        raise DataError(f"{name}: nothing is left to read in it; rewind it with seek(0)")
    return place


class _Bytes:
    """An open file, of bytes or text, read as bytes: text is encoded as UTF-8. Only `read` is
    there."""

    def __init__(self, stream: object) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        """The next piece: at most `size` bytes, or the UTF-8 of at most `size` characters; b"" at
        the end. DataError if what is read is neither bytes nor text."""
        piece = self._stream.read(size)  # type: ignore[attr-defined]
        if isinstance(piece, str):
            # bytes that were no UTF-8 when the file was opened come back as they were
            return piece.encode("utf-8", "surrogateescape")
        if not isinstance(piece, bytes | bytearray | memoryview):
            raise not_taken(self._stream)
        return bytes(piece)


def _of_arrow_protocol(data: object) -> Held:
    """Take over an object that offers Arrow's protocol (see `offers_arrow`) as an Arrow table: of
    an array of structures a table of their fields, of any other array one column c1. A stream of
    more than LARGE (2^26) bytes, which is read to its end, becomes a copy in a file. DataError if
    it is no table; errors of Arrow while a stream is read go through."""
    import pyarrow as pa

    # a structure is a table of its fields, any other array one column
    if isinstance(data, pa.Array | pa.ChunkedArray) and not pa.types.is_struct(data.type):
        return pa.table({"c1": data})
    is_arrow_table = isinstance(data, pa.Table | pa.RecordBatch)
    is_in_memory = is_arrow_table or _is_instance_of("polars", "DataFrame", data)
    if is_in_memory or not hasattr(data, "__arrow_c_stream__"):
        return arrow_files.as_table(data)
    name = type(data).__name__
    try:
        reader = pa.RecordBatchReader.from_stream(data)
    except (pa.ArrowException, *NO_STREAM) as error:
        raise DataError(f"{name}: is no table ({arrow_files.one_line(error)})") from None
    batches: list[pa.RecordBatch] = []
    size = 0
    for batch in reader:
        batches.append(batch)
        size += batch.nbytes
        if size > LARGE:
            # too much for memory: what was read, and what is still to be read, goes to a file
            every_batch = _emptied_then(batches, reader)
            return arrow_source.copied(name, every_batch)
    return pa.Table.from_batches(batches, reader.schema)


def _emptied_then(
    read: list[pa.RecordBatch],
    rest: Iterator[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    """Yield the batches in `read`, a list that is emptied in place so that memory is freed, then
    those of `rest`."""
    while read:
        yield read.pop(0)
    yield from rest
