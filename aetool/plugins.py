"""Finds plugins by their entry points, and imports each only when it is asked for by name."""

from __future__ import annotations

import functools
import importlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pluggy

from aetool import declarations, hookspecs
from aetool.errors import AetoolError, PluginError
from aetool.model import Model, Reader
from aetool.spelling import did_you_mean, option

GROUP = "aetool"
READERS = "aetool.readers"  # entry points of plugins that bring readers, which are asked first


def available() -> dict[str, EntryPoint]:
    """Installed plugins by name, read as metadata: nothing is imported.

    Raises PluginError when two distributions claim one name.
    """
    places = _state_of_import_path()
    entry_points_by_name = _entries_by_name(entry_points, places)
    # a copy, as the one that is kept must not be changed
    return dict(entry_points_by_name)


def is_name(word: object) -> bool:
    """Whether a word is the name of an installed plugin, by metadata: nothing is imported. False
    for what is no text, and where two distributions claim one name."""
    try:
        return isinstance(word, str) and word in available()
    except PluginError:
        return False


def _state_of_import_path() -> str:
    """A text of the folders that Python imports from, and when each was last changed: it stays the
    same until something is installed, or taken away."""
    places = []
    for name in sys.path:
        # people put paths there, too
        places.append(str(name))
        # not every folder of the path is there, nor may each be read; "" is the working folder
        try:
            folder = Path(name)
            state = folder.stat()
        except (OSError, TypeError, ValueError):
            continue
        changed = str(state.st_mtime_ns)
        places.append(changed)
    return os.pathsep.join(places)


@functools.lru_cache(maxsize=1)
def _entries_by_name(
    lookup: Callable[..., Iterable[EntryPoint]],
    _: str,
) -> dict[str, EntryPoint]:
    """The entry points of installed plugins by their names, sorted, kept from call to call;
    PluginError where two distributions claim one name. lookup: entry_points, which reads files of
    every distribution that is installed, and is asked for by each member of a fit; _: the folders
    where it looks, as `_state_of_import_path` gives them."""
    entry_points_by_name: dict[str, EntryPoint] = {}
    for entry in lookup(group=GROUP):
        # the same entry may be found twice, on two paths
        other = entry_points_by_name.setdefault(entry.name, entry)
        if other.value != entry.value:
            raise PluginError(
                f"plugin name '{entry.name}' is claimed by {_distribution_of(other)} and "
                f"{_distribution_of(entry)}; uninstall one of them"
            )
    return dict(sorted(entry_points_by_name.items()))


def load(name: str) -> tuple[list[Model], list[Reader]]:
    """Import the plugin called `name` alone; returns the models and the readers that it declares,
    checked. PluginError if it is not installed, cannot be imported, or declares what cannot be
    used."""
    entries = available()
    if name not in entries:
        names = ", ".join(entries) or "none"
        raise PluginError(f"no plugin is called '{name}'; installed: {names}")
    entry = entries[name]
    # a manager of its own: one broken plugin does not harm the others
    manager = pluggy.PluginManager("aetool")
    manager.add_hookspecs(hookspecs)
    try:
        module = entry.load()
        declarations.check_hooks(name, module)
        manager.register(module, name)
        # a hook of ours that is misspelt would never be called
        manager.check_pending()
        models = declarations.models(name, manager.hook.aetool_models())
        readers = declarations.readers(name, manager.hook.aetool_readers())
        # readers are looked for by metadata, so that opening a file imports no model
        if readers and all(other.name != name for other in entry_points(group=READERS)):
            raise PluginError(
                f"plugin '{name}' declares readers that are never asked: its pyproject.toml must "
                f'also have [project.entry-points."{READERS}"] with {name} = "{entry.value}"'
            )
    except PluginError:
        raise
    # a stranger's module may fail in any way, and only this plugin is then of no use
    except Exception as error:
        raise PluginError(
            f"plugin '{name}' of {_distribution_of(entry)} cannot be used: "
            f"{declarations.failure(error, entry.value)}"
        ) from error
    return models, readers


