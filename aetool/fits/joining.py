"""Joins several models that were fitted one by one into one: a single score graph that combines
their scores."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto

from aetool import graphs, mapping, rarity
from aetool.bundle import GRAPHS, MAPS, SAMPLING, Bundle
from aetool.canonical import Json
from aetool.columns.schema import Schema
from aetool.columns.sections import Features
from aetool.detection.calibration import Calibration
from aetool.detection.quantiles import ScoreQuantiles
from aetool.graphs import Graph
from aetool.graphs.oddities import lone_gaps, meant
from aetool.model import Float, Int
from aetool.rarity import Rarity

FACTS_OF_CODE = ("code_levels", "explained", "code")


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted model that may be joined with others. rows: (n,), the indices of rows that it was
    not fitted on; parts: (n, columns + 1), and surprise: (n, columns) or None, of those rows.
    edge: (n,) bool, those of these rows that a robust fit left out though they lie next to the rows
    that it kept (trimming.Nearest); None where it left out none. in_bits: whether its scores are
    bits of rarity already; adds_bits: whether they add up bits, each of which counts as one at
    most; weight: how much it counts among others."""

    bundle: Bundle
    rows: Int
    parts: Features
    surprise: Features | None = None
    edge: npt.NDArray[np.bool_] | None = None
    in_bits: bool = False
    adds_bits: bool = False
    weight: float = 1.0

    @property
    def rarity(self) -> Rarity:
        """The Rarity by which the model's scores are turned into bits when it is joined with
        others."""
        if self.in_bits:
            rows = len(self.parts)
            return Rarity.told(rows)
        # where all records score about the same, the highest are no rarer than the others
        least = rarity.ONE_BIT if self.adds_bits else rarity.LEAST_BITS
        return Rarity.of(self.scores, least=least, edge=self.edge)

    @property
    def scores(self) -> Float:
        """The scores of the held-out rows, (n,): each the sum of a row's parts."""
        # in float32 a sum of many parts would depend on their order
        sums = self.parts.sum(axis=1, dtype=np.float64)
        return np.asarray(sums)

    @property
    def usual_parts(self) -> Float:
        """The medians of the parts over the held-out rows, (columns + 1,): of each column, and last
        of what belongs to no column."""
        medians = np.median(self.parts, axis=0)
        return np.asarray(medians, dtype=np.float64)


def join(
    name: str,
    members: Sequence[Fitted],
    facts: dict[str, Json],
    owner: Int | None = None,
    is_few: bool = False,
) -> Bundle:
    """Join members that were fitted on the same rows to one bundle, whose plugin is `name`.
    members: one at least; facts: of the bundle, by name. owner: (rows,), the record that each row
    is a piece of; None where rows are records. is_few: whether rows may be so few that odd ones
    among them would set the threshold: of fewer than 500 records the highest scores decide less.

    A member's score becomes how rare it is among its held-out scores, in bits, unless it is that
    already; the bits of all members are joined as rarity.joined says. Code, decoder, samples, what
    is expected, and the surprise that reasons are ranked by are the first member's.
    """
    bundles = [member.bundle for member in members]
    first = bundles[0]
    rarities = [member.rarity for member in members]
    usual = [member.usual_parts for member in members]
    weights = [member.weight for member in members]
    # closed forms hold out all rows, and a network few: its rows are what all have held out
    rows = min((member.rows for member in members), key=len)
    parts_of_members = []
    for member in members:
        is_common = np.isin(member.rows, rows)
        parts_of_rows = member.parts[is_common]
        parts_of_members.append(parts_of_rows.astype(np.float64))
    # by the same formula as in the graph, whose scores are judged by this calibration
    parts = rarity.joined(parts_of_members, usual, rarities, weights)
    graphs = _graphs_of_first(first)
    graphs["score.onnx"] = joined(bundles, usual, rarities, weights)
    if first.shape is not None:
        graphs[MAPS] = mapping.learned(parts, first.shape)
    names = _names_of_members(bundles)
    quantiles = [ScoreQuantiles.of(member.scores) for member in members]
    return dataclasses.replace(
        first,
        plugin=name,
        params={},
        graphs=graphs,
        calibration=_calibration(members[0], rows, parts, owner, is_few),
        facts={**facts, "members": names, **_facts_of_first(first)},
        by_member=dict(zip(names, quantiles, strict=True)),
        # those of the first member run its own graphs, not the joined ones
        _sessions={},
    )


def _graphs_of_first(first: Bundle) -> dict[str, bytes]:
    """The graphs of the first member that the joined model keeps, by name: all but what it learned
    for archives."""
    names = {*GRAPHS, SAMPLING}
    return {name: content for name, content in first.graphs.items() if name in names}


def _facts_of_first(first: Bundle) -> dict[str, Json]:
    """The facts of the first member, by name, that are about its code, which is the joined
    model's."""
    return {name: fact for name, fact in first.facts.items() if name in FACTS_OF_CODE}


