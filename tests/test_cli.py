"""The command line: every verb, every exit status, and what it says to bad input."""

import csv
import io
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from aetool import bundle as bundles
from aetool import cli, operations
from aetool.cli import COMMANDS, main
from aetool.operations import inspecting
from tests.sweeps import checkered

pytestmark = pytest.mark.usefixtures("fits_once")

ENV = {**os.environ, "PYTHONUNBUFFERED": "1"}


def records(text):
    return list(csv.DictReader(io.StringIO(text)))


def spoil(path, target, row, column, value):
    """A copy of a CSV with one cell changed; row counts records from 1."""
    lines = path.read_text().splitlines()
    at = lines[0].split(",").index(column)
    fields = lines[row].split(",")
    fields[at] = value
    target.write_text("\n".join([*lines[:row], ",".join(fields), *lines[row + 1 :]]) + "\n")
    return target


def test_every_command_has_help():
    for name in COMMANDS:
        done = CliRunner().invoke(main, [name, "--help"])
        assert done.exit_code == 0 and "Usage" in done.output and len(done.output) > 120


def test_fit_says_what_it_did_and_what_is_next(run, rows_csv, tmp_path):
    done = run("fit", rows_csv, "-o", tmp_path / "m.aem")
    assert done.status == 0 and done.out == ""
    assert "300 rows, 5 columns" in done.err and f"next: aetool detect {rows_csv} -m" in done.err
    again = run("fit", rows_csv, "-o", tmp_path / "m.aem")
    assert again.status == 2 and "exists already; replace it with -f" in again.err
    assert run("fit", rows_csv, "-p", "pca", "-o", tmp_path / "m.aem", "-f", "-q").err == ""


