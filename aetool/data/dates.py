"""Dates and times as they are written, to epoch seconds (UTC) and back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from aetool.model import Float, Int

# Day-first and month-first are told apart by the values; a column that fits both is ambiguous
# and is not taken for dates.
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
    head = f"{order}|{m['s']}|{m['t'] or ''}|{fields}|{len(m['f'] or '')}|{m['z'] or ''}|"
    return [head + "0", head + "1"]


def is_format(fmt: object) -> bool:
    """Whether this is a format that formats of dates are told by."""
    parts = fmt.split("|") if isinstance(fmt, str) else []
    return len(parts) == 7 and parts[0] in _PATTERNS and parts[4].isdecimal() and len(parts[4]) < 3


def _ambiguous(samples: Sequence[str], fmt: str) -> bool:
    swapped = {"dmy": "mdy", "mdy": "dmy"}[fmt[:3]] + fmt[3:]
    return bool(np.isfinite(parse(samples, swapped)).all())


def parse(texts: Sequence[str], fmt: str) -> Float:
    """Epoch seconds of each text, (n,) float64; NaN where a text is not in this format."""
    order, sep, joint, fields, digits, zone, _ = fmt.split("|")
    pattern = _PATTERNS[order]
    parts = np.zeros((len(texts), 7))
    good = np.zeros(len(texts), dtype=np.bool_)
    for i, text in enumerate(texts):
        m = pattern.fullmatch(text)
        if not m or m["s"] != sep or (m["t"] or "") != joint or (m["z"] or "") != zone:
            continue
        if len(m["f"] or "") != int(digits) or (m["h"] is None) != (not fields):
            continue
        if (m["e"] is None) != (fields != "hms"):
            continue
        fraction = float("0." + m["f"]) if m["f"] else 0.0
        clock = (m["h"] or 0, m["i"] or 0, m["e"] or 0, fraction)
        parts[i] = (m["y"], m["m"], m["d"], *clock)
        good[i] = True
    year, month, day = (parts[:, i].astype(np.int64) for i in range(3))
    good &= (month >= 1) & (month <= 12) & (day >= 1) & (year >= 1) & (day <= 31)
    good &= (parts[:, 3] < 24) & (parts[:, 4] < 60) & (parts[:, 5] < 60)
    days = _days(np.where(good, year, 1970), np.where(good, month, 1), np.where(good, day, 1))
    back_year, back_month, _ = _civil(days)
    good &= (back_year == year) & (back_month == month)
    seconds = days * 86400.0 + parts[:, 3:] @ np.array([3600.0, 60.0, 1.0, 1.0]) - _offset(zone)
    return np.where(good, seconds, np.nan)


def render(seconds: Float, fmt: str) -> list[str]:
    """Each moment written in this format, rounded to its last field."""
    order, sep, joint, fields, digits, zone, padded = fmt.split("|")
    unit = 10 ** int(digits)
    step = {"": 86400 * unit, "hm": 60 * unit, "hms": 1}[fields]
    local = np.rint((seconds + _offset(zone)) * unit / step).astype(np.int64) * step
    days, clock = np.divmod(local, 86400 * unit)
    year, month, day = _civil(days)
    date = {"y": [f"{v:04d}" for v in year.tolist()]}
    pad = "02d" if padded == "0" else "d"
    date["m"] = [format(v, pad) for v in month.tolist()]
    date["d"] = [format(v, pad) for v in day.tolist()]
    out = [sep.join(p) for p in zip(*(date[c] for c in order), strict=True)]
    if not fields:
        return out
    hour, rest = np.divmod(clock, 3600 * unit)
    minute, rest = np.divmod(rest, 60 * unit)
    second, fraction = np.divmod(rest, unit)
    tail = f".{{3:0{digits}d}}" if int(digits) else ""
    shape = f"{{0:{pad}}}:{{1:02d}}" + (":{2:02d}" + tail if fields == "hms" else "") + zone
    clocks = zip(hour.tolist(), minute.tolist(), second.tolist(), fraction.tolist(), strict=True)
    return [d + joint + shape.format(*c) for d, c in zip(out, clocks, strict=True)]


def _offset(zone: str) -> float:
    if zone in ("", "Z"):
        return 0.0
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    return (1 if zone[0] == "+" else -1) * (hours * 3600.0 + minutes * 60.0)


def _days(year: Int, month: Int, day: Int) -> Int:
    """Days since 1970-01-01 in the proleptic Gregorian calendar (Hinnant, days_from_civil)."""
    y = year - (month <= 2)
    era = y // 400
    of_era = y - era * 400
    of_year = (153 * (month + np.where(month > 2, -3, 9)) + 2) // 5 + day - 1
    return np.asarray(era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468)


def _civil(days: Int) -> tuple[Int, Int, Int]:
    """Year, month, day of days since 1970-01-01 (Hinnant, civil_from_days)."""
    z = days + 719468
    era = z // 146097
    doe = z - era * 146097
    yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    month = mp + np.where(mp < 10, 3, -9)
    return yoe + era * 400 + (month <= 2), month, doy - (153 * mp + 2) // 5 + 1
