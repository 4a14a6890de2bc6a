"""Rewrites graphs of float64 in float32 alone: each number becomes a pair, its high and its low
part.

Many runtimes know no float64, and a float32 has no room for the seconds since 1970, nor for numbers
whose digits all lie behind a large constant. The sum of a pair has 48 bits, and its arithmetic is
that of error-free transformations: sums by Knuth (TAOCP 4.2.2), products by splitting factors
(Dekker 1971). A runtime that rounds otherwise than IEEE 754 says, or takes sums apart, spoils them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto
from onnx.helper import get_attribute_value, make_node
from onnx.numpy_helper import to_array

from aetool.columns.column import ODD
from aetool.columns.scale import LARGEST
from aetool.errors import BundleError
from aetool.graphs import Graph
from aetool.model import Float

Single = npt.NDArray[np.float32]
ODD_SINGLE = float(np.finfo(np.float32).min)  # what stands for ODD in float32
MOST = 1e30  # stands for what is larger: the products of parts stay within float32
LEAST = 1e-30
SPLIT = 4097.0  # 2^12 + 1: cuts the 24 bits of a float32 in two
ROOTS = 8  # square roots before a logarithm, so that its series is short
TERMS = 8  # of that series
CHOICES = frozenset({"ArgMax", "ArgMin", "TopK"})  # operators that say which number, or of which
LOW = "_low"  # behind the name of an input or output: its low part


class Pair(NamedTuple):
    """A float64 number as two float32 values of a graph: the nearest float32, and the remainder."""

    high: str
    low: str


def wide_kinds(model: onnx.ModelProto) -> frozenset[str]:
    """The kinds of operators of a graph that take or give float64."""
    kinds = _element_types(model)
    wide = set()
    for node in model.graph.node:
        names = [*node.input, *node.output]
        if any(kinds.get(name) == TensorProto.DOUBLE for name in names):
            wide.add(node.op_type)
    return frozenset(wide)


def makes_choices(model: onnx.ModelProto, output: str) -> bool:
    """Whether an output of a graph depends on choices between float32 numbers: the index of the
    least or largest of several, or an index into a table that was computed from them."""
    kinds = _element_types(model)
    needed = {output}
    for node in reversed(model.graph.node):
        if not needed.intersection(node.output):
            continue
        if node.op_type in CHOICES:
            return True
        if node.op_type == "Cast":
            source = kinds.get(node.input[0])
            result = kinds.get(node.output[0])
            if source == TensorProto.FLOAT and result == TensorProto.INT64:
                return True
        needed.update(node.input)
    return False


def narrowed(content: bytes, name: str, low: bool) -> bytes:
    """Rewrite a graph without any float64. low: whether its float64 inputs and outputs become two,
    `x` and `x_low`, or only the high part. BundleError, with the name, where it cannot be
    rewritten."""
    model = onnx.ModelProto.FromString(content)
    return _Narrowing(model, name, low).graph.build(model.graph.name)


def _element_types(model: onnx.ModelProto) -> dict[str, int]:
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    kinds = {}
    for value in [*inferred.value_info, *inferred.input, *inferred.output]:
        kinds[value.name] = value.type.tensor_type.elem_type
    for tensor in inferred.initializer:
        kinds[tensor.name] = tensor.data_type
    return kinds


def _sizes(value: onnx.ValueInfoProto) -> list[int]:
    """The sizes of a value but the first, which is that of the batch."""
    return [size.dim_value for size in value.type.tensor_type.shape.dim][1:]


class Arithmetic:
    """The arithmetic of pairs, as nodes of a graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.zero = graph.const(0.0)

    def constant(self, values: Float, name: str) -> Pair:
        """Store an array of float64 as a constant pair. BundleError for numbers that float32 cannot
        hold."""
        size = np.abs(values)
        # bounds, of values that are clipped
        values = np.where(size == LARGEST, np.sign(values) * MOST, values)
        odd = values == ODD
        size = np.abs(values)
        unsuited = (size > MOST) | (size < LEAST)
        unsuited &= np.isfinite(values)
        unsuited &= (values != 0) & ~odd
        if unsuited.any():
            unsuited_value = float(values[unsuited].flat[0])
            raise BundleError(f"{name}: a constant of {unsuited_value:g} has no room in float32")
        high = np.where(odd, ODD_SINGLE, values).astype(np.float32)
        with np.errstate(invalid="ignore", over="ignore"):
            low = (values - high).astype(np.float32)
        low = np.where(odd | ~np.isfinite(low), np.float32(0), low)
        return Pair(self.graph.const(high), self.graph.const(low))

    def wide(self, single: str) -> Pair:
        """A float32 as a pair whose second part is 0."""
        return Pair(single, self.zero)

    def full(self, pair: Pair) -> str:
        """The low part of a pair, broadcast to the shape of the high part where it is a plain 0."""
        if pair.low != self.zero:
            return pair.low
        op = self.graph.op
        none = op("IsNaN", pair.high)
        return op("Where", none, self.zero, self.zero)

    def each(self, change: Callable[[str], str], pair: Pair) -> Pair:
        """Apply an operator that only moves values, as a transpose does, to both parts."""
        return Pair(change(pair.high), change(pair.low))

    def choice(self, mask: str, yes: Pair, no: Pair) -> Pair:
        """A pair for each element: `yes` where the mask is true, `no` elsewhere."""
        op = self.graph.op
        high = op("Where", mask, yes.high, no.high)
        low = op("Where", mask, yes.low, no.low)
        return Pair(high, low)

    def add(self, a: Pair, b: Pair) -> Pair:
        """The sum of two pairs, a + b."""
        op = self.graph.op
        total, error = self._sum(a.high, b.high)
        lows, rest = self._sum(a.low, b.low)
        error = op("Add", error, lows)
        total, error = self._ordered(total, error)
        error = op("Add", error, rest)
        return Pair(*self._ordered(total, error))

    def negative(self, a: Pair) -> Pair:
        """The negative of a pair, -a."""
        return self.each(lambda part: self.graph.op("Neg", part), a)

    def subtract(self, a: Pair, b: Pair) -> Pair:
        """The difference of two pairs, a - b."""
        return self.add(a, self.negative(b))

    def multiply(self, a: Pair, b: Pair) -> Pair:
        """The product of two pairs, a b."""
        op = self.graph.op
        product, error = self._product(a.high, b.high)
        # the product of both low parts is below the last bit
        first = op("Mul", a.high, b.low)
        second = op("Mul", a.low, b.high)
        crossed = op("Add", first, second)
        error = op("Add", error, crossed)
        return Pair(*self._ordered(product, error))

    def divide(self, a: Pair, b: Pair) -> Pair:
        """The quotient of two pairs, a / b, by long division."""
        op = self.graph.op
        quotient = op("Div", a.high, b.high)
        covered = self.multiply(self.wide(quotient), b)
        rest = self.subtract(a, covered)
        second = op("Div", rest.high, b.high)
        covered = self.multiply(self.wide(second), b)
        rest = self.subtract(rest, covered)
        third = op("Div", rest.high, b.high)
        total, error = self._ordered(quotient, second)
        error = op("Add", error, third)
        return Pair(*self._ordered(total, error))

    def root(self, a: Pair) -> Pair:
        """The square root of a pair: that of the high part, corrected by one step of Newton's
        method."""
        op = self.graph.op
        root = op("Sqrt", a.high)
        single = self.wide(root)
        square = self.multiply(single, single)
        rest = self.subtract(a, square)
        # one step of Newton's
        twice = op("Add", root, root)
        error = op("Div", rest.high, twice)
        return Pair(*self._ordered(root, error))

    def logarithm(self, a: Pair) -> Pair:
        """The natural logarithm of a pair, accurate to its 48 bits: 2^n times that of the root of
        order 2^n, which is 2 artanh((w - 1) / (w + 1)).

        The logarithm that a runtime has is right in 24 bits, which is not enough.
        """
        op = self.graph.op
        const = self.graph.const
        root = a
        for _ in range(ROOTS):
            root = self.root(root)
        unity = self.wide(const(1.0))
        below = self.subtract(root, unity)
        above = self.add(root, unity)
        s = self.divide(below, above)
        square = self.multiply(s, s)
        series = self.constant(np.array(1 / (2 * TERMS - 1)), "")
        for term in range(TERMS - 2, -1, -1):
            series = self.multiply(series, square)
            coefficient = np.array(1 / (2 * term + 1))
            series = self.add(series, self.constant(coefficient, ""))
        scale = const(2.0 ** (ROOTS + 1))
        fine = self.multiply(s, series)
        fine = self.multiply(fine, self.wide(scale))
        # of what is no number, not finite, or nearly nothing, the plain one
        is_some = op("Greater", a.high, const(LEAST))
        is_bounded = op("Less", a.high, const(MOST))
        usual = op("And", is_some, is_bounded)
        plain = op("Log", a.high)
        return self.choice(usual, fine, self.wide(plain))

    def exponential(self, a: Pair) -> Pair:
        """exp a, accurate to 24 bits only, which is enough for values that are shown."""
        op = self.graph.op
        power = op("Exp", a.high)
        rest = op("Mul", power, a.low)
        return Pair(*self._ordered(power, rest))

    def floor(self, a: Pair) -> Pair:
        """The floor of a pair: the largest whole number that is not above it."""
        op = self.graph.op
        high = op("Floor", a.high)
        whole = op("Equal", high, a.high)
        # the low part says more only where the high one is whole
        low = op("Floor", a.low)
        low = op("Where", whole, low, self.zero)
        return Pair(*self._ordered(high, low))

    def size(self, a: Pair) -> Pair:
        """The absolute value of a pair, |a|."""
        below = self.graph.op("Less", a.high, self.zero)
        return self.choice(below, self.negative(a), a)

    def is_less(self, a: Pair, b: Pair) -> str:
        """Whether a < b, for each element of two pairs, as the name of a bool value."""
        op = self.graph.op
        less = op("Less", a.high, b.high)
        equal = op("Equal", a.high, b.high)
        lower = op("Less", a.low, b.low)
        return op("Or", less, op("And", equal, lower))

    def is_greater(self, a: Pair, b: Pair) -> str:
        """Whether a > b, for each element of two pairs, as the name of a bool value."""
        return self.is_less(b, a)

    def is_equal(self, a: Pair, b: Pair) -> str:
        """Whether a = b, for each element of two pairs, as the name of a bool value."""
        op = self.graph.op
        highs = op("Equal", a.high, b.high)
        lows = op("Equal", a.low, b.low)
        return op("And", highs, lows)

    def largest(self, a: Pair, b: Pair) -> Pair:
        """The larger of two pairs, a or b, element by element; NaN wins."""
        op = self.graph.op
        none = op("IsNaN", b.high)
        other = op("Or", self.is_less(a, b), none)
        return self.choice(other, b, a)

    def smallest(self, a: Pair, b: Pair) -> Pair:
        """The smaller of two pairs, a or b, element by element; NaN wins."""
        op = self.graph.op
        none = op("IsNaN", b.high)
        other = op("Or", self.is_less(b, a), none)
        return self.choice(other, b, a)

    def sum_of_middle(self, a: Pair, width: int) -> Pair:
        """Sum over the middle axis: (B, n) from (B, width, n), by adding halves until one is
        left."""
        while width > 1:
            half = width // 2
            first = self._between(a, 0, half)
            second = self._between(a, half, 2 * half)
            total = self.add(first, second)
            if width % 2:
                last = self._between(a, width - 1, width)
                join = functools.partial(self.graph.op, "Concat", axis=1)
                high = join(total.high, last.high)
                low = join(total.low, last.low)
                total = Pair(high, low)
            a = total
            width = half + width % 2
        axis = self.graph.const([1], np.int64)
        return self.each(lambda part: self.graph.op("Squeeze", part, axis), a)

    def _between(self, a: Pair, first: int, end: int) -> Pair:
        return self.each(lambda part: self.graph.columns_between(part, first, end), a)

    def _sum(self, a: str, b: str) -> tuple[str, str]:
        """The sum a + b without error: (s, e), s rounded to float32 and s + e = a + b."""
        op = self.graph.op
        total = op("Add", a, b)
        part = op("Sub", total, a)
        other = op("Sub", total, part)
        first = op("Sub", a, other)
        second = op("Sub", b, part)
        error = op("Add", first, second)
        return total, self._number(error)

    def _ordered(self, large: str, small: str) -> tuple[str, str]:
        """The sum a + b without error, as `_sum` but with fewer operations: (s, e), for `large`
        whose magnitude is at least that of `small`."""
        op = self.graph.op
        small = self._number(small)
        total = op("Add", large, small)
        part = op("Sub", total, large)
        error = op("Sub", small, part)
        return total, self._number(error)

    def _product(self, a: str, b: str) -> tuple[str, str]:
        """The product a b without error: (p, e), p rounded to float32 and p + e = a b."""
        op = self.graph.op
        product = op("Mul", a, b)
        a_high, a_low = self._split(a)
        b_high, b_low = self._split(b)
        error = op("Mul", a_high, b_high)
        error = op("Sub", error, product)
        # in this order each sum is exact
        for left, right in ((a_high, b_low), (a_low, b_high), (a_low, b_low)):
            part = op("Mul", left, right)
            error = op("Add", error, part)
        return product, self._number(error)

    def _split(self, a: str) -> tuple[str, str]:
        """A float32 as the sum of two numbers of twelve bits each, whose products are exact."""
        op = self.graph.op
        factor = self.graph.const(SPLIT)
        raised = op("Mul", a, factor)
        rest = op("Sub", raised, a)
        high = op("Sub", raised, rest)
        low = op("Sub", a, high)
        return high, low

    def _number(self, error: str) -> str:
        """An error of rounding with NaN replaced by 0, as arises where the number itself is
        infinite or NaN. error: the name of its value."""
        op = self.graph.op
        none = op("IsNaN", error)
        return op("Where", none, self.zero, error)


