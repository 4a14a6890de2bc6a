"""Finds columns whose cells are made of cells of other columns of the same row.

    id,year,label,code                     label    \\1 - \\2
    P17,2004,P17 - 2004,P17        =       code     \\1

A column whose cells stand in those of another is a lender; the other is composed. What a composed
column repeats of its row is stored once: what is left of it, its rest, has marks in place of the
lenders' cells, and is a column like any other, here of one single text. A column that equals
another in most rows is composed, too: a mark in most rows, and in the others its cells. Lenders are
found in a few rows, by the first token of their cells, so that the search takes time in proportion
to the cells of these rows.

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
LOOKED_AT = 64  # rows, by which is found what a column is composed of
FIRST_LOOK = 16  # of these, after which most columns are known to be composed of nothing
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
    """A column, `whole`, in whose cells those of other columns of its block stand. lenders: these
    columns; rest: what is left of its cells, with marks in place of those of the lenders, encoded
    as a column, with other ways to encode it in `others`."""

    whole: Coded
    lenders: tuple[Lender, ...]
    rest: Coded

    def offer(self) -> None:
        """Add each way to store the column as lenders and a rest to `whole.others`, the ways among
        which the encoder chooses. Changes both columns in place; to be called once."""
        gap = gap_in(self.whole.meta)
        ways = [self.rest, *self.rest.others]
        self.rest.others = []
        for way in ways:
            assert isinstance(way.meta, CellsMeta)
            way.meta = dataclasses.replace(way.meta, gap=gap, lenders=self.lenders)
        self.whole.others += ways


@dataclass(eq=False)
class _Sample:
    """The cells of a sample of rows. cells: by the place of a column in the block its cells in
    these rows, of all columns that take part in the search."""

    cells: dict[int, list[bytes]]

    def text(self, lender: Lender, row: int) -> bytes:
        """The cell of a lender in a row of the sample, as it may stand in cells of other columns:
        without quotes around it, its letters in the lender's case."""
        bare = self._bare(lender.place, row)
        if lender.case == LetterCase.LOWER:
            return bare.lower()
        if lender.case == LetterCase.UPPER:
            return bare.upper()
        return bare

    def _bare(self, place: int, row: int) -> bytes:
        """The cell of a column, by its place in the block, in a row of the sample, without quotes
        around it."""
        cell = self.cells[place][row]
        # a single quote would else be taken for both
        if len(cell) > 1 and cell.startswith(QUOTE) and cell.endswith(QUOTE):
            return cell[1:-1]
        return cell

    def by_token(self, row: int, places: Sequence[int]) -> ByToken:
        """The cells of the columns at these places in a row of the sample, as they may stand in
        cells of other columns, by the token (a run of digits or letters, or another byte) that they
        begin with: at most MOST_ALIKE (16) for each, each with its column and letter case."""
        # where there are many columns, a single byte stands in too many cells by chance
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
                texts_of_token = by_token.setdefault(token.group(), [])
                if len(texts_of_token) < MOST_ALIKE:
                    texts_of_token.append((text, Lender(place, case)))
        return by_token


