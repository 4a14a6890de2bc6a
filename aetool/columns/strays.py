"""Words that stray into a category: seen hardly ever, and like words that all come often, or seen
once where all others come very often; and words that training never saw."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

# how often the rarest of the usual levels comes for each time that the commonest stray one does:
# of 405 columns of words of 193 tables that nobody had changed, 5 had such a gap
GAP = 10
# cells of a column that may be strays: so many, or a thousandth of the rows, as misspellings
# are in long files; more of them are a kind of records
MOST_CELLS = 3
MOST_OF_ROWS = 1000
# part of the letters that a slip shares with the word that was meant; words such as `d` among `m`
# and `w` are rare answers
LEAST_ALIKE = 0.6
# how often the rarest of the others comes where a word that is like none, and stands in one cell
# alone, strays: rarer than the records that the default threshold flags. Of 1,931 columns of words
# of R packages' tables one has such a word; of 9 in which the others come 100 times, three have a
# rare answer, as one yes
LONE_GAP = 1000
NEVER_SEEN = math.log(1000)  # nats beyond its rarity that what was never seen costs, at most
# Of so many records one may hold a new word, for that to cost anything: where new words are as
# common as the records that the default threshold flags, most of them are ordinary.
RECORDS_OF_NEW_WORD = 1000


@dataclass(frozen=True)
class Strays:
    """Which levels of a category are strays, as `femle` is, once among thousands of `female`.

    first: the index of the first stray level, as levels are sorted by how often they come; the
    number of levels where training saw none. cells: how many training cells hold a stray.
    commonest: how many of these the commonest stray has. rarest_usual: how many training cells hold
    the rarest of the other levels.
    """

    first: int
    cells: int
    commonest: int
    rarest_usual: int

    @classmethod
    def of(cls, words: Sequence[str], counts: Sequence[int]) -> Self | None:
        """The strays of a column whose levels, these words, came so often. words, counts: of every
        level, the commonest first.

        None where no word can be told to stray: some usual level comes less than 10 times as often
        as a word that comes once, or as the rare ones do, or rare ones hold more than 3 cells and
        more than a thousandth of all, or one of them is like no usual one; but for one that stands
        in one cell alone, where the rarest usual level comes LONE_GAP (1,000) times.
        """
        cells_allowed = max(MOST_CELLS, sum(counts) // MOST_OF_ROWS)
        cells = 0
        # from the rarest on: the first gap is the one between strays and usual levels
        for place in range(len(counts), 0, -1):
            commonest = counts[place] if place < len(counts) else 0
            rarest_usual = counts[place - 1]
            # a word that was never seen is compared as if it had come once
            if rarest_usual >= GAP * max(commonest, 1):
                strays = cls(place, cells, commonest, rarest_usual)
                usual_words = words[:place]
                is_alone = cells == 1 and rarest_usual >= LONE_GAP
                if is_alone or all(_is_like_any(word, usual_words) for word in words[place:]):
                    return strays
                return None
            cells += rarest_usual
            if cells > cells_allowed:
                return None
        return None

    def nats_of_seen(self, rows: int) -> float:
        """The cost, in nats, of a stray level that training saw: the log of how rare strays are
        among `rows`, plus the log of how much more often the rarest usual level comes than the
        commonest stray one, the latter at most NEVER_SEEN (log 1,000). 0 if training saw no
        stray."""
        if not self.cells:
            return 0.0
        rarity = math.log((rows + 1) / self.cells)
        gap = math.log(self.rarest_usual / self.commonest)
        return rarity + min(gap, NEVER_SEEN)

    def nats_of_unseen(self, rows: int) -> float:
        """The cost, in nats, of a word that training, of so many `rows`, never saw: that of a stray
        word which it saw once, and so never less than that of a stray level."""
        gap = math.log(self.rarest_usual)
        return math.log(rows + 1) + min(gap, NEVER_SEEN)


def nats_of_new_word(counts: Sequence[int], rows: int) -> float:
    """The cost, in nats, of a word that none of `rows` of training held, in a column whose levels
    came as often as `counts` says: the log of how rare new words are. As many records hold a new
    word as held one that came once (Good 1953, Biometrika 40:237), and one at least; 0 where that
    is more than one in 1,000."""
    once = max(sum(count == 1 for count in counts), 1)
    if once * RECORDS_OF_NEW_WORD > rows:
        return 0.0
    return math.log((rows + 1) / once)


def _is_like_any(word: str, others: Sequence[str]) -> bool:
    """Whether a word shares at least a part LEAST_ALIKE (0.6) of the letters with one of the
    others, in order and whatever their case: twice the letters that both have, divided by the
    letters of both together (difflib's ratio)."""
    matcher = difflib.SequenceMatcher(autojunk=False)
    # what is kept of the second word serves all comparisons
    matcher.set_seq2(word.casefold())
    for other in others:
        matcher.set_seq1(other.casefold())
        # the first is a bound of the second, and faster
        if matcher.quick_ratio() >= LEAST_ALIKE and matcher.ratio() >= LEAST_ALIKE:
            return True
    return False
