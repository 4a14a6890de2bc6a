"""The command line: parse, call one operation, print. The only place errors become exit status."""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

from aetool import __version__
from aetool.cli import damaged, terminal, texts
from aetool.errors import AetoolError
from aetool.files import one_reading
from aetool.spelling import of_the_shell

# command -> (module, one line of help): read here, so that --help imports no command
COMMANDS = {
    "fit": ("fitting", "Learn a model from tables or pictures."),
    "detect": ("detecting", "Print the records that don't belong, and why."),
    "report": ("reporting", "Write what is found as a page to show."),
    "drift": ("drifting", "Say whether new data are like those of a model."),
    "evaluate": ("evaluating", "Judge a model against labels."),
    "compress": ("archiving", "Store a file in less space."),
    "tradeoff": ("surveying", "Draw bytes against error of each way to store."),
    "merge": ("merging", "Put archives of parts of a table together."),
    "decompress": ("restoring", "Restore what was compressed."),
    "encode": ("coding", "Write the codes of records."),
    "decode": ("coding", "Write the records of codes."),
    "sample": ("sampling", "Draw new records, or records near given ones."),
    "similar": ("searching", "Find the records whose codes are nearest."),
    "denoise": ("cleaning", "Restore damaged records, fill gaps and regions."),
    "export": ("exporting", "Write a model's ONNX graphs."),
    "info": ("inspecting", "Say what a model or an archive holds."),
    "verify": ("inspecting", "Check every byte of a model or an archive."),
    "plugins": ("plugins", "List, show and check the installed models."),
    "demo": ("demo", "Run the main job on bundled real data."),
    "doctor": ("inspecting", "Say what this installation can do."),
}

# options that one looks for in a command that has none of that name, and why it has not
ELSEWHERE = {
    ("detect", "--robust"): "without -m detect is always robust; with -m it is of the model: "
    "aetool fit --robust",
}


