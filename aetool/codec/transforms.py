"""What a plan's transform predicts of each value of a column, and the inverse.

Values become residuals: themselves, the difference to the value before, to the value before in the
same group, to another column, to a combination of columns, or to the last value under the key. All
arithmetic is modulo 2^64, so that every number of 64 bits has a residual and comes back from it.
"""

from __future__ import annotations

import numpy as np

from aetool.codec import bits, keys
from aetool.codec.plans import Combination, Computed, Operand, Plan, Transform
from aetool.codec.streams import Known, Stream, named_column, where_present
from aetool.errors import ArchiveError
from aetool.model import Float, Int

# what is computed in floats, by the operator of a plan
OPERATIONS = {
    "=": np.positive,
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
}
LARGEST_COMPUTED = 2.0**62  # what is computed in floats and is larger predicts 0
# values that a transform predicts by nothing
VALUES_AT_THE_BEGINNING = {
    Transform.DIFFERENCE: 1,
    Transform.LINEAR: 1,
    Transform.LINEAR_DIFFERENCE: 1,
    Transform.KEYED: 1,
    Transform.SECOND: 2,
}


def residuals(plan: Plan, stream: Stream, known: Known) -> Int:
    """The residuals of a stream, (n,) int64: its values, (n,), less what the plan's transform
    predicts of each, modulo 2^64; without a transform the values themselves, not a copy. known: the
    streams before it. ArchiveError if the plan names a stream that is not known."""
    values = stream.values
    transform = plan.transform
    if transform is Transform.DIFFERENCE:
        return _differences(values)
    # differences of differences: what goes on at one pace becomes 0
    if transform is Transform.SECOND:
        return _differences(_differences(values))
    if transform is Transform.GROUPED:
        order = _order(plan, stream, known)
        differences = np.empty_like(values)
        by_group = values[order]
        differences[order] = _differences(by_group)
        return differences
    if transform is Transform.KEYED:
        return course(plan, stream, known).residuals(values)
    if transform is Transform.COLUMN:
        other = named_column(known.values, plan.of, stream)
        return np.asarray(values - other)
    if plan.combined is None:
        return values
    predicted = combination(plan.combined, stream, known)
    off = np.asarray(values - predicted)
    if transform is Transform.LINEAR_DIFFERENCE:
        return _differences(off)
    return off


def restore(plan: Plan, residual_values: Int, stream: Stream, known: Known) -> Int:
    """The inverse of `residuals`: the values of a stream, (n,) int64, from its residuals,
    residual_values, (n,), what the plan's transform leaves of them; without a transform these
    themselves. stream: only its mask, `present`, is read. known: the streams before it.
    ArchiveError if the plan names a stream that is not known."""
    transform = plan.transform
    if transform is Transform.DIFFERENCE:
        return _sums(residual_values)
    if transform is Transform.SECOND:
        return _sums(_sums(residual_values))
    if transform is Transform.GROUPED:
        order = _order(plan, stream, known)
        values = np.empty_like(residual_values)
        by_group = residual_values[order]
        values[order] = _sums(by_group)
        return values
    if transform is Transform.KEYED:
        return course(plan, stream, known).restored(residual_values)
    if transform is Transform.COLUMN:
        other = named_column(known.values, plan.of, stream)
        return np.asarray(residual_values + other)
    if plan.combined is None:
        return residual_values
    # differences were taken last, and so are undone first
    if transform is Transform.LINEAR_DIFFERENCE:
        residual_values = _sums(residual_values)
    predicted = combination(plan.combined, stream, known)
    return np.asarray(residual_values + predicted)


def _differences(values: Int) -> Int:
    """The difference of each of values, (n,), to the one before it, (n,) int64, modulo 2^64; in the
    first place the first value itself."""
    # a 0 stands before the first value, so that nothing of it is lost
    return np.diff(values, prepend=np.int64(0))


def _sums(differences: Int) -> Int:
    """The inverse of `_differences`: the running sums of differences, (n,) int64, modulo 2^64."""
    return np.cumsum(differences, dtype=np.int64)


def combination(combined: Combination | Computed, stream: Stream, known: Known) -> Int:
    """Predict values by a combination of streams, in the rows that the stream has values in: (n,)
    int64, floor((sum of its terms + floor(divisor / 2)) / divisor), the sum modulo 2^64; or what is
    computed of them. stream: only its mask, `present`, is read; known: the streams before it.
    ArchiveError if a stream that is named is not known."""
    if isinstance(combined, Computed):
        return where_present(computed(combined, known), stream)
    # half of the divisor is added, so that the quotient is rounded
    half_divisor = combined.divisor // 2
    total = np.full(known.rows, half_divisor, np.int64)
    for term in combined.terms:
        product = np.full(known.rows, term.factor, np.int64)
        # several streams are multiplied with one another
        for number, lag in term.streams:
            if number >= len(known.values):
                raise ArchiveError("damaged: a column's plan refers to a column that is not there")
            product *= _lagged(known.values[number], lag)
        total += product
    predicted = total // np.int64(combined.divisor)
    return where_present(predicted, stream)


