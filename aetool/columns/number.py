"""Numbers: measurements, amounts, counts."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from aetool.columns.column import Features, Json, Modelled, OddCellError, finite
from aetool.columns.scale import Scale
from aetool.columns.summary import Summary
from aetool.data import numbers
from aetool.data.table import Cells, Values
from aetool.data.writers import Restored
from aetool.errors import DataError
from aetool.model import Float

REACH = 2.5  # deviations that tried numbers lie within
MOST_BITS = 32.0  # of surprise that a number has on its own
MOST_DECIMALS = 400  # the smallest float has 324 before its first digit
MOST_PLACES = 12  # decimals that a true float is written with at most
MOST_READ = 9  # decimals of numbers that are taken for decimal ones
MARKS = (".", ",")
UNKNOWN = Scale()  # of a column that held no finite number


@dataclass(frozen=True)
class Number(Modelled):
    """decimals: how many digits stand behind the mark (None: true floats); low, high: the finite
    range seen; mark: the decimal mark of the text."""

    decimals: int | None = None
    scale: Scale = UNKNOWN
    low: float = 0.0
    high: float = 0.0
    mark: str = "."

    kind: ClassVar[str] = "number"
    predicted: ClassVar[bool] = True
    measured: ClassVar[bool] = True
    ordered: ClassVar[bool] = True

    @classmethod
    def infer(cls, summary: Summary, asked: bool) -> Self | None:
        values = summary.values
        column = cls(summary.name, summary.dtype, mark=summary.decimal)
        if not isinstance(values, Cells):
            if values.dtype.kind == "M":
                return None
            known = values.astype(np.float64)
            return column._fitted(known, numbers.decimals_of(known))
        if summary.typed and not asked:
            return None
        read = numbers.parse(values, summary.decimal)
        if read.bad.any():
            if not asked:
                return None
            row = int(np.flatnonzero(read.bad)[0])
            text = values.take(slice(row, row + 1)).strings()[0]
            raise DataError(f"--type {summary.name}=number: row {row + 1} holds {text!r}")
        good = ~np.isnan(read.value)
        # 007 is a code, not the number seven
        if not good.any() or (read.padded and not asked):
            return None
        places = read.decimals[good]
        decimal = (places >= 0).all() and places.max() <= MOST_READ
        column = dataclasses.replace(column, token=read.missing_token or "")
        return column._fitted(read.value, int(places.max()) if decimal else None)

    def _fitted(self, values: Float, decimals: int | None) -> Self:
        """The column with these values seen, (n,)."""
        column = dataclasses.replace(self, gaps=bool(np.isnan(values).any()), decimals=decimals)
        known = values[np.isfinite(values)]
        if not len(known):
            return column
        quantum = 0.0 if decimals is None else 10.0**-decimals
        return dataclasses.replace(
            column,
            scale=Scale.of(known, quantum),
            low=float(known.min()),
            high=float(known.max()),
        )

    @property
    def features(self) -> Features:
        return Features(scale=self.scale, flagged=self.gaps)

    @property
    def places(self) -> int | None:
        return self.decimals

    @property
    def span(self) -> tuple[float, float]:
        return self.low, self.high

    @property
    def usual(self) -> float:
        return self.scale.center

    @property
    def blank(self) -> float:
        mean = self.scale.mean
        return self.scale.center + self.scale.unit * (
            math.sinh(mean) if self.scale.curved else mean
        )

    def parse(self, values: Values) -> Float:
        if isinstance(values, Cells):
            read = numbers.parse(values, self.mark)
            if read.bad.any():
                row = int(np.flatnonzero(read.bad)[0])
                raise OddCellError(row, values.take(slice(row, row + 1)).strings()[0])
            return read.value
        if values.dtype.kind == "M":
            raise OddCellError(0, str(values[0]))
        return np.asarray(values, dtype=np.float64)

    def show(self, value: float) -> str:
        if math.isnan(value):
            return "missing"
        if math.isinf(value):
            return "inf" if value > 0 else "-inf"
        places = self.decimals
        if places is None:
            places = max(0, math.ceil(-math.log10(self.scale.resolution)))
        return f"{value:.{places}f}" if abs(value) < 1e15 else f"{value:.6g}"

    def restored(self, values: Float) -> Restored:
        return values

    def rounded(self, values: Float) -> Float:
        """Numbers with the decimals of their column; true floats as they are."""
        if self.decimals is None:
            return values
        unit = 10.0**self.decimals
        return np.asarray(np.rint(values * unit) / unit)

    def within(self, values: Float, ends: Sequence[float] | None = None) -> Float:
        low, high = (self.low, self.high) if ends is None else ends
        return np.clip(self.rounded(values), low, high)

    def random(self, count: int, rng: np.random.Generator) -> Float:
        return rng.uniform(self.low, self.high or 1.0, count)

    def tried(self, most: int) -> Float:
        values = self.scale.restored(np.linspace(-REACH, REACH, most))
        return np.unique(np.clip(values, self.low, self.high))

    def own_surprise(self, values: Float) -> Float:
        """Bits that a standard normal number as far out has, at most 32."""
        z = np.nan_to_num(self.scale.standardised(values))
        return np.minimum(0.5 * z**2 / math.log(2), MOST_BITS)

    def distance(self, values: Float, others: Float) -> Float:
        off = self.scale.standardised(values) - self.scale.standardised(others)
        return np.asarray(np.nan_to_num(off) ** 2)

    def facts(self) -> Json:
        resolution = self.scale.resolution
        return {**super().facts(), "low": self.low, "high": self.high, "resolution": resolution}

    def written(self) -> Json:
        """True floats are written with the decimals that their resolution needs."""
        places = self.decimals
        if places is None:
            needed = max(0, math.ceil(-math.log10(self.scale.resolution)))
            places = min(MOST_PLACES, needed)
        return {**super().written(), "decimals": places, "comma": self.mark == ","}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return super().from_json({**data, "scale": Scale(**data.get("scale", {}))})

    def check(self) -> None:
        super().check()
        self.scale.check()
        whole = type(self.decimals) is int and 0 <= self.decimals <= MOST_DECIMALS
        self._refuse_unless(self.decimals is None or whole)
        self._refuse_unless(finite(self.low, self.high) and self.low <= self.high)
        self._refuse_unless(self.mark in MARKS)
