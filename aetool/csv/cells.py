"""Tells what a single cell of text looks like, before anything is known of its column: a gap, a
figure, a unit, a name.

This is how a header, a row of units and the lines around a table are told from its records; what a
column is, and which values it has, is not decided here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

# Words by which tables say that nothing is there, in small letters: case does not matter. Errors of
# spreadsheets (#DIV/0!, #REF!) are no gaps: something went wrong there, which is worth seeing.
GAP_WORDS = frozenset(
    (
        "",
        "keine angabe",
        "k. a.",
        "#n/a n/a",
        *"? ?? ??? - -- --- ---- – — . .. ... * ** _ \\n".split(),
        *"na n/a n.a. n.a n/d n.d. #n/a #na <na> <n/a> nat null (null) <null> #null! nil".split(),
        *"nan -nan +nan nan(ind) -nan(ind) 1.#qnan -1.#qnan 1.#ind -1.#ind".split(),
        *"none <none> (none) missing (missing) <missing> k.a. (blank) (leer)".split(),
    )
)
FEW_LETTERS = 4  # beside the digits of a figure: months, currencies, units, T and Z of times
LONGEST_FIGURE = 40
RULERS = frozenset("-=+|:_~ ")
# degC, m/s, W m-2, kg*m^2, %, [hPa], (°C), m³/h
UNIT = re.compile(
    r"[\[(]?[a-zA-Z°º%‰µμΩÅ$€£¥#][\w°º%‰µμΩÅ/*^·.²³⁻¹ -]{0,14}[\])]?|[\[(].{0,14}[\])]|yyyy\S*"
)
# words that are units and hardly anything else
UNIT_WORDS = frozenset(
    "m cm mm km um nm mi ft s sec ms min h hr d g kg mg t lb oz k c f v mv kv a ma w kw mw kwh "
    "wh hz khz mhz ghz pa hpa kpa mpa bar mbar psi atm deg degc degf degrees celsius kelvin "
    "fahrenheit percent pct ppm ppb ppt rpm l ml mol lux lx db dba j kj cal kcal n kn nm ohm "
    "mph kmh kts knots usd eur gbp utc yr day days hours minutes seconds pixel px count counts "
    "unitless".split()
)
UNIT_SIGNS = frozenset("[]()/%°º^µμΩ²³⁻‰€$£")
NUMBERED_NAME = re.compile(r"[^\W\d_]+\d+|[^\W\d_]\d+(\.\d+)+")  # x1, C10, V28, X2019, X1.2
DIGITS = re.compile(r"\d+")
LETTERS = re.compile(r"[^\W\d_]+")
PLAIN_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")

# as JSON writes numbers
PROGRAMS_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
DOUBLE_DIGITS = 15  # of any decimal number that a double restores
LARGEST_WHOLE = float(2**53)  # up to which every whole number is a double


def _pattern_of_sure_numbers(mark: str, other: str) -> re.Pattern[str]:
    """A pattern of the numbers that can have no other decimal mark than `mark`: of a point 1.5,
    0.125, 1234.567, 1,234.5 and 1,234,567, and not 1.234, whose point may part thousands. mark,
    other: the point, escaped as in a pattern, and the comma, or the other way round."""
    # groups do not begin with 0
    first_group = r"[1-9]\d{0,2}"
    # a mark that comes again can only part thousands
    grouped = rf"{first_group}(?:{other}\d{{3}}){{2,}}"
    # both marks: the last is the decimal one
    grouped_decimal = rf"{first_group}(?:{other}\d{{3}})+{mark}\d+"
    # one mark, where it cannot part thousands
    ungrouped = rf"(?!{first_group}{mark}\d{{3}}(?!\d))\d*{mark}\d+(?:[eE][+-]?\d+)?"
    return re.compile(rf"[+-]?(?:{grouped}|{grouped_decimal}|{ungrouped})")


SURE_POINT = _pattern_of_sure_numbers(r"\.", ",")
SURE_COMMA = _pattern_of_sure_numbers(",", r"\.")


def folded(words: Iterable[str]) -> frozenset[str]:
    """The words without blanks around them and in lower case, as `is_gap_word` compares them."""
    return frozenset(word.strip().casefold() for word in words)


def is_gap_word(text: str, words: Collection[str] = ()) -> bool:
    """Whether a text means a missing value: it is empty, or a word such as NA or null, in any case
    and with any blanks around it. words: further texts that do, trimmed and in lower case."""
    word = text.strip().casefold()
    return word in GAP_WORDS or word in words


def is_gap(cell: str) -> bool:
    """Whether the cell stands for a missing value: by a word such as NA, or with neither letter nor
    digit."""
    return is_gap_word(cell) or not any(c.isalnum() for c in cell)


def is_figure(cell: str) -> bool:
    """Whether the cell is a number, a date, a time or an amount: digits above all.

    It has a digit, at most 40 characters, and is a plain number, or has no underscore and at most 4
    letters, with at least two digits for each of these. Names such as `x1`, `C10`, `T2M` or
    `2nd_half` are none.
    """
    digits = sum(c.isdigit() for c in cell)
    if not digits or len(cell) > LONGEST_FIGURE or NUMBERED_NAME.fullmatch(cell.strip()):
        return False
    if is_plain_number(cell):
        return True
    letters = sum(c.isalpha() for c in cell)
    return "_" not in cell and letters <= FEW_LETTERS and digits >= 2 * letters


def is_plain_number(cell: str) -> bool:
    """Whether the cell is a number written with nothing but digits, a sign, a decimal mark (point
    or comma) and an exponent; blanks around it do not count."""
    return bool(PLAIN_NUMBER.fullmatch(cell.strip()))


def numbers_of(cells: Sequence[str]) -> list[int | float | None] | None:
    """The values of cells that are all numbers as programs write them, such as -12, 0.5 or 1e-7, or
    gaps, such as NA: whole numbers if all are, else doubles, None for a gap. None in place of all
    where a cell is anything else, all are gaps, or a number would lose digits or a zero in front: a
    key such as 007, or one of 19 digits, stays the text that it is."""
    is_whole = True
    has_gap = [is_gap_word(cell) for cell in cells]
    for cell, is_missing in zip(cells, has_gap, strict=True):
        if is_missing:
            continue
        if not PROGRAMS_NUMBER.fullmatch(cell):
            return None
        value = float(cell)
        digits = sum(c.isdigit() for c in cell)
        # up to 15 digits a double restores; more, if it was printed from one
        if abs(value) > LARGEST_WHOLE or (digits > DOUBLE_DIGITS and repr(value) != cell):
            return None
        is_whole = is_whole and cell.lstrip("-").isdigit()
    if all(has_gap):
        return None
    as_number = int if is_whole else float
    return [
        None if is_missing else as_number(cell)
        for cell, is_missing in zip(cells, has_gap, strict=True)
    ]


def is_number(cell: str, decimal: str) -> bool:
    """Whether Python's `float` reads the cell once this decimal mark is replaced by a point: with
    decimal="," both 1,5 and 1.5 are numbers. Never with an underscore, or without a digit, as inf.
    Blanks around it do not count."""
    try:
        float(cell.replace(decimal, "."))
    except ValueError:
        return False
    return "_" not in cell and any(c.isdigit() for c in cell)


def sure_mark(cell: str) -> str:
    """The decimal mark, "." or ",", that a cell has if it is a number that can have no other; "" of
    what may have either, as 12 and 1.234, and what is no number. Blanks around it do not count."""
    trimmed = cell.strip()
    if SURE_POINT.fullmatch(trimmed):
        return "."
    if SURE_COMMA.fullmatch(trimmed):
        return ","
    # nothing that tells, as in 12 or 1.234
    return ""


def is_unit(cell: str) -> bool:
    """Whether the cell may be the unit of a column, by its form, as nearly any short word may.

    It is up to 15 letters, digits, blanks and signs of units, the first a letter or a sign, with or
    without brackets; or up to 14 characters of any kind in brackets; or begins with yyyy and has no
    blank. Blanks around it do not count.
    """
    return bool(UNIT.fullmatch(cell.strip()))


def is_certain_unit(cell: str) -> bool:
    """Whether the cell is a unit of measurement beyond doubt, such as km/h: it is one of
    UNIT_WORDS, in any case and with any blanks around it, or has one of UNIT_SIGNS, such as % or /,
    anywhere in it."""
    return cell.strip().lower() in UNIT_WORDS or bool(set(cell) & UNIT_SIGNS)


def shape_of(cell: str) -> str:
    """The cell with each run of digits replaced by one 0 and each run of letters by one a, to
    compare forms: "a0-0" of "AB12-7"."""
    return LETTERS.sub("a", DIGITS.sub("0", cell))


def is_ruler(record: Sequence[str]) -> bool:
    """Whether the record is a line drawn under a header: all its cells are of RULERS alone (-=+|:_~
    and blanks), and there is `--` or `==` among them, such as `---+---`, `|:--|--:|`, `====
    ====`."""
    text = "".join(record)
    return bool(set(text) <= RULERS and ("--" in text or "==" in text))
