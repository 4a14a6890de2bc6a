"""An autoencoder with a bounded code, and a reader of fixed-width tables."""

from dataclasses import dataclass

from aetool import Model, NetParams, Reader, hookimpl, param


@dataclass(frozen=True)
class Params(NetParams):
    slope: float = param(1.0, "slope of the tanh at zero", min=0.01, max=100.0)


@hookimpl
def aetool_models():
    yield Model(
        "bounded",
        "autoencoder whose code lies within -1 .. 1",
        "aetool_thirdparty.net:Bounded",
        Params,
    )


@hookimpl
def aetool_readers():
    yield Reader("fixed-width", (".fwf",), "aetool_thirdparty.reader:read")
