"""calibrate: a copy of a model with thresholds by other ordinary records, or with another default
one."""

from __future__ import annotations

import dataclasses

from aetool.bundle import Bundle
from aetool.detection.calibration import KEPT
from aetool.detection.choice import check_part
from aetool.scoring.judges import calibration_by


def calibrated(
    model: Bundle,
    data: object = None,
    fpr: float | None = None,
    device: str = "auto",
) -> Bundle:
    """A copy of a model with another threshold, and, where data are given, with p-values counted on
    those records.

    data: ordinary records that were not fitted; None keeps the records that the fit held out. fpr:
    the share of ordinary records above the new threshold, above 0 and below 1, else ParamError;
    None for the default of `detect`. The lineage of the copy names the original model; with data
    its calibration is one of ordinary records, and its facts have calibrated_apart. device: where
    the model runs. DataError where data hold no records, or do not suit the model; a notice if they
    are the very records that were fitted.
    """
    check_part("fpr", fpr)
    calibration = model.calibration
    facts = model.facts
    if data is not None:
        # scored anew, since held-out scores say nothing of these records
        calibration = calibration_by(data, model, device, KEPT)
        facts = {**facts, "calibrated_apart": True}
    calibration = dataclasses.replace(calibration, fpr=fpr)
    # of which file it was made, so that a threshold can be traced
    lineage = {**model.lineage, "parent": model.sha256}
    return dataclasses.replace(
        model, calibration=calibration, facts=facts, lineage=lineage, _sessions={}
    )
