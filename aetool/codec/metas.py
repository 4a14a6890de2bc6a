"""How a column of a block is stored: its meta, a class for each way.

The letters that FORMAT.md has for a meta's parts stand in `to_json` and `from_json` alone.
`from_json` is where what an archive or a bundle says is checked, as far as the meta alone can tell.
Whatever is out of range is an ArchiveError in one line.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

from aetool.canonical import Json
from aetool.codec.limits import MAX_COLUMNS
from aetool.codec.spans import DIGITS, SHORT, SHORT_ONE
from aetool.data.dates import DateFormat
from aetool.errors import ArchiveError

Stored = Mapping[str, Json]  # a meta as it is stored
MOST_DECIMALS = 15  # of a float
LARGEST_STEP = (1 << 62) - 1
MOST_FINE = 9  # digits of a second
LARGEST_DATE_UNIT = 86400 * 10**MOST_FINE  # ticks: a day
MOST_LIMBS = 4  # of 64 bits, in a decimal
MOST_DICTIONARIES = 1 << 31
MOST_OFFSETS = 17  # ways in which floats lie beside decimals
MOST_OFFSET = 1 << 20
MOST_ORIGINS = 64  # of the numbers of a column
ALL_DIGITS = 17  # that tell any float of 64 bits from all others
MOST_ROUNDED = 24  # decimals to which a 32-bit float is rounded
LARGEST_DIVISOR = 10_000_000  # of quotients
MOST_OF_QUOTIENT = 1 << 62  # its divisor in units of the last digit
FORMS = (*range(DIGITS + 1), SHORT, SHORT_ONE)
WIDTHS = (16, 32, 64)
OWN_BOOK = -1
MOST_WIDE = {10: 18, 16: 16}  # digits of a number in each base
LONGEST_GROUP_MARK = 4  # bytes between groups of digits
WIDEST_CELL = 64  # bytes to which cells of numbers are filled up with blanks
MOST_LENDERS = 8  # columns whose cells a column is made of: marks end before the tabulator, byte 9
# parts of a number's meta that say what its whole numbers count in
OTHER_UNITS = frozenset({"q", "u", "o", "e"})
# the parts of a notation that are stored as they are
LETTERS_OF_NOTATIONS = {
    "d": "decimal",
    "g": "group",
    "i": "later",
    "l": "least",
    "q": "quoted",
    "w": "width",
}


def refused(what: str) -> ArchiveError:
    """Return the ArchiveError that says which field of a meta is out of range, for the caller to
    raise. what: the end of its message."""
    return ArchiveError(f"damaged: a column's meta: {what}")


def whole(value: Json, low: int, high: int, what: str) -> int:
    """Return `value` if it is a whole number (no bool) from low to high, both allowed; else raise
    ArchiveError. what: the field's name in the message."""
    if type(value) is not int or not low <= value <= high:
        raise refused(f"{what} must be a whole number of {low} to {high}, not {str(value)[:40]}")
    return value


def text(value: Json, what: str) -> str:
    """Return `value` if it is a text of characters below 256; else raise ArchiveError. what: the
    field's name in the message."""
    if not isinstance(value, str) or any(ord(letter) > 255 for letter in value):
        raise refused(f"{what} must be text in latin-1")
    return value


def texts(values: Json, what: str) -> tuple[str, ...]:
    """Return `values` as a tuple if it is a list of texts of characters below 256; else raise
    ArchiveError. what: the field's name in the message."""
    if not isinstance(values, list):
        raise refused(f"{what} must be a list")
    return tuple(text(value, what) for value in values)


def flag(stored: Stored, letter: str) -> bool:
    """Whether a meta's JSON has the field `letter`, of which 1, its only value, stands for True;
    ArchiveError for another value."""
    return letter in stored and whole(stored[letter], 1, 1, f"'{letter}'") == 1


@dataclass(frozen=True)
class Meta:
    """How a column of a block is stored; a subclass for each way. It says how many streams (arrays
    of whole numbers) and blobs (other bytes) the column has. kind: the name of the way, "k" in
    JSON; letters: the names of the other fields there, with blanks between."""

    kind: ClassVar[str]
    letters: ClassVar[str] = ""  # of its parts, beside "k"

    @property
    def blobs(self) -> int:
        """How many blobs, parts that are bytes of any kind, the column has: 0 or 1. By default
        0."""
        return 0

    @property
    def kinds(self) -> int:
        """How many kinds of cells, such as values, gaps and special texts, the column has, numbered
        from 0; if more than one, a stream has the kind of each row. By default 1."""
        return 1

    @property
    def valued(self) -> int:
        """How many kinds of cells have a value in the stream of values: the first ones, numbered
        below this; 0: there is no such stream. By default 1."""
        return 1

    @property
    def has_raws(self) -> bool:
        """Whether cells of the last kind have a value in a stream of their own, raws. By default
        False."""
        return False

    @property
    def streams(self) -> int:
        """How many streams, parts that are whole numbers, the column has, 0 to 3: of kinds, values
        and raws, in this order, those that it needs."""
        return (self.kinds > 1) + (self.valued > 0) + self.has_raws

    @property
    def family(self) -> tuple[str | bool, ...]:
        """A key that is equal for ways to store a column whose stored values mean the same: one
        block may then be stored as the one before it was. By default the kind alone."""
        return (self.kind,)

    def to_json(self) -> dict[str, Json]:
        """The meta as a JSON object, as it is stored: of a meta without fields "k", the kind,
        alone; subclasses add their fields, most of them only where they are not the default."""
        return {"k": self.kind}

    @classmethod
    def parsed(cls, stored: Stored) -> Meta:
        """The meta of this class that `to_json` wrote as `stored`, whose field names are checked
        already; ArchiveError or ValueError for a value out of range, KeyError for a field that is
        missing. By default a meta without fields, whatever `stored` says."""
        return cls()


# ---- bytes and whole numbers


