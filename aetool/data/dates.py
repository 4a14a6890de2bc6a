"""Dates and times in text to epoch seconds (UTC) and back, by one format for all of them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from aetool.data.notation.calendar import civil, days_of
from aetool.model import Float, Int

# Day-first and month-first are told apart by the values; a column that fits both is ambiguous
# and is not taken for dates.
BAR = "|"  # between the fields of a format in one text
DAY = 86400.0
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
    """One way to write dates, field by field; as a text, `str` of it, the fields joined by |.

    order: of year, month and day: "ymd", "dmy" or "mdy". separator: between these numbers: "-", "/"
    or ".". joint: "T" or " " before a time, "" without one. fields: of the time: "" (none), "hm" or
    "hms". digits: how many the second's fraction has. zone: as written, such as "Z" or "+01:00", ""
    for none. padded: "0" where days, months and hours below ten begin with a zero, else "1".
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
        """The format that a text such as "ymd|-| |hm|0||0" stands for, its fields joined by |.
        ValueError if it has not seven fields, or the fifth is no number; `is_format` checks the
        first, too."""
        order, separator, joint, fields, digits, zone, padded = text.split(BAR)
        return cls(
            order=order,
            separator=separator,
            joint=joint,
            fields=fields,
            digits=int(digits),
            zone=zone,
            padded=padded,
        )

    def __str__(self) -> str:
        """The format as a text, as `of` reads it."""
        fields = (
            self.order,
            self.separator,
            self.joint,
            self.fields,
            str(self.digits),
            self.zone,
            self.padded,
        )
        return BAR.join(fields)


def detect_format(samples: Iterable[str]) -> str | None:
    """Find the date format that all samples are written in, as a text such as 'ymd|-| |hm|0||0', of
    which each sample comes back exactly. None if there are no samples or no such format, or if all
    are dates, too, with day and month exchanged. Where nothing shows whether numbers below ten have
    a zero in front, they are taken to have one.

    The text has the fields of DateFormat: order, separator, T or blank, time fields, fraction
    digits, zone and padding.
    """
    samples = list(samples)
    if not samples:
        return None
    for order in _PATTERNS:
        formats: set[str] = set()
        for sample in samples:
            formats.update(_formats(order, sample))
        # padded ones first: they are the usual ones
        for candidate in sorted(formats, key=_is_unpadded):
            seconds = parse(samples, candidate)
            if not np.isfinite(seconds).all():
                continue
            if render(seconds, candidate) != samples:
                continue
            if order != "ymd" and _fits_both_orders(samples, candidate):
                return None
            return candidate
    return None


def _is_unpadded(fmt: str) -> bool:
    """Whether a format, as a text, writes days, months and hours below ten without a zero before
    them."""
    return fmt.endswith("|1")


def _formats(order: str, text: str) -> list[str]:
    """The formats, as str(DateFormat) has them, that a text may be written in if its numbers are in
    this order, "ymd", "dmy" or "mdy": padded and not; [] if it is no date."""
    match = _PATTERNS[order].fullmatch(text)
    if match is None:
        return []
    facts = _facts_of(match)
    formats = []
    for padded in "01":
        date_format = DateFormat(order, *facts, padded)
        formats.append(str(date_format))
    return formats


def _facts_of(match: re.Match[str]) -> tuple[str, str, str, int, str]:
    """How a text is written that one of _PATTERNS matched: (separator, joint, fields, digits,
    zone), as DateFormat has them."""
    fields = "hms"
    if match["h"] is None:
        fields = ""
    elif match["e"] is None:
        fields = "hm"
    # groups that a text has not are None
    joint = match["t"] or ""
    digits = len(match["f"] or "")
    zone = match["z"] or ""
    return match["s"], joint, fields, digits, zone


def is_format(fmt: object) -> bool:
    """Whether a text stands for a date format, as `str` of a DateFormat writes it: seven fields,
    the first a known order, the fifth a number from 0 to 99. The other fields are not looked at."""
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


def _fits_both_orders(samples: Sequence[str], fmt: str) -> bool:
    """Whether all samples, dates of the format `fmt`, a text, are dates, too, if day and month
    change places. fmt: of the order "dmy" or "mdy"; KeyError for "ymd"."""
    date_format = DateFormat.of(fmt)
    other_order = {"dmy": "mdy", "mdy": "dmy"}[date_format.order]
    swapped = dataclasses.replace(date_format, order=other_order)
    seconds = parse(samples, str(swapped))
    return bool(np.isfinite(seconds).all())


