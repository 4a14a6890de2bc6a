"""Reasons for an anomaly: the columns that cost more than usual, with the values found and
expected."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from aetool.columns.column import AS_EXPECTED, NEVER_THERE, ODD, RARELY_THERE
from aetool.columns.schema import Schema
from aetool.columns.slips import NOT_KNOWN
from aetool.data.table import Mask, Table
from aetool.model import Float

Scores = Callable[[Float], Float]  # (rows,) of what the graphs take, (rows, inputs)
MOST = 3  # columns that are named of a record
LEAST_SHARE = 0.1  # of a record's excess, for a column to be named
# Of a record's rarity, in bits: what one value has to take away with it for being named although it
# has no such share. Of a hundred columns that each vary, none has a tenth.
LEAST_FALL = 0.5
# of a record of which no column is to be named: an ordinary one, and an anomaly
NOTHING = "nothing beyond the usual"
TOGETHER = "no value alone, but all of them together"
# how what stands in place of an expected value begins
IN_WORDS = (RARELY_THERE, NEVER_THERE, AS_EXPECTED, NOT_KNOWN)
TRIED = 16  # values of a column, to see which fits best beside the others


def columns(
    parts: Float,
    typical: Float,
    marginal: Float | None = None,
    alike: Mask | None = None,
    least_share: float = LEAST_SHARE,
    most: int = MOST,
) -> list[list[int]]:
    """Choose the columns to name as reasons: for each record the indices of at most `most`, three
    by default, the most surprising first; none where no column costs more than usual.

    parts: (rows, columns), what each column costs, given the others where the model offers
    conditionals; a column counts by its excess, its cost beyond the usual, typical: (columns,), or
    as parts where that differs between records. marginal, (rows, columns): its surprise on its own,
    in the unit of parts. When two columns contradict each other both cost much given the other, and
    the one that is odd on its own is the culprit: the mean of a column's cost given no other and
    given all others is the two-point estimate of its Shapley value (Lundberg & Lee 2017). A column
    is named if it has at least the share `least_share`, a tenth by default, of all that the
    record's columns cost beyond the usual. alike, (rows, columns): True where a value is the
    expected one; such a column is named only if no other has an excess.
    """
    excess = parts - typical
    if alike is not None:
        excess_of_different = np.where(alike, 0.0, excess)
        another_is_odd = (excess_of_different > 0).any(axis=1, keepdims=True)
        excess = np.where(another_is_odd, excess_of_different, excess)
    ranked = excess
    if marginal is not None:
        # how odd a value is on its own tells culprits apart, and makes none
        ranked = excess + np.where(excess > 0, marginal, 0)
    order = np.argsort(-ranked, axis=1, kind="stable")
    named = []
    for row, places in zip(excess, order[:, :most], strict=True):
        least = least_share * float(np.maximum(row, 0).sum())
        of_row = []
        for place in places.tolist():
            if row[place] > 0 and row[place] >= least:
                of_row.append(place)
        named.append(of_row)
    return named


def leave_one_out(
    schema: Schema,
    X: Float,
    scores: Scores,
    expected: Float | None = None,
) -> tuple[Float, Float]:
    """How surprising each value is given the record's other values, found by trying other values in
    its place: (surprise, best), (rows, columns) both. best: of the values tried the one with which
    the record scores lowest; surprise: how much lower than as it is, at least 0.

    X: (rows, inputs) in user units, the records, not changed; scores: computes the scores of such
    records, (rows,); expected: (rows, columns), what the model itself says that it expects, tried
    before all other values, so that these are best only where the record scores lower with them;
    None to try none. Under an exact density the difference is how much less likely the value is,
    given all others, than the likeliest of those tried: 16 over the range where numbers lie, or the
    16 most frequent levels. In context columns only one value is tried: of dates the nearest moment
    of the usual range, of others the value itself, whose surprise is 0. Where a column has nothing
    to try, or X no rows, surprise is 0, and best the value itself.
    """
    columns = schema.modelled
    surprise = np.zeros((len(X), len(columns)))
    best = X[:, : len(columns)].copy()
    if not len(X):
        return surprise, best
    score_as_is = scores(X)
    for place, column in enumerate(columns):
        lowest = np.full(len(X), np.inf)
        values_tried: list[Float | float] = []
        if not column.predicted:
            values_tried.append(column.mended(X[:, place], best[:, place]))
        elif expected is not None:
            # as it would be written, for that is what is told
            own = column.within(expected[:, place])
            values_tried.append(column.mended(X[:, place], own))
        if column.predicted:
            values_tried.extend(column.tried(TRIED).tolist())
        for value in values_tried:
            # in all records at once: the graph is run once for each value
            changed = X.copy()
            changed[:, place] = value
            trial_score = scores(changed)
            is_better = trial_score < lowest
            lowest[is_better] = trial_score[is_better]
            best[is_better, place] = changed[is_better, place]
        surprise[:, place] = np.maximum(score_as_is - lowest, 0.0)
    return surprise, best


def by_mending(
    schema: Schema,
    X: Float,
    expected: Float,
    named: Sequence[Sequence[int]],
    scores: Scores,
) -> list[list[int]]:
    """Sort each record's named columns by how much its score falls if that column's value is
    replaced by the expected one, the largest fall first. named: column indices by record; X: (rows,
    inputs), the records; expected: (rows, columns), both in user units; scores: computes the
    scores, (rows,), of records like X.

    Where one value is wrong, those that it predicts look wrong too; but to mend one of those makes
    two wrong values of one.
    """
    score = scores(X)
    ranked = []
    scores_mended = _scores_mended(schema, X, expected, named, scores)
    falls = score[:, None] - scores_mended
    for places, of_columns in zip(named, -falls, strict=True):
        # of equal falls the order stays as it is
        ranked.append(sorted(places, key=of_columns.__getitem__))
    return ranked


def by_rarity(
    schema: Schema,
    X: Float,
    expected: Float,
    candidates: Sequence[Sequence[int]],
    scores: Scores,
    p_values: Callable[[Float], Float],
) -> list[list[int]]:
    """Choose of each record's candidates the columns to name because the record would hardly be
    rare if that one value were the expected one: its rarity, the bits -log2 p, falls by at least
    LEAST_FALL (half), the largest fall first; none where no single value takes away as much.

    candidates: column indices by record; p_values: computes of scores, (rows,), the part p of
    ordinary records that score as high, above 0. X, expected, scores: as `by_mending` takes them.
    """
    bits = -np.log2(p_values(scores(X)))
    scores_mended = _scores_mended(schema, X, expected, candidates, scores)
    named = []
    for row, places in enumerate(candidates):
        minus_falls = {}
        for place in places:
            (p,) = p_values(scores_mended[row, place : place + 1])
            fall = float(bits[row] + np.log2(p))
            if fall > 0 and fall >= LEAST_FALL * bits[row]:
                minus_falls[place] = -fall
        named.append(sorted(minus_falls, key=minus_falls.__getitem__))
    return named


def _scores_mended(
    schema: Schema,
    X: Float,
    expected: Float,
    candidates: Sequence[Sequence[int]],
    scores: Scores,
) -> Float:
    """(rows, columns): the scores of records in which the value of one column is the expected one;
    0 for columns that are no candidate of any record. Arguments as `by_rarity` takes them."""
    mended_scores = np.zeros((len(X), len(schema.modelled)))
    rows_by_place: dict[int, list[int]] = {}
    for row, places in enumerate(candidates):
        for place in places:
            rows_by_place.setdefault(place, []).append(row)
    # each column once, and of it the records alone that it is a candidate of
    for place, rows in sorted(rows_by_place.items()):
        column = schema.modelled[place]
        mended = X[rows]
        mended[:, place] = column.mended(mended[:, place], expected[rows, place])
        mended_scores[rows, place] = scores(mended)
    return mended_scores


def marginal_bits(schema: Schema, X: Float) -> Float:
    """(rows, columns): how rare each value is in its own column, in bits, whatever the record's
    other values: of numbers and dates as `own_surprise` tells, 0 of words, and of gaps and odd
    cells at least what `blank_bits` tells. X: (rows, inputs) in user units."""
    surprises = []
    for place, column in enumerate(schema.modelled):
        surprises.append(column.own_surprise(X[:, place]))
    return np.maximum(np.stack(surprises, axis=1), blank_bits(schema, X))


def blank_bits(schema: Schema, X: Float) -> Float:
    """(rows, columns): of cells that hold nothing, a gap or something odd, how rare it is in bits
    that a cell of their column does; 0 of all others. X: (rows, inputs) in user units."""
    bits = np.zeros((len(X), len(schema.modelled)))
    for place, column in enumerate(schema.modelled):
        values = X[:, place]
        gaps = np.isnan(values)
        odd = values == ODD
        # where training saw none, as if there had been one
        bits[gaps, place] = math.log2((schema.rows + 1) / max(column.missing, 1))
        bits[odd, place] = math.log2((schema.rows + 1) / max(column.odd, 1))
    return np.maximum(bits, 0.0)


def as_expected(schema: Schema, X: Float, expected: Float) -> Mask:
    """Which values would be written just as the expected ones are, (rows, columns) bool. X: (rows,
    inputs), the values; expected: (rows, columns); both in user units."""
    same = []
    for place, column in enumerate(schema.modelled):
        same.append(column.alike(X[:, place], expected[:, place]))
    return np.stack(same, axis=1)


def explain(
    schema: Schema,
    X: Float,
    expected: Float,
    named: Sequence[Sequence[int]],
    table: Table,
    contrast: bool = True,
) -> list[list[tuple[str, str, str]]]:
    """Write for a person why records are odd: for each record a list of (column, value found,
    expected value), one for each of its named columns, all as text.

    The last may be words instead: RARELY_THERE or NEVER_THERE where a gap was expected in place of
    a value, and of reasons what a word that training did not see is like.

    X, expected: in user units; named: column indices by record; table: the same records as they
    were read. contrast: True for reasons: an expected value is written so that it differs from the
    one found, with more decimals if need be, and is AS_EXPECTED where that does not help; False: it
    is written as it is, though both may look the same.
    """
    modelled = schema.modelled
    reasons = []
    for row, places in enumerate(named):
        reasons_of_row = []
        for place in places:
            column = modelled[place]
            value = float(X[row, place])
            found_text = column.found(table[column.name], row, value)
            expected_value = float(expected[row, place])
            if contrast:
                expectation = column.contrast(found_text, value, expected_value)
            else:
                expectation = column.expectation(value, expected_value)
            reasons_of_row.append((column.name, found_text, expectation))
        reasons.append(reasons_of_row)
    return reasons


def line(named: Sequence[tuple[str, str, str]], is_anomaly: bool) -> str:
    """The reasons of one record on one line, such as "age=7 (expected 41); city=Rome (expected
    Oslo)". named: (column, value, expected value) for each; if it is empty, the line says of an
    anomaly that all values together make it one, and of an ordinary record that nothing is beyond
    the usual."""
    if not named:
        return TOGETHER if is_anomaly else NOTHING
    phrases = []
    for column, value, expected in named:
        phrases.append(f"{column}={value} ({in_words(expected)})")
    return "; ".join(phrases)


def in_words(expected: str) -> str:
    """Words for the expected value of a reason, the third text of a triple of `explain`: "expected
    " and the value, or the words themselves that stand in place of one."""
    if expected.startswith(IN_WORDS):
        return expected
    return f"expected {expected}"
