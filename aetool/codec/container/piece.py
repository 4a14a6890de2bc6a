"""A small archive of one block at most, in one piece under one digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from aetool.codec import descriptions
from aetool.codec.blobs import read_varint, varint
from aetool.codec.container.digests import DIGEST, digest
from aetool.codec.container.layout import (
    BRIEF_MODEL,
    BRIEFLY_NAMED,
    COPIED_FROM,
    MAGIC,
    MAJOR,
    ONE_PIECE,
    PIECE_END,
    START,
    WHOLE_IN_PIECE,
    DamageError,
    length_of_name,
)
from aetool.codec.limits import MAX_ROWS, SMALL_BLOCK
from aetool.codec.payloads import has_mixed_words
from aetool.errors import ArchiveError


@dataclass(frozen=True)
class OnePiece:
    """A small archive of at most one block, taken apart.

    model: how the SHA-256 of the model that it needs begins, 8 bytes at least, the first 8 of which
    are written; b"" if none. rows: how many records it has; facts, header: JSON objects, what the
    footer and the header of a larger archive say. payload: of the block, b"" without one. whole:
    the first WHOLE_IN_PIECE bytes of the SHA-256 of what is restored.
    """

    model: bytes
    rows: int
    facts: Mapping[str, object]
    header: Mapping[str, object]
    payload: bytes
    whole: bytes

    def to_bytes(self) -> bytes:
        """The archive as bytes: start, the first 8 bytes of `model`, varint `rows`, varint length
        of the compressed JSON [facts, header], that JSON, payload, `whole`, and an 8-byte digest of
        all these. How many they are is not checked: a reader refuses COPIED_FROM (2^16) or more."""
        # a mixture of contexts takes fewer bytes than deflate, and some milliseconds more: for few
        # rows, whose header is a good part of the archive, or where the block has one, too
        has_mixture = self.rows <= SMALL_BLOCK
        if self.payload and not has_mixture:
            has_mixture = has_mixed_words(self.payload)
        described = descriptions.described([self.facts, self.header], has_mixture)
        layout = BRIEFLY_NAMED if self.model else ONE_PIECE
        parts = [
            START.pack(MAGIC, MAJOR, layout),
            self.model[:BRIEF_MODEL],
            varint(self.rows),
            varint(len(described)),
            described,
            self.payload,
            self.whole,
        ]
        data = b"".join(parts)
        return data + digest(data)

    @classmethod
    def from_bytes(cls, data: bytes) -> OnePiece:
        """The archive that `data`, all of its bytes, is, its magic bytes and its own digest not
        compared; DamageError if sizes or parts do not fit, ValueError or TypeError if its JSON is
        none."""
        end = len(data) - PIECE_END
        if len(data) >= COPIED_FROM or end < START.size:
            raise DamageError("longer or shorter than an archive of its layout may be")
        # the start's last byte is the layout, by which a model is named or not
        place = START.size
        layout = data[place - 1]
        name_end = place + length_of_name(layout)
        model = data[place:name_end]
        place = name_end
        try:
            rows, place = read_varint(data, place)
            length_of_json, place = read_varint(data, place)
        except ArchiveError as error:
            raise DamageError(str(error)) from None
        facts, header = descriptions.read(data[place : place + length_of_json])
        place += length_of_json
        # what is left is the payload, which may be nothing
        if place > end or rows >= MAX_ROWS:
            raise DamageError("its parts do not fit")
        whole = data[end : end + WHOLE_IN_PIECE]
        return cls(model, rows, dict(facts), dict(header), data[place:end], whole)


def is_sealed(piece: bytes) -> bool:
    """Whether the last DIGEST bytes of an archive of one piece are the digest of all bytes before
    them."""
    return digest(piece[:-DIGEST]) == piece[-DIGEST:]


def sealed_length(data: bytes) -> int | None:
    """Find the length in bytes of the archive of one piece that `data` begins with, whatever stands
    behind it: that of the shortest beginning whose last 8 bytes are the digest of those before.
    None if there is none with fewer than COPIED_FROM (2^16) bytes before the digest."""
    # the digest of every beginning, each from the one before
    hasher = hashlib.blake2b(digest_size=DIGEST)
    for end in range(min(len(data) - DIGEST + 1, COPIED_FROM)):
        stored = data[end : end + DIGEST]
        if end > START.size and hasher.copy().digest() == stored:
            return end + DIGEST
        hasher.update(data[end : end + 1])
    return None
