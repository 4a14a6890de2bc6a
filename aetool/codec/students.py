"""Students, small networks that predict streams of a table: which streams have one, its inputs,
training and storage.

A student is kept for a stream only where its verdict, as a context of the coder, saves more bits
than its weights take.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from aetool.canonical import Json
from aetool.codec import integers, planning, transforms
from aetool.codec.columns import Coded
from aetool.codec.packing import errors_as_damage, packed, unpacked
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
from aetool.codec.streams import Known, Stream
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
    """A small network that predicts the symbols of a stream, a column of whole numbers. features:
    of other streams in the same row, its inputs; layers: its weights, whole numbers; vectors: (8,
    outputs), the outputs it must have for fixed inputs, by which another machine is checked."""

    features: Sequence[Feature]
    layers: list[Layer]
    vectors: Int


@dataclass(eq=False)
class Students:
    """The networks that predict streams of a table. of: by the number of the stream. exact: run
    them in whole numbers, which is slower, not in floats; both give the same."""

    of: dict[int, Student] = field(default_factory=dict)
    exact: bool = False

    def by_reference(self) -> Students:
        """A copy that computes the same networks by whole numbers, as the archive's format defines
        them, not by the faster floats."""
        return dataclasses.replace(self, exact=True)

    def predict(self, number: int, known: Known) -> Int:
        """(rows,) int64: the network's verdict on each row of stream `number`, the class, 0 to 255,
        that it holds most likely. known: the streams before it. ArchiveError if the stream has no
        network, or this asks for a stream that is not there."""
        if number not in self.of:
            raise ArchiveError("damaged: a column's plan asks for a student that is not there")
        run = network.reference if self.exact else network.in_floats
        predictor = self.of[number]
        verdicts = np.empty(known.rows, np.int64)
        marks, radices = _marks(predictor.features, known)
        # part by part: the inputs of all rows would take much memory
        for first in range(0, known.rows, ROWS):
            part = slice(first, first + ROWS)
            inputs = student.places(marks[part], radices)
            votes = run(predictor.layers, inputs, ones=True)
            verdicts[part] = student.verdicts(votes)
        return verdicts

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
        returns the plan as it is. Nothing is trained for a plan of fewer than two bins or of packed
        values, for fewer than LEAST_ROWS (2,000) values, or without features to see. known: the
        streams before it, whose `predict` is this object's; planner: of these, which finds the
        features; times: for how many times these rows the weights are stored once; seed: of the
        training. BundleError for a network whose sums might grow too large to be exact."""
        residuals = transforms.residuals(plan, stream, known)
        symbols = integers.symbols_of(plan, residuals)
        if plan.bins < 2 or len(symbols) < LEAST_ROWS or plan.packed is not None:
            return plan
        features = planner.best_features(stream, symbols, FEATURES)
        if not features:
            return plan
        marks, radices = _marks(features, known)
        if stream.present is not None:
            marks = marks[stream.present]
        targets = symbols.astype(np.int64)
        layers = student.train(marks, radices, targets, plan.bins + 1, seed)
        network.prove(layers)
        # the verdict of a network that is not here yet could not be tried
        self.of[number] = Student(features, layers, _outputs_for_probe(layers))
        weight_count = sum(layer.weight.size for layer in layers)
        fewest_bits = planning.bits_of(plan, stream, known)
        # what the weights take is shared by so many times these rows
        fewest_bits -= WEIGHT_BITS * weight_count / times
        best = plan
        for with_verdict in _with_verdict(plan):
            try:
                bits = planning.bits_of(with_verdict, stream, known)
            except ArchiveError:  # too many contexts
                continue
            if bits < fewest_bits:
                fewest_bits = bits
                best = with_verdict
        if best is plan:
            del self.of[number]
        return best


def _with_verdict(plan: Plan) -> list[Plan]:
    """Copies of the plan to try, four, of which some may be equal: with the verdict of a network,
    the student, as the only feature, beside the plan's feature of the stream's own symbol, its
    first feature of another kind, or both. Features of repeats are left out."""
    owns: list[Feature] = []
    parents: list[Feature] = []
    for feature in plan.features:
        if isinstance(feature, OwnSymbol):
            owns.append(feature)
        elif not isinstance(feature, Repeat):
            parents.append(feature)
    nothing: list[Feature] = []
    plans = []
    for own in (nothing, owns):
        for others in (nothing, parents[:1]):
            # a stream's own symbol stands first in a context
            features = (*own, Verdict(), *others)
            plans.append(plan.but(features=features))
    return plans


def _marks(features: Sequence[Feature], known: Known) -> tuple[Int, list[int]]:
    """The values of a student's inputs in all rows: ((rows, features) int64, how many values each
    feature can have, which are from 0 on). features: at least one; ArchiveError if one asks for a
    stream that is not in `known`."""
    all_rows = Stream(np.zeros(known.rows, np.int64))
    columns = []
    radices = []
    for feature in features:
        marks, radix = integers.feature_of(feature, all_rows, known)
        columns.append(marks.astype(np.int64))
        radices.append(radix)
    return np.stack(columns, axis=1), radices


