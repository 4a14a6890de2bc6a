"""Arrow's own buffers as numpy arrays and back; equality of arrays bit for bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from aetool.codec.natives.bounding import Mask

if TYPE_CHECKING:
    import pyarrow as pa

Raw = npt.NDArray[np.generic]
Number = TypeVar("Number", bound=np.generic)


def gaps_of(array: pa.Array) -> Mask | None:
    """(n,) bool: True where a value of the array is missing; None if none is."""
    if not array.null_count:
        return None
    return np.asarray(array.is_null().to_numpy(zero_copy_only=False), np.bool_)


def validity(gaps: Mask | None) -> pa.Buffer | None:
    """Gaps, (n,) bool, as Arrow's validity buffer: one bit a value, 0 where it is missing; None for
    None."""
    import pyarrow as pa

    if gaps is None:
        return None
    return pa.py_buffer(np.packbits(~gaps, bitorder="little"))


def array_from(kind: pa.DataType, rows: int, gaps: Mask | None, *contents: Raw) -> pa.Array:
    """An Arrow array of `rows` values of a type, made of buffers. contents: its buffers after the
    one of validity, which is made of gaps."""
    import pyarrow as pa

    buffers = [validity(gaps)]
    for content in contents:
        buffers.append(pa.py_buffer(np.ascontiguousarray(content)))
    return pa.Array.from_buffers(kind, rows, buffers)


def bytes_of(buffer: pa.Buffer | None) -> npt.NDArray[np.uint8]:
    """The bytes of an Arrow buffer, (n,); none of None, which an array without values may have."""
    if buffer is None:
        return np.zeros(0, np.uint8)
    return np.frombuffer(buffer, np.uint8)


def bits_of(array: pa.Array) -> npt.NDArray[np.uint8]:
    """(n,): the values of a boolean array as 0 and 1; either may stand in gaps."""
    packed = bytes_of(array.buffers()[1])
    # the first of the array's values need not be the first bit of its buffer
    last = array.offset + len(array)
    bits = np.unpackbits(packed, count=last, bitorder="little")
    return bits[array.offset :]


def buffer_of(array: pa.Array, stored: np.dtype[Number]) -> npt.NDArray[Number]:
    """(n,): the values of an array, read from its buffer as numbers of dtype `stored`; any number
    may stand in gaps."""
    buffer = array.buffers()[1]
    if buffer is None:
        return np.zeros(len(array), stored)
    return np.frombuffer(buffer, stored, len(array), array.offset * stored.itemsize)


def same_values(one: pa.Array, other: pa.Array) -> bool:
    """Whether two arrays have the same type, the same gaps, and the same bits everywhere else."""
    from pyarrow import types

    if one.type != other.type or len(one) != len(other):
        return False
    if types.is_dictionary(one.type):
        return one.indices.equals(other.indices) and same_values(one.dictionary, other.dictionary)
    if types.is_floating(one.type):
        # Arrow's own comparison takes NaN for unequal, and -0.0 for 0.0
        gaps = gaps_of(one)
        others = gaps_of(other)
        if (gaps is None) != (others is None):
            return False
        stored = np.dtype(f"<i{one.type.bit_width // 8}")
        different = buffer_of(one, stored) != buffer_of(other, stored)
        if gaps is None or others is None:
            return not different.any()
        return bool((gaps == others).all() and not different[~gaps].any())
    return bool(one.equals(other))
