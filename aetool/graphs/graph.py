"""ONNX graphs under construction, and their values, which are reckoned with like arrays.

Everything here is plain operators at opset 20 that the CUDA provider runs in full, with no Shape
operator (those are placed on the CPU) and the batch as the only dynamic dimension.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper

from aetool.errors import PluginError
from aetool.graphs.term import Index, Term
from aetool.model import Array

OPSET = 20  # the set of operators, which tells what each does
IR_VERSION = 9  # of the format of the file: the oldest that knows this set
SHORT = 1024  # bytes of a constant that is looked up before it is written as ONNX has it
BATCH = "batch"  # the name of the first size of every input and output
# how ONNX numbers the element types of most constants
USUAL_TYPES = {
    np.dtype(np.float32): TensorProto.FLOAT,
    np.dtype(np.float64): TensorProto.DOUBLE,
    np.dtype(np.int64): TensorProto.INT64,
}


class Graph:
    """A graph under construction: `op` adds a node and returns the name of its output.

    Equal constants are stored once, and an operator asked for twice with the same inputs and
    attributes is one node (hash consing: Ershov 1958). Models that are joined share the layers
    that prepare their input that way, without knowing of each other.
    """

    def __init__(self) -> None:
        """Begin an empty graph."""
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self._count = 0  # of names that were given
        # the name of each constant and of the result of each node, by its contents
        self._name_of_contents: dict[bytes, str] = {}
        # the same of nodes without attributes, by their operator and inputs
        self._name_of_plain_node: dict[tuple[str, ...], str] = {}
        # the names of short constants once more, by what they were made of
        self._name_of_short_constant: dict[
            tuple[np.dtype[np.generic], tuple[int, ...], bytes], str
        ] = {}

    def name(self, stem: str) -> str:
        """Make up a name for a node or constant that no other has yet. stem: how it begins; a
        number follows."""
        self._count += 1
        return f"{stem}_{self._count}"

    def const(self, value: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        """Store an array or number as a constant of this dtype; returns its name, that of an equal
        constant if there is one."""
        array = np.asarray(value, dtype=dtype)
        if array.nbytes > SHORT:
            tensor = numpy_helper.from_array(array)
            return self._store_constant(tensor)
        # formulas name the same numbers again and again
        key = (array.dtype, array.shape, array.tobytes())
        name = self._name_of_short_constant.get(key)
        if name is None:
            tensor = _tensor_of(array)
            name = self._store_constant(tensor)
            self._name_of_short_constant[key] = name
        return name

    def exact(self, value: npt.ArrayLike) -> str:
        """Store an array or number as a constant of float64; returns its name, that of an equal
        constant if there is one."""
        return self.const(value, np.float64)

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add an operator of ONNX with one output; returns the output's name, that of an equal node
        if there is one. kind: such as "Add"; inputs: names of values, "" for an optional one that
        is left out; attributes: by their names in ONNX, None for one that is left out."""
        if attributes:
            described = []
            for key, value in sorted(attributes.items()):
                # None is an attribute that is left out
                if value is not None:
                    described.append(_attribute(key, value))
            node = onnx.NodeProto(op_type=kind, input=inputs, attribute=described)
            return self._add_node(node)
        return self._add_plain_node(kind, inputs)

    def term(self, name: str) -> Term:
        """A float32 value of the graph, by its name, to be reckoned with like an array."""
        return Term(self, name)

    def exact_term(self, name: str) -> Term:
        """A float64 value of the graph, by its name: constants beside it are stored as float64."""
        return Term(self, name, np.float64)

    def _store_constant(self, tensor: onnx.TensorProto) -> str:
        """Add a constant to the graph, unless one of equal contents is there; returns its name.
        tensor: without a name, which is set here."""
        # the bytes themselves are the key: equal constants have equal ones
        contents = tensor.SerializeToString(deterministic=True)
        key = b"constant" + contents
        if key not in self._name_of_contents:
            name = self.name("c")
            tensor.name = name
            self._name_of_contents[key] = name
            self.constants.append(tensor)
        return self._name_of_contents[key]

    def _add_node(self, node: onnx.NodeProto) -> str:
        """Add a node without name and outputs to the graph, unless an equal one is there; returns
        the name of its result."""
        # equal inputs have equal names here, so that equal computations have equal contents
        contents = node.SerializeToString(deterministic=True)
        key = b"node" + contents
        if key not in self._name_of_contents:
            stem = node.op_type.lower()
            name = self.name(stem)
            node.output.append(name)
            self._name_of_contents[key] = name
            self.nodes.append(node)
        return self._name_of_contents[key]

    def _add_plain_node(self, kind: str, inputs: Sequence[str]) -> str:
        """Add a node without attributes to the graph, unless an equal one is there; returns the
        name of its result. kind: the operator; inputs: the names of values."""
        # most nodes are of this sort: what they are made of tells them apart without their bytes
        key = (kind, *inputs)
        name = self._name_of_plain_node.get(key)
        if name is None:
            name = self.name(kind.lower())
            node = onnx.NodeProto(op_type=kind, input=inputs, output=[name])
            self._name_of_plain_node[key] = name
            self.nodes.append(node)
        return name

    def take(self, x: str, index: Index) -> str:
        """Add nodes that pick columns of x, (B, n, ...), by their indices, (k,), from 0; returns
        the name of the result, (B, k, ...), in the order of the indices."""
        places = self.const(index, np.int64)
        return self.op("Gather", x, places, axis=1)

    def columns_between(self, x: str, first: int, end: int) -> str:
        """Add nodes that pick columns first .. end - 1, from 0, of x, (B, n, ...); returns the name
        of the result, (B, end - first, ...)."""
        starts = self.const([first], np.int64)
        ends = self.const([end], np.int64)
        axes = self.const([1], np.int64)
        return self.op("Slice", x, starts, ends, axes)

    def smallest(self, x: str, count: int) -> str:
        """Add a node that finds which columns of x, (B, n), hold the smallest numbers of a row;
        returns the name of their indices, (B, count) int64, that of the least first; of equal
        numbers the first column."""
        size = self.const([count], np.int64)
        key = f"smallest {x} {count}".encode()
        if key not in self._name_of_contents:
            # of the two results of the operator only the second is read
            values = self.name("values")
            index = self.name("smallest")
            node = helper.make_node("TopK", [x, size], [values, index], axis=1, largest=0)
            self.nodes.append(node)
            self._name_of_contents[key] = index
        return self._name_of_contents[key]

    def cast(self, x: str, to: int = TensorProto.FLOAT) -> str:
        """Convert x to another element type, float32 if none is named; returns the name of the
        result. to: as onnx.TensorProto numbers types."""
        return self.op("Cast", x, to=to)

    def double(self, x: str) -> str:
        """Convert x to float64; returns the name of the result."""
        return self.cast(x, TensorProto.DOUBLE)

    def input(self, name: str, kind: int, shape: Sequence[int]) -> str:
        """Declare an input (batch, *shape); returns its name. kind: its element type, as
        onnx.TensorProto numbers it."""
        declared = helper.make_tensor_value_info(name, kind, [BATCH, *shape])
        self.inputs.append(declared)
        return name

    def output(
        self,
        name: str,
        value: str,
        kind: int,
        shape: Sequence[int],
    ) -> None:
        """Declare `value`, the name of a value in the graph, as the output called name, (batch,
        *shape). kind: its element type, as onnx.TensorProto numbers it."""
        node = helper.make_node("Identity", [value], [name])
        self.nodes.append(node)
        declared = helper.make_tensor_value_info(name, kind, [BATCH, *shape])
        self.outputs.append(declared)

    def embed(
        self,
        model: onnx.ModelProto,
        inputs: Mapping[str, str],
        keep_names: bool = False,
    ) -> dict[str, str]:
        """Copy the nodes and constants of another graph, `model`, in; returns what its outputs are
        called here, by their names there.

        inputs: for each input of that graph, by its name there, the name of what stands for it
        here. keep_names: that graph's constants keep their names behind a prefix, and are not
        shared with equal ones.
        """
        prefix = self.name("net") + "."
        names = _NamesHere(prefix, inputs)
        for tensor in model.graph.initializer:
            copy = onnx.TensorProto()
            copy.CopyFrom(tensor)
            if keep_names:
                # a network's weights are looked for by name when it is loaded again
                copy.name = names[tensor.name]
                self.constants.append(copy)
                continue
            copy.ClearField("name")
            names[tensor.name] = self._store_constant(copy)
        for node in model.graph.node:
            self._embed_node(node, names)
        outputs = [output.name for output in model.graph.output]
        return {name: names[name] for name in outputs}

    def copy(self, node: onnx.NodeProto, operands: Sequence[str]) -> str:
        """Copy a node of another graph in, which has one result, unless an equal node is here;
        returns the name of the result. operands: what its inputs are called here, in their
        order."""
        if not node.attribute:
            return self._add_plain_node(node.op_type, operands)
        copy = _copy_without_outputs(node, operands)
        return self._add_node(copy)

    def _embed_node(self, node: onnx.NodeProto, names: _NamesHere) -> None:
        """Copy a node of another graph in, unless it has one result and an equal node is here.
        names: what the values of that graph are called here, by their names there. A single result
        is noted in `names`, in place; several are not, as they get the names that `names` makes
        up."""
        operands = [names[name] for name in node.input]
        if len(node.output) == 1:
            (result,) = node.output
            names[result] = self.copy(node, operands)
            return
        copy = _copy_without_outputs(node, operands)
        # of several results none is looked for among the nodes that are there; `names` answers for
        # each with a prefix before its name
        copy.output.extend(names[name] for name in node.output)
        self.nodes.append(copy)

    def shape_of(self, value: str) -> tuple[int | None, ...]:
        """The shape of a value, by its name, from those of what it is computed from, the batch
        first; None for a size that is known only when the graph runs, as that of the batch.
        PluginError where shapes do not fit. value: of this graph; of any other name the result
        means nothing."""
        declared = {graph_input.name: graph_input for graph_input in self.inputs}
        if value in declared:
            return _sizes(declared[value])
        output = helper.make_empty_tensor_value_info(value)
        model = self._model("so far", [output])
        try:
            model = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        except Exception as error:  # the library raises what it likes
            reason = str(error)[:200]
            raise PluginError(f"shapes do not fit together ({reason})") from None
        (inferred,) = model.graph.output
        return _sizes(inferred)

    def width_of(self, value: str) -> int:
        """The number n of columns of a value (batch, n); PluginError for a value of another
        shape."""
        _, *sizes = self.shape_of(value)
        if len(sizes) == 1 and sizes[0] is not None:
            return sizes[0]
        words = []
        for size in sizes:
            words.append("unknown" if size is None else str(size))
        described = ", ".join(words)
        raise PluginError(
            f"it has the shape (batch, {described}); wanted is (batch, n), n known beforehand"
        )

    def build(self, name: str) -> bytes:
        """The finished model, checked, as the bytes of one ONNX file; the same graph gives the same
        bytes. name: the model's. onnx.checker.ValidationError for one that breaks ONNX's rules."""
        model = self._model(name, self.outputs)
        model.producer_name = "aetool"
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))

    def _model(self, name: str, outputs: list[onnx.ValueInfoProto]) -> onnx.ModelProto:
        """The ONNX model of all nodes added so far, under this name, with these outputs."""
        graph = helper.make_graph(
            self.nodes,
            name=name,
            inputs=self.inputs,
            outputs=outputs,
            initializer=self.constants,
        )
        opset = helper.make_opsetid("", OPSET)
        return helper.make_model(graph, opset_imports=[opset])


