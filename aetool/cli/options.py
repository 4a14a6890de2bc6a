"""Options that several commands share, and how progress and files are shown."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, TypeVar

import click

from aetool.arguments import bytes_of, part_of
from aetool.canonical import Json
from aetool.cli import terminal
from aetool.errors import DataError, ParamError

if TYPE_CHECKING:
    from click import Context, Parameter

    from aetool.bundle import Bundle
    from aetool.model import State
    from aetool.operations import FitOptions

HALF = 0.5  # of ordinary records: who writes --fpr 0.5 means half a percent
Command = TypeVar("Command", bound=Callable[..., object])


class FitGiven(TypedDict, total=False):
    """The options of a fit by name, as click gives them. None, "" and () stand for options that
    were left out."""

    plugin: str | None
    params: tuple[str, ...]
    types: tuple[str, ...]
    na: tuple[str, ...]
    drop: tuple[str, ...]
    keep: tuple[str, ...]
    condition: tuple[str, ...]
    label: str | None
    normal: str | None
    all_rows: bool
    epochs: int | None
    batch_size: int | None
    max_time: float | None
    seed: int
    device: str
    codec: bool
    max_error: tuple[str, ...]
    students: bool
    context: int | None
    group: str | None
    order: str | None
    robust: bool
    target: str | None
    resize: str | None
    tile: str | None
    stride: str | None
    crop: str | None
    grey: bool


class FiniteNumber(click.FloatRange):
    """The click type of a number between two ends that is not infinite, as 1e400 is, and not "nan",
    which passes comparisons."""

    name = "number"

    def __init__(
        self,
        example: str,
        lowest: float | None = None,
        highest: float | None = None,
        above: bool = False,
    ) -> None:
        """A number from lowest to highest, None for no such end; above: not the lowest itself.
        example: such a number, for messages."""
        super().__init__(min=lowest, max=highest, min_open=above)
        self.example = example

    def _describe_range(self) -> str:
        """What the help says of the ends: nothing where there are none, of which click would write
        `x<=None`."""
        return "" if self.min is None and self.max is None else super()._describe_range()

    def convert(
        self,
        value: float,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """Return the text of the option as a number; click.BadParameter if it is none, is outside
        of the range, or is infinite or "nan"."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number: write one such as {self.example}", param, ctx)
        return number


