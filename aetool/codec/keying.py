"""Finds which columns are keys of another column, such as article numbers of names or prices.

Nothing here is needed to decode.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from aetool.codec import bits
from aetool.codec.plans import Plan, Transform
from aetool.codec.streams import Known, Stream
from aetool.model import Int

ROWS = 1 << 16  # the first, by which keys are judged
JUDGED = 1 << 13  # of them
FEWEST = 64
LEAST_REPEATED = 1.2  # rows for each different key
FEWEST_KEYS = 4
MOST_KEYS = 2  # keys of a stream that are looked at closely
IN_COMMON = 0.3  # of the keys of the smaller of two streams that are of the same things
LEAST_EQUAL = 0.02  # of the rows must be predicted exactly beyond those that are without keys
LEAST_GAIN = 0.95  # of the bits of what is left without keys


@dataclass(eq=False)
class _Keys:
    """A stream that may be the keys of another, prepared, in the block's first ROWS (2^16) rows.
    before: (rows,) int64, for each row the number, from 0, of the last earlier row with the same
    key; its own number if there is none. different: (keys,), the different keys, ascending."""

    before: Int
    different: Int


@dataclass(eq=False)
class Keying:
    """Finds which streams of a block may be the keys of another (streams whose equal values come
    with equal values of the other), and prepares each of them once. prepared: by a stream's number
    what was prepared of it; None for those that cannot be keys."""

    prepared: dict[int, _Keys | None] = field(default_factory=dict)

    def plans(
        self,
        stream: Stream,
        parents: Sequence[int],
        known: Known,
    ) -> Iterator[Plan]:
        """Yield plans that predict a value of the stream, the next of the block, by the last one
        under the same key, also with a second pair of streams, keys and values: other keys that
        have many numbers in common with these, and the stream that is as far behind them as this
        one is behind its keys. There is no plan where no keys predict better than the row before
        or what is usual. The plans have no bins and no features yet. parents: the numbers of the
        streams to try as keys, of those in `known`, the streams before it."""
        number = len(known.values)
        for parent in self._best_keys(stream, parents, known):
            yield Plan(transform=Transform.KEYED, of=parent)
            for other_keys in self._with_common_keys(parent, number):
                # columns such as winner, winner's age, loser, loser's age: in each pair the values
                # are as far behind their keys
                other_values = other_keys + number - parent
                if 0 <= other_values < number and other_values != other_keys:
                    pair = (other_keys, other_values)
                    yield Plan(transform=Transform.KEYED, of=parent, pair=pair)

    def _best_keys(
        self,
        stream: Stream,
        parents: Sequence[int],
        known: Known,
    ) -> list[int]:
        """Choose the numbers, best first, of the parents that serve best as keys of a stream: at
        most MOST_KEYS (2) under which most values equal the last one of their key, then at most as
        many whose differences to it take fewest bits.

        known: the streams before it. [] if none of them does better than no keys at all, or of the
        first ROWS (2^16) rows fewer than FEWEST (64) have a value.
        """
        # a row for each of the block's, 0 where the stream has no value
        values_of_rows = stream.values
        rows = np.arange(known.rows)
        if stream.present is not None:
            values_of_rows = np.zeros(known.rows, np.int64)
            values_of_rows[stream.present] = stream.values
            rows = np.flatnonzero(stream.present)
        judged = rows[rows < ROWS]
        step = max(1, len(judged) // JUDGED)
        judged = judged[::step]
        if len(judged) < FEWEST:
            return []
        values = values_of_rows[judged]
        # the first row has none before it
        row_before = np.maximum(judged - 1, 0)
        least_hits, bits_without_keys = _without_keys(values, values_of_rows[row_before])
        by_hits: list[tuple[float, int]] = []
        by_bits: list[tuple[float, int]] = []
        for parent in parents:
            keys = self._keys(parent, known)
            if keys is None:
                continue
            before = keys.before[judged]
            # the first row of a key has nothing to be predicted by
            has_before = before != judged
            differences = values - values_of_rows[before]
            residuals = np.where(has_before, differences, values)
            # a hit is a value that its key predicts exactly
            is_hit = has_before & (residuals == 0)
            hits = int(is_hit.sum())
            if hits >= least_hits:
                by_hits.append((-hits, parent))
            bits_by_key = _bits_of_residuals(residuals)
            if bits_without_keys > 1 and bits_by_key < LEAST_GAIN * bits_without_keys:
                by_bits.append((bits_by_key, parent))
        ranked = sorted(by_hits)[:MOST_KEYS]
        ranked += sorted(by_bits)[:MOST_KEYS]
        # a parent that is good by both comes once
        return list(dict.fromkeys(parent for _, parent in ranked))

    def _keys(self, number: int, known: Known) -> _Keys | None:
        """Prepare stream `number` of `known`, those before the next, as possible keys, once, and
        note it in prepared; None if it has, in the first ROWS (2^16) rows, fewer than FEWEST_KEYS
        (4) different values, or less than LEAST_REPEATED (1.2) rows for each."""
        if number not in self.prepared:
            self.prepared[number] = _keys_of(known.values[number][:ROWS])
        return self.prepared[number]

    def _with_common_keys(self, number: int, before: int) -> list[int]:
        """The numbers, below `before`, of the streams that have many keys in common with stream
        `number`: at least the share IN_COMMON (0.3) of the keys of whichever of the two has fewer.
        Only streams in `prepared` are compared; `number` must be one of these, and have keys."""
        keys = self.prepared[number]
        assert keys is not None
        numbers = []
        for other, keys_of_other in self.prepared.items():
            if keys_of_other is None or other == number or other >= before:
                continue
            common = np.intersect1d(
                keys.different,
                keys_of_other.different,
                assume_unique=True,
            )
            smaller = min(len(keys.different), len(keys_of_other.different))
            if len(common) >= IN_COMMON * smaller:
                numbers.append(other)
        return numbers


def _without_keys(values: Int, before: Int) -> tuple[float, float]:
    """How well a stream's values, (n,) int64, at least one, are predicted without keys, by the
    value before or by the commonest: (how many values keys must predict exactly to be worth a look,
    about how many bits a value takes). before: (n,), for each value the one in the row before
    it."""
    steps = values - before
    # predicted exactly without keys: as the row before, or as the commonest value
    unchanged = int((steps == 0).sum())
    _, counts = np.unique(values, return_counts=True)
    hits_without_keys = max(unchanged, int(counts.max()))
    from_median = values - np.int64(np.median(values))
    bits_without_keys = min(_bits_of_residuals(steps), _bits_of_residuals(from_median))
    return hits_without_keys + LEAST_EQUAL * len(values), bits_without_keys


def _bits_of_residuals(residuals: Int) -> float:
    """Estimate the mean bits of a residual, from its magnitude alone. residuals: (n,), at least
    one."""
    magnitude = np.abs(residuals.astype(np.float64))
    return float(np.log2(1.0 + magnitude).mean())


def _keys_of(values: Int) -> _Keys | None:
    """Prepare values, (rows,) int64 in the order of the block, as keys of another stream; None if
    fewer than FEWEST_KEYS (4) of them are different, or each comes fewer than LEAST_REPEATED (1.2)
    times on average."""
    order = bits.ascending(values)
    ordered = values[order]
    came_before = np.zeros(len(ordered), np.bool_)
    came_before[1:] = ordered[1:] == ordered[:-1]
    different = ordered[~came_before]
    count = len(different)
    if count < FEWEST_KEYS or len(values) < LEAST_REPEATED * count:
        return None
    # rows of one key stand together, in their order: the one before is the last that has it
    row_before = np.roll(order, 1)
    before = order.copy()
    before[order] = np.where(came_before, row_before, order)
    return _Keys(before, different)
