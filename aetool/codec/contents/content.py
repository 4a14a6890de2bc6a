"""The interface of every kind of content: how it is described in a header, cut into blocks,
restored and compared with its source.

An archive holds one content. Made from a source it knows how to write itself (`items`, `encode`)
and how to be compared with what came back (`compare`); made from a header it knows how to be read
(`decode`, `restore`). Nothing else in the program asks which kind it is.
"""

from __future__ import annotations

import copy
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

from aetool.canonical import Json
from aetool.codec.blocks import Block
from aetool.codec.ledger import Costs, Ledger
from aetool.codec.planning import Hints
from aetool.codec.records import Encoded
from aetool.data.located import BytesAt, FileAt, Located
from aetool.errors import ArchiveError, DataError, ParamError
from aetool.model import Float, Int
from aetool.spelling import option, there_are

if TYPE_CHECKING:
    from aetool.codec.archive import Archive, Decoder
    from aetool.data.table import Mask

Piece = Any  # what one block restores: bytes of text, columns, pixels, files
LOSSLESS, BOUNDED, LOSSY = "lossless", "bounded", "lossy"
HOLDINGS = {  # by kind
    "image": "pictures",
    "folder": "a folder",
    "array": "arrays",
    "bytes": "a file's bytes",
}
OF_SOURCE = ("stream", "source", "origin")  # attributes by which a content reads its source
BLOCK_BYTES = 8 << 20  # of bytes, or of pictures, in one block


