"""Chooses how a column of whole numbers is coded: the plan that takes fewest bits on a sample.

Nothing here is needed to decode, so floating point is welcome.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aetool.codec import integers, rans
from aetool.codec.integers import Known, Plan, Stream
from aetool.model import Int

BIN_BITS = 20.0  # what a bin costs: its place in the plan, and learning its frequency
FEATURE_BITS = 64.0
FEW = 2000  # one residual in so many may lie outside bins that are taken over
SMALL_BLOCK = 4096  # rows; streams of smaller blocks are joined
SQUEEZED = 1 << 15  # values on which LZMA2 is tried first
LEAST_SQUEEZED = 256  # bytes; smaller streams are left as they are
LANE_BYTES = 1024  # a lane's state is 4 bytes: below 0.4 % of what it codes


@dataclass(frozen=True)
class Effort:
    """How long to look: rows of the sample, features of a context, classes of a feature, most
    (contexts x symbols), bins, groups and columns tried as transforms."""

    block: int = 16 << 20  # bytes of text in a block
    sample: int = 16384
    features: int = 3
    classes: tuple[int, ...] = (12,)
    cells: int = 1 << 17
    bins: int = 255
    second: int = 12  # candidates tried again beside the first feature
    columns: bool = True
    reuse: bool = False  # take over the bins of the block before, where they hold everything
    repeats: tuple[int, ...] = (12, 32)  # symbols that must come again to predict the next
    # LZMA2 is tried on all where a quick look took so many times what the plan takes, at first and
    # where the block before did without; 0: always
    squeeze: tuple[float, float] = (2.5, 1.0)
    students: bool = False  # whether an archive may carry them


@dataclass(frozen=True, eq=False)
class Hints:
    """Plans of a block, for the next one. shape: streams of each column."""

    shape: tuple[int, ...] = ()
    plans: Sequence[Plan] = ()

    def moved(self, shape: tuple[int, ...]) -> Sequence[Plan | None]:
        """The plans for a block of this shape; None where a column has other streams than here."""
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
    """The plan where streams have other numbers; without features of streams that are gone, and
    without a student, who sees streams by their old numbers."""
    if "g" in plan and plan["g"] not in numbers:
        return None
    out = {**plan, "g": numbers[plan["g"]]} if "g" in plan else dict(plan)
    kept = [f for f in plan.get("f", ()) if f[0] in "om" or (f[0] in "sve" and f[1] in numbers)]
    out["f"] = [[f[0], numbers[f[1]], *f[2:]] if f[0] in "sve" else f for f in kept]
    return out if kept else {k: v for k, v in out.items() if k != "f"}


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
    students=True,
)


def bins_of(r: Int, most: int) -> tuple[Int, Int]:
    """(first residual, bits) of the dyadic bins that code r in fewest bits.

    Intervals [i 2^m, (i + 1) 2^m) form a tree; a node is kept whole if a flat density over it
    costs no more than the best of its parts (optimal pruning, Breiman et al. 1984, chapter 3).
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
    """The different values, ascending, and how often each occurs."""
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
    levels: list[tuple[Int, Any, Any]] = []  # nodes, whether kept whole, place of their parent
    whole = np.ones(len(nodes), np.bool_)
    while len(nodes) > 1 and len(levels) < 63:
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
        nodes, whole, _ = levels[m]
        starts.append(nodes[open_ & whole] << np.int64(m))
        widths.append(np.full(len(starts[-1]), m))
        if m:
            open_ = (open_ & ~whole)[levels[m - 1][2]]
    start, width = np.concatenate(starts), np.concatenate(widths)
    order = np.argsort(start, kind="stable")
    return start[order], width[order]


def _deltas(values: Sequence[int] | Int) -> list[int]:
    steps: list[int] = np.diff(np.asarray(values, np.int64), prepend=np.int64(0)).tolist()
    return steps


def _with_bins(plan: Plan, r: Int, most: int, complete: bool) -> Plan:
    start, width = bins_of(r, most)
    made = {**plan, "b": _deltas(start)}
    if width.any():
        made["w"] = width.tolist()
    if complete:
        made["x"] = 1
    return made


