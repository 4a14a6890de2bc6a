"""Text of floats: the fewest digits that tell each float of 64 bits from all others, as most
programs write.

Such a number is often a decimal that arithmetic has moved by a float or two: 0.1 + 0.2 is written
as 0.30000000000000004. Stored are the decimal, 3 / 10, and how many floats above it the number is.
Where there is no such decimal the float's bits are stored, in their order.

Division of whole numbers below 2^53 by a power of ten is exactly rounded everywhere (IEEE 754), and
so is what Python's repr writes (David Gay's algorithm): both decide bytes, neither depends on the
machine. Numbers that were 32-bit floats once lie far from their decimals: 130.28 became
130.27999877929688. Their decimals are rounded to such a float first, which IEEE 754 decides, too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from aetool.codec.metas import MOST_DECIMALS, MOST_OFFSETS, FloatMeta
from aetool.model import Int

Doubles = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
SAMPLE = 1024  # numbers, by which is found how many decimals all have
NEAR = 8  # floats between a decimal and a number that still is stored by it
NEARLY_ALL = 0.98  # of the sample must be near decimals, for numbers to be stored by decimals
FEWER_PLACES = 2  # must decimals of 32-bit floats have, to be taken for such
MOST_SINGLE = 8  # decimals that are tried of 32-bit floats, which have seven or eight digits
LARGEST_WHOLE = float(1 << 53)  # below it every whole number is a float
SIGN = np.int64((1 << 63) - 1)
POINT = ".0"


def read(cells: Sequence[bytes]) -> tuple[Doubles, Mask, bool]:
    """Read cells as floats: (numbers, (n,) bool: which cells are just what `shortest_texts` writes
    of their number, whether whole numbers have no point).

    cells: n texts as bytes. A cell that Python's float does not read, or not as a finite number,
    has the number 0, without an error. Whole numbers have no point if more cells are then written
    as they are.
    """
    # latin-1 makes a character of every byte, so that different cells are different texts
    texts = [cell.decode("latin-1") for cell in cells]
    numbers = _numbers(texts)
    with_points = shortest_texts(numbers, bare=False)
    fits = _are_same(texts, with_points)
    bare_texts = shortest_texts(numbers, bare=True)
    fits_bare = _are_same(texts, bare_texts)
    # whichever way writes more of the cells
    if fits_bare.sum() > fits.sum():
        return numbers, fits_bare, True
    return numbers, fits, False


def read_as(cells: Sequence[bytes], bare: bool) -> tuple[Doubles, Mask]:
    """Read cells as floats: (numbers, (n,) bool: which cells are just what `shortest_texts` writes
    of their number). cells: n texts as bytes. bare: whole numbers have no point. A cell that is no
    finite number has the number 0, without an error."""
    # latin-1 makes a character of every byte, so that different cells are different texts
    texts = [cell.decode("latin-1") for cell in cells]
    numbers = _numbers(texts)
    # what is written otherwise would not come back
    is_read = _are_same(texts, shortest_texts(numbers, bare))
    return numbers, is_read


def _numbers(texts: list[str]) -> Doubles:
    """The float that each of `texts` is to Python's float(), (n,); 0 for a text that is no finite
    number."""
    numbers = np.zeros(len(texts), np.float64)
    for place, text in enumerate(texts):
        try:
            numbers[place] = float(text)
        except ValueError:
            continue
    numbers[~np.isfinite(numbers)] = 0
    return numbers


def _are_same(texts: list[str], others: list[str]) -> Mask:
    """Compare two lists of n texts, `texts` and `others`, one by one: (n,) bool, whether they are
    the same. ValueError for lists of different lengths."""
    pairs = zip(texts, others, strict=True)
    comparisons = [text == other for text, other in pairs]
    return np.array(comparisons, np.bool_)


def shortest_texts(numbers: Doubles, bare: bool) -> list[str]:
    """The shortest text of each number, (n,), that reads as the same float, as Python's repr writes
    it. bare: whole numbers without ".0"."""
    texts = [repr(number) for number in numbers.tolist()]
    if bare:
        texts = [text.removesuffix(POINT) for text in texts]
    return texts


def taken_apart(
    numbers: Doubles,
    bare: bool,
) -> tuple[FloatMeta, Int, Int, Mask]:
    """Take floats apart into whole numbers: (the meta, (n,) int64 what is stored of each, (n,)
    int64 the kind of each, (n,) bool: which floats can be stored so). `restored` writes them again.

    numbers: (n,), at least one. Stored is a decimal as a whole number; the kind is the place, in
    the meta's offsets, of how many floats the number lies above it. A float more than NEAR (8)
    floats away cannot be stored so; its kind and what is stored mean nothing. If fewer than 98 % of
    a sample are near decimals, or near these as 32-bit floats, the bits of each are stored, of kind
    0. bare: whether whole numbers are written without ".0".
    """
    step = max(1, len(numbers) // SAMPLE)
    sample = numbers[::step]
    places, single = _decimals_and_width(sample)
    kinds = np.zeros(len(numbers), np.int64)
    # bits hold every float, whatever it is
    if places is None:
        everything = np.ones(len(numbers), np.bool_)
        meta = FloatMeta(bare=bare)
        return meta, ordered_bits(numbers), kinds, everything
    wholes, distance = by_decimals(numbers, places, single)
    near = np.abs(distance) <= NEAR
    offsets = _commonest(distance[near])
    for kind, offset in enumerate(offsets):
        kinds[distance == offset] = kind
    meta = FloatMeta(
        places=places,
        offsets=tuple(offsets),
        bare=bare,
        single=single,
    )
    return meta, wholes, kinds, near


def taken_apart_by(meta: FloatMeta, numbers: Doubles) -> tuple[Int, Int, Mask]:
    """Take floats apart into whole numbers as a meta says: ((n,) int64 what is stored of each, (n,)
    int64 the kind of each, (n,) bool: which floats the meta can store). numbers: (n,).
    `taken_apart` says what is stored, and what a kind is."""
    kinds = np.zeros(len(numbers), np.int64)
    # bits hold every float
    if meta.places is None:
        everything = np.ones(len(numbers), np.bool_)
        return ordered_bits(numbers), kinds, everything
    wholes, distance = by_decimals(numbers, meta.places, meta.single)
    # one whose distance is none of the offsets has no kind
    can_store = np.zeros(len(numbers), np.bool_)
    for kind, offset in enumerate(meta.offsets):
        at_offset = distance == offset
        kinds[at_offset] = kind
        can_store |= at_offset
    return wholes, kinds, can_store


def _decimals_and_width(sample: Doubles) -> tuple[int | None, bool]:
    """How many decimals the sample's numbers, (n,), have, and whether they were 32-bit floats:
    (decimals with which nearly all, 98 %, lie near a decimal, None if no number of decimals will
    do; whether these decimals are rounded to 32-bit floats first: where only that will do, or takes
    at least FEWER_PLACES (2) fewer decimals)."""
    places = _decimals_of_sample(sample)
    places_of_single = _decimals_of_sample(sample, single=True)
    if places_of_single is None:
        return places, False
    # decimals of thirteen places lie near any 32-bit float, too
    if places is None or places_of_single + FEWER_PLACES <= places:
        return places_of_single, True
    return places, False


def _commonest(distance: Int) -> list[int]:
    """List the different values among `distance`, (n,), at most MOST_OFFSETS (17) of them, the
    commonest first, of as common ones the lowest; [0] where there are no distances."""
    offsets, counts = np.unique(distance, return_counts=True)
    # stable: of those as frequent the lowest comes first, on every machine
    by_use = np.argsort(-counts, kind="stable")
    commonest = offsets[by_use[:MOST_OFFSETS]]
    return commonest.tolist() or [0]


def near_decimals(bits: Int) -> tuple[int, Int, Int] | None:
    """Take floats that all lie near decimals apart: (how many decimals, (n,) int64 whole numbers
    over 10^decimals, (n,) int64 how many floats each lies above that); None if any is not finite or
    more than NEAR (8) floats away, or they are near as 32-bit floats only. -0 lies one float under
    0.

    bits: (n,), at least one, the bits of 64-bit floats, as whole numbers that are in the floats'
    order.
    """
    numbers = from_ordered_bits(bits)
    is_finite = np.isfinite(numbers)
    if not is_finite.all():
        return None
    meta, wholes, kinds, near = taken_apart(numbers, bare=False)
    if meta.places is None or meta.single:
        return None
    if not near.all():
        return None
    offsets = np.array(meta.offsets, np.int64)
    # for each kind a distance
    above = offsets[kinds]
    restored_bits = from_decimals(meta.places, wholes, above)
    # what would not come back bit for bit is not stored so
    if not np.array_equal(restored_bits, bits):
        return None
    return meta.places, wholes, above


def from_decimals(places: int, wholes: Int, above: Int) -> Int:
    """Compute the floats that lie `above` floats above the decimals wholes / 10^places, (n,) each,
    as `near_decimals` took them apart: (n,) int64, their bits as whole numbers that are in the
    floats' order."""
    nearest = wholes / np.float64(10**places)
    return ordered_bits(nearest) + above


