"""The colours of pictures under an even light, and how much they change about each pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aetool.closed_form import Builder, Value
from aetool.model import Float
from aetool_patches.density import Density
from aetool_patches.texture import Frame, both_axes, window_means

DARKEST = 0.02  # added to colours, 0 .. 1, so that the logarithm of black is defined
# how far colours lie, in logarithms, that count as the ground's own, round by round
NEAR_GROUND = (0.4, 0.2, 0.1, 0.06, 0.06, 0.06)
LEAST_GROUND = 1e-4  # part of the pixels below which they do not tell what the ground is
SOFT, WIDE = 0.7, 2.5  # pixels: blur of colours, and how far about a place they are compared
LEAST_CONTRAST = 0.02  # of flat places, so that its logarithm is defined
CONTRAST = 0.1  # how much the logarithm of contrast counts beside colours
# pixels: blurs between which the contrast of fine, of middling and of coarse grain lies; and what
# is added to the contrast of each, as LEAST_CONTRAST to that of all
GRAINS = ((0.7, 1.4), (1.4, 2.8), (2.8, 5.6))
LEAST_GRAIN = 0.01
# pixels: how far about a place contrast is taken that tells a thin line, such as a scratch
NARROW = 1.2
BLUR, STEP = 1.0, 2  # pixels that costs are averaged over; between two places
# of thin lines: pixels that costs are averaged over; places that they stand out from
THIN_BLUR, NEARBY = 0.85, 1.0


@dataclass(frozen=True)
class Fine(Frame):
    """A frame, the geometry of pictures and of the grid of places at which they are described, with
    a place at every STEP (2) pixels of the reduced picture: so close together that a thin scratch
    does not lie between two."""

    @property
    def stride(self) -> int:
        """Pixels of the reduced picture from one place to the next, across and down."""
        return STEP


@dataclass(frozen=True)
class Colours:
    """Writes what is seen of pictures: the logarithms of their colours, and how much these change.

    frame: the size of pictures, and the grid of places. light: whether the light is subtracted from
    the logarithms, a plane over the picture in each channel, so that the ground's colour is 0
    everywhere. The ground, most of the surface that is shown, is the commonest colour among those
    near the mean of all, within 0.4 in logarithms or little more: one that lies farther from the
    mean is not recognised, as where half of a picture is black.
    """

    frame: Fine
    light: bool

    def even(self, g: Builder, x: Value) -> Value:
        """(batch, channels, height, width), of reduced pictures (frame.small): of features x,
        (batch, features), the natural logarithms of the colours, 0 (black) .. 1, each plus DARKEST
        (0.02); less the light, if self.light."""
        picture = self.frame.write(g, x)
        colours = g.log(picture + DARKEST)
        if not self.light:
            return colours
        channels = self.frame.shape[0]
        height, width = self.frame.small
        pixels = height * width
        # a size of 0 is as it was: the batch
        flattened = g.op(
            "Reshape",
            colours,
            g.const([0, channels, pixels], np.int64),
        )
        flattened = self._without_light(g, flattened)
        return g.op(
            "Reshape",
            flattened,
            g.const([0, channels, height, width], np.int64),
        )

    def _without_light(self, g: Builder, colours: Value) -> Value:
        """The logarithms of colours, (batch, channels, pixels), less the light, in the same shape:
        first their mean is subtracted, then round by round the plane through those that are near 0
        in all channels. pixels: of reduced pictures, row by row."""
        channels = self.frame.shape[0]
        plane = self._plane_of_pixels()
        parts = plane / len(plane)
        # the last column is a spare one, and takes nothing off
        level = np.diag([1.0, 0.0, 0.0, 0.0]) @ plane.T
        tilt = np.diag([1.0, 1.0, 1.0, 0.0]) @ plane.T
        mean_colour = g.op("MatMul", colours, parts)
        colours = colours - g.op("MatMul", mean_colour, level)
        for nearness in NEAR_GROUND:
            scale = np.full((1, channels, 1), -0.5 / nearness**2)
            exponent = g.op("Conv", colours * colours, scale)
            is_ground = g.exp(exponent)
            weighed_sums = g.op("MatMul", colours * is_ground, parts)
            weights = g.op("MatMul", is_ground, plane**2 / len(plane))
            # each direction by itself: over a whole picture they are at right angles, over a ground
            # that is spread over it nearly; the rounds do the rest
            slopes = weighed_sums / (weights + LEAST_GROUND)
            colours = colours - g.op("MatMul", slopes, tilt)
        return colours

    def _plane_of_pixels(self) -> Float:
        """(pixels, 4), for each pixel of reduced pictures: 1, how far down and how far right it
        lies, -1 .. 1, 0 along a side of one pixel, and 1 again: a product with few columns would
        round by where a record stands."""
        height, width = self.frame.small
        level = np.ones((height, width))
        down = _positions_along(height)[:, None] * level
        right = _positions_along(width) * level
        columns = [level, down, right, level]
        return np.stack(columns, axis=-1).reshape(-1, 4)

    def aspects(
        self,
        g: Builder,
        x: Value,
    ) -> tuple[Value, Value, Value, Value]:
        """The four things that densities describe of each pixel of reduced pictures, of features x,
        (batch, features): (batch, descriptors, height, width) each, `descriptors` being the
        channels and the contrasts beside them.

        They are the colours as `even` returns them, not scaled; these blurred (SOFT, 0.7 pixels),
        with one contrast, that about the pixel (WIDE, 2.5 pixels); the blurred ones with three
        contrasts, one for each size of grain (GRAINS); and the blurred ones with one contrast, that
        of the finest grain within NARROW (1.2) pixels. A contrast is the logarithm of a mean
        square, times CONTRAST (0.1), see `_contrast`.
        """
        colours = self.even(g, x)
        softened = self._blurred(g, colours, SOFT)
        wide = self._blurred(g, colours, WIDE)
        # the difference of two blurs is what is of a size between them
        change = softened - wide
        contrast = self._contrast(g, change, LEAST_CONTRAST, WIDE)
        beside_contrast = g.op("Concat", softened, contrast, axis=1)
        contrasts_of_grains = []
        for fine, coarse in GRAINS:
            less_blurred = self._blurred(g, colours, fine)
            more_blurred = self._blurred(g, colours, coarse)
            change = less_blurred - more_blurred
            contrast = self._contrast(g, change, LEAST_GRAIN, WIDE)
            contrasts_of_grains.append(contrast)
        beside_grains = g.op("Concat", softened, *contrasts_of_grains, axis=1)
        _, coarser_than_finest = GRAINS[0]
        change = softened - self._blurred(g, colours, coarser_than_finest)
        contrast = self._contrast(g, change, LEAST_CONTRAST, NARROW)
        beside_narrow = g.op("Concat", softened, contrast, axis=1)
        return colours, beside_contrast, beside_grains, beside_narrow

    def _blurred(
        self,
        g: Builder,
        colours: Value,
        deviation: float,
    ) -> Value:
        """`colours`, of any number of channels, (batch, channels, height, width), of reduced
        pictures, averaged under a Gaussian of this deviation in pixels, in the same shape."""
        height, width = self.frame.small
        down = window_means(height, height, deviation)
        right = window_means(width, width, deviation)
        return both_axes(g, colours, down, right)

    def _contrast(
        self,
        g: Builder,
        change: Value,
        least: float,
        about: float,
    ) -> Value:
        """(batch, 1, height, width): CONTRAST (0.1) times the logarithm of how much colours change
        about each pixel: the squares of a change of colours, (batch, channels, height, width),
        added up over channels and averaged about the pixel. least: the change whose square is
        added, so that flat places have a logarithm; about: the deviation, in pixels, of the
        Gaussian that squares are averaged by."""
        channels = self.frame.shape[0]
        every = np.ones((1, channels, 1, 1))
        square = change * change
        squared_change = g.op("Conv", square, every)
        contrast = self._blurred(g, squared_change, about)
        contrast = g.log(contrast + least**2)
        return contrast * CONTRAST

    def costs(
        self,
        g: Builder,
        x: Value,
        densities: Sequence[Density],
    ) -> Value:
        """(batch, maps * places), in nats, four maps, one after the other: how unexpected pixels of
        features x are about each place, by the density of each of the four `aspects`, in their
        order; by the last, how much more so than about the places nearby. densities: those four.

        Whole regions of a coarse grain are somewhat unexpected, among which a thin line, that of a
        scratch or of a seam, does not stand out but from what is beside it.
        """
        maps = []
        of_lines = len(densities) - 1
        aspects = self.aspects(g, x)
        for number, (density, aspect) in enumerate(zip(densities, aspects, strict=True)):
            nats = density.write(g, aspect)
            # thin lines are told by what is beside them: see above
            if number == of_lines:
                places = self._means_about_places(g, nats, THIN_BLUR)
                nearby = [window_means(side, side, NEARBY) for side in self.frame.grid]
                places = places - both_axes(g, places, *nearby)
            else:
                places = self._means_about_places(g, nats, BLUR)
            maps.append(g.op("Flatten", places, axis=1))
        return g.side_by_side(*maps)

    def _means_about_places(
        self,
        g: Builder,
        values: Value,
        deviation: float,
    ) -> Value:
        """(batch, 1, height, width of the grid): the mean about each place of values of the pixels
        of reduced pictures, (batch, 1, height, width), by a Gaussian of this deviation in
        pixels."""
        sides = zip(
            self.frame.small,
            self.frame.grid,
            strict=True,
        )
        down, right = (window_means(side, places, deviation) for side, places in sides)
        return both_axes(g, values, down, right)


def _positions_along(side: int) -> Float:
    """(side,): the position of each pixel along a side of `side` pixels, from -1 for the first to 1
    for the last, 0 in the middle; 0 for a single pixel."""
    # not -1: that would be the direction of the level once more
    if side == 1:
        return np.zeros(1)
    return np.linspace(-1, 1, side)
