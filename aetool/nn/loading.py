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
    found = bundle if isinstance(bundle, bundles.Bundle) else bundles.load(bundle)
    model = plugins.get_model(found.plugin)
    if model.members:
        raise BundleError(f"{found.name}: {found.plugin} is several models: fit the one you want")
    made = plugins.resolve(model.net)
    if not (isinstance(made, type) and issubclass(made, AutoEncoder)):
        raise BundleError(f"{found.name}: {found.plugin} is a closed form: it has no torch network")
    with torch.random.fork_rng():
        net = made(found.spec, make_params(model, found.params))
    # weights lie in all of the graphs, each in those that it takes part in
    stored: dict[str, Array] = {}
    for data in found.graphs.values():
        stored |= graphs.weights_of(data)
    own = net.state_dict()
    known = {k: torch.from_numpy(v.copy()) for k, v in stored.items() if k in own}
    for name, value in known.items():
        if value.shape != own[name].shape:
            raise BundleError(
                f"{found.name}: {name} is {tuple(value.shape)}, this {found.plugin} has "
                f"{tuple(own[name].shape)}: it was fitted with another version"
            )
    # by address: tied weights are one tensor of two names, of which one may be stored
    alike = {own[k].data_ptr() for k in known}
    left = [k for k in own if own[k].data_ptr() not in alike]
    if left:
        raise BundleError(f"{found.name}: {', '.join(left)} cannot be found in its graphs")
    net.load_state_dict(known, strict=False)
    return net.eval()
