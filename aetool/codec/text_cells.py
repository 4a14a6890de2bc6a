"""The cells of one column of text, and the odd cells, which every way to store a column treats
alike.

Most cells of a column are of one form, such as numbers. The odd cells, which are not, become
specials (a few short texts that come often, named in the meta) or are stored as their text.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from aetool.codec import spans
from aetool.codec.columns import Coded
from aetool.codec.metas import DateMeta, DigitsMeta, FloatMeta, NumberMeta
from aetool.codec.number_cells import gaps_of
from aetool.codec.spans import I32, Spans, pack_cells
from aetool.codec.streams import Stream
from aetool.data.table import Bytes, Mask
from aetool.model import Array, Int

LONGEST_SPECIAL = 256  # bytes; longer cells are stored as their text
MAX_SPECIAL = 62  # different odd cells, before a column is not taken for one of numbers
ODD_CELLS = 20  # one cell in so many may be odd, whatever it is
LOOKED_AT = 256  # cells of a sample, which tells of most columns that they are not of a form

LONGEST_NUMBER = 400  # bytes of one that is read digit by digit
NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")

ALL_ROWS = slice(None)

Affixes = tuple[bytes, bytes]  # (text before, text behind) the numbers of a column
NO_AFFIXES: Affixes = (b"", b"")
Pattern = NumberMeta | FloatMeta | DigitsMeta | DateMeta
Rows = Array | slice


@dataclass(eq=False)
class TextCells:
    """The cells of one column of text: cell i is buffer[start[i]:stop[i]].

    buffer: (bytes,) uint8, which may hold other columns and separators, too. start, stop: (rows,)
    int32, offsets in it.
    """

    buffer: Bytes
    start: I32
    stop: I32

    def __len__(self) -> int:
        """How many cells, or rows, the column has."""
        return len(self.start)

    @property
    def spans(self) -> tuple[Bytes, I32, I32]:
        """The cells as functions of the file `spans` take them: (buffer, start, stop), not
        copies."""
        return self.buffer, self.start, self.stop

    def only(self, rows: Rows) -> TextCells:
        """The cells in these rows alone, in the same buffer. rows: (n,) numbers from 0, in the
        order of the result, a mask, (rows,), or a slice."""
        return TextCells(self.buffer, self.start[rows], self.stop[rows])

    def cells(self) -> list[bytes]:
        """The bytes of each cell, row by row."""
        return spans.cells_of(*self.spans)

    def gaps(self) -> Mask:
        """Which cells hold no value, (n,) bool: empty and blank ones, and words such as NA."""
        start = self.start.astype(np.int64)
        return gaps_of(Spans(self.buffer, start, self.stop - self.start))

    def sample(self, most: int = LOOKED_AT) -> list[bytes]:
        """The bytes of at most `most` cells, evenly spread over the column, in order."""
        rows = evenly_spread(len(self), most)
        return self.only(rows).cells()

    def levels(self, most: int) -> Levels | None:
        """The different cells, in the order in which they first come, and the place of each row's
        cell among them; None if there are more than `most`."""
        levels = spans.levels(*self.spans, most)
        if levels is None:
            return None
        first, index = levels
        return Levels(self.only(first).cells(), index)

    def all_levels(self) -> Levels:
        """The different cells, in the order in which they first come, and the place of each row's
        cell among them, however many there are."""
        levels = self.levels(len(self))
        # there are no more different cells than cells
        assert levels is not None
        return levels


@dataclass(eq=False)
class Levels:
    """The different cells of a column. cells: the bytes of each; index: (rows,) int32, for each row
    the place of its cell in `cells`, from 0."""

    cells: list[bytes]
    index: I32


def evenly_spread(count: int, most: int) -> Int:
    """At most `most` different numbers of 0 .. count - 1, (n,) int64, ascending, evenly spread from
    the first to the last; of `most` 1 the first alone, of a count of 0 none."""
    number = min(count, most)
    places = np.linspace(0, count - 1, number)
    return np.unique(places.astype(np.int64))


# ---- texts of a meta: JSON has no bytes, and Latin-1 has a letter for each byte


def text_of(cell: bytes) -> str:
    """A cell's bytes as a text that a meta, which is JSON, can hold: one character for each byte
    (latin-1)."""
    return cell.decode("latin-1")


def bytes_of_texts(texts: Iterable[str]) -> list[bytes]:
    """The inverse of `text_of` for several texts of a meta: the cells' bytes, in order.
    UnicodeEncodeError for a text with other characters than `text_of` gives."""
    return [text.encode("latin-1") for text in texts]


def affixes_in(meta: NumberMeta) -> Affixes:
    """The texts before and behind each number of a column, which its meta names, as bytes: (before,
    behind), both b"" for none."""
    prefix, suffix = bytes_of_texts(meta.affixes)
    return prefix, suffix


def texts_of_affixes(affixes: Affixes) -> tuple[str, str]:
    """The bytes before and behind each number of a column, as (before, behind), as texts that a
    meta can hold: the inverse of `affixes_in`."""
    prefix, suffix = affixes
    return text_of(prefix), text_of(suffix)


# ---- odd cells


def specials_of(text: TextCells, good: Mask) -> tuple[str, ...] | None:
    """Choose the specials of a column, texts that its meta names: of the odd cells, those outside
    of the mask `good`, (n,), the different ones of at most LONGEST_SPECIAL (256) bytes, in the
    order in which they first come; () without odd cells, or if they are more than MAX_SPECIAL (62)
    different ones. None if they are also more than a twentieth of all cells: then the column does
    not suit."""
    odd = np.flatnonzero(~good)
    if not len(odd):
        return ()
    levels = text.only(odd).levels(MAX_SPECIAL)
    if levels is None:
        is_rare = len(odd) <= len(text) // ODD_CELLS
        return () if is_rare else None
    short = [cell for cell in levels.cells if len(cell) <= LONGEST_SPECIAL]
    return tuple(map(text_of, short))


def kind_of_rest(meta: Pattern) -> int:
    """The number of the kind of cells that are stored as their text: it follows the kinds of cells
    with a value, meta.valued of them, and those of the specials, also if the meta has no rest."""
    return meta.valued + len(meta.specials)


def kinds_of(cells: Sequence[bytes], meta: Pattern) -> Int:
    """The kind of each odd cell, (n,) int64: meta.valued and more by the place of its text among
    the meta's specials, or else `kind_of_rest`, of cells stored as their text. cells: (n,), taken
    for odd ones, which have no value, whatever they are."""
    specials = bytes_of_texts(meta.specials)
    kind_of_special = {}
    for kind, special in enumerate(specials, meta.valued):
        kind_of_special[special] = kind
    kind_of_others = kind_of_rest(meta)
    kinds = [kind_of_special.get(cell, kind_of_others) for cell in cells]
    return np.array(kinds, np.int64)


# ---- the column


def with_odd_cells(
    text: TextCells,
    meta: Pattern,
    value: Int,
    good: Mask,
    kinds: Int,
) -> Coded:
    """Build a column from the values of the cells that `meta` writes and the text of all others,
    the odd ones. value: (m,), of the cells in the mask `good`, (n,), in order; kinds: (n,), of
    every cell, below meta.valued for those in `good`; it is changed in place for the odd cells,
    which become specials of the meta or are stored as their text."""
    odd = np.flatnonzero(~good)
    if not len(odd):
        return put_together(meta, Stream(value), kinds, [])
    levels = text.only(odd).all_levels()
    # an odd cell often comes in many rows: its special is looked up once
    kinds[odd] = kinds_of(levels.cells, meta)[levels.index]
    rest = np.flatnonzero(kinds == kind_of_rest(meta))
    rest_cells = text.only(rest).cells()
    return put_together(meta, Stream(value, good), kinds, rest_cells)


def put_together(meta: Pattern, values: Stream, kinds: Int, rest_cells: list[bytes]) -> Coded:
    """Build a column from its parts. kinds: (n,), the kind of each row's cell, at most
    `kind_of_rest`; values: those of the cells whose kind is below meta.valued; rest_cells: the
    cells that are stored as their text, in order. A copy of the meta then says that it has a rest;
    one that said so already still does without any, with an empty blob."""
    if rest_cells:
        meta = dataclasses.replace(meta, has_rest=True)
    streams = [values]
    # where all cells are of one kind a stream of zeros would say nothing
    if meta.kinds > 1:
        streams.insert(0, Stream(kinds))
    blobs = []
    if meta.has_rest:
        # a shared model may foresee a rest that this block does not have: its blob is then empty
        blob = pack_cells(rest_cells) if rest_cells else b""
        blobs.append(blob)
    return Coded(meta, streams, blobs)
