"""Tables in Arrow's types, as their source has them: Parquet and Arrow files, tables in memory.

What cannot be read, or would not be written the same again, is `UnsuitedError`, with the reason.
"""

from __future__ import annotations

import io
import mmap
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from aetool import files
from aetool.canonical import Json
from aetool.data import cuts
from aetool.data.located import NOWHERE, BatchAt, FileAt, Raw
from aetool.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

ROWS = 1 << 16  # records a batch
PARQUET, ARROW = "parquet", "arrow"
PARQUET_MAGIC, ARROW_MAGIC = b"PAR1", b"ARROW1"
STREAM_MAGIC = b"\xff\xff\xff\xff"  # before the length of each message, that of the schema first
HEAD = 6  # bytes that tell a file's kind
# What Parquet says of a column beside its type, and Arrow does not write again.
LOST = ("ENUM", "JSON", "BSON", "UUID", "INTERVAL", "VARIANT", "GEOMETRY", "GEOGRAPHY")
CODECS = ("SNAPPY", "GZIP", "BROTLI", "ZSTD", "LZ4")
Format = dict[str, Json]  # of a header
WithMetadata: TypeAlias = "tuple[pa.RecordBatch, object]"
InMemory: TypeAlias = "pd.DataFrame | pa.Table | pa.RecordBatch"
# Ways to write Parquet's types, the usual one first: versions of its types, decimals as integers.
WAYS: tuple[Format, ...] = (
    {},
    {"integers": True},
    {"version": "2.4"},
    {"version": "1.0"},
    {"version": "1.0", "integers": True},
)


class UnsuitedError(DataError):
    """A source cannot be stored in its own types; the message says why, without the source's
    name."""


class ArrowTable:
    """A table as batches of one schema.

    path: of its file; None for a table in memory. format: how to write it again: kind of file,
    compression, and its groups of rows, as pairs (how many groups, rows of each).
    """

    def __init__(self, name: str, schema: pa.Schema, format: Format) -> None:
        self.name = name
        self.schema = schema
        self.format = format
        self.path: Path | None = None
        self.place: files.Place | None = None  # keeps a spool for as long as it is in use
        self._batches: list[pa.RecordBatch] = []

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the records in order, as batches of about ROWS records. Each call begins anew."""
        for batch, _ in self.located():
            yield batch

    def located(self) -> Iterator[tuple[pa.RecordBatch, BatchAt | None]]:
        """Yield each batch of `batches` with the place from which another process can read it; None
        if only this one can."""
        own_file: FileAt | None = None
        is_spooled = self.place is not None and self.place.spool is not None
        if self.path is not None and self.format["format"] == PARQUET and not is_spooled:
            own_file = FileAt.of(self.path, self.name)
        for whole, raws in cuts.put_together(self._whole_batches(), ROWS):
            for first_row, part in cuts.parts(whole, ROWS):
                if own_file is None:
                    yield part, None
                else:
                    yield part, BatchAt(own_file, ROWS, raws, first_row, part.num_rows)

    def head(self, rows: int) -> pa.Table:
        """The first records, at most `rows`, as one Arrow table."""
        import pyarrow as pa

        first_batches = []
        missing = rows
        for batch in self.batches():
            first_batches.append(batch.slice(0, missing))
            missing -= first_batches[-1].num_rows
            if not missing:
                break
        return pa.Table.from_batches(first_batches, self.schema)

    def table(self) -> pa.Table:
        """All records as one Arrow table."""
        import pyarrow as pa

        batches = [batch for batch, _ in self._whole_batches()]
        return pa.Table.from_batches(batches, self.schema)

    def _whole_batches(self) -> Iterator[cuts.Placed]:
        if self.path is None:
            yield from ((batch, NOWHERE) for batch in self._batches)
        elif self.format["format"] == PARQUET:
            yield from _parquet_batches(self.path)
        else:
            yield from ((batch, NOWHERE) for batch in arrow_batches(self.path, self.name))


def kind_of(head: bytes) -> str:
    """The kind of a file by its first bytes: PARQUET, ARROW, or "" for any other."""
    if head.startswith(PARQUET_MAGIC):
        return PARQUET
    if head.startswith((ARROW_MAGIC, STREAM_MAGIC)):
        return ARROW
    return ""


def open_table(path: Path, name: str) -> ArrowTable:
    """Open a Parquet or Arrow file; UnsuitedError, with the reason, if it cannot be read or would
    not be written again with the same types."""
    import pyarrow as pa

    with path.open("rb") as file:
        head = file.read(HEAD)
    try:
        is_parquet = kind_of(head) == PARQUET
        table = _open_parquet(path, name) if is_parquet else _open_arrow(path, name)
        table.path = path
        return _checked(table)
    except (pa.ArrowException, OSError, ValueError, NotImplementedError) as error:
        raise UnsuitedError(f"it cannot be read ({one_line(error)})") from None


def of_memory(data: InMemory, name: str) -> ArrowTable:
    """A DataFrame or Arrow table in memory as an ArrowTable; UnsuitedError for types that can only
    be stored as an Arrow file's bytes."""
    table = as_arrow(data)
    described: Format = {"format": PARQUET, "suffix": ".parquet", "compression": "zstd"}
    source = ArrowTable(name, table.schema, described)
    source._batches = table.to_batches()
    try:
        return _checked(source)
    except UnsuitedError:
        # Parquet has fewer types than Arrow
        source.format = {"format": ARROW, "suffix": ".arrow"}
        return _checked(source)


