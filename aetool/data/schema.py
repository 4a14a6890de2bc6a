"""What a table's columns are: inferred once, stored with the model, checked ever after."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aetool.data import dates, numbers
from aetool.data.table import Cells, Table, Values
from aetool.errors import DataError, ParamError
from aetool.model import Float

KINDS = ("number", "category", "date", "text", "skip")
MAX_LEVELS = 254
MOST_CONTEXT = 256  # rows
MOST_DECIMALS = 400  # the smallest float has 324 before its first digit
DAY, WEEK, YEAR = 86400.0, 7 * 86400.0, 365.2425 * 86400.0
HEAVY = 10.0  # robust deviations that one value in a thousand may reach before asinh is used
FINENESS = 2.0**-10  # resolution of true floats, as a part of the robust range


@dataclass(frozen=True)
class Column:
    """One column. Only `name` and `kind` hold for every kind.

    number: decimals (None: true floats), resolution (bucket width), center and spread (median and
    robust scale), curved (laid through asinh), mean and deviation of the laid-out values, low and
    high (finite range seen).
    category: levels, most frequent first; others says that training saw more than are listed.
    date: format (None: a typed source), low and high, cycles (periods in seconds that the data
    span at least twice).
    gaps: missing values were seen; token: how they are written. dtype: the source's own type.
    """

    name: str
    kind: str
    gaps: bool = False
    token: str = ""
    dtype: str | None = None
    decimals: int | None = None
    resolution: float = 1.0
    center: float = 0.0
    spread: float = 1.0
    curved: bool = False
    mean: float = 0.0
    deviation: float = 1.0
    low: float = 0.0
    high: float = 0.0
    levels: tuple[str, ...] = ()
    others: bool = False
    format: str | None = None
    cycles: tuple[float, ...] = ()

    @property
    def modelled(self) -> bool:
        """Whether models see this column."""
        return self.kind in ("number", "category", "date")

    def lay(self, x: Float) -> Float:
        """User units to standardised z, clipped to +-CLIP; NaN stays NaN."""
        u = (x - self.center) / self.spread
        t = np.arcsinh(u) if self.curved else u
        return np.clip((t - self.mean) / self.deviation, -CLIP, CLIP)

    def unlay(self, z: Float) -> Float:
        """The user units that lay maps to z."""
        t = z * self.deviation + self.mean
        return self.center + self.spread * (np.sinh(t) if self.curved else t)


CLIP = 12.0  # standardised values beyond this say nothing more


@dataclass(frozen=True)
class Schema:
    """The columns of a table, in file order.

    context: how many rows before a row, of the same value of the column `group`, in the order of
    the column `order`, models are given beside it.
    """

    columns: tuple[Column, ...]
    rows: int = 0
    context: int = 0
    group: str = ""
    order: str = ""

    @property
    def inputs(self) -> int:
        """How many numbers of a row the graphs take: its own, then those of the rows before."""
        return len(self.modelled) * (self.context + 1)

    @property
    def modelled(self) -> tuple[Column, ...]:
        """The columns models see, in the order of the input of every graph."""
        return tuple(c for c in self.columns if c.modelled)

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def to_json(self) -> dict[str, Any]:
        """A JSON-able form, of which from_json makes an equal Schema."""
        plain = Column("", "")
        columns = []
        for c in self.columns:
            filled = dataclasses.asdict(c).items()
            columns.append({k: v for k, v in filled if v != getattr(plain, k)})
        given = {"context": self.context, "group": self.group, "order": self.order}
        return {"rows": self.rows, "columns": columns, **(given if self.context else {})}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Schema:
        """The Schema that to_json wrote; ValueError, TypeError or KeyError if it is not one."""
        columns = []
        for item in data["columns"]:
            fields: dict[str, Any] = {
                k: tuple(v) if isinstance(v, list) else v for k, v in item.items()
            }
            column = Column(**fields)
            _validate(column)
            columns.append(column)
        names = [c.name for c in columns]
        if len(set(names)) != len(names):
            raise ValueError("duplicate column names")
        context = int(data.get("context", 0))
        if not 0 <= context <= MOST_CONTEXT:
            raise ValueError(f"a context of {context} rows")
        group, order = str(data.get("group", "")), str(data.get("order", ""))
        if order and order not in [c.name for c in columns if c.modelled]:
            raise ValueError("the column that rows are ordered by is not modelled")
        return cls(tuple(columns), int(data["rows"]), context, group, order)

    def encode(self, table: Table, name: str) -> Float:
        """The modelled columns as (rows, columns) float64: numbers in user units, categories as
        index into levels (len(levels): another), dates as epoch seconds, NaN = missing.

        Columns are matched by name. DataError names a missing column, or the row and value that
        is not of its column's kind.
        """
        missing = [c.name for c in self.modelled if c.name not in table.names]
        if missing:
            extra = [n for n in table.names if n not in {c.name for c in self.columns}]
            hint = f" (it has instead: {', '.join(extra[:5])})" if extra else ""
            raise DataError(
                f"{name}: column '{missing[0]}' is missing{hint}; the model was fitted with it. "
                f"Add it, or fit again with --drop {missing[0]}"
            )
        out = np.empty((len(table), len(self.modelled)))
        for i, column in enumerate(self.modelled):
            try:
                out[:, i] = encode_column(column, table[column.name])
            except _BadCellError as bad:
                raise DataError(
                    f"{name}: row {table.first_row + bad.row + 1}, column '{column.name}': found "
                    f"{bad.text!r} where the model expects a {column.kind}; mend the value, or "
                    f"fit again with --type {column.name}=category"
                ) from None
        return out


class _BadCellError(Exception):
    def __init__(self, row: int, text: str) -> None:
        self.row, self.text = row, text


def encode_column(column: Column, values: Values) -> Float:
    """One column's values as float64, (n,); NaN = missing."""
    if column.kind == "number":
        return _encode_number(values, column)
    if column.kind == "category":
        return _encode_category(values, column)
    return _encode_date(values, column)


