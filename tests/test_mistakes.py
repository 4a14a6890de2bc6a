"""What a newcomer types and has by mistake: one line says what was found, where, and what to do."""

import compileall
import gzip
import os
import pickle
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest

import aetool
from aetool import operations
from aetool.arguments import part_of
from aetool.cli import main, status
from aetool.errors import ParamError
from aetool.testing import pictures


def table(rows=60, header="time,temp,state", delimiter=","):
    lines = [header] if header else []
    for i in range(rows):
        cells = [f"2024-01-{i % 28 + 1:02}", f"{20 + i * 7 % 11 / 4:.2f}", "on" if i % 3 else "off"]
        lines.append(delimiter.join(cells))
    return "\n".join(lines) + "\n"


def pdf(path):
    path.write_bytes(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n")


def workbook(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")


def zipped(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("plant.csv", table())


def database(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (a)")
    connection.close()


def folder_of_tables(path):
    path.mkdir()
    (path / "a.csv").write_text(table())
    (path / "b.csv").write_text("other,columns\n1,2\n")


def mixed_pictures(path):
    from PIL import Image

    path.mkdir()
    for i, pixels in enumerate(pictures(3)):
        Image.fromarray(pixels[0]).resize((8 + i, 8)).save(path / f"{i}.png")


FILES = {
    "plant.csv": table(),
    "other.csv": table().replace("temp", "speed"),
    "alien.csv": "sepal,petal,species\n" + "5.1,1.4,setosa\n6.2,4.5,virginica\n" * 20,
    "bare.csv": table(header=None),
    "empty.csv": "",
    "header.csv": "time,temp,state\n",
    "blank.csv": "\n\n\n",
    "words.csv": "a,b\n" + "".join(f"some note {i},another {i * i}\n" for i in range(50)),
    "ragged.csv": table() + "2024-03-01,21.0\n" + table(5, None),
    "title.csv": "Report\n" + table() + "1,2,3,4\n",
    "caret.csv": table(delimiter="^"),
    "cut.csv.gz": gzip.compress(table(2000).encode(), mtime=0)[:200],
    "zeros.bin": bytes(range(256)) * 8,
    "page.csv": "<!DOCTYPE html>\n<html><body>404 Not Found</body></html>\n",
    "data.xml": '<?xml version="1.0"?>\n<rows><row a="1"/></rows>\n',
    "one.json": '{"a": [1, 2], "b": [3, ',
    "numbers.json": "[1, 2, 3]",
    "lines.jsonl": '{"a": 1}\n{"a": 2}\n{"a": oops}\n',
    "latin.jsonl": b'{"a": 1}\n{"a": "\xff"}\n',
    "notes.pkl": pickle.dumps({"a": 1}),
    "one.png": b"\x89PNG\r\n\x1a\n",
    "book.xlsx": workbook,
    "old.xls": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
    "paper.pdf": pdf,
    "plant.zip": zipped,
    "plant.db": database,
    "many": folder_of_tables,
    "nothing": lambda path: path.mkdir(),
    "mixed": mixed_pictures,
    "broken.aem": b"PK\x03\x04 this is no model",
    "taken.aem": b"something else",
}
MISTAKES = {
    # a name, a verb, an option
    "no such file": ("detect plnt.csv", "plnt.csv: no such file; did you mean 'plant.csv'?"),
    "a model nearly right": ("detect plant.csv -m plnt.aem", "plnt.aem: no such model", "did you mean 'plant.aem'?"),
    "a model of another table": ("detect alien.csv -m plant.aem", "alien.csv: looks like a table of another kind than the model's: it has none of the model's 3 columns; the model was fitted on", "records of time, temp, state, and this table's columns are", "Give a table like the model's"),
    "a verb that is none": ("detct plant.csv", "No such command 'detct'", "detect"),
    "no verb at all": ("plant.csv", "'plant.csv' is a file", "aetool detect plant.csv"),
    "an option that is none": ("detect plant.csv --treshold 3", "No such option", "--threshold"),
    "an option of another verb": ("detect plant.csv --epochs 3", "No such option", "--epochs"),
    "no data": ("detect", "Missing argument 'DATA'"),
    "a number that is none": ("detect plant.csv --top many", "--top", "'many'"),
    "a number below none": ("detect plant.csv --top -3", "--top", "-3"),
    "no such plugin": ("fit plant.csv -o m.aem -p vea", "vea", "vae"),
    "-p for a path": ("detect plant.csv -p plant.aem", "plant.aem", "-m plant.aem"),
    "a parameter that is none": ("fit plant.csv -o m.aem -p pca -O latnet=2", "latnet", "latent"),
    "a parameter without a value": ("fit plant.csv -o m.aem -O latent", "-O latent", "NAME=VALUE"),
    "a parameter of words": ("fit plant.csv -o m.aem -p pca -O latent=two", "latent", "two"),
    "-p beside -m": ("detect plant.csv -m plant.aem -p pca", "-p is of the model: fit it with -p"),
    "two thresholds": ("detect plant.csv --fpr 1% --top 3", "--fpr and --top exclude each other: leave one of them out"),
    "a score and a count": ("detect plant.csv --threshold 3 --top 3", "--threshold and --top exclude each other: leave one of them out"),
    "two formats": ("detect plant.csv --json --format csv", "--json and --format csv exclude each other: leave one of them out"),
    "all and none": ("detect plant.csv --all --count", "--all and --count exclude each other: leave one of them out"),
    "a column to keep and drop": ("detect plant.csv --keep temp --drop temp", "--keep and --drop both name 'temp'", "one of them"),
    "no such model": ("detect plant.csv -m none.aem", "none.aem: no such model", "aetool fit DATA -o none.aem"),
    "no such model of an archive": ("decompress plant.aez -m none.aem", "none.aem: no such model; give the model that the archive was made with"),
    "no such model to verify": ("verify plant.aez -m none.aem", "none.aem: no such model; give the model that the archive was made with"),
    "no such model of codes": ("decode plant.csv -m none.aem -o new.csv", "none.aem: no such model; give the model that the table of codes was made with"),
    "ten for ten percent": ("detect plant.csv --fdr 10", "--fdr", "10", "10%"),
    "a rate of words": ("detect plant.csv --fpr low", "--fpr low", "1%"),
    "a whole for a part": ("detect plant.csv --contamination 100%", "--contamination 100%", "below 100 %"),
    "a limit of words": ("detect plant.csv --max-flagged some", "--max-flagged some", "1%"),
    "a limit of a small digit": ("detect plant.csv --max-flagged ²", "--max-flagged ²", "1%"),
    "a format that is none": ("detect plant.csv --format excel", "'excel'", "csv"),
    "a device that is none": ("fit plant.csv -o m.aem --device gpu", "gpu", "cuda"),
    # what is written, and where
    "the output is there": ("fit plant.csv -o taken.aem", "taken.aem", "exists", "-f"),
    "a folder that is not there": ("fit plant.csv -o no/m.aem", "no", "folder"),
    "an archive that is none": ("decompress plant.csv", "plant.csv", "archive"),
    "a model to decompress": ("decompress plant.aem", "plant.aem: a model, not an archive", "as --model of aetool detect"),
    # data and model
    "swapped": ("detect plant.aem -m plant.csv", "plant.csv", "model"),
    "a model as data": ("detect plant.aem", "plant.aem", "aetool's own files"),
    "a plugin misspelt": ("fit plant.csv -o m.aem -p vea", "'vea'", "did you mean 'vae'?"),
    "a package for no folder": ("plugins new mine -o no", "no: no such folder", "with mkdir"),
    "a broken model": ("detect plant.csv -m broken.aem", "broken.aem", "damaged"),
    "another table": ("detect other.csv -m plant.aem", "column 'temp' is missing", "speed"),
    "without its header": ("detect bare.csv -m plant.aem", "no header: its columns are called c1, c2, c3; put the names that the model was fitted with above the records: time, temp, state"),
    "pictures for a table": ("detect mixed -m plant.aem", "mixed", "tables"),
    # columns
    "no such column to drop": ("fit plant.csv -o m.aem --drop tmp", "'tmp'", "temp"),
    "no such label": ("fit plant.csv -o m.aem --label class --normal ok", "class", "state"),
    "a label that no row has": ("fit plant.csv -o m.aem --label state --normal ok", "ok", "on"),
    "no label to judge by": ("evaluate plant.csv --label class --normal on", "class", "state"),
    "a kind that is none": ("fit plant.csv -o m.aem --type temp=float", "float", "number"),
    "no such column typed": ("fit plant.csv -o m.aem --type tmp=number", "tmp", "temp"),
    "a bound on words": ("compress plant.csv --max-error state=1", "state", "numbers"),
    "a bound that is none": ("compress plant.csv --max-error small", "--max-error small", "1%"),
    "no such column bounded": ("compress plant.csv --max-error tmp=1", "tmp", "temp"),
    "rows from 0": ("decompress plant.aez -c --rows 0:5", "--rows 0:5", "from 1"),
    "no such column restored": ("decompress plant.aez -c --columns tmp", "tmp", "temp"),
    # how text is written
    "a delimiter that is not there": ("detect plant.csv --delimiter ;", "--delimiter ;", ","),
    "a delimiter of letters": ("detect plant.csv --delimiter comma", "--delimiter comma", "tab"),
    "a delimiter that is unusual": ("detect caret.csv", "caret.csv", "--delimiter"),
    "a decimal that is none": ("detect plant.csv --decimal point", "--decimal point", ". or ,"),
    "an encoding that is none": ("detect plant.csv --encoding ansi1", "ansi1", "cp1252"),
    "rows that are none": ("detect plant.csv --skip-rows -1", "--skip-rows -1", "0 or more"),
    "more rows than there are": ("detect plant.csv --skip-rows 900", "plant.csv", "no records"),
    "ragged": ("detect ragged.csv", "row 61 (line 62) has 2 fields where 3", "mend that line"),
    "one line too wide": ("detect title.csv", "(line 63) has 4 fields where 3"),
    "a row in JSON lines": ("detect lines.jsonl", "line 3 is not JSON"),
    "a byte that is not UTF-8": ("detect latin.jsonl", "latin.jsonl: line 2 is not UTF-8, as JSON is: byte 0xff behind '{\"a\": \"'; mend that line"),
    # what is no table, or hardly one
    "empty": ("detect empty.csv", "empty.csv: the file is empty"),
    "only a header": ("detect header.csv", "header.csv: no records", "header"),
    "only blank lines": ("detect blank.csv", "blank.csv", "no records"),
    "nothing but text": ("detect words.csv", "words.csv", "--type"),
    "cut short": ("detect cut.csv.gz", "cut.csv.gz", "damaged"),
    "a binary file": ("detect zeros.bin", "zeros.bin", "binary"),
    "a web page": ("detect page.csv", "page.csv: this is a web page", "CSV"),
    "XML": ("detect data.xml", "data.xml: this is an XML file", "CSV"),
    "a JSON object cut short": ("detect one.json", "one.json: not JSON"),
    "a JSON list of numbers": ("detect numbers.json", "item 1 of the list is not an object"),
    "a pickle": ("detect notes.pkl", "notes.pkl: this is a Python pickle", "Parquet"),
    "a picture": ("detect one.png", "one.png: no picture in it can be read"),
    "a workbook": ("detect book.xlsx", "book.xlsx: not an Excel workbook that can be read"),
    "an old workbook": ("detect old.xls", "old.xls: this is an old Excel", "as CSV"),
    "a PDF": ("detect paper.pdf", "paper.pdf: this is a PDF document", "as CSV"),
    "a zip": ("detect plant.zip", "plant.zip: this is a zip of plant.csv", "unzip"),
    "a database": ("detect plant.db", "plant.db: no records in it"),
    "a folder of tables": ("fit many -o new.aem", "many", "b.csv", "a.csv"),
    "a folder of nothing": ("fit nothing -o new.aem", "nothing", "folder"),
    "tiles larger than pictures": (
        "fit mixed --tile 99 -o new.aem", "--tile 99 x 99 is larger than the pictures of mixed",
    ),
    "a stride without tiles": ("fit mixed --stride 4 -o new.aem", "--stride", "give --tile, too"),
}  # fmt: skip


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with every file above, a model and an archive of the first."""
    from aetool import operations

    path = tmp_path_factory.mktemp("desk")
    for name, content in FILES.items():
        if isinstance(content, str):
            (path / name).write_text(content)
        elif isinstance(content, bytes):
            (path / name).write_bytes(content)
        else:
            content(path / name)
    operations.fit(path / "plant.csv", operations.FitOptions(plugin="pca")).save(path / "plant.aem")
    operations.compress(path / "plant.csv", path / "plant.aez")
    return path


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_answered_by_one_line(run, desk, monkeypatch, mistake):
    command, *words = MISTAKES[mistake]
    monkeypatch.chdir(desk)
    before = sorted(path.name for path in desk.iterdir())
    done = run(*command.split())
    assert done.status == 2, done.err + done.out
    assert "Traceback" not in done.err and not done.out
    said = [line for line in done.err.splitlines() if line]
    errors = [line for line in said if line.startswith(("aetool: error: ", "Error: "))]
    others = [line for line in said if not line.startswith(("Usage: ", "Try '", "note: "))]
    assert len(errors) == 1 and others == errors, done.err
    missing = [word for word in words if word not in errors[0]]
    assert not missing, errors[0]
    assert sorted(path.name for path in desk.iterdir()) == before, "something was written"


def test_there_are_forty_mistakes_and_more():
    assert len(MISTAKES) >= 40


@pytest.mark.parametrize(
    ("written", "with_point"), [("0,5%", "0.5%"), ("0,01", "0.01"), (",5%", ".5%")]
)
def test_a_decimal_comma_is_told_to_be_a_point(written, with_point):
    with pytest.raises(ParamError) as failure:
        part_of(written, "--fpr")
    assert str(failure.value) == f"--fpr {written}: write a decimal point: {with_point}"


def test_several_columns_are_named_with_a_comma(tmp_path):
    source = tmp_path / "plant.csv"
    source.write_text(table())
    out = tmp_path / "odd.csv"
    command = ["detect", str(source), "-p", "pca", "--id", "time,state", "--top", "2", "-q"]
    assert status([*command, "-o", str(out)]) == 0
    header, *rows = out.read_text().splitlines()
    assert {"time", "state"} <= set(header.split(",")) and len(rows) == 2


INTERRUPTED = """
import runpy, sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
runpy.run_module("aetool", run_name="__main__")
"""


def test_an_interrupt_during_the_first_imports_is_one_line():
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], check=False, capture_output=True, text=True
    )
    assert done.returncode == 130
    assert done.stderr == "interrupted; nothing was written\n" and not done.stdout


def test_little_and_much_effort_exclude_each_other(tmp_path, capsys):
    source = tmp_path / "plant.csv"
    source.write_text(table())
    assert status(["compress", str(source), "--best", "--fast"]) == 2
    said = capsys.readouterr().err
    assert said == "aetool: error: --fast and --best exclude each other: leave one of them out\n"
    assert not (tmp_path / "plant.csv.aez").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("fit", "{t}", "-o", "m.aem", "--drop", "preshure"), "did you mean 'pressure'?"),
        (("fit", "{t}", "-o", "m.aem", "--type", "presure=number"), "did you mean 'pressure'?"),
        (("fit", "{t}", "-o", "m.aem", "--condition", "temp"), "there are temperature, pressure"),
        (("fit", "{t}", "-o", "m.aem", "-p", "pca", "-O", "latnt=3"), "did you mean 'latent'?"),
        (("compress", "{t}", "--max-error", "presure=1"), "did you mean 'pressure'?"),
        (("detect", "{t}", "--threshold", "0.5%"), "write --fpr 0.5%"),
        (("detect", "{t}", "-m", "{t}"), "no model, as fit writes them"),
    ],
)
def test_a_word_nearly_right_is_answered_by_the_right_one(tmp_path, run, arguments, expected):
    path = tmp_path / "t.csv"
    lines = [f"{n % 17},{n * n % 301}" for n in range(60)]
    path.write_text("temperature,pressure\n" + "\n".join(lines) + "\n")
    done = run(*(word.format(t=path) for word in arguments))
    assert done.status == 2 and expected in done.err
    assert not (tmp_path / "m.aem").exists()


def test_of_many_columns_some_are_listed():
    frame = pd.DataFrame({f"v{n}": [float(n), 1.0, 2.0] * 10 for n in range(50)})
    with pytest.raises(
        ParamError, match=r"no column 'zz' in .*; there are v0, v1, .*, v19 and 30 more$"
    ):
        aetool.fit(frame, "pca", drop=["zz"])


def test_verify_of_what_is_neither_archive_nor_model_says_what_it_takes(run, tmp_path):
    stray = tmp_path / "rand.bin"
    stray.write_bytes(bytes(range(256)))
    done = run("verify", stray)
    # as of every file that is not intact
    assert done.status == 1
    assert done.err == (
        f"aetool: error: {stray}: neither an archive (.aez) nor a model (.aem), so there is nothing "
        "to verify; give a file that compress or fit wrote\n"
    )
    # by its name it is a model: damaged
    named = stray.rename(tmp_path / "rand.aem")
    assert "damaged, or no model" in run("verify", named).err


def test_a_column_of_thousands_of_words_says_that_dropping_it_helps(tmp_path, run):
    """Each word is there twice: it is read as categories, and most of them are not listed."""
    lines = [f"{2.5 * (i % 17)},case {i // 2} of x,{'ab'[i % 3 == 0]}" for i in range(1200)]
    (tmp_path / "t.csv").write_text("\n".join(["size,case,kind", *lines]) + "\n")
    done = run("detect", tmp_path / "t.csv", "--explain-columns")
    said = "more than 254 levels; the rest is `other`; if these are names of records, --drop case helps"
    assert said in done.out and "--drop kind" not in done.out
    some = [
        line.replace(f"case {i // 2} ", f"case {i // 2 % 300} ") for i, line in enumerate(lines)
    ]
    (tmp_path / "t.csv").write_text("\n".join(["size,case,kind", *some]) + "\n")
    told = run("detect", tmp_path / "t.csv", "--explain-columns").out
    assert "the rest is `other`" in told and "--drop" not in told


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """A copy of the program, of which the files of some folders are compiled."""
    folder = tmp_path_factory.mktemp("program")
    home = Path(aetool.__file__).parent
    shutil.copytree(home, folder / "aetool", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("cli", "operations"):
        compileall.compile_dir(folder / "aetool" / name, quiet=1, force=True)
    return folder


@pytest.mark.parametrize("module", ["cli/inspecting", "operations/inspecting", "cli/terminal"])
def test_a_compiled_file_that_is_cut_short_is_no_interruption(program, module, rows_csv):
    folder, name = module.split("/")
    (compiled,) = (program / "aetool" / folder / "__pycache__").glob(f"{name}.*.pyc")
    whole = compiled.read_bytes()
    compiled.write_bytes(whole[:300])
    done = subprocess.run(
        [sys.executable, "-m", "aetool", "info", rows_csv],
        capture_output=True, text=True, check=False, cwd=program,
        env={**os.environ, "PYTHONPATH": str(program)},
    )  # fmt: skip
    compiled.write_bytes(whole)
    assert done.returncode == 2 and not done.stdout
    said = done.stderr.strip()
    assert said.startswith("aetool: error: ") and said.count("\n") == 0
    assert "the program is damaged (marshal data too short): delete" in said
    # before the command line is there, the importer alone can be asked
    assert (str(compiled) in said) == (name != "terminal")


def test_an_end_of_a_file_anywhere_else_is_a_bug_that_is_seen(monkeypatch):
    def ending(*_, **__):
        raise EOFError("of a library")

    monkeypatch.setattr(main, "invoke", ending)
    with pytest.raises(EOFError, match="of a library"):
        status(["info", "x"])


@pytest.mark.parametrize("line", ["detect rows.csv -f", "fit rows.csv -f", "detect rows.csv"])
def test_an_output_that_is_read_is_refused_at_once(line, tmp_path, monkeypatch, run):
    """Before anything is learned; also where what is read has another name."""
    monkeypatch.chdir(tmp_path)
    Path("rows.csv").write_text("a,b\n" + "1,2\n3,4\n" * 50)
    Path("other.csv").symlink_to("rows.csv")
    before = Path("rows.csv").read_bytes()

    def learned(*_arguments, **_options):
        raise AssertionError("learned")

    monkeypatch.setattr(operations, "fit", learned)
    for target in ("rows.csv", "other.csv"):
        done = run(*line.split(), "-o", target)
        expected = "is the file that is read" if "-f" in line else "exists already"
        assert done.status == 2 and f"{target}: {expected}" in done.err
    assert Path("rows.csv").read_bytes() == before
    done = run(*line.split(), "-o", str(tmp_path))
    assert done.status == 2 and "is a folder; name a file with -o" in done.err
