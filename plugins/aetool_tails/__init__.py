"""Values far beyond all others of their own column."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aetool import Model, hookimpl, param


@dataclass(frozen=True)
class Params:
    """The options of `tails`, each as its help says."""

    part: float = param(
        0.05, "part of a column's values that each of its tails is fitted to", min=0.001, max=0.5
    )


@hookimpl
def aetool_models() -> Iterable[Model]:
    """Declare the model `tails`."""
    yield Model(
        "tails",
        "the two tails of each column of numbers; a closed form that knows how far out values lie",
        net="aetool_tails.net:Tails",
        Params=Params,
    )
