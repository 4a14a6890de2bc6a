"""What a model knows of its columns beforehand, for many small files that it codes: how each is
written, plans, counts to begin with, and students where they pay.

In a bundle it is the member `codec.safetensors.xz`: arrays, and a JSON of everything else in the
safetensors metadata, compressed whole.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from aetool.bundle import CODEC, Bundle
from aetool.canonical import Json, canonical
from aetool.codec import integers, metas, planning, rans, spans, textual
from aetool.codec.integers import Known, Stream
from aetool.codec.metas import LevelMeta, Meta, NumberMeta, PatternMeta
from aetool.codec.packing import packed, sensible, unpacked
from aetool.codec.plans import Plan
from aetool.codec.spans import I32
from aetool.codec.students import Students, from_arrays, to_arrays
from aetool.csv.fields import Rule, fields
from aetool.data.table import Bytes
from aetool.model import Array

EFFORT = dataclasses.replace(
    planning.BEST, cells=1 << 14, repeats=(), bins=96, sample=32768, block=16 << 20
)
MOST_LEVELS = 4096
MOST_COUNT = 2047
STRETCH, MOST_MARKED = 1000, 1 << 16
MANY = 8  # a shared model is for this many times the rows it was learned from, at least


@dataclass(eq=False)
class Shared:
    """What a model knows of the columns of many small tables, so that their archives need not say
    it.

    names, head, format: the column names, the header record and how the text is written. spec: the
    --max-error it was learned for. metas: of each column. plans, primes: of each stream the plan,
    and counts that its tables begin with. usual: of each stream the value that it has where it
    never changes; stillness: (streams, 3), how many stretches of rows were MOVING, USUAL, STILL.
    students: networks that predict some streams.
    """

    names: list[str]
    head: str
    spec: dict[str, str]
    format: dict[str, Json]
    metas: list[Meta]
    plans: list[Plan] = field(default_factory=list)
    primes: list[rans.U32] = field(default_factory=list)
    usual: list[int] = field(default_factory=list)
    stillness: rans.U32 = field(default_factory=lambda: np.zeros((0, 3), np.uint32))
    students: Students = field(default_factory=Students)

    @property
    def nothing(self) -> list[None]:
        """The metas that a block stores if all its columns are as the model has them: None for
        each."""
        return [None] * len(self.metas)

    def in_units(self, errors: Mapping[str, float]) -> list[int] | None:
        """The largest errors as whole numbers, one for each column on a grid, in their order: error
        * 10^decimals. None if that does not give the errors back exactly. errors: by column."""
        units = [round(errors.get(n, 0.0) * u) for n, u in self._grids().items()]
        if self.in_numbers(units) == {n: e for n, e in errors.items() if e}:
            return units
        return None

    def in_numbers(self, units: Sequence[int]) -> dict[str, float]:
        """The largest errors by column, from the whole numbers of `in_units`; columns without error
        are left out."""
        by_name = zip(self._grids().items(), units, strict=True)
        return {name: count / scale for (name, scale), count in by_name if count}

    def _grids(self) -> dict[str, int]:
        grids = {}
        for name, meta in zip(self.names, self.metas, strict=True):
            if isinstance(meta, NumberMeta) and meta.step > 1:
                grids[name] = int(10**meta.decimals)
        return grids

    def plan(
        self,
        number: int,
        stream: Stream,
        known: Known,
        foreseen: bool,
        planner: planning.Planner,
    ) -> tuple[Plan, rans.U32] | None:
        """(plan, prime) of the model for stream `number`; None if the column is not written as in
        the model, or if in a large block another plan takes fewer bits. foreseen: whether the
        column has the model's meta."""
        if not foreseen or number >= len(self.plans):
            return None
        plan = self.plans[number]
        prime = self.primes[number]
        if known.rows <= planning.SMALL_BLOCK:  # of larger ones an own plan may be smaller
            return plan, prime
        other = planner.plan(stream, number)
        ours = planning.bits_of(plan, stream, known, prime)
        theirs = planning.bits_of(other, stream, known) + 8.0 * len(canonical(other.to_json()))
        return (plan, prime) if ours <= theirs else None


