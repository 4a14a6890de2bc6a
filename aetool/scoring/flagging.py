"""Finds the records to flag, from data and a model or none: what detect and report share."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from aetool import engine as engines
from aetool.bundle import Bundle
from aetool.columns.identifier import Identifier
from aetool.columns.schema import Schema
from aetool.data import arrow_files
from aetool.data.images import ImageSource
from aetool.data.pictures import labels
from aetool.data.sources import open_source
from aetool.data.table import Mask, concat
from aetool.data.table_source import TableSource
from aetool.detection.choice import Choice
from aetool.detection.trace import ScoreTrace
from aetool.errors import ParamError
from aetool.scoring import costing, threads
from aetool.scoring.batches import looker, names_in
from aetool.scoring.collecting import Collector, Kept, Wishes, check_columns
from aetool.scoring.inputs import known_of, of_other_sizes, unread_of
from aetool.scoring.judges import Judge, calibration_by, judge_of
from aetool.scoring.results import Detection
from aetool.scoring.spread import Scoring
from aetool.scoring.watching import Watch
from aetool.spelling import option

if TYPE_CHECKING:
    from aetool.fits.asked import FitOptions


def detected(
    data: object,
    model: Bundle | None,
    choice: Choice,
    *,
    fit: FitOptions | None = None,
    calibration: object = None,
    all_rows: bool = False,
    append: Sequence[str] | None = None,
    columns: Sequence[str] = (),
    device: str = "auto",
    watch: Watch | None = None,
    executor: engines.Chosen = None,
) -> Detection:
    """Score the records of data and return those that `choice` flags, or all, with scores, p-values
    and reasons: in the order of the data, or with choice.top the highest score first, unless all
    are returned.

    data: a path, a table or pictures in memory, or the path of an archive. model: None to learn one
    from these data by the options `fit`. calibration: ordinary records, in place of those that the
    model was calibrated by. all_rows: return the records that are not flagged, too. append: names
    of columns to return beside the scores ([]: all, None: none, but of pictures that have names a
    column `file` of these). columns: of an archive, score by these alone. device: where the model
    runs. watch: is shown every batch. executor: what computes, None for this process. More is said
    of them in operations.detect. ParamError for a choice that contradicts itself, and for arguments
    that do not go with the data; DataError for data that cannot be read or do not suit the model;
    ArchiveError or BundleError for an archive or a model that is damaged; EngineError for an
    executor that cannot be reached.
    """
    choice.check()
    engines.check(executor)
    # an archive has told the price of each of its records already
    if costing.is_archive(data):
        costing.refuse_fit(data, fit, calibration)
        costing.refuse_engine(data, executor)
        if watch is not None:
            watch.begin_archive(os.fspath(data))
        detection = costing.detect(data, model, choice, all_rows, append, columns)
    else:
        source = open_source(data, known_of(model))
        _check_idle_options(columns, calibration, model)
        if model is not None and isinstance(source, ImageSource):
            labels.say_parts(source)
        if append and isinstance(source, TableSource):
            _check_columns_in_first_rows(append, source)
        judge = judge_of(source, model, fit, device)
        if append is None and names_in(judge.source):
            # pictures are known by their names
            append = []
        with threads.engine_for(executor, judge.source, judge.bundle, judge.graph) as engine:
            is_apart = calibration is not None or "calibrated_apart" in judge.bundle.facts
            if calibration is not None:
                known = calibration_by(calibration, judge.bundle, device, executor=engine)
                judge = dataclasses.replace(judge, calibration=known)
            run = _Run(judge, choice, append, all_rows, device, engine)
            detection = run.detection(watch)
        detection = dataclasses.replace(
            detection,
            index=arrow_files.index_of(data),
            is_calibrated_apart=is_apart,
        )
        if model is None:
            # the scores are compared with one another, and not with any that were held out
            detection = dataclasses.replace(detection, held_out=None)
    if choice.top is None or all_rows:
        return detection
    return detection.ranked()


def _check_idle_options(columns: Sequence[str], calibration: object, model: Bundle | None) -> None:
    """Raise ParamError for options that do not apply to data that are no archive: --columns, and
    --calibration without a model."""
    if columns:
        raise ParamError(
            f"{option('--columns')} is of archives; in data leave columns out with "
            f"{option('--drop')} or {option('--keep')}"
        )
    if calibration is not None and model is None:
        raise ParamError(
            f"{option('--calibration')} needs a model ({option('-m')}): what is learned here "
            "is of these data"
        )


def _check_columns_in_first_rows(append: Sequence[str], source: TableSource) -> None:
    """Raise ParamError for a column to carry along that the first rows of a table do not have: so
    the user hears of it before a model is learned, which may take long. A table without rows or
    columns passes. append: the names, at least one."""
    first = next(source.batches(), None)
    # a table without rows has an error of its own
    if first is not None and first.names:
        check_columns(append, first.names)


def _naming_column(schema: Schema | None) -> str:
    """The name of the first column of identifiers that name records, and do not only count them as
    their numbers do; "" where there is none, and for pictures, which have no schema."""
    if schema is None:
        return ""
    for column in schema.columns:
        if not isinstance(column, Identifier):
            continue
        if not column.numbers_rows:
            return column.name
    return ""


class _Run:
    """Scores a source, and reports the records that were asked for: in one pass, or in two where
    all scores decide which are flagged (Choice.is_by_rank).

    append: names of columns to carry along ([]: all, None: none). all_rows: report the records that
    are not flagged, too. device: where workers run graphs. engine: None for this process.
    """

    def __init__(
        self,
        judge: Judge,
        choice: Choice,
        append: Sequence[str] | None,
        all_rows: bool,
        device: str,
        engine: engines.Engine | None,
    ) -> None:
        """Keep what is asked for, and prepare to score the judge's source. judge: the source and
        what judges it; choice: which records to flag; the others: see the class."""
        self.judge = judge
        self.choice = choice
        self.device = device
        self.append = append
        self.all_rows = all_rows
        self.scoring = Scoring(judge.source, judge.bundle, judge.graph, device, engine)

    def detection(self, watch: Watch | None) -> Detection:
        """Score all records, show each batch to `watch`, if there is one, and return what is to be
        reported, in the source's order."""
        judge = self.judge
        flags, cut = self._flags_and_cut()
        decimal = judge.source.decimal if isinstance(judge.source, TableSource) else "."
        wishes = Wishes(judge.calibration, self.append, decimal, self.all_rows, cut)
        collector = Collector(judge.bundle, wishes, judge.graph, self.device)
        kept = Kept()
        trace = ScoreTrace()
        if watch is not None:
            watch.begin(judge.source.name, judge.bundle, judge.calibration)
        for share in self.scoring.shares(wishes, flags, collector, watch):
            trace.add(share.scores, share.moments)
            kept.add(share)
        # pictures are scored again, and only when somebody asks to look at them
        look = looker(judge.source, judge.bundle, judge.graph, collector.pixels)
        return dataclasses.replace(self._reported(kept, cut), trace=trace, look=look)

    def _flags_and_cut(self) -> tuple[Mask | None, float]:
        """((records,) True for flagged records, or None where a record's own score decides; the
        score that flagged ones lie above, which may be infinite, or, of equal scores, at which they
        lie, see Choice.flags)."""
        calibration = self.judge.calibration
        if not self.choice.is_by_rank:
            return None, self.choice.threshold_by(calibration)
        _, scores = self.scoring.scores()
        return self.choice.flags(scores, calibration)

    def _reported(self, kept: Kept, threshold: float) -> Detection:
        """The detection that reports the kept records. threshold: the score that flagged ones lie
        above."""
        judge = self.judge
        calibration = judge.calibration
        scores = np.array(kept.score, dtype=np.float64)
        # pictures without names have tables without columns
        tables = kept.tables if kept.tables and kept.tables[0].names else []
        return Detection(
            row=np.array(kept.row, dtype=np.int64),
            score=scores,
            p=calibration.p_values(scores),
            anomaly=np.array(kept.anomaly, dtype=np.bool_),
            why=kept.why,
            named=kept.named,
            threshold=threshold,
            total=kept.total,
            flagged=sum(kept.anomaly),
            unit=judge.bundle.unit,
            boxes=kept.boxes,
            table=concat(tables) if tables else None,
            unread=unread_of(judge.source),
            told_of_sizes=of_other_sizes(judge.source),
            rate=calibration.rate(self.choice.fpr)
            if self.choice.is_by_rate and calibration.rows
            else None,
            held_out=calibration,
            calibrated_on=calibration.rows,
            is_by_rank=self.choice.is_by_rank,
            is_listing=self.choice.top is not None,
            # who asks for columns has chosen what is shown
            named_by=_naming_column(judge.bundle.schema) if self.append is None else "",
            asked_rate=self._asked_rate(),
            whole_levels=self._whole_levels(kept),
        )

    def _whole_levels(self, kept: Kept) -> tuple[str, str]:
        """The column of which nearly all records with some word are flagged, and these words, see
        LevelCounts.in_words; ("", "") where there is none."""
        schema = self.judge.bundle.schema
        if schema is None:
            return ("", "")
        return kept.levels.in_words(schema, sum(kept.anomaly))

    def _asked_rate(self) -> float | None:
        """The part of ordinary records that the user wants to be flagged: now, or when the model
        was calibrated; None where it is the default's, and where no rate decides."""
        if not self.choice.is_by_rate:
            return None
        return self.judge.calibration.fpr if self.choice.fpr is None else self.choice.fpr
