"""A small file that has types of its own, squeezed as it is, where its columns take more bytes.

Headers and footers of Parquet, Arrow and numpy are most of a file of a few rows, and general
compressors repeat them for little. All of it is decoded for `--rows` and `--columns`, and read as
the file it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from aetool import files
from aetool.canonical import Json
from aetool.codec import blocks, plain, stages
from aetool.codec.blocks import Block
from aetool.codec.columns import bytes_column
from aetool.codec.contents.arrays import ArrayContent
from aetool.codec.contents.arrow import ArrowContent
from aetool.codec.contents.content import Piece, places_in, read_exactly
from aetool.codec.contents.kept import KeptBytes
from aetool.codec.contents.pixels import PixelArray, pixels_of
from aetool.codec.planning import Effort, Hints
from aetool.codec.records import Encoded
from aetool.data import array_files, arrow_files
from aetool.data.arrow_files import UnsuitedError

if TYPE_CHECKING:
    from aetool.codec.archive import Archive

LARGEST = 4 << 20  # bytes of a file
TINY = 16 << 10  # bytes of a file on which no time is saved
MOST_ROWS = 1 << 20
PROMISE = 1.5  # times what the columns take: a file that is larger by a quick look is not squeezed
ARRAYS, TABLES = ("npy", "npz"), (arrow_files.PARQUET, arrow_files.ARROW)  # formats
InTypes = ArrowContent | ArrayContent | PixelArray


class TypedFile(KeptBytes):
    """A small file of arrays or a table, stored as compressed bytes in one block; its rows and
    columns can be asked for all the same. format: "format" is the kind of file, of ARRAYS or
    TABLES; stream (opens the file) and effort (how far to search, None: the default): only for
    writing. squeezed, rows: its compressed bytes and number of rows, only for writing, set by
    `is_smaller`."""

    def __init__(
        self,
        format: dict[str, Json],
        stream: Callable[[], BinaryIO] | None = None,
        effort: Effort | None = None,
    ) -> None:
        super().__init__(format, stream, effort)
        self.kind = "array" if format["format"] in ARRAYS else "table"
        self.squeezed = b""
        self.rows = 0

    @classmethod
    def from_header(cls, header: dict[str, Json]) -> KeptBytes:
        """Make the content that a header describes, for reading: a TypedFile if its format is one
        of ARRAYS or TABLES (npy, npz, Parquet, Arrow), else a KeptBytes, which has neither rows nor
        columns. KeyError, TypeError or ValueError if the header has no format."""
        format = dict(header["format"])
        # of other formats, such as a file that could not be read, only the bytes are known
        has_types = format["format"] in (*ARRAYS, *TABLES)
        return cls(format) if has_types else KeptBytes(format)

    @property
    def holding(self) -> str:
        """Words for a message on what the archive holds: a small file, squeezed as it is."""
        return "a small file, squeezed as it is"

    def kept_whole(self, archive: Archive) -> str:
        """A message for the user, as of any kept file, where a table in memory was stored that has
        types that archives do not hold; "" for a file that was only smaller so, whose rows and
        columns can be asked for. ArchiveError for a damaged block, unless the archive is
        lenient."""
        # such a table counts as one record a block, and a small file in one block has its own rows
        if archive.rows != len(archive.places):
            return ""
        return super().kept_whole(archive) if self._reason_against_columns(archive) else ""

    # ---- writing

    def is_smaller(self, most: int, rows: int) -> bool:
        """Compress the file's bytes as they are, and return whether they take fewer than `most`
        bytes so. What `encode` needs is kept: `squeezed`, b"" where they do not, and `rows`. rows:
        how many the file has.

        False, without a thorough try and with nothing kept, for an empty file, for one of more than
        LARGEST (2^22) bytes or MOST_ROWS (2^20) rows, and where a quick look, LZMA2, takes more
        than PROMISE (1.5) times `most` bytes.
        """
        with self.opened() as stream:
            raw = read_exactly(stream, LARGEST + 1)
        if not 0 < len(raw) <= LARGEST or rows > MOST_ROWS:
            return False
        # a thorough search saves too little to get from far above `most` to below it
        quick_size = len(stages.named("lzma2").squeeze(raw, quick=True))
        if quick_size > PROMISE * most:
            return False
        # of a tiny file a thorough search takes no time
        is_quick = self.effort.quick and len(raw) > TINY
        squeezed = plain.packed(raw, most, is_quick, binary=True, look=quick_size)
        self.squeezed = squeezed or b""
        self.rows = rows
        return squeezed is not None

    def items(self) -> Iterator[bytes]:
        """Yield the source in one item: all bytes of its file."""
        with self.opened() as stream:
            yield stream.read()

    def encode(self, item: bytes, hints: Hints) -> list[Encoded]:
        """The one block: the bytes that `is_smaller` squeezed, which must have been called, and
        returned True. item, hints: not used."""
        coded = [bytes_column(self.squeezed)]
        content, payload, after = blocks.encode(coded, self.rows, {}, self.effort)
        return [Encoded(self.rows, content, payload, after)]

    # ---- reading

    def names(self, archive: Archive) -> list[str]:
        """The only name for which bytes are counted, ["the whole file"], whatever the archive."""
        return ["the whole file"]

    def owners(self, block: Block) -> list[int]:
        """For each column of a block the place of its name among `names`: [0], as there is one of
        each."""
        return [0]

    def pieces(
        self,
        archive: Archive,
        first: int,
        last: int,
        wanted: Sequence[str] | None = None,
    ) -> Iterator[bytes]:
        """Yield the bytes of the whole file, in one piece; first, last and wanted are not used.
        ArchiveError for a damaged block; of a lenient archive there is then no piece."""
        yield from super().pieces(archive, 0, archive.rows)

    def restore(
        self,
        archive: Archive,
        file: BinaryIO,
        first: int,
        last: int,
        wanted: Sequence[str] | None = None,
    ) -> None:
        """Write the file's very bytes, or, if first:last are not all rows, or names of columns are
        wanted, a new file of the same format with these rows and columns. ParamError for columns of
        arrays, or that are not there; DataError if the file cannot be read by rows, ArchiveError if
        its block is damaged."""
        # all of it: the very bytes of the file
        if (first, last) == (0, archive.rows) and wanted is None:
            super().restore(archive, file, first, last)
            return
        if wanted is not None and self.kind != "table":
            self.places(archive, wanted)  # raises ParamError: arrays have no columns to choose
        # a part of it is written anew, as a file of the same format
        with self._opened_in_own_types(archive) as content:
            if content is None:
                raise self.without_rows(archive)
            content.restore_own(file, first, last, wanted)

    def frame(self, archive: Archive, first: int, last: int) -> Piece:
        """Rows first:last in memory: a table as a DataFrame, pictures as (n, channels, height,
        width) uint8, arrays as a DataFrame, an array, or arrays by name. If the file has types that
        none of these hold, an Arrow file is a DataFrame all the same, and any other raises
        DataError. ArchiveError for a damaged block, unless the archive is lenient."""
        with self._opened_in_own_types(archive) as content:
            if content is None:
                return super().frame(archive, first, last)
            return content.frame_own(first, last)

    def places(self, archive: Archive, wanted: Sequence[str]) -> list[int]:
        """The places, from 0, of wanted columns among those of the table that the file in the
        archive holds, in the order of wanted. ParamError for a name that is not there, or a file of
        arrays; DataError if the file has no rows that can be asked for, ArchiveError if its block
        is damaged."""
        if self.kind != "table":
            # raises ParamError: arrays have no columns to choose
            return super().places(archive, wanted)
        no_rows = self.frame(archive, 0, 0)
        return places_in(_names_of(no_rows), wanted)

    def frame_of_columns(
        self,
        archive: Archive,
        first: int,
        last: int,
        wanted: Sequence[str],
    ) -> Piece:
        """The columns of the names `wanted` of records first:last, in this order, of the table that
        the file in the archive holds; errors are those of `frame` and `places`."""
        if self.kind != "table":
            # raises ParamError: arrays have no columns to choose
            self.places(archive, wanted)
        # the file is restored once
        every = self.frame(archive, first, last)
        places = places_in(_names_of(every), wanted)
        return every.iloc[:, places]

    @contextmanager
    def _opened_in_own_types(self, archive: Archive) -> Iterator[InTypes | None]:
        """Context manager: restore the stored file to a scratch file, which is gone at the end, and
        yield it opened as a table, arrays or pixels; None if it has a type that these cannot hold,
        or another number of rows than the archive. ArchiveError for damaged blocks, OSError where a
        table cannot be opened at all."""
        with files.scratch() as spool:
            for piece in archive.pieces(0, archive.rows):
                spool.write(piece)
            spool.flush()
            try:
                content = content_of(files.path_of(spool), str(archive.reader.path), self._format)
            except UnsuitedError:
                yield None
                return
            yield content if content.rows_own() == archive.rows else None


def _names_of(frame: Piece) -> list[str]:
    """The names of the columns of `frame`, a DataFrame, as texts."""
    return [str(name) for name in frame.columns]


def content_of(path: Path, name: str, format: dict[str, Json]) -> InTypes:
    """Open the file at `path`, of arrays or a Parquet or Arrow table, as a content of its own
    types. name: the file's, for messages; format: what the archive says of it, which goes before
    what the file says. Raises UnsuitedError where the file cannot be read, or has a type that
    tables or arrays cannot hold; OSError where a table cannot be opened at all."""
    if format["format"] in ARRAYS:
        arrays = array_files.open_arrays(path, name)
        pixels = pixels_of(arrays)
        if pixels is not None:
            return PixelArray({**pixels.format, **format}, pixels.shape, pixels)
        return ArrayContent.of_source(arrays, {**arrays.format, **format}, Effort(), None)
    table = arrow_files.open_table(path, name)
    return ArrowContent.of_source(table, {**table.format, **format}, Effort(), None)
