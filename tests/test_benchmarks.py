"""Rows of benchmarks can be measured again, and tables say what their rows were made with."""

import ast
import dataclasses
import hashlib
import importlib
import json
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aetool.codec import planning
from tests.trees import tree_of

HERE = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def rivals(bench):
    """The benchmark of rivals."""
    import rivals

    return rivals


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """(common, tables) of the benchmarks, with an empty folder of results."""
    monkeypatch.syspath_prepend(str(HERE))
    before = set(sys.modules)
    import common
    import tables

    monkeypatch.setattr(common, "RESULTS", tmp_path / "results")
    yield common, tables
    for name in set(sys.modules) - before:
        if str(HERE) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def written(common, name):
    return [
        json.loads(line) for line in (common.RESULTS / f"{name}.jsonl").read_text().splitlines()
    ]


def test_a_row_carries_what_it_takes_to_measure_it_again(bench, tmp_path):
    common, _ = bench
    data = tmp_path / "t.csv"
    data.write_bytes(b"a\n1\n")
    common.record("some", {"job": "x", "bytes": 3}, seeds=range(2), data=data)
    common.record("some", {"job": "y"}, seeds=7, data=data, chosen_on=["adult"])
    one, two = written(common, "some")
    assert one["seeds"] == [0, 1] and two["seeds"] == [7] and two["chosen_on"] == ["adult"]
    assert one["sha256"] == two["sha256"] == hashlib.sha256(b"a\n1\n").hexdigest()[:16]
    assert one["commit"] == common.commit() and len(one["commit"].removesuffix("+")) >= 7


def test_a_row_without_them_is_not_written(bench, tmp_path, monkeypatch):
    common, _ = bench
    data = np.arange(3)
    wrong = (
        (TypeError, {"data": data}),
        (TypeError, {"seeds": 0}),
        (ValueError, {"seeds": [], "data": data}),
        (TypeError, {"seeds": 0, "data": None}),
        (TypeError, {"seeds": 0, "data": []}),
        (FileNotFoundError, {"seeds": 0, "data": tmp_path / "nothing"}),
    )
    for error, given in wrong:
        with pytest.raises(error):
            common.record("some", {"job": "x"}, **given)
    with pytest.raises(ValueError, match="chosen_on"):
        common.record("detect", {"job": "x"}, seeds=0, data=data)
    with pytest.raises(ValueError, match="commit"):
        common.record("some", {"commit": "another"}, seeds=0, data=data)
    monkeypatch.setattr(common, "__file__", str(tmp_path / "benchmarks" / "common.py"))
    with pytest.raises(SystemExit, match="git checkout"):
        common.record("some", {"job": "x"}, seeds=0, data=data)
    assert not common.RESULTS.exists()


def test_checksums_tell_data_apart(bench, tmp_path):
    common, _ = bench
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").write_bytes(b"1")
    frame = pd.DataFrame({"a": [1, 2]})
    x = np.arange(4)
    many = [folder, frame, x, x.reshape(2, 2), x.astype(float), [x, frame], [frame, x], [x]]
    sums = [common.checksum(data) for data in many]
    assert len(set(sums)) == len(many) and sums == [common.checksum(data) for data in many]
    (folder / "a").rename(folder / "b")
    assert common.checksum(folder) != sums[0], "names count"


