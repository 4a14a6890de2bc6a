"""A memory of prototypes, found by k-means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aetool import Model, hookimpl, param


@dataclass(frozen=True)
class Params:
    """The options of `prototypes`, each as its help says."""

    size: int = param(0, "prototypes; 0: chosen by the data", min=0, max=4096)
    error: str = param("bits", "what the score adds up", choices=("bits", "mse", "mae"))


@hookimpl
def aetool_models() -> Iterable[Model]:
    """Declare the model `prototypes`."""
    yield Model(
        "prototypes",
        "the nearest of many prototypes; a closed form that knows where records lie close",
        net="aetool_prototypes.net:KMeans",
        Params=Params,
    )
