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
    from aetool.graphs import Graph

Features = npt.NDArray[np.float32]


class Section(ABC):
    """The features of one kind, of all columns that have such. `places` are the indices of columns
    in the graphs' input."""

    @property
    @abstractmethod
    def width(self) -> int:
        """The number of features of the section."""

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
    """A feature for each column of numbers: the standardised number, 0 where it is missing. places,
    scales: of each column."""

    places: tuple[int, ...]
    scales: tuple[Scale, ...]

    @property
    def width(self) -> int:
        return len(self.places)

    @property
    def curved(self) -> npt.NDArray[np.bool_]:
        """(width,): True for features whose numbers have a heavy tail and pass through asinh."""
        return np.array([scale.curved for scale in self.scales], dtype=np.bool_)

    def lay(self, records: Float, out: Features) -> None:
        for feature, (place, scale) in enumerate(zip(self.places, self.scales, strict=True)):
            standard = scale.standardised(records[:, place])
            out[:, feature] = np.where(np.isnan(standard), 0.0, standard)

    def write(self, graph: Graph, records: str) -> list[str]:
        op = graph.op
        numbers = graph.take(records, self.places)
        least = graph.exact(-LARGEST)
        most = graph.exact(LARGEST)
        # infinities would be NaN behind the subtraction
        bounded = op("Clip", numbers, least, most)
        off = op("Sub", bounded, self._constants(graph, "center"))
        units = op("Div", off, self._constants(graph, "unit"))
        if self.curved.any():
            bent = _asinh(graph, units)
            units = self._where_curved(graph, bent, units)
        off = op("Sub", units, self._constants(graph, "mean"))
        standard = op("Div", off, self._constants(graph, "deviation"))
        missing = op("IsNaN", numbers)
        # 0 is the mean: a gap pulls nowhere
        standard = op("Where", missing, graph.exact(0.0), standard)
        # clipped in float64: what is far out has no float32
        lowest = graph.exact(-CLIP)
        highest = graph.exact(CLIP)
        clipped = op("Clip", standard, lowest, highest)
        return [graph.cast(clipped)]

    def restore(self, graph: Graph, expected: str, spec: Spec) -> str:
        """Add to a graph the nodes that turn expected features back into numbers; returns their
        name, (B, width) float64 in user units, NaN for a number that is more likely missing than
        not. expected: (B, features), means of numbers and logits of flags."""
        op = graph.op
        standard = graph.take(expected, spec.numeric)
        standard = op("Clip", standard, graph.const(-CLIP), graph.const(CLIP))
        wide = graph.double(standard)
        units = op("Mul", wide, self._constants(graph, "deviation"))
        units = op("Add", units, self._constants(graph, "mean"))
        if self.curved.any():
            least_bent = graph.exact(-MOST_BENT)
            most_bent = graph.exact(MOST_BENT)
            bent = op("Clip", units, least_bent, most_bent)
            bent = _sinh(graph, bent)
            units = self._where_curved(graph, bent, units)
        numbers = op("Mul", units, self._constants(graph, "unit"))
        numbers = op("Add", numbers, self._constants(graph, "center"))
        least = graph.exact(-LARGEST)
        most = graph.exact(LARGEST)
        numbers = op("Clip", numbers, least, most)
        gated = spec.gate >= 0
        if not gated.any():
            return numbers
        # the flags of numbers that have none are read, too, and not looked at
        logit = graph.take(expected, np.maximum(spec.gate, 0))
        # a logit above 0 is a probability above a half
        likely_missing = op("Greater", logit, graph.const(0.0))
        gone = op("And", likely_missing, graph.const(gated, np.bool_))
        nothing = graph.exact(np.nan)
        return op("Where", gone, nothing, numbers)

    def _constants(self, graph: Graph, name: str) -> str:
        values = [getattr(scale, name) for scale in self.scales]
        return graph.exact(values)

    def _where_curved(self, graph: Graph, bent: str, straight: str) -> str:
        # no choice is to be written where all are alike
        if self.curved.all():
            return bent
        mask = graph.const(self.curved, np.bool_)
        return graph.op("Where", mask, bent, straight)


def _asinh(graph: Graph, units: str) -> str:
    """Add asinh(u) to a graph; returns its name. units: the name of u. It is written as
    sign(u) log(|u| + sqrt(u^2 + 1)), as the form without |u| cancels where u is far below 0."""
    op = graph.op
    size = op("Abs", units)
    square = op("Mul", units, units)
    above = op("Add", square, graph.exact(1.0))
    root = op("Sqrt", above)
    logarithm = op("Log", op("Add", size, root))
    sign = op("Sign", units)
    return op("Mul", sign, logarithm)


def _sinh(graph: Graph, bent: str) -> str:
    op = graph.op
    rising = op("Exp", bent)
    falling = op("Exp", op("Neg", bent))
    both = op("Sub", rising, falling)
    return op("Mul", both, graph.exact(0.5))