@dataclass(frozen=True)
class BytesMeta(Meta):
    """A column that is one blob of bytes, packed by blobs.pack: a file, or a block's records as one
    text."""

    kind = "bytes"

    @property
    def blobs(self) -> int:
        """How many blobs the column has: 1, the bytes."""
        return 1

    @property
    def valued(self) -> int:
        """How many kinds of cells have a value: 0, as the column has no streams."""
        return 0


@dataclass(frozen=True)
class PixelsMeta(Meta):
    """The pictures of a block, all of one size, coded together as one blob. width: bytes of a pixel
    value, 1 or 2."""

    kind = "pixels"
    letters = "w"
    width: int = 1

    @property
    def blobs(self) -> int:
        """How many blobs the column has: 1, the code of the pictures."""
        return 1

    @property
    def valued(self) -> int:
        """How many kinds of cells have a value: 0, as the column has no streams."""
        return 0

    def to_json(self) -> dict[str, Json]:
        """The meta as JSON: "k", and "w", the width, unless it is 1."""
        return {**super().to_json(), **({"w": self.width} if self.width != 1 else {})}

    @classmethod
    def parsed(cls, stored: Stored) -> PixelsMeta:
        """The meta that `to_json` wrote; ArchiveError for a width other than 1 or 2."""
        return cls(whole(stored.get("w", 1), 1, 2, "the bytes of a value"))


@dataclass(frozen=True)
class WholeMeta(Meta):
    """How a column of whole numbers is stored: one of 64 bits for each row, none missing."""

    kind = "whole"


# ---- cells of text


class LetterCase(enum.IntEnum):
    """How a cell stands in cells that are made of it: as it is, in small letters, or in capitals;
    letters are those of ASCII."""

    AS_IT_IS = 0
    LOWER = 1
    UPPER = 2


@dataclass(frozen=True)
class Lender:
    """A column whose cells stand in those of another column of the block. place: its own in the
    block, from 0; case: how its letters stand there."""

    place: int
    case: LetterCase = LetterCase.AS_IT_IS

    def to_json(self) -> Json:
        """The lender as JSON: its place alone, or, where letters are changed, [place, number of the
        case]."""
        if self.case == LetterCase.AS_IT_IS:
            return self.place
        return [self.place, int(self.case)]

    @classmethod
    def parsed(cls, stored: Json) -> Lender:
        """The lender that `to_json` wrote: its place alone, or [place, case of its letters].
        ArchiveError for a value out of range, ValueError for a list of another length. Whether the
        column is there is not looked at."""
        if not isinstance(stored, list):
            return cls(whole(stored, 0, MAX_COLUMNS, "a lender's place"))
        place, case = stored
        number = whole(case, LetterCase.LOWER, LetterCase.UPPER, "the case of letters")
        return cls(whole(place, 0, MAX_COLUMNS, "a lender's place"), LetterCase(number))


@dataclass(frozen=True)
class CellsMeta(Meta):
    """Cells of text or bytes. gap: the text, of characters below 256, stored in place of missing
    cells; None if no cell is missing. lenders: the columns whose cells stand in these: what is
    stored has a mark for each, see `composed`; () if nothing stands for another cell."""

    gap: str | None = None
    lenders: tuple[Lender, ...] = field(default=(), kw_only=True)

    @property
    def family(self) -> tuple[str | bool, ...]:
        """What ways to store the column have in common whose stored cells mean the same: the kind,
        and whether there are lenders, as what is stored of cells then differs."""
        return (self.kind, bool(self.lenders))

    def to_json(self) -> dict[str, Json]:
        """The meta as JSON: "k", "gap" if cells are missing, and "cells", the lenders, if there are
        any."""
        stored = super().to_json()
        if self.gap is not None:
            stored["gap"] = self.gap
        if self.lenders:
            stored["cells"] = [lender.to_json() for lender in self.lenders]
        return stored


def gap_in(meta: Meta) -> str | None:
    """The text that a column of this meta has in place of missing cells; None if no cell is
    missing, or its cells are no texts."""
    return meta.gap if isinstance(meta, CellsMeta) else None


def gap_of(stored: Stored) -> str | None:
    """Read from a meta's JSON, field "gap", the text in place of missing cells; None if the field
    is missing. ArchiveError for anything but a text of characters below 256."""
    if "gap" in stored:
        return text(stored["gap"], "what stands for a gap")
    return None


def lenders_in(meta: Meta) -> tuple[Lender, ...]:
    """The columns whose cells stand in those of a column of this meta; () if none do."""
    return meta.lenders if isinstance(meta, CellsMeta) else ()


def lenders_of(stored: Json) -> tuple[Lender, ...]:
    """Read from JSON the columns whose cells stand in those of another, as its meta stores them.
    ArchiveError for anything but a list of 1 to MOST_LENDERS (8) of these, or if one comes twice
    with the same case; ValueError for one that is a list of another length than 2."""
    if not isinstance(stored, list) or not 1 <= len(stored) <= MOST_LENDERS:
        raise refused(f"lenders of cells must be a list of 1 to {MOST_LENDERS}")
    lenders = tuple(map(Lender.parsed, stored))
    if len(set(lenders)) < len(lenders):
        raise refused("a lender of cells is named twice")
    return lenders


@dataclass(frozen=True)
class CellsInABlob(CellsMeta):
    """Cells that are all stored in one blob, without streams; a subclass for each way to pack
    them."""

    letters = "gap cells"

    @property
    def blobs(self) -> int:
        """How many blobs the column has: 1, of all cells."""
        return 1

    @property
    def valued(self) -> int:
        """How many kinds of cells have a value: 0, as the column has no streams."""
        return 0

    @classmethod
    def parsed(cls, stored: Stored) -> Self:
        """The meta that `to_json` wrote, without its lenders, which `from_json` reads; ArchiveError
        for a gap that is no text in latin-1."""
        return cls(gap_of(stored))


@dataclass(frozen=True)
class TextMeta(CellsInABlob):
    """A column of texts stored as one blob, as spans.pack_cells packs them."""

    kind = "text"


