"""What Python users hand over, converted to what operations take: data, models, options, shares."""

from __future__ import annotations

import dataclasses
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from aetool import bundle as bundles
from aetool import operations, plugins
from aetool.arguments import (
    as_part,
    bytes_of,
    check_kind,
    check_path,
    checked_options,
    errors_by_column,
    part_of,
    plain,
    refuse_misspelt,
)
from aetool.canonical import Json
from aetool.csv.dialect import OPTIONS, Reading
from aetool.data import memory
from aetool.data.pictures import decoding
from aetool.data.sources import TextPath
from aetool.errors import DataError, ParamError
from aetool.files import Place
from aetool.fits.asked import refuse_beside_model
from aetool.model import Model as Declared
from aetool.model import NetParams
from aetool.operations import FitOptions

Path = str | os.PathLike[str]
Model = bundles.Bundle | Path  # a fitted model, or where it is
Data: TypeAlias = object  # whatever aetool.fit takes
Frame: TypeAlias = Any  # a DataFrame of pandas; of polars, where the data are
Option: TypeAlias = Any  # what each takes is said where it is declared
Figures: TypeAlias = dict[str, Json]
Part: TypeAlias = float | str  # of records: 0.01, or "1%"
Texts: TypeAlias = npt.NDArray[np.object_]

OF_PLUGIN = "the name of a model, or its declaration"
ONE_SHOT = ("detect", "drift")  # verbs that begin with a fit where no model is given
# arguments of an operation that its verb of Python does not have
OF_OPERATIONS = {
    "detect": {"fit", "watch"},
    "drift": {"fit"},
    "model.calibrate": {"model", "device"},
    "model.sample": {"force"},
}
OF_ARCHIVE = ("decompress", "open")  # verbs that need the very model an archive was made with
PARTS = ("fpr", "fdr", "contamination")  # options that are parts of records
# options of a fit that have a name of their own; all others are parameters of the model
FIT_OPTIONS = {field.name for field in dataclasses.fields(FitOptions)} - {"plugin", "params"}


def share_of(name: str, value: float | str | None) -> float | None:
    """A share as a number, from 0.01 or "1%"; None, and any value that is no text, comes back
    unchanged. ParamError for a text that is none. name: the argument's, for errors."""
    if isinstance(value, str):
        return part_of(value, name)
    return value


def bytes_from(name: str, value: int | str | None) -> int | None:
    """A number of bytes, from 10_000 or "10kB"; None, and any value that is no text, comes back
    unchanged. ParamError for a text that is none. name: the argument's, for errors."""
    if isinstance(value, str):
        return bytes_of(value, name)
    return value


def bundle_of(model: Model | None, verb: str) -> bundles.Bundle | None:
    """A model, loaded where it is given by its path; None for None. ParamError for what is neither,
    and the errors of bundle.load. verb: for errors."""
    if model is None or isinstance(model, bundles.Bundle):
        return model
    check_path(verb, "model", model)
    if verb not in OF_ARCHIVE:
        refuse_plugin_name(verb, model)
    return bundles.load(model)


def refuse_plugin_name(verb: str, path: object) -> None:
    """Raise DataError where the name of a plugin stands in the place of a model's path, and no file
    is called so: it says where the name belongs. Anything else passes. verb: for errors."""
    # a frequent slip: the word for what is to be fitted, where what is fitted belongs
    if not plugins.is_name(path) or os.path.lexists(str(path)):
        return
    remedy = f'fit one: aetool.fit(data, plugin="{path}")'
    if verb in ONE_SHOT:
        remedy = f'it is given as plugin="{path}"'
    raise DataError(f"{verb}: {path} is the name of a plugin, not a file with a model; {remedy}")


