"""Values of Arrow's types from the texts that stand for them, as `arrow_values` writes them.

The way back for what a model or an archive restores as text.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

# As Python writes a timedelta, "-1 day, 23:59:55.25", or a time of day, and as pandas does,
# "-1 days +23:59:55.250000000"; and as columns of times do, with a sign in front.
CLOCK = re.compile(
    r"(?:(-?\d+) days?,? \+?)?(-?)(\d+):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?",
)
SECOND = 1_000_000_000  # nanoseconds
DAY = 86_400 * SECOND
UNITS = {"s": SECOND, "ms": 1_000_000, "us": 1_000, "ns": 1}  # in nanoseconds
Texts = Sequence[str | None]


def array_of(texts: Texts, arrow_type: pa.DataType | None) -> pa.Array:
    """Texts, (n,), as an Arrow array of a type, None as null; where arrow_type is None, of texts.
    Of truth values "true" is True, and any other text False. ValueError if a text stands for no
    value of that type; NotImplementedError of Arrow for a type to which it casts no texts."""
    import pyarrow as pa
    from pyarrow import types

    if arrow_type is None:
        return pa.array(texts, pa.string())
    if types.is_boolean(arrow_type):
        truths = [None if text is None else text == "true" for text in texts]
        return pa.array(truths, arrow_type)
    if types.is_duration(arrow_type) or types.is_time(arrow_type):
        return _array_of_clocks(texts, arrow_type)
    if _holds_bytes(arrow_type):
        return pa.array(bytes_of(texts), arrow_type)
    if types.is_dictionary(arrow_type):
        values = array_of(texts, arrow_type.value_type)
        return as_dictionary(values, arrow_type)
    array = pa.array(texts, pa.string())
    # Arrow's own errors for a text that is no such value are ValueErrors, too
    return array.cast(arrow_type, safe=False)


def as_dictionary(values: pa.Array, arrow_type: pa.DictionaryType) -> pa.Array:
    """Convert an array to a dictionary type (indices into the different values, its levels), which
    Arrow does not cast to by itself. values: of a type that can be cast to that of the levels.
    ArrowInvalid, a ValueError, where a value does not fit that type, or there are more levels than
    the type's indices can count."""
    levels = values.cast(arrow_type.value_type)
    return levels.dictionary_encode().cast(arrow_type)


def _array_of_clocks(texts: Texts, arrow_type: pa.DataType) -> pa.Array:
    """Texts such as "0:01:05", (n,), as durations or times of day, whichever arrow_type is, rounded
    down to its unit; None as null. Times beyond the day become its first or last. ValueError for a
    text that is not as CLOCK has it."""
    import pyarrow as pa
    from pyarrow import types

    is_time = types.is_time(arrow_type)
    counts: list[int | None] = []
    for text in texts:
        if text is None:
            counts.append(None)
            continue
        nanoseconds = _nanoseconds(text)
        if is_time:
            # a model may restore a time a little before midnight as one a little after it
            nanoseconds = min(max(nanoseconds, 0), DAY - 1)
        counts.append(nanoseconds // UNITS[arrow_type.unit])
    width = pa.int32() if arrow_type.bit_width == 32 else pa.int64()
    return pa.array(counts, width).cast(arrow_type)


def _nanoseconds(text: str) -> int:
    """Read a text of the form CLOCK, a duration or time of day such as "-1 day, 23:59:55.25", as
    nanoseconds, below 0 for a negative duration; blanks around it do not matter. ValueError for any
    other text."""
    clock = CLOCK.fullmatch(text.strip())
    if clock is None:
        raise ValueError(f"{text!r} is no time or duration")
    days, sign, hours, minutes, seconds, fraction = clock.groups()
    minutes_of_day = int(hours) * 60 + int(minutes)
    seconds_of_day = minutes_of_day * 60 + int(seconds or 0)
    # a fraction of fewer digits than nanoseconds have is filled up
    digits = (fraction or "").ljust(9, "0")
    nanoseconds_of_day = seconds_of_day * SECOND + int(digits)
    # the sign in front of the hours, which is not that of the days
    if sign:
        nanoseconds_of_day = -nanoseconds_of_day
    # "-1 day, 23:59:55" is minus five seconds
    return int(days or 0) * DAY + nanoseconds_of_day


def _holds_bytes(arrow_type: pa.DataType) -> bool:
    """Whether values of an Arrow type are bytes (binary, large or of a fixed size)."""
    from pyarrow import types

    return bool(
        types.is_binary(arrow_type)
        or types.is_large_binary(arrow_type)
        or types.is_fixed_size_binary(arrow_type)
    )


def bytes_of(texts: Texts) -> list[bytes | None]:
    """The bytes of texts that are Python's literals of bytes, such as b'ab'; None stays None.
    ValueError for any other text."""
    values: list[bytes | None] = []
    for text in texts:
        if text is None:
            values.append(None)
            continue
        # nothing but a text of bytes is looked into
        if text[:2] not in ("b'", 'b"'):
            raise ValueError(f"{text!r} is no bytes")
        try:
            value = ast.literal_eval(text)
        # what Python raises for a text that is no literal, or is nested too deeply
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            value = None
        # b'a', b'b' begins as bytes do, and is a tuple
        if not isinstance(value, bytes):
            raise ValueError(f"{text!r} is no bytes")
        values.append(value)
    return values
