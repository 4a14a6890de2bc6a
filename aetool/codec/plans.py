"""The plan of a stream of whole numbers: how it is coded, in typed parts.

The letters that FORMAT.md has for these parts stand in `to_json` and `from_json` alone. `from_json`
is where what an archive or a bundle says is checked: every length, count and index that needs no
more than the plan itself to be judged. Whatever is out of range is an ArchiveError in one line.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar

import numpy as np

from aetool.canonical import Json
from aetool.codec import rans
from aetool.errors import ArchiveError
from aetool.model import Int

MAX_BINS = rans.MAX_ALPHABET - 1
MAX_CLASSES = 256
MAX_WIDTH = 63  # bits of a place within a bin
MAX_STRENGTH = (1 << 16) - 1
MAX_LANES_LOG = 8
MAX_STREAM = 1 << 22  # numbers of streams are below
MOST_FACTOR = 1 << 40  # of a term of a combination, and of its divisor
MOST_LAG = 16  # rows
MOST_TERMS = 16  # of a combination
MOST_POWER = 22  # of ten, by which operands are scaled: all up to it are whole numbers in floats
OPERATORS = "=+-*/"  # "=": of one operand alone
MOST_OTHERS = 4  # streams that a mixture looks at
MOST_REGRESSORS = 6  # of the regression of a mixture
LEAST_REGRESSED = 3  # bins of a stream with a regression: of two any order is as good
PACKED_SIZES = (1, 2, 4, 8)  # bytes of a value
NO_INTEGERS = np.zeros(0, np.int64)


def refused(what: str) -> ArchiveError:
    """Return the ArchiveError for a stored plan that makes no sense. what: the end of its
    message."""
    return ArchiveError(f"damaged: a column's plan: {what}")


def whole_number(
    value: Json,
    low: int,
    high: int,
    what: str,
) -> int:
    """Return `value` if it is a whole number from low to high, both allowed; else, as for True or
    1.0, raise ArchiveError. what: the field's name in the message."""
    # True and False are integers, too, for isinstance
    if type(value) is not int or not low <= value <= high:
        shown = str(value)[:40]
        raise refused(f"{what} must be a whole number of {low} to {high}, not {shown}")
    return value


def deltas(values: Sequence[int] | Int) -> list[int]:
    """The first of the values, then each minus the one before it, as plans store ascending
    numbers; [] for no values. values: (n,), of 64 bits; `summed` is the inverse."""
    numbers = np.asarray(values, np.int64)
    # as if a 0 came before them: the first step is the first value
    steps: list[int] = np.diff(numbers, prepend=np.int64(0)).tolist()
    return steps


def summed(raw: Json, most: int, what: str) -> Int:
    """The inverse of `deltas`: (n,) int64, ascending numbers from a list of the first one and the
    steps to the next. raw: from JSON; ArchiveError unless it is a list of at most `most` whole
    numbers of 64 bits, whose sums are ascending, no two equal. what: the field's name in the
    message."""
    if not isinstance(raw, list) or len(raw) > most:
        raise refused(f"{what} must be at most {most} numbers")
    for step in raw:
        if type(step) is not int or not -(1 << 63) <= step < 1 << 63:
            raise refused(f"{what} must be whole numbers of 64 bits")
    steps = np.array(raw, np.int64)
    # a sum beyond 64 bits wraps around, and is then not ascending
    values = np.cumsum(steps, dtype=np.int64)
    is_ascending = values[1:] > values[:-1]
    if not is_ascending.all():
        raise refused(f"{what} must be ascending")
    return values


class Transform(Enum):
    """How residuals, the numbers that are coded, are computed from a stream's values.

    NONE: they are the values. DIFFERENCE: the difference to the value before, for what drifts or
    grows. GROUPED: to the value before in the same group of another stream, for series that are
    interleaved. COLUMN: to another stream's value in the same row, for columns that follow one
    another. SECOND: the difference between differences, for what moves steadily. LINEAR: to a
    combination of other streams, for totals and products. LINEAR_DIFFERENCE: the difference of that
    to the row before. KEYED: to the value when the same value of another stream, its key, came
    last.
    """

    NONE = "v"
    DIFFERENCE = "d"
    GROUPED = "g"
    COLUMN = "c"
    SECOND = "s"
    LINEAR = "l"
    LINEAR_DIFFERENCE = "m"
    KEYED = "k"

    @property
    def looks_aside(self) -> bool:
        """Whether the transform uses one other stream, `of` in the plan. Linear ones use those of a
        combination instead."""
        return self in (Transform.GROUPED, Transform.COLUMN, Transform.KEYED)

    @property
    def is_linear(self) -> bool:
        """Whether the transform predicts by a combination of other streams: a sum of terms, in each
        of which a factor multiplies one stream or the product of two, or what is computed of one or
        two in floats."""
        return self in (Transform.LINEAR, Transform.LINEAR_DIFFERENCE)


