"""Marks, layouts and sizes of the container, and the error for a file that has others.

Every part of an archive is a class that knows its bytes (block, footer, piece). Their `from_bytes`
is where what a file claims is checked, as far as the part alone can tell: marks, digests, limits.
"""

from __future__ import annotations

import struct

from aetool.codec.container.digests import DIGEST

MAGIC = b"\x89AEZ\r\n\x1a\n"
SYNC = b"\xd5AEZblk\xaa"
END = b"\xd5AEZend\xaa"
MAJOR = 3
# bits of the layout: in one piece; a model is named; in one piece, by a brief name
ONE_PIECE, NAMED, BRIEF = 1, 2, 4
BRIEFLY_NAMED = ONE_PIECE | NAMED | BRIEF
LAYOUTS = (0, ONE_PIECE, NAMED, ONE_PIECE | NAMED, BRIEFLY_NAMED)
COPIED_FROM = 1 << 16  # bytes; archives are in one piece below, and copy their header from here on
MODEL = 16  # bytes of the sha256 of a model
BRIEF_MODEL = 8  # of a brief name: of small archives under one model every byte counts
WHOLE_IN_PIECE = 4  # bytes of the digest of the whole: the piece's own digest guards the rest
PIECE_END = WHOLE_IN_PIECE + DIGEST  # bytes behind the payload of a piece
START = struct.Struct("<8sBB")  # magic, major version, layout
LENGTH = struct.Struct("<I")


class DamageError(ValueError):
    """The bytes of a file are not what its format requires. Raised where the file's name is not
    known; the reader adds it."""


def lost_records(first: int, rows: int) -> str:
    """A message that names the records first .. first + rows - 1, counted from 1: "records 1 to
    100"."""
    return f"records {first + 1} to {first + rows}"


# of an archive in one piece whose digest does not match, while its parts fit
UNSEALED = "its digest (values match one of their own; names may be wrong)"


def length_of_name(layout: int) -> int:
    """How many bytes of the SHA-256 of a model an archive of this layout names: 0 if none."""
    if not layout & NAMED:
        return 0
    return BRIEF_MODEL if layout & BRIEF else MODEL
