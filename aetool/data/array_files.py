"""The arrays of .npy and .npz files as they are: type, byte order, shape, order in memory."""

from __future__ import annotations

import shutil
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO

import numpy as np

from aetool import files, system
from aetool.data.arrow_files import Format, UnsuitedError, one_line
from aetool.model import Array

if TYPE_CHECKING:
    import pandas as pd

DType = np.dtype[Any]
# What numpy and zipfile raise of a file that is none of theirs; RuntimeError of a zip that has a
# password, or is of a version that is not known, TokenError of a header that is cut short,
# TypeError and MemoryError of one that is none: it is read as a literal of Python.
UNREADABLE = (
    ValueError,
    OSError,
    EOFError,
    KeyError,
    TypeError,
    RuntimeError,
    MemoryError,
    tokenize.TokenError,
    zlib.error,
    zipfile.BadZipFile,
)
MAGIC, ZIP_MAGIC = b"\x93NUMPY", b"PK\x03\x04"
MAX_ARRAY = 1 << 36  # bytes
SUFFIX = ".npy"
LARGE = 1 << 26  # bytes: larger arrays are put together in a file, not in memory
DATE = (1980, 1, 1, 0, 0, 0)  # of members, as numpy writes them: nothing depends on the clock


@dataclass(frozen=True)
class Member:
    """One array of an .npy or .npz file, without its values.

    name: within the .npz, without ".npy"; "c1" of an .npy. shape: of the array, () of a scalar;
    dtype: of its values, with their byte order. fortran: whether the first axis is innermost in the
    file. offset: bytes from the member's begin to its first value. squeezed: whether the member is
    compressed by DEFLATE, in an .npz.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]
    fortran: bool
    offset: int
    squeezed: bool = False

    @property
    def size(self) -> int:
        """How many bytes the array's values take."""
        return prod(self.shape) * self.dtype.itemsize


MOST_AXES = 32
MOST_VALUES = 1 << 56  # beside axes of length 0
MOST_EMPTY = 1 << 24  # values that take no bytes


class ArrayFile:
    """An .npy file, or an .npz file with its arrays, opened by `open_arrays`. name: for messages;
    suffix: ".npy" or ".npz"; members: its arrays, in order; format: how to write it again:
    "format", npy or npz, "suffix", and, where any array is compressed, "squeezed", 1 or 0 for each.
    path: of the file; place: set by who opens a copied file, keeps it for as long as this is in
    use."""

    def __init__(
        self,
        path: Path,
        name: str,
        suffix: str,
        members: list[Member],
    ) -> None:
        self.path = path
        self.name = name
        self.members = members
        self.place: files.Place | None = None  # keeps a spool for as long as it is in use
        kind = suffix.removeprefix(".")
        self.format: Format = {"format": kind, "suffix": suffix}
        # noted only where one is, so that headers of other files stay as they were
        squeezed = [int(member.squeezed) for member in members]
        if any(squeezed):
            self.format["squeezed"] = squeezed

    def array(self, place: int) -> Array:
        """The values of array number `place`, from 0, mapped read-only from the file, or, of an
        .npz, from a temporary copy; zeros where its values take no bytes. NoRoomError if the copy
        cannot be written; ValueError, OSError, BadZipFile or zlib.error if the file cannot be read
        any more."""
        member = self.members[place]
        if not member.size:
            return np.zeros(member.shape, member.dtype)
        if self.format["format"] == "npy":
            with self.path.open("rb") as file:
                return _mapped(file, member)
        # a member of a zip cannot be mapped where it lies
        with zipfile.ZipFile(self.path) as archive, files.scratch() as copy:
            with archive.open(member.name + SUFFIX) as packed:
                shutil.copyfileobj(packed, copy, 1 << 20)
            copy.flush()
            return _mapped(copy, member)


def open_arrays(path: Path, name: str) -> ArrayFile:
    """Open an .npy or .npz file, of which only headers are read. name: for messages. UnsuitedError,
    with the reason, if it cannot be read, or its arrays cannot be stored as such: one holds Python
    objects, takes more than MAX_ARRAY (2^36) bytes or is of a later format than 2.0, two have one
    name, or an .npz holds anything else."""
    try:
        with path.open("rb") as file:
            is_single = file.read(len(MAGIC)) == MAGIC
            if is_single:
                file.seek(0)
                size = path.stat().st_size
                member = _read_member(file, "c1", size)
                return ArrayFile(path, name, ".npy", [member])
        # what is no .npy must be a zip
        return ArrayFile(path, name, ".npz", _read_members(path))
    except UNREADABLE as error:
        reason = one_line(error)
        raise UnsuitedError(f"it is no array file that can be read ({reason})") from None