def _encode_number(values: Values, column: Column) -> Float:
    if isinstance(values, Cells):
        read = numbers.parse(values, column.dtype[-1] if column.dtype == "text," else ".")
        if read.bad.any():
            row = int(np.flatnonzero(read.bad)[0])
            raise _BadCellError(row, values.take(slice(row, row + 1)).strings()[0])
        return read.value
    if values.dtype.kind == "M":
        raise _BadCellError(0, str(values[0]))
    return np.asarray(values, dtype=np.float64)


def _encode_category(values: Values, column: Column) -> Float:
    text = as_cells(values)
    missing = numbers.is_missing(text)
    levels, index = text.distinct()
    known = {level: i for i, level in enumerate(column.levels)}
    table = np.array([known.get(v, len(known)) for v in levels], dtype=np.float64)
    out = table[index] if len(levels) else np.zeros(len(text))
    out[missing] = np.nan
    return out


def _encode_date(values: Values, column: Column) -> Float:
    if not isinstance(values, Cells):
        if values.dtype.kind == "M":
            seconds = values.astype("datetime64[us]").astype(np.int64) / 1e6
            return np.where(np.isnat(values), np.nan, seconds)
        raise _BadCellError(0, str(values[0]))
    missing = numbers.is_missing(values)
    strings = values.strings()
    if column.format is None:
        raise _BadCellError(0, strings[0])
    out = np.full(len(strings), np.nan)
    rows = np.flatnonzero(~missing)
    out[rows] = dates.parse([strings[i] for i in rows], column.format)
    bad = np.isnan(out) & ~missing
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise _BadCellError(row, strings[row])
    return out


def as_cells(values: Values) -> Cells:
    """Any column as text cells; whole numbers without a point."""
    if isinstance(values, Cells):
        return values
    if values.dtype.kind == "M":
        return Cells.of([None if np.isnat(v) else str(v) for v in values])
    return Cells.of([None if v != v else format(v, ".17g") for v in values.tolist()])


