"""Joins columns of cells to the text of records: each cell, then a delimiter or the end of the
record."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aetool import kernel
from aetool.codec import spans
from aetool.codec.limits import check_text
from aetool.codec.spans import I32, Spans
from aetool.csv import writing
from aetool.csv.fields import Rule
from aetool.data.table import Bytes
from aetool.model import Int

CELL, FOLLOWING = 0, 1  # of the two spans of a cell: itself, and what stands behind it


def alike(rows: int, line_end: str, last_end: str) -> Spans:
    """The ends of `rows` records as cells, of one pool: line_end for each, but last_end for the
    last one. Both ASCII; either may be ""."""
    both_ends = (line_end + last_end).encode()
    pool = np.frombuffer(both_ends, np.uint8)
    usual_length = len(line_end)
    start = np.zeros(rows, np.int64)
    length = np.full(rows, usual_length, np.int32)
    # of the last record, if there is one
    start[-1:] = usual_length
    length[-1:] = len(last_end)
    return Spans(pool, start, length)


def visible(column: Spans, rule: Rule, columns: int) -> Spans:
    """The cells of a column as they have to be written in a table of so many columns, in a new
    pool: an empty cell alone in its record is quoted, and so is one where blanks part fields; a
    quote that the last cell leaves open is closed. See `writing.field`. rule: how fields are
    written."""
    rows = len(column)
    is_judged = np.full(rows, rule.delimiter == " ")
    # an empty cell alone in its record would be a blank line
    if columns == 1:
        is_judged |= column.length == 0
    # a quote that is left open is the last record's
    is_judged[-1:] = True
    judged = np.flatnonzero(is_judged)
    written = []
    chosen = column.take(judged)
    for cell in chosen.bytes():
        field = writing.field(cell, rule, columns)
        written.append(field)
    cells = spans.behind_another(written)
    start = column.start.copy()
    length = column.length.copy()
    # what is written anew stands behind the pool
    start[judged] = len(column.pool) + cells.start
    length[judged] = cells.length
    pool = np.concatenate([column.pool, cells.pool])
    return Spans(pool, start, length)


class Records:
    """Records of text that are put together column by column. Of each cell there are two spans: the
    cell, and what follows it, which is the delimiter until `put` changes it.

    start, length: (rows, columns, 2), of these spans (CELL, FOLLOWING), in all pools one behind the
    other. pooled: how many bytes all pools so far have. rule: the one with the delimiter, a single
    byte.
    """

    def __init__(self, rows: int, columns: int, rule: Rule) -> None:
        encoded = rule.delimiter.encode()
        delimiter = np.frombuffer(encoded, np.uint8)
        shape = (rows, columns, 2)
        # behind every cell stands a delimiter, at first
        self.start: Int = np.zeros(shape, np.int64)
        self.length: I32 = np.ones(shape, np.int32)
        self.pools: list[Bytes] = [delimiter]
        self.pooled = len(delimiter)

    def put(
        self,
        column: int,
        span: int,
        values: Spans,
        inside: slice,
    ) -> None:
        """Set a column, by its number, of all records. span: CELL for the cells, FOLLOWING for what
        stands behind them. values: one for each of a block's records, of which `inside`, as many as
        `rows`, are these records."""
        place = (slice(None), column, span)
        start = values.start[inside]
        # their pool comes behind the pools before it
        self.start[place] = start + self.pooled
        self.length[place] = values.length[inside]
        self.pools.append(values.pool)
        self.pooled += len(values.pool)

    def text(self) -> bytes:
        """The text of all records, one after the other, as bytes; every column must have been
        put."""
        pool = np.concatenate(self.pools)
        start = self.start.reshape(-1)
        length = self.length.reshape(-1)
        text = spans.weave(pool, start, length)
        return text.tobytes()


def woven(
    cells: Sequence[Spans],
    tails: Spans,
    rule: Rule,
    inside: slice,
) -> bytes:
    """The text of records `inside`, as bytes: the cells of each with delimiters between, then its
    line end. cells: for each column, at least one, its cells, one for each record; tails: the line
    end of each record. rule: the one with the delimiter; inside: without a step. ArchiveError for
    more text than a block may have."""
    first, last, _ = inside.indices(len(tails))
    delimiter = rule.delimiter.encode()
    records = max(0, last - first)
    delimiters = (len(cells) - 1) * records
    size = delimiters * len(delimiter)
    columns = (*cells, tails)
    for column in columns:
        lengths = column.length[first:last]
        # as 64 bits: lengths of 32 bits may add up to more
        size += int(lengths.sum(dtype=np.int64))
    # before memory is taken for what a damaged archive claims
    check_text(size)
    if kernel.C is None:
        return by_arrays(cells, tails, rule, inside)
    # one pass over all columns: the matrices of the reference are larger than the text itself
    buffers = [_as_buffers(column) for column in columns]
    text = np.empty(size, np.uint8)
    kernel.C.records(buffers, first, last, delimiter, text)
    return text.tobytes()


def _as_buffers(column: Spans) -> tuple[Bytes, Int, I32]:
    """Convert the cells of a column to the types that the C kernel takes: (pool, start, length),
    start int64, length int32, without gaps in memory."""
    start = np.ascontiguousarray(column.start, np.int64)
    length = np.ascontiguousarray(column.length, np.int32)
    return column.pool, start, length


def by_arrays(
    cells: Sequence[Spans],
    tails: Spans,
    rule: Rule,
    inside: slice,
) -> bytes:
    """The text that `woven` returns of the same arguments, computed in numpy, without the C kernel,
    which is compared with it. cells: by column; tails: the line end of each record; rule: with the
    delimiter; inside: which records, without a step. The text's size is not checked."""
    first, last, _ = inside.indices(len(tails))
    rows = last - first
    records = Records(rows, len(cells), rule)
    for place, column in enumerate(cells):
        records.put(place, CELL, column, inside)
    # behind the last cell of a record stands no delimiter
    records.put(-1, FOLLOWING, tails, inside)
    return records.text()
