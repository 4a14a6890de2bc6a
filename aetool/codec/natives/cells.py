"""Cells of text or bytes, gaps among them, as one column; and back to one run of bytes."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from itertools import count, product

import numpy as np
import numpy.typing as npt

from aetool.codec import ranks, spans, textual
from aetool.codec.columns import Coded, Decoded, errors_as_damage
from aetool.codec.limits import MAX_TEXT, check_text
from aetool.codec.metas import CellsMeta
from aetool.codec.natives.bounding import Mask
from aetool.data.table import Bytes
from aetool.errors import ArchiveError
from aetool.model import Int

NO_UTF8 = b"\xff"  # no byte of UTF-8


@dataclass(frozen=True, eq=False)
class CellColumn:
    """n cells, one behind the other: cell i is bytes[ends[i - 1]:ends[i]]; the first begins at 0.
    bytes: (size,) uint8; ends: (n,) int64. gaps: (n,) bool, which cells are missing, and have no
    bytes; None if none is."""

    bytes: Bytes
    ends: Int
    gaps: Mask | None

    def lengths(self) -> Int:
        """How many bytes each cell has: (n,) int64, 0 for gaps."""
        return np.diff(self.ends, prepend=np.int64(0))


def encode_cells(
    buffer: Bytes,
    start: Int,
    stop: Int,
    gaps: Mask | None,
    utf8: bool,
) -> Coded:
    """Encode a column of n cells: cell i is buffer[start[i]:stop[i]]. buffer: (size,) uint8; start,
    stop: (n,) int64.

    gaps: (n,) bool, which cells are missing, or None. utf8: whether all cells are UTF-8. A gap is
    stored as a text that no cell has, so that it takes part in whatever the column is coded as.
    ArchiveError if the cells span more than MAX_TEXT (320 MiB) bytes of the buffer.
    """
    first = int(start.min(initial=len(buffer)))
    last = int(stop.max(initial=first))
    size = last - first
    if size > MAX_TEXT:
        raise ArchiveError(f"a block of {size:,} bytes of text is too large")
    # Arrow's buffer may have the cells of other batches, too
    buffer = buffer[first:last]
    # within the limit of a text, 32 bits are enough
    begin = (start - first).astype(np.int32)
    end = (stop - first).astype(np.int32)
    if gaps is None or not gaps.any():
        return textual.encode(buffer, begin, end)
    gap_mark = NO_UTF8
    if not utf8:
        present = ~gaps
        gap_mark = _unused_text(buffer, begin[present], end[present])
    # the mark is put behind all cells, once: every gap is the span of it
    begin[gaps] = len(buffer)
    mark = np.frombuffer(gap_mark, np.uint8)
    buffer = np.append(buffer, mark)
    end[gaps] = len(buffer)
    coded = textual.encode(buffer, begin, end)
    # JSON has no bytes; latin-1 gives each byte back
    mark_in_json = gap_mark.decode("latin-1")
    for way in (coded, *coded.others):
        assert isinstance(way.meta, CellsMeta)
        way.meta = dataclasses.replace(way.meta, gap=mark_in_json)
    return coded


def _unused_text(buffer: Bytes, start: spans.I32, stop: spans.I32) -> bytes:
    """A short text that no cell buffer[start[i]:stop[i]] is equal to: the first of the bytes FF, FE
    .. 00, then FFFF, FFFE .. that is free. start, stop: (n,), those of the cells that are no
    gaps."""
    lengths = stop - start
    for size in count(1):
        # only cells of that length could be equal to it
        rows = np.flatnonzero(lengths == size)
        used_texts = set(spans.cells_of(buffer, start[rows], stop[rows]))
        for letters in product(range(255, -1, -1), repeat=size):
            gap_mark = bytes(letters)
            if gap_mark not in used_texts:
                return gap_mark
    raise AssertionError("there are more cells than strings of bytes")


@errors_as_damage()
def decode_cells(column: Decoded) -> CellColumn:
    """The cells and gaps of a column that `encode_cells` encoded; ArchiveError for a column of
    anything else, or cells of more bytes than a block may have."""
    cells = ranks.cells_of(column)
    length = cells.length.astype(np.int64)
    gaps = None
    if isinstance(column.meta, CellsMeta) and column.meta.gap is not None:
        gap_mark = column.meta.gap.encode("latin-1")
        gaps = _equal_to(cells, gap_mark)
        length = np.where(gaps, 0, length)
    # before the cells are put behind one another
    check_text(int(length.sum()))
    length_of_cells = length.astype(np.int32)
    joined = spans.weave(cells.pool, cells.start, length_of_cells)
    ends = np.cumsum(length, dtype=np.int64)
    return CellColumn(joined, ends, gaps)


def _equal_to(cells: spans.Spans, gap_mark: bytes) -> Mask:
    """Which cells equal gap_mark, the bytes by which a gap is stored: (rows,) bool."""
    is_equal: npt.NDArray[np.bool_] = cells.length == len(gap_mark)
    # a byte at a time, of those that are equal so far
    for place, byte in enumerate(gap_mark):
        candidates = np.flatnonzero(is_equal)
        places = cells.start[candidates] + place
        letters = cells.pool[places]
        is_equal[candidates] = letters == byte
    return is_equal
