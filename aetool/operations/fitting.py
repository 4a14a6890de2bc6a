"""fit: data to a calibrated bundle."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from aetool import closed_form, plugins, runtime
from aetool.bundle import SAMPLING, Bundle
from aetool.data import scaling
from aetool.data.images import ImageSource
from aetool.data.schema import Schema, drop, infer
from aetool.data.sources import RESERVOIR, CsvSource, TableSource, open_sources
from aetool.data.table import Cells, Table
from aetool.detection.calibration import Calibration
from aetool.errors import DataError, ParamError, PluginError
from aetool.model import Model, Progress, Spec, make_params

if TYPE_CHECKING:
    from aetool.operations import joining

FOLDS, FEW_FOLDS, MANY_ROWS = 5, 2, 10_000
FEWEST_TO_CROSS = 20
CHUNK = 8192


@dataclass(frozen=True)
class FitOptions:
    """How to fit.

    plugin: the name of an installed model, or a declaration. types: column to kind; drop / keep:
    columns; label and normal: the column kept out of the model, and its values that are fitted
    (empty: all). max_time in seconds. codec: learn also what archives of many small files share,
    for `compress -m`; max_error: for this bound (see CompressOptions) instead of for lossless ones;
    students: with small exact networks that predict columns, which takes a second for each.
    target: a source of the same records, clean, where the data are damaged (for models of pairs).
    """

    plugin: str | Model = "pca"
    params: Mapping[str, Any] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    drop: Sequence[str] = ()
    keep: Sequence[str] = ()
    label: str | None = None
    normal: Sequence[str] = ()
    all_rows: bool = False
    epochs: int | None = None
    batch_size: int | None = None
    max_time: float | None = None
    seed: int = 0
    device: str = "auto"
    codec: bool = False
    max_error: Mapping[str, str] = field(default_factory=dict)
    students: bool = False
    target: Any = None


@dataclass(frozen=True, eq=False)
class Prepared:
    """Training data as a model sees them: features (rows, ...) float32, laid out as spec says.

    inputs are what the graphs take: (rows, columns) float64, or pictures (rows, C, H, W) uint8.
    """

    spec: Spec
    features: Any
    inputs: Any
    schema: Schema | None
    rows: int


def fit(data: Any, options: FitOptions | None = None, progress: Progress | None = None) -> Bundle:
    """Fit a model on a source (path, DataFrame, or several paths); returns its bundle.

    Raises ParamError, PluginError or DataError; nothing is written.
    """
    options = options or FitOptions()
    started = time.monotonic()
    model = declared(options)
    params = make_params(model, options.params)
    source = open_sources(data if isinstance(data, list | tuple) else [data])
    if source.kind not in model.data:
        raise ParamError(
            f"{model.name} takes {' or '.join(sorted(model.data))}, not {source.kind}s"
        )
    if options.target is not None and "pairs" not in model.data:
        raise ParamError(f"{model.name} does not learn from pairs: leave out --target")
    runtime.providers(options.device)
    prepared = prepare(source, options)
    if model.members:
        made = _joint(model, prepared, options, progress, started)
    else:
        seen = None
        if options.target is not None:
            prepared, seen = _paired(source, options)
        made = fitted(model, params, prepared, options, progress, started, seen).bundle
    if options.codec and isinstance(source, CsvSource):
        from aetool.operations import learning

        made = learning.with_codec(made, source, options.max_error, options.students, options.seed)
    return made


def fitted(
    model: Model,
    params: Any,
    prepared: Prepared,
    options: FitOptions,
    progress: Progress | None,
    started: float,
    seen: Any = None,
) -> joining.Fitted:
    """One model fitted on prepared rows."""
    net = plugins.resolve(model.net)
    if isinstance(net, type) and issubclass(net, closed_form.ClosedForm):
        return _fit_closed(model, params, net, prepared, options, started)
    return _fit_network(model, params, net, prepared, options, progress, started, seen)


def _joint(
    model: Model, prepared: Prepared, options: FitOptions, progress: Progress | None, started: float
) -> Bundle:
    """Members that cannot be fitted here (torch is not installed, the pictures are too large) are
    left out; facts say which and why."""
    from aetool.operations import joining

    made: list[joining.Fitted] = []
    left: dict[str, str] = {}
    for name, given in model.members:
        member = plugins.get_model(name)
        try:
            params = make_params(member, given)
            made.append(fitted(member, params, prepared, options, progress, started))
        except (PluginError, DataError) as error:
            left[name] = str(error)
    if not made:
        why = "; ".join(f"{name}: {words}" for name, words in left.items())
        raise DataError(f"{model.name} has no member that can be fitted here: {why}")
    facts: dict[str, Any] = {"rows": prepared.rows, "fitted_rows": len(prepared.features)}
    facts |= {"left_out": left} if left else {}
    facts |= {"seconds": round(time.monotonic() - started, 2), "seed": options.seed}
    return joining.join(model.name, made, facts)


def _paired(source: Any, options: FitOptions) -> tuple[Prepared, Any]:
    """(the clean records, the features of the damaged ones beside them)."""
    clean = open_sources([options.target])
    if clean.kind != source.kind:
        raise ParamError(f"--target: {clean.kind}s where the damaged records are {source.kind}s")
    if options.label is not None:
        raise ParamError("--target and --label exclude each other: rows must stay side by side")
    prepared = prepare(clean, options)
    most = 10**12 if options.all_rows else RESERVOIR
    if isinstance(source, ImageSource):
        pixels = source.sample(most, options.seed)
        if pixels.shape != prepared.inputs.shape:
            raise DataError(
                f"{source.name} has {len(pixels)} pictures of {pixels.shape[1:]}, --target "
                f"{len(prepared.inputs)} of {prepared.inputs.shape[1:]}; they must be the same"
            )
        return prepared, scaling.image_features(pixels)
    table, total = source.sample(most, options.seed)
    if total != prepared.rows:
        raise DataError(
            f"{source.name} has {total} rows, --target {prepared.rows}; row by row they must be "
            "the same records"
        )
    assert prepared.schema is not None
    return prepared, scaling.table_features(
        prepared.schema, prepared.schema.encode(table, source.name)
    )


def declared(options: FitOptions) -> Model:
    """The declaration of the model that the options name."""
    if isinstance(options.plugin, Model):
        return options.plugin
    return plugins.get_model(options.plugin)


def prepare(source: TableSource | ImageSource, options: FitOptions) -> Prepared:
    """The source's training rows as features."""
    most = 10**12 if options.all_rows else RESERVOIR
    if isinstance(source, ImageSource):
        pixels = source.sample(most, options.seed)
        spec = scaling.image_spec(source.shape)
        return Prepared(spec, scaling.image_features(pixels), pixels, None, source.count)
    table, total = source.sample(most, options.seed)
    table = normal_rows(table, options.label, options.normal, source.name)
    return prepare_table(table, infer_schema(source, table, options), source.name, total)


