"""Who sees every record on its way through detect: pages, maps and sheets are made so."""

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
    """Sees every record on its way through detect."""

    def begin(self, name: str, bundle: Bundle, calibration: Calibration) -> None:
        """The name of the source, the model, and the calibration that p is by."""

    def begin_archive(self, name: str) -> None:
        """Instead of all else: the name of an archive, whose records no model scores. ParamError
        for who has nothing to do then."""

    def batch(self, batch: Scored, scores: Float, flagged: Mask, explained: Explained) -> None:
        """A batch, the score of each record, whether it is flagged, and those to report."""


@dataclass(frozen=True)
class Watches:
    """Several who watch, as one."""

    watches: Sequence[Watch]

    def begin(self, name: str, bundle: Bundle, calibration: Calibration) -> None:
        """Tells all of them."""
        for watch in self.watches:
            watch.begin(name, bundle, calibration)

    def begin_archive(self, name: str) -> None:
        """Tells all of them."""
        for watch in self.watches:
            watch.begin_archive(name)

    def batch(self, batch: Scored, scores: Float, flagged: Mask, explained: Explained) -> None:
        """Shows it to all of them."""
        for watch in self.watches:
            watch.batch(batch, scores, flagged, explained)
