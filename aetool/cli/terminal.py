"""What is printed: talk and tables, in which no name or value steers the terminal, and data.

Names of columns and values come from files of strangers. In talk, tables and error messages their
control characters are written as escapes (\\x1b); data for other programs are written as they are.
"""

from __future__ import annotations

import errno
import io
import math
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TextIO

from aetool.canonical import Json
from aetool.errors import AetoolError, shortened
from aetool.printing import printable

SIGNALS = ("SIGTERM", "SIGHUP")
_shown = {"width": 0}  # characters of the line of progress; 0: there is none


class OutputError(AetoolError):
    """Standard output cannot be written to: the disk is full, or it is closed."""


def say(*lines: str, err: bool = False) -> None:
    """Print lines for people, each with a line end, on standard output or, with err, on standard
    error, where long names are cut. Characters that the terminal cannot show are escaped.
    OutputError if standard output cannot be written to."""
    end_progress()
    if err:
        lines = tuple(map(shortened, lines))
    text = "".join(printable(line) + "\n" for line in lines)
    if not err:
        with _to_standard_output():
            _write_flushed(_stream_or_error(sys.stdout), text)
    elif sys.stderr is not None:  # else nobody is there to be told
        _write_flushed(sys.stderr, text)


def progress(line: str) -> None:
    """Show a line of progress on standard error, in place of the line shown before, what steers a
    terminal escaped; nothing where standard error is closed."""
    if sys.stderr is not None:
        text = printable(line)
        # what is left of a longer line before would be read as a part of this one
        _write_flushed(sys.stderr, f"\r{text.ljust(_shown['width'])}")
        _shown["width"] = len(text)


def finite_numbers(contents: Json) -> Json:
    """A copy of a value to be printed as JSON, in which numbers that are not finite are None: JSON
    has none. Looked at are dictionaries, lists and tuples, at any depth; tuples become lists."""
    if isinstance(contents, dict):
        return {key: finite_numbers(element) for key, element in contents.items()}
    if isinstance(contents, list | tuple):
        return [finite_numbers(element) for element in contents]
    # such as a threshold that no score is above
    if isinstance(contents, float) and not math.isfinite(contents):
        return None
    return contents


def end_progress() -> None:
    """End the line of progress, if one is shown, so that what is printed next has a line of its
    own."""
    if _shown["width"] and sys.stderr is not None:
        _write_flushed(sys.stderr, "\n")
    _shown["width"] = 0


def refuse_bytes(contents: str) -> None:
    """Raise OutputError if standard output is a terminal: nobody can read bytes there.
    contents: what is to be written, such as "the archive"."""
    if sys.stdout is not None and sys.stdout.isatty():
        raise OutputError(
            f"standard output is a terminal: send {contents} to a file or a program, name a file "
            "with -o, or use -f"
        )


@contextmanager
def data() -> Iterator[TextIO]:
    """Context manager: the standard output for data: UTF-8, as in a file; where it is a terminal,
    as `say` prints, at the end of the block. Line ends are written as they are. OutputError if it
    cannot be written to."""
    end_progress()
    with _to_standard_output():
        stream = _stream_or_error(sys.stdout)
        if stream.isatty():
            lines = io.StringIO()
            yield lines
            say(*lines.getvalue().splitlines())
            return
        # what was printed before comes first
        stream.flush()
        text = io.TextIOWrapper(stream.buffer, "utf-8", "backslashreplace", newline="")
        try:
            yield text
            text.flush()
        finally:
            text.detach()


@contextmanager
def _to_standard_output() -> Iterator[None]:
    """Context manager: within the block an OSError of standard output becomes an OutputError, but
    for BrokenPipeError and for an error of a file with a name, which are raised as they are."""
    try:
        yield
    except BrokenPipeError:  # the reader has seen enough
        raise
    except OSError as error:
        # an error of a file that has a name, not of standard output
        if error.filename is not None:
            raise
        raise OutputError(f"standard output: cannot write: {error.strerror or error}") from None


def _stream_or_error(stream: TextIO | None) -> TextIO:
    """The stream itself; OSError for None, which Python has where it was closed before the
    start."""
    if stream is None:
        raise OSError(errno.EBADF, "it is closed")
    return stream


def _write_flushed(stream: TextIO, text: str) -> None:
    """Write text to a stream; characters that its encoding lacks are escaped. The stream is
    flushed; its OSErrors go through."""
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


# ---- the process


class Ended(BaseException):
    """Raised where a signal asks the command to end, such as SIGTERM, whose name is the message.
    status: the exit status, 128 and the signal's number, as shells have it."""

    def __init__(self, number: int) -> None:
        """Make the exception for a signal: its name is the message. number: the signal's."""
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number


def end_like_interrupted() -> None:
    """Let SIGTERM and SIGHUP end a command by raising Ended, as Ctrl-C raises KeyboardInterrupt, so
    that nothing is left half written.

    A second one ends it at once. A signal that the parent process ignores (nohup) stays ignored.
    """
    for name in SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _end_by_signal)


def _end_by_signal(number: int, frame: FrameType | None) -> None:
    """Handle a signal, by its number: raise Ended, and let a second such signal end the process at
    once. frame: the code that was running, which Python passes on; not looked at."""
    signal.signal(number, signal.SIG_DFL)
    raise Ended(number)


def occupy_standard_files() -> None:
    """Open the null device for each of standard input, output and error that is closed, so that no
    file of ours gets its number and takes what a library prints."""
    # the system gives the lowest number that is free: one above 2 says that all three are taken
    number = os.open(os.devnull, os.O_RDWR)
    while number <= 2:
        number = os.dup(number)
    os.close(number)


def settle_standard_output() -> OSError | None:
    """Flush standard output at the end of a command; returns the error if that fails, else None, as
    where it is closed.

    After an error standard output is the null device, so that the interpreter does not report the
    error again.
    """
    if sys.stdout is None:
        return None
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return error
    return None
