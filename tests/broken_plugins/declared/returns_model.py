"""Returns a Model where several are wanted."""

from aetool import Model, hookimpl


@hookimpl
def aetool_models():
    return Model("returns_model", "wrong", "nowhere:Net")
