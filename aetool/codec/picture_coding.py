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
Counters = npt.NDArray[np.uint32]
Weights = npt.NDArray[np.int16]
LastWeights = npt.NDArray[np.int32]
COUNTER_BITS, COUNT_BITS = 22, 10  # of a counter: its probability, above how often it was used
PROBABILITIES = 1 << COUNTER_BITS
SURE = 4  # uses after which a counter's vote counts in full
CONSTANT = 256  # the input of a network that is always there
WEIGHT_BITS = 13  # behind the point, of a weight
LEAST_WEIGHT = -(1 << 15)
MOST_WEIGHT = (1 << 15) - 1
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

    preset: the contexts that vote, and the selectors by which the networks that mix the votes are
    chosen. bits: the binary logarithm of how many counters each context has. counters: (contexts <<
    bits,) uint32, each a probability in its upper 22 bits, and how often it was used. weights:
    (selectors + 1, SETS, inputs) int16, of the networks, in 2^-13; last: (NODES, selectors + 1)
    int32, of the network that joins these, in 2^-16.
    """

    preset: Preset
    bits: int
    counters: Counters
    weights: Weights
    last: LastWeights

    @classmethod
    def fresh(cls, preset: Preset, bits: int) -> State:
        """The state of a coder that has seen no pixel. preset: its contexts. bits: binary logarithm
        of how many counters each context has, LEAST_BITS .. MOST_BITS (8 .. 18)."""
        sets = len(preset.selectors) + 1
        count = len(preset.contexts) << bits
        # each counter: a probability of one half, used never
        counters = _aligned(count, 1 << 31)
        weights_shape = (sets, SETS, preset.inputs)
        weights = np.full(weights_shape, FIRST_WEIGHT, np.int16)
        # the networks count alike at first
        equal_share = (1 << 16) // sets
        last = np.full((NODES, sets), equal_share, np.int32)
        return cls(preset, bits, counters, weights, last)

    def copy(self) -> State:
        """A copy that shares no array with this state."""
        counters = _aligned(len(self.counters), 0)
        counters[:] = self.counters
        weights = self.weights.copy()
        last = self.last.copy()
        return State(self.preset, self.bits, counters, weights, last)

    def grown(self, bits: int) -> State:
        """A copy with 2^bits counters for each context, from which the coding of other pictures
        begins. Where there is more room each counter is repeated; each counts as used at most
        MOST_LEARNED (28) times. ValueError for fewer bits than the state has."""
        wider = 1 << (bits - self.bits)
        contexts = len(self.preset.contexts)
        lines = self.counters.reshape(contexts, -1, LINE)
        counters = _aligned(lines.size * wider, 0)
        # the hash of a context has its new bits below the old ones: copies of a line are neighbours
        repeated_lines = lines.repeat(wider, axis=1)
        counters[:] = repeated_lines.ravel()
        uses = np.minimum(counters & USES_MASK, MOST_LEARNED)
        counters &= np.uint32(WORD - USES_MASK)
        counters |= uses
        weights = self.weights.copy()
        last = self.last.copy()
        return State(self.preset, bits, counters, weights, last)


def _aligned(count: int, value: int) -> Counters:
    """Make an array of counters, (count,) uint32, all of this value, whose memory begins at the
    start of a line of the processor's cache, 64 bytes."""
    room = np.full(count + LINE, value, np.uint32)
    # the counters of a context that are used together then come in one load of the cache
    missing_bytes = -room.ctypes.data % 64
    first = missing_bytes // 4
    return room[first : first + count]


def bits_for(values: int) -> int:
    """The binary logarithm of how many counters a context gets, LEAST_BITS .. MOST_BITS (8 .. 18).
    values: how many pixel values are to be coded."""
    bits = values.bit_length()
    bits = max(bits, LEAST_BITS)
    return min(bits, MOST_BITS)


