"""The fit of one model, a closed form with scores out of fold or a network, and the bundle made of
it."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from aetool import closed_form
from aetool import folds as folding
from aetool.bundle import MAPS, SAMPLING, Bundle
from aetool.canonical import Json
from aetool.closed_form import BLOCK, writing
from aetool.columns.sections import Features
from aetool.data.table import Mask
from aetool.detection.calibration import Calibration
from aetool.errors import PluginError
from aetool.fits import telling
from aetool.model import Int, Model, Progress
from aetool.threads import one_thread

if TYPE_CHECKING:
    from aetool import training
    from aetool.fits import joining
    from aetool.fits.asked import FitOptions
    from aetool.fits.preparing import Prepared

FOLDS = 5  # of neighbouring rows, for the calibration
MANY_NUMBERS = 100_000  # numbers of a table, above which fits take long, and folds are few
FEW_FOLDS = 3  # of such a table
CONTENT_FOLDS = 6  # models in a score that is fair to fitted rows
FEW_CONTENT_FOLDS = 3  # the same, of a table of many numbers
LEAST_OTHERS = 0.4  # part of the rows that every one of these models is fitted on
FEWEST_FOLDS = 2
MOST_FOLDS = 1 << 31  # that any time is enough for
FEWEST_TO_CROSS = 20  # rows: fewer are all fitted, and none is left out
FEW_ROWS = 500  # of fewer no solution is taken for fair: each row counts for much
# where leaving records out needs no other fit: the folds of fewer records than this
FEW_RECORDS = 300
FEW_RECORDS_FOLDS = 10
# what each kind of labelled row is called in a model's facts
LABELS = {"ordinary": 1, "anomalies": -1, "unknown": 0}
# what a score is measured in, by the parameter `error`; in bits by default
UNITS = {"mse": "squared deviations", "mae": "deviations"}


def folds_of(rows: int, features: int) -> int:
    """Into how many folds this many rows of this many features are split for cross-fitting; 5, or 3
    of more than 100,000 numbers, and 1 where there are fewer than 20 rows."""
    if rows < FEWEST_TO_CROSS:
        return 1
    if rows * features <= MANY_NUMBERS:
        return FOLDS
    return FEW_FOLDS


def are_few(prepared: Prepared) -> bool:
    """Whether so few rows of a table are fitted (fewer than 500, with at most 100,000 numbers) that
    each counts for much in what is measured on all of them, and leaving some out is quick. Never of
    pictures, of which it takes long, nor of tables with words: a rare word that is left out would
    be judged as one that was never seen."""
    has_numbers_alone = prepared.spec.shape is None and not prepared.spec.categories
    is_small = prepared.features.size <= MANY_NUMBERS
    is_short = int(prepared.kept.sum()) < FEW_ROWS
    return has_numbers_alone and is_small and is_short


def graphs_of(
    solution: closed_form.Solution,
    params: object,
    prepared: Prepared,
    score_alone: bool = False,
) -> dict[str, bytes]:
    """Write the ONNX graphs of a closed form's solution, as bytes by file name: "score.onnx" and,
    unless score_alone, those of its code. prepared: the rows, whose layout the graphs take. params:
    its `error` is what the score adds up, "bits", "mse" or "mae"."""
    error = getattr(params, "error", "bits")
    return writing.write(solution, prepared.spec, prepared.schema, error, score_alone)


def solve(
    net: type[closed_form.ClosedForm],
    params: object,
    prepared: Prepared,
    keep: Mask,
    score_alone: bool = False,
) -> tuple[dict[str, bytes], closed_form.Solution]:
    """Fit a closed form on those prepared rows where keep, (rows,), is True: (its graphs as bytes
    by file name; the solution). score_alone: whether its score graph is the only one that is
    written. net: the class of the closed form; params: the values of the model's parameters. Raises
    what its `fit` does."""
    rows = np.flatnonzero(keep)
    flat = prepared.features.reshape(len(prepared.features), -1)
    # copies of a few rows at a time: a second array of all of them might not fit into memory
    blocks = []
    for first in range(0, len(rows), BLOCK):
        rows_of_block = rows[first : first + BLOCK]
        blocks.append(flat[rows_of_block])
    solution = net(prepared.spec, params).fit(blocks)
    return graphs_of(solution, params, prepared, score_alone), solution


def _places_among_fitted(prepared: Prepared, chosen: Mask) -> Int:
    """Translate a choice of rows into indices among the rows to fit, (n,), counted from 0,
    ascending. chosen: (rows,) bool, which rows; those that are not to be fitted are passed over."""
    return np.flatnonzero(chosen[prepared.kept])


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

    parts: (rows, columns + 1), in the unit of the score. surprise: (rows, columns), or None if the
    model tells none. fold: (rows,), the number of each row's fold, from 0; a single fold: nothing
    is left out. net: the class of the closed form; params: the values of its parameters; prepared:
    the rows. device: where scores are computed. solution: that of all rows, which may know the one
    without a fold, so that no other fit is needed. steps: advanced by one for each fold.
    """
    rows = len(prepared.features)
    columns = len(prepared.spec.columns)
    parts = np.zeros((rows, columns + 1), dtype=np.float32)
    surprise = None
    folds = int(fold.max()) + 1
    for number in range(folds):
        is_in_fold = fold == number
        if folds > 1:
            graphs = _graphs_without(net, params, prepared, solution, is_in_fold)
        else:
            # there are too few rows to leave any out
            graphs = graphs_of(solution, params, prepared, True)
        scorer = bundle_of("fold", params, prepared, graphs, _empty_calibration(), {})
        in_fold = np.flatnonzero(is_in_fold)
        # this model is of no more use once the fold is scored
        session = scorer.session("score.onnx", device, len(in_fold))
        outputs = session(prepared.inputs[in_fold])
        parts[in_fold] = outputs["parts"]
        if "surprise" in outputs:
            if surprise is None:
                surprise = np.zeros((rows, columns), dtype=np.float32)
            surprise[in_fold] = outputs["surprise"]
        steps.advance()
    return parts, surprise


