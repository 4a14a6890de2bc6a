"""Loads a bundle's network as a torch module again, for people who fine-tune it."""

from __future__ import annotations

import os

import torch

from aetool import bundle as bundles
from aetool import graphs, plugins
from aetool.errors import BundleError
from aetool.model import Array, make_params
from aetool.nn.autoencoder import AutoEncoder


def load(bundle: bundles.Bundle | str | os.PathLike[str]) -> AutoEncoder:
    """The network of a bundle (or of the .aem file at a path), with its weights, in eval mode.

    encode and decode are as in the bundle, on the features of `aetool.data.scaling`. The plugin
    must be installed: a bundle holds no code. BundleError for closed forms and for models of
    several members, and where the plugin is now another than the one that was fitted; ParamError
    where that now takes other parameters; the errors of plugins.get_model where it is not
    installed, of bundle.load for a file that cannot be read.
    """
    loaded = bundle if isinstance(bundle, bundles.Bundle) else bundles.load(bundle)
    model = plugins.get_model(loaded.plugin)
    if model.members:
        raise BundleError(f"{loaded.name}: {loaded.plugin} is several models: fit the one you want")
    net_class = plugins.resolve(model.net)
    if not (isinstance(net_class, type) and issubclass(net_class, AutoEncoder)):
        raise BundleError(
            f"{loaded.name}: {loaded.plugin} is a closed form: it has no torch network"
        )
    with torch.random.fork_rng():
        net = net_class(loaded.spec, make_params(model, loaded.params))
    # weights lie in all of the graphs, each in those that it takes part in
    stored: dict[str, Array] = {}
    for data in loaded.graphs.values():
        stored |= graphs.weights_of(data)
    own_weights = net.state_dict()
    stored_weights = {k: torch.from_numpy(v.copy()) for k, v in stored.items() if k in own_weights}
    for name, value in stored_weights.items():
        if value.shape != own_weights[name].shape:
            raise BundleError(
                f"{loaded.name}: {name} is {tuple(value.shape)}, this {loaded.plugin} has "
                f"{tuple(own_weights[name].shape)}: it was fitted with another version"
            )
    # by address: tied weights are one tensor of two names, of which one may be stored
    stored_addresses = {own_weights[k].data_ptr() for k in stored_weights}
    not_stored = [k for k in own_weights if own_weights[k].data_ptr() not in stored_addresses]
    if not_stored:
        raise BundleError(f"{loaded.name}: {', '.join(not_stored)} cannot be found in its graphs")
    net.load_state_dict(stored_weights, strict=False)
    return net.eval()
