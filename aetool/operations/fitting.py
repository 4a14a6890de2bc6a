"""fit: data to a calibrated bundle."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from aetool import __version__, closed_form, plugins, rehearsal, runtime, trimming
from aetool import folds as content
from aetool.bundle import MAPS, READING, SAMPLING, Bundle
from aetool.canonical import Json
from aetool.closed_form import BLOCK, writing
from aetool.closed_form.threads import one_thread
from aetool.columns import layout
from aetool.columns.history import whole
from aetool.columns.schema import (
    Schema,
    conditioned,
    drop,
    infer,
    understood,
    understood_briefly,
)
from aetool.columns.sections import Features
from aetool.data import notices, scaling
from aetool.data.images import ImageSource
from aetool.data.notation.gaps import is_gap
from aetool.data.pictures.choosing import Asked, Size, chosen
from aetool.data.pictures.framed import FramedSource, framed
from aetool.data.pictures.framing import Framing
from aetool.data.pictures.labels import to_fit
from aetool.data.sources import RESERVOIR, CsvSource, Source, open_source
from aetool.data.table import Cells, Mask, Table
from aetool.data.table_source import TableSource
from aetool.detection.calibration import Calibration, highest_of_each
from aetool.errors import DataError, ParamError, PluginError
from aetool.model import Int, Member, Model, Progress, Records, Spec, State, make_params
from aetool.spelling import option

if TYPE_CHECKING:
    from aetool import training
    from aetool.operations import joining

FOLDS, FEW_FOLDS, MANY_NUMBERS = 5, 3, 100_000
CONTENT_FOLDS, FEW_CONTENT_FOLDS = 6, 3  # models in a score; of tables of many numbers
LEAST_OTHERS = 0.4  # part of the rows that every one of them is fitted on
Labels = npt.NDArray[np.float32]
LABELS = {"ordinary": 1, "anomalies": -1, "unknown": 0}
WHY_NOT = {
    "context": "makes little of the rows before",
    "robust": "would learn anomalies among the rows",
}
BUDGET = {"table": 10.0, "image": 60.0}  # seconds for a model of members
USUAL_FEATURES = {"table": 512, "image": 784}  # of wider records a member takes as much longer
TRAINED = 0.75  # of the time left, to train a network; the rest goes to loading and exporting it
FEWEST_FOLDS = 2
TRIMMED = 0.05  # of the rows, in a robust fit
DEFAULT, CODE_ON_THE_SPOT = "auto", "pca"  # what fit and detect learn; where a code is needed
FEWEST_TO_CROSS = 20
FEWEST_ROWS = 10  # of fewer it is said that they tell little
MEMBER_STEPS = 100  # steps of progress that a member counts for
MOST_SAID = 12  # lines on how columns were read


OF_COLUMNS = ("condition", "label", "drop", "keep")


@dataclass(frozen=True)
class FitOptions:
    """How to fit.

    plugin: the name of an installed model, or a declaration; None for the default. types: column
    to kind; na: words that mean a gap, beside the usual ones; drop / keep: columns; label and
    normal: the column kept out of the model, and its values that are fitted (empty: all).
    condition: columns that records are judged by, and that are not judged themselves: models see
    them, and score all else given them. max_time in seconds. codec: learn also what archives of
    many small files share, for `compress -m`; max_error: for this bound (see CompressOptions)
    instead of for lossless ones; students: with small exact networks that predict columns, which
    takes a second for each.
    context: give the model this many rows before each, of the same group, in the order of the
    column `order` (else as they come). robust: anomalies are among the rows: leave out the
    twentieth of them that lies farthest out, and members that would learn anomalies. closed: no
    other records are to come. target: a source of the same records, clean, where the data are
    damaged (for models of pairs).
    resize, tile, stride, crop: sizes of pictures in pixels, such as 256, "256x192" or (256, 192):
    what they are brought to, what they are cut into and how far apart, and what is left of them (of
    four numbers the first are left and top); grey: they are seen without colour.
    """

    plugin: str | Model | None = None
    params: Mapping[str, Json] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    na: Sequence[str] = ()
    drop: Sequence[str] = ()
    keep: Sequence[str] = ()
    condition: Sequence[str] = ()
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
    context: int = 0
    group: str = ""
    order: str = ""
    robust: bool = False
    closed: bool = False
    target: object = None
    resize: Size = None
    tile: Size = None
    stride: Size = None
    crop: Size = None
    grey: bool = False

    @property
    def of_pictures(self) -> Asked:
        """What is asked to be done to pictures. ParamError where it contradicts itself."""
        return Asked.of(self.resize, self.tile, self.stride, self.crop, self.grey)


@dataclass(frozen=True, eq=False)
class Prepared:
    """Training data as a model sees them: features (rows, ...) float32, laid out as spec says.

    inputs are what the graphs take: (rows, columns) float64, or pictures (rows, C, H, W) uint8.
    keep: (rows,) bool, which rows to fit; None for all. labels: (rows,) float32, for a model that
    learns from known anomalies: 1 for an ordinary row, -1 for an anomaly, 0 where none is said.
    framing: how pictures become the inputs; owner: (rows,), the picture that each row is a tile of.
    """

    spec: Spec
    features: Features
    inputs: Records
    schema: Schema | None
    rows: int
    keep: Mask | None = None
    labels: Labels | None = None
    framing: Framing | None = None
    owner: Int | None = None

    @property
    def view(self) -> Framing:
        """The framing by which pictures become inputs."""
        assert self.spec.shape is not None
        channels, height, width = self.spec.shape
        return self.framing or Framing(channels, width, height)

    @property
    def kept(self) -> Mask:
        """(rows,): which rows are to be fitted."""
        return np.ones(len(self.features), bool) if self.keep is None else self.keep


def fit(
    data: object, options: FitOptions | None = None, progress: Progress | None = None
) -> Bundle:
    """Fit a model on a source (path, DataFrame, or several paths); returns its bundle.

    Raises ParamError, PluginError or DataError; nothing is written.
    """
    options = options or FitOptions()
    source = open_source(data)
    if isinstance(source, ImageSource):
        # folders are the labels of pictures
        source = to_fit(source, options.label, options.normal)
        options = dataclasses.replace(options, label=None, normal=())
    return fit_source(source, options, progress)


def fit_source(
    source: Source, options: FitOptions | None = None, progress: Progress | None = None
) -> Bundle:
    """fit, on a source that is open already."""
    options = options or FitOptions()
    started = time.monotonic()
    model = declared(options, DEFAULT)
    params = make_params(model, options.params)
    if source.kind not in model.data:
        raise ParamError(
            f"{model.name} takes {' or '.join(sorted(model.data))}, not {source.kind}s"
        )
    if options.target is not None and "pairs" not in model.data:
        raise ParamError(f"{model.name} does not learn from pairs: leave out {option('--target')}")
    if options.target is not None and (options.robust or options.context):
        raise ParamError(
            f"{option('--target')} goes with neither {option('--robust')} nor {option('--context')}"
        )
    runtime.providers(options.device)
    labelled = bool(options.label and options.normal) and learns_from_labels(model)
    prepared = prepare(source, options, labelled)
    if prepared.rows < FEWEST_ROWS:
        notices.say(source.name, f"{_counted(prepared.rows)} cannot tell what is usual: fit more")
    if prepared.schema is not None:
        _say_what_was_understood(source.name, prepared.schema)
    if options.robust:
        prepared = trimmed(prepared)
    if model.members:
        bundle = _joint(model, prepared, options, progress, started)
    else:
        damaged = None
        if options.target is not None:
            prepared, damaged = _paired(source, options)
        bundle = fitted(model, params, prepared, options, progress, damaged).bundle
    if options.robust:
        bundle = dataclasses.replace(bundle, facts={**bundle.facts, "robust": True}, _sessions={})
    reading = source.said.to_json() if isinstance(source, TableSource) else {}
    if reading:
        bundle = dataclasses.replace(bundle, facts={**bundle.facts, READING: reading}, _sessions={})
    bundle = dataclasses.replace(bundle, lineage=_lineage(prepared), _sessions={})
    if prepared.owner is not None and isinstance(source, ImageSource):
        bundle = _by_all_tiles(bundle, framed(source, prepared.view), prepared, options.device)
    if options.codec and isinstance(source, ImageSource):
        from aetool.operations import picture_learning

        bundle = picture_learning.with_pictures(bundle, source)
    if options.codec and isinstance(source, CsvSource):
        from aetool.operations import learning

        bundle = learning.with_codec(
            bundle, source, options.max_error, options.students, options.seed
        )
    return bundle


def _counted(rows: int) -> str:
    """A number of records in words: "1 record", "2 records"."""
    return "1 record" if rows == 1 else f"{rows} records"


def _say_what_was_understood(name: str, schema: Schema) -> None:
    """At most MOST_SAID lines, what is left out first, in the log of what is said of data."""
    for line in understood_briefly(schema, MOST_SAID):
        notices.say(name, line)


def explained(data: object, options: FitOptions | None = None) -> list[str]:
    """How each column of data would be read, a line each; nothing is fitted. ParamError for
    pictures."""
    options = options or FitOptions()
    source = open_source(data)
    if isinstance(source, ImageSource):
        raise ParamError(f"{source.name}: pictures have no columns to explain")
    table, _ = source.sample(RESERVOIR, options.seed)
    table = normal_rows(table, options.label, options.normal, source.name)
    return understood(inferred(source, table, options))


def _lineage(prepared: Prepared) -> dict[str, str]:
    """Where a model comes from that was fitted on these rows: values, not bytes of a file, so that
    the same table in another format is the same."""
    values = np.ascontiguousarray(prepared.inputs)
    return {"aetool": __version__, "data": hashlib.sha256(values.data).hexdigest()}


def fitted(
    model: Model,
    params: object,
    prepared: Prepared,
    options: FitOptions,
    progress: Progress | None,
    damaged: Features | None = None,
    samples: bool = True,
) -> joining.Fitted:
    """One model fitted on prepared rows.

    samples: whether it is also to be drawn from.
    """
    net = plugins.resolve(model.net)
    rehearsal.rehearse(model, net, params, prepared.spec)
    if isinstance(net, type) and issubclass(net, closed_form.ClosedForm):
        _tell(progress, 0, 1, model.name)
        fitted_form = _fit_closed(model, params, net, prepared, options, samples)
        _tell(progress, 1, 1, model.name)
        return fitted_form
    return _fit_network(model, params, net, prepared, options, progress, damaged)


def _tell(progress: Progress | None, step: int, steps: int, words: str) -> None:
    if progress is not None:
        progress({"step": step, "steps": steps, "words": words})


def _of_member(progress: Progress | None, place: int, members: int, name: str) -> Progress | None:
    """Report the progress of one member as a part of the progress of all members."""
    if progress is None:
        return None

    def progress_of_member(state: State) -> None:
        done = MEMBER_STEPS * state["step"] // state["steps"]
        words = state["words"] if state["words"] == name else f"{name}: {state['words']}"
        _tell(progress, MEMBER_STEPS * place + done, MEMBER_STEPS * members, words)

    return progress_of_member


@one_thread()
def trimmed(prepared: Prepared) -> Prepared:
    """The same rows, with those farthest out marked as not to be fitted (--robust)."""
    flat = prepared.features.reshape(len(prepared.features), -1)
    chunks = [flat[i : i + BLOCK] for i in range(0, len(flat), BLOCK)]
    keep = trimming.nearest(chunks, prepared.spec, 1 - TRIMMED)
    if prepared.labels is not None:
        keep = keep | (prepared.labels < 0)  # what is known of them is to be learned
    return dataclasses.replace(prepared, keep=keep)


def _joint(
    model: Model, prepared: Prepared, options: FitOptions, progress: Progress | None, started: float
) -> Bundle:
    """Members that cannot be fitted here (torch is not installed, the pictures are too large) are
    left out; facts say which and why."""
    from aetool.operations import joining

    members: list[joining.Fitted] = []
    left_out: dict[str, str] = {}
    needed: dict[str, float] = {}
    kind = "image" if prepared.schema is None else "table"
    asked = {k for k in ("robust", "context") if getattr(options, k)} or {"plain"}
    budget = options.max_time or BUDGET[kind]
    for place, member in enumerate(model.members):
        name = member.model
        member_progress = _of_member(progress, place, len(model.members), name)
        seconds = _seconds_of(member, prepared.spec, kind)
        if kind not in member.data or not member.suits(prepared.spec.features):
            continue
        if budget < seconds:
            left_out[name] = f"takes {seconds:g} s"
            needed[name] = seconds
            continue
        if not asked <= member.fits:
            if "plain" in member.fits and name not in left_out:
                left_out[name] = WHY_NOT[min(asked - member.fits)]
            continue
        try:
            member_model = plugins.get_model(name)
            params = make_params(member_model, member.params)
            member_options = options
            if options.max_time:
                seconds_left = options.max_time - (time.monotonic() - started)
                if members and seconds_left <= 0:
                    left_out[name] = f"no time left of {options.max_time:g} s"
                    continue
                if member.seconds:
                    seconds_left *= TRAINED
                member_options = dataclasses.replace(options, max_time=max(1.0, seconds_left))
            rows = dataclasses.replace(prepared, keep=None) if member.withstands else prepared
            fitted_member = fitted(
                member_model, params, rows, member_options, member_progress, None, not members
            )
            members.append(
                dataclasses.replace(fitted_member, in_bits=member.in_bits, weight=member.weight)
            )
        except (PluginError, DataError) as error:
            left_out[name] = f"failed: {error}"
    if not members:
        why = "; ".join(f"{name}: {words}" for name, words in left_out.items())
        raise DataError(f"{model.name} has no member that can be fitted here: {why}")
    facts: dict[str, Json] = {"rows": prepared.rows, "fitted_rows": int(prepared.kept.sum())}
    # a model that is a member of this fit may be one of other fits with other settings
    joins = {joined.bundle.plugin for joined in members}
    left_out = {name: why for name, why in left_out.items() if name not in joins}
    facts |= {"left_out": left_out} if left_out else {}
    needed = {name: seconds for name, seconds in needed.items() if name in left_out}
    facts |= {"seconds_needed": needed} if needed else {}
    if any(joined.bundle.facts.get("short_of_time") for joined in members):
        facts["short_of_time"] = True
    facts["seed"] = options.seed
    return joining.join(model.name, members, facts, prepared.owner)


def _seconds_of(member: Member, spec: Spec, kind: str) -> float:
    """How many seconds a member is expected to take on records of this size."""
    return float(round(member.seconds * max(1.0, spec.features / USUAL_FEATURES[kind])))


def _paired(source: Source, options: FitOptions) -> tuple[Prepared, Features]:
    """(the clean records, prepared; the features of the damaged records beside them)."""
    clean = open_source(options.target)
    if clean.kind != source.kind:
        raise ParamError(
            f"{option('--target')}: {clean.kind}s where the damaged records are {source.kind}s"
        )
    if options.label is not None:
        raise ParamError(
            f"{option('--target')} and {option('--label')} exclude each other: rows must "
            "stay side by side"
        )
    prepared = prepare(clean, options)
    most = 10**12 if options.all_rows else RESERVOIR
    if isinstance(source, ImageSource):
        pixels = framed(source, prepared.view).sample(most, options.seed)
        if pixels.shape != prepared.inputs.shape:
            raise DataError(
                f"{source.name} has {len(pixels)} pictures of {pixels.shape[1:]}, "
                f"{option('--target')} "
                f"{len(prepared.inputs)} of {prepared.inputs.shape[1:]}; they must be the same"
            )
        return prepared, scaling.image_features(pixels)
    table, total = source.sample(most, options.seed)
    if total != prepared.rows:
        raise DataError(
            f"{source.name} has {total} rows, {option('--target')} {prepared.rows}; row by "
            "row they must be "
            "the same records"
        )
    assert prepared.schema is not None
    return prepared, layout.table_features(
        prepared.schema, prepared.schema.encode(table, source.name)
    )


def declared(options: FitOptions, otherwise: str) -> Model:
    """The declaration of the model that the options name, or of this one if they name none."""
    if isinstance(options.plugin, Model):
        return options.plugin
    return plugins.get_model(options.plugin or otherwise)


def on_the_spot(data: object, options: FitOptions | None) -> Bundle:
    """What is learned of data where an operation needs a code and no model is given."""
    options = options or FitOptions()
    return fit(data, dataclasses.replace(options, plugin=options.plugin or CODE_ON_THE_SPOT))


def learns_from_labels(model: Model) -> bool:
    """Whether a model's loss takes labels: which records are ordinary, which known anomalies."""
    net = plugins.resolve(model.net) if model.net else None
    # what is no network is refused later, with a reason
    loss = getattr(net, "loss", None)
    return loss is not None and "labels" in inspect.signature(loss).parameters


