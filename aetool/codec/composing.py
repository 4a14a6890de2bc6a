"""Finds columns whose cells are made of cells of other columns of the same row.

    id,year,label,code                     label    \\1 - \\2
    P17,2004,P17 - 2004,P17        =       code     \\1

What a label repeats of its row is said once: what is left of it has marks for cells of others, and
is a column like any other, here of one single text. A column that equals another in most rows is
such a one, too: a mark in most rows, and in the others its cells. A few rows tell which columns
stand in which, each by what its cells begin with, so that the search takes time in proportion to
the cells of these rows.

Nothing here is needed to decode: `composed` puts the cells together.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from aetool.codec import composed, spans, textual
from aetool.codec.columns import Coded
from aetool.codec.composed import FIRST_MARK
from aetool.codec.metas import (
    MOST_LENDERS,
    CellsMeta,
    Lender,
    LetterCase,
    LevelMeta,
    PatternMeta,
    TextMeta,
    gap_in,
)
from aetool.codec.spans import Spans, behind_another
from aetool.codec.text_cells import evenly_spread
from aetool.data.table import Mask
from aetool.model import Int

FEWEST = 24  # rows
LOOKED_AT = 64  # rows that tell what a column is made of
FIRST_LOOK = 16  # of these, after which most columns are known to be made of nothing
FEWEST_LEVELS = 8  # different cells of a column that is looked into
MOST_REPEATED = 64  # rows for each of these: of more the cells cost little as they are
LEAST_MATCHING = 0.3  # of the cells looked at must a lender stand in
FEWEST_DIFFERENT = 3  # cells of a lender that stand in others: of fewer little is said twice
LEAST_COVERED = 0.08  # of the bytes of the cells looked at must be those of others
MOST_ALIKE = 16  # cells of a row that begin alike, the first of which are looked for
MANY = 64  # columns, among more of which cells of a single byte are not looked for
LONGEST = 512  # bytes of a cell that is looked into
MOST_TEMPLATES = 4  # texts with marks that are tried on all rows at once
QUOTE = b'"'
MARK = re.compile(rb"[\1-\10]")
# a run of digits or of letters, all of other alphabets among them, or any other byte
TOKEN = re.compile(rb"[0-9]+|[A-Za-z\x80-\xff]+|.", re.DOTALL)
# between a digit and a digit, or a letter and a letter, no token ends
WITHIN = re.compile(rb"[0-9]{2}|[A-Za-z\x80-\xff]{2}")

ByToken = dict[bytes, list[tuple[bytes, Lender]]]


@dataclass(eq=False)
class Composition:
    """A column, `whole`, that others of its block stand in. lenders: these; rest: what is left of
    its cells, with marks for those of the lenders, stored in the first way that suits, with
    others."""

    whole: Coded
    lenders: tuple[Lender, ...]
    rest: Coded

    def offer(self) -> None:
        """Add to `others` of the column, in place, each way to store what is left of it. To be
        called once."""
        gap = gap_in(self.whole.meta)
        ways = [self.rest, *self.rest.others]
        self.rest.others = []
        for way in ways:
            assert isinstance(way.meta, CellsMeta)
            way.meta = dataclasses.replace(way.meta, gap=gap, lenders=self.lenders)
        self.whole.others += ways


@dataclass(eq=False)
class _Sample:
    """The cells of the rows that are looked at. cells: by the place of a column in the block; those
    of all columns that take part."""

    cells: dict[int, list[bytes]]

    def text(self, lender: Lender, row: int) -> bytes:
        """The cell of a lender in this one of the rows, as it may stand in others."""
        bare = self._bare(lender.place, row)
        if lender.case == LetterCase.LOWER:
            return bare.lower()
        if lender.case == LetterCase.UPPER:
            return bare.upper()
        return bare

    def _bare(self, place: int, row: int) -> bytes:
        """The cell of a column in one of the rows, without quotes around it."""
        cell = self.cells[place][row]
        # a single quote would else be taken for both
        if len(cell) > 1 and cell.startswith(QUOTE) and cell.endswith(QUOTE):
            return cell[1:-1]
        return cell

    def by_token(self, row: int, places: Sequence[int]) -> ByToken:
        """The cells of the columns at these places in one of the rows, as they may stand in others,
        by the token (a run of digits or letters, or another byte) that they begin with: at most
        MOST_ALIKE (16) for each."""
        shortest = 1 if len(places) <= MANY else 2
        by_token: ByToken = {}
        for place in places:
            bare = self._bare(place, row)
            if len(bare) < shortest:
                continue
            texts = {bare: LetterCase.AS_IT_IS}
            # cells without letters are as they are in each case
            texts.setdefault(bare.lower(), LetterCase.LOWER)
            texts.setdefault(bare.upper(), LetterCase.UPPER)
            for text, case in texts.items():
                token = TOKEN.match(text)
                assert token is not None
                alike = by_token.setdefault(token.group(), [])
                if len(alike) < MOST_ALIKE:
                    alike.append((text, Lender(place, case)))
        return by_token


@dataclass(eq=False)
class _Target:
    """A column that others may stand in. place: its own in the block; sample: the cells of the rows
    looked at. matches: for each lender the texts of it that stand in cells of the column, by
    row."""

    place: int
    column: Coded
    sample: _Sample
    matches: dict[Lender, dict[int, bytes]] = field(default_factory=dict)

    @property
    def cells(self) -> list[bytes]:
        """The column's cells in the rows that are looked at."""
        return self.sample.cells[self.place]

    def look(self, row: int, by_token: ByToken) -> None:
        """Note which cells of a row, by their first tokens, stand in the column's cell there."""
        cell = self.cells[row]
        if len(cell) > LONGEST:
            return
        for token in TOKEN.finditer(cell):
            begin = token.start()
            for text, lender in by_token.get(token.group(), ()):
                if lender.place == self.place or not cell.startswith(text, begin):
                    continue
                if not WITHIN.match(cell, begin + len(text) - 1):
                    matches = self.matches.setdefault(lender, {})
                    matches[row] = text

    def promising(self, rows: int, least: float) -> list[Lender]:
        """The lenders that stand in a part `least` or more of the first `rows` cells looked at that
        are not empty, those of most bytes first."""
        filled = sum(map(bool, self.cells[:rows]))
        sizes = []
        for lender, matches in self.matches.items():
            different = len(set(matches.values()))
            if different < FEWEST_DIFFERENT or len(matches) < least * filled:
                continue
            size = sum(map(len, matches.values()))
            sizes.append((-size, lender.place, lender.case, lender))
        sizes.sort()
        return [lender for *_, lender in sizes]

    def made_of(self, taken: Collection[int]) -> _Made:
        """What the cells looked at are made of, without columns at the places `taken`, and without
        lenders that say little that others do not say."""
        promising = self.promising(len(self.cells), LEAST_MATCHING)
        lenders = [lender for lender in promising if lender.place not in taken]
        lenders = lenders[:MOST_LENDERS]
        rests = self._rests(lenders)
        filled = sum(map(bool, self.cells))
        least = max(FEWEST_DIFFERENT, LEAST_MATCHING / 2 * filled)
        used = []
        for mark, lender in enumerate(lenders, FIRST_MARK):
            marked = sum(mark in rest for rest in rests)
            if marked >= least:
                used.append(lender)
        return _Made(self, used, self._rests(used))

    def _rests(self, lenders: Sequence[Lender]) -> list[bytes]:
        """What is left of the cells looked at, with marks for cells of the lenders."""
        rests = []
        for row, cell in enumerate(self.cells):
            texts = [self.sample.text(lender, row) for lender in lenders]
            rests.append(_marked(cell, texts))
        return rests


