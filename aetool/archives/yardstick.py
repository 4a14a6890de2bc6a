"""A yardstick of errors: one number, by which archives of every kind can be compared.

An error of 0 is exact. An error of 1 is what a table has whose numbers are all their column's mean
and whose words are all their column's commonest, or a picture that is gray all over: nothing of the
records is left. Of a table it is the mean over the columns that lost something and the numbers that
could have lost as much, so that words, keys and dates that are kept as they are, and whole numbers
that are too coarse for such an error, do not make the error of the others look smaller.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from aetool.archives.levels import DEEP, SHALLOW
from aetool.canonical import Json
from aetool.codec import lossy
from aetool.columns.column import ODD
from aetool.columns.schema import Schema
from aetool.data.images import FolderSource, ImageSource
from aetool.data.pictures.depths import values_of_one_depth
from aetool.data.sources import RESERVOIR
from aetool.data.table import Table
from aetool.data.table_source import TableSource
from aetool.fits.asked import FitOptions
from aetool.fits.inferring import inferred
from aetool.model import Array, Float

SAMPLE = 1 << 16  # rows of a large table that bounds are chosen on


@dataclass(frozen=True, eq=False)
class NumberColumn:
    """The statistics of a column of numbers by which its errors are measured. variance: of its
    numbers, in squared units; count: how many there are; decimals: of the grid that they lie on,
    None if on none; sample: some of them, (n,), NaN where missing."""

    variance: float
    count: int
    decimals: int | None
    sample: Float

    def can_lose(self, part: float) -> bool:
        """Whether some error bound changes the column's numbers, and yet loses at most this part (0
        .. 1) of their variance."""
        return self.bound(part * self.variance) > 0

    def bound(self, mean_square: float) -> Fraction:
        """The largest error of each number, in the column's unit, with which the mean squared
        error, tried on the sample, is at most mean_square; 0 if only exact numbers achieve
        that."""
        return lossy.bound_of_error(self.sample, mean_square, self.decimals)


@dataclass(frozen=True, eq=False)
class TableYardstick:
    """Measures the error of a table's archive in its columns' standard deviations, 0 being exact:
    the root of the mean loss over the columns that lost something, and the numbers that could have
    lost as much (see the module).

    numbers: by name the columns of numbers. chance: by column of words, the share that is wrong if
    each is taken for the commonest, by which the share that is wrong is divided. Constant columns
    and columns of one word are in neither.
    """

    numbers: Mapping[str, NumberColumn]
    chance: Mapping[str, float]

    @classmethod
    def of(cls, source: TableSource, options: FitOptions) -> TableYardstick:
        """The yardstick of a table, which is read twice for it, once for a sample that tells the
        kinds of its columns. options: those of a fit that say how columns are read. DataError if
        there are no records. ParamError if the options name a type, a condition or a column to drop
        that is not there."""
        # the kinds of columns are told by a sample, as for a fit
        table, _ = source.sample(RESERVOIR, options.seed)
        schema = inferred(source, table, options)
        columns = _SumsOfColumns(schema)
        for batch in source.batches():
            columns.add(schema.encode(batch, source.name))
        return columns.yardstick(table, source.name)

    def of_squares(self, squares: Mapping[str, float]) -> float:
        """The error of an archive, 0 or more, in standard deviations, that loses nothing but
        precision of numbers. squares: by column the sum of squared errors; a column that is not in
        `numbers` counts as lost if its sum is above 0."""
        of_numbers = {}
        of_others = []
        for name, square in squares.items():
            column = self.numbers.get(name)
            if column is not None:
                # of all of the column's numbers, as if each were its mean
                most = column.count * column.variance
                of_numbers[name] = square / most
            elif square > 0:
                # no number to the yardstick, a key perhaps: it was moved, and so it is lost
                of_others.append(1.0)
        return self._root_of_mean_loss(of_numbers, of_others)

    def of_figures(self, figures: Mapping[str, Json]) -> float:
        """The error of a lossy archive, 0 or more, in standard deviations, by its figures'
        "errors": by column "rmse", the root mean squared error, of numbers alone, and "wrong", the
        part of cells, 0 to 1, that is wrong. Columns that are neither in `numbers` nor in `chance`
        do not count."""
        of_numbers = {}
        of_others = []
        for name, errors in figures.get("errors", {}).items():
            wrong = float(errors["wrong"])
            column = self.numbers.get(name)
            if column is not None:
                rmse = float(errors["rmse"])
                lost = rmse**2 / column.variance
                # a number in place of a gap, or none in place of one, is lost altogether
                of_numbers[name] = lost + wrong
            elif name in self.chance:
                of_others.append(wrong / self.chance[name])
        return self._root_of_mean_loss(of_numbers, of_others)

    def bounds(self, error: float) -> dict[str, Fraction]:
        """The error bound of each column of numbers, in its own unit, at which its root mean
        squared error is about `error` standard deviations, the same for all. Columns that can only
        be exact are left out."""
        bounds = {}
        for name, column in self.numbers.items():
            bound = column.bound(error**2 * column.variance)
            if bound:
                bounds[name] = bound
        return bounds

    def psnr(self, error: float) -> float | None:
        """The peak signal-to-noise ratio at an error: None, as a table has none. error: not
        used."""
        return None

    def _root_of_mean_loss(
        self, of_numbers: Mapping[str, float], of_others: Sequence[float]
    ) -> float:
        """The error of an archive, from what its columns lost: the root of the mean loss over the
        columns that lost something. A column of numbers that lost nothing counts, too, as 0, if a
        bound would change it at a loss of at most the mean of the other columns of numbers. Never
        less than the same over columns of numbers alone; 0 if nothing was lost.

        of_numbers: by column what its numbers lost, in variances; of_others: what each other column
        lost, the part of its cells that is wrong over the part that is wrong by chance.
        """
        losses_of_numbers = {name: loss for name, loss in of_numbers.items() if loss > 0}
        losses_of_others = [loss for loss in of_others if loss > 0]
        total = sum(losses_of_numbers.values())
        count = len(losses_of_numbers)
        if losses_of_numbers:
            # a column that could have lost as much and lost nothing lowers the mean; one that no
            # such bound can change does not
            mean_loss = total / count
            for name, column in self.numbers.items():
                if name not in losses_of_numbers and column.can_lose(mean_loss):
                    count += 1
        mean_of_numbers = total / max(1, count)
        total += sum(losses_of_others)
        count += len(losses_of_others)
        mean_of_all = total / max(1, count)
        # a few wrong words must not dilute the error of numbers, either
        mean = max(mean_of_numbers, mean_of_all)
        return float(mean**0.5)


@dataclass(frozen=True)
class PictureYardstick:
    """Measures the error of an archive of pictures: the root mean squared error of pixels over
    `deviation`, their standard deviation, in levels of 0 to `highest` (1 if all are equal). count:
    how many values of pixels there are. highest: the level of white, 255 of 8 bits, and 65535 of
    16. unread: "name: reason" of each picture of a folder that could not be read, of which no error
    is told."""

    deviation: float
    count: int = 1
    highest: int = SHALLOW
    unread: Sequence[str] = ()

    @classmethod
    def of(cls, source: ImageSource) -> PictureYardstick:
        """The yardstick of pictures of one form, of 8 bits a value, which are read once for it.
        DataError where one cannot be read."""
        return cls._of_values(source.batches())

    @classmethod
    def of_folder(cls, source: FolderSource) -> PictureYardstick:
        """The yardstick of a folder's pictures, which may differ in size and colours: all their
        values count alike. They are read once for it; one that cannot be read is named in `unread`.
        ParamError for several depths or transparent parts, DataError where none can be read."""
        unread: list[str] = []
        of_others = cls._of_values(values_of_one_depth(source, unread))
        return dataclasses.replace(of_others, unread=unread)

    @classmethod
    def _of_values(cls, parts: Iterable[Array]) -> PictureYardstick:
        """The yardstick of the values of pixels, which come in parts: arrays of any shape, all
        uint8 or all uint16; one of uint16 is enough for `highest` to be that of 16 bits."""
        # all values together are one column
        moments = _Moments(1)
        highest = SHALLOW
        for part in parts:
            values = part.astype(np.float64)
            moments.add(values.reshape(-1, 1))
            if part.dtype != np.uint8:
                highest = DEEP
        (variance,) = moments.variance().tolist()
        (count,) = moments.count.tolist()
        # of pictures of one gray any error is as large as it is in levels
        deviation = variance**0.5 or 1.0
        return cls(deviation, int(count), highest)

    def of_figures(self, figures: Mapping[str, Json]) -> float:
        """The error of a lossy archive of pictures, 0 being exact, from the root mean squared error
        in levels that its figures report as "rmse"."""
        return float(figures["rmse"]) / self.deviation

    def of_square(self, square: float) -> float:
        """The error of an archive of pictures, in standard deviations, from the sum of squared
        errors of all values, in squared levels."""
        mean_square = square / max(1, self.count)
        noise = mean_square**0.5
        return float(noise / self.deviation)

    def of_psnr(self, decibels: float) -> float:
        """The error, in standard deviations, at which pictures have this peak signal-to-noise
        ratio, in dB."""
        # the inverse of `psnr`
        noise = self.highest * 10 ** (-decibels / 20)
        return float(noise / self.deviation)

    def psnr(self, error: float) -> float | None:
        """The peak signal-to-noise ratio, in dB, of pictures at an error in standard deviations;
        None at an error of 0 or less, where it is infinite."""
        if error <= 0:
            return None
        noise = error * self.deviation
        return float(20 * np.log10(self.highest / noise))


Yardstick = TableYardstick | PictureYardstick


class _SumsOfColumns:
    """Sums over the records of a table, taken batch by batch, from which its yardstick is made:
    count, mean and variance of each column of numbers, and how often each word of the other columns
    occurs. schema: how the columns are read; those that models only take as conditions are left
    out."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        # the places of both kinds of columns among those of a record
        self.numbers: list[int] = []
        self.words: list[int] = []
        for place, column in enumerate(schema.modelled):
            if not column.predicted:
                continue
            if column.measured:
                self.numbers.append(place)
            else:
                self.words.append(place)
        self.moments = _Moments(len(self.numbers))
        # for each column of words how often each word occurs, by its number
        self.levels: list[dict[float, int]] = [{} for _ in self.words]

    def add(self, records: Float) -> None:
        """Count a batch of encoded records in the sums. records: (rows, columns), float64, as
        models take them: a number's value, a word's number, NaN for a missing cell."""
        records = _without_odd(records)
        self.moments.add(records[:, self.numbers])
        for counts, place in zip(self.levels, self.words, strict=True):
            values = records[:, place]
            is_known = ~np.isnan(values)
            levels, times = np.unique(values[is_known], return_counts=True)
            for level, count in zip(levels.tolist(), times.tolist(), strict=True):
                counts[level] = counts.get(level, 0) + count

    def yardstick(self, table: Table, where: str) -> TableYardstick:
        """The yardstick of the records added. table: a sample of them, of which at most SAMPLE
        (2^16) evenly spaced rows are kept, to try bounds on; where: the source's name, for
        messages. Constant columns, and columns of one word, are left out."""
        modelled = self.schema.modelled
        sample = _without_odd(self.schema.encode(table, where))
        # evenly spaced rows, of many
        step = max(1, math.ceil(len(sample) / SAMPLE))
        sample_rows = sample[::step]
        counts = self.moments.count.tolist()
        variances = self.moments.variance().tolist()
        numbers = {}
        for number, place in enumerate(self.numbers):
            variance = variances[number]
            # a constant column has nothing to lose
            if variance <= 0:
                continue
            column = modelled[place]
            numbers[column.name] = NumberColumn(
                variance=variance,
                count=int(counts[number]),
                decimals=column.decimal_places,
                sample=sample_rows[:, place],
            )
        chance = {}
        for place, levels in zip(self.words, self.levels, strict=True):
            wrong = _wrong_by_chance(list(levels.values()))
            if wrong > 0:
                chance[modelled[place].name] = wrong
        return TableYardstick(numbers, chance)


