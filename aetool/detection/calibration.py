"""Calibration: how scores of ordinary, held-out records are distributed, from which thresholds and
p-values follow."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aetool.canonical import Json
from aetool.detection.gaps import highest_below_gap, scale_of_body
from aetool.errors import BundleError
from aetool.model import Array, Float, Int
from aetool.spelling import option

KEPT = 512  # scores kept: all of few; of many, evenly spaced ones and the largest
HIGHEST = 64  # of many scores, those that are kept without a gap
CLOSER = 1.15  # below these, how many times as far from the top one kept score is as the next
ONE_IN = 1000  # ordinary records, one of which the default threshold is expected to flag
# what is told of records that were held out of the fit, for readers who hear of them first here
HELD_OUT = "each judged by a model that had not seen it"
TAIL = 0.1  # part of the scores that the tail is fitted to
LEAST_SHAPE = -0.2  # of the tail: it ends
MOST_SHAPE = 0.5  # of the tail: it is as heavy as tails of scores come
FAR = 6.0  # body scales at which excesses are cut
CUT = 5.0  # mean excesses at which an excess is cut
ROUNDS = 20  # of cutting: then the mean changes no more
LEAST_SPREAD = 1e-5  # of the scores, beside their size: equal scores are all usual


def tail_scale(excess: Float) -> float:
    """A robust scale of the tail of scores: the mean of the cut excesses over its start, (n,) above
    0. Each is cut at five times this same mean, which rounds of cutting and averaging find; 0 if
    there are none. It is about the scale of an exponential tail, and a few far outliers move it
    little."""
    if not len(excess):
        return 0.0
    scale = float(excess.mean())
    for _ in range(ROUNDS):
        cut_excess = np.minimum(excess, CUT * scale)
        scale = float(cut_excess.mean())
    return scale


@dataclass(frozen=True)
class Expected:
    """Prior assumptions about the tail of scores, made before any score is seen.

    shape: of the generalised Pareto distribution; weight: as how many excesses this shape counts
    beside the observed ones. doubt: a score is taken for an anomaly if fewer than one in `doubt`
    files of the same length would have an ordinary score as high, or such a gap below it. least:
    the smallest scale, in the unit of scores; differences far below it say nothing. body: as how
    many excesses the body counts, that is how fast scores fall off between their median and their
    highest tenth. doubt_by_body: the same, used only to find the score from which on scores are
    taken for anomalies. body_if_wider: used in place of `body`, if larger, where the body falls off
    more slowly than the excesses do. in_bits: 1 where scores are bits of rarity, from 0; else 0,
    and bits are counted from their median on, as the author's unit is mostly bits or smaller.
    """

    shape: float = 0.1
    weight: float = 50.0
    doubt: float = 100.0
    least: float = 0.0
    body: float = 0.0
    doubt_by_body: float = 0.0
    body_if_wider: float = 0.0
    in_bits: float = 0.0


@dataclass(frozen=True)
class Tail:
    """The highest tenth of ordinary scores, as a generalised Pareto distribution (Pickands 1975).

    start: the score that a tenth exceed; scale: 0 or more, how far scores reach beyond it, in their
    unit; shape: 0 or less for tails that end or fall off exponentially, more for heavier ones. The
    part p of the scores beyond s is
    0.1 (1 + shape (s - start) / scale)^(-1 / shape), with shape 0 an exponential.
    """

    start: float
    scale: float
    shape: float

    @classmethod
    def of(cls, scores: Float, expected: Expected = Expected()) -> Tail:
        """The tail of scores, (n,) rising, by probability-weighted moments (Hosking & Wallis 1987).

        Scores that are too high to be ordinary are left out first, so that a few anomalies among
        them move the tail little. The limit is that of an exponential tail, whose scale is the mean
        excess, each excess cut at six times the scale by which scores fall off between their median
        and their highest tenth; or the gap below them (detection.gaps), which shows also where they
        are a good part of the highest tenth. The fewer excesses, the more the shape is drawn to the
        expected one. Without scores all three numbers are 0; without a score above the start the
        shape is 0, and the scale the smallest that is allowed.
        """
        if not len(scores):
            return cls(0.0, 0.0, 0.0)
        middle, highest_tenth = np.quantile(scores, [0.5, 1 - TAIL])
        median = float(middle)
        start = float(highest_tenth)
        spread = LEAST_SPREAD * max(abs(start), 1e-9)
        least = max(expected.least, spread)
        body = max(scale_of_body(median, start), least)
        farthest = _farthest_ordinary(scores, start, body, least, expected)
        # many anomalies hide each other from this limit, but not the gap below them
        zero = 0.0 if expected.in_bits else median
        below_gap = highest_below_gap(scores, start, body, expected.doubt, zero)
        farthest = min(farthest, below_gap)
        scores = scores[scores <= farthest]
        # the highest tenth of those that are left, and how the excesses over it fall off
        start = float(np.quantile(scores, 1 - TAIL))
        excess = scores[scores > start] - start
        if not len(excess):
            return cls(_rounded_up(start), least, 0.0)
        shape = _shape_of(excess, expected)
        count = len(excess)
        # few excesses say little of how fast scores fall off, and the body says some
        mean_excess = float(excess.mean())
        body_counts = expected.body
        # a narrow tail may be so by chance, or for want of what was left out
        if body > mean_excess:
            body_counts = max(body_counts, expected.body_if_wider)
        total = count * mean_excess + body_counts * body
        mean = total / (count + body_counts)
        # the mean excess of a generalised Pareto distribution is scale / (1 - shape)
        scale = max(mean * (1 - shape), least)
        short_shape = float(f"{shape:.5g}")
        return cls(_rounded_up(start), _rounded_up(scale), short_shape)

    def score_at(self, part: float) -> float:
        """The score that a part of the ordinary records exceeds, by this tail alone, a generalised
        Pareto distribution; no held-out score is looked at. part: more than 0, at most 0.1, where
        the tail begins, which is not checked."""
        beyond = TAIL / part
        # so near to 0 the general formula is a difference of nearly equal numbers
        if abs(self.shape) < 1e-6:
            return self.start + self.scale * math.log(beyond)
        growth = math.pow(beyond, self.shape) - 1
        return self.start + self.scale * growth / self.shape

    def part_above(self, scores: Float) -> Float:
        """The part of the ordinary records that exceeds each score, (n,), 0 to 0.1. scores: (n,),
        at or above the start."""
        scale = max(self.scale, 1e-300)
        excess = (scores - self.start) / scale
        if abs(self.shape) < 1e-6:
            return np.asarray(TAIL * np.exp(-excess))
        # a tail of negative shape ends, and nothing exceeds what lies beyond
        growth = np.maximum(1 + self.shape * excess, 0.0)
        with np.errstate(divide="ignore"):
            logarithm = np.log(growth) / self.shape
        return np.asarray(TAIL * np.exp(-logarithm))


def _farthest_ordinary(
    scores: Float,
    start: float,
    body: float,
    least: float,
    expected: Expected,
) -> float:
    """The score above which scores, (n,) rising, are taken for anomalies: an exponential from
    `start` on, of the mean excess as its scale, each excess cut at six times `body`.

    start: the score that a tenth exceed; body: the scale by which scores fall off below it; least:
    the smallest scale of the tail; expected: its doubt, and how much the body counts.
    """
    excess = scores[scores > start] - start
    scale = body
    if len(excess):
        cut_excess = np.minimum(excess, FAR * body)
        # where two or three lie above the start all of them may be anomalies, which hide each other
        total = float(cut_excess.sum()) + expected.doubt_by_body * body
        scale = total / (len(cut_excess) + expected.doubt_by_body)
    scale = max(scale, least)
    # of an exponential so many scales are exceeded by one score in `doubt` such files
    excesses_in_all_files = TAIL * len(scores) * expected.doubt
    scales_above_start = math.log(excesses_in_all_files + 1)
    return start + scale * scales_above_start


def _shape_of(excess: Float, expected: Expected) -> float:
    """The shape of the tail with these excesses over its start, (n,) rising, at least one, by
    probability-weighted moments; cut to -0.2 to 0.5, then drawn to the expected shape the more, the
    fewer they are."""
    count = len(excess)
    mean = float(excess.mean())
    # the part of the excesses above each
    part_above = (count - np.arange(1, count + 1) + 0.35) / count
    second = float((excess * part_above).mean())
    # equal excesses have no second moment that is less than half of the first
    rest = max(mean - 2 * second, 1e-9 * mean)
    shape = 2 - mean / rest
    # a few excesses may seem to have any shape
    shape = min(max(shape, LEAST_SHAPE), MOST_SHAPE)
    weighted_sum = shape * count + expected.shape * expected.weight
    return weighted_sum / (count + expected.weight)


@dataclass(frozen=True, eq=False)
class Calibration:
    """The scores of `rows` held-out records, of which some are stored, and each column's usual
    part.

    scores, ranks: (n,), rising, those that are stored; a score of rank r is the r-th lowest, from
    1. typical: (columns + 1,), medians of the parts; or (columns,), of the surprises by which
    reasons are ranked. fpr: the part of ordinary records that the default threshold may flag, by
    the ranks; None for one in 1,000, by the tail. tail_told: whether the tail was stored; in models
    of earlier versions it is fitted to the stored scores. expected: what was assumed of the tail,
    for whoever calibrates anew. ordinary: whether the user said that all of these records are
    ordinary, by `fit --normal` of a table or by records given to `calibrate`; else, as after any
    fit of pictures, the highest may be anomalies. is_own: whether these are the very records that
    are judged, as where there is no model; it is not stored.
    """

    rows: int
    scores: Float
    ranks: Float
    typical: Float
    tail: Tail
    fpr: float | None = None
    tail_told: bool = True
    expected: Expected = Expected()
    ordinary: bool = False
    is_own: bool = False

    @classmethod
    def of(
        cls,
        parts: Array,
        surprise: Array | None = None,
        kept: int = KEPT,
        expected: Expected = Expected(),
        owner: Int | None = None,
        is_stored: bool = True,
    ) -> Calibration:
        """The calibration by held-out parts, (rows, columns + 1), whose sum is a row's score.

        surprise: (rows, columns), of each column given the others; None where the model does not
        tell it. kept: how many scores are stored, more than 64, all if there are no more; of very
        many some dozens near the highest are stored beside these. expected: what is assumed of the
        tail before any score. owner: (rows,), the record that each row is a piece of, where a
        record's score is that of its highest piece; None where each row is a record. `fpr` and
        `ordinary` keep their defaults. is_stored: whether a model will hold it: then scores are
        rounded up to seven digits. Medians are rounded to five in any case.
        """
        scores = parts.sum(axis=1, dtype=np.float64)
        if owner is not None:
            scores = highest_of_each(scores, owner)
        scores = np.sort(scores)
        rows = len(scores)
        places = _kept_places(rows, kept)
        kept_scores = scores[places]
        if is_stored:
            kept_scores = np.array([_rounded_up(score) for score in kept_scores.tolist()])
        # what reasons are ranked by
        ranked = parts if surprise is None else surprise
        typical = np.zeros(ranked.shape[1])
        if rows:
            typical = np.median(ranked, axis=0)
        short_typical = [float(f"{value:.5g}") for value in typical]
        # ranks count from 1
        ranks = places + 1.0
        return cls(
            rows=rows,
            scores=kept_scores.astype(np.float64),
            ranks=ranks.astype(np.float64),
            typical=np.array(short_typical),
            tail=Tail.of(scores, expected),
            expected=expected,
        )

    def threshold(self, fpr: float | None = None) -> float:
        """The score above which a record is an anomaly.

        fpr: the part of held-out records that may lie above, above 0 and below 1; None for the
        calibration's own. If that is None, too, it is the score that one in 1,000 ordinary records
        exceeds, by the tail; where all held-out records are ordinary, at least the score that one
        in 1,000 of them exceeds. Infinite without held-out records, and where they are too few for
        that part. Of records that judge themselves the highest may be the anomalies that are
        sought, so for any part up to a tenth the threshold is computed from the tail, as by
        default, and for a larger one it is never above the tail's start.
        """
        if not self.rows:
            return math.inf
        fpr = self.fpr if fpr is None else fpr
        if fpr is None:
            score = self.tail.score_at(1 / ONE_IN)
            if self.ordinary:
                score = max(score, self._score_by_rank())
            return score
        if self.is_own and self.least_rate() <= fpr <= TAIL:
            return self.tail.score_at(fpr)
        rank = math.ceil((1 - fpr) * (self.rows + 1))
        if rank > self.rows:
            return math.inf
        score = self.at(rank)
        if self.is_own:
            # a larger part is not to begin above a smaller one
            score = min(score, self.tail.start)
        return score

    def least_rate(self) -> float:
        """The smallest fpr, 0 to 1, for which these records determine a threshold; there must be a
        record. It is 1 / (rows + 1), rounded up (see the function least_rate); of records that
        judge themselves one in 1,000 at most."""
        by_rank = least_rate(self.rows)
        if self.is_own:
            return min(by_rank, 1 / ONE_IN)
        return by_rank

    def _score_by_rank(self) -> float:
        """The score that one in 1,000 held-out records exceeds, by its rank; of fewer than 1,000
        the highest; there must be one.

        A tail leaves out what lies far beyond it, which may be anomalies. Of records that are known
        to be ordinary a few of another kind lie there, and a new one is above the k-th lowest of n
        with a chance of (n + 1 - k) / (n + 1): Vovk, Gammerman & Shafer 2005.
        """
        part = 1 - 1 / ONE_IN
        rank = part * (self.rows + 1)
        rank = min(rank, self.rows)
        return self.at(rank)

    def rate(self, fpr: float | None = None) -> float:
        """The part of ordinary records that is expected to lie above `threshold(fpr)`, 0 to 1. fpr:
        that part; None for the calibration's own, and if that is None, too, for one in 1,000."""
        fpr = self.fpr if fpr is None else fpr
        if fpr is None:
            return 1 / ONE_IN
        return fpr

    def count_above(self, threshold: float) -> int:
        """How many of the held-out records score above a threshold: exact if at most 64 do or all
        scores are stored, else interpolated between those that are."""
        just_above = math.nextafter(threshold, math.inf)
        # a p-value counts these records, and the one that is judged
        p = float(self.p_values(np.array([just_above]))[0])
        return round(p * (self.rows + 1)) - 1

    def is_outnumbered(self, threshold: float, rate: float) -> bool:
        """Whether more held-out records exceed a threshold than `rate` lets expect, that is rate
        times `rows`. rate: the part of ordinary records that the threshold is meant for, above 0
        and at most 1."""
        return self.count_above(threshold) > rate * self.rows

    def rarity_in_words(self, threshold: float, rate: float) -> str:
        """What part of the records exceeds a threshold, in words, such as "about 1 in 1,000
        ordinary records" or "23 of 10,000 records held out of the fit". There must be held-out
        records.

        rate: the part of ordinary records that the threshold is meant for, above 0 and at most 1.
        Where nobody said that the held-out records are ordinary, the highest may be anomalies, or
        ordinary ones of a rare kind, which new records will be, too: where more of them exceed the
        threshold than the rate lets expect, their number is what is known; HELD_OUT, to be told
        beside it, says what that means.
        """
        if not self.is_outnumbered(threshold, rate):
            return in_words(rate)
        return f"{self.count_above(threshold):,} of {self.rows:,} records held out of the fit"

    def shortage(self, fpr: float | None = None) -> str | None:
        """Why `threshold(fpr)` is infinite, in words (too few held-out records for that part); None
        where it is finite, or where there are no held-out records."""
        if not self.rows or self.threshold(fpr) < math.inf:
            return None
        return too_few_for(self.rows, self.rate(fpr), self.least_rate())

    def at(self, rank: float) -> float:
        """The score with this rank among the held-out ones, the lowest having rank 1; interpolated
        between those that are stored, of which there must be one; a rank below the first or above
        the last gives the score of that one."""
        return float(np.interp(rank, self.ranks, self.scores))

    def p_values(self, scores: Float) -> Float:
        """The conformal p-value of each score, (n,): (1 + h) / (1 + rows), where h held-out scores
        are at least as high; 1 without held-out scores. scores: (n,).

        Between the stored scores h is interpolated. Vovk, Gammerman & Shafer 2005, section 2.2.
        """
        if not self.rows:
            return np.ones(len(scores))
        # between which two of the stored scores each score lies
        after = np.searchsorted(self.scores, scores, side="left")
        ranks = np.concatenate([[0.0], self.ranks, [self.rows + 1.0]])
        ends = np.concatenate([[-np.inf], self.scores, [np.inf]])
        # how many rows it lies above, at least and at most
        low = ranks[after]
        high = ranks[after + 1] - 1
        start = ends[after]
        width = ends[after + 1] - start
        is_inside = np.isfinite(width) & (width > 0)
        # nothing is interpolated below all stored scores, above them, or between equal ones
        divisor = np.where(is_inside, width, 1.0)
        part = np.where(is_inside, (scores - start) / divisor, 0.0)
        below = low + part * np.maximum(high - low, 0.0)
        return np.asarray((1 + self.rows - below) / (1 + self.rows))

    def p_of_discoveries(self, scores: Float) -> Float:
        """(n,): the p-values by which `discoveries` chooses anomalies among scores, (n,). Where the
        held-out records are known to be ordinary they are those of p_values; else scores beyond the
        highest ranks get theirs from the fitted tail.

        A rank among n records is never below 1 / (n + 1), so that of many records none could be
        discovered; and of records that judge themselves each has its own rank, whatever it scores.
        There the tail tells all scores beyond its start, elsewhere those beyond all held-out ones.
        """
        p_values = self.p_values(scores)
        if self.ordinary or not self.rows:
            return p_values
        start = self.tail.start
        if not self.is_own:
            start = max(start, float(self.scores[-1]))
        is_beyond = scores > start
        by_tail = self.tail.part_above(scores[is_beyond])
        p_values[is_beyond] = np.minimum(by_tail, TAIL)
        return p_values

    def to_json(self) -> dict[str, Json]:
        """A JSON-able form, by name, of which from_json makes the same calibration: rows, scores,
        ranks, typical; tail (start, scale, shape) if tail_told; and fpr, ordinary and expected
        where they differ from their defaults."""
        stored: dict[str, Json] = {
            "rows": self.rows,
            "scores": self.scores.tolist(),
            "ranks": [int(rank) for rank in self.ranks],
            "typical": self.typical.tolist(),
        }
        # a tail that was fitted to the stored scores is fitted to them again when read
        if self.tail_told:
            stored["tail"] = dataclasses.astuple(self.tail)
        if self.fpr is not None:
            stored["fpr"] = self.fpr
        if self.ordinary:
            stored["ordinary"] = True
        unusual = _changed_fields(self.expected)
        if unusual:
            stored["expected"] = unusual
        return stored

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Calibration:
        """The calibration that to_json wrote; BundleError if its values contradict each other or
        are out of range (see `_check`), KeyError if one is missing, TypeError or ValueError for
        what is no number."""
        tail_values = data.get("tail")
        # models of earlier versions store no tail
        tail = Tail(*map(float, tail_values)) if tail_values else _tail_of_stored(data)
        fpr = None
        if "fpr" in data:
            fpr = float(data["fpr"])
        # only what differs from the defaults is stored
        assumptions = {}
        for name, value in data.get("expected", {}).items():
            assumptions[name] = float(value)
        calibration = cls(
            rows=int(data["rows"]),
            scores=np.array(data["scores"], dtype=np.float64),
            ranks=np.array(data["ranks"], dtype=np.float64),
            typical=np.array(data["typical"], dtype=np.float64),
            tail=tail,
            fpr=fpr,
            tail_told=bool(tail_values),
            expected=Expected(**assumptions),
            ordinary=bool(data.get("ordinary")),
        )
        calibration._check()
        return calibration

    def _check(self) -> None:
        """Raise BundleError unless fpr is None or above 0 and below 1; the tail is finite, with a
        scale of 0 or more and a shape of at most 0.5; what is expected of it is finite, with weight
        and doubt above 0, and body, doubt_by_body and body_if_wider 0 or more; scores never fall,
        each with a rank; and typical has one axis."""
        if self.fpr is not None and not 0 < self.fpr < 1:
            raise BundleError("damaged: the calibration is for no rate")
        tail = self.tail
        is_possible = tail.scale >= 0 and tail.shape <= MOST_SHAPE
        if not _is_finite(tail) or not is_possible:
            raise BundleError("damaged: the calibration has no tail")
        expected = self.expected
        is_possible = min(expected.weight, expected.doubt) > 0
        bodies = (expected.body, expected.doubt_by_body, expected.body_if_wider)
        is_possible &= min(bodies) >= 0
        if not _is_finite(expected) or not is_possible:
            raise BundleError("damaged: the calibration expects no tail")
        one_rank_each = self.scores.ndim == 1 and self.scores.shape == self.ranks.shape
        if not one_rank_each or self.typical.ndim != 1:
            raise BundleError("damaged: the calibration is not in order")
        if (np.diff(self.scores) < 0).any():
            raise BundleError("damaged: the calibration is not in order")


