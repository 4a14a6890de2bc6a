"""An index: a table whose records lie in other archives beside it, its parts."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from aetool.canonical import Json
from aetool.codec.blocks import Block
from aetool.codec.contents.content import LOSSLESS, ByteContent, Content, Piece
from aetool.codec.contents.text import TextTable
from aetool.codec.limits import MAX_ALL_ROWS
from aetool.csv import encodings
from aetool.errors import ArchiveError, DataError
from aetool.model import Float, Int

if TYPE_CHECKING:
    import pandas as pd

    from aetool.codec.archive import Archive
    from aetool.data.table import Mask

Pieces: TypeAlias = Iterator[Piece]
Read: TypeAlias = "Callable[[Archive, int, int], Pieces]"
OF_VALUES = ("parquet", "arrow")  # formats of which values come back, not bytes
SEALED = 16  # bytes of the digest by which a part is known
TABLE, FOLDER = "table", "folder"  # what all parts together are
LONGEST_END = 4  # bytes of a line end, in any encoding


@dataclass(frozen=True)
class Part:
    """An archive that an index lists. file: its path, from the folder of the index; name: of the
    file it restores, a path from the restored folder; rows: how many records it holds; size: bytes
    of the archive's own file, not of what it restores; ending: the digest of its last bytes."""

    file: str
    name: str
    rows: int
    size: int
    ending: bytes

    def to_json(self) -> list[Json]:
        """The part as a list for the header of an index: [file, name, rows, size, ending in
        hexadecimal]."""
        counts = [self.rows, self.size]
        return [self.file, self.name, *counts, self.ending.hex()]

    @classmethod
    def from_json(cls, listed: Sequence[Json]) -> Part:
        """The part of `listed`, a list that `to_json` wrote; ValueError or TypeError for any other,
        also for a path that leaves the index's folder, counts below 0 or of 2^62 or more, and a
        digest of other than SEALED (16) bytes."""
        file, name, rows, size, ending = listed
        part = cls(
            str(file),
            str(name),
            rows,
            size,
            bytes.fromhex(ending),
        )
        for path in (part.file, part.name):
            if not is_inside(path):
                raise ValueError(f"the part {path!r} leaves the folder of the index")
        for count in (rows, size):
            # True is an int, too
            if type(count) is not int or not 0 <= count < MAX_ALL_ROWS:
                raise ValueError("the size of a part")
        if len(part.ending) != SEALED:
            raise ValueError("the digest of a part")
        return part


def is_inside(path: str) -> bool:
    """Whether a path with / between names cannot lead out of the folder that it begins in, on any
    system. False for an empty or absolute path, and for one with .. or a \\, : or NUL in it."""
    pure_path = PurePosixPath(path)
    # what Windows takes for a folder or a drive is refused everywhere, so that an index that is
    # read on one system is read on all
    has_odd_signs = any(sign in path for sign in ("\\", ":", "\0"))
    leads_out = pure_path.is_absolute() or ".." in pure_path.parts
    return bool(pure_path.name) and not leads_out and not has_odd_signs


def _refuse_repeated_paths(paths: Sequence[str]) -> None:
    """Raise ValueError for the first of the paths that is there twice, as the file of one would
    take the other's place."""
    listed: set[str] = set()
    for path in paths:
        if path in listed:
            raise ValueError(f"the part {path!r} is there twice")
        listed.add(path)


