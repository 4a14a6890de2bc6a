"""An isolation forest (Liu, Ting & Zhou 2008) in which a record counts as one of the sample.

A tree cuts rows apart at random places until each is alone; who is alone after few cuts lies apart
from the others. Here all nodes of a level cut the same feature, each at a place of its own, so that
what a cut costs or tells is known to be of that feature's column.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aetool.closed_form import Batches, Builder, ClosedForm, Features, Solution, Value, costs
from aetool.errors import DataError, ParamError
from aetool.model import Float, Int, Spec

MOST_NODES = 1 << 18  # of all trees
LEAST_WIDTH = 0.01  # standard deviations: a gap to a value is measured beside no less
NO_CUT = np.inf
LARGEST = float(np.finfo(np.float32).max)

Half = npt.NDArray[np.float16]


@dataclass(frozen=True, eq=False)
class Level:
    """The nodes of all trees at one depth, 2^depth of each tree, tree by tree, with the cut of
    each; arrays (nodes,) if not said otherwise.

    features: (trees,), the index of the feature that each tree cuts. cut: a value above it goes
    right; NO_CUT (infinity) where all rows of a node have one value, or values so close that no
    float16 lies between them. low, high: the lowest and highest value of a node's rows, rounded
    down and up to float16; 0 of a node without rows. least: (trees,), the least width that high -
    low counts as. left: how many cuts more its rows take on average until each is alone. Values are
    standardised.
    """

    features: Int
    cut: Half
    low: Half
    high: Half
    least: Float
    left: Half


@dataclass(frozen=True, eq=False)
class Forest(Solution):
    """A fitted isolation forest: scores a record by how many cuts earlier than usual it is alone.

    levels: of all trees, from the root down; leaves: (leaves,), tree by tree, how many cuts more
    the rows in each leaf take. owner: (features,), the column of each feature, below 0 for the
    context. centre: (features,), usual values: medians, and how often flags and levels occur. A cut
    halves the space on the average, so that a cut is a bit; parts are given in nats. The score is
    the sum of what each cut changes: the cuts that were expected before it, less the one it was and
    those expected after it; the change is of the column that is cut.

    A record beyond the values of a node's rows is cut off from all of them with the probability
    that a cut between the farthest values, its own among them, falls into the gap: it is treated as
    if it were one of the sample, so that rows that are need no others to judge them.
    """

    levels: list[Level]
    leaves: Half
    owner: Int  # (features,): the column of each feature
    centre: Float
    fair: bool = True

    def expected(self, g: Builder, x: Value) -> Value:
        """(batch, features): the usual values, `centre`, for every record of x, (batch,
        features)."""
        return x * 0.0 + self.centre

    def parts(self, g: Builder, x: Value) -> Value:
        """(batch, columns + 1), in nats, the mean over trees: by how much earlier the cuts of each
        column leave the record alone than was expected, below 0 where they are later; last 0. x:
        (batch, features)."""
        trees = len(self.levels[0].features)
        # in which node of its level each tree has the record, (batch, trees): at first in the root
        node = g.columns_of(x, [0] * trees) * 0.0
        alive = node + 1.0  # the probability that a record is not alone yet
        cuts_left = [level.left for level in self.levels]
        tables = [*cuts_left, self.leaves]
        # how many cuts more a record takes on the average, before each cut
        expected = _looked_up(g, tables[0], node, trees)
        changes = []
        owner: list[int] = []
        tables_below = tables[1:]
        for level, table_below in zip(self.levels, tables_below, strict=True):
            value = g.columns_of(x, level.features)
            cut = _looked_up(g, level.cut, node, trees)
            stays = _chance_of_staying(g, level, value, node)
            # how many cuts this level takes; where rows of one value are not cut, only a record of
            # another value makes a cut of it
            is_cut = g.as_number(cut < LARGEST)
            spent = is_cut * stays + (1.0 - stays)
            first_child = node * 2.0
            goes_right = g.as_number(value > cut)
            # the children of node n are 2 n and 2 n + 1
            node = first_child + goes_right
            expected_below = _looked_up(g, table_below, node, trees)
            # less what is expected below, if the record is not alone yet, and this cut
            change = expected - stays * expected_below - spent
            changes.append(alive * change)
            columns = self.owner[level.features]
            owner += columns.tolist()
            alive = alive * stays
            expected = expected_below
        every_change = g.side_by_side(*changes)
        total = costs.summed(g, every_change, owner)
        # in nats, and on the average of all trees
        return total * (math.log(2) / trees)

    def surprise(self, g: Builder, x: Value) -> Value:
        """(batch, columns), in bits: what each column of x, (batch, features), adds to the
        score."""
        bits = self.bits(g, x)
        columns = range(len(g.spec.columns))
        return g.columns_of(bits, list(columns))


def _chance_of_staying(
    g: Builder,
    level: Level,
    value: Value,
    node: Value,
) -> Value:
    """The probability that a cut does not part a record from all rows of its node, for each tree:
    (batch, trees), above 0, 1 for a record between their lowest and highest value. value: (batch,
    trees), of the feature that each tree cuts; node: (batch, trees) float32, the number, from 0, of
    the node of this level in which each tree has the record."""
    trees = len(level.features)
    low = _looked_up(g, level.low, node, trees)
    high = _looked_up(g, level.high, node, trees)
    width = g.maximum(high - low, level.least)
    gap = g.maximum(low - value, value - high)
    beyond = g.relu(gap)
    return width / (width + beyond)


def _looked_up(
    g: Builder,
    table: Half,
    node: Value,
    trees: int,
) -> Value:
    """Look up a table of all nodes of a level, (nodes,), at the node in which each tree has the
    record: (batch, trees). node: (batch, trees) float32, its number within its tree, from 0; table:
    tree by tree."""
    nodes_of_a_tree = len(table) // trees
    first = np.arange(trees) * nodes_of_a_tree
    stored = g.const(table, np.float16)
    index = g.as_index(node + first)
    entry = g.look_up(stored, index)
    return g.as_number(entry)


class Trees(ClosedForm):
    """Grows an isolation forest: all trees side by side, level by level."""

    def fit(self, batches: Batches) -> Forest:
        """Grow the forest on random samples of the rows in batches. DataError without rows;
        ParamError if trees * 2^depth is more than MOST_NODES (262,144)."""
        no_rows = np.zeros((0, self.spec.features), np.float32)
        x = np.concatenate([no_rows, *batches])
        if not len(x):
            raise DataError("no rows to fit")
        trees = self.params.trees
        depth = self.params.depth
        leaves = trees << depth
        if leaves > MOST_NODES:
            raise ParamError(
                f"trees={trees} with depth={depth} have {leaves} leaves, and at most {MOST_NODES} "
                "are stored: lower one of the two"
            )
        rng = np.random.default_rng(0)
        most = self.params.sample
        rows = _random_samples(rng, len(x), trees, most)
        growing = _Growing(self.spec, x, rows, rng)
        # all trees at once
        for _ in range(depth):
            growing.cut()
        levels, cuts_in_leaves = growing.done()
        return Forest(
            levels=levels,
            leaves=cuts_in_leaves,
            owner=self.spec.owners(),
            centre=_usual_values(self.spec, x),
        )


class _Growing:
    """Trees while they grow, level by level: in which node of its tree each sampled row is. After
    `cut`, once for each level, `done` returns them.

    x: (n, features); rows: (trees, sample), the numbers of the rows of x that each tree is grown
    from. node: (trees, sample), 0 .. 2^depth - 1. units: what may be cut, (first feature, how many
    features) of each: a number, a flag, or all levels of a category. counts: for each level, from
    the root on, how many rows are in each node, tree by tree.
    """

    def __init__(
        self,
        spec: Spec,
        x: Features,
        rows: Int,
        rng: np.random.Generator,
    ) -> None:
        """Begin with all sampled rows in the roots. spec: the layout of x, (rows, features); rows:
        (trees, sample), the numbers of the rows that each tree has; rng: draws every cut."""
        self.x = x
        self.rows = rows
        self.rng = rng
        # each number, flag and category is as likely to be cut as any other
        self.units = [(int(feature), 1) for feature in spec.numeric]
        self.units += [(feature, 1) for feature, _ in spec.flags]
        self.units += [(first, width) for _, first, width in spec.categories]
        self.least = np.full(spec.features, LEAST_WIDTH)
        self.least[spec.numeric] = np.maximum(spec.half, LEAST_WIDTH)
        features = np.arange(spec.features)
        self.is_number = np.isin(features, spec.numeric)
        trees, sample = rows.shape
        self.tree = np.arange(trees)[:, None]
        self.node = np.zeros(rows.shape, dtype=np.int64)
        # how many rows are in each node, level by level: at first all in the root
        self.counts = [np.full(trees, sample)]
        self.levels: list[Level] = []

    def cut(self) -> None:
        """Split all nodes of the last level: each tree along one feature that is drawn for it, each
        node at a place that is drawn from the range of its rows (0.5 of flags and levels). Where
        all rows of a node are equal in that feature, all go left. Adds to `levels` and `counts`,
        and moves each row to its new `node`."""
        trees = len(self.rows)
        nodes = trees << len(self.levels)
        nodes_of_a_tree = nodes // trees
        features = self._random_features()
        values = self.x[self.rows, features[:, None]]
        # the number of each row's node among those of all trees
        node_of_all = self.tree * nodes_of_a_tree + self.node
        low, high = self._lowest_and_highest(node_of_all, values, nodes)
        part = self.rng.random(nodes)
        # flags and levels are 0 or 1: any cut between these parts them alike
        is_binary = ~self.is_number[features]
        at_half = np.repeat(is_binary, nodes_of_a_tree)
        part[at_half] = 0.5
        width = high - low
        drawn_cut = low + part * width
        drawn_cut = drawn_cut.astype(np.float16)
        # rounded, a cut may lie at or beyond the highest value, and would part nothing
        between = (drawn_cut >= low) & (drawn_cut < high)
        cut = np.where(between, drawn_cut, np.float16(NO_CUT))
        goes_right = values > cut[node_of_all]
        self.node = 2 * self.node + goes_right
        node_of_all = 2 * node_of_all + goes_right
        counts = np.bincount(node_of_all.ravel(), minlength=2 * nodes)
        self.counts.append(counts)
        level = Level(
            features=features,
            cut=cut,
            low=_rounded_to_half(low, -np.inf),
            high=_rounded_to_half(high, np.inf),
            least=self.least[features],
            # known when the trees are grown
            left=np.zeros(0, np.float16),
        )
        self.levels.append(level)

    def _lowest_and_highest(
        self,
        place: Int,
        values: Features,
        nodes: int,
    ) -> tuple[Features, Features]:
        """(lowest, highest), (nodes,) both, of the values in each node; 0 in one without rows.
        place: (trees, sample), the node, 0 .. nodes - 1 over all trees, in which each of the
        values, (trees, sample), is."""
        low = np.full(nodes, np.inf, dtype=np.float32)
        high = np.full(nodes, -np.inf, dtype=np.float32)
        flat_place = place.ravel()
        flat_values = values.ravel()
        np.minimum.at(low, flat_place, flat_values)
        np.maximum.at(high, flat_place, flat_values)
        # nothing comes to a node without rows
        is_empty = self.counts[-1] == 0
        low[is_empty] = 0.0
        high[is_empty] = 0.0
        return low, high

    def _random_features(self) -> Int:
        """(trees,): the index of a feature drawn for each tree to cut: a number, a flag, or of a
        category the level that a random one of the tree's rows has."""
        trees, sample = self.rows.shape
        units = self.rng.integers(0, len(self.units), trees)
        place_in_sample = self.rng.integers(0, sample, trees)
        every_tree = np.arange(trees)
        row = self.rows[every_tree, place_in_sample]
        features = np.zeros(trees, dtype=np.int64)
        for tree, unit in enumerate(np.asarray(units).tolist()):
            first, width = self.units[unit]
            features[tree] = first
            if width > 1:
                end = first + width
                # a level that no row of the tree has would cut nothing off
                levels = self.x[row[tree], first:end]
                features[tree] += levels.argmax()
        return features

    def done(self) -> tuple[list[Level], Half]:
        """The trees, once all levels are cut: (levels, leaves).

        levels: those that were cut, from the root down, with `left` filled in. leaves: (leaves,),
        tree by tree, how many further random cuts it would take, on average, until a row of that
        leaf is alone.
        """
        leaves = _mean_cuts(self.counts[-1])
        cuts_left = leaves
        levels: list[Level] = []
        for level in reversed(self.levels):
            # the mean of both children, by their rows; where there is no cut all are in the first
            depth = len(self.levels) - len(levels)
            children = self.counts[depth]
            cuts_of_children = cuts_left * children
            total = cuts_of_children.reshape(-1, 2).sum(axis=1)
            count = children.reshape(-1, 2).sum(axis=1)
            cuts_left = total / np.maximum(count, 1)
            # a node's own cut is one more
            cuts_left = cuts_left + np.isfinite(level.cut)
            as_stored = cuts_left.astype(np.float16)
            finished = dataclasses.replace(level, left=as_stored)
            levels.append(finished)
        levels.reverse()
        return levels, leaves.astype(np.float16)


