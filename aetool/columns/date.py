"""Dates and times: context of the other columns."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from aetool.columns.column import Features, Modelled, OddCellError, finite
from aetool.columns.summary import EARLY, Summary
from aetool.data import dates, numbers
from aetool.data.table import Cells, Values
from aetool.data.writers import Restored
from aetool.errors import DataError
from aetool.model import Float

DAY, WEEK, YEAR = 86400.0, 7 * 86400.0, 365.2425 * 86400.0  # seconds
TYPED = "ymd|-|T|hms|0||0"  # how a moment of a typed source is shown


@dataclass(frozen=True)
class Date(Modelled):
    """format: how text writes it (None: a typed source); low, high: the range seen, and values in
    the inputs of graphs, in epoch seconds; cycles: periods in seconds that the data span at least
    twice."""

    format: str | None = None
    low: float = 0.0
    high: float = 0.0
    cycles: tuple[float, ...] = ()

    kind: ClassVar[str] = "date"
    ordered: ClassVar[bool] = True

    @classmethod
    def infer(cls, summary: Summary, asked: bool) -> Self | None:
        values = summary.values
        column = cls(summary.name, summary.dtype)
        if not isinstance(values, Cells):
            return column._fitted(column.parse(values)) if values.dtype.kind == "M" else None
        if not len(summary.present):
            return None
        head = summary.present.take(slice(0, EARLY)).strings()
        written = dates.detect_format(head)
        if written:
            seconds = np.full(len(values), np.nan)
            seconds[~summary.missing] = dates.parse(summary.present.strings(), written)
            if np.isfinite(seconds[~summary.missing]).all():
                column = dataclasses.replace(column, format=written, token=summary.token)
                return column._fitted(seconds)
        if asked:
            raise DataError(
                f"--type {summary.name}=date: {head[0]!r} is in no format known; write ISO 8601 "
                "(2024-12-31 or 2024-12-31T23:59:00)"
            )
        return None

    def _fitted(self, seconds: Float) -> Self:
        """The column with these moments seen, (n,)."""
        gaps = bool(np.isnan(seconds).any())
        known = seconds[np.isfinite(seconds)]
        low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
        within_days = bool((known % DAY != 0).any())
        cycles = [
            period
            for period in (DAY, WEEK, YEAR)
            if high - low >= 2 * period and (period != DAY or within_days)
        ]
        return dataclasses.replace(self, gaps=gaps, low=low, high=high, cycles=tuple(cycles))

    @property
    def features(self) -> Features:
        return Features(flagged=self.gaps, cycles=self.cycles)

    @property
    def span(self) -> tuple[float, float]:
        return self.low, self.high

    @property
    def usual(self) -> float:
        return 0.0

    @property
    def blank(self) -> float:
        return 0.0

    def parse(self, values: Values) -> Float:
        if not isinstance(values, Cells):
            if values.dtype.kind != "M":
                raise OddCellError(0, str(values[0]))
            seconds = values.astype("datetime64[us]").astype(np.int64) / 1e6
            return np.where(np.isnat(values), np.nan, seconds)
        missing = numbers.is_missing(values)
        strings = values.strings()
        if self.format is None:
            raise OddCellError(0, strings[0])
        moments = np.full(len(strings), np.nan)
        present = np.flatnonzero(~missing)
        moments[present] = dates.parse([strings[i] for i in present], self.format)
        unreadable = np.isnan(moments) & ~missing
        if unreadable.any():
            row = int(np.flatnonzero(unreadable)[0])
            raise OddCellError(row, strings[row])
        return moments

    def show(self, value: float) -> str:
        if math.isnan(value):
            return "?"
        return dates.render(np.array([value]), self.format or TYPED)[0]

    def restored(self, values: Float) -> Restored:
        if self.format is None:
            return (values * 1e6).astype("datetime64[us]")
        return list(dates.render(values, self.format))

    def drawn(self, values: Float, rng: np.random.Generator) -> Float:
        """Any moment of the range seen: models do not draw what is context."""
        return self.begun(len(values), rng)

    def begun(self, count: int, rng: np.random.Generator) -> Float:
        return rng.uniform(self.low, self.high, count)

    def random(self, count: int, rng: np.random.Generator) -> Float:
        return rng.uniform(self.low, self.high or 1.0, count)

    def distance(self, values: Float, others: Float) -> Float:
        return np.zeros(len(values))

    def check(self) -> None:
        super().check()
        self._refuse_unless(isinstance(self.cycles, tuple) and finite(*self.cycles))
        self._refuse_unless(all(period > 0 for period in self.cycles))
        self._refuse_unless(finite(self.low, self.high) and self.low <= self.high)
        self._refuse_unless(self.format is None or dates.is_format(self.format))
