"""Finds plugins by their entry points and imports one only when it is asked for by name."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from aetool import hookspecs
from aetool.errors import PluginError
from aetool.model import Model, Reader

GROUP = "aetool"


def available() -> dict[str, EntryPoint]:
    """Installed plugins by name, read as metadata: nothing is imported.

    Raises PluginError when two distributions claim one name.
    """
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUP):
        other = found.setdefault(entry.name, entry)
        if other.value != entry.value:
            raise PluginError(
                f"plugin name '{entry.name}' is claimed by {_owner(other)} and {_owner(entry)}; "
                "uninstall one of them"
            )
    return dict(sorted(found.items()))


def load(name: str) -> tuple[list[Model], list[Reader]]:
    """Import the plugin called `name` alone; returns what it declares."""
    entries = available()
    if name not in entries:
        names = ", ".join(entries) or "none"
        raise PluginError(f"no plugin is called '{name}'; installed: {names}")
    entry = entries[name]
    manager = pluggy.PluginManager("aetool")
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(entry.load(), name)
        manager.check_pending()
        models = [m for found in manager.hook.aetool_models() for m in found]
        readers = [r for found in manager.hook.aetool_readers() for r in found]
    except Exception as error:
        raise PluginError(
            f"plugin '{name}' of {_owner(entry)} cannot be used: {type(error).__name__}: {error}"
        ) from error
    for model in models:
        if not isinstance(model, Model):
            raise PluginError(f"plugin '{name}' yielded {model!r} where a Model was expected")
    return models, readers


def get_model(name: str) -> Model:
    """The declaration of model `name`, from the plugin of that name or any that declares it."""
    entries = available()
    if name in entries:
        for model in load(name)[0]:
            if model.name == name:
                return model
    for other in entries:
        if other == name:
            continue
        try:
            models = load(other)[0]
        except PluginError:
            continue
        for model in models:
            if model.name == name:
                return model
    known = ", ".join(m.name for m in models_installed() if isinstance(m, Model))
    fitted = f"; a model that was fitted is given with -m {name}" if name.endswith(".aem") else ""
    raise PluginError(
        f"no installed plugin has a model '{name}'; there are: {known or 'none'}{fitted}"
    )


def models_installed() -> Iterator[Model | PluginError]:
    """Every declared model; a plugin that cannot be imported yields its error instead."""
    for name in available():
        try:
            yield from load(name)[0]
        except PluginError as error:
            yield error


def reader_for(suffix: str) -> Reader | None:
    """The plugin reader for a file suffix, or None. Imports plugins: for unknown suffixes only."""
    for name in available():
        try:
            readers = load(name)[1]
        except PluginError:
            continue
        for reader in readers:
            if suffix in reader.suffixes:
                return reader
    return None


def resolve(path: str) -> Any:
    """The object named "package.module:Name"; PluginError says what could not be found."""
    module, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except ImportError as error:
        if error.name in ("torch", "onnxscript"):
            raise PluginError(
                f"{path} needs {error.name}, which is not installed; "
                "run: pip install 'aetool[train]'"
            ) from error
        raise PluginError(f"cannot import {path}: {error}") from error
    except AttributeError as error:
        raise PluginError(f"cannot find {path}: {error}") from error


def _owner(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
