"""Compression of text, bit by bit, by a mixture of contexts, for small tables and texts that no
other coder suits.

Each bit is predicted by how often it came in ten contexts (the last bytes, the field so far, what
stands above it in the record before), and by the longest match. A small network that learns as it
goes mixes them (Mahoney 2005, "Adaptive weighing of context models"), and an arithmetic coder codes
the bit by the result. All numbers are whole. This file is the norm; the C kernel computes the same.

A text that is mixed widely has five contexts more: its last words, alone and together, the line so
far, and bytes but the last. Names, addresses and remarks take 3 % less so; numbers as bytes do not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from aetool import kernel
from aetool.codec.kept import Kept
from aetool.model import Float

MOST = 8 << 20  # bytes of a text; more are never mixed
LONGEST_KEPT = 128 << 10  # bytes of a text whose code is kept for a while
MOST_MORE = 63  # bytes than its text has a code that is returned
CODES_KEPT = 64  # codes of texts, and the texts, at most
# (the code of a text, None if it takes more; bytes that were tried for it)
KEPT_CODES: Kept[tuple[bytes | None, int]] = Kept(CODES_KEPT, always=True)
# of texts behind what both sides know, which are short, and many
KEPT_BEHIND: Kept[tuple[bytes | None, int]] = Kept(CODES_KEPT, always=True)
DELIMITERS = b",\t;| "
ORDERS = (0, 1, 2, 3, 4, 6)  # how many bytes before are a context
CONTEXTS = len(ORDERS) + 4
CONTEXTS_WIDELY = CONTEXTS + 5
OTHER_INPUTS = 2  # a match, and a constant
MOST_FIELDS = 256
# of the place of a slot in its table; the second of each is of texts that are mixed widely
MOST_SLOT_BITS, MOST_SLOT_BITS_WIDELY = 18, 19
MOST_MET, MOST_MET_WIDELY = 40, 30
FIRST_WEIGHT = 13000  # of 65536
SETS_OF_BITS = 256  # of weights, by the bits of this byte so far
SETS_OF_MATCH = 32  # by how many contexts are known, and how long the match is
SETS_OF_FIELD = 64  # by the number of the field
SETS_OF_LAST = 256 * 8  # by the last byte, and how many bits of this one are known; widely alone
RATES = ((2000, 110), (20000, 50), (MOST, 20))  # of learning, up to so many bytes
MATCH_BITS, LEAST_MATCH, LONGEST_MATCH = 16, 5, 65535
LONGEST_ANEW = 32  # bytes of a match that are compared when it is found
NEWLINE = 10
WORD = (1 << 32) - 1
LARGEST = 2047  # logit, in 256ths
SQUASH_NODES = (
    1, 2, 3, 6, 10, 16, 27, 45, 73, 120, 194, 310, 488, 747, 1101, 1546, 2047, 2549, 2994, 3348,
    3607, 3785, 3901, 3975, 4022, 4050, 4068, 4079, 4085, 4089, 4092, 4093, 4094,
)  # fmt: skip
LEAST_CHANCE, MOST_CHANCE = 24, 65512  # of a bit, of 65536


def squash(logit: int) -> int:
    """The probability of a 1 bit, 0 .. 4095 in 4096ths, for a logit in 256ths: 4096 / (1 +
    exp(-logit / 256)), linear between table values at every 128th logit; beyond -2047 .. 2047 it is
    0 or 4095."""
    if logit > LARGEST:
        return 4095
    if logit < -LARGEST:
        return 0
    place = (logit >> 7) + 16
    part = logit & 127
    lower = SQUASH_NODES[place] * (128 - part)
    upper = SQUASH_NODES[place + 1] * part
    # with half of the divisor, so that it is rounded
    return (lower + upper + 64) >> 7


def _stretched() -> list[int]:
    """The inverse of `squash` as a table: for each probability 0 .. 4095, in 4096ths, its logit in
    256ths, -2047 .. 2047."""
    table: list[int] = []
    for logit in range(-LARGEST, LARGEST + 1):
        # the first logit that reaches a probability is that of all not reached before
        missing = squash(logit) + 1 - len(table)
        table += [logit] * missing
    return [*table[:4095], LARGEST]


STRETCH = _stretched()
FINAL = [squash((place - 16) * 128) * 16 for place in range(33)]


def mixed_hash(first: int, second: int) -> int:
    """A hash, of 32 bits without a sign, of two such numbers, whose order counts; the same as the C
    kernel's."""
    # as in C, whose numbers of 32 bits drop what is above
    of_first = first * 0x9E3779B1 & WORD
    of_second = second + 0x7F4A7C15 + (first >> 15) & WORD
    scattered = (of_first ^ of_second) * 0x85EBCA6B & WORD
    return scattered ^ scattered >> 13


