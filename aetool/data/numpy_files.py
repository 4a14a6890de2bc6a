"""Tables and pictures in numpy's files, .npy and .npz, and in arrays."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from aetool.canonical import Json
from aetool.data import array_files, foreign, images
from aetool.data.table import Cells, Table, Values
from aetool.data.table_source import ROWS, TableSource
from aetool.errors import DataError

MAX_ARRAY = 8 << 30  # bytes of one array
NPY = b"\x93NUMPY"  # how a file of one array begins
ZIP = b"PK\x03\x04"  # and one of several
KINDS = "biufUSM"  # of dtypes: numbers, texts and moments


class ArraySource(TableSource):
    """A table of a matrix, whose columns are c1, c2 ..., or of the arrays of an .npz, side by side,
    which have one length; scalars are left out. DataError if lengths differ, or nothing else is
    there."""

    def __init__(self, name: str, arrays: dict[str, Json], suffix: str) -> None:
        """Take arrays as columns. name: for messages. arrays: numpy arrays by name, of up to two
        axes, of the dtypes of KINDS; the columns of a matrix are called c1, c2 ... if it is the
        only array or its name is X, else by the array's name, a_1, a_2 ...; of two columns with one
        name the later one stands; scalars are left out. DataError unless all others are of one
        length. suffix: ".npy" or ".npz"."""
        super().__init__(name, {"format": suffix[1:], "suffix": suffix})
        self._columns: dict[str, Json] = {}
        # scalars are no columns
        arrays = {key: array for key, array in arrays.items() if array.ndim}
        lengths = {len(array) for array in arrays.values()}
        if len(lengths) != 1:
            raise DataError(f"{name}: arrays of one length are needed, found {sorted(lengths)}")
        for key, array in arrays.items():
            # X is what people call the table among labels and weights
            is_alone = len(arrays) == 1 or key == "X"
            columns = _columns_of(array, key, is_alone)
            for column, values in columns.items():
                self._columns[column] = values
                self.dtypes[column] = str(values.dtype)
        # of each array [how many columns it has], or [] if it is one column, to write it again
        self.format["arrays"] = {key: list(array.shape[1:]) for key, array in arrays.items()}

    def batches(self) -> Iterator[Table]:
        """Yield the rows, ROWS (65,536) at a time, at least one batch; DataError if there are no
        columns."""
        if not self._columns:
            raise DataError(f"{self.name}: an array without columns")
        names = tuple(self._columns)
        rows = len(self._columns[names[0]])
        # an empty array gives one batch, which tells its columns
        for first in range(0, max(rows, 1), ROWS):
            values = []
            for column in self._columns.values():
                part = column[first : first + ROWS]
                values.append(_values_of(part))
            yield Table(names, tuple(values), first)


def _columns_of(array: Json, key: str, is_alone: bool) -> dict[str, Json]:
    """The columns, (n,) each, of an array, (n,) or (n, columns), by name: key alone of an array of
    one axis, else <key>_1, <key>_2 ... key: the array's name; is_alone: whether the columns of a
    matrix are called c1, c2 ... instead."""
    if array.ndim != 2:
        return {key: array}
    prefix = "c" if is_alone else f"{key}_"
    columns = {}
    for place in range(array.shape[1]):
        columns[f"{prefix}{place + 1}"] = array[:, place]
    return columns


def _values_of(part: Json) -> Values:
    """Convert some values of a column, (n,) of a dtype of KINDS, to the form in which tables have
    them: texts to cells (bytes as b'ab'), numbers and truth values to float64; moments stay as they
    are."""
    if part.dtype.kind in "US":
        return Cells.of([str(value) for value in part])
    if part.dtype.kind == "M":
        moments: Values = part
        return moments
    numbers: Values = part.astype(np.float64)
    return numbers


def is_array_file(head: bytes) -> bool:
    """Whether a file that begins so may be one of numpy's: .npy, or any zip. head: its first six
    bytes or more."""
    return head.startswith((NPY, ZIP))


def open_arrays(path: Path, name: str, head: bytes) -> TableSource | images.ImageSource:
    """Open a file of numpy's, .npy mapped from the disk or .npz read into memory, as a source of
    records or pictures. name: for messages; head: the file's first six bytes or more.

    DataError for what is no such file or is damaged, has a password, holds Python objects or more
    than MAX_ARRAY (2^33) bytes in one array, or arrays that are neither a table nor pictures.
    """
    try:
        if head.startswith(ZIP):
            _check_npz(path, name)
            # no pickle is ever opened: it could run code
            with np.load(path, allow_pickle=False) as file:
                arrays = {key: file[key] for key in file.files}
            suffix = ".npz"
        else:
            with path.open("rb") as plain:
                _check_header(plain, path.stat().st_size, name)
            # mapped: only the rows that are looked at are read
            arrays = {"c": np.load(path, mmap_mode="r", allow_pickle=False)}
            suffix = ".npy"
    except array_files.UNREADABLE as error:
        # a zip whose list of members is lost may be of any program: its name says which
        called = foreign.called_by_name(name) if head.startswith(ZIP) else "an array file"
        raise DataError(f"{name}: not {called} that can be read: {error}") from None
    if not arrays:
        raise DataError(f"{name}: no arrays in it")
    return of_arrays(arrays, name, suffix)


def of_arrays(
    arrays: dict[str, Json],
    name: str,
    suffix: str,
) -> TableSource | images.ImageSource:
    """A source of numpy arrays by name: of pictures, those of the first array with three axes or
    more, without the others; if there is none, a table. name: for messages. suffix: ".npz", or
    ".npy" of one array, called "c". DataError for values that are neither numbers, texts nor
    moments, for columns of different lengths, and for a shape or type that pictures have not."""
    for key, array in arrays.items():
        if array.dtype.kind not in KINDS:
            raise DataError(f"{name}: array '{key}' has type {array.dtype}; numbers are needed")
    # an array of three axes or more is one of pictures, and all others are left out
    for key, array in arrays.items():
        if array.ndim >= 3:
            return images.ArraySource(array, name, suffix, key)
    if suffix == ".npy" and arrays["c"].ndim == 1:
        arrays = {"c1": arrays["c"]}
    return ArraySource(name, arrays, suffix)


def _check_npz(path: Path, name: str) -> None:
    """Raise DataError if an array of an .npz would take more than MAX_ARRAY (2^33) bytes, or has a
    header that is not right, or if the zip is of another program. name: for messages. One of
    array_files.UNREADABLE, such as BadZipFile, if it cannot be read."""
    with zipfile.ZipFile(path) as archive:
        program = foreign.zip_of(archive.namelist(), name)
        if program is not None:
            raise DataError(f"{name}: {program}")
        for member in archive.infolist():
            # what the zip's index promises, before a byte is unpacked
            size = member.file_size
            if size > MAX_ARRAY:
                raise DataError(f"{name}: member {member.filename} would take {size} bytes")
            with archive.open(member) as file:
                _check_header(file, size, name)


def _check_header(file: IO[bytes], size: int, name: str) -> None:
    """Check the header of an array before memory is taken for it: DataError if it claims more bytes
    than the file has or than MAX_ARRAY (2^33), or Python objects, or is of another format of
    numpy's than 1.0 and 2.0. file: at its begin; size: its bytes; name: for messages. ValueError if
    there is no header."""
    version = np.lib.format.read_magic(file)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise DataError(f"{name}: numpy format {version} is not supported")
    shape, _, dtype = readers[version](file)
    claimed = dtype.itemsize
    for side in shape:
        # in Python's integers, which a forged shape cannot overflow
        claimed *= int(side)
    if dtype.hasobject or claimed > size or claimed > MAX_ARRAY:
        raise DataError(
            f"{name}: the header promises {claimed} bytes of {dtype}, the file has {size}"
        )
