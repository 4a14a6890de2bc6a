"""A column of whole numbers to bytes and back, by a plan: transform, bins, contexts.

    transform   values become residuals: themselves, the difference to the value before, to the
                value before in the same group, to another column, to the value under the same key
    bins        a residual is the bin it lies in (the symbol) and its place there (raw bits)
    contexts    what chooses the symbol's frequency table: the symbol before, what other columns
                hold in this row, the student's verdict

In a small block under a shared model a stream that never changes is but a mark (`stillness`).
Only streams before this one in the block are referred to. plans.py says what a plan is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from aetool.codec import bits, keys, rans, stages, symbol_contexts, symbol_mixing, transforms
from aetool.codec.bits import U8, U64
from aetool.codec.blobs import pack, read_varint, unpack, varint
from aetool.codec.plans import (
    MAX_CLASSES,
    Feature,
    OtherSymbol,
    OtherValue,
    OwnSymbol,
    Packed,
    Plan,
    Repeat,
    Seen,
    Unchanged,
    Verdict,
)
from aetool.codec.rans import U16, U32, Contexts
from aetool.codec.streams import Known, Stream, named_column, where_present
from aetool.errors import ArchiveError
from aetool.model import Int

Counts = U32 | None  # of symbols in their contexts, to begin with
MOVING, USUAL, STILL = 0, 1, 2
MARK_STRENGTH = 2
MOST_RAW_BITS = 64  # of a residual that lies in no bin
NO_WIDTHS: U8 = np.zeros(0, np.uint8)
# bytes of a varint: two values of 64 bits differ by one of 65 bits, its sign folded in
LONGEST_DIFFERENCE = 10


def _student(known: Known) -> Int:
    """The verdicts of the student, the network that predicts the next stream, on every row of the
    block, (rows,), 0 to 255; known: the streams before that, with the student's `predict`.
    ArchiveError without one."""
    if known.predict is None:
        raise ArchiveError("damaged: a column's plan asks for a student that is not there")
    verdicts: Int = known.predict(len(known.values), known)
    return verdicts


# ---- bins


def symbols_of(plan: Plan, residuals: Int) -> U16:
    """Find the bin that each residual lies in: (n,) uint16, the bin's number, from 0; plan.bins if
    it lies in none. residuals: (n,) int64, what the plan's transform leaves of the values."""
    start = plan.starts
    width = plan.widths
    count = plan.bins
    if not count:
        return np.zeros(len(residuals), np.uint16)
    first = start[0]
    last = start[-1]
    # bins of one number each, without a gap: the commonest case, which needs no search
    distance = int(last) - int(first)
    if not width.any() and distance == count - 1:
        inside = (residuals >= first) & (residuals <= last)
        number = np.where(inside, residuals - first, count)
        return number.astype(np.uint16)
    starts_passed = bits.search(residuals, start)
    bin_below = starts_passed.astype(np.int64) - 1
    nearest = np.maximum(bin_below, 0)
    # modulo 2^64: what lies below its bin is as far above it as can be
    above = (residuals - start[nearest]).view(np.uint64)
    width_of_nearest = width[nearest].astype(np.uint64)
    # a place needs as many bits as the bin is wide, and no more
    is_beyond = above >> width_of_nearest != 0
    outside = (bin_below < 0) | is_beyond
    number = np.where(outside, count, nearest)
    return number.astype(np.uint16)


# ---- contexts


