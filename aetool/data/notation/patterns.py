"""Regular expressions that are compiled when they are first used: most tables need few of them."""

from __future__ import annotations

import functools
import re


class Pattern:
    """A regular expression, as `re.compile` makes it of the same text and flags."""

    def __init__(self, text: str, flags: int = 0) -> None:
        self.text = text
        self.flags = flags

    @functools.cached_property
    def compiled(self) -> re.Pattern[str]:
        """The compiled expression."""
        return re.compile(self.text, self.flags)

    def match(self, text: str, start: int = 0) -> re.Match[str] | None:
        """What matches at `start`."""
        return self.compiled.match(text, start)

    def fullmatch(self, text: str, start: int = 0) -> re.Match[str] | None:
        """What matches from `start` to the end."""
        return self.compiled.fullmatch(text, start)

    def search(self, text: str) -> re.Match[str] | None:
        """The first match anywhere."""
        return self.compiled.search(text)
