"""How it is said which records are flagged: above a score, a part of them, or so many."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np

from aetool.detection.calibration import discoveries
from aetool.errors import ParamError
from aetool.model import Float
from aetool.spelling import option


@dataclass(frozen=True)
class Choice:
    """Which records are to be flagged; at most one of these is given, and none means the
    calibration's own threshold.

    threshold: the score above which a record is flagged. fpr: the part of ordinary records that may
    be. fdr: the part of those flagged that may be ordinary. contamination: the part of the records
    that is. top: how many are.
    """

    threshold: float | None = None
    fpr: float | None = None
    fdr: float | None = None
    contamination: float | None = None
    top: int | None = None

    def check(self) -> None:
        """ParamError if two are given, or a value is out of its range."""
        said = [option(f"--{f.name}") for f in fields(self) if getattr(self, f.name) is not None]
        if len(said) > 1:
            raise ParamError(f"{said[0]} and {said[1]} exclude each other")
        if self.top is not None and self.top < 0:
            raise ParamError(f"{option('--top')} must be 0 or more, got {self.top}")
        if self.threshold is not None and math.isnan(self.threshold):
            raise ParamError(
                f"{option('--threshold')} nan: write the score above which a record is an anomaly"
            )
        for name in ("fpr", "fdr", "contamination"):
            check_part(name, getattr(self, name))

    @property
    def is_by_rank(self) -> bool:
        """Whether all scores must be known before one is judged."""
        return self.contamination is not None or self.top is not None or self.fdr is not None

    @property
    def is_by_rate(self) -> bool:
        """Whether the threshold is one that a known part of ordinary records exceeds."""
        return self.threshold is None and not self.is_by_rank

    def count(self, p_values: Float) -> int:
        """How many of the highest scores are flagged, where that is by rank; p_values: (n,)."""
        if self.fdr is not None:
            return int(discoveries(p_values, self.fdr).sum())
        if self.top is not None:
            return self.top
        return round(len(p_values) * (self.contamination or 0))


def highest(scores: Float, count: int) -> tuple[list[int], float]:
    """(the places of so many of the highest scores, (n,), the first of equal ones; the score that
    they lie above or at, minus infinity where they are all)."""
    # of equal scores the first ones
    order = np.argsort(-scores, kind="stable")
    least = float(scores[order[count]]) if count < len(scores) else -math.inf
    return order[:count].tolist(), least


def check_part(name: str, value: float | None) -> None:
    """ParamError if the option of this name is not a part between 0 and 1."""
    if value is not None and not 0 < value < 1:
        # who writes 5 means 5 %
        percent = f"; for {value:g} % write {value:g}%" if 1 < value < 100 else ""
        called = option(f"--{name}")
        raise ParamError(
            f"{called} must lie between 0 and 1 (0 % and 100 %), got {value:g}{percent}"
        )