class Content:
    """What an archive holds; a subclass for each kind says how it is described, cut into blocks,
    restored and compared.

    name, version: what the header calls it; an archive of another pair is refused. kind: what the
    records are: "table", "array", "image", "folder" or "bytes". mode: LOSSLESS, BOUNDED or LOSSY;
    ValueError for another. format: how the source was written, as `format` returns it.
    hashes_bytes: whether the digest of the whole is that of the restored bytes; else it is that of
    all blocks' digests. can_be_sharded: whether items may be written to archives of their own.
    opens_with_head: whether the first restored piece is what comes before the records.

    paths: files of the source, see `watch`. A content without a source only reads: what encodes or
    compares must not be called.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    kind: str = "table"
    hashes_bytes: ClassVar[bool] = False
    can_be_sharded: ClassVar[bool] = False
    opens_with_head: ClassVar[bool] = False

    def __init__(self, mode: str, format: dict[str, Json]) -> None:
        if mode not in (LOSSLESS, BOUNDED, LOSSY):
            raise ValueError(f"an unknown mode, {mode!r}")
        self.mode = mode
        self._format = format
        self.paths: Sequence[Path] = ()
        self._stamps: list[Stamp] = []

    # ---- travelling

    def to_encode(self) -> Content:
        """A copy without the source, which can be pickled: for another process that encodes items.
        It cannot read or compare the source."""
        without_source = copy.copy(self)
        # an open file cannot be pickled, and nobody there reads it
        for name in OF_SOURCE:
            if hasattr(without_source, name):
                setattr(without_source, name, None)
        without_source.paths = ()
        without_source._stamps = []
        return without_source

    # ---- the header

    def header(self) -> dict[str, Json]:
        """The entries of the archive's header, by name, from which `from_header` makes the content
        again: "content", [name, version], "mode" and "format", to which subclasses add theirs."""
        # a reader that does not know this pair refuses the archive
        return {"content": [self.name, self.version], "mode": self.mode, "format": self._format}

    @classmethod
    def from_header(cls, header: dict[str, Json]) -> Content:
        """The content of an archive's header, for reading: it has no source. ValueError, KeyError
        or TypeError if the header is none of this kind. Subclasses define it; here
        NotImplementedError."""
        raise NotImplementedError

    @property
    def fidelity(self) -> str:
        """How exactly the source comes back, in a word or a few: such as lossless (every byte),
        values, pixels or bounded. By default the mode: lossless, bounded or lossy."""
        return self.mode

    def records_of(self, block: Block) -> Mask | None:
        """Tell which rows of a decoded block are records: (rows,) bool, or None where all are. By
        default None."""
        return None

    def rows_told(self, archive: Archive) -> str:
        """A message for the user where the archive's rows are no records, such as lines of text
        that are no JSON objects: what the rows are, and how to get an archive that has records; ""
        where they are records. By default "". archive: the one that is read."""
        return ""

    def kept_whole(self, archive: Archive) -> str:
        """A message for the user where the source comes back only as a whole, without rows or
        columns of its own: why, and what can be done; "" where parts can be restored. By default
        "". archive: the one that is read."""
        return ""

    @property
    def is_folder(self) -> bool:
        """Whether a folder of files is restored, not one file. By default False."""
        return False

    def format(self, archive: Archive | None = None) -> dict[str, Json]:
        """How the source was written: under "format" its kind of file ("csv", "npy" ...), and by
        other keys what else its writer needs to know; not a copy, and so not to be changed.
        archive: the one that is read; not used by default, but by a content whose archive leaves a
        part of the format to a shared model."""
        return self._format

    def owners(self, block: Block) -> list[int] | None:
        """For each column of a block the position, among `names`, of the name that its bytes are
        counted for; None if a block's columns belong to no names. By default None."""
        return None

    def sections(self) -> Mapping[str, bytes]:
        """The sections to be written before the blocks, as bytes by name; {} if there are none. By
        default {}."""
        return {}

    # ---- a source to blocks

    def watch(self, paths: Sequence[Path]) -> None:
        """Remember `paths`, the source's files, and their sizes and times as they are now, for
        `changed` to compare with; an earlier call is forgotten."""
        self.paths = paths
        self._stamps = [Stamp.of(path) for path in paths]

    def changed(self) -> Path | None:
        """Find out whether the source was written to since `watch`: the first of its files with
        another size or time, or None."""
        for path, before in zip(self.paths, self._stamps, strict=True):
            if Stamp.of(path) != before:
                return path
        return None

    @property
    def opening(self) -> bytes:
        """The bytes of the source before its first item, in the source's encoding; b"" if there are
        none. By default b""."""
        return b""

    def items(self) -> Iterator[Piece]:
        """Read the source and yield it in pieces, in order, each of which becomes one block or a
        few. Each call begins anew. Errors are those of the source, DataError where it cannot be
        read. Subclasses define it; here NotImplementedError."""
        raise NotImplementedError

    def located_items(self) -> Iterator[tuple[Piece, Located | None]]:
        """Yield each item of `items` with the place from which another process can read it, or with
        None if only this process can. By default None with each."""
        for item in self.items():
            yield item, None

    def encode(self, item: Piece, hints: Hints) -> list[Encoded]:
        """Encode an item that `items` yielded as blocks, in order: one, or a few. hints: what
        worked for the block before, tried first; blocks.NO_HINTS for the first. Subclasses define
        it; here NotImplementedError."""
        raise NotImplementedError

    def size_of(self, item: Piece) -> int:
        """How many bytes of the source an item stands for (of typed columns in memory: as Arrow or
        numpy hold them). By default len(item)."""
        return len(item)

    def bytes_of(self, piece: Piece) -> int:
        """How many bytes a restored piece takes in memory. By default len(piece)."""
        return len(piece)

    def digested_as_read(self, item: Piece) -> bytes:
        """The bytes that are added to the digest of the whole when an item is read; b"" if they
        come only from its blocks. By default b"". To be called once for each item, in order."""
        return b""

    def digested_as_written(self, encoded: list[Encoded]) -> bytes:
        """The bytes that are added to the digest of the whole when an item's blocks are written;
        b"" if they came from the item. By default the 8-byte digests of their contents, joined.
        encoded: the blocks, as `encode` returned them. To be called once for each item, in
        order."""
        return b"".join(block.content for block in encoded)

    @property
    def bounded(self) -> Sequence[str]:
        """The labels of the columns whose numbers may differ from the source's, by at most their
        bounds. By default none."""
        return ()

    def facts_of(self, item: Piece) -> dict[str, Json]:
        """What the archive's footer says of the source's items up to this one, as a dictionary. By
        default {}. To be called once for each item, in order; the result for the last item is
        stored."""
        return {}

    @property
    def checks_items(self) -> bool:
        """Whether the archive may be compared item by item: by `check_item` for each, `check_kind`
        and `check_written`, instead of by `compare`. By default False."""
        return False

    def check_item(self, item: Piece, encoded: list[Encoded], decoder: Decoder) -> None:
        """Raise ArchiveError unless an item's encoded blocks decode to the item, or to numbers
        within their bounds. decoder: decodes as a reader of the archive will. Only if
        `checks_items`. Subclasses define it; here NotImplementedError."""
        raise NotImplementedError

    def check_kind(self) -> None:
        """Raise ArchiveError unless the kind of file that is restored can hold what the source
        holds: the source's own records, written as such a file, must read as the source does. By
        default nothing is compared."""

    def check_written(self, archive: Archive) -> None:
        """Raise ArchiveError unless every block of the finished archive has its digest and the
        header is this content's; OSError if the archive cannot be read."""
        for number in range(len(archive.reader.blocks)):
            archive.reader.block(number)
        if archive.content.header() != self.header():
            raise self.differs("the header")

    def compare(self, archive: Archive) -> None:
        """Read the source once more and raise ArchiveError where the finished archive restores
        something else, compared in the source's own types; DataError where the source cannot be
        read. Subclasses define it; here NotImplementedError."""
        raise NotImplementedError

    def compare_items(self, archive: Archive, items: Iterator[Piece]) -> None:
        """Raise ArchiveError unless a shard, an archive of some items of the source alone, restores
        them. items: these items, in order. Subclasses define it; here NotImplementedError."""
        raise NotImplementedError

    def differs(self, what: str) -> ArchiveError:
        """Return, not raise, the ArchiveError for a part that would not be restored. what: the
        part, in words, such as "the header"."""
        return ArchiveError(f"{what} would not be restored as the source has it")

    # ---- blocks to records

    def names(self, archive: Archive) -> list[str]:
        """The names of the columns, or of what else a block's bytes are counted for. By default the
        kind of the records alone. A content whose header does not say them reads them from the
        archive, or from a model, with their errors."""
        return [self.kind]

    def places(self, archive: Archive, wanted: Sequence[str]) -> list[int]:
        """Look up columns by name: the places, from 0, of the columns of these names, in the order
        of wanted. ParamError for a name that is not there, or a content of another kind than
        "table"; errors of `names`. archive: the one that is read, whose name messages have."""
        if self.kind != "table":
            raise ParamError(
                f"{archive.reader.path}: {option('--columns')} is for tables, and this holds "
                f"{HOLDINGS[self.kind]}; leave it out"
            )
        return places_in(self.names(archive), wanted)

    def decode(
        self,
        archive: Archive,
        block: Block,
        inside: slice,
        wanted: Sequence[str] | None,
    ) -> Piece:
        """The records of a decoded block that `inside` slices, counted from the block's first, 0,
        as a piece: bytes of text, columns, pixels or files. archive: of which the block is; wanted:
        the names of the columns; None: all. ArchiveError for a block that is not what the header
        promises. Subclasses define it; here NotImplementedError."""
        raise NotImplementedError

    def pieces(
        self,
        archive: Archive,
        first: int,
        last: int,
        wanted: Sequence[str] | None = None,
    ) -> Iterator[Piece]:
        """Yield records first:last, counted from 0, a piece for each block. wanted: the names of
        the columns; None: all. ArchiveError for a damaged block, which a lenient archive leaves
        out."""
        for block, inside in archive.blocks(first, last):
            yield self.decode(archive, block, inside, wanted)

    def costs(self, archive: Archive, block: Block, ledger: Ledger) -> Costs:
        """The bits that each record of a block of the archive takes, column by column, by the
        ledger that the block's decoding filled. What blobs of the block take is moved in the
        ledger, in place, to the cells that they are of: to be called once for each decoding.
        DataError for a content whose bits cannot be told by record, which is the default, and
        ArchiveError for a block that is damaged."""
        raise DataError(
            f"{archive.reader.path}: holds {self.holding}, and what a record costs is told of "
            "tables that are stored column by column; decompress it, and detect in what is restored"
        )

    @property
    def holding(self) -> str:
        """Words for a message on what the archive holds, such as "pictures" or "a folder"; not
        asked of tables that are stored by columns."""
        return HOLDINGS.get(self.kind, "the code of a model")

    def is_like(self, other: Content) -> bool:
        """Whether the records of an archive of the content `other` may follow this one's in one
        table. By default False."""
        return False

    def cells(self, archive: Archive, block: Block, rows: Int) -> list[list[str]]:
        """For each column of `costs` the cells of these records, as text to be shown. archive: of
        which the block is; rows: (n,), numbers of records within the block, from 0. ArchiveError
        for a block that is not what the header promises. Subclasses define it; here
        NotImplementedError."""
        raise NotImplementedError

    def numbers(self, archive: Archive, block: Block) -> list[Float | None]:
        """For each column of `costs` the numbers that its cells are, (rows,), of all rows of the
        block, with NaN for a gap and for what is no number; None for a column that has none.
        archive: of which the block is. ArchiveError for a block that is not what the header
        promises. Subclasses define it; here NotImplementedError."""
        raise NotImplementedError

    def checked(self, archive: Archive) -> Iterator[Piece]:
        """Restore everything and yield it piece by piece without writing it to a file, so that
        damage raises ArchiveError; of a lenient archive damaged blocks are left out instead."""
        yield from archive.pieces(0, archive.rows)

    def restore(
        self,
        archive: Archive,
        file: BinaryIO,
        first: int,
        last: int,
        wanted: Sequence[str] | None = None,
    ) -> None:
        """Write records first:last to `file`, open for writing bytes, as a file of the source's
        kind; it is not closed. wanted: the names of the columns; None: all. ParamError for a name
        that is not there, DataError where no file can hold what is asked for; ArchiveError for a
        damaged block, whose records a lenient archive leaves out; BundleError where a model is
        needed and not there. Subclasses define it; here NotImplementedError."""
        raise NotImplementedError

    def frame(self, archive: Archive, first: int, last: int) -> Piece:
        """Records first:last in memory: a table as a DataFrame; pictures as (n, channels, height,
        width) uint8, those of a folder as a list of (channels, height, width), uint8 or uint16;
        arrays as a DataFrame, an array, or arrays by name. ArchiveError for a damaged block, whose
        records a lenient archive leaves out; BundleError where a model is needed and not there.
        DataError for a content that has no such form, which is the default."""
        raise DataError(
            f"{archive.reader.path}: holds a file's bytes; decompress it, then read the file"
        )

    def frame_of_columns(
        self,
        archive: Archive,
        first: int,
        last: int,
        wanted: Sequence[str],
    ) -> Piece:
        """The columns of the names `wanted` of records first:last, in this order, as `frame` has
        all of them, which by default is made first; errors are those of `frame`, and ParamError for
        a name that is not there, or a content without columns."""
        places = self.places(archive, wanted)
        every = self.frame(archive, first, last)
        if isinstance(every, Mapping):
            return {name: every[name] for name in wanted}
        # by name where places do not fit: an index of pandas is a column of the archive, and not of
        # the DataFrame
        if every.shape[1] != len(self.names(archive)):
            return every[list(wanted)]
        return every.iloc[:, places]


