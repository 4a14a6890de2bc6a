"""Numbers that lie apart from all others of their column, beyond a gap that no tail leaves.

A few far numbers make a column look heavy-tailed: they stretch the scale by which they are judged,
and lie beside each other, so that to models none of them is far out (masking). What is left to be
seen is the gap between them and the others, as of scores in detection.gaps.

Of a column that is above zero everywhere but in a few cells, as lengths and prices are, or below
it, these lie apart where they are hardly far out, too: a sign that no other number has is not the
end of any tail.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from aetool.columns.reach import Reach
from aetool.columns.scale import LARGEST
from aetool.model import Float, Int

# The bounds were chosen on 400 tables that nobody had changed, of whose 1,100 columns of many
# different numbers 11 have such a gap, and on a number ten times too large that was planted in each
# column of fewer than 1,000 numbers: it lies apart in 248 of 361, and in 1,133 of 1,410 columns of
# 800 other tables.
FEWEST = 100  # numbers, of which fewer tell no tail
FEWEST_FOR_RANGE = 12  # numbers, of which fewer tell no range
# Of numbers that tell no tail those lie apart that are farther from all others than so many times
# the range of these: of 13,000 columns of 12 to 99 numbers 52 have such numbers, most of them
# errors, or no answers. Numbers above zero, also many, lie apart by their logarithms, too, as a
# length in another unit does: of 8,100 columns of 100 or more none has one for that alone.
RANGES_OF_OTHERS = 4.0
# Of a hundred numbers and more up to three lie apart that are farther from the others than twice
# their range, where the others have no long tail: of 1,000 of them a range of up to 2.5 times that
# of the middle nine tenths, as exponential numbers have, and of others as ranges grow, by the
# logarithm of how many there are. Of 11,000 columns 12 have such numbers that no tail tells apart,
# a height of 57 among those of 148 to 197 for one.
RANGES_OF_BODY = 2.0
MIDDLE = (0.05, 0.95)
MOST_MIDDLES, OF_SO_MANY = 2.5, 1000
MOST_BEYOND_BODY = 3
# A whole number beyond a list of others lies apart, also next to it, where the list ends abruptly:
# a month 13, a 2 among 0 and 1. It is one, or one in 1,000; the last of the others comes 30 times
# as often, and in a hundredth of the cells; and where all three are as far from each other, as
# counts are, the step from the last but one is not nearly as steep. Of 3,048 columns of up to 41
# different whole numbers 40 have such a number: an hour 24, a 7 among answers of 0 and 1.
MOST_LEVELS = 40
FEWEST_LEVELS = 2
LAST_LEVEL_TIMES = 30
LAST_LEVEL_PART = 0.01
ONE_OF = 1000
STEEPER = 4.0  # times as steep as the step before
FEWEST_OTHERS = 4  # different numbers, of which fewer are a list of what may come
MOST = 0.06  # part of the numbers that may lie apart at one end: more are a group of their own
FEWEST_INSIDE = 3  # different numbers in the middle half: of fewer any other is rare, and not far
# How often each of those apart comes on average: numbers that come as often may belong to a kind of
# records. Those that are farther from the others than twice the range of these do not: of the
# 19,000 columns below 16 have such numbers, and these are 999 and the like for no answer, sensors
# that were off, or answers such as a million.
MOST_REPEATED = 2.0
RANGES_OF_REPEATED = 2.0
# of the numbers of a column: where one comes more often, it is what is usual. Of the 19,000 columns
# 13 have a number that lies as far off and comes in more than 6 %, such as 999 among answers
MOST_OF_CODE = 0.5
TAIL = 0.1  # part of the numbers in the tail by which a side's scale is told
LEAST_SHAPE = 0.25  # of an ordinary tail, as generalised Pareto
MOST_SHAPE = 5.0  # a tail that is heavier has any gap
# a tail's shape is told by the numbers from the median to twice as many as lie beyond the gap
TWICE = 2.0
FEWEST_OUTER = 8  # numbers behind that quantile, as fewer tell none
# by which a shape may be too small, times the root of how many numbers are behind that quantile
SHAPE_ERROR = 0.7
DOUBT = 300.0  # fewer than one in so many ordinary columns have a gap as unlikely
# Scales of the tail by which those apart are farther out than so many are anyway.
LEAST_SURPLUS = 1.25
# In robust deviations: what is farther is taken for the first, what is nearer for the median, so
# that no ratio of two of them, such as of 1e300 and 1e-300, is beyond the largest float.
FARTHEST, NEAREST = 1e150, 1e-130
# Robust deviations from the median, and how many times as far out as the last of the others: what
# is nearer models see well, unless many numbers lie there. Of 11,000 columns 90 have a gap by the
# first pair, and four more by the second.
LEAST_FAR, LEAST_TIMES = 6.0, 1.5
LEAST_FAR_OF_SHORT, LEAST_TIMES_OF_SHORT = 4.0, 2.0  # where the tail below the gap is a short one
LEAST_STEPS = 2.0  # as wide as any step between the others of that side
# The power law of a reach costs all that it may from about four tails on: those apart cost it.
PARTS_OF_GAP = 4.0
# cells that may hold a sign that no other number has: so many, or a thousandth of all, as wrong
# ones are in long files; more of them are a kind of records
MOST_ACROSS = 3
MOST_OF_ALL_ACROSS = 1000
# as wide as any step between the others up to the median: of 19,000 columns of numbers of 2,300
# tables that nobody had changed, 70 have such a step, most of them around a 0 or -9999 that stands
# for no answer, a length of 0, or a negative sum
LEAST_STEPS_ACROSS = 3.0
OPEN = 1000.0  # ranges of the ordinary numbers: the tail of a side without a gap


def reach_of(numbers: Float) -> Reach | None:
    """The reach of a column's ordinary numbers, outside of which others lie apart: far out, across
    zero, or beyond a list of whole numbers; None where none does, and where it cannot be told, as
    of fewer than 12 numbers. Of fewer than 100, and of fewer than 3 different ones in the middle
    half, up to 6 % may lie apart at either end, or one, by the range of the others alone. numbers:
    (n,), finite, in any order. How many lie apart is `beyond` of the reach."""
    if len(numbers) < FEWEST_FOR_RANGE:
        return None
    # the difference of two of the largest floats would be infinite
    bounded = np.clip(numbers, -LARGEST, LARGEST)
    middle = _Middle.of(bounded)
    rising = bounded
    below_levels, above_levels = _counts_beyond_levels(bounded)
    if middle is None:
        rising = np.sort(bounded)
        below, above = _counts_far_off(rising)
    else:
        # most columns have neither a number that is far enough nor a rare sign, and are not sorted
        may_be_far = middle.farthest >= LEAST_FAR_OF_SHORT
        has_odd_sign_or_size = _has_few_across_zero(bounded) or _has_tiny_by_logarithm(
            bounded, middle.median
        )
        is_beyond_levels = below_levels + above_levels > 0
        if not may_be_far and not has_odd_sign_or_size and not is_beyond_levels:
            return None
        rising = np.sort(bounded)
        below, above = _counts_apart(rising, middle.units(rising), may_be_far)
    below = max(below, below_levels)
    above = max(above, above_levels)
    if not above + below:
        return None
    end = len(rising) - above
    first = float(rising[below])
    last = float(rising[end - 1])
    # the tails of the reach: a quarter of the gap at an end with numbers apart, else very long
    before = after = OPEN * (last - first)
    if below:
        before = (first - float(rising[below - 1])) / PARTS_OF_GAP
    if above:
        after = (float(rising[end]) - last) / PARTS_OF_GAP
    return Reach(first, last, before, after, below + above)


def code_among(numbers: Float) -> float | None:
    """The one number of a column that comes too often to lie apart, in more than 6 % of the cells
    and up to half of them, and is farther from all others than twice their range, as 999 for no
    answer; None if there is none. numbers: (n,), finite."""
    if len(numbers) < FEWEST_FOR_RANGE:
        return None
    lowest, highest = float(numbers.min()), float(numbers.max())
    for code in (lowest, highest):
        is_code = numbers == code
        # in how many of the cells it stands
        part = float(is_code.mean())
        if not MOST < part <= MOST_OF_CODE:
            continue
        others = numbers[~is_code]
        if len(np.unique(others)) < FEWEST_OTHERS:
            continue
        first, last = float(others.min()), float(others.max())
        gap = first - code if code == lowest else code - last
        if gap > RANGES_OF_REPEATED * (last - first):
            return code
    return None


@dataclass(frozen=True)
class _Middle:
    """The middle of a column's numbers: their median, and a robust deviation, the unit, by their
    quartiles. farthest: how many of these units the number is away that is farthest from it."""

    median: float
    unit: float
    farthest: float

    @classmethod
    def of(cls, numbers: Float) -> _Middle | None:
        """The middle of numbers, (n,), finite and at most LARGEST in size; None where it tells no
        tail: of fewer than 100, and of fewer than 3 different ones in the middle half."""
        if len(numbers) < FEWEST:
            return None
        lower, median, upper = np.quantile(numbers, (0.25, 0.5, 0.75)).tolist()
        # of a normal distribution the quartiles lie 1.349 deviations apart
        unit = (upper - lower) / 1.349
        if not unit:
            return None
        inside = numbers[(numbers >= lower) & (numbers <= upper)]
        # a first look spares the sorting of all
        is_varied = len(np.unique(inside[:FEWEST])) >= FEWEST_INSIDE
        if not is_varied and len(np.unique(inside)) < FEWEST_INSIDE:
            return None
        farthest = max(numbers.max() - median, median - numbers.min()) / unit
        return cls(median, unit, farthest)

    def units(self, numbers: Float) -> Float:
        """The distances of numbers, (n,), from the median, in units, negative below it: at most
        1e150 in size, and 0 where less than 1e-130. numbers: in any order."""
        # of the smallest units the largest numbers are infinitely many
        with np.errstate(over="ignore"):
            units = (numbers - self.median) / self.unit
        units = np.clip(units, -FARTHEST, FARTHEST)
        units[abs(units) < NEAREST] = 0
        return units


def _counts_apart(rising: Float, units: Float, may_be_far: bool) -> tuple[int, int]:
    """How many of a column's numbers lie apart at the lower end, and at the upper one. rising:
    (n,), n at least 100, ascending; units: the same in robust deviations from the median;
    may_be_far: whether any number is so far from the median that it may lie apart for that."""
    below = above = 0
    if may_be_far:
        below = _beyond_gap(-units[::-1])
        above = _beyond_gap(units)
    # what is asked of the upper end is asked of the lower one by the numbers with the other sign
    reflected = -rising[::-1]
    below = max(
        below,
        _count_across_zero(rising),
        _count_beyond_body(reflected),
        _count_by_logarithms(rising),
    )
    above = max(above, _count_across_zero(reflected), _count_beyond_body(rising))
    return below, above


def _counts_far_off(rising: Float) -> tuple[int, int]:
    """How many of a column's numbers lie apart at the lower end, and at the upper one, by the range
    of the others, or of their logarithms. rising: (n,), n at least 12."""
    below = max(_count_ranges_away(-rising[::-1]), _count_by_logarithms(rising))
    return below, _count_ranges_away(rising)


def _count_by_logarithms(rising: Float) -> int:
    """How many of a column's numbers, which are all above zero, lie apart at the lower end by their
    logarithms, as a salary in thousands among those in units; 0 where any is not above zero.
    rising: (n,), n at least 12."""
    if rising[0] <= 0:
        return 0
    falling_logarithms = np.log(rising)[::-1]
    reflected = -falling_logarithms
    return max(_count_ranges_away(reflected), _count_beyond_body(reflected))


def _has_few_across_zero(numbers: Float) -> bool:
    """Whether some numbers, (n,), but no more than `_most_across` allows, are zero or below, or
    some but no more are zero or above: nearly all others then have one sign."""
    most = _most_across(len(numbers))
    not_above = np.count_nonzero(numbers <= 0)
    not_below = np.count_nonzero(numbers >= 0)
    return bool(0 < min(not_above, not_below) <= most)


def _has_tiny_by_logarithm(numbers: Float, median: float) -> bool:
    """Whether any of the numbers, (n,), may lie apart at the lower end by its logarithm: quickly,
    and true of some where none does. median: theirs."""
    smallest = float(numbers.min())
    if smallest <= 0:
        return False
    # no others end below the median, nor have they less than the upper half of the range
    gap = math.log(median) - math.log(smallest)
    range_of_others = math.log(float(numbers.max())) - math.log(median)
    return gap >= RANGES_OF_BODY * range_of_others


def _most_across(count: int) -> int:
    """How many of `count` numbers may have a sign of their own, see MOST_ACROSS."""
    return max(MOST_ACROSS, count // MOST_OF_ALL_ACROSS)


def _counts_beyond_levels(numbers: Float) -> tuple[int, int]:
    """How many of a column's numbers lie apart below, and above, a list of whole numbers that each
    come often: those of the lowest number, and of the highest one; 0 where that is one of the list.
    0 and 0 where there is no list: of fewer than 100 numbers, of fewer than 3 different ones or
    more than 41, or where one is not whole. numbers: (n,), finite."""
    if len(numbers) < FEWEST:
        return 0, 0
    # a first look spares most columns the sorting of all
    if len(np.unique(numbers[:FEWEST])) > MOST_LEVELS:
        return 0, 0
    levels, counts = np.unique(numbers, return_counts=True)
    is_list = FEWEST_LEVELS < len(levels) <= MOST_LEVELS + 1
    if not is_list or (levels != np.rint(levels)).any():
        return 0, 0
    upper = _count_beyond_end(levels, counts)
    lower = _count_beyond_end(-levels[::-1], counts[::-1])
    return lower, upper


def _count_beyond_end(levels: Float, counts: Int) -> int:
    """How many numbers are of the highest level, if that is no more than one in 1,000, or one, and
    the list of levels below it ends abruptly, see LAST_LEVEL_TIMES; else 0. levels: (levels,),
    three or more, rising; counts: (levels,), how many numbers are of each."""
    numbers = int(counts.sum())
    before, last, outermost = counts[-3:].tolist()
    most = max(1, numbers // ONE_OF)
    is_rare = outermost <= most
    steepness = last / outermost
    ends_abruptly = steepness >= LAST_LEVEL_TIMES and last >= LAST_LEVEL_PART * numbers
    # counts of things fall steeply anyway: 8,000 rows of none, 300 of one, 4 of two
    step_before, step = np.diff(levels[-3:]).tolist()
    goes_on = step == step_before and steepness < STEEPER * before / last
    return outermost if is_rare and ends_abruptly and not goes_on else 0


def _count_across_zero(rising: Float) -> int:
    """How many of a column's numbers are zero or below and lie apart for it, since all others are
    above; 0 if none does. rising: (n,), at least 100.

    There are 3 of them at most, or one in 1,000. The step across zero is at least three times as
    wide as any between the others up to the median: where ordinary numbers come close to zero, one
    may well be zero.
    """
    # the numbers that are zero or below
    count = int(np.searchsorted(rising, 0.0, side="right"))
    if not 0 < count <= _most_across(len(rising)):
        return 0
    middle = len(rising) // 2
    steps = np.diff(rising[count : middle + 1])
    step_across = rising[count] - rising[count - 1]
    widest = steps.max(initial=0.0)
    if step_across < LEAST_STEPS_ACROSS * widest:
        return 0
    return count


def _count_ranges_away(rising: Float) -> int:
    """How many numbers at the upper end are at least RANGES_OF_OTHERS (4) times as far from all
    others as the range of these is wide; 0 if none is, or the others are fewer than 4 different
    numbers. rising: (n,), n at least 12, ascending; of them up to 6 % lie apart, or one."""
    most_beyond = max(1, int(MOST * len(rising)))
    # the gap below each of the highest numbers is judged: so many numbers lie beyond it
    beyond = np.arange(1, most_beyond + 1)
    last_below = rising[-beyond - 1]
    gap = rising[-beyond] - last_below
    # of equal numbers the gap is as wide as their range: none
    is_gap = gap > 0
    range_of_others = last_below - rising[0]
    is_gap &= gap >= RANGES_OF_OTHERS * range_of_others
    if not is_gap.any():
        return 0
    most_apart = beyond[is_gap].max()
    # such as 0 and 1, beside which any other number is rare, and not far
    if len(np.unique(rising[:-most_apart])) < FEWEST_OTHERS:
        return 0
    return int(beyond[is_gap].max(initial=0))


def _count_beyond_body(rising: Float) -> int:
    """How many numbers at the upper end, up to three, are farther from all others than
    RANGES_OF_BODY (2) times the range of these, where the others have no long tail, and are four
    different numbers at least; 0 if none is, and of fewer than 100. rising: (n,), n at least 12,
    ascending."""
    if len(rising) < FEWEST:
        return 0
    first_of_middle, last_of_middle = np.quantile(rising, MIDDLE).tolist()
    most_middles = MOST_MIDDLES * math.log(len(rising)) / math.log(OF_SO_MANY)
    # others of a wider range have a long tail, which may end anywhere
    most_of_range = most_middles * (last_of_middle - first_of_middle)
    # as many as may lie apart first, then fewer
    for count in range(MOST_BEYOND_BODY, 0, -1):
        last_below = float(rising[-count - 1])
        gap = float(rising[-count]) - last_below
        range_of_others = last_below - float(rising[0])
        is_beyond = gap > RANGES_OF_BODY * range_of_others
        has_long_tail = range_of_others > most_of_range
        others = rising[:-count]
        if is_beyond and not has_long_tail and len(np.unique(others)) >= FEWEST_OTHERS:
            return count
    return 0


def _beyond_gap(units: Float) -> int:
    """How many of a column's numbers lie apart at the upper end; 0 if none does. units: (n,),
    rising, n at least 100, in robust deviations from the median.

    Between the (k+1)-th and the k-th highest of exponential numbers of scale 1, k times the
    difference is exponential, too, with scale 1 (Rényi 1953): the more numbers lie beyond a gap,
    the narrower it may be. Numbers of a generalised Pareto tail are exponential after a logarithm;
    its shape is told for each gap by numbers below, its scale by the highest tenth.
    """
    tail_start = float(np.quantile(units, 1 - TAIL))
    most_beyond = int(MOST * len(units))
    if tail_start <= 0:
        return 0
    # the gap below each of the highest numbers is judged: so many numbers lie beyond it
    beyond = np.arange(1, most_beyond + 1)
    # the upper and the lower end of each gap
    first_apart = units[-beyond]
    last_below = units[-beyond - 1]
    # how many numbers lie behind the outermost quantile by which the tail's shape is told
    outer = np.maximum(TWICE * beyond, FEWEST_OUTER)
    shape = _shapes(units, outer) + SHAPE_ERROR / np.sqrt(outer)
    is_gap = shape < MOST_SHAPE
    shape = np.clip(shape, LEAST_SHAPE, MOST_SHAPE)
    # so that the exponential falls from a half of the numbers to a tenth, as they do
    scale = tail_start * shape / ((0.5 / TAIL) ** shape - 1)
    # numbers as they would be in an exponential tail of scale 1
    height = np.log1p(shape * first_apart.clip(0) / scale) / shape
    height_below = np.log1p(shape * last_below.clip(0) / scale) / shape
    # One in DOUBT columns has one that is as unlikely as that: of this chance a gap below k numbers
    # has the part 1 / (k (k + 1)), so that a single far number has the half of it.
    parts_of_chance = 1.0 / (beyond * (beyond + 1))
    is_gap &= beyond * (height - height_below) >= np.log(DOUBT / parts_of_chance)
    # the height that the k-th highest number of an exponential tail has
    usual_height = np.log(0.5 * len(units) / beyond)
    is_gap &= height >= usual_height + LEAST_SURPLUS
    is_far = (first_apart >= LEAST_FAR) & (first_apart >= LEAST_TIMES * last_below)
    is_beyond_short = first_apart >= LEAST_FAR_OF_SHORT
    is_beyond_short &= first_apart >= LEAST_TIMES_OF_SHORT * last_below
    is_gap &= is_far | is_beyond_short
    is_gap &= first_apart - last_below >= LEAST_STEPS * _widest_steps(units, beyond)
    is_repeated = beyond >= MOST_REPEATED * _different_beyond(units, beyond)
    gap = first_apart - last_below
    range_of_others = last_below - units[0]
    is_far_off = gap >= RANGES_OF_REPEATED * range_of_others
    is_gap &= is_far_off | ~is_repeated
    # the lowest of all gaps
    return int(beyond[is_gap].max(initial=0))


def _shapes(units: Float, outer: Float) -> Float:
    """The shape of the tail below each gap, (gaps,), by three quantiles (after Pickands 1975);
    infinite where they do not tell. units: (n,), rising, 0 at the median; outer: (gaps,), how many
    numbers lie behind the outermost of these quantiles, fewer than half of them.

    Of such a tail the height at a part p r^-2, divided by that at p r^-1, is r^shape + 1.
    """
    outer_part = outer / len(units)
    # half way, by factors, between the median and the outer quantile
    middle_part = np.sqrt(0.5 * outer_part)
    factor = 0.5 / middle_part
    outer_height = np.quantile(units, 1 - outer_part)
    middle_height = np.quantile(units, 1 - middle_part)
    is_told = middle_height > 0
    ratio = outer_height / np.where(is_told, middle_height, 1.0)
    # a shape of 0 or less is that of a ratio of 2 or less
    power = np.maximum(ratio - 1, 1.0)
    logs_of_power = np.log(power)
    shape = logs_of_power / np.log(factor)
    return np.where(is_told, shape, math.inf)


def _widest_steps(units: Float, beyond: Int) -> Float:
    """The widest step between neighbours from the lower quartile up to each gap, the gap itself
    left out: (gaps,). units: (n,), rising; beyond: (gaps,), how many numbers lie beyond each
    gap."""
    steps = np.diff(units)
    # far out on the other side steps are wide, too
    quartile = len(units) // 4
    steps[:quartile] = 0
    widest = np.maximum.accumulate(steps)
    # the last step below a gap of k numbers ends at the (k + 1)-th highest
    return np.asarray(widest[-beyond - 1])


def _different_beyond(units: Float, beyond: Int) -> Int:
    """How many different numbers lie beyond each gap, (gaps,). units: (n,), rising; beyond:
    (gaps,), how many numbers lie beyond each."""
    is_step = np.diff(units) > 0
    from_highest = is_step[::-1].cumsum()
    # the step of the gap itself is the last of so many
    return np.asarray(from_highest[beyond - 1])
