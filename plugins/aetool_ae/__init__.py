"""A plain autoencoder: under- or overcomplete, linear or deep, tied, pre-trained level by level."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aetool import Model, NetParams, hookimpl, param


@dataclass(frozen=True)
class Params(NetParams):
    """The options of `ae`, each as its help says, besides those of every autoencoder."""

    tied: bool = param(False, "the decoder's weights are the encoder's, transposed")
    stacked: bool = param(False, "pre-train level by level before training all together")


@hookimpl
def aetool_models() -> Iterable[Model]:
    """Declare the model `ae`."""
    yield Model(
        "ae",
        "plain autoencoder; a code smaller than the record makes it learn what records share",
        net="aetool_ae.net:Plain",
        Params=Params,
    )
