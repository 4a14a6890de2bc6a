"""The features of a table in sections, each written twice: in numpy, and as nodes of a graph.

A section holds one kind of features, of all the columns that have it, side by side, so that a table
of a thousand columns is a graph of a few dozen nodes. A test holds the two ways together.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from aetool.columns.scale import CLIP, LARGEST, MOST_BENT, Scale
from aetool.model import Float, Int, Spec

if TYPE_CHECKING:
    from aetool.graphs import Graph, Term

Features = npt.NDArray[np.float32]


class Section(ABC):
    """The features of one kind, of all columns that have such. `places` are the indices of columns
    in the graphs' input. NaN is a gap; ODD must have been replaced by it."""

    @property
    @abstractmethod
    def width(self) -> int:
        """How many features the section has, of all columns together."""

    @abstractmethod
    def lay(self, records: Float, out: Features) -> None:
        """Write the section's features of records, (rows, columns) in user units, into `out`,
        (rows, width), in place; `out` is all zeros before."""

    @abstractmethod
    def write(self, graph: Graph, records: str) -> list[str]:
        """Add the same computation as `lay` to a graph; returns the names of float32 arrays that
        side by side are (B, width). records: the name of the input, (B, columns) float64."""


@dataclass(frozen=True)
class Standardised(Section):
    """A feature for each column of numbers: the standardised number, -12 to 12, 0 where it is
    missing. places, scales: of each column its index in the input, and its scale."""

    places: tuple[int, ...]
    scales: tuple[Scale, ...]

    @property
    def width(self) -> int:
        """How many features there are: one for each column of numbers."""
        return len(self.places)

    @property
    def curved(self) -> npt.NDArray[np.bool_]:
        """Which features are of numbers with a heavy tail, which pass through asinh: (width,)
        bool."""
        return np.array([scale.curved for scale in self.scales], dtype=np.bool_)

    def lay(self, records: Float, out: Features) -> None:
        """Write one standardised number for each column into `out`, (rows, width), in place.
        records: (rows, columns) in user units."""
        columns = zip(self.places, self.scales, strict=True)
        for feature, (place, scale) in enumerate(columns):
            values = records[:, place]
            standard = scale.standardised(values)
            is_missing = np.isnan(standard)
            # 0 is the mean: a gap pulls nowhere
            out[:, feature] = np.where(is_missing, 0.0, standard)

    def write(self, graph: Graph, records: str) -> list[str]:
        """Add to a graph the standardised numbers of records, 0 where one is missing; returns the
        name of the one array, (B, width) float32, as `Section.write`. records: the name of (B,
        columns) float64."""
        table = graph.exact_term(records)
        numbers = table.columns(self.places)
        # infinities would be NaN behind the subtraction
        bounded = numbers.clipped(-LARGEST, LARGEST)
        from_center = bounded - self._members_of_scales("center")
        units = from_center / self._members_of_scales("unit")
        if self.curved.any():
            bent = _asinh(units)
            units = self._where_curved(bent, units)
        from_mean = units - self._members_of_scales("mean")
        standard = from_mean / self._members_of_scales("deviation")
        missing = numbers.is_nan()
        standard = missing.choose(0.0, standard)
        # clipped in float64: what is far out has no float32
        clipped = standard.clipped(-CLIP, CLIP)
        return [clipped.single().name]

    def restore(
        self,
        graph: Graph,
        expected: str,
        spec: Spec,
    ) -> str:
        """Add to a graph the nodes that turn expected features back into numbers; returns their
        name, (B, width) float64 in user units, NaN for a number that is more likely missing than
        not. expected: the name of (B, features) float32, means of numbers and logits of flags;
        spec: tells which of these features are numbers, and which flag each of them has."""
        features = graph.term(expected)
        standard = features.columns(spec.numeric)
        standard = standard.clipped(-CLIP, CLIP)
        units = standard.double() * self._members_of_scales("deviation")
        units = units + self._members_of_scales("mean")
        if self.curved.any():
            # sinh of more would be infinite
            bounded = units.clipped(-MOST_BENT, MOST_BENT)
            straightened = _sinh(bounded)
            units = self._where_curved(straightened, units)
        from_center = units * self._members_of_scales("unit")
        numbers = from_center + self._members_of_scales("center")
        numbers = numbers.clipped(-LARGEST, LARGEST)
        is_gated = spec.gate >= 0
        # no number can be missing: no choice is to be written
        if not is_gated.any():
            return numbers.name
        is_missing = self._likely_missing(features, spec)
        gap = numbers.constant(np.nan)
        restored = numbers.op("Where", is_missing, gap, numbers)
        return restored.name

    def _likely_missing(self, features: Term, spec: Spec) -> Term:
        """Add to a graph whether each number is more likely missing than not, by the logits of
        flags among expected features, (B, features): (B, width) bool, False for numbers without a
        flag. spec: its `gate` tells the index of each number's flag, below 0 for none."""
        gated = spec.gate >= 0
        # the flags of numbers that have none are read, too, and not looked at
        flags = np.maximum(spec.gate, 0)
        logit = features.columns(flags)
        # a logit above 0 is a probability above a half
        is_likely = logit > 0.0
        has_flag = features.constant(gated, np.bool_)
        return is_likely & has_flag

    def _members_of_scales(self, name: str) -> list[float]:
        """A list of `width` numbers: a member of the scale of each column, by its name."""
        return [getattr(scale, name) for scale in self.scales]

    def _where_curved(self, if_curved: Term, otherwise: Term) -> Term:
        """Add to a graph a choice for each column of numbers: `if_curved` where it has a heavy
        tail, `otherwise` where not; all (B, width)."""
        # no choice is to be written where all are alike
        if self.curved.all():
            return if_curved
        is_curved = if_curved.constant(self.curved, np.bool_)
        return if_curved.op("Where", is_curved, if_curved, otherwise)


