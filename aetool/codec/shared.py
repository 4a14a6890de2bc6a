"""Knowledge of a table's columns that a model shares with archives of many small files: how each
column is written, plans, counts to begin with, and students where they pay.

In a bundle it is the member `codec.safetensors.xz`: arrays, and a JSON of everything else in the
safetensors metadata, compressed as a whole. If that is for archives within a bound, what exact ones
share is the member `exact.safetensors.xz`, of the same form.
"""

from __future__ import annotations

import dataclasses
import enum
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from aetool.bundle import CODEC, EXACT, Bundle
from aetool.canonical import Json, canonical
from aetool.codec import integers, metas, planning, rans, transforms
from aetool.codec.foreseeing import counts_of, encoded, meta_for
from aetool.codec.metas import Meta, NumberMeta
from aetool.codec.packing import errors_as_damage, packed, unpacked
from aetool.codec.plans import Plan
from aetool.codec.streams import Known, Stream
from aetool.codec.students import Students, from_arrays, to_arrays
from aetool.codec.text_cells import TextCells
from aetool.csv.fields import Rule, fields
from aetool.model import Array

EFFORT = dataclasses.replace(
    planning.BEST,
    cells=1 << 14,
    repeats=(),
    bins=96,
    sample=32768,
    block=16 << 20,
)
LINE_ENDS = ("\n", "\r\n", "\r")
STRETCH = 1000  # rows, as a small file may have
MOST_MARKED = 1 << 16
MANY = 8  # a shared model is for this many times the rows it was learned from, at least
FEW = 150  # rows of a block that has no room for plans of its own
DEFLATED = 0.7  # of its bytes a plan's description takes, among others like it


def _no_marks() -> rans.U32:
    """Make an empty array, (0, 3) uint32: the `stillness` of a model that knows no streams yet."""
    return np.zeros((0, 3), np.uint32)


class Likeness(enum.Enum):
    """How a column of a block is written, compared with the model's column at the same place. NONE:
    in another way, so that its streams mean other things; LIKE: by streams of the same kinds, but
    numbers on another grid, or a column before it is so written; SAME: it and all before it are
    written as in the model."""

    NONE = 0
    LIKE = 1
    SAME = 2


@dataclass(eq=False)
class Shared:
    """Knowledge of the columns of many small tables, which a model stores so that their archives
    need not.

    names, head, format: the column names, the bytes before the first record in latin-1, and how the
    text is written. spec: the --max-error it was learned for, by column name. metas: how each
    column is stored. Of each stream, a column of whole numbers that some column is stored as:
    plans: how it is coded; primes: (contexts, alphabet), counts that its tables begin with; usual:
    the value that it has where it never changes; stillness: (streams, 3), how many stretches of
    rows were MOVING (several values), USUAL (that one), STILL (another one). students: networks
    that predict some streams.
    """

    names: list[str]
    head: str
    spec: dict[str, str]
    format: dict[str, Json]
    metas: list[Meta]
    plans: list[Plan] = field(default_factory=list)
    primes: list[rans.U32] = field(default_factory=list)
    usual: list[int] = field(default_factory=list)
    stillness: rans.U32 = field(default_factory=_no_marks)
    students: Students = field(default_factory=Students)

    @property
    def nothing(self) -> list[None]:
        """A list of None, one for each column of the model: what a block stores of its columns'
        metas if all are as in the model."""
        return [None] * len(self.metas)

    def likeness(self, place: int, meta: Meta) -> Likeness:
        """Compare how a column with this meta is written with the model's column at this place,
        from 0; columns before it do not count here. IndexError for a place that the model has no
        column at."""
        foreseen = self.metas[place]
        if meta == foreseen:
            return Likeness.SAME
        if isinstance(meta, NumberMeta) and isinstance(foreseen, NumberMeta):
            on_its_grid = dataclasses.replace(
                meta, decimals=foreseen.decimals, forms=foreseen.forms, step=foreseen.step
            )
            # a kind for each form stands in the streams
            if on_its_grid == foreseen and len(meta.forms) == len(foreseen.forms):
                return Likeness.LIKE
        return Likeness.NONE

    def in_units(self, errors: Mapping[str, float]) -> list[int] | None:
        """Turn the largest errors, by column name, into whole numbers, error * 10^decimals, one for
        each column on a grid (whose numbers are rounded to multiples of a step), in the order of
        columns, 0 for one that has no error; None if `in_numbers` would not give the errors back
        exactly, as where a column on no grid has one."""
        units = []
        for name, scale in self._grids().items():
            error = errors.get(name, 0.0)
            units.append(round(error * scale))
        # an error of a column on no grid has no unit, and one between units would be rounded
        errors_made = {name: error for name, error in errors.items() if error}
        if self.in_numbers(units) != errors_made:
            return None
        return units

    def in_numbers(self, units: Sequence[int]) -> dict[str, float]:
        """The inverse of `in_units`: the largest error of each column by its name; columns without
        error are left out. ValueError unless there are as many numbers as columns on a grid."""
        errors = {}
        grids = self._grids()
        for name, count in zip(grids, units, strict=True):
            if count:
                errors[name] = count / grids[name]
        return errors

    def _grids(self) -> dict[str, int]:
        """For each column whose numbers are rounded to a grid, by its name, 10^decimals: the units
        that make 1."""
        grids = {}
        for name, meta in zip(self.names, self.metas, strict=True):
            # a step of one unit rounds nothing
            if isinstance(meta, NumberMeta) and meta.step > 1:
                grids[name] = int(10**meta.decimals)
        return grids

    def plan(
        self,
        number: int,
        stream: Stream,
        known: Known,
        likeness: Likeness,
        planner: planning.Planner,
    ) -> tuple[Plan, rans.U32] | None:
        """The model's plan for stream `number`, from 0, with the counts that its tables begin with,
        (plan, prime), if it suits the block; None if the column is not written as in the model, if
        the model has no such stream, or if another plan takes fewer bits, which is tried in a block
        of more than FEW (150) rows, or where columns are not just as in the model. known: the
        streams before it; likeness: how the column is written; planner: of the block, asked for
        that other plan."""
        if likeness is Likeness.NONE or number >= len(self.plans):
            return None
        plan = self.plans[number]
        prime = self.primes[number]
        # a small block has no room for a plan of its own
        if likeness is Likeness.SAME and known.rows <= FEW:
            return plan, prime
        bits = planning.bits_of(plan, stream, known, prime)
        other = planner.plan(stream, number)
        description = canonical(other.to_json())
        # the model's plan is described in the model, any other in the block
        bits_of_other = planning.bits_of(other, stream, known)
        bits_of_other += DEFLATED * 8.0 * len(description)
        if bits > bits_of_other:
            return None
        return plan, prime


