"""What a plugin declares: a Model, its typed parameters, and the Spec of the data it is given."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from aetool.arguments import brief
from aetool.canonical import Json
from aetool.errors import ParamError
from aetool.spelling import did_you_mean, option

if TYPE_CHECKING:
    import pyarrow as pa

Batch: TypeAlias = "pa.RecordBatch | npt.NDArray[np.uint8]"  # of a reader
Float = npt.NDArray[np.float64]
Int = npt.NDArray[np.int64]
Array = npt.NDArray[Any]  # of any type
# records as graphs take them: of tables float64, (n, columns or more); of pictures uint8,
# (n, channels, height, width)
Records = Array

MAX_LATENT = 4096
RECORD_AXES = 2  # of a batch of a table's records: rows and features


def param(
    default: object,
    help: str,
    *,
    min: float | None = None,
    max: float | None = None,
    choices: tuple[object, ...] | None = None,
) -> Any:
    """A field of a model's Params: its default (which fixes the type), help, and what is allowed.
    min, max: the smallest and largest value, both allowed; None: no bound. choices: the only values
    allowed; None: any."""
    meta = {"help": help, "min": min, "max": max, "choices": choices}
    return dataclasses.field(default=default, metadata=meta)


@dataclass(frozen=True)
class NoParams:
    """The parameters of a model that has none."""


@dataclass(frozen=True)
class Member:
    """A model that another joins: the name of its model, and parameters that differ from its own
    defaults.

    data: kinds it is tried on, "table" or "image". seconds: it is tried where the time budget is at
    least this. fits: kinds of fits it is tried in: "plain"; "robust", if it withstands anomalies
    among the rows; "context", if it gains by the rows before a row. A fit that asks for several of
    these tries a member that has all of them. withstands: in a robust fit it is given all rows, for
    the farthest sway it little. in_bits: its score is -log2 p already, p being the part of ordinary
    records that are as odd, or more than that part; it joins the others as it is. adds_bits: its
    score adds up -log2 p of values; beyond the scores of ordinary records each bit of it counts as
    one bit at most, for where these are all about the same they tell nothing of how scores fall
    off. weight: how many members of weight 1 it counts for. least, most: it is tried where a record
    has from `least` to `most` features, both included; most 0: `least` or more. words: True: it is
    tried on tables of which a column is a category; False: on all others; None: on both.
    """

    model: str
    params: Mapping[str, object] = dataclasses.field(default_factory=dict)
    data: frozenset[str] = frozenset({"table", "image"})
    seconds: float = 0.0
    fits: frozenset[str] = frozenset({"plain"})
    withstands: bool = False
    in_bits: bool = False
    adds_bits: bool = False
    weight: float = 1.0
    least: int = 0
    most: int = 0
    words: bool | None = None

    def suits(self, features: int, has_words: bool = False) -> bool:
        """Whether the member is tried on records of this many features: from `least` to `most`,
        both included, with no upper limit for most 0; and with or without columns of words as
        `words` says."""
        if self.words is not None and self.words != has_words:
            return False
        return self.least <= features <= (self.most or features)


@dataclass(frozen=True)
class Model:
    """A kind of model, declared without importing what computes it.

    name: by which users ask for it. net names the class as "package.module:Class"; data says what
    it can be fitted on: "table", "image", and "pairs" (of damaged and clean records, which its loss
    takes apart). In place of a net (exactly one of the two is set) there may be members, whose
    scores are joined as aetool.rarity.joined says; the first that can be fitted also gives the code
    and what is expected. summary: one line for lists of models; Params: a dataclass whose fields
    `param` makes, the model's parameters.
    """

    name: str
    summary: str
    net: str = ""
    Params: type = NoParams
    data: frozenset[str] = frozenset({"table", "image"})
    members: tuple[Member, ...] = ()


class Reader:
    """A kind of file, or of folder, that a plugin reads, and may write. A subclass has its own
    `matches` and `batches`, and, if it also writes, `write`.

    name: what messages call it. is_text: whether its strings are cells of a text file, which are
    read as numbers, dates or gaps where they look like these, as in CSV; else they are text and
    nothing more. writes_folders: whether `write` makes a folder, not a file. What takes long to
    import is imported inside of the methods: readers are asked for every path.
    """

    name: str = ""
    is_text: bool = False
    writes_folders: bool = False

    def matches(self, path: Path) -> bool:
        """Whether the file or folder at a path is of this kind.

        Asked before our own kinds are tried. Where records are to be written nothing is at the path
        yet: then its name alone must tell. NotImplementedError unless the author wrote it.
        """
        raise NotImplementedError

    def batches(self, path: Path) -> Iterator[Batch]:
        """Yield the records at a path, in order, batch by batch: tables as pyarrow.RecordBatch of
        one schema, pictures as uint8 of shape (n, height, width) or (n, height, width, 1 to 4).

        An exception is shown to the user beside the names of the plugin and of the file.
        NotImplementedError unless the author wrote it.
        """
        raise NotImplementedError

    def write(self, path: Path, batches: Iterator[Batch]) -> None:
        """Write records, as `batches` yields them, to a new file (to an empty folder that is there,
        with writes_folders). batches: may be gone through once. Left out by a reader that only
        reads: then nothing is written by it."""
        raise NotImplementedError


@dataclass(frozen=True)
class Continuous:
    """A code of `size` real numbers."""

    size: int


@dataclass(frozen=True)
class Discrete:
    """A code of whole numbers, each 0 .. size - 1, as an array of this shape for each record; an
    encoder gives them as float32."""

    size: int
    shape: tuple[int, ...]


Code = Continuous | Discrete | None


@dataclass(frozen=True, eq=False)
class Spec:
    """How the host lays a batch out for a model: x is (B, features) float32, pictures (B, C, H, W).

    The likelihood is over three kinds of features; all others are context, seen but not scored.
    `numeric[i]` is a feature holding a standardised number z of column `owner[i]`. Its bucket has
    half-width `half[i]`, divided by cosh(z deviation[i] + mean[i]) where `curved[i]` (the column
    was laid through asinh). It counts only where the flag feature `gate[i]` is 0 (gate -1: always).
    `zero[i]` is the z of 0 in the user's own units (for pixels: of black).
    Of pictures a column is a pixel, row by row, which owns a number for each channel: parts of
    pictures are maps, (batch, H * W + 1).
    `flags` are (feature, column): 1 where the column's value is missing.
    `categories` are (column, first feature, width): a one-hot block.
    The last `given` features are of the rows before a row, and context as well; the `conditions`
    before them are of the columns that the user says records are judged by: numbers, flags and
    one-hot blocks, likewise context, and at hand when a code is decoded. `told` are the features of
    the row itself that the rows before it have, too: all but cycles of dates.
    A model's decode returns the same layout: means, and logits for flags and one-hot blocks.
    """

    columns: tuple[str, ...]
    features: int
    numeric: Int
    owner: Int
    half: Float
    deviation: Float
    mean: Float
    curved: npt.NDArray[np.bool_]
    gate: Int
    zero: Float
    flags: tuple[tuple[int, int], ...] = ()
    categories: tuple[tuple[int, int, int], ...] = ()
    shape: tuple[int, int, int] | None = None
    conditions: int = 0
    given: int = 0
    told: tuple[int, ...] = ()

    def steps(self) -> Int:
        """The features as a sequence in time, (rows, features of one row): for each of the
        successive rows, the one farthest back first and the row itself last, the indices of its
        features in x. One row where no earlier rows are given.

        What is at one place is the same of every step, so that x.index_select(1, steps.flatten())
        .reshape(-1, *steps.shape) is a sequence. Of pictures all features are one step.
        """
        told = list(self.told) or list(range(self.features))
        rows = [told]
        # the row just before comes first
        for first in range(self.features - self.given, self.features, len(told)):
            rows.insert(0, list(range(first, first + len(told))))
        return np.array(rows)

    def owners(self) -> Int:
        """The column each feature's cost belongs to, (features,); -1 for context features."""
        owner = np.full(self.features, -1, dtype=np.int64)
        owner[self.numeric] = self.owner
        for feature, column in self.flags:
            owner[feature] = column
        for column, start, width in self.categories:
            owner[start : start + width] = column
        return owner