def _graphs_without(
    net: type[closed_form.ClosedForm],
    params: object,
    prepared: Prepared,
    solution: closed_form.Solution,
    is_in_fold: Mask,
) -> dict[str, bytes]:
    """The score graph, as bytes by its file name, of a closed form that has not seen some rows.

    solution: that of all rows; where it cannot leave rows out by itself, the closed form is fitted
    again. is_in_fold: (rows,), True for the rows to be left out. net: the class of the closed form;
    params: the values of its parameters; prepared: the rows.
    """
    left_out = _places_among_fitted(prepared, is_in_fold)
    solution_of_others = solution.without(left_out)
    if solution_of_others is not None:
        return graphs_of(solution_of_others, params, prepared, True)
    others = ~is_in_fold & prepared.kept
    graphs, _ = solve(net, params, prepared, others, True)
    return graphs


def _empty_calibration() -> Calibration:
    """The calibration of a model that has judged no held-out records: that of a fold's model, or of
    one that is calibrated later."""
    return Calibration.of(np.zeros((0, 1)))


def fair_score(
    net: type[closed_form.ClosedForm],
    params: object,
    prepared: Prepared,
    steps: telling.Steps | None = None,
) -> bytes | None:
    """The bytes of a score graph that scores every row by a model fitted without it and its equals
    (rows of the same content).

    None where fewer than 20 rows are to be fitted, and where a model is given the rows before each:
    the values of a row that is left out would still be seen beside the rows after it. net: the
    class of the closed form; params: the values of its parameters; prepared: the rows. steps:
    advanced by one for each model, unless None.
    """
    flat = prepared.features.reshape(len(prepared.features), -1)
    kept = prepared.kept
    if kept.sum() < FEWEST_TO_CROSS or prepared.spec.given:
        return None
    folds = CONTENT_FOLDS
    if flat.size > MANY_NUMBERS:
        folds = FEW_CONTENT_FOLDS
    fold = folding.content_folds(flat, prepared.spec, folds)
    is_in_every_fit = folding.staying(flat, kept)
    scores = []
    for number in range(folds):
        is_other = fold != number
        others = (kept & is_other) | is_in_every_fit
        # of rows of few contents a fold may hold most
        if others.sum() < LEAST_OTHERS * kept.sum():
            others = kept
        graphs, _ = solve(net, params, prepared, others, True)
        scores.append(graphs["score.onnx"])
        if steps is not None:
            steps.advance()
    return folding.fair(scores, prepared.spec, prepared.schema)


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
    """A closed form solved on all rows to fit, and calibrated by scores of models that left rows
    out; returns its bundle with the parts of all rows. params: the values of the model's
    parameters; net: its class. options: of these max_time, device and seed are read. progress:
    called at each model that is fitted, unless None.

    samples: whether it is also to be drawn from, which a model with the rows before each never is.
    Where max_time is short the folds are few, and the score is of one model alone. PluginError if a
    part of a score is not finite; what the model's own `fit` raises passes.
    """
    from aetool import mapping
    from aetool.fits import joining

    rows = len(prepared.features)
    started = time.monotonic()
    steps = telling.Steps(progress, model.name)
    graphs, solution = solve(net, params, prepared, prepared.kept)
    # a solution that can leave out no row at all can leave out any
    no_rows = np.zeros(0, dtype=np.int64)
    leaves_out = solution.without(no_rows) is not None
    folds = folds_of(rows, prepared.spec.features)
    is_fair = solution.fair and not are_few(prepared)
    is_in_time = True
    if options.max_time and not leaves_out:
        seconds_of_a_fit = time.monotonic() - started
        seconds_left = options.max_time - seconds_of_a_fit
        fits = folds
        if not is_fair:
            fits += FEW_CONTENT_FOLDS
        # each fold takes as long as the first fit did
        is_in_time = seconds_left >= seconds_of_a_fit * fits
        folds = min(folds, _affordable_folds(seconds_left, seconds_of_a_fit))
    fold = _fold_of_rows(prepared, folds, leaves_out)
    crosses = not is_fair and is_in_time
    _expect_steps(steps, fold, crosses)
    steps.advance()
    parts, surprise = out_of_fold(
        net,
        params,
        prepared,
        fold,
        options.device,
        solution,
        steps,
    )
    if crosses:
        fair = fair_score(net, params, prepared, steps)
        if fair is not None:
            graphs["score.onnx"] = fair
    if samples and not prepared.spec.given:
        graphs[SAMPLING] = _recipe(solution, prepared)
    facts = _first_facts(prepared)
    facts |= solution.report
    facts["seed"] = options.seed
    if not is_in_time:
        facts["short_of_time"] = True
    _check_finite(model, parts)
    calibration = Calibration.of(parts, surprise, owner=prepared.owner)
    if prepared.spec.shape is not None:
        graphs[MAPS] = mapping.learned(parts, prepared.spec.shape)
    steps.end()
    bundle = bundle_of(model.name, params, prepared, graphs, calibration, facts)
    every_row = np.arange(len(parts))
    return joining.Fitted(bundle, every_row, parts, surprise)


