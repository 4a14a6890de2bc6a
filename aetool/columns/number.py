"""Numbers: measurements, amounts, counts."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt

from aetool.canonical import Json
from aetool.columns.column import AS_EXPECTED, ODD, Features, Modelled, finite, reads_better
from aetool.columns.outlying import reach_of
from aetool.columns.reach import Reach
from aetool.columns.scale import Scale, decimals_of
from aetool.columns.summary import Summary
from aetool.columns.truth import as_truth, spellings_of
from aetool.data.notation.evidence import ODD as ODD_CELL
from aetool.data.notation.evidence import VALUE
from aetool.data.notation.magnitudes import FAMILIES
from aetool.data.notation.numbers import NumberEvidence, NumberNotation
from aetool.data.table import Cells, Mask, Values
from aetool.errors import DataError
from aetool.model import Float, Int
from aetool.spelling import option

if TYPE_CHECKING:
    from aetool.data.writers import Restored

REACH = 2.5  # deviations that tried numbers lie within
MOST_BITS = 32.0  # of surprise that a number has on its own
MOST_DECIMALS = 400  # the smallest float has 324 before its first digit
MOST_PLACES = 12  # decimals that a true float is written with at most
PLACES_BELOW = 4  # decimals of restored numbers behind the first digit of their error
MOST_READ = 9  # decimals of numbers that are taken for decimal ones
FEW = 32  # different numbers: no more, and they are told one by one
TOLD = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)  # parts whose quantiles are kept
MORE_PLACES = 3  # by which an expected number may be told from one that it rounds to
MOST_WRITTEN = 1e15  # numbers from here on are shown with an exponent
UNKNOWN = Scale()  # of a column that held no finite number
PLAIN = NumberNotation()
INTEGER = "int"  # text says how finely it is written
INTEGERS = (INTEGER, "uint")  # how types begin that hold nothing else


@dataclass(frozen=True)
class Number(Modelled):
    """A column of numbers.

    notation: how text writes the numbers. decimals: how many digits stand behind the decimal mark
    (None: true floats). scale: how they are standardised, UNKNOWN where training saw no finite one.
    low, high: the lowest and the highest finite number that training saw. few: the different
    numbers, rising, if they are at most 32, else empty; quantiles: of all finite numbers, at the
    parts TOLD (0 .. 1), rising; empty where there was none. counts: how many of the training's
    finite numbers fell in each bin of `bins_of`; empty where there was none, and in models of
    earlier versions. reach: the range of the ordinary numbers, where others lie apart, beyond a
    gap; None where none do.
    """

    notation: NumberNotation = PLAIN
    decimals: int | None = None
    scale: Scale = UNKNOWN
    low: float = 0.0
    high: float = 0.0
    few: tuple[float, ...] = ()
    quantiles: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    reach: Reach | None = None

    kind: ClassVar[str] = "number"
    plural: ClassVar[str] = "numbers"
    predictable: ClassVar[bool] = True
    measured: ClassVar[bool] = True
    ordered: ClassVar[bool] = True

    @classmethod
    def infer(cls, summary: Summary, asked: bool) -> Self | None:
        """The column of numbers, with its statistics, or None. A source of numbers always is one.
        Texts are if nearly all are numbers, and no codes such as 007 or labels such as R14, or if
        the user asks for it; those of a source with types hardly ever unasked, see `_of_texts`.
        None also for moments, and for texts of which none is a number. Asked for, DataError where
        they are moments, or where cells are present and none is a number; None still where all are
        gaps."""
        values = summary.values
        if isinstance(values, Cells):
            return cls._of_texts(summary, values, asked)
        if values.dtype.kind == "M":
            if asked:
                raise DataError(f"{option('--type')} {summary.name}=number: it holds dates")
            return None
        column = cls(summary.name, summary.dtype, gap_words=summary.gap_words)
        numbers = column.parse(values)
        return column._with_statistics(numbers, decimals_of(numbers))

    @classmethod
    def _of_texts(
        cls,
        summary: Summary,
        values: Cells,
        asked: bool,
    ) -> Self | None:
        """The column, with its statistics, if its texts are numbers, else None; None also where a
        typed source has them as texts, unless a cell is odd or thousands are parted. values: its
        cells; asked: whether the user says that they are numbers; DataError if then no present cell
        is one, and None if none is present."""
        notation = summary.asked_numbers() if asked else summary.numbers
        if notation is None:
            return None
        numbers = notation.read(values)
        is_number = numbers.state == VALUE
        is_odd = numbers.state == ODD_CELL
        odd_cells = int(is_odd.sum())
        # a typed source that holds numbers as texts means texts; but pandas makes texts of a whole
        # column of numbers where one cell is odd, or where thousands are parted
        is_made_text = odd_cells or notation.group
        if summary.typed and not asked and not is_made_text:
            return None
        if not is_number.any():
            if asked and len(summary.present):
                first_cell = summary.present.take(slice(0, 1))
                (text,) = first_cell.strings()
                raise DataError(
                    f"{option('--type')} {summary.name}=number: no cell is one; it holds {text!r}"
                )
            return None
        is_finite = is_number & np.isfinite(numbers.value)
        decimals = _common_decimals(numbers.decimals[is_finite])
        column = cls(
            summary.name,
            summary.dtype,
            gap_words=summary.gap_words,
            notation=notation,
            token=summary.token,
            odd=odd_cells,
        )
        return column._with_statistics(numbers.value, decimals)

    def restoring(self) -> Self:
        """A copy with its decimals, its notation, how finely text writes true floats, and the
        median, which is put where a number is not known. Decoders give numbers in the user's own
        units, and an archive says itself from where to where they go."""
        # of decimal numbers the decimals say it; a power of ten takes fewer bytes than others
        resolution = UNKNOWN.resolution
        if self.decimals is None:
            resolution = 10.0 ** -min(MOST_PLACES, self._places_of_resolution)
        # as a column has them that has seen no number
        unseen = type(self)(self.name)
        return dataclasses.replace(
            self,
            low=unseen.low,
            high=unseen.high,
            quantiles=unseen.quantiles,
            counts=unseen.counts,
            reach=unseen.reach,
            scale=Scale(center=self.scale.center, resolution=resolution),
        )

    def _with_statistics(self, values: Float, decimals: int | None) -> Self:
        """A copy of the column with the statistics (scale, range, quantiles, counts, gaps) of these
        values, (n,) in the user's units, NaN for what is no number: as many of these NaN as
        self.odd says are odd cells, and the others gaps. Without a finite number only gaps and
        decimals are set. decimals: that all of the numbers are written with, None for true
        floats."""
        # an odd cell is NaN as well, and no gap
        missing = int(np.isnan(values).sum()) - self.odd
        column = dataclasses.replace(self, missing=missing, decimals=decimals)
        finite = values[np.isfinite(values)]
        if not len(finite):
            return column
        low = float(finite.min())
        high = float(finite.max())
        quantum = 0.0
        if decimals is not None:
            # pandas writes whole numbers beside gaps as 40.0: last digits of 0 tell nothing, and
            # one number alone does not tell how fine others may be
            needed = None if low == high else decimals_of(finite)
            quantum = 10.0 ** -(decimals if needed is None else min(decimals, needed))
        dtype = self.dtype or INTEGER
        if low == high and not dtype.startswith(INTEGERS):
            # floats that are all 25.0 do not say that there is nothing between 25 and 26
            quantum = 0.0
        # a first look spares the sorting of all where values are many
        different_numbers = np.unique(finite[: 4 * FEW])
        if len(different_numbers) <= FEW:
            different_numbers = np.unique(finite)
        has_few = len(different_numbers) <= FEW
        quantiles = np.quantile(finite, TOLD, method="nearest")
        column = dataclasses.replace(
            column,
            scale=Scale.of(finite, quantum),
            low=low,
            high=high,
            few=tuple(different_numbers.tolist()) if has_few else (),
            quantiles=tuple(quantiles.tolist()),
            reach=reach_of(finite),
        )
        # bins are between landmarks, which the column has only now
        bins = column.bins_of(finite)
        counts = np.bincount(bins)
        return dataclasses.replace(column, counts=tuple(counts.tolist()))

    @cached_property
    def features(self) -> Features:
        """The features of the column: one standardised number, and a flag of gaps if training saw
        any."""
        return Features(scale=self.scale, flagged=self.gaps)

    @property
    def far_out(self) -> Reach | None:
        """The range outside of which numbers are surprising by themselves, `reach`; None where
        training saw none that lies apart, and for a condition, which is not judged."""
        return None if self.condition else self.reach

    @property
    def decimal_places(self) -> int | None:
        """The number of decimals that values are written with; None for true floats."""
        return self.decimals

    @property
    def span(self) -> tuple[float, float]:
        """The range of finite numbers that training saw: (lowest, highest), in user units."""
        return self.low, self.high

    @property
    def landmarks(self) -> Float:
        """The numbers, ascending, (r,), at and between which the bins of the column lie: the
        different numbers that training saw, if they are few, else their different quantiles; (0,)
        where it saw no finite one."""
        different = self.few or sorted(set(self.quantiles))
        return np.array(different, dtype=np.float64)

    def bins_of(self, values: Float) -> Int:
        """The index in `bin_counts` of the bin in which each value falls, (n,): 2 i + 1 for a value
        that equals landmark i, 2 i for one between landmarks i - 1 and i, so that a number which
        many records have is a bin of its own. i counts from 0; values: (n,) in user units, none of
        them NaN."""
        landmarks = self.landmarks
        below = np.searchsorted(landmarks, values, side="left")
        # a value that equals a landmark counts it once more
        not_above = np.searchsorted(landmarks, values, side="right")
        return np.asarray(below + not_above, dtype=np.int64)

    @property
    def bin_counts(self) -> Float:
        """How many of the finite training numbers fell in each bin of `bins_of`: (bins,); (0,)
        where there was none, and in models of earlier versions."""
        if not self.counts:
            return np.zeros(0)
        # counts end with the last bin that is not empty
        counts = np.zeros(self._bin_count)
        counts[: len(self.counts)] = self.counts
        return counts

    @property
    def _bin_count(self) -> int:
        """How many bins there are: one at each landmark (a known value), one between neighbouring
        landmarks, and one beyond each end."""
        return 2 * len(self.landmarks) + 1

    def bin_name(self, place: int) -> str:
        """The bin for a person: its landmark, or "below", "above" or "between" landmarks. place: 0
        .. bins - 1; there must be a landmark."""
        landmarks = self.landmarks.tolist()
        # bins with odd numbers are landmarks, those with even ones lie between them
        below, is_landmark = divmod(place, 2)
        if below == len(landmarks):
            highest = self.show(landmarks[-1])
            return f"above {highest}"
        upper = self.show(landmarks[below])
        if is_landmark:
            return upper
        if below == 0:
            return f"below {upper}"
        lower = self.show(landmarks[below - 1])
        return f"between {lower} and {upper}"

    def quantile(self, part: float) -> float | None:
        """The number below which this part of the training's numbers lie; None for a part that TOLD
        does not list, and where training saw no finite number."""
        if part not in TOLD or not self.quantiles:
            return None
        return self.quantiles[TOLD.index(part)]

    def outside(self, values: Float) -> Mask:
        """Which values lie below `low` or above `high`, (n,) bool, infinities among them; False for
        NaN and ODD. values: (n,) in user units."""
        is_below = values < self.low
        is_above = values > self.high
        # the mark of a cell that is no number is a number, too
        is_number = values != ODD
        return np.asarray((is_below | is_above) & is_number)

    def place(self, value: float) -> float | None:
        """The position of a number between the lowest that training saw (0) and the highest (1),
        below 0 or above 1 beyond these, by standardised numbers, so that a heavy tail does not
        press all others together. None for NaN, for ODD, and where all numbers are one."""
        if math.isnan(value) or value == ODD:
            return None
        # all numbers are one
        if self.high <= self.low:
            return None
        numbers = np.array([self.low, self.high, value])
        low, high, own = self.scale.standardised(numbers).tolist()
        if high > low:
            return float((own - low) / (high - low))
        return None

    @property
    def middle(self) -> tuple[float, float] | None:
        """The positions, by `place`, of the lower and the upper quartile of the training's numbers;
        None where it saw no finite number, or one alone."""
        if not self.quantiles:
            return None
        lower_quartile = self.quantiles[TOLD.index(0.25)]
        upper_quartile = self.quantiles[TOLD.index(0.75)]
        lower = self.place(lower_quartile)
        upper = self.place(upper_quartile)
        if lower is None or upper is None:
            return None
        return lower, upper

    @property
    def usual(self) -> float:
        """The value to put where none is known: the median of the training's numbers, in user
        units; 0 where it saw no finite one."""
        return self.scale.center

    @property
    def blank(self) -> float:
        """The value to put so that it says nothing to a model: the number, in user units, whose
        standardised value is 0."""
        units = self.scale.mean
        if self.scale.curved:
            units = math.sinh(units)
        return self.scale.center + self.scale.unit * units

    def parse(self, values: Values) -> Float:
        """(n,) float64: numbers in user units, NaN where missing or one of the words for a gap, ODD
        for a cell that is no number, and for moments. values: a column of the source, (n,), texts,
        numbers or moments. Texts that say true or false are 1 and 0 where training saw these two
        numbers alone."""
        if isinstance(values, Cells):
            return self._parsed_texts(values)
        if values.dtype.kind == "M":
            # a moment is no number
            return np.where(np.isnat(values), np.nan, ODD)
        numbers = np.asarray(values, dtype=np.float64)
        # gap words that are numbers, such as -999
        gaps = [number for word in self.gap_words if (number := _number_or_none(word)) is not None]
        if not gaps:
            return numbers
        is_gap = np.isin(numbers, gaps)
        return np.where(is_gap, np.nan, numbers)

    def _parsed_texts(self, cells: Cells) -> Float:
        """The numbers of cells of text, (n,), in user units: NaN where missing, ODD for a cell that
        is no number; where training saw nothing but 0 and 1, words that say true or false are
        these."""
        numbers = self.notation.read(cells)
        odd = np.flatnonzero(numbers.state == ODD_CELL)
        numbers.value[odd] = ODD
        if len(odd) and self._says_truth:
            # 1 and 0 in one file are true and false in another
            truth = as_truth(cells.take(odd))
            is_none = np.isnan(truth)
            numbers.value[odd] = np.where(is_none, ODD, truth)
        return numbers.value

    def as_written(self, cells: Cells, decimal: str) -> Self:
        """A copy that reads the notation of another file's cells, if that reads clearly more of
        them and has the column's unit, if there is one; else the column itself. cells: some of the
        file's; decimal: the file's usual decimal mark."""
        is_odd = self.parse(cells) == ODD
        if not is_odd.any():
            return self
        evidence = NumberEvidence.of(cells)
        notation = evidence.decide(None, self.gap_words, usual=decimal)
        if notation is None:
            return self
        # metres in one file and feet in another are not the same numbers
        unit = self.notation.unit
        if unit and notation.unit != unit:
            return self
        column = dataclasses.replace(self, notation=notation)
        return column if reads_better(column, self, cells) else self

    def reading(self) -> dict[str, Json]:
        """How other programs are to read words among the numbers: "spellings", the words that say
        true and false, with "1" or "0", where training saw these two numbers alone."""
        if not self._says_truth:
            return {}
        spellings: dict[str, Json] = {**spellings_of(["1", "0"])}
        return {"spellings": spellings}

    @property
    def _says_truth(self) -> bool:
        """Whether training saw no other numbers than 0 and 1."""
        return bool(self.few) and set(self.few) <= {0.0, 1.0}

    def show(self, value: float) -> str:
        """A number as text in the notation of the source, rounded to the column's decimals, or of
        true floats to as many as show its resolution; "missing" for NaN, "(no number)" for ODD;
        what is 1e15 or larger in size with up to six digits and an exponent, without the unit;
        infinities in the source's notation."""
        if math.isnan(value):
            return "missing"
        if value == ODD:
            return "(no number)"
        places = self.decimals
        if places is None:
            places = self._places_of_resolution
        if abs(value) >= MOST_WRITTEN:
            if math.isinf(value):
                return self.notation.show(value, -1)
            return f"{value:.6g}"
        # a negative zero is what rounding left
        rounded = round(value, places) + 0.0
        return self.notation.show(rounded, places)

    @property
    def _places_of_resolution(self) -> int:
        """How many decimals show differences as small as the column's resolution; at least 0."""
        digits = -math.log10(self.scale.resolution)
        return max(0, math.ceil(digits))

    def expectation(self, value: float, expected: float) -> str:
        """The expected number as text, moved into the range that training saw, and where that saw
        few different numbers to the nearest of them, or whole numbers alone to a whole one; not
        moved where it saw no finite number. For NaN, which says that a gap was expected, "missing",
        or if there is a value RARELY_THERE ("present, rare"), or NEVER_THERE where training saw
        none. value: the one that is there; both in user units."""
        if math.isnan(expected) or not self.quantiles:
            return super().expectation(value, expected)
        (possible,) = self._nearest_possible(np.array([expected])).tolist()
        return self.show(possible)

    def contrast(self, written: str, value: float, expected: float) -> str:
        """The expected number of a column that is a reason, written so that it differs from the
        number found, `written`: where rounding makes both equal, with up to MORE_PLACES (3)
        decimals more; AS_EXPECTED ("as expected, but less surely than usual") where that is not
        enough, for numbers of 1e15 and more, and where training saw whole numbers alone, as there
        is no 3.4 among counts. value: the one found; both it and `expected` in user units, NaN for
        a gap."""
        expected_text = super().contrast(written, value, expected)
        if expected_text != AS_EXPECTED or not math.isfinite(value) or not self.quantiles:
            return expected_text
        if self._are_whole:
            return expected_text
        (possible,) = self._nearest_possible(np.array([expected])).tolist()
        # of few different numbers, or at the end of the range, the number found is the nearest
        if abs(value) >= MOST_WRITTEN:
            return expected_text
        usual_places = self._places_of_resolution if self.decimals is None else self.decimals
        for places in range(usual_places + 1, usual_places + 1 + MORE_PLACES):
            rounded = round(possible, places) + 0.0
            if rounded != round(value, places) + 0.0:
                return self.notation.show(rounded, places)
        return expected_text

    def alike(self, values: Float, expected: Float) -> npt.NDArray[np.bool_]:
        """(n,): True where a value equals its expected one, once the latter is moved to a number
        that is possible, see `expectation`, and rounded to the column's decimals. values, expected:
        (n,) in user units; NaN equals nothing."""
        possible = self._nearest_possible(expected)
        return np.asarray(values == self.rounded(possible))

    def _nearest_possible(self, expected: Float) -> Float:
        """Expected values as a person is shown them, (n,): moved into the range that training saw
        and, where that saw only few different numbers, to the nearest of these, or where it saw
        whole numbers alone to a whole one; NaN stays NaN."""
        inside = np.clip(expected, self.low, self.high)
        if not self.few:
            return np.rint(inside) if self._are_whole else inside
        is_missing = np.isnan(expected)
        nearest = self._nearest_of_few(inside)
        return np.where(is_missing, np.nan, nearest)

    @cached_property
    def _are_whole(self) -> bool:
        """Whether training saw whole numbers alone, however they are written, as 40.0 is. Judged by
        the quantiles, which are numbers that it saw: a few others with a fraction may be
        overlooked. False where it saw no finite number."""
        # quantiles are numbers of the column, none that lies between two of them
        return bool(self.quantiles) and all(float(part).is_integer() for part in self.quantiles)

    def _nearest_of_few(self, values: Float) -> Float:
        """Move each value, (n,), to the nearest of the few different numbers that training saw:
        (n,). `few` must not be empty. Of two that are as near, to the lower one; NaN to the lowest
        of all."""
        few_numbers = np.array(self.few)
        distances = np.abs(few_numbers - values[:, None])
        nearest = distances.argmin(axis=1)
        return np.asarray(few_numbers[nearest])

    def restored(self, values: Float) -> Restored:
        """Values as the source's type has them: the numbers as they are, (n,) float64, NaN for a
        gap."""
        return values

    def rounded(self, values: Float) -> Float:
        """(n,): values, (n,), rounded to the column's decimals; true floats are not rounded, nor is
        what is too large for it."""
        if self.decimals is None:
            return values
        unit = 10.0**self.decimals
        with np.errstate(over="ignore", invalid="ignore"):
            in_decimals = np.rint(values * unit) / unit
        # what is too large to be counted in its decimals has none
        is_countable = np.isfinite(in_decimals)
        return np.asarray(np.where(is_countable, in_decimals, values))

    def within(self, values: Float, ends: Sequence[float] | None = None) -> Float:
        """Values, (n,), rounded to the column's decimals, then limited to `ends`, (lowest,
        highest), or for None to the range that training saw; NaN stays NaN."""
        low, high = self.span if ends is None else ends
        return np.clip(self.rounded(values), low, high)

    def random(self, count: int, rng: np.random.Generator) -> Float:
        """Draw numbers evenly from the range that training saw: (count,), in user units; from 0 to
        1 where it saw none, or 0 alone."""
        # by half the width, as the whole width of all floats would be infinite
        middle = 0.5 * self.low + 0.5 * self.high
        half = 0.5 * self.high - 0.5 * self.low
        if not half:
            # all numbers are one; where that is 0, or there was none, from 0 to 1
            return rng.uniform(self.low, self.high or 1.0, count)
        share = rng.uniform(-1.0, 1.0, count)
        return middle + half * share

    def usually(self, count: int, rng: np.random.Generator) -> Float:
        """Draw numbers by the quantiles that training saw: (count,), in user units; where it saw
        few different numbers, the nearest of these, else rounded to the column's decimals. NaN
        where it saw no finite number."""
        if not self.quantiles:
            return np.full(count, np.nan)
        # evenly drawn parts, and between the quantiles a straight line
        parts = rng.random(count)
        values = np.interp(parts, TOLD, self.quantiles)
        if self.few:
            return self._nearest_of_few(values)
        return self.rounded(values)

    def tried(self, most: int) -> Float:
        """Numbers to try in a record in place of its own, at most `most` different ones, rising, in
        user units: evenly spaced, once standardised, from 2.5 standard deviations below the mean to
        as many above it, and then moved into the range that training saw."""
        standardised = np.linspace(-REACH, REACH, most)
        values = self.scale.restored(standardised)
        inside = np.clip(values, self.low, self.high)
        return np.unique(inside)

    def own_surprise(self, values: Float) -> Float:
        """How many bits less likely each value is than the mean under a normal distribution, (n,):
        z^2 / (2 ln 2), z being its standardised number; where it lies apart from all others, see
        `reach`, the bits of that if they are more; at most 32; 0 for gaps. values: (n,) in user
        units."""
        z = np.nan_to_num(self.scale.standardised(values))
        nats = 0.5 * z**2
        bits = nats / math.log(2)
        if self.reach is not None:
            bits = np.maximum(bits, self.reach.bits(values))
        return np.minimum(bits, MOST_BITS)

    def distance(self, values: Float, others: Float) -> Float:
        """(n,): the squared difference of each two numbers, once both are standardised; 0 where
        either is a gap. values, others: (n,) in user units."""
        standardised = self.scale.standardised(values)
        standardised_others = self.scale.standardised(others)
        # a gap is at no distance from anything
        difference = np.nan_to_num(standardised - standardised_others)
        return np.asarray(difference**2)

    def facts(self) -> dict[str, Json]:
        """Facts about the column by name, as `aetool info` prints them: those of every modelled
        column, and "low", "high" and "resolution", None where training saw no finite number, and
        "unit" if the numbers are written with one."""
        facts = {
            **super().facts(),
            "low": self.low,
            "high": self.high,
            "resolution": self.scale.resolution,
        }
        if not self.quantiles:
            # of no numbers there is neither
            facts |= {"low": None, "high": None, "resolution": None}
        if self.notation.unit:
            facts["unit"] = self.notation.unit
        return facts

    @property
    def is_empty(self) -> bool:
        """Whether training saw nothing but gaps, one at least, and infinities, which are not
        counted."""
        return self.gaps and not self.odd and not self.quantiles

    @property
    def is_constant(self) -> bool:
        """Whether training saw one finite number alone, or none, and no gap."""
        return self.low == self.high and not self.missing

    def understood(self) -> str:
        """Words that say how the column was read: the range of the numbers, and what is unusual in
        how they are written."""
        if self.is_empty:
            return "empty: no finite number"
        if not self.quantiles:
            return "numbers, none of them finite"
        sentence = f"numbers, {self.show(self.low)} to {self.show(self.high)}"
        if self.notation.group:
            sentence += f", thousands parted by {self.notation.group!r}"
        if self.notation.decimal != PLAIN.decimal:
            sentence += f", decimals behind {self.notation.decimal!r}"
        if self.notation.magnitudes:
            sentence += f", {FAMILIES[self.notation.magnitudes].meaning}"
        return sentence

    def written(self) -> dict[str, Json]:
        """How text files write the column's numbers: the keyword arguments for
        `data.writers.text_of`, "token", the text of the first gap, "decimals", and "show", what
        writes a number, if the notation is not the plain one; true floats get the decimals that
        their resolution needs, at most 12."""
        places = self.decimals
        if places is None:
            places = min(MOST_PLACES, self._places_of_resolution)
        written = {**super().written(), "decimals": places}
        # gaps are not shown: words for them make no notation
        without_words = dataclasses.replace(self.notation, gap_words=())
        if without_words != PLAIN:
            written["show"] = self.notation.show
        return written

    def written_within(self, error: float) -> dict[str, Json]:
        """As `written`, but true floats so finely that text adds next to nothing to their error.
        error: the root mean squared error of the numbers, 0 or more, in the column's unit; where it
        is 0 or infinite they stay as `written` has them."""
        written = self.written()
        if self.decimals is None and 0 < error < math.inf:
            needed = math.ceil(-math.log10(error)) + PLACES_BELOW
            written["decimals"] = max(written["decimals"], min(needed, MOST_DECIMALS))
        return written

    def to_json(self) -> dict[str, Json]:
        """A JSON-able form of the column, of which from_json makes an equal one: whatever differs
        from the defaults, the notation too, left out if it is plain."""
        data = super().to_json()
        notation = self.notation.to_json()
        if notation:
            # in place of the object that the base class has there
            data["notation"] = notation
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Self:
        """The column that to_json wrote, checked, with scale, notation and reach made of their
        JSON. data: its fields by name, without the kind. ValueError, TypeError or KeyError if it is
        not one."""
        reach = data.get("reach")
        facts = {
            **data,
            "scale": Scale(**data.get("scale", {})),
            "notation": NumberNotation.from_json(data.get("notation", {})),
            "reach": None if reach is None else Reach(**reach),
        }
        return super().from_json(facts)

    def check(self) -> None:
        """Raise ValueError if the column's fields are of a wrong type or cannot be, as those of a
        damaged file may: scale, range, decimals, quantiles and counts too."""
        super().check()
        self.scale.check()
        if self.decimals is not None:
            # True is a number of Python, too
            is_whole = type(self.decimals) is int
            self._refuse_unless(is_whole and 0 <= self.decimals <= MOST_DECIMALS)
        self._refuse_unless(finite(self.low, self.high))
        self._refuse_unless(self.low <= self.high)
        self._refuse_unless(isinstance(self.few, tuple))
        self._refuse_unless(len(self.few) <= FEW)
        self._refuse_unless(isinstance(self.quantiles, tuple))
        self._refuse_unless(len(self.quantiles) in (0, len(TOLD)))
        self._refuse_unless(finite(*self.few, *self.quantiles))
        self._refuse_unless(isinstance(self.counts, tuple))
        self._refuse_unless(len(self.counts) <= self._bin_count)
        for count in self.counts:
            self._refuse_unless(type(count) is int and count >= 0)
        if self.reach is not None:
            self.reach.check()


def _common_decimals(decimals: Int) -> int | None:
    """How many decimals a column's numbers are taken to have: the most that any is written with.
    None, for true floats, if that is above MOST_READ (9), if it cannot be told of one of them, or
    if there are none. decimals: (n,), how many each number is written with, below 0 where that
    cannot be told."""
    if not len(decimals) or decimals.min() < 0:
        return None
    most_decimals = int(decimals.max())
    return most_decimals if most_decimals <= MOST_READ else None


def _number_or_none(word: str) -> float | None:
    """Parse a word as Python's `float` does, nan and inf included; None if it is no number."""
    try:
        return float(word)
    except ValueError:
        return None
