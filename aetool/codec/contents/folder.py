"""A folder: names, permissions, and the pixels of plain pictures, or else the bytes of files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, ClassVar

from aetool.canonical import Json
from aetool.codec import folders
from aetool.codec.blocks import Block
from aetool.codec.contents.content import BLOCK_BYTES, BOUNDED, LOSSLESS, Content
from aetool.codec.contents.pixels import bound_of, is_primed, primed_words
from aetool.codec.folders import EXACT, LEVELLESS, MOST, Bounds, Picture
from aetool.codec.picture_models import PictureModel
from aetool.codec.planning import Effort, Hints
from aetool.codec.records import Encoded
from aetool.data import images, notices
from aetool.data.images import FolderSource, Pixels
from aetool.data.pictures import decoding
from aetool.errors import DataError

if TYPE_CHECKING:
    from aetool.codec.archive import Archive


USUAL = 0o755  # permission bits of a folder that has none of its own
FILES = "files"  # stored as they are, in a bounded archive
FEW = 3  # pictures that cannot be read are named


class Folder(Content):
    """The files of a folder. Plain pictures are stored by their pixels, those of one size, mode and
    format in blocks together; other files, and pictures of lossy formats, by their bytes. Pictures
    come first.

    folders: permission bits by path, of folders that are empty, or whose bits are not USUAL
    (0o755); "" is the folder itself; with a source they are read from that. source, effort (None:
    the default), keep_files (store all files by their bytes): only for writing. model: what a model
    has learned of pictures, None without; primed: whether the archive can only be read with it.
    bounds: how many levels off restored values of 8 and of 16 bits may be; with any above 0 the
    mode is BOUNDED.
    """

    name = "folder"
    kind = "folder"
    filtered: ClassVar[bool] = False

    def __init__(
        self,
        format: dict[str, Json],
        source: FolderSource | None = None,
        effort: Effort | None = None,
        keep_files: bool = False,
        folders: dict[str, int] | None = None,
        model: PictureModel | None = None,
        primed: bool = False,
        bounds: Bounds = EXACT,
    ) -> None:
        mode = LOSSLESS if bounds == EXACT else BOUNDED
        super().__init__(mode, format)
        self.bounds = bounds
        self.model = model
        self.primed = primed or model is not None
        self.folders = folders or {}
        if source is not None:
            self.folders = _folders_to_list(source)
        self.source = source
        self.effort = effort or Effort()
        self.keep_files = keep_files
        # how many files are stored exactly in spite of a bound, by what they are
        self._exact_counts: dict[str, int] = {}

    def header(self) -> dict[str, Json]:
        """The entries of the archive's header, by name: "content", "mode", "format", "folders" if
        permission bits must be told, and "primed" if it needs a model."""
        header = super().header()
        # only where there are some
        if self.folders:
            header["folders"] = self.folders
        return {**header, **primed_words(self.primed)}

    @classmethod
    def from_header(cls, header: dict[str, Json]) -> Folder:
        """The content of a header, for reading; ValueError, KeyError or TypeError if the header is
        none of a folder."""
        return cls(
            dict(header["format"]),
            folders=_folders_of(header),
            primed=is_primed(header),
        )

    @property
    def fidelity(self) -> str:
        """How exactly the source comes back: "bounded", "pixels", or "lossless", every byte.
        "lossless" only while writing, of a source that has no pictures or whose files are all kept
        as bytes: a content that was read from an archive does not know, and tells "pixels"."""
        if self.mode == BOUNDED:
            return self.mode
        if self.source is None:
            return "pixels"
        # where no file is stored by pixel, each comes back byte for byte
        if self.keep_files or not self.source.names:
            return super().fidelity
        return "pixels"

    @property
    def is_folder(self) -> bool:
        """Whether a folder of files is restored: True."""
        return True

    def items(self) -> Iterator[list[Picture]]:
        """Yield the files of the source, in order, in lists of at least one; those of a list have
        one key (of pictures format, mode, palette, channels and size) and go into one block; a list
        ends with the file that brings it to BLOCK_BYTES (2^23) or beyond. DataError for a file that
        cannot be read."""
        waiting: list[Picture] = []
        size = 0
        # a block holds pictures of one key, in the order of the names
        for picture in self._source_files():
            if waiting:
                # the next piece of a large file is a block of its own
                is_other = bool(picture.offset) or picture.key != waiting[0].key
                if is_other or size >= BLOCK_BYTES:
                    yield waiting
                    waiting = []
                    size = 0
            waiting.append(picture)
            size += picture.size
        if waiting:
            yield waiting

    def _source_files(self) -> Iterator[Picture]:
        """Yield every file of the source, each call anew: pictures, then the others, large ones in
        pieces. DataError for one that cannot be read."""
        # read anew by each call: once to encode, once to compare
        assert self.source is not None
        for name in self.source.names:
            path = self.source.path / name
            yield from folders.read(path, name, self.keep_files)
        for name in self.source.others:
            path = self.source.path / name
            yield from folders.read(path, name, keep=True)

    def encode(self, item: list[Picture], hints: Hints) -> list[Encoded]:
        """Encode an item, files of one key as `items` yields them, as one block: pictures by their
        pixels, other files by their bytes; pictures with a palette by pixels or as their files,
        which are read anew, whichever is smaller. hints: not used. DataError if a file cannot be
        read."""
        encoded = folders.encode(item, self.effort, self.model, self.bounds, self.filtered)
        # palettes take space of their own: small icons can be smaller as the files they are
        if item[0].palette is None:
            return [encoded]
        as_files = self._as_files(item)
        if as_files is None:
            return [encoded]
        is_smaller = len(as_files.payload) < len(encoded.payload)
        return [as_files if is_smaller else encoded]

    def _as_files(self, item: list[Picture]) -> Encoded | None:
        """The pictures of `item` as a block of the bytes of their files, read anew from the source;
        None if a file is so large that it takes several blocks. DataError if one cannot be read."""
        pieces: list[Picture] = []
        for picture in item:
            pieces += self._bytes_of_file(picture)
        if len(pieces) > len(item):
            return None
        return folders.encode(pieces, self.effort)

    def _bytes_of_file(self, picture: Picture) -> Iterator[Picture]:
        """Yield the bytes of a picture's file, read anew from the source, in pieces: one, unless it
        is large. DataError if it cannot be read."""
        path = self._path_of(picture)
        return folders.read(path, picture.name, keep=True)

    def _path_of(self, picture: Picture) -> Path:
        """The path of a picture's file in the source; only for writing."""
        assert self.source is not None
        return self.source.path / picture.name

    def size_of(self, item: list[Picture]) -> int:
        """How many bytes the files of an item take in the source: of pictures their files, of a
        piece of a file the piece. OSError if one is gone."""
        size = 0
        for picture in item:
            if picture.pixels is None:
                # a piece of a file, which may have more
                size += len(picture.raw)
            else:
                size += self._path_of(picture).stat().st_size
        return size

    def bytes_of(self, piece: list[Picture]) -> int:
        """How many bytes a piece, restored files, takes in memory: of pictures their pixels, of
        others their bytes."""
        return sum(picture.size for picture in piece)

    def compare(self, archive: Archive) -> None:
        """Read the source once more and raise ArchiveError unless every file comes back from the
        archive with its name and permissions, and its bytes, or its pixels within the bounds.
        DataError for a file that cannot be read."""
        restored = self.pictures(archive, 0, archive.rows)
        for picture in self._source_files():
            restored_picture = next(restored, None)
            expected = [picture]
            is_file = restored_picture is not None and restored_picture.pixels is None
            if is_file and picture.pixels is not None:
                # the archive has the picture as its file, in one piece or several: all are compared
                expected = list(self._bytes_of_file(picture))
            for piece in expected:
                bound = self.bounds.of(piece)
                if restored_picture is None or not piece.same(restored_picture, bound):
                    raise self.differs(f"{picture.name}:")
                if piece is not expected[-1]:
                    # the file's next piece; what follows its last one, the loop above takes
                    restored_picture = next(restored, None)
        if next(restored, None) is not None:
            raise self.differs("the number of files")

    def decode(
        self,
        archive: Archive,
        block: Block,
        inside: slice,
        wanted: Sequence[str] | None,
    ) -> list[Picture]:
        """The files of a block that `inside` slices, from 0; ArchiveError if it is damaged.
        archive, wanted: not used."""
        return folders.decode(block, block.rows)[inside]

    def pictures(self, archive: Archive, first: int, last: int) -> Iterator[Picture]:
        """Yield files first:last, counted from 0 in the order of the archive, where pictures come
        first; each piece of a large file counts as one. ArchiveError for a damaged block, whose
        files a lenient archive leaves out."""
        for files in archive.pieces(first, last):
            yield from files

    def restore(
        self,
        archive: Archive,
        file: BinaryIO,
        first: int,
        last: int,
        wanted: Sequence[str] | None = None,
    ) -> None:
        """Raise DataError, whatever the arguments, as no single file can hold a folder; it is
        restored file by file, from `pictures`."""
        raise DataError(f"{archive.reader.path}: holds a folder, which no single file can hold")

    def frame(self, archive: Archive, first: int, last: int) -> list[Pixels]:
        """The pictures among files first:last, each (channels, height, width), uint8 or, of 16
        bits, uint16, those kept as files decoded; of a file of several pictures all. Other files
        are left out in silence, pictures that cannot be read with a warning. ArchiveError for a
        damaged block, unless the archive is lenient."""
        pictures: list[Pixels] = []
        unreadable: list[str] = []
        # large files come in pieces, which are put together
        for picture in folders.joined(self.pictures(archive, first, last)):
            # None for a file stored as bytes
            if picture.in_true_colours is not None:
                pictures.append(picture.in_true_colours)
            elif images.is_named_as_picture(picture.name):
                # kept as the bytes of its file, and a picture all the same
                try:
                    pictures.extend(decoding.pixels_of_bytes(picture.raw))
                except decoding.UnreadableError as fault:
                    unreadable.append(f"{picture.name}: {fault}")
        if unreadable:
            count = len(unreadable)
            listed = "; ".join(unreadable[:FEW])
            more = " ..." if count > FEW else ""
            notices.warn(f"{archive.reader.path}: left out, {count} unread: {listed}{more}")
        return pictures


