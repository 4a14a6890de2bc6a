"""report: detect, with what was found written as one page."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aetool.bundle import Bundle
from aetool.detection.choice import Choice
from aetool.errors import ParamError
from aetool.scoring import flagging
from aetool.scoring.pages import MOST_RECORDS, Watcher, opened
from aetool.scoring.results import Detection
from aetool.spelling import option

if TYPE_CHECKING:
    from aetool.fits.asked import FitOptions


def report(
    data: object,
    path: str | os.PathLike[str],
    model: Bundle | None = None,
    *,
    fit: FitOptions | None = None,
    most: int = MOST_RECORDS,
    label: str | None = None,
    normal: Sequence[str] = (),
    threshold: float | None = None,
    fpr: float | None = None,
    fdr: float | None = None,
    contamination: float | None = None,
    top: int | None = None,
    calibration: object = None,
    device: str = "auto",
    force: bool = False,
) -> Detection:
    """Detect anomalies in data and write an HTML page about them; returns what was detected.

    The page appears at path only once it is complete. most: how many records it shows at most.
    label, normal: the column of labels and the labels of ordinary records, for ROC and
    precision-recall curves; of pictures "folder" and the names of folders; ParamError for one
    without the other. What is flagged, at most one of these, else ParamError: threshold, what
    scores above it; fpr, a share of ordinary records that may be; fdr, a share of those flagged
    that may be ordinary; contamination, this share of all records; top, the so many highest; None
    for those that are left out: the model's own threshold. calibration: ordinary records that the
    model has not seen, by which p-values, fpr and fdr are exact. device: where the model runs.
    force: replace a page that is there.

    Without a model (None) one is learned from the data by the options `fit` (None: the defaults);
    it does not see the column label. DataError for a page that exists, unless force; and for data
    that cannot be read or do not suit the model; ArchiveError or BundleError for a damaged archive
    or model.
    """
    if bool(label) != bool(normal):
        raise ParamError(
            f"{option('--label')} and {option('--normal')} belong together: a column, and its "
            "ordinary values"
        )
    if model is None and label is not None and label != "folder":
        # only now: with a model nothing is fitted
        from aetool.fits.asked import FitOptions

        # the column that says which records are odd must not help to find them
        fit = dataclasses.replace(fit or FitOptions(), label=label)
    watcher = Watcher(most, label, normal)
    flagged_by = Choice(threshold, fpr, fdr, contamination, top)
    # opened first, so that a path that cannot be written is told before records are scored
    with opened(path, force, watcher) as html_page:
        detection = flagging.detected(
            data,
            model,
            flagged_by,
            fit=fit,
            calibration=calibration,
            device=device,
            watch=watcher,
        )
        html_page.write(detection)
    return detection
