"""The views in which pictures are compared: colours, blurred, and edges, by direction, in fine and
coarse cells."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from aetool.closed_form import Builder, Value
from aetool.model import Float

LONGEST = 32  # side that larger pictures are made smaller to
BLUR = 1.0  # pixels of the colours' blur
EVERY = 2  # of the blurred pixels every so-manieth, along each side, is kept
EDGE = 0.8  # pixels that slopes are taken over
DIRECTIONS = 8
FINE = 7  # small cells along each side
COARSE = 4  # large cells along each side
LEAST_SLOPE = 1e-3  # so that flat places have no direction
LEAST_EDGES = 0.02  # so that cells without edges have no direction
LEAST_CONTRAST = 0.05  # added to a picture's deviation
SCALE = 96 / 255  # of a feature, which is 96 levels, as a part of black to white


@dataclass(frozen=True)
class Views:
    """Three maps of pictures (channels, height, width) to coordinates; all are products with the
    matrices of one axis and of the other, so that any size is cut into the same cells.

    The views are the colours, blurred; edges by direction in fine cells; and edges in coarse cells.
    brightness: whether pictures are first brought to one mean and one contrast.
    """

    shape: tuple[int, int, int]
    brightness: bool = False

    @property
    def small(self) -> tuple[int, int]:
        """The size in pixels, (height, width), to which pictures are reduced before they are
        compared: the longer side to LONGEST (32), unless it is shorter."""
        _, height, width = self.shape
        longest = max(height, width)
        part = min(1.0, LONGEST / longest)
        small_height = max(1, round(part * height))
        small_width = max(1, round(part * width))
        return small_height, small_width

    def write(
        self,
        g: Builder,
        x: Value,
        move: tuple[int, int] = (0, 0),
    ) -> list[Value]:
        """(batch, coordinates) of each of the three views, with `widths` coordinates, of features
        x, (batch, features); move: by how many pixels the pictures are moved down and to the right
        first, their edges repeated."""
        if self.brightness:
            x = _of_one_contrast(g, x)
        picture = self._reduced(g, x, move)
        colours = self._colours(g, picture)
        grey = self._grey(g, picture)
        edges = self._edges(g, grey)
        fine = self._pooled(g, edges, FINE)
        coarse = self._pooled(g, edges, COARSE)
        # coarse cells beside the edges of all directions there: shapes without their contrast
        every_direction = np.ones((DIRECTIONS, DIRECTIONS, 1, 1))
        square = g.op("Conv", coarse * coarse, every_direction)
        size = g.op("Sqrt", square) + LEAST_EDGES
        fine_view = g.op("Sqrt", fine)
        coarse_view = g.op("Sqrt", coarse / size)
        views = (colours, fine_view, coarse_view)
        return [g.op("Flatten", view, axis=1) for view in views]

    def _reduced(self, g: Builder, x: Value, move: tuple[int, int]) -> Value:
        """(batch, channels, *small): pictures of features x, (batch, features), moved by `move`,
        (down, right) in pixels, and made smaller. Unless x was brought to one contrast, white is 1
        above black; black itself is below 0, as features are less their mean."""
        _, height, width = self.shape
        small_height, small_width = self.small
        down, right = move
        # white is 1 above black
        intensity = x * SCALE
        sizes = g.const([-1, *self.shape], np.int64)
        picture = g.op("Reshape", intensity, sizes)
        rows = smoothing(height, small_height)
        columns = smoothing(width, small_width)
        # the move of a line is a matrix, too: each place takes the value of another
        row_places = _places_after_move(height, down)
        column_places = _places_after_move(width, right)
        rows = rows @ np.eye(height)[row_places]
        columns = columns @ np.eye(width)[column_places]
        return _both_axes(g, picture, rows, columns)

    def _colours(self, g: Builder, picture: Value) -> Value:
        """(batch, channels, *blurred): reduced pictures, (batch, channels, *small), blurred, of
        which about every second pixel along each side is kept."""
        height, width = self.small
        blurred_height, blurred_width = self.blurred
        rows = smoothing(height, blurred_height, BLUR)
        columns = smoothing(width, blurred_width, BLUR)
        return _both_axes(g, picture, rows, columns)

    def _grey(self, g: Builder, picture: Value) -> Value:
        """(batch, 1, *small): the mean over the channels of reduced pictures, (batch, channels,
        *small)."""
        channels = self.shape[0]
        if channels == 1:
            return picture
        mean = np.full((1, channels, 1, 1), 1 / channels)
        return g.op("Conv", picture, mean)

    def _grid(self, count: int) -> tuple[int, int]:
        """(cells down, cells across): `count` each, but no more than reduced pictures have pixels
        along that side."""
        height, width = self.small
        return min(count, height), min(count, width)

    def _pooled(self, g: Builder, edges: Value, count: int) -> Value:
        """(batch, DIRECTIONS, cells down, cells across): the mean of edges, (batch, DIRECTIONS,
        *small), weighted by a Gaussian about each cell; there are `count` cells along each side,
        but no more than pixels."""
        height, width = self.small
        down, across = self._grid(count)
        # a cell's weights reach as far as half a cell
        half_down = height / down / 2
        half_across = width / across / 2
        rows = smoothing(height, down, half_down)
        columns = smoothing(width, across, half_across)
        return _both_axes(g, edges, rows, columns)

    def _edges(self, g: Builder, grey: Value) -> Value:
        """(batch, DIRECTIONS, *small): how steep each place is, 0 or more, told apart by direction.
        grey: (batch, 1, *small), reduced pictures."""
        height, width = self.small
        row_slopes = slopes(height, EDGE)
        row_means = smoothing(height, height, EDGE)
        column_slopes = slopes(width, EDGE)
        column_means = smoothing(width, width, EDGE)
        # a slope along one axis, smoothed along the other
        down = _both_axes(g, grey, row_slopes, column_means)
        right = _both_axes(g, grey, row_means, column_slopes)
        turn = np.arange(DIRECTIONS) * 2 * np.pi / DIRECTIONS
        sine = np.sin(turn)
        cosine = np.cos(turn)
        compass = np.stack([sine, cosine], axis=1)
        weights = compass[:, :, None, None]
        both_slopes = g.op("Concat", down, right, axis=1)
        along = g.op("Conv", both_slopes, weights)
        along = g.relu(along)
        square = down * down + right * right
        # the cosine's third power, times the slope: a direction, and hardly its neighbours
        return along * along * along / (square + LEAST_SLOPE**2)

    @property
    def blurred(self) -> tuple[int, int]:
        """(height, width) in pixels of the first view, of blurred colours."""
        height, width = self.small
        blurred_height = math.ceil(height / EVERY)
        blurred_width = math.ceil(width / EVERY)
        return blurred_height, blurred_width

    @property
    def widths(self) -> list[int]:
        """How many coordinates each view has: colours, fine edges, coarse edges."""
        channels = self.shape[0]
        colours = channels * math.prod(self.blurred)
        fine = math.prod(self._grid(FINE))
        coarse = math.prod(self._grid(COARSE))
        return [colours, DIRECTIONS * fine, DIRECTIONS * coarse]

    def enlarged(self, g: Builder, colours: Value, channels: int) -> Value:
        """Spread values, `colours`, (batch, channels * pixels of `blurred`), over the pixels of
        whole pictures: (batch, channels * height * width)."""
        _, height, width = self.shape
        blurred_height, blurred_width = self.blurred
        sizes = g.const([-1, channels, blurred_height, blurred_width], np.int64)
        picture = g.op("Reshape", colours, sizes)
        rows = smoothing(blurred_height, height)
        columns = smoothing(blurred_width, width)
        picture = _both_axes(g, picture, rows, columns)
        return g.op("Flatten", picture, axis=1)


def smoothing(size: int, places: int, deviation: float = 0.0) -> Float:
    """(places, size): weights of the mean about each of `places` places that are spread evenly over
    a line of `size` values, Gaussian of this deviation, in the unit of the line, in which values
    lie 1 apart, or if that is 0 of half the distance between places, 0.5 at least. Each row adds up
    to 1. As many places as `size` and no deviation: the identity."""
    # each place is a pixel
    if places == size and not deviation:
        return np.eye(size)
    half_a_place = 0.5 * size / places
    deviation = deviation or max(0.5, half_a_place)
    middle = (np.arange(places) + 0.5) * size / places
    middle_of_pixel = np.arange(size) + 0.5
    distance = middle_of_pixel - middle[:, None]
    standard = distance / deviation
    weight = np.exp(-0.5 * standard**2)
    total = weight.sum(axis=1, keepdims=True)
    return np.asarray(weight / total)


def slopes(size: int, deviation: float) -> Float:
    """(size, size): weights of the slope at each place of a line, that of the straight line which
    fits best to the values about it, under Gaussian weights of this deviation; no edge is seen
    where the picture ends."""
    weight = smoothing(size, size, deviation)
    place = np.arange(size)
    distance = place - place[:, None]
    weighed = weight * distance
    mean = weighed.sum(axis=1, keepdims=True)
    distance = distance - mean
    weighed_square = weight * distance**2
    square = weighed_square.sum(axis=1, keepdims=True)
    # of a single place there is no slope
    square = np.maximum(square, 1e-12)
    return np.asarray(weight * distance / square)


def _places_after_move(size: int, by: int) -> Float:
    """For each place of a line, the index of the place whose value it has after the values are
    moved forwards by `by` places (backwards if that is below 0), the value at the end repeated:
    (size,)."""
    last = size - 1
    place = np.arange(size) - by
    return np.clip(place, 0, last)


def _both_axes(
    g: Builder,
    picture: Value,
    down: Float,
    right: Float,
) -> Value:
    """Multiply pictures, (batch, channels, height, width), by a matrix along each axis, channel by
    channel: down picture right^T. down: (rows, height); right: (columns, width). The result is
    (batch, channels, rows, columns)."""
    along_columns = g.op("MatMul", down, picture)
    return g.op("MatMul", along_columns, right.T)


def _of_one_contrast(g: Builder, x: Value) -> Value:
    """Pictures x, (batch, features), less their mean over all features, divided by their deviation
    plus LEAST_CONTRAST (0.05), in the same shape."""
    features = g.spec.features
    mean_weights = np.full(features, 1 / features)
    centred = x - g.sum_of(x, mean_weights)
    variance = g.sum_of(centred * centred, mean_weights)
    deviation = g.op("Sqrt", variance)
    # a picture of one brightness is not divided by 0
    return centred / (deviation + LEAST_CONTRAST)
