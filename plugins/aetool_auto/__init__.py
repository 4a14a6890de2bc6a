"""Models that err on different records, joined: what fits most data without a knob."""

from __future__ import annotations

from collections.abc import Iterable

from aetool import Member, Model, hookimpl

BLURRED = {
    "joint": 1.0,
    "probabilistic": True,
    "blur": 1.0,
}  # few directions count, and none that is thin
DEEP = {"latent": 64, "width": 128, "mask": 0.0, "scale": "shared"}


@hookimpl
def aetool_models() -> Iterable[Model]:
    yield Model(
        "auto",
        "columns that contradict each other, records far from all others, and records that a wide "
        "denoising autoencoder cannot restore: the scores of several models, added up",
        members=(
            Member("pca", {"joint": 1.0}, fits=frozenset({"plain", "robust", "context"})),
            Member("pca", BLURRED, fits=frozenset({"robust"})),
            Member("prototypes"),
            Member("elm"),
            Member("denoising", DEEP, seconds=30.0),
        ),
    )
