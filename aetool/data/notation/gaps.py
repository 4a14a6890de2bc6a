"""Tells which cells of a column hold no value, by words (see `csv.cells`), and whether NA means
Namibia there."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from aetool.csv.cells import GAP_WORDS, folded
from aetool.data.notation.evidence import added, different_texts
from aetool.data.table import Cells, Mask

# Of these, words that are now and then a value among others: no basement, nothing to report.
DOUBTFUL = frozenset("none missing - -- . * ? _".split())
NAMIBIA = "na"
LEAST_COUNTRIES = 3  # different ones beside NA: am, pm are countries, too
NEARLY_COUNTRIES = 0.95  # of the cells that are no gaps
# ISO 3166-1 alpha-2, with EU, UK, EL and XK, which statistics write
COUNTRIES = frozenset(
    (
        "ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bl bm bn bo bq "
        "br bs bt bv bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm "
        "do dz ec ee eg eh el er es et eu fi fj fk fm fo fr ga gb gd ge gf gg gh gi gl gm gn gp gq "
        "gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki "
        "km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mf mg mh mk ml mm mn mo "
        "mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk "
        "pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sj sk sl sm sn so sr ss "
        "st sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk um us uy uz va vc "
        "ve vg vi vn vu wf ws xk ye yt za zm zw"
    ).split()
)
BLANK = ord(" ")
BLANKS = b" \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\xc2\xe2"  # of those beyond ASCII, what they begin with


def is_gap(cells: Cells, words: Iterable[str] = (), country_codes: bool = False) -> Mask:
    """(n,) bool: where a cell is null, empty, blank, or a gap word in small or capital letters.

    words: further gap words, as the user wrote them. country_codes: whether the column holds codes
    of countries, so that NA is Namibia (see GapEvidence).
    """
    length = cells.stop - cells.start
    gap = np.asarray(cells.null | (length == 0), dtype=np.bool_)
    if gap.all():
        return gap
    gap_words = GAP_WORDS | folded(words)
    if country_codes:
        gap_words -= {NAMIBIA}
    # what a gap word begins with is looked at first: few cells of usual columns are left
    beginnings, longest = _beginnings(gap_words)
    rows = np.flatnonzero(~gap & (length <= 2 * longest))
    first_bytes = cells.buffer[cells.start[rows]]
    # a cell of one byte is looked at whatever follows it
    second = np.where(length[rows] > 1, cells.start[rows] + 1, 0)
    second_bytes = np.where(length[rows] > 1, cells.buffer[second], BLANK)
    rows = rows[beginnings[first_bytes, second_bytes]]
    if len(rows):
        texts, index = different_texts(cells, rows)
        is_word = np.array([text.strip().casefold() in gap_words for text in texts], dtype=np.bool_)
        gap[rows] = is_word[index]
    return gap


def are_words(cells: Cells, words: Collection[str]) -> Mask:
    """(n,) bool: where a cell, trimmed and in lower case, is one of these words."""
    texts, index = different_texts(cells, np.arange(len(cells)))
    are_gaps = np.array([text.strip().casefold() in words for text in texts], dtype=np.bool_)
    return are_gaps[index] & ~cells.null


@functools.cache
def _beginnings(words: frozenset[str]) -> tuple[Mask, int]:
    """The pairs of first bytes by which cells that may be one of these words are found quickly:
    ((256, 256) bool, True where a cell may begin with this byte and that; bytes of the longest
    word)."""
    pairs = np.zeros((256, 256), dtype=np.bool_)
    for word in words:
        first_bytes = [spelling.encode()[0] for spelling in (word, word.upper()) if spelling]
        rest = [spelling.encode()[1:2] for spelling in (word, word.upper())]
        for first in first_bytes:
            for second in rest:
                pairs[first, list(second)] = True
            if not any(rest):  # of one byte, and blanks behind it
                pairs[first, list(BLANKS)] = True
    pairs[list(BLANKS)] = True
    pairs[:, 128:] |= pairs.any(axis=1, keepdims=True)  # letters of other alphabets, in any case
    return pairs, max(len(word.encode()) for word in words)


@dataclass(frozen=True)
class GapEvidence:
    """Counts of the country codes in a column, which decide whether its cells NA mean Namibia or a
    gap. Counts of parts of a column are added by `+`, in any order.

    copies: for each country code in lower case how many cells hold it; NA is not counted. others:
    how many cells are neither country codes nor gaps.
    """

    copies: Mapping[str, int] = field(default_factory=dict)
    others: int = 0

    @classmethod
    def of(cls, cells: Cells) -> GapEvidence:
        """Count the country codes among cells, each code by itself, and the other cells that are no
        gaps."""
        gap = is_gap(cells)
        short = np.asarray(cells.stop - cells.start == 2)
        texts, index = different_texts(cells, np.flatnonzero(short & ~gap))
        copies: Counter[str] = Counter()
        counts = np.bincount(index, minlength=len(texts)).tolist()
        for text, count in zip(texts, counts, strict=True):
            if text.casefold() in COUNTRIES:
                copies[text.casefold()] += count
        return cls(copies, int((~gap).sum()) - sum(copies.values()))

    def __add__(self, other: GapEvidence) -> GapEvidence:
        return GapEvidence(added(self.copies, other.copies), self.others + other.others)

    @property
    def country_codes(self) -> bool:
        """Whether nearly all cells that are no gaps are country codes, of at least LEAST_COUNTRIES
        countries: then NA is one, too."""
        countries = sum(self.copies.values())
        enough = countries >= NEARLY_COUNTRIES * (countries + self.others)
        return len(self.copies) >= LEAST_COUNTRIES and enough
