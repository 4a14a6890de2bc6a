"""How columns are read beside each other and in other files, and how that is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from aetool import operations
from aetool.columns.category import Category
from aetool.columns.schema import Schema, infer, understood, understood_briefly
from aetool.data.sources import open_source
from aetool.data.table import Cells


def schema_of(data: object) -> Schema:
    source = open_source(data)
    table, _ = source.sample(1000, 0)
    return infer(table, dtypes=source.dtypes)


def test_every_column_that_is_left_out_is_named_in_few_lines() -> None:
    columns: dict[str, object] = {f"id{i}": np.arange(40.0) for i in range(20)}
    columns |= {f"note{i}": [f"text {i} of {j}" for j in range(40)] for i in range(10)}
    columns |= {f"x{i}": np.random.default_rng(i).normal(size=40) for i in range(20)}
    schema = schema_of(pd.DataFrame(columns))
    lines = understood_briefly(schema, 12)
    assert len(lines) == 12
    assert lines[0].startswith("id0, id1, ")
    assert lines[0].endswith("id19: an identifier; not modelled")
    assert lines[1].startswith("note0, note1, ") and "note9: text" in lines[1]
    assert lines[2].startswith("x0: numbers")
    assert lines[11] == "and 11 more columns"
    assert len(understood(schema)) == 50
    assert understood_briefly(schema, 50) == understood(schema)


def test_a_word_is_a_level_where_the_file_writes_its_gaps_otherwise(tmp_path: Path) -> None:
    rows = [
        f"{'None' if i % 3 else 'Brick'},{'' if i % 7 == 0 else i * 1.5},{i % 4}" for i in range(60)
    ]
    (tmp_path / "houses.csv").write_text("veneer,area,rooms\n" + "\n".join(rows) + "\n")
    schema = schema_of(tmp_path / "houses.csv")
    veneer = schema["veneer"]
    assert isinstance(veneer, Category) and veneer.levels == ("None", "Brick") and not veneer.gaps
    parsed = veneer.parse(Cells.of(["None", "Brick", "", "NA", None]))
    np.testing.assert_array_equal(parsed, [0, 1, np.nan, np.nan, np.nan])
    assert Schema.from_json(schema.to_json()) == schema


def test_a_word_is_a_gap_where_nothing_speaks_against_it(tmp_path: Path) -> None:
    rows = [f"{'?' if i % 3 == 0 else 'abc'[i % 3]},{i % 4}" for i in range(60)]
    (tmp_path / "plain.csv").write_text("kind,rooms\n" + "\n".join(rows) + "\n")
    assert schema_of(tmp_path / "plain.csv")["kind"].missing == 20
    rows = [
        f"{'?' if i % 3 == 0 else 'abc'[i % 3]},{'?' if i % 5 == 0 else i * 1.5},"
        for i in range(60)
    ]
    (tmp_path / "same.csv").write_text("kind,area,empty\n" + "\n".join(rows) + "\n")
    assert schema_of(tmp_path / "same.csv")["kind"].missing == 20


def measured(rows: int = 200) -> pd.DataFrame:
    """Days, a number with decimals, a number with thousands."""
    rng = np.random.default_rng(11)
    days = pd.date_range("2023-01-01", periods=rows, freq="D")
    flow = (10 + rng.normal(size=rows)).round(2)
    return pd.DataFrame({"day": days, "flow": flow, "cost": (2000 + 900 * flow).round(2)})


def test_a_model_of_typed_data_reads_what_a_german_spreadsheet_writes(tmp_path: Path) -> None:
    table = measured()
    table.to_parquet(tmp_path / "t.parquet")
    german = table.assign(day=table["day"].dt.strftime("%d.%m.%Y"))
    german["cost"] = [
        f"{v:,.2f}".replace(",", " ").replace(".", ",").replace(" ", ".") for v in table["cost"]
    ]
    german.to_csv(tmp_path / "t.csv", sep=";", decimal=",", index=False)
    model = operations.fit(tmp_path / "t.parquet", operations.FitOptions("pca"))
    own = operations.score(tmp_path / "t.parquet", model)
    np.testing.assert_allclose(operations.score(tmp_path / "t.csv", model), own, atol=1e-9)
    german.loc[17, "flow"] = 99.5
    german.to_csv(tmp_path / "odd.csv", sep=";", decimal=",", index=False)
    found = operations.detect(tmp_path / "odd.csv", model, top=1)
    column, value, expected = found.named[0][0]
    assert (found.row.tolist(), column, value) == ([17], "flow", "99,5")
    assert "," in expected


def test_moments_are_read_that_json_counts(tmp_path: Path) -> None:
    table = measured()
    table.to_csv(tmp_path / "t.csv", index=False)
    model = operations.fit(tmp_path / "t.csv", operations.FitOptions("pca"))
    own = operations.score(tmp_path / "t.csv", model)
    for parts in (1, 10**3, 10**6, 10**9):
        path = tmp_path / f"{parts}.jsonl"
        seconds = (table["day"] - pd.Timestamp(0)).dt.total_seconds().astype(int) * parts
        table.assign(day=seconds).to_json(path, orient="records", lines=True)
        np.testing.assert_allclose(operations.score(path, model), own, atol=1e-9)
    chosen = operations.fit(
        tmp_path / "1000.jsonl", operations.FitOptions("pca", types={"day": "date"})
    )
    assert chosen.schema is not None and chosen.schema["day"].kind == "date"
    np.testing.assert_allclose(operations.score(tmp_path / "t.csv", chosen), own, atol=1e-9)
