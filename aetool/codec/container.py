"""The .aez container: header, sections, independent blocks, footer; every byte under a checksum.

The layout is written down in docs of this package: aetool/codec/FORMAT.md. Reading checks every
length, count and offset against the file's own size before anything is allocated.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from aetool.bundle import canonical, parse_canonical
from aetool.codec.streams import MAX_RAW
from aetool.errors import ArchiveError, DataError

MAGIC = b"\x89AEZ\r\n\x1a\n"
SYNC = b"\xd5AEZblk\xaa"
END = b"\xd5AEZend\xaa"
MAJOR, MINOR = 1, 0
MAX_HEADER, MAX_FOOTER, MAX_STREAMS, MAX_BLOCKS = 16 << 20, 256 << 20, 1 << 16, 1 << 24
_PREFIX = struct.Struct("<8sHHI")
_SECTION = struct.Struct("<Q32s")
_BLOCK = struct.Struct("<8sQQIQQI")  # sync, number, first row, rows, payload, raw, streams
_STREAM = struct.Struct("<QQB16s")  # length, raw length, coder, digest of the raw bytes
_DIGESTS = struct.Struct("<16s16s")
_TRAILER = struct.Struct("<QII8s")
_CRC = struct.Struct("<I")


def digest(data: bytes) -> bytes:
    """16 bytes of BLAKE2b: guards against accidents, and is in the standard library."""
    return hashlib.blake2b(data, digest_size=16).digest()


@dataclass(frozen=True)
class Stream:
    """One stream of a block: coder, coded bytes, and the raw bytes' length and digest."""

    coder: int
    data: bytes
    raw_length: int
    digest: bytes


@dataclass(frozen=True)
class BlockInfo:
    """Where a block lies and which rows it holds."""

    offset: int
    length: int
    first: int
    rows: int


@dataclass(frozen=True)
class Block:
    """A block as read: its rows and its streams, payload verified, content not yet decoded."""

    first: int
    rows: int
    streams: list[Stream]
    content: bytes


@dataclass(eq=False)
class Writer:
    """Writes an archive to a file, front to back."""

    file: BinaryIO
    header: Mapping[str, Any]
    sections: Mapping[str, bytes]
    blocks: list[BlockInfo] = field(default_factory=list)
    rows: int = 0

    def __post_init__(self) -> None:
        described = {**self.header, "sections": list(self.sections)}
        body = canonical(described)
        if len(body) > MAX_HEADER:
            raise DataError(
                "the header of the archive would be too large; are there so many columns?"
            )
        head = _PREFIX.pack(MAGIC, MAJOR, MINOR, len(body)) + body
        self.file.write(head + _CRC.pack(zlib.crc32(head)))
        for data in self.sections.values():
            self.file.write(_SECTION.pack(len(data), hashlib.sha256(data).digest()) + data)
        self._body = body

    def add(self, rows: int, streams: Sequence[Stream]) -> None:
        """Append a block of this many rows."""
        payload = b"".join(s.data for s in streams)
        raw = sum(s.raw_length for s in streams)
        head = _BLOCK.pack(SYNC, len(self.blocks), self.rows, rows, len(payload), raw, len(streams))
        head += b"".join(
            _STREAM.pack(len(s.data), s.raw_length, s.coder, s.digest) for s in streams
        )
        content = digest(b"".join(s.digest for s in streams))
        head += _DIGESTS.pack(content, digest(payload))
        offset = self.file.tell()
        self.file.write(head + _CRC.pack(zlib.crc32(head)) + payload)
        self.blocks.append(BlockInfo(offset, self.file.tell() - offset, self.rows, rows))
        self.rows += rows

    def finish(self, facts: Mapping[str, Any]) -> None:
        """Write footer and trailer. facts: fidelity, errors measured, sizes."""
        index = [[b.offset, b.length, b.first, b.rows] for b in self.blocks]
        header = self._body.decode()
        footer = canonical({**facts, "blocks": index, "rows": self.rows, "header": header})
        offset = self.file.tell()
        fields = struct.pack("<QI", offset, len(footer))
        self.file.write(footer + fields + _CRC.pack(zlib.crc32(footer + fields)) + END)


