"""Cells of text or bytes, gaps among them, as one column; and back to one run of bytes."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from itertools import count, product

import numpy as np
import numpy.typing as npt

from aetool.codec import ranks, spans, textual
from aetool.codec.columns import Coded, Decoded, sensible
from aetool.codec.limits import MAX_TEXT, check_text
from aetool.codec.metas import CellsMeta
from aetool.codec.natives.bounding import Mask
from aetool.data.table import Bytes
from aetool.errors import ArchiveError
from aetool.model import Int

NO_UTF8 = b"\xff"  # no byte of UTF-8


@dataclass(frozen=True, eq=False)
class CellColumn:
    """n cells, one behind the other: cell i is bytes[ends[i - 1]:ends[i]]. gaps: (n,) bool, which
    cells are missing, and have no bytes; None if none is."""

    bytes: Bytes
    ends: Int
    gaps: Mask | None

    def lengths(self) -> Int:
        """(n,): how many bytes each cell has."""
        return np.diff(self.ends, prepend=np.int64(0))


def encode_cells(buffer: Bytes, start: Int, stop: Int, gaps: Mask | None, utf8: bool) -> Coded:
    """Encode a column of cells: cell i is buffer[start[i]:stop[i]].

    gaps: (n,) bool, which cells are missing, or None. utf8: whether all cells are UTF-8. A gap is
    stored as a text that no cell has, so that it takes part in whatever the column is coded as.
    """
    first = int(start.min(initial=len(buffer)))
    last = int(stop.max(initial=first))
    if last - first > MAX_TEXT:
        raise ArchiveError(f"a block of {last - first:,} bytes of text is too large")
    buffer = buffer[first:last]
    start = start - first
    stop = stop - first
    if gaps is None or not gaps.any():
        return textual.encode(buffer, start.astype(np.int32), stop.astype(np.int32))
    mark = NO_UTF8 if utf8 else _unused(buffer, start[~gaps], stop[~gaps])
    buffer = np.concatenate([buffer, np.frombuffer(mark, np.uint8)])
    # all gaps look at the one mark, behind all cells
    start = np.where(gaps, len(buffer) - len(mark), start)
    stop = np.where(gaps, len(buffer), stop)
    coded = textual.encode(buffer, start.astype(np.int32), stop.astype(np.int32))
    for one in (coded, *coded.others):
        assert isinstance(one.meta, CellsMeta)
        one.meta = dataclasses.replace(one.meta, gap=mark.decode("latin-1"))
    return coded


def _unused(buffer: Bytes, start: Int, stop: Int) -> bytes:
    """The first of the bytes FF, FE .. 00, FFFF, FFFE .. that no cell is equal to."""
    for size in count(1):
        of_this_size = np.flatnonzero(stop - start == size)
        seen = set(spans.cells_of(buffer, start[of_this_size], stop[of_this_size]))
        for letters in product(range(255, -1, -1), repeat=size):
            if bytes(letters) not in seen:
                return bytes(letters)
    raise AssertionError("there are more cells than strings of bytes")


@sensible()
def decode_cells(column: Decoded) -> CellColumn:
    """The cells and gaps of a column that `encode_cells` encoded."""
    cells = ranks.cells_of(column)
    length = cells.length.astype(np.int64)
    gaps = None
    if isinstance(column.meta, CellsMeta) and column.meta.gap is not None:
        gaps = _are(cells, column.meta.gap.encode("latin-1"))
        length = np.where(gaps, 0, length)
    # before the cells are put behind one another
    check_text(int(length.sum()))
    joined = spans.weave(cells.pool, cells.start, length.astype(np.int32))
    return CellColumn(joined, np.cumsum(length, dtype=np.int64), gaps)


def _are(cells: spans.Spans, mark: bytes) -> Mask:
    """(rows,) bool: which cells have the bytes `mark`, that of a gap."""
    same: npt.NDArray[np.bool_] = cells.length == len(mark)
    for place, byte in enumerate(mark):
        candidates = np.flatnonzero(same)
        same[candidates] = cells.pool[cells.start[candidates] + place] == byte
    return same
