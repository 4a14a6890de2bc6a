"""JSON whose objects have each key once: readers that keep the last value of a key would lose the
others, and nobody would hear of it."""

from __future__ import annotations

import json

from aetool.canonical import Json


class RepeatedKeyError(Exception):
    """An object has a key twice; the message says which key, in words that go behind the name of a
    line or file."""


def parsed(text: str) -> Json:
    """Parse a JSON text. ValueError or RecursionError if it is none, RepeatedKeyError if any object
    in it has a key twice."""
    # a call of json.loads with a hook makes a new decoder each time, which takes longer than a line
    return _DECODER.decode(text)


def _object_of(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """The object of these keys and values, in their order."""
    found = dict(pairs)
    # nearly always: which key came twice is only looked for where one did
    if len(found) == len(pairs):
        return found
    seen = set()
    for key, _ in pairs:
        if key in seen:
            raise RepeatedKeyError(
                f"has the key '{key}' twice in one object, of which only one value could be read; "
                "give each its own name"
            )
        seen.add(key)
    raise AssertionError("some key comes twice")


_DECODER = json.JSONDecoder(object_pairs_hook=_object_of)
