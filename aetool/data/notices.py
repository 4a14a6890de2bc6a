"""What is worth saying of data that were read, and is no error.

The command line listens and prints it; else it goes to the log of this name, with which a program
that uses aetool may do what it likes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

NAME = "aetool.data"

Listener = Callable[[str, str], None]  # takes the name of what is spoken of, and what is said
Watcher = Callable[[bool, str], None]  # takes whether a long work begins, and how far it is
_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)
_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


def say(source: str, line: str) -> None:
    """Pass a remark on a source to the listener; without a listener, to the log NAME."""
    listener = _listener.get()
    if listener is not None:
        listener(source, line)
        return
    # most data have nothing to be said of, and need no log
    import logging

    logging.getLogger(NAME).info("%s: %s", source, line)


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """A context in which remarks go to the listener."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def advance(begins: bool, line: str) -> None:
    """Tell the watcher, if there is one, how far a long work is, such as "3 of 40 pictures read".
    begins: whether nothing of it is done yet."""
    watcher = _watcher.get()
    if watcher is not None:
        watcher(begins, line)


@contextmanager
def watched_by(watcher: Watcher) -> Iterator[None]:
    """A context in which the progress of long readings goes to the watcher."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)
