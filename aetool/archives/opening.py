"""How `compress` opens a path or data in memory: in the source's own types where these can be
stored, else as bytes.

Detection reads numbers and categories; an archive must restore every type: it opens what has types
of its own here, and takes detection's sources for the rest.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import BinaryIO

import numpy as np

from aetool import files
from aetool.data import array_files, arrow_files, images, memory, numpy_files, sources, streams
from aetool.data.array_files import ArrayFile
from aetool.data.arrow_files import ArrowTable, UnsuitedError
from aetool.data.arrow_source import ArrowFileSource, ArrowMemorySource, CopiedTable
from aetool.data.chains import ChainSource
from aetool.data.pictures.framed import FramedSource
from aetool.data.readers import PluginPictures
from aetool.errors import DataError
from aetool.files.spools import kept

OWN = (b"\x89AEZ", b"PK\x03\x04")
# why a picture by itself is kept as its file
ONE_PICTURE = "one picture: those of a folder are stored by pixel, so put it into one"


class FileBytes:
    """A file to be stored byte for byte, or, with path None, a table in memory as the bytes of an
    Arrow file, `content`. name: of the file, for messages; reason: why it is not stored in its own
    types; "" where that was asked for. place: keeps a spooled copy for as long as it is in use."""

    def __init__(self, name: str, path: Path | None, content: bytes, reason: str) -> None:
        self.name = name
        self.path = path
        self.content = content
        self.reason = reason
        suffix = Path(name).suffix if path is not None else ".arrow"
        kind = "bytes" if path is not None else arrow_files.ARROW
        self.format: arrow_files.Format = {"format": kind, "suffix": suffix}
        self.place: files.Place | None = None

    def stream(self) -> BinaryIO:
        """Open the bytes to be stored, from the first on; the caller closes them: of a compressed
        file the uncompressed ones, if it can be uncompressed to its end. OSError if the file cannot
        be opened."""
        if self.path is None:
            return io.BytesIO(self.content)
        if self.is_raw:
            return self.path.open("rb")
        return streams.open_stream(self.path)

    @property
    def is_raw(self) -> bool:
        """Whether the file is a compressed one that cannot be uncompressed to its end, and so is
        stored compressed; False of a table in memory. Each asking reads all of it."""
        if self.path is None:
            return False
        try:
            with streams.open_stream(self.path) as inside:
                while inside.read(1 << 20):
                    pass
        except DataError:
            return True
        return False


Opened = sources.Source | ArrowTable | ArrayFile | FileBytes


def opened(data: object, keep_files: bool = False) -> Opened:
    """Open data as an archive stores them: in their own types where possible, else as bytes.
    keep_files: a file as its bytes in any case; folders, data in memory and tables of databases are
    opened all the same.

    DataError where there is nothing to open, for aetool's own files, which are not archived, and
    for several files, which could not be restored as one thing.
    """
    # what can be read only once, such as an open file, becomes a copy
    data = memory.begun(data)
    if memory.is_several(data):
        raise DataError("an archive is of one file, folder or table; give these one by one")
    path_or_memory = memory.held(data)
    if isinstance(path_or_memory, str | os.PathLike):
        # of a database's table there is no file that it could be restored as
        if sources.inside_of(path_or_memory) is not None:
            return of_source(sources.open_source(path_or_memory))
        places = sources.places_of(path_or_memory)
        if len(places) > 1:
            raise DataError(
                f"{os.fspath(path_or_memory)}: {len(places)} files; an archive is of one file or "
                "folder"
            )
        return _of_place(places[0], keep_files)
    if isinstance(path_or_memory, files.Place):
        return _of_place(path_or_memory, keep_files)
    if isinstance(path_or_memory, CopiedTable):
        return of_source(path_or_memory)
    return in_memory(path_or_memory)


def _of_place(place: files.Place, keep_files: bool) -> Opened:
    """Open what lies at a place as it is to be archived: a folder as pictures, whatever keep_files
    says; a file of a known type, or a table in text; or, if it is none of these or with keep_files,
    the bytes of the file, with the reason why it is no more than bytes ("" with keep_files).
    DataError for aetool's own files, NoRoomError where no temporary file can be written."""
    if place.path.is_dir():
        return images.FolderSource(place.path, place.name)
    try:
        if keep_files:
            raise UnsuitedError("")
        # types of its own first: a table in text is the last guess
        source: Opened = natively(place.path, place.name) or sources.open_place(place)
    # a full disk is no reason to keep the file as bytes
    except files.NoRoomError:
        raise
    except DataError as error:
        # whatever cannot be understood can still be kept
        _refuse_own(place)
        reason = str(error).removeprefix(f"{place.name}: ")
        source = FileBytes(place.name, place.path, b"", reason)
    source.place = source.place or place
    return source


