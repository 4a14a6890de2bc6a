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
HEAD = 6  # first bytes of a file, by which its kind is known
SHOWN = 20  # characters of a text that a message shows
# What Parquet says of a column beside its type, and Arrow does not write again.
LOST = ("ENUM", "JSON", "BSON", "UUID", "INTERVAL", "VARIANT", "GEOMETRY", "GEOGRAPHY")
CODECS = ("SNAPPY", "GZIP", "BROTLI", "ZSTD", "LZ4")
# What pyarrow raises, beside its own errors, of a file, and of objects and types.
UNREADABLE = (ValueError, NotImplementedError)
UNTAKEN = (TypeError, ValueError, NotImplementedError)
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
    """A source cannot be stored in its own types, and has to be stored in another way; the message
    says why, without the source's name."""


class DamagedError(UnsuitedError):
    """A file that was opened cannot be read to its end; the message begins with its name."""


class ArrowTable:
    """A table as batches of one schema, opened by `open_table` or `of_memory`.

    name: for messages. schema: of all its batches. path: of its file; None for a table in memory.
    place: set by who opens a copied file, keeps it for as long as this is in use. format: how to
    write it again: "format", PARQUET or ARROW, "suffix", and, where they are known, "compression",
    "groups", its groups of rows, as pairs [how many groups, rows of each], "stream", True of an
    Arrow stream, and what `_write_parquet` takes.
    """

    def __init__(self, name: str, schema: pa.Schema, format: Format) -> None:
        self.name = name
        self.schema = schema
        self.format = format
        self.path: Path | None = None
        self.place: files.Place | None = None  # keeps a spool for as long as it is in use
        self._batches: list[pa.RecordBatch] = []

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the records in order, as batches of at most ROWS (65,536) records; none without
        records. Each call begins anew. DamagedError where the file cannot be read; DataError where
        more follows behind the end of an Arrow stream."""
        for batch, _ in self.located():
            yield batch

    def located(self) -> Iterator[tuple[pa.RecordBatch, BatchAt | None]]:
        """Yield each batch of `batches` with its place in the Parquet file, from which another
        process can read it, too; None where only this one can: of memory, of Arrow files and of
        temporary copies. At most ROWS (65,536) records each. DamagedError where it cannot
        be read; DataError where more follows behind the end of an Arrow stream."""
        own_file = self._own_file()
        for whole, raws in cuts.put_together(self._whole_batches(), ROWS):
            for first_row, part in cuts.parts(whole, ROWS):
                # without a file that others see, the records themselves have to travel
                if own_file is None:
                    yield part, None
                    continue
                place = BatchAt(
                    own_file,
                    ROWS,
                    raws,
                    first_row,
                    part.num_rows,
                )
                yield part, place

    def _own_file(self) -> FileAt | None:
        """The Parquet file of the table, with its present size, if other processes can read parts
        of it, too; None for memory, Arrow files and temporary copies."""
        is_spooled = self.place is not None and self.place.spool is not None
        # a spool is known to this process alone
        if self.path is None or is_spooled:
            return None
        if self.format["format"] != PARQUET:
            return None
        return FileAt.of(self.path, self.name)

    def head(self, rows: int) -> pa.Table:
        """The first records, at most `rows`, as one Arrow table; DataError where the file cannot be
        read."""
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
        """All records as one Arrow table; DataError where the file cannot be read."""
        import pyarrow as pa

        batches = [batch for batch, _ in self._whole_batches()]
        return pa.Table.from_batches(batches, self.schema)

    def _whole_batches(self) -> Iterator[cuts.Placed]:
        """Yield the source's own batches, however many records they have, each with its place in a
        Parquet file, or NOWHERE. DamagedError where the file cannot be read; DataError where more
        follows behind the end of an Arrow stream."""
        import pyarrow as pa

        if self.path is None:
            for batch in self._batches:
                yield batch, NOWHERE
            return
        count = 0
        if self.format["format"] == PARQUET:
            batches = _parquet_batches(self.path)
        else:
            batches = ((batch, NOWHERE) for batch in arrow_batches(self.path, self.name))
        try:
            for batch, place in batches:
                yield batch, place
                count += batch.num_rows
        # a caller that writes another file meanwhile would take an OSError for one of that
        except (pa.ArrowException, OSError, *UNREADABLE) as error:
            reason = one_line(error)
            raise DamagedError(f"{self.name}: damaged behind row {count}: {reason}") from None


def kind_of(head: bytes) -> str:
    """The kind of a file by its first bytes, HEAD (6) or more: PARQUET, ARROW (a file or a stream),
    or "" for any other."""
    if head.startswith(PARQUET_MAGIC):
        return PARQUET
    if head.startswith((ARROW_MAGIC, STREAM_MAGIC)):
        return ARROW
    return ""


def open_table(path: Path, name: str) -> ArrowTable:
    """Open a Parquet file, of which the footer and a record are read, or an Arrow file or stream,
    which is read to its end; UnsuitedError, with the reason, if it cannot be read or would not be
    written again with the same types. name: for messages. OSError if it cannot be opened."""
    import pyarrow as pa

    with path.open("rb") as file:
        head = file.read(HEAD)
    is_parquet = kind_of(head) == PARQUET
    open_kind = _open_parquet if is_parquet else _open_arrow
    try:
        table = open_kind(path, name)
        table.path = path
        return _checked_as_writable(table)
    except (pa.ArrowException, OSError, *UNREADABLE) as error:
        raise UnsuitedError(f"it cannot be read ({one_line(error)})") from None


def of_memory(data: InMemory, name: str) -> ArrowTable:
    """A DataFrame or Arrow table in memory as an ArrowTable, to be written as Parquet, or as an
    Arrow file where Parquet has not its types; UnsuitedError for types that neither gives back,
    DataError if a column has no type of Arrow. name: for messages."""
    table = as_arrow(data)
    described: Format = {
        "format": PARQUET,
        "suffix": ".parquet",
        "compression": "zstd",
    }
    source = ArrowTable(name, table.schema, described)
    source._batches = table.to_batches()
    try:
        return _checked_as_writable(source)
    except UnsuitedError:
        # Parquet has fewer types than Arrow
        source.format = {"format": ARROW, "suffix": ".arrow"}
        return _checked_as_writable(source)


def is_frame(data: object) -> bool:
    """Whether data are a pandas DataFrame; pandas is not imported for that."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(data, pandas.DataFrame)


