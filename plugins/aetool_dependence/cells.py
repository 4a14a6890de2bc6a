"""The cells that the values of a column fall into, so that they can be counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aetool.model import Float, Int, Spec

MARGIN = 0.05  # of the span of a column: beyond it lies what no row was near
LEAST_WIDTH = 1e-3  # of a cell, in standard deviations: what lies closer is as good as equal
LEAST_MARGIN = 1e-5  # in standard deviations: float32 tells no less apart


@dataclass(frozen=True, eq=False)
class Variable:
    """A number or a category, whose values fall into cells, 0 .. size - 1.

    column: the column that it is of. feature: the index of the number, or of the category's first
    level. edges: (k,), rising, between the cells of a number: values below the first edge and above
    the last lie in the last cell, outside. gate: the index of the flag that says that the number is
    missing, which has a cell of its own; -1 for none. levels: how many levels a category has, each
    a cell; 0 for a number. margin: how far beyond all values the outer edges lie. is_counted:
    whether each value of a number has a cell of its own.
    """

    column: int
    feature: int
    edges: Float
    gate: int = -1
    levels: int = 0
    margin: float = 0.0
    is_counted: bool = False

    @property
    def is_number(self) -> bool:
        """Whether it is a number, not a category."""
        return not self.levels

    @property
    def size(self) -> int:
        """How many cells there are: of a number those between edges, one outside, and one for a
        missing value if it may be missing."""
        if self.levels:
            return self.levels
        between = len(self.edges) - 1
        may_be_missing = self.gate >= 0
        return between + 1 + may_be_missing

    @property
    def nats_of_widths(self) -> Float:
        """(size,), in nats: by how much less dense the rows of each cell of a number lie than the
        same rows in its narrowest, whose width counts as 0.001 deviations at least. 0 for a missing
        value; the cell outside counts as the widest. All 0 for a category, and for a number of few
        values, whose cells have no width of their own."""
        nats = np.zeros(self.size)
        if self.levels or self.is_counted:
            return nats
        widths = np.diff(self.edges)
        # as wide as the values in them: beyond these lies the margin
        widths[[0, -1]] -= self.margin
        widths = np.maximum(widths, LEAST_WIDTH)
        relative = np.log(widths / widths.min())
        between = len(widths)
        nats[:between] = relative
        nats[between] = relative.max()
        return nats

    def cells(self, x: Float) -> Int:
        """(rows,): the cell of each row of x, (rows, features)."""
        if self.levels:
            one_hot = x[:, self.places_of_levels]
            return np.asarray(one_hot.argmax(axis=1))
        number = x[:, self.feature]
        step = np.searchsorted(self.edges, number, side="right")
        cell = self.cell_of_step[step].astype(np.int64)
        if self.gate >= 0:
            missing = x[:, self.gate] > 0
            cell = np.where(missing, self.size - 1, cell)
        return cell

    @property
    def places_of_levels(self) -> Int:
        """(levels,): the indices of the features that are the levels of a category."""
        last_level = self.feature + self.levels
        return np.arange(self.feature, last_level)

    @property
    def cell_of_step(self) -> Float:
        """(edges + 1,): the cell of a value below the first edge, then from each edge on; whole
        numbers."""
        between = len(self.edges) - 1
        inside = np.arange(between, dtype=np.float64)
        outside = [float(between)]
        # what lies below all edges, and above them, is of the same cell
        return np.concatenate([outside, inside, outside])


def variables_of(spec: Spec, x: Float, bins: int) -> list[Variable]:
    """The numbers and categories among the features of spec that are judged, with cells for rows x,
    (rows, features), one at least; a number that is missing from all rows is left out. bins: how
    many cells of about as many rows a number has; one of fewer values has a cell each."""
    owners = spec.owners()
    variables = []
    gates = spec.gate.tolist()
    features = spec.numeric.tolist()
    for feature, gate in zip(features, gates, strict=True):
        values = x[:, feature]
        if gate >= 0:
            is_present = x[:, gate] == 0
            values = values[is_present]
        column = int(owners[feature])
        # context is seen, and not judged
        if column >= 0 and len(values):
            variable = _number_with_cells(values, bins, column, feature, gate)
            variables.append(variable)
    for column, first_level, levels in spec.categories:
        if owners[first_level] >= 0:
            no_edges = np.zeros(0)
            variable = Variable(column, first_level, no_edges, levels=levels)
            variables.append(variable)
    return variables


def _number_with_cells(
    values: Float,
    bins: int,
    column: int,
    feature: int,
    gate: int,
) -> Variable:
    """A number with cells for values, (n,), n at least 1: with edges in the middle between values
    that follow each other, where at most `bins` are different, else at quantiles; and before and
    behind all values by a twentieth of their span. column, feature, gate: fields of the
    Variable."""
    different = np.unique(values)
    lowest = different[0]
    highest = different[-1]
    is_counted = len(different) <= bins
    if is_counted:
        # between neighbours
        inner = (different[:-1] + different[1:]) / 2
    else:
        parts = np.linspace(0, 1, bins + 1)
        inner_parts = parts[1:-1]
        quantiles = np.quantile(values, inner_parts)
        # of values that many rows have there are several
        inner = np.unique(quantiles)
    span = float(highest - lowest)
    margin = max(MARGIN * span, LEAST_MARGIN)
    below_all = lowest - margin
    above_all = highest + margin
    edges = np.concatenate([[below_all], inner, [above_all]])
    return Variable(
        column,
        feature,
        edges,
        gate,
        margin=margin,
        is_counted=is_counted,
    )
