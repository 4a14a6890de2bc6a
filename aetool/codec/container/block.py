"""A block as it stands in the file: its head, which binds it to its archive and place."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from aetool.codec.container.digests import SEAL, seal
from aetool.codec.container.layout import LENGTH, SYNC, DamageError
from aetool.codec.limits import MAX_ALL_ROWS, MAX_PAYLOAD, MAX_ROWS

_HEAD = struct.Struct("<8sIQII8s")  # sync, number, first row, rows, payload length, content digest
HEAD_SIZE = _HEAD.size + SEAL + LENGTH.size


@dataclass(frozen=True)
class BlockPlace:
    """Where a block lies in the file. offset, length: in bytes, head and payload together; first,
    rows: its records, from 0; number: its position among blocks; seal: the digest in the footer
    that protects it, if there is a footer."""

    offset: int
    length: int
    first: int
    rows: int
    number: int
    seal: bytes = b""

    @property
    def end(self) -> int:
        """The offset just after the block."""
        return self.offset + self.length


@dataclass(frozen=True)
class BlockHead:
    """What stands before the payload of a block.

    length: bytes of the payload; content: the digest of what it decodes to.
    """

    number: int
    first: int
    rows: int
    length: int
    content: bytes

    def _fields(self) -> bytes:
        return _HEAD.pack(SYNC, self.number, self.first, self.rows, self.length, self.content)

    def seal(self, header_seal: bytes, payload: bytes) -> bytes:
        """The digest that ties the payload to this head, its position and the archive's header."""
        return seal(header_seal, self._fields(), seal(payload))

    def to_bytes(self, block_seal: bytes) -> bytes:
        """The head of a block as bytes of an archive."""
        checked = self._fields() + block_seal
        return checked + LENGTH.pack(zlib.crc32(checked))

    @classmethod
    def from_bytes(cls, frame: bytes) -> tuple[BlockHead, bytes]:
        """(head, seal) of HEAD_SIZE bytes; DamageError for anything else."""
        sync, number, first, rows, length, content = _HEAD.unpack_from(frame)
        if sync != SYNC:
            raise DamageError("it does not begin as a block does")
        checked = frame[: -LENGTH.size]
        (checksum,) = LENGTH.unpack_from(frame, len(checked))
        if zlib.crc32(checked) != checksum:
            raise DamageError("the checksum of its head does not match")
        if length >= MAX_PAYLOAD or rows >= MAX_ROWS or first >= MAX_ALL_ROWS:
            raise DamageError("a block is larger than allowed")
        return cls(number, first, rows, length, content), checked[_HEAD.size :]


@dataclass(frozen=True)
class StoredBlock:
    """A block as read, its payload verified: its number, first row, rows, and the digest of its
    content (empty where the archive is one block, which the digest of the whole is about)."""

    number: int
    first: int
    rows: int
    content: bytes
    payload: bytes
