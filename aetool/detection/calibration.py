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
from aetool.errors import BundleError
from aetool.model import Array, Float, Int
from aetool.spelling import option

KEPT = 512  # scores kept: all of few; of many, evenly spaced ones and the largest
ONE_IN = 1000  # ordinary records, one of which the default threshold is expected to flag
TAIL = 0.1  # part of the scores that the tail is fitted to
MOST_SHAPE = 0.5  # of the tail
FAR = 6.0  # body scales at which excesses are cut
CUT, ROUNDS = 5.0, 20  # mean excesses at which an excess is cut; until it changes no more
LEAST_SPREAD = 1e-5  # of the scores, beside their size: equal scores are all usual


def tail_scale(excess: Float) -> float:
    """A robust scale of the tail of scores: the mean of the excesses over its start, (n,), each cut
    at five times that mean; 0 if there are none. It is about the scale of an exponential tail, and
    a few far outliers move it little."""
    scale = float(excess.mean()) if len(excess) else 0.0
    for _ in range(ROUNDS if len(excess) else 0):
        scale = float(np.minimum(excess, CUT * scale).mean())
    return scale


@dataclass(frozen=True)
class Expected:
    """Prior assumptions about the tail of scores, made before any score is seen.

    shape: of the generalised Pareto distribution; weight: as how many excesses this shape counts
    beside the observed ones. doubt: a score is taken for an anomaly if fewer than one in `doubt`
    files of the same length would have an ordinary score as high. least: the smallest scale;
    differences of scores far below it say nothing. body: as how many excesses the body counts, that
    is how fast scores fall off between their median and their highest tenth.
    """

    shape: float = 0.1
    weight: float = 50.0
    doubt: float = 100.0
    least: float = 0.0
    body: float = 0.0