def _random_samples(
    rng: np.random.Generator,
    rows: int,
    trees: int,
    most: int,
) -> Int:
    """(trees, sample): the numbers of rows that each tree is grown from, drawn by rng: no row twice
    in one tree, nor in two of a group of rows // sample trees, one after the other. sample: `most`,
    or `rows` where that is fewer."""
    sample = min(rows, most)
    at_once = rows // sample
    rounds = math.ceil(trees / at_once)
    orders = []
    for _ in range(rounds):
        order = rng.permutation(rows)
        orders.append(order[: at_once * sample])
    samples = np.concatenate(orders)
    samples = samples.reshape(-1, sample)
    return samples[:trees]


def _mean_cuts(counts: Int) -> Float:
    """For each n in counts, of any shape, the average number of random cuts until one of n rows is
    alone: 2 H(n - 1) - 2 (n - 1) / n, with H the harmonic numbers; 0 for n of 0 or 1 (Liu et al.
    2008, equation 1)."""
    most = int(counts.max(initial=1))
    harmonic = np.zeros(most + 1)
    reciprocals = 1 / np.arange(1, most + 1)
    harmonic[1:] = np.cumsum(reciprocals)
    others = np.maximum(counts - 1, 0)
    parts = 2 * others / np.maximum(counts, 1)
    cuts: Float = 2 * harmonic[others] - parts
    return cuts


def _rounded_to_half(values: Features, towards: float) -> Half:
    """Values, of any shape, as float16, rounded up if `towards` is inf, down if it is -inf, so that
    a range of values lies within its rounded ends."""
    rounded = values.astype(np.float16)
    has_passed = rounded > values
    if towards > 0:
        has_passed = rounded < values
    neighbour = np.nextafter(rounded, np.float16(towards))
    return np.where(has_passed, neighbour, rounded)


def _usual_values(spec: Spec, x: Features) -> Float:
    """The usual value of each feature, (features,): of numbers the median of those that are not
    missing, 0 if all are; of flags and levels how often they occur. x: (rows, features), one at
    least."""
    mean = x.mean(axis=0, dtype=np.float64)
    centre = mean.clip(0, 1)
    gated_numbers = zip(spec.numeric, spec.gate, strict=True)
    for feature, gate in gated_numbers:
        values = x[:, feature]
        if gate >= 0:
            is_present = x[:, gate] == 0
            values = values[is_present]
        centre[feature] = np.median(values) if len(values) else 0.0
    return np.asarray(centre)