@dataclass(frozen=True)
class LevelMeta(CellsMeta):
    """Each cell of a column of categories as the number, from 0, of its text among the different
    texts: first `levels`, which the meta has, then those in the blob."""

    kind = "level"
    letters = "v gap cells"
    levels: tuple[str, ...] = ()

    @property
    def blobs(self) -> int:
        """How many blobs the column has: 1, the texts that `levels` has not, as varint how many and
        spans.pack_cells."""
        return 1

    def to_json(self) -> dict[str, Json]:
        """The meta as JSON: "k", "gap" if cells are missing, and "v", the levels, if there are
        any."""
        levels = {"v": list(self.levels)} if self.levels else {}
        return {**super().to_json(), **levels}

    @classmethod
    def parsed(cls, stored: Stored) -> LevelMeta:
        """The meta that `to_json` wrote, without its lenders, which `from_json` reads; ArchiveError
        for levels or a gap that are no texts in latin-1."""
        return cls(gap_of(stored), texts(stored.get("v", []), "levels"))


@dataclass(frozen=True)
class RankMeta(CellsMeta):
    """Each cell as its rank, its position from 0, in a sorted dictionary of the different cells.

    of: the place of the earlier column whose dictionary is used; None: the dictionary is the
    column's blob, which is a block of its own.
    """

    kind = "rank"
    letters = "c gap cells"
    of: int | None = None

    @property
    def blobs(self) -> int:
        """How many blobs the column has: 1, the dictionary, or 0 if another column's is used."""
        return int(self.of is None)

    def to_json(self) -> dict[str, Json]:
        """The meta as JSON: "k", "gap" if cells are missing, and "c", the other column's place, if
        there is one."""
        return super().to_json() | ({} if self.of is None else {"c": self.of})

    @classmethod
    def parsed(cls, stored: Stored) -> RankMeta:
        """The meta that `to_json` wrote, without its lenders, which `from_json` reads; ArchiveError
        for a place out of range or a gap that is no text. Whether the column is there is not looked
        at."""
        of = whole(stored["c"], 0, MAX_COLUMNS, "a column's place") if "c" in stored else None
        return cls(gap_of(stored), of)


@dataclass(frozen=True)
class PartsMeta(CellsInABlob):
    """Sentences as skeletons, in which a mark stands for each number, and these numbers; both are
    columns of a block of their own, which is the blob."""

    kind = "parts"


@dataclass(frozen=True)
class PatternMeta(CellsMeta):
    """Cells most of which are written in one way, so that a number stands for each; a subclass for
    each way, as decimal numbers and dates. Kinds of values come first.

    specials: other texts, of characters below 256, that come often, each a kind of its own.
    has_rest: all other cells are of the last kind; their texts are in the blob.
    """

    specials: tuple[str, ...] = ()
    has_rest: bool = False

    @property
    def blobs(self) -> int:
        """How many blobs the column has: 1, the texts of all cells that are neither of the pattern
        nor special, or 0 if there are none."""
        return int(self.has_rest)

    @property
    def kinds(self) -> int:
        """How many kinds of cells there are: `valued` of cells with a value, one for each special
        text, and one for all other cells, if there are such."""
        return self.valued + len(self.specials) + self.has_rest

    def to_json(self) -> dict[str, Json]:
        """The meta as JSON: "k", "gap" if cells are missing, "s", the special texts, and "r" if
        there are other cells."""
        rest = {"r": 1} if self.has_rest else {}
        return {**super().to_json(), "s": list(self.specials), **rest}


@dataclass(frozen=True)
class Notation:
    """How the numbers of a column are written, where that is not as -1234.5 is.

    decimal: the mark before decimals. group: the mark between groups of digits before it, "" for
    none. later: how many digits each group has but the last one, which has three: 3, or 2 as in
    12,34,567. least: numbers of fewer digits before the decimal mark have no groups. negative: the
    text before and behind numbers below 0, in place of the column's affixes; None: these, with a
    minus at the digits. is_bare: of 0.5 the 0 is left out. quoted: a cell with this character is
    between quotes, "" for none. width: a cell of fewer bytes has blanks in front.
    """

    decimal: str = "."
    group: str = ""
    later: int = 3
    least: int = 4
    negative: tuple[str, str] | None = None
    is_bare: bool = False
    quoted: str = ""
    width: int = 0

    def to_json(self) -> dict[str, Json]:
        """The notation as a JSON object, of the parts that are not the default: "d", decimal, "g",
        group, "i", later, "l", least, "m", negative, "z", is_bare, "q", quoted, "w", width."""
        stored: dict[str, Json] = {}
        if self.negative is not None:
            stored["m"] = list(self.negative)
        if self.is_bare:
            stored["z"] = 1
        usual = Notation()
        for letter, name in LETTERS_OF_NOTATIONS.items():
            value = getattr(self, name)
            if value != getattr(usual, name):
                stored[letter] = value
        return stored

    @classmethod
    def parsed(cls, stored: Json) -> Notation:
        """The notation that `to_json` wrote; ArchiveError for anything else, ValueError unless
        there are two texts around numbers below 0."""
        if not isinstance(stored, Mapping):
            raise refused("the notation of numbers must be an object")
        unknown = stored.keys() - {"m", "z", *LETTERS_OF_NOTATIONS}
        if unknown:
            raise refused(f"a notation of numbers has no part {min(unknown)[:40]!r}")
        negative = None
        if "m" in stored:
            before, behind = texts(stored["m"], "what stands around numbers below 0")
            negative = (before, behind)
        quoted = text(stored.get("q", ""), "what calls for quotes")
        decimal = text(stored.get("d", "."), "the decimal mark")
        group = text(stored.get("g", ""), "the mark between groups of digits")
        if len(decimal) != 1 or len(quoted) > 1 or len(group) > LONGEST_GROUP_MARK:
            raise refused("a mark of numbers is too long, or none")
        return cls(
            decimal=decimal,
            group=group,
            later=whole(stored.get("i", 3), 2, 3, "the digits of a group"),
            least=whole(stored.get("l", 4), 4, DIGITS, "the digits of numbers with groups"),
            negative=negative,
            is_bare=flag(stored, "z"),
            quoted=quoted,
            width=whole(stored.get("w", 0), 0, WIDEST_CELL, "the width of cells"),
        )


