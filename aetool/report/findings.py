"""The findings that a report shows: plain values, gathered elsewhere, and drawn by `page`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from aetool.detection.calibration import Calibration
from aetool.detection.shifts import Comparison
from aetool.detection.trace import ScoreTrace


@dataclass(frozen=True)
class Reason:
    """A column that is named as a reason why a record stands out. found: the record's value there;
    expected: by the model; both as text.

    own, wanted: the positions of both values between the column's lowest, 0, and its highest, 1, or
    beyond; middle: the positions of its lower and upper quartile; often: the share of records in
    which the column has the value found, 0 to 1. Each is None where it is not known.
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
    """A record that stands out. record: its number from 0; score, p: its score and p-value; why:
    the reasons on one line; reasons: the same by columns, empty for a picture; name: of a picture's
    file, or ""; picture, heat: PNG images of a picture, and of where it costs more than usual,
    empty for rows of a table."""

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
    """A group of records that stand out by the same column, in the same manner.

    first, last: the lowest and highest number of a record in it, from 0; highest: the number of the
    record with the highest score, and score that score; count: how many records; manner: in what
    way the column's value is odd, as words that follow its name; partners: how often each other
    column is named with it.
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
        """Count a record in, in place: its partners are tallied, first and last widened to it, and
        highest and score become its own if its score is the highest so far. record: its number from
        0; score: its score; partners: the other columns named for it."""
        self.count += 1
        self.first = min(self.first, record)
        self.last = max(self.last, record)
        self.partners.update(partners)
        if score > self.score:
            self.score = score
            self.highest = record

    def rows(self) -> str:
        """Which rows the group has, as people count them, in words: all of them where there are one
        or two or they follow each other, else between which two they lie."""
        first = f"{self.first + 1:,}"
        last = f"{self.last + 1:,}"
        if self.count == 1:
            return first
        if self.count == 2:
            return f"{first} and {last}"
        if self.last - self.first + 1 == self.count:
            return f"{first} to {last}"
        return f"between {first} and {last}"


@dataclass(frozen=True)
class ColumnRead:
    """How a column of the data was read, in words (understood), with counts of its cells.

    gaps, odd, outside: how many cells are missing, are not of the column's kind, or lie outside of
    what the model has seen; new_words: whether those last are words. blamed: how many anomalies
    name the column. gaps_before: the part of the column that was missing where the model was
    fitted; None without a model that the user gave, and for a column that the model does not see.
    modelled: whether the model sees the column; if not, all counts are 0.
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
        """A number by which columns are sorted for a page, those most worth a look first: how many
        cells are gaps, odd or outside, plus how many anomalies name the column."""
        return self.blamed + self.gaps + self.odd + self.outside


@dataclass(frozen=True)
class Curves:
    """Curves of how well the score finds labelled anomalies. anomalies: how many; roc,
    precision_recall: the points of both curves, (share of false alarms, share of anomalies caught)
    and (share of anomalies caught, precision), from the highest threshold down; auroc,
    average_precision: the areas below them, 0 to 1."""

    anomalies: int
    auroc: float
    average_precision: float
    roc: Sequence[tuple[float, float]]
    precision_recall: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Findings:
    """All that a report shows about a detection.

    name: of the data; model: words on what scored them; unit: of scores; total, flagged: how many
    records were scored and flagged; threshold: the score at which drawings part flagged records
    from others (Detection.limit); limit_in_words: what messages call it; is_by_rank: whether a
    number of records was to be flagged whatever their scores; is_listing: whether that many were
    asked for to be listed, which calls none an anomaly; trace: the scores of all records;
    pictures: whether the records are pictures; records: those that are shown, the highest score
    first; groups: of all flagged records; columns: how each was read, empty for pictures;
    comparison: of these data with those of the model, held_out: its calibration, both None unless
    the user gave a model; curves: None without labels; parts_seen: where all flagged pictures
    together cost more than usual, as a PNG, or empty; unread: (name, why) of each picture that
    could not be read."""

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
    unread: Sequence[tuple[str, str]] = ()
    is_by_rank: bool = False
    is_listing: bool = False
    limit_in_words: str = "threshold"

    def blamed(self) -> list[ColumnRead]:
        """The columns that anomalies name, the one named most often first; those named as often
        are in the table's order."""
        named = [column for column in self.columns if column.blamed]
        # stable: equal ones keep their order
        return sorted(named, key=lambda column: -column.blamed)

    def _commonest(self) -> str:
        """Why most of the flagged records stand out, as words that follow "most often", such as
        "because CO is high": by the column that most of them name, and its largest group, or "named
        is CO" where it has none; where no column is named, by the largest group of all; "" where
        there is none."""
        blamed = self.blamed()
        groups = self.groups
        if blamed:
            most_often = blamed[0]
            groups = [group for group in groups if group.column == most_often.name]
            if not groups:
                return f"named is {most_often.name}"
        if not groups:
            return ""
        # a group says more than the column does: in what manner it is odd
        largest = max(groups, key=lambda group: group.count)
        return f"because {largest.column} {largest.manner}"

    def verdict(self) -> str:
        """The result of the detection, in one sentence: how many of how many records or pictures
        stand out, most often why, and which is the least usual; or that none does, or that there
        are none."""
        things = "pictures" if self.pictures else "records"
        if not self.total:
            return f"There are no {things} in it."
        if not self.flagged:
            return f"None of {self.total:,} {things} stands out."
        part = 100 * self.flagged / self.total
        verb = "stands" if self.flagged == 1 else "stand"
        sentence = f"{self.flagged:,} of {self.total:,} {things} ({part:.2g} %) {verb} out"
        if self.is_listing:
            # so many were asked for, ordinary or not
            verb = "is" if self.flagged == 1 else "are"
            sentence = f"{self.flagged:,} of {self.total:,} {things} ({part:.2g} %) {verb} listed"
        commonest = self._commonest()
        if commonest:
            sentence += f", most often {commonest}"
        if self.records:
            highest = self.records[0]
            least_usual = highest.name or f"{highest.record + 1:,}"
            thing = "picture" if self.pictures else "row"
            sentence += f"; the least usual is {thing} {least_usual}"
        return f"{sentence}."
