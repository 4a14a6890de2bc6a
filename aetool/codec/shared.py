"""What a model knows of its columns beforehand, for many small files that it codes: how each is
written, plans, counts to begin with, and students where they pay.

In a bundle it is the member `codec.safetensors.xz`: arrays, and a JSON of everything else in the
safetensors metadata, compressed whole.
"""

from __future__ import annotations

import dataclasses
import itertools
import lzma
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from aetool.bundle import CODEC, Bundle, canonical, parse_canonical
from aetool.codec import columns, integers, planning, rans, spans
from aetool.codec.integers import Known, Plan, Stream
from aetool.errors import ArchiveError, BundleError
from aetool.exact import network, student
from aetool.exact.network import Layer
from aetool.model import Int

EFFORT = dataclasses.replace(
    planning.BEST, cells=1 << 14, repeats=(), bins=96, sample=32768, block=16 << 20
)
MOST_LEVELS = 4096
MOST_COUNT = 2047
STRETCH, MOST_MARKED = 1000, 1 << 16
MAX_CODEC = 1 << 28
STUDENT_FEATURES = 12
WEIGHT_BITS = 6  # of a weight, squeezed
MANY = 8  # a shared model is for this many times the rows it was learned from, at least


@dataclass(eq=False)
class Student:
    """What it sees (features of integers.feature_of), and its layers."""

    features: list[Any]
    layers: list[Layer]
    vectors: Int  # known answers: of rows of fixed marks, the votes


@dataclass(eq=False)
class Shared:
    """names, head, format: of the table and its text. spec: the --max-error it was learned for.
    metas by column; plans and primes by stream; usual: the value that each stream is likely to have
    where it never changes; stillness (streams, 3): how often stretches of rows were MOVING, USUAL,
    STILL; students by stream, where there is one."""

    names: list[str]
    head: str
    spec: dict[str, str]
    format: dict[str, Any]
    metas: list[dict[str, Any]]
    plans: list[Plan] = field(default_factory=list)
    primes: list[Any] = field(default_factory=list)
    usual: list[int] = field(default_factory=list)
    stillness: Any = None
    students: dict[int, Student] = field(default_factory=dict)
    exact: bool = False  # run students by the reference, not in floats

    @property
    def nothing(self) -> list[None]:
        """The columns of a block that says nothing of its own."""
        return [None] * len(self.metas)

    def by_reference(self) -> Shared:
        """The same, with students run by the reference."""
        return dataclasses.replace(self, exact=True)

    def in_units(self, errors: Mapping[str, float]) -> list[int] | None:
        """Largest errors by column as whole numbers of its last digit, of all columns on a grid, in
        their order; None if they are not that."""
        units = [round(errors.get(n, 0.0) * u) for n, u in self._grids().items()]
        return units if self.in_numbers(units) == {n: e for n, e in errors.items() if e} else None

    def in_numbers(self, units: Sequence[int]) -> dict[str, float]:
        """The errors by column of in_units, those that are not 0."""
        found = zip(self._grids().items(), units, strict=True)
        return {name: k / scale for (name, scale), k in found if k}

    def _grids(self) -> dict[str, int]:
        return {n: 10 ** m["d"] for n, m in zip(self.names, self.metas, strict=True) if "q" in m}

    def predict(self, number: int, known: Known) -> Int:
        """The verdict of a stream's student in every row, (rows,) of 0 .. 255."""
        if number not in self.students:
            raise ArchiveError("damaged: a column's plan asks for a student that is not there")
        x = _inputs(self.students[number].features, known)
        run = network.reference if self.exact else network.in_floats
        votes = run(self.students[number].layers, x)
        return student.verdicts(votes)

    def plan(
        self, number: int, stream: Stream, known: Known, own: bool, planner: planning.Planner
    ) -> tuple[Plan, Any] | None:
        """The shared plan and prime for a stream; None where a plan of its own is smaller. own:
        whether the column is written as in this model."""
        if not own or number >= len(self.plans):
            return None
        plan, prime = self.plans[number], self.primes[number]
        if known.rows <= planning.SMALL_BLOCK:  # of larger ones an own plan may be smaller
            return plan, prime
        other = planner.plan(stream, number)
        ours = planning.bits_of(plan, stream, known, prime)
        theirs = planning.bits_of(other, stream, known) + 8.0 * len(canonical(other))
        return (plan, prime) if ours <= theirs else None


