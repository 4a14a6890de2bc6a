"""The context of a pixel's value: its prediction from values coded before, and the features that
choose its statistics.

Pictures are walked one after the other, their rows from the top, their columns from the left, the
planes of a pixel one after the other. FORMAT.md says what every feature is, in this order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from aetool.codec.picture_coding import Coder

SCALE = 2047  # the largest vote: 170 of it are one nat
# about 65,536 / (1 + exp(-vote / 170)) at every 64th vote up to 0; the upper half mirrors it
HALF_OF_SQUASH = (
    1, 1, 1, 1, 2, 3, 4, 5, 8, 11, 17, 24, 35, 51, 75, 109, 158, 230, 335, 487, 708, 1026, 1484,
    2141, 3073, 4384, 6199, 8659, 11898, 16008, 20983, 26672, 32768,
)  # fmt: skip
# classes grow with the magnitude: small differences tell most
THRESHOLDS = (1, 2, 3, 4, 6, 8, 11, 15, 20, 27, 36, 48, 64, 90, 130)
COARSE = (0, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5, 6, 6, 6, 7, 7)
FEATURES = (
    "predicted",
    "predicted coarse",
    "x",
    "y",
    "energy",
    "energy fine",
    "texture",
    "spread",
    "ends",
    "w exact",
    "n exact",
    "repeated",
    "w",
    "n",
    "nw",
    "ne",
    "ww",
    "nn",
    "before",
    "linear",
    "median",
    "plane",
    "error w",
    "error n",
    "error before",
    "error first",
    "error second",
    "first",
    "w coarse",
    "n coarse",
    "nw coarse",
    "ne coarse",
)
WORD = (1 << 32) - 1
MIX, PLANE_SEED, CONTEXT_SEED = 0x2545F491, 0x85EBCA6B, 0x9E3779B1
FIRST_LINEAR = (20000, 20000)  # weights of N and W in 65,536ths, the others 0
LARGEST_LINEAR = 1 << 24
LARGEST_MISS = 4095
REPEATS = 1 << 16
# rows up, columns to the right, and how much the misses there count
NEAR = (
    (0, -1, 2),
    (0, -2, 1),
    (1, 0, 2),
    (1, -1, 1),
    (1, 1, 1),
)


def _squash_table() -> list[int]:
    """For each vote from -2048 to 2047, in order, the probability of a 1 bit in 65,536ths: 4,096
    whole numbers from 1 to 65,535.

    A vote is a log-odds, log(p / (1 - p)), in 170ths of a nat. The table is linear between every
    64th vote, where HALF_OF_SQUASH has the probabilities up to vote 0; those above mirror them.
    """
    # P(-vote) = 1 - P(vote)
    mirrored = [65536 - node for node in HALF_OF_SQUASH[-2::-1]]
    nodes = [*HALF_OF_SQUASH, *mirrored]
    table = []
    for vote in range(4096):
        node, part = divmod(vote, 64)
        lower = nodes[node] * (64 - part)
        upper = nodes[node + 1] * part
        # with half of the divisor, so that it is rounded
        mean = (lower + upper + 32) >> 6
        # a probability of 1 would leave nothing for the other bit
        table.append(min(mean, 65535))
    return table


def _stretch_table(table: Sequence[int]) -> list[int]:
    """The inverse of the squash table, 4,096 votes: for each probability of a 1 bit, 0 to 4095 in
    4096ths, the lowest vote (-2048 .. 2047) whose probability is as high after rounding; 2047 if
    none is. table: what `_squash_table` returns, probabilities in 65,536ths."""
    votes = []
    vote = 0
    for probability in range(4096):
        # halfway to the next probability, as both are rounded
        least = 16 * probability + 8
        # probabilities rise, so the search goes on where it ended
        while vote < 4095 and table[vote] < least:
            vote += 1
        votes.append(vote - 2048)
    return votes


SQUASHED = _squash_table()
STRETCHED = _stretch_table(SQUASHED)


@dataclass(frozen=True)
class Preset:
    """A numbered choice of contexts and of selectors, each a tuple of names of FEATURES: each
    context votes for the next bit of a pixel, and by each selector a network is chosen that mixes
    these votes.

    number: as archives have it. limit: how many uses of a counter count, at most 255, so that it
    learns no slower after them. rate: how fast networks learn, in 32nds of their error.
    """

    number: int
    contexts: tuple[tuple[str, ...], ...]
    selectors: tuple[tuple[str, ...], ...] = ()
    limit: int = 255
    rate: int = 8

    @property
    def inputs(self) -> int:
        """How many inputs a network has room for: a vote of each context and a constant, rounded up
        to a multiple of eight."""
        votes = len(self.contexts) + 1
        eights = -(-votes // 8)
        return eights * 8

    def lists(self) -> bytes:
        """The numbers of the features, places in FEATURES, in each context, then in each selector,
        a byte each, for the C kernel; before each of these lists a byte with its length."""
        packed = bytearray()
        for names in (*self.contexts, *self.selectors):
            # each list is its length and the numbers of its features
            packed.append(len(names))
            packed += bytes(FEATURES.index(name) for name in names)
        return bytes(packed)


_FEW = (
    ("predicted", "energy"),
    ("w coarse", "n coarse", "nw coarse", "ne coarse"),
    ("linear", "median"),
)
_USUAL = (
    *_FEW,
    ("plane", "energy"),
    ("nn", "n"),
    ("w", "ww"),
    ("predicted coarse", "energy"),
)
_MANY = (
    *_USUAL,
    ("error w", "error n"),
    ("w", "n"),
    ("n", "ne"),
    ("error first", "error second", "energy"),
    ("x", "y", "energy"),
    ("ends",),
    ("repeated",),
    ("predicted", "linear"),
    ("nn", "n", "ww"),
    ("ww", "nn", "energy"),
    ("ends", "energy"),
    ("first", "error first"),
    ("texture", "spread", "predicted coarse"),
    ("repeated", "energy"),
    ("error before", "before", "energy"),
    ("w exact", "n exact"),
)
_BY_ENERGY = (("energy fine",), ("predicted coarse",))
# An archive has the number: what is listed under one is never changed, another is added.
QUICK = Preset(0, _FEW)
USUAL = Preset(1, _USUAL, _BY_ENERGY)
THOROUGH = Preset(2, _MANY, (*_BY_ENERGY, ("spread",), ("ends",)))
PRESETS = (QUICK, USUAL, THOROUGH)


@dataclass(frozen=True)
class About:
    """The values of the pixels around a pixel, in one plane, named by compass: w is the pixel to
    the west, nn the second to the north, nne the one to the east of that. All come before the pixel
    in the order of coding; those that would lie outside of the picture are copied from others, or
    0 where none has been coded."""

    w: int
    n: int
    nw: int
    ne: int
    ww: int
    nn: int
    nne: int
    nnw: int
    nee: int
    nww: int
    nnn: int
    www: int


@dataclass(frozen=True)
class Pixel:
    """Everything that is known of a pixel before its value in one plane is coded.

    plane, y, x: where it is, each from 0. near: the values around it in this plane. others: around
    it in the first two planes, as far as they are coded before; values: the pixel's own values in
    these. earlier: the values in the picture before at the same pixel and to its west, north, east
    and south; in the first picture near.w five times.
    """

    plane: int
    y: int
    x: int
    near: About
    others: list[About]
    values: list[int]
    earlier: tuple[int, int, int, int, int]


def magnitude_class(value: int) -> int:
    """The class of a magnitude, 0 .. 15: the number of THRESHOLDS that it reaches or exceeds.
    value: 0 or more."""
    return sum(value >= threshold for threshold in THRESHOLDS)


def classed(value: int, shift: int) -> int:
    """The class, -15 .. 15, of a signed difference: that of its magnitude, with its sign. shift:
    how many low bits of the magnitude to drop first, so that values of any depth count as of 8
    bits."""
    size = magnitude_class(abs(value) >> shift)
    return -size if value < 0 else size


def coarsely(value: int, shift: int) -> int:
    """The coarse class, -7 .. 7, of a signed difference. shift: how many low bits of the magnitude
    to drop first."""
    size = classed(value, shift)
    if size < 0:
        return -COARSE[-size]
    return COARSE[size]


def median(w: int, n: int, nw: int) -> int:
    """The median of three guesses of a pixel from its neighbours: w, n and w + n - nw (the
    predictor of LOCO-I)."""
    gradient = w + n - nw
    ordered = sorted((w, n, gradient))
    return ordered[1]


def hashed(seed: int, terms: Sequence[int]) -> int:
    """A hash, of 32 bits, of a list of whole numbers of any sign, which depends on their order.
    seed: where it begins, below 2^32; what is returned for no terms."""
    for term in terms:
        seed = (seed + term + 1) * MIX & WORD
        seed ^= seed >> 15
    return seed


def truncated(dividend: int, divisor: int) -> int:
    """The quotient dividend / divisor, rounded towards 0, as C divides. divisor: above 0."""
    size = abs(dividend) // divisor
    return -size if dividend < 0 else size


def linear_guess(w: int, weights: Sequence[int], terms: Sequence[int]) -> int:
    """A guess of a pixel's value, rounded: its west neighbour w, and the sum of terms, each times
    its weight in 65,536ths. It may lie outside of what pixels can be. weights: as many as terms, or
    more, of which the last are left out."""
    total = 0
    # there may be more weights than terms
    for weight, term in zip(weights, terms, strict=False):
        total += weight * term
    half = 1 << 15
    return w + ((total + half) >> 16)


def clipped(value: int, low: int, high: int) -> int:
    """A value limited to low .. high, of which low is not above high."""
    return max(low, min(high, value))


class Walk:
    """Goes over pictures and codes every value by a coder, once, by the method `run`.

    values: (n, planes, height, width) uint16, 0 .. largest_value each; in place they become what a
    decoder restores, and a decoder fills them in. preset: the contexts whose hashes the coder is
    handed. bound: how far off a restored value may be; 0: exact.
    """

    def __init__(
        self,
        values: npt.NDArray[np.uint16],
        largest_value: int,
        preset: Preset,
        bound: int = 0,
    ) -> None:
        self.values = values
        self.largest_value = largest_value
        self.bound = bound
        self.preset = preset
        self.count: int = values.shape[0]
        self.planes: int = values.shape[1]
        self.height: int = values.shape[2]
        self.width: int = values.shape[3]
        # classes are of 8 bits, whatever the depth
        self.shift = max(0, largest_value.bit_length() - 8)
        # and those of differences coarser where values are
        coarser = max(0, bound.bit_length() - 1)
        self.classes = self.shift + coarser
        # places in at most 64 classes
        bits_x = (self.width - 1).bit_length()
        bits_y = (self.height - 1).bit_length()
        self.steps_x = max(0, bits_x - 6)
        self.steps_y = max(0, bits_y - 6)
        # weights for each plane; they go on learning from picture to picture
        first = [*FIRST_LINEAR, *[0] * 20]
        self.linear = [list(first) for _ in range(self.planes)]
        self.repeated = [0] * REPEATS
        self.before = self._blank()
        self.error_before = self._blank()

    def _blank(self) -> list[list[list[int]]]:
        """A picture of zeros, as lists in lists: [plane][row][column]."""
        blank = []
        for _ in range(self.planes):
            blank.append([[0] * self.width for _ in range(self.height)])
        return blank

    def run(self, coder: Coder) -> None:
        """Encode all of `values` by an Encoder, or decode them into it by a Decoder, pixel by
        pixel. The caller then calls the coder's `finish`."""
        for picture in range(self.count):
            self.now = self._blank()
            self.error = self._blank()
            # of each plane and row, the misses of the predictors at each pixel
            self.missed: list[list[dict[int, list[int]]]] = []
            for _ in range(self.planes):
                self.missed.append([{} for _ in range(self.height)])
            self.picture = picture
            for y in range(self.height):
                for x in range(self.width):
                    for plane in range(self.planes):
                        self._code(coder, plane, y, x)
            self.before = self.now
            self.error_before = self.error

    def _value_at(self, plane: int, y: int, x: int) -> int:
        """The value at (y, x) of a plane of this picture, as far as it is coded, else 0. Left of a
        row: the first value of the row above, 0 in the first row; right of it: the row's last
        value. y: a row of the picture; x may lie outside of it."""
        rows = self.now[plane]
        if x < 0:
            return rows[y - 1][0] if y else 0
        last = self.width - 1
        return rows[y][min(x, last)]

    def _values_of_row(
        self,
        plane: int,
        y: int,
        first: int,
        last: int,
    ) -> list[int]:
        """The values of row y from column `first` up to and with `last`, in order; both may lie
        outside of the row: left of it stands the first value of the row above, or 0, right of it
        the row's last value."""
        return [self._value_at(plane, y, x) for x in range(first, last + 1)]

    def _values_around(self, plane: int, y: int, x: int) -> About:
        """The values around (y, x) of a plane of this picture. In the first row all those above are
        the one to the west; further up than the picture goes they are as in the row below."""
        www, ww, w = self._values_of_row(plane, y, x - 3, x - 1)
        # above the first row there is nothing: the west stands for all of it
        nww = nw = n = ne = nee = w
        if y > 0:
            # of the row above all is known, to the east as well
            nww, nw, n, ne, nee = self._values_of_row(plane, y - 1, x - 2, x + 2)
        # what is missing farther up is as the row below it
        nnw, nn, nne = nw, n, ne
        if y > 1:
            nnw, nn, nne = self._values_of_row(plane, y - 2, x - 1, x + 1)
        nnn = nn
        if y > 2:
            nnn = self._value_at(plane, y - 3, x)
        return About(
            w=w,
            n=n,
            nw=nw,
            ne=ne,
            ww=ww,
            nn=nn,
            nne=nne,
            nnw=nnw,
            nee=nee,
            nww=nww,
            nnn=nnn,
            www=www,
        )

    def _earlier(
        self,
        plane: int,
        y: int,
        x: int,
        w: int,
    ) -> tuple[int, int, int, int, int]:
        """The values in the picture before at the same pixel and to its west, north, east and
        south; at an edge the pixel itself stands for what is outside. In the first picture five
        times w, the value to the west in this one."""
        if not self.picture:
            return w, w, w, w, w
        rows = self.before[plane]
        # at its edges the picture goes on as it ends
        left = max(x - 1, 0)
        right = min(x + 1, self.width - 1)
        above = max(y - 1, 0)
        below = min(y + 1, self.height - 1)
        row = rows[y]
        return row[x], row[left], rows[above][x], row[right], rows[below][x]

    def _error(self, plane: int, y: int, x: int) -> int:
        """The value less its prediction at (y, x) of a plane of this picture, which is coded
        already; 0 above it, and left or right of it."""
        is_inside = y >= 0 and 0 <= x < self.width
        return self.error[plane][y][x] if is_inside else 0

    def _pixel(self, plane: int, y: int, x: int) -> Pixel:
        """Gather what is known of the pixel at (y, x) of this picture before its value in this
        plane is coded: its neighbours, other planes, the picture before. All pixels and planes that
        come before it must be coded."""
        near = self._values_around(plane, y, x)
        others = []
        values = []
        for coded in range(min(plane, 2)):
            others.append(self._values_around(coded, y, x))
            values.append(self.now[coded][y][x])
        earlier = self._earlier(plane, y, x, near.w)
        return Pixel(plane, y, x, near, others, values, earlier)

    def _code(
        self,
        coder: Coder,
        plane: int,
        y: int,
        x: int,
    ) -> None:
        """Code the value at (y, x) of a plane of this picture by the coder, and learn from it. A
        decoder puts it into `values`, an encoder within a bound what a decoder will have there."""
        pixel = self._pixel(plane, y, x)
        terms = self._linear_terms(pixel)
        guesses = self._guesses(pixel)
        guesses.append(linear_guess(pixel.near.w, self.linear[plane], terms))
        # a guess may lie outside of what pixels can be
        guesses = [clipped(guess, 0, self.largest_value) for guess in guesses]
        predicted = self._weighed_mean(plane, y, x, guesses)
        slot = self._slot_of_neighbours(pixel)
        features = self._features(pixel, predicted, guesses, slot)
        self._begin_value(coder, plane, features)
        exact = int(self.values[self.picture, plane, y, x])
        value = code_value(coder, predicted, self.largest_value, exact, self.bound)
        # what is learned of it
        self.values[self.picture, plane, y, x] = value
        self.now[plane][y][x] = value
        self.error[plane][y][x] = value - predicted
        # 0 stands for nothing remembered
        self.repeated[slot] = value + 1
        self.missed[plane][y][x] = [abs(value - guess) for guess in guesses]
        # the last guess is the one of the linear predictor
        self._move_linear_weights(plane, terms, value - guesses[-1])

    def _slot_of_neighbours(self, pixel: Pixel) -> int:
        """Where the value is remembered that last followed such neighbours, a place in `repeated`:
        0 .. REPEATS - 1, a hash of the plane and of six neighbours."""
        compass = pixel.near
        neighbours = (compass.w, compass.n, compass.nw, compass.ne, compass.ww, compass.nn)
        seed = pixel.plane * PLANE_SEED & WORD
        mixed = hashed(seed, neighbours) * CONTEXT_SEED & WORD
        return mixed >> 16

    def _move_linear_weights(self, plane: int, terms: list[int], miss: int) -> None:
        """Move the weights of a plane's linear predictor, in place, towards what would have guessed
        right; none goes beyond LARGEST_LINEAR (2^24) from 0.

        terms: what it guessed by, as `_linear_terms` returns them. miss: how far above its guess
        the value is, below 0 if it is lower.
        """
        weights = self.linear[plane]
        # normalised least mean squares: steps do not depend on the contrast, nor does a flat area
        # divide by nothing
        squares = [term * term for term in terms]
        norm = 64 + sum(squares)
        step = truncated(miss << 20, norm)
        for place, term in enumerate(terms):
            moved = weights[place] + (step * term >> 10)
            # bounded, so that sums stay within 64 bits
            weights[place] = clipped(moved, -LARGEST_LINEAR, LARGEST_LINEAR)

    def _linear_terms(self, pixel: Pixel) -> list[int]:
        """The terms of the linear predictor, 11 to 22 by what there is: differences of neighbours
        to the west one, in this plane, then in the picture before, if there are several pictures,
        then in the planes coded before."""
        compass = pixel.near
        west_goes_on = 2 * compass.w - compass.ww
        north = (
            compass.nw,
            compass.ne,
            compass.nn,
            compass.nne,
            compass.nnw,
            compass.nee,
            compass.nww,
            compass.nnn,
        )
        around = (compass.n, west_goes_on, *north, compass.www)
        terms = [value - compass.w for value in around]
        if self.count > 1:
            terms += [value - compass.w for value in pixel.earlier]
        planes = zip(pixel.others, pixel.values, strict=True)
        for place, (other, value) in enumerate(planes):
            # of the first plane more than of the second
            neighbours = [value, other.n]
            if place == 0:
                neighbours += [other.nw, other.ne]
            terms += [neighbour - other.w for neighbour in neighbours]
        return terms

    def _guesses(self, pixel: Pixel) -> list[int]:
        """Guesses of a pixel's value by all predictors but the linear one, 5 to 8, the median
        first; they may lie outside of 0 .. largest_value. As many, in the same order, for each
        pixel of a plane."""
        compass = pixel.near
        # the predictors of LOCO-I and CALIC, and plain gradients
        mean = (compass.w + compass.n) >> 1
        slope = (compass.ne - compass.nw) >> 2
        change = (compass.w - compass.ww) >> 1
        guesses = [
            median(compass.w, compass.n, compass.nw),
            mean + slope,
            compass.w + compass.ne - compass.n,
            compass.n + compass.ne - compass.nne,
            compass.w + change,
        ]
        # what another picture or plane has here, and how much this one differs around it
        if self.count > 1:
            same, west, north, _, _ = pixel.earlier
            difference = compass.w - west + compass.n - north
            guesses.append(same + (difference >> 1))
        for other, value in zip(pixel.others, pixel.values, strict=True):
            difference = compass.w - other.w + compass.n - other.n
            guesses.append(value + (difference >> 1))
        return guesses

    def _weighed_mean(
        self,
        plane: int,
        y: int,
        x: int,
        guesses: list[int],
    ) -> int:
        """The mean of the guesses for (y, x), rounded, each weighed by the inverse square of how
        far guesses of its predictor were off at the five pixels nearby that NEAR lists, as far as
        they lie in the picture: all alike where none does. guesses: limited to 0 .. largest_value,
        in the same order for all pixels of the plane."""
        total = weighed = 0
        for place, guess in enumerate(guesses):
            missed = 1
            for up, right, factor in NEAR:
                row = y - up
                column = x + right
                if row >= 0 and 0 <= column < self.width:
                    misses = self.missed[plane][row][column]
                    missed += factor * misses[place]
            # in whole numbers, so that every machine has the same
            scaled = clipped(missed >> self.shift, 1, LARGEST_MISS)
            reciprocal = (1 << 24) // scaled
            # at least 1, so that the weights never add up to nothing
            weight = (reciprocal * reciprocal >> 16) + 1
            total += weight
            weighed += weight * guess
        # with half of the divisor, so that it is rounded
        return (weighed + total // 2) // total

    def _features(
        self,
        pixel: Pixel,
        predicted: int,
        guesses: list[int],
        slot: int,
    ) -> dict[str, int]:
        """The FEATURES of a pixel by name, whole numbers.

        predicted: its value as all guesses together have it. guesses: within 0 .. largest_value,
        the median first, the linear predictor's last. slot: the place in `repeated` where the value
        is remembered that last followed such neighbours.
        """
        compass = pixel.near
        plane = pixel.plane
        y = pixel.y
        x = pixel.x
        classes = self.classes
        errors = self._misses_nearby(pixel)
        slopes = self._slopes(compass)
        # shifts and divisors are part of the format: another one restores other pixels
        fine = classed((errors + 2 * slopes) >> 3, classes)
        features = {
            "predicted": predicted,
            "predicted coarse": predicted >> (self.shift + 4),
            "x": x >> self.steps_x,
            "y": y >> self.steps_y,
            "energy": coarsely((errors + slopes) // 6, classes),
            "energy fine": 2 * fine + (errors > slopes),
            "texture": classed(slopes >> 1, classes),
            "spread": classed(max(guesses) - min(guesses), classes),
            "ends": self._at_ends(pixel),
            "w exact": compass.w,
            "n exact": compass.n,
            "repeated": self.repeated[slot],
            "error first": self.error[0][y][x] if plane > 0 else 0,
            "error second": self.error[1][y][x] if plane > 1 else 0,
            "first": pixel.values[0] if plane else 0,
            "error w": classed(self._error(plane, y, x - 1), classes),
            "error n": classed(self._error(plane, y - 1, x), classes),
            "error before": classed(self._error_before(pixel), classes),
        }
        near = {
            "w": compass.w,
            "n": compass.n,
            "nw": compass.nw,
            "ne": compass.ne,
            "ww": compass.ww,
            "nn": compass.nn,
            "before": pixel.earlier[0],
            "linear": guesses[-1],
            "median": guesses[0],
            "plane": _by_first_plane(pixel),
        }
        for name, value in near.items():
            features[name] = classed(value - predicted, classes)
        for name in ("w", "n", "nw", "ne"):
            difference = near[name] - predicted
            features[f"{name} coarse"] = coarsely(difference, classes)
        return features

    def _misses_nearby(self, pixel: Pixel) -> int:
        """How far off the prediction was at four pixels nearby, as one sum of magnitudes: to the
        west and north twice, to the northwest and northeast once; 0 for those outside of the
        picture."""
        plane = pixel.plane
        above = pixel.y - 1
        x = pixel.x
        west = abs(self._error(plane, pixel.y, x - 1))
        north = abs(self._error(plane, above, x))
        northwest = abs(self._error(plane, above, x - 1))
        northeast = abs(self._error(plane, above, x + 1))
        return 2 * west + 2 * north + northwest + northeast

    def _error_before(self, pixel: Pixel) -> int:
        """The value less its prediction at this pixel of the picture before; 0 in the first."""
        if not self.picture:
            return 0
        return self.error_before[pixel.plane][pixel.y][pixel.x]

    def _slopes(self, compass: About) -> int:
        """How rough the picture is here: the sum of the magnitudes of five differences between the
        neighbours of a pixel. compass: these neighbours."""
        slopes = abs(compass.w - compass.nw)
        slopes += abs(compass.n - compass.nw)
        slopes += abs(compass.n - compass.ne)
        slopes += abs(compass.w - compass.ww)
        slopes += abs(compass.n - compass.nn)
        return slopes

    def _at_ends(self, pixel: Pixel) -> int:
        """Which of seven neighbours, and of the pixel in the picture before, have the value 0 or
        the largest one, as a number of a bit for each, 0 .. 255: black and white come in areas, in
        drawings above all."""
        compass = pixel.near
        neighbours = (
            compass.w,
            compass.n,
            compass.nw,
            compass.ne,
            compass.ww,
            compass.nn,
            compass.nee,
            pixel.earlier[0],
        )
        bits = 0
        for place, value in enumerate(neighbours):
            if value in (0, self.largest_value):
                bits |= 1 << place
        return bits

    def _begin_value(self, coder: Coder, plane: int, features: dict[str, int]) -> None:
        """Begin the next value of a plane in the coder, by its `begin`: hand it a hash for each
        context of the preset, and for each selector the number, 0 .. 255, of the set of weights
        that it chooses. features: by name, as `_features` returns them."""
        hashes = []
        for place, names in enumerate(self.preset.contexts):
            # the same features in another list are another context
            seed = (place + 1) * CONTEXT_SEED + plane * PLANE_SEED & WORD
            values = [features[name] for name in names]
            hashes.append(hashed(seed, values))
        chosen = []
        for names in self.preset.selectors:
            number = plane
            # mixed into 8 bits: features that come to one number share a set of weights
            for name in names:
                number = number * 19 + features[name]
            chosen.append(number & 255)
        coder.begin(hashes, chosen)


def _by_first_plane(pixel: Pixel) -> int:
    """Guess a pixel's value from what the first plane has here: the value to its west in its own
    plane, plus by how much the first plane's value differs from the one to its west; it may lie
    outside of what pixels can be. In the first plane itself: the value at the same place in the
    picture before, in the first picture that to the west."""
    if not pixel.plane:
        return pixel.earlier[0]
    change = pixel.values[0] - pixel.others[0].w
    return pixel.near.w + change


def code_value(
    coder: Coder,
    predicted: int,
    largest_value: int,
    value: int,
    bound: int = 0,
) -> int:
    """Code a value of 0 .. largest_value by its distance to `predicted`, 0 .. largest_value, too:
    zero or not, its side, its magnitude bit by bit; returns the value as it is restored. With a
    Decoder the value is read, whatever `value` is. coder: one that was handed the contexts already,
    by `begin`; where no value lies farther than the bound from the prediction it is not asked, and
    that is returned. bound: how far off the restored value may be; distances are in steps of twice
    that and 1."""
    step = 2 * bound + 1
    distance = abs(value - predicted)
    # to the nearest step, which is at most `bound` off
    steps = (distance + bound) // step
    # how many steps there are to either end of the range
    below = (predicted + bound) // step
    above = (largest_value - predicted + bound) // step
    # all that a value can be lies within the bound
    if not below and not above:
        return predicted
    coder.open_lines(0)
    # counter and node 0 are of whether there is any distance, 1 of its side
    if coder.bit(0, 0, int(steps == 0)):
        return predicted
    if not below:
        negative = 0
    elif not above:
        negative = 1
    else:
        negative = coder.bit(1, 1, int(value < predicted))
    largest = below if negative else above
    magnitude = _code_magnitude(coder, negative, largest, steps)
    distance = step * magnitude
    restored = predicted - distance if negative else predicted + distance
    return clipped(restored, 0, largest_value)


def _code_magnitude(
    coder: Coder,
    negative: int,
    largest: int,
    steps: int,
) -> int:
    """Code how many steps a value is off its prediction, 1 .. largest: how many bits the number
    has, then those below its highest. Returns it; with a Decoder it is read, whatever `steps` is.
    negative: 1 if the value is below its prediction, else 0. coder: with the line of key 0 open."""
    length = 0
    # the length less 1 is coded in unary: one bit for each, whether there are more bits
    while 2 << length <= largest:
        # nodes 0 and 1 are of zero and side, which come before
        node = 2 + 7 * negative + min(length, 6)
        is_longer = steps >= 2 << length
        if not coder.bit(node, node, int(is_longer)):
            break
        length += 1
    magnitude = 1 << length
    key = 1 + 32 * negative + length
    # the counter of a line: a 1, and behind it the bits coded since the line was opened
    slot = 1
    if length:
        coder.open_lines(key)
    for depth in range(length):
        # a line of sixteen counters is enough for four bits
        if depth and depth % 4 == 0:
            key = key * 64 + slot
            slot = 1
            coder.open_lines(key)
        place = length - 1 - depth
        bit = 0
        # a bit that would lead out of the range is 0
        if magnitude + (1 << place) <= largest:
            # these decisions have the nodes from 16 on
            node = 16 + 4 * min(length, 7) + min(depth, 3)
            bit_of_steps = steps >> place & 1
            bit = coder.bit(slot, node, bit_of_steps)
        slot = 2 * slot + bit
        magnitude += bit << place
    return magnitude