@dataclass(eq=False)
class _Made:
    """What a column is made of: its lenders, and what is left of the cells looked at, `rests`."""

    target: _Target
    lenders: list[Lender]
    rests: list[bytes]

    @property
    def size(self) -> int:
        """Bytes of the cells looked at."""
        return sum(map(len, self.target.cells))

    @property
    def covered(self) -> int:
        """How many of these are of other columns, marks counted as left."""
        return self.size - sum(map(len, self.rests))

    @property
    def order(self) -> tuple[int, int, int]:
        """The sort key: columns of which others say most, and leave least, come first; of two that
        are as good the later."""
        left = self.size - 2 * self.covered
        return left, len(set(self.rests)), -self.target.place

    def templates(self) -> list[bytes]:
        """What is left of two or more of the cells looked at, with a mark in it, the commonest
        first; at most MOST_TEMPLATES (4)."""
        counts = Counter(self.rests)
        common = counts.most_common(MOST_TEMPLATES)
        return [rest for rest, count in common if count > 1 and MARK.search(rest)]

    def composition(self, columns: Sequence[Coded]) -> Composition | None:
        """The composition of all rows of the column; None if a cell of it or of its lenders has a
        mark in it. columns: all of the block."""
        whole = self.target.column
        parts = []
        for lender in self.lenders:
            cells_of_lender = _cells_of(columns[lender.place])
            part = composed.inside(cells_of_lender, lender.case)
            parts.append(part)
        cells = composed.compact(_cells_of(whole))
        # what is a mark already could not be told from one
        if any(len(composed.marks_in(one)) for one in (cells, *parts)):
            return None
        rests = _rests_of_all(cells, parts, self.templates())
        pool, start, stop = behind_another(rests).places()
        rest = textual.encode(pool, start, stop)
        return Composition(whole, tuple(self.lenders), rest)