def _affordable_folds(seconds_left: float, seconds_of_a_fit: float) -> int:
    """How many fits there is time for, FEWEST_FOLDS (2) at least, also where no time is left.
    seconds_left: of max_time; seconds_of_a_fit: how long one takes."""
    # a clock may not tick during a short fit
    fits = seconds_left / max(seconds_of_a_fit, 1e-9)
    # there are never as many rows
    return max(FEWEST_FOLDS, int(min(fits, MOST_FOLDS)))


def _expect_steps(steps: telling.Steps, fold: Int, crosses: bool) -> None:
    """Set the number of steps that progress expects, one for each model that will be fitted: the
    one of all rows, one for each fold, and, if `crosses`, CONTENT_FOLDS (6) for the score that is
    fair to fitted rows (of large tables fewer are fitted then). fold: (rows,), the number of each
    row's fold; crosses: whether there is such a score."""
    folds = int(fold.max()) + 1
    fits = 1 + folds
    if crosses:
        fits += CONTENT_FOLDS
    steps.expect(fits)


def _first_facts(prepared: Prepared) -> dict[str, Json]:
    """The facts that a bundle of any kind begins with: how many rows were read, and how many of
    them fitted."""
    return {
        "rows": prepared.rows,
        "fitted_rows": int(prepared.kept.sum()),
    }


