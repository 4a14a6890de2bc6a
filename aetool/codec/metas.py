"""How a column of a block is stored: its meta, a class for each way.

The letters that FORMAT.md has for a meta's parts stand in `to_json` and `from_json` alone.
`from_json` is where what an archive or a bundle says is checked, as far as the meta alone can tell.
Whatever is out of range is an ArchiveError in one line.
"""

from __future__ import annotations

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
MOST_LIMBS = 4  # of 64 bits, in a decimal
MOST_DICTIONARIES = 1 << 31
MOST_OFFSETS = 17  # ways in which floats lie beside decimals
MOST_OFFSET = 1 << 20
FORMS = (*range(DIGITS + 1), SHORT, SHORT_ONE)
WIDTHS = (16, 32, 64)
OWN_BOOK = -1
MOST_WIDE = {10: 18, 16: 16}  # digits of a number in each base


def refused(what: str) -> ArchiveError:
    """The ArchiveError for a field of a meta that is out of range."""
    return ArchiveError(f"damaged: a column's meta: {what}")


def whole(value: Json, low: int, high: int, what: str) -> int:
    """Check a field that must be a whole number from low to high, both allowed."""
    if type(value) is not int or not low <= value <= high:
        raise refused(f"{what} must be a whole number of {low} to {high}, not {str(value)[:40]}")
    return value


def text(value: Json, what: str) -> str:
    """Check a field that must be a text of one-byte characters."""
    if not isinstance(value, str) or any(ord(letter) > 255 for letter in value):
        raise refused(f"{what} must be text in latin-1")
    return value


def texts(values: Json, what: str) -> tuple[str, ...]:
    """Check a field that must be a list of such texts."""
    if not isinstance(values, list):
        raise refused(f"{what} must be a list")
    return tuple(text(value, what) for value in values)


def flag(stored: Stored, letter: str) -> bool:
    """Check a field that is 1 or absent, and return whether it is there."""
    return letter in stored and whole(stored[letter], 1, 1, f"'{letter}'") == 1


@dataclass(frozen=True)
class Meta:
    """How a column is stored, and so which parts of the payload are its own."""

    kind: ClassVar[str]
    letters: ClassVar[str] = ""  # of its parts, beside "k"

    @property
    def blobs(self) -> int:
        """Blobs of bytes that belong to it."""
        return 0

    @property
    def kinds(self) -> int:
        """Kinds of cells; of one kind alone there is no stream that says which."""
        return 1

    @property
    def valued(self) -> int:
        """Cells of kinds below this number have a value in the stream of values; 0: none has."""
        return 1

    @property
    def has_raws(self) -> bool:
        """Whether the last kind has a stream of its own."""
        return False

    @property
    def streams(self) -> int:
        """Streams of whole numbers: kinds, values, raws, as there are."""
        return (self.kinds > 1) + (self.valued > 0) + self.has_raws

    def to_json(self) -> dict[str, Json]:
        """As it is stored: what is as usual is left out."""
        return {"k": self.kind}

    @classmethod
    def parsed(cls, stored: Stored) -> Meta:
        """The meta that to_json wrote. stored: its fields, whose names have been checked."""
        return cls()


# ---- bytes and whole numbers


@dataclass(frozen=True)
class BytesMeta(Meta):
    """A blob: a file, or records as they are."""

    kind = "bytes"

    @property
    def blobs(self) -> int:
        return 1

    @property
    def valued(self) -> int:
        return 0


@dataclass(frozen=True)
class PixelsMeta(Meta):
    """Pictures of one size, coded together; width: bytes of a value, 1 or 2."""

    kind = "pixels"
    letters = "w"
    width: int = 1

    @property
    def blobs(self) -> int:
        return 1

    @property
    def valued(self) -> int:
        return 0

    def to_json(self) -> dict[str, Json]:
        return {**super().to_json(), **({"w": self.width} if self.width != 1 else {})}

    @classmethod
    def parsed(cls, stored: Stored) -> PixelsMeta:
        return cls(whole(stored.get("w", 1), 1, 2, "the bytes of a value"))


@dataclass(frozen=True)
class WholeMeta(Meta):
    """How a column of whole numbers is stored: one of 64 bits for each row, none missing."""

    kind = "whole"


# ---- cells of text


@dataclass(frozen=True)
class CellsMeta(Meta):
    """Cells of text or bytes. gap: the cell that stands for one that is missing, if any does."""

    gap: str | None = None

    def to_json(self) -> dict[str, Json]:
        gap = {} if self.gap is None else {"gap": self.gap}
        return {**super().to_json(), **gap}


