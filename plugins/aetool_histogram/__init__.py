"""How rare each value is in its own column."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aetool import Model, hookimpl, param


@dataclass(frozen=True)
class Params:
    """The options of `histogram`, each as its help says."""

    bins: int = param(20, "bins of a column of numbers", min=2, max=500)
    values: int = param(
        40, "columns of at most so many values are counted value by value", min=1, max=500
    )


@hookimpl
def aetool_models() -> Iterable[Model]:
    """Declare the model `histogram`."""
    yield Model(
        "histogram",
        "a histogram of each column; a closed form that knows which values are rare",
        net="aetool_histogram.net:Histogram",
        Params=Params,
    )
