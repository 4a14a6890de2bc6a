"""Chooses how a column of whole numbers is coded: the plan that takes fewest bits on a sample.

Nothing here is needed to decode, so floating point is welcome.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aetool.codec import combining, integers, keying, rans, stages
from aetool.codec.context_search import (
    BIN_BITS,
    STRENGTHS,
    ContextSearch,
    Rows,
    bits_of_terms,
    classes_of,
)
from aetool.codec.integers import Known, Stream
from aetool.codec.plans import (
    Feature,
    OtherSymbol,
    OtherValue,
    OwnSymbol,
    Packed,
    Plan,
    Repeat,
    Seen,
    Transform,
)
from aetool.model import Array, Int

FEW = 2000  # one residual in so many may lie outside bins that are taken over
SMALL_BLOCK = 4096  # rows; streams of smaller blocks are joined
SQUEEZED = 1 << 15  # values on which LZMA2 is tried first
WIDEST_MIXED = 2  # bytes of a value: of wider ones most are noise, and take long
MIXED_PROMISE = 1.1  # as LZMA2's: how large a mixture may be on the parts
LEAST_SQUEEZED = 256  # bytes; smaller streams are left as they are
LANE_BYTES = 1024  # a lane's state is 4 bytes: below 0.4 % of what it codes


Float32 = npt.NDArray[np.float32]
ABOUT_AS_LITTLE = 0.25  # bits a value, between ways to make residuals
MOST_LEVELS_TRIED = 128  # different values of a column, each with a bin of its own
TRANSFORMS = 4  # that look at other streams, of which bins are found
WIDE = 96  # streams, above which not all are looked at
WINDOW = 512  # streams before, of which those are looked at that go most like one
OUTLINE = 256  # rows that say so
PARENTS = ((1024, 32), (256, 16), (128, 8), (0, 4))  # rows of the block; streams looked at so
NO_NODES = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Effort:
    """How far an encoder searches for ways to store a block in few bytes.

    block: bytes of text in a block. sample: rows that plans are judged by. features: at most so
    many of a context. classes: at most so many of a feature, each tried. cells: at most so many
    frequencies of a stream (contexts x symbols). bins: at most so many. columns: whether transforms
    that look at other columns are tried.
    """

    block: int = 16 << 20  # bytes of text in a block
    sample: int = 16384
    features: int = 3
    classes: tuple[int, ...] = (10, 28)
    cells: int = 1 << 17
    bins: int = 255
    second: int = 12  # candidates tried again beside the first feature
    columns: bool = True
    combinations: bool = True  # whether sums and products of columns, and keys, are tried
    reuse: bool = False  # take over the bins of the block before, where they hold everything
    repeats: tuple[int, ...] = (12, 32)  # symbols that must come again to predict the next
    # LZMA2 is tried on all where a quick look took so many times what the plan takes, at first and
    # where the block before did without; 0: always
    squeeze: tuple[float, float] = (2.5, 1.0)
    ranks: bool = True  # whether columns of few different cells are tried as ranks
    # whether an archive may carry them: they took minutes, and saved a few bytes at most
    students: bool = False
    mixes: bool = False  # whether values are tried as bytes that a mixture of contexts foretells
    quick: bool = False  # whether general compressors look less for what repeats
    also_usual: bool = False  # whether the plans of the default effort are tried as well
    whole_files: bool = True  # whether a small typed file may be squeezed as it is instead


@dataclass(frozen=True, eq=False)
class Hints:
    """What was chosen for one block, to be tried first on the next. shape: for each column how many
    streams it has; plans: of all streams; ways: for each column which of its encodings was
    taken."""

    shape: tuple[int, ...] = ()
    plans: Sequence[Plan] = ()
    ways: tuple[int, ...] = ()

    def moved(self, shape: tuple[int, ...]) -> Sequence[Plan | None]:
        """The plans, their streams renumbered for a block whose columns have `shape` streams each;
        None for those of columns with another number of streams. () if there are other columns."""
        if shape == self.shape or len(shape) != len(self.shape):
            return self.plans if shape == self.shape else ()
        numbers: dict[int, int] = {}
        old = new = 0
        for here, there in zip(self.shape, shape, strict=True):
            if here == there:
                numbers |= {old + k: new + k for k in range(here)}
            old, new = old + here, new + there
        out: list[Plan | None] = [None] * new
        for i, number in numbers.items():
            out[number] = _renumbered(self.plans[i], numbers)
        return out


def _renumbered(plan: Plan, numbers: dict[int, int]) -> Plan | None:
    """A plan with its streams renumbered, features of streams that are not in `numbers` left out;
    None if its transform needs such a stream. numbers: old number to new."""
    if plan.transform.looks_aside and plan.of not in numbers:
        return None
    combined = plan.combined
    if combined is not None:
        if not combined.streams <= numbers.keys():
            return None
        combined = combined.moved(numbers)
    features: list[Feature] = []
    for feature in plan.features:
        if feature.stream is None:
            if isinstance(feature, OwnSymbol | Repeat | Seen):
                features.append(feature)
        elif feature.stream in numbers:
            features.append(feature.at(numbers[feature.stream]))
    of = numbers[plan.of] if plan.transform.looks_aside else plan.of
    pair = plan.pair
    if pair is not None:
        if not numbers.keys() >= set(pair):
            return None
        pair = (numbers[pair[0]], numbers[pair[1]])
    return plan.but(of=of, combined=combined, pair=pair, features=tuple(features))


FAST = Effort(
    block=4 << 20,
    sample=4096,
    reuse=True,
    features=1,
    cells=1 << 14,
    bins=127,
    second=0,
    columns=False,
    repeats=(),
    ranks=False,
    quick=True,
)
DEFAULT = Effort()
BEST = Effort(
    block=64 << 20,
    sample=65536,
    features=4,
    classes=(6, 16, 40),
    cells=1 << 20,
    second=24,
    squeeze=(0.0, 0.0),
    mixes=True,
    also_usual=True,
)


def bins_of(r: Int, most: int) -> tuple[Int, Int]:
    """(first residual, bits within it) of each of the dyadic bins, at most `most`, that code
    residuals r in fewest bits.

    Intervals [i 2^m, (i + 1) 2^m) form a tree; a node is kept whole if a flat density over it costs
    no more than the best of its parts (optimal pruning, Breiman et al. 1984, chapter 3).
    """
    cells, counts = _histogram(r)
    if len(cells) <= most and len(r) > 1024 * len(cells):
        return cells, np.zeros(len(cells), np.int64)
    origin = 0
    if -(2**61) < int(cells[0]) <= int(cells[-1]) < 2**61:  # no bin may leave 64 bits
        origin = int(cells[np.searchsorted(np.cumsum(counts), len(r) // 2)])
    cells = cells - np.int64(origin)
    penalty = BIN_BITS
    while True:
        start, width = _prune(cells, counts, len(r), penalty)
        if len(start) <= most:
            return start + np.int64(origin), width
        penalty *= 2


def _histogram(r: Int) -> tuple[Int, Int]:
    """(the different values of r, ascending; how often each occurs)."""
    low, high = int(r.min()), int(r.max())
    if high - low < 4 * len(r):
        counts = np.bincount(r - np.int64(low))
        there = np.flatnonzero(counts)
        return there + np.int64(low), counts[there]
    return np.unique(r, return_counts=True)


def _prune(cells: Int, counts: Int, total: int, penalty: float) -> tuple[Int, Int]:
    n = counts.astype(np.float64)
    best = penalty - n * np.log2(n / total)  # cost of the best cut of each node of this level
    nodes = cells
    levels: list[
        tuple[Int, Array, Int | None]
    ] = []  # nodes, whether kept whole, place of their parent
    whole = np.ones(len(nodes), np.bool_)
    # of levels on which no nodes meet only the last needs a look: a wider bin costs more
    alone = _levels_alone(nodes)
    if alone:
        levels += [(nodes, whole, None)] + [(NO_NODES, NO_NODES, None)] * (alone - 1)
        nodes = nodes >> np.int64(alone)
        whole = np.zeros(len(nodes), np.bool_)
    # what is below 0 and what is not never meet, and are best cut before that
    while len(nodes) > 1 and len(levels) < 63 and (len(nodes) > 2 or nodes[0] != -1 or nodes[1]):
        above = nodes >> np.int64(1)
        fresh = np.concatenate([[True], above[1:] != above[:-1]])
        levels.append((nodes, whole, np.cumsum(fresh) - 1))
        first = np.flatnonzero(fresh)
        n = np.add.reduceat(n, first)
        parts = np.add.reduceat(best, first)
        nodes = above[first]
        flat = n * (len(levels) - np.log2(n / total)) + penalty
        whole = flat <= parts
        best = np.where(whole, flat, parts)
    levels.append((nodes, whole, None))
    starts, widths = [], []
    open_ = np.ones(len(nodes), np.bool_)
    for m in range(len(levels) - 1, -1, -1):
        if 0 < m < alone:
            continue
        nodes, whole, _ = levels[m]
        starts.append(nodes[open_ & whole] << np.int64(m))
        widths.append(np.full(len(starts[-1]), m))
        if m > alone:
            open_ = (open_ & ~whole)[levels[m - 1][2]]
        elif m:
            open_ = open_ & ~whole  # the same nodes as on the lowest level
    start, width = np.concatenate(starts), np.concatenate(widths)
    order = np.argsort(start, kind="stable")
    return start[order], width[order]


def _levels_alone(nodes: Int) -> int:
    """How often ascending nodes can be halved before the first two of them meet; at most 62."""
    if len(nodes) < 2:
        return 0
    apart = int((nodes[1:] ^ nodes[:-1]).view(np.uint64).min())
    return min(62, apart.bit_length() - 1)


def _with_bins(plan: Plan, r: Int, most: int, complete: bool) -> Plan:
    start, width = bins_of(r, most)
    return plan.but(starts=start, widths=width, complete=complete)


def _sample_rows(n: int, size: int) -> Rows:
    """The places of at most `size` of n rows: all, or four stretches spread evenly."""
    if n <= size:
        return slice(0, n)
    part = size // 4
    starts = np.linspace(0, n - part, 4).astype(np.int64)
    return (starts[:, None] + np.arange(part)).reshape(-1)


class Planner:
    """Chooses the plans of the streams of one block, in order, by a sample of each. known: the
    streams before, which the caller adds to."""

    def __init__(
        self, known: Known, effort: Effort, hints: Sequence[Plan | None] = (), complete: bool = True
    ) -> None:
        self.known, self.effort, self.hints = known, effort, hints
        self.complete = complete and not effort.reuse
        self.promised = 0.0  # bits that combinations and keys save, as far as the search saw
        self.keying = keying.Keying()
        self._outlines: list[Float32] = []  # of the streams before, in wide tables

    def plan(self, stream: Stream, number: int, like: Plan | None = None) -> Plan:
        """The plan for stream `number`, the next. From `like`, or else from the hint (the plan of
        this stream in the block before), transform and features are taken; bins are found anew. A
        hint whose bins still hold is taken whole if the effort reuses. Without either, or if `like`
        does not suit, a plan is searched."""
        if not len(stream.values):
            return Plan()
        hint = like or (self.hints[number] if number < len(self.hints) else None)
        if like is not None and not self._still_suits(like, stream):
            return self._search(stream)
        if hint is not None and hint.bins:
            plan = Plan(
                transform=hint.transform, of=hint.of, combined=hint.combined, pair=hint.pair
            )
            r = integers.residuals(plan, stream, self.known)
            if self.effort.reuse and not like:
                symbols = integers.symbols_of(hint, r)
                outside = int((symbols == hint.bins).sum())
                if outside * FEW <= (0 if hint.complete else len(symbols)):
                    return hint
            plan = _with_bins(plan, r, self.effort.bins, self.complete)
            symbols = integers.symbols_of(plan, r)
            plan = self._same_features(plan, hint, symbols)
            plan = plan.but(lanes_log=hint.lanes_log)
            if like:
                return plan if plan.features else self._with_strength(plan, symbols)
            if not self.effort.repeats:
                return plan
            again = 0.0 if hint.packed is not None else self.effort.squeeze[1]
            return self._squeezed(plan, stream, again)
        v = stream.values
        if (v == v[0]).all():
            whole = self.complete or self.effort.reuse
            return Plan(starts=v[:1].copy(), widths=np.zeros(1, np.int64), complete=whole)
        return self._search(stream)

    def _with_strength(self, plan: Plan, symbols: integers.U16) -> Plan:
        """The plan, which has no features, with the strength that takes fewest bits on a sample of
        symbols."""
        if plan.bins < 2:
            return plan
        part = symbols[_sample_rows(len(symbols), self.effort.sample)]

        def bits(strength: int) -> float:
            return rans.cost(rans.forward(part, None, rans.Contexts(plan.bins, (), strength)))

        return plan.but(strength=min(STRENGTHS, key=bits))

    def _still_suits(self, like: Plan, stream: Stream) -> bool:
        """Whether another column's transform leaves as little of this column as its own values or
        differences do. It is asked of combinations, whose factors may be those of the other column
        alone, and of plans without features, which are taken over by many columns."""
        if like.combined is None and like.features:
            return True
        simple = Plan(), Plan(transform=Transform.DIFFERENCE)
        sizes = [_size(integers.residuals(p, stream, self.known)) for p in (like, *simple)]
        if like.combined is not None:
            return sizes[0] < min(sizes[1:])
        return sizes[0] <= min(sizes[1:]) + ABOUT_AS_LITTLE

    def _same_features(self, plan: Plan, hint: Plan, symbols: integers.U16) -> Plan:
        """The plan with the features and the strength of `hint`; the classes of symbols are cut
        anew, by symbols of this plan."""
        features: list[Feature] = []
        for feature in hint.features:
            if isinstance(feature, OwnSymbol | Repeat):
                edges = classes_of(symbols, plan.bins, feature.radix)
                features.append(dataclasses.replace(feature, edges=edges))
            elif isinstance(feature, OtherSymbol) and not isinstance(feature, OtherValue):
                of = self.known.symbols[feature.of]
                edges = classes_of(of, self.known.alphabets[feature.of] + 1, feature.radix)
                features.append(dataclasses.replace(feature, edges=edges))
            else:
                features.append(feature)
        return plan.but(strength=hint.strength, features=tuple(features))

    def _search(self, stream: Stream) -> Plan:
        transforms = []
        rows = _sample_rows(len(stream.values), self.effort.sample)
        parents = self._parents(stream)
        by_size: list[tuple[float, int, Plan, Int]] = []
        for number, transform in enumerate(self._transforms(stream, parents)):
            r = integers.residuals(transform, stream, self.known)
            by_size.append((_size(r), number, transform, r))
        # finding bins takes far longer than seeing which residuals are small
        others = sorted(by_size[2:], key=lambda one: one[:2])
        alone = [one for one in others if one[2].combined is None][:TRANSFORMS]
        others = [*alone, *(one for one in others[:TRANSFORMS] if one[2].combined is not None)]
        for _, _, transform, r in [*by_size[:2], *others]:
            plan = _with_bins(transform, r[rows], self.effort.bins, False)
            transforms.append((self._bits(plan, r[rows]), transform, r))
        transforms.sort(key=lambda f: f[0])
        search = ContextSearch(self.effort, self.known, stream, rows, parents)
        best: tuple[float, Plan, Int] | None = None
        # features may tell more of what a combination does not
        uncombined = [one for one in transforms if not one[1].asks_others][:2]
        combined = [one for one in transforms[:3] if one[1].asks_others]
        best_uncombined = np.inf
        for bits, transform, r in [*uncombined, *combined[:2]]:
            if best is not None and bits > 1.5 * transforms[0][0]:
                continue
            plan = _with_bins(transform, r, self.effort.bins, self.complete)
            cost, plan = search.best(plan, r)
            if not transform.asks_others:
                best_uncombined = min(best_uncombined, cost)
            if best is None or cost < best[0]:
                best = (cost, plan, r)
        assert best is not None
        if best[1].transform is not Transform.NONE or best[1].widths.any():
            cost, plan = self._by_levels(stream, search)
            if cost < best[0]:
                best_uncombined = min(best_uncombined, cost)
                best = (cost, plan, stream.values)
        if best[1].asks_others:
            sampled = r[rows].size / r.size
            self.promised += (best_uncombined - best[0]) / sampled
        plan = self._finish(best[1], stream, best[2])
        return self._squeezed(plan, stream, self.effort.squeeze[0]) if self.effort.repeats else plan

    def _by_levels(self, stream: Stream, search: ContextSearch) -> tuple[float, Plan]:
        """(bits on the sample, plan) with one bin for each different value; (infinite, an empty
        plan) if there are more than MOST_LEVELS_TRIED.

        Wide bins are found without regard to other columns. Which of many levels follows from
        another column, of no order, only bins of one level each can tell.
        """
        values = stream.values
        if not self.effort.columns or len(np.unique(values[search.rows])) > MOST_LEVELS_TRIED:
            return np.inf, Plan()
        starts = np.unique(values)
        if len(starts) > MOST_LEVELS_TRIED:
            return np.inf, Plan()
        plan = Plan(starts=starts, widths=np.zeros(len(starts), np.int64), complete=self.complete)
        return search.best(plan, values)

    def _squeezed(self, plan: Plan, stream: Stream, promise: float) -> Plan:
        """The plan, or its copy that stores values as bytes, compressed by LZMA2 or a mixture of
        contexts, if these take fewer bytes. promise: try LZMA2 on all values if a quick look at two
        parts takes at most so many times what the plan takes; 0: always."""
        if self.known.rows <= SMALL_BLOCK or not self.complete:
            return plan
        packed = _squeezing(stream.values)
        ours = bits_of(plan, stream, self.known) / 8 + 2 * plan.bins
        if ours < LEAST_SQUEEZED:
            return plan
        n = len(stream.values)
        names: list[str] = []
        parts = [stream.values[first : first + SQUEEZED] for first in (0, n // 2)]
        share = ours * sum(map(len, parts)) / n
        looked = 0
        if promise:
            looked = sum(len(integers.squeezed(packed, part, quick=True)) for part in parts)
        if looked <= promise * share + 64:
            names += stages.USUAL
        if self.effort.mixes and packed.size <= WIDEST_MIXED:
            mixed = sum(len(integers.squeezed(packed, part, (stages.MIXED,))) for part in parts)
            # on a part of the values it has learned less than on all
            if mixed <= MIXED_PROMISE * share:
                names.append(stages.MIXED)
        if not names:
            return plan
        stream.squeezed = integers.squeezed(packed, stream.values, names)
        return plan.but(packed=packed) if len(stream.squeezed) < 0.99 * ours else plan

    def small(self, plan: Plan) -> Plan:
        """The plan changed for a block of few rows: with one lane, and values not packed as
        bytes."""
        return plan.but(lanes_log=0, packed=None)

    def _transforms(self, stream: Stream, parents: Sequence[int]) -> Iterator[Plan]:
        yield Plan()
        yield Plan(transform=Transform.DIFFERENCE)
        if not self.effort.columns:
            return
        yield Plan(transform=Transform.SECOND)
        if self.effort.combinations:
            yield from combining.combinations(stream, parents, self.known)
            yield from self.keying.plans(stream, parents, self.known)
        spread = _spread(stream.values)
        for g in parents:
            values = self.known.values[g]
            other = values if stream.present is None else values[stream.present]
            if 2 <= self.known.alphabets[g] <= 64 and spread > 16:
                yield Plan(transform=Transform.GROUPED, of=g)
            if spread > 8 and _spread(stream.values - other) < 0.7 * spread:
                yield Plan(transform=Transform.COLUMN, of=g)

    def _bits(self, plan: Plan, r: Int) -> float:
        """Bits of residuals r by bins alone, without features, and of the bins in the plan; a
        residual in no bin counts 80."""
        symbols = integers.symbols_of(plan, r)
        layout = rans.Contexts(plan.bins + 1)
        raw = float(np.append(plan.widths, 80)[symbols].sum())
        told = BIN_BITS * plan.bins + bits_of_terms(plan)
        return raw + rans.cost(rans.forward(symbols, None, layout)) + told

    def _parents(self, stream: Stream) -> list[int]:
        """The numbers of the earlier streams that a plan for this one may look at: all, or in wide
        tables the first ones, the last ones, and, of WINDOW before it, those most correlated with
        it, so that the search takes time in proportion to the columns."""
        count = len(self.known.values)
        if count <= WIDE:
            return list(range(count))
        most = next(most for rows, most in PARENTS if self.known.rows >= rows)
        self._outlines.extend(_outline(v) for v in self.known.values[len(self._outlines) :])
        values = stream.values
        if stream.present is not None:
            values = np.zeros(self.known.rows, np.int64)
            values[stream.present] = stream.values
        first = max(0, count - WINDOW)
        likeness = np.abs(np.stack(self._outlines[first:]) @ _outline(values))
        alike = np.argsort(-likeness, kind="stable")[:most] + first
        near = range(count - most // 2, count)
        return sorted({*range(most // 4), *near, *alike.tolist()})

    def best_features(self, stream: Stream, symbols: integers.U16, most: int) -> list[Feature]:
        """At most `most` features of other streams, each of another one, with which the symbols
        take fewest bits, the best first."""
        rows = _sample_rows(len(symbols), self.effort.sample)
        search = ContextSearch(self.effort, self.known, stream, rows, self._parents(stream))
        best: list[Feature] = []
        for feature in search.of_others_by_cost(symbols):
            if all(feature.stream != other.stream for other in best):
                best.append(feature)
        return best[:most]

    def _finish(self, plan: Plan, stream: Stream, r: Int) -> Plan:
        """The plan with the number of lanes that its size lets it have; of residuals r. One lane if
        it looks for repeats."""
        symbols = integers.symbols_of(plan, r)
        if any(isinstance(feature, Repeat) for feature in plan.features):
            return plan  # which has one lane
        base, layout = integers.contexts(plan, stream, self.known)
        size = rans.cost(rans.forward(symbols, base, layout)) / 8 if layout.alphabet > 1 else 0
        lanes = 0
        while lanes < 8 and size > LANE_BYTES << lanes:
            lanes += 1
        return plan.but(lanes_log=lanes)


def _squeezing(values: Int) -> Packed:
    low, high = int(values.min()), int(values.max())
    size = next(s for s in (1, 2, 4, 8) if high - low < 1 << 8 * s)
    return Packed(low, size)


def bits_of(plan: Plan, stream: Stream, known: Known, prime: integers.Counts = None) -> float:
    """Bits that a stream's values take under a plan, its description not counted. prime: counts
    that tables begin with."""
    r = integers.residuals(plan, stream, known)
    symbols = integers.symbols_of(plan, r)
    base, layout = integers.contexts(plan, stream, known, prime, symbols)
    raw = float(np.append(plan.widths, 64)[symbols].sum())
    return raw + rans.cost(rans.forward(symbols, base, layout))


def _outline(values: Int) -> Float32:
    """(OUTLINE,): some of the values, in order, as a vector of length 1 and mean 0; the product of
    two such vectors is how alike two streams are."""
    part = values[:: max(1, len(values) // OUTLINE)][:OUTLINE].astype(np.float64)
    vector = np.zeros(OUTLINE, np.float32)
    part -= np.median(part)
    # of long tails the order of magnitude counts
    part = np.arcsinh(part / (np.abs(part).mean() + 1e-9))
    part -= part.mean()
    vector[: len(part)] = part / (np.sqrt((part**2).sum()) + 1e-9)
    return vector


def _size(r: Int) -> float:
    """About how many bits a residual takes on average: those of its place among others of its
    magnitude, and those that say which magnitude it has. r: (n,)."""
    part = r[_sample_rows(len(r), 4096)].astype(np.float64)
    off = part - np.median(part)
    magnitude = np.frexp(off)[1] * (off != 0)
    counts = np.bincount((magnitude * np.sign(off)).astype(np.int64) + 1100)
    share = counts[counts > 0] / len(part)
    return float(np.maximum(magnitude - 1, 0).mean() - (share * np.log2(share)).sum())


def _spread(values: Int) -> float:
    part = values[:: max(1, len(values) // 4096)].astype(np.float64)
    return float(np.abs(part - np.median(part)).mean())