def shared_of(
    model: Bundle,
    names: Sequence[str] | None = None,
    spec: Mapping[str, str] | None = None,
) -> Shared | None:
    """What a model knows of columns; None if it knows nothing. names, spec: if given, None also
    unless the model was made for just these columns and this --max-error."""
    if CODEC not in model.graphs or model.kind != "table":
        return None
    shared = from_bytes(model.graphs[CODEC], model.name)
    if names is not None and list(names) != shared.names:
        return None
    if spec is None or dict(spec) == shared.spec:
        return shared
    return None


# ---- learning


def learn(
    piece: bytes, head: bytes, format: Mapping[str, Json], names: Sequence[str],
    bounds: Mapping[str, Fraction], spec: Mapping[str, str], with_students: bool, seed: int = 0,
) -> Shared | None:  # fmt: skip
    """Learn from a piece of text, whole records of a table, what archives of like tables share;
    None if records differ in their number of fields.

    head: the bytes before the first record; bounds: the largest error by column; spec: the
    --max-error they come from; with_students: whether to train networks that predict streams.
    """
    cells = fields(piece, Rule(format["delimiter"], bool(format.get("space"))))
    if cells.columns != len(names):
        return None
    start = cells.start
    stop = cells.stop
    width = cells.columns
    text = np.frombuffer(piece, np.uint8)
    rows = len(cells)
    shared = Shared(list(names), head.decode("latin-1"), dict(spec), dict(format), [])
    known = Known(rows, predict=shared.students.predict)
    planner = planning.Planner(known, EFFORT, complete=False)
    stillness: list[list[int]] = []
    for j, name in enumerate(names):
        column = text, start[j::width].copy(), stop[j::width].copy()
        meta = textual.encode(*column, None, bounds.get(name)).meta
        shared.metas.append(_foreseeing(meta, *column))
        for stream in textual.encode(*column, shared.metas[-1]).streams:
            _learn_stream(shared, stream, known, planner, with_students, seed)
            usual, counts = _stillness(stream, rows)
            shared.usual.append(usual)
            stillness.append(counts)
    shared.stillness = np.array(stillness, np.uint32).reshape(-1, 3)[:MOST_MARKED]
    return shared


def _stillness(stream: Stream, rows: int) -> tuple[int, list[int]]:
    """(the value that a stream most often has in stretches of STRETCH rows in which it does not
    change; how many stretches are MOVING, USUAL, STILL)."""
    edges = np.arange(0, rows + STRETCH, STRETCH)
    if stream.present is not None:
        edges = np.append(0, np.cumsum(stream.present))[np.minimum(edges, rows)]
    parts = [stream.values[a:b] for a, b in itertools.pairwise(edges.tolist())]
    same = [int(p[0]) for p in parts if len(p) and (p == p[0]).all()]
    usual = max(sorted(set(same)), key=same.count) if same else 0
    counts = np.bincount([integers.stillness(p, usual) for p in parts], minlength=3)
    return usual, counts.tolist()


def _foreseeing(meta: Meta, text: Bytes, start: I32, stop: I32) -> Meta:
    """The meta, changed so that other files' cells fit it, too: with the most frequent cells as
    levels, or with a kind for odd cells."""
    if isinstance(meta, LevelMeta):
        levels = spans.levels(text, start, stop, len(start))
        assert levels is not None
        first, index = levels
        used = np.bincount(index, minlength=len(first))
        rows = first[np.argsort(-used, kind="stable")[:MOST_LEVELS]]
        cells = spans.cells_of(text, start[rows], stop[rows])
        return LevelMeta(levels=tuple(cell.decode("latin-1") for cell in cells))
    if isinstance(meta, PatternMeta):
        return dataclasses.replace(meta, has_rest=True)
    return meta