@dataclass(frozen=True)
class Term:
    """One term of a combination of streams: `factor` times the value of one stream, or times the
    product of two. streams: for each its number in the block, and its lag: it counts as it was so
    many rows before."""

    factor: int
    streams: tuple[tuple[int, int], ...]  # a stream and its lag; of two the product counts

    def to_json(self) -> list[Json]:
        """The term as a JSON list: the factor, then number and lag of each stream in turn."""
        stored: list[Json] = [self.factor]
        for stream, lag in self.streams:
            stored += [stream, lag]
        return stored

    @classmethod
    def parsed(cls, raw: Json) -> Term:
        """The term that `to_json` wrote; ArchiveError for anything else, or a factor, stream or lag
        beyond MOST_FACTOR (2^40), MAX_STREAM (2^22) or MOST_LAG (16)."""
        if not isinstance(raw, list) or len(raw) not in (3, 5):
            raise refused("a term must be a factor and one stream or two, each with its lag")
        factor = whole_number(raw[0], -MOST_FACTOR, MOST_FACTOR, "a factor")
        # behind the factor numbers of streams and lags take turns
        streams = [whole_number(number, 0, MAX_STREAM, "a stream's number") for number in raw[1::2]]
        lags = [whole_number(lag, 0, MOST_LAG, "a lag") for lag in raw[2::2]]
        pairs = zip(streams, lags, strict=True)
        return cls(factor, tuple(pairs))


@dataclass(frozen=True)
class Combination:
    """A prediction of a value from other streams: the sum of terms over the divisor, which is 1 or
    more, rounded to a whole number."""

    terms: tuple[Term, ...]
    divisor: int = 1

    @property
    def size(self) -> int:
        """How many parts its description has: the terms and the divisor."""
        return 1 + len(self.terms)

    @property
    def streams(self) -> set[int]:
        """The numbers of the streams that the combination predicts by, in any of its terms."""
        return {stream for term in self.terms for stream, _ in term.streams}

    def moved(self, numbers: Mapping[int, int]) -> Combination:
        """A copy with its streams renumbered. numbers: old number to new; KeyError for a stream
        that is not in it."""
        terms = []
        for term in self.terms:
            streams = tuple((numbers[stream], lag) for stream, lag in term.streams)
            terms.append(Term(term.factor, streams))
        return Combination(tuple(terms), self.divisor)

    def to_json(self) -> list[Json]:
        """The combination as a JSON list: the divisor, then the terms, each a list."""
        return [self.divisor, *(term.to_json() for term in self.terms)]

    @classmethod
    def parsed(cls, raw: Json) -> Combination:
        """The combination that `to_json` wrote; ArchiveError for anything else, no terms, or more
        than MOST_TERMS (16)."""
        if not isinstance(raw, list) or not 2 <= len(raw) <= 1 + MOST_TERMS:
            raise refused(f"a combination must be a divisor and 1 to {MOST_TERMS} terms")
        divisor = whole_number(raw[0], 1, MOST_FACTOR, "a divisor")
        terms = [Term.parsed(term) for term in raw[1:]]
        return cls(tuple(terms), divisor)


@dataclass(frozen=True)
class Operand:
    """The value of stream number `stream`, `lag` rows before, times 10^power, as a float."""

    power: int
    stream: int
    lag: int = 0