def infer(
    table: Table,
    kinds: Mapping[str, str] | None = None,
    dtypes: Mapping[str, str] | None = None,
    decimal: str = ".",
) -> Schema:
    """The schema of a sample of records, with the user's kinds where given.

    dtypes: the source's own type names, kept so that decompression can give them back.
    """
    kinds, dtypes = kinds or {}, dtypes or {}
    for name, kind in kinds.items():
        if name not in table.names:
            raise ParamError(f"--type {name}: no such column; there are {', '.join(table.names)}")
        if kind not in KINDS:
            raise ParamError(f"--type {name}={kind}: must be one of {', '.join(KINDS)}")
    columns = []
    for name, values in zip(table.names, table.values, strict=True):
        dtype = dtypes.get(name, "text," if decimal == "," else None)
        columns.append(_infer(name, values, kinds.get(name), name in table.typed, dtype, decimal))
    return Schema(tuple(columns), len(table))


def _infer(
    name: str, values: Values, kind: str | None, typed: bool, dtype: str | None, decimal: str
) -> Column:
    base = Column(name, "text", dtype=dtype)
    if kind in ("text", "skip"):
        return dataclasses.replace(base, kind=kind)
    if not isinstance(values, Cells):
        if kind == "category":
            return _category(base, as_cells(values))
        if values.dtype.kind == "M":
            return _date(base, _encode_date(values, base))
        x = values.astype(np.float64)
        return _number(base, x, numbers.decimals_of(x), kind)
    if kind == "category":
        return _category(base, values)
    if kind in (None, "number") and not typed:
        read = numbers.parse(values, decimal)
        good = ~read.bad & ~np.isnan(read.value)
        if kind == "number" and read.bad.any():
            row = int(np.flatnonzero(read.bad)[0])
            text = values.take(slice(row, row + 1)).strings()[0]
            raise DataError(f"--type {name}=number: row {row + 1} holds {text!r}")
        if good.any() and not read.bad.any() and (kind == "number" or not read.padded):
            places = read.decimals[good]
            exact = int(places.max()) if (places >= 0).all() and places.max() <= 9 else None
            token = read.missing_token or ""
            return _number(dataclasses.replace(base, token=token), read.value, exact, kind)
    return _from_text(base, values, kind)


