"""Three models that err on different records, joined: what fits most data without a knob."""

from __future__ import annotations

from collections.abc import Iterable

from aetool import Model, hookimpl


@hookimpl
def aetool_models() -> Iterable[Model]:
    yield Model(
        "auto",
        "columns that contradict each other, records far from all others, and records that a wide "
        "denoising autoencoder cannot restore: the scores of three models, added up",
        members=(
            ("pca", {}),
            ("prototypes", {}),
            ("denoising", {"width": 128, "mask": 0.0, "scale": "shared"}),
        ),
    )
