"""A closed form of prototypes: the code of a record is the number of the nearest one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import TensorProto

from aetool import graphs
from aetool.closed_form import close_graph, open_graph
from aetool.data.schema import Schema
from aetool.graphs import Graph
from aetool.model import Float, Spec

NATS = math.log(2 * math.pi)


@dataclass(frozen=True, eq=False)
class Prototypes:
    """centres: (k, features), context features 0. deviation: of a scored feature about its record's
    prototype, the same for all.

    Score: -log of the mass 1/k of the prototype times N(x; prototype, deviation^2 I), by column;
    what all share is log k. Under a mixture of these that is an upper bound of -log p(x).
    """

    centres: Float
    deviation: float
    report: Mapping[str, Any] = field(default_factory=dict)
    drawn: str = "codes"

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
        g.output("z", g.cast(self._number(g, spec, features)), TensorProto.FLOAT, [1])
        out = {"encoder.onnx": g.build("encoder")}
        g = Graph()
        z = g.input("z", TensorProto.FLOAT, [1])
        last = g.const(len(self.centres) - 1.0)
        whole = g.op("Min", g.op("Max", g.op("Round", z), g.const(0.0)), last)
        likely = self._centre(g, g.cast(whole, TensorProto.INT64))
        close_graph(g, spec, schema, "x_hat", likely)
        g.output("likely", likely, TensorProto.FLOAT, [spec.features])
        out["decoder.onnx"] = g.build("decoder")
        return out | {"score.onnx": self._score(spec, schema, error)}

    def _number(self, g: Graph, spec: Spec, features: str) -> str:
        scored = g.op("Mul", features, g.const(spec.owners() >= 0))
        inner = g.op("MatMul", scored, g.const(-2 * self.centres.T))
        far = g.op("Add", inner, g.const((self.centres**2).sum(axis=1)))
        return g.op("ArgMin", far, axis=1, keepdims=1)

    def _centre(self, g: Graph, number: str) -> str:
        flat = g.op("Reshape", number, g.const([-1], np.int64))
        return g.op("Gather", g.const(self.centres), flat, axis=0)

    def _score(self, spec: Spec, schema: Schema | None, error: str) -> bytes:
        g = Graph()
        x, features = open_graph(g, spec, schema)
        expected = self._centre(g, self._number(g, spec, features))
        scored = np.flatnonzero(spec.owners() >= 0)
        off = g.take(g.op("Sub", features, expected), scored)
        cost = g.op("Abs", off) if error == "mae" else g.op("Mul", off, off)
        if error == "bits":
            # the mass of the bucket of a number; flags and levels count by their density alone
            half = np.full(spec.features, 0.5)
            half[spec.numeric] = spec.half
            usual = 0.5 * NATS + np.log(self.deviation / np.minimum(2 * half, self.deviation))
            cost = g.op("Mul", cost, g.const(0.5 / self.deviation**2))
            cost = g.op("Add", cost, g.const(usual[scored]))
        columns = len(spec.columns)
        parts = graphs.sum_by_column(g, cost, spec.owners()[scored].tolist(), columns)
        if error == "bits":
            extra = graphs.unexpected_gaps(g, schema, x) if schema else None
            if extra is not None:
                nothing = g.op("Mul", g.take(parts, [columns]), g.const(0.0))
                parts = g.op("Add", parts, g.op("Concat", extra, nothing, axis=1))
            shared = np.zeros(columns + 1)
            shared[-1] = math.log(len(self.centres))
            parts = g.op("Mul", g.op("Add", parts, g.const(shared)), g.const(1 / math.log(2)))
        g.output("parts", parts, TensorProto.FLOAT, [columns + 1])
        close_graph(g, spec, schema, "expected", expected)
        return g.build("score")
