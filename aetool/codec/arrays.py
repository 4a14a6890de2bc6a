"""A column of a typed table as whole numbers, bit for bit or within a bound, and back: `float`,
`moment`, or its text."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from aetool.codec import textual
from aetool.codec.columns import MOST_DECIMALS, Coded, Decoded, sensible, shape_of
from aetool.codec.integers import Stream
from aetool.data.table import Cells, Values
from aetool.errors import ArchiveError
from aetool.model import Int


def encode_array(values: npt.NDArray[Any], bound: Fraction | None = None) -> Coded:
    """A column of float64 (NaN: missing) or datetime64[us], bit for bit or within the bound."""
    if values.dtype.kind == "M":
        ticks = values.astype("datetime64[us]").view("i8")
        none = np.zeros(len(ticks), np.bool_)
        return _typed({"k": "moment"}, ticks, np.isnat(values), none, ticks)
    x = np.ascontiguousarray(values, np.float64)
    whole = x.view(np.int64)
    gap = whole == np.float64(np.nan).view(np.int64)
    finite = np.isfinite(x) & ~((x == 0) & np.signbit(x))
    decimals = _decimals(x[finite])
    if bound is not None and bound > 0 and decimals is None:
        return _on_grid(x, whole, gap, finite, bound)
    if decimals is None:
        with np.errstate(over="ignore"):
            single = x.astype(np.float32)
        narrow = bool((single.astype(np.float64) == x)[~np.isnan(x)].all())
        k = _ordered(single.view(np.int32).astype(np.int64), 31) if narrow else _ordered(whole, 63)
        odd = np.isnan(x) & ~gap
        return _typed({"k": "float", "b": 32 if narrow else 64}, k, gap, odd, whole)
    k = np.zeros(len(x), np.int64)
    with np.errstate(over="ignore"):
        near = finite & (np.abs(x * float(10**decimals)) < 2.0**53)
    k[near] = np.rint(x[near] * float(10**decimals))
    odd = ~gap & ~(near & (k / float(10**decimals) == x))
    meta: dict[str, Any] = {"k": "float", "d": decimals}
    allowed = 0
    if bound is not None:  # of decimals that are rounded twice, two roundings are taken off
        slack = Fraction(float(np.spacing(np.abs(x[near]).max(initial=0))) * 2 * (decimals > 0))
        allowed = max(0, int((bound - slack) * 10**decimals))
    if 0 < allowed < 2**53:
        step = 2 * allowed + 1
        quantised = (k + allowed) // step
        meta["q"] = step
        made = _typed(meta, quantised, gap, odd, whole)
        off = np.abs(quantised * step - k)[~gap & ~odd]
        made.error = float(off.max(initial=0)) / 10**decimals
        made.square = float(np.square(off / 10.0**decimals).sum())
        return made
    return _typed(meta, k, gap, odd, whole)


@sensible()
def decode_array(column: Decoded) -> npt.NDArray[Any]:
    """A column of encode_array."""
    meta, values = column.meta, column.values
    if meta["k"] == "moment":
        out = np.full(len(column.kinds), np.iinfo(np.int64).min)
        out[column.kinds == 0] = values
        return out.view("datetime64[us]")
    if meta["k"] != "float":
        raise ArchiveError("damaged: a column of numbers is not stored as such")
    if "b" in meta and meta["b"] == 32:
        x: npt.NDArray[Any] = (
            _ordered(values, 31).astype(np.int32).view(np.float32).astype(np.float64)
        )
    elif "b" in meta:
        x = _ordered(values, 63).view(np.float64)
    elif "g" in meta:
        x = values * float.fromhex(meta["g"])
    else:
        x = values * np.int64(meta.get("q", 1)) / float(10 ** int(meta["d"]))
    full = np.full(len(column.kinds), np.nan)
    full[column.kinds == 0] = x
    if meta.get("r"):
        full[column.kinds == shape_of(meta).kinds - 1] = column.raws.view(np.float64)
    return full


def encode_cells(cells: Cells) -> Coded:
    """Text of a typed table; a missing cell is the byte FF, which no UTF-8 has."""
    end = len(cells.buffer)
    start = np.where(cells.null, end, cells.start).astype(np.int32)
    stop = np.where(cells.null, end + 1, cells.stop).astype(np.int32)
    return textual.encode(np.append(cells.buffer, np.uint8(255)), start, stop)


@sensible()
def decode_cells(column: Decoded) -> list[str | None]:
    """What encode_cells was given."""
    found = textual.decode(column).bytes()
    return [None if c == b"\xff" else c.decode() for c in found]


def same(column: Decoded, values: Values) -> bool:
    """Whether a decoded column of a typed table is these values, bit for bit."""
    if isinstance(values, Cells):
        return decode_cells(column) == [
            None if gap else text for text, gap in zip(values.strings(), values.null, strict=True)
        ]
    x = decode_array(column)
    y = values.astype("datetime64[us]") if values.dtype.kind == "M" else values.astype(np.float64)
    return bool((x.view(np.int64) == np.ascontiguousarray(y).view(np.int64)).all())


def _decimals(x: npt.NDArray[np.float64]) -> int | None:
    """Fewest decimals that give nearly every number back bit for bit."""
    with np.errstate(over="ignore", invalid="ignore"):
        for places in range(MOST_DECIMALS + 1):
            k = np.rint(x * float(10**places))
            right = (k / float(10**places) == x) & (np.abs(k) < 2.0**53)
            if not len(x) or right.mean() > 0.98:
                return places
    return None


def _ordered(bits: Int, sign: int) -> Int:
    """Bits of floats as whole numbers in the floats' order; its own inverse."""
    return np.asarray(bits ^ ((bits >> np.int64(sign)) & np.int64((1 << sign) - 1)))


def _on_grid(x: Any, whole: Int, gap: Any, finite: Any, bound: Fraction) -> Coded:
    grid = float(bound) * 1.99
    k = np.zeros(len(x), np.int64)
    odd = ~gap & ~finite
    if grid > 0 and np.isfinite(grid):
        with np.errstate(all="ignore"):
            steps = np.where(finite, np.rint(np.where(finite, x, 0) / grid), 0)
            off = np.abs(grid * steps - np.where(finite, x, 0))
            odd |= finite & ~((np.abs(steps) < 2.0**53) & (off <= 0.999 * float(bound)))
        k = np.where(odd | gap, 0, steps).astype(np.int64)
        made = _typed({"k": "float", "g": grid.hex()}, k, gap, odd, whole)
        off = off[~gap & ~odd]
        made.error = float(off.max(initial=0))
        made.square = float(np.square(off).sum())
        return made
    return _typed({"k": "float", "b": 64}, _ordered(whole, 63), gap, np.isnan(x) & ~gap, whole)


def _typed(meta: dict[str, Any], k: Int, gap: Any, odd: Any, whole: Int) -> Coded:
    """kinds: 0 a value, 1 a gap (if there are), the last a raw one."""
    kinds = np.zeros(len(k), np.int64)
    if gap.any():
        meta["z"] = 1
        kinds[gap] = 1
    if odd.any():
        meta["r"] = 1
        kinds[odd] = 1 + bool(meta.get("z"))
    good = kinds == 0
    streams = [Stream(k[good], None if good.all() else good)]
    if not good.all():
        streams = [Stream(kinds), *streams]
    if odd.any():
        streams.append(Stream(whole[odd], odd))
    return Coded(meta, streams)
