"""Writes ONNX graphs by hand: user units to features, features to user units, closed-form scores.

Everything here is plain operators at opset 20 that the CUDA provider runs in full, with no Shape
operator (those are placed on the CPU) and the batch as the only dynamic dimension.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper

from aetool.columns.column import ODD
from aetool.columns.layout import restore_table
from aetool.columns.reach import POWER, Reach
from aetool.columns.schema import Schema
from aetool.data.scaling import PIXEL_MEAN, PIXEL_SPREAD
from aetool.errors import PluginError
from aetool.model import Array, Float, Spec

OPSET, IR_VERSION = 20, 9
SMALLEST_MASS = 32 * math.log(2)  # no number costs more than 32 bits under one Gaussian
LEAST_SIGMA = 0.35  # deviation of a number, in half-widths of its bucket
NEVER_SEEN = math.log(1000)  # nats beyond its rarity that what was never seen costs
MOST_SUMMED = 1 << 18  # entries of a matrix that costs are added up by
THIN = 0.03  # buckets thinner than this many sigma use the density: a difference would cancel
# erfc by Chebyshev fitting, relative error below 1.2e-7 everywhere (Numerical Recipes, 2nd ed.,
# section 6.2, erfcc); powers of t = 1 / (1 + x / 2), constant first
ERFC = (
    -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806,
    0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277,
)  # fmt: skip


class Graph:
    """A graph under construction: `op` adds a node and returns the name of its output.

    Equal constants are stored once, and an operator asked for twice with the same inputs and
    attributes is one node (hash consing: Ershov 1958). Models that are joined share the layers
    that prepare their input that way, without knowing of each other.
    """

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self._count = 0
        self._known: dict[bytes, str] = {}  # the contents of a constant or node, and its name

    def name(self, stem: str) -> str:
        """A name for a node or constant that is not used yet. stem: how it begins."""
        self._count += 1
        return f"{stem}_{self._count}"

    def const(self, value: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        """Store an array as a constant of this dtype; returns its name."""
        return self._stored(numpy_helper.from_array(np.asarray(value, dtype=dtype)))

    def exact(self, value: npt.ArrayLike) -> str:
        """Store an array as a constant of float64; returns its name."""
        return self.const(value, np.float64)

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add an operator of ONNX with one output; returns the output's name."""
        return self._computed(helper.make_node(kind, list(inputs), [], **attributes))

    def _stored(self, tensor: onnx.TensorProto) -> str:
        """Add a constant to the graph, unless one of equal contents is there; returns its name.
        tensor: without a name."""
        # the bytes themselves are the key: equal constants have equal ones
        key = b"constant" + tensor.SerializeToString(deterministic=True)
        if key not in self._known:
            name = self.name("c")
            tensor.name = name
            self._known[key] = name
            self.constants.append(tensor)
        return self._known[key]

    def _computed(self, node: onnx.NodeProto) -> str:
        """Add a node without name and outputs to the graph, unless an equal one is there; returns
        the name of its result."""
        key = b"node" + node.SerializeToString(deterministic=True)
        if key not in self._known:
            self._known[key] = self.name(node.op_type.lower())
            node.output.append(self._known[key])
            self.nodes.append(node)
        return self._known[key]

    def take(self, x: str, index: Sequence[int] | npt.NDArray[np.int64]) -> str:
        """Add nodes that pick columns of x by their indices; returns the name of the result."""
        return self.op("Gather", x, self.const(index, np.int64), axis=1)

    def columns_between(self, x: str, first: int, end: int) -> str:
        """Add nodes that pick columns first .. end - 1 of x; returns the name of the result."""
        bounds = [self.const([place], np.int64) for place in (first, end, 1)]
        return self.op("Slice", x, *bounds)

    def smallest(self, x: str, count: int) -> str:
        """Which columns of x hold the smallest numbers of a row, (B, count) int64, the least
        first."""
        size = self.const([count], np.int64)
        key = f"smallest {x} {count}".encode()
        if key not in self._known:
            values = self.name("values")
            index = self.name("smallest")
            node = helper.make_node("TopK", [x, size], [values, index], axis=1, largest=0)
            self.nodes.append(node)
            self._known[key] = index
        return self._known[key]

    def cast(self, x: str, to: int = TensorProto.FLOAT) -> str:
        """Convert x to another element type; returns the name of the result."""
        return self.op("Cast", x, to=to)

    def double(self, x: str) -> str:
        """Convert x to float64; returns the name of the result."""
        return self.cast(x, TensorProto.DOUBLE)

    def input(self, name: str, kind: int, shape: Sequence[int]) -> str:
        """Declares an input (batch, *shape)."""
        self.inputs.append(helper.make_tensor_value_info(name, kind, ["batch", *shape]))
        return name

    def output(self, name: str, value: str, kind: int, shape: Sequence[int]) -> None:
        """Declares `value` as the output called name, (batch, *shape)."""
        self.nodes.append(helper.make_node("Identity", [value], [name]))
        self.outputs.append(helper.make_tensor_value_info(name, kind, ["batch", *shape]))

    def embed(
        self,
        model: onnx.ModelProto,
        inputs: Mapping[str, str],
        keep_names: bool = False,
    ) -> dict[str, str]:
        """Copies another graph's nodes in; returns what its outputs are called here.

        inputs: what stands here for each of its inputs. keep_names: its constants keep their names
        behind a prefix, and are not shared with equal ones.
        """
        prefix = self.name("net") + "."
        mapping = dict(inputs)

        def here(name: str) -> str:
            return mapping.get(name, prefix + name) if name else ""

        for tensor in model.graph.initializer:
            copy = onnx.TensorProto()
            copy.CopyFrom(tensor)
            if keep_names:  # a network's weights are looked for by name when it is loaded again
                copy.name = here(tensor.name)
                self.constants.append(copy)
            else:
                copy.ClearField("name")
                mapping[tensor.name] = self._stored(copy)
        for node in model.graph.node:
            fresh = onnx.NodeProto()
            fresh.op_type = node.op_type
            fresh.attribute.extend(node.attribute)
            fresh.input.extend(here(i) for i in node.input)
            if len(node.output) == 1:
                mapping[node.output[0]] = self._computed(fresh)
            else:
                fresh.output.extend(here(o) for o in node.output)
                self.nodes.append(fresh)
        return {o.name: here(o.name) for o in model.graph.output}

    def shape_of(self, value: str) -> tuple[int | None, ...]:
        """The shape of a value, by those of what it is computed from; None for a size that is
        known only when the graph runs, as that of the batch. PluginError where they do not fit."""
        declared = {graph_input.name: graph_input for graph_input in self.inputs}
        if value in declared:
            return _sizes(declared[value])
        outputs = [helper.make_empty_tensor_value_info(value)]
        graph = helper.make_graph(self.nodes, "so far", self.inputs, outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        try:
            model = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        except Exception as error:  # the library raises what it likes
            raise PluginError(f"shapes do not fit together ({str(error)[:200]})") from None
        return _sizes(model.graph.output[0])

    def width_of(self, value: str) -> int:
        """The number n of columns of a value (batch, n); PluginError for a value of another
        shape."""
        sizes = self.shape_of(value)
        if len(sizes) != 2 or sizes[1] is None:
            told = ["unknown" if size is None else str(size) for size in sizes[1:]]
            described = ", ".join(told)
            raise PluginError(
                f"it has the shape (batch, {described}); wanted is (batch, n), n known beforehand"
            )
        return sizes[1]

    def build(self, name: str) -> bytes:
        """The finished model, checked, as the bytes of one file."""
        graph = helper.make_graph(self.nodes, name, self.inputs, self.outputs, self.constants)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            producer_name="aetool",
            ir_version=IR_VERSION,
        )
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))


