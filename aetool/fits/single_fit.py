"""The fit of one model, a closed form with scores out of fold or a network, and the bundle made of
it."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import TYPE_CHECKING

import numpy as np

from aetool import closed_form
from aetool import folds as content
from aetool.bundle import MAPS, SAMPLING, Bundle
from aetool.canonical import Json
from aetool.closed_form import BLOCK, writing
from aetool.closed_form.threads import one_thread
from aetool.columns.sections import Features
from aetool.data.table import Mask
from aetool.detection.calibration import Calibration
from aetool.errors import PluginError
from aetool.fits import telling
from aetool.model import Int, Model, Progress

if TYPE_CHECKING:
    from aetool import training
    from aetool.fits import joining
    from aetool.fits.fitting import FitOptions
    from aetool.fits.preparing import Prepared

FOLDS, FEW_FOLDS, MANY_NUMBERS = 5, 3, 100_000
CONTENT_FOLDS, FEW_CONTENT_FOLDS = 6, 3  # models in a score; of tables of many numbers
LEAST_OTHERS = 0.4  # part of the rows that every one of them is fitted on
FEWEST_FOLDS = 2
FEWEST_TO_CROSS = 20
# where leaving records out needs no other fit: folds of fewer of them than this
FEW_RECORDS, FEW_RECORDS_FOLDS = 300, 10
LABELS = {"ordinary": 1, "anomalies": -1, "unknown": 0}


def folds_of(rows: int, features: int) -> int:
    """Into how many folds this many rows of this many features are split for cross-fitting; 1 where
    they are too few."""
    if rows < FEWEST_TO_CROSS:
        return 1
    if rows * features <= MANY_NUMBERS:
        return FOLDS
    return FEW_FOLDS


def written(solution: closed_form.Solution, params: object, prepared: Prepared) -> dict[str, bytes]:
    """Write the ONNX graphs of a closed form's solution, as bytes by file name. params: its `error`
    is what the score adds up, "bits", "mse" or "mae"."""
    error = getattr(params, "error", "bits")
    return writing.write(solution, prepared.spec, prepared.schema, error)


def solve(
    net: type[closed_form.ClosedForm],
    params: object,
    prepared: Prepared,
    keep: Mask,
) -> tuple[dict[str, bytes], closed_form.Solution]:
    """Fit a closed form on those prepared rows where keep, (rows,), is True: (its graphs as bytes
    by file name, the solution)."""
    rows = np.flatnonzero(keep)
    flat = prepared.features.reshape(len(prepared.features), -1)
    chunks = [flat[rows[i : i + BLOCK]] for i in range(0, len(rows), BLOCK)]
    solution = net(prepared.spec, params).fit(chunks)
    return written(solution, params, prepared), solution


def _fitted_among(prepared: Prepared, asked: Mask) -> Int:
    """Translate a choice of rows into indices among the rows to fit, (n,), ascending. asked:
    (rows,) bool, which rows."""
    return np.flatnonzero(asked[prepared.kept])


def out_of_fold(
    net: type[closed_form.ClosedForm],
    params: object,
    prepared: Prepared,
    fold: Int,
    device: str,
    solution: closed_form.Solution,
    steps: telling.Steps,
) -> tuple[Features, Features | None]:
    """Score every row by a closed form that was fitted without the row's fold: (parts, surprise).

    parts: (rows, columns + 1), nats. surprise: (rows, columns), or None if the model tells none.
    fold: (rows,), the number of each row's fold. solution: that of all rows, which may know the one
    without a fold, so that no other fit is needed. steps: advanced by one for each fold.
    """
    rows = len(prepared.features)
    parts = np.zeros((rows, len(prepared.spec.columns) + 1), dtype=np.float32)
    surprise = None
    folds = int(fold.max()) + 1
    for k in range(folds):
        others = fold != k if folds > 1 else fold == k
        rest = solution.without(_fitted_among(prepared, fold == k)) if folds > 1 else solution
        if rest is None:
            graphs, _ = solve(net, params, prepared, others & prepared.kept)
        else:
            graphs = written(rest, params, prepared)
        scorer = bundle_of("fold", params, prepared, graphs, Calibration.of(np.zeros((0, 1))), {})
        in_fold = np.flatnonzero(fold == k)
        outputs = scorer.session("score.onnx", device)(prepared.inputs[in_fold])
        parts[in_fold] = outputs["parts"]
        if "surprise" in outputs:
            surprise = np.zeros_like(parts[:, :-1]) if surprise is None else surprise
            surprise[in_fold] = outputs["surprise"]
        steps.advance()
    return parts, surprise


def fair_score(
    net: type[closed_form.ClosedForm],
    params: object,
    prepared: Prepared,
    steps: telling.Steps | None = None,
) -> bytes | None:
    """The bytes of a score graph that scores every row by a model fitted without it and its equals.

    None where there are too few rows, and where a model is given the rows before each: the values
    of a row that is left out would still be seen beside the rows after it.
    """
    flat = prepared.features.reshape(len(prepared.features), -1)
    kept = prepared.kept
    if kept.sum() < FEWEST_TO_CROSS or prepared.spec.given:
        return None
    folds = CONTENT_FOLDS if flat.size <= MANY_NUMBERS else FEW_CONTENT_FOLDS
    fold = content.content_folds(flat, prepared.spec, folds)
    stays = content.staying(flat, kept)
    scores = []
    for k in range(folds):
        others = (kept & (fold != k)) | stays
        if others.sum() < LEAST_OTHERS * kept.sum():  # rows of few contents
            others = kept
        scores.append(solve(net, params, prepared, others)[0]["score.onnx"])
        if steps is not None:
            steps.advance()
    return content.fair(scores, prepared.spec, prepared.schema)


@one_thread()
def fit_closed_form(
    model: Model,
    params: object,
    net: type[closed_form.ClosedForm],
    prepared: Prepared,
    options: FitOptions,
    samples: bool,
    progress: Progress | None = None,
) -> joining.Fitted:
    """A closed form solved on all rows, and calibrated by scores of models that left rows out.

    samples: whether it is also to be drawn from. Where max_time is short the folds are few, and the
    score is of one model alone.
    """
    from aetool import mapping
    from aetool.fits import joining

    rows = len(prepared.features)
    started = time.monotonic()
    steps = telling.Steps(progress, model.name)
    graphs, solution = solve(net, params, prepared, prepared.kept)
    leaves_out = solution.without(np.zeros(0, dtype=np.int64)) is not None
    folds = folds_of(rows, prepared.spec.features)
    with_time = True
    if options.max_time and not leaves_out:
        # each fold takes as long as the first fit did
        seconds_of_a_fit = time.monotonic() - started
        seconds_left = options.max_time - seconds_of_a_fit
        with_time = seconds_left >= seconds_of_a_fit * (
            folds + (0 if solution.fair else FEW_CONTENT_FOLDS)
        )
        affordable = max(FEWEST_FOLDS, int(seconds_left / max(seconds_of_a_fit, 1e-9)))
        folds = min(folds, affordable)
    stretches = _stretches(prepared, folds, leaves_out)
    crosses = not solution.fair and with_time
    # the model of all rows, one for each fold, and those of the score that is fair to fitted rows
    steps.expect(1 + int(stretches.max()) + 1 + (CONTENT_FOLDS if crosses else 0))
    steps.advance()
    parts, surprise = out_of_fold(net, params, prepared, stretches, options.device, solution, steps)
    if crosses:
        fair = fair_score(net, params, prepared, steps)
        graphs |= {"score.onnx": fair} if fair else {}
    if samples and not prepared.spec.given:
        graphs[SAMPLING] = _recipe(solution, prepared)
    facts: dict[str, Json] = {"rows": prepared.rows, "fitted_rows": int(prepared.kept.sum())}
    facts |= solution.report
    facts["seed"] = options.seed
    if not with_time:
        facts["short_of_time"] = True
    _check_finite(model, parts)
    calibration = Calibration.of(parts, surprise, owner=prepared.owner)
    if prepared.spec.shape is not None:
        graphs[MAPS] = mapping.learned(parts, prepared.spec.shape)
    steps.end()
    bundle = bundle_of(model.name, params, prepared, graphs, calibration, facts)
    return joining.Fitted(bundle, np.arange(len(parts)), parts, surprise)


def _stretches(prepared: Prepared, folds: int, leaves_out: bool) -> Int:
    """Assign each row to a fold, (rows,), in stretches of neighbouring rows, by whose models
    without the fold it is scored.

    leaves_out: whether the solution can leave rows out without another fit; then the folds of few
    rows are small, for two thirds of few rows say little of what all of them tell.
    """
    records = np.arange(len(prepared.features))
    if prepared.owner is not None:
        # tiles of a picture tell too much of each other to be in different folds
        records = np.unique(prepared.owner, return_inverse=True)[1]
    count = int(records.max()) + 1
    if leaves_out and count < FEW_RECORDS:
        fold = content.stretch_folds(count, min(count, FEW_RECORDS_FOLDS), 1)
    else:
        fold = content.stretch_folds(count, folds)
    # of few pictures some folds have none
    return np.asarray(np.unique(fold[records], return_inverse=True)[1])


def _recipe(solution: closed_form.Solution, prepared: Prepared) -> bytes:
    """The recipe by which samples of a closed form are drawn, as bytes."""
    from aetool.fits import recipes

    spec = prepared.spec
    few = prepared.features[prepared.kept]
    few = few[:: -(-len(few) // recipes.FEW)]
    few = few.reshape(len(few), -1)
    if not solution.coded:
        likely = closed_form.evaluated(solution.expected, spec, few)
        return recipes.learn("features", spec, few, None, likely, solution.scatter, True)
    z = closed_form.evaluated(solution.encode, spec, few)
    likely = closed_form.evaluated(solution.decode, spec, z)
    return recipes.learn(solution.drawn, spec, few, z, likely, solution.scatter, True)


def fit_network(
    model: Model,
    params: object,
    net: type,
    prepared: Prepared,
    options: FitOptions,
    progress: Progress | None,
    damaged: Features | None = None,
    checkpoint: str | None = None,
) -> joining.Fitted:
    """Train a network on most rows, and calibrate it by its scores of the others.

    damaged: the user's own damaged copies of the rows, (rows, ...), or None. checkpoint: the file
    in which the state of the training is stored, or None.
    """
    trained = trained_network(params, net, prepared, options, progress, damaged, checkpoint)
    return finished_network(model, params, trained, prepared, options)


def trained_network(
    params: object,
    net: type,
    prepared: Prepared,
    options: FitOptions,
    progress: Progress | None = None,
    damaged: Features | None = None,
    checkpoint: str | None = None,
) -> training.Trained:
    """Train a network on prepared rows; arguments as of fit_network."""
    from aetool import training

    return training.train(
        net,
        prepared.spec,
        params,
        prepared.features,
        training.Settings(
            epochs=options.epochs,
            batch_size=options.batch_size,
            max_time=options.max_time,
            seed=options.seed,
            device=options.device,
            checkpoint=checkpoint,
        ),
        progress,
        damaged,
        prepared.kept,
        prepared.labels,
        prepared.owner,
    )


def finished_network(
    model: Model,
    params: object,
    trained: training.Trained,
    prepared: Prepared,
    options: FitOptions,
) -> joining.Fitted:
    """Make a bundle of a trained network, and calibrate it by the held-out rows."""
    from aetool import export, mapping, training
    from aetool.fits import joining, recipes

    graphs = export.write(trained.net, prepared.spec, prepared.schema)
    few = prepared.features[trained.held_out[: recipes.FEW]]
    drawn = training.for_samples(trained.net, few)
    if not prepared.spec.given:
        graphs[SAMPLING] = recipes.learn(trained.net.prior, prepared.spec, few, *drawn)
    facts: dict[str, Json] = {"rows": prepared.rows, "fitted_rows": int(prepared.kept.sum())}
    facts["seed"] = options.seed
    if prepared.labels is not None:
        facts["labelled"] = {
            kind: int((prepared.labels == label).sum()) for kind, label in LABELS.items()
        }
    facts |= trained.facts
    empty = Calibration.of(np.zeros((0, 1)))
    bundle = bundle_of(model.name, params, prepared, graphs, empty, facts, trained.latent)
    parts = bundle.session("score.onnx", options.device)(prepared.inputs[trained.held_out])["parts"]
    _check_finite(model, parts)
    owner = None if prepared.owner is None else prepared.owner[trained.held_out]
    calibrated = Calibration.of(parts, owner=owner)
    if prepared.spec.shape is not None:
        graphs[MAPS] = mapping.learned(parts, prepared.spec.shape)
    finished = dataclasses.replace(
        bundle, graphs=graphs, calibration=calibrated, facts=facts, _sessions={}
    )
    return joining.Fitted(finished, trained.held_out, parts)


def _check_finite(model: Model, parts: Features) -> None:
    """Raise PluginError unless all parts of held-out records, (rows, columns + 1), are finite."""
    failed = int((~np.isfinite(parts)).any(axis=1).sum())
    if failed:
        raise PluginError(
            f"{model.name}: the score graph gives nan or inf for {failed} of {len(parts)} held-out "
            "records; look for a division, logarithm or root of 0 in what it scores by"
        )


def bundle_of(
    plugin: str,
    params: object,
    prepared: Prepared,
    graphs: dict[str, bytes],
    calibration: Calibration,
    facts: dict[str, Json],
    latent: int | None = None,
) -> Bundle:
    """Make a bundle of a model's graphs, calibration and facts. latent: how many units a code has;
    None to read it off the encoder. Where records are scored with the rows before them, the score
    graph alone is stored."""
    error = getattr(params, "error", "bits")
    if prepared.spec.given:  # a record has no code of its own where those before it count
        graphs = {"score.onnx": graphs["score.onnx"]}
        latent = 0
    return Bundle(
        plugin=plugin,
        params={k: list(v) if isinstance(v, tuple) else v for k, v in vars(params).items()},
        unit={"mse": "squared deviations", "mae": "deviations"}.get(error, "bits"),
        latent=latent if latent is not None else writing.latent_of(graphs),
        graphs=graphs,
        calibration=calibration,
        schema=prepared.schema,
        shape=prepared.spec.shape,
        framing=prepared.framing,
        facts={k: v for k, v in facts.items() if not isinstance(v, float) or math.isfinite(v)},
    )
