"""Networks that several processes train together, and trainings that go on after a kill."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import aetool
from aetool import plugins, training
from aetool.columns import layout
from aetool.columns.schema import infer
from aetool.data.sources import open_source
from aetool.errors import AetoolError
from aetool.model import make_params
from aetool.nn import checkpoints, processes
from aetool.system import WINDOWS

needs_torchrun = pytest.mark.skipif(WINDOWS, reason="gloo is tried on Linux and macOS")


class KilledError(Exception):
    """What stands for a kill within this process."""


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rng = np.random.default_rng(5)
    hidden = rng.normal(size=(600, 2))
    columns = hidden @ rng.normal(size=(2, 6)) + 0.2 * rng.normal(size=(600, 6))
    path = tmp_path_factory.mktemp("processes") / "t.csv"
    pd.DataFrame(columns.round(3), columns=list("abcdef")).to_csv(path, index=False)
    return path


def killed_after(checks):
    """What is told of progress, and ends the training at one of its looks at held-out rows."""

    def progress(step, steps, words):
        if "held-out" in words and step >= checks:
            raise KilledError

    return progress


def torchrun(*arguments, count=2):
    command = (
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", count,
        "-m", "aetool", *arguments,
    )  # fmt: skip
    return [str(part) for part in command]


def train(table, plugin, **settings):
    """A network trained on a table, which is not exported."""
    rows = TableRows(table)
    model = plugins.get_model(plugin)
    return training.train(
        plugins.resolve(model.net), rows.spec, make_params(model, {}), rows.features,
        training.Settings(device="cpu", epochs=30, seed=3, **settings),
        rows.progress,
    )  # fmt: skip


class TableRows:
    """Rows as a network takes them; and when the training of them is to be killed."""

    kill_at = None

    def __init__(self, table):
        source = open_source(table)
        rows = source.head()
        schema = infer(rows)
        self.spec = layout.table_spec(schema)
        self.features = layout.table_features(schema, schema.encode(rows, "t"))

    def progress(self, state):
        if self.kill_at is not None and state["step"] >= self.kill_at:
            raise KilledError


# four trainings each; a codebook has the most that is to be kept
@pytest.mark.parametrize(
    "plugin",
    [
        pytest.param("ae", marks=pytest.mark.long),
        pytest.param("vae", marks=pytest.mark.long),
        "vq",
        pytest.param("sparse", marks=pytest.mark.long),
    ],
)
def test_a_training_that_was_killed_goes_on_to_the_same_weights(
    table, tmp_path, monkeypatch, plugin
):
    whole = train(table, plugin)
    kept = tmp_path / "m.checkpoint"
    for step in (25, 55):
        monkeypatch.setattr(TableRows, "kill_at", step)
        with pytest.raises(KilledError):
            train(table, plugin, checkpoint=str(kept))
        assert kept.exists()
    monkeypatch.setattr(TableRows, "kill_at", None)
    resumed = train(table, plugin, checkpoint=str(kept))
    assert resumed.facts == whole.facts
    expected = whole.net.state_dict()
    for name, tensor in resumed.net.state_dict().items():
        assert torch.equal(tensor, expected[name]), name


def test_a_checkpoint_of_something_else_is_refused_in_one_line(run, table, tmp_path):
    kept = tmp_path / "m.aem.checkpoint"
    options = {"epochs": 30, "device": "cpu"}
    with pytest.raises(KilledError):
        aetool.fit(table, "ae", checkpoint=kept, progress=killed_after(25), seed=1, **options)
    command = ("fit", table, "-p", "ae", "-o", tmp_path / "m.aem", "--resume", "--device", "cpu")
    content = kept.read_bytes()
    for more, told in (
        (("--epochs", 30, "--seed", 2), "of other data, or of a fit with other options"),
        (("--epochs", 40, "--seed", 1), "of other data, or of a fit with other options"),
    ):
        ran = run(*command, *more)
        assert ran.status == 2 and told in ran.err and "--resume" in ran.err
        assert ran.err.count("error: ") == 1
    kept.write_bytes(content[: len(content) // 2])
    ran = run(*command, "--epochs", 30, "--seed", 1)
    assert ran.status == 2 and "is no checkpoint that can be read" in ran.err
    assert not (tmp_path / "m.aem").exists()
    kept.write_bytes(content)
    assert run(*command, "--epochs", 30, "--seed", 1).status == 0
    assert not kept.exists() and (tmp_path / "m.aem").exists()


def test_a_checkpoint_executes_nothing(tmp_path):
    class Harmful:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "harm"),))

    path = tmp_path / "m.checkpoint"
    torch.save({"about": Harmful(), "processes": 1}, path)
    with pytest.raises(AetoolError, match="no checkpoint that can be read"):
        checkpoints.Checkpoint(path, "", 1).saved()
    assert not (tmp_path / "harm").exists()


def test_as_many_processes_go_on_as_there_were(tmp_path):
    path = tmp_path / "m.checkpoint"
    checkpoints.Checkpoint(path, "about", 2).save({"step": 1})
    assert checkpoints.Checkpoint(path, "about", 2).saved()["step"] == 1
    with pytest.raises(AetoolError, match="written by 2 processes, and this fit has 1"):
        checkpoints.Checkpoint(path, "about", 1).saved()


@pytest.mark.parametrize("plugin", ["pca", "auto"])
def test_what_is_not_trained_in_steps_is_refused(run, table, tmp_path, monkeypatch, plugin):
    command = ("fit", table, "-p", plugin, "-o", tmp_path / "m.aem")
    ran = run(*command, "--resume")
    assert ran.status == 2 and "--resume: is for one network" in ran.err
    monkeypatch.setenv(processes.BEGUN_BY, "x")
    monkeypatch.setenv("WORLD_SIZE", "2")
    ran = run(*command)
    assert ran.status == 2 and "torchrun: is for one network" in ran.err
    assert not (tmp_path / "m.aem").exists()


def test_parts_of_a_batch_are_apart_and_all_of_it():
    batch = np.arange(11)
    parts = [batch[processes.Team(rank, 3).part()] for rank in range(3)]
    assert sorted(np.concatenate(parts)) == batch.tolist()
    assert {len(part) for part in parts} == {3, 4}
    assert processes.Team(0, 3).seed(7) == 7 != processes.Team(1, 3).seed(7)


PROGRAM = """
import sys
from pathlib import Path
from tests.test_processes import train
trained = train(Path(sys.argv[1]), "ae")
if not int(__import__("os").environ["RANK"]):
    print(trained.facts["steps"], trained.facts["processes"], trained.facts["held_out_loss_nats"])
