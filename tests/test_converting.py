"""A name that asks for another kind of table gets it, exactly; and no file is of another kind than its
name says."""

import datetime
import decimal
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

import aetool
from aetool.operations import restoring

ROWS = 200
TEXT = b'code,name,amount,whole,note\n007,None,1.50,12,"a, b"\n012,NA,-2.25,,\n013,"x""y",0.1,9007199254740993,z\n'


@pytest.fixture
def table():
    rng = np.random.default_rng(1)
    return pa.table(
        {
            "whole": pa.array([None if i % 7 == 0 else 2**60 + i for i in range(ROWS)]),
            "real": pa.array(rng.normal(size=ROWS)),
            "word": pa.array([None if i % 5 == 0 else f'{i % 3}, "q"' for i in range(ROWS)]),
            "moment": pa.array([datetime.datetime(2024, 1, 1, i % 24, 5) for i in range(ROWS)]),
            "truth": pa.array([i % 2 == 0 for i in range(ROWS)]),
            "money": pa.array([decimal.Decimal(i) / 100 for i in range(ROWS)]),
            "level": pa.array(["up", "down"] * (ROWS // 2)).dictionary_encode(),
        }
    )


@pytest.fixture
def archive(table, tmp_path, run):
    pq.write_table(table, tmp_path / "t.parquet")
    assert run("compress", tmp_path / "t.parquet").status == 0
    return tmp_path / "t.parquet.aez"


def restored(run, archive, target, *more):
    """The path of what was restored under a name, and what was said."""
    done = run("decompress", archive, "-o", target, *more)
    assert done.status == 0, done.err
    return target, done.err


def test_from_parquet(run, table, archive, tmp_path):
    to_csv, said = restored(run, archive, tmp_path / "t.csv")
    note = (
        f"note: {to_csv}: converted from Parquet, as the name asks: a name ending in .parquet gets"
    )
    assert note in said and said.count("\n") == 2
    back = pd.read_csv(to_csv, dtype={"whole": "Int64"})
    numbers = [value for value in table["whole"].to_pylist() if value is not None]
    assert back["whole"].dropna().tolist() == numbers
    assert back["real"].tolist() == table["real"].to_pylist(), "to the last bit"
    assert back["word"].dropna().tolist() == [v for v in table["word"].to_pylist() if v]
    assert back["moment"][0] == "2024-01-01T00:05:00" and back["level"][1] == "down"
    assert back["money"].tolist() == [float(v) for v in table["money"].to_pylist()]
    to_tsv, _ = restored(
        run, archive, tmp_path / "t.tsv", "--rows", "3:5", "--columns", "real,word"
    )
    assert (
        to_tsv.read_text().split("\n")[0] == "real\tword"
        and len(pd.read_csv(to_tsv, sep="\t")) == 3
    )
    to_lines, _ = restored(run, archive, tmp_path / "t.jsonl")
    lines = [json.loads(line) for line in to_lines.read_text().splitlines()]
    assert [line["whole"] for line in lines] == table["whole"].to_pylist()
    assert [line["truth"] for line in lines] == table["truth"].to_pylist()
    to_arrow, _ = restored(run, archive, tmp_path / "t.feather")
    assert feather.read_table(to_arrow).equals(table)


def test_from_text_words_stay_words(run, tmp_path):
    (tmp_path / "t.csv").write_bytes(TEXT)
    run("compress", tmp_path / "t.csv")
    path, said = restored(run, tmp_path / "t.csv.aez", tmp_path / "t.parquet")
    assert "converted from CSV" in said
    table = pq.read_table(path)
    assert table.to_pydict() == {
        "code": ["007", "012", "013"],
        "name": ["None", "NA", 'x"y'],
        "amount": [1.5, -2.25, 0.1],
        "whole": [12, None, 9007199254740993],
        "note": ["a, b", None, "z"],
    }
    to_tsv, _ = restored(run, tmp_path / "t.csv.aez", tmp_path / "t.tsv")
    assert to_tsv.read_text().split("\n")[1] == "007\tNone\t1.50\t12\ta, b"
    # tabs under the name that the source had, and commas again where that is asked for
    run("compress", to_tsv)
    to_csv, _ = restored(run, f"{to_tsv}.aez", tmp_path / "again.csv")
    assert to_csv.read_bytes() == TEXT
    lines, _ = restored(run, tmp_path / "t.csv.aez", tmp_path / "t.jsonl", "--rows", "1:2")
    run("compress", lines)
    from_lines, _ = restored(run, f"{lines}.aez", tmp_path / "lines.csv")
    assert from_lines.read_text().split("\n")[1] == '007,None,1.5,12,"a, b"'


def test_a_name_of_the_same_kind_gets_the_very_bytes(run, archive, tmp_path):
    for name in ("same.parquet", "same.pq"):
        path, said = restored(run, archive, tmp_path / name)
        assert pq.read_table(path).equals(pq.read_table(tmp_path / "t.parquet"))
        assert "converted" not in said
    (tmp_path / "t.csv").write_bytes(TEXT.replace(b",", b";"))
    run("compress", tmp_path / "t.csv")
    for name in ("same.csv", "same.txt", "same"):
        path, said = restored(run, tmp_path / "t.csv.aez", tmp_path / name)
        assert path.read_bytes() == (tmp_path / "t.csv").read_bytes() and "note" not in said


@pytest.mark.parametrize("suffix", [".npy", ".json", ".xlsx"])
def test_what_is_not_converted_to_is_refused(run, archive, tmp_path, suffix):
    done = run("decompress", archive, "-o", tmp_path / f"t{suffix}")
    assert done.status == 2 and not (tmp_path / f"t{suffix}").exists()
    assert f"holds Parquet, which is not converted to {suffix}" in done.err


def test_arrays_and_kept_files_are_under_no_other_name(run, tmp_path):
    np.save(tmp_path / "a.npy", np.arange(12.0).reshape(4, 3))
    nested = pa.table({"x": [1, 2], "l": [[1], [2, 3]]})
    pq.write_table(nested, tmp_path / "n.parquet")
    for name in ("a.npy", "n.parquet"):
        assert run("compress", tmp_path / name).status == 0
        done = run("decompress", tmp_path / f"{name}.aez", "-o", tmp_path / "t.csv")
        assert done.status == 2 and "is not converted to .csv" in done.err
        assert not (tmp_path / "t.csv").exists()


def test_rows_of_text_are_the_numbers_of_the_whole(run, tmp_path):
    rows = [f"{row};{row % 9 + 1}.{row % 1000:03d}" for row in range(300)]
    rows.append("300;2.125,76")
    (tmp_path / "t.csv").write_text("\n".join(["id;v", *rows]) + "\n")
    run("compress", tmp_path / "t.csv")
    path, _ = restored(run, tmp_path / "t.csv.aez", tmp_path / "t.parquet", "--rows", "1:9")
    # a point that parts thousands: no number below 10
    assert pq.read_table(path)["v"].to_pylist()[0] == "1.000"


def test_bytes_are_not_printed_on_a_terminal(run, archive, tmp_path, monkeypatch):
    (tmp_path / "t.csv").write_bytes(TEXT)
    run("compress", tmp_path / "t.csv")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    with aetool.open(archive) as opened, pytest.raises(aetool.AetoolError, match="is a terminal"):
        restoring.refuse_terminal(opened, force=False)
    with aetool.open(tmp_path / "t.csv.aez") as opened:
        restoring.refuse_terminal(opened, force=False)
    with aetool.open(archive) as opened:
        restoring.refuse_terminal(opened, force=True)


def test_kept_tables_say_which_columns_are_the_reason(run, tmp_path):
    lists, records = [[row] for row in range(60)], [{"a": row} for row in range(60)]
    path = tmp_path / "n.parquet"
    pq.write_table(pa.table({"x": range(60), "l": lists, "s": records}), path)
    said = run("compress", path).err
    reason = (
        "column 2 'l' is of type list<element: int64>, column 3 's' is of type struct<a: int64>"
    )
    assert f"note: the file is kept byte for byte: {reason}\n" in said
    assert "decompress restores the whole file, and --rows, --columns and detect need it" in said
    archive = f"{path}.aez"
    holds = f"holds a file kept byte for byte, as {reason}"
    whole = "--rows and --columns cannot take parts of it; decompress restores the whole file"
    for asked in (("--rows", "1:5"), ("--rows", "1"), ("--rows", "9:"), ("--columns", "x")):
        done = run("decompress", archive, "-c", *asked)
        assert done.status == 2 and f"{holds}: {whole}" in done.err
    assert f"{holds}: {whole}" in run("info", archive).out
    done = run("detect", archive)
    assert done.status == 2 and holds in done.err and "detect in what is restored" in done.err
    with aetool.open(archive) as opened, pytest.raises(aetool.AetoolError, match="'l' is of type"):
        opened[0:2]


def test_rows_of_a_kept_table_in_memory(tmp_path):
    frame = pd.DataFrame({"x": range(60), "l": [[row] for row in range(60)]})
    assert "'l' is of type list" in aetool.compress(frame, tmp_path / "m.aez")["kept"]
    with aetool.open(tmp_path / "m.aez") as opened:
        assert len(opened[:]) == 60 and opened[10:13]["x"].tolist() == [10, 11, 12]
        assert opened[-2:]["x"].tolist() == [58, 59]
