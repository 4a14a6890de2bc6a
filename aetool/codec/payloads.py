"""The bytes of a block, its payload: a description in JSON, the lengths of its parts, and the
parts.

    payload = varint n | n bytes: the description, JSON | lengths of parts | parts

Lengths: a bit for each part, whether it has any bytes, then a varint for each that has, but the
last one: it ends with the payload.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aetool.canonical import Json
from aetool.codec import descriptions
from aetool.codec.blobs import read_varint, varint
from aetool.errors import ArchiveError


def payload_of(head: bytes, parts: Sequence[bytes]) -> bytes:
    """The bytes of a block, its payload: varint length of head, head, the lengths of the parts, the
    parts. head: the block's description, compressed as `descriptions.described` returns it; b"" for
    none. parts: any may be empty; how many they are is not stored: `lengths_of` has to be told."""
    has_bytes = np.array([len(part) > 0 for part in parts], np.bool_)
    bitmap = np.packbits(has_bytes)
    payload = varint(len(head)) + head
    payload += bitmap.tobytes()
    lengths = [len(part) for part in parts if part]
    # the last part ends with the payload
    for length in lengths[:-1]:
        payload += varint(length)
    return payload + b"".join(parts)


def words_of(payload: bytes) -> tuple[dict[str, Json], int]:
    """Read the first part of a block's bytes, its payload: (the block's description, JSON by name,
    {} for none; the offset at which the lengths of the parts begin, for `lengths_of`). ArchiveError
    if the description is cut short or damaged, or its JSON is anything but an object."""
    size, begin = read_varint(payload, 0)
    if size > len(payload) - begin:
        raise ArchiveError("damaged: a block is cut short")
    if not size:
        return {}, begin
    end = begin + size
    try:
        description = descriptions.read(payload[begin:end])
    except ValueError as error:
        raise ArchiveError(f"damaged: a block's plans: {error}") from None
    # a list of pairs would make a dictionary, too
    if not isinstance(description, dict):
        raise ArchiveError("damaged: a block's plans are no JSON object")
    return description, end


def has_mixed_words(payload: bytes) -> bool:
    """Whether the description of a block is coded by a mixture of contexts, not deflated;
    ArchiveError if its length is cut short. payload: the block's bytes, with a description; it is
    not decompressed."""
    _, begin = read_varint(payload, 0)
    return descriptions.is_mixed(payload[begin:])


def lengths_of(payload: bytes, offset: int, count: int) -> tuple[list[int], int]:
    """Read the lengths of `count` parts at payload[offset:]: (how many bytes each part has, 0 or
    more; the offset in the payload at which the first part begins). offset: the second result of
    `words_of`. ArchiveError if the lengths are cut short, if the parts do not end just where the
    payload does, or for bits behind the one of the last part."""
    # a bit for each part
    size = (count + 7) // 8
    if size > len(payload) - offset:
        raise ArchiveError("damaged: a block is cut short")
    bitmap = np.frombuffer(payload, np.uint8, size, offset)
    has_bytes = np.unpackbits(bitmap, count=count)
    # bits behind the last part's must be 0: a payload has one form alone
    if not np.array_equal(np.packbits(has_bytes), bitmap):
        raise ArchiveError("damaged: the parts of a block do not add up")
    offset += size
    lengths = [0] * count
    places = np.flatnonzero(has_bytes).tolist()
    for place in places[:-1]:
        lengths[place], offset = read_varint(payload, offset)
    last_length = len(payload) - offset - sum(lengths)
    has_last = last_length > 0
    # no part is there without its bytes, and no bytes are without a part
    if last_length < 0 or has_last != bool(places):
        raise ArchiveError("damaged: the parts of a block do not add up")
    if places:
        lengths[places[-1]] = last_length
    return lengths, offset
