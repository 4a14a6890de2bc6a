"""What evidence of numbers and evidence of dates share: odd cells, the decision, and the different
texts of cells."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from aetool.data.table import Cells
from aetool.model import Int

Counted = TypeVar("Counted", bound=Hashable)

VALUE, GAP, ODD = 0, 1, 2  # the states of a cell: read; nothing is there; something else is there

MOST_ODD = 0.1  # of the cells that are no gaps may be odd in any column
LEAST_CELLS = 5  # of a column in which one odd cell is more than that, and still but one
FEW_VALUES = 32  # different values; with no more, a word that comes often is one more level
OFTEN = 0.02  # of the cells, and LEAST_OFTEN times: a word comes often
LEAST_OFTEN = 3
MOST_WORDS = 3  # odd words that may come as often as they like beside many different values
ODD_KEPT = 1024  # different odd cells whose copies are counted
LONGEST_KEPT = 100  # characters of an odd cell by which it is told from others


def added(one: Mapping[Counted, int], other: Mapping[Counted, int]) -> dict[Counted, int]:
    """Add two counts: for each key how often it occurs in both together."""
    together = Counter(one)
    together.update(other)
    return dict(together)


@dataclass(frozen=True)
class OddCells:
    """The cells that are neither of the kind asked for nor gaps.

    total: how many. copies: by text how often it is there; of more than ODD_KEPT texts only those
    whose hashes are the smallest, which are the same in whatever order parts are added: a text that
    is among the smallest of the whole is so in each part, and its count is complete.
    """

    total: int = 0
    copies: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, copies: Mapping[str, int]) -> OddCells:
        """Make OddCells from counts. copies: for each odd text how often it is there."""
        shortened: Counter[str] = Counter()
        for text, count in copies.items():
            shortened[text[:LONGEST_KEPT]] += count
        return cls(sum(copies.values()), _smallest(shortened))

    def __add__(self, other: OddCells) -> OddCells:
        return OddCells(self.total + other.total, _smallest(added(self.copies, other.copies)))

    def without(self, words: Collection[str]) -> OddCells:
        """The odd cells whose text, trimmed and in lower case, is none of these words."""
        remaining = {
            text: n for text, n in self.copies.items() if text.strip().casefold() not in words
        }
        removed = sum(self.copies.values()) - sum(remaining.values())
        return OddCells(self.total - removed, remaining)

    @property
    def most_often(self) -> int:
        """How often the commonest odd text is there; 0 if there is none."""
        return max(self.copies.values(), default=0)


def _smallest(copies: Mapping[str, int]) -> dict[str, int]:
    """At most ODD_KEPT of the texts with their counts, those of the smallest hashes, sorted by
    text."""
    chosen = sorted(copies, key=_hash)[:ODD_KEPT] if len(copies) > ODD_KEPT else list(copies)
    return {text: copies[text] for text in sorted(chosen)}


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest()


def nearly_all(fitting: int, odd: OddCells, few_values: bool, others: int = 0) -> bool:
    """Decide whether a column is of a kind, numbers or dates, from counts of its cells without
    gaps.

    fitting: cells of the kind. few_values: they have at most FEW_VALUES different values. others:
    odd cells that are not among `odd`, all different. It is, if one of these holds:
      - at most MOST_ODD of the cells are odd;
      - a single cell is, of LEAST_CELLS or more;
      - the odd cells are at most MOST_WORDS different words, however often they come, beside many
        different values in at least as many cells: they are marks (`T` for a trace of rain).
    It is not, where values are few and an odd word comes often: that is one level among levels.
    """
    amount = odd.total + others
    total = fitting + amount
    if not fitting:
        return False
    if few_values and odd.most_often >= max(LEAST_OFTEN, OFTEN * total):
        return False
    if amount <= MOST_ODD * total:
        return True
    if amount == 1 and total >= LEAST_CELLS:
        return True
    marks_alone = not others and len(odd.copies) <= MOST_WORDS
    return marks_alone and not few_values and amount <= fitting


def different_texts(cells: Cells, rows: Int) -> tuple[list[str], Int]:
    """([the different texts of these rows, in order of appearance], (rows,) which of them each row
    has).

    Bytes that are not UTF-8 become U+FFFD.
    """
    chosen = cells.take(rows)
    raw = chosen.buffer.tobytes()
    numbers: dict[bytes, int] = {}
    spans = zip(chosen.start.tolist(), chosen.stop.tolist(), strict=True)
    index = [numbers.setdefault(raw[a:b], len(numbers)) for a, b in spans]
    texts = [text.decode(errors="replace") for text in numbers]
    return texts, np.array(index, dtype=np.int64)