@dataclass(frozen=True)
class Tail:
    """The highest tenth of ordinary scores, as a generalised Pareto distribution (Pickands 1975).

    start: the score that a tenth exceed. The part p of the scores beyond s is
    0.1 (1 + shape (s - start) / scale)^(-1 / shape), with shape 0 an exponential.
    """

    start: float
    scale: float
    shape: float

    @classmethod
    def of(cls, scores: Float, expected: Expected = Expected()) -> Tail:
        """The tail of sorted scores, (n,), by probability-weighted moments (Hosking & Wallis 1987).

        Scores that are too high to be ordinary are left out first, so that a few anomalies among
        them move the tail little. The limit is that of an exponential tail, whose scale is the mean
        excess, each excess cut at six times the scale by which scores fall off between their median
        and their highest tenth. The fewer excesses, the more the shape is drawn to the expected
        one.
        """
        if not len(scores):
            return cls(0.0, 0.0, 0.0)
        median, start = (float(v) for v in np.quantile(scores, [0.5, 1 - TAIL]))
        least = max(expected.least, LEAST_SPREAD * max(abs(start), 1e-9))
        excess = scores[scores > start] - start
        body = max((start - median) / math.log(0.5 / TAIL), least)
        scale = float(np.minimum(excess, FAR * body).mean()) if len(excess) else body
        farthest = start + max(scale, least) * math.log(TAIL * len(scores) * expected.doubt + 1)
        scores = scores[scores <= farthest]
        # the highest tenth of those that are left, and how the excesses over it fall off
        start = float(np.quantile(scores, 1 - TAIL))
        excess = scores[scores > start] - start
        if not len(excess):
            return cls(_short(start), least, 0.0)
        n = len(excess)
        mean = float(excess.mean())
        # few excesses say little of how fast scores fall off, and the body says some
        pulled = n * mean + expected.body * body
        pulled /= n + expected.body
        below = (n - np.arange(1, n + 1) + 0.35) / n  # the part of the excesses above each
        second = float((excess * below).mean())
        shape = 2 - mean / max(mean - 2 * second, 1e-9 * mean)
        shape = min(max(shape, -0.2), MOST_SHAPE)
        shape = (shape * n + expected.shape * expected.weight) / (n + expected.weight)
        return cls(_short(start), _short(max(pulled * (1 - shape), least)), float(f"{shape:.5g}"))

    def score_at(self, part: float) -> float:
        """The score that a part of the ordinary records exceeds. part: more than 0, at most 0.1."""
        beyond = TAIL / part
        if abs(self.shape) < 1e-6:
            return self.start + self.scale * math.log(beyond)
        return self.start + self.scale * (math.pow(beyond, self.shape) - 1) / self.shape


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
    ordinary; else the highest may be anomalies.
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

    @classmethod
    def of(
        cls,
        parts: Array,
        surprise: Array | None = None,
        kept: int = KEPT,
        expected: Expected = Expected(),
        owner: Int | None = None,
    ) -> Calibration:
        """The calibration by held-out parts, (rows, columns + 1), whose sum is a row's score.

        surprise: (rows, columns), of each column given the others; None where the model does not
        tell it. kept: how many scores are stored at most. expected: what is assumed of the tail
        before any score. owner: (rows,), the record that each row is a piece of, where a record's
        score is that of its highest piece; None where each row is a record.
        """
        scores = parts.sum(axis=1, dtype=np.float64)
        if owner is not None:
            scores = highest_of_each(scores, owner)
        scores = np.sort(scores)
        n = len(scores)
        if n <= kept:
            keep = np.arange(n)
        else:
            even = np.linspace(0, n - 1, kept - 64).round().astype(np.int64)
            keep = np.unique(np.concatenate([even, np.arange(n - 64, n)]))
        ranked = parts if surprise is None else surprise
        typical = np.median(ranked, axis=0) if n else np.zeros(ranked.shape[1])
        rounded = np.array([_short(v) for v in scores[keep].tolist()], dtype=np.float64)
        return cls(
            n,
            rounded,
            # ranks count from 1
            (keep + 1.0).astype(np.float64),
            np.array([float(f"{v:.5g}") for v in typical]),
            Tail.of(scores, expected),
            expected=expected,
        )

    def threshold(self, fpr: float | None = None) -> float:
        """The score above which a record is an anomaly.

        fpr: the part of held-out records that may lie above; None for the calibration's own. If
        that is None, too, it is the score that one in 1,000 ordinary records exceeds, by the tail;
        where all held-out records are ordinary, at least the score that one in 1,000 of them
        exceeds. Infinite without held-out records, and where they are too few for that part.
        """
        if not self.rows:
            return math.inf
        fpr = self.fpr if fpr is None else fpr
        if fpr is None:
            score = self.tail.score_at(1 / ONE_IN)
            if self.ordinary:
                score = max(score, self._by_rank())
            return score
        rank = math.ceil((1 - fpr) * (self.rows + 1))
        return math.inf if rank > self.rows else self.at(rank)

    def _by_rank(self) -> float:
        """The score that one in 1,000 held-out records exceeds, by its rank; of fewer the highest.

        A tail leaves out what lies far beyond it, which may be anomalies. Of records that are known
        to be ordinary a few of another kind lie there, and a new one is above the k-th lowest of n
        with a chance of (n + 1 - k) / (n + 1): Vovk, Gammerman & Shafer 2005.
        """
        part = 1 - 1 / ONE_IN
        rank = part * (self.rows + 1)
        rank = min(rank, self.rows)
        return self.at(rank)

    def rate(self, fpr: float | None = None) -> float:
        """The part of ordinary records that is expected to lie above `threshold(fpr)`, 0 to 1."""
        fpr = self.fpr if fpr is None else fpr
        return 1 / ONE_IN if fpr is None else fpr

    def shortage(self, fpr: float | None = None) -> str | None:
        """Why `threshold(fpr)` is infinite, in words; None where it is finite, or where there are
        no held-out records."""
        if not self.rows or self.threshold(fpr) < math.inf:
            return None
        return too_few_for(self.rows, self.rate(fpr))

    def at(self, rank: float) -> float:
        """The score with this rank among the held-out ones, the lowest having rank 1; interpolated
        between those that are stored."""
        return float(np.interp(rank, self.ranks, self.scores))

    def p_values(self, scores: Float) -> Float:
        """The conformal p-value of each score, (n,): (1 + h) / (1 + rows), where h held-out scores
        are at least as high; 1 without held-out scores. scores: (n,).

        Between the stored scores h is interpolated. Vovk, Gammerman & Shafer 2005, section 2.2.
        """
        if not self.rows:
            return np.ones(len(scores))
        after = np.searchsorted(self.scores, scores, side="left")
        ranks = np.concatenate([[0.0], self.ranks, [self.rows + 1.0]])
        ends = np.concatenate([[-np.inf], self.scores, [np.inf]])
        low, high = ranks[after], ranks[after + 1] - 1  # of how many rows it lies above, at least
        width = ends[after + 1] - ends[after]
        inner = np.isfinite(width) & (width > 0)
        part = np.where(inner, (scores - ends[after]) / np.where(inner, width, 1.0), 0.0)
        below = low + part * np.maximum(high - low, 0.0)
        return np.asarray((1 + self.rows - below) / (1 + self.rows))

    def to_json(self) -> dict[str, Json]:
        """A JSON-able form, of which from_json makes the same calibration."""
        return {
            "rows": self.rows,
            "scores": self.scores.tolist(),
            "ranks": [int(r) for r in self.ranks],
            "typical": self.typical.tolist(),
            **({"tail": dataclasses.astuple(self.tail)} if self.tail_told else {}),
            **({} if self.fpr is None else {"fpr": self.fpr}),
            **({"ordinary": True} if self.ordinary else {}),
            **({"expected": unusual} if (unusual := _beside_defaults(self.expected)) else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Calibration:
        """The calibration that to_json wrote; BundleError if its values contradict each other."""
        tail_values = data.get("tail")
        calibration = cls(
            int(data["rows"]),
            np.array(data["scores"], dtype=np.float64),
            np.array(data["ranks"], dtype=np.float64),
            np.array(data["typical"], dtype=np.float64),
            Tail(*(float(v) for v in tail_values)) if tail_values else _tail_of_kept(data),
            float(data["fpr"]) if "fpr" in data else None,
            bool(tail_values),
            Expected(**{k: float(v) for k, v in data.get("expected", {}).items()}),
            "ordinary" in data,
        )
        if calibration.fpr is not None and not 0 < calibration.fpr < 1:
            raise BundleError("damaged: the calibration is for no rate")
        tail = (calibration.tail.start, calibration.tail.scale, calibration.tail.shape)
        if (
            not all(map(math.isfinite, tail))
            or calibration.tail.scale < 0
            or calibration.tail.shape > MOST_SHAPE
        ):
            raise BundleError("damaged: the calibration has no tail")
        expected = dataclasses.astuple(calibration.expected)
        if (
            not all(map(math.isfinite, expected))
            or min(calibration.expected.weight, calibration.expected.doubt) <= 0
            or calibration.expected.body < 0
        ):
            raise BundleError("damaged: the calibration expects no tail")
        shapes = (
            calibration.scores.ndim == 1 and calibration.scores.shape == calibration.ranks.shape
        )
        if not shapes or calibration.typical.ndim != 1 or (np.diff(calibration.scores) < 0).any():
            raise BundleError("damaged: the calibration is not in order")
        return calibration


def _beside_defaults(expected: Expected) -> dict[str, Json]:
    """Those fields of `expected` that differ from the defaults of Expected, by name."""
    usual = dataclasses.asdict(Expected())
    told = dataclasses.asdict(expected)
    return {name: value for name, value in told.items() if value != usual[name]}


def highest_of_each(scores: Float, owner: Int) -> Float:
    """The highest score among the rows of each record, (records,). scores: (rows,); owner: (rows,),
    the number of each row's record, by which the result is sorted."""
    records, place = np.unique(owner, return_inverse=True)
    highest = np.full(len(records), -np.inf)
    np.maximum.at(highest, place, scores)
    return highest


def _tail_of_kept(data: Mapping[str, Json]) -> Tail:
    """The tail of a calibration that was stored without one, fitted to its stored scores. data: the
    calibration's JSON."""
    ranks = np.array(data["ranks"], dtype=np.float64)
    scores = np.array(data["scores"], dtype=np.float64)
    if not len(scores):
        return Tail.of(scores)
    every = np.interp(np.linspace(1, max(int(data["rows"]), 1), KEPT), ranks, scores)
    return Tail.of(np.sort(every))


def _short(value: float) -> float:
    """Round a score up to seven digits, so that it takes less room and yet the record that it
    belongs to still counts among those that score as high."""
    near = float(f"{value:.7g}")
    if near >= value or not math.isfinite(near):
        return near
    return float(f"{near + 10.0 ** (math.floor(math.log10(abs(value))) - 6):.7g}")


def in_words(rate: float) -> str:
    """A rate, 0 to 1, in words, such as "about 1 in 1,000 ordinary records"."""
    return f"about 1 in {1 / rate:,.0f} ordinary records"


def least_rate(rows: int) -> float:
    """The smallest fpr (0 to 1) for which `rows` held-out records, at least one, determine a
    threshold: 1 / (rows + 1), rounded up to two digits."""
    rank = 1 / (rows + 1)
    unit = 10.0 ** (math.floor(math.log10(rank)) - 1)
    steps = math.ceil(rank / unit)
    # a quotient may be rounded to below the rank that it stands for
    while math.ceil((1 - steps * unit) * (rows + 1)) > rows:
        steps += 1
    return float(f"{steps * unit:.2g}")


def too_few_for(rows: int, rate: float) -> str:
    """Say that `rows` held-out records are too few for a threshold that a part `rate` of ordinary
    records exceeds, and which part they allow."""
    count = f"{rows:,} record{'s' if rows != 1 else ''}"
    return (
        f"{count} cannot tell 1 in {1 / rate:,.0f}; the smallest {option('--fpr')} they allow is "
        f"{100 * least_rate(rows):g} %"
    )


def discoveries(p: Float, fdr: float) -> npt.NDArray[np.bool_]:
    """Choose the anomalies so that at most a share fdr of them is expected to be ordinary: (n,)
    bool. p: (n,), p-values.

    Benjamini & Hochberg 1995. It holds for conformal p-values of records that are independent of
    the held-out ones: Bates, Candes, Lei, Romano & Sesia 2023, theorem 1.
    """
    ranked = np.sort(p)
    passed = np.flatnonzero(ranked <= fdr * np.arange(1, len(p) + 1) / max(len(p), 1))
    return p <= (ranked[passed[-1]] if len(passed) else -1.0)