class ByteContent(Content):
    """A content that restores its source byte for byte (but for numbers within a bound, if its mode
    is BOUNDED), piece by piece.

    stream: opens the source's bytes, to be read; None where they are not at hand, as where an
    archive is read. file: where other processes can read the same bytes; None if they cannot. part:
    what error messages call a piece that differs.
    """

    hashes_bytes = True
    part: ClassVar[str] = "a byte"

    def __init__(
        self,
        mode: str,
        format: dict[str, Json],
        stream: Callable[[], BinaryIO] | None = None,
    ) -> None:
        super().__init__(mode, format)
        self.stream = stream
        self.file: FileAt | None = None

    def opened(self) -> BinaryIO:
        """Open the source's bytes, to be read from the first on; the caller closes them. Only with
        a `stream`."""
        assert self.stream is not None
        return self.stream()

    def located_items(self) -> Iterator[tuple[bytes, Located | None]]:
        """Yield each item with its place in the source's file, from which other processes can read
        it, or with None if `file` is None."""
        place = len(self.opening)
        for item in self.items():
            if self.file is None:
                yield item, None
            else:
                yield item, BytesAt.of(self.file, place, item)
            place += len(item)

    def digested_as_read(self, item: bytes) -> bytes:
        """The bytes that an item adds to the digest of the whole: the item itself, as the digest is
        that of the source's bytes."""
        return item

    def digested_as_written(self, encoded: list[Encoded]) -> bytes:
        """b"", whatever was encoded: written blocks add nothing to the digest of the whole, which
        is taken of items as they are read."""
        return b""

    @property
    def checks_items(self) -> bool:
        """True, for all contents of bytes: they can be compared item by item, see
        Content.checks_items."""
        return True

    def check_item(self, item: bytes, encoded: list[Encoded], decoder: Decoder) -> None:
        """Raise ArchiveError unless an item's encoded blocks decode, one behind the other, to its
        bytes. decoder: decodes as a reader will."""
        restored = b"".join(self.text_of(decoder.again(block)) for block in encoded)
        if restored != item:
            raise self.differs(self.part)

    def text_of(self, block: Block) -> bytes:
        """The bytes that a decoded block restores, in the form that items have. ArchiveError if it
        is damaged. Subclasses define it; here NotImplementedError."""
        raise NotImplementedError

    def compare(self, archive: Archive) -> None:
        """Read the source once more and raise ArchiveError at the first byte that the archive
        restores otherwise, also where the source has changed; DataError where it cannot be read."""
        with self.opened() as stream:
            for piece in archive.pieces(0, archive.rows):
                if read_exactly(stream, len(piece)) != piece:
                    raise self.differs(self.part)
            self.compare_end(stream)

    def compare_items(self, archive: Archive, items: Iterator[bytes]) -> None:
        """Raise ArchiveError unless `archive`, a shard made of these items alone, restores the
        source's opening and behind it the bytes of the items, no more and no fewer."""
        expected = itertools.chain([self.opening], map(self.bytes_to_restore, items))
        # bytes of the source that no piece was compared with yet
        unmatched = b""
        for piece in archive.pieces(0, archive.rows):
            # items and pieces may be cut in other places
            while len(unmatched) < len(piece):
                more = next(expected, None)
                if more is None:
                    break
                unmatched += more
            if not unmatched.startswith(piece):
                raise self.differs(self.part)
            unmatched = unmatched[len(piece) :]
        if unmatched or any(expected):
            raise self.differs("the end of the file")

    def bytes_to_restore(self, item: bytes) -> bytes:
        """The bytes of the source that an item comes from, in the source's encoding; the item
        itself, unless a subclass reads items in another encoding."""
        return item

    def compare_end(self, stream: BinaryIO) -> None:
        """Raise ArchiveError if the stream, from where it stands, has any bytes left."""
        if stream.read(1):
            raise self.differs("the end of the file")

    def restore(
        self,
        archive: Archive,
        file: BinaryIO,
        first: int,
        last: int,
        wanted: Sequence[str] | None = None,
    ) -> None:
        """Write records first:last to `file`, byte for byte, block by block. wanted: names of the
        columns, None: all; ParamError for a name that is not there, or a content without columns;
        ArchiveError for a damaged block, unless the archive is lenient, when part of the file may
        be written already."""
        for piece in archive.pieces(first, last, wanted):
            file.write(piece)