class _NamesHere(dict[str, str]):
    """The names that values of an embedded graph have in the graph that embeds it, by the names
    that they have there; one that is not yet noted is its name there behind a prefix, and "", an
    input that is left out, stays ""."""

    def __init__(self, prefix: str, names: Mapping[str, str]) -> None:
        """Begin with the names that are known. names: the name here of a value of the embedded
        graph, by its name there; prefix: put before the name of every value that is not in it."""
        super().__init__(names)
        self._prefix = prefix

    def __missing__(self, name: str) -> str:
        """The name here of a value whose name in the embedded graph is not noted yet: that name
        behind the prefix; "" for ""."""
        # an optional input that is left out has no name, here neither
        if not name:
            return ""
        return self._prefix + name


def _attribute(key: str, value: Any) -> onnx.AttributeProto:
    """An attribute of a node, as ONNX stores it. key: its name in ONNX."""
    # most are an axis or an element type, which formulas name again and again; True is no number
    if type(value) is int:
        return _whole_attribute(key, value)
    return helper.make_attribute(key, value)


@functools.lru_cache(maxsize=1024)
def _whole_attribute(key: str, value: int) -> onnx.AttributeProto:
    """An attribute that is a whole number, as ONNX stores it; a node keeps a copy of it."""
    return helper.make_attribute(key, value)