class BoundedFolder(Folder):
    """A folder, as Folder stores it, but for the levels of pictures, which are restored within a
    bound that the header names."""

    version = 2

    def header(self) -> dict[str, Json]:
        """The entries of the archive's header, by name: those of Folder, and "bounds", [levels of
        8-bit values, of 16-bit ones]."""
        header = super().header()
        header["bounds"] = [self.bounds.shallow, self.bounds.deep]
        return header

    @classmethod
    def from_header(cls, header: dict[str, Json]) -> BoundedFolder:
        """The content of a header, for reading; ValueError, KeyError or TypeError if the header is
        none of a folder within bounds. The bound of 8-bit values may be 0, that of 16-bit ones
        not."""
        shallow, deep = header["bounds"]
        # 0 is exact: a bound of one level in 65,536 is less than one in 256
        if shallow:
            shallow = bound_of(shallow)
        bounds = Bounds(shallow, bound_of(deep))
        return cls(
            dict(header["format"]),
            folders=_folders_of(header),
            primed=is_primed(header),
            bounds=bounds,
        )

    def facts_of(self, item: list[Picture]) -> dict[str, Json]:
        """Count the files that are stored exactly in spite of the bound, as they have no levels
        (steps of a pixel value): {"stored_exactly": {what: count}} of all items up to this one, {}
        if there are none. what: "files" (stored as bytes), "of two colours" or "with a palette". To
        be called once for each item, in order."""
        first = item[0]
        kind = LEVELLESS.get(first.mode)
        if first.pixels is None:
            kind = FILES
        # a large file comes in several pieces
        if kind is not None and not first.offset:
            before = self._exact_counts.get(kind, 0)
            self._exact_counts[kind] = before + len(item)
        if not self._exact_counts:
            return {}
        return {"stored_exactly": dict(self._exact_counts)}


