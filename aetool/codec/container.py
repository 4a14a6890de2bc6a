"""The .aez container: header, sections, independent blocks, footer; every byte under a digest.
A small archive of one block is written whole, under one digest.

The layouts are written down beside this file, in FORMAT.md. Reading checks every length, count and
offset against the file's own size and against limits.py before anything is allocated.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from aetool.canonical import canonical, parse_canonical
from aetool.codec.blobs import read_varint, varint
from aetool.codec.limits import (
    MAX_ALL_ROWS,
    MAX_BLOCKS,
    MAX_JSON,
    MAX_PAYLOAD,
    MAX_ROWS,
    MAX_SECTION,
)
from aetool.codec.words import WORDS
from aetool.errors import ArchiveError, DataError, NoArchiveError

MAGIC = b"\x89AEZ\r\n\x1a\n"
SYNC = b"\xd5AEZblk\xaa"
END = b"\xd5AEZend\xaa"
MAJOR = 3
WHOLE, NAMED = 1, 2  # layout: in one piece; a model is named
TWICE = 1 << 16  # bytes; archives are WHOLE below, and from here have two copies of their header
COPIED = ("header", "model")  # of the header, in the footer
DIGEST = 8  # bytes of a digest that guards against accidents
SHORT = 4  # bytes of the digest of the whole, in one piece: its own digest guards the rest
SEAL = 16  # bytes of one that also binds parts together
_START = struct.Struct("<8sBB")
_LENGTH = struct.Struct("<I")
_BLOCK = struct.Struct("<8sIQII8s")  # sync, number, first row, rows, payload length, content digest
_BLOCK_END = struct.Struct("<16sI")  # seal, crc32 of all before
_TRAILER = struct.Struct("<32s16s16sQII16s8s")
HEAD_SIZE = _BLOCK.size + _BLOCK_END.size


def digest(data: bytes | memoryview) -> bytes:
    """8 bytes of BLAKE2b: guards against accidents, and is in the standard library."""
    return hashlib.blake2b(data, digest_size=DIGEST).digest()


def seal(*parts: bytes) -> bytes:
    """16 bytes of BLAKE2b of all parts, one behind the other."""
    hasher = hashlib.blake2b(digest_size=SEAL)
    for part in parts:
        hasher.update(part)
    return hasher.digest()


def root_of(seals: Sequence[bytes]) -> bytes:
    """The root of a tree whose leaves are the seals of blocks.

    A leaf is the seal of 00 and a block's seal, a node that of 01 and its two children; the last
    of an odd number moves up as it is. Without blocks it is the seal of nothing. (The prefixes
    keep a node from being taken for a leaf: Merkle trees as in RFC 6962, section 2.1.)
    """
    level = [seal(b"\0", leaf) for leaf in seals]
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        above = [seal(b"\1", left, right) for left, right in pairs]
        level = above + level[len(level) - len(level) % 2 :]
    return level[0] if level else seal()


def deflate(value: object) -> bytes:
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
    """Where a block lies, its length, which rows it holds, its number, and its seal, if the footer
    says so."""

    offset: int
    length: int
    first: int
    rows: int
    number: int
    seal: bytes = b""


@dataclass(frozen=True)
class StoredBlock:
    """A block as read, its payload verified: its number, first row, rows, and the digest of its
    content (empty where the archive is one block, which the digest of the whole is about)."""

    number: int
    first: int
    rows: int
    content: bytes
    payload: bytes


@dataclass(eq=False)
class Writer:
    """Writes an archive to a file, front to back."""

    file: BinaryIO
    header: Mapping[str, object]
    sections: Mapping[str, bytes]
    model: str = ""  # sha256 of the model that is needed and not embedded
    blocks: list[BlockInfo] = field(default_factory=list)
    rows: int = 0
    _first: tuple[int, bytes, bytes] | None = None  # a block that may turn out to be the only one

    @property
    def _model(self) -> bytes:
        return bytes.fromhex(self.model)[:16]

    def _begin(self) -> None:
        """Writes the header, which binds the sections, and these."""
        listed = [
            [name, len(data), hashlib.sha256(data).hexdigest()]
            for name, data in self.sections.items()
        ]
        self._described = {**self.header, **({"sections": listed} if listed else {})}
        body = deflate(self._described)
        start = _START.pack(MAGIC, MAJOR, NAMED if self.model else 0)
        head = start + self._model + _LENGTH.pack(len(body)) + body
        if len(canonical(self._described)) > MAX_JSON:
            raise DataError("the header of the archive would be too large: are there many columns?")
        self._header_seal = seal(head)
        self.file.write(head + self._header_seal)
        for data in self.sections.values():
            self.file.write(data)
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
        head = _BLOCK.pack(SYNC, number, self.rows, rows, len(payload), content)
        own = seal(self._header_seal, head, seal(payload))
        checked = head + own
        offset = self.file.tell()
        self.file.write(checked + _LENGTH.pack(zlib.crc32(checked)) + payload)
        length = HEAD_SIZE + len(payload)
        self.blocks.append(BlockInfo(offset, length, self.rows, rows, number, own))
        self.rows += rows

    def finish(self, facts: Mapping[str, object], whole: bytes) -> None:
        """Write what is left. facts: errors measured, sizes; whole: sha256 of what is restored."""
        if not self.blocks:
            small = self._whole(facts, whole)
            if not self.sections and len(small) < TWICE:
                self.file.write(small)
                self.rows = self._first[0] if self._first else 0
                return
            self._begin()
        offset = self.file.tell()
        words: dict[str, object] = {
            "blocks": [[block.length - HEAD_SIZE, block.rows] for block in self.blocks],
            "facts": facts,
        }
        if offset >= TWICE:
            words["header"] = self._described
            words["model"] = self._model.hex()
        footer = deflate(words)
        seals = [block.seal for block in self.blocks]
        fields = struct.pack(
            "<32s16s16sQII",
            whole,
            self._header_seal,
            root_of(seals),
            offset,
            len(footer),
            len(seals),
        )
        body = footer + b"".join(seals) + fields
        self.file.write(body + seal(body) + END)

    def _whole(self, facts: Mapping[str, object], whole: bytes) -> bytes:
        rows, _, payload = self._first or (0, b"", b"")
        words = deflate([facts, self.header])
        parts = [
            _START.pack(MAGIC, MAJOR, WHOLE | (NAMED if self.model else 0)),
            self._model,
            varint(rows),
            varint(len(words)),
            words,
            payload,
            whole[:SHORT],
        ]
        data = b"".join(parts)
        return data + digest(data)


class Reader:
    """An archive opened for reading: header, sections and footer verified, blocks on demand.

    lenient: go on where header or footer is damaged, by the footer's copy of the header, and by
    looking for blocks, whatever lies before or between them; `lost` then says what is missing.
    """

    def __init__(self, path: Path, lenient: bool = False, name: str = "") -> None:
        self.path = Path(name or path)  # as messages call it
        self.lost: list[str] = []
        self.unsure = False  # whether all is there, but nothing but the whole's digest says so
        self.header: dict[str, Any] = {}
        self.header_seal = b""
        self.model = bytes(16)  # how the sha256 of the model begins that is needed
        self.sha256 = b""  # of what is restored: all of it, or its first 4 bytes
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
            if lenient:
                self._open_leniently()
            else:
                self._open(0)
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

    # ---- strictly

    def _open(self, base: int) -> None:
        """Everything but the blocks. base: where the archive begins in the file."""
        if self._layout(base) & WHOLE:
            self._open_whole(self._read(base, self.size - base))
            return
        start = self._read_sections(self._read_header(base))
        footer = self._read_footer(self.size)
        if footer.begin != base + footer.offset:
            raise self.damaged("the end is missing or does not fit")
        if footer.header_seal != self.header_seal:
            raise self.damaged("its footer is that of another header")
        copies: dict[str, object] = {}
        if footer.offset >= TWICE:
            copies = {"header": self.header, "model": self._named_model.hex()}
        if copies != {key: footer.words[key] for key in COPIED if key in footer.words}:
            raise self.damaged("its two headers differ")
        self.blocks = self._index(footer, start)
        end = self.blocks[-1].offset + self.blocks[-1].length if self.blocks else start
        if end != footer.begin:
            raise self.damaged("the index does not cover the file")
        self._take(footer)

    def _take(self, footer: Footer) -> None:
        self.facts, self.sha256 = dict(footer.words["facts"]), footer.whole

    @property
    def _named_model(self) -> bytes:
        return self.model if any(self.model) else b""

    def _layout(self, base: int) -> int:
        head = self._read(base, min(self.size - base, _START.size))
        if not head.startswith(MAGIC) and self.path.suffix != ".aez":
            raise NoArchiveError(
                f"{self.path}: not an archive, as compress writes them (.aez); give one, or make "
                f"one of it: aetool compress {self.path}"
            )
        if not head.startswith(MAGIC):
            raise ArchiveError(f"{self.path}: not an .aez archive, or its first bytes are damaged")
        if len(head) < _START.size:
            raise self.damaged("cut short")
        _, major, layout = _START.unpack(head)
        if major != MAJOR or layout > WHOLE | NAMED:
            raise ArchiveError(
                f"{self.path}: format {major}, layout {layout}, or damaged; this aetool reads "
                f"format {MAJOR}"
            )
        return int(layout)

    def _open_whole(self, data: bytes, lenient: bool = False) -> None:
        """An archive of one block at most, under one digest."""
        end = len(data) - DIGEST
        if len(data) >= TWICE or end < _START.size + SHORT:
            raise self.damaged("longer or shorter than an archive of its layout may be")
        if digest(data[:end]) != data[end:]:
            if not lenient:
                raise self.damaged("its digest does not match")
            self.unsure = True
            self.lost.append("its digest (values match one of their own; names may be wrong)")
        at = _START.size
        if data[at - 1] & NAMED:
            self.model, at = data[at : at + 16], at + 16
        rows, at = read_varint(data, at)
        size, at = read_varint(data, at)
        facts, header = inflate(data[at : at + size])
        at, end = at + size, end - SHORT
        if at > end or rows >= MAX_ROWS:
            raise self.damaged("its parts do not fit")
        self.facts, self.header = dict(facts), dict(header)
        self.sha256 = data[end : end + SHORT]
        if at < end:
            self.blocks = [BlockInfo(at, end - at, 0, rows, 0)]
            self._only = StoredBlock(0, 0, rows, b"", data[at:end])

    def _read_header(self, base: int) -> int:
        """Reads the header; returns where it ends."""
        layout = self._layout(base)
        at = base + _START.size
        if layout & NAMED:
            self.model, at = self._read(at, 16), at + 16
        length: int = _LENGTH.unpack(self._read(at, _LENGTH.size))[0]
        at += _LENGTH.size
        if length > MAX_JSON:
            raise self.damaged("the header is larger than allowed")
        body = self._read(at, length)
        expected = self._read(at + length, SEAL)
        if seal(self._read(base, at + length - base)) != expected:
            raise self.damaged("the header's digest does not match")
        self.header, self.header_seal = dict(inflate(body)), expected
        return at + length + SEAL

    def _read_sections(self, at: int) -> int:
        """Reads the sections that the header lists; returns where they end."""
        for name, size, expected in self.header.get("sections", []):
            if type(size) is not int or not 0 <= size <= MAX_SECTION:
                raise self.damaged(f"section {name} is larger than allowed")
            data = self._read(at, size)
            if hashlib.sha256(data).hexdigest() != expected:
                raise self.damaged(f"section {name} does not match its hash")
            self.sections[str(name)] = data
            at += size
        return at

    def _read_footer(self, stop: int) -> Footer:
        """The footer that ends at stop."""
        raw = self._read(stop - _TRAILER.size, _TRAILER.size)
        whole, header_seal, root, offset, length, count, expected, end = _TRAILER.unpack(raw)
        if end != END or length > MAX_JSON or count > MAX_BLOCKS:
            raise self.damaged("the end is missing or does not fit")
        begin = stop - _TRAILER.size - SEAL * count - length
        body = self._read(begin, length + SEAL * count)
        if seal(body + raw[: -SEAL - len(END)]) != expected:
            raise self.damaged("the footer's digest does not match")
        seals = [body[at : at + SEAL] for at in range(length, len(body), SEAL)]
        if root_of(seals) != root:
            raise self.damaged("the digests of blocks do not add up to their root")
        return Footer(dict(inflate(body[:length])), seals, whole, header_seal, offset, begin)

    def _index(self, footer: Footer, start: int) -> list[BlockInfo]:
        """The blocks by the footer's index, the first of them at start."""
        index = footer.words["blocks"]
        if len(index) != len(footer.seals):
            raise self.damaged("the index of blocks is out of range")
        blocks = []
        row = 0
        for number, (length, rows) in enumerate(index):
            sensible = type(length) is int and type(rows) is int
            if not sensible or not 0 <= length < MAX_PAYLOAD or not 0 <= rows < MAX_ROWS:
                raise self.damaged("the index of blocks is out of range")
            whole = HEAD_SIZE + length
            blocks.append(BlockInfo(start, whole, row, rows, number, footer.seals[number]))
            start, row = start + whole, row + rows
        if row >= MAX_ALL_ROWS:
            raise self.damaged("the index of blocks is out of range")
        return blocks

    # ---- leniently

    def _open_leniently(self) -> None:
        base = next(self._places(MAGIC), -1)
        if base > 0:
            self.lost.append(f"{base} bytes before the archive, which are not of it")
        if base >= 0 and self._is_whole(base):
            self._open_small_one(self._read(base, min(self.size - base, 2 * TWICE)))
            return
        footer = self._footer_if_any()
        try:
            if base < 0:
                raise self.damaged("its first bytes are missing")
            self._read_sections(self._read_header(base))
            if footer is not None and footer.header_seal != self.header_seal:
                raise self.damaged("it is that of another archive")
        except (ArchiveError, ValueError, KeyError, TypeError, struct.error) as error:
            self.lost.append(f"the header ({_short(error)})")
            self._header_from(footer)
        self._look_for_blocks(footer)

    def _is_whole(self, base: int) -> bool:
        try:
            return bool(self._layout(base) & WHOLE)
        except ArchiveError:
            return False

    def _open_small_one(self, data: bytes) -> None:
        """A whole archive, and maybe more behind it: it ends where its digest says so."""
        hasher = hashlib.blake2b(digest_size=DIGEST)
        for at in range(min(len(data) - DIGEST + 1, TWICE)):
            if at > _START.size and hasher.copy().digest() == data[at : at + DIGEST]:
                behind = len(data) - at - DIGEST
                if behind:
                    self.lost.append(f"{behind} bytes behind the archive, which are not of it")
                self._open_whole(data[: at + DIGEST])
                return
            hasher.update(data[at : at + 1])
        self._open_whole(data, lenient=True)

    def _footer_if_any(self) -> Footer | None:
        """The last footer in the file."""
        try:
            ends = deque(self._places(END), maxlen=1)
            if not ends:
                raise self.damaged("the end is missing")
            footer = self._read_footer(ends[0] + len(END))
            self._take(footer)
            return footer
        except (ArchiveError, ValueError, KeyError, TypeError, struct.error) as error:
            self.lost.append(f"the footer ({_short(error)})")
            return None

    def _header_from(self, footer: Footer | None) -> None:
        """Takes the header from its copy."""
        if footer is None:
            raise self.damaged("neither header nor footer can be read")
        if "header" not in footer.words:
            raise self.damaged(
                "its header cannot be read, and so small an archive has no copy of it"
            )
        self.header, self.header_seal = dict(footer.words["header"]), footer.header_seal
        self.model = bytes.fromhex(str(footer.words.get("model", ""))) or bytes(16)
        # sections end where the first block begins
        lengths = [HEAD_SIZE + length for length, _ in footer.words["blocks"]]
        size = sum(size for _, size, _ in self.header.get("sections", []))
        try:
            self._read_sections(footer.begin - sum(lengths) - size)
        except (ArchiveError, ValueError, TypeError) as error:
            self.lost.append(f"sections ({_short(error)})")

    def _look_for_blocks(self, footer: Footer | None) -> None:
        """Finds blocks by their sync marks: each number once, and only as the footer has it."""
        every = self._index(footer, 0) if footer is not None else None
        found: dict[int, BlockInfo] = {}
        end = 0
        for at in self._places(SYNC):
            info = self._block_at(at, every) if at >= end else None
            if info is None:
                continue
            end = at + info.length  # a mark within a block is not one
            found.setdefault(info.number, info)
        self.blocks = [found[number] for number in sorted(found)]
        if every is None:
            missing = self._gaps()
        else:
            missing = [info for info in every if info.number not in found]
        for info in missing:
            self.lost.append(lost_records(info.first, info.rows))
        if every is None:  # how many there were is told by the footer alone
            self.lost.append(f"all records behind record {self.rows}, if there were any")

    def _gaps(self) -> list[BlockInfo]:
        """Rows between the blocks that are there."""
        row, gaps = 0, []
        for info in self.blocks:
            if info.first > row:
                gaps.append(BlockInfo(0, 0, row, info.first - row, 0))
            row = max(row, info.first + info.rows)
        return gaps

    def _block_at(self, offset: int, every: list[BlockInfo] | None) -> BlockInfo | None:
        """The block whose mark is at this offset, if one is there, whole and of this archive."""
        try:
            number, first, rows, length, _, own = self._head(offset)
            info = BlockInfo(offset, HEAD_SIZE + length, first, rows, number, own)
            self._checked(info)
        except ArchiveError:
            return None
        if every is not None and (number >= len(every) or every[number].seal != own):
            return None
        return info

    def _places(self, mark: bytes) -> Iterator[int]:
        """Where a mark is in the file, looked for in pieces."""
        step = 1 << 22
        for base in range(0, self.size, step):
            piece = self._read(base, min(step + len(mark) - 1, self.size - base))
            at = piece.find(mark)
            while at >= 0:
                yield base + at
                at = piece.find(mark, at + 1)

    # ---- blocks

    def _head(self, offset: int) -> tuple[int, int, int, int, bytes, bytes]:
        """(number, first row, rows, payload length, digest of the content, seal) of the block at
        this offset."""
        head = self._read(offset, HEAD_SIZE)
        sync, number, first, rows, length, content = _BLOCK.unpack_from(head)
        own, checksum = _BLOCK_END.unpack_from(head, _BLOCK.size)
        if sync != SYNC:
            raise self.damaged("it does not begin as a block does")
        if zlib.crc32(head[: -_LENGTH.size]) != checksum:
            raise self.damaged("the checksum of its head does not match")
        if length >= MAX_PAYLOAD or rows >= MAX_ROWS or first >= MAX_ALL_ROWS:
            raise self.damaged("a block is larger than allowed")
        return number, first, rows, length, content, own

    def _checked(self, info: BlockInfo) -> StoredBlock:
        """A block, if it is in its place and its seal covers what is there."""
        number, first, rows, length, content, own = self._head(info.offset)
        if (number, first, rows) != (info.number, info.first, info.rows):
            raise self.damaged("it is out of place")
        if HEAD_SIZE + length != info.length:
            raise self.damaged("it has not the length it should have")
        payload = self._read(info.offset + HEAD_SIZE, length)
        head = self._read(info.offset, _BLOCK.size)
        if seal(self.header_seal, head, seal(payload)) != own:
            raise self.damaged("its digest does not match")
        if own != info.seal:
            raise self.damaged("it is not the one that the footer lists")
        return StoredBlock(number, first, rows, content, payload)

    def block(self, index: int) -> StoredBlock:
        """A block's payload, verified to be the one that belongs at this place."""
        return self._only or self._checked(self.blocks[index])

    def check_whole(self, whole: bytes) -> None:
        """ArchiveError unless the digest of what is restored begins as the stored one."""
        if not self.sha256 or not whole.startswith(self.sha256):
            raise self.damaged("the whole does not match its digest")


@dataclass(frozen=True)
class Footer:
    """A footer as read: its JSON, the blocks' seals, the digest of the whole, the header's seal,
    where in the archive it says to be, and where in the file it begins."""

    words: dict[str, Any]
    seals: list[bytes]
    whole: bytes
    header_seal: bytes
    offset: int
    begin: int


def lost_records(first: int, rows: int) -> str:
    """What is said of records that are lost, which are counted from 1."""
    return f"records {first + 1} to {first + rows}"


def _short(error: Exception) -> str:
    return str(error).rpartition(": damaged: ")[2]