def gap_in(meta: Meta) -> str | None:
    """The cell that stands for a missing value in a column of this meta; None if there is none."""
    return meta.gap if isinstance(meta, CellsMeta) else None


def gap_of(stored: Stored) -> str | None:
    """The cell that stands for a missing one."""
    if "gap" in stored:
        return text(stored["gap"], "what stands for a gap")
    return None


@dataclass(frozen=True)
class CellsInABlob(CellsMeta):
    """Cells of which one blob says all."""

    letters = "gap"

    @property
    def blobs(self) -> int:
        return 1

    @property
    def valued(self) -> int:
        return 0

    @classmethod
    def parsed(cls, stored: Stored) -> Self:
        return cls(gap_of(stored))


@dataclass(frozen=True)
class TextMeta(CellsInABlob):
    """How a column of text is stored as one blob of all cells."""

    kind = "text"


@dataclass(frozen=True)
class LevelMeta(CellsMeta):
    """Numbers of the different cells: those that the meta has, then those of the blob."""

    kind = "level"
    letters = "v gap"
    levels: tuple[str, ...] = ()

    @property
    def blobs(self) -> int:
        return 1

    def to_json(self) -> dict[str, Json]:
        levels = {"v": list(self.levels)} if self.levels else {}
        return {**super().to_json(), **levels}

    @classmethod
    def parsed(cls, stored: Stored) -> LevelMeta:
        return cls(gap_of(stored), texts(stored.get("v", []), "levels"))


@dataclass(frozen=True)
class RankMeta(CellsMeta):
    """Ranks of the different cells, in an order of their own.

    of: the place of the column before whose cells these are; None: they are in the blob, coded as a
    column of a block of its own.
    """

    kind = "rank"
    letters = "c gap"
    of: int | None = None

    @property
    def blobs(self) -> int:
        return int(self.of is None)

    def to_json(self) -> dict[str, Json]:
        return super().to_json() | ({} if self.of is None else {"c": self.of})

    @classmethod
    def parsed(cls, stored: Stored) -> RankMeta:
        of = whole(stored["c"], 0, MAX_COLUMNS, "a column's place") if "c" in stored else None
        return cls(gap_of(stored), of)


@dataclass(frozen=True)
class PartsMeta(CellsInABlob):
    """Skeletons of cells, and the parts that stand for their marks: columns of a block of their
    own, in the blob."""

    kind = "parts"


@dataclass(frozen=True)
class PatternMeta(CellsMeta):
    """Cells of which most are written in a known way.

    specials: others that occur, a kind for each; has_rest: the last kind is of all others, which
    stand in the blob.
    """

    specials: tuple[str, ...] = ()
    has_rest: bool = False

    @property
    def blobs(self) -> int:
        return int(self.has_rest)

    @property
    def kinds(self) -> int:
        return self.valued + len(self.specials) + self.has_rest

    def to_json(self) -> dict[str, Json]:
        rest = {"r": 1} if self.has_rest else {}
        return {**super().to_json(), "s": list(self.specials), **rest}


@dataclass(frozen=True)
class NumberMeta(PatternMeta):
    """Decimals, as whole numbers.

    decimals: digits behind the point of a whole number times its step; forms: how many of them are
    written, a kind for each; affixes: what stands before and behind each number. own_units: a
    number of a form of just so many digits has so many behind the point, not `decimals` of them.
    """

    kind = "number"
    letters = "d f q a s r u gap"
    decimals: int = 0
    forms: tuple[int, ...] = (0,)
    step: int = 1
    affixes: tuple[str, str] = ("", "")
    own_units: bool = False

    @property
    def valued(self) -> int:
        return len(self.forms)

    @property
    def units(self) -> list[int]:
        """Of each form, what its whole numbers count, in the last of `decimals` digits."""
        digits = [self.decimals] * len(self.forms)
        if self.own_units:
            digits = [min(form, self.decimals) for form in self.forms]
        return [int(self.step * 10 ** (self.decimals - own)) for own in digits]

    def to_json(self) -> dict[str, Json]:
        stored = {**super().to_json(), "d": self.decimals, "f": list(self.forms)}
        if self.own_units:
            stored["u"] = 1
        if self.step != 1:
            stored["q"] = self.step
        if any(self.affixes):
            stored["a"] = list(self.affixes)
        return stored

    @classmethod
    def parsed(cls, stored: Stored) -> NumberMeta:
        forms = stored["f"]
        if not isinstance(forms, list) or not 0 < len(forms) <= len(FORMS):
            raise refused("the forms of numbers are out of range")
        if any(type(form) is not int or form not in FORMS for form in forms):
            raise refused("an unknown form of numbers")
        before, behind = texts(stored.get("a", ["", ""]), "what stands around numbers")
        return cls(
            gap=gap_of(stored),
            specials=texts(stored["s"], "special cells"),
            has_rest=flag(stored, "r"),
            decimals=whole(stored["d"], 0, DIGITS, "decimals"),
            forms=tuple(forms),
            step=whole(stored.get("q", 1), 1, LARGEST_STEP, "the step"),
            affixes=(before, behind),
            own_units=flag(stored, "u"),
        )


