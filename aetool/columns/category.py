"""Categories: columns that hold the same few words again and again, booleans among them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from aetool.canonical import Json
from aetool.columns.column import ODD, Features, Modelled, words
from aetool.columns.slips import NOT_KNOWN, Slip, near, slips_of
from aetool.columns.strays import Strays, nats_of_new_word
from aetool.columns.summary import Summary
from aetool.columns.truth import are_truths, spellings_of, truth_of
from aetool.csv.cells import folded
from aetool.data.notation.gaps import DOUBTFUL, NAMIBIA, are_words, is_gap
from aetool.data.notation.patterns import Pattern
from aetool.data.table import Mask, Values, as_cells, shortest
from aetool.model import Float, Int
from aetool.spelling import option

if TYPE_CHECKING:
    from aetool.data.writers import Restored

MAX_LEVELS = 254
LONGEST = 256  # bytes of a word; longer is text
REPEATED = 2  # times that words are there on average, at least
SHOWN = 4  # levels that are told to a reader
MOST_DIGITS = 15  # that a float64 holds exactly
# 12 and 12.0 are one level; 007 is no number, and neither is a long row of digits
NUMERAL = Pattern(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d{1,3})?")
# a look ahead at a text that has more digits than that
TOO_MANY_DIGITS = rf"(?:\D*\d){{{MOST_DIGITS + 1}}}"


@dataclass(frozen=True)
class Category(Modelled):
    """A column of words that repeat, its levels.

    levels: the words as they were written, most frequent first, at most MAX_LEVELS (254); counts:
    how many training cells hold each; more: how many other words training saw, and others: how many
    cells hold one. truth: the words say true and false. country_codes: they are codes of countries,
    so that NA is one.

    In the inputs of graphs a value is the index of its word among the levels, or len(levels); in a
    condition, of which models score nothing, a word that training did not see is ODD. Words are the
    same that mean the same: 12 and 12.0; True, yes and 1 where levels are truths.
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
        """The column of words, if they repeat or the user asks for it, else None; what is asked for
        never fails."""
        if not asked and not _repeats_itself(summary):
            return None
        # the different texts, the most frequent first, and how often each is there
        texts, counts_of_texts = summary.counted
        truth = are_truths(texts)
        levels, counts = _joined_by_meaning(texts, counts_of_texts, truth)
        return cls(
            summary.name,
            summary.dtype,
            missing=int(summary.missing.sum()),
            token=summary.token,
            gap_words=summary.gap_words,
            levels=tuple(levels[:MAX_LEVELS]),
            counts=tuple(counts[:MAX_LEVELS]),
            more=max(0, len(levels) - MAX_LEVELS),
            others=sum(counts[MAX_LEVELS:]),
            truth=truth,
            country_codes=summary.country_codes,
        )

    @property
    def features(self) -> Features:
        """The features of the column, one one-hot block: a feature for each level, one for any
        other word, and one for gaps if training saw any."""
        levels = len(self.levels)
        # one more for any other word, and one for what is missing
        width = levels + 1 + self.gaps
        return Features(levels=levels, width=width)

    @property
    def listed(self) -> tuple[str, ...]:
        """The words of the column's one-hot block: its levels, the most frequent first."""
        return self.levels

    def bins_of(self, values: Float) -> Int:
        """For each value the index of its word among the levels, (n,); len(levels) for any other
        word. values: such indices, without NaN and ODD."""
        return values.astype(np.int64)

    @property
    def bin_counts(self) -> Float:
        """How many training cells held each level, and last any other word: (levels + 1,)."""
        return np.array([*self.counts, self.others], dtype=np.float64)

    def bin_name(self, place: int) -> str:
        """The name of the bin whose index is `place`: the level with this index, or "other" behind
        the last level."""
        if place < len(self.levels):
            return self.levels[place]
        return "other"

    def outside(self, values: Float) -> Mask:
        """Which words training did not see, (n,) bool; False for all where training saw more words
        than are listed, as then an unlisted word may have been seen. values: (n,), indices of
        levels, len(levels) for any other word."""
        is_unlisted = values == len(self.levels)
        all_are_listed = self.others == 0
        return np.asarray(is_unlisted & all_are_listed)

    def often(self, value: float) -> float | None:
        """The share of present training cells with this word, or with any word that is not listed;
        None for a gap and for ODD. value: an index, 0 .. len(levels)."""
        if math.isnan(value) or value == ODD:
            return None
        counts = self.bin_counts
        total = max(counts.sum(), 1.0)
        return float(counts[int(value)] / total)

    @property
    def strays(self) -> Strays | None:
        """Which levels hardly ever come, where all others come often (there may be none: then it
        tells the cost of unseen words alone); None where no word can be told to stray, and of a
        condition, which is not judged."""
        # without a list of all words an unlisted one may be one that was seen often
        if self.condition or self.more:
            return None
        return Strays.of(self.levels, self.counts)

    @property
    def slips(self) -> tuple[Slip, ...]:
        """Which levels hardly ever come and are one letter away from a common one; none of a
        condition, which is not judged, and of words that say true and false."""
        if self.condition or self.truth:
            return ()
        return slips_of(self.levels, self.counts)

    def nats_of_unseen(self, rows: int) -> float:
        """The cost, in nats, of a word that none of `rows` of training held: as of a stray one
        where words can stray, else by how rare new words are; 0 where an unlisted word may be one
        that training saw, and of a condition."""
        if self.condition or self.more:
            return 0.0
        if self.strays is not None:
            return self.strays.nats_of_unseen(rows)
        return nats_of_new_word(self.counts, rows)

    @property
    def usual(self) -> float:
        """The value to put where none is known: 0, the index of the most frequent word."""
        return 0.0

    @property
    def blank(self) -> float:
        """The index of any other word, if training saw none such, else that of the most frequent
        word."""
        # a level that is set is copied by a model which never saw a wrong one: better one that no
        # row had, which moves nothing, as if blanked
        if self.more:
            return 0.0
        return float(len(self.levels))

    def parse(self, values: Values) -> Float:
        """(n,) float64: the index of each cell's word among the levels, by its meaning; len(levels)
        for any other word, or ODD in a condition whose words are all listed; NaN for a gap. A word
        such as none, which means a gap in other columns, is a word here where it is a level.
        values: a column of the source, (n,); numbers and moments are read as the text that stands
        for them."""
        cells = as_cells(values)
        is_missing = is_gap(cells, self.gap_words, self.country_codes)
        # a word that training saw as a level is no gap here
        if self._levels_like_gaps:
            gaps = cells.take(np.flatnonzero(is_missing))
            is_missing[is_missing] = ~are_words(gaps, self._levels_like_gaps)
        place_of_meaning = {}
        for place, level in enumerate(self.levels):
            place_of_meaning[_meaning(level, self.truth)] = place
        # each different word is looked up once
        different_words, index = cells.distinct()
        # no cells
        if not len(different_words):
            return np.where(is_missing, np.nan, 0.0)
        places = [
            place_of_meaning.get(_meaning(word, self.truth), self._unseen)
            for word in different_words
        ]
        codes = np.array(places, dtype=np.float64)
        return np.where(is_missing, np.nan, codes[index])

    def reading(self) -> dict[str, Json]:
        """How other programs are to read the column's words: "other", what stands for any word that
        is no level, and where there are such "spellings", by word in small letters the level that
        it means; "numbers", a pattern of words that mean the level of the same number; and
        "not_gaps", words in small letters that are no gap here and one in other columns."""
        entries: dict[str, Json] = {"other": self._unseen}
        if self.truth:
            entries["spellings"] = {**spellings_of(self.levels)}
        elif any(_is_numeral(level.strip()) for level in self.levels):
            entries["numbers"] = f"(?!{TOO_MANY_DIGITS}){NUMERAL.text}"
        not_gaps = set(self._levels_like_gaps)
        if self.country_codes:
            not_gaps.add(NAMIBIA)
        if not_gaps:
            entries["not_gaps"] = [*sorted(not_gaps)]
        return entries

    @property
    def _unseen(self) -> float:
        """What `parse` gives for a word that is no level: the place behind the levels, or in a
        condition whose words are all listed ODD."""
        if self.condition and not self.more:
            return ODD
        return float(len(self.levels))

    @property
    def _levels_like_gaps(self) -> frozenset[str]:
        """Levels, trimmed and in lower case, that would be read as missing values in other columns,
        such as none."""
        return folded(self.levels) & DOUBTFUL

    def show(self, value: float) -> str:
        """The word with this index; "missing" for NaN, "(not seen in training)" for any other
        value."""
        if math.isnan(value):
            return "missing"
        if value == ODD:
            return "(not seen in training)"
        place = int(value)
        if place < len(self.levels):
            return self.levels[place]
        return "(not seen in training)"

    def contrast(self, written: str, value: float, expected: float) -> str:
        """The expected word of a column that is a reason, see Modelled.contrast, which tells the
        arguments; of a word that training did not see and that may be a slip of one that it did,
        the latter: "not known, near NNE", with the expected word behind it if that is another."""
        expected_text = super().contrast(written, value, expected)
        (is_new,) = self.outside(np.array([value])).tolist()
        known = near(written, self.levels) if is_new else None
        if known is None:
            return expected_text
        if expected_text == known or not self.knows(expected):
            return f"{NOT_KNOWN}{known}"
        return f"{NOT_KNOWN}{known}, expected {expected_text}"

    def knows(self, value: float) -> bool:
        """Whether the value is the index of a listed word."""
        return 0 <= value < len(self.levels)

    def restored(self, values: Float) -> Restored:
        """The words with these indices, (n,); None for NaN and for what is no index of a level. An
        index is cut to a whole number."""
        # None stands behind the last level, for a gap and for what is no level
        levels: list[str | None] = [*self.levels, None]
        is_listed = (values >= 0) & (values < len(self.levels))
        places = np.where(is_listed, values, len(self.levels)).astype(np.int64)
        return [levels[place] for place in places.tolist()]

    def random(self, count: int, rng: np.random.Generator) -> Float:
        """Draw random words: (count,), indices, each as likely, of the levels and of any other
        word."""
        # the place behind the levels is that of any other word
        places = rng.integers(0, len(self.levels) + 1, count)
        return places.astype(np.float64)

    def usually(self, count: int, rng: np.random.Generator) -> Float:
        """Draw words as often as training saw them: (count,), indices of listed words; NaN without
        levels."""
        if not self.levels:
            return np.full(count, np.nan)
        counts = np.array(self.counts, dtype=np.float64)
        probabilities = counts / counts.sum()
        places = rng.choice(len(counts), count, p=probabilities)
        return places.astype(np.float64)

    def tried(self, most: int) -> Float:
        """Words to try in a record in place of its own: the indices of the most frequent ones, at
        most `most`."""
        # the most frequent come first
        count = min(most, len(self.levels))
        return np.arange(count, dtype=np.float64)

    def remark(self) -> str:
        """A remark that there were words in training which are not listed, and, where more cells
        held such a word than a listed one, the option that leaves the column out: it hardly repeats
        itself, and hides what is odd elsewhere. "" if all words are listed."""
        if not self.more:
            return ""
        text = f"more than {MAX_LEVELS} levels; the rest is `other`"
        if self.others > sum(self.counts):
            text += f"; if these are names of records, {option('--drop')} {self.name} helps"
        return text

    def facts(self) -> dict[str, Json]:
        """Facts about the column by name, as `aetool info` prints them: those of every modelled
        column, and "levels": how many there are, all words that are not listed being one."""
        facts = super().facts()
        # all other words are one level
        facts["levels"] = len(self.levels) + (self.more > 0)
        return facts

    @property
    def is_empty(self) -> bool:
        """Whether all cells that training saw were gaps, one at least."""
        return self.gaps and not self.levels

    @property
    def is_constant(self) -> bool:
        """Whether training saw at most one word and, if one, no gap."""
        if not self.levels:
            return True
        return len(self.levels) == 1 and not self.more and not self.missing

    def understood(self) -> str:
        """Words that say how the column was read: how many different words training saw, listed or
        not, and the first four levels; or "empty", or "true or false"."""
        if not self.levels:
            return "empty"
        if self.truth:
            return "true or false"
        count = len(self.levels) + self.more
        listed = ", ".join(self.levels[:SHOWN])
        if count <= 1:
            return f"one level: {listed}"
        if count > SHOWN:
            listed += ", ..."
        return f"{count} levels: {listed}"

    def check(self) -> None:
        """Raise ValueError if the column's fields are of a wrong type or contradict each other, as
        those of a damaged file may: for levels that are equal or more than 254, or do not have a
        count each, among others."""
        super().check()
        self._refuse_unless(words(self.levels))
        self._refuse_unless(isinstance(self.truth, bool))
        self._refuse_unless(isinstance(self.country_codes, bool))
        levels = len(self.levels)
        self._refuse_unless(levels <= MAX_LEVELS)
        are_different = len(set(self.levels)) == levels
        self._refuse_unless(are_different)
        self._refuse_unless(isinstance(self.counts, tuple))
        self._refuse_unless(len(self.counts) == levels)
        # by the type itself, as True is an int, too
        numbers = (*self.counts, self.more, self.others)
        self._refuse_unless(all(type(number) is int for number in numbers))


