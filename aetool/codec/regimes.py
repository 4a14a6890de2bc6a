"""Where the numbers of a table begin to be written with other decimals, as where a sensor was
replaced or a source changed: what lies before and behind may be smaller as blocks of their own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from aetool.codec.spans import I32
from aetool.csv.fields import Fields
from aetool.data.table import Bytes
from aetool.model import Int

CHUNKS = 64  # stretches of a table, in each of which the usual number of decimals is looked at
FEWEST = 16  # records of a stretch; tables of fewer in all are not cut
SHORTEST = 4  # stretches that a way of writing lasts at least
LEAST_USUAL = 0.5  # of the cells of a way of writing have its usual number of decimals
MOST_LEFT = 0.1  # of the cells on the other side have it
MOST_CUTS = 7  # of a table: where more would be, its numbers differ all the time
LEAST_PART = 0.2  # of a table's text is in columns whose decimals change
MOST_DECIMALS = 31  # more count as so many
LOOKED = 64  # cells of a stretch by which a column is told in which nothing changes
MARKS = b".,"  # in front of decimals; one that parts fields is in no bare field


class _Run(NamedTuple):
    """Stretches of a table, from number `start` on and before `stop`, in which a column usually has
    `usual` decimals."""

    start: int
    stop: int
    usual: int


def cuts(cells: Fields) -> list[int]:
    """Find the records, ascending, at which a table is worth cutting: from each on the numbers of
    some column are written with other decimals than before, for a long stretch. [] where there are
    none, as mostly; for a table of fewer than CHUNKS * FEWEST (1,024) records; where the columns
    that change are less than LEAST_PART (0.2) of the text; and where there would be more than
    MOST_CUTS (7). cells: with as many fields in each record, one column at least."""
    chunk = len(cells) // CHUNKS
    if chunk < FEWEST:
        return []
    text = np.frombuffer(cells.text, np.uint8)
    # cells are in the order of the text: those of a column lie a record apart
    every = cells.columns
    promising = []
    for place in range(every):
        start = cells.start[place::every]
        stop = cells.stop[place::every]
        if _may_change(start, stop, text, chunk):
            promising.append((start, stop))
    if not promising:
        return []
    is_mark = np.zeros(len(text), bool)
    for mark in MARKS:
        is_mark |= text == mark
    marks = np.flatnonzero(is_mark)
    if not len(marks):
        return []
    rows_of_changes: list[int] = []
    size_changed = 0
    for start, stop in promising:
        decimals = _decimals(start, stop, marks)
        changes = _changes(decimals, chunk)
        if changes:
            rows_of_changes += changes
            sizes = stop - start
            size_changed += int(sizes.sum())
    # the other columns pay for each cut, as plans are stored and learned once more
    if size_changed < LEAST_PART * len(text):
        return []
    rows_of_changes.sort()
    rows_apart = list(_without_close_ones(rows_of_changes, chunk))
    if len(rows_apart) > MOST_CUTS:
        return []
    return rows_apart


def _may_change(start: I32, stop: I32, text: Bytes, chunk: int) -> bool:
    """Whether the usual number of decimals of a column changes, and stays changed for SHORTEST (4)
    stretches, by LOOKED (64) cells of each stretch: a quick look, as in most columns it never does.
    start, stop: (cells,), where the cells of the column begin and end in the text, an array of
    bytes; chunk: rows of a stretch."""
    count = len(start) // chunk
    cells_a_stretch = min(chunk, LOOKED)
    places_in_stretch = np.arange(cells_a_stretch) * chunk // cells_a_stretch
    first_rows = chunk * np.arange(count)
    rows = (first_rows[:, None] + places_in_stretch).ravel()
    first = start[rows]
    behind = stop[rows]
    decimals = np.zeros(len(rows), np.int64)
    # from far to near, so that the last mark of a cell stays
    for number in range(MOST_DECIMALS, -1, -1):
        place = behind - 1 - number
        is_inside = place >= first
        character = text[np.where(is_inside, place, 0)]
        for mark in MARKS:
            decimals[is_inside & (character == mark)] = number
    stretches = decimals.reshape(count, cells_a_stretch)
    numbers_of_decimals = np.arange(MOST_DECIMALS + 1)
    # how many of the cells of each stretch have each number of decimals
    counts = (stretches[:, :, None] == numbers_of_decimals).sum(axis=1)
    usual = counts.argmax(axis=1)
    return len(_long_runs(usual)) > 1


def _decimals(start: I32, stop: I32, marks: Int) -> Int:
    """How many characters stand behind the last decimal mark of each cell, (cells,) int64: 0
    without a mark, and MOST_DECIMALS (31) for more. start, stop: (cells,), where the cells of a
    column begin and end in the text; marks: the offsets of all marks in it, ascending, at least
    one."""
    # the last mark before the end of the cell, which may be that of an earlier cell
    order = np.searchsorted(marks, stop) - 1
    has_mark_before = order >= 0
    last_mark = marks[order]
    is_inside = has_mark_before & (last_mark >= start)
    behind = stop - last_mark - 1
    decimals = np.where(is_inside, behind, 0)
    limited = np.minimum(decimals, MOST_DECIMALS)
    return limited.astype(np.int64)


def _changes(decimals: Int, chunk: int) -> list[int]:
    """The rows, ascending, from which on the usual number of decimals of a column is another one
    for a long stretch. A change counts where at least half of the cells on either side have the
    usual number of that side, and at most a tenth have that of the other. [] where there is none,
    or more than MOST_CUTS (7). decimals: (rows,), of each cell, at most 31; chunk: rows of a
    stretch."""
    count = len(decimals) // chunk
    # what is left over belongs to the last stretch, and does not tell its usual number
    stretches = decimals[: count * chunk].reshape(count, chunk)
    kinds = MOST_DECIMALS + 1
    offsets = kinds * np.arange(count)[:, None]
    numbered = stretches + offsets
    counted = np.bincount(numbered.ravel(), minlength=count * kinds)
    # how many cells of each stretch have each number of decimals
    counts = counted.reshape(count, kinds)
    usual = counts.argmax(axis=1)
    runs = _long_runs(usual)
    if len(runs) > MOST_CUTS + 1:
        return []
    rows = []
    for before, behind in itertools.pairwise(runs):
        shares_before = counts[before.start : before.stop].mean(axis=0) / chunk
        shares_behind = counts[behind.start : behind.stop].mean(axis=0) / chunk
        usual_before = shares_before[before.usual]
        usual_behind = shares_behind[behind.usual]
        left_behind = shares_behind[before.usual]
        left_before = shares_before[behind.usual]
        is_usual = min(usual_before, usual_behind) >= LEAST_USUAL
        if is_usual and max(left_before, left_behind) <= MOST_LEFT:
            # somewhere in the stretches around the edge
            first = (before.stop - 1) * chunk
            near = decimals[first : (behind.start + 1) * chunk]
            rows.append(first + _best_edge(near, before.usual, behind.usual))
    return rows


def _best_edge(decimals: Int, before: int, behind: int) -> int:
    """Where to cut cells in two so that most of those in front have `before` decimals, and most of
    those behind have `behind`: how many stand in front, 1 to n; of several places as good the
    first. decimals: (n,), of each cell, n > 0."""
    earlier = np.cumsum(decimals == before)
    later = np.cumsum(decimals == behind)
    fitting = earlier + later[-1] - later
    return int(fitting.argmax()) + 1


def _long_runs(usual: Int) -> list[_Run]:
    """The runs of equal numbers that are SHORTEST (4) long at least, in order; shorter ones are
    passed over, and runs of one number on both sides of them are joined to one. usual: (n,), n > 0,
    the usual number of decimals of each stretch."""
    starts = np.flatnonzero(np.diff(usual, prepend=usual[0] - 1))
    stops = np.append(starts[1:], len(usual))
    runs: list[_Run] = []
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        if stop - start < SHORTEST:
            continue
        number = int(usual[start])
        if runs and runs[-1].usual == number:
            start = runs.pop().start
        runs.append(_Run(start, stop, number))
    return runs


def _without_close_ones(rows: list[int], chunk: int) -> Iterator[int]:
    """Yield rows, ascending, without those less than a stretch of `chunk` rows behind the one
    yielded before: columns that change together do so within some rows."""
    last = None
    for row in rows:
        if last is None or row - last >= chunk:
            yield row
            last = row