def _kept_places(rows: int, kept: int) -> Int:
    """The places, rising from 0, of the scores that are stored of `rows` sorted ones: all of few;
    of many the highest, and as many spread evenly as there is room for. kept: about how many places
    in all, more than 64.

    Of very many, what is spread evenly leaves a gap below the highest, in which scores rise faster
    and faster: a straight line across it would be far above them. So in that gap further places are
    stored, each CLOSER (1.15) times as far from the top as the one above it.
    """
    if rows <= kept:
        return np.arange(rows)
    even = np.linspace(0, rows - 1, kept - HIGHEST).round()
    highest = np.arange(rows - HIGHEST, rows)
    # as far down as steps of that kind are shorter than the even ones
    gap = rows / (kept - HIGHEST)
    farthest = max(gap / (CLOSER - 1), HIGHEST)
    steps = math.ceil(math.log(farthest / HIGHEST, CLOSER))
    from_the_top = HIGHEST * CLOSER ** np.arange(1, steps + 1)
    between = rows - np.minimum(from_the_top, rows).round()
    places = [even.astype(np.int64), between.astype(np.int64), highest]
    return np.unique(np.concatenate(places))


def _is_finite(values: Tail | Expected) -> bool:
    """Whether all fields are numbers that are not infinite or NaN."""
    return all(map(math.isfinite, dataclasses.astuple(values)))