@dataclass(frozen=True)
class Computed:
    """A prediction of a value from one other stream or two, computed in 64-bit floats as programs
    compute a column of a table: their sum, difference, product or quotient.

    operator: one of OPERATORS; operands: one with "=", two with all others.
    """

    operator: str
    operands: tuple[Operand, ...]

    @property
    def size(self) -> int:
        """How many parts its description has: the operands and the operator."""
        return 1 + len(self.operands)

    @property
    def streams(self) -> set[int]:
        """The numbers of the streams that it predicts by."""
        return {operand.stream for operand in self.operands}

    def moved(self, numbers: Mapping[int, int]) -> Computed:
        """A copy with its streams renumbered. numbers: old number to new; KeyError for a stream
        that is not in it."""
        operands = []
        for operand in self.operands:
            stream = numbers[operand.stream]
            operands.append(dataclasses.replace(operand, stream=stream))
        return Computed(self.operator, tuple(operands))

    def to_json(self) -> list[Json]:
        """The computation as a JSON list: the operator, then power, stream and lag of each operand
        in turn."""
        stored: list[Json] = [self.operator]
        for operand in self.operands:
            stored += [operand.power, operand.stream, operand.lag]
        return stored

    @classmethod
    def parsed(cls, raw: list[Json]) -> Computed:
        """The computation that `to_json` wrote; ArchiveError for another list of at least one
        element, or a power, stream or lag beyond MOST_POWER (22), MAX_STREAM (2^22) or MOST_LAG
        (16)."""
        operator, *parts = raw
        if not isinstance(operator, str) or len(operator) != 1 or operator not in OPERATORS:
            raise refused(f"what is computed is by one of {OPERATORS}")
        if len(parts) != (3 if operator == "=" else 6):
            raise refused(f"{operator} has another number of operands")
        operands = []
        for power, stream, lag in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
            operand = Operand(
                whole_number(power, -MOST_POWER, MOST_POWER, "a power of ten"),
                whole_number(stream, 0, MAX_STREAM, "a stream's number"),
                whole_number(lag, 0, MOST_LAG, "a lag"),
            )
            operands.append(operand)
        return cls(operator, tuple(operands))


def combination_from_json(raw: Json) -> Combination | Computed:
    """The prediction by other streams that `to_json` of its class wrote: a Computed of a list that
    begins with a text, else a Combination. ArchiveError for anything else."""
    if isinstance(raw, list) and raw and isinstance(raw[0], str):
        return Computed.parsed(raw)
    return Combination.parsed(raw)


# ---- features of a context


@dataclass(frozen=True, eq=False)
class Feature:
    """A number that is known of a row before its symbol; a plan's features together choose the
    symbol's frequency table. Each subclass is one kind of feature; letter: by which a plan's JSON
    has it.

    stream: the number of the other stream that the feature looks at; None if it looks at none.
    """

    letter: ClassVar[str]  # by which a plan's JSON has the class

    @property
    def stream(self) -> int | None:
        """The number of the other stream that the feature looks at; None if it looks at none, as by
        default."""
        return None

    def at(self, stream: int) -> Feature:
        """A copy that looks at stream `stream` instead; the feature itself if it looks at none, as
        by default."""
        return self

    def to_json(self) -> list[Json]:
        """The feature as a JSON list: its letter, then its parts, here none."""
        return [self.letter]

    @classmethod
    def parsed(cls, raw: list[Json]) -> Feature:
        """The feature of this class that `to_json` wrote. raw: what followed the letter.
        ArchiveError for a part out of range, here for any part, as there are none; of a class with
        parts ValueError for another number of them."""
        if raw:
            raise refused(f"a feature of letter {cls.letter} has nothing behind it")
        return cls()


@dataclass(frozen=True, eq=False)
class Classes(Feature):
    """A feature that is the class of a symbol or value: which of several ranges it lies in.

    edges: (n,) int64, ascending, no two equal; the class, 0 .. n, is how many of them are less than
    or equal to it.
    """

    edges: Int = field(default_factory=lambda: NO_INTEGERS)

    @property
    def radix(self) -> int:
        """How many classes the feature can be: one more than there are edges."""
        return len(self.edges) + 1


@dataclass(frozen=True, eq=False)
class OwnSymbol(Classes):
    """The class of the symbol before in the same stream and lane (one of several coders that take
    turns): for what comes in runs. It is the first feature of a plan."""

    letter = "o"

    def to_json(self) -> list[Json]:
        """The feature as a JSON list: its letter, the edges as `deltas`."""
        return [self.letter, deltas(self.edges)]

    @classmethod
    def parsed(cls, raw: list[Json]) -> OwnSymbol:
        """The feature that `to_json` wrote. raw: its parts, what followed the letter: its edges
        alone; ArchiveError for one out of range, ValueError for more or fewer parts."""
        (edges,) = raw
        return cls(edges=summed(edges, MAX_CLASSES - 1, "classes"))


