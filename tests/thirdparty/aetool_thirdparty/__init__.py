"""Nine models as strangers would write them, and three readers."""

from collections.abc import Iterator
from dataclasses import dataclass

from aetool import Model, NetParams, Reader, hookimpl, param
from aetool_thirdparty.reader import FixedWidth, Frames, LoggerFolder


@dataclass(frozen=True)
class Params(NetParams):
    slope: float = param(1.0, "slope of the tanh at zero", min=0.01, max=100.0)


@dataclass(frozen=True)
class SphereParams(NetParams):
    pull: float = param(1.0, "weight of the distance from the centre", min=0.0, max=100.0)


@dataclass(frozen=True)
class SemiSupervisedParams(SphereParams):
    push: float = param(10.0, "weight of the nearness of known anomalies", min=0.0, max=1000.0)


@dataclass(frozen=True)
class MixtureParams(NetParams):
    components: int = param(2, "Gaussians in the mixture", min=1, max=32)
    weight: float = param(0.1, "weight of the energy", min=0.0, max=100.0)


@dataclass(frozen=True)
class WassersteinParams(NetParams):
    weight: float = param(10.0, "weight of the codes' distance from N(0, I)", min=0.0, max=1000.0)


@dataclass(frozen=True)
class MemoryParams(NetParams):
    slots: int = param(128, "memories", min=2, max=8192)
    sharpness: float = param(8.0, "of the choice of memories; 1 in the paper", min=0.1, max=100.0)
    shrink: float = param(1.0, "weight that counts, times 1 / slots", min=0.0, max=3.0)
    weight: float = param(0.0002, "weight of the entropy of the choice", min=0.0, max=100.0)


@dataclass(frozen=True)
class FactorisationParams:
    latent: int = param(8, "parts that records are sums of", min=1, max=1024)
    steps: int = param(200, "updates of both factors", min=1, max=100_000)


@hookimpl
def aetool_models() -> Iterator[Model]:
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
        "sad",
        "the same, told of known anomalies, which lie far from the centre (Deep SAD)",
        "aetool_thirdparty.sad:SemiSupervised",
        SemiSupervisedParams,
    )
    yield Model(
        "mixture",
        "autoencoder with a mixture of Gaussians over code and error (DAGMM)",
        "aetool_thirdparty.mixture:Mixture",
        MixtureParams,
        frozenset({"table"}),
    )
    yield Model(
        "wae",
        "autoencoder whose codes together are like N(0, I) (Wasserstein)",
        "aetool_thirdparty.wae:Wasserstein",
        WassersteinParams,
    )
    yield Model(
        "memae",
        "autoencoder whose codes are means of what it remembers (MemAE)",
        "aetool_thirdparty.memae:Memory",
        MemoryParams,
    )
    yield Model(
        "cvae",
        "variational autoencoder of records given their condition",
        "aetool_thirdparty.cvae:Conditional",
        NetParams,
    )
    yield Model(
        "tcn",
        "each row given those before it, by convolutions over time",
        "aetool_thirdparty.tcn:Forecast",
        NetParams,
        frozenset({"table"}),
    )
    yield Model(
        "nmf",
        "records as sums of parts, nothing below zero (non-negative factorisation)",
        "aetool_thirdparty.nmf:Factorisation",
        FactorisationParams,
    )


@hookimpl
def aetool_readers() -> Iterator[Reader]:
    yield FixedWidth()
    yield LoggerFolder()
    yield Frames()
