"""Identifiers: columns that name a record, such as row numbers and keys, and say nothing about
it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from aetool.columns.column import Column
from aetool.columns.summary import Summary
from aetool.data.notation.patterns import Pattern
from aetool.data.table import Cells

FEWEST = 20  # rows that tell a counter from numbers that happen to rise
NEARLY_ALL = 0.99  # of the rows go up by one, or have a value of their own
# as people call a column that names records, at either end of its name
# the last letters of userId are one, and those of paid are none
NAMED = Pattern(r"(?i:(?:^|[\W_])(?:id|uuid|guid|key|nr|no|index|hash)$|^id[\W_])|[a-z]I[dD]$")
CODE = Pattern(
    r"(?i)\{?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\}?|(?:0x)?[0-9a-f]{8,128}|[A-Z]{1,6}[-_]?\d{2,12}"
)
SOME_LETTER = Pattern(r"[A-Za-z]")


@dataclass(frozen=True)
class Identifier(Column):
    """A column of row numbers, keys or hashes, which models do not see."""

    kind: ClassVar[str] = "identifier"

    @classmethod
    def infer(cls, summary: Summary, asked: bool) -> Self | None:
        if asked or _counts(summary) or _names_records(summary):
            return cls(summary.name, summary.dtype)
        return None

    def understood(self) -> str:
        return "an identifier"


def _counts(summary: Summary) -> bool:
    """Whether values count rows: the first is a whole number, and nearly all others are one more
    than the value before them."""
    values = summary.values
    if len(values) < FEWEST or (not isinstance(values, Cells) and values.dtype.kind == "M"):
        return False
    if isinstance(values, Cells):
        # read only where the first cells already look like it
        first = _read(summary, values.take(slice(0, FEWEST)))
        if first is None or not _rise_by_one(first):
            return False
        numbers = _read(summary, values)
    else:
        numbers = np.asarray(values, dtype=np.float64)
    return numbers is not None and _rise_by_one(numbers)


def _read(summary: Summary, cells: Cells) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    if summary.numbers is None or summary.numbers.unit:
        return None
    read = summary.numbers.read(cells)
    return read.value


def _rise_by_one(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> bool:
    if not np.isfinite(values[0]) or not float(values[0]).is_integer():
        return False
    # no difference is taken: that of the largest floats is infinite
    goes_on = values[1:] == values[:-1] + 1
    return float(goes_on.mean()) >= NEARLY_ALL


def _names_records(summary: Summary) -> bool:
    """Whether nearly all cells differ, and the first ones look like codes: hex, UUID, or whole
    numbers in a column whose name says so, such as `order_id`."""
    values = summary.values
    if len(values) < FEWEST:
        return False
    if not isinstance(values, Cells):
        return _called_one(summary.name) and _all_whole_and_different(values)
    early = summary.present.take(slice(0, FEWEST))
    texts = early.strings()
    if len(set(texts)) < len(texts) or len(texts) < FEWEST:
        return False
    codes = all(CODE.fullmatch(text) for text in texts)
    letters = any(SOME_LETTER.search(text) for text in texts)
    digits = all(text.isascii() and text.isdigit() for text in texts)
    if not (codes and letters) and not (digits and _called_one(summary.name)):
        return False
    if summary.dates is not None:
        return False
    different, _ = summary.counted
    return len(different) >= NEARLY_ALL * len(summary.present)


def _called_one(name: str) -> bool:
    return NAMED.search(name) is not None


def _all_whole_and_different(values: object) -> bool:
    if not isinstance(values, np.ndarray) or values.dtype.kind != "f":
        return False
    finite = values[np.isfinite(values)]
    whole = len(finite) == len(values) and bool((finite == np.rint(finite)).all())
    return whole and len(np.unique(finite)) >= NEARLY_ALL * len(finite)