def is_frame(data: object) -> bool:
    """Whether data are a pandas DataFrame; pandas is not imported for that."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(data, pandas.DataFrame)


def index_of(data: object) -> pd.Index | None:
    """The index of a pandas DataFrame or Series; None for any other data."""
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(data, pandas.DataFrame | pandas.Series):
        return None
    index: pd.Index = data.index
    return index


def table_of(columns: Mapping[str, Sequence[object]], types: Mapping[str, str]) -> pa.Table:
    """An Arrow table of columns by name. types: Arrow's name of the type by column; columns not in
    it are strings."""
    import pyarrow as pa

    fields = [pa.field(name, pa.type_for_alias(types.get(name, "string"))) for name in columns]
    return pa.table(dict(columns), schema=pa.schema(fields))


def as_table(data: object) -> pa.Table:
    """An object that offers Arrow's protocol as an Arrow table; DataError if it is no table."""
    import pyarrow as pa

    if isinstance(data, pa.Table):
        return data
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data])
    try:
        return pa.table(data)
    except (pa.ArrowException, TypeError, ValueError, NotImplementedError) as error:
        raise DataError(f"{type(data).__name__}: is no table ({one_line(error)})") from None


def as_arrow(data: InMemory) -> pa.Table:
    """Data as an Arrow table, with the index of a DataFrame; DataError if a column has no type of
    Arrow."""
    import pyarrow as pa

    if not is_frame(data):
        return as_table(data)
    names = [str(name) for name in data.columns]
    if len(set(names)) < len(names):
        return _of_places(data, names)
    for place, name in enumerate(names):
        if _mixes_text_and_bytes(data.iloc[:, place]):
            raise DataError(
                f"DataFrame: column '{name}' mixes text and bytes, and a column has one type; "
                "encode the text, or decode the bytes"
            )
    try:
        return pa.Table.from_pandas(data)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise DataError(f"DataFrame: a column cannot be read: {one_line(error)}") from None


def _mixes_text_and_bytes(column: pd.Series) -> bool:
    """Whether a column of objects has both str and bytes, all of which Arrow would make bytes."""
    if column.dtype != object:
        return False
    has_text = any(isinstance(value, str) for value in column)
    return has_text and any(isinstance(value, bytes) for value in column)


def _of_places(frame: pd.DataFrame, names: list[str]) -> pa.Table:
    """A DataFrame some of whose columns have the same name, as an Arrow table; DataError if it has
    an index of its own."""
    # what pandas notes of an index is told by names, which say nothing here
    if list(frame.index) != list(range(len(frame))):
        raise DataError(
            "DataFrame: two columns have one name, and there is an index beside them; name them "
            "apart, or use reset_index()"
        )
    by_place = frame.set_axis([str(place) for place in range(len(names))], axis=1)
    table = as_arrow(by_place)
    return table.rename_columns(names).replace_schema_metadata(None)


def file_of(table: pa.Table) -> bytes:
    """Write a table as the bytes of an Arrow file."""
    import pyarrow as pa

    sink = io.BytesIO()
    unified = table.unify_dictionaries()
    with pa.ipc.new_file(sink, unified.schema) as writer:
        writer.write_table(unified)
    return sink.getvalue()


def frame_of_file(data: bytes) -> pd.DataFrame:
    """Read the bytes of an Arrow file as a DataFrame."""
    import pyarrow as pa

    frame: pd.DataFrame = pa.ipc.open_file(io.BytesIO(data)).read_all().to_pandas()
    return frame


