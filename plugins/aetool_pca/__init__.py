"""Principal components: the closed form, and the yardstick every deep model must beat."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aetool import Model, hookimpl, param


@dataclass(frozen=True)
class Params:
    """The options of `pca`, each as its help says."""

    latent: int = param(
        0, "size of the code; 0: as many as explain 95 % of variance", min=0, max=4096
    )
    error: str = param("bits", "what the score adds up", choices=("bits", "mse", "mae"))
    trim: float = param(0.02, "part of the rows weighed down as far out", min=0.0, max=0.4)
    joint: float = param(
        0.25, "how much the density of all numbers together counts beside each column's, given the "
        "others", min=0.0, max=100.0,
    )  # fmt: skip
    probabilistic: bool = param(False, "score by the density of probabilistic PCA, without trim")
    blur: float = param(
        0.0,
        "of probabilistic PCA: noise added to the data, in standard deviations",
        min=0.0,
        max=10.0,
    )


@hookimpl
def aetool_models() -> Iterable[Model]:
    """Declare the model `pca`."""
    yield Model(
        "pca",
        "principal components; scores each column given the others, or by a density (PPCA)",
        net="aetool_pca.net:PCA",
        Params=Params,
    )
