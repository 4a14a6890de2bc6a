"""Notices: remarks on data that were read, which are worth saying and are no errors.

The command line listens and prints it; else it goes to the log of this name, with which a program
that uses aetool may do what it likes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from aetool.errors import shortened

NAME = "aetool.data"

Listener = Callable[[str, str], None]  # takes a source's name, and a remark on it
Watcher = Callable[[bool, str], None]  # takes whether a long work begins, and how far it is
_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)
_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


def say(source: str, line: str) -> None:
    """Pass a remark on a source to the listener that `heard_by` set; without one, log it as info to
    the log NAME. source: its name; line: the remark, without the name."""
    line = shortened(line)
    listener = _listener.get()
    if listener is not None:
        listener(source, line)
        return
    # imported only here, as most data need no remark
    import logging

    logging.getLogger(NAME).info("%s: %s", source, line)


def caution(source: str, line: str) -> None:
    """Pass a remark on a source as `say` does; without a listener log it as a warning, as `warn`
    does, for what a user of Python is to see, too."""
    if _listener.get() is None:
        warn(f"{source}: {line}")
    else:
        say(source, line)


def warn(message: str) -> None:
    """Log a warning about a result to the log NAME, for a user of Python, who sees it unless the
    log is set to hide it. No listener hears it."""
    # imported only here, as most results need no warning
    import logging

    logging.getLogger(NAME).warning("%s", shortened(message))


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Context manager: within the block, of this thread or task, every notice is passed to the
    listener, a function of (source's name, remark), and not logged; afterwards to the one
    before."""
    reset_token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(reset_token)


def advance(begins: bool, line: str) -> None:
    """Tell the watcher that `watched_by` set, if there is one, how far a long work is. begins:
    whether nothing of it is done yet; line: what to show, such as "3 of 40 pictures read"."""
    watcher = _watcher.get()
    if watcher is not None:
        watcher(begins, line)


@contextmanager
def watched_by(watcher: Watcher) -> Iterator[None]:
    """Context manager: within the block, of this thread or task, the progress of long readings is
    passed to the watcher, a function of (begins, line) as `advance` takes them; afterwards to the
    one before."""
    reset_token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(reset_token)
