"""A closed form of prototypes: the code of a record is the number of the nearest one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from aetool.closed_form import close_graph, open_graph, scored_alike
from aetool.columns.schema import Schema
from aetool.graphs import Graph, weighed_sum
from aetool.model import Float, Spec

SAME = 1e-5  # of a record's squared length: closer than this it is the same record
FAR = 1e30  # squared distance


@dataclass(frozen=True, eq=False)
class Prototypes:
    """Records that others are compared with.

    centres: (k, features), context features 0. deviation: (numbers,), of numbers about their
    record's prototype. prior: (features,), how often a flag or level occurs. usual: (k,) bool where
    centres are rows that were fitted: a record at the very place of one is compared with the next
    nearest, for it may be that row itself, unless the row is usual, which many others equal.

    Score: -log of the mass 1/k of the prototype times N(x; prototype, deviation^2 I), by column;
    what all share is log k. Under a mixture of these that is an upper bound of -log p(x).
    """

    centres: Float
    deviation: Float
    prior: Float
    usual: npt.NDArray[np.bool_] | None = None
    report: Mapping[str, Any] = field(default_factory=dict)
    drawn: str = "codes"

    @property
    def fair(self) -> bool:
        """Whether rows that were fitted are scored as if they had not been."""
        return self.usual is not None

    def encode(self, x: Float, scored: Any) -> Float:
        """(rows, 1): numbers of the nearest prototypes."""
        found = []
        for first in range(0, len(x), 4096):
            part = x[first : first + 4096] * scored
            far = (self.centres**2).sum(axis=1) - 2 * part @ self.centres.T
            found.append(far.argmin(axis=1))
        return np.concatenate(found).astype(np.float64)[:, None]

    def decode(self, z: Float) -> Float:
        """(rows, features) of numbers."""
        number = np.rint(z[:, 0]).astype(np.int64).clip(0, len(self.centres) - 1)
        return np.asarray(self.centres[number])

    def write(self, spec: Spec, schema: Schema | None, error: str) -> dict[str, bytes]:
        """The three graphs, as closed_form.write."""
        g = Graph()
        _, features = open_graph(g, spec, schema)
        number = self._number(g, spec, features, g.const(self.centres))
        g.output("z", g.cast(number), TensorProto.FLOAT, [1])
        out = {"encoder.onnx": g.build("encoder")}
        g = Graph()
        z = g.input("z", TensorProto.FLOAT, [1])
        last = g.const(len(self.centres) - 1.0)
        whole = g.op("Min", g.op("Max", g.op("Round", z), g.const(0.0)), last)
        likely = self._centre(g, g.cast(whole, TensorProto.INT64), g.const(self.centres))
        close_graph(g, spec, schema, "x_hat", likely)
        g.output("likely", likely, TensorProto.FLOAT, [spec.features])
        out["decoder.onnx"] = g.build("decoder")
        return out | {"score.onnx": self._score(spec, schema, error)}

    def _number(
        self, g: Graph, spec: Spec, features: str, centres: str, others: bool = False
    ) -> str:
        """(B, 1): the number of the nearest prototype; others: that is not the record itself."""
        scored = g.op("Mul", features, g.const(spec.owners() >= 0))
        square = g.const((self.centres**2).sum(axis=1))
        far = g.op("Gemm", scored, centres, square, transB=1, alpha=-2.0)
        if others and self.usual is not None:
            size = weighed_sum(g, g.op("Mul", scored, scored), np.ones(spec.features))
            # |x|^2 + |c|^2 - 2 x.c of equal records is no exact zero in float32
            same = g.op("Less", far, g.op("Sub", g.op("Mul", size, g.const(SAME)), size))
            last_choice = g.const(np.where(self.usual, -FAR, FAR))
            far = g.op("Where", same, last_choice, far)
        return g.op("ArgMin", far, axis=1, keepdims=1)

    def _centre(self, g: Graph, number: str, centres: str) -> str:
        flat = g.op("Reshape", number, g.const([-1], np.int64))
        return g.op("Gather", centres, flat, axis=0)

    def _score(self, spec: Spec, schema: Schema | None, error: str) -> bytes:
        g = Graph()
        x, features = open_graph(g, spec, schema)
        centres = g.const(self.centres)
        expected = self._centre(g, self._number(g, spec, features, centres, True), centres)
        values, shared = (x, features, expected), math.log(len(self.centres))
        return scored_alike(g, spec, schema, error, values, self.deviation, self.prior, shared)
