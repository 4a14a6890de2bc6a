"""Parses one cell as a moment: its three numbers or a month's name, the clock, the zone.

What the three numbers of 01/02/03 are is for the column to say: a text is only taken apart here.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from aetool.data.notation.patterns import Pattern

LONGEST = 64  # characters

YEAR_FIRST, DAY_FIRST, MONTH_FIRST, SHORT_YEAR_FIRST = "ymd", "dmy", "mdy", "yymmdd"
NAMED, COMPACT, MONTH, TIME = "named", "compact", "month", "time"
SURE = (YEAR_FIRST, NAMED, COMPACT, MONTH)  # layouts that cannot be taken for another

CENTURY_TURNS = 69  # two digits from here on are of the 20th century, those below of the 21st

_MONTHS = (
    "january jan januar jänner jän jaen janvier janv enero ene gennaio gen",
    "february feb februar feber février févr fév fevrier fevr febrero febbraio",
    "march mar märz mär maerz mrz mars marzo",
    "april apr avril avr abril abr aprile",
    "may mai mayo maggio mag",
    "june jun juni juin junio giugno giu",
    "july jul juli juillet juil julio luglio lug",
    "august aug août aout aoû agosto ago",
    "september sep sept septembre septiembre settembre set",
    "october oct oktober okt octobre octubre ottobre ott",
    "november nov novembre noviembre",
    "december dec dezember dez décembre déc decembre diciembre dic dicembre",
)
_MONTH_OF = {name: 1 + i for i, names in enumerate(_MONTHS) for name in names.split()}

# Hours from UTC of zones that tables name; what may mean several is not among them.
_ZONES = {"z": 0, "utc": 0, "gmt": 0, "wet": 0, "west": 1, "bst": 1, "cet": 1, "mez": 1, "cest": 2,
          "mesz": 2, "eet": 2, "eest": 3, "msk": 3, "est": -5, "edt": -4, "cst": -6, "cdt": -5,
          "mst": -7, "mdt": -6, "pst": -8, "pdt": -7}  # fmt: skip

_CLOCK = (
    r"(?P<h>\d{1,2}):(?P<i>\d{2})(?::(?P<e>\d{2})(?:[.,](?P<f>\d{1,12}))?)?"
    r"(?:\s?(?P<half>[AaPp])\.?[Mm]\.?)?"
    rf"(?:\s?(?P<z>(?i:{'|'.join(_ZONES)})|(?:UTC|GMT)?[+−-]\d{{2}}(?::?\d{{2}})?))?"
    r"(?:\[[^\]]{1,40}\])?"
)
_BEHIND = rf"(?:(?P<joint>[Tt]|,?\s{{1,2}}|:|\sat\s|\sum\s|\sà\s){_CLOCK}(?:\sUhr)?)?"
_DIGIT = Pattern(r"\d")
_WEEKDAY = r"(?:[^\W\d_]{2,10}\.?,?\s+)?"
_NUMERIC = Pattern(
    rf"{_WEEKDAY}(?P<a>\d{{1,4}})(?P<s>[-/.])\s?(?P<b>\d{{1,2}})(?P=s)\s?(?P<c>\d{{1,4}}){_BEHIND}"
)
_COMPACT = Pattern(
    r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})"
    r"(?:(?P<joint>[T ]?)(?P<h>\d{2})(?P<i>\d{2})(?:(?P<e>\d{2})(?:\.(?P<f>\d{1,12}))?)?"
    r"(?P<half>(?!))?(?P<z>Z|[+-]\d{2}:?\d{2})?)?"
)
_DAY_NAMED = Pattern(
    rf"{_WEEKDAY}(?P<d>\d{{1,2}})(?:\.|st|nd|rd|th|er|º)?[\s/-]?(?:de\s|of\s)?"
    rf"(?P<n>[^\W\d_]{{3,10}})\.?,?[\s/-]?(?:de\s)?(?P<y>\d{{4}}|\d{{2}}){_BEHIND}"
)
_NAMED_DAY = Pattern(
    rf"{_WEEKDAY}(?P<n>[^\W\d_]{{3,10}})\.?[\s-](?P<d>\d{{1,2}})(?:st|nd|rd|th)?"
    rf"(?:,\s?|\s|-)(?P<y>\d{{4}}){_BEHIND}"
)
_YEAR_NAMED = Pattern(
    rf"(?P<y>\d{{4}})[\s/-](?P<n>[^\W\d_]{{3,10}})\.?[\s/-](?P<d>\d{{1,2}}){_BEHIND}"
)
_CTIME = Pattern(
    rf"{_WEEKDAY}(?P<n>[^\W\d_]{{3,10}})\s{{1,2}}(?P<d>\d{{1,2}})(?P<joint>\s){_CLOCK}\s(?P<y>\d{{4}})"
)
_YEAR_MONTH = Pattern(r"(?P<y>\d{4})[-/](?P<m>\d{1,2})")
_MONTH_YEAR = Pattern(r"(?P<m>\d{1,2})[-/](?P<y>\d{4})")
_NAMED_MONTH = Pattern(r"(?P<n>[^\W\d_]{3,10})\.?,?[\s/-](?P<y>\d{4}|\d{2})")
# a time by itself may be a duration, of more hours than a day has
_TIME = Pattern(_CLOCK.replace(r"(?P<h>\d{1,2})", r"(?P<h>\d{1,4})"))
_NAMES = (_DAY_NAMED, _NAMED_DAY, _YEAR_NAMED, _CTIME)


class Clock(NamedTuple):
    """The time of day of a moment, as written in a cell.

    seconds: whole ones since midnight UTC, so that they may be below 0 or beyond a day; fraction:
    of a second, 0 .. 1, to be added. joint: the text between day and time, "" without a day.
    fields: 0 without time, 2 (h:m) or 3 (h:m:s). digits: how many the fraction has. zoned: whether
    a zone is written.
    """

    seconds: int = 0
    fraction: float = 0.0
    joint: str = ""
    fields: int = 0
    digits: int = 0
    zoned: bool = False


class Apart(NamedTuple):
    """A date cell taken apart into its numbers and its time.

    layout: one of SURE or TIME, that tells year, month and day, which first, second and third then
    are (1970, 1, 1 of a time alone, day 1 of a month alone); "" if only the column can tell, and
    they are as written.
    separator: between the numbers, "" for none. widths: how many digits each has, 0 where it is not
    written; (4, 2, 2) where the layout is NAMED or COMPACT. clock: the time.
    """

    layout: str
    separator: str
    first: int
    second: int
    third: int
    widths: tuple[int, int, int]
    clock: Clock


MIDNIGHT = Clock()


def taken_apart(text: str) -> Apart | None:
    """Parse a text that may be a date, a time, or both, into its numbers, separator and clock; None
    if it is neither, or has fewer than 4 or more than LONGEST (64) characters, without blanks
    around it. Whether the numbers are a day of the calendar is not looked at."""
    text = text.strip()
    if not 4 <= len(text) <= LONGEST or not text[0].isalnum() or not _DIGIT.search(text):
        return None
    # the commonest forms first
    if match := _NUMERIC.fullmatch(text):
        return _of_three_numbers(match)
    if match := _COMPACT.fullmatch(text):
        return _of_known_order(COMPACT, "", match, int(match["m"]), int(match["d"]))
    if match := (_YEAR_MONTH.fullmatch(text) or _MONTH_YEAR.fullmatch(text)):
        year = int(match["y"])
        month = int(match["m"])
        # day 1 stands for the month
        separator = text[4] if match.re is _YEAR_MONTH.compiled else ""
        widths = (4, len(match["m"]), 0)
        return Apart(MONTH, separator, year, month, 1, widths, MIDNIGHT)
    if match := _TIME.fullmatch(text):
        clock = _clock(match)
        if clock:
            return Apart(TIME, "", 1970, 1, 1, (0, 0, 0), clock)
        return None
    return _of_named_month(text)


def _of_three_numbers(match: re.Match[str]) -> Apart | None:
    """A moment of three numbers, such as 2024-12-31 or 1/2/24, taken apart; None if their widths or
    the clock are none of a date. match: of _NUMERIC. A year of four digits in front is YEAR_FIRST;
    any other order is for the column to tell."""
    clock = _clock(match)
    if clock is None:
        return None
    widths = (len(match["a"]), len(match["b"]), len(match["c"]))
    # a year has two digits or four, and there is one
    if 3 in widths or (widths[0] == 4 and widths[2] > 2):
        return None
    numbers = int(match["a"]), int(match["b"]), int(match["c"])
    layout = YEAR_FIRST if widths[0] == 4 else ""
    # unless the year is first, the last number is the year or a day of two digits
    if not layout and widths[2] == 1:
        return None
    return Apart(layout, match["s"], *numbers, widths, clock)


def _of_known_order(
    layout: str, separator: str, match: re.Match[str], month: int, day: int
) -> Apart | None:
    """A moment whose year, month and day its text tells, taken apart; None if its clock is no time.
    layout: one of SURE; separator: between its numbers, "" for none; match: of a pattern with the
    group y, a year of two or four digits, and those of a clock; month, day: the numbers."""
    clock = _clock(match)
    if clock is None:
        return None
    year = full_year(int(match["y"]), len(match["y"]))
    return Apart(layout, separator, year, month, day, (4, 2, 2), clock)


def _of_named_month(text: str) -> Apart | None:
    """A moment with the name of a month, such as 31 Dec 2024, perhaps with a time, or Dec 2024,
    taken apart; None if the text is none, or the name no month in _MONTHS. text: trimmed."""
    for pattern in _NAMES:
        match = pattern.fullmatch(text)
        month = _MONTH_OF.get(match["n"].casefold()) if match else None
        if match and month:
            return _of_known_order(NAMED, "", match, month, int(match["d"]))
    match = _NAMED_MONTH.fullmatch(text)
    month = _MONTH_OF.get(match["n"].casefold()) if match else None
    if match and month:
        year = full_year(int(match["y"]), len(match["y"]))
        return Apart(MONTH, "", year, month, 1, (4, 2, 0), MIDNIGHT)
    return None


def full_year(year: int, width: int) -> int:
    """The year that is meant by a number, 0 or more, of `width` digits: of one or two digits one of
    1969 to 2068, else the number itself."""
    if width > 2:
        return year
    return year + (1900 if year >= CENTURY_TURNS else 2000)


def _clock(match: re.Match[str]) -> Clock | None:
    """The time of day of a match with the groups of _CLOCK; MIDNIGHT if none is written, None if
    its numbers or its zone are no time. 24:00 is the next midnight; hours beyond that only of a
    time alone, and a second 60 is a leap second."""
    if match["h"] is None:
        return MIDNIGHT
    hour = int(match["h"])
    minute = int(match["i"])
    second = int(match["e"] or 0)
    # a clock of twelve hours: 12 am is midnight, 12 pm is noon
    if match["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (match["half"] in "Pp")
    is_end_of_day = hour == 24 and not minute and not second
    # 60: a leap second, which counts as the first of the next minute
    if (
        minute > 59
        or second > 60
        or (hour > 23 and not is_end_of_day and match.re is not _TIME.compiled)
    ):
        return None
    offset = _seconds_ahead_of_utc(match["z"])
    if offset is None:
        return None
    fraction = int(match["f"]) / 10 ** len(match["f"]) if match["f"] else 0.0
    return Clock(
        seconds=hour * 3600 + minute * 60 + second - offset,
        fraction=fraction,
        joint=match["joint"] if "joint" in match.re.groupindex else "",
        fields=2 if match["e"] is None else 3,
        digits=len(match["f"] or ""),
        zoned=match["z"] is not None,
    )


def _seconds_ahead_of_utc(zone: str | None) -> int | None:
    """Seconds that the clocks of a zone, written as "+01:00", "UTC+0100" or by a name in _ZONES,
    are ahead of UTC, below 0 where they are behind; 0 for None or "", None for an unknown name."""
    if not zone:
        return 0
    if zone.isalpha():
        hours = _ZONES.get(zone.casefold())
        return None if hours is None else hours * 3600
    zone = zone.removeprefix("UTC").removeprefix("GMT")
    minutes = int(zone[1:3]) * 60 + int(zone[3:].lstrip(":") or 0)
    return minutes * 60 if zone[0] == "+" else -minutes * 60
