"""The tree of dependences between columns, against counts."""

import itertools

import numpy as np
import onnx
import pandas as pd
import pytest

from aetool import operations
from aetool.data.sources import open_source
from aetool.operations import FitOptions
from aetool_dependence.tree import parents_of


def fitted(frame, **params):
    return operations.fit(frame, FitOptions("dependence", params))


def bits(model, frame):
    """(rows, columns): what each column costs."""
    x = model.schema.encode(next(iter(open_source(frame).batches())), "t")
    return model.session("score.onnx", "cpu")(x)["parts"][:, :-1]


def chain(rows=4000, seed=0):
    """b follows a, c follows b, and d follows nothing: numbers of few values, each with a cell."""
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 4, rows)
    b = np.where(rng.random(rows) < 0.9, a, rng.integers(0, 4, rows))
    c = np.where(rng.random(rows) < 0.8, (b + 1) % 4, rng.integers(0, 4, rows))
    return pd.DataFrame({"c": c, "a": a, "d": rng.integers(0, 3, rows), "b": b})


def test_each_column_costs_its_surprise_beside_the_one_it_hangs_on():
    frame = chain()
    model = fitted(frame)
    asked = pd.DataFrame(list(itertools.product(range(4), range(4), range(3), range(4))),
                         columns=list(frame))  # fmt: skip
    costs = bits(model, asked)
    rows, prior = len(frame), 4.0
    # five cells each, one of them outside of all values; half a row more in each
    own = {name: frame[name].value_counts() for name in frame}
    cells = {"a": 5, "b": 5, "c": 5, "d": 4}

    def share(name, value):
        return (own[name][value] - 1 + 0.5) / (rows - 1 + 0.5 * cells[name])

    def beside(name, parent):
        pairs = frame.groupby([parent, name]).size()
        return [
            (max(pairs.get((at, value), 0) - 1, 0) + prior * share(name, value))
            / (own[parent][at] - 1 + prior)
            for at, value in zip(asked[parent], asked[name], strict=True)
        ]

    # b, which tells most in sum, is the root
    for place, name in enumerate(frame):
        if name == "b":
            part = [
                (own["b"][v] - 1 + prior * share("b", v)) / (rows - 1 + prior) for v in asked["b"]
            ]
        elif name == "d":
            # whatever it hangs on tells nothing of it
            np.testing.assert_allclose(costs[:, place], np.log2(3), atol=0.2)
            continue
        else:
            part = beside(name, "b")
        np.testing.assert_allclose(costs[:, place], -np.log2(part), rtol=1e-4)


def test_the_tree_is_the_one_of_the_most_information():
    """Of all trees of five columns, by brute force."""
    rng = np.random.default_rng(3)
    a = rng.integers(0, 3, 2000)
    noisy = [np.where(rng.random(2000) < p, a, rng.integers(0, 3, 2000)) for p in (0.7, 0.5, 0.3)]
    cells = [noisy[0], noisy[1], a, noisy[2], (noisy[1] + rng.integers(0, 2, 2000)) % 3]

    def information(one, other):
        table = np.zeros((3, 3))
        np.add.at(table, (one, other), 1 / 2000)
        apart = np.outer(table.sum(axis=1), table.sum(axis=0))
        return (table * np.log(np.where(table > 0, table, 1) / apart)).sum()

    weight = np.array([[information(one, other) for other in cells] for one in cells])
    parents = parents_of(cells, [3] * 5)
    edges = [(child, int(parents[child])) for child in range(5) if parents[child] != child]
    assert len(edges) == 4
    every = itertools.combinations(itertools.combinations(range(5), 2), 4)

    def spans(tree):
        reached = {0}
        for _ in tree:
            reached |= {node for edge in tree if reached & set(edge) for node in edge}
        return len(reached) == 5

    best = max(sum(weight[edge] for edge in tree) for tree in every if spans(tree))
    assert sum(weight[edge] for edge in edges) == pytest.approx(best)


def test_values_that_do_not_go_together_are_found_though_each_is_usual():
    rng = np.random.default_rng(1)
    a = rng.normal(size=3000)
    frame = pd.DataFrame({"a": a, "b": a + 0.1 * rng.normal(size=3000), "c": rng.normal(size=3000)})
    odd = pd.DataFrame({"a": [1.5, 1.5], "b": [1.5, -1.5], "c": [0.0, 0.0]})
    together, apart = operations.score(odd, fitted(frame), "cpu")
    assert apart > together + 4
    found = operations.detect(odd, fitted(frame), all_rows=True)
    # a number that hangs on another is expected by that
    column, value, expected = found.named[1][0]
    assert {column} <= {"a", "b"} and float(expected) * float(value) < 0


