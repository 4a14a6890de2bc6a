"""Models of models: one score graph that adds up those of members fitted one by one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from aetool.bundle import GRAPHS, SAMPLING, Bundle
from aetool.detection.calibration import Calibration
from aetool.graphs import Graph

FEWEST = 20  # rows, of which fewer are not held out
BULK, HIGH = 0.5, 0.8  # ranks of the held-out scores whose distance is a member's unit


@dataclass(frozen=True, eq=False)
class Fitted:
    """A bundle, and the parts, (n, columns + 1), of the rows (n,) that its score had not seen; and
    the surprise, (n, columns), of each column given the others, if the model tells it apart."""

    bundle: Bundle
    rows: Any
    parts: Any
    surprise: Any = None


def join(name: str, made: Sequence[Fitted], facts: dict[str, Any]) -> Bundle:
    """The bundle, under this name, of members fitted on the same rows.

    Each member's score is put on the scale of the first by the spread of held-out scores, from
    their median to their 80 % rank, and the parts are added up: a straight sum, so that columns
    keep their shares. Code, decoder, samples and what is expected are the first member's.
    """
    rows = min((m.rows for m in made), key=len)  # what every member has held out
    parts = [m.parts[np.isin(m.rows, rows)] for m in made]
    spreads = [_spread(p) for p in parts]
    weights = [spreads[0] / s for s in spreads]
    if len(rows) < FEWEST:  # scores of the rows that were fitted say nothing of their spread
        weights = [1.0] * len(made)
    first = made[0].bundle
    graphs = {n: d for n, d in first.graphs.items() if n in GRAPHS or n == SAMPLING}
    graphs["score.onnx"] = joined([m.bundle for m in made], weights)
    named = zip(_names([m.bundle for m in made]), weights, strict=True)
    facts = {**facts, "members": {n: round(float(w), 6) for n, w in named}}
    facts |= {k: v for k, v in first.facts.items() if k in ("code_levels", "explained")}
    total = sum(w * p.astype(np.float64) for w, p in zip(weights, parts, strict=True))
    surprise = made[0].surprise
    if surprise is not None:
        surprise = surprise[np.isin(made[0].rows, rows)]
    return dataclasses.replace(
        first,
        plugin=name,
        params={},
        graphs=graphs,
        calibration=Calibration.of(np.asarray(total), surprise),
        facts=facts,
        _sessions={},
    )


def _names(made: Sequence[Bundle]) -> list[str]:
    """What the members are called: the model, and a second one of it with what differs."""
    names: list[str] = []
    for bundle in made:
        first = next(b for b in made if b.plugin == bundle.plugin)
        other = (f"{k}={v}" for k, v in bundle.params.items() if first.params.get(k) != v)
        names.append(" ".join([bundle.plugin, *other]))
    return names


def _spread(parts: Any) -> float:
    scores = parts.sum(axis=1, dtype=np.float64)
    low, high = np.quantile(scores, [BULK, HIGH]) if len(scores) else (0.0, 0.0)
    return max(float(high - low), 1e-6 * max(1.0, abs(float(low))))


def joined(members: Sequence[Bundle], weights: Sequence[float]) -> bytes:
    """A score graph: parts are the weighted sums of the members', all else is the first's."""
    first, g = members[0], Graph()
    spec = first.spec
    columns = len(spec.columns)
    if first.schema is None:
        x = g.input("pixels", TensorProto.UINT8, spec.shape or ())
    else:
        x = g.input("x", TensorProto.DOUBLE, [first.schema.inputs])
    total = ""
    others: dict[str, str] = {}
    for member, weight in zip(members, weights, strict=True):
        own = onnx.ModelProto.FromString(member.graphs["score.onnx"])
        found = g.embed(own, {own.graph.input[0].name: x})
        parts = g.op("Mul", found["parts"], g.const(weight))
        total = g.op("Add", total, parts) if total else parts
        others = others or found
    g.output("parts", total, TensorProto.FLOAT, [columns + 1])
    if "surprise" in others:
        g.output("surprise", others["surprise"], TensorProto.FLOAT, [columns])
    if first.schema is None:
        g.output("expected", others["expected"], TensorProto.FLOAT, spec.shape or ())
    else:
        g.output("expected", others["expected"], TensorProto.DOUBLE, [columns])
    return g.build("score")
