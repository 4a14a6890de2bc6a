"""What stands behind the blocks of an archive: their index, and what seals all of them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from aetool.canonical import Json
from aetool.codec.container.block import HEAD_SIZE, BlockPlace
from aetool.codec.container.digests import SEAL, root_of, seal
from aetool.codec.container.layout import END, DamageError
from aetool.codec.limits import MAX_ALL_ROWS, MAX_BLOCKS, MAX_JSON, MAX_PAYLOAD, MAX_ROWS
from aetool.codec.words import deflate, inflate

_TRAILER = struct.Struct("<32s16s16sQII")  # whole, header's seal, root, offset, length, blocks
_TRAILER_END = struct.Struct("<16s8s")  # seal of the footer, end mark
TRAILER_SIZE = _TRAILER.size + _TRAILER_END.size
NOT_FITTING = "the end is missing or does not fit"
OUT_OF_RANGE = "the index of blocks is out of range"

Described = dict[str, Json]  # parsed JSON


@dataclass(frozen=True)
class Trailer:
    """The last TRAILER_SIZE bytes of an archive of blocks, taken apart.

    whole: the SHA-256, 32 bytes, of what is restored. header_seal: the header's digest; root: that
    of all blocks' seals; seal: the footer's; 16 bytes each. offset: where the footer begins, from
    the archive's begin; length: bytes of its JSON; count: how many blocks there are.
    """

    whole: bytes
    header_seal: bytes
    root: bytes
    offset: int
    length: int
    count: int
    seal: bytes

    @property
    def size(self) -> int:
        """Bytes of the footer before the trailer: its JSON and the seals of all blocks."""
        return self.length + SEAL * self.count

    @classmethod
    def from_bytes(cls, data: bytes) -> Trailer:
        """The trailer that `data`, TRAILER_SIZE bytes, is; DamageError if they have no end mark, or
        name sizes that are not allowed. Digests are read, not compared; struct.error for fewer
        bytes."""
        whole, header_seal, root, offset, length, count = _TRAILER.unpack_from(data)
        footer_seal, end = _TRAILER_END.unpack_from(data, _TRAILER.size)
        trailer = cls(whole, header_seal, root, offset, length, count, footer_seal)
        if end != END or trailer.length > MAX_JSON or trailer.count > MAX_BLOCKS:
            raise DamageError(NOT_FITTING)
        return trailer


@dataclass(frozen=True)
class Footer:
    """The part of an archive behind its blocks: their index, facts, and digests of all.

    described: its JSON: "blocks", a list of [bytes of the payload, rows] of each block; "facts"; in
    large archives "header" and "model", copies of the header and of the model's digest. seals: the
    16-byte digest of each block; whole: the SHA-256, 32 bytes, of what is restored; header_seal:
    the header's digest. offset: where the footer begins, from the archive's begin, as the footer
    itself says.
    """

    described: Described
    seals: Sequence[bytes]
    whole: bytes
    header_seal: bytes
    offset: int

    def to_bytes(self) -> bytes:
        """The footer, its trailer included, as the last bytes of an archive: JSON, deflated, the
        seals of all blocks, and the trailer, which has digests of them. No length is checked."""
        described = deflate(self.described)
        root = root_of(self.seals)
        sizes = self.offset, len(described), len(self.seals)
        fields = _TRAILER.pack(self.whole, self.header_seal, root, *sizes)
        sealed = described + b"".join(self.seals) + fields
        return sealed + _TRAILER_END.pack(seal(sealed), END)

    @classmethod
    def from_bytes(cls, body: bytes, trailer_bytes: bytes) -> Footer:
        """The footer of its bytes: `body`, those before the trailer, and `trailer_bytes`, the
        TRAILER_SIZE bytes of the trailer; DamageError if their digests do not match, or the trailer
        has no end mark or names sizes that are not allowed; ValueError or TypeError for JSON that
        is no object."""
        trailer = Trailer.from_bytes(trailer_bytes)
        if seal(body + trailer_bytes[: _TRAILER.size]) != trailer.seal:
            raise DamageError("the footer's digest does not match")
        # behind the JSON: a seal of each block, SEAL bytes long
        places = range(trailer.length, len(body), SEAL)
        seals = [body[place : place + SEAL] for place in places]
        if root_of(seals) != trailer.root:
            raise DamageError("the digests of blocks do not add up to their root")
        described = dict(inflate(body[: trailer.length]))
        return cls(described, seals, trailer.whole, trailer.header_seal, trailer.offset)

    def index(self, start: int) -> list[BlockPlace]:
        """Where each block lies in the file, in order, from the lengths and numbers of rows that
        the footer lists: one behind the other, the first at offset `start`. DamageError if the list
        has another length than the digests, or a number that is not allowed; KeyError, TypeError or
        ValueError where there is no list of pairs."""
        listed = self.described["blocks"]
        if len(listed) != len(self.seals):
            raise DamageError(OUT_OF_RANGE)
        places = []
        row = 0
        for number, (length, rows) in enumerate(listed):
            # True is an int, too, and no count
            are_counts = type(length) is int and type(rows) is int
            if not are_counts or not 0 <= length < MAX_PAYLOAD or not 0 <= rows < MAX_ROWS:
                raise DamageError(OUT_OF_RANGE)
            size = HEAD_SIZE + length
            places.append(BlockPlace(start, size, row, rows, number, self.seals[number]))
            start += size
            row += rows
        if row >= MAX_ALL_ROWS:
            raise DamageError(OUT_OF_RANGE)
        return places