@dataclass(frozen=True, eq=False)
class Repeat(Classes):
    """The class of the symbol that followed when the last `size` symbols, 1 .. rans.MAX_REPEAT
    (64), came before in the same stream."""

    letter = "m"
    size: int = 1

    def to_json(self) -> list[Json]:
        """The feature as a JSON list: its letter, the edges as `deltas`, the size."""
        return [self.letter, deltas(self.edges), self.size]

    @classmethod
    def parsed(cls, raw: list[Json]) -> Repeat:
        """The feature that `to_json` wrote. raw: its parts, what followed the letter: edges and
        size; ArchiveError for one out of range, ValueError for more or fewer parts."""
        edges, size = raw
        return cls(
            edges=summed(edges, MAX_CLASSES - 1, "classes"),
            size=whole_number(size, 1, rans.MAX_REPEAT, "the size of a repeat"),
        )


@dataclass(frozen=True, eq=False)
class OtherSymbol(Classes):
    """The class of the symbol of another stream, of number `of`, in the same row."""

    letter = "s"
    of: int = 0

    @property
    def stream(self) -> int:
        """The number of the other stream that the feature looks at, `of`."""
        return self.of

    def at(self, stream: int) -> OtherSymbol:
        """A copy of the feature, of the same class, that looks at stream `stream` instead."""
        return dataclasses.replace(self, of=stream)

    def to_json(self) -> list[Json]:
        """The feature as a JSON list: its letter, the other stream's number, the edges as
        `deltas`."""
        return [self.letter, self.of, deltas(self.edges)]

    @classmethod
    def parsed(cls, raw: list[Json]) -> OtherSymbol:
        """The feature that `to_json` wrote. raw: its parts, what followed the letter: stream and
        edges; ArchiveError for one out of range, ValueError for more or fewer parts."""
        of, edges = raw
        return cls(
            of=whole_number(of, 0, MAX_STREAM, "a stream's number"),
            edges=summed(edges, MAX_CLASSES - 1, "classes"),
        )


@dataclass(frozen=True, eq=False)
class OtherValue(OtherSymbol):
    """The class of the value, not the symbol, of another stream in the same row: edges are
    values."""

    letter = "v"


@dataclass(frozen=True, eq=False)
class Unchanged(Feature):
    """1 if another stream, of number `of`, has the value that it had in the row before, else 0."""

    letter = "e"
    of: int = 0

    @property
    def stream(self) -> int:
        """The number of the other stream that the feature looks at, `of`."""
        return self.of

    def at(self, stream: int) -> Unchanged:
        """A copy of the feature that looks at stream `stream` instead."""
        return Unchanged(stream)

    def to_json(self) -> list[Json]:
        """The feature as a JSON list: its letter, the other stream's number."""
        return [self.letter, self.of]

    @classmethod
    def parsed(cls, raw: list[Json]) -> Unchanged:
        """The feature that `to_json` wrote. raw: its parts, what followed the letter: the stream's
        number alone; ArchiveError for one out of range, ValueError for more or fewer parts."""
        (of,) = raw
        return cls(whole_number(of, 0, MAX_STREAM, "a stream's number"))


@dataclass(frozen=True, eq=False)
class Verdict(Feature):
    """The class, 0 .. 255, that the stream's student, a small network, predicts for the row."""

    letter = "n"


@dataclass(frozen=True, eq=False)
class Seen(Feature):
    """How often the row's key came before, as a class, 0 (never) .. keys.MOST_SEEN (often), see
    keys.Course.times_before: for plans whose transform is KEYED alone."""

    letter = "k"


FEATURES = {
    kind.letter: kind
    for kind in (OwnSymbol, Repeat, OtherSymbol, OtherValue, Unchanged, Verdict, Seen)
}


