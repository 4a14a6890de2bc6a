"""A memory of rows: how far a record is from the nearest one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aetool import Model, hookimpl, param


@dataclass(frozen=True)
class Params:
    """The options of `neighbours`, each as its help says."""

    size: int = param(0, "rows remembered; 0: chosen by the data", min=0, max=20_000)
    own_units: bool = param(False, "whether a fourth measure takes long-tailed numbers as written")
    halves: bool = param(False, "whether halves of the columns, drawn at random, are compared, too")
    error: str = param("bits", "what the score adds up", choices=("bits", "mse", "mae"))


@dataclass(frozen=True)
class ParamsOfRanks:
    """The options of `ranks`, each as its help says."""

    # as of `neighbours`, whose memory it has
    size: int = param(0, "rows remembered; 0: chosen by the data", min=0, max=20_000)
    error: str = param("bits", "what the score adds up", choices=("bits", "mse", "mae"))


@hookimpl
def aetool_models() -> Iterable[Model]:
    """Declare the models `neighbours` and `ranks`."""
    yield Model(
        "neighbours",
        "the nearest of many rows remembered, by three measures or four; a closed form that "
        "knows where records lie close",
        net="aetool_neighbours.net:Nearest",
        Params=Params,
    )
    # pictures have no ranks: their pixels are of one scale
    yield Model(
        "ranks",
        "the nearest of many rows remembered, by the ranks of their numbers; a closed form to "
        "which scales and long tails do not matter",
        net="aetool_neighbours.net:NearestByRanks",
        Params=ParamsOfRanks,
        data=frozenset({"table"}),
    )
