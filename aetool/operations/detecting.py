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
    from aetool.fits.fitting import FitOptions


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
    """Score every record; return those above the threshold (or the top N, the highest score first;
    or all).

    Without a model one is learned from the data themselves, robustly: no record is scored by a
    model that has seen it (aetool.folds). append: names of input columns to carry
    along ([]: all). fdr: the part of the records called anomalies that may be ordinary ones.
    calibration: ordinary records that the model has not seen, in place of those it held out: p,
    fpr and fdr are then exact. At most one of threshold, fpr, fdr, contamination and top may be
    given. watch: is shown every batch. executor: what computes scores, by a name that aetool.engine
    knows, or an executor: they are the same whatever computes them.

    An archive is judged by what its records take in it, see aetool.scoring.costing; columns: by
    these alone.
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
