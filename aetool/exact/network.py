"""A small network of whole numbers, its proof, and three ways to run it that agree bit for bit.

A layer is floor((W x + b) / 2^shift), clipped to 0 .. most; the last one is W x + b alone. Where
max over outputs of sum |W| most_in + |b| stays below 2^53, every partial sum of every layer is a
whole number that float64 holds, so any order of additions, with or without fused multiply-adds,
gives the same result (Balle, Johnston & Minnen, ICLR 2019, carry integers in floats alike).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aetool.errors import BundleError
from aetool.model import Array, Int
from aetool.spelling import option

LIMIT = 1 << 53  # up to here float64 holds every whole number
MOST = 255  # of a hidden activation
# inputs or outputs of a layer: an archive must not make its reader run out of memory
MAX_WIDTH = 4096


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer of an exact network: weight (inputs, outputs) and bias (outputs,), whole numbers,
    int64; shift: how many binary digits sums lose, 0 to 52, rounded down (to nearest, if bias has
    half of 2^shift in it). The last layer of a network has shift 0."""

    weight: Int
    bias: Int
    shift: int = 0


def prove(layers: Sequence[Layer], most_in: int = 1) -> None:
    """Raise BundleError unless every sum of every layer stays below 2^53, for inputs of the first
    layer of 0 .. most_in, and of others of 0 .. MOST (255); also for no layers, and for arrays of
    wrong shapes. Only what has passed gives the same results everywhere."""
    if not layers:
        raise BundleError("damaged: a network without layers")
    inputs = len(layers[0].weight)
    for number, layer in enumerate(layers):
        _check_shape(layer, number, inputs)
        largest = _largest_sum(layer, most_in)
        if largest >= LIMIT:
            raise BundleError(
                f"refused: a sum in layer {number} of a network can reach {largest}, beyond 2^53: "
                "it would not be the same on every machine"
            )
        # the results of a layer are the inputs of the next
        inputs = layer.weight.shape[1]
        most_in = MOST


def _check_shape(layer: Layer, number: int, inputs: int) -> None:
    """Raise BundleError unless the arrays of a layer fit each other, and `inputs`, are not empty
    and at most MAX_WIDTH (4,096) wide, and the shift is 0 to 52. number: of the layer, from 0, for
    the message."""
    weight = layer.weight
    fits = False
    if weight.ndim == 2:
        rows, outputs = weight.shape
        fits = rows == inputs and layer.bias.shape == (outputs,)
    # too wide is told before damaged: the user can mend it
    widest = max(weight.shape, default=0)
    if fits and widest > MAX_WIDTH:
        raise BundleError(
            f"refused: layer {number} of a network is {widest:,} wide, and at most "
            f"{MAX_WIDTH:,} are allowed; leave {option('--students')} out, or columns by "
            f"{option('--drop')}"
        )
    has_known_shift = 0 <= layer.shift < 53
    if not fits or not weight.size or not has_known_shift:
        raise BundleError(f"damaged: layer {number} of a network has not the shape it should")


def _largest_sum(layer: Layer, most_in: int) -> int:
    """The largest size, without its sign, that a sum of the layer, bias included, can have, for
    inputs of 0 .. most_in."""
    # in Python's unbounded integers: the proof itself must not wrap
    weights_of_outputs = layer.weight.T.tolist()
    biases = layer.bias.tolist()
    largest = 0
    for weights, bias in zip(weights_of_outputs, biases, strict=True):
        # every input at its most, and of the sign that adds to the sum
        size = sum(abs(weight) for weight in weights)
        sum_at_most = size * most_in + abs(bias)
        largest = max(largest, sum_at_most)
    return largest


def reference(layers: Sequence[Layer], x: Int, ones: bool = False) -> Int:
    """Run a network in whole numbers, by which every other way to run it is judged: (rows, outputs)
    int64. x: (rows, inputs); with ones, x is instead (rows, n): the indices of the inputs that are
    1, all others being 0. layers: that `prove` has passed."""
    first = layers[0].weight
    sums: Int = _sums(first, x) if ones else x.astype(np.int64) @ first
    for layer, next_layer in itertools.pairwise(layers):
        # a shift of whole numbers rounds down, of negative ones, too
        shifted = (sums + layer.bias) >> np.int64(layer.shift)
        hidden = np.clip(shifted, 0, MOST)
        sums = hidden @ next_layer.weight
    return np.asarray(sums + layers[-1].bias)