def contexts(
    plan: Plan,
    stream: Stream,
    known: Known,
    prime: Counts = None,
    symbols: U16 | None = None,
) -> tuple[U32 | None, Contexts]:
    """Compute the contexts of a stream's symbols by its plan's features: (base, layout). base: (n,)
    uint32, for each value all features combined into one number, but the stream's own symbol
    before, which the coder looks up as it goes; None if no feature can be computed ahead. layout:
    how contexts choose frequency tables.

    symbols: the stream's own, which only the encoder has; the repeats in them are then part of
    base. None: the decoder finds repeats symbol by symbol, as layout says. prime: (contexts,
    alphabet), counts that tables begin with; None: none. known: the streams before it. ArchiveError
    if a feature asks for what is not there, the stream's own symbol is a feature behind others, or
    tables would be too large.
    """
    alphabet = plan.alphabet
    own: U8 | None = None
    radices: list[int] = []
    base: U32 | None = None
    # of the feature of repeats, if the plan has it: its place among the features, the class of each
    # symbol, and how many symbols must come again to predict the next
    place_of_repeats = 0
    classes_of_repeats: U8 | None = None
    size_of_repeats = 1
    for feature in plan.features:
        if isinstance(feature, OwnSymbol):
            if radices:
                raise ArchiveError("damaged: a column's own symbol is not its first feature")
            # the coder looks it up as it goes: it counts in no base
            own = classes_of_symbols(feature.edges, alphabet)
            radices.append(feature.radix)
            continue
        if isinstance(feature, Repeat):
            classes_of_repeats = classes_of_symbols(feature.edges, alphabet)
            classes = int(classes_of_repeats.max(initial=0)) + 1
            # nothing, or a class that was predicted, each of them short or long ago
            radix = 2 * classes + 1
            place_of_repeats = len(radices)
            size_of_repeats = feature.size
            # without symbols one 0 holds the feature's place among the digits of base
            marks = np.zeros(1, np.uint32)
            if symbols is not None:
                marks = rans.repeats(symbols, classes_of_repeats, size_of_repeats)
        elif isinstance(feature, Seen):
            marks = transforms.course(plan, stream, known).times_before()
            radix = keys.MOST_SEEN + 1
        else:
            marks, radix = feature_of(feature, stream, known)
        radices.append(radix)
        # as digits of a number: each feature multiplies what stands before it by its radix
        base = marks if base is None else base * np.uint32(radix) + marks
    layout = Contexts(
        alphabet=alphabet,
        radices=tuple(radices),
        strength=plan.strength,
        own=own,
        prime=prime,
    )
    if classes_of_repeats is not None and symbols is None:
        # the decoder finds the feature symbol by symbol; the base has only the other features
        if base is not None and len(base) == 1:
            base = None
        radices_behind = radices[place_of_repeats + 1 :]
        stride = int(np.prod(radices_behind, dtype=np.int64))
        layout = dataclasses.replace(
            layout,
            match=classes_of_repeats,
            size_of_repeats=size_of_repeats,
            stride=stride,
        )
    layout.check()
    return base, layout


def classes_of_symbols(edges: Int, alphabet: int) -> U8:
    """For each symbol 0 .. alphabet - 1 the number of its class: how many of the ascending edges
    are less than or equal to it. (alphabet,) uint8."""
    every_symbol = np.arange(alphabet)
    classes = np.searchsorted(edges, every_symbol, "right")
    return classes.astype(np.uint8)


def feature_of(feature: Feature, stream: Stream, known: Known) -> tuple[U32, int]:
    """Compute a Verdict, OtherValue, OtherSymbol or Unchanged, features of other streams or of the
    student, a network, as part of a context: ((n,) uint32, its value, from 0, for each row in which
    the stream has one; how many values it can have). known: the streams before it. AssertionError
    for another feature, ArchiveError if the feature asks for a stream or a student that is not
    there."""
    if isinstance(feature, Verdict):
        verdicts = where_present(_student(known), stream)
        return verdicts.astype(np.uint32), MAX_CLASSES
    if isinstance(feature, OtherValue):
        values = named_column(known.values, feature.of, stream)
        return bits.search(values, feature.edges), feature.radix
    if isinstance(feature, OtherSymbol):
        # the classes of all symbols there can be, looked up row by row
        every_symbol = np.arange(rans.MAX_ALPHABET + 1)
        lookup = np.searchsorted(feature.edges, every_symbol, "right")
        symbols = named_column(known.symbols, feature.of, stream)
        classes = lookup[symbols]
        return classes.astype(np.uint32), feature.radix
    assert isinstance(feature, Unchanged)
    # called for its check that the column is there: rows are compared before any is left out
    named_column(known.values, feature.of, stream)
    full = known.values[feature.of]
    same = np.zeros(len(full), np.bool_)
    same[1:] = full[1:] == full[:-1]
    marks = where_present(same, stream)
    return marks.astype(np.uint32), 2


