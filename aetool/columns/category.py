"""Categories: columns that hold the same few words again and again, booleans among them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from aetool.columns.column import Features, Json, Modelled
from aetool.columns.summary import Summary
from aetool.data import numbers
from aetool.data.table import Values, as_cells
from aetool.data.writers import Restored
from aetool.model import Float

MAX_LEVELS = 254
LONGEST = 256  # bytes of a word; longer is text
REPEATED = 2  # times that words are there on average, at least


@dataclass(frozen=True)
class Category(Modelled):
    """levels: the words, most frequent first; others: training saw more of them than are listed.

    In the inputs of graphs a value is the place of its word among the levels, or len(levels).
    """

    levels: tuple[str, ...] = ()
    others: bool = False

    kind: ClassVar[str] = "category"
    predicted: ClassVar[bool] = True

    @classmethod
    def infer(cls, summary: Summary, asked: bool) -> Self | None:
        if not asked and not _repeats_itself(summary):
            return None
        levels, _ = summary.counted
        return cls(
            summary.name,
            summary.dtype,
            gaps=bool(summary.missing.any()),
            token=summary.token,
            levels=tuple(levels[:MAX_LEVELS]),
            others=len(levels) > MAX_LEVELS,
        )

    @property
    def features(self) -> Features:
        levels = len(self.levels)
        return Features(levels=levels, width=levels + 1 + self.gaps)

    @property
    def words(self) -> tuple[str, ...]:
        return self.levels

    @property
    def usual(self) -> float:
        return 0.0

    @property
    def blank(self) -> float:
        # a level that is set is copied by a model which never saw a wrong one: better one that no
        # row had, which moves nothing, as if blanked
        return 0.0 if self.others else float(len(self.levels))

    def parse(self, values: Values) -> Float:
        text = as_cells(values)
        missing = numbers.is_missing(text)
        levels, index = text.distinct()
        place = {level: i for i, level in enumerate(self.levels)}
        places = np.array([place.get(v, len(place)) for v in levels], dtype=np.float64)
        out = places[index] if len(levels) else np.zeros(len(text))
        out[missing] = np.nan
        return np.asarray(out, dtype=np.float64)

    def show(self, value: float) -> str:
        if math.isnan(value):
            return "missing"
        place = int(value)
        return self.levels[place] if place < len(self.levels) else "(not seen in training)"

    def restored(self, values: Float) -> Restored:
        # NaN, a gap, is the level behind the last
        levels: list[str | None] = [*self.levels, None]
        place = np.where(np.isnan(values), len(self.levels), values).astype(np.int64)
        return [levels[i] for i in place.tolist()]

    def random(self, count: int, rng: np.random.Generator) -> Float:
        return rng.integers(0, len(self.levels) + 1, count).astype(np.float64)

    def tried(self, most: int) -> Float:
        return np.arange(min(most, len(self.levels)), dtype=np.float64)

    def remark(self) -> str:
        return f"more than {MAX_LEVELS} levels; the rest is `other`" if self.others else ""

    def facts(self) -> Json:
        return {**super().facts(), "levels": len(self.levels) + self.others}

    def check(self) -> None:
        super().check()
        words = isinstance(self.levels, tuple) and all(isinstance(v, str) for v in self.levels)
        self._refuse_unless(words and isinstance(self.others, bool))
        self._refuse_unless(len(set(self.levels)) == len(self.levels) <= MAX_LEVELS)


def _repeats_itself(summary: Summary) -> bool:
    """Whether the present texts are short, and as a rule there more than once."""
    present = summary.present
    if present.width() > LONGEST:
        return False
    levels, _ = summary.counted
    return len(levels) <= max(2, len(present) // REPEATED)
