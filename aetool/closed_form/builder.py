"""The builder that closed forms write their graphs with: values, and arithmetic between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from aetool import graphs
from aetool.columns.schema import Schema
from aetool.graphs import Graph
from aetool.model import Float, Int, Spec

Operand: TypeAlias = "Value | float | npt.ArrayLike"
Operation: TypeAlias = "Callable[[Value, Operand], Value]"


def _operation(kind: str, *, reflected: bool = False) -> Operation:
    """A method of Value that adds the ONNX operator `kind` to the graph. reflected: whether the
    value is the right operand."""

    def method(value: Value, other: Operand) -> Value:
        """The operator applied to the value and another operand."""
        if reflected:
            return value.builder.op(kind, other, value)
        return value.builder.op(kind, value, other)

    return method


class Value:
    """The result of nodes of a graph for a batch of records: (batch, n), float32 unless it is cast.

    Values are added, subtracted, multiplied and divided like arrays, with each other, with arrays
    and with numbers, which are stored as float32; `value @ matrix` is a product, and a comparison
    by `>`, `>=`, `<` or `<=` is a condition for Builder.where, or for Builder.as_number.
    """

    # an array on the left leaves the arithmetic to the value
    __array_ufunc__ = None
    __slots__ = ("builder", "name")

    def __init__(self, builder: Builder, name: str) -> None:
        """The value of this name in the graph that `builder` writes."""
        self.builder = builder
        self.name = name

    __add__ = _operation("Add")
    __radd__ = _operation("Add", reflected=True)
    __sub__ = _operation("Sub")
    __rsub__ = _operation("Sub", reflected=True)
    __mul__ = _operation("Mul")
    __rmul__ = _operation("Mul", reflected=True)
    __truediv__ = _operation("Div")
    __rtruediv__ = _operation("Div", reflected=True)
    __matmul__ = _operation("MatMul")
    __gt__ = _operation("Greater")
    __ge__ = _operation("GreaterOrEqual")
    __lt__ = _operation("Less")
    __le__ = _operation("LessOrEqual")

    def __neg__(self) -> Value:
        """The value with the other sign, element by element."""
        return self.builder.op("Neg", self)


class Builder:
    """Writes what a closed form computes of records, whose features are laid out as `spec` says.

    spec: the layout. rows: how many records a table had that was fitted; 0 where that is not known,
    as for pictures. The first axis of every value is the batch; nothing may mix its records, nor
    ask how many there are. What has no method here is written with `op`: any operator of ONNX that
    does not loop, branch or read files (aetool.runtime.OPERATORS).
    """

    def __init__(
        self,
        graph: Graph,
        spec: Spec,
        schema: Schema | None = None,
        records: str = "",
    ) -> None:
        """A builder that adds to `graph`, which has the features of records already.

        schema: of a table, which tells `rows`, how many records were fitted; or None. records: the
        name of the graph's input of records in user units.
        """
        self.graph = graph
        self.spec = spec
        self.rows = schema.rows if schema else 0
        self._schema = schema
        self._records = records

    def op(self, kind: str, *operands: Operand, **attributes: object) -> Value:
        """Add one operator of ONNX, called `kind` as ONNX calls it, and return its only result;
        arrays and numbers among operands become constants of float32. attributes: the operator's,
        by name."""
        inputs = [self._name_of(operand) for operand in operands]
        result = self.graph.op(kind, *inputs, **attributes)
        return Value(self, result)

    def _name_of(self, operand: Operand) -> str:
        """The name of an operand in the graph; an array or number is stored as a constant of
        float32."""
        # equal constants are stored once
        if isinstance(operand, Value):
            return operand.name
        return self.graph.const(operand)

    def const(self, array: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> Value:
        """A constant, `array`, that is stored in the graph, in its own shape: it has no batch.
        dtype: what it is stored as."""
        name = self.graph.const(array, dtype)
        return Value(self, name)

    def affine(self, x: Value, weight: Float, bias: Float) -> Value:
        """The affine map x weight + bias, (batch, k); x: (batch, n), weight: (n, k), bias: (k,)."""
        return self.op("Gemm", x, weight, bias)

    def relu(self, x: Value) -> Value:
        """The positive part of x, max(x, 0), element by element."""
        return self.op("Relu", x)

    def log(self, x: Value) -> Value:
        """The natural logarithm of x, element by element."""
        return self.op("Log", x)

    def exp(self, x: Value) -> Value:
        """e to the power of x, element by element."""
        return self.op("Exp", x)

    def maximum(self, x: Value, other: Operand) -> Value:
        """The larger of x and `other`, number by number; shapes broadcast as arrays do."""
        return self.op("Max", x, other)

    def minimum(self, x: Value, other: Operand) -> Value:
        """The smaller of x and `other`, number by number; shapes broadcast as arrays do."""
        return self.op("Min", x, other)

    def where(self, condition: Value, x: Operand, other: Operand) -> Value:
        """x where the condition holds, `other` elsewhere, element by element."""
        return self.op("Where", condition, x, other)

    def as_number(self, condition: Value) -> Value:
        """A condition as float32: 1 where it holds, 0 elsewhere; or whole numbers as float32."""
        return self.op("Cast", condition, to=TensorProto.FLOAT)

    def as_index(self, x: Value) -> Value:
        """x, whole numbers in float32, as int64, for `rows_of` and `look_up`."""
        return self.op("Cast", x, to=TensorProto.INT64)

    def side_by_side(self, *values: Value) -> Value:
        """(batch, a + b + ...): values of (batch, a), (batch, b), ... joined side by side."""
        if len(values) == 1:
            return values[0]
        return self.op("Concat", *values, axis=1)

    def columns_of(self, x: Value, index: Sequence[int] | Int) -> Value:
        """(batch, k): the columns of x, (batch, n), whose numbers, from 0, are in index, (k,), in
        its order."""
        name = self.graph.take(x.name, index)
        return Value(self, name)

    def rows_of(self, table: npt.ArrayLike, number: Value) -> Value:
        """Look up a row of a table, (k, n), for each record: (batch, n). number: (batch, 1) int64,
        the index of the row, from 0."""
        # Gather puts the axes of its index first: of (batch, 1) it would make (batch, 1, n)
        one_axis = self.const([-1], np.int64)
        index = self.op("Reshape", number, one_axis)
        return self.op("Gather", np.asarray(table), index, axis=0)

    def look_up(self, table: npt.ArrayLike | Value, index: Value) -> Value:
        """Look up the entries of a table, (k,), whose indices, from 0 to k - 1, are in index,
        (batch, n) int64: (batch, n)."""
        return self.op("Gather", table, index, axis=0)

    def steps(self, x: Value, edges: Float, heights: Float) -> Value:
        """Evaluate a step function for each column, (batch, n): for each number of x, (batch, n),
        the height of the step on which it lies.

        edges: (n, k), ascending for each column, infinite after its last edge. heights: (n, k + 1):
        that below the first edge, that from the first edge on, and so on, as a histogram has them.
        """
        columns, count = edges.shape
        # as many steps as a power of two, so that every halving of them has equal halves
        size = 1 << count.bit_length()
        padded_edges = np.full((columns, size - 1), np.inf)
        padded_edges[:, :count] = edges
        step = self._count_below(x, padded_edges)
        padded_heights = np.zeros((columns, size))
        padded_heights[:, : count + 1] = heights
        # the tables of all columns are stored one behind the other
        first_of_column = np.arange(columns) * size
        place = step + first_of_column
        index = self.as_index(place)
        return self.look_up(padded_heights.ravel(), index)

    def _count_below(self, x: Value, edges: Float) -> Value:
        """For each number of x, (batch, n), how many edges of its column are less than or equal to
        it, found by bisection: (batch, n), whole numbers in float32. edges: (n, 2^m - 1), ascending
        for each column."""
        columns, count = edges.shape
        first_of_column = np.arange(columns) * count
        # counted in float32, which holds such numbers exactly
        below = x * 0.0
        stride = (count + 1) // 2
        while stride:
            # the edge in the middle of those that may still be below
            middle = first_of_column + stride - 1
            index = self.as_index(below + middle)
            edge = self.look_up(edges.ravel(), index)
            is_beyond = self.as_number(x >= edge)
            below = below + is_beyond * float(stride)
            stride //= 2
        return below

    def sum_of(self, x: Value, weight: npt.ArrayLike) -> Value:
        """(batch, 1): the sum of the columns of x, (batch, n), each times its weight, (n,)."""
        # a sum over an axis would round by where a record stands in its batch
        name = graphs.weighed_sum(self.graph, x.name, weight)
        return Value(self, name)

    def largest(self, x: Value) -> Value:
        """(batch, 1): the largest number of each record of x, (batch, n)."""
        axis = self.const([1], np.int64)
        return self.op("ReduceMax", x, axis, keepdims=1)

    def number_of_least(self, x: Value) -> Value:
        """The index, from 0, of the smallest number in each record, (batch, 1) int64; of equal ones
        the first. x: (batch, n)."""
        return self.op("ArgMin", x, axis=1, keepdims=1)

    def numbers_of_least(self, x: Value, count: int) -> Value:
        """The indices, from 0, of the `count` smallest numbers of each record, that of the smallest
        first, (batch, count) int64; of equal numbers the first column. x: (batch, n), n at least
        `count`."""
        name = self.graph.smallest(x.name, count)
        return Value(self, name)

    def nothing(self, x: Value) -> Value:
        """A zero for each record of x, (batch, n), whose first number must be finite: (batch,
        1)."""
        return self.columns_of(x, [0]) * 0.0

    def scored(self, x: Value) -> Value:
        """(batch, features): features x, (batch, features), with 0 in place of those that belong to
        context columns, which are not judged."""
        is_judged = self.spec.owners() >= 0
        return x * is_judged

    def numbers(self, x: Value) -> Value:
        """(batch, numbers): the standardised numbers among features x, (batch, features)."""
        return self.columns_of(x, self.spec.numeric)

    def squared_distances(self, x: Value, rows: Float) -> Value:
        """For each record the squared distance of its features x, (batch, features), to each of
        `rows`, (k, features), which are 0 in context features, without context and less the
        record's own sum of squares, which is the same for all rows: (batch, k)."""
        # |x - r|^2 without |x|^2 is |r|^2 - 2 x r, one product of matrices for all rows
        square = (rows**2).sum(axis=1)
        judged = self.scored(x)
        return self.op("Gemm", judged, rows, square, transB=1, alpha=-2.0)

    def unseen_nats(self) -> Value | None:
        """The cost of cells that the features do not show, (batch, columns), in nats: of a gap
        where training saw none, and of values that stand out by themselves. None for pictures, and
        without a schema."""
        if self._schema is None:
            return None
        name = graphs.unexpected(self.graph, self._schema, self._records)
        return Value(self, name)
