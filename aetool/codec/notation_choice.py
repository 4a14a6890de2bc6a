"""How the numbers of a column are written, as a sample of its cells tells.

Nothing here is needed to decode: a notation that does not suit costs bytes alone, since the cells
that it would not write again just as they stand are kept as their text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from aetool.codec.metas import LONGEST_GROUP_MARK, Notation
from aetool.codec.text_cells import Affixes, texts_of_affixes

LONGEST_AROUND = 16  # bytes before or behind numbers
LONGEST_NUMBER = 64  # bytes of a cell that is looked at
POINT, COMMA = b".", b","
QUOTE = b'"'
# blanks of UTF-8 and of latin-1, apostrophes and what programs write between thousands
MARK = rb"(?:\xc2\xa0|\xe2\x80[\x87\x89\x99\xaf]|[.,'` _\xa0])"
CORE = re.compile(rb"(?:[.,])?[0-9]+(?:" + MARK + rb"[0-9]+)*")
EXPONENT = re.compile(rb"[eE][+-]?[0-9]+")
RUNS = re.compile(rb"([0-9]+)")
# hyphens and minuses, and what stands in front of a number that is between parentheses
SIGNS = (b"-", b"\xe2\x88\x92", b"(")
SIGNS_BEHIND = (b"-", b"\xe2\x88\x92", b")")
LONGEST_BARE = 4  # digits of a number without groups where longer ones have some
WESTERN, INDIAN = 3, 2  # digits of a group
Key = TypeVar("Key")


@dataclass(frozen=True)
class Manner:
    """How the number of one cell is written. around: the text before and behind it. runs: its
    digits, as they stand between marks; marks: those between them. is_quoted: it is between
    quotes; blanks: how many stand in front; size: bytes of the cell. lacks_zero: it begins with
    the decimal mark, which is the first of the marks then, and its first run is b""."""

    around: Affixes
    runs: tuple[bytes, ...]
    marks: tuple[bytes, ...]
    is_quoted: bool
    blanks: int
    size: int

    @classmethod
    def of(cls, cell: bytes) -> Manner | None:
        """The manner of a cell; None if it has no digits, or also such as are no part of its
        number, or more than LONGEST_NUMBER (64) bytes, or more than LONGEST_AROUND (16) before or
        behind the number. Blanks in front and quotes around all of it are no part of `around`; an
        exponent belongs to the number, but to neither runs nor marks."""
        # a text, of which no part is looked at
        if len(cell) > LONGEST_NUMBER:
            return None
        inner = cell.lstrip(b" ")
        blanks = len(cell) - len(inner)
        is_quoted = len(inner) > 1 and inner.startswith(QUOTE) and inner.endswith(QUOTE)
        if is_quoted:
            inner = inner[1:-1]
        match = CORE.search(inner)
        if match is None:
            return None
        exponent = EXPONENT.match(inner, match.end())
        end = exponent.end() if exponent else match.end()
        before, behind = inner[: match.start()], inner[end:]
        # digits of a date, of a range or of a name
        if RUNS.search(behind) or max(len(before), len(behind)) > LONGEST_AROUND:
            return None
        pieces = RUNS.split(match[0])
        # what stands behind the last run is nothing, and before the first a decimal mark at most
        marks = tuple(pieces[2:-1:2])
        runs = tuple(pieces[1::2])
        if pieces[0]:
            marks = (pieces[0], *marks)
            runs = (b"", *runs)
        return cls((before, behind), runs, marks, is_quoted, blanks, len(cell))

    @property
    def is_negative(self) -> bool:
        """Whether the cell's number is marked as below 0: a hyphen or minus is the first or last
        character of the text before or behind it. If the text before has a "(", only a ")" behind
        it counts."""
        before, behind = self.around
        # ($12), $(12) and (12) EUR
        if b"(" in before:
            return b")" in behind
        if any(before.startswith(sign) or before.endswith(sign) for sign in SIGNS):
            return True
        return any(behind.startswith(sign) or behind.endswith(sign) for sign in SIGNS_BEHIND)

    @property
    def sure_decimal(self) -> bytes | None:
        """The mark, a point or comma, that can only be a decimal one: the last, if it comes once,
        and others come before it or the digits around it are no groups; None if there is none."""
        if not self.marks:
            return None
        last = self.marks[-1]
        # a mark that comes again stands between groups
        if last not in (POINT, COMMA) or last in self.marks[:-1]:
            return None
        if len(self.marks) > 1 or not self.is_grouped(self.runs):
            return last
        return None

    @property
    def sure_group(self) -> bytes | None:
        """The mark that can only stand between groups of digits: the first of several, or a single
        one that is neither point nor comma; None if there is none."""
        if not self.marks:
            return None
        first = self.marks[0]
        if len(self.marks) > 1 or first not in (POINT, COMMA):
            return first
        return None

    @property
    def either(self) -> bytes | None:
        """The mark, a point or comma, of a number such as 1,234, where it may be a decimal mark or
        one between groups; None if there is none, or it can only be one of both."""
        if self.marks and self.sure_decimal is None and self.sure_group is None:
            return self.marks[0]
        return None

    @staticmethod
    def is_grouped(runs: Sequence[bytes]) -> bool:
        """Whether runs of digits, at least one, may be groups: a single run; else a first one of
        any length that does not begin with 0, and behind it three digits each, or two each but for
        the last, which has three."""
        first, *others = runs
        if not others:
            return True
        if not first or first.startswith(b"0") or len(others[-1]) != WESTERN:
            return False
        sizes = {len(run) for run in others[:-1]}
        return sizes <= {WESTERN} or sizes <= {INDIAN}

    def whole_runs(self, decimal: bytes) -> tuple[bytes, ...]:
        """The runs of digits before this decimal mark, all but the last run; all runs if it is not
        the last mark."""
        if self.marks and self.marks[-1] == decimal:
            return self.runs[:-1]
        return self.runs

    def is_long(self, decimal: bytes) -> bool:
        """Whether the digits before this decimal mark are one run of more than LONGEST_BARE (4),
        as none is in a notation that has groups."""
        first, *others = self.whole_runs(decimal)
        return not others and len(first) > LONGEST_BARE


@dataclass(frozen=True)
class Writing:
    """How a column writes its numbers: what stands around those not below 0, and the notation."""

    affixes: Affixes
    notation: Notation


def writings(sample: Iterable[bytes], decimal_mark: str | None = None) -> list[Writing]:
    """The ways in which a column, of which these are some cells, may write its numbers, the
    likeliest first, two at most; [] if it does so in no way but as 1234.5, between affixes, or no
    cell has a number. decimal_mark: the decimal mark, "." or ",", whatever the cells say; None: by
    the cells."""
    manners = []
    for cell in sample:
        manner = Manner.of(cell)
        if manner is not None:
            manners.append(manner)
    if not manners:
        return []
    likely = []
    pairs = _pairs_of_marks(manners)
    if decimal_mark is not None:
        pairs = _pairs_with(decimal_mark.encode(), manners)
    for decimal, group in pairs:
        # both readings of 1,234 may come to the same, or to nothing
        writing = _writing(manners, decimal, group)
        if writing is not None and writing not in likely:
            likely.append(writing)
    return likely


def _pairs_of_marks(manners: Sequence[Manner]) -> list[tuple[bytes, bytes]]:
    """The (decimal mark, mark between groups, b"" for none) that cells may have, one pair or two,
    the likeliest first. The commonest mark that can only be a decimal one is the decimal mark, and
    the commonest that can only stand between groups stands there.

    Where no cell shows a decimal mark, it is a comma beside groups parted by points, else a point:
    (b".", b"") where no cell has a mark. Two pairs: where a number is as long as none with groups
    is, the second without groups; where all marks are as in 1,234, the comma between groups first,
    and then as the decimal mark.
    """
    decimal = _commonest(manners, lambda manner: manner.sure_decimal)
    group = _commonest(manners, lambda manner: manner.sure_group)
    either = _commonest(manners, lambda manner: manner.either)
    if decimal is not None:
        if group == decimal:
            group = None
        # 1.234 among decimal commas is a thousand and more
        if group is None and either not in (None, decimal):
            group = either
        if group is None:
            return [(decimal, b"")]
        pairs = [(decimal, group)]
        # what looks like groups in a few cells may be none
        if any(manner.is_long(decimal) for manner in manners):
            pairs.append((decimal, b""))
        return pairs
    if group is not None:
        return [(_decimal_beside(group), group)]
    if either is None:
        return [(POINT, b"")]
    # 1,234 in all cells, and nothing that tells of which kind the mark is
    return [(_decimal_beside(either), either), (either, b"")]


def _pairs_with(decimal: bytes, manners: Sequence[Manner]) -> list[tuple[bytes, bytes]]:
    """The (decimal mark, mark between groups) that cells with this decimal mark may have: with the
    commonest other mark between groups, if there is one, and then without, (decimal, b"")."""
    group = _commonest(manners, lambda manner: _unless_decimal(decimal, manner.sure_group))
    # 1.234 among decimal commas is a thousand and more
    if group is None:
        group = _commonest(manners, lambda manner: _unless_decimal(decimal, manner.either))
    if group is None:
        return [(decimal, b"")]
    return [(decimal, group), (decimal, b"")]


def _unless_decimal(decimal: bytes, mark: bytes | None) -> bytes | None:
    """The mark, if there is one and it is not the decimal mark; else None."""
    return None if mark == decimal else mark


def _decimal_beside(group: bytes) -> bytes:
    """The decimal mark to be expected where numbers have this mark between groups, and none shows
    its decimal mark: a comma if groups are parted by points, else a point."""
    return COMMA if group == POINT else POINT


def _commonest(
    manners: Iterable[Manner],
    key_of: Callable[[Manner], Key | None],
) -> Key | None:
    """The key that most manners have, of several as common the first; None if none has one. key_of:
    the key of a manner, None for one that has none, which is not counted."""
    counts: Counter[Key] = Counter()
    for manner in manners:
        key = key_of(manner)
        if key is not None:
            counts[key] += 1
    if not counts:
        return None
    return max(counts, key=counts.__getitem__)


def _writing(manners: Sequence[Manner], decimal: bytes, group: bytes) -> Writing | None:
    """How a column writes its numbers, if these are the decimal mark and the mark between groups,
    b"" for none: the commonest texts around them, quotes, width and groups are told by the cells'
    manners. None if that is as 1234.5 between affixes, no number shows what stands around it, or
    the mark between groups has more than LONGEST_GROUP_MARK (4) bytes."""
    usual = _commonest(manners, lambda manner: None if manner.is_negative else manner.around)
    negative = _commonest(manners, lambda manner: manner.around if manner.is_negative else None)
    is_quoted, quotes = _which_are_quoted(manners)
    if usual is None and negative is not None:
        usual = _without_signs(negative)
    if usual is None or len(group) > LONGEST_GROUP_MARK:
        return None
    before, behind = usual
    if negative is None:
        negative = (before + b"-", behind)
    is_usual = negative == (before + b"-", behind)
    width = _width_of_cells(manners)
    # what stands around all cells stands around the numbers
    outside = b"" if width else b" " * (_commonest(manners, lambda manner: manner.blanks) or 0)
    inside = QUOTE if is_quoted and not quotes else b""
    usual = (outside + inside + before, behind + inside)
    first, last = negative
    around_negative = texts_of_affixes((outside + inside + first, last + inside))
    notation = Notation(
        decimal=decimal.decode("latin-1"),
        group=group.decode("latin-1"),
        later=_digits_of_groups(manners, decimal) if group else WESTERN,
        least=_least_digits_with_groups(manners, decimal) if group else LONGEST_BARE,
        negative=None if is_usual else around_negative,
        is_bare=_lacks_zero_before_mark(manners),
        quoted=quotes,
        width=width,
    )
    if notation == Notation():
        return None
    return Writing(usual, notation)


def _without_signs(around: Affixes) -> Affixes:
    """What stands around numbers below 0, without what says that they are: of each of the SIGNS
    (hyphen, minus, parenthesis) one at either end of the text before, and of those behind
    likewise."""
    before, behind = around
    for sign in SIGNS:
        before = before.removeprefix(sign).removesuffix(sign)
    for sign in SIGNS_BEHIND:
        behind = behind.removeprefix(sign).removesuffix(sign)
    return before, behind


def _which_are_quoted(manners: Sequence[Manner]) -> tuple[bool, str]:
    """Tell which cells are between quotes: (whether any is; "," if at least as many cells as are
    quoted have either both a comma and quotes or neither, so that a comma calls for quotes; else
    ""). (False, "") if none is quoted."""
    quoted = [manner for manner in manners if manner.is_quoted]
    if not quoted:
        return False, ""
    # a file separated by commas has quotes just there
    quoted_just_for_comma = sum((COMMA in manner.marks) == manner.is_quoted for manner in manners)
    if quoted_just_for_comma >= len(quoted):
        return True, ","
    return True, ""


def _digits_of_groups(manners: Iterable[Manner], decimal: bytes) -> int:
    """How many digits the groups before this decimal mark have, but for the first and the last one:
    2 if more of them have two digits than three, else 3."""
    counts: Counter[int] = Counter({WESTERN: 0})
    for manner in manners:
        for run in manner.whole_runs(decimal)[1:-1]:
            counts[len(run)] += 1
    return INDIAN if counts[INDIAN] > counts[WESTERN] else WESTERN


def _least_digits_with_groups(manners: Iterable[Manner], decimal: bytes) -> int:
    """From how many digits on numbers have groups: 5 if of the numbers with four digits before the
    decimal mark more have no groups than have some, else 4."""
    bare = grouped = 0
    for manner in manners:
        runs = manner.whole_runs(decimal)
        digits = sum(map(len, runs))
        if digits == LONGEST_BARE:
            bare += len(runs) == 1
            grouped += len(runs) > 1
    return LONGEST_BARE + (bare > grouped)


def _lacks_zero_before_mark(manners: Iterable[Manner]) -> bool:
    """Whether, of the numbers with just one mark, more begin with it, as .5 does, than have nothing
    but a 0 before it."""
    bare = full = 0
    for manner in manners:
        if len(manner.marks) == 1:
            bare += manner.runs[0] == b""
            full += manner.runs[0] == b"0"
    return bare > full


def _width_of_cells(manners: Sequence[Manner]) -> int:
    """The bytes of each cell, if all have as many, and not all as many blanks in front: they are
    filled up to that width. Else 0. manners: how each cell is written, at least one."""
    sizes = {manner.size for manner in manners}
    blanks = {manner.blanks for manner in manners}
    if len(sizes) > 1 or len(blanks) < 2:
        return 0
    return sizes.pop()
