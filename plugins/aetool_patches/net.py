"""Places of pictures beside those of pictures remembered, near the same place (as PatchCore: Roth
et al. 2022; and PaDiM: Defard et al. 2020), on filters that are learned from the pictures alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from aetool.closed_form import Batches, Builder, ClosedForm, Solution, Value, evaluated
from aetool.errors import DataError
from aetool.model import Float, Int
from aetool.rarity import Rarity
from aetool_patches import maps
from aetool_patches.aligned import Aligned, Alignment, Overlay
from aetool_patches.texture import (
    EQUAL_COLUMNS,
    LEARNED,
    Frame,
    Layers,
    Texture,
    described,
    learned,
    reshaped,
    window_means,
)
from aetool_patches.usual import APART, FARTHEST, LITTLE, Compared, Mask

NUMBERS, MOST = 3 << 21, 256  # numbers in all places remembered, and pictures
JUDGED = 64  # pictures whose distances tell how rare a distance is
WINDOW = 1 / 32  # of the longer side, that what is shown may be moved by
MOST_CELLS = 4  # places in every direction that are searched
LEVELS = 255  # that coordinates are stored in


@dataclass(frozen=True, eq=False)
class Places(Solution):
    """Pictures that are remembered place by place, and with which others are compared; coordinates
    are stored in whole steps, low + step * levels.

    texture: by which places are described. levels: (places, coordinates, pictures) uint8. vouching:
    (places, pictures) bool, which of these places others are compared with: not those whose like
    few pictures have. cells: how many places in every direction are searched for the nearest.
    usual, deviation: (places,), the distance that is usual at each, and how far distances stray
    from it; rarity: how rare the power mean over places of what lies beyond the usual is, see
    `Compared.usual`. mean: (channels * places,), the mean of the pictures at each place,
    standardised. compared: distances between fitted pictures, which these are read off. alignment:
    the usual distances of pictures that are laid over each other as a whole, by one step for all
    places.

    A picture that is remembered itself is not compared with itself. Score: how rare the power mean
    of the distances over all places is, in bits, joined over both ways to compare as rarity.joined
    does with models; it falls on the pixels by these distances.
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
    alignment: Alignment
    report: Mapping[str, int] = field(default_factory=dict)
    fair: bool = True

    def without(self, rows: Int) -> Places:
        """The solution without the fitted pictures whose numbers are in `rows`, (n,); this one if
        no picture would be left to compare with, or to judge."""
        # filters, metric and steps are of all: a few pictures hardly move them
        stays = ~np.isin(self.compared.remembered, rows)
        compared = self.compared.without(rows)
        remembered = len(compared.remembered)
        judged = len(compared.judged)
        # a model without a picture could judge none
        if not remembered or not judged:
            return self
        usual, deviation, rarity = compared.usual()
        levels = self.levels[:, :, stays]
        vouching = self.vouching[:, stays]
        return replace(
            self,
            levels=levels,
            vouching=vouching,
            usual=usual,
            deviation=deviation,
            rarity=rarity,
            compared=compared,
            alignment=self.alignment.without(rows),
        )

    def expected(self, g: Builder, x: Value) -> Value:
        """(batch, features): the mean of the remembered pictures, blurred, the same for every
        record of x, (batch, features)."""
        mean = g.nothing(x) + self.mean
        frame = self.texture.frame
        channels = frame.shape[0]
        return frame.enlarged(g, mean, channels)

    def bits(self, g: Builder, x: Value) -> Value:
        """(batch, pixels + 1), in bits: what each pixel adds to the score, and last, as for every
        model, what belongs to no pixel, which is 0 here. x: (batch, features)."""
        # two maps of distances, joined: each place is compared with remembered ones near it, each
        # by itself, and the picture is laid over remembered ones as a whole
        frame = self.texture.frame
        bits_of_maps = []
        shares = []
        far_of_maps = self._both_distances(g, x)
        rarities = (self.rarity, self.alignment.rarity)
        for far, rarity in zip(far_of_maps, rarities, strict=True):
            bits_of_maps.append(maps.rare(g, far, frame.places, rarity))
            shares.append(maps.share(g, far, frame))
        score, parts = maps.joined(g, bits_of_maps)
        nothing = g.nothing(x)
        total = nothing
        for share, part in zip(shares, parts, strict=True):
            total = total + share * part
        return g.side_by_side(total * score, nothing)

    def distances(self, g: Builder, x: Value) -> Value:
        """(batch, places), 1 .. 101: 1 + by how many deviations each place is farther than is usual
        there from the nearest remembered place around it; 1 where it is no farther. x: (batch,
        features), of pictures."""
        anywhere, _ = self._both_distances(g, x)
        return anywhere

    def aligned_distances(self, g: Builder, x: Value) -> Value:
        """(batch, places), 1 .. 101: 1 + by how many deviations each place is farther than is usual
        there from the remembered pictures that match best, each laid over the picture as a whole,
        by one step for all places; 1 where it is no farther. x: (batch, features), of pictures."""
        _, aligned = self._both_distances(g, x)
        return aligned

    def _both_distances(self, g: Builder, x: Value) -> tuple[Value, Value]:
        """What `distances` and `aligned_distances` return, computed together, as they have much in
        common: two maps, (batch, places) each, of 1 + by how many deviations, 0 .. 100, each place
        lies farther than is usual there from the nearest remembered place around it, and from
        pictures that are laid over as a whole. x: (batch, features), of pictures."""
        places, coordinates, pictures = self.levels.shape
        places_around, comparisons = _neighbouring_places(self.texture.frame.grid, self.cells)
        offsets = places_around.shape[1]
        coordinates_of_record = self.texture.write(g, x)
        stored = g.const(self.levels, np.uint8)
        levels = g.as_number(stored)
        rows = levels * self.step + self.low
        squares = self.coordinates**2
        lengths = squares.sum(axis=1)
        # of each place the record's coordinates at all places around it
        around = _gathered(g, coordinates_of_record, places_around)
        around = reshaped(g, around, [-1, places, offsets, coordinates])
        # (batch, places, offsets, pictures), less the record's own squared lengths
        doubled = around * -2.0
        products = g.op("MatMul", doubled, rows)
        square = products + lengths[:, None, :]
        own_squares = coordinates_of_record * coordinates_of_record
        own_squares = g.op("Transpose", own_squares, perm=[0, 2, 1])
        every_coordinate = np.ones((1, coordinates, 1))
        own_length = g.op("Conv", own_squares, every_coordinate)
        own_length = reshaped(g, own_length, [-1, places])
        itself = None
        if pictures > 1:
            itself = self._marked_itself(g, square, own_length, offsets)
            square = square + reshaped(g, itself, [-1, 1, 1, pictures])
        # after it is known which picture is the record itself, by all its places
        if not self.vouching.all():
            is_silent = ~self.vouching[:, None, :]
            square = square + APART * is_silent
        # over pictures, then over those comparisons that are with the same remembered place
        nearest = _least_along(g, square, 3)
        nearest = g.op("Flatten", nearest, axis=1)
        nearest = _gathered(g, nearest, comparisons)
        nearest = reshaped(g, nearest, [-1, places, offsets])
        nearest = _least_along(g, nearest, 2)
        anywhere = self._deviations_beyond(g, nearest + own_length, self.usual, self.deviation)
        overlay = Overlay(self.texture.frame, rows, self.coordinates, self.vouching)
        square = overlay.write(g, coordinates_of_record, itself)
        usual = self.alignment.usual
        aligned = self._deviations_beyond(g, square, usual, self.alignment.deviation)
        return anywhere, aligned

    def _deviations_beyond(
        self, g: Builder, square: Value, usual: Float, deviation: Float
    ) -> Value:
        """(batch, places) from 1 up: 1 + by how many deviations, 0 .. 100, distances lie beyond the
        usual. square: (batch, places), squared distances; usual, deviation: (places,)."""
        # rounding may make the square of a small distance negative
        square = g.maximum(square, LITTLE)
        distance = g.op("Sqrt", square)
        above_usual = distance - usual
        deviations = above_usual / deviation
        beyond = g.relu(deviations)
        beyond = g.minimum(beyond, FARTHEST)
        return beyond + 1.0

    def _marked_itself(self, g: Builder, square: Value, own_length: Value, offsets: int) -> Value:
        """Mark the remembered picture that is the record itself, so that it is not compared with
        itself: (batch, pictures), APART (1e6) for it, else 0. square: (batch, places, offsets,
        pictures), squared distances from each place around to the remembered ones, less own_length,
        (batch, places), the records' squared lengths; offsets: how many places around were
        compared, the place itself in the middle."""
        places, _, pictures = self.levels.shape
        # no step in any direction: the same place
        middle = g.const(offsets // 2, np.int64)
        here = g.op("Gather", square, middle, axis=2)
        own_length_of_place = reshaped(g, own_length, [-1, places, 1])
        here = here + own_length_of_place
        # several equal rows: a product with a single one rounds by where a record stands
        shape = (EQUAL_COLUMNS, places)
        mean_weights = np.full(shape, 1 / places)
        means = g.op("MatMul", mean_weights, here)
        first = g.const(0, np.int64)
        mean = g.op("Gather", means, first, axis=1)
        is_near = mean <= self.rounding
        is_itself = g.as_number(is_near)
        added_distance = is_itself * APART
        return reshaped(g, added_distance, [-1, pictures])

    @property
    def coordinates(self) -> Float:
        """(places, coordinates, pictures): the remembered coordinates, restored from levels."""
        levels = self.levels.astype(np.float64)
        return self.low + self.step * levels

    @property
    def rounding(self) -> float:
        """The largest mean squared distance, over places, of a picture from itself as it is
        remembered, rounded to levels; 1e-6 more for the rounding of float32."""
        coordinates = self.levels.shape[1]
        return _largest_rounding(coordinates, self.step)


@dataclass(frozen=True, eq=False)
class Levels:
    """Coordinates rounded to whole steps of one length: low + step * levels.

    levels: (pictures, places, coordinates) uint8, 0 .. 255; low and step are of all of them.
    """

    levels: npt.NDArray[np.uint8]
    low: float
    step: float

    @classmethod
    def of(cls, coordinates: Float) -> Levels:
        """Round coordinates, (pictures, places, coordinates), one at least, to LEVELS (255) steps
        from the least to the largest of them."""
        low = float(coordinates.min())
        high = float(coordinates.max())
        # of places that are all alike a step is not 0
        span = max(high - low, 1e-6)
        step = span / LEVELS
        steps = (coordinates - low) / step
        whole_steps = np.round(steps)
        levels = whole_steps.astype(np.uint8)
        return cls(levels, low, step)

    def restored(self) -> Float:
        """(pictures, places, coordinates): what the levels stand for."""
        levels = self.levels.astype(np.float64)
        return np.asarray(self.low + self.step * levels)


class Patches(ClosedForm):
    """Learns filters and a metric from pictures, and remembers them place by place; of more
    pictures than params.size, or if that is 0 than fit, a random sample."""

    def fit(self, batches: Batches) -> Places:
        """Remember the places of pictures, and measure how far at most 64 pictures, drawn at
        random, lie from the remembered others, by the places of these that vouch (see
        Compared.vouching). DataError without pictures."""
        total = sum(len(batch) for batch in batches)
        if not total:
            raise DataError("no pictures to fit")
        assert self.spec.shape is not None
        frame = Frame(self.spec.shape, self.params.brightness)
        cells = self._cells_to_search(frame)
        size = self._pictures_to_remember(frame)
        remembered = some_numbers(total, size, seed=0)
        judged = some_numbers(total, JUDGED, seed=1)
        # of few pictures all are remembered and judged, and each is described once
        numbers = np.union1d(remembered, judged)
        place = np.searchsorted(numbers, remembered)
        texture, coordinates, mean = self._described_places(frame, batches, numbers, place)
        width = coordinates.shape[-1]
        memory = Levels.of(coordinates[place])
        # what is remembered is compared as it is restored, rounded to whole steps
        restored = memory.restored()

        def compared_with(chosen: Int, vouching: Mask | None) -> Compared:
            """Compare the pictures of these numbers, `chosen`, (n,) rising, with the remembered
            ones. vouching: (remembered, places) bool, the places of these that others are compared
            with; None: all."""
            place = np.searchsorted(numbers, chosen)
            return Compared.of(
                frame,
                cells,
                judged_pictures=coordinates[place],
                rows=restored,
                judged=chosen,
                remembered=remembered,
                rounding=_largest_rounding(width, memory.step),
                vouching=vouching,
            )

        # which places vouch is told by all remembered pictures; what is usual, by the judged ones
        compared = compared_with(remembered, None)
        vouching = compared.vouching()
        if not vouching.all() or not np.array_equal(judged, remembered):
            compared = compared_with(judged, vouching)
        usual, deviation, rarity = compared.usual()
        place = np.searchsorted(numbers, judged)
        aligned = Aligned.laid(
            compared,
            judged_pictures=coordinates[place],
            rows=restored,
            vouching=vouching,
        )
        return Places(
            texture,
            memory.levels.transpose(1, 2, 0),
            vouching.T,
            memory.low,
            memory.step,
            cells,
            usual,
            deviation,
            rarity,
            mean=mean,
            compared=compared,
            alignment=Alignment.of(aligned),
            report={"remembered": len(remembered)},
        )

    def _described_places(
        self,
        frame: Frame,
        batches: Batches,
        numbers: Int,
        place: Int,
    ) -> tuple[Texture, Float, Float]:
        """(how places are described, as learned from pictures; their coordinates, (pictures,
        places, coordinates); what the remembered pictures are like on average, see
        `_mean_at_places`).

        numbers: (n,), of the pictures in batches that are described, rising; place: (remembered,),
        the indices in numbers of those that are remembered. Pictures and descriptors take hundreds
        of megabytes, and are not kept beyond this.
        """
        pictures = some_rows(batches, numbers)
        # filters and metric are told by what is remembered alone
        mean = self._mean_at_places(frame, pictures[place])
        step_between = math.ceil(len(place) / LEARNED)
        few_pictures = pictures[place[::step_between]]
        layers = learned(frame, self.spec, few_pictures)
        descriptors = self._described(frame, layers, pictures)
        width = descriptors.shape[-1]
        remembered_descriptors = descriptors[place]
        flat_descriptors = remembered_descriptors.reshape(-1, width)
        texture = Texture.of(frame, layers, flat_descriptors)
        # in place, as this is the largest array of a fit
        descriptors -= texture.mean
        return texture, descriptors @ texture.axes, mean

    def _described(self, frame: Frame, layers: Layers, pictures: Float) -> Float:
        """(pictures, places, descriptors): the descriptors of pictures, (pictures, features), at
        the places of `frame`, by these layers."""

        def write_flat(g: Builder, x: Value) -> Value:
            """Add the descriptors of features x to a graph: (batch, places * descriptors)."""
            descriptors = described(g, x, frame, layers)
            return g.op("Flatten", descriptors, axis=1)

        flat = evaluated(write_flat, self.spec, pictures)
        return flat.reshape(len(pictures), frame.places, -1)

    def _pictures_to_remember(self, frame: Frame) -> int:
        """How many pictures to remember: the parameter `size`, or if that is 0 as many as hold
        NUMBERS (6.3 million) coordinates, if each place has 80, from 8 to 256. frame: the geometry
        of pictures."""
        coordinates = 80  # about so many, of pictures in colour
        most = NUMBERS // (frame.places * coordinates)
        usual_size = max(8, min(MOST, most))
        return int(self.params.size or usual_size)

    def _cells_to_search(self, frame: Frame) -> int:
        """How many neighbouring places, in each direction, a place is compared with: as many as
        params.shift pixels of the picture are, or if that is 0 1/32 of its longer side, rounded to
        the nearest; 1 to 4. frame: the geometry of pictures."""
        _, height, width = frame.shape
        longest = max(height, width)
        longest_of_small = max(frame.small)
        shift = self.params.shift or WINDOW * longest
        # in pixels of the reduced picture
        shift = shift * longest_of_small / longest
        cells = round(shift / frame.stride)
        cells = max(1, cells)
        return min(MOST_CELLS, cells)

    def _mean_at_places(self, frame: Frame, rows: Float) -> Float:
        """(channels * places,): the mean of rows, which are pictures, (pictures, features), about
        each place of `frame`, channel by channel, standardised as they are."""
        mean = rows.mean(axis=0)
        picture = mean.reshape(self.spec.shape)
        _, height, width = frame.shape
        down, right = frame.grid
        row_means = window_means(height, down)
        column_means = window_means(width, right)
        small = row_means @ picture @ column_means.T
        return np.asarray(small.ravel())


def _largest_rounding(coordinates: int, step: float) -> float:
    """The largest squared distance of a place, of `coordinates` coordinates, from itself once they
    are rounded to whole steps of length `step`; plus LITTLE (1e-6), for the rounding of float32."""
    return coordinates * step**2 / 4 + LITTLE


def _neighbouring_places(grid: tuple[int, int], cells: int) -> tuple[Int, Int]:
    """The neighbouring places of each place of a grid, as tables of indices: (around, comparisons),
    (places, offsets) both, for a grid (height, width) and offsets of at most `cells` in each
    direction.

    around: the index of the place at each offset from each place, at the edge the nearest one.
    comparisons: for each place the indices, in an array (places, offsets) made flat, of the
    comparisons that another place made with it; where there is no such place, of that of the place
    with itself. Places are counted row by row, offsets likewise, with 0 in the middle.
    """
    height, width = grid
    last_row = height - 1
    last_column = width - 1
    down, right = np.indices(grid)
    one_axis = range(-cells, cells + 1)
    offsets = list(itertools.product(one_axis, one_axis))
    middle = len(offsets) // 2
    around = []
    comparisons = []
    for number, (down_by, right_by) in enumerate(offsets):
        row = down + down_by
        column = right + right_by
        row = row.clip(0, last_row)
        column = column.clip(0, last_column)
        around.append(row * width + column)
        row = down - down_by
        column = right - right_by
        in_rows = (row >= 0) & (row <= last_row)
        in_columns = (column >= 0) & (column <= last_column)
        inside = in_rows & in_columns
        other_place = row * width + column
        there = other_place * len(offsets) + number
        place = down * width + right
        here = place * len(offsets) + middle
        # beyond the edge there is no comparison: that of the place with itself stands in
        comparison = np.where(inside, there, here)
        comparisons.append(comparison)
    return _as_columns(around), _as_columns(comparisons)


def _as_columns(columns: Sequence[Int]) -> Int:
    """(places, columns): several tables over a grid, (height, width) each, as the columns of one,
    its places row by row."""
    flat = [column.ravel() for column in columns]
    return np.stack(flat, axis=1)


def _gathered(g: Builder, x: Value, index: Int) -> Value:
    """(batch, n, ...): entries of x, (batch, k, ...), along its second axis, by `index`, a table of
    n indices, 0 .. k - 1, of any shape, read row by row."""
    flat = index.ravel()
    places = g.const(flat, np.int64)
    return g.op("Gather", x, places, axis=1)


def _least_along(g: Builder, x: Value, axis: int) -> Value:
    """The minimum of x, of any shape, along an axis, counted from 0; the result has no such
    axis."""
    axes = g.const([axis], np.int64)
    return g.op("ReduceMin", x, axes, keepdims=0)


def some_numbers(total: int, most: int, seed: int) -> Int:
    """At most `most` different numbers below total, (n,), drawn at random, in ascending order: all
    of them if there are no more; the same for the same seed."""
    if total <= most:
        return np.arange(total)
    rng = np.random.default_rng(seed)
    drawn = rng.choice(total, most, replace=False)
    return np.sort(drawn)


def some_rows(batches: Batches, numbers: Int) -> Float:
    """(n, features) float64: the rows in batches whose numbers, (n,), rising, are given. There must
    be a batch."""
    chosen = []
    first = 0
    for batch in batches:
        end = first + len(batch)
        is_in_batch = (numbers >= first) & (numbers < end)
        places = numbers[is_in_batch] - first
        chosen.append(batch[places])
        first = end
    pictures = np.concatenate(chosen)
    return pictures.astype(np.float64)
