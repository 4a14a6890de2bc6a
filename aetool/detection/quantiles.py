"""How the held-out scores of one model are distributed, in a few numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from aetool.canonical import Json
from aetool.errors import BundleError
from aetool.model import Float

# of the scores, the part that is no higher; close together at the high end, where anomalies are
PARTS = (0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 1)
SHOWN = {"median": 0.5, "99 %": 0.99, "99.9 %": 0.999, "highest": 1}
DIGITS = 7


@dataclass(frozen=True, eq=False)
class ScoreQuantiles:
    """The distribution of held-out scores in a few numbers. rows: how many there were; scores:
    (16,), ascending, the quantile at each of PARTS."""

    rows: int
    scores: Float

    @classmethod
    def of(cls, held_out: Float) -> ScoreQuantiles:
        """The quantiles of held-out scores, (rows,), of which there must be at least one, rounded
        to seven significant digits."""
        exact = np.quantile(held_out, PARTS)
        # rounded, so that a bundle does not hang on the last bits of a sum
        texts = [format(score, f".{DIGITS}g") for score in exact.tolist()]
        rounded = [float(text) for text in texts]
        return cls(len(held_out), np.array(rounded))

    def facts(self) -> dict[str, float]:
        """What `aetool info` shows, by name: "rows", how many scores there were, and the scores
        "median", "99 %", "99.9 %" and "highest"."""
        score_of_part = dict(zip(PARTS, self.scores.tolist(), strict=True))
        facts: dict[str, float] = {"rows": self.rows}
        for name, part in SHOWN.items():
            facts[name] = score_of_part[part]
        return facts

    def to_json(self) -> dict[str, Json]:
        """A JSON-able form, {"rows": ..., "scores": ...}, of which from_json makes the same
        quantiles."""
        return {"rows": self.rows, "scores": self.scores.tolist()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Json]) -> ScoreQuantiles:
        """The quantiles that to_json wrote; BundleError if they are not 16 finite numbers that
        never fall, or if rows is below 1; KeyError if one of the two is missing, TypeError or
        ValueError for what is no number."""
        scores = np.array(stored["scores"], dtype=np.float64)
        rows = int(stored["rows"])
        is_complete = scores.shape == (len(PARTS),)
        is_finite = bool(np.isfinite(scores).all())
        # compared only where both hold: of nothing, or of infinities, there is no difference
        is_rising = is_complete and is_finite and bool((np.diff(scores) >= 0).all())
        if rows < 1 or not is_rising:
            raise BundleError("damaged: the scores of a member are not in order")
        return cls(rows, scores)
