"""A wide denoising autoencoder that is solved, not trained."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aetool import Model, hookimpl, param


@dataclass(frozen=True)
class Params:
    """The options of `elm`, each as its help says."""

    latent: int = param(256, "hidden units, drawn by chance", min=1, max=4096)
    noise: float = param(0.2, "Gaussian noise, in standard deviations", min=0.0, max=10.0)
    error: str = param("bits", "what the score adds up", choices=("bits", "mse", "mae"))


@hookimpl
def aetool_models() -> Iterable[Model]:
    """Declare the model `elm`."""
    yield Model(
        "elm",
        "extreme learning machine: a wide denoising autoencoder with random hidden units, whose "
        "decoder is a closed form",
        net="aetool_elm.net:ELM",
        Params=Params,
    )
