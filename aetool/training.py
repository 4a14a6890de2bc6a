"""The one training loop: AdamW, cosine decay, early stopping on a held-out part.

A training is counted in steps, and looks at the clock only if a limit of time was asked for: the
same data and seed give the same network on a slow or busy machine.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
from aetool.nn.checkpoints import Checkpoint, digest_of
from aetool.nn.processes import Team, joined
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
WARM_UP = 50  # steps until the learning rate is whole
CHECKS, PATIENCE = 25, 12  # looks at the held-out part, and how many without gain end it


@dataclass(frozen=True)
class Settings:
    """How long to train, and on what.

    epochs, batch_size: None for the defaults. max_time: seconds after which training ends early;
    None for no limit. checkpoint: a file in which the training is saved at each check of the
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
    """A trained network (on the CPU, in eval mode), the rows that were held out, and figures of the
    training."""

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
    """Train a new network until steps, patience or time run out; returns it with figures.

    features: (rows, features) or (rows, C, H, W) float32. damaged: the user's own damaged copies of
    them. keep: which rows to train on, (rows,), all if None. labels: (rows,), as AutoEncoder.loss
    takes them: rows below 0 come to the loss alone. owner: (rows,), the record that each row is a
    piece of, all pieces of which are held out together.
    """
    device = torch_device(settings.device)
    model = make(net, spec, params, settings.seed)
    division = _Division.of(split(len(features), settings.seed, owner), keep, labels)
    length = _Length.of(model, spec, settings, len(division.fitted))
    examples = _Examples.of(features, damaged, labels).to(device)
    team = joined()
    if length.batch < team.size:
        raise ParamError(
            f"torchrun: {team.size} processes share batches of {length.batch}; begin fewer"
        )
    # what a loss draws is of its own rows, whatever the other processes have
    rng = torch.Generator(device=device).manual_seed(team.seed(settings.seed))
    shuffle = np.random.default_rng(settings.seed)
    run = _Run(model, rng, examples.at(division.judged), length.steps, settings, progress, team)
    if settings.checkpoint is not None:
        decided_by = (net.__qualname__, vars(params), length, settings.seed, str(device))
        about = digest_of(decided_by, [features, damaged, keep, labels, owner])
        run.resume(Checkpoint(settings.checkpoint, about, team.size), shuffle)
    first_rows = torch.from_numpy(features[_some(division.ordinary, settings.seed)])
    with _threads_for(spec):
        # on the CPU: what a model computes first may be in numpy
        start(model, first_rows)
        model.to(device)
        ordinary = _Rows(torch.from_numpy(features), division.ordinary, device)
        run.all_stages(ordinary, lambda: examples.at(shuffle.choice(division.fitted, length.batch)))
    model.eval().cpu()
    facts: dict[str, Json] = {
        "steps": run.step,
        "held_out_loss_nats": round(float(run.best_loss), 4),
        "device": str(device),
    }
    facts |= _facts_of_length(run, settings, length)
    facts |= _facts_of_fit(run, examples.at(division.fitted[:STARTING]))
    held_out = torch.from_numpy(features[division.held_out])
    seen = held_out if damaged is None else torch.from_numpy(damaged[division.held_out])
    facts |= _facts_of_code(model, spec, first_rows, held_out, seen)
    return Trained(model, division.held_out, _code_size(model), facts)


@contextmanager
def _threads_for(spec: Spec) -> Iterator[None]:
    """Within the block torch uses one thread for tables, and its usual number for pictures."""
    usual = torch.get_num_threads()
    if not spec.shape:
        # small layers: a second thread costs more than it brings
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(usual)


def _facts_of_length(run: _Run, settings: Settings, length: _Length) -> dict[str, Json]:
    """Facts about a training that was shorter than a network needs; empty if it was long enough."""
    facts: dict[str, Json] = {}
    if not run.team.is_alone:
        facts["processes"] = run.team.size
    if run.timed_out:
        facts["stopped_by_max_time"] = {"steps": run.step, "of": run.planned}
    if settings.epochs is not None and length.steps < LEAST_STEPS:
        facts["few_steps"] = {
            "epochs": settings.epochs,
            "steps": length.steps,
            "least": LEAST_STEPS,
            "enough_epochs": math.ceil(LEAST_STEPS / length.steps_per_epoch),
        }
    return facts


