"""Messages that say what to type next, in the words that the user has typed."""

import bz2
import lzma
import shlex

import numpy as np
import pandas as pd
import pyarrow
import pytest

import aetool
from aetool import operations
from aetool.data.packers import squeezed
from aetool.errors import ParamError
from aetool.scoring import costing
from tests.conftest import fitted


@pytest.mark.parametrize("budget", ["1kB", "1000", "1k"])
def test_a_budget_is_quoted_as_it_was_typed(air, tmp_path, run, budget):
    done = run("compress", air, "--budget", budget, "-o", tmp_path / "a.aez")
    assert done.status == 2
    assert done.err.startswith(f"aetool: error: --budget {budget}: the smallest archive found")
    assert "; -p pca or -m MODEL tries a model's code, too" in done.err


def test_a_budget_in_python_is_quoted_so_too(air, tmp_path):
    for budget, said in (("1kB", "budget 1kB: "), (1000, "budget 1000: ")):
        with pytest.raises(ParamError, match=f"^{said}the smallest archive found"):
            aetool.compress(air, tmp_path / "a.aez", budget=budget)


def test_a_budget_that_is_too_small_names_the_columns_that_take_most(tmp_path, run):
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcdefghij"), 12)) for _ in range(800)]
    frame = pd.DataFrame({"n": rng.integers(9, size=800), "name": words, "x": np.arange(800)})
    table = tmp_path / "t.csv"
    frame.to_csv(table, index=False)
    done = run("compress", table, "--budget", "2kB", "-o", tmp_path / "a.aez")
    assert done.status == 2 and "; most bytes are of name " in done.err
    told = done.err.split("most bytes are of name ")[1].split(",")[0:2]
    size = int("".join(part for part in told if part.strip().isdigit()))
    # the words can only be exact, in whichever archive
    exact = tmp_path / "exact.aez"
    operations.compress(table, exact)
    columns = costing.ledger_of(exact).table()
    assert columns["column"][0] == "name"
    assert size == pytest.approx(columns["bytes"][0], rel=0.1)


def test_a_model_without_a_code_is_told_how_to_have_one(rows_csv, tmp_path, run):
    model = fitted(rows_csv, "tails", tmp_path / "m.aem")
    done = run("compress", rows_csv, "--lossy", "-m", model, "-o", tmp_path / "a.aez")
    remedy = f"aetool fit {rows_csv} -p pca -o pca.aem"
    assert done.status == 2 and done.err.endswith(f"as {remedy} writes\n")
    own = tmp_path / "pca.aem"
    typed = shlex.split(remedy)[1:-1]
    assert run(*typed, own, "-q").status == 0
    archive = tmp_path / "a.aez"
    assert run("compress", rows_csv, "--lossy-only", "-m", own, "-o", archive).status == 0
    with pytest.raises(ParamError, match=r'as aetool.fit\(data, plugin="pca"\) writes'):
        aetool.load(model).compress(rows_csv, tmp_path / "b.aez", lossy=True)


def test_nothing_is_read_for_an_output_whose_folder_is_not_there(tmp_path, run):
    target = tmp_path / "nope" / "x.csv"
    done = run("detect", tmp_path / "no-such-data.csv", "-o", target)
    assert done.status == 2
    assert done.err == (
        f"aetool: error: {target.parent}: cannot write here: no such folder; make it first, with "
        "mkdir\n"
    )
    (tmp_path / "file").write_text("")
    done = run("detect", tmp_path / "no-such-data.csv", "-o", tmp_path / "file" / "x.csv")
    assert done.status == 2 and done.err.endswith("Not a directory\n")


