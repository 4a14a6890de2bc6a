"""Kinds, gaps, resolutions; what a model's columns accept later."""

import numpy as np
import pytest

from aetool.columns import layout
from aetool.columns.schema import Schema, drop, infer
from aetool.data import dates, numbers
from aetool.data.table import Cells, Table
from aetool.errors import DataError, ParamError


def table(**columns: list[str]) -> Table:
    return Table(tuple(columns), tuple(Cells.of(v) for v in columns.values()))


def kind(*cells: str, **options: object) -> object:
    return infer(table(c=list(cells)), **options).columns[0]  # type: ignore[arg-type]


def test_kinds():
    many = [str(i) for i in range(40)]
    assert kind("1", "2", "30").decimals == 0
    assert kind("1.50", "2.25").decimals == 2
    assert kind("1e-5", "2.5").decimals is None
    assert kind("007", "042", "007", "042").kind == "category"
    assert kind("a", "b", "a", "a").kind == "category"
    assert kind(*[f"id{i}" for i in range(50)]).kind == "text"
    assert kind(*many).kind == "identifier", "a running number identifies"
    assert kind(*many[::-1]).kind == "number"
    assert kind("2024-01-01", "2024-01-02").kind == "date"
    assert kind("", "", "").kind == "category"
    assert kind("1", "2", chosen={"c": "category"}).kind == "category"


def test_gaps_keep_their_token():
    c = kind("1", "NA", "3")
    assert (c.kind, c.gaps, c.token) == ("number", True, "NA")


def test_frequent_levels_and_other():
    cells = [f"v{i % 300}" for i in range(1200)] + ["v0"] * 10
    c = kind(*cells)
    assert len(c.levels) == 254 and c.others and c.levels[0] == "v0"
    x = Schema((c,), 0).encode(table(c=["v0", "never seen", ""]), "t")[:, 0]
    assert x[0] == 0 and x[1] == 254 and np.isnan(x[2])


@pytest.mark.parametrize(
    "text",
    ["2024-02-29", "2013-03-01T05:00", "2020-03-09 10:14:33", "31.12.2024", "12/31/2024 7:05",
     "2020-03-09 10:14:33.125Z", "2020-03-09T10:14:33+05:30"],
)  # fmt: skip
def test_dates_come_back_as_written(text):
    fmt = dates.detect_format([text])
    assert fmt is not None
    assert dates.render(dates.parse([text], fmt), fmt) == [text]


def test_dates_are_utc_seconds():
    fmt = dates.detect_format(["2020-03-09T10:14:33+05:30"])
    expected = np.datetime64("2020-03-09T04:44:33").astype("int64")
    assert dates.parse(["2020-03-09T10:14:33+05:30"], fmt)[0] == expected


def test_ambiguous_or_impossible_dates_are_text():
    assert dates.detect_format(["01/02/2024", "03/04/2024"]) is None
    assert dates.detect_format(["2023-02-29"]) is None


def test_numbers_are_read_exactly():
    cells = Cells.of(["1.5", " -2 ", "NA", "1e5", "x", "inf", None])
    read = numbers.parse(cells)
    np.testing.assert_array_equal(read.value, [1.5, -2, np.nan, 1e5, np.nan, np.inf, np.nan])
    assert read.bad.tolist() == [False] * 4 + [True, False, False]


def test_decimal_comma():
    schema = infer(table(c=["1,5", "2,25"]), decimal=",")
    assert schema.encode(table(c=["3,75"]), "t")[0, 0] == 3.75


def test_json_round_trip(rows_csv):
    from aetool.data.sources import open_source

    schema = infer(open_source(rows_csv).head())
    assert Schema.from_json(schema.to_json()) == schema


def test_reordered_columns_are_the_same():
    t = table(a=["1", "2", "5"], b=["x", "y", "x"])
    schema = infer(t, {"b": "category"})
    swapped = Table(t.names[::-1], t.values[::-1])
    np.testing.assert_array_equal(schema.encode(t, "t"), schema.encode(swapped, "t"))


def test_missing_and_retyped_columns_are_named():
    schema = infer(table(a=["1", "2"], b=["1", "3"]))
    with pytest.raises(DataError, match="column 'b' is missing.*--drop b"):
        schema.encode(table(a=["1"], c=["2"]), "t.csv")
    with pytest.raises(DataError, match="row 2, column 'b': found 'red' where.*number"):
        schema.encode(table(a=["1", "2"], b=["1", "red"]), "t.csv")


def test_drop_and_unknown_names():
    schema = infer(table(a=["1", "2"], b=["1", "3"]))
    assert [c.name for c in drop(schema, ["a"]).modelled] == ["b"]
    with pytest.raises(ParamError, match="no such column"):
        drop(schema, ["z"])


def test_heavy_tails_are_laid_through_asinh_and_back_in_order():
    rng = np.random.default_rng(0)
    cells = [f"{v:.3f}" for v in rng.lognormal(0, 2, 4000)]
    c = kind(*cells)
    assert c.scale.curved
    x = np.sort(np.array(cells, dtype=float))
    assert (np.diff(c.scale.standardised(x)) >= 0).all() and abs(
        c.scale.standardised(x).std() - 1
    ) < 0.1


def test_missing_features_are_flagged():
    t = table(a=["1", "", "5", "2"], c=["x", "x", "", "y"])
    schema = infer(t, {"c": "category"})
    features = layout.table_features(schema, schema.encode(t, "t"))
    spec = layout.table_spec(schema)
    (flag, _), (_, start, width) = spec.flags[0], spec.categories[0]
    assert features[:, flag].tolist() == [0, 1, 0, 0]
    assert features[1, spec.numeric[0]] == 0
    assert features[2, start : start + width].tolist() == [0, 0, 0, 1]
