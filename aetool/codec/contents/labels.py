"""What columns are called where names do not tell them apart, and what bounds did to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from aetool.codec.columns import Coded


def labels_of(names: Sequence[str]) -> list[str]:
    """A label for each column: its name, and its place (from 1) if another has that name, too."""
    labels = []
    times = Counter(names)  # a text may have a hundred thousand columns
    for place, name in enumerate(names, 1):
        label = name
        if times[name] > 1:
            label = f"{name} (column {place})"
        labels.append(label)
    return labels


class Bounding:
    """The error bounds of columns, by position, and the errors they led to, by label."""

    def __init__(self, labels: Sequence[str], bounds: Sequence[Fraction | None]) -> None:
        self.labels = labels
        self.bounds = bounds

    def errors_of(
        self, coded: Sequence[Sequence[Coded]]
    ) -> tuple[dict[str, float], dict[str, float]]:
        """(largest errors, sums of squared errors) of a block, by label. coded: of each column."""
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
        """Labels of the columns that have a bound."""
        pairs = zip(self.labels, self.bounds, strict=True)
        return [label for label, bound in pairs if bound is not None]