def test_default_output_is_beside_the_data(run, rows_csv, tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(rows_csv.read_bytes())
    assert run("fit", path, "-q").status == 0 and (tmp_path / "t.aem").exists()
    assert run("compress", path, "-q").status == 0 and (tmp_path / "t.csv.aez").exists()
    path.unlink()
    assert run("decompress", tmp_path / "t.csv.aez", "-q").status == 0
    assert path.read_bytes() == rows_csv.read_bytes()


def test_detect_prints_csv(run, rows_csv, pca, tmp_path):
    odd = spoil(rows_csv, tmp_path / "t.csv", 7, "a", "99")
    done = run("detect", odd, "-m", pca)
    found = records(done.out)
    assert done.status == 0 and found[0]["row"] == "7"
    assert list(found[0]) == ["row", "score", "p", "why"] and found[0]["why"].startswith(
        "a=99 (expected"
    )
    assert "of 300 records flagged" in done.err


def test_detect_options(run, rows_csv, pca, tmp_path):
    odd = spoil(rows_csv, tmp_path / "t.csv", 7, "a", "99")
    with_id = records(run("detect", odd, "-m", pca, "--top", 2, "--id", "level").out)
    assert len(with_id) == 2 and list(with_id[0])[-1] == "level"
    whole = records(run("detect", odd, "-m", pca, "--top", 2, "--append").out)
    assert set(whole[0]) >= {"time", "a", "b", "count", "level"}
    everything = records(run("detect", odd, "-m", pca, "--all").out)
    assert len(everything) == 300 and everything[6]["anomaly"] == "True"
    assert run("detect", odd, "-m", pca, "--threshold", "1e9", "--count").out == "0\n"
    assert int(run("detect", odd, "-m", pca, "--fpr", "10%", "--count").out) in range(15, 45)
    assert run("detect", odd, "-m", pca, "--contamination", "2%", "--count").out == "6\n"
    found = json.loads(run("detect", odd, "-m", pca, "--json").out)
    assert found["total"] == 300 and found["records"][0]["why"][0]["column"] == "a"
    lines = run("detect", odd, "-m", pca, "--format", "jsonl").out.splitlines()
    assert json.loads(lines[0])["row"] == 7
    assert "  why" in run("detect", odd, "-m", pca, "--format", "table").out
    target = tmp_path / "found.parquet"
    assert run("detect", odd, "-m", pca, "--format", "parquet", "-o", target).status == 0
    import pandas as pd

    assert pd.read_parquet(target)["row"].tolist()[0] == 7


def test_numbers_of_the_input_are_numbers_in_files_that_have_types(run, tmp_path):
    lines = ["id,name,x,n,key"]
    for i in range(90):
        lines.append(f"{i:03d},{'ab'[i % 2]},{i % 7}.5,{i if i % 9 else 'NA'},{10**18 + i}")
    source, target = tmp_path / "t.csv", tmp_path / "highest.parquet"
    source.write_text("\n".join(lines) + "\n")
    highest = ("detect", source, "--all", "--append", "-q")
    assert run(*highest, "-o", target).status == 0
    import pandas as pd

    frame = pd.read_parquet(target)
    assert (frame["x"].dtype, frame["id"].dtype == frame["key"].dtype) == ("float64", True)
    assert frame["id"].tolist()[3] == "003" and frame["key"].tolist()[3] == str(10**18 + 3)
    assert frame["n"].isna().sum() == 10 and frame["n"].tolist()[3] == 3
    record = json.loads(run(*highest, "--json").out)["records"][9]
    assert [record[name] for name in ("id", "x", "n", "name")] == ["009", 2.5, None, "b"]
    assert records(run(*highest, "--format", "csv").out)[9]["n"] == "NA"


def test_evaluate_flags_as_detect_does(run, rows_csv, pca, tmp_path):
    odd = spoil(rows_csv, tmp_path / "t.csv", 7, "a", "99")
    lines = odd.read_text().splitlines()
    labelled = tmp_path / "labelled.csv"
    states = ["state", *("bad" if row in (7, 9) else "ok" for row in range(1, len(lines)))]
    labelled.write_text("".join(f"{line},{s}\n" for line, s in zip(lines, states, strict=True)))
    for choice in ((), ("--fpr", "5%"), ("--top", 3), ("--contamination", "2%"), ("--fdr", "40%"),
                   ("--threshold", 0)):  # fmt: skip
        rows = {int(r["row"]) for r in records(run("detect", odd, "-m", pca, *choice).out)}
        judged = run("evaluate", labelled, "-m", pca, "--label", "state", "--normal", "ok", *choice)
        figures = dict(line.rsplit(maxsplit=1) for line in judged.out.splitlines())
        assert int(figures["flagged"]) == len(rows), choice
        assert float(figures["recall"]) == len(rows & {7, 9}) / 2
        right = len(rows & {7, 9}) / max(len(rows), 1)
        assert float(figures["precision"]) == pytest.approx(right, abs=1e-4)
    known = ("evaluate", labelled, "-m", pca, "--label", "state", "--normal", "ok")
    both = run(*known, "--top", 3, "--fpr", "1%")
    assert both.status == 2 and "--fpr and --top exclude each other" in both.err


def test_exit_codes(run, rows_csv, pca, tmp_path):
    odd = spoil(rows_csv, tmp_path / "t.csv", 7, "a", "99")
    assert run("detect", odd, "-m", pca, "--exit-code", "--top", 1).status == 1
    assert run("detect", rows_csv, "-m", pca, "--exit-code", "--threshold", "1e9").status == 0
    assert run("detect", odd, "-m", pca, "--top", 5, "--max-flagged", "5").status == 0
    assert run("detect", odd, "-m", pca, "--top", 5, "--max-flagged", "4").status == 1
    assert run("detect", odd, "-m", pca, "--top", 5, "--max-flagged", "1%").status == 1
    assert run("detect", odd, "-m", pca, "--top", 5, "--max-flagged", "2%").status == 0
    assert run("nonsense").status == 2 and run("detect").status == 2


def test_many_flagged_is_explained(run, rows_csv, pca, tmp_path):
    done = run("detect", rows_csv, "-m", pca, "--threshold", "0", "--count")
    assert (
        "more than 10 % flagged" in done.err and "aetool drift" in done.err and "--fpr" in done.err
    )
    # a share of so few says nothing of them
    few = tmp_path / "few.csv"
    few.write_text("".join(rows_csv.read_text().splitlines(keepends=True)[:20]))
    done = run("detect", few, "-m", pca, "--threshold", "0", "--count")
    assert done.out == "19\n" and "more than 10 % flagged" not in done.err


def test_variables_stand_for_options(run, rows_csv, pca, monkeypatch):
    monkeypatch.setenv("AETOOL_MODEL", str(pca))
    monkeypatch.setenv("AETOOL_DETECT_TOP", "4")
    assert len(records(run("detect", rows_csv).out)) == 4


def test_labels(run, rows_csv, tmp_path):
    lines = rows_csv.read_text().splitlines()
    odd = [7, 70, 170]
    out = [lines[0] + ",label"]
    for i, line in enumerate(lines[1:], 1):
        fields = line.split(",")
        if i in odd:
            fields[1] = "88"
        out.append(",".join([*fields, "bad" if i in odd else "ok"]))
    path = tmp_path / "t.csv"
    path.write_text("\n".join(out) + "\n")
    model = tmp_path / "m.aem"
    done = run("fit", path, "-p", "pca", "--label", "label", "--normal", "ok", "-o", model)
    assert done.status == 0 and bundles.load(model).calibration.rows == 297
    assert "label" not in bundles.load(model).spec.columns
    found = json.loads(
        run("evaluate", path, "-m", model, "--label", "label", "--normal", "ok", "--json").out
    )
    assert found["auroc"] > 0.99 and found["anomalies"] == 3 and found["recall"] == 1
    shown = run("evaluate", path, "--label", "label", "--normal", "ok")
    assert "auroc" in shown.out and shown.status == 0
    bad = run("fit", path, "--label", "label", "--normal", "fine", "-o", tmp_path / "x.aem")
    assert bad.status == 2 and "no row of" in bad.err
    assert "it holds ok (297), bad (3)\n" in bad.err
    near = run("fit", path, "--label", "label", "--normal", "okk", "-o", tmp_path / "x.aem")
    assert "it holds ok (297), bad (3); did you mean 'ok'?" in near.err
    assert run("evaluate", path, "-m", model, "--label", "zz", "--normal", "ok").status == 2
    none = run("evaluate", path, "-m", model, "--label", "label", "--normal", "fine")
    assert none.status == 2
    assert "300 of 300 differ from fine in label, which holds ok (297), bad (3)" in none.err


def test_pictures_are_labelled_by_folder(run, folder, pca_pictures):
    done = run(
        "evaluate", folder, "-m", pca_pictures, "--label", "folder", "--normal", "good", "--json"
    )
    assert json.loads(done.out)["anomalies"] == 20
    found = records(run("detect", folder, "-m", pca_pictures, "--top", 3, "--append").out)
    assert len(found) == 3 and found[0]["file"].endswith(".png")


def test_info_and_verify(run, rows_csv, pca, tmp_path):
    archive = tmp_path / "t.aez"
    assert (
        run("compress", rows_csv, "--lossy-only", "-m", pca, "-o", archive, "--embed").status == 0
    )
    assert "fidelity" in run("info", archive).out and "threshold" in run("info", pca).out
    assert json.loads(run("info", archive, "--json").out)["rows"] == 300
    assert json.loads(run("info", pca, "--json").out)["data"] == "table"
    assert run("verify", archive, pca).out.count(": intact (") == 2
    damaged = tmp_path / "bad.aez"
    raw = bytearray(archive.read_bytes())
    raw[len(raw) // 2] ^= 4
    damaged.write_bytes(raw)
    done = run("verify", damaged, archive)
    assert done.status == 1 and "damaged" in done.err and done.out.count(": intact (") == 1
    model = tmp_path / "bad.aem"
    raw = bytearray(pca.read_bytes())
    raw[999] ^= 4
    model.write_bytes(raw)
    assert run("verify", model).status == 1
    assert run("detect", rows_csv, "-m", model).status == 2


def test_json_has_no_numbers_that_are_not_finite(run, tmp_path, monkeypatch):
    odd = {"list": [math.nan, {"deep": [-math.inf, 1.5]}], "pair": (math.inf, 2), "word": "nan"}
    wanted = {"list": [None, {"deep": [None, 1.5]}], "pair": [None, 2], "word": "nan"}

    def no_constants(word):
        raise AssertionError(f"{word} is no JSON")

    monkeypatch.setattr(inspecting, "info", lambda path: odd)
    printed = run("info", "x", "--json").out
    assert json.loads(printed, parse_constant=no_constants) == wanted
    monkeypatch.setattr(operations, "evaluate", lambda *given, **named: odd)
    printed = run("evaluate", "x", "--json").out
    assert json.loads(printed, parse_constant=no_constants) == wanted


def test_a_damaged_archive_leaves_nothing(run, rows_csv, tmp_path):
    archive = tmp_path / "t.aez"
    run("compress", rows_csv, "-o", archive)
    raw = bytearray(archive.read_bytes())
    raw[len(raw) // 2] ^= 4
    archive.write_bytes(raw)
    done = run("decompress", archive, "-o", tmp_path / "t.csv")
    assert done.status == 1 and not (tmp_path / "t.csv").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["t.aez"]


def test_over_several_files_the_worst_wins(run, rows_csv, tmp_path):
    good = tmp_path / "t.csv"
    good.write_bytes(rows_csv.read_bytes())
    done = run("compress", tmp_path / "none.csv", good)
    assert done.status == 2 and "no such file" in done.err and (tmp_path / "t.csv.aez").exists()


def test_parquet_goes_to_standard_output(rows_csv, pca, tmp_path, monkeypatch, capfdbinary):
    monkeypatch.chdir(tmp_path)
    of_detect = ["detect", rows_csv, "-m", pca, "--top", "3"]
    of_similar = ["similar", rows_csv, "--in", rows_csv, "-m", pca, "--row", "2", "-k", "3"]
    for words in (of_detect, of_similar):
        words = [str(word) for word in [*words, "--format", "parquet", "-o"]]
        capfdbinary.readouterr()
        assert cli.status([*words, "-"]) == 0
        printed = capfdbinary.readouterr().out
        assert cli.status([*words, "t.parquet", "-f"]) == 0
        assert printed == (tmp_path / "t.parquet").read_bytes()
        assert len(pd.read_parquet(io.BytesIO(printed))) == 3
    # whatever was named "-" is no file
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]
    # no terminal shows bytes
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert cli.status([*words, "-"]) == 2
    assert "standard output is a terminal: send Parquet to" in capfdbinary.readouterr().err.decode()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("fit TABLE -p pca -o -", "for tables and archives: name a file with -o"),
        ("detect TABLE -m MODEL --report -", "name a file with --report"),
        ("report MODEL TABLE -o -", "name a file with -o"),
        ("encode TABLE -m MODEL --plot -", "name a file with --plot"),
        ("detect PICTURES --sheet - --top 1", "name a file with --sheet"),
        ("detect PICTURES --heatmap - --top 1", "to standard output: name one with --heatmap"),
    ],
)
def test_what_is_no_table_does_not_go_to_standard_output(
    run, rows_csv, pca, folder, tmp_path, monkeypatch, words, told
):
    monkeypatch.chdir(tmp_path)
    paths = {"TABLE": rows_csv, "MODEL": pca, "PICTURES": folder}
    done = run(*(paths.get(word, word) for word in words.split()))
    assert done.status == 2 and told in done.err and not done.out
    assert len([line for line in done.err.splitlines() if line.startswith("aetool: error")]) == 1
    assert not list(tmp_path.iterdir())


