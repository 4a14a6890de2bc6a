"""Columns of sentences: each cell as its skeleton, and the numbers in it as columns of their own.

    order 1041 sent by node3, 12.5 ms    =    order _ sent by node_, _ ms  |  1041  |  3  |  12.5

The skeleton is the cell with a mark, byte 0, for each part. The skeletons and the parts are columns
of a block of their own, so that whatever is known of columns of text holds for them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from aetool.codec import blocks, planning, spans, text_decoding, textual
from aetool.codec.blobs import read_varint, varint
from aetool.codec.columns import Coded, Decoded, sensible
from aetool.codec.limits import check_cells, check_text
from aetool.codec.metas import LevelMeta, PartsMeta, RankMeta, TextMeta, gap_in
from aetool.codec.spans import Spans
from aetool.errors import ArchiveError

MARK = b"\0"
MOST_PARTS = 24  # of a cell
LOOKED_AT = 256  # cells that tell whether a column is of sentences
LEAST_MARKED = 0.8  # of these must have parts
MOST_SKELETONS = 0.25  # different ones, of these
FEWEST = 48  # cells
MOST = 1 << 18
LEAST_DIFFERENT = 0.1  # of the cells must be different
# a moment; the five groups of an identity; hexadecimal, of eight digits or more; a decimal; digits
PART = re.compile(
    rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?"
    rb"|(?<![0-9A-Za-z])[0-9a-f]{8}(?=(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9A-Za-z]))"
    rb"|(?<=[0-9a-f]-)[0-9a-f]{4}(?=(?:-[0-9a-f]{4}){0,2}-[0-9a-f]{12}(?![0-9A-Za-z]))"
    rb"|(?<=[0-9a-f]{4}-)[0-9a-f]{12}(?![0-9A-Za-z])"
    rb"|(?<![0-9A-Za-z])(?:[0-9a-f]{16}|[0-9a-f]{8})(?=(?:[0-9a-f]{8})*(?![0-9A-Za-z]))"
    rb"|(?<![0-9.])\d{1,9}\.\d{1,9}(?![0-9]*\.[0-9]|[0-9])"
    rb"|\d{1,18}"
)


def offer(columns: Sequence[Coded], effort: planning.Effort) -> None:
    """Add to `others` of each column of sentences, in place, its encoding as skeletons and parts;
    columns of other cells stay as they are."""
    for column in columns:
        if column.cells is None or not _may_be(column, column.cells):
            continue
        way = _split(column.cells.bytes(), effort)
        if way is not None:
            way.meta = PartsMeta(gap_in(column.meta))
            column.others.append(way)


def _may_be(column: Coded, all_cells: Spans) -> bool:
    """Whether a sample of a column's cells looks like sentences of few skeletons with numbers in
    them."""
    text, start, stop = all_cells.places()
    if not isinstance(column.meta, TextMeta | LevelMeta) or not FEWEST <= len(start) <= MOST:
        return False
    if isinstance(column.meta, LevelMeta):
        different = int(column.streams[0].values.max(initial=0)) + 1
        if different < max(FEWEST, LEAST_DIFFERENT * len(start)):
            return False
    some = np.unique(np.linspace(0, len(start) - 1, LOOKED_AT).astype(np.int64))
    cells = spans.cells_of(text, start[some], stop[some])
    if any(MARK in cell for cell in cells):
        return False
    skeletons = [PART.sub(MARK, cell) for cell in cells]
    marked = sum(MARK in skeleton for skeleton in skeletons)
    return (
        marked >= LEAST_MARKED * len(cells)
        and len(set(skeletons)) <= MOST_SKELETONS * len(cells)
        # a skeleton that is nothing but a mark tells nothing
        and any(len(skeleton) > 1 for skeleton in skeletons)
    )


def _split(cells: list[bytes], effort: planning.Effort) -> Coded | None:
    """Encode cells as skeletons and parts, in one blob; None if a cell has the mark in it, or more
    than MOST_PARTS parts."""
    joined = b"\n".join(cells)
    if MARK in joined:
        return None
    parts = [PART.findall(cell) for cell in cells]
    most = max(map(len, parts))
    if most > MOST_PARTS:
        return None
    columns = [[PART.sub(MARK, cell) for cell in cells]]
    columns += [[one[k] if k < len(one) else b"" for one in parts] for k in range(most)]
    coded = [_column(column) for column in columns]
    _, payload, _ = blocks.encode(coded, len(cells), {}, effort)
    return Coded(PartsMeta(), [], [varint(len(columns)) + payload])


def _column(cells: list[bytes]) -> Coded:
    ends = np.cumsum([len(cell) for cell in cells], dtype=np.int32)
    start = np.append(0, ends[:-1]).astype(np.int32)
    return textual.encode(np.frombuffer(b"".join(cells), np.uint8), start, ends)


@sensible()
def decode(column: Decoded) -> Spans:
    """The cells of a column of skeletons and parts; ArchiveError if it is damaged."""
    rows = len(column.kinds)
    count, at = read_varint(column.blobs[0], 0)
    if not 1 <= count <= 1 + MOST_PARTS:
        raise ArchiveError("damaged: a column has too many parts, or none")
    check_cells(rows, count)
    block = blocks.decode(column.blobs[0][at:], rows, None)
    if len(block.columns) != count:
        raise ArchiveError("damaged: a column has not the parts that it should have")
    if any(isinstance(one.meta, PartsMeta | RankMeta) for one in block.columns):
        raise ArchiveError("damaged: a part of a column is not one column of cells")
    listed = [text_decoding.decode(one) for one in block.columns]
    check_text(sum(int(one.length.sum(dtype=np.int64)) for one in listed))
    cells = [one.bytes() for one in listed]
    woven = [_woven(*row) for row in zip(*cells, strict=True)]
    length = np.array([len(cell) for cell in woven], np.int32)
    begin = np.cumsum(length, dtype=np.int64) - length
    return Spans(np.frombuffer(b"".join(woven), np.uint8), begin, length)


def _woven(skeleton: bytes, *parts: bytes) -> bytes:
    """The skeleton with each mark replaced by the next part; parts left over are empty ones."""
    pieces = skeleton.split(MARK)
    if len(pieces) > 1 + len(parts):
        raise ArchiveError("damaged: a cell has more marks than parts")
    woven = pieces[0]
    for part, piece in zip(parts, pieces[1:], strict=False):
        woven += part + piece
    return woven