def test_a_longer_list_is_offered_only_where_few_are_flagged(tmp_path, run):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 3))
    new = rows.copy()
    new[:70] += 40
    table, other = tmp_path / "t.csv", tmp_path / "new.csv"
    pd.DataFrame(rows).add_prefix("x").to_csv(table, index=False)
    pd.DataFrame(new).add_prefix("x").to_csv(other, index=False)
    model = fitted(table, "pca", tmp_path / "m.aem")
    many = run("detect", other, "-m", model)
    assert "7" in many.err and "flagged or not" not in many.err
    assert "more than 10 % flagged" in many.err
    pd.DataFrame(new[68:]).add_prefix("x").to_csv(other, index=False)
    few = run("detect", other, "-m", model)
    assert "lists the 7 highest scores, flagged or not" in few.err


def test_other_programs_are_measured_at_their_best(air):
    content = air.read_bytes()
    found = {packed.program: packed for packed in squeezed(content)}
    by_xz = [len(lzma.compress(content, preset=9 | extreme)) for extreme in (0, 1 << 31)]
    assert found["xz"].size == min(by_xz)
    assert found["bzip2"].size == len(bz2.compress(content, 9))
    by_zstd = {}
    for level in (16, 18, 19, 22):
        codec = pyarrow.Codec("zstd", compression_level=level)
        by_zstd[level] = len(codec.compress(content))
    assert found["zstd"].size == min(by_zstd.values())
    level = int(found["zstd"].setting.rsplit("-", 1)[1])
    assert by_zstd[level] == found["zstd"].size


def test_a_rate_that_changes_nothing_is_not_offered(tmp_path, run):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(1200, 3))
    new = rows.copy()
    new[:280] += 400
    table, other = tmp_path / "t.csv", tmp_path / "new.csv"
    pd.DataFrame(rows).add_prefix("x").to_csv(table, index=False)
    pd.DataFrame(new).add_prefix("x").to_csv(other, index=False)
    model = fitted(table, "pca", tmp_path / "m.aem")
    done = run("detect", other, "-m", model)
    assert done.err.splitlines()[-1].endswith("; tighten with --top N")
    # what lies hardly beyond is flagged no more
    new = rows * 1.5
    pd.DataFrame(new).add_prefix("x").to_csv(other, index=False)
    done = run("detect", other, "-m", model, "--fpr", "10%")
    assert done.err.splitlines()[-1].endswith("; tighten with --fpr 0.1% or --top N")


def test_messages_name_what_to_do_instead(tmp_path, run):
    table = tmp_path / "t.csv"
    table.write_text("a,b\n" + "".join(f"{n % 7},{n % 5}\n" for n in range(60)))
    told = run("info", table)
    assert told.status == 2
    assert "info is of models (.aem) and archives (.aez)" in told.err
    assert "aetool detect says of data how their columns are read" in told.err
    wrong = run("fit", table, "-O", "foo=3", "-o", tmp_path / "m.aem")
    assert "auto has no parameter 'foo', nor any other: choose a model that has" in wrong.err
    assert "'x' is not a valid whole number" in run("detect", table, "--top", "x").err
    assert "--top N " in run("detect", "--help").out
    names = run("fit", table, "-p", "nope").err.partition("there are: ")[2].split(", ")
    assert names == sorted(names) and "pca" in names


def test_a_file_without_a_suffix_is_told_what_it_holds(tmp_path, run):
    aetool.compress(pd.DataFrame({"a": range(50)}), tmp_path / "frame.aez")
    out = tmp_path / "frame"
    assert (
        f"note: {out}: holds Parquet, which"
        in run("decompress", out.with_suffix(".aez"), "-o", out).err
    )
    named = tmp_path / "frame.parquet"
    assert "note" not in run("decompress", out.with_suffix(".aez"), "-o", named).err


def test_one_record_is_said_to_have_nothing_to_be_compared_with(tmp_path, run, caplog):
    table = tmp_path / "t.csv"
    table.write_text("a,b\n1,2\n")
    done = run("detect", table, "-p", "pca")
    assert "note: 1 record cannot be compared with others: nothing says if it is odd" in done.err
    aetool.fit(pd.DataFrame({"a": [1.0], "b": [2.0]}), plugin="pca")
    warned = [each.message for each in caplog.records if each.levelname == "WARNING"]
    assert warned == ["DataFrame: 1 record cannot tell what is usual: fit more"]
