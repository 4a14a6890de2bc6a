"""The state of one training: its stages and steps, its best weights, and how it is saved."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from aetool.canonical import Json
from aetool.errors import DataError
from aetool.model import Progress
from aetool.nn.autoencoder import AutoEncoder
from aetool.nn.calls import loss_of
from aetool.nn.checkpoints import Checkpoint
from aetool.nn.processes import Team
from aetool.training.rows import CHUNK, Batches, Examples
from aetool.training.settings import Settings

LEARNING_RATE = 2e-3
SCALE_RATE = 5.0  # times the learning rate, for the likelihood's scales: means move, scales follow
WEIGHT_DECAY = 1e-4
CLIP_NORM = 5.0  # of a gradient: a longer one is shortened to it
WARM_UP = 50  # steps until the learning rate is at its full height
CHECKS = 25  # looks at the held-out rows in a stage
PATIENCE = 12  # looks without gain that end it
LEAST_GAIN = 1e-4  # of the best loss: a smaller gain is noise


class Run:
    """The state of one training: counts, clock, and the best weights so far.

    rng: what losses draw from. validation: the held-out rows that decide about the best weights.
    steps: of each stage at most; 1 at least. settings: of them the seed and the time limit, in
    seconds, are used here. progress: called after each look at the held-out rows, unless None.
    team: the processes that train together. best_loss and best are, of the running stage, the
    lowest loss of held-out rows, in nats, and the weights that have it; step and planned count the
    steps of all stages so far, those done and those allowed; timed_out: whether the time limit
    ended it.
    """

    def __init__(
        self,
        model: AutoEncoder,
        rng: torch.Generator,
        validation: Examples,
        steps: int,
        settings: Settings,
        progress: Progress | None,
        team: Team,
    ) -> None:
        """Begin with the model's present weights as the best, at step 0. rng: of the losses;
        validation: the held-out rows; steps: of each stage at most; settings: its max_time and seed
        are used; progress: called after each look at the held-out rows; team: the processes that
        train together."""
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
        self._saved: dict[str, Json] | None = None  # what a checkpoint holds, until it is restored
        self._past: list[dict[str, Tensor]] = []  # the best weights of the stages that it holds

    # ---- going on where another process was killed

    def resume(self, checkpoint: Checkpoint, shuffle: np.random.Generator) -> None:
        """Save this training in a file from now on, and continue the one that is saved there, if
        there is one: called before the first stage. shuffle: the generator that draws batches.
        DataError if the file is of another training, or cannot be read."""
        self.checkpoint = checkpoint
        self.shuffle = shuffle
        self._saved = checkpoint.saved()
        if self._saved:
            self._past = list(self._saved["ends"])

    def was_trained(self) -> bool:
        """Whether the saved training had finished the next stage already; if so, sets `best` to the
        weights that it ended with."""
        if self._saved is None or len(self.ends) == len(self._past):
            return False
        self.best = self._past[len(self.ends)]
        return True

    def end_of_stage(self) -> dict[str, Tensor]:
        """Finish a stage: adds its best weights to `ends`, and returns them."""
        self.ends.append(self.best)
        return self.best

    def _restore(self, optimiser: torch.optim.Optimizer) -> tuple[int, int]:
        """Restore, in place, the saved weights, optimiser, generators, counts and clock: (steps of
        this stage done, checks without improvement). Where nothing is left to restore a stage
        begins, with a first look at the held-out rows, and `planned` rises by its steps: (0, 0).
        DataError if the loss of held-out rows is not finite at that first look."""
        saved = self._saved
        self._saved = None
        if saved is None:
            self.planned += self.steps
            # the first weights may be good
            self._check_held_out()
            return 0, 0
        assert self.shuffle is not None
        with torch.no_grad():
            for name, tensor in self._weights_and_buffers().items():
                tensor.copy_(saved["model"][name])
        optimiser.load_state_dict(saved["optimiser"])
        self.rng.set_state(saved["rngs"][self.team.rank])
        self.shuffle.bit_generator.state = json.loads(saved["shuffle"])
        self.best = saved["best"]
        self.best_loss = saved["best_loss"]
        self.step = saved["step"]
        self.planned = saved["planned"]
        # time that the killed process took counts, too
        self.started = time.monotonic() - saved["seconds"]
        return saved["step_of_stage"], saved["patience"]

    def _save(self, optimiser: torch.optim.Optimizer, step_of_stage: int, patience: int) -> None:
        """Save the training in the checkpoint's file, if there is one; of several processes, which
        must all call this, the first writes it. step_of_stage: steps done in this stage; patience:
        checks without gain. DataError if the file cannot be written."""
        if self.checkpoint is None or self.shuffle is None:
            return
        # every process draws noise of its own
        rngs = self.team.gathered(self.rng.get_state())
        if self.team.rank:
            return
        state: dict[str, Json] = {
            "model": self._weights_and_buffers(),
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

    def _weights_and_buffers(self) -> dict[str, Tensor]:
        """All weights and buffers by name, also those that state_dict leaves out, such as running
        means: training needs them to continue."""
        weights = dict(self.model.named_parameters())
        buffers = dict(self.model.named_buffers())
        return {**weights, **buffers}

    # ---- training

    def all_stages(self, ordinary: Batches, draw: Callable[[], Examples]) -> None:
        """Train the model's stages, groups of parameters, one after the other, each from the best
        weights of the one before (those with the lowest loss of held-out rows); the model ends with
        the best weights of the last.

        ordinary: the fitted rows that are not labelled as anomalies, for what a model computes of
        all rows before a stage and at the end. draw: gives the next batch of fitted rows, drawn at
        random. DataError if the loss of held-out rows is not finite from the first, and where a
        checkpoint cannot be written.
        """
        for stage in self.model.stages():
            with torch.no_grad():
                self.model.eval().begin(ordinary)
            if not self.was_trained():
                self.stage(stage, draw)
            self.model.load_state_dict(self.end_of_stage())
        with torch.no_grad():
            self.model.eval().finish(ordinary)

    def stage(self, parameters: Sequence[Tensor], draw: Callable[[], Examples]) -> None:
        """Train these parameters until all steps are done, PATIENCE (12) looks at the held-out rows
        in a row bring no gain, or the time that was asked for is over. Sets `best`, the weights
        with the lowest loss of held-out rows, and `best_loss`; the model is left with its last
        weights. draw: gives the next batch. DataError if the loss of held-out rows is not finite
        from the first."""
        self.best_loss = math.inf
        fastest = self.model.learning_rate or LEARNING_RATE
        optimiser = torch.optim.AdamW(
            self._parameter_groups(parameters),
            lr=fastest,
            weight_decay=WEIGHT_DECAY,
            fused=True,
        )
        steps_between_checks = max(1, self.steps // CHECKS)
        # not 0 where this stage was interrupted, and goes on
        steps_before, patience = self._restore(optimiser)
        for step in range(steps_before + 1, self.steps + 1):
            done = max(step / self.steps, self._time_used())
            rate = _learning_rate(fastest, step, done)
            for group in optimiser.param_groups:
                group["lr"] = rate * group["times"]
            self.model.train()
            self.model.progress = min(1.0, done)
            self._optimise(draw(), parameters, optimiser)
            self.step += 1
            is_over = done >= 1
            if step % steps_between_checks and not is_over:
                continue
            if self._check_held_out():
                patience = 0
            else:
                patience += 1
            self.timed_out |= is_over and step < self.steps
            if is_over or patience >= PATIENCE:
                return
            self._save(optimiser, step, patience)

    def _parameter_groups(self, parameters: Sequence[Tensor]) -> list[dict[str, Json]]:
        """The parameters in two groups, as the optimiser takes them: those of the likelihood's
        scales, and all others. Of each "params", and "times", the factor on the learning rate:
        SCALE_RATE (5) for scales, 1 for the others."""
        scales = {id(scale) for scale in self.model.likelihood.parameters()}
        usual = [parameter for parameter in parameters if id(parameter) not in scales]
        fast = [parameter for parameter in parameters if id(parameter) in scales]
        return [
            {"params": usual, "times": 1.0},
            {"params": fast, "times": SCALE_RATE},
        ]

    def _time_used(self) -> float:
        """The share of the time limit that has passed, above 1 when it is over; 0 without a limit.
        Of several processes that of the first, in all of them."""
        if self.seconds is None:
            return 0.0
        used = (time.monotonic() - self.started) / self.seconds
        if self.team.is_alone:
            return used
        # clocks differ, and all processes must stop at the same step
        return self.team.agreed(used)

    def _optimise(
        self,
        batch: Examples,
        parameters: Sequence[Tensor],
        optimiser: torch.optim.Optimizer,
    ) -> None:
        """Do one optimiser step along the gradient of a batch; with several processes each computes
        its own share of the batch. parameters: those of this stage; the gradients are shortened to
        a norm of CLIP_NORM (5). batch: all processes' rows. The model's after_step is called, and
        its `progress` is 1 afterwards."""
        own_share = batch
        if not self.team.is_alone:
            own_share = batch.at(self.team.part())
        loss = self._loss(own_share, self.rng).mean()
        # until the next step the loss is only compared, as it is at the end of training
        self.model.progress = 1.0
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if not self.team.is_alone:
            self.team.average(parameters, len(own_share), len(batch))
        torch.nn.utils.clip_grad_norm_(parameters, CLIP_NORM)
        optimiser.step()
        self.model.after_step(self.rng)
        # what a network draws for itself, and statistics of a share, differ between processes
        if not self.team.is_alone:
            self.team.make_alike(self._weights_and_buffers().values())

    def _loss(self, examples: Examples, rng: torch.Generator) -> Tensor:
        """The loss of each of the examples, (rows,), in nats."""
        return loss_of(
            self.model,
            examples.rows,
            rng,
            examples.seen,
            examples.labels,
        )

    def _check_held_out(self) -> bool:
        """Compute the loss of the held-out rows, and keep the weights if it is the lowest so far;
        returns whether it is lower than the lowest before by more than noise, which is a part
        LEAST_GAIN (0.0001) of that. The first finite loss of a stage counts as lower. DataError if
        it is not finite, and none before it in this stage was."""
        held_out_loss = self.evaluate(self.validation)
        if not self.team.is_alone:
            held_out_loss = self.team.agreed(held_out_loss)
        if not math.isfinite(held_out_loss) and self.best_loss == math.inf:
            raise DataError(
                "training diverged: the held-out loss is not finite; "
                "look for extreme values, or drop the column that holds them"
            )
        least_gain = 0.0
        # before the first look the lowest is infinite (1e30: beyond any loss): any finite loss is
        # lower, and infinity less a part of itself would be NaN, below which nothing is
        if self.best_loss < 1e30:
            least_gain = LEAST_GAIN * abs(self.best_loss)
        is_better = held_out_loss < self.best_loss - least_gain
        if held_out_loss < self.best_loss:
            self.best_loss = held_out_loss
            self.best = copy.deepcopy(self.model.state_dict())
        # one process tells of the progress of all
        if self.progress and self.team.rank == 0:
            self._report_progress(held_out_loss, self.progress)
        return is_better

    def _report_progress(self, held_out_loss: float, progress: Progress) -> None:
        """Call progress with how far the training is, "step" of "steps", and the loss that was just
        computed, in nats: "held_out", and in "words"."""
        seconds = time.monotonic() - self.started
        progress(
            {
                "step": self.step,
                "steps": self.planned,
                "words": f"held-out loss {held_out_loss:.4g} nats, {seconds:.0f} s",
                "held_out": held_out_loss,
            }
        )

    @torch.no_grad()
    def evaluate(self, examples: Examples) -> float:
        """The mean loss of examples, in nats for each row, with the same random draws every time; 0
        of none. Sets the model to eval mode."""
        self.model.eval()
        device = next(self.model.parameters()).device
        rng = torch.Generator(device=device).manual_seed(self.seed)
        total = 0.0
        for first in range(0, len(examples), CHUNK):
            chunk = slice(first, first + CHUNK)
            part = examples.at(chunk).to(device)
            total += float(self._loss(part, rng).sum())
        return total / max(len(examples), 1)


def _learning_rate(fastest: float, step: int, done: float) -> float:
    """The learning rate of a step: it rises in the first steps to the fastest, then falls as a
    cosine. step: from 1; done: the share of the stage that is over, 1 and more giving 0."""
    # a short warm-up: the first gradients are of weights that fit nothing yet
    warmth = min(1.0, step / WARM_UP)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
    return fastest * warmth * cosine