def with_parts(verb: str, arguments: dict[str, Option]) -> dict[str, Option]:
    """A copy of the arguments of a verb in which fpr, fdr and contamination are numbers: 0.01 for
    "1%"; None stays. ParamError for what is no share. arguments: by name; KeyError if one of the
    three is not among them."""
    shares = dict(arguments)
    for name in PARTS:
        value = arguments[name]
        if value is not None:
            shares[name] = as_part(verb, name, value)
    return shares


def text_options(arguments: Mapping[str, Option]) -> dict[str, Option]:
    """The arguments that say how the text of a path is written, but for those that are None.

    arguments: all those of a verb, by name, header to on_bad_lines among them (else a KeyError).
    """
    options = {}
    for name in OPTIONS:
        value = arguments[name]
        # None leaves it to the reader of texts to find out
        if value is not None:
            options[name] = value
    return options


def options_of(
    arguments: Mapping[str, Option],
    declared: Callable[..., object],
    *others: str,
) -> dict[str, Option]:
    """Those arguments of a verb that an operation, or a dataclass of options, takes under the same
    name.

    arguments: all those of the verb, by name. declared: the operation or dataclass. others: names
    to leave out.
    """
    options = {}
    for name in inspect.signature(declared).parameters:
        if name in arguments and name not in others:
            options[name] = arguments[name]
    return options


def one_shot_fit(
    verb: str,
    declared: Callable[..., object],
    arguments: Mapping[str, Option],
    has_model: bool,
) -> FitOptions | None:
    """Choose the options for the fit with which a verb begins from its arguments; None if has_model
    is true, as there is a model already: then any argument of a fit that is not left at its default
    is a ParamError.

    verb: "detect" or "drift", whose function is `declared`. arguments: by name, with plugin, params
    (the parameters of the model, by name) and device, which is taken and never refused; all_rows of
    detect, which is of its result, is no argument of a fit. ParamError also for one that looks
    misspelt or has a wrong type; PluginError where params are given for a plugin that is not
    installed.
    """
    refuse_misspelt_parameter(verb, declared, arguments["plugin"], arguments["params"])
    parameters = inspect.signature(declared).parameters
    fit_names = FIT_OPTIONS & parameters.keys() | {"plugin"}
    # a device is of any computation, and all_rows of detect is of what it returns
    fit_names -= {"device"}
    if verb == "detect":
        fit_names -= {"all_rows"}
    changed = {}
    for name in fit_names:
        # by identity: a default of several types may not be comparable with what was given
        if arguments[name] is not parameters[name].default:
            changed[name] = arguments[name]
    changed |= arguments["params"]
    fit_options_here = fit_options(verb, **changed, device=arguments["device"])
    if not has_model:
        return fit_options_here
    refuse_beside_model(verb, fit_options_here)
    return None


def listed(values: str | Sequence[str] | None) -> Option:
    """Return values as a list: a single text as a list of that one, None as an empty one, a tuple,
    a set or an array of one axis as a list of its items. Any other value comes back unchanged (a
    scalar of numpy as Python's own), to be refused elsewhere."""
    if isinstance(values, str):
        return [values]
    return [] if values is None else plain(values)


def data_of(verb: str, data: Data, text: Mapping[str, Option]) -> Data:
    """Data in the form that operations take: a path with what is known of its text; an open file,
    which can be read only once, as a copy; several items, and pictures, be it a single one (but no
    array), as a list.

    text: how the text of a path is written, as `text_options` has it; ParamError if it is not empty
    and the data are no path. verb: for errors. DataError for what holds no data.
    """
    reading = Reading(**text)
    try:
        data = memory.begun(data)
        # one picture is data of one record; an array may be a table
        if decoding.is_picture(data) and not isinstance(data, np.ndarray):
            return [data]
        if isinstance(data, list | tuple) and data and all(map(decoding.is_picture, data)):
            return list(data)
        if memory.is_several(data):
            return [_readable_again(item, reading, text) for item in data]
        return _readable_again(data, reading, text)
    except DataError as error:
        raise DataError(f"{verb}: {error}") from None


