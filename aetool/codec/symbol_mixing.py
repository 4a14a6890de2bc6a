"""Coding of the symbols of a stream of whole numbers, bit by bit, by a mixture of many contexts.

The tables of rans.py know one context for each symbol, and finer ones learn slowly. Here each bit
of a symbol is foretold by how often it came in each of some twenty contexts, and two small networks
that learn as they go weigh these (Mahoney 2005, "Adaptive weighing of context models"). A context
is a number that is known ahead, its base, together with a part that the stream's own symbols before
make; a layout says which there are. Where symbols are numbers, a regression, see regression.py, may
foretell their bits beside the contexts. All numbers are whole. This file is the norm; the C kernel
computes the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aetool import kernel
from aetool.codec import mixing, regression
from aetool.codec.mixing import STRETCH, WORD, mixed_hash, squash
from aetool.codec.rans import U16, U32
from aetool.codec.regression import Numbers, Regression
from aetool.errors import ArchiveError
from aetool.model import Float, Int

MOST_VALUES = 1 << 18  # of a stream; one of more is never mixed: it would take long, both ways
MOST_CONTEXTS = 32
MOST_SLOT_BITS = 18  # of the place of a slot in its table
MOST_MET = 255
QUICK_MET = 20  # of contexts that are to follow what changed of late
FIRST_WEIGHT = 6500  # of 65536
LARGEST = 2047  # logit, in 256ths
# of a bit, of 65536: a chance of nothing would make it impossible to code
LEAST_CHANCE = 8
MOST_CHANCE = 65528
# of learning, see `_learn_weights`
FIRST_RATE = 41000
LEAST_RATE = 8
RATE_SYMBOLS = 500
LONG_WORD = (1 << 64) - 1
CONSTANT = 256  # the last input: a logit of 1, in 256ths
# what the stream's own symbols add to a context: nothing, the last one to three, six, the level,
# the symbol that came last with the same base, which then counts in place of the base, and means of
# the last symbols or levels
NOTHING = 0
LAST = 1
TWO = 2
THREE = 3
SIX = 4
LEVEL = 5
RECENT = 6
MEAN = 7
MEAN_LEVEL = 8
LENGTHS = (0, 1, 2, 3, 6)  # how many symbols, of the first five
# of means: what they are multiplied by, how fast they follow, and to what they are cut, in bits
MEAN_BITS = 8
MEAN_STEP = 3
MEAN_LEVEL_CUT = 10


@dataclass(frozen=True, eq=False)
class Layout:
    """The contexts by which the n symbols of a stream are foretold.

    alphabet: how many symbols there are, 2 or more. bases: (contexts, n), of each context the
    number that is known ahead. kinds: (contexts,), NOTHING .. MEAN_LEVEL: what the stream's own
    symbols add to each. starts: (alphabet,) int64, what each symbol adds to the level, the sum
    modulo 2^64 of those so far; shift: by how many bits the level is cut, 0 .. 63. limits:
    (contexts,), up to how many updates the statistics of each are plain means, 1 .. MOST_MET: the
    fewer, the sooner old ones are forgotten. first_weight: of each context, in 65,536ths. numbers:
    what the symbols are as numbers, and regressors beside them; None: no regression foretells them.
    """

    alphabet: int
    bases: U32
    kinds: Sequence[int]
    starts: Int
    shift: int
    limits: Sequence[int]
    first_weight: int = FIRST_WEIGHT
    numbers: Numbers | None = None

    def first(self, count: int) -> Layout:
        """The layout of the first `count` symbols alone, whose arrays are views of this one's."""
        numbers = self.numbers
        if numbers is not None:
            regressors = numbers.regressors[:, :count]
            numbers = dataclasses.replace(numbers, regressors=regressors)
        bases = self.bases[:, :count]
        return dataclasses.replace(self, bases=bases, numbers=numbers)

    @property
    def bits(self) -> int:
        """How many bits a symbol has: as few as tell all of them apart."""
        return (self.alphabet - 1).bit_length()

    @property
    def slot_bits(self) -> int:
        """How many bits the place of a slot in a context's table has: each table has 2 to this
        power slots, 2^8 to 2^18, about eight for each symbol."""
        slots = 8 * self.bases.shape[1]
        slot_bits = 8
        while slot_bits < MOST_SLOT_BITS and 1 << slot_bits < slots:
            slot_bits += 1
        return slot_bits

    def _for_c(self) -> tuple[U32, bytes, bytes, bytes]:
        """(bases, settings, starts, numbers) as the C kernel takes them. bases: uint32. settings:
        the bytes of int32: alphabet, shift, bits of slots, how many contexts, their first weight,
        kinds, limits. starts: the bytes of int64: what each symbol adds to the level. numbers: as
        of Numbers.for_c; b"" without a regression."""
        settings = [
            self.alphabet,
            self.shift,
            self.slot_bits,
            len(self.kinds),
            self.first_weight,
            *self.kinds,
            *self.limits,
        ]
        settings_for_c = np.array(settings, "<i4")
        starts_for_c = np.ascontiguousarray(self.starts, np.int64)
        numbers_for_c = b"" if self.numbers is None else self.numbers.for_c()
        return (
            np.ascontiguousarray(self.bases, np.uint32),
            settings_for_c.tobytes(),
            starts_for_c.tobytes(),
            numbers_for_c,
        )