def _learn_stream(
    shared: Shared,
    stream: Stream,
    known: Known,
    planner: planning.Planner,
    students: bool,
    seed: int,
) -> None:
    number = len(shared.plans)
    plan = planner.plan(stream, number).but(lanes_log=0)
    shared.plans.append(plan)
    r = integers.residuals(plan, stream, known)
    symbols = integers.symbols_of(plan, r)
    if students:
        plan = shared.students.attempt(number, plan, stream, known, planner, MANY, seed)
        shared.plans[number] = plan
    if len(symbols):
        counts = np.bincount(symbols, minlength=plan.bins + 1)
        usual = int(counts.argmax())
        if usual < plan.bins and not plan.widths[usual]:
            plan = plan.but(usual=usual)
            shared.plans[number] = plan
    shared.primes.append(_prime(plan, stream, symbols, known))
    known.add(stream, symbols, plan.bins + 1)


def _prime(plan: Plan, stream: Stream, symbols: integers.U16, known: Known) -> rans.U32:
    """(contexts, alphabet): how often each symbol came in each context; contexts whose counts
    exceed MOST_COUNT are scaled down to it."""
    base, layout = integers.contexts(plan, stream, known, None, symbols)
    counts = np.zeros((layout.size, layout.alphabet), np.float64)
    if len(symbols):
        np.add.at(counts, (rans.contexts_of(symbols, base, layout), symbols), 1)
    most = counts.max(axis=1, keepdims=True)
    scaled = np.where(most > MOST_COUNT, np.ceil(counts * MOST_COUNT / np.maximum(most, 1)), counts)
    return scaled.astype(np.uint32)


# ---- bytes


def to_bytes(shared: Shared) -> bytes:
    """Write what a model knows of columns as the member CODEC of a bundle."""
    arrays, students = to_arrays(shared.students)
    for i, prime in enumerate(shared.primes):
        arrays[f"prime.{i}"] = prime.astype(np.uint16)
    arrays["stillness"] = shared.stillness.astype(np.uint16)
    words = {
        "names": shared.names,
        "head": shared.head,
        "spec": shared.spec,
        "format": shared.format,
        "metas": [meta.to_json() for meta in shared.metas],
        "plans": [plan.to_json() for plan in shared.plans],
        "students": students,
        "usual": shared.usual,
    }
    return packed(arrays, words)


def from_bytes(data: bytes, name: str) -> Shared:
    """Read what `to_bytes` wrote; BundleError if it is damaged, too large, or a student's
    arithmetic cannot be proved exact. name: of the bundle, for messages."""
    with sensible(name):
        return _parse(*unpacked(data))


def _parse(arrays: Mapping[str, Array], words: Json) -> Shared:
    shared = Shared(
        names=[str(name) for name in words["names"]],
        head=str(words["head"]),
        spec=dict(words["spec"]),
        format=dict(words["format"]),
        metas=metas.all_from_json(words["metas"]),
        plans=[Plan.from_json(plan) for plan in words["plans"]],
    )
    if len(shared.metas) != len(shared.names):
        raise ValueError("its columns have not their names")
    shared.primes = [arrays[f"prime.{i}"].astype(np.uint32) for i in range(len(shared.plans))]
    shared.usual = [int(v) for v in words["usual"]]
    shared.stillness = arrays["stillness"].astype(np.uint32)
    if shared.format["newline"] not in ("\n", "\r\n", "\r"):
        raise ValueError("its line end is none")
    marked = min(len(shared.plans), MOST_MARKED)
    if len(shared.usual) != len(shared.plans) or shared.stillness.shape != (marked, 3):
        raise ValueError("what never changes is not said for every stream")
    shared.students = from_arrays(arrays, words["students"])
    return shared
