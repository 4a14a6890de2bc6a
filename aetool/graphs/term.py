"""Terms: values of a graph that formulas are written with, as with arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

if TYPE_CHECKING:
    from aetool.graphs.graph import Graph

EQUAL_COLUMNS = 4  # of a matrix, in place of one

Operand: TypeAlias = "Term | npt.ArrayLike"
Operation: TypeAlias = "Callable[[Term, Operand], Term]"
Function: TypeAlias = "Callable[[Term], Term]"
Index: TypeAlias = Sequence[int] | npt.NDArray[np.int64]


def _operation(kind: str, *, reflected: bool = False) -> Operation:
    """Make a method of Term that adds the ONNX operator `kind` of two operands to the graph and
    returns its result. reflected: whether the term is the right operand."""

    def method(term: Term, other: Operand) -> Term:
        """The operator applied to the term and another operand."""
        operands = (other, term) if reflected else (term, other)
        return term.op(kind, *operands)

    return method


def _function(kind: str) -> Function:
    """Make a method of Term that adds the ONNX operator `kind` of one operand to the graph and
    returns its result."""

    def method(term: Term) -> Term:
        """The operator applied to the term."""
        return term.op(kind, term)

    return method


class Term:
    """A value of a graph, by its name: each operation between terms adds a node to the graph.

    Numbers and arrays beside a term become constants of `dtype`, in which it is computed; of a
    condition, which comparisons give, it is the dtype of what is compared. Operators broadcast as
    in ONNX.
    """

    # an array on the left leaves the arithmetic to the term
    __array_ufunc__ = None
    __slots__ = ("dtype", "graph", "name")

    def __init__(self, graph: Graph, name: str, dtype: npt.DTypeLike = np.float32) -> None:
        """Name a value that the graph already has. dtype: of constants beside it."""
        self.graph = graph
        self.name = name
        self.dtype = dtype

    def op(self, kind: str, *operands: Operand, **attributes: object) -> Term:
        """Add one operator of ONNX to the graph, and return its only result, taken to be of the
        term's dtype. kind: such as "Max"; operands: terms, or arrays and numbers, which become
        constants; attributes: by their names in ONNX."""
        # constants among the operands come before the node, in the order of the operands: names are
        # counted, so that another order would be other bytes
        inputs = [self._name_of(operand) for operand in operands]
        result = self.graph.op(kind, *inputs, **attributes)
        return self._named(result)

    def constant(self, value: npt.ArrayLike, dtype: npt.DTypeLike | None = None) -> Term:
        """An array or a number as a constant of the graph, by default of the term's dtype."""
        kind = self.dtype if dtype is None else dtype
        name = self.graph.const(value, kind)
        return Term(self.graph, name, kind)

    def _name_of(self, operand: Operand) -> str:
        """The name of an operand in the graph; an array or number is stored as a constant of the
        term's dtype."""
        if isinstance(operand, Term):
            return operand.name
        # equal constants are stored once
        return self.graph.const(operand, self.dtype)

    def _named(self, name: str) -> Term:
        """The value of the graph with this name, as a term like this one."""
        return Term(self.graph, name, self.dtype)

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
    __and__ = _operation("And")
    __or__ = _operation("Or")
    __neg__ = _function("Neg")
    __abs__ = _function("Abs")

    # == is left alone, as terms are looked for in lists and sets
    equals = _operation("Equal")
    at_least = _operation("Max")
    at_most = _operation("Min")
    exp = _function("Exp")
    log = _function("Log")
    sqrt = _function("Sqrt")
    sign = _function("Sign")
    floor = _function("Floor")
    positive_part = _function("Relu")
    is_nan = _function("IsNaN")

    def clipped(self, least: float, most: float) -> Term:
        """The term, but at least `least` and at most `most`, element by element."""
        return self.op("Clip", self, least, most)

    def choose(self, yes: Operand, no: Operand) -> Term:
        """`yes` where the term, a condition, holds, and `no` elsewhere, element by element."""
        return self.op("Where", self, yes, no)

    def columns(self, index: Index) -> Term:
        """(B, k): the columns of the term, (B, n), whose indices, from 0, are in index, (k,), in
        that order."""
        columns = self.graph.take(self.name, index)
        return self._named(columns)

    def columns_between(self, first: int, end: int) -> Term:
        """(B, end - first): columns first .. end - 1, from 0, of the term, (B, n)."""
        columns = self.graph.columns_between(self.name, first, end)
        return self._named(columns)

    def weighed_sum(self, weight: npt.ArrayLike) -> Term:
        """(B, 1): the sum of the columns of the term, (B, n), each times its weight, (n,).

        A product with a matrix of several equal columns, of which one is kept: sums over rows, and
        products with a single column, round by where a record stands in its batch.
        """
        column = np.asarray(weight)[:, None]
        columns = np.repeat(column, EQUAL_COLUMNS, axis=1)
        products = self @ columns
        return products.columns([0])

    def single(self) -> Term:
        """The term as float32."""
        number = self.graph.cast(self.name, TensorProto.FLOAT)
        return Term(self.graph, number)

    def double(self) -> Term:
        """The term as float64."""
        number = self.graph.cast(self.name, TensorProto.DOUBLE)
        return Term(self.graph, number, np.float64)