def shared_of(model: Bundle, is_bounded: bool = False) -> Shared | None:
    """The knowledge of columns that a model stores for archives of tables; None if it has none, or
    is of other data than tables. is_bounded: whether for archives within --max-error; else for
    exact ones. A model that has learned for only one of them gives that for both: its `spec` says
    which. BundleError if what it stores is damaged."""
    if model.kind != "table":
        return None
    member = CODEC
    # beside the one for a bound there may be one of its own for exact archives
    if not is_bounded and EXACT in model.graphs:
        member = EXACT
    if member not in model.graphs:
        return None
    return from_bytes(model.graphs[member], model.name)


# ---- learning


def learn(
    piece: bytes,
    head: bytes,
    format: Mapping[str, Json],
    names: Sequence[str],
    bounds: Mapping[str, Fraction],
    spec: Mapping[str, str],
    with_students: bool,
    seed: int = 0,
    decimal_marks: Mapping[str, str] | None = None,
) -> Shared | None:
    """Learn from a piece of text, some records of a table, none cut, what archives of like tables
    share; None if not every record has as many fields as there are names.

    head: the bytes before the first record; format: how the text is written: "delimiter", "newline"
    and, if blanks around it are skipped, "space"; names: of the columns; bounds: the largest error
    by column name, in the column's unit; spec: the --max-error they come from; with_students:
    whether to train networks that predict streams; seed: of these. decimal_marks: by name those of
    columns whose own cells do not tell theirs, None for none. BundleError for a network whose sums
    might grow too large to be exact; DataError for a piece of 2^31 - 1 bytes or more.
    """
    has_spaces = bool(format.get("space"))
    rule = Rule(format["delimiter"], has_spaces)
    cells = fields(piece, rule)
    width = cells.columns
    if width != len(names):
        return None
    text = np.frombuffer(piece, np.uint8)
    rows = len(cells)
    shared = Shared(
        names=list(names),
        head=head.decode("latin-1"),
        spec=dict(spec),
        format=dict(format),
        metas=[],
    )
    known = Known(rows, predict=shared.students.predict)
    # other tables have values that lie in none of the bins found here
    planner = planning.Planner(known, EFFORT, complete=False)
    stillness: list[list[int]] = []
    for place, name in enumerate(names):
        start = cells.start[place::width].copy()
        stop = cells.stop[place::width].copy()
        # how it is written comes first, as its streams follow from that
        column = TextCells(text, start, stop)
        bound = bounds.get(name)
        mark = (decimal_marks or {}).get(name)
        meta = meta_for(column, bound, EFFORT, mark)
        shared.metas.append(meta)
        for stream in encoded(column, meta, bound, mark).streams:
            _learn_stream(shared, stream, known, planner, with_students, seed)
            usual, counts = _stillness(stream, rows)
            shared.usual.append(usual)
            stillness.append(counts)
    marks = np.array(stillness, np.uint32)
    shared.stillness = marks.reshape(-1, 3)[:MOST_MARKED]
    return shared


