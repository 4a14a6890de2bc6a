"""What every kind of column can do: the interface of the kinds in this room."""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt

from aetool.canonical import Json
from aetool.columns.reach import Reach
from aetool.columns.scale import Scale
from aetool.data.table import Cells, Mask, Values, shortest
from aetool.model import Float, Int

if TYPE_CHECKING:
    from aetool.columns.summary import Summary
    from aetool.data.writers import Restored


# What stands in the inputs of graphs for a cell that is not of its column's kind, such as ERR in a
# column of numbers: the lowest float64. NaN is a gap, and infinities are values.
ODD = -float(np.finfo(np.float64).max)
MOST_SHOWN = 60  # characters of a cell
SINGLE = ("float", "float32")  # types whose numbers are told apart by fewer digits
RARELY_THERE = "present, rare"  # what is told of a value where a gap was expected
MOST_ROWS = 1 << 53  # that are counted


@dataclass(frozen=True)
class Column(ABC):
    """A column of a table, as it was understood.

    dtype: the name of the source's own type, or None for text.
    modelled: models see the column. predictable: they can say what to expect of it; otherwise it is
    context. measured: the difference of two values is a size. ordered: rows can be sorted by it.
    """

    name: str
    dtype: str | None = None

    # what a kind is and can do; nobody asks for its name
    kind: ClassVar[str]
    modelled: ClassVar[bool] = False
    predictable: ClassVar[bool] = False
    measured: ClassVar[bool] = False
    ordered: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def infer(cls, summary: Summary, asked: bool) -> Self | None:
        """The column of this kind that the summary speaks for, or None if it is none.

        asked: the user says that it is one; DataError where it cannot be.
        """

    @property
    def predicted(self) -> bool:
        """Whether models say what to expect of it."""
        return self.predictable

    @abstractmethod
    def understood(self) -> str:
        """How the column was read, in a few words."""

    def remark(self) -> str:
        """What the user should know of how it was read; empty if nothing."""
        return ""

    def facts(self) -> dict[str, Json]:
        """What `aetool info` prints about the column, by name."""
        return {"name": self.name, "kind": self.kind}

    def written(self) -> dict[str, Json]:
        """How text files write its values, see `data.writers.text_of`."""
        return {"decimals": None, "token": ""}

    def to_json(self) -> dict[str, Json]:
        """A JSON-able form, of which `kinds.from_json` makes an equal column: its kind, its name,
        and whatever differs from the defaults."""
        out: dict[str, Json] = {"kind": self.kind}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            # most columns are plain: what is not said is as usual
            if value == field.default:
                continue
            if isinstance(value, Scale | Reach):
                out[field.name] = dataclasses.asdict(value)
            else:
                out[field.name] = value
        return out

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Self:
        """The column that to_json wrote, checked; ValueError or TypeError if it is not one."""
        # JSON has no tuples
        fields: dict[str, Json] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in data.items()
        }
        column = cls(**fields)
        column.check()
        return column

    def check(self) -> None:
        """ValueError for a column that no summary could have led to."""
        self._refuse_unless(isinstance(self.name, str) and isinstance(self.dtype, str | None))

    def _refuse_unless(self, sane: bool) -> None:
        if not sane:
            raise ValueError(f"column {self.name!r} is not valid")


@dataclass(frozen=True)
class Features:
    """What a column is laid out as for models, beside the features of others.

    scale: it has a standardised number. flagged: a feature is 1 where its value is missing.
    cycles: periods, in its units, of which it has sine and cosine. levels, width: it has a one-hot
    block of so many levels, of this width: levels, another, and missing if training saw gaps.
    """

    scale: Scale | None = None
    flagged: bool = False
    cycles: tuple[float, ...] = ()
    levels: int = 0
    width: int = 0


