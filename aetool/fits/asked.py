"""Which options of a fit were asked for, so that none is taken without a word where nothing is
fitted, or where nothing that is fitted heeds it."""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aetool.arguments import CheckedOptions
from aetool.canonical import Json
from aetool.data.pictures.choosing import Asked, Size
from aetool.errors import ParamError
from aetool.model import Model
from aetool.spelling import in_shell, option

# a device is of any computation, whatever else a verb does
OF_ANY_VERB = ("device",)
# what says how the columns of a table are read, and by which rows that is told
OF_READING = ("types", "na", "drop", "keep", "condition", "label", "normal", "seed")


@dataclass(frozen=True)
class FitOptions(CheckedOptions):
    """Options of a fit: the model, the columns, the rows, and how long it may take.

    plugin: the name of an installed model, or a declaration; None for the default. params: its
    parameters by name. epochs, batch_size: of a network, None for its defaults. all_rows: fit all
    rows, and not a random sample of 200,000 where there are more. seed: of every random number.
    device: where graphs and networks run. types: column to kind; na: words that mean a gap, beside
    those that do in any table, such as NA; drop / keep: columns; label and normal: the column kept
    out of the model, and its values that are fitted (empty: all). condition: columns that records
    are judged by, and that are not judged themselves: models see them, and score all else given
    them. max_time in seconds, None for no limit but that of a joint model. codec: learn also what
    archives of many small files share, for `compress -m`, from one file of text or several, or from
    pictures; max_error: for this bound (see CompressOptions) beside lossless ones; students: with
    small exact networks that predict columns, which takes a second for each.

    context: give the model this many rows before each, of the same group (the rows that have one
    value in the column `group`; "" for one group), in the order of the column `order` ("": as they
    come). robust: anomalies are among the rows: leave out the twentieth of them that lies farthest
    out, and members that would learn anomalies. closed: no other records are to come. target: a
    source of the same records, clean, where the data are damaged (for models of pairs).

    resize, tile, stride, crop: sizes of pictures in pixels, such as 256, "256x192" or (256, 192):
    what they are brought to, what they are cut into and how far apart, and what is left of them (of
    four numbers the first are left and top); grey: they are seen without colour.
    """

    verb = "fit"

    # the model
    plugin: str | Model | None = None
    params: Mapping[str, Json] = field(default_factory=dict)
    # how the columns of a table are read, and which of them and of its rows are fitted
    types: Mapping[str, str] = field(default_factory=dict)
    na: Sequence[str] = ()
    drop: Sequence[str] = ()
    keep: Sequence[str] = ()
    condition: Sequence[str] = ()
    label: str | None = None
    normal: Sequence[str] = ()
    all_rows: bool = False
    # how long it may take, and by what draws and on what device
    epochs: int | None = None
    batch_size: int | None = None
    max_time: float | None = None
    seed: int = 0
    device: str = "auto"
    # what is learned for archives
    codec: bool = False
    max_error: Mapping[str, str] = field(default_factory=dict)
    students: bool = False
    # the rows before each row
    context: int = 0
    group: str = ""
    order: str = ""
    # what is known of the records beforehand
    robust: bool = False
    closed: bool = False
    target: object = None
    # what is made of pictures
    resize: Size = None
    tile: Size = None
    stride: Size = None
    crop: Size = None
    grey: bool = False

    def __post_init__(self) -> None:
        """Raise ParamError for an option of a wrong type, and for a max_time that is not above
        0."""
        super().__post_init__()
        if self.max_time is not None and self.max_time <= 0:
            raise ParamError(f"{option('--max-time')} must be above 0, got {self.max_time:g}")

    @property
    def has_steps(self) -> bool:
        """Whether an option is about the steps in which a network learns."""
        return self.epochs is not None or self.batch_size is not None

    @property
    def of_pictures(self) -> Asked:
        """The options that are about pictures: sizes, tiles, colour. ParamError where these
        contradict each other."""
        return Asked.of(self.resize, self.tile, self.stride, self.crop, self.grey)


def names_asked(options: FitOptions | None, *besides: str) -> list[str]:
    """The options of a fit that differ from their defaults, but for the device, as messages name
    them: "-p" and "--drop", in Python "plugin" and "drop", and there a model's parameters by their
    own names. A value that is 0, empty, False or None is taken for a default.

    options: None for the defaults. besides: names of fields that do not count.
    """
    if options is None:
        return []
    defaults = type(options)()
    named = []
    for one in dataclasses.fields(options):
        value = getattr(options, one.name)
        default = getattr(defaults, one.name)
        if _is_default(value, default) or one.name in (*OF_ANY_VERB, *besides):
            continue
        named += _options_of_field(one.name, value)
    return named