class Rounding(enum.IntEnum):
    """How a quotient was rounded to the digits that are written: to the nearest number, of two the
    even one or the one farther from 0, or towards 0, the digits behind being cut off."""

    HALF_EVEN = 0
    HALF_UP = 1
    CUT_OFF = 2


@dataclass(frozen=True)
class Quotient:
    """Numbers that are a whole number, times `times`, over `over`, rounded: minutes as hours are
    whole / 60. times, over: 1 to LARGEST_DIVISOR (10^7)."""

    over: int
    times: int = 1
    rounding: Rounding = Rounding.HALF_EVEN

    def to_json(self) -> Json:
        """The quotient as a JSON list: [over, times, number of the rounding]."""
        return [self.over, self.times, int(self.rounding)]

    @classmethod
    def parsed(cls, stored: Json) -> Quotient:
        """The quotient that `to_json` wrote; ArchiveError for what is no list, or a number out of
        range, ValueError for a list of other than three."""
        if not isinstance(stored, list):
            raise refused("a quotient must be a list")
        over, times, rounding = stored
        last = max(Rounding)
        number = whole(rounding, 0, last, "the rounding of a quotient")
        return cls(
            whole(over, 1, LARGEST_DIVISOR, "the divisor of a quotient"),
            whole(times, 1, LARGEST_DIVISOR, "the factor of a quotient"),
            Rounding(number),
        )


def quotients_to_json(quotients: Sequence[Quotient | None]) -> Json:
    """The quotients of kinds of numbers as a JSON list, in order: for each what its `to_json`
    returns, null for kinds that are none."""
    return [None if quotient is None else quotient.to_json() for quotient in quotients]


def quotients_of(stored: Stored, kinds: int, decimals: int = 0) -> tuple[Quotient | None, ...]:
    """Read from a meta's JSON, field "h", the quotient that the numbers of each of so many kinds
    are, None for kinds of other numbers; () if the field is missing. decimals: the digits behind
    the point of what they are rounded to. ArchiveError unless there is one for each kind, with
    numbers in range and divisor * 10^decimals below 2^62; ValueError for a quotient of other than
    three numbers."""
    if "h" not in stored:
        return ()
    listed = stored["h"]
    if not isinstance(listed, list) or len(listed) != kinds:
        raise refused("quotients are not one for each form")
    quotients = tuple(None if item is None else Quotient.parsed(item) for item in listed)
    divisors = [quotient.over for quotient in quotients if quotient is not None]
    # what is left of a division is multiplied by 10^decimals
    if any(divisor * 10**decimals >= MOST_OF_QUOTIENT for divisor in divisors):
        raise refused("a quotient of too many digits")
    return quotients


def notation_of(stored: Stored) -> Notation | None:
    """Read from a meta's JSON, field "n", how its numbers are written; None if the field is
    missing. ArchiveError for anything but a notation, ValueError for other than two texts around
    numbers below 0."""
    if "n" in stored:
        return Notation.parsed(stored["n"])
    return None


@dataclass(frozen=True)
class NumberMeta(PatternMeta):
    """Decimal numbers, stored as whole numbers: cell = whole * step / 10^decimals.

    forms: the ways in which numbers are written, a kind for each: with so many digits behind the
    point, 0 to DIGITS; SHORT: as few as say the number; SHORT_ONE: the same, but at least one.
    affixes: the text before and behind each number. own_units: a whole number of a form with fewer
    digits counts in units of its own last digit, not of `decimals`. single: numbers of the first
    form were 32-bit floats once: their whole numbers count in units of 10^-single, and are written
    as such floats with `decimals` digits are; None: they were not. notation: how numbers are
    written, where not as -1234.5 is; None: so. zeros: for each form how many zeros its whole
    numbers are without, at their end: 45000 is 45 without three; (): none. Forms may then come
    several times; there is neither a step nor own_units. quotients: for each form the quotient that
    its numbers are, whose whole numbers are stored, None for one of plain numbers; (): all are of
    these. Forms may then come several times; there is neither a step nor own_units, single or
    zeros.
    """

    kind = "number"
    letters = "d f q a s r u o n e h gap cells"
    decimals: int = 0
    forms: tuple[int, ...] = (0,)
    step: int = 1
    affixes: tuple[str, str] = ("", "")
    own_units: bool = False
    single: int | None = None
    notation: Notation | None = None
    zeros: tuple[int, ...] = ()
    quotients: tuple[Quotient | None, ...] = ()

    @property
    def valued(self) -> int:
        """How many kinds of cells have a value: one for each form."""
        return len(self.forms)

    @property
    def family(self) -> tuple[str | bool, ...]:
        """What ways to store the column have in common whose whole numbers mean the same: as of all
        cells, and which units the numbers count in (own_units, single, zeros, quotients)."""
        is_single = self.single is not None
        return (
            *super().family,
            self.own_units,
            is_single,
            bool(self.zeros),
            str(self.quotients),
        )

    @property
    def units(self) -> list[int]:
        """For each form what 1 of its whole numbers is worth, in units of 10^-decimals: the step,
        times a power of ten if own_units or `zeros` say so."""
        powers = list(self.zeros) or [0] * len(self.forms)
        if self.own_units:
            powers = [self.decimals - min(form, self.decimals) for form in self.forms]
        return [int(self.step * 10**power) for power in powers]

    def to_json(self) -> dict[str, Json]:
        """The meta as JSON: "k", "gap", "s" and "r" as every PatternMeta, "d", decimals, and "f",
        forms; "q", step, "a", affixes, "u", own_units, "o", single, "n", notation, "e", zeros, and
        "h", quotients, where they are not the default."""
        stored = {**super().to_json(), "d": self.decimals, "f": list(self.forms)}
        if self.quotients:
            stored["h"] = quotients_to_json(self.quotients)
        if self.zeros:
            stored["e"] = list(self.zeros)
        if self.notation is not None:
            stored["n"] = self.notation.to_json()
        if self.own_units:
            stored["u"] = 1
        if self.single is not None:
            stored["o"] = self.single
        if self.step != 1:
            stored["q"] = self.step
        if any(self.affixes):
            stored["a"] = list(self.affixes)
        return stored

    @classmethod
    def parsed(cls, stored: Stored) -> NumberMeta:
        """The meta that `to_json` wrote, without its lenders, which `from_json` reads. ArchiveError
        for a value out of range, for "e" (zeros) beside "q" or "u", and for "h" (quotients) beside
        "q", "u", "o" or "e". ValueError for other than two affixes, two texts around negative
        numbers or three numbers of a quotient. KeyError without "d", "f" or "s"."""
        forms = stored["f"]
        if not isinstance(forms, list) or not 0 < len(forms) <= len(FORMS):
            raise refused("the forms of numbers are out of range")
        if any(type(form) is not int or form not in FORMS for form in forms):
            raise refused("an unknown form of numbers")
        before, behind = texts(stored.get("a", ["", ""]), "what stands around numbers")
        single = None
        if "o" in stored:
            single = whole(stored["o"], 0, DIGITS, "the digits of 32-bit floats")
        zeros = stored.get("e", [])
        if not isinstance(zeros, list) or len(zeros) not in (0, len(forms)):
            raise refused("the zeros at the end of numbers are not one count for each form")
        for count in zeros:
            # a number of 64 bits has no more
            whole(count, 0, DIGITS, "the zeros at the end of numbers")
        # other units would be multiplied with these, and leave 64 bits
        if zeros and ("q" in stored or "u" in stored):
            raise refused("numbers without their zeros are in units of another kind, too")
        decimals = whole(stored["d"], 0, DIGITS, "decimals")
        quotients = quotients_of(stored, len(forms), decimals)
        if quotients and not OTHER_UNITS.isdisjoint(stored):
            raise refused("quotients are in units of another kind, too")
        return cls(
            gap=gap_of(stored),
            specials=texts(stored["s"], "special cells"),
            has_rest=flag(stored, "r"),
            decimals=decimals,
            forms=tuple(forms),
            step=whole(stored.get("q", 1), 1, LARGEST_STEP, "the step"),
            affixes=(before, behind),
            own_units=flag(stored, "u"),
            single=single,
            notation=notation_of(stored),
            zeros=tuple(zeros),
            quotients=quotients,
        )