def mixture_layout(plan: Plan, stream: Stream, known: Known, count: int) -> symbol_mixing.Layout:
    """The contexts of the `count` symbols of a stream whose plan mixes, of all its features but an
    OwnSymbol, and of the others that a mixture looks at; known: the streams before it. ArchiveError
    if a feature asks for what is not there, or there are more than symbol_mixing.MOST_VALUES (2^18)
    symbols, or fewer than two different ones."""
    marks: list[U32] = []
    for feature in plan.features:
        if isinstance(feature, Seen):
            marks.append(transforms.course(plan, stream, known).times_before())
        elif not isinstance(feature, OwnSymbol):
            of_feature, _ = feature_of(feature, stream, known)
            marks.append(of_feature)
    return symbol_contexts.layout_of(plan, stream, known, count, marks)


# ---- a stream as bytes


@dataclass(frozen=True, eq=False)
class Pushed:
    """A stream of whole numbers made ready for the entropy coder.

    pairs: (n,), the frequency and start of each symbol, as `rans.forward` returns them, empty where
    symbols take no bits; raw: the places within bins as bits, or the stream compressed as bytes, or
    how far the one value of a stream that never changes is from the shared model's; lanes: how many
    coders take turns. usual: whether all symbols are plan.usual and there are no raw bits, so that
    nothing need be stored; true of a stream of no values, false where values are compressed as
    bytes.
    """

    pairs: U32
    raw: bytes
    lanes: int
    usual: bool


def forward(
    plan: Plan,
    stream: Stream,
    known: Known,
    prime: Counts = None,
) -> Pushed:
    """Make a stream ready for the entropy coder, by its plan, and add the stream to `known`, the
    streams before it. prime: (contexts, alphabet), counts that frequency tables begin with; None:
    none. What the search of plans left in stream.ready is used if it was made by this very plan and
    there is no prime, and is set to None in any case. Of a plan that packs, stream.squeezed is
    taken for the compressed values where it is set; a plan's mixture is not looked at. ArchiveError
    if a feature of the plan asks for what is not there, or tables would be too large."""
    # what the search of plans has left there, perhaps of another plan
    ready = stream.ready
    stream.ready = None
    if plan.packed is not None:
        _add_to_known(plan, stream, known)
        raw = stream.squeezed or squeezed(plan.packed, stream.values)
        no_pairs = np.zeros(0, np.uint32)
        return Pushed(no_pairs, raw, lanes=1, usual=False)
    if prime is not None or not isinstance(ready, Ready) or ready.plan is not plan:
        ready = prepared(plan, stream, known, prime)
    known.add(stream, ready.symbols, ready.alphabet)
    return ready.pushed


@dataclass(frozen=True, eq=False)
class Ready:
    """A stream made ready for the entropy coder, with what it was made by. plan: the plan; symbols:
    (n,), those of its values under the plan; alphabet: how many different symbols there can be;
    pushed: what is handed to the coder."""

    plan: Plan
    symbols: U16
    alphabet: int
    pushed: Pushed


def prepared(
    plan: Plan,
    stream: Stream,
    known: Known,
    prime: Counts = None,
) -> Ready:
    """Make a stream ready for the entropy coder as `forward` does, by a plan that does not pack its
    values as bytes, but leave `known`, the streams before it, as it is. prime: (contexts,
    alphabet), counts that frequency tables begin with; None: none. ArchiveError if a feature of the
    plan asks for what is not there, or tables would be too large."""
    residuals = transforms.residuals(plan, stream, known)
    symbols = symbols_of(plan, residuals)
    base, layout = contexts(plan, stream, known, prime, symbols)
    raw = _raw_bits(plan, symbols, residuals)
    is_usual = symbols == plan.usual
    usual = not raw and bool(is_usual.all())
    lanes = 1 << plan.lanes_log
    # a symbol that is the only one takes no bits
    pairs = np.zeros(0, np.uint32)
    if layout.alphabet > 1:
        pairs = rans.forward(symbols, base, layout, lanes)
    return Ready(plan, symbols, layout.alphabet, Pushed(pairs, raw, lanes, usual))


def _raw_bits(plan: Plan, symbols: U16, residuals: Int) -> bytes:
    """Write the place of each of `residuals`, (n,), within its bin of the plan (how far it is above
    the bin's first number) as bits, as many as the bin is wide; 64 bits for one in no bin. b""
    where the bins of all are single numbers. symbols: (n,), the number of each one's bin."""
    widths, starts = _bins_of(plan, symbols)
    if not widths.any():
        return b""
    offsets = (residuals - starts).view(np.uint64)
    return bits.pack(offsets, widths)