def _sizes(value: onnx.ValueInfoProto) -> tuple[int | None, ...]:
    sizes = value.type.tensor_type.shape.dim
    return tuple(size.dim_value if size.HasField("dim_value") else None for size in sizes)


def weights_of(data: bytes) -> dict[str, Array]:
    """The stored arrays of an embedded network, by the names they had there; empty for bytes that
    are no graph."""
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


def tail(schema: Schema, spec: Spec) -> bytes:
    """An ONNX graph, as bytes, that only restores tables: "likely", (B, features), to "x_hat", (B,
    columns) in user units."""
    g = Graph()
    value = restore_table(g, schema, g.input("likely", TensorProto.FLOAT, [spec.features]))
    g.output("x_hat", value, TensorProto.DOUBLE, [len(spec.columns)])
    return g.build("tail")


def prepare_image(g: Graph, pixels: str) -> str:
    """(B, C, H, W) uint8 to standardised float32."""
    centred = g.op("Sub", g.cast(pixels), g.const(PIXEL_MEAN))
    return g.op("Div", centred, g.const(PIXEL_SPREAD))


def restore_image(g: Graph, e: str) -> str:
    """Standardised float32 (B, C, H, W) to pixel values in 0..255, not rounded."""
    spread = g.op("Mul", e, g.const(PIXEL_SPREAD))
    value = g.op("Add", spread, g.const(PIXEL_MEAN))
    black = g.const(0.0)
    white = g.const(255.0)
    return g.op("Clip", value, black, white)


