"""Labels of columns, different even where names repeat, and the errors that bounds caused in
them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from aetool.codec.columns import Coded


def labels_of(names: Sequence[str]) -> list[str]:
    """A label for each column, in their order: its name, or, if others have that name, "NAME
    (column PLACE)", place from 1. Labels differ, unless a column is itself called like such a
    label."""
    labels = []
    times = Counter(names)  # a text may have a hundred thousand columns
    for place, name in enumerate(names, 1):
        label = name
        if times[name] > 1:
            label = f"{name} (column {place})"
        labels.append(label)
    return labels


class Bounding:
    """The largest error allowed of each column, in the column's unit, and the errors that bounds
    caused. labels: of the columns, in order; bounds: one for each label, None for exact."""

    def __init__(self, labels: Sequence[str], bounds: Sequence[Fraction | None]) -> None:
        self.labels = labels
        self.bounds = bounds

    def errors_of(
        self, coded: Sequence[Sequence[Coded]]
    ) -> tuple[dict[str, float], dict[str, float]]:
        """({label: largest error}, {label: sum of squared errors}) in a block, in the column's unit
        and its square; labels without error are left out. coded: for each label its columns of the
        block."""
        errors: dict[str, float] = {}
        squares: dict[str, float] = {}
        # a complex or wide number is several columns of a block
        for place, columns in enumerate(coded):
            label = self.labels[place]
            for column in columns:
                if column.error:
                    errors[label] = max(errors.get(label, 0.0), column.error)
                if column.square:
                    squares[label] = squares.get(label, 0.0) + column.square
        return errors, squares

    @property
    def bounded(self) -> list[str]:
        """The labels of the columns that have a bound."""
        pairs = zip(self.labels, self.bounds, strict=True)
        return [label for label, bound in pairs if bound is not None]
