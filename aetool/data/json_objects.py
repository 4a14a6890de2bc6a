"""JSON whose objects have each key once: readers that keep the last value of a key would lose the
others, and nobody would hear of it. Why a text is no JSON that can be read, in words."""

from __future__ import annotations

import json
import re
import sys

from aetool.canonical import Json

NO_JSON = "is not JSON"
VALUE = re.compile(r"[-0-9\[{tfn]")  # how a value that is no text begins
HALF = re.compile("[\ud800-\udfff]")  # half a surrogate pair, that is left when pairs were joined


# Types of columns that are not of numbers alone: each can hold what those before it hold.
BOOL, VALUES, STRING = TYPES = ("bool", "values", "string")


class RepeatedKeyError(Exception):
    """An object has a key twice; the message says so, in words that go behind the name of a line or
    file. key: which one."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"has the key '{key}' twice in one object, of which only one value could be read; give "
            "each its own name"
        )
        self.key = key


def parsed(text: str) -> Json:
    """Parse a JSON text into Python's dicts, lists, texts, numbers, truth values and None.
    ValueError if it is none, RecursionError if it is nested too deeply, RepeatedKeyError if any
    object in it has a key twice."""
    # a call of json.loads with a hook makes a new decoder each time, which takes longer than a line
    return _DECODER.decode(text)


def fault_of(error: ValueError | RecursionError, reason: str = "") -> str:
    """What is wrong with a text that `parsed` raised this error for, as "is not JSON (...)": words
    that go behind the name of a line or file. reason: what stands in the brackets; "": the error's
    own message. JSON that is only too large for Python is not said to be none."""
    if isinstance(error, RecursionError):
        return "is nested too deeply to be read"
    # Python's own message tells how to raise the limit in a program, which is no help in a shell
    if "set_int_max_str_digits" in str(error):
        most = sys.get_int_max_str_digits()
        return f"has a whole number of more than {most:,} digits, which is not read"
    return f"{NO_JSON} ({reason or error})"


def is_number(value: object) -> bool:
    """Whether a value of parsed JSON is a number: int or float; True and False, which Python counts
    as integers, are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_value(text: str) -> bool:
    """Whether a text is JSON as it stands, without quotes around it: a number, true or false, null,
    a list or an object. NaN and infinities are none."""
    # the first sign rules out most texts
    if not VALUE.match(text):
        return False
    try:
        json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(constant: str) -> None:
    """Raise ValueError for a constant that Python reads in JSON, and JSON does not have."""
    raise ValueError(constant)


def whole_text(text: str) -> str:
    """The text with U+FFFD, the replacement character, for each unpaired surrogate: half of a pair,
    which is no character. Programs that cut a text by UTF-16 units, in the middle of an emoji,
    write such halves; of whole pairs the parser has made one character already."""
    return HALF.sub("\ufffd", text)


def in_whole_characters(value: Json) -> Json:
    """A copy of a JSON value with U+FFFD, the replacement character, for each unpaired surrogate in
    its texts, see `whole_text`: in those inside of lists and objects, and in keys, too. Two keys of
    an object may so become the same: the value of the last is kept."""
    if isinstance(value, str):
        return whole_text(value)
    if isinstance(value, list):
        return [in_whole_characters(item) for item in value]
    if isinstance(value, dict):
        return {whole_text(key): in_whole_characters(item) for key, item in value.items()}
    return value


def with_halves_escaped(text: str) -> str:
    """A JSON text in which each half of a surrogate pair, which UTF-8 has no bytes for, is written
    as the escape that JSON has for it."""
    return HALF.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def _object_of(members: list[tuple[str, Json]]) -> dict[str, Json]:
    """The dictionary of an object's (key, value) pairs, in their order, as the decoder's hook;
    RepeatedKeyError if a key is there twice."""
    by_key = dict(members)
    # nearly always all keys differ
    if len(by_key) == len(members):
        return by_key
    keys_before = set()
    for member_key, _ in members:
        if member_key in keys_before:
            raise RepeatedKeyError(member_key)
        keys_before.add(member_key)
    raise AssertionError("some key comes twice")


_DECODER = json.JSONDecoder(object_pairs_hook=_object_of)
