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

Array: TypeAlias = npt.NDArray[np.generic]
InMemory: TypeAlias = "pd.DataFrame | pa.Table | Array"
Held: TypeAlias = "str | os.PathLike[str] | files.Place | CopiedTable | InMemory"


def held(data: object) -> Held:
    """Turn data of any kind that Python users have into data that can be read again and again: a
    path, the place of a copy, a DataFrame, an Arrow table or an array. DataError, which lists what
    is accepted, for anything else."""
    if isinstance(data, files.Place | CopiedTable):
        return data
    if isinstance(data, str | os.PathLike) and isinstance(os.fspath(data), str):
        return data
    if isinstance(data, bytes | bytearray | memoryview):
        return files.copied(io.BytesIO(data), type(data).__name__)
    if isinstance(data, np.ndarray):
        return _array(data)
    if isinstance(data, Mapping):
        return _of_columns(data)
    if isinstance(data, list | tuple):
        return _of_list(data)
    if arrow_files.is_frame(data) or _is_of("pandas", "Series", data):
        return _of_pandas(data)
    if _is_of("polars", "LazyFrame", data):
        return held(data.collect())  # type: ignore[attr-defined]
    if _is_of("polars", "Series", data):
        return held(data.to_frame())  # type: ignore[attr-defined]
    return _read_once(data)


def _read_once(data: object) -> Held:
    """Turn data that may be readable only once into data that can be read again: an iterator, an
    open file, or an object that offers Arrow's protocol, each read to its end here."""
    if is_iterator(data):
        return cast(Held, begun(data))
    if not isinstance(data, type) and hasattr(data, "read"):
        return _read_to_the_end(data)
    if offers_arrow(data):
        return _arrow(data)
    raise not_taken(data)


def is_iterator(data: object) -> bool:
    """Whether data are an iterator, such as a generator. Open files do not count, nor what offers
    Arrow's protocol."""
    if isinstance(data, type) or not isinstance(data, Iterator):
        return False
    # what pandas reads a file with, chunk by chunk, has a method of that name
    of_pandas = type(data).__module__.partition(".")[0] == "pandas"
    return of_pandas or not (hasattr(data, "read") or offers_arrow(data))


def is_several(data: object) -> TypeGuard[list[object] | tuple[object, ...]]:
    """Whether data are a list of data, such as paths, and not a list of records."""
    return isinstance(data, list | tuple) and len(data) > 0 and not _is_record(data[0])


def begun(data: object) -> object:
    """Turn an iterator, which can be read only once, into a list of its paths or pictures, or into
    a table; all other data are returned as they are."""
    if not is_iterator(data):
        return data
    if isinstance(data, csv.DictReader | _CSV_READER):
        return _of_csv(data)
    items = cast("Iterator[object]", data)
    first = next(items, None)
    items = itertools.chain([] if first is None else [first], items)
    if isinstance(first, str | os.PathLike) or decoding.is_picture(first):
        return list(items)
    return _of_iterator(items, type(data).__name__)


def is_polars(data: object) -> bool:
    """Whether data are a DataFrame, LazyFrame or Series of polars."""
    return any(_is_of("polars", name, data) for name in ("DataFrame", "LazyFrame", "Series"))


def not_taken(data: object) -> DataError:
    """Return, not raise, the DataError for an object that holds no data aetool can read."""
    return DataError(f"data must be {TAKEN}; got {shown(data)}")


def offers_arrow(data: object) -> bool:
    """Whether data can be taken over by Arrow's own protocol for that, as those of pyarrow, polars,
    DuckDB and others can, each a package that need not be there."""
    if isinstance(data, type):
        return False
    return hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__")


def _is_of(package: str, name: str, data: object) -> bool:
    """Whether data are of a class of this package, checked without importing the package."""
    module = sys.modules.get(package)
    kind = getattr(module, name, None)
    return isinstance(kind, type) and isinstance(data, kind)


def _is_record(item: object) -> bool:
    """Whether an item of a list is a record: a dictionary by column, or a row of values."""
    return isinstance(item, Mapping | list | tuple)


def _of_columns(data: Mapping[object, object]) -> pd.DataFrame:
    """A dictionary of columns as a DataFrame."""
    name = type(data).__name__
    if data and not any(isinstance(column, Iterable | Mapping) for column in data.values()):
        column = next(iter(data))
        value = shown(data[column])
        raise DataError(
            f"{name}: column {column!r} is one value, {value}; write a list of values for each "
            "column, {'a': [1, 2]}, or a list of records, [{'a': 1}, {'a': 2}]"
        )
    return _frame(data, name)


def _of_list(data: Sequence[object]) -> pd.DataFrame:
    """A list of dictionaries, or of rows of one length, as a DataFrame."""
    if not data:
        raise DataError(f"the {type(data).__name__} is empty: there is nothing to read")
    kind = Mapping if isinstance(data[0], Mapping) else (list, tuple)
    for number, record in enumerate(data, 1):
        if not _is_record(data[0]):
            raise not_taken(data)
        if not isinstance(record, kind):
            raise DataError(f"record {number} of the list is another thing: {shown(record)}")
    if isinstance(data[0], Mapping):
        return _frame(data, "list")
    return _of_rows(cast("Sequence[Sequence[object]]", data))


