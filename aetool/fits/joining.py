"""Joins several models that were fitted one by one into one: a single score graph that combines
their scores."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto

from aetool import graphs, mapping, rarity
from aetool.bundle import GRAPHS, MAPS, SAMPLING, Bundle
from aetool.canonical import Json
from aetool.columns.sections import Features
from aetool.detection.calibration import Calibration
from aetool.detection.quantiles import ScoreQuantiles
from aetool.graphs import Graph
from aetool.model import Float, Int
from aetool.rarity import Rarity


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted model that may be joined with others. rows: (n,), the indices of rows that it was
    not fitted on; parts: (n, columns + 1), and surprise: (n, columns) or None, of those rows.
    in_bits, weight: as in model.Member."""

    bundle: Bundle
    rows: Int
    parts: Features
    surprise: Features | None = None
    in_bits: bool = False
    weight: float = 1.0

    @property
    def rarity(self) -> Rarity:
        """The Rarity by which the model's scores are turned into bits when it is joined with
        others."""
        if self.in_bits:
            return Rarity.told(len(self.parts))
        return Rarity.of(self.scores)

    @property
    def scores(self) -> Float:
        """(n,): the scores of the held-out rows."""
        return np.asarray(self.parts.sum(axis=1, dtype=np.float64))


def join(
    name: str,
    members: Sequence[Fitted],
    facts: dict[str, Json],
    owner: Int | None = None,
) -> Bundle:
    """Join members that were fitted on the same rows to one bundle, whose plugin is `name`. owner:
    (rows,), the record that each row is a piece of; None where rows are records.

    A member's score becomes how rare it is among its held-out scores, in bits, unless it is that
    already; the bits of all members are joined as rarity.joined says. Code, decoder, samples, what
    is expected, and the surprise that reasons are ranked by are the first member's.
    """
    first = members[0].bundle
    rarities = [m.rarity for m in members]
    usual = [np.median(m.parts, axis=0).astype(np.float64) for m in members]
    graphs = {n: d for n, d in first.graphs.items() if n in GRAPHS or n == SAMPLING}
    weights = [m.weight for m in members]
    graphs["score.onnx"] = joined([m.bundle for m in members], usual, rarities, weights)
    names = _names([m.bundle for m in members])
    facts = {**facts, "members": names}
    facts |= {k: v for k, v in first.facts.items() if k in ("code_levels", "explained", "code")}
    rows = min((m.rows for m in members), key=len)  # what every member has held out
    common = [m.parts[np.isin(m.rows, rows)].astype(np.float64) for m in members]
    surprise = members[0].surprise
    if surprise is not None:
        surprise = surprise[np.isin(members[0].rows, rows)]
    parts = rarity.joined(common, usual, rarities, weights)
    if first.shape is not None:
        graphs[MAPS] = mapping.learned(parts, first.shape)
    return dataclasses.replace(
        first,
        plugin=name,
        params={},
        graphs=graphs,
        calibration=Calibration.of(
            parts,
            surprise,
            expected=rarity.JOINED_TAIL if first.shape is None else rarity.PICTURES_TAIL,
            owner=None if owner is None else owner[np.sort(rows)],
        ),
        facts=facts,
        by_member={
            own: ScoreQuantiles.of(member.scores)
            for own, member in zip(names, members, strict=True)
        },
        _sessions={},
    )


def _names(bundles: Sequence[Bundle]) -> list[str]:
    """A different name for each bundle: that of its model, and where an earlier bundle is of the
    same model also the parameters in which it differs from that one."""
    names: list[str] = []
    for bundle in bundles:
        first = next(b for b in bundles if b.plugin == bundle.plugin)
        other = (f"{k}={v}" for k, v in bundle.params.items() if first.params.get(k) != v)
        names.append(" ".join([bundle.plugin, *other]))
    return names


def joined(
    members: Sequence[Bundle],
    usual: Sequence[Float],
    rarities: Sequence[Rarity],
    weights: Sequence[float],
) -> bytes:
    """The bytes of a score graph whose parts are those of the members, joined, and whose other
    outputs are the first member's. usual: for each member (columns + 1,), the medians of its parts;
    rarities, weights: of each member."""
    first = members[0]
    g = Graph()
    columns = len(first.spec.columns)
    if first.schema is None:
        x = g.input("pixels", TensorProto.UINT8, first.spec.shape or ())
    else:
        x = g.input("x", TensorProto.DOUBLE, [first.schema.inputs])
    outputs = []
    for member in members:
        score = onnx.ModelProto.FromString(member.graphs["score.onnx"])
        outputs.append(g.embed(score, {score.graph.input[0].name: x}))
    parts = rarity.write_joined(g, [o["parts"] for o in outputs], usual, rarities, weights)
    if first.schema is not None:
        # an odd cell is rare whatever the spread of the members' scores, so it counts in full
        odd = graphs.standing_out(g, first.schema, x)
        bits = g.op("Mul", odd, g.const(1 / math.log(2)))
        nothing = g.op("Mul", g.take(parts, [columns]), g.const(0.0))
        parts = g.op("Add", parts, g.op("Concat", bits, nothing, axis=1))
    g.output("parts", parts, TensorProto.FLOAT, [columns + 1])
    if "surprise" in outputs[0]:
        g.output("surprise", outputs[0]["surprise"], TensorProto.FLOAT, [columns])
    if first.schema is None:
        g.output("expected", outputs[0]["expected"], TensorProto.FLOAT, first.spec.shape or ())
    else:
        g.output("expected", outputs[0]["expected"], TensorProto.DOUBLE, [columns])
    return g.build("score")
