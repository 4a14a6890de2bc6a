"""How large an error is beside what there is to know: one number for archives of every kind.

An error of 0 is exact. An error of 1 is what a table has whose numbers are all their column's mean
and whose words are all their column's commonest, or a picture that is gray all over: nothing of the
records is left. Of a table it is the mean over columns that can lose something, so that words, keys
and dates that are kept as they are, and numbers such as 0 and 1 between which there is nothing to
round to, do not make the error of the others look smaller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from aetool.canonical import Json
from aetool.codec import lossy
from aetool.columns.schema import Schema
from aetool.data.images import ImageSource
from aetool.data.sources import RESERVOIR
from aetool.data.table import Table
from aetool.data.table_source import TableSource
from aetool.fits.fitting import FitOptions
from aetool.fits.preparing import inferred
from aetool.model import Float

WHITE = 255.0  # the largest value of a pixel
SAMPLE = 1 << 16  # rows of a large table that bounds are chosen on
ALMOST_ALL = 0.98  # of a variance: who loses as much has kept nothing


@dataclass(frozen=True, eq=False)
class NumberColumn:
    """What is known of a column of numbers: its variance, how many it holds, the decimals of the
    grid that they lie on (None: no grid), and some of them."""

    variance: float
    count: int
    decimals: int | None
    sample: Float

    @cached_property
    def is_movable(self) -> bool:
        """Whether any bound keeps something of the numbers without keeping all."""
        return self.bound(ALMOST_ALL * self.variance) > 0

    def bound(self, mean_square: float) -> Fraction:
        """The largest error that each number may have for the column's mean squared error to stay
        within mean_square; 0 where only exact numbers do."""
        return lossy.bound_of_error(self.sample, mean_square, self.decimals)


@dataclass(frozen=True, eq=False)
class TableYardstick:
    """Measures errors of tables: each column's error is divided by its standard deviation. Constant
    columns are left out. numbers: the columns of numbers by name. chance: for each column of words,
    the share that is wrong if every word is taken for the commonest."""

    numbers: Mapping[str, NumberColumn]
    chance: Mapping[str, float]

    @classmethod
    def of(cls, source: TableSource, options: FitOptions) -> TableYardstick:
        """Read a table once, and return how its errors are measured."""
        table, _ = source.sample(RESERVOIR, options.seed)
        schema = inferred(source, table, options)
        columns = _Columns(schema)
        for batch in source.batches():
            columns.add(schema.encode(batch, source.name))
        return columns.yardstick(table, source.name)

    def of_squares(self, squares: Mapping[str, float]) -> float:
        """The error of an archive from the sum of squared errors of each column of numbers; words
        must be exact."""
        of_numbers = 0.0
        of_others = []
        for name, square in squares.items():
            column = self.numbers.get(name)
            if column is not None:
                lost = square / (column.count * column.variance)
                if column.is_movable:
                    of_numbers += lost
                elif lost > 0:
                    of_others.append(lost)
            elif square > 0:
                # no number to the yardstick, a key perhaps: it was moved, and so it is lost
                of_others.append(1.0)
        return self._mean_root(of_numbers, of_others)

    def of_figures(self, figures: Mapping[str, Json]) -> float:
        """The error of a lossy archive, from the figures that it reports of each column."""
        of_numbers = 0.0
        of_others = []
        for name, errors in figures.get("errors", {}).items():
            wrong = float(errors["wrong"])
            column = self.numbers.get(name)
            if column is not None:
                lost = float(errors["rmse"]) ** 2 / column.variance + wrong
                if column.is_movable:
                    of_numbers += lost
                elif lost > 0:
                    of_others.append(lost)
            elif name in self.chance and wrong > 0:
                of_others.append(wrong / self.chance[name])
        return self._mean_root(of_numbers, of_others)

    def bounds(self, error: float) -> dict[str, Fraction]:
        """The largest error for each column's numbers that gives all columns the same relative
        error. Columns that can only be exact are left out."""
        bounds = {}
        for name, column in self.numbers.items():
            bound = column.bound(error**2 * column.variance)
            if bound:
                bounds[name] = bound
        return bounds

    def psnr(self, error: float) -> float | None:
        """None: a table has no peak."""
        return None

    def _mean_root(self, of_numbers: float, of_others: Sequence[float]) -> float:
        """The root of the mean over all columns of numbers that can be moved and those others that
        were changed.

        of_numbers: the sum of what the former lost. of_others: what each of the latter lost.
        """
        movable = sum(column.is_movable for column in self.numbers.values())
        numbers = of_numbers / max(1, movable)
        changed = movable + len(of_others)
        mean = (of_numbers + sum(of_others)) / max(1, changed)
        # a few wrong words must not dilute the error of numbers, either
        return float(max(numbers, mean) ** 0.5)


@dataclass(frozen=True)
class PictureYardstick:
    """Measures errors of pictures: root mean squared error of pixels divided by their standard
    deviation (deviation, in levels of 0 to 255)."""

    deviation: float

    @classmethod
    def of(cls, source: ImageSource) -> PictureYardstick:
        """Read pictures once, and return how their errors are measured."""
        moments = _Moments(1)
        for batch in source.batches():
            pixels = batch.astype(np.float64)
            moments.add(pixels.reshape(-1, 1))
        variance = float(moments.variance()[0])
        # of pictures of one gray any error is as large as it is in levels
        return cls(variance**0.5 or 1.0)

    def of_figures(self, figures: Mapping[str, Json]) -> float:
        """The error of a lossy archive of pictures, from the root mean squared error that it
        reports."""
        return float(figures["rmse"]) / self.deviation

    def of_psnr(self, decibels: float) -> float:
        """The error at which pictures have this peak signal-to-noise ratio."""
        noise = WHITE * 10 ** (-decibels / 20)
        return float(noise / self.deviation)

    def psnr(self, error: float) -> float | None:
        """The peak signal-to-noise ratio at an error, in dB; None where there is no noise."""
        if error <= 0:
            return None
        noise = error * self.deviation
        return float(20 * np.log10(WHITE / noise))


Yardstick = TableYardstick | PictureYardstick


class _Columns:
    """Running statistics of a table's columns while it is read."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.numbers: list[int] = []
        self.words: list[int] = []
        for place, column in enumerate(schema.modelled):
            if column.predicted:
                kind = self.numbers if column.measured else self.words
                kind.append(place)
        self.moments = _Moments(len(self.numbers))
        self.levels: list[dict[float, int]] = [{} for _ in self.words]

    def add(self, records: Float) -> None:
        """Add a batch of records, (rows, columns), in the form that models take."""
        self.moments.add(records[:, self.numbers])
        for counts, place in zip(self.levels, self.words, strict=True):
            known = records[~np.isnan(records[:, place]), place]
            different, times = np.unique(known, return_counts=True)
            for level, count in zip(different.tolist(), times.tolist(), strict=True):
                counts[level] = counts.get(level, 0) + count

    def yardstick(self, table: Table, where: str) -> TableYardstick:
        """The finished yardstick. table: rows from anywhere in the source, on which bounds are
        tried."""
        modelled = self.schema.modelled
        sample = self.schema.encode(table, where)
        every = max(1, -(-len(sample) // SAMPLE))
        numbers = {}
        counts = self.moments.count.tolist()
        variances = self.moments.variance().tolist()
        for place, count, variance in zip(self.numbers, counts, variances, strict=True):
            if variance > 0:
                column = modelled[place]
                some = sample[::every, place]
                numbers[column.name] = NumberColumn(variance, int(count), column.places, some)
        chance = {}
        for place, levels in zip(self.words, self.levels, strict=True):
            wrong = _wrong_by_chance(list(levels.values()))
            if wrong > 0:
                chance[modelled[place].name] = wrong
        return TableYardstick(numbers, chance)


def _wrong_by_chance(counts: Sequence[int]) -> float:
    """The share of a column's words that are not its commonest word. counts: how often each word
    occurs."""
    if not counts:
        return 0.0
    return 1 - max(counts) / sum(counts)


class _Moments:
    """Running counts, means and sums of squares of columns."""

    def __init__(self, columns: int) -> None:
        self.count = np.zeros(columns)
        self.mean = np.zeros(columns)
        self.squares = np.zeros(columns)  # of the differences from the mean

    def add(self, values: Float) -> None:
        """Add rows, (rows, columns), leaving out missing and infinite values."""
        # squares of numbers beyond 1e154 are infinite, which `variance` looks for
        with np.errstate(over="ignore", invalid="ignore"):
            self._add(values)

    def _add(self, values: Float) -> None:
        is_known = np.isfinite(values)
        count = is_known.sum(axis=0)
        known = np.where(is_known, values, 0.0)
        mean = known.sum(axis=0) / np.maximum(count, 1)
        off = np.where(is_known, values - mean, 0.0)
        squares = np.square(off).sum(axis=0)
        # two sets are joined without a difference of large numbers: Chan, Golub & LeVeque 1983
        together = np.maximum(self.count + count, 1)
        apart = mean - self.mean
        self.squares += squares
        self.squares += apart**2 * self.count * count / together
        self.mean += apart * count / together
        self.count += count

    def variance(self) -> Float:
        """(columns,): the variance of each column; 0 where it holds nothing, or is too large for a
        float."""
        count = np.maximum(self.count, 1)
        found = self.squares / count
        return np.where(np.isfinite(found), found, 0.0)
