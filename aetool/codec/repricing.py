"""What a block of text would take with other bounds, in a tenth of the time of encoding it anew.

A search for plans takes nearly all the time of a block. Where the bound of one column changes, only
its plan and those that look at it are searched again: the others stay as good as they were.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from aetool.codec import blocks, records
from aetool.codec.blocks import NO_HINTS
from aetool.codec.columns import Coded
from aetool.codec.planning import Effort, Hints
from aetool.codec.plans import Plan
from aetool.codec.records import Layout, Words
from aetool.codec.rounded_text import RoundedText


@dataclass(frozen=True)
class Price:
    """What a block of text takes at some error bounds. size: bytes of the block by its columns.
    squares: by column the sum of squared errors, in squared units of the column; columns without
    error are not in it. hints: the plans that it was coded by; none where the price is no
    block's."""

    size: int
    squares: dict[str, float]
    hints: Hints = NO_HINTS


@dataclass(eq=False)
class TextPrices:
    """Prices of one text at several sets of bounds, by the plans that were found at one of them.

    rounded: the text's columns within any bounds; layout: how it is coded; words, tails: what is
    stored beside its columns. bounds: by column the largest error, in its unit; hints: the plans
    found with these. columns: by (place from 0, bound) those within these first bounds, with other
    ways to store them.
    """

    rounded: RoundedText
    layout: Layout
    words: Words
    tails: Sequence[Coded]
    bounds: Mapping[str, Fraction]
    hints: Hints
    columns: dict[tuple[int, Fraction | None], Coded] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        piece: bytes,
        layout: Layout,
        hints: Hints,
        rounded: RoundedText | None = None,
    ) -> TextPrices | None:
        """Prices of a text of at least one record, which was encoded by a layout, with the hints
        that this gave. None where the text has no plans of its own for each column: records of
        another number of fields than the layout has names, a shared model, students, or hints that
        are of other columns or none. rounded: the text's columns, under a layout that differs in
        its bounds alone; None: they are not known yet."""
        # one who asks for prices at many bounds has it at hand
        if rounded is None:
            rounded = RoundedText.of(piece, layout)
        if rounded is None:
            return None
        cells = rounded.cells
        column_count = len(layout.names)
        words, tails = records.line_ends(cells, layout)
        # hints of another block, or none
        if len(hints.shape) != column_count + len(tails):
            return None
        prices = cls(rounded, layout, words, tails, layout.bounds, hints)
        encoded_columns = records.coded_columns(cells, layout)
        for place, column in enumerate(encoded_columns):
            name = layout.names[place]
            bound = layout.bounds.get(name)
            prices.columns[place, bound] = column
        return prices

    def at(self, bounds: Mapping[str, Fraction]) -> Price | None:
        """What the block takes at these bounds, by column name the largest error in its unit;
        columns not named are exact. The block is encoded by the plans known so far, but columns
        whose bounds are new, and those that look at them, get new plans. None where a column with a
        new bound has another number of streams than the plans are for. What is known here stays as
        it is, see `take`."""
        columns = []
        squares = {}
        changed: list[bool] = []  # of each stream
        for place, name in enumerate(self.layout.names):
            bound = bounds.get(name)
            column = self._column(place, bound)
            is_changed = bound != self.bounds.get(name)
            stream_count = self.hints.shape[place]
            # plans are known by the numbers of streams, which would all be others
            if is_changed and len(column.streams) != stream_count:
                return None
            changed += [is_changed] * stream_count
            columns.append(column)
            if column.square:
                squares[name] = column.square
        # line ends have no bound, and keep their plan
        coded = [*columns, *self.tails]
        rows = len(self.rounded.cells)
        hints = self._without_plans_of(changed)
        effort = _as_hinted(self.layout.effort, self.hints)
        _, payload, next_hints = blocks.encode(coded, rows, self.words, effort, hints)
        return Price(len(payload), squares, next_hints)

    def take(self, bounds: Mapping[str, Fraction], price: Price) -> None:
        """Take over other bounds, in place: from now on `at` begins with the plans by which their
        price was found. bounds: by column name the largest error, in its unit; price: what `at`
        returned for these bounds."""
        self.bounds = dict(bounds)
        self.hints = price.hints

    def square(self, name: str, bound: Fraction) -> float:
        """The sum of squared errors of a column within a bound, in squared units; 0 for one that
        stays exact. The column alone is encoded for it, once. ValueError if there is none of this
        name."""
        return self.rounded.square(name, bound)

    def _column(self, place: int, bound: Fraction | None) -> Coded:
        """Column number `place`, from 0, encoded within a bound, in its unit; None: exactly. Within
        one of the first bounds it is the encoding with all other ways to store it; else that of
        `RoundedText.column`."""
        # within the first bounds a column may be stored in other ways, too
        first_encoding = self.columns.get((place, bound))
        return self.rounded.column(place, bound) if first_encoding is None else first_encoding

    def _without_plans_of(self, changed: Sequence[bool]) -> Hints:
        """The hints without the plans of streams that changed, and without those of streams whose
        plans look at one that changed: these plans are searched anew. A plan without bins stands in
        the place of each. changed: for each stream of the columns, in order, whether it changed;
        the streams behind these, of line ends, did not."""
        changed_streams = {number for number, is_changed in enumerate(changed) if is_changed}
        plans: list[Plan] = []
        for number, plan in enumerate(self.hints.plans):
            # a plan that looks at changed numbers may suit them no longer
            streams = {number} | plan.looked_at
            is_searched = not streams.isdisjoint(changed_streams)
            plans.append(Plan() if is_searched else plan)
        return dataclasses.replace(self.hints, plans=plans)


def _as_hinted(effort: Effort, hints: Hints) -> Effort:
    """A copy of an effort without what takes long beside plans that are known already, those of
    `hints`: without the plans of the default effort (also_usual) and without mixtures (mixes,
    mixes_symbols). Combinations of columns are left out, too, where no plan asks other columns: of
    a small block they would have been found to save nothing."""
    combines = any(plan.asks_others for plan in hints.plans)
    return dataclasses.replace(
        effort,
        also_usual=False,
        mixes=False,
        mixes_symbols=False,
        combinations=effort.combinations and combines,
    )