def prepare(
    source: TableSource | ImageSource, options: FitOptions, labelled: bool = False
) -> Prepared:
    """The source's training rows as features. labelled: those that are not normal are among them,
    and said to be so."""
    if (options.group or options.order) and not options.context:
        raise ParamError(
            f"{option('--group')} and {option('--order')} say which rows come before: give "
            f"{option('--context')} N, too"
        )
    most = 10**12 if options.all_rows or options.context else RESERVOIR
    if isinstance(source, ImageSource):
        if options.context:
            raise ParamError(f"{option('--context')} is of the rows of a table, not of pictures")
        for name in OF_COLUMNS:
            if getattr(options, name):
                named = option(f"--{name}")
                raise ParamError(f"{named} names columns of a table: pictures have none")
        return _prepared_pictures(source, options, most)
    if options.of_pictures.named:
        raise ParamError(f"{options.of_pictures.named} is of pictures; {source.name} is a table")
    table, total = source.sample(most, options.seed)
    known = known_labels(table, options, source.name) if labelled else None
    if options.context:
        return _with_context(source, table, options, known)
    ordinary = normal_rows(table, options.label, options.normal, source.name, known)
    schema = infer_schema(source, ordinary, options)
    if known is None:
        return prepare_table(ordinary, schema, source.name, total)
    prepared = prepare_table(table, schema, source.name, total)
    return dataclasses.replace(prepared, labels=known)