@dataclass(frozen=True)
class Stamp:
    """A file's size and time of last change in nanoseconds, by which a later change is noticed."""

    size: int
    changed: int

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """The stamp of the file at `path`; (-1, -1), which no file has, if the file is gone."""
        try:
            status = os.stat(path)  # noqa: PTH116 - a path may be a handle's
        except OSError:
            return cls(-1, -1)
        return cls(status.st_size, status.st_mtime_ns)


def places_in(names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """The place, from 0, of each wanted name among the names, the first of equal ones; ParamError
    for one that is not there."""
    for name in wanted:
        if name not in names:
            guess = there_are(name, names)
            raise ParamError(f"{option('--columns')}: no column '{name}'{guess}")
    return [names.index(name) for name in wanted]


def cut(items: Iterable[Piece], first: int, last: int) -> Iterator[tuple[Piece, slice]]:
    """Yield those items that hold some of the rows first .. last - 1, each with the slice of its
    rows that are among these, counted from 0 in the item. items: of successive rows, from row 0 on;
    len() of each is how many rows it has. If first = last, inside of an item, that item comes with
    an empty slice."""
    begin = 0
    for item in items:
        end = begin + len(item)
        if begin < last and end > first:
            yield item, slice(max(first - begin, 0), min(last, end) - begin)
        begin = end


def read_exactly(stream: BinaryIO, size: int) -> bytes:
    """Read the next `size` bytes of a stream; fewer only where it ends, b"" at its end."""
    data = stream.read(size)
    while len(data) < size:
        more = stream.read(size - len(data))
        if not more:
            break
        data += more
    return data
