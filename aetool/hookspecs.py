"""The hooks a plugin may implement. Installing a plugin adds names and never changes a number."""

from collections.abc import Iterable

import pluggy

from aetool.model import Model, Reader

hookspec = pluggy.HookspecMarker("aetool")
hookimpl = pluggy.HookimplMarker("aetool")


@hookspec
def aetool_models() -> Iterable[Model]:  # type: ignore[empty-body]
    """The models this plugin brings, yielded or in a list; most plugins need only this hook."""


@hookspec
def aetool_readers() -> Iterable[Reader]:  # type: ignore[empty-body]
    """The kinds of files this plugin can read, yielded or in a list."""