def _facts_of_fit(run: _Run, fitted: _Examples) -> dict[str, Json]:
    """The loss of fitted rows, and by how much the loss of held-out rows is above it."""
    fitted_loss = run.evaluate(fitted)
    return {
        "train_loss_nats": round(fitted_loss, 4),
        "gap_nats": round(float(run.best_loss) - fitted_loss, 4),
        "weights": sum(weights.numel() for weights in run.model.parameters()),
    }


@torch.no_grad()
def _facts_of_code(
    model: AutoEncoder,
    spec: Spec,
    first_rows: Tensor,
    held_out: Tensor,
    seen: Tensor,
) -> dict[str, Json]:
    """Figures about the code on held-out rows: the model's own report, and how many of its numbers
    are used.

    first_rows: some rows that were fitted. seen: the held-out rows as the encoder gets them.
    """
    facts: dict[str, Json] = {}
    values_of_a_row = math.prod(spec.shape or (spec.features,))
    # only a code as large as a row can be a mere copy of it
    if _code_size(model) >= values_of_a_row and _copies(model, held_out):
        facts["copies"] = True
    report = model.report(held_out)
    facts |= report
    if model.code is not None and not spec.given:
        use = code_use(model, first_rows, held_out, seen, report)
        if use:
            facts["code"] = use
    return facts


@dataclass(frozen=True, eq=False)
class _Division:
    """Which rows a training uses for which purpose, by their numbers.

    fitted: the rows whose loss is minimised. ordinary: those of them that are not labelled as
    anomalies. judged: the rows that decide about early stopping. held_out: ordinary rows that were
    not fitted.
    """

    fitted: npt.NDArray[np.int64]
    ordinary: npt.NDArray[np.int64]
    judged: npt.NDArray[np.int64]
    held_out: npt.NDArray[np.int64]

    @classmethod
    def of(
        cls,
        parts: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
        keep: npt.NDArray[np.bool_] | None,
        labels: Array | None,
    ) -> _Division:
        """Divide the rows. parts: the rows to fit and those to hold out. keep, labels: as of
        `train`."""
        fitted, held_out = parts
        judged = held_out
        if keep is not None:
            fitted = fitted[keep[fitted]]
            # where none of the held-out rows is to be kept, all of them must do
            if keep[held_out].any():
                judged = held_out[keep[held_out]]
        ordinary = fitted
        if labels is not None:
            ordinary = fitted[labels[fitted] >= 0]
            held_out = held_out[labels[held_out] >= 0]
        return cls(fitted, ordinary, judged, held_out)


@dataclass(frozen=True)
class _Length:
    """How long a training is: the rows of a batch, and how many steps of one batch each."""

    batch: int
    steps: int
    steps_per_epoch: int

    @classmethod
    def of(cls, model: AutoEncoder, spec: Spec, settings: Settings, rows: int) -> _Length:
        """The length that the settings ask for, else the model, else the default for the kind of
        data."""
        usual_batch = IMAGE_BATCH if spec.shape else TABLE_BATCH
        batch = min(settings.batch_size or model.batch_size or usual_batch, rows)
        steps_per_epoch = math.ceil(rows / batch)
        steps = IMAGE_STEPS if spec.shape else TABLE_STEPS
        if settings.epochs is not None:
            steps = settings.epochs * steps_per_epoch
        return cls(batch, steps, steps_per_epoch)


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
        """The examples with these row numbers."""
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
        self,
        features: Tensor,
        fitted: npt.NDArray[np.int64],
        device: torch.device,
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
    """Set the first weights of a model by its own method, and the scales of its likelihood by the
    rows x."""
    model.eval()
    model.start(x)
    rng = torch.Generator(device=x.device).manual_seed(0)
    corrupted = model.corrupt(x, rng)
    if model.code is None:
        likely = model.expected(x)
    else:
        likely = model.decoded(model.draw(corrupted, rng), x)
    if model.likelihood.error == "bits":
        model.likelihood.start(x, likely)


