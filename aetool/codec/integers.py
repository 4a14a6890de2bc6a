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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from aetool.canonical import Json
from aetool.codec import bits, keys, rans, stages
from aetool.codec.blobs import pack, read_varint, unpack, varint
from aetool.codec.plans import (
    MAX_CLASSES,
    Combination,
    Feature,
    OtherSymbol,
    OtherValue,
    OwnSymbol,
    Packed,
    Plan,
    Repeat,
    Seen,
    Transform,
    Unchanged,
    Verdict,
)
from aetool.errors import ArchiveError
from aetool.model import Array, Int

U16 = npt.NDArray[np.uint16]
Mask = npt.NDArray[np.bool_]
Counts = rans.U32 | None  # of symbols in their contexts, to begin with
MOVING, USUAL, STILL = 0, 1, 2
MARK_STRENGTH = 2
# values that a transform predicts by nothing
VALUES_AT_THE_BEGINNING = {
    Transform.DIFFERENCE: 1,
    Transform.LINEAR: 1,
    Transform.LINEAR_DIFFERENCE: 1,
    Transform.KEYED: 1,
    Transform.SECOND: 2,
}


@dataclass(eq=False)
class Stream:
    """Whole numbers of a block. values: (n,) int64, of those rows where `present`, (rows,) bool, is
    True; None: of all rows. squeezed: the same values compressed as bytes, if that has been tried;
    else b""."""

    values: Int
    present: Mask | None = None
    squeezed: bytes = b""


@dataclass(eq=False)
class Known:
    """The streams of a block before the next one, which encoder and decoder both have.

    rows: of the block. Of each stream: values, (rows,), 0 where it has none; symbols, (rows,), the
    alphabet's size where it has none; alphabets: its size. predict(number, known): (rows,), the
    verdicts of the student that predicts stream `number`; None without students.
    """

    rows: int
    values: list[Int] = field(default_factory=list)
    symbols: list[U16] = field(default_factory=list)
    alphabets: list[int] = field(default_factory=list)
    predict: Callable[[int, Known], Int] | None = None

    def copy(self) -> Known:
        """An independent copy, for a trial that may be thrown away."""
        return dataclasses.replace(
            self,
            values=[*self.values],
            symbols=[*self.symbols],
            alphabets=[*self.alphabets],
        )

    def add(self, stream: Stream, symbols: U16, alphabet: int) -> None:
        """Add a finished stream, so that later streams can refer to it, as values and symbols of
        all rows; where the stream has none they are 0 and `alphabet`. symbols: (n,), those of its
        values under its plan, each below `alphabet`."""
        values = stream.values
        present = stream.present
        if present is not None:
            values = np.zeros(self.rows, np.int64)
            values[present] = stream.values
            symbols_present = symbols
            symbols = np.full(self.rows, alphabet, np.uint16)
            symbols[present] = symbols_present
        self.values.append(values)
        self.symbols.append(symbols)
        self.alphabets.append(alphabet)


# ---- transforms


def residuals(plan: Plan, stream: Stream, known: Known) -> Int:
    """The residuals of a stream: its values less what the plan's transform predicts of each, (n,),
    modulo 2^64."""
    values = stream.values
    transform = plan.transform
    if transform is Transform.DIFFERENCE:
        return _differences(values)
    if transform is Transform.SECOND:
        return _differences(_differences(values))
    if transform is Transform.GROUPED:
        order = _order(plan, stream, known)
        r = np.empty_like(values)
        r[order] = _differences(values[order])
        return r
    if transform is Transform.KEYED:
        return course(plan, stream, known).residuals(values)
    if transform is Transform.COLUMN:
        other = _of(known.values, plan.of, stream)
        return np.asarray(values - other)
    if plan.combined is None:
        return values
    predicted = combination(plan.combined, stream, known)
    off = np.asarray(values - predicted)
    if transform is Transform.LINEAR_DIFFERENCE:
        return _differences(off)
    return off