@dataclass(eq=False)
class _Target:
    """A column that may be composed. place: its own in the block; sample: the cells of the rows
    looked at. matches: for each lender the cells of it that stand in cells of the column, by
    row."""

    place: int
    column: Coded
    sample: _Sample
    matches: dict[Lender, dict[int, bytes]] = field(default_factory=dict)

    @property
    def cells(self) -> list[bytes]:
        """The column's cells in the rows that are looked at."""
        return self.sample.cells[self.place]

    def note_matches(self, row: int, by_token: ByToken) -> None:
        """Note in `matches` which cells of a row stand in the column's own cell there, as whole
        tokens. by_token: the row's cells, as `_Sample.by_token` returns them. A cell of more than
        LONGEST (512) bytes is passed over."""
        cell = self.cells[row]
        if len(cell) > LONGEST:
            return
        for token in TOKEN.finditer(cell):
            begin = token.start()
            for text, lender in by_token.get(token.group(), ()):
                if lender.place == self.place or not cell.startswith(text, begin):
                    continue
                last = begin + len(text) - 1
                # the token that ends the text must not go on behind it
                if not WITHIN.match(cell, last):
                    matches = self.matches.setdefault(lender, {})
                    matches[row] = text

    def likely_lenders(self, rows: int, least: float) -> list[Lender]:
        """The lenders that stand in enough of the column's cells, those that save most bytes first:
        in at least the share `least` (0 to 1) of those of the first `rows` sampled cells that are
        not empty, with at least FEWEST_DIFFERENT (3) different cells."""
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

    def composed_without(self, excluded: Collection[int]) -> _Composed:
        """Compose the column's sampled cells of the likely lenders, the best MOST_LENDERS (8) at
        most: returns those that are of use, and the rests. Columns at the places `excluded` are no
        lenders, and neither are those whose cells are marked in few rows (fewer than 3, or than 15
        % of the filled cells), as other lenders have taken their place."""
        likely = self.likely_lenders(len(self.cells), LEAST_MATCHING)
        lenders = [lender for lender in likely if lender.place not in excluded]
        lenders = lenders[:MOST_LENDERS]
        rests = self._rests(lenders)
        filled = sum(map(bool, self.cells))
        least = max(FEWEST_DIFFERENT, LEAST_MATCHING / 2 * filled)
        used = []
        for mark, lender in enumerate(lenders, FIRST_MARK):
            marked_rows = sum(mark in rest for rest in rests)
            if marked_rows >= least:
                used.append(lender)
        return _Composed(self, used, self._rests(used))

    def _rests(self, lenders: Sequence[Lender]) -> list[bytes]:
        """What is left of each of the column's sampled cells, in order, with a mark in place of the
        cell of each of the lenders that stands in it: the byte 1 for the first of them, 2 for the
        second and so on."""
        rests = []
        for row, cell in enumerate(self.cells):
            texts = [self.sample.text(lender, row) for lender in lenders]
            rests.append(_marked(cell, texts))
        return rests


@dataclass(eq=False)
class _Composed:
    """A column composed in the sampled rows. target: the column; lenders: those whose cells stand
    in its cells; rests: what is left of each of its sampled cells, with marks for the lenders'."""

    target: _Target
    lenders: list[Lender]
    rests: list[bytes]

    @property
    def size(self) -> int:
        """Bytes of the column's sampled cells, as they are."""
        return sum(map(len, self.target.cells))

    @property
    def covered(self) -> int:
        """How many bytes of the sampled cells lenders save, marks counted as not saved."""
        return self.size - sum(map(len, self.rests))

    @property
    def sort_key(self) -> tuple[int, int, int]:
        """The key by which composed columns are sorted, the best first: those with the smallest
        difference of the bytes left of their sampled cells (marks counted) and the bytes saved; of
        equal ones those with fewer different rests, then the later column."""
        left_less_saved = self.size - 2 * self.covered
        return left_less_saved, len(set(self.rests)), -self.target.place

    def templates(self) -> list[bytes]:
        """The rests that two or more of the sampled cells share, with a mark in them, the commonest
        first: of the MOST_TEMPLATES (4) commonest rests."""
        counts = Counter(self.rests)
        common = counts.most_common(MOST_TEMPLATES)
        return [rest for rest, count in common if count > 1 and MARK.search(rest)]

    def composition(self, columns: Sequence[Coded]) -> Composition | None:
        """Compose all rows of the column of the lenders found; None if a cell of it or of a lender
        has a byte that is a mark. columns: all of the block."""
        whole = self.target.column
        parts = []
        for lender in self.lenders:
            cells_of_lender = _cells_of(columns[lender.place])
            part = composed.as_lent(cells_of_lender, lender.case)
            parts.append(part)
        cells = composed.compact(_cells_of(whole))
        # a byte of a cell that is a mark would be taken for one
        if any(len(composed.marks_in(texts)) for texts in (cells, *parts)):
            return None
        rests = _rests_of_all(cells, parts, self.templates())
        pool, start, stop = behind_another(rests).places()
        rest = textual.encode(pool, start, stop)
        return Composition(whole, tuple(self.lenders), rest)