class Parts(Content):
    """An index: the parts of a table, in the order of their records. It has no blocks of its own.

    format: what the header says of all parts alike, such as the kind of file. whole: TABLE, if the
    parts are shards of one file, or FOLDER, if each part is a file of its own, all with the same
    columns (JSON lines with any keys). ValueError for another `whole`, for no parts, for two with
    one file, and in a FOLDER for two with one name.
    """

    name = "parts"

    def __init__(self, format: dict[str, Json], whole: str, parts: Sequence[Part]) -> None:
        super().__init__(LOSSLESS, format)
        if whole not in (TABLE, FOLDER) or not parts:
            raise ValueError("an index of nothing")
        _refuse_repeated_paths([part.file for part in parts])
        # shards restore one file together, others a file each
        if whole == FOLDER:
            _refuse_repeated_paths([part.name for part in parts])
        self.whole, self.parts = whole, list(parts)
        # of the first part, read when it is first asked for
        self._lead: Content | None = None

    def header(self) -> dict[str, Json]:
        """The entries of the archive's header, by name: "content", "mode", "format", "whole", TABLE
        or FOLDER, and "parts", a list for each."""
        listed = [part.to_json() for part in self.parts]
        return {
            **super().header(),
            "whole": self.whole,
            "parts": listed,
        }

    @classmethod
    def from_header(cls, header: dict[str, Json]) -> Parts:
        """The content, an index, that an archive's header describes; ValueError, KeyError or
        TypeError if it is none, or a part of it leads out of its folder."""
        parts = [Part.from_json(listed) for listed in header["parts"]]
        format = dict(header["format"])
        return cls(format, str(header["whole"]), parts)

    @property
    def fidelity(self) -> str:
        """How exactly the source comes back: "values" for Parquet and Arrow, else "lossless"."""
        if self._format.get("format") in OF_VALUES:
            return "values"
        return LOSSLESS

    @property
    def is_folder(self) -> bool:
        """Whether each part is restored as a file of its own."""
        return self.whole == FOLDER

    @property
    def rows(self) -> int:
        """How many records all parts have together."""
        return sum(part.rows for part in self.parts)

    @property
    def size(self) -> int:
        """Bytes of the files of all parts' archives together, as they lie beside the index (so
        compressed; the index itself does not count)."""
        return sum(part.size for part in self.parts)

    @property
    def first_rows(self) -> list[int]:
        """The number of the first record of each part, counted through all, from 0; and at the end
        how many records there are."""
        counts = [part.rows for part in self.parts]
        return list(itertools.accumulate(counts, initial=0))

    def number_at(self, row: int) -> int:
        """The number, from 0, of the part that has record `row`, counted from 0 through all parts;
        row must be 0 or more and below `rows`, which is not checked."""
        return bisect.bisect_right(self.first_rows, row) - 1

    # ---- reading: what all parts have in common, the first one tells

    def lead(self, archive: Archive) -> Content:
        """The content of the first part, from which all parts' common format is read; its file,
        beside that of `archive`, the index, is opened once. In a lenient reading, which passes over
        damaged parts, of the first part that can be opened. ArchiveError or DataError if none
        can."""
        if self._lead is None:
            with self._open_first_part(archive) as first_part:
                self._lead = first_part.content
        return self._lead

    def _open_first_part(self, archive: Archive) -> Archive:
        """Open the first part of `archive`, the index; the caller closes it; if the reading is
        lenient, the first that can be opened. ArchiveError or DataError if that fails (if lenient:
        of the last part)."""
        for number in range(len(self.parts) - 1):
            try:
                return archive.part(number)
            except (ArchiveError, DataError):
                if not archive.lenient:
                    raise
        return archive.part(len(self.parts) - 1)

    def names(self, archive: Archive) -> list[str]:
        """The names of the columns as the first part has them (all parts have the same, but for
        JSON lines, of which these are keys of the first record); if lenient, as the first that can
        be opened has them. archive: the index. ArchiveError or DataError if none can, and errors of
        that part."""
        with self._open_first_part(archive) as first_part:
            # kept, so that `owners` and `records_of` know it too
            self._lead = self._lead or first_part.content
            return first_part.content.names(first_part)

    def owners(self, block: Block) -> list[int] | None:
        """For each column of a block of a part the position, among `names`, of the name that its
        bytes are counted for, as the first part's content tells; None until `lead` has read
        that."""
        if self._lead is None:
            return None
        return self._lead.owners(block)

    def records_of(self, block: Block) -> Mask | None:
        """Tell which rows of a block of a part are records, as the first part's content does:
        (rows,) bool; None where all are, and until `lead` has read that content."""
        if self._lead is None:
            return None
        return self._lead.records_of(block)

    def rows_told(self, archive: Archive) -> str:
        """A message for the user where the rows of the parts are no records, as the content of the
        first part words it: what they are, and how to get records; "" where they are records.
        archive: the index. Errors are those of `lead`."""
        return self.lead(archive).rows_told(archive)

    def bytes_of(self, piece: Piece) -> int:
        """How many bytes a restored piece takes in memory: of text, bytes, its length, of anything
        else its `nbytes`."""
        if isinstance(piece, bytes):
            return len(piece)
        return int(piece.nbytes)

    def pieces(
        self,
        archive: Archive,
        first: int,
        last: int,
        wanted: Sequence[str] | None = None,
    ) -> Iterator[Piece]:
        """Yield records first:last of all parts of `archive`, the index, counted through, as one
        file has them: pieces of text joined, with one header record; batches one part after the
        other. ParamError for a wanted name that is not there; ArchiveError or DataError for a part
        that cannot be opened or is damaged, which a lenient reading passes over."""
        if wanted is not None:
            self.places(archive, wanted)

        def pieces_of_part(part: Archive, begin: int, end: int) -> Iterator[Piece]:
            """The pieces of records begin:end, counted from 0 in the part, with the wanted
            columns."""
            return part.pieces(begin, end, wanted)

        of_each_part = self._pieces_of_each_part(archive, first, last, pieces_of_part)
        lead = self.lead(archive)
        # of text a line end may be missing between two parts; batches need none
        if isinstance(lead, ByteContent):
            # lines of JSON, whose format does not say it, are UTF-8
            encoding = str(lead.format().get("encoding", encodings.UTF8))
            yield from joined(of_each_part, encoding)
        else:
            yield from itertools.chain.from_iterable(of_each_part)

    def _pieces_of_each_part(
        self, archive: Archive, first: int, last: int, read: Read
    ) -> Iterator[Pieces]:
        """Read records first .. last - 1 of `archive`, the index, counted through all parts from 0,
        part after part; yield for each part an iterator of the pieces of its file, to be used up
        before the next is asked for. In a lenient reading a part that cannot be read is passed
        over. The header record, with the names of the columns, comes from the first part alone.
        read(part, first, last): the pieces of a part's own records first .. last - 1."""
        is_first = True
        for opened in archive.parts(first, last):
            own_pieces = read(opened.archive, opened.inside.start, opened.inside.stop)
            # the same pieces; None, in a lenient reading, where only the digest of the part's whole
            # could tell which are right, and does not match
            pieces = opened.sound_items(archive, own_pieces)
            if pieces is None:
                continue
            if not is_first and opened.archive.content.opens_with_head:
                # the header record is that of the first part
                next(pieces)
            is_first = False
            yield pieces

    def checked(self, archive: Archive) -> Iterator[Piece]:
        """Restore every part of `archive`, the index, and yield its pieces, one part after the
        other, not joined; damage raises ArchiveError, and so do more bytes of all parts together
        than the index may restore."""

        def pieces() -> Iterator[Piece]:
            """Yield the pieces of each part, as it checks itself."""
            for opened in archive.parts(0, archive.rows):
                part = opened.archive
                with part.errors_as_damage():
                    yield from part.content.checked(part)

        yield from archive.within_output(pieces(), self.bytes_of)

    def restore(
        self,
        archive: Archive,
        file: BinaryIO,
        first: int,
        last: int,
        wanted: Sequence[str] | None = None,
    ) -> None:
        """Write records first:last of all parts of `archive`, the index, counted through, to `file`
        as one file of their kind. wanted: names of columns, None: all; ParamError for one that is
        not there, ArchiveError or DataError for a part that cannot be opened or is damaged, which a
        lenient reading passes over."""
        # the first part's content writes the file, from the records of `archive`, the index
        self.lead(archive).restore(archive, file, first, last, wanted)

    def cells(self, archive: Archive, block: Block, rows: Int) -> list[list[str]]:
        """For each column the cells of these records, as text to be shown, read from the part of
        `archive`, the index, that the block is of: block.first counts through all parts. rows:
        (n,), numbers of rows within the block, from 0. ArchiveError or DataError for a part that
        cannot be opened, ArchiveError for a damaged block."""
        with archive.part(self.number_at(block.first)) as part:
            return part.content.cells(part, block, rows)

    def numbers(self, archive: Archive, block: Block) -> list[Float | None]:
        """For each column the numbers that its cells are, (rows,), NaN for what is none, or None
        for a column without numbers, read from the part of `archive`, the index, that the block is
        of. ArchiveError or DataError for a part that cannot be opened, ArchiveError for a damaged
        block."""
        with archive.part(self.number_at(block.first)) as part:
            return part.content.numbers(part, block)

    def frame(self, archive: Archive, first: int, last: int) -> pd.DataFrame:
        """Records first:last of all parts of `archive`, the index, counted through, as one
        DataFrame; of text the types of columns are told by all these records together. ArchiveError
        or DataError for a part that cannot be opened or is damaged, which a lenient reading passes
        over."""
        lead = self.lead(archive)
        if not isinstance(lead, TextTable):
            frame: pd.DataFrame = lead.frame(archive, first, last)
            return frame

        def text_of_part(part: Archive, begin: int, end: int) -> Iterator[bytes]:
            """The pieces of records begin:end, counted from 0 in the part, its head first, in
            UTF-8."""
            assert isinstance(part.content, TextTable)
            return part.content.utf8_pieces(part, begin, end)

        def text_of_all(begin: int, end: int) -> Iterator[bytes]:
            """The pieces of records begin:end, counted through all parts, one head first."""
            of_each_part = self._pieces_of_each_part(archive, begin, end, text_of_part)
            return joined(of_each_part, encodings.UTF8)

        def every_record() -> Iterator[bytes]:
            """The pieces of all records of all parts, without a head."""
            pieces = text_of_all(0, archive.rows)
            next(pieces)
            return pieces

        # types are read from the whole text: a column may be of whole numbers in one part alone; of
        # the whole index: each part counts its own bytes alone
        head, *pieces = archive.within_output(text_of_all(first, last), len)
        marks = {}
        if (first, last) != (0, archive.rows):
            names = lead.names(archive)
            marks = lead.marks_of_rows(archive, b"".join(pieces), names, every_record)
        return lead.frame_of(archive, iter([head, *pieces]), marks)


def joined(texts: Iterable[Iterator[bytes]], encoding: str) -> Iterator[bytes]:
    """Yield the pieces of several texts, as bytes in an encoding, one behind the other; a line end,
    \\n in that encoding, is added where a text that does not end with \\n or \\r is followed by
    another. encoding: of all of them, as encodings.original knows it."""
    line_ends = tuple(encodings.original(sign, encoding) for sign in (b"\n", b"\r"))
    last_bytes = b""
    for text in texts:
        # the last record of a file may lack its line end
        record_is_open = bool(last_bytes) and not last_bytes.endswith(line_ends)
        for piece in text:
            if piece and record_is_open:
                yield line_ends[0]
                record_is_open = False
            yield piece
            last_bytes = piece[-LONGEST_END:] or last_bytes
