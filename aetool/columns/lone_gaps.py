"""Gaps that stand alone: a table in which hardly any cell is missing, and one is."""

from __future__ import annotations

import math
from collections.abc import Sequence

from aetool.columns.strays import MOST_CELLS, MOST_OF_ROWS, NEVER_SEEN

FEWEST = 100  # rows, of which fewer do not tell that gaps are rare
# as many gaps as any other column has, at least: of 1,257 tables that nobody had changed 48 have
# gaps that stand alone so, and 45 by ten times as many
TIMES = 5


def nats_of_gaps(missing: Sequence[int], rows: int) -> list[float]:
    """The cost, in nats, of a gap in each column where gaps stand alone, as of a stray word (see
    Strays); 0 in columns where they do not, and in all columns if there are fewer than 100 rows.

    missing: how many cells of each column were missing in training, of so many `rows`. Gaps stand
    alone in a column that has none, or one, or up to one for each 1,000 rows, if all columns that
    have no more of them hold at most 3 together, or one for each 1,000 rows, and every other column
    at least 5 times as many as any of these: where gaps of every number are found, few of them are
    nothing special.

    The cost is the log of (rows + 1) / gaps, that is how rare a gap is in its column, plus the log
    of how many cells are there for each that is not, the latter at most NEVER_SEEN (log 1,000). In
    a column without any gap it is the second term alone, as if there had been one gap: models count
    the rarity of such a gap themselves.
    """
    costs = [0.0] * len(missing)
    most_gaps = _most_gaps_alone(missing, rows)
    if most_gaps is None:
        return costs
    for place, count in enumerate(missing):
        if count > most_gaps:
            continue
        # a gap that training never saw is compared as if it had seen one
        present_cells_for_each_gap = (rows - count) / max(count, 1)
        costs[place] = min(math.log(present_cells_for_each_gap), NEVER_SEEN)
        # of a column without a gap models count this rarity themselves
        if count:
            costs[place] += math.log((rows + 1) / count)
    return costs


def _most_gaps_alone(missing: Sequence[int], rows: int) -> int | None:
    """The most gaps of a column in which they stand alone, see `nats_of_gaps`, 0 or more; None
    where they do in no column."""
    if rows < FEWEST:
        return None
    # what comes more often is as common as the records that the default threshold flags
    gaps_allowed = max(1, rows // MOST_OF_ROWS)
    cells_allowed = max(MOST_CELLS, gaps_allowed)
    # from the columns without any gap on, as long as those with the next more are far away
    rising_counts = sorted(missing)
    most_gaps = None
    cells = 0
    for place, count in enumerate(rising_counts):
        # all gaps of the columns that have no more than this one
        cells += count
        if count > gaps_allowed or cells > cells_allowed:
            break
        following = rising_counts[place + 1 :]
        if not following or following[0] >= TIMES * max(count, 1):
            most_gaps = count
    return most_gaps