@dataclass(frozen=True)
class FloatMeta(PatternMeta):
    """Numbers written with the fewest digits that tell the 64-bit float from all others.

    places: how many decimals, so that the value is the whole number that over 10^places is nearest
    to the float; None: the value is the float's bits, as a number in the order of floats. offsets:
    how many floats above that decimal the number lies, a kind for each. bare: whole numbers are
    written without ".0". single: the decimal is first rounded to a 32-bit float. notation: how the
    numbers' digits are written, where not as in -1234.5; None: so. digits: for each kind to how
    many digits its 32-bit floats were rounded, 1 .. ALL_DIGITS (17), or, below 0, to how many
    decimals; 0: its numbers were no 32-bit floats. With places None what is stored of these is then
    their 32 bits. (): no kind has 32-bit floats, or, if `single`, all have. zeros: for each kind
    how many fewer places it has, with `digits` and places alone; (): none has. quotients: for each
    kind the quotient that its numbers are, rounded to `digits` if these are above 0, and neither
    decimals nor 32-bit floats; None for a kind of those; with `digits` alone; (): none are.
    """

    kind = "float"
    letters = "d f i s r o n p e h gap cells"
    places: int | None = None
    offsets: tuple[int, ...] = (0,)
    bare: bool = False
    single: bool = False
    notation: Notation | None = None
    digits: tuple[int, ...] = ()
    zeros: tuple[int, ...] = ()
    quotients: tuple[Quotient | None, ...] = ()

    @property
    def valued(self) -> int:
        """How many kinds of cells have a value: one for each offset."""
        return len(self.offsets)

    @property
    def family(self) -> tuple[str | bool, ...]:
        """What ways to store the column have in common whose whole numbers mean the same: as of all
        cells, and whether the values are bits, or decimals of one number of places or of several,
        or which quotients."""
        return (*super().family, self.places is None, bool(self.zeros), str(self.quotients))

    def to_json(self) -> dict[str, Json]:
        """The meta as JSON: "k", "gap", "s" and "r" as every PatternMeta; "d", places, "f",
        offsets, "i", bare, "o", single, "n", notation, "p", digits, "e", zeros, and "h", quotients,
        where they are not the default."""
        stored = super().to_json()
        if self.quotients:
            stored["h"] = quotients_to_json(self.quotients)
        if self.digits:
            stored["p"] = list(self.digits)
        if self.zeros:
            stored["e"] = list(self.zeros)
        if self.notation is not None:
            stored["n"] = self.notation.to_json()
        if self.places is not None:
            stored["d"] = self.places
        if self.offsets != FloatMeta.offsets:
            stored["f"] = list(self.offsets)
        if self.bare:
            stored["i"] = 1
        if self.single:
            stored["o"] = 1
        return stored

    @classmethod
    def parsed(cls, stored: Stored) -> FloatMeta:
        """The meta that `to_json` wrote, without its lenders, which `from_json` reads. ArchiveError
        for a value out of range, for "p" (digits) beside "o" (single), and for "e" (zeros) or "h"
        (quotients) without "p". ValueError for other than two texts around negative numbers or
        three numbers of a quotient. KeyError without "s"."""
        offsets = stored.get("f", [0])
        most = MOST_ORIGINS if "p" in stored else MOST_OFFSETS
        if not isinstance(offsets, list) or not 0 < len(offsets) <= most:
            raise refused("floats have too many offsets, or none")
        places = whole(stored["d"], 0, MOST_DECIMALS, "decimals") if "d" in stored else None
        digits = numbers_of_kinds(
            stored, "p", len(offsets), -MOST_ROUNDED, ALL_DIGITS, "the digits of floats"
        )
        if digits and "o" in stored:
            raise refused("32-bit floats are told in two ways")
        zeros = numbers_of_kinds(stored, "e", len(offsets), 0, places or 0, "the zeros of floats")
        if zeros and not digits:
            raise refused("floats of one origin have zeros of their own")
        quotients = quotients_of(stored, len(offsets))
        if quotients and not digits:
            raise refused("floats of one origin have quotients of their own")
        return cls(
            gap=gap_of(stored),
            specials=texts(stored["s"], "special cells"),
            has_rest=flag(stored, "r"),
            places=places,
            offsets=tuple(whole(o, -MOST_OFFSET, MOST_OFFSET, "an offset") for o in offsets),
            bare=flag(stored, "i"),
            single=flag(stored, "o"),
            notation=notation_of(stored),
            digits=digits,
            zeros=zeros,
            quotients=quotients,
        )


