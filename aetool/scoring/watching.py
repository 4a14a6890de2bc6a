"""Watches, which see every record on its way through detect: they make pages, maps and sheets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from aetool.bundle import Bundle
from aetool.data.table import Mask
from aetool.detection.calibration import Calibration
from aetool.model import Float
from aetool.scoring.batches import Scored
from aetool.scoring.collecting import Explained


class Watch(Protocol):
    """The interface of objects that see every batch of records on its way through detect, such as
    those that make pages and heat maps."""

    def begin(self, name: str, bundle: Bundle, calibration: Calibration) -> None:
        """Called first, with the name of the source, the model, and the calibration that gives
        p-values."""

    def begin_archive(self, name: str) -> None:
        """Called instead of `begin` and `batch` with the name of an archive, whose records no model
        scores; raises ParamError if this watch is of no use then."""

    def batch(self, batch: Scored, scores: Float, flagged: Mask, explained: Explained) -> None:
        """Called with each batch. scores, flagged: (rows,), the score of each record, and whether
        it is flagged; explained: the records to report."""


@dataclass(frozen=True)
class Watches:
    """Several watches as one, which passes each call on to all of them, in order."""

    watches: Sequence[Watch]

    def begin(self, name: str, bundle: Bundle, calibration: Calibration) -> None:
        """Pass on to every watch, before the first batch, the name of the source, the model, and
        the calibration that gives p-values."""
        for watch in self.watches:
            watch.begin(name, bundle, calibration)

    def begin_archive(self, name: str) -> None:
        """Pass on to every watch the name of an archive, which is called instead of `begin` and
        `batch`; ParamError of a watch that is of no use then."""
        for watch in self.watches:
            watch.begin_archive(name)

    def batch(self, batch: Scored, scores: Float, flagged: Mask, explained: Explained) -> None:
        """Pass a batch on to every watch. scores, flagged: (rows,), the score of each record, and
        whether it is flagged; explained: the records to report."""
        for watch in self.watches:
            watch.batch(batch, scores, flagged, explained)
