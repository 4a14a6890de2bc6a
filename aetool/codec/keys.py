"""Prediction of a stream's values by their keys: a row's value from the row before it with the same
key.

The rows of a stream are sorted by another stream, its keys; rows with equal keys stay in order.
Each is predicted by the row before it in this order, if that has the same key. Another pair of
streams, keys and values that are known already, may be sorted in among them, each of its rows ahead
of the stream's row with the same number: the value of such a row predicts the next row of its key
as well, and the first row of a key is predicted by the first value that the pair has for that key,
even in a later row.
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

    All are arrays. own: (n,), for each row of the stream its place, from 0, in this order. begins:
    (keys,), the places at which a new key begins, ascending. key: (places,), for each place the
    number of its key, from 0. known: (places,) bool, whether its row is one of the other pair.
    values: (places,), the value of the other pair there, else 0. guesses: (keys,), for each key the
    first value that the other pair has for it, or 0. has_guess: (keys,) bool, whether the other
    pair has the key.
    """

    own: Int
    begins: Int
    key: Int
    known: npt.NDArray[np.bool_]
    values: Int
    guesses: Int
    has_guess: npt.NDArray[np.bool_]

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
            # so that no rows of another pair are counted below
            rows = np.full(len(keys), -1)
        # the rows of both are merged, before they are sorted by key: row by row the other pair's,
        # then the stream's own, if it has one. Ahead of its row r stand r + 1 rows of the other
        # pair and the stream's rows so far
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
        place_in_order = np.empty_like(order)
        place_in_order[order] = np.arange(size)
        return cls._ordered(place_in_order[places], all_keys[order], known[order], values[order])

    @classmethod
    def _ordered(
        cls,
        own: Int,
        keys: Int,
        known: npt.NDArray[np.bool_],
        values: Int,
    ) -> Course:
        """Make the course of rows that are sorted by key already. own: (n,), for each row of the
        stream its place in that order; keys, known, values: (places,), for each place its row's
        key, whether the row is of the other pair, and the other pair's value, 0 for the stream's
        own rows."""
        is_new_key = np.ones(len(keys), np.bool_)
        is_new_key[1:] = keys[1:] != keys[:-1]
        begins = np.flatnonzero(is_new_key)
        key = np.cumsum(is_new_key) - 1
        guesses = np.zeros(len(begins), np.int64)
        has_guess = np.zeros(len(begins), np.bool_)
        # backwards, so that the first value of each key is written last, and stays
        known_places = np.flatnonzero(known)[::-1]
        guesses[key[known_places]] = values[known_places]
        has_guess[key[known_places]] = True
        return cls(own, begins, key, known, values, guesses, has_guess)

    def unpredicted(self) -> tuple[Int, Int]:
        """The stream's rows whose key the other pair does not have: (their positions among the
        stream's rows, (m,), sorted by key, of each key in the order of the block; (n,), the number
        of each row's key, from 0)."""
        key = self.key[self.own]
        sorted_rows = np.argsort(self.own, kind="stable")
        has_guess = self.has_guess[key[sorted_rows]]
        return sorted_rows[~has_guess], key

    def residuals(self, values: Int) -> Int:
        """Subtract from each value its prediction, modulo 2^64: (n,). Each is predicted by the
        value one place before it, the stream's or the other pair's, if that has the same key; the
        first of a key by the key's guess, 0 where there is none. values: (n,) int64, of the
        stream's rows, in the order of the block."""
        ordered = self.values.copy()
        ordered[self.own] = values
        predictions = np.zeros_like(ordered)
        predictions[1:] = ordered[:-1]
        predictions[self.begins] = self.guesses
        return np.asarray(values - predictions[self.own])

    def restored(self, residuals: Int) -> Int:
        """Compute the values of the stream, (n,) in the order of the block, from their residuals,
        (n,), which `residuals` returned: each is its residual plus its prediction, modulo 2^64."""
        size = len(self.known)
        steps = np.zeros(size, np.int64)
        steps[self.own] = residuals
        # a value is the sum of the steps since the last value that is known without them: the first
        # of its key, or the last of the other pair before it
        first = self.guesses + steps[self.begins]
        base = self.values.copy()
        base[self.begins] = np.where(self.known[self.begins], base[self.begins], first)
        is_start = self.known.copy()
        is_start[self.begins] = True
        last_start = np.maximum.accumulate(np.where(is_start, np.arange(size), 0))
        sums = np.cumsum(steps, dtype=np.int64)
        ordered = base[last_start] + sums - sums[last_start]
        return np.asarray(ordered[self.own])

    def times_before(self) -> npt.NDArray[np.uint32]:
        """How often the key of each of the stream's rows came in rows before it, as a class, (n,)
        in the order of the block: 0 for never, 1 for once, 2 for two or three times, 3 for more.
        Rows of the other pair count, too, up to that with the row's own number, which counts; a key
        that the other pair has in any row, even a later one, gets at least 1."""
        key = self.key[self.own]
        times_before = self.own - self.begins[key]
        classes = np.searchsorted(SEEN, times_before, "right")
        return np.maximum(classes, self.has_guess[key]).astype(np.uint32)


def firsts_and_seconds(in_order: Int, groups: Int) -> tuple[Int, Int]:
    """Find the first and the second row of each group that has two or more: (positions of the
    first, (m,), positions of the second, (m,)). in_order: (n,), positions of rows, those of a group
    one behind the other; groups: (rows,), the group of each row, by its position."""
    # the next in order is of the same group, the one before of another
    same_as_next = np.diff(groups[in_order]) == 0
    is_first = np.append(True, ~same_as_next)
    firsts = np.flatnonzero(is_first[:-1] & same_as_next)
    return in_order[firsts], in_order[firsts + 1]
