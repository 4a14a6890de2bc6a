"""How messages name an option: as it is typed on the command line, or as it is written in Python.

A message says `option("--max-error")` where it names one, and reads right in both. The command line
says once that it is there; everybody else is in Python.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

# what is called otherwise in Python than its name on the command line says
PYTHON = {
    "-f": "force=True",
    "-k": "k",
    "-m": "model",
    "-n": "count",
    "-o": "path",
    "-p": "plugin",
    "-O ": "",  # parameters of a model are arguments like all others
    "--engine": "executor",
    "--type": "types",
    "--id": "columns",
    "--row": "rows",
    "--color": "colour",
    "--target-error": "target",
    "--no-embed": "embed=False",
    "--recover": "lost=[]",
    "--resume": "checkpoint",
    "--no-header": "header=False",
}
# what is said on the command line by the option alone
FLAGS = {
    "--all-rows", "--binary", "--codec", "--fill-missing", "--grey", "--grid", "--index",
    "--keep-files", "--lossy", "--lossy-only", "--parts", "--prior", "--robust", "--students",
}  # fmt: skip
MOST_LISTED = 20  # of the words that there are, in one message
_in_shell: ContextVar[bool] = ContextVar("in_shell", default=False)


def option(name: str) -> str:
    """The name of an option in the way in which the user of this moment writes it: "--max-error" on
    the command line, "max_error" in Python; "--robust" and "robust=True". name: with its dashes;
    one that PYTHON does not list loses them, and has _ for -."""
    if _in_shell.get():
        return name
    if name in PYTHON:
        return PYTHON[name]
    called = name.lstrip("-").replace("-", "_")
    return f"{called}=True" if name in FLAGS else called


def did_you_mean(
    unknown_word: str,
    known_words: Iterable[str],
) -> str:
    """The end of a message on a word that is none of those known: "; did you mean 'vae'?", or ""
    where none of them is like it."""
    similar_words = difflib.get_close_matches(
        unknown_word,
        list(known_words),
        n=1,
    )
    # the nearest alone: all that there are, messages list anyway
    for similar_word in similar_words:
        return f"; did you mean '{similar_word}'?"
    return ""


def there_are(
    unknown_word: str,
    known_words: Iterable[str],
) -> str:
    """The end of a message on a word that is none of those known: "; there are a, b and 9 more; did
    you mean 'b'?". At most 20 words are listed; of no words it is "; there are none"."""
    all_words = list(known_words)
    listed_words = listed(all_words) or "none"
    return f"; there are {listed_words}{did_you_mean(unknown_word, all_words)}"


def listed(
    known_words: Sequence[str],
    most_words: int = MOST_LISTED,
) -> str:
    """Words as a message lists them, at most `most_words` of them: "a, b and 9 more"; "" for
    none."""
    # how many are not listed is said, so that nobody takes the list for all of them
    listed_words = ", ".join(known_words[:most_words])
    left_out = len(known_words) - most_words
    if left_out > 0:
        listed_words += f" and {left_out} more"
    return listed_words


def in_shell() -> bool:
    """Whether messages go to a user of the command line, not of the Python API."""
    return _in_shell.get()


@contextmanager
def of_the_shell() -> Iterator[None]:
    """Context manager: within the block messages are worded for people at the command line."""
    token = _in_shell.set(True)
    try:
        yield
    finally:
        _in_shell.reset(token)
