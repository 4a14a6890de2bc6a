"""Autoencoders with a bounded code, one centre, a mixture; a reader of fixed-width tables."""

from dataclasses import dataclass

from aetool import Model, NetParams, Reader, hookimpl, param


@dataclass(frozen=True)
class Params(NetParams):
    slope: float = param(1.0, "slope of the tanh at zero", min=0.01, max=100.0)


@dataclass(frozen=True)
class SphereParams(NetParams):
    pull: float = param(1.0, "weight of the distance from the centre", min=0.0, max=100.0)


@dataclass(frozen=True)
class MixtureParams(NetParams):
    components: int = param(2, "Gaussians in the mixture", min=1, max=32)
    weight: float = param(0.1, "weight of the energy", min=0.0, max=100.0)


@hookimpl
def aetool_models():
    yield Model(
        "bounded",
        "autoencoder whose code lies within -1 .. 1",
        "aetool_thirdparty.net:Bounded",
        Params,
    )
    yield Model(
        "sphere",
        "autoencoder whose codes of ordinary records lie close to one centre (Deep SVDD)",
        "aetool_thirdparty.sphere:Sphere",
        SphereParams,
    )
    yield Model(
        "mixture",
        "autoencoder with a mixture of Gaussians over code and error (DAGMM)",
        "aetool_thirdparty.mixture:Mixture",
        MixtureParams,
        frozenset({"table"}),
    )


@hookimpl
def aetool_readers():
    yield Reader("fixed-width", (".fwf",), "aetool_thirdparty.reader:read")
