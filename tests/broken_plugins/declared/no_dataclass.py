"""Parameters without @dataclass: they are inherited, and the new one is none."""

from aetool import Model, NetParams, hookimpl, param


class Params(NetParams):
    weight: float = param(0.5, "weight of the penalty", min=0.0, max=1.0)


@hookimpl
def aetool_models():
    yield Model("no_dataclass", "wrong", "nowhere:Net", Params)