def _changed_fields(expected: Expected) -> dict[str, Json]:
    """The fields of `expected` whose values are not the defaults, {name: value}."""
    defaults = dataclasses.asdict(Expected())
    values = dataclasses.asdict(expected)
    return {name: value for name, value in values.items() if value != defaults[name]}


def highest_of_each(scores: Float, owner: Int) -> Float:
    """The highest score among the rows of each record, (records,). scores: (rows,); owner: (rows,),
    the number of each row's record, by which the result is sorted."""
    records, record_of_row = np.unique(owner, return_inverse=True)
    highest = np.full(len(records), -np.inf)
    np.maximum.at(highest, record_of_row, scores)
    return highest


def _tail_of_stored(data: Mapping[str, Json]) -> Tail:
    """The tail of a calibration that was stored without one, fitted to 512 (KEPT) scores,
    interpolated between the stored ones at evenly spaced ranks; the tail of no scores if none is
    stored. data: the calibration's JSON; KeyError if rows, scores or ranks are missing."""
    ranks = np.array(data["ranks"], dtype=np.float64)
    scores = np.array(data["scores"], dtype=np.float64)
    if not len(scores):
        return Tail.of(scores)
    last = max(int(data["rows"]), 1)
    spread_ranks = np.linspace(1, last, KEPT)
    spread_scores = np.interp(spread_ranks, ranks, scores)
    return Tail.of(np.sort(spread_scores))