def _cells_of(column: Coded) -> Spans:
    """The cells of a column that takes part, which are there."""
    assert column.cells is not None
    return column.cells


def compositions(
    columns: Sequence[Coded],
    undecided: Sequence[Coded],
) -> list[Composition]:
    """Find those of the undecided columns that others of the block stand in. No column that is made
    of others is a lender itself. columns: all of the block, in order; those whose cells are not
    there (Coded.cells) take no part."""
    may_be_made = {id(column) for column in undecided if _may_be(column)}
    if not may_be_made:
        return []
    present = []
    for place, column in enumerate(columns):
        if column.cells is not None:
            present.append(place)
    rows = _rows_looked_at(columns[present[0]])
    sample = _Sample({})
    for place in present:
        cells = _cells_of(columns[place]).take(rows)
        sample.cells[place] = cells.bytes()
    targets = []
    for place in present:
        column = columns[place]
        if id(column) in may_be_made:
            targets.append(_Target(place, column, sample))
    made = [target.made_of(()) for target in _matched(targets, sample)]
    made.sort(key=lambda one: one.order)
    compositions = _chosen(made, columns)
    return list(compositions)


def _may_be(column: Coded) -> bool:
    """Whether it may pay to make a column's cells of others: it has FEWEST (24) rows or more, of
    texts, of levels (different texts) that do not come again too often, or of numbers or dates
    that most of its cells are none of."""
    if column.cells is None or len(column.cells) < FEWEST:
        return False
    meta = column.meta
    if isinstance(meta, LevelMeta):
        levels = column.streams[0].values
        different = int(levels.max()) + 1
        return different >= max(FEWEST_LEVELS, len(levels) / MOST_REPEATED)
    if isinstance(meta, PatternMeta):
        # what numbers are a coder tells by those of other columns
        return 2 * len(column.streams[-1].values) < len(column.cells)
    return isinstance(meta, TextMeta)


def _rows_looked_at(column: Coded) -> Int:
    """Rows from all over a column, in an order in which the first FIRST_LOOK (16) of them are from
    all over it, too."""
    rows = evenly_spread(len(_cells_of(column)), LOOKED_AT)
    step = LOOKED_AT // FIRST_LOOK
    parts = [rows[first::step] for first in range(step)]
    return np.concatenate(parts)


def _matched(targets: Sequence[_Target], sample: _Sample) -> list[_Target]:
    """Look in the cells of the targets for those of all columns, row by row; returns the targets
    that some column stands in often enough."""
    lenders = []
    for place, cells in sample.cells.items():
        if len(set(cells)) >= FEWEST_DIFFERENT:
            lenders.append(place)
    left = list(targets)
    count = len(targets[0].cells)
    least = LEAST_MATCHING / 2
    for row in range(count):
        if row == FIRST_LOOK:
            # most columns are made of nothing, which a few rows tell
            left = [target for target in left if target.promising(row, least)]
        if not left:
            return []
        by_token = sample.by_token(row, lenders)
        for target in left:
            target.look(row, by_token)
    return [target for target in left if target.promising(count, LEAST_MATCHING)]


def _chosen(
    made: Sequence[_Made],
    columns: Sequence[Coded],
) -> Iterator[Composition]:
    """Yield the compositions of the columns that are made of others, the first of them first, as
    long as no lender of one is made of others. columns: all of the block."""
    taken: set[int] = set()
    kept: set[int] = set()
    for one in made:
        if one.target.place in kept:
            continue
        # lenders that are made of others by now are none
        again = one.target.made_of(taken)
        if again.covered < LEAST_COVERED * again.size:
            continue
        composition = again.composition(columns)
        if composition is not None:
            taken.add(one.target.place)
            kept.update(lender.place for lender in again.lenders)
            yield composition


