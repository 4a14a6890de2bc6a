"""A denoising autoencoder: sees damaged records, restores whole ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aetool import Model, NetParams, hookimpl, param


@dataclass(frozen=True)
class Params(NetParams):
    noise: float = param(0.2, "Gaussian noise, in standard deviations", min=0.0, max=10.0)
    mask: float = param(0.1, "part of the columns (pixels) blanked out", min=0.0, max=0.95)


@hookimpl
def aetool_models() -> Iterable[Model]:
    yield Model(
        "denoising",
        "denoising autoencoder: Gaussian and masking noise in training, none in use",
        net="aetool_denoising.net:Denoising",
        Params=Params,
    )
