"""Networks that are wrong. The line that must be named ends with: # fault"""

from functools import cached_property

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from aetool.nn import AutoEncoder


class NoOverride(AutoEncoder):
    """Nothing is wrong with it but its parameters."""


def not_a_class(spec, params):
    """A function where a class belongs."""


class Misspelt(AutoEncoder):
    def penality(self, z):  # fault
        return z.square().mean()


class Unused(AutoEncoder):
    def penalties(self):
        return []


class UsedByAProperty(Unused):
    """Nothing is wrong with it: its helper is no misspelt penalty, as something uses it."""

    @property
    def total(self):
        return sum(self.penalties())


class UsedByACachedProperty(Unused):
    """Nothing is wrong with it."""

    @cached_property
    def total(self):
        return sum(self.penalties())


class UsedByAClassMethod(Unused):
    """Nothing is wrong with it."""

    @classmethod
    def total(cls, net):
        return sum(net.penalties())


class TooFewArguments(AutoEncoder):
    def corrupt(self, x):  # fault
        return x + 1


class Pairless(AutoEncoder):
    def loss(self, x, rng):  # fault
        return super().loss(x, rng)


class WrongShape(AutoEncoder):
    def encode(self, x):  # fault
        return self.encoder(x)[:, :1]


class WrongLayout(AutoEncoder):
    def build(self):  # fault
        super().build()
        self.decoder = nn.Linear(self.latent, 3)


class NoReturn(AutoEncoder):
    def parts(self, x):  # fault
        self.likelihood(x, self.expected(x))


class NotFinite(AutoEncoder):
    def encode(self, x):  # fault
        return self.encoder(x).log()


class InPlace(AutoEncoder):
    def corrupt(self, x, rng):  # fault
        x[:, 0] = 0
        return x


class BatchMates(AutoEncoder):
    def encode(self, x):  # fault
        z = self.encoder(x)
        return z - z.mean(dim=0)


class Resampled(AutoEncoder):
    def parts(self, x):  # fault
        z = self.encode(x)
        noise = torch.randn(z.shape, generator=torch.Generator())
        self.noise = getattr(self, "noise", 0) + noise
        return self.likelihood(x, self.decode(z + self.noise))


class GlobalRandomness(AutoEncoder):
    def corrupt(self, x, rng):  # fault
        return x + 0.1 * torch.randn_like(x)


class OwnGenerator(AutoEncoder):
    def corrupt(self, x, rng):
        noise = np.random.default_rng().normal(size=x.shape)
        return x + torch.from_numpy(noise).float()

    def loss(self, x, rng, seen=None):  # fault
        return super().loss(x, rng, seen)


class ScalarLoss(AutoEncoder):
    def loss(self, x, rng, seen=None):  # fault
        return super().loss(x, rng, seen).mean()


class Detached(AutoEncoder):
    def loss(self, x, rng, seen=None):  # fault
        return super().loss(x, rng, seen).detach()


class ConstantCode(AutoEncoder):
    def encode(self, x):  # fault
        return 0 * self.encoder(x)


class Branching(AutoEncoder):
    def encode(self, x):
        z = self.encoder(x)
        if z.abs().max() > 100:  # fault
            return z / 2
        return z


class Counting(AutoEncoder):
    calls = 0

    def encode(self, x):  # fault
        self.calls += 1
        return self.encoder(x) * (1 + self.calls)


class Normalised(AutoEncoder):
    def encode(self, x):
        return F.normalize(self.encoder(x), dim=1)  # fault


class SizeOfBatch(AutoEncoder):
    def encode(self, x):
        z = self.encoder(x)
        return z + torch.zeros(x.size(0), self.latent)  # fault


class Sorted(AutoEncoder):
    def encode(self, x):
        return torch.sort(self.encoder(x), dim=1).values  # fault


class InNumpy(AutoEncoder):
    def encode(self, x):
        return torch.from_numpy(np.tanh(self.encoder(x).detach().numpy()))  # fault


class WrongPrior(AutoEncoder):
    prior = "gaussian"


class Raising(AutoEncoder):
    def decode(self, z):
        return self.decoder(z) @ torch.eye(3)  # fault


class NanGradient(AutoEncoder):
    def penalty(self, z):
        return (z - z).square().sum(dim=1).sqrt().mean()

    def loss(self, x, rng, seen=None):  # fault
        return super().loss(x, rng, seen)


class TooSmallToAdd(AutoEncoder):
    def encode(self, x):  # fault
        z = torch.relu(self.encoder(x) - 100)
        return self.encoder(x) + z / (z + 1e-12)


class OddlyNamed(AutoEncoder):
    def penalty(self, z, generator):  # fault
        return torch.randn(z.shape, generator=generator).mean()


class OwnDraws(AutoEncoder):
    def penalty(self, z, rng):  # fault
        noise = np.random.default_rng().normal(size=z.shape)
        return z.mean() + torch.from_numpy(noise).float().mean()
