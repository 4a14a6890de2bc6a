"""Planes of pixels to bytes: each value is a few bits, each bit is mixed from many contexts.

A value is predicted by a mean of a few predictors, weighed by how little each missed nearby, one of
them linear and learned on the way. What is coded is the distance from the prediction, bit by bit:
none, its side, its magnitude. Every context counts the bits that came in it; their votes are joined
by small networks that learn with each bit, and the result drives an arithmetic coder. (Mahoney,
"Adaptive weighing of context models for lossless data compression", 2005; predictors as in CALIC,
Wu & Memon 1997, and TMW, Meyer & Tischer 1997.) Whole numbers alone: the same on every machine.

Within a bound N distances are counted in steps of 2 N + 1, as in JPEG-LS: what is predicted from is
what a reader restores, and each value is at most N off.

This file is the norm; the C kernel computes the same integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aetool import kernel
from aetool.codec.picture_contexts import SCALE, SQUASHED, STRETCHED, Preset, Walk, clipped
from aetool.errors import ArchiveError

Values = npt.NDArray[np.uint16]
COUNTER_BITS, COUNT_BITS = 22, 10  # of a counter: its probability, above how often it was used
PROBABILITIES = 1 << COUNTER_BITS
SURE = 4  # uses after which a counter's vote counts in full
CONSTANT = 256  # the input of a network that is always there
WEIGHT_BITS = 13  # behind the point, of a weight
LEAST_WEIGHT, MOST_WEIGHT = -(1 << 15), (1 << 15) - 1
FIRST_WEIGHT = 2458  # 0.3
LARGEST_LAST = 1 << 20  # of a weight of the last network, whose point stands before 16 bits
SETS, NODES = 4096, 64
LEAST_BITS, MOST_BITS = 8, 18  # logarithm of the counters of a context
LINE = 16  # counters that are used together
USES_MASK, MOST_LEARNED = 255, 28  # uses that a counter of a model counts as at most
SPREAD = 0x9E3779B1  # 2^32 over the golden ratio
WORD = (1 << 32) - 1


@dataclass(eq=False)
class State:
    """The adaptive state of a coder of pictures: what it has learned from the pixels so far.

    bits: the binary logarithm of how many counters each context has. counters: (contexts << bits,),
    each a probability and how often it was used. weights: (selectors
    + 1, SETS, inputs), of the networks; last: (NODES, selectors + 1), of the network that joins
    these.
    """

    preset: Preset
    bits: int
    counters: npt.NDArray[np.uint32]
    weights: npt.NDArray[np.int16]
    last: npt.NDArray[np.int32]

    @classmethod
    def fresh(cls, preset: Preset, bits: int) -> State:
        """The state of a coder that has seen no pixel. bits: logarithm of the counters of each
        context."""
        sets = len(preset.selectors) + 1
        return cls(
            preset,
            bits,
            _aligned(len(preset.contexts) << bits, 1 << 31),
            np.full((sets, SETS, preset.inputs), FIRST_WEIGHT, np.int16),
            np.full((NODES, sets), (1 << 16) // sets, np.int32),
        )

    def copy(self) -> State:
        """An independent copy."""
        counters = _aligned(len(self.counters), 0)
        counters[:] = self.counters
        return State(self.preset, self.bits, counters, self.weights.copy(), self.last.copy())

    def grown(self, bits: int) -> State:
        """A copy with 2^bits counters for each context, from which the coding of other pictures
        begins. Where there is more room each counter is repeated; each counts as used at most
        MOST_LEARNED times."""
        wider = 1 << (bits - self.bits)
        lines = self.counters.reshape(len(self.preset.contexts), -1, LINE)
        counters = _aligned(lines.size * wider, 0)
        counters[:] = lines.repeat(wider, axis=1).ravel()
        uses = np.minimum(counters & USES_MASK, MOST_LEARNED)
        counters &= np.uint32(WORD - USES_MASK)
        counters |= uses
        return State(self.preset, bits, counters, self.weights.copy(), self.last.copy())


def _aligned(count: int, value: int) -> npt.NDArray[np.uint32]:
    """An array of `count` counters, all of this value, whose memory begins at the start of a line
    of the processor's cache."""
    room = np.full(count + 16, value, np.uint32)
    first = -room.ctypes.data % 64 // 4
    return room[first : first + count]


def bits_for(values: int) -> int:
    """The logarithm of how many counters a context gets to code so many values: LEAST_BITS ..
    MOST_BITS."""
    return min(max(values.bit_length(), LEAST_BITS), MOST_BITS)


