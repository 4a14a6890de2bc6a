"""Gathers the findings of a detection while records are scored, and writes them as a page."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt

from aetool.bundle import Bundle
from aetool.columns.column import ODD, Modelled
from aetool.data import images
from aetool.data.pictures.labels import labels_of
from aetool.detection import maps, reasons
from aetool.detection.calibration import Calibration
from aetool.detection.ranking import auroc, average_precision
from aetool.detection.shifts import Tally
from aetool.errors import ParamError
from aetool.files import atomic
from aetool.model import Float
from aetool.report import page
from aetool.report.findings import ColumnRead, Curves, Finding, Findings, Group, Reason
from aetool.scoring import seen_labels
from aetool.scoring.batches import Pictured, Scored
from aetool.scoring.collecting import Explained
from aetool.scoring.results import Detection
from aetool.spelling import option

if TYPE_CHECKING:
    from aetool.data.table import Mask

MOST_RECORDS = 200  # that a page shows, unless told otherwise
MOST_SIDE = 96  # the longer side of a picture that is shown, in pixels
MOST_PICTURES = 60  # that a page shows, since the page holds them itself
POINTS = 200  # of a curve: no screen shows more

Texts = npt.NDArray[np.str_]
# of a record: its score, its number, what the graphs took, and what was expected of each column or,
# of a picture, where it costs more than usual
Kept = tuple[float, int, Float, Float]


class Watcher:
    """A watch that gathers, batch by batch, what a page shows, in memory that grows with labelled
    records alone.

    Detect calls `begin`, then `batch` for each batch; then `findings` can be asked for. most: how
    many records to show. label: the column of labels, for curves, or "folder" for pictures; None
    for no curves. normal: the labels of ordinary records.
    """

    def __init__(
        self,
        most: int = MOST_RECORDS,
        label: str | None = None,
        normal: Sequence[str] = (),
    ) -> None:
        """Begin without any record. most: how many records to show; label: the column of labels, or
        "folder", None for no curves; normal: the labels of ordinary records."""
        self.most, self.label, self.normal = most, label, list(normal)
        self.groups: dict[tuple[str, str], Group] = {}
        self.blamed: Counter[int] = Counter()
        # of the highest scores so far: score, record, what the graphs took, what was expected
        self.highest: list[Kept] = []
        self.excess: Float | None = None
        self.scores: list[Float] = []
        self.truth: list[Mask] = []

    def begin(self, name: str, bundle: Bundle, calibration: Calibration) -> None:
        """Called before the first batch: note the name of the source, the model, and the
        calibration that gives p-values."""
        self.name = name
        self.bundle = bundle
        self.calibration = calibration
        self.schema = bundle.schema
        seen_labels.caution(name, bundle, self.label)
        self.tally = Tally(self.schema, calibration, calibration.threshold())
        self.names: Sequence[str] = ()

    def begin_archive(self, name: str) -> None:
        """Called for an archive in place of `begin`: note its name; all else on its page comes from
        `of_archive`."""
        self.name = name

    def batch(
        self,
        batch: Scored,
        scores: Float,
        flagged: Mask,
        explained: Explained,
    ) -> None:
        """Gather what a page shows of a batch. scores, flagged: (rows,), flagged ones being the
        anomalies; explained: the records to report. ParamError if labels are asked for that the
        batch does not have."""
        self.tally.add(batch.inputs, scores)
        self.names = batch.names
        # curves are of all records, and all else on a page of flagged ones
        if self.label is not None:
            self.scores.append(scores)
            self.truth.append(~np.isin(self._labels(batch), self.normal))
        for place, record in enumerate(explained.places.tolist()):
            if not flagged[record]:
                continue
            number = int(batch.records[record])
            if self.schema is not None:
                self._count_reasons(number, float(scores[record]), explained, place)
                assert explained.expected is not None
                expected_or_excess = explained.expected[place]
            else:
                expected_or_excess = self._excess(explained.pictures[place])
            self._keep(float(scores[record]), number, explained.inputs[place], expected_or_excess)

    def _labels(self, batch: Scored) -> Texts:
        """The label of each record of a batch, (rows,) texts: from the column of labels, or of
        pictures the name of their folder. ParamError for a table without the column, for pictures
        without names, or with another `label` than "folder"."""
        from aetool.fits import preparing

        if batch.table is not None:
            found: Texts = preparing.labels(batch.table, str(self.label), self.name)
            return found
        if self.label != "folder" or not batch.names:
            raise ParamError(
                f"pictures are labelled by their folder: {option('--label')} folder "
                f"{option('--normal')} good"
            )
        names = [batch.names[number] for number in batch.records.tolist()]
        return np.array(labels_of(names))

    def _excess(self, picture: Pictured) -> Float:
        """(H, W): by how much each pixel of a picture costs more than usual, 0 or more, see
        maps.excess_of. It is also added to `excess`, the sum over all pictures that have the size
        of the first."""
        excess = maps.excess_of(picture.amounts)
        if self.excess is None or self.excess.shape == excess.shape:
            self.excess = excess if self.excess is None else self.excess + excess
        return excess

    def _count_reasons(self, record: int, score: float, explained: Explained, place: int) -> None:
        """Count a record in `blamed` for each column that is named for it, and, with its score, in
        the group of the first of these in `groups`; nothing changes where none is named. record:
        its number, from 0; place: its index in `explained`."""
        assert self.schema is not None
        named = explained.named[place]
        self.blamed.update(named)
        if not named:
            return
        assert explained.expected is not None
        columns = self.schema.modelled
        # named begins with the column that costs most: a record is grouped by that one
        first, *others = named
        column = columns[first]
        value = float(explained.inputs[place, first])
        expected = float(explained.expected[place, first])
        key = column.name, manner(column, value, expected)
        group = self.groups.setdefault(key, Group(*key, first=record))
        group.add(record, score, [columns[other].name for other in others])

    def _keep(self, score: float, record: int, inputs: Float, expected_or_excess: Float) -> None:
        """Remember a record in `highest`, if only until others score higher: at most about twice as
        many as are shown. record: its number, from 0. inputs: what the graphs took, (inputs,) or
        (C, H, W); expected_or_excess: what was expected, (columns,), or of pictures the excess, (H,
        W)."""
        # sorting every second time that they fill up costs less than a sorted list
        self.highest.append((score, record, np.array(inputs), np.array(expected_or_excess)))
        if len(self.highest) >= 2 * self.most + 2:
            self._shorten()

    def _shorten(self) -> None:
        """Sort `highest` by score, the highest first, and drop what is beyond the `most` records to
        show."""
        # of equal scores the earlier record comes first
        self.highest.sort(key=lambda kept: (-kept[0], kept[1]))
        del self.highest[self.most :]

    def findings(self, detection: Detection) -> Findings:
        """The findings for a page: what `batch` gathered of flagged records, and what the detection
        says of all. The detection must be by a model, with a trace; KeyError if one of the records
        to show is not in it; ParamError where labels are asked for, and all records are ordinary by
        them, or none is."""
        self._shorten()
        with_model = detection.held_out is not None
        trace = detection.trace
        assert trace is not None
        shown = self.highest if self.schema else self.highest[:MOST_PICTURES]
        # where each record stands in the detection
        place = {record: i for i, record in enumerate(detection.row.tolist())}
        parts_seen = b""
        if self.excess is not None:
            parts_seen = images.heat(self.excess, MOST_SIDE)
        return Findings(
            name=Path(self.name).name or self.name,
            model=self._model_in_words(with_model),
            unit=detection.unit,
            threshold=detection.limit,
            total=detection.total,
            flagged=detection.flagged,
            pictures=self.schema is None,
            trace=trace,
            held_out=detection.held_out,
            records=[self._finding(kept, detection, place[kept[1]]) for kept in shown],
            groups=list(self.groups.values()),
            columns=self._columns_read(with_model),
            comparison=self.tally.compared() if with_model else None,
            curves=self._curves(),
            parts_seen=parts_seen,
            unread=[(name, why) for _, name, why in detection.unread],
            is_by_rank=detection.is_by_rank,
            is_listing=detection.is_listing,
            limit_in_words=detection.limit_in_words,
        )

    def _model_in_words(self, with_model: bool) -> str:
        """Words for the page on the model that scored the records. with_model: whether the user
        gave one; else it was learned from these records."""
        if with_model:
            name = Path(self.bundle.name).name
            fitted_on = self.bundle.fitted_on.removesuffix(" records")
            return f"scored by {name} ({self.bundle.plugin}), fitted on {fitted_on or '0'}"
        return f"scored by a model ({self.bundle.plugin}) that was learned from them"

    def _finding(
        self,
        kept: Kept,
        detection: Detection,
        place: int,
    ) -> Finding:
        """A kept record as a page shows it: of a table with a reason for each named column, of
        pictures with two small PNG images. place: the record's index in the detection."""
        score, record, inputs, expected_or_excess = kept
        p = float(detection.p[place])
        why = detection.why[place]
        if self.schema is None:
            return Finding(
                record,
                score,
                p,
                why,
                name=self.names[record] if self.names else "",
                picture=images.thumbnail(inputs.astype(np.uint8), MOST_SIDE),
                heat=images.heat(expected_or_excess, MOST_SIDE),
            )
        by_name = {column.name: i for i, column in enumerate(self.schema.modelled)}
        page_reasons = []
        for name, found, expected in detection.named[place]:
            i = by_name[name]
            column = self.schema.modelled[i]
            value = float(inputs[i])
            usual = float(expected_or_excess[i])
            reason = Reason(
                name,
                found,
                reasons.in_words(expected),
                column.place(value),
                column.place(usual) if column.predicted else None,
                column.middle,
                column.often(value),
            )
            page_reasons.append(reason)
        return Finding(record, score, p, why, page_reasons)

    def _columns_read(self, with_model: bool) -> list[ColumnRead]:
        """How each column of the table was read, first those that models see; [] for pictures.
        with_model: whether the user gave a model, whose gaps in training are shown, too."""
        if self.schema is None:
            return []
        tally = self.tally
        columns_read = []
        for i, column in enumerate(self.schema.modelled):
            remark = column.remark()
            understood = column.understood() + (f", {remark}" if remark else "")
            rows = max(self.schema.rows, 1)
            read = ColumnRead(
                column.name,
                understood,
                gaps=int(tally.gaps[i]),
                odd=int(tally.odd[i]),
                outside=int(tally.outside[i]),
                new_words=not column.ordered,
                blamed=self.blamed[i],
                # a model that was learned here has seen these very gaps
                gaps_before=column.missing / rows if with_model else None,
            )
            columns_read.append(read)
        for left_out in self.schema.columns:
            if not isinstance(left_out, Modelled):
                words = f"{left_out.understood()}; not modelled"
                columns_read.append(ColumnRead(left_out.name, words, modelled=False))
        return columns_read

    def _curves(self) -> Curves | None:
        """The curves of how well the scores of all records tell anomalies apart; None without
        labels. ParamError unless some records are ordinary by their label and some are not."""
        if self.label is None:
            return None
        scores = np.concatenate(self.scores)
        truth = np.concatenate(self.truth)
        if truth.all() or not truth.any():
            raise ParamError(
                f"both kinds of rows are needed: {int(truth.sum()):,} of {len(truth):,} differ "
                f"from {' or '.join(self.normal)} in {self.label}"
            )
        return curves(scores, truth)


