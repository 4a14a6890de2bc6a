"""A sparse autoencoder: many code units, few of them active."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aetool import Model, NetParams, hookimpl, param


@dataclass(frozen=True)
class Params(NetParams):
    """The options of `sparse`, each as its help says, besides those of every autoencoder."""

    active: float = param(
        0.125, "part of the units that are not 0, on average, where neither k nor kl is given",
        min=0.001, max=1.0,
    )  # fmt: skip
    l1: float = param(0.0, "weight of the sum of absolute code units, in nats", min=0.0, max=100.0)
    l2: float = param(0.0, "weight of the sum of squared code units, in nats", min=0.0, max=100.0)
    k: int = param(0, "keep only the k largest code units of a record; 0: all", min=0, max=4096)
    kl: float = param(
        0.0, "weight of the divergence of each unit's mean activation from rho; the code is then "
        "within 0 .. 1", min=0.0, max=1000.0,
    )  # fmt: skip
    rho: float = param(0.05, "mean activation that kl asks for", min=0.001, max=0.999)


@hookimpl
def aetool_models() -> Iterable[Model]:
    """Declare the model `sparse`."""
    yield Model(
        "sparse",
        "sparse autoencoder: l1, l2 or KL penalty on the code, or only its k largest units",
        net="aetool_sparse.net:Sparse",
        Params=Params,
    )
