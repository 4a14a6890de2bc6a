"""The tree of dependences: which column tells most of which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aetool.model import Float, Int

MOST_CELLS = 4096  # of the variables among which a tree is sought at once
ROWS_AT_ONCE = 4096  # that are counted by one product


def parents_of(cells: Sequence[Int], sizes: Sequence[int]) -> Int:
    """(variables,): the index of the variable that each hangs on, its own for the root of a tree.

    The tree is the one whose pairs have the most mutual information in sum (Chow & Liu 1968): no
    other tree gives the rows a higher likelihood. Of many variables each stretch of neighbours,
    with 4,096 cells at most, has a tree of its own, so that time grows with their number.
    cells: of each variable (rows,), the cell of each row; sizes: how many cells each has.
    """
    parents = np.arange(len(sizes))
    for stretch in _stretches_of_variables(sizes):
        information = _mutual_information(cells[stretch], sizes[stretch])
        # counted from the first variable of the stretch
        parents_in_stretch = _heaviest_tree(information)
        parents[stretch] = stretch.start + parents_in_stretch
    return parents


def _stretches_of_variables(sizes: Sequence[int]) -> list[slice]:
    """Part variables into stretches of neighbours, each with at most MOST_CELLS (4,096) cells, or
    of one variable. sizes: the cells of each."""
    stretches = []
    first = 0
    cells = 0
    for place, size in enumerate(sizes):
        is_full = cells + size > MOST_CELLS
        if is_full and place > first:
            stretch = slice(first, place)
            stretches.append(stretch)
            first = place
            cells = 0
        cells += size
    if sizes:
        last = slice(first, len(sizes))
        stretches.append(last)
    return stretches


def _mutual_information(cells: Sequence[Int], sizes: Sequence[int]) -> Float:
    """(variables, variables), in nats: the mutual information of each two variables. cells: of each
    variable (rows,), the cell of each row; sizes: how many cells each has."""
    counts = _pair_counts(cells, sizes)
    rows = len(cells[0])
    part = counts / rows
    share = np.diag(part)
    if_independent = np.outer(share, share)
    # where no row is, nothing is added
    ratio = np.ones_like(part)
    has_rows = part > 0
    np.divide(part, if_independent, out=ratio, where=has_rows)
    pointwise = part * np.log(ratio)
    first_cells = begins(sizes)
    by_row = np.add.reduceat(pointwise, first_cells, axis=0)
    by_both = np.add.reduceat(by_row, first_cells, axis=1)
    return np.asarray(by_both)


def begins(sizes: Sequence[int]) -> Int:
    """(n,): where each of several parts begins where all lie one behind the other. sizes: how long
    each is, of one part at least."""
    ends = np.cumsum(sizes)
    # each begins where the one before it ends
    return np.concatenate([[0], ends[:-1]])


def _pair_counts(cells: Sequence[Int], sizes: Sequence[int]) -> Float:
    """(all cells, all cells): how many rows lie in each two cells, of the same variable and of
    others; whole numbers. cells: of each variable (rows,), the cell of each row, from 0; sizes: how
    many cells each has."""
    total = sum(sizes)
    side_by_side = np.stack(cells, axis=1)
    places = side_by_side + begins(sizes)
    counts = np.zeros((total, total))
    for begin in range(0, len(places), ROWS_AT_ONCE):
        end = begin + ROWS_AT_ONCE
        piece = places[begin:end]
        # float32 holds the counts of a piece exactly, and multiplies in half the time
        one_hot = np.zeros((len(piece), total), np.float32)
        np.put_along_axis(one_hot, piece, 1.0, axis=1)
        counts += one_hot.T @ one_hot
    return counts


def _heaviest_tree(weight: Float) -> Int:
    """(n,): the parent of each node in the spanning tree of the largest sum of weights, by Prim's
    algorithm; the root, the node with the most weight in sum, is its own. weight: (n, n),
    symmetric."""
    nodes = len(weight)
    own = np.diag(weight)
    between = weight - np.diag(own)
    weight_of_nodes = between.sum(axis=1)
    root = int(weight_of_nodes.argmax())
    # of each node the one in the tree that it would hang on
    parents = np.full(nodes, root)
    heaviest = between[root].copy()
    is_left = np.ones(nodes, np.bool_)
    is_left[root] = False
    for _ in range(nodes - 1):
        # that of which the tree tells most comes in next
        weight_of_left = np.where(is_left, heaviest, -np.inf)
        added = int(weight_of_left.argmax())
        is_left[added] = False
        by_added = between[added]
        is_heavier = is_left & (by_added > heaviest)
        heaviest[is_heavier] = by_added[is_heavier]
        parents[is_heavier] = added
    return parents
