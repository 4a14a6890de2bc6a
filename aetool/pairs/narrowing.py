"""A graph written again, node by node, with a pair of float32 in place of each float64."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto
from onnx.helper import get_attribute_value, make_node
from onnx.numpy_helper import to_array

from aetool.errors import BundleError
from aetool.graphs import Graph, Term
from aetool.pairs.arithmetic import Arithmetic, Pair
from aetool.pairs.looking import element_types, sizes_behind_batch

LOW = "_low"  # behind the name of an input or output: its low part
Attributes = dict[str, object]


def narrowed(content: bytes, name: str, low: bool) -> bytes:
    """Rewrite a graph so that it has no float64 left: each float64 value becomes a pair of float32.
    Returns the bytes of the new ONNX file. content: the bytes of the old one. low: whether each
    float64 input and output becomes two, `x` and `x_low`, or only the high part, `x`. BundleError,
    which names `name`, where it cannot be rewritten. onnx.shape_inference.InferenceError for a
    graph whose types or shapes do not fit."""
    model = onnx.ModelProto.FromString(content)
    narrowing = _Narrowing(model, name, low)
    return narrowing.graph.build(model.graph.name)


class _Narrowing:
    """A graph being written again, node by node. BundleError where it cannot be. pairs: for each
    float64 value of the first graph, by its name, the pair here. plain: the names here of all other
    values. low: whether inputs and outputs of float64 become two, or their high part alone; the
    graph is complete once this is made."""

    # the operators that move values about, and compute none: both parts of a pair are moved alike
    MOVES = frozenset(
        (
            "Gather",
            "Identity",
            "Reshape",
            "Flatten",
            "Slice",
            "Transpose",
            "Squeeze",
            "Unsqueeze",
        )
    )

    def __init__(self, model: onnx.ModelProto, name: str, low: bool) -> None:
        """Write the whole graph again, its float64 numbers as pairs of float32. BundleError for an
        operator of float64 that has no form in pairs, or a constant that float32 has no room for.
        model: the first graph; name: its name, for messages; low: whether its float64 inputs and
        outputs become two, or only the high part."""
        self.graph = Graph()
        self.name = name
        self.pairs: dict[str, Pair] = {}
        self.plain: dict[str, str] = {}  # values that are no float64, and what they are called here
        self.kinds = element_types(model)
        self.arithmetic = Arithmetic(self.graph)
        self.constants = {}
        for tensor in model.graph.initializer:
            self.constants[tensor.name] = to_array(tensor)
        # in the order of the first graph, in which each node reads what stands before it
        for value in model.graph.input:
            self._declare_input(value, low)
        for node in model.graph.node:
            self._write(node)
        for value in model.graph.output:
            self._declare_output(value, low)

    def _is_wide(self, name: str) -> bool:
        """Whether a value of the first graph is of float64."""
        return self.kinds.get(name) == TensorProto.DOUBLE

    def _declare_input(self, value: onnx.ValueInfoProto, low: bool) -> None:
        """Add an input of the first graph to this one: one of float64 as a pair, whose low part is
        an input only if `low` is set, and else 0."""
        name = value.name
        kind = value.type.tensor_type.elem_type
        sizes = sizes_behind_batch(value)
        if not self._is_wide(name):
            self.plain[name] = self.graph.input(name, kind, sizes)
            return
        high_part = self._single_input(name, sizes)
        low_part = self.arithmetic.zero
        if low:
            low_part = self._single_input(name + LOW, sizes)
        self.pairs[name] = Pair(high_part, low_part)

    def _single_input(self, name: str, sizes: list[int]) -> Term:
        """Declare an input of float32, (batch, *sizes), and return its value."""
        single = self.graph.input(name, TensorProto.FLOAT, sizes)
        return self.graph.term(single)

    def _declare_output(self, value: onnx.ValueInfoProto, low: bool) -> None:
        """Add an output of the first graph to this one: one of float64 as its high part, and, if
        `low` is set, as the low part with LOW behind its name."""
        name = value.name
        kind = value.type.tensor_type.elem_type
        sizes = sizes_behind_batch(value)
        if not self._is_wide(name):
            self.graph.output(name, self.plain[name], kind, sizes)
            return
        pair = self.pairs[name]
        self.graph.output(name, pair.high.name, TensorProto.FLOAT, sizes)
        if low:
            # an output has a shape, which a plain 0 lacks
            low_part = self.arithmetic.full(pair)
            self.graph.output(
                name + LOW,
                low_part.name,
                TensorProto.FLOAT,
                sizes,
            )

    def _pair(self, name: str) -> Pair:
        """The pair that stands here for a float64 of the first graph, by its name there; constants
        are stored at first use."""
        if name not in self.pairs:
            values = self.constants[name]
            self.pairs[name] = self.arithmetic.constant(values, self.name)
        return self.pairs[name]

    def _plain_name(self, name: str) -> str:
        """The name that a value that is no float64 has in the new graph, by its name in the old
        one, "" for ""; constants are stored there at first use."""
        # an optional input that is left out has no name
        if not name:
            return ""
        if name not in self.plain:
            values = self.constants[name]
            self.plain[name] = self.graph.const(values, values.dtype)
        return self.plain[name]

    def _write(self, node: onnx.NodeProto) -> None:
        """Add to this graph what computes the results of a node of the first one; it is noted in
        `pairs` or `plain`. BundleError for an operator of float64 that has no form here."""
        names = [*node.input, *node.output]
        if not any(self._is_wide(name) for name in names):
            self._copy(node)
            return
        # no operator of float64 that is known here has several results
        (result,) = node.output
        value = self._computed_in_pairs(node)
        if isinstance(value, Pair):
            self.pairs[result] = value
        else:
            self.plain[result] = value.name

    def _copy(self, node: onnx.NodeProto) -> None:
        """Add a node without any float64 to the new graph, with its inputs by their names there,
        and note in `plain` what each of its results is called there."""
        kind = node.op_type
        inputs = [self._plain_name(name) for name in node.input]
        attributes = _attributes(node)
        if len(node.output) == 1:
            (result,) = node.output
            self.plain[result] = self.graph.op(kind, *inputs, **attributes)
            return
        # the graph adds operators of one result by itself, and others as they are
        stem = kind.lower()
        results = [self.graph.name(stem) for _ in node.output]
        copy = make_node(kind, inputs, results, **attributes)  # type: ignore[arg-type]
        self.graph.nodes.append(copy)
        self.plain.update(zip(node.output, results, strict=True))

    def _computed_in_pairs(self, node: onnx.NodeProto) -> Pair | Term:
        """Add nodes that compute an operator of float64 on pairs of float32 instead; returns the
        result. BundleError for an operator that has no form here."""
        kind = node.op_type
        attributes = _attributes(node)
        if kind == "Cast":
            return self._cast(node, attributes["to"])
        if kind == "Where":
            return self._where(*node.input)
        if kind in self.MOVES:
            # the inputs behind the first say where values go: indices, sizes, axes
            moved, *others = node.input
            other_inputs = [self._plain_name(name) for name in others]
            move = functools.partial(self._moved, kind, other_inputs, attributes)
            return self.arithmetic.each(move, self._pair(moved))
        if kind == "Concat":
            return self._concatenated(node, attributes)
        if kind == "MatMul":
            return self._matrix_product(*node.input)
        # a bound that a Clip does without has no name
        pairs = [self._pair(name) for name in node.input if name]
        return self._computed(kind, pairs)

    def _where(self, mask: str, yes: str, no: str) -> Pair:
        """A choice between two float64 values of the first graph: `yes` where `mask` is true, else
        `no`, all three names in that graph."""
        condition = self.graph.term(self._plain_name(mask))
        return self.arithmetic.choice(condition, self._pair(yes), self._pair(no))

    def _concatenated(self, node: onnx.NodeProto, attributes: Attributes) -> Pair:
        """Several float64 values of the first graph, joined along an axis. node: a Concat of the
        first graph; attributes: its own, by name."""
        pairs = [self._pair(name) for name in node.input]
        # a plain 0 has no places, so that it cannot stand beside others
        lows = [self.arithmetic.full(pair) for pair in pairs]
        highs = [pair.high for pair in pairs]
        high = highs[0].op("Concat", *highs, **attributes)
        low = lows[0].op("Concat", *lows, **attributes)
        return Pair(high, low)

    def _moved(
        self,
        kind: str,
        other_inputs: list[str],
        attributes: Attributes,
        part: Term,
    ) -> Term:
        """A part of a pair, moved by an operator of this kind, one of MOVES, such as "Transpose",
        whose inputs behind the first are other_inputs (names here); a part that is the plain 0
        stays as it is."""
        # a part that is 0 throughout has no places
        if self.arithmetic.is_zero(part):
            return part
        moved = self.graph.op(kind, part.name, *other_inputs, **attributes)
        return self.graph.term(moved)

    def _computed(self, kind: str, pairs: list[Pair]) -> Pair | Term:
        """Add nodes that compute an operator element by element; returns the result: a pair, or of
        comparisons and IsNaN a single value. kind: such as "Add"; pairs: its operands. BundleError
        for an operator that is not known, or a Clip without both bounds."""
        arithmetic = self.arithmetic
        of_two_pairs: dict[str, Callable[[Pair, Pair], Pair]] = {
            "Add": arithmetic.add,
            "Sub": arithmetic.subtract,
            "Mul": arithmetic.multiply,
            "Div": arithmetic.divide,
            "Max": arithmetic.largest,
            "Min": arithmetic.smallest,
            "Sum": arithmetic.add,
        }
        of_one_pair: dict[str, Callable[[Pair], Pair]] = {
            "Neg": arithmetic.negative,
            "Abs": arithmetic.size,
            "Sqrt": arithmetic.root,
            "Log": arithmetic.logarithm,
            "Exp": arithmetic.exponential,
            "Floor": arithmetic.floor,
        }
        comparisons: dict[str, Callable[[Pair, Pair], Term]] = {
            "Equal": arithmetic.is_equal,
            "Less": arithmetic.is_less,
            "Greater": arithmetic.is_greater,
            "LessOrEqual": arithmetic.is_at_most,
            "GreaterOrEqual": arithmetic.is_at_least,
        }
        if kind in of_two_pairs:
            return functools.reduce(of_two_pairs[kind], pairs)
        if kind in of_one_pair:
            return of_one_pair[kind](pairs[0])
        if kind in comparisons:
            return comparisons[kind](*pairs)
        # of one bound alone nobody could tell here whether it is the least or the most
        if kind == "Clip" and len(pairs) < 3:
            raise BundleError(f"{self.name}: Clip of float64 without both bounds is not known here")
        if kind == "Clip":
            return self._clipped(*pairs)
        # both are of the high part alone: the low one is smaller, and a number where that is one
        if kind == "Sign":
            return arithmetic.wide(pairs[0].high.sign())
        if kind == "IsNaN":
            return pairs[0].high.is_nan()
        raise BundleError(f"{self.name}: {kind} of float64 is not known in float32")

    def _clipped(self, value: Pair, least: Pair, most: Pair) -> Pair:
        """A value brought within least .. most; what is no number (NaN) stays so."""
        arithmetic = self.arithmetic
        is_below = arithmetic.is_less(value, least)
        value = arithmetic.choice(is_below, least, value)
        is_above = arithmetic.is_less(most, value)
        return arithmetic.choice(is_above, most, value)

    def _cast(self, node: onnx.NodeProto, to: object) -> Pair | Term:
        """Write a Cast node of the graph anew, where float64 numbers are pairs of float32. Of a
        float64: the pair itself if it stays one, its high part if it becomes float32, BundleError
        for any other type `to`. Of any other type, which then becomes float64 whatever `to` says: a
        pair of its nearest float32 and a low part of 0, so that whole numbers beyond 2^24 are
        rounded, as a float64 would not."""
        (source,) = node.input
        if not self._is_wide(source):
            # a narrower number becomes a float64: its low part is 0
            single = self.graph.cast(self._plain_name(source))
            high_part = self.graph.term(single)
            return self.arithmetic.wide(high_part)
        pair = self._pair(source)
        if to == TensorProto.DOUBLE:
            return pair
        if to != TensorProto.FLOAT:
            raise BundleError(f"{self.name}: a float64 that becomes no float is not known")
        # the high part is the nearest float32 already
        return pair.high

    def _matrix_product(self, left: str, right: str) -> Pair:
        """Add nodes for the product of two matrices of float64, and return it as a pair, (B, n).
        left, right: the names in the first graph of a value (B, k) and of a stored matrix (k, n).
        BundleError if the right one is no stored matrix, or has a finite number above 1e30, or
        below 1e-30 and not 0, in size."""
        weight = self.constants.get(right)
        if weight is None or weight.ndim != 2:
            raise BundleError(f"{self.name}: a product of two matrices of float64 is not known")
        # (B, k, 1) times (1, k, n), then summed over k: pairs know no product of matrices
        last_axis = self.graph.const([2], np.int64)
        unsqueeze = functools.partial(
            self._moved,
            "Unsqueeze",
            [last_axis],
            {},
        )
        column = self.arithmetic.each(unsqueeze, self._pair(left))
        stored_weight = self.arithmetic.constant(weight[None], self.name)
        products = self.arithmetic.multiply(column, stored_weight)
        return self.arithmetic.sum_of_middle(products, len(weight))


def _attributes(node: onnx.NodeProto) -> Attributes:
    """The attributes of a node, by their names, as Python's numbers, bytes, lists and tensors."""
    attributes: Attributes = {}
    for attribute in node.attribute:
        attributes[attribute.name] = get_attribute_value(attribute)
    return attributes
