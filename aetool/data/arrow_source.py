"""Tables in Arrow's types as sources: of a Parquet or Arrow file, of memory, of a copy."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from aetool import files
from aetool.csv.dialect import Dialect
from aetool.data import arrow_files, arrow_values, notices, text
from aetool.data.table import Cells, Table, Values, concat
from aetool.data.table_source import ROWS, TableSource
from aetool.errors import DataError
from aetool.files.names import suffix_of
from aetool.files.spools import kept

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


# How a table that is restored is written, if it is not to be otherwise.
OF_PARQUET: arrow_files.Format = {"format": arrow_files.PARQUET, "suffix": ".parquet"}


class ArrowSource(TableSource):
    """A table in Arrow's types, read as records; kinds of it give `record_batches`.

    name: for messages. schema: of all batches. wide: the places, from 0, of columns with integers
    beyond 2^53, which float64 does not hold exactly; they are read as text. format: how to write it
    again. strings_are_cells: whether strings may be numbers or dates, as in CSV; cells: the places,
    from 0, of columns whose strings may be so in any case. dtypes: the names of Arrow's types.
    """

    strings_are_cells = False
    cells: frozenset[int] = frozenset()  # the places of columns of which that is true in any case

    def __init__(
        self,
        name: str,
        schema: pa.Schema,
        wide: set[int],
        format: arrow_files.Format,
    ) -> None:
        """Keep how to read the table, of which nothing is read yet. name: for messages. schema: of
        all batches; its columns' names are trimmed and made different. wide: the places, from 0, of
        columns with integers beyond 2^53. format: how to write the table again. DataError if a
        column's name is not UTF-8."""
        super().__init__(name, format)
        self.schema = schema
        tell = functools.partial(notices.say, name)
        names = _given_names(schema, name)
        # trimmed, and no two of them equal
        self._names = text.header_names(names, tell)
        self.dtypes = {}
        for column, kind in zip(self._names, schema.types, strict=True):
            self.dtypes[column] = str(kind)
        places = range(len(self._names))
        self._is_wide = [place in wide for place in places]

    def record_batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the source's batches, of any size, in Arrow's types. Each call begins anew.
        NotImplementedError here: kinds of sources override it."""
        raise NotImplementedError

    def batches(self) -> Iterator[Table]:
        """Yield the records, at least ROWS (65,536) at a time but for the last, and at least one
        batch. DataError where the data are damaged, or a text in them is not UTF-8."""
        import pyarrow as pa

        row = 0
        parts: list[Table] = []
        try:
            for batch in self.record_batches():
                parts.append(self.as_table(batch, row))
                row += batch.num_rows
                # batches as small as a record are put together
                if row - parts[0].first_row >= ROWS:
                    yield concat(parts)
                    parts = []
        except (pa.ArrowException, OSError) as error:
            reason = arrow_files.one_line(error)
            raise DataError(f"{self.name}: damaged behind row {row}: {reason}") from None
        # of no records there is one batch, which tells the columns
        if not row:
            columns = [_no_values(kind) for kind in self.schema.types]
            empty = pa.RecordBatch.from_arrays(columns, self.schema.names)
            parts = [self.as_table(empty, 0)]
        if parts:
            yield concat(parts)

    def texts(self) -> set[str]:
        """The names of the columns whose values are `Cells` of text: all, decimals among them, but
        integers that are not `wide`, floats, nulls, timestamps and dates."""
        texts = set()
        columns = zip(
            self._names,
            self.schema.types,
            self._is_wide,
            strict=True,
        )
        for name, kind, is_wide in columns:
            # the form of a column depends on its type alone: it is the same without values
            values, is_text = arrow_values.values_of(_no_values(kind), is_wide)
            if is_text or isinstance(values, Cells):
                texts.add(name)
        return texts

    def families(self) -> dict[str, tuple[str, str]]:
        """Of each column by its name (the family of its type, of FAMILIES or "other values"; the
        type's name). Columns of the type null, which have no values, are left out, and so are those
        whose strings may be numbers or dates."""
        families = {}
        for place, (name, kind) in enumerate(zip(self._names, self.schema.types, strict=True)):
            family = _family_of(kind)
            is_cells = family == TEXTS and (self.strings_are_cells or place in self.cells)
            if family is not None and not is_cells:
                families[name] = (family, str(kind))
        return families

    def as_table(self, batch: pa.RecordBatch, row: int) -> Table:
        """Convert a batch of the source's schema to a Table of columns, as arrow_values.values_of
        does; `typed` are those that are text by their type and not to be read as cells of a file
        are. row: the number, from 0, of its first record in the source. DataError for a text that
        is not UTF-8."""
        columns: list[Values] = []
        texts: set[str] = set()
        for place, array in enumerate(batch.columns):
            try:
                values, is_text = arrow_values.values_of(array, self._is_wide[place])
            except UnicodeDecodeError as error:
                raise self._not_utf8(place, array, row, error) from None
            columns.append(values)
            # texts that are read as cells of a file are may be numbers or dates
            is_cells = self.strings_are_cells or place in self.cells
            if is_text and not is_cells:
                texts.add(self._names[place])
        return Table(
            self._names,
            tuple(columns),
            row,
            frozenset(texts),
        )

    def _not_utf8(
        self,
        place: int,
        array: pa.Array,
        row: int,
        error: UnicodeDecodeError,
    ) -> DataError:
        """Return, not raise, the DataError for a column of a batch with a text that is not UTF-8,
        as all of Arrow's strings are to be. place: of the column, from 0; array: its values; row:
        the number, from 0, of the first of them in the source; error: what decoding them raised."""
        number = arrow_values.first_not_utf8(array)
        # no row, where the text is a level of a dictionary that no row refers to
        where = "" if number is None else f"row {row + number + 1}: "
        return DataError(
            f"{self.name}: {where}column '{self._names[place]}' has a text with byte "
            f"0x{error.object[error.start]:02x}, which is not UTF-8; write its texts as UTF-8, or "
            "make it a column of binary values"
        )


NUMBERS, MOMENTS, TEXTS = "numbers", "moments", "texts"  # families of types
# For each family the functions of pyarrow.types that tell its types.
FAMILIES = {
    NUMBERS: ("integer", "floating", "decimal"),
    MOMENTS: ("timestamp", "date"),
    TEXTS: ("string", "large_string", "string_view"),
    "truths": ("boolean",),
    "times of day": ("time",),
    "durations": ("duration",),
    "bytes": ("binary", "large_binary", "binary_view", "fixed_size_binary"),
}


def _family_of(kind: pa.DataType) -> str | None:
    """The family of an Arrow type, see ArrowSource.families; None of the type null."""
    from pyarrow import types

    # ways of encoding come first: what is encoded may be of any type
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return _family_of(kind.value_type)
    if getattr(kind, "extension_name", "") == "arrow.bool8":
        return "truths"
    if types.is_null(kind):
        return None
    for family, names in FAMILIES.items():
        if any(getattr(types, f"is_{name}")(kind) for name in names):
            return family
    return "other values"


def _given_names(schema: pa.Schema, name: str) -> list[str]:
    """The names of a schema's columns, in order, as they are; DataError if one is not UTF-8. name:
    of the source, for messages."""
    try:
        return arrow_files.names_of(schema)
    except arrow_files.UnsuitedError as error:
        raise DataError(f"{name}: {error}") from None


def _no_values(kind: pa.DataType) -> pa.Array:
    """A column of this type without records."""
    import pyarrow as pa

    return pa.nulls(0, kind)


class ArrowFileSource(ArrowSource):
    """The table of a Parquet file, or of an Arrow file or stream, as a source of records, read anew
    each time. is_parquet: whether it is Parquet."""

    def __init__(self, name: str, path: Path) -> None:
        """Read the schema of the file at a path, and which columns have integers beyond 2^53,
        `wide`: for that a Parquet column without statistics, and all integers of 64 bits of an
        Arrow file, are read. name: of the source, for messages, and of an Arrow file for the
        suffix. DataError if the file cannot be read; OSError if it cannot be opened."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.path = path
        with path.open("rb") as file:
            head = file.read(arrow_files.HEAD)
        self.is_parquet = arrow_files.kind_of(head) == arrow_files.PARQUET
        # how it is written again: of an Arrow file its own format replaces this
        format = {**OF_PARQUET}
        try:
            if self.is_parquet:
                # read ahead, pyarrow would read all of a group for its first record
                with pq.ParquetFile(path, pre_buffer=False) as parquet:
                    arrow_files.read_first(parquet)
                    schema = parquet.schema_arrow
                    wide = arrow_values.wide_integers_of_parquet(parquet)
            else:
                schema, facts = arrow_files.arrow_schema(path)
                format = {"suffix": suffix_of(name), **facts}
                read = functools.partial(arrow_files.arrow_batches, path, name)
                wide = arrow_values.wide_integers(schema, read)
        # a name that is no UTF-8, and an empty file, are ValueErrors
        except (pa.ArrowException, OSError, ValueError) as error:
            kind = "a Parquet" if self.is_parquet else "an Arrow"
            reason = arrow_files.one_line(error)
            raise DataError(f"{name}: not {kind} file that can be read: {reason}") from None
        super().__init__(name, schema, wide, format)

    def rows_of_groups(self) -> list[int]:
        """How many records each row group of the file has, in order; only of a Parquet file. Errors
        of Arrow or OSError if it cannot be read."""
        import pyarrow.parquet as pq

        # its footer alone is read for that
        with pq.ParquetFile(self.path, pre_buffer=False) as file:
            metadata = file.metadata
            groups = range(file.num_row_groups)
            return [metadata.row_group(group).num_rows for group in groups]

    def record_batches(self, groups: Sequence[int] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the records in Arrow's types, at most ROWS (65,536) at a time. groups: of a Parquet
        file the numbers, from 0, of the row groups to read; None: all; not looked at for an Arrow
        file. ArrowException, OSError or, of an Arrow file, ValueError where it is damaged;
        DataError where more follows behind the end of an Arrow stream."""
        import pyarrow.parquet as pq

        if not self.is_parquet:
            yield from arrow_files.arrow_batches(self.path, self.name)
            return
        # read ahead, pyarrow keeps every byte that it has read
        with pq.ParquetFile(self.path, pre_buffer=False) as file:
            yield from file.iter_batches(ROWS, row_groups=groups)


class ArrowMemorySource(ArrowSource):
    """A DataFrame, without its index, or an Arrow table in memory as a source of records.
    in_memory: the object that the user passed; table: it as an Arrow table."""

    def __init__(self, name: str, data: arrow_files.InMemory) -> None:
        """Take the data as an Arrow table. name: for messages. DataError if they are no table, if
        two columns have one name, if a column holds values that are no numbers, texts or moments,
        or if a text has half a surrogate pair."""
        self.in_memory = data
        format = {**OF_PARQUET}
        if arrow_files.is_frame(data):
            # of the columns, for a DataFrame that is restored
            dtypes = {str(column): str(kind) for column, kind in data.dtypes.items()}
            format["pandas"] = dtypes
            try:
                table, self.cells = _table_of_frame(data, name)
            except UnicodeEncodeError as error:
                raise arrow_files.half_a_pair(name, error) from None
        else:
            table = arrow_files.as_table(data)
        self.table = table
        wide = arrow_values.wide_integers(table.schema, self._read)
        super().__init__(name, table.schema, wide, format)

    def _read(self, places: Sequence[int]) -> list[pa.RecordBatch]:
        """All records, as batches, with only the columns at these places, from 0."""
        columns = self.table.select(list(places))
        batches: list[pa.RecordBatch] = columns.to_batches()
        return batches

    def record_batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the table's batches, at most ROWS (65,536) records each."""
        yield from self.table.to_batches(max_chunksize=ROWS)


UNCONVERTED = (ValueError, TypeError, OverflowError)  # errors of Arrow are of the first two


def _table_of_frame(data: pd.DataFrame, name: str) -> tuple[pa.Table, frozenset[int]]:
    """Convert a DataFrame to (an Arrow table, without the index; the places, from 0, of columns
    that became text, see `_array_of_column`, and are to be read as cells of a text file are).
    DataError for two columns of one name, and for a column with values that are no numbers, texts
    or moments. name: of the source, for messages."""
    import pyarrow as pa

    # names need not be texts in pandas; the caller's own DataFrame stays as it is
    frame = data.copy(deep=False)
    frame.columns = [str(column) for column in data.columns]
    names = frame.columns
    if not names.is_unique:
        repeated = names[names.duplicated()]
        raise DataError(
            f"{name}: two columns are called '{repeated[0]}'; name them apart: "
            "frame.columns = [...]"
        )
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
        return table, frozenset()
    except (pa.ArrowException, *UNCONVERTED):
        pass
    # one column at least mixes kinds: each is converted by itself
    return _table_column_by_column(frame, name)


def _table_column_by_column(frame: pd.DataFrame, name: str) -> tuple[pa.Table, frozenset[int]]:
    """Convert a DataFrame that Arrow does not take as a whole, column by column: (an Arrow table,
    without the index; the places, from 0, of columns that became text, see `_array_of_column`). Its
    columns have different names, all texts. name: for messages. DataError for a column with values
    that are no numbers, texts or moments."""
    import pyarrow as pa

    columns = {}
    texts = set()
    for place, column in enumerate(frame.columns):
        columns[column], is_text = _array_of_column(frame[column], column, name)
        if is_text:
            texts.add(place)
    return pa.table(columns), frozenset(texts)


def _array_of_column(
    column: pd.Series,
    called: str,
    name: str,
) -> tuple[pa.Array | pa.ChunkedArray, bool]:
    """Convert a DataFrame's column to (an Arrow array, gaps as nulls; whether it became text). What
    Arrow does not take, such as values of several kinds or integers beyond 64 bits, becomes text;
    DataError if then a value is of no type of `_types_of_cells`, or the column has a dtype of its
    own, not that of objects. called: the column's name; name: of the source, for messages."""
    import pandas as pd
    import pyarrow as pa

    if isinstance(column.dtype, pd.SparseDtype):
        # Arrow knows no array that leaves out its commonest value
        dense = np.asarray(column)
        column = pd.Series(dense, dtype=column.dtype.subtype)
    try:
        return pa.array(column, from_pandas=True), False
    except (pa.ArrowException, *UNCONVERTED):
        kinds_of_cells = _types_of_cells()
    odd_values = [value for value in column if not isinstance(value, kinds_of_cells)]
    if odd_values or column.dtype != object:
        kind = type(odd_values[0]).__name__ if odd_values else str(column.dtype)
        raise DataError(
            f"{name}: column '{called}' holds values of type {kind}, which are no numbers, texts "
            "or moments; make them such, or leave the column out"
        )
    cells = []
    for value, is_gap in zip(column, column.isna(), strict=True):
        cells.append(None if is_gap else _as_text(value))
    return pa.array(cells, pa.string()), True


def _types_of_cells() -> tuple[type, ...]:
    """The Python, numpy and pandas types whose values fit into one cell of a text file: texts,
    bytes, gaps, numbers and moments."""
    import datetime
    import decimal

    import pandas as pd

    # isinstance takes subclasses, too: pandas.Timestamp is a datetime, numpy.float64 a float
    gaps = (type(None), type(pd.NA), type(pd.NaT))
    numbers = (
        bool,
        int,
        float,
        decimal.Decimal,
        np.bool_,
        np.integer,
        np.floating,
    )
    moments = (
        datetime.date,
        datetime.time,
        datetime.timedelta,
        np.datetime64,
        np.timedelta64,
    )
    return (str, bytes, *gaps, *numbers, *moments)


def _as_text(value: object) -> str:
    """A value of a type of `_types_of_cells`, no gap, as the text of a cell, as Python's `str`
    writes it; bytes in hexadecimal digits."""
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


class CopiedTable(ArrowFileSource):
    """A table that was written to a temporary Arrow file, and is read from there.

    Records are restored from it as CSV, whatever they were. place: of that file, which lasts as
    long as the source. original: the file or folder whose records these are; None if no file has
    just these. strings_are_cells: whether strings may be numbers or dates, as in CSV; `dtypes` is
    empty then.
    """

    def __init__(
        self,
        name: str,
        place: files.Place,
        original: files.Place | None,
        strings_are_cells: bool,
    ) -> None:
        super().__init__(name, place.path)
        self.place = place
        self.original = original
        self.strings_are_cells = strings_are_cells
        if strings_are_cells:
            self.dtypes = {}
        # restored as CSV: the temporary file's own format is no one's wish
        dialect = Dialect().to_json()
        self.format = {"format": "csv", "suffix": ".csv", **dialect}

    def table(self) -> pa.Table:
        """All records as one Arrow table, mapped from the file: read from it where looked at."""
        import pyarrow as pa

        batches = list(self.record_batches())
        return pa.Table.from_batches(batches, self.schema)


def copied(
    name: str,
    batches: Iterator[pa.RecordBatch],
    original: files.Place | None = None,
    strings_are_cells: bool = False,
) -> CopiedTable:
    """Write batches, at least one, all of one schema, to a temporary file; returns the table, which
    can be read again and again. Little of it is in memory at any time. name: for messages;
    original: the file or folder whose records these are, None if no file has just these;
    strings_are_cells: whether strings may be numbers or dates, as in CSV. DataError or NoRoomError
    where the file cannot be written; errors of `batches` go through."""
    import pyarrow as pa

    # for its schema, which stands before all batches in the file
    first = next(batches)

    def write(file: BinaryIO) -> None:
        """Write all batches to a file, as an Arrow stream."""
        with pa.ipc.new_stream(file, first.schema) as writer:
            writer.write_batch(first)
            for batch in batches:
                writer.write_batch(batch)

    place = kept(write, name)
    return CopiedTable(name, place, original, strings_are_cells)
