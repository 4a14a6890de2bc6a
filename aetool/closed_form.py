"""Models solved without gradients: what a plugin returns, and the graphs the host writes of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto

from aetool import graphs
from aetool.columns.layout import prepare_table, restore_table
from aetool.columns.schema import Schema
from aetool.graphs import Graph
from aetool.model import Float, Int, Spec
from aetool.rarity import knee, write_cap

Features = npt.NDArray[np.float32]


class Batches(Protocol):
    """Feature batches, (rows, features) float32, that can be iterated again and again."""

    def __iter__(self) -> Iterator[Features]: ...


NATS = math.log(2 * math.pi)
LEAST_DEVIATION, PRIOR_ROWS = 1e-3, 10
FARTHEST = 1e4  # squared deviations, above which it is no farther
PLAIN = 1000.0  # bits of surprise
RARER, UNSEEN = 0.1, 0.001  # of how often a level occurs, or would if once, given the others


@dataclass(frozen=True, eq=False)
class Joint:
    """A density of several numbers together: independent along axes, heavy-tailed along each.

    numbers: the features it is of. mean: (numbers,). axes: (numbers, k), of numbers less their
    mean; along each the mixture of zero-mean Gaussians of scale and weight, (components, k).
    share: (k, columns), how much of an axis is each column's. amount: how much it counts.
    lean: (features, numbers), what the rows before tell of the numbers, which is taken off first.
    """

    numbers: Int
    mean: Float
    axes: Float
    scale: Float
    weight: Float
    share: Float
    amount: float
    lean: Float | None = None


@dataclass(frozen=True, eq=False)
class Maps:
    """The affine maps of a closed form, over x - mean, (features,).

    encoder: (features, k), decoder: (k, features): the code.
    Prediction of every feature from the other columns: either predict (features, features), or,
    for many features, x_hat = x - (precision * x - left (left^T x)) / diagonal, with left
    (features, q), precision a scalar and diagonal (features,).
    What the prediction leaves is a mixture of zero-mean Gaussians, tails and all: scale and weight
    are (components, features). prior: (features,), how often a flag or level occurs.

    shared: the code has a density of its own, and is part of the score: numbers are surprising
    beside what the code says of them, and half the square of the code plus `shared` nats is what
    all columns share. For probabilistic PCA that adds up to -log N(x; mean, covariance).
    joint: what records are rare as a whole by is added to what each column is given the others.
    """

    mean: Float
    encoder: Float
    decoder: Float
    scale: Float
    weight: Float
    prior: Float
    predict: Float | None = None
    left: Float | None = None
    diagonal: Float | None = None
    precision: float = 0.0
    shared: float | None = None
    joint: Joint | None = None
    report: Mapping[str, Any] = field(default_factory=dict)  # figures for `info`

    fair = False

    @property
    def drawn(self) -> str:
        """What `sample` draws, as AutoEncoder.prior."""
        return "codes" if self.shared is None else "normal"

    def encode(self, x: Float, scored: Any) -> Float:
        """(rows, k): codes of rows x, (rows, features). scored: which features are no context."""
        return np.asarray((x - self.mean) @ self.encoder)

    def decode(self, z: Float) -> Float:
        """(rows, features) that codes stand for."""
        return np.asarray(z @ self.decoder + self.mean)

    def write(self, spec: Spec, schema: Schema | None, error: str) -> dict[str, bytes]:
        """The encoder, decoder and score graphs, as the bytes of ONNX files.

        error: "bits" (surprise of each column given the others), or "mse", "mae" (reconstruction
        error in standardised units, summed over a column's features).
        """
        return {
            "encoder.onnx": _encoder(self, spec, schema),
            "decoder.onnx": _decoder(self, spec, schema),
            "score.onnx": _score(self, spec, schema, error),
        }

    def residual(self, x: Float) -> Float:
        """What the prediction leaves of rows x, (rows, features)."""
        r = x - self.mean
        if self.predict is not None:
            return np.asarray(r - r @ self.predict)
        assert self.left is not None and self.diagonal is not None
        return np.asarray((self.precision * r - (r @ self.left) @ self.left.T) / self.diagonal)


class Solution(Protocol):
    """What a closed form is fitted to: Maps, Hidden or Prototypes.

    fair: whether the score of a row that was fitted is what it would be had it not been. Otherwise
    the host fits several, each without a fold of the rows, and a row is scored by the one that was
    fitted without it (aetool.folds).
    """

    @property
    def fair(self) -> bool:
        """Whether rows that were fitted are scored as if they had not been."""
        ...

    @property
    def report(self) -> Mapping[str, Any]:
        """Figures for `aetool info`."""
        ...

    @property
    def drawn(self) -> str:
        """What `sample` draws, as AutoEncoder.prior."""
        ...

    def encode(self, x: Float, scored: Any) -> Float:
        """(rows, k): codes of rows x, (rows, features). scored: which features are no context."""
        ...

    def decode(self, z: Float) -> Float:
        """(rows, features) that codes stand for."""
        ...

    def write(self, spec: Spec, schema: Schema | None, error: str) -> dict[str, bytes]:
        """The encoder, decoder and score graphs, as the bytes of ONNX files."""
        ...


class ClosedForm:
    """Base of closed-form models: self.spec is the layout of the data, self.params what `-O` sets.

    It is made anew for each fit, of all rows or of all but a fold, and is given no seed: draws are
    from numpy.random.default_rng of a number of your own.
    """

    def __init__(self, spec: Spec, params: Any) -> None:
        self.spec, self.params = spec, params

    def fit(self, batches: Batches) -> Solution:
        """What fits the batches, which may be gone over again and are not to be changed.

        Pictures come flattened, (rows, features). DataError for data that cannot be fitted.
        """
        raise NotImplementedError


def loadings_of(graphs_: Mapping[str, bytes]) -> Float | None:
    """(latent, features): what one unit of each code unit adds to the features, in standard
    deviations; None for a decoder that is not one linear map."""
    if "decoder.onnx" not in graphs_:
        return None
    graph = onnx.ModelProto.FromString(graphs_["decoder.onnx"]).graph
    maps = [n for n in graph.node if n.op_type in ("Gemm", "MatMul", "Conv", "ConvTranspose")]
    stored = {t.name: t for t in graph.initializer}
    if len(maps) != 1 or maps[0].op_type != "Gemm" or maps[0].input[0] != graph.input[0].name:
        return None
    weight = onnx.numpy_helper.to_array(stored[maps[0].input[1]]).astype(np.float64)
    flipped = any(a.name == "transB" and a.i for a in maps[0].attribute)
    return weight.T if flipped else weight


def latent_of(graphs_: dict[str, bytes]) -> int:
    """The size of the code that an encoder graph gives; 0 without one."""
    if "encoder.onnx" not in graphs_:
        return 0
    output = onnx.ModelProto.FromString(graphs_["encoder.onnx"]).graph.output[0]
    return int(output.type.tensor_type.shape.dim[1].dim_value)


def open_graph(g: Graph, spec: Spec, schema: Schema | None) -> tuple[str, str]:
    """The declared input of records, and the flat features (B, features) made of it."""
    if schema is None:
        x = g.input("pixels", TensorProto.UINT8, spec.shape or ())
        return x, g.op("Flatten", graphs.prepare_image(g, x), axis=1)
    x = g.input("x", TensorProto.DOUBLE, [schema.inputs])
    return x, prepare_table(g, schema, x)


def close_graph(g: Graph, spec: Spec, schema: Schema | None, name: str, expected: str) -> None:
    """Declares expected features as an output in user units."""
    if schema is None:
        shape = list(spec.shape or ())
        picture = g.op("Reshape", expected, g.const([-1, *shape], np.int64))
        g.output(name, graphs.restore_image(g, picture), TensorProto.FLOAT, shape)
        return
    if spec.flags:  # a linear probability above one half is a positive logit
        shift = np.zeros(spec.features)
        shift[[f for f, _ in spec.flags]] = 0.5
        expected = g.op("Sub", expected, g.const(shift))
    value = restore_table(g, schema, expected)
    g.output(name, value, TensorProto.DOUBLE, [len(spec.columns)])


def scored_alike(
    g: Graph,
    spec: Spec,
    schema: Schema | None,
    error: str,
    values: tuple[str, str, str],
    deviation: Float,
    prior: Float,
    shared: float = 0.0,
) -> bytes:
    """The score graph where numbers lie about what is expected of them with these deviations.

    values: the input, its features, and what is expected of them. deviation: (numbers,).
    prior: (features,), how often a flag or level occurs. shared: nats that all columns share.

    In bits a number costs the mass of its bucket, a flag or level what is expected of it as a
    probability; error "mse" or "mae" adds up squared or absolute differences of all features.
    """
    x, features, expected = values
    columns = len(spec.columns)
    if error == "bits":
        costs, owner = [], []
        if len(spec.numeric):
            off = g.op("Sub", g.take(features, spec.numeric), g.take(expected, spec.numeric))
            usual = 0.5 * NATS + np.log(deviation / np.minimum(2 * spec.half, deviation))
            cost = g.op("Mul", g.op("Mul", off, off), g.const(0.5 / deviation**2))
            cost = g.op("Add", cost, g.const(usual))
            costs.append(where_present(g, spec, features, cost))
            owner += spec.owner.tolist()
        rows = schema.rows if schema else 0
        indicators, their_owner = _indicator_nats(g, spec, features, expected, prior, rows)
        parts = _sum_of(g, spec, features, costs + indicators, owner + their_owner)
        parts = _with_gaps(g, spec, schema, x, parts)
        if shared:
            last = np.zeros(columns + 1)
            last[-1] = shared
            parts = g.op("Add", parts, g.const(last))
        parts = capped(g, schema, g.op("Mul", parts, g.const(1 / math.log(2))))
    else:
        scored = np.flatnonzero(spec.owners() >= 0)
        off = g.take(g.op("Sub", features, expected), scored)
        cost = g.op("Abs", off) if error == "mae" else g.op("Mul", off, off)
        parts = graphs.sum_by_column(g, cost, spec.owners()[scored].tolist(), columns)
    g.output("parts", parts, TensorProto.FLOAT, [columns + 1])
    close_graph(g, spec, schema, "expected", expected)
    return g.build("score")


def deviations(spec: Spec, x: Float, expected: Float) -> Float:
    """(numbers,): how far the numbers of rows x lie from what is expected of them, both
    (rows, features): one deviation for all, so that what counts is how far they are off together.

    A number that is missing from some rows has at least its own where it is present: what is rarely
    there is hardly learned, and no anomaly for that.
    """
    numbers = spec.numeric
    off = (x - expected)[:, numbers] ** 2
    present = np.ones(off.shape, dtype=bool)
    gated = spec.gate >= 0
    present[:, gated] = x[:, spec.gate[gated]] == 0
    if not present.any():
        return np.ones(len(numbers))
    shared = max(float(np.sqrt(off[present].mean())), LEAST_DEVIATION)
    few = PRIOR_ROWS  # of one deviation each, for what few rows hold
    own = np.sqrt(((off * present).sum(axis=0) + few) / (present.sum(axis=0) + few))
    return np.asarray(np.where(gated, np.maximum(own, shared), shared))


def capped(g: Graph, schema: Schema | None, parts: str) -> str:
    """Parts in bits, (B, columns + 1), none above log2(rows + 1) + 32: a column is evidence of
    rarity, and no record among rows is rarer than one in rows + 1; what is beyond that is told in
    32 bits more."""
    return write_cap(g, parts, knee(schema.rows if schema else 0))


def _encoder(maps: Maps, spec: Spec, schema: Schema | None) -> bytes:
    g = Graph()
    _, features = open_graph(g, spec, schema)
    z = _coded(g, maps, features)
    g.output("z", z, TensorProto.FLOAT, [maps.encoder.shape[1]])
    return g.build("encoder")


def _decoder(maps: Maps, spec: Spec, schema: Schema | None) -> bytes:
    g = Graph()
    z = g.input("z", TensorProto.FLOAT, [maps.decoder.shape[0]])
    likely = _decoded(g, maps, z)
    close_graph(g, spec, schema, "x_hat", likely)
    g.output("likely", likely, TensorProto.FLOAT, [spec.features])
    return g.build("decoder")


def _coded(g: Graph, maps: Maps, features: str) -> str:
    return g.op("Gemm", features, g.const(maps.encoder), g.const(-maps.mean @ maps.encoder))


def _decoded(g: Graph, maps: Maps, z: str) -> str:
    return g.op("Gemm", z, g.const(maps.decoder), g.const(maps.mean))


def _predicted(g: Graph, maps: Maps, features: str) -> str:
    if maps.predict is not None:
        bias = maps.mean - maps.mean @ maps.predict
        return g.op("Gemm", features, g.const(maps.predict), g.const(bias))
    assert maps.left is not None and maps.diagonal is not None
    centred = g.op("Sub", features, g.const(maps.mean))
    inner = g.op("MatMul", centred, g.const(maps.left))
    outer = g.op("MatMul", inner, g.const(maps.left.T))
    pull = g.op("Sub", g.op("Mul", centred, g.const(maps.precision)), outer)
    return g.op("Sub", features, g.op("Mul", pull, g.const(1 / maps.diagonal)))


def _score(maps: Maps, spec: Spec, schema: Schema | None, error: str) -> bytes:
    g = Graph()
    x, features = open_graph(g, spec, schema)
    columns = len(spec.columns)
    if error == "bits":
        z = _coded(g, maps, features) if maps.shared is not None else ""
        expected = _decoded(g, maps, z) if z else _predicted(g, maps, features)
        parts = _surprise(g, maps, spec, schema, features, expected)
        parts = _with_gaps(g, spec, schema, x, parts)
        if z:
            half = np.full((maps.encoder.shape[1], 1), 0.5)
            code = g.op("MatMul", g.op("Mul", z, z), g.const(half))
            code = g.op("Add", code, g.const(maps.shared or 0.0))
            own = g.take(parts, list(range(columns)))
            parts = g.op("Concat", own, code, axis=1)
        parts = g.op("Mul", parts, g.const(1 / math.log(2)))
        if maps.joint is not None:
            _say_surprise(g, maps, spec, features, expected, parts)
            rare = _together(g, maps.joint, spec, schema, features)
            parts = g.op("Add", parts, rare)
        parts = capped(g, schema, parts)
    else:
        expected = _decoded(g, maps, _coded(g, maps, features))
        off = g.op("Sub", features, expected)
        cost = g.op("Mul", off, off) if error == "mse" else g.op("Abs", off)
        scored = np.flatnonzero(spec.owners() >= 0)
        owner = spec.owners()[scored]
        parts = graphs.sum_by_column(g, g.take(cost, scored), owner.tolist(), columns)
    g.output("parts", parts, TensorProto.FLOAT, [columns + 1])
    close_graph(g, spec, schema, "expected", expected)
    return g.build("score")


def _with_gaps(g: Graph, spec: Spec, schema: Schema | None, x: str, parts: str) -> str:
    """Parts in nats, with what cells cost that models do not see."""
    if schema is None:
        return parts
    extra = graphs.unexpected(g, schema, x)
    nothing = g.op("Mul", g.take(parts, [len(spec.columns)]), g.const(0.0))
    return g.op("Add", parts, g.op("Concat", extra, nothing, axis=1))


def _say_surprise(
    g: Graph, maps: Maps, spec: Spec, features: str, expected: str, parts: str
) -> None:
    """Declares how surprising each column is given the others, in bits, for reasons to be ranked
    by: as parts, but that numbers have no most. Where one value is wrong, those that it predicts
    look wrong too, and only how far off they are tells which it is."""
    columns = list(range(len(spec.columns)))
    own = g.take(parts, columns)
    off = g.op("Sub", g.take(features, spec.numeric), g.take(expected, spec.numeric))
    square = g.op("Min", g.op("Mul", off, off), g.const(FARTHEST))
    scale, weight = maps.scale[:, spec.numeric], maps.weight[:, spec.numeric]
    cost = graphs.scale_mixture_nats(g, square, scale, weight)
    cost = where_present(g, spec, features, cost)
    cost = graphs.sum_by_column(g, cost, spec.owner.tolist(), len(columns))
    cost = g.op("Mul", g.take(cost, columns), g.const(1 / math.log(2)))
    is_number = np.isin(columns, spec.owner)
    # beyond this what is far off is compared by how far, but more by what is odd on its own
    cost = write_cap(g, g.op("Max", cost, own), PLAIN, PLAIN)
    cost = g.op("Mul", cost, g.const(is_number))
    rest = g.op("Mul", own, g.const(~is_number))
    g.output("surprise", g.op("Add", cost, rest), TensorProto.FLOAT, [len(columns)])


def _together(g: Graph, joint: Joint, spec: Spec, schema: Schema | None, features: str) -> str:
    """(B, columns + 1) bits: how much rarer the numbers are together than the likeliest ones."""
    numbers = g.take(features, joint.numbers)
    if joint.lean is not None:
        numbers = g.op("Sub", numbers, g.op("MatMul", features, g.const(joint.lean)))
    bias = -joint.mean @ joint.axes
    along = g.op("Gemm", numbers, g.const(joint.axes), g.const(bias))
    square = g.op("Min", g.op("Mul", along, along), g.const(FARTHEST))
    cost = graphs.scale_mixture_nats(g, square, joint.scale, joint.weight)
    cost = capped(g, schema, g.op("Mul", cost, g.const(1 / math.log(2))))
    share = np.zeros((len(joint.share), len(spec.columns) + 1))
    share[:, : len(spec.columns)] = joint.share * joint.amount
    return g.op("MatMul", cost, g.const(share))


def where_present(g: Graph, spec: Spec, features: str, cost: str) -> str:
    """Costs of numbers, (B, numbers), 0 where the number is missing."""
    if not (spec.gate >= 0).any():
        return cost
    flag = g.take(features, np.where(spec.gate >= 0, spec.gate, spec.flags[0][0]))
    present = g.op("Sub", g.const(1.0), g.op("Mul", flag, g.const(spec.gate >= 0)))
    return g.op("Mul", cost, present)


def _surprise(
    g: Graph, maps: Maps, spec: Spec, schema: Schema | None, features: str, expected: str
) -> str:
    """(B, columns + 1) nats: each column's surprise given all the others."""
    costs, owner = [], []
    if len(spec.numeric):
        z, mean = g.take(features, spec.numeric), g.take(expected, spec.numeric)
        scales, weights = maps.scale[:, spec.numeric], maps.weight[:, spec.numeric]
        cost = graphs.mixture_nats(g, spec, z, mean, scales, weights)
        costs.append(where_present(g, spec, features, cost))
        owner += spec.owner.tolist()
    rows = schema.rows if schema else 0
    indicators, their_owner = _indicator_nats(g, spec, features, expected, maps.prior, rows)
    return _sum_of(g, spec, features, costs + indicators, owner + their_owner)


def _indicator_nats(
    g: Graph, spec: Spec, features: str, expected: str, prior: Float, rows: int
) -> tuple[list[str], list[int]]:
    """What flags and levels cost, in nats, where the features expected of them are taken for their
    probabilities: ([costs (B, n), ...], the column of each).

    Linear probabilities may leave (0, 1). A level is never taken for less likely than a tenth of
    how often it occurs, or would if it had occurred once; a flag, which extrapolates from far
    values of other columns, never for less likely than half of that: what is rare costs what its
    rarity is worth. A level that never occurred is taken for a thousandth of one that did once.
    """
    once = np.maximum(prior, 1 / (rows + 1) if rows else 1e-6)
    part = np.where(prior > 0, RARER, UNSEEN)  # of that, the least that a level is taken for
    costs, owner = [], []
    if spec.flags:
        index = [f for f, _ in spec.flags]
        flag = g.take(features, index)
        low = 0.5 * np.minimum(once[index], np.maximum(1 - once[index], 1 / (rows + 2)))
        p = g.op("Max", g.take(expected, index), g.const(low))
        p = g.op("Min", p, g.const(1 - low))
        yes = g.op("Mul", flag, g.op("Log", p))
        no = g.op("Sub", g.const(1.0), flag)
        no = g.op("Mul", no, g.op("Log", g.op("Sub", g.const(1.0), p)))
        costs.append(g.op("Neg", g.op("Add", yes, no)))
        owner += [c for _, c in spec.flags]
    if spec.categories:
        index = [s + k for _, s, w in spec.categories for k in range(w)]
        block = [j for j, (_, _, w) in enumerate(spec.categories) for _ in range(w)]
        member = np.zeros((len(index), len(spec.categories)))
        member[np.arange(len(index)), block] = 1
        p = g.op("Max", g.take(expected, index), g.const((part * once)[index]))
        total = g.op("Log", g.op("MatMul", p, g.const(member)))
        chosen = g.op("Mul", g.take(features, index), g.op("Log", p))
        costs.append(g.op("Sub", total, g.op("MatMul", chosen, g.const(member))))
        owner += [c for c, _, _ in spec.categories]
    return costs, owner


def _sum_of(g: Graph, spec: Spec, features: str, costs: list[str], owner: list[int]) -> str:
    """(B, columns + 1): costs added up by the column that owns them."""
    if not costs:
        zero = g.op("Mul", g.take(features, [0]), g.const(0.0))
        return g.op("MatMul", zero, g.const(np.zeros((1, len(spec.columns) + 1))))
    joined = g.op("Concat", *costs, axis=1) if len(costs) > 1 else costs[0]
    return graphs.sum_by_column(g, joined, owner, len(spec.columns))
