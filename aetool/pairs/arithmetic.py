"""The arithmetic of pairs of float32, each of which stands for a float64, as nodes of a graph.

It is that of error-free transformations: sums by Knuth (TAOCP 4.2.2), products by splitting factors
(Dekker 1971). A runtime that rounds otherwise than IEEE 754 says, or takes sums apart, spoils them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from aetool.columns.column import ODD
from aetool.columns.scale import LARGEST
from aetool.errors import BundleError
from aetool.graphs import Graph, Term
from aetool.model import Float

ODD_SINGLE = float(np.finfo(np.float32).min)  # what stands for ODD in float32
MOST = 1e30  # stands for what is larger: the products of parts stay within float32
LEAST = 1e-30
SPLIT = 4097.0  # 2^12 + 1: cuts the 24 bits of a float32 in two
ROOTS = 8  # square roots before a logarithm, so that its series is short
TERMS = 8  # of that series


class Pair(NamedTuple):
    """A float64 number as two float32 values of a graph. high: the nearest float32; low: the
    remainder, which may be a plain 0 without a shape."""

    high: Term
    low: Term


def _check_range(values: Float, is_odd: npt.NDArray[np.bool_], name: str) -> None:
    """Raise BundleError, with the name, if the size of a value is above MOST (1e30) or below LEAST
    (1e-30); infinities, NaN, 0 and the values where is_odd is True have a form of their own there.
    values, is_odd: of one shape."""
    size = np.abs(values)
    is_far = (size > MOST) | (size < LEAST)
    is_special = ~np.isfinite(values) | (values == 0) | is_odd
    unsuited = is_far & ~is_special
    if unsuited.any():
        value = float(values[unsuited].flat[0])
        raise BundleError(f"{name}: a constant of {value:g} has no room in float32")


class Arithmetic:
    """The arithmetic of pairs, as nodes of a graph: each method adds nodes to it, and returns their
    result, element by element, broadcast as in ONNX. Of finite numbers of sizes LEAST (1e-30) to
    MOST (1e30) results have about 48 bits, where nothing else is said."""

    def __init__(self, graph: Graph) -> None:
        """Store the plain 0 in the graph, to which all nodes will be added."""
        self.graph = graph
        self.zero = graph.term(graph.const(0.0))

    def constant(self, values: Float, name: str) -> Pair:
        """Store an array of float64 as a constant pair. Bounds, values of size LARGEST (above all
        data), become MOST (1e30) with their sign, ODD becomes ODD_SINGLE. BundleError, with the
        name, for any other finite number above MOST, or below LEAST (1e-30) and not 0."""
        # bounds, of values that are clipped
        is_bound = np.abs(values) == LARGEST
        values = np.where(is_bound, np.sign(values) * MOST, values)
        is_odd = values == ODD
        _check_range(values, is_odd, name)
        high = np.where(is_odd, ODD_SINGLE, values).astype(np.float32)
        # the rest of an infinity is no number
        with np.errstate(invalid="ignore", over="ignore"):
            remainder = values - high
            low = remainder.astype(np.float32)
        has_no_low = is_odd | ~np.isfinite(low)
        low = np.where(has_no_low, np.float32(0), low)
        high_part = self.zero.constant(high)
        low_part = self.zero.constant(low)
        return Pair(high_part, low_part)

    def wide(self, single: Term) -> Pair:
        """A float32 as a pair whose low part is the plain 0."""
        return Pair(single, self.zero)

    def is_zero(self, part: Term) -> bool:
        """Whether a part is the plain 0, which has no shape of its own."""
        return part.name == self.zero.name

    def full(self, pair: Pair) -> Term:
        """The low part of a pair, broadcast to the shape of the high part where it is the plain 0,
        as an output of the graph must be."""
        if not self.is_zero(pair.low):
            return pair.low
        # 0 in any case, in the shape of the condition, which is that of the high part
        missing = pair.high.is_nan()
        return missing.choose(self.zero, self.zero)

    def each(self, change: Callable[[Term], Term], pair: Pair) -> Pair:
        """Apply a function, change, to both parts of a pair, and return the new pair. change: adds
        an operator that only moves values, as a transpose does, or negates them."""
        high = change(pair.high)
        low = change(pair.low)
        return Pair(high, low)

    def choice(self, mask: Term, yes: Pair, no: Pair) -> Pair:
        """A pair for each element of mask, a condition: `yes` where the mask is true, `no`
        elsewhere."""
        high = mask.choose(yes.high, no.high)
        low = mask.choose(yes.low, no.low)
        return Pair(high, low)

    def add(self, a: Pair, b: Pair) -> Pair:
        """The sum of two pairs, a + b, element by element, right in about 48 bits."""
        total, error = self._exact_sum(a.high, b.high)
        total_of_lows, error_of_lows = self._exact_sum(a.low, b.low)
        # what is smaller is added first, so that less of it is lost in rounding
        error = error + total_of_lows
        total, error = self._exact_sum_of_ordered(total, error)
        error = error + error_of_lows
        return self._normalised(total, error)

    def negative(self, a: Pair) -> Pair:
        """The negative of a pair, -a."""
        return self.each(lambda part: -part, a)

    def subtract(self, a: Pair, b: Pair) -> Pair:
        """The difference of two pairs, a - b, element by element, right in about 48 bits."""
        return self.add(a, self.negative(b))

    def multiply(self, a: Pair, b: Pair) -> Pair:
        """The product of two pairs, a b, element by element, right in about 48 bits."""
        product, error = self._exact_product(a.high, b.high)
        # the product of both low parts is below the last bit
        first = a.high * b.low
        second = a.low * b.high
        crossed = first + second
        return self._normalised(product, error + crossed)

    def divide(self, a: Pair, b: Pair) -> Pair:
        """The quotient of two pairs, a / b, by long division in three digits of float32."""
        # each digit is a float32, of what the digits before it leave of a
        first = a.high / b.high
        remainder = self._remainder(a, first, b)
        second = remainder.high / b.high
        remainder = self._remainder(remainder, second, b)
        third = remainder.high / b.high
        total, error = self._exact_sum_of_ordered(first, second)
        return self._normalised(total, error + third)

    def _remainder(self, a: Pair, digit: Term, b: Pair) -> Pair:
        """Subtract a digit of the quotient a / b, times b, from a: a - digit b, what is left to be
        divided."""
        product = self.multiply(self.wide(digit), b)
        return self.subtract(a, product)

    def root(self, a: Pair) -> Pair:
        """The square root of a pair: that of the high part, corrected by one step of Newton's
        method. NaN below 0; at 0 the correction divides by 0, and counts as 0."""
        root = a.high.sqrt()
        single = self.wide(root)
        square = self.multiply(single, single)
        error_of_square = self.subtract(a, square)
        # one step of Newton's: the square grows by twice the root for each unit of the root
        twice = root + root
        correction = error_of_square.high / twice
        return self._normalised(root, correction)

    def logarithm(self, a: Pair) -> Pair:
        """The natural logarithm of a pair, accurate to its 48 bits: 2^n times that of the root of
        order 2^n, which is 2 artanh((w - 1) / (w + 1)).

        The logarithm that a runtime has is right in 24 bits, which is not enough; it is taken all
        the same outside of LEAST .. MOST (1e-30 .. 1e30), for NaN and below 0.
        """
        root = a
        for _ in range(ROOTS):
            root = self.root(root)
        one = self.wide(self.zero.constant(1.0))
        numerator = self.subtract(root, one)
        denominator = self.add(root, one)
        s = self.divide(numerator, denominator)
        series = self._artanh_series(s)
        # twice artanh, times two for each root
        scale = self.zero.constant(2.0 ** (ROOTS + 1))
        artanh = self.multiply(s, series)
        logarithm = self.multiply(artanh, self.wide(scale))
        # of what is no number, not finite, or nearly nothing, the runtime's own
        is_large_enough = a.high > LEAST
        is_small_enough = a.high < MOST
        is_usual = is_large_enough & is_small_enough
        runtime_logarithm = self.wide(a.high.log())
        return self.choice(is_usual, logarithm, runtime_logarithm)

    def _artanh_series(self, s: Pair) -> Pair:
        """artanh(s) / s of a small s, by TERMS (8) terms: 1 + s^2 / 3 + s^4 / 5 + ..."""
        square = self.multiply(s, s)
        odd_numbers = [2 * term + 1 for term in range(TERMS)]
        # Horner's scheme, from the highest power down
        last, *others = reversed(odd_numbers)
        series = self.constant(np.array(1 / last), "")
        for odd_number in others:
            series = self.multiply(series, square)
            coefficient = self.constant(np.array(1 / odd_number), "")
            series = self.add(series, coefficient)
        return series

    def exponential(self, a: Pair) -> Pair:
        """exp a, accurate to 24 bits only, which is enough for values that are shown."""
        # exp(high + low) is about exp(high) (1 + low)
        power = a.high.exp()
        correction = power * a.low
        return self._normalised(power, correction)

    def floor(self, a: Pair) -> Pair:
        """The floor of a pair: the largest whole number that is not above it."""
        high = a.high.floor()
        is_whole = high.equals(a.high)
        # the low part says more only where the high one is whole
        low = a.low.floor()
        low = is_whole.choose(low, self.zero)
        return self._normalised(high, low)

    def size(self, a: Pair) -> Pair:
        """The absolute value of a pair, |a|."""
        is_below = a.high < self.zero
        return self.choice(is_below, self.negative(a), a)

    def is_less(self, a: Pair, b: Pair) -> Term:
        """Whether a < b, for each element of two pairs: a condition; False where one is NaN."""
        is_less = a.high < b.high
        # where the high parts are equal the low ones decide
        is_equal = a.high.equals(b.high)
        is_lower = a.low < b.low
        return is_less | (is_equal & is_lower)

    def is_greater(self, a: Pair, b: Pair) -> Term:
        """Whether a > b, for each element of two pairs: a condition; False where one is NaN."""
        return self.is_less(b, a)

    def is_equal(self, a: Pair, b: Pair) -> Term:
        """Whether a = b, for each element of two pairs: a condition; False where one is NaN."""
        highs = a.high.equals(b.high)
        lows = a.low.equals(b.low)
        return highs & lows

    def is_at_least(self, a: Pair, b: Pair) -> Term:
        """Whether a >= b, for each element of two pairs: a condition; False where one is NaN."""
        return self.is_greater(a, b) | self.is_equal(a, b)

    def is_at_most(self, a: Pair, b: Pair) -> Term:
        """Whether a <= b, for each element of two pairs: a condition; False where one is NaN."""
        return self.is_at_least(b, a)

    def largest(self, a: Pair, b: Pair) -> Pair:
        """The larger of two pairs, a or b, element by element; NaN wins."""
        missing = b.high.is_nan()
        is_other = self.is_less(a, b) | missing
        return self.choice(is_other, b, a)

    def smallest(self, a: Pair, b: Pair) -> Pair:
        """The smaller of two pairs, a or b, element by element; NaN wins."""
        missing = b.high.is_nan()
        is_other = self.is_less(b, a) | missing
        return self.choice(is_other, b, a)

    def sum_of_middle(self, a: Pair, width: int) -> Pair:
        """Sum over the middle axis: (B, n) from (B, width, n), width 1 or more, by adding halves
        until one is left."""
        while width > 1:
            half = width // 2
            first = self._columns_between(a, 0, half)
            second = self._columns_between(a, half, 2 * half)
            total = self.add(first, second)
            # of an odd number the last has no partner, and goes on as it is
            is_odd = width % 2
            if is_odd:
                last = self._columns_between(a, width - 1, width)
                total = self._side_by_side(total, last)
            a = total
            width = half + is_odd
        middle_axis = self.graph.const([1], np.int64)
        axis = Term(self.graph, middle_axis)
        return self.each(lambda part: part.op("Squeeze", part, axis), a)

    def _side_by_side(self, a: Pair, b: Pair) -> Pair:
        """Two pairs one behind the other, along axis 1, the first behind the batch. Neither has a
        plain 0 as its low part."""
        high = a.high.op("Concat", a.high, b.high, axis=1)
        low = a.low.op("Concat", a.low, b.low, axis=1)
        return Pair(high, low)

    def _columns_between(self, a: Pair, first: int, end: int) -> Pair:
        """Columns first .. end - 1 of a pair, along axis 1, the first behind the batch."""
        return self.each(lambda part: part.columns_between(first, end), a)

    def _normalised(self, large: Term, small: Term) -> Pair:
        """Return the sum of two float32 values as a pair, whose low part is no more than the
        rounding of the high one. large: must be at least as large in magnitude as small."""
        high, low = self._exact_sum_of_ordered(large, small)
        return Pair(high, low)

    def _exact_sum(self, a: Term, b: Term) -> tuple[Term, Term]:
        """The sum a + b without error: (s, e), s rounded to float32 and s + e = a + b."""
        total = a + b
        # what of b, and then of a, has come into the rounded sum; the rest is the error
        part_of_b = total - a
        part_of_a = total - part_of_b
        error_of_a = a - part_of_a
        error_of_b = b - part_of_b
        error = error_of_a + error_of_b
        return total, self._zero_if_nan(error)

    def _exact_sum_of_ordered(self, large: Term, small: Term) -> tuple[Term, Term]:
        """The sum large + small without error, as `_exact_sum` but with fewer operations: (s, e),
        for `large` whose magnitude is at least that of `small`."""
        small = self._zero_if_nan(small)
        total = large + small
        part_of_small = total - large
        error = small - part_of_small
        return total, self._zero_if_nan(error)

    def _exact_product(self, a: Term, b: Term) -> tuple[Term, Term]:
        """The product a b without error: (p, e), p rounded to float32 and p + e = a b."""
        product = a * b
        a_high, a_low = self._high_and_low_bits(a)
        b_high, b_low = self._high_and_low_bits(b)
        highs = a_high * b_high
        error = highs - product
        # in this order each sum is exact
        high_low = a_high * b_low
        error = error + high_low
        low_high = a_low * b_high
        error = error + low_high
        lows = a_low * b_low
        error = error + lows
        return product, self._zero_if_nan(error)

    def _high_and_low_bits(self, a: Term) -> tuple[Term, Term]:
        """Split a float32 into two numbers of twelve bits each, (high, low), whose sum it is;
        products of such numbers are exact in float32."""
        # the product with 2^12 + 1 loses the lower bits in rounding
        factor = self.zero.constant(SPLIT)
        product = a * factor
        difference = product - a
        high = product - difference
        low = a - high
        return high, low

    def _zero_if_nan(self, error: Term) -> Term:
        """An error of rounding, or a low part, with NaN replaced by 0, as arises where the number
        itself is infinite or NaN."""
        missing = error.is_nan()
        return missing.choose(self.zero, error)
