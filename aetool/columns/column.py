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
from aetool.columns.slips import Slip
from aetool.columns.strays import Strays
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
NEVER_THERE = "missing in every fitted record"  # the same, in a column that was empty
# and of one that is the expected one, in a record whose other values make that less sure
AS_EXPECTED = "as expected, but less surely than usual"
MOST_ROWS = 1 << 53  # that are counted


@dataclass(frozen=True)
class Column(ABC):
    """One column of a table, with how it is read and what models see of it.

    name: in the table. dtype: the name of the source's own type, or None for text. kind: the name
    of the class for users, and in files. modelled: models see the column. predictable: they can say
    which value to expect; otherwise the column is context. measured: the difference of two values
    is a size, as it is not of dates. ordered: rows can be sorted by it.
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
        """A column of this class if the summary's values are of its kind, with what it learns from
        them, else None. asked: whether the user says that the column is of this kind; then
        DataError where it cannot be."""

    def restoring(self) -> Self:
        """A copy of the column with what restores its values, and nothing that only judges or
        draws them; by default the column itself. An archive stores such columns with the model that
        it holds."""
        return self

    @property
    def predicted(self) -> bool:
        """Whether models predict the column's values, rather than only use them as context."""
        return self.predictable

    @abstractmethod
    def understood(self) -> str:
        """A few words that say how the column was read, for the user."""

    def remark(self) -> str:
        """Something odd about the column that the user should know; "" if there is nothing, as by
        default."""
        return ""

    def facts(self) -> dict[str, Json]:
        """Facts about the column by name, as `aetool info` prints them; here "name" and "kind"."""
        return {"name": self.name, "kind": self.kind}

    def written(self) -> dict[str, Json]:
        """How text files write the column's values: the keyword arguments for
        `data.writers.text_of`, here "decimals" (None: seven digits in all) and "token" (the text of
        a gap)."""
        return {"decimals": None, "token": ""}

    def to_json(self) -> dict[str, Json]:
        """A JSON-able form, of which `kinds.from_json` makes an equal column: its kind, its name,
        and whatever differs from the defaults."""
        fields: dict[str, Json] = {"kind": self.kind}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            # most columns are plain: what is not said is as usual
            if value == field.default:
                continue
            if isinstance(value, Scale | Reach):
                fields[field.name] = dataclasses.asdict(value)
            else:
                fields[field.name] = value
        return fields

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Self:
        """The column that to_json wrote, checked, from its fields by name, without the kind;
        ValueError or TypeError if it is not one."""
        # JSON has no tuples
        fields: dict[str, Json] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in data.items()
        }
        column = cls(**fields)
        column.check()
        return column

    def check(self) -> None:
        """Raise ValueError if the column's fields are of a wrong type or contradict each other, as
        those of a damaged file may."""
        self._refuse_unless(isinstance(self.name, str) and isinstance(self.dtype, str | None))

    def _refuse_unless(self, sane: bool) -> None:
        """Raise ValueError, which names the column, if `sane` is False."""
        if not sane:
            raise ValueError(f"column {self.name!r} is not valid")


@dataclass(frozen=True)
class Features:
    """The features that a column is turned into for models.

    scale: how its number is standardised; None if it has no such feature. flagged: whether a
    feature is 1 where its value is missing. cycles: the periods, in user units, for each of which
    there is a sine and a cosine. levels: how many words its one-hot block lists, a block of
    features of which one is 1 and the others 0; width: how many features the block has: the levels,
    any other word, and missing if training saw gaps; 0 for no block.
    """

    scale: Scale | None = None
    flagged: bool = False
    cycles: tuple[float, ...] = ()
    levels: int = 0
    width: int = 0


