"""aetool demo finds what it planted, restores what it stored, and its network has learned."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from aetool.cli import demo
from tests.conftest import DEMO

PLANTED = [row for row, _, _ in demo.PLANTED]


WITHOUT_TORCH = """
import importlib.util, sys
search = importlib.util.find_spec
importlib.util.find_spec = lambda name, *of: None if name == "torch" else search(name, *of)
from aetool.cli import demo, status
every = demo.commands
demo.commands = lambda deep: [line for line in every(deep) if "@pictures" not in line]
sys.exit(status(["demo", "-o", sys.argv[1]]))
"""


# a network of the whole table and the pictures take as long as all the rest
@pytest.fixture(scope="module", params=["closed", pytest.param("deep", marks=pytest.mark.long)])
def ran(request, tmp_path_factory):
    """(folder, everything that a run of it printed, whether it had torch), in a process of its own
    as a user has it."""
    folder = tmp_path_factory.mktemp("demo") / "demo-output"
    deep = ["-m", "aetool", "demo", "-o", str(folder)]
    command = deep if request.param == "deep" else ["-c", WITHOUT_TORCH, str(folder)]
    done = subprocess.run(
        [sys.executable, *command],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return folder, done.stdout, request.param == "deep"


def test_it_says_what_it_did_and_warns_of_nothing(ran):
    folder, said, is_deep = ran
    assert not re.search("\x1b|warning|Traceback", said)
    last = said.splitlines()[-1]
    assert f"{2 + is_deep} models" in last and str(folder) in last and "failed" not in last
    for line in re.findall(r"^\$ aetool (.*)$", said, flags=re.M):
        assert "@" not in line, "can be typed again"
    for row, column, cell in demo.PLANTED:
        assert re.search(rf"^  row {row}: {column} \S+ -> {re.escape(cell)}$", said, flags=re.M)


def test_planted_cells_are_flagged_and_named(ran):
    _, said, is_deep = ran
    tables = re.findall(r"^\$ aetool detect \S+damaged.csv.*\n(.*\n(?:.*\n)+?)\n", said, flags=re.M)
    # how columns were read is told before the table
    tables = [re.sub(r"^note: .*\n", "", text, flags=re.M) for text in tables]
    assert len(tables) == 2 + is_deep, "without a model, by the default one, by a vae"
    for text in tables:
        rows = {int(line.split()[0]): line for line in text.splitlines()[1:-1]}
        assert set(PLANTED) <= set(rows) and len(rows) - len(PLANTED) <= 0.002 * 5000
        for row, column, _ in demo.PLANTED:
            assert re.search(rf"  {column}=", rows[row]), "the column that was changed comes first"
    lines = [len(text.splitlines()) - 2 for text in tables[1:]]
    besides = "two real hours of fine dust, and one without weather"
    assert lines == [7, 4][: 1 + is_deep], besides


def test_what_is_stored_comes_back(ran):
    folder, said, _ = ran
    original = (DEMO / demo.TABLE).read_bytes()
    assert (folder / "same.csv").read_bytes() == original and "air.aez: intact (" in said
    assert (folder / "air.aez").stat().st_size < 0.11 * len(original)


@pytest.mark.long
def test_the_network_has_learned(ran):
    folder, said, is_deep = ran
    if not is_deep:
        pytest.skip("there is none")
    used, units, explained, pca = re.search(
        r"code: ([\d.]+) of (\d+) units in use, explains ([\d.]+) % .*PCA of \d+: ([\d.]+) %", said
    ).groups()
    assert used == units and float(explained) > float(pca) > 85
    code = int(re.search(r"^code ([\d,]+) bytes", said, flags=re.M)[1].replace(",", ""))
    assert 5000 < code < (folder / "code.aez").stat().st_size
    assert (folder / "code.aez").stat().st_size < 0.5 * (folder / "air.aez").stat().st_size


@pytest.mark.long
def test_pictures_are_smaller_by_their_code_and_still_look_alike(ran):
    folder, _, is_whole = ran
    if not is_whole:
        pytest.skip("there are none")
    size = {name: (folder / name).stat().st_size for name in ("pictures.aez", "pictures.exact.aez")}
    assert size["pictures.aez"] < 0.2 * size["pictures.exact.aez"]

    def pixels(path: Path):
        with np.load(path) as arrays:
            (first,) = arrays.values()
        return first.astype(np.float64).reshape(400, -1)

    original = pixels(folder / demo.PICTURES)
    restored = pixels(folder / "pictures.restored.npz")
    error = np.square(original - restored).mean()
    assert error < 0.25 * np.square(original - original.mean(axis=0)).mean()


def test_without_torch_it_runs_closed_forms_alone():
    every, closed = demo.commands(True), demo.commands(False)
    assert set(closed) < set(every) and not any("vae" in line for line in closed)
