"""Prediction of the next number of a stream by least squares that learn as they go.

Contexts know numbers by their symbols, which of all others is as near as any. Here symbols are
places on a line: a regression on other streams and on the numbers before predicts the next one, and
how far it was off of late says how surely. A logistic density around the prediction then gives each
bit of a symbol a logit, one more input of the mixture of symbol_mixing. All numbers are whole, and
none leaves 64 bits, whatever an archive says. This file is the norm; the C kernel computes the
same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aetool.codec.mixing import STRETCH
from aetool.codec.streams import Mask
from aetool.model import Int

I32 = npt.NDArray[np.int32]
FARTHEST = 1 << 14  # from 0, of the places of symbols on their line
OWN_BITS = 4  # by which these places are cut where they are inputs of the regression
REGRESSOR_BITS = 10
CONSTANT = 1 << REGRESSOR_BITS  # an input; no other is farther from 0
MEAN_BITS = 8
MEAN_STEP = 3
WEIGHT_BITS = 16  # behind the point
LARGEST_WEIGHT = 1 << 20
RIDGE = 1 << 16  # added to what weights are divided by
MOST_ROWS = 8192  # that sums are of; then they are halved
# of the two means of errors: how fast they follow, and the bits behind the point
STEPS = (4, 8)
ERROR_BITS = 8
# so many 16ths of the mean error are about the scale of a logistic density that errs as much
SCALE = 9
SCALE_BITS = 4
LEAST_SCALE = 16
FIRST_WEIGHT = 10000  # of each of both logits in the mixture, in 65,536ths
# of the table of the logistic function: its values are of 2^30, its places 64ths of the scale
ONE = 1 << 30
PLACES = 1024
PLACE_BITS = 6
STEP_OF_TABLE = 4228379999  # 2^32 exp(-1 / 64)
LEAST_SHARE = 64  # of 2^30, that each half of a range has at least
MIXTURE_BITS = 12  # of the probabilities that STRETCH makes logits of


@dataclass(frozen=True, eq=False)
class Numbers:
    """The symbols of a stream as numbers, and what these are predicted by.

    middles: (alphabet,), the place of each symbol's bin on the line from -FARTHEST to FARTHEST;
    edges: (alphabet,), where it begins, that of the first without a meaning. regressors: (r, n), of
    each of r regressors its number beside each of n symbols, at most CONSTANT from 0.
    """

    middles: I32
    edges: I32
    regressors: I32

    def for_c(self) -> bytes:
        """All numbers as the C kernel takes them: the bytes of little-endian int32, middles, edges,
        then the regressors, one whole row after the other."""
        parts = (self.middles, self.edges, self.regressors)
        return b"".join(part.astype("<i4").tobytes() for part in parts)


def numbers_of(starts: Int, widths: Int, regressors: Sequence[I32], count: int) -> Numbers:
    """The numbers of a stream of `count` symbols whose bins begin at `starts` and are of 2^widths
    residuals, (bins,) each, at least one, one bin for each symbol: the middle of the first bin is
    put at -FARTHEST, that of the last at FARTHEST. regressors: (count,) each, or none at all."""
    # twice the middle, and twice what lies between two bins, as Python's integers: of 64 bits
    # neither would fit
    middles: list[int] = []
    edges: list[int] = []
    bins = zip(starts.tolist(), widths.tolist(), strict=True)
    last_before = 0
    for start, width in bins:
        last = start + (1 << width) - 1
        middles.append(start + last)
        # the first edge is nowhere, and has no meaning
        edges.append(last_before + start)
        last_before = last
    least = middles[0]
    spread = max(1, middles[-1] - least)
    table = np.zeros((len(regressors), count), np.int32)
    for row, column in zip(table, regressors, strict=True):
        row[:] = column
    return Numbers(
        middles=_on_line(middles, least, spread),
        edges=_on_line(edges, least, spread),
        regressors=table,
    )


def _on_line(doubled: Sequence[int], least: int, spread: int) -> I32:
    """The places, (n,), of numbers on the line on which `least` is at -FARTHEST, and what is
    `spread`, at least 1, above it at FARTHEST; what would lie outside, as of bins that overlap, is
    at its end. doubled: twice each number, as `least` and `spread` are."""
    places: list[int] = []
    for number in doubled:
        above = (number - least) * 2 * FARTHEST
        place = above // spread - FARTHEST
        place = _limited(place, FARTHEST)
        places.append(place)
    return np.array(places, np.int32)


def regressor(values: Int, present: Mask) -> I32:
    """The values of another stream, (n,) int64, as a regressor, (n,) int32: from the least to the
    largest they take REGRESSOR_BITS (10) bits, by a power of two, larger or smaller than they are,
    and their mean is about 0. present: (n,) bool, where it has a value; elsewhere the regressor is
    0, and so it is of a stream whose values are all equal, or that has none."""
    out = np.zeros(len(values), np.int32)
    values_present = values[present]
    if not len(values_present):
        return out
    least = values_present.min()
    # modulo 2^64, as numbers without a sign: the range of 64-bit numbers fits
    above = (values_present - least).view(np.uint64)
    largest = int(above.max())
    bits_of_range = largest.bit_length()
    if bits_of_range > REGRESSOR_BITS:
        above >>= np.uint64(bits_of_range - REGRESSOR_BITS)
    else:
        above <<= np.uint64(REGRESSOR_BITS - bits_of_range)
    scaled = above.astype(np.int64)
    total = int(scaled.sum())
    # rounded down, below 0 there is nothing
    mean = total // len(scaled)
    out[present] = scaled - mean
    return out


def earlier(row_by_row: I32) -> I32:
    """A regressor, (n,), as it was a row before, as a new array; 0 in the first row."""
    before = np.zeros_like(row_by_row)
    before[1:] = row_by_row[:-1]
    return before


def _shares_below() -> list[int]:
    """The table of the logistic function: for each place k, 0 .. PLACES - 1 (1,023), the share of a
    logistic density, in 2^30ths, that lies more than k / 64 scales below its middle."""
    shares: list[int] = []
    # exp(-k / 64), by one multiplication after the other: no two machines can differ
    falling = ONE
    for _ in range(PLACES):
        shares.append(falling * ONE // (ONE + falling))
        # with half of the divisor, so that it is rounded
        falling = falling * STEP_OF_TABLE + (1 << 31) >> 32
    return shares


BELOW = _shares_below()


class Regression:
    """Predicts each number of a stream from regressors and from the numbers before: `begin` is to
    be called ahead of every symbol, `logits` for its bits, `learn` once it is known.

    Inputs are at most 2^10 from 0, sums of MOST_ROWS (2^13) products at most 2^33, weights at most
    2^20: sums of ten weighted sums, the largest numbers there are, are below 2^57.
    """

    def __init__(self, numbers: Numbers) -> None:
        self.numbers = numbers
        self.alphabet = len(numbers.middles)
        self.count = 0
        # of the last two numbers, and their running mean
        self.last = 0
        self.last_but_one = 0
        self.mean = 0
        size = len(numbers.regressors) + 4
        self.weights = [0] * size
        # of products of inputs, and of inputs with the number that came
        self.products = [[0] * size for _ in range(size)]
        self.matches = [0] * size
        self.rows = 0
        self.errors = [0] * len(STEPS)

    def begin(self) -> None:
        """Predict the number of the symbol that comes, a weighted sum of regressors and of numbers
        before, and keep it for `logits` and `learn`; returns nothing. To be called once before each
        symbol, and for no more symbols than the regressors have numbers."""
        beside: list[int] = self.numbers.regressors[:, self.count].tolist()
        mean = self.mean >> MEAN_BITS
        self.inputs = [*beside, CONSTANT, self.last, self.last_but_one, mean]
        total = 0
        for weight, value in zip(self.weights, self.inputs, strict=True):
            total += weight * value
        # weights learn to predict places cut by OWN_BITS, see `learn`; here it is to be all of it
        predicted = total >> WEIGHT_BITS - OWN_BITS
        self.predicted = _limited(predicted, 2 * FARTHEST)

    def logits(self, low: int, middle: int, high: int) -> list[int]:
        """The logits, in 256ths, that a symbol of low .. high - 1 is one of middle .. high - 1, low
        < middle < high: one by the quick mean of the errors so far, and one by the slow mean.
        Between `begin` and `learn`, as often as the symbol has bits; nothing changes by it."""
        out: list[int] = []
        for error in self.errors:
            scale = error * SCALE >> SCALE_BITS + ERROR_BITS
            # never 0: it divides
            scale += LEAST_SCALE
            below_low = self._share_below(low, scale)
            below_middle = self._share_below(middle, scale)
            below_high = self._share_below(high, scale)
            # edges of bins that overlap need not ascend
            upper = max(0, below_high - below_middle)
            lower = max(0, below_middle - below_low)
            upper += LEAST_SHARE
            lower += LEAST_SHARE
            chance = (upper << MIXTURE_BITS) // (upper + lower)
            out.append(STRETCH[chance])
        return out

    def _share_below(self, symbol: int, scale: int) -> int:
        """The share of the density around the prediction, of 2^30, that lies below the lower edge
        of a symbol's bin: 0 for the first symbol, all of it for one behind the last. scale: that of
        the density, 1 or more."""
        if symbol <= 0:
            return 0
        if symbol >= self.alphabet:
            return ONE
        edge = int(self.numbers.edges[symbol])
        distance = edge - self.predicted << PLACE_BITS
        place = _limited(distance // scale, PLACES - 1)
        if place < 0:
            return BELOW[-place]
        # the density is as on its other side
        return ONE - BELOW[place]

    def learn(self, symbol: int) -> None:
        """Learn from the symbol that came, 0 .. alphabet - 1: once, behind `begin`, before the next
        one's. Moves the means of errors, the weights, and the numbers before (the last two and
        their running mean) that the next prediction is made of."""
        place = int(self.numbers.middles[symbol])
        self._learn_errors(place)
        number = place >> OWN_BITS
        self._learn_weights(number)
        scaled = number << MEAN_BITS
        if self.count:
            self.mean += scaled - self.mean >> MEAN_STEP
        else:
            self.mean = scaled
        self.last_but_one = self.last
        self.last = number
        self.count += 1

    def _learn_errors(self, place: int) -> None:
        """Move the means of errors towards the error of the prediction; that of the first symbol
        begins them. place: of the symbol that came, on the line from -FARTHEST to FARTHEST."""
        error = abs(place - self.predicted) << ERROR_BITS
        for number, step in enumerate(STEPS):
            if self.count:
                self.errors[number] += error - self.errors[number] >> step
            else:
                self.errors[number] = error

    def _learn_weights(self, number: int) -> None:
        """Add a row to the sums, and move every weight, one after the other, to where the squares
        of errors are least while the others stay (a step of Gauss and Seidel). number: the place of
        the symbol that came, cut by OWN_BITS (4), as inputs are."""
        for products, value in zip(self.products, self.inputs, strict=True):
            for index, other in enumerate(self.inputs):
                products[index] += value * other
        for index, value in enumerate(self.inputs):
            self.matches[index] += value * number
        self.rows += 1
        if self.rows == MOST_ROWS:
            self._halve()
        for index, products in enumerate(self.products):
            left = self.matches[index] << WEIGHT_BITS
            for weight, product in zip(self.weights, products, strict=True):
                left -= weight * product
            step = left // (products[index] + RIDGE)
            weight = self.weights[index] + step
            # those behind it already see the new one
            self.weights[index] = _limited(weight, LARGEST_WEIGHT)

    def _halve(self) -> None:
        """Let all rows so far count half, so that the sums stay small and later rows count more."""
        self.rows >>= 1
        self.matches = [number >> 1 for number in self.matches]
        for products in self.products:
            products[:] = [number >> 1 for number in products]


def _limited(number: int, farthest: int) -> int:
    """The number, or the nearest one that is at most `farthest` from 0."""
    return max(-farthest, min(farthest, number))
