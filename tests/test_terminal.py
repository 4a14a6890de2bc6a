"""What is printed cannot steer a terminal, and what cannot be printed is one line and status 2."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from aetool import operations, printing
from aetool.cli import terminal
from aetool.data import notices
from aetool.operations import TradeoffOptions
from tests.conftest import fitted

ROWS = "".join(f"{i},{i % 7}\n" for i in range(300))


def aetool(*args, folder=None, env=(), **more):
    """A command in a process of its own, with its status, output and errors."""
    command = [sys.executable, "-m", "aetool", *map(str, args)]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **dict(env)}, check=False, timeout=120,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more},
    )  # fmt: skip


@pytest.fixture(scope="module")
def compressed(tmp_path_factory):
    """A table, its archive and a model of it, in a folder."""
    path = tmp_path_factory.mktemp("terminal") / "t.csv"
    path.write_text("a,b\n" + ROWS)
    operations.compress(path, path.with_name("t.csv.aez"))
    fitted(path, "pca", path.with_name("t.aem"))
    return path.parent


@pytest.fixture
def table(tmp_path, compressed):
    shutil.copytree(compressed, tmp_path, dirs_exist_ok=True)
    return tmp_path / "t.csv"


def one_line(done, words=""):
    """Asserts that a command failed as it should, and said it once."""
    said = done.stderr.decode()
    assert done.returncode == 2 and words in said and said.count("\n") == 1, said


COMMANDS = (
    ("compress", "t.csv", "-c"),
    ("decompress", "t.csv.aez", "-c"),
    ("decompress", "t.csv.aez", "-o", "/dev/stdout"),
    ("info", "t.csv.aez"),
    ("info", "t.csv.aez", "--json"),
    ("detect", "t.csv", "-m", "t.aem", "--all", "-q"),
    ("detect", "t.csv", "-m", "t.aem", "--all", "-q", "--format", "table"),
    ("detect", "t.csv", "-m", "t.aem", "--all", "-q", "--json"),
    ("doctor",),
)


# two interpreters for each: of those that print the same way one is of the fast set
SAID_ALIKE = {
    ("info", "t.csv.aez", "--json"),
    *(c for c in COMMANDS if c[-1] in ("table", "--json", "/dev/stdout", "doctor")),
}


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(c, id=" ".join(c), marks=pytest.mark.long if c in SAID_ALIKE else ())
        for c in COMMANDS
    ],
)
def test_a_full_or_closed_output_is_one_line(table, tmp_path, command):
    with Path("/dev/full").open("wb") as full:
        one_line(aetool(*command, folder=tmp_path, stdout=full), ": cannot write: No space")
    closed = aetool(*command, folder=tmp_path, stdout=None, preexec_fn=lambda: os.close(1))
    one_line(closed, ": cannot write: it is closed")


def test_a_closed_input_is_one_line(tmp_path):
    done = aetool(
        "compress", "-", "-o", tmp_path / "x.aez", stdin=None, preexec_fn=lambda: os.close(0)
    )
    one_line(done, "standard input is closed")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_leaves_an_archive_is_said_and_one_of_talk_is_not(table, tmp_path):
    for command, status, words in (
        (("decompress", "t.csv.aez", "-c"), 2, "cannot write: Broken pipe"),
        (("compress", "t.csv", "-c", "-q"), 2, "cannot write: Broken pipe"),
        (("info", "t.csv.aez"), 0, ""),
    ):
        ends = os.pipe()
        os.close(ends[0])
        done = aetool(*command, folder=tmp_path, stdout=ends[1])
        os.close(ends[1])
        said = done.stderr.decode()
        assert (done.returncode, words in said) == (status, True), said
        assert said.count("\n") == (status > 0)


# Command lines one after the other in one process, as its arguments would have come to it; the
# status of each, and what it wrote to standard output (1) and standard error (2), as files.
ONE_BY_ONE = """
import json, os, sys
from pathlib import Path
from aetool.cli import status