def _prepared_pictures(source: ImageSource, options: FitOptions, most: int) -> Prepared:
    """Pictures as features, by a framing that serves them."""
    framed_source = framed(source, chosen(source, options.of_pictures))
    pixels, numbers = framed_source.sampled(most, options.seed)
    framed_source.say_unread()
    framing = framed_source.framing
    owner = framed_source.owners(numbers) if framed_source.is_tiled else None
    return Prepared(
        scaling.image_spec(framing.shape),
        scaling.image_features(pixels),
        pixels,
        None,
        framed_source.readable,
        framing=None if framing.is_plain else framing,
        owner=owner,
    )


def _by_all_tiles(
    model: Bundle, framed_source: FramedSource, prepared: Prepared, device: str
) -> Bundle:
    """The model, calibrated by all tiles of all pictures, where it was fitted on some of them: the
    worst of all tiles of a picture is worse than the worst of some."""
    if not framed_source.has_sampled:
        return model
    session = model.session("score.onnx", device)
    scores = []
    numbers = []
    for first, tiles in framed_source.numbered():
        scores.append(session(tiles)["parts"].sum(axis=1, dtype=np.float64))
        numbers.append(np.arange(first, first + len(tiles)))
    worst = highest_of_each(np.concatenate(scores), framed_source.owners(np.concatenate(numbers)))
    before = model.calibration
    after = Calibration.of(worst[:, None], expected=before.expected)
    after = dataclasses.replace(after, typical=before.typical)
    return dataclasses.replace(model, calibration=after, _sessions={})


