"""Round moments for the ticks of an axis of time, and their words."""

from __future__ import annotations

import math
from datetime import MAXYEAR, UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE = 60.0  # seconds
HOUR = 60 * MINUTE
DAY = 24 * HOUR
MONTH = 30.4 * DAY
# how far apart moments may be, in the unit of each line
SECONDS = (1, 2, 5, 10, 30)
MINUTES = (1, 2, 5, 10, 30)
HOURS = (1, 2, 3, 6, 12)
DAYS = (1, 2, 4, 7, 14, 28)
MONTHS = (1, 2, 3, 6, 12)
ROOM = 110  # units of a drawing that a moment takes, with what parts it from the next
FROM_MONTHS = 20 * DAY  # apart: moments are beginnings of months

Moments = tuple[list[float], list[str]]  # epoch seconds, and words


def time_ticks(first: float, last: float, width: float) -> Moments:
    """Choose round moments for the ticks of an axis of time, about as many as a drawing of this
    width, in pixels, has room for. Returns two lists: the moments from first to last, in epoch
    seconds, and a text for each, in UTC.

    first, last: the ends of the axis, in epoch seconds, last above first. Both lists are empty for
    years that calendars do not have.
    """
    fewest = max(2, int(width / ROOM))
    least_distance = (last - first) / fewest
    try:
        if least_distance > FROM_MONTHS:
            return _months(first, last, least_distance)
        return _days_or_less(first, last, least_distance)
    except (OverflowError, ValueError, OSError):
        return [], []


def _days_or_less(first: float, last: float, least_distance: float) -> Moments:
    """Choose the ticks of an axis of time from first to last, in epoch seconds, at equal steps of
    seconds, minutes, hours or days: the shortest round step of at least `least_distance` seconds,
    or 28 days. Returns two lists: the moments, in epoch seconds, and a text for each, in UTC."""
    lengths = [float(count) for count in SECONDS]
    for unit, counts in ((MINUTE, MINUTES), (HOUR, HOURS), (DAY, DAYS)):
        lengths += [count * unit for count in counts]
    step = next((length for length in lengths if length >= least_distance), lengths[-1])
    if step >= DAY:
        form = "%d %b"
    elif last - first > DAY:
        form = "%d %b %H:%M"
    else:
        form = "%H:%M:%S"
    # days and hours begin at multiples of their lengths since 1970
    numbers = range(math.ceil(first / step), int(last // step) + 1)
    moments = [number * step for number in numbers]
    words = [_date(moment).strftime(form) for moment in moments]
    return moments, words


def _months(first: float, last: float, least_distance: float) -> Moments:
    """Ticks of an axis of time at beginnings of months or years, in UTC: (epoch seconds, words).
    first, last: the ends of the axis, in epoch seconds; least_distance: the least distance of two
    ticks, in seconds, a month counting as 30.4 days. They are 1, 2, 3 or 6 months or a year apart,
    whichever suffices first, else some years, at multiples of these; years have words such as 2020,
    and shorter steps such as Jan 2020."""
    months_apart = next(
        (months_apart for months_apart in MONTHS if months_apart * MONTH >= least_distance), None
    )
    years_apart = 1
    if months_apart is None:
        months_apart = 12
        years_apart = math.ceil(least_distance / (12 * MONTH))
    form = "%b %Y" if months_apart < 12 else "%Y"
    earliest = _date(first).year
    latest = _date(last).year
    moments = []
    words = []
    # several years apart they are round ones, such as 2000 and 2005
    for year in range(earliest - earliest % years_apart, latest + 1, years_apart):
        # round years reach beyond those of the calendar
        if not 1 <= year < MAXYEAR:
            continue
        for month in range(1, 13, months_apart):
            beginning = datetime(year, month, 1, tzinfo=UTC)
            if first <= beginning.timestamp() <= last:
                moments.append(beginning.timestamp())
                words.append(beginning.strftime(form))
    return moments, words


def _date(moment: float) -> datetime:
    """The date and time, in UTC, of a moment in epoch seconds; OverflowError for a year that
    calendars do not have."""
    return EPOCH + timedelta(seconds=moment)  # Windows knows no moments before 1970