def _sample_rows(n: int, size: int) -> Any:
    """Up to four stretches of rows, `size` in all."""
    if n <= size:
        return slice(0, n)
    part = size // 4
    starts = np.linspace(0, n - part, 4).astype(np.int64)
    return (starts[:, None] + np.arange(part)).reshape(-1)


class Planner:
    """Chooses plans for the streams of one block, in order; keeps what is known up to date."""

    def __init__(
        self, known: Known, effort: Effort, hints: Sequence[Plan | None] = (), complete: bool = True
    ) -> None:
        self.known, self.effort, self.hints = known, effort, hints
        self.complete = complete and not effort.reuse

    def plan(self, stream: Stream, number: int, like: Plan | None = None) -> Plan:
        """The plan for the next stream. Of `like`, or else of the hint (the plan of this stream in
        the block before), the transform and the features are taken over."""
        if not len(stream.values):
            return {"b": []}
        hint = like or (self.hints[number] if number < len(self.hints) else None)
        if hint is not None and hint["b"]:
            plan: Plan = {k: v for k, v in hint.items() if k in ("t", "g")}
            r = integers.residuals(plan, stream, self.known)
            if self.effort.reuse and not like:
                symbols = integers.symbols_of(hint, r)
                outside = int((symbols == len(hint["b"])).sum())
                if outside * FEW <= (0 if "x" in hint else len(symbols)):
                    return hint
            plan = _with_bins(plan, r, self.effort.bins, self.complete)
            symbols = integers.symbols_of(plan, r)
            plan = self._same_features(plan, hint, symbols)
            plan = {**plan, "l": hint["l"]} if "l" in hint else plan
            if like or not self.effort.repeats:
                return plan
            return self._squeezed(plan, stream, 0.0 if "y" in hint else self.effort.squeeze[1])
        v = stream.values
        if (v == v[0]).all():
            once: Plan = {"b": [int(v[0])]}
            return {**once, "x": 1} if self.complete or self.effort.reuse else once
        return self._search(stream)

    def _same_features(self, plan: Plan, hint: Plan, symbols: Any) -> Plan:
        features = []
        for feature in hint.get("f", ()):
            if feature[0] in "om":
                edges = _classes(symbols, len(plan["b"]), len(feature[1]) + 1)
                features.append([feature[0], edges, *feature[2:]])
            elif feature[0] == "s":
                of = self.known.symbols[feature[1]]
                edges = _classes(of, self.known.alphabets[feature[1]] + 1, len(feature[2]) + 1)
                features.append(["s", feature[1], edges])
            else:
                features.append(feature)
        made = {**plan, "k": hint.get("k", 8)}
        return {**made, "f": features} if features else made

    def _search(self, stream: Stream) -> Plan:
        found = []
        rows = _sample_rows(len(stream.values), self.effort.sample)
        for transform in self._transforms(stream):
            r = integers.residuals(transform, stream, self.known)
            plan = _with_bins(transform, r[rows], self.effort.bins, False)
            found.append((self._bits(plan, r[rows]), transform, r))
        found.sort(key=lambda f: f[0])
        best: tuple[float, Plan, Int] | None = None
        for bits, transform, r in found[:2]:
            if best is not None and bits > 1.5 * found[0][0]:
                continue
            plan = _with_bins(transform, r, self.effort.bins, self.complete)
            cost, plan = self._features(plan, stream, r, rows)
            if best is None or cost < best[0]:
                best = (cost, plan, r)
        assert best is not None
        plan = self._finish(best[1], stream, best[2])
        return self._squeezed(plan, stream, self.effort.squeeze[0]) if self.effort.repeats else plan

    def _squeezed(self, plan: Plan, stream: Stream, promise: float) -> Plan:
        """LZMA2 instead, where repeats make it smaller. promise: how large, as a multiple of what
        the plan takes, it may be on two parts, looked at quickly, to be tried on all; 0: any."""
        n = len(stream.values)
        if self.known.rows <= SMALL_BLOCK or not self.complete:
            return plan
        other = {**plan, **_squeezing(stream.values)}
        ours = bits_of(plan, stream, self.known) / 8 + 2 * len(plan["b"])
        if ours < LEAST_SQUEEZED:
            return plan
        parts = [stream.values[i : i + SQUEEZED] for i in (0, n // 2)] if promise else []
        looked = sum(len(integers.squeezed(other, p, quick=True)) for p in parts)
        if looked > promise * ours * sum(map(len, parts)) / n + 64:
            return plan
        stream.squeezed = integers.squeezed(other, stream.values)
        return other if len(stream.squeezed) < 0.99 * ours else plan

    def small(self, plan: Plan) -> Plan:
        """The plan for a block of few rows: one lane, and no LZMA2."""
        return {k: v for k, v in plan.items() if k not in "lyo"}

    def _transforms(self, stream: Stream) -> Iterator[Plan]:
        yield {}
        yield {"t": "d"}
        if not self.effort.columns:
            return
        spread = _spread(stream.values)
        for g, values in enumerate(self.known.values):
            other = values if stream.present is None else values[stream.present]
            if 2 <= self.known.alphabets[g] <= 64 and spread > 16:
                yield {"t": "g", "g": g}
            if spread > 8 and _spread(stream.values - other) < 0.7 * spread:
                yield {"t": "c", "g": g}

    def _bits(self, plan: Plan, r: Int) -> float:
        """Bits of residuals under bins alone; of one that lies outside them, 80."""
        symbols = integers.symbols_of(plan, r)
        layout = rans.Contexts(len(plan["b"]) + 1)
        _, width = integers.widths_of(plan)
        raw = float(np.append(width, 80)[symbols].sum())
        return raw + rans.cost(rans.forward(symbols, None, layout)) + BIN_BITS * len(plan["b"])

    def _features(self, plan: Plan, stream: Stream, r: Int, rows: Any) -> tuple[float, Plan]:
        """(bits on the sample, the plan with the features that lower them most, one by one)."""
        symbols = integers.symbols_of(plan, r)
        alphabet = len(plan["b"])
        _, width = integers.widths_of(plan)
        fixed = float(width[symbols[rows]].sum()) + BIN_BITS * alphabet
        part = symbols[rows]
        if alphabet < 2:
            return fixed, plan

        def cost(chosen: list[tuple[Any, Any, int]], strength: int = 8) -> float:
            base, radices, of = None, [], None
            for feature, marks, radix in sorted(chosen, key=lambda c: c[0][0] != "o"):
                radices.append(radix)
                if feature[0] == "o":
                    edges = np.cumsum(feature[1])
                    of = np.searchsorted(edges, np.arange(alphabet), "right").astype(np.uint8)
                else:
                    base = marks if base is None else base * np.uint32(radix) + marks
            layout = rans.Contexts(alphabet, tuple(radices), strength, of)
            if layout.size * alphabet > self.effort.cells:
                return np.inf
            return fixed + rans.cost(rans.forward(part, base, layout)) + FEATURE_BITS * len(chosen)

        chosen: list[tuple[Any, Any, int]] = []
        bits = cost(chosen)
        candidates = list(self._candidates(stream, symbols, alphabet, rows))
        for _ in range(self.effort.features):
            tried = [(cost([*chosen, c]), i) for i, c in enumerate(candidates)]
            if not tried:
                break
            tried.sort()
            if tried[0][0] > 0.997 * bits:
                break
            bits = tried[0][0]
            chosen.append(candidates[tried[0][1]])
            gone = chosen[-1][0]
            best = [candidates[i] for _, i in tried[1 : 1 + self.effort.second]]
            candidates = [c for c in best if c[0][0] != gone[0] or c[0][0] not in "om"]
        strength = 8
        for other in (2, 32):
            tried_bits = cost(chosen, other)
            if tried_bits < bits:
                bits, strength = tried_bits, other
        made = {**plan, "k": strength}
        if chosen:
            made["f"] = [c[0] for c in sorted(chosen, key=lambda c: c[0][0] != "o")]
        return bits, made

    def _candidates(
        self, stream: Stream, symbols: Any, alphabet: int, rows: Any
    ) -> Iterator[tuple[Any, Any, int]]:
        for most in self.effort.classes:
            edges = _classes(symbols, alphabet, most)
            yield ["o", edges], None, len(edges) + 1
        for size in self.effort.repeats:
            edges = _classes(symbols, alphabet, min(alphabet, integers.MAX_CLASSES))
            classes = np.searchsorted(np.cumsum(edges), np.arange(alphabet), "right")
            marks = rans.repeats(symbols, classes.astype(np.uint8), size)
            yield ["m", edges, size], marks[rows], 2 * len(edges) + 3
        part, here = self._sampled(stream, rows), Stream(np.zeros(0, np.int64))
        for g, values in enumerate(part.values):
            count = self.known.alphabets[g]
            if count < 2 and int(part.symbols[g].max(initial=0)) == 0:
                continue
            for most in self.effort.classes:
                features: list[Any] = [["s", g, _classes(part.symbols[g], count + 1, most)]]
                edges = _quantiles(values, most)
                if len(edges):
                    features.append(["v", g, edges])
                for feature in features:
                    yield (feature, *integers.feature_of(feature, here, part))
            yield (["e", g], *integers.feature_of(["e", g], here, part))

    def _sampled(self, stream: Stream, rows: Any) -> Known:
        """What is known, at these of the stream's rows only."""
        if stream.present is not None:
            rows = np.flatnonzero(stream.present)[rows]
        part = Known(self.known.rows, alphabets=self.known.alphabets)
        part.values = [v[rows] for v in self.known.values]
        part.symbols = [s[rows] for s in self.known.symbols]
        return part

    def best_features(self, stream: Stream, symbols: Any, most: int) -> list[Any]:
        """Features of other columns that tell most of these symbols, best first."""
        alphabet = int(symbols.max(initial=0)) + 1
        rows = _sample_rows(len(symbols), self.effort.sample)
        found = []
        for feature, marks, radix in self._candidates(stream, symbols, alphabet, rows):
            if feature[0] in "sv":
                layout = rans.Contexts(alphabet, (radix,))
                found.append((rans.cost(rans.forward(symbols[rows], marks, layout)), feature))
        found.sort(key=lambda f: f[0])
        out: list[Any] = []
        for _, feature in found:
            if all(feature[1] != f[1] for f in out):
                out.append(feature)
        return out[:most]

    def _finish(self, plan: Plan, stream: Stream, r: Int) -> Plan:
        """Lanes by the size; the usual symbol."""
        symbols = integers.symbols_of(plan, r)
        if any(f[0] == "m" for f in plan.get("f", ())):
            return plan
        base, layout = integers.contexts(plan, stream, self.known)
        size = rans.cost(rans.forward(symbols, base, layout)) / 8 if layout.alphabet > 1 else 0
        lanes = 0
        while lanes < 8 and size > LANE_BYTES << lanes:
            lanes += 1
        return {**plan, "l": lanes} if lanes else plan


def _squeezing(values: Int) -> Plan:
    low, high = int(values.min()), int(values.max())
    size = next(s for s in (1, 2, 4, 8) if high - low < 1 << 8 * s)
    return {"o": low, "y": size}


def bits_of(plan: Plan, stream: Stream, known: Known, prime: Any = None) -> float:
    """Bits that a stream takes under a plan."""
    r = integers.residuals(plan, stream, known)
    symbols = integers.symbols_of(plan, r)
    base, layout = integers.contexts(plan, stream, known, prime, symbols)
    raw = float(np.append(integers.widths_of(plan)[1], 64)[symbols].sum())
    return raw + rans.cost(rans.forward(symbols, base, layout))


def _spread(values: Int) -> float:
    part = values[:: max(1, len(values) // 4096)].astype(np.float64)
    return float(np.abs(part - np.median(part)).mean())


def _classes(symbols: Any, alphabet: int, most: int) -> list[int]:
    """Edges (as differences) that cut symbols into at most `most` classes of about equal use."""
    if alphabet <= most:
        return _deltas(range(1, alphabet))
    used = np.bincount(symbols, minlength=alphabet)[:alphabet]
    left, out, room = float(used.sum()), [], most
    held = 0.0
    for s in range(alphabet - 1):
        held += float(used[s])
        if held >= left / room and held > 0 and room > 1:
            out.append(s + 1)
            left, held, room = left - held, 0.0, room - 1
    return _deltas(out)


def _quantiles(values: Int, most: int) -> list[int]:
    part = np.sort(values[:: max(1, len(values) // 8192)])
    edges = np.unique(part[(np.arange(1, most) * len(part)) // most])
    edges = edges[edges > part[0]] if len(part) else edges
    return _deltas(edges) if len(edges) else []
