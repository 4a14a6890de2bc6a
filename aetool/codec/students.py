"""Students of a table's streams: who has one, what it sees, how it is learned and stored.

A student is kept for a stream only where its verdict, as a context of the coder, saves more bits
than its weights take.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from aetool.canonical import Json
from aetool.codec import integers, planning
from aetool.codec.columns import Coded
from aetool.codec.integers import Known, Stream
from aetool.codec.packing import packed, sensible, unpacked
from aetool.codec.planning import Hints, Planner
from aetool.codec.plans import (
    MAX_CLASSES,
    Feature,
    OwnSymbol,
    Plan,
    Repeat,
    Verdict,
    feature_from_json,
)
from aetool.errors import ArchiveError, BundleError
from aetool.exact import network, student
from aetool.exact.network import Layer
from aetool.model import Array, Int

FEATURES = 12
WEIGHT_BITS = 6  # of a weight, squeezed
LEAST_ROWS = 2000
ROWS = 1 << 14  # predicted at a time


@dataclass(eq=False)
class Student:
    """A small network that predicts a stream. features: of other streams, its inputs; layers: its
    weights; vectors: the outputs it must have for fixed inputs, see _probe."""

    features: Sequence[Feature]
    layers: list[Layer]
    vectors: Int  # known answers: of rows of fixed marks, the votes


@dataclass(eq=False)
class Students:
    """The networks that predict streams of a table, by the number of the stream. exact: run them in
    whole numbers, not in floats, which is slower."""

    of: dict[int, Student] = field(default_factory=dict)
    exact: bool = False

    def by_reference(self) -> Students:
        """The same networks, run in whole numbers, as the archive's format defines them."""
        return dataclasses.replace(self, exact=True)

    def predict(self, number: int, known: Known) -> Int:
        """(rows,): the network's verdict on each row of stream `number`, 0 to 255. known: the
        streams before it."""
        if number not in self.of:
            raise ArchiveError("damaged: a column's plan asks for a student that is not there")
        run = network.reference if self.exact else network.in_floats
        one = self.of[number]
        out = np.empty(known.rows, np.int64)
        marks, radices = _marks(one.features, known)
        for first in range(0, known.rows, ROWS):
            x = student.places(marks[first : first + ROWS], radices)
            out[first : first + ROWS] = student.verdicts(run(one.layers, x, ones=True))
        return out

    def attempt(
        self,
        number: int,
        plan: Plan,
        stream: Stream,
        known: Known,
        planner: Planner,
        times: float,
        seed: int,
    ) -> Plan:
        """Train a network that predicts stream `number`; returns the plan with its verdict as a
        feature and adds the network to `of` if that saves more bits than the weights take; else
        returns the plan as it is. times: for how many times these rows the weights are stored
        once."""
        r = integers.residuals(plan, stream, known)
        symbols = integers.symbols_of(plan, r)
        if plan.bins < 2 or len(symbols) < LEAST_ROWS or plan.packed is not None:
            return plan
        features = planner.best_features(stream, symbols, FEATURES)
        if not features:
            return plan
        marks, radices = _marks(features, known)
        here = marks if stream.present is None else marks[stream.present]
        layers = student.train(here, radices, symbols.astype(np.int64), plan.bins + 1, seed)
        network.prove(layers)
        self.of[number] = Student(features, layers, _answers(layers))
        plain = planning.bits_of(plan, stream, known)
        best = plain - WEIGHT_BITS * sum(x.weight.size for x in layers) / times
        kept = plan
        for with_it in _with_verdict(plan):
            try:
                bits = planning.bits_of(with_it, stream, known)
            except ArchiveError:  # too many contexts
                continue
            if bits < best:
                best = bits
                kept = with_it
        if kept is plan:
            del self.of[number]
        return kept


def _with_verdict(plan: Plan) -> list[Plan]:
    """Copies of the plan to try: with the verdict as the only feature, or beside the stream's own
    symbol, its first other feature, or both."""
    owns = [feature for feature in plan.features if isinstance(feature, OwnSymbol)]
    none: list[Feature] = []
    parents = [f for f in plan.features if not isinstance(f, OwnSymbol | Repeat)]
    return [
        plan.but(features=(*own, Verdict(), *others))
        for own in (none, owns)
        for others in (none, parents[:1])
    ]


