"""Search for the streams that the contexts of a mixture look at, see symbol_contexts.

Nothing here is needed to decode.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from aetool.codec import integers, rans, transforms
from aetool.codec.context_search import classes_of, quantiles
from aetool.codec.plans import (
    MAX_BINS,
    MAX_CLASSES,
    MOST_OTHERS,
    Classes,
    Mixture,
    Plan,
    Repeat,
    Seen,
    Transform,
)
from aetool.codec.rans import U16
from aetool.codec.streams import Known, Stream, named_column
from aetool.model import Int

LEVELS = 8  # bits that the level of a stream is cut to
JUDGED = 8192  # rows by which other streams are compared
CLASSES = 64  # of the symbols or values of another stream, while they are compared
MOST_DIFFERENT = 1024  # values of another stream that are a context as they are
MOST_TABLES = 1 << 20  # frequencies


def by_other_bins(plan: Plan, stream: Stream, known: Known) -> Iterator[Plan]:
    """Yield the plan, and then copies of it in which each different number has a bin of its own: of
    a plan with wide bins one for its residuals, and of a plan with a transform one without that,
    for the stream's values. A copy comes only where there are 2 to MAX_BINS different numbers.
    Contexts then tell numbers apart that shared a bin.

    The copy without a transform has of the plan only its features, but for those of how often a key
    came, `complete` and `strength`. stream: the one to code; known: the streams before it.
    """
    yield plan
    if plan.widths.any():
        r = transforms.residuals(plan, stream, known)
        yield from _by_levels(plan, r)
    if plan.transform is not Transform.NONE:
        # how often a key came is known only under the transform by keys
        features = tuple(feature for feature in plan.features if not isinstance(feature, Seen))
        untransformed = Plan(
            complete=plan.complete,
            features=features,
            strength=plan.strength,
        )
        yield from _by_levels(untransformed, stream.values)


def _by_levels(plan: Plan, r: Int) -> Iterator[Plan]:
    """Yield a copy of the plan with a bin for each different one of its residuals, (n,), if there
    are 2 to MAX_BINS of them."""
    # a quick look, for residuals that are all different
    if len(np.unique(r[:JUDGED])) > MAX_BINS:
        return
    levels = np.unique(r)
    if 2 <= len(levels) <= MAX_BINS:
        yield plan.but(starts=levels, widths=np.zeros(len(levels), np.int64))


def mixture_of(
    plan: Plan,
    stream: Stream,
    known: Known,
    parents: Sequence[int],
) -> Plan:
    """A copy of the plan by which symbols are coded by a mixture of contexts: it looks at those of
    these parents, numbers of earlier streams, at most MOST_OTHERS (4), that tell most of the
    symbols, each by itself. It has no regression yet. A plan whose features look for repeats goes
    without these, which contexts of the last symbols stand in for; one whose tables would have more
    than rans.MAX_CELLS frequencies goes without features. It has one lane. stream: the one to code,
    of at least one value; known: the streams before it."""
    symbols = integers.symbols_of(plan, transforms.residuals(plan, stream, known))
    features = tuple(feature for feature in plan.features if not isinstance(feature, Repeat))
    contexts = 1
    for feature in features:
        contexts *= feature.radix if isinstance(feature, Classes) else MAX_CLASSES
    if contexts * plan.alphabet > rans.MAX_CELLS:
        features = ()
    others = _streams_that_tell_most(stream, known, parents, symbols, plan.alphabet)
    # the sum of differences so far is a context, too, cut to LEVELS bits
    shift = 0
    if plan.transform is Transform.DIFFERENCE:
        low = int(stream.values.min())
        high = int(stream.values.max())
        bits_of_range = (high - low).bit_length()
        shift = max(0, bits_of_range - LEVELS)
    mixture = Mixture(shift, tuple(others))
    return plan.but(features=features, mixture=mixture, lanes_log=0)


def _streams_that_tell_most(
    stream: Stream,
    known: Known,
    parents: Sequence[int],
    symbols: U16,
    alphabet: int,
) -> list[int]:
    """Choose at most MOST_OTHERS earlier streams to be contexts of symbols, (n,), below `alphabet`:
    a list of numbers, that which tells most of the first JUDGED (8,192) symbols first; 0 or more: a
    stream by its symbols; below 0: stream -1 - number by its values. stream: whose symbols they
    are; parents: the numbers of the streams to choose from; known: the streams before it."""
    sample = symbols[:JUDGED]
    judged: list[tuple[float, int]] = []
    for parent in parents:
        values = named_column(known.values, parent, stream)[:JUDGED]
        others = named_column(known.symbols, parent, stream)[:JUDGED]
        # with the symbol of rows without a value
        edges = classes_of(others, known.alphabets[parent] + 1, CLASSES)
        classes = np.searchsorted(edges, others, "right")
        bits_by_symbols = _bits(sample, alphabet, classes, len(edges) + 1)
        bits_by_values = np.inf
        edges = quantiles(values, CLASSES)
        if len(edges) and len(np.unique(values)) <= MOST_DIFFERENT:
            classes = np.searchsorted(edges, values, "right")
            bits_by_values = _bits(sample, alphabet, classes, len(edges) + 1)
        if bits_by_values < bits_by_symbols:
            judged.append((bits_by_values, -1 - parent))
        else:
            judged.append((bits_by_symbols, parent))
    judged.sort(key=lambda bits_and_number: bits_and_number[0])
    return [number for _, number in judged[:MOST_OTHERS]]


def _bits(symbols: U16, alphabet: int, classes: Int, radix: int) -> float:
    """Bits that symbols, (n,) below alphabet, take with a feature of the values `classes`, (n,)
    below radix; infinite if their tables would have more than MOST_TABLES (2^20) frequencies."""
    if radix * alphabet > MOST_TABLES:
        return np.inf
    layout = rans.Contexts(alphabet, (radix,))
    return rans.cost(rans.forward(symbols, classes.astype(np.uint32), layout))