def frame_of(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> pd.DataFrame:
    """Batches of a schema as one DataFrame, with the index and dtypes that the schema's metadata
    note."""
    import pyarrow as pa

    table = pa.Table.from_batches(list(batches), schema)
    if len(set(schema.names)) == len(schema.names):
        frame: pd.DataFrame = table.to_pandas()
        return frame
    # Arrow tells pandas the types of columns by their names
    places = [str(place) for place in range(len(schema.names))]
    frame = table.replace_schema_metadata(None).rename_columns(places).to_pandas()
    frame.columns = list(schema.names)
    return frame


def frame_of_records(
    records: list[dict[str, object]],
    columns: Sequence[str] | None = None,
) -> pd.DataFrame:
    """A DataFrame of JSON objects: a row for each, a column for each key; columns: only of these
    keys, in this order."""
    import pandas as pd

    names = None if columns is None else list(columns)
    return pd.DataFrame(records, columns=names)


def joint_schema(first: pa.Schema, second: pa.Schema) -> pa.Schema:
    """A schema whose types hold the values of two schemas with the same columns: floats for
    integers and floats, strings where one has strings."""
    import pyarrow as pa

    fields = []
    for mine, its in zip(first, second, strict=True):
        schemas = [pa.schema([mine]), pa.schema([its])]
        try:
            fields += pa.unify_schemas(schemas, promote_options="permissive")
        except pa.ArrowTypeError:
            fields.append(pa.field(mine.name, pa.string()))
    return pa.schema(fields)


def one_line(error: Exception) -> str:
    """The message of an error, its line ends replaced by blanks."""
    return " ".join(str(error).split())


def _checked(table: ArrowTable) -> ArrowTable:
    """Check that a file written with the table's schema and format reads as the same schema,
    metadata included, and return the table; else UnsuitedError."""
    import pyarrow as pa

    names_of(table.schema)
    sink = io.BytesIO()
    try:
        write_table(sink, table.schema, [], table.format, whole=False)
    except (pa.ArrowException, TypeError, ValueError, NotImplementedError) as error:
        raise UnsuitedError(f"it cannot be written again ({one_line(error)})") from None
    sink.seek(0)
    again = _schema_of(sink, table.format)
    if not again.equals(table.schema, check_metadata=True):
        for before, after in zip(table.schema, again, strict=True):
            if not before.equals(after, check_metadata=True):
                raise UnsuitedError(f"column '{before.name}' would be written as {after.type}")
        raise UnsuitedError("its metadata would not be written again")
    return table


def names_of(schema: pa.Schema) -> list[str]:
    """The names of a schema's columns; UnsuitedError if one is not UTF-8."""
    try:
        return list(schema.names)
    except UnicodeDecodeError as error:
        raise UnsuitedError(f"a column's name is not UTF-8 ({error.reason})") from None


def _schema_of(file: BinaryIO, format: Format) -> pa.Schema:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if format["format"] == PARQUET:
        return pq.ParquetFile(file).schema_arrow
    begin = pa.ipc.open_stream if format.get("stream") else pa.ipc.open_file
    return begin(file).schema


# ---- reading


def _open_parquet(path: Path, name: str) -> ArrowTable:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, pre_buffer=False) as file:
        for column in file.schema:
            kind = column.logical_type.type
            if column.physical_type == "INT96" or kind in LOST:
                type_name = "INT96" if column.physical_type == "INT96" else kind
                raise UnsuitedError(f"column '{column.path}' is of Parquet's type {type_name}")
        groups = [file.metadata.row_group(i) for i in range(file.num_row_groups)]
        in_order = {tuple(group.sorting_columns) for group in groups}
        if len(in_order) > 1:
            raise UnsuitedError("its groups of rows are sorted by different columns")
        codec = groups[0].column(0).compression if groups and groups[0].num_columns else "ZSTD"
        described: Format = {
            "format": PARQUET,
            "suffix": ".parquet",
            "compression": codec.lower() if codec in CODECS else "none",
            "groups": _counted([group.num_rows for group in groups]),
        }
        sorting = in_order.pop() if in_order else ()
        if sorting:
            described["sorted"] = [
                [column.column_index, column.descending, column.nulls_first] for column in sorting
            ]
        described |= _written_as(file.schema, file.schema_arrow, described)
        return ArrowTable(name, file.schema_arrow, described)


