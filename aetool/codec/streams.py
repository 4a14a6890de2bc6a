"""Columns of whole numbers of a block, one after the other, as they refer to one another."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from aetool.codec.kept import digest_of
from aetool.codec.rans import U16
from aetool.errors import ArchiveError
from aetool.model import Array, Int

Mask = npt.NDArray[np.bool_]


@dataclass(eq=False)
class Stream:
    """Whole numbers of a block, what a column of it, or a part of one, is stored as. values: (n,)
    int64, of those rows where `present`, (rows,) bool, is True; None: of all rows. squeezed: the
    same values compressed as bytes, if that has been tried; else b"". ready: what the search of its
    plan has computed already of what is written, integers.Ready, or None."""

    values: Int
    present: Mask | None = None
    squeezed: bytes = b""
    ready: object = None


@dataclass(eq=False)
class Known:
    """The streams of a block before the next one, which encoder and decoder both have.

    rows: how many the block has. Of each stream, in order: values, (rows,) int64, 0 where it has
    none; symbols, (rows,) uint16, by which the values are coded, or the number in alphabets where
    it has none; alphabets: how many symbols it has. predict(number, known): (rows,), the verdicts
    of the student, a small network, that predicts stream `number`; None without students.
    """

    rows: int
    values: list[Int] = field(default_factory=list)
    symbols: list[U16] = field(default_factory=list)
    alphabets: list[int] = field(default_factory=list)
    predict: Callable[[int, Known], Int] | None = None
    _digests: list[bytes] = field(default_factory=list)
    # of no stream, of the first, of the first two ...
    _digests_of_all: list[bytes] = field(default_factory=lambda: [b""])

    def copy(self) -> Known:
        """A copy to which streams can be added without a change of this one, for a trial that may
        be thrown away."""
        # arrays are shared, as none is changed in place; lists grow
        return dataclasses.replace(
            self,
            values=[*self.values],
            symbols=[*self.symbols],
            alphabets=[*self.alphabets],
            _digests=[*self._digests],
            _digests_of_all=[*self._digests_of_all],
        )

    def digest(self, number: int) -> bytes:
        """A hash of what later streams see of stream `number`, from 0: its values, symbols and
        alphabet. Of each it is computed once."""
        while len(self._digests) <= number:
            place = len(self._digests)
            alphabet = np.array([self.alphabets[place]])
            self._digests.append(digest_of(self.values[place], self.symbols[place], alphabet))
        return self._digests[number]

    def digest_of_all(self) -> bytes:
        """A hash of what later streams see of all streams so far. It takes time for new ones
        alone."""
        while len(self._digests_of_all) <= len(self.values):
            number = len(self._digests_of_all) - 1
            before = self._digests_of_all[-1]
            both = np.frombuffer(before + self.digest(number), np.uint8)
            self._digests_of_all.append(digest_of(both))
        return self._digests_of_all[len(self.values)]

    def add(self, stream: Stream, symbols: U16, alphabet: int) -> None:
        """Add a finished stream, so that later streams can refer to it by its number, as values and
        symbols of all rows; where the stream has none they are 0 and `alphabet`. symbols: (n,),
        those of its values under its plan, each below `alphabet`, how many there are."""
        values = stream.values
        present = stream.present
        # rows without a value have one for later streams, which are predicted row by row
        if present is not None:
            values = np.zeros(self.rows, np.int64)
            values[present] = stream.values
            symbols_present = symbols
            symbols = np.full(self.rows, alphabet, np.uint16)
            symbols[present] = symbols_present
        self.values.append(values)
        self.symbols.append(symbols)
        self.alphabets.append(alphabet)


def named_column(columns: Sequence[Array], which: int, stream: Stream) -> Array:
    """One of the block's columns, in the rows in which the stream has values: (n,). columns:
    (rows,) each; which: the number of the column, 0 or more. ArchiveError if there is no such
    column."""
    # what an archive says is not believed: a number may be any
    if which >= len(columns):
        raise ArchiveError("damaged: a column's plan refers to a column that is not there")
    return where_present(columns[which], stream)


def where_present(full: Array, stream: Stream) -> Array:
    """Pick, from an array with an entry for each row of the block, (rows,), those of the rows in
    which the stream has values: (n,); the array itself if it has them in all."""
    if stream.present is None:
        return full
    return full[stream.present]
