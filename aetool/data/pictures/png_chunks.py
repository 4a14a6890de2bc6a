"""What a PNG file holds beside its picture and its notes: chunks of others, bytes behind its end.

As PNG (Portable Network Graphics, Third Edition), W3C 2025, has it: a signature, then chunks, each
with its length, its kind, its content and a checksum; the last is IEND.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from aetool.data.pictures.deep_png import SIGNATURE

HEAD_BYTES, CHECKSUM_BYTES = 8, 4  # bytes before the content of a chunk, and behind it
END_KIND = b"IEND"
PICTURE_KINDS = frozenset((b"IHDR", b"IDAT", END_KIND))
# texts, times and resolution; a display's colours; what viewers of few colours or of none may use
NOTE_KINDS = frozenset((
    b"tEXt", b"zTXt", b"iTXt", b"tIME", b"pHYs", b"eXIf", b"gAMA", b"cHRM", b"sRGB", b"sBIT",
    b"bKGD", b"hIST", b"sPLT", b"PLTE",
))  # fmt: skip
# of a palette the opacity of its colours; else the one colour that is clear
OPACITY_KIND = b"tRNS"


def has_more(path: Path, of_palette: bool = False) -> bool:
    """Whether a file is no PNG, or is cut short, or has more than a picture and notes (NOTE_KINDS):
    chunks of other kinds, or bytes that are of no chunk. of_palette: whether the picture has a
    palette, and the opacity of its colours (tRNS) is of the picture, too, unless it is empty.
    Checksums are not looked at. OSError if the file cannot be opened."""
    known_kinds = PICTURE_KINDS | NOTE_KINDS
    if of_palette:
        known_kinds = known_kinds | {OPACITY_KIND}
    file_size = path.stat().st_size
    with path.open("rb") as picture_file:
        if picture_file.read(len(SIGNATURE)) != SIGNATURE:
            return True
        while True:
            chunk_head = picture_file.read(HEAD_BYTES)
            if len(chunk_head) < HEAD_BYTES:
                return True
            content_length, chunk_kind = struct.unpack(">I4s", chunk_head)
            if chunk_kind not in known_kinds:
                return True
            # no colour is clear by it: written again, the picture would be without it
            if chunk_kind == OPACITY_KIND and not content_length:
                return True
            # only where chunks begin is read
            place_behind = picture_file.seek(content_length + CHECKSUM_BYTES, os.SEEK_CUR)
            if chunk_kind == END_KIND:
                return content_length > 0 or place_behind != file_size
