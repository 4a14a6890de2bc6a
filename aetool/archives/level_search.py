"""How many levels off the values of pictures may be: as many as an error allows, or as few as fit
into some bytes.

A bound is a whole number of levels, and an archive is written for each that is tried: with wider
bounds its bytes fall and its error grows, nearly always.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from aetool.archives.candidates import Candidate, Candidates
from aetool.archives.levels import SHALLOW

WIDEST = 127  # levels of 255: with more, a picture may become gray all over
FIRST = 16  # the part of the widest bound, 1 / FIRST, that is tried first where nothing is known
NEARLY_ALL = 0.98  # an error at which next to nothing is left of the pictures


def smallest_within(candidates: Candidates, error: float) -> Candidate | None:
    """Find the smallest bounded archive of pictures whose error is at most `error`, a part of a
    standard deviation; None if not even one level keeps it, or nothing of the pictures has levels.
    candidates: writes the archives, and has those written before, which are looked at, too; its
    errors go through."""
    if not _has_levels(candidates):
        return None

    def excess(bound: int) -> float:
        """How far the error of the archive within `bound` levels, which is written for it, is above
        the error allowed; 0 or less if it is within."""
        archive = candidates.of_levels(bound)
        return archive.error - error

    widest_within(excess, candidates.levels_tried(), _widest(candidates))
    # narrower bounds sometimes take fewer bytes: all that were written are looked at
    smallest = None
    for archive in candidates.archives_of_levels():
        if archive.error > error:
            continue
        if smallest is None or archive.better_than(smallest):
            smallest = archive
    return smallest


def nearest_within(candidates: Candidates, budget: int) -> Candidate | None:
    """Find the bounded archive of pictures of least error that takes at most `budget` bytes; the
    smallest one that was written where none is that small; None if nothing of the pictures has
    levels. candidates: writes the archives, and has those written before, which are looked at, too;
    none of an error above NEARLY_ALL is taken, and None returned if all are."""
    if not _has_levels(candidates):
        return None

    def room(bound: int) -> float:
        """budget + 1 less the bytes of the archive within `bound` levels: it grows with the bound,
        and is above 0 once the archive is within the budget."""
        archive = candidates.of_levels(bound)
        return float(budget + 1 - archive.size)

    widest = _widest(candidates)
    too_narrow = widest_within(room, candidates.levels_tried(), widest)
    if too_narrow < widest:
        # the first bound of few enough bytes; its archive may not have been written yet
        candidates.of_levels(too_narrow + 1)
    nearest = None
    for archive in candidates.archives_of_levels():
        if archive.error > NEARLY_ALL:
            continue
        if nearest is None or _is_nearer(archive, nearest, budget):
            nearest = archive
    return nearest


def _is_nearer(one: Candidate, other: Candidate, budget: int) -> bool:
    """Whether archive `one` suits a budget, in bytes, better than `other`: by its smaller error if
    both are within it, else by its smaller size; False for equal ones."""
    if max(one.size, other.size) > budget:
        return one.size < other.size
    return one.error < other.error


def _has_levels(candidates: Candidates) -> bool:
    """Whether a bound changes anything: it does not of JPEG, palettes, and black and white. An
    archive within one level is written, and has an error then; False if the source cannot be
    bounded at all."""
    if not candidates.can_be_bounded:
        return False
    narrowest = candidates.of_levels(1)
    return narrowest.error > 0


def _widest(candidates: Candidates) -> int:
    """The widest bound, in levels, that is tried on the source's pictures: WIDEST (127), or the
    same part of the levels of 16 bits."""
    # in levels of 16 bits a bound of 127 would hardly change a picture
    return WIDEST * candidates.highest_level // SHALLOW


@dataclass
class _Bracket:
    """Two bounds, in levels, between which the widest one that fits lies, each with its excess, a
    number above 0 by which it fails to fit, or else 0 or less: `inside` fits, `outside` does not.
    The excess of an end that was not looked at is infinite. first: the bound to try where nothing
    is known."""

    outside: int
    first: int
    inside: int = 0
    inside_excess: float = -math.inf
    outside_excess: float = math.inf

    def add(self, bound: int, excess: float) -> None:
        """Narrow the bracket, in place, by what is known of one more bound, which fits if its
        excess is 0 or less; one that tells nothing new changes nothing."""
        if excess <= 0 and bound > self.inside:
            self.inside = bound
            self.inside_excess = excess
        elif excess > 0 and bound < self.outside:
            self.outside = bound
            self.outside_excess = excess

    @property
    def is_closed(self) -> bool:
        """Whether the search has ended: no bound is left between `inside` and `outside`."""
        return self.inside + 1 >= self.outside

    def next_bound(self, halves: bool) -> int:
        """The bound to try next, strictly between the two: where a line through both ends meets 0,
        or, if `halves`, the middle between them. Where nothing is known of wide bounds: `first`,
        then ever twice as wide ones."""
        nearest = self.inside + 1
        farthest = self.outside - 1
        if math.isinf(self.outside_excess):
            # nothing is known of wide bounds: ever wider ones are tried
            likely = max(self.first, 2 * self.inside)
        elif halves or math.isinf(self.inside_excess):
            likely = (self.inside + self.outside) // 2
        else:
            width = self.outside - self.inside
            rise = self.outside_excess - self.inside_excess
            share = -self.inside_excess / rise
            likely = self.inside + round(share * width)
        likely = min(likely, farthest)
        return max(likely, nearest)


def widest_within(
    excess: Callable[[int], float],
    tried: list[int],
    widest: int = WIDEST,
) -> int:
    """Find the largest bound, in whole levels, at most `widest`, that fits; 0 if none does.

    excess(bound): by how much a bound fails to fit, above 0, or else 0 or less; it grows with the
    bound, nearly always, and may write an archive to tell. tried: bounds of which that costs
    nothing, as it was told before; they are looked at first.
    """
    # rounded up, so that even the narrowest of ranges begins with a bound
    bracket = _Bracket(outside=widest + 1, first=-(-widest // FIRST))
    for bound in tried:
        bracket.add(bound, excess(bound))
    attempts = 0
    while not bracket.is_closed:
        # a line alone may creep towards the end from one side
        bound = bracket.next_bound(halves=attempts % 3 == 2)
        bracket.add(bound, excess(bound))
        attempts += 1
    return bracket.inside
