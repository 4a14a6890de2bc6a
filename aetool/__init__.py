"""aetool: one model of your tables or pictures finds what doesn't belong and stores the rest small.

The names below are imported when they are first used.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # `as` tells type checkers that the name is meant for others
    from aetool.api import Bundle as Bundle
    from aetool.api import compress as compress
    from aetool.api import decompress as decompress
    from aetool.api import detect as detect
    from aetool.api import drift as drift
    from aetool.api import fit as fit
    from aetool.api import load as load
    from aetool.api import merge as merge
    from aetool.api import open_archive as open
    from aetool.api import tradeoff as tradeoff
    from aetool.codec.archive import Archive as Archive
    from aetool.errors import AetoolError as AetoolError
    from aetool.hookspecs import hookimpl as hookimpl
    from aetool.model import Continuous as Continuous
    from aetool.model import Discrete as Discrete
    from aetool.model import Member as Member
    from aetool.model import Model as Model
    from aetool.model import NetParams as NetParams
    from aetool.model import Reader as Reader
    from aetool.model import Spec as Spec
    from aetool.model import param as param

__version__ = "0.1.0"

# ONNX Runtime tells its makers how it is used, unless told not to before it is imported: nothing of
# anybody's data is to leave the machine, and the thread that would tell keeps a forked process from
# ending.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_HOMES = {
    "AetoolError": "aetool.errors",
    "Archive": "aetool.codec.archive",
    "Bundle": "aetool.api",
    "Continuous": "aetool.model",
    "Discrete": "aetool.model",
    "Member": "aetool.model",
    "Model": "aetool.model",
    "NetParams": "aetool.model",
    "Reader": "aetool.model",
    "Spec": "aetool.model",
    "compress": "aetool.api",
    "decompress": "aetool.api",
    "detect": "aetool.api",
    "drift": "aetool.api",
    "fit": "aetool.api",
    "hookimpl": "aetool.hookspecs",
    "load": "aetool.api",
    "merge": "aetool.api",
    "open": "aetool.api",
    "param": "aetool.model",
    "tradeoff": "aetool.api",
}
__all__ = sorted([*_HOMES, "__version__"])


def __getattr__(name: str) -> Any:
    """What this public name of the package stands for, imported when it is first used;
    AttributeError for any other."""
    if name not in _HOMES:
        raise AttributeError(f"module 'aetool' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), "open_archive" if name == "open" else name)


def __dir__() -> list[str]:
    """The public names of this package."""
    return __all__
