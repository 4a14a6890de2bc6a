"""A plain autoencoder: under- or overcomplete, of any depth and width."""

from __future__ import annotations

from collections.abc import Iterable

from aetool import Model, NetParams, hookimpl


@hookimpl
def aetool_models() -> Iterable[Model]:
    yield Model(
        "ae",
        "plain autoencoder; a code smaller than the record makes it learn what records share",
        net="aetool_ae.net:Plain",
        Params=NetParams,
    )
