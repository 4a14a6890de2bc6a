"""How soon random cuts leave a record alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aetool import Model, hookimpl, param


@dataclass(frozen=True)
class Params:
    """The options of `trees`, each as its help says."""

    trees: int = param(100, "trees", min=1, max=1000)
    depth: int = param(8, "cuts along a path", min=1, max=12)
    sample: int = param(1024, "rows that a tree is grown from", min=2, max=65_536)


@hookimpl
def aetool_models() -> Iterable[Model]:
    """Declare the model `trees`."""
    yield Model(
        "trees",
        "an isolation forest: how soon random cuts leave a record alone; a closed form that knows "
        "which records lie apart",
        net="aetool_trees.net:Trees",
        Params=Params,
    )
