"""detect: data and a model, or none, to the records that don't belong, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aetool import engine as engines
from aetool.bundle import Bundle
from aetool.detection.choice import Choice
from aetool.scoring import flagging
from aetool.scoring.results import Detection
from aetool.scoring.watching import Watch

if TYPE_CHECKING:
    from aetool.fits.asked import FitOptions


def detect(
    data: object,
    model: Bundle | None = None,
    *,
    fit: FitOptions | None = None,
    threshold: float | None = None,
    fpr: float | None = None,
    fdr: float | None = None,
    contamination: float | None = None,
    top: int | None = None,
    calibration: object = None,
    all_rows: bool = False,
    append: Sequence[str] | None = None,
    columns: Sequence[str] = (),
    device: str = "auto",
    watch: Watch | None = None,
    executor: engines.Chosen = None,
) -> Detection:
    """Score every record of data and return those above the threshold, that of the model's
    calibration unless the options choose another, in the order of the data; with top the highest
    score first, unless all_rows. Errors are AetoolErrors: ParamError for options, DataError for
    data that cannot be read or do not suit the model, ArchiveError or BundleError for a damaged
    archive or model, EngineError for an executor that cannot be reached.

    data: a path or table, or an archive, whose records are scored by the bits that their cells cost
    beyond the usual (aetool.scoring.costing). model: None to learn one from these data by the
    options `fit` (None: the defaults), robustly: no record is then scored by a model that has seen
    it (aetool.folds); of closed forms alone, not of networks. At most one of these chooses the
    threshold: threshold, a score; fpr, the share of ordinary records that may be flagged; fdr, the
    share of flagged records that may be ordinary; contamination, the share of these records; top,
    how many; None for those that are left out. Shares are above 0 and below 1. calibration:
    ordinary records that the model has not seen, by which p-values, fpr and fdr are exact; only
    with a model. all_rows: return the records that are not flagged, too. append: columns of the
    data to return beside the scores ([]: all, None: none, but of pictures that have names a column
    `file` of these). columns: of an archive, score by these columns alone. device: where the model
    runs, auto, cpu, cuda or cuda:<n>. watch: called with every batch and its scores. executor: what
    computes the scores, by a name that aetool.engine knows, or an executor; the scores are the same
    whatever it is.
    """
    # five ways to say how many are flagged, of which Choice lets one be given
    choice = Choice(threshold, fpr, fdr, contamination, top)
    return flagging.detected(
        data,
        model,
        choice,
        fit=fit,
        calibration=calibration,
        all_rows=all_rows,
        append=append,
        columns=columns,
        device=device,
        watch=watch,
        executor=executor,
    )
