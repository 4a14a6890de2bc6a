"""Several tables read as one: a list of them, or a folder's, whose paths may add columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from aetool.data import notices, remote
from aetool.data.arrow_source import MOMENTS, TEXTS, ArrowSource
from aetool.data.table import Cells, Table, Values, as_cells
from aetool.data.table_source import TableSource
from aetool.errors import DataError
from aetool.files.names import suffix_of

# of files in a folder that are taken for parts of one table
TABLES = (".parquet", ".pq", ".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".json",
          ".arrow", ".feather", ".ipc")  # fmt: skip
HIVE = re.compile(r"(?:^|/)([^/=]+)=([^/]*)(?=/)")  # a folder called column=value
HIVE_GAP = "__HIVE_DEFAULT_PARTITION__"
PathValues = Mapping[str, str | None]  # of columns, by name, that a path tells


class ChainSource(TableSource):
    """Several tables read as one, one after the other. Its columns are those of the first table,
    and behind them those that the folders in the path of that table's file add, as year=2024 does;
    the other tables must have the same, in any order, or `batches` raises DataError. A column that
    is text in one table by its types is text in all, which is said as a notice; where tables in
    text, such as CSV, and tables with types come together, every column is text. The constructor
    raises DataError for a column whose types in two tables are of other families that differ, such
    as numbers and moments. folder: the folder whose files they are, which the caller sets; None if
    they are of none."""

    def __init__(
        self,
        sources: Sequence[TableSource],
        name: str = "",
        added: Sequence[PathValues] = (),
    ) -> None:
        """Join the tables, whose records are not read yet. The types of their columns are compared
        here, unless some tables are in text, as CSV is, and others have types: DataError where they
        are of other families that differ, and a notice for a column that becomes text. sources: the
        tables, at least one. name: of the joined table; "": that of the first. added: for each
        table, in order, the values, by column, that the folders in the path of its file tell, as
        year=2024 does, {} if they tell none; an empty `added`: no path tells any."""
        first = sources[0]
        super().__init__(name or first.name, first.format, first.said)
        self.sources = sources
        self.dtypes = first.dtypes
        self.decimal = first.decimal
        self.folder: Path | None = None
        # for each table, in order: the values of columns that the path of its file adds
        self._added: list[PathValues] = list(added)
        if not self._added:
            self._added = [{} for _ in sources]
        # a column that is text in one table is text in all
        self._texts: set[str] = set()
        for source in sources:
            if isinstance(source, ArrowSource):
                self._texts |= source.texts()
        # of tables in text and tables with types together every column is text
        in_text = [source.is_in_text for source in sources]
        self._all_texts = any(in_text) and not all(in_text)
        # columns of moments: in a table without any value they have the type of no values
        self._moments = set() if self._all_texts else self._check_types()

    def _check_types(self) -> set[str]:
        """Compare the types that columns have in the tables: returns the names of those of moments.
        A notice is said of each column that is text in some of them alone; DataError where the
        types of a column are of other families that differ. Only tables with types are looked
        at."""
        # of each column its family and type, and the table, where it was met first
        first_of: dict[str, tuple[str, str, str]] = {}
        told: set[str] = set()
        for source in self.sources:
            if not isinstance(source, ArrowSource):
                continue
            for name, (family, kind) in source.families().items():
                if name not in first_of:
                    first_of[name] = (family, kind, source.name)
                first_family, first_kind, first_name = first_of[name]
                if family == first_family or name in told:
                    continue
                types = f"column '{name}' is {first_kind} in {first_name} and {kind} here"
                if TEXTS not in (family, first_family):
                    raise DataError(
                        f"{source.name}: {types}: give tables in which it is of one type, or which "
                        "do not have it"
                    )
                notices.say(source.name, f"{types}: it is read as text in all")
                told.add(name)
        moments = {name for name, (family, *_) in first_of.items() if family == MOMENTS}
        return moments - told

    def with_paths(self) -> Iterator[tuple[TableSource, PathValues]]:
        """Yield each table, in order, with the values, by column, that the path of its file adds: a
        folder year=2024 is the value 2024 of a column year. {} where it adds none."""
        yield from zip(self.sources, self._added, strict=True)

    def without_tables(self) -> ChainSource:
        """A copy without the tables, small enough to send to another process that reads a part of
        one of them: only `one_of_all` can be called on it."""
        first = self.sources[0]
        # not by __init__, which asks the tables for their columns
        without = ChainSource.__new__(ChainSource)
        TableSource.__init__(without, self.name, self.format)
        # of the first table only the name is asked for, in messages
        without.sources = [TableSource(first.name, first.format)]
        without.folder = None
        without._added = []
        without._texts = self._texts
        without._all_texts = self._all_texts
        without._moments = self._moments
        return without

    def one_of_all(
        self,
        batch: Table,
        added: PathValues,
        names: tuple[str, ...],
        row: int,
        where: str,
    ) -> Table:
        """A batch of one of the tables as records of all tables together. added: the values, by
        column, that the path of its file adds; names: of all columns, in their order; row: the
        number, from 0, of the batch's first record among those of all tables; where: the table's
        name, for messages. DataError if the table has not just these columns, in any order."""
        table = _with_path_columns(batch, added)
        return self._with_common_columns(table, names, row, where)

    def batches(self) -> Iterator[Table]:
        """Yield the records of all tables, numbered through from 0; comments between records are
        not counted, unlike those of a single text. DataError for a table that cannot be read, or
        whose columns are not those of the first, in any order."""
        row = 0
        names: tuple[str, ...] = ()
        for source, added in self.with_paths():
            for batch in source.batches():
                table = _with_path_columns(batch, added)
                # the first batch tells which columns all have
                names = names or table.names
                yield self._with_common_columns(table, names, row, source.name)
                row += len(batch)

    def _with_common_columns(
        self,
        table: Table,
        names: tuple[str, ...],
        row: int,
        where: str,
    ) -> Table:
        """A batch of one table with its columns in the order of `names`, as cells of text where a
        column is text in any of the tables; DataError if it has not just the columns `names`. row:
        the number, from 0, of the batch's first record among those of all tables; where: the
        table's name, for messages."""
        missing = [name for name in names if name not in table.names]
        surplus = [name for name in table.names if name not in names]
        first = self.sources[0].name
        difference = ""
        if missing:
            difference = f"has no column '{missing[0]}', and {first} has it"
        elif surplus:
            difference = f"has a column '{surplus[0]}', and {first} has not"
        if difference:
            raise DataError(f"{where}: {difference}; give tables with the same columns")
        columns = [self._as_in_all_tables(name, table[name]) for name in names]
        return Table(names, tuple(columns), row, table.typed)

    def _as_in_all_tables(self, name: str, values: Values) -> Values:
        """A column of one table as cells of text, if it is text by its types in any table, or if
        tables in text and tables with types are mixed; as gaps, NaT, if it is of moments in other
        tables and of no moments here, where it has no values at all; else as it is. values: the
        column's, (n,); name: its name."""
        is_text = self._all_texts or name in self._texts
        if is_text and not isinstance(values, Cells):
            return as_cells(values)
        # where a column has no values at all its type says nothing: these are gaps among moments
        has_no_moments = not isinstance(values, Cells) and values.dtype.kind != "M"
        if name in self._moments and has_no_moments:
            return np.full(len(values), "NaT", "datetime64[us]")
        return values


