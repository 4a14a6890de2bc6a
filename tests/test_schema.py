"""Kinds, gaps, resolutions; what a model's columns accept later."""

import re

import numpy as np
import pytest

from aetool.columns import layout
from aetool.columns.column import ODD
from aetool.columns.schema import Schema, decided, drop, infer, summarise
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
    with pytest.raises(DataError, match="column 'b' is missing.*drop b"):
        schema.encode(table(a=["1"], c=["2"]), "t.csv")
    with pytest.raises(DataError, match="row 1, column 'b': found 'red', and nothing.*number"):
        schema.encode(table(a=["1"] * 20, b=["red"] * 20), "t.csv")


def test_all_missing_columns_are_named():
    wanted = {name: ["1", "2"] for name in "abcdefgh"}
    schema = infer(table(**wanted))
    without = {name: cells for name, cells in wanted.items() if name not in "bdf"}
    with pytest.raises(DataError) as raised:
        schema.encode(table(**without, x=["1", "2"]), "t.csv")
    assert str(raised.value) == (
        "t.csv: columns 'b', 'd', 'f' are missing (it has instead: x); the model was fitted with "
        "them. Add them, or fit again with drop b,d,f"
    )


def test_a_table_that_has_hardly_a_column_of_the_model_is_of_another_kind():
    wanted = {name: ["1", "2"] for name in "abcdefgh"}
    schema = infer(table(**wanted))
    with pytest.raises(DataError) as raised:
        schema.encode(table(a=["1"], x=["2"], y=["3"]), "t.csv")
    assert str(raised.value) == (
        "t.csv: looks like a table of another kind than the model's: it has 1 of the model's 8 "
        "columns; the model was fitted on 2 records of a, b, c, d, e and 3 more, and this table's "
        "columns are a, x, y. Give a table like the model's, or a model of tables like this one"
    )
    # half of them may be a mistake in the export, and other capitals are one
    for like in ("abcd", "ABCDEFGH"):
        with pytest.raises(DataError, match="^t.csv: columns '.* are missing"):
            schema.encode(table(**{name: ["1"] for name in like}), "t.csv")
    nameless = re.escape("this table's columns are none. Give a table")
    with pytest.raises(DataError, match=nameless):
        schema.encode(table(), "t.csv")
    # who was fitted on one column has lost one
    with pytest.raises(DataError, match="column 'a' is missing"):
        infer(table(a=["1", "2"])).encode(table(x=["1"]), "t.csv")


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ("AbC", "columns 'a', 'c' are missing (it has instead: A, C)"),
        ("abC", "column 'c' is missing (it has instead: C)"),
    ],
)
def test_names_in_other_capitals_are_to_be_written_as_the_model_has_them(there, said):
    schema = infer(table(a=["1", "2"], b=["1", "3"], c=["4", "3"]))
    with pytest.raises(DataError) as raised:
        schema.encode(table(**{name: ["1"] for name in there}), "t.csv")
    assert str(raised.value) == (
        f"t.csv: {said}; names are matched letter by letter: write them as the model has them"
    )


def test_a_table_without_its_header_is_told_so():
    schema = infer(table(a=["1", "2"], b=["1", "3"]))
    with pytest.raises(DataError, match="no header: .* c1, c2; .* above the records: a, b$"):
        schema.encode(table(c1=["1"], c2=["1"]), "t.csv")


def test_an_odd_cell_is_neither_a_value_nor_a_gap():
    cells = [f"{v / 10}" for v in range(50)]
    cells[7] = "ERR"
    column = infer(table(a=cells)).columns[0]
    assert (column.kind, column.odd, column.missing, column.decimals) == ("number", 1, 0, 1)
    schema = Schema((column,), 50)
    found = schema.encode(table(a=["1.5", "red", "", "-inf"]), "t")[:, 0]
    assert found[0] == 1.5 and found[1] == ODD and np.isnan(found[2]) and found[3] == -np.inf
    days = [f"2024-01-{d:02d}" for d in range(1, 31)]
    days[3] = "soon"
    column = infer(table(a=days)).columns[0]
    assert (column.kind, column.odd, column.missing) == ("date", 1, 0)


def test_words_that_mean_the_same_are_one_level():
    truth = kind("True", "False", "True", "False")
    assert truth.truth and truth.levels == ("False", "True")
    one = truth.parse(Cells.of(["yes", "NO", "1.0", "false", "maybe", None]))
    np.testing.assert_array_equal(one, [1, 0, 1, 0, 2, np.nan])
    whole = kind("12", "13", "12", "13", chosen={"c": "category"})
    np.testing.assert_array_equal(whole.parse(np.array([12.0, 13.0, np.nan])), [0, 1, np.nan])
    np.testing.assert_array_equal(whole.parse(Cells.of(["12.0", "13.00", "012"])), [0, 1, 2])