def numbers_of_kinds(
    stored: Stored,
    letter: str,
    kinds: int,
    low: int,
    high: int,
    what: str,
) -> tuple[int, ...]:
    """Read from a meta's JSON a list of whole numbers, low .. high, one for each of so many kinds;
    () if it has none of this letter. ArchiveError for anything else. what: the field's name in the
    message."""
    if letter not in stored:
        return ()
    numbers = stored[letter]
    if not isinstance(numbers, list) or len(numbers) != kinds:
        raise refused(f"{what} are not one number for each kind")
    return tuple(whole(number, low, high, what) for number in numbers)


@dataclass(frozen=True)
class DigitsMeta(PatternMeta):
    """Cells of just `width` digits in a base, at most 18 of base 10 or 16 of base 16, stored as
    whole numbers without a sign.

    base: 10 or 16. is_upper: hexadecimal digits are capitals. affixes: the text before and behind
    each number.
    """

    kind = "digits"
    letters = "b w u a s r gap cells"
    base: int = 10
    width: int = 1
    is_upper: bool = False
    affixes: tuple[str, str] = ("", "")

    @property
    def valued(self) -> int:
        """How many kinds of cells have a value: 1, as all numbers are written alike."""
        return 1

    def to_json(self) -> dict[str, Json]:
        """The meta as JSON: "k", "gap", "s" and "r" as every PatternMeta, "b", base, and "w",
        width; "a", affixes, and "u", is_upper, where they are not the default."""
        stored = {**super().to_json(), "b": self.base, "w": self.width}
        if any(self.affixes):
            stored["a"] = list(self.affixes)
        return stored | ({"u": 1} if self.is_upper else {})

    @classmethod
    def parsed(cls, stored: Stored) -> DigitsMeta:
        """The meta that `to_json` wrote, without its lenders, which `from_json` reads; ArchiveError
        for a value out of range, ValueError for other than two affixes, KeyError without "b", "w"
        or "s"."""
        base = stored["b"]
        if type(base) is not int or base not in MOST_WIDE:
            raise refused("digits of a base that there is not")
        before, behind = texts(stored.get("a", ["", ""]), "what stands around numbers")
        return cls(
            gap=gap_of(stored),
            specials=texts(stored["s"], "special cells"),
            has_rest=flag(stored, "r"),
            base=base,
            width=whole(stored["w"], 1, MOST_WIDE[base], "digits"),
            is_upper=flag(stored, "u"),
            affixes=(before, behind),
        )


@dataclass(frozen=True)
class DateMeta(PatternMeta):
    """Dates, stored as whole ticks (seconds or fractions of them) since 1970 began; see
    `ticks_a_second`.

    format: the text form of a dates.DateFormat. quote: the text before and behind each date. unit:
    how many ticks each of the whole numbers counts, such as those of a day.
    """

    kind = "date"
    letters = "t a s r q gap cells"
    format: str = ""
    quote: str = ""
    unit: int = 1

    @property
    def ticks_a_second(self) -> int:
        """How many ticks of a stored date make a second: 1, or a power of ten if there are
        fractions. ValueError if the format is none."""
        return int(10 ** DateFormat.of(self.format).digits)

    def to_json(self) -> dict[str, Json]:
        """The meta as JSON: "k", "gap", "s" and "r" as every PatternMeta, "t", format, "a", quote,
        and "q", unit, where it is not 1."""
        stored = {**super().to_json(), "t": self.format, "a": self.quote}
        if self.unit != 1:
            stored["q"] = self.unit
        return stored

    @classmethod
    def parsed(cls, stored: Stored) -> DateMeta:
        """The meta that `to_json` wrote, without its lenders, which `from_json` reads; ArchiveError
        for a value out of range, ValueError for a format that is none, KeyError without "t", "a" or
        "s"."""
        format = text(stored["t"], "the format of dates")
        if not 0 <= DateFormat.of(format).digits <= MOST_FINE:
            raise refused("dates of more digits than there are")
        return cls(
            gap=gap_of(stored),
            specials=texts(stored["s"], "special cells"),
            has_rest=flag(stored, "r"),
            format=format,
            quote=text(stored["a"], "what stands around dates"),
            unit=whole(stored.get("q", 1), 1, LARGEST_DATE_UNIT, "the unit of dates"),
        )


# ---- numbers in types of their own


@dataclass(frozen=True)
class NumberedMeta(Meta):
    """Numbers, stored as values or as ranks (positions) in a dictionary of the different ones,
    ascending.

    book: None: as values; OWN_BOOK: as ranks in the dictionary that is the column's blob; else as
    ranks in the dictionary of the earlier column at this place.
    """

    book: int | None = field(default=None, kw_only=True)

    @property
    def blobs(self) -> int:
        """How many blobs the column has: 1, the dictionary, if it has one of its own, else 0."""
        return int(self.book == OWN_BOOK)

    def to_json(self) -> dict[str, Json]:
        """The meta as JSON: "k", and where the dictionary is: "u" for the column's blob, "c" for
        the place of another column; neither without one."""
        stored = super().to_json()
        if self.book == OWN_BOOK:
            stored["u"] = 1
        elif self.book is not None:
            stored["c"] = self.book
        return stored