def encode(
    values: Values,
    largest_value: int,
    state: State,
    bound: int = 0,
) -> bytes:
    """Encode planes of pixels, values, (n, planes, height, width) uint16, as bytes; `state` goes on
    learning in place. b"" if the C kernel finds the code longer than 4 bytes for each value and 64
    KiB: then neither the state nor the values are to be used further.

    largest_value: the largest value there may be, which is not checked. bound: how far off a
    restored value may be; above 0, `values` become the restored ones in place.
    """
    # little-endian and in one piece: a copy where the caller's values are not
    coded_values = np.require(values, "<u2", ["C", "W"])
    if kernel.C is None:
        coder = Encoder(state)
        walk = Walk(coded_values, largest_value, state.preset, bound)
        walk.run(coder)
        code = coder.finish()
    else:
        # more than this is no gain, and few values take less than half of it even at the worst
        most_bytes = 4 * coded_values.size + (1 << 16)
        room = np.empty(most_bytes, np.uint8)
        settings = _for_c(coded_values.shape, largest_value, state, bound)
        size = kernel.C.code_pixels(coded_values, *settings, room)
        # below 0 where the code takes far more than the values themselves
        size = max(size, 0)
        code = room[:size].tobytes()
    if coded_values is not values and bound:
        values[...] = coded_values
    return code


def decode(
    data: bytes,
    shape: Sequence[int],
    largest_value: int,
    state: State,
    bound: int = 0,
) -> Values:
    """Decode the planes that `encode` was given, (n, planes, height, width) uint16, or what it
    restored of them within the bound. state: equal to the one that `encode` was given; it goes on
    learning in place. ArchiveError if the code is longer or shorter than theirs; other damage gives
    other values. shape: of the planes; largest_value: the largest value there may be; bound: how
    far off restored values may be; both as `encode` was given them."""
    values = np.zeros(tuple(shape), "<u2")
    if kernel.C is None:
        coder = Decoder(state, data)
        walk = Walk(values, largest_value, state.preset, bound)
        walk.run(coder)
        used = coder.finish()
    else:
        settings = _for_c(shape, largest_value, state, bound)
        used = kernel.C.decode_pixels(values, *settings, data)
    if used != len(data):
        raise ArchiveError("damaged: coded pictures do not end where they should")
    return values


def _for_c(
    shape: Sequence[int],
    largest_value: int,
    state: State,
    bound: int,
) -> tuple[bytes, bytes, Counters, Weights, LastWeights]:
    """A coder's settings and state as the C kernel takes them: (sizes and settings, int32
    little-endian, as bytes; Preset.lists; counters, weights of the networks and weights of the last
    one, the arrays of the state, which the kernel changes). shape: (n, planes, height, width);
    largest_value: the largest value; bound: how far off a restored value may be, 0 for exact."""
    preset = state.preset
    contexts = len(preset.contexts)
    selectors = len(preset.selectors)
    learning = (preset.limit, preset.rate, contexts, selectors, preset.inputs)
    # without a bound the kernel gets one number less
    bound_if_any = [bound] if bound else []
    settings = [*shape, largest_value, state.bits, *learning, *bound_if_any]
    params = np.array(settings, "<i4").tobytes()
    return params, preset.lists(), state.counters, state.weights, state.last


