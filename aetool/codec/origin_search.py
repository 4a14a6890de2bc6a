"""Which origins the numbers of a column of text have, as its encoder finds out.

Nothing here is needed to decode. What programs print of a 32-bit float is tried with 9 digits,
which tell every such float from all others, to 17, and with 6 decimals to 17; which of these a
column needs a sample tells. How many places its decimals have then follows number by number, and
numbers of few places get a kind of their own where that saves more than it takes to tell the kinds
apart.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aetool.codec import estimates, floats, origins
from aetool.codec.floats import Doubles, Mask
from aetool.codec.metas import (
    ALL_DIGITS,
    MOST_DECIMALS,
    MOST_OFFSETS,
    MOST_ORIGINS,
    FloatMeta,
)
from aetool.codec.origins import Origin
from aetool.codec.text_cells import MAX_SPECIAL, ODD_CELLS
from aetool.model import Int

FEWEST_DIGITS = 9  # to which a 32-bit float is rounded: with fewer it is a decimal like others
FEWEST_DECIMALS = 6
# what is tried, the most digits first, and then decimals, as numbers below 0
CANDIDATES = (
    *range(ALL_DIGITS, FEWEST_DIGITS - 1, -1),
    *range(-ALL_DIGITS, -FEWEST_DECIMALS + 1),
)
LEAST_LONG = 0.05  # of a sample must have FEWEST_DIGITS (9) digits or more
LEAST_SINGLE = 0.3  # of these must be 32-bit floats that are printed to one number of digits
LEAST_OF_DIGITS = 0.01  # of a sample, for digits of which a column has a few numbers
FEW = 64  # numbers that lie beside what is usual are told by their offsets
MOST_CANDIDATES = 4  # that a column has numbers of
NEAR_SINGLE = 8  # floats between a number and what it is stored as
NEAR_DECIMAL = 2
NEAR_PRINTED = 2  # floats between a number and one of other digits, which it is then no sign of
BITS_OF_A_KIND = 40.0  # to describe it, and to learn when it comes
BITS_OF_AN_EXCEPTION = 130.0
BITS_OF_A_DIGIT = math.log2(10)
NO_PLACES = MOST_DECIMALS + 1  # of a number that no decimal of fewer places tells
PROMISING = 1.1  # of the fewest bits expected of any way may another take, to be tried
# of these may floats as others are take: how they lie beside decimals is often told by the decimals
# themselves, which no estimate sees
PROMISING_PLAIN = 1.5
# of the bits of decimals of one number of places must others take less: how large a number is is
# seen less well where columns behind it are foretold
WORTH = 0.97


# ---- digits


def likely_digits(sample: Doubles, total: int) -> list[int]:
    """To how many digits 32-bit floats among some numbers of a column, (n,), are printed, 9 .. 17,
    or to how many decimals, -17 .. -6, the commonest first, at most MOST_CANDIDATES (4) of these.
    [] unless LEAST_LONG (0.05) of the numbers have nine digits or more, and LEAST_SINGLE (0.3) of
    these are printed to the commonest; the others must be those of LEAST_OF_DIGITS (0.01) of all
    the numbers. total: how many numbers the column has; where all digits, 17, miss fewer than FEW
    (64) of these, they are taken as the commonest."""
    long_numbers = [number for number in sample.tolist() if _has_many_digits(number)]
    least = LEAST_LONG * len(sample)
    # of nothing nothing is told
    if len(long_numbers) < max(1.0, least):
        return []
    left = np.array(long_numbers, np.float64)
    fewest = LEAST_SINGLE * len(left)
    likely: list[int] = []
    while len(likely) < MOST_CANDIDATES:
        printed = [_are_printed(left, digits) for digits in CANDIDATES]
        counts = [int(is_printed.sum()) for is_printed in printed]
        most = max(counts)
        if most < fewest:
            break
        # of those that suit as many numbers the first
        place = counts.index(most)
        numbers_missed = (most - counts[0]) / len(sample) * total
        if not likely and numbers_missed < FEW and counts[0] >= fewest:
            place = 0
        best = CANDIDATES[place]
        likely.append(best)
        is_explained = _are_printed(left, best, NEAR_PRINTED)
        left = left[~is_explained]
        fewest = max(1.0, LEAST_OF_DIGITS * len(sample))
    return likely


def _has_many_digits(number: float) -> bool:
    """Whether the shortest text of a number that reads as the same float has FEWEST_DIGITS (9)
    digits or more, its exponent and the zeros at both ends not counted."""
    digits, _, _ = repr(number).partition("e")
    significant = digits.replace(".", "").strip("-0")
    return len(significant) >= FEWEST_DIGITS


def _are_printed(
    numbers: Doubles,
    digits: int,
    apart: int = 0,
) -> Mask:
    """(n,) bool: which of the numbers, (n,), are 32-bit floats rounded to so many significant
    digits, or, below 0, to -digits decimals; also those at most `apart` 64-bit floats beside
    one."""
    singles = origins.as_singles(numbers)
    is_same = origins.are_near(numbers, singles, digits)
    again = origins.rounded(singles[is_same], digits)
    distance = _floats_above(numbers[is_same], again)
    is_same[is_same] = np.abs(distance) <= apart
    return is_same


def _floats_above(numbers: Doubles, others: Doubles) -> Int:
    """How many 64-bit floats each of the numbers, (n,), lies above the other one at its place,
    (n,): int64, below 0 if it lies below."""
    ordered = floats.ordered_bits(numbers)
    return ordered - floats.ordered_bits(others)


# ---- the origin of each number


@dataclass(frozen=True, eq=False)
class _Sources:
    """Where each number of a column comes from, as far as it is found. digits, offsets: (n,) int64
    each, as in an Origin, without meaning for a number whose source is not found; places: (n,) the
    fewest decimals that tell it, NO_PLACES (16) for none."""

    digits: Int
    offsets: Int
    places: Int

    @classmethod
    def none(cls, count: int) -> _Sources:
        """The sources of so many numbers, of which none is found yet."""
        digits = np.zeros(count, np.int64)
        offsets = np.zeros(count, np.int64)
        places = np.full(count, NO_PLACES, np.int64)
        return cls(digits, offsets, places)

    @classmethod
    def of(
        cls,
        numbers: Doubles,
        likely: Sequence[int],
    ) -> _Sources:
        """Find where each of the numbers, (n,), comes from: from a 32-bit float printed to one of
        the likely counts of digits, or from a decimal. A number that may be both comes from what
        has fewer places, or, where both have as many, from what is commoner among the others; from
        the 32-bit float where this has no decimal of at most 15 places. What is neither has no
        places and digits 0."""
        sources = cls.none(len(numbers))
        is_single = sources.take_singles(numbers, likely)
        decimals = cls.none(len(numbers))
        decimals.take_decimals(numbers)
        is_decimal = decimals.places < NO_PLACES
        singles_alone = is_single & ~is_decimal
        decimals_alone = is_decimal & ~is_single
        is_taken = decimals.places < sources.places
        # what is both tells nothing of which it is
        if singles_alone.sum() < decimals_alone.sum():
            is_taken = decimals.places <= sources.places
        is_taken &= is_decimal
        # a 32-bit float may have no places
        is_taken &= ~is_single | (sources.places < NO_PLACES)
        sources.digits[is_taken] = 0
        sources.offsets[is_taken] = decimals.offsets[is_taken]
        sources.places[is_taken] = decimals.places[is_taken]
        return sources

    def take_singles(
        self,
        numbers: Doubles,
        likely: Sequence[int],
    ) -> Mask:
        """Find, and note in place, which numbers, (n,), come from 32-bit floats, and return which
        these are, (n,) bool. They are at most NEAR_SINGLE (8) 64-bit floats from a 32-bit float
        printed to one of the likely counts of digits; of several counts that of the smallest
        distance is noted."""
        singles = origins.as_singles(numbers)
        too_far = NEAR_SINGLE + 1
        apart = np.full(len(numbers), too_far, np.int64)
        for candidate in likely:
            # what lies on the spot needs no other
            is_near = origins.are_near(numbers, singles, candidate)
            rows = np.flatnonzero(is_near & (apart > 0))
            again = origins.rounded(singles[rows], candidate)
            above = _floats_above(numbers[rows], again)
            is_closer = np.abs(above) < apart[rows]
            closer = rows[is_closer]
            self.digits[closer] = candidate
            self.offsets[closer] = above[is_closer]
            apart[closer] = np.abs(above[is_closer])
        is_single = apart <= NEAR_SINGLE
        places = _places_of_singles(singles[is_single])
        self.places[is_single] = places
        return is_single

    def take_decimals(self, numbers: Doubles) -> None:
        """Find, and note in place, which numbers, (n,), lie at most NEAR_DECIMAL (2) floats from a
        decimal of at most MOST_DECIMALS (15) places, and the fewest places for which they do."""
        rows = np.arange(len(numbers))
        for count in range(NO_PLACES):
            _, above = floats.by_decimals(numbers[rows], count)
            fits = np.abs(above) <= NEAR_DECIMAL
            suited = rows[fits]
            self.places[suited] = count
            self.offsets[suited] = above[fits]
            rows = rows[~fits]

    def counts(self, has_places: bool) -> Counter[tuple[int, int]]:
        """How often each (digits, offset), see Origin, comes among the numbers. has_places: among
        those that have places, decimals that tell them; else among those that come from 32-bit
        floats."""
        chosen = self.places < NO_PLACES if has_places else self.digits != 0
        digits = self.digits[chosen].tolist()
        offsets = self.offsets[chosen].tolist()
        return Counter(zip(digits, offsets, strict=True))

    def places_of(self, digits: int, offset: int) -> Int:
        """The fewest decimals, 0 to 15, of each number that has this origin (digits and offset, see
        Origin) and lies near a decimal at all, in their order: (m,)."""
        has_digits = self.digits == digits
        has_offset = self.offsets == offset
        places = self.places[has_digits & has_offset]
        has_places = places < NO_PLACES
        return np.asarray(places[has_places])


def _places_of_singles(singles: Doubles) -> Int:
    """The fewest decimals, 0 .. 15, (n,) int64, with which each 32-bit float, (n,), comes back from
    a decimal; NO_PLACES (16) where none does."""
    places = np.full(len(singles), NO_PLACES, np.int64)
    rows = np.arange(len(singles))
    for count in range(NO_PLACES):
        origin = Origin(ALL_DIGITS, 0, count)
        _, fits = origin.stored(singles[rows])
        suited = rows[fits]
        places[suited] = count
        rows = rows[~fits]
    return places


# ---- kinds


def metas(
    numbers: Doubles,
    bare: bool,
    likely: Sequence[int],
) -> list[FloatMeta]:
    """The metas by which a column of these numbers, (n,), may be stored by origins: by decimals of
    one number of places, then, where they promise fewer bits, the most promising first, by decimals
    whose places are told by the kind, and by the bits of 32-bit floats. Before these comes, where
    it may take as few bits, the meta that the column has as floats of one origin. [] where every
    way leaves too many numbers out. likely: to how many digits its 32-bit floats are printed, as
    `likely_digits` returns them, at least one; bare: whether whole numbers are written without
    ".0"."""
    sources = _Sources.of(numbers, likely)
    ways = (
        _origins_by_places(sources),
        _origins_by_kinds(sources),
        _origins_by_bits(sources),
    )
    of_origins = [_meta_of_origins(kinds, bare) for kinds in ways if kinds]
    meta_of_one_origin, _, _, _ = floats.taken_apart(numbers, bare)
    expected_bits: dict[FloatMeta, float] = {}
    for meta in [*of_origins, meta_of_one_origin]:
        bits = _expected_bits(meta, numbers)
        # the same origins in two ways are one way
        if bits < math.inf:
            expected_bits.setdefault(meta, bits)
    if not expected_bits:
        return []
    first_meta = next(iter(expected_bits))
    fewest = min(expected_bits.values())
    most_bits = min(PROMISING * fewest, WORTH * expected_bits[first_meta])
    # what other columns tell of the first no estimate knows
    promising = [first_meta]
    if (
        meta_of_one_origin in expected_bits
        and meta_of_one_origin != first_meta
        and expected_bits[meta_of_one_origin] <= PROMISING_PLAIN * fewest
    ):
        promising.insert(0, meta_of_one_origin)
    by_bits = sorted(expected_bits, key=expected_bits.__getitem__)
    for meta in by_bits:
        if meta not in promising and expected_bits[meta] <= most_bits:
            promising.append(meta)
    return promising


def _meta_of_origins(kinds: Sequence[Origin], bare: bool) -> FloatMeta:
    """The meta of a column whose numbers have these origins, at least one, each a kind; all with
    places, or none. Where all are 32-bit floats with all their digits, have as many places and are
    at most MOST_OFFSETS (17), it is the meta of such floats alone. bare: whether whole numbers are
    written without ".0"."""
    offsets = tuple(origin.offset for origin in kinds)
    digits = tuple(origin.digits for origin in kinds)
    every_place = [origin.places for origin in kinds if origin.places is not None]
    if not every_place:
        return FloatMeta(offsets=offsets, bare=bare, digits=digits)
    most = max(every_place)
    zeros = tuple(most - places for places in every_place)
    if any(zeros):
        return FloatMeta(
            places=most,
            offsets=offsets,
            bare=bare,
            digits=digits,
            zeros=zeros,
        )
    have_all_digits = set(digits) == {ALL_DIGITS}
    if have_all_digits and len(offsets) <= MOST_OFFSETS:
        return FloatMeta(
            places=most,
            offsets=offsets,
            bare=bare,
            single=True,
        )
    return FloatMeta(
        places=most,
        offsets=offsets,
        bare=bare,
        digits=digits,
    )


def _origins_by_bits(sources: _Sources) -> list[Origin]:
    """The origins of numbers that are stored as the bits of 32-bit floats, the commonest first, at
    most MOST_ORIGINS (64); numbers that are no such floats are left out, [] if all are."""
    counts = sources.counts(has_places=False)
    commonest = counts.most_common(MOST_ORIGINS)
    return [Origin(digits, offset, None) for (digits, offset), _ in commonest]


def _origins_by_places(sources: _Sources) -> list[Origin]:
    """The origins of numbers that are stored as decimals, all of one number of places, the
    commonest first, at most MOST_ORIGINS (64); [] if no number has places. The number of places is
    that by which they are expected to take the fewest bits: numbers of more places are
    exceptions."""
    counts_of_sources = sources.counts(has_places=True)
    commonest = counts_of_sources.most_common(MOST_ORIGINS)
    if not commonest:
        return []
    total = len(sources.places)
    counts = np.bincount(sources.places, minlength=NO_PLACES + 1)
    shorter = np.cumsum(counts)[:NO_PLACES]
    longer = total - shorter
    # every place more makes all numbers longer
    bits = BITS_OF_A_DIGIT * np.arange(NO_PLACES) * shorter
    bits += BITS_OF_AN_EXCEPTION * longer
    # so many may be too many
    is_doubtful = longer > total // ODD_CELLS
    bits[is_doubtful] += BITS_OF_AN_EXCEPTION * MAX_SPECIAL
    places = int(bits.argmin())
    return [Origin(digits, offset, places) for (digits, offset), _ in commonest]


def _origins_by_kinds(sources: _Sources) -> list[Origin]:
    """The origins of numbers that are stored as decimals, of as many places as pay off for each
    count of digits and offset, the commonest first, at most MOST_ORIGINS (64); [] if no number has
    places."""
    kinds: list[tuple[int, Origin]] = []
    total = len(sources.places)
    for digits, offset in sorted(sources.counts(has_places=True)):
        of_source = sources.places_of(digits, offset)
        counts = np.bincount(of_source)
        for places, count in _groups(counts, total):
            origin = Origin(digits, offset, places)
            kinds.append((count, origin))
    # stable: of those as frequent the first
    kinds.sort(key=lambda kind: -kind[0])
    return [origin for _, origin in kinds[:MOST_ORIGINS]]


def _groups(counts: Int, total: int) -> list[tuple[int, int]]:
    """Put numbers together by their places so that they take fewest bits: [(places, how many
    numbers)], ascending; each number then has the fewest of these places that hold its own. counts:
    (n,), how many numbers have just 0, 1 .. places; total: how many numbers the column has."""
    used = np.flatnonzero(counts).tolist()
    shorter = np.cumsum(counts).tolist()
    numbers_before = [0, *(shorter[places] for places in used)]
    # of the numbers of the first places the fewest bits, and the groups that take these
    nothing: tuple[float, list[tuple[int, int]]] = (0.0, [])
    best = [nothing]
    for end, places in enumerate(used, 1):
        tried = []
        for begin in range(end):
            count = numbers_before[end] - numbers_before[begin]
            bits_before, groups = best[begin]
            bits_of_kind = math.log2(total / count)
            bits_of_each = BITS_OF_A_DIGIT * places + bits_of_kind
            bits = bits_before + count * bits_of_each + BITS_OF_A_KIND
            group = (places, count)
            tried.append((bits, [*groups, group]))
        best.append(min(tried))
    _, groups = best[-1]
    return groups


def _expected_bits(meta: FloatMeta, numbers: Doubles) -> float:
    """About how many bits numbers, (n,), take by a meta: their kinds by how often each comes, their
    values or the differences of these, whichever takes fewer, and a fixed cost for each different
    number that the meta leaves out. Infinite if the numbers left out are more than MAX_SPECIAL (62)
    different ones and more than a twentieth of all, or if fewer than two are stored."""
    taken_apart = origins.taken_apart if meta.digits else floats.taken_apart_by
    stored, kinds, fits = taken_apart(meta, numbers)
    odd = numbers[~fits]
    different = len(np.unique(odd))
    is_rare = len(odd) <= len(numbers) // ODD_CELLS
    # a column of other odd cells is stored in other ways
    if different > MAX_SPECIAL and not is_rare:
        return math.inf
    values = stored[fits]
    # without numbers there is nothing to gain
    if len(values) < 2:
        return math.inf
    differences = np.diff(values)
    bits_of_each = min(
        estimates.bits_a_value(values),
        estimates.bits_a_value(differences),
    )
    counts = np.bincount(kinds[fits])
    counts = counts[counts > 0]
    shares = counts / len(values)
    information = counts @ np.log2(shares)
    bits_of_kinds = BITS_OF_A_KIND * len(counts) - float(information)
    bits_of_odd = BITS_OF_AN_EXCEPTION * different
    return len(values) * bits_of_each + bits_of_kinds + bits_of_odd
