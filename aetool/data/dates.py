"""Dates and times as they are written, to epoch seconds (UTC) and back."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from aetool.data.notation.calendar import civil, days_of
from aetool.model import Float

# Day-first and month-first are told apart by the values; a column that fits both is ambiguous
# and is not taken for dates.
BAR = "|"  # between the fields of a format in one text
_DATES = {
    "ymd": r"(?P<y>\d{4})(?P<s>[-/.])(?P<m>\d{1,2})(?P=s)(?P<d>\d{1,2})",
    "dmy": r"(?P<d>\d{1,2})(?P<s>[-/.])(?P<m>\d{1,2})(?P=s)(?P<y>\d{4})",
    "mdy": r"(?P<m>\d{1,2})(?P<s>[-/.])(?P<d>\d{1,2})(?P=s)(?P<y>\d{4})",
}
_TIME = (
    r"(?:(?P<t>[T ])(?P<h>\d{1,2}):(?P<i>\d{2})(?::(?P<e>\d{2})(?:\.(?P<f>\d{1,9}))?)?"
    r"(?P<z>Z|[+-]\d{2}:?\d{2})?)?"
)
_PATTERNS = {order: re.compile(date + _TIME) for order, date in _DATES.items()}


@dataclass(frozen=True)
class DateFormat:
    """One way to write dates, field by field.

    order: "ymd", "dmy" or "mdy". separator: between its numbers. joint: T or blank before a time.
    fields: "" (no time), "hm" or "hms". digits: of the second's fraction. zone: as written. padded:
    "0", where days, months and hours below ten begin with a zero, else "1".
    """

    order: str
    separator: str
    joint: str
    fields: str
    digits: int
    zone: str
    padded: str

    @classmethod
    def of(cls, text: str) -> DateFormat:
        """The format of a text, its fields joined by |: ymd|-| |hm|0||0. ValueError if it has not
        seven fields."""
        order, separator, joint, fields, digits, zone, padded = text.split(BAR)
        return cls(order, separator, joint, fields, int(digits), zone, padded)

    def __str__(self) -> str:
        facts = (self.order, self.separator, self.joint, self.fields, str(self.digits))
        return BAR.join((*facts, self.zone, self.padded))


def detect_format(samples: Iterable[str]) -> str | None:
    """The one format all samples are written in, or None.

    A format is order, separator, T or blank, time fields, fraction digits, zone and padding, such
    as 'ymd|-| |hm|0||0'. It is accepted only if it renders every sample exactly.
    """
    samples = list(samples)
    if not samples:
        return None
    for order in _PATTERNS:
        formats = {f for s in samples for f in _formats(order, s)}
        for candidate in sorted(formats, key=lambda f: f.endswith("|1")):
            seconds = parse(samples, candidate)
            if np.isfinite(seconds).all() and render(seconds, candidate) == samples:
                if order != "ymd" and _ambiguous(samples, candidate):
                    return None
                return candidate
    return None


def _formats(order: str, text: str) -> list[str]:
    m = _PATTERNS[order].fullmatch(text)
    if not m:
        return []
    fields = "" if m["h"] is None else "hm" if m["e"] is None else "hms"
    facts = (order, m["s"], m["t"] or "", fields, len(m["f"] or ""), m["z"] or "")
    return [str(DateFormat(*facts, padded)) for padded in "01"]


def is_format(fmt: object) -> bool:
    """Whether a text stands for a date format, as `str` of a DateFormat writes it."""
    try:
        date_format = DateFormat.of(fmt) if isinstance(fmt, str) else None
    except ValueError:
        return False
    # as it is written again: int() takes blanks and signs, too
    return (
        date_format is not None
        and date_format.order in _PATTERNS
        and 0 <= date_format.digits < 100
        and str(date_format) == fmt
    )


def _ambiguous(samples: Sequence[str], fmt: str) -> bool:
    date_format = DateFormat.of(fmt)
    other = {"dmy": "mdy", "mdy": "dmy"}[date_format.order]
    swapped = str(dataclasses.replace(date_format, order=other))
    return bool(np.isfinite(parse(samples, swapped)).all())


def parse(texts: Sequence[str], fmt: str) -> Float:
    """(n,) float64: the epoch seconds, UTC, of each text; NaN for a text that is not in this
    format."""
    date_format = DateFormat.of(fmt)
    pattern = _PATTERNS[date_format.order]
    parts = np.zeros((len(texts), 7))
    good = np.zeros(len(texts), dtype=np.bool_)
    for i, text in enumerate(texts):
        m = pattern.fullmatch(text)
        if not m or m["s"] != date_format.separator:
            continue
        if (m["t"] or "") != date_format.joint or (m["z"] or "") != date_format.zone:
            continue
        if len(m["f"] or "") != date_format.digits or (m["h"] is None) != (not date_format.fields):
            continue
        if (m["e"] is None) != (date_format.fields != "hms"):
            continue
        fraction = float("0." + m["f"]) if m["f"] else 0.0
        clock = (m["h"] or 0, m["i"] or 0, m["e"] or 0, fraction)
        parts[i] = (m["y"], m["m"], m["d"], *clock)
        good[i] = True
    year, month, day = (parts[:, i].astype(np.int64) for i in range(3))
    good &= (month >= 1) & (month <= 12) & (day >= 1) & (year >= 1) & (day <= 31)
    good &= (parts[:, 3] < 24) & (parts[:, 4] < 60) & (parts[:, 5] < 60)
    days = days_of(np.where(good, year, 1970), np.where(good, month, 1), np.where(good, day, 1))
    back_year, back_month, _ = civil(days)
    good &= (back_year == year) & (back_month == month)
    seconds = (
        days * 86400.0
        + parts[:, 3:] @ np.array([3600.0, 60.0, 1.0, 1.0])
        - _offset(date_format.zone)
    )
    return np.where(good, seconds, np.nan)


def render(seconds: Float, fmt: str) -> list[str]:
    """Write each moment, epoch seconds (n,), in this format, rounded to the format's last field."""
    date_format = DateFormat.of(fmt)
    unit = 10**date_format.digits
    step = {"": 86400 * unit, "hm": 60 * unit, "hms": 1}[date_format.fields]
    local = np.rint((seconds + _offset(date_format.zone)) * unit / step).astype(np.int64) * step
    days, clock = np.divmod(local, 86400 * unit)
    year, month, day = civil(days)
    date = {"y": [f"{v:04d}" for v in year.tolist()]}
    pad = "02d" if date_format.padded == "0" else "d"
    date["m"] = [format(v, pad) for v in month.tolist()]
    date["d"] = [format(v, pad) for v in day.tolist()]
    out = [
        date_format.separator.join(p)
        for p in zip(*(date[c] for c in date_format.order), strict=True)
    ]
    if not date_format.fields:
        return out
    hour, rest = np.divmod(clock, 3600 * unit)
    minute, rest = np.divmod(rest, 60 * unit)
    second, fraction = np.divmod(rest, unit)
    tail = f".{{3:0{date_format.digits}d}}" if date_format.digits else ""
    last = ":{2:02d}" + tail if date_format.fields == "hms" else ""
    shape = f"{{0:{pad}}}:{{1:02d}}" + last + date_format.zone
    clocks = zip(hour.tolist(), minute.tolist(), second.tolist(), fraction.tolist(), strict=True)
    return [d + date_format.joint + shape.format(*c) for d, c in zip(out, clocks, strict=True)]


def _offset(zone: str) -> float:
    if zone in ("", "Z"):
        return 0.0
    hours = int(zone[1:3])
    minutes = int(zone[-2:])
    return (1 if zone[0] == "+" else -1) * (hours * 3600.0 + minutes * 60.0)
