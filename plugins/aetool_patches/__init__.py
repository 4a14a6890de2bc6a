"""Pictures compared place by place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aetool import Model, hookimpl, param


# what pictures may differ by and be ordinary is the user's to say
@dataclass(frozen=True)
class Params:
    """The options of `patches`, each as its help says."""

    size: int = param(0, "pictures remembered; 0: chosen by their size", min=0, max=1024)
    shift: int = param(
        0, "pixels that parts may be moved by; 0: a thirty-second of the longer side",
        min=0, max=256,
    )  # fmt: skip
    brightness: bool = param(True, "whether brightness and tint may differ")
    error: str = param("bits", "what the score adds up", choices=("bits", "mse", "mae"))


# nor does a surface tell by itself whether a darker one of its kind is ordinary
@dataclass(frozen=True)
class SurfaceParams:
    """The options of `surface`, each as its help says."""

    brightness: bool = param(True, "whether brightness, tint and the side of the light may differ")
    error: str = param("bits", "what the score adds up", choices=("bits", "mse", "mae"))


@hookimpl
def aetool_models() -> Iterable[Model]:
    """Declare the models `patches` and `surface`, for pictures alone."""
    yield Model(
        "patches",
        "each place of a picture beside the same place, and those around it, of pictures "
        "remembered, also laid over each other as a whole; filters learned from the pictures; "
        "a closed form that shows defects",
        net="aetool_patches.net:Patches",
        Params=Params,
        data=frozenset({"image"}),
    )
    yield Model(
        "surface",
        "how unexpected colours, and how much they change, are anywhere in a picture: densities of "
        "pixels, for surfaces that look alike everywhere; a closed form that shows defects",
        net="aetool_patches.surface:Surfaces",
        Params=SurfaceParams,
        data=frozenset({"image"}),
    )
