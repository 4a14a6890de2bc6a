"""Filters of restored pictures: what the neighbours of a value tell of the error it came back with.

Pictures within a bound come back in coarse steps. A value that stands out from its neighbours was
most likely rounded that way, so that a sum of corrections, one for each neighbour, by how far off
that is, brings it nearer to what it was. The corrections are learned where the original is known,
by least squares, and stored. So do the adaptive loop filters of video codecs (Tsai et al.,
"Adaptive loop filtering for video coding", 2013), whose corrections are linear, and whose decoder
predicts from what was filtered; here the predictions stay as they are, and only the result is.

All that a decoder computes is whole numbers, the same on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aetool.codec.blobs import pack, read_varint, unpack, varint
from aetool.errors import ArchiveError
from aetool.model import Float, Int

Planes = npt.NDArray[np.uint16]  # (n, planes, height, width)
Tables = npt.NDArray[np.int8]

# how many neighbours a filter looks at: those at most 1 pixel away, or at most 2
NEAR, FAR = 8, 24
# where one class of differences ends and the next begins, in eighths of a step
ENDS = (-16, -10, -6, -3, -1, 1, 3, 6, 10, 16)
DIFFERENCES = len(ENDS) + 1
MIDDLE = len(ENDS) // 2  # the class of hardly any difference, which corrects nothing
CLASSES = 5  # of a value itself, see `_classes`
UNIT_BITS = 8  # a correction of 1 is the step / 2^UNIT_BITS
LARGEST = 127  # of a correction
MOST_TAUGHT = 60_000  # values of a class that a filter is learned from, evenly spaced
FEWEST_TAUGHT = 64  # below it a class has no corrections
RIDGE = 4.0  # added to the diagonal of the normal equations: rare differences correct little
AT_ONCE = 4_096  # values whose differences are laid out at a time, to learn
VALUES_AT_ONCE = 1 << 20  # values of pictures that are filtered at a time
# bytes that a gain of 1 dB saves, as a part of all: an archive of finer steps would take 6 % to 12
# % more (measured on photographs and small pictures)
WORTH_OF_DECIBEL = 0.06


def _steps_away(count: int) -> list[tuple[int, int]]:
    """(rows down, columns right) of a filter's neighbours, the nearest ring first, each ring from
    the top left on by rows. count: NEAR or FAR."""
    steps = []
    for ring in (1, 2):
        for down in range(-ring, ring + 1):
            for right in range(-ring, ring + 1):
                if max(abs(down), abs(right)) == ring:
                    steps.append((down, right))
    return steps[:count]


@dataclass(frozen=True, eq=False)
class Filter:
    """Corrections of restored values, in units of step / 256. tables: (planes, CLASSES, 1 +
    neighbours * DIFFERENCES) int8, for each class of a value a constant, then for each neighbour,
    NEAR or FAR of them, a correction by the class of its difference."""

    tables: Tables

    @property
    def neighbours(self) -> int:
        """How many neighbours the filter looks at, NEAR or FAR."""
        return _neighbours_of(self.tables.shape[2])

    def to_bytes(self) -> bytes:
        """The filter as `read` reads it: a byte, 1 or 2, how far away neighbours are; varint of how
        many bytes follow; the packed corrections."""
        away = 1 if self.neighbours == NEAR else 2
        packed = pack(self.tables.tobytes(), binary=True)
        return bytes([away]) + varint(len(packed)) + packed

    @classmethod
    def read(cls, data: bytes, at: int, planes: int) -> tuple[Filter, int]:
        """Read a filter of so many planes at offset `at`: (the filter, the offset at which the data
        go on). ArchiveError, IndexError or ValueError if it is damaged."""
        away = data[at]
        if away not in (1, 2):
            raise ArchiveError("damaged: a filter of pictures has another width")
        neighbours = NEAR if away == 1 else FAR
        size, at = read_varint(data, at + 1)
        end = at + size
        shape = (planes, CLASSES, 1 + neighbours * DIFFERENCES)
        raw = unpack(data[at:end], int(np.prod(shape)))
        tables = np.frombuffer(raw, np.int8).reshape(shape)
        return cls(tables), end

    def apply(self, restored: Planes, bound: int, most: int) -> Planes:
        """Correct restored planes; returns new ones. bound: how far off a value may be, 1 or more:
        a correction is at most that, so that the result is at most twice as far off; most: the
        largest value there is."""
        filtered = np.empty_like(restored)
        pixels_of_one = restored.shape[2] * restored.shape[3]
        at_once = max(1, VALUES_AT_ONCE // pixels_of_one)
        for plane in range(restored.shape[1]):
            for first in range(0, len(restored), at_once):
                some = slice(first, first + at_once)
                filtered[some, plane] = self._applied(restored[some, plane], plane, bound, most)
        return filtered

    def _applied(self, values: npt.NDArray[np.uint16], plane: int, bound: int, most: int) -> Int:
        """Values of one plane, (n, height, width), corrected by the tables of that plane."""
        step = 2 * bound + 1
        class_of_difference = _differences_by_value(bound, most)
        classes = _classes(values, bound, most).astype(np.intp)
        tables = self.tables[plane].astype(np.int32)
        total = tables[:, 0][classes]
        row_of_class = classes * DIFFERENCES
        for place, difference in enumerate(_differences(values, self.neighbours)):
            begin = 1 + place * DIFFERENCES
            corrections = tables[:, begin : begin + DIFFERENCES].ravel()
            total += corrections[row_of_class + class_of_difference[difference + most]]
        half = 1 << (UNIT_BITS - 1)
        # 2^32 and more: a step of 16 bits times what all neighbours add up to
        correction = (total.astype(np.int64) * step + half) >> UNIT_BITS
        corrected = values + np.clip(correction, -bound, bound)
        within: Int = np.clip(corrected, 0, most)
        return within


def worth_it(
    restored: Planes,
    original: Planes,
    bound: int,
    most: int,
    code_bytes: int,
) -> tuple[Filter, Planes] | None:
    """Learn a filter for restored planes where the original ones are known: (the filter, the planes
    that it makes of the restored ones); None if it would hardly save more bytes than it takes.

    bound: how far off a restored value is at most, 1 or more; most: the largest value there is;
    code_bytes: how many bytes the pictures take without a filter.
    """
    error_before = _squared_error(restored, original)
    best = None
    best_gain = 0.0
    for candidate in _learned(restored, original, bound, most):
        filtered = candidate.apply(restored, bound, most)
        error = _squared_error(filtered, original)
        if not 0 < error < error_before:
            continue
        decibels = 10 * float(np.log10(error_before / error))
        saved = WORTH_OF_DECIBEL * decibels * code_bytes
        gain = saved - len(candidate.to_bytes())
        if gain > best_gain:
            best = candidate, filtered
            best_gain = gain
    return best


def _squared_error(planes: Planes, original: Planes) -> int:
    """The sum of squared differences of two arrays of planes."""
    total = 0
    # picture by picture, as the differences take more room than the pictures
    for one, other in zip(planes, original, strict=True):
        difference = one.astype(np.int64) - other
        total += int((difference * difference).sum())
    return total


def _learned(
    restored: Planes,
    original: Planes,
    bound: int,
    most: int,
) -> Iterator[Filter]:
    """Yield filters for restored planes, of FAR neighbours and of NEAR ones, learned by least
    squares. Arguments as of `worth_it`."""
    planes = restored.shape[1]
    all_tables = {count: [] for count in (FAR, NEAR)}  # type: dict[int, list[Tables]]
    for plane in range(planes):
        values = restored[:, plane]
        wanted = original[:, plane].astype(np.int64) - values
        tables = {
            count: np.zeros((CLASSES, 1 + count * DIFFERENCES), np.int8) for count in all_tables
        }
        classes = _classes(values, bound, most)
        for number in range(CLASSES):
            places = np.flatnonzero(classes.ravel() == number)
            if len(places) < FEWEST_TAUGHT:
                continue
            stride = -(-len(places) // MOST_TAUGHT)
            equations = _Equations.of(values, wanted, places[::stride], bound, most)
            for count, table in tables.items():
                table[number] = equations.solved(count, bound)
        for count, table in tables.items():
            all_tables[count].append(table)
    for of_planes in all_tables.values():
        yield Filter(np.stack(of_planes))


@dataclass(frozen=True, eq=False)
class _Equations:
    """Normal equations of the corrections of one class: a constant, then for each neighbour a
    column for each class of differences. gram: (columns, columns), how often two of them are met
    together; moments: (columns,), the errors that each is met with, added up."""

    gram: Float
    moments: Float

    @classmethod
    def of(
        cls,
        values: npt.NDArray[np.uint16],
        wanted: Int,
        places: Int,
        bound: int,
        most: int,
    ) -> _Equations:
        """The equations of values, (n, height, width), at some places in their flat order; wanted:
        the original values less these, of the same shape."""
        columns = 1 + FAR * DIFFERENCES
        class_of_difference = _differences_by_value(bound, most)
        met = np.empty((len(places), FAR), np.int64)
        for number, difference in enumerate(_differences(values, FAR)):
            of_places = difference.ravel()[places]
            met[:, number] = class_of_difference[of_places + most]
        first_columns = 1 + DIFFERENCES * np.arange(FAR)
        errors = wanted.ravel()[places].astype(np.float64)
        gram = np.zeros((columns, columns))
        moments = np.zeros(columns)
        for begin in range(0, len(places), AT_ONCE):
            some = slice(begin, begin + AT_ONCE)
            count = len(met[some])
            laid_out = np.zeros((count, columns))
            laid_out[:, 0] = 1
            laid_out[np.arange(count)[:, None], first_columns + met[some]] = 1
            # sums of whole numbers, exact in any order
            gram += laid_out.T @ laid_out
            moments += laid_out.T @ errors[some]
        return cls(gram, moments)

    def solved(self, neighbours: int, bound: int) -> Tables:
        """(1 + neighbours * DIFFERENCES,): the corrections of the nearest neighbours alone, in
        units of step / 256, those of the middle class of differences 0."""
        count = 1 + neighbours * DIFFERENCES
        is_free = np.ones(count, np.bool_)
        # with all classes of a neighbour free, each sum could be had in many ways
        is_free[1 + MIDDLE :: DIFFERENCES] = False
        free = np.flatnonzero(is_free)
        gram = self.gram[np.ix_(free, free)] + RIDGE * np.eye(len(free))
        solution = np.linalg.solve(gram, self.moments[free])
        step = 2 * bound + 1
        units = np.rint(solution * (1 << UNIT_BITS) / step)
        corrections = np.zeros(count, np.int8)
        corrections[free] = np.clip(units, -LARGEST, LARGEST)
        return corrections


def _neighbours_of(columns: int) -> int:
    """How many neighbours tables of so many columns are for."""
    return (columns - 1) // DIFFERENCES


def _classes(values: npt.NDArray[np.uint16], bound: int, most: int) -> npt.NDArray[np.uint8]:
    """The class of each value, in the same shape: 0 for the least there is, 1 for the largest, 2
    and 3 for what is at most `bound` from these, 4 for all others. What is near an end was rounded
    to one side more often."""
    classes = np.full(values.shape, 4, np.uint8)
    classes[values >= most - min(bound, most)] = 3
    classes[values <= bound] = 2
    classes[values == most] = 1
    classes[values == 0] = 0
    return classes


def _differences_by_value(bound: int, most: int) -> npt.NDArray[np.uint8]:
    """(2 * most + 1,): the class of each difference of a neighbour's value from a value, -most ..
    most: how many of ENDS, in eighths of a step, are below it."""
    step = 2 * bound + 1
    # of whole numbers: d > end * step / 8 where d > floor(end * step / 8)
    ends = np.array([end * step // 8 for end in ENDS])
    differences = np.arange(-most, most + 1)
    return np.searchsorted(ends, differences).astype(np.uint8)


def _differences(values: npt.NDArray[np.uint16], neighbours: int) -> Iterator[Int]:
    """Yield for each neighbour, in the order of `_steps_away`, its value less the value, of the
    shape of `values`, (n, height, width); beyond an edge stands the value at the edge."""
    height, width = values.shape[1:]
    signed = values.astype(np.int32)
    padded = np.pad(signed, ((0, 0), (2, 2), (2, 2)), mode="edge")
    for down, right in _steps_away(neighbours):
        top = 2 + down
        left = 2 + right
        yield padded[:, top : top + height, left : left + width] - signed