@dataclass(frozen=True)
class FloatMeta(PatternMeta):
    """Numbers as they are written for floats of 64 bits: the fewest digits that tell each apart.

    places: a value is the whole number which, over this power of ten, is nearest to the float;
    None: it is the float's bits, in the order of floats. offsets: how many floats above that the
    number is, a kind for each. bare: whole numbers are written without point.
    """

    kind = "float"
    letters = "d f i s r gap"
    places: int | None = None
    offsets: tuple[int, ...] = (0,)
    bare: bool = False

    @property
    def valued(self) -> int:
        return len(self.offsets)

    def to_json(self) -> dict[str, Json]:
        stored = super().to_json()
        if self.places is not None:
            stored["d"] = self.places
        if self.offsets != FloatMeta.offsets:
            stored["f"] = list(self.offsets)
        return stored | ({"i": 1} if self.bare else {})

    @classmethod
    def parsed(cls, stored: Stored) -> FloatMeta:
        offsets = stored.get("f", [0])
        if not isinstance(offsets, list) or not 0 < len(offsets) <= MOST_OFFSETS:
            raise refused("floats have too many offsets, or none")
        places = whole(stored["d"], 0, MOST_DECIMALS, "decimals") if "d" in stored else None
        return cls(
            gap=gap_of(stored),
            specials=texts(stored["s"], "special cells"),
            has_rest=flag(stored, "r"),
            places=places,
            offsets=tuple(whole(o, -MOST_OFFSET, MOST_OFFSET, "an offset") for o in offsets),
            bare=flag(stored, "i"),
        )


@dataclass(frozen=True)
class DigitsMeta(PatternMeta):
    """Cells of `width` digits each in this base, as whole numbers without a sign.

    is_upper: hexadecimal digits are capitals; affixes: what stands before and behind each number.
    """

    kind = "digits"
    letters = "b w u a s r gap"
    base: int = 10
    width: int = 1
    is_upper: bool = False
    affixes: tuple[str, str] = ("", "")

    @property
    def valued(self) -> int:
        return 1

    def to_json(self) -> dict[str, Json]:
        stored = {**super().to_json(), "b": self.base, "w": self.width}
        if any(self.affixes):
            stored["a"] = list(self.affixes)
        return stored | ({"u": 1} if self.is_upper else {})

    @classmethod
    def parsed(cls, stored: Stored) -> DigitsMeta:
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
    """Dates, as ticks since 1970.

    format: as dates.DateFormat has it; quote: what stands before and behind each date.
    """

    kind = "date"
    letters = "t a s r gap"
    format: str = ""
    quote: str = ""

    @property
    def ticks_a_second(self) -> int:
        """By how much a stored date grows in a second."""
        return int(10 ** DateFormat.of(self.format).digits)

    def to_json(self) -> dict[str, Json]:
        return {**super().to_json(), "t": self.format, "a": self.quote}

    @classmethod
    def parsed(cls, stored: Stored) -> DateMeta:
        format = text(stored["t"], "the format of dates")
        if not 0 <= DateFormat.of(format).digits <= MOST_FINE:
            raise refused("dates of more digits than there are")
        return cls(
            gap=gap_of(stored),
            specials=texts(stored["s"], "special cells"),
            has_rest=flag(stored, "r"),
            format=format,
            quote=text(stored["a"], "what stands around dates"),
        )


# ---- numbers in types of their own


@dataclass(frozen=True)
class NumberedMeta(Meta):
    """Numbers whose values may be ranks in a book of different ones.

    book: None, they are values; OWN_BOOK: the book is in the blob; else it is that of the column at
    this place, before this one.
    """

    book: int | None = field(default=None, kw_only=True)

    @property
    def blobs(self) -> int:
        return int(self.book == OWN_BOOK)

    def to_json(self) -> dict[str, Json]:
        stored = super().to_json()
        if self.book == OWN_BOOK:
            stored["u"] = 1
        elif self.book is not None:
            stored["c"] = self.book
        return stored


