"""Heat maps: where a picture is odd, by comparing what each pixel costs with what it costs in
ordinary pictures.

A map is in multiples of the pixel threshold: 1 is what about one in 1,000 pixels of ordinary
pictures exceed, and 0 what a pixel ordinarily has.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aetool.detection.regions import Box, box_of_peak, labelled
from aetool.model import Float

Parts = npt.NDArray[np.floating]
SHARE = 0.001  # of the pixels of ordinary pictures that exceed the threshold
# of a picture's side, the deviation of the Gaussian that maps are blurred by: of what was tried on
# drawn pictures with defects (benchmarks/defect_pictures.py) the regions of defects stood out most
# by about 1 to 1.5 pixels of 64
BLUR = 1 / 56
LEAST_BLUR = 0.5  # pixels
AROUND = 1.6  # times that, to find the region around the worst
TAIL = 0.9  # how far a pixel reaches ordinarily, as a part of the ordinary pictures
MOST_PEAKS = 0.95  # of the ordinary pictures, whose highest pixels nothing is said of
CALMEST = 0.9  # of the ordinary pictures, which tell the threshold: a few odd ones must not
MOST_VALUES = 1 << 25  # of all parts that ordinary amounts are read off
QUIETEST = 1e-6  # bits: of pixels that never differ, such as a black frame
NOISE = 0.5  # of the threshold, up to which amounts are no excess
MANTISSA = 1 << 12  # steps in which ordinary amounts are stored, to each power of two


@dataclass(frozen=True, eq=False)
class PixelCalibration:
    """The calibration of heat maps: what each pixel costs in ordinary pictures, and how far that
    cost strays.

    usual, scale: (H, W), the median of the blurred part, and what 1 in a map stands for above it,
    in the unit of parts; scale > 0. deviation: of the Gaussian that parts are blurred by, in
    pixels. peak: what the highest pixel of nineteen in twenty ordinary pictures does not exceed, in
    multiples of the pixel threshold, at least 1: of the many pixels of a picture some are high by
    chance, in ordinary pictures, too.
    """

    usual: Float
    scale: Float
    deviation: float
    peak: float = 1.0

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width), in pixels, of the pictures that the calibration is for."""
        height, width = self.usual.shape
        return height, width

    @classmethod
    def of(cls, parts: Parts, height: int, width: int) -> PixelCalibration:
        """The calibration by the parts of pictures held out of the fit, (n, pixels + 1). height,
        width: of the pictures, in pixels.

        A pixel's usual amount is its median, and it strays by how far the 90 % quantile lies above
        that. Of few pictures this is uncertain, and pixels that hardly stray would look odd for
        next to nothing, so the mean of how far all pixels stray is added. The scale is that sum, or
        as much larger as it takes for one in 1,000 pixels of the calmest nine tenths of the
        pictures to exceed 1. Of very many pictures evenly spaced ones are used; without any, usual
        is 0, and scale and peak are 1.
        """
        deviation = _deviation_for(height, width)
        pixels_of_all = len(parts) * height * width
        # of many pictures evenly spaced ones
        step = max(1, math.ceil(pixels_of_all / MOST_VALUES))
        by_pixel = pixel_parts(parts[::step], height, width)
        amounts = blurred(by_pixel, deviation)
        if not len(amounts):
            nothing = np.zeros((height, width))
            return cls(nothing, nothing + 1.0, deviation)
        usual = np.median(amounts, axis=0)
        high = np.quantile(amounts, TAIL, axis=0)
        strays = np.maximum(high - usual, 0.0)
        mean_stray = max(float(strays.mean()), QUIETEST)
        scale = strays + mean_stray
        # shortened first, for the threshold is by the amounts that are stored
        usual = _rounded(usual)
        excess = (amounts - usual) / scale
        threshold = _threshold(excess)
        scale = _rounded(scale * threshold)
        highest = ((amounts - usual) / scale).max(axis=(1, 2))
        peak = max(1.0, float(np.quantile(highest, MOST_PEAKS)))
        return cls(usual, scale, deviation, peak)

    @classmethod
    def of_medians(
        cls,
        typical: Float,
        height: int,
        width: int,
    ) -> PixelCalibration:
        """The calibration for a model of pictures of this height and width, in pixels, that stores
        nothing but `typical`, the median parts, (pixels + 1,): maps are then in the unit of parts,
        and 1 means nothing special."""
        of_pixels = pixel_parts(typical[None], height, width)
        deviation = _deviation_for(height, width)
        usual, *_ = blurred(of_pixels, deviation)
        return cls(usual, np.ones((height, width)), deviation)

    def maps(self, parts: Parts) -> Float:
        """Compute the heat maps of pictures, (n, height, width), in multiples of the pixel
        threshold, from their parts, (n, pixels + 1)."""
        by_pixel = pixel_parts(parts, *self.shape)
        amounts = blurred(by_pixel, self.deviation)
        return np.asarray((amounts - self.usual) / self.scale)