def _fold_of_rows(prepared: Prepared, folds: int, leaves_out: bool) -> Int:
    """Assign each row to a fold, (rows,) from 0, in stretches of neighbouring rows; it is scored by
    the model that was fitted without the fold. folds: how many; fewer where there are few pictures.

    leaves_out: whether the solution can leave rows out without another fit; then the folds of few
    rows are small, for two thirds of few rows say little of what all of them tell.
    """
    # the number of each row's record
    records = np.arange(len(prepared.features))
    if prepared.owner is not None:
        # tiles of a picture tell too much of each other to be in different folds
        _, records = np.unique(prepared.owner, return_inverse=True)
    count = int(records.max()) + 1
    stretches = folding.STRETCHES
    if leaves_out and count < FEW_RECORDS:
        folds = min(count, FEW_RECORDS_FOLDS)
        stretches = 1
    if prepared.is_sorted:
        fold_of_records = folding.short_stretch_folds(count, folds)
    else:
        fold_of_records = folding.stretch_folds(count, folds, stretches)
    # of few pictures some folds have none: those that have any are numbered anew
    _, fold = np.unique(fold_of_records[records], return_inverse=True)
    return np.asarray(fold)


def _recipe(solution: closed_form.Solution, prepared: Prepared) -> bytes:
    """The recipe by which samples of a closed form are drawn, as bytes, learned from at most
    recipes.FEW (4,096) of the fitted rows, evenly spaced."""
    from aetool.fits import recipes

    spec = prepared.spec
    fitted = prepared.features[prepared.kept]
    # evenly spaced rows, of many
    step = math.ceil(len(fitted) / recipes.FEW)
    few = fitted[::step]
    few = few.reshape(len(few), -1)
    prior = "features"
    z = None
    if solution.coded:
        prior = solution.drawn
        z = closed_form.evaluated(solution.encode, spec, few)
        likely = closed_form.evaluated(solution.decode, spec, z)
    else:
        likely = closed_form.evaluated(solution.expected, spec, few)
    return recipes.learn(
        prior,
        spec,
        few,
        z,
        likely,
        mixture=solution.scatter,
        linear=True,
    )


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
    """Train a network on most rows, and calibrate it by its scores of the others; returns its
    bundle with the parts of these. params: the values of the model's parameters; net: its class, an
    AutoEncoder; options: of these epochs, batch_size, max_time, seed and device are read.

    progress: called now and then with a dictionary of step, steps and words; None: nobody is told.
    damaged: the user's own damaged copies of the rows, (rows, ...), or None. checkpoint: the file
    in which the state of the training is stored, and from which it goes on, or None. PluginError if
    a part of a score is not finite; DataError if the training diverges; ParamError for a device
    that is not there.
    """
    trained = trained_network(
        params,
        net,
        prepared,
        options,
        progress,
        damaged,
        checkpoint,
    )
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
    """Train a network on prepared rows; returns it with the rows it held out and figures. params:
    the values of the model's parameters; net: its class; options: of these epochs, batch_size,
    max_time, seed and device are read; progress: called now and then with a dictionary of step,
    steps and words, or None; damaged: the user's damaged copies of the rows, or None; checkpoint: a
    file to save the training in, and to go on from, or None. DataError if it diverges; ParamError
    for a device that is not there; other errors as in training.train."""
    from aetool import training

    # where it is trained, and for how long; the seed decides its first weights and all draws
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
    """Make a bundle of a trained network, and calibrate it by the held-out rows; returns it with
    the parts of these. params: the values of the model's parameters; options: of these device and
    seed are read. PluginError if a part of their scores is not finite, or torch cannot export the
    network."""
    from aetool import export, mapping, training
    from aetool.fits import joining, recipes

    spec = prepared.spec
    held_out = trained.held_out
    graphs = export.write(trained.net, spec, prepared.schema)
    few = prepared.features[held_out[: recipes.FEW]]
    codes_likely_mixture = training.for_samples(trained.net, few)
    if not spec.given:
        graphs[SAMPLING] = recipes.learn(trained.net.prior, spec, few, *codes_likely_mixture)
    facts = _first_facts(prepared)
    facts["seed"] = options.seed
    if prepared.labels is not None:
        facts["labelled"] = _counts_of_labels(prepared.labels)
    facts |= trained.facts
    # scored by the graph that users run, not by torch, so that both agree to the last bit
    bundle = bundle_of(
        model.name,
        params,
        prepared,
        graphs,
        _empty_calibration(),
        facts,
        trained.latent,
    )
    session = bundle.session("score.onnx", options.device)
    outputs = session(prepared.inputs[held_out])
    parts = outputs["parts"]
    _check_finite(model, parts)
    owner = None
    if prepared.owner is not None:
        owner = prepared.owner[held_out]
    calibration = Calibration.of(parts, owner=owner)
    if spec.shape is not None:
        graphs[MAPS] = mapping.learned(parts, spec.shape)
    finished = dataclasses.replace(
        bundle,
        graphs=graphs,
        calibration=calibration,
        facts=facts,
        _sessions={},
    )
    return joining.Fitted(finished, held_out, parts)


