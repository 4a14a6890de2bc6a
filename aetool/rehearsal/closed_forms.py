"""Dry run of an author's closed form: it is fitted to a few rows, and the graphs that it writes are
run on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from onnx import TensorProto

from aetool.closed_form import Builder, ClosedForm, Features, Solution, Value, evaluated
from aetool.closed_form.builder import Operand
from aetool.errors import AetoolError, DataError
from aetool.graphs import Graph
from aetool.model import Float, Spec
from aetool.rehearsal import examples
from aetool.rehearsal.faults import Author, first_line, guarded, kind_of
from aetool.runtime import OPERATORS

ROWS, BATCH = 24, 16  # that it is fitted to, in batches of so many
SEED = 5

CALLS = {"__init__": 2, "fit": 1}
# what a solution writes: how many arguments each member is called with
WRITES = {
    "encode": 2,
    "decode": 2,
    "expected": 2,
    "parts": 2,
    "bits": 2,
    "surprise": 2,
    "without": 1,
}
DRAWN = ("codes", "normal")
FLAWS = "look for a division by 0, or the log of it"


class _RepeatableBatches:
    """Batches of rows that can be iterated more than once; afterwards `batches`, arrays (up to 16,
    features), show whether an author's fit has changed them."""

    def __init__(self, rows: Features) -> None:
        """Cut rows, (n, features), into batches of 16, the last perhaps shorter, which share their
        memory."""
        self.batches = [rows[i : i + BATCH] for i in range(0, len(rows), BATCH)]

    def __iter__(self) -> Iterator[Features]:
        """Iterate over the batches, from the first."""
        return iter(self.batches)


def rehearse(author: Author, params: object, spec: Spec) -> None:
    """Fit an author's closed form on a few random rows and write its graphs; PluginError if either
    fails, or gives other values than wanted. A fit that raises DataError, as data of this layout do
    not suit it, passes."""
    author.check_names()
    author.check_calls(CALLS)
    if not author.wrote("fit"):
        raise author.fault("fit", "is not there: a ClosedForm must have fit(batches)")
    rows = examples.records(spec, ROWS, SEED).reshape(ROWS, -1)
    batches = _RepeatableBatches(rows.copy())

    def fit() -> Solution:
        """Fit a new closed form of the author's to the batches."""
        form: ClosedForm = author.author_class(spec, params)
        return form.fit(batches)

    # twice: the same rows must give the same solution, which is compared at the end
    try:
        first, second = (guarded(author, "fit", fit) for _ in range(2))
    except AetoolError as error:
        if isinstance(error, DataError):
            return  # it does not take data of this layout, and says so itself
        raise
    if not np.array_equal(np.concatenate(batches.batches), rows):
        raise author.fault("fit", "changed the batches in place; work on a copy: x = batch.copy()")
    if not isinstance(first, Solution):
        raise author.fault(
            "fit", f"returned {kind_of(first)}; wanted is a Solution: derive what is returned from "
            "aetool.closed_form.Solution",
        )  # fmt: skip
    author_of_solution = Author(author.model, type(first), Solution)
    author_of_solution.check_names()
    author_of_solution.check_calls(WRITES)
    if first.drawn not in DRAWN:
        raise author.fault("fit", f"returned drawn={first.drawn!r}; it must be one of {DRAWN}")
    if not (author_of_solution.wrote("parts") or author_of_solution.wrote("bits")):
        _check_arrays_of_costs(author, spec, first)
    _GraphsOfSolution(author_of_solution, spec, first, rows).check()
    if _bits(author_of_solution, spec, first, rows) != _bits(
        author_of_solution, spec, second, rows
    ):
        raise author.fault(
            "fit", "returned two solutions for the same rows; draw from numpy.random.default_rng(0)"
        )


def _check_arrays_of_costs(author: Author, spec: Spec, solution: Solution) -> None:
    """Check that the solution has the arrays from which the usual cost of each column is computed:
    deviation, (numbers,), and prior, (features,). PluginError if one is not there or has another
    shape."""
    sizes = {"deviation": len(spec.numeric), "prior": spec.features}
    for name, size in sizes.items():
        values = np.asarray(getattr(solution, name, None))
        if values.shape != (size,):
            lacks = f"of shape {values.shape}" if hasattr(solution, name) else "not there"
            raise author.fault(
                "fit", f"returned a {type(solution).__name__} whose {name} is {lacks}; wanted is "
                f"({size},), or parts of its own",
            )  # fmt: skip


class _CheckingBuilder(Builder):
    """A builder of graphs that checks every operator and its shapes at the line where the author
    writes it."""

    def op(self, kind: str, *operands: Operand, **attributes: object) -> Value:
        """Add an operator of ONNX, by its kind, to the graph and return its result; ValueError for
        one that a graph may not have, or that cannot take operands of these shapes."""
        if kind not in OPERATORS:
            raise ValueError(f"{kind} is no operator that a graph may have")
        value = super().op(kind, *operands, **attributes)
        try:
            self.graph.shape_of(value.name)
        except AetoolError:
            shapes = " and ".join(self._shape_of(operand) for operand in operands)
            raise ValueError(f"{kind} cannot take {shapes}") from None
        return value

    def _shape_of(self, operand: Operand) -> str:
        """The shape of an operand as text, such as "(batch, 3)". operand: a Value, or an array or
        number."""
        if not isinstance(operand, Value):
            return str(np.shape(operand))
        sizes = self.graph.shape_of(operand.name)
        return f"({', '.join('batch' if size is None else str(size) for size in sizes)})"


