"""What stands out by itself in a row, as nodes of a graph: cells that models do not see, or see as
gaps."""

from __future__ import annotations

import math

import numpy as np

from aetool.columns.column import ODD
from aetool.columns.lone_gaps import nats_of_gaps
from aetool.columns.reach import POWER, Reach
from aetool.columns.schema import Schema
from aetool.columns.slips import Slip
from aetool.columns.strays import MOST_CELLS, MOST_OF_ROWS, NEVER_SEEN
from aetool.graphs.graph import Graph
from aetool.graphs.term import Term
from aetool.model import Float

# times as many odd cells as are few, from which they are a mark that belongs to a column
TIMES_FEW = 20


def unexpected(g: Graph, schema: Schema, x: str) -> str:
    """Add to graph g the cost, (B, columns) float32 nats, of what models do not see: a value
    missing where training saw none, and cells that stand out by themselves; returns its name. x:
    the name of the records, (B, n) float64: the columns, behind them those of the rows before, if
    the schema has context."""
    # cells of another kind than their column's, and values far outside of all others
    costs = g.term(standing_out(g, schema, x))
    # a gap where there was none among the rows is rarer than one in rows + 1
    rarest = math.log(schema.rows + 1)
    nats_of_gaps = [0.0 if column.gaps else rarest for column in schema.modelled]
    if any(nats_of_gaps):
        values = _row_itself(g, schema, x)
        missing = values.is_nan().single()
        costs_of_gaps = missing * nats_of_gaps
        costs = costs + costs_of_gaps
    return costs.name


def standing_out(
    g: Graph,
    schema: Schema,
    x: str,
    seen: bool = False,
) -> str:
    """Add to graph g the cost, (B, columns) float32 nats, of cells that are not of their column's
    kind, and of values far outside of all others in columns that models do not see as numbers, such
    as dates; 0 for all others; returns its name.

    x: the name of the records, (B, n) float64: the columns, behind them those of the rows before,
    if the schema has context. seen: whether what models see stands out, too: numbers far outside of
    all others, words that hardly ever come where all others come often, words that training did not
    see, and slips of common words.
    """
    values = _row_itself(g, schema, x)
    nats = [nats_of_mark(column.odd, schema.rows) for column in schema.modelled]
    is_odd = values.equals(ODD).single()
    costs = is_odd * nats
    reaches = {}
    for place, column in enumerate(schema.modelled):
        is_unseen = column.features.scale is None
        if column.far_out is not None and (seen or is_unseen):
            reaches[place] = column.far_out
    if reaches:
        costs = costs + _cost_of_far(schema, values, reaches)
    of_strays = _cost_of_strays(schema, values) if seen else None
    if of_strays is not None:
        costs = costs + of_strays
    of_slips = _cost_of_slips(schema, values) if seen else None
    if of_slips is not None:
        costs = costs + of_slips
    return costs.name


def lone_gaps(g: Graph, schema: Schema, x: str) -> str | None:
    """Add to graph g the cost, (B, columns) float32 nats, of gaps of a table that hardly has any,
    see nats_of_gaps, shared by those gaps of a record that cost anything: cells that are missing
    together are missing for one reason. Returns its name, None where no gap costs anything. x: the
    name of the records, (B, n) float64: the columns, behind them those of the rows before, if the
    schema has context."""
    missing = [column.missing for column in schema.modelled]
    nats = nats_of_gaps(missing, schema.rows)
    # what a record is judged by is itself not judged
    for place, column in enumerate(schema.modelled):
        if column.condition:
            nats[place] = 0.0
    if not any(nats):
        return None
    is_missing = _row_itself(g, schema, x).is_nan().single()
    # of each record the gaps that cost something, counted by a column of ones
    is_counted = np.array([[cost > 0] for cost in nats], np.float32)
    gaps_of_record = is_missing @ is_counted
    shares = gaps_of_record.op("Max", gaps_of_record, 1.0)
    costs = is_missing * nats / shares
    return costs.name


def _cost_of_far(schema: Schema, values: Term, reaches: dict[int, Reach]) -> Term:
    """The cost, (B, columns) float32 nats, of values outside the reach (the usual range) of their
    columns; 0 within, for gaps and for columns without one. values: (B, columns) float64. reaches:
    by the place of each column that has one.

    The same arithmetic as Reach.bits, to which a test holds this, but that no cost is above that of
    an odd cell.
    """
    places = list(reaches)
    limits = list(reaches.values())
    present = values.columns(places)
    first = present.constant([reach.first for reach in limits])
    last = present.constant([reach.last for reach in limits])
    below = first - present
    tails_below = below / [reach.before for reach in limits]
    above = present - last
    tails_above = above / [reach.after for reach in limits]
    # at most one of the two is above 1, the length of a tail, and log 1 costs nothing
    tails_away = tails_below.op("Max", tails_below, tails_above, 1.0)
    # a gap is nowhere, and an odd cell has its own cost
    is_gap = present.is_nan()
    is_odd = present.equals(ODD)
    is_nowhere = is_gap | is_odd
    tails_away = is_nowhere.choose(1.0, tails_away)
    nats = tails_away.log() * POWER
    most = [nats_of_odd(reach.beyond, schema.rows) for reach in limits]
    nats = nats.at_most(most)
    # a matrix of ones and zeros puts each cost into its own column
    count = len(places)
    column = np.zeros((count, len(schema.modelled)))
    column[np.arange(count), places] = 1
    return nats.single() @ column


