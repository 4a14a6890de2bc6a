"""What a graph says of its values: their types, and what its results depend on."""

from __future__ import annotations

import onnx
from onnx import TensorProto

CHOICES = frozenset({"ArgMax", "ArgMin", "TopK"})  # operators that say which number, or of which


def wide_kinds(model: onnx.ModelProto) -> frozenset[str]:
    """The kinds of operators of a graph, that of `model`, such as "Add", that take or give float64;
    empty if none does. onnx.shape_inference.InferenceError for a graph whose types or shapes do not
    fit."""
    types = element_types(model)
    wide = set()
    for node in model.graph.node:
        names = [*node.input, *node.output]
        if any(types.get(name) == TensorProto.DOUBLE for name in names):
            wide.add(node.op_type)
    return frozenset(wide)


def makes_choices(model: onnx.ModelProto, output: str) -> bool:
    """Whether an output of a graph, called `output`, may jump with the last bits of its inputs,
    which then have to be exact. So it is if the output depends on which of several numbers is the
    least or largest (an operator in CHOICES), or on an index computed from float32 numbers (a Cast
    from float32 to int64). onnx.shape_inference.InferenceError for a graph whose types or shapes do
    not fit."""
    types = element_types(model)
    needed = {output}
    # from the end: a node comes behind those whose results it takes
    for node in reversed(model.graph.node):
        if not needed.intersection(node.output):
            continue
        if node.op_type in CHOICES:
            return True
        if node.op_type == "Cast":
            source = types.get(node.input[0])
            result = types.get(node.output[0])
            if source == TensorProto.FLOAT and result == TensorProto.INT64:
                return True
        needed.update(node.input)
    return False


def element_types(model: onnx.ModelProto) -> dict[str, int]:
    """The element type of each value of a graph, by its name, as onnx.TensorProto numbers types:
    inputs, outputs, constants and what lies between. onnx.shape_inference.InferenceError for a
    graph whose types or shapes do not fit."""
    typed = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    inferred = typed.graph
    types = {}
    for value in [*inferred.value_info, *inferred.input, *inferred.output]:
        types[value.name] = value.type.tensor_type.elem_type
    for tensor in inferred.initializer:
        types[tensor.name] = tensor.data_type
    return types


def sizes_behind_batch(value: onnx.ValueInfoProto) -> list[int]:
    """The sizes of a declared value, such as an input, but the first, which is that of the batch; 0
    for a size that is known only when the graph runs."""
    return [size.dim_value for size in value.type.tensor_type.shape.dim][1:]