def encode(values: Values, most: int, state: State, bound: int = 0) -> bytes:
    """Encode planes, (n, planes, height, width), of values 0 .. most; `state` goes on learning in
    place. b"" if the code would take far more bytes than the values.

    bound: how far off a restored value may be; above 0, `values` become the restored ones.
    """
    own = np.require(values, "<u2", ["C", "W"])
    if kernel.C is None:
        coder = Encoder(state)
        Walk(own, most, state.preset, bound).run(coder)
        code = coder.finish()
    else:
        # more than this is no gain, and few values take less than half of it even at the worst
        room = np.empty(4 * own.size + (1 << 16), np.uint8)
        size = kernel.C.code_pixels(own, *_for_c(own.shape, most, state, bound), room)
        # below 0 where the code takes far more than the values themselves
        code = room[: max(size, 0)].tobytes()
    if own is not values and bound:
        values[...] = own
    return code


def decode(
    data: bytes,
    shape: Sequence[int],
    most: int,
    state: State,
    bound: int = 0,
) -> Values:
    """(n, planes, height, width): the planes that `encode` was given with an equal state, which
    goes on learning in place, or those that it restored within the bound; ArchiveError if the code
    is longer or shorter than theirs."""
    values = np.zeros(tuple(shape), "<u2")
    if kernel.C is None:
        coder = Decoder(state, data)
        Walk(values, most, state.preset, bound).run(coder)
        used = coder.finish()
    else:
        used = kernel.C.decode_pixels(values, *_for_c(shape, most, state, bound), data)
    if used != len(data):
        raise ArchiveError("damaged: coded pictures do not end where they should")
    return values


def _for_c(
    shape: Sequence[int],
    most: int,
    state: State,
    bound: int,
) -> tuple[bytes, bytes, npt.NDArray[np.uint32], npt.NDArray[np.int16], npt.NDArray[np.int32]]:
    """A coder's settings and state as the C kernel takes them: (sizes and settings as bytes, lists
    of features, counters, weights of the networks, weights of the last one). shape: (n, planes,
    height, width); most: the largest value."""
    preset = state.preset
    rule = (preset.limit, preset.rate, len(preset.contexts), len(preset.selectors), preset.inputs)
    within = [bound] if bound else []
    params = np.array([*shape, most, state.bits, *rule, *within], "<i4").tobytes()
    return params, preset.lists(), state.counters, state.weights, state.last