@dataclass(frozen=True)
class Modelled(Column):
    """A column that models see.

    missing, odd: how many cells were gaps in training, and how many held something that is not of
    this kind; token: how gaps are written; gap_words: what the user says that gaps are, too.
    condition: the user says that records are judged by the column, and not the column itself: it is
    context, whatever it holds.

    In the inputs of graphs values are float64, in user units; NaN is a missing one, ODD a cell that
    is not of this kind. Infinities are values.
    """

    missing: int = 0
    odd: int = 0
    token: str = ""
    gap_words: tuple[str, ...] = ()
    condition: bool = False

    modelled: ClassVar[bool] = True

    @property
    def predicted(self) -> bool:
        return self.predictable and not self.condition

    @property
    def gaps(self) -> bool:
        """Whether training saw missing values."""
        return self.missing > 0

    @property
    @abstractmethod
    def features(self) -> Features:
        """How the column is laid out as features: scaled numbers, flags, cycles, one-hot blocks."""

    @property
    def listed(self) -> tuple[str, ...]:
        """The words of a one-hot block, of `features.levels` levels."""
        return ()

    def bins_of(self, values: Float) -> Int:
        """(n,): in which bin of `bin_counts` each value is. values: in user units, neither gaps nor
        ODD."""
        return np.zeros(len(values), dtype=np.int64)

    @property
    def bin_counts(self) -> Float:
        """(k,): how many values the training saw in each bin, in rising order where the column is
        measured; none, (0,), where that was not counted."""
        return np.zeros(0)

    def bin_name(self, place: int) -> str:
        """A name, for a person, of the bin at a place of `bin_counts`."""
        return ""

    def outside(self, values: Float) -> Mask:
        """(n,): which values, in user units, training has not seen the like of: beyond the range,
        or a word that is new. Neither gaps nor ODD are."""
        return np.zeros(len(values), dtype=np.bool_)

    def place(self, value: float) -> float | None:
        """Where a value lies between the lowest seen (0) and the highest (1), or beyond them; None
        where that cannot be told."""
        return None

    @property
    def middle(self) -> tuple[float, float] | None:
        """The places of the quartiles, if they are known."""
        return None

    def often(self, value: float) -> float | None:
        """The part of the training's present values that are the same, where those are counted."""
        return None

    @property
    @abstractmethod
    def usual(self) -> float:
        """What stands in the place of a value that is not known: the median, the commonest."""

    @property
    @abstractmethod
    def blank(self) -> float:
        """The value that tells a model nothing."""

    @property
    def far_out(self) -> Reach | None:
        """Outside of what its values are surprising by themselves, if models do not see that."""
        return None

    @property
    def places(self) -> int | None:
        """The decimals that its numbers are written with; None for true floats and for words."""
        return None

    @property
    def span(self) -> tuple[float, float]:
        """The lowest and the highest finite value seen."""
        return 0.0, 0.0

    @abstractmethod
    def parse(self, values: Values) -> Float:
        """Values of a source in user units, (n,): NaN where missing, ODD where a cell holds
        something that is not of this kind. No cell raises an error."""

    def knows(self, value: float) -> bool:
        """Whether a value in user units, no gap, is one that models can tell from others."""
        return math.isfinite(value) and value != ODD

    def as_written(self, cells: Cells, decimal: str) -> Self:
        """The same column, where another file writes it in its own way; cells: some of that file,
        decimal: the mark that is usual in it. Itself where it can read them."""
        return self

    @abstractmethod
    def show(self, value: float) -> str:
        """A value in user units as the source writes such values."""

    def found(self, values: Values, row: int, value: float) -> str:
        """A cell as its source writes it. value: the same in user units."""
        if np.isnan(value):
            return self.show(value)
        if isinstance(values, Cells):
            text = values.take(slice(row, row + 1)).strings()[0].strip()
            return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 3]}..."
        if values.dtype.kind == "M":
            return self.show(value) if value != ODD else str(values[row])
        if self.dtype in SINGLE:
            return str(np.float32(values[row])).removesuffix(".0")
        return shortest(float(values[row]))

    def alike(self, values: Float, expected: Float) -> npt.NDArray[np.bool_]:
        """(n,): where a value equals the expected one once both are written for a person."""
        return np.asarray(values == expected)

    def expectation(self, value: float, expected: float) -> str:
        """The expected value, written for a person.

        value: the one that is there; both in user units.

        value: the one that is there, which decides how many digits are shown; both in user units.
        """
        if np.isnan(expected) and not np.isnan(value):
            return RARELY_THERE
        return self.show(expected)

    @abstractmethod
    def restored(self, values: Float) -> Restored:
        """Values in user units, (n,), as the source held them."""

    def mended(self, values: Float, expected: Float) -> Float:
        """(n,): for each value the value that would not stand out in its place.

        expected: what the model expects there, or NaN where it expects nothing.
        """
        return np.where(np.isnan(expected), values, expected)

    def drawn(self, values: Float, rng: np.random.Generator) -> Float:
        """Values that a model has drawn, made such as the column has; usual ones of what is
        context, which models do not draw."""
        return self.within(values) if self.predicted else self.usually(len(values), rng)

    @abstractmethod
    def random(self, count: int, rng: np.random.Generator) -> Float:
        """Any values that the column may hold, (count,), to try graphs with."""

    def tried(self, most: int) -> Float:
        """At most this many values, of which one should fit the rest of a record; none for what is
        context."""
        return np.zeros(0)

    @abstractmethod
    def usually(self, count: int, rng: np.random.Generator) -> Float:
        """Random values, (count,), each drawn as often as it was seen in training."""

    def begun(self, count: int, rng: np.random.Generator) -> Float:
        """Values, (count,), that records begin with which are to be drawn: any usual ones where
        models are told them."""
        return np.zeros(count) if self.predicted else self.usually(count, rng)

    def rounded(self, values: Float) -> Float:
        """Values as finely as the column writes them."""
        return values

    def within(self, values: Float, ends: Sequence[float] | None = None) -> Float:
        """Values that a decoder gives, made such as the column has: of `ends`, the lowest and the
        highest, or those seen in training."""
        return values

    def own_surprise(self, values: Float) -> Float:
        """(n,) bits: how rare values are by themselves, where that is known."""
        return np.zeros(len(values))

    def distance(self, values: Float, others: Float) -> Float:
        """(n,): the squared difference of values, in standard deviations; 1 where what has no sizes
        differs."""
        same = (values == others) | (np.isnan(values) & np.isnan(others))
        return np.asarray(~same, dtype=np.float64)

    def facts(self) -> dict[str, Json]:
        facts: dict[str, Json] = {"missing": self.missing} | ({"odd": self.odd} if self.odd else {})
        facts |= {"condition": True} if self.condition else {}
        return {**super().facts(), "gaps": self.gaps, **facts}

    def written(self) -> dict[str, Json]:
        return {**super().written(), "token": self.token}

    def check(self) -> None:
        super().check()
        counts = (self.missing, self.odd)
        self._refuse_unless(all(type(n) is int and 0 <= n <= MOST_ROWS for n in counts))
        self._refuse_unless(words(self.gap_words) and isinstance(self.token, str))
        self._refuse_unless(isinstance(self.condition, bool))


def reads_better(column: Modelled, than: Modelled, cells: Cells) -> bool:
    """Whether most of the cells that are odd to one column are none to another."""
    odd = [int((c.parse(cells) == ODD).sum()) for c in (column, than)]
    return 2 * odd[0] <= odd[1]


def words(values: object) -> bool:
    """Whether these, read from a file, are a tuple of texts."""
    return isinstance(values, tuple) and all(isinstance(value, str) for value in values)


def finite(*values: object) -> bool:
    """Whether all of these, read from a file, are finite numbers."""
    return all(type(v) in (int, float) and np.isfinite(v) for v in values)  # type: ignore[call-overload]
