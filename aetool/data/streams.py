"""Streams of a file's bytes, decompressed where it is gzip, zstd or xz."""

from __future__ import annotations

import gzip
import io
import lzma
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from aetool import files
from aetool.errors import DataError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# how files of these formats begin
ZSTD = b"\x28\xb5\x2f\xfd"
XZ = b"\xfd7zXZ\0"
GZIP = b"\x1f\x8b"


def open_stream(path: Path) -> BinaryIO:
    """Open a file's bytes, decompressed if it is gzip, zstd or xz; the caller closes the stream. A
    decompressed one can only be read forwards, and raises DataError where it is damaged. DataError
    if the file cannot be opened."""
    try:
        magic = _magic_of(path)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None
    # by the first bytes: a suffix may be missing, or wrong
    if magic.startswith(GZIP):
        return _with_damage_checked(gzip.open(path, "rb"), path)
    if magic.startswith(XZ):
        return _with_damage_checked(lzma.open(path, "rb"), path)
    if magic.startswith(ZSTD):
        import pyarrow as pa

        return _with_damage_checked(pa.input_stream(str(path), compression="zstd"), path)
    return path.open("rb")


def is_uncompressed(path: Path) -> bool:
    """Whether a file is neither gzip nor zstd nor xz, by its first bytes, so that open_stream reads
    it as it is. OSError if it cannot be opened."""
    return not _magic_of(path).startswith((GZIP, XZ, ZSTD))


def _magic_of(path: Path) -> bytes:
    """The first six bytes of a file, as many as the longest of those that tell a format; fewer of a
    shorter file. OSError if it cannot be opened."""
    with path.open("rb") as file:
        return file.read(len(XZ))


def unpacked(path: Path, name: str) -> files.Place:
    """The place of the file's decompressed bytes: of a compressed file a temporary copy, which
    lasts as long as the place is in use, else the file. name: for messages. DataError if the file
    is damaged or the copy cannot be written; OSError if the file cannot be opened."""
    if is_uncompressed(path):
        return files.Place(path, name)
    with open_stream(path) as stream:
        return files.copied(stream, name)


Decompressing = BinaryIO | gzip.GzipFile | lzma.LZMAFile


def _with_damage_checked(inner: Decompressing, path: Path) -> BinaryIO:
    """A decompressing stream as one, read forwards only, that raises DataError where it is damaged.
    path: of the file, for messages."""
    # it has all that readers use of a BinaryIO
    return cast(BinaryIO, _Checked(inner, path))


class _Checked(io.RawIOBase):
    """A decompressing stream, read forwards only, whose errors in reading become DataError. inner:
    the decompressor, closed with it; path: of the file, for messages."""

    def __init__(self, inner: Decompressing, path: Path) -> None:
        self.inner = inner
        self.path = path

    def readable(self) -> bool:
        """Whether the stream can be read: True, for what wraps it, such as io.BufferedReader."""
        return True

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, all that are left for -1; b"" at the end. DataError if the
        compressed stream is damaged."""
        try:
            return bytes(self.inner.read(size))
        except (OSError, EOFError, lzma.LZMAError, zlib.error, ValueError) as error:
            raise DataError(f"{self.path}: the compressed stream is damaged: {error}") from None

    def readinto(self, target: WriteableBuffer) -> int:
        """Fill `target`, in place, with the next bytes; returns how many, 0 at the end. DataError
        if the compressed stream is damaged."""
        room = memoryview(target).cast("B")
        # less than was asked for is no error: readers come back for more
        data = self.read(len(room))
        room[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the decompressor as well."""
        self.inner.close()
        super().close()
