"""Smooth fields of floats: each value is predicted by polynomials through its neighbours, and how
many floats it lies above its prediction is stored.

The rows of a block are an array of one to four axes. Along each of them a value may be extrapolated
from the one, two or three values before it, by the polynomial through these (order 1, 2, 3; order 0
leaves an axis out). What one axis leaves unexplained the next one extrapolates in turn; with order
1 along every axis that is the predictor of Lorenzo (Ibarria et al. 2003), as fpzip has it.

Decoding has to compute the same floats on every processor. It does, since

- everything is a sum or difference of two float64, which IEEE 754 rounds in one way, in an order
  that is written down here; without a product there is none that a compiler could fuse with a sum;
- floats of 32 bits are float64 without any rounding, sums of them are rounded as said, and the
  prediction is rounded to 32 bits once, at the end, which IEEE 754 decides, too;
- what is stored are whole numbers: differences between places in the order of floats. A value that
  is no number, or infinite, has such a place as well, so that all its bits come back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

import numpy as np
import numpy.typing as npt

from aetool import kernel
from aetool.errors import ArchiveError
from aetool.model import Array, Float, Int

Orders = tuple[int, ...]
DType = np.dtype[np.generic]
MOST_ORDER = 3  # of a polynomial: of one more the noise of the last digit is what is told
MOST_AXES = 4
LEAST_VALUES = 4096  # of an array: of fewer the search takes longer than it is worth
SEARCHED = 1 << 16  # values, at most, on which orders are compared
STARTS = (1, 2)  # orders of all axes from which a search begins


# ---- whole numbers for floats


def whole(dtype: npt.DTypeLike) -> type[np.int32 | np.int64]:
    """The dtype of whole numbers of as many bits as a float of this dtype has: int32 for float32,
    int64 for float64."""
    size = np.dtype(dtype).itemsize
    return np.int32 if size == 4 else np.int64


def _float_dtype(dtype: npt.DTypeLike) -> type[np.float32 | np.float64]:
    """The dtype of floats of as many bits as a whole number of this dtype has, 32 or 64."""
    size = np.dtype(dtype).itemsize
    return np.float32 if size == 4 else np.float64


def _sortable(bits: Array) -> Array:
    """Map the bits of floats, as int32 or int64, to whole numbers of this dtype that sort as the
    floats do; applied twice it gives the bits again."""
    limits = np.iinfo(bits.dtype)
    kind = bits.dtype.type
    below_sign = kind(limits.max)
    sign = kind(limits.bits - 1)
    # all ones where the sign bit is set: then the other bits are turned over
    is_negative = bits >> sign
    return np.asarray(bits ^ (is_negative & below_sign))


def adds_as_ieee_754() -> bool:
    """Whether this process rounds sums as IEEE 754 does by default, and keeps the smallest numbers,
    which some libraries set processors to take for 0."""
    one = np.array([1.0])
    half_a_place = np.array([2.0**-53])
    smallest = np.array([5e-324])
    # arrays, so that the processor adds now, and no compiler did before
    twice_smallest = smallest + smallest
    half_way = one + half_a_place
    above_half = one + 1.5 * half_a_place
    keeps_smallest = twice_smallest[0] == 1e-323
    rounds_to_even = half_way[0] == 1
    rounds_to_nearest = above_half[0] > 1
    return bool(keeps_smallest and rounds_to_even and rounds_to_nearest)


def _check_arithmetic() -> None:
    """Raise ArchiveError unless this process adds as IEEE 754 says: other values would come back,
    and no one would notice."""
    if not adds_as_ieee_754():
        raise ArchiveError(
            "this process does not add as IEEE 754 says (some library set the processor so):"
            " fields of floats cannot be coded in it"
        )


# ---- residuals, and back


def residuals(values: Array, orders: Sequence[int]) -> Array:
    """Predict each value of an array from its neighbours, by polynomials along each axis (see the
    module), and return its residual: how many floats it lies above its prediction, negative if
    below. That is the rank of the value less that of the prediction, where a rank is the place of a
    float among all floats of its width, in ascending order. Int32 or int64, as wide as the floats,
    modulo 2^32 or 2^64, in the shape of `values`.

    values: 1 to MOST_AXES (4) axes, float32 or float64 in the processor's byte order. orders: of
    the polynomials, one for each axis, 0 to MOST_ORDER (3), not all 0. ArchiveError if this process
    cannot add as IEEE 754 does.
    """
    _check_arithmetic()
    values = np.ascontiguousarray(values)
    bits = values.view(whole(values.dtype))
    loop = _loop_of_kernel()
    if loop is not None:
        stored = np.empty_like(bits)
        parameters = _parameters(bits, orders)
        # False: from floats to residuals
        loop(bits, stored, parameters, False)
        return stored
    extrapolated = []
    # NaN and infinite predictions, which this may lead to, are replaced by `_bits_of_predictions`
    with np.errstate(all="ignore"):
        rest = values.astype(np.float64)
        for axis, order in enumerate(orders):
            if not order:
                continue
            along_axis = _predicted_along(rest, axis, order)
            extrapolated.append(along_axis)
            # the next axis predicts what this one leaves
            rest = rest - along_axis
        predicted = _sum_of_predictions(extrapolated)
    # of each value the one before it along the last axis; 0 for the first ones
    before = np.zeros_like(bits)
    before[..., 1:] = bits[..., :-1]
    predicted_bits = _bits_of_predictions(predicted, before)
    return np.asarray(_sortable(bits) - _sortable(predicted_bits))


def restore(stored: Array, orders: Sequence[int]) -> Array:
    """The inverse of `residuals`: float32 of int32, float64 of int64, in the same shape. Whatever
    whole numbers there are, they restore some floats. orders: those that `residuals` was given.
    ArchiveError if this process cannot add as IEEE 754 does."""
    _check_arithmetic()
    stored = np.ascontiguousarray(stored)
    bits = np.zeros_like(stored)
    loop = _loop_of_kernel()
    if loop is not None:
        parameters = _parameters(stored, orders)
        # True: from residuals to floats
        loop(stored, bits, parameters, True)
    else:
        _restore_by_fronts(stored, bits, orders)
    kind = _float_dtype(bits.dtype)
    return bits.view(kind)


def _loop_of_kernel() -> Callable[[Array, Array, Int, bool], None] | None:
    """The function `extrapolate` of the C kernel, which fills its second array with residuals of
    the first, or, if its last argument is True, the other way round. None without a kernel, or if
    it was built for a processor whose sums of float64 have more digits."""
    loop: Callable[[Array, Array, Int, bool], None] | None
    loop = getattr(kernel.C, "extrapolate", None)
    return loop


def _parameters(bits: Array, orders: Sequence[int]) -> Int:
    """Describe an array for the C kernel: the bits of a value, the number of axes, the side of
    each, and the order of each; (2 + 2 axes,) int64."""
    width = 8 * bits.dtype.itemsize
    numbers = [width, bits.ndim, *bits.shape, *orders]
    return np.array(numbers, np.int64)


def _predicted_along(
    rest: Float,
    axis: int,
    order: int,
) -> Float:
    """Predict each value from those before it along one axis: an array in the shape of `rest`,
    float64. The prediction is the next value of the polynomial through the `order` values before,
    near the beginning of the axis through the fewer that there are; 0 in the very first place."""
    along = np.moveaxis(rest, axis, 0)
    side = len(along)
    expected = np.zeros_like(along)
    for count in range(1, order + 1):
        # for each value from place `count` on: the `count` values before it, the nearest first
        befores = []
        for back in range(1, count + 1):
            befores.append(along[count - back : side - back])
        # predictions from more values take the place of those from fewer
        expected[count:] = _next_of_polynomial(befores)
    return np.moveaxis(expected, 0, axis)


def _next_of_polynomial(befores: Sequence[Float]) -> Float:
    """The next value of the polynomial through the one, two or three values before it, the nearest
    first: a; a + (a - b); a + (d + (d - (b - c))) with d = a - b. Only this order of operations
    gives the floats that were coded."""
    nearest = befores[0]
    # how much each value rises above the one before it
    steps = [later - earlier for later, earlier in pairwise(befores)]
    # through one value: a constant
    if not steps:
        return nearest
    step = steps[0]
    # through two: a straight line
    if len(steps) == 1:
        return nearest + step
    # through three: a parabola, whose steps change by an equal amount
    change = step - steps[1]
    return nearest + (step + change)


def _sum_of_predictions(extrapolated: Sequence[Float]) -> Float:
    """The sum of the predictions along all axes, at least one array, all of one shape, added from
    the last to the first: only this order gives the floats that were coded."""
    total = extrapolated[-1]
    for along_axis in reversed(extrapolated[:-1]):
        total = along_axis + total
    return total


def _bits_of_predictions(predicted: Float, before: Array) -> Array:
    """The bits of predictions, rounded to floats of as many bits as `before` has; those of the
    value before, where the rounded prediction is infinite or no number. before: bits, of the same
    shape, int32 or int64."""
    kind = _float_dtype(before.dtype)
    with np.errstate(all="ignore"):
        rounded = predicted.astype(kind)
    bits = rounded.view(before.dtype)
    is_number = np.isfinite(rounded)
    return np.where(is_number, bits, before)


@dataclass(frozen=True, eq=False)
class _Axis:
    """One axis of an array that is restored. order: of its polynomials; stride: how many values lie
    between neighbours along it; place: (n,), the place of each value along it; rest: (n,) float64,
    each value restored so far, less the predictions of the axes before this one."""

    order: int
    stride: int
    place: Int
    rest: Float

    def extrapolated(self, front: Int) -> Float:
        """Predict values from those before them along this axis, by the polynomial through as many
        as its order says, or through the fewer that there are; 0 in the first place: (k,) float64.
        front: (k,), the numbers of the values to predict, in the array's flat order; all that lie
        before them along the axis must be in `rest` already."""
        expected = np.zeros(len(front))
        places = self.place[front]
        # predictions from more values take the place of those from fewer
        for count in range(1, self.order + 1):
            has_enough = places >= count
            chosen = front[has_enough]
            befores = []
            for back in range(1, count + 1):
                numbers = chosen - back * self.stride
                befores.append(self.rest[numbers])
            expected[has_enough] = _next_of_polynomial(befores)
        return expected


def _restore_by_fronts(
    stored: Array,
    bits: Array,
    orders: Sequence[int],
) -> None:
    """Restore floats from residuals without the kernel: fill `bits` with the bits of the floats
    that `residuals` was given, for these orders. stored, bits: of the same shape and type, int32 or
    int64, and contiguous. Values whose places along all axes have the same sum do not depend on
    each other: they are a front, and restored at once."""
    places = np.indices(stored.shape).reshape(stored.ndim, -1)
    # only axes with an order predict anything
    axes = []
    for axis, order in enumerate(orders):
        if order:
            stride = prod(stored.shape[axis + 1 :])
            rest_of_axis = np.zeros(stored.size)
            axes.append(_Axis(order, stride, places[axis], rest_of_axis))
    kind = _float_dtype(bits.dtype)
    flat_stored = stored.reshape(-1)
    flat_bits = bits.reshape(-1)
    # as in `residuals`
    with np.errstate(all="ignore"):
        for front in _fronts(places):
            extrapolated = [axis.extrapolated(front) for axis in axes]
            predicted = _sum_of_predictions(extrapolated)
            # of each value the one before it along the last axis; 0 for the first ones
            before = flat_bits[front - 1]
            is_first = places[-1][front] == 0
            before[is_first] = 0
            predicted_bits = _bits_of_predictions(predicted, before)
            in_order = _sortable(predicted_bits) + flat_stored[front]
            restored = _sortable(in_order)
            flat_bits[front] = restored
            rest = restored.view(kind).astype(np.float64)
            # each axis keeps what the ones before have left
            for axis_of_order, along_axis in zip(axes, extrapolated, strict=True):
                axis_of_order.rest[front] = rest
                rest = rest - along_axis


def _fronts(places: Int) -> Iterator[Int]:
    """Yield the numbers of the values whose places have the same sum, (k,) each, by that sum.
    places: (axes, n), the place of each value along each axis."""
    sums = places.sum(axis=0)
    by_sum = np.argsort(sums, kind="stable")
    counts = np.bincount(sums)
    ends = np.cumsum(counts)
    yield from np.split(by_sum, ends[:-1])


# ---- choosing orders: nothing of this is needed to decode


def allows(dtype: DType, orders: Sequence[int]) -> bool:
    """Whether values of this dtype can be extrapolated by these orders, one for each axis, at least
    one, none below 0: floats of 32 or 64 bits, by at most MOST_AXES (4) orders, the largest of
    which is 1 to MOST_ORDER (3)."""
    if dtype.kind != "f" or dtype.itemsize not in (4, 8):
        return False
    if len(orders) > MOST_AXES:
        return False
    return 0 < max(orders) <= MOST_ORDER


def suits(dtype: DType, shape: Sequence[int]) -> bool:
    """Whether it may pay to predict values of this dtype, in an array of this shape, from their
    neighbours along its axes: floats of 32 or 64 bits, in 2 to MOST_AXES (4) axes, LEAST_VALUES
    (4,096) of them or more."""
    if len(shape) < 2 or prod(shape) < LEAST_VALUES:
        return False
    simplest = [1] * len(shape)
    return allows(dtype, simplest)


def orders_for(sample: Array) -> Orders:
    """Search the orders, one for each axis, that leave the smallest residuals on a sample, an array
    of float32 or float64 of 1 to 4 axes. The search begins with order 1 along every axis (the
    predictor of Lorenzo) or order 2, whichever is better, and changes one axis by 1 at a time, as
    long as that helps; other orders may be better still. An axis of n places has at most order n -
    1; all are 0 if no axis has two places. ArchiveError if this process cannot add as IEEE 754
    does."""
    part = _middle_of(sample)
    highest_orders = []
    for side in part.shape:
        highest_orders.append(min(MOST_ORDER, side - 1))
    bits_by_orders: dict[Orders, float] = {}

    def bits_of(orders: Orders) -> float:
        """The bits that residuals of these orders have on average, computed once for each choice;
        infinite where all orders are 0."""
        if not any(orders):
            return np.inf
        if orders not in bits_by_orders:
            bits_by_orders[orders] = mean_bits(residuals(part, orders))
        return bits_by_orders[orders]

    starts = []
    for order in STARTS:
        start = [min(order, highest) for highest in highest_orders]
        starts.append(tuple(start))
    best = min(starts, key=bits_of)
    while True:
        neighbours = _neighbouring_orders(best, highest_orders)
        best_neighbour = min(neighbours, key=bits_of, default=best)
        # bits get fewer with each step, so that there is an end
        if bits_of(best_neighbour) >= bits_of(best):
            return best
        best = best_neighbour


def _neighbouring_orders(orders: Orders, highest_orders: Sequence[int]) -> Iterator[Orders]:
    """Yield each choice of orders that differs from these by 1 along one axis alone, none below 0
    or above the highest order of its axis."""
    for axis, limit in enumerate(highest_orders):
        for step in (-1, 1):
            order = orders[axis] + step
            if 0 <= order <= limit:
                changed = list(orders)
                changed[axis] = order
                yield tuple(changed)


def _middle_of(sample: Array) -> Array:
    """The middle of a sample, of at most SEARCHED (2^16) values, as a view of as many axes; all of
    it if it has no more."""
    shape = list(sample.shape)
    # a quarter of the longest side at a time is left out
    while prod(shape) > SEARCHED:
        longest = shape.index(max(shape))
        quarter = shape[longest] // 4
        shape[longest] -= max(1, quarter)
    inside = []
    for side, kept in zip(sample.shape, shape, strict=True):
        first = (side - kept) // 2
        inside.append(slice(first, first + kept))
    return sample[tuple(inside)]


def mean_bits(stored: Array) -> float:
    """The mean number of binary digits of a residual, without its sign, by which orders are
    compared: 0 for 0, 1 for 1, 2 for 2 and 3. That is about what a residual takes where a coder
    knows its rough size from those beside it. stored: at least one residual, of any shape."""
    # x is a fraction of 0.5 to 1 times 2^exponent
    _, exponents = np.frexp(stored.astype(np.float64))
    return float(exponents.mean())