def test_every_script_says_seeds_and_data():
    calls = 0
    for path in HERE.glob("*.py"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "common.record":
                calls += 1
                given = {keyword.arg for keyword in node.keywords}
                assert {"seeds", "data"} <= given, f"{path.name}, line {node.lineno}"
            if isinstance(node, ast.Attribute) and node.attr == "write":
                assert path.name in ("common.py", "compress.py", "rivals.py"), (
                    f"{path.name} appends by itself"
                )
    assert calls >= 15


def test_tables_say_commit_and_seeds(bench):
    _, tables = bench
    row = {"commit": "aaaaaaa", "seeds": [0, 1], "sha256": "12"}
    other = {"commit": "bbbbbbb+", "seed": 4.0}
    say = lambda *rows: tables.provenance(pd.DataFrame(rows))  # noqa: E731
    assert say(row, row) == "\ncommit aaaaaaa; seeds 0, 1."
    assert say(row, other, row) == (
        "\n**rows of 2 commits** (aaaaaaa: 2, bbbbbbb+: 1); seeds 0, 1, 4; "
        "no checksum of the data: 1 of 3 rows."
    )
    assert say({"commit": ""}) == (
        "\n**commit unknown**; seeds unknown: 1 of 1 rows; no checksum of the data: 1 of 1 rows."
    )
    chosen = {**row, "chosen_on": ["b", "a"]}
    assert say(row, chosen).endswith("; settings chosen on a, b.")


def test_each_table_of_the_page_says_where_its_rows_are_from():
    """One line of commits below every table, or every group of tables of the same rows."""
    page = (HERE / "README.md").read_text()
    for part in page.split("\n## ")[1:]:
        assert "\ncommit " in part or " commits** (" in part or "**commit " in part, part[:60]


def test_sensors_tell_hits_from_false_alarms_and_count_columns_named(bench):
    import sensors

    from aetool.operations import Detection

    named = [[("flow", 9, 1), ("load", 2, 1)], [("load", 2, 1), ("power", 7, 1)], []]
    rows = np.array([4, 7, 9])
    found = Detection(
        row=rows,
        score=np.array([9.0, 8.0, 7.0]),
        p=np.full(3, 0.1),
        anomaly=np.ones(3, bool),
        why=["", "", ""],
        named=named,
        threshold=6.0,
        total=20,
        flagged=3,
        unit="bits",
    )
    moved = {4: ("flow", "spike"), 7: ("power", "stuck"), 12: ("load", "stuck")}
    assert sensors.figures(found, moved) == {
        "flagged": 3.0,
        "precision": 0.6667,
        "recall": 0.6667,
        "first": 0.5,
        "among_three": 1.0,
        "recall_spike": 1.0,
        "recall_stuck": 0.5,
        "recall_broken": 0.0,
    }


def test_stages_are_off_only_while_a_table_is_measured(rivals):
    for off, changes in rivals.SWITCHES.items():
        for owner, attribute, _ in changes:
            assert callable(getattr(owner, attribute)), off
    for changes in rivals.EFFORTS_WITHOUT.values():
        assert dataclasses.replace(planning.DEFAULT, **changes) != planning.DEFAULT


def test_rivals_of_the_row_before_are_those_of_the_same_bytes(bench, rivals, tmp_path):
    common, _ = bench
    part = tmp_path / "t.csv"
    part.write_bytes(b"a\n1\n2\n")
    assert rivals.rows_before("rivals", "t", part) == {}
    row = {"table": "t", "source_bytes": 6, "effort": "best", "bytes": 3, "ratio": 0.5}
    common.record("rivals", row | {"xz_bytes": 60, "zpaq_bytes": 8}, seeds=0, data=part)
    common.record("rivals", row | {"xz_bytes": 61, "zpaq_bytes": 7}, seeds=0, data=part)
    assert rivals.rows_before("rivals", "t", part) == {"xz": 61, "zpaq": 7}
    assert rivals.rows_before("rivals", "other", part) == {}
    part.write_bytes(b"a\n1\n2\n3\n")
    assert rivals.rows_before("rivals", "t", part) == {}


def test_columns_by_themselves_hold_all_cells_of_a_table(rivals):
    text = b'a,b\n1,"x,y"\n,z\n'
    assert rivals.by_columns(text.partition(b"\n")[2]) == [b"1\n", b"x,y\nz"]
    assert rivals.narrow(pd.Series([1.25, 3.0, 2.5])).tolist() == [0, 175, 125]
    assert rivals.narrow(pd.Series([2 / 3, 1.0])) is None


def test_the_page_says_what_each_stage_is_worth(bench):
    common, tables = bench
    for off, size in (("none", 1000), ("keys", 1250)):
        row = {"table": "adult", "off": off, "bytes": size}
        common.record("ablation", row, seeds=0, data=np.arange(3))
    page = "".join(tables.stages_off())
    assert "| keys | +25.0% |" in page


def test_the_page_says_who_is_smallest(bench):
    common, tables = bench
    row = {"table": "elec", "source_bytes": 10, "effort": "best", "bytes": 90, "best": "zpaq"}
    row |= {"ratio": 0.9, "classical_ratio": 0.5, "zpaq_bytes": 100, "xz_bytes": 180}
    common.record("rivals", row, seeds=0, data=np.arange(3))
    page = "".join(tables.beside_all_rivals())
    assert (
        "best: 0.900 of the smallest of all, at most 0.900; 0.500 of the smallest classical" in page
    )
    assert "zpaq" in page


@pytest.mark.parametrize("path", sorted(HERE.rglob("*.py")), ids=lambda path: path.stem)
def test_what_benchmarks_use_of_the_house_is_there(path):
    # they run once in a while, and a function that was renamed would show only then
    tree = tree_of(path)
    modules = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("aetool"):
            continue
        for alias in node.names:
            package = importlib.import_module(node.module)
            if not hasattr(package, alias.name):
                importlib.import_module(f"{node.module}.{alias.name}")
            value = getattr(package, alias.name)
            if isinstance(value, types.ModuleType):
                modules[alias.asname or alias.name] = value
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = modules.get(node.value.id)
            assert module is None or hasattr(module, node.attr), f"line {node.lineno}: {node.attr}"
