"""Tables as programs write them, one error each: detect without a model finds it and says where."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aetool import operations
from aetool.data.sources import open_source
from aetool.fits import preparing
from tests.conftest import Ran

FOLDER = Path(__file__).parent / "tables"
TABLES: list[dict[str, Any]] = json.loads((FOLDER / "tables.json").read_text("utf-8"))
FEWEST, FEWEST_BY_PROGRAMS = 60, 20
MOST_MISSED = 0.05  # of the tables

# What is not right, and why. A table that is here and has become right is no failure.
MISSES: dict[str, str] = {}


def test_the_corpus_is_what_its_list_says() -> None:
    listed = {table["file"] for table in TABLES}
    assert listed == {p.name for p in FOLDER.iterdir()} - {
        "tables.json",
        "README.md",
        ".gitattributes",
    }
    assert len(TABLES) >= FEWEST
    assert sum(table["by_the_program"] for table in TABLES) >= FEWEST_BY_PROGRAMS
    for table in TABLES:
        text = (FOLDER / table["file"]).read_bytes().decode(table["encoding"])
        assert table["value"] in text
        assert 1 <= table["row"] <= table["records"]


def test_few_tables_are_missed() -> None:
    assert set(MISSES) <= {table["file"] for table in TABLES}
    assert len(MISSES) <= MOST_MISSED * len(TABLES)


def tables() -> list[Any]:
    """Every table of the corpus, under the name of its file; all but the first of each kind
    are of the long set, as each takes seconds."""
    cases = []
    kinds = set()
    for table in TABLES:
        marks = [pytest.mark.long] if table["kind"] in kinds else []
        kinds.add(table["kind"])
        cases.append(pytest.param(table, id=table["file"], marks=marks))
    return cases


@pytest.mark.parametrize("table", tables())
def test_the_error_is_found_and_no_column_is_lost(
    run: Callable[..., Ran], table: dict[str, Any]
) -> None:
    wrong = what_is_wrong(run, table)
    if wrong and table["file"] in MISSES:
        pytest.xfail(f"{MISSES[table['file']]}: {wrong}")
    assert not wrong


def what_is_wrong(run: Callable[..., Ran], table: dict[str, Any]) -> str:
    """What detect gets wrong of a table of the corpus; nothing if all is right."""
    path = FOLDER / table["file"]
    ran = run("detect", path, "--top", "3", "--json")
    if ran.status:
        return f"exit status {ran.status}: {ran.err.strip()}"
    detection = json.loads(ran.out)
    if detection["total"] != table["records"]:
        return f"{detection['total']} records of {table['records']} were read"
    columns = columns_of(path)
    left_out = [name for name, modelled in columns.items() if not modelled]
    silent = [
        name for name in left_out if not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", ran.err)
    ]
    if silent:
        return f"left out without a word: {', '.join(silent)}"
    first = detection["records"][0]
    if first["row"] != table["row"]:
        rows = [record["row"] for record in detection["records"]]
        return f"first are the records {rows}, not {table['row']}; {first['why'][:1]}"
    blamed = first["why"][0]["column"]
    if table["column"] not in ("*", blamed) and blamed != place(table, list(columns)):
        return f"blamed is {blamed}, not {table['column']}: {first['why'][:2]}"
    return ""


def columns_of(path: Path) -> dict[str, bool]:
    """The columns that are read of a table, and whether models see them."""
    schema = preparing.prepare(open_source(path), operations.FitOptions()).schema
    assert schema is not None
    return {column.name: column.modelled for column in schema.columns}


def place(table: dict[str, Any], names: list[str]) -> str | None:
    """The name by which a column without one, or with one that can be read in two ways, goes."""
    column = table["column"]
    number = column if isinstance(column, int) else table["columns"].index(column) + 1
    return names[number - 1] if len(names) == len(table["columns"]) else None
