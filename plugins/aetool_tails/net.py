"""Each column's two tails as generalised Pareto distributions (Pickands 1975), and nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import TensorProto

from aetool.closed_form import (
    Batches,
    ClosedForm,
    close_graph,
    open_graph,
    where_present,
)
from aetool.columns.schema import Schema
from aetool.detection.calibration import tail_scale
from aetool.errors import DataError
from aetool.graphs import Graph, sum_by_column, weighed_sum
from aetool.model import Float, Spec
from aetool.rarity import knee, write_cap

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
class TailsOfColumns:
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
    report: Mapping[str, Any] = field(default_factory=dict)
    drawn: str = "features"  # column by column: there is no code to draw
    fair: bool = True  # one row among those of a tail moves it by next to nothing

    def encode(self, x: Float, scored: Any) -> Float:
        """(rows, 0): there is no code."""
        return np.zeros((len(x), 0))

    def decode(self, z: Float) -> Float:
        """(rows, features): the same for all."""
        return np.broadcast_to(self.centre, (len(z), len(self.centre)))

    def write(self, spec: Spec, schema: Schema | None, error: str) -> dict[str, bytes]:
        """The score graph.

        A record's score is that of its rarest value: -log2 of the part p of values as far out,
        times the number of tails, as one of so many is the rarest by chance (Bonferroni), less
        MARGIN; or 0 where that is below 0. So a score of s bits has p <= 2^-s.
        """
        g = Graph()
        _, features = open_graph(g, spec, schema)
        rows = schema.rows if schema else 0
        parts = self._parts(g, spec, features, rows)
        g.output("parts", parts, TensorProto.FLOAT, [len(spec.columns) + 1])
        nothing = g.op("Mul", features, g.const(0.0))
        likely = g.op("Add", nothing, g.const(self.centre))
        close_graph(g, spec, schema, "expected", likely)
        g.output("likely", likely, TensorProto.FLOAT, [spec.features])
        return {"score.onnx": g.build("score")}

    def _parts(self, g: Graph, spec: Spec, features: str, rows: int) -> str:
        """(B, columns + 1) bits; rows: that the tails were fitted to."""
        columns = len(spec.columns)
        tails = int((self.part > 0).sum())
        if not tails:
            nothing = g.op("Mul", g.take(features, [0]), g.const(0.0))
            return sum_by_column(g, nothing, [0], columns)
        numbers = g.take(features, spec.numeric)
        upper = self._bits(g, UPPER, numbers)
        lower = self._bits(g, LOWER, numbers)
        bits = where_present(g, spec, features, g.op("Max", upper, lower))
        allowance = math.log2(tails) + MARGIN
        beyond = g.op("Relu", g.op("Sub", bits, g.const(allowance)))
        beyond = write_cap(g, beyond, knee(rows))
        rarest = g.op("ReduceMax", beyond, g.const([1], np.int64), keepdims=1)
        # columns that are as rare, such as two that say the same, share the bits
        is_rarest = g.cast(g.op("Equal", beyond, rarest))
        count = weighed_sum(g, is_rarest, np.ones(len(spec.numeric)))
        only_rarest = g.op("Mul", beyond, is_rarest)
        shared = g.op("Div", only_rarest, count)
        return sum_by_column(g, shared, spec.owner.tolist(), columns)

    def _bits(self, g: Graph, side: int, numbers: str) -> str:
        """(B, numbers): -log2 of the part of values as far out on this side; 0 before its tail."""
        scale = self.scale[side]
        shape = self.shape[side]
        part = self.part[side]
        has_tail = part > 0
        outwards = 1.0 if side == UPPER else -1.0
        excess = g.op("Mul", numbers, g.const(outwards / scale))
        excess = g.op("Sub", excess, g.const(self.start[side] / scale))
        grown = g.op("Relu", excess)
        grown = g.op("Mul", grown, g.const(shape))
        grown = g.op("Add", grown, g.const(1.0))
        # beyond the end of a tail that has one the part is 0, and the bits are capped
        grown = g.op("Max", grown, g.const(1e-30))
        to_bits = has_tail * IN_BITS / shape
        grown = g.op("Log", grown)
        bits = g.op("Mul", grown, g.const(to_bits))
        in_tail = g.cast(g.op("Greater", excess, g.const(0.0)))
        at_start = -np.log2(np.where(has_tail, part, 1.0))
        step = g.op("Mul", in_tail, g.const(at_start))
        return g.op("Add", bits, step)


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
