"""A table in text: its records column by column, byte for byte, or with numbers within a bound."""

from __future__ import annotations

import copy
import dataclasses
import io
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from aetool.canonical import Json
from aetool.codec import attribution, bounds, records
from aetool.codec.blocks import NO_HINTS, Block
from aetool.codec.contents.content import (
    BOUNDED,
    ByteContent,
    Content,
    read_exactly,
)
from aetool.codec.contents.marks_of_slices import MarksOfSlices
from aetool.codec.ledger import Costs, Ledger, costs_of_text
from aetool.codec.planning import Hints
from aetool.codec.records import Encoded, Layout
from aetool.csv import cutting, encodings, writing
from aetool.csv.dialect import Dialect
from aetool.csv.fields import Rule, begins, fields
from aetool.data import writers
from aetool.data.text import apart
from aetool.model import Float, Int

if TYPE_CHECKING:
    import pandas as pd

    from aetool.codec.archive import Archive, Decoder


AS_CUT = ("delimiter", "space", "encoding", "header")  # what a format says of how records are cut
WHOLE, LINE_ENDS = "record", "line ends"  # of records that are no columns; beside the columns


@dataclass(eq=False)
class TextOrigin:
    """How to read a text table that is to be written to an archive.

    pieces: reads the text and yields it as pieces of whole records, without the head (what stands
    before the first record), in UTF-8; each call begins anew. stream: opens the source's bytes,
    which are in `encoding`. layout: how pieces are coded; first: hints for the first block.
    """

    pieces: Callable[[], Iterator[bytes]]
    stream: Callable[[], BinaryIO]
    layout: Layout
    encoding: str = encodings.UTF8
    first: Hints = NO_HINTS


