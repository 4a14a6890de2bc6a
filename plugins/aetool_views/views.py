"""The views in which pictures are compared: colours, blurred, and edges, by direction, in fine and
coarse cells."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from aetool.closed_form import Builder, Value
from aetool.model import Float

LONGEST = 32  # side that larger pictures are made smaller to
BLUR, EVERY = 1.0, 2  # pixels of the colours' blur, and every so-manieth of them is kept
EDGE = 0.8  # pixels that slopes are taken over
DIRECTIONS = 8
FINE, COARSE = 7, 4  # cells along each side
LEAST_SLOPE, LEAST_EDGES = 1e-3, 0.02  # so that flat places have no direction
SCALE = 96 / 255  # of a feature, which is 96 levels, as a part of black to white


@dataclass(frozen=True)
class Views:
    """Three maps of pictures (channels, height, width) to coordinates; all are products with the
    matrices of one axis and of the other, so that any size is cut into the same cells.

    brightness: pictures are first brought to one mean and one contrast.
    """

    shape: tuple[int, int, int]
    brightness: bool = False

    @property
    def small(self) -> tuple[int, int]:
        """The size in pixels, (height, width), to which pictures are reduced before they are
        compared."""
        _, height, width = self.shape
        part = min(1.0, LONGEST / max(height, width))
        return max(1, round(part * height)), max(1, round(part * width))

    def write(self, g: Builder, x: Value, move: tuple[int, int] = (0, 0)) -> list[Value]:
        """(batch, coordinates) of each view of features x; move: by how many pixels the pictures
        are moved down and to the right first, their edges repeated."""
        channels, height, width = self.shape
        small = self.small
        if self.brightness:
            x = _of_one_contrast(g, x)
        picture = g.op("Reshape", x * SCALE, g.const([-1, *self.shape], np.int64))
        picture = _both_axes(
            g,
            picture,
            smoothing(height, small[0])[:, _moved(height, move[0])],
            smoothing(width, small[1])[:, _moved(width, move[1])],
        )
        colours = _both_axes(
            g,
            picture,
            *(smoothing(n, -(-n // EVERY), BLUR) for n in small),
        )
        grey = picture
        if channels > 1:
            grey = g.op("Conv", picture, np.full((1, channels, 1, 1), 1 / channels))
        edges = self._edges(g, grey)
        cells = [[min(count, n) for n in small] for count in (FINE, COARSE)]
        fine, coarse = (
            _both_axes(
                g,
                edges,
                *(
                    smoothing(n, k, n / k / 2)
                    for n, k in zip(
                        small,
                        c,
                        strict=True,
                    )
                ),
            )
            for c in cells
        )
        # coarse cells beside the edges of all directions there: shapes without their contrast
        every = np.ones((DIRECTIONS, DIRECTIONS, 1, 1))
        size = g.op("Sqrt", g.op("Conv", coarse * coarse, every)) + LEAST_EDGES
        views = (colours, g.op("Sqrt", fine), g.op("Sqrt", coarse / size))
        return [g.op("Flatten", view, axis=1) for view in views]

    def _edges(self, g: Builder, grey: Value) -> Value:
        """(batch, DIRECTIONS, height, width): how steep each place is, told apart by direction."""
        flat = [smoothing(n, n, EDGE) for n in self.small]
        steep = [slopes(n, EDGE) for n in self.small]
        down = _both_axes(g, grey, steep[0], flat[1])
        right = _both_axes(g, grey, flat[0], steep[1])
        turn = np.arange(DIRECTIONS) * 2 * np.pi / DIRECTIONS
        compass = np.stack([np.sin(turn), np.cos(turn)], axis=1)[:, :, None, None]
        along = g.op("Conv", g.op("Concat", down, right, axis=1), compass)
        along = g.relu(along)
        square = down * down + right * right
        # the cosine's third power, times the slope: a direction, and hardly its neighbours
        return along * along * along / (square + LEAST_SLOPE**2)

    @property
    def blurred(self) -> tuple[int, int]:
        """(height, width) of the first view."""
        height, width = self.small
        return -(-height // EVERY), -(-width // EVERY)

    @property
    def widths(self) -> list[int]:
        """How many coordinates each view has."""
        grids = [
            [
                min(
                    count,
                    side,
                )
                for side in self.small
            ]
            for count in (FINE, COARSE)
        ]
        cells = [DIRECTIONS * down * right for down, right in grids]
        return [self.shape[0] * math.prod(self.blurred), *cells]

    def enlarged(self, g: Builder, colours: Value, channels: int) -> Value:
        """Spread values laid out as the first view over the pixels of whole pictures: (batch,
        channels * height * width)."""
        _, height, width = self.shape
        sides = self.blurred
        picture = g.op("Reshape", colours, g.const([-1, channels, *sides], np.int64))
        picture = _both_axes(
            g,
            picture,
            smoothing(sides[0], height),
            smoothing(sides[1], width),
        )
        return g.op("Flatten", picture, axis=1)


def smoothing(size: int, places: int, deviation: float = 0.0) -> Float:
    """(places, size): weights of the mean about each of so many places spread evenly over a line,
    Gaussian of this deviation, or as far as the places lie apart."""
    if places == size and not deviation:
        return np.eye(size)
    deviation = deviation or max(0.5, 0.5 * size / places)
    middle = (np.arange(places) + 0.5) * size / places
    off = np.arange(size) + 0.5 - middle[:, None]
    weight = np.exp(-0.5 * (off / deviation) ** 2)
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def slopes(size: int, deviation: float) -> Float:
    """(size, size): weights of the slope at each place of a line, that of the straight line which
    fits about it best; no edge is seen where the picture ends."""
    weight = smoothing(size, size, deviation)
    off = np.arange(size) - np.arange(size)[:, None]
    off = off - (weight * off).sum(axis=1, keepdims=True)
    square = (weight * off**2).sum(axis=1, keepdims=True)
    return np.asarray(weight * off / np.maximum(square, 1e-12))


def _moved(size: int, by: int) -> Float:
    """For each place of a line, the place whose value it has after the values are moved by so many
    places, the end repeated: (size,)."""
    return np.clip(np.arange(size) - by, 0, size - 1)


def _both_axes(g: Builder, picture: Value, down: Float, right: Float) -> Value:
    """Multiply pictures by a matrix along each axis, channel by channel: down picture right^T."""
    return g.op("MatMul", g.op("MatMul", down, picture), right.T)


def _of_one_contrast(g: Builder, x: Value) -> Value:
    features = g.spec.features
    mean = np.full(features, 1 / features)
    off = x - g.sum_of(x, mean)
    deviation = g.op("Sqrt", g.sum_of(off * off, mean))
    return off / (deviation + 0.05)
