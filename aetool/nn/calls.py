"""Arguments that an author's member may have or do without: they are passed by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor

if TYPE_CHECKING:
    from aetool.nn.autoencoder import AutoEncoder

# By member: what the host tells it if it has an argument of this name.
OPTIONAL: dict[str, tuple[str, ...]] = {
    "build": ("rng",),
    "decode": ("condition",),
    "loss": ("labels",),
    "penalty": ("rng",),
}
Result = TypeVar("Result")


def call(member: Callable[..., Result], *arguments: object, **optional: object) -> Result:
    """Call an author's method with these arguments, in order, and pass by name those of `optional`
    for which it has a parameter of that name; returns its result. Optional arguments that it does
    not take are dropped."""
    names_taken = takes(member)
    arguments_by_name = {name: value for name, value in optional.items() if name in names_taken}
    return member(*arguments, **arguments_by_name)


def loss_of(
    net: AutoEncoder,
    rows: Tensor,
    rng: torch.Generator,
    seen: Tensor | None = None,
    labels: Tensor | None = None,
) -> Tensor:
    """Compute a network's loss of each row, (batch,), in nats, passing it labels if it takes them.
    rows: (batch, features) or pictures; seen: damaged ones in their shape, or None for those of the
    network. labels: (batch,), 1 for a record that the user says is ordinary, -1 for an anomaly, 0
    for neither; None for 0 everywhere."""
    if labels is None:
        labels = torch.zeros(len(rows), device=rows.device)
    damaged = () if seen is None else (seen,)
    return call(net.loss, rows, rng, *damaged, labels=labels)


def takes(member: Callable[..., object]) -> frozenset[str]:
    """The names of the arguments that a member of an author's class takes."""
    return _names(getattr(member, "__func__", member))


@cache
def _names(function: Callable[..., object]) -> frozenset[str]:
    """The names of a function's parameters, which is looked up once."""
    return frozenset(inspect.signature(function).parameters)
