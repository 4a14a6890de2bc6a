"""Forgets @hookimpl."""

from aetool import Model


def aetool_models():
    yield Model("no_marker", "wrong", "nowhere:Net")
