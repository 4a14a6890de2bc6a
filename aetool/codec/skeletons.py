"""Columns of sentences: each cell is stored as its skeleton, and the numbers in it as columns of
their own.

    order 1041 sent by node3, 12.5 ms    =    order _ sent by node_, _ ms  |  1041  |  3  |  12.5

The skeleton is the cell with a mark, byte 0, for each part. The skeletons and the parts are columns
of a block of their own, so that whatever is known of columns of text holds for them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import zip_longest

import numpy as np

from aetool.codec import blocks, planning, spans, text_decoding, textual
from aetool.codec.blobs import read_varint, varint
from aetool.codec.columns import Coded, Decoded, errors_as_damage
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
# a moment; the five groups of an identity; a hexadecimal number of 8, 16, 24 ... digits, cut into
# parts of 16 or 8; a decimal; digits
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
    """Add to `others` of each column of sentences, in place, its encoding as skeletons (the cells
    with a mark for each number or date in them) and parts (these numbers and dates); columns of
    other cells stay as they are. effort: how far to search for ways to store these."""
    for column in columns:
        if column.cells is None or not _looks_like_sentences(column, column.cells):
            continue
        way = _split(column.cells.bytes(), effort)
        if way is not None:
            way.meta = PartsMeta(gap_in(column.meta))
            column.others.append(way)


def _looks_like_sentences(column: Coded, all_cells: Spans) -> bool:
    """Whether a sample of at most LOOKED_AT (256) of a column's cells looks like sentences of few
    skeletons (cells with a mark for each number in them): at least LEAST_MARKED (0.8) of the cells
    have a number or date, different skeletons are at most a quarter as many as cells, and one of
    them is more than a mark. False of a column that is not of text or levels, or has fewer than
    FEWEST (48) or more than MOST (2^18) cells, fewer different levels than 48 or a tenth of its
    cells, or a cell with the mark in the sample. all_cells: those of the column."""
    rows = len(all_cells)
    if not isinstance(column.meta, TextMeta | LevelMeta):
        return False
    if not FEWEST <= rows <= MOST:
        return False
    if isinstance(column.meta, LevelMeta):
        levels = column.streams[0].values
        different = int(levels.max(initial=0)) + 1
        if different < max(FEWEST, LEAST_DIFFERENT * rows):
            return False
    text, start, stop = all_cells.places()
    sample = np.linspace(0, rows - 1, LOOKED_AT).astype(np.int64)
    sample = np.unique(sample)
    cells = spans.cells_of(text, start[sample], stop[sample])
    if any(MARK in cell for cell in cells):
        return False
    skeletons = [PART.sub(MARK, cell) for cell in cells]
    marked = sum(MARK in skeleton for skeleton in skeletons)
    if marked < LEAST_MARKED * len(cells):
        return False
    if len(set(skeletons)) > MOST_SKELETONS * len(cells):
        return False
    # a skeleton that is nothing but a mark tells nothing
    return any(len(skeleton) > 1 for skeleton in skeletons)


def _split(cells: list[bytes], effort: planning.Effort) -> Coded | None:
    """Encode cells, at least one, as skeletons (cells with a mark for each part) and parts (numbers
    and dates in them, see PART), in one blob: varint how many columns, and a payload of these.
    effort: how far to search for a small encoding. None if a cell has the mark in it, or more than
    MOST_PARTS (24) parts."""
    if any(MARK in cell for cell in cells):
        return None
    parts = [PART.findall(cell) for cell in cells]
    most = max(map(len, parts))
    if most > MOST_PARTS:
        return None
    skeletons = [PART.sub(MARK, cell) for cell in cells]
    columns = [skeletons]
    # cells of fewer parts have empty ones behind them
    columns += map(list, zip_longest(*parts, fillvalue=b""))
    coded = []
    for column in columns:
        places = spans.behind_another(column).places()
        coded.append(textual.encode(*places))
    _, payload, _ = blocks.encode(coded, len(cells), {}, effort)
    blob = varint(len(columns)) + payload
    return Coded(PartsMeta(), [], [blob])


@errors_as_damage()
def decode(column: Decoded) -> Spans:
    """Restore the cells, row by row, of a decoded column of PartsMeta: its blob has the skeleton of
    each cell, with marks, and the parts that stood in the places of these; ArchiveError if it is
    damaged, or has more text than a block may have."""
    rows = len(column.kinds)
    blob = column.blobs[0]
    count, at = read_varint(blob, 0)
    if not 1 <= count <= 1 + MOST_PARTS:
        raise ArchiveError("damaged: a column has too many parts, or none")
    check_cells(rows, count)
    columns = blocks.decode(blob[at:], rows, None).columns
    if len(columns) != count:
        raise ArchiveError("damaged: a column has not the parts that it should have")
    # columns in columns could go on for ever
    if any(isinstance(part_column.meta, PartsMeta | RankMeta) for part_column in columns):
        raise ArchiveError("damaged: a part of a column is not one column of cells")
    cells_of_columns = [text_decoding.decode(part_column) for part_column in columns]
    size = 0
    for cells in cells_of_columns:
        size += int(cells.length.sum(dtype=np.int64))
    check_text(size)
    parts = [cells.bytes() for cells in cells_of_columns]
    woven = [_filled_in(*row) for row in zip(*parts, strict=True)]
    return spans.behind_another(woven)


def _filled_in(skeleton: bytes, *parts: bytes) -> bytes:
    """The skeleton, a cell with a mark for each part, with each mark replaced by the next part;
    parts behind the last mark, which are empty ones, are dropped. ArchiveError if there are more
    marks than parts."""
    pieces = skeleton.split(MARK)
    if len(pieces) > 1 + len(parts):
        raise ArchiveError("damaged: a cell has more marks than parts")
    woven = pieces[0]
    for part, piece in zip(parts, pieces[1:], strict=False):
        woven += part + piece
    return woven
