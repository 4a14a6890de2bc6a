"""Reads an archive, strictly: it is refused unless every part of it is as the layout says."""

from __future__ import annotations

import hashlib
import os
import struct
from pathlib import Path
from typing import BinaryIO

from aetool import system
from aetool.canonical import Json
from aetool.codec.container.block import HEAD_SIZE, BlockHead, BlockPlace, StoredBlock
from aetool.codec.container.digests import SEAL, seal
from aetool.codec.container.footer import NOT_FITTING, TRAILER_SIZE, Footer, Trailer
from aetool.codec.container.layout import (
    COPIED_FROM,
    END,
    LAYOUTS,
    LENGTH,
    MAGIC,
    MAJOR,
    MODEL,
    ONE_PIECE,
    PIECE_END,
    START,
    DamageError,
    length_of_name,
)
from aetool.codec.container.piece import OnePiece, is_sealed
from aetool.codec.limits import MAX_JSON, MAX_SECTION
from aetool.codec.words import inflate
from aetool.errors import ArchiveError, DataError, NoArchiveError
from aetool.spelling import option

COPIES = ("header", "model")  # of the header, in the footer
# errors that damaged JSON, numbers or sizes in a file may raise where they are read
SENSELESS = (ValueError, KeyError, TypeError, OverflowError, struct.error)