@dataclass(eq=False)
class _Slot:
    """Statistics of one bit of a symbol in one context. check: 16 bits that tell contexts in one
    slot apart; chance: of a 1, in 65,536ths; met: how often it was updated, at most the limit."""

    check: int
    chance: int = 32768
    met: int = 0


class Mixer:
    """Predicts the bits of a stream's symbols one by one, the highest of each first, and learns
    from each once it is known: `chance` and `learn` are to be called in turn. A bit that can but be
    0, since no symbol has it, is passed over. symbols: those that are complete."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.symbols: list[int] = []
        self.level = 0
        self.mean = 0
        self.mean_level = 0
        # of each context the symbol that came last, 1 more, by a place that its base chooses
        self.last_symbols: list[dict[int, int]] = [{} for _ in layout.kinds]
        self.tables: list[dict[int, _Slot]] = [{} for _ in layout.kinds]
        self.regression = None if layout.numbers is None else Regression(layout.numbers)
        # of the contexts, then of the regression, none of the constant behind them
        first = [layout.first_weight] * len(layout.kinds)
        if self.regression is not None:
            first += [regression.FIRST_WEIGHT] * len(regression.STEPS)
        first.append(0)
        nodes = range(1 << layout.bits)
        # one set of weights for each bit of the tree of symbols, set 0 for all of them
        self.weights = [list(first) for _ in nodes]
        # what came of mixtures of each logit, which corrects them: by the bits of the symbol
        self.corrections = [list(mixing.FINAL) for _ in nodes]
        self._begin_symbol()

    def _begin_symbol(self) -> None:
        """Begin the next symbol, none of whose bits is known: find its contexts, and pass over bits
        that are 0 in any case. Behind the last symbol of the layout nothing is foretold."""
        self.prefix = 1
        self.bits_left = self.layout.bits
        count_before = len(self.symbols)
        # behind the last symbol nothing is foretold
        if count_before < self.layout.bases.shape[1]:
            if self.regression is not None:
                self.regression.begin()
            hashes_by_kind = self._own_hashes()
            bases = self.layout.bases[:, count_before].tolist()
            self.hashes: list[int] = []
            self.places_of_bases: list[int] = []
            for number, (base, kind) in enumerate(zip(bases, self.layout.kinds, strict=True)):
                place_of_base = self._place(base)
                self.places_of_bases.append(place_of_base)
                if kind == RECENT:
                    recent = self.last_symbols[number].get(place_of_base, 0)
                    context = mixed_hash(number, recent)
                else:
                    context = mixed_hash(base, hashes_by_kind[kind])
                self.hashes.append(context)
            self._skip_sure_zeros()

    def _place(self, scattered: int) -> int:
        """The place in a context's table that a hash of 32 bits chooses."""
        highest = scattered * 0x9E3779B1 & WORD
        return highest >> 32 - self.layout.slot_bits

    def _own_hashes(self) -> list[int]:
        """A list by the kind of context, NOTHING (0) to MEAN_LEVEL (8): what the symbols before add
        to it, a number of 32 bits: a hash of the last ones, each 0 where there is none, the level,
        or a mean. 0 for NOTHING, and for RECENT, which is looked up elsewhere."""
        # of NOTHING, and then of LAST, TWO, THREE and SIX
        hashes = [0]
        hash_of_symbols = 0
        for back in range(1, LENGTHS[-1] + 1):
            symbol = 0
            if back <= len(self.symbols):
                symbol = self.symbols[-back]
            hash_of_symbols = mixed_hash(hash_of_symbols, symbol)
            if back in LENGTHS:
                hashes.append(hash_of_symbols)
        # of the kinds LEVEL, RECENT, MEAN and MEAN_LEVEL
        hashes.append(self._shifted_level() & WORD)
        hashes.append(0)
        hashes.append(self.mean >> MEAN_BITS)
        hashes.append(self.mean_level >> MEAN_LEVEL_CUT & WORD)
        return hashes

    def _shifted_level(self) -> int:
        """The level, read as a number of 64 bits with a sign, shifted right by layout.shift: the
        lowest 32 bits of that, as a number with a sign."""
        sign = self.level >> 63
        signed = self.level - (sign << 64)
        shifted = signed >> self.layout.shift & WORD
        return shifted - (shifted >> 31 << 32)

    def _skip_sure_zeros(self) -> None:
        """Append zeros to the known bits of the symbol (`prefix`, with `bits_left` to come) as long
        as no symbol has a 1 there."""
        while self.bits_left:
            if self._may_be_one(self.prefix, self.bits_left - 1):
                return
            self.prefix <<= 1
            self.bits_left -= 1

    def _may_be_one(self, prefix: int, behind: int) -> bool:
        """Whether a symbol has a 1 as its next bit. prefix: a 1 and the bits before that one;
        behind: how many bits come behind it."""
        with_bit = prefix << 1 | 1
        # of the symbols that begin so the least, without the 1 before all bits
        least = (with_bit << behind) - (1 << self.layout.bits)
        return least < self.layout.alphabet

    def chance(self) -> int:
        """The probability that the next bit is 1, in 65,536ths, LEAST_CHANCE (8) to MOST_CHANCE
        (65,528). To be called once for each bit, before `learn`, for which it sets what the
        probability came of."""
        self.slots: list[_Slot] = []
        self.inputs: list[int] = []
        for context, table in zip(self.hashes, self.tables, strict=True):
            slot = self._slot(table, context)
            self.slots.append(slot)
            # a context that was never met tells nothing
            logit = STRETCH[slot.chance >> 4] if slot.met else 0
            self.inputs.append(logit)
        if self.regression is not None:
            # the symbols that begin with the bits so far, in halves by the next one
            half = 1 << self.bits_left - 1
            low = (self.prefix << self.bits_left) - (1 << self.layout.bits)
            self.inputs += self.regression.logits(low, low + half, low + 2 * half)
        self.inputs.append(CONSTANT)
        self.weight_sets = (self.weights[0], self.weights[self.prefix])
        self.guesses: list[int] = []
        for weights in self.weight_sets:
            total = 0
            for weight, value in zip(weights, self.inputs, strict=True):
                total += weight * value
            guess = _limited(total >> 16, -LARGEST, LARGEST)
            self.guesses.append(guess)
        logit = sum(self.guesses) >> 1
        # the nearest of 33 places, 128 apart
        self.correction_place = logit + 2048 + 64 >> 7
        correction = self.corrections[self.prefix][self.correction_place]
        # three times the mixture's, from 4096ths, and once what came of such mixtures
        chance = 48 * squash(logit) + correction >> 2
        return _limited(chance, LEAST_CHANCE, MOST_CHANCE)

    def _slot(self, table: dict[int, _Slot], context: int) -> _Slot:
        """The slot of the next bit in a context, in its table, where a new one is put if there is
        none, or that of another context or another bit, which is thrown away. context: its hash, 32
        bits."""
        scattered = mixed_hash(context, self.prefix)
        place = self._place(scattered)
        # other bits than those of the place tell contexts in one slot apart
        check = scattered & 0xFFFF | 1
        slot = table.get(place)
        if slot is None or slot.check != check:
            slot = _Slot(check)
            table[place] = slot
        return slot

    def learn(self, bit: int) -> None:
        """Update statistics, weights and symbols with the next bit, 0 or 1, which was coded by the
        probability that `chance` returned last. With the last bit of a symbol that is appended to
        `symbols`, and the next one begun."""
        target = 65535 if bit else 0
        for slot, limit in zip(self.slots, self.layout.limits, strict=True):
            # a step of about 1 / (updates + 1.5): the mean of what came, with a limit
            share = 131072 // (2 * slot.met + 3)
            slot.chance += (target - slot.chance) * share >> 16
            slot.met += slot.met < limit
        self._learn_weights(bit)
        final = self.corrections[self.prefix]
        final[self.correction_place] += target - final[self.correction_place] >> 6
        self.prefix = self.prefix << 1 | bit
        self.bits_left -= 1
        self._skip_sure_zeros()
        if not self.bits_left:
            self._end_symbol(self.prefix - (1 << self.layout.bits))
            self._begin_symbol()

    def _end_symbol(self, symbol: int) -> None:
        """Add a symbol, whose bits are all known, to what is kept of those before: `symbols`, the
        regression, the level, what came last by each base, and the means."""
        self.symbols.append(symbol)
        if self.regression is not None:
            self.regression.learn(symbol)
        level = self.level + int(self.layout.starts[symbol])
        # as C counts, in 64 bits
        self.level = level & LONG_WORD
        for recent, place in zip(self.last_symbols, self.places_of_bases, strict=True):
            recent[place] = symbol + 1
        is_first = len(self.symbols) == 1
        self.mean = _mean_moved_to(self.mean, symbol, is_first)
        self.mean_level = _mean_moved_to(self.mean_level, self._shifted_level(), is_first)

    def _learn_weights(self, bit: int) -> None:
        """Move both sets of weights that mixed the inputs towards what would have foretold the bit,
        0 or 1, by the gradient of its cost. In place; ever more slowly."""
        count = len(self.symbols)
        rate = FIRST_RATE // (RATE_SYMBOLS + count)
        rate = max(LEAST_RATE, rate)
        for weights, guess in zip(self.weight_sets, self.guesses, strict=True):
            miss = (bit << 12) - squash(guess)
            step = miss * rate
            for place, value in enumerate(self.inputs):
                # with half of the divisor, so that it is rounded
                weights[place] += value * step + 32768 >> 16

    def bits_of(self, symbol: int) -> list[int]:
        """The bits that are still to be coded of the next symbol, if it is this one, the highest
        first; those that are 0 in any case are left out."""
        bits = []
        prefix = self.prefix
        for behind in reversed(range(self.bits_left)):
            bit = symbol >> behind & 1
            if self._may_be_one(prefix, behind):
                bits.append(bit)
            prefix = prefix << 1 | bit
        return bits


