"""Writes an archive front to back; a small one of one block becomes one piece."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from aetool.canonical import canonical
from aetool.codec.container.block import HEAD_SIZE, BlockHead, BlockPlace
from aetool.codec.container.digests import seal
from aetool.codec.container.footer import Footer
from aetool.codec.container.layout import (
    COPIED_FROM,
    LENGTH,
    MAGIC,
    MAJOR,
    MODEL,
    NAMED,
    START,
    WHOLE_IN_PIECE,
)
from aetool.codec.container.piece import OnePiece
from aetool.codec.limits import MAX_BLOCKS, MAX_JSON, MAX_PAYLOAD
from aetool.codec.words import deflate
from aetool.errors import DataError


@dataclass(frozen=True)
class NewBlock:
    """A block to be written. rows: how many records it has; content: the 8-byte digest of what its
    payload decodes to; payload: its columns, encoded."""

    rows: int
    content: bytes
    payload: bytes


@dataclass(eq=False)
class Writer:
    """Writes an archive to a file: `add` for each block, then `finish`, once. The file stays open.

    file: empty, opened for writing bytes. header: JSON; sections: bytes by name, written before the
    blocks, such as an embedded model. model: the SHA-256, in hexadecimal, of a model that decoding
    needs and that is not embedded; "" without. may_be_one_piece: whether an archive of at most one
    block, without sections and of fewer than COPIED_FROM (2^16) bytes, may be written as one piece.
    blocks: where each block was written, [] for an archive in one piece; rows: records written so
    far, those of a block that waits not counted.
    """

    file: BinaryIO
    header: Mapping[str, object]
    sections: Mapping[str, bytes]
    model: str = ""
    may_be_one_piece: bool = True
    blocks: list[BlockPlace] = field(default_factory=list)
    rows: int = 0
    _kept_back: NewBlock | None = None  # a first block that may turn out to be the only one

    def add(self, rows: int, content: bytes, payload: bytes) -> None:
        """Append a block; a first one may be kept back until the next call, in case it stays the
        only one. rows: its records; content: the 8-byte digest of what the payload decodes to.
        DataError if the payload has MAX_PAYLOAD (2^31) bytes or more, the block is one more than
        MAX_BLOCKS (2^24), or, with the first that is written, the header has more than MAX_JSON
        (2^24) bytes."""
        block = NewBlock(rows, content, payload)
        if self.blocks:
            self._write_block(block)
        elif self._may_keep_back and len(payload) < COPIED_FROM:
            self._kept_back = block
        else:
            self._write_beginning()
            self._write_block(block)

    def finish(self, facts: Mapping[str, object], whole: bytes) -> None:
        """Write the rest: the footer, or a small archive as one piece. To be called once, after all
        blocks; `rows` and `blocks` are final then. facts: JSON, such as the largest errors; whole:
        the SHA-256, 32 bytes, of what is restored. DataError for a header of more than MAX_JSON
        (2^24) bytes."""
        # no block was written yet: there is none, or the only one has been kept back
        if not self.blocks:
            piece = self._as_one_piece(facts, whole)
            may_be_piece = self.may_be_one_piece and not self.sections
            if may_be_piece and len(piece) < COPIED_FROM:
                self.file.write(piece)
                self.rows = self._kept_back.rows if self._kept_back else 0
                return
            self._write_beginning()
        offset = self.file.tell()
        described: dict[str, object] = {
            "blocks": [[block.length - HEAD_SIZE, block.rows] for block in self.blocks],
            "facts": facts,
        }
        # a small archive has no room for a second copy
        if offset >= COPIED_FROM:
            described["header"] = self._full_header()
            described["model"] = self._model.hex()
        seals = [block.seal for block in self.blocks]
        footer = Footer(described, seals, whole, self._header_seal, offset)
        self.file.write(footer.to_bytes())

    @property
    def _may_keep_back(self) -> bool:
        """Whether the next block, if none was written yet, may be kept back, to see whether it is
        the only one: False if one is kept back already, or the archive has sections or must not be
        one piece."""
        return self.may_be_one_piece and self._kept_back is None and not self.sections

    @property
    def _model(self) -> bytes:
        """The first MODEL bytes of the digest of the model that is named; b"" without. ValueError
        if `model` is not hexadecimal."""
        return bytes.fromhex(self.model)[:MODEL]

    def _full_header(self) -> dict[str, object]:
        """The header with an entry "sections": for each its name, length in bytes and SHA-256, in
        hexadecimal; without sections no such entry."""
        listed = [
            [name, len(data), hashlib.sha256(data).hexdigest()]
            for name, data in self.sections.items()
        ]
        return {**self.header, **({"sections": listed} if listed else {})}

    def _write_beginning(self) -> None:
        """Write what stands before the blocks: the start (magic bytes, version, whether a model is
        named), the digest of the model, the header as deflated JSON behind its length, a seal of
        all this, and the sections; then the first block, if it was kept back in case it is the only
        one. The seal is kept in `_header_seal`, as the seals of blocks depend on it. DataError if
        the header is longer than MAX_JSON."""
        header = self._full_header()
        described = deflate(header)
        if len(canonical(header)) > MAX_JSON:
            raise DataError("the header of the archive would be too large: are there many columns?")
        start = START.pack(MAGIC, MAJOR, NAMED if self.model else 0)
        head = start + self._model + LENGTH.pack(len(described)) + described
        self._header_seal = seal(head)
        self.file.write(head + self._header_seal)
        for data in self.sections.values():
            self.file.write(data)
        if self._kept_back is not None:
            self._write_block(self._kept_back)

    def _write_block(self, block: NewBlock) -> None:
        """Write a block behind those before it, and note in `blocks` where it lies. DataError if
        its payload has MAX_PAYLOAD (2^31) bytes or more, or MAX_BLOCKS (2^24) were written before.
        `_write_beginning` must have been called."""
        size = len(block.payload)
        if size >= MAX_PAYLOAD or len(self.blocks) >= MAX_BLOCKS:
            raise DataError("a block of the archive would be larger than 2 GiB")
        number = len(self.blocks)
        head = BlockHead(number, self.rows, block.rows, size, block.content)
        block_seal = head.seal(self._header_seal, block.payload)
        offset = self.file.tell()
        self.file.write(head.to_bytes(block_seal) + block.payload)
        place = BlockPlace(offset, HEAD_SIZE + size, self.rows, block.rows, number, block_seal)
        self.blocks.append(place)
        self.rows += block.rows

    def _as_one_piece(self, facts: Mapping[str, object], whole: bytes) -> bytes:
        """Build the whole archive as one piece, the form of a small archive: with the one block
        that waits, or with none. facts: JSON, what is known once all is written; whole: the SHA-256
        of what is restored, of which 4 bytes are kept. The size of the result is not checked:
        `finish` does that."""
        block = self._kept_back or NewBlock(0, b"", b"")
        begin_of_whole = whole[:WHOLE_IN_PIECE]
        piece = OnePiece(self._model, block.rows, facts, self.header, block.payload, begin_of_whole)
        return piece.to_bytes()