def _written_as(wanted: pq.ParquetSchema, schema: pa.Schema, described: Format) -> Format:
    """Which of WAYS writes a schema with the Parquet types `wanted`: the version of types, decimals
    as integers. UnsuitedError, with the first column that differs, if none does."""
    import pyarrow.parquet as pq

    columns: list[pq.ColumnSchema] = []
    for way in WAYS:
        sink = io.BytesIO()
        _write_parquet(sink, schema, iter(()), {**described, **way})
        written = pq.ParquetFile(sink).schema
        if wanted.equals(written):
            return way
        columns = columns or list(written)
    for before, after in zip(wanted, columns, strict=False):
        if not before.equals(after):
            raise UnsuitedError(
                f"column '{before.path}' is stored in another way than it would be written "
                f"({_said(before)}, not {_said(after)})"
            )
    raise UnsuitedError("its columns would not be written again")


def _said(column: pq.ColumnSchema) -> str:
    """The types and nesting levels of a column of a Parquet file, as a text for a message."""
    levels = f"{column.max_definition_level}/{column.max_repetition_level}"
    return f"{column.physical_type} {column.logical_type} {levels}"


def _parquet_batches(path: Path) -> Iterator[cuts.Placed]:
    import pyarrow.parquet as pq

    # read ahead, pyarrow keeps every byte that it has read
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for group in range(file.num_row_groups):
            # of columns of dictionaries every group has its own
            for number, batch in enumerate(file.iter_batches(ROWS, row_groups=[group])):
                yield batch, Raw(group, number)


def _open_arrow(path: Path, name: str) -> ArrowTable:
    rows: list[int] = []
    raw = 0
    with _Mapped(path) as mapped:
        if mapped.has_metadata:
            raise UnsuitedError("it has metadata beside its schema's")
        for batch, metadata in mapped.batches():
            if metadata:
                raise UnsuitedError("its batches have metadata of their own")
            rows.append(batch.num_rows)
            raw += sum(part.nbytes for part in mapped.parts_of(batch))
        if mapped.is_stream and not mapped.is_read_to_its_end:
            raise UnsuitedError("there is more behind the end of its stream")
        described: Format = {
            "format": ARROW,
            "suffix": Path(name).suffix,
            "groups": _counted(rows),
        }
        if mapped.is_stream:
            described["stream"] = True
        if path.stat().st_size < raw:
            described["compression"] = "lz4"
        return ArrowTable(name, mapped.schema, described)


def arrow_schema(path: Path) -> tuple[pa.Schema, Format]:
    """(schema, format) of an Arrow file or stream; format says which of both it is."""
    with _Mapped(path) as mapped:
        kind: Format = {"format": ARROW}
        return mapped.schema, kind | ({"stream": True} if mapped.is_stream else {})


def arrow_batches(
    path: Path,
    name: str,
    places: Sequence[int] | None = None,
) -> Iterator[pa.RecordBatch]:
    """Yield the records of an Arrow file or stream, at most ROWS at a time. places: of the columns
    to read; None: all. name: for messages.

    However large its batches are, little of an uncompressed file is in memory at any time.
    DataError where more follows behind the end of a stream.
    """
    with _Mapped(path, places) as mapped:
        for batch, _ in mapped.batches():
            yield from mapped.parts_of(batch)
        if mapped.is_stream and not mapped.is_read_to_its_end:
            raise DataError(f"{name}: more follows behind the end of its stream; give one table")


