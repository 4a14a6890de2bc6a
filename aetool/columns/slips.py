"""Slips of the pen in a category: rare words that are one letter away from a common one, and words
that training did not see and that are as near to one that it did."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from aetool.columns.strays import NEVER_SEEN
from aetool.data.notation.patterns import Pattern

# of 4,700 columns of words of 2,300 tables that nobody had changed, 15 have words that meet these
# bounds, 34 in all: every one of them is misspelt, or in other letters, or another form of a word
MOST_CELLS = 3  # of a slip
TIMES_AS_OFTEN = 10  # the word that was meant comes
SHORTEST = 4  # letters of the part that is misspelt: `no` is no slip of `so`
LEAST_LETTERS = 0.6  # part of a word's characters, so that 98104 is no slip of 98144
MOST_SLIPS = 16  # of a column, each of which takes nodes of a graph
PARTS = Pattern(r"\w+")
# what is told of an unseen word that may be a slip, before the word that was meant
NOT_KNOWN = "not known, near "


@dataclass(frozen=True)
class Slip:
    """A level of a category that is a slip. place: its index; meant: that of the word that was
    meant; cells: how many cells hold the slip; times: how many times as often the other word
    comes."""

    place: int
    meant: int
    cells: int
    times: float

    def nats(self, rows: int) -> float:
        """The cost of the slip, in nats, where training had so many rows: the log of how rare the
        slip is, plus that of how many times as often the word meant comes, the latter at most
        NEVER_SEEN (log 1,000)."""
        rarity = math.log((rows + 1) / self.cells)
        return rarity + min(math.log(self.times), NEVER_SEEN)


@functools.lru_cache(maxsize=256)
def slips_of(words: tuple[str, ...], counts: tuple[int, ...]) -> tuple[Slip, ...]:
    """Which levels of a category are slips, in the order of the levels.

    words, counts: of every level, the commonest first. A slip comes three times at most, and a word
    that comes 10 times as often differs from it in one letter of one of its parts (one that is
    wrong, too many, left out, or changed places with the next), in blanks and signs between parts,
    or in the case of letters. The first MOST_SLIPS (16) are told.
    """
    folded = [word.casefold() for word in words]
    # the last of the levels are the rarest
    first_rare = len(counts)
    while first_rare > 0 and counts[first_rare - 1] <= MOST_CELLS:
        first_rare -= 1
    slips: list[Slip] = []
    for place in range(first_rare, len(counts)):
        for other in range(first_rare):
            times = counts[other] / counts[place]
            if times < TIMES_AS_OFTEN:
                break
            if _is_slip(folded[place], folded[other]):
                slips.append(Slip(place, other, counts[place], times))
                break
        if len(slips) == MOST_SLIPS:
            break
    return tuple(slips)


def near(word: str, known: Sequence[str]) -> str | None:
    """The known word that an unknown one is most likely a slip of; None where it is like none.
    Words of any length that differ in the case of letters alone come first, then those that differ
    as a slip does from the word that was meant, see `slips_of`; of several the first in `known`.

    word: not among known; known: the commonest first.
    """
    folded = word.casefold()
    for other in known:
        if other.casefold() == folded:
            return other
    for other in known:
        if _is_slip(folded, other.casefold()):
            return other
    return None


def _is_slip(word: str, meant: str) -> bool:
    """Whether a word may be a slip of another one, `meant`, both in small letters: they differ in
    blanks and signs alone, or in one part (a run of letters and digits), which in both is of
    letters alone and four or more in `meant`, by one edit, see `_is_one_edit`. False where `meant`
    has fewer than four characters, or letters are less than 60 % of them, or the lengths differ by
    more than 2. True of equal words."""
    # far from most words, and told quickly
    if abs(len(word) - len(meant)) > 2 or len(meant) < SHORTEST:
        return False
    letters = sum(character.isalpha() for character in meant)
    if letters < LEAST_LETTERS * len(meant):
        return False
    parts = PARTS.compiled.findall(word)
    parts_meant = PARTS.compiled.findall(meant)
    if "".join(parts) == "".join(parts_meant):
        return True
    if len(parts) != len(parts_meant):
        return False
    pairs = zip(parts, parts_meant, strict=True)
    different_parts = [(part, other) for part, other in pairs if part != other]
    if len(different_parts) != 1:
        return False
    ((part, other),) = different_parts
    # ward a and ward b are two wards
    if len(other) < SHORTEST or not (part.isalpha() and other.isalpha()):
        return False
    return _is_one_edit(part, other)


def _is_one_edit(word: str, other: str) -> bool:
    """Whether two different words differ in one letter that is replaced, left out or added, or in
    two neighbouring ones that changed places."""
    shorter = min(len(word), len(other))
    begin = 0
    while begin < shorter and word[begin] == other[begin]:
        begin += 1
    end = 0
    while end < shorter - begin and word[-1 - end] == other[-1 - end]:
        end += 1
    # what is left of each between the common beginning and the common end
    rest = word[begin : len(word) - end]
    rest_of_other = other[begin : len(other) - end]
    if len(rest) <= 1 and len(rest_of_other) <= 1:
        return True
    return len(rest) == 2 and rest == rest_of_other[::-1]