def _inputs(features: Sequence[Any], known: Known) -> Int:
    everywhere = Stream(np.zeros(known.rows, np.int64))
    found = [integers.feature_of(f, everywhere, known) for f in features]
    marks = np.stack([m.astype(np.int64) for m, _ in found], axis=1)
    return student.one_hot(marks, [r for _, r in found])


def shared_of(
    model: Bundle, names: Sequence[str] | None = None, spec: Mapping[str, str] | None = None
) -> Shared | None:
    """The shared part of a model (for a table of these columns and this --max-error); None if it
    has none (for them)."""
    if CODEC not in model.graphs:
        return None
    found = from_bytes(model.graphs[CODEC], model.name)
    if names is not None and list(names) != found.names:
        return None
    return found if spec is None or dict(spec) == found.spec else None


# ---- learning


def learn(
    piece: bytes, head: bytes, format: Mapping[str, Any], names: Sequence[str],
    bounds: Mapping[str, Fraction], spec: Mapping[str, str], with_students: bool, seed: int = 0,
) -> Shared | None:  # fmt: skip
    """What whole records of a table teach; None if they are not regular."""
    cut = spans.split(piece, ord(format["delimiter"]))
    if cut is None or cut[2] != len(names):
        return None
    start, stop, width, _ = cut
    text = np.frombuffer(piece, np.uint8)
    rows = len(start) // width
    made = Shared(list(names), head.decode("latin-1"), dict(spec), dict(format), [])
    known = Known(rows, predict=made.predict)
    planner = planning.Planner(known, EFFORT, complete=False)
    seen: list[list[int]] = []
    for j, name in enumerate(names):
        own = text, start[j::width].copy(), stop[j::width].copy()
        first = columns.encode(*own, None, bounds.get(name))
        made.metas.append(_foreseeing(first.meta, own))
        for stream in columns.encode(*own, made.metas[-1]).streams:
            _learn_stream(made, stream, known, planner, with_students, seed)
            usual, counts = _stillness(stream, rows)
            made.usual.append(usual)
            seen.append(counts)
    made.stillness = np.array(seen, np.uint32).reshape(-1, 3)[:MOST_MARKED]
    return made


def _stillness(stream: Stream, rows: int) -> tuple[int, list[int]]:
    """(the usual value, counts of MOVING, USUAL, STILL) over stretches of rows."""
    edges = np.arange(0, rows + STRETCH, STRETCH)
    if stream.present is not None:
        edges = np.append(0, np.cumsum(stream.present))[np.minimum(edges, rows)]
    parts = [stream.values[a:b] for a, b in itertools.pairwise(edges.tolist())]
    same = [int(p[0]) for p in parts if len(p) and (p == p[0]).all()]
    usual = max(sorted(set(same)), key=same.count) if same else 0
    counts = np.bincount([integers.stillness(p, usual) for p in parts], minlength=3)
    return usual, counts.tolist()


def _foreseeing(meta: dict[str, Any], own: Any) -> dict[str, Any]:
    """The meta with room for what other files may hold."""
    if meta["k"] == "level":
        found = spans.levels(own[0], own[1], own[2], len(own[1]))
        assert found is not None
        first, index = found
        used = np.bincount(index, minlength=len(first))
        order = np.argsort(-used, kind="stable")[:MOST_LEVELS]
        cells = spans.cells_of(own[0], own[1][first[order]], own[2][first[order]])
        return {"k": "level", "v": [c.decode("latin-1") for c in cells]}
    return {**meta, "r": 1} if meta["k"] in ("number", "date") else meta