def _asinh(units: Term) -> Term:
    """Add to a graph asinh(u) of units u, written as sign(u) log(|u| + sqrt(u^2 + 1)), as the form
    without |u| cancels where u is far below 0."""
    size = abs(units)
    square = units * units
    square_plus_one = square + 1.0
    root = square_plus_one.sqrt()
    logarithm = (size + root).log()
    return units.sign() * logarithm


def _sinh(bent: Term) -> Term:
    """Add to a graph sinh(v) of values v, (e^v - e^-v) / 2: few runtimes have the operator on a
    GPU."""
    rising = bent.exp()
    falling = (-bent).exp()
    difference = rising - falling
    return difference * 0.5


@dataclass(frozen=True)
class GapFlags(Section):
    """One feature for each column that had gaps in training, a flag: 1 where the value is missing,
    else 0. places: the indices of these columns."""

    places: tuple[int, ...]

    @property
    def width(self) -> int:
        """How many features there are: one for each column that had gaps in training."""
        return len(self.places)

    def lay(self, records: Float, out: Features) -> None:
        """Write a flag for each column with gaps into `out`, (rows, width), in place: 1 where the
        value is missing, else 0. records: (rows, columns) in user units."""
        for feature, place in enumerate(self.places):
            values = records[:, place]
            out[:, feature] = np.isnan(values)

    def write(self, graph: Graph, records: str) -> list[str]:
        """Add to a graph a flag for each column with gaps, 1 where the value is missing, else 0;
        returns the name of the one array, (B, width) float32, as `Section.write`. records: the name
        of (B, columns) float64."""
        table = graph.exact_term(records)
        values = table.columns(self.places)
        flags = values.is_nan().single()
        return [flags.name]


@dataclass(frozen=True)
class Waves(Section):
    """Two features for each cycle of dates, the sine and the cosine of a moment's angle in it, 0
    and 1 where it is missing; all sines first, then all cosines.

    pairs: (place of the column, period in seconds) for each cycle.
    """

    pairs: tuple[tuple[int, float], ...]

    @property
    def width(self) -> int:
        """How many features there are: two for each cycle, a sine and a cosine."""
        return 2 * len(self.pairs)

    def lay(self, records: Float, out: Features) -> None:
        """Write sines, then cosines, into `out`, (rows, width), in place; 0 and 1 for a moment that
        is missing or infinite. records: (rows, columns) in user units."""
        first_cosine = len(self.pairs)
        for wave, (place, period) in enumerate(self.pairs):
            seconds = records[:, place]
            phase = seconds / period
            # whole turns are taken off in float64, before float32 would lose the rest
            fraction = phase - np.floor(phase)
            is_moment = np.isfinite(phase)
            turn = np.where(is_moment, fraction, 0.0)
            angle = 2 * np.pi * turn
            angle = angle.astype(np.float32)
            cosine_feature = first_cosine + wave
            out[:, wave] = np.sin(angle)
            out[:, cosine_feature] = np.cos(angle)

    def write(self, graph: Graph, records: str) -> list[str]:
        """Add to a graph the sines and the cosines of moments, 0 and 1 where one is missing or
        infinite; returns the names of these two arrays, (B, width / 2) float32 each, as
        `Section.write`. records: the name of (B, columns) float64."""
        places = [place for place, _ in self.pairs]
        periods = [period for _, period in self.pairs]
        table = graph.exact_term(records)
        moments = table.columns(places)
        phase = moments / periods
        turn = phase - phase.floor()
        missing = turn.is_nan()
        turn = missing.choose(0.0, turn)
        # the turn is a float64, for epoch seconds have no room in a float32; the angle has
        angle = turn * (2 * np.pi)
        angle = angle.single()
        sine = angle.op("Sin", angle)
        cosine = angle.op("Cos", angle)
        return [sine.name, cosine.name]


