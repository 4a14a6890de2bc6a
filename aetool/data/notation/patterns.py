"""Regular expressions that are compiled when they are first used: most tables need few of them."""

from __future__ import annotations

import functools
import re


class Pattern:
    """A regular expression that is compiled when it is first used. text, flags: as of
    `re.compile`."""

    def __init__(self, text: str, flags: int = 0) -> None:
        self.text = text
        self.flags = flags

    @functools.cached_property
    def compiled(self) -> re.Pattern[str]:
        """The compiled regular expression; re.error if it is none."""
        return re.compile(self.text, self.flags)

    def match(self, text: str, start: int = 0) -> re.Match[str] | None:
        """The match that begins at `start`; None if there is none."""
        return self.compiled.match(text, start)

    def fullmatch(self, text: str, start: int = 0) -> re.Match[str] | None:
        """The match of all of the text from `start` to its end; None if there is none."""
        return self.compiled.fullmatch(text, start)

    def search(self, text: str) -> re.Match[str] | None:
        """The first match anywhere in the text; None if there is none."""
        return self.compiled.search(text)
