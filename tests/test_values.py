"""One table in every format is one table: a model fitted on any of them scores all alike."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from aetool import operations
from aetool.data.table import Cells
from aetool.operations import FitOptions
from tests.sweeps import one_in

ROWS = 240
FORMATS = ("csv", "tsv", "jsonl", "parquet", "arrow", "table", "frame")


def frame():
    """Numbers with and without decimals, gaps, words, truths, moments."""
    rng = np.random.default_rng(3)
    whole = rng.integers(0, 40, ROWS)
    level = rng.choice(["low", "mid", "high"], ROWS, p=[0.5, 0.3, 0.2]).astype(object)
    level[[5, 70]] = None
    measure = (whole * 0.5 + rng.normal(0, 1, ROWS)).round(3)
    measure[[11, 12, 90]] = np.nan
    return pd.DataFrame(
        {
            "moment": pd.date_range("2023-03-25 22:00", periods=ROWS, freq="h"),
            "whole": whole,
            "measure": measure,
            "ratio": rng.random(ROWS),
            "level": level,
            "running": measure > 10,
        }
    )


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """The table in each format; "frame" is the DataFrame itself, "table" one of Arrow."""
    folder = tmp_path_factory.mktemp("values")
    table = frame()
    paths = {name: folder / f"t.{name}" for name in FORMATS[:5]}
    table.to_csv(paths["csv"], index=False)
    table.to_csv(paths["tsv"], index=False, sep="\t")
    table.to_json(
        paths["jsonl"], orient="records", lines=True, date_format="iso", double_precision=15
    )
    table.to_parquet(paths["parquet"])
    table.to_feather(paths["arrow"])
    return {**paths, "table": pa.Table.from_pandas(table), "frame": table}


@pytest.mark.parametrize("fitted", one_in(2, FORMATS))
def test_fitted_on_any_and_detected_on_any(tables, fitted):
    model = operations.fit(tables[fitted], FitOptions("pca"))
    kinds = {column.name: column.kind for column in model.schema.columns}
    assert kinds == {
        "moment": "date", "whole": "number", "measure": "number", "ratio": "number",
        "level": "category", "running": "category",
    }  # fmt: skip
    own = operations.score(tables[fitted], model)
    for other in FORMATS:
        scores = operations.score(tables[other], model)
        np.testing.assert_allclose(scores, own, rtol=1e-9, atol=1e-9, err_msg=other)


def test_the_same_values_in_other_words(tmp_path):
    """Whole numbers with a point, truths in other spellings, moments with other offsets and with
    fractions of a second."""
    table = frame()
    model = operations.fit(table, FitOptions("pca"))
    own = operations.score(table, model)
    berlin = table.moment.dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
    other = table.assign(
        moment=[t.isoformat() if i % 2 else t.isoformat(sep=" ", timespec="microseconds")
                for i, t in enumerate(berlin)],
        whole=table.whole.map("{:.1f}".format),
        running=table.running.map({True: "yes", False: "NO"}),
    )  # fmt: skip
    assert other.moment.str.contains("+02:00", regex=False).any()
    path = tmp_path / "other.csv"
    other.to_csv(path, index=False)
    np.testing.assert_allclose(operations.score(path, model), own, rtol=1e-9, atol=1e-9)
    records = [
        json.loads(line) for line in other.to_json(orient="records", lines=True).splitlines()
    ]
    path = tmp_path / "other.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    np.testing.assert_allclose(operations.score(path, model), own, rtol=1e-9, atol=1e-9)


def test_an_odd_cell_is_found_and_shown_as_it_stands(tmp_path):
    table = frame().astype(object)
    model = operations.fit(frame(), FitOptions("pca"))
    table.loc[100, "measure"] = "ERR"
    table.loc[150, "moment"] = "soon"
    path = tmp_path / "t.csv"
    table.to_csv(path, index=False)
    for given in (model, None):
        found = operations.detect(path, given, top=5)
        assert {100, 150} <= set(found.row.tolist())
        why = dict(zip(found.row.tolist(), found.why, strict=True))
        assert why[100].startswith("measure=ERR (expected ") and why[150].startswith("moment=soon")


@pytest.mark.parametrize("longest", [2, 64, 65])
def test_words_that_zero_bytes_tell_apart_are_different(longest):
    words = ["a\0", "a", "", "a\0\0", "b\0c", "\0", "a", "é\0", "a\0", "x" * longest]
    different, index = Cells.of(words).distinct()
    assert different == ["", "\0", "a", "a\0", "a\0\0", "b\0c", "x" * longest, "é\0"]
    assert [different[place] for place in index.tolist()] == words


def test_levels_and_groups_that_zero_bytes_tell_apart_are_different(tmp_path):
    """They were one level of a fit, and one group of rows, whose history was that of both."""
    rng = np.random.default_rng(0)
    level = np.array(["a", "a\0", "b"], object)[np.arange(300) % 3]
    table = pd.DataFrame({"x": np.cumsum(rng.normal(size=300)), "level": level})
    path = tmp_path / "t.parquet"
    table.to_parquet(path)
    model = operations.fit(path, FitOptions("pca"))
    column = next(column for column in model.schema.columns if column.name == "level")
    assert dict(zip(column.levels, column.counts, strict=True)) == dict.fromkeys(level, 100)
    decoded = operations.decode(operations.encode(path, model), model)
    assert decoded["level"].tolist() == level.tolist()
    grouped = operations.fit(path, FitOptions("pca", group="level", context=1))
    scores = operations.score(path, grouped)
    for one in ("a", "a\0"):
        of_group = operations.score(table[level == one], grouped)
        np.testing.assert_allclose(scores[level == one], of_group, rtol=1e-9)


def test_a_table_is_judged_alike_from_a_file_and_from_memory(tmp_path):
    """Whole numbers beside gaps are floats to pandas, and written as 40.0."""
    rng = np.random.default_rng(9)
    hours = rng.normal(38, 12, 500).round().clip(1, 99)
    frame = pd.DataFrame({"hours": hours, "pay": (hours * rng.normal(30, 3, 500)).round(2)})
    frame.loc[::9, "hours"] = np.nan
    frame.to_csv(tmp_path / "t.csv", index=False)
    assert ".0," in (tmp_path / "t.csv").read_text()
    of_file = operations.detect(tmp_path / "t.csv", None, all_rows=True)
    of_memory = operations.detect(frame, None, all_rows=True)
    np.testing.assert_array_equal(of_file.score, of_memory.score)
    assert of_file.threshold == of_memory.threshold
