"""Tells where a model has been fitted on the very column of labels by which it is to be judged."""

from __future__ import annotations

from aetool.bundle import Bundle
from aetool.columns.column import Modelled
from aetool.data import notices
from aetool.spelling import option


def caution(name: str, model: Bundle, label: str | None) -> None:
    """Warn users, of the command line and of Python alike, that a model judges records by the
    column of their labels, too, and how to fit one that does not; silent where it does not see that
    column. name: of the data; label: the column, None for none; of pictures the folder, which no
    model sees."""
    if model.schema is None or label is None:
        return
    columns = {column.name: column for column in model.schema.columns}
    if not isinstance(columns.get(label), Modelled):
        return
    notices.caution(
        name,
        f"the labels, column '{label}', are among what the model was fitted on and judges by, so "
        "these figures say nothing of how well it finds records without labels; fit again with "
        f"{option('--label')} {label}, or {option('--drop')} {label}, and judge that model",
    )
