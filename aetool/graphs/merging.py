"""Graphs of one form, written once: each record is computed with the constants of its own graph.

The score that is fair to fitted rows is several models, fitted without a fold of the rows each.
They are one computation with other constants. To write it as often as there are models takes as
many times the nodes, each of which costs time when the graph is opened and when it is run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from aetool.graphs.graph import Graph
from aetool.model import RECORD_AXES, Array

# computed number by number, whether an operand is (n,) or (batch, n)
ELEMENTWISE = frozenset(
    "Add Sub Mul Div Max Min Sum Where Less LessOrEqual Greater GreaterOrEqual Equal And Or "
    "Neg Abs Exp Log Sqrt Relu Sign Floor Cast IsNaN".split()
)
PRODUCTS = frozenset({"Gemm", "MatMul"})

Tensors = Mapping[str, onnx.TensorProto]


class Choice:
    """Which of several graphs each record is computed by, as values of the graph that is written.

    number: the name of the value of that graph, (batch, 1) float64, which holds the number of each
    record's own graph, a whole one from 0; `count` or more, and NaN, stand for the first graph.
    count: how many graphs there are.
    """

    def __init__(self, g: Graph, number: str, count: int) -> None:
        """A choice, made for each record, among `count` graphs. g: the graph that is written;
        number: the name of the value of g, (batch, 1) float64, that holds the number of each
        record's graph, from 0; count: how many graphs there are."""
        self.g = g
        self.number = number
        self.count = count

    def constant(self, arrays: Sequence[Array]) -> str:
        """Add nodes that look up, for each record, the constant of its own graph; returns the name
        of the result, (batch, n). arrays: that of each graph, of one shape: (n,), (1, n) or ()."""
        g = self.g
        rows = [np.ravel(array) for array in arrays]
        stacked = np.stack(rows)
        table = g.const(stacked, stacked.dtype)
        index = self._numbers_of_graphs()
        return g.op("Gather", table, index, axis=0)

    def value(self, values: Sequence[str], axes: int = RECORD_AXES) -> str:
        """Add nodes that pick, for each record, the value that its own graph computes; returns the
        name of the result. values: the names of what each graph computes, (batch, ...); axes: how
        many axes each has, the batch among them."""
        g = self.g
        chosen = values[0]
        # the first graph's stands unless the record is found to be of another
        for number, value in enumerate(values[1:], start=1):
            own_number = g.exact(float(number))
            mask = g.op("Equal", self.number, own_number)
            if axes > RECORD_AXES:
                # -1 stands for the batch
                ones = [1] * (axes - 1)
                sizes = g.const([-1, *ones], np.int64)
                mask = g.op("Reshape", mask, sizes)
            chosen = g.op("Where", mask, value, chosen)
        return chosen

    def _numbers_of_graphs(self) -> str:
        """The number of each record's graph, (batch,) int64, as a value's name: 0 for `count` or
        more, and for NaN."""
        g = self.g
        # numbers as small as these are exact in float32
        number = g.cast(self.number, TensorProto.FLOAT)
        count = g.const(float(self.count))
        first = g.const(0.0)
        # what is beyond the last, or no number, would be outside of the table
        is_known = g.op("Less", number, count)
        number = g.op("Where", is_known, number, first)
        one_axis = g.const([-1], np.int64)
        flat = g.op("Reshape", number, one_axis)
        return g.cast(flat, TensorProto.INT64)


def merge(
    models: Sequence[onnx.ModelProto],
    inputs: Sequence[str],
    choice: Choice,
) -> dict[str, str] | None:
    """Copy graphs in that have the same nodes and differ in constants alone, so that each record is
    computed by the one that is chosen; returns what their outputs are called here, by their names
    there. None where they cannot be written so; nothing is added to the graph then.

    models: one at least; inputs: the names of what stands here for each of their inputs, in the
    order of these. choice: by which graph each record is computed. A constant of arithmetic number
    by number is looked up for each record; a product with a matrix is computed for all graphs, and
    one of the results is kept. So each record is computed as by its own graph alone, but for the
    last digit of a sum.
    """
    constants = []
    for model in models:
        by_name = {tensor.name: tensor for tensor in model.graph.initializer}
        constants.append(by_name)
    if not _are_of_one_form(models, constants):
        return None
    differing = _names_of_differing(constants)
    first = models[0]
    reading = _Reading(first, constants[0], differing)
    if not reading.is_mergeable():
        return None
    # what values are called here
    names = {}
    for declared, name in zip(first.graph.input, inputs, strict=True):
        names[declared.name] = name
    # an input that is left out has no name, here neither
    names[""] = ""
    for name, tensor in constants[0].items():
        if name not in differing:
            names[name] = _store_constant(choice.g, tensor)
    merger = _Merger(choice, constants, differing, names)
    for node in first.graph.node:
        merger.add(node)
    outputs = [output.name for output in first.graph.output]
    return {name: names[name] for name in outputs}


