"""Where the features of a table lie, and the Spec that tells models where."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aetool.columns.column import ODD, Modelled
from aetool.columns.column import Features as ColumnFeatures
from aetool.columns.scale import Scale
from aetool.columns.schema import Schema
from aetool.columns.sections import (
    Block,
    Features,
    GapFlags,
    OneHot,
    Section,
    Standardised,
    Waves,
    concatenated,
)
from aetool.model import Float, Spec

if TYPE_CHECKING:
    from aetool.graphs import Graph


@dataclass(frozen=True)
class Layout:
    """The order of the features of a row: numbers, flags of gaps, cycles of dates, one-hot blocks;
    then, in the same order, those of the conditions, columns that the user says records are judged
    by. Places are indices of columns in the input of graphs.

    names: of all columns, conditions too. numbers, flags, waves, levels: those four sections of the
    columns that are predicted. condition: the layout of the conditions, in the same input; None for
    none.
    """

    names: tuple[str, ...]
    numbers: Standardised
    flags: GapFlags
    waves: Waves
    levels: OneHot
    condition: Layout | None = None

    @classmethod
    def of(cls, columns: Sequence[Modelled]) -> Layout:
        """The layout of the features of `columns`, all that models see, in the input's order."""
        names = tuple(column.name for column in columns)
        predicted: list[tuple[int, ColumnFeatures]] = []
        conditions: list[tuple[int, ColumnFeatures]] = []
        for place, column in enumerate(columns):
            # both are in one input: places count over all columns
            features_by_place = conditions if column.condition else predicted
            features_by_place.append((place, column.features))
        layout = cls._of_places(names, predicted)
        if not conditions:
            return layout
        condition = cls._of_places(names, conditions)
        return dataclasses.replace(layout, condition=condition)

    @classmethod
    def of_condition(cls, columns: Sequence[Modelled]) -> Layout:
        """The layout of those of the columns that are conditions, for an input that holds them
        alone, in their order."""
        conditions = [column for column in columns if column.condition]
        names = tuple(column.name for column in conditions)
        features = [column.features for column in conditions]
        return cls._of_places(names, list(enumerate(features)))

    @classmethod
    def _of_places(
        cls,
        names: tuple[str, ...],
        placed: Sequence[tuple[int, ColumnFeatures]],
    ) -> Layout:
        """The layout, without a condition, of columns that have these features. names: of all
        columns of the input.

        placed: for each column its index in the input, and its features.
        """
        places: list[int] = []
        scales: list[Scale] = []
        flagged: list[int] = []
        waves: list[tuple[int, float]] = []
        blocks: list[Block] = []
        for place, features in placed:
            if features.scale is not None:
                places.append(place)
                scales.append(features.scale)
            if features.flagged:
                flagged.append(place)
            for period in features.cycles:
                waves.append((place, period))
            if features.width:
                block = Block(place, features.levels, features.width)
                blocks.append(block)
        return cls(
            names=names,
            numbers=Standardised(tuple(places), tuple(scales)),
            flags=GapFlags(tuple(flagged)),
            waves=Waves(tuple(waves)),
            levels=OneHot(tuple(blocks)),
        )

    @property
    def sections(self) -> list[tuple[int, Section]]:
        """The sections that have any features, in order, each as (index of its first feature,
        section)."""
        placed: list[tuple[int, Section]] = []
        first = 0
        # this order is stored nowhere: bundles of earlier versions rely on it
        for section in (self.numbers, self.flags, self.waves, self.levels):
            if section.width:
                placed.append((first, section))
            first += section.width
        if self.condition is not None:
            # those of the condition lie behind all others
            for place, of_condition in self.condition.sections:
                placed.append((first + place, of_condition))
        return placed

    @property
    def width(self) -> int:
        """How many features a row has, those of the condition included."""
        predicted = self.first_level + self.levels.width
        return predicted + self.conditions

    @property
    def conditions(self) -> int:
        """How many features the condition has, which are the last ones of a row; 0 without it."""
        if self.condition is None:
            return 0
        return self.condition.width

    @property
    def first_level(self) -> int:
        """The index of the first feature of the one-hot blocks, the condition's not counted."""
        first_wave = self.numbers.width + self.flags.width
        return first_wave + self.waves.width

    @property
    def told(self) -> list[int]:
        """Which features of an earlier row a model with context is given, as ascending indices in
        that row: all but the cycles of dates."""
        # cycles of an earlier row's date hardly say more than the row's own
        first_wave = self.numbers.width + self.flags.width
        end = self.width - self.conditions
        before_waves = list(range(first_wave))
        behind_waves = list(range(self.first_level, end))
        of_condition: list[int] = []
        if self.condition is not None:
            of_condition = [end + feature for feature in self.condition.told]
        return before_waves + behind_waves + of_condition

    def lay(self, records: Float) -> Features:
        """Turn records, (rows, columns) in user units, into features, (rows, width) float32. NaN is
        a gap, and so is ODD."""
        # to models an odd cell is a gap: what it costs, the host adds
        is_odd = records == ODD
        records = np.where(is_odd, np.nan, records)
        features = np.zeros((len(records), self.width), dtype=np.float32)
        for first_feature, section in self.sections:
            block = slice(first_feature, first_feature + section.width)
            section.lay(records, features[:, block])
        return features

    def write(self, g: Graph, x: str) -> str:
        """Add the same computation as `lay` to an ONNX graph; returns the name of the features,
        (B, width) float32. x: the name of the records, (B, columns) float64."""
        # the graph does what `lay` does: an odd cell is a gap
        is_odd = g.op("Equal", x, g.exact(ODD))
        gap = g.exact(np.nan)
        values = g.op("Where", is_odd, gap, x)
        parts: list[str] = []
        for _, section in self.sections:
            parts += section.write(g, values)
        return concatenated(g, parts)

    def spec(self, context: int) -> Spec:
        """The Spec that tells models which column each feature belongs to, and what it means.

        context: how many earlier rows models are given beside each row, 0 for none; their features
        follow those of the row.
        """
        # in the order of `sections`
        flags = tuple(enumerate(self.flags.places, start=self.numbers.width))
        # by column the feature that says whether its number is missing; -1 for a number without
        flag_of_column = {place: feature for feature, place in flags}
        gates = [flag_of_column.get(place, -1) for place in self.numbers.places]
        categories = []
        first_level = self.first_level
        for block in self.levels.blocks:
            category = (block.place, first_level, block.width)
            categories.append(category)
            first_level += block.width
        scales = self.numbers.scales
        context_features = context * len(self.told)
        return Spec(
            columns=self.names,
            features=self.width + context_features,
            numeric=np.arange(self.numbers.width),
            owner=np.array(self.numbers.places, dtype=np.int64),
            half=np.array([scale.half for scale in scales]),
            deviation=np.array([scale.deviation for scale in scales]),
            mean=np.array([scale.mean for scale in scales]),
            curved=self.numbers.curved,
            gate=np.array(gates, dtype=np.int64),
            zero=np.array([scale.zero for scale in scales]),
            flags=flags,
            categories=tuple(categories),
            conditions=self.conditions,
            given=context_features,
            told=tuple(self.told),
        )