def _readable_again(data: Data, reading: Reading, text: Mapping[str, Option]) -> Data:
    """One item of data as operations take it: what can be read only once, such as an open file, as
    a copy. reading, text: how the text of a path is written; the same twice, parsed and as options
    by name. ParamError where `text` is not empty and the data are no path; DataError for what holds
    no data."""
    # what can be read only once is read here, into a copy
    content = memory.held(data)
    if isinstance(content, str | os.PathLike | Place):
        return TextPath(content, reading) if text else content
    if text:
        words = ", ".join(text)
        kind = type(data).__name__
        raise ParamError(f"{words}: of text in a file, not of a {kind}")
    return content


def refuse_misspelt_parameter(
    verb: str,
    declared: Callable[..., object],
    plugin: Option,
    params: Mapping[str, Option],
) -> None:
    """Raise ParamError where the name of a model's parameter looks like a misspelt argument of the
    verb or a misspelt parameter. params: the parameters given, by name; plugin: the model, by its
    name or declaration, None for the default; declared: the verb's function. An unknown name that
    is like no other passes here. ParamError also for a plugin of a wrong type; PluginError for a
    model that is not installed, if there are params."""
    check_kind(verb, "plugin", plugin, (str, Declared, type(None)), OF_PLUGIN)
    if not params:
        return
    # a declaration is a model itself; None, or what is no model at all, is judged later
    model = plugin
    if isinstance(plugin, str):
        model = plugins.get_model(plugin)
    parameter_names = []
    if isinstance(model, Declared):
        fields = dataclasses.fields(model.Params)
        parameter_names = [field.name for field in fields]
    for name in params:
        if name not in parameter_names:
            refuse_of_other_verbs(verb, name)
    refuse_misspelt(verb, declared, list(params), parameter_names)


def refuse_of_other_verbs(verb: str, name: str) -> None:
    """Raise ParamError for the name of an argument that the verb does not have, and that others do:
    it says which. A name that no verb has passes, and so does one that is a parameter of every
    network, such as latent. verb: for the message; name: the argument's."""
    # a parameter that another model has is told of by the model
    if name in {field.name for field in dataclasses.fields(NetParams)}:
        return
    takers: dict[str, Callable[..., object]] = {
        "fit": FitOptions,
        "model.calibrate": operations.calibrated,
        "detect": operations.detect,
        "drift": operations.drift,
        "compress": operations.CompressOptions,
        "model.sample": operations.SampleOptions,
    }
    calls = []
    for other, declared in takers.items():
        if name in names_of(declared) - OF_OPERATIONS.get(other, set()):
            calls.append(f"{other}({name}=...)")
    if calls:
        take = "takes" if len(calls) == 1 else "take"
        raise ParamError(f"{verb}: no argument '{name}'; {' and '.join(calls)} {take} it")


def names_of(verb: Callable[..., object]) -> set[str]:
    """The names of the arguments of a verb, but for those that every function of a class has."""
    return set(inspect.signature(verb).parameters) - {"self", "params"}


def fit_options(verb: str, plugin: str | Declared | None = None, **named: Option) -> FitOptions:
    """The options of a fit from keyword arguments, of which those that are no option of every fit
    are parameters of the model, and checked only by the fit. ParamError for an option of a wrong
    type. plugin: the model's name or declaration; None: chosen by the data. verb: for errors."""
    options = {}
    params = {}
    for name, value in named.items():
        if name in FIT_OPTIONS:
            options[name] = value
        else:
            params[name] = value
    check_kind(verb, "plugin", plugin, (str, Declared, type(None)), OF_PLUGIN)
    if "max_error" in options:
        options["max_error"] = errors_by_column(options["max_error"])
    # by the name of the verb that begins with a fit
    checked_values = checked_options(verb, FitOptions, options)
    return FitOptions(plugin=plugin, params=params, **checked_values)