def book_of(stored: Stored) -> int | None:
    """Read from a meta's JSON where its dictionary of numbers is: the place of an earlier column,
    OWN_BOOK, or None if it has none. ArchiveError for a value out of range."""
    if "c" in stored:
        return whole(stored["c"], 0, MAX_COLUMNS, "a column's place")
    return OWN_BOOK if flag(stored, "u") else None


@dataclass(frozen=True)
class IntegerMeta(NumberedMeta):
    """How whole numbers are stored, some of which may be missing.

    has_gaps: whether some are missing. multiple: the factor that makes the numbers of the stored
    values. allowed: instead, the largest error of numbers rounded to multiples of 2 * allowed + 1,
    of which the factors are stored; 0: exact. limbs: how many columns of 64 bits each a decimal of
    Arrow takes, this one counted, 1 to 4. dictionary: the number of the Arrow dictionary that the
    numbers are indices into; None: they are numbers.
    """

    kind = "int"
    letters = "z m q l v u c"
    has_gaps: bool = False
    multiple: int = 1
    allowed: int = 0
    limbs: int = 1
    dictionary: int | None = None

    @property
    def kinds(self) -> int:
        """How many kinds of cells there are: one of numbers, and one of missing cells, if there are
        any."""
        return 1 + self.has_gaps

    def to_json(self) -> dict[str, Json]:
        """The meta as JSON: "k", "u" and "c" as every NumberedMeta; "z", has_gaps, "m", multiple,
        "q", allowed, "l", limbs, and "v", dictionary, where they are not the default."""
        stored = super().to_json()
        if self.has_gaps:
            stored["z"] = 1
        if self.multiple != 1:
            stored["m"] = self.multiple
        if self.allowed:
            stored["q"] = self.allowed
        if self.limbs != 1:
            stored["l"] = self.limbs
        if self.dictionary is not None:
            stored["v"] = self.dictionary
        return stored

    @classmethod
    def parsed(cls, stored: Stored) -> IntegerMeta:
        """The meta that `to_json` wrote; ArchiveError for a value out of range, or both "m" and
        "q"."""
        if "m" in stored and "q" in stored:
            raise refused("whole numbers are multiples, or on a grid, not both")
        dictionary = None
        if "v" in stored:
            dictionary = whole(stored["v"], 0, MOST_DICTIONARIES, "a dictionary's number")
        allowed = whole(stored["q"], 1, LARGEST_STEP, "the largest error") if "q" in stored else 0
        return cls(
            has_gaps=flag(stored, "z"),
            multiple=whole(stored.get("m", 1), 1, LARGEST_STEP, "the multiple"),
            allowed=allowed,
            limbs=whole(stored.get("l", 1), 1, MOST_LIMBS, "limbs"),
            dictionary=dictionary,
            book=book_of(stored),
        )


@dataclass(frozen=True)
class Decimals:
    """Floats stored as whole numbers over 10^places. places: 0 to 15. allowed: the largest error,
    in units of 10^-places, of numbers rounded to multiples of 2 * allowed + 1 such units, of which
    the factors are stored; 0: exact. single: the quotient is first rounded to a 32-bit float."""

    places: int
    allowed: int = 0
    single: bool = False


@dataclass(frozen=True)
class Multiples:
    """Floats rounded to multiples of `spacing`, within an error bound; stored is the factor, a
    whole number. spacing: finite, above 0."""

    spacing: float


@dataclass(frozen=True)
class Bits:
    """Floats stored as their bits, as whole numbers in the order of floats, below 0 for negative
    ones. width: 16, 32 or 64 bits."""

    width: int


@dataclass(frozen=True)
class Quotients:
    """Floats stored as whole numbers: these times `times` over `over`. digits: to how many
    significant digits the quotients are rounded, 1 to 16; below 0, to how many behind the point;
    ALL_DIGITS (17): not at all."""

    over: int
    times: int = 1
    digits: int = ALL_DIGITS

    def to_json(self) -> Json:
        """The quotients as a JSON list: [over, times, digits]."""
        return [self.over, self.times, self.digits]

    @classmethod
    def parsed(cls, stored: Json) -> Quotients:
        """The quotients that `to_json` wrote; ArchiveError for what is no list, or a number out of
        range, ValueError for a list of other than three."""
        if not isinstance(stored, list):
            raise refused("quotients must be a list")
        over, times, digits = stored
        return cls(
            whole(over, 1, LARGEST_DIVISOR, "the divisor of quotients"),
            whole(times, 1, LARGEST_DIVISOR, "the factor of quotients"),
            whole(digits, -MOST_ROUNDED, ALL_DIGITS, "the digits of quotients"),
        )


Numerals = Decimals | Multiples | Bits | Quotients


