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
        """The columns of a text of at least one record, none rounded yet; None where a block has no
        columns of its own: its records have not all as many fields as the layout has names, or the
        layout has a shared model or students. piece: the text, cut into fields by the layout's
        rule."""
        cells = fields(piece, layout.rule)
        # columns of a model are rounded by what it knows
        by_others = layout.shared is not None or layout.students is not None
        if by_others or cells.columns != len(layout.names):
            return None
        return cls(cells, layout)

    @cached_property
    def is_one_block(self) -> bool:
        """Whether the text becomes one block: its numbers are written alike from begin to end. Else
        it is cut where they begin to be written otherwise, and each part of it may be rounded by
        itself."""
        first_records_of_parts = regimes.cuts(self.cells)
        return not first_records_of_parts

    def column(self, place: int, bound: Fraction | None) -> Coded:
        """Encode column number `place`, from 0, with every number at most `bound` off, in the
        column's unit; None: exactly. It is encoded once for each bound: of a text of at most KEPT
        (2^20) bytes the result is kept in `columns`. Other ways to store it are those of
        `textual.encode` alone; a column whose numbers the bound changes has none."""
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
        """By column the sum of squared errors, in squared units, of an archive within these bounds.
        bounds: by column name the largest error, in the column's unit; columns without error are
        not in the result. ValueError if there is no column of one of the names."""
        squares = {}
        for name, bound in bounds.items():
            square = self.square(name, bound)
            # a bound below the last digit moves nothing
            if square:
                squares[name] = square
        return squares

    def stored(self, bounds: Mapping[str, Fraction]) -> Hashable:
        """A key of what becomes of all columns within these bounds, by name in the column's unit:
        two sets of bounds for which it is equal give archives of the same bytes. ValueError if
        there is no column of one of the names."""
        outcomes = {}
        for name, bound in bounds.items():
            outcomes[name] = self._outcome(name, bound)
        return frozenset(outcomes.items())

    def _outcome(self, name: str, bound: Fraction) -> Outcome:
        """What becomes of the column of this name within a bound, in the column's unit. The column
        is rounded once for each bound; the outcome is kept in `outcomes`. ValueError if there is
        none of this name."""
        place = self.layout.names.index(name)
        outcome = self.outcomes.get((place, bound))
        if outcome is None:
            column = self.column(place, bound)
            outcome = Outcome(column.square, column.meta)
            self.outcomes[place, bound] = outcome
        return outcome
