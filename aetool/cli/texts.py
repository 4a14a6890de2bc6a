"""Options that say how text is written, and notices of what is unusual about the text of data."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar, cast

import click

from aetool.cli import terminal
from aetool.data import notices

Command = TypeVar("Command", bound=Callable[..., object])
PATIENCE, OFTEN = 1.0, 0.1  # seconds until progress is shown, and between two lines of it
# options by their own names
SAID = ("delimiter", "decimal", "encoding", "skip_rows", "comment", "on_bad_lines")


def text_options(*paths: str) -> Callable[[Command], Command]:
    """Make a decorator that adds the options --no-header, --delimiter and the like, which say how
    text is written, to a command.

    paths: the arguments of the command that name data; each becomes a TextPath, a path with what
    these options say, if any says something.
    """

    def decorated(command: Command) -> Command:
        """Return the command with the options added, and its paths described by them."""

        @functools.wraps(command)
        def with_reading(**given: object) -> object:
            """Call the command without the options about text, with its paths described by them."""
            reading_options = {name: given.pop(name) for name in SAID}
            # without the option it is told from the text whether there is a header
            reading_options["header"] = False if given.pop("no_header") else None
            described = _with_described_paths(given, paths, reading_options)
            return command(**described)

        # click gives options in the reverse order of their decorators
        wrapped: Callable[..., object] = with_reading
        for option in _options():
            wrapped = option(wrapped)
        return cast(Command, wrapped)

    return decorated


def _options() -> list[Callable[[Callable[..., object]], Callable[..., object]]]:
    """The options about how text is written, such as --delimiter, each as a click decorator."""
    return [
        click.option(
            "--on-bad-lines",
            metavar="WHAT",
            help="Lines with too few or too many fields: error [error], or skip.",
        ),
        click.option(
            "--comment",
            metavar="CHAR",
            help="Lines that begin with CHAR are no records.",
        ),
        click.option(
            "--skip-rows",
            type=int,
            metavar="N",
            help="Leave out the first N lines, above the header.",
        ),
        click.option(
            "--encoding",
            metavar="NAME",
            help="Of the text: utf-8, cp1252, utf-16 ...",
        ),
        click.option(
            "--decimal",
            metavar="CHAR",
            help="The decimal mark of numbers: . or ,",
        ),
        click.option(
            "--delimiter",
            metavar="CHAR",
            help="What parts fields: a character, tab, or blank (one or more).",
        ),
        click.option(
            "--no-header",
            is_flag=True,
            help="The first line is a record; the columns are c1, c2 ...",
        ),
    ]


def _with_described_paths(
    given: dict[str, object],
    paths: tuple[str, ...],
    reading_options: Mapping[str, object],
) -> dict[str, object]:
    """The arguments of a command by name, in which each path of data is a TextPath: the path
    together with how its text is written. ParamError for an option that makes no sense.

    given: all arguments, which come back unchanged if all options about text are None. paths: the
    names of those that are data; of several paths each is one, None stays. reading_options: the
    values of the options about text.
    """
    if all(value is None for value in reading_options.values()):
        return given
    # only now: --help must not wait for them
    from aetool.csv.dialect import Reading
    from aetool.data.sources import TextPath

    reading = Reading.from_json(reading_options)
    described = dict(given)
    for name in paths:
        path = given[name]
        if isinstance(path, tuple):
            described[name] = tuple(TextPath(each, reading) for each in path)
        elif path is not None:
            described[name] = TextPath(str(path), reading)
    return described


class Reading:
    """Shows on one line of the terminal how far a file has been read, where that takes more than a
    second."""

    def __init__(self) -> None:
        """Begin as if nothing had been shown."""
        self.began = self.shown_last = 0.0

    def __call__(self, begins: bool, line: str) -> None:
        """Show a line of progress, if the work takes more than a second, and a tenth of one has
        passed since the last line. begins: whether nothing is read yet."""
        now = time.monotonic()
        if begins:
            self.began = now
        waited = now - self.began > PATIENCE and now - self.shown_last > OFTEN
        if waited and may_show_progress():
            terminal.progress(f"{line} ")
            self.shown_last = now


def may_show_progress() -> bool:
    """Whether standard error is a terminal, and the command was not told to be quiet."""
    context = click.get_current_context(silent=True)
    parameters = {} if context is None else context.params
    is_quiet = bool(parameters.get("quiet") or parameters.get("no_progress"))
    return not is_quiet and sys.stderr is not None and sys.stderr.isatty()


@contextmanager
def notices_printed() -> Iterator[None]:
    """Context manager: within the block notices about the data are printed on standard error, each
    different one once, unless the command is to be quiet; and lines of progress while the data are
    read.

    A notice begins with the name of the data where the one before was about other data.
    """
    printed: set[tuple[str, str]] = set()
    named_last = ""

    def print_once(source: str, line: str) -> None:
        """Print a notice, a line about the data called `source`, unless it was printed before."""
        nonlocal named_last
        context = click.get_current_context(silent=True)
        # the command that runs says it; not every command has the option
        quiet = context is not None and bool(context.params.get("quiet"))
        if quiet or (source, line) in printed:
            return
        printed.add((source, line))
        name = "" if source == named_last else f"{source}: "
        named_last = source
        terminal.say(f"note: {name}{line}", err=True)

    reading = Reading()
    with notices.heard_by(print_once), notices.watched_by(reading):
        yield
        terminal.end_progress()
