"""Six models that are wrong in ways the field has shipped; conformance must refuse each."""

import torch

from aetool import Model
from aetool.nn import AutoEncoder
from aetool_vae import Params
from aetool_vae.net import VAE


class Resampled(VAE):
    """Draws its code anew at every score."""

    def parts(self, x):
        mean, log_var = self.posterior(x)
        z = mean + (0.5 * log_var).exp() * torch.randn_like(mean)
        return self.likelihood(x, self.decode(z))


class DeadKL(VAE):
    """Never pays for what its code says."""

    def parts(self, x):
        found = super().parts(x)
        return torch.cat([found[:, :-1], found[:, -1:] * 0], dim=1)


class FlippedKL(VAE):
    """Is paid for what its code says."""

    def parts(self, x):
        found = super().parts(x)
        return torch.cat([found[:, :-1], -found[:, -1:]], dim=1)


class Peeking(AutoEncoder):
    """Hands its decoder the record itself."""

    def parts(self, x):
        return self.likelihood(x, x + 0 * self.decode(self.encode(x)))


class BatchDependent(AutoEncoder):
    """Centres a batch by its own mean."""

    def encode(self, x):
        z = self.encoder(x)
        return z - z.mean(dim=0)


class DeadCode(AutoEncoder):
    """Restores the same record, whatever was stored."""

    def decode(self, z):
        return self.decoder(0 * z)


MODELS = {
    cls.__name__: Model(
        cls.__name__.lower(),
        "wrong",
        f"tests.sabotage:{cls.__name__}",
        Params,
        frozenset({"table"}),
    )
    for cls in (Resampled, DeadKL, FlippedKL, Peeking, BatchDependent, DeadCode)
}
