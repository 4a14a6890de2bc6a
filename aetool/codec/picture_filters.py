"""Filters of restored pictures: the neighbours of a value are used to correct its error.

Pictures within a bound come back in coarse steps. A value that stands out from its neighbours was
most likely rounded that way, so that a sum of corrections, one for each neighbour, by how far off
that is, brings it nearer to what it was. The corrections are learned where the original is known,
by least squares, and stored. What comes of them may be corrected once more by others.

So do the adaptive loop filters of video codecs (Tsai et al., "Adaptive loop filtering for video
coding", 2013), whose corrections are linear, and whose decoder predicts from what was filtered;
here the predictions stay as they are, and only the result is filtered.

All that a decoder computes is whole numbers, the same on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aetool import kernel
from aetool.codec.blobs import pack, read_varint, unpack, varint
from aetool.errors import ArchiveError
from aetool.model import Int

Planes = npt.NDArray[np.uint16]  # (n, planes, height, width)
Plane = npt.NDArray[np.uint16]  # (n, height, width)
Tables = npt.NDArray[np.int8]
Classes = npt.NDArray[np.uint8]  # of values or differences

# how many neighbours a filter looks at: those at most 1 pixel away, or at most 2
NEAR, FAR = 8, 24
# where one class of differences ends and the next begins, in eighths of a step
ENDS = (-16, -10, -6, -3, -1, 1, 3, 6, 10, 16)
DIFFERENCES = len(ENDS) + 1
MIDDLE = len(ENDS) // 2  # the class of hardly any difference, which corrects nothing
CLASSES = 5  # of a value itself, see Scale.classes
UNIT_BITS = 8  # a correction of 1 is the step / 2^UNIT_BITS
LARGEST = 127  # of a correction
MOST_PASSES = 3  # filters, of which each takes what the one before it makes
MOST_TAUGHT = 60_000  # values of a class that a filter is learned from, evenly spaced
FEWEST_TAUGHT = 64  # below it a class has no corrections
RIDGE = 4.0  # added to the diagonal of the normal equations: rare differences correct little
AT_ONCE = 4_096  # values whose differences are laid out at a time, to learn
VALUES_AT_ONCE = 1 << 20  # values of pictures that are filtered at a time
# bytes that a gain of 1 dB saves, as a part of all: an archive of finer steps would take 6 % to 12
# % more (measured on photographs and small pictures)
WORTH_OF_DECIBEL = 0.06


@dataclass(frozen=True)
class Scale:
    """The bound and the range of restored values, by which these and their differences are put into
    classes. bound: how far off a value may be, 1 or more; largest_value: the largest value there
    is."""

    bound: int
    largest_value: int

    @property
    def step(self) -> int:
        """How many neighbouring values are all restored as the one in their middle: 2 * bound +
        1."""
        return 2 * self.bound + 1

    def classes(self, values: Plane) -> Classes:
        """The class of each value, in the same shape: 0 for the least there is, 1 for the largest,
        2 and 3 for what is at most `bound` from these (2 if from both), 4 for all others. What is
        near an end was rounded to one side more often."""
        near_end = self.largest_value - min(self.bound, self.largest_value)
        classes = np.full(values.shape, 4, np.uint8)
        classes[values >= near_end] = 3
        classes[values <= self.bound] = 2
        classes[values == self.largest_value] = 1
        classes[values == 0] = 0
        return classes

    def classes_of_differences(self) -> Classes:
        """Class every difference that there can be of a neighbour's value from a value,
        -largest_value .. largest_value: (2 * largest_value + 1,), for each how many of ENDS, in
        eighths of a step, are below it."""
        # of whole numbers: d > end * step / 8 where d > floor(end * step / 8)
        ends = np.array([end * self.step // 8 for end in ENDS])
        differences = np.arange(-self.largest_value, self.largest_value + 1)
        ends_below = np.searchsorted(ends, differences)
        return ends_below.astype(np.uint8)


def _steps_away(count: int) -> list[tuple[int, int]]:
    """(rows down, columns right) of a filter's neighbours, the nearest ring first, each ring from
    the top left on by rows. count: NEAR (8) or FAR (24)."""
    steps = []
    for ring in (1, 2):
        for down in range(-ring, ring + 1):
            for right in range(-ring, ring + 1):
                if max(abs(down), abs(right)) == ring:
                    steps.append((down, right))
    return steps[:count]


def _differences(values: Plane, neighbours: int) -> Iterator[Int]:
    """Yield for each neighbour, in the order of `_steps_away`, its value less the value, of the
    shape of `values`, (n, height, width); beyond an edge stands the value at the edge."""
    height, width = values.shape[1:]
    signed = values.astype(np.int32)
    padded = np.pad(signed, ((0, 0), (2, 2), (2, 2)), mode="edge")
    for down, right in _steps_away(neighbours):
        top = 2 + down
        left = 2 + right
        moved = padded[:, top : top + height, left : left + width]
        yield moved - signed


# ---- filters


@dataclass(frozen=True, eq=False)
class Filter:
    """Corrections of restored values, in units of step / 256. tables: (planes, CLASSES, 1 +
    neighbours * DIFFERENCES) int8, for each class of a value a constant, then for each neighbour,
    NEAR (8) or FAR (24) of them, a correction by the class of its difference."""

    tables: Tables

    @property
    def neighbours(self) -> int:
        """How many neighbours the filter looks at, NEAR (8) or FAR (24)."""
        _, _, columns = self.tables.shape
        count: int = (columns - 1) // DIFFERENCES
        return count

    def to_bytes(self) -> bytes:
        """The filter as `_read_one` reads it: a byte, 1 or 2, how far away neighbours are; varint
        of how many bytes follow; the packed corrections."""
        away = 1 if self.neighbours == NEAR else 2
        packed = pack(self.tables.tobytes(), binary=True)
        return bytes([away]) + varint(len(packed)) + packed

    def apply(self, planes: Planes, restored: Planes, scale: Scale) -> Planes:
        """Correct planes, (n, planes, height, width), which earlier filters may have changed;
        returns new ones. restored: the planes as they were before any filter: no value is taken
        further from that than the bound, within which the original lies, or out of 0 ..
        largest_value. scale: the bound and the largest value."""
        filtered = np.empty_like(planes)
        count, of_one, height, width = planes.shape
        at_once = VALUES_AT_ONCE // (height * width)
        at_once = max(1, at_once)
        for plane in range(of_one):
            for first in range(0, count, at_once):
                some = slice(first, first + at_once)
                corrected = self._corrected(planes[some, plane], plane, scale)
                before = restored[some, plane].astype(np.int64)
                lowest = before - scale.bound
                highest = before + scale.bound
                within = np.clip(corrected, lowest, highest)
                filtered[some, plane] = np.clip(within, 0, scale.largest_value)
        return filtered

    def _corrected(self, values: Plane, plane: int, scale: Scale) -> Int:
        """Correct the values of one plane, (n, height, width), by the tables of that plane: values
        plus rounded corrections, int64 in the same shape, which may lie outside of 0 ..
        largest_value. plane: its number, from 0."""
        half = 1 << (UNIT_BITS - 1)
        # more than 32 bits: a step of 16 bits times what all neighbours add up to
        scaled = self._totals(values, plane, scale) * scale.step
        rounded = (scaled + half) >> UNIT_BITS
        corrected: Int = values + rounded
        return corrected

    def _totals(self, values: Plane, plane: int, scale: Scale) -> Int:
        """Add up the corrections of each value of a plane: (n, height, width) int64, in units of
        step / 256. values: of the plane, in this shape, none above scale.largest_value; plane: its
        number, from 0, by which its tables are taken."""
        classes = scale.classes(values)
        class_of_difference = scale.classes_of_differences()
        tables = self.tables[plane]
        if kernel.C is not None:
            _, height, width = values.shape
            totals = np.empty(values.shape, np.int32)
            kernel.C.filter_totals(
                np.ascontiguousarray(values),
                classes,
                class_of_difference,
                height,
                width,
                scale.largest_value,
                self.neighbours,
                np.ascontiguousarray(tables),
                totals,
            )
            wide: Int = totals.astype(np.int64)
            return wide
        constants = tables[:, 0].astype(np.int64)
        total: Int = constants[classes]
        # of a neighbour's corrections, laid flat, those of each class of values stand together
        first_of_class = classes.astype(np.intp) * DIFFERENCES
        for place, difference in enumerate(_differences(values, self.neighbours)):
            begin = 1 + place * DIFFERENCES
            end = begin + DIFFERENCES
            corrections = tables[:, begin:end].ravel()
            class_met = class_of_difference[difference + scale.largest_value]
            total += corrections[first_of_class + class_met]
        return total


def applied(filters: Sequence[Filter], restored: Planes, scale: Scale) -> Planes:
    """Correct restored planes by filters, one after another; returns new planes, of which no value
    is further from the restored one than the bound, or above the largest there is; without filters
    `restored` itself. scale: the bound and the largest value."""
    planes = restored
    for next_filter in filters:
        planes = next_filter.apply(planes, restored, scale)
    return planes


def to_bytes(filters: Sequence[Filter]) -> bytes:
    """Filters, 1 to MOST_PASSES (3), as `read` reads them: a byte, how many, then each."""
    count = bytes([len(filters)])
    return count + b"".join(one.to_bytes() for one in filters)


def read(data: bytes, at: int, planes: int) -> tuple[list[Filter], int]:
    """Read the filters of so many planes at offset `at`: (the filters, the offset at which the data
    go on). ArchiveError, IndexError or ValueError if they are damaged."""
    count = data[at]
    at += 1
    if not 0 < count <= MOST_PASSES:
        raise ArchiveError("damaged: pictures with another number of filters")
    filters = []
    for _ in range(count):
        next_filter, at = _read_one(data, at, planes)
        filters.append(next_filter)
    return filters, at


def _read_one(data: bytes, at: int, planes: int) -> tuple[Filter, int]:
    """Read a filter of so many planes at offset `at`: (the filter, the offset at which the data go
    on). ArchiveError, IndexError or ValueError if it is damaged."""
    away = data[at]
    if away not in (1, 2):
        raise ArchiveError("damaged: a filter of pictures has another width")
    neighbours = NEAR if away == 1 else FAR
    size, at = read_varint(data, at + 1)
    end = at + size
    columns = 1 + neighbours * DIFFERENCES
    size_unpacked = planes * CLASSES * columns
    raw = unpack(data[at:end], size_unpacked)
    tables = np.frombuffer(raw, np.int8)
    by_class = tables.reshape(planes, CLASSES, columns)
    return Filter(by_class), end


# ---- learned


def filters_worth_storing(
    restored: Planes,
    original: Planes,
    scale: Scale,
    code_bytes: int,
) -> tuple[list[Filter], Planes]:
    """Learn filters for restored planes where the original ones are known: (the filters, at most
    MOST_PASSES (3), the planes that they make of the restored ones). Each time the better one of a
    filter of FAR and one of NEAR neighbours is taken, as long as it lessens the squared error, but
    not to 0, and that is worth more bytes than the filter takes: WORTH_OF_DECIBEL (0.06) of
    code_bytes for each dB. If not even the first is, ([], restored). scale: the bound and the
    largest value; code_bytes: how many bytes the pictures take without filters."""
    filters: list[Filter] = []
    planes = restored
    error = _squared_error(restored, original)
    while len(filters) < MOST_PASSES:
        best = None
        best_gain = 0.0
        for candidate in _learned(planes, original, scale):
            filtered = candidate.apply(planes, restored, scale)
            error_left = _squared_error(filtered, original)
            if not 0 < error_left < error:
                continue
            bels = math.log10(error / error_left)
            decibels = 10 * bels
            saved = WORTH_OF_DECIBEL * decibels * code_bytes
            gain = saved - len(candidate.to_bytes())
            if gain > best_gain:
                best = candidate, filtered, error_left
                best_gain = gain
        if best is None:
            break
        chosen, planes, error = best
        filters.append(chosen)
    return filters, planes


def _squared_error(planes: Planes, original: Planes) -> int:
    """The sum of squared differences of two arrays of planes, of the same shape."""
    total = 0
    # picture by picture, as the differences take more room than the pictures
    for one, other in zip(planes, original, strict=True):
        difference = one.astype(np.int64) - other
        squares = difference * difference
        total += int(squares.sum())
    return total


def _learned(planes: Planes, original: Planes, scale: Scale) -> Iterator[Filter]:
    """Yield filters for planes, of FAR (24) neighbours and of NEAR (8) ones, learned by least
    squares where the original planes are known. The planes may have been filtered before. scale:
    the bound and the largest value."""
    far = []
    near = []
    for plane in range(planes.shape[1]):
        values = planes[:, plane]
        original_values = original[:, plane]
        tables_far, tables_near = _tables_of(values, original_values, scale)
        far.append(tables_far)
        near.append(tables_near)
    yield Filter(np.stack(far))
    yield Filter(np.stack(near))


def _tables_of(values: Plane, original: Plane, scale: Scale) -> tuple[Tables, Tables]:
    """Learn the corrections of one plane by least squares: (those of filters of FAR (24)
    neighbours, those of NEAR (8)), (CLASSES, 1 + neighbours * DIFFERENCES) int8 each, in units of
    step / 256; 0 for a class of fewer than FEWEST_TAUGHT (64) values. values: as they are, (n,
    height, width); original: as they should be, of the same shape; scale: the bound and the largest
    value."""
    far = np.zeros((CLASSES, 1 + FAR * DIFFERENCES), np.int8)
    near = np.zeros((CLASSES, 1 + NEAR * DIFFERENCES), np.int8)
    errors = original.astype(np.int64) - values
    classes = scale.classes(values)
    for number in range(CLASSES):
        places = np.flatnonzero(classes.ravel() == number)
        if len(places) < FEWEST_TAUGHT:
            continue
        stride = -(-len(places) // MOST_TAUGHT)
        learned_places = np.ascontiguousarray(places[::stride])
        equations = _Equations.of(values, errors, learned_places, scale)
        far[number] = equations.solved(FAR, scale)
        near[number] = equations.solved(NEAR, scale)
    return far, near


@dataclass(frozen=True, eq=False)
class _Equations:
    """Normal equations of the corrections of one class: a constant, then for each neighbour a
    column for each class of differences. gram: (columns, columns), how often two of them are met
    together; moments: (columns,), the errors that each is met with, added up. Both are whole
    numbers, and so the same in whichever order they were added."""

    gram: Int
    moments: Int

    @classmethod
    def of(cls, values: Plane, errors_of_values: Int, places: Int, scale: Scale) -> _Equations:
        """The equations of values, (n, height, width), at some places in their flat order, (k,)
        int64, all of one class. errors_of_values: the original values less these, int64,
        contiguous, of the same shape. scale: by which differences are classed."""
        columns = 1 + FAR * DIFFERENCES
        class_of_difference = scale.classes_of_differences()
        gram = np.zeros((columns, columns), np.int64)
        moments = np.zeros(columns, np.int64)
        if kernel.C is not None:
            _, height, width = values.shape
            kernel.C.filter_equations(
                np.ascontiguousarray(values),
                class_of_difference,
                height,
                width,
                scale.largest_value,
                errors_of_values,
                places,
                gram,
                moments,
            )
            return cls(gram, moments)
        columns_met = np.empty((len(places), FAR), np.int64)
        for number, difference in enumerate(_differences(values, FAR)):
            of_places = difference.ravel()[places]
            columns_met[:, number] = class_of_difference[of_places + scale.largest_value]
        # the column of each neighbour's class
        columns_met += 1 + DIFFERENCES * np.arange(FAR)
        errors = errors_of_values.ravel()[places]
        for begin in range(0, len(places), AT_ONCE):
            some = slice(begin, begin + AT_ONCE)
            count = len(columns_met[some])
            laid_out = np.zeros((count, columns))
            laid_out[:, 0] = 1
            rows = np.arange(count)
            laid_out[rows[:, None], columns_met[some]] = 1
            # float64 holds these whole numbers exactly, far below 2^53
            together = laid_out.T @ laid_out
            with_errors = laid_out.T @ errors[some]
            gram += together.astype(np.int64)
            moments += with_errors.astype(np.int64)
        return cls(gram, moments)

    def solved(self, neighbours: int, scale: Scale) -> Tables:
        """Solve the equations for the corrections of the nearest neighbours alone, NEAR (8) or FAR
        (24) of them: (1 + neighbours * DIFFERENCES,) int8, in units of step / 256, -127 .. 127
        (LARGEST); those of the middle class of differences are 0."""
        count = 1 + neighbours * DIFFERENCES
        is_free = np.ones(count, np.bool_)
        # with all classes of a neighbour free, each sum could be had in many ways
        is_free[1 + MIDDLE :: DIFFERENCES] = False
        free = np.flatnonzero(is_free)
        gram = self.gram[np.ix_(free, free)]
        ridge = RIDGE * np.eye(len(free))
        moments = self.moments[free]
        solution = np.linalg.solve(gram + ridge, moments)
        unit = scale.step / (1 << UNIT_BITS)
        rounded = np.rint(solution / unit)
        corrections = np.zeros(count, np.int8)
        corrections[free] = np.clip(rounded, -LARGEST, LARGEST)
        return corrections
