"""The kinds of columns there are: a new one is a class in a file of its own, and a line here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from aetool.canonical import Json
from aetool.columns.category import Category
from aetool.columns.column import Column
from aetool.columns.date import ORDERS, Date
from aetool.columns.identifier import Identifier
from aetool.columns.number import Number
from aetool.columns.skip import Skip
from aetool.columns.summary import Summary
from aetool.columns.text import Text
from aetool.errors import ParamError
from aetool.spelling import option

# in the order in which they are asked what a column is: 20241231 is a date before it is a number,
# and text is whatever is left
KINDS: dict[str, type[Column]] = {
    kind.kind: kind for kind in (Identifier, Date, Number, Category, Text, Skip)
}


def decide(summary: Summary, kind: str | None = None) -> Column:
    """The column that a summary is of: of the kind that the user named, or if that is None of the
    first in KINDS that fits; text always does. Text also where the values do not tell a kind that
    the user named, as of numbers without a present cell. ParamError for an unknown kind, or an
    order that is none of ORDERS; DataError for a kind that the values cannot be.

    kind: a name of KINDS; of dates also with the order of their numbers, such as "date:dmy".
    """
    if kind is not None and kind.startswith(f"{Date.kind}:"):
        kind, _, order = kind.partition(":")
        if order not in ORDERS:
            raise ParamError(
                f"{option('--type')} {summary.name}={kind}:{order}: the order of day, month and "
                f"year must be one of {', '.join(ORDERS)}"
            )
        # no cell may tell it, and then a guess would
        summary = dataclasses.replace(summary, date_order=order)
    if kind is not None and kind not in KINDS:
        raise ParamError(
            f"{option('--type')} {summary.name}={kind}: must be one of {', '.join(KINDS)}"
        )
    asked = kind is not None
    for candidate in [KINDS[kind]] if kind is not None else KINDS.values():
        column = candidate.infer(summary, asked)
        if column is not None:
            return column
    return Text(summary.name, summary.dtype)


def from_json(data: Mapping[str, Json]) -> Column:
    """The column that Column.to_json wrote, of the class that its "kind" names. ValueError,
    TypeError or KeyError if it is not one."""
    fields = dict(data)
    kind = fields.pop("kind")
    if kind not in KINDS:
        raise ValueError(f"a column of the unknown kind {kind!r}")
    return KINDS[kind].from_json(fields)
