"""The one exception tree.

AetoolError                anything the user can mend; the CLI prints it as one line and exits
├── PluginError            a plugin is missing, broken, or clashes with another
├── ParamError             an option or parameter has a value that is not allowed
├── DataError              the input data cannot be read or do not fit the model
├── EngineError            workers that were to compute cannot be reached, or are gone
├── BundleError            a .aem file is damaged or not one
└── ArchiveError           a .aez file is damaged or not one
    └── NoArchiveError     a file that is not even called one

A message says what was found, what was allowed, and what to do. Any other exception is a bug.
"""

from __future__ import annotations

import re

# A name of a column or a cell that nobody reads to its end. No name of a file or folder is longer
# than 255 characters on any system: paths stay whole, with the signs around them.
LONG_NAME = re.compile(r"[^\s/\\]{300,}")
HEAD, TAIL = 100, 20  # characters that are left of one
MOST_LETTERS = 4000  # of a message


def shortened(message: str) -> str:
    """Shorten a message so that it can be read. Of each name of 300 characters or more (without
    blanks and slashes) the first 100 and the last 20 stay, with "..." between; of a message that
    then still has more than 4,000 characters, the first 3,000 and the last 1,000, with " ... "
    between."""
    short = LONG_NAME.sub(_ends_of, message)
    if len(short) <= MOST_LETTERS:
        return short
    # what to do stands at the end
    end = MOST_LETTERS // 4
    return f"{short[: MOST_LETTERS - end]} ... {short[-end:]}"


def _ends_of(match: re.Match[str]) -> str:
    """Return the first 100 and the last 20 characters of a long name, the text of a match, with
    "..." between."""
    name = match[0]
    return f"{name[:HEAD]}...{name[-TAIL:]}"


class AetoolError(Exception):
    """Root of every error aetool raises on purpose. `status` is the CLI's exit status. Its message
    says what was found, what is allowed, and what to do."""

    status = 2

    def __init__(self, *arguments: object) -> None:
        """Make the error of its message, which is cut to what can be read, as `shortened` does."""
        messages = [shortened(one) if isinstance(one, str) else one for one in arguments]
        super().__init__(*messages)


class PluginError(AetoolError):
    """A plugin is missing, broken, or clashes with another."""


class ParamError(AetoolError):
    """An option or parameter has a value that is not allowed."""


class DataError(AetoolError):
    """The input data cannot be read, or do not fit the model."""


class EngineError(AetoolError):
    """The workers that were to compute cannot be reached, or are gone."""


class BundleError(AetoolError):
    """A model bundle is damaged, or not a bundle."""


class ArchiveError(AetoolError):
    """An archive is damaged, or not an archive."""

    status = 1


class NoArchiveError(ArchiveError):
    """A file is given for an archive, and neither is one nor has the name of one (.aez)."""

    status = 2
