"""Categories: columns that hold the same few words again and again, booleans among them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from aetool.canonical import Json
from aetool.columns.column import ODD, Features, Modelled, words
from aetool.columns.summary import Summary
from aetool.columns.truth import are_truths, truth_of
from aetool.csv.cells import folded
from aetool.data.notation.gaps import DOUBTFUL, are_words, is_gap
from aetool.data.notation.patterns import Pattern
from aetool.data.table import Mask, Values, as_cells, shortest
from aetool.model import Float, Int

if TYPE_CHECKING:
    from aetool.data.writers import Restored

MAX_LEVELS = 254
LONGEST = 256  # bytes of a word; longer is text
REPEATED = 2  # times that words are there on average, at least
SHOWN = 4  # levels that are told to a reader
MOST_DIGITS = 15  # that a float64 holds exactly
# 12 and 12.0 are one level; 007 is no number, and neither is a long row of digits
NUMERAL = Pattern(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d{1,3})?")


@dataclass(frozen=True)
class Category(Modelled):
    """A column of words that repeat, its levels.

    levels: the words as they were written, most frequent first, and counts of them; more:
    how many other words training saw, and others: cells that hold one. truth: the words say true
    and false. country_codes: they are codes of countries, so that NA is one.

    In the inputs of graphs a value is the place of its word among the levels, or len(levels); in a
    condition, of which models score nothing, a word that training did not see is ODD.
    Words are the same that mean the same: 12 and 12.0; True, yes and 1 where levels are truths.
    """

    levels: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    more: int = 0
    others: int = 0
    truth: bool = False
    country_codes: bool = False

    kind: ClassVar[str] = "category"
    plural: ClassVar[str] = "categories"
    predictable: ClassVar[bool] = True

    @classmethod
    def infer(cls, summary: Summary, asked: bool) -> Self | None:
        if not asked and not _repeats_itself(summary):
            return None
        texts, counts = summary.counted
        truth = are_truths(texts)
        levels, together = _by_meaning(texts, counts, truth)
        return cls(
            summary.name,
            summary.dtype,
            missing=int(summary.missing.sum()),
            token=summary.token,
            gap_words=summary.gap_words,
            levels=tuple(levels[:MAX_LEVELS]),
            counts=tuple(together[:MAX_LEVELS]),
            more=max(0, len(levels) - MAX_LEVELS),
            others=sum(together[MAX_LEVELS:]),
            truth=truth,
            country_codes=summary.country_codes,
        )

    @property
    def features(self) -> Features:
        levels = len(self.levels)
        return Features(levels=levels, width=levels + 1 + self.gaps)

    @property
    def listed(self) -> tuple[str, ...]:
        return self.levels

    def bins_of(self, values: Float) -> Int:
        """For each value the index of its word among the levels, (n,); len(levels) for any other
        word."""
        return values.astype(np.int64)

    @property
    def bin_counts(self) -> Float:
        return np.array([*self.counts, self.others], dtype=np.float64)

    def bin_name(self, place: int) -> str:
        if place < len(self.levels):
            return self.levels[place]
        return "other"

    def outside(self, values: Float) -> Mask:
        """(n,): True for a word that training did not see; False for all where training saw more
        words than are listed, as then an unlisted word may have been seen."""
        return np.asarray((values == len(self.levels)) & (self.others == 0))

    def often(self, value: float) -> float | None:
        if math.isnan(value) or value == ODD:
            return None
        return float(self.bin_counts[int(value)] / max(self.bin_counts.sum(), 1.0))

    @property
    def usual(self) -> float:
        return 0.0

    @property
    def blank(self) -> float:
        # a level that is set is copied by a model which never saw a wrong one: better one that no
        # row had, which moves nothing, as if blanked
        return 0.0 if self.more else float(len(self.levels))

    def parse(self, values: Values) -> Float:
        text = as_cells(values)
        missing = is_gap(text, self.gap_words, self.country_codes)
        if self._doubtful:
            missing[missing] = ~are_words(text.take(np.flatnonzero(missing)), self._doubtful)
        place = {_meaning(level, self.truth): i for i, level in enumerate(self.levels)}
        different, index = text.distinct()
        unseen = ODD if self.condition and not self.more else len(place)
        codes_of_words = [place.get(_meaning(word, self.truth), unseen) for word in different]
        places = np.array(codes_of_words, dtype=np.float64)
        codes = places[index] if len(different) else np.zeros(len(text))
        return np.where(missing, np.nan, codes)

    @property
    def _doubtful(self) -> frozenset[str]:
        """Levels that would be read as missing values in other columns, such as NA."""
        return folded(self.levels) & DOUBTFUL

    def show(self, value: float) -> str:
        if math.isnan(value):
            return "missing"
        if value == ODD:
            return "(not seen in training)"
        place = int(value)
        if place < len(self.levels):
            return self.levels[place]
        return "(not seen in training)"

    def knows(self, value: float) -> bool:
        return 0 <= value < len(self.levels)

    def restored(self, values: Float) -> Restored:
        # a gap, or what is no level, is the level behind the last
        levels: list[str | None] = [*self.levels, None]
        listed = (values >= 0) & (values < len(self.levels))
        place = np.where(listed, values, len(self.levels)).astype(np.int64)
        return [levels[i] for i in place.tolist()]

    def random(self, count: int, rng: np.random.Generator) -> Float:
        return rng.integers(0, len(self.levels) + 1, count).astype(np.float64)

    def usually(self, count: int, rng: np.random.Generator) -> Float:
        if not self.levels:
            return np.full(count, np.nan)
        often = np.array(self.counts, dtype=np.float64)
        return rng.choice(len(often), count, p=often / often.sum()).astype(np.float64)

    def tried(self, most: int) -> Float:
        return np.arange(min(most, len(self.levels)), dtype=np.float64)

    def remark(self) -> str:
        if self.more:
            return f"more than {MAX_LEVELS} levels; the rest is `other`"
        return ""

    def facts(self) -> dict[str, Json]:
        return {**super().facts(), "levels": len(self.levels) + (self.more > 0)}

    @property
    def is_constant(self) -> bool:
        if not self.levels:
            return True
        return len(self.levels) == 1 and not self.more and not self.missing

    def understood(self) -> str:
        if not self.levels:
            return "empty"
        if self.truth:
            return "true or false"
        amount = len(self.levels) + self.more
        first = ", ".join(self.levels[:SHOWN])
        rest = ", ..." if amount > SHOWN else ""
        if amount > 1:
            return f"{amount} levels: {first}{rest}"
        return f"one level: {first}"

    def check(self) -> None:
        super().check()
        self._refuse_unless(words(self.levels) and isinstance(self.truth, bool))
        self._refuse_unless(len(set(self.levels)) == len(self.levels) <= MAX_LEVELS)
        self._refuse_unless(isinstance(self.country_codes, bool))
        counts = isinstance(self.counts, tuple) and len(self.counts) == len(self.levels)
        self._refuse_unless(counts)
        self._refuse_unless(all(type(n) is int for n in (*self.counts, self.more, self.others)))


def _meaning(word: str, truth: bool) -> str:
    """One spelling for all words of the same meaning: numbers in their shortest form, truth values
    as true or false."""
    word = word.strip()
    if truth:
        return truth_of(word) or word
    if NUMERAL.fullmatch(word) and sum(map(str.isdigit, word)) <= MOST_DIGITS:
        return shortest(float(word) + 0.0)
    return word


def _by_meaning(texts: list[str], counts: Int, truth: bool) -> tuple[list[str], list[int]]:
    """(for each meaning the first text that has it, how often the meaning is there), both with the
    most frequent meaning first. counts: (n,), how often each text is there."""
    together: dict[str, int] = {}
    spelling: dict[str, str] = {}
    for text, count in zip(texts, counts.tolist(), strict=True):
        meaning = _meaning(text, truth)
        spelling.setdefault(meaning, text)
        together[meaning] = together.get(meaning, 0) + count
    frequent_first = sorted(together, key=lambda meaning: -together[meaning])
    return [spelling[m] for m in frequent_first], [together[m] for m in frequent_first]


def _repeats_itself(summary: Summary) -> bool:
    """Whether a column's texts repeat enough to be categories: none is longer than LONGEST bytes,
    and the different ones are at most half as many as the cells, or two."""
    present = summary.present
    if present.width() > LONGEST:
        return False
    different, _ = summary.counted
    return len(different) <= max(2, len(present) // REPEATED)
