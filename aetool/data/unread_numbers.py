"""Numbers in a DataFrame that pandas has left as texts, as `1,5` where other columns have points,
or `1.234,50`: read by the notation of their column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from aetool.data.notation.evidence import VALUE
from aetool.data.notation.numbers import NumberEvidence
from aetool.data.notation.numerals import COMMA, POINT, numeral
from aetool.data.table import Cells

if TYPE_CHECKING:
    import pandas as pd

FIRST = 20  # cells of a column, which all look like numbers if it may be one of numbers
NO_NUMBERS: tuple[None, set[str]] = (None, set())  # no numbers, and so no mark that is certain
EXACT = float(1 << 53)  # beyond it float64 does not hold every whole number


def with_all_numbers(
    read: Callable[[str], pd.DataFrame],
    usual: str,
    known: Mapping[str, str],
) -> pd.DataFrame:
    """Read a table as a DataFrame in which all columns of numbers are numbers, also those that
    pandas leaves as texts. read: reads the table by pandas, given the decimal mark, "." or ",";
    usual: the mark of the text's dialect; known: by name the marks of columns that `read` leaves as
    texts, since other records than those that are read tell them. Numbers such as 1.234, which can
    be read with either mark, have the usual one, unless some columns can only have the other mark,
    and none can only have the usual one."""
    return _with_usual_mark(lambda mark: _with_known_marks(read(mark), known), usual)


def _with_known_marks(frame: pd.DataFrame, known: Mapping[str, str]) -> pd.DataFrame:
    """The frame, changed in place, with numbers for the texts of those columns whose decimal marks
    are known, by name; where they are no numbers the texts stay."""
    for place, name in enumerate(frame.columns):
        if name not in known:
            continue
        numbers, _ = _numbers_in(frame.iloc[:, place], known[name])
        if numbers is not None:
            frame.isetitem(place, numbers.to_numpy())
    return frame


def _with_usual_mark(read: Callable[[str], pd.DataFrame], usual: str) -> pd.DataFrame:
    """Read a table as a DataFrame in which all columns of numbers are numbers, as
    `with_all_numbers` says, where no mark of a column is known."""
    frame = read(usual)
    other = COMMA if usual == POINT else POINT
    if other in _replace_by_numbers(frame):
        frame_of_other = read(other)
        if usual not in _replace_by_numbers(frame_of_other):
            # now the columns whose mark nothing shows
            _replace_by_numbers(frame_of_other, other)
            return frame_of_other
    _replace_by_numbers(frame, usual)
    return frame


def _replace_by_numbers(frame: pd.DataFrame, usual: str | None = None) -> set[str]:
    """Replace those columns of texts that are all numbers by these numbers, in place: int64, or
    float64 with decimals or gaps. Returns the decimal marks, "." or ",", that were certain from
    cells of these columns.

    A column has a mark of its own if a cell can be read with one alone, as `1,5` can and `1.234`
    cannot; else `usual` is taken, and without that the column stays text. It also stays text with a
    unit, a word or a code such as 007 in it, and where float64 does not hold its whole numbers.
    """
    import pandas as pd

    sure_marks: set[str] = set()
    for place in range(frame.shape[1]):
        texts = frame.iloc[:, place]
        if not pd.api.types.is_string_dtype(texts):
            continue
        numbers, marks = _numbers_in(texts, usual)
        if numbers is not None:
            frame.isetitem(place, numbers.to_numpy())
            sure_marks |= marks
    return sure_marks


def _numbers_in(
    texts: pd.Series[str],
    usual: str | None,
) -> tuple[pd.Series[float] | None, set[str]]:
    """Read a column of texts and gaps as numbers: (the numbers, on its index, NaN in gaps, or None
    where it stays text, see `_replace_by_numbers`; the decimal marks that are certain from its
    cells)."""
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
    sure_marks = set()
    for mark, count in evidence.sure_marks.items():
        if count:
            sure_marks.add(mark)
    marks = sorted(sure_marks) or [usual or ""]
    # cells of both marks are no column of one notation; without any mark it cannot be read
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
        return pd.Series(values.astype(np.int64), index=texts.index), sure_marks
    return pd.Series(values, index=texts.index), sure_marks
