"""Bytes of any kind, squeezed where that helps, and lengths."""

from __future__ import annotations

from aetool.codec import stages
from aetool.codec.limits import MAX_TEXT
from aetool.errors import ArchiveError
from aetool.model import Float

LONGEST_VARINT = 9  # bytes, of a length: it has less than 63 bits


def varint(value: int) -> bytes:
    """Write `value`, a whole number of 0 or more, as bytes, seven bits in each, the lowest first;
    the last byte is below 128, all others have their highest bit set. ValueError for a number below
    0."""
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def read_varint(data: bytes, at: int, longest: int = LONGEST_VARINT) -> tuple[int, int]:
    """Read the whole number that `varint` wrote and that begins at data[at]; returns (value,
    position behind it). ArchiveError if it is cut short or takes more than `longest` bytes."""
    value = shift = 0
    while True:
        if at >= len(data) or shift >= 7 * longest:
            raise ArchiveError("damaged: a length is cut short")
        byte = data[at]
        value |= (byte & 127) << shift
        at = at + 1
        shift = shift + 7
        if byte < 128:
            return value, at


def pack(
    raw: bytes,
    quick: bool = False,
    stage_names: stages.Names = stages.USUAL,
    thorough: bool = False,
    binary: bool = False,
    most: int | None = None,
) -> bytes:
    """Compress bytes by the stage that makes them smallest; returns varint length of `raw` * 8 +
    number of the stage, then the data. Bytes that no stage makes smaller, or no more than 16, are
    stored as they are.

    stage_names: the names, as in stages.KNOWN, of the stages (general compressors) to try,
    StopIteration for an unknown one; of at most stages.FEW bytes mixing widely is tried, too,
    unless quick or binary, or one of the names is of a mixture. quick: search less for repeats,
    which is faster; thorough: search more. binary: the bytes may be numbers of several bytes each.
    most: bytes; a stage whose result is larger may be given up, and not be the one taken; None:
    none is given up.
    """
    mixtures = {stages.MIXED, stages.MIXED_WIDELY}
    is_mixed = not mixtures.isdisjoint(stage_names)
    if len(raw) <= stages.FEW and not (quick or binary or is_mixed):
        stage_names = (*stage_names, stages.MIXED_WIDELY)
    smallest = raw
    stage_of_smallest = stages.STORED
    for stage_name in stage_names if len(raw) > stages.LEAST else ():
        number = stages.number_of(stage_name)
        # more than the smallest so far is of no use either
        limit = len(smallest) if most is None else min(most, len(smallest))
        squeezed = stages.KNOWN[number].within(raw, limit, quick, thorough, binary)
        if len(squeezed) < len(smallest):
            smallest = squeezed
            stage_of_smallest = number
    return varint(len(raw) << stages.BITS | stage_of_smallest) + smallest


def unpack(data: bytes, limit: int = MAX_TEXT) -> bytes:
    """Decompress what `pack` returned: the bytes that it was given. ArchiveError for other data, or
    if they restore more than `limit` bytes, or than MAX_TEXT, whatever the limit."""
    head, at = read_varint(data, 0)
    # the lowest BITS bits are the number of the stage
    size = head >> stages.BITS
    number = head & ((1 << stages.BITS) - 1)
    if size > min(limit, MAX_TEXT):
        raise ArchiveError(f"damaged: a column claims {size} bytes of text")
    raw = stages.restore(number, data[at:], size)
    if len(raw) != size:
        raise ArchiveError("damaged: a text has not the length it should have")
    return raw


def priced(data: bytes) -> tuple[bytes, Float]:
    """The bytes that `pack` was given, and what each of them takes in data: (these n bytes, (n,)
    float64 bits). The bits of what belongs to no byte, as the length, are in none of these.
    ArchiveError for damaged data."""
    head, at = read_varint(data, 0)
    text = unpack(data)
    # the lowest BITS bits are the number of the stage
    number = head & ((1 << stages.BITS) - 1)
    return text, stages.KNOWN[number].costs(data[at:], text)
