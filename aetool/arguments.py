"""Checks of the arguments of Python's verbs: one of a wrong type or an unknown name is refused in
one line that names it."""

from __future__ import annotations

import difflib
import inspect
import math
import numbers
import os
import re
import reprlib
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    KeysView,
    Mapping,
    Sequence,
    ValuesView,
)
from collections.abc import Set as AbstractSet
from dataclasses import MISSING, fields
from typing import ClassVar, TypeVar, cast

from aetool.errors import ParamError
from aetool.spelling import PYTHON, option

Options = Mapping[str, object]
Value = TypeVar("Value")
SHOWN = 40  # letters of a value in a message
MOST_BITS = 4096  # of a whole number that is written with its digits
PARTS = "a number such as 0.01, or a text such as '1%'"  # shares of records
NEAR = 0.75  # likeness (difflib) from which a name is taken for a misspelt one


def is_whole(value: object) -> bool:
    """Whether a value is a whole number of any type, but True and False."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    """Whether a value is a real number of any type, but True and False."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _is_finite(value: object) -> bool:
    """Whether a value is a real number that a float can hold: no infinity, and not "not a number"
    (NaN), which passes comparisons."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number or a fraction beyond all floats
        return False


def _is_texts(value: object) -> bool:
    """Whether a value is a list, tuple or other sequence of texts; a text itself is not."""
    # a text is a sequence of letters, which nobody means
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        return False
    return all(isinstance(item, str) for item in value)


def _is_paths(value: object) -> bool:
    """Whether a value is a list, tuple or other sequence, whatever is in it; a path itself, a text,
    is not."""
    # a text is a sequence of letters, each of which might be a path
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _is_wholes(value: object) -> bool:
    """Whether a value is a list, tuple or other sequence of whole numbers."""
    # bytes are a sequence of whole numbers, which nobody means
    return _is_paths(value) and all(map(is_whole, cast("Iterable[object]", value)))


def _is_texts_by_name(value: object) -> bool:
    """Whether a value is a dictionary whose keys and values are texts."""
    if not isinstance(value, Mapping):
        return False
    return _is_texts(list(value)) and _is_texts(list(value.values()))


# by how an annotation is written: what it takes, in words, and whether a value is one of these
TAKEN: dict[str, tuple[str, Callable[[object], bool]]] = {
    "None": ("None", lambda value: value is None),
    "bool": ("True or False", lambda value: isinstance(value, bool)),
    "int": ("a whole number", is_whole),
    "float": ("a finite number", _is_finite),
    "str": ("a text", lambda value: isinstance(value, str)),
    "Sequence[str]": ("a list of texts", _is_texts),
    "Mapping[str, str]": ("a dictionary of texts", _is_texts_by_name),
    "Sequence[int]": ("a list of whole numbers", _is_wholes),
    "Sequence[Path]": ("a list of paths", _is_paths),
    "list[str]": ("a list", lambda value: isinstance(value, list)),
}
# what each item of a list, or value of a dictionary, must be
OF_ITEMS: dict[str, Callable[[object], bool]] = {
    "Sequence[str]": TAKEN["str"][1],
    "Mapping[str, str]": TAKEN["str"][1],
    "Sequence[int]": is_whole,
}


def plain(value: object) -> object:
    """Return a value as Python itself has it. A scalar of another library, such as a number, text
    or truth of numpy, becomes Python's own; a row of values (a tuple or other sequence, an array of
    one axis, a Series, the keys or values of a dictionary) a list of its items, each made plain; a
    set a list of its items as they are, in the order of their texts. A list, a text, a dictionary,
    a table and all else come back unchanged."""
    shape = getattr(value, "shape", None)
    item_of = getattr(value, "item", None)
    if shape == () and callable(item_of):
        own: object = item_of()
        return own
    if isinstance(value, list | str | bytes | bytearray | Mapping):
        return value
    if _is_row(value):
        return [plain(item) for item in cast("Iterable[object]", value)]
    # the same options have one order, and a set none of its own
    if isinstance(value, AbstractSet):
        return sorted(value, key=str)
    return value


def _is_row(value: object) -> bool:
    """Whether a value holds a row of values, and is neither a list nor a text: a tuple, an array of
    one axis, an Index or Series of pandas, the keys or values of a dictionary (not the
    dictionary)."""
    if isinstance(value, list | str | bytes | bytearray | Mapping):
        return False
    # a table has two axes, and is no list of the names of its columns
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and len(shape) == 1 and isinstance(value, Collection):
        return True
    return isinstance(value, Sequence | KeysView | ValuesView)


def checked_options(
    verb: str,
    declared: Callable[..., object],
    options: Mapping[str, Value],
) -> dict[str, Value]:
    """Check the options of a verb by their declared types, and return them, by name: values of
    types that TAKEN lists as `checked` returns them. None stands for the default, and is left out
    where there is one and the declared type does not allow None.

    ParamError for an option that a function or dataclass does not declare, for a value that is not
    of the declared type, and for a negative `seed`. Types that TAKEN does not list pass unchecked.
    verb: what the message begins with; declared: the function or dataclass; options: by name.
    """
    parameters = inspect.signature(declared).parameters
    checked_values: dict[str, Value] = {}
    for name, value in options.items():
        if name not in parameters:
            raise ParamError(f"{verb}: no option '{name}'; there are {', '.join(parameters)}")
        annotation = str(parameters[name].annotation)
        has_default = parameters[name].default is not inspect.Parameter.empty
        if value is None and has_default and "None" not in annotation.split(" | "):
            continue
        checked_values[name] = cast("Value", checked(verb, name, value, annotation))
        number = checked_values[name]
        if name == "seed" and is_whole(number) and number < 0:  # type: ignore[operator]
            raise ParamError(f"{verb}: seed must be 0 or more; got {shown(value)}")
    return checked_values


class CheckedOptions:
    """Base of dataclasses that hold the options of a verb, such as fit, and check them when they
    are made. ParamError is raised for an option of a wrong type, such as a text where a list of
    texts belongs. Others are kept as plain values of Python; None, where that is not allowed,
    becomes the default. verb: the name of the verb, with which messages begin."""

    verb: ClassVar[str]

    def __post_init__(self) -> None:
        """Take each option over as it is checked, None for its default; ParamError for one of a
        wrong type, and for a negative `seed`, as `checked_options` raises it."""
        checked_values = checked_options(self.verb, type(self), vars(self))
        for field in fields(self):  # type: ignore[arg-type]
            value = field.default if field.default_factory is MISSING else field.default_factory()
            # the class is frozen, and this is still its making
            object.__setattr__(self, field.name, checked_values.get(field.name, plain(value)))


def errors_by_column(max_error: object) -> object:
    """The largest errors as options have them: texts by column, "" for all columns that are not
    named; {} for None.

    max_error: a text or a number for all columns, or either of them by column. A value of any other
    type comes back as `plain` makes it, to be refused where all options are checked; so does such a
    value of a column.
    """
    if max_error is None:
        return {}
    bound = plain(max_error)
    if isinstance(bound, str) or _is_number(bound):
        return {"": str(bound)}
    if not isinstance(bound, Mapping):
        return bound
    # what is neither a number nor a text stays, to be refused
    by_name = {name: plain(error) for name, error in bound.items()}
    return {name: str(error) if _is_number(error) else error for name, error in by_name.items()}


def refuse_misspelt(
    verb: str,
    declared: Callable[..., object],
    names: Sequence[str],
    parameters: Sequence[str],
) -> None:
    """Raise ParamError for a name that is nearly an argument of a verb or a parameter of its model,
    or is what the command line calls one.

    names: those of further arguments that the user wrote; those of parameters pass. declared: the
    verb's function. parameters: the names of the model's. Names that are like none of these pass:
    the model judges them.
    """
    arguments = [name for name in inspect.signature(declared).parameters if name != "params"]
    for name in names:
        if name in parameters:
            continue
        # what is called otherwise on the command line, such as engine for executor
        dashed = "--" + name.replace("_", "-")
        name_in_python = option(dashed) if dashed in PYTHON else ""
        near = [name_in_python] if name_in_python in arguments else []
        near += difflib.get_close_matches(name, [*arguments, *parameters], 1, NEAR)
        if near:
            raise ParamError(f"{verb}: no argument '{name}'; did you mean {near[0]}?")


def checked(verb: str, name: str, value: object, annotation: str) -> object:
    """Check that a value is of the type of an annotation, such as 'int | None', and return it as
    `plain` makes it, or, for an annotation with list[str], itself; ParamError for a value of
    another type. A whole number passes for a float; True and False pass for bool alone. A value for
    an annotation with a type that TAKEN does not list comes back as it is. verb, name: of the
    argument, for the message."""
    kinds = annotation.split(" | ")
    if any(kind not in TAKEN for kind in kinds):
        return value
    item_checks = [
        OF_ITEMS[kind]
        for kind in kinds
        if kind in OF_ITEMS and _agrees_on_being_mapping(value, kind)
    ]
    # a list may have millions of items, and be wrong from the first on
    strays = _items_of_wrong_type(value, item_checks) if item_checks else iter(())
    plain_value: object = None
    # True if there is no stray: `next` then gives back its default
    is_right = next(strays, strays) is strays
    if is_right:
        # what is said is added to the caller's own list, which a copy is not
        plain_value = value if "list[str]" in kinds else plain(value)
        is_right = any(TAKEN[kind][1](plain_value) for kind in kinds)
    if not is_right:
        words = " or ".join(TAKEN[kind][0] for kind in kinds)
        got = shown(value)
        for stray in _items_of_wrong_type(value, item_checks or [TAKEN["str"][1]]):
            got += f" with {shown(stray)}"
            break
        raise ParamError(f"{verb}: {name} must be {words}; got {got}")
    return plain_value


def _agrees_on_being_mapping(value: object, kind: str) -> bool:
    """Whether a value could be of a kind, a key of TAKEN, as far as being a dictionary goes: only a
    dictionary can be of a kind that begins with "Mapping", and it can be of no other kind."""
    return kind.startswith("Mapping") == isinstance(value, Mapping)


def _items_of_wrong_type(
    value: object, item_checks: Sequence[Callable[[object], bool]]
) -> Iterator[object]:
    """Yield the items of a list, a row (a tuple, an array of one axis, see _is_row) or a set, or
    the values of a dictionary, that are none of what is taken, as `plain` makes them, but rows as
    they are; of any other value, such as a text, nothing. One after the other: who takes the first
    waits for no other. item_checks: functions, each of which says whether an item, made plain, is
    of one kind that is taken."""
    items: Iterable[object] = ()
    if isinstance(value, Mapping):
        items = value.values()
    elif _is_row(value) or isinstance(value, list | AbstractSet):
        items = cast("Iterable[object]", value)
    for item in items:
        plain_item = plain(item)
        if not any(is_of_kind(plain_item) for is_of_kind in item_checks):
            yield item if _is_row(item) else plain_item


def check_kind(
    verb: str,
    name: str,
    value: object,
    kinds: type | tuple[type, ...],
    words: str,
) -> None:
    """Raise ParamError for a value that is an instance of none of these classes, `kinds`. words:
    what is taken, for the message; verb, name: of the argument."""
    if not isinstance(value, kinds):
        raise ParamError(f"{verb}: {name} must be {words}; got {shown(value)}")


def as_part(verb: str, name: str, value: object) -> float:
    """A share of records as a number: 0.01 from 0.01 and from "1%". Its range is not checked. verb,
    name: of the argument, for messages. ParamError for a text without % or without a number, for
    NaN and infinity, and for any value that is neither a text nor a number, True and False among
    them."""
    if isinstance(value, str):
        percent = value.strip().removesuffix("%")
        try:
            number = float(percent)
        except ValueError:
            number = math.nan
        # "0.5" may mean half of the records, or half a percent
        if percent == value.strip() or not math.isfinite(number):
            raise ParamError(f"{verb}: {name} must be {PARTS}; got {shown(value)}")
        return number / 100
    own = plain(value)
    check_kind(verb, name, own, numbers.Real, PARTS)
    checked(verb, name, own, "float")
    return float(own)  # type: ignore[arg-type]


def check_path(verb: str, name: str, value: object) -> None:
    """Raise ParamError unless an argument is a path, a text or a path object (not of bytes).
    Whether something is at the path is not looked at. verb, name: of the argument, for the
    message."""
    if not isinstance(value, str | os.PathLike) or isinstance(os.fspath(value), bytes):
        raise ParamError(f"{verb}: {name} must be a path, as a text or a Path; got {shown(value)}")


def shown(value: object) -> str:
    """A value for messages. Of a text, bytes, a number or None its repr, of which the first 40
    characters and three dots where it is longer, and the type: "'x' (str)"; of a whole number of
    more than 4,096 bits the power of two just beyond it, "about 2^5000", and the type; of any other
    value the type alone."""
    kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    text = ""
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        # Python refuses to write so many digits
        text = f"about 2^{value.bit_length()}" if value > 0 else f"about -2^{value.bit_length()}"
    # a list may be long, and is not shown
    elif not _is_row(value) and not isinstance(value, AbstractSet):
        own = plain(value)
        if isinstance(own, str | bytes | int | float | None):
            text = repr(own)
    short = text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
    return f"{short} ({kind})" if short else kind


def brief(value: object) -> str:
    """A value for messages as Python writes it, of a long text, list or dictionary its beginning
    alone: [0, 1, 2, 3, 4, 5, ...]; of a whole number of more than 4,096 bits what `shown` says."""
    # Python refuses to write so many digits
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        return shown(value)
    return reprlib.repr(value)


# what a unit of bytes multiplies by: a letter by powers of two, as other tools have it
UNITS = {
    "": 1,
    "K": 1 << 10,
    "M": 1 << 20,
    "G": 1 << 30,
    "T": 1 << 40,
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
}


class Bytes(int):
    """A number of bytes that knows how it was written, such as "10kB": `written`, for messages."""

    written: str


def bytes_of(text: str, option_name: str) -> Bytes:
    """A number of bytes from a text such as 500000, 64M or 10kB: K, M, G and T are powers of 1,024,
    kB, MB, GB and TB of 1,000, in either case of letters. ParamError for anything else, a fraction,
    a sign or a blank among it. option_name: what messages call the option."""
    digits = text.rstrip("kKmMgGtTbB")
    unit = text[len(digits) :].upper()
    is_number = digits.isascii() and digits.isdecimal()
    if not is_number or unit not in UNITS:
        raise ParamError(
            f"{option_name} {text}: write a number of bytes such as 500000, 64M or 10kB"
        )
    number = Bytes(int(digits) * UNITS[unit])
    number.written = text
    return number


def part_of(text: str, option_name: str) -> float:
    """A share as a number from a text: 0.01 from "1%" and from "0.01". Its range is not checked.
    ParamError for what is no finite number, one with a decimal comma among it. option_name: what
    messages call the option."""
    number = text.removesuffix("%")
    try:
        part = float(number)
        # 1e400, and nan, which passes comparisons
        if not math.isfinite(part):
            raise ValueError(number)
    except ValueError:
        # who writes numbers with a comma elsewhere does so here
        with_point = text.replace(",", ".")
        if re.fullmatch(r"\d*\.\d+%?", with_point):
            raise ParamError(f"{option_name} {text}: write a decimal point: {with_point}") from None
        raise ParamError(f"{option_name} {text}: write a number such as 0.01 or 1%") from None
    return part / 100 if number != text else part
