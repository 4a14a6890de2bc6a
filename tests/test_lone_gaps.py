"""Gaps that stand alone: a cell that is missing in a table in which hardly any is."""

import dataclasses
import math

import numpy as np
import onnxruntime as ort
import pandas as pd
import pytest
from onnx import TensorProto

from aetool import operations
from aetool.columns.lone_gaps import nats_of_gaps
from aetool.columns.schema import infer
from aetool.data.sources import open_source
from aetool.graphs import Graph
from aetool.graphs.oddities import lone_gaps
from aetool.operations import FitOptions

ROWS = 1000
RARE = math.log(ROWS + 1)  # of one gap among the rows
SURE = math.log(ROWS - 1)  # so many cells are there for each that is not


@pytest.mark.parametrize(
    ("missing", "costs"),
    [
        ([0, 1], [math.log(ROWS), RARE + SURE]),
        ([1, 200, 20], [RARE + SURE, 0, 0]),
        ([1, 1, 1], [RARE + SURE] * 3),
        # four cells are more than slips are
        ([1, 1, 1, 1], [0, 0, 0, 0]),
        # two are as common among a thousand as what the threshold flags
        ([2, 0], [0, 0]),
        ([20, 0], [0, math.log(ROWS)]),
        # gaps of every number: few are nothing special
        ([1, 3, 9, 27, 81], [0, 0, 0, 0, 0]),
        ([1, 4], [0, 0]),
        ([1, 5], [RARE + SURE, 0]),
        # where training saw none, a column that hardly has any says nothing of those without
        ([0, 4], [0, 0]),
        ([0, 5], [math.log(ROWS), 0]),
        ([400, 300], [0, 0]),
        ([], []),
    ],
)
def test_gaps_cost_where_hardly_any_cell_is_missing(missing, costs):
    assert nats_of_gaps(missing, ROWS) == pytest.approx(costs)


def test_of_many_rows_one_in_a_thousand_cells_may_be_missing():
    assert nats_of_gaps([10, 0], 10_000) == pytest.approx(
        [math.log(10_001 / 10) + math.log(999), math.log(1000)]
    )
    assert nats_of_gaps([11, 0], 10_000) == pytest.approx([0, math.log(1000)])


def test_few_rows_do_not_tell_that_gaps_are_rare():
    assert nats_of_gaps([1, 0], 99) == [0, 0]
    assert min(nats_of_gaps([1, 0], 100)) > 0


def marital():
    """A table of people of whom one does not say whether she is married."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "age": rng.integers(16, 45, ROWS),
            "weeks": rng.normal(39, 1.5, ROWS).round(),
            "marital": rng.choice(["married", "not married"], ROWS),
            "visits": rng.poisson(11, ROWS).astype(float),
        }
    )
    frame.loc[frame.index[::9], "visits"] = np.nan
    frame.loc[450, "marital"] = None
    return frame


def test_the_graph_costs_lone_gaps_as_computed_and_no_other(tmp_path):
    path = tmp_path / "people.csv"
    marital().to_csv(path, index=False)
    sample, _ = open_source(path).sample(ROWS, 0)
    schema = infer(sample)
    missing = [column.missing for column in schema.modelled]
    g = Graph()
    x = g.input("x", TensorProto.DOUBLE, [schema.inputs])
    costs = lone_gaps(g, schema, x)
    g.output("costs", costs, TensorProto.FLOAT, [len(schema.modelled)])
    session = ort.InferenceSession(g.build("costs"))
    places = [column.name for column in schema.modelled]
    usual = np.full((1, schema.inputs), 20.0)
    usual[0, places.index("marital")] = 0.0
    rows = np.repeat(usual, 5, axis=0)
    for row, name in enumerate(["age", "marital", "visits"]):
        rows[row, places.index(name)] = np.nan
    (told,) = session.run(None, {"x": rows})
    by_column = nats_of_gaps(missing, schema.rows)
    for row, name in enumerate(["age", "marital", "visits"]):
        place = places.index(name)
        assert told[row, place] == pytest.approx(by_column[place], rel=1e-6)
    assert by_column[places.index("visits")] == 0
    assert by_column[places.index("marital")] == pytest.approx(RARE + SURE)
    assert not told[3].any()
    # cells that are missing together are missing for one reason: three of these cost anything
    rows[4, :] = np.nan
    (told,) = session.run(None, {"x": rows})
    np.testing.assert_allclose(told[4], np.array(by_column) / 3, rtol=1e-6)


def test_a_gap_where_there_is_none_else_is_found_and_is_the_reason():
    found = operations.detect(marital(), append=None)
    highest = int(found.score.argmax())
    assert found.row[highest] == 450
    assert found.score[highest] > found.threshold + 5
    assert found.why[highest].startswith("marital=missing (expected ")


def test_a_gap_that_training_never_saw_is_found_by_its_model():
    clean = marital().drop(index=450)
    model = operations.fit(clean, FitOptions("auto"))
    new = marital().iloc[440:460]
    found = operations.detect(new, model, append=None)
    assert found.row.tolist() == [10]
    assert found.why[0].startswith("marital=missing")


def test_a_gap_in_what_a_record_is_judged_by_costs_nothing():
    sample, _ = open_source(marital()).sample(ROWS, 0)
    schema = infer(sample)
    judged_by = [
        dataclasses.replace(column, condition=column.name == "marital") for column in schema.columns
    ]
    schema = dataclasses.replace(schema, columns=tuple(judged_by))
    g = Graph()
    x = g.input("x", TensorProto.DOUBLE, [schema.inputs])
    g.output("costs", lone_gaps(g, schema, x), TensorProto.FLOAT, [len(schema.modelled)])
    missing = np.full((1, schema.inputs), np.nan)
    (told,) = ort.InferenceSession(g.build("costs")).run(None, {"x": missing})
    place = [column.name for column in schema.modelled].index("marital")
    assert told[0, place] == 0 and told.sum() > 0
