"""Choice of how a shared model, which many small archives are coded with, is to store each column:
the way that takes fewest bits for rows that it has not seen.

A way that suits a table best may fit it alone: a dictionary holds its own cells, and the next file
has others. So ways are learned from the first rows of the table, and judged by its last.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from aetool.codec import integers, planning, rans, textual, transforms
from aetool.codec.columns import Coded
from aetool.codec.metas import DigitsMeta, FloatMeta, LevelMeta, Meta, NumberMeta, PatternMeta
from aetool.codec.plans import Plan
from aetool.codec.streams import Known, Stream
from aetool.codec.text_cells import LONGEST_NUMBER, NUMBER, TextCells, text_of

MOST_LEVELS = 4096
MOST_COUNT = 2047
LEARNED = 0.75  # of the rows are learned from where ways are judged, the first ones
MOST_JUDGED = 4096  # rows by which ways are judged, the next ones
LEAST_JUDGED = 200
LEAST_REPEATED = 4  # rows for each different number, where numbers are tried as levels
LEAST_LONG = 4  # bytes of a number on average: shorter ones are their own best names


def encoded(
    cells: TextCells,
    meta: Meta | None,
    bound: Fraction | None,
    mark: str | None = None,
) -> Coded:
    """Encode a column of text as streams and blobs. cells: its cells. meta: that of a shared model,
    by which it is to be stored; None: one is chosen, with others in `others`. bound: the largest
    error of its numbers, in their unit; None: exact. mark: their decimal mark; None: it is found
    from them."""
    return textual.encode(
        *cells.spans,
        meta,
        bound,
        mark,
    )


def meta_for(
    cells: TextCells,
    bound: Fraction | None,
    effort: planning.Effort,
    mark: str | None = None,
) -> Meta:
    """Choose how a shared model is to store a column: of several metas the one that, learned from
    the first three quarters of its cells, takes fewest bits for the next, at most MOST_JUDGED
    (4,096); of a column that has fewer than LEAST_JUDGED (200) such cells the one that
    textual.encode chooses. It is returned in a form that the cells of other files fit, too. bound:
    the largest error of its numbers; None: exact. effort: how far plans are searched where ways are
    compared. mark: the decimal mark of its numbers; None: it is found from them."""
    ways = _ways(cells, bound, mark)
    count = len(cells)
    learned_rows = int(LEARNED * count)
    judged_rows = min(count - learned_rows, MOST_JUDGED)
    # a short table says little of which way other tables need
    if len(ways) == 1 or judged_rows < LEAST_JUDGED:
        return _meta_for_any_file(ways[0], cells)
    end = learned_rows + judged_rows
    before = cells.only(slice(0, learned_rows))
    after = cells.only(slice(learned_rows, end))
    bits_of_ways = []
    for meta in ways:
        bits = _bits(meta, before, after, bound, effort)
        bits_of_ways.append(bits)
    # of ways that are as good the first, the usual one
    best = int(np.argmin(bits_of_ways))
    return _meta_for_any_file(ways[best], cells)


def _ways(cells: TextCells, bound: Fraction | None, mark: str | None) -> list[Meta]:
    """List the metas by which the cells, and those of other files, can be stored, that which
    textual.encode chooses first; with a bound that alone. bound: the largest error of its numbers,
    None: exact; mark: their decimal mark, None: it is found from them."""
    usual = encoded(cells, None, bound, mark)
    ways = [usual.meta]
    if bound is not None:
        return ways
    for other in usual.others:
        # dictionaries and the like hold just this table's cells
        if isinstance(other.meta, FloatMeta | DigitsMeta):
            ways.append(other.meta)
    if isinstance(usual.meta, NumberMeta) and _may_be_levels(cells):
        ways.append(LevelMeta())
    return ways


def _may_be_levels(cells: TextCells) -> bool:
    """Whether a column's cells are so long, at least LEAST_LONG (4) bytes on average, and each
    comes so often, LEAST_REPEATED (4) times on average, that numbers of the different ones may take
    fewer bits. False for more than MOST_LEVELS (4,096) different ones. cells: at least one."""
    length = cells.stop - cells.start
    if length.mean() < LEAST_LONG:
        return False
    levels = cells.levels(MOST_LEVELS)
    # there are more than that
    if levels is None:
        return False
    return LEAST_REPEATED * len(levels.cells) <= len(cells)


def _bits(
    meta: Meta,
    before: TextCells,
    after: TextCells,
    bound: Fraction | None,
    effort: planning.Effort,
) -> float:
    """About how many bits the cells `after` take, by plans and counts that were learned from those
    `before`, stored as `meta` says, without looking at other columns. bound: the largest error of
    its numbers, None: exact; effort: how far plans are searched."""
    general_meta = _meta_for_any_file(meta, before)
    learned = encoded(before, general_meta, bound)
    judged = encoded(after, general_meta, bound)
    # what is in no stream is stored as it is
    bits = 8.0 * sum(map(len, judged.blobs))
    known = Known(len(before))
    known_of_judged = Known(len(after))
    # bins need not hold every residual: other files have others
    planner = planning.Planner(known, effort, complete=False)
    pairs = zip(learned.streams, judged.streams, strict=True)
    for number, (stream, judged_stream) in enumerate(pairs):
        plan = planner.plan(stream, number)
        # one lane, as in the plans that a model has
        plan = plan.but(lanes_log=0)
        symbols = _symbols(plan, stream, known)
        prime = counts_of(plan, stream, symbols, known)
        bits += planning.bits_of(plan, judged_stream, known_of_judged, prime)
        # the stream after it may look at this one
        symbols_of_judged = _symbols(plan, judged_stream, known_of_judged)
        alphabet = plan.bins + 1
        known.add(stream, symbols, alphabet)
        known_of_judged.add(judged_stream, symbols_of_judged, alphabet)
    return bits


def _symbols(plan: Plan, stream: Stream, known: Known) -> rans.U16:
    """The symbols of a stream by a plan: (n,) uint16, one for each value. known: the streams before
    it."""
    residuals = transforms.residuals(plan, stream, known)
    return integers.symbols_of(plan, residuals)


def _meta_for_any_file(meta: Meta, cells: TextCells) -> Meta:
    """A column's meta in a form that can also store the cells of other files: in place of one of
    levels, the different cells, a new one with the MOST_LEVELS (4,096) most frequent, ascending if
    all are numbers, else the most frequent first; of a pattern, such as numbers, a copy with a
    further kind, for cells that do not fit the pattern; any other is returned as it is."""
    if isinstance(meta, LevelMeta):
        return LevelMeta(levels=_levels(cells))
    # another file may have cells of another pattern
    if isinstance(meta, PatternMeta):
        return dataclasses.replace(meta, has_rest=True)
    return meta


def _levels(cells: TextCells) -> tuple[str, ...]:
    """The MOST_LEVELS (4,096) most frequent different cells, or all of fewer, as texts, a character
    for each byte: in ascending order if all are numbers, so that near numbers are near levels; else
    the most frequent first."""
    levels = cells.all_levels()
    frequency = np.bincount(levels.index, minlength=len(levels.cells))
    by_frequency = np.argsort(-frequency, kind="stable")
    commonest = by_frequency[:MOST_LEVELS]
    frequent_cells = [levels.cells[place] for place in commonest.tolist()]
    in_order = _in_order(frequent_cells)
    return tuple(map(text_of, in_order))


def _in_order(cells: Sequence[bytes]) -> Sequence[bytes]:
    """Sort cells by the numbers that they are, ascending; equal numbers stay in their order. If any
    cell is no number, or is longer than LONGEST_NUMBER (400) bytes or has an exponent of more than
    three digits, they are returned as they stand."""
    numbers = []
    for cell in cells:
        # a fraction of 1e999999999 would take all memory, and such a cell may be a code of letters
        if len(cell) > LONGEST_NUMBER or NUMBER.fullmatch(cell) is None:
            return cells
        number = Fraction(cell.decode())
        numbers.append(number)
    # equal numbers that are written otherwise stay as they stand
    places = range(len(cells))
    ascending = sorted(places, key=numbers.__getitem__)
    return [cells[place] for place in ascending]


def counts_of(
    plan: Plan,
    stream: Stream,
    symbols: rans.U16,
    known: Known,
) -> rans.U32:
    """Count how often each of a stream's symbols, (n,), came in each context of its plan:
    (contexts, alphabet) uint32, the counts that an archive's tables begin with. Where a count of a
    context is above MOST_COUNT (2,047), all of them are scaled down so that the largest is that;
    none becomes 0. known: the streams before it. ArchiveError if a feature asks for a stream that
    is not there, or tables would be too large."""
    base, layout = integers.contexts(plan, stream, known, None, symbols)
    shape = (layout.size, layout.alphabet)
    counts = np.zeros(shape, np.float64)
    if len(symbols):
        context = rans.contexts_of(symbols, base, layout)
        np.add.at(counts, (context, symbols), 1)
    largest = counts.max(axis=1, keepdims=True)
    # a context that never came has nothing to be divided by
    divisor = np.maximum(largest, 1)
    # rounded up: a symbol that came has a count
    scaled = np.ceil(counts * MOST_COUNT / divisor)
    fitting = np.where(largest > MOST_COUNT, scaled, counts)
    return fitting.astype(np.uint32)
