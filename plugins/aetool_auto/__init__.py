"""Models that err on different records, joined: what fits most data without a knob."""

from __future__ import annotations

from collections.abc import Iterable

from aetool import Member, Model, hookimpl

DEEP = {"width": 128, "mask": 0.0, "scale": "shared"}


@hookimpl
def aetool_models() -> Iterable[Model]:
    yield Model(
        "auto",
        "columns that contradict each other, records far from all others, and records that a wide "
        "denoising autoencoder cannot restore: the scores of several models, added up",
        members=(
            Member("pca", {"joint": 1.0}, robust=True, context=True),
            Member("prototypes"),
            Member("elm"),
            Member("denoising", DEEP, seconds=30.0),
        ),
    )
