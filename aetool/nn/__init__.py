"""What an author of a deep model builds on: AutoEncoder, backbones, likelihood. Needs torch."""

from aetool.nn.autoencoder import AutoEncoder
from aetool.nn.backbones import backbone
from aetool.nn.likelihood import Likelihood, kl_to_standard_normal

__all__ = ["AutoEncoder", "Likelihood", "backbone", "kl_to_standard_normal"]