def _cells_of(column: Coded) -> Spans:
    """The cells of a column that takes part in the search; AssertionError if it has none."""
    assert column.cells is not None
    return column.cells


def compositions(
    columns: Sequence[Coded],
    undecided: Sequence[Coded],
) -> list[Composition]:
    """Find those of the undecided columns in whose cells those of other columns stand: a list of
    how each is composed, [] if none is. No composed column is a lender itself. columns: all of the
    block, in order; those whose cells are not there (Coded.cells) take no part. undecided: those of
    them for which another way to store them is welcome."""
    may_be_composed = {id(column) for column in undecided if _may_be_composed(column)}
    if not may_be_composed:
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
        if id(column) in may_be_composed:
            targets.append(_Target(place, column, sample))
    candidates = [target.composed_without(()) for target in _with_lenders(targets, sample)]
    candidates.sort(key=lambda candidate: candidate.sort_key)
    return list(_choose_compositions(candidates, columns))


def _may_be_composed(column: Coded) -> bool:
    """Whether it may pay to compose a column: it has FEWEST (24) rows or more, of texts, of levels
    (different texts, stored once) of which there are FEWEST_LEVELS (8) or more, and one for
    MOST_REPEATED (64) rows at least, or of a pattern, such as numbers or dates, that fits fewer
    than half of its cells."""
    if column.cells is None or len(column.cells) < FEWEST:
        return False
    meta = column.meta
    if isinstance(meta, LevelMeta):
        levels = column.streams[0].values
        different = int(levels.max()) + 1
        return different >= max(FEWEST_LEVELS, len(levels) / MOST_REPEATED)
    if isinstance(meta, PatternMeta):
        # numbers are predicted by those of other columns: that is left to their coder
        return 2 * len(column.streams[-1].values) < len(column.cells)
    return isinstance(meta, TextMeta)


def _rows_looked_at(column: Coded) -> Int:
    """The rows to sample: at most LOOKED_AT (64), evenly spread over a column, in an order in which
    the first FIRST_LOOK (16) are spread evenly, too. (sampled rows,)"""
    rows = evenly_spread(len(_cells_of(column)), LOOKED_AT)
    step = LOOKED_AT // FIRST_LOOK
    parts = [rows[first::step] for first in range(step)]
    return np.concatenate(parts)


def _with_lenders(targets: Sequence[_Target], sample: _Sample) -> list[_Target]:
    """Search the cells of the targets, at least one, for those of all columns of the sample that
    have FEWEST_DIFFERENT (3) different cells, row by row, and note these in the targets; returns
    the targets that have a lender in at least LEAST_MATCHING (0.3) of their filled cells. Targets
    that have none in half as many of the first FIRST_LOOK (16) rows are not searched further."""
    lenders = []
    for place, cells in sample.cells.items():
        if len(set(cells)) >= FEWEST_DIFFERENT:
            lenders.append(place)
    candidates = list(targets)
    count = len(targets[0].cells)
    least = LEAST_MATCHING / 2
    for row in range(count):
        if row == FIRST_LOOK:
            # most columns are composed of nothing, which a few rows show
            candidates = [target for target in candidates if target.likely_lenders(row, least)]
        if not candidates:
            return []
        by_token = sample.by_token(row, lenders)
        for target in candidates:
            target.note_matches(row, by_token)
    return [target for target in candidates if target.likely_lenders(count, LEAST_MATCHING)]


