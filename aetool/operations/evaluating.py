"""evaluate, score and maps: figures of a model compared with labels, its scores alone, and its heat
maps."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from aetool import engine as engines
from aetool.bundle import Bundle
from aetool.data.images import ImageSource
from aetool.data.pictures import labels
from aetool.data.sources import open_source
from aetool.data.table import Mask
from aetool.detection.choice import Choice
from aetool.detection.ranking import Truth, auroc, average_precision
from aetool.errors import ParamError
from aetool.mapping import pixels_of
from aetool.model import Float, Int
from aetool.scoring import seen_labels, threads
from aetool.scoring.batches import scored
from aetool.scoring.inputs import Source, check_readable, known_of, unread_of
from aetool.scoring.judges import Judge, judge_of
from aetool.scoring.spread import Scoring
from aetool.spelling import did_you_mean, option

if TYPE_CHECKING:
    from aetool.fits.asked import FitOptions

Texts = npt.NDArray[np.str_]


def score(
    data: object,
    model: Bundle,
    device: str = "auto",
    executor: engines.Chosen = None,
) -> Float:
    """The score of each record, (records,) float64, in the model's unit, higher being less usual;
    NaN for a picture that cannot be read. device: where the model runs. executor: what computes, by
    a name that aetool.engine knows, or an executor; None for this process. DataError for data that
    the model does not take; ParamError for a device that is not there, or a text that names no
    executor; EngineError for an executor that cannot be reached."""
    # read as the model's own data were
    source = open_source(data, known_of(model))
    judge = judge_of(source, model, None, device)
    numbers, scores = _scores(judge, device, executor)
    unread = len(unread_of(judge.source))
    if not unread:
        return scores
    # a picture that cannot be read keeps its place, so that scores stay beside their records
    of_all = np.full(len(scores) + unread, np.nan)
    of_all[numbers] = scores
    return of_all


def _scores(judge: Judge, device: str, executor: engines.Chosen) -> tuple[Int, Float]:
    """Score all records that can be read: ((n,) their numbers in the source, from 0; (n,) their
    scores). judge: the model, with the source that it is to judge; device: where it runs; executor:
    what computes, None for this process. DataError where a score is not finite, or the source
    cannot be read; ParamError for a text that names no executor, EngineError for one that cannot be
    reached."""
    source = judge.source
    bundle = judge.bundle
    graph = judge.graph
    with threads.engine_for(executor, source, bundle, graph) as engine:
        scoring = Scoring(source, bundle, graph, device, engine)
        return scoring.scores()


def maps_of(data: object, model: Bundle, device: str = "auto") -> Float | list[Float]:
    """A heat map of each picture that can be read, (pictures, H, W): how unusual each pixel is, as
    aetool.detection.maps defines it; a list of maps, (H, W) each, where pictures have several
    sizes, and [] where there are none. device: where the model runs. DataError for tables, and for
    pictures that the model does not take; ParamError for a device that is not there."""
    pixels = pixels_of(model)
    source = open_source(data, known_of(model))
    judge = judge_of(source, model, None, device)
    heat_maps: list[Float] = []
    for batch in scored(judge.source, judge.bundle, judge.graph):
        for place in range(len(batch.parts)):
            picture = batch.pictured(place, pixels)
            heat_maps.append(picture.amounts)
    sizes = {heat_map.shape for heat_map in heat_maps}
    # arrays of several sizes do not stack
    if len(sizes) != 1:
        return heat_maps
    return np.stack(heat_maps)


def evaluate(
    data: object,
    model: Bundle | None,
    label: str | None = None,
    normal: Sequence[str] = (),
    device: str = "auto",
    fit: FitOptions | None = None,
    masks: str | os.PathLike[str] | None = None,
    executor: engines.Chosen = None,
    *,
    threshold: float | None = None,
    fpr: float | None = None,
    fdr: float | None = None,
    contamination: float | None = None,
    top: int | None = None,
) -> dict[str, float]:
    """Compare scores with labels: AUROC and average precision, and the precision and recall of what
    is flagged at the model's threshold, or as asked for. Returns the figures by name: auroc,
    average_precision, precision, recall, threshold, and how many are rows, anomalies and flagged;
    with masks also those of judging.pixel_figures, such as pixel_auroc, pro and box_hits.

    label: the column of a table that holds labels; pictures are labelled by their folders: of these
    None or "folder", and those in test/ alone are judged if there are such and others in train/ or
    the like. normal: the labels of ordinary records; of pictures, unless given, those that usually
    name ordinary ones, such as "good". Without a model (None) a closed form is learned from all
    rows, by the options `fit`; None: the defaults, without the column of labels. masks: a folder of
    pictures that mark the defective pixels (aetool.data.masks), by which heat maps are judged, too;
    None: these are not judged. ParamError for a table without label or normal, and where all
    records are ordinary or none is; DataError for pictures none of which can be read; with masks
    also ParamError for a model of tables, and DataError for a mask that cannot be read or where no
    mask shows a defect. device: where the model runs. executor: what computes, by a name that
    aetool.engine knows, or an executor; None for this process. What is flagged, at most one of
    these, else ParamError: threshold, what scores above it; fpr, a share of ordinary records that
    may be; fdr, a share of those flagged that may be ordinary; contamination, this share of all
    records (each above 0 and below 1); top, the so many highest; None for those that are left out.
    A notice says where the model judges by the column of labels, too.
    """
    choice = Choice(threshold, fpr, fdr, contamination, top)
    choice.check()
    engines.check(executor)
    source = open_source(data, known_of(model))
    if isinstance(source, ImageSource):
        source = labels.to_judge(source)
        if fit is not None:
            # pictures have no column of labels that a fit could leave out
            fit = dataclasses.replace(fit, label=None, normal=())
    elif label is None or not normal:
        raise ParamError(
            f"{source.name}: a table is judged by a column: give {option('--label')} COLUMN and "
            f"{option('--normal')} VALUE, of ordinary rows"
        )
    if model is None and fit is None:
        fit = _without_label(source, label)
    judge = judge_of(source, model, fit, device)
    numbers, scores = _scores(judge, device, executor)
    check_readable(judge.source)
    truth = _labelled_anomalies(judge.source, label, normal, numbers)
    seen_labels.caution(judge.source.name, judge.bundle, label)
    flags, cut = choice.flags(scores, judge.calibration)
    figures = _figures(scores, truth, flags, cut)
    if masks is None:
        return figures
    # who has no masks need not load how maps are judged by them
    from aetool.scoring import judging

    ordinary = set(numbers[~truth].tolist())
    batches = scored(judge.source, judge.bundle, judge.graph)
    return figures | judging.pixel_figures(batches, judge.bundle, masks, ordinary)


def _without_label(source: Source, label: str | None) -> FitOptions:
    """Options to fit a model where the user gave none: the defaults, with the column `label` of a
    table left out of the model. Pictures have no such column: their options have label None."""
    # with a model nothing is fitted, and what it takes to fit is not loaded
    from aetool.fits.asked import FitOptions

    if isinstance(source, ImageSource):
        return FitOptions(label=None)
    return FitOptions(label=label)


def _labelled_anomalies(
    source: Source, label: str | None, normal: Sequence[str], numbers: Int
) -> Truth:
    """Whether each record is labelled as an anomaly, (records,) bool: of a table all records, of
    pictures those of `numbers`, (records,), their positions in the source, from 0. label: the
    column of a table's labels; of pictures None or "folder". normal: the labels of ordinary
    records; empty, of pictures alone, for such as "good". ParamError where all are anomalies, or
    none, for a table without the column, for pictures without names or with a label other than
    "folder", and where `normal` is empty and no label is such as "good"."""
    if isinstance(source, ImageSource):
        labels_found = _labels_of_pictures(source, label, numbers)
        normal = normal or labels.ordinary_in(source.name, labels_found.tolist())
    else:
        # who judges pictures need not load how rows are prepared to be fitted
        from aetool.fits import preparing

        assert label is not None
        parts = []
        for table in source.batches():
            parts.append(preparing.labels(table, label, source.name))
        labels_found = np.concatenate(parts)
    truth = ~np.isin(labels_found, list(normal))
    anomalies = int(truth.sum())
    if anomalies in (0, len(truth)):
        ordinary = " or ".join(normal)
        name_of_labels = label or labels.FOLDER
        values = [str(value) for value in labels_found.tolist()]
        raise ParamError(
            f"both kinds of rows are needed: {anomalies:,} of {len(truth):,} differ from "
            f"{ordinary} in {name_of_labels}, which holds {labels.counted(values)}"
            + did_you_mean(next(iter(normal), ""), set(values) - set(normal))
        )
    return truth


def _figures(scores: Float, truth: Truth, flagged: Mask, threshold: float) -> dict[str, float]:
    """How well scores, (records,), tell anomalies, by name: auroc, average_precision; precision (0
    if nothing is flagged) and recall of the flagged records; threshold, and how many are rows,
    anomalies and flagged. truth: (records,), True for anomalies, at least one; flagged: (records,);
    threshold: the score that flagged ones lie above."""
    hits = int((flagged & truth).sum())
    flags = int(flagged.sum())
    anomalies = int(truth.sum())
    return {
        "rows": len(truth),
        "anomalies": anomalies,
        "auroc": auroc(scores, truth),
        "average_precision": average_precision(scores, truth),
        "threshold": threshold,
        "flagged": flags,
        # of nothing flagged nothing is right: 0, not a division by 0
        "precision": hits / max(flags, 1),
        "recall": hits / anomalies,
    }


def _labels_of_pictures(source: ImageSource, label: str | None, numbers: Int) -> Texts:
    """Return the label of each picture, (pictures,) of texts: its first folder, or the one below
    train/, test/ and the like; "" for a picture in no such folder. numbers: of the pictures that
    are asked for, from 0. label: None or "folder". ParamError where label names anything but the
    folder, or where the pictures have no names."""
    if label not in (None, labels.FOLDER) or not source.names:
        raise ParamError(
            f"pictures are labelled by their folder: {option('--label')} folder "
            f"{option('--normal')} good"
        )
    names = [source.names[number] for number in numbers.tolist()]
    return np.array(labels.labels_of(names))