def get_model(name: str) -> Model:
    """The declaration of model `name`, from the plugin of that name or any that declares it. A
    plugin of the model's own name is asked first.

    Raises PluginError where there is none, where two plugins of other names declare it, where the
    plugin of that name cannot be used, or where two distributions claim the name of any plugin;
    other plugins that cannot be used are passed over.
    """
    entries = available()
    # a plugin of the model's own name comes first, and spares importing the others
    if name in entries:
        for model in load(name)[0]:
            if model.name == name:
                return model
    declaring: dict[str, Model] = {}
    for other in entries:
        if other == name:
            continue
        try:
            models = load(other)[0]
        except PluginError:
            continue
        for model in models:
            if model.name == name:
                declaring[other] = model
    if len(declaring) > 1:
        first, second, *_ = declaring
        raise _clash_error(name, entries[first], entries[second])
    for model in declaring.values():
        return model
    model_names = [model.name for model in models_installed() if isinstance(model, Model)]
    # models of one package come in the order of their entry points, which nobody knows
    installed = ", ".join(sorted(model_names))
    # a frequent slip: -p with a file
    if name.endswith(".aem"):
        advice = f"; a model that was fitted is given with {option('-m')} {name}"
    else:
        advice = did_you_mean(name, model_names)
    raise PluginError(
        f"no installed plugin has a model '{name}'; there are: {installed or 'none'}{advice}"
    )


def models_installed() -> Iterator[Model | PluginError]:
    """Yield every declared model; a plugin that cannot be used, or that declares a model which
    another has declared, yields its error instead of raising it. PluginError is raised, at the
    first step, where two distributions claim one name."""
    entries = available()
    owners: dict[str, EntryPoint] = {}
    for name, entry in entries.items():
        try:
            models = load(name)[0]
        except PluginError as error:
            yield error
            continue
        for model in models:
            # who declares a name first has it; every other one is told
            owner = owners.setdefault(model.name, entry)
            if owner is entry:
                yield model
            else:
                yield _clash_error(model.name, owner, entry)


def _clash_error(model: str, first: EntryPoint, second: EntryPoint) -> PluginError:
    """Return, not raise, the error for a model, by its name, that two plugins declare."""
    return PluginError(
        f"model '{model}' is declared by {_plugin_in_words(first)} and by "
        f"{_plugin_in_words(second)}; uninstall one of them, or rename its model"
    )


def _plugin_in_words(entry: EntryPoint) -> str:
    """A plugin for messages: its name and its distribution."""
    return f"plugin '{entry.name}' of {_distribution_of(entry)}"


@dataclass(frozen=True)
class OwnedReader:
    """A reader, and the name of the plugin that brings it."""

    plugin: str
    reader: Reader

    @property
    def called(self) -> str:
        """The name of the reader in messages, such as "reader 'matlab' of plugin 'lab'"."""
        return f"reader '{self.reader.name}' of plugin '{self.plugin}'"

    @property
    def can_write(self) -> bool:
        """Whether the reader can also write its kind of file."""
        # a reader that can write overrides the method
        return type(self.reader).write is not Reader.write


def readers_installed() -> Iterator[OwnedReader | PluginError]:
    """Yield every reader; a plugin that cannot be used yields its error instead of raising it.

    Imports those plugins alone that say in their metadata that they bring readers, in the order of
    their names.
    """
    for name in _names_of_readers(entry_points, tuple(sys.path)):
        try:
            readers = load(name)[1]
        except PluginError as error:
            yield error
            continue
        for reader in readers:
            yield OwnedReader(name, reader)


@functools.lru_cache(maxsize=1)
def _names_of_readers(lookup: Callable[..., Iterable[EntryPoint]], _: tuple[str, ...]) -> list[str]:
    """The names of the plugins that bring readers, sorted. lookup: entry_points, which takes too
    long to be asked for each file of a folder; _: sys.path, where it looks."""
    return sorted({entry.name for entry in lookup(group=READERS)})


def resolve(path: str) -> Any:
    """Import a module and return the object in it that is named, as "package.module:Name".
    PluginError if the module cannot be imported, whatever it raises, or has no such name; but an
    AetoolError that it raises passes as it is."""
    module, _, name = path.partition(":")
    try:
        imported_module = importlib.import_module(module)
    except AetoolError:
        raise
    # a stranger's module may fail in any way
    except Exception as error:
        explanation = declarations.why_not_imported(path, error)
        raise PluginError(explanation) from error
    try:
        return getattr(imported_module, name)
    except AttributeError as error:
        raise PluginError(f"cannot find {path}: {error}") from error


def _distribution_of(entry: EntryPoint) -> str:
    """The name and version of the distribution that brings a plugin; where they are not known, its
    module."""
    if entry.dist:
        return f"{entry.dist.name} {entry.dist.version}"
    return entry.value
