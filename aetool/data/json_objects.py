"""JSON whose objects have each key once: readers that keep the last value of a key would lose the
others, and nobody would hear of it."""

from __future__ import annotations

import json

from aetool.canonical import Json


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


def _object_of(members: list[tuple[str, Json]]) -> dict[str, Json]:
    """The dictionary of an object's (key, value) pairs, in their order, as the decoder's hook;
    RepeatedKeyError if a key is there twice."""
    by_key = dict(members)
    # nearly always: which key came twice is only looked for where one did
    if len(by_key) == len(members):
        return by_key
    keys_before = set()
    for member_key, _ in members:
        if member_key in keys_before:
            raise RepeatedKeyError(member_key)
        keys_before.add(member_key)
    raise AssertionError("some key comes twice")


_DECODER = json.JSONDecoder(object_pairs_hook=_object_of)
