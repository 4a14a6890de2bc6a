"""aetool tradeoff."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aetool.cli import options, terminal
from aetool.cli.fitting import default_output
from aetool.errors import DataError, ParamError

if TYPE_CHECKING:
    from aetool.archives.points import Point, Tradeoff
    from aetool.canonical import Json

WORD_COLUMNS = 2  # before the columns of numbers
# arguments of compress that are not typed by their own name, and options of a fit
SHORT = {"model": "-m", "plugin": "-p", "max_error": "--max-error", "budget": "--budget"}
OF_READING = {"drop": "--drop", "keep": "--keep", "na": "--na", "types": "--type"}
MOST_SHOWN = 48  # letters of what betters a point


@click.command()
@click.argument("file")
@click.option(
    "-m", "--model", "models", multiple=True, metavar="MODEL", help="Measure the code of a model."
)
@click.option(
    "-p", "--plugin", "plugins", multiple=True, metavar="NAME",
    help="Measure the code of a model that is fitted on FILE.",
)  # fmt: skip
@click.option("-o", "--output", metavar="FILE.svg", help="Where to write the picture [FILE.svg].")
@options.goals
@click.option(
    "--embed/--no-embed", default=True, help="Count the bytes of models, or not [count them]."
)
@click.option(
    "--others/--no-others", default=True, help="Measure other programs, too, or not [do]."
)
@click.option("--max-time", type=options.SECONDS, metavar="S", help="Seconds of each fit, at most.")
@options.archive_data_options
@options.as_json
@options.device
@options.force
@options.quiet
def tradeoff(
    file: str,
    models: tuple[str, ...],
    plugins: tuple[str, ...],
    output: str | None,
    quiet: bool,
    **given: Json,
) -> None:
    """Measure the size and the error of each way to store FILE, draw them, and recommend one: the
    smallest archive of at most the error asked for (--rmse, --target-psnr), the most exact one
    within some bytes (--budget, --bytes-per-picture), or else the smallest lossless one.

    Measured are exact and bounded archives, the codes of models, and those of xz, bzip2 and zstd
    that are installed, and for pictures PNG, WebP, AVIF and JPEG. The error is the root mean
    squared one, in standard deviations of each column, or of the pixels.
    """
    from aetool import operations

    picture_path = Path(output or default_output(file, ".svg", "tradeoff"))
    _refuse_other_forms(picture_path)
    # before all is measured, which takes a minute or an hour, not after
    if picture_path.exists() and not given["force"]:
        raise DataError(f"{picture_path}: exists already; replace it with -f, or choose another -o")
    chosen_options = operations.TradeoffOptions(
        plugins=plugins,
        rmse=options.percent(given["rmse"], "--rmse"),
        target_psnr=given["target_psnr"],
        budget=options.size(given["budget"], "--budget"),
        bytes_per_picture=given["bytes_per_picture"],
        embed=given["embed"],
        others=given["others"],
        device=given["device"],
        fit=options.fit_options({**given, "normal": None}),
    )
    loaded_models = {name: options.needed_model(name) for name in models}
    measured = operations.tradeoff(file, loaded_models, chosen_options)
    measured.drawing().save(picture_path, force=given["force"])
    command = ""
    if measured.pick is not None:
        command = _command(file, measured.pick, given)
    if given["as_json"]:
        terminal.say(json.dumps({**measured.to_json(), "command": command}))
    else:
        terminal.say(*_table_lines(measured))
    # what is said beside the table does not get into a pipe
    if not quiet:
        _say_pick(measured, command, picture_path)


def _refuse_other_forms(path: Path) -> None:
    """Raise ParamError for a name for the drawing that does not end with .svg, in either case."""
    if path.suffix.lower() == ".svg":
        return
    example = path.with_suffix(".svg") if path.suffix else Path("tradeoff.svg")
    raise ParamError(f"-o {path}: the picture is written as SVG: name a file such as {example}")


def _command(file: str, point: Point, given: Mapping[str, Json]) -> str:
    """The shell command that writes the archive of a point, quoted. file: the data; given: the
    options of the command by name. Where its model must be fitted and stored apart, a command that
    fits stands before it."""
    file_argument = _as_argument(file)
    arguments = dict(point.arguments or {})
    fit_command = ""
    if "plugin" in arguments and "embed" in arguments:
        plugin = arguments.pop("plugin")
        arguments["model"] = _as_argument(default_output(file, ".aem", "tradeoff"))
        fit = ["aetool", "fit", file_argument, "-p", plugin, "-o", arguments["model"]]
        fit += [*_words_typed(OF_READING, given), *_words_of_fit(given)]
        fit_command = f"{shlex.join(fit)} && "
    words = ["aetool", "compress", file_argument]
    for name, value in arguments.items():
        if name == "embed":
            words.append("--no-embed")
        elif name == "rmse":
            words += ["--rmse", f"{100 * value:g}%"]
        elif name in SHORT:
            words += [SHORT[name], str(value)]
        else:
            words += [f"--{name.replace('_', '-')}", f"{value:g}"]
    if arguments.keys() - {"embed"}:
        # which columns may lose something, not only what a plugin learns of
        words += _words_typed(OF_READING, given)
    if "plugin" in arguments:
        words += _words_of_fit(given)
    return fit_command + shlex.join(words)


def _as_argument(name: str) -> str:
    """A file's name as an argument, not yet quoted: one that begins with a dash gets ./ before it,
    as it would be taken for an option; "-" alone stays."""
    if name.startswith("-") and name != "-":
        return f"./{name}"
    return name


def _words_typed(options_by_name: Mapping[str, str], given: Mapping[str, Json]) -> list[str]:
    """These options of the command as words of a command line, each as often as it was given, not
    yet quoted.

    options_by_name: the option of each name in `given`, whose values are lists of texts.
    """
    words = []
    for name, typed in options_by_name.items():
        for value in given[name]:
            words += [typed, value]
    return words


def _words_of_fit(given: Mapping[str, Json]) -> list[str]:
    """The options that a plugin was fitted with, as words of a command line: -O, --seed and
    --max-time, those that were given."""
    words = _words_typed({"params": "-O"}, given)
    if given["seed"]:
        words += ["--seed", str(given["seed"])]
    if given["max_time"] is not None:
        words += ["--max-time", f"{given['max_time']:g}"]
    return words


def _table_lines(measured: Tradeoff) -> Iterator[str]:
    """Yield the lines of the table of points: headings, then a line for each point in the order of
    measured.points, the fewest bytes first, with those of models where they count."""
    heading = ["way", "setting", "bytes", "with model", "rmse"]
    if measured.is_picture:
        heading.append("psnr")
    # the last column, of notes, needs no name
    table_cells = [[*heading, ""]]
    for point in measured.points:
        table_cells.append(_cells_of(point, measured))
    widths = [max(map(len, column)) for column in zip(*table_cells, strict=True)]
    for line_cells in table_cells:
        yield _padded(line_cells, widths)


def _cells_of(point: Point, measured: Tradeoff) -> list[str]:
    """Return the cells of one line of the table of points: way, setting, bytes, bytes with the
    model, error in percent of a standard deviation ("0" for none), of pictures PSNR, and a note:
    that the point is the pick, or which other one is better, cut to 48 letters."""
    cells = [point.way, point.setting]
    cells.append(f"{point.size:,}")
    cells.append(f"{point.counted(True):,}")
    # an error of 0 is no small one, but none
    cells.append(f"{100 * point.error:.2f} %" if point.error else "0")
    if measured.is_picture:
        cells.append("exact" if point.psnr is None else f"{point.psnr:.2f} dB")
    note = ""
    if measured.pick is not None and point.name == measured.pick.name:
        note = "<- pick"
    elif point.dominated_by:
        note = f"dominated by {point.dominated_by}"[:MOST_SHOWN]
    return [*cells, note]


def _padded(cells: Sequence[str], widths: Sequence[int]) -> str:
    """The cells of a line, padded to these widths: words (the first two cells and the last) to the
    left, numbers to the right; no blanks at the end."""
    last = len(cells) - 1
    padded_cells = []
    for place, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        is_words = place < WORD_COLUMNS or place == last
        padded_cells.append(cell.ljust(width) if is_words else cell.rjust(width))
    return "  ".join(padded_cells).rstrip()


def _say_pick(measured: Tradeoff, command: str, picture_path: Path) -> None:
    """Print, on standard error, what was left out, the recommended archive, and the command that
    writes it; then another program's file that does better, and where the drawing is."""
    for reason in measured.skipped:
        terminal.say(f"note: not measured: {reason}", err=True)
    pick = measured.pick
    if pick is None:
        terminal.say(f"pick: none: {measured.asked} is met by no archive", err=True)
    else:
        pick_bytes = pick.counted(measured.embed)
        line = f"pick ({measured.asked}): {pick.name}, {pick_bytes:,} bytes: {command}"
        terminal.say(line, err=True)
    # honest where another program does better
    other = measured.smaller_elsewhere
    if other is not None:
        terminal.say(f"note: {other.name} is better: {_other_in_words(other, measured)}", err=True)
    terminal.say(f"{picture_path}: {len(measured.points)} points", err=True)


def _other_in_words(other: Point, measured: Tradeoff) -> str:
    """Words for another program's file: its bytes and error, beside the error of the archive that
    is recommended."""
    if measured.pick is None or other.error <= measured.pick.error:
        return f"{other.size:,} bytes at no more error"
    error_in_words = f"an error of {100 * other.error:.3g} %"
    if other.psnr is not None:
        error_in_words = f"{other.psnr:.2f} dB"
    return f"{other.size:,} bytes at {error_in_words}, which {measured.asked} allows"
