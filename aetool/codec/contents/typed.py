"""A table whose columns have types of their own: Parquet, arrays, JSON lines, a DataFrame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from aetool.codec import arrays, blocks
from aetool.codec.blocks import Block
from aetool.codec.columns import Coded, Decoded
from aetool.codec.contents.content import LOSSLESS, Content, Json
from aetool.codec.planning import Effort, Hints
from aetool.codec.records import Encoded
from aetool.data import writers
from aetool.data.sources import TableSource
from aetool.data.table import Cells, Table, Values

if TYPE_CHECKING:
    from aetool.codec.archive import Archive

MOST_CELLS = 1 << 23  # in one block


class TypedTable(Content):
    """Columns of floats, moments and text, bit for bit or within a bound.

    names, dtypes: of the source's columns; kinds: how each is carried ("floats", "moments",
    "cells"). source, effort, bounds (the largest error by column): to write it.
    """

    name = "typed"

    def __init__(
        self,
        mode: str,
        format: dict[str, Json],
        names: Sequence[str],
        dtypes: Mapping[str, str],
        kinds: Mapping[str, str],
    ) -> None:
        super().__init__(mode, format)
        self._names, self.dtypes, self.kinds = list(names), dict(dtypes), dict(kinds)
        self.source: TableSource | None = None
        self.effort, self.bounds = Effort(), dict[str, Fraction]()

    @classmethod
    def of_source(
        cls,
        source: TableSource,
        format: dict[str, Json],
        mode: str,
        effort: Effort,
        bounds: Mapping[str, Fraction],
    ) -> TypedTable:
        """The content of a source, ready to be written."""
        head = source.head(0)
        kinds = {n: kind_of(v) for n, v in zip(head.names, head.values, strict=True)}
        made = cls(mode, format, head.names, source.dtypes, kinds)
        made.source, made.effort, made.bounds = source, effort, dict(bounds)
        return made

    def header(self) -> dict[str, Json]:
        columns = {"names": self._names, "dtypes": self.dtypes, "kinds": self.kinds}
        return {**super().header(), **columns}

    @classmethod
    def from_header(cls, header: dict[str, Json]) -> TypedTable:
        names = [str(name) for name in header["names"]]
        dtypes, kinds = dict(header["dtypes"]), dict(header["kinds"])
        return cls(str(header["mode"]), dict(header["format"]), names, dtypes, kinds)

    @property
    def fidelity(self) -> str:
        return "values" if self.mode == LOSSLESS else self.mode

    def names(self, archive: Archive) -> list[str]:
        return list(self._names)

    # ---- writing

    def items(self) -> Iterator[Table]:
        assert self.source is not None
        step = max(1, MOST_CELLS // max(1, len(self._names)))
        for table in self.source.batches():
            for first in range(0, len(table), step):
                yield table.take(slice(first, first + step))

    def encode(self, item: Table, hints: Hints) -> list[Encoded]:
        coded = typed_columns(item, self.bounds)
        content, payload, after = blocks.encode(coded, len(item), {}, self.effort, hints)
        errors = {n: c.error for n, c in zip(item.names, coded, strict=True) if c.error}
        squares = {n: c.square for n, c in zip(item.names, coded, strict=True) if c.square}
        return [Encoded(len(item), content, payload, after, errors, squares=squares)]

    def compare(self, archive: Archive) -> None:
        stored = archive.blocks(0, archive.rows)
        for item in self.items():
            block, _ = next(stored, (None, slice(0)))
            if block is None or block.rows != len(item) or len(block.columns) != len(item.names):
                raise self.differs("the number of records or columns")
            for name, column, values in zip(item.names, block.columns, item.values, strict=True):
                # within a bound the largest error is counted where the column is encoded
                if name not in self.bounds and not arrays.same(column, values):
                    raise self.differs(f"column '{name}'")
        if next(stored, None) is not None:
            raise self.differs("the number of records")

    # ---- reading

    def bytes_of(self, piece: writers.Columns) -> int:
        return bytes_of_columns(piece)

    def decode(
        self, archive: Archive, block: Block, inside: slice, wanted: Sequence[str] | None
    ) -> writers.Columns:
        if len(self._names) != len(block.columns):
            raise archive.reader.damaged("a block has not the columns that the header promises")
        columns = zip(self._names, block.columns, strict=True)
        return {
            name: restored(column)[inside]
            for name, column in columns
            if wanted is None or name in wanted
        }

    def nothing(self) -> writers.Columns:
        """No records of the right columns."""
        return {name: empty(str(self.kinds.get(name, "cells"))) for name in self._names}

    def restore(
        self,
        archive: Archive,
        file: BinaryIO,
        first: int,
        last: int,
        wanted: Sequence[str] | None = None,
    ) -> None:
        batches = at_least_one(archive.pieces(first, last), self.nothing())
        if wanted is not None:
            self.places(archive, wanted)
            batches = ({name: batch[name] for name in wanted} for batch in batches)
        writers.write_table(file, batches, self._format, self.dtypes, {})

    def frame(self, archive: Archive, first: int, last: int) -> Any:
        batches = list(at_least_one(archive.pieces(first, last), self.nothing()))
        return writers.frame_of(batches, self.dtypes, self._format.get("pandas", {}))


def at_least_one(
    batches: Iterator[writers.Columns], nothing: writers.Columns
) -> Iterator[writers.Columns]:
    """The batches; one of no records, if there is none."""
    yield next(batches, nothing)
    yield from batches


def bytes_of_columns(columns: writers.Columns) -> int:
    """Bytes of restored columns, as they are in memory; of text, its letters."""
    size = 0
    for column in columns.values():
        if isinstance(column, list):
            size += sum(len(cell) for cell in column if cell is not None)
        else:
            size += column.nbytes
    return size


def empty(kind: str) -> writers.Restored:
    """A column of no records."""
    if kind == "cells":
        return []
    return np.zeros(0, "datetime64[us]" if kind == "moments" else np.float64)


def kind_of(values: Values) -> str:
    """cells, floats or moments."""
    if isinstance(values, Cells):
        return "cells"
    return "moments" if values.dtype.kind == "M" else "floats"


def typed_columns(table: Table, bounds: Mapping[str, Fraction]) -> list[Coded]:
    """The columns of a typed table, ready to be coded."""
    return [
        arrays.encode_cells(v) if isinstance(v, Cells) else arrays.encode_array(v, bounds.get(n))
        for n, v in zip(table.names, table.values, strict=True)
    ]


def restored(column: Decoded) -> writers.Restored:
    """A column of a typed table."""
    if column.meta["k"] in ("float", "moment"):
        return arrays.decode_array(column)
    return arrays.decode_cells(column)
