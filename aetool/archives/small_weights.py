"""A decoder that takes a quarter of the bytes: its weights as whole numbers of 8 bits.

An archive that its model travels in pays for the decoder. Each matrix is stored as whole numbers
with a scale for each of its rows or of its columns, whichever errs less, and long vectors, biases
above all, as whole numbers of 16 bits. The scales of a wide table's columns, which are floats of 64
bits, become floats of 32 where that is fine enough. The graph itself turns all of them into floats
again, so that it is run as any other, and what its rounding costs is measured with the rest of the
error.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from aetool.bundle import Bundle

DECODER = "decoder.onnx"
FEWEST = 256  # values of a tensor that are worth a scale
# largest whole numbers of 8 and of 16 bits, without the odd one below zero
LARGEST_BYTE = 127
LARGEST_SHORT = 32767
# A float of 32 bits errs by 2^-24 of its size. What is added to scaled values may be so many times
# larger than their scale, for an error of 2^-16 of it
MOST_SCALES = 2.0**8

Values = npt.NDArray[np.float32]
Scales = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int8] | npt.NDArray[np.int16]


def with_small_decoder(model: Bundle) -> Bundle:
    """A copy of the model whose decoder's weights are rounded to 8 bits: it takes about a quarter
    of the bytes, and decodes slightly otherwise. KeyError for a model without a decoder."""
    graphs = {**model.graphs, DECODER: rounded(model.graphs[DECODER])}
    # sessions of the graph that was there before must not be taken for this one's
    return dataclasses.replace(model, graphs=graphs, _sessions={})


def rounded(data: bytes) -> bytes:
    """A copy of an ONNX graph, `data`, both as bytes, with each float32 tensor of at least FEWEST
    (256) values stored as whole numbers and scales, which the graph multiplies when it runs, and
    the float64 vectors that `_as_fine_in_single` names as float32, which it turns into float64
    again; other tensors stay."""
    model = onnx.ModelProto.FromString(data)
    graph = model.graph
    kept: list[onnx.TensorProto] = []
    restoring: list[onnx.NodeProto] = []
    singles = _as_fine_in_single(graph)
    for tensor in graph.initializer:
        count = int(np.prod(tensor.dims))
        if tensor.name in singles:
            as_single = numpy_helper.to_array(tensor).astype(np.float32)
            kept.append(numpy_helper.from_array(as_single, f"{tensor.name}_single"))
            as_double = helper.make_node(
                "Cast",
                [f"{tensor.name}_single"],
                [tensor.name],
                to=TensorProto.DOUBLE,
            )
            restoring.append(as_double)
            continue
        if tensor.data_type != TensorProto.FLOAT or count < FEWEST:
            kept.append(tensor)
            continue
        values = numpy_helper.to_array(tensor)
        whole, scales = _as_whole_numbers(values)
        name = tensor.name
        kept.append(numpy_helper.from_array(whole, f"{name}_whole"))
        kept.append(numpy_helper.from_array(scales, f"{name}_scales"))
        as_float = helper.make_node(
            "Cast",
            [f"{name}_whole"],
            [f"{name}_floats"],
            to=TensorProto.FLOAT,
        )
        scaled = helper.make_node(
            "Mul",
            [f"{name}_floats", f"{name}_scales"],
            [name],
        )
        restoring += [as_float, scaled]
    # ONNX wants what makes a tensor before what takes it
    nodes = [*restoring, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.initializer[:]
    graph.initializer.extend(kept)
    rounded_model: bytes = model.SerializeToString(deterministic=True)
    return rounded_model


def _as_fine_in_single(graph: onnx.GraphProto) -> set[str]:
    """The names of the float64 vectors of at least FEWEST (256) values that a graph's records are
    as fine with in float32: factors, and what is added to their products where it is at most
    MOST_SCALES (2^8) times as large; a column of dates, far from 0, is not."""
    vectors = {}
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.DOUBLE and int(np.prod(tensor.dims)) >= FEWEST:
            vectors[tensor.name] = numpy_helper.to_array(tensor)
    made_by = {name: node for node in graph.node for name in node.output}
    fine: set[str] = set()
    for node in graph.node:
        for name in node.input:
            if name not in vectors or not _in_range(vectors[name]):
                continue
            if node.op_type == "Mul":
                fine.add(name)
            elif node.op_type == "Add":
                (product,) = (other for other in node.input if other != name)
                factors = _factors_of(made_by.get(product), vectors)
                if factors is None or factors.shape != vectors[name].shape:
                    continue
                if (np.abs(vectors[name]) <= MOST_SCALES * np.abs(factors)).all():
                    fine.add(name)
    return fine


def _factors_of(node: onnx.NodeProto | None, vectors: dict[str, Scales]) -> Scales | None:
    """The vector that a node multiplies by; None if it is no product with one. vectors: those of
    the graph, by name."""
    if node is None or node.op_type != "Mul":
        return None
    for name in node.input:
        if name in vectors:
            return vectors[name]
    return None


def _in_range(values: Scales) -> bool:
    """Whether all values are floats of 32 bits, but for their last digits: 0, or neither too large
    nor too small."""
    sizes = np.abs(values[values != 0])
    limits = np.finfo(np.float32)
    return bool(((sizes >= limits.tiny) & (sizes <= limits.max)).all())


def _as_whole_numbers(values: Values) -> tuple[Whole, Values]:
    """Round the values of a tensor to (whole numbers, scales), whose product is near the values: of
    a matrix (two axes or more) int8, with a scale for each place on the first axis or on the
    second, whichever errs less; of a vector int16, with one scale. Scales have as many axes as the
    values."""
    if values.ndim < 2:
        whole, scales = _rounded_along(values, (0,), LARGEST_SHORT)
        return whole.astype(np.int16), scales
    by_axis = []
    for axis in (0, 1):
        # one scale for all values that share a place on this axis
        other_axes = tuple(other for other in range(values.ndim) if other != axis)
        whole, scales = _rounded_along(values, other_axes, LARGEST_BYTE)
        error = whole * scales - values
        square = float(np.square(error, dtype=np.float64).sum())
        by_axis.append((square, whole, scales))
    _, whole, scales = min(by_axis, key=lambda one: one[0])
    return whole.astype(np.int8), scales


def _rounded_along(values: Values, axes: tuple[int, ...], largest: int) -> tuple[Values, Values]:
    """Round values to whole numbers with one scale for all that differ only in their place along
    `axes`: (whole numbers from -largest to largest, still as floats; scales, with sides of 1 along
    `axes`). The product of both is near the values."""
    peak = np.abs(values).max(axis=axes, keepdims=True)
    # where all are 0 any scale will do but 0
    scales = np.where(peak > 0, peak, 1).astype(np.float32) / np.float32(largest)
    steps = np.rint(values / scales)
    return np.clip(steps, -largest, largest), scales