def unexpected(g: Graph, schema: Schema, x: str) -> str:
    """(B, columns) nats for what models do not see: a value missing where training saw none, and
    cells that stand out by themselves."""
    costs = standing_out(g, schema, x)
    never = math.log(schema.rows + 1)
    gaps = [0.0 if column.gaps else never for column in schema.modelled]
    if any(gaps):
        own = _own(g, schema, x)
        missing = g.cast(g.op("IsNaN", own))
        cost_of_gaps = g.op("Mul", missing, g.const(gaps))
        costs = g.op("Add", costs, cost_of_gaps)
    return costs


def standing_out(g: Graph, schema: Schema, x: str) -> str:
    """(B, columns) nats for cells that are not of their column's kind, and for moments far outside
    of all others."""
    own = _own(g, schema, x)
    odd = [nats_of_odd(column.odd, schema.rows) for column in schema.modelled]
    is_odd = g.cast(g.op("Equal", own, g.exact(ODD)))
    costs = g.op("Mul", is_odd, g.const(odd))
    placed = [(i, column.far_out) for i, column in enumerate(schema.modelled)]
    reaches = [(i, reach) for i, reach in placed if reach is not None]
    if not reaches:
        return costs
    far = _far_out(g, schema, own, [i for i, _ in reaches], [reach for _, reach in reaches])
    return g.op("Add", costs, far)


def _far_out(g: Graph, schema: Schema, x: str, places: list[int], reaches: list[Reach]) -> str:
    """(B, columns) nats for values outside the reach of the columns at these places.

    The same arithmetic as Reach.bits, to which a test holds it, but for the most: what a cell costs
    that is odd.
    """
    op = g.op
    values = g.take(x, places)
    first = g.exact([reach.first for reach in reaches])
    last = g.exact([reach.last for reach in reaches])
    early = op("Sub", first, values)
    early = op("Div", early, g.exact([reach.before for reach in reaches]))
    late = op("Sub", values, last)
    late = op("Div", late, g.exact([reach.after for reach in reaches]))
    # at most one of the two is above 1, the length of a tail, and log 1 costs nothing
    away = op("Max", early, late, g.exact(1.0))
    # a gap is nowhere, and an odd cell has its own cost
    nowhere = op("Or", op("IsNaN", values), op("Equal", values, g.exact(ODD)))
    away = op("Where", nowhere, g.exact(1.0), away)
    logarithm = op("Log", away)
    nats = op("Mul", logarithm, g.exact(POWER))
    most = [nats_of_odd(reach.beyond, schema.rows) for reach in reaches]
    nats = op("Min", nats, g.exact(most))
    # a matrix of ones and zeros puts each cost into its own column
    column = np.zeros((len(places), len(schema.modelled)))
    column[np.arange(len(places)), places] = 1
    return op("MatMul", g.cast(nats), g.const(column))


def _own(g: Graph, schema: Schema, x: str) -> str:
    """Add to graph g the columns of a row itself, without those of the rows before it that stand
    beside it in x; returns the name of the result."""
    if schema.context:
        return g.take(x, list(range(len(schema.modelled))))
    return x


def nats_of_odd(cells: int, rows: int) -> float:
    """The cost, in nats, of a cell that is not of its column's kind: the rarer such cells were in
    training, the more. cells: how many there were; rows: of the training.

    It is the rarity of such cells, and where none or a single one was seen, which may be this very
    one, as much more as a level of a category that was never seen costs.
    """
    never = math.log(rows + 1)
    rarity = math.log((rows + 1) / max(cells, 1))
    if rows:
        return rarity * (1 + NEVER_SEEN / never)
    return NEVER_SEEN