class FilteredFolder(BoundedFolder):
    """A folder within bounds, as BoundedFolder stores it, whose pictures pass a filter once they
    are decoded, which makes most errors smaller. Values are stored within half of the bounds, and
    the filter may move each by as much again, so that the bounds hold."""

    version = 3
    filtered = True


def _folders_of(header: dict[str, Json]) -> dict[str, int]:
    """The permission bits of folders by path that a header says; {} if it says none, ValueError for
    bits below 0 or above MOST (0o7777), ValueError, TypeError or AttributeError for anything
    else."""
    folders = {}
    for path, bits in header.get("folders", {}).items():
        mode = int(bits)
        if not 0 <= mode <= MOST:
            raise ValueError("the permissions of a folder")
        folders[str(path)] = mode
    return folders


def _folders_to_list(source: FolderSource) -> dict[str, int]:
    """Which folders of the source an archive must list: permission bits by path, from the folder
    that is archived, of folders that have other bits than USUAL (0o755) or are empty (hold neither
    a file nor a folder)."""
    inside = [*source.names, *source.others, *source.folders]
    # all others are made anyway when what is in them is restored
    not_empty = {path.rpartition("/")[0] for path in inside}
    folders = {}
    for path, mode in source.folders.items():
        if mode != USUAL or path not in not_empty:
            folders[path] = mode
    return folders
