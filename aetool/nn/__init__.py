"""What an author of a deep model builds on: AutoEncoder, backbones, likelihood. Needs torch."""

from aetool.nn.autoencoder import AutoEncoder, Stacked
from aetool.nn.backbones import Backbone, backbone
from aetool.nn.likelihood import Likelihood, kl_to_standard_normal
from aetool.nn.loading import load
from aetool.nn.masked import MaskedLinear, spread
from aetool.nn.starting import start_at_pca

__all__ = [
    "AutoEncoder",
    "Backbone",
    "Likelihood",
    "MaskedLinear",
    "Stacked",
    "backbone",
    "kl_to_standard_normal",
    "load",
    "spread",
    "start_at_pca",
]