def make_params(model: Model, params: Mapping[str, object]) -> Any:
    """The model's Params from option strings or values by name, such as "8" or 8; parameters not
    among them have their defaults. ParamError for a name that the model does not have, and for a
    value that is not of the parameter's type or not within its range or choices."""
    fields = {f.name: f for f in dataclasses.fields(model.Params)}
    unknown = [k for k in params if k not in fields]
    if unknown:
        has = f"; it has: {', '.join(fields)}"
        if not fields:
            has = f", nor any other: choose a model that has some with {option('-p')}"
        guess = did_you_mean(unknown[0], fields)
        raise ParamError(f"{model.name} has no parameter '{unknown[0]}'{has}{guess}")
    return model.Params(**{k: _checked(model.name, fields[k], v) for k, v in params.items()})


def check_default(field: dataclasses.Field[object]) -> None:
    """Raise ParamError where the default of a parameter is not within its own range or choices.
    field: as `param` makes it."""
    _checked("", field, field.default)


def _checked(owner: str, field: dataclasses.Field[object], value: object) -> object:
    """The value of a parameter, converted to the type of its default. ParamError for one that is of
    no such type, or not within its range or choices. owner: the model's name, for messages; "" for
    none."""
    kind: type = type(field.default)
    where = f"{field.name} of {owner}" if owner else field.name
    try:
        value = _as_type(kind, value)
    except (TypeError, ValueError, OverflowError):
        # OverflowError: infinity as a whole number
        raise ParamError(f"{where} must be {kind.__name__}, got {brief(value)}") from None
    low, high, choices = (field.metadata.get(k) for k in ("min", "max", "choices"))
    if choices is not None and value not in choices:
        raise ParamError(
            f"{where} must be one of {', '.join(map(str, choices))}, got {brief(value)}"
        )
    if isinstance(value, int | float) and not isinstance(value, bool):
        below = low is not None and value < low
        above = high is not None and value > high
        is_finite = isinstance(value, int) or math.isfinite(value)
        if below or above or not is_finite:
            span = _span_in_words(low, high)
            remedy = ""
            if field.name == "latent" and high == MAX_LATENT:
                remedy = (
                    "; larger codes are stored whole by an exact archive: compress without "
                    f"{option('-m')}"
                )
            raise ParamError(f"{where} must be {span}, got {brief(value)}{remedy}")
    return value