@dataclass(eq=False)
class _Slot:
    """Statistics of one context for half a byte, by the bits of it so far. chances: (16,), by the
    bits so far with a 1 before them, probabilities of a 1, in 65,536ths; met: (16,), how often each
    was updated, at most MOST_MET (40), of texts mixed widely MOST_MET_WIDELY (30); check: a number
    of 16 bits of the context they are of."""

    check: int
    chances: list[int] = field(default_factory=lambda: [32768] * 16)
    met: list[int] = field(default_factory=lambda: [0] * 16)


@dataclass(eq=False)
class _Record:
    """The fields of one record, at most MOST_FIELDS (256). starts: where each begins in the text,
    -1 if the record has not so many; hashes: 32 bits of the bytes of each."""

    starts: list[int] = field(default_factory=lambda: [-1] * MOST_FIELDS)
    hashes: list[int] = field(default_factory=lambda: [0] * MOST_FIELDS)


class Mixer:
    """Predicts the bits of a text of `size` bytes one by one, the highest of each byte first, and
    learns from each once it is known: `chance` and `learn` are to be called in turn. delimiter: the
    byte between fields, as a number; widely: whether words are contexts, too."""

    def __init__(self, size: int, delimiter: int, widely: bool = False) -> None:
        self.text = bytearray()
        self.delimiter = delimiter
        self.widely = widely
        contexts = CONTEXTS_WIDELY if widely else CONTEXTS
        most_slot_bits = MOST_SLOT_BITS_WIDELY if widely else MOST_SLOT_BITS
        self.most_met = MOST_MET_WIDELY if widely else MOST_MET
        # each table has about two places for each byte of the text, within limits
        self.slot_bits = 8
        while self.slot_bits < most_slot_bits and 1 << self.slot_bits < 2 * size:
            self.slot_bits += 1
        self.tables: list[dict[int, _Slot]] = [{} for _ in range(contexts)]
        self.slots: list[_Slot] = []
        # weights of the inputs; the constant has none at first
        inputs = contexts + OTHER_INPUTS
        first = [FIRST_WEIGHT] * (inputs - 1) + [0]
        sets = SETS_OF_BITS + SETS_OF_MATCH + SETS_OF_FIELD + SETS_OF_LAST
        self.weights = [list(first) for _ in range(sets)]
        # what came of mixtures of each logit, which corrects them: by the bits of this byte, and by
        # the byte before and their number
        self.corrections = [list(FINAL) for _ in range(256)]
        self.corrections_by_byte = [list(FINAL) for _ in range(256 * 8)]
        # of a match of each length, that its next bit is right
        self.match_chances = [65536 - 32768 // (place + 1) for place in range(64)]
        # of the byte that comes: a 1 and its bits, how many
        self.prefix = 1
        self.bits_known = 0
        # the number of the field, hashes of its bytes, of the field before and of the one above
        self.field_number = 0
        self.hash_of_field = 0
        self.hash_of_field_before = 0
        self.hash_above = 0
        # hashes of the line so far, of the word so far, of the word before and the one before that
        self.hash_of_line = 0
        self.hash_of_word = 0
        self.hash_of_word_before = 0
        self.hash_of_word_but_one = 0
        # the place of the byte that stands above in the record before; -1 without one
        self.place_above = -1
        self.record = _Record()
        self.record_before = _Record()
        self.record.starts[0] = 0
        # the place behind the earlier stretch that equals the last bytes, and how many do
        self.match_place = 0
        self.match_length = 0
        # by the hash of a stretch, the place behind it
        self.places_by_hash: dict[int, int] = {}
        self._hash_contexts()

    def chance(self) -> int:
        """The probability that the next bit is 1, in 65,536ths, 24 .. 65,512. To be called once for
        each bit, before `learn`, for which it sets what the probability came of."""
        if self.bits_known % 4 == 0:
            self._find_slots()
        node = self.node
        # the logits of the contexts; 0 for one that was never met
        self.inputs = []
        for slot in self.slots:
            logit = 0
            if slot.met[node]:
                # from 65,536ths to 4096ths, which the table is by
                logit = STRETCH[slot.chances[node] >> 4]
            self.inputs.append(logit)
        self.inputs.append(self._foretold_by_match())
        # the constant: a logit of 1, in 256ths
        self.inputs.append(256)
        self.weight_sets = self._sets_of_weights(node)
        self.guesses = []
        for weights in self.weight_sets:
            products = [w * x for w, x in zip(weights, self.inputs, strict=True)]
            total = sum(products) >> 16
            self.guesses.append(max(-LARGEST, min(LARGEST, total)))
        # the mean of the guesses, raised above 0 before it is divided: C rounds towards 0, Python
        # down
        count = len(self.guesses)
        raised = sum(self.guesses) + count * 2048
        logit = raised // count - 2048
        return self._corrected(logit)

    def _sets_of_weights(self, node: int) -> list[list[int]]:
        """The three sets of weights that mix the inputs for the next bit, one weight for each
        input: by the bits of this byte so far; by how many of the contexts of 2, 3, 4 and 6 bytes
        were met, and how long the match is; by the number of the field. Of a text that is mixed
        widely a fourth one by the last byte and how many bits of this one are known. node: which of
        the 15 statistics of a slot the bit has, 1 .. 15. They are the mixer's lists, not copies."""
        # the contexts of two, three, four and six bytes
        longer = self.slots[2:6]
        contexts_met = sum(slot.met[node] > 0 for slot in longer)
        kind = 0
        if self.match_prediction is not None:
            kind = self._kind_of_match()
        of_match = SETS_OF_BITS + contexts_met * 4 + kind
        field = min(self.field_number, SETS_OF_FIELD - 1)
        of_field = SETS_OF_BITS + SETS_OF_MATCH + field
        sets = [
            self.weights[self.prefix],
            self.weights[of_match],
            self.weights[of_field],
        ]
        if self.widely:
            of_last = SETS_OF_BITS + SETS_OF_MATCH + SETS_OF_FIELD
            of_last += self._last(1) << 3 | self.bits_known
            sets.append(self.weights[of_last])
        return sets

    def _last(self, back: int) -> int:
        """A byte of the text, `back` from its end: the last one for 1, the one before it for 2; 0
        for one before the text's begin."""
        return self.text[-back] if back <= len(self.text) else 0

    def _corrected(self, logit: int) -> int:
        """The probability of a 1 bit, in 65,536ths, 24 .. 65,512, for a mixed logit, -2047 .. 2047
        in 256ths: that of the logit, corrected by what came of such mixtures before. Sets
        `corrections_used` and `correction_place` for `learn`."""
        raised = logit + 2048
        # the nearest of 33 places, 128 apart
        self.correction_place = (raised >> 7) + ((raised & 127) >> 6)
        of_byte = self._last(1) << 3 | self.bits_known
        self.corrections_used = (
            self.corrections[self.prefix],
            self.corrections_by_byte[of_byte],
        )
        corrections = sum(final[self.correction_place] for final in self.corrections_used)
        # twice the mixture's, from 4096ths, and each correction once, divided by four
        twice = 32 * squash(logit)
        chance = (twice + corrections) >> 2
        # a probability of 0 or 1 would leave nothing for the other bit
        return max(LEAST_CHANCE, min(MOST_CHANCE, chance))

    @property
    def node(self) -> int:
        """Which of the 15 statistics of a slot the next bit has: 1 followed by the bits of this
        half byte so far, read as a binary number, 1 .. 15."""
        count = self.bits_known % 4
        highest = 1 << count
        return self.prefix & highest - 1 | highest

    def learn(self, bit: int) -> None:
        """Update statistics, weights and the text with the next bit, 0 or 1, which was coded by the
        probability that `chance` returned last."""
        target = 65535 if bit else 0
        node = self.node
        for slot in self.slots:
            met = slot.met[node]
            # a step of about 1 / (updates + 1.5): the mean of what came, with a limit
            share = 131072 // (2 * met + 3)
            miss = target - slot.chances[node]
            slot.chances[node] += miss * share >> 16
            slot.met[node] += met < self.most_met
        if self.match_prediction is not None:
            size, foretold = self.match_prediction
            target_of_match = 65535 if foretold == bit else 0
            miss_of_match = target_of_match - self.match_chances[size]
            self.match_chances[size] += miss_of_match >> 6
        self._learn_weights(bit)
        for final in self.corrections_used:
            final[self.correction_place] += (target - final[self.correction_place]) >> 6
        self.prefix = self.prefix << 1 | bit
        self.bits_known += 1
        if self.bits_known == 8:
            self._add_byte(self.prefix & 255)

    def _learn_weights(self, bit: int) -> None:
        """Move the sets of weights that mixed the inputs towards what would have foretold the bit,
        by the gradient of its cost, in place. bit: 0 or 1. The step is smaller the longer the text
        is, see RATES."""
        rate = next(rate for most, rate in RATES if len(self.text) < most)
        target = bit << 12
        for weights, guess in zip(self.weight_sets, self.guesses, strict=True):
            miss = (target - squash(guess)) * rate
            for place, value in enumerate(self.inputs):
                # with half of the divisor, so that it is rounded
                weights[place] += (value * miss + 32768) >> 16

    def _find_slots(self) -> None:
        """Set `slots`: for each context the slot of statistics for the next half byte. A slot that
        belonged to another context is emptied. For the first and the fifth bit of a byte."""
        # the first half of this byte is part of the context of its second
        bits = self.prefix if self.bits_known else 0
        self.slots = []
        for context, table in zip(self.hashes, self.tables, strict=True):
            scattered = mixed_hash(context, bits)
            place = (scattered * 0x9E3779B1 & WORD) >> 32 - self.slot_bits
            # other bits than those of the place tell contexts in one slot apart
            check = scattered & 0xFFFF | 1
            slot = table.get(place)
            if slot is None or slot.check != check:
                slot = table[place] = _Slot(check)
            self.slots.append(slot)

    def _foretold_by_match(self) -> int:
        """The logit of the next bit, in 256ths, by the match, an earlier stretch that equals the
        last bytes: the bit that followed there is expected here. 0 without a match, or if this byte
        already differs from the one there. Sets `match_prediction` to (class of the match's length,
        expected bit); None where it returns 0 for that."""
        self.match_prediction: tuple[int, int] | None = None
        if not self.match_length:
            return 0
        # with a 1 before its bits, as `prefix` has it
        byte = self.text[self.match_place] | 256
        if byte >> 8 - self.bits_known != self.prefix:
            return 0
        size = self._class_of_length()
        bit = byte >> 7 - self.bits_known & 1
        self.match_prediction = (size, bit)
        logit_of_expected = STRETCH[self.match_chances[size] >> 4]
        return logit_of_expected if bit else -logit_of_expected

    def _class_of_length(self) -> int:
        """The class of the match's length, at least 1, by which it is judged, 1 .. 28: lengths
        below 16 have a class each, longer ones wider classes (of 4 below 32, of 64 below 512)."""
        length = self.match_length
        if length < 16:
            return length
        if length < 32:
            return 16 + (length - 16) // 4
        if length < 512:
            return 20 + length // 64
        return 28

    def _kind_of_match(self) -> int:
        """How long the match is, by which weights are chosen: 1 below 16 bytes, 2 below 32, 3
        longer."""
        if self.match_length < 16:
            return 1
        return 2 if self.match_length < 32 else 3

    def _add_byte(self, byte: int) -> None:
        """Add a complete byte, 0 .. 255, to the text, and update fields, contexts and the match
        with it."""
        self.text.append(byte)
        self.prefix = 1
        self.bits_known = 0
        ends = (self.delimiter, NEWLINE)
        if self.place_above >= 0 and self.text[self.place_above] not in ends:
            self.place_above += 1
        if byte in ends:
            self._next_field(byte)
        else:
            self.hash_of_field = mixed_hash(self.hash_of_field + 1 & WORD, byte)
        if self.widely:
            self._update_word_hashes(byte)
        self._hash_contexts()
        self._update_match(byte)

    def _update_word_hashes(self, byte: int) -> None:
        """Add a byte, 0 .. 255, to the hashes of the line and of its word, which any other byte
        than a letter, a digit or one of another alphabet ends; capitals are as small letters."""
        letter = bytes([byte]).lower()
        if letter.isalnum() or byte >= 128:
            self.hash_of_word = mixed_hash(self.hash_of_word + 1 & WORD, letter[0])
        elif self.hash_of_word:
            self.hash_of_word_but_one = self.hash_of_word_before
            self.hash_of_word_before = self.hash_of_word
            self.hash_of_word = 0
        self.hash_of_line = 0 if byte == NEWLINE else mixed_hash(self.hash_of_line + 1 & WORD, byte)

    def _next_field(self, byte: int) -> None:
        """Note that the byte that was just read, a delimiter or a line end, ends a field: the next
        begins behind it. byte: which of the two; behind a line end a new record begins. Keeps where
        the fields of this record and of the one before begin, and their hashes. Fields beyond
        MOST_FIELDS (256) count as the last of these."""
        record = self.record
        record.hashes[self.field_number] = self.hash_of_field
        self.hash_of_field_before = self.hash_of_field
        if byte == NEWLINE:
            # fields that an earlier record had, and this one has not
            behind = self.field_number + 1
            record.starts[behind:] = [-1] * (MOST_FIELDS - behind)
            self.record = self.record_before
            self.record_before = record
            self.field_number = 0
            self.hash_of_field_before = 0
        elif self.field_number < MOST_FIELDS - 1:
            self.field_number += 1
        self.record.starts[self.field_number] = len(self.text)
        self.place_above = self.record_before.starts[self.field_number]
        self.hash_above = 0
        if self.place_above >= 0:
            self.hash_above = self.record_before.hashes[self.field_number]
        self.hash_of_field = 0

    def _hash_contexts(self) -> None:
        """Compute the contexts by which the next byte is predicted, and set `hashes` to a hash of
        each: six of as many last bytes as ORDERS says, and four of the field so far or its number,
        alone and with what stands before or above it; five more where the text is mixed widely."""
        text = self.text
        # the last bytes, the latest first; zeros before the text's begin
        longest = max(ORDERS)
        latest = text[: -longest - 1 : -1]
        last = [*latest, *[0] * longest]
        self.hashes = []
        # the hash of an order goes on from that of the shorter one
        hash_of_bytes = 0
        hashed_bytes = 0
        for number, size in enumerate(ORDERS):
            for byte in last[hashed_bytes:size]:
                hash_of_bytes = mixed_hash(hash_of_bytes, byte)
            hashed_bytes = size
            self.hashes.append(mixed_hash(hash_of_bytes, number))
        above = 0
        following = 0
        if self.place_above >= 0:
            above = text[self.place_above]
        if 0 <= self.place_above < len(text) - 1:
            following = text[self.place_above + 1]
        # the other contexts: each with the number of the field and one of its own
        field = self.field_number << 8 | 128
        nearby = above << 16 | following << 8 | last[0]
        before = mixed_hash(field + 2, self.hash_of_field)
        below = mixed_hash(field + 3, self.hash_of_field)
        self.hashes += [
            mixed_hash(field, self.hash_of_field),
            mixed_hash(field + 1, nearby),
            mixed_hash(before, self.hash_of_field_before),
            mixed_hash(below, self.hash_above),
        ]
        if self.widely:
            self._hash_contexts_of_words()

    def _hash_contexts_of_words(self) -> None:
        """Add five hashes to `hashes`, of contexts of words and of the line: of the word so far
        alone; of it and the word before; of it, the word before that one and the last byte; of the
        second and third last bytes; of the line so far."""
        number = CONTEXTS
        with_one_before = mixed_hash(self.hash_of_word, self.hash_of_word_before)
        with_another = mixed_hash(self.hash_of_word, self.hash_of_word_but_one)
        with_another = mixed_hash(with_another, self._last(1))
        but_last = self._last(2) << 8 | self._last(3)
        for context in (
            self.hash_of_word,
            with_one_before,
            with_another,
            but_last,
            self.hash_of_line,
        ):
            self.hashes.append(mixed_hash(context, number))
            number += 1

    def _update_match(self, byte: int) -> None:
        """Update `match_place` and `match_length` for a byte that was added: an earlier place in
        the text whose preceding bytes equal the last ones, and how many are known to, at most
        LONGEST_MATCH (65,535). A match is kept while the byte behind it is the one that came; else
        the latest place with the same hash of LEAST_MATCH (5) bytes is taken. The length is 0
        without a match."""
        text = self.text
        if self.match_length and text[self.match_place] == byte:
            self.match_length += self.match_length < LONGEST_MATCH
            self.match_place += 1
        else:
            self.match_length = 0
        if len(text) < LEAST_MATCH:
            return
        scattered = 0
        for back in range(1, LEAST_MATCH + 1):
            scattered = mixed_hash(scattered, text[-back])
        place = scattered >> 32 - MATCH_BITS
        candidate = self.places_by_hash.get(place, 0)
        # while a match holds it is kept: it may be the longer one
        if not self.match_length and candidate:
            self.match_place = candidate
            self.match_length = self._common_bytes(candidate)
        self.places_by_hash[place] = len(text)

    def _common_bytes(self, place: int) -> int:
        """How many bytes before a place in the text equal the last ones, at most LONGEST_ANEW (32):
        fewer than LEAST_MATCH (5), mostly 0, where another stretch has the same hash. place: behind
        the stretch."""
        text = self.text
        most = min(LONGEST_ANEW, place)
        length = 0
        while length < most and text[place - 1 - length] == text[-1 - length]:
            length += 1
        return length


def delimiter_of(text: bytes) -> int:
    """The one of DELIMITERS (comma, tab, semicolon, bar, blank) that is most frequent in a text, as
    the number of its byte; of several as frequent the first in that order, and the comma if there
    is none."""
    return max(DELIMITERS, key=text.count)


def mixed(text: bytes, widely: bool = False, most: int | None = None) -> bytes:
    """Compress a text of at most MOST (2^23) bytes, which is not checked: u8 delimiter, the one
    that is most frequent in it, and the code, of which `restored` makes the text. widely: whether
    words are contexts, too. Where the result is longer than the text it may not be a code: compare
    lengths before it is used. most: bytes of a code that is of use; None: any are. What takes more
    is given up on the way, and a result longer than the text is returned."""
    delimiter = delimiter_of(text)
    return bytes([delimiter]) + code_of(text, delimiter, widely=widely, most=most)


def code_of(
    text: bytes,
    delimiter: int,
    before: bytes = b"",
    widely: bool = False,
    most: int | None = None,
) -> bytes:
    """The code of a text, of which `text_of` makes it again. Where it is longer than the text it
    may not be a code. delimiter: the byte between its fields, as a number; before: what both sides
    know ahead of the text, and have learned from; with it at most MOST (2^23) bytes, which is not
    checked. widely: whether words are contexts, too. most: bytes of a code that is of use, None:
    any are; for one that takes more a longer text is returned, which is no code."""
    # what does not become smaller is not worth its bytes, but for what stands around it
    limit = len(text) + MOST_MORE
    if most is not None:
        limit = min(most, limit)
    code = _code_within(text, delimiter, before, widely, limit)
    return text + b"\0" if code is None else code


def _code_within(
    text: bytes,
    delimiter: int,
    before: bytes,
    widely: bool,
    most: int,
) -> bytes | None:
    """The code of a text, as `code_of` makes it, if it takes at most `most` bytes, else None. A
    text of at most LONGEST_KEPT (2^17) bytes is looked up in a cache of codes first, so that one
    that was coded lately is not coded again."""
    if len(text) > LONGEST_KEPT:
        return _coded_anew(text, delimiter, before, widely, most)
    key = (text, delimiter, before, widely)
    # of all archives of one table that are tried, most have the same words and headers
    kept = KEPT_BEHIND if before else KEPT_CODES
    entry = kept.get(key)
    if entry is not None:
        code, limit_tried = entry
        if code is not None:
            return code if len(code) <= most else None
        if limit_tried >= most:
            return None
    code = _coded_anew(text, delimiter, before, widely, most)
    kept.keep(key, (code, most))
    return code


def _coded_anew(
    text: bytes,
    delimiter: int,
    before: bytes,
    widely: bool,
    most: int,
) -> bytes | None:
    """Code a text as `code_of` does, without a cache: its code if it takes at most `most` bytes,
    else None. delimiter: the byte between its fields, as a number; before: what both sides know
    ahead of the text; widely: whether words are contexts, too."""
    if kernel.C is not None:
        out = np.empty(most + 1, np.uint8)
        size = kernel.C.mix(before + text, delimiter, widely, len(before), out)
        # below 0 where the code takes more than `most` bytes
        return out[:size].tobytes() if size >= 0 else None
    whole = before + text
    coder = Coder(_learned(len(whole), delimiter, before, widely))
    for byte in text:
        for bit in _bits_of(byte):
            coder.push(bit)
    code = coder.finish()
    return code if len(code) <= most else None


def restored(data: bytes, size: int, widely: bool = False) -> bytes:
    """The text of `size` bytes whose code `mixed` returned, by the same contexts; widely: whether
    words are among them. Other data give other bytes, not an error; ValueError only for no data, or
    a size of more than MOST (2^23) bytes."""
    if size > MOST or not data:
        raise ValueError(f"{size} bytes of a mixture; at most {MOST} are allowed")
    return text_of(data[1:], size, data[0], widely=widely)


def text_of(
    code: bytes,
    size: int,
    delimiter: int,
    before: bytes = b"",
    widely: bool = False,
) -> bytes:
    """The text of `size` bytes whose code `code_of` returned; other data give other bytes, not an
    error. delimiter: the byte between its fields, as a number; before: what both sides know ahead
    of the text; widely: whether words are contexts, too; all as `code_of` was given them."""
    whole = len(before) + size
    if kernel.C is not None:
        out = np.zeros(whole, np.uint8)
        out[: len(before)] = np.frombuffer(before, np.uint8)
        kernel.C.unmix(code, delimiter, widely, len(before), out)
        return out[len(before) :].tobytes()
    mixer = _learned(whole, delimiter, before, widely)
    coder = Coder(mixer)
    coder.open(code)
    while len(mixer.text) < whole:
        coder.pop()
    return bytes(mixer.text[len(before) :])


def _learned(size: int, delimiter: int, before: bytes, widely: bool) -> Mixer:
    """The mixer of a text of `size` bytes that has learned from its first ones, `before`.
    delimiter: the byte between its fields, as a number; widely: whether words are contexts, too."""
    mixer = Mixer(size, delimiter, widely)
    for byte in before:
        for bit in _bits_of(byte):
            mixer.chance()
            mixer.learn(bit)
    return mixer


def _bits_of(byte: int) -> list[int]:
    """The eight bits of a byte, the highest first."""
    return [byte >> shift & 1 for shift in range(7, -1, -1)]


def costs(text: bytes, delimiter: int, widely: bool = False) -> Float:
    """(bytes,) float64: about the bits that `mixed` takes for each byte of a text, by the
    probabilities. delimiter: the byte between its fields, as a number; widely: whether words are
    contexts, too."""
    if kernel.C is not None:
        bits = np.empty(len(text), np.float64)
        kernel.C.mix_costs(text, delimiter, widely, bits)
        return bits
    mixer = Mixer(len(text), delimiter, widely)
    by_byte = []
    for byte in text:
        cost = 0.0
        for bit in _bits_of(byte):
            chance = mixer.chance()
            chance_of_bit = chance if bit else 65536 - chance
            # chances are in 2^16ths
            cost += 16 - math.log2(chance_of_bit)
            mixer.learn(bit)
        by_byte.append(cost)
    return np.array(by_byte, np.float64)


class Foretells(Protocol):
    """An object that predicts bits one by one; both methods are to be called in turn, for each
    bit."""

    def chance(self) -> int:
        """The probability that the next bit is 1, in 65,536ths, neither 0 nor 65,536."""

    def learn(self, bit: int) -> None:
        """Learn the bit, 0 or 1, whose probability was asked for."""


class Coder:
    """Arithmetic coder of bits, by the probabilities of a mixer. The code lies in the interval low
    .. high of 32 bits, which each bit narrows. To encode, `push` each bit, then `finish`, which
    returns the code; to decode, `open` a code, then `pop` for each bit. mixer: new, or one that has
    learned from a text ahead, which to decode must be the same; the coder alone may ask it and
    teach it."""

    def __init__(self, mixer: Foretells) -> None:
        self.mixer = mixer
        self.low = 0
        self.high = WORD
        self.out = bytearray()

    def push(self, bit: int) -> None:
        """Encode the next bit, 0 or 1, and learn from it."""
        middle = self._middle()
        self._narrow(bit, middle)
        # a highest byte that both ends have is that of the code
        while not (self.low ^ self.high) >> 24:
            self.out.append(self.high >> 24)
            self._shift()

    def finish(self) -> bytes:
        """End the code and return it: as few bytes as lie in the interval, if the bytes behind them
        are read as 0. To be called once, behind the last bit."""
        while self.low:
            top = (self.low >> 24) + 1
            if top << 24 <= self.high:
                self.out.append(top)
                break
            self.out.append(self.low >> 24)
            self._shift()
        return bytes(self.out)

    def open(self, code: bytes) -> None:
        """Begin to decode `code`; bytes behind its end are read as 0. To be called once, before
        `pop`."""
        self.rest = iter(code)
        self.code = 0
        for _ in range(4):
            self.code = self.code << 8 | next(self.rest, 0)

    def pop(self) -> None:
        """Decode the next bit, which the mixer learns and adds to its text, byte by byte; returns
        nothing, as the text is read from the mixer."""
        middle = self._middle()
        bit = int(self.code <= middle)
        self._narrow(bit, middle)
        while not (self.low ^ self.high) >> 24:
            self._shift()
            next_byte = next(self.rest, 0)
            self.code = self.code << 8 & WORD | next_byte

    def _middle(self) -> int:
        """The last number of the interval's part for a 1 bit, as large as its probability says;
        that for a 0 bit follows it. Asks the mixer, so only once for each bit."""
        width = self.high - self.low
        return self.low + (width * self.mixer.chance() >> 16)

    def _narrow(self, bit: int, middle: int) -> None:
        """Narrow the interval to the part of a bit, 0 or 1, and let the mixer learn the bit.
        middle: the last number of the part for a 1 bit."""
        if bit:
            self.high = middle
        else:
            self.low = middle + 1
        self.mixer.learn(bit)

    def _shift(self) -> None:
        """Drop the highest byte of both ends, `low` and `high`, so that 32 bits tell them apart
        again."""
        self.low = self.low << 8 & WORD
        self.high = self.high << 8 & WORD | 255