class Coder:
    """Codes bits one by one, and learns from each; the subclasses write or read the code.

    Each bit cuts the interval low .. high, of 32 bits, in two by its probability; leading bytes
    that both ends have in common leave it. For each value `begin` is called, then `open_lines` and
    `bit` for its bits, and at the end `finish` of a subclass, which alone changes the state.
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
        """Begin a pixel's value. hashes: for each context of the preset a hash of its features, 32
        bits; chosen: for each selector the number of the set of weights, 0 .. 255."""
        self.hashes = hashes
        self.chosen = chosen

    def open_lines(self, key: int) -> None:
        """Set `lines` for the next few bits of a value: for each context the place in the array of
        counters where the sixteen counters begin that these bits use. key: a number, 0 or more, for
        which bits of the value they are. Between `begin` and `bit`."""
        bits = self.state.bits
        self.lines = []
        for place, hashed in enumerate(self.hashes):
            spread = (hashed + key) * SPREAD & WORD
            # the highest bits of the product hang on all bits of the hash
            slot = spread >> (32 - bits)
            # sixteen counters that stand together are used together
            line = slot & ~15
            self.lines.append((place << bits) + line)

    def bit(self, slot: int, node: int, bit: int) -> int:
        """Code the next bit by the probability that counters and networks give a 1, and learn from
        it. Returns the bit: an encoder codes `bit`, a decoder reads one, whatever `bit` is. slot:
        the number of its counter in each of `lines`, 0 .. 15; node: which kind of decision it is, 0
        .. NODES - 1 (63)."""
        places = [line + slot for line in self.lines]
        inputs = []
        for place in places:
            counter = self.counters[place]
            inputs.append(self._vote(counter))
        inputs.append(CONSTANT)
        # the first network is chosen by the decision alone, the others by their selectors, too
        chosen = [node]
        # each selected number has sixteen networks, one for each of the first decisions
        within_set = min(node, 15)
        chosen += [selected * 16 + within_set for selected in self.chosen]
        sets = zip(self.weights, chosen, strict=True)
        networks = [networks_of_set[number] for networks_of_set, number in sets]
        votes = [_joined(network, inputs) for network in networks]
        # the last network joins the votes of these
        last = self.last[node]
        pairs = zip(last, votes, strict=True)
        total = sum(weight * vote for weight, vote in pairs)
        joined_vote = clipped(total >> 16, -SCALE, SCALE)
        probability = squashed(joined_vote)
        bit = self._narrow_interval(probability, bit)
        self._learn(
            bit,
            probability,
            places,
            inputs,
            networks,
            votes,
            last,
        )
        return bit

    def _vote(self, counter: int) -> int:
        """A counter's log-odds of a 1 bit, in 170ths of a nat, -2048 .. 2047; nearer to 0 while it
        was used fewer than SURE (4) times. counter: 32 bits, the probability of a 1 in the upper
        22, and how often it was used."""
        count = counter & USES_MASK
        # its upper 12 bits are the probability in 4096ths
        vote = STRETCHED[counter >> 20]
        if count < SURE:
            return vote * count >> 2
        return vote

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
        """Move the counters and the networks that voted, in place, towards the bit that came;
        weights stay within 16 bits, those of the last network within LARGEST_LAST (2^20), and a
        counter counts at most preset.limit uses.

        probability: of a 1, as it was coded, in 65,536ths. places: in `counters`, of those that
        voted; inputs: of the networks, the counters' votes and a constant; networks: the weights of
        each; votes: of each network; last: the weights of the network that joined these.
        """
        truth = bit << 16
        preset = self.state.preset
        error = 2 * (truth - probability)
        for k, vote in enumerate(votes):
            # half of the divisor is added, so that the step is rounded
            step = (vote * error + (1 << 17)) >> 18
            moved = last[k] + step
            last[k] = clipped(moved, -LARGEST_LAST, LARGEST_LAST)
            # each network by its own error
            network_error = truth - squashed(vote)
            # the rate is in 32nds
            scaled_error = network_error * preset.rate >> 5
            network = networks[k]
            for i, value in enumerate(inputs):
                step = (value * scaled_error + (1 << 15)) >> 16
                moved = network[i] + step
                network[i] = clipped(moved, LEAST_WEIGHT, MOST_WEIGHT)
        for place in places:
            counter = self.counters[place]
            count = counter & USES_MASK
            chance = counter >> COUNT_BITS
            # about 1 / (uses + 1.5): the mean of the bits so far, until `limit` keeps it moving
            rate = (1 << 17) // (2 * count + 3)
            if bit:
                distance = PROBABILITIES - 1 - chance
                chance += distance * rate >> 16
            else:
                chance -= chance * rate >> 16
            uses = min(count + 1, preset.limit)
            self.counters[place] = chance << COUNT_BITS | uses

    def _narrow_interval(self, probability: int, bit: int) -> int:
        """Narrow the coder's interval to the part of one bit, and write or read the bytes that are
        settled by it; returns the bit (of a decoder the one that was read). probability: of a 1, in
        parts of 65,536."""
        width = self.high - self.low
        # width * probability >> 16, in two parts that each stay below 2^32
        of_high_half = (width >> 16) * probability
        of_low_half = (width & 0xFFFF) * probability >> 16
        middle = self.low + of_high_half + of_low_half
        bit = self.side(middle, bit)
        if bit:
            self.high = middle
        else:
            self.low = middle + 1
        while (self.low ^ self.high) < 1 << 24:
            self.settle(self.high >> 24)
            self.low = self.low << 8 & WORD
            # the high end has ones behind it, the low end zeros: the interval keeps all it had
            self.high = self.high << 8 & WORD | 255
        return bit

    def side(self, middle: int, bit: int) -> int:
        """The next bit as the code has it: 1 if it lies at or below `middle`, the place where the
        interval is cut. An encoder, which chooses the side, returns `bit`. For subclasses to
        define."""
        raise NotImplementedError

    def settle(self, byte: int) -> None:
        """Move on by a byte, as the leading byte of the interval, `byte`, cannot change any more:
        an encoder writes it, a decoder, which does not look at it, reads the next byte of the code.
        For subclasses to define."""
        raise NotImplementedError

    def _store_in_state(self) -> None:
        """Write what was learned in the plain lists, in which this reference computes, back into
        the arrays of the state, in place; at the end."""
        self.state.counters[:] = self.counters
        self.state.weights[:] = self.weights
        self.state.last[:] = self.last


class Encoder(Coder):
    """A coder that writes the code, bytes that `finish` returns."""

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.coded = bytearray()

    def side(self, middle: int, bit: int) -> int:
        """The bit that is to be coded, `bit` itself, wherever the interval is cut."""
        return bit

    def settle(self, byte: int) -> None:
        """Write `byte`, the leading byte of the interval, which is settled."""
        self.coded.append(byte)

    def finish(self) -> bytes:
        """End the code and return it, once; the state keeps what was learned. A last byte settles
        the interval: what follows the code does not matter to a decoder."""
        self._store_in_state()
        last_byte = (self.low >> 24) + 1
        self.coded.append(last_byte)
        return bytes(self.coded)


class Decoder(Coder):
    """A coder that reads a code, data; behind its end it reads zeros, without an error."""

    def __init__(self, state: State, data: bytes) -> None:
        super().__init__(state)
        self.data = data
        self.at = 0
        self.code = 0
        # the four bytes of the code that are compared with the interval
        for _ in range(4):
            self.settle(0)

    def finish(self) -> int:
        """How many bytes of the code the decoded values took, more than there are if it was cut
        short; the state keeps what was learned."""
        self._store_in_state()
        # of the four bytes that are looked at the encoder wrote but one at its end
        return self.at - 3

    def side(self, middle: int, bit: int) -> int:
        """The next bit of the code: 1 if it lies at or below `middle`; `bit` is not looked at."""
        return int(self.code <= middle)

    def settle(self, byte: int) -> None:
        """Read the next byte of the code, 0 behind its end; `byte` is not looked at."""
        following = 0
        if self.at < len(self.data):
            following = self.data[self.at]
        self.code = self.code << 8 & WORD | following
        self.at += 1


def _joined(network: list[int], inputs: list[int]) -> int:
    """The vote of a network, in 170ths of a nat: the sum of its inputs times its weights, which
    count 2^-13 each, limited to -2047 .. 2047. network: at least as many weights as inputs."""
    # strict is not: a network has room for more inputs than there are
    pairs = zip(network, inputs, strict=False)
    total = sum(weight * value for weight, value in pairs)
    return clipped(total >> WEIGHT_BITS, -SCALE, SCALE)


def squashed(vote: int) -> int:
    """The probability of a 1 bit, in 65,536ths, for a vote: a log-odds in 170ths of a nat, -2048 ..
    2047."""
    return SQUASHED[vote + SCALE + 1]
