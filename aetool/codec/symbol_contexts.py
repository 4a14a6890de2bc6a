"""The contexts by which a mixture foretells the symbols of a stream, as its plan says them.

The contexts are of the stream's own last symbols, of the features of its plan, one more of them in
each, and of up to four other streams: their symbols or their values in the same row. A wide mixture
has more, for what returns (the load of this hour the day before), what drifts, and what changed of
late.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aetool.codec import regression, symbol_mixing
from aetool.codec.mixing import WORD
from aetool.codec.plans import OwnSymbol, Plan, Transform
from aetool.codec.rans import U32
from aetool.codec.regression import I32, Numbers
from aetool.codec.streams import Known, Stream, named_column
from aetool.codec.symbol_mixing import (
    LAST,
    LEVEL,
    MEAN,
    MEAN_LEVEL,
    MOST_MET,
    NOTHING,
    QUICK_MET,
    RECENT,
    SIX,
    THREE,
    TWO,
    Layout,
)

# of mixing.mixed_hash, as numbers of 64 bits
LOW_WORD = np.uint64(WORD)
FIRST_FACTOR = np.uint64(0x9E3779B1)
SECOND_TERM = np.uint64(0x7F4A7C15)
FIRST_SHIFT = np.uint64(15)
LAST_FACTOR = np.uint64(0x85EBCA6B)
LAST_SHIFT = np.uint64(13)
# of the stream's own symbols alone
OWN_KINDS = (NOTHING, LAST, TWO, THREE, SIX)
# of which others, by their places, contexts are made without the stream's own symbols ...
OTHERS_ALONE = (
    (0,),
    (1,),
    (2,),
    (3,),
    (0, 1),
    (0, 1, 2),
    (0, 1, 2, 3),
)
# ... and together with the last of these
OTHERS_BEHIND_LAST = (
    (0,),
    (1,),
    (0, 1),
)
# the same of a wide mixture, and its contexts of what came last beside the same others, and of the
# classes of others
WIDE_OWN_KINDS = (NOTHING, LAST, TWO, SIX)
WIDE_OTHERS_ALONE = (*OTHERS_ALONE, (1, 2), (0, 2))
OTHERS_OF_RECENT = OTHERS_BEHIND_LAST
CLASSES_ALONE = (
    (0, 1),
    (0, 1, 2),
)
CLASSES = 8  # of the symbols of another stream
# sum of the first weights of all contexts of a wide mixture, in 65,536ths: with a weight for each
# that does not depend on how many there are, many would at first foretell too surely
WIDE_WEIGHTS = 104858


def layout_of(
    plan: Plan,
    stream: Stream,
    known: Known,
    count: int,
    feature_values: Sequence[U32],
) -> Layout:
    """The contexts by which a mixture predicts the `count` symbols of a stream, as the plan, which
    must have a mixture, says them. In order: of the stream's own last symbols; of its level, for
    differences; of the first feature, the first two ...; of sets of other streams, alone and with
    the last symbol; and those of a wide mixture. Regressors are added if the mixture has any.
    feature_values: (count,) each, the values of the plan's features but for OwnSymbol. stream: only
    its mask, `present`, is read; known: the streams before it. ArchiveError if the plan asks for a
    stream that is not there, or there are more than symbol_mixing.MOST_VALUES (2^18) symbols, or
    fewer than two different ones."""
    mixture = plan.mixture
    assert mixture is not None
    symbol_mixing.check(count, plan.alphabet)
    others: list[U32] = []
    for number in mixture.others:
        others.append(_numbers_of_other(number, stream, known))
    own_kinds: Sequence[int] = OWN_KINDS
    sets_alone: Sequence[tuple[int, ...]] = OTHERS_ALONE
    if mixture.is_wide:
        own_kinds = WIDE_OWN_KINDS
        sets_alone = WIDE_OTHERS_ALONE
    # archives have no list of contexts: a change of their order makes every mixture unreadable
    contexts = _Contexts(count)
    for kind in own_kinds:
        contexts.add(kind)
    if plan.transform is Transform.DIFFERENCE:
        contexts.add(LEVEL)
        if others:
            contexts.add(LEVEL, others[:1])
    # the class of the last symbol gives way to that symbol itself
    kind_of_features = NOTHING
    for feature in plan.features:
        if isinstance(feature, OwnSymbol):
            kind_of_features = LAST
    for how_many in range(1, len(feature_values) + 1):
        contexts.add(kind_of_features, feature_values[:how_many])
    contexts.add_sets(NOTHING, sets_alone, others)
    contexts.add_sets(LAST, OTHERS_BEHIND_LAST, others)
    first_weight = symbol_mixing.FIRST_WEIGHT
    if mixture.is_wide:
        classes = [_classes_of_other(number, stream, known) for number in mixture.others]
        kind_of_mean = MEAN_LEVEL if plan.transform is Transform.DIFFERENCE else MEAN
        contexts.add_wide(others, classes, kind_of_mean)
        first_weight = WIDE_WEIGHTS // len(contexts.kinds)
    numbers = None
    if mixture.regressors is not None:
        numbers = numbers_of(plan, stream, known, count)
    # a value that lies in no bin adds nothing to the level
    starts = np.append(plan.starts, 0)
    return Layout(
        alphabet=plan.alphabet,
        bases=np.stack(contexts.bases),
        kinds=contexts.kinds,
        starts=starts[: plan.alphabet],
        shift=mixture.shift,
        limits=contexts.limits,
        first_weight=first_weight,
        numbers=numbers,
    )


def numbers_of(
    plan: Plan,
    stream: Stream,
    known: Known,
    count: int,
) -> Numbers:
    """What the `count` symbols of a stream are as numbers, and what predicts these, as its plan,
    which must have a mixture and bins, says it: no regressors, but numbers all the same, where the
    mixture has none. stream: only its mask, `present`, is read; known: the streams before it.
    ArchiveError for a regressor that is not there."""
    assert plan.mixture is not None
    regressors = plan.mixture.regressors or ()
    columns = [regressor_of(number, stream, known) for number in regressors]
    return regression.numbers_of(plan.starts, plan.widths, columns, count)


def regressor_of(number: int, stream: Stream, known: Known) -> I32:
    """The regressor, (n,), that a number of Mixture.regressors names, in the rows in which `stream`
    has values: 0 or more: the stream of that number in the same row; below 0: stream -1 - number in
    the row with a value before. ArchiveError without such a stream in `known`."""
    stream_number = number if number >= 0 else -1 - number
    values = named_column(known.values, stream_number, stream)
    symbols = named_column(known.symbols, stream_number, stream)
    # rows without a value have the symbol behind all others
    column = regression.regressor(values, symbols < known.alphabets[stream_number])
    return column if number >= 0 else regression.earlier(column)


class _Contexts:
    """Collects the contexts of `count` symbols, one after the other, for a Layout: of each its
    base, (count,), a number known ahead of every symbol; its kind, what the stream's own symbols
    before add to that; and its limit, up to how many updates its statistics are plain means."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.bases: list[U32] = []
        self.kinds: list[int] = []
        self.limits: list[int] = []

    def add(self, kind: int, marks: Sequence[U32] = (), limit: int = MOST_MET) -> None:
        """Add one context. kind: NOTHING .. MEAN_LEVEL, what the stream's own symbols before add to
        it; marks: (count,) each, further numbers known ahead, which are hashed into its base;
        limit: up to how many updates its statistics are plain means, 1 .. MOST_MET (255)."""
        # each context has a hash of its own, though they may have the same marks
        number = len(self.kinds)
        base = np.full(self.count, number, np.uint32)
        for mark in marks:
            base = hashed(base, mark)
        self.bases.append(base)
        self.kinds.append(kind)
        self.limits.append(limit)

    def add_sets(
        self,
        kind: int,
        sets_of_places: Sequence[tuple[int, ...]],
        others: Sequence[U32],
    ) -> None:
        """Add a context for each of these sets of places, made of the arrays of `others`, (count,)
        each, at these places, and of what `kind` says. A set, whose places ascend, is left out if
        there is no array at its last place."""
        for places in sets_of_places:
            if places[-1] < len(others):
                chosen = [others[place] for place in places]
                self.add(kind, chosen)

    def add_wide(self, others: Sequence[U32], classes: Sequence[U32], mean: int) -> None:
        """Add the contexts that only a wide mixture has: what came last beside the same others,
        sets of classes, the last two symbols with the first of the others, the mean, the last
        symbol, which forgets soon, and, if there are others, the first of them, which forgets soon,
        and the last symbol with which of them did not change. others: (count,) each, the values of
        other streams that contexts look at; classes: (count,) each, the class of each of these;
        mean: MEAN or MEAN_LEVEL, the kind of the context that has a mean of the symbols before."""
        self.add_sets(RECENT, OTHERS_OF_RECENT, others)
        self.add_sets(NOTHING, CLASSES_ALONE, classes)
        self.add_sets(TWO, ((0,),), others)
        self.add(mean)
        self.add(LAST, limit=QUICK_MET)
        if others:
            self.add(NOTHING, others[:1], QUICK_MET)
            self.add(LAST, [_unchanged(others)])


