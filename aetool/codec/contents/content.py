"""What every kind of content can do: say itself in a header, become blocks, come back, be compared.

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
from aetool.model import Int
from aetool.spelling import option

if TYPE_CHECKING:
    from aetool.codec.archive import Archive, Decoder

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
    """What an archive holds, one class for each kind: how it is described, cut into blocks,
    restored and compared.

    name, version: what the header calls it; a reader refuses what is not in its registry. kind: of
    records: "table", "array", "image", "folder" or "bytes". mode: LOSSLESS, BOUNDED or LOSSY.
    format: how the source was written, with at least its "format". hashes_bytes: whether the digest
    of the whole is that of the restored bytes; else it is that of the digests of all blocks.
    is_folder: whether it restores a folder. can_be_sharded: whether archives of its items can be
    written apart; opens_with_head: whether the first piece of what is restored is no records.
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
        """A copy without the source, which another process needs to encode items sent to it."""
        alone = copy.copy(self)
        # an open file cannot be pickled, and nobody there reads it
        for name in OF_SOURCE:
            if hasattr(alone, name):
                setattr(alone, name, None)
        alone.paths = ()
        alone._stamps = []
        return alone

    # ---- the header

    def header(self) -> dict[str, Json]:
        """The entries of the archive's header that a reader needs to restore the content."""
        # a reader that does not know this pair refuses the archive
        return {"content": [self.name, self.version], "mode": self.mode, "format": self._format}

    @classmethod
    def from_header(cls, header: dict[str, Json]) -> Content:
        """The content of a header; ValueError, KeyError or TypeError if it is not one."""
        raise NotImplementedError

    @property
    def fidelity(self) -> str:
        """What is restored: lossless (every byte), values, pixels, bounded or lossy."""
        return self.mode

    @property
    def is_folder(self) -> bool:
        """Whether a folder is restored, not a file."""
        return False

    def format(self, archive: Archive | None = None) -> dict[str, Json]:
        """How the source was written, as the archive's header keeps it."""
        return self._format

    def owners(self, block: Block) -> list[int] | None:
        """The place, among names, of what each column of a block belongs to; None where a block
        has not its columns."""
        return None

    def sections(self) -> Mapping[str, bytes]:
        """Sections of an archive to be written ahead of its blocks, by name."""
        return {}

    # ---- a source to blocks

    def watch(self, paths: Sequence[Path]) -> None:
        """Note size and time of the source's files, so that a later change can be detected."""
        self.paths = paths
        self._stamps = [Stamp.of(path) for path in paths]

    def changed(self) -> Path | None:
        """The first of the source's files that changed since `watch`, or None."""
        for path, before in zip(self.paths, self._stamps, strict=True):
            if Stamp.of(path) != before:
                return path
        return None

    @property
    def opening(self) -> bytes:
        """Bytes of the source before its first item."""
        return b""

    def items(self) -> Iterator[Piece]:
        """The source in pieces, each a block or a few."""
        raise NotImplementedError

    def located_items(self) -> Iterator[tuple[Piece, Located | None]]:
        """As `items`, each with the place where workers can read it, or None."""
        for item in self.items():
            yield item, None

    def encode(self, item: Piece, hints: Hints) -> list[Encoded]:
        """The blocks of an item."""
        raise NotImplementedError

    def size_of(self, item: Piece) -> int:
        """Bytes of the source that an item stands for; for tables in memory, its number
        of records."""
        return len(item)

    def bytes_of(self, piece: Piece) -> int:
        """Bytes of a restored piece, as it is in memory."""
        return len(piece)

    def digested_as_read(self, item: Piece) -> bytes:
        """The bytes that an item adds to the archive's digest when it is read; called in order."""
        return b""

    def digested_as_written(self, encoded: list[Encoded]) -> bytes:
        """The bytes that an item's blocks add to the archive's digest when they are written; called
        in order."""
        return b"".join(block.content for block in encoded)

    @property
    def bounded(self) -> Sequence[str]:
        """Labels of the columns whose numbers may be moved, by at most a bound."""
        return ()

    def facts_of(self, item: Piece) -> dict[str, Json]:
        """What the footer will say if this is the last item; called for each item in order."""
        return {}

    @property
    def checks_items(self) -> bool:
        """Whether `check_item`, of every item, with `check_kind` and `check_written` tells what
        `compare` does."""
        return False

    def check_item(self, item: Piece, encoded: list[Encoded], decoder: Decoder) -> None:
        """ArchiveError unless these blocks decode to the item. decoder: as a reader of the archive
        would have it."""
        raise NotImplementedError

    def check_kind(self) -> None:
        """ArchiveError unless a file of the source's kind, written of what the source has, is read
        as the source is."""

    def check_written(self, archive: Archive) -> None:
        """ArchiveError unless a finished archive holds the blocks that were given to it, and reads
        them as they were checked."""
        for number in range(len(archive.reader.blocks)):
            archive.reader.block(number)
        if archive.content.header() != self.header():
            raise self.differs("the header")

    def compare(self, archive: Archive) -> None:
        """Reads the source again, beside what a finished archive restores.

        Raises ArchiveError where they differ, in the source's own types.
        """
        raise NotImplementedError

    def compare_items(self, archive: Archive, items: Iterator[Piece]) -> None:
        """Compare an archive of some items alone, as a shard is, with them, byte by byte."""
        raise NotImplementedError

    def differs(self, what: str) -> ArchiveError:
        """The error that says that an archive does not restore its source."""
        return ArchiveError(f"{what} would not be restored as the source has it")

    # ---- blocks to records

    def names(self, archive: Archive) -> list[str]:
        """The columns' names, or what else a block is made of."""
        return [self.kind]

    def places(self, archive: Archive, wanted: Sequence[str]) -> list[int]:
        """Where the columns called so are; ParamError for one that is not there."""
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
        """The records `inside` of a block, of the columns wanted (None: all)."""
        raise NotImplementedError

    def pieces(
        self,
        archive: Archive,
        first: int,
        last: int,
        wanted: Sequence[str] | None = None,
    ) -> Iterator[Piece]:
        """Records first:last, block by block."""
        for block, inside in archive.blocks(first, last):
            yield self.decode(archive, block, inside, wanted)

    def costs(self, archive: Archive, block: Block, ledger: Ledger) -> Costs:
        """What each record of a block costs, column by column, by the ledger that its decoding
        filled. DataError for a content whose bits are not those of single records."""
        raise DataError(
            f"{archive.reader.path}: holds {self.holding}, and what a record costs is told of "
            "tables that are stored column by column; decompress it, and detect in what is restored"
        )

    @property
    def holding(self) -> str:
        """What the archive holds, in words, if that is no table stored by columns."""
        return HOLDINGS.get(self.kind, "the code of a model")

    def is_like(self, other: Content) -> bool:
        """Whether records of another archive may follow those of this one, as one table."""
        return False

    def cells(self, archive: Archive, block: Block, rows: Int) -> list[list[str]]:
        """For each column of `costs` the cells of these records of a block, (n,) from 0, as people
        read them."""
        raise NotImplementedError

    def checked(self, archive: Archive) -> Iterator[Piece]:
        """Restore everything as `restore` would, without writing it, to find damage."""
        yield from archive.pieces(0, archive.rows)

    def restore(
        self,
        archive: Archive,
        file: BinaryIO,
        first: int,
        last: int,
        wanted: Sequence[str] | None = None,
    ) -> None:
        """Writes records first:last as the source's kind of file."""
        raise NotImplementedError

    def frame(self, archive: Archive, first: int, last: int) -> Piece:
        """Records first:last as a DataFrame, or pictures (n, C, H, W) uint8."""
        raise DataError(
            f"{archive.reader.path}: holds a file's bytes; decompress it, then read the file"
        )