def test_decompress_to_stdout(run, rows_csv, tmp_path):
    run("compress", rows_csv, "-o", tmp_path / "t.aez")
    assert run("decompress", tmp_path / "t.aez", "-c").out == rows_csv.read_text()
    part = run("decompress", tmp_path / "t.aez", "-c", "--rows", "3:4").out.splitlines()
    assert part == [rows_csv.read_text().splitlines()[i] for i in (0, 3, 4)]
    beyond = run("decompress", tmp_path / "t.aez", "-c", "--rows", "1:99999999999")
    assert beyond.out == rows_csv.read_text() and "the last row is 300" in beyond.err
    for rows in ("2-4", "0:4", "4:3", ":", "", "-1:2", "1:1:1"):
        refused = run("decompress", tmp_path / "t.aez", "-c", "--rows", rows)
        assert refused.status == 2 and "from 1, both" in refused.err.replace("rows count ", ""), (
            rows
        )


def test_export(run, pca, tmp_path):
    done = run("export", pca, "-o", tmp_path / "g", "--verify")
    assert done.status == 0 and "largest relative difference" in done.out
    assert sorted(p.name for p in (tmp_path / "g").iterdir()) == [
        "decoder.onnx", "encoder.onnx", "model.json", "score.onnx",
    ]  # fmt: skip
    about = json.loads((tmp_path / "g" / "model.json").read_text())
    assert [c["name"] for c in about["columns"]] == ["time", "a", "b", "count", "level"]


