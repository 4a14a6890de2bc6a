"""What a place of a picture looks like: filters learned from pictures, and how strong they answer
about it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from aetool.closed_form import Builder, Value, evaluated
from aetool.model import Float, Spec

LONGEST = 128  # side that larger pictures are made smaller to
GRID, STRIDE = 32, 2  # most places along the longer side; fewest pixels between two
# filters: how many pixels are averaged, the side of a patch, and the blur of the answers in pixels
LAYERS = (
    (1, 3, 1.0),
    (1, 5, 1.0),
    (1, 5, 3.0),
    (2, 7, 1.0),
    (2, 7, 2.0),
)
TINTS = (1.0, 2.5)  # blurs of the colours themselves, in pixels
GROUPS, LEADING = 12, 3  # of filters by how much they vary; filters whose answers count themselves
LEAST_ANSWER = 0.02  # so that the logarithm of what is flat is defined
LEAST_DEVIATION = 0.02  # of a descriptor
AXIS_NOISE = 0.01  # variance added along an axis of descriptors, beside variances of 1
EQUAL_COLUMNS = 4  # of a matrix, in place of one
LEAST_VARIANCE = 1e-4  # of a filter, beside the mean
ROUNDING = 2e-6  # variance of pixels, 0 .. 1, that are whole levels
LEAST_LIGHT = 0.02  # mean brightness of a picture that others are brought to
PATCHES, LEARNED = 40_000, 48  # that filters are learned from; pictures that they are cut from
WHITE, BLACK = 96 / 255, 96 / 255  # a feature is levels less 96, divided by 96


@dataclass(frozen=True)
class Frame:
    """The geometry of pictures: their size, and that of the grid of places at which they are
    described. shape: (channels, height, width); brightness: whether each channel is brought to one
    mean first. Pictures are reduced to `small` before they are described."""

    shape: tuple[int, int, int]
    brightness: bool = True

    @property
    def small(self) -> tuple[int, int]:
        """The size in pixels, (height, width), of the reduced pictures to which filters are
        applied: the longer side is LONGEST (128), unless it is shorter."""
        _, height, width = self.shape
        longest = max(height, width)
        part = min(1.0, LONGEST / longest)
        small_height = max(1, round(part * height))
        small_width = max(1, round(part * width))
        return small_height, small_width

    @property
    def stride(self) -> int:
        """Pixels of the reduced picture from one place to the next, across and down: so many that
        the longer side has at most GRID (32) places, STRIDE (2) at least."""
        longest = max(self.small)
        stride = math.ceil(longest / GRID)
        return max(STRIDE, stride)

    @property
    def grid(self) -> tuple[int, int]:
        """(height, width) of the grid, in places."""
        height, width = self.small
        down = math.ceil(height / self.stride)
        right = math.ceil(width / self.stride)
        return down, right

    @property
    def places(self) -> int:
        """The number of places in the grid."""
        height, width = self.grid
        return height * width

    def write(self, g: Builder, x: Value) -> Value:
        """(batch, channels, *small): features x, (batch, features), as reduced pictures, 0 .. 1,
        or, brought to one brightness, with a mean of nearly 1 in each channel, less where it is
        dark."""
        channels, height, width = self.shape
        small_height, small_width = self.small
        intensity = x * WHITE
        intensity = intensity + BLACK
        picture = reshaped(g, intensity, [-1, *self.shape])
        # pictures that are small enough stay as they are
        is_small = self.small == (height, width)
        if not is_small:
            rows = window_means(height, small_height)
            columns = window_means(width, small_width)
            picture = both_axes(g, picture, rows, columns)
        if not self.brightness:
            return picture
        pixels = small_height * small_width
        flat = reshaped(g, picture, [-1, channels, pixels])
        light = mean_of_last(g, flat, pixels)
        light = reshaped(g, light, [-1, channels, 1, 1])
        # a black channel is not divided by 0
        light = light + LEAST_LIGHT
        return picture / light

    def enlarged(self, g: Builder, places: Value, channels: int = 1) -> Value:
        """(batch, channels * height * width): values of places, (batch, channels * places), blurred
        as they are spread over the pixels of whole pictures."""
        _, height, width = self.shape
        down, right = self.grid
        picture = reshaped(g, places, [-1, channels, down, right])
        rows = window_means(down, height)
        columns = window_means(right, width)
        picture = both_axes(g, picture, rows, columns)
        return g.op("Flatten", picture, axis=1)


@dataclass(frozen=True, eq=False)
class Layer:
    """Filters that whiten patches of pictures, which gives them the same variance along all axes:
    principal axes, those that vary most first.

    factor: pixels, along each side, that are averaged first, so that patches are larger. weight:
    (filters, channels, height, width); bias: (filters,); deviation: of the Gaussian that answers
    are averaged by, in pixels.
    """

    factor: int
    weight: Float
    bias: Float
    deviation: float

    def write(self, g: Builder, picture: Value, frame: Frame) -> Value:
        """(batch, width, places): the logarithm of how strong groups of filters answer about each
        place, and the answers of the leading ones; all less their mean over the picture. picture:
        (batch, channels, *frame.small), of which a patch must be left once `factor` pixels are
        averaged; frame: the grid of places."""
        height, width = frame.small
        height = height // self.factor
        width = width // self.factor
        if self.factor > 1:
            rows = window_means(frame.small[0], height)
            columns = window_means(frame.small[1], width)
            picture = both_axes(g, picture, rows, columns)
        answers = g.op("Conv", picture, self.weight, self.bias)
        squares = answers * answers
        groups = self._group_weights()[:, :, None, None]
        strength = g.op("Conv", squares, groups)
        # there is an answer only where the whole window lies within the picture
        window_height, window_width = self.weight.shape[2:]
        answer_rows = height - window_height + 1
        answer_columns = width - window_width + 1
        down, right = frame.grid
        blur = self.deviation
        rows = window_means(answer_rows, down, blur, height)
        columns = window_means(answer_columns, right, blur, width)
        strength = both_axes(g, strength, rows, columns)
        strength = strength + LEAST_ANSWER
        log_strength = g.log(strength)
        first_filters = range(self._leading_filters)
        leading = g.columns_of(answers, list(first_filters))
        leading = both_axes(g, leading, rows, columns)
        both = g.op("Concat", log_strength, leading, axis=1)
        return _without_mean(g, both, self.width, frame.places)

    @property
    def width(self) -> int:
        """How many descriptors the layer has for each place: one for each group, and one for each
        leading filter."""
        groups = len(self._group_weights())
        return groups + self._leading_filters

    @property
    def _leading_filters(self) -> int:
        """How many filters' answers, of the first ones, are descriptors themselves: LEADING (3) at
        most."""
        return min(LEADING, len(self.bias))

    def _group_weights(self) -> Float:
        """(groups, filters), at most 12 groups: the weight of each filter in each group, 0 outside
        of it, with the sum 1 over it; first filters are groups by themselves, later groups have
        ever more filters."""
        count = len(self.bias)
        # each group a certain factor larger than the one before, and none without a filter
        bounds = np.geomspace(1, count + 1, GROUPS + 1)
        bounds = np.round(bounds).astype(int)
        edges = np.unique(bounds) - 1
        groups = []
        for first, end in itertools.pairwise(edges):
            weights = np.zeros(count)
            filters = end - first
            weights[first:end] = 1 / filters
            groups.append(weights)
        return np.stack(groups)


@dataclass(frozen=True)
class Tint:
    """The colours about each place, averaged under a Gaussian of this deviation in pixels. width:
    how many numbers describe a place: one for each channel."""

    deviation: float
    width: int

    def write(self, g: Builder, picture: Value, frame: Frame) -> Value:
        """(batch, channels, places): the mean colour about each place of `picture`, reduced
        pictures, (batch, channels, *frame.small), less the mean over all places. frame: the grid of
        places."""
        height, width = frame.small
        down, right = frame.grid
        rows = window_means(height, down, self.deviation)
        columns = window_means(width, right, self.deviation)
        colours = both_axes(g, picture, rows, columns)
        return _without_mean(g, colours, self.width, frame.places)


Layers = Sequence[Layer | Tint]


@dataclass(frozen=True, eq=False)
class Texture:
    """Descriptors of all places: layers of filters and of colours, and the metric by which they are
    compared.

    The coordinates of a place are (descriptors - mean) axes, mean: (descriptors,), axes:
    (descriptors, coordinates): squared differences of them are the mean of those of each layer by
    itself and of all layers together, each whitened, which gives nearly the same variance along all
    axes.
    """

    frame: Frame
    layers: Layers
    mean: Float
    axes: Float

    def write(self, g: Builder, x: Value) -> Value:
        """(batch, places, coordinates): the coordinates of all places, row by row, of features x,
        (batch, features)."""
        descriptors = described(g, x, self.frame, self.layers)
        centred = descriptors - self.mean
        return g.op("MatMul", centred, self.axes)

    @classmethod
    def of(cls, frame: Frame, layers: Layers, descriptors: Float) -> Texture:
        """The texture whose metric is read off places, one at least, by their descriptors, (n,
        descriptors), those of layers side by side. frame, layers: by which these were described."""
        mean = descriptors.mean(axis=0)
        width = descriptors.shape[1]
        # all layers together, and each by itself
        parts = [slice(0, width)]
        first = 0
        for layer in layers:
            end = first + layer.width
            parts.append(slice(first, end))
            first = end
        # the metric is the mean of several, whose root are the axes
        metric = np.zeros((width, width))
        for part in parts:
            white = _whitening(descriptors[:, part])
            products = white @ white.T
            metric[part, part] += products / len(white)
        strength, turns = np.linalg.eigh(metric)
        # rounding may make the least of them negative
        strength = np.maximum(strength, 0)
        axes = turns * np.sqrt(strength)
        return cls(frame, layers, mean, axes)


def described(g: Builder, x: Value, frame: Frame, layers: Layers) -> Value:
    """Describe every place of pictures by all layers: (batch, places, descriptors), those of layers
    side by side. x: (batch, features), the pictures; frame: the grid of places."""
    picture = frame.write(g, x)
    of_layers = [layer.write(g, picture, frame) for layer in layers]
    descriptors = of_layers[0]
    if len(of_layers) > 1:
        descriptors = g.op("Concat", *of_layers, axis=1)
    return g.op("Transpose", descriptors, perm=[0, 2, 1])


def learned(frame: Frame, spec: Spec, rows: Float) -> list[Layer | Tint]:
    """Learn the layers that describe places: filters, the principal axes of patches of pictures,
    (rows, features), and layers of colours: these first. Filters of coarser pictures are left out
    where pictures are too small for a patch. frame: their geometry; spec: of the model."""
    channels = frame.shape[0]

    def write_flat(g: Builder, x: Value) -> Value:
        """Add reduced pictures of features x to a graph: (batch, channels * pixels)."""
        picture = frame.write(g, x)
        return g.op("Flatten", picture, axis=1)

    flat = evaluated(write_flat, spec, rows)
    small = flat.reshape(-1, channels, *frame.small)
    layers: list[Layer | Tint] = []
    # colours first, then filters
    for blur in TINTS:
        tint = Tint(blur, channels)
        layers.append(tint)
    shortest = min(frame.small)
    for factor, side, deviation in LAYERS:
        # of pictures made smaller still, a patch must fit in
        if factor > 1 and shortest < factor * side:
            continue
        pictures = small
        if factor > 1:
            height, width = frame.small
            down = window_means(height, height // factor)
            right = window_means(width, width // factor)
            pictures = down @ small @ right.T
        patches = _patches(pictures, side)
        weight, bias = _filters(patches)
        layer = Layer(factor, weight, bias, deviation)
        layers.append(layer)
    return layers


def _patches(pictures: Float, side: int) -> Float:
    """At most PATCHES (40,000) patches of this side, or of that of a smaller picture, at random
    places of pictures, (pictures, channels, height, width), one at least: (n, channels, patch
    height, patch width)."""
    _, _, height, width = pictures.shape
    patch_height = min(side, height)
    patch_width = min(side, width)
    window = (patch_height, patch_width)
    patches = sliding_window_view(pictures, window, axis=(2, 3))
    # (pictures, height, width, channels, patch height, patch width)
    patches = patches.transpose(0, 2, 3, 1, 4, 5)
    pictures_and_places = patches.shape[:3]
    count = math.prod(pictures_and_places)
    # of equal layers equal filters, whose answers are then computed once
    rng = np.random.default_rng(0)
    most = min(count, PATCHES)
    drawn = rng.choice(count, most, replace=False)
    drawn = np.sort(drawn)
    place = np.unravel_index(drawn, pictures_and_places)
    return np.asarray(patches[place])


def _filters(patches: Float) -> tuple[Float, Float]:
    """(weight (filters, channels, height, width), bias (filters,)) of the filters that whiten
    patches, (n, channels, height, width): principal axes, those that vary most first, as many as a
    patch has values. An axis of hardly any variance is taken for one of a little more."""
    flat = patches.reshape(len(patches), -1)
    pixels = flat.shape[1]
    mean = flat.mean(axis=0)
    covariance = np.cov(flat, rowvar=False, bias=True)
    # of one pixel numpy gives a number, not a matrix
    covariance = covariance.reshape(pixels, pixels)
    variance, axes = np.linalg.eigh(covariance)
    least = LEAST_VARIANCE * float(variance.mean())
    least = max(least, ROUNDING)
    variance = np.maximum(variance, least)
    deviation = np.sqrt(variance)
    scaled = axes / deviation
    # eigh puts the axis of the largest variance last
    white = scaled[:, ::-1].T
    patch_shape = patches.shape[1:]
    weight = white.reshape(-1, *patch_shape)
    bias = -white @ mean
    return weight, bias


def _whitening(rows: Float) -> Float:
    """The whitening matrix of rows, (rows, n): multiplied from the right, (n, n), it gives them
    nearly the same variance along all axes, but for axes along which they hardly vary. rows: one at
    least, of any mean."""
    deviation = rows.std(axis=0)
    deviation = np.maximum(deviation, LEAST_DEVIATION)
    standard = rows / deviation
    correlation = np.cov(standard, rowvar=False, bias=True)
    # of one column numpy gives a number, not a matrix
    correlation = correlation.reshape(len(deviation), -1)
    variance, axes = np.linalg.eigh(correlation)
    variance = np.maximum(variance, 0) + AXIS_NOISE
    whitened = axes / np.sqrt(variance)
    return np.asarray(whitened / deviation[:, None])


def window_means(size: int, places: int, deviation: float = 0.0, whole: int = 0) -> Float:
    """(places, size): weights of the mean about each of `places` places that are spread evenly over
    a line of `size` values, Gaussian of this deviation, in the unit of the line, in which values
    lie 1 apart, or if that is 0 of half the distance between places, 0.5 at least. Each row adds up
    to 1.

    whole: the length of the line, where the values, `size` of them, are about its middle; 0:
    `size`. As many places as values on the whole line and no deviation: the identity.
    """
    whole = whole or size
    if places == size == whole and not deviation:
        return np.eye(size)
    half_a_place = 0.5 * whole / places
    deviation = deviation or max(0.5, half_a_place)
    middle = np.arange(places) + 0.5
    middle = middle * whole / places
    margin = (whole - size) / 2
    middle_of_value = np.arange(size) + 0.5 + margin
    distance = middle_of_value - middle[:, None]
    square = distance**2
    # no place is so far from all values that it would have no weights
    least = square.min(axis=1, keepdims=True)
    beyond_nearest = square - least
    variance = deviation**2
    exponent = -0.5 * beyond_nearest / variance
    weight = np.exp(exponent)
    total = weight.sum(axis=1, keepdims=True)
    return np.asarray(weight / total)


def both_axes(g: Builder, picture: Value, down: Float, right: Float) -> Value:
    """Multiply pictures, (batch, channels, height, width), by a matrix along each axis: down
    picture right^T for each channel. down: (rows, height); right: (columns, width). The result is
    (batch, channels, rows, columns)."""
    along_columns = g.op("MatMul", down, picture)
    return g.op("MatMul", along_columns, right.T)


def reshaped(g: Builder, x: Value, sizes: Sequence[int]) -> Value:
    """Give the numbers of x another shape: these sizes, of which -1 stands for what is left over,
    as the batch is, and 0 for a size that is as in x."""
    shape = g.const(list(sizes), np.int64)
    return g.op("Reshape", x, shape)


def _without_mean(g: Builder, x: Value, width: int, places: int) -> Value:
    """(batch, width, places): descriptors on a grid, x, (batch, width, height, width of the grid),
    with the places in one row, less the mean of each descriptor over all places. width: how many
    descriptors; places: how many places."""
    flat = reshaped(g, x, [0, width, places])
    mean = mean_of_last(g, flat, places)
    return flat - mean


def mean_of_last(g: Builder, x: Value, size: int) -> Value:
    """(batch, n, 1): the mean over the last axis of x, (batch, n, size), written as nodes of a
    graph. size: that of the last axis."""
    # all columns are equal, and one is kept: in a product with a single column a runtime adds in an
    # order that depends on where a record stands in its batch, and equal records would differ
    shape = (size, EQUAL_COLUMNS)
    mean_weights = np.full(shape, 1 / size)
    columns = g.op("MatMul", x, mean_weights)
    first, end, axis = 0, 1, 2
    bounds = []
    for bound in (first, end, axis):
        bounds.append(g.const([bound], np.int64))
    return g.op("Slice", columns, *bounds)
