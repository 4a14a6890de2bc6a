"""A closed form with one hidden layer: rectified units, and a linear decoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import TensorProto

from aetool.closed_form import close_graph, open_graph, scored_alike
from aetool.columns.schema import Schema
from aetool.graphs import Graph
from aetool.model import Float, Spec


@dataclass(frozen=True, eq=False)
class Hidden:
    """z = max(0, x weight + bias), x_hat = z decoder + offset.

    weight: (features, units). bias: (units,). decoder: (units, features). offset: (features,).
    deviation: (numbers,), of numbers about what is expected of them. prior: (features,), how
    often a flag or level occurs.
    """

    weight: Float
    bias: Float
    decoder: Float
    offset: Float
    deviation: Float
    prior: Float
    report: Mapping[str, Any] = field(default_factory=dict)
    drawn: str = "codes"
    fair = False

    def encode(self, x: Float, scored: Any) -> Float:
        """(rows, units)."""
        return np.maximum(x @ self.weight + self.bias, 0.0)

    def decode(self, z: Float) -> Float:
        """(rows, features)."""
        return np.asarray(z @ self.decoder + self.offset)

    def write(self, spec: Spec, schema: Schema | None, error: str) -> dict[str, bytes]:
        """The three graphs, as closed_form.write."""
        units = len(self.bias)
        g = Graph()
        _, features = open_graph(g, spec, schema)
        g.output("z", self._code(g, features), TensorProto.FLOAT, [units])
        out = {"encoder.onnx": g.build("encoder")}
        g = Graph()
        z = g.input("z", TensorProto.FLOAT, [units])
        likely = self._likely(g, z)
        close_graph(g, spec, schema, "x_hat", likely)
        g.output("likely", likely, TensorProto.FLOAT, [spec.features])
        out["decoder.onnx"] = g.build("decoder")
        g = Graph()
        x, features = open_graph(g, spec, schema)
        values = x, features, self._likely(g, self._code(g, features))
        out["score.onnx"] = scored_alike(g, spec, schema, error, values, self.deviation, self.prior)
        return out

    def _code(self, g: Graph, features: str) -> str:
        return g.op("Relu", g.op("Gemm", features, g.const(self.weight), g.const(self.bias)))

    def _likely(self, g: Graph, z: str) -> str:
        return g.op("Gemm", z, g.const(self.decoder), g.const(self.offset))
