"""Gaps in the tail of scores: where ordinary records end and anomalies begin.

A few anomalies among many scores stand out by their height. Many of them make the tail look heavy,
and then none does: each hides the others (masking). What is left to be seen is the gap below them,
in which there are fewer scores than any tail would leave, however heavy it is.
"""

from __future__ import annotations

import math

import numpy as np

from aetool.model import Float

TAIL = 0.1  # part of the scores that the tail is
# Of an ordinary tail, as generalised Pareto: the heavier it is taken to be, the wider gaps it has.
# Chosen, with the three below, on half of the sets of benchmarks/masking.py.
SHAPE = 0.1
WIDTHS = (1, 2, 4)  # of gaps: steps from one score to the next, all but one of these scores inside
PRIOR_EXCESSES = 10.0  # for how many excesses below a gap the body of the scores counts
LEAST_OF_BODY = 0.5  # the smallest scale below a gap, as part of that of the body
# Scales of the body by which scores beyond a gap are higher than so many are anyway: a twentieth of
# the rows, of a rare kind, is about as rare as its scores say, and anomalies are far rarer.
LEAST_SURPLUS = 1.25
# Bits by which they are rarer than so many rows are anyway: of few kinds of rows each has a score
# of its own, with gaps between them.
LEAST_RARER = 0.5
FEWEST = 10  # scores above the start, of which fewer tell no gap from chance
# Of the scores of a single model, in whatever unit. Ordinary rows of a rare kind have such gaps,
# too, but narrower ones, and there may be more of these rows than of anomalies: chosen on half of
# the sets of benchmarks/masking.py and of benchmarks/halves.py.
DOUBT_APART = 1e6  # files, fewer than one of which has such a gap
LEAST_SURPLUS_APART = 4.0  # scales of the body
MOST_APART = 1 / 16  # of the scores, beyond a gap
LEAST_DIFFERENT = 0.5  # of the scores between the median and a gap


def scale_of_body(median: float, highest_tenth: float) -> float:
    """The scale of the exponential by which scores fall off between their median and the score that
    a tenth exceed, in their unit; 0 or more."""
    # an exponential falls from a half of the records to a tenth within log(5) scales
    return (highest_tenth - median) / math.log(0.5 / TAIL)


def highest_below_gap(
    scores: Float,
    start: float,
    body: float,
    doubt: float,
    zero: float,
    least_surplus: float = LEAST_SURPLUS,
    most: float = 1.0,
) -> float:
    """The highest score below the lowest gap that ordinary scores would hardly leave; infinite
    where there is no such gap.

    scores: (n,), rising; start: the score above which gaps are looked for; body: above 0, the scale
    by which scores fall off below it; doubt: above 1: of files of ordinary scores fewer than one in
    `doubt` have such a gap. zero: the score of what is not rare at all: from here on scores are
    taken for bits. least_surplus: how much higher the scores beyond a gap have to be than as many
    of the highest scores of such a tail, in scales of the body; most: the part of the scores, up to
    1, that may lie beyond it.

    Between the (k+1)-th and the k-th highest of exponential scores of scale s, k times the
    difference is exponential, too, with scale s, whatever k is (Rényi 1953): k scores beyond a gap
    are the less likely to be ordinary the more of them there are. A gap of several such steps, with
    a few scores inside, has a gamma distribution. Scores of a generalised Pareto tail are
    exponential after a logarithm; its scale is estimated from the body and from the excesses below
    the gap, those beyond counting as being of any height above it (the estimate of a censored
    sample). The scores beyond a gap have to be higher than as many of the highest of a tail of the
    body's scale, and rarer, in bits, than as many of n records are by their number alone. With
    fewer than 10 scores above the start there is no gap.
    """
    rank_of_start = int(np.searchsorted(scores, start, side="right"))
    above_start = len(scores) - rank_of_start
    # below the lowest of these there has to be one score that is ordinary
    candidates_above = min(above_start, len(scores) - 1)
    if candidates_above < FEWEST:
        return math.inf
    # from the highest down to the first at or below the start
    falling = scores[::-1][: candidates_above + 1]
    excess = np.maximum(falling - start, 0.0)
    scale = _scales_below(excess, body)
    # the log of the chance that makes a gap: among so many that are looked at, one in `doubt` files
    # of ordinary scores has one as unlikely
    gaps_looked_at = len(WIDTHS) * candidates_above
    limit = -math.log(gaps_looked_at * doubt)
    scores_above_lowest = 0
    width_of_lowest = 1
    for width in WIDTHS:
        size = _sizes_of_gaps(excess, scale, width)
        chance = _log_of_gamma_tail(size, width)
        surplus = _surplus(excess, body, width)
        is_gap = chance < limit
        is_gap &= surplus >= least_surplus
        # how many scores lie beyond the upper end of each gap
        beyond = np.arange(1, len(size) + 1)
        bits_by_number = np.log2(len(scores) / beyond)
        bits = falling[: len(size)] - zero
        is_gap &= bits >= bits_by_number + LEAST_RARER
        # how many scores lie above the lower end of each gap
        scores_above = np.flatnonzero(is_gap) + width
        scores_above = scores_above[scores_above <= most * len(scores)]
        if scores_above.max(initial=0) > scores_above_lowest:
            scores_above_lowest = int(scores_above.max())
            width_of_lowest = width
    if not scores_above_lowest:
        return math.inf
    # of its steps the widest parts the ordinary scores from the others
    first = scores_above_lowest - width_of_lowest
    steps = -np.diff(falling[first : scores_above_lowest + 1])
    highest_ordinary = first + int(steps.argmax()) + 1
    return float(falling[highest_ordinary])