def restore(plan: Plan, r: Int, stream: Stream, known: Known) -> Int:
    """The inverse of `residuals`: the values of a stream, (n,), from its residuals r, (n,). stream:
    only its mask is read."""
    transform = plan.transform
    if transform is Transform.DIFFERENCE:
        return _sums(r)
    if transform is Transform.SECOND:
        return _sums(_sums(r))
    if transform is Transform.GROUPED:
        order = _order(plan, stream, known)
        values = np.empty_like(r)
        values[order] = _sums(r[order])
        return values
    if transform is Transform.KEYED:
        return course(plan, stream, known).restored(r)
    if transform is Transform.COLUMN:
        other = _of(known.values, plan.of, stream)
        return np.asarray(r + other)
    if plan.combined is None:
        return r
    if transform is Transform.LINEAR_DIFFERENCE:
        r = _sums(r)
    predicted = combination(plan.combined, stream, known)
    return np.asarray(r + predicted)


def _differences(values: Int) -> Int:
    """The difference of each value to the one before it, (n,), modulo 2^64; the first value itself
    comes first."""
    return np.diff(values, prepend=np.int64(0))


def _sums(differences: Int) -> Int:
    """The inverse of `_differences`: the running sums of differences, (n,), modulo 2^64."""
    return np.cumsum(differences, dtype=np.int64)