# ---- what is left


def _marked(cell: bytes, texts: Sequence[bytes]) -> bytes:
    """A cell with the first mark for the first of the texts, the second for the second and so on,
    each once at most, where they stand in it as whole tokens; the longest are looked for first, and
    texts that are empty never."""
    numbers = range(len(texts))
    in_order = sorted(numbers, key=lambda number: -len(texts[number]))
    for number in in_order:
        text = texts[number]
        begin = _place_of(text, cell) if text else -1
        if begin >= 0:
            end = begin + len(text)
            mark = bytes([FIRST_MARK + number])
            cell = cell[:begin] + mark + cell[end:]
    return cell


def _place_of(text: bytes, cell: bytes) -> int:
    """Where a text, not empty, first stands in a cell so that no token goes on at its begin or end;
    -1 if it does not."""
    begin = cell.find(text)
    while begin >= 0:
        last = begin + len(text) - 1
        # a token may begin where the cell does
        goes_on = begin > 0 and WITHIN.match(cell, begin - 1)
        if not goes_on and not WITHIN.match(cell, last):
            return begin
        begin = cell.find(text, begin + 1)
    return -1


def _rests_of_all(
    cells: Spans,
    parts: Sequence[Spans],
    templates: Sequence[bytes],
) -> list[bytes]:
    """What is left of each cell: the first of the templates that restores it, else the cell with a
    mark for each part that stands in it. parts: of each lender its cells, as they stand in
    others."""
    rests = [b""] * len(cells)
    left = np.arange(len(cells))
    for template in templates:
        # only cells as long as what the template restores can be equal to it, so that never more
        # text is made than there is
        length = _restored_lengths(template, parts)
        fits = length[left] == cells.length[left]
        fitting = left[fits]
        once = behind_another([template])
        first_of_all = np.zeros(len(fitting), np.int64)
        in_each_row = once.take(first_of_all)
        part = _taken(parts, fitting)
        restored = composed.woven(in_each_row, part, len(parts))
        fits = _equal(cells.take(fitting), restored)
        is_equal = np.isin(left, fitting[fits])
        for row in left[is_equal].tolist():
            rests[row] = template
        left = left[~is_equal]
    # the others one by one
    own_cells = cells.take(left).bytes()
    texts_of_parts = [part.take(left).bytes() for part in parts]
    texts_of_rows = zip(*texts_of_parts, strict=True)
    rows = left.tolist()
    for row, cell, texts in zip(rows, own_cells, texts_of_rows, strict=True):
        # long cells are not looked into, in which texts may begin at every byte
        rests[row] = cell
        if len(cell) <= LONGEST:
            rests[row] = _marked(cell, texts)
    return rests


def _restored_lengths(template: bytes, parts: Sequence[Spans]) -> Int:
    """(rows,): how many bytes a template, with a mark at least, restores in each row. parts: of
    each lender its cells, as they stand in others."""
    marks = MARK.findall(template)
    rows = len(parts[0])
    own_bytes = len(template) - len(marks)
    length = np.full(rows, own_bytes, np.int64)
    for mark in marks:
        number = mark[0] - FIRST_MARK
        length += parts[number].length
    return length


def _taken(parts: Sequence[Spans], chosen: Int) -> Callable[[int, Int], Spans]:
    """What `composed.woven` takes cells of lenders by, where its rows are these of the parts.
    chosen: (n,), rows; parts: of each lender its cells, as they stand in others."""

    def part(number: int, rows: Int) -> Spans:
        """The cells of a lender, by its number from 0, in rows, counted among those chosen."""
        rows_of_parts = chosen[rows]
        cells = parts[number].take(rows_of_parts)
        return composed.compact(cells)

    return part


def _equal(cells: Spans, others: Spans) -> Mask:
    """Which cells have the same bytes as the others in their places: (n,) bool."""
    is_equal: Mask = cells.length == others.length
    rows = np.flatnonzero(is_equal)
    length = cells.length[rows]
    own = spans.weave(cells.pool, cells.start[rows], length)
    other = spans.weave(others.pool, others.start[rows], length)
    # of all bytes before a place, how many differ
    differing = np.append(0, np.cumsum(own != other))
    begin = spans.begins(length)
    is_equal[rows] = differing[begin] == differing[begin + length]
    return is_equal
