"""Moments far outside of all others: what they cost, for a table by itself and for a model."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto

from aetool import graphs, operations
from aetool.columns.column import ODD
from aetool.columns.date import YEAR, Date
from aetool.columns.schema import Schema, infer
from aetool.data.sources import open_source
from aetool.detection import reasons

DAYS = np.arange("2021-01-01", "2021-12-31", dtype="datetime64[D]")


def written(folder: Path, days: list[str]) -> Path:
    """A table of these days, with a number that says nothing of them."""
    sold = np.random.default_rng(5).integers(20, 60, len(days))
    path = folder / "sales.csv"
    lines = [f"{day},{n}" for day, n in zip(days, sold, strict=True)]
    path.write_text("\n".join(["day,sold", *lines]) + "\n")
    return path


def schema_of(path: Path, closed: bool) -> Schema:
    table, _ = open_source(path).sample(1000, 0)
    return infer(table, closed=closed)


def moment(day: str) -> np.ndarray:
    """(1,): a day in epoch seconds."""
    return np.datetime64(day, "s").astype(np.float64).reshape(1)


# each is a fit of all members: one far in the past is of the fast set
@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param("2012-07-30", marks=pytest.mark.long),
        pytest.param("2020-06-15", marks=pytest.mark.long),
        pytest.param("2031-01-01", marks=pytest.mark.long),
        "1970-01-01",
    ],
)
def test_a_wrong_year_is_the_first_reason(tmp_path: Path, wrong: str) -> None:
    days = DAYS.astype(str).tolist()
    days[200] = wrong
    found = operations.detect(written(tmp_path, days), top=1)
    assert found.row.tolist() == [200]
    column, value, expected = found.named[0][0]
    assert (column, value) == ("day", wrong)
    # all but the outer hundredth, which holds the wrong one
    early = "2021-01-05" if wrong > "2021" else "2021-01-04"
    late = "2021-12-27" if wrong > "2021" else "2021-12-26"
    assert expected == f"{early} to {late}"


def test_days_among_others_and_gaps_cost_nothing(tmp_path: Path) -> None:
    days = DAYS.astype(str).tolist()
    schema = schema_of(written(tmp_path, days), closed=True)
    date = schema.modelled[0]
    known = date.parse(DAYS.astype("datetime64[us]"))
    assert not date.own_surprise(known).any()
    assert not date.own_surprise(np.array([np.nan])).any()


def test_a_model_is_used_for_some_years_after(tmp_path: Path) -> None:
    date = schema_of(written(tmp_path, DAYS.astype(str).tolist()), closed=False).modelled[0]
    assert not date.own_surprise(moment("2024-06-30")).any()
    assert not date.own_surprise(moment("2018-06-30")).any()
    assert date.own_surprise(moment("2032-06-30"))[0] > 10
    assert date.own_surprise(moment("1970-01-01"))[0] > 20


def test_times_of_day_come_again_whatever_the_year(tmp_path: Path) -> None:
    times = [f"1:{m:02}:{s:02}" for m in range(0, 60, 7) for s in range(0, 60, 7)]
    date = schema_of(written(tmp_path, times), closed=False).modelled[0]
    assert not date.own_surprise(np.array([5400.0])).any()
    assert date.own_surprise(np.array([43200.0]))[0] > 20


def test_the_graph_costs_what_the_column_says(tmp_path: Path) -> None:
    days = DAYS.astype(str).tolist()
    days[7] = "2013-01-01"
    schema = schema_of(written(tmp_path, days), closed=True)
    date = schema.modelled[0]
    assert isinstance(date, Date) and date.reach is not None and date.reach.beyond == 1
    moments = np.concatenate(
        [date.parse(DAYS.astype("datetime64[us]")), moment("2020-08-01"), moment("2022-03-01")]
    )
    records = np.column_stack([moments, np.full(len(moments), 30.0)])
    records = np.append(records, [[np.nan, 30.0], [ODD, 30.0], [1e12 * YEAR, 30.0]], axis=0)
    g = graphs.Graph()
    x = g.input("x", TensorProto.DOUBLE, [2])
    g.output("nats", graphs.standing_out(g, schema, x), TensorProto.FLOAT, [2])
    nats = ort.InferenceSession(g.build("far")).run(None, {"x": records})[0]
    most = graphs.nats_of_odd(1, schema.rows)
    bits = date.reach.bits(moments)
    assert bits[-2] > 0 and bits[-1] > 0 and not bits[:-2].any()
    np.testing.assert_allclose(nats[: len(moments), 0], bits * math.log(2), atol=1e-4)
    odd = graphs.nats_of_odd(0, schema.rows)
    np.testing.assert_allclose(nats[len(moments) :, 0], [0.0, odd, most], rtol=1e-6)
    assert not nats[:, 1].any()


def test_a_date_is_what_was_stored_of_it(tmp_path: Path) -> None:
    schema = schema_of(written(tmp_path, DAYS.astype(str).tolist()), closed=False)
    assert Schema.from_json(schema.to_json()) == schema


def test_few_days_tell_of_no_other(tmp_path: Path) -> None:
    date = schema_of(written(tmp_path, ["2021-01-01", "2021-02-01", "1999-01-01"]), True).modelled[
        0
    ]
    assert not date.own_surprise(moment("1950-01-01")).any()


def test_a_value_that_was_expected_is_no_reason() -> None:
    parts = np.array([[9.0, 5.0, 0.0], [9.0, 0.0, 0.0]])
    alike = np.array([[True, False, True], [True, False, False]])
    named = reasons.columns(parts, np.zeros(3), None, alike)
    # of the second record there is no other reason
    assert named == [[1], [0]]
