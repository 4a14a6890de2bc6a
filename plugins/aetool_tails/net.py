"""Each column's two tails as generalised Pareto distributions (Pickands 1975), and nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aetool.closed_form import Batches, Builder, ClosedForm, Solution, Value, costs, in_blocks
from aetool.errors import DataError
from aetool.model import Float, Int

FEWEST_VALUES = 10  # of a column: fewer are levels, and no tail is read off them
# of the range of such levels: where a number beyond them begins to be far, and how soon it is
LEVELS_START, LEVELS_SCALE = 0.25, 0.05
CUT = 5.0  # mean excesses, beyond which an excess counts as this: a few far values move no tail
ROUNDS = 20  # until a mean of excesses that are cut changes no more
NUMBERS_AT_ONCE = 1 << 22  # that are sorted together
LEAST_SHAPE, MOST_SHAPE = -0.2, 0.5
PRIOR_SHAPE, PRIOR_WEIGHT = 0.1, 50  # what a shape is taken for before any value; as if so many
STRAIGHT = 1e-3  # a shape nearer to 0 is taken for this
LEAST_SCALE = 1e-2  # of a tail, in standard deviations
UNSEEN_SCALE = 0.1  # the same, where the values end at one that many have
MARGIN = 3.0  # bits that are not believed: far out, a tail read off its column may err by as much
UPPER, LOWER = 0, 1
NO_TAIL = (0.0, 1.0, STRAIGHT, 0.0)
IN_BITS = 1 / math.log(2)


@dataclass(frozen=True, eq=False)
class TailsOfColumns(Solution):
    """The fitted tails of each number x of a record, which is standardised: start, scale, shape,
    part, each (2, numbers): of the UPPER tails, and of the LOWER ones, which are upper tails of -x.

    The part of a column's values beyond x is, where x lies beyond start, part * (1 + shape (x -
    start) / scale)^(-1 / shape); of a column without tails the part is 0. start and scale are in
    standard deviations, part is 0 .. 0.5. centre: (features,), medians of the numbers, and how
    often a flag or level occurs. read: how many of the tails are read off values that lie in them,
    and not set beyond all levels of a column.
    """

    start: Float
    scale: Float
    shape: Float
    part: Float
    centre: Float
    read: int
    fair: bool = True  # one row among those of a tail moves it by next to nothing

    def expected(self, g: Builder, x: Value) -> Value:
        """(batch, features): the usual values, `centre`, for every record of x, (batch,
        features)."""
        return x * 0.0 + self.centre

    def bits(self, g: Builder, x: Value) -> Value:
        """The score of each record of x, (batch, features), in bits, divided among columns, (batch,
        columns + 1), last 0: that of its rarest value, -log2(p n) less MARGIN (3 bits), with p the
        part of values as far out and n the number of tails, since among n tails one is the rarest
        by chance (Bonferroni); 0 where that is below 0; bent by `costs.capped`. So a score of s
        bits has p <= 2^-s."""
        has_tail = self.part > 0
        if not has_tail.any():
            nothing = g.nothing(x)
            return costs.summed(g, nothing, [0])
        numbers = g.numbers(x)
        upper = self._bits_on_side(g, UPPER, numbers)
        lower = self._bits_on_side(g, LOWER, numbers)
        farther_out = g.maximum(upper, lower)
        farther_out = costs.where_present(g, x, farther_out)
        # what lies beyond all levels is hardly ever the rarest by chance
        allowance = math.log2(max(self.read, 1)) + MARGIN
        beyond = g.relu(farther_out - allowance)
        beyond = costs.capped(g, beyond)
        # columns that are as rare, such as two that say the same, share the bits
        equals_largest = g.op("Equal", beyond, g.largest(beyond))
        is_rarest = g.as_number(equals_largest)
        every_number = np.ones(len(g.spec.numeric))
        count = g.sum_of(is_rarest, every_number)
        bits = beyond * is_rarest / count
        column_of_each = g.spec.owner.tolist()
        return costs.summed(g, bits, column_of_each)

    def _bits_on_side(self, g: Builder, side: int, numbers: Value) -> Value:
        """How rare each of numbers, (batch, numbers), is on one side of its column, in bits, in
        their shape: -log2 of the part of the column's values that lie as far out; 0 for one that is
        not in that tail. side: UPPER or LOWER."""
        scale = self.scale[side]
        shape = self.shape[side]
        part = self.part[side]
        has_tail = part > 0
        outwards = 1.0 if side == UPPER else -1.0
        start = self.start[side] / scale
        excess = numbers * (outwards / scale) - start
        # the part beyond is part * growth^(-1 / shape), of which bits are -log2
        growth = g.relu(excess) * shape + 1.0
        # beyond the end of a tail that has one the part is 0, and the bits are capped
        growth = g.maximum(growth, 1e-30)
        to_bits: Float = has_tail * IN_BITS / shape
        # without a tail there is nothing to take a logarithm of
        part_at_start = np.where(has_tail, part, 1.0)
        bits_at_start = -np.log2(part_at_start)
        in_tail = g.as_number(excess > 0.0)
        return g.log(growth) * to_bits + in_tail * bits_at_start


class Tails(ClosedForm):
    """Fits the two tails of each column: measures where they begin, and how fast they fall off."""

    def fit(self, batches: Batches) -> TailsOfColumns:
        """Measure the tails of each column of numbers in batches, and usual values of all features.
        DataError without rows."""
        rows = sum(len(batch) for batch in batches)
        if not rows:
            raise DataError("no rows to fit")
        sums = []
        for block in in_blocks(batches):
            sums.append(block.sum(axis=0, dtype=np.float64))
        mean = np.sum(sums, axis=0) / rows
        # how often a flag or level occurs; of numbers the median takes its place
        centre = np.clip(mean, 0, 1)
        numbers = len(self.spec.numeric)
        tails = np.zeros((2, numbers, len(NO_TAIL)))
        # of columns that are not measured
        tails[:] = NO_TAIL
        read = 0
        # a few columns at a time, so that their values fit into memory beside the batches
        at_once = max(1, NUMBERS_AT_ONCE // rows)
        for first in range(0, numbers, at_once):
            end = min(first + at_once, numbers)
            strip = np.arange(first, end)
            features = self.spec.numeric[strip]
            chosen = [batch[:, features] for batch in batches]
            values = np.concatenate(chosen, dtype=np.float64)
            missing = self._is_missing(batches, strip)
            without_gaps = ~missing.any(axis=0)
            numbers_without_gaps = strip[without_gaps]
            values_without_gaps = values[:, without_gaps]
            read += self._measure_numbers(tails, centre, numbers_without_gaps, values_without_gaps)
            # of numbers that are missing here and there, each has a count of its own
            for column in np.flatnonzero(~without_gaps):
                number = strip[[column]]
                present = ~missing[:, column]
                present_values = values[present]
                present_values = present_values[:, [column]]
                read += self._measure_numbers(tails, centre, number, present_values)
        start, scale, shape, part = np.moveaxis(tails, 2, 0)
        return TailsOfColumns(start, scale, shape, part, centre, read)

    def _is_missing(self, batches: Batches, numbers: Int) -> npt.NDArray[np.bool_]:
        """(rows, numbers): True where the flag of a number says that it is missing. numbers:
        (numbers,), which of spec.numeric they are. There must be a batch."""
        gates = self.spec.gate[numbers]
        gated = gates >= 0
        flags = [batch[:, gates] != 0 for batch in batches]
        return np.asarray(np.concatenate(flags) & gated)

    def _measure_numbers(self, tails: Float, centre: Float, columns: Int, values: Float) -> int:
        """Measure the tails and medians of some numbers by their values, (rows, columns), and write
        them into tails, (2, numbers, 4): start, scale, shape and part of the UPPER tail and of the
        LOWER one; and centre, (features,), in place. columns: (columns,), which of spec.numeric
        these numbers are; returns how many tails are read off their values. Without rows a median
        is 0, and the tails that are there are kept, as are those of a column of one value; of those
        of 2 to 9 different values the tails are beyond all levels."""
        if not len(columns):
            return 0
        features = self.spec.numeric[columns]
        if not len(values):
            centre[features] = 0.0
            return 0
        values = np.sort(values, axis=0)
        centre[features] = np.median(values, axis=0)
        is_step = np.diff(values, axis=0) > 0
        different = 1 + is_step.sum(axis=0)
        has_many = different >= FEWEST_VALUES
        has_levels = (different > 1) & ~has_many
        part = self.params.part
        # turned over, lower tails are upper ones, and rise again
        for side, rising in ((UPPER, values), (LOWER, -values[::-1])):
            tails[side, columns[has_many]] = _fitted_tails(rising[:, has_many], part)
            tails[side, columns[has_levels]] = _beyond_levels(rising[:, has_levels])
        return 2 * int(has_many.sum())


def _beyond_levels(values: Float) -> Float:
    """(columns, 4): start, scale, shape, part of the tails beyond all values, (rows, columns),
    rising in each column, of columns of two to nine levels. No value tells how such a tail falls
    off: it starts a quarter of their range beyond the largest, and a number there is as rare as one
    row more, 1 / (rows + 1)."""
    rows, columns = values.shape
    largest = values[-1]
    levels_range = largest - values[0]
    start = largest + LEVELS_START * levels_range
    scale = LEVELS_SCALE * levels_range
    shape = np.full(columns, PRIOR_SHAPE)
    part = np.full(columns, 1 / (rows + 1))
    return np.stack([start, scale, shape, part], axis=1)


def _fitted_tails(values: Float, tail_part: float) -> Float:
    """(columns, 4): start, scale, shape, part of the upper tails of values, (rows, columns), rising
    in each column, one row at least, by probability-weighted moments (Hosking & Wallis 1987,
    equation 6); a shape read off few values is believed in part, and none is nearer to 0 than
    0.001; an excess over the start counts as five times their mean at most, and no scale is below
    LEAST_SCALE (0.01). tail_part: the part of the values that is to lie in a tail. Where no value
    is above the start, as many are the largest, scale is UNSEEN_SCALE (0.1), shape PRIOR_SHAPE
    (0.1), and part that of one row more, 1 / (rows + 1)."""
    rows = len(values)
    start = np.quantile(values, 1 - tail_part, axis=0)
    is_beyond = values > start
    beyond = is_beyond.sum(axis=0)
    # as many rows as the fullest tail has; where another has fewer its excesses are 0
    most = int(beyond.max(initial=0))
    largest_values = values[rows - most :]
    excess = np.maximum(largest_values - start, 0.0)
    count = np.maximum(beyond, 1)
    mean = _means_of_cut(excess, count)
    mean = np.maximum(mean, 1e-9)
    excess = np.minimum(excess, CUT * mean)
    # the part of the excesses above each, and the moment that it weighs
    row = np.arange(1, most + 1)[:, None]
    rank = row - (most - beyond)
    # by the plotting positions of the paper, which are shifted by 0.35
    above = (count - rank + 0.35) / count
    weighted_excess = excess * above
    second_moment = weighted_excess.sum(axis=0) / count
    difference = mean - 2 * second_moment
    difference = np.maximum(difference, 1e-9 * mean)
    shape = 2 - mean / difference
    shape = np.clip(shape, LEAST_SHAPE, MOST_SHAPE)
    prior = PRIOR_SHAPE * PRIOR_WEIGHT
    shape = (shape * count + prior) / (count + PRIOR_WEIGHT)
    # the bits of a tail are divided by its shape, which must not be 0
    is_straight = np.abs(shape) < STRAIGHT
    shape = np.where(is_straight, STRAIGHT, shape)
    # the mean excess of such a tail is scale / (1 - shape)
    scale = mean * (1 - shape)
    scale = np.maximum(scale, LEAST_SCALE)
    part = beyond / rows
    tails = np.stack([start, scale, shape, part], axis=1)
    # many values are the largest: the next beyond them is as rare as one row
    ends = np.flatnonzero(beyond == 0)
    one_row = 1 / (rows + 1)
    tails[ends, 1:] = UNSEEN_SCALE, PRIOR_SHAPE, one_row
    return tails


def _means_of_cut(excess: Float, count: Int) -> Float:
    """(columns,): the mean of each column's excesses, (rows, columns), 0 or more, each cut at five
    times that mean, found by iteration, as in aetool.detection.calibration.tail_scale. count:
    (columns,), by which the sum is divided, as further rows may be filled up with 0."""
    mean: Float = excess.sum(axis=0) / count
    for _ in range(ROUNDS):
        cut_excess = np.minimum(excess, CUT * mean)
        mean = cut_excess.sum(axis=0) / count
    return mean
