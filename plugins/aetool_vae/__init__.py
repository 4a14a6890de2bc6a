"""Variational autoencoders: a density, scored by its negative evidence lower bound, and one whose
codes of pictures take few bytes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aetool import Model, NetParams, hookimpl, param

POSTERIORS = ("diagonal", "full", "flow", "fixed")
PIXELS = ("gaussian", "logistic", "bernoulli")


@dataclass(frozen=True)
class Params(NetParams):
    """The options of `vae`, each as its help says, besides those of every autoencoder."""

    posterior: str = param(
        "diagonal", "Gaussian with diagonal or full covariance, a flow, or a fixed deviation",
        choices=POSTERIORS,
    )  # fmt: skip
    sigma: float = param(1.0, "the deviation of a fixed posterior", min=1e-3, max=10.0)
    flow: int = param(4, "transformations of a flow posterior", min=1, max=32)
    beta: float = param(1.0, "weight of the KL term in training", min=0.0, max=100.0)
    warmup: float = param(
        0.0, "part of the training in which beta rises from 0",
        min=0.0, max=1.0,
    )  # fmt: skip
    free_bits: float = param(
        0.0, "bits of KL that each code unit may take for nothing in training", min=0.0, max=10.0
    )
    draws: int = param(1, "codes drawn for a record in a training step", min=1, max=64)
    samples: int = param(16, "fixed draws of the code that the score averages", min=1, max=256)
    score: str = param(
        "elbo", "negative ELBO, or the tighter importance-weighted bound of -log p(x)",
        choices=("elbo", "iwae"),
    )  # fmt: skip
    # Of one class of Fashion-MNIST the logistic takes 2.6 to 4.2 bits a pixel where the Gaussian
    # takes 6.2 to 6.9, but tells other classes from it less well: plain pictures have few bits.
    pixels: str = param(
        "gaussian", "likelihood of pixels: a Gaussian with a learned deviation, a mixture of "
        "discretised logistics (half the bits, and odd pictures found less well), or intensities",
        choices=PIXELS,
    )  # fmt: skip
    components: int = param(4, "logistics in the mixture of a pixel", min=1, max=32)


@dataclass(frozen=True)
class CompressiveParams(NetParams):
    """The options of `compressive`, each as its help says, besides those of every autoencoder."""

    # told as --rmse tells it, so that one number serves for the fit and for the archive
    rmse: float = param(
        0.25, "the error at which codes are to take fewest bytes, a part of the pixels' deviation",
        min=0.005, max=1.0,
    )  # fmt: skip


@hookimpl
def aetool_models() -> Iterable[Model]:
    """Declare the models `vae` and, for pictures alone, `compressive`."""
    yield Model(
        "vae",
        "variational autoencoder: Gaussian or flow posterior; the score is the negative ELBO",
        net="aetool_vae.net:VAE",
        Params=Params,
    )
    yield Model(
        "compressive",
        "autoencoder for archives of pictures: trained for the bytes of its codes, in few weights",
        net="aetool_vae.compressive:Compressive",
        Params=CompressiveParams,
        data=frozenset({"image"}),
    )
