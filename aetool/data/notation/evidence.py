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
    """Add two counts: for each key of either how often it occurs in both together."""
    together = Counter(one)
    together.update(other)
    return dict(together)


@dataclass(frozen=True)
class OddCells:
    """The cells of a column that are neither of the kind asked for, numbers or dates, nor gaps;
    those of parts of a column are added by `+`.

    total: how many. copies: by text how often it is there; of more than ODD_KEPT (1,024) texts only
    those whose hashes are the smallest, which are the same in whatever order parts are added: a
    text that is among the smallest of the whole is so in each part, and its count is complete.
    """

    total: int = 0
    copies: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, copies: Mapping[str, int]) -> OddCells:
        """Make OddCells from counts. copies: for each odd text how often it is there; texts that
        begin with the same LONGEST_KEPT (100) characters are counted as one, cut to these."""
        shortened: Counter[str] = Counter()
        for text, count in copies.items():
            shortened[text[:LONGEST_KEPT]] += count
        return cls(sum(copies.values()), _of_smallest_hashes(shortened))

    def __add__(self, other: OddCells) -> OddCells:
        """The odd cells of both parts together."""
        copies = added(self.copies, other.copies)
        return OddCells(self.total + other.total, _of_smallest_hashes(copies))

    def without(self, words: Collection[str]) -> OddCells:
        """The odd cells whose text, trimmed and in lower case, is none of these words, which are in
        lower case; a text that is not in `copies` stays counted in `total`, whatever it is."""
        remaining: dict[str, int] = {}
        removed = 0
        for text, count in self.copies.items():
            word = text.strip().casefold()
            if word in words:
                removed += count
            else:
                remaining[text] = count
        return OddCells(self.total - removed, remaining)

    @property
    def most_often(self) -> int:
        """How often the commonest odd text in `copies` is there; 0 if there is none."""
        return max(self.copies.values(), default=0)


def _of_smallest_hashes(copies: Mapping[str, int]) -> dict[str, int]:
    """At most ODD_KEPT (1,024) of the texts with their counts, those of the smallest `_hash`,
    sorted by text."""
    chosen = list(copies)
    if len(chosen) > ODD_KEPT:
        chosen.sort(key=_hash)
        chosen = chosen[:ODD_KEPT]
    chosen.sort()
    return {text: copies[text] for text in chosen}


def _hash(text: str) -> bytes:
    """8 bytes by which texts are ordered: the same in every process, which Python's hash is not."""
    # Texts from Python may hold half a pair of surrogates, which UTF-8 proper has no bytes for.
    raw = text.encode(errors="surrogatepass")
    return hashlib.blake2b(raw, digest_size=8).digest()


def nearly_all(fitting: int, odd: OddCells, few_values: bool, others: int = 0) -> bool:
    """Decide whether a column is of a kind, numbers or dates, from counts of its cells without
    gaps.

    fitting: how many cells are of the kind. few_values: whether they have at most FEW_VALUES (32)
    different values. others: how many odd cells are not among `odd`, all different. It is, if
    `fitting` is not 0 and one of these holds:
    - at most MOST_ODD (10 %) of the cells are odd;
    - a single cell is, of LEAST_CELLS (5) or more;
    - the odd cells are at most MOST_WORDS (3) different words, `others` being 0, however often they
      come, beside many different values in at least as many cells: they are marks (`T` for a trace
      of rain).

    It is not, where values are few and an odd word comes often (3 times, and in 2 % of the cells):
    that is one level among levels.
    """
    if not fitting:
        return False
    odd_count = odd.total + others
    total = fitting + odd_count
    # first the case against it: an odd word is one more level of a column of few values
    often = max(LEAST_OFTEN, OFTEN * total)
    if few_values and odd.most_often >= often:
        return False
    if odd_count <= MOST_ODD * total:
        return True
    if odd_count == 1 and total >= LEAST_CELLS:
        return True
    if few_values or odd_count > fitting:
        return False
    return not others and len(odd.copies) <= MOST_WORDS


def different_texts(cells: Cells, rows: Int) -> tuple[list[str], Int]:
    """Find the different texts of these rows: (a list of them, in order of appearance; (rows,)
    int64, for each row the place of its text in that list, from 0). rows: positions in `cells`; a
    null cell has the text "".

    Bytes that are not UTF-8 become U+FFFD; cells of different bytes may have equal texts then.
    """
    chosen = cells.take(rows)
    raw = chosen.buffer.tobytes()
    # The two lists get no names of their own: their memory is free before the texts are decoded.
    spans = zip(chosen.start.tolist(), chosen.stop.tolist(), strict=True)
    # A dictionary keeps the order in which its keys came: a text's number is its place there.
    numbers: dict[bytes, int] = {}
    # One expression a cell, for speed: it looks the text up, and numbers it if it is new.
    index = [numbers.setdefault(raw[start:stop], len(numbers)) for start, stop in spans]
    texts = [text.decode(errors="replace") for text in numbers]
    return texts, np.array(index, dtype=np.int64)