def _stillness(stream: Stream, rows: int) -> tuple[int, list[int]]:
    """How often a stream does not change within stretches of STRETCH (1,000) rows, the last one
    shorter: (the value that it most often has where it does not, 0 if it always changes; how many
    stretches are MOVING, of several values, USUAL, of that value or none, and STILL, of another
    one). rows: of the table; the stream may have values in some of them alone."""
    edges = np.arange(0, rows + STRETCH, STRETCH)
    if stream.present is not None:
        # how many values there are before each row
        before = np.append(0, np.cumsum(stream.present))
        edges = before[np.minimum(edges, rows)]
    stretches = []
    # the values of stretches that have but one
    constants: list[int] = []
    for first, last in itertools.pairwise(edges.tolist()):
        stretch = stream.values[first:last]
        stretches.append(stretch)
        if len(stretch) and (stretch == stretch[0]).all():
            constants.append(int(stretch[0]))
    usual = 0
    if constants:
        ascending = sorted(set(constants))
        # of equally frequent ones the least, on every machine
        usual = max(ascending, key=constants.count)
    marks = [integers.stillness(stretch, usual) for stretch in stretches]
    counts = np.bincount(marks, minlength=3)
    return usual, counts.tolist()


def _learn_stream(
    shared: Shared,
    stream: Stream,
    known: Known,
    planner: planning.Planner,
    with_students: bool,
    seed: int,
) -> None:
    """Learn the next stream: add its plan and counts to `shared`, and the stream to `known`, in
    place. The plan is of one lane, and names the stream's commonest symbol as its usual one, if
    that has no bits of its own. planner: of the same `known`; with_students: whether to train a
    network that predicts the stream, by `seed`, which is kept if it pays; BundleError for a network
    whose sums might grow too large to be exact."""
    number = len(shared.plans)
    plan = planner.plan(stream, number)
    # small files are coded in one lane
    plan = plan.but(lanes_log=0)
    shared.plans.append(plan)
    residuals = transforms.residuals(plan, stream, known)
    symbols = integers.symbols_of(plan, residuals)
    if with_students:
        plan = shared.students.attempt(
            number,
            plan,
            stream,
            known,
            planner,
            MANY,
            seed,
        )
    if len(symbols):
        counts = np.bincount(symbols, minlength=plan.bins + 1)
        usual = int(counts.argmax())
        # a symbol with bits of its own is never left out
        if usual < plan.bins and not plan.widths[usual]:
            plan = plan.but(usual=usual)
    shared.plans[number] = plan
    shared.primes.append(counts_of(plan, stream, symbols, known))
    known.add(stream, symbols, plan.bins + 1)


# ---- bytes


def to_bytes(shared: Shared) -> bytes:
    """Write `shared`, what a model knows of columns, as a member of a bundle, CODEC or EXACT;
    `from_bytes` reads it. Counts are written in 16 bits."""
    arrays, students = to_arrays(shared.students)
    for number, prime in enumerate(shared.primes):
        # a count is at most MOST_COUNT
        arrays[f"prime.{number}"] = prime.astype(np.uint16)
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
    """Read what `to_bytes` wrote of columns; BundleError if it is damaged, restores more than
    packing.MAX_PACKED (2^28) bytes, or a student's arithmetic cannot be proved exact. name: of the
    bundle, for messages."""
    with errors_as_damage(name):
        arrays, words = unpacked(data)
        return _parse(arrays, words)


def _parse(arrays: Mapping[str, Array], words: Json) -> Shared:
    """Make a Shared, what a model knows of columns, from its stored arrays, by name, and JSON, as
    `to_bytes` has them. ValueError, KeyError, TypeError, IndexError, ArchiveError or BundleError
    where these do not fit together: to be called within `errors_as_damage`."""
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
    for number in range(len(shared.plans)):
        prime = arrays[f"prime.{number}"]
        shared.primes.append(prime.astype(np.uint32))
    shared.usual = [int(value) for value in words["usual"]]
    shared.stillness = arrays["stillness"].astype(np.uint32)
    if shared.format["newline"] not in LINE_ENDS:
        raise ValueError("its line end is none")
    streams = len(shared.plans)
    # streams beyond so many have no marks
    shape = (min(streams, MOST_MARKED), 3)
    if len(shared.usual) != streams or shared.stillness.shape != shape:
        raise ValueError("what never changes is not said for every stream")
    # a writer would else make archives of them that its reader refuses
    if not all(map(rans.is_prime_in_range, (*shared.primes, shared.stillness))):
        raise ValueError("its tables begin with counts that are out of range")
    shared.students = from_arrays(arrays, words["students"])
    return shared
