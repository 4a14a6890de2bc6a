"""Trains a new network: divides the rows, runs the loop, and collects the figures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from aetool.canonical import Json
from aetool.data.table import Mask
from aetool.errors import ParamError
from aetool.model import Int, Progress, Spec
from aetool.nn.autoencoder import AutoEncoder
from aetool.nn.checkpoints import Checkpoint, digest_of
from aetool.nn.processes import joined
from aetool.training.figures import code_size, facts_of_code, facts_of_fit, facts_of_length
from aetool.training.rows import (
    STARTING,
    Batches,
    Division,
    Examples,
    Features,
    rows_to_start_from,
    split,
)
from aetool.training.run import Run
from aetool.training.settings import Length, Settings, Trained, torch_device


def make(net: type[AutoEncoder], spec: Spec, params: object, seed: int) -> AutoEncoder:
    """Make a network with weights drawn from this seed, on the CPU. params: the values of the
    model's parameters; global generators are left as they were."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return net(spec, params)


@torch.no_grad()
def start(model: AutoEncoder, x: Tensor) -> None:
    """Set the first weights of a model, in place, by its own method, and the scales of its
    likelihood, if it is in bits, by the rows x, (rows, features) or pictures, on the model's
    device; the model is left in eval mode."""
    model.eval()
    model.start(x)
    rng = torch.Generator(device=x.device).manual_seed(0)
    corrupted = model.corrupt(x, rng)
    if model.code is None:
        likely = model.expected(x)
    else:
        codes = model.draw(corrupted, rng)
        likely = model.decoded(codes, x)
    if model.likelihood.error == "bits":
        model.likelihood.start(x, likely)


def train(
    net: type[AutoEncoder],
    spec: Spec,
    params: object,
    features: Features,
    settings: Settings,
    progress: Progress | None = None,
    damaged: Features | None = None,
    keep: Mask | None = None,
    labels: Features | None = None,
    owner: Int | None = None,
) -> Trained:
    """Train a new network until steps, patience or time run out; returns it with figures. params:
    the values of the model's parameters, as net takes them. progress: called at each check of the
    held-out rows with step, steps, words and held_out by name.

    features: (rows, features) or (rows, C, H, W) float32. damaged: the user's own damaged copies of
    them, in the same shape. keep: which rows to train on, (rows,), all if None. labels: (rows,), 1
    for an ordinary row, -1 for a known anomaly, which comes to the loss alone, 0 for neither; None:
    there are none. owner: (rows,), the record that each row is a piece of, all pieces of which are
    held out together. ParamError for a device that is not there, or more processes than a batch has
    rows; DataError if the training diverges, and for settings.checkpoint if that file is of another
    training or cannot be read or written; EngineError where the processes that torchrun started do
    not find one another.
    """
    device = torch_device(settings.device)
    # on the CPU, whose generator gives the same weights wherever they are trained
    model = make(net, spec, params, settings.seed)
    parts = split(len(features), settings.seed, owner)
    division = Division.of(parts, keep, labels)
    length = Length.of(model, spec, settings, len(division.fitted))
    examples = Examples.of(features, damaged, labels).to(device)
    team = joined()
    if length.batch < team.size:
        raise ParamError(
            f"torchrun: {team.size} processes share batches of {length.batch}; begin fewer"
        )
    # what a loss draws is of its own rows, whatever the other processes have
    rng = torch.Generator(device=device).manual_seed(team.seed(settings.seed))
    # the same in all processes, which take their shares of the same batches
    shuffle = np.random.default_rng(settings.seed)
    validation = examples.at(division.judged)
    run = Run(model, rng, validation, length.steps, settings, progress, team)
    if settings.checkpoint is not None:
        # of another training the file is refused
        decided_by = (net.__qualname__, vars(params), length, settings.seed, str(device))
        about = digest_of(decided_by, [features, damaged, keep, labels, owner])
        checkpoint = Checkpoint(settings.checkpoint, about, team.size)
        run.resume(checkpoint, shuffle)
    start_rows = rows_to_start_from(division.ordinary, settings.seed)
    first_rows = torch.from_numpy(features[start_rows])

    def draw() -> Examples:
        """The next batch: rows drawn at random, with repetition, from those that are fitted."""
        places = shuffle.choice(division.fitted, length.batch)
        return examples.at(places)

    with _threads_for(spec):
        # on the CPU: what a model computes first may be in numpy
        start(model, first_rows)
        model.to(device)
        ordinary = Batches(torch.from_numpy(features), division.ordinary, device)
        run.all_stages(ordinary, draw)
    model.eval().cpu()
    facts: dict[str, Json] = {
        "steps": run.step,
        "held_out_loss_nats": round(float(run.best_loss), 4),
        "device": str(device),
    }
    facts |= facts_of_length(run, settings, length)
    # as many as say what the loss is: it is only compared with that of held-out rows
    some_fitted = examples.at(division.fitted[:STARTING])
    facts |= facts_of_fit(run, some_fitted)
    held_out = torch.from_numpy(features[division.held_out])
    seen = held_out
    if damaged is not None:
        seen = torch.from_numpy(damaged[division.held_out])
    facts |= facts_of_code(model, spec, first_rows, held_out, seen)
    return Trained(model, division.held_out, code_size(model), facts)


@contextmanager
def _threads_for(spec: Spec) -> Iterator[None]:
    """Context manager: within the block torch uses one thread for tables, and its usual number for
    pictures."""
    usual = torch.get_num_threads()
    if not spec.shape:
        # small layers: a second thread costs more than it brings
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(usual)