def in_floats(
    layers: Sequence[Layer],
    x: Int,
    ones: bool = False,
) -> npt.NDArray[np.float64]:
    """Run a network in float64 by whatever BLAS there is: (rows, outputs) float64, the same numbers
    as `reference`, as long as `prove` has passed the layers. x: (rows, inputs) whole numbers; with
    ones, (rows, n): the indices of the inputs that are 1."""
    weight, bias = folded(layers[0])
    sums = _sums(weight, x) if ones else x.astype(np.float64) @ weight
    # what a layer does to its sums, floor and clip, is done at the beginning of the next
    for layer in layers[1:]:
        rounded = np.floor(sums + bias)
        hidden = np.clip(rounded, 0, MOST)
        weight, bias = folded(layer)
        sums = hidden @ weight
    return np.asarray(sums + bias)


def _sums(weight: Array, places: Int) -> Array:
    """(rows, outputs): the product of inputs with weight, (inputs, outputs), where `places`, (rows,
    ones), says by their indices which inputs are 1, all others being 0. Of weight's dtype."""
    sums: Array = np.zeros((len(places), weight.shape[1]), weight.dtype)
    for place in places.T:
        sums += weight[place]
    return sums


def folded(layer: Layer) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The weight and bias of a layer divided by 2^shift, as float64: the division is by a power of
    two, so nothing is rounded: ((inputs, outputs), (outputs,))."""
    scale = 2.0**-layer.shift
    weight = layer.weight.astype(np.float64)
    bias = layer.bias.astype(np.float64)
    return weight * scale, bias * scale


def graph(layers: Sequence[Layer]) -> bytes:
    """The bytes of an ONNX file that runs a network as `in_floats` does: x (rows, inputs) -> y
    (rows, outputs), both float64, by Gemm, Floor and Clip. layers: one at least."""
    from onnx import TensorProto, checker, helper, numpy_helper

    nodes = []
    constants = []
    last = len(layers) - 1
    inputs = "x"
    for number, layer in enumerate(layers):
        weight, bias = folded(layer)
        weight_name = f"w{number}"
        bias_name = f"b{number}"
        constants.append(numpy_helper.from_array(weight, weight_name))
        constants.append(numpy_helper.from_array(bias, bias_name))
        sums = f"g{number}" if number < last else "y"
        nodes.append(helper.make_node("Gemm", [inputs, weight_name, bias_name], [sums]))
        # the sums of the last layer are the result
        if number == last:
            break
        floor = f"f{number}"
        inputs = f"h{number}"
        nodes.append(helper.make_node("Floor", [sums], [floor]))
        nodes.append(helper.make_node("Clip", [floor, "zero", "most"], [inputs]))
    constants.append(numpy_helper.from_array(np.array(0.0), "zero"))
    constants.append(numpy_helper.from_array(np.array(float(MOST)), "most"))
    width = len(layers[0].weight)
    outputs = layers[-1].weight.shape[1]
    x = helper.make_tensor_value_info("x", TensorProto.DOUBLE, ["rows", width])
    y = helper.make_tensor_value_info("y", TensorProto.DOUBLE, ["rows", outputs])
    student = helper.make_graph(
        nodes,
        name="student",
        inputs=[x],
        outputs=[y],
        initializer=constants,
    )
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(student, opset_imports=[opset], ir_version=9)
    checker.check_model(model)
    return bytes(model.SerializeToString())


def run_graph(data: bytes) -> Callable[[Array], Array]:
    """Load a graph that `graph` wrote, from its bytes: returns a function x (rows, inputs) of any
    numbers -> y (rows, outputs) float64 that runs it with ONNX Runtime on the CPU, in one
    thread."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    # a student is so small that threads would wait for each other
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])

    def run(x: Array) -> Array:
        """y, (rows, outputs) float64, of x, (rows, inputs)."""
        (y,) = session.run(["y"], {"x": x.astype(np.float64)})
        return np.asarray(y)

    return run
