"""The .aez container: header, sections, independent blocks, footer; every byte under a checksum.
A small archive of one block is written whole, under one digest.

The layouts are written down beside this file, in FORMAT.md. Reading checks every length, count and
offset against the file's own size before anything is allocated.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from aetool.canonical import canonical, parse_canonical
from aetool.codec.blobs import read_varint, varint
from aetool.errors import ArchiveError, DataError

MAGIC = b"\x89AEZ\r\n\x1a\n"
SYNC = b"\xd5AEZblk\xaa"
END = b"\xd5AEZend\xaa"
MAJOR = 2
WHOLE, NAMED, HASHED = 1, 2, 4  # layout: 0, or WHOLE; then whether it names a model, has a hash
TWICE = 1 << 16  # bytes; archives are WHOLE below, and from here have two copies of their header
MAX_JSON, MAX_BLOCKS, MAX_ROWS, MAX_PAYLOAD = 64 << 20, 1 << 24, 1 << 31, 1 << 31
# What headers and footers are likely to say, so that those of small archives are small.
WORDS = (
    b'{"blocks":[[],"bytes","dtypes":{"errors":[0,0,1,0,0,0,0],"fidelity":"values","pixels","lossy",'
    b'"decimal":".","delimiter":",","format":"csv","newline":"\\r\\n","typed":true,"kind":"image",'
    b'"rows":1000,"source_bytes":,"facts":{"errors":{"x":{"largest":0.5},"cut":1},"header":{"format":'
    b'{"bom":false,"decimal":".","delimiter":",","final_newline":true,"format":"csv","header":true,'
    b'"name":"part.csv","newline":"\\n","space":false,"suffix":".csv"},"head":"","kind":"table",'
    b'"mode":"lossless","names":["[{"errors":[0,0,1,1,2,3,5]},{"format":{"name":"part.csv"},"kind":'
    b'"table","mode":"bounded","shared":1}][{},{"format":{"name":"p.csv"},"kind":"table","mode":'
    b'"lossless","shared":1}]'
)
_START = struct.Struct("<8sHH")
_PREFIX = struct.Struct("<8sHHI16s")
_SECTION = struct.Struct("<Q32s")
_BLOCK = struct.Struct("<8sIQII8s8s")  # sync, number, first row, rows, payload, two digests
_TRAILER = struct.Struct("<32sQII8s")
_CRC = struct.Struct("<I")


def digest(data: bytes | memoryview) -> bytes:
    """8 bytes of BLAKE2b: guards against accidents, and is in the standard library."""
    return hashlib.blake2b(data, digest_size=8).digest()


def deflate(value: Any) -> bytes:
    """Canonical JSON, raw DEFLATE with the preset dictionary WORDS."""
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zdict=WORDS)
    return squeezer.compress(canonical(value)) + squeezer.flush()


def inflate(data: bytes) -> Any:
    """What deflate was given; ValueError for anything else."""
    inflater = zlib.decompressobj(-15, zdict=WORDS)
    try:
        raw = inflater.decompress(data, MAX_JSON)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if not inflater.eof or inflater.unused_data:
        raise ValueError("larger than allowed, or cut short")
    return parse_canonical(raw)


@dataclass(frozen=True)
class BlockInfo:
    """Where a block lies and which rows it holds."""

    offset: int
    length: int
    first: int
    rows: int


@dataclass(frozen=True)
class StoredBlock:
    """A block as read: its number, first row, rows, the digest of its content, and its payload,
    verified against its own digest."""

    number: int
    first: int
    rows: int
    content: bytes
    payload: bytes


@dataclass(eq=False)
class Writer:
    """Writes an archive to a file, front to back."""

    file: BinaryIO
    header: Mapping[str, Any]
    sections: Mapping[str, bytes]
    model: str = ""  # sha256 of the model that is needed and not embedded
    blocks: list[BlockInfo] = field(default_factory=list)
    rows: int = 0
    _first: tuple[int, bytes, bytes] | None = None  # a block that may turn out to be the only one

    def _begin(self) -> None:
        self._described = {**self.header, "sections": list(self.sections)}
        body = deflate(self._described)
        if len(body) > MAX_JSON:
            raise DataError("the header of the archive would be too large: are there many columns?")
        named = bytes.fromhex(self.model)[:16]
        head = _PREFIX.pack(MAGIC, MAJOR, 0, len(body), named) + body
        self.file.write(head + _CRC.pack(zlib.crc32(head)))
        for data in self.sections.values():
            self.file.write(_SECTION.pack(len(data), hashlib.sha256(data).digest()) + data)
        if self._first is not None:
            self._append(*self._first)

    def add(self, rows: int, content: bytes, payload: bytes) -> None:
        """Append a block of this many rows; content: the digest of what it decodes to."""
        if self.blocks:
            self._append(rows, content, payload)
        elif self._first is None and not self.sections and len(payload) < TWICE:
            self._first = rows, content, payload
        else:
            self._begin()
            self._append(rows, content, payload)

    def _append(self, rows: int, content: bytes, payload: bytes) -> None:
        if len(payload) >= MAX_PAYLOAD or len(self.blocks) >= MAX_BLOCKS:
            raise DataError("a block of the archive would be larger than 2 GiB")
        number = len(self.blocks)
        head = _BLOCK.pack(SYNC, number, self.rows, rows, len(payload), content, digest(payload))
        offset = self.file.tell()
        self.file.write(head + _CRC.pack(zlib.crc32(head)) + payload)
        self.blocks.append(BlockInfo(offset, self.file.tell() - offset, self.rows, rows))
        self.rows += rows

    def finish(self, facts: Mapping[str, Any], sha256: bytes = bytes(32)) -> None:
        """Write what is left. facts: errors measured, sizes; sha256: of what is restored."""
        if not self.blocks:
            small = self._whole(facts, sha256)
            if not self.sections and len(small) < TWICE:
                self.file.write(small)
                self.rows = self._first[0] if self._first else 0
                return
            self._begin()
        index = [[b.length, b.rows] for b in self.blocks]
        offset = self.file.tell()
        header = None if offset < TWICE else self._described
        footer = deflate({"facts": facts, "blocks": index, "header": header})
        fields = struct.pack("<32sQI", sha256, offset, len(footer))
        self.file.write(footer + fields + _CRC.pack(zlib.crc32(footer + fields)) + END)

    def _whole(self, facts: Mapping[str, Any], sha256: bytes) -> bytes:
        rows, content, payload = self._first or (0, bytes(8), b"")
        layout = WHOLE | (NAMED if self.model else 0) | (HASHED if any(sha256) else 0)
        words = deflate([facts, self.header])
        data = b"".join([
            _START.pack(MAGIC, MAJOR, layout), bytes.fromhex(self.model)[:16],
            varint(rows), varint(len(words)), words,
            payload, content, sha256[:16] if any(sha256) else b"",
        ])  # fmt: skip
        return data + digest(data)


class Reader:
    """An archive opened for reading: header, sections and footer verified, blocks on demand.

    lenient: go on where header or footer is damaged, by the footer's copy of the header, and by
    looking for blocks; `lost` then says what is missing.
    """

    def __init__(self, path: Path, lenient: bool = False, name: str = "") -> None:
        self.path = Path(name or path)  # as messages call it
        self.lost: list[str] = []
        self.header: dict[str, Any] = {}
        self.model = bytes(16)  # how the sha256 of the model begins that is needed
        self.sha256 = b""  # of what is restored: whole, its first 16 bytes, or none
        self.facts: dict[str, Any] = {}
        self.sections: dict[str, bytes] = {}
        self.blocks: list[BlockInfo] = []
        self._only: StoredBlock | None = None  # of an archive of one block, which is read at once
        try:
            self.file: BinaryIO = path.open("rb")
            self.size = os.fstat(self.file.fileno()).st_size
        except OSError as error:
            raise DataError(f"{path}: {error.strerror or error}") from None
        try:
            self._open_leniently() if lenient else self._open()
        except (ValueError, KeyError, TypeError, struct.error, OverflowError) as error:
            self.file.close()
            raise self.damaged(str(error)) from None
        except BaseException:
            self.file.close()
            raise

    @property
    def rows(self) -> int:
        """Records in the archive."""
        return self.blocks[-1].first + self.blocks[-1].rows if self.blocks else 0

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def damaged(self, why: str) -> ArchiveError:
        """The error for this file."""
        return ArchiveError(f"{self.path}: damaged: {why.removeprefix('damaged: ')}")

    def _read(self, offset: int, length: int) -> bytes:
        if offset < 0 or length < 0 or offset + length > self.size:
            raise self.damaged("cut short")
        data = os.pread(self.file.fileno(), length, offset)
        if len(data) != length:
            raise self.damaged("cut short")
        return data

    def _open(self) -> None:
        if self._layout():
            self._open_whole()
        else:
            self._open_parts()

    def _open_parts(self) -> None:
        at = self._header()
        at = self._sections(at)
        start = at
        footer, end = self._footer()
        if footer["header"] != (None if end < TWICE else self.header):
            raise self.damaged("its two headers differ")
        row = 0
        for length, rows in footer["blocks"]:
            if type(length) is not int or type(rows) is not int or length <= 0 or rows < 0:
                raise self.damaged("the index of blocks is out of range")
            self.blocks.append(BlockInfo(start, length, row, rows))
            start, row = start + length, row + rows
        if start != end or len(self.blocks) > MAX_BLOCKS:
            raise self.damaged("the index does not cover the file")
        self.facts = dict(footer["facts"])

    def _layout(self) -> int:
        head = self._read(0, min(self.size, _START.size))
        if not head.startswith(MAGIC):
            raise ArchiveError(f"{self.path}: not an .aez archive, or its first bytes are damaged")
        if len(head) < _START.size:
            raise self.damaged("cut short")
        _, major, layout = _START.unpack(head)
        if major != MAJOR or layout not in (0, *range(WHOLE, 2 * HASHED, 2)):
            raise ArchiveError(f"{self.path}: format {major}.{layout}, or damaged; this aetool "
                               f"reads format {MAJOR}")  # fmt: skip
        return int(layout)

    def _open_whole(self, lenient: bool = False) -> None:
        """An archive of one block at most, under one digest."""
        if self.size >= TWICE:
            raise self.damaged("longer than an archive of its layout may be")
        data = self._read(0, self.size)
        end = self.size - 8
        if digest(data[:end]) != data[end:]:
            if not lenient:
                raise self.damaged("its digest does not match")
            self.lost.append("its digest (values match one of their own; names may be wrong)")
        layout, at = self._layout(), _START.size
        if layout & NAMED:
            self.model, at = data[at : at + 16], at + 16
        rows, at = read_varint(data, at)
        size, at = read_varint(data, at)
        facts, header = inflate(data[at : at + size])
        at += size
        if layout & HASHED:
            self.sha256, end = data[end - 16 : end], end - 16
        content, end = data[end - 8 : end], end - 8
        if at > end or rows >= MAX_ROWS:
            raise self.damaged("its parts do not fit")
        self.facts, self.header = dict(facts), dict(header)
        if at < end:
            self.blocks = [BlockInfo(at, end - at, 0, rows)]
            self._only = StoredBlock(0, 0, rows, content, data[at:end])

    def _header(self) -> int:
        self._layout()
        head = self._read(0, min(self.size, _PREFIX.size))
        if len(head) < _PREFIX.size:
            raise self.damaged("cut short")
        _, _, _, length, self.model = _PREFIX.unpack(head)
        if length > MAX_JSON:
            raise self.damaged("the header is larger than allowed")
        head = self._read(0, _PREFIX.size + length)
        if _CRC.unpack(self._read(len(head), _CRC.size))[0] != zlib.crc32(head):
            raise self.damaged("the header's checksum does not match")
        self.header = dict(inflate(head[_PREFIX.size :]))
        return len(head) + _CRC.size

    def _sections(self, at: int) -> int:
        for name in self.header["sections"]:
            size, expected = _SECTION.unpack(self._read(at, _SECTION.size))
            data = self._read(at + _SECTION.size, size)
            if hashlib.sha256(data).digest() != expected:
                raise self.damaged(f"section {name} does not match its hash")
            self.sections[str(name)] = data
            at += _SECTION.size + size
        return at

    def _footer(self) -> tuple[dict[str, Any], int]:
        trailer = self._read(self.size - _TRAILER.size, _TRAILER.size)
        sha256, offset, length, crc, end = _TRAILER.unpack(trailer)
        if end != END or length > MAX_JSON or offset + length + _TRAILER.size != self.size:
            raise self.damaged("the end is missing or does not fit")
        footer = self._read(offset, length)
        if zlib.crc32(footer + trailer[: struct.calcsize("<32sQI")]) != crc:
            raise self.damaged("the footer's checksum does not match")
        self.sha256 = sha256 if any(sha256) else b""
        return dict(inflate(footer)), offset

    def _open_leniently(self) -> None:
        whole = 0
        with contextlib.suppress(ArchiveError):
            whole = self._layout()
        if whole:
            self._open_whole(lenient=True)
        else:
            self._open_what_is_left()

    def _open_what_is_left(self) -> None:
        footer: dict[str, Any] = {}
        try:
            footer, _ = self._footer()
            self.facts = dict(footer["facts"])
        except (ArchiveError, ValueError, KeyError, TypeError) as error:
            self.lost.append(f"the footer ({error})")
        try:
            self._sections(self._header())
        except (ArchiveError, ValueError, KeyError, TypeError) as error:
            self.lost.append(f"the header ({error})")
            if not footer:
                raise self.damaged("neither header nor footer can be read") from None
            self.header = dict(footer["header"] or self._no_copy())
        self._scan()

    def _no_copy(self) -> dict[str, Any]:
        raise self.damaged("its header cannot be read, and so small an archive has no copy of it")

    def _scan(self) -> None:
        """Finds blocks by their sync marks, in pieces of the file."""
        step, keep = 1 << 22, _BLOCK.size + _CRC.size
        for base in range(0, self.size, step):
            piece = self._read(base, min(step + keep, self.size - base))
            at = piece.find(SYNC)
            while 0 <= at < step:
                try:
                    _, first, rows, length = self._head(base + at)
                    whole = keep + length
                    self.blocks.append(BlockInfo(base + at, whole, first, rows))
                except ArchiveError:
                    pass
                at = piece.find(SYNC, at + 1)
        self.blocks.sort(key=lambda b: b.first)

    def _head(self, offset: int) -> tuple[int, int, int, int]:
        """(number, first row, rows, payload length) of the block at this offset."""
        head = self._read(offset, _BLOCK.size)
        sync, number, first, rows, length, _, _ = _BLOCK.unpack(head)
        if sync != SYNC:
            raise self.damaged("a block does not begin as a block does")
        if _CRC.unpack(self._read(offset + _BLOCK.size, _CRC.size))[0] != zlib.crc32(head):
            raise self.damaged("the checksum of a block does not match")
        if length >= MAX_PAYLOAD or rows > MAX_ROWS or first >= 1 << 62:
            raise self.damaged("a block is larger than allowed")
        return number, first, rows, length

    def check_whole(self, digest: bytes) -> None:
        """ArchiveError unless the digest of what is restored begins as the stored one."""
        if not self.sha256 or not digest.startswith(self.sha256):
            raise self.damaged("the whole does not match its digest")

    def block(self, index: int) -> StoredBlock:
        """A block's payload, its checksums verified."""
        if self._only is not None:
            return self._only
        info = self.blocks[index]
        number, first, rows, length = self._head(info.offset)
        size = _BLOCK.size + _CRC.size
        if size + length != info.length:
            raise self.damaged(f"block {index} has not the length it should have")
        if (first, rows) != (info.first, info.rows) or (number != index and not self.lost):
            raise self.damaged(f"block {index} is out of place")
        content, expected = _BLOCK.unpack(self._read(info.offset, _BLOCK.size))[5:]
        payload = self._read(info.offset + size, length)
        if digest(payload) != expected:
            raise self.damaged(f"the content of block {index} does not match its digest")
        return StoredBlock(number, first, rows, content, payload)