def _refuse_own(place: files.Place) -> None:
    """Raise DataError if the file at a place is an archive (.aez), by its first bytes, or a model,
    by these and the suffix .aem."""
    with place.path.open("rb") as file:
        head = file.read(4)
    own_suffix = Path(place.name).suffix == ".aem"
    # a model is a zip, as many other files are
    if head == OWN[0] or (head == OWN[1] and own_suffix):
        raise DataError(
            f"{place.name}: this is one of aetool's own files, not data; see `aetool info`"
        )


def natively(path: Path, name: str) -> ArrowTable | ArrayFile | None:
    """Open a Parquet, Arrow, npy or npz file in its own types, for an archive that restores these;
    None for any other kind of file.

    UnsuitedError, with the reason, where its types cannot be stored, or it is a model (.aem).
    DataError if the file cannot be opened or unpacked.
    """
    with streams.open_stream(path) as stream:
        head = stream.read(8)
    is_table = bool(arrow_files.kind_of(head))
    # an .npz is a zip of arrays
    is_array = head.startswith((array_files.MAGIC, array_files.ZIP_MAGIC))
    if not is_table and not is_array:
        return None
    place = streams.unpacked(path, name)
    if is_table:
        table = arrow_files.open_table(place.path, name)
        table.place = place
        return table
    if Path(name).suffix == ".aem":
        raise UnsuitedError("it is a model")
    arrays = array_files.open_arrays(place.path, name)
    arrays.place = place
    return arrays


def in_memory(data: memory.InMemory) -> ArrowTable | ArrayFile | FileBytes:
    """Open a DataFrame, Arrow table or array in its own types, an array by way of a temporary .npy
    file; a table whose types cannot be stored as the bytes of an Arrow file. UnsuitedError for an
    array whose type cannot be stored; DataError for a table that Arrow cannot hold, as one of text
    and bytes in one column, NoRoomError where the file cannot be written."""
    name = type(data).__name__
    if isinstance(data, np.ndarray):
        array = data
        place = kept(lambda file: np.save(file, array, allow_pickle=False), name)
        arrays = array_files.open_arrays(place.path, name)
        arrays.place = place
        return arrays
    # every type that Arrow has can be in an Arrow file
    try:
        return arrow_files.of_memory(data, name)
    except UnsuitedError as error:
        # a type that blocks cannot carry is in the Arrow file still
        content = arrow_files.file_of(arrow_files.as_arrow(data))
        return FileBytes(name, None, content, str(error))


def original(place: files.Place) -> FileBytes | images.FolderSource:
    """The file or folder at the place that a plugin's records were read from, to be stored in place
    of the records, which would not restore it. DataError for a folder that cannot be read."""
    if place.path.is_dir():
        return images.FolderSource(place.path, place.name)
    reason = "it is read by way of its records, and kept as the file that it is"
    file = FileBytes(place.name, place.path, b"", reason)
    file.place = place
    return file


def of_source(source: Opened) -> Opened:
    """Turn a source that was opened for detection into what an archive stores: the file in its own
    types, the folder, or bytes. A source that is stored as it was opened, as a table in text is,
    comes back itself. UnsuitedError for an array in memory whose type cannot be stored; DataError
    for a file that cannot be opened, or a table in memory that Arrow cannot hold; NoRoomError where
    no temporary file can be written."""
    # what a model sees of pictures is no part of what is stored
    if isinstance(source, FramedSource):
        return of_source(source.source)
    # a picture by itself is kept as its file
    if isinstance(source, images.PictureFiles) and not isinstance(source, images.FolderSource):
        assert source.place is not None
        return FileBytes(source.name, source.place.path, b"", ONE_PICTURE)
    if isinstance(source, ArrowMemorySource):
        return in_memory(source.in_memory)
    # a file that could not be read is kept as its bytes
    if isinstance(source, sources.UnreadSource):
        return FileBytes(source.name, source.path, b"", str(source.reason))
    # the tables of a folder are one table to a model, and files of a folder to an archive
    if isinstance(source, ChainSource) and source.folder is not None:
        return images.FolderSource(source.folder, source.name)
    # what a plugin has read: the file or folder that it has read it from
    if isinstance(source, CopiedTable | PluginPictures) and source.original is not None:
        return original(source.original)
    if isinstance(source, CopiedTable):
        return in_memory(source.table())
    has_types = isinstance(source, ArrowFileSource | numpy_files.ArraySource | images.ArraySource)
    if not has_types or source.place is None:
        return source
    # opened once more, by types and not by columns
    place = source.place
    try:
        return natively(place.path, place.name) or source
    except UnsuitedError as error:
        return FileBytes(place.name, place.path, b"", str(error))
