"""Texts of small tables squeezed by the mixture of contexts, which is slow: by about a fifth.

Names, towns and remarks are most of what a small table takes, and a mixture tells them best. It
takes seconds for each megabyte, both ways, so a large table keeps what is quick.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aetool.codec import blobs, planning, stages
from aetool.codec.columns import Coded
from aetool.codec.metas import LevelMeta, TextMeta

SMALL_TABLE = 4 << 20  # bytes of all cells: the texts of a larger table are not mixed
MIXED_SHARE = 8  # one byte of so many of a table's cells may be mixed: about a quarter more time
ALWAYS_MIXED = 384 << 10  # bytes of texts that are mixed in any small table: a second at most


def squeeze(
    columns: Sequence[Coded],
    effort: planning.Effort,
) -> None:
    """Compress the texts and levels (different texts) of a block's columns by a mixture of
    contexts, which is slow, where that takes fewer bytes: the shortest first, until an eighth of
    the bytes of all cells, or ALWAYS_MIXED (384 KiB) if that is more, is mixed. The first blob of
    these columns is changed in place. Texts of at most stages.FEW (2^14) bytes, which were mixed as
    they were packed, are passed over, and do not count.

    An effort that mixes goes on to SMALL_TABLE (2^22) bytes; others leave tables of more than that
    as they are.
    """
    size_of_table = _size_of_cells(columns)
    bytes_left = max(ALWAYS_MIXED, size_of_table // MIXED_SHARE)
    if effort.mixes:
        bytes_left = SMALL_TABLE
    elif size_of_table > SMALL_TABLE:
        return
    text_columns = [
        column
        for column in columns
        if isinstance(column.meta, TextMeta | LevelMeta) and column.blobs[0]
    ]
    text_columns.sort(key=_size_of_text)
    for column in text_columns:
        size_of_text = _size_of_text(column)
        if size_of_text > bytes_left:
            return
        if size_of_text <= stages.FEW:
            # such a text was mixed as it was packed
            continue
        bytes_left -= size_of_text
        before, packed_text = _head_and_text(column)
        mixed = blobs.pack(blobs.unpack(packed_text), stage_names=(stages.MIXED_WIDELY,))
        if len(mixed) < len(packed_text):
            column.blobs[0] = before + mixed


def _size_of_cells(columns: Sequence[Coded]) -> int:
    """How many bytes all cells of the columns have together, those of columns whose cells are not
    there (Coded.cells) left out."""
    size = 0
    for column in columns:
        if column.cells is not None:
            size += int(column.cells.length.sum(dtype=np.int64))
    return size


def _size_of_text(column: Coded) -> int:
    """How many bytes the text of a column of texts or levels, with a blob that is not empty, has
    unpacked."""
    _, packed_text = _head_and_text(column)
    head, _ = blobs.read_varint(packed_text, 0)
    return head >> stages.BITS


def _head_and_text(column: Coded) -> tuple[bytes, bytes]:
    """Split the blob, not empty, of a column of texts or levels: (the bytes at its head, the packed
    text behind them). Levels have at the head, as a varint, how many they are, texts nothing."""
    blob = column.blobs[0]
    if isinstance(column.meta, LevelMeta):
        _, begin_of_text = blobs.read_varint(blob, 0)
        return blob[:begin_of_text], blob[begin_of_text:]
    return b"", blob