def _bins_of(plan: Plan, symbols: U16) -> tuple[U8, Int]:
    """The bin of the plan that each of `symbols`, (n,), stands for: ((n,) uint8, its width in bits;
    (n,) int64, its first number). A residual that lies in no bin has the symbol behind the last:
    its width is 64, its first number 0."""
    widths = np.append(plan.widths, MOST_RAW_BITS)
    widths = widths.astype(np.uint8)
    starts = np.append(plan.starts, 0)
    return widths[symbols], starts[symbols]


def squeezed(
    packed: Packed,
    values: Int,
    stage_names: stages.Names = stages.USUAL,
    quick: bool = False,
) -> bytes:
    """Compress values, (n,) int64, by a general compressor: packed.low is subtracted from each, the
    differences are written as unsigned little-endian numbers of packed.size bytes, in which they
    must fit (unchecked), and all these bytes are compressed by the stage that makes them smallest.

    stage_names: the stages (general compressors) to try, such as "lzma2". Of at most stages.FEW
    (2^14) bytes stages.MIXED is tried, too, which is slow, but takes a moment for so few; not if
    quick: with less effort, only to see the size.
    """
    # modulo 2^64: a difference beyond the range of int64 is right as an unsigned number
    above = (values - np.int64(packed.low)).view(np.uint64)
    little_endian = above.astype(f"<u{packed.size}")
    as_bytes = little_endian.tobytes()
    # in place of the mixture with words as contexts, which `pack` would add: numbers have no words
    if len(as_bytes) <= stages.FEW and not quick:
        stage_names = (*stage_names, stages.MIXED)
    return pack(as_bytes, quick, stage_names)


def _unsqueezed(packed: Packed, data: bytes, count: int) -> Int:
    """Decompress the `count` values, (count,) int64, that `squeezed` compressed by the same
    `packed`; ArchiveError if data has another number of values."""
    size = packed.size
    raw = unpack(data, size * count)
    if len(raw) != size * count:
        raise ArchiveError("damaged: a column has not the values it should have")
    stored = np.frombuffer(raw, f"<u{size}")
    above = stored.astype(np.uint64)
    return above.view(np.int64) + np.int64(packed.low)


def encode(
    plan: Plan,
    stream: Stream,
    known: Known,
    prime: Counts = None,
) -> bytes:
    """Encode a stream by its plan, and add it to `known`, the streams before it; prime: (contexts,
    alphabet), counts that frequency tables begin with; None: none. ArchiveError if a feature of the
    plan asks for what is not there, or tables would be too large. Returns the squeezed bytes if the
    plan packs, stream.squeezed where that is set; b"" if all symbols are plan.usual and take no raw
    bits; else varint length of rANS, rANS, raw bits; the code of a mixture in place of rANS if the
    plan mixes."""
    if plan.mixture is not None:
        return _mixed(plan, stream, known)
    pushed = forward(plan, stream, known, prime)
    if pushed.usual:
        return b""
    if plan.packed is not None:
        return pushed.raw
    coded = b""
    if len(pushed.pairs):
        coded = rans.push(pushed.pairs, pushed.lanes)
    # the raw bits have no length: they go on to the end of the stream's bytes
    return varint(len(coded)) + coded + pushed.raw


def _mixed(plan: Plan, stream: Stream, known: Known) -> bytes:
    """Encode a stream by a plan that mixes, and add it to `known`, the streams before it. Returns
    b"" if all symbols are plan.usual and take no raw bits; else varint length of the mixture's
    code, that code, raw bits. ArchiveError as mixture_layout."""
    residuals = transforms.residuals(plan, stream, known)
    symbols = symbols_of(plan, residuals)
    raw = _raw_bits(plan, symbols, residuals)
    layout = mixture_layout(plan, stream, known, len(symbols))
    known.add(stream, symbols, plan.alphabet)
    if not raw and (symbols == plan.usual).all():
        return b""
    coded = symbol_mixing.mixed(symbols, layout)
    return varint(len(coded)) + coded + raw