def _with_path_columns(batch: Table, added: PathValues) -> Table:
    """The batch with the columns that a path adds behind its own, but not those that the batch has
    itself. added: the one value, by column, of all records; None: all missing."""
    names = list(batch.names)
    columns = list(batch.values)
    for name, value in added.items():
        if name not in batch.names:
            names.append(name)
            columns.append(Cells.of([value] * len(batch)))
    return Table(
        tuple(names),
        tuple(columns),
        batch.first_row,
        batch.typed,
    )


def is_part(path: str) -> bool:
    """Whether the file at this path, below a folder, is read as part of the folder's table: its
    suffix is one of TABLES, and no part of the path begins with . or _, but for folders such as
    _a=1."""
    if remote.is_hidden(path):
        return False
    return suffix_of(path) in TABLES


def parts_of_path(path: str) -> dict[str, str | None]:
    """The values, by column, that the folders of a path with / add: year=2024/month=05/part.parquet
    gives {"year": "2024", "month": "05"}, %-escapes decoded. None for Hive's mark of a gap; {}
    without such folders; of a column that is there twice the last."""
    columns: dict[str, str | None] = {}
    for escaped_column, escaped_value in HIVE.findall(path):
        # signs that cannot be in a name of a folder are written as %2F and the like
        value = unquote(escaped_value)
        columns[unquote(escaped_column)] = None if value == HIVE_GAP else value
    return columns
