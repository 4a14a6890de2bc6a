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


class ArrowSource(TableSource):
    """A table in Arrow's types, read as records.

    schema: of all batches. wide: the places of columns with integers beyond 2^53, which float64
    does not hold exactly; they are read as text. strings_are_cells: whether strings may be numbers
    or dates, as in CSV.
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
        super().__init__(name, format)
        self.schema = schema
        tell = functools.partial(notices.say, name)
        self._names = text.header_names(_given_names(schema, name), tell)
        kinds = zip(self._names, schema.types, strict=True)
        self.dtypes = {column: str(kind) for column, kind in kinds}
        self._is_wide = [place in wide for place in range(len(self._names))]

    def record_batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the source's batches in Arrow's types. Each call begins anew."""
        raise NotImplementedError

    def batches(self) -> Iterator[Table]:
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
            said = arrow_files.one_line(error)
            raise DataError(f"{self.name}: damaged behind row {row}: {said}") from None
        # of no records there is one batch, which tells the columns
        if not row:
            columns = [pa.nulls(0, kind) for kind in self.schema.types]
            empty = pa.RecordBatch.from_arrays(columns, self.schema.names)
            parts = [self.as_table(empty, 0)]
        if parts:
            yield concat(parts)

    def texts(self) -> set[str]:
        """The names of the columns that are read as text."""
        import pyarrow as pa

        found = set()
        for name, kind, is_wide in zip(self._names, self.schema.types, self._is_wide, strict=True):
            values, is_text = arrow_values.values_of(pa.nulls(0, kind), is_wide)
            if is_text or isinstance(values, Cells):
                found.add(name)
        return found

    def as_table(self, batch: pa.RecordBatch, row: int) -> Table:
        """Convert a batch in Arrow's types to a Table of columns. row: the number of its first
        record in the source."""
        values: list[Values] = []
        texts: set[str] = set()
        for place, (name, array) in enumerate(zip(self._names, batch.columns, strict=True)):
            column, is_text = arrow_values.values_of(array, self._is_wide[place])
            values.append(column)
            if is_text and not self.strings_are_cells and place not in self.cells:
                texts.add(name)
        return Table(self._names, tuple(values), row, frozenset(texts))


def _given_names(schema: pa.Schema, name: str) -> list[str]:
    try:
        return arrow_files.names_of(schema)
    except arrow_files.UnsuitedError as error:
        raise DataError(f"{name}: {error}") from None


