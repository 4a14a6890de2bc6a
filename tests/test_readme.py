"""What the README says works: its commands and its Python are run as they stand."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from aetool.cli import status
from tests.conftest import DEMO

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.S)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readme")
    shutil.copy(DEMO / "beijing_air.csv", folder / "air.csv")
    return folder


def test_its_commands_run(place, monkeypatch, capfd):
    monkeypatch.chdir(place)
    lines = [
        line[2:]
        for block in blocks("console")
        for line in block.splitlines()
        if line.startswith("$ ")
    ]
    assert len(lines) > 12
    for line in lines:
        assert line.startswith("aetool ")
        assert status(shlex.split(line)[1:]) == 0, f"{line}\n{capfd.readouterr().err}"
    assert (place / "same.csv").read_bytes() == (place / "air.csv").read_bytes()


def test_its_python_runs(place, monkeypatch):
    monkeypatch.chdir(place)
    (code,) = blocks("python")
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    assert len(names["part"]) == 100 and names["codes"].shape == (5000, 8)


def test_its_links_and_options_are_real():
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / link).exists(), link
    source = "".join(p.read_text() for p in (ROOT / "aetool" / "cli").glob("*.py"))
    for option in set(re.findall(r"--[a-z][a-z-]+", README)):
        assert f'"{option}' in source or f"{option}/" in source or option == "--verify", option


def test_the_authors_guide_names_what_there_is():
    guide = (ROOT / "plugins" / "README.md").read_text()
    base = (ROOT / "aetool" / "nn" / "autoencoder.py").read_text()
    names = re.findall(r"^\| `(\w+)\(", guide, flags=re.M)
    for name in names:
        assert f"def {name}(" in base, name
    public = set(re.findall(r"^    def ([a-z]\w*)\(", base, flags=re.M))
    assert public - {"width"} == set(names), "every member is in the table"
    from aetool.operations import authoring

    written = (ROOT / "plugins" / "REFERENCE.md").read_text()
    assert written == authoring.reference(), "make reference"


def test_the_example_by_hand(folder, work, tmp_path):
    """40 lines: the exported graphs, onnxruntime and numpy."""
    import importlib.util

    import numpy as np

    from aetool import operations
    from aetool.testing import pictures

    np.save(tmp_path / "p.npy", pictures(60)[:, 0])
    model = operations.fit(tmp_path / "p.npy")
    operations.export(model, tmp_path / "graphs")
    spec = importlib.util.spec_from_file_location("by_hand", ROOT / "benchmarks" / "by_hand.py")
    by_hand = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(by_hand)
    packed = by_hand.compress(str(tmp_path / "graphs"), pictures(60))
    back = by_hand.decompress(str(tmp_path / "graphs"), packed)
    assert len(packed) < 0.5 * 60 * 64 and np.abs(back.astype(float) - pictures(60)).mean() < 10