def _cost_of_strays(schema: Schema, values: Term) -> Term | None:
    """The cost, (B, columns) float32 nats, of words that hardly ever come in columns whose other
    words all come often, and of words that training did not see; None where no column can tell such
    words. values: (B, columns) float64."""
    # in a column without such words no value is as high as infinity
    columns = len(schema.modelled)
    first = np.full(columns, math.inf)
    unlisted = np.full(columns, math.inf)
    nats_of_seen = np.zeros(columns)
    nats_of_unseen = np.zeros(columns)
    for place, column in enumerate(schema.modelled):
        strays = column.strays
        if strays is not None:
            first[place] = strays.first
            nats_of_seen[place] = strays.nats_of_seen(schema.rows)
        nats_of_unseen[place] = column.nats_of_unseen(schema.rows)
        if nats_of_unseen[place]:
            # behind the levels stands any other word
            unlisted[place] = len(column.listed)
    if not nats_of_unseen.any():
        return None
    # levels are sorted by how often they come: strays are the last of them
    # half a place below each, as pairs of float32 know no other comparison
    is_stray = (values > values.constant(first - 0.5)).single()
    is_unseen = (values > values.constant(unlisted - 0.5)).single()
    of_strays = is_stray * nats_of_seen
    more_of_unseen = is_unseen * (nats_of_unseen - nats_of_seen)
    return of_strays + more_of_unseen


def meant(g: Graph, schema: Schema, x: str, expected: str) -> str:
    """Add to graph g what is expected of records, where a record's word is a slip (a misspelling of
    a common word) changed to the word that was meant; returns the name of the result, (B, columns)
    float64, `expected` itself where no column has slips. x: the name of the records, (B, n)
    float64; expected: of what a model expects, (B, columns) float64."""
    slips = _slips_in_turns(schema, stray_too=True)
    if not slips:
        return expected
    values = _row_itself(g, schema, x)
    expected_values = g.exact_term(expected)
    for slips_of_columns in slips:
        place, level = _infinity_of_columns(schema), _infinity_of_columns(schema)
        for column, slip in slips_of_columns.items():
            place[column] = slip.place
            level[column] = slip.meant
        # the word meant stands only where the slip is, which no infinite place is
        expected_values = values.equals(place).choose(
            expected_values.constant(level), expected_values
        )
    return expected_values.name


def _cost_of_slips(schema: Schema, values: Term) -> Term | None:
    """The cost, (B, columns) float32 nats, of words that are slips of common ones; None where no
    column has such words. values: (B, columns) float64."""
    costs = None
    for slips_of_columns in _slips_in_turns(schema, stray_too=False):
        place, nats = _infinity_of_columns(schema), np.zeros(len(schema.modelled))
        for column, slip in slips_of_columns.items():
            place[column] = slip.place
            nats[column] = slip.nats(schema.rows)
        cost = values.equals(place).single() * nats
        costs = cost if costs is None else costs + cost
    return costs


def _slips_in_turns(schema: Schema, stray_too: bool) -> list[dict[int, Slip]]:
    """Lay out the slips (misspelt words) of all columns in dicts {index of the column: slip}: the
    first dict has the first slip of every column that has one, the next the second slips, and so
    on; [] without slips. stray_too: also those that stray among words which all come often, and
    have a cost as such."""
    turns: list[dict[int, Slip]] = []
    for column, modelled in enumerate(schema.modelled):
        strays = modelled.strays
        first_stray = math.inf if stray_too or strays is None else strays.first
        slips = [slip for slip in modelled.slips if slip.place < first_stray]
        for nth, slip in enumerate(slips):
            if nth == len(turns):
                turns.append({})
            turns[nth][column] = slip
    return turns


def _infinity_of_columns(schema: Schema) -> Float:
    """(columns,): infinity for each column of the schema, which stands for no level, as no column
    has one of that number."""
    return np.full(len(schema.modelled), math.inf)


def _row_itself(g: Graph, schema: Schema, x: str) -> Term:
    """The columns of a row, (B, columns) float64, without those of the rows before it that stand
    beside it in x, the name of the records, (B, n) float64."""
    row = g.exact_term(x)
    if schema.context:
        columns = range(len(schema.modelled))
        return row.columns(list(columns))
    return row


def nats_of_odd(cells: int, rows: int) -> float:
    """The cost, in nats, of a cell that is not of its column's kind: the rarer such cells were in
    training, the more. cells: how many there were; rows: of the training.

    Where none or a single one was seen, which may be this very one, it is log(rows + 1) +
    NEVER_SEEN (log 1,000), as of a level of a category that was never seen; with more of them it
    is that cost times log((rows + 1) / cells) / log(rows + 1). Without rows it is NEVER_SEEN.
    """
    nats_of_unseen = math.log(rows + 1)
    counted = max(cells, 1)
    rarity = math.log((rows + 1) / counted)
    if not rows:
        return NEVER_SEEN
    return rarity * (1 + NEVER_SEEN / nats_of_unseen)


def nats_of_mark(cells: int, rows: int) -> float:
    """The cost, in nats, of a cell that is not of its column's kind, by how many such cells
    training saw: that of nats_of_odd for up to three, or one in 1,000 rows. More of them are a mark
    that belongs to the column, as T among amounts of rain stands for a trace: from twenty times as
    many on one costs how rare it is, log((rows + 1) / cells), and nothing beyond.
    """
    of_few = nats_of_odd(cells, rows)
    if cells <= MOST_CELLS:
        return of_few
    few = max(MOST_CELLS, rows / MOST_OF_ROWS)
    # 0 of few cells, 1 of a mark that comes often
    often = math.log(cells / few) / math.log(TIMES_FEW)
    often = min(max(often, 0.0), 1.0)
    rarity = math.log((rows + 1) / cells)
    return rarity * often + of_few * (1 - often)
