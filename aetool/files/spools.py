"""Keeps what can be read only once (a pipe, standard input) in a file without a name."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from aetool import system
from aetool.errors import DataError
from aetool.files import near
from aetool.files.attributes import looked_up
from aetool.system import path_of

MOST_SPOOLED = 8 << 30  # bytes
PIECE = 1 << 20  # bytes copied at a time
STANDARD_INPUT = ("-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")


class NoRoomError(DataError):
    """A temporary file cannot be written: its folder is full, or there is none."""


@dataclass(frozen=True)
class Place:
    """A path at which data can be read as often as needed, and what messages call the data, `name`.

    spool: the open temporary file that keeps the bytes of a pipe, and is closed when the place is
    no longer referred to; None for a file or folder where it lies.
    """

    path: Path
    name: str
    spool: BinaryIO | None = None


Key = str | tuple[int, int]
_spooled: ContextVar[dict[Key, Place] | None] = ContextVar("_spooled", default=None)


@contextmanager
def one_reading() -> Iterator[None]:
    """Context manager: within the block a pipe is read once, and all who open it share the copy;
    files whose place is asked for are noted, so that `is_read` knows them. Blocks may be nested:
    the outermost counts. Pipes are told apart by device and inode."""
    if _spooled.get() is not None:
        yield
        return
    token = _spooled.set({})
    try:
        yield
    finally:
        _spooled.reset(token)


def place_of(data: str | os.PathLike[str]) -> Place:
    """Make the data of a path, or of `-` (standard input), readable again and again, and return
    their place.

    Files and folders stay where they are; anything else is read to its end, once: within a block of
    one_reading all share one copy. DataError if there is nothing at the path, it cannot be read,
    nothing came, or too much, as of `copied`; NoRoomError where the copy cannot be written.
    """
    name = os.fspath(data)
    if not name:
        raise DataError("the name of a file is empty")
    if "\0" in name:
        raise DataError(f"{name!r}: no name of a file: it has a zero byte in it")
    key: Key = "-"
    if name != "-":
        status = looked_up(Path(name))
        if status is None:
            raise DataError(f"{name}: no such file{near.did_you_mean(name)}")
        if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
            place = Place(Path(name), name)
            # so that `is_read` knows it
            places_asked_for = _spooled.get()
            if places_asked_for is not None:
                places_asked_for[status.st_dev, status.st_ino] = place
            return place
        # /dev/stdin is the same pipe as "-"
        if name not in STANDARD_INPUT:
            key = status.st_dev, status.st_ino
    places_read = _spooled.get()
    if places_read is not None and key in places_read:
        return places_read[key]
    try:
        place = _read_once(name)
    except OSError as error:
        raise DataError(f"{name}: {error.strerror or error}") from None
    if places_read is not None:
        places_read[key] = place
    return place


def read_once(key: str, read: Callable[[], Place]) -> Place:
    """The place of a copy that `read` makes; within a block of one_reading it is made once for each
    key, which names the data; outside of such blocks each time. The errors of `read` go through."""
    places_read = _spooled.get()
    if places_read is None:
        return read()
    if key not in places_read:
        places_read[key] = read()
    return places_read[key]


def is_read(status: os.stat_result) -> bool:
    """Whether a file or folder, by its stat, is one that the running command reads: whose place was
    asked for within a block of one_reading. False outside of such blocks."""
    places_read = _spooled.get()
    return places_read is not None and (status.st_dev, status.st_ino) in places_read


def _read_once(name: str) -> Place:
    """Copy what is at a path, or "-" for standard input, to a temporary file. OSError if it cannot
    be opened, DataError if nothing comes."""
    if name != "-":
        with Path(name).open("rb") as stream:
            return _read_to_end(stream, name)
    if sys.stdin is None:
        raise DataError("stdin: standard input is closed")
    return _read_to_end(sys.stdin.buffer, "stdin")


def read_all(data: str | os.PathLike[str], most: int) -> bytes | None:
    """The bytes of a file, or of what can be read once; None if they are more than `most` bytes.
    DataError if they cannot be read, and for what is read once, a pipe or "-", as of `place_of`."""
    path = Path(data)
    status = looked_up(path)
    is_read_once = status is not None and not stat.S_ISREG(status.st_mode)
    place = (
        place_of(data) if is_read_once or os.fspath(data) == "-" else Place(path, os.fspath(data))
    )
    try:
        with place.path.open("rb") as stream:
            content = stream.read(most + 1)
    except OSError as error:
        raise DataError(f"{os.fspath(data)}: {error.strerror or error}") from None
    return content if len(content) <= most else None


def new_spool() -> BinaryIO:
    """Create a temporary file in the system's folder for these, open for reading and writing bytes.
    It has no name: nothing is left of it, however this process ends. NoRoomError if it cannot be
    made."""
    try:
        return system.temporary_file("aetool-")
    except OSError as error:
        raise NoRoomError(f"no folder for temporary files: {error.strerror or error}") from None


@contextmanager
def scratch() -> Iterator[BinaryIO]:
    """Context manager: a new temporary file, see new_spool, that is closed, and so removed, when
    the block ends. Any OSError in the block becomes a NoRoomError."""
    try:
        # what is left to write is written when it is closed, too
        with new_spool() as spool:
            yield spool
    except OSError as error:
        raise _error_of_writing(error) from None


def _error_of_writing(error: OSError) -> NoRoomError:
    """Return, not raise, the NoRoomError that tells of an OSError in writing a temporary file."""
    where = error.filename or tempfile.gettempdir()
    return NoRoomError(f"{where}: cannot write: {error.strerror or error}")


def _read_to_end(stream: BinaryIO, name: str) -> Place:
    """Copy a stream to a temporary file, as `copied` does, and return its place. DataError if it is
    empty, too large for the temporary folder, or longer than MOST_SPOOLED bytes (8 GiB);
    NoRoomError where the copy cannot be written. name: of the data, for messages."""
    place = copied(stream, name)
    assert place.spool is not None
    if not os.fstat(place.spool.fileno()).st_size:
        raise DataError(f"{name}: is empty: nothing came through it")
    return place


def copied(stream: BinaryIO, name: str) -> Place:
    """Copy a stream, from where it stands to its end, to a temporary file, and return its place,
    which lasts for as long as it is in use.

    NoRoomError where the copy cannot be written, DataError where it becomes too large for the
    temporary folder, or longer than MOST_SPOOLED bytes (8 GiB). name: of the data, for messages.
    """
    return _place_written_by(lambda spool: _copy_stream(spool, stream, name), name)


def _copy_stream(spool: BinaryIO, stream: BinaryIO, name: str) -> None:
    """Copy a stream to its end into a temporary file. name: of the data, for messages. NoRoomError
    where the copy cannot be written, DataError where it becomes too large for the temporary folder,
    or longer than MOST_SPOOLED bytes (8 GiB)."""
    size = 0
    while piece := stream.read(PIECE):
        size += len(piece)
        _check_room(name, size, len(piece))
        try:
            spool.write(piece)
            spool.flush()
        except OSError as error:
            raise _error_of_writing(error) from None


def kept(write: Callable[[BinaryIO], None], name: str) -> Place:
    """Write a temporary file by calling `write` with it (it can only write, tell and flush), and
    return its place, which lasts for as long as it is in use.

    NoRoomError where the file cannot be written, DataError where it becomes too large for the
    temporary folder, or longer than MOST_SPOOLED bytes (8 GiB); whatever else `write` raises goes
    through.
    """

    def fill(spool: BinaryIO) -> None:
        """Have `write` write to the temporary file, with checks of its room."""
        write(_Spool(spool, name))  # type: ignore[arg-type]
        spool.flush()

    return _place_written_by(fill, name)


def _place_written_by(fill: Callable[[BinaryIO], None], name: str) -> Place:
    """The place of a new temporary file that `fill` has written; the file is closed when the place
    is out of use or filling failed. name: of the data, for messages. NoRoomError if no file can be
    made; the errors of `fill` go through."""
    spool = new_spool()
    try:
        fill(spool)
    except BaseException:
        with contextlib.suppress(OSError):  # it tries to write once more
            spool.close()
        raise
    place = Place(path_of(spool), name, spool)
    weakref.finalize(place, spool.close)
    return place


class _Spool:
    """A temporary file whose writes check that there is room: DataError before a full disk,
    NoRoomError where a write fails all the same. Of a file's methods it has write, flush and tell.
    name: of the data, for messages."""

    closed = False

    def __init__(self, spool: BinaryIO, name: str) -> None:
        """Begin at the length 0. spool: the open file, empty so far; name: of the data, for
        messages."""
        self._spool = spool
        self._name = name
        self._size = 0

    def write(self, data: bytes) -> int:
        """Write data to the file and return its length; DataError where it is too large for the
        temporary folder (see `_check_room`), NoRoomError where it cannot be written."""
        length = memoryview(data).nbytes
        self._size += length
        _check_room(self._name, self._size, length)
        try:
            return self._spool.write(data)
        except OSError as error:
            raise _error_of_writing(error) from None

    def flush(self) -> None:
        """Does nothing: what was written is flushed once, at the end."""

    def tell(self) -> int:
        """The number of bytes written so far."""
        return self._size


def _check_room(name: str, size: int, length: int) -> None:
    """Raise DataError if `size` bytes, those of the whole file, are more than MOST_SPOOLED (8 GiB),
    or less than twice `length`, the bytes to be written next, are free in the folder for temporary
    files. name: of the data, for messages."""
    if size > MOST_SPOOLED:
        raise DataError(f"{name}: more than {MOST_SPOOLED >> 30} GiB; write it to a file first")
    if shutil.disk_usage(tempfile.gettempdir()).free < 2 * length:
        raise DataError(f"{name}: the temporary folder is full; write it to a file first")
