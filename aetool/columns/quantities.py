"""Tells which columns of a table hold amounts, and which hold names written in digits, such as
keys."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Sequence

from aetool.columns.category import Category
from aetool.columns.column import Column
from aetool.columns.date import Date
from aetool.columns.identifier import Identifier
from aetool.columns.number import INTEGERS, Number
from aetool.columns.schema import Schema
from aetool.columns.text import Text
from aetool.data.notation.patterns import Pattern

# as people call a column that names something in digits: user_id, zip, order_number, phone; and
# run together, pid, caseid, idno, statecode. Words that measure end so, too, and are not in it:
# bid, paid, aid, acid, humid, Swedish tid (time)
KEY = Pattern(
    r"(?:^|[\W_])(?:ids?|uuid|guid|keys?|nr|no|hash|\w*code|zip|plz"
    r"|phone|telephone|tel|fax|mobile|ean|upc|gtin|isbn|sku|ssn|iban|pin|imei|account|serial"
    r"|[cefghnopsuv]id|id(?:no|nr|num)|(?:county|state)?fips"
    r"|(?:case|child|city|client|cluster|county|cust|customer|dist|entity|event|fam|family|geo"
    r"|group|item|member|movie|nat|object|order|part|party|pat|patient|person|player|prod|product"
    r"|record|sch|school|session|site|store|study|subj|subject|town|transaction|unit|user|usubj)id"
    r")$"
    r"|^id[\W_]"
    r"|(?:account|batch|card|case|customer|flight|house|invoice|item|lot|order|part|phone|policy"
    r"|room|serial|ticket|user)[\W_]?(?:num|number)$",
    re.IGNORECASE,
)
# one thing or person, as people call a column that says which one it is; of two of them, from_ and
# to_ station. Several of them, as in customers, are counted
ONE_OF_MANY = Pattern(
    r"^(?:(?:from|to|start|end|source|destination|origin|parent|sender|receiver|home|away)[\W_])?"
    r"(?:account|apartment|article|branch|building|camera|client|company|county|customer|dealer"
    r"|device|district|driver|employee|employer|establishment|farm|firm|flight|game|hospital"
    r"|hotel|household|individual|invoice|item|machine|match|member|merchant|movie"
    r"|municipality|nurse|order|owner|parcel|participant|passenger|patient|person|physician|plant"
    r"|player|product|pupil|respondent|route|school|seller|sensor|session|shop|station|store"
    r"|student|subject|supplier|teacher|team|ticket|transaction|truck|user|vehicle|vendor|village"
    r"|visitor|warehouse|worker)$",
    re.IGNORECASE,
)
# userId and orderNo, but not paid and piano
KEY_AFTER_SMALL_LETTER = Pattern(r"[a-z](?:I[dD]|No|Nr|Code|Key|Zip|Phone)$")
LARGEST_AMOUNT = 2.0**53  # above, a double does not hold every whole number
MOST_OF_A_CODE = 0.1  # different numbers of a code, as a part of the records
FEWEST_STEPS = 3.0  # from a code to the next on average, in whole numbers
FEWEST_DAYS = 4  # different numbers, all of which are days, to be taken for days
FIRST_YEAR, LAST_YEAR = 1800, 2200
NO_DAYS = frozenset((-1, 0, 99_999_999))  # what stands for a day that is not known


def places_of_names(schema: Schema, names: Sequence[str]) -> frozenset[int]:
    """The positions, from 0, of the columns whose values name something instead of measuring it:
    identifiers, keys, codes such as P7890 or few numbers far apart, dates, and words.

    names: of all columns of the table in their order, those included that the schema leaves out.

    A bound on the error of all numbers is not meant for these: rounded by 1 % of their range, one
    key becomes another, and what refers to it is lost.
    """
    # by name first, since the schema may lack columns of the table
    columns_of_names = {column.name for column in schema.columns if _is_name(column)}
    return frozenset(place for place, name in enumerate(names) if name in columns_of_names)


def _is_name(column: Column) -> bool:
    """Whether the cells of a column name something and do not measure it: keys, codes, identifiers,
    dates, texts, and words of which any is no number. False for numbers that measure, and for a
    column that was left out."""
    if isinstance(column, Category):
        # few different amounts are read as levels, and are amounts all the same
        return not all(_is_amount(level) for level in column.levels)
    if isinstance(column, Number):
        return is_key(column) or is_coded(column)
    return isinstance(column, Identifier | Date | Text)


def keys_of(schema: Schema) -> list[str]:
    """The names of the columns that hold keys by `is_key`, and that models judge as numbers all the
    same: each key comes too often for an identifier. Conditions, and columns in which nothing
    differs, are left out."""
    names = []
    for column in schema.modelled:
        # what is no amount for an archive is none for a model, but may tell of what is
        is_judged = not column.condition and not column.is_constant
        if is_judged and isinstance(column, Number) and is_key(column):
            names.append(column.name)
    return names


def is_key(column: Number) -> bool:
    """Whether a column of whole numbers holds keys rather than amounts: its name says so; or its
    numbers, of a column of integers or of text, are too long for amounts (above 2^53); or all that
    are known are days written as 20241231, four different ones at least. Keys may repeat, and are
    no row numbers. False if any number that is known of the column is not whole."""
    known_numbers = [column.low, column.high, *column.quantiles, *column.few]
    if not all(math.isfinite(number) and number.is_integer() for number in known_numbers):
        return False
    if any(names.search(column.name) for names in (KEY, KEY_AFTER_SMALL_LETTER, ONE_OF_MANY)):
        return True
    # nobody measures to sixteen digits, but large floats are whole whatever they measure
    is_integer = column.dtype is None or column.dtype.startswith(INTEGERS)
    if max(abs(column.low), abs(column.high)) > LARGEST_AMOUNT:
        return column.decimals == 0 and is_integer
    days = {int(number) for number in known_numbers} - NO_DAYS
    return len(days) >= FEWEST_DAYS and all(map(_is_day, days))


def is_coded(column: Number) -> bool:
    """Whether a column holds a few whole numbers that stand far apart and come again and again, as
    those do that stand for kinds, such as 20, 30, 120, 190: 2 to 32 different ones, at least 10
    records for each on average, and from one to the next a difference of at least 3 on average.
    False for numbers with decimals, with a unit or with marks of thousands, which are amounts.

    Rounded, one code becomes another, and exact they take hardly more bytes.
    """
    is_bare = not column.notation.group and not column.notation.unit
    if column.decimals != 0 or not is_bare:
        return False
    different = len(column.few)
    # a constant has no steps
    if different < 2 or different > MOST_OF_A_CODE * column.bin_counts.sum():
        return False
    return column.high - column.low >= FEWEST_STEPS * (different - 1)


def _is_day(number: int) -> bool:
    """Whether a whole number is a day of the years 1800 to 2200 written as 20241231."""
    year, month_and_day = divmod(number, 10_000)
    month, day = divmod(month_and_day, 100)
    # first, since a date of a year with ten digits is an OverflowError
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return False
    try:
        datetime.date(year, month, day)
    except ValueError:
        return False
    return True


def _is_amount(text: str) -> bool:
    """Whether a text is a finite number, as Python's `float` reads it, and nothing else."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
