"""Misspells the hook's name."""

from aetool import Model, hookimpl


@hookimpl
def aetool_model():
    yield Model("near_hook", "wrong", "nowhere:Net")
