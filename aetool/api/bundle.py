"""The class of fitted models that Python users hold, with all its methods."""

from __future__ import annotations

import dataclasses

from aetool import bundle as bundles
from aetool import operations
from aetool.api.coding import CodingModel
from aetool.api.conversion import Data, Part, data_of
from aetool.api.doors import door
from aetool.api.judging import JudgingModel
from aetool.arguments import as_part


class Bundle(JudgingModel, CodingModel):
    """A fitted model, which judges records (detect, score, explain ...) and encodes, draws and
    compresses them; aetool.fit and aetool.load make one."""

    # a pickle names its class by this module: what was pickled before can still be loaded, and
    # what is pickled now by an older aetool
    __module__ = "aetool.api"

    save = door(bundles.Bundle.save)
    session = door(bundles.Bundle.session)
    to_bytes = door(bundles.Bundle.to_bytes)

    @door
    def calibrate(self, data: Data = None, fpr: Part | None = None) -> Bundle:
        """A copy of this model with a new threshold, above which this share of ordinary records has
        its score.

        data: ordinary records that the model was not fitted on, a DataFrame or a path; thresholds
        and p-values are then counted on them. None: on the rows that the fit held out. fpr: that
        share, 0.01 or "1%", above 0 and below 1; None: the default of aetool.detect. AetoolError
        for another share, and for data that the model does not take or that hold no record.
        """
        if data is not None:
            data = data_of("calibrate", data, {})
        share_of_ordinary = None
        if fpr is not None:
            share_of_ordinary = as_part("calibrate", "fpr", fpr)
        calibrated_model = operations.calibrated(self, data, share_of_ordinary)
        return dressed(calibrated_model)


def dressed(plain: bundles.Bundle) -> Bundle:
    """Make a bundle one of the class for Python users, with the same fields, which are shared, not
    copied."""
    shared_fields = {}
    for declared_field in dataclasses.fields(plain):
        field_name = declared_field.name
        shared_fields[field_name] = getattr(plain, field_name)
    return Bundle(**shared_fields)