def known_labels(table: Table, options: FitOptions, name: str) -> Labels:
    """(rows,) float32: 1 where the label is one of the normal ones, -1 where it is another, 0 where
    it is a gap."""
    assert options.label is not None
    label_texts = labels(table, options.label, name)
    gap = is_gap(Cells.of(label_texts.tolist()), options.na)
    is_normal = np.isin(label_texts, list(options.normal))
    signs = np.where(is_normal, 1.0, np.where(gap, 0.0, -1.0))
    return signs.astype(np.float32)


def _with_context(
    source: TableSource, table: Table, options: FitOptions, known: Labels | None
) -> Prepared:
    """Rows with those before them, ordinary ones or not; the rows to fit are chosen after. known:
    labels that the model learns from, all of them."""
    chosen = np.arange(len(table))
    if options.label is not None:
        label_texts = labels(table, options.label, source.name)
        if options.normal and known is None:
            chosen = np.flatnonzero(np.isin(label_texts, list(options.normal)))
    ordinary = normal_rows(table, options.label, options.normal, source.name, known)
    schema = infer_schema(source, ordinary, options)
    order = schema[options.order] if options.order in ordinary.names else None
    if options.order and (order is None or not order.ordered):
        raise ParamError(
            f"{option('--order')} {options.order}: {source.name} has no such date or number"
        )
    if options.group and options.group not in ordinary.names:
        raise ParamError(
            f"{option('--group')} {options.group}: no such column; "
            f"there are {', '.join(ordinary.names)}"
        )
    schema = dataclasses.replace(
        schema, context=options.context, group=options.group, order=options.order
    )
    X = whole(schema, table, source.name)
    if len(chosen) > RESERVOIR and not options.all_rows:
        kept = np.random.default_rng(options.seed).choice(len(chosen), RESERVOIR, replace=False)
        chosen = chosen[np.sort(kept)]
    X = X[chosen]
    features = layout.table_features(schema, X)
    chosen_labels = None if known is None else known[chosen]
    return Prepared(
        layout.table_spec(schema), features, X, schema, len(table), labels=chosen_labels
    )