"""


# torchrun and two processes that import torch
@pytest.mark.long
@needs_torchrun
def test_two_processes_learn_what_one_does(table, tmp_path):
    """At equal steps; what they learn is not exported."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8", newline="")
    command = torchrun(program, table)
    del command[command.index("aetool") - 1 : command.index("aetool") + 1]
    root = str(Path(__file__).parent.parent)
    paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "PYTHONPATH": paths}
    ran = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=300, env=environment
    )
    assert ran.returncode == 0, ran.stderr
    steps, count, loss = ran.stdout.split()
    alone = train(table, "ae")
    assert (int(steps), int(count)) == (alone.facts["steps"], 2)
    assert float(loss) == pytest.approx(alone.facts["held_out_loss_nats"], rel=0.02, abs=0.02)


@needs_torchrun
@pytest.mark.long
def test_of_several_processes_one_writes_and_speaks(table, tmp_path):
    alone, together = tmp_path / "alone.aem", tmp_path / "together.aem"
    options = ("-p", "ae", "--epochs", "20", "--seed", "1", "--device", "cpu")
    command = ("fit", table, *options, "-o")
    one = aetool.fit(table, "ae", epochs=20, seed=1, device="cpu")
    one.save(alone)
    ran = subprocess.run(
        torchrun(*command, together), capture_output=True, text=True, check=False, timeout=300
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.count("next: aetool detect") == 1
    both = aetool.load(together)
    assert both.facts["processes"] == 2 and "processes" not in one.facts
    assert both.facts["steps"] == one.facts["steps"] and both.facts["seed"] == 1
    loss, expected = (model.facts["held_out_loss_nats"] for model in (both, one))
    assert loss == pytest.approx(expected, rel=0.02, abs=0.02)


@needs_torchrun
@pytest.mark.long
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_loss_of_two_processes_on_the_bundled_table(whole_air, tmp_path, seed):
    one = aetool.fit(whole_air, "ae", all_rows=True, seed=seed, device="cpu", epochs=10)
    path = tmp_path / "m.aem"
    options = ("-p", "ae", "--all-rows", "--seed", seed, "--device", "cpu", "--epochs", "10")
    subprocess.run(torchrun("fit", whole_air, *options, "-o", path, "-q"), check=True, timeout=900)
    both = aetool.load(path)
    loss, expected = (model.facts["held_out_loss_nats"] for model in (both, one))
    print(f"seed {seed}: one process {expected}, two {loss}, steps {both.facts['steps']}")
    assert both.facts["steps"] == one.facts["steps"]
    assert abs(loss - expected) <= 0.02 * abs(expected)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="processes are found by /proc")
@pytest.mark.long
def test_processes_that_are_killed_go_on_to_the_same_bundle(whole_air, tmp_path):
    options = ("-p", "ae", "--all-rows", "--seed", "1", "--device", "cpu", "--epochs", "4", "-q")
    whole, path = tmp_path / "whole.aem", tmp_path / "m.aem"
    subprocess.run(torchrun("fit", whole_air, *options, "-o", whole), check=True, timeout=900)
    command = torchrun("fit", whole_air, *options, "-o", path, "--resume")
    kept = tmp_path / "m.aem.checkpoint"
    begun = subprocess.Popen(command)
    while not kept.exists() and begun.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            begun.wait(0.05)
    # those that it has begun are in sessions of their own; when one is gone it ends the others
    children = Path(f"/proc/{begun.pid}/task/{begun.pid}/children").read_text(encoding="ascii")
    os.kill(int(children.split()[0]), signal.SIGKILL)
    begun.wait()
    assert kept.exists() and not path.exists()
    subprocess.run(command, check=True, timeout=900)
    assert aetool.load(path).sha256 == aetool.load(whole).sha256
    assert not kept.exists()
