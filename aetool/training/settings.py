"""Settings of a training: how long, on which device; and its results."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch

from aetool.canonical import Json
from aetool.errors import ParamError
from aetool.model import Int, Spec
from aetool.nn.autoencoder import AutoEncoder
from aetool.runtime import device_parts
from aetool.spelling import option

TABLE_BATCH = 256  # rows of a batch of a table
IMAGE_BATCH = 128  # pictures of a batch
TABLE_STEPS = 2500  # by default; --epochs says otherwise
IMAGE_STEPS = 4000
LEAST_STEPS = 1000  # that a network learns in; --epochs that amount to fewer are remarked on


@dataclass(frozen=True)
class Settings:
    """How long to train, and on what.

    epochs, batch_size: how often each row is seen, and how many rows at once; None for the
    defaults: the number of steps for the kind of data, and the model's batch. max_time: seconds
    after which training ends early; None for no limit. seed: of every random draw. device: as torch
    names it, or "auto". checkpoint: a file in which the training is saved at each check of the
    held-out rows, and from which it goes on after an interruption; None for no file.
    """

    epochs: int | None = None
    batch_size: int | None = None
    max_time: float | None = None
    seed: int = 0
    device: str = "auto"
    checkpoint: str | None = None


@dataclass(frozen=True, eq=False)
class Trained:
    """The result of a training. net: the network, on the CPU and in eval mode; held_out: (n,), the
    numbers of the ordinary rows that were held out (of fewer than 20 all, which were fitted, too);
    latent: how many numbers a code has; facts: figures of the training, by name."""

    net: AutoEncoder
    held_out: Int
    latent: int
    facts: dict[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Length:
    """How long a training is. batch: rows of a batch; steps: how many batches each stage is trained
    on; steps_per_epoch: in how many steps as many rows are seen as there are to fit."""

    batch: int
    steps: int
    steps_per_epoch: int

    @classmethod
    def of(cls, model: AutoEncoder, spec: Spec, settings: Settings, rows: int) -> Length:
        """Work out how long to train: epochs as the settings ask, else the default number of steps
        for the kind of data; batches as the settings ask, else the model, else that default, but no
        larger than rows: how many are fitted, 1 at least."""
        # tables have no shape
        usual_batch = IMAGE_BATCH if spec.shape else TABLE_BATCH
        wanted_batch = settings.batch_size or model.batch_size or usual_batch
        batch = min(wanted_batch, rows)
        steps_per_epoch = math.ceil(rows / batch)
        steps = IMAGE_STEPS if spec.shape else TABLE_STEPS
        if settings.epochs is not None:
            steps = settings.epochs * steps_per_epoch
        return cls(batch, steps, steps_per_epoch)


def torch_device(name: str) -> torch.device:
    """The torch device for auto (cuda if there is any, else cpu), cpu, cuda or cuda:<n>; ParamError
    for any other name, for cuda where torch sees no CUDA device, and where it sees none of number
    n."""
    kind, gpu_number = device_parts(name)
    gpu_count = 0
    # a torch built without CUDA counts none; one whose driver fails may still count some
    if torch.cuda.is_available():
        gpu_count = torch.cuda.device_count()
    if kind == "auto":
        return torch.device("cuda" if gpu_count else "cpu")
    if kind == "cuda" and not gpu_count:
        raise ParamError(
            f"{option('--device')} {name}: this torch sees no CUDA device; use "
            f"{option('--device')} cpu"
        )
    # else torch would fail in words of its own, once the training begins
    if gpu_number is not None and gpu_number >= gpu_count:
        raise ParamError(
            f"{option('--device')} {name}: there is no such device; this torch sees cuda:0 .. "
            f"cuda:{gpu_count - 1}"
        )
    return torch.device(name)