def _learn_stream(
    made: Shared, stream: Stream, known: Known, planner: planning.Planner, students: bool, seed: int
) -> None:
    number = len(made.plans)
    plan = planner.plan(stream, number)
    plan.pop("l", None)
    made.plans.append(plan)
    r = integers.residuals(plan, stream, known)
    symbols = integers.symbols_of(plan, r)
    if students and len(plan["b"]) > 1:
        _try_student(made, number, stream, symbols, known, planner, seed)
        plan = made.plans[number]
    if len(symbols):
        counts = np.bincount(symbols, minlength=len(plan["b"]) + 1)
        usual = int(counts.argmax())
        if usual < len(plan["b"]) and not integers.widths_of(plan)[1][usual]:
            plan["z"] = usual
    made.primes.append(_prime(plan, stream, symbols, known))
    known.add(stream, symbols, len(plan["b"]) + 1)


def _prime(plan: Plan, stream: Stream, symbols: Any, known: Known) -> Any:
    """Counts of symbols in their contexts, scaled so that none is above MOST_COUNT."""
    base, layout = integers.contexts(plan, stream, known, None, symbols)
    counts = np.zeros((layout.size, layout.alphabet), np.float64)
    if len(symbols):
        np.add.at(counts, (rans.contexts_of(symbols, base, layout), symbols), 1)
    most = counts.max(axis=1, keepdims=True)
    scaled = np.where(most > MOST_COUNT, np.ceil(counts * MOST_COUNT / np.maximum(most, 1)), counts)
    return scaled.astype(np.uint32)


def _try_student(
    made: Shared, number: int, stream: Stream, symbols: Any, known: Known,
    planner: planning.Planner, seed: int,
) -> None:  # fmt: skip
    """Keeps a student for a stream if its verdict saves more bits than its weights take."""
    plan = made.plans[number]
    features = planner.best_features(stream, symbols, STUDENT_FEATURES)
    if not features or len(symbols) < 2000:
        return
    everywhere = Stream(np.zeros(known.rows, np.int64))
    found = [integers.feature_of(f, everywhere, known) for f in features]
    marks = np.stack([m.astype(np.int64) for m, _ in found], axis=1)
    radices = [radix for _, radix in found]
    here = marks if stream.present is None else marks[stream.present]
    layers = student.train(here, radices, symbols.astype(np.int64), len(plan["b"]) + 1, seed)
    network.prove(layers)
    made.students[number] = Student(features, layers, _vectors(features, layers))
    plain = planning.bits_of(plan, stream, known)
    best, kept = plain - WEIGHT_BITS * sum(x.weight.size for x in layers) / MANY, plan
    owns = [f for f in plan.get("f", []) if f[0] == "o"]
    parents = [f for f in plan.get("f", []) if f[0] != "o"]
    for others in ([], owns, parents[:1], [*owns, *parents[:1]]):
        with_it = {**plan, "f": [*(f for f in others if f[0] == "o"), ["n"],
                                 *(f for f in others if f[0] != "o")]}  # fmt: skip
        try:
            bits = planning.bits_of(with_it, stream, known)
        except ArchiveError:  # too many contexts
            continue
        if bits < best:
            best, kept = bits, with_it
    made.plans[number] = kept
    if kept is plan:
        del made.students[number]


def _vectors(features: Sequence[Any], layers: Sequence[Layer]) -> Int:
    return network.reference(layers, _probe(len(layers[0].weight)))


def _probe(inputs: int) -> Int:
    """Fixed inputs of zeros and ones."""
    return np.asarray((np.arange(8 * inputs) * 2654435761 >> 7) & 1, np.int64).reshape(8, inputs)


# ---- bytes