class TextTable(ByteContent):
    """A table in text, such as CSV, as the content of an archive: records are stored column by
    column and restored byte for byte, or, if its mode is BOUNDED, with numbers within a bound.

    head: the bytes before the first record (byte-order mark, blank lines, header record) in UTF-8;
    given_names: of the columns. Both may be None if `shared`, as a model says them then. origin:
    how to read the text; None for an archive that is read.
    """

    name = "text"
    part = "a record"
    can_be_sharded = opens_with_head = True

    def __init__(
        self,
        mode: str,
        format: dict[str, Json],
        head: bytes | None,
        names: Sequence[str] | None,
        shared: bool = False,
        origin: TextOrigin | None = None,
    ) -> None:
        """Begin the content of a table in text. mode: LOSSLESS or BOUNDED; format: how the text is
        written, such as its delimiter. head: the bytes before the first record (byte-order mark,
        blank lines, header record) in UTF-8. names: the columns' names; None reads them from the
        head.

        shared: the archive refers to a model that is stored elsewhere; what the model knows is left
        out here: head and names may be None, and format has only what differs from the model's.
        origin: how to read the text, for an archive that is to be written; None for one that is
        read. ValueError without a head, unless shared.
        """
        stream = origin.stream if origin is not None else None
        super().__init__(mode, format, stream)
        if not shared and head is None:
            raise ValueError("a table in text has a head")
        self.head = head
        self.given_names = names
        self.shared = shared
        self.origin = origin
        # of each item in order, for `compare`: its bytes in UTF-8, and how many blocks it became
        self._sizes: list[int] = []
        self._counts: list[int] = []
        # of an archive that is read: decimal marks that some of its rows alone do not show
        self._marks_of_slices = MarksOfSlices()
        if names is None and not shared:
            self.given_names = self._names_in_head()

    def to_encode(self) -> TextTable:
        """A copy that can be pickled, for another process that encodes items: its origin keeps the
        layout and reads nothing."""
        assert self.origin is not None
        without_source = copy.copy(self)
        # another process gets pieces one by one, and never the source itself
        without_source.origin = dataclasses.replace(
            self.origin,
            pieces=_no_pieces,
            stream=_no_bytes,
        )
        without_source.stream = None
        without_source.paths = ()
        without_source._stamps = []
        without_source._sizes = []
        without_source._counts = []
        return without_source

    def header(self) -> dict[str, Json]:
        """The entries of the archive's header, by name: "content", "mode", "format", "head" if
        there is one here, "names" where the head does not say them, and "shared", 1, if it refers
        to a shared model."""
        header = super().header()
        if self.head is not None:
            # a byte for each character, whatever the bytes are
            header["head"] = self.head.decode("latin-1")
        if self.given_names is not None:
            names = list(self.given_names)
            # only where the head does not say them
            if names != self._names_in_head():
                header["names"] = names
        if self.shared:
            header["shared"] = 1
        return header

    @classmethod
    def from_header(cls, header: dict[str, Json]) -> TextTable:
        """The content of a header, for reading; ValueError, KeyError or TypeError if the header is
        none of a text."""
        head = header.get("head")
        names = header.get("names")
        mode = str(header["mode"])
        format = dict(header["format"])
        if head is not None:
            head = str(head).encode("latin-1")
        if names is not None:
            names = [str(name) for name in names]
        return cls(mode, format, head, names, "shared" in header)

    def format(self, archive: Archive | None = None) -> dict[str, Json]:
        """How the text is written: "format", "delimiter", "header" and the like. What a shared
        archive's header leaves out comes from its model, if `archive` says which archive is read,
        else it stays out."""
        # a format of its own is under "format" in full: nothing of the model's is missing
        is_complete = not self.shared or "format" in self._format
        if archive is None or is_complete:
            return self._format
        return {**archive.foreseen.format, **self._format}

    def names(self, archive: Archive) -> list[str]:
        """The names of the columns, from the header or the head, or else from the shared model of
        the archive: BundleError if that is then not there, ArchiveError if it knows nothing of
        columns."""
        if self.given_names is not None:
            return list(self.given_names)
        return list(archive.foreseen.names)

    def _names_in_head(self) -> list[str]:
        """The names that the head's header record has, which the archive's header need not repeat;
        [] without head."""
        if self.head is None:
            return []
        return names_in_head(self.head, self._format)

    def _whole_head(self, archive: Archive) -> bytes:
        """The bytes before the first record, in UTF-8, from the header or, where that has none,
        from the archive's shared model; b"" if there are none."""
        if self.head is None:
            return archive.foreseen.head.encode("latin-1")
        return self.head

    def _head_is_header(self, archive: Archive) -> bool:
        """Whether the head, of the archive that is read, holds just what pandas may read: behind a
        byte-order mark or blank lines one record, which gives the columns' names as they are. False
        of a text without a header, whose names its head does not give."""
        head = self._whole_head(archive)
        format = self.format(archive)
        bare_head = head.removeprefix(encodings.BOM)
        records = fields(bare_head, self.rule(archive))
        header_records = int(bool(format.get("header")))
        if len(records) != header_records:
            return False
        return self.names(archive) == names_in_head(head, format)

    # ---- writing

    @property
    def opening(self) -> bytes:
        """The head, the bytes before the first record, in the source's encoding; only for
        writing."""
        assert self.origin is not None
        head = self._head_of(self._layout)
        return encodings.original(head, self.origin.encoding)

    @property
    def _layout(self) -> Layout:
        """The layout of the source, how its pieces are coded; only for writing."""
        assert self.origin is not None
        return self.origin.layout

    def _head_of(self, layout: Layout) -> bytes:
        """The bytes before the first record, in UTF-8, from this content or from the shared model
        of a layout; b"" where neither has any."""
        if self.head is None and layout.shared is not None:
            return layout.shared.head.encode("latin-1")
        return self.head or b""

    def items(self) -> Iterator[bytes]:
        """Yield the source's records, without the head, as pieces of whole ones, in UTF-8."""
        assert self.origin is not None
        return self.origin.pieces()

    def encode(self, item: bytes, hints: Hints) -> list[Encoded]:
        """Encode an item, a piece of whole records, as blocks: one, or a few where records are
        irregular. hints: the plans of the block before; if they have no `shape`, as NO_HINTS,
        `origin.first` is taken, the hints for the first block. Only for an archive that is written.
        DataError for a piece of 2^31 - 1 bytes or more."""
        assert self.origin is not None
        if not hints.shape:
            hints = self.origin.first
        return records.encode(item, self._layout, hints)

    def size_of(self, item: bytes) -> int:
        """How many bytes an item, which is in UTF-8, has in the source's encoding."""
        assert self.origin is not None
        original = encodings.original(item, self.origin.encoding)
        return len(original)

    def digested_as_read(self, item: bytes) -> bytes:
        """The item in the source's encoding; b"" if numbers may differ, as the digest is then of
        what is restored. Notes the item's size for `compare`: to be called once for each item, in
        order."""
        assert self.origin is not None
        self._sizes.append(len(item))
        if self.mode == BOUNDED:
            return b""
        return self.bytes_to_restore(item)

    def digested_as_written(self, encoded: list[Encoded]) -> bytes:
        """The bytes that `encoded`, an item's blocks, restore, in the source's encoding, if numbers
        may differ; else b"". Notes how many blocks there are, for `compare`: to be called once for
        each item, in order."""
        assert self.origin is not None
        self._counts.append(len(encoded))
        if self.mode != BOUNDED:
            return b""
        restored = b"".join(block.restored for block in encoded)
        return self.bytes_to_restore(restored)

    def check_item(self, item: bytes, encoded: list[Encoded], decoder: Decoder) -> None:
        """Raise ArchiveError unless an item's encoded blocks restore it, byte for byte, or numbers
        of bounded columns within their bounds. decoder: decodes as a reader will."""
        if self.mode != BOUNDED:
            super().check_item(item, encoded, decoder)
            return
        decoded_blocks = [decoder.again(block) for block in encoded]
        self._check_within_bounds(item, decoded_blocks)

    def text_of(self, block: Block) -> bytes:
        """All records of a decoded block, in UTF-8, without the head; only for writing, whose
        layout says how they are cut. ArchiveError if the block is damaged."""
        every_row = slice(0, block.rows)
        return records.decode(block, self._layout.rule, block.rows, every_row)

    def check_written(self, archive: Archive) -> None:
        """Raise ArchiveError unless the finished archive has the digests of its blocks, this
        content's header, the same rule by which records are cut, and the same head."""
        super().check_written(archive)
        written = archive.content
        if not isinstance(written, TextTable):
            raise self.differs("how records are cut")
        if written.rule(archive) != self._layout.rule:
            raise self.differs("how records are cut")
        # without a record what is yielded is the head alone
        restored_head = next(written.pieces(archive, 0, 0))
        if restored_head != self.opening:
            raise self.differs("the header record")

    def bytes_to_restore(self, item: bytes) -> bytes:
        """Turn an item, a text in UTF-8, into the source's encoding; only for writing."""
        assert self.origin is not None
        return encodings.original(item, self.origin.encoding)

    @property
    def bounded(self) -> Sequence[str]:
        """The names of the columns that have a bound; only for writing."""
        return list(self._layout.bounds)

    def compare(self, archive: Archive) -> None:
        """Read the source once more and raise ArchiveError at the first byte that the archive
        restores otherwise; numbers of bounded columns may differ by at most their bounds. DataError
        where the source cannot be read."""
        assert self.origin is not None
        if self.mode == BOUNDED:
            source = self.origin.stream()
            with encodings.utf8(source, self.origin.encoding) as stream:
                self._compare_within_bounds(archive, stream)
                self.compare_end(stream)
            return
        super().compare(archive)

    def _compare_within_bounds(self, archive: Archive, stream: BinaryIO) -> None:
        """Compare a text in UTF-8, `stream`, read from its beginning, with what the archive's
        blocks restore, each number within its column's bound; ArchiveError where they differ. What
        stands behind the last record is not read. Only once all items have been read and
        written."""
        head = self._head_of(self._layout)
        head_of_source = read_exactly(stream, len(head))
        if head_of_source != head:
            raise self.differs("the header record")
        stored = archive.blocks(0, archive.rows)
        for size, count in zip(self._sizes, self._counts, strict=True):
            blocks_of_item = itertools.islice(stored, count)
            decoded_blocks = [block for block, _ in blocks_of_item]
            # read anew, without being cut again: as many bytes as there were
            item = read_exactly(stream, size)
            self._check_within_bounds(item, decoded_blocks)
        if next(stored, None) is not None:
            raise self.differs("the number of records")

    def _check_within_bounds(self, item: bytes, decoded_blocks: Sequence[Block]) -> None:
        """Raise ArchiveError unless `decoded_blocks`, in order, restore an item, records in UTF-8,
        numbers of bounded columns within their bounds."""
        # numbers of one block are bounded together: records are cut as blocks hold them
        rows_of_blocks = [block.rows for block in decoded_blocks]
        sources = cut_as(rows_of_blocks, item, self._layout.rule)
        if len(sources) != len(decoded_blocks):
            raise self.differs("the number of records")
        for block, source in zip(decoded_blocks, sources, strict=True):
            restored = self.text_of(block)
            if not bounds.holds(source, restored, self._layout):
                raise self.differs("a number, within its bound,")

    # ---- reading

    def is_like(self, other: Content) -> bool:
        """Whether the other content is a text, too, with the same head, column names, delimiter,
        encoding, rule on blanks behind delimiters, and a header or none, as the format says; False
        if either leaves these to a shared model."""
        if not isinstance(other, TextTable):
            return False
        # what a shared model has of them is not at hand here
        if self.shared or other.shared:
            return False
        return self._properties_in_common() == other._properties_in_common()

    def _properties_in_common(self) -> tuple[Json, ...]:
        """The properties in which two tables must be equal so that their records can stand in one:
        (head, names of the columns, delimiter, space, encoding, header)."""
        format = self.format()
        how_cut = [format.get(key) for key in AS_CUT]
        return (self.head, self.given_names, *how_cut)

    def decode(
        self,
        archive: Archive,
        block: Block,
        inside: slice,
        wanted: Sequence[str] | None,
    ) -> bytes:
        """The records of a block of the archive that `inside` slices, in UTF-8, cut to the wanted
        columns, in that order; None: all. ParamError for a name that is not there, ArchiveError if
        the block is damaged."""
        places = None
        if wanted is not None:
            places = self.places(archive, wanted)
        return records.decode(
            block,
            self.rule(archive),
            block.rows,
            inside,
            places,
        )

    def costs(self, archive: Archive, block: Block, ledger: Ledger) -> Costs:
        """The bits of each record by column; differing line ends are a further column, "line ends".
        Of a block of one text whose records cannot be cut into the columns, by "record" alone.
        ArchiveError if the block has other columns. archive: of which the block is; ledger: filled
        by the block's decoding, and changed in place, as Content.costs says."""
        names = self.names(archive)
        count = len(names)
        if records.is_text(block):
            text, bits = records.priced_text(block)
            rule = self.rule(archive)
            bits_of_fields = attribution.of_fields(text, bits, rule, count)
            # records that cannot be cut into the columns are priced as one
            if bits_of_fields.shape[1] != count:
                names = [WHOLE]
            return costs_of_text(ledger, names, bits_of_fields)
        # the bits of blobs, such as compressed texts, are shared among the cells in them
        attribution.share_blobs(ledger, block.columns)
        # the block's description has "t" where line ends differ, which are a column of their own
        if block.words.get("t"):
            names = [*names, LINE_ENDS]
        if len(block.columns) != len(names):
            raise archive.reader.damaged("a block has not the columns that the header promises")
        return ledger.costs(names, range(len(names)))

    def cells(self, archive: Archive, block: Block, rows: Int) -> list[list[str]]:
        """For each column of `costs` the values of these records, as text to be shown, without
        their quotes; of a block of one text whose records cannot be cut into the columns one list
        of whole records. archive: of which the block is; rows: (n,), numbers of rows within the
        block, from 0. ArchiveError if the block is damaged."""
        count = len(self.names(archive))
        columns = records.cells(block, self.rule(archive), count, rows)
        return [[read_cell(cell) for cell in column] for column in columns]

    def numbers(self, archive: Archive, block: Block) -> list[Float | None]:
        """For each column of `costs` the numbers that its cells are, (rows,), of all rows of a
        block of the archive, also of cells in quotes; NaN for what is no number; [None] for a block
        of one text whose records cannot be cut into the columns. ArchiveError if the block is
        damaged."""
        # the table's decimal point, for a column whose own cells do not show whether it is , or .
        usual_point = str(self.format(archive).get("decimal", "."))
        return records.numbers(block, self.rule(archive), len(self.names(archive)), usual_point)

    def rule(self, archive: Archive) -> Rule:
        """The rule by which the text of the archive is cut into records: its delimiter, "," if the
        format says none, and whether blanks behind it are skipped."""
        format = self.format(archive)
        delimiter = str(format.get("delimiter", ","))
        return Rule(delimiter, bool(format.get("space")))

    def pieces(
        self,
        archive: Archive,
        first: int,
        last: int,
        wanted: Sequence[str] | None = None,
    ) -> Iterator[bytes]:
        """Yield the bytes before the first record, then records first:last, a piece for each block,
        in the source's encoding. wanted: names of columns, to which header and records are cut, in
        that order; None: all. ParamError for a name that is not there, ArchiveError for a damaged
        block, whose records a lenient archive leaves out; BundleError without a shared model that
        it needs."""
        format = self.format(archive)
        encoding = str(format.get("encoding", encodings.UTF8))
        for piece in self.utf8_pieces(archive, first, last, wanted):
            yield encodings.original(piece, encoding)

    def utf8_pieces(
        self,
        archive: Archive,
        first: int,
        last: int,
        wanted: Sequence[str] | None = None,
    ) -> Iterator[bytes]:
        """Yield, in UTF-8, the bytes before the first record, then records first:last of the
        archive, a piece for each block. wanted: names of columns, to which header and records are
        cut, in that order; None: all. Errors are those of `pieces`."""
        yield self._head(archive, wanted)
        for block, inside in archive.blocks(first, last):
            yield self.decode(archive, block, inside, wanted)

    def _head(self, archive: Archive, wanted: Sequence[str] | None) -> bytes:
        """The bytes before the first record, in UTF-8. wanted: names of columns, to which the
        header record is cut; None: all. A head without a record stays as it is; one that is more
        than a header record becomes a new header record of these names, or only its byte-order mark
        if the table has no header. ParamError for a name that is not there, ArchiveError if the
        header record has not the columns that the archive says."""
        head = self._whole_head(archive)
        if wanted is None:
            return head
        mark = encodings.BOM if head.startswith(encodings.BOM) else b""
        places = self.places(archive, wanted)
        bare_head = head.removeprefix(mark)
        head_records = fields(bare_head, self.rule(archive))
        if not len(head_records):
            return head
        line_end = head_records.usual_end("\n").encode()
        if not self._head_is_header(archive):
            return mark + self._new_header_record(archive, places, line_end)
        is_cut = head_records.columns == len(self.names(archive))
        if len(head_records) > 1 or not is_cut:
            raise archive.reader.damaged("its head cannot be cut into columns")
        # blank lines before the header record stay
        begin_of_record = len(mark) + int(head_records.begin[0])
        selected = writing.selected(head_records, places, line_end)
        return head[:begin_of_record] + selected

    def _new_header_record(
        self,
        archive: Archive,
        places: Sequence[int],
        line_end: bytes,
    ) -> bytes:
        """Write a header record with the names of the columns at these places, from 0, where the
        head is more than a header record and cannot be cut; in UTF-8, or, where the head is not
        UTF-8, as encodings.unmended writes it. b"" if the table of the archive has no header.
        line_end: what the record ends with, in bytes."""
        format = self.format(archive)
        if not format.get("header", True):
            return b""
        names = self.names(archive)
        chosen = [names[place] for place in places]
        # without a line end, which follows below in the head's form
        record = writing.table([chosen], self.rule(archive), "")
        # a head that is not UTF-8 has single bytes of Windows-1252: so do the names then
        head = self._whole_head(archive)
        try:
            head.decode("utf-8", encodings.LONE)
        except UnicodeDecodeError:
            return encodings.unmended(record) + line_end
        return record.encode("utf-8", encodings.LONE) + line_end

    def frame(self, archive: Archive, first: int, last: int) -> pd.DataFrame:
        """Records first:last as a DataFrame, whose types pandas reads from the texts of all of
        them. ArchiveError for a damaged block, unless the archive is lenient, and for more bytes
        than it may restore; BundleError without a shared model that it needs."""
        head, *pieces = archive.within_output(self.utf8_pieces(archive, first, last), len)
        marks = {}
        if (first, last) != (0, archive.rows):
            marks = self.marks_of_rows(archive, b"".join(pieces), self.names(archive))
        return self.frame_of(archive, iter([head, *pieces]), marks)

    def marks_of_rows(
        self,
        archive: Archive,
        body: bytes,
        names: Sequence[str],
        every_record: Callable[[], Iterable[bytes]] | None = None,
    ) -> dict[str, str]:
        """The decimal marks, "." or ",", by name, of columns of which only other rows of the table
        show it, as MarksOfSlices finds them. body: the records of the rows, in UTF-8; names: of
        their columns. every_record: reads all records of the table; None: of this archive."""

        def of_archive() -> Iterator[bytes]:
            """Yield all records of the archive, cut to the columns `names`, without its head."""
            pieces = self.utf8_pieces(archive, 0, archive.rows, _as_wanted(names, archive, self))
            next(pieces)
            yield from pieces

        # two columns of one name cannot be told apart by it
        if len(set(names)) < len(names):
            return {}
        rule = self.rule(archive)
        return self._marks_of_slices.of(body, rule, names, every_record or of_archive)

    def frame_of_columns(
        self,
        archive: Archive,
        first: int,
        last: int,
        wanted: Sequence[str],
    ) -> pd.DataFrame:
        """Records first:last as a DataFrame of the columns `wanted`, by name, in this order.
        ParamError for a name that is not there, ArchiveError for a damaged block, unless the
        archive is lenient, and for more bytes than it may restore; BundleError without a shared
        model that it needs."""
        restored = self.utf8_pieces(archive, first, last, wanted)
        # the head is left out: the names of its columns are `wanted`
        _, *pieces = archive.within_output(restored, len)
        body = b"".join(pieces)
        format = {**self.format(archive), "header": False}
        marks = {}
        if (first, last) != (0, archive.rows):
            marks = self.marks_of_rows(archive, body, wanted)
        return writers.frame_of_text(body, format, list(wanted), marks)

    def frame_of(
        self,
        archive: Archive,
        text: Iterator[bytes],
        marks: Mapping[str, str],
    ) -> pd.DataFrame:
        """A DataFrame of a text, of all columns. text: its pieces in UTF-8, the first of them this
        table's head, which must be there. Where the head is not just a header record, columns have
        the archive's names, made different where they repeat. marks: by name the decimal marks of
        columns that the text itself does not show."""
        head, *pieces = text
        format = self.format(archive)
        names = self.names(archive)
        if self._head_is_header(archive):
            pieces.insert(0, head)
        else:
            format = {**format, "header": False}
            names = list(apart(names))
        whole_text = b"".join(pieces)
        return writers.frame_of_text(whole_text, format, names, marks)


