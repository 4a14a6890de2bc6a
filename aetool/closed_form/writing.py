"""The ONNX graphs of a solution, with what its members compute of records."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto

from aetool import graphs, runtime
from aetool.closed_form import costs
from aetool.closed_form.builder import Builder, Value
from aetool.closed_form.solution import Features, Solution
from aetool.columns.layout import prepare_table, restore_table
from aetool.columns.schema import Schema
from aetool.graphs import Graph
from aetool.model import Float, Spec

ENCODER = "encoder.onnx"
DECODER = "decoder.onnx"
SCORE = "score.onnx"
FLOAT = TensorProto.FLOAT
DOUBLE = TensorProto.DOUBLE
Computation = Callable[[Builder, Value], Value]


def write(
    solution: Solution,
    spec: Spec,
    schema: Schema | None,
    error: str,
    score_alone: bool = False,
) -> dict[str, bytes]:
    """The score graph of a solution and, where it has a code, its encoder and decoder, as the bytes
    of ONNX files, by their names: "score.onnx", "encoder.onnx", "decoder.onnx".

    schema: of tables; None for pictures. error: what the score adds up, "bits", or "mse" or "mae":
    differences from what is expected, in standardised units, summed over a column's features.
    score_alone: whether to leave out encoder and decoder, as for a model that only scores a fold.
    PluginError for a code that is not (batch, n).
    """
    files = {}
    if solution.coded and not score_alone:
        # the decoder's input is as wide as the encoder's output, whatever the author makes it
        files[ENCODER], width = _encoder_graph(solution, spec, schema)
        files[DECODER] = _decoder_graph(solution, spec, schema, width)
    files[SCORE] = _score_graph(solution, spec, schema, error)
    return files


def _encoder_graph(
    solution: Solution,
    spec: Spec,
    schema: Schema | None,
) -> tuple[bytes, int]:
    """(the bytes of the graph that encodes records to its output z, (batch, units) float32; the
    number of units of a code). PluginError where the code has another shape."""
    g = Graph()
    records, features = open_graph(g, spec, schema)
    builder = Builder(g, spec, schema, records)
    x = Value(builder, features)
    code = solution.encode(builder, x)
    # what the author computes has a width of its own, which is known once it is written
    width = g.width_of(code.name)
    g.output("z", code.name, FLOAT, [width])
    return g.build("encoder"), width


def _decoder_graph(
    solution: Solution,
    spec: Spec,
    schema: Schema | None,
    width: int,
) -> bytes:
    """The bytes of the graph that restores records from codes z, (batch, width): its outputs are
    x_hat, the records in user units or as pixels, and likely, their features, (batch, features)."""
    g = Graph()
    builder = Builder(g, spec, schema)
    code = g.input("z", FLOAT, [width])
    z = Value(builder, code)
    features = solution.decode(builder, z)
    _output_in_user_units(g, spec, schema, "x_hat", features.name)
    # the features themselves, about which samples are drawn
    g.output("likely", features.name, FLOAT, [spec.features])
    return g.build("decoder")


def _score_graph(
    solution: Solution,
    spec: Spec,
    schema: Schema | None,
    error: str,
) -> bytes:
    """The bytes of the graph whose outputs are, of each record, parts of the score, (batch, columns
    + 1), and what is expected in its place; of tables, where the error is bits, also surprise,
    (batch, columns), if the solution tells it; without a code also likely, the expected features.
    error: what the parts are, "bits", or "mse" or "mae": squared or absolute differences, in
    standardised units."""
    g = Graph()
    columns = len(spec.columns)
    records, features = open_graph(g, spec, schema)
    builder = Builder(g, spec, schema, records)
    x = Value(builder, features)
    expected = solution.expected(builder, x)
    if error == "bits":
        parts = solution.bits(builder, x)
        surprise = solution.surprise(builder, x)
        if surprise is not None and schema is not None:
            # reasons of pictures are told by where they cost most
            g.output("surprise", surprise.name, FLOAT, [columns])
    else:
        parts = costs.plain_error(builder, x, expected, error)
    g.output("parts", parts.name, FLOAT, [columns + 1])
    _output_in_user_units(g, spec, schema, "expected", expected.name)
    if not solution.coded:
        # what samples are drawn by, then
        g.output("likely", expected.name, FLOAT, [spec.features])
    return g.build("score")


def open_graph(g: Graph, spec: Spec, schema: Schema | None) -> tuple[str, str]:
    """Add to graph g the input of records, and the computation of their features; returns both
    names. The features are (batch, features) float32, of pictures flattened. The input is "x",
    (batch, inputs) float64, or "pixels", uint8."""
    if schema is None:
        pixels = g.input("pixels", TensorProto.UINT8, spec.shape or ())
        picture = graphs.prepare_image(g, pixels)
        features = g.op("Flatten", picture, axis=1)
        return pixels, features
    # float64, as moments in seconds need more digits than float32 has
    x = g.input("x", DOUBLE, [schema.inputs])
    features = prepare_table(g, schema, x)
    return x, features


def _output_in_user_units(
    g: Graph,
    spec: Spec,
    schema: Schema | None,
    name: str,
    expected: str,
) -> None:
    """Add to graph g an output called `name`: expected features, (batch, features), restored to
    (batch, columns) float64 in user units, or to pixels, (batch, channels, height, width).
    expected: the name of the features in g; a flag, as a probability, counts as set above one
    half."""
    if schema is None:
        shape = list(spec.shape or ())
        # -1 stands for the batch
        sizes = g.const([-1, *shape], np.int64)
        picture = g.op("Reshape", expected, sizes)
        pixels = graphs.restore_image(g, picture)
        g.output(name, pixels, FLOAT, shape)
        return
    if spec.flags:
        # a linear probability above one half is a positive logit
        one_half = np.zeros(spec.features)
        flags = [feature for feature, _ in spec.flags]
        one_half[flags] = 0.5
        shift = g.const(one_half)
        expected = g.op("Sub", expected, shift)
    values = restore_table(g, schema, expected)
    columns = len(spec.columns)
    g.output(name, values, DOUBLE, [columns])


def evaluated(written: Computation, spec: Spec, rows: Features | Float) -> Float:
    """Compute for rows, on the CPU, what a method of a solution, such as its `encode`, writes as a
    graph: (rows, n) float64. rows: (rows, features), which are rounded to float32 first, as the
    graphs of a bundle take them. written: called with a builder and the features as a value, and
    returns a value. PluginError where that is not (batch, n), BundleError where it makes no graph
    that can run."""
    g = Graph()
    builder = Builder(g, spec)
    features = g.input("x", FLOAT, [rows.shape[1]])
    x = Value(builder, features)
    value = written(builder, x)
    width = g.width_of(value.name)
    g.output("value", value.name, FLOAT, [width])
    graph = g.build("value")
    session = runtime.Session(graph, "a solution", "cpu", runtime.TABLE_BATCH)
    # as the graphs of a bundle take features
    single_rows = rows.astype(np.float32)
    results = session(single_rows)
    return results["value"].astype(np.float64)


def latent_of(files: dict[str, bytes]) -> int:
    """How many units the codes have that the encoder among files, ONNX graphs by name, gives; 0
    without an encoder."""
    if ENCODER not in files:
        return 0
    model = onnx.ModelProto.FromString(files[ENCODER])
    (code,) = model.graph.output
    # (batch, units)
    _, units = code.type.tensor_type.shape.dim
    return int(units.dim_value)
