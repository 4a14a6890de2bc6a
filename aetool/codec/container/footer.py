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
    """The last bytes of an archive of blocks, of a fixed size.

    whole: the digest of the whole; offset: of the footer, from the archive's begin; length: bytes
    of the footer's description; count: of blocks; seal: of the footer.
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
        """Bytes of the footer that stand before the trailer."""
        return self.length + SEAL * self.count

    @classmethod
    def from_bytes(cls, frame: bytes) -> Trailer:
        """The trailer of TRAILER_SIZE bytes; DamageError for anything else."""
        whole, header_seal, root, offset, length, count = _TRAILER.unpack_from(frame)
        footer_seal, end = _TRAILER_END.unpack_from(frame, _TRAILER.size)
        trailer = cls(whole, header_seal, root, offset, length, count, footer_seal)
        if end != END or trailer.length > MAX_JSON or trailer.count > MAX_BLOCKS:
            raise DamageError(NOT_FITTING)
        return trailer


@dataclass(frozen=True)
class Footer:
    """What stands behind the blocks.

    described: its JSON, with "blocks", "facts" and maybe a copy of the header; seals: of the
    blocks; whole: the digest of the whole; offset: from the archive's begin, as it says itself.
    """

    described: Described
    seals: Sequence[bytes]
    whole: bytes
    header_seal: bytes
    offset: int

    def to_bytes(self) -> bytes:
        """The footer as the last bytes of an archive, trailer included."""
        described = deflate(self.described)
        root = root_of(self.seals)
        sizes = self.offset, len(described), len(self.seals)
        fields = _TRAILER.pack(self.whole, self.header_seal, root, *sizes)
        body = described + b"".join(self.seals) + fields
        return body + _TRAILER_END.pack(seal(body), END)

    @classmethod
    def from_bytes(cls, body: bytes, frame: bytes) -> Footer:
        """The footer of the bytes before its trailer, and of these; DamageError for others."""
        trailer = Trailer.from_bytes(frame)
        if seal(body + frame[: _TRAILER.size]) != trailer.seal:
            raise DamageError("the footer's digest does not match")
        places = range(trailer.length, len(body), SEAL)
        seals = [body[place : place + SEAL] for place in places]
        if root_of(seals) != trailer.root:
            raise DamageError("the digests of blocks do not add up to their root")
        described = dict(inflate(body[: trailer.length]))
        return cls(described, seals, trailer.whole, trailer.header_seal, trailer.offset)

    def index(self, start: int) -> list[BlockPlace]:
        """The blocks that it lists, the first of them at this offset of the file."""
        listed = self.described["blocks"]
        if len(listed) != len(self.seals):
            raise DamageError(OUT_OF_RANGE)
        places = []
        row = 0
        for number, (length, rows) in enumerate(listed):
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