def _meaning(word: str, truth: bool) -> str:
    """Give all words of the same meaning one spelling: where `truth`, "true" or "false" for words
    that say so, else numbers of at most 15 digits in their shortest form; other words as they are,
    trimmed. Blanks around the word do not count."""
    word = word.strip()
    if truth:
        return truth_of(word) or word
    if not _is_numeral(word):
        return word
    # plus 0, so that -0 is 0
    return shortest(float(word) + 0.0)


def _is_numeral(word: str) -> bool:
    """Whether a word without blanks around it is a number of at most 15 digits, which all
    spellings of that number mean."""
    digits = sum(letter.isdigit() for letter in word)
    return digits <= MOST_DIGITS and NUMERAL.fullmatch(word) is not None


def _joined_by_meaning(texts: list[str], counts: Int, truth: bool) -> tuple[list[str], list[int]]:
    """Join texts that mean the same: (for each meaning the first text that has it, how often the
    meaning is there), both with the most frequent meaning first, of equally frequent ones that of
    the first text. counts: (n,), how often each text is there. truth: whether the texts say true
    and false, which True, yes and 1, and no and 0, then mean."""
    count_of_meaning: dict[str, int] = {}
    first_text: dict[str, str] = {}
    for text, count in zip(texts, counts.tolist(), strict=True):
        meaning = _meaning(text, truth)
        first_text.setdefault(meaning, text)
        count_of_meaning[meaning] = count_of_meaning.get(meaning, 0) + count
    frequent_first = sorted(count_of_meaning, key=lambda meaning: -count_of_meaning[meaning])
    spellings = [first_text[meaning] for meaning in frequent_first]
    totals = [count_of_meaning[meaning] for meaning in frequent_first]
    return spellings, totals


def _repeats_itself(summary: Summary) -> bool:
    """Whether a column's texts repeat enough to be categories: none is longer than LONGEST (256)
    bytes, and there are at most two different ones, or at most half as many as present cells."""
    present = summary.present
    if present.width() > LONGEST:
        return False
    different, _ = summary.counted
    most_different = max(2, len(present) // REPEATED)
    return len(different) <= most_different
