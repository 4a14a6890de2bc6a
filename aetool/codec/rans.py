"""Symbols to bytes: range asymmetric numeral systems over integer tables that learn by epochs.

Duda 2013 (arXiv:1311.2540), the range variant; lanes as in Giesen 2014 (arXiv:1402.3392).
Frequencies sum to 2^14, states are 32 bits, words 16 bits.

The n symbols of a column are cut into `lanes` runs of ceil(n / lanes); a step codes one symbol of
every lane. Each symbol has a context: its base, given by what the decoder already has, and the
class of the symbol before it in its lane. Tables are fixed within an epoch and computed again at
its end from the counts of all symbols so far, context by context and smoothed towards the table
of the context without its last feature (a Dirichlet prior: MacKay & Peto 1995), all in integers.
So no table is stored, and both sides hold the same ones. This file is the norm; the C kernel
computes the same integers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from aetool import kernel
from aetool.errors import ArchiveError
from aetool.model import Int

PRECISION = 14
TOTAL = 1 << PRECISION
LOW = 1 << 16  # states stay in [2^16, 2^32)
FIRST_EPOCH = 32  # symbols; every further epoch ends at half as many again
BASE = 0x9E3779B97F4A7C15
MAX_REPEAT = 64
MAX_ALPHABET, MAX_LEVELS, MAX_CELLS, MAX_LANES = 1024, 4, 1 << 22, 256

U16 = npt.NDArray[np.uint16]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
LOG2 = np.log2(np.maximum(np.arange(TOTAL + 1), 1))  # of each frequency


@dataclass(frozen=True, eq=False)
class Contexts:
    """How the frequency table of each symbol is chosen.

    alphabet: how many symbols. radices: for each feature of the context how many values it has.
    own: (alphabet,), the class of each symbol; if given, the class of the symbol before is the
    first feature. strength: for how many symbols the table with one feature less counts. prime:
    (contexts, alphabet), counts to begin with.

    match: for a decoder alone: (alphabet,), classes of the symbol that a repeat of
    `size_of_repeats` symbols predicts, see Repeats; the mark of it times `stride` is added to the
    base. There is one lane then.
    """

    alphabet: int
    radices: tuple[int, ...] = ()
    strength: int = 8
    own: npt.NDArray[np.uint8] | None = None
    prime: U32 | None = field(default=None, repr=False)
    match: npt.NDArray[np.uint8] | None = None
    size_of_repeats: int = 1
    stride: int = 1

    @property
    def match_classes(self) -> int:
        """How many classes `match` has; 0 without it."""
        if self.match is None:
            return 0
        return int(self.match.max()) + 1

    @property
    def size(self) -> int:
        """How many contexts there are: the product of the radices."""
        return int(np.prod(self.radices, dtype=np.int64))

    def check(self) -> None:
        """Raise ArchiveError if any part is out of range, or the parts do not fit each other."""
        sane = 1 <= self.alphabet <= MAX_ALPHABET and len(self.radices) <= MAX_LEVELS
        sane = sane and all(1 <= r <= 1 << 16 for r in self.radices)
        sane = sane and 1 <= self.strength < 1 << 16 and self.size * self.alphabet <= MAX_CELLS
        if sane and self.own is not None:
            sane = len(self.own) == self.alphabet and bool(self.radices)
            sane = sane and int(self.own.max()) < self.radices[0]
        if sane and self.prime is not None:
            sane = self.prime.shape == (self.size, self.alphabet)
            sane = sane and int(self.prime.max(initial=0)) < 1 << 24
        if sane and self.match is not None:
            sane = len(self.match) == self.alphabet and 1 <= self.size_of_repeats <= MAX_REPEAT
        if not sane:
            raise ArchiveError("damaged: a coder's contexts are out of range")

    def _c(self) -> tuple[bytes, bytes, bytes]:
        params = np.array([self.alphabet, self.strength, len(self.radices), *self.radices], "<i4")
        own = b"" if self.own is None else self.own.tobytes()
        prime = b"" if self.prime is None else np.ascontiguousarray(self.prime, "<u4").tobytes()
        return own, prime, params.tobytes()


class Repeats:
    """Predicts the symbol that came after the last stretch of `size` symbols like the last ones.

    A stretch is found by a hash, H <- H B + s + 1 - (s_old + 1) B^size modulo 2^64, of which the 18
    highest bits of H B count; collisions do no harm. The prediction runs on until eight symbols in
    a row miss it, and after a miss gives way to a stretch found anew.
    """

    def __init__(self, classes: npt.NDArray[np.uint8], size: int) -> None:
        self.classes, self.count, self.size = classes.tolist(), int(classes.max()) + 1, size
        self.table: dict[int, int] = {}
        self.hash = self.length = self.misses = 0
        self.source = -1
        self.drop = pow(BASE, size, 1 << 64)

    def mark(self, symbols: U16) -> int:
        """A number of what is predicted for the next symbol: 0 for nothing; else 1 + the predicted
        symbol's class, and, if the prediction was right at least 16 times in a row, the number of
        classes more."""
        if self.source < 0:
            return 0
        predicted: int = self.classes[int(symbols[self.source])]
        return 1 + predicted + (self.length >= 16) * self.count

    def add(self, symbols: U16, i: int) -> None:
        """Take in symbol i, of symbols (n,) of which only those up to i are read."""
        s = int(symbols[i])
        if self.source >= 0:
            hit = int(symbols[self.source]) == s
            self.length, self.misses = (self.length + 1, 0) if hit else (0, self.misses + 1)
            self.source = self.source + 1 if self.misses < 8 else -1
        self.hash = (self.hash * BASE + s + 1) % (1 << 64)
        if i >= self.size:
            self.hash = (self.hash - (int(symbols[i - self.size]) + 1) * self.drop) % (1 << 64)
        if i + 1 >= self.size:
            slot = self.hash * BASE % (1 << 64) >> 46
            if slot in self.table and (self.source < 0 or self.length == 0):
                self.source = self.table[slot]
                self.length = 0
                self.misses = 0
            self.table[slot] = i + 1


def repeats(symbols: U16, classes: npt.NDArray[np.uint8], size: int) -> U32:
    """(n,): for each symbol the mark, as of Repeats, that was predicted before it came. classes:
    (alphabet,)."""
    out = np.empty(len(symbols), np.uint32)
    if kernel.C is not None:
        count = int(classes.max()) + 1
        kernel.C.repeats(np.ascontiguousarray(symbols), size, classes, count, out)
        return out
    look = Repeats(classes, size)
    for i in range(len(symbols)):
        out[i] = look.mark(symbols)
        look.add(symbols, i)
    return out


def tables(counts: Int, c: Contexts) -> Int:
    """Frequencies (contexts, alphabet) that sum to 2^14, from counts of the same shape.

    Level by level, from no feature to all: f = 1 + floor((2^14 n + D above) (2^14 - A) / (2^14
    (N + D))), what is missing to 2^14 added to the first largest; where N = 0, f = above.
    """
    a = c.alphabet
    above = np.full((1, a), TOTAL // a, dtype=np.int64)
    above[0, 0] += TOTAL % a
    contexts = 1
    for level in range(len(c.radices) + 1):
        if level:
            above = np.repeat(above, c.radices[level - 1], axis=0)
            contexts *= c.radices[level - 1]
        n = counts.reshape(contexts, -1, a).sum(axis=1)
        seen = n.sum(axis=1, keepdims=True)
        f = 1 + (n * TOTAL + c.strength * above) * (TOTAL - a) // ((seen + c.strength) * TOTAL)
        rows = np.arange(contexts)
        f[rows, f.argmax(axis=1)] += TOTAL - f.sum(axis=1)
        above = np.where(seen > 0, f, above)
    return above


def epochs(n: int, lanes: int) -> list[tuple[int, int]]:
    """(first step, step behind the last) of each epoch of n symbols in so many lanes."""
    chunk = -(-n // lanes)
    out = []
    begin = 0
    limit = FIRST_EPOCH
    while begin < chunk:
        end = min(chunk, max(begin + 1, -(-limit // lanes)))
        limit += limit >> 1
        out.append((begin, end))
        begin = end
    return out


def contexts_of(symbols: U16, base: U32 | None, c: Contexts, lanes: int = 1) -> Int:
    """(n,): the number of each symbol's context. base: (n,), the part of it that does not depend on
    the stream's own symbols; None: 0."""
    n = len(symbols)
    ctx = np.zeros(n, np.int64) if base is None else base.astype(np.int64)
    if c.own is not None and n:
        before = np.roll(symbols, 1)
        before[:: -(-n // lanes)] = 0
        ctx = ctx + c.own[before].astype(np.int64) * (c.size // c.radices[0])
    return ctx


def forward(symbols: U16, base: U32 | None, c: Contexts, lanes: int = 1) -> U32:
    """(n,): for each symbol its frequency << 16 | the sum of the frequencies of lower symbols, in
    the table of its context and epoch."""
    n = len(symbols)
    out = np.empty(n, dtype=np.uint32)
    if not n:
        return out
    if kernel.C is not None:
        base_or_none = b"" if base is None else np.ascontiguousarray(base, np.uint32)
        kernel.C.forward(np.ascontiguousarray(symbols), base_or_none, *c._c(), lanes, out)
        return out
    chunk = -(-n // lanes)
    s = symbols.astype(np.int64)
    ctx = contexts_of(symbols, base, c, lanes)
    if int(ctx.max()) >= c.size or int(s.max()) >= c.alphabet:
        raise ValueError("a symbol or its context is out of range")
    counts = _counts(c)
    step = np.arange(n) % chunk
    for begin, end in epochs(n, lanes):
        f = tables(counts, c)
        cumulative = np.cumsum(f, axis=1) - f
        now = np.flatnonzero((step >= begin) & (step < end))
        out[now] = f[ctx[now], s[now]] << 16 | cumulative[ctx[now], s[now]]
        np.add.at(counts, (ctx[now], s[now]), 1)
    return out


def _counts(c: Contexts) -> Int:
    if c.prime is None:
        return np.zeros((c.size, c.alphabet), np.int64)
    return c.prime.astype(np.int64)


def cost(pairs: U32) -> float:
    """Bits that symbols take in all. pairs: (n,), their frequencies, as `forward` returns them."""
    # "clip" spares the look whether each is within the table, as all are
    logarithms = LOG2.take(pairs >> 16, mode="clip")
    return float(PRECISION * len(pairs) - logarithms.sum())


def push(pairs: U32, lanes: int = 1) -> bytes:
    """Encode symbols: u32 state of each lane, then words of u16. pairs: (n,), as `forward` returns
    them."""
    n = len(pairs)
    if kernel.C is not None:
        out = np.empty(4 * lanes + 2 * n, np.uint8)
        return out[: kernel.C.push(pairs, lanes, out)].tobytes()
    chunk = -(-n // lanes)
    state = np.full(lanes, LOW, dtype=np.uint64)
    words: list[U64] = []
    word = np.uint64(16)
    shift = np.uint64(PRECISION)
    first = np.arange(lanes) * chunk
    for step in range(chunk - 1, -1, -1):
        live = np.flatnonzero(first + step < n)
        pair = pairs[first[live] + step].astype(np.uint64)
        f = pair >> word
        low = pair & np.uint64(0xFFFF)
        x = state[live]
        full = x >= f << np.uint64(32 - PRECISION)
        words.append(x[full] & np.uint64(0xFFFF))
        x = np.where(full, x >> word, x)
        state[live] = (x // f << shift) + x % f + low
    joined = np.concatenate(words[::-1]) if words else np.zeros(0, np.uint64)
    return state.astype("<u4").tobytes() + joined.astype("<u2").tobytes()


class Chain:
    """Decodes streams of symbols from bytes that `push` wrote, one stream after another."""

    def __init__(self, data: bytes, lanes: int = 1) -> None:
        if not 1 <= lanes <= MAX_LANES or len(data) < 4 * lanes:
            raise ArchiveError("damaged: a coded stream is cut short")
        self.lanes = lanes
        self.words = data[4 * lanes :]
        self.state = np.frombuffer(data, "<u4", lanes).copy()

    def decode(self, n: int, base: U32 | None, c: Contexts) -> U16:
        """Decode the next n symbols. base: (n,), the part of each context that is known ahead;
        None: 0. c: how tables are chosen. ArchiveError if the bytes end too early."""
        out = np.empty(n, dtype=np.uint16)
        c.check()
        rest = c.size // (c.radices[0] if c.own is not None else 1)
        if base is not None and n and int(base.max()) >= rest:
            raise ArchiveError("damaged: a context is out of range")
        if c.match is not None and self.lanes > 1:
            raise ArchiveError("damaged: a stream that looks for repeats has more than one lane")
        if kernel.C is not None:
            base_or_none = b"" if base is None else np.ascontiguousarray(base, np.uint32)
            match = b"" if c.match is None else c.match.tobytes()
            look = (match, c.size_of_repeats, c.match_classes, c.stride)
            used = kernel.C.decode(
                self.words, base_or_none, *c._c(), self.lanes, *look, self.state, out
            )
        else:
            used = self._decode(out, base, c)
        if used < 0:
            raise ArchiveError("damaged: a coded stream ends too early")
        self.words = self.words[used:]
        return out

    def finish(self) -> None:
        """Raise ArchiveError unless all words were read and every state is that which `push` began
        with."""
        if self.words or (self.state != LOW).any():
            raise ArchiveError("damaged: a coded stream does not end where it should")

    def _decode(self, out: U16, base: U32 | None, c: Contexts) -> int:
        n = len(out)
        lanes = self.lanes
        state = self.state.astype(np.uint64)
        words = np.frombuffer(self.words[: len(self.words) & ~1], "<u2").astype(np.uint64)
        counts = _counts(c)
        chunk = -(-n // lanes)
        at = 0
        first = np.arange(lanes) * chunk
        low = np.uint64(LOW)
        shift = np.uint64(PRECISION)
        word = np.uint64(16)
        rest = c.size // c.radices[0] if c.own is not None else 0
        look = Repeats(c.match, c.size_of_repeats) if c.match is not None else None
        for begin, end in epochs(n, lanes):
            f = tables(counts, c)
            ends = np.cumsum(f, axis=1)
            for step in range(begin, end):
                rows = first[first + step < n] + step
                x = state[: len(rows)]
                ctx = np.zeros(len(rows), np.int64) if base is None else base[rows].astype(np.int64)
                if c.own is not None:
                    before = out[rows - 1] if step else np.zeros(len(rows), np.int64)
                    ctx += c.own[before].astype(np.int64) * rest
                if look is not None:
                    ctx += look.mark(out) * c.stride
                slot = x & np.uint64(TOTAL - 1)
                s = (ends[ctx] <= slot.astype(np.int64)[:, None]).sum(axis=1)
                freq = f[ctx, s].astype(np.uint64)
                x = freq * (x >> shift) + slot - (ends[ctx, s].astype(np.uint64) - freq)
                empty = x < low
                need = int(empty.sum())
                if at + need > len(words):
                    return -1
                x[empty] = x[empty] << word | words[at : at + need]
                at += need
                state[: len(rows)] = x
                out[rows] = s
                if look is not None:
                    look.add(out, step)
                np.add.at(counts, (ctx, s), 1)
        self.state = state.astype(np.uint32)
        return 2 * at


def encode(symbols: U16, base: U32 | None, c: Contexts, lanes: int) -> bytes:
    """Encode symbols, (n,), in their contexts, see `contexts_of`: `push` of what `forward`
    returns."""
    return push(forward(symbols, base, c, lanes), lanes)


def decode(data: bytes, n: int, base: U32 | None, c: Contexts, lanes: int) -> U16:
    """Decode the n symbols that `encode` was given; ArchiveError unless they use up the data."""
    chain = Chain(data, lanes)
    out = chain.decode(n, base, c)
    chain.finish()
    return out
