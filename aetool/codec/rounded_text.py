"""How far off a text's numbers are within error bounds, without a search for how to code them.

Rounding a column takes a hundredth of the time of encoding a block: of many sets of bounds those
that lose too much are known before anything is written.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

import numpy as np

from aetool.codec import records, regimes, textual
from aetool.codec.columns import Coded
from aetool.codec.metas import Meta
from aetool.codec.records import Layout
from aetool.csv.fields import Fields, fields
from aetool.data.table import Bytes

# a column, by its place from 0, and the largest error that it may have, None for none
PlaceAndBound = tuple[int, Fraction | None]
KEPT = 1 << 20  # bytes of a text whose rounded columns are kept, to be coded perhaps


@dataclass(frozen=True)
class Outcome:
    """What becomes of a column within a bound. square: the sum of squared errors, in squared units;
    meta: how it is stored, with which its rounded numbers are known."""

    square: float
    meta: Meta


@dataclass(eq=False)
class RoundedText:
    """The columns of one text, rounded within error bounds, each once for each bound.

    cells: the fields of the text; layout: how it is coded; its own bounds are not looked at.
    columns: by (place from 0, bound) those that were rounded so far, of a text of at most KEPT
    (2^20) bytes; outcomes: what became of each of them.
    """

    cells: Fields
    layout: Layout
    columns: dict[PlaceAndBound, Coded] = field(default_factory=dict)
    outcomes: dict[PlaceAndBound, Outcome] = field(default_factory=dict)

    @classmethod
    def of(cls, piece: bytes, layout: Layout) -> RoundedText | None:
        """The columns of a text, at least one record, none rounded yet; None where a block has no
        columns of its own: records of several numbers of fields, a shared model, or students."""
        cells = fields(piece, layout.rule)
        # columns of a model are rounded by what it knows
        by_others = layout.shared is not None or layout.students is not None
        if by_others or cells.columns != len(layout.names):
            return None
        return cls(cells, layout)

    @cached_property
    def is_one_block(self) -> bool:
        """Whether the text becomes one block; else, where numbers begin to be written otherwise,
        each part of it may be rounded by itself."""
        first_records_of_parts = regimes.cuts(self.cells)
        return not first_records_of_parts

    def column(self, place: int, bound: Fraction | None) -> Coded:
        """Column number `place`, from 0, within a bound, in its unit; None: exactly. It has no
        other ways to be stored than its first ones: numbers that are rounded have none."""
        encoded = self.columns.get((place, bound))
        # to read the numbers takes as long as to code them
        if encoded is None:
            text: Bytes = np.frombuffer(self.cells.text, np.uint8)
            start, stop = records.spans_of(self.cells, place)
            name = self.layout.names[place]
            mark = self.layout.marks.get(name)
            encoded = textual.encode(
                text,
                start,
                stop,
                bound=bound,
                mark=mark,
            )
            # of a large text each takes as much memory as its numbers
            if len(text) <= KEPT:
                self.columns[place, bound] = encoded
        return encoded

    def square(self, name: str, bound: Fraction) -> float:
        """The sum of squared errors of a column within a bound, in squared units; 0 for one that
        stays exact. ValueError if there is none of this name."""
        return self._outcome(name, bound).square

    def squares(self, bounds: Mapping[str, Fraction]) -> dict[str, float]:
        """By column the sum of squared errors, in squared units, of an archive within these bounds,
        by name in the column's unit; columns without error are not in it."""
        squares = {}
        for name, bound in bounds.items():
            square = self.square(name, bound)
            # a bound below the last digit moves nothing
            if square:
                squares[name] = square
        return squares

    def stored(self, bounds: Mapping[str, Fraction]) -> Hashable:
        """A key of what becomes of all columns within these bounds, by name in the column's unit:
        two sets of bounds for which it is equal give archives of the same bytes."""
        outcomes = {}
        for name, bound in bounds.items():
            outcomes[name] = self._outcome(name, bound)
        return frozenset(outcomes.items())

    def _outcome(self, name: str, bound: Fraction) -> Outcome:
        """What becomes of the column of this name within a bound; it is rounded for it once."""
        place = self.layout.names.index(name)
        outcome = self.outcomes.get((place, bound))
        if outcome is None:
            column = self.column(place, bound)
            outcome = Outcome(column.square, column.meta)
            self.outcomes[place, bound] = outcome
        return outcome
