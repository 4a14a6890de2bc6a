"""A tree of dependences between columns (Chow & Liu 1968, IEEE Trans. Inf. Theory 14:462): each
column's values are counted beside those of one other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aetool.closed_form import Batches, Builder, ClosedForm, Solution, Value, costs
from aetool.errors import DataError
from aetool.model import Float, Int, Spec
from aetool_dependence.cells import Variable, variables_of
from aetool_dependence.tree import begins, parents_of

ROWS = 1 << 15  # that are counted at most
PRIOR_OF_CELL = 0.5  # rows in each cell, beside those that are counted


@dataclass(frozen=True, eq=False)
class Dependences(Solution):
    """A tree of columns: a record costs the surprise of each value, -log p given the value of the
    column that it hangs on; p is that of the value's cell, or with params.widths of a part of it.

    variables: what is counted, numbers and categories. parents: (variables,), the index of the
    variable that each hangs on, its own where it hangs on none. nats: of each variable (cells of
    its parent, cells), the surprise; of one that hangs on none (1, cells). medians: of each number
    (cells of its parent,), what is expected of it; of a category (0,). centre: (features,), what is
    expected whatever the parent: how often flags and levels occur.
    """

    variables: Sequence[Variable]
    parents: Int
    nats: Sequence[Float]
    medians: Sequence[Float]
    centre: Float
    fair: bool = True  # no row counts itself

    def expected(self, g: Builder, x: Value) -> Value:
        """(batch, features): the median of each number where the column that it hangs on is as in
        the record x, (batch, features); of flags and levels how often they occur."""
        usual = x * 0.0 + self.centre
        numbers = self._places_of_numbers
        if not numbers:
            return usual
        tables = [self.medians[number] for number in numbers]
        sizes = [len(table) for table in tables]
        cells = self._cells(g, x)
        parent = self._parent_cells(g, cells, numbers)
        place = parent + begins(sizes)
        index = g.as_index(place)
        medians = g.look_up(np.concatenate(tables), index)
        # behind the usual values, in place of which they are taken
        usual_and_medians = g.side_by_side(usual, medians)
        order = np.arange(g.spec.features)
        for column, number in enumerate(numbers):
            variable = self.variables[number]
            order[variable.feature] = g.spec.features + column
        return g.columns_of(usual_and_medians, order)

    def parts(self, g: Builder, x: Value) -> Value:
        """(batch, columns + 1), in nats: the surprise of each column's value in x, (batch,
        features), beside that of the column which it hangs on; last 0."""
        if not self.variables:
            return costs.by_column(g, x)
        every_variable = range(len(self.variables))
        sizes = [table.size for table in self.nats]
        widths = [table.shape[1] for table in self.nats]
        cells = self._cells(g, x)
        row = self._parent_cells(g, cells, every_variable)
        # a table is stored row after row, a row for each cell of the parent
        first_of_row = row * widths + begins(sizes)
        place = first_of_row + cells
        index = g.as_index(place)
        tables = [table.ravel() for table in self.nats]
        nats = g.look_up(np.concatenate(tables), index)
        owners = [variable.column for variable in self.variables]
        return costs.summed(g, nats, owners)

    def surprise(self, g: Builder, x: Value) -> Value:
        """(batch, columns), in bits, of x, (batch, features): the surprise of each column's value,
        `bits` without the last."""
        bits = self.bits(g, x)
        columns = range(len(g.spec.columns))
        return g.columns_of(bits, list(columns))

    @property
    def _places_of_numbers(self) -> list[int]:
        """The places of the variables that are numbers, rising."""
        places = []
        for place, variable in enumerate(self.variables):
            if variable.is_number:
                places.append(place)
        return places

    def _cells(self, g: Builder, x: Value) -> Value:
        """(batch, variables): the cell that each variable of x, (batch, features), lies in, whole
        numbers from 0 in float32."""
        numbers = [variable for variable in self.variables if variable.is_number]
        categories = [variable for variable in self.variables if not variable.is_number]
        # in the order of the variables, of which numbers come first
        cells = []
        if numbers:
            cells.append(_cells_of_numbers(g, x, numbers))
        if categories:
            cells.append(_cells_of_categories(g, x, categories))
        return g.side_by_side(*cells)

    def _parent_cells(
        self,
        g: Builder,
        cells: Value,
        places: Sequence[int],
    ) -> Value:
        """(batch, k): the cell of the variable that each of `places`, (k,), hangs on, 0 where it
        hangs on none. cells: of all variables, (batch, variables)."""
        children = np.array(places)
        parents = self.parents[children]
        # a root hangs on nothing, and its table has one row
        has_parent = parents != children
        cells_of_parents = g.columns_of(cells, parents)
        cells_or_0: Value = cells_of_parents * has_parent
        return cells_or_0


class DependenceTree(ClosedForm):
    """Fits a tree of dependences: of all trees of columns the one whose pairs of neighbours have
    the most mutual information."""

    def fit(self, batches: Batches) -> Dependences:
        """Count pairs of columns in all rows of batches, or in a random sample of 32,768 of them.
        DataError without rows."""
        x = _sample(batches, self.spec)
        variables = variables_of(self.spec, x, self.params.bins)
        cells = [variable.cells(x) for variable in variables]
        sizes = [variable.size for variable in variables]
        parents = parents_of(cells, sizes)
        nats = []
        medians = []
        for place, variable in enumerate(variables):
            parent = int(parents[place])
            parent_cells = cells[parent]
            parent_size = sizes[parent]
            if parent == place:
                # a root hangs on what is the same in all rows
                parent_cells = np.zeros_like(parent_cells)
                parent_size = 1
            counts = _counts_of_pairs(parent_cells, cells[place], parent_size, variable.size)
            nats_of_pairs = _nats_of_counts(counts, self.params.prior)
            if self.params.widths:
                nats_of_pairs = nats_of_pairs + variable.nats_of_widths
            nats.append(nats_of_pairs)
            medians_of_cells = _medians_by_parent_cell(variable, x, parent_cells, parent_size)
            medians.append(medians_of_cells)
        # how often a flag or level occurs
        centre = x.mean(axis=0)
        centre = centre.clip(0, 1)
        return Dependences(variables, parents, nats, medians, centre)


def _cells_of_numbers(
    g: Builder,
    x: Value,
    numbers: Sequence[Variable],
) -> Value:
    """(batch, numbers): the cell of each of the numbers, one at least, of x, (batch, features):
    whole numbers in float32, the last cell for a missing number."""
    # all at once: a graph of a search for each would be long
    most_edges = max(len(number.edges) for number in numbers)
    count_of_numbers = len(numbers)
    edges = np.full((count_of_numbers, most_edges), np.inf)
    cell_of_step = np.zeros((count_of_numbers, most_edges + 1))
    for place, number in enumerate(numbers):
        count = len(number.edges)
        edges[place, :count] = number.edges
        steps = count + 1
        # behind the last edge nothing lies
        cell_of_step[place, :steps] = number.cell_of_step
    features = [number.feature for number in numbers]
    values = g.columns_of(x, features)
    cells = g.steps(values, edges, cell_of_step)
    gates = np.array([number.gate for number in numbers])
    may_be_missing = gates >= 0
    if not may_be_missing.any():
        return cells
    # of those that have no flag another is read, and does not count
    flags = np.where(may_be_missing, gates, gates.max())
    missing = g.columns_of(x, flags) * may_be_missing
    last_cells = np.array([number.size - 1 for number in numbers])
    # a missing number has its place between all others, too, which does not count
    present = 1.0 - missing
    of_missing = missing * last_cells
    cells_with_missing: Value = cells * present + of_missing
    return cells_with_missing


def _cells_of_categories(
    g: Builder,
    x: Value,
    categories: Sequence[Variable],
) -> Value:
    """(batch, categories): the level of each of the categories, one at least, of x, (batch,
    features), counted from 0."""
    index = [category.places_of_levels for category in categories]
    every_level = np.concatenate(index)
    number_of_level = np.zeros((len(every_level), len(categories)))
    first = 0
    for place, levels in enumerate(index):
        count = len(levels)
        last = first + count
        number_of_level[first:last, place] = np.arange(count)
        first = last
    # by a product: of equal numbers runtimes differ in which they take for the largest
    one_hot = g.columns_of(x, every_level)
    return one_hot @ number_of_level


def _sample(batches: Batches, spec: Spec) -> Float:
    """(rows, features) float64, in the order of the table: all rows in batches, or ROWS (32,768) of
    them, drawn at random. DataError without rows."""
    no_rows = np.zeros((0, spec.features), np.float32)
    rows = np.concatenate([no_rows, *batches])
    if not len(rows):
        raise DataError("no rows to fit")
    if len(rows) > ROWS:
        rng = np.random.default_rng(0)
        drawn = rng.choice(len(rows), ROWS, replace=False)
        in_order = np.sort(drawn)
        rows = rows[in_order]
    return rows.astype(np.float64)


def _counts_of_pairs(
    parent_cells: Int,
    cells: Int,
    parent_size: int,
    size: int,
) -> Int:
    """(parent_size, size): how many rows lie in each pair of a cell of the parent and a cell of the
    variable. parent_cells, cells: (rows,), these cells of each row, from 0; parent_size, size: how
    many cells each of the two has."""
    pair = parent_cells * size + cells
    counts = np.bincount(pair, minlength=parent_size * size)
    return counts.reshape(parent_size, size)


def _nats_of_counts(counts: Int, prior: float) -> Float:
    """The surprise -log p of each cell of a variable, given the cell of its parent, in nats, (cells
    of the parent, cells), for a row that is one of those counted and leaves itself out of p.

    counts: of the same shape, how many rows have each pair of cells. prior: a number of
    pseudo-counts, rows that are added for each cell of the parent, spread over the variable's cells
    by their shares in all rows; in these shares each cell has half a pseudo-count,
    PRIOR_OF_CELL, more.
    """
    in_cell = counts.sum(axis=0)
    of_parent = counts.sum(axis=1, keepdims=True)
    rows = int(in_cell.sum())
    cells = len(in_cell)
    # without the row that is judged; a cell in which no row lies has none to leave out
    others = np.maximum(counts - 1, 0)
    others_in_cell = np.maximum(in_cell - 1, 0)
    others_of_parent = np.maximum(of_parent - 1, 0)
    all_others = max(rows - 1, 0)
    all_priors = PRIOR_OF_CELL * cells
    share = (others_in_cell + PRIOR_OF_CELL) / (all_others + all_priors)
    # never above 1: no pair has more rows than its parent's cell, and no share is above 1
    part = (others + prior * share) / (others_of_parent + prior)
    nats: Float = -np.log(part)
    return nats


def _medians_by_parent_cell(
    variable: Variable, x: Float, parent_cells: Int, parent_size: int
) -> Float:
    """(parent_size,): the median of a number over the rows whose parent lies in each of its cells;
    of a cell without rows that of all rows; (0,) of a category. x: (rows, features); parent_cells:
    (rows,), the parent's cell of each row, from 0 to parent_size - 1."""
    if not variable.is_number:
        return np.zeros(0)
    values = x[:, variable.feature]
    of_all = np.median(values)
    medians = np.full(parent_size, of_all)
    # a cell in which no row lies has the median of all
    for cell in np.unique(parent_cells).tolist():
        is_in_cell = parent_cells == cell
        medians[cell] = np.median(values[is_in_cell])
    return medians
