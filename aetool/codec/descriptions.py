"""What describes an archive or a block, JSON, in few bytes: deflated, or, of few rows and for those
who wait longer, by a mixture of contexts that has learned from the preset dictionary of words.

Plans repeat one another's forms, not their digits, and a mixture tells these apart where repeats
do not: it takes about a quarter less. FORMAT.md says both forms.
"""

from __future__ import annotations

from aetool.canonical import Json, canonical, parse_canonical
from aetool.codec import mixing
from aetool.codec.blobs import read_varint, varint
from aetool.codec.words import WORDS, deflate, inflate
from aetool.errors import ArchiveError

# the first byte of a mixture: a block of DEFLATE of its kind 3, which there is not
MIXED = 7
MOST_MIXED = 1 << 15  # bytes of JSON; more would take long to read
LEARNED = WORDS[-2500:]  # from which a mixture has learned; more takes longer, and tells no more
DELIMITER = ord(",")  # of fields, for a mixture


def described(value: object, mixes: bool) -> bytes:
    """Compress a value that JSON can hold: deflated, or, if `mixes`, by a mixture of contexts where
    that takes fewer bytes and the JSON has at most MOST_MIXED (2^15) bytes; to try a mixture takes
    some 10 ms. `read` reads both."""
    deflated = deflate(value)
    plain_json = canonical(value)
    if not mixes or len(plain_json) > MOST_MIXED:
        return deflated
    mixture_code = mixing.code_of(plain_json, DELIMITER, LEARNED)
    mixture = bytes([MIXED]) + varint(len(plain_json)) + mixture_code
    return min(deflated, mixture, key=len)


def read(data: bytes) -> Json:
    """Decompress `data`, JSON that `described` compressed: the value. ValueError for anything else,
    or more JSON than MAX_JSON (2^24) bytes, of a mixture MOST_MIXED (2^15)."""
    if not is_mixed(data):
        return inflate(data)
    try:
        size, begin = read_varint(data, 1)
    except ArchiveError as error:
        raise ValueError(str(error)) from None
    if size > MOST_MIXED:
        raise ValueError(f"{size} bytes of JSON as a mixture; at most {MOST_MIXED} are allowed")
    plain_json = mixing.text_of(data[begin:], size, DELIMITER, LEARNED)
    return parse_canonical(plain_json)


def is_mixed(data: bytes) -> bool:
    """Whether `data`, compressed JSON as `described` returns it, is a mixture of contexts, and not
    deflated."""
    return data[:1] == bytes([MIXED])
