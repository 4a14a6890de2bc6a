"""Arguments that an author's member may have or do without: they are passed by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import TypeVar

# By member: what the host tells it if it has an argument of this name.
OPTIONAL: dict[str, tuple[str, ...]] = {
    "build": ("rng",),
    "decode": ("condition",),
    "penalty": ("rng",),
}
Result = TypeVar("Result")


def call(member: Callable[..., Result], *arguments: object, **optional: object) -> Result:
    """What a member returns, told of these options those that it has an argument for."""
    known = takes(member)
    return member(*arguments, **{k: v for k, v in optional.items() if k in known})


def takes(member: Callable[..., object]) -> frozenset[str]:
    """The names of a member's arguments."""
    return _names(getattr(member, "__func__", member))


@cache
def _names(function: Callable[..., object]) -> frozenset[str]:
    return frozenset(inspect.signature(function).parameters)