def bucket_nats(g: Graph, spec: Spec, z: str, mean: str, scale: Float) -> str:
    """-log mass of each number's bucket under N(mean, scale^2), in nats, (B, numbers).

    The same arithmetic as aetool.nn.likelihood.bucket_nats, to which tests hold it; pictures, whose
    buckets are always thin, take thin_bucket_nats.
    """
    half = g.const(spec.half)
    if spec.curved.any():
        half = _half_of_curved(g, spec, z, half)
    # of half a bucket, so that the next value to one that all rows have costs some nine bits
    least = 4.0 if spec.shape else LEAST_SIGMA
    asked = g.const(scale)
    narrowest = g.op("Mul", half, g.const(least))
    sigma = g.op("Max", asked, narrowest)
    off = g.op("Abs", g.op("Sub", z, mean))
    # d: how far the value lies from its mean, t: half its bucket, both in sigmas
    d = g.op("Div", off, sigma)
    # squares of much more would overflow, and all of it costs the most anyway
    d = g.op("Min", d, g.const(40.0))
    t = g.op("Div", half, sigma)
    mass = _thin_log_mass(g, d, t)
    if not spec.shape:
        wide = _wide_log_mass(g, d, t)
        is_thin = g.op("Less", t, g.const(THIN))
        mass = g.op("Where", is_thin, mass, wide)
    bounded = g.op("Max", mass, g.const(-SMALLEST_MASS))
    return g.op("Neg", bounded)


def _half_of_curved(g: Graph, spec: Spec, z: str, half: str) -> str:
    """Add to graph g the half-widths of buckets, (B, numbers), for numbers that asinh has curved:
    half / cosh(asinh(u)); returns their name. z: standardised numbers; half: the half-widths where
    nothing is curved."""
    scaled = g.op("Mul", z, g.const(spec.deviation))
    t = g.op("Add", scaled, g.const(spec.mean))
    # 0 for numbers that are not curved, so that they are divided by cosh(0) = 1
    t = g.op("Mul", t, g.const(spec.curved))
    rising = g.op("Exp", t)
    falling = g.op("Exp", g.op("Neg", t))
    both = g.op("Add", rising, falling)
    cosh = g.op("Mul", both, g.const(0.5))
    return g.op("Div", half, cosh)


def _wide_log_mass(g: Graph, d: str, t: str) -> str:
    """log of the mass between d - t and d + t of N(0, 1), as a difference of two tails."""
    near = log_tail(g, g.op("Sub", d, t))
    far = log_tail(g, g.op("Add", d, t))
    # log(a - b) = log a + log(1 - b / a): the tails themselves would underflow
    gap = g.op("Exp", g.op("Sub", far, near))
    rest = g.op("Sub", g.const(1.0), gap)
    rest = g.op("Max", rest, g.const(1e-12))
    return g.op("Add", near, g.op("Log", rest))


def _thin_log_mass(g: Graph, d: str, t: str) -> str:
    """log of the mass within t of d under N(0, 1), by the density at d and how it bends there."""
    # sinh(y) / y = 1 + y^2 / 6 + y^4 / 120 + ..., with y = d t, is the mean over the bucket of what
    # the density's slope brings; -t^2 / 6 is what its curvature takes
    y = g.op("Min", g.op("Mul", d, t), g.const(1.0))
    yy = g.op("Mul", y, y)
    fourth = g.op("Mul", yy, g.const(1 / 120))
    series = g.op("Add", fourth, g.const(1 / 6))
    bend = g.op("Mul", yy, series)
    tt = g.op("Mul", t, t)
    curvature = g.op("Mul", tt, g.const(1 / 6))
    bend = g.op("Sub", bend, curvature)
    bend = g.op("Add", bend, g.const(1.0))
    # what lies far outside of the series' range has a logarithm still
    bend = g.op("Max", bend, g.const(0.1))
    bend = g.op("Log", bend)
    dd = g.op("Mul", d, d)
    density = g.op("Mul", dd, g.const(-0.5))
    density = g.op("Add", density, g.op("Log", t))
    bent = g.op("Add", density, bend)
    # a bucket is 2 t wide, and the density is divided by sqrt(2 pi)
    return g.op("Add", bent, g.const(math.log(2 / math.sqrt(2 * math.pi))))


