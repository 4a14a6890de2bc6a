"""Days of the proleptic Gregorian calendar, counted from 1970-01-01, by arrays."""

from __future__ import annotations

import numpy as np

from aetool.data.table import Mask
from aetool.model import Int

MONTHS, DAYS = "datetime64[M]", "datetime64[D]"  # numpy's own counts from 1970


def days_of(year: Int, month: Int, day: Int) -> Int:
    """The days from 1970-01-01 to dates, (n,) int64, negative before it. year, month (from 1), day
    (from 1): (n,) int64 each; a day or month beyond the end counts into the next."""
    first_day = _days_before(_months(year, month))
    return first_day + day - 1


def civil(days: Int) -> tuple[Int, Int, Int]:
    """The dates of days, (n,) int64, counted from 1970-01-01: (year, month, day), (n,) int64 each,
    month and day from 1."""
    months = days.astype(DAYS).astype(MONTHS).astype(np.int64)
    years, month = np.divmod(months, 12)
    day = days - _days_before(months)
    return years + 1970, month + 1, day + 1


def are_days(year: Int, month: Int, day: Int) -> Mask:
    """Which dates exist, (n,) bool: where year, month and day are a day of the calendar, from year
    1 to 9999."""
    exists = year >= 1
    exists &= year <= 9999
    exists &= month >= 1
    exists &= month <= 12
    # January 1970 in place of what is no month
    sane_year = np.where(exists, year, 1970)
    sane_month = np.where(exists, month, 1)
    months = _months(sane_year, sane_month)
    days_in_month = _days_before(months + 1) - _days_before(months)
    exists &= day >= 1
    exists &= day <= days_in_month
    return exists


def _months(year: Int, month: Int) -> Int:
    """Months, (n,), from 1970-01 to this year and month, which counts from 1; (n,) each."""
    years = year - 1970
    return years * 12 + month - 1


def _days_before(months: Int) -> Int:
    """Days, (n,), from 1970-01-01 to the first day of each month. months: (n,), counted from
    1970-01."""
    return np.asarray(months.astype(MONTHS).astype(DAYS).astype(np.int64))
