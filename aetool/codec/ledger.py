"""A ledger of bits: how many of a block's bits each of its cells took, counted while the block is
decoded.

A decoder that is given a ledger reports what every symbol took (log2 of 2^14 over the frequency
that it was decoded with), raw bits, and squeezed text. Whatever a part of the payload has beyond
that belongs to no record: plans, states of coders, rounding to bytes. So a ledger's sum is the
payload's size, to the bit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aetool.codec import blobs, integers, rans, symbol_mixing, transforms
from aetool.codec.plans import Packed, Plan, Transform
from aetool.codec.rans import U16
from aetool.codec.streams import Known, Stream
from aetool.data.table import Mask
from aetool.model import Float, Int

PLANS, CODERS = "plans", "coders"  # of overhead
# transforms by which an odd value makes two differences large
DIFFERENCES = (Transform.DIFFERENCE, Transform.LINEAR_DIFFERENCE)
DEAR = 0.95  # of the values of a stream are not dearer than a dear one
Counts = rans.U32 | None


@dataclass(frozen=True, eq=False)
class Costs:
    """The bits that each record of a block takes, column by column.

    names: of the columns, which may differ from block to block of one archive. taken: (records,
    columns), bits in the payload; judged: (records, columns), bits if all other records were known
    before, see Ledger. overhead: bits of no record, by name, "plans" or "coders".
    """

    names: Sequence[str]
    taken: Float
    judged: Float
    overhead: dict[str, float]


class Ledger:
    """The cells of a block, in bits: taken and judged, (cells,) for each column so far.

    taken is what a cell took in the payload. judged is what it would take if all others were known
    before it: of a symbol by how often it comes among all other symbols of its stream, of text
    without what the first records take beyond the median of the later ones. So the first records of
    a block, whose frequencies are not learned yet, are not blamed for being the first; and a rare
    value is as dear there as anywhere. overhead: bits of no cell, by name, "plans" or "coders".
    blobs: those of each column, as stored, whose bits are overhead until `share` moves them to
    cells; texts: of columns whose texts were mixed as one, by their places, the bits of each byte
    of the text. bits_a_letter: how many bits a letter of the block's description took. `close` must
    follow the streams of each part of the payload.
    """

    def __init__(self) -> None:
        self.taken: list[Float] = []
        self.judged: list[Float] = []
        self.overhead: dict[str, float] = defaultdict(float)
        self.blobs: list[list[bytes]] = []
        self.texts: dict[int, Float] = {}
        self.bits_a_letter = 0.0
        self._is_plan_stored = False
        self._reported = 0.0

    def clear(self) -> None:
        """Empty the ledger, before a block is decoded once more. `bits_a_letter` stays, until the
        decoder sets it anew."""
        for account in (self.taken, self.judged, self.overhead, self.blobs):
            account.clear()
        self.texts.clear()
        self._reported = 0.0

    # ---- called by the decoder of a block

    def begin_column(
        self,
        cells: int,
        column_blobs: Sequence[bytes],
    ) -> None:
        """Begin the next column of a block: what is reported until the next call counts as its
        cells'. cells: how many the column has; column_blobs: the column's blobs, of which a list is
        kept, whose bits are shared among cells later."""
        self.taken.append(np.zeros(cells))
        self.judged.append(np.zeros(cells))
        self.blobs.append(list(column_blobs))

    def join_texts(
        self,
        costs: Mapping[int, Float],
        column_blobs: Sequence[Sequence[bytes]],
    ) -> None:
        """Note the bits of each byte of texts that were compressed together. costs: by the place of
        a column the bits of each byte of its text, (bytes,); column_blobs: the blobs of all columns
        of the block, in which each text stands as if it were stored by itself; those of the columns
        in `costs` replace what was noted before."""
        self.texts = dict(costs)
        for place in costs:
            self.blobs[place] = list(column_blobs[place])

    def begin_stream(self, is_plan_stored: bool) -> None:
        """Begin the next stream of the column; to be called before `symbols` or `packed`.
        is_plan_stored: whether the block's description has the stream's plan; the bits that
        describe its bins then count as its values'."""
        self._is_plan_stored = is_plan_stored

    def close(
        self,
        size: int,
        name: str = CODERS,
    ) -> None:
        """End a part of the payload: its bits that were not reported for any cell since the last
        part are added to the overhead `name`. size: of the part, in bytes. So the sum of all bits
        is that of the payload."""
        self.overhead[name] += 8 * size - self._reported
        self._reported = 0.0

    # ---- called by the decoders of its streams

    def symbols(
        self,
        plan: Plan,
        stream: Stream,
        symbols: U16,
        residuals: Int,
        known: Known,
        prime: Counts,
    ) -> None:
        """Add the bits of the symbols, (n,), and of the raw bits behind them, to the cells of a
        stream that was decoded by this plan; where the block describes the plan, those that
        describe its bins are moved there from overhead. The first values of a stream, which have
        nothing before them to differ from, are judged by no more than the median of all, and the
        first value of a key or group by no more than its second. Where values are stored as
        differences, a value behind a dear one is judged by no more than what its difference from
        the value before the dear one would take: the way back from an odd value is not odd;
        and one behind cells without a value by no more than an even part of its difference.
        residuals: (n,), what the plan's transform leaves of the values; known: the streams before
        it; prime: counts that its tables began with, None: none."""
        # a value that lies in no bin is stored in 64 raw bits
        raw_bits = np.append(plan.widths, 64)[symbols].astype(np.float64)
        taken = judged = raw_bits
        successors = transforms.successors(plan, stream, known)
        if plan.alphabet > 1 and len(symbols):
            base, layout = integers.contexts(plan, stream, known, prime, symbols)
            lanes = 1 << plan.lanes_log
            pairs = rans.forward(symbols, base, layout, lanes)
            # the upper half of a pair is the frequency, of 2^PRECISION
            frequencies = (pairs >> 16).astype(np.float64)
            taken = raw_bits + rans.PRECISION - np.log2(frequencies)
            if plan.mixture is not None:
                mixture = integers.mixture_layout(plan, stream, known, len(symbols))
                taken = raw_bits + symbol_mixing.costs(symbols, mixture)
            contexts = rans.contexts_of(symbols, base, layout, lanes)
            # as if all other symbols were known before
            judged = raw_bits + by_all_others(symbols, contexts, layout)
            # a value that nothing predicts is not judged as one that its prediction misses
            unpredicted = transforms.beginning(plan, stream, known)
            judged[unpredicted] = np.minimum(judged[unpredicted], np.median(judged))
            # the first of a key would be as dear as the second, had it been known before
            firsts, seconds = successors
            judged[firsts] = np.minimum(judged[firsts], judged[seconds])
            if plan.transform in DIFFERENCES:
                judged = _without_ways_back(judged, plan, symbols, residuals)
            if plan.transform is Transform.DIFFERENCE and stream.present is not None:
                judged = _by_steps(judged, plan, symbols, residuals, stream.present)
        self._add(stream, taken, judged)
        if self._is_plan_stored and plan.bins:
            self._pay_bins(plan, stream, symbols, known, successors)

    def _pay_bins(
        self,
        plan: Plan,
        stream: Stream,
        symbols: U16,
        known: Known,
        successors: tuple[Int, Int],
    ) -> None:
        """Move the bits that describe a plan's bins from overhead to the cells, in equal parts to
        those in each bin. symbols: (n,), the number of the bin of each value, that behind the last
        for none. known: the streams before it; successors: (positions of the first rows, positions
        of the second ones) of keys or groups, as transforms.successors returns them. In `judged`
        the first values of a stream, which nothing predicts, pay none, and the first of a key or
        group no more than its second."""
        # a plan is stored as JSON: the steps from bin to bin, and their widths if any is not 0
        letters = np.array(
            [len(str(step)) + 1 for step in np.diff(plan.starts, prepend=0).tolist()]
        )
        if plan.widths.any():
            letters += [len(str(width)) + 1 for width in plan.widths.tolist()]
        # values in no bin need no description
        bits_of_bins = np.append(letters * self.bits_a_letter, 0.0)
        uses = np.bincount(symbols, minlength=len(bits_of_bins))
        bits_a_use = bits_of_bins / np.maximum(uses, 1)
        taken = bits_a_use[symbols]
        present = slice(None) if stream.present is None else stream.present
        judged = taken.copy()
        judged[transforms.beginning(plan, stream, known)] = 0.0
        firsts, seconds = successors
        judged[firsts] = np.minimum(judged[firsts], judged[seconds])
        self.taken[-1][present] += taken
        self.judged[-1][present] += judged
        self.overhead[PLANS] -= float(taken.sum())

    def packed(
        self,
        packed: Packed,
        stream: Stream,
        data: bytes,
    ) -> None:
        """Add the bits of a stream whose values were squeezed as bytes, packed.size for each value,
        to its cells; they are judged without what the first take beyond the median of the later
        ones. data: the squeezed bytes; ArchiveError if they are damaged."""
        _, bits = blobs.priced(data)
        taken = bits.reshape(-1, packed.size).sum(axis=1)
        self._add(stream, taken, without_learning(taken))

    def _add(
        self,
        stream: Stream,
        taken: Float,
        judged: Float,
    ) -> None:
        """Add bits to the cells of the current column, that of the last `begin_column`, in which a
        stream has values. taken: (n,), what each took; judged: (n,), what each is judged by."""
        present = slice(None) if stream.present is None else stream.present
        self.taken[-1][present] += taken
        self.judged[-1][present] += judged
        self._reported += float(taken.sum())

    # ---- called by who knows what a column's blobs hold

    def share(
        self,
        column: int,
        cells: Int,
        taken: Float,
        judged: Float,
        name: str = CODERS,
    ) -> None:
        """Move bits from the overhead `name` to cells of a column, by its place in the block.
        cells: (n,), different row numbers; taken, judged: (n,), the bits to add to these accounts
        of each cell; overhead loses the sum of taken."""
        self.taken[column][cells] += taken
        self.judged[column][cells] += judged
        self.overhead[name] -= float(taken.sum())

    def costs(
        self,
        names: Sequence[str],
        owners: Sequence[int],
        each: int = 1,
    ) -> Costs:
        """The costs of the block's records: taken and judged, (records, names), the cells of all
        columns that count for a name added. owners: for each column of the block the place of the
        name, among `names`, that it counts for; each: how many cells of a column a record has. The
        overhead is the ledger's own, no copy."""
        cells = len(self.taken[0]) if self.taken else 0
        records = cells // each
        taken = np.zeros((records, len(names)))
        judged = np.zeros((records, len(names)))
        for column, place in enumerate(owners):
            own_taken = self.taken[column].reshape(records, each)
            own_judged = self.judged[column].reshape(records, each)
            # a name may have several columns
            taken[:, place] += own_taken.sum(axis=1)
            judged[:, place] += own_judged.sum(axis=1)
        return Costs(names, taken, judged, self.overhead)

    @property
    def total(self) -> float:
        """All bits that were reported, overhead included: those of the block's payload."""
        return float(sum(map(np.sum, self.taken))) + sum(self.overhead.values())


