"""The nearest of the rows remembered, looked for in a graph."""

from __future__ import annotations

import numpy as np

from aetool.closed_form import Builder, Value

BLOCK = 64  # rows whose least distance is taken at once
FEW_ROWS = 4 * BLOCK  # so few are not parted into blocks
FARTHEST = 1e30  # squared distance where there is no row
CANDIDATES = 2  # rows that are looked for: the nearest may be the record itself


def places_for(rows: int) -> int:
    """How many places a table has for this many rows: as many, or above FEW_ROWS rounded up to
    whole blocks."""
    if rows <= FEW_ROWS:
        return rows
    missing = -rows % BLOCK
    return rows + missing


def table_of(
    g: Builder,
    coordinates: Value,
    width: int,
    rows: int,
) -> Value:
    """(width + 1, places): the matrix by which records, with a 1 behind their coordinates, are
    multiplied to get their squared distances from rows, less their own squared length, which is the
    same for all rows. coordinates: of the rows, (rows, width), constant. Places beyond the rows are
    as far as FARTHEST."""
    squares = coordinates * coordinates
    every_coordinate = np.ones(width)
    length = g.sum_of(squares, every_coordinate)
    # |x - r|^2 less |x|^2 is |r|^2 - 2 x r; to add |r|^2 afterwards would take as long again
    table = g.side_by_side(coordinates * -2.0, length)
    places = places_for(rows)
    missing = places - rows
    if missing:
        no_rows = np.zeros((missing, width + 1))
        no_rows[:, -1] = FARTHEST
        table = g.op("Concat", table, no_rows, axis=0)
    return g.op("Transpose", table, perm=[1, 0])


def with_one(g: Builder, record: Value) -> Value:
    """Coordinates of records, (batch, n), with a 1 behind them: (batch, n + 1)."""
    one = g.nothing(record) + 1.0
    return g.side_by_side(record, one)


def two_nearest(g: Builder, squares: Value, rows: int) -> Value:
    """The indices of the two rows nearest to each record, the nearest first: (batch, 2) int64;
    (batch, 1) of a single row. squares: the squared distances that `table_of` returns, (batch,
    places); rows: how many rows these are of, the first of the places."""
    count = min(CANDIDATES, rows)
    if rows <= FEW_ROWS:
        return g.numbers_of_least(squares, count)
    # what is least of a block is found in a third of the time that it takes to find where it is,
    # and both rows are in the two blocks with the least
    places = places_for(rows)
    blocks = places // BLOCK
    by_block = shaped(g, squares, -1, blocks, BLOCK)
    last_axis = g.const([2], np.int64)
    least = g.op("ReduceMin", by_block, last_axis, keepdims=0)
    block = g.numbers_of_least(least, count)
    block = shaped(g, block, -1, count, 1)
    # places are whole numbers, which float32 would not be
    size = g.const(BLOCK, np.int64)
    first = block * size
    within = g.const(np.arange(BLOCK), np.int64)
    place = first + within
    place = shaped(g, place, -1, count * BLOCK)
    candidates = g.op("GatherElements", squares, place, axis=1)
    nearest = g.numbers_of_least(candidates, count)
    return g.op("GatherElements", place, nearest, axis=1)


def shaped(g: Builder, x: Value, *sizes: int) -> Value:
    """The numbers of x in a shape of these sizes, of which -1 stands for what is left."""
    shape = g.const(sizes, np.int64)
    return g.op("Reshape", x, shape)
