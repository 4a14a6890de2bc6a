"""Graphs written by hand do the same as numpy and torch, and as the mathematics says."""

import math

import numpy as np
import onnxruntime as ort
import pytest
import torch
from onnx import TensorProto

from aetool import graphs
from aetool.columns import layout
from aetool.columns.column import ODD
from aetool.columns.schema import infer
from aetool.graphs import Graph, Term
from aetool.graphs.oddities import nats_of_mark
from aetool.model import Spec
from aetool.nn.likelihood import Likelihood, bucket_nats
from aetool.testing import table_rows


def run(g, **inputs):
    session = ort.InferenceSession(g.build("g"), providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


@pytest.fixture(scope="module")
def table():
    rows = table_rows(200)
    schema = infer(rows)
    return schema, schema.encode(rows, "t"), layout.table_spec(schema)


def odd(X):
    """Gaps, infinities, unseen levels, values far out."""
    X = X.copy()
    X[0] = np.nan
    X[1] = np.inf
    X[2] = -np.inf
    X[3] = 1e300
    X[4, -1] = 99
    X[5] = ODD
    return X


def test_preparation_is_that_of_numpy(table):
    schema, X, spec = table
    g = Graph()
    x = g.input("x", TensorProto.DOUBLE, [X.shape[1]])
    g.output("y", layout.prepare_table(g, schema, x), TensorProto.FLOAT, [spec.features])
    with np.errstate(over="ignore", invalid="ignore"):
        expected = layout.table_features(schema, odd(X))
    np.testing.assert_allclose(run(g, x=odd(X)), expected, rtol=1e-5, atol=1e-6)


def test_restoring_undoes_preparing(table):
    schema, X, spec = table
    g = Graph()
    x = g.input("x", TensorProto.DOUBLE, [X.shape[1]])
    features = layout.prepare_table(g, schema, x)
    # one-hot blocks stand for logits; flags too, once shifted
    shift = np.zeros(spec.features)
    shift[[f for f, _ in spec.flags]] = 0.5
    back = layout.restore_table(g, schema, g.op("Sub", features, g.const(shift)))
    g.output("y", back, TensorProto.DOUBLE, [X.shape[1]])
    got = run(g, x=X)
    for i, column in enumerate(schema.modelled):
        if not column.predicted:
            assert np.isnan(got[:, i]).all(), "dates are context, and are never predicted"
        else:
            scale = column.scale.unit if column.measured else 1
            np.testing.assert_allclose(got[:, i], X[:, i], atol=1e-5 * scale)


def number_spec(m, curved=False):
    return Spec(
        tuple(f"c{i}" for i in range(m)), m, np.arange(m), np.arange(m), np.full(m, 0.05),
        np.full(m, 0.7), np.full(m, 0.2), np.full(m, curved), np.full(m, -1),
        np.zeros(m),
    )  # fmt: skip


@pytest.mark.parametrize("curved", [False, True])
def test_bucket_cost_is_that_of_torch(curved):
    rng = np.random.default_rng(0)
    spec = number_spec(6, curved)
    z = rng.normal(0, 3, (300, 6)).astype(np.float32)
    mean = rng.normal(0, 3, (300, 6)).astype(np.float32)
    scale = np.array([0.02, 0.05, 0.3, 1.0, 3.0, 30.0])
    g = Graph()
    a, b = (g.input(n, TensorProto.FLOAT, [6]) for n in ("z", "mean"))
    g.output("y", graphs.bucket_nats(g, spec, a, b, scale), TensorProto.FLOAT, [6])
    likelihood = Likelihood(spec)
    with torch.no_grad():
        likelihood.log_scale[:] = torch.tensor(scale).log()
        likelihood.weight_logit[0], likelihood.weight_logit[1] = 0.0, -80.0
        expected = likelihood(torch.tensor(z), torch.tensor(mean))[:, :-1]
    np.testing.assert_allclose(run(g, z=z, mean=mean), expected, rtol=1e-4, atol=1e-4)


def test_bucket_cost_is_the_gaussian_mass():
    """Against the difference of the normal distribution in float64."""
    z = torch.linspace(-6, 6, 241)
    for sigma, half in ((1.0, 0.5), (1.0, 0.05), (1.0, 0.001), (0.3, 0.1), (0.1, 0.2)):
        got = bucket_nats(z, torch.zeros(()), torch.tensor(sigma), torch.tensor(half))
        normal = torch.distributions.Normal(0.0, torch.tensor(sigma, dtype=torch.float64))
        low, high = z.abs().double() - half, z.abs().double() + half
        mass = normal.cdf(-low) - normal.cdf(-high)
        exact = (-mass.log()).clamp(max=graphs.SMALLEST_MASS)
        seen = mass > 1e-9
        torch.testing.assert_close(got.double()[seen], exact[seen], rtol=2e-4, atol=2e-4)
        assert (got >= 0).all() and float(got.max()) <= graphs.SMALLEST_MASS + 1e-3


@pytest.mark.parametrize("width", [0.2, 1.0])
def test_masses_of_all_buckets_sum_to_one(width):
    z = torch.arange(-30, 30, width)
    nats = bucket_nats(z, torch.tensor(0.3), torch.tensor(1.3), torch.tensor(width / 2))
    assert abs(float((-nats).exp().sum()) - 1) < 1e-3


def test_polynomial_tail_is_that_of_torch():
    """What graphs compute, against torch.special.log_ndtr."""
    v = np.linspace(-9, 30, 500, dtype=np.float32)[:, None]
    g = Graph()
    x = g.input("v", TensorProto.FLOAT, [1])
    g.output("y", graphs.log_tail(g, x), TensorProto.FLOAT, [1])
    expected = torch.special.log_ndtr(-torch.tensor(v).double())
    np.testing.assert_allclose(run(g, v=v), expected, rtol=2e-6, atol=2e-7)


def test_a_gap_where_there_were_none_costs(table):
    schema, X, spec = table
    g = Graph()
    x = g.input("x", TensorProto.DOUBLE, [X.shape[1]])
    g.output("y", graphs.unexpected(g, schema, x), TensorProto.FLOAT, [X.shape[1]])
    rows = np.repeat(X[:1], 3, axis=0)
    rows[1] = np.nan
    rows[2] = ODD
    gaps = [0 if c.gaps else math.log(201) for c in schema.modelled]
    # as a level that was never seen among 200 rows: a thousandth of one that was seen once
    odd = [math.log(201 * 1000) for _ in schema.modelled]
    found = run(g, x=rows)
    np.testing.assert_allclose(found, [[0] * len(gaps), gaps, odd], rtol=1e-6)


def test_an_odd_cell_costs_less_the_more_there_were():
    costs = [graphs.nats_of_odd(cells, 1000) for cells in (0, 1, 2, 30, 500, 1001)]
    assert costs[0] == costs[1] == pytest.approx(math.log(1001) + math.log(1000))
    assert costs == sorted(costs, reverse=True) and costs[-1] == 0


def test_an_odd_cell_that_comes_often_is_a_mark_of_its_column():
    """Up to three, or one in 1,000, stand out; a mark in a twentieth of the rows is as rare as that."""
    for rows in (200, 3000, 100_000):
        few = max(3, rows // 1000)
        costs = [nats_of_mark(cells, rows) for cells in range(rows)]
        assert costs == sorted(costs, reverse=True)
        assert costs[: few + 1] == [graphs.nats_of_odd(cells, rows) for cells in range(few + 1)]
        often = 20 * few
        rarities = np.log((rows + 1) / np.arange(often, rows))
        np.testing.assert_allclose(costs[often:], rarities)


VALUES = np.array([[-2.5, -1.0, 0.0, 0.5, 3.0]])
BESIDE = np.array([2.0, -1.0, 0.5, 4.0, 0.25])

ON_TERMS = {
    "sum": lambda x: BESIDE + x + 1.0,
    "difference": lambda x: BESIDE - x - 1.0,
    "product": lambda x: BESIDE * x * 3.0,
    "quotient": lambda x: x / BESIDE,
    "reflected quotient": lambda x: 1.0 / (x - 10.0),
    "negative": lambda x: -x,
    "absolute value": abs,
    "matrix product": lambda x: x @ np.diag(BESIDE),
}


@pytest.mark.parametrize("formula", ON_TERMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_formulas_of_terms_are_those_of_arrays(formula, dtype):
    """Numbers beside a term are constants of the term's own dtype."""
    kind = TensorProto.FLOAT if dtype == np.float32 else TensorProto.DOUBLE
    g = Graph()
    x = Term(g, g.input("x", kind, [5]), dtype)
    g.output("y", ON_TERMS[formula](x).name, kind, [5])
    rounding = np.finfo(dtype).eps
    expected = ON_TERMS[formula](VALUES)
    np.testing.assert_allclose(run(g, x=VALUES.astype(dtype)), expected, rtol=4 * rounding)


@pytest.mark.parametrize(("formula", "expected"), [
    (lambda x: (x > 0.0).choose(x, 7.0), [7.0, 7.0, 7.0, 0.5, 3.0]),
    (lambda x: (x >= 0.0).choose(1.0, x), [-2.5, -1.0, 1.0, 1.0, 1.0]),
    (lambda x: ((x < 0.0) & (x <= -2.0)).single(), [1, 0, 0, 0, 0]),
    (lambda x: (x.equals(0.5) | x.is_nan()).single(), [0, 0, 0, 1, 0]),
    (lambda x: x.at_least(-1.0).at_most(1.0), [-1.0, -1.0, 0.0, 0.5, 1.0]),
    (lambda x: x.clipped(-1.0, 1.0), [-1.0, -1.0, 0.0, 0.5, 1.0]),
    (lambda x: x.floor() + x.sign() + x.positive_part(), [-4.0, -2.0, 0.0, 1.5, 7.0]),
    (lambda x: (abs(x) + 1.0).log().exp().sqrt(), np.sqrt(np.abs(VALUES[0]) + 1)),
    (lambda x: x.columns([4, 0]), [3.0, -2.5]),
    (lambda x: x.columns_between(1, 3), [-1.0, 0.0]),
    (lambda x: x.weighed_sum(BESIDE), [-1.25]),
])  # fmt: skip
def test_what_terms_are_turned_into(formula, expected):
    g = Graph()
    x = g.exact_term(g.input("x", TensorProto.DOUBLE, [5]))
    value = formula(x).double()
    g.output("y", value.name, TensorProto.DOUBLE, [len(expected)])
    np.testing.assert_allclose(run(g, x=VALUES)[0], expected, rtol=1e-12)
