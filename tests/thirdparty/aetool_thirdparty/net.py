"""The network."""

import torch

from aetool.nn import AutoEncoder


class Bounded(AutoEncoder):
    """z = tanh(slope * encoder(x))."""

    def encode(self, x):
        return torch.tanh(self.params.slope * self.encoder(x))