class Block(NamedTuple):
    """The one-hot features of one column of words. place: the index of the column among those of
    records in user units, not that of its first feature; levels: how many words it lists; width:
    how many features: the levels, any other word, and missing if training saw gaps."""

    place: int
    levels: int
    width: int


@dataclass(frozen=True)
class OneHot(Section):
    """The one-hot blocks of columns of words, side by side. In a row one feature of each block is
    1, the others are 0: that of a level, of any other word, or of missing (if training saw
    gaps)."""

    blocks: tuple[Block, ...]

    @property
    def width(self) -> int:
        """How many features there are: those of the blocks of all columns of words."""
        return sum(block.width for block in self.blocks)

    def lay(self, records: Float, out: Features) -> None:
        """Write a 1 in each block of `out`, (rows, width), all zeros before, in place: at the
        word's level, behind the levels for any other word, and last for a gap, which in a block
        without a feature for gaps counts as any other word. records: (rows, columns) in user
        units."""
        rows = np.arange(len(records))
        first = 0
        for block in self.blocks:
            levels = records[:, block.place]
            feature = _place_in_block(levels, block)
            out[rows, first + feature] = 1
            first += block.width

    def write(self, graph: Graph, records: str) -> list[str]:
        """Add to a graph the words of records, one feature being 1 in the block of each column, the
        others 0; returns the name of the one array, (B, width) float32, as `Section.write`.
        records: the name of (B, columns) float64."""
        places = [block.place for block in self.blocks]
        table = graph.exact_term(records)
        values = table.columns(places)
        missing = values.is_nan()
        widths = [block.width for block in self.blocks]
        # behind the levels comes any other word, and last what is missing
        last = values.constant([width - 1 for width in widths])
        other = values.constant([block.levels for block in self.blocks])
        index = values.at_least(0.0)
        index = index.at_most(other)
        index = missing.choose(last, index)
        index = index.floor()
        # every feature compares the index of its block with its own place in it
        blocks = np.arange(len(widths))
        block_of_feature = np.repeat(blocks, widths)
        places_in_blocks = [np.arange(width) for width in widths]
        place_in_block = np.concatenate(places_in_blocks)
        index_of_feature = index.columns(block_of_feature)
        is_hot = index_of_feature.equals(place_in_block)
        flags = is_hot.single()
        return [flags.name]

    def restore(
        self,
        graph: Graph,
        expected: str,
        first: int,
    ) -> list[str]:
        """Add to a graph the nodes that turn expected one-hot features back into words; returns a
        name for each block, (B, 1) float64: the index of the likeliest level, NaN where missing is
        likelier or the block has no level. expected: the name of (B, features), in which the logits
        of the blocks begin at index `first`."""
        features = graph.term(expected)
        words = []
        for block in self.blocks:
            word = self._likeliest(features, block, first)
            words.append(word.name)
            first += block.width
        return words

    def _likeliest(
        self,
        features: Term,
        block: Block,
        first: int,
    ) -> Term:
        """Add to a graph the likeliest listed word of one column: (B, 1) float64, its index.

        NaN where missing is likelier than every level, or the block has no level. The feature for
        any other word is not compared: a level is chosen even where that is likelier. features:
        (B, features), in which the block's logits begin at index `first`.
        """
        levels = block.levels
        other = first + levels
        choices = list(range(first, other))
        has_gaps = block.width > levels + 1
        if has_gaps:
            missing = other + 1
            choices.append(missing)
        # a block without a level has but "another" to choose
        if not levels:
            choices = [other]
        logits = features.columns(choices)
        best = logits.op(
            "ArgMax",
            logits,
            axis=1,
            keepdims=1,
        )
        index = best.double()
        # whole numbers: the last level is levels - 1, and what is missing comes behind it
        is_missing = index > levels - 0.5
        return is_missing.choose(np.nan, index)


def _place_in_block(values: Float, block: Block) -> Int:
    """(rows,): the index in a block of the feature that is 1. values: (rows,), indices of levels,
    NaN for a gap, which in a block without a feature for gaps counts as any other word."""
    # behind the levels comes any other word, and last what is missing
    level_or_other = np.clip(values, 0, block.levels)
    is_missing = np.isnan(values)
    place = np.where(is_missing, block.width - 1, level_or_other)
    return place.astype(np.int64)


def concatenated(graph: Graph, parts: Sequence[str]) -> str:
    """Join parts of shapes (B, n) side by side in a graph; returns the name of the result, that of
    the part itself if there is but one. parts: names of values, one at least."""
    if len(parts) == 1:
        return parts[0]
    return graph.op("Concat", *parts, axis=1)