def _read_members(path: Path) -> list[Member]:
    """Describe the arrays of an .npz file, in order, by their headers alone: no values are read.
    UnsuitedError if a member is no array that can be stored, or is compressed otherwise than numpy
    does, if two have one name, if there are none, or the zip has a comment; one of UNREADABLE if it
    is no zip."""
    members = []
    with zipfile.ZipFile(path) as archive:
        if archive.comment:
            raise UnsuitedError("it has a comment")
        for info in archive.infolist():
            name = info.filename.removesuffix(SUFFIX)
            if name == info.filename:
                raise UnsuitedError(f"its member '{info.filename}' is no array")
            # numpy writes these two, and we write them again
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise UnsuitedError(f"array '{name}' is compressed in an unusual way")
            squeezed = info.compress_type == zipfile.ZIP_DEFLATED
            with archive.open(info) as stream:
                member = _read_member(stream, name, info.file_size, squeezed)
            members.append(member)
    names = {member.name for member in members}
    if len(names) < len(members):
        raise UnsuitedError("two of its arrays have one name")
    if not members:
        raise UnsuitedError("there are no arrays in it")
    return members


def _read_member(
    file: IO[bytes],
    name: str,
    size: int,
    squeezed: bool = False,
) -> Member:
    """Read the header of the array in numpy's format that a file, which is at its beginning, holds.

    UnsuitedError for Python objects, a later format than 2.0, a shape that no array can have, and
    unless header and values are exactly the file's `size` bytes, at most MAX_ARRAY (2^36); one of
    the errors UNREADABLE, such as ValueError, if there is no header. name: the array's; squeezed:
    whether it is compressed in the .npz.
    """
    version = np.lib.format.read_magic(file)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise UnsuitedError(f"array '{name}' is of numpy's format {version[0]}.{version[1]}")
    shape, fortran, dtype = readers[version](file)
    if dtype.hasobject:
        raise UnsuitedError(f"array '{name}' holds Python objects")
    # axes of length 0 left out, as they would hide how large the others are
    values = prod(length for length in shape if length)
    most_values = MOST_VALUES if dtype.itemsize else MOST_EMPTY
    if len(shape) > MOST_AXES or values >= most_values:
        raise UnsuitedError(f"array '{name}' has a shape that no array can have")
    member = Member(
        name=name,
        dtype=dtype,
        shape=tuple(map(int, shape)),
        fortran=bool(fortran),
        offset=file.tell(),
        squeezed=squeezed,
    )
    # of a shorter file values are missing, and of a longer one something would be lost
    expected = member.offset + member.size
    if expected != size or size > MAX_ARRAY:
        raise UnsuitedError(
            f"array '{name}' should take {member.size:,} bytes, and has {size - member.offset:,}"
        )
    return member


def _mapped(file: BinaryIO, member: Member) -> Array:
    """The values of a member that has some, in its shape, mapped read-only: bytes are read from the
    file only where they are looked at. file: that of the member alone, open, and may be closed
    afterwards."""
    # a scalar cannot be mapped; the mapping outlives the file
    shape = member.shape or (1,)
    # in Fortran order axes lie in the file from the last to the first
    if member.fortran:
        shape = shape[::-1]
    array: Array = np.memmap(
        file,
        member.dtype,
        mode="r",
        offset=member.offset,
        shape=shape,
    )
    if member.fortran:
        array = array.T
    return array.reshape(member.shape)


# ---- writing


@contextmanager
def written(file: BinaryIO, format: Format) -> Iterator[ArrayWriter]:
    """Context manager: write an .npy or .npz file, as format, that of an ArrayFile, says; yields a
    writer to which its arrays are added in order, of an .npy one. The end of an .npz is written
    when the block ends; `file` stays open."""
    if format["format"] == "npy":
        yield ArrayWriter(file, None, [])
        return
    squeezed = format.get("squeezed", [])
    with zipfile.ZipFile(file, "w", allowZip64=True) as archive:
        yield ArrayWriter(file, archive, squeezed)