def index_of(data: object) -> pd.Index | None:
    """The index of a pandas DataFrame or Series; None for any other data. pandas is not imported
    for that."""
    pandas = sys.modules.get("pandas")
    if pandas is None:
        return None
    if not isinstance(data, pandas.DataFrame | pandas.Series):
        return None
    index: pd.Index = data.index
    return index


def table_of(
    columns: Mapping[str, Sequence[object]],
    types: Mapping[str, str],
) -> pa.Table:
    """An Arrow table of columns, lists of as many values by name, None for gaps. types: Arrow's
    name of the type by column; columns not in it are strings. Errors of Arrow for values that are
    not of the type, ValueError for a type that it does not know."""
    import pyarrow as pa

    fields = []
    for name in columns:
        kind = pa.type_for_alias(types.get(name, "string"))
        fields.append(pa.field(name, kind))
    schema = pa.schema(fields)
    return pa.table(dict(columns), schema=schema)


def as_table(data: object) -> pa.Table:
    """An object that offers Arrow's protocol as an Arrow table; a table is returned as it is.
    DataError if it is no table."""
    import pyarrow as pa

    if isinstance(data, pa.Table):
        return data
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data])
    try:
        return pa.table(data)
    except (pa.ArrowException, *UNTAKEN) as error:
        name = type(data).__name__
        raise DataError(f"{name}: is no table ({one_line(error)})") from None


def as_arrow(data: InMemory) -> pa.Table:
    """Data as an Arrow table; of a DataFrame with its index and pandas' metadata, without both
    where two columns have one name. DataError if the data are no table, if a column has no type of
    Arrow, mixes text and bytes, or has half of a surrogate pair in a text, or if two columns have
    one name and the index is not 0, 1, 2 ..."""
    import pyarrow as pa

    if not is_frame(data):
        return as_table(data)
    names = [str(name) for name in data.columns]
    if len(set(names)) < len(names):
        return _table_of_repeated_names(data, names)
    # Arrow would turn the texts into bytes without an error
    for place, name in enumerate(names):
        if _mixes_text_and_bytes(data.iloc[:, place]):
            raise DataError(
                f"DataFrame: column '{name}' mixes text and bytes, and a column has one type; "
                "encode the text, or decode the bytes"
            )
    try:
        return pa.Table.from_pandas(data)
    except UnicodeEncodeError as error:
        raise half_a_pair("DataFrame", error) from None
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise DataError(f"DataFrame: a column cannot be read: {one_line(error)}") from None