def hashed(first: U32, second: U32) -> U32:
    """Hash the numbers of two arrays, (n,) uint32 each, pair by pair: (n,) uint32,
    mixing.mixed_hash of each pair, whose order counts."""
    # products of 32 bits fit 64, where nothing is lost before the cut
    first_wide = first.astype(np.uint64)
    second_wide = second.astype(np.uint64)
    of_first = first_wide * FIRST_FACTOR
    of_second = second_wide + SECOND_TERM
    of_second += first_wide >> FIRST_SHIFT
    scattered = (of_first ^ of_second) & LOW_WORD
    scattered = scattered * LAST_FACTOR & LOW_WORD
    scattered ^= scattered >> LAST_SHIFT
    return scattered.astype(np.uint32)


def _numbers_of_other(number: int, stream: Stream, known: Known) -> U32:
    """Take from another stream the numbers that contexts look at, one for each value of `stream`:
    (n,) uint32. number: 0 or more: the symbols of the stream of that number; below 0: the low 32
    bits of the values of stream -1 - number. stream: the one that is coded, of which only
    `present`, the rows that have values, is read. known: the streams before it. ArchiveError if
    none of them has that number."""
    if number >= 0:
        symbols = named_column(known.symbols, number, stream)
        return symbols.astype(np.uint32)
    values = named_column(known.values, -1 - number, stream)
    return values.astype(np.uint32)


