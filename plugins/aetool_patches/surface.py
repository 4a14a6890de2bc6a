"""Surfaces that look alike everywhere and nowhere the same, such as stone: how unexpected colours
are, and how they change about each place, wherever in a picture they are seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from aetool.closed_form import Batches, Builder, ClosedForm, Solution, Value, evaluated
from aetool.errors import DataError
from aetool.model import Float, Int
from aetool.rarity import Rarity
from aetool_patches import maps
from aetool_patches.colours import GRAINS, Colours, Fine
from aetool_patches.density import Density
from aetool_patches.net import some_numbers, some_rows
from aetool_patches.texture import window_means
from aetool_patches.usual import FARTHEST, FEWEST, LITTLE, SHARP, Moments

JUDGED = 128  # pictures whose costs tell what is usual
PIXELS = 12_000  # that Gaussians are fitted on
AT_ONCE = 8  # pictures that are described at once
AROUND = 2.0  # places that what is usual is averaged over
# nats: of equal pictures costs differ by the rounding of a graph alone, which says nothing
LEAST_DEVIATION = 1e-2

Singles = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Usual:
    """The costs of pictures that were fitted, from which the usual costs at each place are
    computed.

    frame: the grid of places. costs: (pictures, maps * places) float32, in nats; judged: the
    numbers, rising, of these pictures among those that were fitted; maps: how many maps of places
    there are, one for each density.
    """

    frame: Fine
    costs: Singles
    judged: Int
    maps: int

    def without(self, left_out: Int) -> Usual:
        """A copy without the pictures whose numbers among all that were fitted are in left_out,
        (n,)."""
        stays = ~np.isin(self.judged, left_out)
        return replace(
            self,
            costs=self.costs[stays],
            judged=self.judged[stays],
        )

    def measured(self) -> tuple[Float, Float, list[Rarity]]:
        """(usual, deviation, rarities): the cost that is usual at each place and how far costs
        stray from it, (maps * places,) both, in nats, over all pictures, one at least, the largest
        5 % left out at each place (see usual.Moments); and for each map the Rarity of a picture's
        score, the power mean over places of 1 + how many deviations, 0 .. 100, its costs lie above
        the usual ones; of three pictures or more, above those of all others."""
        # sums of squares less squares of sums need the digits of float64
        costs = self.costs.astype(np.float64)
        pictures = len(costs)
        moments = Moments.of(costs)
        usual, deviation = self._usual_and_deviation(moments.mean, moments.square)
        beyond = (costs - usual) / deviation
        if pictures >= FEWEST:
            # each picture by all others: it has not bent what is usual towards itself
            usual_of_others, deviation_of_others = self._usual_and_deviation(
                moments.mean_of_others,
                moments.square_of_others,
            )
            beyond = (costs - usual_of_others) / deviation_of_others
        beyond = np.clip(beyond, 0.0, FARTHEST) + 1.0
        power = beyond**SHARP
        by_map = power.reshape(pictures, self.maps, -1)
        power_mean = by_map.mean(axis=2)
        joined = power_mean ** (1 / SHARP)
        rarities = [Rarity.of_few(scores) for scores in joined.T]
        return usual, deviation, rarities

    def _usual_and_deviation(self, mean: Float, square: Float) -> tuple[Float, Float]:
        """(usual, deviation) of the cost at each place, in the shape of `mean`, (..., maps *
        places), and in nats.

        mean, square: means over pictures of the costs, and of their squares, at each place. usual:
        that mean averaged over the places around. deviation: the root of the mean squared distance
        of costs from it, over pictures and the places around; plus the mean of these roots over the
        whole map, plus LEAST_DEVIATION (0.01).
        """
        usual = self._averaged_around(mean)
        # the mean of (cost - usual)^2, which rounding may make negative
        variance = square - 2 * usual * mean + usual**2
        variance = np.maximum(variance, 0.0)
        strays = np.sqrt(self._averaged_around(variance))
        # of few pictures it is uncertain at each place, and the mean over all is added
        by_map = strays.reshape(*strays.shape[:-1], self.maps, -1)
        typical = by_map.mean(axis=-1, keepdims=True)
        deviation = by_map + typical + LEAST_DEVIATION
        return usual, deviation.reshape(strays.shape)

    def _averaged_around(self, values: Float) -> Float:
        """Values, (..., maps * places), averaged over the places around each, map by map, under a
        Gaussian of AROUND (2) places, in the same shape."""
        height, width = self.frame.grid
        down = window_means(height, height, AROUND)
        right = window_means(width, width, AROUND)
        laid = values.reshape(*values.shape[:-1], self.maps, height, width)
        blurred = down @ laid @ right.T
        return np.asarray(blurred.reshape(values.shape))


@dataclass(frozen=True, eq=False)
class Surface(Solution):
    """Densities of what pixels look like, and what their costs usually are.

    densities: of colours, of colours beside contrast, beside that of each grain, and beside that of
    thin lines. usual, deviation: (maps * places,), costs that are usual at each place, and how far
    costs stray from these, in nats; rarities: for each map how rare the power mean over places of
    what its costs have beyond the usual is, see `Usual.measured`. mean: (channels * places,), the
    mean of the pictures at each place, standardised. alike: how far pictures look alike everywhere,
    0 .. 1; where each place has a look of its own, these densities tell little, and bits count by
    the square of it. fitted: the costs of fitted pictures, which these are read off.

    Score: how rare that power mean is of each map, in bits, joined over maps as rarity.joined does
    with models; it falls on the pixels by how far costs are beyond the usual.
    """

    colours: Colours
    densities: Sequence[Density]
    usual: Float
    deviation: Float
    rarities: Sequence[Rarity]
    mean: Float
    alike: float
    fitted: Usual
    report: Mapping[str, float] = field(default_factory=dict)
    fair: bool = True

    def without(self, rows: Int) -> Surface:
        """The solution without the fitted pictures whose numbers are in `rows`, (n,); this one if
        none of those whose costs are known would be left."""
        # densities are of all pixels of all pictures, which a few pictures hardly move
        fitted = self.fitted.without(rows)
        if not len(fitted.judged):
            return self
        usual, deviation, rarities = fitted.measured()
        return replace(
            self,
            usual=usual,
            deviation=deviation,
            rarities=rarities,
            fitted=fitted,
        )

    def expected(self, g: Builder, x: Value) -> Value:
        """(batch, features): the mean of the fitted pictures (of at most 128), blurred, the same
        for every record of x, (batch, features)."""
        frame = self.colours.frame
        mean = g.nothing(x) + self.mean
        return frame.enlarged(g, mean, frame.shape[0])

    def bits(self, g: Builder, x: Value) -> Value:
        """(batch, pixels + 1), in bits: what each pixel adds to the score; the last is 0. x:
        (batch, features)."""
        costs = self.colours.costs(g, x, self.densities)
        beyond = (costs - self.usual) / self.deviation
        beyond = g.relu(beyond)
        beyond = g.minimum(beyond, FARTHEST) + 1.0
        places = np.arange(self.colours.frame.places)
        bits_of_maps = []
        shares = []
        for number, rarity in enumerate(self.rarities):
            # one map lies behind the other
            places_of_map = places + number * len(places)
            far = g.columns_of(beyond, places_of_map)
            bits_of_maps.append(maps.rare(g, far, len(places), rarity))
            shares.append(maps.share(g, far, self.colours.frame))
        score, parts = maps.joined(g, bits_of_maps)
        total = g.nothing(x)
        for share, part in zip(shares, parts, strict=True):
            total = total + share * part
        # where each place has a look of its own, these densities tell little
        weight = self.alike**2
        total = total * score
        total = total * weight
        return g.side_by_side(
            total,
            g.nothing(x),
        )


class Surfaces(ClosedForm):
    """Fits densities of the pixels of pictures; a random sample of 128 where there are more."""

    def fit(self, batches: Batches) -> Surface:
        """Fit densities of colours and contrast, and measure what they usually cost, both of at
        most 128 pictures drawn at random. DataError without pictures."""
        total = sum(len(batch) for batch in batches)
        if not total:
            raise DataError("no pictures to fit")
        assert self.spec.shape is not None
        frame = Fine(self.spec.shape, brightness=False)
        colours = Colours(frame, bool(self.params.brightness))
        judged = some_numbers(total, JUDGED, 0)
        pictures = some_rows(batches, judged)
        # where pictures are many, those that are judged tell what pixels look like, too
        described = self._described(colours, pictures)
        densities = [Density.of(_random_pixels(pixels)) for pixels in described]
        costs = self._evaluated_in_parts(
            lambda g, x: colours.costs(g, x, densities),
            pictures,
        )
        fitted = Usual(
            frame,
            costs,
            judged,
            len(densities),
        )
        usual, deviation, rarities = fitted.measured()
        alike = alike_everywhere(described[0])
        return Surface(
            colours,
            densities,
            usual,
            deviation,
            rarities,
            self._mean_at_places(frame, pictures),
            alike,
            fitted,
            {"alike everywhere": round(alike, 3)},
        )

    def _described(self, colours: Colours, pictures: Float) -> list[Singles]:
        """The four `Colours.aspects` of pictures, (pictures, features), which densities are fitted
        to: (pictures, pixels, descriptors) float32 each, of the pixels of reduced pictures, row by
        row."""
        channels = colours.frame.shape[0]
        height, width = colours.frame.small

        def every_aspect(g: Builder, x: Value) -> Value:
            """The four aspects of features x, (batch, features), side by side and flat: (batch,
            descriptors of all * height * width)."""
            aspects = colours.aspects(g, x)
            every = g.op("Concat", *aspects, axis=1)
            return g.op("Flatten", every, axis=1)

        flat = self._evaluated_in_parts(every_aspect, pictures)
        laid = flat.reshape(len(flat), -1, height * width)
        every = laid.transpose(0, 2, 1)
        # colours alone; beside one number of contrast; beside those of all grains; the rest, beside
        # one again
        widths = [channels, channels + 1, channels + len(GRAINS)]
        return np.split(every, np.cumsum(widths), axis=2)

    def _evaluated_in_parts(
        self,
        computation: Callable[[Builder, Value], Value],
        pictures: Float,
    ) -> Singles:
        """(pictures, n) float32: what `computation` adds to a graph for features, (batch,
        features), evaluated for pictures, (pictures, features), a few at once, as what is computed
        on the way takes much memory."""
        results = []
        for first in range(0, len(pictures), AT_ONCE):
            part = pictures[first : first + AT_ONCE]
            result = evaluated(computation, self.spec, part)
            results.append(result.astype(np.float32))
        return np.concatenate(results)

    def _mean_at_places(self, frame: Fine, rows: Float) -> Float:
        """(channels * places,): the mean of rows, which are pictures, (pictures, features), about
        each place of `frame`, channel by channel, standardised as they are."""
        _, height, width = frame.shape
        down = window_means(height, frame.grid[0])
        right = window_means(width, frame.grid[1])
        picture = rows.mean(axis=0).reshape(self.spec.shape)
        small = down @ picture @ right.T
        return np.asarray(small.ravel())


def _random_pixels(pixels: Singles) -> Float:
    """Some of the pixels, (pictures, pixels, descriptors), at random over all pictures, at most
    12,000, of as many pixels always those at the same indices: (n, descriptors) float64."""
    flat = pixels.reshape(-1, pixels.shape[-1])
    chosen = some_numbers(len(flat), PIXELS, 0)
    return flat[chosen].astype(np.float64)


def alike_everywhere(colours: Singles) -> float:
    """How far pictures look alike everywhere, 0 .. 1: the part of the variance of colours,
    (pictures, pixels, channels), that the place of a pixel does not explain; 1 where there are
    fewer than three pictures, or they do not vary."""
    pictures = len(colours)
    variances = colours.var(axis=(0, 1), dtype=np.float64)
    whole = float(variances.sum())
    if pictures < FEWEST or whole < LITTLE:
        return 1.0
    mean_picture = colours.mean(axis=0, dtype=np.float64)
    by_place = float(mean_picture.var(axis=0).sum())
    # of few pictures the means of places differ by chance, too
    chance = (whole - by_place) / (pictures - 1)
    explained = max(0.0, by_place - chance) / whole
    return min(1.0, max(0.0, 1.0 - explained))
