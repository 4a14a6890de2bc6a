"""What is worth saying of data that were read, and is no error.

The command line listens and prints it; else it goes to the log of this name, with which a program
that uses aetool may do what it likes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

NAME = "aetool.data"

Listener = Callable[[str], None]
_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


def say(line: str) -> None:
    """Hand a line to who listens, or to the log."""
    listener = _listener.get()
    if listener is not None:
        listener(line)
        return
    # most data have nothing to be said of, and need no log
    import logging

    logging.getLogger(NAME).info(line)


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """What is said meanwhile is handed to the listener."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
