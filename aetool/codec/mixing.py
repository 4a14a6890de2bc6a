"""Compression of text, bit by bit, by a mixture of contexts, for small tables and texts that no
other coder suits.

Each bit is predicted by how often it came in ten contexts (the last bytes, the field so far, what
stands above it in the record before), and by the longest match. A small network that learns as it
goes mixes them (Mahoney 2005, "Adaptive weighing of context models"), and an arithmetic coder codes
the bit by the result. All numbers are whole. This file is the norm; the C kernel computes the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from aetool import kernel
from aetool.model import Float

MOST = 8 << 20  # bytes of a text; more are never mixed
DELIMITERS = b",\t;| "
ORDERS = (0, 1, 2, 3, 4, 6)  # how many bytes before are a context
CONTEXTS = len(ORDERS) + 4
INPUTS = CONTEXTS + 2  # with a match, and a constant
MOST_FIELDS = 256
MOST_MET = 40
FIRST_WEIGHT = 13000  # of 65536
RATES = ((2000, 110), (20000, 50), (MOST, 20))  # of learning, up to so many bytes
MATCH_BITS, LEAST_MATCH, LONGEST_MATCH = 16, 5, 65535
NEWLINE = 10
WORD = (1 << 32) - 1
EVERY = (
    1, 2, 3, 6, 10, 16, 27, 45, 73, 120, 194, 310, 488, 747, 1101, 1546, 2047, 2549, 2994, 3348,
    3607, 3785, 3901, 3975, 4022, 4050, 4068, 4079, 4085, 4089, 4092, 4093, 4094,
)  # fmt: skip
LEAST_CHANCE, MOST_CHANCE = 24, 65512  # of a bit, of 65536


def squash(logit: int) -> int:
    """The probability of a 1 bit, in 4096ths, for a logit in 256ths: 4096 / (1 + exp(-logit /
    256)), linear between table values at every 128th logit."""
    if logit > 2047:
        return 4095
    if logit < -2047:
        return 0
    part = logit & 127
    place = (logit >> 7) + 16
    return (EVERY[place] * (128 - part) + EVERY[place + 1] * part + 64) >> 7


def _stretched() -> list[int]:
    """The inverse of `squash` as a table: for each probability 0 .. 4095, in 4096ths, its logit in
    256ths."""
    table: list[int] = []
    for logit in range(-2047, 2048):
        table += [logit] * (squash(logit) + 1 - len(table))
    return [*table[:4095], 2047]


STRETCH = _stretched()
FINAL = [squash((place - 16) * 128) * 16 for place in range(33)]


def mixed_hash(first: int, second: int) -> int:
    """A hash, of 32 bits, of two numbers of 32 bits."""
    scattered = (first * 0x9E3779B1 & WORD) ^ (second + 0x7F4A7C15 + (first >> 15) & WORD)
    scattered = scattered * 0x85EBCA6B & WORD
    return scattered ^ scattered >> 13


@dataclass(eq=False)
class _Slot:
    """Statistics of one context for half a byte, by the bits of it so far. chances: probabilities
    of a 1, in 65,536ths; met: how often each was updated; check: which context they are of."""

    check: int
    chances: list[int] = field(default_factory=lambda: [32768] * 16)
    met: list[int] = field(default_factory=lambda: [0] * 16)


@dataclass(eq=False)
class _Record:
    """Where each field of a record begins in the text, -1 if it does not, and a hash of its
    bytes."""

    starts: list[int] = field(default_factory=lambda: [-1] * MOST_FIELDS)
    hashes: list[int] = field(default_factory=lambda: [0] * MOST_FIELDS)


class Mixer:
    """Predicts the bits of a text of `size` bytes one by one, and learns from each once it is
    known. delimiter: the byte between fields."""

    def __init__(self, size: int, delimiter: int) -> None:
        self.text = bytearray()
        self.delimiter = delimiter
        self.slot_bits = 8
        while self.slot_bits < 18 and 1 << self.slot_bits < 2 * size:
            self.slot_bits += 1
        self.tables: list[dict[int, _Slot]] = [{} for _ in range(CONTEXTS)]
        self.slots: list[_Slot] = []
        first = [FIRST_WEIGHT] * (INPUTS - 1) + [0]
        self.weights = [list(first) for _ in range(256 + 32 + 64)]
        self.final = [list(FINAL) for _ in range(256)]
        self.final_of_byte = [list(FINAL) for _ in range(256 * 8)]
        # of a match of each length, that its next bit is right
        self.match_chances = [65536 - 32768 // (place + 1) for place in range(64)]
        self.bits, self.count = 1, 0  # of the byte that comes: a 1 and its bits, how many
        self.field = self.in_field = self.field_before = self.hash_above = 0
        self.above = -1
        self.record, self.record_before = _Record(), _Record()
        self.record.starts[0] = 0
        self.match = self.length = 0
        self.places: dict[int, int] = {}
        self._contexts()

    def chance(self) -> int:
        """The probability that the next bit is 1, in 65,536ths. To be called once for each bit,
        before `learn`."""
        if self.count % 4 == 0:
            self._find_slots()
        self.inputs = [
            STRETCH[slot.chances[self.node] >> 4] if slot.met[self.node] else 0
            for slot in self.slots
        ]
        known = sum(slot.met[self.node] > 0 for slot in self.slots[2:6])
        self.inputs.append(self._foretold_by_match())
        self.inputs.append(256)
        kind = self._kind_of_match() if self.foretold is not None else 0
        sets = self.bits, 256 + known * 4 + kind, 256 + 32 + min(self.field, 63)
        self.sets = [self.weights[place] for place in sets]
        self.guesses = []
        for weights in self.sets:
            total = sum(w * x for w, x in zip(weights, self.inputs, strict=True)) >> 16
            self.guesses.append(max(-2047, min(2047, total)))
        logit = (sum(self.guesses) + 3 * 2048) // 3 - 2048
        # what came of such mixtures before
        place = (logit + 2048) >> 7
        place += (logit + 2048 & 127) >> 6
        before = self.text[-1] if self.text else 0
        self.finals = self.final[self.bits], self.final_of_byte[before << 3 | self.count]
        self.place = place
        corrected = sum(final[place] for final in self.finals)
        return max(LEAST_CHANCE, min(MOST_CHANCE, (32 * squash(logit) + corrected) >> 2))

    @property
    def node(self) -> int:
        """Which of the 15 statistics of a slot the next bit has: 1 followed by the bits of this
        half byte so far, read as a binary number, 1 .. 15."""
        count = self.count % 4
        return self.bits & (1 << count) - 1 | 1 << count

    def learn(self, bit: int) -> None:
        """Update statistics, weights and the text with the next bit, which was coded by
        `chance`."""
        target = 65535 if bit else 0
        node = self.node
        for slot in self.slots:
            chance = slot.chances[node]
            met = slot.met[node]
            slot.chances[node] += (target - chance) * (131072 // (2 * met + 3)) >> 16
            slot.met[node] += met < MOST_MET
        if self.foretold is not None:
            size, foretold = self.foretold
            hit = 65535 if foretold == bit else 0
            self.match_chances[size] += (hit - self.match_chances[size]) >> 6
        rate = next(rate for most, rate in RATES if len(self.text) < most)
        for weights, guess in zip(self.sets, self.guesses, strict=True):
            miss = ((bit << 12) - squash(guess)) * rate
            for place, value in enumerate(self.inputs):
                weights[place] += (value * miss + 32768) >> 16
        for final in self.finals:
            final[self.place] += (target - final[self.place]) >> 6
        self.bits = self.bits << 1 | bit
        self.count += 1
        if self.count == 8:
            self._take(self.bits & 255)

    def _find_slots(self) -> None:
        """Set `slots`: for each context the slot of statistics for the next half byte. A slot that
        belonged to another context is emptied."""
        bits = self.bits if self.count else 0
        self.slots = []
        for context, table in zip(self.hashes, self.tables, strict=True):
            scattered = mixed_hash(context, bits)
            place = (scattered * 0x9E3779B1 & WORD) >> 32 - self.slot_bits
            check = scattered & 0xFFFF | 1
            slot = table.get(place)
            if slot is None or slot.check != check:
                slot = table[place] = _Slot(check)
            self.slots.append(slot)

    def _foretold_by_match(self) -> int:
        """The logit of the next bit by the longest earlier stretch that equals the last bytes: the
        bit that followed there is expected here. 0 without such a stretch, or if this byte already
        differs from the one there."""
        self.foretold: tuple[int, int] | None = None
        if not self.length:
            return 0
        byte = self.text[self.match] | 256
        if byte >> 8 - self.count != self.bits:
            return 0
        length = self.length
        size = 28
        if length < 16:
            size = length
        elif length < 32:
            size = 16 + (length - 16) // 4
        elif length < 512:
            size = 20 + length // 64
        bit = byte >> 7 - self.count & 1
        self.foretold = size, bit
        sure = STRETCH[self.match_chances[size] >> 4]
        return sure if bit else -sure

    def _kind_of_match(self) -> int:
        if self.length < 16:
            return 1
        return 2 if self.length < 32 else 3

    def _take(self, byte: int) -> None:
        """Add a complete byte to the text, and update fields, contexts and the match with it."""
        self.text.append(byte)
        self.bits = 1
        self.count = 0
        ends = (self.delimiter, NEWLINE)
        if self.above >= 0 and self.text[self.above] not in ends:
            self.above += 1
        if byte in ends:
            self._next_field(byte)
        else:
            self.in_field = mixed_hash(self.in_field + 1 & WORD, byte)
        self._contexts()
        self._follow(byte)

    def _next_field(self, byte: int) -> None:
        """Note that the byte that was just read, a delimiter or a line end, ends a field: the next
        begins behind it. Keeps where the fields of this record and of the one before begin, and
        their hashes."""
        record = self.record
        record.hashes[self.field] = self.in_field
        self.field_before = self.in_field
        if byte == NEWLINE:
            # fields that an earlier record had, and this one has not
            beyond = range(self.field + 1, MOST_FIELDS)
            record.starts[self.field + 1 :] = [-1 for _ in beyond]
            self.record = self.record_before
            self.record_before = record
            self.field = self.field_before = 0
        elif self.field < MOST_FIELDS - 1:
            self.field += 1
        self.record.starts[self.field] = len(self.text)
        self.above = self.record_before.starts[self.field]
        self.hash_above = self.record_before.hashes[self.field] if self.above >= 0 else 0
        self.in_field = 0

    def _contexts(self) -> None:
        """Compute the ten contexts by which the next byte is predicted, and set `hashes` to a hash
        of each."""
        text = self.text
        order = 0
        last = [*text[: -max(ORDERS) - 1 : -1], *[0] * max(ORDERS)]
        self.hashes = []
        taken = 0
        for number, size in enumerate(ORDERS):
            for byte in last[taken:size]:
                order = mixed_hash(order, byte)
            taken = size
            self.hashes.append(mixed_hash(order, number))
        above = following = 0
        if self.above >= 0:
            above = text[self.above]
            following = text[self.above + 1] if self.above + 1 < len(text) else 0
        own = self.field << 8 | 128
        in_field = self.in_field
        self.hashes += [
            mixed_hash(own, in_field),
            mixed_hash(own + 1, above << 16 | following << 8 | last[0]),
            mixed_hash(mixed_hash(own + 2, in_field), self.field_before),
            mixed_hash(mixed_hash(own + 3, in_field), self.hash_above),
        ]

    def _follow(self, byte: int) -> None:
        """Update `match` and `length` for a byte that was added: the earlier place in the text
        whose preceding bytes equal the last ones, and how many do; length 0 if there is no such
        place."""
        text = self.text
        if self.length and text[self.match] == byte:
            self.length += self.length < LONGEST_MATCH
            self.match += 1
        else:
            self.length = 0
        if len(text) < LEAST_MATCH:
            return
        scattered = 0
        for back in range(1, LEAST_MATCH + 1):
            scattered = mixed_hash(scattered, text[-back])
        place = scattered >> 32 - MATCH_BITS
        known = self.places.get(place, 0)
        if not self.length and known:
            self.match = known
            while (
                self.length < min(32, known)
                and text[known - 1 - self.length] == text[-1 - self.length]
            ):
                self.length += 1
        self.places[place] = len(text)


def delimiter_of(text: bytes) -> int:
    """The one of DELIMITERS that is most frequent in a text, as a byte."""
    return max(DELIMITERS, key=text.count)


def mixed(text: bytes) -> bytes:
    """Compress a text: u8 delimiter, the one that is most frequent in it, and the code, of which
    `restored` makes the text. The code of a text that does not become smaller may be of no use."""
    delimiter = delimiter_of(text)
    if kernel.C is not None:
        # what does not become smaller is not worth its bytes
        out = np.empty(len(text) + 64, np.uint8)
        size = kernel.C.mix(text, delimiter, out)
        return bytes([delimiter]) + (out[:size].tobytes() if size >= 0 else text + b"\0")
    coder = _Coder(len(text), delimiter)
    for byte in text:
        for shift in range(7, -1, -1):
            coder.push(byte >> shift & 1)
    return bytes([delimiter]) + coder.finish()


def restored(data: bytes, size: int) -> bytes:
    """The text of `size` bytes whose code `mixed` returned. Other data give other bytes, not an
    error; ValueError only for no data, or more than MOST bytes."""
    if size > MOST or not data:
        raise ValueError(f"{size} bytes of a mixture; at most {MOST} are allowed")
    delimiter = data[0]
    code = data[1:]
    if kernel.C is not None:
        out = np.empty(size, np.uint8)
        kernel.C.unmix(code, delimiter, out)
        return out.tobytes()
    coder = _Coder(size, delimiter)
    coder.open(code)
    while len(coder.mixer.text) < size:
        coder.pop()
    return bytes(coder.mixer.text)


def costs(text: bytes, delimiter: int) -> Float:
    """(bytes,): the bits that `mixed` takes for each byte of a text."""
    if kernel.C is not None:
        bits = np.empty(len(text), np.float64)
        kernel.C.mix_costs(text, delimiter, bits)
        return bits
    mixer = Mixer(len(text), delimiter)
    by_byte = []
    for byte in text:
        took = 0.0
        for shift in range(7, -1, -1):
            bit = byte >> shift & 1
            chance = mixer.chance()
            took += 16 - math.log2(chance if bit else 65536 - chance)
            mixer.learn(bit)
        by_byte.append(took)
    return np.array(by_byte, np.float64)


class _Coder:
    """Arithmetic coder of bits, by the probabilities of a mixer. The code lies in the interval low
    .. high of 32 bits, which each bit narrows."""

    def __init__(self, size: int, delimiter: int) -> None:
        self.mixer = Mixer(size, delimiter)
        self.low = 0
        self.high = WORD
        self.out = bytearray()

    def push(self, bit: int) -> None:
        """Encode the next bit."""
        self._narrow(bit, self._middle())
        while not (self.low ^ self.high) >> 24:
            self.out.append(self.high >> 24)
            self._shift()

    def finish(self) -> bytes:
        """End the code and return it: as few bytes as lie in the interval, if the bytes behind them
        are read as 0."""
        while self.low:
            top = (self.low >> 24) + 1
            if top << 24 <= self.high:
                self.out.append(top)
                break
            self.out.append(self.low >> 24)
            self._shift()
        return bytes(self.out)

    def open(self, code: bytes) -> None:
        """Begin to decode `code`."""
        self.rest = iter(code)
        self.code = 0
        for _ in range(4):
            self.code = self.code << 8 | next(self.rest, 0)

    def pop(self) -> None:
        """Decode the next bit, into the mixer's text."""
        middle = self._middle()
        self._narrow(int(self.code <= middle), middle)
        while not (self.low ^ self.high) >> 24:
            self._shift()
            self.code = (self.code << 8 & WORD) | next(self.rest, 0)

    def _middle(self) -> int:
        return self.low + ((self.high - self.low) * self.mixer.chance() >> 16)

    def _narrow(self, bit: int, middle: int) -> None:
        if bit:
            self.high = middle
        else:
            self.low = middle + 1
        self.mixer.learn(bit)

    def _shift(self) -> None:
        self.low = self.low << 8 & WORD
        self.high = self.high << 8 & WORD | 255
