"""The one training loop: AdamW, cosine decay, early stopping on a held-out part.

A training is counted in steps, and looks at the clock only if a limit of time was asked for: the
same data and seed give the same network on a slow or busy machine.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from aetool.canonical import Json
from aetool.errors import DataError, ParamError
from aetool.model import Continuous, Discrete, Progress, Spec
from aetool.nn.autoencoder import AutoEncoder
from aetool.nn.calls import loss_of
from aetool.nn.usage import code_use
from aetool.spelling import option

Array = npt.NDArray[np.float32]
LEARNING_RATE, WEIGHT_DECAY, CLIP_NORM = 2e-3, 1e-4, 5.0
TABLE_BATCH, IMAGE_BATCH = 256, 128
TABLE_STEPS, IMAGE_STEPS = 2500, 4000  # by default; --epochs says otherwise
LEAST_STEPS = 1000  # that a network learns in; --epochs that amount to fewer are remarked on
HELD_OUT, MOST_HELD_OUT, FEWEST_TO_HOLD = 0.1, 10_000, 20
COPIES = 0.05  # nats a column: less than this between real and mixed rows, and a code copies
STARTING = 10_000  # rows at most that a model starts from
SCALE_RATE = 5.0  # times the learning rate, for the likelihood's scales: means move, scales follow
CHUNK = 1024  # rows of a batch that a model looks at beside its training
CHECKS, PATIENCE = 25, 12  # looks at the held-out part, and how many without gain end it


@dataclass(frozen=True)
class Settings:
    """How long and on what to train. epochs, batch_size: None for the defaults. max_time: seconds
    after which training ends, whatever steps are left; None for no limit."""

    epochs: int | None = None
    batch_size: int | None = None
    max_time: float | None = None
    seed: int = 0
    device: str = "auto"


@dataclass(frozen=True, eq=False)
class Trained:
    """The network (on the CPU, in eval mode), the rows it has not seen, and the figures."""

    net: AutoEncoder
    held_out: npt.NDArray[np.int64]
    latent: int
    facts: dict[str, Json] = field(default_factory=dict)


def torch_device(name: str) -> torch.device:
    """The torch device for auto, cpu, cuda or cuda:<n>; ParamError if it is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ParamError(
            f"{option('--device')} {name}: this torch sees no CUDA device; use "
            f"{option('--device')} cpu"
        )
    return torch.device(name)


