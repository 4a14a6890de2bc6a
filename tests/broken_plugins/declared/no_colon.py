"""Names its class with a dot."""

from aetool import Model, hookimpl


@hookimpl
def aetool_models():
    yield Model("no_colon", "wrong", "nowhere.Net")
