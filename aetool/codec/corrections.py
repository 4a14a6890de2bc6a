"""Corrections of a lossy table: whole numbers of steps, added to what a model's decoder gives.

A code of few numbers restores most columns of a wide table well, and a few badly: those in which
noise, or a cause of their own, weighs as much as what the columns have in common. Of these the
archive stores how far the decoder is off, in whole numbers of steps, beside the code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from aetool.canonical import Json
from aetool.model import Float, Int

# steps by which one number is corrected, at most
LARGEST = 2**31 - 1


@dataclass(frozen=True)
class Corrections:
    """Which columns of a lossy table are corrected, and in which steps.

    step: by the column's name the size of a step, above 0, in the column's unit. Without columns
    nothing is corrected.
    """

    step: Mapping[str, float] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The names of the corrected columns, in the order in which a block stores them."""
        return list(self.step)

    def counted(
        self,
        column_names: Sequence[str],
        records: Float,
        decoded: Float,
    ) -> Int:
        """Count how many steps each number of the corrected columns lies from the decoder's.

        Returns (rows, corrected) int64, in the order of `step`; each rounded to the nearest, and
        limited to LARGEST (2^31 - 1) in size; 0 where either number is missing or infinite, or
        their distance is beyond the range of floats. KeyError for a corrected column that is not in
        column_names. column_names: of the columns of records, what is to be stored, and of decoded,
        what the decoder gives, both (rows, columns) in the columns' units.
        """
        place_of = {name: place for place, name in enumerate(column_names)}
        rows = len(records)
        steps = np.zeros((rows, len(self.step)), np.int64)
        for column_number, (name, step_size) in enumerate(self.step.items()):
            place = place_of[name]
            wanted = records[:, place]
            actual = decoded[:, place]
            # infinities have no distance, and what overflows is limited below
            with np.errstate(over="ignore", invalid="ignore"):
                distance = (wanted - actual) / step_size
            # a gap is NaN, and is stored elsewhere
            finite = np.nan_to_num(distance, posinf=0.0, neginf=0.0)
            rounded = np.rint(finite)
            limited = np.clip(rounded, -LARGEST, LARGEST)
            steps[:, column_number] = limited.astype(np.int64)
        return steps

    def amounts(self, steps: Int) -> dict[str, Float]:
        """What is added to the decoder's numbers: by column (rows,) float64, in its unit.

        steps: (rows, corrected), as `counted` returns them.
        """
        amounts = {}
        for column_number, (name, step_size) in enumerate(self.step.items()):
            # exact: fewer than 53 bits
            whole = steps[:, column_number].astype(np.float64)
            amounts[name] = whole * step_size
        return amounts

    def to_json(self) -> list[list[str]]:
        """A JSON-able form: [name, step] of each corrected column, in the order of a block."""
        pairs = []
        for name, step_size in self.step.items():
            # in hexadecimal a float comes back bit for bit
            text = float(step_size).hex()
            pairs.append([name, text])
        # an object of JSON would not keep the order
        return pairs

    @classmethod
    def from_json(cls, data: Json) -> Corrections:
        """The corrections of `data`, what `to_json` wrote.

        ValueError for a step that is not finite or not above 0, and for a column that comes twice;
        TypeError, ValueError or OverflowError for other JSON.
        """
        steps: dict[str, float] = {}
        for name, text in data:
            step_size = float.fromhex(text)
            # of a damaged archive the header may say anything
            if not 0 < step_size < float("inf"):
                raise ValueError(f"the corrections of '{name}' have no step above 0")
            if name in steps:
                raise ValueError(f"'{name}' is corrected twice")
            steps[str(name)] = step_size
        return cls(steps)
