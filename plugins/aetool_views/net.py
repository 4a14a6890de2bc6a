"""The nearest neighbours of a picture (Ramaswamy, Rastogi & Shim 2000) on several views of it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from aetool.closed_form import Batches, Builder, ClosedForm, Solution, Value, costs, evaluated
from aetool.errors import DataError
from aetool.folds import stretch_folds
from aetool.model import Float, Int
from aetool.rarity import Rarity
from aetool_views.views import SCALE, Views

JUDGED = 1000  # pictures whose distances tell how rare a distance is
STRETCHES, FEWEST_TO_SPLIT = 5, 20  # parts of the pictures that are judged by the others; pictures
NEIGHBOURS = 0.5  # that count, times the root of how many are remembered
LEVELS = 255  # that coordinates are stored in
LEAST = 1e-6  # squared distance, so that its logarithm is defined
LITTLE = 1e-6  # difference of pixels, so that shares are defined


@dataclass(frozen=True, eq=False)
class Memory:
    """The coordinates of remembered pictures in one view, stored in whole steps: low + step *
    levels.

    levels: (k, coordinates) uint8.
    """

    levels: npt.NDArray[np.uint8]
    low: float
    step: float

    @classmethod
    def of(cls, coordinates: Float) -> Memory:
        low = float(coordinates.min())
        high = float(coordinates.max())
        step = max(high - low, 1e-6) / LEVELS
        levels = np.round((coordinates - low) / step).astype(np.uint8)
        return cls(levels, low, step)

    @property
    def coordinates(self) -> Float:
        """(k, coordinates): the remembered coordinates, restored from their levels."""
        return self.low + self.step * self.levels.astype(np.float64)

    @property
    def rounding(self) -> float:
        """The largest squared distance of a picture from itself as it is remembered, rounded."""
        return float(self.levels.shape[1] * self.step**2 / 4)

    def write(self, g: Builder) -> Value:
        """Add the remembered coordinates to a graph; returns (k, coordinates)."""
        levels = g.as_number(g.const(self.levels, np.uint8))
        return levels * self.step + self.low


@dataclass(frozen=True, eq=False)
class Compared:
    """The distances of judged pictures from remembered ones, in each view.

    squares: of each view, (judged, remembered), squared distances. apart: (judged, remembered),
    which may be compared. judged, remembered: which of the pictures fitted these are, rising.
    """

    squares: Sequence[Float]
    apart: npt.NDArray[np.bool_]
    judged: Int
    remembered: Int

    def without(self, left_out: Int) -> Compared:
        """A copy without the pictures whose numbers are in left_out, judged or remembered."""
        judged = ~np.isin(self.judged, left_out)
        remembered = ~np.isin(self.remembered, left_out)
        both = np.ix_(judged, remembered)
        return Compared(
            tuple(square[both] for square in self.squares),
            self.apart[both],
            self.judged[judged],
            self.remembered[remembered],
        )

    def rarity(self, count: int) -> Rarity:
        """The rarity of sums over views of the log mean distance from the nearest `count`."""
        far = np.zeros(len(self.judged))
        for square in self.squares:
            far += np.log(_mean_distance(square, self.apart, count))
        return Rarity.of_few(far)


@dataclass(frozen=True, eq=False)
class Neighbours(Solution):
    """Remembered pictures in several views, by which other pictures are scored.

    count: how many of the nearest a picture is compared with; rarity: how rare the sum over views
    of the logarithm of their mean distance is. moves: by which pixels a picture is moved, of which
    the best counts.

    A picture at the very place of one that is remembered may be that picture itself, which is then
    left out. Score: how rare its distances are, in bits; it falls on the pixels by how they differ
    from the nearest picture, both blurred.
    """

    views: Views
    memories: Sequence[Memory]
    count: int
    rarity: Rarity
    moves: Sequence[tuple[int, int]]
    compared: Compared
    report: Mapping[str, int] = field(default_factory=dict)
    fair: bool = True

    def without(self, rows: Int) -> Neighbours:
        """The solution without the fitted pictures of these numbers; this one if no picture would
        be left."""
        stays = ~np.isin(self.compared.remembered, rows)
        compared = self.compared.without(rows)
        if not len(compared.remembered) or not len(compared.judged):
            return self
        count = _count(len(compared.remembered))
        memories = [replace(one, levels=one.levels[stays]) for one in self.memories]
        return replace(
            self,
            memories=memories,
            count=count,
            rarity=compared.rarity(count),
            compared=compared,
        )

    def expected(self, g: Builder, x: Value) -> Value:
        """(batch, features): the nearest remembered picture, blurred."""
        colours = self.views.write(g, x)[0]
        _, nearest = self._distance(g, colours, self.memories[0])
        channels = self.views.shape[0]
        features = self.views.enlarged(g, nearest, channels)
        return features * (1 / SCALE)

    def bits(self, g: Builder, x: Value) -> Value:
        """(batch, pixels + 1), in bits: what each pixel adds to the score; the last is 0."""
        views_of_moves = [self.views.write(g, x, move) for move in self.moves]
        total = g.nothing(x)
        for view, memory in enumerate(self.memories):
            distances = [self._distance(g, views[view], memory)[0] for views in views_of_moves]
            least = distances[0]
            for distance in distances[1:]:
                least = g.minimum(least, distance)
            total = total + g.log(least)
        rare = Value(g, self.rarity.write(g.graph, total.name))
        share = self._shares(g, x)
        return g.side_by_side(share * rare, g.nothing(x))

    def _shares(self, g: Builder, x: Value) -> Value:
        """(batch, pixels): how much each pixel adds to the squared distance from the nearest
        picture, both blurred, as a part of all."""
        channels = self.views.shape[0]
        colours = self.views.write(g, x)[0]
        _, nearest = self._distance(g, colours, self.memories[0])
        off = self.views.enlarged(g, colours - nearest, channels)
        square = off * off + LITTLE**2
        parts = costs.summed(g, square, g.spec.owner.tolist())
        columns = len(g.spec.columns)
        pixels = g.columns_of(parts, list(range(columns)))
        return pixels / g.sum_of(pixels, np.ones(columns))

    def _distance(self, g: Builder, view: Value, memory: Memory) -> tuple[Value, Value]:
        """Compare pictures with the remembered ones in one view: ((batch, 1), the mean distance
        from the nearest pictures; (batch, coordinates), the nearest one). view: (batch,
        coordinates)."""
        rows = memory.write(g)
        width = memory.levels.shape[1]
        length = (memory.coordinates**2).sum(axis=1)
        square = g.op("Gemm", view, rows, length, transB=1, alpha=-2.0)
        square = square + g.sum_of(view * view, np.ones(width))
        spare = min(self.count + 1, len(memory.levels))
        index = g.numbers_of_least(square, spare)
        square = g.maximum(
            g.op("GatherElements", square, index, axis=1),
            LEAST,
        )
        first = g.columns_of(index, [0])
        root = g.op("Sqrt", square)
        place = np.arange(spare)
        nearest = g.sum_of(root, (place < self.count) / min(self.count, spare))
        if spare > 1:
            is_itself = g.columns_of(square, [0]) <= memory.rounding + LEAST
            others = g.sum_of(root, (place > 0) / (spare - 1))
            nearest = g.where(is_itself, others, nearest)
            first = g.where(is_itself, g.columns_of(index, [1]), first)
        flat = g.op("Reshape", first, g.const([-1], np.int64))
        return nearest, g.op("Gather", rows, flat, axis=0)


class Nearest(ClosedForm):
    """Fits a memory of pictures in several views; of too many pictures it keeps a random sample."""

    def fit(self, batches: Batches) -> Neighbours:
        """Remember the pictures in batches, and measure how far each lies from the others.
        DataError without pictures."""
        total = sum(len(batch) for batch in batches)
        if not total:
            raise DataError("no pictures to fit")
        assert self.spec.shape is not None
        views = Views(self.spec.shape, self.params.brightness)
        kept = _some(total, self.params.size, 0)
        judged = _some(total, JUDGED, 1)
        shown = np.union1d(kept, judged)
        laid = [
            evaluated(
                lambda g, x: g.side_by_side(*views.write(g, x)),
                self.spec,
                part,
            )
            for part in _chosen(batches, shown)
        ]
        every = np.concatenate(laid)
        widths = views.widths
        coordinates = np.split(every, np.cumsum(widths)[:-1], axis=1)
        place = np.searchsorted(shown, kept)
        if self.params.trim:
            near = _nearer([one[place] for one in coordinates], 1 - self.params.trim)
            kept = kept[near]
            place = place[near]
        memories = [Memory.of(one[place]) for one in coordinates]
        count = _count(len(kept))
        stretch = np.arange(total)
        if total >= FEWEST_TO_SPLIT:
            stretch = stretch_folds(total, STRETCHES)
        place = np.searchsorted(shown, judged)
        compared = Compared(
            tuple(
                _squares(one[place], memory.coordinates)
                for one, memory in zip(coordinates, memories, strict=True)
            ),
            stretch[judged][:, None] != stretch[kept],
            judged,
            kept,
        )
        rarity = compared.rarity(count)
        report = {"remembered": len(kept)}
        return Neighbours(views, memories, count, rarity, self._moves(), compared, report)

    def _moves(self) -> list[tuple[int, int]]:
        """The shifts, (down, right) in pixels, at which a picture is compared: none, and by all of
        the parameter `shift` and by half of it, in every direction."""
        most = self.params.shift
        steps = sorted({0, most, most // 2}, key=abs)
        line = [sign * step for step in steps for sign in ((1, -1) if step else (1,))]
        return list(itertools.product(line, line))


def _count(remembered: int) -> int:
    """The number of nearest remembered pictures with which a picture is compared."""
    return max(1, round(NEIGHBOURS * math.sqrt(remembered)))


def _some(total: int, most: int, seed: int) -> Int:
    """(n,), rising: all numbers below total, or if there are more than `most` a random `most` of
    them."""
    if total <= most:
        return np.arange(total)
    drawn = np.random.default_rng(seed).choice(total, most, replace=False)
    return np.sort(drawn)


def _chosen(batches: Batches, rows: Int) -> Iterator[Float]:
    """Yield, batch by batch as float64, the rows in batches whose numbers are in rows, (n,),
    ascending."""
    first = 0
    for batch in batches:
        own = rows[(rows >= first) & (rows < first + len(batch))]
        if len(own):
            yield batch[own - first].astype(np.float64)
        first += len(batch)


def _nearer(views: Sequence[Float], part: float) -> Int:
    """Choose the pictures that lie nearest to others: their numbers, ascending; those that lie far
    may be no ordinary ones. views: for each view the coordinates, (pictures, coordinates). part:
    how many to choose, as a part of all."""
    total = len(views[0])
    count = _count(total)
    apart = ~np.eye(total, dtype=bool)
    far = np.zeros(total)
    for coordinates in views:
        far += np.log(_mean_distance(_squares(coordinates, coordinates), apart, count))
    order = np.argsort(far, kind="stable")
    return np.sort(order[: max(1, round(part * total))])


def _mean_distance(square: Float, apart: npt.NDArray[np.bool_], count: int) -> Float:
    """The mean distance of each picture from the nearest `count` of others, (n,). square: (n, k),
    squared distances; apart: (n, k) bool, which pairs may be compared."""
    square = np.where(apart, square, np.inf)
    count = min(count, square.shape[1])
    nearest = np.partition(square, count - 1, axis=1)[:, :count]
    known = np.isfinite(nearest)
    root = np.sqrt(np.where(known, nearest, 0.0))
    return np.asarray(
        np.maximum(
            root.sum(axis=1) / np.maximum(known.sum(axis=1), 1),
            LEAST,
        )
    )


def _squares(x: Float, others: Float) -> Float:
    """(n, k): squared distances of x, (n, coordinates), from others, (k, coordinates)."""
    square = (x**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2 * x @ others.T
    return np.asarray(np.maximum(square, LEAST))
