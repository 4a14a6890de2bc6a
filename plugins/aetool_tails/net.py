"""Each column's two tails as generalised Pareto distributions (Pickands 1975), and nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from aetool.closed_form import Batches, Builder, ClosedForm, Solution, Value, costs
from aetool.detection.calibration import tail_scale
from aetool.errors import DataError
from aetool.model import Float

FEWEST_VALUES = 10  # of a column: fewer are levels, and no tail is read off them
CUT = 5.0  # mean excesses, beyond which an excess counts as this: a few far values move no tail
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
    """What is known of each number x of a record: start, scale, shape, part, each (2, numbers): of
    the UPPER tails, and of the LOWER ones, which are upper tails of -x.

    The part of a column's values beyond x is, where x lies beyond start,
    part * (1 + shape (x - start) / scale)^(-1 / shape); of a column without tails the part is 0.
    centre: (features,), medians of the numbers, and how often a flag or level occurs.
    """

    start: Float
    scale: Float
    shape: Float
    part: Float
    centre: Float
    fair: bool = True  # one row among those of a tail moves it by next to nothing

    def expected(self, g: Builder, x: Value) -> Value:
        """The same for all."""
        return x * 0.0 + self.centre

    def bits(self, g: Builder, x: Value) -> Value:
        """A record's score is that of its rarest value: -log2 of the part p of values as far out,
        times the number of tails, as one of so many is the rarest by chance (Bonferroni), less
        MARGIN; or 0 where that is below 0. So a score of s bits has p <= 2^-s.
        """
        tails = int((self.part > 0).sum())
        if not tails:
            return costs.summed(g, g.nothing(x), [0])
        numbers = g.numbers(x)
        upper = self._bits(g, UPPER, numbers)
        lower = self._bits(g, LOWER, numbers)
        farther_out = costs.where_present(g, x, g.maximum(upper, lower))
        allowance = math.log2(tails) + MARGIN
        beyond = costs.capped(g, g.relu(farther_out - allowance))
        # columns that are as rare, such as two that say the same, share the bits
        is_rarest = g.as_number(g.op("Equal", beyond, g.largest(beyond)))
        count = g.sum_of(is_rarest, np.ones(len(g.spec.numeric)))
        return costs.summed(g, beyond * is_rarest / count, g.spec.owner.tolist())

    def _bits(self, g: Builder, side: int, numbers: Value) -> Value:
        """(batch, numbers): -log2 of the part of values as far out on this side; 0 before its
        tail."""
        scale = self.scale[side]
        shape = self.shape[side]
        part = self.part[side]
        has_tail = part > 0
        outwards = 1.0 if side == UPPER else -1.0
        excess = numbers * (outwards / scale) - self.start[side] / scale
        # beyond the end of a tail that has one the part is 0, and the bits are capped
        grown = g.maximum(g.relu(excess) * shape + 1.0, 1e-30)
        to_bits: Float = has_tail * IN_BITS / shape
        at_start = -np.log2(np.where(has_tail, part, 1.0))
        in_tail = g.as_number(excess > 0.0)
        return g.log(grown) * to_bits + in_tail * at_start


class Tails(ClosedForm):
    """Where the tails of each column begin, and how fast they fall off."""

    def fit(self, batches: Batches) -> TailsOfColumns:
        no_rows = np.zeros((0, self.spec.features), np.float32)
        rows = np.concatenate([no_rows, *batches])
        if not len(rows):
            raise DataError("no rows to fit")
        x = rows.astype(np.float64)
        numbers = len(self.spec.numeric)
        tails = {side: [NO_TAIL] * numbers for side in (UPPER, LOWER)}
        centre = x.mean(axis=0)
        centre = centre.clip(0, 1)
        for n, feature in enumerate(self.spec.numeric):
            values = x[:, feature]
            gate = self.spec.gate[n]
            if gate >= 0:  # a flag that says where the number is missing
                values = values[x[:, gate] == 0]
            centre[feature] = np.median(values) if len(values) else 0.0
            if len(np.unique(values)) < FEWEST_VALUES:
                continue
            tails[UPPER][n] = _tail(values, self.params.part)
            tails[LOWER][n] = _tail(-values, self.params.part)
        told = np.array([tails[UPPER], tails[LOWER]]).reshape(2, numbers, len(NO_TAIL))
        start, scale, shape, part = np.moveaxis(told, 2, 0)
        return TailsOfColumns(start, scale, shape, part, centre)


def _tail(values: Float, wanted: float) -> tuple[float, float, float, float]:
    """(start, scale, shape, part) of the upper tail of values, by probability-weighted moments
    (Hosking & Wallis 1987, equation 6); a shape read off few values is believed in part."""
    start = float(np.quantile(values, 1 - wanted))
    excess = np.sort(values[values > start]) - start
    if not len(excess):
        # many values are the largest: the next beyond them is as rare as one row
        part = 1 / (len(values) + 1)
        return start, UNSEEN_SCALE, PRIOR_SHAPE, part
    n = len(excess)
    mean = max(tail_scale(excess), 1e-9)
    excess = np.minimum(excess, CUT * mean)
    # the part of the excesses above each, and the moment that it weighs
    rank = np.arange(1, n + 1)
    above = (n - rank + 0.35) / n
    second = float((excess * above).mean())
    least = 1e-9 * mean
    rest = max(mean - 2 * second, least)
    shape = 2 - mean / rest
    shape = max(shape, LEAST_SHAPE)
    shape = min(shape, MOST_SHAPE)
    prior = PRIOR_SHAPE * PRIOR_WEIGHT
    shape = (shape * n + prior) / (n + PRIOR_WEIGHT)
    if abs(shape) < STRAIGHT:
        shape = STRAIGHT
    scale = max(mean * (1 - shape), LEAST_SCALE)
    return start, scale, shape, n / len(values)