def test_plugins_and_doctor(run):
    assert "vae" in run("plugins", "list").out
    assert {m["name"] for m in json.loads(run("plugins", "list", "--json").out)} >= {"pca", "vae"}
    assert "beta" in run("plugins", "show", "vae").out
    assert run("plugins", "show", "zz").status == 2
    done = run("plugins", "check", "pca", "--quick")
    assert done.status == 0 and " checks passed, 0 failed" in done.out
    assert "onnxruntime" in run("doctor").out


BAD = {
    "reordered": (lambda t: t, 0, ""),
    "missing": (lambda t: "\n".join(",".join(r.split(",")[:-1]) for r in t.splitlines()), 2,
                "column 'level' is missing"),
    "retyped": (lambda t: t.replace("\n2024-01-01T01:00,", "\n2024-01-01T01:00,x", 1), 0, ""),
    "new category": (lambda t: t.replace("red", "purple", 1), 0, ""),
    "all gaps": (lambda t: t + ",,,,\n", 0, ""),
    "inf": (lambda t: t + "2024-01-13T12:00,inf,1.00,3,red\n", 0, ""),
    "one row": (lambda t: "\n".join(t.splitlines()[:2]), 0, ""),
    "no rows": (lambda t: t.splitlines()[0] + "\n", 0, ""),
    "empty": (lambda t: "", 2, "the file is empty"),
    "ragged": (lambda t: t + "1,2\n", 2, "row 301 (line 302) has 2 fields where 5"),
}  # fmt: skip


