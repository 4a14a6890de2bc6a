"""Several processes that train one network together, as torchrun begins them.

Every process holds the same network and draws the same batch, of which it takes its own part. The
gradients of the parts are averaged, so that a step is the step that one process would make, but
for rounding and for the noise that a loss draws.
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
    """The processes of one training. rank: which of them this is, from 0; size: how many."""

    rank: int = 0
    size: int = 1

    @property
    def is_alone(self) -> bool:
        """Whether there is no other process to wait for."""
        return self.size == 1

    def seed(self, seed: int) -> int:
        """A seed for what each process draws for itself; that of the first is the one given."""
        return seed + APART * self.rank

    def part(self) -> slice:
        """Which records of a batch are those of this process."""
        return slice(self.rank, None, self.size)

    def average(self, parameters: Sequence[Tensor], own_records: int, batch_records: int) -> None:
        """Replace the gradients of this process by those of the whole batch.
        own_records: of which this one's are the mean; batch_records: in the batch."""
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
        place = len(parameters)
        for number, parameter in enumerate(parameters):
            summed = all_numbers[place : place + parameter.numel()].reshape(parameter.shape)
            place += parameter.numel()
            parameter.grad = summed.to(parameter.device) if all_numbers[number] else None

    def make_alike(self, tensors: Iterable[Tensor]) -> None:
        """Give every process the first one's tensors: statistics of batches differ between parts,
        and what a network draws for itself."""
        for tensor in tensors:
            if tensor.dtype == torch.bool:  # what is so is not learned, and gloo does not send it
                continue
            first_one = tensor.detach().cpu().contiguous()
            torch.distributed.broadcast(first_one, 0)
            tensor.detach().copy_(first_one)

    def agreed(self, value: float) -> float:
        """The first process's number, so that all decide alike by it."""
        sent = torch.tensor([value], dtype=torch.float64)
        torch.distributed.broadcast(sent, 0)
        return float(sent)

    def gathered(self, tensor: Tensor) -> list[Tensor]:
        """The tensors of all processes, in their order."""
        if self.is_alone:
            return [tensor]
        of_all = [torch.empty_like(tensor) for _ in range(self.size)]
        torch.distributed.all_gather(of_all, tensor)
        return of_all


def joined() -> Team:
    """The processes that torchrun has begun, once all of them are there; this one alone without
    it. EngineError where they do not find one another."""
    size = int(os.environ.get("WORLD_SIZE", "1")) if BEGUN_BY in os.environ else 1
    if size == 1:
        return Team()
    if not torch.distributed.is_initialized():
        try:
            torch.distributed.init_process_group("gloo")
        except (RuntimeError, ValueError) as error:
            said = " ".join(str(error).split())[:200]
            raise EngineError(f"torchrun: its processes cannot be joined: {said}") from None
    return Team(torch.distributed.get_rank(), size)