def restored(meta: FloatMeta, stored: Int, kinds: Int) -> list[str]:
    """Write floats that `taken_apart` took apart: the text of each, n of them. meta, stored, kinds:
    what it returned, stored and kinds (n,) each, only of those that could be stored so."""
    ordered = stored
    # where decimals are stored each float lies as many floats above its decimal as its kind says
    if meta.places is not None:
        nearest = _nearest_floats(stored, meta.places, meta.single)
        offsets = np.array(meta.offsets, np.int64)
        ordered = ordered_bits(nearest) + offsets[kinds]
    return shortest_texts(from_ordered_bits(ordered), meta.bare)


def _decimals_of_sample(sample: Doubles, single: bool = False) -> int | None:
    """Find the fewest decimals with which nearly all (98 %) of the sample's numbers, (n,), at least
    one, lie within NEAR (8) floats of a decimal; None if no number of decimals will do. single:
    whether decimals are rounded to 32-bit floats first; fewer decimals are then tried."""
    most = MOST_SINGLE if single else MOST_DECIMALS
    for places in range(most + 1):
        _, distance = by_decimals(sample, places, single)
        is_near = np.abs(distance) <= NEAR
        if is_near.mean() >= NEARLY_ALL:
            return places
    return None


def _nearest_floats(wholes: Int, places: int, single: bool) -> Doubles:
    """The floats nearest to wholes / 10^places, (n,) float64. single: rounded to 32-bit floats,
    infinite beyond their range."""
    unit = np.float64(10**places)
    decimals = wholes.astype(np.float64) / unit
    if not single:
        return decimals
    # beyond the range of 32-bit floats they are infinite, which is no number's decimal
    with np.errstate(over="ignore"):
        singles = decimals.astype(np.float32)
        return singles.astype(np.float64)


