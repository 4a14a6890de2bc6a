"""A variational autoencoder: a density, scored by its negative evidence lower bound."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aetool import Model, NetParams, hookimpl, param


@dataclass(frozen=True)
class Params(NetParams):
    beta: float = param(1.0, "weight of the KL term in training", min=0.0, max=100.0)
    samples: int = param(16, "fixed draws of the code that the score averages", min=1, max=256)


@hookimpl
def aetool_models() -> Iterable[Model]:
    yield Model(
        "vae",
        "variational autoencoder: Gaussian posterior; the score is the negative ELBO",
        net="aetool_vae.net:VAE",
        Params=Params,
    )
