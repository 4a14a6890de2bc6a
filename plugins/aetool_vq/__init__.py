"""A vector-quantised autoencoder: the code is a few numbers of code book entries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aetool import Model, NetParams, hookimpl, param


@dataclass(frozen=True)
class Params(NetParams):
    """The options of `vq`, each as its help says, besides those of every autoencoder."""

    size: int = param(0, "entries of each code book; 0: chosen by the data", min=0, max=4096)
    dim: int = param(4, "numbers of an entry", min=1, max=256)
    commitment: float = param(0.25, "pull of codes to their entries", min=0.0, max=100.0)
    levels: int = param(
        1, "2: a third of the codes are found first, from what the others come to, and steer those",
        min=1, max=2,
    )  # fmt: skip
    relax: str = param(
        "nearest", "how codes are chosen in training: the nearest entry, straight through, or "
        "a Gumbel-softmax", choices=("nearest", "gumbel"),
    )  # fmt: skip


@hookimpl
def aetool_models() -> Iterable[Model]:
    """Declare the model `vq`."""
    yield Model(
        "vq",
        "vector-quantised autoencoder: discrete codes, and a learned prior that scores them",
        net="aetool_vq.net:VQ",
        Params=Params,
    )
