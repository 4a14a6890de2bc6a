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

import math
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
BITS_64 = 1 << 64
MAX_REPEAT = 64
MAX_ALPHABET = 1024
MAX_LEVELS = 4  # features of a context
MAX_CELLS = 1 << 22  # of all tables of a stream
MAX_LANES = 256
MAX_RADIX = 1 << 16
MAX_STRENGTH = (1 << 16) - 1
MAX_PRIME = (1 << 24) - 1  # of a count, so that sums and products of counts fit into 64 bits
MAX_PRIMED = (1 << 31) - 1  # of all counts: with a block's 2^31 rows at most, sums fit into 32 bits
SURE_LENGTH = 16  # symbols in a row that were predicted right, from which on a prediction is sure
MOST_MISSES = 8  # symbols in a row that a prediction may miss
SLOT_BITS = 18  # of a hash

U16 = npt.NDArray[np.uint16]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
LOG2 = np.log2(np.maximum(np.arange(TOTAL + 1), 1))  # of each frequency


@dataclass(frozen=True, eq=False)
class Contexts:
    """How the frequency table of each symbol is chosen: by its context, a number that features of
    the symbol's place make, as digits in mixed radix.

    alphabet: how many symbols, which are 0 .. alphabet - 1. radices: for each feature of the
    context how many values it has. own: (alphabet,), the class of each symbol; if not None, the
    class of the symbol before is the first feature. strength: for how many symbols the table with
    one feature less counts. prime: (contexts, alphabet), counts to begin with; None: zeros.

    match: for a decoder alone, else None: (alphabet,), classes of the symbol that a repeat of
    `size_of_repeats` symbols predicts, see Repeats; the mark of it times `stride` is added to the
    base. There is one lane then.

    Nothing is checked before `check` is called, as a decoder does.
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
        """How many contexts there are: the product of the radices, 1 without any."""
        return math.prod(self.radices)

    def check(self) -> None:
        """Raise ArchiveError if these contexts, as read from an archive, are damaged: if alphabet,
        radices, strength, prime or match's size of repeats is beyond its limit MAX_..., or own,
        prime or match has not the shape or the classes that the alphabet and radices ask for."""
        # sizes first: the other checks rely on an alphabet of at least one symbol, and on no more
        # contexts than are allowed
        sane = self._has_sizes_in_range()
        sane = sane and self._has_own_in_range()
        sane = sane and self._has_prime_in_range()
        sane = sane and self._has_match_in_range()
        if not sane:
            raise ArchiveError("damaged: a coder's contexts are out of range")

    def _has_sizes_in_range(self) -> bool:
        """Whether alphabet, radices, strength, and how many frequencies there are together are
        within their limits: MAX_ALPHABET (1,024), MAX_LEVELS (4) radices of at most MAX_RADIX
        (2^16), MAX_STRENGTH (65,535), MAX_CELLS (2^22)."""
        if not 1 <= self.alphabet <= MAX_ALPHABET:
            return False
        if len(self.radices) > MAX_LEVELS:
            return False
        if not all(1 <= radix <= MAX_RADIX for radix in self.radices):
            return False
        if not 1 <= self.strength <= MAX_STRENGTH:
            return False
        return self.size * self.alphabet <= MAX_CELLS

    def _has_own_in_range(self) -> bool:
        """Whether `own` has a class for each symbol, and the first radix room for every class; True
        without it."""
        if self.own is None:
            return True
        if len(self.own) != self.alphabet or not self.radices:
            return False
        return int(self.own.max()) < self.radices[0]

    def _has_prime_in_range(self) -> bool:
        """Whether `prime` has a count for each symbol in each context, all of them in range, see
        is_prime_in_range; True without it."""
        if self.prime is None:
            return True
        if self.prime.shape != (self.size, self.alphabet):
            return False
        return is_prime_in_range(self.prime)

    def _has_match_in_range(self) -> bool:
        """Whether `match` has a class for each symbol, and repeats a size of 1 .. MAX_REPEAT (64);
        True without it."""
        if self.match is None:
            return True
        if len(self.match) != self.alphabet:
            return False
        return 1 <= self.size_of_repeats <= MAX_REPEAT

    def _for_c(self) -> tuple[bytes, bytes, bytes]:
        """The parts as the C kernel takes them, but for those of `match`: (own, uint8; prime,
        uint32; settings, int32: alphabet, strength, how many radices, the radices) as little-endian
        bytes; own and prime b"" where there is none."""
        own = b""
        if self.own is not None:
            own = self.own.tobytes()
        prime = b""
        if self.prime is not None:
            prime = np.ascontiguousarray(self.prime, "<u4").tobytes()
        settings = [self.alphabet, self.strength, len(self.radices), *self.radices]
        stored_settings = np.array(settings, "<i4").tobytes()
        return own, prime, stored_settings


def is_prime_in_range(prime: U32) -> bool:
    """Whether no count that tables begin with, (contexts, alphabet), is above MAX_PRIME (2^24 - 1),
    and all together are at most MAX_PRIMED (2^31 - 1)."""
    if int(prime.max(initial=0)) > MAX_PRIME:
        return False
    # the kernel counts in 32 bits, in which a larger sum would begin anew at 0
    return int(prime.sum(dtype=np.uint64)) <= MAX_PRIMED


class Repeats:
    """Predicts the next symbol of a stream: the one that followed when the last `size` symbols came
    before, as dictionary coders of the family LZ77 find repeats.

    An earlier stretch is found by a hash, H <- H B + s + 1 - (s_old + 1) B^size modulo 2^64, of
    which the 18 highest bits of H B count; collisions do no harm. The prediction runs on until
    eight symbols in a row miss it, and after a miss gives way to a stretch found anew. Before each
    symbol comes `mark`, behind it `add`. classes: (alphabet,), the class of each symbol; size: 1 ..
    MAX_REPEAT (64).
    """

    def __init__(self, classes: npt.NDArray[np.uint8], size: int) -> None:
        self.classes = classes.tolist()
        self.class_count = int(classes.max()) + 1
        self.size = size
        # by the hash of a stretch, the place of the symbol behind it
        self.place_by_hash: dict[int, int] = {}
        self.hash = 0
        # of the prediction: symbols right in a row, and wrong in a row
        self.hits_in_a_row = 0
        self.misses_in_a_row = 0
        # the place of the earlier symbol that is predicted to come next; -1 without any
        self.predicting_place = -1
        # the factor of the symbol that leaves the stretch
        self.factor_of_oldest = pow(BASE, size, BITS_64)

    def mark(self, symbols: U16) -> int:
        """A number for what is predicted of the next symbol: 0 for nothing; else 1 + the predicted
        symbol's class, and, if the prediction was right at least 16 times in a row, the number of
        classes more. symbols: (n,), of which only those that were added are read."""
        if self.predicting_place < 0:
            return 0
        symbol = int(symbols[self.predicting_place])
        predicted: int = self.classes[symbol]
        if self.hits_in_a_row >= SURE_LENGTH:
            predicted += self.class_count
        return 1 + predicted

    def add(self, symbols: U16, i: int) -> None:
        """Update the prediction with symbol i, which is known now; to be called for 0, 1, 2 ... in
        order. symbols: (n,), of which only those up to i are read."""
        symbol = int(symbols[i])
        if self.predicting_place >= 0:
            self._judge(symbol, symbols)
        self.hash = (self.hash * BASE + symbol + 1) % BITS_64
        if i >= self.size:
            oldest = int(symbols[i - self.size])
            self.hash = (self.hash - (oldest + 1) * self.factor_of_oldest) % BITS_64
        if i + 1 < self.size:
            return
        # multiplied once more: the last symbols alone would move but the low bits
        scattered = self.hash * BASE % BITS_64
        slot = scattered >> 64 - SLOT_BITS
        # while a prediction holds it is kept: it may be the longer one
        has_failed = self.predicting_place < 0 or self.hits_in_a_row == 0
        if has_failed and slot in self.place_by_hash:
            self.predicting_place = self.place_by_hash[slot]
            self.hits_in_a_row = 0
            self.misses_in_a_row = 0
        self.place_by_hash[slot] = i + 1

    def _judge(self, symbol: int, symbols: U16) -> None:
        """Count whether the prediction, which there must be, of a symbol was right, and move on to
        the symbol that is predicted next; after MOST_MISSES (8) misses in a row to none. symbols:
        (n,), the known ones."""
        if int(symbols[self.predicting_place]) == symbol:
            self.hits_in_a_row += 1
            self.misses_in_a_row = 0
        else:
            self.hits_in_a_row = 0
            self.misses_in_a_row += 1
        self.predicting_place += 1
        if self.misses_in_a_row >= MOST_MISSES:
            self.predicting_place = -1


def repeats(symbols: U16, classes: npt.NDArray[np.uint8], size: int) -> U32:
    """Predict each symbol by repeats of the `size` symbols before it: (n,) uint32, the number of
    Repeats.mark for each: 0 where nothing is predicted, else the class of the predicted symbol and
    whether it is sure. classes: (alphabet,), the class of each symbol; size: 1 .. MAX_REPEAT
    (64)."""
    marks = np.empty(len(symbols), np.uint32)
    if kernel.C is not None:
        count = int(classes.max()) + 1
        contiguous = np.ascontiguousarray(symbols)
        kernel.C.repeats(contiguous, size, classes, count, marks)
        return marks
    predictor = Repeats(classes, size)
    for i in range(len(symbols)):
        marks[i] = predictor.mark(symbols)
        predictor.add(symbols, i)
    return marks


def tables(counts: Int, c: Contexts) -> Int:
    """The frequency table of each context from counts of its symbols, both (contexts, alphabet)
    int64: frequencies of 1 or more, which sum to 2^14 in each.

    Level by level, from no feature to all: f = 1 + floor((2^14 n + D above) (2^14 - A) / (2^14 (N +
    D))), what is missing to 2^14 added to the first largest; where N = 0, f = above. n: a symbol's
    count, N: those of all A symbols, D: c.strength, above: f with one feature less.
    """
    alphabet = c.alphabet
    # the table of no counts at all: all symbols alike
    above = np.full((1, alphabet), TOTAL // alphabet, dtype=np.int64)
    above[0, 0] += TOTAL % alphabet
    contexts = 1
    for radix in (1, *c.radices):
        above = np.repeat(above, radix, axis=0)
        contexts *= radix
        # a context of fewer features has the counts of all that differ in the others
        by_context = counts.reshape(contexts, -1, alphabet)
        counts_of_context = by_context.sum(axis=1)
        total = counts_of_context.sum(axis=1, keepdims=True)
        # every symbol has 1 at least, so that each can be coded; the rest is shared out
        weight = counts_of_context * TOTAL + c.strength * above
        all_weights = (total + c.strength) * TOTAL
        frequencies = 1 + weight * (TOTAL - alphabet) // all_weights
        # what rounding down leaves over: every one of the 2^14 slots belongs to a symbol
        missing = TOTAL - frequencies.sum(axis=1)
        largest = frequencies.argmax(axis=1)
        frequencies[np.arange(contexts), largest] += missing
        above = np.where(total > 0, frequencies, above)
    return above


def epochs(n: int, lanes: int) -> list[tuple[int, int]]:
    """Cut the coding of n symbols into epochs, within each of which frequency tables stay the same:
    (first step, step behind the last) of each. lanes: runs into which the symbols are cut; a step
    codes a symbol of each lane. [] for no symbols."""
    steps = _steps(n, lanes)
    cut = []
    begin = 0
    symbols = FIRST_EPOCH
    while begin < steps:
        end = max(begin + 1, _steps(symbols, lanes))
        end = min(end, steps)
        cut.append((begin, end))
        symbols += symbols >> 1
        begin = end
    return cut


def _steps(n: int, lanes: int) -> int:
    """The number of steps in which n symbols are coded by so many lanes: ceil(n / lanes), the
    symbols of the longest lane."""
    return -(-n // lanes)


def contexts_of(
    symbols: U16,
    base: U32 | None,
    c: Contexts,
    lanes: int = 1,
) -> Int:
    """The number of each symbol's context, (n,) int64, by which its frequency table is chosen.
    base: (n,), the part of it that does not depend on the symbol before; None: 0. c: with the
    classes of the symbol before, if these are a feature; lanes: how many runs the symbols are cut
    into, before each of which a 0 stands."""
    n = len(symbols)
    contexts = _bases(base, n)
    if c.own is None or not n:
        return contexts
    before = np.roll(symbols, 1)
    # before the first symbol of each lane stands a 0, whatever ended the lane before it
    before[:: _steps(n, lanes)] = 0
    classes = c.own[before].astype(np.int64)
    contexts_of_a_class = c.size // c.radices[0]
    return contexts + classes * contexts_of_a_class


def _bases(base: U32 | None, n: int) -> Int:
    """(n,) int64: the base of each symbol's context, the part known ahead, as a new array; zeros
    for None."""
    if base is None:
        return np.zeros(n, np.int64)
    return base.astype(np.int64)


def _base_for_c(base: U32 | None) -> U32 | bytes:
    """The base of contexts, (n,), the part of each that is known ahead, as the C kernel takes it:
    without gaps in memory; b"" for None."""
    if base is None:
        return b""
    return np.ascontiguousarray(base, np.uint32)


def forward(
    symbols: U16,
    base: U32 | None,
    c: Contexts,
    lanes: int = 1,
) -> U32:
    """Look up the frequency of each symbol in the table of its context and epoch: (n,) uint32,
    frequency << 16 | the sum of the frequencies of lower symbols, both of 2^14. base: (n,), the
    part of each context that is known ahead, None: 0; c: how contexts choose tables; lanes: how
    many runs the symbols are cut into. ValueError for a symbol or a context that is out of
    range."""
    n = len(symbols)
    out = np.empty(n, dtype=np.uint32)
    if not n:
        return out
    if kernel.C is not None:
        contiguous = np.ascontiguousarray(symbols)
        kernel.C.forward(
            contiguous,
            _base_for_c(base),
            *c._for_c(),
            lanes,
            out,
        )
        return out
    contexts = contexts_of(symbols, base, c, lanes)
    highest_context = int(contexts.max())
    highest_symbol = int(symbols.max())
    if highest_context >= c.size or highest_symbol >= c.alphabet:
        raise ValueError("a symbol or its context is out of range")
    counts = _first_counts(c)
    step = np.arange(n) % _steps(n, lanes)
    for begin, end in epochs(n, lanes):
        frequency = tables(counts, c)
        lower = np.cumsum(frequency, axis=1) - frequency
        in_epoch = (step >= begin) & (step < end)
        places = np.flatnonzero(in_epoch)
        cells = (contexts[places], symbols[places].astype(np.int64))
        out[places] = frequency[cells] << 16 | lower[cells]
        # a cell may come several times, which `counts[cells] += 1` would count once
        np.add.at(counts, cells, 1)
    return out


def _first_counts(c: Contexts) -> Int:
    """The counts that frequency tables begin with, before the first symbol: (contexts, alphabet)
    int64, the prime or zeros, as a new array."""
    if c.prime is None:
        return np.zeros((c.size, c.alphabet), np.int64)
    return c.prime.astype(np.int64)


def cost(pairs: U32) -> float:
    """Bits that symbols take in all, by the logarithms of their frequencies. pairs: (n,), as
    `forward` returns them."""
    # "clip" spares the look whether each is within the table, as all are
    logarithms = LOG2.take(pairs >> 16, mode="clip")
    return float(PRECISION * len(pairs) - logarithms.sum())


def push(pairs: U32, lanes: int = 1) -> bytes:
    """Encode symbols as bytes: the u32 state of each lane, a run of the symbols with a coder of its
    own, then words of u16, little-endian. pairs: (n,), as `forward` returns them for as many lanes,
    1 .. MAX_LANES (256)."""
    n = len(pairs)
    if kernel.C is not None:
        # a symbol gives away a word at most
        out = np.empty(4 * lanes + 2 * n, np.uint8)
        size = kernel.C.push(pairs, lanes, out)
        return out[:size].tobytes()
    lane_states = np.full(lanes, LOW, dtype=np.uint64)
    words: list[U64] = []
    bits_of_word = np.uint64(16)
    low_bits = np.uint64(0xFFFF)
    shift = np.uint64(PRECISION)
    room = np.uint64(32 - PRECISION)
    steps = _steps(n, lanes)
    first = np.arange(lanes) * steps
    # the decoder takes back what was done last: the encoder goes from the last symbol to the first
    for step in reversed(range(steps)):
        places = first + step
        live = np.flatnonzero(places < n)
        # frequency << 16 | the sum of the frequencies of lower symbols
        pair = pairs[places[live]].astype(np.uint64)
        frequency = pair >> bits_of_word
        lower = pair & low_bits
        states = lane_states[live]
        # a state that would outgrow 32 bits first gives a word away
        full = states >= frequency << room
        words.append(states[full] & low_bits)
        states = np.where(full, states >> bits_of_word, states)
        lane_states[live] = (states // frequency << shift) + states % frequency + lower
    joined = np.concatenate([np.zeros(0, np.uint64), *reversed(words)])
    stored_states = lane_states.astype("<u4").tobytes()
    stored_words = joined.astype("<u2").tobytes()
    return stored_states + stored_words


class Chain:
    """Decodes streams of symbols from bytes that `push` wrote, one stream after another: `decode`
    for each, then `finish`. ArchiveError unless there are 1 to MAX_LANES (256) lanes, and bytes for
    the state of each."""

    def __init__(self, data: bytes, lanes: int = 1) -> None:
        if not 1 <= lanes <= MAX_LANES or len(data) < 4 * lanes:
            raise ArchiveError("damaged: a coded stream is cut short")
        self.lanes = lanes
        self.words = data[4 * lanes :]
        self.state = np.frombuffer(data, "<u4", lanes).copy()

    def decode(self, n: int, base: U32 | None, c: Contexts) -> U16:
        """Decode the n symbols of the next stream, (n,) uint16, and move on behind their bytes.
        base: (n,), the part of each context that is known ahead; None: 0. c: how tables are chosen.
        ArchiveError if the bytes end too early, c or contexts are out of range, or c looks for
        repeats and there are several lanes, runs of symbols coded in turn."""
        out = np.empty(n, dtype=np.uint16)
        c.check()
        # the base says all of a context but its first feature
        bases = c.size
        if c.own is not None:
            bases //= c.radices[0]
        if base is not None and n and int(base.max()) >= bases:
            raise ArchiveError("damaged: a context is out of range")
        if c.match is not None and self.lanes > 1:
            raise ArchiveError("damaged: a stream that looks for repeats has more than one lane")
        if kernel.C is not None:
            match = b"" if c.match is None else c.match.tobytes()
            used = kernel.C.decode(
                self.words,
                _base_for_c(base),
                *c._for_c(),
                self.lanes,
                match,
                c.size_of_repeats,
                c.match_classes,
                c.stride,
                self.state,
                out,
            )
        else:
            used = self._decode(out, base, c)
        if used < 0:
            raise ArchiveError("damaged: a coded stream ends too early")
        self.words = self.words[used:]
        return out

    def finish(self) -> None:
        """Raise ArchiveError unless all words were read and the state of every lane is that which
        `push` began with, 2^16. To be called behind the last stream."""
        if self.words or (self.state != LOW).any():
            raise ArchiveError("damaged: a coded stream does not end where it should")

    def _decode(self, out: U16, base: U32 | None, c: Contexts) -> int:
        """Decode len(out) symbols into `out`, in place, without the C kernel; returns how many
        bytes of `words` they took, or -1 if these are too few. base: (n,), the part of each context
        that is known ahead, None: 0; c: how contexts choose tables; both are checked already; the
        states move on."""
        n = len(out)
        state = self.state.astype(np.uint64)
        # a last byte alone is no word: it is found to be left over
        count_of_words = len(self.words) // 2
        words = np.frombuffer(self.words, "<u2", count_of_words)
        words = words.astype(np.uint64)
        at = 0
        shift = np.uint64(PRECISION)
        bits_of_word = np.uint64(16)
        counts = _first_counts(c)
        predictor: Repeats | None = None
        if c.match is not None:
            predictor = Repeats(c.match, c.size_of_repeats)
        first = np.arange(self.lanes) * _steps(n, self.lanes)
        for begin, end in epochs(n, self.lanes):
            frequencies = tables(counts, c)
            ends = np.cumsum(frequencies, axis=1)
            for step in range(begin, end):
                # the last lanes may be shorter, or empty
                rows = first[first + step < n] + step
                contexts = _contexts_of_step(out, rows, step, base, c)
                if predictor is not None:
                    contexts += predictor.mark(out) * c.stride
                x = state[: len(rows)]
                slot = x & np.uint64(TOTAL - 1)
                # the symbol whose range the slot lies in: so many ranges end before it
                slot_of_lane = slot.astype(np.int64)[:, None]
                is_before = ends[contexts] <= slot_of_lane
                symbols = is_before.sum(axis=1)
                cells = (contexts, symbols)
                frequency = frequencies[cells].astype(np.uint64)
                lower = ends[cells].astype(np.uint64) - frequency
                x = frequency * (x >> shift) + slot - lower
                # a state below 2^16 takes in the word that the encoder gave away
                empty = x < np.uint64(LOW)
                behind = at + int(empty.sum())
                if behind > len(words):
                    return -1
                x[empty] = x[empty] << bits_of_word | words[at:behind]
                at = behind
                state[: len(rows)] = x
                out[rows] = symbols
                if predictor is not None:
                    predictor.add(out, step)
                np.add.at(counts, cells, 1)
        self.state = state.astype(np.uint32)
        return 2 * at


def _contexts_of_step(
    out: U16,
    rows: Int,
    step: int,
    base: U32 | None,
    c: Contexts,
) -> Int:
    """The context of the symbol that each lane decodes in a step, (lanes,), without the mark of
    repeats. out: (n,), the symbols, of which those before this step are decoded; rows: (lanes,),
    the places of the next ones; base: (n,), the part of each context that is known ahead; None: 0.
    c: how contexts choose tables."""
    base_of_rows = None
    if base is not None:
        base_of_rows = base[rows]
    contexts = _bases(base_of_rows, len(rows))
    if c.own is None:
        return contexts
    # before the first symbol of each lane stands a 0
    before = np.zeros(len(rows), np.uint16)
    if step:
        before = out[rows - 1]
    classes = c.own[before].astype(np.int64)
    contexts_of_a_class = c.size // c.radices[0]
    return contexts + classes * contexts_of_a_class


def encode(
    symbols: U16,
    base: U32 | None,
    c: Contexts,
    lanes: int,
) -> bytes:
    """Encode symbols, (n,), in their contexts, as bytes that `decode` reads: `push` of what
    `forward` returns. base: (n,), the part of each context that is known ahead, None: 0; c: how
    contexts choose tables; lanes: how many runs the symbols are cut into. ValueError for a symbol
    or a context that is out of range."""
    pairs = forward(symbols, base, c, lanes)
    return push(pairs, lanes)


def decode(
    data: bytes,
    n: int,
    base: U32 | None,
    c: Contexts,
    lanes: int,
) -> U16:
    """Decode the n symbols that `encode` was given, (n,); ArchiveError unless they use up the data,
    or if contexts are out of range, or look for repeats in several lanes. base, c, lanes: as
    `encode` was given them: the part of each context that is known ahead, how tables are chosen,
    and how many coders take turns."""
    chain = Chain(data, lanes)
    out = chain.decode(n, base, c)
    chain.finish()
    return out
