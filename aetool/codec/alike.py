"""Columns that are alike, as those of a wide array: the coding plan found for one column is reused
for others.

A search of a plan for every column takes time that is lost where their plans are the same. So a
plan is taken over from the column one period before, and searched anew now and then.
"""

from __future__ import annotations

from aetool.codec.plans import Plan

# of eight columns, those whose successor is searched anew: where plans look at other columns
SEARCHED_OF_EIGHT = (0, 4)
# of plans that look at nothing else, so many columns may be without a search at most
LONGEST_STRETCH = 64


class AlikeColumns:
    """Decides which columns of a wide block reuse the coding plan of an earlier column and which
    search for their own.

    period: how many columns before a column the one is whose plan it may reuse, at least 1. A
    column is one stream of whole numbers here; where columns have several, streams are what is
    counted. For each in turn `plan_to_reuse` is to be called, and, where that returned None,
    `note_searched`.

    A plan with features (contexts that choose frequency tables) is reused in six of eight periods.
    Of plans without, each place within the period counts for itself: where a search finds the very
    plan that could have been reused, but for its bins (the ranges its numbers fall into), the
    columns one, two ... periods later reuse it, 1 column after the first such search, then 3, 7 ...
    at most 64; after a search that finds another plan the next is searched, too.
    """

    def __init__(self, period: int) -> None:
        self.period = period
        # by place within the period: columns to the next search, and how many it was at the last
        self._left = [0] * period
        self._stretch = [0] * period

    def plan_to_reuse(self, plans: list[Plan]) -> Plan | None:
        """Return the plan of the column one period before, adapted to the next column; None if a
        plan for the next column is to be searched, as in the first period, and as the class says.
        Each plan without features that is returned uses up one of the reuses that `note_searched`
        granted. plans: those of all columns before the next one, in order."""
        place_before = len(plans) - self.period
        if place_before < 0:
            return None
        plan = plans[place_before]
        # with features a search may find better ones: two periods of eight are searched, in turn
        if plan.features:
            period_before = place_before // self.period
            if period_before % 8 in SEARCHED_OF_EIGHT:
                return None
            return moved(plan, self.period)
        place = len(plans) % self.period
        if not self._left[place]:
            return None
        self._left[place] -= 1
        return moved(plan, self.period)

    def note_searched(self, plans: list[Plan], plan: Plan) -> None:
        """Note that a search chose `plan` for the next column, after `plan_to_reuse` returned None
        for it, and set how many columns at its place in the period then reuse a plan before the
        next search, as the class says. plans: those of all columns before it, in order, without
        `plan`."""
        place_before = len(plans) - self.period
        place = len(plans) % self.period
        stretch = 0
        if place_before >= 0:
            expected = moved(plans[place_before], self.period)
            if _are_equal_but_for_bins(expected, plan):
                stretch = min(LONGEST_STRETCH, 2 * self._stretch[place] + 1)
        self._stretch[place] = stretch
        self._left[place] = stretch


def _are_equal_but_for_bins(one: Plan, other: Plan) -> bool:
    """Whether two plans, `one` and `other`, differ by no more than their bins: they have equal
    transforms of the same streams, equal combinations, no features, and at least two bins each,
    whatever these are. False if either packs its values as bytes. Other fields of plans are not
    compared."""
    if one.features or other.features:
        return False
    if min(one.bins, other.bins) < 2:
        return False
    if one.packed is not None or other.packed is not None:
        return False
    if one.transform is not other.transform:
        return False
    if one.pair != other.pair or one.of != other.of:
        return False
    return one.combined == other.combined


def moved(plan: Plan, period: int) -> Plan:
    """Return a copy of a column's plan with `period` added to the number of every other stream that
    it refers to, those of features, transforms and combinations, but not of a mixture, which is
    looked for anew in each column: the plan for the column one period later."""
    changes: dict[str, object] = {}
    features = []
    for feature in plan.features:
        stream = feature.stream
        if stream is not None:
            feature = feature.at(stream + period)
        features.append(feature)
    if plan.transform.looks_aside:
        changes["of"] = plan.of + period
    if plan.combined is not None:
        numbers = {stream: stream + period for stream in plan.combined.streams}
        changes["combined"] = plan.combined.moved(numbers)
    if plan.pair is not None:
        keys, values = plan.pair
        changes["pair"] = (keys + period, values + period)
    # a mixture is looked for anew in each column: the streams that it refers to stay
    return plan.but(features=tuple(features), **changes)
