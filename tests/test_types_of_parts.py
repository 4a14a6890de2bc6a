"""A column whose type differs from file to file: said, or refused, and never taken for another kind."""

import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aetool.data import notices, sources
from aetool.data.table import Cells
from aetool.errors import DataError

N = 40
COLUMNS = {
    "int": pa.array(range(N)),
    "float": pa.array([row / 8 for row in range(N)]),
    "moment": pa.array([datetime.datetime(2024, 1, 1, row % 24) for row in range(N)]),
    "day": pa.array([datetime.date(2024, 1, 1 + row % 28) for row in range(N)]),
    "truth": pa.array([row % 2 == 0 for row in range(N)]),
    "text": pa.array([f"t{row % 3}" for row in range(N)]),
    "level": pa.array(["a", "b"] * (N // 2)).dictionary_encode(),
    "time": pa.array([datetime.time(row % 24) for row in range(N)]),
    "list": pa.array([[row] for row in range(N)]),
    "nothing": pa.nulls(N),
}


@pytest.fixture
def folder(tmp_path):
    """A function that writes a column as each of two types, to a file each."""

    def written(first, second):
        for name, kind in (("1", first), ("2", second)):
            table = pa.table({"a": COLUMNS[kind], "y": COLUMNS["float"]})
            pq.write_table(table, tmp_path / f"{name}.parquet")
        return tmp_path

    return written


def both_ways(*pairs):
    return [*pairs, *((second, first) for first, second in pairs)]


@pytest.mark.parametrize(
    "kinds",
    both_ways(
        ("int", "moment"), ("int", "truth"), ("day", "float"), ("time", "moment"), ("truth", "list")
    ),
)
def test_types_that_have_nothing_in_common_are_refused(folder, kinds, run):
    path = folder(*kinds)
    # of a list its own name, whatever Parquet calls its elements
    first_type = str(COLUMNS[kinds[0]].type).partition("<")[0]
    said = f"column 'a' is {first_type}"
    with pytest.raises(DataError) as error:
        sources.open_source(path)
    assert f"{path}/1.parquet and " in str(error.value)
    assert said in str(error.value) and "give tables in which it is of one type" in str(error.value)
    done = run("detect", path)
    assert done.status == 2 and done.err.count("\n") == 1


@pytest.mark.parametrize(
    "kinds", both_ways(("int", "text"), ("moment", "text"), ("truth", "level"))
)
def test_text_in_one_file_is_text_in_all_and_said(folder, kinds):
    said = []
    with notices.heard_by(lambda _, line: said.append(line)):
        values = sources.open_source(folder(*kinds)).head()["a"]
    assert isinstance(values, Cells) and len(values) == 2 * N
    assert len(said) == 1 and said[0].endswith("here: it is read as text in all")


@pytest.mark.parametrize("kinds", both_ways(("int", "float"), ("moment", "day"), ("text", "level")))
def test_types_of_one_family_are_one_kind(folder, kinds):
    said = []
    with notices.heard_by(lambda _, line: said.append(line)):
        assert len(sources.open_source(folder(*kinds)).head()["a"]) == 2 * N
    assert not said


@pytest.mark.parametrize("kind", ["moment", "day", "int", "float"])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_file_without_any_value_has_gaps(folder, kind, is_first):
    path = folder(*(("nothing", kind) if is_first else (kind, "nothing")))
    values = sources.open_source(path).head()["a"]
    assert values.dtype.kind == ("M" if kind in ("moment", "day") else "f")
    gaps = np.isnat(values) if values.dtype.kind == "M" else np.isnan(values)
    assert gaps[:N].all() == is_first and gaps[N:].all() != is_first


def test_files_that_workers_read_are_cut_alike(folder, run):
    path = folder("nothing", "moment")
    alone = run("detect", path, "--all")
    spread = run("detect", path, "--all", "--engine", "processes:2")
    assert alone.status == spread.status == 0 and alone.out == spread.out