class ArrowFileSource(ArrowSource):
    """The table of a Parquet file, or of an Arrow file or stream."""

    def __init__(self, name: str, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.path = path
        format: arrow_files.Format = {"format": arrow_files.PARQUET, "suffix": ".parquet"}
        with path.open("rb") as file:
            kind = arrow_files.kind_of(file.read(arrow_files.HEAD))
        self.is_parquet = kind == arrow_files.PARQUET
        try:
            if self.is_parquet:
                with pq.ParquetFile(path) as parquet:
                    schema = parquet.schema_arrow
                    wide = arrow_values.wide_integers_of_parquet(parquet)
            else:
                schema, facts = arrow_files.arrow_schema(path)
                format = {"suffix": suffix_of(name), **facts}
                read = functools.partial(arrow_files.arrow_batches, path, name)
                wide = arrow_values.wide_integers(schema, read)
        except (pa.ArrowException, OSError) as error:
            kind = "a Parquet" if self.is_parquet else "an Arrow"
            said = arrow_files.one_line(error)
            raise DataError(f"{name}: not {kind} file that can be read: {said}") from None
        super().__init__(name, schema, wide, format)

    def rows_of_groups(self) -> list[int]:
        """How many records each row group of the Parquet file has."""
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.path, pre_buffer=False) as file:
            return [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]

    def record_batches(self, groups: Sequence[int] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the records in Arrow's types. groups: of a Parquet file the numbers of the row
        groups to read; None: all."""
        import pyarrow.parquet as pq

        if not self.is_parquet:
            yield from arrow_files.arrow_batches(self.path, self.name)
            return
        # read ahead, pyarrow keeps every byte that it has read
        with pq.ParquetFile(self.path, pre_buffer=False) as file:
            yield from file.iter_batches(ROWS, row_groups=groups)


class ArrowMemorySource(ArrowSource):
    """A DataFrame or an Arrow table in memory as a source of records. in_memory: the object that
    the user passed."""

    def __init__(self, name: str, data: arrow_files.InMemory) -> None:
        self.in_memory = data
        format: arrow_files.Format = {"format": arrow_files.PARQUET, "suffix": ".parquet"}
        if arrow_files.is_frame(data):
            format["pandas"] = {str(column): str(kind) for column, kind in data.dtypes.items()}
            table, self.cells = _of_frame(data, name)
        else:
            table = arrow_files.as_table(data)
        self.table = table
        wide = arrow_values.wide_integers(
            table.schema, lambda places: table.select(list(places)).to_batches()
        )
        super().__init__(name, table.schema, wide, format)

    def record_batches(self) -> Iterator[pa.RecordBatch]:
        yield from self.table.to_batches(max_chunksize=ROWS)


UNCONVERTED = (ValueError, TypeError, OverflowError)  # errors of Arrow are of the first two


def _of_frame(data: pd.DataFrame, name: str) -> tuple[pa.Table, frozenset[int]]:
    """(a DataFrame as an Arrow table, without its index; the places, from 0, of columns that became
    text, see `_column`, to be read as cells of a file are). DataError for two columns of one name,
    and for values that are none of a table. name: of the source, for messages."""
    import pyarrow as pa

    # names need not be texts in pandas; the caller's own DataFrame stays as it is
    frame = data.copy(deep=False)
    frame.columns = [str(column) for column in data.columns]
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise DataError(
            f"{name}: two columns are called '{twice}'; name them apart: frame.columns = [...]"
        )
    try:
        return pa.Table.from_pandas(frame, preserve_index=False), frozenset()
    except (pa.ArrowException, *UNCONVERTED):
        pass
    read = {column: _column(frame[column], column, name) for column in frame.columns}
    columns = {column: values for column, (values, _) in read.items()}
    cells = (place for place, (_, is_cells) in enumerate(read.values()) if is_cells)
    return pa.table(columns), frozenset(cells)


def _column(column: pd.Series, called: str, name: str) -> tuple[pa.Array | pa.ChunkedArray, bool]:
    """(a DataFrame's column as an Arrow array; whether it became text). Values of several kinds
    become text, and integers beyond 64 bits; DataError for values that have none. called: the
    column's name."""
    import pandas as pd
    import pyarrow as pa

    if isinstance(column.dtype, pd.SparseDtype):
        column = pd.Series(np.asarray(column), dtype=column.dtype.subtype)
    try:
        return pa.array(column, from_pandas=True), False
    except (pa.ArrowException, *UNCONVERTED):
        kinds = _one_cell()
    odd = [value for value in column if not isinstance(value, kinds)]
    if odd or column.dtype != object:
        kind = type(odd[0]).__name__ if odd else str(column.dtype)
        raise DataError(
            f"{name}: column '{called}' holds values of type {kind}, which are no numbers, texts "
            "or moments; make them such, or leave the column out"
        )
    pairs = zip(column, column.isna(), strict=True)
    cells = [None if is_gap else _as_text(value) for value, is_gap in pairs]
    return pa.array(cells, pa.string()), True


def _one_cell() -> tuple[type, ...]:
    """The Python types whose values fit into one cell of a text file."""
    import datetime
    import decimal

    import pandas as pd

    moments = (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)
    numbers = (bool, int, float, decimal.Decimal, np.bool_, np.integer, np.floating)
    return (str, bytes, type(None), type(pd.NA), type(pd.NaT), *numbers, *moments)


def _as_text(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


class CopiedTable(ArrowFileSource):
    """A table that was written to a temporary Arrow file, and is read from there.

    original: the file or folder whose records these are; None if no file has just these.
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
        self.format = {"format": "csv", "suffix": ".csv", **Dialect().to_json()}

    def table(self) -> pa.Table:
        """All records as one Arrow table, mapped from the file."""
        import pyarrow as pa

        return pa.Table.from_batches(list(self.record_batches()), self.schema)


def copied(
    name: str,
    batches: Iterator[pa.RecordBatch],
    original: files.Place | None = None,
    strings_are_cells: bool = False,
) -> CopiedTable:
    """Write batches, at least one, all of one schema, to a temporary file; returns the table, which
    can be read again and again. Little of it is in memory at any time."""
    import pyarrow as pa

    first = next(batches)

    def write(file: BinaryIO) -> None:
        with pa.ipc.new_stream(file, first.schema) as writer:
            writer.write_batch(first)
            for batch in batches:
                writer.write_batch(batch)

    return CopiedTable(name, kept(write, name), original, strings_are_cells)