def book_of(stored: Stored) -> int | None:
    """The column whose book of words a column uses, by its place; OWN_BOOK; or None."""
    if "c" in stored:
        return whole(stored["c"], 0, MAX_COLUMNS, "a column's place")
    return OWN_BOOK if flag(stored, "u") else None


@dataclass(frozen=True)
class IntegerMeta(NumberedMeta):
    """How a column of whole numbers with gaps is stored.

    multiple: what each is multiplied by; allowed: instead, the largest error of numbers on a grid;
    limbs: of a wide decimal, this column counted; dictionary: which one the numbers are indices of.
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
        return 1 + self.has_gaps

    def to_json(self) -> dict[str, Json]:
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
    """How floats are stored that are whole numbers over a power of ten; allowed: as of
    IntegerMeta."""

    places: int
    allowed: int = 0


@dataclass(frozen=True)
class Multiples:
    """Floats that are multiples of another, for a bound."""

    spacing: float


@dataclass(frozen=True)
class Bits:
    """How floats are stored as whole numbers, their bits in the order of floats; width: 16, 32 or
    64."""

    width: int


Numerals = Decimals | Multiples | Bits


@dataclass(frozen=True)
class RealMeta(NumberedMeta):
    """Floats. numerals: how most are told; has_gaps, has_nans, has_odd: whether there are gaps,
    NaNs of the usual bits, and others that are kept as their bits."""

    kind = "real"
    letters = "d q g b z n r u c"
    numerals: Numerals = Bits(64)
    has_gaps: bool = False
    has_nans: bool = False
    has_odd: bool = False

    @property
    def kinds(self) -> int:
        return 1 + self.has_gaps + self.has_nans + self.has_odd

    @property
    def has_raws(self) -> bool:
        return self.has_odd

    def to_json(self) -> dict[str, Json]:
        stored = super().to_json()
        if isinstance(self.numerals, Decimals):
            stored["d"] = self.numerals.places
            if self.numerals.allowed:
                stored["q"] = self.numerals.allowed
        elif isinstance(self.numerals, Multiples):
            stored["g"] = self.numerals.spacing.hex()
        else:
            stored["b"] = self.numerals.width
        present = {"z": self.has_gaps, "n": self.has_nans, "r": self.has_odd}
        return stored | {letter: 1 for letter, there in present.items() if there}

    @classmethod
    def parsed(cls, stored: Stored) -> RealMeta:
        return cls(
            numerals=numerals_of(stored),
            has_gaps=flag(stored, "z"),
            has_nans=flag(stored, "n"),
            has_odd=flag(stored, "r"),
            book=book_of(stored),
        )


def numerals_of(stored: Stored) -> Numerals:
    """How most floats of a column are told: in one of three ways."""
    ways = [letter for letter in "dgb" if letter in stored]
    if len(ways) != 1 or ("q" in stored and ways != ["d"]):
        raise refused("floats must be told in one way")
    if ways == ["d"]:
        places = whole(stored["d"], 0, MOST_DECIMALS, "decimals")
        allowed = whole(stored["q"], 1, LARGEST_STEP, "the largest error") if "q" in stored else 0
        return Decimals(places, allowed)
    if ways == ["g"]:
        spacing = float.fromhex(text(stored["g"], "the distance of floats"))
        if not math.isfinite(spacing) or spacing <= 0:
            raise refused("the distance of floats is out of range")
        return Multiples(spacing)
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
    """The meta that to_json wrote; ArchiveError for anything else."""
    kind = stored.get("k") if isinstance(stored, Mapping) else None
    known = KNOWN.get(kind) if isinstance(kind, str) else None
    if known is None:
        raise ArchiveError("damaged: a column is stored in an unknown way")
    unknown = stored.keys() - {"k", *known.letters.split()}
    if unknown:
        raise refused(f"a column of kind {kind} has no part {min(unknown)[:40]!r}")
    try:
        return known.parsed(stored)
    except KeyError as error:
        raise refused(f"a column of kind {kind} has no {error}") from None
    except ValueError as error:
        raise refused(str(error)) from None


def all_from_json(stored: Sequence[Json], foreseen: Sequence[Meta] = ()) -> list[Meta]:
    """The metas of a block's columns; null stands for the foreseen one at its place."""
    return [foreseen[place] if one is None else from_json(one) for place, one in enumerate(stored)]