def make(net: type[AutoEncoder], spec: Spec, params: object, seed: int) -> AutoEncoder:
    """The network with weights drawn from this seed; global generators are left as they were."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return net(spec, params)


def train(
    net: type[AutoEncoder],
    spec: Spec,
    params: object,
    features: Array,
    settings: Settings,
    progress: Progress | None = None,
    damaged: Array | None = None,
    keep: npt.NDArray[np.bool_] | None = None,
    labels: Array | None = None,
    owner: npt.NDArray[np.int64] | None = None,
) -> Trained:
    """Train net on features, (rows, features) or (rows, C, H, W) float32; damaged: the user's own
    damaged copies of them; keep: which rows to train on, (rows,), all if None; labels: (rows,), as
    AutoEncoder.loss takes them: rows below 0 come to the loss alone; owner: (rows,), the record
    that each row is a piece of, all pieces of which are held out together."""
    device = torch_device(settings.device)
    model = make(net, spec, params, settings.seed)
    rng = torch.Generator(device=device).manual_seed(settings.seed)
    fitted, held_out_rows = split(len(features), settings.seed, owner)
    known = held_out_rows
    if keep is not None:
        fitted, known = (
            fitted[keep[fitted]],
            held_out_rows[keep[held_out_rows]] if keep[held_out_rows].any() else held_out_rows,
        )
    examples = _Examples.of(features, damaged, labels).to(device)
    validation = examples.at(known)
    ordinary = fitted
    if labels is not None:
        ordinary, held_out_rows = (
            fitted[labels[fitted] >= 0],
            held_out_rows[labels[held_out_rows] >= 0],
        )
    usual = IMAGE_BATCH if spec.shape else TABLE_BATCH
    batch = settings.batch_size or model.batch_size or usual
    batch = min(batch, len(fitted))
    per_epoch = math.ceil(len(fitted) / batch)
    steps = IMAGE_STEPS if spec.shape else TABLE_STEPS
    if settings.epochs is not None:
        steps = settings.epochs * per_epoch
    run = _Run(model, rng, validation, steps, settings.max_time, progress)
    shuffle = np.random.default_rng(settings.seed)
    first = torch.from_numpy(features[_some(ordinary, settings.seed)])
    threads = torch.get_num_threads()
    if not spec.shape:
        torch.set_num_threads(1)  # small layers: a second thread costs more than it brings
    try:
        start(model, first)  # on the CPU: what a model computes first may be in numpy
        model.to(device)
        rows = _Rows(torch.from_numpy(features), ordinary, device)
        for stage in model.stages():
            with torch.no_grad():
                model.eval().begin(rows)
            run.stage(stage, lambda: examples.at(shuffle.choice(fitted, batch)))
            model.load_state_dict(run.best)
        with torch.no_grad():
            model.eval().finish(rows)
    finally:
        torch.set_num_threads(threads)
    model.eval().cpu()
    held_out_loss = float(run.best_loss)
    facts: dict[str, Json] = {
        "steps": run.step,
        "held_out_loss_nats": round(held_out_loss, 4),
        "device": str(device),
    }
    if run.timed_out:
        facts["stopped_by_max_time"] = {"steps": run.step, "of": run.planned}
    if settings.epochs is not None and steps < LEAST_STEPS:
        facts["few_steps"] = {
            "epochs": settings.epochs, "steps": steps, "least": LEAST_STEPS,
            "enough_epochs": math.ceil(LEAST_STEPS / per_epoch),
        }  # fmt: skip
    fitted_loss = run.evaluate(examples.at(fitted[:STARTING]))
    facts["train_loss_nats"] = round(fitted_loss, 4)
    facts["gap_nats"] = round(held_out_loss - fitted_loss, 4)
    facts["weights"] = sum(p.numel() for p in model.parameters())
    with torch.no_grad():
        x = torch.from_numpy(features[held_out_rows])
        if _code_size(model) >= math.prod(spec.shape or (spec.features,)) and _copies(model, x):
            facts["copies"] = True
        report = model.report(x)
        facts |= report
    if model.code is not None and not spec.given:
        there = x if damaged is None else torch.from_numpy(damaged[held_out_rows])
        use = code_use(model, first, x, there, report)
        facts |= {"code": use} if use else {}
    return Trained(model, held_out_rows, _code_size(model), facts)


@dataclass(frozen=True, eq=False)
class _Examples:
    """Training rows, with the user's damaged copies and labels of them, where given."""

    rows: Tensor
    seen: Tensor | None = None
    labels: Tensor | None = None

    @classmethod
    def of(cls, rows: Array, damaged: Array | None, labels: Array | None) -> _Examples:
        """Examples made of arrays whose first axis is the rows."""
        return cls(
            torch.from_numpy(rows),
            None if damaged is None else torch.from_numpy(damaged),
            None if labels is None else torch.from_numpy(labels),
        )

    def __len__(self) -> int:
        return len(self.rows)

    def at(self, places: npt.NDArray[np.int64] | slice) -> _Examples:
        """The examples at these places."""
        index = places if isinstance(places, slice) else torch.from_numpy(places)
        return self._each(lambda tensor: tensor[index])

    def to(self, device: torch.device) -> _Examples:
        """The examples, moved to a device."""
        return self._each(lambda tensor: tensor.to(device))

    def _each(self, change: Callable[[Tensor], Tensor]) -> _Examples:
        return _Examples(
            change(self.rows),
            None if self.seen is None else change(self.seen),
            None if self.labels is None else change(self.labels),
        )