def _without_ways_back(
    judged: Float,
    plan: Plan,
    symbols: U16,
    residuals: Int,
) -> Float:
    """The bits that values stored as differences are judged by, (n,), where one behind a dear one
    (beyond DEAR, 0.95, of all) takes no more than its difference from the value two before it takes
    by how often differences like that come. judged: (n,), bits so far; symbols, residuals: (n,),
    the number of each difference's bin by the plan, and the differences. The result is a new
    array."""
    dear = np.quantile(judged, DEAR)
    behind = np.flatnonzero(judged[:-1] > dear) + 1
    # modulo 2^64, as differences are
    over_two = residuals[behind] + residuals[behind - 1]
    out = judged.copy()
    out[behind] = np.minimum(judged[behind], _bits_by_shares(plan, symbols, over_two))
    return out


def _by_steps(
    judged: Float,
    plan: Plan,
    symbols: U16,
    residuals: Int,
    present: Mask,
) -> Float:
    """The bits that values stored as differences are judged by, (n,), where one behind cells
    without a value, such as gaps or a misspelt date, takes no more than an even part of its
    difference takes by how often differences like that come: over two hours a clock goes on by
    twice as much. judged: (n,), bits so far; symbols, residuals: (n,), as for `_without_ways_back`;
    present: (rows,), True for the n cells that have a value."""
    rows = np.flatnonzero(present)
    steps = np.diff(rows)
    # the first value has none before it
    behind = np.flatnonzero(steps > 1) + 1
    if not len(behind):
        return judged
    steps_behind = steps[behind - 1]
    parts = residuals[behind] // steps_behind
    out = judged.copy()
    out[behind] = np.minimum(judged[behind], _bits_by_shares(plan, symbols, parts))
    return out


