"""The training loop: seeds, early stopping, time, and what it leaves alone."""

import time

import numpy as np
import pytest
import torch

import aetool
from aetool import nn, plugins, training
from aetool.cli import remarks
from aetool.columns import layout
from aetool.columns.schema import infer
from aetool.data import scaling
from aetool.errors import ParamError
from aetool.model import make_params
from aetool.testing import table_rows
from tests.conftest import fresh


@pytest.fixture(scope="module")
def data():
    rows = table_rows(300)
    schema = infer(rows)
    return layout.table_spec(schema), layout.table_features(schema, schema.encode(rows, "t"))


def train(data, progress=None, **settings):
    model = plugins.get_model("ae")
    return training.train(plugins.resolve(model.net), data[0], make_params(model, {}), data[1],
                          training.Settings(device="cpu", **settings), progress)  # fmt: skip


def weights(trained):
    return torch.cat([p.detach().flatten() for p in trained.net.parameters()])


def test_the_seed_decides(data):
    one, two, other = (train(data, epochs=3, seed=s) for s in (1, 1, 2))
    assert torch.equal(weights(one), weights(two))
    assert not torch.equal(weights(one), weights(other))


def test_global_state_is_left_alone(data):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    threads = torch.get_num_threads()
    train(data, epochs=2)
    assert torch.equal(torch.rand(3), expected) and torch.get_num_threads() == threads


def test_held_out_rows_are_a_tenth_and_apart():
    fitted, held = training.split(1000, 0)
    assert len(held) == 100 and not set(held) & set(fitted)
    assert sorted([*held, *fitted]) == list(range(1000))
    fitted, held = training.split(5, 0)
    assert list(fitted) == list(held) == list(range(5)), "few rows are used for both"


def test_the_best_weights_are_kept(data):
    seen = []
    trained = train(data, progress=seen.append, epochs=40)
    best = min(s["held_out"] for s in seen)
    assert trained.facts["held_out_loss_nats"] == pytest.approx(best, abs=1e-3)


def test_max_time_caps_the_training(data, monkeypatch):
    """On a clock by which a step takes a second, and nothing else takes any time."""
    steps = 0

    def step(self, rng):
        nonlocal steps
        steps += 1

    monkeypatch.setattr(nn.AutoEncoder, "after_step", step)
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0 + steps)
    trained = train(data, epochs=100_000, max_time=30.0)
    assert 30 <= trained.facts["steps"] <= 32 and trained.facts["steps"] == steps


class FastClock:
    """A clock that goes `tick` seconds forward whenever it is looked at."""

    def __init__(self, tick):
        self.tick, self.now = tick, 0.0

    def __call__(self):
        self.now += self.tick
        return self.now


def test_training_does_not_look_at_the_clock(data, monkeypatch):
    plain = train(data, epochs=20)
    monkeypatch.setattr(time, "monotonic", FastClock(3600.0))
    slow = train(data, epochs=20)
    assert torch.equal(weights(plain), weights(slow)) and plain.facts == slow.facts
    assert slow.facts["steps"] == 40 and "stopped_by_max_time" not in slow.facts


def test_max_time_caps_and_says_so(data, monkeypatch):
    monkeypatch.setattr(time, "monotonic", FastClock(0.1))
    trained = train(data, epochs=1000, max_time=5.0)
    assert 30 < trained.facts["steps"] < 60
    cut = {"steps": trained.facts["steps"], "of": 2000}
    assert trained.facts["stopped_by_max_time"] == cut
    (first, *_) = remarks.of_training(trained.facts)
    assert first == f"stopped by --max-time after {cut['steps']} of 2,000 steps"


def test_facts_hold_no_time(data):
    assert not [k for k in train(data, epochs=2).facts if "second" in k or k.endswith("_s")]


def test_few_epochs_are_remarked_on(data):
    trained = train(data, epochs=5)
    assert trained.facts["few_steps"] == {
        "epochs": 5, "steps": 10, "least": 1000, "enough_epochs": 500
    }  # fmt: skip
    said = " ".join(remarks.of_training(trained.facts))
    assert "5 epochs are 10 steps, too few for a network to learn (at least 1,000)" in said
    assert "leave --epochs out, or ask for 500" in said


# a thousand steps
@pytest.mark.long
def test_enough_epochs_are_not_remarked_on(data):
    assert "few_steps" not in train(data, epochs=500).facts


def test_the_code_is_described():
    code = {"units": 6, "active": 6, "explained": 0.831, "pca_numbers": 6, "pca_explained": 0.78,
            "dead": False}  # fmt: skip
    (line,) = remarks.of_code(code)
    assert line == (
        "code: 6 of 6 units in use, explains 83.1 % of the variance of held-out rows "
        "(PCA of 6: 78.0 %)"
    )
    (line,) = remarks.of_code(code | {"pca_explained": 0.9})
    assert "PCA does better here: -p pca, or -O latent=N" in line
    _, warning = remarks.of_code(code | {"dead": True})
    assert warning.startswith("warning: the code is dead")


# a network that is made to die; a dead code is refused in test_rivals.py
@pytest.mark.long
def test_a_dead_code_is_said_by_fit_and_info(rows_csv, tmp_path, run):
    target = tmp_path / "m.aem"
    fitted = run("fit", rows_csv, "-p", "vae", "-O", "beta=100", "--epochs", 100, "-o", target)
    assert fitted.status == 0
    code = aetool.load(target).facts["code"]
    assert code["dead"] and code["active"] == 0 and code["kl_nats"] < 0.05
    assert "\nwarning: the code is dead" in fitted.err
    assert "\nwarning: the code is dead" in run("info", target).out


def test_the_code_of_a_default_fit_is_alive(rows_csv, tmp_path, run):
    target = tmp_path / "m.aem"
    fitted = run("fit", rows_csv, "-p", "vae", "--epochs", 5, "-o", target)
    code = aetool.load(target).facts["code"]
    assert fitted.status == 0 and not code["dead"] and code["active"] >= 1
    assert "code: " in fitted.err and "too few for a network to learn" in fitted.err
    assert "warning" not in fitted.err


def test_cuda_that_is_not_there():
    if torch.cuda.is_available():
        return
    with pytest.raises(ParamError, match="sees no CUDA"):
        training.torch_device("cuda")


INTERRUPTED = """
import os, signal, sys
from aetool.cli import options, run

def interrupt(meter, state):
    print("training, step", state["step"], flush=True)
    os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # of a background job it is ignored
options.Meter.__call__ = interrupt
run(sys.argv[1:])
"""


def test_interrupted_fit_leaves_nothing(tmp_path, rows_csv):
    target = tmp_path / "m.aem"
    done = fresh(
        INTERRUPTED, "fit", str(rows_csv), "-p", "ae", "--epochs", "200", "-o", str(target)
    )
    assert done.returncode == 130 and "interrupted" in done.stderr
    assert "training" in done.stdout and "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_one_row_and_constant_features():
    spec = scaling.image_spec((1, 1, 4))
    x = np.zeros((1, 1, 1, 4), np.float32)
    model = plugins.get_model("vae")
    trained = training.train(plugins.resolve(model.net), spec, make_params(model, {}), x,
                             training.Settings(epochs=2))  # fmt: skip
    assert np.isfinite(trained.facts["held_out_loss_nats"])