def test_a_gap_is_a_value_of_its_own():
    """A gap in b where a is 0 is usual, and elsewhere it is not."""
    rng = np.random.default_rng(2)
    a = rng.integers(0, 3, 3000)
    b = np.where((a == 0) & (rng.random(3000) < 0.5), np.nan, rng.normal(size=3000))
    frame = pd.DataFrame({"a": a, "b": b, "level": np.array(["x", "y", "z"])[a]})
    asked = pd.DataFrame({"a": [0, 1], "b": [np.nan, np.nan], "level": ["x", "y"]})
    usual, unusual = bits(fitted(frame), asked)[:, 1]
    assert usual == pytest.approx(1, abs=0.1) and unusual > 6
    # words hang on what tells them, too
    crossed = pd.DataFrame({"a": [0, 0], "b": [0.1, 0.1], "level": ["x", "z"]})
    scores = operations.score(crossed, fitted(frame), "cpu")
    assert scores[1] > scores[0] + 6


def test_many_columns_have_a_tree_for_each_stretch(monkeypatch):
    monkeypatch.setattr("aetool_dependence.tree.MOST_CELLS", 30)
    rng = np.random.default_rng(0)
    cells = [rng.integers(0, 10, 500) for _ in range(7)]
    parents = parents_of(cells, [10] * 7)
    assert [p // 3 for p in parents] == [0, 0, 0, 1, 1, 1, 2]
    assert parents[6] == 6


def test_a_wide_cell_costs_as_many_bits_more_as_it_is_wider():
    """Cells of about as many rows each: what is left is the logarithm of their widths."""
    values = np.random.default_rng(0).exponential(size=4000).round(4)
    frame = pd.DataFrame({"a": values})
    edges = np.quantile(values, np.linspace(0, 1, 9))
    middles = pd.DataFrame({"a": (edges[:-1] + edges[1:]) / 2})
    wide = bits(fitted(frame), middles)[:, 0] - bits(fitted(frame, widths=False), middles)[:, 0]
    scale = fitted(frame).schema["a"].scale
    widths = np.diff(scale.standardised(edges))
    np.testing.assert_allclose(wide, np.log2(widths / widths.min()), atol=0.02)


@pytest.mark.parametrize(
    "rows",
    [pytest.param(60, marks=pytest.mark.long), 400, pytest.param(2000, marks=pytest.mark.long)],
)
def test_columns_that_say_the_same_do_not_make_new_rows_odd(rows):
    """Beside each other both say nothing more, and most rows are about as usual."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=rows + 3000)
    frame = pd.DataFrame({"a": a, "b": 2 * a})
    for plugin in ("dependence", "auto"):
        model = operations.fit(frame[:rows], FitOptions(plugin))
        found = operations.detect(frame[rows:], model, all_rows=True)
        assert (found.p <= 0.1).mean() < 0.2
        assert found.anomaly.mean() < 0.02 if rows > 100 else found.anomaly.mean() < 0.05


def test_many_columns_of_few_rows_are_judged_by_one_short_graph():
    """Of few rows there is a model for each fold; with a search for each column they would have more
    nodes than a graph may have."""
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 200)).round(3))
    frame.columns = [f"c{place}" for place in frame]
    frame.loc[7, "c3"] = np.nan
    model = fitted(frame)
    graph = onnx.ModelProto.FromString(model.graphs["score.onnx"]).graph
    few = fitted(frame[["c0", "c1", "c2", "c3", "c4"]])
    of_few = onnx.ModelProto.FromString(few.graphs["score.onnx"]).graph
    # as many for 200 columns as for 5, but for what lays these out
    assert len(graph.node) < 2 * len(of_few.node)
    assert np.isfinite(operations.score(frame, model, "cpu")).all()


def test_beyond_all_values_is_a_cell_of_its_own():
    frame = pd.DataFrame({"a": np.random.default_rng(0).normal(size=2000)})
    inside, below, above = bits(fitted(frame), pd.DataFrame({"a": [0.0, -30.0, 30.0]}))[:, 0]
    assert below == above > np.log2(2000) > inside
    # of one column whose cells have as many rows each there is no more to say than in which it is
    alone = fitted(frame, widths=False)
    assert np.ptp(operations.score(frame, alone, "cpu")) < 0.05


def test_a_rare_value_counts_as_rare_as_it_is_beside_a_gross_error():
    """In the default, though ordinary rows all cost about the same, and the rare one a little more:
    a column that one row in 400 has is no fault of 25 deviations."""
    rng = np.random.default_rng(0)
    rare = np.full(2000, np.nan)
    rare[::400] = rng.normal(10, 1, 5).round(2)
    x = rng.normal(size=2000).round(3)
    x[777] = 25
    frame = pd.DataFrame({"x": x, "rare": rare, "y": rng.normal(size=2000).round(3)})
    scores = operations.score(frame, operations.fit(frame), "cpu")
    assert scores.argmax() == 777 and np.delete(scores, 777).max() < 30