def _mixes_text_and_bytes(column: pd.Series) -> bool:
    """Whether a column of objects has both str and bytes, all of which Arrow would make bytes."""
    if column.dtype != object:
        return False
    has_text = any(isinstance(value, str) for value in column)
    # the column is not looked through twice without need
    return has_text and any(isinstance(value, bytes) for value in column)


def _table_of_repeated_names(frame: pd.DataFrame, names: list[str]) -> pa.Table:
    """A DataFrame some of whose columns have the same name, as an Arrow table without pandas'
    metadata; DataError if it has another index than 0, 1, 2 ..., or a column that no type of Arrow
    holds (see `as_arrow`). names: of all columns, in order."""
    # pandas' metadata name the columns of an index, and names are not unique here
    usual_index = range(len(frame))
    if list(frame.index) != list(usual_index):
        raise DataError(
            "DataFrame: two columns have one name, and there is an index beside them; name them "
            "apart, or use reset_index()"
        )
    places = [str(place) for place in range(len(names))]
    by_place = frame.set_axis(places, axis=1)
    table = as_arrow(by_place)
    return table.rename_columns(names).replace_schema_metadata(None)


def file_of(table: pa.Table) -> bytes:
    """Write a table as the bytes of an Arrow file (not a stream); a column of a dictionary type has
    one dictionary in all batches then, as files must have."""
    import pyarrow as pa

    sink = io.BytesIO()
    unified = table.unify_dictionaries()
    with pa.ipc.new_file(sink, unified.schema) as writer:
        writer.write_table(unified)
    return sink.getvalue()


def frame_of_file(data: bytes) -> pd.DataFrame:
    """Read the bytes of an Arrow file, as `file_of` writes them, as a DataFrame with the index that
    its metadata note. ArrowInvalid for other bytes."""
    import pyarrow as pa

    stream = io.BytesIO(data)
    table = pa.ipc.open_file(stream).read_all()
    frame: pd.DataFrame = table.to_pandas()
    return frame


def frame_of(
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    first: int = 0,
    rows: int | None = None,
) -> pd.DataFrame:
    """Batches of a schema, perhaps none, as one DataFrame, with the index and dtypes that the
    schema's metadata note; where two columns have one name, without these. first: the number, from
    0, of the table's record with which the batches begin; rows: how many records there should be,
    None for not known. An index that is a range is restored only if there are just so many, as
    records that are left out would shift the others."""
    import pandas as pd
    import pyarrow as pa

    table = pa.Table.from_batches(list(batches), schema)
    names = list(schema.names)
    if len(set(names)) == len(names):
        frame: pd.DataFrame = table.to_pandas()
        noted = _noted_range(schema)
        if noted is not None and rows == len(frame):
            start, step, name = noted
            begin = start + first * step
            end = begin + len(frame) * step
            # pandas itself does not apply the noted range to a part of the table
            frame.index = pd.RangeIndex(begin, end, step, name=name)
        return frame
    # Arrow hands columns to pandas by name, so that names must differ for a while
    places = [str(place) for place in range(len(names))]
    by_place = table.replace_schema_metadata(None).rename_columns(places)
    frame = by_place.to_pandas()
    frame.columns = names
    return frame


def _noted_range(schema: pa.Schema) -> tuple[int, int, str | None] | None:
    """The range that a schema's metadata note as the index of a DataFrame: (first number, step,
    name). None where they note none, or numbers from 0 in steps of 1 without a name, which every
    DataFrame has."""
    noted = (schema.pandas_metadata or {}).get("index_columns", [])
    if len(noted) != 1 or not isinstance(noted[0], dict):
        return None
    start, step, name = noted[0].get("start"), noted[0].get("step"), noted[0].get("name")
    # a file's metadata may say anything
    if type(start) is not int or type(step) is not int or not step:
        return None
    if (start, step, name) == (0, 1, None):
        return None
    return start, step, name


