"""Figures about a finished training: its length, its fit, and the use of its code."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from aetool.canonical import Json
from aetool.model import Continuous, Discrete, Spec
from aetool.nn.autoencoder import AutoEncoder
from aetool.nn.usage import code_use
from aetool.training.rows import Examples, Features
from aetool.training.settings import LEAST_STEPS, Length, Settings

if TYPE_CHECKING:
    from aetool.training.run import Run

COPIES = 0.05  # nats a column: less than this between real and mixed rows, and a code copies


def facts_of_length(run: Run, settings: Settings, length: Length) -> dict[str, Json]:
    """Facts, by name, about a training: stopped_by_max_time, its steps, and of how many, if the
    limit of time ended it; few_steps, if settings.epochs gave it fewer than LEAST_STEPS (1,000),
    with these numbers and the epochs that are enough; processes, how many it had, if several. Empty
    if none is so."""
    facts: dict[str, Json] = {}
    if not run.team.is_alone:
        # the same seed gives another network on another number of them
        facts["processes"] = run.team.size
    if run.timed_out:
        facts["stopped_by_max_time"] = {"steps": run.step, "of": run.planned}
    if settings.epochs is not None and length.steps < LEAST_STEPS:
        enough = math.ceil(LEAST_STEPS / length.steps_per_epoch)
        facts["few_steps"] = {
            "epochs": settings.epochs,
            "steps": length.steps,
            "least": LEAST_STEPS,
            "enough_epochs": enough,
        }
    return facts


def facts_of_fit(run: Run, fitted: Examples) -> dict[str, Json]:
    """Facts by name: train_loss_nats, the mean loss of fitted rows; gap_nats, by how much the best
    loss of held-out rows is above it, both in nats to four decimals; weights, how many the network
    has."""
    fitted_loss = run.evaluate(fitted)
    gap = float(run.best_loss) - fitted_loss
    weights = sum(parameter.numel() for parameter in run.model.parameters())
    return {
        "train_loss_nats": round(fitted_loss, 4),
        "gap_nats": round(gap, 4),
        "weights": weights,
    }


@torch.no_grad()
def facts_of_code(
    model: AutoEncoder,
    spec: Spec,
    first_rows: Tensor,
    held_out: Tensor,
    seen: Tensor,
) -> dict[str, Json]:
    """Figures about the code on held-out rows, by name: those of the model's own report; "copies",
    True if the code is a mere copy of a row; "code", how many of its numbers are used, see
    code_use, if that can be told. model: on the CPU, in eval mode.

    first_rows: some rows that were fitted, held_out: those that were not, (rows, features) or
    pictures each. seen: the held-out rows as the encoder gets them (damaged ones, if the user gave
    such).
    """
    facts: dict[str, Json] = {}
    values_of_a_row = math.prod(spec.shape or (spec.features,))
    # only a code as large as a row can be a mere copy of it
    if code_size(model) >= values_of_a_row and _is_copy(model, held_out):
        facts["copies"] = True
    report = model.report(held_out)
    facts |= report
    if model.code is None or spec.given:
        return facts
    use = code_use(model, first_rows, held_out, seen, report)
    if use:
        facts["code"] = use
    return facts


def _is_copy(model: AutoEncoder, x: Tensor) -> bool:
    """Whether a model copies its input, held-out rows x, (rows, features) or pictures, column by
    column: rows mixed from columns of different rows then cost less than 0.05 nats a column more
    than real ones, and its code says nothing about how columns belong together."""
    rng = np.random.default_rng(0)
    flat = x.flatten(1)
    # features of one column stay together: what they are to each other is its own affair
    owners = model.spec.owners()
    mixed = flat.clone()
    for column in range(int(owners.max()) + 1):
        features = torch.from_numpy(np.flatnonzero(owners == column))
        other_rows = torch.from_numpy(rng.permutation(len(flat)))
        mixed[:, features] = flat[other_rows][:, features]
    real_cost = _mean_cost(model, x)
    mixed_cost = _mean_cost(model, mixed.reshape(x.shape))
    return mixed_cost - real_cost < COPIES


def _mean_cost(model: AutoEncoder, x: Tensor) -> float:
    """The mean cost of a column over rows x, (rows, features) or pictures, in nats."""
    # the last part belongs to no column
    of_columns = model.parts(x)[:, :-1]
    return float(of_columns.mean())


def code_size(model: AutoEncoder) -> int:
    """How many numbers the code of a row has; 0 without a code."""
    if isinstance(model.code, Continuous):
        return model.code.size
    if isinstance(model.code, Discrete):
        return math.prod(model.code.shape)
    return 0


@torch.no_grad()
def for_samples(
    net: AutoEncoder, features: Features
) -> tuple[Features | None, Features, tuple[Features, Features] | None]:
    """Collect what a recipe for samples is learned from: (the codes of rows, (n, latent), None
    without a code; the features that these are decoded to, of the shape of `features`; (scales,
    weights) of the likelihood's mixture of Gaussians, (components, numbers) both; None for the
    prior "codes" and for errors other than "bits"). features: (n, ...) float32, of these rows. net:
    on the CPU, in eval mode. All arrays are float32."""
    x = torch.from_numpy(features)
    codes: Features | None = None
    if net.code is None:
        likely = net.expected(x)
    else:
        # always the same draws: a second fit gives the same bundle
        z = net.draw(x, torch.Generator().manual_seed(0))
        likely = net.decoded(z, x)
        codes = z.numpy()
    mixture = None
    is_learned = net.prior != "codes" and net.likelihood.error == "bits"
    if is_learned:
        scales, weights = net.likelihood.mixture()
        mixture = (scales.numpy(), weights.numpy())
    return codes, likely.numpy(), mixture
