"""A summary of the scores of a whole source in bounded memory: their course over the records, their
distribution."""

from __future__ import annotations

from collections import Counter

import numpy as np

from aetool.model import Float, Int

MOST_SPANS = 2048  # stretches of records of which the highest score is kept
FINENESS = 4096  # bins of scores for each doubling of 1 + score


class ScoreTrace:
    """The scores of a source in brief, added batch by batch in memory that does not grow with them.

    rows: how many records were added. span: how many successive records one stretch has, a power of
    two. highest, moment: (stretches,), the highest score of each stretch, and the time of its first
    record. in_time: whether every record has a time, none earlier than that of the one before; True
    before any was added.
    """

    def __init__(self) -> None:
        """Begin without any record."""
        self.rows = 0
        self.span = 1
        self.in_time = True
        self._highest = np.zeros(0)
        self._moment = np.zeros(0)
        self._last_moment = -np.inf
        self._bins: Counter[int] = Counter()

    @property
    def highest(self) -> Float:
        """(stretches,): the highest score of each stretch, so that no peak is lost."""
        return self._highest

    @property
    def moment(self) -> Float:
        """(stretches,): the time of the first record of each stretch, in epoch seconds; NaN where
        it has none."""
        return self._moment

    @property
    def last_moment(self) -> float:
        """The time of the last record, in epoch seconds; NaN where it has none; minus infinity
        before any was added."""
        return self._last_moment

    def add(self, scores: Float, moments: Float | None = None) -> None:
        """Add the scores, (n,), of the next records, and their times, (n,) epoch seconds; None
        where records have no times, after which `in_time` is False. Nothing changes without
        scores."""
        if not len(scores):
            return
        if moments is None:
            moments = np.full(len(scores), np.nan)
        moments_from_last = np.concatenate([[self._last_moment], moments])
        # a gap compares as false
        is_rising = np.diff(moments_from_last) >= 0
        if not is_rising.all():
            self.in_time = False
        self._last_moment = float(moments[-1])
        rows = self.rows + len(scores)
        while rows > MOST_SPANS * self.span:
            self._double()
        self._add_stretches(scores, moments)
        self.rows = rows
        bins, counts = np.unique(bins_of(scores), return_counts=True)
        # of all bins there may be, few are ever met
        for place, count in zip(bins.tolist(), counts.tolist(), strict=True):
            self._bins[place] += count

    def _add_stretches(self, scores: Float, moments: Float) -> None:
        """Append to the stretches the next n records, 1 at least, by their scores and times, (n,)
        each; the last stretch is filled up first. `rows` is not yet raised by them."""
        numbers = self.rows + np.arange(len(scores))
        stretch = numbers // self.span
        starts = np.flatnonzero(np.diff(stretch, prepend=-1))
        highest = np.maximum.reduceat(scores, starts)
        moment = moments[starts]
        # the last stretch goes on
        goes_on = int(stretch[0]) < len(self._highest)
        if goes_on:
            self._highest[-1] = max(self._highest[-1], highest[0])
            highest = highest[1:]
            moment = moment[1:]
        self._highest = np.concatenate([self._highest, highest])
        self._moment = np.concatenate([self._moment, moment])

    def _double(self) -> None:
        """Merge stretches two by two in place, so that each stands for twice as many records: the
        higher score and the earlier time remain. A last one without a second stays."""
        self.span *= 2
        first_of_two = np.arange(0, len(self._highest), 2)
        # reduceat takes no empty list
        if len(first_of_two):
            self._highest = np.maximum.reduceat(self._highest, first_of_two)
        self._moment = self._moment[::2]

    def counted(self, edges: Float) -> Float:
        """Count scores by intervals: (k,), how many records score from each of the rising edges, (k
        + 1,), k at least 1, to just below the next; scores beyond the ends count in the first and
        the last. Scores are known to 0.02 % of 1 + score."""
        intervals = len(edges) - 1
        bins = np.array(list(self._bins), dtype=np.int64)
        counts = list(self._bins.values())
        scores = score_of(bins)
        interval = np.searchsorted(edges, scores, side="right") - 1
        # what lies beyond the ends counts, too
        interval = np.clip(interval, 0, intervals - 1)
        sums = np.bincount(interval, counts, intervals)
        return np.asarray(sums, dtype=np.float64)

    @property
    def lowest_score(self) -> float:
        """The lowest score, to 0.02 % of 1 + score; about 0 without records."""
        lowest = min(self._bins, default=0)
        return float(score_of(np.array(lowest)))


def bins_of(scores: Float) -> Int:
    """(n,): the number of the bin that each score, (n,), falls in: 4096 bins for each doubling of
    1 + |score|, from 0 up for scores of 0 or more, from -1 down for negative ones."""
    doublings = np.log2(1.0 + np.abs(scores))
    size = np.floor(doublings * FINENESS).astype(np.int64)
    # bin -1 mirrors bin 0
    is_negative = scores < 0
    return np.asarray(np.where(is_negative, -1 - size, size))


def score_of(bins: Int) -> Float:
    """(n,): the score in the middle of each bin. bins: (n,), the numbers of bins, as `bins_of`
    returns them."""
    is_negative = bins < 0
    size = np.where(is_negative, -1 - bins, bins)
    doublings = (size + 0.5) / FINENESS
    score = np.exp2(doublings) - 1.0
    return np.asarray(np.where(is_negative, -score, score))
