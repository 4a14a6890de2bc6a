"""The contexts by which a mixture foretells the symbols of a stream, as its plan says them.

The contexts are of the stream's own last symbols, of the features of its plan, one more of them in
each, and of up to four other streams: their symbols or their values in the same row. A wide mixture
has more, for what returns (the load of this hour the day before), what drifts, and what changed of
late.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aetool.codec import symbol_mixing
from aetool.codec.mixing import WORD
from aetool.codec.plans import OwnSymbol, Plan, Transform
from aetool.codec.rans import U32
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
    marks: Sequence[U32],
) -> Layout:
    """The contexts of the `count` symbols of a stream whose plan mixes. marks: (count,) each, the
    values of the plan's features but for OwnSymbol. ArchiveError if the plan asks for a stream that
    is not there, or so many may not be mixed."""
    mixture = plan.mixture
    assert mixture is not None
    symbol_mixing.check(count, plan.alphabet)
    others: list[U32] = []
    for number in mixture.others:
        others.append(_of_other(number, stream, known))
    own_kinds: Sequence[int] = OWN_KINDS
    alone: Sequence[tuple[int, ...]] = OTHERS_ALONE
    if mixture.is_wide:
        own_kinds = WIDE_OWN_KINDS
        alone = WIDE_OTHERS_ALONE
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
    for how_many in range(1, len(marks) + 1):
        contexts.add(kind_of_features, marks[:how_many])
    contexts.add_sets(NOTHING, alone, others)
    contexts.add_sets(LAST, OTHERS_BEHIND_LAST, others)
    first_weight = symbol_mixing.FIRST_WEIGHT
    if mixture.is_wide:
        classes = [_classes_of_other(number, stream, known) for number in mixture.others]
        mean = MEAN_LEVEL if plan.transform is Transform.DIFFERENCE else MEAN
        contexts.add_wide(others, classes, mean)
        first_weight = WIDE_WEIGHTS // len(contexts.kinds)
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
    )


class _Contexts:
    """Collects contexts of `count` symbols: bases, (count,) each, kinds and limits, as Layout has
    them."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.bases: list[U32] = []
        self.kinds: list[int] = []
        self.limits: list[int] = []

    def add(self, kind: int, marks: Sequence[U32] = (), limit: int = MOST_MET) -> None:
        """Add a context of marks, (count,) each, and of what `kind` says."""
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
        """Add, for each of these sets, a context of the others, (count,) each, at its places, which
        ascend, and of what `kind` says; none for a set with a place that no other is at."""
        for places in sets_of_places:
            if places[-1] < len(others):
                chosen = [others[place] for place in places]
                self.add(kind, chosen)

    def add_wide(self, others: Sequence[U32], classes: Sequence[U32], mean: int) -> None:
        """Add the contexts that a wide mixture alone has. others: (count,) each, and classes,
        those of each of them; mean: the kind of mean of what was before."""
        self.add_sets(RECENT, OTHERS_OF_RECENT, others)
        self.add_sets(NOTHING, CLASSES_ALONE, classes)
        self.add_sets(TWO, ((0,),), others)
        self.add(mean)
        self.add(LAST, limit=QUICK_MET)
        if others:
            self.add(NOTHING, others[:1], QUICK_MET)
            self.add(LAST, [_unchanged(others)])


def hashed(first: U32, second: U32) -> U32:
    """mixing.mixed_hash of each pair of two arrays, (n,) each."""
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


def _of_other(number: int, stream: Stream, known: Known) -> U32:
    """What a context takes of another stream, (n,): its symbols, or, of a number below 0, the low
    32 bits of its values; -1 is the first stream. ArchiveError without such a stream."""
    if number >= 0:
        symbols = named_column(known.symbols, number, stream)
        return symbols.astype(np.uint32)
    values = named_column(known.values, -1 - number, stream)
    return values.astype(np.uint32)


def _classes_of_other(number: int, stream: Stream, known: Known) -> U32:
    """The classes, at most CLASSES, (n,), of the symbols of another stream, however its number
    asks for it: neighbours, which tell about the same, are in one. A row without a value has the
    symbol behind all others."""
    of = number if number >= 0 else -1 - number
    symbols = named_column(known.symbols, of, stream).astype(np.uint32)
    alphabet = known.alphabets[of] + 1
    if alphabet <= CLASSES:
        return symbols
    return symbols * np.uint32(CLASSES) // np.uint32(alphabet)


def _unchanged(others: Sequence[U32]) -> U32:
    """(n,): one bit for each of the others, (n,) each, the first the highest: whether it is as in
    the row before; the row before the first is all 0."""
    bits = np.zeros(len(others[0]), np.uint32)
    for other in others:
        before = np.zeros_like(other)
        before[1:] = other[:-1]
        bits = 2 * bits + (other == before)
    return bits.astype(np.uint32)