def prepare_table(table: Table, schema: Schema, name: str, total: int) -> Prepared:
    """A table's rows as features."""
    X = schema.encode(table, name)
    return Prepared(scaling.table_spec(schema), scaling.table_features(schema, X), X, schema, total)


def infer_schema(source: TableSource, table: Table, options: FitOptions) -> Schema:
    """The schema of the table with the user's types and drops; DataError if nothing is left."""
    known = set(table.names)
    for name in [*options.drop, *options.keep]:
        if name not in known:
            raise ParamError(f"no column '{name}' in {source.name}; there are {', '.join(known)}")
    dropped = set(options.drop) | (known - set(options.keep) if options.keep else set())
    schema = infer(table, options.types, source.dtypes, source.decimal)
    schema = drop(schema, sorted(dropped))
    if not any(c.kind in ("number", "category") for c in schema.columns):
        kinds = ", ".join(f"{c.name}: {c.kind}" for c in schema.columns[:8])
        raise DataError(
            f"{source.name}: no column that a model can score ({kinds}); "
            "name one with --type COLUMN=number or =category"
        )
    return schema


def normal_rows(table: Table, label: str | None, normal: Sequence[str], name: str) -> Table:
    """The rows whose label is one of `normal` (all, if empty), without the label column."""
    if label is None:
        if normal:
            raise ParamError("--normal needs --label: the column that holds the value")
        return table
    keep = (
        np.isin(labels(table, label, name), list(normal)) if normal else np.ones(len(table), bool)
    )
    if not keep.any():
        found = sorted(set(labels(table, label, name).tolist()))[:8]
        raise ParamError(
            f"no row of {name} has {label} = {' or '.join(normal)}; it holds {', '.join(found)}"
        )
    return table.without([label]).take(np.flatnonzero(keep))


def labels(table: Table, label: str, name: str) -> Any:
    """(rows,) str: the label column, numbers written shortest."""
    if label not in table.names:
        raise ParamError(f"no label column '{label}' in {name}; it has {', '.join(table.names)}")
    values = table[label]
    if isinstance(values, Cells):
        return np.array([v.strip() for v in values.strings()])
    return np.array([format(v, "g") for v in values.tolist()])


def folds_of(rows: int) -> int:
    """Into how many parts to cross-fit this many rows."""
    return 1 if rows < FEWEST_TO_CROSS else FOLDS if rows <= MANY_ROWS else FEW_FOLDS