def _rounded_up(value: float) -> float:
    """Round a score up to seven significant digits, so that it takes less room and yet the record
    that it belongs to still counts among those that score as high. NaN and infinity stay as they
    are."""
    near = float(f"{value:.7g}")
    # rounded down it would be below the record's own score
    if near >= value or not math.isfinite(near):
        return near
    magnitude = math.floor(math.log10(abs(value)))
    last_digit = 10.0 ** (magnitude - 6)
    return float(f"{near + last_digit:.7g}")


def in_words(rate: float) -> str:
    """A rate, above 0 and at most 1, in words, such as "about 1 in 1,000 ordinary records"."""
    return f"about 1 in {1 / rate:,.0f} ordinary records"


def least_rate(rows: int) -> float:
    """The smallest fpr (0 to 1) for which `rows` held-out records, at least one, determine a
    threshold: 1 / (rows + 1), rounded up to two significant digits."""
    rank = 1 / (rows + 1)
    # that of the second digit
    magnitude = math.floor(math.log10(rank))
    unit = 10.0 ** (magnitude - 1)
    steps = math.ceil(rank / unit)
    # a quotient may be rounded to below the rank that it stands for
    while math.ceil((1 - steps * unit) * (rows + 1)) > rows:
        steps += 1
    return float(f"{steps * unit:.2g}")


def too_few_for(rows: int, rate: float, least: float) -> str:
    """Say that `rows` held-out records, at least one, are too few for a threshold that a part
    `rate` of ordinary records exceeds, and which part, `least`, they allow."""
    count = f"{rows:,} record{'s' if rows != 1 else ''}"
    return (
        f"{count} cannot tell 1 in {1 / rate:,.0f}; the smallest {option('--fpr')} they allow is "
        f"{100 * least:g} %"
    )


def discoveries(p: Float, fdr: float) -> npt.NDArray[np.bool_]:
    """Choose the anomalies so that at most a share fdr of them is expected to be ordinary: (n,)
    bool, True for these. p: (n,), p-values; fdr: above 0 and below 1.

    Benjamini & Hochberg 1995. The bound holds for conformal p-values of records that are
    independent of the held-out ones: Bates, Candes, Lei, Romano & Sesia 2023, theorem 1.
    """
    ranked = np.sort(p)
    ranks = np.arange(1, len(p) + 1)
    allowed = fdr * ranks / max(len(p), 1)
    passed = np.flatnonzero(ranked <= allowed)
    # no p-value is below 0, so that none passes
    highest = -1.0
    if len(passed):
        highest = ranked[passed[-1]]
    return np.asarray(p <= highest)