def feature_from_json(raw: Json) -> Feature:
    """The feature, of the class that its letter names, that `to_json` wrote; ArchiveError for
    anything else."""
    if not isinstance(raw, list) or not raw or not isinstance(raw[0], str):
        raise refused("a feature is no list that begins with a letter")
    letter, *parts = raw
    kind = FEATURES.get(letter)
    if kind is None:
        raise refused(f"an unknown feature, {letter[:40]!r}")
    try:
        return kind.parsed(parts)
    # too many parts, or too few
    except ValueError:
        raise refused(f"a feature of letter {letter} has {len(parts)} parts") from None


# ---- plans


@dataclass(frozen=True)
class Mixture:
    """Symbols are coded by a mixture of contexts, see symbol_mixing, not by frequency tables.

    shift: by how many bits the sum of the residuals so far is cut where it is a context, 0 ..
    MAX_WIDTH. others: at most MOST_OTHERS streams before this one that contexts look at, the most
    telling first: the number of a stream for its symbols; for its values -1 less the number.
    is_wide: whether there are more contexts, as of all archives made since there are such.
    regressors: of a wide one, at most MOST_REGRESSORS streams before this one by which a regression
    predicts the number that comes, see regression: the number of a stream for its value in the same
    row; for that in the row before -1 less the number. None: there is no regression.
    """

    shift: int
    others: tuple[int, ...]
    is_wide: bool = True
    regressors: tuple[int, ...] | None = None

    def to_json(self) -> list[Json]:
        """The mixture as a JSON list: the shift, then the numbers of the other streams. Regressors
        are a part of the plan of their own."""
        return [self.shift, *self.others]

    @classmethod
    def parsed(
        cls,
        raw: Json,
        is_wide: bool,
        regressors: tuple[int, ...] | None = None,
    ) -> Mixture:
        """The mixture that `to_json` wrote; is_wide: whether it is of the form with more contexts,
        which that list does not say; regressors: of its regression, which are not in it either.
        ArchiveError for anything else."""
        if not isinstance(raw, list) or not 1 <= len(raw) <= 1 + MOST_OTHERS:
            raise refused(f"a mixture must be a shift and at most {MOST_OTHERS} streams")
        shift = whole_number(raw[0], 0, MAX_WIDTH, "a shift")
        most = MAX_STREAM
        others = [whole_number(other, -1 - most, most, "a stream's number") for other in raw[1:]]
        return cls(shift, tuple(others), is_wide, regressors)


@dataclass(frozen=True)
class Packed:
    """Values stored as bytes instead of symbols, for long repeats: each less `low`, the least, as a
    number of `size` bytes, 1, 2, 4 or 8; then compressed by a general stage, such as LZMA2."""

    low: int
    size: int


