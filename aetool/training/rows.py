"""The rows of a training: which are fitted and which are held out, and batches of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from aetool.data.table import Mask
from aetool.model import Int

Features = npt.NDArray[np.float32]
HELD_OUT = 0.1  # the part of the rows that is held out
MOST_HELD_OUT = 10_000  # rows
FEWEST_TO_HOLD = 20  # of fewer rows none are held out
STARTING = 10_000  # rows at most that a model starts from
CHUNK = 1024  # rows of a batch that a model looks at beside its training


def split(rows: int, seed: int, owner: Int | None = None) -> tuple[Int, Int]:
    """Divide the numbers of rows, 0 .. rows - 1, at random: (rows to fit, rows to hold out), both
    ascending: a tenth is held out, at least 2 rows and at most 10,000; of fewer than 20 rows all
    are in both. seed: of the draw.

    owner: (rows,), the record that each row is a piece of; pieces of one record stay together, if
    there is more than one record (see `_split_records`).
    """
    if owner is not None:
        records = np.unique(owner)
        if len(records) > 1:
            return _split_records(records, owner, seed)
    order = np.random.default_rng(seed).permutation(rows)
    # of so few rows none can be spared
    if rows < FEWEST_TO_HOLD:
        every_row = np.sort(order)
        return every_row, every_row.copy()
    tenth = max(2, round(HELD_OUT * rows))
    count = min(MOST_HELD_OUT, tenth)
    fitted = np.sort(order[count:])
    held_out = np.sort(order[:count])
    return fitted, held_out


def _split_records(records: Int, owner: Int, seed: int) -> tuple[Int, Int]:
    """Divide records at random into (rows to fit, rows to hold out), so that all pieces of a record
    are in the same part: a tenth of the records is held out, at least 20 but no more than half of
    them. Row numbers, both ascending. records: (n,), the different owners; owner: (rows,), the
    record of each row."""
    # their highest pieces are what is calibrated by: of few records more are held out
    part = round(HELD_OUT * len(records))
    wanted = min(len(records) // 2, max(FEWEST_TO_HOLD, part))
    order = np.random.default_rng(seed).permutation(records)
    held_out_records = order[: max(1, wanted)]
    is_held_out = np.isin(owner, held_out_records)
    fitted = np.flatnonzero(~is_held_out)
    held_out = np.flatnonzero(is_held_out)
    return fitted, held_out


def rows_to_start_from(rows: Int, seed: int) -> Int:
    """At most 10,000 of these row numbers, (n,): all as they are if there are no more, else drawn
    at random and sorted."""
    if len(rows) <= STARTING:
        return rows
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(rows, STARTING, replace=False))


@dataclass(frozen=True, eq=False)
class Division:
    """Which rows a training uses for which purpose, by their numbers.

    fitted: the rows whose loss is minimised. ordinary: those of them that are not labelled as
    anomalies. judged: the held-out rows that decide about early stopping. held_out: those that are
    not labelled as anomalies. Of fewer than 20 rows all are held out and fitted, too.
    """

    fitted: Int
    ordinary: Int
    judged: Int
    held_out: Int

    @classmethod
    def of(
        cls,
        parts: tuple[Int, Int],
        keep: Mask | None,
        labels: Features | None,
    ) -> Division:
        """Divide the rows. parts: the numbers of the rows to fit and of those to hold out. keep:
        (rows,) bool, which rows to train on, None for all; labels: (rows,), 1, 0, or -1 for an
        anomaly, None without any; keep does not apply to held_out, and to judged only if it keeps
        some of those; labels below 0, anomalies, are left out of ordinary and held_out."""
        fitted, held_out = parts
        judged = held_out
        if keep is not None:
            fitted = fitted[keep[fitted]]
            kept = keep[held_out]
            # where none of the held-out rows is to be kept, all of them must do
            if kept.any():
                judged = held_out[kept]
        ordinary = fitted
        if labels is not None:
            is_ordinary = labels >= 0
            ordinary = fitted[is_ordinary[fitted]]
            held_out = held_out[is_ordinary[held_out]]
        return cls(fitted, ordinary, judged, held_out)


@dataclass(frozen=True, eq=False)
class Examples:
    """Training rows, (n, features) or pictures (n, channels, height, width), standardised. seen:
    the user's damaged copies of them, which the encoder sees instead, in the same shape; None if
    there are none. labels: (n,), 1 for an ordinary row, -1 for an anomaly, 0 for neither; None if
    there are none."""

    rows: Tensor
    seen: Tensor | None = None
    labels: Tensor | None = None

    @classmethod
    def of(cls, rows: Features, damaged: Features | None, labels: Features | None) -> Examples:
        """Examples made of arrays whose first axis is the rows, and whose memory they share;
        damaged and labels may be None."""
        return cls(torch.from_numpy(rows), _tensor(damaged), _tensor(labels))

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.rows)

    def at(self, places: Int | slice) -> Examples:
        """The examples in these places: row numbers, (n,) int64, whose rows are copied, or a
        slice."""
        if isinstance(places, slice):
            return self._mapped(lambda tensor: tensor[places])
        index = torch.from_numpy(places)
        return self._mapped(lambda tensor: tensor[index])

    def to(self, device: torch.device) -> Examples:
        """The examples, moved to a device."""
        return self._mapped(lambda tensor: tensor.to(device))

    def _mapped(self, change: Callable[[Tensor], Tensor]) -> Examples:
        """A copy of the examples with a function applied to each of their tensors."""
        rows = change(self.rows)
        seen = None if self.seen is None else change(self.seen)
        labels = None if self.labels is None else change(self.labels)
        return Examples(rows, seen, labels)


def _tensor(array: Features | None) -> Tensor | None:
    """A tensor that shares an array's memory; None for None."""
    if array is None:
        return None
    return torch.from_numpy(array)


class Batches:
    """Training rows as batches that an author's `begin` and `finish` can iterate again and again,
    in the order of `wanted`.

    features: (rows, ...). wanted: (n,), the numbers of the rows to give. device: where batches go,
    of 1024 rows each, the last of what remains.
    """

    def __init__(self, features: Tensor, wanted: Int, device: torch.device) -> None:
        """Keep the rows, of which nothing is copied or moved yet. features: (rows, ...); wanted:
        (n,), the numbers of the rows to give; device: where batches are to go."""
        self.features = features
        self.wanted = wanted
        self.device = device

    def __iter__(self) -> Iterator[Tensor]:
        """Yield batches of CHUNK (1024) rows, the last of what is left, (batch, ...), on the
        device, in the order of `wanted`."""
        for first in range(0, len(self.wanted), CHUNK):
            # one batch at a time on the device, whose memory may be small
            chunk = self.wanted[first : first + CHUNK]
            rows = torch.from_numpy(chunk)
            yield self.features[rows].to(self.device)
