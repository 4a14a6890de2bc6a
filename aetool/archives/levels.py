"""How far off the levels of pictures may be, as --max-error asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from aetool.codec.source_texts import bound_of
from aetool.errors import ParamError
from aetool.spelling import option

SHALLOW, DEEP = 255, 65535  # the highest level of 8 bits, and of 16


@dataclass(frozen=True)
class Levels:
    """A largest error of pixels, as a user writes it. asked_for: "3" is of levels, "1%" of all that
    there are of the picture's depth; "" for none."""

    asked_for: str = ""

    @classmethod
    def asked(cls, max_error: Mapping[str, str], source: str, name: str = "") -> Levels:
        """The error that a command's --max-error asks for. max_error: its text by column, "" for
        all columns; source: for messages; name: of the array that the pictures are, "" if it has
        none. ParamError for an error of any other column, and for a text that is no number of 0 or
        more."""
        for column_name in max_error:
            if column_name and column_name != name:
                raise ParamError(
                    f"{option('--max-error')} {column_name}=...: {source} holds pictures, which "
                    "have no columns: give one number of levels for all, such as 2"
                )
        levels = cls(max_error.get(name) or max_error.get("", ""))
        # what is no number is said before anything is read
        levels.of(DEEP)
        return levels

    def of(self, highest: int) -> int:
        """The error in whole levels, rounded down and at most `highest`, of a picture whose highest
        level is this; 0 if it is less than one level, or none was asked for. ParamError for a text
        that is no number of 0 or more, which `asked` has refused already."""
        if not self.asked_for:
            return 0
        lowest_level = Fraction(0)
        highest_level = Fraction(highest)
        largest_error = bound_of(self.asked_for, lowest_level, highest_level)
        # at the highest level all pictures are the same
        return min(int(largest_error), highest)