@dataclass(frozen=True, eq=False)
class Plan:
    """The plan by which a stream, a column of whole numbers, is coded: values become residuals, and
    each of these a symbol, the number of the bin (range) that it lies in, and its place there.

    starts, widths: (bins,) int64, the first residual of each bin, ascending, and the bits of a
    place within it. complete: all residuals lie in bins, so that there is no escape symbol.
    transform: what makes residuals of values; of: the number of the stream that it looks at, if it
    does; combined: of a linear one, else None; pair: of a keyed one, the numbers of another stream
    of keys and one of values, or None.

    features: by which a symbol's frequency table is chosen, the coarsest first. strength: for how
    many symbols the table with one feature less counts. lanes_log: there are 2^lanes_log lanes,
    coders that take turns. usual: the symbol that all rows have where the stream is stored in no
    bytes. packed: not None: values are stored as bytes, not as symbols. mixture: not None: symbols
    are coded by a mixture of contexts, in one lane; no feature is then a Repeat.
    """

    starts: Int = field(default_factory=lambda: NO_INTEGERS)
    widths: Int = field(default_factory=lambda: NO_INTEGERS)
    complete: bool = False
    transform: Transform = Transform.NONE
    of: int = 0
    features: tuple[Feature, ...] = ()
    strength: int = 8
    lanes_log: int = 0
    usual: int = 0
    packed: Packed | None = None
    mixture: Mixture | None = None
    combined: Combination | Computed | None = None
    pair: tuple[int, int] | None = None

    @property
    def bins(self) -> int:
        """How many bins (ranges of residuals, each with a symbol) the plan has."""
        return len(self.starts)

    @property
    def alphabet(self) -> int:
        """How many symbols there are: one for each bin, and, unless the bins are complete, the
        escape, for residuals that lie in none."""
        return self.bins + (not self.complete)

    @property
    def asks_others(self) -> bool:
        """Whether the plan predicts values by a combination of other streams or by keys, whose
        savings a search estimates least reliably. The other transforms (GROUPED, COLUMN) and the
        features that look at other streams do not count."""
        return self.combined is not None or self.transform is Transform.KEYED

    @property
    def looked_at(self) -> set[int]:
        """The numbers of the other streams of its block that the plan's transform and features look
        at; those of a mixture, which is sought anew in each block, do not count."""
        streams: set[int] = set(self.pair or ())
        # of any other transform the number means nothing
        if self.transform.looks_aside:
            streams.add(self.of)
        if self.combined is not None:
            streams |= self.combined.streams
        for feature in self.features:
            # these look at the plan's own stream alone
            if isinstance(feature, OwnSymbol | Repeat | Seen):
                continue
            if feature.stream is not None:
                streams.add(feature.stream)
        return streams

    def but(self, **changes: Any) -> Plan:
        """A copy of the plan with these fields changed, by name. TypeError for a field that there
        is not."""
        return dataclasses.replace(self, **changes)

    def to_json(self) -> dict[str, Json]:
        """The plan as a JSON object, as it is stored, a letter for each field; fields with their
        default are left out, the starts of bins never, and `of` where the transform looks at no
        other stream."""
        stored: dict[str, Json] = {"b": deltas(self.starts)}
        # a small block's plans are a good part of it
        if self.widths.any():
            stored["w"] = self.widths.tolist()
        if self.complete:
            stored["x"] = 1
        if self.transform is not Transform.NONE:
            stored["t"] = self.transform.value
        # to other transforms the stream means nothing
        if self.transform.looks_aside:
            stored["g"] = self.of
        if self.combined is not None:
            stored["p"] = self.combined.to_json()
        if self.pair is not None:
            stored["j"] = list(self.pair)
        if self.features:
            stored["f"] = [feature.to_json() for feature in self.features]
        if self.strength != Plan.strength:
            stored["k"] = self.strength
        if self.lanes_log:
            stored["l"] = self.lanes_log
        if self.usual:
            stored["z"] = self.usual
        if self.packed is not None:
            stored["o"] = self.packed.low
            stored["y"] = self.packed.size
        if self.mixture is not None:
            stored["d" if self.mixture.is_wide else "c"] = self.mixture.to_json()
            if self.mixture.regressors is not None:
                stored["n"] = list(self.mixture.regressors)
        return stored

    @classmethod
    def from_json(cls, stored: Json) -> Plan:
        """The plan that `to_json` wrote; ArchiveError for anything else, or parts out of range or
        that do not suit each other: a combination is of linear transforms, and each of these has
        one; a pair and Seen are of keyed transforms; a regression is of a wide mixture, and of
        complete bins, LEAST_REGRESSED (3) or more; a mixture has neither a Repeat, lanes nor packed
        values. Whether the streams that it names exist is not checked."""
        if not isinstance(stored, Mapping) or not stored.keys() <= LETTERS or "b" not in stored:
            raise refused("it has parts that are not known here, or no bins")
        starts = summed(stored["b"], MAX_BINS, "bins")
        widths = np.zeros(len(starts), np.int64)
        if "w" in stored:
            widths = widths_from_json(stored["w"], len(starts))
        features = features_from_json(stored.get("f", []))
        transform = transform_from_json(stored.get("t", "v"))
        # parts that need one another, before each is read by itself
        if transform.is_linear != ("p" in stored):
            raise refused("a linear transform and its combination are not without each other")
        combined: Combination | Computed | None = None
        if "p" in stored:
            combined = combination_from_json(stored["p"])
        pair = None
        if "j" in stored:
            pair = pair_from_json(stored["j"], transform)
        counts_keys = any(isinstance(feature, Seen) for feature in features)
        if counts_keys and transform is not Transform.KEYED:
            raise refused("how often a key came is asked of a column without keys")
        mixture = None
        if "n" in stored and "d" not in stored:
            raise refused("a regression is of a wide mixture alone")
        if "c" in stored and "d" in stored:
            raise refused("a stream is mixed twice")
        if "c" in stored or "d" in stored:
            is_wide = "d" in stored
            regressors = regressors_from_json(stored, len(starts))
            mixture = Mixture.parsed(stored["d" if is_wide else "c"], is_wide, regressors)
            looks_for_repeats = any(isinstance(feature, Repeat) for feature in features)
            if looks_for_repeats or "l" in stored or "y" in stored:
                raise refused("a mixture has neither repeats nor lanes, and no values as bytes")
        return cls(
            starts=starts,
            widths=widths,
            complete="x" in stored,
            transform=transform,
            combined=combined,
            pair=pair,
            of=whole_number(stored.get("g", 0), 0, MAX_STREAM, "a stream's number"),
            features=features,
            strength=whole_number(stored.get("k", cls.strength), 1, MAX_STRENGTH, "the strength"),
            lanes_log=whole_number(stored.get("l", 0), 0, MAX_LANES_LOG, "lanes"),
            usual=whole_number(stored.get("z", 0), 0, MAX_BINS, "the usual symbol"),
            packed=packed_from_json(stored),
            mixture=mixture,
        )


