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
    """(n,): True where an array's value is missing; None if none is."""
    if not array.null_count:
        return None
    return np.asarray(array.is_null().to_numpy(zero_copy_only=False), np.bool_)


def validity(gaps: Mask | None) -> pa.Buffer | None:
    """Gaps, (n,), as Arrow's validity bits: a buffer of one bit a value, 0 where it is missing."""
    import pyarrow as pa

    if gaps is None:
        return None
    return pa.py_buffer(np.packbits(~gaps, bitorder="little"))


def array_from(kind: pa.DataType, rows: int, gaps: Mask | None, *contents: Raw) -> pa.Array:
    """An array of these buffers, after its bits of validity."""
    import pyarrow as pa

    buffers = [validity(gaps)]
    for content in contents:
        buffers.append(pa.py_buffer(np.ascontiguousarray(content)))
    return pa.Array.from_buffers(kind, rows, buffers)


def bytes_of(buffer: pa.Buffer | None) -> npt.NDArray[np.uint8]:
    """A buffer's bytes; an array without values may have no buffer."""
    if buffer is None:
        return np.zeros(0, np.uint8)
    return np.frombuffer(buffer, np.uint8)


def bits_of(array: pa.Array) -> npt.NDArray[np.uint8]:
    """The values of a boolean array as 0 and 1, (n,)."""
    packed = bytes_of(array.buffers()[1])
    # the first of the array's values need not be the first bit of its buffer
    last = array.offset + len(array)
    bits = np.unpackbits(packed, count=last, bitorder="little")
    return bits[array.offset :]


def buffer_of(array: pa.Array, stored: np.dtype[Number]) -> npt.NDArray[Number]:
    """The values of an array straight from its buffer, (n,); anything may stand in gaps."""
    buffer = array.buffers()[1]
    if buffer is None:
        return np.zeros(len(array), stored)
    return np.frombuffer(buffer, stored, len(array), array.offset * stored.itemsize)


def same_values(one: pa.Array, other: pa.Array) -> bool:
    """Whether two arrays have the same type, gaps, and bits in all other places."""
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
