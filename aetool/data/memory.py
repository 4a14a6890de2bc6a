"""What people hold in Python, as data that can be read again and again.

A stream, an open file or a one-way protocol is read once, to a file without a name: little of it is
in memory at any time. What is in memory already stays where it is.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from aetool import files
from aetool.arguments import shown
from aetool.data import arrow_files, arrow_source
from aetool.data.arrow_source import CopiedTable
from aetool.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

TAKEN = (
    "a path (also of a folder, a pattern with *, an address such as s3://, or a list of these), a "
    "DataFrame or a Series of pandas or polars, an Arrow table or whatever has __arrow_c_stream__, "
    "a numpy array, a dictionary of columns, a list of dictionaries, bytes or an open file"
)
LARGE = 1 << 26  # bytes of a stream: larger ones are not kept in memory

Array: TypeAlias = npt.NDArray[np.generic]
InMemory: TypeAlias = "pd.DataFrame | pa.Table | Array"
Held: TypeAlias = "str | os.PathLike[str] | files.Place | CopiedTable | InMemory"


def held(data: object) -> Held:
    """Data in a form that can be read again and again: a path, where a copy of it lies, a
    DataFrame, an Arrow table or an array. DataError, which says what is taken, for all else."""
    if isinstance(data, files.Place | CopiedTable):
        return data
    if isinstance(data, str | os.PathLike) and isinstance(os.fspath(data), str):
        return data
    if isinstance(data, bytes | bytearray | memoryview):
        return files.copied(io.BytesIO(data), type(data).__name__)
    if isinstance(data, np.ndarray):
        return _array(data)
    if isinstance(data, Mapping) or _is_list_of(data, Mapping):
        return _frame(data)
    if arrow_files.is_frame(data) or _is_of("pandas", "Series", data):
        return _of_pandas(data)
    if _is_of("polars", "LazyFrame", data):
        return held(data.collect())  # type: ignore[attr-defined]
    if _is_of("polars", "Series", data):
        return held(data.to_frame())  # type: ignore[attr-defined]
    return _read_once(data)


def _read_once(data: object) -> Held:
    """What may be read no more than once: an open file, or what offers Arrow's protocol."""
    if not isinstance(data, type) and hasattr(data, "read"):
        return _read_to_the_end(data)
    if offers_arrow(data):
        return _arrow(data)
    raise not_taken(data)


def is_polars(data: object) -> bool:
    """Whether data are a DataFrame, LazyFrame or Series of polars."""
    return any(_is_of("polars", name, data) for name in ("DataFrame", "LazyFrame", "Series"))


def not_taken(data: object) -> DataError:
    """The error for what is no data."""
    return DataError(f"data must be {TAKEN}; got {shown(data)}")


def offers_arrow(data: object) -> bool:
    """Whether data can be taken over by Arrow's own protocol for that, as those of pyarrow, polars,
    DuckDB and others can, each a package that need not be there."""
    if isinstance(data, type):
        return False
    return hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__")


def _is_of(package: str, name: str, data: object) -> bool:
    """Whether data are of a class of a package: where it is not imported, nothing is of it."""
    module = sys.modules.get(package)
    kind = getattr(module, name, None)
    return isinstance(kind, type) and isinstance(data, kind)


def _is_list_of(data: object, kind: type) -> bool:
    is_list = isinstance(data, list | tuple) and len(data) > 0
    return is_list and all(isinstance(one, kind) for one in cast("Sequence[object]", data))


def _frame(data: object) -> pd.DataFrame:
    """A dictionary of columns, or a list of dictionaries, as a DataFrame."""
    import pandas as pd

    try:
        return pd.DataFrame(data)  # type: ignore[call-overload, no-any-return]
    except (ValueError, TypeError) as error:
        said = arrow_files.one_line(error)
        raise DataError(
            f"{type(data).__name__}: these are no columns of one length: {said}"
        ) from None


def _of_pandas(data: object) -> pd.DataFrame:
    """A DataFrame as it is; a Series as a column, which is c1 if it has no name."""
    if arrow_files.is_frame(data):
        return cast("pd.DataFrame", data)
    series = cast("pd.Series", data)
    return series.to_frame("c1" if series.name is None else str(series.name))