@dataclass(frozen=True)
class RealMeta(NumberedMeta):
    """Floats of a typed column. numerals: how all but odd ones are stored: as decimals, multiples,
    bits or quotients. has_gaps, has_nans, has_odd: whether there is a kind for missing cells, one
    for NaNs with the bits that numpy writes, and one for odd floats, stored as their bits."""

    kind = "real"
    letters = "d q o g b h z n r u c"
    numerals: Numerals = Bits(64)
    has_gaps: bool = False
    has_nans: bool = False
    has_odd: bool = False

    @property
    def family(self) -> tuple[str | bool, ...]:
        """What ways to store the column have in common whose whole numbers mean the same: the kind,
        and of quotients which these are."""
        if isinstance(self.numerals, Quotients):
            return (*super().family, str(self.numerals))
        return super().family

    @property
    def kinds(self) -> int:
        """How many kinds of cells there are: one of numbers, then one each of missing cells, NaNs
        and odd floats, if there are any."""
        return 1 + self.has_gaps + self.has_nans + self.has_odd

    @property
    def has_raws(self) -> bool:
        """Whether the column has a stream of raws: if there are odd floats, whose bits these
        are."""
        return self.has_odd

    def to_json(self) -> dict[str, Json]:
        """The meta as JSON: "k", "u" and "c" as every NumberedMeta; of numerals "d", "q" and "o",
        or "g", or "h", or "b"; "z", has_gaps, "n", has_nans, and "r", has_odd, where they are
        true."""
        stored = super().to_json()
        if isinstance(self.numerals, Decimals):
            stored["d"] = self.numerals.places
            if self.numerals.allowed:
                stored["q"] = self.numerals.allowed
            if self.numerals.single:
                stored["o"] = 1
        elif isinstance(self.numerals, Multiples):
            stored["g"] = self.numerals.spacing.hex()
        elif isinstance(self.numerals, Quotients):
            stored["h"] = self.numerals.to_json()
        else:
            stored["b"] = self.numerals.width
        present = {"z": self.has_gaps, "n": self.has_nans, "r": self.has_odd}
        return stored | {letter: 1 for letter, there in present.items() if there}

    @classmethod
    def parsed(cls, stored: Stored) -> RealMeta:
        """The meta that `to_json` wrote. ArchiveError for a value out of range, unless just one of
        "d", "g", "h" and "b" is there, and for "q" or "o" without "d", or both; ValueError for a
        spacing, "g", that is no hexadecimal float, or quotients, "h", of other than three
        numbers."""
        return cls(
            numerals=numerals_of(stored),
            has_gaps=flag(stored, "z"),
            has_nans=flag(stored, "n"),
            has_odd=flag(stored, "r"),
            book=book_of(stored),
        )


def numerals_of(stored: Stored) -> Numerals:
    """Read from a meta's JSON how floats are stored; ArchiveError unless it is just one of four
    ways, as decimals ("d", also with "q" or "o", not both), multiples ("g"), quotients ("h") or
    bits ("b"), with numbers in their range; ValueError for a spacing that is no hexadecimal float,
    or quotients of other than three numbers."""
    ways = [letter for letter in "dghb" if letter in stored]
    if len(ways) != 1 or (ways != ["d"] and ("q" in stored or "o" in stored)):
        raise refused("floats must be told in one way")
    if "q" in stored and "o" in stored:
        raise refused("floats are exact 32-bit ones, or on a grid, not both")
    if ways == ["d"]:
        places = whole(stored["d"], 0, MOST_DECIMALS, "decimals")
        allowed = whole(stored["q"], 1, LARGEST_STEP, "the largest error") if "q" in stored else 0
        return Decimals(places, allowed, flag(stored, "o"))
    if ways == ["g"]:
        hexadecimal = text(stored["g"], "the spacing of floats")
        try:
            spacing = float.fromhex(hexadecimal)
        except OverflowError:
            # an exponent beyond that of any float, which is no ValueError of Python's
            spacing = math.inf
        if not math.isfinite(spacing) or spacing <= 0:
            raise refused("the spacing of floats is out of range")
        return Multiples(spacing)
    if ways == ["h"]:
        return Quotients.parsed(stored["h"])
    if type(stored["b"]) is not int or stored["b"] not in WIDTHS:
        raise refused("floats of a width that there is not")
    return Bits(stored["b"])


# ---- any of them

KNOWN: dict[str, type[Meta]] = {
    kind.kind: kind
    for kind in (
        BytesMeta,
        PixelsMeta,
        WholeMeta,
        TextMeta,
        LevelMeta,
        RankMeta,
        NumberMeta,
        FloatMeta,
        DigitsMeta,
        PartsMeta,
        DateMeta,
        IntegerMeta,
        RealMeta,
    )
}


def from_json(stored: Json) -> Meta:
    """The meta of a column, of the class that its "k" names, by the JSON that `to_json` wrote, with
    its lenders. ArchiveError for anything else: no object, an unknown kind or field, a missing
    field, or a value out of range."""
    kind = stored.get("k") if isinstance(stored, Mapping) else None
    meta_class = KNOWN.get(kind) if isinstance(kind, str) else None
    if meta_class is None:
        raise ArchiveError("damaged: a column is stored in an unknown way")
    unknown = stored.keys() - {"k", *meta_class.letters.split()}
    if unknown:
        raise refused(f"a column of kind {kind} has no part {min(unknown)[:40]!r}")
    try:
        meta = meta_class.parsed(stored)
        if isinstance(meta, CellsMeta) and "cells" in stored:
            return dataclasses.replace(meta, lenders=lenders_of(stored["cells"]))
        return meta
    except KeyError as error:
        raise refused(f"a column of kind {kind} has no {error}") from None
    except ValueError as error:
        raise refused(str(error)) from None


def beside(meta: Meta, foreseen: Meta) -> Json:
    """The JSON by which a block stores the meta of a column if the shared model has a meta for that
    column, too, `foreseen`: None where both are equal; an object of just the parts (fields of
    `to_json`) that differ, if both are of one kind and no part of the model's is missing; else all
    of its parts. `all_from_json` reads it."""
    if meta == foreseen:
        return None
    parts = meta.to_json()
    known_parts = foreseen.to_json()
    if parts["k"] != known_parts["k"] or known_parts.keys() - parts.keys():
        return parts
    return {key: part for key, part in parts.items() if known_parts.get(key) != part}


def all_from_json(stored: Sequence[Json], foreseen: Sequence[Meta] = ()) -> list[Meta]:
    """The metas of a block's columns, by their JSON, in order. foreseen: the shared model's; null
    in `stored` stands for the one at its place, and an object without `k` for that one with these
    parts instead of its own. IndexError where `foreseen` is too short for that; ArchiveError for
    other JSON, and for an object without `k` where nothing is foreseen."""
    metas = []
    for place, description in enumerate(stored):
        if description is None:
            metas.append(foreseen[place])
        elif foreseen and isinstance(description, Mapping) and "k" not in description:
            metas.append(from_json({**foreseen[place].to_json(), **description}))
        else:
            metas.append(from_json(description))
    return metas
