"""Magnitudes written behind numbers, such as `10k` and `1.5M` or `12 kB` and `3 GiB`, and the sides
of accounts, `12.50 CR` and `7.00 DR`: multiplied out where a column mixes them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

CURRENCIES = frozenset("$€£¥₹")
MOSTLY = 0.9  # of the numbers of a column are written in a family, so that it is one of this family


class Factor(NamedTuple):
    """A factor by which a magnitude multiplies a number: 10^tens * 2^twos, below 0 if
    is_negative."""

    tens: int = 0
    twos: int = 0
    is_negative: bool = False


class Magnitude(NamedTuple):
    """The text behind a number, taken apart. word: of the magnitude, as "k", "" for none; factor:
    what that multiplies the number by; rest: the unit behind it, with a blank before, or ""."""

    word: str
    factor: Factor
    rest: str


@dataclass(frozen=True)
class Family:
    """Words of magnitudes that a column may mix. name: such as "counts" or "bytes"; factors: by
    word; unit: the text behind a number once it is multiplied out, blank included, or "": what is
    written. meaning: what is done with them, as `--explain-columns` says it."""

    name: str
    factors: Mapping[str, Factor]
    unit: str = ""
    meaning: str = "magnitudes such as k and M multiplied out"

    def magnitude(self, after: str) -> Magnitude | None:
        """Take the text behind a number apart, such as `M`, whose rest is the family's unit, or, if
        that is "", `Mio. €` and `M€`, whose rest is " €", and a unit alone, `kg`, whose word is ""
        and whose rest " kg"; None if it is not of this family. Blanks around it do not matter;
        capitals do."""
        text = after.strip()
        if text in self.factors:
            return Magnitude(text, self.factors[text], self.unit)
        # "Mio. €" is a word and a unit, "kg" a unit alone, "M€" a word before a sign of currency
        word, blank, unit = text.rpartition(" ")
        if not blank and text[-1:] in CURRENCIES:
            word = text[:-1]
            unit = text[-1]
        if self.unit or word not in self.factors:
            return None
        return Magnitude(word, self.factors[word], f" {unit}")

    def has(self, counts: Mapping[str, int]) -> bool:
        """Whether a column's numbers are written in this family: at least 90 % with its words, ""
        for no word among them, and with more than one factor. counts: for each text behind a number
        how often it is there.

        More is asked for where words may mean something else: without unit of the family and
        without a `k`, two factors, neither of them 1, must be a thousandfold apart; of a family
        with sides of accounts two numbers must be below 0.
        """
        # by the text behind a number: its magnitude, of texts that are of this family
        magnitudes = {}
        for after in counts:
            magnitude = self.magnitude(after)
            if magnitude is not None:
                magnitudes[after] = magnitude
        if sum(counts[after] for after in magnitudes) < MOSTLY * sum(counts.values()):
            return False
        different = {magnitude.factor for magnitude in magnitudes.values()}
        if any(factor.is_negative for factor in self.factors.values()):
            negative_count = 0
            for after, magnitude in magnitudes.items():
                if magnitude.factor.is_negative:
                    negative_count += counts[after]
            # one cell may be a slip
            return negative_count > 1 and len(different) > 1
        # K alone may be Kelvin, and M a unit, or months beside T for toddlers; k is a thousand
        if self.unit or any(magnitude.word == "k" for magnitude in magnitudes.values()):
            return len(different) > 1
        tens = sorted(factor.tens for factor in different - {Factor()})
        return any(later - earlier == 3 for earlier, later in itertools.pairwise(tens))


THOUSAND, MILLION, BILLION, TRILLION = Factor(3), Factor(6), Factor(9), Factor(12)
COUNTS = {
    "": Factor(),
    **dict.fromkeys(("k", "K", "thousand"), THOUSAND),
    **dict.fromkeys(("M", "MM", "mn", "mio", "Mio", "Mio.", "million"), MILLION),
    **dict.fromkeys(("B", "G", "bn", "Mrd", "Mrd.", "billion"), BILLION),
    **dict.fromkeys(("T", "tn", "trillion"), TRILLION),
}
BYTES = {
    "": Factor(),
    **dict.fromkeys(("B", "bytes"), Factor()),
    **dict.fromkeys(("kB", "KB"), THOUSAND),
    "MB": MILLION,
    "GB": BILLION,
    "TB": TRILLION,
    "KiB": Factor(twos=10),
    "MiB": Factor(twos=20),
    "GiB": Factor(twos=30),
    "TiB": Factor(twos=40),
}
PLUS, MINUS = Factor(), Factor(is_negative=True)
DEBITS = ("DR", "DB")
FAMILIES = {
    family.name: family
    for family in (
        Family("counts", COUNTS),
        Family("bytes", BYTES, unit=" B"),
        # a ledger, and what is owed on a card; Cr alone may be crores
        Family(
            "credits",
            {"": PLUS, "CR": MINUS, **dict.fromkeys(DEBITS, PLUS)},
            meaning="CR below 0",
        ),
        Family("sides", {"Cr": MINUS, "Dr": PLUS}, meaning="Cr below 0"),
        # an account that is overdrawn
        Family("debits", {"": PLUS, **dict.fromkeys(DEBITS, MINUS)}, meaning="DR below 0"),
    )
}


def family_of(counts: Mapping[str, int]) -> Family | None:
    """The first of FAMILIES that a column's numbers are written with, see Family.has; None if none.
    counts: for each text behind a number, "" for none, how often it is there."""
    return next((family for family in FAMILIES.values() if family.has(counts)), None)
