"""Numbers in a DataFrame that pandas has left as texts, as `1,5` where other columns have points,
or `1.234,50`: read by the notation of their column."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from aetool.data.notation.evidence import VALUE
from aetool.data.notation.numbers import NumberEvidence
from aetool.data.notation.numerals import COMMA, POINT, numeral
from aetool.data.table import Cells

if TYPE_CHECKING:
    import pandas as pd

FIRST = 20  # cells of a column, which all look like numbers if it may be one of numbers
NO_NUMBERS: tuple[None, set[str]] = (None, set())  # no numbers, which show no mark
EXACT = float(1 << 53)  # beyond it float64 does not hold every whole number


def with_all_numbers(read: Callable[[str], pd.DataFrame], usual: str) -> pd.DataFrame:
    """A table with all columns of numbers read. read: reads it, given the decimal mark, "." or ",",
    by which pandas tells numbers; usual: the mark by which its text begins. Numbers such as 1.234,
    which can be read with either, have the usual mark, unless other columns can only have the other
    one, and none only the usual."""
    frame = read(usual)
    other = COMMA if usual == POINT else POINT
    if other in _read_in_place(frame):
        again = read(other)
        if usual not in _read_in_place(again):
            _read_in_place(again, other)
            return again
    _read_in_place(frame, usual)
    return frame


def _read_in_place(frame: pd.DataFrame, usual: str | None = None) -> set[str]:
    """Replace the columns of texts that are all numbers, by their own decimal mark, by these
    numbers: int64, or float64 with decimals or gaps; returns the marks that cells of these can only
    have. A column stays text where no cell tells the mark, as `1,5` does and `1.234` does not,
    unless it has a usual one; with a unit, a word or a code such as 007; and where float64 does not
    hold its whole numbers."""
    import pandas as pd

    shown: set[str] = set()
    for place in range(frame.shape[1]):
        texts = frame.iloc[:, place]
        if not pd.api.types.is_string_dtype(texts):
            continue
        numbers, marks = _numbers(texts, usual)
        if numbers is not None:
            frame.isetitem(place, numbers.to_numpy())
            shown |= marks
    return shown


def _numbers(
    texts: pd.Series[str],
    usual: str | None,
) -> tuple[pd.Series[float] | None, set[str]]:
    """(the numbers that a column of texts and gaps holds, on its index, or None, as _read_in_place
    says; the decimal marks that its cells can only have)."""
    import pandas as pd

    is_text = texts.notna().to_numpy()
    present_texts = texts[is_text].tolist()
    # most texts are words, which the first few tell
    for text in present_texts[:FIRST]:
        if not isinstance(text, str) or numeral(text) is None:
            return NO_NUMBERS
    if not all(isinstance(text, str) for text in present_texts):
        return NO_NUMBERS
    cells = Cells.of(present_texts)
    evidence = NumberEvidence.of(cells)
    shown = set()
    for mark, count in evidence.sure_marks.items():
        if count:
            shown.add(mark)
    marks = sorted(shown) or [usual or ""]
    # what tells both marks, or none, is no column of one notation
    if len(marks) != 1 or not marks[0]:
        return NO_NUMBERS
    notation = evidence.decide(decimal=marks[0])
    if notation is None or notation.unit or notation.magnitudes:
        return NO_NUMBERS
    reading = notation.read(cells)
    if not (reading.state == VALUE).all():
        return NO_NUMBERS
    is_whole = not reading.decimals.any()
    if is_whole and np.abs(reading.value).max() >= EXACT:
        return NO_NUMBERS
    values = np.full(len(texts), np.nan)
    values[is_text] = reading.value
    if is_whole and is_text.all():
        return pd.Series(values.astype(np.int64), index=texts.index), shown
    return pd.Series(values, index=texts.index), shown
