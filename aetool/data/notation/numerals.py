"""Parses one cell as a number: sign, currency or unit, digits in groups, decimal mark, exponent.

This is the norm of what a number may look like. `scanning` reads the plainest of them faster.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from aetool.data.notation.magnitudes import Factor
from aetool.data.notation.patterns import Pattern

LONGEST = 400  # characters; the largest float has 309 digits, and no number needs many more
POINT, COMMA = ".", ","
ONE = Factor()

_BLANK = " \t\u00a0\u2007\u2009\u202f"
_GROUPING = ".,'’`_" + _BLANK
_MINUS = "−–﹣－-"  # the hyphen last: elsewhere in a class of characters it is a range
_SYMBOL = "$¢£¤¥֏؋৳฿៛₠-⃀﷼﹩＄￠￡￥￦"
# Codes of currencies that are traded, and what else is written before amounts.
_CODE = (
    "AED|ARS|AUD|BDT|BGN|BRL|CAD|CHF|CLP|CNY|COP|CZK|DKK|EGP|EUR|GBP|HKD|HUF|IDR|ILS|INR|ISK|JPY|"
    "KES|KRW|KWD|KZT|LKR|MAD|MXN|MYR|NGN|NOK|NZD|PEN|PHP|PKR|PLN|QAR|RMB|RON|RSD|RUB|SAR|SEK|SGD|"
    "THB|TND|TRY|TWD|UAH|USD|UYU|VND|XAF|XOF|ZAR|BTC|ETH|Euro|euro|Rs\\.?|kr\\.?|Fr\\.|SFr\\.?|"
    "DM|zł|Kč|Ft|lei|лв\\.?|руб\\.?|R"
)
_CURRENCY = rf"(?:[A-Z]{{0,3}}[{_SYMBOL}]|{_CODE})"
# A unit begins with a letter or a sign that is one; digits in it are powers (m2) or of a formula.
# `+` alone is one, too: 10,000+ in every cell. `2/2` is no 2 with a unit, but `2/m2` is.
_UNIT = (
    rf"(?:\+|(?:[^\W\d_]|[{_SYMBOL}%‰°\"′″]|/(?![0-9]))"
    rf"(?:[^\W\d_]|[{_SYMBOL}%/·⋅*^²³¹⁻.°-]|[234](?![0-9])| (?=[^\W\d_(/]|[{_SYMBOL}])){{0,23}})"
)
_HEAD = Pattern(
    rf"[{_BLANK}]*(?P<open>\()?[{_BLANK}]*(?P<sign>[+{_MINUS}])?[{_BLANK}]*"
    rf"(?P<before>{_CURRENCY}[{_BLANK}]*)?(?P<inner>[(+{_MINUS}])?[{_BLANK}]*"
)
_CORE = Pattern(rf"[.,]?[0-9]+(?:[{_GROUPING}][0-9]+)*[.,]?(?:[eE][+-]?[0-9]+)?(?![0-9])")
_TAIL = Pattern(
    rf"(?P<close1>\))?(?P<after>[{_BLANK}]*{_UNIT})?[{_BLANK}]*(?P<sign>[{_MINUS}])?"
    rf"(?P<close2>\))?[{_BLANK}]*"
)
_INFINITE = Pattern(rf"([+{_MINUS}])?(?:inf|infinity|infinite|∞|1\.#inf0*)", re.IGNORECASE)
_AMOUNT = Pattern(rf"[{_BLANK}]*{_CURRENCY}[{_BLANK}]*", re.IGNORECASE)
# `$ -` and `- €`, as accounts write nothing; a dash alone may be a gap as well
_NOTHING = Pattern(
    rf"(?P<before>{_CURRENCY}[{_BLANK}]*)[{_MINUS}]|[{_MINUS}](?P<after>[{_BLANK}]*{_CURRENCY})"
)
_WESTERN = Pattern(r"[1-9][0-9]{0,2}(?:(?P<mark>[^0-9])[0-9]{3})(?:(?P=mark)[0-9]{3})*")
_INDIAN = Pattern(r"[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}")
_SAME = {"EUR": "€", "Euro": "€", "euro": "€", "GBP": "£", "Rs.": "Rs", "kr.": "kr"}


class Read(NamedTuple):
    """The number that a cell was read as, `value`. decimals: digits behind the decimal mark, those
    of the product where it was multiplied, -1 where there is an exponent, or a power of two leaves
    a fraction (1.3 KiB); padded: whether zeros stand in front, as in 007."""

    value: float
    decimals: int
    padded: bool


@dataclass(frozen=True)
class Numeral:
    """The text of a number, taken apart. before, after: the text around the digits but for signs,
    with the blanks up to the digits, "" for none; core: digits, their marks, exponent; negative:
    whether a minus or parentheses make it one below 0."""

    before: str
    after: str
    core: str
    negative: bool

    @property
    def unit(self) -> str:
        """The unit or currency before or behind the digits, without blanks around it, EUR as €; ""
        without one."""
        return unit_of(self.before, self.after)

    def read(self, mark: str, factor: Factor = ONE) -> Read | None:
        """Read the digits as a number with the decimal mark `mark`, "." or ",", multiplied by
        factor; its decimals are those of the product. None if they are no number then: other than
        digits stands behind the mark, or digits before it are not in groups of three, or, where the
        mark is a point, in Indian groups (1,23,456). A number that float64 does not hold is
        infinite or 0."""
        core, _, exponent = self.core.replace("E", "e").partition("e")
        whole, _, fraction = core.partition(mark)
        if fraction and not fraction.isdigit():
            return None
        if not whole.isdigit() and whole:
            grouped = _WESTERN.fullmatch(whole) or (mark == POINT and _INDIAN.fullmatch(whole))
            if not grouped:
                return None
            whole = "".join(filter(str.isdigit, whole))
        sign = "-" if self.negative else ""
        if factor.is_negative:
            sign = "" if self.negative else "-"
        # powers of ten become the text's exponent, as a product is rounded: 1.001 * 1000 is not
        # 1001 in floats
        tens = int(exponent or 0) + factor.tens
        value = float(f"{sign}{whole or '0'}.{fraction or '0'}e{tens}") * 2.0**factor.twos
        decimals = -1 if exponent else max(0, len(fraction) - factor.tens)
        # times a power of two a fraction has digits of its own: it is shown in full, like exponents
        if factor.twos and not value.is_integer():
            decimals = -1
        elif factor.twos:
            decimals = 0
        return Read(value, decimals, len(whole) > 1 and whole[0] == "0")

    @property
    def group(self) -> str:
        """The first character between digits that is neither a point nor a comma; "" if there is
        none."""
        for character in self.core:
            if character in _GROUPING and character not in (POINT, COMMA):
                return character
        return ""


def unit_of(before: str, after: str) -> str:
    """The unit that is written before or after digits, as one text without blanks around it (both
    joined, if both are there); "" if there is none. Names of some currencies become their signs:
    EUR is €."""
    first = before.strip()
    last = after.strip()
    return _SAME.get(first, first) + _SAME.get(last, last)


def is_currency(text: str) -> bool:
    """Whether a text, with blanks around it or none, is what is written before amounts of money: a
    sign such as $ or US$, or a code such as EUR or eur, as of currencies that are traded."""
    return _AMOUNT.fullmatch(text) is not None


def infinity(text: str) -> float | None:
    """Read a text as infinity: inf or -inf if it is inf, infinity, infinite, ∞ or 1.#INF, in any
    case, with a sign or none and blanks around it; else None."""
    match = _INFINITE.fullmatch(text.strip())
    if match is None:
        return None
    if match[1] and match[1] in _MINUS:
        return float("-inf")
    return float("inf")


def numeral(text: str) -> Numeral | None:
    """Split the text of a cell into sign, digits, marks and unit; None unless it may be a number
    with some decimal mark, which `Numeral.read` tells, or if it has more than LONGEST (400)
    characters. `2. White` is none: a mark before words numbers the items of a list. A dash beside a
    currency, `$ -`, is 0, as in accounts."""
    if len(text) > LONGEST:
        return None
    text = text.strip()
    nothing = _NOTHING.fullmatch(text)
    if nothing is not None:
        return Numeral(nothing["before"] or "", nothing["after"] or "", "0", negative=False)
    head = _HEAD.match(text)
    core = _CORE.match(text, head.end()) if head else None
    tail = _TAIL.fullmatch(text, core.end()) if core else None
    if head is None or core is None or tail is None:
        return None
    after = tail["after"] or ""
    # "2. White" is an item of a list
    if core[0][-1] in (POINT, COMMA) and after.strip()[:1].isalpha():
        return None
    # parentheses, which mean a minus, come in pairs and stand for the sign, wherever that may be:
    # ($12), $(12) and (12) € are below 0
    closed = int(bool(tail["close1"])) + int(bool(tail["close2"]))
    opened = int(bool(head["open"])) + int(head["inner"] == "(")
    signs = [sign for sign in (head["sign"], head["inner"], tail["sign"]) if sign and sign != "("]
    if closed != opened or len(signs) + closed > 1:
        return None
    negative = bool(closed) or (bool(signs) and signs[0] in _MINUS)
    if tail["sign"] and core[0][-1] in (POINT, COMMA):  # `5.-`: the dash is for no cents
        negative = False
    return Numeral(head["before"] or "", after, core[0], negative)