def of_archive(name: str, detection: Detection, most: int) -> Findings:
    """The findings for a page on an archive, all from the detection in it, which must have a ledger
    (the bits of each column) and a trace (the scores over the records). name: of its file; most:
    how many of its flagged records to show at most, the costliest first."""
    ledger = detection.ledger
    trace = detection.trace
    assert ledger is not None and trace is not None
    flagged = np.flatnonzero(detection.anomaly)
    # the costliest first; of equal ones the earlier record
    order = flagged[np.argsort(-detection.score[flagged], kind="stable")]
    groups: dict[str, Group] = {}
    blamed: Counter[str] = Counter()
    for place in order.tolist():
        columns = [column for column, _, _ in detection.named[place]]
        blamed.update(columns)
        record = int(detection.row[place])
        score = float(detection.score[place])
        if columns:
            costly = Group(columns[0], "takes more bits than usual", first=record)
            groups.setdefault(columns[0], costly).add(record, score, columns[1:])
    records = []
    for place in order[:most].tolist():
        page_reasons = [
            Reason(column, cell, price) for column, cell, price in detection.named[place]
        ]
        finding = Finding(
            int(detection.row[place]),
            float(detection.score[place]),
            float(detection.p[place]),
            detection.why[place],
            page_reasons,
        )
        records.append(finding)
    columns_read = []
    for column, bits in ledger.columns.items():
        usual = ledger.usual[column]
        words = f"{bits / 8:,.0f} bytes in the archive, usually up to {usual:.2f} bits a record"
        columns_read.append(ColumnRead(column, words, blamed=blamed[column]))
    return Findings(
        name=Path(name).name,
        model="scored by what its cells cost beyond the usual; " + ledger.told(),
        unit=detection.unit,
        threshold=detection.limit,
        total=detection.total,
        flagged=detection.flagged,
        pictures=False,
        trace=trace,
        held_out=None,
        records=records,
        groups=list(groups.values()),
        columns=columns_read,
        is_by_rank=detection.is_by_rank,
        is_listing=detection.is_listing,
        limit_in_words=detection.limit_in_words,
    )


