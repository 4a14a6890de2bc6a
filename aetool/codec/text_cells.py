"""The cells of one column of text, and what all ways to store them share.

Most cells of a column are of one form, such as numbers. The odd cells, which are not, become
specials (a few short texts that come often, named in the meta) or are stored as their text.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aetool.codec import spans
from aetool.codec.columns import Coded
from aetool.codec.integers import Stream
from aetool.codec.metas import DigitsMeta, FloatMeta, NumberMeta, PatternMeta
from aetool.codec.spans import I32, pack_cells
from aetool.data.table import Bytes, Mask
from aetool.model import Array, Int

LONGEST_SPECIAL = 256  # bytes; longer cells are stored as their text
MAX_SPECIAL = 62  # different odd cells, before a column is not taken for one of numbers
ODD_CELLS = 20  # one cell in so many may be odd, whatever it is
LOOKED_AT = 256  # cells of a sample, which tells of most columns that they are not of a form

ALL_ROWS = slice(None)


@dataclass(eq=False)
class TextCells:
    """The cells of one column: cell i is buffer[start[i]:stop[i]]."""

    buffer: Bytes
    start: I32
    stop: I32

    def __len__(self) -> int:
        return len(self.start)

    @property
    def spans(self) -> tuple[Bytes, I32, I32]:
        """(buffer, start, stop), as functions of `spans` take them."""
        return self.buffer, self.start, self.stop

    def cells(self, rows: Array | slice = ALL_ROWS) -> list[bytes]:
        """The bytes of each cell, in these rows alone."""
        return spans.cells_of(self.buffer, self.start[rows], self.stop[rows])

    def sample(self) -> list[bytes]:
        """At most LOOKED_AT cells, evenly spread over the column."""
        return self.cells(evenly_spread(len(self), LOOKED_AT))

    def levels(self, most: int, rows: Array | slice = ALL_ROWS) -> tuple[list[bytes], I32] | None:
        """(the different cells, for each of the rows the place of its cell among them); None if
        there are more than `most` different ones."""
        levels = spans.levels(self.buffer, self.start[rows], self.stop[rows], most)
        if levels is None:
            return None
        first, index = levels
        if isinstance(rows, slice):
            return self.cells(first), index
        return self.cells(rows[first]), index


def evenly_spread(count: int, most: int) -> Int:
    """At most `most` different numbers below count, evenly spread, the first and the last among
    them."""
    places = np.linspace(0, count - 1, min(count, most))
    return np.unique(places.astype(np.int64))


def specials_of(text: TextCells, good: Mask) -> tuple[str, ...] | None:
    """The different cells outside of the mask `good`, without long ones; () if they are more than
    MAX_SPECIAL, None if they are also more than a twentieth of all cells."""
    odd = np.flatnonzero(~good)
    if not len(odd):
        return ()
    levels = text.levels(MAX_SPECIAL, odd)
    if levels is None:
        is_rare = len(odd) <= len(text) // ODD_CELLS
        return () if is_rare else None
    different, _ = levels
    return tuple(cell.decode("latin-1") for cell in different if len(cell) <= LONGEST_SPECIAL)


def kinds_of(cells: Sequence[bytes], meta: PatternMeta) -> list[int]:
    """The kind of each of these cells, none of which is written as the meta says: that of its
    special, else the last one, of cells stored as their text."""
    kind_of_special = {}
    for kind, special in enumerate(meta.specials, meta.valued):
        kind_of_special[special.encode("latin-1")] = kind
    kind_of_others = meta.valued + len(meta.specials)
    return [kind_of_special.get(cell, kind_of_others) for cell in cells]


def with_odd_cells(
    text: TextCells,
    meta: NumberMeta | FloatMeta | DigitsMeta,
    value: Int,
    good: Mask,
    kinds: Int,
) -> Coded:
    """Put a column together. value: of the cells in the mask `good`; kinds: of every row, changed
    in place for the other cells, which become specials of the meta, or are stored as their text."""
    odd = np.flatnonzero(~good)
    kind_of_others = meta.valued + len(meta.specials)
    if len(odd):
        cells, index = text.levels(len(odd), odd) or ([], np.zeros(0, np.int32))
        kinds_of_cells = np.array(kinds_of(cells, meta))
        kinds[odd] = kinds_of_cells[index]
        if (kinds[odd] == kind_of_others).any():
            meta = dataclasses.replace(meta, has_rest=True)
    # a shared model may foresee a rest that this block does not have: its blob is then empty
    blobs = [b""] if meta.has_rest else []
    rest = np.flatnonzero(kinds == kind_of_others)
    if len(rest):
        blobs = [pack_cells(text.cells(rest))]
    present = good if len(odd) else None
    streams = [Stream(value, present)]
    if meta.kinds > 1:
        streams.insert(0, Stream(kinds))
    return Coded(meta, streams, blobs)
