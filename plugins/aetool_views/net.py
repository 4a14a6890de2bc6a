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
STRETCHES = 5  # parts of the pictures, of which each is judged by the others
FEWEST_TO_SPLIT = 20  # pictures that are parted so
NEIGHBOURS = 0.5  # that count, times the root of how many are remembered
LEVELS = 255  # that coordinates are stored in
LEAST = 1e-6  # squared distance, so that its logarithm is defined
LITTLE = 1e-6  # difference of pixels, so that shares are defined


@dataclass(frozen=True, eq=False)
class Memory:
    """The coordinates of remembered pictures in one view, stored in whole steps: low + step *
    levels.

    levels: (k, coordinates) uint8; low and step are of all of them.
    """

    levels: npt.NDArray[np.uint8]
    low: float
    step: float

    @classmethod
    def of(cls, coordinates: Float) -> Memory:
        """The memory of pictures by their coordinates, (k, coordinates), k at least 1, rounded to
        LEVELS (255) steps between the lowest and the highest of all."""
        low = float(coordinates.min())
        high = float(coordinates.max())
        # of pictures that are all alike a step is not 0
        step = max(high - low, 1e-6) / LEVELS
        steps = (coordinates - low) / step
        levels = np.round(steps).astype(np.uint8)
        return cls(levels, low, step)

    @property
    def coordinates(self) -> Float:
        """(k, coordinates): the remembered coordinates, restored from their levels."""
        levels = self.levels.astype(np.float64)
        return self.low + self.step * levels

    @property
    def rounding(self) -> float:
        """The largest squared distance of a picture from itself as it is remembered, rounded."""
        coordinates = self.levels.shape[1]
        # a coordinate is off by half a step at most
        return float(coordinates * self.step**2 / 4)

    def write(self, g: Builder) -> Value:
        """Add the remembered coordinates to a graph: (k, coordinates) float32, the same for every
        record."""
        stored = g.const(self.levels, np.uint8)
        levels = g.as_number(stored)
        return levels * self.step + self.low


@dataclass(frozen=True, eq=False)
class Compared:
    """The distances of judged pictures from remembered ones, in each view.

    squares: of each view, (judged, remembered), squared distances. apart: (judged, remembered),
    bool, which may be compared, as they are of different stretches of the data. judged, remembered:
    (n,), the numbers of these pictures among all that were fitted, rising.
    """

    squares: Sequence[Float]
    apart: npt.NDArray[np.bool_]
    judged: Int
    remembered: Int

    def without(self, left_out: Int) -> Compared:
        """A copy without the pictures whose numbers among all that were fitted are in left_out,
        (n,), judged or remembered."""
        judged = ~np.isin(self.judged, left_out)
        remembered = ~np.isin(self.remembered, left_out)
        pairs = np.ix_(judged, remembered)
        squares = [square[pairs] for square in self.squares]
        return Compared(
            squares=squares,
            apart=self.apart[pairs],
            judged=self.judged[judged],
            remembered=self.remembered[remembered],
        )

    def rarity(self, count: int) -> Rarity:
        """The rarity of sums over views of the log mean distance of judged pictures, one at least,
        from the nearest `count` remembered ones."""
        log_distances = np.zeros(len(self.judged))
        for square in self.squares:
            distance = _mean_distance(square, self.apart, count)
            log_distances += np.log(distance)
        return Rarity.of_few(log_distances)