def stillness(values: Int, usual_value: int) -> int:
    """Mark how constant the values of a stream, (n,), are: returns USUAL if every one is
    `usual_value`, or there are none; STILL if all are one other number; MOVING if they differ."""
    if (values == usual_value).all():
        return USUAL
    is_still = (values == values[0]).all()
    return STILL if is_still else MOVING


def marked(marks: Sequence[int], numbers: Sequence[int], counts: U32) -> Pushed:
    """Prepare the marks of streams, as `stillness` returns them, for the entropy coder. marks:
    USUAL, STILL or MOVING of each stream; numbers: the number of each of these streams. counts:
    (streams of the model, 3), how often the model's training saw each mark of each stream."""
    layout, base = _marks_layout(counts, numbers)
    symbols = np.array(marks, np.uint16)
    pairs = rans.forward(symbols, base, layout)
    return Pushed(pairs, b"", lanes=1, usual=False)


def _marks_layout(counts: U32, numbers: Sequence[int]) -> tuple[Contexts, U32]:
    """How the marks of streams are coded: (layout of contexts, (n,) uint32 the context of each
    mark, which is the number of its stream). counts: (streams of the model, 3), how often the
    model's training saw each mark of each stream; numbers: (n,), of the streams whose marks there
    are."""
    layout = Contexts(
        alphabet=3,
        radices=(len(counts),),
        strength=MARK_STRENGTH,
        prime=counts,
    )
    return layout, np.array(numbers, np.uint32)


def still(
    plan: Plan,
    stream: Stream,
    known: Known,
    usual: int,
) -> Pushed:
    """Prepare a stream whose values are all the same for the entropy coder, and add it to `known`,
    the streams before it, with its symbols under the plan. Only the difference of its value to
    `usual` is stored, nothing where that is 0. usual: the value that the shared model has for the
    stream. That the values are equal is not checked."""
    _add_to_known(plan, stream, known)
    difference = 0
    if len(stream.values):
        difference = int(stream.values[0]) - usual
    # its mark already says that it is the usual value
    raw = b""
    if difference:
        raw = varint(_folded(difference))
    no_pairs = np.zeros(0, np.uint32)
    return Pushed(no_pairs, raw, lanes=1, usual=False)


def _folded(number: int) -> int:
    """Map a whole number of any sign to 0, 1, 2 ... ("zigzag"): 0, -1, 1, -2, 2 become 0, 1, 2, 3,
    4."""
    if number >= 0:
        return 2 * number
    return -2 * number - 1