def prepare_table(table: Table, schema: Schema, name: str, total: int) -> Prepared:
    """The rows of a table as features."""
    X = schema.encode(table, name)
    return Prepared(layout.table_spec(schema), layout.table_features(schema, X), X, schema, total)


def infer_schema(source: TableSource, table: Table, options: FitOptions) -> Schema:
    """The schema of the table with the user's types and drops; DataError if nothing is left."""
    known = set(table.names)
    for name in [*options.drop, *options.keep]:
        if name not in known:
            raise ParamError(f"no column '{name}' in {source.name}; there are {', '.join(known)}")
    schema = inferred(source, table, options)
    if not any(c.predicted for c in schema.columns):
        kinds = ", ".join(
            f"{c.name}: {'condition' if c.name in options.condition else c.kind}"
            for c in schema.columns[:8]
        )
        raise DataError(
            f"{source.name}: no column that a model can score ({kinds}); "
            f"name one with {option('--type')} COLUMN=number or =category"
        )
    return schema


def inferred(source: TableSource, table: Table, options: FitOptions) -> Schema:
    """The schema of a table, with the types and columns that the user chose."""
    known = set(table.names)
    kept = {*options.keep, *options.condition}
    dropped = set(options.drop) | (known - kept if options.keep else set())
    schema = infer(table, options.types, source.dtypes, source.decimal, options.na, options.closed)
    return conditioned(drop(schema, sorted(dropped)), options.condition)


