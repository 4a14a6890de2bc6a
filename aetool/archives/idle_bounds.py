"""What is said of a bound on errors that has changed no number: why the numbers are exact."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from fractions import Fraction

from aetool.archives.beginning import Beginning
from aetool.canonical import Json
from aetool.codec import source_texts
from aetool.codec.contents import arrays
from aetool.columns.column import Column
from aetool.columns.number import Number
from aetool.columns.quantities import is_coded, is_key
from aetool.data.array_files import ArrayFile

NOTHING, WHOLE = Fraction(0), Fraction(1)


def of_columns(
    beginning: Beginning,
    bounds_asked: Mapping[str, str],
    errors: Mapping[str, Json],
    explained: Collection[str],
) -> Iterator[str]:
    """Yield a line for each column that was named with a bound above 0, and of which no number was
    changed: why. beginning: what the first records of the table say of the columns; bounds_asked:
    the bounds that were asked for, by column, "" for all others; errors: the archive's, by column
    label; explained: names of columns of which it was said already why they are exact."""
    labels = beginning.labels()
    columns = {column.name: column for column in beginning.schema.columns}
    for name, header_name in beginning.header_names().items():
        # "" stands for all columns, and never names one
        bound = bounds_asked.get(header_name) if header_name else None
        if bound is None or name in explained or not _is_above_zero(bound):
            continue
        # an error of 0 is that of a column that was bounded, and not moved
        if not errors.get(labels[name], {}).get("largest"):
            yield _of_column(name, bound, columns.get(name))


def of_arrays(
    source: ArrayFile,
    bounds_asked: Mapping[str, str],
    errors: Mapping[str, Json],
) -> Iterator[str]:
    """Yield a line for each column of arrays that was named with a bound above 0, and of which no
    number was changed: why. bounds_asked: the bounds that were asked for, by column, "" for all
    others; errors: the archive's, by column label. UnsuitedError for an array of a type that cannot
    be stored."""
    for label in arrays.column_labels(source):
        # "" stands for all arrays, and never names one
        bound = bounds_asked.get(label) if label else None
        if bound is None or not _is_above_zero(bound):
            continue
        if not errors.get(label, {}).get("largest"):
            yield _of_column(label, bound)


def of_all(
    bounds_asked: Mapping[str, str],
    errors: Mapping[str, Json],
    columns: Iterable[Column] = (),
) -> list[str]:
    """A line that says that a bound on all numbers has changed none, and why; [] if one has been,
    or no such bound above 0 was asked for. bounds_asked: the bounds that were asked for, by column,
    "" for all others; errors: the archive's, by column label; columns: what is known of those that
    the bound is for, none where nothing is."""
    bound = bounds_asked.get("", "0")
    is_changed = any(error["largest"] for error in errors.values())
    if is_changed or not _is_above_zero(bound):
        return []
    # such as those of a table that takes fewer bytes as plain text
    if any(_spans_last_digit(bound, column) for column in columns):
        return [f"all is stored exactly: rounding numbers within {bound} saves nothing"]
    return [f"all is stored exactly: no number can be rounded within {bound}"]


def _is_above_zero(bound_text: str) -> bool:
    """Whether a bound as it was asked for, such as "0.5" or "1%", is above 0: one of 0 asks for
    exact numbers, and has its effect."""
    # of a range of 1 each part in percent is above 0
    return source_texts.bound_of(bound_text, NOTHING, WHOLE) > 0


def _spans_last_digit(bound_text: str, column: Column) -> bool:
    """Whether a bound as it was asked for lets decimals of a column become other decimals: it is no
    key and no code, its numbers differ, and the bound is no less than their last digit."""
    if not isinstance(column, Number) or column.decimals is None:
        return False
    if is_key(column) or is_coded(column):
        return False
    spread = Fraction(column.high) - Fraction(column.low)
    bound = source_texts.bound_of(bound_text, NOTHING, spread)
    return spread > 0 and bound >= Fraction(1, 10**column.decimals)


def _of_column(name: str, bound_text: str, column: Column | None = None) -> str:
    """A line that says that a column, though a bound was asked for it by name, is exact, and why:
    none of its numbers can be rounded, as of what is not of decimals or not known; some have other
    texts behind them; they are all the same; rounding saves nothing; or the bound is less than
    their last digit. bound_text: the bound, above 0; column: what is known of it; None for
    nothing."""
    # true floats have no last digit, and words no digit at all
    if not isinstance(column, Number) or column.decimals is None:
        return f"{name}: stored exactly, as none of its numbers can be rounded within {bound_text}"
    # such as CR behind some amounts, and k behind some numbers
    if column.notation.magnitudes:
        return (
            f"{name}: stored exactly, as it writes some of its numbers with other texts behind "
            "them than most, such as CR or k: a bound is for numbers that have the same text "
            "around them"
        )
    spread = Fraction(column.high) - Fraction(column.low)
    if not spread:
        return f"{name}: stored exactly, as its numbers are all the same"
    bound = source_texts.bound_of(bound_text, NOTHING, spread)
    last_digit = Fraction(1, 10**column.decimals)
    if bound >= last_digit:
        return f"{name}: stored exactly, as rounding its numbers within {bound_text} saves nothing"
    # a part of a range says nothing of digits, before it is computed
    in_numbers = (
        f"{bound_text}, which is {float(bound):.3g}," if bound_text.endswith("%") else bound_text
    )
    return (
        f"{name}: stored exactly, as a bound of {in_numbers} is less than the last digit of its "
        f"numbers, {float(last_digit):g}"
    )