@pytest.fixture(scope="module")
def both(pca, rows_csv, work):
    """pca, and what `fit` makes without any option."""
    target = work / "auto.aem"
    operations.fit(rows_csv).save(target)
    return {"pca": pca, "auto": target}


@pytest.mark.parametrize("model", ["pca", "auto"])
@pytest.mark.parametrize("name", BAD)
def test_bad_input_to_detect(run, rows_csv, both, tmp_path, name, model):
    pca = both[model]
    change, status, words = BAD[name]
    text = change(rows_csv.read_text())
    if name == "reordered":
        text = "\n".join(",".join(reversed(r.split(","))) for r in text.splitlines()) + "\n"
    path = tmp_path / "t.csv"
    path.write_text(text)
    done = run("detect", path, "-m", pca, "--all")
    assert done.status == status, done.err
    assert words in done.err and "Traceback" not in done.err
    found = records(done.out)
    if name == "reordered":
        assert done.out == run("detect", rows_csv, "-m", pca, "--all").out
    if name == "new category":
        odd = next(r for r in found if "level=purple" in r["why"])
        assert float(odd["score"]) > 0
    if name == "retyped":
        # one odd cell is that record's anomaly, shown as it stands in the file
        assert found[1]["why"].startswith("a=x") and found[1]["anomaly"] == "True"
    if name in ("all gaps", "inf"):
        assert found[-1]["anomaly"] == "True" and (
            "missing" in found[-1]["why"] or "inf" in found[-1]["why"]
        )
    if name == "no rows":
        assert found == [] and "0 of 0" in done.err


@pytest.mark.parametrize(
    ("command", "name"),
    checkered(["fit", "detect"], ["one row", "no rows", "empty", "constant", "all gaps column"]),
)
def test_bad_input_to_fit(run, rows_csv, tmp_path, name, command):
    lines = rows_csv.read_text().splitlines()
    text = {
        "one row": "\n".join(lines[:2]),
        "no rows": lines[0] + "\n",
        "empty": "",
        "constant": "\n".join([lines[0] + ",k", *(r + ",7" for r in lines[1:])]),
        "all gaps column": "\n".join([lines[0] + ",k", *(r + "," for r in lines[1:])]),
    }[name]
    path = tmp_path / "t.csv"
    path.write_text(text + ("\n" if text else ""))
    target = tmp_path / "m.aem"
    done = run("fit", path, "-o", target) if command == "fit" else run("detect", path)
    expected = 2 if name in ("no rows", "empty") else 0
    assert done.status == expected and "Traceback" not in done.err
    assert target.exists() == (command == "fit" and expected == 0)
    if expected:
        assert done.err.count("\n") == 1 and str(path) in done.err


