"""Families of date notations: texts of one layout and separator, such as 2024-12-31 and 31/12/2024.

A column hardly ever has dates of two families by intent: one line of another program, or a typing
error, reads as a date and yet is not written as its column is. Times, zones and zeros in front make
no family of their own, as programs leave them out where they are zero.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from aetool.data.notation.moments import COMPACT, MONTH, NAMED, YEAR_FIRST
from aetool.data.table import Bytes, Cells, Mask

SEPARATORS = "-./"
# A family by its name: of a year and two numbers, of three numbers whose order the column tells, of
# a month's name, of digits alone, and of months without a day.
YEARS_FIRST = ("ymd-", "ymd.", "ymd/")
FAMILIES = (*YEARS_FIRST, *SEPARATORS, NAMED, COMPACT, MONTH)
DIGITS_OF_DAY = 8  # as in 20241231
# cells of rare families: so many at most, or a thousandth of all; more of them are meant
MOST_RARE = 3
MOST_OF_ALL = 1000
TIMES_RARER = 10  # as often comes the rarest of the usual families as the commonest rare one
# of another file's cells, so many have a family that the model does not know, for it to be read
LEAST_OF_FILE = 0.05
FEWEST_OF_FILE = 2


def family_of(layout: str, separator: str) -> str:
    """The family of a date with this layout, "" or an order of three numbers where the column tells
    it, and the separator between its numbers, "" for none."""
    if layout in (NAMED, COMPACT, MONTH):
        return layout
    if layout == YEAR_FIRST:
        return layout + separator
    return separator


def usual_families(counts: Mapping[str, int]) -> tuple[str, ...]:
    """The families of a column that are not rare, sorted. counts: how many cells have each.

    Rare ones hold up to 3 cells together, or a thousandth of all, and each of the others comes at
    least 10 times as often as any of them; () where there is none at all.
    """
    total = sum(counts.values())
    most_rare = max(MOST_RARE, total // MOST_OF_ALL)
    rarest_first = sorted(counts, key=counts.__getitem__)
    usual = rarest_first
    rare_cells = 0
    # the commonest is never rare
    for place, family in enumerate(rarest_first[:-1]):
        count = counts[family]
        rare_cells += count
        if rare_cells > most_rare:
            break
        others = rarest_first[place + 1 :]
        next_count = counts[others[0]]
        if next_count >= TIMES_RARER * count:
            usual = others
    return tuple(sorted(usual))


def families_of_file(
    counts: Mapping[str, int],
    known: tuple[str, ...],
) -> tuple[str, ...]:
    """The families to read in another file than the one that was fitted, sorted: those known, and
    further ones that at least two of the file's cells have, and 5 %, and the commonest one in any
    case. counts: how many cells of the file have each, one family at least."""
    total = sum(counts.values())
    least = max(FEWEST_OF_FILE, LEAST_OF_FILE * total)
    most = max(counts.values())
    families = set(known)
    for family, count in counts.items():
        if count >= least or count == most:
            families.add(family)
    return tuple(sorted(families))


def surely_of(cells: Cells, family: str) -> Mask:
    """Which cells are of a family if they are dates at all: (n,) bool, told by their first bytes,
    in which there is no blank. False means that it has to be told by all of the text, as always for
    names of months and for months without a day."""
    separator = family[-1]
    if family == COMPACT:
        is_of_family = np.ones(len(cells), np.bool_)
        for place in range(DIGITS_OF_DAY):
            is_of_family &= _has_digit(cells, place)
    elif family in YEARS_FIRST:
        # no other date has a separator behind four bytes of which the first is a digit
        is_of_family = _has_digit(cells, 0)
        is_of_family &= _has(cells, 4, separator)
        is_of_family &= _has_digit(cells, 5)
        is_of_family &= _has(cells, 6, separator) | _has(cells, 7, separator)
    elif family in SEPARATORS:
        # a first number of one digit, or of two
        is_of_family = _are_numbers_around(cells, 1, separator)
        is_of_family |= _are_numbers_around(cells, 2, separator)
    else:
        is_of_family = np.zeros(len(cells), np.bool_)
    return is_of_family


def _are_numbers_around(cells: Cells, place: int, separator: str) -> Mask:
    """Which cells have a separator at this place behind a digit, and the same again behind one or
    two bytes of which the first is a digit: (n,) bool."""
    are_numbers = _has_digit(cells, place - 1)
    are_numbers &= _has_digit(cells, 0)
    are_numbers &= _has(cells, place, separator)
    are_numbers &= _has_digit(cells, place + 1)
    are_numbers &= _has(cells, place + 2, separator) | _has(cells, place + 3, separator)
    return are_numbers


def _has_digit(cells: Cells, place: int) -> Mask:
    """Which cells have a digit at this place, counted from 0 in bytes: (n,) bool."""
    byte = _bytes_at(cells, place)
    is_digit = byte >= ord("0")
    is_digit &= byte <= ord("9")
    return is_digit


def _has(cells: Cells, place: int, character: str) -> Mask:
    """Which cells have this character of ASCII at a place, from 0 in bytes: (n,) bool."""
    byte = _bytes_at(cells, place)
    return np.asarray(byte == ord(character))


def _bytes_at(cells: Cells, place: int) -> Bytes:
    """The byte of each cell at a place, from 0: (n,) uint8, 0 behind its end."""
    at = cells.start + place
    is_within = at < cells.stop
    found = np.zeros(len(cells), np.uint8)
    found[is_within] = cells.buffer[at[is_within]]
    return found
