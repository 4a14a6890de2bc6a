"""How columns are read beside each other and in other files, and how that is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import aetool
from aetool import operations
from aetool.columns.category import Category
from aetool.columns.column import ODD
from aetool.columns.schema import Schema, infer, understood, understood_briefly
from aetool.data.sources import open_source
from aetool.data.table import Cells
from aetool.errors import DataError


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
    ids = ", ".join(f"id{i}" for i in range(20))
    notes = ", ".join(f"note{i}" for i in range(10))
    assert lines == [
        f"30 columns are left out: {ids} (an identifier); "
        f"{notes} (text that hardly repeats itself)",
        "numbers: " + ", ".join(f"x{i}" for i in range(12)) + " and 8 more columns",
    ]
    assert len(understood(schema)) == 50


NEWCOMER = Path("newcomer.csv")


def newcomer(folder: Path) -> Path:
    """A table with dates that two orders fit, gaps, an odd cell, constant columns and text."""
    rng = np.random.default_rng(1)
    lines = ["id,day,start,plant,comment,temp,load,flag,empty"]
    for i in range(400):
        day = f"{1 + i % 12:02}/{1 + i * 5 % 12:02}/{20 + i % 4}"
        start = f"2023-01-{1 + i % 28:02}T{i % 24:02}:00"
        temp = "ERR" if i == 33 else f"{20 + rng.normal():.2f}"
        load = "" if i % 50 == 7 else f"{50 + rng.normal():.1f}"
        flag = "yes" if i % 3 else "no"
        lines.append(f"{i},{day},{start},P1,found {i} of {i * 7},{temp},{load},{flag},")
    path = folder / NEWCOMER
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_what_a_newcomer_is_told_is_short_and_the_useful_comes_first(tmp_path: Path) -> None:
    schema = schema_of(newcomer(tmp_path))
    lines = understood_briefly(schema, 12)
    assert lines[0] == (
        "2 columns are left out: id (an identifier); comment (text that hardly repeats itself)"
    )
    assert lines[1].startswith("day: dates, ")
    assert lines[1].endswith(
        "read as month, day, year, which is a guess: if it is wrong, types day=date:dmy"
    )
    assert lines[2].startswith("temp: numbers, ") and lines[2].endswith("1 cell of another kind")
    assert lines[3:] == [
        "nothing differs in: plant, empty",
        "gaps: load (8)",
        "dates: start; numbers: load; categories: flag",
    ]
    # with fewer lines, what is odd shares one
    assert understood_briefly(schema, 5)[1] == "with something odd: day, temp"


def test_the_order_of_dates_can_be_said(tmp_path: Path, run) -> None:
    path = newcomer(tmp_path)
    source = open_source(path)
    table, _ = source.sample(1000, 0)
    moments = {}
    for order in ("dmy", "mdy"):
        day = infer(table, {"day": f"date:{order}"})["day"]
        assert "guess" not in day.understood() and not day.remark()
        moments[order] = day.parse(table.values[1])[:3]
    seconds = {
        "dmy": ["2020-01-01", "2021-06-02", "2022-11-03"],
        "mdy": ["2020-01-01", "2021-02-06", "2022-03-11"],
    }
    for order, days in seconds.items():
        expected = np.array(days, "datetime64[s]").astype(float)
        np.testing.assert_array_equal(moments[order], expected)
    assert run("detect", path, "--type", "day=date:dmy", "--explain-columns").status == 0
    done = run("detect", path, "--type", "day=date:dym")
    assert done.status == 2
    assert "--type day=date:dym: the order of day, month and year must be one of dmy" in done.err


def test_an_order_that_the_dates_do_not_have_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    rows = [f"{1 + i % 28:02}/{1 + i % 12:02}/2024,{i % 7}" for i in range(60)]
    path.write_text("day,x\n" + "\n".join(rows) + "\n", encoding="utf-8")
    table, _ = open_source(path).sample(1000, 0)
    assert infer(table, {"day": "date:dmy"})["day"].kind == "date"
    with pytest.raises(DataError, match="most of its dates with '/' are day, month, year"):
        infer(table, {"day": "date:mdy"})


def days_of_both_orders(path: Path, by_day: int, by_month: int, either: int) -> Path:
    """A table of dates: so many that can only be day/month/year, that can only be month/day/year,
    and that can be either."""
    days = [f"{13 + i % 15}/{1 + i % 12:02}/2024" for i in range(by_day)]
    days += [f"{1 + i % 12:02}/{13 + i % 15}/2024" for i in range(by_month)]
    days += [f"03/{4 + i % 8:02}/2024" for i in range(either)]
    # the same in both orders: it is counted for none
    days += ["01/01/2024"]
    rows = [f"{day},{i % 7}" for i, day in enumerate(days)]
    path.write_text("day,x\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


SENTENCE = (
    "of two orders: 45 are day/month/year, such as 13/01/2024, and 52 month/day/year, such as "
    "01/13/2024; 20 that could be either, such as 03/04/2024, are read as month/day/year; write all "
    "in one order, best as 2024-01-31, or --type day=category"
)


@pytest.mark.parametrize("command", ["fit", "detect"])
def test_a_column_that_mixes_two_orders_of_dates_is_told_of(
    tmp_path: Path, run, command: str
) -> None:
    path = days_of_both_orders(tmp_path / "d.csv", 45, 52, 20)
    options = ["-o", tmp_path / "d.aem"] if command == "fit" else []
    done = run(command, path, *options)
    assert done.status == 0
    assert f"day: dates, 01/01/2024 to 12/24/2024, {SENTENCE}\n" in done.err
    done = run(command, path, *options, "--explain-columns")
    assert f"day: dates, 01/01/2024 to 12/24/2024, {SENTENCE}\n" in done.out
    # what the remark names takes it away
    done = run(command, path, *options, "--type", "day=category", "--explain-columns")
    assert done.status == 0 and "of two orders" not in done.out


def hours(path: Path, written: dict[int, str]) -> Path:
    """A table of 400 hours and a load, with dates written in another way in some rows from 0."""
    rng = np.random.default_rng(7)
    rows = []
    for row in range(400):
        moment = np.datetime64("2013-06-01T00:00") + np.timedelta64(row, "h")
        day = written.get(row, str(moment).replace("T", " "))
        rows.append(f"{day},{50 + rng.normal():.2f}")
    path.write_text("day,x\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(("cell", "expected"), [
    ("17/06/2013 05:00", "2013-06-17 05:00"),
    ("06/17/2013 05:00", "2013-06-17 05:00"),
    ("17.06.2013 05:00", "2013-06-17 05:00"),
    ("2013/06/17 05:00", "2013-06-17 05:00"),
])  # fmt: skip
def test_detect_names_a_date_that_is_written_unlike_the_others(
    tmp_path: Path, run, cell: str, expected: str
) -> None:
    path = hours(tmp_path / "d.csv", {300: cell})
    clean = hours(tmp_path / "clean.csv", {})
    reason = f"day={cell} (expected {expected})"
    # row numbers count from 1
    flagged = [line for line in run("detect", path).out.splitlines() if line.startswith("301,")]
    assert len(flagged) == 1 and flagged[0].endswith(reason)
    for name, source, options in (
        ("clean", clean, []),
        ("robust", path, ["--robust"]),
        ("plain", path, []),
    ):
        model = tmp_path / f"{name}.aem"
        assert run("fit", source, "-o", model, *options).status == 0
        done = run("detect", path, "-m", model)
        flagged = [line for line in done.out.splitlines() if line.startswith("301,")]
        assert flagged[0].endswith(reason)


def test_a_date_that_could_be_two_days_is_expected_to_be_none(tmp_path: Path, run) -> None:
    path = hours(tmp_path / "d.csv", {300: "06/07/2013"})
    done = run("detect", path)
    assert "day=06/07/2013 (expected 2013-06-01 " in done.out
    # nothing is guessed of what is not read
    assert "guess" not in done.err


def test_dates_written_in_two_ways_are_told_of_and_not_flagged(tmp_path: Path, run) -> None:
    written = {row: f"{1 + row // 24:02}/06/2013 {row % 24:02}:00" for row in range(0, 400, 4)}
    path = hours(tmp_path / "d.csv", written)
    remark = "written in 2 ways: 300 such as 2013-06-01 01:00, 100 such as 01/06/2013 00:00"
    done = run("detect", path)
    assert remark in done.err and "day=" not in done.out
    model = tmp_path / "d.aem"
    done = run("fit", path, "-o", model)
    assert remark in done.err
    assert "day=" not in run("detect", path, "-m", model).out


def test_another_file_may_have_its_own_way_of_dates(tmp_path: Path) -> None:
    day = schema_of(hours(tmp_path / "clean.csv", {}))["day"]
    slashes = Cells.of([f"{1 + row // 24:02}/06/2013" for row in range(400)])
    moments = day.as_written(slashes, ".").parse(slashes)
    assert moments[399] == np.datetime64("2013-06-17", "s").astype(float)
    # one cell of another family in a file of the model's own is odd, however short the file
    few = Cells.of(["2013-06-17 05:00", "2013-06-17 06:00", "17/06/2013 07:00"])
    assert (day.as_written(few, ".").parse(few) == ODD).tolist() == [False, False, True]


def test_dates_that_could_be_either_are_read_as_the_remark_on_two_orders_says(
    tmp_path: Path,
) -> None:
    for by_day, by_month, order, moment in (
        (45, 52, "month/day/year", "2024-03-04"),
        (52, 45, "day/month/year", "2024-04-03"),
        (50, 50, "day/month/year", "2024-04-03"),
    ):
        path = days_of_both_orders(tmp_path / "d.csv", by_day, by_month, 1)
        day = schema_of(path)["day"]
        assert day.remark() == (
            f"of two orders: {by_day} are day/month/year, such as 13/01/2024, and {by_month} "
            "month/day/year, such as 01/13/2024; 1 that could be either, such as 03/04/2024, is "
            f"read as {order}; write all in one order, best as 2024-01-31, or types day=category"
        )
        expected = np.array([moment, "2024-01-13", "2024-01-13"], "datetime64[s]").astype(float)
        cells = Cells.of(["03/04/2024", "13/01/2024", "01/13/2024"])
        np.testing.assert_array_equal(day.parse(cells), expected)
    # where each date tells its own order, all are read right
    path = days_of_both_orders(tmp_path / "d.csv", 45, 52, 0)
    assert schema_of(path)["day"].remark() == (
        "of two orders: 45 are day/month/year, such as 13/01/2024, and 52 month/day/year, such as "
        "01/13/2024; write all in one order, best as 2024-01-31, or types day=category"
    )


def test_the_remark_on_two_orders_is_written_into_no_model(tmp_path: Path) -> None:
    schema = schema_of(days_of_both_orders(tmp_path / "d.csv", 45, 52, 20))
    assert "mixed" not in schema["day"].to_json()
    back = Schema.from_json(schema.to_json())
    assert back == schema and not back["day"].remark()


@pytest.mark.parametrize(
    "formats",
    [
        ("{d:02}.{m:02}.2024", "2024-{m:02}-{d:02}"),
        ("{d:02}.{m:02}.2024", "{m:02}/{d:02}/2024"),
        ("{d:02}/{m:02}/2024", "{d}/{m}/24"),
        ("{m:02}/{d:02}/2024", "{m}/{d}/24 12:30"),
        ("24/{m:02}/{d:02}", "24/{m:02}/{d:02}"),
    ],
)
def test_dates_of_two_formats_are_not_of_two_orders(
    tmp_path: Path, formats: tuple[str, str]
) -> None:
    path = tmp_path / "d.csv"
    days = [formats[i % 2].format(d=1 + i % 28, m=1 + i % 12) for i in range(120)]
    path.write_text("day,x\n" + "\n".join(f"{day},1" for day in days) + "\n", encoding="utf-8")
    day = schema_of(path)["day"]
    assert day.kind == "date" and "of two orders" not in day.remark()


def test_a_few_dates_of_another_order_are_odd_cells(tmp_path: Path) -> None:
    schema = schema_of(days_of_both_orders(tmp_path / "d.csv", 2, 97, 20))
    assert schema["day"].odd == 2 and not schema["day"].remark()
    assert understood(schema)[0].endswith(", 2 cells of another kind")


@pytest.mark.parametrize(("asked", "shown"), [("date:mdy", "date:mdy"), ("date", "date")])
def test_a_day_and_a_month_are_no_date_for_want_of_a_year(tmp_path: Path, run, asked, shown):
    path = tmp_path / "d.csv"
    rows = [f"{1 + i % 12}/{1 + i % 28},{i % 7}" for i in range(60)]
    path.write_text("day,x\n" + "\n".join(rows) + "\n", encoding="utf-8")
    done = run("detect", path, "--type", f"day={asked}")
    assert done.status == 2
    assert f"--type day={shown}: '1/1' has no year; write ISO 8601" in done.err


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


def test_texts_of_a_frame_with_thousands_parted_are_numbers(tmp_path: Path) -> None:
    amounts = np.random.default_rng(0).integers(1000, 9000, 200)
    amounts[77] = 4_000_000
    frame = pd.DataFrame({"cost": [f"{v:,}" for v in amounts], "x": np.arange(200.0) % 7})
    cost = schema_of(frame)["cost"]
    assert cost.kind == "number"
    frame.to_csv(tmp_path / "t.csv", index=False)
    assert cost.understood() == schema_of(tmp_path / "t.csv")["cost"].understood()
    np.testing.assert_array_equal(cost.parse(Cells.of(["1,234", "12", None])), [1234, 12, np.nan])
    # digits alone that are texts, such as keys, stay texts
    frame["cost"] = [str(v) for v in amounts]
    assert schema_of(frame)["cost"].kind != "number"
    frame["cost"] = [f"{v:,}" for v in amounts]
    model = aetool.fit(frame, "pca")
    found = model.detect(frame)
    assert found["score"].idxmax() == 77 and "cost=4,000,000" in found["why"][77]
    back = model.decode(model.encode(frame))
    assert all(isinstance(value, str) for value in back["cost"])
    assert abs(int(back["cost"][0].replace(",", "")) - int(amounts[0])) < 900


@pytest.mark.parametrize("types", [None, {"temp": "number"}])
def test_texts_that_are_numbers_are_told_of_where_they_are_read_as_words(
    caplog: pytest.LogCaptureFixture, types: dict[str, str] | None
) -> None:
    """pandas makes texts of a whole column where one cell is odd, and its first rows stay texts."""
    rng = np.random.default_rng(2)
    texts = [f"{value:.1f}" for value in rng.normal(20, 3, 300)]
    frame = pd.DataFrame(
        {"temp": texts, "x": np.arange(300) % 7, "word": ["up", "down", "1"] * 100}
    )
    aetool.fit(frame, "pca", types=types)
    said = [
        record.getMessage()
        for record in caplog.records
        if "are read as words" in record.msg % record.args
    ]
    assert said == (
        []
        if types
        else [
            "DataFrame: texts that are numbers are read as words: temp; if they are amounts, and no "
            "codes, say types temp=number"
        ]
    )
