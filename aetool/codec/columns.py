"""The parts that a column of a block is stored as: a description (meta), streams of whole numbers,
and blobs of bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from aetool.codec.limits import check_text
from aetool.codec.metas import BytesMeta, Meta, PixelsMeta, WholeMeta
from aetool.codec.spans import Spans
from aetool.codec.streams import Stream
from aetool.errors import ArchiveError
from aetool.model import Int


@dataclass(eq=False)
class Coded:
    """A column ready to be encoded: meta says how it is stored; streams are its whole numbers: the
    kinds of its cells, the values, and the raws (numbers of cells of the last kind), of these three
    those that meta has, in this order; blobs are its other bytes.

    error: the largest difference of a number to the source, in the column's unit; square: the sum
    of the squared differences; 0 where it is exact. contents: of blobs of pictures, the pixels they
    restore, of which the digest is taken. cells: the texts of a column, where it may also be stored
    in other ways.

    others: the same column stored in other ways; the way that takes fewest bits is written. book:
    the dictionary that the values are ranks (positions) in, which other columns may use, too.
    share: the part of that dictionary's bits, 0 to 1, that count as this column's. expected_bits:
    of one of `others` about how many bits it takes; 0 where that was not estimated. worth: to be
    written one of `others` must take less than this part, 0 to 1, of the bits of the best encoding
    before it: later columns may be predicted by the numbers of the first encoding.
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
    expected_bits: float = 0.0
    worth: float = 0.97


@dataclass(eq=False)
class Book:
    """A dictionary of different cells or numbers, sorted, stored as a blob of the first column that
    uses it.

    blob: the dictionary, encoded as a block of its own. cells: the decoded blob, once some column
    of cells has needed it; until then, and of numbers, None.
    """

    blob: bytes
    cells: Spans | None = None


@dataclass(eq=False)
class TextOfOthers:
    """Counts the text, in bytes, of those columns of a block that are composed of cells of others,
    so far. A few bytes of an archive make such a column: each by itself may be as long as a block's
    text may be, and all of them together may not be longer either."""

    size: int = 0

    def add(self, cells: Spans) -> None:
        """Add the bytes of `cells`, those of one column more, to `size`; ArchiveError if all
        together are then more than MAX_TEXT (320 MiB), which a block may have."""
        # cells that share their bytes count as often as they stand there
        text_of_column = cells.length.sum(dtype=np.int64)
        self.size += int(text_of_column)
        # before the next column is read
        check_text(self.size)


@dataclass(eq=False)
class Decoded:
    """A decoded column of a block. meta: how it was stored. kinds: (rows,) int64, for every row the
    number of the kind of its cell (a value, a gap, a special text ...), as meta counts them;
    values: (n,) int64, of the cells whose kind has a value, in order; raws: (m,) int64, of the
    cells of the last kind, if the meta has raws, else empty; blobs: bytes, still packed, but of
    pictures their pixels. book: the dictionary of cells that values are ranks in, which may be
    stored with another column; None without one. lenders: the columns whose cells stand in those of
    this one, as the meta names them; () if none do. text_of_others: of such columns of the block
    together; None where it is read by itself. text: the text of each row, once it was read, of such
    a column and of its lenders.
    """

    meta: Meta
    kinds: Int  # of every row
    values: Int
    raws: Int
    blobs: list[bytes]
    book: Book | None = None
    lenders: Sequence[Decoded] = ()
    text_of_others: TextOfOthers | None = None
    text: Spans | None = None


def bytes_column(blob: bytes) -> Coded:
    """A column that is nothing but one blob, without streams. blob: packed already, by
    blobs.pack."""
    return Coded(BytesMeta(), [], [blob])


def pixels_column(coded: bytes, pixels: bytes, width: int) -> Coded:
    """A column of pictures that are encoded together. coded: their code, as picture_blobs writes
    it; pixels: the bytes that it restores, of which the digest is taken. width: bytes of a pixel
    value, 1 or 2."""
    return Coded(PixelsMeta(width), [], [coded], contents=[pixels])


def whole_column(values: Int) -> Coded:
    """A column of whole numbers, one for each row. values: (rows,) int64."""
    return Coded(WholeMeta(), [Stream(values)])


def kinds_of(column: Coded) -> Int:
    """The kind of each cell of a column that is encoded in cells of text, (rows,) int64: those with
    a number first (0 and on, one for each form), then those of special cells and texts. The array
    of the column's first stream itself, no copy; of a column with a single kind new zeros."""
    first = column.streams[0].values
    if column.meta.kinds > 1:
        return first
    return np.zeros(len(first), np.int64)


def in_kinds(
    column: Coded,
    meta: Meta,
    kinds_of_values: Int,
    values: Int,
) -> Coded:
    """Encode a column whose numbers are all of one kind, 0, in another way: with the several kinds
    of numbers that `meta` has, and behind these the same special cells and texts. Returned is a new
    column, without `others`; the given one stays as it is. kinds_of_values, values: (n,) each, for
    each number of the column, in order, its kind, below meta.valued, and what is stored of it. The
    new streams are the kind of every cell, and these values; the blobs are the same list."""
    kinds = kinds_of(column)
    has_value = kinds == 0
    # special cells, and raw ones, are the kinds behind those with a value
    kinds = kinds + meta.valued - 1
    kinds[has_value] = kinds_of_values
    present = column.streams[-1].present
    streams = [
        Stream(kinds),
        Stream(values, present),
    ]
    return Coded(meta, streams, column.blobs)


@contextmanager
def errors_as_damage() -> Iterator[None]:
    """Context manager, or decorator of a function: ValueError, LookupError, TypeError,
    ArithmeticError, AttributeError and MemoryError, which values that make no sense raise, become
    ArchiveError, since such values are damage and no bug. OSError and AetoolError pass as they
    are."""
    try:
        yield
    except MemoryError:
        raise ArchiveError("damaged: a block asks for more memory than there is") from None
    # what numbers of another range or JSON of another shape come to
    except (ValueError, LookupError, TypeError, ArithmeticError, AttributeError) as error:
        raise ArchiveError(f"damaged: a block does not make sense ({error})") from None