def _tensor_of(array: Array) -> onnx.TensorProto:
    """An array as ONNX stores it, without a name: what onnx.numpy_helper.from_array makes of it, in
    a third of its time for the element types that graphs mostly have."""
    kind = USUAL_TYPES.get(array.dtype)
    if kind is None or sys.byteorder != "little":
        return numpy_helper.from_array(array)
    return onnx.TensorProto(dims=array.shape, data_type=kind, raw_data=array.tobytes())


def _copy_without_outputs(node: onnx.NodeProto, operands: Sequence[str]) -> onnx.NodeProto:
    """A copy of a node without name and outputs. operands: the names of its inputs, in place of
    those that it had."""
    copy = onnx.NodeProto()
    copy.op_type = node.op_type
    copy.attribute.extend(node.attribute)
    copy.input.extend(operands)
    return copy


def _sizes(value: onnx.ValueInfoProto) -> tuple[int | None, ...]:
    """The sizes of a declared value; None for those that are known only when the graph runs."""
    sizes = []
    for size in value.type.tensor_type.shape.dim:
        is_known = size.HasField("dim_value")
        sizes.append(size.dim_value if is_known else None)
    return tuple(sizes)


def weights_of(data: bytes) -> dict[str, Array]:
    """The stored arrays of an embedded network, from the bytes of an ONNX file, by what their names
    have behind ".net."; arrays without that in their name are left out. Empty for bytes that are no
    graph."""
    try:
        graph = onnx.ModelProto.FromString(data).graph
    except DecodeError:
        return {}
    weights = {}
    for tensor in graph.initializer:
        # the exporter calls them net_1.net.decoder.0.weight and the like
        _, separator, name = tensor.name.partition(".net.")
        if separator:
            weights[name] = numpy_helper.to_array(tensor)
    return weights