def solve(
    net: Any, params: Any, prepared: Prepared, keep: Any
) -> tuple[dict[str, bytes], closed_form.Solution]:
    """The graphs, and the solution, of a closed form fitted on the rows `keep`."""
    rows = np.flatnonzero(keep)
    flat = prepared.features.reshape(len(prepared.features), -1)
    chunks = [flat[rows[i : i + CHUNK]] for i in range(0, len(rows), CHUNK)]
    maps = net(prepared.spec, params).fit(chunks)
    error = getattr(params, "error", "bits")
    return maps.write(prepared.spec, prepared.schema, error), maps


def cross_fit(net: Any, params: Any, prepared: Prepared, device: str) -> tuple[list[Bundle], Any]:
    """One scorer a fold, fitted without that fold's rows (row number modulo folds); and the parts
    of every row under the scorer that has not seen it, (rows, columns + 1)."""
    rows = len(prepared.features)
    folds = folds_of(rows)
    fold = np.arange(rows) % folds
    scorers, parts = [], np.zeros((rows, len(prepared.spec.columns) + 1), dtype=np.float32)
    for k in range(folds):
        graphs, _ = solve(net, params, prepared, (fold != k) if folds > 1 else fold == 0)
        scorer = _bundle("fold", params, prepared, graphs, Calibration.of(np.zeros((0, 1))), {})
        own = np.flatnonzero(fold == k)
        session = scorer.session("score.onnx", device)
        parts[own] = session(prepared.inputs[own])["parts"]
        scorers.append(scorer)
    return scorers, parts


def _fit_closed(
    model: Model, params: Any, net: Any, prepared: Prepared, options: FitOptions, started: float
) -> joining.Fitted:
    from aetool.operations import joining, recipes

    _, parts = cross_fit(net, params, prepared, options.device)
    graphs, maps = solve(net, params, prepared, np.ones(len(prepared.features), bool))
    few = prepared.features[:: -(-len(prepared.features) // recipes.FEW)]
    few = few.reshape(len(few), -1)
    z = maps.encode(few, prepared.spec.owners() >= 0)
    mixture = None
    if isinstance(maps, closed_form.Maps) and maps.shared is not None:
        numbers = prepared.spec.numeric
        mixture = maps.scale[:, numbers], maps.weight[:, numbers]
    likely = maps.decode(z)
    graphs[SAMPLING] = recipes.learn(maps.drawn, prepared.spec, few, z, likely, mixture, True)
    facts: dict[str, Any] = {"rows": prepared.rows, "fitted_rows": len(prepared.features)}
    facts |= maps.report
    facts |= {"seconds": round(time.monotonic() - started, 2), "seed": options.seed}
    made = _bundle(model.name, params, prepared, graphs, Calibration.of(parts), facts)
    return joining.Fitted(made, np.arange(len(parts)), parts)


def _fit_network(
    model: Model,
    params: Any,
    net: Any,
    prepared: Prepared,
    options: FitOptions,
    progress: Progress | None,
    started: float,
    seen: Any = None,
) -> joining.Fitted:
    from aetool import export, training
    from aetool.operations import joining, recipes

    trained = training.train(
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
        ),
        progress,
        seen,
    )
    graphs = export.write(trained.net, prepared.spec, prepared.schema)
    few = prepared.features[trained.held_out[: recipes.FEW]]
    drawn = training.for_samples(trained.net, few)
    graphs[SAMPLING] = recipes.learn(trained.net.prior, prepared.spec, few, *drawn)
    facts: dict[str, Any] = {"rows": prepared.rows, "fitted_rows": len(prepared.features)}
    facts["seed"] = options.seed
    facts |= trained.facts
    empty = Calibration.of(np.zeros((0, 1)))
    bundle = _bundle(model.name, params, prepared, graphs, empty, facts, trained.latent)
    parts = bundle.session("score.onnx", options.device)(prepared.inputs[trained.held_out])["parts"]
    facts["seconds"] = round(time.monotonic() - started, 2)
    calibrated = Calibration.of(parts)
    made = dataclasses.replace(bundle, calibration=calibrated, facts=facts, _sessions={})
    return joining.Fitted(made, trained.held_out, parts)


def _bundle(
    plugin: str,
    params: Any,
    prepared: Prepared,
    graphs: dict[str, bytes],
    calibration: Calibration,
    facts: dict[str, Any],
    latent: int | None = None,
) -> Bundle:
    error = getattr(params, "error", "bits")
    return Bundle(
        plugin=plugin,
        params={k: list(v) if isinstance(v, tuple) else v for k, v in vars(params).items()},
        unit={"mse": "squared deviations", "mae": "deviations"}.get(error, "bits"),
        latent=latent if latent is not None else closed_form.latent_of(graphs),
        graphs=graphs,
        calibration=calibration,
        schema=prepared.schema,
        shape=prepared.spec.shape,
        facts={k: v for k, v in facts.items() if not isinstance(v, float) or math.isfinite(v)},
    )
