"""Arrow's own buffers as numpy arrays and back; equality of arrays bit for bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from aetool.codec.natives.bounding import Mask

if TYPE_CHECKING:
    import pyarrow as pa

Raw = npt.NDArray[np.generic]
RawBytes = npt.NDArray[np.uint8]
Number = TypeVar("Number", bound=np.generic)


def gaps_of(array: pa.Array) -> Mask | None:
    """Which values of an array are missing: (n,) bool; None if none is."""
    if not array.null_count:
        return None
    is_gap = array.is_null()
    # Arrow packs eight of them into a byte: they have to be copied
    gaps = is_gap.to_numpy(zero_copy_only=False)
    return np.asarray(gaps, np.bool_)


def validity(gaps: Mask | None) -> pa.Buffer | None:
    """Gaps, (n,) bool, True where a value is missing, as Arrow's validity buffer: one bit a value,
    0 where it is missing; None for None."""
    import pyarrow as pa

    if gaps is None:
        return None
    # Arrow has the first value in the lowest bit
    bits = np.packbits(~gaps, bitorder="little")
    return pa.py_buffer(bits)


def array_from(
    kind: pa.DataType,
    rows: int,
    gaps: Mask | None,
    *contents: Raw,
) -> pa.Array:
    """An Arrow array of `rows` values of a type, made of buffers, which are not checked. gaps:
    (rows,) bool, None if no value is missing; contents: its buffers after the one of validity,
    which is made of gaps."""
    import pyarrow as pa

    buffers = [validity(gaps)]
    for content in contents:
        contiguous = np.ascontiguousarray(content)
        buffers.append(pa.py_buffer(contiguous))
    return pa.Array.from_buffers(kind, rows, buffers)


def bytes_of(buffer: pa.Buffer | None) -> RawBytes:
    """The bytes of an Arrow buffer, (n,) uint8, as a view; of None, which an array without values
    may have, an empty array, (0,)."""
    if buffer is None:
        return np.zeros(0, np.uint8)
    return np.frombuffer(buffer, np.uint8)


def bits_of(array: pa.Array) -> RawBytes:
    """The values of a boolean array as 0 and 1: (n,) uint8; either may stand in gaps."""
    buffer = array.buffers()[1]
    packed = bytes_of(buffer)
    # the first of the array's values need not be the first bit of its buffer
    last = array.offset + len(array)
    bits = np.unpackbits(packed, count=last, bitorder="little")
    return bits[array.offset :]


def buffer_of(array: pa.Array, stored: np.dtype[Number]) -> npt.NDArray[Number]:
    """The values of an array of a type of fixed width, read from its buffer as numbers of the dtype
    `stored`: (n,), as a view; any number may stand in gaps. Zeros if it has no buffer."""
    buffer = array.buffers()[1]
    if buffer is None:
        return np.zeros(len(array), stored)
    # an array may be a part of its buffer
    first = array.offset * stored.itemsize
    return np.frombuffer(buffer, stored, len(array), first)


def same_values(one: pa.Array, other: pa.Array) -> bool:
    """Whether two arrays have the same type, length, gaps, and the same bits everywhere else (of
    floats: NaN equals NaN of the same bits, -0.0 not 0.0); of dictionary arrays the same indices
    and dictionaries."""
    from pyarrow import types

    if one.type != other.type:
        return False
    if len(one) != len(other):
        return False
    if types.is_dictionary(one.type):
        if not one.indices.equals(other.indices):
            return False
        return same_values(one.dictionary, other.dictionary)
    if types.is_floating(one.type):
        return _same_floats(one, other)
    return bool(one.equals(other))


def _same_floats(one: pa.Array, other: pa.Array) -> bool:
    """Whether two arrays of floats of one type and length have the same gaps, and the same bits
    everywhere else. Arrow's own comparison takes NaN for unequal, and -0.0 for 0.0."""
    gaps = gaps_of(one)
    other_gaps = gaps_of(other)
    width = one.type.bit_width // 8
    as_bits = np.dtype(f"<i{width}")
    bits = buffer_of(one, as_bits)
    other_bits = buffer_of(other, as_bits)
    differs = bits != other_bits
    if gaps is None or other_gaps is None:
        have_no_gaps = gaps is None and other_gaps is None
        return have_no_gaps and not differs.any()
    if not np.array_equal(gaps, other_gaps):
        return False
    # whatever stands in a gap means nothing
    return not differs[~gaps].any()