class ByteContent(Content):
    """A content that restores the bytes of its source, piece by piece.

    stream: opens the source's bytes, to write it; file: where others read the same bytes, if they
    can; part: what a message calls what differs.
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
        """The source's bytes, from the first."""
        assert self.stream is not None
        return self.stream()

    def located_items(self) -> Iterator[tuple[bytes, Located | None]]:
        place = len(self.opening)
        for item in self.items():
            if self.file is None:
                yield item, None
            else:
                yield item, BytesAt.of(self.file, place, item)
            place += len(item)

    def digested_as_read(self, item: bytes) -> bytes:
        return item

    def digested_as_written(self, encoded: list[Encoded]) -> bytes:
        return b""

    @property
    def checks_items(self) -> bool:
        return True

    def check_item(self, item: bytes, encoded: list[Encoded], decoder: Decoder) -> None:
        found = b"".join(self.text_of(decoder.again(block)) for block in encoded)
        if found != item:
            raise self.differs(self.part)

    def text_of(self, block: Block) -> bytes:
        """All bytes that a block restores, in the form of an item."""
        raise NotImplementedError

    def compare(self, archive: Archive) -> None:
        """Byte by byte. Bytes that differ are those of a source that changed, even where nothing
        else tells that it did."""
        with self.opened() as stream:
            for piece in archive.pieces(0, archive.rows):
                if read_exactly(stream, len(piece)) != piece:
                    raise self.differs(self.part)
            self.compare_end(stream)

    def compare_items(self, archive: Archive, items: Iterator[bytes]) -> None:
        expected = itertools.chain([self.opening], map(self.bytes_to_restore, items))
        left = b""
        for piece in archive.pieces(0, archive.rows):
            while len(left) < len(piece):
                more = next(expected, None)
                if more is None:
                    break
                left += more
            if not left.startswith(piece):
                raise self.differs(self.part)
            left = left[len(piece) :]
        if left or any(expected):
            raise self.differs("the end of the file")

    def bytes_to_restore(self, item: bytes) -> bytes:
        """The bytes of the source that an item stands for."""
        return item

    def compare_end(self, stream: BinaryIO) -> None:
        """ArchiveError if the source has more bytes than what was restored."""
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
        for piece in archive.pieces(first, last, wanted):
            file.write(piece)


@dataclass(frozen=True)
class Stamp:
    """A file's size and time of last change, to tell whether it was written to."""

    size: int
    changed: int

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """The stamp of a file; of one that is gone, one that no file has."""
        try:
            status = os.stat(path)  # noqa: PTH116 - a path may be a handle's
        except OSError:
            return cls(-1, -1)
        return cls(status.st_size, status.st_mtime_ns)


def places_in(names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Where the wanted names are among the names; ParamError for one that is not there."""
    for name in wanted:
        if name not in names:
            raise ParamError(
                f"{option('--columns')}: no column '{name}'; there are {', '.join(names)}"
            )
    return [names.index(name) for name in wanted]


def cut(items: Iterable[Piece], first: int, last: int) -> Iterator[tuple[Piece, slice]]:
    """The items of a source that rows first:last lie in, with the rows within each."""
    begin = 0
    for item in items:
        end = begin + len(item)
        if begin < last and end > first:
            yield item, slice(max(first - begin, 0), min(last, end) - begin)
        begin = end


def read_exactly(stream: BinaryIO, size: int) -> bytes:
    """The next `size` bytes of a stream; fewer at its end."""
    data = stream.read(size)
    while len(data) < size:
        more = stream.read(size - len(data))
        if not more:
            break
        data += more
    return data
