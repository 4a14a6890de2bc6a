"""Whole numbers of given widths, bit behind bit, least significant first; and their classes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aetool import kernel
from aetool.errors import ArchiveError

U8 = npt.NDArray[np.uint8]
U64 = npt.NDArray[np.uint64]


def pack(values: U64, widths: U8) -> bytes:
    """Write the lowest widths[i] bits of values[i], one behind the other, least significant bit
    first; bits left over in the last byte are 0. widths: 0 to 64 each."""
    n = len(values)
    if kernel.C is not None:
        out = np.empty(8 * n + 8, np.uint8)
        return out[: kernel.C.pack(np.ascontiguousarray(values), widths, out)].tobytes()
    offset = _ramp(widths)
    # each value once for each of its bits, moved so that the bit is the lowest
    bits = np.repeat(values, widths) >> offset.astype(np.uint64) & np.uint64(1)
    return np.packbits(bits.astype(np.uint8), bitorder="little").tobytes()


def unpack(data: bytes, widths: U8) -> U64:
    """The values, (n,), that `pack` has written with these widths; ArchiveError if the widths add
    up to another number of bytes than data has."""
    # the last byte may have bits to spare, and no byte more
    if (int(widths.sum(dtype=np.int64)) + 7) // 8 != len(data):
        raise ArchiveError("damaged: the raw bits of a column do not add up")
    out = np.zeros(len(widths), np.uint64)
    if not data:
        return out
    if kernel.C is not None:
        kernel.C.unpack(data, widths, out)
        return out
    total = int(widths.sum(dtype=np.int64))
    raw = np.unpackbits(np.frombuffer(data, np.uint8), count=total, bitorder="little")
    # the number that each bit belongs to
    owner = np.repeat(np.arange(len(widths)), widths)
    np.bitwise_or.at(out, owner, raw.astype(np.uint64) << _ramp(widths).astype(np.uint64))
    return out


def search(values: npt.NDArray[np.int64], edges: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
    """For each value how many edges are less than or equal to it, (n,) uint32. edges: (m,),
    ascending."""
    if kernel.C is None:
        return np.searchsorted(edges, values, "right").astype(np.uint32)
    out = np.empty(len(values), np.uint32)
    kernel.C.search(np.ascontiguousarray(values), np.ascontiguousarray(edges), out)
    return out


def _ramp(widths: U8) -> npt.NDArray[np.int64]:
    """For each width w in turn the numbers 0 .. w - 1, all in one array: for every bit its place
    within its value."""
    size = widths.astype(np.int64)
    return np.arange(int(size.sum())) - np.repeat(np.cumsum(size) - size, size)
