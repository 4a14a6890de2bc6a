"""Prepares the records of a source for a fit: their features, labels, and which rows to fit."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aetool import plugins, trimming
from aetool.arguments import shown
from aetool.closed_form import BLOCK
from aetool.columns import layout
from aetool.columns.column import ODD
from aetool.columns.history import whole
from aetool.columns.number import Number
from aetool.columns.outlying import code_among
from aetool.columns.schema import Schema, trusting
from aetool.columns.sections import Features
from aetool.data import notices, scaling
from aetool.data.drawn import sampled
from aetool.data.images import ImageSource
from aetool.data.notation.gaps import is_gap
from aetool.data.pictures.choosing import chosen
from aetool.data.pictures.framed import framed
from aetool.data.pictures.framing import Framing
from aetool.data.pictures.labels import counted
from aetool.data.sources import RESERVOIR, Source, open_source
from aetool.data.table import Cells, Mask, Table, shortest
from aetool.data.table_source import TableSource
from aetool.engine import Chosen, opened
from aetool.errors import DataError, ParamError
from aetool.fits import row_order
from aetool.fits.asked import FitOptions
from aetool.fits.inferring import MOST_TOLD, inferred
from aetool.model import Int, Model, Records, Spec
from aetool.spelling import did_you_mean, option, there_are
from aetool.threads import one_thread

TRIMMED = 0.05  # of the rows, in a robust fit
MOST_CONTEXT = 256  # rows before each that a model is given
OF_COLUMNS = ("condition", "label", "drop", "keep")
Labels = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Prepared:
    """Training data as a model sees them: features (rows, ...) float32, laid out as spec says.
    These rows may be a sample: the field `rows` counts the records that the source has.

    inputs are what the graphs take: (rows, columns) float64, or pictures (rows, C, H, W) uint8.
    keep: (rows,) bool, which rows to fit; None for all. edge: (rows,) bool, those of the others
    that lie next to them (trimming.Nearest); None without such. labels: (rows,) float32, for a
    model that learns from known anomalies: 1 for an ordinary row, -1 for an anomaly, 0 where none
    is said. schema: of the columns; None for pictures. framing: how pictures become the inputs;
    None: as they are, or for a table. owner: (rows,), the number of the picture that each row is a
    tile of; None where rows are no tiles.
    """

    spec: Spec
    features: Features
    inputs: Records
    schema: Schema | None
    rows: int
    keep: Mask | None = None
    edge: Mask | None = None
    labels: Labels | None = None
    framing: Framing | None = None
    owner: Int | None = None

    @property
    def view(self) -> Framing:
        """The framing by which pictures become inputs; of a model of pictures only."""
        assert self.spec.shape is not None
        channels, height, width = self.spec.shape
        return self.framing or Framing(channels, width, height)

    @functools.cached_property
    def is_sorted(self) -> bool:
        """Whether the rows are of a table sorted by what one of its columns says, and not by time;
        False for rows that are given those before them. Found once, for all models of a joint
        fit."""
        if self.schema is None or self.spec.given:
            return False
        return row_order.is_sorted_by_content(self.inputs, self.schema)

    @property
    def kept(self) -> Mask:
        """Which rows to fit, (rows,) bool: `keep`, or True throughout if that is None."""
        if self.keep is None:
            return np.ones(len(self.features), bool)
        return self.keep


@one_thread()
def trimmed(prepared: Prepared) -> Prepared:
    """A copy of prepared rows in which, by `keep`, the 5 % that lie farthest out are marked as not
    to be fitted, for --robust; known anomalies are never marked so. A `keep` that is there already
    is replaced."""
    flat = prepared.features.reshape(len(prepared.features), -1)
    chunks = [flat[i : i + BLOCK] for i in range(0, len(flat), BLOCK)]
    nearest = trimming.nearest(chunks, prepared.spec, 1 - TRIMMED)
    keep = nearest.is_near
    if prepared.labels is not None:
        keep = keep | (prepared.labels < 0)  # what is known of them is to be learned
    return dataclasses.replace(prepared, keep=keep, edge=nearest.is_edge)


def paired(source: Source, options: FitOptions) -> tuple[Prepared, Features]:
    """Prepare damaged records together with the same records undamaged, for a model that learns
    from pairs. Returns the clean records of options.target, prepared, and the features of the
    damaged records of `source`, (rows, ...) float32, row by row the same records.

    Of more than RESERVOIR (200,000) records both are the same random sample of 200,000, drawn by
    options.seed, unless options.all_rows. ParamError if the two are of different kinds, or
    options.label is given; DataError if they have different numbers of records, or pictures of
    different sizes, or cannot be read.
    """
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
    # the same rows of both, as the draw depends on the count and the seed alone; 10^12 is all
    most = 10**12 if options.all_rows else RESERVOIR
    if isinstance(source, ImageSource):
        pixels = framed(source, prepared.view).sample(most, options.seed)
        # pairs are by place: one picture too few would shift all the others
        if pixels.shape != prepared.inputs.shape:
            raise DataError(
                f"{source.name} has {len(pixels):,} pictures of {pixels.shape[1:]}, "
                f"{option('--target')} "
                f"{len(prepared.inputs)} of {prepared.inputs.shape[1:]}; they must be the same"
            )
        return prepared, scaling.image_features(pixels)
    table, total = source.sample(most, options.seed)
    # pairs are by place: one row too few would shift all the others
    if total != prepared.rows:
        raise DataError(
            f"{source.name} has {total:,} rows, {option('--target')} {prepared.rows}; row by "
            "row they must be "
            "the same records"
        )
    assert prepared.schema is not None
    return prepared, layout.table_features(
        prepared.schema, prepared.schema.encode(table, source.name)
    )


def learns_from_labels(model: Model) -> bool:
    """Whether the loss of a model's network has an argument `labels`, which says which records are
    known anomalies. False for a model without a class of its own. PluginError if the class cannot
    be imported."""
    # the class itself says it, by the arguments of its loss
    net = plugins.resolve(model.net) if model.net else None
    # what is no network is refused later, with a reason
    loss = getattr(net, "loss", None)
    return loss is not None and "labels" in inspect.signature(loss).parameters


def prepare(
    source: TableSource | ImageSource,
    options: FitOptions,
    labelled: bool = False,
    executor: Chosen = None,
) -> Prepared:
    """The training rows of a source as features. labelled: whether rows that are not normal stay
    among them, marked by labels. executor: what reads the rows of a table, by a name that
    aetool.engine knows or itself; None: this process. Of more than RESERVOIR (200,000) records a
    random sample is taken, unless options.all_rows or options.context. ParamError for options that
    do not apply to such a source, or, as group and order, not without options.context; and for
    columns, kinds or labels that are not there; DataError for data that cannot be read, and where
    no column is left that a model can score."""
    if not 0 <= options.context <= MOST_CONTEXT:
        raise ParamError(
            f"{option('--context')} must be 0 to {MOST_CONTEXT}, got {shown(options.context)}"
        )
    if (options.group or options.order) and not options.context:
        raise ParamError(
            f"{option('--group')} and {option('--order')} say which rows come before: give "
            f"{option('--context')} N, too"
        )
    # 10^12 is all; with context every row is needed, as rows of a sample have no rows before
    most_rows = 10**12 if options.all_rows or options.context else RESERVOIR
    if isinstance(source, ImageSource):
        if options.context:
            raise ParamError(f"{option('--context')} is of the rows of a table, not of pictures")
        for name in OF_COLUMNS:
            if getattr(options, name):
                used_option = option(f"--{name}")
                raise ParamError(f"{used_option} names columns of a table: pictures have none")
        for used_option, value in ((option("--type"), options.types), (option("--na"), options.na)):
            if value:
                raise ParamError(f"{used_option} says how a table is read: pictures have no cells")
        return _prepared_pictures(source, options, most_rows)
    if options.of_pictures.named:
        raise ParamError(f"{options.of_pictures.named} is of pictures; {source.name} is a table")
    # each row has a number of its own by which it is drawn, so that workers draw what one process
    # would
    with opened(executor) as engine:
        table, total = sampled(source, most_rows, options.seed, engine)
    signs = known_labels(table, options, source.name) if labelled else None
    if options.context:
        return _with_context(source, table, options, signs)
    ordinary = normal_rows(table, options.label, options.normal, source.name, signs)
    schema = infer_schema(source, ordinary, options)
    if signs is None:
        prepared = prepare_table(ordinary, schema, source.name, total)
        _say_frequent_far_numbers(prepared, source.name)
        return prepared
    prepared = prepare_table(table, schema, source.name, total)
    return dataclasses.replace(prepared, labels=signs)


def _prepared_pictures(source: ImageSource, options: FitOptions, most: int) -> Prepared:
    """At most `most` pictures or tiles as features, by the framing that the options ask for, or
    else one that suits the pictures; it says in a notice which cannot be read. ParamError for tiles
    larger than the pictures; DataError where none can be read, or they are too large."""
    framed_source = framed(source, chosen(source, options.of_pictures))
    pixels, numbers = framed_source.sampled(most, options.seed)
    framed_source.say_unread()
    framing = framed_source.framing
    # tiles of one picture are no independent rows
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


def known_labels(table: Table, options: FitOptions, name: str) -> Labels:
    """The sign of each row's label, (rows,) float32: 1 where it is one of options.normal, -1 where
    it is another, 0 where it is a gap. name: of the source, for errors: ParamError if it lacks the
    column options.label."""
    assert options.label is not None
    label_texts = labels(table, options.label, name)
    # a label that is missing says nothing, neither ordinary nor odd
    gap = is_gap(Cells.of(label_texts.tolist()), options.na)
    is_normal = np.isin(label_texts, list(options.normal))
    signs = np.where(is_normal, 1.0, np.where(gap, 0.0, -1.0))
    return signs.astype(np.float32)


def _with_context(
    source: TableSource,
    table: Table,
    options: FitOptions,
    signs: Labels | None,
) -> Prepared:
    """Prepare rows together with the rows before each, whether these are normal or not; the rows to
    fit, those of options.normal unless there are signs, are chosen afterwards. table: all rows; of
    more than RESERVOIR (200,000) normal ones a sample is fitted, unless options.all_rows. signs:
    (rows,), labels that the model learns from, or None. ParamError if options.order is no column of
    dates or numbers, or options.group no column; also if no row is normal, or options name a label,
    a column or a kind that is not there; DataError if no column is left that a model can score."""
    chosen = np.arange(len(table))
    if options.label is not None:
        label_texts = labels(table, options.label, source.name)
        if options.normal and signs is None:
            chosen = np.flatnonzero(np.isin(label_texts, list(options.normal)))
    # ranges and levels are those of ordinary rows; the rows before each are told whatever they are
    ordinary = normal_rows(table, options.label, options.normal, source.name, signs)
    schema = infer_schema(source, ordinary, options)
    order = schema[options.order] if options.order in ordinary.names else None
    if options.order and (order is None or not order.ordered):
        message = f"{option('--order')} {options.order}: {source.name} has no such date or number"
        if order is not None:
            # whole numbers that rise may be taken for names of rows
            numbers = f"{option('--type')} {options.order}=number"
            message += f": it is taken for {order.kind}; if its cells are numbers, add {numbers}"
        raise ParamError(message)
    if options.group and options.group not in ordinary.names:
        raise ParamError(
            f"{option('--group')} {options.group}: no such column; "
            f"there are {', '.join(ordinary.names)}"
        )
    schema = dataclasses.replace(
        schema, context=options.context, group=options.group, order=options.order
    )
    # laid out before rows are chosen, so that each has its true neighbours
    X = whole(schema, table, source.name)
    if len(chosen) > RESERVOIR and not options.all_rows:
        # sorted, since neighbours in the table are neighbours in a fold
        drawn = np.random.default_rng(options.seed).choice(len(chosen), RESERVOIR, replace=False)
        chosen = chosen[np.sort(drawn)]
    X = X[chosen]
    features = layout.table_features(schema, X)
    chosen_labels = None if signs is None else signs[chosen]
    return Prepared(
        layout.table_spec(schema), features, X, schema, len(table), labels=chosen_labels
    )


def prepare_table(table: Table, schema: Schema, name: str, total: int) -> Prepared:
    """The rows of a table as features. name: of the source, for errors; total: how many rows that
    has. DataError for a table that lacks columns of the schema, or has one that holds nothing of
    its kind."""
    X = schema.encode(table, name)
    return Prepared(layout.table_spec(schema), layout.table_features(schema, X), X, schema, total)


def infer_schema(source: TableSource, table: Table, options: FitOptions) -> Schema:
    """The schema of a table of the source, with the types, dropped columns and conditions that the
    options choose. Numbers far beyond all others of their column lie apart in a robust fit alone;
    in any other a notice tells of them, unless the options name the ordinary rows. ParamError for a
    column to drop or keep that is not there, or to be both dropped and kept, and for a type or a
    condition that is not there, or a condition that models do not see; DataError if no column is
    left that a model can score, or one cannot be of the kind that options.types says."""
    for name in [*options.drop, *options.keep]:
        if name not in table.names:
            guess = there_are(name, table.names)
            raise ParamError(f"no column '{name}' in {source.name}{guess}")
    for name in options.drop:
        if name in options.keep:
            raise ParamError(
                f"{option('--keep')} and {option('--drop')} both name '{name}': leave it out of "
                "one of them"
            )
    schema = inferred(source, table, options)
    # dates, keys and conditions alone leave nothing to be judged
    if not any(c.predicted for c in schema.columns):
        kinds = ", ".join(
            f"{c.name}: {'condition' if c.name in options.condition else c.kind}"
            for c in schema.columns[:8]
        )
        raise DataError(
            f"{source.name}: no column that a model can score ({kinds}); "
            f"name one with {option('--type')} COLUMN=number or =category"
        )
    # rows that are all taken for ordinary
    if not options.robust:
        if not options.normal:
            _say_far_numbers(schema, source.name)
        schema = trusting(schema)
    return schema


def _say_far_numbers(schema: Schema, name: str) -> None:
    """Say in a notice which columns hold numbers that lie far beyond all others, and are about to
    be learned as usual; nothing if none does. Of more than MOST_TOLD (6) columns the first are
    named. name: of the source."""
    descriptions = []
    for column in schema.modelled:
        # dates have a reach, too, which a fit that trusts its rows keeps
        reach = column.far_out if isinstance(column, Number) else None
        if reach is not None:
            ends = f"{column.show(reach.first)} to {column.show(reach.last)}"
            descriptions.append(f"{column.name} ({reach.beyond}, the others {ends})")
    if descriptions:
        notices.say(
            name,
            "numbers far beyond all others are learned as usual: "
            f"{', '.join(descriptions[:MOST_TOLD])}; if they are errors, fit with "
            f"{option('--robust')}",
        )


def _say_frequent_far_numbers(prepared: Prepared, name: str) -> None:
    """Say in a notice which columns of a table hold one number far from all others in so many cells
    that it is learned as usual; nothing if none does. Of more than MOST_TOLD (6) columns the first
    are named. name: of the source."""
    assert prepared.schema is not None
    descriptions = []
    codes = []
    for column, values in zip(prepared.schema.modelled, prepared.inputs.T, strict=False):
        if not isinstance(column, Number):
            continue
        numbers = values[np.isfinite(values) & (values != ODD)]
        code = code_among(numbers)
        if code is None:
            continue
        others = numbers[numbers != code]
        count = len(numbers) - len(others)
        shown_code = shortest(code)
        ends = f"{column.show(float(others.min()))} to {column.show(float(others.max()))}"
        descriptions.append(f"{column.name} ({shown_code} in {count:,}, the others {ends})")
        codes.append(f"{option('--na')} {shown_code}")
    if descriptions:
        notices.say(
            name,
            f"one number far from all others comes so often that it is taken for usual: "
            f"{', '.join(descriptions[:MOST_TOLD])}; if it stands for no answer, {codes[0]} makes "
            "it a gap",
        )


def normal_rows(
    table: Table,
    label: str | None,
    normal: Sequence[str],
    name: str,
    signs: Labels | None = None,
) -> Table:
    """The rows of a table whose label is one of `normal` (all, if that is empty), without the label
    column; or if signs, (rows,), are given, those whose sign is not -1, gaps of the label among
    them. name: of the source, for messages. label: the name of the column; None for all rows as
    they are, with ParamError if there is anything in `normal`. ParamError if no row is left, or the
    table lacks the label."""
    if label is None:
        if normal:
            raise ParamError(
                f"{option('--normal')} needs {option('--label')}: the column that holds the value"
            )
        return table
    # a name that is misspelt would leave the labels among the columns that are judged
    _check_label(table, label, name)
    if signs is not None:
        keep = signs >= 0
    elif normal:
        keep = np.isin(labels(table, label, name), list(normal))
    else:
        keep = np.ones(len(table), bool)
    if not keep.any():
        values = labels(table, label, name).tolist()
        raise ParamError(
            f"no row of {name} has {label} = {' or '.join(normal)}; it holds {counted(values)}"
            + did_you_mean(next(iter(normal), ""), set(values))
        )
    return table.without([label]).take(np.flatnonzero(keep))


def labels(table: Table, label: str, name: str) -> npt.NDArray[np.str_]:
    """The label of each row as text without blanks at its ends, (rows,); numbers with all digits,
    whole ones without a point. label: the column's name. ParamError if the table lacks it; name: of
    the source, for messages."""
    _check_label(table, label, name)
    values = table[label]
    if isinstance(values, Cells):
        # blanks around a label are nobody's intention
        return np.array([v.strip() for v in values.strings()])
    return np.array([_number_as_text(value) for value in values.tolist()])


def _check_label(table: Table, label: str, name: str) -> None:
    """Raise ParamError if a table lacks the column of labels. name: of the source."""
    if label in table.names:
        return
    guess = did_you_mean(label, table.names)
    raise ParamError(f"no label column '{label}' in {name}; it has {', '.join(table.names)}{guess}")


def _number_as_text(value: float) -> str:
    """A number as text, as a person would type it: "1" for 1.0, "1234567" with all its digits,
    "0.5" as Python writes it."""
    # beyond 2^53 a float64 no longer tells whole numbers apart
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    return str(value)