def computed(combined: Computed, known: Known) -> Int:
    """Compute a prediction in 64-bit floats, for every row of the block: (rows,) int64, rounded to
    the nearest, halves to even; 0 where that is no number, or beyond 2^62. ArchiveError if a stream
    that is named is not known.

    Each step is a single operation of IEEE 754, and so the same wherever floats are.
    """
    operands = [_scaled(operand, known) for operand in combined.operands]
    operation = OPERATIONS[combined.operator]
    # what is divided by 0, or is too large, is no number
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        result = operation(*operands)
        nearest = np.rint(result)
        is_number = np.abs(nearest) <= LARGEST_COMPUTED
    predicted = np.where(is_number, nearest, 0.0)
    return predicted.astype(np.int64)


def _scaled(operand: Operand, known: Known) -> Float:
    """The values of an operand in every row of the block, (rows,) float64: those of its stream,
    `lag` rows before, 0 in the first `lag` rows, times 10^power, or over it where power is below 0.
    ArchiveError if its stream is not known."""
    if operand.stream >= len(known.values):
        raise ArchiveError("damaged: a column's plan refers to a column that is not there")
    values = _lagged(known.values[operand.stream], operand.lag)
    floats = values.astype(np.float64)
    # the powers of ten that are allowed are whole numbers that floats have
    scale = float(10 ** abs(operand.power))
    if operand.power < 0:
        return floats / scale
    return floats * scale


def _lagged(values: Int, lag: int) -> Int:
    """The values shifted by `lag` rows, 0 or more: for each row the value `lag` rows before it,
    (rows,), 0 in the first `lag` rows. values: (rows,), returned as they are for a lag of 0."""
    if not lag:
        return values
    earlier = np.zeros_like(values)
    earlier[lag:] = values[:-lag]
    return earlier


def course(plan: Plan, stream: Stream, known: Known) -> keys.Course:
    """Sort the rows of a stream by its keys, values of the stream plan.of, to predict each value
    from the last one with the same key, of the stream itself or of the pair that the plan names.
    stream: only its mask, `present`, is read; known: the streams before it. ArchiveError if a
    stream that the plan names is not known."""
    row_keys = named_column(known.values, plan.of, stream)
    every_row = np.arange(known.rows)
    rows = where_present(every_row, stream)
    if plan.pair is None:
        return keys.Course.of(row_keys, rows)
    streams = len(known.values)
    if max(plan.pair) >= streams:
        raise ArchiveError("damaged: a column's plan refers to a column that is not there")
    first, second = plan.pair
    pair = (known.values[first], known.values[second])
    return keys.Course.of(row_keys, rows, pair)


def _order(plan: Plan, stream: Stream, known: Known) -> Int:
    """The order that sorts a stream's values by group: (n,), their positions among these, group by
    group, ascending, in the order of rows within each. A value's group is the value of the stream
    plan.of in the same row; known: the streams before it; ArchiveError if that one is not among
    them."""
    groups = named_column(known.values, plan.of, stream)
    # any other sort could put rows of a group in another order elsewhere, and restore other values
    return bits.ascending(groups)


def beginning(plan: Plan, stream: Stream, known: Known) -> Int:
    """The positions, among the stream's values, of those that its transform cannot predict, since
    no value stands before them: the first one or two, or none, by the transform, never more than
    the stream has values; of groups the first value of the lowest group alone. stream: only its
    mask, `present`, is read; known: the streams before it. ArchiveError if the stream of groups is
    not among them."""
    if plan.transform is Transform.GROUPED:
        return _order(plan, stream, known)[:1]
    first = VALUES_AT_THE_BEGINNING.get(plan.transform, 0)
    count = known.rows
    # in the rows of gaps there is no value of the stream
    if stream.present is not None:
        count = int(stream.present.sum())
    return np.arange(min(first, count))


def successors(
    plan: Plan,
    stream: Stream,
    known: Known,
) -> tuple[Int, Int]:
    """Find values that nothing of their own key or group predicts, and those that they would
    predict: (positions of the first value of each key or group that has several, positions of the
    second ones), among the stream's values, (m,) each. None, so (0,) each, by other transforms; of
    a key whose first value another pair of streams predicts there is none either. stream: only its
    mask, `present`, is read; known: the streams before it. ArchiveError if a stream that the plan
    names is not among them."""
    if plan.transform is Transform.KEYED:
        sorted_rows = course(plan, stream, known)
        in_order, key = sorted_rows.unpredicted()
        return keys.firsts_and_seconds(in_order, key)
    # other transforms predict a value from rows or columns whatever its key
    if plan.transform is not Transform.GROUPED:
        nothing = np.zeros(0, np.int64)
        return nothing, nothing
    groups = named_column(known.values, plan.of, stream)
    in_order = _order(plan, stream, known)
    return keys.firsts_and_seconds(in_order, groups)
