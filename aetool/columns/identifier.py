"""Identifiers: what names a record and says nothing about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from aetool.columns.column import Column
from aetool.columns.number import Number
from aetool.columns.summary import Summary
from aetool.data.table import Cells

FEWEST = 20  # rows that tell a counter from numbers that happen to rise


@dataclass(frozen=True)
class Identifier(Column):
    """Not modelled."""

    kind: ClassVar[str] = "identifier"

    @classmethod
    def infer(cls, summary: Summary, asked: bool) -> Self | None:
        if asked or _counts(summary):
            return cls(summary.name, summary.dtype)
        return None


def _counts(summary: Summary) -> bool:
    """Whether these are row numbers: whole, and each one more than the one before."""
    values = summary.values
    if isinstance(values, Cells):
        number = Number.infer(summary, False)
        if number is None or number.decimals != 0 or number.gaps:
            return False
        values = number.parse(values)
    if values.dtype.kind == "M" or len(values) < FEWEST:
        return False
    return bool((np.diff(values) == 1).all() and float(values[0]).is_integer())
