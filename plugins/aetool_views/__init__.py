"""Pictures compared as a whole, by several views of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aetool import Model, hookimpl, param


# what pictures may differ by and be ordinary is the user's to say
@dataclass(frozen=True)
class Params:
    """The options of `views`, each as its help says."""

    size: int = param(1500, "pictures remembered", min=1, max=20_000)
    shift: int = param(0, "pixels that a picture may be moved by", min=0, max=64)
    brightness: bool = param(False, "whether brightness and contrast may differ")
    trim: float = param(
        0.0, "part of the pictures, those farthest from others, not remembered", min=0.0, max=0.5
    )
    error: str = param("bits", "what the score adds up", choices=("bits", "mse", "mae"))


@hookimpl
def aetool_models() -> Iterable[Model]:
    """Declare the model `views`, for pictures alone."""
    yield Model(
        "views",
        "the nearest of many pictures remembered, by three views: blurred, and edges in fine and "
        "in coarse cells; a closed form for pictures of one kind of thing",
        net="aetool_views.net:Nearest",
        Params=Params,
        data=frozenset({"image"}),
    )