def _without_odd(records: Float) -> Float:
    """(rows, columns): records with NaN in place of cells that are not of their column's kind, as
    these are stored exactly and have no size."""
    return np.where(records == ODD, np.nan, records)


def _wrong_by_chance(counts: Sequence[int]) -> float:
    """The share of a column's words that are other than its commonest. counts: how often each word
    is there; 0 for no words."""
    if not counts:
        return 0.0
    return 1 - max(counts) / sum(counts)


class _Moments:
    """Counts, means and sums of squared differences from the mean, (columns,) float64 each, updated
    batch by batch; all 0 at first."""

    def __init__(self, columns: int) -> None:
        self.count = np.zeros(columns)
        self.mean = np.zeros(columns)
        self.squares = np.zeros(columns)  # of the differences from the mean

    def add(self, values: Float) -> None:
        """Add values, (rows, columns); those that are not finite are left out."""
        # squares of numbers beyond 1e154 are infinite, which `variance` looks for
        with np.errstate(over="ignore", invalid="ignore"):
            self._add(values)

    def _add(self, values: Float) -> None:
        """Add the moments of values, (rows, columns), to those so far: counts, means and sums of
        squared distances from these, by column; what is not finite does not count."""
        is_known = np.isfinite(values)
        count = is_known.sum(axis=0)
        known = np.where(is_known, values, 0.0)
        mean = known.sum(axis=0) / np.maximum(count, 1)
        deviations = np.where(is_known, values - mean, 0.0)
        squares = np.square(deviations).sum(axis=0)
        # two sets are joined without a difference of large numbers: Chan, Golub & LeVeque 1983
        both_counts = np.maximum(self.count + count, 1)
        difference_of_means = mean - self.mean
        # what the squares grow by since both means move to a common one
        between = difference_of_means**2 * self.count * count / both_counts
        self.squares += squares
        self.squares += between
        self.mean += difference_of_means * count / both_counts
        self.count += count

    def variance(self) -> Float:
        """(columns,): the variance of each column; 0 if it has no values, or the variance is too
        large for a float."""
        count = np.maximum(self.count, 1)
        variance = self.squares / count
        return np.where(np.isfinite(variance), variance, 0.0)