def test_identifiers_are_told():
    rng = np.random.default_rng(0)
    hashes = [f"{v:016x}" for v in rng.integers(0, 1 << 62, 60)]
    assert kind(*hashes).kind == "identifier"
    assert kind(*[f"U-{v}" for v in range(1000, 1060)]).kind == "identifier"
    assert kind(*[f"{v}" for v in rng.permutation(60)]).kind == "number"
    shuffled = {"user_id": [f"{v}" for v in rng.permutation(60)]}
    assert infer(table(**shuffled)).columns[0].kind == "identifier"


def test_row_names_of_a_drawn_sample_are_identifiers_where_all_differ():
    drawn = np.random.default_rng(0).choice(5000, 300, replace=False)
    columns = {"rownames": drawn, "row.names": drawn, "Row_Number": drawn, "rows": drawn}
    again = {"row_names": drawn // 100}
    cells = {name: list(map(str, numbers)) for name, numbers in {**columns, **again}.items()}
    kinds = {column.name: column.kind for column in infer(table(**cells)).columns}
    assert kinds == {
        "rownames": "identifier",
        "row.names": "identifier",
        "Row_Number": "identifier",
        # what is counted in rows, or comes again, is a number like any other
        "rows": "number",
        "row_names": "number",
    }


def test_names_of_rows_are_identifiers_whatever_they_look_like():
    """R's row names, and the index of pandas, above which a heading is left empty."""
    names = [f"Fiat {'abcdefgh'[v % 8]} {v}" for v in range(60)]
    drawn = [f"{v}" for v in np.random.default_rng(0).permutation(60)]
    sizes = [f"{v}.5" for v in range(60)]
    for heading in ("rownames", "column1", "Unnamed: 0"):
        for cells in (names, drawn):
            assert infer(table(**{heading: cells})).columns[0].kind == "identifier"
        # what comes again, or has decimals, names no row
        for cells in (30 * names[:2], 3 * drawn[:20], sizes):
            assert infer(table(**{heading: cells})).columns[0].kind != "identifier"
    for heading in ("car", "column2"):
        assert infer(table(**{heading: names})).columns[0].kind == "text"
        assert infer(table(**{heading: drawn})).columns[0].kind == "number"


@pytest.mark.parametrize(("first", "is_number"), [(1, True), (0, False), (1001, False)])
def test_a_column_of_the_numbers_of_rows_is_told_from_one_of_names(first, is_number):
    cells = [f"{first + v}" for v in range(60)]
    schema = infer(table(rownames=cells))
    assert schema.columns[0].numbers_rows is is_number
    assert Schema.from_json(schema.to_json()) == schema


def test_summaries_of_pieces_add_up():
    cells = [f"{v},5" for v in range(60)] + ["ERR"]
    whole = infer(table(c=cells), decimal=".")
    pieces = [summarise(table(c=cells[i : i + 20]))[0] for i in range(0, 61, 20)]
    together = pieces[0]
    for piece in pieces[1:]:
        together = together + piece
    assert decided([together]) == whole
    assert (whole.columns[0].notation.decimal, whole.columns[0].odd) == (",", 1)


def test_numbers_as_large_as_floats_are():
    largest = np.array([-1.7e308, 1.7e308, 1e-300, 0.5, 2.0] * 20)
    schema = infer(Table(("h",), (largest,)))
    column = schema.columns[0]
    with np.errstate(all="raise", under="ignore"):
        standard = column.scale.standardised(largest)
    assert (
        np.isfinite(standard).all()
        and (np.diff(column.scale.standardised(np.sort(largest))) >= 0).all()
    )


def test_an_expectation_is_a_number_of_the_column():
    few = kind(*["0", "1"] * 20)
    assert few.expectation(0.0, 2.2) == "1" and few.expectation(1.0, -0.7) == "0"
    some = kind(*[f"{v / 4}" for v in range(200)])
    assert some.expectation(3.0, 77.0) == "49.75", "the largest seen"
    assert some.expectation(3.0, np.nan) == "present, rare"
    assert some.found(Cells.of(["99.00"]), 0, 99.0) == "99.00"
    assert some.found(np.array([25.4]), 0, 25.4) == "25.4"


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