def _choose_compositions(
    candidates: Sequence[_Composed],
    columns: Sequence[Coded],
) -> Iterator[Composition]:
    """Choose which columns are composed, and yield their compositions. candidates: composed
    columns, the best first; each is taken in turn, unless it is a lender of one before it, or
    lenders that are not composed themselves save less than LEAST_COVERED (8 %) of its bytes.
    columns: all of the block."""
    composed_places: set[int] = set()
    lender_places: set[int] = set()
    for candidate in candidates:
        place = candidate.target.place
        if place in lender_places:
            continue
        # columns that were composed meanwhile are no lenders
        column = candidate.target.composed_without(composed_places)
        if column.covered < LEAST_COVERED * column.size:
            continue
        composition = column.composition(columns)
        if composition is not None:
            composed_places.add(place)
            lender_places.update(lender.place for lender in column.lenders)
            yield composition


# ---- what is left


def _marked(cell: bytes, texts: Sequence[bytes]) -> bytes:
    """Put marks in a cell in the place of texts that stand in it as whole tokens: the first mark
    for the first of the texts, the second for the second and so on, each once at most; returns the
    cell, unchanged where none stands in it. The longest texts are looked for first, empty ones
    never."""
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
    mark for each part that stands in it; a cell of more than LONGEST (512) bytes that no template
    restores stays as it is. parts: of each lender its cells, as they stand in others."""
    rests = [b""] * len(cells)
    rows_left = np.arange(len(cells))
    for template in templates:
        # only cells as long as what the template restores can be equal to it, so that never more
        # text is made than there is
        length = _restored_lengths(template, parts)
        is_as_long = length[rows_left] == cells.length[rows_left]
        rows_as_long = rows_left[is_as_long]
        once = behind_another([template])
        always_first = np.zeros(len(rows_as_long), np.int64)
        in_each_row = once.take(always_first)
        part = _cells_in_rows(parts, rows_as_long)
        restored = composed.woven(in_each_row, part, len(parts))
        is_restored = _equal(cells.take(rows_as_long), restored)
        is_equal = np.isin(rows_left, rows_as_long[is_restored])
        for row in rows_left[is_equal].tolist():
            rests[row] = template
        rows_left = rows_left[~is_equal]
    # the others one by one
    own_cells = cells.take(rows_left).bytes()
    texts_of_parts = [part.take(rows_left).bytes() for part in parts]
    texts_of_rows = zip(*texts_of_parts, strict=True)
    rows = rows_left.tolist()
    for row, cell, texts in zip(rows, own_cells, texts_of_rows, strict=True):
        # long cells are not looked into, in which texts may begin at every byte
        rests[row] = cell
        if len(cell) <= LONGEST:
            rests[row] = _marked(cell, texts)
    return rests


def _restored_lengths(template: bytes, parts: Sequence[Spans]) -> Int:
    """Count the bytes that a template, a text with at least one mark, restores in each row:
    (rows,). parts: of each lender its cells, as they stand in cells of others."""
    marks = MARK.findall(template)
    rows = len(parts[0])
    own_bytes = len(template) - len(marks)
    length = np.full(rows, own_bytes, np.int64)
    for mark in marks:
        number = mark[0] - FIRST_MARK
        length += parts[number].length
    return length


def _cells_in_rows(parts: Sequence[Spans], chosen: Int) -> Callable[[int, Int], Spans]:
    """Make the function by which `composed.woven` gets cells of lenders, where it is applied to the
    chosen rows alone: its row i is row chosen[i] of the block. chosen: (n,); parts: of each lender
    its cells in all rows, as they stand in cells of others."""

    def part(number: int, rows: Int) -> Spans:
        """The cells of a lender, by its number from 0, in rows that are numbered among those
        chosen, one behind the other in a pool of their own."""
        rows_of_parts = chosen[rows]
        cells = parts[number].take(rows_of_parts)
        return composed.compact(cells)

    return part


def _equal(cells: Spans, others: Spans) -> Mask:
    """Which cells have the same bytes as the others in their places: (n,) bool. Both are n."""
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
