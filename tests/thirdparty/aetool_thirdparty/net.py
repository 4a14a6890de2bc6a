"""The network."""

import torch
from torch import Tensor

from aetool.nn import AutoEncoder


class Bounded(AutoEncoder):
    """z = tanh(slope * encoder(x))."""

    def encode(self, x: Tensor) -> Tensor:
        return torch.tanh(self.params.slope * self.encoder(x))