def _array(array: Array) -> Held:
    """An array of numbers, texts or moments as it is; of objects, or with a mask, as pandas reads
    them: what is masked is a gap."""
    if array.dtype.names is not None:
        return _of_fields(array, array.dtype.names)
    if isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        return _masked(array)
    # a matrix of numpy has rows of two dimensions, which nothing expects
    array = np.asarray(array)
    if array.dtype.kind == "O" and array.ndim in (1, 2):
        return _by_place(array).infer_objects()
    if array.dtype.kind not in "biufUSM" or not 1 <= array.ndim <= 4:
        raise DataError(
            f"numpy array: {array.dtype} of shape {array.shape}; wanted are numbers, texts or "
            "moments of shape (records,) or (records, columns), or pictures, uint8 of shape "
            "(n, height, width) or (n, height, width, 3)"
        )
    return array


def _by_place(array: Array) -> pd.DataFrame:
    """The columns of an array of one or two dimensions, called c1, c2 ..."""
    import pandas as pd

    wide = array.reshape(len(array), -1) if array.ndim == 1 else array
    return pd.DataFrame(wide, columns=[f"c{place + 1}" for place in range(wide.shape[1])])


def _masked(array: np.ma.MaskedArray[tuple[int, ...], np.dtype[np.generic]]) -> pd.DataFrame:
    """An array of which values are masked, as columns with gaps."""
    if array.ndim not in (1, 2):
        raise DataError(
            f"numpy array: a mask in an array of shape {array.shape}; values can be gaps in "
            "columns, not in pictures: fill them with filled()"
        )
    return _by_place(array)


def _of_fields(array: Array, names: tuple[str, ...]) -> pd.DataFrame:
    """The columns of a structured array, of which each is of single values."""
    fields = cast("npt.NDArray[np.void]", array)
    for name in names:
        column = fields[name]
        if column.ndim != 1 or column.dtype.names is not None:
            raise DataError(
                f"numpy array: field '{name}' is of type {fields.dtype[name]} in an array of shape "
                f"{array.shape}; a column is of single values: give each a field of its own"
            )
    return _frame({name: fields[name] for name in names})


def _read_to_the_end(stream: object) -> files.Place:
    """What is left of an open file, of bytes or of text, called as its file is."""
    named = getattr(stream, "name", None)
    name = named if isinstance(named, str) else type(stream).__name__
    try:
        place = files.copied(cast(BinaryIO, _Bytes(stream)), name)
    except (OSError, ValueError) as error:
        raise DataError(f"{name}: cannot be read: {error}") from None
    if not place.path.stat().st_size:
        raise DataError(f"{name}: nothing is left to read in it; rewind it with seek(0)")
    return place


class _Bytes:
    """An open file whose text, if it gives text, is given as UTF-8."""

    def __init__(self, stream: object) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        """The next piece of at most about so many bytes; empty at the end."""
        piece = self._stream.read(size)  # type: ignore[attr-defined]
        if isinstance(piece, str):
            return piece.encode("utf-8", "surrogateescape")
        if not isinstance(piece, bytes | bytearray | memoryview):
            raise not_taken(self._stream)
        return bytes(piece)


def _arrow(data: object) -> Held:
    """What offers Arrow's protocol: as a table where it is one, or is small; else a copy of it."""
    import pyarrow as pa

    name = type(data).__name__
    if isinstance(data, pa.Array | pa.ChunkedArray) and not pa.types.is_struct(data.type):
        return pa.table({"c1": data})
    in_memory = isinstance(data, pa.Table | pa.RecordBatch) or _is_of("polars", "DataFrame", data)
    if in_memory or not hasattr(data, "__arrow_c_stream__"):
        return arrow_files.as_table(data)
    try:
        reader = pa.RecordBatchReader.from_stream(data)
    except (pa.ArrowException, TypeError, ValueError, NotImplementedError) as error:
        raise DataError(f"{name}: is no table ({arrow_files.one_line(error)})") from None
    begun: list[pa.RecordBatch] = []
    size = 0
    for batch in reader:
        begun.append(batch)
        size += batch.nbytes
        if size > LARGE:
            return arrow_source.copied(name, _going_on(begun, reader))
    return pa.Table.from_batches(begun, reader.schema)


def _going_on(
    begun: list[pa.RecordBatch], rest: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    # each is let go of once it is written
    while begun:
        yield begun.pop(0)
    yield from rest
