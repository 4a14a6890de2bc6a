"""Text of any encoding as UTF-8 and back, byte for byte.

Delimiters, quotes and line ends are single bytes in UTF-8, and in every encoding that has ASCII in
its lower half (Latin-1, Windows-1252 ...): there records are cut as the bytes stand. UTF-16 and
UTF-32 are rewritten as UTF-8 first. Lone surrogates are carried along, so that every sequence of
whole UTF-16 units comes back as it was.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, cast

from aetool.errors import DataError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

UTF8 = "utf-8"
BOM = codecs.BOM_UTF8
CHUNK = 1 << 16
LONE = "surrogatepass"
MOST_ZEROS = 0.3  # of the higher bytes, in text of single bytes
# longer marks first: that of UTF-32 begins with that of UTF-16
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
WIDE = tuple(name for _, name in _MARKS)


class NoTableError(DataError):
    """The bytes cannot be read as a table in text; an archive stores them as they are."""


def encoding_of(head: bytes) -> str:
    """The encoding of a text by its first bytes: one of WIDE by its byte-order mark; UTF-16 also
    without one, by its many zero bytes (in every second place); UTF-8 for all others, also for
    those that are cut like it, such as Latin-1."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if b"\0" in head:  # without a mark: of ASCII every other byte is zero, and hardly any else
        whole = head[: len(head) & ~1]
        for name, high_bytes in (("utf-16-le", whole[1::2]), ("utf-16-be", whole[0::2])):
            often = high_bytes.count(0) > MOST_ZEROS * len(high_bytes)
            if often and _few_zeros(whole.decode(name, errors="replace")):
                return name
    return UTF8


def _few_zeros(text: str) -> bool:
    """Whether at most 2 % of a text's characters are zeros; so it is of an empty one."""
    return text.count("\0") <= 0.02 * len(text)


def utf8(stream: BinaryIO, encoding: str) -> BinaryIO:
    """A stream that reads as UTF-8 what `stream` has in `encoding`; reading raises NoTableError at
    bytes that are not in it, LookupError for an encoding that Python does not know. If `encoding`
    is UTF-8, `stream` itself, unchecked."""
    if encoding == UTF8:
        return stream
    return cast(BinaryIO, io.BufferedReader(_Utf8Stream(stream, encoding)))


def original(text: bytes, encoding: str) -> bytes:
    """Turn UTF-8, cut between characters, back into the bytes of the source's encoding, if that is
    one of WIDE; of any other encoding the text is returned as it is. UnicodeError for text of WIDE
    that is no UTF-8, or is cut within a character."""
    if encoding not in WIDE:
        return text
    return text.decode(UTF8, LONE).encode(encoding, LONE)


def _single_bytes(error: UnicodeError) -> tuple[str, int]:
    """Read bytes that are not UTF-8 as single characters, as an error handler of `bytes.decode`:
    (their text as Windows-1252, or as Latin-1 for those that have no character there; the place
    behind them, at which decoding goes on)."""
    assert isinstance(error, UnicodeDecodeError)
    text = ""
    for byte in error.object[error.start : error.end]:
        single = bytes([byte])
        try:
            text += single.decode("cp1252")
        except UnicodeDecodeError:
            text += single.decode("latin-1")
    return text, error.end


codecs.register_error("aetool.single_bytes", _single_bytes)


def mended(text: bytes) -> bytes:
    """Turn text that may hold stray bytes into valid UTF-8: each byte that is not part of UTF-8 is
    read as Windows-1252, or as Latin-1 where that has no character for it.

    Byte by byte, so that the same text is read the same wherever a stream is cut, and one stray
    byte changes nothing else.
    """
    return text.decode(UTF8, "aetool.single_bytes").encode(UTF8)


def unmended(text: str) -> bytes:
    """Encode a text as the single bytes that `mended` reads as its characters: in Windows-1252, or
    in Latin-1 where that has no such byte. UnicodeError for a character that neither has."""
    raw = b""
    for character in text:
        try:
            raw += character.encode("cp1252")
        except UnicodeEncodeError:
            raw += character.encode("latin-1")
    return raw


class _Utf8Stream(io.RawIOBase):
    """A binary stream that reads as UTF-8 what another stream has in `encoding`, and closes that
    one with itself. Reading raises NoTableError at bytes that are not in the encoding."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        """Take an open stream at its beginning, and the name of its encoding."""
        self.pieces = _pieces_in_utf8(stream, encoding)
        self.stream = stream
        self.left = b""

    def readable(self) -> bool:
        """Whether the stream can be read: True."""
        return True

    def readinto(self, target: WriteableBuffer) -> int:
        """Fill target, in place, with the next bytes of UTF-8, and return how many they are; 0 at
        the end. NoTableError at bytes that are not in the encoding; LookupError for one that Python
        does not know."""
        if not self.left:
            self.left = next(self.pieces, b"")
        target_bytes = memoryview(target).cast("B")
        size = min(len(target_bytes), len(self.left))
        target_bytes[:size] = self.left[:size]
        self.left = self.left[size:]
        return size

    def close(self) -> None:
        """Close this stream and the other one, which it reads."""
        self.stream.close()
        super().close()


def _pieces_in_utf8(stream: BinaryIO, encoding: str) -> Iterator[bytes]:
    """Yield the bytes of a stream, which are in this encoding, in UTF-8, piece by piece;
    NoTableError where they are not in this encoding; LookupError for one that Python does not
    know."""
    decoder = codecs.getincrementaldecoder(encoding)(LONE if encoding in WIDE else "strict")
    while True:
        data = stream.read(CHUNK)
        try:
            text = decoder.decode(data, final=not data)
        except UnicodeError as error:
            raise NoTableError(
                f"not {encoding} throughout ({getattr(error, 'reason', error)})"
            ) from None
        if text:
            yield text.encode(UTF8, LONE)
        # the end, at which the decoder has given all that it held back
        if not data:
            return
