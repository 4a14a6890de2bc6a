"""Finds the bins of a column's residuals: intervals of 2^m numbers that code them in fewest bits.

Nothing here is needed to decode, so floating point is welcome.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aetool.codec.context_search import BIN_BITS
from aetool.codec.kept import Kept, are_few, digest_of
from aetool.data.table import Mask
from aetool.model import Int

ROWS_A_CELL = 1024  # residuals for each different one, from which on each has a bin of its own
FEWEST_BINS = 2  # one for each sign
MOST_LEVELS = 63  # of the tree of intervals: no number has more bits but its sign
KEPT_BINS: Kept[tuple[Int, Int]] = Kept(1 << 11)
FAR = 2**61  # from 0, beyond which no residual is shifted: no bin may leave 64 bits


def bins_of(residuals: Int, most_bins: int) -> tuple[Int, Int]:
    """Choose the bins of residuals, intervals of 2^m numbers that code them in fewest bits: (the
    first number of each bin, the m of each), (bins,) int64 each, ascending. residuals: (n,) int64,
    what a prediction leaves of values, at least one; most_bins: how many bins there may be, at
    least 2, else ValueError. Results for at most SMALL_BLOCK (4,096) residuals are kept within
    kept.keeping, so that the arrays are not to be changed. `_searched_bins` says how bins are
    chosen."""
    if not are_few(residuals):
        return _searched_bins(residuals, most_bins)
    key = (digest_of(residuals), most_bins)
    bins = KEPT_BINS.get(key)
    return KEPT_BINS.keep(key, _searched_bins(residuals, most_bins)) if bins is None else bins


def _searched_bins(residuals: Int, most_bins: int) -> tuple[Int, Int]:
    """Search the bins, intervals of 2^m numbers, that code residuals in fewest bits: (the first
    number of each, the bits of a place within it: m), (bins,) int64 each, ascending. residuals:
    (n,) int64, what a prediction leaves of values, at least one; most_bins: how many bins there may
    be, at least 2, else ValueError. Where the cheapest bins are more than that, the cost of a bin
    is doubled until they are not.

    A bin is 2^m numbers, which begin a multiple of 2^m from the median, or from 0 where a residual
    lies 2^61 or more from 0. Where residuals are more than 1024 for each different one, and these
    are no more than `most_bins`, each of these is a bin. Else intervals [i 2^m, (i + 1) 2^m) form a
    tree; a node is one bin if a flat density over it costs no more than the best of its parts
    (optimal pruning, Breiman et al. 1984, chapter 3).
    """
    # intervals of numbers below the origin, and of those from it on, never become one: with fewer
    # bins the search would not end
    if most_bins < FEWEST_BINS:
        raise ValueError(f"residuals need {FEWEST_BINS} bins or more, not {most_bins}")
    cells, counts = _histogram(residuals)
    are_repeated = len(residuals) > ROWS_A_CELL * len(cells)
    if are_repeated and len(cells) <= most_bins:
        return cells, np.zeros_like(cells)
    origin = np.int64(_origin(cells, counts))
    cells = cells - origin
    penalty = BIN_BITS
    while True:
        tree = _tree(cells, counts, penalty)
        start, width = tree.bins()
        if len(start) <= most_bins:
            return start + origin, width
        # dearer bins are fewer
        penalty *= 2


def _histogram(residuals: Int) -> tuple[Int, Int]:
    """Count residuals, what a prediction leaves of values: (the different ones, ascending; how
    often each occurs), (cells,) int64 each. residuals: (n,), at least one."""
    low = int(residuals.min())
    high = int(residuals.max())
    if high - low >= 4 * len(residuals):
        return np.unique(residuals, return_counts=True)
    # an array as long as the range is small enough, and counting needs no sort
    above_low = residuals - np.int64(low)
    counts = np.bincount(above_low)
    occurring = np.flatnonzero(counts)
    cells = occurring + np.int64(low)
    return cells, counts[occurring]


def _origin(cells: Int, counts: Int) -> int:
    """The number from which intervals of 2^m numbers are counted: the median of the residuals (the
    lowest that at least half of them, rounded down, do not exceed), or 0 where one lies 2^61 or
    more from 0, so that bins about the median could leave 64 bits.

    cells: the different residuals, ascending; counts: how often each occurs.
    """
    low = int(cells[0])
    high = int(cells[-1])
    if low <= -FAR or high >= FAR:
        return 0
    not_above = np.cumsum(counts)
    middle = int(not_above[-1]) // 2
    place = np.searchsorted(not_above, middle)
    return int(cells[place])


@dataclass(frozen=True, eq=False)
class _Level:
    """The intervals of 2^m numbers, for one m, that residuals lie in.

    nodes: (n,), the number i of each interval, which is from i 2^m to (i + 1) 2^m - 1 above the
    origin, ascending. is_bin: (n,) bool, whether one bin for the interval costs no more than bins
    for its parts. parents: (n,), the place of each node's parent on the next level; empty where it
    is not needed.
    """

    nodes: Int
    is_bin: Mask
    parents: Int


NO_NODES = np.zeros(0, np.int64)
# stands for a level on which no two nodes meet, of which nothing is looked up
SKIPPED = _Level(NO_NODES, NO_NODES == 0, NO_NODES)


@dataclass(frozen=True, eq=False)
class _Tree:
    """A tree of intervals of 2^m numbers, from those of a single residual up to wide ones. levels:
    those of the intervals of 1, 2, 4 ... numbers, from level 0 up. alone: the last level of the
    lowest ones on which no two residuals share an interval; between 0 and it levels are SKIPPED."""

    levels: list[_Level]
    alone: int

    def bins(self) -> tuple[Int, Int]:
        """Read the bins off the tree, ascending: (the first number less the origin, the bits within
        it), (bins,) int64 each. From the widest intervals down, those that cost no more as one bin
        than as bins for their parts."""
        starts: list[Int] = []
        widths: list[Int] = []
        top = self.levels[-1]
        # whether no wider bin holds the node
        is_open = np.ones_like(top.nodes, np.bool_)
        for height in reversed(range(len(self.levels))):
            if 0 < height < self.alone:
                continue
            level = self.levels[height]
            kept = level.nodes[is_open & level.is_bin]
            starts.append(kept << np.int64(height))
            widths.append(np.full_like(kept, height))
            is_open = is_open & ~level.is_bin
            # below the level `alone` are the same nodes: none has to be found
            if height > self.alone:
                below = self.levels[height - 1]
                is_open = is_open[below.parents]
        first = np.concatenate(starts)
        width = np.concatenate(widths)
        order = np.argsort(first, kind="stable")
        return first[order], width[order]


def _tree(cells: Int, counts: Int, penalty: float) -> _Tree:
    """Build the tree of intervals of 2^m numbers above the different residuals, in which each
    interval is marked that takes no more bits as one bin than the best bins for its parts. cells,
    counts: (cells,), the residuals less the origin, ascending, and how often each occurs; penalty:
    bits that a bin costs."""
    frequency = counts.astype(np.float64)
    total = frequency.sum()
    # cost of the best bins of each node of this level
    best = penalty - frequency * np.log2(frequency / total)
    nodes = cells
    is_bin = np.ones_like(nodes, np.bool_)
    levels: list[_Level] = []
    # of levels on which no nodes meet only the last needs a look: a wider bin costs more
    alone = _levels_alone(nodes)
    if alone:
        levels.append(_Level(nodes, is_bin, NO_NODES))
        levels += [SKIPPED] * (alone - 1)
        nodes = nodes >> np.int64(alone)
        is_bin = np.zeros_like(nodes, np.bool_)
    while _may_meet(nodes) and len(levels) < MOST_LEVELS:
        above = nodes >> np.int64(1)
        is_first_child = np.ones_like(above, np.bool_)
        is_first_child[1:] = above[1:] != above[:-1]
        parents = np.cumsum(is_first_child) - 1
        levels.append(_Level(nodes, is_bin, parents))
        first_children = np.flatnonzero(is_first_child)
        nodes = above[first_children]
        frequency = np.add.reduceat(frequency, first_children)
        of_parts = np.add.reduceat(best, first_children)
        # within a bin each number takes as many bits as there are levels below
        bits = len(levels) - np.log2(frequency / total)
        of_one_bin = frequency * bits + penalty
        is_bin = of_one_bin <= of_parts
        best = np.where(is_bin, of_one_bin, of_parts)
    levels.append(_Level(nodes, is_bin, NO_NODES))
    return _Tree(levels, alone)


def _may_meet(nodes: Int) -> bool:
    """Whether halving ascending nodes again (n >> 1, rounded down) may make two of them equal: of
    more than one they may, unless only -1 and 0 are left, which stay as they are. nodes: (n,)
    int64."""
    if len(nodes) != 2:
        return len(nodes) > 1
    first, last = nodes.tolist()
    # halved, rounded down, -1 and 0 stay as they are
    stay_apart = first == -1 and last == 0
    return not stay_apart


def _levels_alone(nodes: Int) -> int:
    """How many levels up each ascending node still has an interval to itself: how often all can be
    halved with no two becoming equal; at most 62, and 0 of fewer than two nodes. nodes: (n,) int64,
    different."""
    if len(nodes) < 2:
        return 0
    differing = nodes[1:] ^ nodes[:-1]
    # as unsigned numbers, for two nodes of different sign differ in the highest bit
    least = differing.view(np.uint64).min()
    halvings = int(least).bit_length() - 1
    return min(62, halvings)