@dataclass(frozen=True)
class Modelled(Column):
    """A column that models see, either to predict its values or as context.

    missing, odd: how many cells were gaps in training, and how many held something that is not of
    this kind; token: how the first gap was written; gap_words: further words that mean a gap, by
    the user; plural: what several columns of the kind are called. condition: the user says that
    records are judged given the column's value, which is not judged itself: the column is context,
    whatever it holds.

    In the inputs of graphs values are float64, in user units; NaN is a missing one, ODD a cell that
    is not of this kind. Infinities are values.
    """

    missing: int = 0
    odd: int = 0
    token: str = ""
    gap_words: tuple[str, ...] = ()
    condition: bool = False

    modelled: ClassVar[bool] = True
    # what several columns of the kind are called
    plural: ClassVar[str] = "columns"

    @property
    def is_constant(self) -> bool:
        """Whether all cells that training saw are the same, so that there is nothing to learn; by
        default False."""
        return False

    @property
    def is_empty(self) -> bool:
        """Whether all cells that training saw were gaps, one at least; by default False."""
        return False

    @property
    def predicted(self) -> bool:
        """Whether models predict the column's values: those of a condition they never do."""
        return self.predictable and not self.condition

    @property
    def gaps(self) -> bool:
        """Whether training saw missing values."""
        return self.missing > 0

    @property
    @abstractmethod
    def features(self) -> Features:
        """The features that the column is turned into: number, flag, cycles, one-hot block."""

    @property
    def listed(self) -> tuple[str, ...]:
        """The words that the levels of the column's one-hot block stand for, `features.levels` of
        them, in order. By default none, for a kind without such a block."""
        return ()

    def reading(self) -> dict[str, Json]:
        """How other programs are to read the column's cells, to see in them what `parse` sees, by
        the names of exported models' "columns". By default nothing, as of a column whose words have
        no other spellings."""
        return {}

    def bins_of(self, values: Float) -> Int:
        """(n,): the index in `bin_counts` of the bin that each value falls in. By default 0 for
        all, as of a kind that counts none. values: (n,) in user units, without NaN and ODD."""
        return np.zeros(len(values), dtype=np.int64)

    @property
    def bin_counts(self) -> Float:
        """How many training values fell in each bin of `bins_of`: (k,), in ascending order where
        the column is measured. By default empty, (0,): they were not counted."""
        return np.zeros(0)

    def bin_name(self, place: int) -> str:
        """A name, for a person, of the bin whose index in `bin_counts` is `place`. By default "",
        for a kind that counts none."""
        return ""

    def quantile(self, part: float) -> float | None:
        """The value below which this part of the training's values lie, 0 .. 1, in user units. By
        default None: it is not known, as it is not of words, nor for any part."""
        return None

    def outside(self, values: Float) -> Mask:
        """Which values lie beyond the training range, or are words that training did not see: (n,)
        bool. By default none does. values: (n,) in user units, without NaN and ODD."""
        return np.zeros(len(values), dtype=np.bool_)

    def place(self, value: float) -> float | None:
        """Where a value lies in the range that training saw: 0 at the lowest, 1 at the highest,
        below 0 or above 1 beyond. By default None, for kinds without such a range, as words. Dates
        go by time, and numbers by standardised numbers; both give None for a gap, for an odd cell,
        and where training saw one value alone. value: in user units."""
        return None

    @property
    def middle(self) -> tuple[float, float] | None:
        """Where the lower and the upper quartile of the training's values lie, as `place` tells it,
        0 .. 1. By default None: they are not known."""
        return None

    def often(self, value: float) -> float | None:
        """The share, 0 .. 1, of present training values that equal this one, in user units. By
        default None, for kinds that do not count values; None also for a gap and an odd cell."""
        return None

    @property
    @abstractmethod
    def usual(self) -> float:
        """The value to put where none is known, in user units: the median of numbers, the
        commonest word, the first moment of 1970."""

    @property
    @abstractmethod
    def blank(self) -> float:
        """The value, in user units, to put in a cell so that it says nothing to a model."""

    @property
    def far_out(self) -> Reach | None:
        """The range outside of which values are surprising by themselves, whatever models see of
        them, in user units, of dates in epoch seconds. By default None, for kinds without one."""
        return None

    @property
    def strays(self) -> Strays | None:
        """Which words hardly ever come, where all others come often; there may be none of them. By
        default None, for a column without words; None also where no word can be told to stray."""
        return None

    @property
    def slips(self) -> tuple[Slip, ...]:
        """Which words hardly ever come and are one letter away from a common one, in the order of
        the levels. By default none, for a column without words."""
        return ()

    def nats_of_unseen(self, rows: int) -> float:
        """The cost, in nats, of a word that none of the `rows` records of training held, which is
        added to what the model itself makes of an unlisted word. By default 0, for a column without
        words."""
        return 0.0

    @property
    def decimal_places(self) -> int | None:
        """The number of decimals that values are written with. By default None, for kinds without
        decimals; None also for full-precision floats."""
        return None

    @property
    def span(self) -> tuple[float, float]:
        """The range of values that training saw: (the lowest, the highest), in user units, of
        finite ones. By default (0.0, 0.0), for kinds without a range, as words; zeros also where
        training saw none."""
        return 0.0, 0.0

    @abstractmethod
    def parse(self, values: Values) -> Float:
        """Read a column of the source, cells or numbers, as values in user units, (n,) float64: NaN
        where missing, ODD where a cell holds something that is not of this kind. No cell raises an
        error."""

    def knows(self, value: float) -> bool:
        """Whether the column's features distinguish a value from others: it is a finite number or a
        listed word. value: in user units, not missing."""
        return math.isfinite(value) and value != ODD

    def as_written(self, cells: Cells, decimal: str) -> Self:
        """A copy of the column that reads the notation of another file, if that reads clearly more
        of its cells. By default the column itself. cells: some of the file's; decimal: the file's
        usual decimal mark."""
        return self

    @abstractmethod
    def show(self, value: float) -> str:
        """A value in user units as text, in the source's notation; words that say so for NaN and
        ODD."""

    def found(self, values: Values, row: int, value: float) -> str:
        """The text that a message shows for a cell: what `show` says of a gap; of a text the text
        itself, without blanks around it, cut to 60 characters, the last three then being dots; of a
        source with types a moment as `show` writes it, or in a column of another kind in ISO 8601,
        and a number in the fewest digits that tell it from others of its type. values: the source's
        column, (n,); row: the cell's index; value: what the cell holds, in user units, NaN for a
        gap, ODD for what is not of the column's kind."""
        if np.isnan(value):
            return self.show(value)
        if isinstance(values, Cells):
            text = values.take(slice(row, row + 1)).strings()[0].strip()
            if len(text) <= MOST_SHOWN:
                return text
            return f"{text[: MOST_SHOWN - 3]}..."
        if values.dtype.kind == "M":
            if value != ODD:
                return self.show(value)
            # moments in a column of another kind
            return str(values[row])
        # as float64 a float32 would show digits that it does not have
        if self.dtype in SINGLE:
            return str(np.float32(values[row])).removesuffix(".0")
        return shortest(float(values[row]))

    def alike(self, values: Float, expected: Float) -> npt.NDArray[np.bool_]:
        """(n,): True where a value and its expected value look equal once both are written as text;
        by default where they are equal. values, expected: (n,) in user units; NaN equals
        nothing."""
        return np.asarray(values == expected)

    def expectation(self, value: float, expected: float) -> str:
        """The expected value, `expected`, as `show` writes it for a person; where a gap was
        expected (NaN) and there is a value, RARELY_THERE ("present, rare"), or NEVER_THERE
        ("missing in every fitted record") where the column was empty in training. value: the one
        that is there; both in user units, NaN for a gap."""
        if np.isnan(expected) and not np.isnan(value):
            return NEVER_THERE if self.is_empty else RARELY_THERE
        return self.show(expected)

    def contrast(self, written: str, value: float, expected: float) -> str:
        """The expected value of a column that is a reason, written so that it differs from the
        value found, `written`; AS_EXPECTED ("as expected, but less surely than usual") where both
        are the same. value, expected: in user units, NaN for a gap."""
        expected_text = self.expectation(value, expected)
        if expected_text in (written, self.show(value)):
            return AS_EXPECTED
        return expected_text

    @abstractmethod
    def restored(self, values: Float) -> Restored:
        """Values in user units, (n,), as the source's type has them: numbers (float64, NaN for a
        gap), moments (datetime64[us], NaT for a gap) or texts (for a gap None, or of dates "")."""

    def mended(self, values: Float, expected: Float) -> Float:
        """Replacements that make values inconspicuous, (n,): for each value the one that the model
        expected, or the value itself where `expected`, (n,), is NaN; both in user units."""
        return np.where(np.isnan(expected), values, expected)

    def drawn(self, values: Float, rng: np.random.Generator) -> Float:
        """Make values that a model drew, (n,), such as the column can hold: (n,) in user units, of
        numbers rounded to the column's decimals and limited to the range seen in training, of words
        as they are. For a context column, which models do not draw, `values` are not read but for
        their number, and usual values drawn by rng stand in their place."""
        if self.predicted:
            return self.within(values)
        return self.usually(len(values), rng)

    @abstractmethod
    def random(self, count: int, rng: np.random.Generator) -> Float:
        """Draw random values, (count,), in user units, within the range or the words of the column,
        to test graphs with; of words also those that are not listed."""

    def tried(self, most: int) -> Float:
        """Values in user units, (n,), at most `most`, to try in this column of a record in place of
        its own, one of which should fit the record's other values. By default none, for kinds that
        models never predict; to be asked of columns that are `predicted`."""
        return np.zeros(0)

    @abstractmethod
    def usually(self, count: int, rng: np.random.Generator) -> Float:
        """Values drawn at random, (count,), in user units, each about as often as training saw it,
        or of dates evenly from their range; rng: draws them. Where training saw none NaN, or of
        dates 0."""

    def begun(self, count: int, rng: np.random.Generator) -> Float:
        """Starting values, (count,), for records that are about to be drawn: zeros, which the model
        replaces, or for a context column usual values, in user units, drawn by rng."""
        if self.predicted:
            return np.zeros(count)
        return self.usually(count, rng)

    def rounded(self, values: Float) -> Float:
        """(n,): values, (n,), rounded to the decimals that the column is written with, in user
        units. By default they stay as they are, for kinds without decimals."""
        return values

    def within(self, values: Float, ends: Sequence[float] | None = None) -> Float:
        """Limit decoded values, (n,), to `ends`, (lowest, highest), or for None to the range seen
        in training, after rounding them to the column's decimals. By default they stay as they are,
        for kinds that are not numbers."""
        return values

    def own_surprise(self, values: Float) -> Float:
        """How rare each value is in its column alone, (n,), in bits. By default 0 for all: the
        column cannot tell. values: (n,) in user units."""
        return np.zeros(len(values))

    def distance(self, values: Float, others: Float) -> Float:
        """How far apart each two values are, (n,): by default, as for words, 0 where they are the
        same, or both a gap, else 1. Numbers give the squared difference in standard deviations of
        the column, 0 where either is a gap, and dates always 0. values, others: (n,) in user
        units."""
        same = (values == others) | (np.isnan(values) & np.isnan(others))
        return np.asarray(~same, dtype=np.float64)

    def facts(self) -> dict[str, Json]:
        """Facts about the column by name, as `aetool info` prints them: those of every column,
        "gaps" (whether there were any in training), "missing" (how many), if there were any "odd"
        (how many cells were of another kind), and "condition" (True) if the column is one."""
        facts: dict[str, Json] = {"missing": self.missing} | ({"odd": self.odd} if self.odd else {})
        facts |= {"condition": True} if self.condition else {}
        return {**super().facts(), "gaps": self.gaps, **facts}

    def written(self) -> dict[str, Json]:
        """How text files write the column's values: the keyword arguments for
        `data.writers.text_of`, "decimals", here None, and "token", the text of the first gap that
        training saw."""
        return {**super().written(), "token": self.token}

    def check(self) -> None:
        """Raise ValueError if the column's fields are of a wrong type or cannot be, as those of a
        damaged file may: the name, counts of cells, words for gaps, or the condition."""
        super().check()
        counts = (self.missing, self.odd)
        self._refuse_unless(all(type(n) is int and 0 <= n <= MOST_ROWS for n in counts))
        self._refuse_unless(words(self.gap_words) and isinstance(self.token, str))
        self._refuse_unless(isinstance(self.condition, bool))


def reads_better(column: Modelled, than: Modelled, cells: Cells) -> bool:
    """Whether one reading of a column's cells is clearly better than another: `column` finds at
    most half as many of them odd as the column `than` does. True also where neither finds any."""
    odd_counts = [int((c.parse(cells) == ODD).sum()) for c in (column, than)]
    return 2 * odd_counts[0] <= odd_counts[1]


def words(values: object) -> bool:
    """Whether a value read from a file is a tuple of texts, as lists of words must be."""
    return isinstance(values, tuple) and all(isinstance(value, str) for value in values)


def finite(*values: object) -> bool:
    """Whether all of these values, which were read from a file, are finite numbers, int or float; a
    bool is none."""
    return all(type(v) in (int, float) and np.isfinite(v) for v in values)  # type: ignore[call-overload]