def table_spec(schema: Schema) -> Spec:
    """The Spec of the features that models get of a table: what each feature of a row is, and of
    which column. schema: how the columns are read, which of them are conditions, and how many
    earlier rows each row has with it."""
    layout = Layout.of(schema.modelled)
    return layout.spec(schema.context)


def table_features(schema: Schema, records: Float) -> Features:
    """Compute the features of a table's records, (rows, features) float32. records: (rows,
    schema.inputs) in user units, each record with the rows before it, as `history.whole` returns
    them."""
    layout = Layout.of(schema.modelled)
    columns = len(layout.names)
    current = layout.lay(records[:, :columns])
    if not schema.context:
        return current
    parts = [current]
    # each row before has its own columns, in the same layout
    for first in range(columns, records.shape[1], columns):
        end = first + columns
        row_before = layout.lay(records[:, first:end])
        # of which not all is told
        parts.append(row_before[:, layout.told])
    return np.concatenate(parts, axis=1)


def prepare_table(g: Graph, schema: Schema, x: str) -> str:
    """Add the computation of `table_features` to graph g; returns the name of the features, (B,
    features) float32. x: the name of the records, (B, schema.inputs) float64, as `history.whole`
    returns them."""
    layout = Layout.of(schema.modelled)
    if not schema.context:
        return layout.write(g, x)
    columns = len(layout.names)
    parts = []
    for first in range(0, schema.inputs, columns):
        end = first + columns
        places = list(range(first, end))
        row = g.take(x, places)
        features = layout.write(g, row)
        # of the rows before not all is told
        if first:
            features = g.take(features, layout.told)
        parts.append(features)
    return concatenated(g, parts)


def prepare_condition(g: Graph, schema: Schema, condition: str) -> str:
    """Add the features of the conditions to graph g; returns their name, (B, features) float32.
    condition: the name of the values of the columns that are conditions, without others, (B,
    conditions) float64 in user units.
    """
    layout = Layout.of_condition(schema.modelled)
    return layout.write(g, condition)


def restore_table(g: Graph, schema: Schema, expected: str) -> str:
    """Add to graph g the way from expected features back to values; returns the name of the values,
    (B, columns) float64 in user units, of the row itself alone. expected: the name of (B,
    features), logits of flags and one-hot blocks, else means.

    Categories come back as the likeliest listed level, a value more likely missing than not as NaN,
    and so does what is context, such as dates and conditions, which models never predict.
    """
    layout = Layout.of(schema.modelled)
    spec = layout.spec(schema.context)
    parts: list[str] = []
    # the place of the column that each value of the parts is of
    order: list[int] = []
    if layout.numbers.width:
        numbers = layout.numbers.restore(g, expected, spec)
        parts.append(numbers)
        order += layout.numbers.places
    parts += layout.levels.restore(g, expected, layout.first_level)
    order += [block.place for block in layout.levels.blocks]
    predicted = set(order)
    every_place = range(len(layout.names))
    context = [place for place in every_place if place not in predicted]
    if context:
        gaps = _write_gaps(g, expected, len(context))
        parts.append(gaps)
        order += context
    # sections are put back into the order of columns
    values = concatenated(g, parts)
    return g.take(values, np.argsort(order))


def _write_gaps(g: Graph, expected: str, columns: int) -> str:
    """Add to graph g a NaN for each record and column, (B, columns) float64; returns the name of
    the result. columns: how many. expected: the name of a value (B, n), n at least 1."""
    # computed from a value that is there, so that it has as many rows as the batch
    first_feature = [0] * columns
    some_feature = g.take(expected, first_feature)
    zero = g.op("Mul", some_feature, g.const(0.0))
    exact_zero = g.double(zero)
    gap = g.exact(np.nan)
    return g.op("Add", exact_zero, gap)