class _GraphsOfSolution:
    """The graphs that a solution writes, compiled when they are checked, and the rows, (n,
    features), to run them on. author: of the solution's class."""

    def __init__(self, author: Author, spec: Spec, solution: Solution, rows: Features) -> None:
        """Take the solution and the rows, (n, features); nothing is compiled yet. author: of the
        solution's class; spec: the layout of the rows."""
        self.author = author
        self.spec = spec
        self.solution = solution
        self.rows = rows

    def check(self) -> None:
        """Check that every member of the solution writes finite values of the right shape.
        PluginError for the first that does not, and for a row whose result depends on the rows
        beside it."""
        features = self.spec.features
        columns = len(self.spec.columns)
        if self.solution.coded:
            self._check_code(features)
        elif not self.author.wrote("expected"):
            raise self.author.fault(
                "expected", "is not there: write encode and decode, or, without a code, expected"
            )
        self._checked_values("expected", self.rows, features, "features")
        if not self.author.wrote("bits"):
            self._checked_values("parts", self.rows, columns + 1, "columns + 1")
        bits = self._checked_values("bits", self.rows, columns + 1, "columns + 1")
        if self.author.wrote("surprise"):
            self._check_surprise(columns)
        # the same row, alone and among others
        alone = self._values_of_graph("bits", self.rows[:1])
        if not np.array_equal(bits[:1], alone):
            raise self.author.fault(
                self._member_to_name("bits", "parts", "expected"),
                "gives another result for a row alone than beside other rows; no statistic of the "
                "batch belongs in it",
            )

    def _check_code(self, features: int) -> None:
        """Check the graphs of encode and decode; PluginError if their values are not finite, of
        another shape, or the same code for all rows. features: how many features a row has."""
        codes = self._checked_values("encode", self.rows, None, "size of the code")
        if bool((codes == codes[:1]).all()):
            raise self.author.fault(
                "encode", f"returned one code for {ROWS} different rows; a code must tell rows "
                "apart: is it cut off, or multiplied by 0?",
            )  # fmt: skip
        self._checked_values("decode", codes, features, "features")

    def _check_surprise(self, columns: int) -> None:
        """Check the graph of surprise, a number for each column, unless surprise returns None;
        PluginError if its values are not finite, or of another shape. columns: how many there
        are."""
        call = self.solution.surprise
        graph = Graph()
        builder = Builder(graph, self.spec)
        x = Value(builder, graph.input("x", TensorProto.FLOAT, [self.spec.features]))
        # that the parts say it may depend on what was fitted
        if guarded(self.author, "surprise", lambda: call(builder, x)) is not None:
            self._checked_values("surprise", self.rows, columns, "columns")

    def _member_to_name(self, *members: str) -> str:
        """Which of these members a message should name: the first that the author's class defines
        itself, or else the first of all."""
        return next((m for m in members if self.author.wrote(m)), members[0])

    def _checked_values(
        self, member: str, rows: Features | Float, width: int | None, words: str
    ) -> Float:
        """Run the graph of a member of the solution, a method by name, on rows, (n, features);
        returns its values, (n, width), or of any shape if width is None. PluginError unless they
        are finite and of this shape. words: what they are called in errors."""
        values = self._values_of_graph(member, rows)
        if width is not None and values.shape != (len(rows), width):
            raise self.author.fault(
                member, f"returned shape {values.shape}; wanted is {(len(rows), width)}: (batch, "
                f"{words})",
            )  # fmt: skip
        if not np.isfinite(values).all():
            raise self.author.fault(
                member, f"returned values that are not finite (nan or inf); {FLAWS}"
            )
        return values

    def _values_of_graph(self, member: str, rows: Features | Float) -> Float:
        """The values that the graph of a member of the solution, a method by name, has for rows,
        (n, features). PluginError where it returns no Value, or cannot be made a graph. The values
        are (n, ...) float64."""
        call: Callable[[Builder, Value], Value] = getattr(self.solution, member)

        def value_of_member(g: Builder, x: Value) -> Value:
            """The value that the member returns for x; PluginError if it fails or returns something
            else."""
            value = guarded(self.author, member, lambda: call(g, x))
            if not isinstance(value, Value):
                raise self.author.fault(
                    member, f"returned {kind_of(value)}; wanted is a Value, as the builder makes "
                    "them of its argument: for an array that is the same for every row, "
                    "x * 0 + array",
                )  # fmt: skip
            return value

        try:
            return evaluated(value_of_member, self.spec, rows)
        except AetoolError as error:
            if str(error).startswith(f"{self.author.model.name}: "):
                raise
            self._find_misfit(call, rows.shape[1], member)
            reason = first_line(error)
            raise self.author.fault(member, f"cannot be made a graph: {reason}") from error

    def _find_misfit(
        self,
        call: Callable[[Builder, Value], Value],
        width: int,
        member: str,
    ) -> None:
        """Raise PluginError with the author's line at which shapes do not fit, if that is why the
        graph of a member fails; else do nothing. call: the member, a method of the solution; width:
        features of a row."""
        graph = Graph()
        builder = _CheckingBuilder(graph, self.spec)
        x = graph.input("x", TensorProto.FLOAT, [width])
        guarded(self.author, member, lambda: call(builder, Value(builder, x)))


def _bits(author: Author, spec: Spec, solution: Solution, rows: Features) -> bytes:
    """The costs of rows' columns, what the member bits gives, as bytes, so that the results of two
    runs can be compared bit by bit."""
    return _GraphsOfSolution(author, spec, solution, rows)._values_of_graph("bits", rows).tobytes()
