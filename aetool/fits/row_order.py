"""Whether the rows of a table are sorted by what one of their columns says, and not by time.

A model is calibrated by rows that it was fitted without. Where rows follow time these are long
stretches, for the rows that come later will be of another time, too. Where rows are sorted by size,
or lie group by group, such a stretch holds all the largest, or all of a group: what is learned
without it says nothing of what is to come, and a threshold that ordinary rows of such a stretch
are to stay below finds hardly any anomaly.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aetool.columns.column import ODD
from aetool.columns.scale import LARGEST
from aetool.columns.schema import Schema
from aetool.model import Float

LEAST_SORTED = 0.98  # of the steps from row to row that change a column, the part in one direction
LEAST_VALUES = 6  # different ones, of numbers that rows are sorted by
MOST_LONE = 0.01  # of the rows may be odd ones inside of a run of equal words
LEAST_GROUPS = 3  # different words that rows lie side by side by
MOST_RETURNS = 1.1  # times as many runs of equal words as there are words
FEWEST_IN_A_RUN = 3  # rows that share a value, on average, in a table of groups
# the mean difference of neighbouring steps, by their sum: 1/2 for numbers drawn and then sorted,
# whose steps are exponential, and near 0 for a clock
LEAST_UNEVEN = 0.4
FIRST_YEAR, LAST_YEAR = 1700, 2200  # whole numbers that are taken for years


def is_sorted_by_content(inputs: Float, schema: Schema) -> bool:
    """Whether the rows of a table are in the order of one of its columns that is not a time.

    inputs: (rows, columns), as graphs take them: numbers, dates in seconds, and places of words;
    NaN for a gap. schema: of the columns. Three orders count: words each of which is in one run of
    rows; numbers that rise or fall throughout, by uneven steps as drawn numbers have once they are
    sorted; and groups, by equal numbers side by side, in each of which another column rises or
    falls anew. None does where dates or years are sorted, too.
    """
    numbers = []
    words = []
    times = []
    for column, values in zip(schema.modelled, inputs.T, strict=False):
        # an odd cell says nothing of an order, and an infinity stands for the largest numbers: the
        # difference of two of these would be none
        cells = np.where(values == ODD, np.nan, values)
        cells = np.clip(cells, -LARGEST, LARGEST)
        if not column.ordered:
            words.append(_without_lone(cells))
        elif _is_sorted(cells) and (not column.measured or _are_years(cells)):
            times.append(cells)
        else:
            numbers.append(cells)
    sorted_numbers = [cells for cells in numbers if _is_sorted(cells)]
    grouping = [cells for cells in words if _is_grouped(cells)]
    grouping += [cells for cells in sorted_numbers if _has_inner_order(cells, numbers + times)]
    for time in times:
        # a time that begins anew in each long group counts as sorted, but for few rows, and yet
        # it is the groups that rows are sorted by
        if not any(_has_inner_order(cells, [time]) for cells in grouping):
            return False
    return bool(grouping) or any(_is_uneven(cells) for cells in sorted_numbers)


def _steps(cells: Float) -> Float:
    """Return the differences of each finite value of a column from the finite value before it, (n -
    1,) for n finite values; gaps are passed over."""
    return np.diff(cells[np.isfinite(cells)])


def _is_sorted(cells: Float) -> bool:
    """Whether the values of a column, NaN for gaps, rise throughout, or fall: at least 98 % of the
    steps that change the value go one way. False where fewer than 5 steps do."""
    steps = _steps(cells)
    rising = int((steps > 0).sum())
    falling = int((steps < 0).sum())
    changes = rising + falling
    if changes < LEAST_VALUES - 1:
        return False
    in_order = max(rising, falling)
    return in_order >= LEAST_SORTED * changes


def _are_years(cells: Float) -> bool:
    """Whether all numbers of a column, NaN for gaps, can be years: whole ones from 1700 to 2200."""
    numbers = cells[np.isfinite(cells)]
    is_whole = numbers == np.round(numbers)
    is_late_enough = numbers >= FIRST_YEAR
    is_early_enough = numbers <= LAST_YEAR
    return bool(np.all(is_whole & is_late_enough & is_early_enough))


def _is_uneven(cells: Float) -> bool:
    """Whether the steps of a sorted column, NaN for gaps, are as uneven as those of numbers drawn
    at random and then sorted, and not those of a clock or a counter: neighbouring steps differ by
    at least 0.4 of their sum on average. False of fewer than 6 steps other than 0."""
    sizes = np.abs(_steps(cells))
    sizes = sizes[sizes > 0]
    if len(sizes) < LEAST_VALUES:
        return False
    before = sizes[:-1]
    following = sizes[1:]
    difference = np.abs(following - before)
    unevenness = difference / (following + before)
    return bool(unevenness.mean() >= LEAST_UNEVEN)


def _without_lone(places: Float) -> Float:
    """Replace lone words in a column: a row whose word differs from that of both its neighbours,
    which have the same, is given theirs, so that a misspelt word does not undo an order. Returns a
    copy, or the column itself if more than MOST_LONE (0.01) of its rows are such. places: (rows,),
    the number of each row's word, NaN for gaps."""
    before = places[:-2]
    here = places[1:-1]
    after = places[2:]
    is_lone = (before == after) & (here != before)
    if is_lone.sum() > MOST_LONE * len(places):
        return places
    mended = places.copy()
    mended[1:-1] = np.where(is_lone, before, here)
    return mended


def _is_grouped(places: Float) -> bool:
    """Whether equal words of a column lie side by side, with few exceptions, in at least three
    groups of three rows on average. places: (rows,), the index of each row's word among the
    column's words, NaN for gaps."""
    in_order = places[np.isfinite(places)]
    words = len(np.unique(in_order))
    if words < LEAST_GROUPS or len(in_order) < FEWEST_IN_A_RUN * words:
        return False
    changes = int((np.diff(in_order) != 0).sum())
    runs = changes + 1
    return runs <= MOST_RETURNS * words


def _has_inner_order(cells: Float, numbers: list[Float]) -> bool:
    """Whether runs of equal values in a column, NaN for gaps, are groups, of three rows on average
    at least, in each of which another column rises throughout, or falls, and then begins anew.
    numbers: the other columns, (rows,) each."""
    is_change = np.diff(cells) != 0
    groups = int(is_change.sum()) + 1
    if len(cells) < FEWEST_IN_A_RUN * groups:
        return False
    return any(_begins_anew(np.diff(other), is_change) for other in numbers)


def _begins_anew(steps: Float, is_change: npt.NDArray[np.bool_]) -> bool:
    """Whether the steps of a column from row to row go one way within groups, and the other way
    where one group ends, 98 % of them at least. steps: (rows - 1,); is_change: (rows - 1,), True
    where the next row is of another group. False where there is only one group, or no two rows
    share one."""
    if is_change.all() or not is_change.any():
        return False
    direction = np.sign(steps)
    within = direction[~is_change]
    between = direction[is_change]
    for forwards in (1, -1):
        forth = np.mean(within == forwards)
        back = np.mean(between == -forwards)
        if min(forth, back) >= LEAST_SORTED:
            return True
    return False