def _from_text(base: Column, text: Cells, kind: str | None) -> Column:
    missing = numbers.is_missing(text)
    present = np.flatnonzero(~missing)
    if not len(present):
        return _category(base, text)
    head = text.take(present[:200]).strings()
    fmt = dates.detect_format(head)
    if fmt and kind in (None, "date"):
        seconds = dates.parse(text.take(present).strings(), fmt)
        if np.isfinite(seconds).all():
            out = np.full(len(text), np.nan)
            out[present] = seconds
            token = _token(text, missing)
            return _date(dataclasses.replace(base, format=fmt, token=token), out)
    if kind == "date":
        raise DataError(
            f"--type {base.name}=date: {head[0]!r} is in no format known; write ISO 8601 "
            "(2024-12-31 or 2024-12-31T23:59:00)"
        )
    width = text.take(present).width()
    if width > 256:
        return base
    distinct = len(text.take(present).distinct()[0])
    if distinct > max(2, len(present) // 2):
        return base
    return _category(base, text)


def _token(text: Cells, missing: Any) -> str:
    rows = np.flatnonzero(missing & ~text.null)
    return text.take(rows[:1]).strings()[0] if len(rows) else ""


def _category(base: Column, text: Cells) -> Column:
    missing = numbers.is_missing(text)
    levels, index = text.distinct()
    counts = np.bincount(index[~missing], minlength=len(levels))
    order = [int(i) for i in np.argsort(-counts, kind="stable") if counts[i]]
    kept = tuple(levels[i] for i in order[:MAX_LEVELS])
    return dataclasses.replace(
        base,
        kind="category",
        gaps=bool(missing.any()),
        token=_token(text, missing),
        levels=kept,
        others=len(order) > MAX_LEVELS,
    )


def _date(base: Column, seconds: Float) -> Column:
    known = seconds[np.isfinite(seconds)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    sub_day = bool((known % DAY != 0).any())
    cycles = [p for p in (DAY, WEEK, YEAR) if high - low >= 2 * p and (p != DAY or sub_day)]
    return dataclasses.replace(
        base,
        kind="date",
        gaps=bool(np.isnan(seconds).any()),
        low=low,
        high=high,
        cycles=tuple(cycles),
    )


def _number(base: Column, x: Float, decimals: int | None, kind: str | None) -> Column:
    gaps = bool(np.isnan(x).any())
    known = x[np.isfinite(x)]
    if kind is None and not gaps and _is_counter(known, decimals):
        return dataclasses.replace(base, kind="text")
    if not len(known):
        return dataclasses.replace(base, kind="number", gaps=gaps, decimals=decimals)
    low, p1, q1, center, q3, p99, high = (
        float(v) for v in np.quantile(known, (0, 0.01, 0.25, 0.5, 0.75, 0.99, 1))
    )
    span = (p99 - p1) or (high - low)
    quantum = 0.0 if decimals is None else 10.0**-decimals
    resolution = max(quantum, span * FINENESS) or max(abs(center), 1.0) * FINENESS
    spread = max((q3 - q1) / 1.349, resolution)
    u = (known - center) / spread
    curved = float(np.quantile(np.abs(u), 0.999)) > HEAVY
    t = np.arcsinh(u) if curved else u
    mean = float(t.mean())
    deviation = max(float(t.std()), 0.5 * resolution / spread)
    return dataclasses.replace(
        base,
        kind="number",
        gaps=gaps,
        decimals=decimals,
        resolution=resolution,
        center=center,
        spread=spread,
        curved=curved,
        mean=mean,
        deviation=deviation,
        low=low,
        high=high,
    )


def _is_counter(x: Float, decimals: int | None) -> bool:
    """A row number: whole, and each one more than the one before. It identifies, it is no fact."""
    return decimals == 0 and len(x) >= 20 and bool((np.diff(x) == 1).all())


def drop(schema: Schema, names: Sequence[str]) -> Schema:
    """The schema with these columns skipped."""
    for name in names:
        if name not in {c.name for c in schema.columns}:
            raise ParamError(f"--drop {name}: no such column")
    columns = (
        Column(c.name, "skip", dtype=c.dtype) if c.name in names else c for c in schema.columns
    )
    return Schema(tuple(columns), schema.rows)


def _validate(column: Column) -> None:
    """ValueError if a stored column could not have come from infer."""
    sizes = (column.resolution, column.spread, column.deviation)
    numeric = (*sizes, column.center, column.mean, column.low, column.high, *column.cycles)
    words = (column.name, column.token, *column.levels)
    flags = (column.gaps, column.curved, column.others)
    sane = (
        column.kind in KINDS
        and all(isinstance(v, str) for v in words)
        and all(isinstance(v, bool) for v in flags)
        and all(type(v) in (int, float) and np.isfinite(v) for v in numeric)
        and min(sizes) > 0
        and all(period > 0 for period in column.cycles)
        and column.low <= column.high
        and isinstance(column.levels, tuple)
        and isinstance(column.cycles, tuple)
        and isinstance(column.dtype, str | None)
        and _decimals_make_sense(column.decimals)
        and len(set(column.levels)) == len(column.levels) <= MAX_LEVELS
        and (column.format is None or dates.is_format(column.format))
    )
    if not sane:
        raise ValueError(f"column {column.name!r} is not valid")


def _decimals_make_sense(decimals: int | None) -> bool:
    return decimals is None or (type(decimals) is int and 0 <= decimals <= MOST_DECIMALS)