def _classes_of_other(number: int, stream: Stream, known: Known) -> U32:
    """Cut the symbols of another stream into at most CLASSES (8) classes, (n,) uint32, neighbouring
    symbols in one, as these say about the same; symbols as they are where no more are possible.
    number: of the stream, or, below 0, -1 less its number; it is its symbols that are classed
    either way. A row without a value has the symbol behind all others. stream: the one that is
    coded, in whose rows with a value they are taken; known: the streams before it. ArchiveError if
    none of them has that number."""
    stream_number = number if number >= 0 else -1 - number
    symbols = named_column(known.symbols, stream_number, stream).astype(np.uint32)
    alphabet = known.alphabets[stream_number] + 1
    if alphabet <= CLASSES:
        return symbols
    return symbols * np.uint32(CLASSES) // np.uint32(alphabet)


def _unchanged(others: Sequence[U32]) -> U32:
    """For each row which of the other streams are as in the row before, (n,) uint32: a bit for
    each, 1 if it is, that of the first the highest. The row before the first is all 0. others: (n,)
    each, at least one."""
    bits = np.zeros(len(others[0]), np.uint32)
    for other in others:
        before = np.zeros_like(other)
        before[1:] = other[:-1]
        bits = 2 * bits + (other == before)
    return bits.astype(np.uint32)