def _counts_of_labels(labels: Features) -> dict[str, int]:
    """How many rows have each kind of label, by the name of the kind: ordinary, anomalies, unknown.
    labels: (rows,), 1, -1 or 0, as LABELS says."""
    counts = {}
    for kind, label in LABELS.items():
        counts[kind] = int((labels == label).sum())
    return counts


def _check_finite(model: Model, parts: Features) -> None:
    """Raise PluginError unless all parts of held-out records, (rows, columns + 1), are finite."""
    is_finite = np.isfinite(parts).all(axis=1)
    failed = len(parts) - int(is_finite.sum())
    if failed:
        raise PluginError(
            f"{model.name}: the score graph gives nan or inf for {failed:,} of {len(parts):,} "
            "held-out records; look for a division, logarithm or root of 0 in what it scores by"
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
    """Make a bundle of a model's graphs (bytes by file name), calibration and facts. plugin: the
    model's name; params: the values of its parameters. latent: how many units a code has; None to
    read it off the encoder. Facts that are NaN or infinite are left out. Where records are scored
    with the rows before them, the score graph alone is stored."""
    # a record has no code of its own where those before it count
    if prepared.spec.given:
        graphs = {"score.onnx": graphs["score.onnx"]}
        latent = 0
    if latent is None:
        latent = writing.latent_of(graphs)
    error = getattr(params, "error", "bits")
    return Bundle(
        plugin=plugin,
        params=_as_json(vars(params)),
        unit=UNITS.get(error, "bits"),
        latent=latent,
        graphs=graphs,
        calibration=calibration,
        schema=prepared.schema,
        shape=prepared.spec.shape,
        framing=prepared.framing,
        facts=_finite_facts(facts),
    )


def _as_json(parameters: Mapping[str, object]) -> dict[str, Json]:
    """A model's parameters by name as JSON has them: it has lists, and no tuples."""
    values: dict[str, Json] = {}
    for name, value in parameters.items():
        values[name] = list(value) if isinstance(value, tuple) else value
    return values


def _finite_facts(facts: Mapping[str, Json]) -> dict[str, Json]:
    """The facts of a bundle, by name, without those that are numbers JSON cannot hold, NaN and
    infinity; lists and dicts stay as they are, whatever is in them."""
    finite = {}
    for name, fact in facts.items():
        if not isinstance(fact, float) or math.isfinite(fact):
            finite[name] = fact
    return finite