def _some(rows: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.int64]:
    """At most STARTING of these row numbers, drawn at random and sorted."""
    if len(rows) <= STARTING:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, STARTING, replace=False))


@torch.no_grad()
def for_samples(
    net: AutoEncoder, features: Array
) -> tuple[Array | None, Array, tuple[Array, Array] | None]:
    """What sampling needs to know of rows: (their codes, the decoded features, the mixture of the
    likelihood if one was learned)."""
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
    rows: int,
    seed: int,
    owner: npt.NDArray[np.int64] | None = None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Divide row numbers at random: (rows to fit, rows to hold out), the same rows twice if there
    are few.

    owner: (rows,), the record that each row is a piece of; pieces of one record stay together.
    """
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
    """Whether a model copies its input column by column: rows mixed from columns of different rows
    then cost hardly more than real ones, and its code says nothing about how columns belong
    together."""
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
    if isinstance(model.code, Discrete):
        return math.prod(model.code.shape)
    return 0


class _Run:
    """The state of one training: counts, clock, and the best weights so far."""

    def __init__(
        self,
        model: AutoEncoder,
        rng: torch.Generator,
        validation: _Examples,
        steps: int,
        settings: Settings,
        progress: Progress | None,
        team: Team,
    ) -> None:
        self.model = model
        self.rng = rng
        self.validation = validation
        self.steps = max(1, steps)
        self.seconds = settings.max_time
        self.progress = progress
        self.team = team
        self.started = time.monotonic()  # for the line of progress, and --max-time
        self.step = 0
        self.planned = 0
        self.timed_out = False
        self.seed = settings.seed
        self.best_loss = math.inf
        self.best = copy.deepcopy(model.state_dict())
        self.ends: list[dict[str, Tensor]] = []  # the best weights of each stage that is over
        self.checkpoint: Checkpoint | None = None
        self.shuffle: np.random.Generator | None = None
        self._saved: dict[str, Json] | None = None  # what a checkpoint holds, until it is taken up
        self._past: list[dict[str, Tensor]] = []  # the ends of stages that it tells of

    # ---- going on where another process was killed

    def resume(self, checkpoint: Checkpoint, shuffle: np.random.Generator) -> None:
        """Save this training in a file from now on, and continue the one that is saved there.
        shuffle: the generator that draws batches."""
        self.checkpoint, self.shuffle = checkpoint, shuffle
        self._saved = checkpoint.saved()
        self._past = list(self._saved["ends"]) if self._saved else []

    def was_trained(self) -> bool:
        """Whether the saved training had finished the next stage already."""
        if self._saved is None or len(self.ends) == len(self._past):
            return False
        self.best = self._past[len(self.ends)]
        return True

    def end_of_stage(self) -> dict[str, Tensor]:
        """Finish a stage: returns its best weights."""
        self.ends.append(self.best)
        return self.best

    def _take_up(self, optimiser: torch.optim.Optimizer) -> tuple[int, int]:
        """Restore the saved state of a stage: (steps done, checks without improvement); zeros where
        nothing was saved."""
        saved, self._saved = self._saved, None
        if saved is None:
            self.planned += self.steps
            self._check()  # the first weights may be good
            return 0, 0
        assert self.shuffle is not None
        with torch.no_grad():
            for name, tensor in self._tensors().items():
                tensor.copy_(saved["model"][name])
        optimiser.load_state_dict(saved["optimiser"])
        self.rng.set_state(saved["rngs"][self.team.rank])
        self.shuffle.bit_generator.state = json.loads(saved["shuffle"])
        self.best, self.best_loss = saved["best"], saved["best_loss"]
        self.step, self.planned = saved["step"], saved["planned"]
        self.started = time.monotonic() - saved["seconds"]
        return saved["step_of_stage"], saved["patience"]

    def _keep(self, optimiser: torch.optim.Optimizer, step_of_stage: int, patience: int) -> None:
        """Save the training in the checkpoint's file, if there is one."""
        if self.checkpoint is None or self.shuffle is None:
            return
        # every process draws noise of its own
        rngs = self.team.gathered(self.rng.get_state())
        if self.team.rank:
            return
        state: dict[str, Json] = {
            "model": self._tensors(),
            "optimiser": optimiser.state_dict(),
            "rngs": rngs,
            "shuffle": json.dumps(self.shuffle.bit_generator.state),
            "ends": self.ends,
            "best": self.best,
            "best_loss": self.best_loss,
            "step": self.step,
            "planned": self.planned,
            "seconds": time.monotonic() - self.started,
            "step_of_stage": step_of_stage,
            "patience": patience,
        }
        self.checkpoint.save(state)

    def _tensors(self) -> dict[str, Tensor]:
        """All weights and buffers by name, also those that state_dict leaves out, such as running
        means: training needs them to continue."""
        return {**dict(self.model.named_parameters()), **dict(self.model.named_buffers())}

    # ---- training

    def all_stages(self, ordinary: _Rows, draw: Callable[[], _Examples]) -> None:
        """Train the model's stages one after the other, each from the best weights of the one
        before. ordinary: all rows that are fitted and no known anomalies; draw: gives a batch."""
        for stage in self.model.stages():
            with torch.no_grad():
                self.model.eval().begin(ordinary)
            if not self.was_trained():
                self.stage(stage, draw)
            self.model.load_state_dict(self.end_of_stage())
        with torch.no_grad():
            self.model.eval().finish(ordinary)

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
        every = max(1, self.steps // CHECKS)
        steps_before, patience = self._take_up(optimiser)
        for i in range(steps_before + 1, self.steps + 1):
            done = max(i / self.steps, self._time_used())
            # a short warm-up: the first gradients are of weights that fit nothing yet
            warmth = min(1.0, i / WARM_UP)
            cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
            rate = fastest * warmth * cosine
            for group in optimiser.param_groups:
                group["lr"] = rate * group["times"]
            self.model.train()
            self.model.progress = min(1.0, done)
            self._learn(draw(), parameters, optimiser)
            self.step += 1
            if i % every and done < 1:
                continue
            patience = 0 if self._check() else patience + 1
            self.timed_out |= done >= 1 and i < self.steps
            if done >= 1 or patience >= PATIENCE:
                return
            self._keep(optimiser, i, patience)

    def _time_used(self) -> float:
        """The share of the time limit that has passed; 0 without a limit."""
        if self.seconds is None:
            return 0.0
        used = (time.monotonic() - self.started) / self.seconds
        return used if self.team.is_alone else self.team.agreed(used)

    def _learn(
        self, batch: _Examples, parameters: Sequence[Tensor], optimiser: torch.optim.Optimizer
    ) -> None:
        """Do one step along the gradient of a batch, of which each process computes its own
        share."""
        own = batch if self.team.is_alone else batch.at(self.team.part())
        loss = self._loss(own, self.rng).mean()
        self.model.progress = 1.0
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if not self.team.is_alone:
            self.team.average(parameters, len(own), len(batch))
        torch.nn.utils.clip_grad_norm_(parameters, CLIP_NORM)
        optimiser.step()
        self.model.after_step(self.rng)
        if not self.team.is_alone:
            self.team.make_alike(self._tensors().values())

    def _loss(self, examples: _Examples, rng: torch.Generator) -> Tensor:
        return loss_of(self.model, examples.rows, rng, examples.seen, examples.labels)

    def _check(self) -> bool:
        """Compute the loss of the rows that are held out, and keep the weights if it is the lowest
        so far; returns whether it is."""
        held_out_loss = self.evaluate(self.validation)
        if not self.team.is_alone:
            held_out_loss = self.team.agreed(held_out_loss)
        if not math.isfinite(held_out_loss) and self.best_loss == math.inf:
            raise DataError(
                "training diverged: the held-out loss is not finite; "
                "look for extreme values, or drop the column that holds them"
            )
        # a gain below a ten-thousandth is noise; infinity, before the first look, is beaten by all
        least_gain = 1e-4 * abs(self.best_loss) if self.best_loss < 1e30 else 0.0
        better = held_out_loss < self.best_loss - least_gain
        if held_out_loss < self.best_loss:
            self.best_loss = held_out_loss
            self.best = copy.deepcopy(self.model.state_dict())
        if self.progress and not self.team.rank:
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