@pytest.mark.parametrize("command", ["fit", "detect", "compress", "decompress", "info", "verify"])
def test_a_folder_or_a_binary_file(run, tmp_path, command):
    binary = tmp_path / "x.bin"
    binary.write_bytes(bytes(range(256)) * 9)
    empty = tmp_path / "empty"
    empty.mkdir()
    if command == "compress":  # the bytes of any file can be kept
        assert run(command, binary).status == 0
        assert run("decompress", f"{binary}.aez", "-o", tmp_path / "back").status == 0
        assert (tmp_path / "back").read_bytes() == binary.read_bytes()
        Path(f"{binary}.aez").unlink()
        (tmp_path / "back").unlink()
    for path in (binary, empty, tmp_path / "none")[command == "compress" :]:
        extra = ["-o", tmp_path / "out"] if command in ("fit", "decompress") else []
        done = run(command, path, *extra)
        assert done.status in (1, 2) and done.err.startswith("aetool: error:"), (path, done)
        assert done.err.count("\n") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "x.bin"]


def test_options_that_cannot_be(run, rows_csv, pca, tmp_path):
    for args, words in (
        (["fit", rows_csv, "-p", "nope"], "no installed plugin has a model 'nope'"),
        (["fit", rows_csv, "-O", "latent"], "write -O NAME=VALUE"),
        (["fit", rows_csv, "--type", "zz=number"], "no such column"),
        (["fit", rows_csv, "--type", "a=colour"], "must be one of identifier, date, number"),
        (["fit", rows_csv, "--drop", "zz"], "no column 'zz'"),
        (["fit", rows_csv, "--keep", "time"], "no column that a model can score"),
        (["fit", rows_csv, "--normal", "x"], "needs --label"),
        (
            ["detect", rows_csv, "-m", pca, "-O", "latent=2"],
            "-O is of the model: fit it with -O, not detect",
        ),
        (["detect", rows_csv, "--fpr", "lots"], "write a number"),
        (["detect", rows_csv, "-m", pca, "--id", "zz"], "no column 'zz'"),
        (["compress", rows_csv, "--target-error", "1%"], "go with --lossy"),
        (
            ["compress", rows_csv, "--lossy", "-m", pca, "--target-error", "200%"],
            "between 0 and 100",
        ),
        (["detect", rows_csv, "-m", tmp_path / "no.aem"], "no such model; make one: aetool fit"),
        (["fit", rows_csv, "-p", "vae", "--device", "tpu"], "must be auto, cpu, cuda"),
    ):
        done = run(*args, *(["-f", "-o", tmp_path / "m.aem"] if args[0] == "fit" else []))
        assert done.status == 2 and words in done.err, done.err


def test_cuda_that_is_not_there_is_an_error(run, rows_csv, pca):
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        return
    done = run("detect", rows_csv, "-m", pca, "--device", "cuda")
    assert done.status == 2 and "has no CUDA" in done.err


def test_a_closed_pipe_is_silent(rows_csv, pca):
    command = [
        sys.executable,
        "-m",
        "aetool",
        "detect",
        str(rows_csv),
        "-m",
        str(pca),
        "--all",
        "-q",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENV)
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == 0 and err == b""


def test_stdin(rows_csv, pca):
    command = [sys.executable, "-m", "aetool", "detect", "-", "-m", str(pca), "--top", "1"]
    done = subprocess.run(command, input=rows_csv.read_bytes(), capture_output=True, check=True)
    assert done.stdout.count(b"\n") == 2


