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
from aetool.data import arrow_files, arrow_values
from aetool.data.arrow_files import ArrowTable, UnsuitedError
from aetool.data.located import Located
from aetool.model import Float, Int

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from aetool.codec.archive import Archive, Decoder

OF_FILE = ("groups", "sorted", "integers", "version")  # what a Parquet file has beside values
DICTIONARIES = "dictionaries"  # the section that holds them
Bounds = Sequence[Fraction | None]


class ArrowContent(Content):
    """A table in Arrow's types, as batches of one schema. mode: LOSSLESS or BOUNDED; format: how
    its file was written. Columns are told by their place, as names may repeat; `labels` are
    different names for them.

    source, effort, bounding (the largest error allowed, for each label): only for writing.
    dictionaries: those of columns of Arrow's dictionary type, collected from the source or read
    from the archive; coder: encodes and decodes batches with them.
    """

    name = "arrow"
    can_be_sharded = True

    def __init__(
        self,
        mode: str,
        format: dict[str, Json],
        schema: pa.Schema,
    ) -> None:
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
        """The content by which a table in Arrow's types is written to an archive; the source is
        read once if it has dictionaries. UnsuitedError for a type that cannot be stored natively.
        bounds: for each column, in order, the largest error, in its unit, None for exact; None: all
        are exact. format: how the source was written, for the header; effort: how far to search for
        a small encoding."""
        schema = source.schema
        reason = schemas.reason_against(schema)
        if reason is not None:
            raise UnsuitedError(reason)
        mode = LOSSLESS if bounds is None else BOUNDED
        content = cls(mode, format, schema)
        content.source = source
        content.effort = effort
        # all of them before the first block, which refers to them by number
        content._collect_dictionaries()
        bounds_of_columns = bounds or [None] * len(schema)
        content.bounding = Bounding(content.labels, bounds_of_columns)
        content.coder = BatchCoder(schema, content.dictionaries, bounds_of_columns)
        return content

    def _collect_dictionaries(self) -> None:
        """Read the source once and add to `dictionaries` every different one that a column has in
        any batch. Without columns of Arrow's dictionary type nothing is read."""
        from pyarrow import types

        has_any = any(types.is_dictionary(kind) for kind in self.schema.types)
        # blocks refer to dictionaries, which are written ahead of them
        if self.source and has_any:
            for batch in self.source.batches():
                self.dictionaries.collect(batch)

    def sections(self) -> Mapping[str, bytes]:
        """The section that holds the dictionaries of all columns, {"dictionaries": bytes}; {} if
        there are none. ArchiveError for one of more text than a block may have."""
        if not self.dictionaries.of:
            return {}
        data = batches.dictionaries_to_bytes(
            self.dictionaries,
            self.schema,
            self.effort,
        )
        return {DICTIONARIES: data}

    def header(self) -> dict[str, Json]:
        """The entries of the archive's header, by name: "content", "mode", "format" and
        "schema"."""
        header = super().header()
        header["schema"] = schemas.to_json(self.schema)
        return header

    @classmethod
    def from_header(cls, header: dict[str, Json]) -> ArrowContent:
        """The content of a header, for reading; ArchiveError, ValueError, KeyError or TypeError if
        it is none of an Arrow table."""
        mode = str(header["mode"])
        format = dict(header["format"])
        schema = schemas.from_json(header["schema"])
        return cls(mode, format, schema)

    @property
    def fidelity(self) -> str:
        """How exactly the source comes back: "values", all values though not every byte of the
        file, or "bounded"."""
        return "values" if self.mode == LOSSLESS else self.mode

    def names(self, archive: Archive) -> list[str]:
        """The labels of the columns, in order: their names, or "NAME (column PLACE)", from 1, where
        names repeat. archive: not used."""
        return self.labels

    def costs(self, archive: Archive, block: Block, ledger: Ledger) -> Costs:
        """The bits of each record by column label. archive: not used; ledger: filled by the block's
        decoding; what blobs take is moved in it, in place, from overhead to the cells that they are
        of: to be called once for each decoding. ArchiveError for blobs that are damaged."""
        # the bits of blobs, such as compressed texts, are shared among the cells in them
        attribution.share_blobs(ledger, block.columns)
        return ledger.costs(self.labels, self.owners(block))

    def cells(self, archive: Archive, block: Block, rows: Int) -> list[list[str]]:
        """For each column the cells of these records, as text to be shown; "" for a missing value.
        archive: of which the block is; rows: (n,), numbers of rows within the block, from 0.
        ArchiveError for a damaged block."""
        every_row = slice(0, block.rows)
        batch = self.decode(archive, block, every_row, None)
        cells = []
        for column in batch.columns:
            values = _python_values(column.take(rows))
            cells.append(["" if value is None else str(value) for value in values])
        return cells

    def numbers(self, archive: Archive, block: Block) -> list[Float | None]:
        """For each column its numbers, (rows,), of all rows of a block of the archive, NaN for
        missing ones; None for a column of another type than integers, floats and decimals.
        ArchiveError for a damaged block."""
        batch = self.decode(archive, block, slice(0, block.rows), None)
        return [arrow_values.numbers(column) for column in batch.columns]

    # ---- writing

    def items(self) -> Iterator[pa.RecordBatch]:
        """Yield the source's records in order, as batches of at most 65,536 records, each of which
        becomes a block. DataError where the source cannot be read."""
        assert self.source is not None
        yield from self.source.batches()

    def located_items(self) -> Iterator[tuple[pa.RecordBatch, Located | None]]:
        """Yield each batch with the place from which another process can read it, or with None if
        only this process can."""
        assert self.source is not None
        yield from self.source.located()

    def encode(self, item: pa.RecordBatch, hints: Hints) -> list[Encoded]:
        """Encode an item, a batch, as one block. ArchiveError for a dictionary that was not there
        when the source was first read, more text than a block may have, or a bound that could not
        be kept. hints: of the block before."""
        # a column of wide decimals may be coded as several
        coded = self.coder.encode(item)
        flat = [column for columns in coded for column in columns]
        rows = item.num_rows
        # other ways to code each column, of which the block takes the smallest
        books.offer(flat, self.effort)
        ways.offer(flat, self.effort, hints.ways)
        content, payload, after = blocks.encode(
            flat,
            rows,
            {},
            self.effort,
            hints,
            watched=True,  # tells how many columns are done
        )
        errors, squares = self.bounding.errors_of(coded)
        encoded = Encoded(
            rows,
            content,
            payload,
            after,
            errors,
            squares=squares,
        )
        return [encoded]

    def size_of(self, item: pa.RecordBatch) -> int:
        """How many bytes an item, a batch, takes in Arrow's memory."""
        return int(item.nbytes)

    def bytes_of(self, piece: pa.RecordBatch) -> int:
        """How many bytes a piece, a restored batch, takes in Arrow's memory."""
        return int(piece.nbytes)

    @property
    def bounded(self) -> Sequence[str]:
        """The labels of the columns that have a bound."""
        return self.bounding.bounded

    @property
    def checks_items(self) -> bool:
        """Whether no column has dictionaries, which lie outside of the blocks."""
        # no single item can tell whether the dictionaries, which lie outside of it, are restored
        return not self.dictionaries.of

    def check_item(
        self,
        item: pa.RecordBatch,
        encoded: list[Encoded],
        decoder: Decoder,
    ) -> None:
        """Raise ArchiveError unless `encoded`, the blocks of `item`, a batch, decode to its values,
        numbers of bounded columns within their bounds. decoder: decodes as a reader will."""

        # one by one: a batch may have become several blocks
        def restored() -> Iterator[pa.RecordBatch]:
            """Yield the batches that the encoded blocks decode to."""
            for block in map(decoder.again, encoded):
                yield self.coder.decode(block.columns, block.rows)

        self._compare_batches(iter([item]), restored())

    def check_kind(self) -> None:
        """Raise ArchiveError unless a file that is written of the source's own batches reads as the
        source does; nothing for a table in memory."""
        assert self.source is not None
        # what is only in memory has no file that another could differ from
        if self.source.path is not None:
            self._compare_file(self.items())

    def check_written(self, archive: Archive) -> None:
        """Raise ArchiveError unless the finished archive has the digests of its blocks, this
        content's header, and its schema."""
        super().check_written(archive)
        schema = getattr(archive.content, "schema", None)
        if schema is None or not self._is_schema(schema):
            raise self.differs("the schema")

    def _is_schema(self, schema: pa.Schema) -> bool:
        """Whether a schema is that of this content, metadata included."""
        return bool(schema.equals(self.schema, check_metadata=True))

    def compare(self, archive: Archive) -> None:
        """Read the source once more and raise ArchiveError unless the archive's records, written as
        a file of the source's kind, read as the source does, numbers of bounded columns within
        their bounds; of a table in memory batches are compared, likewise. DataError where the
        source cannot be read."""
        assert self.source is not None
        restored = archive.pieces(0, archive.rows)
        if self.source.path is None:
            self._compare_batches(self.items(), restored)
            return
        self._compare_file(restored)

    def _compare_file(self, restored: Iterator[pa.RecordBatch]) -> None:
        """Raise ArchiveError unless a scratch file that is written of `restored`, batches, reads as
        the source does: the schema, the values (numbers of bounded columns within their bounds),
        and what OF_FILE lists beside them, such as groups of rows."""
        assert self.source is not None
        with files.scratch() as spool:
            # only a file shows groups of rows, sorting and the types that it can have
            self._write(spool, restored, None, whole=True)
            spool.flush()
            path = files.path_of(spool)
            reread = arrow_files.open_table(path, self.source.name)
            if not self._is_schema(reread.schema):
                raise self.differs("the schema")
            for key in OF_FILE:
                before = self.source.format.get(key)
                after = reread.format.get(key)
                if before != after:
                    raise self.differs(f"what the file says beside its values ({key})")
            self._compare_batches(self.items(), reread.batches())

    def compare_items(
        self,
        archive: Archive,
        items: Iterator[pa.RecordBatch],
    ) -> None:
        """Raise ArchiveError unless a shard, an archive of these batches alone, restores them,
        numbers of bounded columns within their bounds. items: these batches, in order."""
        restored = archive.pieces(0, archive.rows)
        self._compare_batches(items, restored)

    def _compare_batches(
        self,
        items: Iterator[pa.RecordBatch],
        restored: Iterator[pa.RecordBatch],
    ) -> None:
        """Compare `items`, the source's batches, with the restored ones, one by one, numbers of
        bounded columns within their bounds; ArchiveError where they differ, or one side has more of
        them."""
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
        """Whether the other content is of Arrow's types, too, with the same schema but for its
        metadata, so that both can be parts of one table."""
        if not isinstance(other, ArrowContent):
            return False
        # metadata, such as what pandas notes of each table, may differ
        return bool(self.schema.equals(other.schema))

    def reader(self, archive: Archive) -> BatchCoder:
        """The coder that decodes the archive's blocks, with the dictionaries of the archive, which
        the first call reads into `dictionaries`. ArchiveError if they are damaged."""
        sections = archive.reader.sections
        # read once, when the first block is decoded
        if DICTIONARIES in sections and not self.dictionaries.of:
            data = sections[DICTIONARIES]
            stored = batches.dictionaries_from_bytes(data, self.schema)
            self.dictionaries.of = stored.of
        return self.coder

    def decode(
        self,
        archive: Archive,
        block: Block,
        inside: slice,
        wanted: Sequence[str] | None,
    ) -> pa.RecordBatch:
        """The records of a block of the archive that `inside` slices, from 0, as a batch of the
        columns of the wanted labels, in that order; None: all. ParamError for a label that is not
        there, ArchiveError for a damaged block."""
        coder = self.reader(archive)
        whole = coder.decode(block.columns, block.rows)
        part = _rows_of(whole, inside)
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
        """Write records first:last to `file`, in the source's kind, of the columns of the wanted
        labels, in that order; None: all. The source's groups of rows are written again only with
        all records, of an archive that is one file and not read leniently. ParamError for a label
        that is not there, ArchiveError for a schema that such a file cannot have, and for a damaged
        block, unless the archive is lenient."""
        pieces = archive.pieces(first, last, wanted)
        # of a damaged archive, or of one of several shards, these are not all records
        is_part = archive.lenient or not archive.is_one_file
        has_every_row = (first, last) == (0, archive.rows)
        whole = has_every_row and not is_part
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
        """Write `pieces`, batches that have the wanted columns alone, as a file of the source's
        kind. wanted: labels of their columns; None: all. whole: whether they are all records, so
        that the source's groups of rows are written again. ParamError for a label that is not
        there, NotImplementedError (Arrow's) for a type that such a file cannot have."""
        schema = self.schema
        format = self._format
        if wanted is not None:
            schema = _schema_of_columns(schema, places_in(self.labels, wanted))
            # "sorted" names columns by their places among all, which a choice of them changes
            format = {key: value for key, value in format.items() if key != "sorted"}
        arrow_files.write_table(file, schema, pieces, format, whole)

    def restore_own(
        self,
        file: BinaryIO,
        first: int,
        last: int,
        wanted: Sequence[str] | None,
    ) -> None:
        """Write records first:last of the source itself ("own") to a file, as `restore` writes
        those of an archive, so that both can be compared. wanted: labels of the columns; None: all;
        ParamError for one that is not there."""
        pieces = self._source_batches(first, last)
        # an archive's batches come with the wanted columns alone
        if wanted is not None:
            places = places_in(self.labels, wanted)
            pieces = (piece.select(places) for piece in pieces)
        self._write(file, pieces, wanted, whole=False)

    def rows_own(self) -> int:
        """How many records the source itself has; all of it is read for that: DataError where it
        cannot be."""
        return sum(batch.num_rows for batch in self.items())

    def frame_own(self, first: int, last: int) -> pd.DataFrame:
        """Records first:last of the source itself ("own") as a DataFrame, as `frame` has those of
        an archive."""
        pieces = self._source_batches(first, last)
        return arrow_files.frame_of(self.schema, pieces, first, last - first)

    def _source_batches(self, first: int, last: int) -> Iterator[pa.RecordBatch]:
        """Yield records first:last of the source itself ("own"), batch by batch."""
        for batch, inside in cut(self.items(), first, last):
            yield _rows_of(batch, inside)

    def frame(self, archive: Archive, first: int, last: int) -> pd.DataFrame:
        """Records first:last as a DataFrame, with the index and dtypes that pandas noted in the
        schema. ArchiveError for a damaged block, whose records a lenient archive leaves out."""
        pieces = archive.pieces(first, last)
        return arrow_files.frame_of(self.schema, pieces, first, last - first)

    def frame_of_columns(
        self,
        archive: Archive,
        first: int,
        last: int,
        wanted: Sequence[str],
    ) -> pd.DataFrame:
        """Records first:last as a DataFrame of the columns of the labels `wanted`, in this order.
        ParamError for a label that is not there, ArchiveError for a damaged block, unless the
        archive is lenient."""
        places = self.places(archive, wanted)
        schema = _schema_of_columns(self.schema, places)
        pieces = archive.pieces(first, last, wanted)
        return arrow_files.frame_of(schema, pieces, first, last - first)

    def owners(self, block: Block) -> list[int]:
        """For each column of a block the place, from 0, of the table's column that it is part
        of."""
        metas = [column.meta for column in block.columns]
        return self.coder.owners(metas)


def _schema_of_columns(schema: pa.Schema, places: Sequence[int]) -> pa.Schema:
    """A schema with only the columns at these places, from 0, in that order, and the metadata of
    all."""
    import pyarrow as pa

    fields = [schema.field(place) for place in places]
    return pa.schema(fields, schema.metadata)


def _rows_of(batch: pa.RecordBatch, inside: slice) -> pa.RecordBatch:
    """The rows `inside`, a slice with begin and end, of a batch, as a view of it."""
    return batch.slice(inside.start, inside.stop - inside.start)


def _python_values(column: pa.Array) -> list[object]:
    """The values of a column as a list of Python's objects, None for missing ones. If Python cannot
    hold one of them (a moment or duration), all are whole numbers of the column's unit instead, or
    text where they lie in a dictionary."""
    import pyarrow as pa

    values: list[object]
    try:
        values = column.to_pylist()
    except (OverflowError, ValueError):
        # as the integers that they are stored as
        is_short = pa.types.is_date32(column.type)
        integers = pa.int32() if is_short else pa.int64()
        try:
            values = column.view(integers).to_pylist()
        except pa.ArrowInvalid:  # moments inside of a dictionary
            values = column.cast(pa.string()).to_pylist()
    return values