@dataclass(frozen=True, eq=False)
class Neighbours(Solution):
    """Remembered pictures in several views, by which other pictures are scored.

    count: how many of the nearest a picture is compared with; rarity: how rare the sum over views
    of the logarithm of their mean distance is. moves: (down, right) in pixels, by which a picture
    is moved, of which in each view the best counts. compared: distances between fitted pictures,
    from which `without` finds rarities.

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
        """The solution without the fitted pictures whose numbers are in `rows`, (n,) rising; this
        one if no picture would be left to compare with, or to judge."""
        stays = ~np.isin(self.compared.remembered, rows)
        compared = self.compared.without(rows)
        remembered = len(compared.remembered)
        # a model without a picture could judge none
        if not remembered or not len(compared.judged):
            return self
        count = _neighbours_to_count(remembered)
        memories = []
        for memory in self.memories:
            levels = memory.levels[stays]
            memories.append(replace(memory, levels=levels))
        return replace(
            self,
            memories=memories,
            count=count,
            rarity=compared.rarity(count),
            compared=compared,
        )

    def expected(self, g: Builder, x: Value) -> Value:
        """(batch, features): the remembered picture that is nearest in colours to each of x,
        (batch, features), itself left out, blurred; with views.brightness, of one mean and
        contrast."""
        colours = self.views.write(g, x)[0]
        _, nearest = self._distance_and_nearest(g, colours, self.memories[0])
        channels = self.views.shape[0]
        features = self.views.enlarged(g, nearest, channels)
        return features * (1 / SCALE)

    def bits(self, g: Builder, x: Value) -> Value:
        """(batch, pixels + 1), in bits: what each pixel adds to the score; the last is 0. x:
        (batch, features)."""
        views_of_moves = [self.views.write(g, x, move) for move in self.moves]
        total = g.nothing(x)
        for view, memory in enumerate(self.memories):
            # of all moves the one by which the picture is nearest to others counts
            distances = []
            for views in views_of_moves:
                distance, _ = self._distance_and_nearest(g, views[view], memory)
                distances.append(distance)
            least, *others = distances
            for distance in others:
                least = g.minimum(least, distance)
            total = total + g.log(least)
        rarity = self.rarity.write(g.graph, total.name)
        rarity_bits = Value(g, rarity)
        share = self._shares_of_pixels(g, x)
        bits = share * rarity_bits
        return g.side_by_side(bits, g.nothing(x))

    def _shares_of_pixels(self, g: Builder, x: Value) -> Value:
        """(batch, pixels): how much each pixel adds to the squared distance from the nearest
        picture, both blurred, as a part of all: they add up to 1. x: (batch, features)."""
        channels = self.views.shape[0]
        colours = self.views.write(g, x)[0]
        _, nearest = self._distance_and_nearest(g, colours, self.memories[0])
        difference = self.views.enlarged(g, colours - nearest, channels)
        square = difference * difference + LITTLE**2
        # what the channels of a pixel add is added up
        pixel_of_each = g.spec.owner.tolist()
        parts = costs.summed(g, square, pixel_of_each)
        columns = len(g.spec.columns)
        pixels = g.columns_of(parts, list(range(columns)))
        every_pixel = np.ones(columns)
        return pixels / g.sum_of(pixels, every_pixel)

    def _distance_and_nearest(
        self,
        g: Builder,
        view: Value,
        memory: Memory,
    ) -> tuple[Value, Value]:
        """Compare pictures with the remembered ones, `memory`, in one view: ((batch, 1), the mean
        distance from the `count` nearest pictures; (batch, coordinates), the nearest one), both
        without the picture itself, if it is remembered and not alone. view: (batch,
        coordinates)."""
        rows = memory.write(g)
        pictures, width = memory.levels.shape
        length = (memory.coordinates**2).sum(axis=1)
        # |v - r|^2 is |v|^2 - 2 v r + |r|^2, one product of matrices for all remembered pictures
        square = g.op("Gemm", view, rows, length, transB=1, alpha=-2.0)
        own_length = g.sum_of(view * view, np.ones(width))
        square = square + own_length
        # one more than counts, should the nearest be the picture itself
        candidates = min(self.count + 1, pictures)
        index = g.numbers_of_least(square, candidates)
        # from here on of the nearest alone, (batch, candidates)
        square = g.op("GatherElements", square, index, axis=1)
        square = g.maximum(square, LEAST)
        first = g.columns_of(index, [0])
        root = g.op("Sqrt", square)
        place = np.arange(candidates)
        is_counted = place < self.count
        mean_weights = is_counted / min(self.count, candidates)
        mean_distance = g.sum_of(root, mean_weights)
        if candidates > 1:
            # as near as a picture is to itself once that is rounded to steps
            is_itself = g.columns_of(square, [0]) <= memory.rounding + LEAST
            is_other = place > 0
            mean_of_others = g.sum_of(root, is_other / (candidates - 1))
            mean_distance = g.where(is_itself, mean_of_others, mean_distance)
            second = g.columns_of(index, [1])
            first = g.where(is_itself, second, first)
        flat_shape = g.const([-1], np.int64)
        number = g.op("Reshape", first, flat_shape)
        nearest = g.op("Gather", rows, number, axis=0)
        return mean_distance, nearest


class Nearest(ClosedForm):
    """Fits a memory of pictures in several views; of more than params.size pictures it keeps a
    random sample of params.size."""

    def fit(self, batches: Batches) -> Neighbours:
        """Remember the pictures in batches, at most `size` of them, drawn at random, less the part
        `trim` that lies farthest from the others; and measure how far at most 1,000 pictures lie
        from those remembered that are of another stretch. DataError without pictures."""
        total = sum(len(batch) for batch in batches)
        if not total:
            raise DataError("no pictures to fit")
        assert self.spec.shape is not None
        views = Views(self.spec.shape, self.params.brightness)
        remembered = _random_numbers(total, self.params.size, 0)
        judged = _random_numbers(total, JUDGED, 1)
        # a picture that is remembered and judged is described once
        described = np.union1d(remembered, judged)
        coordinates = self._coordinates(views, batches, described)
        place = np.searchsorted(described, remembered)
        trim = self.params.trim
        if trim:
            views_of_remembered = [of_view[place] for of_view in coordinates]
            near = _nearest_pictures(views_of_remembered, 1 - trim)
            remembered = remembered[near]
            place = place[near]
        memories = [Memory.of(of_view[place]) for of_view in coordinates]
        place = np.searchsorted(described, judged)
        squares = []
        for of_view, memory in zip(coordinates, memories, strict=True):
            # with what is remembered, pictures are compared as it is restored
            distances = _squared_distances(of_view[place], memory.coordinates)
            squares.append(distances)
        # of few pictures each is a stretch by itself
        stretch = np.arange(total)
        if total >= FEWEST_TO_SPLIT:
            stretch = stretch_folds(total, STRETCHES)
        # pictures of one stretch may be of one thing, and are not compared
        apart = stretch[judged][:, None] != stretch[remembered]
        compared = Compared(squares, apart, judged, remembered)
        count = _neighbours_to_count(len(remembered))
        return Neighbours(
            views=views,
            memories=memories,
            count=count,
            rarity=compared.rarity(count),
            moves=self._moves_to_try(),
            compared=compared,
            report={"remembered": len(remembered)},
        )

    def _coordinates(
        self,
        views: Views,
        batches: Batches,
        numbers: Int,
    ) -> list[Float]:
        """For each view the coordinates, (n, coordinates), of the pictures in batches with these
        numbers, (n,), ascending, one at least."""
        parts = []
        for pictures in _rows_with_numbers(batches, numbers):
            # by the graph itself, so that pictures are described as those to be judged will be
            part = evaluated(
                lambda g, x: g.side_by_side(*views.write(g, x)),
                self.spec,
                pictures,
            )
            parts.append(part)
        of_all_views = np.concatenate(parts)
        ends = np.cumsum(views.widths)
        return np.split(of_all_views, ends[:-1], axis=1)

    def _moves_to_try(self) -> list[tuple[int, int]]:
        """The shifts, (down, right) in pixels, at which a picture is compared: (0, 0) first, then
        every pair of 0, half of the parameter `shift`, rounded down, and all of it, with either
        sign. One shift where `shift` is 0."""
        shift = self.params.shift
        one_axis = []
        for step in sorted({0, shift, shift // 2}):
            one_axis.append(step)
            if step:
                one_axis.append(-step)
        return list(itertools.product(one_axis, one_axis))


def _neighbours_to_count(remembered: int) -> int:
    """The number of nearest remembered pictures with which a picture is compared: half the root of
    `remembered`, rounded, 1 at least."""
    count = NEIGHBOURS * math.sqrt(remembered)
    return max(1, round(count))


def _random_numbers(total: int, most: int, seed: int) -> Int:
    """(n,), rising: all numbers below total, or if there are more than `most` a random `most` of
    them, the same for the same seed."""
    if total <= most:
        return np.arange(total)
    rng = np.random.default_rng(seed)
    drawn = rng.choice(total, most, replace=False)
    return np.sort(drawn)


def _rows_with_numbers(batches: Batches, rows: Int) -> Iterator[Float]:
    """Yield, batch by batch as float64, the rows in batches whose numbers, counted from 0 through
    all batches, are in rows, (n,), ascending; nothing for a batch without such a row."""
    first = 0
    for batch in batches:
        end = first + len(batch)
        is_in_batch = (rows >= first) & (rows < end)
        places = rows[is_in_batch] - first
        if len(places):
            yield batch[places].astype(np.float64)
        first = end


def _nearest_pictures(views: Sequence[Float], part: float) -> Int:
    """Choose the pictures that lie nearest to others, by the sum over views of the logarithm of
    their mean distance from the nearest others, of which `_neighbours_to_count` says how many:
    their indices, (n,), ascending. Those that lie far may be no ordinary ones. views: for each view
    the coordinates, (pictures, coordinates). part: how many to choose, as a part of all, 0 .. 1;
    one at least."""
    total = len(views[0])
    count = _neighbours_to_count(total)
    # no picture is a neighbour of itself
    apart = ~np.eye(total, dtype=bool)
    log_distances = np.zeros(total)
    for coordinates in views:
        square = _squared_distances(coordinates, coordinates)
        distance = _mean_distance(square, apart, count)
        log_distances += np.log(distance)
    order = np.argsort(log_distances, kind="stable")
    chosen = max(1, round(part * total))
    return np.sort(order[:chosen])


def _mean_distance(
    square: Float,
    apart: npt.NDArray[np.bool_],
    count: int,
) -> Float:
    """The mean distance of each picture from the nearest `count` of others, (n,). square: (n, k),
    squared distances; apart: (n, k) bool, which pairs may be compared. At least 1e-6, also of a
    picture that may be compared with none."""
    square = np.where(apart, square, np.inf)
    count = min(count, square.shape[1])
    parted = np.partition(square, count - 1, axis=1)
    nearest = parted[:, :count]
    # a picture may have fewer others than count
    is_compared = np.isfinite(nearest)
    root = np.sqrt(np.where(is_compared, nearest, 0.0))
    others = is_compared.sum(axis=1)
    mean = root.sum(axis=1) / np.maximum(others, 1)
    return np.asarray(np.maximum(mean, LEAST))


def _squared_distances(x: Float, others: Float) -> Float:
    """(n, k): squared distances of x, (n, coordinates), from others, (k, coordinates), 1e-6 at
    least, also of equal ones."""
    length = (x**2).sum(axis=1)
    length_of_others = (others**2).sum(axis=1)
    square = length[:, None] + length_of_others - 2 * x @ others.T
    return np.asarray(np.maximum(square, LEAST))