LETTERS = frozenset("bwxtgfklzoypjcdn")  # of the parts of a plan, one each


def widths_from_json(raw: Json, bins: int) -> Int:
    """Read the widths of a plan's bins from a list in its JSON: (bins,) int64, in bits;
    ArchiveError for anything else, another number of them, or widths that are not 0 .. MAX_WIDTH
    (63)."""
    if not isinstance(raw, list) or len(raw) != bins:
        raise refused("bins have another number of widths")
    widths = [whole_number(width, 0, MAX_WIDTH, "the width of a bin") for width in raw]
    return np.array(widths, np.int64)


def features_from_json(raw: Json) -> tuple[Feature, ...]:
    """The features of a plan, in order, from a list in its JSON; ArchiveError for anything else, or
    more than rans.MAX_LEVELS (4)."""
    # each feature is a level of frequency tables
    if not isinstance(raw, list) or len(raw) > rans.MAX_LEVELS:
        raise refused(f"features must be at most {rans.MAX_LEVELS}")
    return tuple(feature_from_json(feature) for feature in raw)


def regressors_from_json(stored: Mapping[str, Json], bins: int) -> tuple[int, ...] | None:
    """Read the regressors of a plan's mixture, of so many bins, from the plan's JSON object; None
    without a regression. ArchiveError for numbers out of range, too many of them, or bins that make
    no numbers."""
    if "n" not in stored:
        return None
    raw = stored["n"]
    # a value that lies in no bin has no place among the others
    if "x" not in stored or bins < LEAST_REGRESSED:
        raise refused(f"a regression needs all values in {LEAST_REGRESSED} bins or more")
    if not isinstance(raw, list) or len(raw) > MOST_REGRESSORS:
        raise refused(f"a regression must be of at most {MOST_REGRESSORS} streams")
    most = MAX_STREAM
    return tuple(whole_number(number, -1 - most, most, "a stream's number") for number in raw)


def transform_from_json(letter: Json) -> Transform:
    """The transform that a letter, its value in Transform, stands for; ArchiveError for anything
    else."""
    try:
        return Transform(letter)
    except ValueError:
        raise refused(f"an unknown transform, {str(letter)[:40]!r}") from None


def pair_from_json(raw: Json, transform: Transform) -> tuple[int, int]:
    """Read from a JSON list the two other streams by which a keyed transform predicts: (number of
    the stream of keys, number of that of values); ArchiveError for anything else, or another
    transform."""
    if transform is not Transform.KEYED or not isinstance(raw, list) or len(raw) != 2:
        raise refused("a pair of streams must be two, of a keyed transform")
    keys, values = (whole_number(number, 0, MAX_STREAM, "a stream's number") for number in raw)
    return keys, values


def packed_from_json(stored: Mapping[str, Json]) -> Packed | None:
    """Read from a plan's JSON object how its values are stored as bytes; None if they are stored as
    symbols. ArchiveError for a size or a lowest value out of range, or a size without that."""
    if "y" not in stored:
        return None
    size = stored["y"]
    # 1.0 and True are in the tuple, too
    if type(size) is not int or size not in PACKED_SIZES:
        raise refused(f"values of {str(size)[:40]} bytes; {PACKED_SIZES} are known")
    low = whole_number(stored.get("o"), -(1 << 63), (1 << 63) - 1, "the lowest value")
    return Packed(low, size)
