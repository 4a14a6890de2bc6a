"""Makes names and values of strangers safe to print: text that changes neither a terminal nor a
page."""

from __future__ import annotations

import unicodedata

# Categories of Unicode: control characters, ends of lines and paragraphs, halves of surrogate pairs
STEERING = ("Cc", "Zl", "Zp", "Cs")
# What turns the direction of writing, so that a line reads as another
TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"


def printable(text: str) -> str:
    """A name or value on one line, with nothing in it that a terminal obeys: control characters,
    ends of lines and signs that turn the direction of writing become escapes such as \\n and
    \\x1b."""
    if text.isprintable():
        return text
    return "".join(_escaped(character) for character in text)


def _escaped(character: str) -> str:
    """A character as it is, or its escape if a terminal would obey it."""
    if unicodedata.category(character) in STEERING or character in TURNING:
        return character.encode("unicode_escape").decode("ascii")
    return character


def in_utf8(name: str) -> str:
    """A file's name, as Python has it, as text that UTF-8 can hold: bytes of it that are not UTF-8
    are written as such, like \\xff."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def ordinal(number: int) -> str:
    """Write a place in an order, counted from 1, as it is read: "1st", "2nd", "3rd", "11th",
    "1,020th"."""
    ending = "th"
    # 11th to 13th, of every hundred, are exceptions
    if number // 10 % 10 != 1:
        ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"