def manner(column: Modelled, value: float, expected: float) -> str:
    """Describe in what way a value is odd, in words that follow the column's name, such as "is
    missing". value, expected: in user units, NaN for a gap, ODD for what is not of the column's
    kind."""
    if math.isnan(value):
        return "is missing"
    if value == ODD:
        return "holds something else"
    outside = bool(column.outside(np.array([value]))[0])
    if not column.ordered:
        if outside:
            return "has a new word"
        return f"is {column.show(value)}"
    low, _ = column.span
    if outside:
        if value < low:
            return "lies below all seen"
        return "lies above all seen"
    # the model expects a gap there
    if math.isnan(expected):
        return "is present, which is rare"
    # context, such as a date, of which nothing is expected
    if not column.predicted:
        return "lies far from the others"
    if value > expected:
        return "is higher than expected"
    return "is lower than expected"


def curves(scores: Float, truth: Mask) -> Curves:
    """The ROC and precision-recall curves of scores.

    scores: (n,), larger is more anomalous. truth: (n,), True for anomalies; both kinds must occur.
    Of more than 200 different scores only some are drawn: the highest 200, and 200 spread evenly.
    The ROC curve begins at (0, 0).
    """
    order = np.argsort(-scores, kind="stable")
    # of equal scores all are called (taken for anomalies), or none
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits = np.cumsum(truth[order])[ends]
    count_called = ends + 1
    anomalies = int(truth.sum())
    caught = hits / anomalies
    alarms = (count_called - hits) / (len(truth) - anomalies)
    precision = hits / count_called
    evenly = np.linspace(0, len(ends) - 1, POINTS).astype(np.int64)
    # the steep beginnings of both curves are drawn in full
    beginning = np.arange(min(POINTS, len(ends)))
    drawn = np.union1d(evenly, beginning)
    roc = list(zip(alarms[drawn].tolist(), caught[drawn].tolist(), strict=True))
    precision_recall = list(zip(caught[drawn].tolist(), precision[drawn].tolist(), strict=True))
    return Curves(
        anomalies,
        auroc(scores, truth),
        average_precision(scores, truth),
        [(0.0, 0.0), *roc],
        precision_recall,
    )


@dataclass(frozen=True)
class Page:
    """An HTML page that is to be written: its open file, and the watcher that gathers its
    findings."""

    watcher: Watcher
    file: BinaryIO

    def write(self, detection: Detection) -> None:
        """Write the HTML page of what the watcher gathered, and of what detect returned, to the
        file. Called once. Raises what Watcher.findings raises."""
        if detection.ledger is not None:
            findings = of_archive(self.watcher.name, detection, self.watcher.most)
        else:
            findings = self.watcher.findings(detection)
        self.file.write(page.page(findings))


@contextmanager
def opened(
    path: str | os.PathLike[str],
    force: bool = False,
    watcher: Watcher | None = None,
    named_by: str | None = None,
) -> Iterator[Page]:
    """Context manager: open a page at a path; yields a Page, whose `write` is to be called in the
    block. The file gets its name once the block has ended well. DataError for a file that exists,
    unless force. watcher: which gathers the findings; None for a new Watcher. named_by: the option
    that the path comes from, if not -o."""
    with atomic(Path(path), force, named_by=named_by) as file:
        yield Page(watcher or Watcher(), file)
