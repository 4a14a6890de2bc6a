"""Places of pictures beside those of pictures remembered, near the same place (as PatchCore: Roth
et al. 2022; and PaDiM: Defard et al. 2020), on filters that are learned from the pictures alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from aetool.closed_form import Batches, Builder, ClosedForm, Solution, Value, evaluated
from aetool.errors import DataError
from aetool.model import Float, Int
from aetool.rarity import Rarity
from aetool_patches.texture import (
    LEARNED,
    Frame,
    Layers,
    Texture,
    described,
    learned,
    window_means,
)
from aetool_patches.usual import APART, FARTHEST, LITTLE, SHARP, Compared, Mask

NUMBERS, MOST = 3 << 21, 256  # numbers in all places remembered, and pictures
JUDGED = 64  # pictures whose distances tell how rare a distance is
WINDOW = 1 / 32  # of the longer side, that what is shown may be moved by
MOST_CELLS = 4  # places in every direction that are searched
LEVELS = 255  # that coordinates are stored in
MAP = 4.0  # power of distances that the score falls on pixels by


@dataclass(frozen=True, eq=False)
class Places(Solution):
    """Pictures that are remembered place by place, and with which others are compared; coordinates
    are stored in whole steps, low + step * levels.

    texture: by which places are described. levels: (places, coordinates, pictures) uint8.
    vouching: (places, pictures) bool, which of these places others are compared with: not those
    whose like few pictures have. cells: places in every direction of which the nearest counts.
    usual, deviation: (places,), the distance that is usual at each, and how far it strays; rarity:
    how rare their power mean is. mean: (channels * places,), the mean of the pictures at each
    place, standardised. compared: distances between fitted pictures, from which it follows what is
    usual, also without some of them.

    A picture that is remembered itself is not compared with itself. Score: how rare the power mean
    of the distances over all places is, in bits; it falls on the pixels by these distances.
    """

    texture: Texture
    levels: npt.NDArray[np.uint8]
    vouching: Mask
    low: float
    step: float
    cells: int
    usual: Float
    deviation: Float
    rarity: Rarity
    mean: Float
    compared: Compared
    report: Mapping[str, int] = field(default_factory=dict)
    fair: bool = True

    def without(self, rows: Int) -> Places:
        """The solution without the fitted pictures of these numbers; this one if no picture would
        be left."""
        # filters, metric and steps are of all: a few pictures hardly move them
        stays = ~np.isin(self.compared.remembered, rows)
        compared = self.compared.without(rows)
        # a model without a picture could judge none
        if not len(compared.remembered) or not len(compared.judged):
            return self
        usual, deviation, rarity = compared.usual()
        return replace(
            self,
            levels=self.levels[:, :, stays],
            vouching=self.vouching[:, stays],
            usual=usual,
            deviation=deviation,
            rarity=rarity,
            compared=compared,
        )

    def expected(self, g: Builder, x: Value) -> Value:
        """(batch, features): the mean of the remembered pictures, blurred, for every record."""
        mean = g.nothing(x) + self.mean
        return self.texture.frame.enlarged(
            g,
            mean,
            self.texture.frame.shape[0],
        )

    def bits(self, g: Builder, x: Value) -> Value:
        """(batch, pixels + 1), in bits: what each pixel adds to the score; the last is 0."""
        far = self.distances(g, x)
        power = g.op("Pow", far, SHARP)
        mean = g.sum_of(power, np.full(len(self.usual), 1 / len(self.usual)))
        whole = g.op("Pow", mean, 1 / SHARP)
        rare = Value(g, self.rarity.write(g.graph, whole.name))
        far = far * far
        assert MAP == 4.0
        share = self.texture.frame.enlarged(g, far * far + LITTLE)
        share = share / g.sum_of(share, np.ones(len(g.spec.columns)))
        return g.side_by_side(share * rare, g.nothing(x))

    def distances(self, g: Builder, x: Value) -> Value:
        """(batch, places) from 1 up: how far each place is from the nearest one beyond what is
        usual there, in deviations; 1 where it is no farther."""
        frame = self.texture.frame
        place, coordinates, pictures = self.levels.shape
        seen, found = _window(frame.grid, self.cells)
        offsets = seen.shape[1]
        asked = self.texture.write(g, x)
        rows = (
            g.as_number(
                g.const(
                    self.levels,
                    np.uint8,
                )
            )
            * self.step
            + self.low
        )
        lengths = (self.coordinates**2).sum(axis=1)
        around = g.op("Gather", asked, g.const(seen.ravel(), np.int64), axis=1)
        around = g.op(
            "Reshape",
            around,
            g.const([-1, place, offsets, coordinates], np.int64),
        )
        square = g.op("MatMul", around * -2.0, rows) + lengths[:, None, :]
        own = g.op(
            "Conv",
            g.op(
                "Transpose",
                asked * asked,
                perm=[0, 2, 1],
            ),
            np.ones((1, coordinates, 1)),
        )
        own = g.op("Reshape", own, g.const([-1, place], np.int64))
        if pictures > 1:
            square = square + self._itself(g, square, own, offsets)
        # after it is known which picture is the record itself, by all its places
        if not self.vouching.all():
            square = square + APART * ~self.vouching[:, None, :]
        nearest = g.op("ReduceMin", square, g.const([3], np.int64), keepdims=0)
        nearest = g.op("Flatten", nearest, axis=1)
        nearest = g.op(
            "Gather",
            nearest,
            g.const(found.ravel(), np.int64),
            axis=1,
        )
        nearest = g.op(
            "Reshape",
            nearest,
            g.const([-1, place, offsets], np.int64),
        )
        nearest = g.op(
            "ReduceMin",
            nearest,
            g.const([2], np.int64),
            keepdims=0,
        )
        far = g.op("Sqrt", g.maximum(nearest + own, LITTLE))
        beyond = g.relu((far - self.usual) / self.deviation)
        return g.minimum(beyond, FARTHEST) + 1.0

    def _itself(self, g: Builder, square: Value, own: Value, offsets: int) -> Value:
        """Mark the remembered picture that is the record itself, so that it is not compared with
        itself: (batch, 1, 1, pictures), APART for it, else 0. square: what `distances` has of
        squared distances, less own, (batch, places), the records' squared lengths; offsets: how
        many neighbouring places were compared."""
        place, _, pictures = self.levels.shape
        here = g.op("Gather", square, g.const(offsets // 2, np.int64), axis=2)
        here = here + g.op("Reshape", own, g.const([-1, place, 1], np.int64))
        mean = g.op("MatMul", np.full((4, place), 1 / place), here)
        mean = g.op("Gather", mean, g.const(0, np.int64), axis=1)
        is_itself = g.as_number(mean <= self.rounding) * APART
        return g.op(
            "Reshape",
            is_itself,
            g.const([-1, 1, 1, pictures], np.int64),
        )

    @property
    def coordinates(self) -> Float:
        """(places, coordinates, pictures): the remembered coordinates, restored from levels."""
        return self.low + self.step * self.levels.astype(np.float64)

    @property
    def rounding(self) -> float:
        """The largest mean squared distance, over places, of a picture from itself as it is
        remembered, rounded to levels."""
        return _rounding(self.levels.shape[1], self.step)


class Patches(ClosedForm):
    """Learns filters and a metric from pictures, and remembers them place by place; a random sample
    of them where they are too many."""

    def fit(self, batches: Batches) -> Places:
        """Remember the places of pictures, and measure how far pictures lie from the others.
        DataError without pictures."""
        total = sum(len(batch) for batch in batches)
        if not total:
            raise DataError("no pictures to fit")
        assert self.spec.shape is not None
        frame = Frame(self.spec.shape, self.params.brightness)
        remembered = some_numbers(total, self._size(frame), 0)
        judged = some_numbers(total, JUDGED, 1)
        # of few pictures all are remembered and judged, and each is described once
        shown = np.union1d(remembered, judged)
        pictures = some_rows(batches, shown)
        place = np.searchsorted(shown, remembered)
        kept = pictures[place]
        layers = learned(frame, self.spec, kept[:: -(-len(kept) // LEARNED)])
        raw = self._described(frame, layers, pictures)
        width = raw.shape[-1]
        # the metric is told by what is remembered alone
        texture = Texture.of(frame, layers, raw[place].reshape(-1, width))
        laid = (raw - texture.mean) @ texture.axes
        low = float(laid[place].min())
        high = float(laid[place].max())
        step = max(high - low, 1e-6) / LEVELS
        levels = np.round((laid[place] - low) / step).astype(np.uint8)
        # what is remembered is compared as it is restored, rounded to whole steps
        restored = low + step * levels.astype(np.float64)

        def compared_with(chosen: Int, vouching: Mask | None) -> Compared:
            return Compared.of(
                frame,
                self._cells(frame),
                laid[np.searchsorted(shown, chosen)],
                restored,
                chosen,
                remembered,
                _rounding(width, step),
                vouching,
            )

        compared = compared_with(remembered, None)
        vouching = compared.vouching()
        if not vouching.all() or not np.array_equal(judged, remembered):
            compared = compared_with(judged, vouching)
        usual, deviation, rarity = compared.usual()
        return Places(
            texture,
            levels.transpose(1, 2, 0),
            vouching.T,
            low,
            step,
            self._cells(frame),
            usual,
            deviation,
            rarity,
            self._mean(frame, kept),
            compared,
            {"remembered": len(kept)},
        )

    def _described(self, frame: Frame, layers: Layers, pictures: Float) -> Float:
        """(pictures, places, descriptors): the descriptors of pictures, (pictures, features)."""
        raw = evaluated(
            lambda g, x: g.op("Flatten", described(g, x, frame, layers), axis=1),
            self.spec,
            pictures,
        )
        return raw.reshape(len(pictures), frame.places, -1)

    def _size(self, frame: Frame) -> int:
        """How many pictures to remember: the parameter, or if that is 0 as many as fit."""
        coordinates = 80  # about so many, of pictures in colour
        most = NUMBERS // (frame.places * coordinates)
        return int(self.params.size or max(8, min(MOST, most)))

    def _cells(self, frame: Frame) -> int:
        """How many neighbouring places, in each direction, a place is compared with."""
        longest = max(frame.shape[1:])
        shift = (self.params.shift or WINDOW * longest) * max(frame.small) / longest
        return min(MOST_CELLS, max(1, round(shift / frame.stride)))

    def _mean(self, frame: Frame, rows: Float) -> Float:
        picture = rows.mean(axis=0).reshape(self.spec.shape)
        _, height, width = frame.shape
        down, right = frame.grid
        small = (
            window_means(height, down)
            @ picture
            @ window_means(
                width,
                right,
            ).T
        )
        return np.asarray(small.ravel())


def _rounding(coordinates: int, step: float) -> float:
    """The largest squared distance of a place of so many coordinates from itself rounded to whole
    steps of this length."""
    return coordinates * step**2 / 4 + LITTLE


def _window(grid: tuple[int, int], cells: int) -> tuple[Int, Int]:
    """The neighbouring places of each place of a grid, as tables of indices: (seen, found),
    (places, offsets) both, for a grid (height, width) and offsets of at most `cells` in each
    direction.

    seen: the place at each offset from each place, at the edge the nearest one. found: for each
    place the indices, in an array (places, offsets) made flat, of the comparisons that another
    place made with it.
    """
    height, width = grid
    down, right = np.meshgrid(
        np.arange(height),
        np.arange(width),
        indexing="ij",
    )
    line = range(-cells, cells + 1)
    offsets = [(below, beside) for below in line for beside in line]
    middle = len(offsets) // 2
    seen = []
    found = []
    for number, (below, beside) in enumerate(offsets):
        row = down + below
        column = right + beside
        seen.append(
            row.clip(0, height - 1) * width
            + column.clip(
                0,
                width - 1,
            )
        )
        row = down - below
        column = right - beside
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        # beyond the edge there is nothing to find: what is found at the place itself stands in
        there = (row * width + column) * len(offsets) + number
        here = (down * width + right) * len(offsets) + middle
        found.append(np.where(inside, there, here))
    flat = (
        np.stack(one, axis=-1).reshape(
            height * width,
            -1,
        )
        for one in (seen, found)
    )
    first, second = flat
    return first, second


def some_numbers(total: int, most: int, seed: int) -> Int:
    """At most `most` different numbers below total, drawn at random, in ascending order."""
    if total <= most:
        return np.arange(total)
    drawn = np.random.default_rng(seed).choice(total, most, replace=False)
    return np.sort(drawn)


def some_rows(batches: Batches, numbers: Int) -> Float:
    """(n, features) float64: the rows in batches whose numbers, rising, are given."""
    chosen = []
    first = 0
    for batch in batches:
        own = numbers[(numbers >= first) & (numbers < first + len(batch))]
        chosen.append(batch[own - first])
        first += len(batch)
    return np.concatenate(chosen).astype(np.float64)
