"""Says "tables" where "table" is meant."""

from aetool import Model, hookimpl


@hookimpl
def aetool_models():
    yield Model("wrong_kind", "wrong", "nowhere:Net", data=frozenset({"tables"}))
