"""What scores of ordinary records look like: thresholds and p-values from held-out scores."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from aetool.errors import BundleError
from aetool.model import Float

KEPT = 512  # scores kept: all of few; of many, evenly spaced ones and the largest
LEAST_DEVIATION = 0.01  # of the log score: equal scores are all usual
DEVIATIONS = 4.0  # robust deviations of the log score above the median: the default threshold


@dataclass(frozen=True, eq=False)
class Calibration:
    """Held-out scores, sorted, at the ranks kept of `rows`; and the usual part of each column.

    scores, ranks: (n,); rank r means r of the rows score no higher. typical: (columns + 1,),
    medians of the parts; or (columns,), of the surprises by which reasons are ranked. fpr: the part
    of ordinary records that the default threshold may flag; None where it follows the bulk.
    """

    rows: int
    scores: Float
    ranks: Float
    typical: Float
    fpr: float | None = None

    @classmethod
    def of(
        cls,
        parts: npt.NDArray[np.floating[Any]],
        surprise: npt.NDArray[np.floating[Any]] | None = None,
        kept: int = KEPT,
    ) -> Calibration:
        """The calibration of held-out parts, (rows, columns + 1); surprise: (rows, columns), of
        each column given the others, where the model tells it apart. kept: of more scores than
        these, ranks between are interpolated."""
        scores = np.sort(parts.sum(axis=1, dtype=np.float64))
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
            (keep + 1.0).astype(np.float64),
            np.array([float(f"{v:.5g}") for v in typical]),
        )

    def threshold(self, fpr: float | None = None) -> float:
        """The score above which a record is an anomaly.

        fpr: the part of held-out records that may lie above; by default the calibration's own. If
        that is none, the median plus 4 robust deviations of the log score: a deviation is read off
        between the median and the 80 % rank, where anomalies among the rows, if they are few, move
        it little.
        """
        if not self.rows:
            return math.inf
        fpr = self.fpr if fpr is None else fpr
        if fpr is not None:
            rank = math.ceil((1 - fpr) * (self.rows + 1))
            return math.inf if rank > self.rows else self.at(rank)
        median, high = self.at(0.5 * self.rows), self.at(0.8 * self.rows)
        if self.scores[0] > 0:
            deviation = max((math.log(high) - math.log(median)) / 0.8416, LEAST_DEVIATION)
            return math.exp(min(math.log(median) + DEVIATIONS * deviation, 700.0))
        return median + DEVIATIONS * (high - median) / 0.8416

    def at(self, rank: float) -> float:
        """The score of this rank, between kept ones by interpolation."""
        return float(np.interp(rank, self.ranks, self.scores))

    def p_values(self, scores: Float) -> Float:
        """(n,): the conformal p-value (1 + held-out scores at least as high) / (1 + rows).

        Between kept ranks interpolated. Vovk, Gammerman & Shafer 2005, section 2.2.
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

    def to_json(self) -> dict[str, Any]:
        """A JSON-able form, of which from_json makes the same calibration."""
        return {
            "rows": self.rows,
            "scores": self.scores.tolist(),
            "ranks": [int(r) for r in self.ranks],
            "typical": self.typical.tolist(),
            **({} if self.fpr is None else {"fpr": self.fpr}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Calibration:
        """The calibration that to_json wrote."""
        made = cls(
            int(data["rows"]),
            np.array(data["scores"], dtype=np.float64),
            np.array(data["ranks"], dtype=np.float64),
            np.array(data["typical"], dtype=np.float64),
            float(data["fpr"]) if "fpr" in data else None,
        )
        if made.fpr is not None and not 0 < made.fpr < 1:
            raise BundleError("damaged: the calibration is for no rate")
        shapes = made.scores.ndim == 1 and made.scores.shape == made.ranks.shape
        if not shapes or made.typical.ndim != 1 or (np.diff(made.scores) < 0).any():
            raise BundleError("damaged: the calibration is not in order")
        return made


def _short(value: float) -> float:
    """Seven digits of a score, never below it: a record still counts itself among those as high."""
    near = float(f"{value:.7g}")
    if near >= value or not math.isfinite(near):
        return near
    return float(f"{near + 10.0 ** (math.floor(math.log10(abs(value))) - 6):.7g}")


def discoveries(p: Float, fdr: float) -> npt.NDArray[np.bool_]:
    """(n,): which of these p-values to call, so that of those called a part of at most fdr is
    expected to be false.

    Benjamini & Hochberg 1995. It holds for conformal p-values of records that are independent of
    the held-out ones: Bates, Candes, Lei, Romano & Sesia 2023, theorem 1.
    """
    ranked = np.sort(p)
    passed = np.flatnonzero(ranked <= fdr * np.arange(1, len(p) + 1) / max(len(p), 1))
    return p <= (ranked[passed[-1]] if len(passed) else -1.0)