class _Rows:
    """The training rows as batches that an author's `begin` and `finish` can iterate again and
    again."""

    def __init__(
        self, features: Tensor, fitted: npt.NDArray[np.int64], device: torch.device
    ) -> None:
        self.features = features
        self.fitted = fitted
        self.device = device

    def __iter__(self) -> Iterator[Tensor]:
        for first in range(0, len(self.fitted), CHUNK):
            rows = torch.from_numpy(self.fitted[first : first + CHUNK])
            yield self.features[rows].to(self.device)


@torch.no_grad()
def start(model: AutoEncoder, x: Tensor) -> None:
    """The model's own first weights, and the scales of its likelihood that suit them."""
    model.eval()
    model.start(x)
    rng = torch.Generator(device=x.device).manual_seed(0)
    corrupted = model.corrupt(x, rng)
    likely = (
        model.expected(x) if model.code is None else model.decoded(model.draw(corrupted, rng), x)
    )
    if model.likelihood.error == "bits":
        model.likelihood.start(x, likely)


def _some(rows: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.int64]:
    """At most STARTING of these row numbers, in order."""
    if len(rows) <= STARTING:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, STARTING, replace=False))


@torch.no_grad()
def for_samples(
    net: AutoEncoder, features: Array
) -> tuple[Array | None, Array, tuple[Array, Array] | None]:
    """(codes, what they decode to, the likelihood's mixture if training has learned it) of rows."""
    x = torch.from_numpy(features)
    z = None if net.code is None else net.draw(x, torch.Generator().manual_seed(0))
    likely = net.expected(x) if z is None else net.decoded(z, x)
    learned = net.prior != "codes" and net.likelihood.error == "bits"
    mixture = None
    if learned:
        scales, weights = net.likelihood.mixture()
        mixture = (scales.numpy(), weights.numpy())
    return None if z is None else z.numpy(), likely.numpy(), mixture


