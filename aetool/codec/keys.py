"""Values by their keys: what a stream held when the same key came last.

The rows of a stream are put in the order of another stream, its keys, those of equal keys in their
own order. A row is foretold by the row before it in this order, if that has the same key. Another
pair of streams, keys and values, may lie among them, ahead of the stream's own row: what it says of
a key in the rows so far counts as well, and if nothing came yet, what it says of it first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aetool.model import Int

MOST_SEEN = 3  # the last class of how often a key came before
SEEN = (1, 2, 4)  # times, from which on the next class is


@dataclass(frozen=True, eq=False)
class Course:
    """The rows of a stream in the order of their keys, rows of one key in the order of the block;
    those of another pair of streams, keys and values, may lie among them.

    own: the place in this order of each of the stream's rows. begins: the places where a new key
    begins, ascending. key: for each place the number of its key. known: for each place whether it
    is the other pair's; values: the other pair's value there, else 0. guesses: for each key the
    first value that the other pair has of it, or 0; told: whether it has any.
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
        """Put the rows of a stream in the order of their keys.

        keys: (n,), of the stream's rows; rows: (n,), the ascending numbers of these rows in the
        block; others: (keys, values) of another pair of streams, (rows of the block,) each, or
        None.
        """
        if others is None:
            others = np.zeros(0, np.int64), np.zeros(0, np.int64)
            rows = np.full(len(keys), -1)
        # row by row: the other pair's, then the stream's own, if it has one
        places = rows + 1 + np.arange(len(keys))
        size = len(keys) + len(others[0])
        known = np.ones(size, np.bool_)
        known[places] = False
        all_keys = np.empty(size, np.int64)
        all_keys[places] = keys
        all_keys[known] = others[0]
        values = np.zeros(size, np.int64)
        values[known] = others[1]
        order = np.argsort(all_keys, kind="stable")
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
        """The course of places that are sorted by key already. own: the places of the stream's
        rows; keys, known, values: of each place."""
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
        """(n,): each value less its prediction, modulo 2^64: the value before it under its key, or
        the key's guess if it is the first. values: (n,), of the stream's rows."""
        ordered = self.values.copy()
        ordered[self.own] = values
        foretold = np.zeros_like(ordered)
        foretold[1:] = ordered[:-1]
        foretold[self.begins] = self.guesses
        return np.asarray(values - foretold[self.own])

    def restored(self, r: Int) -> Int:
        """(n,): the values of the stream from their residuals r, (n,): the inverse of
        `residuals`."""
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
        """(n,): a class of how often the key of each of the stream's rows came before: 0 for never,
        1 for once, 2 for two or three times, 3 for more. A key that the other pair has anywhere
        gets at least 1."""
        key = self.key[self.own]
        often = self.own - self.begins[key]
        classes = np.searchsorted(SEEN, often, "right")
        return np.maximum(classes, self.told[key]).astype(np.uint32)
