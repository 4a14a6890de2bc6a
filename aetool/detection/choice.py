"""The user's choice of which records are flagged: by a threshold, a rate, a part or a count."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np

from aetool.data.table import Mask
from aetool.detection.calibration import Calibration, discoveries
from aetool.errors import ParamError
from aetool.model import Float
from aetool.spelling import option


@dataclass(frozen=True)
class Choice:
    """Which records are to be flagged: at most one field is not None; if none, those above the
    calibration's own threshold.

    threshold: the score above which a record is flagged. The three parts are above 0 and below 1.
    fpr: the part of ordinary records that may be flagged. fdr: the part of the flagged records that
    may be ordinary. contamination: the part of all records that is flagged. top: how many are
    flagged, the highest scores.
    """

    threshold: float | None = None
    fpr: float | None = None
    fdr: float | None = None
    contamination: float | None = None
    top: int | None = None

    def check(self) -> None:
        """Raise ParamError if two fields are not None, top is below 0, threshold is NaN, or fpr,
        fdr or contamination is not above 0 and below 1."""
        options_in_use = [
            option(f"--{f.name}") for f in fields(self) if getattr(self, f.name) is not None
        ]
        if len(options_in_use) > 1:
            first, second, *_ = options_in_use
            raise ParamError(f"{first} and {second} exclude each other: leave one of them out")
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
        """Whether all records' scores must be known before any record can be flagged. True of fdr,
        contamination and top."""
        return self.contamination is not None or self.top is not None or self.fdr is not None

    @property
    def is_by_rate(self) -> bool:
        """Whether the threshold is the score that a known part of ordinary records exceeds: with
        fpr, and where no field is given."""
        return self.threshold is None and not self.is_by_rank

    def count(self, p_values: Float) -> int:
        """How many of the highest scores are flagged, where `is_by_rank`. p_values: (n,), of all
        records. With top it is that number, even if there are fewer records; with contamination
        that part of the records, rounded; with fdr as many as calibration.discoveries chooses."""
        if self.fdr is not None:
            return int(discoveries(p_values, self.fdr).sum())
        if self.top is not None:
            return self.top
        return round(len(p_values) * (self.contamination or 0))

    def flags(self, scores: Float, calibration: Calibration) -> tuple[Mask, float]:
        """Which records are flagged where the scores of all are known: ((n,) True for flagged ones;
        a score that all flagged ones reach). The latter is the threshold that they lie above, which
        may be infinite; or where `is_by_rank` the highest score that is not flagged, minus infinity
        where all are. scores: (n,); calibration: by which rates are met and p-values computed."""
        if not self.is_by_rank:
            threshold = self.threshold_by(calibration)
            return scores > threshold, threshold
        p_values = calibration.p_of_discoveries(scores)
        count = self.count(p_values)
        places, threshold = highest(scores, count)
        # by place, since scores alone do not tell equal ones apart
        is_flagged = np.zeros(len(scores), np.bool_)
        is_flagged[places] = True
        return is_flagged, threshold

    def threshold_by(self, calibration: Calibration) -> float:
        """The score above which a record is flagged, where `is_by_rank` is False: the user's own,
        or the score that the part `fpr` of ordinary records exceeds by the calibration."""
        if self.threshold is not None:
            return self.threshold
        return calibration.threshold(self.fpr)


def highest(scores: Float, count: int) -> tuple[list[int], float]:
    """The `count` highest scores, or all if there are fewer: (their indices, highest first and of
    equal ones the first; the highest of all other scores, minus infinity where there are none).
    scores: (n,); count: 0 or more."""
    # of equal scores the first ones
    order = np.argsort(-scores, kind="stable")
    highest_of_rest = float(scores[order[count]]) if count < len(scores) else -math.inf
    return order[:count].tolist(), highest_of_rest


def check_part(name: str, value: float | None) -> None:
    """Raise ParamError if the value of the option `name`, written without dashes, is neither None
    nor above 0 and below 1."""
    if value is not None and not 0 < value < 1:
        # who writes 5 means 5 %
        percent = f"; for {value:g} % write {value:g}%" if 1 < value < 100 else ""
        called = option(f"--{name}")
        raise ParamError(
            f"{called} must lie between 0 and 1 (0 % and 100 %), got {value:g}{percent}"
        )