def mixture_nats(g: Graph, spec: Spec, z: str, mean: str, scales: Float, weights: Float) -> str:
    """bucket_nats under a mixture of one mean; scales, weights: (components, numbers)."""
    costs = []
    for scale, weight in zip(scales, weights, strict=True):
        nats = bucket_nats(g, spec, z, mean, scale)
        costs.append(g.op("Sub", nats, g.const(np.log(weight))))
    if len(costs) == 1:
        return costs[0]
    # -log sum exp(-cost), with the least cost taken out so that no exponential underflows
    least = g.op("Min", *costs)
    shares = [g.op("Exp", g.op("Sub", least, cost)) for cost in costs]
    total = g.op("Sum", *shares)
    return g.op("Sub", least, g.op("Log", total))


def log_tail(g: Graph, v: str) -> str:
    """Add log P(N(0,1) > v), element by element, to the graph; returns the name of the result. v:
    the name of a tensor in the graph."""
    # erfc(x) = t exp(-x^2 + polynomial(t)), and the tail of |v| is erfc(|v| / sqrt 2) / 2
    x = g.op("Mul", g.op("Abs", v), g.const(math.sqrt(0.5)))
    one = g.const(1.0)
    half_x = g.op("Mul", x, g.const(0.5))
    t = g.op("Div", one, g.op("Add", half_x, one))
    # Horner's scheme, from the highest power down
    polynomial = g.const(ERFC[-1])
    for coefficient in ERFC[-2::-1]:
        raised = g.op("Mul", polynomial, t)
        polynomial = g.op("Add", raised, g.const(coefficient))
    square = g.op("Mul", x, x)
    exponent = g.op("Sub", polynomial, square)
    upper = g.op("Add", exponent, g.op("Log", t))
    upper = g.op("Add", upper, g.const(-math.log(2)))
    # below 0 it is the rest: 1 - P(N > |v|), of at most a half
    one = g.const(1.0)
    small = g.op("Exp", upper)
    small = g.op("Min", small, g.const(0.5))
    lower = g.op("Log", g.op("Sub", one, small))
    is_below = g.op("Less", v, g.const(0.0))
    return g.op("Where", is_below, lower, upper)


def weighed_sum(g: Graph, x: str, weight: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
    """Add a weighted sum of the columns of x, (B, n), to a graph: (B, 1); returns its name. weight:
    (n,).

    A product with a matrix of several equal columns, of which one is kept: sums over rows, and
    products with a single column, round by where a record stands in its batch.
    """
    columns = np.repeat(np.asarray(weight)[:, None], 4, axis=1)
    products = g.op("MatMul", x, g.const(columns, dtype))
    return g.take(products, [0])


def sum_by_column(g: Graph, costs: str, owner: Sequence[int], columns: int) -> str:
    """Costs (B, n) with their owning columns to (B, columns + 1); the last, shared, is 0."""
    channels = len(owner) // columns
    if list(owner) == list(range(columns)) * channels:
        # pixels; a sum over an axis would round by where a record stands in its batch
        total = g.columns_between(costs, 0, columns) if channels > 1 else costs
        for first in range(columns, channels * columns, columns):
            total = g.op("Add", total, g.columns_between(costs, first, first + columns))
        return g.op("Concat", total, _zero(g, costs), axis=1)
    if len(owner) * (columns + 1) > MOST_SUMMED:
        return _sum_of_many(g, costs, owner, columns)
    matrix = np.zeros((len(owner), columns + 1))
    matrix[np.arange(len(owner)), list(owner)] = 1
    return g.op("MatMul", costs, g.const(matrix))


def _zero(g: Graph, costs: str) -> str:
    """Add to graph g a zero for each record of costs, (B, n): (B, 1), whose B is known only at run
    time; returns its name."""
    return g.op("Mul", g.take(costs, [0]), g.const(0.0))


def _sum_of_many(g: Graph, costs: str, owner: Sequence[int], columns: int) -> str:
    """As sum_by_column, but without a matrix, which would be large: the first cost of each column,
    then the second, and so on, are taken together and added."""
    # a 0 behind the costs stands where a column has no more of them
    costs = g.op("Concat", costs, _zero(g, costs), axis=1)
    nothing = len(owner)
    of_column: list[list[int]] = [[] for _ in range(columns + 1)]
    for place, column in enumerate(owner):
        of_column[column].append(place)
    total = ""
    for rank in range(max(map(len, of_column))):
        index = [own[rank] if rank < len(own) else nothing for own in of_column]
        term = g.take(costs, index)
        total = g.op("Add", total, term) if total else term
    return total