def _unfolded(folded: int) -> int:
    """Map `folded`, 0, 1, 2 ..., back to a whole number of any sign: 0, 1, 2, 3, 4 become 0, -1, 1,
    -2, 2, as `_folded` mapped them."""
    if folded % 2:
        return -((folded + 1) // 2)
    return folded // 2


def _add_to_known(plan: Plan, stream: Stream, known: Known) -> None:
    """Add a stream to `known`, the streams before it, with its symbols under the plan, which are
    computed from its values: of a stream that was not coded by symbols."""
    residuals = transforms.residuals(plan, stream, known)
    symbols = symbols_of(plan, residuals)
    known.add(stream, symbols, plan.alphabet)


class Account(Protocol):
    """Collects the bits that each value takes while streams are decoded; see ledger.Ledger.
    `decode` calls one of its methods for each stream, none for one that takes no bytes of its own,
    as all its symbols are the usual one."""

    def symbols(
        self,
        plan: Plan,
        stream: Stream,
        symbols: U16,
        residuals: Int,
        known: Known,
        prime: Counts,
    ) -> None:
        """Count the bits of the symbols, (n,), that were decoded of a stream by its plan, those of
        raw bits included. residuals: (n,), the numbers that these stand for; known: the streams
        before it; prime: counts that its tables began with."""

    def packed(self, packed: Packed, stream: Stream, data: bytes) -> None:
        """Count the bits of a stream that was decoded from `data`, in which its values were
        compressed as bytes, packed.size for each value."""


class Source:
    """Reads the symbols and raw bits of one stream from `data`, bytes that are its own: first
    `symbols`, or `mixed` for a plan that mixes, is to be called, then `raw`."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def symbols(
        self,
        plan: Plan,
        count: int,
        base: U32 | None,
        layout: Contexts,
    ) -> U16:
        """Decode the `count` symbols of the stream, (count,) uint16; if there are no bytes, all are
        plan.usual. Takes their bytes off `data`. base: (n,), the features of each value as one
        number, or None; layout: how contexts choose frequency tables. ArchiveError if the bytes are
        too few or too many, or if there are none and plan.usual is no symbol, or takes raw bits."""
        if not self.data:
            usual = _usual(plan, layout.alphabet)
            return np.full(count, usual, np.uint16)
        coded, self.data = _cut(self.data)
        if layout.alphabet > 1 and count:
            lanes = 1 << plan.lanes_log
            return rans.decode(coded, count, base, layout, lanes)
        # a symbol that is the only one takes no bytes
        if coded:
            raise ArchiveError("damaged: a coded stream is longer than it should be")
        return np.zeros(count, np.uint16)

    def mixed(self, plan: Plan, layout: symbol_mixing.Layout) -> U16:
        """Decode the symbols of a stream whose plan mixes: (n,), n being what `layout`, its
        contexts, has; if there are no bytes, all are plan.usual. Takes their bytes off `data`.
        ArchiveError if these are damaged."""
        if not self.data:
            usual = _usual(plan, plan.alphabet)
            return np.full(layout.bases.shape[1], usual, np.uint16)
        coded, self.data = _cut(self.data)
        return symbol_mixing.restored(coded, layout)

    def raw(self, widths: U8) -> U64:
        """Read a number of each of these widths, (n,) from 0 to 64 bits, from the rest of the
        bytes: (n,), to be called after `symbols` or `mixed`; ArchiveError if they take more or
        fewer bytes than that."""
        return bits.unpack(self.data, widths)


def _cut(data: bytes) -> tuple[bytes, bytes]:
    """Cut `data`, bytes that begin with a varint length: (the bytes behind the varint, as many as
    it says; the rest). ArchiveError if there are fewer."""
    size, at = read_varint(data, 0)
    end = at + size
    if end > len(data):
        raise ArchiveError("damaged: a coded stream is cut short")
    return data[at:end], data[end:]


class Joined(Source):
    """Decodes the streams of a small block, in their order, which are stored as one: varint length
    of rANS, u32 state and words, then raw bits. Under a shared model a mark for each of the streams
    that are the model's comes first. ArchiveError for data that are shorter than they say."""

    def __init__(self, data: bytes) -> None:
        coded, raw = _cut(data)
        # where no stream has symbols to decode there is no state either
        self.chain = rans.Chain(coded) if coded else None
        super().__init__(raw)

    def symbols(
        self,
        plan: Plan,
        count: int,
        base: U32 | None,
        layout: Contexts,
    ) -> U16:
        """Decode the next `count` symbols of what all streams share: (count,) uint16. plan: not
        used. base: (n,), the features of each value as one number, or None; layout: how contexts
        choose frequency tables. ArchiveError if what they share ends too early."""
        if layout.alphabet < 2 or not count:
            return np.zeros(count, np.uint16)
        if self.chain is None:
            raise ArchiveError("damaged: a coded stream is missing")
        return self.chain.decode(count, base, layout)

    def marks(self, numbers: Sequence[int], counts: U32) -> dict[int, int]:
        """Decode the marks of some streams, MOVING, USUAL or STILL: returns them by the stream's
        number. They come first: it is to be called before any stream is decoded. numbers: of these
        streams; counts: (streams of the model, 3), how often the model's training saw each mark of
        each stream. ArchiveError if the data end too early."""
        if self.chain is None:
            raise ArchiveError("damaged: a coded stream is missing")
        layout, base = _marks_layout(counts, numbers)
        marks = self.chain.decode(len(numbers), base, layout)
        return dict(zip(numbers, marks.tolist(), strict=True))

    def still(
        self,
        plan: Plan,
        stream: Stream,
        count: int,
        known: Known,
        value: int,
        mark: int,
    ) -> Int:
        """Decode the `count` values, all the same, of a stream whose mark is USUAL or STILL, and
        add the stream to `known`, the streams before it, with its symbols under the plan; returns
        them, (count,). value: what the shared model has for the stream; that of a STILL stream is
        stored as its difference to it. ArchiveError for a value beyond 64 bits."""
        if mark == STILL:
            folded, at = read_varint(self.data, 0, LONGEST_DIFFERENCE)
            self.data = self.data[at:]
            value += _unfolded(folded)
        # a damaged difference may lead out of what 64 bits hold
        if not -(1 << 63) <= value < 1 << 63:
            raise ArchiveError("damaged: a value is out of range")
        stream.values = np.full(count, value, np.int64)
        _add_to_known(plan, stream, known)
        return stream.values

    def raw(self, widths: U8) -> U64:
        """Read a number of each of these widths, (n,) from 0 to 64 bits, from as many bytes as they
        fill: (n,); the bytes behind are the next stream's. ArchiveError if there are fewer."""
        count_of_bits = int(widths.sum(dtype=np.int64))
        size = (count_of_bits + 7) // 8
        bytes_of_stream = self.data[:size]
        self.data = self.data[size:]
        return bits.unpack(bytes_of_stream, widths)

    def finish(self) -> None:
        """Raise ArchiveError if any symbols or raw bits are left that no stream has read. To be
        called after the last stream."""
        if self.chain is not None:
            self.chain.finish()
        if self.data:
            raise ArchiveError("damaged: raw bits are left over")


def joined(streams: Sequence[Pushed]) -> bytes:
    """Encode streams, in order, as one, which Joined reads: varint length of rANS, rANS of all in
    one lane, raw bits of all."""
    no_pairs = np.zeros(0, np.uint32)
    pairs_of_streams = [stream.pairs for stream in streams]
    pairs = np.concatenate([no_pairs, *pairs_of_streams])
    coded = rans.push(pairs) if len(pairs) else b""
    raw = b"".join(stream.raw for stream in streams)
    return varint(len(coded)) + coded + raw


def _usual(plan: Plan, alphabet: int) -> int:
    """The plan's usual symbol, plan.usual, checked: where a stream is stored in no bytes, all its
    values have this symbol. ArchiveError if it is not below `alphabet`, the number of symbols, or
    its values would take raw bits."""
    usual = plan.usual
    takes_raw_bits = usual < plan.bins and plan.widths[usual]
    if usual >= alphabet or takes_raw_bits:
        raise ArchiveError("damaged: an empty column has no usual value")
    return usual


def decode(
    plan: Plan,
    source: Source,
    stream: Stream,
    count: int,
    known: Known,
    prime: Counts = None,
    account: Account | None = None,
) -> Int:
    """Decode the `count` values of a stream, (count,) int64, by its plan, and add the stream to
    `known`. source: reads the symbols and raw bits. stream: its `present` says in which rows it has
    values; its `values` are set to what is returned. prime: (contexts, alphabet), counts that
    frequency tables begin with; None: none. account: collects the bits of the values; None: nobody
    does. ArchiveError for data that are damaged, or a plan that does not fit the block."""
    if plan.packed is not None:
        if isinstance(source, Joined):
            raise ArchiveError("damaged: a column's plan is not for so small a block")
        if account is not None:
            account.packed(plan.packed, stream, source.data)
        stream.values = _unsqueezed(plan.packed, source.data, count)
        _add_to_known(plan, stream, known)
        return stream.values
    # a stream without bytes of its own is of the usual symbol alone, which takes nothing
    takes_bits = isinstance(source, Joined) or bool(source.data)
    if plan.mixture is not None:
        if isinstance(source, Joined):
            raise ArchiveError("damaged: a column's plan is not for so small a block")
        symbols = source.mixed(plan, mixture_layout(plan, stream, known, count))
    else:
        base, layout = contexts(plan, stream, known, prime)
        symbols = source.symbols(plan, count, base, layout)
    if plan.bins and plan.complete and not plan.widths.any():
        # each residual is the one number of its bin: there may be no raw bits, which this checks
        source.raw(NO_WIDTHS)
        residuals = plan.starts[symbols]
    else:
        widths, starts = _bins_of(plan, symbols)
        offsets = source.raw(widths).view(np.int64)
        residuals = starts + offsets
    if account is not None and takes_bits:
        account.symbols(plan, stream, symbols, residuals, known, prime)
    stream.values = transforms.restore(plan, residuals, stream, known)
    known.add(stream, symbols, plan.alphabet)
    return stream.values
