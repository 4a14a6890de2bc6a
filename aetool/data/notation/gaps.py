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
from aetool.model import Int

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
ASCII_BLANKS = b" \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f"
BLANKS = ASCII_BLANKS + b"\xc2\xe2"  # of those beyond ASCII, what they begin with
# Of the others, as that of Chinese and Japanese text, the first two bytes: with their first one
# alone every text in such a script begins.
RARE_BLANKS = (b"\xe1\x9a", b"\xe3\x80")


def is_gap(cells: Cells, words: Iterable[str] = (), country_codes: bool = False) -> Mask:
    """Tell which cells are gaps: (n,) bool, True where a cell is null, empty, blank, or a gap word
    (csv.cells.GAP_WORDS), in small or capital letters and with blanks around it.

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
    # only cells that begin as a gap word does are decoded, which are few in usual columns
    beginnings, longest = _beginnings(gap_words)
    rows = np.flatnonzero(~gap)
    starts = cells.start[rows]
    first_bytes = cells.buffer[starts]
    # a cell of one byte is looked at whatever follows it, which may be beyond the buffer
    has_second = length[rows] > 1
    second = np.where(has_second, starts + 1, 0)
    second_bytes = np.where(has_second, cells.buffer[second], BLANK)
    may_be_word = beginnings[first_bytes, second_bytes]
    # a longer cell can only be a gap with blanks around a word, or if it is all blanks
    is_short = length[rows] <= 2 * longest
    rows = rows[may_be_word & (is_short | _may_have_blanks_around(cells, rows))]
    if len(rows):
        texts, index = different_texts(cells, rows)
        gap[rows] = _among(texts, gap_words)[index]
    return gap


def _may_have_blanks_around(cells: Cells, rows: Int) -> Mask:
    """Tell which cells may have blanks around their text: (rows,) bool, True where a cell begins or
    ends with a blank of ASCII, or with any byte beyond ASCII, of which a blank may be. rows:
    positions in `cells`, of which none is empty."""
    blanks = np.zeros(256, dtype=np.bool_)
    blanks[list(ASCII_BLANKS)] = True
    blanks[128:] = True
    first_bytes = cells.buffer[cells.start[rows]]
    last_bytes = cells.buffer[cells.stop[rows] - 1]
    return np.asarray(blanks[first_bytes] | blanks[last_bytes])


def are_words(cells: Cells, words: Collection[str]) -> Mask:
    """Tell which cells, trimmed and in lower case, are one of these words, which are in lower case:
    (n,) bool; False for null cells."""
    every_row = np.arange(len(cells))
    texts, index = different_texts(cells, every_row)
    return _among(texts, words)[index] & ~cells.null


def _among(texts: Iterable[str], words: Collection[str]) -> Mask:
    """Tell which texts, trimmed and in lower case, are one of these words, which are in lower case:
    (texts,) bool."""
    flags = [text.strip().casefold() in words for text in texts]
    return np.array(flags, dtype=np.bool_)


@functools.cache
def _beginnings(words: frozenset[str]) -> tuple[Mask, int]:
    """Make a table by which cells that may be one of these words, in any case and with blanks
    around it, are found quickly: ((256, 256) bool, True for each pair of first bytes that such a
    cell may begin with, perhaps for more; bytes of the longest word). words: in lower case, at
    least one."""
    blanks = list(BLANKS)
    pairs = np.zeros((256, 256), dtype=np.bool_)
    for word in words:
        spellings = [spelling.encode() for spelling in (word, word.upper())]
        first_bytes = [spelling[0] for spelling in spellings if spelling]
        # Any first byte with any second one: Na and nA are found beside na and NA.
        second_bytes = [spelling[1] for spelling in spellings if len(spelling) > 1]
        for first in first_bytes:
            pairs[first, second_bytes] = True
            if not second_bytes:  # of one byte, and blanks behind it
                pairs[first, blanks] = True
    # a blank in front: what follows it is looked at later
    pairs[blanks] = True
    pairs[:, 128:] |= pairs.any(axis=1, keepdims=True)  # letters of other alphabets, in any case
    for first, second in RARE_BLANKS:
        pairs[first, second] = True
    longest = max(len(word.encode()) for word in words)
    return pairs, longest


@dataclass(frozen=True)
class GapEvidence:
    """Counts of the country codes in a column, which decide whether its cells NA mean Namibia or a
    gap. Counts of parts of a column are added by `+`, in any order.

    copies: for each country code in lower case how many cells hold it; NA counts as a gap. others:
    how many cells are neither country codes nor gaps.
    """

    copies: Mapping[str, int] = field(default_factory=dict)
    others: int = 0

    @classmethod
    def of(cls, cells: Cells) -> GapEvidence:
        """Count the country codes of two letters (COUNTRIES) among cells, in small or capital
        letters, each code by itself, and the other cells that are no gaps."""
        is_value = ~is_gap(cells)
        two_bytes = np.asarray(cells.stop - cells.start == 2)
        rows = np.flatnonzero(two_bytes & is_value)
        texts, index = different_texts(cells, rows)
        counts = np.bincount(index, minlength=len(texts)).tolist()
        copies: Counter[str] = Counter()
        for text, count in zip(texts, counts, strict=True):
            code = text.casefold()
            if code in COUNTRIES:
                copies[code] += count
        value_count = int(is_value.sum())
        return cls(copies, value_count - sum(copies.values()))

    def __add__(self, other: GapEvidence) -> GapEvidence:
        """The counts of both parts of a column together."""
        copies = added(self.copies, other.copies)
        return GapEvidence(copies, self.others + other.others)

    @property
    def country_codes(self) -> bool:
        """Whether at least 95 % of the cells that are no gaps are country codes, of at least
        LEAST_COUNTRIES (3) countries: then NA is one, too."""
        countries = sum(self.copies.values())
        enough = countries >= NEARLY_COUNTRIES * (countries + self.others)
        return len(self.copies) >= LEAST_COUNTRIES and enough
