"""What a report tells of a piece of data: plain values, gathered elsewhere, drawn by `page`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from aetool.detection.calibration import Calibration
from aetool.detection.shifts import Comparison
from aetool.detection.trace import ScoreTrace


@dataclass(frozen=True)
class Reason:
    """A column that says why a record stands out: what was found there, and what was expected.

    own, wanted: places of both between the column's lowest value and its highest, see
    `Modelled.place`; middle: of its quartiles; often: the part of the column that has the value
    found. Each is None where it is not known.
    """

    column: str
    found: str
    expected: str
    own: float | None = None
    wanted: float | None = None
    middle: tuple[float, float] | None = None
    often: float | None = None


@dataclass(frozen=True)
class Finding:
    """A record that stands out. record: its place from 0; name: of a picture's file; picture, heat:
    PNG images of it, and of where it costs more than usual, empty where there are none."""

    record: int
    score: float
    p: float
    why: str
    reasons: Sequence[Reason] = ()
    name: str = ""
    picture: bytes = b""
    heat: bytes = b""


# the only class here that grows: records are told apart one by one
@dataclass
class Group:
    """Records that stand out by the same column, in the same manner.

    first, last: of the records; highest: the one with the highest score; partners: other columns
    that are named with it, and how often.
    """

    column: str
    manner: str
    first: int
    count: int = 0
    last: int = 0
    highest: int = 0
    score: float = float("-inf")
    partners: Counter[str] = field(default_factory=Counter)

    def add(self, record: int, score: float, partners: Sequence[str]) -> None:
        """Add a record to the group."""
        self.count += 1
        self.first = min(self.first, record)
        self.last = max(self.last, record)
        self.partners.update(partners)
        if score > self.score:
            self.score = score
            self.highest = record


@dataclass(frozen=True)
class ColumnRead:
    """A column of the data, as it was read.

    gaps, odd, outside: cells that are missing, not of the column's kind, or unlike all that the
    model knows; new_words: whether those are words. blamed: anomalies that it is named for.
    gaps_before: the part that was missing where the model was fitted, or None without a model.
    """

    name: str
    understood: str
    gaps: int = 0
    odd: int = 0
    outside: int = 0
    new_words: bool = False
    blamed: int = 0
    gaps_before: float | None = None
    modelled: bool = True

    @property
    def remarkable(self) -> int:
        """The number of remarks on how the column was read."""
        return self.blamed + self.gaps + self.odd + self.outside


@dataclass(frozen=True)
class Curves:
    """How well the score tells labelled anomalies: points of both curves, and their areas."""

    anomalies: int
    auroc: float
    average_precision: float
    roc: Sequence[tuple[float, float]]
    precision_recall: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Findings:
    """All that a report tells. held_out: scores of ordinary records, where a model brought them;
    parts_seen: where pictures cost more than usual, all of those flagged together, as a PNG."""

    name: str
    model: str
    unit: str
    threshold: float
    total: int
    flagged: int
    pictures: bool
    trace: ScoreTrace
    held_out: Calibration | None
    records: Sequence[Finding] = ()
    groups: Sequence[Group] = ()
    columns: Sequence[ColumnRead] = ()
    comparison: Comparison | None = None
    curves: Curves | None = None
    parts_seen: bytes = b""

    def verdict(self) -> str:
        """The result of the detection, in one sentence."""
        things = "pictures" if self.pictures else "records"
        if not self.total:
            return f"There are no {things} in it."
        if not self.flagged:
            return f"None of {self.total:,} {things} stands out."
        part = 100 * self.flagged / self.total
        verb = "stands" if self.flagged == 1 else "stand"
        sentence = f"{self.flagged:,} of {self.total:,} {things} ({part:.2g} %) {verb} out"
        # a group says more than the columns do, for it says in what manner they are odd
        if self.groups:
            largest = max(self.groups, key=lambda group: group.count)
            sentence += f", most often because {largest.column} {largest.manner}"
        if self.records:
            highest = self.records[0]
            named = highest.name or f"{highest.record + 1:,}"
            thing = "picture" if self.pictures else "row"
            sentence += f"; the least usual is {thing} {named}"
        return f"{sentence}."
