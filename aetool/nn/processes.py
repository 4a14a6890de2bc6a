"""Training of one network by several processes, as torchrun starts them.

Every process holds the same network and draws the same batch, of which it takes its own part. The
gradients of the parts are averaged, so that a step is the step that one process would make, but for
rounding and for the noise that a loss draws.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from aetool.errors import EngineError

BEGUN_BY = "TORCHELASTIC_RUN_ID"  # what torchrun tells each process
APART = 1_000_003  # between the seeds of two processes


@dataclass(frozen=True)
class Team:
    """The processes of one training. rank: which of them this is, from 0; size: how many. average,
    make_alike and agreed are for several processes alone."""

    rank: int = 0
    size: int = 1

    @property
    def is_alone(self) -> bool:
        """Whether there is no other process to wait for."""
        return self.size == 1

    def seed(self, seed: int) -> int:
        """A seed for what this process draws for itself, made of `seed`, which the first process
        gets unchanged."""
        return seed + APART * self.rank

    def part(self) -> slice:
        """The slice of a batch that this process takes: from record `rank` on every `size`-th
        one."""
        return slice(self.rank, None, self.size)

    def average(self, parameters: Sequence[Tensor], own_records: int, batch_records: int) -> None:
        """Replace the gradients of parameters, in place, by those of the whole batch; a parameter
        of which no process has a gradient gets None. own_records: how many records this process's
        gradients are the mean of; batch_records: how many the whole batch has. All processes must
        call it with the same parameters."""
        share = own_records / batch_records
        # what no process has a gradient of is not moved, nor does it decay
        has_gradient = torch.tensor([float(p.grad is not None) for p in parameters])
        flattened = [has_gradient]
        for parameter in parameters:
            gradient = torch.zeros_like(parameter)
            if parameter.grad is not None:
                gradient = parameter.grad * share
            flattened.append(gradient.flatten().cpu())
        # all of them in one message: small ones cost as much time as large ones
        all_numbers = torch.cat(flattened)
        torch.distributed.all_reduce(all_numbers)
        start = len(parameters)
        for number, parameter in enumerate(parameters):
            summed = all_numbers[start : start + parameter.numel()].reshape(parameter.shape)
            start += parameter.numel()
            parameter.grad = summed.to(parameter.device) if all_numbers[number] else None

    def make_alike(self, tensors: Iterable[Tensor]) -> None:
        """Replace tensors, in place, by those of the first process: statistics of batches and what
        a network draws for itself differ between processes. Tensors of bool stay. All processes
        must call it, with tensors of the same shapes in the same order; not for a Team of one."""
        for tensor in tensors:
            if tensor.dtype == torch.bool:  # what is so is not learned, and gloo does not send it
                continue
            of_first_process = tensor.detach().cpu().contiguous()
            torch.distributed.broadcast(of_first_process, 0)
            tensor.detach().copy_(of_first_process)

    def agreed(self, value: float) -> float:
        """The value that the first process passed, in every process, so that all decide alike; all
        must call it."""
        sent = torch.tensor([value], dtype=torch.float64)
        torch.distributed.broadcast(sent, 0)
        return float(sent)

    def gathered(self, tensor: Tensor) -> list[Tensor]:
        """The tensors that all processes passed, all of one shape, in the order of ranks; all must
        call it."""
        if self.is_alone:
            return [tensor]
        of_all = [torch.empty_like(tensor) for _ in range(self.size)]
        torch.distributed.all_gather(of_all, tensor)
        return of_all


def joined() -> Team:
    """Join the processes that torchrun has started and return their Team, once all are there; of
    this process alone without torchrun. EngineError where they do not find one another."""
    size = int(os.environ.get("WORLD_SIZE", "1")) if BEGUN_BY in os.environ else 1
    if size == 1:
        return Team()
    if not torch.distributed.is_initialized():
        try:
            torch.distributed.init_process_group("gloo")
        except (RuntimeError, ValueError) as error:
            message = " ".join(str(error).split())[:200]
            raise EngineError(f"torchrun: its processes cannot be joined: {message}") from None
    return Team(torch.distributed.get_rank(), size)
