"""Several tables read as one: a list of them, or a folder's, whose paths may add columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from aetool.data import remote
from aetool.data.arrow_source import ArrowSource
from aetool.data.table import Cells, Table, Values, as_cells
from aetool.data.table_source import TableSource
from aetool.errors import DataError
from aetool.files.names import suffix_of

# of files in a folder that are taken for parts of one table
TABLES = (".parquet", ".pq", ".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".json",
          ".arrow", ".feather", ".ipc")  # fmt: skip
HIVE = re.compile(r"(?:^|/)([^/=]+)=([^/]*)(?=/)")  # a folder called column=value
HIVE_GAP = "__HIVE_DEFAULT_PARTITION__"


class ChainSource(TableSource):
    """Several tables read as one, one after the other. Its columns are those of the first table;
    the others have the same, in any order. folder: the folder whose files they are; None if of
    none."""

    def __init__(
        self,
        sources: Sequence[TableSource],
        name: str = "",
        added: Sequence[Mapping[str, str | None]] = (),
    ) -> None:
        first = sources[0]
        super().__init__(name or first.name, first.format, first.said)
        self.sources = sources
        self.dtypes = first.dtypes
        self.decimal = first.decimal
        self.folder: Path | None = None
        # values of columns, for each table, that stand in the path of its file
        self._added = list(added) or [{} for _ in sources]
        # a column that is text in one table is text in all
        self._texts: set[str] = set()
        for source in sources:
            if isinstance(source, ArrowSource):
                self._texts |= source.texts()
        in_text = [source.is_in_text for source in sources]
        self._all_texts = any(in_text) and not all(in_text)

    def with_paths(self) -> Iterator[tuple[TableSource, Mapping[str, str | None]]]:
        """Yield each table with the values of columns that the path of its file adds: a folder
        year=2024 is the value 2024 of a column year."""
        yield from zip(self.sources, self._added, strict=True)

    def without_tables(self) -> ChainSource:
        """A copy without the tables, for another process that reads a part of one of them."""
        alone = ChainSource.__new__(ChainSource)
        TableSource.__init__(alone, self.name, self.format)
        first = TableSource(self.sources[0].name, self.sources[0].format)
        alone.sources = [first]
        alone.folder = None
        alone._added = []
        alone._texts = self._texts
        alone._all_texts = self._all_texts
        return alone

    def one_of_all(
        self,
        batch: Table,
        added: Mapping[str, str | None],
        names: tuple[str, ...],
        row: int,
        where: str,
    ) -> Table:
        """A batch of one table as records of the whole, with its columns in order. added: the
        columns of its path; row: the number of its first record in the whole; where: the table's
        name, for messages."""
        return self._in_order(self._with_columns(batch, added), names, row, where)

    def batches(self) -> Iterator[Table]:
        row = 0
        names: tuple[str, ...] = ()
        for source, added in zip(self.sources, self._added, strict=True):
            for batch in source.batches():
                table = self._with_columns(batch, added)
                names = names or table.names
                yield self._in_order(table, names, row, source.name)
                row += len(batch)

    def _with_columns(self, batch: Table, added: Mapping[str, str | None]) -> Table:
        own = {name: value for name, value in added.items() if name not in batch.names}
        values = [Cells.of([value] * len(batch)) for value in own.values()]
        names = (*batch.names, *own)
        return Table(names, (*batch.values, *values), batch.first_row, batch.typed)

    def _in_order(self, table: Table, names: tuple[str, ...], row: int, where: str) -> Table:
        """A table of one source with its columns in the order of `names`, and of the kinds of the
        first source; DataError if it has other columns. row: the number of its first record among
        all sources, from 0; where: the source's name for messages."""
        missing = [name for name in names if name not in table.names]
        more = [name for name in table.names if name not in names]
        if missing or more:
            what = f"has no column '{missing[0]}'" if missing else f"has a column '{more[0]}'"
            other = "has it" if missing else "has not"
            raise DataError(
                f"{where}: {what}, and {self.sources[0].name} {other}; give tables with the same "
                "columns"
            )
        values = tuple(self._of_one_kind(name, table[name]) for name in names)
        return Table(names, values, row, table.typed)

    def _of_one_kind(self, name: str, values: Values) -> Values:
        if isinstance(values, Cells) or not (self._all_texts or name in self._texts):
            return values
        return as_cells(values)


def is_part(path: str) -> bool:
    """Whether the file at this path, below a folder, is read as part of the folder's table: by its
    suffix, and unless it or its folder begins with . or _."""
    return suffix_of(path) in TABLES and not remote.is_hidden(path)


def parts_of_path(path: str) -> dict[str, str | None]:
    """The columns that the folders of a path add, by name: year=2024/month=05/part.parquet gives
    year 2024 and month 05. None for Hive's mark of a gap."""
    found = {unquote(name): unquote(value) for name, value in HIVE.findall(path)}
    return {name: None if value == HIVE_GAP else value for name, value in found.items()}