def normal_rows(
    table: Table,
    label: str | None,
    normal: Sequence[str],
    name: str,
    known: Labels | None = None,
) -> Table:
    """The rows whose label is one of `normal` (all, if empty), without the label column; or where
    labels are known, (rows,), those that are no known anomalies."""
    if label is None:
        if normal:
            raise ParamError(
                f"{option('--normal')} needs {option('--label')}: the column that holds the value"
            )
        return table
    if known is not None:
        keep = known >= 0
    elif normal:
        keep = np.isin(labels(table, label, name), list(normal))
    else:
        keep = np.ones(len(table), bool)
    if not keep.any():
        values = sorted(set(labels(table, label, name).tolist()))[:8]
        raise ParamError(
            f"no row of {name} has {label} = {' or '.join(normal)}; it holds {', '.join(values)}"
        )
    return table.without([label]).take(np.flatnonzero(keep))


def labels(table: Table, label: str, name: str) -> npt.NDArray[np.str_]:
    """(rows,): the texts of the label column; numbers in their shortest form."""
    if label not in table.names:
        raise ParamError(f"no label column '{label}' in {name}; it has {', '.join(table.names)}")
    values = table[label]
    if isinstance(values, Cells):
        return np.array([v.strip() for v in values.strings()])
    return np.array([format(v, "g") for v in values.tolist()])


