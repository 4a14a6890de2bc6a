"""What a plugin declares, checked when it is loaded: hooks, models, and their parameters."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
from collections.abc import Iterable
from types import ModuleType

from aetool import hookspecs
from aetool.errors import ParamError, PluginError
from aetool.model import Model, Reader, check_default

KINDS = ("table", "image", "pairs")  # that `data` of a Model may hold
NEAR = 0.75  # likeness (difflib) from which a function is taken for a misspelt hook
MARK = "aetool_impl"  # the attribute by which pluggy knows a hook's implementation
READER_ARGUMENTS = {"matches": ["path"], "batches": ["path"], "write": ["path", "batches"]}
OF_TRAINING = ("torch", "onnxscript")  # that the extra [train] installs
PARAMETER_TYPES = (bool, int, float, str, tuple)


def hook_names() -> list[str]:
    """The names of all hooks that a plugin may implement, in the order of `hookspecs`."""
    return [name for name in vars(hookspecs) if name.startswith("aetool_")]


def check_hooks(name: str, module: ModuleType) -> None:
    """Raise PluginError for a function of this module that has the name of a hook but not its
    marker, or that is marked as a hook, or has nearly the name of one, and is none.

    name: the plugin's. What the module imports from others is not looked at.
    """
    hooks = hook_names()
    for function_name, function in vars(module).items():
        # what is imported from elsewhere is not this plugin's
        if not inspect.isfunction(function) or function.__module__ != module.__name__:
            continue
        marked = hasattr(function, MARK)
        place = _line_of_module(module, function.__code__.co_firstlineno)
        if function_name in hooks:
            if not marked:
                raise PluginError(
                    f"plugin '{name}': {function_name} ({place}) is not marked as a hook and never "
                    "called; write @hookimpl above it (from aetool import hookimpl)"
                )
            continue
        near = difflib.get_close_matches(function_name, hooks, 1, NEAR)
        if marked or near:
            guess = f"did you mean {near[0]}?" if near else f"there are {' and '.join(hooks)}"
            raise PluginError(f"plugin '{name}': {function_name} ({place}) is no hook; {guess}")


def models(name: str, results: list[object]) -> list[Model]:
    """The models that a plugin's hook has returned, in one list; PluginError for one that cannot be
    used, and for two of one name. name: the plugin's. results: what each implementation of the hook
    returned."""
    declared = [
        m for m in _joined_results(name, "aetool_models", Model, results) if isinstance(m, Model)
    ]
    names: set[str] = set()
    for model in declared:
        check_model(model, f"plugin '{name}': ")
        if model.name in names:
            raise PluginError(f"plugin '{name}' declares two models called '{model.name}'")
        names.add(model.name)
    return declared


def readers(name: str, results: list[object]) -> list[Reader]:
    """The readers that a plugin's hook has returned, in one list; PluginError for one that cannot
    be used. name: the plugin's. results: what each implementation of the hook returned."""
    declared = _joined_results(name, "aetool_readers", Reader, results)
    sound = [reader for reader in declared if isinstance(reader, Reader)]
    for reader in sound:
        check_reader(reader, f"plugin '{name}': reader {type(reader).__name__}: ")
    return sound


def check_reader(reader: Reader, owner: str) -> None:
    """Raise PluginError unless the reader can be used: it has a name, `matches` and `batches` of
    its own, methods that take the arguments they are called with (matches and batches a path, write
    a path and batches), and no member with a misspelt name. owner: what the message begins with."""
    if not isinstance(reader.name, str) or not reader.name:
        raise PluginError(f"{owner}name is {reader.name!r}; wanted is what messages call it")
    kind = type(reader)
    members = [member for member in vars(Reader) if not member.startswith("_")]
    for name in vars(kind):
        near = [] if name in members else difflib.get_close_matches(name, members, 1, NEAR)
        if near:
            raise PluginError(f"{owner}{name} is no member of Reader; did you mean {near[0]}?")
    for needed in ("matches", "batches"):
        if getattr(kind, needed) is getattr(Reader, needed):
            raise PluginError(f"{owner}has no {needed}(self, path)")
    for method, arguments in READER_ARGUMENTS.items():
        try:
            inspect.signature(getattr(reader, method)).bind(*arguments)
        except TypeError:
            declared = f"{method}{inspect.signature(getattr(reader, method))}"
            wanted = f"{method}({', '.join(arguments)})"
            raise PluginError(
                f"{owner}{method} is declared {declared}; it is called as {wanted}"
            ) from None


def _joined_results(name: str, hook: str, kind: type, results: list[object]) -> list[object]:
    """Join what all implementations of a hook return, `results`, into one list; PluginError for a
    result that cannot be iterated over, such as None or a single declaration, and for an item that
    is not of the class `kind`. name: the plugin's, hook: the hook's."""
    declared: list[object] = []
    for result in results:
        if isinstance(result, kind) or not isinstance(result, Iterable):
            raise PluginError(
                f"plugin '{name}': {hook} returned {_in_words(result)}; wanted are "
                f"{kind.__name__}s: yield {kind.__name__}(...), or return a list of them"
            )
        declared += result
    for entry in declared:
        if not isinstance(entry, kind):
            raise PluginError(
                f"plugin '{name}': {hook} yielded {_in_words(entry)}; wanted is a {kind.__name__}"
            )
    return declared