def test_a_debug_run_shows_the_traceback(rows_csv):
    command = [sys.executable, "-m", "aetool", "--debug", "detect", str(Path("none.csv"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback" in done.stderr


def test_a_plugin_that_exits_is_not_taken_for_success(monkeypatch):
    monkeypatch.setattr(cli.main, "main", lambda **_: sys.exit(3))
    with pytest.raises(SystemExit) as end:
        cli.status(["info", "x"])
    assert end.value.code == 3


def test_archives_from_the_shell(tmp_path, air, monkeypatch, capfdbinary):
    whole = b"".join(air.read_bytes().splitlines(keepends=True)[:401])
    source = tmp_path / "t.csv"
    source.write_bytes(whole)
    monkeypatch.chdir(tmp_path)

    def run(*given):
        capfdbinary.readouterr()
        code = cli.status([str(argument) for argument in given])
        return subprocess.CompletedProcess(given, code, *capfdbinary.readouterr())

    sizes = {}
    for effort in ("--fast", "", "--best"):
        made = run("compress", source, "-c", *filter(None, [effort]))
        assert made.returncode == 0 and b"smaller than" in made.stderr
        (tmp_path / "t.aez").write_bytes(made.stdout)
        sizes[effort] = len(made.stdout)
        assert run("decompress", "t.aez", "-c").stdout == whole
    assert sizes["--best"] <= 1.01 * sizes[""] and sizes[""] < 1.01 * sizes["--fast"]
    assert run("decompress", "t.aez", "-c", "--columns", "hour,no").returncode == 2
    part = run("decompress", "t.aez", "-c", "--rows", ":2", "--columns", "time,TEMP").stdout
    frame = pd.read_csv(source)
    assert part.decode().split() == [
        "time,TEMP",
        *(f"{t},{v}" for t, v in zip(frame["time"][:2], frame["TEMP"][:2], strict=True)),
    ]
    bounded = run("compress", source, "--max-error", "1%", "--max-error", "TEMP=0", "-o", "b.aez")
    assert bounded.returncode == 0 and b"bounded" in bounded.stderr
    said = run("info", "b.aez").stdout.decode()
    assert "fidelity         bounded" in said and "coders:" in said
    bad = bytearray((tmp_path / "t.aez").read_bytes())
    bad[-2] ^= 1  # of its digest
    (tmp_path / "bad.aez").write_bytes(bad)
    assert (
        run("decompress", "bad.aez", "-o", "x.csv").returncode == 1
        and not (tmp_path / "x.csv").exists()
    )
    found = run("decompress", "bad.aez", "-o", "x.csv", "--recover")
    assert found.returncode == 1 and b"lost: its digest" in found.stderr
    assert (tmp_path / "x.csv").read_bytes() == whole
    bad[-20] ^= 1  # and of its only block
    (tmp_path / "bad.aez").write_bytes(bad)
    found = run("decompress", "bad.aez", "-o", "y.csv", "--recover")
    assert found.returncode == 1 and not (tmp_path / "y.csv").exists()


# models for small files have test_shared.py, and the shell the commands of the README
@pytest.mark.long
def test_a_model_for_many_small_files(tmp_path, air, capsys):
    lines = air.read_bytes().splitlines(keepends=True)
    (tmp_path / "train.csv").write_bytes(b"".join(lines[:4001]))
    (tmp_path / "part.csv").write_bytes(b"".join([lines[0], *lines[4001:4301]]))

    def run(*given):
        return cli.status([str(g) for g in given])

    model = tmp_path / "m.aem"
    assert run("fit", tmp_path / "train.csv", "--codec", "-o", model, "-q") == 0
    assert run("compress", tmp_path / "part.csv", "-m", model, "-q", "-o", tmp_path / "s.aez") == 0
    assert run("compress", tmp_path / "part.csv", "-q", "-o", tmp_path / "p.aez") == 0
    with_model, without = ((tmp_path / name).stat().st_size for name in ("s.aez", "p.aez"))
    # both no larger than measured; 2,368 bytes were what it took without, while words were deflated
    assert with_model <= 1844 < 0.8 * 2368
    assert with_model < without <= 2259
    assert run("decompress", tmp_path / "s.aez", "-o", tmp_path / "o", "-q") == 2, (
        "its model is needed"
    )
    assert run("decompress", tmp_path / "s.aez", "-m", model, "-o", tmp_path / "o", "-q") == 0
    assert (tmp_path / "o").read_bytes() == (tmp_path / "part.csv").read_bytes()
    assert (
        run("verify", model, "-q") == 0
        and run("verify", tmp_path / "s.aez", "-m", model, "-q") == 0
    )
    assert run("fit", tmp_path / "train.csv", "-o", tmp_path / "plain.aem", "-q") == 0
    capsys.readouterr()
    plain = tmp_path / "plain.aem"
    assert run("compress", tmp_path / "part.csv", "-m", plain, "-o", tmp_path / "n.aez") == 0
    assert "fit with --codec" in capsys.readouterr().err


def test_a_model_that_learned_what_archives_share_says_so(rows_csv, tmp_path, run):
    target = tmp_path / "shared.aem"
    done = run("fit", rows_csv, "--codec", "-o", target)
    assert f"next: aetool compress FILE -m {target} (what small files share" in done.err


def test_a_report_without_flagged_records_says_how_to_list_the_highest(
    run, rows_csv, pca, tmp_path
):
    page = tmp_path / "page.html"
    run("detect", rows_csv, "-m", pca, "--threshold", "1e9", "--report", page)
    text = page.read_text()
    assert "none is above the threshold; --top 5 lists the five highest" in text
    assert "listed below" not in text