class Lazy(click.Group):
    """The group of all commands, which imports the module of a command only when that command is
    called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import the command of this name and return it; None if there is none. While a shell asks
        what may be typed next (the environment has _AETOOL_COMPLETE), its parameters are given
        types that can tell."""
        if name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"aetool.cli.{COMMANDS[name][0]}"), name)
        if "_AETOOL_COMPLETE" in os.environ:  # a shell asks what may stand here
            from aetool.cli import completion

            completion.prepare(command)
        return command

    def resolve_command(
        self,
        ctx: click.Context,
        args: list[str],
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that a command line calls: (its name, the command, the words behind it).
        For a word that is no command, click.UsageError names the one that is spelt alike, or how to
        detect in a file of that name, or all commands."""
        word = args[0]
        if word in COMMANDS or word.startswith("-"):
            return super().resolve_command(ctx, args)
        # only here: --help need not wait for it
        import difflib

        similar = difflib.get_close_matches(word, COMMANDS, n=1)
        if similar:
            message = f"No such command '{word}'. Did you mean {similar[0]}?"
        elif os.path.lexists(word):
            message = f"'{word}' is a file, and no command: aetool detect {word}"
        else:
            message = f"No such command '{word}'. There are: {', '.join(COMMANDS)}."
        raise click.UsageError(message, ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands for --help, from COMMANDS alone: no command is imported."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.command(
    cls=Lazy, context_settings={"auto_envvar_prefix": "AETOOL", "max_content_width": 100}
)
@click.version_option(__version__, prog_name="aetool")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def main(ctx: click.Context, debug: bool) -> None:
    """One model of your own tables or pictures: finds the records that don't belong, and stores
    the rest in a fraction of the space."""
    ctx.obj = {"debug": debug}


def run(args: list[str] | None = None) -> None:
    """Run the `aetool` command and exit, by SystemExit, with its status. An error is printed as one
    line. args: its words; None for those of this process."""
    terminal.occupy_standard_files()
    terminal.end_like_interrupted()
    sys.exit(status(args))


def status(args: list[str] | None = None) -> int:
    """Run a command line, print its errors as lines on standard error, and return its exit status:
    0 if all is well, else what the command or the error says. 2, and an error, if standard output
    cannot be written to, unless its reader has gone. args: its words; None for those of this
    process."""
    arguments = sys.argv[1:] if args is None else args
    code = _status(arguments)
    failure = terminal.settle_standard_output()
    if failure is None or isinstance(failure, BrokenPipeError):
        return code
    if code != 2:  # 2: an error was printed already
        say_error(AetoolError(f"standard output: cannot write: {failure.strerror or failure}"))
    return 2


def _status(arguments: list[str]) -> int:
    """Run a command line, print its errors as lines on standard error, and return its exit status.

    The status is what the command returns, if that is a whole number, else 0; of an AetoolError its
    own; 2 for a wrong command line, an OSError and where memory is out; 130 if it was interrupted,
    and 128 and the signal's number if a signal ended it; 0, and no line, if the reader of standard
    output has gone. With --debug AetoolError and OSError are raised instead; an exception that is a
    bug always is.
    """
    debug = "--debug" in arguments
    try:
        with of_the_shell(), one_reading(), texts.notices_printed():
            code = _result_of_command(arguments)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        _say_usage(error)
        return 2
    except (click.Abort, KeyboardInterrupt):
        terminal.say("interrupted; nothing was written", err=True)
        return 130
    except terminal.Ended as end:
        terminal.say(f"ended by {end}; nothing was written", err=True)
        return end.status
    except (BrokenPipeError, SystemExit) as gone:
        # click exits by itself where the reader of standard output has gone
        if isinstance(gone, SystemExit) and not _by_click(gone):
            raise
        return 0  # the reader has gone: say nothing
    except AetoolError as error:
        if debug:
            raise
        say_error(error)
        return error.status
    except OSError as error:  # of the system, and no bug: a disk that is full, a name too long
        if debug:
            raise
        where = f"{error.filename}: " if error.filename is not None else ""
        say_error(AetoolError(f"{where}{error.strerror or error}"))
        return 2
    except MemoryError:
        terminal.say("aetool: error: out of memory; use fewer rows or columns", err=True)
        return 2
    return code if isinstance(code, int) else 0


def _result_of_command(arguments: list[str]) -> object:
    """Run a command line and return what the command returns. What it raises goes through, but
    where a compiled file of the program (.pyc) is damaged an AetoolError that names it is raised
    instead."""
    try:
        return main.main(args=arguments, prog_name="aetool", standalone_mode=False)
    except click.Abort as stop:
        # click takes any end of a file for one of what is typed, and nobody is asked here
        if isinstance(stop.__cause__, EOFError):
            raise damaged.naming_damaged_file(stop.__cause__) from None
        raise
    except damaged.FAILURES as error:
        raise damaged.naming_damaged_file(error) from error.__cause__


def _say_usage(error: click.ClickException) -> None:
    """Print an error of click about a command line, such as an option that does not exist, on
    standard error, in click's own form: usage, a hint at --help, and the error."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        terminal.say(*error.format_message().splitlines(), err=True)
        return
    # of which command it is; None where click does not say
    context = getattr(error, "ctx", None)
    if context is not None:
        hint = f"{context.command_path} {context.help_option_names[0]}"
        usage = context.get_usage().splitlines()
        terminal.say(*usage, f"Try '{hint}' for help.", "", err=True)
    message = error.format_message()
    if isinstance(error, click.exceptions.NoSuchOption) and context is not None:
        why = ELSEWHERE.get((str(context.command.name), error.option_name))
        message = f"No such option '{error.option_name}': {why}." if why else message
    terminal.say(f"Error: {message}", err=True)


def _by_click(end: SystemExit) -> bool:
    """Whether click itself raised this SystemExit, as it does where standard output is closed: its
    traceback ends in a module of click."""
    trace = end.__traceback__
    # the last entry is where it was raised
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and str(trace.tb_frame.f_globals["__name__"]).startswith("click.")


def say_error(error: AetoolError) -> None:
    """Print an error as one line on standard error, "aetool: error: " before it."""
    terminal.say(f"aetool: error: {' '.join(str(error).split())}", err=True)
