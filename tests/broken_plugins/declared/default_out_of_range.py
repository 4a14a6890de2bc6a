"""A default that is not allowed."""

from dataclasses import dataclass

from aetool import Model, hookimpl, param


@dataclass(frozen=True)
class Params:
    weight: float = param(2.0, "weight of the penalty", min=0.0, max=1.0)


@hookimpl
def aetool_models():
    yield Model("default_out_of_range", "wrong", "nowhere:Net", Params)
