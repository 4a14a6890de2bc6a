"""aetool: one model of your tables or pictures finds what doesn't belong and stores the rest small.

The names below are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aetool.api import Bundle, fit, load
    from aetool.api import open_archive as open
    from aetool.codec.archive import Archive
    from aetool.hookspecs import hookimpl
    from aetool.model import Continuous, Discrete, Model, NetParams, Reader, Spec, param

__version__ = "0.1.0"

_HOMES = {
    "Archive": "aetool.codec.archive",
    "Bundle": "aetool.api",
    "Continuous": "aetool.model",
    "Discrete": "aetool.model",
    "Model": "aetool.model",
    "NetParams": "aetool.model",
    "Reader": "aetool.model",
    "Spec": "aetool.model",
    "fit": "aetool.api",
    "hookimpl": "aetool.hookspecs",
    "load": "aetool.api",
    "open": "aetool.api",
    "param": "aetool.model",
}
__all__ = sorted([*_HOMES, "__version__"])


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'aetool' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), "open_archive" if name == "open" else name)


def __dir__() -> list[str]:
    return __all__