def parse(texts: Sequence[str], fmt: str) -> Float:
    """Parse n texts as dates of one format: (n,) float64, seconds since 1970-01-01 00:00 UTC; NaN
    for a text that is written otherwise (zeros before days, months and hours do not matter) or is
    no moment of the calendar.

    fmt: a date format as text, such as "ymd|-| |hm|0||0": see DateFormat, of which `is_format` is
    true. A time without a zone is taken for UTC.
    """
    date_format = DateFormat.of(fmt)
    pattern = _PATTERNS[date_format.order]
    # of each text: year, month, day, hour, minute, second and its fraction
    parts = np.zeros((len(texts), 7))
    is_date = np.zeros(len(texts), dtype=np.bool_)
    facts = (
        date_format.separator,
        date_format.joint,
        date_format.fields,
        date_format.digits,
        date_format.zone,
    )
    for place, text in enumerate(texts):
        match = pattern.fullmatch(text)
        # written otherwise than the format says
        if match is None or _facts_of(match) != facts:
            continue
        # fields that the format has not are None; numpy makes numbers of the others
        date = match.group("y", "m", "d")
        hour_text, minute_text, second_text = match.group("h", "i", "e")
        clock = (hour_text or 0, minute_text or 0, second_text or 0)
        fraction = float("0." + match["f"]) if match["f"] else 0.0
        parts[place] = (*date, *clock, fraction)
        is_date[place] = True
    # texts that are no dates of the format stay 0 here
    year = parts[:, 0].astype(np.int64)
    month = parts[:, 1].astype(np.int64)
    day = parts[:, 2].astype(np.int64)
    is_date &= year >= 1
    is_date &= (month >= 1) & (month <= 12)
    is_date &= (day >= 1) & (day <= 31)
    hour = parts[:, 3]
    minute = parts[:, 4]
    second = parts[:, 5]
    is_date &= (hour < 24) & (minute < 60) & (second < 60)
    # 1 January 1970 in place of what is no date
    sane_year = np.where(is_date, year, 1970)
    sane_month = np.where(is_date, month, 1)
    sane_day = np.where(is_date, day, 1)
    days = days_of(sane_year, sane_month, sane_day)
    # a day beyond the end of its month, 31 April, comes back in the next one
    back_year, back_month, _ = civil(days)
    is_date &= (back_year == year) & (back_month == month)
    clock_seconds = parts[:, 3:] @ np.array([3600.0, 60.0, 1.0, 1.0])
    seconds = days * DAY + clock_seconds - _seconds_ahead_of_utc(date_format.zone)
    return np.where(is_date, seconds, np.nan)


def render(seconds: Float, fmt: str) -> list[str]:
    """Write moments, (n,) float64 seconds since 1970-01-01 00:00 UTC, all finite, in one format: a
    text for each, rounded to the format's last field (a day, a minute, or the second's last digit),
    in the format's zone. fmt: a date format as text, such as "ymd|-| |hm|0||0", see DateFormat, of
    which `is_format` is true."""
    date_format = DateFormat.of(fmt)
    # a tick is one unit of the second's last digit
    ticks_a_second = 10**date_format.digits
    ticks_a_day = 86400 * ticks_a_second
    # how many ticks the last field that is written counts by
    steps = {"": ticks_a_day, "hm": 60 * ticks_a_second, "hms": 1}
    step = steps[date_format.fields]
    local = seconds + _seconds_ahead_of_utc(date_format.zone)
    counts = np.rint(local * ticks_a_second / step)
    ticks = counts.astype(np.int64) * step
    days, times_of_day = np.divmod(ticks, ticks_a_day)
    dates = _dates_as_texts(days, date_format)
    if not date_format.fields:
        return dates
    clocks = _clocks_as_texts(times_of_day, date_format)
    joint = date_format.joint
    zone = date_format.zone
    pairs = zip(dates, clocks, strict=True)
    return [date + joint + clock + zone for date, clock in pairs]


def _padding(date_format: DateFormat) -> str:
    """How Python formats days, months and hours for this date format: "02d", with a zero before one
    digit, or "d"."""
    return "02d" if date_format.padded == "0" else "d"


def _dates_as_texts(days: Int, date_format: DateFormat) -> list[str]:
    """The text of each of the days, (n,) int64 counted from 1970-01-01, in this format, without a
    time."""
    year, month, day = civil(days)
    padding = _padding(date_format)
    texts_by_field = {
        "y": [format(number, "04d") for number in year.tolist()],
        "m": [format(number, padding) for number in month.tolist()],
        "d": [format(number, padding) for number in day.tolist()],
    }
    first, second, third = (texts_by_field[field] for field in date_format.order)
    numbers = zip(first, second, third, strict=True)
    return [date_format.separator.join(date) for date in numbers]


def _clocks_as_texts(times_of_day: Int, date_format: DateFormat) -> list[str]:
    """The text of each time of day in this format, which has a time, without its zone.
    times_of_day: (n,) int64, since midnight, in units of the last digit of a second that the format
    writes (10^-digits seconds); what a format without seconds does not write is cut off."""
    ticks_a_second = 10**date_format.digits
    hour, rest = np.divmod(times_of_day, 3600 * ticks_a_second)
    minute, rest = np.divmod(rest, 60 * ticks_a_second)
    second, fraction = np.divmod(rest, ticks_a_second)
    # one template for all, filled with the four numbers
    template = f"{{0:{_padding(date_format)}}}:{{1:02d}}"
    if date_format.fields == "hms":
        template += ":{2:02d}"
        if date_format.digits:
            template += f".{{3:0{date_format.digits}d}}"
    columns = [part.tolist() for part in (hour, minute, second, fraction)]
    clocks = zip(*columns, strict=True)
    return [template.format(*numbers) for numbers in clocks]


def _seconds_ahead_of_utc(zone: str) -> float:
    """Seconds by which the clocks of a zone, written as "", "Z", "+01:00" or "-0130", are ahead of
    UTC; negative where they are behind."""
    if zone in ("", "Z"):
        return 0.0
    # with or without a colon between
    hours = int(zone[1:3])
    minutes = int(zone[-2:])
    size = hours * 3600.0 + minutes * 60.0
    return size if zone[0] == "+" else -size