def _is_default(value: object, default: object) -> bool:
    """Whether the value of an option asks for nothing: it equals the default, or is 0, empty, False
    or None. False for a value that is neither a number, a text or other sequence, a mapping nor
    None, such as a table or a declared model."""
    # a table that is given as the target has no truth, and is compared cell by cell
    if not isinstance(value, numbers.Number | Sequence | Mapping | None):
        return False
    return not value or value == default


def _options_of_field(name: str, value: Json) -> list[str]:
    """The option of a field, as messages name it; of the parameters of a model, in Python, each by
    its own name. name: of the field; value: what it holds."""
    # in Python parameters of a model are arguments like all others
    if name == "params":
        return [option("-O ").strip()] if in_shell() else sorted(value)
    # two are not typed by their own name
    if name == "plugin":
        return [option("-p")]
    if name == "types":
        return [option("--type")]
    return [option(f"--{name.replace('_', '-')}")]


def refuse_beside_model(verb: str, options: FitOptions | None, *besides: str) -> None:
    """Raise ParamError for options of a fit where there is a model already, which they could not
    change.

    verb: what the user has called. options: as they were put together for a fit, None for none.
    besides: names of fields that the verb itself heeds.
    """
    named = names_asked(options, *besides)
    if not named:
        return
    words = ", ".join(named)
    them = "is" if len(named) == 1 else "are"
    raise ParamError(f"{words} {them} of the model: fit it with {words}, not {verb}")


def refuse_without_fit(options: FitOptions | None, what: str) -> None:
    """Raise ParamError if options of a fit, but for the device, differ from their defaults, where
    an archive is written without fitting a model; None: none were given. what: the option that
    would have one fitted, such as "--lossy"."""
    named = names_asked(options)
    if not named:
        return
    for leaving in (option("--drop"), option("--keep")):
        if leaving in named:
            raise ParamError(
                f"{leaving} leaves columns out of a model, not out of an archive, which holds "
                f"every column: {_without_columns()}"
            )
    advice = f"give {what}, or leave it out"
    # who says what a column is may mean that a bound is not for it
    if named == [option("--type")] and options is not None:
        column = next(iter(options.types))
        exact = f"{option('--max-error')} {column}=0"
        if not in_shell():
            exact = f"max_error={{'{column}': 0}}"
        advice += f"; {exact} keeps a column exact beside a bound for all"
    raise ParamError(
        f"{', '.join(named)}: of a model that is fitted, and none is fitted here: {advice}"
    )


def of_columns_left_out(options: FitOptions | None) -> dict[str, str]:
    """{"unlearned": a line that says that the archive holds them all the same} for columns that a
    model was not to learn of; {} where it was to learn of all, or none was fitted."""
    if options is None:
        return {}
    line = ""
    # what is dropped has names; what is not kept may be a thousand columns
    if options.drop:
        line = (
            f"the archive holds {', '.join(options.drop)} all the same: {option('--drop')} leaves "
            "columns out of what the model learns"
        )
    elif options.keep:
        line = (
            "the archive holds the other columns all the same: "
            f"{option('--keep')} is of what the model learns"
        )
    return {"unlearned": line} if line else {}


def _without_columns() -> str:
    """How to store a table without some of its columns, in the words of the shell or of Python."""
    if in_shell():
        return (
            "store a table without them; aetool decompress with "
            f"{option('--columns')} COL[,COL] writes one"
        )
    return "hand over a table without them, such as frame.drop(columns=[...])"


def refuse_beside_plugins(options: FitOptions, plugins: Sequence[str]) -> None:
    """Raise ParamError if no plugin is named that would be fitted, and yet options of a fit differ
    from their defaults, other than those that say how columns are read (OF_READING). plugins: the
    names of the plugins to fit."""
    if plugins:
        return
    named = names_asked(options, *OF_READING)
    if named:
        raise ParamError(
            f"{', '.join(named)}: of a model that is fitted, and none is fitted here: give "
            f"{option('-p')}, too"
        )


def refuse_steps(model: Model, options: FitOptions, how: str) -> None:
    """Raise ParamError for options of a network's training where none is trained; in Python they
    have no effect there, as programs fit one model after another with the same options. model: what
    is fitted. how: what to do instead, in words."""
    if not in_shell():
        return
    for name in ("epochs", "batch_size"):
        if getattr(options, name) is not None:
            spelled = option(f"--{name.replace('_', '-')}")
            raise ParamError(
                f"{spelled} is of a network, which learns in steps, and {model.name} has none "
                f"here: {how}"
            )
