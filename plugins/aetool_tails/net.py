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
from aetool.data.schema import Schema
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
IN_BITS = 1 / math.log(2)


@dataclass(frozen=True, eq=False)
class TailsOfColumns:
    """What is known of each number x of a record: start, scale, shape, part, each (2, numbers); row
    0 of the upper tails, row 1 of the lower ones, which are upper tails of -x.

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
        parts = self._parts(g, spec, features, schema.rows if schema else 0)
        g.output("parts", parts, TensorProto.FLOAT, [len(spec.columns) + 1])
        likely = g.op("Add", g.op("Mul", features, g.const(0.0)), g.const(self.centre))
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
        sides = [self._bits(g, side, numbers) for side in range(2)]
        bits = where_present(g, spec, features, g.op("Max", *sides))
        beyond = g.op("Relu", g.op("Sub", bits, g.const(math.log2(tails) + MARGIN)))
        beyond = write_cap(g, beyond, knee(rows))
        rarest = g.op("ReduceMax", beyond, g.const([1], np.int64), keepdims=1)
        # columns that are as rare, such as two that say the same, share the bits
        is_rarest = g.cast(g.op("Equal", beyond, rarest))
        count = weighed_sum(g, is_rarest, np.ones(len(spec.numeric)))
        shared = g.op("Div", g.op("Mul", beyond, is_rarest), count)
        return sum_by_column(g, shared, spec.owner.tolist(), columns)

    def _bits(self, g: Graph, side: int, numbers: str) -> str:
        """(B, numbers): -log2 of the part of values as far out on this side; 0 before its tail."""
        has_tail = self.part[side] > 0
        outwards = (1.0, -1.0)[side] / self.scale[side]
        excess = g.op("Mul", numbers, g.const(outwards))
        excess = g.op("Sub", excess, g.const(self.start[side] / self.scale[side]))
        grown = g.op("Mul", g.op("Relu", excess), g.const(self.shape[side]))
        # beyond the end of a tail that has one the part is 0, and the bits are capped
        grown = g.op("Log", g.op("Max", g.op("Add", grown, g.const(1.0)), g.const(1e-30)))
        bits = g.op("Mul", grown, g.const(has_tail * IN_BITS / self.shape[side]))
        in_tail = g.cast(g.op("Greater", excess, g.const(0.0)))
        at_start = -np.log2(np.where(has_tail, self.part[side], 1.0))
        return g.op("Add", bits, g.op("Mul", in_tail, g.const(at_start)))


class Tails(ClosedForm):
    """Where the tails of each column begin, and how fast they fall off."""

    def fit(self, batches: Batches) -> TailsOfColumns:
        rows = np.concatenate([np.zeros((0, self.spec.features), np.float32), *batches])
        if not len(rows):
            raise DataError("no rows to fit")
        x = rows.astype(np.float64)
        numbers = len(self.spec.numeric)
        tails = np.tile([[0.0], [1.0], [STRAIGHT], [0.0]], (2, 1, numbers))
        centre = x.mean(axis=0).clip(0, 1)
        for n, feature in enumerate(self.spec.numeric):
            gate = self.spec.gate[n]
            values = x[:, feature] if gate < 0 else x[x[:, gate] == 0, feature]
            centre[feature] = np.median(values) if len(values) else 0.0
            if len(np.unique(values)) < FEWEST_VALUES:
                continue
            tails[0, :, n] = _tail(values, self.params.part)
            tails[1, :, n] = _tail(-values, self.params.part)
        start, scale, shape, part = tails.transpose(1, 0, 2)
        return TailsOfColumns(start, scale, shape, part, centre)


def _tail(values: Float, wanted: float) -> tuple[float, float, float, float]:
    """(start, scale, shape, part) of the upper tail of values, by probability-weighted moments
    (Hosking & Wallis 1987, equation 6); a shape read off few values is believed in part."""
    start = float(np.quantile(values, 1 - wanted))
    excess = np.sort(values[values > start]) - start
    if not len(excess):  # many values are the largest: the next beyond them is as rare as one row
        return start, UNSEEN_SCALE, PRIOR_SHAPE, 1 / (len(values) + 1)
    n, mean = len(excess), max(tail_scale(excess), 1e-9)
    excess = np.minimum(excess, CUT * mean)
    above = (n - np.arange(1, n + 1) + 0.35) / n  # the part of the excesses above each
    second = float((excess * above).mean())
    shape = 2 - mean / max(mean - 2 * second, 1e-9 * mean)
    shape = min(max(shape, LEAST_SHAPE), MOST_SHAPE)
    shape = (shape * n + PRIOR_SHAPE * PRIOR_WEIGHT) / (n + PRIOR_WEIGHT)
    if abs(shape) < STRAIGHT:
        shape = STRAIGHT
    return start, max(mean * (1 - shape), LEAST_SCALE), shape, n / len(values)
