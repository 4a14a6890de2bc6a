"""Prediction of a stream's values by their keys: a row's value from the row before it with the same
key.

The rows of a stream are sorted by another stream, its keys; rows with equal keys stay in order.
Each is predicted by the row before it in this order, if that has the same key. Another pair of
streams, keys and values that are known already, may be sorted in among them, each of its rows ahead
of the stream's row with the same number: its value predicts the next row of that key as well, and
the first row of a key is predicted by the first value that the pair has for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aetool.codec import bits
from aetool.model import Int

MOST_SEEN = 3  # the last class of how often a key came before
SEEN = (1, 2, 4)  # times, from which on the next class is


@dataclass(frozen=True, eq=False)
class Course:
    """The rows of a stream sorted by key, so that each value can be predicted from the row before
    it with the same key. Rows with equal keys stay in the order of the block; the rows of another
    pair of streams, keys and values already known, may lie among them.

    All are arrays. own: (n,), for each row of the stream its place in this order. begins: (keys,),
    the places at which a new key begins, ascending. key: (places,), for each place the number of
    its key, from 0. known: (places,) bool, whether its row is one of the other pair. values:
    (places,), the value of the other pair there, else 0. guesses: (keys,), for each key the first
    value that the other pair has for it, or 0. told: (keys,) bool, whether the other pair has it.
    """

    own: Int
    begins: Int
    key: Int
    known: npt.NDArray[np.bool_]
    values: Int
    guesses: Int
    told: npt.NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        keys: Int,
        rows: Int,
        others: tuple[Int, Int] | None = None,
    ) -> Course:
        """Sort the rows of a stream by key, so that each value can be predicted from the row before
        it with the same key.

        keys: (n,), of the stream's rows. rows: (n,), the numbers of these rows in the block,
        ascending; looked at only with others. others: another pair of streams whose rows are sorted
        in among them, as (keys, values), each (rows of the block,); None if there is none.
        """
        if others is None:
            others = np.zeros(0, np.int64), np.zeros(0, np.int64)
            rows = np.full(len(keys), -1)
        # row by row: the other pair's, then the stream's own, if it has one: before the latter are
        # row + 1 of the other pair's, none where every row is -1, and those of its own so far
        places = rows + 1 + np.arange(len(keys))
        size = len(keys) + len(others[0])
        known = np.ones(size, np.bool_)
        known[places] = False
        all_keys = np.empty(size, np.int64)
        all_keys[places] = keys
        all_keys[known] = others[0]
        values = np.zeros(size, np.int64)
        values[known] = others[1]
        order = bits.ascending(all_keys)
        back = np.empty_like(order)
        back[order] = np.arange(size)
        return cls._ordered(back[places], all_keys[order], known[order], values[order])

    @classmethod
    def _ordered(
        cls,
        own: Int,
        keys: Int,
        known: npt.NDArray[np.bool_],
        values: Int,
    ) -> Course:
        """The course of rows that are sorted by key already. own: (n,), for each row of the stream
        its place in the order; keys, known, values: (places,), its key, whether it is of the other
        pair, and the other pair's value there."""
        fresh = np.ones(len(keys), np.bool_)
        fresh[1:] = keys[1:] != keys[:-1]
        begins = np.flatnonzero(fresh)
        key = np.cumsum(fresh) - 1
        guesses = np.zeros(len(begins), np.int64)
        told = np.zeros(len(begins), np.bool_)
        # backwards, so that the first of each key stands
        known_places = np.flatnonzero(known)[::-1]
        guesses[key[known_places]] = values[known_places]
        told[key[known_places]] = True
        return cls(own, begins, key, known, values, guesses, told)

    def residuals(self, values: Int) -> Int:
        """Subtract from each value its prediction, modulo 2^64: (n,). It is predicted by the value
        before it with the same key, the first of a key by the key's guess, 0 where there is none.
        values: (n,) int64, of the stream's rows, in the order of the block."""
        ordered = self.values.copy()
        ordered[self.own] = values
        foretold = np.zeros_like(ordered)
        foretold[1:] = ordered[:-1]
        foretold[self.begins] = self.guesses
        return np.asarray(values - foretold[self.own])

    def restored(self, r: Int) -> Int:
        """The inverse of `residuals`: the values of the stream, (n,) in the order of the block,
        from their residuals r, (n,)."""
        size = len(self.known)
        steps = np.zeros(size, np.int64)
        steps[self.own] = r
        # a sum runs from where a key begins, or from the last place that is known
        first = self.guesses + steps[self.begins]
        base = self.values.copy()
        base[self.begins] = np.where(self.known[self.begins], base[self.begins], first)
        starts = self.known.copy()
        starts[self.begins] = True
        last = np.maximum.accumulate(np.where(starts, np.arange(size), 0))
        sums = np.cumsum(steps, dtype=np.int64)
        ordered = base[last] + sums - sums[last]
        return np.asarray(ordered[self.own])

    def seen(self) -> npt.NDArray[np.uint32]:
        """How often the key of each of the stream's rows came before, as a class, (n,) in the order
        of the block: 0 for never, 1 for once, 2 for two or three times, 3 for more. Rows of the
        other pair count, too, up to the row's number; a key that it has anywhere gets at least 1.
        """
        key = self.key[self.own]
        often = self.own - self.begins[key]
        classes = np.searchsorted(SEEN, often, "right")
        return np.maximum(classes, self.told[key]).astype(np.uint32)
