"""Graphs of one form are written once, and each record is computed by its own constants."""

import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto

from aetool import folds, operations, plugins
from aetool.data.sources import open_source
from aetool.fits import preparing, single_fit
from aetool.graphs import Graph
from aetool.graphs.merging import Choice, merge
from aetool.model import make_params
from aetool.operations import FitOptions

RECORDS = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)


def affine_and_more(g, x, seed):
    """A product, a row, a single number and a comparison, all with constants of this seed."""
    rng = np.random.default_rng(seed)
    records = g.term(x)
    product = records.op("Gemm", records, rng.normal(size=(4, 3)), rng.normal(size=3))
    scaled = product * rng.normal(size=3) + float(rng.normal())
    # computed of constants alone, and then beside records
    widest = g.term(g.const(rng.random(3))).at_least(0.25)
    bounded = scaled / widest
    chosen = (bounded < rng.normal(size=3)).choose(bounded, rng.normal(size=3))
    return (chosen @ rng.normal(size=(3, 2))).name, 2


def model_of(written, *arguments):
    g = Graph()
    x = g.input("x", TensorProto.FLOAT, [4])
    value, width = written(g, x, *arguments)
    g.output("y", value, TensorProto.FLOAT, [width])
    return ModelProto.FromString(g.build("one"))


def run(data, **values):
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return session.run(["y"], values)[0]


def joined(models, width):
    """(the bytes of the graph in which `models` are merged, or None, how many nodes it has)."""
    g = Graph()
    x = g.input("x", TensorProto.FLOAT, [4])
    number = g.input("number", TensorProto.DOUBLE, [1])
    outputs = merge(models, [x], Choice(g, number, len(models)))
    if outputs is None:
        assert not g.nodes and not g.constants
        return None, 0
    g.output("y", outputs["y"], TensorProto.FLOAT, [width])
    return g.build("merged"), len(g.nodes)


def test_each_record_is_computed_by_the_graph_of_its_number():
    models = [model_of(affine_and_more, seed) for seed in range(3)]
    merged, nodes = joined(models, 2)
    number = np.arange(40) % 3
    result = run(merged, x=RECORDS, number=number[:, None].astype(float))
    alone = [run(model.SerializeToString(), x=RECORDS) for model in models]
    expected = np.choose(number[:, None], alone)
    np.testing.assert_allclose(result, expected, rtol=1e-6)
    assert not np.allclose(alone[0], alone[1]), "else this says nothing"


@pytest.mark.parametrize("number", [3.0, 1e30, np.inf, np.nan])
def test_a_record_of_no_graph_is_computed_by_the_first(number):
    models = [model_of(affine_and_more, seed) for seed in range(3)]
    merged, _ = joined(models, 2)
    result = run(merged, x=RECORDS, number=np.full((40, 1), number))
    expected = run(models[0].SerializeToString(), x=RECORDS)
    np.testing.assert_allclose(result, expected, rtol=1e-6)


def test_what_is_equal_in_all_graphs_is_computed_once():
    models = [model_of(affine_and_more, 5) for _ in range(4)]
    merged, nodes = joined(models, 2)
    # the last node there only names the output, as the last here does
    assert nodes == len(models[0].graph.node)
    result = run(merged, x=RECORDS, number=np.zeros((40, 1)))
    np.testing.assert_array_equal(result, run(models[0].SerializeToString(), x=RECORDS))


def of_other_columns(g, x, seed):
    return g.take(x, [seed, 3]), 2


def table_looked_up(g, x, seed):
    index = g.op("Cast", g.term(x).sign().positive_part().name, to=TensorProto.INT64)
    return g.op("Gather", g.const([seed, -1.0]), index, axis=0), 4


def joined_rows(g, x, seed):
    """A row, computed of constants, is joined to another: each record's would be a batch."""
    row = g.term(g.const(np.full(2, float(seed)))) * 2.0
    both = g.op("Concat", row.name, g.const([0.0, 1.0]), axis=0)
    return (g.term(x) * g.term(both)).name, 4


def of_other_steps(g, x, seed):
    value = g.term(x)
    for _ in range(seed + 1):
        value = value * 2.0
    return value.name, 4


def smallest(g, x, seed):
    return g.cast(g.smallest((g.term(x) * float(seed + 2)).name, 2)), 2


def by_a_computed_matrix(g, x, seed):
    matrix = g.term(g.const(np.eye(4))) * float(seed + 2)
    return (g.term(x) @ matrix).name, 4


@pytest.mark.parametrize(
    "written",
    [
        of_other_columns,
        table_looked_up,
        joined_rows,
        of_other_steps,
        smallest,
        by_a_computed_matrix,
    ],
)
def test_graphs_that_differ_in_more_are_left_alone(written):
    models = [model_of(written, seed) for seed in range(2)]
    width = models[0].graph.output[0].type.tensor_type.shape.dim[1].dim_value
    assert joined(models, width) == (None, 0)


@pytest.mark.parametrize("plugin", ["pca", "elm"])
def test_a_fair_score_has_few_more_nodes_than_one_model(plugin):
    rng = np.random.default_rng(3)
    rows = np.round(rng.normal(size=(400, 6)), 3)
    prepared = preparing.prepare(open_source(rows), FitOptions())
    model = plugins.get_model(plugin)
    net, params = plugins.resolve(model.net), make_params(model, {})
    fold = folds.content_folds(prepared.features, prepared.spec, 6)
    scores = [single_fit.solve(net, params, prepared, fold != k)[0]["score.onnx"] for k in range(6)]
    fair = folds.fair(scores, prepared.spec, prepared.schema)
    nodes = [len(ModelProto.FromString(data).graph.node) for data in (fair, scores[0])]
    assert nodes[0] < 2 * nodes[1] + 20
    assert operations.fit(rows, FitOptions(plugin)) is not None
