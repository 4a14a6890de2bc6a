"""A denoising autoencoder: sees damaged records, restores whole ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aetool import Model, NetParams, hookimpl, param


@dataclass(frozen=True)
class Params(NetParams):
    """The options of `denoising`, each as its help says, besides those of every autoencoder: what
    damage is done to the records that training shows."""

    noise: float = param(0.2, "Gaussian noise, in standard deviations", min=0.0, max=10.0)
    shift: float = param(0.0, "mean of the Gaussian noise", min=-10.0, max=10.0)
    mask: float = param(0.1, "part of the columns (pixels) blanked out", min=0.0, max=0.95)
    block: float = param(
        0.0, "part of a record blanked in one piece: neighbouring columns, or a rectangle",
        min=0.0, max=0.95,
    )  # fmt: skip
    salt: float = param(
        0.0, "part of the numbers set to an extreme: salt and pepper", min=0.0, max=0.95
    )
    swap: float = param(
        0.0, "part of the columns (pixels) taken from another record", min=0.0, max=0.95
    )
    stacked: bool = param(False, "pre-train level by level before training all together")


@hookimpl
def aetool_models() -> Iterable[Model]:
    """Declare the model `denoising`."""
    yield Model(
        "denoising",
        "denoising autoencoder: learns to restore records from damaged copies (or your own pairs)",
        net="aetool_denoising.net:Denoising",
        Params=Params,
        data=frozenset({"table", "image", "pairs"}),
    )
