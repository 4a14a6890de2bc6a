"""Where the features of a table lie, and the Spec that tells models where."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aetool.columns.column import ODD, Modelled
from aetool.columns.column import Features as ColumnFeatures
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
    by.

    names: of all columns, conditions too. numbers, flags, waves, levels: those four sections of the
    columns that are predicted. condition: the layout of the conditions; None for none.
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
        placed = list(enumerate(columns))
        predicted = cls._of_places(names, [(i, c.features) for i, c in placed if not c.condition])
        conditions = [(i, c.features) for i, c in placed if c.condition]
        if conditions:
            return dataclasses.replace(predicted, condition=cls._of_places(names, conditions))
        return predicted

    @classmethod
    def of_condition(cls, columns: Sequence[Modelled]) -> Layout:
        """The layout of those of the columns that are conditions, for an input that holds them
        alone."""
        conditions = [column for column in columns if column.condition]
        names = tuple(column.name for column in conditions)
        return cls._of_places(names, [(i, column.features) for i, column in enumerate(conditions)])

    @classmethod
    def _of_places(
        cls,
        names: tuple[str, ...],
        placed: Sequence[tuple[int, ColumnFeatures]],
    ) -> Layout:
        """The layout, without a condition, of columns that have these features. names: of all
        columns.

        placed: for each column its index in the input, and its features.
        """
        scaled = [(i, f.scale) for i, f in placed if f.scale is not None]
        return cls(
            names,
            Standardised(tuple(i for i, _ in scaled), tuple(scale for _, scale in scaled)),
            GapFlags(tuple(i for i, f in placed if f.flagged)),
            Waves(tuple((i, period) for i, f in placed for period in f.cycles)),
            OneHot(tuple(Block(i, f.levels, f.width) for i, f in placed if f.width)),
        )

    @property
    def sections(self) -> list[tuple[int, Section]]:
        """(index of its first feature, section) of each section that has any features, in order."""
        out: list[tuple[int, Section]] = []
        first = 0
        # this order is stored nowhere: bundles of earlier versions rely on it
        for section in (self.numbers, self.flags, self.waves, self.levels):
            if section.width:
                out.append((first, section))
            first += section.width
        if self.condition is not None:
            out += [(first + after, section) for after, section in self.condition.sections]
        return out

    @property
    def width(self) -> int:
        """How many features a row has, those of the condition included."""
        predicted = self.numbers.width + self.flags.width + self.waves.width + self.levels.width
        return predicted + self.conditions

    @property
    def conditions(self) -> int:
        """How many features the condition has, which are the last ones of a row; 0 without it."""
        return 0 if self.condition is None else self.condition.width

    @property
    def first_level(self) -> int:
        """The index of the first feature of the one-hot blocks, the condition's not counted."""
        return self.numbers.width + self.flags.width + self.waves.width

    @property
    def told(self) -> list[int]:
        """Which features of an earlier row a model with context is given, as ascending indices: all
        but the cycles of dates."""
        # cycles of an earlier row's date hardly say more than the row's own
        first_wave = self.numbers.width + self.flags.width
        end = self.width - self.conditions
        predicted = [*range(first_wave), *range(self.first_level, end)]
        if self.condition is None:
            return predicted
        return predicted + [end + feature for feature in self.condition.told]

    def lay(self, records: Float) -> Features:
        """Turn records, (rows, columns) in user units, into features, (rows, width) float32."""
        # to models an odd cell is a gap: what it costs, the host adds
        records = np.where(records == ODD, np.nan, records)
        out = np.zeros((len(records), self.width), dtype=np.float32)
        for first, section in self.sections:
            section.lay(records, out[:, first : first + section.width])
        return out

    def write(self, g: Graph, x: str) -> str:
        """Add the same computation as `lay` to an ONNX graph; returns the name of the features,
        (B, width) float32. x: the name of the records, (B, columns) float64."""
        # the graph does what `lay` does: an odd cell is a gap
        odd = g.op("Equal", x, g.exact(ODD))
        values = g.op("Where", odd, g.exact(np.nan), x)
        parts: list[str] = []
        for _, section in self.sections:
            parts += section.write(g, values)
        return concatenated(g, parts)

    def spec(self, context: int) -> Spec:
        """The Spec that tells models which column each feature belongs to, and what it means.

        context: how many earlier rows models are given beside each row.
        """
        # in the order of `sections`
        first_flag = self.numbers.width
        first_level = self.first_level
        flags = tuple((first_flag + j, place) for j, place in enumerate(self.flags.places))
        # a number counts only where its flag says that it is there
        flag_of = {place: feature for feature, place in flags}
        categories = []
        for block in self.levels.blocks:
            categories.append((block.place, first_level, block.width))
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
            gate=np.array([flag_of.get(i, -1) for i in self.numbers.places], dtype=np.int64),
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
    return Layout.of(schema.modelled).spec(schema.context)


def table_features(schema: Schema, records: Float) -> Features:
    """Compute the features of a table's records, (rows, features) float32. records: (rows, inputs)
    in user units, each record with the rows before it."""
    layout = Layout.of(schema.modelled)
    columns = len(layout.names)
    current = layout.lay(records[:, :columns])
    if not schema.context:
        return current
    # each row before has its own columns, in the same layout
    before = [
        layout.lay(records[:, i : i + columns]) for i in range(columns, records.shape[1], columns)
    ]
    return np.concatenate([current, *(row[:, layout.told] for row in before)], axis=1)


def prepare_table(g: Graph, schema: Schema, x: str) -> str:
    """Add the computation of `table_features` to graph g; returns the name of the features, (B,
    features) float32. x: the name of the records, (B, inputs) float64."""
    layout = Layout.of(schema.modelled)
    if not schema.context:
        return layout.write(g, x)
    columns = len(layout.names)
    parts = []
    for first in range(0, schema.inputs, columns):
        row = g.take(x, list(range(first, first + columns)))
        features = layout.write(g, row)
        # of the rows before not all is told
        parts.append(g.take(features, layout.told) if first else features)
    return concatenated(g, parts)


def prepare_condition(g: Graph, schema: Schema, condition: str) -> str:
    """Add the features of the conditions to graph g; returns their name, (B, features) float32.
    condition: the name of the values of the columns that are conditions, without others, (B,
    conditions) float64 in user units.
    """
    return Layout.of_condition(schema.modelled).write(g, condition)


def restore_table(g: Graph, schema: Schema, expected: str) -> str:
    """Add to graph g the way from expected features back to values; returns the name of the values,
    (B, columns) in user units. expected: (B, features), logits of flags and one-hot blocks, else
    means.

    Categories come back as the likeliest listed level, a value more likely missing than not as NaN,
    and so does what is context, such as dates and conditions, which models never predict.
    """
    layout = Layout.of(schema.modelled)
    spec = layout.spec(schema.context)
    parts: list[str] = []
    order: list[int] = []
    if layout.numbers.width:
        parts.append(layout.numbers.restore(g, expected, spec))
        order += layout.numbers.places
    parts += layout.levels.restore(g, expected, layout.first_level)
    order += [block.place for block in layout.levels.blocks]
    predicted = set(order)
    context = [i for i in range(len(layout.names)) if i not in predicted]
    if context:
        # as many rows as the batch has
        zero = g.op("Mul", g.take(expected, [0] * len(context)), g.const(0.0))
        parts.append(g.op("Add", g.double(zero), g.exact(np.nan)))
        order += context
    return g.take(concatenated(g, parts), np.argsort(order))
