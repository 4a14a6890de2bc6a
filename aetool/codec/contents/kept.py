"""The bytes of a file, whatever it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO

from aetool import files
from aetool.canonical import Json
from aetool.codec import blobs, blocks, plain
from aetool.codec.blocks import Block
from aetool.codec.columns import bytes_column
from aetool.codec.contents.content import (
    BLOCK_BYTES,
    LOSSLESS,
    ByteContent,
    read_exactly,
)
from aetool.codec.ledger import Costs, Ledger
from aetool.codec.natives import schemas
from aetool.codec.planning import Effort, Hints
from aetool.codec.records import Encoded
from aetool.data import arrow_files
from aetool.errors import DataError, ParamError
from aetool.spelling import option

if TYPE_CHECKING:
    from aetool.codec.archive import Archive


class KeptBytes(ByteContent):
    """A file stored as its bytes, without records. format: how an archive's header describes it;
    "format" is the kind of file. stream: opens the bytes; effort: how far to search for a small
    encoding, None: the default; both only for writing."""

    name = "bytes"
    kind = "bytes"
    part = "a byte of the file"

    def __init__(
        self,
        format: dict[str, Json],
        stream: Callable[[], BinaryIO] | None = None,
        effort: Effort | None = None,
    ) -> None:
        super().__init__(LOSSLESS, format, stream)
        self.effort = effort or Effort()

    @classmethod
    def from_header(cls, header: dict[str, Json]) -> KeptBytes:
        """The content of a header, for reading; KeyError, TypeError or ValueError without a
        format."""
        return cls(dict(header["format"]))

    @property
    def fidelity(self) -> str:
        """How exactly the source comes back: "bytes (kept file)", every byte comes back, though not
        as records."""
        return "bytes (kept file)"

    def items(self) -> Iterator[bytes]:
        """Yield the file in pieces of BLOCK_BYTES (2^23), the last one mostly shorter; nothing of
        an empty file."""
        with self.opened() as stream:
            while data := read_exactly(stream, BLOCK_BYTES):
                yield data

    def encode(self, item: bytes, hints: Hints) -> list[Encoded]:
        """Encode an item, a piece of the file, as one block, which counts as one record. hints: not
        used."""
        # where none of the stages that promise most makes it smaller, the usual ones pack it, or it
        # is stored as it is
        squeezed = plain.packed(item, len(item), self.effort.quick) or blobs.pack(item)
        # a block of bytes counts as one record
        coded = [bytes_column(squeezed)]
        content, payload, after = blocks.encode(coded, 1, {}, self.effort)
        return [Encoded(1, content, payload, after)]

    def decode(
        self,
        archive: Archive,
        block: Block,
        inside: slice,
        wanted: Sequence[str] | None,
    ) -> bytes:
        """All bytes of a block; archive, inside and wanted are not used, as a piece of a file has
        no records."""
        return self.text_of(block)

    def text_of(self, block: Block) -> bytes:
        """The piece of the file that a decoded block restores; ArchiveError if it is damaged."""
        return blobs.unpack(block.columns[0].blobs[0])

    def pieces(
        self,
        archive: Archive,
        first: int,
        last: int,
        wanted: Sequence[str] | None = None,
    ) -> Iterator[bytes]:
        """Yield the bytes of the file, block by block. ParamError if columns are wanted; DataError
        unless first and last mean all rows; ArchiveError for a damaged block, unless the archive is
        lenient."""
        if wanted is not None:
            self.places(archive, wanted)
        if (first, last) != (0, archive.rows):
            raise self.without_rows(archive)
        yield from super().pieces(archive, first, last)

    def without_rows(self, archive: Archive) -> DataError:
        """Return, not raise, the error for asking for rows or columns of a file stored as its
        bytes: the archive's name, and `kept_whole`, whose errors it may raise."""
        return DataError(f"{archive.reader.path}: {self.kept_whole(archive)}")

    def kept_whole(self, archive: Archive) -> str:
        """A message for the user: that the file was stored byte for byte, why, if it is a table
        with columns that archives cannot hold, and what works. ArchiveError for a damaged block,
        unless the archive is lenient."""
        return (
            f"{self._what_is_kept(archive)}: {option('--rows')} and {option('--columns')} cannot "
            "take parts of it; decompress restores the whole file"
        )

    def _what_is_kept(self, archive: Archive) -> str:
        """Words for a message: that a file is kept byte for byte, and why, if it is a table with
        columns that archives cannot hold. ArchiveError for a damaged block, unless the archive is
        lenient."""
        reason = self._reason_against_columns(archive)
        because = f", as {reason}" if reason else ""
        return f"holds a file kept byte for byte{because}"

    def places(self, archive: Archive, wanted: Sequence[str]) -> list[int]:
        """Raise ParamError, whatever is wanted: a file that is kept as its bytes has no columns to
        look up. Only of a TypedFile, whose kind is another, look up the wanted names as
        Content.places does."""
        if self.kind != self.name:
            return super().places(archive, wanted)
        raise ParamError(f"{archive.reader.path}: {self.kept_whole(archive)}")

    def _reason_against_columns(self, archive: Archive) -> str:
        """Why the file could not be stored by column, if it is Parquet or Arrow: which of its
        columns have types that archives do not hold; "" for any other file, and where that cannot
        be told. ArchiveError for a damaged block, unless the archive is lenient."""
        with files.scratch() as spool:
            for block, _ in archive.blocks(0, archive.rows):
                piece = self.text_of(block)
                # the first bytes tell the kind of file: of another nothing more is decoded
                if not spool.tell() and not arrow_files.kind_of(piece[: arrow_files.HEAD]):
                    return ""
                spool.write(piece)
            spool.flush()
            # of a damaged archive, or a file that is no table, nothing is there to be told
            try:
                table = arrow_files.open_table(files.path_of(spool), str(archive.reader.path))
            except DataError:
                return ""
            return schemas.reason_against(table.schema) or ""

    def costs(self, archive: Archive, block: Block, ledger: Ledger) -> Costs:
        """Raise DataError, whatever the block and ledger: of a file that is stored as its bytes no
        record's bits can be told. The archive's name is in the message. ArchiveError for a damaged
        block, unless the archive is lenient."""
        if not self.kept_whole(archive):
            return super().costs(archive, block, ledger)
        raise DataError(
            f"{archive.reader.path}: {self._what_is_kept(archive)}, and what a record costs is "
            "told of tables that are stored column by column; decompress it, and detect in what is "
            "restored"
        )

    def frame(self, archive: Archive, first: int, last: int) -> Json:
        """The table of a kept Arrow file as a DataFrame, its rows first:last, for which all of it
        is read; DataError for any other file, which has no such form, ArchiveError for a damaged
        block, unless the archive is lenient."""
        if self._format.get("format") != arrow_files.ARROW:
            reason = self._reason_against_columns(archive)
            because = f" as it is, since {reason}" if reason else "'s bytes"
            raise DataError(
                f"{archive.reader.path}: holds a file{because}; decompress it, then read the file"
            )
        # so is a table in memory kept whose types no other content holds
        frame = arrow_files.frame_of_file(b"".join(archive.pieces(0, archive.rows)))
        if (first, last) == (0, archive.rows):
            return frame
        return frame.iloc[first:last]
