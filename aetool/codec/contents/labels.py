"""Labels of columns, different even where names repeat, and the errors that bounds caused in
them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from aetool.codec.columns import Coded


def labels_of(names: Sequence[str]) -> list[str]:
    """A label for each column, in their order: its name, or, if others have that name, "NAME
    (column PLACE)", place from 1. No two labels are equal: a column that is itself called like
    the label of another has its place behind its name, too."""
    labels = list(names)
    # whether a label has its place behind its name already
    is_placed = [False] * len(labels)
    # the first round tells equal names apart; only names like "a (column 3)" take more of them
    while True:
        times = Counter(labels)  # a text may have a hundred thousand columns
        repeated = [
            place for place, label in enumerate(labels) if times[label] > 1 and not is_placed[place]
        ]
        if not repeated:
            return labels
        for place in repeated:
            labels[place] = f"{names[place]} (column {place + 1})"
            is_placed[place] = True


class Bounding:
    """The largest error allowed of each column, in the column's unit, and the errors that bounds
    caused. labels: of the columns, in order; bounds: one for each label, None for exact."""

    def __init__(self, labels: Sequence[str], bounds: Sequence[Fraction | None]) -> None:
        self.labels = labels
        self.bounds = bounds

    def errors_of(
        self, coded: Sequence[Sequence[Coded]]
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Gather the errors that bounds caused in a block: ({label: largest error}, {label: sum of
        squared errors}), in the column's unit and its square; labels without error are left out.
        coded: for each label its columns of the block."""
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
