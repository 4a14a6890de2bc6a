"""What a column of a block is made of: a meta, streams of whole numbers, blobs of bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aetool.codec.integers import Stream
from aetool.codec.metas import BytesMeta, Meta, PixelsMeta, WholeMeta
from aetool.codec.spans import Spans
from aetool.errors import ArchiveError
from aetool.model import Int


@dataclass(eq=False)
class Coded:
    """A column ready to be coded: how it is stored (meta), streams of whole numbers, blobs of
    bytes. error: the largest difference to the source, in its units; square: the sum of the squared
    ones. contents: of blobs of pictures what they restore, of which the digest is taken. cells:
    those of a column of text that may be stored in other ways, byte for byte.

    others: the same column stored in other ways, of which the one that takes fewest bits is
    written. book: the dictionary that its values are ranks in, which may be other columns', too;
    share: the part of it that the column is answerable for.
    """

    meta: Meta
    streams: list[Stream] = field(default_factory=list)
    blobs: list[bytes] = field(default_factory=list)
    error: float = 0.0
    square: float = 0.0
    others: list[Coded] = field(default_factory=list)
    book: Book | None = None
    share: float = 0.0
    contents: list[bytes] = field(default_factory=list)
    cells: Spans | None = None


@dataclass(eq=False)
class Book:
    """A dictionary of different cells, stored as a blob with the first column that uses it.

    cells: what the blob has been decoded to, for the other columns that use it.
    """

    blob: bytes
    cells: Spans | None = None


@dataclass(eq=False)
class Decoded:
    """A column of a block: which kind each cell is, the values of those that have one, raws (of
    the last kind, if it has any), and blobs. book: the one that its values are ranks in, which may
    be that of another column."""

    meta: Meta
    kinds: Int  # of every row
    values: Int
    raws: Int
    blobs: list[bytes]
    book: Book | None = None


def bytes_column(blob: bytes) -> Coded:
    """A column that is one blob, as blobs.pack gives it."""
    return Coded(BytesMeta(), [], [blob])


def pixels_column(coded: bytes, pixels: bytes, width: int) -> Coded:
    """A column of pictures that were coded together. width: bytes of a pixel value, 1 or 2."""
    return Coded(PixelsMeta(width), [], [coded], contents=[pixels])


def whole_column(values: Int) -> Coded:
    """A column of whole numbers, one for each row."""
    return Coded(WholeMeta(), [Stream(values)])


@contextmanager
def sensible() -> Iterator[None]:
    """A context in which errors from values that make no sense become ArchiveError: such values are
    damage, not a bug."""
    try:
        yield
    except MemoryError:
        raise ArchiveError("damaged: a block asks for more memory than there is") from None
    # what numbers of another range or JSON of another shape come to
    except (ValueError, LookupError, TypeError, ArithmeticError, AttributeError) as error:
        raise ArchiveError(f"damaged: a block does not make sense ({error})") from None