class _Narrowing:
    """A graph being written again, node by node."""

    # which move values about
    MOVES = frozenset("Gather Identity Reshape Flatten Slice Transpose Squeeze Unsqueeze".split())

    def __init__(self, model: onnx.ModelProto, name: str, low: bool) -> None:
        self.graph = Graph()
        self.name = name
        self.pairs: dict[str, Pair] = {}
        self.plain: dict[str, str] = {}  # values that are no float64, and what they are called here
        self.kinds = _element_types(model)
        self.arithmetic = Arithmetic(self.graph)
        self.constants = {t.name: to_array(t) for t in model.graph.initializer}
        for value in model.graph.input:
            self._declare(value, low)
        for node in model.graph.node:
            self._write(node)
        for value in model.graph.output:
            self._give(value, low)

    def _is_wide(self, name: str) -> bool:
        return self.kinds.get(name) == TensorProto.DOUBLE

    def _declare(self, value: onnx.ValueInfoProto, low: bool) -> None:
        kind = value.type.tensor_type.elem_type
        sizes = _sizes(value)
        if kind != TensorProto.DOUBLE:
            self.plain[value.name] = self.graph.input(value.name, kind, sizes)
            return
        high = self.graph.input(value.name, TensorProto.FLOAT, sizes)
        rest = self.arithmetic.zero
        if low:
            rest = self.graph.input(value.name + LOW, TensorProto.FLOAT, sizes)
        self.pairs[value.name] = Pair(high, rest)

    def _give(self, value: onnx.ValueInfoProto, low: bool) -> None:
        kind = value.type.tensor_type.elem_type
        sizes = _sizes(value)
        if kind != TensorProto.DOUBLE:
            self.graph.output(value.name, self.plain[value.name], kind, sizes)
            return
        pair = self.pairs[value.name]
        self.graph.output(value.name, pair.high, TensorProto.FLOAT, sizes)
        if low:
            rest = self.arithmetic.full(pair)
            self.graph.output(value.name + LOW, rest, TensorProto.FLOAT, sizes)

    def _pair(self, name: str) -> Pair:
        if name not in self.pairs:
            self.pairs[name] = self.arithmetic.constant(self.constants[name], self.name)
        return self.pairs[name]

    def _plain(self, name: str) -> str:
        if name and name not in self.plain:
            values = self.constants[name]
            self.plain[name] = self.graph.const(values, values.dtype)
        return self.plain[name] if name else ""

    def _write(self, node: onnx.NodeProto) -> None:
        if not any(self._is_wide(name) for name in [*node.input, *node.output]):
            self._copy(node)
            return
        (result,) = node.output
        written = self._written(node)
        if isinstance(written, Pair):
            self.pairs[result] = written
        else:
            self.plain[result] = written

    def _copy(self, node: onnx.NodeProto) -> None:
        inputs = [self._plain(name) for name in node.input]
        attributes = {a.name: get_attribute_value(a) for a in node.attribute}
        if len(node.output) == 1:
            self.plain[node.output[0]] = self.graph.op(node.op_type, *inputs, **attributes)
            return
        stem = node.op_type.lower()
        outputs = [self.graph.name(stem) for _ in node.output]
        copy = make_node(node.op_type, inputs, outputs, **attributes)
        self.graph.nodes.append(copy)
        self.plain.update(zip(node.output, outputs, strict=True))

    def _written(self, node: onnx.NodeProto) -> Pair | str:
        """Add nodes that compute an operator of float64 on pairs of float32 instead; returns the
        result."""
        attributes = {a.name: get_attribute_value(a) for a in node.attribute}
        kind = node.op_type
        if kind == "Cast":
            return self._cast(node, attributes["to"])
        if kind == "Where":
            mask, yes, no = node.input
            chosen = self._plain(mask)
            return self.arithmetic.choice(chosen, self._pair(yes), self._pair(no))
        if kind in self.MOVES:
            rest = [self._plain(name) for name in node.input[1:]]
            move = functools.partial(self._moved, kind, rest, attributes)
            return self.arithmetic.each(move, self._pair(node.input[0]))
        if kind == "Concat":
            pairs = [self._pair(name) for name in node.input]
            join = functools.partial(self.graph.op, "Concat", **attributes)
            lows = [self.arithmetic.full(pair) for pair in pairs]
            highs = [pair.high for pair in pairs]
            return Pair(join(*highs), join(*lows))
        if kind == "MatMul":
            return self._matrix_product(*node.input)
        return self._computed(kind, [self._pair(name) for name in node.input if name])

    def _moved(self, kind: str, rest: list[str], attributes: dict[str, object], part: str) -> str:
        # a part that is 0 throughout has no places
        if part == self.arithmetic.zero:
            return part
        return self.graph.op(kind, part, *rest, **attributes)

    def _computed(self, kind: str, pairs: list[Pair]) -> Pair | str:
        do = self.arithmetic
        op = self.graph.op
        several: dict[str, Callable[[Pair, Pair], Pair]] = {
            "Add": do.add,
            "Sub": do.subtract,
            "Mul": do.multiply,
            "Div": do.divide,
            "Max": do.largest,
            "Min": do.smallest,
            "Sum": do.add,
        }
        single: dict[str, Callable[[Pair], Pair]] = {
            "Neg": do.negative,
            "Abs": do.size,
            "Sqrt": do.root,
            "Log": do.logarithm,
            "Exp": do.exponential,
            "Floor": do.floor,
        }
        compared: dict[str, Callable[[Pair, Pair], str]] = {
            "Equal": do.is_equal,
            "Less": do.is_less,
            "Greater": do.is_greater,
        }
        if kind in several:
            return functools.reduce(several[kind], pairs)
        if kind in single:
            return single[kind](pairs[0])
        if kind == "Clip":
            value, least, most = pairs
            value = do.choice(do.is_less(value, least), least, value)
            return do.choice(do.is_less(most, value), most, value)
        if kind == "Sign":
            return do.wide(op("Sign", pairs[0].high))
        if kind == "IsNaN":
            return op("IsNaN", pairs[0].high)
        if kind in compared:
            return compared[kind](*pairs)
        raise BundleError(f"{self.name}: {kind} of float64 is not known in float32")

    def _cast(self, node: onnx.NodeProto, to: int) -> Pair | str:
        (source,) = node.input
        if not self._is_wide(source):
            single = self.graph.cast(self._plain(source))
            return self.arithmetic.wide(single)
        if to == TensorProto.DOUBLE:
            return self._pair(source)
        if to != TensorProto.FLOAT:
            raise BundleError(f"{self.name}: a float64 that becomes no float is not known")
        return self._pair(source).high

    def _matrix_product(self, left: str, right: str) -> Pair:
        """The product of two matrices as a pair: (B, n) from (B, k) and a stored (k, n)."""
        if right not in self.constants or self.constants[right].ndim != 2:
            raise BundleError(f"{self.name}: a product of two matrices of float64 is not known")
        weight = self.constants[right]
        last = self.graph.const([2], np.int64)
        column = self.arithmetic.each(
            lambda part: self._moved("Unsqueeze", [last], {}, part), self._pair(left)
        )
        stored = self.arithmetic.constant(weight[None], self.name)
        products = self.arithmetic.multiply(column, stored)
        return self.arithmetic.sum_of_middle(products, len(weight))


def parts_of(values: Float) -> tuple[Single, ...]:
    """(high, low) of inputs in float64, any shape, as a graph of pairs takes them."""
    odd = values == ODD
    bounded = np.clip(values, -MOST, MOST)
    wide = np.where(odd, ODD_SINGLE, bounded)
    wide = np.where(np.isinf(values), values, wide)
    high = wide.astype(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        low = (bounded - high).astype(np.float32)
    exact = odd | ~np.isfinite(low)
    low = np.where(exact, np.float32(0), low)
    return high, low


def spread_is_narrow(spread: float, size: float) -> bool:
    """Whether numbers of this size differ by less than a float32 tells well."""
    return spread < math.ldexp(size, -10)