folder = Path(sys.argv[1])
for number, line in enumerate(json.loads((folder / "lines.json").read_text("utf-8"))):
    for stream in (1, 2):
        file = os.open(folder / f"{number}.{stream}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, stream)
        os.close(file)
    code = status([os.fsdecode(word.encode()) for word in line])
    sys.stdout.flush()
    sys.stderr.flush()
    (folder / f"{number}.status").write_text(str(code))
"""


def in_one_process(lines, folder, env):
    """(status, output, errors) of each command line; starting a process takes longer than most."""
    folder.mkdir()
    texts = [list(map(str, line)) for line in lines]
    (folder / "lines.json").write_text(json.dumps(texts), "utf-8")
    command = [sys.executable, "-c", ONE_BY_ONE, str(folder)]
    subprocess.run(command, env={**os.environ, **env}, check=True, timeout=300)
    return [
        (
            int((folder / f"{number}.status").read_text()),
            (folder / f"{number}.1").read_bytes(),
            (folder / f"{number}.2").read_bytes(),
        )
        for number in range(len(lines))
    ]


NAMES = ["é", "a\x1b[2J", "b\x1b]0;pwned\x07", "c\x9b1m", "d\u202e", "日"]
ASCII = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}


# dozens of commands each
@pytest.mark.parametrize(
    "env",
    [pytest.param({}, id="as it is", marks=pytest.mark.long), pytest.param(ASCII, id="ascii")],
)
def test_names_do_not_steer_the_terminal_and_data_stay_as_they_are(tmp_path, env):
    lines = [("doctor",)]
    for number, name in enumerate(NAMES):
        path, model, other = (tmp_path / f"{number}{end}" for end in (".csv", ".aem", "u.csv"))
        path.write_text(f"{name},y\n" + "".join(f"{i % 50}.5,{name}{i % 3}\n" for i in range(300)))
        other.write_text("y\n1\n2\n")
        appended = ("detect", path, "-m", model, "--top", 2, "--append")
        lines += [
            ("fit", path, "-p", "pca", "-o", model),
            ("info", model),
            ("compress", path),
            ("info", f"{path}.aez"),
            (*appended, "--format", "table"),
            ("detect", other, "-m", model),
            ("detect", name),
            (f"-{name}",),
            appended,
            (*appended, "--json"),
        ]
    (code, *streams), *done = in_one_process(lines, tmp_path / "done", env)
    assert code == 0
    assert b"".join(streams).isascii()
    for number, name in enumerate(NAMES):
        shown, table, as_json = done[10 * number : 10 * number + 8], *done[10 * number + 8 :][:2]
        assert [code for code, _, _ in shown] == [0] * 5 + [2] * 3, shown
        said = b"".join(output + errors for _, output, errors in shown)
        text = said.decode("ascii" if env else "utf-8")
        assert "Traceback" not in text
        assert all(c.isprintable() or c == "\n" for c in text)
        assert (name in text) == (name.isprintable() and not env)
        assert table[1].decode("utf-8").split("\n")[0] == f"row,score,p,why,{name},y"
        assert name in json.loads(as_json[1])["records"][0]


@pytest.mark.parametrize(("text", "shown"), [
    ("plain é 日", "plain é 日"), ("\x1b[31m", "\\x1b[31m"), ("a\nb\tc\r", "a\\nb\\tc\\r"),
    ("\u202etxt", "\\u202etxt"), ("\u2028", "\\u2028"), ("\ud83d", "\\ud83d"), ("\x85", "\\x85"),
    ("no\xa0break 👩\u200d🚀", "no\xa0break 👩\u200d🚀"),
])  # fmt: skip
def test_what_is_shown_of_a_value(text, shown):
    assert printing.printable(text) == shown


def test_a_name_too_long_is_one_line(tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "n" * 248 + ".csv"
    (tmp_path / name).write_text("a\n1\n2\n")
    for command, words in (
        (("compress", name), "File name too long"),
        (("fit", name, "-p", "pca", "-q", "-o", "m" * 300), "too long"),
    ):
        done = run(*command)
        assert done.status == 2 and words in done.err and done.err.count("\n") == 1, done.err
    done = run("compress", name, "-o", "x" * 251 + ".aez", "-q")
    assert done.status == 0, "the longest name that the file system takes"
    done = run("compress", name, "-o", "x" * 251 + ".aez", "-q", "-f")
    assert done.status == 0 and len(list(tmp_path.iterdir())) == 2


def test_half_a_surrogate_pair_in_json_is_read(tmp_path, run):
    path = tmp_path / "t.jsonl"
    lines = [json.dumps({"t": "ab"[i % 2], "v": i * 7 % 31}) for i in range(60)]
    path.write_text(
        "\n".join([*lines, '{"t":"\\ud83d","v":3,"\\ude00":1}'.replace(',"\\ude00":1', "")])
    )
    from aetool.data.sources import open_source

    assert open_source(path).head()["t"].strings()[-2:] == ["b", "\ufffd"]
    path.write_text('{"t\\udfff": "\\ud83d\\ude00 \\udc00"}\n')
    found = open_source(path).head()
    assert found.names == ("t\ufffd",) and found[found.names[0]].strings() == ["😀 \ufffd"]
    for command in (
        ("detect", path),
        ("fit", path, "-p", "pca", "-o", tmp_path / "m.aem"),
        ("compress", path),
    ):
        done = run(*command)
        assert done.status in (0, 2) and "Traceback" not in done.err
    assert run("decompress", f"{path}.aez", "-c").out == path.read_text()


def test_an_array_without_columns_is_one_line(tmp_path, run):
    np.save(tmp_path / "a.npy", np.zeros((3, 0)))
    for command in (("detect", tmp_path / "a.npy"), ("fit", tmp_path / "a.npy", "-p", "pca")):
        done = run(*command)
        assert done.status == 2 and "without columns" in done.err and done.err.count("\n") == 1


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_ends_a_command_as_interrupted(tmp_path, name):
    """While it reads a pipe that does not end: its spool has no name, so that not even SIGKILL
    leaves it."""
    number = getattr(signal, name)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    command = [sys.executable, "-m", "aetool", "compress", "-", "-o", str(tmp_path / "x.aez")]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(scratch)},
    )  # fmt: skip
    # what is written is larger than a pipe holds: when it is gone, most of it was read
    process.stdin.write(b"a,b\n" + ROWS.encode() * 1000)
    process.stdin.flush()
    assert list(scratch.iterdir()) == []
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number and said.strip().count(b"\n") == 0
    assert b"nothing was written" in said
    assert list(scratch.iterdir()) == [] and not (tmp_path / "x.aez").exists()


def test_without_a_command_the_help_is_shown_line_by_line(run):
    done = run()
    assert done.status == 2
    assert done.err.splitlines()[0].startswith("Usage: aetool") and "\\n" not in done.err
    assert len(done.err.splitlines()) > 10


def test_a_line_of_progress_covers_the_one_before_and_ends_before_other_words(capsys):
    terminal.progress("12 %  neighbours")
    terminal.progress("99 %  pca")
    terminal.say("done", err=True)
    terminal.say("again", err=True)
    first, second = "12 %  neighbours", "99 %  pca".ljust(len("12 %  neighbours"))
    assert capsys.readouterr().err == f"\r{first}\r{second}\ndone\nagain\n"


def test_detect_without_a_model_says_how_far_its_learning_is():
    rows = np.random.default_rng(0).normal(size=(80, 3))
    told = []
    with notices.watched_by(lambda *state: told.append(state)):
        operations.detect(rows, None)
    begins, lines = zip(*told, strict=True)
    assert begins[0] and not any(begins[-10:])
    parts = [int(line.split(" %")[0]) for line in lines]
    assert parts == sorted(parts) and parts[0] == 0 and parts[-1] == 100
    words = {line.split(": ")[1] for line in lines}
    assert {"pca", "neighbours"} <= words, "the members of the default, by name"


def test_a_survey_tells_how_far_it_is(tmp_path):
    path = tmp_path / "t.csv"
    rows = "".join(f"{1.37 * i:.2f}\n" for i in range(300))
    path.write_text("a\n" + rows, encoding="utf-8")
    told = []
    with notices.watched_by(lambda begins, line: told.append(line)):
        measured = operations.tradeoff(path, options=TradeoffOptions(others=False))
    archives = [line for line in told if "archives measured" in line]
    assert len(archives) == len(measured.points)
    assert archives[0] == "1 archives measured, the last: exact"
    assert archives[-1].startswith(f"{len(measured.points)} archives measured, the last: bounded")