class Reader:
    """An archive opened for reading: header, sections and footer verified, blocks on demand."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.file: BinaryIO = path.open("rb")
            self.size = os.fstat(self.file.fileno()).st_size
        except OSError as error:
            raise DataError(f"{path}: {error.strerror or error}") from None
        try:
            self._open()
        except (ValueError, KeyError, TypeError, struct.error, UnicodeDecodeError) as error:
            self.file.close()
            raise self.damaged(str(error)) from None
        except BaseException:
            self.file.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def damaged(self, why: str) -> ArchiveError:
        """The error for this file."""
        return ArchiveError(f"{self.path}: damaged: {why}")

    def _read(self, offset: int, length: int) -> bytes:
        if offset < 0 or length < 0 or offset + length > self.size:
            raise self.damaged("cut short")
        self.file.seek(offset)
        data = self.file.read(length)
        if len(data) != length:
            raise self.damaged("cut short")
        return data

    def _open(self) -> None:
        head = self._read(0, min(self.size, _PREFIX.size))
        if not head.startswith(MAGIC):
            raise ArchiveError(f"{self.path}: not an .aez archive, or its first bytes are damaged")
        if len(head) < _PREFIX.size:
            raise self.damaged("cut short")
        _, major, _, length = _PREFIX.unpack(head)
        if major != MAJOR:
            raise ArchiveError(
                f"{self.path}: format {major}, or damaged; this aetool reads format {MAJOR}"
            )
        if length > MAX_HEADER:
            raise self.damaged("the header is larger than allowed")
        head = self._read(0, _PREFIX.size + length)
        at = len(head) + _CRC.size
        if _CRC.unpack(self._read(len(head), _CRC.size))[0] != zlib.crc32(head):
            raise self.damaged("the header's checksum does not match")
        body = head[_PREFIX.size :]
        self.header: dict[str, Any] = parse_canonical(body)
        self.sections: dict[str, bytes] = {}
        for name in self.header["sections"]:
            size, expected = _SECTION.unpack(self._read(at, _SECTION.size))
            data = self._read(at + _SECTION.size, size)
            if hashlib.sha256(data).digest() != expected:
                raise self.damaged(f"section {name} does not match its hash")
            self.sections[name] = data
            at += _SECTION.size + size
        self._footer(at, body)

    def _footer(self, start: int, body: bytes) -> None:
        trailer = self._read(self.size - _TRAILER.size, _TRAILER.size)
        offset, length, crc, end = _TRAILER.unpack(trailer)
        if end != END or length > MAX_FOOTER or offset + length + _TRAILER.size != self.size:
            raise self.damaged("the end is missing or does not fit")
        footer = self._read(offset, length)
        if zlib.crc32(footer + trailer[: struct.calcsize("<QI")]) != crc:
            raise self.damaged("the footer's checksum does not match")
        self.footer: dict[str, Any] = parse_canonical(footer)
        if self.footer["header"].encode() != body:
            raise self.damaged("its two headers differ")
        self.blocks = [BlockInfo(*(int(v) for v in b)) for b in self.footer["blocks"]]
        self.rows = int(self.footer["rows"])
        row = 0
        for block in self.blocks:
            if block.offset != start or block.first != row or block.rows < 0 or block.length <= 0:
                raise self.damaged("the index of blocks has a hole")
            start, row = start + block.length, row + block.rows
        if start != offset or row != self.rows or len(self.blocks) > MAX_BLOCKS:
            raise self.damaged("the index does not cover the file")

    def block(self, number: int) -> Block:
        """A block's streams, its checksums verified."""
        info = self.blocks[number]
        head = self._read(info.offset, min(_BLOCK.size, info.length))
        if len(head) < _BLOCK.size:
            raise self.damaged(f"block {number} is cut short")
        sync, index, first, rows, payload_length, raw, streams = _BLOCK.unpack(head)
        if sync != SYNC or streams > MAX_STREAMS:
            raise self.damaged(f"block {number} does not begin as a block does")
        size = _BLOCK.size + streams * _STREAM.size + _DIGESTS.size
        if size + _CRC.size + payload_length != info.length:
            raise self.damaged(f"block {number} has not the length it should have")
        head = self._read(info.offset, size)
        if _CRC.unpack(self._read(info.offset + size, _CRC.size))[0] != zlib.crc32(head):
            raise self.damaged(f"the checksum of block {number} does not match")
        if (index, first, rows) != (number, info.first, info.rows):
            raise self.damaged(f"block {number} is out of place")
        content, expected = _DIGESTS.unpack_from(head, size - _DIGESTS.size)
        payload = self._read(info.offset + size + _CRC.size, payload_length)
        if digest(payload) != expected:
            raise self.damaged(f"the content of block {number} does not match its digest")
        return Block(
            first, rows, self._streams(head, payload, streams, raw, content, number), content
        )

    def _streams(
        self, head: bytes, payload: bytes, count: int, raw: int, content: bytes, number: int
    ) -> list[Stream]:
        out, at, total = [], 0, 0
        for i in range(count):
            entry = _STREAM.unpack_from(head, _BLOCK.size + i * _STREAM.size)
            length, raw_length, coder, digest_ = entry
            if raw_length > MAX_RAW:
                raise self.damaged(f"a stream of block {number} claims {raw_length} bytes")
            out.append(Stream(coder, payload[at : at + length], raw_length, digest_))
            at, total = at + length, total + raw_length
        whole = digest(b"".join(s.digest for s in out))
        if at != len(payload) or total != raw or whole != content:
            raise self.damaged(f"the streams of block {number} do not add up")
        return out