def combination(combined: Combination, stream: Stream, known: Known) -> Int:
    """(n,): what a combination predicts in the rows that the stream has values in: floor((sum of
    its terms + divisor / 2) / divisor), the sum modulo 2^64."""
    total = np.full(known.rows, combined.divisor // 2, np.int64)
    for term in combined.terms:
        product = np.full(known.rows, term.factor, np.int64)
        for number, lag in term.streams:
            if number >= len(known.values):
                raise ArchiveError("damaged: a column's plan refers to a column that is not there")
            product *= _earlier(known.values[number], lag)
        total += product
    predicted = total // np.int64(combined.divisor)
    return _where_present(predicted, stream)


def _where_present(full: Array, stream: Stream) -> Array:
    """Pick, from an array with an entry for each row of the block, those of the rows in which the
    stream has values: (n,)."""
    if stream.present is None:
        return full
    return full[stream.present]


def _earlier(values: Int, lag: int) -> Int:
    """The values shifted by `lag` rows: for each row the value `lag` rows before it, (rows,), 0 in
    the first `lag` rows."""
    if not lag:
        return values
    earlier = np.zeros_like(values)
    earlier[lag:] = values[:-lag]
    return earlier


def course(plan: Plan, stream: Stream, known: Known) -> keys.Course:
    """Sort the rows of a stream by the keys that its plan names, to predict each value from the
    last one with the same key. stream: only its mask is read. ArchiveError if a stream that the
    plan names is not known."""
    row_keys = _of(known.values, plan.of, stream)
    rows = _where_present(np.arange(known.rows), stream)
    if plan.pair is None:
        return keys.Course.of(row_keys, rows)
    if max(plan.pair) >= len(known.values):
        raise ArchiveError("damaged: a column's plan refers to a column that is not there")
    other_keys, other_values = (known.values[number] for number in plan.pair)
    return keys.Course.of(row_keys, rows, (other_keys, other_values))


def _order(plan: Plan, stream: Stream, known: Known) -> Int:
    """The order that sorts a stream's values by group: (n,), their positions, group by group, in
    the order of rows within each. The groups are those of the stream that the plan names."""
    groups = _of(known.values, plan.of, stream)
    # any other sort could put rows of a group in another order elsewhere, and restore other values
    return bits.ascending(groups)


def beginning(plan: Plan, stream: Stream, known: Known) -> Int:
    """The positions of those values of a stream that its transform cannot predict, since no value
    stands before them: the first one or two, or none, by the transform."""
    if plan.transform is Transform.GROUPED:
        return _order(plan, stream, known)[:1]
    first = VALUES_AT_THE_BEGINNING.get(plan.transform, 0)
    return np.arange(min(first, known.rows))


def _student(known: Known) -> Int:
    if known.predict is None:
        raise ArchiveError("damaged: a column's plan asks for a student that is not there")
    verdicts: Int = known.predict(len(known.values), known)
    return verdicts


def _of(columns: Sequence[Array], which: int, stream: Stream) -> Array:
    """One of the block's columns, in the rows in which the stream has values: (n,). columns:
    (rows,) each; which: the number of the column. ArchiveError if there is no such column."""
    if which >= len(columns):
        raise ArchiveError("damaged: a column's plan refers to a column that is not there")
    return _where_present(columns[which], stream)


# ---- bins


def symbols_of(plan: Plan, r: Int) -> U16:
    """(n,): the number of the bin that each residual lies in; plan.bins if it lies in none."""
    start = plan.starts
    width = plan.widths
    count = plan.bins
    if not count:
        return np.zeros(len(r), np.uint16)
    first = start[0]
    last = start[-1]
    # bins of one number each, without a gap: the commonest case, which needs no search
    if not width.any() and int(last) - int(first) == count - 1:
        inside = (r >= first) & (r <= last)
        return np.where(inside, r - first, count).astype(np.uint16)
    bin_below = bits.search(r, start).astype(np.int64) - 1
    nearest = np.maximum(bin_below, 0)
    # modulo 2^64: what lies below its bin is as far above it as can be
    above = (r - start[nearest]).view(np.uint64)
    width_of_nearest = width[nearest].astype(np.uint64)
    outside = (bin_below < 0) | (above >> width_of_nearest != 0)
    return np.where(outside, count, nearest).astype(np.uint16)


# ---- contexts


def contexts(
    plan: Plan, stream: Stream, known: Known, prime: Counts = None, symbols: U16 | None = None
) -> tuple[npt.NDArray[np.uint32] | None, rans.Contexts]:
    """Compute the contexts of a stream's symbols by its plan's features: (base, layout). base: (n,)
    uint32, all features combined into one number for each value; None if no feature can be computed
    ahead. layout: how contexts choose frequency tables.

    symbols: the stream's own, which only the encoder has; the repeats in them are then part of
    base. None: the decoder finds repeats symbol by symbol, as layout says. prime: counts that
    tables begin with.
    """
    alphabet = plan.alphabet
    own: npt.NDArray[np.uint8] | None = None
    radices: list[int] = []
    base: rans.U32 | None = None
    match: npt.NDArray[np.uint8] | None = None
    for feature in plan.features:
        if isinstance(feature, OwnSymbol):
            if radices:
                raise ArchiveError("damaged: a column's own symbol is not its first feature")
            own = classes_of_symbols(feature.edges, alphabet)
            radices.append(feature.radix)
            continue
        if isinstance(feature, Repeat):
            match = classes_of_symbols(feature.edges, alphabet)
            classes = int(match.max(initial=0)) + 1
            # nothing, or a class that was predicted, each of them short or long ago
            radix = 2 * classes + 1
            place = len(radices)
            size = feature.size
            marks = np.zeros(1, np.uint32)
            if symbols is not None:
                marks = rans.repeats(symbols, match, size)
        elif isinstance(feature, Seen):
            marks = course(plan, stream, known).seen()
            radix = keys.MOST_SEEN + 1
        else:
            marks, radix = feature_of(feature, stream, known)
        radices.append(radix)
        base = marks if base is None else base * np.uint32(radix) + marks
    look: dict[str, Json] = {}
    if match is not None and symbols is None:
        # the decoder finds the feature symbol by symbol; what is left of the base is without it
        if base is not None and len(base) == 1:
            base = None
        stride = int(np.prod(radices[place + 1 :], dtype=np.int64))
        look = {"match": match, "size_of_repeats": size, "stride": stride}
    layout = rans.Contexts(alphabet, tuple(radices), plan.strength, own, prime, **look)
    layout.check()
    return base, layout


def classes_of_symbols(edges: Int, alphabet: int) -> npt.NDArray[np.uint8]:
    """For each symbol 0 .. alphabet - 1 the number of its class: how many of the ascending edges
    are less than or equal to it. (alphabet,) uint8."""
    return np.searchsorted(edges, np.arange(alphabet), "right").astype(np.uint8)


def feature_of(
    feature: Feature, stream: Stream, known: Known
) -> tuple[npt.NDArray[np.uint32], int]:
    """Compute a feature of other streams, or of the student, as part of a context: ((n,) its value
    for each row of the stream, how many different values it can have)."""
    if isinstance(feature, Verdict):
        verdicts = _where_present(_student(known), stream)
        return verdicts.astype(np.uint32), MAX_CLASSES
    if isinstance(feature, OtherValue):
        values = _of(known.values, feature.of, stream)
        return bits.search(values, feature.edges), feature.radix
    if isinstance(feature, OtherSymbol):
        # the classes of all symbols there can be, looked up row by row
        every_symbol = np.arange(rans.MAX_ALPHABET + 1)
        lookup = np.searchsorted(feature.edges, every_symbol, "right")
        symbols = _of(known.symbols, feature.of, stream)
        return lookup[symbols].astype(np.uint32), feature.radix
    assert isinstance(feature, Unchanged)
    # called for its check that the column is there: rows are compared before any is left out
    _of(known.values, feature.of, stream)
    full = known.values[feature.of]
    same = np.zeros(len(full), np.bool_)
    same[1:] = full[1:] == full[:-1]
    return _where_present(same, stream).astype(np.uint32), 2


# ---- a stream as bytes


@dataclass(frozen=True, eq=False)
class Pushed:
    """A stream as the entropy coder takes it. pairs: (n,), the frequency and start of each symbol;
    raw: the bits within bins; lanes: how many coders take turns. usual: whether all symbols are the
    most common one and there are no raw bits, so that nothing need be stored."""

    pairs: npt.NDArray[np.uint32]
    raw: bytes
    lanes: int
    usual: bool


def forward(plan: Plan, stream: Stream, known: Known, prime: Counts = None) -> Pushed:
    """Make a stream ready for the entropy coder, by its plan, and add the stream to `known`."""
    if plan.packed is not None:
        _know(plan, stream, known)
        raw = stream.squeezed or squeezed(plan.packed, stream.values)
        return Pushed(np.zeros(0, np.uint32), raw, 1, False)
    r = residuals(plan, stream, known)
    symbols = symbols_of(plan, r)
    base, layout = contexts(plan, stream, known, prime, symbols)
    known.add(stream, symbols, layout.alphabet)
    widths, starts = _bins_of(plan, symbols)
    raw = b""
    if widths.any():
        offsets = (r - starts).view(np.uint64)
        raw = bits.pack(offsets, widths)
    usual = not raw and bool((symbols == plan.usual).all())
    lanes = 1 << plan.lanes_log
    pairs = np.zeros(0, np.uint32)
    if layout.alphabet > 1:
        pairs = rans.forward(symbols, base, layout, lanes)
    return Pushed(pairs, raw, lanes, usual)


def _bins_of(plan: Plan, symbols: U16) -> tuple[npt.NDArray[np.uint8], Int]:
    """((n,) width in bits, (n,) first number) of the bin of each symbol. What lies in no bin has
    the symbol behind the last: it is stored in 64 bits, from 0 on."""
    widths = np.append(plan.widths, 64).astype(np.uint8)
    starts = np.append(plan.starts, 0)
    return widths[symbols], starts[symbols]


def squeezed(
    packed: Packed, values: Int, wanted: stages.Names = stages.USUAL, quick: bool = False
) -> bytes:
    """Compress values as bytes: each less packed.low as a number of packed.size bytes, then all by
    the stage, of those wanted, that makes them smallest. quick: with less effort, only to see the
    size."""
    above = (values - np.int64(packed.low)).view(np.uint64)
    return pack(above.astype(f"<u{packed.size}").tobytes(), quick, wanted)


def _unsqueezed(packed: Packed, data: bytes, count: int) -> Int:
    size = packed.size
    raw = unpack(data, size * count)
    if len(raw) != size * count:
        raise ArchiveError("damaged: a column has not the values it should have")
    above = np.frombuffer(raw, f"<u{size}").astype(np.uint64)
    return above.view(np.int64) + np.int64(packed.low)


def encode(plan: Plan, stream: Stream, known: Known, prime: Counts = None) -> bytes:
    """Encode a stream by its plan, and add it to `known`; returns b"" if all symbols are the usual
    one, the squeezed bytes if the plan packs, else varint length of rANS, rANS, raw bits."""
    pushed = forward(plan, stream, known, prime)
    if pushed.usual:
        return b""
    if plan.packed is not None:
        return pushed.raw
    coded = b""
    if len(pushed.pairs):
        coded = rans.push(pushed.pairs, pushed.lanes)
    return varint(len(coded)) + coded + pushed.raw


def stillness(values: Int, usual: int) -> int:
    """The mark of a stream's values, (n,), that says how constant they are: USUAL if every one is
    `usual`, or there are none; STILL if all are one other number; MOVING if they differ."""
    if not len(values) or (values == usual).all():
        return USUAL
    is_moving = (values != values[0]).any()
    return MOVING if is_moving else STILL


def marked(marks: Sequence[int], numbers: Sequence[int], counts: rans.U32) -> Pushed:
    """Prepare the marks of streams, their `stillness`, for the entropy coder. marks: USUAL, STILL
    or MOVING of each stream, numbers: the stream's number. counts: (streams, 3), how often the
    model's training saw each mark of each stream."""
    layout, base = _marks_layout(counts, numbers)
    pairs = rans.forward(np.array(marks, np.uint16), base, layout)
    return Pushed(pairs, b"", 1, False)


def _marks_layout(counts: rans.U32, numbers: Sequence[int]) -> tuple[rans.Contexts, rans.U32]:
    """(layout, base) of the marks of these streams: the context of a mark is its stream's
    number."""
    layout = rans.Contexts(
        alphabet=3,
        radices=(len(counts),),
        strength=MARK_STRENGTH,
        prime=counts,
    )
    return layout, np.array(numbers, np.uint32)


def still(plan: Plan, stream: Stream, known: Known, usual: int) -> Pushed:
    """Prepare a constant stream for the entropy coder, and add it to `known`. Only the difference
    of its value to `usual` is stored, nothing where that is 0."""
    _know(plan, stream, known)
    difference = 0
    if len(stream.values):
        difference = int(stream.values[0]) - usual
    raw = b""
    if difference:
        raw = varint(_folded(difference))
    return Pushed(np.zeros(0, np.uint32), raw, 1, False)


def _folded(number: int) -> int:
    """Map a whole number of any sign to 0, 1, 2 ... ("zigzag"): 0, -1, 1, -2, 2 become 0, 1, 2, 3,
    4."""
    if number >= 0:
        return 2 * number
    return -2 * number - 1


def _unfolded(folded: int) -> int:
    """The inverse of `_folded`: 0, 1, 2, 3, 4 become 0, -1, 1, -2, 2."""
    if folded % 2:
        return -((folded + 1) // 2)
    return folded // 2


def _know(plan: Plan, stream: Stream, known: Known) -> None:
    symbols = symbols_of(plan, residuals(plan, stream, known))
    known.add(stream, symbols, plan.alphabet)


class Account(Protocol):
    """Collects the bits that each value takes while streams are decoded; see ledger.Ledger."""

    def symbols(
        self, plan: Plan, stream: Stream, symbols: U16, known: Known, prime: Counts
    ) -> None:
        """Count the bits of the symbols that were decoded of a stream, from its plan and counts."""

    def packed(self, packed: Packed, stream: Stream, data: bytes) -> None:
        """Count the bits of a stream that was decoded from `data`, in which its values were
        compressed as bytes."""


class Source:
    """Reads the symbols and raw bits of one stream from bytes that are its own."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def symbols(self, plan: Plan, count: int, base: rans.U32 | None, layout: rans.Contexts) -> U16:
        """Decode the `count` symbols of the stream; if there are no bytes, all are the plan's usual
        one."""
        if not self.data:
            return np.full(count, _usual(plan, layout), np.uint16)
        size, at = read_varint(self.data, 0)
        if size > len(self.data) - at:
            raise ArchiveError("damaged: a coded stream is cut short")
        end = at + size
        coded = self.data[at:end]
        self.data = self.data[end:]
        if layout.alphabet > 1 and count:
            return rans.decode(coded, count, base, layout, 1 << plan.lanes_log)
        if size:
            raise ArchiveError("damaged: a coded stream is longer than it should be")
        return np.zeros(count, np.uint16)

    def raw(self, widths: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
        """Read a number of each of these widths, in bits, from the rest of the bytes; ArchiveError
        unless they fill it."""
        return bits.unpack(self.data, widths)


class Joined(Source):
    """Decodes the streams of a small block, which are stored as one: u32 state and words, then raw
    bits. Under a shared model a mark for each of its streams comes first."""

    def __init__(self, data: bytes) -> None:
        size, at = read_varint(data, 0)
        if size > len(data) - at:
            raise ArchiveError("damaged: a coded stream is cut short")
        end = at + size
        self.chain = rans.Chain(data[at:end]) if size else None
        super().__init__(data[end:])

    def symbols(self, plan: Plan, count: int, base: rans.U32 | None, layout: rans.Contexts) -> U16:
        if layout.alphabet < 2 or not count:
            return np.zeros(count, np.uint16)
        if self.chain is None:
            raise ArchiveError("damaged: a coded stream is missing")
        return self.chain.decode(count, base, layout)

    def marks(self, numbers: Sequence[int], counts: rans.U32) -> dict[int, int]:
        """Decode the marks of the streams of these numbers, which come first; returns them by
        number."""
        if self.chain is None:
            raise ArchiveError("damaged: a coded stream is missing")
        layout, base = _marks_layout(counts, numbers)
        stillness_marks = self.chain.decode(len(numbers), base, layout)
        return dict(zip(numbers, stillness_marks.tolist(), strict=True))

    def still(
        self, plan: Plan, stream: Stream, count: int, known: Known, value: int, mark: int
    ) -> Int:
        """Decode the `count` values, all the same, of a stream whose mark is USUAL or STILL, and
        add the stream to `known`; returns them, (count,). value: the usual one; that of a STILL
        stream is stored as its difference to it."""
        if mark == STILL:
            folded, at = read_varint(self.data, 0)
            self.data = self.data[at:]
            value += _unfolded(folded)
        if not -(1 << 63) <= value < 1 << 63:
            raise ArchiveError("damaged: a value is out of range")
        stream.values = np.full(count, value, np.int64)
        _know(plan, stream, known)
        return stream.values

    def raw(self, widths: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
        count_of_bits = int(widths.sum(dtype=np.int64))
        size = (count_of_bits + 7) // 8
        bytes_of_stream = self.data[:size]
        self.data = self.data[size:]
        return bits.unpack(bytes_of_stream, widths)

    def finish(self) -> None:
        """Raise ArchiveError if any symbols or raw bits are left that no stream has read."""
        if self.chain is not None:
            self.chain.finish()
        if self.data:
            raise ArchiveError("damaged: raw bits are left over")


def joined(streams: Sequence[Pushed]) -> bytes:
    """Encode streams as one: varint length of rANS, rANS of all in one lane, raw bits of all."""
    no_pairs = np.zeros(0, np.uint32)
    pairs = np.concatenate([no_pairs, *(stream.pairs for stream in streams)])
    coded = rans.push(pairs) if len(pairs) else b""
    raw = b"".join(stream.raw for stream in streams)
    return varint(len(coded)) + coded + raw


def _usual(plan: Plan, layout: rans.Contexts) -> int:
    """The symbol that every value of a stream has for which no bytes are stored; ArchiveError if
    the plan has no such symbol, or it would take raw bits."""
    usual = plan.usual
    if usual >= layout.alphabet or (usual < plan.bins and plan.widths[usual]):
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
    """Decode the `count` values of a stream by its plan, and add the stream to `known`. stream:
    present says in which rows; its values are set. account: collects the bits of the values, if
    given."""
    if plan.packed is not None:
        if isinstance(source, Joined):
            raise ArchiveError("damaged: a column's plan is not for so small a block")
        if account is not None:
            account.packed(plan.packed, stream, source.data)
        stream.values = _unsqueezed(plan.packed, source.data, count)
        _know(plan, stream, known)
        return stream.values
    base, layout = contexts(plan, stream, known, prime)
    # a stream without bytes of its own is of the usual symbol alone, which takes nothing
    takes_bits = isinstance(source, Joined) or bool(source.data)
    symbols = source.symbols(plan, count, base, layout)
    if account is not None and takes_bits:
        account.symbols(plan, stream, symbols, known, prime)
    widths, starts = _bins_of(plan, symbols)
    offsets = source.raw(widths).view(np.int64)
    r = starts + offsets
    stream.values = restore(plan, r, stream, known)
    known.add(stream, symbols, layout.alphabet)
    return stream.values
