"""Masked autoencoder for distribution estimation: an exact density, column by column."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aetool import Model, hookimpl, param


@dataclass(frozen=True)
class Params:
    """The options of `masked`, each as its help says."""

    width: int = param(0, "units of a hidden layer; 0: chosen by the data", min=0, max=8192)
    depth: int = param(2, "hidden layers; 0: linear", min=0, max=8)
    order: str = param(
        "given", "in which columns are told one after the other", choices=("given", "random")
    )
    seed: int = param(0, "seed of a random order", min=0)
    error: str = param(
        "bits", "what the score adds up: surprise, or plain error", choices=("bits", "mse", "mae")
    )


@hookimpl
def aetool_models() -> Iterable[Model]:
    """Declare the model `masked`."""
    yield Model(
        "masked",
        "masked autoencoder (MADE): each column given those before it; an exact log-likelihood",
        net="aetool_masked.net:MADE",
        Params=Params,
    )