class Coder:
    """Codes bits one by one, and learns from each; the subclasses write or read the code.

    Each bit cuts the interval low .. high, of 32 bits, in two by its probability; leading bytes
    that both ends have in common leave it.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        # plain lists: single elements of arrays are slow, and wrap around
        self.counters: list[int] = state.counters.tolist()
        self.weights: list[list[list[int]]] = state.weights.tolist()
        self.last: list[list[int]] = state.last.tolist()
        self.low = 0
        self.high = WORD
        self.hashes: list[int] = []
        self.lines: list[int] = []
        self.chosen: list[int] = []

    def begin(self, hashes: list[int], chosen: list[int]) -> None:
        """Begin a pixel's value. hashes: for each context a hash of its features; chosen: for each
        selector the number of the set of weights."""
        self.hashes = hashes
        self.chosen = chosen

    def open_lines(self, key: int) -> None:
        """Set `lines` for the next few bits of a value: for each context the place in the array of
        counters where the sixteen counters begin that these bits use. key: a number for which bits
        of the value they are."""
        bits = self.state.bits
        self.lines = []
        for place, hashed in enumerate(self.hashes):
            slot = ((hashed + key) * SPREAD & WORD) >> (32 - bits)
            self.lines.append((place << bits) + (slot & ~15))

    def bit(self, slot: int, node: int, bit: int) -> int:
        """Encode `bit`, or decode one, and learn from it; returns the bit. slot: the number of its
        counter in each line; node: which kind of decision it is."""
        places = [line + slot for line in self.lines]
        inputs = [self._vote(self.counters[place]) for place in places]
        inputs.append(CONSTANT)
        chosen = [node]
        chosen += [selected * 16 + min(node, 15) for selected in self.chosen]
        networks = [self.weights[k][place] for k, place in enumerate(chosen)]
        votes = [_joined(network, inputs) for network in networks]
        last = self.last[node]
        total = sum(weight * vote for weight, vote in zip(last, votes, strict=True))
        probability = squashed(clipped(total >> 16, -SCALE, SCALE))
        bit = self._cut(probability, bit)
        self._learn(bit, probability, places, inputs, networks, votes, last)
        return bit

    def _vote(self, counter: int) -> int:
        count = counter & 255
        vote = STRETCHED[counter >> 20]
        return vote * count >> 2 if count < SURE else vote

    def _learn(
        self,
        bit: int,
        probability: int,
        places: list[int],
        inputs: list[int],
        networks: list[list[int]],
        votes: list[int],
        last: list[int],
    ) -> None:
        truth = bit << 16
        preset = self.state.preset
        error = 2 * (truth - probability)
        for k, vote in enumerate(votes):
            moved = last[k] + ((vote * error + (1 << 17)) >> 18)
            last[k] = clipped(moved, -LARGEST_LAST, LARGEST_LAST)
            # each network by its own error
            step = ((truth - squashed(vote)) * preset.rate) >> 5
            network = networks[k]
            for i, value in enumerate(inputs):
                moved = network[i] + ((value * step + (1 << 15)) >> 16)
                network[i] = clipped(moved, LEAST_WEIGHT, MOST_WEIGHT)
        for place in places:
            counter = self.counters[place]
            count = counter & 255
            chance = counter >> COUNT_BITS
            rate = (1 << 17) // (2 * count + 3)
            if bit:
                chance += (PROBABILITIES - 1 - chance) * rate >> 16
            else:
                chance -= chance * rate >> 16
            self.counters[place] = chance << COUNT_BITS | min(count + 1, preset.limit)

    def _cut(self, probability: int, bit: int) -> int:
        """Narrow the coder's interval to the part of one bit, and write or read the bytes that are
        settled by it; returns the bit (of a decoder the one that was read). probability: of a 1, in
        parts of 65,536."""
        width = self.high - self.low
        middle = self.low + (width >> 16) * probability + ((width & 0xFFFF) * probability >> 16)
        bit = self.side(middle, bit)
        if bit:
            self.high = middle
        else:
            self.low = middle + 1
        while (self.low ^ self.high) < 1 << 24:
            self.settle(self.high >> 24)
            self.low = self.low << 8 & WORD
            self.high = self.high << 8 & WORD | 255
        return bit

    def side(self, middle: int, bit: int) -> int:
        """The next bit as the code has it: 1 if it lies at or below `middle`, the place where the
        interval is cut. An encoder, which chooses the side, returns `bit`."""
        raise NotImplementedError

    def settle(self, byte: int) -> None:
        """Move the interval on by a byte: its leading byte `byte`, which cannot change any more, is
        written by an encoder, and replaced by the next byte of the code by a decoder."""
        raise NotImplementedError

    def _keep(self) -> None:
        self.state.counters[:] = self.counters
        self.state.weights[:] = self.weights
        self.state.last[:] = self.last


class Encoder(Coder):
    """A coder that writes the code."""

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.coded = bytearray()

    def side(self, middle: int, bit: int) -> int:
        return bit

    def settle(self, byte: int) -> None:
        self.coded.append(byte)

    def finish(self) -> bytes:
        """End the code and return it; the state keeps what was learned. A last byte settles the
        interval: the code is the same whatever follows it."""
        self._keep()
        self.coded.append((self.low >> 24) + 1)
        return bytes(self.coded)


class Decoder(Coder):
    """A coder that reads the code, zeros behind its end."""

    def __init__(self, state: State, data: bytes) -> None:
        super().__init__(state)
        self.data = data
        self.at = 0
        self.code = 0
        for _ in range(4):
            self.settle(0)

    def finish(self) -> int:
        """How many bytes of the code the decoded values took; the state keeps what was learned."""
        self._keep()
        return self.at - 3

    def side(self, middle: int, bit: int) -> int:
        return int(self.code <= middle)

    def settle(self, byte: int) -> None:
        following = self.data[self.at] if self.at < len(self.data) else 0
        self.code = self.code << 8 & WORD | following
        self.at += 1


def _joined(network: list[int], inputs: list[int]) -> int:
    # strict is not: a network has room for more inputs than there are
    total = sum(weight * value for weight, value in zip(network, inputs, strict=False))
    return clipped(total >> WEIGHT_BITS, -SCALE, SCALE)


def squashed(vote: int) -> int:
    """The probability of a 1 bit, in 65,536ths, for a vote: a log-odds in 170ths of a nat, -2048 ..
    2047."""
    return SQUASHED[vote + SCALE + 1]
