"""How the verbs of Python are called: what Python itself would refuse in its own words is refused
in ours, with what is allowed."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar, cast

from aetool.api.conversion import FIT_OPTIONS, Option, names_of, refuse_of_other_verbs
from aetool.arguments import refuse_misspelt
from aetool.errors import ParamError
from aetool.model import NetParams

Verb = TypeVar("Verb", bound=Callable[..., object])
OF_NETWORKS = frozenset(field.name for field in dataclasses.fields(NetParams))
# by how Python calls an argument, whether it may stand without its name
BY_PLACE = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def door(verb: Verb) -> Verb:
    """Decorate a function for users of Python so that a call that does not suit its arguments,
    which for Python is a TypeError, raises a ParamError that says what does suit.

    So it is for a name that is misspelt, belongs to another function, or is an option of a fit, and
    for an argument that is missing, given twice, or one too many. Any other call, and a TypeError
    from inside the function, goes through unchanged. Returns the decorated function.
    """
    signature = inspect.signature(verb)
    # how users call it, who have no other function of that name
    name = verb.__name__.removesuffix("_archive")

    @functools.wraps(verb)
    def checked_call(*arguments: Option, **named: Option) -> object:
        """Call the verb and return its result; ParamError if the arguments do not suit it."""
        try:
            signature.bind(*arguments, **named)
        except TypeError:
            _refuse(name, verb, arguments, named)
            # what is refused above is all that Python refuses
            raise
        return verb(*arguments, **named)

    return cast("Verb", checked_call)


def _refuse(
    name: str,
    verb: Callable[..., object],
    arguments: Sequence[Option],
    named: Mapping[str, Option],
) -> None:
    """Raise ParamError for a call that does not suit the arguments of a verb. name: of the verb, as
    users call it. arguments, named: of the call, those by place and those by name."""
    parameters = inspect.signature(verb).parameters
    takes_others = any(
        parameter.kind == inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()
    )
    unknown_names = [] if takes_others else [key for key in named if key not in parameters]
    if unknown_names:
        # what takes no model, and is no method of one, has none that was fitted
        if {"self", "model", "models"} & parameters.keys():
            _refuse_of_fits(name, unknown_names, names_of(verb))
        _refuse_unknown(name, verb, unknown_names[0])
    # a method's first argument is the model, which nobody writes
    by_place = [key for key, parameter in parameters.items() if parameter.kind in BY_PLACE]
    if len(arguments) > len(by_place):
        own = [key for key in by_place if key != "self"]
        # 1 for a method, whose first argument nobody writes; else 0
        methods_self = len(by_place) - len(own)
        if not own:
            raise ParamError(f"{name} takes no arguments; got {len(arguments) - methods_self}")
        names = "its name" if len(own) == 1 else "their names"
        raise ParamError(
            f"{name}: {', '.join(own)} may stand without {names}, and all others are given by "
            f"name; got {len(arguments) - methods_self} without a name"
        )
    for key in by_place[: len(arguments)]:
        if key in named:
            raise ParamError(f"{name}: {key} is given twice, by its place and by its name")
    missing = []
    for key in by_place[len(arguments) :]:
        if key not in named and parameters[key].default is inspect.Parameter.empty:
            missing.append(key)
    if missing:
        them = "is" if len(missing) == 1 else "are"
        raise ParamError(f"{name}: {' and '.join(missing)} {them} missing")


def _refuse_of_fits(name: str, unknown_names: Sequence[str], own: Collection[str]) -> None:
    """Raise ParamError for arguments of a fit among those that a verb does not have,
    `unknown_names`: it says where they belong. own: the names of the verb's arguments; name: its
    own."""
    of_fit = [key for key in unknown_names if key in FIT_OPTIONS or key == "plugin"]
    # a verb that may fit takes what is of a fit together
    if "fit" not in own:
        of_fit += [key for key in unknown_names if key in OF_NETWORKS and key not in of_fit]
    if not of_fit:
        return
    words = ", ".join(of_fit)
    them = "is" if len(of_fit) == 1 else "are"
    if "fit" in own:
        inside = ", ".join(f"{key}=..." for key in of_fit)
        raise ParamError(
            f"{name}: {words} {them} of a fit: give fit=aetool.operations.FitOptions({inside})"
        )
    raise ParamError(f"{words} {them} of the model: fit it with {words}, not {name}")


def _refuse_unknown(name: str, verb: Callable[..., object], wrong: str) -> None:
    """Raise ParamError for the name of an argument that a verb does not have, with the name that is
    meant, the verb that has it, or all the names that there are."""
    refuse_misspelt(name, verb, [wrong], [])
    refuse_of_other_verbs(name, wrong)
    known = [key for key in inspect.signature(verb).parameters if key != "self"]
    # no name is near enough to be the one that is meant
    raise ParamError(f"{name}: no argument '{wrong}'; there are {', '.join(known)}")
