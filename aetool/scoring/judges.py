"""Prepares what judges the records of a source: a model that the user gives, or one fitted to these
records."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aetool import plugins, rarity
from aetool.bundle import Bundle
from aetool.data import notices
from aetool.data.sources import open_source
from aetool.detection.calibration import Calibration, Expected
from aetool.engine import Chosen
from aetool.errors import DataError, ParamError
from aetool.model import Float
from aetool.scoring import threads
from aetool.scoring.batches import ScoreGraph
from aetool.scoring.inputs import Source, inputs_of, known_of, seen_by
from aetool.scoring.spread import Scoring
from aetool.spelling import in_shell

if TYPE_CHECKING:
    from aetool.fits.asked import FitOptions

EXACT = 1_000_000  # scores kept of a calibration that is not stored


@dataclass(frozen=True, eq=False)
class Judge:
    """A model that is ready to score a source. source: in the form that the model takes; bundle:
    the model; graph: its score graph; calibration: gives p-values and thresholds."""

    source: Source
    graph: ScoreGraph
    bundle: Bundle
    calibration: Calibration


def judge_of(
    source: Source,
    model: Bundle | None,
    options: FitOptions | None = None,
    device: str = "auto",
) -> Judge:
    """Prepare to score a source by a model; if that is None, fit one to the source's own records,
    as `options` say (None: the defaults). device: where graphs run. DataError if the source does
    not suit the model (see inputs.seen_by); ParamError if the options ask for a network, or there
    is no such device; BundleError if the score graph cannot run; without a model also what
    fitting.fit_source raises, such as DataError for data that cannot be fitted."""
    if model is None:
        return _learned_here(source, options, device)
    session = model.session("score.onnx", device)
    return Judge(seen_by(source, model), session, model, model.calibration)


def _learned_here(source: Source, options: FitOptions | None, device: str) -> Judge:
    """Fit a model to the very records of `source`, which it is to score, and calibrate by their
    scores. options: of the fit, None for the defaults; anomalies are taken to be among the records
    whatever they say. device: where graphs run. ParamError for a network, which would learn the
    records by heart; and for options of the fit that are not allowed; PluginError for a model that
    is not installed; DataError for data that cannot be fitted; BundleError if the score graph
    cannot run."""
    # with a model nothing is fitted, and what it takes to fit is not loaded
    from aetool.fits import fitting, telling
    from aetool.fits.asked import FitOptions

    options = options or FitOptions()
    chosen = fitting.declared(options, fitting.DEFAULT)
    # a closed form has a fit of its own, and a network none; an ensemble has members
    if not chosen.members and not hasattr(plugins.resolve(chosen.net), "fit"):
        how_to_fit = f"aetool.fit(data, plugin={chosen.name!r})"
        if in_shell():
            how_to_fit = f"aetool fit {source.name} -p {chosen.name}"
        raise ParamError(
            f"detect without a model takes a closed form, not {chosen.name}; first: {how_to_fit}"
        )
    # the records are judged that the model is fitted on: anomalies are among them
    robustly = dataclasses.replace(options, robust=True, closed=True)
    # a model that judges once is not asked to draw random records
    bundle = fitting.fit_source(source, robustly, telling.to_the_reader, samples=False)
    session = bundle.session("score.onnx", device)
    source = seen_by(source, bundle)
    # no other records are to come: how rare a score is, it is among these
    with threads.engine_for(None, source, bundle, session) as engine:
        _, scores = Scoring(source, bundle, session, device, engine).scores()
    # odd ones among few must not set the threshold above themselves
    usual = bundle.calibration.expected
    expected = rarity.among_few(usual, len(scores))
    calibration = _calibration_by_scores(scores, bundle, EXACT, expected)
    calibration = dataclasses.replace(calibration, is_own=True)
    return Judge(source, session, bundle, calibration)


def calibration_by(
    data: object,
    model: Bundle,
    device: str = "auto",
    kept: int = EXACT,
    executor: Chosen = None,
) -> Calibration:
    """The calibration of a model by other ordinary records, data. kept: how many of their scores
    are stored at most (see Calibration.of). The records count as ordinary (Calibration.ordinary),
    and the usual parts of columns are still those of the model's own calibration. DataError where
    there are no records, or where they do not suit the model, EngineError for an executor that
    cannot be reached; if they are those that the model was fitted on, say so in a notice. device:
    where the model runs; executor: what computes, None for this process."""
    judge = judge_of(open_source(data, known_of(model)), model, None, device)
    with threads.engine_for(executor, judge.source, model, judge.graph) as engine:
        _, scores = Scoring(judge.source, model, judge.graph, device, engine).scores()
    if not len(scores):
        raise DataError(f"{judge.source.name}: no records to calibrate on")
    # to read all records once more is spared where there are not even as many
    if len(scores) == model.facts.get("rows") and _are_fitted_records(judge.source, model):
        notices.say(
            judge.source.name,
            "these are the very records that the model was fitted on, which it knows: thresholds "
            "and p will be too low for others; calibrate by ordinary records that were not fitted",
        )
    expected = model.calibration.expected
    calibration = _calibration_by_scores(scores, model, kept, expected)
    # the user says so of each of these records
    return dataclasses.replace(calibration, ordinary=True)


def _are_fitted_records(source: Source, model: Bundle) -> bool:
    """Whether a source holds, as far as the model sees them, exactly the records that it was fitted
    on, in the same order. Some of them alone are not recognised: a model stores one digest of all,
    and no record."""
    digest = hashlib.sha256()
    for laid in inputs_of(source, model):
        digest.update(np.ascontiguousarray(laid.inputs).data)
    return digest.hexdigest() == model.lineage.get("data")


def _calibration_by_scores(
    scores: Float,
    model: Bundle,
    kept: int,
    expected: Expected,
) -> Calibration:
    """Make a calibration from these scores, (n,), of which at most `kept` are stored, but for what
    Calibration.of says of very many; the usual parts of columns are those of the model's own.
    expected: what is assumed of the tail."""
    scores_as_column = scores[:, None]
    calibration = Calibration.of(
        scores_as_column,
        kept=kept,
        expected=expected,
    )
    typical = model.calibration.typical
    return dataclasses.replace(calibration, typical=typical)