def _deviation_for(height: int, width: int) -> float:
    """The deviation, in pixels, of the Gaussian that maps of pictures of this size are blurred by:
    1/56 of the shorter side, at least 0.5."""
    return max(LEAST_BLUR, BLUR * min(height, width))


def _threshold(excess: Float) -> float:
    """The excess that one in 1,000 pixels of the calmest nine tenths of pictures exceed, at least
    1. excess: (n, H, W), n at least 1, how far pixels lie above their usual amounts, in units of
    how far they stray."""
    high_of_pictures = np.quantile(excess, 1 - SHARE, axis=(1, 2))
    calmest_first = np.argsort(high_of_pictures, kind="stable")
    count = max(1, round(CALMEST * len(excess)))
    calm_pictures = excess[calmest_first[:count]]
    threshold = float(np.quantile(calm_pictures, 1 - SHARE))
    # even of pixels that never differ
    return max(threshold, 1.0)


def pixel_parts(parts: Parts, height: int, width: int) -> Float:
    """(n, height, width): the part of each pixel. parts: (n, pixels + 1), of an older model (n,
    channels * pixels + 1), whose last column belongs to no pixel and is left out."""
    of_pixels = parts[:, :-1]
    by_channel = of_pixels.reshape(len(parts), -1, height, width)
    return np.asarray(by_channel.sum(axis=1, dtype=np.float64))


def kernel(side: int, deviation: float) -> Float:
    """(side, side): the matrix that, multiplied from the left, blurs `side` pixels by a Gaussian of
    this deviation in pixels; pixels more than four deviations apart have no weight, and each row
    adds up to 1, at the edges, too."""
    places = np.arange(side)
    distances = places[:, None] - places
    in_deviations = distances / deviation
    weights = np.exp(-0.5 * in_deviations**2)
    # farther away there is next to nothing of a Gaussian
    is_far = np.abs(in_deviations) > 4
    weights[is_far] = 0.0
    total = weights.sum(axis=1, keepdims=True)
    return np.asarray(weights / total)


def blurred(amounts: Float, deviation: float) -> Float:
    """Maps, (n, H, W), blurred by a Gaussian of this deviation in pixels."""
    height, width = amounts.shape[1:]
    down = kernel(height, deviation)
    across = kernel(width, deviation)
    return np.asarray(down @ amounts @ across.T)


def excess_of(amounts: Float) -> Float:
    """The part of a map that counts as odd, (H, W) >= 0: by how much each amount lies above 0.5, up
    to which it may be noise; if none does, by how much it lies above 0, the usual. amounts: (H, W),
    a map in multiples of the pixel threshold."""
    above = np.maximum(amounts - NOISE, 0.0)
    if above.any():
        return above
    return np.maximum(amounts, 0.0)


def standing_out(amounts: Float, usual_peak: float) -> Float:
    """The map that drawings colour, (H, W): 1 at most in spots of pixels above 1 of which none
    exceeds usual_peak, and as it is elsewhere. amounts: (H, W), a map in multiples of the pixel
    threshold; usual_peak: see PixelCalibration.

    Of the many pixels of an ordinary picture some exceed the threshold by chance. Where a spot is
    higher somewhere than those of ordinary pictures are, all of it counts (hysteresis: Canny 1986).
    """
    spots, count = labelled(amounts > 1.0)
    is_odd = np.zeros(count + 1, dtype=np.bool_)
    is_odd[spots[amounts > usual_peak]] = True
    # pixels that are in no spot are not above 1 anyway
    return np.where(is_odd[spots], amounts, np.minimum(amounts, 1.0))


def box_of_worst(amounts: Float, deviation: float) -> Box | None:
    """The box around the worst region of a map, (H, W); None where no amount is above 0. deviation:
    of the Gaussian that the map's parts were blurred by, in pixels.

    The region is looked for in the map blurred once more, so that one odd pixel does not hide a
    region that is odd throughout, and so that one region does not fall into pieces.
    """
    excess = excess_of(amounts)
    if not excess.any():
        return None
    (smooth,) = blurred(excess[None], AROUND * deviation)
    return box_of_peak(smooth, excess)


def _rounded(values: Float) -> Float:
    """Round values to 12 significant bits (each lies between two powers of two, and becomes a
    multiple of 1/4096 of the upper one), so that they take little room when stored."""
    mantissa, exponent = np.frexp(values)
    steps = np.round(mantissa * MANTISSA)
    return np.ldexp(steps / MANTISSA, exponent)