class _Merger:
    """Writes the nodes that several graphs have in common, one after the other."""

    def __init__(
        self,
        choice: Choice,
        constants: Sequence[Tensors],
        differing: frozenset[str],
        names: dict[str, str],
    ) -> None:
        """A merger that adds to the graph of `choice`. constants: those of each graph, by name;
        differing: the names of those that are not the same in all; names: the names that values of
        the merged graphs have in the graph of `choice`, by their names there; results of nodes are
        added to `names`, in place."""
        self.choice = choice
        self.constants = constants
        self.differing = differing
        self.names = names

    def add(self, node: onnx.NodeProto) -> None:
        """Write a node, once for all graphs, or, of a product with a matrix that differs, once for
        each. An Identity is not written: its result goes by the name of its operand."""
        (result,) = node.output
        own = [name for name in node.input if name in self.differing]
        if node.op_type == "Identity":
            # as where a graph names its outputs
            (source,) = node.input
            self.names[result] = self.names[source]
        elif own and node.op_type in PRODUCTS:
            self.names[result] = self._chosen_product(node)
        else:
            for name in own:
                self.names[name] = self._chosen_constant(name)
            operands = [self.names[name] for name in node.input]
            self.names[result] = self.choice.g.copy(node, operands)

    def _chosen_product(self, node: onnx.NodeProto) -> str:
        """The product of records by the constants of each record's graph, as a value's name. node:
        as the first graph has it."""
        g = self.choice.g
        products = []
        for tensors in self.constants:
            operands = []
            for name in node.input:
                operand = self.names.get(name, "")
                if name in self.differing:
                    operand = _store_constant(g, tensors[name])
                operands.append(operand)
            product = g.copy(node, operands)
            products.append(product)
        return self.choice.value(products)

    def _chosen_constant(self, name: str) -> str:
        """The constant of this name of each record's graph, as a value's name."""
        arrays = []
        for tensors in self.constants:
            array = numpy_helper.to_array(tensors[name])
            arrays.append(array)
        return self.choice.constant(arrays)


class _Reading:
    """Finds out whether several graphs of one form can be merged, by the nodes of the first:
    whether each node still computes the same where a constant (a number, a row or a matrix) is
    replaced by one that differs from record to record."""

    def __init__(
        self,
        model: onnx.ModelProto,
        constants: Tensors,
        differing: frozenset[str],
    ) -> None:
        """Read a graph. constants: its own, by name; differing: the names of those whose numbers
        are not the same in all graphs."""
        self.nodes = model.graph.node
        self.constants = constants
        self.differing = differing
        # values that are computed of records
        self.of_records = {declared.name for declared in model.graph.input}
        # values that are computed of constants alone, and which each record gets its own of
        self.widened: set[str] = set()
        # how many axes each value has, as far as that is known
        self.axes: dict[str, int] = {}
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
        for value in [*inferred.value_info, *inferred.input, *inferred.output]:
            kind = value.type.tensor_type
            if kind.HasField("shape"):
                self.axes[value.name] = len(kind.shape.dim)

    def is_mergeable(self) -> bool:
        """Whether all nodes mean the same where differing constants are each record's own."""
        for node in self.nodes:
            if len(node.output) != 1:
                return False
            (result,) = node.output
            is_of_records = any(name in self.of_records for name in node.input)
            is_touched = any(name in self.differing or name in self.widened for name in node.input)
            if is_touched:
                if not self._keeps_its_meaning(node):
                    return False
                if not is_of_records:
                    self.widened.add(result)
            if is_of_records:
                self.of_records.add(result)
        return True

    def _keeps_its_meaning(self, node: onnx.NodeProto) -> bool:
        """Whether a node that has differing constants, or what is computed of them, among its
        operands computes the same of each record's own."""
        if node.op_type in PRODUCTS:
            records, *stored = node.input
            # a product for each graph: of the same records by matrices that are stored
            is_stored = all(name in self.constants for name in stored)
            is_turned = any(a.name == "transA" and a.i for a in node.attribute)
            is_alike = is_stored and not is_turned
            return is_alike and self._is_batch(records)
        if node.op_type not in ELEMENTWISE:
            return False
        return all(self._is_batch(name) or self._is_row(name) for name in node.input)

    def _is_batch(self, name: str) -> bool:
        """Whether a value, by its name, has a row for each record, (batch, n)."""
        return name in self.of_records and self.axes.get(name) == RECORD_AXES

    def _is_row(self, name: str) -> bool:
        """Whether a value, by its name, one without a row for each record, is one number or one row
        of numbers."""
        if name in self.of_records:
            return False
        if name in self.constants:
            dims = list(self.constants[name].dims)
            is_flat = len(dims) < RECORD_AXES
            return is_flat or dims[:-1] == [1]
        return self.axes.get(name, RECORD_AXES) < RECORD_AXES


def _are_of_one_form(models: Sequence[onnx.ModelProto], constants: Sequence[Tensors]) -> bool:
    """Whether graphs have the same nodes, inputs and outputs under the same names, and constants of
    the same names, shapes and types. constants: those of each, by name."""
    forms = set()
    for model, tensors in zip(models, constants, strict=True):
        graph = model.graph
        form: list[object] = []
        for described in [*graph.node, *graph.input, *graph.output]:
            contents = described.SerializeToString(deterministic=True)
            form.append(contents)
        for name, tensor in tensors.items():
            shape = tuple(tensor.dims)
            form.append((name, shape, tensor.data_type))
        forms.add(tuple(form))
    return len(forms) == 1


def _names_of_differing(constants: Sequence[Tensors]) -> frozenset[str]:
    """The names of constants whose numbers are not the same in all graphs, bit for bit."""
    names = []
    for name in constants[0]:
        contents = set()
        for tensors in constants:
            array = numpy_helper.to_array(tensors[name])
            # as bytes: a NaN does not equal itself
            contents.add(array.tobytes())
        if len(contents) > 1:
            names.append(name)
    return frozenset(names)


def _store_constant(g: Graph, tensor: onnx.TensorProto) -> str:
    """Store a constant of another graph in g; returns its name here."""
    array = numpy_helper.to_array(tensor)
    return g.const(array, array.dtype)
