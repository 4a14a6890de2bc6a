"""Adds to each row of a table the rows before it in its group, which models with context are
given."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from aetool.columns.schema import Schema
from aetool.data.table import Table, as_cells
from aetool.errors import DataError
from aetool.model import Float, Int


class History:
    """Puts the previous rows of the same group beside each row, remembering them from batch to
    batch. Rows of a group are taken in the order they come in. A group consists of the rows with
    one value of the column schema.group; without such a column all rows are one group. Where a
    group has fewer rows before, its first row stands in for those that are missing, so that a row
    is not odd for being the first of its group. schema.context, how many rows before are given,
    must be 1 or more.

    last_of_groups: for each group, by its name, its last rows, (rows, columns), oldest first, at
    most schema.context.
    """

    def __init__(self, schema: Schema, before: Mapping[str, Float] | None = None) -> None:
        """Begin with the rows that were read elsewhere, if any, as ones before those to come.
        before: for each group, by its name, its last rows, (rows, columns), oldest first; None for
        none."""
        self.schema = schema
        self.last_of_groups: dict[str, Float] = {}
        if before is not None:
            self.last_of_groups.update(before)

    def remember(self, X: Float, table: Table) -> None:
        """Remember rows, X: (rows, columns) in user units, as ones before those to come, without
        widening them. table: the same rows, which tells their groups; DataError if it lacks the
        column of groups."""
        for name, rows in self._rows_of_groups(table):
            rows_before = self.last_of_groups.get(name, X[:0])
            all_rows = np.concatenate([rows_before, X[rows]])
            # as many as a row behind them can be given
            steps = self.schema.context
            self.last_of_groups[name] = all_rows[-steps:]

    def wide(self, X: Float, table: Table) -> Float:
        """X, (rows, columns) in user units, as (rows, columns * (context + 1)): each row, beside it
        the row before it in its group, then the one before that; the first row of the group where
        it has none, as if all had been like that before. The last rows of each group are remembered
        for the next batch. table: the same rows, which tells their groups; DataError if it lacks
        the column of groups."""
        steps = self.schema.context
        columns = X.shape[1]
        wide = np.empty((len(X), columns * (steps + 1)))
        for name, rows in self._rows_of_groups(table):
            # a group may go on from the batch before
            rows_before = self.last_of_groups.get(name, np.zeros((0, columns)))
            records = np.concatenate([rows_before, X[rows]])
            for step in range(steps + 1):
                # where each row's row before stands, so many steps earlier
                places = np.arange(len(rows_before), len(records)) - step
                first_column = step * columns
                block = slice(first_column, first_column + columns)
                # a gap would be filled with the mean, which the row may be far from
                wide[rows, block] = records[np.maximum(places, 0)]
            # the next batch needs no rows before the last `steps`
            first_kept = max(0, len(records) - steps)
            self.last_of_groups[name] = records[first_kept:]
        return wide

    def _rows_of_groups(self, table: Table) -> list[tuple[str, Int]]:
        """(name, the indices of its rows, (n,), rising) of each group of a table; one group, named
        "", if the schema has no column of groups. DataError if the table lacks that column."""
        group = self.schema.group
        if not group:
            # a row's history is then whatever rows come before it
            return [("", np.arange(len(table)))]
        if group not in table.names:
            raise DataError(f"no column '{group}', by which the model groups rows")
        levels, index = as_cells(table[group]).distinct()
        # stable: within a group rows stay in their order
        order = np.argsort(index, kind="stable")
        sizes = np.bincount(index, minlength=len(levels))
        ends = np.cumsum(sizes)
        rows_of_groups = np.split(order, ends[:-1])
        return list(zip(levels, rows_of_groups, strict=True))


def whole(schema: Schema, table: Table, name: str) -> Float:
    """Encode all rows of a table, each with the rows before it when they are sorted by the schema's
    column `order`: (rows, inputs) float64, in the table's own order; inputs: modelled columns *
    (context + 1), those of the row first, then those of the rows before as History lays them. name:
    of the source, for messages. DataError as of Schema.encode, and if the table lacks the column of
    groups."""
    X = schema.encode(table, name)
    if not schema.context:
        return X
    order = np.arange(len(table))
    if schema.order:
        names = [column.name for column in schema.modelled]
        place = names.index(schema.order)
        # stable: rows with equal values stay in the order of the source
        order = np.argsort(X[:, place], kind="stable")
    in_order = History(schema).wide(X[order], table.take(order))
    # laid out in order, and put back to where each row stands
    with_history = np.empty((len(X), schema.inputs))
    with_history[order] = in_order
    return with_history
