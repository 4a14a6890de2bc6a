"""Identifiers: columns that name a record, such as row numbers and keys, and say nothing about
it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from aetool.columns.column import Column
from aetool.columns.summary import Summary
from aetool.data.notation.patterns import Pattern
from aetool.data.table import Cells

Numbers = np.ndarray[tuple[int], np.dtype[np.float64]]

FEWEST = 20  # rows that tell a counter from numbers that happen to rise
NEARLY_ALL = 0.99  # of the rows go up by one, or have a value of their own
# as people call a column that names records, at either end of its name
# the last letters of userId are one, and those of paid are none
NAMED = Pattern(
    r"(?i:(?:^|[\W_])(?:id|uuid|guid|key|nr|no|index|hash)$|^id[\W_]"
    # as R's row names are called in files, and the numbers that a drawn sample keeps of them
    r"|^row[\W_]?(?:names?|numbers?)$)|[a-z]I[dD]$"
)
CODE = Pattern(
    r"(?i)\{?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\}?|(?:0x)?[0-9a-f]{8,128}|[A-Z]{1,6}[-_]?\d{2,12}"
)
# of the names of rows: R's, and what stands for an empty heading above them, here and in pandas
OF_ROWS = Pattern(r"(?i:^row[\W_]?names?$)|^column1$|^Unnamed: 0$")
SOME_LETTER = Pattern(r"[A-Za-z]")


@dataclass(frozen=True)
class Identifier(Column):
    """A column of row numbers, keys or hashes, which models do not see. numbers_rows: its values
    are those that rows are counted by, 1, 2, 3 and so on."""

    numbers_rows: bool = False
    kind: ClassVar[str] = "identifier"

    @classmethod
    def infer(cls, summary: Summary, asked: bool) -> Self | None:
        """The column, if its values count rows or name records, or the user asks for it; else
        None."""
        counts_rows = _counts_rows(summary)
        if asked or counts_rows or _names_records(summary):
            return cls(summary.name, summary.dtype, counts_rows and _begins_at_one(summary))
        return None

    def check(self) -> None:
        """Raise ValueError if a field of the column is of a wrong type, as in a damaged file,
        numbers_rows too."""
        super().check()
        self._refuse_unless(isinstance(self.numbers_rows, bool))

    def understood(self) -> str:
        """Words that say how the column was read: "an identifier"."""
        return "an identifier"


def _counts_rows(summary: Summary) -> bool:
    """Whether values count rows: there are at least 20, the first is a whole number, and at least
    99 % of the others are one more than the value before them; of texts this must be so of the
    first 20 by themselves, too. Moments never do."""
    values = summary.values
    if len(values) < FEWEST:
        return False
    if not isinstance(values, Cells):
        # moments may rise evenly, and are none the less no numbers of rows
        is_moment = values.dtype.kind == "M"
        return not is_moment and _rise_by_one(np.asarray(values, dtype=np.float64))
    # all are read only where the first cells already look like it
    first_cells = values.take(slice(0, FEWEST))
    for cells in (first_cells, values):
        numbers = _numbers_in(summary, cells)
        if numbers is None or not _rise_by_one(numbers):
            return False
    return True


def _begins_at_one(summary: Summary) -> bool:
    """Whether the first value of a column that counts rows, by `_counts_rows`, is 1."""
    values = summary.values
    if not isinstance(values, Cells):
        return float(values[0]) == 1
    numbers = _numbers_in(summary, values.take(slice(0, 1)))
    return numbers is not None and float(numbers[0]) == 1


def _numbers_in(summary: Summary, cells: Cells) -> Numbers | None:
    """The numbers in cells, (n,), NaN where there is none; None for a column that is not one of
    numbers, or whose numbers have a unit."""
    if summary.numbers is None or summary.numbers.unit:
        return None
    read = summary.numbers.read(cells)
    return read.value


def _rise_by_one(values: Numbers) -> bool:
    """Whether the first of values, (n,), is a whole number, and at least 99 % of the others are one
    more than the one before. values: two at least."""
    first = float(values[0])
    # neither an infinity nor NaN is whole
    if not first.is_integer():
        return False
    # no difference is taken: that of the largest floats is infinite
    goes_on = values[1:] == values[:-1] + 1
    return float(goes_on.mean()) >= NEARLY_ALL


def _names_records(summary: Summary) -> bool:
    """Whether a column holds names of records, by its own name and by how its values look. False
    for fewer than 20 values.

    Of texts the first 20 that are present must all differ, as must at least 99 % of all that are,
    and the column must not be one of dates. These 20 must be codes by `_look_like_codes`, or keys
    by `_look_like_keys`; or the column is called as files call row names, and is none of numbers.
    Other values must be floats that are finite and whole, at least 99 % of them different, in a
    column that is called like a key.
    """
    values = summary.values
    if len(values) < FEWEST:
        return False
    if not isinstance(values, Cells):
        return _is_called_like_a_key(summary.name) and _all_whole_and_different(values)
    first_cells = summary.present.take(slice(0, FEWEST))
    texts = first_cells.strings()
    are_different = len(set(texts)) == len(texts)
    if not are_different or len(texts) < FEWEST:
        return False
    is_of_rows = OF_ROWS.search(summary.name) is not None and summary.numbers is None
    look_like_names = _look_like_codes(texts) or _look_like_keys(texts, summary.name)
    if not is_of_rows and not look_like_names:
        return False
    # 20240131 is a date before it is a key
    if summary.dates is not None:
        return False
    different, _ = summary.counted
    return len(different) >= NEARLY_ALL * len(summary.present)


def _look_like_codes(texts: Sequence[str]) -> bool:
    """Whether each of texts is a UUID, in braces or not; 8 to 128 hexadecimal digits, behind 0x or
    not; or 1 to 6 letters before 2 to 12 digits, as in AB-1234 or AB1234; and some text has a
    letter."""
    if not all(CODE.fullmatch(text) for text in texts):
        return False
    return any(SOME_LETTER.search(text) for text in texts)


def _look_like_keys(texts: Sequence[str], name: str) -> bool:
    """Whether all texts are digits, 0 to 9, and nothing else, in a column whose name says that it
    names records."""
    if not _is_called_like_a_key(name):
        return False
    return all(text.isascii() and text.isdigit() for text in texts)


def _is_called_like_a_key(name: str) -> bool:
    """Whether a column's name is one that people give to names of records: it ends with a word such
    as id, key, no, index or hash, begins with the word id, or is what files call row names:
    `row_names`, `column1`, `Unnamed: 0`."""
    return NAMED.search(name) is not None or OF_ROWS.search(name) is not None


def _all_whole_and_different(values: object) -> bool:
    """Whether values are an array of floats, all of them finite and whole, of which at least 99 %
    differ."""
    if not isinstance(values, np.ndarray) or values.dtype.kind != "f":
        return False
    if not np.isfinite(values).all():
        return False
    is_whole = values == np.rint(values)
    if not is_whole.all():
        return False
    return len(np.unique(values)) >= NEARLY_ALL * len(values)
