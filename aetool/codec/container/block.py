"""A block as its bytes lie in the file: its head, which binds it to its archive and place, and its
payload."""

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
    """Where a block lies in the file. offset, length: in bytes, its head included; first, rows: the
    number of its first record, from 0, and how many records it has; number: of the block, from 0.
    seal: the 16-byte digest of it that the footer lists; b"" without a footer."""

    offset: int
    length: int
    first: int
    rows: int
    number: int
    seal: bytes = b""

    @property
    def end(self) -> int:
        """The offset in the file just after the block."""
        return self.offset + self.length


@dataclass(frozen=True)
class BlockHead:
    """The fields of a block's head, which are HEAD_SIZE bytes before its payload.

    number: of the block, from 0; first, rows: the number, from 0, of its first record in the
    archive, and how many it has; length: bytes of the payload; content: the 8-byte digest of what
    the payload decodes to. The seal and the checksum at the end of the head are not among them.
    """

    number: int
    first: int
    rows: int
    length: int
    content: bytes

    def _fields(self) -> bytes:
        """The fields of the head as bytes, behind the mark by which a block is found (SYNC), and
        without seal and checksum. Whole numbers are little-endian; struct.error for one that is
        below 0 or too large for its field."""
        return _HEAD.pack(SYNC, self.number, self.first, self.rows, self.length, self.content)

    def seal(self, header_seal: bytes, payload: bytes) -> bytes:
        """The 16-byte digest of the payload, this head and the header's digest together: a block of
        another archive, or at another place, has another. header_seal: 16 bytes; payload: as it is
        stored."""
        return seal(header_seal, self._fields(), seal(payload))

    def to_bytes(self, block_seal: bytes) -> bytes:
        """The head as HEAD_SIZE bytes of an archive: mark, fields, seal, and a CRC-32 of these.
        block_seal: as `seal` returns it, 16 bytes."""
        checked = self._fields() + block_seal
        checksum = LENGTH.pack(zlib.crc32(checked))
        return checked + checksum

    @classmethod
    def from_bytes(cls, data: bytes) -> tuple[BlockHead, bytes]:
        """Read a block's head from `data`, the HEAD_SIZE bytes before its payload: (head, seal).
        The seal, 16 bytes, is read, not compared; the CRC-32 at the end is. DamageError if they are
        no head, or name sizes that are not allowed; struct.error for fewer bytes."""
        sync, number, first, rows, length, content = _HEAD.unpack_from(data)
        if sync != SYNC:
            raise DamageError("it does not begin as a block does")
        checked = data[: -LENGTH.size]
        (checksum,) = LENGTH.unpack_from(data, len(checked))
        if zlib.crc32(checked) != checksum:
            raise DamageError("the checksum of its head does not match")
        if length >= MAX_PAYLOAD or rows >= MAX_ROWS or first >= MAX_ALL_ROWS:
            raise DamageError("a block is larger than allowed")
        block_seal = checked[_HEAD.size :]
        return cls(number, first, rows, length, content), block_seal


@dataclass(frozen=True)
class StoredBlock:
    """A block that was read, its payload compared with its digest. number: of the block, from 0;
    first: the number, from 0, of its first record in the archive; rows: how many records it has;
    content: the 8-byte digest of what it decodes to, b"" in an archive of one piece, which has only
    one of all that it restores; payload: its bytes as they are stored."""

    number: int
    first: int
    rows: int
    content: bytes
    payload: bytes