def _span_in_words(low: float | None, high: float | None) -> str:
    """Words for the range from low to high, such as "in 0 .. 1" or "0 or more, and finite"; None
    for an end that is open."""
    if low is None and high is None:
        return "a finite number"
    if high is None:
        return f"{low} or more, and finite"
    if low is None:
        return f"{high} or less, and finite"
    return f"in {low} .. {high}"


def _as_type(kind: type, value: object) -> object:
    """A parameter's value, or text, as this type; TypeError or ValueError if it is none,
    OverflowError for infinity as an int. bool: true, yes, 1, false, no or 0 in either case; int: a
    whole number or its text, also a float without a fraction; float: any number or its text; str:
    texts alone; tuple: whole numbers, from a text such as "8,4" or anything to iterate over."""
    if kind is bool:
        truth = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if str(value).lower() not in truth:
            raise ValueError
        return truth[str(value).lower()]
    if kind is int and isinstance(value, float) and value != int(value):
        raise ValueError
    if kind is tuple:
        if not isinstance(value, str | Iterable):
            raise TypeError
        items = value.split(",") if isinstance(value, str) else value
        return tuple(int(v) for v in items)
    if kind is str and not isinstance(value, str):
        raise TypeError
    return kind(value)


def describe_params(model: Model) -> list[tuple[str, object, str, str]]:
    """Describe each of the model's parameters, in their order, as (name, default, allowed values,
    help). Allowed values are a text: "a|b" for choices, else "0..8" for a range, one end of which
    may be missing, else the name of the type."""
    rows = []
    for f in dataclasses.fields(model.Params):
        low, high, choices = (f.metadata.get(k) for k in ("min", "max", "choices"))
        if choices:
            allowed = "|".join(map(str, choices))
        elif low is not None or high is not None:
            allowed = f"{'' if low is None else low}..{'' if high is None else high}"
        else:
            allowed = type(f.default).__name__
        rows.append((f.name, f.default, allowed, f.metadata.get("help", "")))
    return rows


# how far a fit is: step of so many steps, and words; of a training also its held_out loss
State = Mapping[str, Json]
Progress = Callable[[State], None]


@dataclass(frozen=True)
class NetParams:
    """Parameters every autoencoder has; a plugin's own Params may extend this. latent, width:
    numbers of a code and units of a hidden layer, 0 for what suits the data; depth: hidden layers
    (of pictures, halvings of the sides), 0 for a linear network; scale: "column" or "shared",
    whether each column has a scale of its own; error: "bits", "mse" or "mae", what the score adds
    up."""

    latent: int = param(0, "size of the code; 0: chosen by the data", min=0, max=MAX_LATENT)
    width: int = param(0, "units of a hidden layer; 0: chosen by the data", min=0, max=8192)
    depth: int = param(
        2, "hidden layers (pictures: halvings of the sides); 0: linear", min=0, max=8
    )
    scale: str = param(
        "column", "how far numbers usually are from what is expected: learned for each column, or "
        "one for all", choices=("column", "shared"),
    )  # fmt: skip
    error: str = param(
        "bits", "what the score adds up: surprise, or plain error", choices=("bits", "mse", "mae")
    )
