"""What closed forms write with the builder does what numpy does."""

import numpy as np
import pytest

from aetool.closed_form import Builder, Solution, Value, costs, evaluated
from aetool.errors import PluginError
from aetool.graphs import Graph, sums
from aetool.model import Spec


def plain_spec(numbers):
    return Spec(
        tuple(f"c{i}" for i in range(numbers)), numbers, np.arange(numbers), np.arange(numbers),
        np.full(numbers, 0.05), np.ones(numbers), np.zeros(numbers), np.zeros(numbers, bool),
        np.full(numbers, -1), np.zeros(numbers),
    )  # fmt: skip


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).normal(0, 2, (40, 6)).astype(np.float32)


def run(written, x):
    return evaluated(written, plain_spec(x.shape[1]), x)


ROW = np.arange(1.0, 7.0)
MATRIX = np.random.default_rng(1).normal(size=(6, 3))
ARITHMETIC = {
    "sum": lambda x, m: x + ROW,
    "difference, and that from the left": lambda x, m: (x - ROW) + (ROW - x * 2),
    "product and quotient": lambda x, m: 3.0 * x / ROW + ROW / (x * x + 1.0),
    "negative": lambda x, m: -x,
    "matrix": lambda x, m: x @ MATRIX,
    "maximum": lambda x, m: m.maximum(x, 0.5) + m.minimum(x, ROW),
    "where": lambda x, m: m.where(x > 0.5, x, -ROW),
    "exponential and logarithm": lambda x, m: m.log(m.exp(x * 0.1) + 1.0),
}


@pytest.mark.parametrize("name", ARITHMETIC)
def test_arithmetic_is_that_of_arrays(name, x):
    formula = ARITHMETIC[name]
    expected = formula(x.astype(float), np)
    np.testing.assert_allclose(run(lambda g, v: formula(v, g), x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("compared", [">", ">=", "<", "<="])
def test_comparisons_are_conditions(compared, x):
    same = x.copy()
    same[::2] = 1.0
    expected = eval(f"same {compared} 1.0")
    found = run(lambda g, v: g.as_number(eval("v " + compared + " 1.0", {"v": v})), same)
    assert np.array_equal(found, expected)


def test_tables_are_looked_up(x):
    table = np.random.default_rng(2).normal(size=(5, 4))
    number = np.arange(40) % 5
    chosen = np.column_stack([number, x[:, 1:]]).astype(np.float32)

    def rows(g, v):
        return g.rows_of(table, g.as_index(g.columns_of(v, [0])))

    def single(g, v):
        return g.look_up(table.ravel(), g.as_index(g.columns_of(v, [0, 0])))

    np.testing.assert_allclose(run(rows, chosen), table[number], rtol=1e-6)
    np.testing.assert_allclose(run(single, chosen)[:, 1], table.ravel()[number], rtol=1e-6)


def test_the_nearest_row_is_that_of_numpy(x):
    rows = np.random.default_rng(3).normal(0, 2, (9, 6))
    far = ((x[:, None].astype(float) - rows) ** 2).sum(axis=2)
    found = run(lambda g, v: g.squared_distances(v, rows), x)
    np.testing.assert_allclose(found + (x**2).sum(axis=1, keepdims=True), far, atol=1e-3)
    nearest = run(lambda g, v: g.as_number(g.number_of_least(g.squared_distances(v, rows))), x)
    assert np.array_equal(nearest[:, 0], far.argmin(axis=1))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 7, 8, 20])
def test_steps_are_those_of_a_histogram(count):
    rng = np.random.default_rng(count)
    edges = np.sort(rng.normal(size=(3, count)), axis=1).astype(np.float32).astype(float)
    edges[1, count // 2 :] = np.inf  # a column of fewer
    heights = rng.normal(size=(3, count + 1))
    x = rng.normal(0, 2, (60, 3)).astype(np.float32)
    if count:
        # what lies on an edge is on the step that begins there
        x[0] = np.where(np.isfinite(edges[:, 0]), edges[:, 0], 0)
    expected = np.empty(x.shape)
    for column in range(3):
        place = np.searchsorted(edges[column], x[:, column], side="right")
        expected[:, column] = heights[column, place]
    found = run(lambda g, v: g.steps(v, edges, heights), x)
    assert np.array_equal(found, expected.astype(np.float32))


def test_costs_are_added_up_without_a_matrix_where_it_would_be_large(x, monkeypatch):
    owner = [1, 1, 0, 3, 1, 0]
    small = run(lambda g, v: costs.summed(g, v, owner), x)
    monkeypatch.setattr(sums, "MOST_SUMMED", 0)
    large = run(lambda g, v: costs.summed(g, v, owner), x)
    np.testing.assert_allclose(large, small, rtol=1e-6)
    assert large.shape == (40, 7) and not large[:, [2, 4, 5, 6]].any()


def test_an_operator_asked_for_twice_is_one_node():
    g = Graph()
    builder = Builder(g, plain_spec(2))
    value = Value(builder, g.input("x", 1, [2]))
    assert (value * 2.0 + 1.0).name == (value * 2.0 + 1.0).name
    assert len(g.nodes) == 2 and len(g.constants) == 2


def test_what_has_no_width_is_told():
    spec = plain_spec(3)
    x = np.zeros((4, 3), np.float32)
    with pytest.raises(PluginError, match=r"shape \(batch, 3, 1\)"):
        evaluated(lambda g, v: g.op("Unsqueeze", v, g.const([2], np.int64)), spec, x)
    with pytest.raises(PluginError, match="do not fit together"):
        evaluated(lambda g, v: v @ np.ones((4, 2)), spec, x)


class Nothing(Solution):
    """All that is expected is 0."""

    def __init__(self, spec):
        self.deviation = np.full(len(spec.numeric), 0.7)
        self.prior = np.full(spec.features, 0.5)

    def expected(self, g, x):
        return x * 0.0


def test_the_usual_parts_are_a_gaussian_density(x):
    spec = plain_spec(6)
    solution = Nothing(spec)
    assert not solution.coded
    nats = evaluated(solution.parts, spec, x)
    expected = 0.5 * (x / 0.7) ** 2 + np.log(0.7 * np.sqrt(2 * np.pi)) - np.log(0.1)
    np.testing.assert_allclose(nats[:, :6], expected, rtol=1e-4)
    assert not nats[:, 6].any()
    bits = evaluated(solution.bits, spec, x)
    small = bits[:, :6] < 20  # beyond, they are capped
    np.testing.assert_allclose(bits[:, :6][small], (nats[:, :6] / np.log(2))[small], rtol=1e-5)