def folds_of(rows: int, features: int) -> int:
    """Into how many parts to cross-fit this many rows."""
    if rows < FEWEST_TO_CROSS:
        return 1
    return FOLDS if rows * features <= MANY_NUMBERS else FEW_FOLDS


def solve(
    net: type[closed_form.ClosedForm], params: object, prepared: Prepared, keep: Mask
) -> tuple[dict[str, bytes], closed_form.Solution]:
    """The graphs, and the solution, of a closed form fitted on the rows `keep`."""
    rows = np.flatnonzero(keep)
    flat = prepared.features.reshape(len(prepared.features), -1)
    chunks = [flat[rows[i : i + BLOCK]] for i in range(0, len(rows), BLOCK)]
    solution = net(prepared.spec, params).fit(chunks)
    error = getattr(params, "error", "bits")
    return writing.write(solution, prepared.spec, prepared.schema, error), solution


def out_of_fold(
    net: type[closed_form.ClosedForm], params: object, prepared: Prepared, fold: Int, device: str
) -> tuple[Features, Features | None]:
    """(parts, surprise) of every row, by a closed form fitted without the row's fold, (rows,).

    parts: (rows, columns + 1). surprise: (rows, columns), or None if the model tells none apart.
    """
    rows = len(prepared.features)
    parts = np.zeros((rows, len(prepared.spec.columns) + 1), dtype=np.float32)
    surprise = None
    folds = int(fold.max()) + 1
    for k in range(folds):
        others = fold != k if folds > 1 else fold == k
        graphs, _ = solve(net, params, prepared, others & prepared.kept)
        scorer = _bundle("fold", params, prepared, graphs, Calibration.of(np.zeros((0, 1))), {})
        in_fold = np.flatnonzero(fold == k)
        outputs = scorer.session("score.onnx", device)(prepared.inputs[in_fold])
        parts[in_fold] = outputs["parts"]
        if "surprise" in outputs:
            surprise = np.zeros_like(parts[:, :-1]) if surprise is None else surprise
            surprise[in_fold] = outputs["surprise"]
    return parts, surprise