@dataclass(frozen=True)
class GapFlags(Section):
    """One feature for each column that had gaps in training, a flag: 1 where the value is missing,
    else 0. places: the indices of these columns."""

    places: tuple[int, ...]

    @property
    def width(self) -> int:
        return len(self.places)

    def lay(self, records: Float, out: Features) -> None:
        for feature, place in enumerate(self.places):
            out[:, feature] = np.isnan(records[:, place])

    def write(self, graph: Graph, records: str) -> list[str]:
        values = graph.take(records, self.places)
        missing = graph.op("IsNaN", values)
        return [graph.cast(missing)]


@dataclass(frozen=True)
class Waves(Section):
    """Two features for each cycle of dates, the sine and the cosine of a moment's angle in it, 0
    and 1 where it is missing; all sines first, then all cosines.

    pairs: (place of the column, period in seconds) for each cycle.
    """

    pairs: tuple[tuple[int, float], ...]

    @property
    def width(self) -> int:
        return 2 * len(self.pairs)

    def lay(self, records: Float, out: Features) -> None:
        for wave, (place, period) in enumerate(self.pairs):
            # whole turns are taken off in float64, before float32 would lose the rest
            phase = records[:, place] / period
            turn = np.where(np.isfinite(phase), phase - np.floor(phase), 0.0)
            angle = (2 * np.pi * turn).astype(np.float32)
            out[:, wave] = np.sin(angle)
            out[:, wave + len(self.pairs)] = np.cos(angle)

    def write(self, graph: Graph, records: str) -> list[str]:
        op = graph.op
        moments = graph.take(records, [place for place, _ in self.pairs])
        periods = graph.exact([period for _, period in self.pairs])
        phase = op("Div", moments, periods)
        turn = op("Sub", phase, op("Floor", phase))
        missing = op("IsNaN", turn)
        turn = op("Where", missing, graph.exact(0.0), turn)
        # the turn is a float64, for epoch seconds have no room in a float32; the angle has
        angle = op("Mul", turn, graph.exact(2 * np.pi))
        angle = graph.cast(angle)
        return [op("Sin", angle), op("Cos", angle)]


class Block(NamedTuple):
    """The one-hot features of one column. place: its index in the input; levels: how many words it
    lists; width: how many features: the levels, any other word, and missing if training saw gaps.
    """

    place: int
    levels: int
    width: int


@dataclass(frozen=True)
class OneHot(Section):
    """The one-hot blocks side by side. In a row one feature of each block is 1, the others are 0:
    that of a level, of any other word, or of missing (if training saw gaps)."""

    blocks: tuple[Block, ...]

    @property
    def width(self) -> int:
        return sum(block.width for block in self.blocks)

    def lay(self, records: Float, out: Features) -> None:
        rows = np.arange(len(records))
        first = 0
        for block in self.blocks:
            feature = _place_in_block(records[:, block.place], block)
            out[rows, first + feature] = 1
            first += block.width

    def write(self, graph: Graph, records: str) -> list[str]:
        op = graph.op
        values = graph.take(records, [block.place for block in self.blocks])
        missing = op("IsNaN", values)
        last = graph.exact([block.width - 1 for block in self.blocks])
        other = graph.exact([block.levels for block in self.blocks])
        index = op("Max", values, graph.exact(0.0))
        index = op("Min", index, other)
        index = op("Where", missing, last, index)
        index = op("Floor", index)
        # every feature compares the index of its block with its own place in it
        widths = [block.width for block in self.blocks]
        owner = np.repeat(np.arange(len(widths)), widths)
        level = np.concatenate([np.arange(width) for width in widths])
        spread_out = graph.take(index, owner)
        hot = op("Equal", spread_out, graph.exact(level))
        return [graph.cast(hot)]

    def restore(self, graph: Graph, expected: str, first: int) -> list[str]:
        """Add to a graph the nodes that turn expected one-hot features back into words; returns a
        name for each block, (B, 1) float64: the index of the likeliest level, NaN where missing is
        likelier. expected: (B, features), in which the logits of the blocks begin at index
        `first`."""
        op = graph.op
        out = []
        for block in self.blocks:
            levels = block.levels
            allowed = list(range(first, first + levels))
            if block.width > levels + 1:
                allowed.append(first + levels + 1)
            # a block without a level has but "another" to choose
            logits = graph.take(expected, allowed if levels else [first])
            best = op("ArgMax", logits, axis=1, keepdims=1)
            index = graph.double(best)
            gone = op("Greater", index, graph.exact(levels - 0.5))
            nothing = graph.exact(np.nan)
            out.append(op("Where", gone, nothing, index))
            first += block.width
        return out


def _place_in_block(values: Float, block: Block) -> Int:
    listed = np.clip(values, 0, block.levels)
    index = np.where(np.isnan(values), block.width - 1, listed)
    return index.astype(np.int64)


def concatenated(graph: Graph, parts: Sequence[str]) -> str:
    """Join parts of shapes (B, n) side by side in a graph; returns the name of the result."""
    if len(parts) == 1:
        return parts[0]
    return graph.op("Concat", *parts, axis=1)