def to_bytes(made: Shared) -> bytes:
    """The member of a bundle."""
    from safetensors.numpy import save

    arrays: dict[str, Any] = {}
    students = {}
    for i, prime in enumerate(made.primes):
        arrays[f"prime.{i}"] = prime.astype(np.uint16)
    for i, one in made.students.items():
        students[str(i)] = {"features": one.features, "shifts": [x.shift for x in one.layers]}
        arrays[f"student.{i}.vectors"] = one.vectors
        for k, layer in enumerate(one.layers):
            small = layer.weight.astype(np.int16)
            arrays[f"student.{i}.{k}.weight"] = small
            arrays[f"student.{i}.{k}.bias"] = layer.bias
    words = {"names": made.names, "head": made.head, "spec": made.spec, "format": made.format,
             "metas": made.metas, "plans": made.plans, "students": students,
             "usual": made.usual}  # fmt: skip
    arrays["stillness"] = made.stillness.astype(np.uint16)
    raw = save(arrays, {"aetool": canonical(words).decode()})
    return lzma.compress(raw, lzma.FORMAT_XZ, check=lzma.CHECK_CRC32, preset=9)


def from_bytes(data: bytes, name: str) -> Shared:
    """What to_bytes wrote; BundleError unless it is whole, within limits, and proved."""
    try:
        return _parse(data)
    except (ArchiveError, BundleError) as error:
        raise BundleError(f"{name}: {error}") from None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise BundleError(f"{name}: damaged: its codec does not make sense ({error})") from None


def _parse(data: bytes) -> Shared:
    import safetensors
    from safetensors.numpy import load

    try:
        inflater = lzma.LZMADecompressor(lzma.FORMAT_XZ)
        raw = inflater.decompress(data, MAX_CODEC)
        arrays = load(raw)
    except (lzma.LZMAError, EOFError, safetensors.SafetensorError) as error:
        raise BundleError(f"damaged: {error}") from None
    if not inflater.eof or inflater.unused_data:
        raise BundleError("damaged: its codec is larger than allowed")
    size = int.from_bytes(raw[:8], "little")
    header = _json(raw[8 : 8 + size])
    words = parse_canonical(str(header["__metadata__"]["aetool"]).encode())
    made = Shared(
        [str(n) for n in words["names"]], str(words["head"]), dict(words["spec"]),
        dict(words["format"]), list(words["metas"]), list(words["plans"]),
    )  # fmt: skip
    for meta in made.metas:
        columns.shape_of(meta)
    if len(made.metas) != len(made.names):
        raise ValueError("its columns have not their names")
    made.primes = [arrays[f"prime.{i}"].astype(np.uint32) for i in range(len(made.plans))]
    made.usual = [int(v) for v in words["usual"]]
    made.stillness = arrays["stillness"].astype(np.uint32)
    if made.format["newline"] not in ("\n", "\r\n"):
        raise ValueError("its line end is none")
    marked = min(len(made.plans), MOST_MARKED)
    if len(made.usual) != len(made.plans) or made.stillness.shape != (marked, 3):
        raise ValueError("what never changes is not said for every stream")
    for key, entry in words["students"].items():
        layers = []
        for k, shift in enumerate(entry["shifts"]):
            weight = arrays[f"student.{key}.{k}.weight"].astype(np.int64)
            bias = arrays[f"student.{key}.{k}.bias"].astype(np.int64)
            layers.append(Layer(weight, bias, int(shift)))
        network.prove(layers)
        if layers[-1].weight.shape[1] > integers.MAX_CLASSES:
            raise ValueError("a student has too many verdicts")
        vectors = arrays[f"student.{key}.vectors"]
        probe = _probe(len(layers[0].weight))
        for run in (network.reference, network.in_floats):
            if not (run(layers, probe) == vectors).all():
                raise BundleError("refused: a student does not give its known answers here")
        made.students[int(key)] = Student(list(entry["features"]), layers, vectors)
    return made


def _json(raw: bytes) -> Any:
    import json

    return json.loads(raw)