class _Mapped:
    """An Arrow file or stream in mapped memory: only the parts asked for are read from the disk.
    places: of the columns to read; None: all."""

    def __init__(self, path: Path, places: Sequence[int] | None = None) -> None:
        import pyarrow as pa

        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._input = pa.BufferReader(pa.py_buffer(self._bytes))
        self.is_stream = self._bytes[: len(STREAM_MAGIC)] == STREAM_MAGIC
        chosen = None if places is None else list(places)
        options = pa.ipc.IpcReadOptions(included_fields=chosen)
        read = pa.ipc.open_stream if self.is_stream else pa.ipc.open_file
        self._reader: pa.RecordBatchReader = read(self._input, options=options)

    def __enter__(self) -> _Mapped:
        return self

    def __exit__(self, *raised: object) -> None:
        # arrays may still look at the bytes, which go when the last of these goes
        self.forget()

    @property
    def schema(self) -> pa.Schema:
        """The names and types of the columns."""
        return self._reader.schema

    @property
    def has_metadata(self) -> bool:
        """Whether the file has metadata of its own, beside its schema's."""
        return bool(getattr(self._reader, "metadata", None))

    @property
    def is_read_to_its_end(self) -> bool:
        """Whether the last batch read was the last thing in the file: else more follows behind a
        stream."""
        return bool(self._input.tell() == len(self._bytes))

    def batches(self) -> Iterator[WithMetadata]:
        """Yield the batches in order, each with its own metadata or None."""
        if not self.is_stream:
            for number in range(self._reader.num_record_batches):
                yield _valid(self._reader.get_batch_with_custom_metadata(number))
            return
        while True:
            try:
                batch = self._reader.read_next_batch_with_custom_metadata()
            except StopIteration:
                return
            yield _valid(batch)

    def parts_of(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """Yield a batch as parts of at most ROWS records, each checked: ArrowInvalid if it is
        damaged."""
        for first in range(0, batch.num_rows, ROWS):
            part = batch.slice(first, ROWS)
            part.validate(full=True)
            yield part
            self.forget()

    def forget(self) -> None:
        """Release the memory of the file's mapped pages; they are read again from the disk when
        they are looked at."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self._bytes.madvise(mmap.MADV_DONTNEED)


def _valid(batch: WithMetadata) -> WithMetadata:
    # Arrow takes what a file says of its own sizes for granted, and would read beyond them
    batch[0].validate()
    return batch


def _counted(sizes: list[int]) -> list[list[int]]:
    """Group equal sizes that follow one another: pairs (how many in a row, size); sizes of 0 are
    left out."""
    counted: list[list[int]] = []
    for size in filter(None, sizes):
        if counted and counted[-1][1] == size:
            counted[-1][0] += 1
        else:
            counted.append([1, size])
    return counted


# ---- writing


def write_table(
    file: BinaryIO,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    format: Format,
    whole: bool = True,
) -> None:
    """Write batches as the kind of file that format says.

    whole: whether these are all records and columns; only then are the source's groups of rows and
    sorting written again.
    """
    groups = _groups(batches, format.get("groups") if whole else None, schema)
    if not whole:  # columns may be missing, so that places are others
        format = {key: value for key, value in format.items() if key != "sorted"}
    if format["format"] == PARQUET:
        _write_parquet(file, schema, groups, format)
    else:
        _write_arrow(file, schema, groups, format)


def _groups(
    batches: Iterable[pa.RecordBatch],
    counted: list[list[int]] | None,
    schema: pa.Schema,
) -> Iterator[pa.Table]:
    """Yield batches as tables. counted: pairs (how many groups, rows of each) to join batches to;
    None: each batch is a table."""
    import pyarrow as pa

    if counted is None:
        for batch in batches:
            yield pa.Table.from_batches([batch])
        return
    following = iter(batches)
    batch = next(following, None)
    for times, rows in counted:
        for _ in range(times):
            parts = []
            missing = rows
            while missing > 0 and batch is not None:
                parts.append(batch.slice(0, missing))
                missing -= parts[-1].num_rows
                batch = batch.slice(parts[-1].num_rows)
                if not batch.num_rows:
                    batch = next(following, None)
            yield pa.Table.from_batches(parts, schema)


def _write_parquet(
    file: BinaryIO,
    schema: pa.Schema,
    groups: Iterator[pa.Table],
    format: Format,
) -> None:
    import pyarrow.parquet as pq

    options: dict[str, Json] = {"compression": format.get("compression", "zstd")}
    options["version"] = str(format.get("version", "2.6"))
    options["store_decimal_as_integer"] = bool(format.get("integers", False))
    if format.get("sorted"):
        options["sorting_columns"] = [pq.SortingColumn(*column) for column in format["sorted"]]
    with pq.ParquetWriter(file, schema, **options) as writer:
        for group in groups:
            writer.write_table(group, row_group_size=max(1, group.num_rows))


def _write_arrow(
    file: BinaryIO,
    schema: pa.Schema,
    groups: Iterator[pa.Table],
    format: Format,
) -> None:
    import pyarrow as pa

    options = pa.ipc.IpcWriteOptions(compression=format.get("compression"))
    begin = pa.ipc.new_stream if format.get("stream") else pa.ipc.new_file
    with begin(file, schema, options=options) as writer:
        for group in groups:
            for batch in group.combine_chunks().to_batches():
                writer.write_batch(batch)
