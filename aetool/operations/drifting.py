"""drift: whether new data are like those that a model was fitted on, or like other data."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from aetool import bundle as bundles
from aetool.bundle import Bundle
from aetool.columns.column import ODD
from aetool.columns.schema import Schema
from aetool.data.images import ImageSource
from aetool.data.sources import open_source
from aetool.data.table import Table
from aetool.data.table_source import TableSource
from aetool.detection.choice import check_part
from aetool.detection.shifts import ALPHA, Comparison, Tally
from aetool.errors import DataError
from aetool.files.attributes import is_file
from aetool.fits import fitting
from aetool.fits.asked import FitOptions
from aetool.model import Float
from aetool.scoring.batches import scored
from aetool.scoring.inputs import known_of, seen_by

Data = object  # a path, a DataFrame, an Arrow table: whatever detect takes
# how a bundle begins: a zip whose first member is the manifest, behind 30 bytes of its head
ZIP, MEMBER, MANIFEST = b"PK\x03\x04", 30, b"manifest.json"
NO_SCORES = np.zeros(0)


def drift(
    reference: Data,
    new: Data,
    *,
    fit: FitOptions | None = None,
    alpha: float = ALPHA,
    device: str = "auto",
) -> Comparison:
    """Compare new data with those that a model was fitted on, column by column and by their scores.

    reference: a model, its path, or data that a model is fitted on first, by the options `fit`
    (None: the defaults). alpha: the chance of calling data shifted that are like the reference,
    above 0 and below 1, else ParamError. device: where the model runs. A column that is missing, or
    that holds nothing of its kind, raises no error: the `word` of the result is then "broken".
    DataError for data without records, or not of the model's kind; BundleError for a damaged model.
    """
    check_part("alpha", alpha)
    model = model_of(reference, fit)
    source = seen_by(open_source(new, known_of(model)), model)
    if model.schema is not None and isinstance(source, TableSource):
        faults = _missing_columns(source, model.schema)
        if faults:
            return _compared_by_columns(source, model, faults, alpha)
        try:
            return _compared_by_scores(source, model, alpha, device)
        except DataError:
            # where a column cannot be read, the result names it; any other error is raised
            by_columns = _compared_by_columns(source, model, [], alpha)
            if by_columns.faults:
                return by_columns
            raise
    return _compared_by_scores(source, model, alpha, device)


def model_of(reference: Data, options: FitOptions | None = None) -> Bundle:
    """The model to compare with: the reference itself, the model at its path, or a model fitted on
    it by `options` (None: the defaults). BundleError for a damaged model; ParamError, PluginError
    or DataError where a model cannot be fitted."""
    if isinstance(reference, Bundle):
        return reference
    if isinstance(reference, str | os.PathLike) and is_model(reference):
        return bundles.load(reference)
    return fitting.fit(reference, options or FitOptions())


def is_model(reference: Data) -> bool:
    """Whether the reference of drift is a model or the path of one, by how the file begins: it may
    be damaged further on. False for data to fit a model on, for a pipe, and for a path where
    nothing is; OSError for a file that cannot be read."""
    if isinstance(reference, Bundle):
        return True
    # a pipe can be read but once, and holds data
    if not isinstance(reference, str | os.PathLike) or not is_file(reference):
        return False
    # a zip whose first member is called as a bundle's is
    with Path(reference).open("rb") as file:
        head = file.read(MEMBER + len(MANIFEST))
    return head.startswith(ZIP) and head.endswith(MANIFEST)


def _missing_columns(source: TableSource, schema: Schema) -> list[tuple[str, str]]:
    """List the modelled columns that the new data lack, as (column's name, reason in words); all of
    them where the data have not even a header. DataError where the data cannot be read."""
    first: Table | None = next(iter(source.batches()), None)
    names = first.names if first is not None else ()
    missing = [column.name for column in schema.modelled if column.name not in names]
    return [(name, "the new data have no such column") for name in missing]


def _compared_by_scores(
    source: TableSource | ImageSource,
    model: Bundle,
    alpha: float,
    device: str,
) -> Comparison:
    """Compare new data with the model's data, column by column and by their scores. source: as the
    model sees it (seen_by). alpha: the chance of calling data shifted that are the same. DataError
    if they hold no records, or a column that cannot be read."""
    session = model.session("score.onnx", device)
    tally = Tally(model.schema, model.calibration, model.calibration.threshold())
    for batch in scored(source, model, session):
        tally.add(batch.inputs, batch.scores)
    return _comparison_of(source.name, tally, alpha)


def _compared_by_columns(
    source: TableSource,
    model: Bundle,
    faults: Iterable[tuple[str, str]],
    alpha: float,
) -> Comparison:
    """Compare only the columns that are there: where columns are missing, records cannot be scored.
    DataError if there are no records.

    source: a table. model: the one to compare with. faults: (column, reason) for each missing one.
    alpha: the chance of calling data shifted that are the same.
    """
    assert model.schema is not None
    schema = model.schema
    faults = list(faults)
    missing_names = {name for name, _ in faults}
    tally = Tally(schema, model.calibration, model.calibration.threshold())
    for number, table in enumerate(source.batches()):
        if not number:
            # the first batch tells how these data write their numbers and dates
            schema = schema.as_written(table, source.decimal)
        tally.add(_parsed(schema, table, missing_names), NO_SCORES)
    return _comparison_of(source.name, tally, alpha, faults)


def _parsed(schema: Schema, table: Table, missing_names: set[str]) -> Float:
    """The values of a table's modelled columns as numbers in the units of the data, (rows, columns)
    float64; NaN for a gap and for a column that is absent, ODD for a cell not of its column's kind.
    missing_names: the names of the columns that the table lacks; KeyError for any other that it
    lacks."""
    columns = []
    for column in schema.modelled:
        if column.name in missing_names:
            columns.append(np.full(len(table), np.nan))
        else:
            columns.append(column.parse(table[column.name]))
    if columns:
        return np.stack(columns, axis=1)
    return np.full((len(table), 0), ODD)


def _comparison_of(
    name: str,
    tally: Tally,
    alpha: float,
    faults: Iterable[tuple[str, str]] = (),
) -> Comparison:
    """The comparison by a tally of all new records; DataError if there were none. name: of the
    data; alpha: the chance of calling data shifted that are the same; faults: (column, why it
    cannot be used) of those that were not tallied."""
    if not tally.rows:
        raise DataError(f"{name}: no records to compare")
    return tally.compared(alpha, list(faults))