def fair_score(
    net: type[closed_form.ClosedForm], params: object, prepared: Prepared
) -> bytes | None:
    """A score graph that scores every row by a model fitted without it and its equals.

    None where there are too few rows for that, and where a model is given the rows before each: the
    values of a row left out would still be seen beside the rows after it.
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
    return content.fair(scores, prepared.spec, prepared.schema)


@one_thread()
def _fit_closed(
    model: Model,
    params: object,
    net: type[closed_form.ClosedForm],
    prepared: Prepared,
    options: FitOptions,
    samples: bool,
) -> joining.Fitted:
    from aetool.operations import joining, mapping

    rows = len(prepared.features)
    started = time.monotonic()
    graphs, solution = solve(net, params, prepared, prepared.kept)
    folds = folds_of(rows, prepared.spec.features)
    with_time = True
    if options.max_time:
        # each fold takes as long as the first fit did
        seconds_of_a_fit = time.monotonic() - started
        seconds_left = options.max_time - seconds_of_a_fit
        with_time = seconds_left >= seconds_of_a_fit * (
            folds + (0 if solution.fair else FEW_CONTENT_FOLDS)
        )
        affordable = max(FEWEST_FOLDS, int(seconds_left / max(seconds_of_a_fit, 1e-9)))
        folds = min(folds, affordable)
    stretches = content.stretch_folds(rows, folds)
    if prepared.owner is not None:
        # tiles of a picture tell too much of each other to be in different folds
        pictures, place = np.unique(prepared.owner, return_inverse=True)
        stretches = content.stretch_folds(len(pictures), folds)[place]
        # of few pictures some folds have none
        stretches = np.unique(stretches, return_inverse=True)[1]
    parts, surprise = out_of_fold(net, params, prepared, stretches, options.device)
    if not solution.fair and with_time:
        fair = fair_score(net, params, prepared)
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
    bundle = _bundle(model.name, params, prepared, graphs, calibration, facts)
    return joining.Fitted(bundle, np.arange(len(parts)), parts, surprise)


def _recipe(solution: closed_form.Solution, prepared: Prepared) -> bytes:
    """The recipe by which samples of a closed form are drawn, as bytes."""
    from aetool.operations import recipes

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


def _fit_network(
    model: Model,
    params: object,
    net: type,
    prepared: Prepared,
    options: FitOptions,
    progress: Progress | None,
    damaged: Features | None = None,
) -> joining.Fitted:
    trained = trained_network(params, net, prepared, options, progress, damaged)
    return finished_network(model, params, trained, prepared, options)


def trained_network(
    params: object,
    net: type,
    prepared: Prepared,
    options: FitOptions,
    progress: Progress | None = None,
    damaged: Features | None = None,
) -> training.Trained:
    """A network trained on prepared rows; damaged: the user's own damaged copies of them."""
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
        ),
        progress,
        damaged,
        prepared.kept,
        prepared.labels,
        prepared.owner,
    )


def finished_network(
    model: Model, params: object, trained: training.Trained, prepared: Prepared, options: FitOptions
) -> joining.Fitted:
    """A trained network as a calibrated bundle."""
    from aetool import export, training
    from aetool.operations import joining, mapping, recipes

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
    bundle = _bundle(model.name, params, prepared, graphs, empty, facts, trained.latent)
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
    """PluginError where the scores of held-out records, (rows, columns + 1), are not all finite."""
    failed = int((~np.isfinite(parts)).any(axis=1).sum())
    if failed:
        raise PluginError(
            f"{model.name}: the score graph gives nan or inf for {failed} of {len(parts)} held-out "
            "records; look for a division, logarithm or root of 0 in what it scores by"
        )


def _bundle(
    plugin: str,
    params: object,
    prepared: Prepared,
    graphs: dict[str, bytes],
    calibration: Calibration,
    facts: dict[str, Json],
    latent: int | None = None,
) -> Bundle:
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