def _mean_moved_to(mean: int, number: int, is_first: bool) -> int:
    """A mean, which has MEAN_BITS (8) bits behind the point, after one more whole number: it moves
    an eighth of the way to that, rounded down; the first number becomes the mean."""
    scaled = number << MEAN_BITS
    if is_first:
        return scaled
    return mean + (scaled - mean >> MEAN_STEP)


def _limited(number: int, least: int, most: int) -> int:
    """The number, or the nearest one of least .. most."""
    return max(least, min(most, number))


def mixed(symbols: U16, layout: Layout) -> bytes:
    """Encode symbols, (n,), as many as the layout is of, each below layout.alphabet, unchecked, as
    bytes of which `restored` makes them."""
    if kernel.C is not None:
        # no bit takes more than 13 bits
        most = 2 * len(symbols) * layout.bits + 64
        out = np.empty(most, np.uint8)
        contiguous = np.ascontiguousarray(symbols)
        size = kernel.C.mix_symbols(contiguous, *layout._for_c(), out)
        return out[:size].tobytes()
    mixer = Mixer(layout)
    coder = mixing.Coder(mixer)
    for symbol in symbols.tolist():
        for bit in mixer.bits_of(symbol):
            coder.push(bit)
    return coder.finish()


def restored(data: bytes, layout: Layout) -> U16:
    """The symbols, (n,), that `mixed` was given with this layout, which says how many they are.
    Other data give other symbols, not an error."""
    count = layout.bases.shape[1]
    if kernel.C is not None:
        out = np.empty(count, np.uint16)
        kernel.C.unmix_symbols(data, *layout._for_c(), out)
        return out
    mixer = Mixer(layout)
    coder = mixing.Coder(mixer)
    coder.open(data)
    while len(mixer.symbols) < count:
        coder.pop()
    return np.array(mixer.symbols, np.uint16)


def costs(symbols: U16, layout: Layout) -> Float:
    """(n,) float64: about the bits that `mixed` takes for each symbol, by the probabilities.
    layout: the contexts that predict them, of as many symbols, see Layout.first."""
    count = len(symbols)
    bits = np.zeros(count, np.float64)
    if kernel.C is not None:
        contiguous = np.ascontiguousarray(symbols)
        kernel.C.mix_symbol_costs(contiguous, *layout._for_c(), bits)
        return bits
    mixer = Mixer(layout)
    for place, symbol in enumerate(symbols.tolist()):
        for bit in mixer.bits_of(symbol):
            chance = mixer.chance()
            chance_of_bit = chance if bit else 65536 - chance
            # chances are in 2^16ths
            bits[place] += 16 - np.log2(chance_of_bit)
            mixer.learn(bit)
    return bits


def check(count: int, alphabet: int) -> None:
    """Raise ArchiveError unless a stream of so many values and symbols may be mixed: of at most
    MOST_VALUES (2^18) values, and two symbols or more."""
    if count > MOST_VALUES or alphabet < 2:
        raise ArchiveError("damaged: a mixture of contexts codes too many values, or one symbol")