class Reader:
    """An archive opened for reading: header, sections and footer are verified when it is opened, a
    block when it is read. Close it after use.

    name: what messages call the file; "": its path. header, facts: JSON of the archive, what is
    known before and after its blocks are written; sections: other data, such as an embedded model,
    as bytes by name; header_seal: the header's digest, which those of blocks depend on. model: the
    first 16 or 8 bytes of the SHA-256 of the model that is needed, zeros if none. sha256: of what
    is restored, or its first 4 bytes. blocks: where each lies. size: bytes of the file.

    lost: for a recovering reader, a line for each part that is missing; unsealed: whether no part
    is missing, but only the digest of all that is restored can tell that they are undamaged;
    misses_records: whether records are missing, or may be.
    DataError if the file cannot be opened, NoArchiveError if it is no archive, ArchiveError if it
    is damaged or of another version of the format, OSError if reading it fails.
    """

    def __init__(self, path: Path, name: str = "") -> None:
        self.path = Path(name or path)
        self.lost: list[str] = []
        self.unsealed = False
        self.misses_records = False
        self.header: dict[str, Json] = {}
        self.header_seal = b""
        self.model = bytes(MODEL)
        self.sha256 = b""
        self.facts: dict[str, Json] = {}
        self.sections: dict[str, bytes] = {}
        self.blocks: list[BlockPlace] = []
        self._only_block: StoredBlock | None = None  # of an archive in one piece
        try:
            self.file: BinaryIO = path.open("rb")
            self.size = os.fstat(self.file.fileno()).st_size
        except OSError as error:
            raise DataError(f"{path}: {error.strerror or error}") from None
        try:
            self._open()
        except SENSELESS as error:
            self.file.close()
            raise self.damaged(str(error)) from None
        except BaseException:
            self.file.close()
            raise

    @property
    def rows(self) -> int:
        """How many records the archive has: up to the end of its last block, those that are lost
        before it included."""
        if self.blocks:
            return self.blocks[-1].first + self.blocks[-1].rows
        return 0

    @property
    def ending(self) -> bytes:
        """A 16-byte digest of the file's last bytes, which depend on all others: it tells two
        archives apart. DamageError if the file has become shorter since it was opened."""
        length = min(self.size, TRAILER_SIZE)
        return seal(self._read(self.size - length, length))

    def close(self) -> None:
        """Close the file; closing it again does nothing."""
        self.file.close()

    def damaged(self, why: str) -> ArchiveError:
        """Return, not raise, the ArchiveError that says why this file is damaged, with its name.
        why: the end of the message."""
        return ArchiveError(f"{self.path}: damaged: {why.removeprefix('damaged: ')}")

    def block(self, index: int) -> StoredBlock:
        """Read the block at place `index`, from 0, of `blocks` (an archive of one piece has only
        one, whatever is asked for); ArchiveError, which does not name the file, unless head, place
        and payload are those that its digest was made of, IndexError for a block that there is not,
        OSError if the file cannot be read."""
        if self._only_block is not None:
            return self._only_block
        try:
            return self._read_verified_block(self.blocks[index])
        except DamageError as error:
            raise ArchiveError(f"damaged: {error}") from None

    def check_whole(self, whole: bytes) -> None:
        """Raise ArchiveError unless `whole`, the SHA-256, 32 bytes, of what was restored, begins
        with the stored one, or if none is stored."""
        if not self.sha256 or not whole.startswith(self.sha256):
            why = "the whole does not match its digest"
            if self.unsealed:
                # its one block was tried as it is, and came out as something else
                why += "; it is a single block, of which nothing can be brought back"
            raise self.damaged(why)

    # ---- all but the blocks

    def _open(self) -> None:
        """Read and verify all but the blocks, and set the attributes by it; NoArchiveError if the
        file is no archive, DamageError, ArchiveError or what SENSELESS lists where something does
        not fit, OSError if it cannot be read."""
        if self._read_layout(0) & ONE_PIECE:
            if self.size >= COPIED_FROM:
                raise DamageError("longer or shorter than an archive of its layout may be")
            self._set_from_piece(self._read(0, self.size))
            return
        start = self._read_sections(self._read_header(0))
        self._refuse_if_cut_off(start)
        begin, footer = self._read_footer(self.size)
        if footer.offset != begin:
            raise DamageError(NOT_FITTING)
        # each part is right by itself: now they are compared with one another
        if footer.header_seal != self.header_seal:
            raise DamageError("its footer is that of another header")
        self._check_copy_of_header(footer)
        self.blocks = footer.index(start)
        end = self.blocks[-1].end if self.blocks else start
        if end != begin:
            raise DamageError("the index does not cover the file")
        self._set_facts_of_footer(footer)

    def _refuse_if_cut_off(self, start: int) -> None:
        """Raise DamageError if the file does not end with the end mark, as one that was cut off
        does not. start: the offset of its first block."""
        if self._read(self.size - len(END), len(END)) == END:
            return
        recoverable = "what is there"
        if not self._has_block_at(start):
            recoverable = "what is whole of it, if anything"
        raise DamageError(
            f"{NOT_FITTING}: it ends early, at byte {self.size:,}, before its footer (or bytes "
            f"stand behind it); decompress with {option('--recover')} brings back {recoverable}"
        )

    def _has_block_at(self, offset: int) -> bool:
        """Whether an undamaged block of this archive begins at this offset, so that some records
        can be brought back whatever stands behind it. The header must have been read."""
        try:
            head, block_seal = self._read_block_head(offset)
            length = HEAD_SIZE + head.length
            place = BlockPlace(offset, length, head.first, head.rows, head.number, block_seal)
            self._read_verified_block(place)
        except (ArchiveError, DamageError):
            return False
        return True

    def _check_copy_of_header(self, footer: Footer) -> None:
        """Raise DamageError unless the footer has a copy of the header and of the model's digest
        that equal those of the header just where the archive is large, its footer COPIED_FROM
        (2^16) bytes or more from the begin; a smaller one must have none."""
        model = self.model if any(self.model) else b""
        expected: dict[str, object] = {}
        if footer.offset >= COPIED_FROM:
            expected = {"header": self.header, "model": model.hex()}
        copies = {key: footer.described[key] for key in COPIES if key in footer.described}
        if copies != expected:
            raise DamageError("its two headers differ")

    def _set_facts_of_footer(self, footer: Footer) -> None:
        """Set facts and sha256 to those of a footer. KeyError if it has no facts."""
        self.facts = dict(footer.described["facts"])
        self.sha256 = footer.whole

    def _set_from_piece(self, data: bytes, check_digest: bool = True) -> None:
        """Set model, facts, header, sha256 and blocks from `data`, the bytes of an archive of one
        piece. check_digest: whether to compare its digest. DamageError if that does not match, or
        its parts do not fit; ValueError or TypeError if its JSON is none."""
        piece = OnePiece.from_bytes(data)
        if check_digest and not is_sealed(data):
            # its right length is not stored: whether bytes are missing or changed is not known
            raise DamageError(
                f"its digest does not match: some of its {self.size:,} bytes were changed, or more "
                f"are missing at its end; decompress with {option('--recover')} brings back what "
                "is whole of it, if anything"
            )
        self.model = piece.model or self.model
        self.facts = dict(piece.facts)
        self.header = dict(piece.header)
        self.sha256 = piece.whole
        if piece.payload:
            length = len(piece.payload)
            offset = len(data) - PIECE_END - length
            self.blocks = [BlockPlace(offset, length, 0, piece.rows, 0)]
            self._only_block = StoredBlock(0, 0, piece.rows, b"", piece.payload)

    def _read(self, offset: int, length: int) -> bytes:
        """Read `length` bytes of the file from `offset` on; DamageError if the file has not so
        many, OSError if they cannot be read."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise DamageError("cut short")
        data = system.read_at(self.file, length, offset)
        if len(data) != length:
            raise DamageError("cut short")
        return data

    def _read_layout(self, base: int) -> int:
        """Read the layout flags (ONE_PIECE, NAMED, BRIEF) of the archive that begins at offset
        `base`. NoArchiveError if the file is none, by its first bytes and its name; ArchiveError if
        it is called .aez and begins otherwise, or for another version of the format; DamageError if
        it is cut short."""
        start = self._read(base, min(self.size - base, START.size))
        # a name that promises no archive: the user took the wrong file, and nothing is damaged
        if not start.startswith(MAGIC) and self.path.suffix == ".aem":
            raise NoArchiveError(
                f"{self.path}: a model, not an archive: see what it is with aetool info "
                f"{self.path}, and use it as {option('--model')} of aetool detect"
            )
        if not start.startswith(MAGIC) and self.path.suffix != ".aez":
            raise NoArchiveError(
                f"{self.path}: not an archive, as compress writes them (.aez); give one, or make "
                f"one of it: aetool compress {self.path}"
            )
        if not start.startswith(MAGIC):
            raise ArchiveError(f"{self.path}: not an .aez archive, or its first bytes are damaged")
        if len(start) < START.size:
            raise DamageError("cut short")
        major = start[-2]
        layout = start[-1]
        if major != MAJOR or layout not in LAYOUTS:
            raise ArchiveError(
                f"{self.path}: format {major}, layout {layout}, or damaged; this aetool reads "
                f"format {MAJOR}"
            )
        return layout

    def _read_header(self, base: int) -> int:
        """Set header, header_seal and model from the header that begins at offset `base`; returns
        the offset behind it. DamageError if it is too large, cut short, or has not its digest;
        NoArchiveError or ArchiveError for a file that is no archive or of another version;
        ValueError or TypeError for JSON that is no object."""
        layout = self._read_layout(base)
        place = base + START.size
        name_length = length_of_name(layout)
        if name_length:
            self.model = self._read(place, name_length)
            place += name_length
        length = int.from_bytes(self._read(place, LENGTH.size), "little")
        place += LENGTH.size
        if length > MAX_JSON:
            raise DamageError("the header is larger than allowed")
        described = self._read(place, length)
        place += length
        stored_seal = self._read(place, SEAL)
        # over all bytes so far, the start and the digest of the model included
        if seal(self._read(base, place - base)) != stored_seal:
            raise DamageError("the header's digest does not match")
        self.header = dict(inflate(described))
        self.header_seal = stored_seal
        return place + SEAL

    def _read_sections(self, place: int) -> int:
        """Set sections to those that the header, which was read before, lists, the first at offset
        `place`; returns the offset behind them. DamageError if one is too large, cut short, or has
        not its hash."""
        for name, size, sha256 in self.header.get("sections", []):
            if type(size) is not int or not 0 <= size <= MAX_SECTION:
                raise DamageError(f"section {name} is larger than allowed")
            data = self._read(place, size)
            if hashlib.sha256(data).hexdigest() != sha256:
                raise DamageError(f"section {name} does not match its hash")
            self.sections[str(name)] = data
            place += size
        return place

    def _read_footer(self, end: int) -> tuple[int, Footer]:
        """Read the footer that ends at offset `end`: (the offset at which it begins, the footer);
        DamageError if there is none, or its digests do not match."""
        place = end - TRAILER_SIZE
        trailer_bytes = self._read(place, TRAILER_SIZE)
        # the trailer says how many bytes of the footer stand before it
        size = Trailer.from_bytes(trailer_bytes).size
        begin = place - size
        return begin, Footer.from_bytes(self._read(begin, size), trailer_bytes)

    # ---- blocks

    def _read_block_head(self, offset: int) -> tuple[BlockHead, bytes]:
        """Read the head of the block at this offset: (head, seal); DamageError if there is none.
        The seal is not compared, as the payload is not read."""
        return BlockHead.from_bytes(self._read(offset, HEAD_SIZE))

    def _read_verified_block(self, place: BlockPlace) -> StoredBlock:
        """The block stored at this place; DamageError if its head, length or digest is not what the
        footer says."""
        head, block_seal = self._read_block_head(place.offset)
        if (head.number, head.first, head.rows) != (place.number, place.first, place.rows):
            raise DamageError("it is out of place")
        if HEAD_SIZE + head.length != place.length:
            raise DamageError("it has not the length it should have")
        payload = self._read(place.offset + HEAD_SIZE, head.length)
        if head.seal(self.header_seal, payload) != block_seal:
            raise DamageError("its digest does not match")
        if block_seal != place.seal:
            raise DamageError("it is not the one that the footer lists")
        return StoredBlock(head.number, head.first, head.rows, head.content, payload)