def frame_of_records(
    records: list[dict[str, object]],
    columns: Sequence[str] | None = None,
) -> pd.DataFrame:
    """A DataFrame of JSON objects: a row for each, a column for each key, gaps where an object
    lacks it. columns: only of these keys, in this order; None: of all, as they first appear."""
    import pandas as pd

    names = None if columns is None else list(columns)
    return pd.DataFrame(records, columns=names)


def joint_schema(first: pa.Schema, second: pa.Schema) -> pa.Schema:
    """Join two schemas with the same names in the same order: a schema whose types hold the values
    of both, such as floats for integers and floats, and strings for types that cannot be joined.
    ValueError if one has more columns."""
    import pyarrow as pa

    fields = []
    for one, other in zip(first, second, strict=True):
        # column by column, so that one that cannot be joined does not stop the others
        schemas = [pa.schema([one]), pa.schema([other])]
        try:
            fields += pa.unify_schemas(schemas, promote_options="permissive")
        except pa.ArrowTypeError:
            text = pa.field(one.name, pa.string())
            fields.append(text)
    return pa.schema(fields)


def one_line(error: Exception) -> str:
    """The message of an error on one line, each run of blanks and line ends as one blank."""
    return " ".join(str(error).split())


def half_a_pair(name: str, error: UnicodeEncodeError) -> DataError:
    """Return, not raise, the DataError for a text in memory with half a surrogate pair, which is no
    character, and which UTF-8 has no bytes for. name: of the data; error: what encoding raised."""
    text = error.object
    return DataError(
        f"{name}: the text {text[:SHOWN]!r} has half a surrogate pair, {text[error.start]!r}, "
        "which is no character: replace it, as text.encode(errors='replace').decode() does"
    )


def _checked_as_writable(table: ArrowTable) -> ArrowTable:
    """Check that a table's kind of file can hold its types: write a file of no records with its
    schema and format in memory, and read that. Returns the table if the schema is the same again,
    metadata included; else UnsuitedError, with the first column that differs. UnsuitedError, too,
    for a column's name that is not UTF-8."""
    import pyarrow as pa

    schema = table.schema
    # raises UnsuitedError for a name that is not UTF-8
    names_of(schema)
    sink = io.BytesIO()
    # without a record: it is the schema that may not come back
    try:
        write_table(sink, schema, [], table.format, whole=False)
    except (pa.ArrowException, *UNTAKEN) as error:
        raise UnsuitedError(f"it cannot be written again ({one_line(error)})") from None
    sink.seek(0)
    schema_again = _schema_of(sink, table.format)
    if schema_again.equals(schema, check_metadata=True):
        return table
    for before, after in zip(schema, schema_again, strict=True):
        if not before.equals(after, check_metadata=True):
            raise UnsuitedError(f"column '{before.name}' would be written as {after.type}")
    raise UnsuitedError("its metadata would not be written again")


def names_of(schema: pa.Schema) -> list[str]:
    """The names of a schema's columns, in order; UnsuitedError if one is not UTF-8."""
    try:
        return list(schema.names)
    except UnicodeDecodeError as error:
        raise UnsuitedError(f"a column's name is not UTF-8 ({error.reason})") from None


def _schema_of(file: BinaryIO, format: Format) -> pa.Schema:
    """Read the schema of an open file, at its begin, of this format: Parquet, or an Arrow file or
    stream. Errors of Arrow if it is none."""
    import pyarrow.parquet as pq
    from pyarrow import ipc

    if format["format"] == PARQUET:
        return pq.ParquetFile(file).schema_arrow
    open_reader = ipc.open_stream if format.get("stream") else ipc.open_file
    return open_reader(file).schema


# ---- reading


