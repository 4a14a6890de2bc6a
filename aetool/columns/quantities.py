"""Which columns of a table hold amounts, and which hold names that are written in digits."""

from __future__ import annotations

import math
from collections.abc import Sequence

from aetool.columns.category import Category
from aetool.columns.column import Column
from aetool.columns.date import Date
from aetool.columns.identifier import Identifier
from aetool.columns.schema import Schema
from aetool.columns.text import Text


def places_of_names(schema: Schema, names: Sequence[str]) -> frozenset[int]:
    """Return the places, from 0, of the columns whose digits count nothing: identifiers, codes such
    as P7890, dates, and words.

    names: of all columns of the table in their order, those included that the schema leaves out.

    A bound on the error of all numbers is not meant for these: rounded by 1 % of their range, one
    key becomes another, and what refers to it is lost.
    """
    # by name first, since the schema may lack columns of the table
    columns_of_names = {column.name for column in schema.columns if _is_name(column)}
    return frozenset(place for place, name in enumerate(names) if name in columns_of_names)


def _is_name(column: Column) -> bool:
    """Whether the cells of a column name something, rather than measure it."""
    if isinstance(column, Category):
        # few different amounts are read as levels, and are amounts all the same
        return not all(_is_amount(level) for level in column.levels)
    return isinstance(column, Identifier | Date | Text)


def _is_amount(text: str) -> bool:
    """Whether a text is a number and nothing else."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
