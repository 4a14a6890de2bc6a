"""The one way JSON is written into bundles and archives, and read from them."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

# what JSON can hold: None, bool, int, float, str, lists and dictionaries of these by str
Json: TypeAlias = Any


def canonical(value: Json) -> bytes:
    """A JSON value as bytes in the one form that aetool writes: keys sorted, no blanks, ASCII
    alone. ValueError for NaN and infinity; TypeError for what JSON cannot hold. Tuples become
    lists, keys texts."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode()


def parse_canonical(data: bytes) -> Json:
    """Parse JSON that `canonical` wrote; ValueError for bytes in any other form, duplicate keys
    included."""
    try:
        value = json.loads(data)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if canonical(value) != data:
        raise ValueError("not canonical JSON")
    return value