def without_apart(scores: Float) -> Float:
    """Those scores of a model, (n,), that do not lie apart from the others, in rising order: at
    most one in sixteen is left out, and none where there is no wide gap.

    What lies beyond a wide gap may be anomalies. How rare a score is must not be judged by these:
    many of them would make their own height seem usual. The scores may be in any unit.
    """
    rising = np.sort(scores)
    if not len(rising):
        return rising
    median, start = np.quantile(rising, [0.5, 1 - TAIL]).tolist()
    body = scale_of_body(median, start)
    # where most scores are equal nothing tells how wide a gap is
    if body <= 0:
        return rising
    highest = highest_below_gap(
        rising,
        start,
        body,
        DOUBT_APART,
        # in a unit of their own scores are no bits, and need not be as rare as their number says
        -math.inf,
        LEAST_SURPLUS_APART,
        MOST_APART,
    )
    upper_half = rising[(rising > median) & (rising <= highest)]
    # of few kinds of rows each has a score of its own, with gaps between them
    if len(np.unique(upper_half)) < LEAST_DIFFERENT * len(upper_half):
        return rising
    return rising[rising <= highest]


def _scales_below(excess: Float, body: float) -> Float:
    """The scale of the tail below each gap, (count,), above 0; of the k-th, k scores lie above its
    lower end.

    excess: (count + 1,), falling, 0 or more: of all scores above the start of the tail, and of the
    next one; body: above 0, the scale of the scores below.
    """
    lower = excess[1:]
    count = len(lower)
    above = np.arange(1, count + 1)
    from_lowest = lower[::-1]
    sum_below = from_lowest.cumsum()[::-1]
    # of those above a gap no more is taken to be known than that they lie above it
    total = sum_below + above * lower
    total += PRIOR_EXCESSES * body
    below = count - above
    scale = total / (below + PRIOR_EXCESSES)
    return np.maximum(scale, LEAST_OF_BODY * body)


def _sizes_of_gaps(excess: Float, scale: Float, width: int) -> Float:
    """(count + 1 - width,): how wide the gaps of `width` successive steps are, those with the
    fewest scores above them first: the sum of their steps, each in multiples of what such a step is
    on average among ordinary scores. Empty where there are fewer than `width` steps.

    excess: (count + 1,), falling, 0 or more; scale: (count,), of the tail below each, above 0;
    width: 1 or more.
    """
    first = width - 1
    scale = scale[first:]
    # how many scores lie above the lower end of each gap
    ends = np.arange(width, len(excess))
    size = np.zeros(len(ends))
    for step in range(width):
        above = ends - step
        upper_end = _as_exponential(excess[above - 1] / scale)
        lower_end = _as_exponential(excess[above] / scale)
        size += above * (upper_end - lower_end)
    return size


def _surplus(excess: Float, body: float, width: int) -> Float:
    """(count + 1 - width,): how much higher the lowest score beyond each gap of `width` steps is
    than the score of the same rank in an exponential tail, in multiples of that tail's scale,
    `body`.

    excess: (count + 1,), falling, 0 or more; body: the scale, above 0; width: 1 or more.
    """
    count = len(excess) - 1
    ranks = np.arange(1, count + 2 - width)
    height = excess[: len(ranks)] / body
    usual_height = np.log(count / ranks)
    return np.asarray(height - usual_height)


def _as_exponential(excess: Float) -> Float:
    """Excesses over the start of a tail of SHAPE, (n,), 0 or more and in multiples of its scale, as
    those of an exponential tail that are exceeded as often."""
    logarithm = np.log1p(SHAPE * excess)
    return np.asarray(logarithm / SHAPE)


def _log_of_gamma_tail(size: Float, width: int) -> Float:
    """The logarithm of the chance that a sum of `width` exponential steps of mean 1 exceeds each
    size, (n,), 0 or more: e^-size times the first `width` terms of the series of e^size."""
    term = np.ones(len(size))
    total = term.copy()
    for power in range(1, width):
        term = term * size / power
        total += term
    return np.asarray(np.log(total) - size)