def _bits_by_shares(plan: Plan, symbols: U16, residuals: Int) -> Float:
    """The bits, (m,), that some residuals, (m,), would take by how often residuals like that come
    in a stream, whatever stands before them. symbols: (n,), of the stream by the plan."""
    symbols_of_some = integers.symbols_of(plan, residuals)
    # behind the bins a number that lies in none, whether the plan knows of such or not
    places = plan.bins + 1
    counts = np.bincount(symbols, minlength=places)
    shares = (counts + 1) / (len(symbols) + places)
    raw_bits = np.append(plan.widths, 64)[symbols_of_some]
    return np.asarray(raw_bits - np.log2(shares[symbols_of_some]))


def costs_of_text(
    ledger: Ledger,
    names: Sequence[str],
    taken: Float,
) -> Costs:
    """The costs of the records of a block that is stored as one text. names: of the columns, at
    least one; taken: (records, columns), bits, which are taken out of the ledger's overhead. They
    are judged by the same bits, without what the first records take beyond the median of the later
    ones."""
    ledger.overhead[CODERS] -= float(taken.sum())
    judged = np.stack([without_learning(column) for column in taken.T], axis=1)
    return Costs(names, taken, judged, ledger.overhead)


def by_all_others(
    symbols: U16,
    contexts: Int,
    layout: rans.Contexts,
) -> Float:
    """The bits that each symbol would take if its frequency table were learned from all other
    symbols in its context, (n,): rare ones are dear wherever they stand. symbols: (n,); contexts:
    (n,), the number, from 0, of the context of each; layout: how contexts are made; counts that it
    has of a model are added. Counts are smoothed as rans.tables does."""
    alphabet = layout.alphabet
    # the counts of all tables one behind the other: cells of (contexts, alphabet)
    cells = contexts * alphabet + symbols
    counts = np.bincount(cells, minlength=layout.size * alphabet)
    used = np.flatnonzero(counts)
    if layout.prime is not None:
        counts = counts + layout.prime.reshape(-1)
    context = used // alphabet
    symbol = used % alphabet
    probability = np.full(len(used), 1 / alphabet)
    # from one table for all contexts, feature by feature, to that of each context
    for level in range(len(layout.radices) + 1):
        # at each level so many contexts share one table
        contexts_a_table = int(np.prod(layout.radices[level:], dtype=np.int64))
        of_level = counts.reshape(-1, contexts_a_table, alphabet).sum(axis=1)
        table = context // contexts_a_table
        # the symbol itself is left out
        others_equal = of_level[table, symbol] - 1
        others = of_level.sum(axis=1)[table] - 1
        prior = layout.strength * probability
        smoothed = (others_equal + prior) / (others + layout.strength)
        # each symbol has a frequency of at least 1 of TOTAL
        spread = smoothed * (rans.TOTAL - alphabet)
        floored = (1 + spread) / rans.TOTAL
        probability = np.where(others > 0, floored, probability)
    bits = np.zeros(len(counts))
    bits[used] = -np.log2(probability)
    return np.asarray(bits[cells])


def without_learning(bits: Float) -> Float:
    """Bits of cells in order, (n,), without the extra that the first cells take while frequencies
    are still being learned. The first half is scaled down in stretches of 1, 1, 2, 4 ... cells: a
    stretch whose median is above that of the second half is brought down to it. A single cell keeps
    its bits."""
    judged = bits.copy()
    half = len(bits) // 2
    if not half:
        return judged
    later_median = float(np.median(bits[half:]))
    begin = 0
    end = 1
    while begin < half:
        stretch = slice(begin, min(end, half))
        # at most 1, so that no cell is made dearer; 1e-9 where all medians are 0
        ratio = later_median / max(float(np.median(bits[stretch])), later_median, 1e-9)
        judged[stretch] = ratio * bits[stretch]
        # stretches of 1, 1, 2, 4 ... cells
        begin = end
        end = 2 * end
    return judged