def _outputs_for_probe(layers: Sequence[Layer]) -> Int:
    """Compute a network's outputs for the eight fixed inputs of `_probe_inputs`, by which it is
    checked on another machine: (8, outputs) int64, in whole numbers."""
    inputs = len(layers[0].weight)
    return network.reference(layers, _probe_inputs(inputs))


def _probe_inputs(inputs: int) -> Int:
    """Eight fixed inputs of zeros and ones for a network, (8, inputs) int64: its outputs for them
    are stored with it, to check that another machine computes the same."""
    # Knuth's multiplicative hash, of which one bit is taken
    hashes = np.arange(8 * inputs) * 2654435761
    bits = (hashes >> 7) & 1
    return np.asarray(bits, np.int64).reshape(8, inputs)


def learn(
    coded: Sequence[Coded],
    rows: int,
    effort: planning.Effort,
    times: float,
    seed: int = 0,
) -> tuple[Students, Hints]:
    """Train small networks that predict the streams of a block's columns: (those that pay in an
    archive of `times` as many rows, none at all if none does; hints, the plans with them, for its
    first block). rows: how many each column has; effort: how far plans are searched for; seed: of
    the training. BundleError for a network whose sums might grow too large to be exact."""
    students = Students()
    known = Known(rows, predict=students.predict)
    planner = Planner(known, effort)
    plans: list[Plan] = []
    streams = [stream for column in coded for stream in column.streams]
    # as a block is encoded: each stream sees those before it
    for number, stream in enumerate(streams):
        plan = planner.plan(stream, number)
        plan = students.attempt(number, plan, stream, known, planner, times, seed)
        residuals = transforms.residuals(plan, stream, known)
        symbols = integers.symbols_of(plan, residuals)
        known.add(stream, symbols, plan.alphabet)
        plans.append(plan)
    shape = tuple(len(column.streams) for column in coded)
    return students, Hints(shape, plans)


# ---- bytes


def to_arrays(students: Students) -> tuple[dict[str, Array], dict[str, Json]]:
    """Networks, `students`, as a bundle or an archive stores them: (arrays by name: weights, biases
    and known answers; JSON by stream number in digits: features and shifts). `from_arrays` reads
    them."""
    arrays: dict[str, Array] = {}
    words = {}
    for number, predictor in students.of.items():
        words[str(number)] = {
            "features": [feature.to_json() for feature in predictor.features],
            "shifts": [layer.shift for layer in predictor.layers],
        }
        arrays[f"student.{number}.vectors"] = predictor.vectors
        for place, layer in enumerate(predictor.layers):
            name = f"student.{number}.{place}"
            arrays[f"{name}.weight"] = layer.weight.astype(np.int16)
            arrays[f"{name}.bias"] = layer.bias
    return arrays, words


def from_arrays(arrays: Mapping[str, Array], words: Mapping[str, Json]) -> Students:
    """The networks that `to_arrays` stored as arrays and JSON, words, by stream number; BundleError
    or ValueError unless the arithmetic of each is proved exact and it gives its stored outputs on
    this machine, in floats, too. KeyError, ArchiveError and the like for other arrays and JSON: to
    be called within `errors_as_damage`."""
    students = Students()
    for key, entry in words.items():
        layers = []
        for place, shift in enumerate(entry["shifts"]):
            name = f"student.{key}.{place}"
            weight = arrays[f"{name}.weight"].astype(np.int64)
            bias = arrays[f"{name}.bias"].astype(np.int64)
            layers.append(Layer(weight, bias, int(shift)))
        network.prove(layers)
        if layers[-1].weight.shape[1] > MAX_CLASSES:
            raise ValueError("a student has too many verdicts")
        vectors = arrays[f"student.{key}.vectors"]
        probe = _probe_inputs(len(layers[0].weight))
        # floats are faster; a machine whose floats go astray would restore other values
        for run in (network.reference, network.in_floats):
            answers = run(layers, probe)
            if not (answers == vectors).all():
                raise BundleError("refused: a student does not give its known answers here")
        features = [feature_from_json(stored) for stored in entry["features"]]
        students.of[int(key)] = Student(features, layers, vectors)
    return students


def to_bytes(students: Students) -> bytes:
    """Write networks as the section "students" of an archive; `from_bytes` reads it."""
    return packed(*to_arrays(students))


def from_bytes(data: bytes, name: str) -> Students:
    """Read the networks that `to_bytes` wrote; BundleError if they are damaged, restore more than
    packing.MAX_PACKED (2^28) bytes, or are not proved exact. name: what they are part of, for
    messages."""
    with errors_as_damage(name):
        return from_arrays(*unpacked(data))