def _as_wanted(
    names: Sequence[str],
    archive: Archive,
    content: TextTable,
) -> Sequence[str] | None:
    """None if `names` are those of all columns of the archive, as `content`, its content, has them,
    in their order; else `names`: what utf8_pieces takes as `wanted`."""
    return None if list(names) == content.names(archive) else names


def read_cell(cell: bytes) -> str:
    """The value of a cell without its quotes, as text to be shown: a doubled quote within quotes is
    one, bytes that are not UTF-8 become U+FFFD."""
    text = cell.decode("utf-8", "replace")
    # one quote alone is no pair
    if len(text) < 2:
        return text
    if not (text.startswith('"') and text.endswith('"')):
        return text
    # a quote within quotes is written twice
    return text[1:-1].replace('""', '"')


def _no_pieces() -> Iterator[bytes]:
    """Yield no pieces: stands for the source where another process encodes."""
    return iter(())


def _no_bytes() -> BinaryIO:
    """Open an empty stream: stands for the source where another process encodes."""
    return io.BytesIO()


def names_in_head(head: bytes, format: Mapping[str, Json]) -> list[str]:
    """The column names that the head's first record gives, read by an archive's format; [] if the
    format says that it is no header, or does not say whether it is. head: the bytes before the
    first record, in UTF-8; format: how the text is written, by the names of Dialect's fields."""
    if "header" not in format:
        return []
    # a format has other entries, too, which are no fields of a Dialect
    fields_of_dialect = {}
    for field in dataclasses.fields(Dialect):
        if field.name in format:
            fields_of_dialect[field.name] = format[field.name]
    return cutting.header_names(head, Dialect(**fields_of_dialect))


def cut_as(rows: Sequence[int], text: bytes, rule: Rule) -> list[bytes]:
    """Cut a text in UTF-8, whose records are cut by `rule`, into consecutive parts, part i of
    rows[i] records; [] if the text has another number of records in all. A single part is the text
    as it is: its records are not counted."""
    if len(rows) == 1:
        return [text]
    begin_of_records = begins(text, rule).tolist()
    # (parts + 1,): the number of the record with which each part begins, and that of all records
    edges = list(itertools.accumulate(rows, initial=0))
    if edges[-1] != len(begin_of_records):
        return []
    places = [*begin_of_records, len(text)]
    parts = []
    for first, last in itertools.pairwise(edges):
        part = text[places[first] : places[last]]
        parts.append(part)
    return parts
