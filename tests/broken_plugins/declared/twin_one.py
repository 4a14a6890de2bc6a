"""One of two plugins that declare the same model."""

from aetool import Model, hookimpl


@hookimpl
def aetool_models():
    yield Model("twin", "wrong", "nowhere:Net")