@dataclass(eq=False)
class ArrayWriter:
    """Writes the arrays of a file in order; made by `written`. archive: the .npz; None of an .npy,
    which has one array. squeezed: for each array 1 if it is to be compressed by DEFLATE, else 0; []
    if none is. count: how many are written to the .npz."""

    file: BinaryIO
    archive: zipfile.ZipFile | None
    squeezed: list[int]
    count: int = 0

    def add(self, member: Member, parts: Iterable[Array]) -> None:
        """Write the next array. member: its name, type, shape and order in memory; parts: all its
        rows, in order, (rows, ...) each; of a scalar one array of no axes. In Fortran order more
        rows than the shape has are a ValueError, and missing ones are 0; in C order the caller must
        give as many as the shape has."""
        if self.archive is None:
            _write(self.file, member, parts)
            return
        info = zipfile.ZipInfo(member.name + SUFFIX, DATE)
        # without the list no array is compressed
        squeezed = self.squeezed[self.count : self.count + 1]
        if any(squeezed):
            info.compress_type = zipfile.ZIP_DEFLATED
        self.count += 1
        # how large a member becomes is not known before it is written
        with self.archive.open(info, "w", force_zip64=True) as stream:
            _write(stream, member, parts)


def _write(file: IO[bytes], member: Member, parts: Iterable[Array]) -> None:
    """Write an array as the bytes of an .npy file. member: its type, shape and order in memory;
    parts: all its rows, in order, (rows, ...) each, which of an array in Fortran order are gathered
    first; of a scalar one array of no axes. There more rows than the shape has are a ValueError,
    and missing ones are 0; in C order the caller must give as many as the shape has."""
    described = {
        "descr": np.lib.format.dtype_to_descr(member.dtype),
        "fortran_order": member.fortran,
        "shape": member.shape,
    }
    np.lib.format.write_array_header_1_0(file, described)
    if member.fortran:
        # the last axis is outermost in the file: all rows must be there first
        whole = gathered(member, parts)
        # a scalar has no axis to go through
        parts = whole.T if whole.ndim else [whole]
    for part in parts:
        raw = np.ascontiguousarray(part, member.dtype)
        file.write(raw.tobytes())


def gathered(member: Member, parts: Iterable[Array]) -> Array:
    """Join the parts of an array, (rows, ...) each, in order, into one array of the member's shape
    and type, in memory, or in a temporary file if it takes LARGE (2^26) bytes or more; rows that
    are missing at its end are 0. ValueError if there are more than it has; NoRoomError if there is
    no room for the file."""
    gathering = Gathering(member)
    for part in parts:
        gathering.add(part)
    return gathering.whole


class Gathering:
    """Joins the rows of an array, in memory, or in a temporary file if they take LARGE (2^26) bytes
    or more. member: its shape and type; whole: the array, whose missing rows are 0. NoRoomError if
    there is no room for the file."""

    def __init__(self, member: Member) -> None:
        if member.size < LARGE:
            self.whole: Array = np.zeros(member.shape, member.dtype)
        else:
            with files.scratch() as file:
                # a full disk is an error here, and not of the process when a page is written
                system.reserve(file, member.size)
                self.whole = np.memmap(
                    file,
                    member.dtype,
                    mode="r+",
                    shape=member.shape,
                )
        self._flat = self.whole.reshape(-1)
        self._count = 0

    def add(self, part: Array) -> None:
        """Append the next rows to `whole`, in place. part: (rows, ...), of the array's row shape,
        its values converted to the array's type; ValueError if it has more than are missing."""
        values = part.reshape(-1)
        end = self._count + len(values)
        self._flat[self._count : end] = values
        self._count = end


def frame_of(names: list[list[str]], arrays: list[Array]) -> pd.DataFrame:
    """One DataFrame of arrays with equally many rows, of one axis or more; all axes but the first
    are columns. names: for each array the names of its columns, in C order; of columns with one
    name the last stays. Values are in the processor's byte order. ValueError for another number of
    lists than of arrays, or for arrays of different lengths."""
    import pandas as pd

    columns = {}
    for labels, array in zip(names, arrays, strict=True):
        # not -1: of no rows there would be any number of columns
        width = prod(array.shape[1:])
        table = array.reshape(len(array), width)
        # pandas computes in the processor's byte order alone
        own_order = array.dtype.newbyteorder("=")
        for place, label in enumerate(labels):
            column = table[:, place]
            columns[label] = column.astype(own_order)
    return pd.DataFrame(columns)
