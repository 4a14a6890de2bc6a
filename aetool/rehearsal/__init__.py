"""A dry run of an author's class on a few made-up rows, before any time is spent on a fit.

It finds what a fit, or the export after it, would stumble over, and says so in one sentence that
names the model, the member, its source line, what came back and what is wanted.
"""

from __future__ import annotations

import importlib

from aetool import closed_form, plugins
from aetool.errors import PluginError
from aetool.model import Model, Spec
from aetool.rehearsal import closed_forms, passed
from aetool.rehearsal.faults import Author, kind_of

__all__ = ["rehearse"]


def rehearse(
    model: Model,
    author_class: type,
    params: object,
    spec: Spec,
    again: bool = False,
) -> None:
    """Try an author's class on a few random rows of this layout; PluginError if it does not do what
    a fit will ask of it.

    author_class: the class that model.net names; params: the values of the model's parameters. What
    has passed before with the same code and parameters, the export of a network or the whole of a
    closed form, is skipped unless `again`.
    """
    if isinstance(author_class, type) and issubclass(author_class, closed_form.ClosedForm):
        author = Author(model, author_class, closed_form.ClosedForm)
        key = passed.key_of(author, params, spec)
        if again or not passed.has(key):
            closed_forms.rehearse(author, params, spec)
            passed.remember(key)
        return
    # torch, which closed forms do without
    AutoEncoder = plugins.resolve("aetool.nn:AutoEncoder")
    networks = importlib.import_module("aetool.rehearsal.networks")
    if not (isinstance(author_class, type) and issubclass(author_class, AutoEncoder)):
        raise PluginError(
            f"{model.name}: net names {model.net}, which is {kind_of(author_class)}; wanted is a "
            "class derived from aetool.nn.AutoEncoder or aetool.closed_form.ClosedForm"
        )
    author = Author(model, author_class, AutoEncoder)
    net = networks.rehearse(author, params, spec)
    key = passed.key_of(author, params, spec)
    if again or not passed.has(key):
        networks.rehearse_export(author, net)
        passed.remember(key)