def check_model(model: Model, owner: str = "") -> None:
    """Raise PluginError unless the declaration can be used: its data, either a net or members, and
    its parameters. The net is not imported. owner: what the message begins with."""
    owner = f"{owner}model '{model.name}': "
    _check_data(model, owner)
    if bool(model.net) == bool(model.members):
        raise PluginError(
            f'{owner}wanted is either net="package.module:Class" or members; it has '
            f"{'both' if model.net else 'neither'}"
        )
    module, _, class_name = model.net.partition(":")
    if model.net and not (module and class_name.isidentifier()):
        raise PluginError(
            f'{owner}net is {model.net!r}; wanted is "package.module:Class", with a colon'
        )
    check_params(model.Params, owner)


def _check_data(model: Model, owner: str) -> None:
    """Raise PluginError unless the model's `data` is a set of "table", "image" and "pairs" alone,
    with "table", "image" or both in it. owner: how messages begin."""
    kinds = " and ".join([", ".join(map(repr, KINDS[:-1])), repr(KINDS[-1])])
    if isinstance(model.data, str) or not isinstance(model.data, set | frozenset):
        raise PluginError(
            f'{owner}data is {model.data!r}; wanted is a set, such as frozenset({{"table"}})'
        )
    for kind in sorted(model.data, key=str):
        if kind not in KINDS:
            near = difflib.get_close_matches(str(kind), KINDS, 1)
            guess = f"; did you mean {near[0]!r}?" if near else ""
            raise PluginError(f"{owner}data holds {kind!r}; it may hold {kinds}{guess}")
    if not model.data & {"table", "image"}:
        raise PluginError(
            f"{owner}data is {sorted(model.data)}; it must hold 'table', 'image' or both, or the "
            "model can be fitted on nothing"
        )


def check_params(params: type, owner: str) -> None:
    """Raise PluginError unless the class is a dataclass, each field of which has a default of one
    of PARAMETER_TYPES (bool, int, float, str, tuple) that lies within the field's own range and
    choices, and for a name that it, or a class that it derives from, annotates without its being a
    field. owner: what the message begins with."""
    where = f"{owner}{getattr(params, '__name__', params)}"
    if not dataclasses.is_dataclass(params) or not isinstance(params, type):
        raise PluginError(f"{where} is no dataclass; write @dataclass(frozen=True) above it")
    fields = {field.name: field for field in dataclasses.fields(params)}
    for own_class in params.__mro__[:-1]:
        for name in inspect.get_annotations(own_class):
            # a subclass without the decorator inherits fields, and ignores its own
            if name not in fields or isinstance(vars(own_class).get(name), dataclasses.Field):
                raise PluginError(
                    f"{where}.{name} is no field; write @dataclass(frozen=True) above "
                    f"{own_class.__name__}"
                )
    for name, field in fields.items():
        if field.default is dataclasses.MISSING:
            raise PluginError(
                f'{where}.{name} has no default; write {name}: ... = param(default, "help")'
            )
        if not isinstance(field.default, PARAMETER_TYPES):
            raise PluginError(
                f"{where}.{name} has the default {field.default!r}; wanted is a number, a text, a "
                "truth value or a tuple of whole numbers"
            )
        try:
            check_default(field)
        except ParamError as error:
            raise PluginError(f"{where}: the default {error}") from None


def why_not_imported(path: str, error: Exception) -> str:
    """What a message says of the object "package.module:Name" whose module raised an exception
    while it was imported; of torch, where that is missing, how to install it."""
    missing = ""
    if isinstance(error, ImportError):
        missing = error.name or ""
    if missing in OF_TRAINING:
        return f"{path} needs {missing}, which is not installed; run: pip install 'aetool[train]'"
    said = failure(error, path)
    return f"cannot import {path}: {said}"


def failure(error: Exception, module: str) -> str:
    """Describe on one line an exception that arose while a module was imported, such as "NameError:
    name 'x' is not defined (package/net.py:12)"; in brackets the innermost line of the module's own
    package that was running, if there was one, and of a SyntaxError the line that is wrong. Of a
    message the first line is told. module: its name, or that of an object in it."""
    words = type(error).__name__
    message = str(error).strip()
    package, *_ = module.replace(":", ".").split(".")
    place = _last_line(error, package)
    # what could not be compiled has not run: no line of it was come to
    if isinstance(error, SyntaxError) and error.filename:
        message = error.msg
        place = _line_in_words(error.filename, error.lineno or 0)
    if message:
        first_line = message.splitlines()[0]
        words += f": {first_line}"
    if place:
        words += f" ({place})"
    return words


def _last_line(error: Exception, package: str) -> str:
    """The innermost line of a package, by its name, on the way to an exception; "" if none is."""
    place = ""
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        module = frame.f_globals.get("__name__", "")
        if module == package or module.startswith(f"{package}."):
            place = _line_in_words(frame.f_code.co_filename, trace.tb_lineno)
        trace = trace.tb_next
    return place


def _line_of_module(module: ModuleType, line: int) -> str:
    """A line of a module, as "package/file.py:12"."""
    return _line_in_words(module.__file__ or module.__name__, line)


def _line_in_words(path: str, line: int) -> str:
    """A line of a file, as "package/file.py:12"."""
    file = path.replace("\\", "/").split("/")
    return f"{'/'.join(file[-2:])}:{line}"


def _in_words(value: object) -> str:
    """A value for a message: "nothing" for None, "a Model" or "a Reader" for one of these, else its
    repr."""
    if value is None:
        return "nothing"
    if isinstance(value, Model | Reader):
        return f"a {type(value).__name__}"
    return f"{value!r}"
