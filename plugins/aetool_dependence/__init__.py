"""How rare each value is beside the value of the one column that tells most of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aetool import Model, hookimpl, param


@dataclass(frozen=True)
class Params:
    """The options of `dependence`, each as its help says."""

    # few cells: their pairs are to have rows enough
    bins: int = param(8, "bins of a column of numbers, of about as many rows each", min=2, max=100)
    widths: bool = param(
        True, "whether a number costs the more the wider its cell is, as by a density"
    )
    prior: float = param(4.0, "rows for which a column's own shares count", min=0.1, max=1e6)


@hookimpl
def aetool_models() -> Iterable[Model]:
    """Declare the model `dependence`."""
    # pixels hang on their neighbours, of which a tree takes one
    yield Model(
        "dependence",
        "a tree in which each column hangs on the one that tells most of it; a closed form that "
        "knows which values do not go together",
        net="aetool_dependence.net:DependenceTree",
        Params=Params,
        data=frozenset({"table"}),
    )