def _calibration(
    first: Fitted,
    rows: Int,
    parts: Float,
    owner: Int | None,
    is_few: bool,
) -> Calibration:
    """The calibration of the joined model by rows that all members have held out.

    rows: (n,), their indices; parts: (n, columns + 1), joined; owner: (rows,), the record that each
    row is a piece of, or None. is_few: whether rows may be so few that odd ones among them would
    set the threshold. The surprise is that of the first member.
    """
    surprise = first.surprise
    if surprise is not None:
        is_common = np.isin(first.rows, rows)
        surprise = surprise[is_common]
    owner_of_rows = None
    if owner is not None:
        # parts are in the order of rows, whatever that of their indices
        in_order = np.sort(rows)
        owner_of_rows = owner[in_order]
    expected = rarity.JOINED_TAIL
    if first.bundle.shape is not None:
        expected = rarity.PICTURES_TAIL
    expected_here = expected
    if is_few:
        records = len(parts) if owner_of_rows is None else len(np.unique(owner_of_rows))
        expected_here = rarity.among_few_held_out(expected, records)
    calibration = Calibration.of(parts, surprise, expected=expected_here, owner=owner_of_rows)
    # whoever calibrates anew has another number of records
    return dataclasses.replace(calibration, expected=expected)


def _names_of_members(bundles: Sequence[Bundle]) -> list[str]:
    """A name for each bundle: that of its model, and where an earlier bundle is of the same model
    also the parameters in which it differs from the first of these, such as "pca latent=8". Bundles
    of the same model and parameters have one name."""
    names: list[str] = []
    for bundle in bundles:
        # itself, if there is none before it
        first = next(other for other in bundles if other.plugin == bundle.plugin)
        words = [bundle.plugin]
        for parameter, value in bundle.params.items():
            if first.params.get(parameter) != value:
                words.append(f"{parameter}={value}")
        names.append(" ".join(words))
    return names


def joined(
    members: Sequence[Bundle],
    usual: Sequence[Float],
    rarities: Sequence[Rarity],
    weights: Sequence[float],
) -> bytes:
    """The bytes of a score graph whose parts are those of the members, joined, and whose other
    outputs are the first member's. usual: for each member (columns + 1,), the medians of its parts;
    rarities, weights: of each member. All are of the same data, and one at least."""
    first = members[0]
    g = Graph()
    columns = len(first.spec.columns)
    pixels = first.spec.shape or ()
    if first.schema is None:
        x = g.input("pixels", TensorProto.UINT8, pixels)
    else:
        x = g.input("x", TensorProto.DOUBLE, [first.schema.inputs])
    outputs_of_members = []
    for member in members:
        score = onnx.ModelProto.FromString(member.graphs["score.onnx"])
        records = score.graph.input[0].name
        # nodes that members have in common, as those that lay out records, are stored once
        outputs = g.embed(score, {records: x})
        outputs_of_members.append(outputs)
    parts_of_members = [outputs["parts"] for outputs in outputs_of_members]
    parts = rarity.write_joined(g, parts_of_members, usual, rarities, weights)
    if first.schema is not None:
        parts = _with_odd_cells(g, first.schema, x, parts)
    g.output("parts", parts, TensorProto.FLOAT, [columns + 1])
    # what has no meaning for all members together is the first one's
    outputs_of_first = outputs_of_members[0]
    if "surprise" in outputs_of_first:
        surprise = outputs_of_first["surprise"]
        g.output("surprise", surprise, TensorProto.FLOAT, [columns])
    expected = outputs_of_first["expected"]
    if first.schema is None:
        g.output("expected", expected, TensorProto.FLOAT, pixels)
    else:
        expected = meant(g, first.schema, x, expected)
        g.output("expected", expected, TensorProto.DOUBLE, [columns])
    return g.build("score")


def _with_odd_cells(
    g: Graph,
    schema: Schema,
    x: str,
    parts: str,
) -> str:
    """Add nodes to graph g that add to the parts of records, (B, columns + 1), what odd cells cost
    in bits; returns the name of the result, of the same shape. Odd cells are those not of their
    column's kind, far outside of all others, a word that hardly ever comes, or missing where hardly
    any cell is. x: the name of the records; parts: that of their parts, float32 bits; the last,
    which belongs to no column, stays."""
    # an odd cell is rare whatever the spread of the members' scores, so it counts in full; among
    # the costs of many columns that members add up a single one would be lost
    nats = graphs.standing_out(g, schema, x, seen=True)
    of_gaps = lone_gaps(g, schema, x)
    if of_gaps is not None:
        nats = g.op("Add", nats, of_gaps)
    bits_of_a_nat = g.const(1 / math.log(2))
    bits = g.op("Mul", nats, bits_of_a_nat)
    # nothing is added to what belongs to no column
    last = g.take(parts, [len(schema.modelled)])
    nothing = g.op("Mul", last, g.const(0.0))
    bits_of_columns = g.op("Concat", bits, nothing, axis=1)
    return g.op("Add", parts, bits_of_columns)