class ScoreType(FiniteNumber):
    """The click type of a score: any number. A share, such as 0.5%, is refused by
    click.BadParameter, with the option to use for it."""

    def __init__(self) -> None:
        """Take any finite number."""
        super().__init__("12.5")

    def convert(
        self,
        value: float,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """Return the text of the option as a number; click.BadParameter if it is none, is infinite
        or "nan", or ends with %, as a share does: then it names --fpr."""
        text = str(value)
        if text.endswith("%"):
            self.fail(
                f"{text!r} is a share, and a threshold is a score; for a share of ordinary records "
                f"write --fpr {text}",
                param,
                ctx,
            )
        return super().convert(value, param, ctx)


class Whole(click.IntRange):
    """Whole numbers within a range, as IntRange takes them, which messages call whole numbers and
    no ranges."""

    name = "whole number"

    def get_metavar(self, *_: object, **__: object) -> str:
        """What the help calls such a number: "N"."""
        return "N"


SEED = Whole(min=0)
SECONDS = FiniteNumber("60", lowest=0, above=True)
device = click.option(
    "--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:<n>."
)


def _known_engine(context: Context, parameter: Parameter, value: str | None) -> str | None:
    """Click's callback of --engine: returns the text that was typed, such as "threads:4", or None
    if the option was left out. ParamError for a text that names no engine, so that a misspelt one
    is told before any data are read."""
    if value is not None:
        # who names no engine need not load them
        from aetool.engine import check

        check(value)
    return value


engine = click.option(
    "--engine",
    metavar="WHERE",
    callback=_known_engine,
    help="Compute on threads:N, processes:N, dask:local or dask:ADDRESS: the same results.",
)
quiet = click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
force = click.option("-f", "--force", is_flag=True, help="Replace files that exist.")
model = click.option(
    "-m", "--model", envvar="AETOOL_MODEL", help="The model, a .aem file [$AETOOL_MODEL]."
)
max_output = click.option(
    "--max-output", metavar="BYTES", help="Restore at most so much, such as 500M or 20G."
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def data_options(command: Command) -> Command:
    """Decorator: add the options --type, --na, --drop, --keep, --seed and -O to a command."""
    for option in (
        click.option(
            "--seed", type=SEED, default=0, show_default=True, help="Seed of every random draw."),
        click.option("--keep", multiple=True, metavar="COL[,COL]", help="Use these columns only."),
        click.option("--drop", multiple=True, metavar="COL[,COL]", help="Leave columns out."),
        click.option(
            "--type", "types", multiple=True, metavar="COL=KIND",
            help="Say what a column is: number, category, date (also date:dmy, date:mdy), "
            "identifier, text or skip.",
        ),
        click.option("--na", multiple=True, metavar="WORD", help="A word that means a gap, too."),
        click.option("-O", "params", multiple=True, metavar="KEY=VALUE", help="A model parameter."),
    ):  # fmt: skip
        command = option(command)
    return command


def archive_data_options(command: Command) -> Command:
    """Decorator: add the options of `data_options` to a command that writes archives, which hold
    every column: its help says what leaving one out means there."""
    command = data_options(command)
    help_texts = {
        "drop": "Leave columns out of what a model learns; an archive holds them all.",
        "keep": "Let a model learn of these columns alone; an archive holds all.",
    }
    # click keeps the options of a command on its function until it is made one
    for option in getattr(command, "__click_params__", ()):
        option.help = help_texts.get(option.name, option.help)
    return command


def goals(command: Command) -> Command:
    """Decorator: add the options --rmse, --target-psnr, --budget and --bytes-per-picture to a
    command, by which users limit an archive's error or size."""
    for option in (
        click.option(
            "--bytes-per-picture", type=FiniteNumber("15"), metavar="B",
            help="The nearest archive of at most B bytes for each picture.",
        ),
        click.option(
            "--budget", metavar="BYTES",
            help="The nearest archive of at most so many bytes, such as 10kB.",
        ),
        click.option(
            "--target-psnr", "--psnr", "target_psnr", type=FiniteNumber("30"), metavar="DB",
            help="The smallest archive of pictures of at least this signal-to-noise ratio.",
        ),
        click.option(
            "--rmse", metavar="E",
            help="The smallest archive of at most this root mean squared error, in parts of a "
            "standard deviation, such as 2%: the root of the mean, over columns of numbers and "
            "of words that are changed, of what each loses: of numbers the mean squared error "
            "over the variance, of words the part that is wrong over the part that taking the "
            "commonest word gets wrong. Words never make it smaller; what else is kept exactly "
            "does not count.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def picture_options(command: Command) -> Command:
    """Decorator: add the options --resize, --tile, --stride, --crop and --grey to a command: how a
    model sees pictures."""
    for option in (
        click.option("--grey", is_flag=True, help="See pictures without their colour."),
        click.option(
            "--crop", metavar="SIZE", help="Leave the middle, or LEFT,TOP,WIDTH,HEIGHT, of each."
        ),
        click.option("--stride", metavar="SIZE", help="How far tiles lie apart [side by side]."),
        click.option(
            "--tile", metavar="SIZE", help="Judge pictures by their worst tile of this size."
        ),
        click.option(
            "--resize", metavar="W[xH]", help="Bring pictures to this size [one that serves them]."
        ),
    ):
        command = option(command)
    return command


explain_columns = click.option(
    "--explain-columns",
    is_flag=True,
    help="Print how each column would be read, and do nothing else.",
)


def read_columns(data: list[str], given: FitGiven) -> list[str]:
    """Say how a fit with these options would read the data at these paths: returns a line of text
    for each column. ParamError for pictures, and for an option that is not well written or names no
    column; DataError for data that cannot be read."""
    from aetool import operations

    return operations.explained(data, fit_options(given))


def context_options(command: Command) -> Command:
    """Decorator: add the options --context, --group, --order and --condition to a command: what a
    model gets beside each row."""
    for option in (
        click.option(
            "--condition", multiple=True, metavar="COL[,COL]",
            help="Columns that records are judged by: seen by the model, and not scored.",
        ),
        click.option("--order", metavar="COL", help="The order of rows [as they come]."),
        click.option("--group", metavar="COL", help="Context is of rows of the same value here."),
        click.option(
            "--context", type=Whole(0, 256), metavar="N",
            help="Give the model the N rows before each.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def pairs(items: tuple[str, ...], option: str) -> dict[str, str]:
    """Texts NAME=VALUE as a dictionary; of a name that is repeated the last counts. ParamError
    where one has no "=" or nothing before it. option: its name, for the error."""
    by_name = {}
    for item in items:
        key, sign, value = item.partition("=")
        if not sign or not key:
            raise ParamError(f"{option} {item}: write {option} NAME=VALUE")
        by_name[key] = value
    return by_name


def names(items: tuple[str, ...]) -> list[str]:
    """A list of column names from an option that may be repeated and holds names with commas
    between them; a name with a comma stands in quotes, and empty names are left out. ParamError
    where quotes do not match."""
    import csv
    import io

    names_found = []
    for item in items:
        try:
            # a quoted name may hold the end of a line
            for row in csv.reader(io.StringIO(item, newline=""), strict=True):
                names_found += [name for name in row if name]
        except csv.Error as error:
            raise ParamError(f"{item!r} are no names with commas between them: {error}") from None
    return names_found


def values(text: str | None) -> list[str]:
    """The values in a text such as "a,b", parted at each comma, in quotes, too; no values for None
    and for an empty text."""
    return text.split(",") if text else []


def fit_options(given: FitGiven | Mapping[str, Json]) -> FitOptions:
    """Turn the options of a command, by the names that click gives them (params, types, na, drop,
    keep, seed and device must be among them), into FitOptions: texts such as KEY=VALUE and A,B are
    taken apart, and max_error or students imply codec. ParamError for one that cannot be; columns
    and values are checked later, as no data are read here."""
    from aetool.operations import FitOptions

    return FitOptions(
        plugin=given.get("plugin"),
        params=pairs(given["params"], "-O"),
        types=pairs(given["types"], "--type"),
        na=given["na"],
        drop=names(given["drop"]),
        keep=names(given["keep"]),
        condition=names(given.get("condition") or ()),
        label=given.get("label"),
        normal=values(given.get("normal")),
        all_rows=bool(given.get("all_rows")),
        epochs=given.get("epochs"),
        batch_size=given.get("batch_size"),
        max_time=given.get("max_time"),
        seed=given["seed"],
        device=given["device"],
        # both others go on from what --codec learns
        codec=bool(given.get("codec") or given.get("max_error") or given.get("students")),
        max_error=bounds(given.get("max_error") or ()),
        students=bool(given.get("students")),
        context=given.get("context") or 0,
        group=given.get("group") or "",
        order=given.get("order") or "",
        robust=bool(given.get("robust")),
        target=given.get("target"),
        resize=given.get("resize"),
        tile=given.get("tile"),
        stride=given.get("stride"),
        crop=given.get("crop"),
        grey=bool(given.get("grey")),
    )


def fit_unless(
    model: Bundle | str | None,
    verb: str,
    given: FitGiven | Mapping[str, Json],
) -> FitOptions | None:
    """Turn the options of a command into the options of a fit, where there is no model yet; None
    beside a model, with ParamError if any option of a fit was typed, which could not change that
    model. verb: the command, for the message; given: the options by name, as click gives them.
    ParamError also for one that is not well written."""
    chosen = fit_options(given)
    if model is None:
        return chosen
    from aetool.fits.asked import refuse_beside_model

    refuse_beside_model(verb, chosen)
    return None


def bounds(given: tuple[str, ...]) -> dict[str, str]:
    """Bounds by column, as texts, from texts such as "2%", "temp=0.5" or "temp=0.5,load=2",
    unchecked; "" stands for all columns that are not named."""
    by_column = {}
    for item in given:
        parts = item.split(",")
        # a name may hold a comma, and so may a number: then not every part names a column
        is_list = all("=" in part for part in parts)
        for part in parts if is_list else [item]:
            # the last sign, since a column may have one in its name
            name, _, value = part.rpartition("=")
            by_column[name] = value
    return by_column


def load_model(path: str | None, made: str = "") -> Bundle | None:
    """Load the model at a path, "-" for standard input; None if no path is given. DataError if
    nothing is there, BundleError if it is no model, or a damaged one. made: for errors, what was
    made with this very model and needs it, such as "the archive"; "" where a new model will do,
    which the error then says how to fit."""
    if path is None:
        return None
    from aetool.bundle import load

    # - is standard input
    if path != "-" and not Path(path).exists():
        remedy = f"make one: aetool fit DATA -o {path}"
        # only now: who has a model need not load how plugins are looked for
        from aetool import plugins
        from aetool.files import near

        # a frequent slip: the word for what is to be fitted, in the place of what is
        if plugins.is_name(path):
            remedy = f"of the plugin {path} make one: aetool fit DATA -p {path} -o {path}.aem"
            context = click.get_current_context(silent=True)
            parameter_names = (
                [] if context is None else [option.name for option in context.command.params]
            )
            if "plugin" in parameter_names:
                remedy = f"of the plugin {path} one is fitted here by -p {path}, without -m"
        # a new one would have another SHA-256, or other codes
        if made:
            remedy = f"give the model that {made} was made with"
        hint = near.did_you_mean(path, ".aem")
        raise DataError(f"{path}: no such model; {remedy}{hint}")
    return load(path)


def has_typed_model() -> bool:
    """Whether the model of the command that runs was typed, not told by the environment, which
    tells it to all commands."""
    source = click.get_current_context().get_parameter_source("model")
    return source is click.core.ParameterSource.COMMANDLINE


def needed_model(path: str | None, made: str = "") -> Bundle:
    """Load the model at a path, "-" for standard input; ParamError if no path is given; DataError
    if nothing is there, BundleError if it is no model. made: for errors, what was made with this
    very model and needs it, such as "the archive"; "" where a new model will do."""
    bundle = load_model(path, made)
    if bundle is None:
        raise ParamError("a model is needed: give one with -m, or set $AETOOL_MODEL")
    return bundle


def size(text: str | None, option: str) -> int | None:
    """A number of bytes from a text such as 500000, 64M or 10kB; None for None. ParamError for any
    other text. option: its name, for errors."""
    return None if text is None else bytes_of(text, option)


def percent(text: str | None, option: str, doubtful: float = math.inf) -> float | None:
    """A share as a number from a text: 0.01 from "1%" and from "0.01"; None for None. ParamError
    for what is no number.

    doubtful: a number without % from this to below 1 is refused by a ParamError, since it may be
    meant as a percentage: 0.5 for half a percent; so is one of 100% or more, written with %. Left
    out, no number is.
    """
    if text is None:
        return None
    part = part_of(text, option)
    if part >= 1 and text.endswith("%") and doubtful < math.inf:
        raise ParamError(f"{option} {text}: write a share below 100 %, such as 1% or 0.1%")
    # half of all records is hardly meant
    if not text.endswith("%") and doubtful <= part < 1:
        raise ParamError(
            f"{option} {text} is {100 * part:g} %: write {text}% for less than one in a hundred, "
            f"or {100 * part:g}%"
        )
    return part


class Meter:
    """A callback that shows the progress of training on one line of the terminal. show: whether to
    show anything; without a terminal nothing is shown in any case."""

    def __init__(self, show: bool) -> None:
        """Show nothing yet, and nothing at all where standard error is no terminal."""
        # a line that is written over again and again is for terminals
        self.show = show and sys.stderr.isatty()

    def __call__(self, state: State) -> None:
        """Show a step of training: its part of all, in percent, and its words. state: with step,
        steps and words by name."""
        if self.show:
            part = 100 * state["step"] / state["steps"]
            terminal.progress(f"{part:3.0f} %  {state['words']} ")

    def done(self) -> None:
        """End the line of progress, so that what is printed next has a line of its own."""
        terminal.end_progress()
