"""Whole numbers of given widths, bit behind bit, least significant first; their classes, and their
order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aetool import kernel
from aetool.errors import ArchiveError

U8 = npt.NDArray[np.uint8]
U64 = npt.NDArray[np.uint64]

DIGIT = 16  # bits of numbers that NumPy sorts by counting
Int64s = npt.NDArray[np.int64]


def pack(values: U64, widths: U8) -> bytes:
    """Write the lowest widths[i] bits of values[i], one behind the other, least significant bit
    first; bits left over in the last byte are 0. values, widths: (n,) each; a width is 0 to 64."""
    n = len(values)
    if kernel.C is not None:
        # a value takes at most 8 bytes, and the kernel writes up to a word more
        out = np.empty(8 * n + 8, np.uint8)
        in_one_piece = np.ascontiguousarray(values)
        size = kernel.C.pack(in_one_piece, widths, out)
        return out[:size].tobytes()
    place = _ramp(widths).astype(np.uint64)
    # each value once for each of its bits, moved so that the bit is the lowest
    value_of_bit = np.repeat(values, widths)
    moved = value_of_bit >> place
    bits = moved & np.uint64(1)
    packed = np.packbits(bits.astype(np.uint8), bitorder="little")
    return packed.tobytes()


def unpack(data: bytes, widths: U8) -> U64:
    """Read numbers of these widths in bits, (n,), from bytes in which they lie one behind the
    other, the least significant bit first, as `pack` writes them: (n,) uint64. ArchiveError if the
    widths add up to another number of bytes than data has."""
    total = int(widths.sum(dtype=np.int64))
    # the last byte may have bits to spare, and no byte more
    whole_bytes = (total + 7) // 8
    if whole_bytes != len(data):
        raise ArchiveError("damaged: the raw bits of a column do not add up")
    out = np.zeros(len(widths), np.uint64)
    if not data:
        return out
    if kernel.C is not None:
        kernel.C.unpack(data, widths, out)
        return out
    stored = np.frombuffer(data, np.uint8)
    bits = np.unpackbits(stored, count=total, bitorder="little")
    place = _ramp(widths).astype(np.uint64)
    in_place = bits.astype(np.uint64) << place
    # the value that each bit belongs to
    numbers = np.arange(len(widths))
    owner = np.repeat(numbers, widths)
    np.bitwise_or.at(out, owner, in_place)
    return out


def search(values: Int64s, edges: Int64s) -> npt.NDArray[np.uint32]:
    """For each value how many edges are less than or equal to it, (n,) uint32. values: (n,), in any
    order; edges: (m,), ascending, which is not checked."""
    if kernel.C is None:
        return np.searchsorted(edges, values, "right").astype(np.uint32)
    counts = np.empty(len(values), np.uint32)
    values = np.ascontiguousarray(values)
    edges = np.ascontiguousarray(edges)
    kernel.C.search(values, edges, counts)
    return counts


def ascending(values: Int64s) -> Int64s:
    """The positions, from 0, of values, (n,) int64, in the order that sorts the values, equal ones
    in the order of their positions.

    There is one such order, so it does not matter how it is found: by digits of 16 bits, the lower
    ones first, where two of them are enough. That takes a half to a third of the time of a
    comparison of 64-bit numbers.
    """
    is_rising = values[1:] >= values[:-1]
    if is_rising.all():
        return np.arange(len(values))
    # modulo 2^64 no difference is too large
    above_least = values - values.min()
    above_least = above_least.view(np.uint64)
    largest = int(above_least.max())
    # rounded up: a digit that is begun counts
    digits = -(-largest.bit_length() // DIGIT)
    if digits > 2:
        return np.argsort(values, kind="stable")
    places = _by_digit(above_least, 0)
    if digits == 2:
        # what is equal in the higher digit stays in the order of the lower one
        by_higher_digit = _by_digit(above_least[places], 1)
        places = places[by_higher_digit]
    return places


def _by_digit(values: U64, digit: int) -> Int64s:
    """The positions, from 0, of values, (n,), in the order of one of their digits of DIGIT (16)
    bits, those of equal digits in the order of the positions. digit: which; 0 is the lowest."""
    shift = np.uint64(DIGIT * digit)
    shifted = values >> shift
    # the cast keeps the lowest 16 bits, which NumPy sorts by counting
    digits = shifted.astype(np.uint16)
    return np.argsort(digits, kind="stable")


def _ramp(widths: U8) -> Int64s:
    """Number the bits of each value: for each width w in turn 0 .. w - 1, all in one array, (sum of
    widths,) int64."""
    size = widths.astype(np.int64)
    first = np.cumsum(size) - size
    # bits are numbered through, and each counts from the first one of its value
    total = int(size.sum())
    number = np.arange(total)
    first_of_bit = np.repeat(first, size)
    return number - first_of_bit