def _marks(features: Sequence[Feature], known: Known) -> tuple[Int, list[int]]:
    """((rows, features) values of the features, how many values each can have)."""
    everywhere = Stream(np.zeros(known.rows, np.int64))
    seen = [integers.feature_of(f, everywhere, known) for f in features]
    return np.stack([m.astype(np.int64) for m, _ in seen], axis=1), [r for _, r in seen]


def _answers(layers: Sequence[Layer]) -> Int:
    return network.reference(layers, _probe(len(layers[0].weight)))


def _probe(inputs: int) -> Int:
    """(8, inputs): fixed inputs of zeros and ones, for which a network's outputs are stored with
    it."""
    return np.asarray((np.arange(8 * inputs) * 2654435761 >> 7) & 1, np.int64).reshape(8, inputs)


def learn(
    coded: Sequence[Coded],
    rows: int,
    effort: planning.Effort,
    times: float,
    seed: int = 0,
) -> tuple[Students, Hints]:
    """Train networks for the streams of a block's columns: (those that pay in an archive of `times`
    as many rows, hints for its first block)."""
    students = Students()
    known = Known(rows, predict=students.predict)
    planner = Planner(known, effort)
    plans: list[Plan] = []
    for stream in (s for c in coded for s in c.streams):
        plan = planner.plan(stream, len(plans))
        plan = students.attempt(len(plans), plan, stream, known, planner, times, seed)
        symbols = integers.symbols_of(plan, integers.residuals(plan, stream, known))
        known.add(stream, symbols, plan.alphabet)
        plans.append(plan)
    return students, Hints(tuple(len(c.streams) for c in coded), plans)


# ---- bytes


def to_arrays(students: Students) -> tuple[dict[str, Array], dict[str, Json]]:
    """Networks as a bundle stores them: (arrays by name, JSON by stream number)."""
    arrays: dict[str, Array] = {}
    words = {}
    for i, one in students.of.items():
        features = [feature.to_json() for feature in one.features]
        words[str(i)] = {"features": features, "shifts": [x.shift for x in one.layers]}
        arrays[f"student.{i}.vectors"] = one.vectors
        for k, layer in enumerate(one.layers):
            arrays[f"student.{i}.{k}.weight"] = layer.weight.astype(np.int16)
            arrays[f"student.{i}.{k}.bias"] = layer.bias
    return arrays, words


def from_arrays(arrays: Mapping[str, Array], words: Mapping[str, Json]) -> Students:
    """The networks that `to_arrays` stored; BundleError or ValueError unless the arithmetic of each
    is proved exact and it gives its stored outputs on this machine."""
    students = Students()
    for key, entry in words.items():
        layers = []
        for k, shift in enumerate(entry["shifts"]):
            weight = arrays[f"student.{key}.{k}.weight"].astype(np.int64)
            bias = arrays[f"student.{key}.{k}.bias"].astype(np.int64)
            layers.append(Layer(weight, bias, int(shift)))
        network.prove(layers)
        if layers[-1].weight.shape[1] > MAX_CLASSES:
            raise ValueError("a student has too many verdicts")
        vectors = arrays[f"student.{key}.vectors"]
        probe = _probe(len(layers[0].weight))
        for run in (network.reference, network.in_floats):
            if not (run(layers, probe) == vectors).all():
                raise BundleError("refused: a student does not give its known answers here")
        students.of[int(key)] = Student(
            [feature_from_json(raw) for raw in entry["features"]], layers, vectors
        )
    return students


def to_bytes(students: Students) -> bytes:
    """Write networks as the section "students" of an archive."""
    return packed(*to_arrays(students))


def from_bytes(data: bytes, name: str) -> Students:
    """Read the networks that `to_bytes` wrote; BundleError if they are damaged, too large, or not
    proved exact. name: for messages."""
    with sensible(name):
        return from_arrays(*unpacked(data))
