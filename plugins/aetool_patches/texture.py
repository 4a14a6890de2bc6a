"""What a place of a picture looks like: filters learned from pictures, and how strong they answer
about it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aetool.closed_form import Builder, Value, evaluated
from aetool.model import Float, Spec

LONGEST = 128  # side that larger pictures are made smaller to
GRID, STRIDE = 32, 2  # most places along the longer side; fewest pixels between two
# filters: how many pixels are averaged, the side of a patch, and the blur of the answers in pixels
LAYERS = ((1, 3, 1.0), (1, 5, 1.0), (1, 5, 3.0), (2, 7, 1.0), (2, 7, 2.0))
TINTS = (1.0, 2.5)  # blurs of the colours themselves, in pixels
GROUPS, LEADING = 12, 3  # of filters by how much they vary; filters whose answers count themselves
LEAST_ANSWER = 0.02  # so that the logarithm of what is flat is defined
LEAST_VARIANCE = 1e-4  # of a filter, beside the mean
ROUNDING = 2e-6  # variance of pixels, 0 .. 1, that are whole levels
LEAST_LIGHT = 0.02  # mean brightness of a picture that others are brought to
PATCHES, LEARNED = 40_000, 48  # that filters are learned from; pictures that they are cut from
WHITE, BLACK = 96 / 255, 96 / 255  # a feature is levels less 96, divided by 96


@dataclass(frozen=True)
class Frame:
    """The geometry of pictures: their size, and that of the grid of places at which they are
    described. shape: (channels, height, width); brightness: whether each channel is brought to one
    mean first."""

    shape: tuple[int, int, int]
    brightness: bool = True

    @property
    def small(self) -> tuple[int, int]:
        """The size in pixels, (height, width), of the reduced pictures to which filters are
        applied."""
        _, height, width = self.shape
        part = min(1.0, LONGEST / max(height, width))
        return max(1, round(part * height)), max(1, round(part * width))

    @property
    def stride(self) -> int:
        """Pixels of the reduced picture from one place to the next, across and down."""
        return max(STRIDE, -(-max(self.small) // GRID))

    @property
    def grid(self) -> tuple[int, int]:
        """(height, width) of the grid, in places."""
        height, width = self.small
        return -(-height // self.stride), -(-width // self.stride)

    @property
    def places(self) -> int:
        """The number of places in the grid."""
        height, width = self.grid
        return height * width

    def write(self, g: Builder, x: Value) -> Value:
        """(batch, channels, height, width): features x as small pictures, 0 .. 1 or, brought to one
        brightness, about 1."""
        channels, height, width = self.shape
        picture = g.op(
            "Reshape",
            x * WHITE + BLACK,
            g.const([-1, *self.shape], np.int64),
        )
        small = self.small
        if small != (height, width):
            picture = both_axes(
                g,
                picture,
                window_means(height, small[0]),
                window_means(
                    width,
                    small[1],
                ),
            )
        if not self.brightness:
            return picture
        pixels = small[0] * small[1]
        flat = g.op("Reshape", picture, g.const([-1, channels, pixels], np.int64))
        light = g.op(
            "Reshape",
            mean_of_last(g, flat, pixels),
            g.const(
                [-1, channels, 1, 1],
                np.int64,
            ),
        )
        return picture / (light + LEAST_LIGHT)

    def enlarged(self, g: Builder, places: Value, channels: int = 1) -> Value:
        """(batch, channels * height * width): values of places, (batch, channels * places), spread
        over the pixels of whole pictures."""
        _, height, width = self.shape
        down, right = self.grid
        picture = g.op(
            "Reshape",
            places,
            g.const([-1, channels, down, right], np.int64),
        )
        picture = both_axes(
            g,
            picture,
            window_means(down, height),
            window_means(right, width),
        )
        return g.op("Flatten", picture, axis=1)


@dataclass(frozen=True, eq=False)
class Layer:
    """Filters that whiten patches of pictures: principal axes, those that vary most first.

    factor: pixels, along each side, that are averaged first. weight: (filters, channels, height,
    width); bias: (filters,); deviation: of the Gaussian that answers are averaged by, in pixels.
    """

    factor: int
    weight: Float
    bias: Float
    deviation: float

    def write(self, g: Builder, picture: Value, frame: Frame) -> Value:
        """(batch, descriptors, places): the logarithm of how strong groups of filters answer about
        each place, and the answers of the leading ones; all less their mean over the picture."""
        sides = [side // self.factor for side in frame.small]
        if self.factor > 1:
            picture = both_axes(
                g,
                picture,
                *(
                    window_means(a, b)
                    for a, b in zip(
                        frame.small,
                        sides,
                        strict=True,
                    )
                ),
            )
        answers = g.op("Conv", picture, self.weight, self.bias)
        strength = g.op("Conv", answers * answers, self._groups()[:, :, None, None])
        about = [
            window_means(side - window + 1, places, self.deviation, side)
            for side, window, places in zip(
                sides,
                self.weight.shape[2:],
                frame.grid,
                strict=True,
            )
        ]
        strength = g.log(both_axes(g, strength, *about) + LEAST_ANSWER)
        leading = g.columns_of(answers, list(range(min(LEADING, len(self.bias)))))
        leading = both_axes(g, leading, *about)
        both = g.op("Concat", strength, leading, axis=1)
        flat = g.op(
            "Reshape",
            both,
            g.const([0, self.width, frame.places], np.int64),
        )
        return flat - mean_of_last(g, flat, frame.places)

    @property
    def width(self) -> int:
        """How many descriptors the layer gives for each place."""
        return len(self._groups()) + min(LEADING, len(self.bias))

    def _groups(self) -> Float:
        """(groups, filters): the weight of each filter in each group, whose sum is 1; first filters
        are groups by themselves, later groups have ever more filters."""
        count = len(self.bias)
        edges = (
            np.unique(
                np.round(
                    np.geomspace(
                        1,
                        count + 1,
                        GROUPS + 1,
                    )
                ).astype(int)
            )
            - 1
        )
        groups = np.zeros((len(edges) - 1, count))
        for group, (first, end) in enumerate(itertools.pairwise(edges)):
            groups[group, first:end] = 1 / (end - first)
        return groups


@dataclass(frozen=True)
class Tint:
    """The colours about each place, averaged under a Gaussian of this deviation in pixels. width:
    how many numbers describe a place: one for each channel."""

    deviation: float
    width: int

    def write(self, g: Builder, picture: Value, frame: Frame) -> Value:
        """(batch, channels, places): the mean colour about each place of pictures, less the mean
        over all places."""
        about = [
            window_means(side, places, self.deviation)
            for side, places in zip(frame.small, frame.grid, strict=True)
        ]
        colours = both_axes(g, picture, *about)
        flat = g.op("Reshape", colours, g.const([0, self.width, frame.places], np.int64))
        return flat - mean_of_last(g, flat, frame.places)


Layers = Sequence[Layer | Tint]


@dataclass(frozen=True, eq=False)
class Texture:
    """Descriptors of all places: layers of filters and of colours, and the metric by which they are
    compared.

    A place is (descriptors - mean) axes, mean: (descriptors,), axes: (descriptors, coordinates):
    squared differences of it are the mean of those of each layer by itself and of all layers
    together, each made white.
    """

    frame: Frame
    layers: Layers
    mean: Float
    axes: Float

    def write(self, g: Builder, x: Value) -> Value:
        """(batch, places, coordinates): the coordinates of all places of features x."""
        raw = described(g, x, self.frame, self.layers)
        return g.op("MatMul", raw - self.mean, self.axes)

    @classmethod
    def of(cls, frame: Frame, layers: Layers, raw: Float) -> Texture:
        """The texture whose metric is read off places, raw: (n, descriptors)."""
        mean = raw.mean(axis=0)
        # the metric is the mean of several, whose root are the axes
        metric = np.zeros((raw.shape[1], raw.shape[1]))
        first = 0
        parts = [slice(0, raw.shape[1])]
        for layer in layers:
            parts.append(slice(first, first + layer.width))
            first += layer.width
        for part in parts:
            white = _whitening(raw[:, part])
            metric[part, part] += white @ white.T / len(white)
        strength, turns = np.linalg.eigh(metric)
        return cls(frame, layers, mean, turns * np.sqrt(np.maximum(strength, 0)))


def described(g: Builder, x: Value, frame: Frame, layers: Layers) -> Value:
    """Describe every place of pictures by all layers: (batch, places, descriptors). x: features."""
    picture = frame.write(g, x)
    seen = [layer.write(g, picture, frame) for layer in layers]
    every = g.op("Concat", *seen, axis=1) if len(seen) > 1 else seen[0]
    return g.op("Transpose", every, perm=[0, 2, 1])


def learned(frame: Frame, spec: Spec, rows: Float) -> list[Layer | Tint]:
    """Learn the layers that describe places: filters, the principal axes of patches of pictures,
    (rows, features), and layers of colours."""
    small = evaluated(
        lambda g, x: g.op("Flatten", frame.write(g, x), axis=1),
        spec,
        rows,
    )
    small = small.reshape(len(rows), frame.shape[0], *frame.small)
    layers: list[Layer | Tint] = [Tint(blur, frame.shape[0]) for blur in TINTS]
    for factor, side, deviation in LAYERS:
        if min(frame.small) // factor < 1 or (factor > 1 and min(frame.small) < factor * side):
            continue
        pictures = small
        if factor > 1:
            down, right = (
                window_means(
                    size,
                    size // factor,
                )
                for size in frame.small
            )
            pictures = down @ small @ right.T
        window = tuple(min(side, size) for size in pictures.shape[2:])
        patches = np.lib.stride_tricks.sliding_window_view(
            pictures,
            window,
            axis=(2, 3),
        )
        # (pictures, height, width, channels, patch height, patch width)
        patches = patches.transpose(0, 2, 3, 1, 4, 5)
        count = int(np.prod(patches.shape[:3]))
        # of equal layers equal filters, whose answers are then computed once
        drawn = np.random.default_rng(0).choice(
            count,
            min(count, PATCHES),
            replace=False,
        )
        place = np.unravel_index(np.sort(drawn), patches.shape[:3])
        chosen = patches[place].reshape(len(drawn), -1)
        mean = chosen.mean(axis=0)
        covariance = np.cov(chosen, rowvar=False, bias=True).reshape(
            len(mean),
            len(mean),
        )
        variance, axes = np.linalg.eigh(covariance)
        least = max(LEAST_VARIANCE * float(variance.mean()), ROUNDING)
        white = (axes / np.sqrt(np.maximum(variance, least)))[:, ::-1].T
        weight = white.reshape(-1, frame.shape[0], *window)
        layers.append(Layer(factor, weight, -white @ mean, deviation))
    return layers


def _whitening(rows: Float) -> Float:
    """The whitening matrix of rows, (rows, n): multiplied from the right, (n, n), it gives them
    about the same variance along all axes, but for axes along which they hardly vary."""
    deviation = np.maximum(rows.std(axis=0), 0.02)
    correlation = np.cov(rows / deviation, rowvar=False, bias=True)
    variance, axes = np.linalg.eigh(correlation.reshape(len(deviation), -1))
    return np.asarray(
        axes
        / np.sqrt(
            np.maximum(
                variance,
                0,
            )
            + 0.01
        )
        / deviation[:, None]
    )


def window_means(size: int, places: int, deviation: float = 0.0, whole: int = 0) -> Float:
    """(places, size): weights of the mean about each of so many places spread evenly over a line,
    Gaussian of this deviation, or as far as the places lie apart.

    whole: the length of the line, where the values, `size` of them, are about its middle.
    """
    whole = whole or size
    if places == size == whole and not deviation:
        return np.eye(size)
    deviation = deviation or max(0.5, 0.5 * whole / places)
    middle = (np.arange(places) + 0.5) * whole / places
    off = np.arange(size) + 0.5 + (whole - size) / 2 - middle[:, None]
    # no place is so far from all values that it would have no weights
    away = off**2 - (off**2).min(axis=1, keepdims=True)
    weight = np.exp(-0.5 * away / deviation**2)
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def both_axes(g: Builder, picture: Value, down: Float, right: Float) -> Value:
    """Filter both axes of a picture by matrices: down picture right^T for each channel."""
    return g.op("MatMul", g.op("MatMul", down, picture), right.T)


def mean_of_last(g: Builder, x: Value, size: int) -> Value:
    """(batch, n, 1): the mean over the last axis of x, (batch, n, size), written as nodes of a
    graph."""
    # several equal columns: a product with a single one rounds by where a record stands
    columns = g.op("MatMul", x, np.full((size, 4), 1 / size))
    return g.op("Slice", columns, *(g.const([at], np.int64) for at in (0, 1, 2)))