def _open_parquet(path: Path, name: str) -> ArrowTable:
    """Open a Parquet file as a table whose `format` says how to write it again; its `path` the
    caller sets. Its footer and one record are read. name: for messages. UnsuitedError if it cannot
    be written again; errors of Arrow if it cannot be read."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, pre_buffer=False) as file:
        read_first(file)
        for column in file.schema:
            _check_type(column)
        metadata = file.metadata
        groups = [metadata.row_group(number) for number in range(file.num_row_groups)]
        # a file that is written has one sorting for all its groups
        sortings = {tuple(group.sorting_columns) for group in groups}
        if len(sortings) > 1:
            raise UnsuitedError("its groups of rows are sorted by different columns")
        codec = "ZSTD"
        # as the first column of the first group is compressed
        if groups and groups[0].num_columns:
            codec = groups[0].column(0).compression
        sizes = [group.num_rows for group in groups]
        described: Format = {
            "format": PARQUET,
            "suffix": ".parquet",
            "compression": codec.lower() if codec in CODECS else "none",
            "groups": _runs_of_equal(sizes),
        }
        sorting = sortings.pop() if sortings else ()
        if sorting:
            described["sorted"] = [
                [column.column_index, column.descending, column.nulls_first] for column in sorting
            ]
        described |= _way_of_types(file.schema, file.schema_arrow, described)
        return ArrowTable(name, file.schema_arrow, described)


def read_first(
    file: pq.ParquetFile,
    group: int = 0,
    names: Sequence[str] | None = None,
) -> None:
    """Read one record of an open Parquet file, if it has any: errors of Arrow or OSError where it
    is damaged. What the footer says of a column's part in a group is only to be asked for behind
    this: where it contradicts the schema, pyarrow would end the process. group: the row group, from
    0, of the record; names: of columns, at its top; None: all."""
    if group < file.num_row_groups:
        next(file.iter_batches(1, row_groups=[group], columns=names), None)


def _check_type(column: pq.ColumnSchema) -> None:
    """Raise UnsuitedError if a Parquet column has a type that Arrow does not write again."""
    type_name = column.logical_type.type
    # moments of 96 bits, an old type that pyarrow does not write unless it is told to
    if column.physical_type == "INT96":
        type_name = "INT96"
    elif type_name not in LOST:
        return
    raise UnsuitedError(f"column '{column.path}' is of Parquet's type {type_name}")


def _way_of_types(in_file: pq.ParquetSchema, schema: pa.Schema, described: Format) -> Format:
    """Find how a Parquet file's columns were written: the first of WAYS that writes the Arrow
    schema `schema` with just the Parquet types `in_file`, those of the file. Returned are entries
    to add to the format, "version" and "integers", each only if it is not that of the first of
    WAYS. described: the rest of the format. UnsuitedError, with the first column that differs, if
    none of WAYS does."""
    import pyarrow.parquet as pq

    usual_columns: list[pq.ColumnSchema] = []
    for way in WAYS:
        # a file without records, for its types alone
        sink = io.BytesIO()
        _write_parquet(sink, schema, iter(()), {**described, **way})
        written_schema = pq.ParquetFile(sink).schema
        if in_file.equals(written_schema):
            return way
        # the message compares with the usual way, which is the first
        usual_columns = usual_columns or list(written_schema)
    for before, after in zip(in_file, usual_columns, strict=False):
        if not before.equals(after):
            raise UnsuitedError(
                f"column '{before.path}' is stored in another way than it would be written "
                f"({_type_in_words(before)}, not {_type_in_words(after)})"
            )
    raise UnsuitedError("its columns would not be written again")


def _type_in_words(column: pq.ColumnSchema) -> str:
    """A text for a message: a Parquet column's physical type, logical type, and greatest definition
    and repetition level, such as "INT32 None 1/0"."""
    levels = f"{column.max_definition_level}/{column.max_repetition_level}"
    return f"{column.physical_type} {column.logical_type} {levels}"


def _parquet_batches(path: Path) -> Iterator[cuts.Placed]:
    """Yield the batches of a Parquet file in order, each of one row group and of at most ROWS
    (65,536) records, with the numbers, from 0, of its row group and of the batch in the group.
    Errors of Arrow and OSError where the file is damaged."""
    import pyarrow.parquet as pq

    # read ahead, pyarrow keeps every byte that it has read
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for group in range(file.num_row_groups):
            # of columns of dictionaries every group has its own
            batches = file.iter_batches(ROWS, row_groups=[group])
            for number, batch in enumerate(batches):
                yield batch, Raw(group, number)


def _open_arrow(path: Path, name: str) -> ArrowTable:
    """Open an Arrow file or stream as a table whose `format` says how to write it again; its `path`
    the caller sets. All of it is read and checked. It is noted as compressed, by LZ4, if the file
    is smaller than its values, as a file does not say. UnsuitedError if it cannot be written again:
    it has metadata that would be lost, or more follows behind a stream. name: for messages, and for
    the suffix; errors of Arrow, OSError or ValueError if it cannot be read."""
    rows: list[int] = []
    uncompressed = 0
    with _Mapped(path) as mapped:
        if mapped.has_metadata:
            raise UnsuitedError("it has metadata beside its schema's")
        for batch, metadata in mapped.batches():
            if metadata:
                raise UnsuitedError("its batches have metadata of their own")
            rows.append(batch.num_rows)
            for part in mapped.parts_of(batch):
                uncompressed += part.nbytes
        if mapped.is_stream and not mapped.is_read_to_its_end:
            raise UnsuitedError("there is more behind the end of its stream")
        described: Format = {
            "format": ARROW,
            "suffix": Path(name).suffix,
            "groups": _runs_of_equal(rows),
        }
        if mapped.is_stream:
            described["stream"] = True
        # a file does not say how it is compressed, but it is smaller then
        if path.stat().st_size < uncompressed:
            described["compression"] = "lz4"
        return ArrowTable(name, mapped.schema, described)


def arrow_schema(path: Path) -> tuple[pa.Schema, Format]:
    """Read the schema of an Arrow file or stream: (schema, format), where format["format"] is
    ARROW, and format["stream"], which a file has not, is True of a stream. Errors of Arrow, OSError
    or ValueError if it cannot be read."""
    kind: Format = {"format": ARROW}
    with _Mapped(path) as mapped:
        if mapped.is_stream:
            kind["stream"] = True
        return mapped.schema, kind


def arrow_batches(
    path: Path,
    name: str,
    places: Sequence[int] | None = None,
) -> Iterator[pa.RecordBatch]:
    """Yield the records of an Arrow file or stream, at most ROWS (65,536) at a time. places: of the
    columns to read, from 0; None or none: all. name: for messages.

    However large its batches are, little of an uncompressed file is in memory at any time.
    DataError where more follows behind the end of a stream; ArrowException, OSError or ValueError
    where it cannot be read.
    """
    with _Mapped(path, places) as mapped:
        for batch, _ in mapped.batches():
            yield from mapped.parts_of(batch)
        if mapped.is_stream and not mapped.is_read_to_its_end:
            raise DataError(f"{name}: more follows behind the end of its stream; give one table")


class _Mapped:
    """An Arrow file or stream in mapped memory: only the parts asked for are read from the disk.
    Used in a `with` block, behind which batches may live on. places: of the columns to read, from
    0; None or none: all. is_stream: whether it is a stream, not a file. Errors of Arrow, OSError,
    or ValueError for an empty file."""

    def __init__(self, path: Path, places: Sequence[int] | None = None) -> None:
        import pyarrow as pa
        from pyarrow import ipc

        with path.open("rb") as file:
            # the mapping outlives the open file
            self._bytes = mmap.mmap(
                file.fileno(),
                0,
                access=mmap.ACCESS_READ,
            )
        buffer = pa.py_buffer(self._bytes)
        self._input = pa.BufferReader(buffer)
        magic = self._bytes[: len(STREAM_MAGIC)]
        self.is_stream = magic == STREAM_MAGIC
        chosen = None if places is None else list(places)
        options = ipc.IpcReadOptions(included_fields=chosen)
        open_reader = ipc.open_stream if self.is_stream else ipc.open_file
        self._reader: pa.RecordBatchReader = open_reader(self._input, options=options)

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
        """Whether the last byte of the file was read; asked of a stream behind its last batch: else
        more follows behind it."""
        end = len(self._bytes)
        return bool(self._input.tell() == end)

    def batches(self) -> Iterator[WithMetadata]:
        """Yield the batches in order, as the file has them, each with its own metadata or None.
        ArrowInvalid for one whose sizes cannot be."""
        if not self.is_stream:
            for number in range(self._reader.num_record_batches):
                yield _with_checked_sizes(self._reader.get_batch_with_custom_metadata(number))
            return
        while True:
            try:
                batch = self._reader.read_next_batch_with_custom_metadata()
            except StopIteration:
                return
            yield _with_checked_sizes(batch)

    def parts_of(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """Yield a batch as parts of at most ROWS (65,536) records, each checked: ArrowInvalid if it
        is damaged."""
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


def _with_checked_sizes(batch: WithMetadata) -> WithMetadata:
    """Return a (batch, metadata) as it is; ArrowInvalid if its lengths and offsets do not fit its
    buffers. Values are not looked at."""
    # Arrow does not check the sizes that a file states, and would read beyond its buffers
    batch[0].validate()
    return batch


def _runs_of_equal(sizes: list[int]) -> list[list[int]]:
    """Group equal sizes that follow one another: pairs [how many in a row, size], in order; sizes
    of 0 are left out."""
    runs: list[list[int]] = []
    for size in filter(None, sizes):
        if runs and runs[-1][1] == size:
            runs[-1][0] += 1
        else:
            runs.append([1, size])
    return runs


# ---- writing


def write_table(
    file: BinaryIO,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    format: Format,
    whole: bool = True,
) -> None:
    """Write batches of a schema as the kind of file that format says (see ArrowTable): Parquet, or
    an Arrow file or stream. `file` is not closed.

    whole: whether these are all records and columns; only then are the source's groups of rows and
    sorting written again, and records behind the last group would be left out; else each batch is a
    group. Errors of Arrow for types that the kind of file has not.
    """
    group_sizes = None
    if whole:
        group_sizes = format.get("groups")
    else:  # "sorted" names columns by place, and without some of them others have these places
        format = {key: value for key, value in format.items() if key != "sorted"}
    groups = _groups_of_rows(batches, group_sizes, schema)
    if format["format"] == PARQUET:
        _write_parquet(file, schema, groups, format)
    else:
        _write_arrow(file, schema, groups, format)


def _groups_of_rows(
    batches: Iterable[pa.RecordBatch],
    group_sizes: list[list[int]] | None,
    schema: pa.Schema,
) -> Iterator[pa.Table]:
    """Yield batches as tables, each a group of rows to write. group_sizes: pairs (how many groups,
    rows of each) to join and cut batches to, records behind the last of which are left out, and
    missing ones make groups smaller or empty; None: each batch is a table. schema: of all
    batches."""
    import pyarrow as pa

    if group_sizes is None:
        for batch in batches:
            yield pa.Table.from_batches([batch])
        return
    following = iter(batches)
    batch = next(following, None)
    for times, rows in group_sizes:
        for _ in range(times):
            parts = []
            missing = rows
            # a group may take several batches, and a batch be part of several groups
            while missing > 0 and batch is not None:
                part = batch.slice(0, missing)
                parts.append(part)
                missing -= part.num_rows
                batch = batch.slice(part.num_rows)
                if not batch.num_rows:
                    batch = next(following, None)
            yield pa.Table.from_batches(parts, schema)


def _write_parquet(
    file: BinaryIO,
    schema: pa.Schema,
    groups: Iterator[pa.Table],
    format: Format,
) -> None:
    """Write tables of a schema to a Parquet file, each as one group of rows. format: "compression"
    (ZSTD if missing), "version" of Parquet's types (2.6), "integers", whether decimals are stored
    as such, and "sorted", [place of the column, descending, nulls first] of each column by which
    the records are sorted."""
    import pyarrow.parquet as pq

    options: dict[str, Json] = {
        "compression": format.get("compression", "zstd"),
        "version": str(format.get("version", "2.6")),
        "store_decimal_as_integer": bool(format.get("integers", False)),
    }
    if format.get("sorted"):
        # it is noted in the file; nothing is sorted here
        options["sorting_columns"] = [pq.SortingColumn(*column) for column in format["sorted"]]
    with pq.ParquetWriter(file, schema, **options) as writer:
        for group in groups:
            # pyarrow refuses a size of 0, which a group without rows would have
            size = max(1, group.num_rows)
            writer.write_table(group, row_group_size=size)


def _write_arrow(
    file: BinaryIO,
    schema: pa.Schema,
    groups: Iterator[pa.Table],
    format: Format,
) -> None:
    """Write tables of a schema to an Arrow file, or a stream if format["stream"] is True, each as
    one batch, or none if it is empty; not compressed, unless format["compression"] says how."""
    from pyarrow import ipc

    options = ipc.IpcWriteOptions(compression=format.get("compression"))
    open_writer = ipc.new_stream if format.get("stream") else ipc.new_file
    with open_writer(file, schema, options=options) as writer:
        for group in groups:
            # one batch, of whatever parts it was put together
            for batch in group.combine_chunks().to_batches():
                writer.write_batch(batch)