def split(
    rows: int, seed: int, owner: npt.NDArray[np.int64] | None = None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Row numbers to fit and to hold out (the same rows twice if there are few); owner: (rows,),
    the record that each row is a piece of, if it is one."""
    if owner is not None:
        records = np.unique(owner)
        # their highest pieces are what is calibrated by: of few records more are held out
        wanted = min(len(records) // 2, max(FEWEST_TO_HOLD, round(HELD_OUT * len(records))))
        chosen = np.random.default_rng(seed).permutation(records)[: max(1, wanted)]
        is_held = np.isin(owner, chosen)
        if len(records) > 1:
            return np.flatnonzero(~is_held), np.flatnonzero(is_held)
    order = np.random.default_rng(seed).permutation(rows)
    if rows < FEWEST_TO_HOLD:
        return np.sort(order), np.sort(order)
    held_out = min(MOST_HELD_OUT, max(2, round(HELD_OUT * rows)))
    return np.sort(order[held_out:]), np.sort(order[:held_out])


def _copies(model: AutoEncoder, x: Tensor) -> bool:
    """Whether rows put together from columns of different rows cost hardly more than real ones: the
    code then says nothing of how columns belong together."""
    rng = np.random.default_rng(0)
    flat = x.flatten(1)
    owners = model.spec.owners()
    mixed = flat.clone()
    for column in range(int(owners.max()) + 1):
        features = torch.from_numpy(np.flatnonzero(owners == column))
        mixed[:, features] = flat[torch.from_numpy(rng.permutation(len(flat)))][:, features]
    real, fake = (float(model.parts(v)[:, :-1].mean()) for v in (x, mixed.reshape(x.shape)))
    return fake - real < COPIES


def _code_size(model: AutoEncoder) -> int:
    if isinstance(model.code, Continuous):
        return model.code.size
    return math.prod(model.code.shape) if isinstance(model.code, Discrete) else 0


class _Run:
    """The state of one training: counts, clock, and the best weights so far."""

    def __init__(
        self,
        model: AutoEncoder,
        rng: torch.Generator,
        validation: _Examples,
        steps: int,
        seconds: float | None,
        progress: Progress | None,
    ) -> None:
        self.model = model
        self.rng = rng
        self.validation = validation
        self.steps = max(1, steps)
        self.seconds = seconds
        self.progress = progress
        self.started = time.monotonic()  # for the line of progress, and --max-time
        self.step = 0
        self.planned = 0
        self.timed_out = False
        self.seed = rng.initial_seed()
        self.best_loss = math.inf
        self.best = copy.deepcopy(model.state_dict())

    def stage(self, parameters: Sequence[Tensor], draw: Callable[[], _Examples]) -> None:
        """Train these parameters until steps or patience run out, or the time that was asked for;
        keeps the best weights."""
        self.best_loss = math.inf
        scales = {id(p) for p in self.model.likelihood.parameters()}
        groups = [
            {"params": [p for p in parameters if id(p) not in scales], "times": 1.0},
            {"params": [p for p in parameters if id(p) in scales], "times": SCALE_RATE},
        ]
        fastest = self.model.learning_rate or LEARNING_RATE
        optimiser = torch.optim.AdamW(groups, lr=fastest, weight_decay=WEIGHT_DECAY, fused=True)
        patience = 0
        self.planned += self.steps
        every = max(1, self.steps // CHECKS)
        self._check()  # the first weights may be good
        for i in range(1, self.steps + 1):
            done = i / self.steps
            if self.seconds is not None:
                done = max(done, (time.monotonic() - self.started) / self.seconds)
            rate = fastest * min(1.0, i / 50) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
            for group in optimiser.param_groups:
                group["lr"] = rate * group["times"]
            self.model.train()
            self.model.progress = min(1.0, done)
            loss = self._loss(draw(), self.rng).mean()
            self.model.progress = 1.0
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(parameters, CLIP_NORM)
            optimiser.step()
            self.model.after_step(self.rng)
            self.step += 1
            if i % every and done < 1:
                continue
            patience = 0 if self._check() else patience + 1
            self.timed_out |= done >= 1 and i < self.steps
            if done >= 1 or patience >= PATIENCE:
                return

    def _loss(self, examples: _Examples, rng: torch.Generator) -> Tensor:
        return loss_of(self.model, examples.rows, rng, examples.seen, examples.labels)

    def _check(self) -> bool:
        """Judge the network by the rows held out; True if it improved. Keeps the best weights."""
        held_out_loss = self.evaluate(self.validation)
        if not math.isfinite(held_out_loss) and self.best_loss == math.inf:
            raise DataError(
                "training diverged: the held-out loss is not finite; "
                "look for extreme values, or drop the column that holds them"
            )
        better = held_out_loss < self.best_loss - 1e-4 * abs(
            self.best_loss if self.best_loss < 1e30 else 0
        )
        if held_out_loss < self.best_loss:
            self.best_loss = held_out_loss
            self.best = copy.deepcopy(self.model.state_dict())
        if self.progress:
            seconds = time.monotonic() - self.started
            self.progress(
                {
                    "step": self.step,
                    "steps": self.planned,
                    "words": f"held-out loss {held_out_loss:.4g} nats, {seconds:.0f} s",
                    "held_out": held_out_loss,
                }
            )
        return better

    @torch.no_grad()
    def evaluate(self, examples: _Examples) -> float:
        """Mean loss per row, with the same random draws every time."""
        self.model.eval()
        device = next(self.model.parameters()).device
        rng = torch.Generator(device=device).manual_seed(self.seed)
        parts = (
            examples.at(slice(first, first + CHUNK)).to(device)
            for first in range(0, len(examples), CHUNK)
        )
        total = sum(float(self._loss(part, rng).sum()) for part in parts)
        return total / max(len(examples), 1)