def _of_rows(rows: Sequence[Sequence[object]]) -> pd.DataFrame:
    """Rows of values as a DataFrame, by the names of their fields, or else as c1, c2 ..."""
    import pandas as pd

    width = len(rows[0])
    names = getattr(rows[0], "_fields", None) or [f"c{place + 1}" for place in range(width)]
    for number, row in enumerate(rows, 1):
        if len(row) != width:
            raise DataError(f"list: row {number} has {len(row)} values, the first {width}")
    return pd.DataFrame([list(row) for row in rows], columns=list(names))


def _of_csv(reader: object) -> files.Place:
    """The rows that a reader of Python's csv module has not read yet, as a table in text."""

    def write(file: BinaryIO) -> None:
        text = codecs.getwriter("utf-8")(file, "surrogateescape")
        if isinstance(reader, csv.DictReader):
            names = list(reader.fieldnames or ())
            writer = csv.DictWriter(text, names, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(reader)
        else:
            csv.writer(text).writerows(cast("Iterator[list[str]]", reader))

    return kept(write, "csv.reader")


def _of_iterator(items: Iterator[object], name: str = "") -> Held:
    """The records of an iterator, of dictionaries, rows of values, or tables: a DataFrame if they
    are fewer than AT_ONCE, else a table, or a copy of it if it is large."""
    called = name or type(items).__name__
    first = next(items, None)
    if first is None:
        raise DataError(f"{called}: nothing comes from it; an iterator can be read once")
    items = itertools.chain([first], items)
    if not _is_record(first):
        return _of_tables((_table_of(item, called) for item in items), called)
    begun = list(itertools.islice(items, AT_ONCE))
    if len(begun) < AT_ONCE:
        return _of_list(begun)
    parts = itertools.chain([begun], iter(lambda: list(itertools.islice(items, AT_ONCE)), []))
    return _of_tables((_table_of(_of_list(part), called) for part in parts), called)


def _table_of(data: object, name: str) -> pa.Table:
    """An item of an iterator as an Arrow table; DataError if it is no table in memory."""
    content = held(data)
    if isinstance(content, np.ndarray) and content.ndim <= 2:
        content = _by_place(content)
    if isinstance(content, np.ndarray | str | os.PathLike | files.Place | CopiedTable):
        raise DataError(f"{name}: it gives {shown(data)}, which is no table in memory")
    return arrow_source.ArrowMemorySource(name, content).table


def _of_tables(tables: Iterator[pa.Table], name: str) -> Held:
    """Join tables, one below the other: one in memory, or a copy once they take more than LARGE
    bytes."""
    small: list[pa.Table] = []
    copies: list[CopiedTable] = []
    for table in tables:
        small.append(table)
        if sum(part.nbytes for part in small) > LARGE:
            copies.append(arrow_source.copied(name, iter(_joined(small, name).to_batches())))
            small = []
    if not copies:
        return _joined(small, name)
    if small:
        copies.append(arrow_source.copied(name, iter(_joined(small, name).to_batches())))
    schema = _common_schema([copy.schema for copy in copies], name)
    # what a column is may be known by a later part only
    batches = (
        batch for copy in copies for batch in _as_in(copy.table(), schema, name).to_batches()
    )
    return arrow_source.copied(name, batches)


def _joined(tables: Sequence[pa.Table], name: str) -> pa.Table:
    import pyarrow as pa

    schema = _common_schema([table.schema for table in tables], name)
    return pa.concat_tables([_as_in(table, schema, name) for table in tables]).combine_chunks()


def _common_schema(schemas: Sequence[pa.Schema], name: str) -> pa.Schema:
    """A schema with all columns of these schemas, by name, of types that hold the values of each;
    DataError if there is none."""
    import pyarrow as pa

    plain = [schema.remove_metadata() for schema in schemas]
    try:
        return pa.unify_schemas(plain, promote_options="permissive")
    except pa.ArrowException as error:
        message = arrow_files.one_line(error)
        raise DataError(f"{name}: its parts are no one table: {message}") from None


def _as_in(table: pa.Table, schema: pa.Schema, name: str) -> pa.Table:
    """A copy of a table with the columns and types of a schema; columns that the table lacks are
    all gaps. name: of the data, for messages."""
    import pyarrow as pa

    known = set(table.column_names)
    columns = [
        table[field.name].cast(field.type)
        if field.name in known
        else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _frame(data: object, name: str) -> pd.DataFrame:
    """A dictionary of columns, or a list of dictionaries, as a DataFrame."""
    import pandas as pd

    try:
        return pd.DataFrame(data)  # type: ignore[call-overload, no-any-return]
    except (ValueError, TypeError) as error:
        message = arrow_files.one_line(error)
        raise DataError(f"{name}: these are no columns of one length: {message}") from None


def _of_pandas(data: object) -> pd.DataFrame:
    """A DataFrame of what pandas holds: a Series as one column, called c1 if it has no name."""
    if arrow_files.is_frame(data):
        return cast("pd.DataFrame", data)
    series = cast("pd.Series", data)
    return series.to_frame("c1" if series.name is None else str(series.name))


def _array(array: Array) -> Held:
    """An array of numbers, texts or moments as it is; one of objects, with fields or with masked
    values as a DataFrame, in which masked values are gaps. DataError for any other."""
    if array.dtype.names is not None:
        return _of_fields(array, array.dtype.names)
    if isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        return _masked(array)
    # a matrix of numpy has rows of two dimensions, which nothing expects
    array = np.asarray(array)
    if array.dtype.kind == "O" and array.ndim in (1, 2):
        return _by_place(array).infer_objects()
    if array.dtype.kind not in "biufUSM" or not 1 <= array.ndim <= 4:
        raise DataError(
            f"numpy array: {array.dtype} of shape {array.shape}; wanted are numbers, texts or "
            "moments of shape (records,) or (records, columns), or pictures, uint8 of shape "
            "(n, height, width) or (n, height, width, 3)"
        )
    return array


def _by_place(array: Array) -> pd.DataFrame:
    """An array without names, (rows,) or (rows, columns), as a DataFrame with columns c1, c2 ..."""
    import pandas as pd

    wide = array.reshape(len(array), -1) if array.ndim == 1 else array
    return pd.DataFrame(wide, columns=[f"c{place + 1}" for place in range(wide.shape[1])])


def _masked(array: np.ma.MaskedArray[tuple[int, ...], np.dtype[np.generic]]) -> pd.DataFrame:
    """An array some of whose values are masked as a DataFrame, in which these are gaps; DataError
    for more than two dimensions."""
    if array.ndim not in (1, 2):
        raise DataError(
            f"numpy array: a mask in an array of shape {array.shape}; values can be gaps in "
            "columns, not in pictures: fill them with filled()"
        )
    return _by_place(array)


def _of_fields(array: Array, names: tuple[str, ...]) -> pd.DataFrame:
    """A structured array as a DataFrame, a column for each field; DataError for a field of several
    values."""
    fields = cast("npt.NDArray[np.void]", array)
    for name in names:
        column = fields[name]
        if column.ndim != 1 or column.dtype.names is not None:
            raise DataError(
                f"numpy array: field '{name}' is of type {fields.dtype[name]} in an array of shape "
                f"{array.shape}; a column is of single values: give each a field of its own"
            )
    return _frame({name: fields[name] for name in names}, "numpy array")


def _read_to_the_end(stream: object) -> files.Place:
    """Copy what is left of an open file, of bytes or text; returns the copy's place. DataError if
    nothing is left."""
    named = getattr(stream, "name", None)
    name = named if isinstance(named, str) else type(stream).__name__
    try:
        place = files.copied(cast(BinaryIO, _Bytes(stream)), name)
    except (OSError, ValueError) as error:
        raise DataError(f"{name}: cannot be read: {error}") from None
    if not place.path.stat().st_size:
        raise DataError(f"{name}: nothing is left to read in it; rewind it with seek(0)")
    return place


class _Bytes:
    """An open file, of bytes or text, read as bytes: text is encoded as UTF-8."""

    def __init__(self, stream: object) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        """The next piece of about `size` bytes; empty at the end."""
        piece = self._stream.read(size)  # type: ignore[attr-defined]
        if isinstance(piece, str):
            return piece.encode("utf-8", "surrogateescape")
        if not isinstance(piece, bytes | bytearray | memoryview):
            raise not_taken(self._stream)
        return bytes(piece)


def _arrow(data: object) -> Held:
    """An object that offers Arrow's protocol as an Arrow table; a copy of it if it is a stream of
    more than LARGE bytes."""
    import pyarrow as pa

    name = type(data).__name__
    if isinstance(data, pa.Array | pa.ChunkedArray) and not pa.types.is_struct(data.type):
        return pa.table({"c1": data})
    in_memory = isinstance(data, pa.Table | pa.RecordBatch) or _is_of("polars", "DataFrame", data)
    if in_memory or not hasattr(data, "__arrow_c_stream__"):
        return arrow_files.as_table(data)
    try:
        reader = pa.RecordBatchReader.from_stream(data)
    except (pa.ArrowException, TypeError, ValueError, NotImplementedError) as error:
        raise DataError(f"{name}: is no table ({arrow_files.one_line(error)})") from None
    begun: list[pa.RecordBatch] = []
    size = 0
    for batch in reader:
        begun.append(batch)
        size += batch.nbytes
        if size > LARGE:
            return arrow_source.copied(name, _going_on(begun, reader))
    return pa.Table.from_batches(begun, reader.schema)


def _going_on(
    begun: list[pa.RecordBatch], rest: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    # each is let go of once it is written
    while begun:
        yield begun.pop(0)
    yield from rest