def by_decimals(
    numbers: Doubles,
    places: int,
    single: bool = False,
) -> tuple[Int, Int]:
    """Write numbers as decimals of so many places: (wholes, distance), (n,) int64 each. wholes /
    10^places is the decimal nearest to the number, distance how many floats the number lies above
    it, below 0 for under it; more than NEAR (8) where the whole number would be 2^53 or larger, and
    wholes is then 0. single: whether the decimal is rounded to a 32-bit float first."""
    scale = np.float64(10**places)
    # a number so large that its product is infinite has no whole number either
    with np.errstate(over="ignore"):
        scaled = np.rint(numbers * scale)
    is_small = np.abs(scaled) < LARGEST_WHOLE
    rounded = np.where(is_small, scaled, 0)
    # whole numbers have no -0, which so lies one float under 0
    wholes = rounded.astype(np.int64)
    nearest = _nearest_floats(wholes, places, single)
    distance = ordered_bits(numbers) - ordered_bits(nearest)
    # whatever has no such whole number is far from any
    distance[~is_small] = NEAR + 1
    # the lowest of all numbers has no absolute value
    lowest = np.iinfo(np.int64).min
    distance[distance == lowest] = NEAR + 1
    return wholes, distance


def ordered_bits(numbers: Doubles) -> Int:
    """The bits of floats as whole numbers that sort as the floats do; (n,) int64; neighbours differ
    by 1, and -0, which is -1, lies under 0."""
    bits = np.ascontiguousarray(numbers).view(np.int64)
    return np.where(bits < 0, bits ^ SIGN, bits)


def from_ordered_bits(ordered: Int) -> Doubles:
    """The inverse of `ordered_bits`: floats, (n,) float64, from `ordered`, (n,), whole numbers that
    sort as the floats do."""
    bits = np.where(ordered < 0, ordered ^ SIGN, ordered)
    return np.ascontiguousarray(bits).view(np.float64)
