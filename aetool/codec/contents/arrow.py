"""A table in Arrow's types: Parquet, an Arrow file, or one in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, BinaryIO

from aetool import files
from aetool.canonical import Json
from aetool.codec import attribution, blocks, ways
from aetool.codec.blocks import Block
from aetool.codec.contents.content import BOUNDED, LOSSLESS, Content, cut, places_in
from aetool.codec.contents.labels import Bounding, labels_of
from aetool.codec.ledger import Costs, Ledger
from aetool.codec.natives import batches, books, schemas
from aetool.codec.natives.batches import BatchCoder
from aetool.codec.natives.dictionaries import Dictionaries
from aetool.codec.planning import Effort, Hints
from aetool.codec.records import Encoded
from aetool.data import arrow_files
from aetool.data.arrow_files import ArrowTable, UnsuitedError
from aetool.data.located import Located
from aetool.model import Int

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from aetool.codec.archive import Archive, Decoder

OF_FILE = ("groups", "sorted", "integers", "version")  # what a Parquet file has beside values
DICTIONARIES = "dictionaries"  # the section that holds them
Bounds = Sequence[Fraction | None]


class ArrowContent(Content):
    """A table in Arrow's types, as batches of one schema. Columns are told by their place, as names
    may repeat.

    source, effort, dictionaries, bounding (the largest error allowed by place): for writing.
    """

    name = "arrow"
    can_be_sharded = True

    def __init__(self, mode: str, format: dict[str, Json], schema: pa.Schema) -> None:
        super().__init__(mode, format)
        self.schema = schema
        self.labels = labels_of(schema.names)
        self.source: ArrowTable | None = None
        self.effort = Effort()
        self.dictionaries = Dictionaries()
        self.bounding = Bounding([], [])
        self.coder = BatchCoder(schema, self.dictionaries)

    @classmethod
    def of_source(
        cls,
        source: ArrowTable,
        format: dict[str, Json],
        effort: Effort,
        bounds: Bounds | None,
    ) -> ArrowContent:
        """The content to write a source by; UnsuitedError for a type that cannot be stored
        natively. bounds: for each column the largest error, None for exact; None: all are exact."""
        reason = schemas.reason_against(source.schema)
        if reason is not None:
            raise UnsuitedError(reason)
        content = cls(LOSSLESS if bounds is None else BOUNDED, format, source.schema)
        content.source = source
        content.effort = effort
        content._collect_dictionaries()
        wanted = bounds or [None] * len(source.schema)
        content.bounding = Bounding(content.labels, wanted)
        content.coder = BatchCoder(source.schema, content.dictionaries, wanted)
        return content

    def _collect_dictionaries(self) -> None:
        from pyarrow import types

        # blocks refer to dictionaries, which are written ahead of them
        if self.source and any(types.is_dictionary(kind) for kind in self.schema.types):
            for batch in self.source.batches():
                self.dictionaries.collect(batch)

    def sections(self) -> Mapping[str, bytes]:
        """The section of the columns' dictionaries, by its name; {} if there are none."""
        if not self.dictionaries.of:
            return {}
        data = batches.dictionaries_to_bytes(self.dictionaries, self.schema, self.effort)
        return {DICTIONARIES: data}

    def header(self) -> dict[str, Json]:
        return {**super().header(), "schema": schemas.to_json(self.schema)}

    @classmethod
    def from_header(cls, header: dict[str, Json]) -> ArrowContent:
        schema = schemas.from_json(header["schema"])
        return cls(str(header["mode"]), dict(header["format"]), schema)

    @property
    def fidelity(self) -> str:
        return "values" if self.mode == LOSSLESS else self.mode

    def names(self, archive: Archive) -> list[str]:
        return self.labels

    def costs(self, archive: Archive, block: Block, ledger: Ledger) -> Costs:
        attribution.share_blobs(ledger, block.columns)
        return ledger.costs(self.labels, self.owners(block))

    def cells(self, archive: Archive, block: Block, rows: Int) -> list[list[str]]:
        batch = self.decode(archive, block, slice(0, block.rows), None)
        chosen = [column.take(rows) for column in batch.columns]
        return [["" if v is None else str(v) for v in _objects(column)] for column in chosen]

    # ---- writing

    def items(self) -> Iterator[pa.RecordBatch]:
        assert self.source is not None
        yield from self.source.batches()

    def located_items(self) -> Iterator[tuple[pa.RecordBatch, Located | None]]:
        assert self.source is not None
        yield from self.source.located()

    def encode(self, item: pa.RecordBatch, hints: Hints) -> list[Encoded]:
        coded = self.coder.encode(item)
        flat = [column for columns in coded for column in columns]
        rows = item.num_rows
        books.offer(flat, self.effort)
        ways.offer(flat, self.effort)
        content, payload, after = blocks.encode(flat, rows, {}, self.effort, hints, watched=True)
        errors, squares = self.bounding.errors_of(coded)
        return [Encoded(rows, content, payload, after, errors, squares=squares)]

    def size_of(self, item: pa.RecordBatch) -> int:
        return int(item.nbytes)

    def bytes_of(self, piece: pa.RecordBatch) -> int:
        return int(piece.nbytes)

    @property
    def bounded(self) -> Sequence[str]:
        return self.bounding.bounded

    @property
    def checks_items(self) -> bool:
        # that dictionaries are restored no single item tells
        return not self.dictionaries.of

    def check_item(self, item: pa.RecordBatch, encoded: list[Encoded], decoder: Decoder) -> None:
        def restored() -> Iterator[pa.RecordBatch]:
            for block in map(decoder.again, encoded):
                yield self.coder.decode(block.columns, block.rows)

        self._compare_batches(iter([item]), restored())

    def check_kind(self) -> None:
        assert self.source is not None
        if self.source.path is not None:
            self._compare_file(self.items())

    def check_written(self, archive: Archive) -> None:
        super().check_written(archive)
        schema = getattr(archive.content, "schema", None)
        if schema is None or not schema.equals(self.schema, check_metadata=True):
            raise self.differs("the schema")

    def compare(self, archive: Archive) -> None:
        assert self.source is not None
        restored = archive.pieces(0, archive.rows)
        if self.source.path is None:
            self._compare_batches(self.items(), restored)
            return
        self._compare_file(restored)

    def _compare_file(self, restored: Iterator[pa.RecordBatch]) -> None:
        """Raise ArchiveError unless a file that is written of these batches reads as the source
        does: the schema, the values, and what the file says beside them."""
        assert self.source is not None
        with files.scratch() as spool:
            self._write(spool, restored, None, whole=True)
            spool.flush()
            again = arrow_files.open_table(files.path_of(spool), self.source.name)
            if not again.schema.equals(self.schema, check_metadata=True):
                raise self.differs("the schema")
            for key in OF_FILE:
                if again.format.get(key) != self.source.format.get(key):
                    raise self.differs(f"what the file says beside its values ({key})")
            self._compare_batches(self.items(), again.batches())

    def compare_items(self, archive: Archive, items: Iterator[pa.RecordBatch]) -> None:
        self._compare_batches(items, archive.pieces(0, archive.rows))

    def _compare_batches(
        self,
        items: Iterator[pa.RecordBatch],
        restored: Iterator[pa.RecordBatch],
    ) -> None:
        """Compare the source's batches with the restored ones, one by one, each within the column's
        bounds; DataError where they differ."""
        for batch in items:
            other = next(restored, None)
            if other is None:
                raise self.differs("the number of records")
            difference = batches.difference(batch, other, self.bounding.bounds)
            if difference is not None:
                raise self.differs(difference)
        if next(restored, None) is not None:
            raise self.differs("the number of records")

    # ---- reading

    def is_like(self, other: Content) -> bool:
        return isinstance(other, ArrowContent) and self.schema.equals(other.schema)

    def reader(self, archive: Archive) -> BatchCoder:
        """The coder that decodes the archive's blocks, with the dictionaries of the archive."""
        if DICTIONARIES in archive.reader.sections and not self.dictionaries.of:
            data = archive.reader.sections[DICTIONARIES]
            self.dictionaries.of = batches.dictionaries_from_bytes(data, self.schema).of
        return self.coder

    def decode(
        self,
        archive: Archive,
        block: Block,
        inside: slice,
        wanted: Sequence[str] | None,
    ) -> pa.RecordBatch:
        whole = self.reader(archive).decode(block.columns, block.rows)
        part = whole.slice(inside.start, inside.stop - inside.start)
        if wanted is None:
            return part
        return part.select(self.places(archive, wanted))

    def restore(
        self,
        archive: Archive,
        file: BinaryIO,
        first: int,
        last: int,
        wanted: Sequence[str] | None = None,
    ) -> None:
        pieces = archive.pieces(first, last, wanted)
        is_part = archive.lenient or not archive.is_one_file
        whole = (first, last) == (0, archive.rows) and not is_part
        try:
            self._write(file, pieces, wanted, whole)
        except NotImplementedError as error:  # Arrow's, for types that a kind of file has not
            raise archive.reader.damaged(f"its schema cannot be written ({error})") from None

    def _write(
        self,
        file: BinaryIO,
        pieces: Iterator[pa.RecordBatch],
        wanted: Sequence[str] | None,
        whole: bool,
    ) -> None:
        schema = self.schema
        if wanted is not None:
            schema = _part_of(schema, places_in(self.labels, wanted))
        format = self._format
        if wanted is not None:
            # it names columns by their places among all
            format = {key: value for key, value in format.items() if key != "sorted"}
        arrow_files.write_table(file, schema, pieces, format, whole)

    def restore_own(
        self,
        file: BinaryIO,
        first: int,
        last: int,
        wanted: Sequence[str] | None,
    ) -> None:
        """Write records first:last of the source to a file, as `restore` writes those of an
        archive: to compare both. wanted: labels of the columns; None: all."""
        pieces = self._own(first, last)
        if wanted is not None:
            places = places_in(self.labels, wanted)
            pieces = (piece.select(places) for piece in pieces)
        self._write(file, pieces, wanted, whole=False)

    def rows_own(self) -> int:
        """How many records the source has; it is read for that."""
        return sum(batch.num_rows for batch in self.items())

    def frame_own(self, first: int, last: int) -> pd.DataFrame:
        """Records first:last of the source as a DataFrame, as `frame` has those of an archive."""
        return arrow_files.frame_of(self.schema, self._own(first, last))

    def _own(self, first: int, last: int) -> Iterator[pa.RecordBatch]:
        for batch, inside in cut(self.items(), first, last):
            yield batch.slice(inside.start, inside.stop - inside.start)

    def frame(self, archive: Archive, first: int, last: int) -> pd.DataFrame:
        return arrow_files.frame_of(self.schema, archive.pieces(first, last))

    def frame_of_columns(
        self,
        archive: Archive,
        first: int,
        last: int,
        wanted: Sequence[str],
    ) -> pd.DataFrame:
        schema = _part_of(self.schema, self.places(archive, wanted))
        return arrow_files.frame_of(schema, archive.pieces(first, last, wanted))

    def owners(self, block: Block) -> list[int]:
        return self.coder.owners([column.meta for column in block.columns])


def _part_of(schema: pa.Schema, places: Sequence[int]) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([schema.field(place) for place in places], schema.metadata)


def _objects(column: pa.Array) -> list[object]:
    """The values as objects of Python, None for missing ones; moments and durations that Python
    cannot hold as whole numbers, or as text."""
    import pyarrow as pa

    values: list[object]
    try:
        values = column.to_pylist()
    except (OverflowError, ValueError):
        number = pa.int32() if pa.types.is_date32(column.type) else pa.int64()
        try:
            values = column.view(number).to_pylist()
        except pa.ArrowInvalid:  # moments inside of lists or structures
            values = column.cast(pa.string()).to_pylist()
    return values
